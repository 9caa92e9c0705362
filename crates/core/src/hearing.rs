//! What providers say to a broker, and what it makes of their silence.

use opensky_protocol::{
    Abort, Account, Commit, ContentKey, Digest, NodeKey, Refusal, Reveal, Summons, Turn, Verified,
};

use crate::{
    alarm::Alarm,
    broker::Broker,
    draw::Purpose,
    moment::Moment,
    need::Unfit,
    paying::say_refused,
    phase::Ending,
    row::Stored,
    standing::Conduct,
    time::back_off,
    unit::{Again, Audit, Over, Seat, SeatState, Stage, Unit},
};

impl Broker {
    /// It runs the turn.
    pub(crate) fn accepted(&mut self, from: NodeKey, turn: Turn, at: &mut Moment<'_>) {
        let check = at.now.after(self.policy.check);
        let Some((_, seat)) = self.seat(&from, &turn) else {
            self.repeat_end(from, turn, at);
            return;
        };
        match seat.state {
            SeatState::Asked { .. } => {
                seat.state = SeatState::Working;
                at.alarms.set(Alarm::Seat(turn), seat.ends().min(check));
            }
            SeatState::Over(_) => self.repeat_end(from, turn, at),
            _ => {}
        }
    }

    /// It does not take the turn.
    pub(crate) fn refused(&mut self, from: NodeKey, turn: Turn, why: Refusal, at: &mut Moment<'_>) {
        let Some((index, seat)) = self.seat(&from, &turn) else {
            return;
        };
        if seat.is_live() && !seat.has_committed() {
            self.rest(&from, why.into(), at);
            self.lose(turn, index, Over::Refused(why), at);
        }
    }

    /// Its host failed at the turn.
    pub(crate) fn aborted(&mut self, from: NodeKey, turn: Turn, why: &Abort, at: &mut Moment<'_>) {
        let Some((index, seat)) = self.seat(&from, &turn) else {
            return;
        };
        if !seat.is_live() || seat.has_committed() {
            return;
        }
        if let Abort::MissingInput(name) = why {
            let job = self.jobs.get(&turn.job);
            let maker = job.and_then(|job| job.maker(index, name));
            self.rest(&from, Unfit::Lacked, at);
            self.lose(turn, index, Over::Lacked, at);
            // Whoever should have it is gone, or cannot be reached: somebody else makes it anew. If
            // that is this node, it was away, and says nothing about the unit.
            if let Some(maker) = maker.filter(|_| self.wants(&turn.job, index)) {
                self.reopen(turn.job, maker, Again::Remake, at);
            }
            return;
        }
        let reason = kind(why);
        self.lose(turn, index, Over::Aborted(reason.clone()), at);
        self.judge_failure(turn.job, index, at);
    }

    /// Ends a job one of whose units cannot be run, unless only strangers say so, and somebody who is known
    /// could be asked: that takes a while at most.
    fn judge_failure(&mut self, id: Digest, index: u32, at: &mut Moment<'_>) {
        let unit = self.jobs.get(&id).and_then(|job| job.units.get(&index));
        let Some(reason) = unit.and_then(Unit::failure) else {
            return;
        };
        match self.has_witness(id, index) {
            true => at.wake(Alarm::Quorum(id, index), self.policy.quorum),
            false => self.wind(id, Ending::Unrunnable { index, reason }, at),
        }
    }

    /// Whether all whose hosts failed at a unit are strangers, and somebody whose results have held could
    /// have a turn at it. New keys cost nothing, and so does saying that a unit cannot be run.
    fn has_witness(&self, id: Digest, index: u32) -> bool {
        let job = self.jobs.get(&id);
        let Some((job, unit)) = job.and_then(|job| Some((job, job.units.get(&index)?))) else {
            return false;
        };
        let is_known = |operator: &Account| self.standings.has_worked(operator);
        let mut failed = unit.seats.iter().filter(|seat| seat.has_failed());
        let mut others = self.others(job, unit);
        !failed.any(|seat| is_known(&seat.operator))
            && others.any(|listing| is_known(&listing.offer.operator))
    }

