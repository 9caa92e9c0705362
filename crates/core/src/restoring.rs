//! Makes a participant again from its rows: whoever was waited for is asked again, at once.

use std::collections::BTreeMap;

use opensky_protocol::{
    Account, Class, Digest, NodeKey, Order, Profile, Reveal, Signed, Summons, Turn,
    codec::{self, CodecError},
    ledger::PaidTurn,
};
use parity_scale_codec::{DecodeWithMemTracking, Encode};

use crate::{
    alarm::{Alarm, Alarms},
    broker::Broker,
    credit::{Record, Weight},
    earning::Earning,
    event::{Done, Submission},
    job::Job,
    phase::{Closing, Phase, Progress},
    purse::Purse,
    row::{Row, Table},
    standing::Standing,
    task::{Task, TaskState},
    time::Time,
    unit::{Past, Unit},
    worker::Worker,
};

/// Why rows are not those of a participant.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RestoreError {
    /// A row does not decode.
    #[error("a row of table `{}` is damaged: {error}", table.name())]
    Row {
        /// Which table.
        table: Table,
        /// What is wrong.
        error: CodecError,
    },
    /// A row belongs to one that is not there.
    #[error("a row of table `{}` belongs to one that is not there", table.name())]
    Orphan {
        /// Which table.
        table: Table,
    },
}

/// All rows, by table and key.
pub(crate) struct Rows(BTreeMap<(Table, Vec<u8>), Vec<u8>>);

impl Rows {
    pub(crate) fn new(rows: impl Iterator<Item = Row>) -> Self {
        let there = rows.filter_map(|row| Some(((row.table, row.key), row.value?)));
        Self(there.collect())
    }

    fn table(&self, table: Table) -> impl Iterator<Item = (&[u8], &[u8])> {
        let rows = self.0.range((table, Vec::new())..);
        let rows = rows.take_while(move |((of, _), _)| *of == table);
        rows.map(|((_, key), value)| (key.as_slice(), value.as_slice()))
    }

    fn read<K, V>(&self, table: Table) -> impl Iterator<Item = Result<(K, V), RestoreError>>
    where
        K: DecodeWithMemTracking + Encode,
        V: DecodeWithMemTracking + Encode,
    {
        let wrong = move |error| RestoreError::Row { table, error };
        self.table(table).map(move |(key, value)| {
            let key = codec::decode(key).map_err(wrong)?;
            Ok((key, codec::decode(value).map_err(wrong)?))
        })
    }

    /// Rows whose key is a job's id and a number.
    fn numbered<V>(
        &self,
        table: Table,
    ) -> impl Iterator<Item = Result<(Digest, u32, V), RestoreError>>
    where
        V: DecodeWithMemTracking + Encode,
    {
        let rows = self.read::<(Digest, [u8; 4]), V>(table);
        rows.map(|row| row.map(|((job, index), value)| (job, u32::from_be_bytes(index), value)))
    }
}

const ORPHAN: fn(Table) -> RestoreError = |table| RestoreError::Orphan { table };

impl Broker {
    pub(crate) fn restore(&mut self, rows: &Rows, alarms: &mut Alarms) -> Result<(), RestoreError> {
        for row in rows.read::<(Account, Profile), Standing>(Table::Standings) {
            let ((operator, profile), standing) = row?;
            let excluded = standing.excluded;
            self.standings
                .restore(operator, profile, standing, &self.policy);
            if excluded > Time::default() {
                self.market
                    .exclude(operator, excluded, Time::default(), alarms);
            }
        }
        for row in rows.read::<Digest, Submission>(Table::Submissions) {
            let (id, order) = row?;
            let progress = Progress {
                phase: Phase::Funding,
                locked: 0,
                created: Time::default(),
                ended: Time::default(),
            };
            self.jobs.insert(id, Job::new(id, order, progress));
        }
        for row in rows.read::<Digest, Progress>(Table::Jobs) {
            let (id, progress) = row?;
            let job = self.jobs.get_mut(&id).ok_or(ORPHAN(Table::Jobs))?;
            job.progress = progress;
        }
        self.restore_units(rows)?;
        for row in rows.read::<(Digest, Account), Purse>(Table::Purses) {
            let ((id, operator), purse) = row?;
            let job = self.jobs.get_mut(&id).ok_or(ORPHAN(Table::Purses))?;
            job.purses.insert(operator, purse);
        }
        let ids: Vec<Digest> = self.jobs.keys().copied().collect();
        ids.iter().for_each(|id| self.resume(*id, alarms));
        let mut ended: Vec<_> = self.jobs.values().filter(|job| job.is_over()).collect();
        ended.sort_by_key(|job| (job.progress.ended, job.id));
        self.ended = ended.into_iter().map(|job| job.id).collect();
        Ok(())
    }

