//! A message that may be believed: everyone who is said to have signed a part of it has.

use opensky_protocol::{Message, NodeKey, Order, Signed};

/// A message whose signatures hold, and whose parts are the sender's to say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checked(pub(crate) Message);

/// Why a message is not to be believed. Whoever sent it is broken or worse.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unsound {
    /// A signature does not hold.
    #[error("a signature does not hold")]
    Signature,
    /// A part of it is another node's to say.
    #[error("it speaks for another node")]
    Sender,
    /// Parts of it contradict each other.
    #[error("its parts contradict each other")]
    Parts,
}

impl Checked {
    /// Checks a message that came from `from`. Takes as long as its signatures and hashes take; whoever
    /// drives the core may do it elsewhere.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(from: NodeKey, message: Message) -> Result<Self, Unsound> {
        let expect = |holds: bool, error| holds.then_some(()).ok_or(error);
        match &message {
            Message::Assign(orders) => check_orders(from, orders)?,
            Message::Commit(commits) => {
                let own = commits.iter().all(|commit| commit.value.node == from);
                expect(own, Unsound::Sender)?;
                expect(all_hold(commits), Unsound::Signature)?;
            }
            Message::Reveal(reveals) => {
                let own = |node: &NodeKey| *node == from;
                let own = reveals.iter().all(|reveal| own(&reveal.statement.node));
                expect(own, Unsound::Sender)?;
                let hold = reveals.iter().all(opensky_protocol::Reveal::holds);
                expect(hold, Unsound::Parts)?;
            }
            Message::Settle(settlement) => {
                if let Some(voucher) = &settlement.voucher {
                    expect(voucher.value.requester == from, Unsound::Sender)?;
                    expect(voucher.holds(), Unsound::Signature)?;
                }
            }
            Message::Accept(_)
            | Message::Refuse(_)
            | Message::Open(_)
            | Message::Abort(_)
            | Message::Release(_)
            | Message::Over(_) => {}
        }
        Ok(Self(message))
    }

    /// Takes a message as checked that nobody has checked. For simulations, where everyone is who
    /// they say they are.
    pub fn assume(message: Message) -> Self {
        Self(message)
    }
}

fn check_orders(from: NodeKey, orders: &[Order]) -> Result<(), Unsound> {
    let expect = |holds: bool, error| holds.then_some(()).ok_or(error);
    let own = |order: &Order| order.ticket.value.requester == from;
    expect(orders.iter().all(own), Unsound::Sender)?;
    expect(orders.iter().all(Order::is_consistent), Unsound::Parts)?;
    let tickets: Vec<_> = orders.iter().map(|order| order.ticket.clone()).collect();
    let turns = orders.iter().map(|order| order.assignment.clone());
    let turns: Vec<_> = turns.collect();
    expect(all_hold(&tickets) && all_hold(&turns), Unsound::Signature)
}

/// A batch that was signed at once is checked with one signature.
fn all_hold<T: opensky_protocol::Signable + Clone>(batch: &[Signed<T>]) -> bool {
    Signed::verify_all(batch.to_vec()).is_some()
}
