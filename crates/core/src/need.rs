//! What a job needs of a provider, and why an offer does not do.

use std::collections::{BTreeMap, BTreeSet};

use opensky_protocol::{Digest, Limits, Offer, PriceTerms, Profile, Refusal, codec};
use parity_scale_codec::Encode;

use crate::{event::Submission, room::Room};

/// What a provider has to have for any unit of a job.
#[derive(Clone, PartialEq, Eq, Debug, Encode)]
pub struct Need {
    /// The rules of execution.
    pub profile: Profile,
    /// Bytes that one unit may use.
    pub memory: u64,
    /// The cap of each price.
    pub price: PriceTerms,
    /// Labels, each with one of these values.
    pub require: BTreeMap<String, BTreeSet<String>>,
}

/// Why an offer does not do.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, thiserror::Error)]
pub enum Unfit {
    /// It settles elsewhere.
    #[error("it settles on another ledger")]
    Ledger,
    /// It does not know the profile.
    #[error("it does not know the profile")]
    Profile,
    /// It has less memory than one unit and its inputs may use.
    #[error("it has {has} bytes of memory, and a unit may use {needs}")]
    Memory {
        /// Bytes.
        has: u64,
        /// Bytes.
        needs: u64,
    },
    /// It has less disk than the unit's inputs and outputs may take.
    #[error("it has {has} bytes of disk, and a unit may take {needs}")]
    Disk {
        /// Bytes.
        has: u64,
        /// Bytes.
        needs: u64,
    },
    /// It lets a requester owe less than one unit can cost.
    #[error("it lets a requester owe {has}, and a unit may cost {needs}")]
    Credit {
        /// Coins.
        has: u128,
        /// Coins.
        needs: u128,
    },
    /// It asks more than the job gives.
    #[error("it asks more than the price cap")]
    Price,
    /// A label that is required is not there, or has another value.
    #[error("its label `{0}` is not what is required")]
    Label(String),
    /// It is the requester's own.
    #[error("it is the requester's own")]
    Own,
    /// Its operator has a seat in the unit already.
    #[error("its operator had a turn at it")]
    Seated,
    /// Its operator was caught with wrong results.
    #[error("its operator was caught with a wrong result")]
    Excluded,
    /// It has as many units as it takes.
    #[error("it is busy")]
    Busy,
    /// It was asked, and nothing was heard of it since.
    #[error("it has not answered for {seconds} s")]
    Silent {
        /// For so long.
        seconds: u64,
    },
    /// It could not get what a unit takes in.
    #[error("it could not get an input")]
    Lacked,
    /// It did not take the last unit that it was asked for.
    #[error("it refused: {0}")]
    Refused(Refusal),
}

impl From<Refusal> for Unfit {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Busy => Self::Busy,
            other => Self::Refused(other),
        }
    }
}

impl Need {
    pub(crate) fn of(order: &Submission) -> Self {
        Self {
            profile: order.plan.profile().clone(),
            memory: order.plan.limits().memory,
            price: order.price,
            require: order.require.clone(),
        }
    }

    pub(crate) fn id(&self) -> Digest {
        Digest::of(&codec::encode(self))
    }

    /// Whether that offer does, apart from what changes by the hour.
    pub(crate) fn fits(&self, offer: &Offer, ledger: &Digest) -> Result<(), Unfit> {
        let expect = |holds: bool, unfit: Unfit| holds.then_some(()).ok_or(unfit);
        expect(offer.ledger == *ledger, Unfit::Ledger)?;
        expect(offer.profiles.contains(&self.profile), Unfit::Profile)?;
        let memory = Unfit::Memory {
            has: offer.capacity.memory,
            needs: self.memory,
        };
        expect(offer.capacity.memory >= self.memory, memory)?;
        expect(offer.ask.is_within(&self.price), Unfit::Price)?;
        let lacking = self.require.iter().find(|(name, values)| {
            let has = offer.labels.get(*name);
            !has.is_some_and(|has| values.contains(has))
        });
        match lacking {
            Some((name, _)) => Err(Unfit::Label(name.clone())),
            None => Ok(()),
        }
    }
}

/// What one run of a unit needs of a provider, beyond what all of the job's units do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) limits: Limits,
    /// Bytes of all inputs together.
    pub(crate) input_len: u64,
    /// The cap of each price.
    pub(crate) cap: PriceTerms,
}

impl Run {
    /// Of a job's units, one whose inputs have so many bytes together.
    pub(crate) fn of(order: &Submission, input_len: u64) -> Self {
        Self {
            limits: *order.plan.limits(),
            input_len,
            cap: order.price,
        }
    }

    /// The most that it may cost where so much is asked.
    pub(crate) fn worst(&self, ask: &PriceTerms) -> u128 {
        let ask = ask.capped(&self.cap);
        ask.worst_case(&self.limits, self.input_len)
    }

    /// Whether an offer is large enough for it, of somebody who was `paid` so much.
    pub(crate) fn fits(&self, offer: &Offer, paid: u128) -> Result<(), Unfit> {
        let room = Room::of(&self.limits, self.input_len);
        let (has, needs) = (offer.capacity.memory, room.memory);
        if has < needs {
            return Err(Unfit::Memory { has, needs });
        }
        let (has, needs) = (offer.capacity.disk, room.disk);
        if has < needs {
            return Err(Unfit::Disk { has, needs });
        }
        let has = offer.credit.saturating_add(paid);
        let needs = self.worst(&offer.ask);
        match has < needs {
            true => Err(Unfit::Credit { has, needs }),
            false => Ok(()),
        }
    }
}
