//! Where intents are taken on and what became of them is written down: the journal, and what of it is in memory.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use opensky_protocol::{
    Account, Digest, NodeKey, Signed,
    ledger::{Call, Event, Intent, LedgerReply, LedgerRequest, Refused, Rejection, Status},
};
use parity_scale_codec::Encode as _;

use super::{
    journal::{Journal, Memory, News, Read, Seen},
    queue::{Queue, Sent, Waiting},
    scan::{Deed, Scan},
};
use crate::LedgerError;

/// Intents that may wait for the chain.
const WAITING: usize = 4096;

/// How often an intent is put into a transaction that comes into no block, before it is given up.
const TRIES: usize = 5;

/// Blocks that say nothing are written down together, so many of them: an idle chain costs no disk.
const TOGETHER: usize = 64;

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Desk(Arc<Place>);

struct Place {
    path: PathBuf,
    signer: NodeKey,
    operator: Account,
    open: Mutex<Open>,
}

struct Open {
    /// None after a write failed: memory may say something else than the file.
    journal: Option<Journal>,
    memory: Memory,
    /// Nobody works here any more, and others may open the file.
    is_closed: bool,
}

/// One who works with the open file, and has it opened again if something fails.
struct Clerk<'a> {
    place: &'a Place,
    open: MutexGuard<'a, Open>,
}

