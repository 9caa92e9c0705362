//! What a stranger could loop over.

/// A loop over one kind of code.
pub struct Kind {
    pub name: &'static str,
    /// How often the code stands in the loop.
    pub repeat: usize,
    /// It has these locals: `$x`, `$y` and `$z` are `i64`, `$a`, `$b` and `$zero` are `i32`, `$d` and `$e` are
    /// `f64`, `$s` is `f32`, `$v` and `$u` are `v128`. 64 MiB of memory have been written before. `[3: text]`
    /// means the text so often, with its number in the place of `#`.
    pub code: &'static str,
    /// What stands in front of the loop.
    pub before: &'static str,
    /// Functions and types that it uses.
    pub beside: &'static str,
}

const fn kind(name: &'static str, repeat: usize, code: &'static str) -> Kind {
    Kind {
        name,
        repeat,
        code,
        before: "",
        beside: "",
    }
}

impl Kind {
    const fn after(self, before: &'static str) -> Self {
        Self { before, ..self }
    }

    const fn with(self, beside: &'static str) -> Self {
        Self { beside, ..self }
    }

    /// A module that loops over it.
    pub fn module(&self) -> String {
        let Self { before, beside, .. } = *self;
        let code = self.code.repeat(self.repeat);
        written_out(&format!(
            r#"(module (memory 1025) (table 64 funcref) (type $t (func (param i64) (result i64)))
          (elem (i32.const 0) $same $one $same $three)
          (func $same (type $t) (local.get 0))
          (func $one (type $t) (i64.add (local.get 0) (i64.const 1)))
          {beside}
          (func $three (type $t) (i64.add (local.get 0) (i64.const 3)))
          (func (export "write") (memory.fill (i32.const 0) (i32.const 0) (i32.const 67108864)))
          (func (export "run") (param $n i32) (result i64)
            (local $i i32) (local $zero i32) (local $x i64) (local $y i64) (local $z i64)
            (local $a i32) (local $b i32) (local $d f64) (local $e f64) (local $s f32)
            (local $v v128) (local $u v128)
            (local.set $x (i64.const 0x9e3779b97f4a7c15)) (local.set $y (i64.const 3))
            (local.set $b (i32.const 7)) (local.set $d (f64.const 1.5))
            (local.set $e (f64.const 1.0000001)) (local.set $s (f32.const 1.5))
            (local.set $v (v128.const i64x2 0x3ff8000000000000 0x3ff8000000000001))
            (local.set $u (v128.const i64x2 0x3ff0000000000001 0x3ff0000000000001))
            {before}
            (loop $again
              {code}
              (local.set $z (i64.extend_i32_u (local.get $i)))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br_if $again (i32.lt_u (local.get $i) (local.get $n))))
            (i64.add (local.get $x) (i64.add (i64.extend_i32_u (local.get $a))
              (i64.add (i64.reinterpret_f64 (local.get $d))
                (i64.add (i64.extend_i32_u (i32.reinterpret_f32 (local.get $s)))
                  (i64x2.extract_lane 0 (local.get $v))))))))"#
        ))
    }
}

/// The text without `[3: ...]`.
pub fn written_out(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((plain, list)) = rest.split_once('[') {
        out.push_str(plain);
        let (times, list) = list.split_once(':').expect("a list has a length");
        let (item, after) = list.split_once(']').expect("a list has an end");
        let times: usize = times.parse().expect("a length is a number");
        (0..times).for_each(|n| out.push_str(&item.replace('#', &n.to_string())));
        rest = after;
    }
    out + rest
}

