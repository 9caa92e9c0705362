//! Ends too deep in calls if the input is text, and else by arithmetic that Zig checks.

const std = @import("std");
const wasi = std.os.wasi;

const Visit = *const fn (u32, u64) u64;

fn left(depth: u32, value: u64) u64 {
    const next: Visit = if (value % 3 == 0) &left else &right;
    return next(depth + 1, value *% 6364136223846793005 +% depth) ^ depth;
}

fn right(depth: u32, value: u64) u64 {
    return left(depth + 1, value >> 1) +% value;
}

pub fn main() void {
    var input: [64]u8 = undefined;
    var parts = [1]std.posix.iovec{.{ .base = &input, .len = input.len }};
    var got: usize = undefined;
    _ = wasi.fd_read(0, &parts, 1, &got);
    if (input[0] == 'T') {
        const text = std.fmt.bufPrint(&input, "{d}\n", .{left(0, got)}) catch unreachable;
        const out = [1]std.posix.iovec_const{.{ .base = text.ptr, .len = text.len }};
        _ = wasi.fd_write(1, &out, 1, &got);
    }
    var sum: u8 = 0;
    for (input[0..got]) |byte| sum += byte;
    std.process.exit(sum);
}
