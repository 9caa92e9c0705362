//! Turns what was collected into effects: rows first, then messages within bounds, then the rest.

use opensky_protocol::{Digest, NodeKey, Reveal, Turn};

use crate::{
    broker::Broker,
    effect::{Draft, Effect, Outgoing},
    out::{Letters, Out},
    policy::Policy,
    row::Row,
    worker::Worker,
};

/// Turns in one message: 68 bytes each, with room to spare for what goes with them.
const TURNS: usize = 4_096;

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
    for (to, letters) in out.mail {
        let messages = write(to, letters, broker, policy).into_iter();
        effects.extend(messages.map(|message| Effect::Send { to, message }));
    }
    effects.extend(out.effects);
    effects
}

fn write(to: NodeKey, letters: Letters, broker: &Broker, policy: &Policy) -> Vec<Outgoing> {
    let mut all = Vec::new();
    let drafts = letters.assign.iter().filter_map(|turn| broker.draft(turn));
    let (most, bytes) = (policy.batch, policy.batch_bytes);
    let orders = parcels(drafts, most, bytes, weight_of_draft);
    all.extend(orders.map(Outgoing::Assign));
    all.extend(parts(letters.accept, Outgoing::Accept));
    all.extend(parts(letters.refuse, Outgoing::Refuse));
    all.extend(parts(letters.commit, Outgoing::Commit));
    all.extend(parts(letters.open, Outgoing::Open));
    let reveals = parcels(letters.reveal.into_iter(), TURNS, bytes, weight_of_reveal);
    all.extend(reveals.map(Outgoing::Reveal));
    all.extend(parts(letters.abort, Outgoing::Abort));
    for (job, (paid, refused)) in letters.settle {
        all.push(settle(to, job, paid, refused, broker));
    }
    all.extend(parts(letters.release, Outgoing::Release));
    all.extend(parts(letters.over, Outgoing::Over));
    all
}

fn settle(
    to: NodeKey,
    job: Digest,
    paid: Vec<Turn>,
    refused: Vec<Turn>,
    broker: &Broker,
) -> Outgoing {
    let voucher = broker.voucher(&to, &job, &paid).map(Box::new);
    Outgoing::Settle {
        paid,
        refused,
        voucher,
    }
}

fn parts<T: Clone>(all: Vec<T>, message: fn(Vec<T>) -> Outgoing) -> impl Iterator<Item = Outgoing> {
    let chunks: Vec<_> = all.chunks(TURNS).map(<[T]>::to_vec).collect();
    chunks.into_iter().map(message)
}

/// Puts values together until there are enough of them or of their bytes.
fn parcels<T>(
    all: impl Iterator<Item = T>,
    most: usize,
    bytes: usize,
    weight: impl Fn(&T) -> usize,
) -> impl Iterator<Item = Vec<T>> {
    let mut parcels: Vec<Vec<T>> = Vec::new();
    let mut left = 0;
    for one in all {
        let weight = weight(&one);
        match parcels.last_mut() {
            Some(parcel) if parcel.len() < most && weight <= left => {
                left -= weight;
                parcel.push(one);
            }
            _ => {
                left = bytes.saturating_sub(weight);
                parcels.push(vec![one]);
            }
        }
    }
    parcels.into_iter()
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
