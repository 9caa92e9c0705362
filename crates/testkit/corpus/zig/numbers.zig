//! Sorts, hashes and integrates what is on standard input, with memory that grows.

const std = @import("std");
const wasi = std.os.wasi;

var line: [256]u8 = undefined;

fn print(comptime format: []const u8, args: anytype) void {
    const text = std.fmt.bufPrint(&line, format, args) catch unreachable;
    const parts = [1]std.posix.iovec_const{.{ .base = text.ptr, .len = text.len }};
    var written: usize = undefined;
    _ = wasi.fd_write(1, &parts, 1, &written);
}

fn readAll(gpa: std.mem.Allocator) ![]u8 {
    var input: std.ArrayList(u8) = .empty;
    while (true) {
        var part: [500]u8 = undefined;
        var parts = [1]std.posix.iovec{.{ .base = &part, .len = part.len }};
        var got: usize = undefined;
        if (wasi.fd_read(0, &parts, 1, &got) != .SUCCESS) return error.Read;
        if (got == 0) return input.toOwnedSlice(gpa);
        try input.appendSlice(gpa, part[0..got]);
    }
}

const Vector = @Vector(4, f32);

fn norm(values: []const u8) f32 {
    var sum: Vector = @splat(0);
    var at: usize = 0;
    while (at + 4 <= values.len) : (at += 4) {
        const four: @Vector(4, u8) = values[at..][0..4].*;
        const floats: Vector = @floatFromInt(four);
        sum += @sqrt(floats) * floats;
    }
    return @reduce(.Add, sum);
}

pub fn main() !u8 {
    const gpa = std.heap.wasm_allocator;
    const input = try readAll(gpa);
    var seen: std.AutoHashMapUnmanaged(u16, u32) = .empty;
    for (input[0 .. input.len - 1], input[1..]) |one, other| {
        const entry = try seen.getOrPutValue(gpa, @as(u16, one) << 8 | other, 0);
        entry.value_ptr.* += 1;
    }
    const table = try gpa.alloc(u64, 40_000);
    for (table, 0..) |*slot, at| slot.* = std.hash.Wyhash.hash(at, input[at % input.len ..][0..1]);
    std.mem.sort(u64, table[0..4000], {}, std.sort.asc(u64));
    print("{d} pairs, {x} to {x}\n", .{ seen.count(), table[0], table[3999] });

    var area: f64 = 0;
    for (input, 0..) |byte, at| {
        const x = @as(f64, @floatFromInt(byte)) / 64.0;
        area += @exp(-x) * @sin(x * @as(f64, @floatFromInt(at)));
    }
    print("{d} {e} {d}\n", .{ area, @log(@abs(area)), norm(input) });
    print("{x}\n", .{std.hash.Crc32.hash(input)});
    return if (input[0] == 0) 9 else 0;
}