    fn restore_units(&mut self, rows: &Rows) -> Result<(), RestoreError> {
        for row in rows.numbered::<Unit>(Table::Units) {
            let (id, index, unit) = row?;
            let job = self.jobs.get_mut(&id).ok_or(ORPHAN(Table::Units))?;
            job.put(index, unit.restored());
        }
        for row in rows.read::<(Digest, Digest), Past>(Table::Past) {
            let ((id, unit), past) = row?;
            let job = self.jobs.get_mut(&id).ok_or(ORPHAN(Table::Past))?;
            job.past.insert(unit, past);
        }
        for row in rows.numbered::<Reveal>(Table::Results) {
            let (id, index, reveal) = row?;
            let job = self.jobs.get_mut(&id).ok_or(ORPHAN(Table::Results))?;
            let class = reveal.statement.class;
            let is_shown = class == Class::Ok && index >= job.last_units().0;
            if !job.is_over() || is_shown {
                job.put_outputs(index, class, reveal.outputs);
            }
            job.fuel = Some(reveal.statement.fuel);
        }
        Ok(())
    }

    /// Asks again for all that a job waits for.
    fn resume(&mut self, id: Digest, alarms: &mut Alarms) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        job.count_money();
        let settled: Vec<u32> = job.outputs.keys().copied().collect();
        settled.iter().for_each(|index| job.note_voices(*index));
        let at_once = Time::default();
        match &job.progress.phase {
            Phase::Funding => alarms.set(Alarm::Escrow(id), at_once),
            Phase::Over { escrow, .. } => {
                for (operator, purse) in &job.purses {
                    self.market.paid(*operator, purse.total);
                }
                if *escrow == Closing::Asked {
                    alarms.set(Alarm::Escrow(id), at_once);
                }
                return;
            }
            Phase::Running | Phase::Winding(_) | Phase::Collecting => {
                job.pool = self.market.open(&job.need, at_once);
                alarms.set(Alarm::Resume(id), at_once);
            }
        }
        alarms.set(Alarm::Deadline(id), job.order.deadline);
        for unit in job.open.iter().filter_map(|index| job.units.get(index)) {
            for (attempt, seat) in (0..).zip(&unit.seats) {
                let turn = Turn {
                    job: id,
                    unit: unit.id,
                    attempt,
                };
                if seat.is_live() {
                    alarms.set(Alarm::Seat(turn), at_once);
                }
            }
        }
        self.queue(id);
    }
}

impl Worker {
    pub(crate) fn restore(&mut self, rows: &Rows, alarms: &mut Alarms) -> Result<(), RestoreError> {
        let at_once = Time::default();
        for row in rows.read::<Digest, Earning>(Table::Earnings) {
            let (job, earning) = row?;
            alarms.set(Alarm::Account(job), at_once);
            self.restore_account(job, earning);
        }
        for row in rows.read::<NodeKey, Record>(Table::Requesters) {
            let (requester, record) = row?;
            self.credits.restore(requester, record);
        }
        for row in rows.numbered::<PaidTurn>(Table::Paid) {
            let (job, _, paid) = row?;
            self.opened.entry(job).or_default().push_back(paid);
        }
        let done = rows.read::<Turn, Done>(Table::Done);
        let mut done = done.collect::<Result<BTreeMap<Turn, Done>, _>>()?;
        let summons = rows.read::<Turn, Signed<Summons>>(Table::Summons);
        let mut summons = summons.collect::<Result<BTreeMap<Turn, _>, _>>()?;
        for row in rows.read::<Turn, Order>(Table::Orders) {
            let (turn, order) = row?;
            let mut sources = order.sources;
            sources.push(order.ticket.value.requester);
            let summons = summons.remove(&turn).map(Box::new);
            let state = match done.remove(&turn) {
                Some(done) => {
                    alarms.set(Alarm::Result(turn), at_once);
                    match summons {
                        Some(_) => TaskState::Shown(Box::new(done), 0),
                        None => TaskState::Promised(Box::new(done), 0),
                    }
                }
                None => TaskState::Queued(Box::new(order.work)),
            };
            let requester = order.ticket.value.requester;
            let is_queued = matches!(state, TaskState::Queued(_));
            let task = Task {
                ticket: order.ticket,
                assignment: order.assignment,
                sources,
                key: order.key,
                state,
                summons,
                began: None,
                counted: Weight::default(),
            };
            self.keep(turn, task);
            match is_queued {
                true => self.wait(turn, &requester),
                false => self.weigh(&turn),
            }
        }
        Ok(())
    }
}
