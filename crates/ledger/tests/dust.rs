//! Amounts too small to be an account: nobody makes rows, or loses a nonce, with them.
#![allow(clippy::unwrap_used)] // a scene that cannot be set fails the test

mod world;

use opensky_ledger::Books;
use opensky_protocol::ledger::{Call, Fact, Intent, Purse, Rejection, Status, Terms};
use world::{Job, MINUTE, Party, genesis, terms};

const NOW: u64 = 1_800_000_000_000;

struct Scene {
    books: Books,
    ada: Party,
    /// Has no account yet.
    new: Party,
}

/// An existential deposit of 25, which is two and a half units.
fn scene() -> Scene {
    let [ada, new] = [1, 9].map(Party::new);
    let terms = Terms {
        existential: 25,
        penalty: 0,
        ..terms(&ada)
    };
    Scene {
        books: Books::new(genesis(terms, &[(&ada, 1_000)])).unwrap(),
        ada,
        new,
    }
}

impl Scene {
    fn ask(&mut self, party: fn(&Self) -> &Party, call: Call) -> Result<Vec<Fact>, Rejection> {
        self.ask_at(NOW, party, call)
    }

    fn ask_at(
        &mut self,
        now: u64,
        party: fn(&Self) -> &Party,
        call: Call,
    ) -> Result<Vec<Fact>, Rejection> {
        let intent: Intent = party(self).intent(self.books.id(), 0, call);
        let status = self.books.apply(&intent, now);
        self.books.check().unwrap();
        match status {
            Status::Final { facts, .. } => Ok(facts),
            Status::Rejected { reason, .. } => Err(reason),
            Status::Pending => panic!("books decide"),
        }
    }

    fn give(&mut self, amount: u128) -> Result<Vec<Fact>, Rejection> {
        let to = self.new.account();
        self.ask(|it| &it.ada, Call::Transfer { to, amount })
    }

    fn purse(&self, party: &Party) -> Purse {
        self.books.purse(&party.account())
    }
}

#[test]
fn account_has_the_deposit_or_is_gone() {
    let mut scene = scene();
    assert_eq!(scene.give(24), Err(Rejection::Existential));
    assert_eq!(scene.give(980), Err(Rejection::Existential));
    scene.give(25).unwrap();
    let to = scene.ada.account();
    let back = |amount| Call::Transfer { to, amount };
    let dust = scene.ask(|it| &it.new, back(1));
    assert_eq!(dust, Err(Rejection::Existential));
    scene.books.use_nonce(&scene.new.node());
    scene.ask(|it| &it.new, back(25)).unwrap();
    assert!(scene.purse(&scene.new).is_empty());
    // Else an intent of before could be played again.
    assert_eq!(scene.books.nonce(&scene.new.node()), 1);
}

#[test]
fn all_of_an_account_cannot_be_held() {
    let mut scene = scene();
    let bond = |amount| Call::Bond { amount };
    let all = scene.ask(|it| &it.ada, bond(976));
    assert_eq!(all, Err(Rejection::Existential));
    scene.ask(|it| &it.ada, bond(975)).unwrap();
    assert_eq!(scene.give(25), Err(Rejection::Existential));
}

#[test]
fn newcomers_vouchers_wait_until_they_are_worth_an_account() {
    let mut scene = scene();
    let (id, ada) = (scene.books.id(), Party::new(1));
    let job = Job::new(id, 1, &ada);
    scene
        .ask(|it| &it.ada, job.open(100, NOW + MINUTE))
        .unwrap();
    let claim = |turns| job.claim(&Party::new(9), turns);
    let small = scene.ask(|it| &it.ada, claim(2));
    assert_eq!(small, Err(Rejection::Existential));
    scene.ask(|it| &it.ada, claim(3)).unwrap();
    assert_eq!(scene.purse(&scene.new).free, 30);
    scene.ask(|it| &it.ada, claim(4)).unwrap();
    assert_eq!(scene.purse(&scene.new).free, 40);
}

#[test]
fn claim_too_small_for_an_account_goes_back_to_the_payer() {
    let mut scene = scene();
    let (id, ada) = (scene.books.id(), Party::new(1));
    let job = Job::new(id, 1, &ada);
    scene
        .ask(|it| &it.ada, job.open(100, NOW + MINUTE))
        .unwrap();
    let new = Party::new(9);
    let evidence = [job.evidence(&new, 0, 0, 1)].into();
    let show = job.show(&new, 0, evidence);
    scene.ask_at(NOW + MINUTE, |it| &it.new, show).unwrap();
    let later = NOW + 21 * MINUTE;
    scene.ask_at(later, |it| &it.ada, job.settle(&[0])).unwrap();
    scene.ask_at(later, |it| &it.ada, job.refund()).unwrap();
    let all = Purse {
        free: 1_000,
        held: 0,
    };
    assert_eq!(scene.purse(&ada), all);
    assert!(scene.purse(&new).is_empty());
}
