//! The disk that rows are on: results wait for it several times, so a figure without it says little.

use std::{
    fs::File,
    io::{Seek, Write},
    path::Path,
    time::{Duration, Instant},
};

use rustix::fs::statfs;
use tempfile::TempDir;

use crate::{Effort, Error, Figures, measure::micros};

/// What `statfs` calls a file system that has no disk.
const TMPFS: u64 = 0x0102_1994;
/// As much as a small batch of rows: some pages.
const BATCH: usize = 16 << 10;

/// A folder beside this program: what is built is on a disk, where temporary files may be in memory.
pub fn folder() -> Result<TempDir, Error> {
    let program = std::env::current_exe()?;
    let beside = program.parent().ok_or("this program is in no folder")?;
    let mut builder = tempfile::Builder::new();
    Ok(builder.prefix("opensky-bench-").tempdir_in(beside)?)
}

/// What kind of file system it is.
pub fn describe(folder: &Path) -> Result<&'static str, Error> {
    let kind = u64::try_from(statfs(folder)?.f_type)?;
    Ok(match kind {
        TMPFS => "in memory: what waits for the disk means nothing",
        _ => "on a disk, beside this program",
    })
}

/// How long it takes until a write is on the disk.
pub fn measure(effort: Effort, folder: &Path, figures: &mut Figures) -> Result<(), Error> {
    let mut times = writes(effort.pick(5, 300), folder)?;
    times.sort_unstable();
    let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!("\n{:<40}{:>10}{:>10}", "this disk", "p50 ms", "p99 ms");
    let millis = |time: Duration| micros(time) / 1e3;
    println!(
        "{:<40}{:>10.2}{:>10.2}",
        "write 16 KiB and fsync",
        millis(p50),
        millis(p99)
    );
    figures.add("fsync_ms_p50", millis(p50))?;
    Ok(())
}

/// Over and over the same place of a file, as a file of rows is written.
fn writes(count: usize, folder: &Path) -> Result<Vec<Duration>, Error> {
    let mut file = File::create(folder.join("fsync"))?;
    let mut times = Vec::with_capacity(count);
    for number in 0..count {
        let batch = [number as u8; BATCH];
        let start = Instant::now();
        file.rewind()?;
        file.write_all(&batch)?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    Ok(times)
}
