//! Writes files under `/out`, lists what is there and under `/in`, and says what time it is.

use std::{
    env, fs,
    io::{self, Read, Write},
    process::ExitCode,
    thread,
    time::{Duration, Instant, SystemTime},
};

fn main() -> io::Result<ExitCode> {
    let mut input = Vec::new();
    io::stdin().read_to_end(&mut input)?;
    let started = Instant::now();
    for (at, part) in input.chunks(1000).enumerate() {
        fs::write(format!("/out/{:02}", 50 - at), part)?;
    }
    fs::create_dir("/out/more")?;
    let mut log = fs::File::create("/out/more/log")?;
    for folder in ["/in", "/out"] {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            writeln!(log, "{:?} {}", entry.path(), entry.metadata()?.len())?;
        }
    }
    thread::sleep(Duration::from_millis(1500));
    let date = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    println!("{:?} {:?}", started.elapsed(), date);
    println!(
        "{:?} {:?}",
        env::args().skip(1).collect::<Vec<_>>(),
        env::vars().collect::<Vec<_>>()
    );
    println!("{}", fs::read_to_string("/out/more/log")?);
    println!(
        "{:?}",
        fs::File::open("/etc/passwd")
            .map_err(|error| error.kind())
            .err()
    );
    match str::from_utf8(&input) {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(_) => Ok(ExitCode::from(128)),
    }
}
