//! Modules that are made to be slow for the pass: each is large in one way, and done in a moment.

use opensky_meter::Context;
use wasm_encoder::{BlockType, Instruction as I};

use crate::{module, repeat, validates};

/// What would take minutes, were any step quadratic.
const LARGE: usize = 60_000;

/// Meters it, and checks that the result is valid.
fn metered(bytes: &[u8]) {
    let metered = opensky_meter::module(bytes, &Context::default()).expect("it is metered");
    validates(&metered.bytes);
}

/// A module whose only function has this body.
fn one(body: Vec<I<'static>>) -> Vec<u8> {
    module(0, [body])
}

#[test]
fn nested_blocks() {
    let mut body = repeat(LARGE, &[I::Block(BlockType::Empty)]);
    for depth in 0..LARGE as u32 {
        body.extend([
            I::LocalGet(0),
            I::BrIf((depth % 7).min(LARGE as u32 - depth)),
            I::End,
        ]);
    }
    metered(&one(body));
}

#[test]
fn nested_loops() {
    let mut body = repeat(LARGE, &[I::Loop(BlockType::Empty)]);
    for _ in 0..LARGE {
        body.extend([I::LocalGet(0), I::BrIf(0), I::End]);
    }
    metered(&one(body));
}

#[test]
fn nested_loops_that_all_go_on_from_the_middle() {
    let mut body = repeat(LARGE, &[I::Loop(BlockType::Empty)]);
    for depth in 0..LARGE as u32 {
        body.extend([I::LocalGet(0), I::BrIf(LARGE as u32 - 1 - depth)]);
    }
    body.extend(repeat(LARGE, &[I::End]));
    metered(&one(body));
}

#[test]
fn loop_with_many_ways_out() {
    let mut body = vec![I::Block(BlockType::Empty), I::Loop(BlockType::Empty)];
    body.extend(repeat(LARGE, &[I::LocalGet(0), I::BrIf(1)]));
    body.extend([I::Br(0), I::End, I::End]);
    metered(&one(body));
}

#[test]
fn many_arms() {
    let arm = [
        I::LocalGet(0),
        I::If(BlockType::Empty),
        I::LocalGet(0),
        I::Drop,
        I::Else,
        I::End,
    ];
    metered(&one(repeat(LARGE, &arm)));
}

#[test]
fn tables_of_many_labels() {
    let mut body = repeat(1_000, &[I::Block(BlockType::Empty)]);
    for _ in 0..1_000 {
        let labels: Vec<u32> = (0..1_000).collect();
        body.extend([
            I::Block(BlockType::Empty),
            I::LocalGet(0),
            I::BrTable(labels.into(), 0),
            I::End,
        ]);
    }
    body.extend(repeat(1_000, &[I::End]));
    metered(&one(body));
}

#[test]
fn many_functions_in_one_circle() {
    let count = LARGE as u32;
    metered(&module(
        0,
        (0..count).map(|index| vec![I::LocalGet(0), I::Call((index + 1) % count)]),
    ));
}

#[test]
fn calls_that_double() {
    let count = 1_000;
    let twice = |callee| {
        vec![
            I::LocalGet(0),
            I::Call(callee),
            I::LocalGet(0),
            I::Call(callee),
        ]
    };
    let chain = (1..count).map(twice).chain([vec![]]);
    metered(&module(0, chain));
}

/// Each call and each export has to be told from the exits.
#[test]
fn many_exits() {
    let exits = r#"(import "wasi:cli/exit@0.2.0" "exit" (func))"#.repeat(LARGE);
    let calls = format!("(call {})", LARGE - 1).repeat(LARGE);
    let exports = (0..LARGE).map(|index| format!(r#"(export "{index}" (func $f))"#));
    let exports = exports.collect::<String>();
    let text = format!("(module {exits} (func $f {calls}) {exports})");
    metered(&wat::parse_str(text).expect("the text is WebAssembly"));
}
