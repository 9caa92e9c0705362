//! Turns what was collected into effects: rows first, then messages within bounds, then the rest.

use opensky_protocol::{NodeKey, Reveal, Turn, Voucher};

use crate::{
    broker::Broker,
    effect::{Draft, Effect, Outgoing},
    out::{Ends, Letters, Out, TURNS},
    policy::Policy,
    row::Row,
    worker::Worker,
};

/// All that was collected, in the order in which it is to be carried out.
pub(crate) fn effects(out: Out, broker: &Broker, worker: &Worker, policy: &Policy) -> Vec<Effect> {
    let mut effects = Vec::new();
    let mut rows = out.rows;
    let changed = out.changed.iter().map(|name| -> Row {
        let value = broker.stored(name).or_else(|| worker.stored(name));
        name.row(value)
    });
    rows.extend(changed);
    if !rows.is_empty() {
        effects.push(Effect::Persist(rows));
    }
    effects.reserve(out.mail.len() + out.effects.len());
    for (to, letters) in out.mail {
        let send = |message| effects.push(Effect::Send { to, message });
        write(to, letters, broker, policy, send);
    }
    effects.extend(out.effects);
    effects
}

/// Writes what is to be said to one node, in the order in which it is to be said.
fn write(
    to: NodeKey,
    letters: Letters,
    broker: &Broker,
    policy: &Policy,
    mut send: impl FnMut(Outgoing),
) {
    let (most, bytes) = (policy.batch, policy.batch_bytes);
    let drafts = letters.assign.iter().filter_map(|turn| broker.draft(turn));
    parcels(drafts, most, bytes, weight_of_draft, |orders| {
        send(Outgoing::Assign(orders));
    });
    parts(letters.accept, |turns| send(Outgoing::Accept(turns)));
    parts(letters.refuse, |turns| send(Outgoing::Refuse(turns)));
    parts(letters.commit, |commits| send(Outgoing::Commit(commits)));
    parts(letters.open, |summons| send(Outgoing::Open(summons)));
    parcels(
        letters.reveal.into_iter(),
        TURNS,
        bytes,
        weight_of_reveal,
        |reveals| send(Outgoing::Reveal(reveals)),
    );
    parts(letters.abort, |turns| send(Outgoing::Abort(turns)));
    for (job, ends) in letters.settle {
        settle(ends, |paid| broker.voucher(&to, &job, paid), &mut send);
    }
    parts(letters.release, |turns| send(Outgoing::Release(turns)));
    parts(letters.over, |jobs| send(Outgoing::Over(jobs)));
}

/// Tells of ends in as many messages as they take, each with a voucher that pays its turns and all that
/// were paid before.
fn settle(ends: Ends, last: impl Fn(&[Turn]) -> Option<Voucher>, mut send: impl FnMut(Outgoing)) {
    let mut vouchers = ends.vouchers.into_iter();
    let mut paid = ends.paid.chunks(TURNS);
    let mut refused = ends.refused.chunks(TURNS);
    loop {
        let (paid, refused) = (paid.next(), refused.next());
        if paid.is_none() && refused.is_none() {
            return;
        }
        let (paid, refused) = (paid.unwrap_or_default(), refused.unwrap_or_default());
        let voucher = vouchers.next().or_else(|| last(paid));
        send(Outgoing::Settle {
            paid: paid.to_vec(),
            refused: refused.to_vec(),
            voucher: voucher.map(Box::new),
        });
    }
}

fn parts<T>(mut all: Vec<T>, mut send: impl FnMut(Vec<T>)) {
    while all.len() > TURNS {
        let rest = all.split_off(TURNS);
        send(core::mem::replace(&mut all, rest));
    }
    if !all.is_empty() {
        send(all);
    }
}

