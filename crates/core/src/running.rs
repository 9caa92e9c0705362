//! When a worker's turns run, and what comes of that.

use opensky_protocol::{Abort, Refusal, Turn};

use crate::{
    effect::Effect,
    event::Done,
    moment::Moment,
    policy::Escrows,
    row::Stored,
    task::{Task, TaskState},
    worker::Worker,
};

impl Worker {
    /// Runs what there is room for. Whoever owes too much waits, and holds up nobody else.
    pub(crate) fn start(&mut self, at: &mut Moment<'_>) {
        let before = core::mem::take(&mut self.held_up);
        if !self.run_all(at) {
            // Not all that wait were looked at.
            self.held_up.extend(before);
            return;
        }
        let new = self.held_up.difference(&before).copied();
        for requester in new.collect::<Vec<_>>() {
            self.call_in(&requester, at);
        }
    }

    /// Whether room is left for more than there is.
    fn run_all(&mut self, at: &mut Moment<'_>) -> bool {
        let Some(terms) = &self.terms else {
            return false;
        };
        let capacity = terms.capacity;
        let most = usize::from(capacity.cores).saturating_mul(self.policy.ahead as usize);
        let mut place = 0;
        while let Some(turn) = self.queue.get(place).copied() {
            let Some(task) = self.tasks.get(&turn) else {
                self.queue.remove(place);
                continue;
            };
            let has_core = self.running.len() < most;
            let has_memory = self.memory.saturating_add(task.memory()) <= capacity.memory;
            if !has_core || !has_memory {
                return false;
            }
            if self.lets_run(task) {
                self.queue.remove(place);
                self.run(turn, at);
            } else {
                self.held_up.insert(task.ticket.value.requester);
                place += 1;
            }
        }
        true
    }

    fn lets_run(&self, task: &Task) -> bool {
        let requester = &task.ticket.value.requester;
        self.policy.escrow == Escrows::Assumed || self.credits.may_run(requester, task.worst())
    }

    fn run(&mut self, turn: Turn, at: &mut Moment<'_>) {
        let Some(task) = self.tasks.get_mut(&turn) else {
            return;
        };
        match core::mem::replace(&mut task.state, TaskState::Running) {
            TaskState::Queued(work) => {
                self.memory += task.memory();
                self.running.insert(turn);
                task.began = Some(at.now);
                at.want(Effect::Execute {
                    turn,
                    work,
                    input_len: task.ticket.value.input_len,
                    sources: task.sources.clone(),
                    key: task.key,
                });
            }
            other => task.state = other,
        }
        self.weigh(&turn);
    }

    /// A run is over.
    pub(crate) fn executed(
        &mut self,
        turn: Turn,
        result: Result<Box<Done>, Abort>,
        at: &mut Moment<'_>,
    ) {
        self.stopped(&turn);
        let Some(task) = self.tasks.get_mut(&turn) else {
            return;
        };
        if !matches!(task.state, TaskState::Running) {
            return;
        }
        match result {
            Ok(done) => {
                at.out.rows.push(Stored::Done(turn).holding(&*done));
                task.state = TaskState::Promised(done, 0);
                self.weigh(&turn);
                self.promise(turn, at);
            }
            Err(abort) => {
                let from = task.ticket.value.requester;
                at.to(from).abort.push((turn, abort.clone()));
                self.forget(turn, Some(abort), at);
            }
        }
    }

    /// A turn cannot be run here after all. Whoever asks again may find that it can.
    pub(crate) fn given_back(&mut self, turn: Turn, why: Refusal, at: &mut Moment<'_>) {
        self.stopped(&turn);
        let task = self.tasks.get(&turn);
        let Some(task) = task.filter(|task| matches!(task.state, TaskState::Running)) else {
            return;
        };
        let from = task.ticket.value.requester;
        self.refuse(from, turn, why, at);
        self.forget(turn, None, at);
        self.unremember(&turn);
    }

    pub(crate) fn stopped(&mut self, turn: &Turn) {
        if self.running.remove(turn)
            && let Some(task) = self.tasks.get(turn)
        {
            self.memory = self.memory.saturating_sub(task.memory());
            self.shares.end(&task.ticket.value.requester);
        }
    }
}
