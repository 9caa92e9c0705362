//! Tells sources that nest so deeply that parsing, visiting or dropping them would exhaust the stack.
//!
//! The lexer takes any nesting; the parser calls itself. Besides brackets, which nest visibly, a long
//! run of tokens without a separator may nest: `!!!x`, `a + b + c`, `A<A<A>>`, `if … else if …`. So
//! both are limited, far above what people write.
use proc_macro2::{Delimiter, TokenStream, TokenTree, token_stream};

/// The deepest brackets in the sources of 339 published crates are 45 deep.
const MAX_NESTING: usize = 100;
/// The longest run in the same sources has 1,105 tokens. The parser's worst case, `return return …`,
/// needs two KiB of stack for each.
const MAX_RUN: usize = 1_500;

/// Whether these tokens nest too deeply to be parsed. Needs no stack itself.
pub(crate) fn is_too_deep(tokens: TokenStream) -> bool {
    let mut outer: Vec<Level> = Vec::new();
    let mut level = Level::new(tokens);
    loop {
        let Some(token) = level.tokens.next() else {
            match outer.pop() {
                Some(parent) => level = parent,
                None => return false,
            }
            continue;
        };
        level.count(&token);
        if level.run > MAX_RUN {
            return true;
        }
        if let TokenTree::Group(group) = token {
            level.after_block = group.delimiter() == Delimiter::Brace;
            outer.push(std::mem::replace(&mut level, Level::new(group.stream())));
            if outer.len() > MAX_NESTING {
                return true;
            }
        }
    }
}

/// Inside one pair of brackets.
struct Level {
    tokens: token_stream::IntoIter,
    /// Tokens since the last one that ends whatever nests.
    run: usize,
    after_block: bool,
    /// Between the `#` of an attribute and its brackets.
    in_attribute: bool,
}

impl Level {
    fn new(tokens: TokenStream) -> Self {
        Self {
            tokens: tokens.into_iter(),
            run: 0,
            after_block: false,
            in_attribute: false,
        }
    }

    fn count(&mut self, token: &TokenTree) {
        if std::mem::take(&mut self.after_block) && !goes_on(token) {
            self.run = 0;
        }
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '#' => self.in_attribute = true,
            TokenTree::Punct(mark) if matches!(mark.as_char(), ';' | ',') => self.run = 0,
            // Attributes, and doc comments with them, stand in a row and nest nothing.
            TokenTree::Punct(_) if self.in_attribute => {}
            TokenTree::Group(_) if self.in_attribute => self.in_attribute = false,
            _ => self.run += 1,
        }
    }
}

/// Whether this token, after a block, goes on with the expression that the block is in.
fn goes_on(token: &TokenTree) -> bool {
    match token {
        TokenTree::Ident(word) => word == "else" || word == "as",
        TokenTree::Punct(mark) => mark.as_char() != '#',
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn too_deep(text: &str) -> bool {
        is_too_deep(text.parse().expect("the text has tokens"))
    }

    #[test]
    fn long_files_are_not_deep() {
        assert!(!too_deep(&"fn f() { g(a, b); }".repeat(5_000)));
        assert!(!too_deep(&format!(
            "const A: &[u8] = &[{}];",
            "1, ".repeat(50_000)
        )));
        assert!(!too_deep(&"//! Documented.\n".repeat(5_000)));
        let arms = "A => { f() } ".repeat(5_000);
        assert!(!too_deep(&format!("fn f() {{ match x {{ {arms} }} }}")));
    }

    #[test]
    fn the_limits_are_where_they_are_said_to_be() {
        let nested = |depth| format!("{}{}", "(".repeat(depth), ")".repeat(depth));
        assert!(!too_deep(&nested(MAX_NESTING)));
        assert!(too_deep(&nested(MAX_NESTING + 1)));
        assert!(!too_deep(&"! ".repeat(MAX_RUN)));
        assert!(too_deep(&"! ".repeat(MAX_RUN + 1)));
    }
}
