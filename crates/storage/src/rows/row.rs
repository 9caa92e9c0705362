//! What rows are: named tables of keys and values, all bytes.

use redb::TableDefinition;

/// The name of a table. It ends in a version, so that rows of another form are another table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table(&'static str);

impl Table {
    /// A table of that name, such as `units-1`; meant for constants.
    ///
    /// # Panics
    /// If it is not lower-case letters, digits and hyphens, with a number after the last hyphen.
    pub const fn new(name: &'static str) -> Self {
        assert!(
            is_versioned(name.as_bytes()),
            "a table is named like `units-1`"
        );
        Self(name)
    }

    /// The name.
    pub const fn name(self) -> &'static str {
        self.0
    }

    pub(super) fn definition(self) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
        TableDefinition::new(self.0)
    }
}

const fn is_versioned(name: &[u8]) -> bool {
    let mut at = name.len();
    while at > 0 && name[at - 1].is_ascii_digit() {
        at -= 1;
    }
    let has_version = at < name.len() && at > 1 && name[at - 1] == b'-';
    while at > 0 && matches!(name[at - 1], b'a'..=b'z' | b'0'..=b'9' | b'-') {
        at -= 1;
    }
    has_version && at == 0
}

/// One change: a row that is written, in place of whatever had its key, or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Where it is.
    pub table: Table,
    /// Its name in the table.
    pub key: Vec<u8>,
    /// What it says; nothing for a row that is removed, which need not be there.
    pub value: Option<Vec<u8>>,
}

impl Row {
    pub(super) fn bytes(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, Vec::len)
    }
}
