//! Each limit, exactly, and shapes that are made to take long.

use std::{fmt::Write, time::Instant};

use opensky_executor::{
    adapt, admit,
    inspect::{Refusal, inspect},
};

use crate::components::{HELLO, assert_refused, binary, command_and, command_with_module};

/// What is limited, the limit, and text that has so many of it.
type Limited<'a> = (&'static str, u64, &'a dyn Fn(usize) -> String);

/// For each limit, the largest module body that is accepted and one that is one too large.
#[test]
fn each_limit_of_a_module_is_exact() {
    let nested = |depth| format!("(func {} {})", many(depth, "block "), many(depth, "end "));
    let exports = |count| {
        let list = numbered(count, |text, i| {
            write!(text, r#"(export "{i}" (func $f))"#).unwrap();
        });
        format!("(func $f) {list}")
    };
    let types = |count| {
        // Equal types are one type in the text format, so each gets its own index here.
        numbered(count, |text, i| {
            write!(text, "(type $t{i} (func))").unwrap()
        })
    };
    let cases: [Limited; 11] = [
        ("locals of a function", 20_000, &|n| {
            format!("(func (local {}))", many(n, "i64 "))
        }),
        ("targets of a `br_table`", 16_384, &|n| {
            format!("(func (br_table {} 0 (i32.const 0)))", many(n, "0 "))
        }),
        // The function itself is the first block.
        ("blocks inside each other", 20_000, &|n| nested(n - 1)),
        // Locals, and the operator that ends the body, take one byte each.
        ("bytes of a function's body", 2 << 20, &|n| {
            format!("(func {})", many(n - 2, "nop "))
        }),
        // The command has a function of its own.
        ("functions", 100_000, &|n| many(n - 1, "(func)")),
        ("types of a module", 20_000, &types),
        ("exports of a module", 50_000, &exports),
        ("globals of a module", 50_000, &|n| {
            many(n, "(global i32 (i32.const 0))")
        }),
        ("data segments of a module", 50_000, &|n| many(n, "(data)")),
        ("elements of a table at its start", 100_000, &|n| {
            format!("(table {n} funcref)")
        }),
        ("elements of a module's segments", 100_000, &|n| {
            format!(
                "(func $f) (elem func $f) (elem func {})",
                "$f ".repeat(n - 1)
            )
        }),
    ];
    for (what, max, body) in cases {
        let largest = binary(&command_with_module(&body(max as usize)));
        if let Err(refusal) = admit(&largest) {
            panic!("{what}: {refusal}");
        }
        let too_large = binary(&command_with_module(&body(max as usize + 1)));
        let value = max + 1;
        let expected = format!("{what}: {value}, and at most {max} are accepted");
        assert_refused(&too_large, &expected);
    }
}

#[test]
fn each_limit_of_a_component_is_exact() {
    let instances = |body: &str, count: usize| {
        format!(
            "(core module $x {body}) {}",
            many(count, "(core instance (instantiate $x))")
        )
    };
    let cases: [Limited; 7] = [
        ("core instances", 64, &|n| instances("", n - 1)),
        ("core modules", 64, &|n| many(n - 1, "(core module)")),
        ("memories of all core instances", 16, &|n| {
            instances("(memory 1)", n)
        }),
        ("tables of all core instances", 64, &|n| {
            // Two instances with half of them, or one more.
            let half = many(n / 2, "(table 1 funcref)");
            let rest = many(
                n % 2,
                "(core module $y (table 1 funcref)) (core instance (instantiate $y))",
            );
            format!("{} {rest}", instances(&half, 2))
        }),
        ("components inside each other", 4, &|n| {
            format!("{}{}", many(n, "(component "), many(n, ")"))
        }),
        // The whole is an instance too.
        ("component instances", 500, &|n| {
            format!(
                "(component $c) {}",
                many(n - 1, "(instance (instantiate $c))")
            )
        }),
        // The command's own are a module, an instance, an alias, two types, a function, an
        // instance and an export.
        ("entries of component sections", 50_000, &|n| {
            many(n - 8, "(type u8)")
        }),
    ];
    for (what, max, text) in cases {
        let largest = binary(&command_and(&text(max as usize)));
        if let Err(refusal) = admit(&largest) {
            panic!("{what}: {refusal}");
        }
        let too_large = binary(&command_and(&text(max as usize + 1)));
        let value = max + 1;
        let expected = format!("{what}: {value}, and at most {max} are accepted");
        assert_refused(&too_large, &expected);
    }
}

/// Each component holds two instances of the one before it: 30 of them would be a billion.
#[test]
fn components_that_multiply_are_refused_in_no_time() {
    let text = numbered(30, |text, i| match i {
        0 => text.push_str("(component $c0)"),
        _ => {
            let last = i - 1;
            write!(
                text,
                "(component $c{i} (alias outer 1 $c{last} (component $x))
                    (instance (instantiate $x)) (instance (instantiate $x)))"
            )
            .unwrap();
        }
    });
    assert_refused(&binary(&command_and(&text)), "component instances: ");
}

