//! How the receipt of a job is checked: the command, with what it takes where the job is encrypted.

use std::path::Path;

use opensky_api::{JobSpec, JobSummary, Plan};

use super::{hint, reach::At};
use crate::term::{self, NOTE, PLAIN};

/// The command that checks a job's receipt in a file of that name. Of an encrypted job nothing is kept
/// here, so that its key and files have to be given: `key` stands for the former.
pub fn command(file: &str, job: &JobSummary, spec: &JobSpec, key: &str) -> String {
    let mut command = format!("opensky verify {file}");
    if !spec.encrypt {
        return command;
    }
    command.push_str(&format!(" --content-key {key}"));
    // What is deployed is public, and was kept.
    if job.name.is_none() {
        command.push_str(" --component PROGRAM");
    }
    let has_input = !matches!(spec.plan, Plan::One { input: None });
    if has_input {
        command.push_str(" --input INPUT");
    }
    let named = spec.inputs.keys();
    named
        .for_each(|name| command.push_str(&format!(" --in {}=FILE", term::typed(Path::new(name)))));
    command
}

/// The rows that tell a person how to check the receipt in that file.
pub fn rows(job: &JobSummary, spec: &JobSpec, file: &Path, at: &At) -> Vec<(&'static str, String)> {
    let noted = |command: String| format!("{NOTE}{command}{PLAIN}");
    let typed = term::typed(file).to_string();
    let check = ("check it", noted(command(&typed, job, spec, "KEY")));
    let key = || hint::command(at, &format!("job key {}", job.job.short()));
    match spec.encrypt {
        true => vec![("key", noted(key())), check],
        false => vec![check],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use opensky_api::{Hex, JobState};

    use super::*;
    use crate::remote::samples;

    #[test]
    fn receipt_of_an_encrypted_job_is_checked_with_its_key_and_files() {
        let mut job = samples::job(JobState::Ended);
        let mut spec = samples::spec(Plan::One {
            input: Some(Hex([1; 32])),
        });
        let shown = |job: &JobSummary, spec: &JobSpec| {
            let rows = rows(job, spec, Path::new("a.receipt"), &At::default());
            samples::screen(&term::columns(rows))
        };
        assert_eq!(
            shown(&job, &spec),
            "|   check it  opensky verify a.receipt\n"
        );
        spec.encrypt = true;
        spec.inputs = BTreeMap::from([("table".into(), Hex([2; 32]))]);
        expect_test::expect![[r#"
            |   key       opensky job key j-040g208104
            |   check it  opensky verify a.receipt --content-key KEY --component PROGRAM --input INPUT --in table=FILE
        "#]]
        .assert_eq(&shown(&job, &spec));
        job.name = Some("hello".into());
        spec.plan = Plan::One { input: None };
        expect_test::expect![[r#"
            |   key       opensky job key j-040g208104
            |   check it  opensky verify a.receipt --content-key KEY --in table=FILE
        "#]]
        .assert_eq(&shown(&job, &spec));
    }
}
