//! Counts what is unsafe in the sources of crates: one shard is one `.crate` file.
mod archive;
mod depth;
mod report;
mod source;

use std::io::Read;

use flate2::read::GzDecoder;
use opensky::{Error, Finish, MapReduce};

use crate::archive::Archive;
pub use crate::report::{Counts, CrateCounts, Report};

/// The most bytes that one `.crate` file may unpack to: it may be made to unpack to anything.
const MAX_UNPACKED: u64 = 1 << 30;

/// The program: `.crate` files in, one [`Report`] out.
pub struct Census;

#[opensky::map_reduce(finish)]
impl MapReduce for Census {
    type Shard = Vec<u8>;
    /// The crate's name and version.
    type Key = String;
    type Value = Counts;
    type Output = Counts;

    fn map(shard: Vec<u8>) -> Result<Vec<(String, Counts)>, Error> {
        let counted = count_crate(&shard);
        opensky::debug!("{}: {} files", counted.0, counted.1.files);
        Ok(vec![counted])
    }

    fn reduce(_: String, counts: Vec<Counts>) -> Result<Counts, Error> {
        Ok(counts.into_iter().sum())
    }
}

impl Finish for Census {
    type Final = Report;

    fn finish(crates: Vec<(String, Counts)>) -> Result<Report, Error> {
        Ok(Report::new(crates))
    }
}

/// The crate's name and counts. An archive that breaks off counts up to there, and says so.
fn count_crate(packed: &[u8]) -> (String, Counts) {
    let mut archive = Archive::new(GzDecoder::new(packed).take(MAX_UNPACKED));
    let mut name = None;
    let mut counts = Counts::default();
    loop {
        match archive.next_file() {
            Ok(Some(file)) => {
                let (folder, path) = file.path.split_once('/').unwrap_or(("", &file.path));
                name.get_or_insert_with(|| folder.to_owned());
                if path.ends_with(".rs") {
                    counts += source::count(&file.data);
                }
            }
            Ok(None) => break,
            Err(_) => {
                counts.broken_archives += 1;
                break;
            }
        }
    }
    let unnamed = || format!("(shard {})", opensky::shard().0);
    (
        name.filter(|name| !name.is_empty()).unwrap_or_else(unnamed),
        counts,
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};
    use opensky::test::Unit;

    use super::*;
    use crate::archive::testing::tar;

    fn packed(files: &[(&str, &str)]) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&tar(files)).expect("memory does not fail");
        gzip.finish().expect("memory does not fail")
    }

    fn census(shards: &[Vec<u8>]) -> Report {
        let unit = Unit::new().partitions(3);
        unit.map_reduce_finish::<Census>(shards)
            .expect("nothing is fatal")
    }

    #[test]
    fn crates_are_counted_summed_and_sorted_by_what_is_unsafe() {
        let calm = packed(&[("calm-1.0.0/src/lib.rs", "pub fn one() -> u8 {\n    1\n}\n")]);
        let bold = packed(&[
            ("bold-2.1.0/Cargo.toml", "unsafe { not rust }"),
            (
                "bold-2.1.0/src/lib.rs",
                "unsafe impl Send for A {}\nunsafe fn f() { unsafe { g() } }\n",
            ),
            ("bold-2.1.0/src/b.rs", "unsafe trait T { unsafe fn m(); }\n"),
            ("bold-2.1.0/tests/broken.rs", "fn f( {"),
        ]);
        let report = census(&[calm, bold]);
        let names: Vec<_> = report
            .by_crate
            .iter()
            .map(|one| one.name.as_str())
            .collect();
        assert_eq!(names, ["bold-2.1.0", "calm-1.0.0"]);
        assert_eq!((report.crates, report.crates_with_unsafe), (2, 1));
        let expected = Counts {
            files: 4,
            lines: 7,
            unsafe_blocks: 1,
            unsafe_fns: 2,
            unsafe_impls: 1,
            unsafe_traits: 1,
            unparsed_files: 1,
            broken_archives: 0,
        };
        assert_eq!(report.total, expected);
    }

    #[test]
    fn a_broken_archive_is_counted_and_not_fatal() {
        let whole = packed(&[("a-1.0.0/a.rs", "fn a() {}"), ("a-1.0.0/b.rs", "fn b() {}")]);
        let cut = whole[..whole.len() - 20].to_vec();
        let report = census(&[cut, b"no archive".to_vec(), Vec::new()]);
        assert_eq!(report.total.broken_archives, 3);
        assert_eq!(report.crates, 3);
    }
}
