//! Server-sent events as text: read line by line, with a limit.

use std::io::{self, BufRead, Read};

/// The most bytes that one event has: as many as any reply.
const MAX_EVENT: usize = crate::MAX_JSON_BYTES;

/// One event: its name and its data.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct RawEvent {
    /// `message` where none is said.
    pub name: String,
    /// The lines of data, with line feeds between them.
    pub data: String,
}

/// Reads the next event that has data; comments, which only keep a connection alive, are passed over.
/// `None` at the end: an event that is not finished there is none.
///
/// # Errors
/// Those of the reader; `InvalidData` if an event has more than 16 MiB or is not UTF-8.
pub(crate) fn next_event(reader: &mut impl BufRead) -> io::Result<Option<RawEvent>> {
    let mut event = RawEvent::default();
    let mut has_data = false;
    let mut left = MAX_EVENT;
    loop {
        let Some(line) = next_line(reader, left)? else {
            return Ok(None);
        };
        if line.is_empty() {
            if has_data {
                event.data.pop();
                if event.name.is_empty() {
                    event.name.push_str("message");
                }
                return Ok(Some(event));
            }
            event.name.clear();
            left = MAX_EVENT;
            continue;
        }
        left = left.saturating_sub(line.len());
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut event.name),
            "data" => {
                has_data = true;
                event.data.push_str(value);
                event.data.push('\n');
            }
            // Comments begin with a colon; `id` and `retry` are of no use here: see [`crate::JobEvent`].
            "" => left = MAX_EVENT - event.data.len() - event.name.len(),
            _ => {}
        }
    }
}

/// A line without its end. `None` if there is no whole line any more.
fn next_line(reader: &mut impl BufRead, at_most: usize) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let limit = at_most as u64 + 2;
    reader.by_ref().take(limit).read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        if line.len() as u64 + 1 >= limit {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the event is too long",
            ));
        }
        return Ok(None);
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    String::from_utf8(line)
        .map(Some)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(mut bytes: &[u8]) -> Vec<(String, String)> {
        let mut found = Vec::new();
        while let Ok(Some(event)) = next_event(&mut bytes) {
            found.push((event.name, event.data));
        }
        found
    }

    #[test]
    fn events_are_read_and_comments_passed_over() {
        let text = ": alive\n\nevent: job\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\n: alive\n\n\
                    event: lost\n\ndata:x\n\nid: 7\nevent: unit\ndata: cut";
        let expected = [("job", "{\"a\":\n1}"), ("message", "x")];
        let expected = expected.map(|(name, data)| (name.to_owned(), data.to_owned()));
        assert_eq!(all(text.as_bytes()), expected);
    }

    #[test]
    fn events_without_an_end_do_not_fill_the_memory() {
        let mut endless = io::BufReader::new(io::repeat(b'x'));
        let error = next_event(&mut endless).expect_err("too long");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        let line = b"data: 123456789\n".repeat(MAX_EVENT / 10);
        assert!(next_event(&mut line.as_slice()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>, text in "((event|data|id|)(:| :|: )?[a-z]{0,3}\r?\n){0,12}") {
            all(&bytes);
            all(text.as_bytes());
        }
    }
}
