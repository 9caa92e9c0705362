//! How a job is going, from its events: a table that is drawn again and again, and lines of news.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

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
    /// Stage by stage, the quarters that were told of.
    quarters: BTreeMap<Stage, usize>,
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

    fn hear_job(&mut self, job: JobSummary) -> Vec<News> {
        let before = self.job.as_ref().map(|job| job.state);
        let state = job.state;
        self.job = Some(job);
        match state {
            state if before == Some(state) => Vec::new(),
            JobState::Ended => Vec::new(),
            state => vec![News::usual(state_text(state).to_owned())],
        }
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
                true => {
                    news.extend(detour(&unit));
                    news.extend(self.quarter(key.0));
                }
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

    /// A line for each quarter of a stage that is done.
    fn quarter(&mut self, stage: Stage) -> Option<News> {
        let (done, all) = self.count(stage);
        let quarter = 4 * done / all.max(1);
        let told = self.quarters.entry(stage).or_default();
        if quarter <= *told {
            return None;
        }
        *told = quarter;
        Some(News::usual(format!(
            "{}: {done} of {all} agreed",
            stage_text(stage)
        )))
    }

    /// Agreed ones, and all.
    fn count(&self, stage: Stage) -> (usize, usize) {
        let of = self.units.values().filter(|unit| unit.stage == stage);
        of.fold((0, 0), |(done, all), unit| {
            (done + usize::from(unit.state == UnitState::Agreed), all + 1)
        })
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
            false => lines.extend(self.many()),
        }
        lines
    }

    fn many(&self) -> Vec<String> {
        let stages: BTreeSet<Stage> = self.units.keys().map(|(stage, _)| *stage).collect();
        let stages = stages.into_iter().map(|stage| self.stage_line(stage));
        let mut busy: Vec<&Unit> = self.units.values().filter(|unit| is_busy(unit)).collect();
        // The one that takes the most turns is the one to look at.
        busy.sort_by_key(|unit| (usize::MAX - unit.turns.len(), unit.stage, unit.index));
        stages.chain(busy.into_iter().take(BUSY).map(row)).collect()
    }

    fn stage_line(&self, stage: Stage) -> String {
        const BAR: usize = 30;
        let (done, all) = self.count(stage);
        let full = BAR * done / all.max(1);
        let (bar, rest) = ("━".repeat(full), "━".repeat(BAR - full));
        let busy = self
            .units
            .values()
            .filter(|unit| unit.stage == stage && is_busy(unit));
        format!(
            "  {:<7} {GOOD}{bar}{PLAIN}{DIM}{rest}{PLAIN}  {done}/{all} agreed, {} running",
            stage_text(stage),
            busy.count(),
        )
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

/// A unit that took more turns than were wanted, and what became of each.
fn detour(unit: &Unit) -> Option<News> {
    if unit.turns.len() <= unit.wanted as usize {
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

fn agreed(unit: &Unit) -> String {
    format!("{} of {} agree", unit.agreed, unit.turns.len())
}

fn row(unit: &Unit) -> String {
    let style = match unit.state {
        UnitState::Agreed => GOOD,
        UnitState::Dropped => WARN,
        UnitState::Placing | UnitState::Running => DIM,
    };
    let head = format!(
        "{:<11} {:<8} {}/{}",
        place(unit),
        unit_text(unit.state),
        unit.agreed,
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
        (unit.state, unit.agreed) = (UnitState::Agreed, 2);
        assert_eq!(
            texts(board.hear(JobEvent::Unit(unit))),
            ["map 0: 2 of 2 agree"]
        );
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
        for index in 0..20 {
            let mut unit = samples::unit(Stage::Map, index, UnitState::Agreed);
            unit.agreed = 2;
            if index == 5 {
                unit.turns = vec![
                    samples::turn(1, "agreed"),
                    samples::turn(2, "had another result than the others"),
                    samples::turn(3, "agreed"),
                ];
            }
            news.extend(board.hear(JobEvent::Unit(unit)));
        }
        let odd: Vec<_> = news.iter().map(|news| news.odd).collect();
        assert_eq!(odd, [true, false, false]);
        expect_test::expect![[r#"
            map 5: 2 of 3 agree
                p-040g208104 agreed
                p-081040g208 had another result than the others
                p-0c1g60r30c agreed
            map: 10 of 40 agreed
            map: 20 of 40 agreed"#]]
        .assert_eq(&texts(news).join("\n"));
        board.hear(JobEvent::Unit(samples::unit(
            Stage::Map,
            30,
            UnitState::Running,
        )));
        expect_test::expect![[r#"
            |   j-040g208104  census  running  1/2 units  1:01:40
            |   map     ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━  20/40 agreed, 1 running
            |   map 30      running  0/2
        "#]]
        .assert_eq(&samples::screen(
            &board.lines("census", Duration::from_secs(3700)).join("\n"),
        ));
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
