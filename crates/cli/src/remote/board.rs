//! How a job is going, from its events: a table that is drawn again and again, and lines of news.

use std::{collections::BTreeMap, time::Duration};

use opensky_api::{Class, JobEvent, JobState, JobSummary, Stage, Unit, UnitState, World};

use crate::{
    foreign,
    report::group,
    term::{DIM, GOOD, NOTE, PLAIN, WARN},
};

/// Units that have a row of their own: more of them are counted.
const ROWS: usize = 8;
/// Units that are shown beside the counts.
const BUSY: usize = 6;
/// The longest row: a terminal of 80 columns.
const WIDTH: usize = 80;

/// What is known of a job.
#[derive(Debug, Default)]
pub struct Board {
    job: Option<JobSummary>,
    units: BTreeMap<(Stage, u32), Unit>,
    /// The quarters of the job that were told of.
    quarters: u32,
}

/// A line about what has happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct News {
    /// The line.
    pub text: String,
    /// Whether it is about something that does not happen when all goes well.
    pub odd: bool,
}

impl News {
    fn usual(text: String) -> Self {
        Self { text, odd: false }
    }
}

impl Board {
    /// Takes an event in, and answers what of it is news.
    pub fn hear(&mut self, event: JobEvent) -> Vec<News> {
        match event {
            JobEvent::Job(job) | JobEvent::End(job) => self.hear_job(job),
            JobEvent::Unit(unit) => self.hear_unit(unit),
        }
    }

    /// The job as it was told of last.
    pub fn job(&self) -> Option<&JobSummary> {
        self.job.as_ref()
    }

    /// Whether somebody may yet bring a result: else the job waits for a provider, or for its money.
    pub fn is_somebody_at_it(&self) -> bool {
        self.job.as_ref().is_none_or(|job| match job.state {
            JobState::Funding => false,
            JobState::Running => job.running > job.promised,
            _ => true,
        })
    }

    /// Whether the job waits for the ledger to set its money aside.
    pub fn is_funding(&self) -> bool {
        let state = self.job.as_ref().map(|job| job.state);
        state == Some(JobState::Funding)
    }

    fn hear_job(&mut self, job: JobSummary) -> Vec<News> {
        let before = self.job.as_ref().map(|job| job.state);
        let mut news = Vec::new();
        if before != Some(job.state) && job.state != JobState::Ended {
            news.push(News::usual(state_text(job.state).to_owned()));
        }
        news.extend(self.quarter(&job));
        self.job = Some(job);
        news
    }

    /// A line for each quarter of a job of many units.
    fn quarter(&mut self, job: &JobSummary) -> Option<News> {
        let (done, all) = (u64::from(job.units_done), u64::from(job.units));
        let quarter = (4 * done).checked_div(all).unwrap_or(0) as u32;
        if quarter <= self.quarters || job.units as usize <= ROWS {
            return None;
        }
        self.quarters = quarter;
        Some(News::usual(format!("{done} of {all} units agreed")))
    }

    fn hear_unit(&mut self, unit: Unit) -> Vec<News> {
        let key = (unit.stage, unit.index);
        let before = self.units.insert(key, unit.clone());
        let many = self.planned() > ROWS;
        let mut news = Vec::new();
        if !many {
            news.extend(turns(before.as_ref(), &unit));
        }
        let was_agreed = before.is_some_and(|unit| unit.state == UnitState::Agreed);
        if unit.state == UnitState::Agreed && !was_agreed {
            match many {
                true => news.extend(detour(&unit)),
                false => news.push(News::usual(format!("{}: {}", place(&unit), agreed(&unit)))),
            }
        }
        news
    }

    /// Units that there will be, as far as is known.
    fn planned(&self) -> usize {
        let planned = self.job.as_ref().map_or(0, |job| job.units as usize);
        planned.max(self.units.len())
    }

    /// The table as it is now: lines that fit a terminal of 80 columns.
    pub fn lines(&self, name: &str, waited: Duration) -> Vec<String> {
        let Some(job) = &self.job else {
            return vec![format!("  {DIM}waiting for the node{PLAIN}")];
        };
        let name = foreign::name(name);
        let mut lines = vec![format!(
            "  {NOTE}{}{PLAIN}  {name:.20}  {}  {}/{} units  {DIM}{}{PLAIN}",
            job.job.short(),
            state_text(job.state),
            job.units_done,
            job.units,
            clock(waited),
        )];
        match self.planned() <= ROWS {
            true => lines.extend(self.units.values().map(row)),
            false => lines.extend(self.many(job)),
        }
        lines
    }