    /// Nobody who is known has run a unit at which the hosts of strangers have failed.
    pub(crate) fn witness_timed_out(&mut self, id: Digest, index: u32, at: &mut Moment<'_>) {
        let Some(unit) = self.jobs.get(&id).and_then(|job| job.units.get(&index)) else {
            return;
        };
        let Some(reason) = unit.failure() else {
            return;
        };
        match unit.seats.iter().any(Seat::is_live) {
            true => at.wake(Alarm::Quorum(id, index), self.policy.quorum),
            false => self.wind(id, Ending::Unrunnable { index, reason }, at),
        }
    }

    /// It promises a result, or asks what became of one.
    pub(crate) fn committed(
        &mut self,
        from: NodeKey,
        commit: &Verified<Commit>,
        at: &mut Moment<'_>,
    ) {
        let (turn, hash) = (commit.turn, commit.hash);
        let Some((index, seat)) = self.seat(&from, &turn) else {
            self.repeat_end(from, turn, at);
            return;
        };
        match &seat.state {
            SeatState::Asked { .. } | SeatState::Working => {
                let took = at.now.since(seat.asked);
                seat.state = SeatState::Committed(hash);
                at.alarms.clear(Alarm::Seat(turn));
                self.market.committed(&from, took, at.now, &self.policy);
                if let Some(job) = self.jobs.get_mut(&turn.job) {
                    job.took(took);
                }
                self.draw_audit(turn.job, index, at);
                self.advance(turn.job, index, at);
            }
            SeatState::Opened(promised, _) if *promised == hash => {
                let summons = self.summons(turn, from, hash);
                at.to(from).open.push(summons);
            }
            SeatState::Over(Over::Silent) => self.revive(from, turn, hash, at),
            SeatState::Over(_) => self.repeat_end(from, turn, at),
            SeatState::Committed(_) | SeatState::Opened(..) | SeatState::Shown { .. } => {}
        }
    }

    /// Asks to be shown what a node has promised.
    fn summons(&self, turn: Turn, node: NodeKey, hash: Digest) -> Summons {
        Summons {
            broker: self.who.node,
            commit: Commit { turn, node, hash },
        }
    }

    /// A result comes after its lease. If nothing better has, it is as good as any.
    fn revive(&mut self, from: NodeKey, turn: Turn, hash: Digest, at: &mut Moment<'_>) {
        let Some(job) = self.jobs.get_mut(&turn.job) else {
            return;
        };
        let (index, left, is_running) = (
            job.places.get(&turn.unit).copied(),
            job.left(),
            job.is_running(),
        );
        let Some(unit) = index.and_then(|index| job.units.get_mut(&index)) else {
            return;
        };
        let is_open = unit.stage == Stage::Gathering && is_running && !unit.is_outdated();
        let seats = &mut unit.seats;
        let operator = seats[turn.attempt as usize].operator;
        let is_taken = seats
            .iter()
            .any(|seat| seat.operator == operator && seat.counts());
        let seat = &mut seats[turn.attempt as usize];
        if !is_open || is_taken || seat.reserved > left {
            at.to(from).release.push(turn);
            return;
        }
        seat.state = SeatState::Committed(hash);
        job.reserved = job.reserved.saturating_add(seat.reserved);
        let index = job.places[&turn.unit];
        job.sort(index);
        at.changed(Stored::Unit(turn.job, index));
        self.draw_audit(turn.job, index, at);
        self.advance(turn.job, index, at);
    }

    /// Decides whether the first result of a unit stands alone: now that it is promised, its provider
    /// cannot act upon what is drawn.
    fn draw_audit(&mut self, id: Digest, index: u32, at: &mut Moment<'_>) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let cap = job.order.replica_cap;
        let profile = job.profile().clone();
        let Some(unit) = job.units.get_mut(&index) else {
            return;
        };
        if unit.audit != Audit::Undrawn {
            return;
        }
        unit.audit = Audit::Settled;
        let first = unit.seats.iter().find(|seat| seat.has_committed());
        let known = first.and_then(|seat| self.standings.of(&seat.operator, &profile));
        let often = known.map_or(u32::MAX, |known| known.audits(&self.policy));
        let drawn = self.draws.number(Purpose::Audit, &(id, unit.id)) % 65_536;
        if drawn < u64::from(often) {
            unit.wanted = unit.wanted.max(2).min(cap);
        }
        at.changed(Stored::Unit(id, index));
        job.sort(index);
        self.queue(id);
    }

