//! What settling on a chain costs: how many units one block of a real one pays for, in vouchers of many requesters for
//! many providers.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use opensky_cli::{
    devnet::{
        chain::Programs,
        child::{Stop, Wait},
    },
    signals::Signals,
};
use opensky_ledger::{Chain, Charter};
use opensky_protocol::{
    Account, Digest, SecretKey, Signed, Verified, Voucher,
    ledger::{Call, Event, Fact, Intent, LedgerReply, LedgerRequest, Status},
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::{Effort, Error, Figures, machine};

/// How long the chain may take to begin: it compiles its runtime once.
const PATIENCE: Duration = Duration::from_secs(300);
/// What everybody begins with.
const MONEY: u128 = 1_000_000_000_000_000;
/// What a unit is paid.
const PRICE: u128 = 1_000_000;
/// Units that one voucher pays.
const UNITS: u64 = 50;
/// A day, in milliseconds.
const DAY: u64 = 86_400_000;

/// How often it is looked whether something has happened.
const LOOK: Duration = Duration::from_millis(200);

/// One who settles on the chain.
struct Party {
    secret: Arc<SecretKey>,
    chain: Chain,
    nonce: u64,
}

/// The chain, which makes a block when it is told to.
struct Bench {
    port: u16,
    charter: Charter,
}

/// What settling on a chain costs.
pub fn chain(effort: Effort) -> Result<Figures, Error> {
    println!("{}", machine::describe()?);
    let folder = tempfile::tempdir()?;
    let signals = Signals::none();
    let wait = Wait {
        until: Instant::now() + PATIENCE,
        end: &signals,
    };
    let started = Programs::find()?.start(folder.path(), "manual", &wait);
    let (process, url) = started.map_err(|stop: Stop| stop.to_string())?;
    let mut figures = Figures::default();
    let (requesters, providers) = effort.pick((2, 3), (100, 20));
    let runtime = Runtime::new()?;
    let measured = runtime.block_on(settle(&url, folder.path(), requesters, providers));
    drop(process);
    let Settled { units, seal } = measured?;
    figures.add("units_settled_per_block", units as f64)?;
    figures.add("seal_ms_of_that_block", seal.as_secs_f64() * 1e3)?;
    Ok(figures)
}

struct Settled {
    units: u64,
    seal: Duration,
}

fn secret(name: &str) -> SecretKey {
    SecretKey::from_seed(&Digest::derive("opensky bench key 1", &name).0)
}

/// All requesters owe all providers, who claim at the same time: how much one block pays.
async fn settle(
    url: &str,
    folder: &Path,
    requesters: usize,
    providers: usize,
) -> Result<Settled, Error> {
    let port = url.rsplit(':').next().unwrap_or_default().parse()?;
    // It begins with money, as everybody knows.
    let mut alice = Party::new(url, folder, "alice", opensky_ledger::alice())?;
    let charter = alice.chain.charter().await?;
    let bench = Bench { port, charter };
    alice.chain.settle_on(bench.charter.id)?;
    let names = |role: &str, count| -> Vec<String> {
        (0..count)
            .map(|number| format!("{role}-{number}"))
            .collect()
    };
    let requesters = names("requester", requesters);
    let providers = names("provider", providers);
    let gifts = requesters
        .iter()
        .chain(&providers)
        .map(|name| Call::Transfer {
            to: secret(name).node().into(),
            amount: MONEY,
        });
    let gifts: Vec<_> = gifts.collect();
    let wanted = alice.submit(&bench, gifts).await?;
    bench.seal_until(&[&alice], &[wanted]).await?;
    println!("{} accounts have money", requesters.len() + providers.len());
    // Whoever follows the chain reads each block.
    drop(alice);
    let mut requesters = bench.parties(url, folder, &requesters)?;

    let mut opened = Vec::new();
    for party in &mut requesters {
        let open = party.opening(providers.len());
        opened.push(party.submit(&bench, vec![open]).await?);
    }
    let all: Vec<_> = requesters.iter().collect();
    bench.seal_until(&all, &opened).await?;
    println!("{} escrows are open", opened.len());
    let mut providers = bench.parties(url, folder, &providers)?;

    let mut claimed = Vec::new();
    for provider in &mut providers {
        let vouchers: Vec<_> = requesters
            .iter()
            .map(|requester| requester.voucher(&bench.charter.id, provider.account()))
            .collect();
        let claims = vouchers.chunks(Call::MAX_VOUCHERS).map(|some| Call::Claim {
            vouchers: some.to_vec(),
        });
        let claims = claims.collect();
        claimed.push(provider.submit(&bench, claims).await?);
    }
    bench
        .wait_for_pool(claimed.iter().map(Vec::len).sum())
        .await?;
    let begun = Instant::now();
    bench.seal()?;
    let seal = begun.elapsed();
    let all: Vec<_> = providers.iter().collect();
    bench.seal_until(&all, &claimed).await?;
    let mut first = Vec::new();
    for provider in &providers {
        first.extend(provider.paid().await?);
    }
    let block = first.iter().map(|(at, _)| *at).min().unwrap_or_default();
    let vouchers: u64 = first
        .iter()
        .filter(|(at, _)| *at == block)
        .map(|(_, vouchers)| *vouchers)
        .sum();
    let owed = requesters.len() * providers.len();
    println!("{vouchers} of {owed} vouchers were paid in the first block");
    let total: u64 = first.iter().map(|(_, vouchers)| *vouchers).sum();
    if total != owed as u64 {
        return Err(format!("{total} of {owed} vouchers were paid at all").into());
    }
    Ok(Settled {
        units: vouchers * UNITS,
        seal,
    })
}

impl Party {
    fn new(url: &str, folder: &Path, name: &str, secret: SecretKey) -> Result<Self, Error> {
        let secret = Arc::new(secret);
        let file = folder.join(format!("{name}.redb"));
        let own = secret.node().into();
        let chain = Chain::follow(&file, url.into(), secret.clone(), own)?;
        Ok(Self {
            secret,
            chain,
            nonce: 0,
        })
    }

    fn account(&self) -> Account {
        self.secret.node().into()
    }

    fn escrow(&self) -> Digest {
        Digest::derive("opensky bench escrow 1", &self.account())
    }

    /// Enough for all providers.
    fn opening(&self, providers: usize) -> Call {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        Call::OpenEscrow {
            escrow: self.escrow(),
            requester: self.secret.node(),
            amount: PRICE * u128::from(UNITS) * providers as u128,
            deadline: now.as_millis() as u64 + DAY,
        }
    }

    fn voucher(&self, ledger: &Digest, operator: Account) -> Signed<Voucher> {
        let voucher = Voucher {
            ledger: *ledger,
            escrow: self.escrow(),
            requester: self.secret.node(),
            operator,
            total: PRICE * u128::from(UNITS),
            turns: UNITS,
            root: Voucher::START,
        };
        Verified::sign(&self.secret, voucher).into_signed()
    }

    /// Hands calls in, and returns their names.
    async fn submit(&mut self, bench: &Bench, calls: Vec<Call>) -> Result<Vec<Digest>, Error> {
        let mut names = Vec::new();
        for some in calls.chunks(LedgerRequest::MAX_INTENTS) {
            let intents = some.iter().map(|call| {
                let nonce = self.nonce;
                self.nonce += 1;
                let intent = Intent {
                    ledger: bench.charter.id,
                    account: self.secret.node().into(),
                    signer: self.secret.node(),
                    nonce,
                    call: call.clone(),
                };
                Verified::sign(&self.secret, intent).into_signed()
            });
            let request = LedgerRequest::Submit(intents.collect());
            let LedgerReply::Submitted(answers) = self.chain.ask(request).await? else {
                return Err("the chain does not take calls on".into());
            };
            for answer in answers {
                names.push(answer?);
            }
        }
        Ok(names)
    }

    async fn is_decided(&self, intents: &[Digest]) -> Result<bool, Error> {
        for intent in intents {
            let LedgerReply::Status(Some(event)) =
                self.chain.ask(LedgerRequest::Status(*intent)).await?
            else {
                return Err("an intent is forgotten".into());
            };
            match event.status {
                Status::Pending => return Ok(false),
                Status::Final { .. } => {}
                Status::Rejected { reason, .. } => return Err(reason.into()),
            }
        }
        Ok(true)
    }

    /// When vouchers were paid to it, and how many.
    async fn paid(&self) -> Result<Vec<(u64, u64)>, Error> {
        let request = LedgerRequest::Events {
            after: 0,
            limit: LedgerRequest::MAX_EVENTS,
        };
        let LedgerReply::Events(events) = self.chain.ask(request).await? else {
            return Err("the chain tells no events".into());
        };
        let own = self.account();
        let paid = |event: &Event| {
            match &event.status {
            Status::Final { facts, .. } => facts
                .iter()
                .filter(|fact| matches!(fact, Fact::Paid { operator, amount, .. } if *operator == own && *amount > 0))
                .count() as u64,
            _ => 0,
        }
        };
        Ok(events
            .iter()
            .map(|event| (event.at, paid(event)))
            .filter(|(_, count)| *count > 0)
            .collect())
    }
}

impl Bench {
    fn parties(&self, url: &str, folder: &Path, names: &[String]) -> Result<Vec<Party>, Error> {
        let party = |name: &String| {
            let party = Party::new(url, folder, name, secret(name))?;
            party.chain.settle_on(self.charter.id)?;
            Ok(party)
        };
        names.iter().map(party).collect()
    }

    /// Makes blocks until all that was handed in is decided.
    async fn seal_until(&self, parties: &[&Party], intents: &[Vec<Digest>]) -> Result<(), Error> {
        let until = Instant::now() + PATIENCE;
        for (party, intents) in parties.iter().zip(intents) {
            while !party.is_decided(intents).await? {
                if Instant::now() > until {
                    return Err("the chain decides nothing".into());
                }
                if self.pending()? > 0 {
                    self.seal()?;
                }
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(())
    }

    /// Waits until so many transactions wait for a block.
    async fn wait_for_pool(&self, wanted: usize) -> Result<(), Error> {
        let until = Instant::now() + PATIENCE;
        loop {
            if self.pending()? >= wanted {
                return Ok(());
            }
            if Instant::now() > until {
                return Err("not all claims were sent".into());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// How many transactions wait.
    fn pending(&self) -> Result<usize, Error> {
        let pending = self.ask("author_pendingExtrinsics", json!([]))?;
        Ok(pending.as_array().map_or(0, Vec::len))
    }

    fn seal(&self) -> Result<(), Error> {
        self.ask("engine_createBlock", json!([true, true, null]))
            .map(drop)
    }

    fn ask(&self, method: &str, params: Value) -> Result<Value, Error> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let body = body.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        let head = format!(
            "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
        let answer: Value = serde_json::from_str(body)?;
        match answer.get("result") {
            Some(result) => Ok(result.clone()),
            None => Err(format!("{method}: {answer}").into()),
        }
    }
}
