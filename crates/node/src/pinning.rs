//! Has a program pinned: several providers at once, others where one does not want to or is slow, until
//! as many operators have it as are wanted.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use opensky_network::{AskError, Network};
use opensky_protocol::{Account, Deployment, NodeKey, Offer, Reply, Request, codec};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use crate::{asking, error::Unpinned};

/// How long all of it may take: in that time a program of 256 MiB comes over a line of 1 MiB a second.
const PATIENCE: Duration = Duration::from_secs(300);
/// Where nobody came to an end for so long, one provider more is asked beside the others.
const SLOW: Duration = Duration::from_secs(10);
/// Providers that are asked, at most. One that does not answer costs three seconds.
const ASKED: usize = 256;
/// How long whoever is busy, or still fetches the program, is left alone.
const PAUSE: Duration = Duration::from_secs(1);
/// How often one is asked that is busy, or has fallen silent.
const TRIES: u32 = 5;
/// How often one that fetches the program is asked whether it has it, before it is told again to pin it.
const LOOKS: u32 = 60;

/// Who has pinned a program, and who has not and why.
#[derive(Debug, Default)]
pub(crate) struct Pinned {
    pub by: Vec<NodeKey>,
    pub refused: Vec<(NodeKey, Unpinned)>,
}

/// Asks those who offer, in their order and one node of each operator, until so many have pinned the
/// program or nobody is left.
pub(crate) async fn pin(
    network: &Network,
    record: &Deployment,
    wanted: usize,
    offers: Vec<Offer>,
) -> Pinned {
    let asking = Asking {
        network: network.clone(),
        own: record.publisher,
        record: record.clone(),
        left: offers.into_iter().take(ASKED).collect(),
        operators: BTreeSet::new(),
        asked: BTreeMap::new(),
        silent: BTreeSet::new(),
        answers: JoinSet::new(),
        pinned: Pinned::default(),
    };
    asking.until(wanted).await
}

/// One program on its way to those who shall pin it.
struct Asking {
    network: Network,
    own: NodeKey,
    record: Deployment,
    left: VecDeque<Offer>,
    /// Those of whom a node is being asked, or has pinned it.
    operators: BTreeSet<Account>,
    /// Who is being asked.
    asked: BTreeMap<NodeKey, Offer>,
    /// Who did not answer, and is asked again when all others were.
    silent: BTreeSet<NodeKey>,
    answers: JoinSet<(NodeKey, Result<(), Unpinned>)>,
    pinned: Pinned,
}

impl Asking {
    async fn until(mut self, wanted: usize) -> Pinned {
        let end = Instant::now() + PATIENCE;
        let mut slow = 0;
        loop {
            let missing = wanted.saturating_sub(self.pinned.by.len());
            if missing == 0 {
                return self.pinned;
            }
            while self.asked.len() < missing + slow && self.ask_next() {}
            tokio::select! {
                answer = self.answers.join_next() => match answer {
                    Some(Ok((node, answer))) => self.note(node, answer),
                    // It has said so.
                    Some(Err(_)) => {}
                    None => return self.pinned,
                },
                () = sleep(SLOW) => slow += 1,
                () = sleep_until(end) => return self.out_of_time(),
            }
        }
    }

    /// Whether there was anyone to be asked.
    fn ask_next(&mut self) -> bool {
        let is_new = |offer: &Offer| !self.operators.contains(&offer.operator);
        let Some(offer) = self.left.iter().position(is_new) else {
            return false;
        };
        let Some(offer) = self.left.remove(offer) else {
            return false;
        };
        self.operators.insert(offer.operator);
        let one = One {
            network: self.network.clone(),
            node: offer.node,
            has: codec::encode(&Request::Has(vec![self.record.program])),
            pin: codec::encode(&Request::Pin {
                blob: self.record.program,
                len: self.record.program_len,
                sources: [vec![self.own], self.pinned.by.clone()].concat(),
            }),
        };
        self.answers
            .spawn(async move { (one.node, one.pin().await) });
        self.asked.insert(offer.node, offer);
        true
    }

    fn note(&mut self, node: NodeKey, answer: Result<(), Unpinned>) {
        let Some(offer) = self.asked.remove(&node) else {
            return;
        };
        let Err(why) = answer else {
            return self.pinned.by.push(node);
        };
        // Another node of the same operator may do.
        self.operators.remove(&offer.operator);
        match why {
            Unpinned::Silent if self.silent.insert(node) => self.left.push_back(offer),
            why => self.pinned.refused.push((node, why)),
        }
    }

    fn out_of_time(mut self) -> Pinned {
        let late = self.asked.keys();
        let late = late.map(|node| (*node, Unpinned::Late));
        self.pinned.refused.extend(late);
        self.pinned
    }
}

/// One provider that shall pin it.
struct One {
    network: Network,
    node: NodeKey,
    has: Vec<u8>,
    pin: Vec<u8>,
}

impl One {
    /// Returns once it has; otherwise why it has not. Does not end by itself where the provider fetches
    /// the program for ever.
    async fn pin(&self) -> Result<(), Unpinned> {
        let there = asking::ask(&self.network, self.node, &self.has).await;
        if there.is_none() {
            return Err(Unpinned::Silent);
        }
        let mut busy = 0;
        loop {
            let start = Instant::now();
            match self.network.ask(self.node, self.pin.clone()).await {
                // The program takes longer to come there than a question may take.
                Err(AskError::Timeout { .. } | AskError::Busy { .. })
                    if start.elapsed() >= SLOW =>
                {
                    self.fetching().await?;
                }
                Err(AskError::Busy { .. }) => busy += 1,
                Err(AskError::Unreachable { .. }) => return Err(Unpinned::Unreachable),
                Err(_) => return Err(Unpinned::NoReply),
                Ok(reply) => match codec::decode(&reply) {
                    Ok(Reply::Heard) => return Ok(()),
                    // So does who has waited as long as it lets others wait.
                    Ok(Reply::Busy) if start.elapsed() >= SLOW => self.fetching().await?,
                    Ok(Reply::Busy) => busy += 1,
                    _ => return Err(Unpinned::Unwilling),
                },
            }
            if busy == TRIES {
                return Err(Unpinned::Busy);
            }
            sleep(PAUSE).await;
        }
    }

    /// Waits until it has the program, for a while.
    async fn fetching(&self) -> Result<(), Unpinned> {
        let mut silent = 0;
        for _ in 0..LOOKS {
            match asking::ask(&self.network, self.node, &self.has).await {
                Some(Reply::Has(has)) if has == [true] => return Ok(()),
                Some(_) => silent = 0,
                None => silent += 1,
            }
            if silent == TRIES {
                return Err(Unpinned::Silent);
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }
}
