//! A receipt: a signed statement of one outcome with all that is needed to check it again.

use alloc::vec::Vec;

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

use crate::{
    Account, Check, Class, Digest, Limits, NodeKey, Output, Outputs, Profile, SecretKey, Signature,
    Signed, Ticket, Transcript, Work,
    codec::{self, CodecError, FileKind},
    names,
};

/// What a node says that a unit's result is.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Statement {
    /// The unit.
    pub unit: Digest,
    /// What is compared between providers: see [`Statement::key`].
    pub compare_key: Digest,
    /// The class of the outcome.
    pub class: Class,
    /// Digest of the outputs: see [`Outputs::digest`].
    pub output: Digest,
    /// Bytes of all outputs together.
    pub output_len: u64,
    /// The transcript's root.
    pub transcript: Digest,
    /// How many host calls the transcript holds.
    pub calls: u64,
    /// Fuel used, where the profile counts the class exactly ([`Profile::counts`]), else the limit.
    pub fuel: u64,
    /// The rules of execution.
    pub profile: Profile,
    /// Who ran the unit and signs.
    pub node: NodeKey,
    /// The account that is paid. On one machine, the node's own key.
    pub operator: Account,
}

/// A statement, its signature, and all that is needed to run the unit again except the blobs, which
/// are found by digest.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub struct Receipt {
    /// What was run.
    pub work: Work,
    /// The order, if there was one.
    pub ticket: Option<Signed<Ticket>>,
    /// What came of it.
    pub statement: Statement,
    /// The node's signature over the statement.
    pub signature: Signature,
    /// The host calls, up to a cap.
    pub transcript: Transcript,
    /// The outputs' names and digests.
    pub outputs: Outputs,
    /// A stepper unit's states, one digest after each call; empty in every other world.
    pub states: Vec<Digest>,
}

/// Why bytes are not a receipt that holds together. Each of them means: do not believe it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReceiptError {
    /// The bytes are not a receipt file, or a bit of it has changed.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The work could not be run by anyone.
    #[error("the work is impossible: {0}")]
    Work(#[from] crate::WorkError),
    /// Two parts of the receipt say different things.
    #[error("the {0} does not match the signed statement")]
    Inconsistent(&'static str),
    /// The statement is not signed by the node it names.
    #[error("the signature is not that of node {0}")]
    Signature(NodeKey),
    /// The ticket is not signed by its requester, or is for another unit.
    #[error("the ticket is not a signed order for this unit")]
    Ticket,
}

const DOMAIN: &str = "opensky statement 1";

impl Receipt {
    /// Signs the result of `work` as `secret`'s node. `fuel` is what was used; it is replaced by the
    /// limit where the class makes it inexact.
    pub fn sign(
        secret: &SecretKey,
        work: Work,
        class: Class,
        fuel: u64,
        transcript: Transcript,
        outputs: Outputs,
        states: Vec<Digest>,
    ) -> Self {
        let statement = Statement::new(secret.node(), &work, class, fuel, &transcript, &outputs);
        let signature = secret.sign(DOMAIN, &statement);
        Self {
            work,
            ticket: None,
            statement,
            signature,
            transcript,
            outputs,
            states,
        }
    }

    /// The receipt file's bytes.
    pub fn to_file(&self) -> Vec<u8> {
        codec::seal(FileKind::Receipt, self)
    }

    /// Reads a receipt file and checks all that can be checked without running the unit.
    ///
    /// # Errors
    /// [`ReceiptError::Codec`], or what [`check`](Self::check) finds.
    pub fn from_file(bytes: &[u8]) -> Result<Self, ReceiptError> {
        let receipt: Self = codec::open(FileKind::Receipt, bytes)?;
        receipt.check()?;
        Ok(receipt)
    }

    /// Checks that the work is possible, that every part agrees with the statement, and that the node
    /// signed it. Whether the result is right only running the unit again can tell.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), ReceiptError> {
        self.work.check()?;
        let said = &self.statement;
        let again = Statement::new(
            said.node,
            &self.work,
            said.class,
            said.fuel,
            &self.transcript,
            &self.outputs,
        );
        let parts = [
            (
                "work",
                again.unit == said.unit && again.profile == said.profile,
            ),
            (
                "output manifest",
                again.output == said.output && again.output_len == said.output_len,
            ),
            (
                "transcript",
                again.transcript == said.transcript && again.calls == said.calls,
            ),
            (
                "list of host calls",
                self.transcript.is_consistent(&said.unit),
            ),
            (
                "fuel",
                again.fuel == said.fuel && said.fuel <= self.work.limits.fuel,
            ),
            (
                "list of states",
                Self::states_match(&self.outputs, &self.states),
            ),
            ("compare key", said.is_consistent()),
        ];
        if let Some((part, _)) = parts.iter().find(|(_, ok)| !ok) {
            return Err(ReceiptError::Inconsistent(part));
        }
        if !said.is_signed(&self.signature) {
            return Err(ReceiptError::Signature(said.node));
        }
        match &self.ticket {
            Some(ticket) if ticket.value.unit != said.unit || !ticket.holds() => {
                Err(ReceiptError::Ticket)
            }
            _ => Ok(()),
        }
    }

    /// Whether these are the states that the outputs speak of.
    pub(crate) fn states_match(outputs: &Outputs, states: &Vec<Digest>) -> bool {
        match outputs.0.get(names::STATES) {
            Some(output) => *output == crate::Output::of(&codec::encode(states)),
            None => states.is_empty(),
        }
    }
}

