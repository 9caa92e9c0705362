//! What a job needs of a provider, and why an offer does not do.

use std::collections::{BTreeMap, BTreeSet};

use opensky_protocol::{Digest, Offer, PriceTerms, Profile, codec};
use parity_scale_codec::Encode;

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
    /// It has just refused or failed.
    #[error("it is left alone for a moment")]
    Resting,
    /// It was asked, and nothing was heard of it since.
    #[error("it has not answered for {seconds} s")]
    Silent {
        /// For so long.
        seconds: u64,
    },
}

impl Need {
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
