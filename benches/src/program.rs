//! What the benchmarks' programs have in common: a command line, and how they end.

use std::process::ExitCode;

use crate::{Effort, Error, Figures};

/// Answers a question: prints its figures, and ends as `opensky` ends. With more on its command line than `--quick` the
/// program was started as something else, which `otherwise` is: a worker of its own, or a node.
pub fn main(
    otherwise: impl FnOnce(&[String]) -> ExitCode,
    answer: impl FnOnce(Effort) -> Result<Figures, Error>,
) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let effort = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Effort::Full,
        ["--quick"] => Effort::Quick,
        _ => return otherwise(&arguments),
    };
    match answer(effort) {
        Ok(figures) => {
            println!("\n{figures}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(4)
        }
    }
}