    /// It shows a result.
    pub(crate) fn revealed(&mut self, from: NodeKey, reveal: Reveal, at: &mut Moment<'_>) {
        let turn = reveal.turn;
        let Some((index, seat)) = self.seat(&from, &turn) else {
            self.repeat_end(from, turn, at);
            return;
        };
        let SeatState::Opened(hash, _) = seat.state else {
            return;
        };
        let commit = Commit {
            turn,
            node: from,
            hash,
        };
        if !reveal.opens(&commit) {
            self.caught(turn, index, at);
            return;
        }
        let ask = seat.ask;
        let Some(job) = self.jobs.get_mut(&turn.job) else {
            return;
        };
        let (limits, said) = (*job.limits(), &reveal.statement);
        let more = match job.order.is_encrypted {
            true => ContentKey::overhead_of(&reveal.outputs),
            false => 0,
        };
        let is_possible = said.profile == *job.profile()
            && said.fuel <= limits.fuel
            && said.output_len <= limits.output_of(said.class).saturating_add(more);
        if !is_possible {
            self.caught(turn, index, at);
            return;
        }
        let key = said.compare_key;
        let unit = &job.units[&index];
        let ticket = job.ticket(&self.who, unit);
        let amount = ticket.payment(&ask, said.fuel, said.output_len);
        if let Some(job) = self.jobs.get_mut(&turn.job) {
            let unit = job.units.get_mut(&index);
            let seat = unit.and_then(|unit| unit.seats.get_mut(turn.attempt as usize));
            if let Some(seat) = seat {
                seat.state = SeatState::Shown { key, amount };
            }
            let shown = job.shown.entry((index, key));
            shown.or_insert_with(|| Box::new(reveal));
        }
        self.advance(turn.job, index, at);
    }

    /// It shows, for a result, what no run can give. Before it is asked to show anything that is noise.
    pub(crate) fn refuted(&mut self, from: NodeKey, turn: Turn, at: &mut Moment<'_>) {
        let Some((index, seat)) = self.seat(&from, &turn) else {
            return;
        };
        if matches!(seat.state, SeatState::Opened(..)) {
            self.caught(turn, index, at);
        }
    }

    /// What it shows cannot be: it is wrong whatever the others say, and nobody waits for it any more.
    fn caught(&mut self, turn: Turn, index: u32, at: &mut Moment<'_>) {
        let Some(job) = self.jobs.get_mut(&turn.job) else {
            return;
        };
        let seat = &job.units[&index].seats[turn.attempt as usize];
        let (node, operator) = (seat.node, seat.operator);
        // Its voice does not count, so its seat is free again.
        job.end_seat(index, turn.attempt, Over::False);
        job.sort(index);
        at.changed(Stored::Unit(turn.job, index));
        say_refused(node, turn, at);
        self.learn(turn.job, operator, Conduct::Caught, at);
        self.queue(turn.job);
        self.advance(turn.job, index, at);
    }

    /// A seat's time is up: it is asked again, or its turn is over.
    pub(crate) fn seat_timed_out(&mut self, turn: Turn, at: &mut Moment<'_>) {
        let tries = self.policy.tries;
        let (first, last) = (self.policy.first_retry, self.policy.last_retry);
        let Some(job) = self.jobs.get_mut(&turn.job) else {
            return;
        };
        let Some(index) = job.places.get(&turn.unit).copied() else {
            return;
        };
        let seat = job.units.get_mut(&index);
        let Some(seat) = seat.and_then(|unit| unit.seats.get_mut(turn.attempt as usize)) else {
            return;
        };
        let (node, ends) = (seat.node, seat.ends());
        match &mut seat.state {
            SeatState::Asked { tries: said } if *said < tries => {
                *said += 1;
                let span = back_off(first, last, *said);
                self.market.unheard(&node, at.now);
                at.to(node).assign.push(turn);
                at.wake(Alarm::Seat(turn), span);
            }
            SeatState::Working if at.now < ends => {
                seat.state = SeatState::Asked { tries: 0 };
                at.to(node).assign.push(turn);
                at.wake(Alarm::Seat(turn), first);
            }
            SeatState::Asked { .. } | SeatState::Working => {
                let operator = seat.operator;
                self.market.miss(&node, at.now, &self.policy, at.alarms);
                self.learn(turn.job, operator, Conduct::Failed, at);
                self.lose(turn, index, Over::Silent, at);
            }
            _ => {}
        }
    }

