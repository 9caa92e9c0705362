//! Programs that only these tests need.

use std::fmt::Write;

/// A component of this many functions, each a table of `targets` branches over 64 blocks: little to
/// read and much to compile.
pub fn branches(functions: usize, targets: usize) -> Vec<u8> {
    let mut module = String::from("(component (core module\n");
    for _ in 0..functions {
        module.push_str("(func (param i32) (result i32)\n");
        module.push_str(&"(block ".repeat(64));
        module.push_str("(br_table ");
        for target in 0..targets {
            write!(module, "{} ", target % 64).unwrap();
        }
        module.push_str("(local.get 0))");
        for block in 0..64 {
            write!(
                module,
                ") (local.set 0 (i32.mul (local.get 0) (i32.const {block})))"
            )
            .unwrap();
        }
        module.push_str("(local.get 0))\n");
    }
    module.push_str("))");
    wat::parse_str(module).unwrap()
}
