//! A deployment: a program under a name of its publisher's, with what to run it with.

use alloc::string::String;

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};

use crate::{Digest, Limits, NodeKey, PriceTerms, Profile, Signable};

/// What a job of the program gets where nobody says otherwise.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub struct Manifest {
    /// The rules of execution.
    pub profile: Profile,
    /// What a unit may use.
    pub limits: Limits,
    /// How many operators run each unit; `None` lets the broker choose by what it knows of them.
    pub replicas: Option<u8>,
    /// The cap of each price; `None` takes the market's.
    pub price: Option<PriceTerms>,
    /// One line for people, at most 200 bytes.
    pub about: String,
}

/// A signed record `publisher/name`. The one with the highest sequence number counts.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub struct Deployment {
    /// Who publishes and signs.
    pub publisher: NodeKey,
    /// The name: 1 to 64 of `a-z`, `0-9` and `-`, not first or last.
    pub name: String,
    /// The component's digest.
    pub program: Digest,
    /// Its length in bytes.
    pub program_len: u64,
    /// Counts up with each deployment of this name.
    pub sequence: u64,
    /// Defaults of its jobs.
    pub manifest: Manifest,
}

const MAX_NAME: usize = 64;
const MAX_ABOUT: usize = 200;

impl Deployment {
    /// The record's place in the network: `H("opensky deployment id 1", publisher, name)`. It stays
    /// the same when a new version is deployed.
    pub fn id_of(publisher: &NodeKey, name: &str) -> Digest {
        Digest::derive("opensky deployment id 1", &(publisher, name))
    }

    /// See [`Deployment::id_of`].
    pub fn id(&self) -> Digest {
        Self::id_of(&self.publisher, &self.name)
    }

    /// Whether its texts are names and short enough.
    pub fn is_bounded(&self) -> bool {
        Self::is_name(&self.name) && self.manifest.about.len() <= MAX_ABOUT
    }

    /// Whether `text` can name a deployment.
    pub fn is_name(text: &str) -> bool {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let ends = [text.bytes().next(), text.bytes().last()];
        text.len() <= MAX_NAME
            && text.bytes().all(|byte| plain(byte) || byte == b'-')
            && ends.iter().all(|end| end.is_some_and(plain))
    }
}

impl Signable for Deployment {
    const DOMAIN: &'static str = "opensky deployment 1";

    fn signer(&self) -> NodeKey {
        self.publisher
    }
}