fn leb(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn section(id: u8, body: &[u8]) -> Vec<u8> {
    [&[id][..], &leb(body.len()), body].concat()
}

/// A component whose one type is so many types inside each other: of components where `kind` is
/// 0x41, of instances where it is 0x42.
fn nested_types(depth: usize, kind: u8) -> Vec<u8> {
    let mut types = vec![1];
    types.extend([kind, 1, 1].repeat(depth - 1));
    types.extend([kind, 0]);
    let header = b"\0asm\x0d\0\x01\0";
    [&header[..], &section(7, &types)].concat()
}

/// The reader goes into them by recursion: 600 KB would use up any stack.
#[test]
fn types_inside_each_other_are_refused_before_they_are_read() {
    for kind in [0x41, 0x42] {
        inspect(&nested_types(50, kind)).expect("that is deep enough for everybody");
        for depth in [200_000, 51] {
            let deep = nested_types(depth, kind);
            assert_refused(&deep, "component types inside each other");
            let mut nested = b"\0asm\x0d\0\x01\0".to_vec();
            nested.extend(section(4, &deep));
            assert_refused(&nested, "component types inside each other");
            let name = b"\x0ecomponent-type";
            let mut module = binary(HELLO);
            module.extend(section(0, &[name, &deep[..]].concat()));
            let refusal = adapt(&module).unwrap_err().to_string();
            assert!(refusal.contains("component types"), "{refusal}");
        }
    }
}

#[test]
fn hostile_shapes_are_refused_quickly() {
    let blocks = format!(
        "(module (func {} {}))",
        many(690_000, "block "),
        many(690_000, "end ")
    );
    let functions = format!("(module {})", many(150_000, "(func)"));
    // One function whose one group of locals has 2^32 - 1 of them.
    let locals = [
        &b"\0asm\x01\0\0\0"[..],
        b"\x01\x04\x01\x60\0\0",
        b"\x03\x02\x01\0",
        b"\x0a\x0a\x01\x08\x01\xff\xff\xff\xff\x0f\x7f\x0b",
    ];
    // A section that promises 2^32 - 1 types in eleven bytes.
    let types = [&b"\0asm\x01\0\0\0"[..], b"\x01\x05\xff\xff\xff\xff\x0f"];
    let shapes = [
        binary(&blocks),
        binary(&functions),
        locals.concat(),
        types.concat(),
    ];
    for bytes in shapes {
        let start = Instant::now();
        let refusal = inspect(&bytes).unwrap_err();
        assert!(matches!(refusal, Refusal::Limit { .. }), "{refusal}");
        assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    }
}

/// `count` times `item`.
fn many(count: usize, item: &str) -> String {
    item.repeat(count)
}

fn numbered(count: usize, mut item: impl FnMut(&mut String, usize)) -> String {
    (0..count).fold(String::new(), |mut text, index| {
        item(&mut text, index);
        text
    })
}
