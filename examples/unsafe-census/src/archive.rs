//! Reads tar archives, as far as cargo writes them: regular files, in order, with long names.
use std::io::{self, Read};

/// Everything in a tar archive comes in blocks of this size.
const BLOCK: usize = 512;

/// A regular file.
pub struct File {
    /// Path in the archive.
    pub path: String,
    /// Content.
    pub data: Vec<u8>,
}

/// A tar archive being read.
pub struct Archive<R> {
    reader: R,
}

impl<R: Read> Archive<R> {
    /// Starts at the first entry.
    pub fn new(reader: R) -> Self {
        Self { reader }
    }

    /// The next regular file; `None` at the archive's end mark.
    ///
    /// # Errors
    /// When the archive breaks off or is malformed.
    pub fn next_file(&mut self) -> io::Result<Option<File>> {
        let mut long_path = None;
        loop {
            let mut header = [0; BLOCK];
            self.reader.read_exact(&mut header)?;
            if header.iter().all(|&byte| byte == 0) {
                return Ok(None);
            }
            let data = self.data(size(&header)?)?;
            match header[156] {
                b'L' => long_path = Some(text(&data)),
                b'x' => long_path = pax_path(&data).or(long_path),
                b'0' | 0 => {
                    let path = long_path.unwrap_or_else(|| short_path(&header));
                    return Ok(Some(File { path, data }));
                }
                _ => long_path = None,
            }
        }
    }

    /// The entry's content; goes on to the next block.
    fn data(&mut self, size: u64) -> io::Result<Vec<u8>> {
        let mut data = Vec::new();
        self.reader.by_ref().take(size).read_to_end(&mut data)?;
        if data.len() as u64 != size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let padding = data.len().next_multiple_of(BLOCK) - data.len();
        self.reader.read_exact(&mut [0; BLOCK][..padding])?;
        Ok(data)
    }
}

fn size(header: &[u8; BLOCK]) -> io::Result<u64> {
    let field = text(&header[124..136]);
    u64::from_str_radix(field.trim(), 8).map_err(|_| io::ErrorKind::InvalidData.into())
}

fn short_path(header: &[u8; BLOCK]) -> String {
    let name = text(&header[..100]);
    let is_posix = &header[257..263] == b"ustar\0";
    match text(&header[345..500]) {
        prefix if is_posix && !prefix.is_empty() => format!("{prefix}/{name}"),
        _ => name,
    }
}

/// The `path` record of an extended header: lines of `LENGTH path=VALUE`.
fn pax_path(data: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(data);
    let mut records = text.lines().filter_map(|line| line.split_once(' '));
    records.find_map(|(_, record)| Some(record.strip_prefix("path=")?.to_owned()))
}

/// Text up to the first zero byte.
fn text(field: &[u8]) -> String {
    let end = field
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

#[cfg(test)]
pub(crate) mod testing {
    use super::BLOCK;

    /// An archive of these files, names over 100 bytes as GNU tar has them.
    pub(crate) fn tar(files: &[(&str, &str)]) -> Vec<u8> {
        let mut archive = Vec::new();
        for (path, data) in files {
            if path.len() > 100 {
                push(&mut archive, "././@LongLink", b'L', path.as_bytes());
            }
            push(
                &mut archive,
                &path[..path.len().min(100)],
                b'0',
                data.as_bytes(),
            );
        }
        archive.extend_from_slice(&[0; 2 * BLOCK]);
        archive
    }

    fn push(archive: &mut Vec<u8>, name: &str, kind: u8, data: &[u8]) {
        let mut header = [0; BLOCK];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", data.len()).as_bytes());
        header[156] = kind;
        archive.extend_from_slice(&header);
        archive.extend_from_slice(data);
        archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::tar, *};

    fn files(archive: &[u8]) -> io::Result<Vec<(String, Vec<u8>)>> {
        let mut archive = Archive::new(archive);
        let mut files = Vec::new();
        while let Some(file) = archive.next_file()? {
            files.push((file.path, file.data));
        }
        Ok(files)
    }

    #[test]
    fn files_come_in_order_with_long_names_and_any_length() {
        let long = format!("a-1.0.0/{}.rs", "x".repeat(120));
        let block = "b".repeat(BLOCK);
        let written = [
            ("a-1.0.0/empty", ""),
            (&long, "long"),
            ("a-1.0.0/block", &block),
        ];
        let read = files(&tar(&written)).expect("the archive is whole");
        let read: Vec<_> = read
            .iter()
            .map(|(path, data)| (path.as_str(), data.as_slice()))
            .collect();
        assert_eq!(read, written.map(|(path, data)| (path, data.as_bytes())));
    }

    #[test]
    fn an_archive_that_breaks_off_is_an_error() {
        let whole = tar(&[("a/a.rs", "fn a() {}")]);
        for len in [0, 1, BLOCK, BLOCK + 3, BLOCK + 9, 2 * BLOCK] {
            assert!(files(&whole[..len]).is_err(), "cut at {len}");
        }
    }

    #[test]
    fn a_size_that_is_no_number_or_a_lie_is_an_error() {
        let mut archive = tar(&[("a/a.rs", "fn a() {}")]);
        archive[124] = b'x';
        assert!(files(&archive).is_err());
        archive[124..135].copy_from_slice(b"77777777777");
        assert!(files(&archive).is_err());
    }

    #[test]
    fn posix_headers_join_prefix_and_name_and_extended_ones_name_the_path() {
        let mut archive = tar(&[("name.rs", "")]);
        archive[257..263].copy_from_slice(b"ustar\0");
        archive[345..351].copy_from_slice(b"folder");
        let read = files(&archive).expect("the archive is whole");
        assert_eq!(read[0].0, "folder/name.rs");
        assert_eq!(
            pax_path(b"30 mtime=1\n18 path=a/b c.rs\n").as_deref(),
            Some("a/b c.rs")
        );
    }
}
