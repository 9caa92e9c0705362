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
    parts(letters.open, |turns| send(Outgoing::Open(turns)));
    parcels(
        letters.reveal.into_iter(),
        TURNS,
        bytes,
        weight_of_reveal,
        |reveals| send(Outgoing::Reveal(reveals)),
    );
    parts(letters.abort, |turns| send(Outgoing::Abort(turns)));
    for (job, (paid, refused)) in letters.settle {
        send(settle(to, job, paid, refused, broker));
    }
    parts(letters.release, |turns| send(Outgoing::Release(turns)));
    parts(letters.over, |jobs| send(Outgoing::Over(jobs)));
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
