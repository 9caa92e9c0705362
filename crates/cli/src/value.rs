//! How numbers, sizes and pairs are written on the command line.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt as _,
    path::PathBuf,
    time::Duration,
};

use opensky_api::{Amount, JobRequest, Replicas};
use opensky_executor::Rules;
use opensky_protocol::{ContentKey, Digest};

/// A number with an optional SI suffix: `5000`, `200M`, `1.5G`, `1_000`.
pub fn count(text: &str) -> Result<u64, String> {
    scaled(text, &[("k", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12)])
        .ok_or_else(|| format!("`{text}` is no count: write 5000, 200M or 1.5G"))
}

/// A size in bytes: `4096`, `64KiB`, `512MiB`, `1.5GiB`; `K`, `M` and `G` are binary too.
pub fn bytes(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, f64); 10] = [
        ("KiB", 1024.0),
        ("MiB", 1_048_576.0),
        ("GiB", 1_073_741_824.0),
        ("KB", 1e3),
        ("MB", 1e6),
        ("GB", 1e9),
        ("K", 1024.0),
        ("M", 1_048_576.0),
        ("G", 1_073_741_824.0),
        ("B", 1.0),
    ];
    scaled(text, &UNITS).ok_or_else(|| format!("`{text}` is no size: write 4096, 64KiB or 1.5GiB"))
}

/// Whole numbers are exact; with a suffix a fraction is allowed and the product is rounded.
fn scaled(text: &str, units: &[(&str, f64)]) -> Option<u64> {
    let text = text.replace('_', "");
    let unit = units.iter().find(|(suffix, _)| text.ends_with(suffix));
    let Some((suffix, scale)) = unit else {
        return text.parse().ok();
    };
    let number: f64 = text.strip_suffix(suffix)?.trim_end().parse().ok()?;
    let value = (number * scale).round();
    (0.0..9e18).contains(&value).then_some(value as u64)
}

/// A length of time: `90s`, `10m`, `2h`, `1d`; `500ms` too.
pub fn span(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, u64); 5] = [
        ("ms", 1),
        ("s", 1_000),
        ("m", 60_000),
        ("h", 3_600_000),
        ("d", 86_400_000),
    ];
    let at = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.split_at(at.unwrap_or(text.len()));
    let scale = UNITS.iter().find(|(name, _)| *name == unit.trim_start());
    let number = number.parse::<u64>().ok();
    let millis = number
        .zip(scale)
        .and_then(|(number, (_, scale))| number.checked_mul(*scale));
    if millis == Some(0) {
        return Err(format!(
            "`{text}` is no time at all: write 90s, 10m, 2h or 1d"
        ));
    }
    millis
        .map(Duration::from_millis)
        .ok_or_else(|| format!("`{text}` is no length of time: write 90s, 10m, 2h or 1d"))
}

/// How long a job may take.
pub fn deadline(text: &str) -> Result<Duration, String> {
    let longest = Duration::from(JobRequest::LONGEST);
    match span(text)? {
        long if long > longest => Err(format!(
            "`{text}` is too long: a job may take {}d at most",
            longest.as_secs() / (24 * 3_600)
        )),
        span => Ok(span),
    }
}

/// An amount, and not nothing.
pub fn sum(text: &str) -> Result<Amount, String> {
    match text.parse() {
        Ok(Amount(0)) => Err("it is nothing: give an amount like 5SKY".into()),
        Ok(amount) => Ok(amount),
        Err(error) => Err(error.to_string()),
    }
}

/// The most that something may cost: an amount, and not nothing.
pub fn price(text: &str) -> Result<Amount, String> {
    match text.parse() {
        Ok(Amount(0)) => Err("providers are paid: give the most that it may cost, 5mSKY".into()),
        Ok(amount) => Ok(amount),
        Err(error) => Err(error.to_string()),
    }
}

/// How many operators run each unit: `auto`, or 1 to 255.
pub fn replicas(text: &str) -> Result<Replicas, String> {
    match (text, text.parse()) {
        ("auto", _) => Ok(Replicas::Auto),
        (_, Ok(number @ 1..)) => Ok(Replicas::Exactly(number)),
        _ => Err(format!(
            "`{text}` is no number of replicas: write auto, or 1 to 255"
        )),
    }
}

/// How many entries of a list are shown: at least one.
pub fn limit(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("`{text}` is no number of entries: write 1 or more"))
}

/// The key to an encrypted job: 64 hexadecimal digits.
pub fn content_key(text: &str) -> Result<ContentKey, String> {
    let digits: Result<Digest, _> = text.parse();
    let digits = digits.map_err(|_| "a key has 64 hexadecimal digits".to_owned())?;
    Ok(ContentKey::from_bytes(digits.0))
}

/// `KEY=VALUE`; the key is not empty, the value may be.
pub fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err(format!("`{text}` is not KEY=VALUE")),
    }
}

