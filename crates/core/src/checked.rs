//! A message that may be believed: everyone who is said to have signed a part of it has.

use opensky_protocol::{Message, NodeKey, Order, Reveal, Signed, Turn};

/// A message whose signatures hold, and whose parts are the sender's to say. Results are judged one by
/// one: those that cannot be true are taken out, and say nothing but that about their turns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checked {
    pub(crate) message: Message,
    /// Turns of which the sender has shown what no run can give.
    pub(crate) false_turns: Vec<Turn>,
}

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
    /// The first thing that is wrong, but for results: of these each stands or falls by itself.
    pub fn verify(from: NodeKey, message: Message) -> Result<Self, Unsound> {
        let expect = |holds: bool, error| holds.then_some(()).ok_or(error);
        let mut false_turns = Vec::new();
        let message = match message {
            Message::Reveal(reveals) => {
                let is_true = |one: &Reveal| one.statement.node == from && one.holds();
                let (good, bad): (Vec<_>, Vec<_>) = reveals.into_iter().partition(is_true);
                false_turns.extend(bad.iter().map(|reveal| reveal.turn));
                Message::Reveal(good)
            }
            message => message,
        };
        match &message {
            Message::Assign(orders) => check_orders(from, orders)?,
            Message::Commit(commits) => {
                let own = commits.iter().all(|commit| commit.value.node == from);
                expect(own, Unsound::Sender)?;
                expect(all_hold(commits), Unsound::Signature)?;
            }
            Message::Settle(settlement) => {
                if let Some(voucher) = &settlement.voucher {
                    expect(voucher.value.requester == from, Unsound::Sender)?;
                    expect(voucher.holds(), Unsound::Signature)?;
                }
            }
            Message::Open(summons) => {
                let own = summons.iter().all(|summons| summons.value.broker == from);
                expect(own, Unsound::Sender)?;
                expect(all_hold(summons), Unsound::Signature)?;
            }
            Message::Reveal(_)
            | Message::Accept(_)
            | Message::Refuse(_)
            | Message::Abort(_)
            | Message::Release(_)
            | Message::Over(_) => {}
        }
        Ok(Self {
            message,
            false_turns,
        })
    }

    /// The results that it shows, without those that cannot be true.
    pub fn results(&self) -> &[Reveal] {
        match &self.message {
            Message::Reveal(reveals) => reveals,
            _ => &[],
        }
    }

    /// How many of its results cannot be true.
    pub fn count_false(&self) -> usize {
        self.false_turns.len()
    }

    /// Takes a message as checked that nobody has checked. For simulations, where everyone is who
    /// they say they are.
    pub fn assume(message: Message) -> Self {
        Self {
            message,
            false_turns: Vec::new(),
        }
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
fn all_hold<T: opensky_protocol::Signable>(batch: &[Signed<T>]) -> bool {
    Signed::all_hold(batch, NodeKey::signed)
}
