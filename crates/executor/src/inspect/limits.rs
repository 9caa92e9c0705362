//! What a component may hold. Each limit is far below the engine's own, so that no engine refuses
//! what admission accepted, and above what compilers make: the largest known are Python and
//! JavaScript interpreters.

/// Bytes of a component.
pub(crate) const MAX_BYTES: u64 = 64 << 20;
/// Functions that all core modules define together. An interpreter has 10 to 20 thousand.
pub(crate) const MAX_FUNCTIONS: u64 = 100_000;
/// Bytes of one function's body. Compiling takes more than linear time in it; the largest of a
/// Python interpreter has 427 thousand.
pub(crate) const MAX_BODY: u64 = 2 << 20;
/// Locals of one function: at 16 bytes each, a stack frame below 320 KiB.
pub(crate) const MAX_LOCALS: u64 = 20_000;
/// Targets of one `br_table`.
pub(crate) const MAX_BR_TABLE: u64 = 16_384;
/// Blocks inside each other in one function. A `switch` becomes a block for each of its cases.
pub(crate) const MAX_BLOCK_DEPTH: u64 = 20_000;
/// Types of one core module.
pub(crate) const MAX_TYPES: u64 = 20_000;
/// Imports, exports, globals, segments: of each, in one core module. A library that is linked at
/// build time exports all its symbols.
pub(crate) const MAX_MODULE_ITEMS: u64 = 50_000;
/// Entries of all sections outside of core modules together: types, aliases, functions, instances.
pub(crate) const MAX_COMPONENT_ITEMS: u64 = 50_000;
/// Component and instance types inside each other. A world in a package in a description takes 4.
pub(crate) const MAX_TYPE_DEPTH: u64 = 50;
/// Components inside each other.
pub(crate) const MAX_COMPONENT_DEPTH: u64 = 4;
/// Component instances, those that nested components make included.
pub(crate) const MAX_COMPONENT_INSTANCES: u64 = 500;
/// Core modules of a component, and instances of them.
pub const MAX_CORE_INSTANCES: u32 = 64;
/// Linear memories of all core instances together.
pub const MAX_MEMORIES: u32 = 16;
/// Tables of all core instances together.
pub const MAX_TABLES: u32 = 64;
/// Elements that one table has at its start, and those of all segments of one core module.
pub const MAX_TABLE_ELEMENTS: u64 = 100_000;