/// What a question takes.
type Work = Box<dyn FnOnce(&mut Clerk<'_>) -> Result<LedgerReply, LedgerError> + Send>;

impl Desk {
    pub fn open(path: &Path, signer: NodeKey, operator: Account) -> Result<Self, LedgerError> {
        let (journal, memory) = Journal::open(path)?;
        let open = Open {
            journal: Some(journal),
            memory,
            is_closed: false,
        };
        Ok(Self(Arc::new(Place {
            path: path.to_owned(),
            signer,
            operator,
            open: Mutex::new(open),
        })))
    }

    /// From now on its intents and events are those of one ledger.
    pub fn settle_on(&self, id: Digest) -> Result<(), LedgerError> {
        self.0.work(|clerk| {
            if clerk.open.memory.id != Some(id) {
                clerk.journal()?.settle_on(&id)?;
                clerk.open.memory.id = Some(id);
            }
            Ok(())
        })
    }

    /// Nothing is answered or written any more. Waits for what is being written.
    pub fn close(&self) {
        let mut open = self.0.lock();
        open.is_closed = true;
        open.journal = None;
    }

    /// The ledger that it belongs to.
    pub fn id(&self) -> Option<Digest> {
        self.0.lock().memory.id
    }

    /// How many intents are not decided.
    pub fn waiting(&self) -> usize {
        self.0.lock().memory.queue.0.len()
    }

    /// Whether one of them asks for a call of which that holds.
    pub fn waits_for(&self, holds: impl Fn(&Call) -> bool) -> bool {
        let open = self.0.lock();
        let mut waiting = open.memory.queue.0.values();
        waiting.any(|waiting| holds(&waiting.call))
    }

    /// The last block that was read.
    pub fn seen(&self) -> Option<Seen> {
        self.0.lock().memory.seen
    }

    /// The transactions that may still come into a block.
    pub fn sent(&self) -> Vec<Sent> {
        let open = self.0.lock();
        open.memory
            .queue
            .sent()
            .map(|(_, sent)| sent.clone())
            .collect()
    }

    /// Intents that are in no transaction, and are to be in one next.
    pub fn unsent(&self) -> Vec<(u64, Waiting)> {
        self.0.lock().memory.queue.unsent()
    }

    /// Whether no other intent is before it.
    pub fn is_first(&self, order: u64) -> bool {
        let open = self.0.lock();
        let first = open.memory.queue.0.first_key_value();
        first.is_some_and(|(first, _)| *first == order)
    }

    /// The nonce for the signer's next transaction.
    pub fn free_nonce(&self, signer: &NodeKey, next: u64) -> u64 {
        self.0.lock().memory.queue.free_nonce(signer, next)
    }

    /// Answers what needs no chain.
    pub async fn answer(&self, request: &LedgerRequest) -> Option<LedgerReply> {
        let work: Work = match request {
            LedgerRequest::Submit(intents) => {
                let intents = intents.clone();
                Box::new(move |clerk| Ok(LedgerReply::Submitted(clerk.take_on(&intents)?)))
            }
            LedgerRequest::Nonce(signer) => {
                let signer = *signer;
                Box::new(move |clerk| Ok(LedgerReply::Nonce(clerk.next_nonce(&signer))))
            }
            LedgerRequest::Status(intent) => {
                let intent = *intent;
                Box::new(move |clerk| Ok(LedgerReply::Status(clerk.status(&intent)?)))
            }
            LedgerRequest::Events { after, limit } => {
                let (after, limit) = (*after, page(*limit));
                Box::new(move |clerk| {
                    Ok(LedgerReply::Events(clerk.journal()?.events(after, limit)?))
                })
            }
            LedgerRequest::History {
                account,
                before,
                limit,
            } => {
                let (account, before, limit) = (*account, *before, page(*limit));
                Box::new(move |clerk| {
                    let events = clerk.journal()?.history(&account, before, limit)?;
                    Ok(LedgerReply::Events(events))
                })
            }
            _ => return None,
        };
        let answered = self.blocking(work).await;
        Some(answered.unwrap_or(LedgerReply::Unavailable))
    }

    /// Writes down which transactions intents are in: before these are sent.
    pub async fn send(&self, made: Vec<(u64, Sent)>) -> Result<(), LedgerError> {
        self.blocking(move |clerk| {
            let orders: Vec<_> = made.iter().map(|(order, _)| *order).collect();
            for (order, sent) in made {
                if let Some(waiting) = clerk.open.memory.queue.0.get_mut(&order) {
                    waiting.sent = Some(sent);
                }
            }
            clerk.put(&orders)
        })
        .await
    }

    /// Decides an intent that was in no transaction which can still come into a block.
    pub async fn reject(&self, order: u64, reason: Rejection) -> Result<(), LedgerError> {
        self.blocking(move |clerk| clerk.reject(order, reason))
            .await
    }

    /// What a block says that concerns this node.
    pub fn news(&self, scan: Scan) -> Vec<News> {
        let open = self.0.lock();
        let deeds = scan.deeds.into_iter();
        deeds
            .flat_map(|deed| self.0.news(&open.memory.queue, deed, scan.time))
            .collect()
    }

    /// Writes down that these blocks were read, and what they say.
    pub async fn book(&self, read: Vec<Read>) -> Result<(), LedgerError> {
        self.blocking(move |clerk| clerk.book(read)).await
    }

    /// Gives up transactions that cannot come into a block any more, with all up to `block` read. Nonces are the chain's
    /// next ones after it.
    pub async fn bury(&self, block: u64, nonces: Vec<(NodeKey, u64)>) -> Result<(), LedgerError> {
        self.blocking(move |clerk| {
            let queue = &mut clerk.open.memory.queue;
            let buried = nonces.iter();
            let buried = buried.flat_map(|(signer, next)| queue.bury(block, signer, *next));
            let buried: Vec<u64> = buried.collect();
            clerk.put(&buried)?;
            for order in buried {
                let waiting = clerk.open.memory.queue.0.get(&order);
                if waiting.is_some_and(|waiting| waiting.past.len() >= TRIES) {
                    clerk.reject(order, Rejection::Dropped)?;
                }
            }
            Ok(())
        })
        .await
    }

    /// The blocks that were read, the newest first.
    pub async fn blocks(&self) -> Result<Vec<Seen>, LedgerError> {
        self.blocking(|clerk| {
            let unwritten = clerk.open.memory.unwritten.iter().rev().copied();
            Ok(unwritten.chain(clerk.journal()?.blocks()?).collect())
        })
        .await
    }

    /// Takes back what blocks after `last` said.
    pub async fn rewind(&self, last: Seen) -> Result<(), LedgerError> {
        self.blocking(move |clerk| {
            let queue = clerk.journal()?.rewind(last)?;
            let memory = &mut clerk.open.memory;
            memory.seen = Some(last);
            memory.unwritten.retain(|seen| seen.number < last.number);
            memory.queue = queue;
            Ok(())
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Clerk<'_>) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let place = self.0.clone();
        let done = tokio::task::spawn_blocking(move || place.work(work)).await;
        done.unwrap_or(Err(LedgerError::Failed))
    }
}

impl Place {
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work<T>(
        &self,
        work: impl FnOnce(&mut Clerk<'_>) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let mut clerk = Clerk {
            place: self,
            open: self.lock(),
        };
        clerk.reopen()?;
        let done = work(&mut clerk);
        if done.is_err() {
            clerk.open.journal = None;
        }
        done
    }
}

/// What a block says.
impl Place {
    /// What a deed is to this node, if it is anything: to the account that it is for, and to the node's own, if that has
    /// paid for another's.
    fn news(&self, queue: &Queue, deed: Deed, at: u64) -> Vec<News> {
        let Deed {
            transaction,
            about,
            fee,
            mut facts,
            failed,
        } = deed;
        let decides = transaction.and_then(|hash| queue.by_hash(&hash));
        let own = [self.operator, self.signer.into()];
        let paid_by = fee.map(|(account, _)| account);
        let is_own = |account: &Account| own.contains(account);
        if decides.is_none() {
            // Of what others did the rest is their affair, and may be much.
            facts.retain(|fact| fact.accounts().iter().any(is_own));
            if facts.is_empty() && !paid_by.as_ref().is_some_and(is_own) {
                return Vec::new();
            }
        }
        let waiting = decides.and_then(|order| queue.0.get(&order));
        let (intent, account) = match (waiting, transaction.or(about)) {
            (Some(waiting), _) => (waiting.intent, waiting.account),
            (None, Some(name)) => (name, paid_by.unwrap_or(self.operator)),
            (None, None) => return Vec::new(),
        };
        let event = |account, fee, facts| Event {
            sequence: 0,
            at,
            intent,
            account,
            status: match failed {
                Some(reason) => Status::Rejected { fee, reason },
                None => Status::Final { fee, facts },
            },
        };
        // Whoever gives money away pays for that, too; that is not this node's affair.
        let fee_of = |who| fee.map_or(0, |(payer, fee)| if payer == who { fee } else { 0 });
        let signer = self.signer.into();
        let for_another = (account != signer && fee_of(signer) > 0).then(|| News {
            event: event(signer, fee_of(signer), Vec::new()),
            decides: None,
        });
        let event = event(account, fee_of(account), facts);
        [News { event, decides }]
            .into_iter()
            .chain(for_another)
            .collect()
    }
}

impl Clerk<'_> {
    fn reopen(&mut self) -> Result<(), LedgerError> {
        if self.open.is_closed {
            return Err(LedgerError::Failed);
        }
        if self.open.journal.is_none() {
            let (journal, memory) = Journal::open(&self.place.path)?;
            *self.open = Open {
                journal: Some(journal),
                memory,
                is_closed: false,
            };
        }
        Ok(())
    }

    fn journal(&self) -> Result<&Journal, LedgerError> {
        self.open.journal.as_ref().ok_or(LedgerError::Failed)
    }

    fn put(&self, orders: &[u64]) -> Result<(), LedgerError> {
        self.journal()?.put(&self.open.memory.queue, orders)
    }

    /// Others' intents are not for this node to hand in.
    fn next_nonce(&self, signer: &NodeKey) -> u64 {
        match *signer == self.place.signer {
            true => self.open.memory.nonce,
            false => 0,
        }
    }

    fn take_on(
        &mut self,
        intents: &[Signed<Intent>],
    ) -> Result<Vec<Result<Digest, Refused>>, LedgerError> {
        let first = self.open.memory.nonce;
        let mut new: Vec<Waiting> = Vec::new();
        let mut answers = Vec::new();
        for signed in intents {
            let intent = signed.value.id();
            let known = new.iter().any(|waiting| waiting.intent == intent)
                || self.journal()?.status(&intent)?.is_some();
            let answer = match known {
                true => Ok(intent),
                false => self.check(signed, first + new.len() as u64, new.len()),
            };
            if !known && answer.is_ok() {
                new.push(Waiting {
                    intent,
                    account: signed.value.account,
                    call: signed.value.call.clone(),
                    sent: None,
                    past: Vec::new(),
                });
            }
            answers.push(answer);
        }
        if !new.is_empty() {
            self.journal()?.take_on(first, &new)?;
            let memory = &mut self.open.memory;
            memory.nonce = first + new.len() as u64;
            memory.queue.0.extend((first..).zip(new));
        }
        Ok(answers)
    }

    fn check(&self, signed: &Signed<Intent>, next: u64, new: usize) -> Result<Digest, Refused> {
        let intent = &signed.value;
        let own = self.place.signer;
        let is_sound = intent.encoded_size() <= Intent::MAX_BYTES;
        if !is_sound || !signed.holds() || !intent.call.is_sound() {
            return Err(Refused::Unsound);
        }
        if Some(intent.ledger) != self.open.memory.id {
            return Err(Refused::Ledger);
        }
        if intent.signer != own || !(intent.is_owners() || intent.call.is_for_nodes()) {
            return Err(Refused::Unauthorised);
        }
        if intent.nonce != next {
            return Err(Refused::Nonce { next });
        }
        if self.open.memory.queue.0.len() + new >= WAITING {
            return Err(Refused::Full);
        }
        Ok(intent.id())
    }

    fn status(&self, intent: &Digest) -> Result<Option<Box<Event>>, LedgerError> {
        let status = self.journal()?.status(intent)?;
        Ok(status.map(|event| {
            let pending = || Event {
                sequence: 0,
                at: 0,
                intent: *intent,
                account: self.place.operator,
                status: Status::Pending,
            };
            Box::new(event.unwrap_or_else(pending))
        }))
    }

    fn reject(&mut self, order: u64, reason: Rejection) -> Result<(), LedgerError> {
        let Some(waiting) = self.open.memory.queue.0.get(&order) else {
            return Ok(());
        };
        let event = waiting.rejected(reason);
        let block = self.open.memory.seen.map_or(0, |seen| seen.number);
        self.journal()?.reject(order, block, event)?;
        self.open.memory.queue.0.remove(&order);
        Ok(())
    }

    fn book(&mut self, read: Vec<Read>) -> Result<(), LedgerError> {
        let Some(last) = read.last().map(|read| read.seen) else {
            return Ok(());
        };
        let unwritten = &mut self.open.memory.unwritten;
        let says_nothing = read.iter().all(|read| read.news.is_empty());
        if says_nothing && unwritten.len() + read.len() < TOGETHER {
            unwritten.extend(read.iter().map(|read| read.seen));
            self.open.memory.seen = Some(last);
            return Ok(());
        }
        let news = read.iter().flat_map(|read| &read.news);
        let decided: Vec<u64> = news.filter_map(|news| news.decides).collect();
        let before = std::mem::take(unwritten).into_iter().map(|seen| Read {
            seen,
            news: Vec::new(),
        });
        self.journal()?.book(before.chain(read).collect())?;
        let memory = &mut self.open.memory;
        memory.seen = Some(last);
        for order in decided {
            memory.queue.0.remove(&order);
        }
        Ok(())
    }
}

fn page(limit: u32) -> usize {
    limit.min(LedgerRequest::MAX_EVENTS) as usize
}

#[cfg(test)]
mod tests {
    use opensky_protocol::ledger::Fact;

    use super::*;

    const OWN: NodeKey = NodeKey([1; 32]);

    fn desk(file: &Path) -> Desk {
        Desk::open(file, OWN, OWN.into()).unwrap()
    }

    fn empty(number: u64) -> Read {
        let hash = Digest([number as u8; 32]);
        Read {
            seen: Seen { number, hash },
            news: Vec::new(),
        }
    }

    #[tokio::test]
    async fn blocks_that_say_nothing_are_written_down_together() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("journal");
        let first = desk(&file);
        let last = TOGETHER as u64;
        for number in 1..last {
            first.book(vec![empty(number)]).await.unwrap();
        }
        assert_eq!(first.seen().map(|seen| seen.number), Some(last - 1));
        assert_eq!(first.blocks().await.unwrap().len() as u64, last - 1);
        first.close();
        let second = desk(&file);
        assert_eq!(second.seen(), None, "they are read again");
        for number in 1..=last {
            second.book(vec![empty(number)]).await.unwrap();
        }
        second.rewind(empty(last - 9).seen).await.unwrap();
        second.book(vec![empty(last - 8)]).await.unwrap();
        let newest = second.blocks().await.unwrap();
        assert_eq!(newest.len() as u64, last - 8);
        assert_eq!(newest[0].number, last - 8);
        second.close();
        assert_eq!(desk(&file).seen(), Some(empty(last - 9).seen));
    }

    #[tokio::test]
    async fn closed_desk_answers_nothing_and_leaves_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("journal");
        let first = desk(&file);
        first.close();
        let answer = first.answer(&LedgerRequest::Nonce(OWN)).await;
        assert_eq!(answer, Some(LedgerReply::Unavailable));
        desk(&file);
        assert!(first.settle_on(Digest([7; 32])).is_err());
    }

    /// A desk with one intent, for that account, which is in a transaction of that hash.
    fn asked(folder: &Path, account: Account, hash: Digest) -> Desk {
        let desk = desk(&folder.join("journal"));
        let waiting = Waiting {
            intent: Digest([6; 32]),
            account,
            call: opensky_protocol::ledger::Call::Withdraw,
            sent: Some(Sent {
                signer: OWN,
                nonce: 0,
                hash,
                bytes: Vec::new(),
                born: 1,
                dies: 64,
            }),
            past: Vec::new(),
        };
        desk.0.lock().memory.queue.0.insert(0, waiting);
        desk
    }

    fn news(desk: &Desk, deed: Deed) -> Vec<News> {
        let deeds = vec![deed];
        desk.news(Scan { time: 9, deeds })
    }

    #[test]
    fn escrow_of_the_name_of_a_transaction_decides_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let hash = Digest([5; 32]);
        let desk = asked(folder.path(), OWN.into(), hash);
        let by_itself = Deed {
            about: Some(hash),
            ..Deed::default()
        };
        let signed = Deed {
            transaction: Some(hash),
            ..Deed::default()
        };
        assert!(news(&desk, by_itself).is_empty());
        assert_eq!(news(&desk, signed)[0].decides, Some(0));
    }

    #[test]
    fn of_what_others_did_only_ones_own_affairs_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let desk = desk(&folder.path().join("journal"));
        let stranger = Account([2; 32]);
        let moved = |to| Fact::Transferred {
            from: stranger,
            to,
            amount: 1,
        };
        let deed = |facts| Deed {
            transaction: Some(Digest([5; 32])),
            fee: Some((stranger, 7)),
            facts,
            ..Deed::default()
        };
        assert!(news(&desk, deed(vec![moved(stranger)])).is_empty());
        let told = news(&desk, deed(vec![moved(stranger), moved(OWN.into())]));
        let facts = vec![moved(OWN.into())];
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].event.status, Status::Final { fee: 7, facts });
    }

    #[test]
    fn fee_of_a_node_that_signs_for_another_account_is_told_as_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let hash = Digest([5; 32]);
        let (signer, other) = (OWN.into(), Account([2; 32]));
        let desk = asked(folder.path(), other, hash);
        for failed in [None, Some(Rejection::Phase)] {
            let deed = Deed {
                transaction: Some(hash),
                fee: Some((signer, 7)),
                failed,
                ..Deed::default()
            };
            let [of_the_other, own] = &news(&desk, deed)[..] else {
                panic!("each is told");
            };
            let facts = Vec::new();
            let told = |fee| match failed {
                None => Status::Final {
                    fee,
                    facts: facts.clone(),
                },
                Some(reason) => Status::Rejected { fee, reason },
            };
            assert_eq!(of_the_other.event.account, other);
            assert_eq!(of_the_other.event.status, told(0));
            assert_eq!(of_the_other.decides, Some(0));
            assert_eq!((own.event.account, own.decides), (signer, None));
            assert_eq!(own.event.status, told(7));
        }
    }
}
