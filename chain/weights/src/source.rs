//! What was measured, as Rust.

use std::{fmt::Write as _, fs};

use crate::measure::{Cost, Line};

/// The file that says it, before it is formatted.
pub fn of(costs: &[Cost], command: &str) -> String {
    let mut text = format!(
        "//! What the calls cost, written by `{command}`: not by hand.\n\
         //!\n\
         //! Measured in the runtime's WebAssembly, on {}.\n\
         //! A row is in a map of a million, unless all of the map that matters is in the benchmark.\n\n\
         #![allow(missing_docs)] // the benchmarks say what is what\n\n\
         use core::marker::PhantomData;\n\n\
         use frame_support::{{traits::Get as _, weights::Weight}};\n\n\
         /// What the calls cost, each at its worst.\n\
         pub trait WeightInfo {{\n",
        machine()
    );
    for cost in costs {
        push(&mut text, format!("{};\n", head(cost)));
    }
    text += "}\n\n/// As it was measured, with what a row costs on this chain.\n\
             pub struct Measured<T>(PhantomData<T>);\n\n\
             impl<T: frame_system::Config> WeightInfo for Measured<T> {\n";
    for cost in costs {
        push(&mut text, body(cost));
    }
    text + "}\n"
}

fn push(text: &mut String, part: String) {
    text.write_str(&part).expect("a string takes all");
}

fn head(cost: &Cost) -> String {
    let list = cost.list.iter().map(|name| format!("{name}: u32"));
    format!("fn {}({}) -> Weight", cost.name, list.collect::<String>())
}

fn body(cost: &Cost) -> String {
    let Cost {
        time,
        proof,
        reads,
        writes,
        ..
    } = cost;
    let weight = |part: fn(&Line) -> u128| {
        let (time, proof) = (number(part(time)), number(part(proof)));
        let (reads, writes) = (part(reads), part(writes));
        format!(
            "Weight::from_parts({time}, {proof})\
             .saturating_add(T::DbWeight::get().reads_writes({reads}, {writes}))"
        )
    };
    let base = weight(|line| line.base);
    let each = cost.list.iter().map(|name| {
        let each = weight(|line| line.each);
        format!("\n.saturating_add({each}\n.saturating_mul({name}.into()))")
    });
    format!(
        "{} {{\n{base}{}\n}}\n",
        head(cost),
        each.collect::<String>()
    )
}

/// With underscores between thousands.
fn number(value: u128) -> String {
    let digits = value.to_string();
    let place = |at: usize| at > 0 && (digits.len() - at).is_multiple_of(3);
    let apart = digits.chars().enumerate();
    apart.fold(String::new(), |text, (at, digit)| match place(at) {
        true => format!("{text}_{digit}"),
        false => format!("{text}{digit}"),
    })
}

/// The class of this machine: its processor, as it names itself, and how many there are.
fn machine() -> String {
    let told = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = told
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let name = name.map_or("a processor without a name", |name| {
        name.trim_start_matches([' ', '\t', ':'])
    });
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} cores of {name}")
}
