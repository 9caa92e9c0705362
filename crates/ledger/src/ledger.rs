//! Books in a file, and the one who keeps them.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    io::ErrorKind,
    path::{self, Path},
};

use opensky_protocol::{
    Account, Digest, Signed,
    ledger::{Event, Genesis, Intent, LedgerReply, LedgerRequest, Refused, Rejection, Status},
};
use parity_scale_codec::Encode;
use redb::{Database, ReadableDatabase, StorageBackend};

use crate::{
    Conduct,
    books::{Books, Upkeep},
    error::LedgerError,
    tables::{self, Loaded, Waiting, Writer},
};

/// The embedded ledger. What a method has returned is durable; a process that is killed in the middle
/// of one leaves the file as it was before, or after. One process has the file at a time.
///
/// The time is an argument, in Unix milliseconds. An earlier one than before counts as the one before.
pub struct Ledger {
    database: Database,
    conduct: Conduct,
    books: Books,
    /// What was accepted and is not decided, by its order.
    waiting: BTreeMap<u64, Waiting>,
    /// How many of these each account has.
    waiting_of: BTreeMap<Account, usize>,
    waiting_bytes: usize,
    clock: u64,
    last_event: u64,
    last_order: u64,
    /// Why a transaction failed: memory may say something else than the file.
    failed: Option<String>,
}

impl Ledger {
    /// Opens the ledger in the file at `path`, or begins it there. The folder is there already.
    ///
    /// # Errors
    /// [`LedgerError`]; among others if the file is another ledger's, or another process has it.
    pub fn open(path: &Path, genesis: Genesis, conduct: Conduct) -> Result<Self, LedgerError> {
        if !path.try_exists()? {
            begin(path, &genesis)?;
        }
        let open = || Self::load(Database::open(path)?, genesis, conduct);
        open().map_err(|error| error.in_file(path))
    }

    /// The same with its bytes elsewhere, for tests.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn with_backend(
        backend: impl StorageBackend,
        genesis: Genesis,
        conduct: Conduct,
    ) -> Result<Self, LedgerError> {
        let database = Database::builder().create_with_backend(backend)?;
        Self::load(database, genesis, conduct)
    }

    fn load(database: Database, genesis: Genesis, conduct: Conduct) -> Result<Self, LedgerError> {
        genesis.check()?;
        let txn = database.begin_write()?;
        let Loaded {
            books,
            waiting,
            clock,
            last_event,
        } = tables::load(&txn, genesis)?;
        txn.commit()?;
        let mut waiting_of = BTreeMap::new();
        let mut waiting_bytes = 0;
        for Waiting { intent, .. } in waiting.values() {
            *waiting_of.entry(intent.account).or_default() += 1;
            waiting_bytes += intent.encoded_size();
        }
        Ok(Self {
            database,
            conduct,
            books,
            last_order: waiting.last_key_value().map_or(0, |(order, _)| *order),
            waiting,
            waiting_of,
            waiting_bytes,
            clock,
            last_event,
            failed: None,
        })
    }

    /// The books as they are now.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] after another error.
    pub fn books(&self) -> Result<&Books, LedgerError> {
        match self.failed {
            Some(_) => Err(LedgerError::Failed),
            None => Ok(&self.books),
        }
    }

    /// What went wrong, if something did: then the ledger has to be opened again.
    pub fn failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// Takes intents on, in this order, all in one transaction. Each gets its name, by which events
    /// tell what becomes of it, or the reason why it was not taken on. One that was taken on before is
    /// not taken on again, and gets its name too.
    ///
    /// # Errors
    /// [`LedgerError`]: nothing is known about any of them until the ledger is opened again.
    pub fn submit(
        &mut self,
        intents: Vec<Signed<Intent>>,
        now: u64,
    ) -> Result<Vec<Result<Digest, Refused>>, LedgerError> {
        // Signatures take the longest, and need no transaction.
        let id = self.books.id();
        let checked: Vec<_> = intents
            .into_iter()
            .map(|intent| sound(intent, &id))
            .collect();
        self.transact(now, |ledger, writer| {
            let accept = |intent| match intent {
                Ok(intent) => ledger.accept(intent, writer),
                Err(refused) => Ok(Err(refused)),
            };
            checked.into_iter().map(accept).collect()
        })
    }

    /// Decides what is due, and settles and gives back what nobody disputes any more.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn advance(&mut self, now: u64) -> Result<(), LedgerError> {
        match self.next_due() {
            Some(due) if due <= now.max(self.clock) => self.transact(now, |_, _| Ok(())),
            _ => Ok(()),
        }
    }

    /// When [`advance`](Self::advance) has something to do next.
    pub fn next_due(&self) -> Option<u64> {
        let waiting = self.waiting.first_key_value();
        let waiting = waiting.map(|(_, first)| first.due);
        waiting.into_iter().chain(self.books.next_timer()).min()
    }

    /// What happened after the event of that sequence number: at most `limit` events, fewer if they
    /// are long, none only if there are none.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn events(&self, after: u64, limit: usize) -> Result<Vec<Event>, LedgerError> {
        self.books()?;
        tables::events_after(&self.database.begin_read()?, after, limit)
    }

    /// The newest events that moved an account's money, before that sequence number, the newest first.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn history(
        &self,
        account: &Account,
        before: u64,
        limit: usize,
    ) -> Result<Vec<Event>, LedgerError> {
        self.books()?;
        tables::history(&self.database.begin_read()?, account, before, limit)
    }

    /// The newest event of an intent.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn status(&self, intent: &Digest) -> Result<Option<Event>, LedgerError> {
        self.books()?;
        tables::status(&self.database.begin_read()?, intent)
    }
}

