//! Standard streams and file names that are out of the ordinary.

mod session;

use std::{
    fs::File,
    process::{Command, Stdio},
};

use session::{Ran, Session, cat};

fn someone() -> Session {
    let person = Session::new();
    person.write("cat.wat", cat());
    person.write("in.txt", "abc");
    person
}

#[test]
fn output_that_nobody_takes_whole_is_the_hosts_failure() {
    let person = someone();
    person.write("long.txt", vec![b'x'; 1 << 20]);
    let pipe = person.folder().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo starts").success());
    let run = ["run", "cat.wat", "--input", "long.txt", "-o", "pipe"];
    let running = person
        .command(&run)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("opensky starts");
    drop(File::open(&pipe).expect("the other end is opened"));
    let ran = Ran::from(running.wait_with_output().expect("it ends"));
    ran.refuses(4, &["cannot write the output", "pipe"]);
}
