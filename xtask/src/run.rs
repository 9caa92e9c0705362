//! Starting other programs from the workspace's folder, and saying which.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};

/// The workspace's folder: that of the checkout in which `cargo xtask` was typed. Asked when it runs,
/// because checkouts that share a target folder may share this binary too.
pub fn root() -> PathBuf {
    let built = || env!("CARGO_MANIFEST_DIR").into();
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(built, PathBuf::from);
    let root = package.parent().map(Path::to_owned);
    root.expect("this package is a folder of the workspace")
}

/// The cargo that started us. What that one told us of this package is kept from it: build scripts of dependencies ask for
/// the same variables, so they would be run again, and half of the network compiled, whenever somebody types a command of
/// cargo in between, or works in another folder.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let told = std::env::vars_os().map(|(name, _)| name);
    for name in told.filter(|name| is_of_package(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    command.current_dir(root());
    command
}

/// Whether cargo tells by this variable which package it is that it runs.
fn is_of_package(variable: &str) -> bool {
    variable.starts_with("CARGO_PKG_") || variable.starts_with("CARGO_MANIFEST_")
}

/// Runs `command` to its end, its streams being ours. A failure is an error that says how to repeat it.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// What a command prints, if it succeeds.
pub fn answer(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output();
    let output = output.with_context(|| format!("cannot start `{}`", shown(command)))?;
    anyhow::ensure!(output.status.success(), "`{}` failed", shown(command));
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether `command` runs and succeeds; what it prints is dropped.
pub fn succeeds(command: &mut Command) -> bool {
    let quiet = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// The line that a person types in the workspace's folder to do the same.
pub fn shown(command: &Command) -> String {
    let variables = command.get_envs().filter_map(|(name, value)| {
        let value = quoted(&value?.to_string_lossy());
        Some(format!("{}={value}", name.to_string_lossy()))
    });
    let program = PathBuf::from(command.get_program());
    let program = match program.file_name() {
        Some(name) if name == "cargo" => "cargo".to_owned(),
        _ => quoted(&program.to_string_lossy()),
    };
    let args = command.get_args().map(|arg| quoted(&arg.to_string_lossy()));
    let words: Vec<_> = variables.chain([program]).chain(args).collect();
    words.join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_command_can_be_pasted_into_a_shell() {
        let mut command = Command::new("/somewhere/bin/cargo");
        command
            .env("RUSTDOCFLAGS", "-D warnings")
            .env_remove("GONE");
        command.args(["doc", "it's", ""]);
        assert_eq!(
            shown(&command),
            r"RUSTDOCFLAGS='-D warnings' cargo doc 'it'\''s' ''"
        );
    }

    /// Whoever runs this test tells which package it is of.
    #[test]
    fn cargo_is_not_told_of_this_package() {
        let command = cargo();
        let taken: Vec<_> = command.get_envs().collect();
        for name in ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME"] {
            assert!(taken.contains(&(name.as_ref(), None)), "{taken:?}");
        }
    }

    #[test]
    fn failure_names_the_command() {
        let error = run(Command::new("sh").args(["-c", "exit 3"])).expect_err("it fails");
        assert_eq!(
            error.to_string(),
            "`sh -c 'exit 3'` failed (exit status: 3)"
        );
        assert!(run(&mut Command::new("/no/such/program")).is_err());
    }
}
