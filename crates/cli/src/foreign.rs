//! Makes text that strangers wrote fit to be shown: it cannot steer a terminal, nor fill it.

use std::{
    borrow::Cow,
    io::{self, Write},
};

/// A name is cut after this many characters: what tells names apart stands at their beginning.
const NAME: usize = 200;
/// A message is cut after this many characters: more than anybody reads.
const MESSAGE: usize = 4_000;

/// A name, on one line: import, function, input, profile.
pub fn name(text: &str) -> String {
    shown(&shortened(text, NAME), |_| false)
}

/// A file's name, whole: what the system lists cannot steer a terminal either.
pub fn file(text: &str) -> String {
    shown(text, |_| false)
}

/// A message of several lines, cut where nobody would read on.
pub fn message(text: &str) -> String {
    lines(&shortened(text, MESSAGE))
}

/// All of a text, with its line ends and tabs.
pub fn lines(text: &str) -> String {
    shown(text, |c| matches!(c, '\n' | '\t'))
}

/// Keeps styles (colours, bold) and escapes everything else that a terminal would obey. For text
/// that holds our own styles.
pub fn styled(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\x1b') {
        out.push_str(&lines(&rest[..at]));
        let style = style_len(&rest[at..]);
        match style {
            0 => out.push_str("\\u{1b}"),
            len => out.push_str(&rest[at..at + len]),
        }
        rest = &rest[at + style.max(1)..];
    }
    out.push_str(&lines(rest));
    Cow::Owned(out)
}

/// JSON text in which no character is left that a terminal would obey: the format itself escapes
/// only those below U+0020, and it allows the others to be escaped.
pub fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match is_hidden(c) && c != '\n' {
            // None of them is beyond the first plane, so four digits do.
            true => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => out.push(c),
        }
    }
    out
}

/// Shows bytes of any length on a terminal as [`lines`] shows a text; what is no UTF-8 is replaced.
pub struct Shown<W> {
    to: W,
    /// What cannot be told without the next bytes.
    rest: Vec<u8>,
    last: Option<u8>,
}

impl<W: Write> Shown<W> {
    /// On that terminal.
    pub fn new(to: W) -> Self {
        Self {
            to,
            rest: Vec::new(),
            last: None,
        }
    }

    /// Shows what is left, and ends a line that is not.
    pub fn finish(mut self) -> io::Result<()> {
        self.show(self.rest.len())?;
        if self.last.is_some_and(|last| last != b'\n') {
            self.to.write_all(b"\n")?;
        }
        self.to.flush()
    }

    fn show(&mut self, len: usize) -> io::Result<()> {
        let bytes: Vec<u8> = self.rest.drain(..len).collect();
        let text = String::from_utf8_lossy(&bytes);
        self.to.write_all(lines(&text).as_bytes())
    }
}

impl<W: Write> Write for Shown<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.rest.extend_from_slice(bytes);
        self.last = bytes.last().copied().or(self.last);
        self.show(certain(&self.rest))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// How many of these bytes mean the same whatever follows: not a character that is cut, nor a return
/// that may belong to a line's end.
fn certain(bytes: &[u8]) -> usize {
    let len = bytes.len();
    if bytes.last() == Some(&b'\r') {
        return len - 1;
    }
    let is_first = |back: &usize| bytes[len - back] & 0b1100_0000 != 0b1000_0000;
    match (1..=len.min(3)).find(is_first) {
        Some(back) if char_len(bytes[len - back]) > back => len - back,
        _ => len,
    }
}

/// How many bytes a character has that begins so.
fn char_len(first: u8) -> usize {
    match first {
        ..0xc0 => 1,
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0.. => 4,
    }
}

/// The length of the style at the beginning of `text`: `ESC [ digits and semicolons m`. 0 if there
/// is none.
fn style_len(text: &str) -> usize {
    let Some(parameters) = text.strip_prefix("\x1b[") else {
        return 0;
    };
    let end = parameters.find(|c: char| !matches!(c, '0'..='9' | ';'));
    match end {
        Some(end) if parameters[end..].starts_with('m') => 2 + end + 1,
        _ => 0,
    }
}

