//! Where and when figures were measured. A figure without this says nothing.

use std::{
    fs, io,
    path::Path,
    thread::available_parallelism,
    time::{SystemTime, UNIX_EPOCH},
};

use opensky_cli::toolchain::Toolchain;
use opensky_executor::Rules;

use crate::Error;

/// The machine, the day, and the versions of what is compared.
pub fn describe() -> Result<String, Error> {
    let cores = available_parallelism()?;
    let load = fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let guests = Toolchain::require(Path::new(env!("CARGO_MANIFEST_DIR")))?;
    Ok(format!(
        "machine   {}, {cores} cores, Linux {}, load {load}\n\
         date      {}\n\
         versions  OpenSky {}, profile {}, guests by {}{}",
        processor()?,
        kernel.trim(),
        today()?,
        env!("CARGO_PKG_VERSION"),
        Rules::DEFAULT.id,
        guests.version,
        if cfg!(debug_assertions) {
            "\nwarning   this is an unoptimised build: its figures mean nothing"
        } else {
            ""
        }
    ))
}

fn processor() -> io::Result<String> {
    let info = fs::read_to_string("/proc/cpuinfo")?;
    let model = info.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "model name").then(|| value.trim().to_owned())
    });
    Ok(model.unwrap_or_else(|| std::env::consts::ARCH.to_owned()))
}

fn today() -> Result<String, Error> {
    let days = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() / 86_400;
    let (year, month, day) = date(days);
    Ok(format!("{year}-{month:02}-{day:02}"))
}

/// The date that many days after 1970-01-01. Years are counted from March, so that the leap day is
/// a year's last.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_TO_1970: u64 = 719_468;
    const DAYS_OF_400_YEARS: u64 = 146_097;
    let days = days + DAYS_TO_1970;
    let (era, day) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year + u64::from(month >= 10);
    (year, (month + 2) % 12 + 1, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(19_723), (2024, 1, 1));
        assert_eq!(date(20_779), (2026, 11, 22));
    }
}