/// Begins a ledger under another name first: a file that has its own holds a whole one, though the
/// process be killed here.
fn begin(path: &Path, genesis: &Genesis) -> Result<(), LedgerError> {
    let new = path.with_added_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    drop(Ledger::load(
        tables::create(&new)?,
        genesis.clone(),
        Conduct::default(),
    )?);
    fs::rename(&new, path)?;
    let folder = path::absolute(path)?;
    let folder = folder.parent().unwrap_or(path);
    Ok(File::open(folder)?.sync_all()?)
}

/// What others ask over the network.
impl Ledger {
    /// Answers one request.
    pub fn serve(&mut self, request: LedgerRequest, now: u64) -> LedgerReply {
        let mut replies = self.serve_all([request].into(), now);
        replies.pop().unwrap_or(LedgerReply::Unavailable)
    }

    /// Answers many requests. First comes all that they submit, in their order and in one
    /// transaction, then what they ask. When this returns, what is answered is durable.
    pub fn serve_all(&mut self, requests: Vec<LedgerRequest>, now: u64) -> Vec<LedgerReply> {
        let lists = requests.iter().filter_map(submitted);
        let intents: Vec<_> = lists.flatten().cloned().collect();
        let done = match intents.is_empty() {
            true => self.advance(now).map(|()| Vec::new()),
            false => self.submit(intents, now),
        };
        let mut done = done.map(Vec::into_iter);
        let mut reply = |request| match (submitted(&request), &mut done) {
            (_, Err(_)) => LedgerReply::Unavailable,
            (Some(list), Ok(done)) => LedgerReply::Submitted(done.take(list.len()).collect()),
            (None, Ok(_)) => self.answer(request).unwrap_or(LedgerReply::Unavailable),
        };
        let mut replies = Vec::with_capacity(requests.len());
        for request in requests {
            replies.push(reply(request));
        }
        replies
    }

    fn answer(&self, request: LedgerRequest) -> Result<LedgerReply, LedgerError> {
        const MOST: usize = LedgerRequest::MAX_EVENTS as usize;
        let books = self.books()?;
        let most = |limit: u32| (limit as usize).min(MOST);
        Ok(match request {
            LedgerRequest::Genesis => LedgerReply::Genesis(Box::new(books.genesis().clone())),
            LedgerRequest::Submit(_) => LedgerReply::Unavailable,
            LedgerRequest::Events { after, limit } => {
                LedgerReply::Events(self.events(after, most(limit))?)
            }
            LedgerRequest::History {
                account,
                before,
                limit,
            } => LedgerReply::Events(self.history(&account, before, most(limit))?),
            LedgerRequest::Status(intent) => {
                LedgerReply::Status(self.status(&intent)?.map(Box::new))
            }
            LedgerRequest::Account(account) => {
                LedgerReply::Account(Box::new(books.account(&account)))
            }
            LedgerRequest::Nonce(signer) => LedgerReply::Nonce(books.nonce(&signer)),
            LedgerRequest::Node(node) => LedgerReply::Node(books.node(&node)),
            LedgerRequest::Nodes(operator) => LedgerReply::Nodes(books.nodes(&operator, MOST)),
            LedgerRequest::Escrow(id) => LedgerReply::Escrow(books.escrow(&id).map(Box::new)),
            LedgerRequest::Tab { escrow, operator } => {
                LedgerReply::Tab(books.tab(&escrow, &operator))
            }
            LedgerRequest::Case { escrow, unit } => {
                LedgerReply::Case(books.case(&escrow, &unit).map(Box::new))
            }
            LedgerRequest::Cases { escrow, after } => {
                LedgerReply::Cases(books.cases(&escrow, after, MOST))
            }
        })
    }
}

/// What a request submits: as much as may be submitted at once, the rest is not answered to.
fn submitted(request: &LedgerRequest) -> Option<&[Signed<Intent>]> {
    match request {
        LedgerRequest::Submit(intents) => {
            Some(&intents[..intents.len().min(LedgerRequest::MAX_INTENTS)])
        }
        _ => None,
    }
}

/// All that can be said about an intent without the books.
fn sound(intent: Signed<Intent>, ledger: &Digest) -> Result<Intent, Refused> {
    if intent.value.ledger != *ledger {
        return Err(Refused::Ledger);
    }
    let is_short = intent.value.encoded_size() <= Intent::MAX_BYTES;
    match is_short && intent.holds() && intent.value.call.is_sound() {
        true => Ok(intent.value),
        false => Err(Refused::Unsound),
    }
}

