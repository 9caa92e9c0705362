//! Asks many nodes one small question: some at once, and each for a short time, so that one that is slow
//! or silent keeps nobody waiting.

use std::{sync::Arc, time::Duration, vec};

use opensky_network::Network;
use opensky_protocol::{NodeKey, Reply, Request, codec};
use tokio::{task::JoinSet, time::timeout};

/// How long a node may take to answer what it knows by heart, reaching it included.
pub(crate) const SOON: Duration = Duration::from_secs(3);
/// Nodes that are asked at once.
const AT_ONCE: usize = 32;

/// The answers to one question, as they come. Whoever drops it asks nobody any more.
pub(crate) struct Answers {
    network: Network,
    question: Arc<[u8]>,
    left: vec::IntoIter<NodeKey>,
    asked: JoinSet<Option<(NodeKey, Reply)>>,
}

impl Answers {
    /// Begins to ask these nodes when the first answer is waited for, in their order.
    pub fn of(network: &Network, question: &Request, nodes: Vec<NodeKey>) -> Self {
        Self {
            network: network.clone(),
            question: codec::encode(question).into(),
            left: nodes.into_iter(),
            asked: JoinSet::new(),
        }
    }

    /// The next answer. `None` once everyone has answered or had its time. May be dropped: what came
    /// meanwhile is given next.
    pub async fn next(&mut self) -> Option<(NodeKey, Reply)> {
        loop {
            while self.asked.len() < AT_ONCE
                && let Some(node) = self.left.next()
            {
                let (network, question) = (self.network.clone(), self.question.clone());
                self.asked.spawn(async move {
                    let reply = ask(&network, node, &question).await?;
                    Some((node, reply))
                });
            }
            if let Ok(Some(answer)) = self.asked.join_next().await? {
                return Some(answer);
            }
        }
    }
}

/// What a node answers to a small question, if it does so soon.
pub(crate) async fn ask(network: &Network, node: NodeKey, question: &[u8]) -> Option<Reply> {
    let reply = timeout(SOON, network.ask(node, question.to_vec())).await;
    codec::decode(&reply.ok()?.ok()?).ok()
}