impl Statement {
    /// Whether the limits allow so much fuel and output. Where fuel is not exact the limit is billed.
    pub fn is_within(&self, limits: &Limits) -> bool {
        let fuel = match self.profile.counts(self.class) {
            true => self.fuel <= limits.fuel,
            false => self.fuel == limits.fuel,
        };
        fuel && self.output_len <= limits.output_of(self.class)
    }

    /// Whether `signature` is that of the node that it names.
    pub fn is_signed(&self, signature: &Signature) -> bool {
        self.is_signed_by(NodeKey::signed, signature)
    }

    /// The same, found out in another way.
    pub fn is_signed_by(&self, check: Check, signature: &Signature) -> bool {
        check(&self.node, &Digest::derive(DOMAIN, self), signature)
    }

    /// What two providers' results are compared by, of what is said here. `Ok` and `Err`: unit, class,
    /// output with its length, transcript and fuel; every other class: unit and class, because the rest
    /// is not exact at a trap, and fuel where the profile makes it exact. It binds all that is paid for.
    pub fn key(&self) -> Digest {
        const DOMAIN: &str = "opensky result 1";
        let (unit, class, fuel) = (&self.unit, self.class, self.fuel);
        match class {
            Class::Ok | Class::Err => {
                let output = (&self.output, self.output_len);
                Digest::derive(DOMAIN, &(unit, class, output, &self.transcript, fuel))
            }
            _ if self.profile.counts(class) => Digest::derive(DOMAIN, &(unit, class, fuel)),
            _ => Digest::derive(DOMAIN, &(unit, class)),
        }
    }

    /// Whether its compare key is that of what it says, and there is no output that the key leaves out.
    pub fn is_consistent(&self) -> bool {
        let may_give = matches!(self.class, Class::Ok | Class::Err);
        self.compare_key == self.key() && (may_give || self.output_len == 0)
    }

    /// Whether these bytes are all that the unit gave: its output, or its own error. The length counts, too: where the
    /// output is not compared its digest could be that of anything.
    pub fn is_result(&self, bytes: &[u8]) -> bool {
        let may_give = matches!(self.class, Class::Ok | Class::Err);
        if !may_give || bytes.len() as u64 != self.output_len {
            return false;
        }
        let output = Output::of(bytes);
        let mut all = [names::OUTPUT, names::ERROR]
            .into_iter()
            .map(|name| Outputs([(name.into(), output)].into()));
        all.any(|all| all.digest() == self.output)
    }

    /// What `node` says of the result of `work`, unsigned. `fuel` is what was used; it is replaced by
    /// the limit where the class makes it inexact.
    pub fn new(
        node: NodeKey,
        work: &Work,
        class: Class,
        fuel: u64,
        transcript: &Transcript,
        outputs: &Outputs,
    ) -> Self {
        let unit = work.unit();
        let output = outputs.digest();
        let profile = &work.profile;
        let fuel = match profile.counts(class) {
            true => fuel,
            false => work.limits.fuel,
        };
        let said = Self {
            unit,
            compare_key: unit,
            class,
            output,
            output_len: outputs.len(),
            transcript: transcript.root,
            calls: transcript.count,
            fuel,
            profile: profile.clone(),
            node,
            operator: node.into(),
        };
        Self {
            compare_key: said.key(),
            ..said
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;
    use crate::{GuestError, Output, Shard, World};

    fn said(class: Class, error: Option<GuestError>, outputs: u64) -> Statement {
        let work = Work {
            profile: Profile::new("1"),
            program: Digest([1; 32]),
            world: World::Command,
            inputs: Default::default(),
            args: Vec::new(),
            env: Default::default(),
            params: Default::default(),
            shard: Shard::WHOLE,
            entropy: [0; 32],
            virtual_time: 0,
            limits: Limits::DEFAULT,
        };
        let mut all = Outputs::default();
        let error = error.map(|error| (names::ERROR.into(), Output::of(&codec::encode(&error))));
        all.0.extend(error);
        let output = Output {
            digest: Digest([2; 32]),
            len: outputs,
        };
        all.0.insert(names::OUTPUT.into(), output);
        let transcript = Transcript::start(&work.unit());
        Statement::new(NodeKey([3; 32]), &work, class, 1, &transcript, &all)
    }

    #[test]
    fn what_the_host_says_for_a_guest_is_not_beyond_its_limits() {
        let limits = Limits::DEFAULT;
        let most = limits.output;
        assert!(said(Class::Ok, None, most).is_within(&limits));
        assert!(!said(Class::Ok, None, most + 1).is_within(&limits));
        let exit = || Some(GuestError::Exit(1));
        assert!(said(Class::Err, exit(), most).is_within(&limits));
        // The longest name that an input can have, and one that is no name.
        let text = format!("{} is no partition: {}", "a".repeat(255), "b".repeat(500));
        let partition = Some(GuestError::InvalidInput(text));
        assert!(said(Class::Err, partition, most).is_within(&limits));
        assert!(!said(Class::Err, exit(), most + 2_000).is_within(&limits));
    }
}