    /// Results should have been shown: whoever has not is asked again, or has nothing to show.
    pub(crate) fn reveals_timed_out(&mut self, id: Digest, index: u32, at: &mut Moment<'_>) {
        let broker = self.who.node;
        let tries = self.policy.tries;
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let Some(unit) = job.units.get_mut(&index) else {
            return;
        };
        if unit.stage != Stage::Showing {
            return;
        }
        let (unit_id, mut said, mut hidden) = (unit.id, 0, Vec::new());
        for (attempt, seat) in (0..).zip(&mut unit.seats) {
            let SeatState::Opened(hash, asked) = &mut seat.state else {
                continue;
            };
            if *asked >= tries {
                hidden.push((attempt, seat.node, seat.operator));
                continue;
            }
            *asked += 1;
            said = said.max(*asked);
            let turn = Turn {
                job: id,
                unit: unit_id,
                attempt,
            };
            let commit = Commit {
                turn,
                node: seat.node,
                hash: *hash,
            };
            at.to(seat.node).open.push(Summons { broker, commit });
        }
        for (attempt, ..) in &hidden {
            job.end_seat(index, *attempt, Over::Hidden);
            at.changed(Stored::Unit(id, index));
        }
        job.sort(index);
        for (_, node, operator) in hidden {
            self.market.miss(&node, at.now, &self.policy, at.alarms);
            self.learn(id, operator, Conduct::Failed, at);
        }
        self.queue(id);
        let span = back_off(self.policy.first_retry, self.policy.last_retry, said);
        at.wake(Alarm::Reveals(id, index), span);
        self.advance(id, index, at);
    }

    /// A turn is over without a result: somebody else gets the seat.
    pub(crate) fn lose(&mut self, turn: Turn, index: u32, over: Over, at: &mut Moment<'_>) {
        let Some(job) = self.jobs.get_mut(&turn.job) else {
            return;
        };
        let node = job.units[&index].seats[turn.attempt as usize].node;
        job.end_seat(index, turn.attempt, over);
        job.sort(index);
        at.changed(Stored::Unit(turn.job, index));
        at.alarms.clear(Alarm::Seat(turn));
        self.market.released(&node, at.now);
        self.queue(turn.job);
        self.advance(turn.job, index, at);
    }

    /// Leaves a provider alone for a while.
    pub(crate) fn rest(&mut self, node: &NodeKey, why: Unfit, at: &mut Moment<'_>) {
        self.market.rest(node, why, at.now, &self.policy, at.alarms);
    }

    /// Says again how a turn ended, to somebody who has not heard it.
    fn repeat_end(&mut self, from: NodeKey, turn: Turn, at: &mut Moment<'_>) {
        let job = self.jobs.get(&turn.job);
        let seat = job.and_then(|job| Some((job, job.seat_of(&turn)?)));
        let Some((job, seat)) = seat.filter(|(_, seat)| seat.node == from) else {
            at.to(from).release.push(turn);
            return;
        };
        match seat.state {
            SeatState::Over(Over::Paid { .. } | Over::PaidWrong { .. }) => {
                self.say_paid(from, turn, at);
            }
            SeatState::Over(Over::Wrong { .. } | Over::Unjudged | Over::False) => {
                say_refused(from, turn, at);
            }
            _ => at.to(from).release.push(turn),
        }
        // Whoever was away may not have heard that either, and waits with its claim for more.
        let over = &mut at.to(from).over;
        if job.is_over() && over.last() != Some(&turn.job) {
            over.push(turn.job);
        }
    }
}

/// An abort without what differs from host to host.
fn kind(abort: &Abort) -> String {
    match abort {
        Abort::Compile(_) => "the component did not compile".into(),
        Abort::WorkerDied(_) => "the worker process died".into(),
        Abort::Internal(_) => "the host failed".into(),
        Abort::HostMemory | Abort::Stack | Abort::Watchdog | Abort::MissingInput(_) => {
            abort.to_string()
        }
    }
}
