//! What a tool may measure in the runtime: the worst of each call.

use alloc::{string::String, vec::Vec};

use frame_benchmarking::{BenchmarkBatch, BenchmarkConfig, BenchmarkList};
use frame_support::traits::{StorageInfo, StorageInfoTrait as _, WhitelistedStorageKeys as _};

use crate::AllPalletsWithSystem;

frame_benchmarking::define_benchmarks!(
    [opensky_chain_pallet_jobs, crate::Jobs]
    [opensky_chain_pallet_jobs::beacon, crate::Beacon]
    [opensky_chain_pallet_jobs::requests, crate::Requests]
    [opensky_chain_pallet_providers, crate::Providers]
    [opensky_chain_pallet_providers::offers, crate::Offers]
);

/// All that can be measured.
pub fn list(extra: bool) -> (Vec<BenchmarkList>, Vec<StorageInfo>) {
    let mut list = Vec::new();
    list_benchmarks!(list, extra);
    (list, AllPalletsWithSystem::storage_info())
}

/// Measures.
pub fn run(config: BenchmarkConfig) -> Result<Vec<BenchmarkBatch>, String> {
    let whitelist = AllPalletsWithSystem::whitelisted_storage_keys();
    let mut batches = Vec::new();
    let params = (&config, &whitelist);
    add_benchmarks!(params, batches);
    Ok(batches)
}
