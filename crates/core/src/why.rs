//! Why a job waits: node by node, what is in the way.

use std::collections::BTreeMap;

use opensky_protocol::{Account, Digest, NodeKey};

use crate::{
    broker::Broker,
    event::Submission,
    job::Job,
    market::{Listing, Market},
    need::{Need, Run, Unfit},
    participant::Participant,
    time::Time,
};

/// What is in the way of a job's next seat.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Why {
    /// Units that want seats, begun or not, as far as their inputs are known.
    pub waiting: u64,
    /// The unit that this is about, if one was begun: its place in the plan.
    pub unit: Option<u32>,
    /// What is neither spent nor promised of the job's money, and what one seat can cost at the job's
    /// cap.
    pub money: (u128, u128),
    /// Every node that offers.
    pub nodes: Vec<NodeWhy>,
    /// Turns at it whose nodes do not answer.
    pub silent: Vec<SilentTurn>,
}

/// A turn whose node does not answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SilentTurn {
    /// Its unit's place in the plan.
    pub index: u32,
    /// Its place among the unit's turns.
    pub attempt: u32,
    /// Who has it.
    pub node: NodeKey,
    /// For how long nothing was heard of that node since it was asked something.
    pub seconds: u64,
}

/// What is in the way of one node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeWhy {
    /// Which.
    pub node: NodeKey,
    /// Whose.
    pub operator: Account,
    /// Nothing, or this.
    pub unfit: Option<Unfit>,
}

impl NodeWhy {
    /// How many nodes each reason keeps away; of those that lack memory, disk or trust, what the largest
    /// has.
    pub fn summary(nodes: &[Self]) -> Vec<(Unfit, usize)> {
        let mut reasons: BTreeMap<u8, (Unfit, usize)> = BTreeMap::new();
        for unfit in nodes.iter().filter_map(|node| node.unfit.clone()) {
            let (worst, count) = reasons.entry(rank(&unfit)).or_insert((unfit.clone(), 0));
            *count += 1;
            *worst = worst.clone().max(unfit);
        }
        reasons.into_values().collect()
    }
}

fn rank(unfit: &Unfit) -> u8 {
    match unfit {
        Unfit::Ledger => 0,
        Unfit::Profile => 1,
        Unfit::Memory { .. } => 2,
        Unfit::Disk { .. } => 3,
        Unfit::Credit { .. } => 4,
        Unfit::Price => 5,
        Unfit::Label(_) => 6,
        Unfit::Own => 7,
        Unfit::Excluded => 8,
        Unfit::Seated => 9,
        Unfit::Silent { .. } => 10,
        Unfit::Lacked => 11,
        Unfit::Busy => 12,
        Unfit::Refused(why) => 13 + *why as u8,
    }
}

impl Participant {
    /// Why an own job waits, as of `now`. `None` if there is no such job.
    pub fn why(&self, id: &Digest, now: Time) -> Option<Why> {
        let broker = self.broker();
        let job = broker.jobs.get(id)?;
        let first = job.lacking.first().copied();
        let unit = first.and_then(|index| job.units.get(&index));
        let (seated, input) =
            unit.map_or_else(Default::default, |unit| (unit.seated(), unit.input_len));
        let run = job.run(input);
        let look = |listing: &Listing| -> Result<(), Unfit> {
            broker.market.fits(&job.need, &run, listing)?;
            if seated.contains(&listing.offer.operator) {
                return Err(Unfit::Seated);
            }
            match (Market::load(listing, now), listing.silent_for(now)) {
                (None, _) => Ok(()),
                (Some(_), Some(seconds)) => Err(Unfit::Silent { seconds }),
                (Some(unfit), None) => Err(unfit),
            }
        };
        let waiting = job.lacking.len() as u64 + u64::from(job.fresh().is_some());
        Some(Why {
            waiting,
            unit: first,
            money: (job.left(), run.worst(&job.order.price)),
            nodes: broker.each_node(look),
            silent: self.silent_turns(job, now),
        })
    }

    fn silent_turns(&self, job: &Job, now: Time) -> Vec<SilentTurn> {
        let market = &self.broker().market;
        let turns = job.units.iter().flat_map(|(index, unit)| {
            let seats = (0..).zip(&unit.seats);
            seats.map(|(attempt, seat)| (*index, attempt, seat))
        });
        let live = turns.filter(|(_, _, seat)| seat.is_live());
        let silent = live.filter_map(|(index, attempt, seat)| {
            let seconds = market.listing(&seat.node)?.silent_for(now)?;
            Some(SilentTurn {
                index,
                attempt,
                node: seat.node,
                seconds,
            })
        });
        silent.collect()
    }

    /// What is in the way of a job like that, node by node, whatever the load of each: of the largest of
    /// its units, as far as they are known.
    pub fn lacks(&self, order: &Submission) -> Vec<NodeWhy> {
        let broker = self.broker();
        let (need, run) = (Need::of(order), Run::of(order, order.largest_input()));
        broker.each_node(|listing| broker.market.fits(&need, &run, listing))
    }
}

impl Broker {
    fn each_node(&self, look: impl Fn(&Listing) -> Result<(), Unfit>) -> Vec<NodeWhy> {
        let nodes = self.market.listings().map(|(node, listing)| NodeWhy {
            node: *node,
            operator: listing.offer.operator,
            unfit: look(listing).err(),
        });
        nodes.collect()
    }
}