/// One transaction.
impl Ledger {
    fn transact<T>(
        &mut self,
        now: u64,
        work: impl FnOnce(&mut Self, &mut Writer) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        self.books()?;
        let result = self.try_transact(now, work);
        self.failed = result.as_ref().err().map(ToString::to_string);
        result
    }

    fn try_transact<T>(
        &mut self,
        now: u64,
        work: impl FnOnce(&mut Self, &mut Writer) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let txn = self.database.begin_write()?;
        let mut writer = Writer::open(&txn)?;
        self.clock = self.clock.max(now);
        writer.clock(self.clock)?;
        self.decide_due(&mut writer)?;
        let result = work(self, &mut writer)?;
        writer.books(&mut self.books)?;
        drop(writer);
        txn.commit()?;
        Ok(result)
    }

    fn accept(
        &mut self,
        intent: Intent,
        writer: &mut Writer,
    ) -> Result<Result<Digest, Refused>, LedgerError> {
        let id = intent.id();
        if let Err(refused) = self.admit(&intent) {
            return Ok(match writer.knows(&id)? {
                true => Ok(id),
                false => Err(refused),
            });
        }
        self.books.use_nonce(&intent.signer);
        *self.waiting_of.entry(intent.account).or_default() += 1;
        self.waiting_bytes += intent.encoded_size();
        self.record(self.clock, id, intent.account, Status::Pending, writer)?;
        let due = self.clock.saturating_add(self.conduct.delay);
        let waiting = Waiting { due, id, intent };
        self.last_order += 1;
        writer.wait(self.last_order, &waiting)?;
        self.waiting.insert(self.last_order, waiting);
        self.decide_due(writer)?;
        Ok(Ok(id))
    }

    fn admit(&self, intent: &Intent) -> Result<(), Refused> {
        let next = self.books.nonce(&intent.signer);
        if intent.nonce != next {
            return Err(Refused::Nonce { next });
        }
        if !self.books.may_sign(intent) {
            return Err(Refused::Unauthorised);
        }
        let bytes = self.waiting_bytes + intent.encoded_size();
        let is_alone = self.waiting.is_empty();
        let is_too_long = !is_alone && bytes > self.conduct.waiting_bytes;
        if self.waiting.len() >= self.conduct.waiting || is_too_long {
            return Err(Refused::Busy);
        }
        let waiting = self.waiting_of.get(&intent.account).copied();
        if waiting.unwrap_or_default() >= self.conduct.waiting_per_account {
            return Err(Refused::Full);
        }
        let fee = match intent.is_owners() {
            true => self.books.fee(&intent.call),
            false => 0,
        };
        let mut purse = self.books.purse(&intent.account);
        let paid = purse.withdraw(fee, self.books.terms().existential);
        paid.map_err(|_| Refused::Fee)
    }

    /// Does everything that is due, in the order of time: so it does not matter when anyone looks.
    fn decide_due(&mut self, writer: &mut Writer) -> Result<(), LedgerError> {
        loop {
            let waiting = self.waiting.first_key_value();
            let waiting = waiting.map_or(u64::MAX, |(_, first)| first.due);
            self.tend(waiting.min(self.clock), writer)?;
            if waiting > self.clock || !self.decide_first(writer)? {
                return Ok(());
            }
        }
    }

    /// What the ledger does by itself until then.
    fn tend(&mut self, until: u64, writer: &mut Writer) -> Result<(), LedgerError> {
        while let Some(upkeep) = self.books.tend(until) {
            let Upkeep {
                at,
                escrow,
                payer,
                facts,
            } = upkeep;
            self.record(at, escrow, payer, Status::Final { fee: 0, facts }, writer)?;
        }
        Ok(())
    }

    /// Decides the intent that has waited for longest. Whether there was one.
    fn decide_first(&mut self, writer: &mut Writer) -> Result<bool, LedgerError> {
        let Some((order, Waiting { due, id, intent })) = self.waiting.pop_first() else {
            return Ok(false);
        };
        let status = match self.conduct.drops(&id) {
            true => Status::Rejected {
                fee: 0,
                reason: Rejection::Dropped,
            },
            false => self.books.apply(&intent, due),
        };
        writer.decided(order)?;
        self.no_longer_waits(&intent);
        self.record(due, id, intent.account, status, writer)?;
        Ok(true)
    }

    fn no_longer_waits(&mut self, intent: &Intent) {
        self.waiting_bytes -= intent.encoded_size();
        if let Some(count) = self.waiting_of.get_mut(&intent.account) {
            *count -= 1;
            if *count == 0 {
                self.waiting_of.remove(&intent.account);
            }
        }
    }

    fn record(
        &mut self,
        at: u64,
        intent: Digest,
        account: Account,
        status: Status,
        writer: &mut Writer,
    ) -> Result<(), LedgerError> {
        self.last_event += 1;
        writer.event(&Event {
            sequence: self.last_event,
            at,
            intent,
            account,
            status,
        })
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("id", &self.books.id())
            .field("clock", &self.clock)
            .field("last_event", &self.last_event)
            .field("waiting", &self.waiting.len())
            .finish_non_exhaustive()
    }
}