/// Puts values together until there are enough of them or of their bytes.
fn parcels<T>(
    all: impl Iterator<Item = T>,
    most: usize,
    bytes: usize,
    weight: impl Fn(&T) -> usize,
    mut send: impl FnMut(Vec<T>),
) {
    let mut parcel = Vec::new();
    let mut left = bytes;
    for one in all {
        let weight = weight(&one);
        if !parcel.is_empty() && (parcel.len() >= most || weight > left) {
            send(core::mem::take(&mut parcel));
            left = bytes;
        }
        left = left.saturating_sub(weight);
        parcel.push(one);
    }
    if !parcel.is_empty() {
        send(parcel);
    }
}

/// About the bytes of an order with its two seals.
fn weight_of_draft(draft: &Draft) -> usize {
    let work = &draft.work;
    let named: usize = work.inputs.keys().map(|name| name.len() + 33).sum();
    let args: usize = work.args.iter().map(|arg| arg.len() + 4).sum();
    let pairs = work.env.iter().chain(&work.params);
    let pairs: usize = pairs
        .map(|(name, value)| name.len() + value.len() + 8)
        .sum();
    1_024 + named + args + pairs + 32 * draft.sources.len()
}

/// About the bytes of a result.
fn weight_of_reveal(reveal: &Reveal) -> usize {
    let outputs: usize = reveal.outputs.0.keys().map(|name| name.len() + 44).sum();
    let calls = reveal.transcript.calls.iter();
    let calls: usize = calls.map(|call| call.import.len() + 66).sum();
    512 + outputs + calls + 32 * reveal.states.len()
}

#[cfg(test)]
mod tests {
    use opensky_protocol::{Account, Digest, MAX_MESSAGE_BYTES, Message, Seal, Settlement, Signed};
    use parity_scale_codec::Encode as _;

    use super::*;

    fn voucher(turns: usize) -> Voucher {
        Voucher {
            ledger: Digest([1; 32]),
            escrow: Digest([2; 32]),
            requester: NodeKey([3; 32]),
            operator: Account([4; 32]),
            total: turns as u128,
            turns: turns as u64,
            root: Voucher::START,
        }
    }

    fn turns(count: u32) -> Vec<Turn> {
        let turn = |attempt| Turn {
            job: Digest([2; 32]),
            unit: Digest([5; 32]),
            attempt,
        };
        (0..count).map(turn).collect()
    }

    #[test]
    fn ends_that_fit_into_no_message_are_told_in_several() {
        let (all, others) = (turns(70_000), turns(5_000));
        let full = all.chunks_exact(TURNS);
        let ends = Ends {
            paid: all.clone(),
            refused: others.clone(),
            vouchers: (1..=full.len()).map(|part| voucher(part * TURNS)).collect(),
        };
        let (mut told, mut refusals) = (Vec::new(), Vec::new());
        let last = |paid: &[Turn]| (!paid.is_empty()).then(|| voucher(70_000));
        settle(ends, last, |message| {
            let Outgoing::Settle {
                paid,
                refused,
                voucher,
            } = message
            else {
                unreachable!("nothing else is said");
            };
            told.extend(&paid);
            refusals.extend(&refused);
            let covered = voucher.as_ref().map(|voucher| voucher.turns);
            assert_eq!(
                covered,
                Some(told.len() as u64),
                "it pays these, and no more"
            );
            let seal = Seal::NONE;
            let voucher = voucher.map(|voucher| Signed {
                value: *voucher,
                seal,
            });
            let message = Message::Settle(Box::new(Settlement {
                paid,
                refused,
                voucher,
            }));
            assert!(message.encoded_size() < MAX_MESSAGE_BYTES / 2);
        });
        assert_eq!((told, refusals), (all, others));
    }

    #[test]
    fn ends_of_which_none_is_paid_need_no_voucher() {
        let ends = Ends {
            refused: turns(TURNS as u32 + 1),
            ..Ends::default()
        };
        let mut said = Vec::new();
        settle(ends, |_| None, |message| said.push(message));
        assert_eq!(said.len(), 2);
        let is_unpaid =
            |message: &Outgoing| matches!(message, Outgoing::Settle { voucher: None, .. });
        assert!(said.iter().all(is_unpaid));
    }
}
