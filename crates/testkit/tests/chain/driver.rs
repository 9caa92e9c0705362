//! What a scenario needs of a ledger, from the adapter on a chain of its own: the scenarios are those of every ledger.

use std::collections::BTreeMap;

use opensky_protocol::{
    Account, Digest, NodeKey,
    ledger::{
        AccountState, Call, Escrow, Fact, LedgerReply, LedgerRequest, Rejection, Status, Terms,
    },
};
use tempfile::TempDir;

use crate::{
    chain::{self, Chain},
    member::Member,
    world::{FAUCET, Party, terms},
};

/// Who is in every scenario.
pub struct Cast {
    pub ada: Party,
    pub bob: Party,
    pub cyd: Party,
    pub dan: Party,
    pub judge: Party,
}

/// What each of the cast begins with, and each node that signs for another: as much as the faucet gives at once.
pub const START: u128 = FAUCET;
/// How long one turn of the chain's agenda lasts, in milliseconds: what is due is done with the next.
const TURN: u64 = 6_000;
/// Turns that a block has room for in any case, where nothing is due in them.
const TURNS: u64 = 500;

/// Plays a scenario on a chain that makes a block for each transaction.
pub fn on_each(scenario: fn(&mut Driver, &Cast)) {
    let cast = Cast {
        ada: Party::new(1),
        bob: Party::new(2),
        cyd: Party::new(3),
        dan: Party::new(4),
        judge: Party::new(5),
    };
    let mut driver = Driver::new(&cast);
    scenario(&mut driver, &cast);
    driver.check(&cast);
}

/// The chain, and everybody on it.
pub struct Driver {
    chain: Chain,
    folder: TempDir,
    members: BTreeMap<NodeKey, Member>,
    /// What each account has paid for being served, as it was told.
    fees: BTreeMap<Account, u128>,
}

impl Driver {
    fn new(cast: &Cast) -> Self {
        let terms = Terms {
            existential: chain::terms().existential,
            ..terms(&cast.judge)
        };
        let mut driver = Self {
            chain: Chain::with_terms("instant", terms),
            folder: tempfile::tempdir().unwrap(),
            members: BTreeMap::new(),
            fees: BTreeMap::new(),
        };
        for party in [&cast.ada, &cast.bob, &cast.cyd, &cast.dan, &cast.judge] {
            driver.fund(party);
        }
        driver
    }

    pub fn id(&self) -> Digest {
        self.anybody().ledger
    }

    /// When the last block was made.
    pub fn now(&self) -> u64 {
        self.anybody().status().finalized.unwrap().at
    }

    /// Lets time pass, and the chain do what is due then. The system's clock goes on, too.
    pub fn pass(&mut self, time: u64) {
        let now = self.now();
        let then = (now + time).next_multiple_of(TURN);
        self.chain.pass(then - now);
        for _ in 0..2 + time / (TURNS * TURN) {
            self.chain.seal();
        }
        assert!(self.now() >= then);
    }

    /// Asks for an account and waits for what becomes of it.
    pub fn ask(&mut self, party: &Party, call: Call) -> Result<Vec<Fact>, Rejection> {
        self.ask_by(party, party.account(), call)
    }

    /// The same for the account whose node the party is. On a chain whoever signs pays the fee.
    pub fn ask_by(
        &mut self,
        signer: &Party,
        account: Account,
        call: Call,
    ) -> Result<Vec<Fact>, Rejection> {
        if signer.account() != account && !self.members.contains_key(&signer.node()) {
            self.fund(signer);
        }
        let member = self.member(signer);
        let intents = member.intents_for(account, [call]);
        let intent = member.submit(intents)[0].unwrap();
        let (fee, done) = match member.decided(intent).status {
            Status::Final { fee, facts } => (fee, Ok(facts)),
            Status::Rejected { fee, reason } => (fee, Err(reason)),
            Status::Pending => panic!("it was decided"),
        };
        *self.fees.entry(account).or_default() += fee;
        done
    }

    pub fn state(&mut self, party: &Party) -> AccountState {
        self.anybody().state_of(party.account())
    }

    pub fn escrow(&mut self, id: Digest) -> Escrow {
        match self.anybody().ask(LedgerRequest::Escrow(id)) {
            Ok(LedgerReply::Escrow(Some(escrow))) => *escrow,
            other => panic!("{other:?}"),
        }
    }

    /// What the party has more, or less, than at the start: held money is its own, and fees are left out.
    pub fn gain(&mut self, party: &Party) -> i128 {
        let purse = self.state(party).purse;
        let fees = self.fees.get(&party.account()).copied().unwrap_or_default();
        (purse.free + purse.held + fees) as i128 - START as i128
    }

    pub fn gains(&mut self, cast: &Cast) -> [i128; 4] {
        [&cast.ada, &cast.bob, &cast.cyd, &cast.dan].map(|party| self.gain(party))
    }

    /// That the facts and fees which were reported tell the balances, those of nodes that sign for others, too.
    fn check(&self, cast: &Cast) {
        let height = self.chain.height();
        for party in [&cast.ada, &cast.bob, &cast.cyd, &cast.dan, &cast.judge] {
            assert!(self.members.contains_key(&party.node()));
        }
        for member in self.members.values() {
            member.waits(|member| member.has_seen(height));
            member.adds_up();
        }
    }

    fn fund(&mut self, party: &Party) {
        let member = self.member(party);
        member.call(Call::Faucet { amount: START }).unwrap();
    }

    fn member(&mut self, party: &Party) -> &Member {
        let Self { chain, folder, .. } = self;
        let member = self.members.entry(party.node());
        member.or_insert_with(|| Member::join(chain, number(party), folder.path()))
    }

    /// One who has seen the last block.
    fn anybody(&self) -> &Member {
        let member = self.members.values().next().unwrap();
        let height = self.chain.height();
        member.waits(|member| member.has_seen(height));
        member
    }
}

/// The number that a party was made of.
fn number(party: &Party) -> u8 {
    let mut numbers = 0..=u8::MAX;
    numbers
        .find(|number| Party::new(*number).node() == party.node())
        .unwrap()
}