/// A function of a thousand results that come out of a block.
macro_rules! values {
    ($code:literal) => {
        concat!(
            "(type $many (func (result [1000:f32 ])))
             (func $give (type $many) [1000:(f32.const 1)])
             (func $pick (param i32) (result [1000:f32 ]) (block (type $many) ",
            $code,
            "))"
        )
    };
}

pub const KINDS: &[Kind] = &[
    kind("empty loop", 0, ""),
    kind(
        "add, each waits",
        16,
        "(local.set $x (i64.add (i64.xor (local.get $x) (local.get $z)) (local.get $y)))",
    ),
    kind(
        "mul",
        16,
        "(local.set $x (i64.mul (local.get $x) (local.get $x)))",
    ),
    kind(
        "i32.div_u",
        16,
        "(local.set $a (i32.div_u (i32.const -1) (i32.or (local.get $a) (i32.const 1))))",
    ),
    kind(
        "i64.div_s",
        16,
        "(local.set $x (i64.div_s (i64.const 0x7edcba9876543210) (i64.or (local.get $x) (i64.const 1))))",
    ),
    kind(
        "i64.rem_u",
        16,
        "(local.set $x (i64.rem_u (i64.const 0x7edcba9876543210) (i64.or (local.get $x) (i64.const 1))))",
    ),
    kind(
        "f64.add",
        16,
        "(local.set $d (f64.add (local.get $d) (local.get $e)))",
    ),
    kind(
        "f64.mul",
        16,
        "(local.set $d (f64.mul (local.get $d) (local.get $e)))",
    ),
    kind(
        "f64.div",
        16,
        "(local.set $d (f64.div (local.get $d) (local.get $e)))",
    ),
    kind("f64.sqrt", 16, "(local.set $d (f64.sqrt (local.get $d)))"),
    kind("f32.sqrt", 16, "(local.set $s (f32.sqrt (local.get $s)))"),
    kind(
        "f64.nearest",
        16,
        "(local.set $d (f64.nearest (local.get $d)))",
    ),
    kind(
        "to float and back",
        16,
        "(local.set $x (i64.trunc_sat_f64_s (f64.convert_i64_s (local.get $x))))",
    ),
    kind(
        "to float and back, unsigned",
        16,
        "(local.set $x (i64.trunc_sat_f64_u (f64.convert_i64_u (local.get $x))))",
    ),
    kind(
        "count bits",
        16,
        "(local.set $x (i64.add (i64.popcnt (local.get $x)) (i64.add (i64.clz (local.get $x)) (i64.ctz (local.get $x)))))",
    ),
    kind(
        "select",
        16,
        "(local.set $x (select (local.get $y) (local.get $x) (i64.lt_u (local.get $x) (local.get $y))))",
    ),
    kind(
        "i64x2.mul",
        16,
        "(local.set $v (i64x2.mul (local.get $v) (local.get $u)))",
    ),
    kind(
        "i8x16.swizzle",
        16,
        "(local.set $v (i8x16.swizzle (local.get $v) (local.get $u)))",
    ),
    kind(
        "i8x16.shl",
        16,
        "(local.set $v (i8x16.shl (local.get $v) (local.get $b)))",
    ),
    kind(
        "f64x2.div",
        16,
        "(local.set $v (f64x2.div (local.get $v) (local.get $u)))",
    ),
    kind(
        "f64x2.sqrt",
        16,
        "(local.set $v (f64x2.sqrt (local.get $v)))",
    ),
    kind(
        "f64x2.min",
        16,
        "(local.set $v (f64x2.min (local.get $v) (local.get $u)))",
    ),
    kind(
        "v128 to float and back",
        16,
        "(local.set $v (f32x4.convert_i32x4_u (i32x4.trunc_sat_f32x4_u (local.get $v))))",
    ),
    kind(
        "bitmask",
        16,
        "(local.set $v (i32x4.splat (i32.add (i8x16.bitmask (local.get $v)) (v128.any_true (local.get $v)))))",
    ),
    kind(
        "load, cached",
        16,
        "(local.set $x (i64.add (local.get $x) (i64.load (i32.const 64))))",
    ),
    kind(
        "load from load, 16 KiB",
        16,
        "(local.set $a (i32.and (i32.add (i32.add (i32.mul (local.get $a) (i32.const 5)) (i32.const 64)) (i32.load (local.get $a))) (i32.const 0x3fc0)))",
    ),
    kind(
        "load from load, 1 MiB",
        16,
        "(local.set $a (i32.and (i32.add (i32.add (i32.mul (local.get $a) (i32.const 5)) (i32.const 64)) (i32.load (local.get $a))) (i32.const 0xfffc0)))",
    ),
    kind(
        "load from load, 64 MiB",
        16,
        "(local.set $a (i32.and (i32.add (i32.add (i32.mul (local.get $a) (i32.const 1664525)) (i32.const 64)) (i32.load (local.get $a))) (i32.const 0x3ffffc0)))",
    ),
    kind(
        "stride of 4,160, loads",
        16,
        "(local.set $x (i64.add (local.get $x) (i64.load (local.tee $a (i32.and (i32.add (local.get $a) (i32.const 4160)) (i32.const 0x3fffff8))))))",
    ),
    kind(
        "stride of 4,160, stores",
        16,
        "(i64.store (local.tee $a (i32.and (i32.add (local.get $a) (i32.const 4160)) (i32.const 0x3fffff8))) (local.get $x))",
    ),
    kind("call", 16, "(local.set $x (call $one (local.get $x)))"),
    kind(
        "call_indirect, random",
        16,
        "(local.set $y (i64.add (i64.mul (local.get $y) (i64.const 6364136223846793005)) (i64.const 1442695040888963407))) (local.set $x (call_indirect (type $t) (local.get $x) (i32.wrap_i64 (i64.shr_u (local.get $y) (i64.const 62)))))",
    ),
    kind(
        "if, random",
        16,
        "(local.set $y (i64.add (i64.mul (local.get $y) (i64.const 6364136223846793005)) (i64.const 1442695040888963407))) (if (i64.lt_s (local.get $y) (i64.const 0)) (then (local.set $x (i64.add (local.get $x) (i64.const 1))) (i32.store (i32.const 8) (i32.const 1))))",
    ),
    kind(
        "br_table, random",
        16,
        "(local.set $y (i64.add (i64.mul (local.get $y) (i64.const 6364136223846793005)) (i64.const 1442695040888963407))) (block $p (block $q (block $r (br_table $p $q $r (i32.wrap_i64 (i64.shr_u (local.get $y) (i64.const 62))))) (i32.store (i32.const 8) (i32.const 1)) (br $p)) (i32.store (i32.const 16) (i32.const 1)))",
    ),
    kind(
        "memory.fill, no bytes",
        4,
        "(memory.fill (i32.const 64) (i32.const 1) (local.get $zero))",
    ),
    kind(
        "memory.fill, 1 MiB",
        1,
        "(memory.fill (i32.const 64) (i32.const 1) (i32.const 1048576))",
    ),
    kind(
        "memory.copy, 1 byte",
        4,
        "(memory.copy (i32.const 64) (i32.const 128) (i32.add (local.get $zero) (i32.const 1)))",
    ),
    kind(
        "memory.copy, 30 MiB",
        1,
        "(memory.copy (i32.const 64) (i32.const 33554432) (i32.const 31457280))",
    ),
    kind(
        "memory.grow, no pages",
        4,
        "(drop (memory.grow (i32.const 0)))",
    ),
    kind("memory.grow, one page", 1, GROW),
    kind(
        "table.fill",
        4,
        "(table.fill (i32.const 20) (ref.null func) (i32.const 40))",
    ),
    kind(
        "table.copy",
        4,
        "(table.copy (i32.const 20) (i32.const 0) (i32.const 4))",
    ),
    kind(
        "table.grow",
        1,
        "(drop (table.grow (ref.null func) (i32.const 1)))",
    ),
    kind(
        "f64.mul, subnormal",
        16,
        "(local.set $d (f64.mul (local.get $d) (local.get $e)))",
    )
    .after(SUBNORMAL),
    kind(
        "f64.div, subnormal",
        16,
        "(local.set $d (f64.div (local.get $d) (local.get $e)))",
    )
    .after(SUBNORMAL),
    kind(
        "f64x2.div, subnormal",
        16,
        "(local.set $v (f64x2.div (local.get $v) (f64x2.splat (local.get $e))))",
    )
    .after(SUBNORMAL),
    kind(
        "store and load across pages",
        16,
        "(i64.store (i32.const 4093) (local.get $x)) (local.set $x (i64.load (i32.const 4092)))",
    ),
    kind("call of nothing", 16, "(call $nothing)").with("(func $nothing)"),
    kind(
        "1000 parameters",
        1,
        "(call $take [1000:(local.get $x)])",
    )
    .with("(func $take (param [1000:i64 ]))"),
    kind(
        "1000 parameters, v128",
        1,
        "(call $take [1000:(local.get $v)])",
    )
    .with("(func $take (param [1000:v128 ]))"),
    kind("1000 locals, cleared", 1, "(call $clear)").with(
        "(func $clear (local [1000:i64 ])
           (loop (if (i32.eqz (memory.size)) (then
             [1000:(local.set # (i64.add (local.get #) (i64.const 1)))] (br 1)))))",
    ),
    kind("1000 locals, cleared, v128", 1, "(call $clear)").with(
        "(func $clear (local [1000:v128 ])
           (loop (if (i32.eqz (memory.size)) (then
             [1000:(local.set # (v128.not (local.get #)))] (br 1)))))",
    ),
    kind("1000 results", 1, "(call $pass) [1000:(drop)]").with(
        "(type $many (func (result [1000:f32 ])))
         (func $give (type $many) [1000:(f32.const 1)])
         (func $on (type $many) (call $give)) (func $pass (type $many) (call $on))",
    ),
    kind("1000 results, v128", 1, "(call $pass) [1000:(drop)]").with(
        "(type $many (func (result [1000:v128 ])))
         (func $give (type $many) [1000:(v128.const i64x2 1 1)])
         (func $on (type $many) (call $give)) (func $pass (type $many) (call $on))",
    ),
    kind(
        "10 results, through a table",
        4,
        "(call_indirect (type $many) (i32.const 9)) [10:(drop)]",
    )
    .with(
        "(type $many (func (result [10:i64 ]))) (func $give (type $many) [10:(i64.const 1)])
         (elem (i32.const 9) $give)",
    ),
    kind("if of 1000 values", 1, PICK).with(values!(
        "(if (type $many) (local.get 0) (then (call $give)) (else (call $give)))"
    )),
    kind("br_if with 1000 values", 1, PICK).with(values!(
        "(call $give) (br_if 0 (local.get 0)) [1000:(drop)] (call $give)"
    )),
    kind("br_table with 1000 values", 1, PICK).with(values!(
        "(block (type $many) (call $give) (br_table 0 1 (local.get 0)))
         [1000:(drop)] (call $give)"
    )),
    kind("loop over 1000 values", 1, PICK).with(values!(
        "(call $give)
         (loop (param [1000:f32 ]) (result [1000:f32 ])
           (br_if 1 (i32.eqz (local.tee 0 (i32.xor (local.get 0) (i32.const 1)))))
           [1000:(drop)] (call $give) (br 0))"
    )),
    kind(
        "br_table of 1024, random",
        1,
        "(local.set $y (i64.add (i64.mul (local.get $y) (i64.const 6364136223846793005)) (i64.const 1442695040888963407)))
         (block $out [1024:(block ]
           (br_table [1024:# ]0 (i32.wrap_i64 (i64.shr_u (local.get $y) (i64.const 54))))
           [1024:)(i32.store (i32.const #) (local.get $b)) (br $out)])",
    ),
    kind(
        "table.get, random in 8 MiB",
        16,
        "(local.set $a (i32.and (i32.const 0xfffff)
           (i32.add (i32.mul (local.get $a) (i32.const 1664525))
             (i32.add (i32.const 1013904223) (ref.is_null (table.get $large (local.get $a)))))))",
    )
    .with(LARGE),
    kind(
        "call_indirect, random in 8 MiB",
        16,
        "(local.set $a (i32.and (i32.const 0xfffff)
           (i32.add (i32.mul (local.get $a) (i32.const 1664525)) (i32.const 1013904223))))
         (local.set $x (call_indirect $large (type $t) (local.get $x) (local.get $a)))",
    )
    .with(
        "(table $large 1048576 funcref)
         (func $fill
           (table.fill $large (i32.const 0) (ref.func $one) (i32.const 1048576))
           (table.fill $large (i32.const 0) (ref.func $same) (i32.const 524288)))
         (start $fill)",
    ),
    kind(
        "table.copy, 1000000",
        1,
        "(table.copy $large $large (i32.const 20) (i32.const 0) (i32.const 1000000))",
    )
    .with(LARGE),
    kind(
        "table.init, 1000",
        1,
        "(table.init $large $many (i32.const 20) (i32.const 0) (i32.const 1000))",
    )
    .with("(table $large 1048576 funcref) (elem $many func [1000:$one ])"),
    kind(
        "table.grow, 10000",
        1,
        "(drop (table.grow (ref.null func) (i32.const 10000)))",
    ),
    kind(
        "memory.grow, refused",
        4,
        "(drop (memory.grow (i32.const 65536)))",
    ),
    kind("ref.func", 4, "(table.set (i32.const 20) (ref.func $one))"),
];

/// The largest subnormal number, and one.
const SUBNORMAL: &str =
    "(local.set $d (f64.const 0x0.fffffffffffffp-1022)) (local.set $e (f64.const 1))
  (local.set $v (f64x2.splat (local.get $d)))";

/// What `$pick` gives comes one way or another.
const PICK: &str = "(call $pick (i32.and (local.get $i) (i32.const 1))) [1000:(drop)]";

const LARGE: &str = "(table $large 1048576 funcref)";

/// Grows by a page and writes to each 4 KiB of it.
pub const GROW: &str = "(local.set $a (i32.shl (memory.grow (i32.const 1)) (i32.const 16)))
  (if (i32.gt_s (local.get $a) (i32.const 0)) (then
    (local.set $b (i32.const 16))
    (loop $touch (i32.store (local.get $a) (i32.const 1))
      (local.set $a (i32.add (local.get $a) (i32.const 4096)))
      (br_if $touch (local.tee $b (i32.sub (local.get $b) (i32.const 1)))))))";
