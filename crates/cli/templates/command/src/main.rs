//! Numbers the lines of its input, or of what `--from N` leaves of it.

use std::{
    env,
    io::{self, BufRead, Write},
    process::ExitCode,
};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let Some(first) = first_line(&args) else {
        eprintln!("usage: [--from N]");
        return ExitCode::from(2);
    };
    match number(io::stdin().lock(), io::stdout().lock(), first) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The number of the first line that is wanted; `None` if the arguments make no sense.
fn first_line(args: &[String]) -> Option<usize> {
    match args {
        [] => Some(1),
        [flag, number] if flag == "--from" => number.parse().ok(),
        _ => None,
    }
}

fn number(input: impl BufRead, mut output: impl Write, first: usize) -> io::Result<()> {
    for (line, number) in input.lines().zip(1..).skip(first.saturating_sub(1)) {
        writeln!(output, "{number:>4}  {}", line?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered_from_the_first_wanted_one() {
        let mut output = Vec::new();
        number("a\nb\nc\n".as_bytes(), &mut output, 2).unwrap();
        assert_eq!(output, b"   2  b\n   3  c\n");
    }

    #[test]
    fn odd_arguments_are_refused() {
        let from = |number: &str| first_line(&["--from".to_owned(), number.to_owned()]);
        assert_eq!(from("7"), Some(7));
        assert_eq!(from("x"), None);
    }
}