    fn many(&self, job: &JobSummary) -> Vec<String> {
        const BAR: u64 = 30;
        let (done, all) = (u64::from(job.units_done), u64::from(job.units));
        let full = (BAR * done).checked_div(all).unwrap_or(0).min(BAR);
        let bar = |len| "━".repeat(len as usize);
        let mut busy: Vec<&Unit> = self.units.values().filter(|unit| is_busy(unit)).collect();
        let mut lines = vec![format!(
            "  {GOOD}{}{PLAIN}{DIM}{}{PLAIN}  {done}/{all} agreed, {} running",
            bar(full),
            bar(BAR - full),
            busy.len(),
        )];
        // The one that takes the most turns is the one to look at.
        busy.sort_by_key(|unit| (usize::MAX - unit.turns.len(), unit.stage, unit.index));
        lines.extend(busy.into_iter().take(BUSY).map(row));
        lines
    }
}

fn is_busy(unit: &Unit) -> bool {
    unit.state == UnitState::Running
}

/// What is new with the turns of a unit.
fn turns(before: Option<&Unit>, unit: &Unit) -> Vec<News> {
    let known = before.map_or(&[][..], |unit| &unit.turns);
    let new = unit.turns.iter().filter(|turn| !known.contains(turn));
    let told = new.map(|turn| {
        let state = foreign::name(&turn.state);
        News::usual(format!(
            "{}: {} {state}",
            place(unit),
            turn.provider.short()
        ))
    });
    told.collect()
}

/// A unit of which not every turn gave the result, and what became of each.
fn detour(unit: &Unit) -> Option<News> {
    if unit.turns.len() <= unit.agreed as usize {
        return None;
    }
    let each = unit.turns.iter().map(|turn| {
        let state = foreign::name(&turn.state);
        format!("\n    {} {state}", turn.provider.short())
    });
    let text = format!(
        "{}: {}{}",
        place(unit),
        agreed(unit),
        each.collect::<String>()
    );
    Some(News { text, odd: true })
}

/// How many of those who have shown a result have the one that is believed.
pub fn agreed(unit: &Unit) -> String {
    let (agreed, compared, wanted) = (unit.agreed, unit.compared, unit.wanted);
    match compared < wanted {
        true => format!("{agreed} of {compared} agree, {wanted} were wanted"),
        false => format!("{agreed} of {compared} agree"),
    }
}

fn row(unit: &Unit) -> String {
    let style = match unit.state {
        UnitState::Agreed => GOOD,
        UnitState::Dropped => WARN,
        UnitState::Placing | UnitState::Running => DIM,
    };
    let so_far = match unit.state {
        UnitState::Agreed => unit.agreed,
        _ => unit.promised,
    };
    let head = format!(
        "{:<11} {:<8} {so_far}/{}",
        place(unit),
        unit_text(unit.state),
        unit.wanted
    );
    let room = WIDTH.saturating_sub(head.chars().count() + 4);
    let turns = unit
        .turns
        .iter()
        .rev()
        .map(|turn| format!("{} {}", turn.provider.short(), foreign::name(&turn.state)));
    let turns: String = turns
        .collect::<Vec<_>>()
        .join("; ")
        .chars()
        .take(room)
        .collect();
    format!("  {style}{head}{PLAIN}  {DIM}{turns}{PLAIN}")
}

/// Which unit it is: `map 3`.
pub fn place(unit: &Unit) -> String {
    match unit.stage {
        Stage::Whole | Stage::Finish => stage_text(unit.stage).into(),
        stage => format!("{} {}", stage_text(stage), unit.index),
    }
}

/// A stage in a word.
pub fn stage_text(stage: Stage) -> &'static str {
    match stage {
        Stage::Whole => "unit",
        Stage::Map => "map",
        Stage::Reduce => "reduce",
        Stage::Finish => "finish",
        Stage::Steps => "steps",
    }
}

/// How far a job is, in words.
pub fn state_text(state: JobState) -> &'static str {
    match state {
        JobState::Funding => "setting money aside",
        JobState::Running => "running",
        JobState::Collecting => "fetching the output",
        JobState::Settling => "settling",
        JobState::Ended => "ended",
    }
}

/// How far a unit is, in a word.
pub fn unit_text(state: UnitState) -> &'static str {
    match state {
        UnitState::Placing => "placing",
        UnitState::Running => "running",
        UnitState::Agreed => "agreed",
        UnitState::Dropped => "dropped",
    }
}

/// What a program did, as `opensky run` says it.
pub fn class_text(class: Class) -> &'static str {
    opensky_protocol::Class::from(class).name()
}

/// What of a program is called.
pub fn world_text(world: World) -> &'static str {
    match world {
        World::Job => "job",
        World::Command => "command",
        World::MapReduce => "map-reduce",
        World::MapReduceFinish => "map-reduce with finish",
        World::Stepper => "stepper",
    }
}

/// Fuel in digits for people.
pub fn fuel_text(fuel: opensky_api::Fuel) -> String {
    group(fuel.0)
}