/// `NAME=FILE`; the name is text and not empty, the file is named by whatever bytes it has.
pub fn named_file(argument: OsString) -> Result<(String, PathBuf), String> {
    let bytes = argument.as_bytes();
    let parts = bytes.iter().position(|byte| *byte == b'=');
    let parts = parts.map(|at| (&bytes[..at], &bytes[at + 1..]));
    match parts.map(|(name, file)| (str::from_utf8(name), OsStr::from_bytes(file))) {
        Some((Ok(name), file)) if !name.is_empty() => Ok((name.into(), file.into())),
        _ => Err(format!("`{}` is not NAME=FILE", argument.to_string_lossy())),
    }
}

/// 32 bytes as up to 64 hexadecimal digits; fewer stand for the low bytes.
pub fn seed(text: &str) -> Result<[u8; 32], String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if digits.is_empty() || digits.len() > 64 {
        return Err(format!(
            "`{text}` is no seed: write 1 to 64 hexadecimal digits"
        ));
    }
    let padded = format!("{digits:0>64}");
    let digest: Digest = padded
        .parse()
        .map_err(|_| format!("`{text}` is no seed: write 1 to 64 hexadecimal digits"))?;
    Ok(digest.0)
}

/// A profile, by its number or its whole id.
pub fn profile(text: &str) -> Result<&'static Rules, String> {
    Rules::named(text).ok_or_else(|| {
        let known = Rules::ALL.map(|rules| rules.id).join(", ");
        format!("`{text}` is no profile that is known here: {known}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_sizes_take_suffixes() {
        assert_eq!(count("1_000"), Ok(1000));
        assert_eq!(count("1.5G"), Ok(1_500_000_000));
        assert_eq!(count("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(bytes("64KiB"), Ok(65536));
        assert_eq!(bytes("1.5GiB"), Ok(1_610_612_736));
        assert_eq!(bytes("10MB"), Ok(10_000_000));
    }

    #[test]
    fn spans_and_replicas_are_read() {
        assert_eq!(span("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(span("2 h"), Ok(Duration::from_secs(7200)));
        assert_eq!(span("500ms"), Ok(Duration::from_millis(500)));
        for text in [
            "",
            "5",
            "s",
            "0s",
            "-1s",
            "1.5h",
            "1w",
            "99999999999999999999d",
        ] {
            assert!(span(text).is_err(), "{text}");
        }
        assert!(span("0s").is_err_and(|error| error.contains("no time at all")));
        assert_eq!(deadline("30d"), Ok(Duration::from_secs(30 * 24 * 3_600)));
        for text in ["31d", "999999999h"] {
            assert!(
                deadline(text).is_err_and(|error| error.contains("30d at most")),
                "{text}"
            );
        }
        assert_eq!(price("5 mSKY"), Ok(Amount(5_000_000_000)));
        assert_eq!(sum("5mSKY"), Ok(Amount(5_000_000_000)));
        assert!(sum("0").is_err() && sum("5").is_err());
        for text in ["0", "0SKY", "0.0 mSKY"] {
            assert!(
                price(text).is_err_and(|error| error.contains("are paid")),
                "{text}"
            );
        }
        assert!(price("5").is_err());
        assert_eq!(replicas("auto"), Ok(Replicas::Auto));
        assert_eq!(replicas("3"), Ok(Replicas::Exactly(3)));
        for text in ["", "0", "-1", "256", "many"] {
            assert!(replicas(text).is_err(), "{text}");
        }
    }

    #[test]
    fn named_file_is_cut_at_the_first_sign_and_need_not_be_text() {
        let argument = OsStr::from_bytes(b"a=b=\xff").to_owned();
        let file = PathBuf::from(OsStr::from_bytes(b"b=\xff"));
        assert_eq!(named_file(argument), Ok(("a".into(), file)));
        assert!(named_file(OsStr::from_bytes(b"\xff=b").to_owned()).is_err());
    }

    #[test]
    fn profile_goes_by_its_number_and_by_its_id() {
        for (number, rules) in ["0", "1"].into_iter().zip(Rules::ALL) {
            assert_eq!(profile(number), Ok(rules));
            assert_eq!(profile(rules.id), Ok(rules));
        }
        assert!(profile("").is_err() && profile("9").is_err());
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "-1",
            "1.5",
            "many",
            "G",
            "nanG",
            "infG",
            "99999999999999999999",
            "1e30G",
        ] {
            assert!(count(text).is_err(), "{text}");
        }
        for text in ["", "-1KiB", "KiB", "9e99GiB"] {
            assert!(bytes(text).is_err(), "{text}");
        }
        assert!(pair("=x").is_err() && pair("x").is_err());
        assert_eq!(pair("k=a=b"), Ok(("k".into(), "a=b".into())));
        for text in ["=x", "x", ""] {
            assert!(named_file(text.into()).is_err(), "{text}");
        }
        assert!(seed("xyz").is_err() && seed("").is_err() && seed(&"0".repeat(65)).is_err());
        assert_eq!(seed("ff").expect("hexadecimal")[31], 255);
    }
}
