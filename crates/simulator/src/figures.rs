//! The figures that a scenario gives.

use core::time::Duration;
use std::collections::BTreeMap;

use crate::{
    character::Character,
    scenario::Choice,
    tally::{JobTally, median_until_caught},
    world::World,
};

type IsKind = fn(Character) -> bool;

/// What a run of a scenario came to.
#[derive(Clone, PartialEq, Debug)]
pub struct Figures {
    /// How units were replicated.
    pub choice: Choice,
    /// Figures by name.
    pub lines: Vec<(String, String)>,
}

impl Figures {
    /// Those of a world that has come to its end. Averages are counted after the first `warm_up`
    /// hundredths of its jobs.
    pub(crate) fn of(warm_up: u64, choice: Choice, world: &mut World) -> Self {
        let mut lines = Vec::new();
        let mut line = |name: &str, value: String| lines.push((name.to_owned(), value));
        let (handled, took) = match &mut world.recorder {
            Some(recorder) => recorder.measured(),
            None => (0, Duration::ZERO),
        };
        let jobs = &world.tally.jobs;
        let units: u64 = jobs.iter().map(|job| job.units).sum();
        line("units", units.to_string());
        line("executions", world.executions.to_string());
        line("events", handled.to_string());
        let rate = handled as f64 / took.as_secs_f64().max(1e-9);
        line("events_per_s_core", format!("{rate:.0}"));
        let mut endings: BTreeMap<&str, usize> = BTreeMap::new();
        for job in jobs {
            *endings.entry(job.ending).or_default() += 1;
        }
        for (ending, count) in endings {
            line(&format!("jobs_{ending}"), count.to_string());
        }
        let lost = |jobs: &[JobTally]| -> f64 {
            let paid: u128 = jobs.iter().map(|job| job.paid).sum();
            let wrong: u128 = jobs.iter().map(|job| job.paid_wrong).sum();
            wrong as f64 / paid.max(1) as f64
        };
        line("value_lost_fraction", format!("{:.5}", lost(jobs)));
        line(
            "value_lost_fraction_last_half",
            format!("{:.5}", lost(&jobs[jobs.len() / 2..])),
        );
        let tenths: Vec<String> = (0..10)
            .map(|tenth| {
                let (from, to) = (jobs.len() * tenth / 10, jobs.len() * (tenth + 1) / 10);
                format!("{:.4}", lost(&jobs[from..to]))
            })
            .collect();
        line("value_lost_by_tenth", tenths.join(" "));
        let wrong: u64 = jobs.iter().map(|job| job.wrong).sum();
        line(
            "wrong_units_accepted_fraction",
            format!("{:.5}", wrong as f64 / units.max(1) as f64),
        );
        let warm = jobs.len() * warm_up as usize / 100;
        if warm < jobs.len() {
            let accepted: u64 = jobs[warm..].iter().map(|job| job.units).sum();
            let ran: u64 = jobs[warm..].iter().map(|job| job.executions).sum();
            let each = ran as f64 / accepted.max(1) as f64;
            line("executions_per_accepted_unit", format!("{each:.3}"));
        }
        Self::of_characters(world, &mut lines);
        Self { choice, lines }
    }

    fn of_characters(world: &World, lines: &mut Vec<(String, String)>) {
        let mut line = |name: &str, value: String| lines.push((name.to_owned(), value));
        let of = |kind: IsKind| -> Vec<usize> {
            let nodes = world.nodes.iter().enumerate();
            let nodes = nodes.filter(|(_, node)| !node.is_requester() && kind(node.character));
            nodes.map(|(place, _)| place).collect()
        };
        let caught = |place: &usize| world.tally.caught.get(place);
        let kinds: [(&str, IsKind); 6] = [
            ("10_percent_liar", |kind| {
                matches!(kind, Character::Sometimes { .. })
            }),
            ("liar", |kind| matches!(kind, Character::Liar(_))),
            ("copier", |kind| kind == Character::Copier),
            ("sybil", |kind| kind == Character::Sybil),
            ("ring_member", |kind| kind == Character::Ring),
            ("honest", |kind| kind == Character::Honest),
        ];
        for (name, kind) in kinds {
            let places = of(kind);
            if places.is_empty() {
                continue;
            }
            let runs = places
                .iter()
                .map(|place| u64::from(world.nodes[*place].runs));
            let part = runs.sum::<u64>() as f64 / world.executions.max(1) as f64;
            line(
                &format!("{name}s_share_of_executions"),
                format!("{part:.4}"),
            );
            let share = places.iter().filter_map(caught).count() as f64 / places.len() as f64;
            if name == "honest" {
                line("honest_false_exclusion", format!("{share:.5}"));
                continue;
            }
            line(&format!("{name}s_excluded"), format!("{share:.3}"));
            let until = |place: &usize| match caught(place) {
                Some(units) => (*units, true),
                None => (world.nodes[*place].runs, false),
            };
            let median = median_until_caught(places.iter().map(until).collect());
            let median = median.map_or_else(|| "never".to_owned(), |units| units.to_string());
            line(&format!("median_units_to_catch_{name}"), median);
        }
    }
}
