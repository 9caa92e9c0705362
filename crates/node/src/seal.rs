//! Puts signatures under what the core wants to be said, one for each batch, and wraps keys.

use opensky_core::{Draft, Outgoing, Proof};
use opensky_protocol::{
    Commit, Message, Order, SecretKey, Settlement, Signable, Signed, Verified,
    ledger::{Evidence, Showing},
};

use crate::content::ContentKeys;

/// The message with this node's signatures.
pub(crate) fn seal(secret: &SecretKey, content: &ContentKeys, outgoing: Outgoing) -> Message {
    match outgoing {
        Outgoing::Assign(drafts) => Message::Assign(orders(secret, content, drafts)),
        Outgoing::Accept(turns) => Message::Accept(turns),
        Outgoing::Refuse(turns) => Message::Refuse(turns),
        Outgoing::Commit(commits) => Message::Commit(sign_all(secret, commits)),
        Outgoing::Open(summons) => Message::Open(sign_all(secret, summons)),
        Outgoing::Reveal(reveals) => Message::Reveal(reveals),
        Outgoing::Abort(turns) => Message::Abort(turns),
        Outgoing::Settle {
            paid,
            refused,
            voucher,
        } => Message::Settle(Box::new(Settlement {
            paid,
            refused,
            voucher: voucher.map(|voucher| Verified::sign(secret, *voucher).into_signed()),
        })),
        Outgoing::Release(turns) => Message::Release(turns),
        Outgoing::Over(jobs) => Message::Over(jobs),
    }
}

fn sign_all<T: Signable>(secret: &SecretKey, values: Vec<T>) -> Vec<Signed<T>> {
    let signed = Verified::sign_all(secret, values);
    signed.into_iter().map(Verified::into_signed).collect()
}

fn orders(secret: &SecretKey, content: &ContentKeys, drafts: Vec<Draft>) -> Vec<Order> {
    let mut rest = Vec::with_capacity(drafts.len());
    let (mut tickets, mut assignments) = (Vec::new(), Vec::new());
    for draft in drafts {
        let turn = &draft.assignment;
        let key = draft.encrypted.and_then(|nonce| {
            let key = content.of(&nonce);
            secret.wrap(&key, &turn.provider, &turn.job)
        });
        tickets.push(draft.ticket);
        assignments.push(draft.assignment);
        rest.push((draft.work, draft.sources, key));
    }
    let tickets = sign_all(secret, tickets);
    let assignments = sign_all(secret, assignments);
    let signed = tickets.into_iter().zip(assignments);
    rest.into_iter()
        .zip(signed)
        .map(|((work, sources, key), (ticket, assignment))| Order {
            work,
            ticket,
            assignment,
            sources,
            key,
        })
        .collect()
}

/// What is shown to the ledger, with this node's signatures under its promises.
pub(crate) fn showing(secret: &SecretKey, proof: Proof) -> Showing {
    let commits: Vec<Commit> = proof.turns.iter().map(|turn| turn.commit.clone()).collect();
    let turns = proof.turns.into_iter().zip(sign_all(secret, commits));
    let evidence = turns.map(|(turn, commit)| Evidence {
        ticket: turn.ticket,
        assignment: turn.assignment,
        commit,
        summons: turn.summons,
        salt: turn.salt,
        statement: turn.statement,
        signature: turn.signature,
    });
    Showing {
        escrow: proof.escrow,
        voucher: proof.voucher,
        opened: proof.opened,
        evidence: evidence.collect(),
    }
}
