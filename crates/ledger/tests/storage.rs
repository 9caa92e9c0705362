//! A disk that fails at any write, and then holds any part of what was not synchronised: what the
//! ledger has answered to is there, what it has not is there whole or not at all.
#![allow(clippy::unwrap_used)] // a scene that cannot be set fails the test

mod world;

use std::{
    fs, io,
    sync::{Arc, LazyLock, Mutex},
};

use opensky_ledger::{Conduct, Ledger, LedgerError};
use opensky_protocol::{
    Signed,
    ledger::{Call, Genesis, Intent, LedgerReply, LedgerRequest, Status},
};
use redb::StorageBackend;
use world::{Job, MINUTE, Party, genesis, terms};

/// Bytes that were synchronised, and the writes since.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    durable: Vec<u8>,
    current: Vec<u8>,
    since: Vec<Write>,
    /// How many operations go well yet.
    good: u64,
    done: u64,
    syncs: u64,
}

#[derive(Clone, Debug)]
enum Write {
    Len(u64),
    Bytes(u64, Vec<u8>),
}

fn put(image: &mut Vec<u8>, write: &Write) {
    match write {
        Write::Len(len) => image.resize(*len as usize, 0),
        Write::Bytes(offset, bytes) => {
            let (start, end) = (*offset as usize, *offset as usize + bytes.len());
            if image.len() < end {
                image.resize(end, 0);
            }
            image[start..end].copy_from_slice(bytes);
        }
    }
}