fn clock(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds / 3600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::samples;

    fn texts(news: Vec<News>) -> Vec<String> {
        news.into_iter().map(|news| news.text).collect()
    }

    #[test]
    fn few_units_have_a_row_each_and_every_turn_is_told() {
        let mut board = Board::default();
        assert_eq!(
            texts(board.hear(JobEvent::Job(samples::job(JobState::Running)))),
            ["running"]
        );
        let mut unit = samples::unit(Stage::Map, 0, UnitState::Running);
        unit.turns = vec![
            samples::turn(1, "has a result"),
            samples::turn(2, "runs it"),
        ];
        assert_eq!(
            texts(board.hear(JobEvent::Unit(unit.clone()))),
            [
                "map 0: p-040g208104 has a result",
                "map 0: p-081040g208 runs it"
            ]
        );
        assert_eq!(texts(board.hear(JobEvent::Unit(unit.clone()))), [""; 0]);
        expect_test::expect![[r#"
            |   j-040g208104  census  running  1/2 units  1:05
            |   map 0       running  0/2  p-081040g208 runs it; p-040g208104 has a result
        "#]]
        .assert_eq(&samples::screen(
            &board.lines("census", Duration::from_secs(65)).join("\n"),
        ));
        assert!(board.is_somebody_at_it());
        let mut job = samples::job(JobState::Running);
        job.promised = job.running;
        board.hear(JobEvent::Job(job));
        assert!(!board.is_somebody_at_it(), "it has a result, and waits");
        (unit.state, unit.agreed, unit.compared) = (UnitState::Agreed, 2, 2);
        assert_eq!(
            texts(board.hear(JobEvent::Unit(unit))),
            ["map 0: 2 of 2 agree"]
        );
    }

    #[test]
    fn nobody_is_at_a_job_whose_money_is_not_set_aside() {
        let mut board = Board::default();
        assert!(board.is_somebody_at_it(), "nothing is known of it");
        board.hear(JobEvent::Job(samples::job(JobState::Funding)));
        assert!(!board.is_somebody_at_it() && board.is_funding());
        board.hear(JobEvent::Job(samples::job(JobState::Collecting)));
        assert!(board.is_somebody_at_it() && !board.is_funding());
    }

    #[test]
    fn many_units_are_counted_and_detours_told() {
        let mut board = Board::default();
        board.hear(JobEvent::Job(samples::job(JobState::Running)));
        for index in 0..40 {
            board.hear(JobEvent::Unit(samples::unit(
                Stage::Map,
                index,
                UnitState::Placing,
            )));
        }
        let mut news = Vec::new();
        let mut job = samples::job(JobState::Running);
        job.units = 40;
        for index in 0..20 {
            let mut unit = samples::unit(Stage::Map, index, UnitState::Agreed);
            (unit.agreed, unit.compared) = (2, 2);
            unit.turns = vec![samples::turn(1, "agreed"), samples::turn(3, "agreed")];
            if index == 5 {
                (unit.wanted, unit.compared) = (3, 3);
                let wrong = samples::turn(2, "had another result than the others");
                unit.turns.insert(1, wrong);
            }
            job.units_done = index + 1;
            news.extend(board.hear(JobEvent::Unit(unit)));
            news.extend(board.hear(JobEvent::Job(job.clone())));
        }
        let odd: Vec<_> = news.iter().map(|news| news.odd).collect();
        assert_eq!(odd, [true, false, false]);
        expect_test::expect![[r#"
            map 5: 2 of 3 agree
                p-040g208104 agreed
                p-081040g208 had another result than the others
                p-0c1g60r30c agreed
            10 of 40 units agreed
            20 of 40 units agreed"#]]
        .assert_eq(&texts(news).join("\n"));
        board.hear(JobEvent::Unit(samples::unit(
            Stage::Map,
            30,
            UnitState::Running,
        )));
        expect_test::expect![[r#"
            |   j-040g208104  census  running  20/40 units  1:01:40
            |   ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━  20/40 agreed, 1 running
            |   map 30      running  0/2
        "#]]
        .assert_eq(&samples::screen(
            &board.lines("census", Duration::from_secs(3700)).join("\n"),
        ));
    }

    #[test]
    fn who_was_never_needed_and_who_was_missing_are_no_voices() {
        let mut unit = samples::unit(Stage::Whole, 0, UnitState::Agreed);
        (unit.agreed, unit.compared) = (2, 2);
        let states = ["agreed", "agreed", "was not needed any more"];
        unit.turns = states.map(|state| samples::turn(1, state)).into();
        assert_eq!(agreed(&unit), "2 of 2 agree");
        (unit.agreed, unit.compared, unit.wanted) = (3, 3, 4);
        assert_eq!(agreed(&unit), "3 of 3 agree, 4 were wanted");
    }

    #[test]
    fn rows_fit_a_terminal_of_80_columns() {
        let mut board = Board::default();
        board.hear(JobEvent::Job(samples::job(JobState::Funding)));
        let mut unit = samples::unit(Stage::Reduce, 4095, UnitState::Dropped);
        unit.turns = vec![samples::turn(1, "did not show the result that it had promised"); 16];
        board.hear(JobEvent::Unit(unit));
        for line in board.lines(&"n".repeat(64), Duration::from_secs(36_000)) {
            let line = samples::plain(&line);
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }
}
