//! Questions that the chain's state answers.

use opensky_protocol::{
    Account, Digest, NodeKey,
    ledger::{AccountState, LedgerReply, LedgerRequest, Purse, Terms},
};
use subxt::utils::{AccountId32, Static};

use super::{At, ChainAway, api};

/// Nodes that are looked through for those of one operator.
const NODES: usize = 10_000;
/// Units of one escrow that are looked at: more are told of when some of these are settled.
const UNITS: usize = 10_000;

/// The rules as they are after that block.
pub(super) async fn terms(at: &At) -> Result<Terms, ChainAway> {
    let terms = api::storage().providers().current_terms();
    let Static(terms) = at.storage().fetch(terms, ()).await?.decode()?;
    Ok(terms)
}

/// The least that an account has.
pub(super) fn existential(at: &At) -> Result<u128, ChainAway> {
    let deposit = api::constants().balances().existential_deposit();
    Ok(at.constants().entry(deposit)?)
}

/// The time of that block, in Unix milliseconds.
pub(super) async fn time(at: &At) -> Result<u64, ChainAway> {
    let now = api::storage().timestamp().now();
    Ok(at.storage().fetch(now, ()).await?.decode()?)
}

/// The chain's next nonce for transactions of a key.
pub(super) async fn nonce(at: &At, signer: &NodeKey) -> Result<u64, ChainAway> {
    Ok(at
        .transactions()
        .account_nonce(&AccountId32(signer.0))
        .await?)
}

/// Answers a question.
pub(super) async fn answer(at: &At, request: LedgerRequest) -> Result<LedgerReply, ChainAway> {
    let jobs = api::storage().jobs();
    let providers = api::storage().providers();
    let storage = at.storage();
    Ok(match request {
        LedgerRequest::Account(account) => {
            LedgerReply::Account(Box::new(account_state(at, &account).await?))
        }
        LedgerRequest::Node(node) => {
            let row = storage
                .try_fetch(providers.nodes(), (Static(node),))
                .await?;
            let row = row.map(|row| row.decode()).transpose()?;
            LedgerReply::Node(row.map(|Static(node)| node))
        }
        LedgerRequest::Nodes(operator) => LedgerReply::Nodes(nodes(at, &operator).await?),
        LedgerRequest::Escrow(escrow) => {
            let row = storage.try_fetch(jobs.escrows(), (Static(escrow),)).await?;
            let row = row.map(|row| row.decode()).transpose()?;
            LedgerReply::Escrow(row.map(|Static(escrow)| Box::new(escrow)))
        }
        LedgerRequest::Tab { escrow, operator } => {
            let key = (Static(escrow), AccountId32(operator.0));
            let Static(tab) = storage.fetch(jobs.tabs(), key).await?.decode()?;
            LedgerReply::Tab(tab)
        }
        LedgerRequest::Case { escrow, unit } => {
            let key = (Static(escrow), Static(unit));
            let row = storage.try_fetch(jobs.cases(), key).await?;
            let row = row.map(|row| row.decode()).transpose()?;
            LedgerReply::Case(row.map(|Static(case)| Box::new(case)))
        }
        LedgerRequest::Cases { escrow, after } => {
            LedgerReply::Cases(cases(at, escrow, after).await?)
        }
        // The desk answers these; what a chain began with is another thing than that of an embedded ledger.
        LedgerRequest::Genesis
        | LedgerRequest::Submit(_)
        | LedgerRequest::Events { .. }
        | LedgerRequest::History { .. }
        | LedgerRequest::Status(_)
        | LedgerRequest::Nonce(_) => LedgerReply::Unavailable,
    })
}

async fn account_state(at: &At, account: &Account) -> Result<AccountState, ChainAway> {
    let key = || (AccountId32(account.0),);
    let system = api::storage().system().account();
    let info = at.storage().fetch(system, key()).await?.decode()?;
    let operators = api::storage().providers().operators();
    let Static(operator) = at.storage().fetch(operators, key()).await?.decode()?;
    Ok(AccountState {
        purse: Purse {
            free: info.data.free,
            held: info.data.reserved,
        },
        operator,
    })
}

async fn nodes(at: &At, operator: &Account) -> Result<Vec<NodeKey>, ChainAway> {
    let nodes = api::storage().providers().nodes();
    let mut rows = at.storage().iter(nodes, ()).await?;
    let mut own = Vec::new();
    for _ in 0..NODES {
        let Some(row) = rows.next().await else { break };
        let row = row?;
        let (Static(node),) = row.key()?.decode()?;
        let Static(state) = row.value().decode()?;
        if state.operator == *operator {
            own.push(node);
        }
    }
    own.sort_unstable();
    Ok(own)
}

/// The chain keeps the units in the order of their hashes; pages go by their own.
async fn cases(at: &At, escrow: Digest, after: Option<Digest>) -> Result<Vec<Digest>, ChainAway> {
    let cases = api::storage().jobs().cases();
    let mut rows = at.storage().iter(cases, (Static(escrow),)).await?;
    let mut units = Vec::new();
    for _ in 0..UNITS {
        let Some(row) = rows.next().await else { break };
        let (_, Static(unit)) = row?.key()?.decode()?;
        if Some(unit) > after {
            units.push(unit);
        }
    }
    units.sort_unstable();
    units.truncate(LedgerRequest::MAX_EVENTS as usize);
    Ok(units)
}
