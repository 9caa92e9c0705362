//! The interface that contracts are written against, from the file that they import.

use pallet_revive::precompiles::alloy;

alloy::sol!("../../examples/contract-request/IOpenSky.sol");
