//! Programs under a name: pinned by others, so that their publisher's machine may sleep.

use std::collections::BTreeSet;

use opensky_protocol::{
    Deployment, Digest, Manifest, NodeKey, Reply, Request, Signed, Verified, codec,
};

use crate::{error::DeployError, keepsake::For, node::Node};

/// Providers that have to pin a program, if there are as many.
const PINS: usize = 3;
/// Providers that are asked for it, at most.
const ASKED: usize = 32;

/// A program that is deployed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deployed {
    /// Its record.
    pub record: Deployment,
    /// Who has pinned it.
    pub pinned: Vec<NodeKey>,
    /// Who has not, and why.
    pub refused: Vec<(NodeKey, String)>,
    /// Whether the name was put into the table of peers. Where it was not, those who pinned the
    /// program know it.
    pub announced: bool,
}

impl Node {
    /// Gives a program in this node's store a name, and has it pinned by three providers, or by all
    /// there are. The name stands for this program from then on, instead of the one before.
    ///
    /// # Errors
    /// [`DeployError`].
    pub async fn deploy(
        &self,
        name: &str,
        program: Digest,
        manifest: Manifest,
    ) -> Result<Deployed, DeployError> {
        let record = self.record(name, program, manifest)?;
        let kept = self
            .0
            .keepsakes
            .keep_for(For::Program(program), vec![program]);
        if let Err(error) = kept {
            tracing::warn!(%error, "a deployed program is not kept here");
        }
        let (pinned, refused) = self.pin(&record.value).await?;
        let tell = codec::encode(&Request::Deploy(Box::new(record.clone())));
        for node in &pinned {
            // Whoever did not hear it can look it up.
            let _ = self.0.network.ask(*node, tell.clone()).await;
        }
        self.0.deployments.learn(self.key(), record.clone());
        let announced = self.0.deployments.announce(&record).await;
        if let Err(error) = &announced {
            tracing::debug!(%error, "a deployment is not in the table of peers");
        }
        Ok(Deployed {
            record: record.value,
            pinned,
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

    /// Has a program pinned: by whom it was, and by whom not.
    async fn pin(
        &self,
        record: &Deployment,
    ) -> Result<(Vec<NodeKey>, Vec<(NodeKey, String)>), DeployError> {
        let offers = self.0.market.known();
        if offers.is_empty() {
            return Err(DeployError::NoProvider);
        }
        let (mut pinned, mut refused) = (Vec::new(), Vec::new());
        let mut operators = BTreeSet::new();
        for offer in offers.iter().take(ASKED) {
            if pinned.len() >= PINS {
                break;
            }
            if !operators.insert(offer.operator) {
                continue;
            }
            let request = codec::encode(&Request::Pin {
                blob: record.program,
                len: record.program_len,
                sources: [vec![self.key()], pinned.clone()].concat(),
            });
            let reply = self.0.network.ask(offer.node, request).await;
            match reply.map(|reply| codec::decode(&reply)) {
                Ok(Ok(Reply::Heard)) => pinned.push(offer.node),
                Ok(Ok(Reply::Busy)) => refused.push((offer.node, "it is busy".into())),
                Ok(_) => refused.push((offer.node, "it does not want to".into())),
                Err(error) => refused.push((offer.node, error.to_string())),
            }
        }
        match pinned.is_empty() {
            true => Err(DeployError::NotPinned(refused)),
            false => Ok((pinned, refused)),
        }
    }

    /// The newest record of this id that can be found.
    pub async fn deployment(&self, id: Digest) -> Option<Deployment> {
        let offers = self.0.market.known();
        let nodes: Vec<NodeKey> = offers.iter().map(|offer| offer.node).collect();
        let found = self.0.deployments.look_up(id, &nodes).await;
        found.map(|record| record.value)
    }

    /// The deployments that this node knows: its own, and those that it was told of.
    pub fn deployments(&self) -> Vec<Deployment> {
        self.0.deployments.all()
    }
}
