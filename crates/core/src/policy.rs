//! The numbers that a participant goes by, each with its reason.

use core::time::Duration;

/// What a participant decides by. Two nodes may differ in any of it and still do business.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// Broker: jobs that are not over, at most. Each holds its plan and its units in memory.
    pub jobs: usize,
    /// Broker: ended jobs that are remembered, at most; the oldest go first.
    pub ended_jobs: usize,
    /// Broker: how long an ended job is remembered in any case, up to sixteen times as many: only its
    /// requester can object to what is claimed for it. Longer than ledgers take claims and objections.
    pub settling: Duration,
    /// Broker: offers that are known, at most.
    pub offers: usize,
    /// Broker: offers that are looked at for one seat. Among so many drawn at random the best is close to
    /// the best of all, and no job looks at all of a large network for each of its units.
    pub considered: usize,
    /// Broker: the best of those looked at, one of which is drawn, so that not all brokers choose
    /// the same.
    pub finalists: usize,
    /// Broker: a provider gets more units at once as long as it commits within this time of being
    /// asked. Long enough to hide a round trip, short enough that a unit is not stuck in a queue.
    pub queue_time: Duration,
    /// Broker: units at once per core of a provider, at most.
    pub depth: u32,
    /// Broker: how long a provider has to commit, on top of four times what the unit's limit of fuel takes
    /// at its measured speed.
    pub lease: Duration,
    /// Broker: and at most, whatever the fuel.
    pub longest_lease: Duration,
    /// Both: the first wait before something that nobody answered is said again. It doubles each time.
    pub first_retry: Duration,
    /// Both: the longest wait before something is said again.
    pub last_retry: Duration,
    /// Broker: how often a provider is asked the same before it counts as gone.
    pub tries: u8,
    /// Broker: how long a provider that is busy or gone is left alone at first. It doubles each time.
    pub rest: Duration,
    /// Broker: and at most.
    pub longest_rest: Duration,
    /// Broker: what a second of expected time is worth, in parts of 1,024 of a unit's price. At 256
    /// a provider that needs four seconds less may cost twice as much.
    pub second: u64,
    /// Broker: what distrust adds to a price, in parts of 1,024 of it, when nothing is known of an
    /// operator or nothing good.
    pub distrust: u64,
    /// Broker: results in a row that held before an operator's word may be enough. BOINC's rule.
    pub probation: u32,
    /// Broker: results that are audited all the same, in parts of 65,536. At a twentieth, cheating does
    /// not pay for whoever has twenty units' price to lose.
    pub audit_floor: u32,
    /// Broker: known units that are sent again beside new ones, in parts of 65,536.
    pub canaries: u32,
    /// Broker: wrong results after which an operator gets nothing more for a time. Two: in a small
    /// panel a ring can outvote an honest one once, and hardly ever the same one again.
    pub faults: u32,
    /// Broker: right results in a row after which a wrong one is forgiven, unless it was the last straw. Even
    /// an honest operator meets a ring now and then, and who lies once in ten never gets there.
    pub forgiven: u32,
    /// Broker: that time, for the first such fault. It doubles with each.
    pub exclusion: Duration,
    /// Broker: a unit gets a second turn when its first takes so many times the job's median.
    pub straggler: u32,
    /// Broker: results before the median means anything.
    pub straggler_sample: usize,
    /// Broker: before that, a unit gets a second turn when its first takes so many times the longest so
    /// far, and at least this long.
    pub impatience: Duration,
    /// Broker: how often a provider that runs something is asked whether it still does. One that died
    /// does not answer; waiting for its lease would take as long as the unit may at most.
    pub check: Duration,
    /// Broker: how long a unit whose results differ waits for more operators when there is none, before
    /// those that have spoken have to do. Longer than an offer's life: whoever is there has offered.
    pub quorum: Duration,
    /// Broker: turns of one unit, at most. Whoever is asked after so many failures will fail too.
    pub attempts: usize,
    /// Broker: units of a stepper job that its escrow is for, if nothing else bounds it.
    pub stepper_units: u64,
    /// Broker: orders in one message. A worker checks them all with two signatures.
    pub batch: usize,
    /// Both: bytes of orders in one message, at about 100 for each input.
    pub batch_bytes: usize,
    /// Worker: orders of all requesters that wait or run, per core. One requester gets half of them if it
    /// is alone, so twice the `depth` that others have.
    pub queue: u32,
    /// Worker: orders per core that are handed over to be run, as far as they fit into memory side by
    /// side. One runs; with the others whoever runs them need not wait for the next order, and can run
    /// tiny ones together.
    pub ahead: u32,
    /// Worker: turns of all requesters that are not settled, at most. Of these, too, none gets more than is
    /// left.
    pub turns: usize,
    /// Worker: of these, turns whose escrow the ledger has not shown yet, at most. They cost whoever orders
    /// them nothing.
    pub unseen: usize,
    /// Worker: time that must be left before the deadline.
    pub margin: Duration,
    /// Worker: what a requester that has paid nothing yet may owe this node. Whoever has paid may owe as
    /// much more as the ledger has paid this node from its escrows.
    ///
    /// This bounds what a requester can cost, whatever it does with its escrows: of the work that this
    /// node has ever done for one requester, no more than `max_unpaid` and what that requester has paid
    /// remains unpaid. Counted are results, also those that were let go without being looked at,
    /// vouchers and evidence until the ledger has paid them, what was run of turns that were stopped, and
    /// what runs, at the most that it can cost. A turn that can cost more than all that is not run; offers
    /// say what this is, so that nobody asks for one. Requesters are told apart by their node keys, and
    /// work that is lost with this node's own process is its own loss.
    pub max_unpaid: u128,
    /// Worker: whether orders wait until the ledger has shown the escrow that pays for them. Where it
    /// is not asked, nothing bounds what requesters may owe.
    pub escrow: Escrows,
    /// Worker: how long an offer is good.
    pub offer_life: Duration,
    /// Worker: how soon after one offer the next may come.
    pub offer_gap: Duration,
    /// Worker: what vouchers have to be worth before they are claimed at once. They are, too, when their
    /// requester owes half of what it may.
    pub claim_amount: u128,
    /// Worker: how long a voucher of less is kept before it is claimed.
    pub claim_time: Duration,
    /// Worker: how long after a job's end its requester may take to settle, before what is not paid is
    /// shown to the ledger. Long enough to ask some more times.
    pub patience: Duration,
    /// Worker: how long after a job's deadline it goes on asking for what it is owed.
    pub give_up: Duration,
    /// Worker: whether it takes to the ledger what a requester refused to pay for.
    pub contest: Contest,
    /// Worker: turns that are over and remembered, so that an order that comes late is not run again.
    pub remembered: usize,
}