impl Disk {
    fn of(image: Vec<u8>, good: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            durable: image.clone(),
            current: image,
            good,
            ..State::default()
        })))
    }

    fn done(&self) -> u64 {
        self.0.lock().unwrap().done
    }

    /// What a machine may find after it has lost its power: of the writes that were not synchronised
    /// those that `keeps` says.
    fn after_a_crash(&self, keeps: impl Fn(usize) -> bool) -> Vec<u8> {
        let state = self.0.lock().unwrap();
        let mut image = state.durable.clone();
        for (index, write) in state.since.iter().enumerate() {
            if keeps(index) {
                put(&mut image, write);
            }
        }
        image
    }

    fn step(&self) -> io::Result<std::sync::MutexGuard<'_, State>> {
        let mut state = self.0.lock().unwrap();
        if state.done >= state.good {
            return Err(io::Error::other("the disk is gone"));
        }
        state.done += 1;
        Ok(state)
    }

    fn write_down(&self, write: Write) -> io::Result<()> {
        let mut state = self.step()?;
        put(&mut state.current, &write);
        state.since.push(write);
        Ok(())
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.0.lock().unwrap();
        let start = offset as usize;
        out.copy_from_slice(&state.current[start..start + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.write_down(Write::Len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.step()?;
        state.syncs += 1;
        state.durable = state.current.clone();
        state.since.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.write_down(Write::Bytes(offset, data.to_vec()))
    }
}

const NOW: u64 = 1_800_000_000_000;

fn rules() -> Genesis {
    let [ada, bob, judge] = [1, 2, 5].map(Party::new);
    let mut terms = terms(&judge);
    terms.fee = 1;
    genesis(terms, &[(&ada, 5_000), (&bob, 500), (&judge, 500)])
}

/// Half of the intents wait for a while, so that a crash finds some in the queue.
fn conduct() -> Conduct {
    Conduct {
        delay: 40,
        ..Conduct::default()
    }
}

type Story = Vec<(u64, Vec<Signed<Intent>>)>;

/// It is signed once.
fn story() -> Story {
    static STORY: LazyLock<Story> = LazyLock::new(write_story);
    STORY.clone()
}

/// A whole job, with vouchers and evidence, in batches at their times.
fn write_story() -> Story {
    let ledger = rules().id();
    let [ada, bob] = [1, 2].map(Party::new);
    let job = Job::new(ledger, 1, &ada);
    let mut nonces = [0, 0];
    let mut say = |who: usize, call| {
        let party = [&ada, &bob][who];
        let nonce = nonces[who];
        nonces[who] += 1;
        party.sign(party.intent(ledger, nonce, call))
    };
    let escrow = job.escrow;
    let to = bob.account();
    let evidence = [5, 6].map(|unit| job.evidence(&bob, unit, 0, 1));
    let late = 21 * MINUTE;
    vec![
        (
            0,
            vec![
                say(0, job.open(300, NOW + MINUTE)),
                say(1, Call::Bond { amount: 200 }),
            ],
        ),
        (10, vec![say(1, job.claim(&bob, 2))]),
        (
            20,
            vec![
                say(0, Call::Transfer { to, amount: 3 }),
                say(1, job.claim(&bob, 4)),
            ],
        ),
        (
            100,
            vec![
                say(0, Call::Close { escrow }),
                say(1, Call::Unbond { amount: 50 }),
            ],
        ),
        (200, vec![say(1, job.show(&bob, 4, evidence.to_vec()))]),
        (late, vec![]),
    ]
}

/// Plays the story from the start, or goes on with it: what was accepted before is so again. Returns
/// how many batches were answered to.
fn play(ledger: &mut Ledger) -> Result<usize, LedgerError> {
    let mut answered = 0;
    for (at, intents) in story() {
        ledger.advance(NOW + at)?;
        for done in ledger.submit(intents, NOW + at)? {
            done.unwrap();
        }
        answered += 1;
    }
    Ok(answered)
}

/// All that the story leaves behind: who has what, and which intents went through.
fn ending(ledger: &Ledger) -> Vec<String> {
    let books = ledger.books().unwrap();
    books.check().unwrap();
    let [ada, bob] = [1, 2].map(|number| Party::new(number).account());
    let mut all = vec![
        format!("{:?}", books.treasury()),
        format!("{:?}", books.account(&ada)),
        format!("{:?}", books.account(&bob)),
        format!("{:?}", books.escrow(&opensky_protocol::Digest([1; 32]))),
    ];
    for (_, intents) in story() {
        for intent in intents {
            let event = ledger.status(&intent.value.id()).unwrap().unwrap();
            assert!(matches!(event.status, Status::Final { .. }), "{event:?}");
            all.push(format!("{:?}", event.status));
        }
    }
    all
}

/// Finds what was answered, whole, and goes on to the same end.
fn recovers(image: Vec<u8>, answered: usize, expected: &[String]) {
    let disk = Disk::of(image, u64::MAX);
    let mut ledger = Ledger::with_backend(disk, rules(), conduct()).unwrap();
    ledger.books().unwrap().check().unwrap();
    let known = story().into_iter().take(answered);
    for intent in known.flat_map(|(_, intents)| intents) {
        let status = ledger.status(&intent.value.id()).unwrap();
        assert!(status.is_some(), "what was answered is there");
    }
    let events = ledger.events(0, 1_000).unwrap();
    for (at, event) in events.iter().enumerate() {
        assert_eq!(event.sequence, at as u64 + 1);
    }
    play(&mut ledger).unwrap();
    assert_eq!(ending(&ledger), expected);
}

#[test]
fn intents_that_come_together_wait_for_the_disk_together() {
    let disk = Disk::of(Vec::new(), u64::MAX);
    let mut ledger = Ledger::with_backend(disk.clone(), rules(), Conduct::default()).unwrap();
    let ada = Party::new(1);
    let to = Party::new(2).account();
    let mut next = 0..;
    let mut syncs_of = |requests: usize, each: usize| {
        let before = disk.0.lock().unwrap().syncs;
        let mut intent = || {
            let call = Call::Transfer { to, amount: 1 };
            ada.sign(ada.intent(rules().id(), next.next().unwrap(), call))
        };
        let mut request = || LedgerRequest::Submit((0..each).map(|_| intent()).collect());
        let requests = (0..requests).map(|_| request()).collect();
        for reply in ledger.serve_all(requests, NOW) {
            let LedgerReply::Submitted(done) = reply else {
                panic!("{reply:?}");
            };
            assert!(done.len() == each && done.iter().all(Result::is_ok));
        }
        disk.0.lock().unwrap().syncs - before
    };
    assert!(syncs_of(1, 1) > 0);
    // A file that grows is synchronised once more.
    assert!(syncs_of(1, 64) <= 3);
    assert!(syncs_of(20, 30) <= 3);
}

#[test]
fn whatever_a_failing_disk_keeps_the_story_ends_the_same() {
    let disk = Disk::of(Vec::new(), u64::MAX);
    let mut ledger = Ledger::with_backend(disk.clone(), rules(), conduct()).unwrap();
    // How a file begins is another story: it has no name yet, so what is left of it is nothing.
    let (begun, image) = (disk.done(), disk.after_a_crash(|_| true));
    play(&mut ledger).unwrap();
    let expected = ending(&ledger);
    let end = disk.done();
    drop(ledger);
    assert!(end - begun > 20, "{begun} to {end}");
    for good in 0..end - begun {
        let disk = Disk::of(image.clone(), good);
        let mut answered = 0;
        if let Ok(mut ledger) = Ledger::with_backend(disk.clone(), rules(), conduct()) {
            for (at, intents) in story() {
                let done = ledger.advance(NOW + at);
                if done
                    .and_then(|()| ledger.submit(intents, NOW + at))
                    .is_err()
                {
                    break;
                }
                answered += 1;
            }
            assert!(answered < story().len());
            // Nothing is said any more by a ledger that does not know what is on its disk.
            assert!(matches!(ledger.books(), Err(LedgerError::Failed)));
            assert!(ledger.failure().is_some());
            assert!(ledger.submit(Vec::new(), NOW).is_err());
        }
        let none_or_all = good % 2 == 0;
        recovers(disk.after_a_crash(|_| none_or_all), answered, &expected);
        let some = |index: usize| (index + good as usize).is_multiple_of(2);
        recovers(disk.after_a_crash(some), answered, &expected);
    }
}

#[test]
fn file_that_is_damaged_or_cut_short_is_named_with_what_can_be_done() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    let ada = Party::new(1);
    let open = || {
        let genesis = genesis(terms(&ada), &[(&ada, 1_000)]);
        Ledger::open(&path, genesis, Conduct::default())
    };
    drop(open().unwrap());
    let whole = fs::read(&path).unwrap();
    let lengths = (0..whole.len()).step_by(4096 * 7 + 1);
    let cut = lengths.map(|len| whole[..len].to_vec());
    for bytes in cut.chain([[&[0; 64], &whole[64..]].concat()]) {
        let len = bytes.len();
        fs::write(&path, bytes).unwrap();
        let said = open().expect_err("it does not open").to_string();
        let named = path.display().to_string();
        assert!(
            said.contains(&named) && said.contains("put back a copy"),
            "{len}: {said}"
        );
    }
    fs::write(&path, whole).unwrap();
    open().unwrap();
}
