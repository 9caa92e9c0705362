//! The chain as its metadata describes it: the file beside this one, which a test compares with what the runtime says of
//! itself, and writes anew with `UPDATE_EXPECT=1` (`crates/testkit/tests/chain/metadata.rs`). Each call and row is compared
//! with what the chain says before it is used, too.

#[subxt::subxt(
    runtime_metadata_path = "src/substrate/metadata.scale",
    substitute_type(
        path = "opensky_protocol::account::Account",
        with = "::subxt::utils::Static<::opensky_protocol::Account>"
    ),
    substitute_type(
        path = "opensky_protocol::digest::Digest",
        with = "::subxt::utils::Static<::opensky_protocol::Digest>"
    ),
    substitute_type(
        path = "opensky_protocol::key::NodeKey",
        with = "::subxt::utils::Static<::opensky_protocol::NodeKey>"
    ),
    substitute_type(
        path = "opensky_protocol::signed::Signed<T>",
        with = "::subxt::utils::Static<::opensky_protocol::Signed<T>>"
    ),
    substitute_type(
        path = "opensky_protocol::voucher::Voucher",
        with = "::opensky_protocol::Voucher"
    ),
    substitute_type(
        path = "opensky_protocol::ledger::call::Consent",
        with = "::opensky_protocol::ledger::Consent"
    ),
    substitute_type(
        path = "opensky_protocol::ledger::call::Showing",
        with = "::subxt::utils::Static<::opensky_protocol::ledger::Showing>"
    ),
    substitute_type(
        path = "opensky_protocol::ledger::case::Case",
        with = "::subxt::utils::Static<::opensky_protocol::ledger::Case>"
    ),
    substitute_type(
        path = "opensky_protocol::ledger::case::Verdict",
        with = "::subxt::utils::Static<::opensky_protocol::ledger::Verdict>"
    ),
    substitute_type(
        path = "opensky_protocol::ledger::escrow::Escrow",
        with = "::subxt::utils::Static<::opensky_protocol::ledger::Escrow>"
    ),
    substitute_type(
        path = "opensky_protocol::ledger::escrow::Tab",
        with = "::subxt::utils::Static<::opensky_protocol::ledger::Tab>"
    ),
    substitute_type(
        path = "opensky_protocol::ledger::event::Fact",
        with = "::subxt::utils::Static<::opensky_protocol::ledger::Fact>"
    ),
    substitute_type(
        path = "opensky_protocol::ledger::evidence::Evidence",
        with = "::subxt::utils::Static<::opensky_protocol::ledger::Evidence>"
    ),
    substitute_type(
        path = "opensky_protocol::ledger::operator::Operator",
        with = "::subxt::utils::Static<::opensky_protocol::ledger::Operator>"
    ),
    substitute_type(
        path = "opensky_protocol::ledger::terms::Terms",
        with = "::subxt::utils::Static<::opensky_protocol::ledger::Terms>"
    ),
    substitute_type(
        path = "opensky_protocol::key::Signature",
        with = "::subxt::utils::Static<::opensky_protocol::Signature>"
    ),
    substitute_type(
        path = "opensky_protocol::receipt::Statement",
        with = "::subxt::utils::Static<::opensky_protocol::Statement>"
    ),
    substitute_type(
        path = "opensky_protocol::ledger::request::answer::Answer",
        with = "::subxt::utils::Static<::opensky_protocol::ledger::Answer>"
    ),
    substitute_type(
        path = "opensky_protocol::ledger::request::asked::Asked",
        with = "::subxt::utils::Static<::opensky_protocol::ledger::Asked>"
    ),
    substitute_type(
        path = "opensky_protocol::ledger::request::committee::Request",
        with = "::subxt::utils::Static<::opensky_protocol::ledger::Request>"
    ),
    substitute_type(
        path = "opensky_protocol::ledger::request::draw::Offered",
        with = "::subxt::utils::Static<::opensky_protocol::ledger::Offered>"
    ),
    substitute_type(
        path = "opensky_protocol::ledger::wire::NodeState",
        with = "::subxt::utils::Static<::opensky_protocol::ledger::NodeState>"
    )
)]
mod generated {}

pub(super) use generated::*;