/// Whether a worker looks at the escrow before it works.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Escrows {
    /// Orders wait until an event says what the escrow holds.
    Seen,
    /// The requester's word is enough: a network of friends, or a simulation without a ledger.
    Assumed,
}

/// What a worker does about results that the requester says are wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Contest {
    /// It shows them to the ledger after the deadline: it has run them itself.
    Always,
    /// It lets them go.
    Never,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            jobs: 1_024,
            ended_jobs: 256,
            settling: Duration::from_secs(30 * 60),
            offers: 10_000,
            considered: 16,
            finalists: 4,
            queue_time: Duration::from_millis(500),
            depth: 64,
            lease: Duration::from_secs(30),
            longest_lease: Duration::from_secs(3_600),
            first_retry: Duration::from_secs(1),
            last_retry: Duration::from_secs(60),
            tries: 5,
            rest: Duration::from_millis(200),
            longest_rest: Duration::from_secs(60),
            second: 256,
            distrust: 1_024,
            probation: 10,
            audit_floor: 65_536 / 20,
            canaries: 65_536 / 100,
            faults: 2,
            forgiven: 256,
            exclusion: Duration::from_secs(24 * 3_600),
            straggler: 3,
            straggler_sample: 5,
            impatience: Duration::from_secs(5),
            check: Duration::from_secs(15),
            quorum: Duration::from_secs(120),
            attempts: 64,
            stepper_units: 64,
            batch: 64,
            batch_bytes: 2 << 20,
            queue: 128,
            ahead: 1,
            turns: 131_072,
            unseen: 4_096,
            margin: Duration::from_secs(1),
            max_unpaid: 1_000_000_000,
            escrow: Escrows::Seen,
            offer_life: Duration::from_secs(60),
            offer_gap: Duration::from_millis(500),
            claim_amount: u128::MAX,
            claim_time: Duration::from_secs(300),
            patience: Duration::from_secs(120),
            give_up: Duration::from_secs(24 * 3_600),
            contest: Contest::Always,
            remembered: 65_536,
        }
    }
}