fn shown(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        match is_hidden(c) && !keep(c) {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
    }
    out
}

fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        None => Cow::Borrowed(text),
        Some((cut, _)) => {
            let left = text.len() - cut;
            Cow::Owned(format!("{}… ({left} bytes more)", &text[..cut]))
        }
    }
}

/// Control characters of both sets, and what turns the direction of the text around it.
fn is_hidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Window title, colour, clear screen, an 8-bit control, reversed text, overwriting.
    const EVIL: &str = "\x1b]0;title\x07\x1b[31mred\x1b[2J\u{9b}1m\u{202e}\rgone\x08\x7f";

    fn is_harmless(text: &str) -> bool {
        !text.chars().any(is_hidden)
    }

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        assert!(is_harmless(&name(&format!("{EVIL}\n\t"))));
        assert!(is_harmless(&message(EVIL)));
        assert!(is_harmless(&lines(EVIL)));
        assert_eq!(
            lines("a\r\nb\tc\n\x1bd"),
            "a\nb\tc\n\\u{1b}d",
            "line ends and tabs stay"
        );
        assert_eq!(name("wasi:cli/run ö"), "wasi:cli/run ö");
    }

    #[test]
    fn bytes_are_shown_alike_however_they_are_cut() {
        let wild: &[u8] =
            b"\xf0\x9f\x98\x80\xf0\x9f\xff\xc3\r\n\x80\x80\x80\x80\xe2\x82\xacend\xe2";
        let bytes = [EVIL.as_bytes(), wild].concat();
        let expected = format!("{}\n", lines(&String::from_utf8_lossy(&bytes)));
        assert!(expected.lines().all(is_harmless));
        for step in 1..bytes.len() {
            let mut screen = Vec::new();
            let mut shown = Shown::new(&mut screen);
            for piece in bytes.chunks(step) {
                shown.write_all(piece).expect("memory takes all");
            }
            shown.finish().expect("memory takes all");
            assert_eq!(String::from_utf8_lossy(&screen), expected, "{step}");
        }
    }

    #[test]
    fn last_line_is_ended_once_and_nothing_has_none() {
        let show = |bytes: &[u8]| {
            let mut screen = Vec::new();
            let mut shown = Shown::new(&mut screen);
            shown.write_all(bytes).expect("memory takes all");
            shown.finish().expect("memory takes all");
            screen
        };
        assert_eq!(show(b"a"), b"a\n");
        assert_eq!(show(b"a\n"), b"a\n");
        assert_eq!(show(b""), b"");
        assert_eq!(show(b"a\r"), b"a\\r\n");
    }

    #[test]
    fn styles_and_only_styles_pass() {
        let ours = "\x1b[1m\x1b[31merror\x1b[0m: ü\n";
        assert_eq!(styled(ours), ours);
        let left = styled(EVIL).replace("\x1b[31m", "");
        assert!(is_harmless(&left), "{left:?}");
        for cut in ["\x1b", "\x1b[", "\x1b[1;", "\x1b[1\x1b[2J", "\x1b[?25l"] {
            assert!(is_harmless(&styled(cut)), "{cut:?}");
        }
    }

    #[test]
    fn json_stays_the_same_value() {
        let value = serde_json::json!({ "log": EVIL, "name": "plain" });
        let text = json(&format!("{value:#}"));
        assert!(is_harmless(&text.replace('\n', "")), "{text}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).ok(),
            Some(value)
        );
    }

    #[test]
    fn long_text_is_cut_with_a_count() {
        assert_eq!(
            name(&"ü".repeat(300)),
            format!("{}… (200 bytes more)", "ü".repeat(200))
        );
        assert!(message(&"x".repeat(1 << 20)).len() < 5_000);
    }
}
