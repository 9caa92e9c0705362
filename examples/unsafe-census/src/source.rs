//! Counts in one source file.
use proc_macro2::TokenStream;
use syn::{
    ExprUnsafe, ItemImpl, ItemTrait, Safety, Signature,
    visit::{self, Visit},
};

use crate::{Counts, depth};

/// Counts in one file, whatever its bytes are.
pub(crate) fn count(data: &[u8]) -> Counts {
    let text = String::from_utf8_lossy(data);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut counts = Counts {
        files: 1,
        lines: lines_of_code(text),
        ..Counts::default()
    };
    match parse(text) {
        Some(file) => Visitor {
            counts: &mut counts,
        }
        .visit_file(&file),
        None => counts.unparsed_files = 1,
    }
    counts
}

fn parse(text: &str) -> Option<syn::File> {
    let tokens: TokenStream = without_shebang(text).parse().ok()?;
    if depth::is_too_deep(tokens.clone()) {
        return None;
    }
    syn::parse2(tokens).ok()
}

/// A first line `#!…` is for the shell, unless it is an inner attribute.
fn without_shebang(text: &str) -> &str {
    match text.strip_prefix("#!") {
        Some(rest) if !rest.trim_start().starts_with('[') => {
            rest.split_once('\n').map_or("", |(_, rest)| rest)
        }
        _ => text,
    }
}

/// Lines that are neither empty nor comments. A block comment counts as one when it begins its line.
fn lines_of_code(text: &str) -> u64 {
    let mut lines = 0;
    let mut in_comment = false;
    for line in text.lines().map(str::trim) {
        in_comment |= line.starts_with("/*");
        if in_comment {
            in_comment = !line.contains("*/");
        } else if !line.is_empty() && !line.starts_with("//") {
            lines += 1;
        }
    }
    lines
}

struct Visitor<'a> {
    counts: &'a mut Counts,
}

impl<'ast> Visit<'ast> for Visitor<'_> {
    fn visit_expr_unsafe(&mut self, block: &'ast ExprUnsafe) {
        self.counts.unsafe_blocks += 1;
        visit::visit_expr_unsafe(self, block);
    }

    fn visit_signature(&mut self, signature: &'ast Signature) {
        self.counts.unsafe_fns += u64::from(matches!(signature.safety, Safety::Unsafe(_)));
        visit::visit_signature(self, signature);
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        self.counts.unsafe_impls += u64::from(item.unsafety.is_some());
        visit::visit_item_impl(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast ItemTrait) {
        self.counts.unsafe_traits += u64::from(item.unsafety.is_some());
        visit::visit_item_trait(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(text: &str) -> (u64, u64, u64, u64, u64) {
        let c = count(text.as_bytes());
        (
            c.unsafe_blocks,
            c.unsafe_fns,
            c.unsafe_impls,
            c.unsafe_traits,
            c.unparsed_files,
        )
    }

    #[test]
    fn every_kind_of_unsafe_is_counted_where_it_nests() {
        let text = "
            unsafe fn f() { unsafe { loop { unsafe {} } } }
            unsafe trait T { unsafe fn m() { unsafe {} } fn n(); }
            mod inner { unsafe impl T for u8 { unsafe fn m() {} } }
            extern \"C\" { fn g(); }
            fn h() { let c = || unsafe { g() }; fn nested() { unsafe {} } }";
        assert_eq!(counted(text), (5, 3, 1, 1, 0));
    }

    #[test]
    fn words_in_text_and_comments_do_not_count() {
        let text = "// unsafe {}\nfn f() { let s = \"unsafe { }\"; /* unsafe fn */ }\n";
        assert_eq!(counted(text), (0, 0, 0, 0, 0));
    }

    #[test]
    fn what_is_no_rust_is_counted_as_such() {
        for text in ["fn f( {", "%%%", "unsafe { }", "\"open"] {
            assert_eq!(counted(text), (0, 0, 0, 0, 1), "{text}");
        }
        assert_eq!(count(&[0xff, 0xfe, 0]).unparsed_files, 1);
    }

    #[test]
    fn shebangs_and_byte_order_marks_are_passed_over() {
        for text in [
            "#!/usr/bin/env run\nunsafe fn f() {}",
            "\u{feff}unsafe fn f() {}",
        ] {
            assert_eq!(counted(text), (0, 1, 0, 0, 0), "{text}");
        }
        assert_eq!(counted("#![no_std]\nunsafe fn f() {}"), (0, 1, 0, 0, 0));
    }

    #[test]
    fn lines_of_code_leave_out_blanks_and_comments() {
        assert_eq!(
            lines_of_code("fn f() {\n\n  // no\n/* no\nno\n*/\n  1 // yes\n}\n"),
            3
        );
        assert_eq!(lines_of_code("/* no */\nyes\n"), 1);
    }

    fn nested(open: &str, close: &str, times: usize) -> String {
        format!(
            "fn f() {{ {}x{} }}",
            open.repeat(times),
            close.repeat(times)
        )
    }

    #[test]
    fn hostile_nesting_is_refused() {
        let pairs = [("(", ")"), ("{", "}"), ("A::<", ">"), ("a as b<", ">")];
        let prefixes = [
            "!",
            "&",
            "1+",
            "x.",
            "|a| ",
            "return ",
            "if a {} else ",
            "S{} + ",
        ];
        for (open, close) in pairs.into_iter().chain(prefixes.map(|open| (open, ""))) {
            assert_eq!(counted(&nested(open, close, 200_000)).4, 1, "{open}");
        }
    }

    #[test]
    fn nesting_within_the_limits_does_not_exhaust_the_stack() {
        let parse_all = || {
            let prefixes = [
                ("!", 1_400),
                ("1+", 700),
                ("|a| ", 360),
                ("return ", 1_400),
                ("a=", 700),
            ];
            for (open, times) in prefixes {
                assert_eq!(counted(&nested(open, "", times)).4, 0, "{open}");
            }
            for (open, close) in [("(", ")"), ("{", "}"), ("match x { _ => ", "}")] {
                assert_eq!(counted(&nested(open, close, 48)).4, 0, "{open}");
            }
        };
        // Frames are several times larger without optimisation, as tests are built.
        let stack = if cfg!(debug_assertions) {
            64 << 20
        } else {
            4 << 20
        };
        let thread = std::thread::Builder::new()
            .stack_size(stack)
            .spawn(parse_all);
        thread
            .expect("a thread starts")
            .join()
            .expect("the stack is enough");
    }
}
