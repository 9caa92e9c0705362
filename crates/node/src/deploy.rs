//! Programs under a name: pinned by others, so that their publisher's machine may sleep.

use std::collections::BTreeSet;

use opensky_protocol::{Deployment, Digest, Manifest, NodeKey, Request, Signed, Verified};

use crate::{
    asking::Answers,
    error::{DeployError, Unpinned},
    keepsake::For,
    node::Node,
    pinning::{self, Pinned},
};

/// Operators that have to pin a program, if there are as many and nobody says otherwise.
const PINS: usize = 3;

/// A program that is deployed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deployed {
    /// Its record.
    pub record: Deployment,
    /// Who has pinned it.
    pub pinned: Vec<NodeKey>,
    /// Who has not, and why.
    pub refused: Vec<(NodeKey, Unpinned)>,
    /// Whether the name was put into the table of peers. Where it was not, those who pinned the
    /// program know it.
    pub announced: bool,
}

impl Node {
    /// Gives a program in this node's store a name, once nodes of so many operators have pinned it: of
    /// `pins`, else of three, or of all there are. The name stands for this program from then on, instead
    /// of the one before. Nobody is paid for pinning, so nobody promises for how long.
    ///
    /// # Errors
    /// [`DeployError`]. The name stands for what it stood for then; those who did pin the program keep it,
    /// and are asked first when it is deployed again.
    pub async fn deploy(
        &self,
        name: &str,
        program: Digest,
        manifest: Manifest,
        pins: Option<usize>,
    ) -> Result<Deployed, DeployError> {
        let record = self.record(name, program, manifest)?;
        let kept = self
            .0
            .keepsakes
            .keep_for(For::Program(program), vec![program]);
        if let Err(error) = kept {
            tracing::warn!(%error, "a deployed program is not kept here");
        }
        let Pinned { by, refused } = self.pin(&record.value, pins).await?;
        self.tell(&record, by.clone()).await;
        self.0.deployments.learn(self.key(), record.clone());
        let announced = self.0.deployments.announce(&record).await;
        if let Err(error) = &announced {
            tracing::debug!(%error, "a deployment is not in the table of peers");
        }
        Ok(Deployed {
            record: record.value,
            pinned: by,
            refused,
            announced: announced.is_ok(),
        })
    }

    fn record(
        &self,
        name: &str,
        program: Digest,
        manifest: Manifest,
    ) -> Result<Signed<Deployment>, DeployError> {
        let publisher = self.key();
        let before = self
            .0
            .deployments
            .find(&Deployment::id_of(&publisher, name));
        let record = Deployment {
            publisher,
            name: name.into(),
            program,
            program_len: self.0.depot.store().len(&program)?,
            // The time, so that a publisher who has lost its records goes on above them.
            sequence: before
                .map_or(0, |before| before.value.sequence + 1)
                .max(self.0.clock.now()),
            manifest,
        };
        match record.is_bounded() {
            true => Ok(Verified::sign(&self.0.secret, record).into_signed()),
            false => Err(DeployError::Unbounded),
        }
    }

    /// Has a program pinned by as many operators as it has to be.
    async fn pin(&self, record: &Deployment, pins: Option<usize>) -> Result<Pinned, DeployError> {
        let offers = self.0.market.drawn(&record.program);
        let operators: BTreeSet<_> = offers.iter().map(|offer| offer.operator).collect();
        let wanted = pins.unwrap_or(PINS.min(operators.len()));
        if operators.is_empty() {
            return Err(DeployError::NoProvider);
        }
        let pinned = pinning::pin(&self.0.network, record, wanted, offers).await;
        match pinned.by.len() < wanted {
            true => Err(DeployError::NotPinned {
                pinned: pinned.by.len(),
                wanted,
                refused: pinned.refused,
            }),
            false => Ok(pinned),
        }
    }

    /// Tells those who pinned its program of a record: they know it even where the table of peers does not.
    async fn tell(&self, record: &Signed<Deployment>, nodes: Vec<NodeKey>) {
        let told = Request::Deploy(Box::new(record.clone()));
        let mut answers = Answers::of(&self.0.network, &told, nodes);
        // Whoever did not hear it can look it up.
        while answers.next().await.is_some() {}
    }

    /// The newest record of this id that can be found. Of an own one that is what this node has.
    pub async fn deployment(&self, id: Digest) -> Option<Deployment> {
        let known = self.0.deployments.find(&id).map(|record| record.value);
        if known
            .as_ref()
            .is_some_and(|record| record.publisher == self.key())
        {
            return known;
        }
        let offers = self.0.market.drawn(&id);
        let nodes = offers.iter().map(|offer| offer.node).collect();
        let found = self.0.deployments.look_up(id, nodes).await;
        found.map(|record| record.value)
    }

    /// The deployments that this node knows: its own, and those that it was told of.
    pub fn deployments(&self) -> Vec<Deployment> {
        self.0.deployments.all()
    }
}
