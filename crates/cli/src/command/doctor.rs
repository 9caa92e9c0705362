//! `opensky doctor`: what this machine has and lacks, and the set-up that mends it.

use std::{fmt::Write as _, path::Path};

use serde_json::json;

use crate::{
    Exit,
    host::{self, Feature},
    term::{self, BAD, DIM, Format, GOOD, PLAIN, WARN},
    toolchain::{self, Consent, TARGET, Toolchain},
};

/// Find and mend what is missing on this machine.
///
/// Looks for a Rust compiler that builds guests (wasm32-wasip2) and for the kernel's means to lock
/// strangers' code in. With --fix it gets the compiler's missing part: from rustup, else from
/// Debian's packages (it shows the apt-get command and asks first; where there is no terminal it
/// goes ahead). Exits with 0 if guests can be built here, else with 4.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  opensky doctor                 what is there, what is missing
  opensky doctor --fix           get what is missing
  opensky doctor --format json   for scripts")]
pub struct Args {
    /// Get what is missing.
    #[arg(long)]
    fix: bool,
    /// Install system packages without asking.
    #[arg(long, requires = "fix")]
    yes: bool,
    /// How to report on stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Looks, mends if asked to, reports.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let here = Path::new(".");
    let consent = if args.yes {
        Consent::Given
    } else {
        Consent::Ask
    };
    let toolchain = match args.fix {
        true => Some(toolchain::fix(here, consent)?),
        false => Toolchain::find(here)?,
    };
    let features = host::features();
    match args.format {
        Format::Text => term::to_stdout(&as_text(toolchain.as_ref(), &features))?,
        Format::Json => term::json_to_stdout(&as_json(toolchain.as_ref(), &features))?,
    }
    Ok(match toolchain {
        Some(_) => Exit::Success,
        None => Exit::Host,
    })
}

fn as_text(toolchain: Option<&Toolchain>, features: &[Feature]) -> String {
    let mut text = String::new();
    match toolchain {
        Some(found) => {
            row(
                &mut text,
                &format!("{GOOD}ok     {PLAIN}"),
                TARGET,
                &found.version,
                "jobs can be built",
            );
            put(
                &mut text,
                format_args!("         {DIM}{}{PLAIN}\n", found.library.display()),
            );
        }
        None => row(
            &mut text,
            &format!("{BAD}missing{PLAIN}"),
            TARGET,
            "-",
            "jobs cannot be built; mend it with: opensky doctor --fix",
        ),
    }
    for feature in features {
        let state = match feature.found {
            Some(_) => format!("{GOOD}ok     {PLAIN}"),
            None => format!("{WARN}missing{PLAIN}"),
        };
        let found = feature.found.as_deref().unwrap_or("-");
        row(&mut text, &state, feature.name, found, feature.meaning);
    }
    text
}

fn row(text: &mut String, state: &str, name: &str, found: &str, meaning: &str) {
    // A compiler's version is longer than what a kernel has to say; the rest is in its first words.
    let found = found.split(" (").next().unwrap_or(found);
    put(
        text,
        format_args!("{state}  {name:<14} {found:<14}  {meaning}\n"),
    );
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.write_fmt(line)
        .expect("writing to a string cannot fail");
}

/// `ok` is about building guests: what the kernel lacks is a risk that a provider weighs.
fn as_json(toolchain: Option<&Toolchain>, features: &[Feature]) -> serde_json::Value {
    let toolchain_json = toolchain.map(|found| {
        json!({
            "target": TARGET,
            "version": found.version,
            "cargo": term::path(&found.cargo),
            "rustc": term::path(&found.rustc),
            "library": term::path(&found.library),
        })
    });
    let features: Vec<_> = features
        .iter()
        .map(|feature| {
            json!({
                "name": feature.name,
                "ok": feature.found.is_some(),
                "found": feature.found,
                "meaning": feature.meaning,
            })
        })
        .collect();
    json!({ "ok": toolchain.is_some(), "toolchain": toolchain_json, "sandbox": features })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features() -> Vec<Feature> {
        vec![
            Feature {
                name: "Landlock",
                found: Some("ABI 4".into()),
                meaning: "there",
            },
            Feature {
                name: "seccomp",
                found: None,
                meaning: "not there",
            },
        ]
    }

    #[test]
    fn table_is_aligned_and_names_the_mending_command() {
        let text = anstream::adapter::strip_str(&as_text(None, &features())).to_string();
        expect_test::expect![[r#"
            missing  wasm32-wasip2  -               jobs cannot be built; mend it with: opensky doctor --fix
            ok       Landlock       ABI 4           there
            missing  seccomp        -               not there
        "#]]
        .assert_eq(&text);
    }

    #[test]
    fn json_says_ok_only_with_a_toolchain() {
        let report = as_json(None, &features());
        assert_eq!(report["ok"], false);
        assert_eq!(report["sandbox"][0]["found"], "ABI 4");
        assert_eq!(report["sandbox"][1]["ok"], false);
    }
}
