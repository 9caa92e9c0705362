//! The profiles that this executor can run: the exact rules of execution, as data.

use opensky_protocol::Profile;

/// The rules of one profile. A change of any number is a new profile.
#[derive(Debug, PartialEq, Eq)]
pub struct Rules {
    /// The id that receipts carry.
    pub id: &'static str,
    /// Fuel for one call from guest to host or host to guest.
    pub call: u64,
    /// Fuel for each byte that such a call carries, in and out.
    pub byte: u64,
    /// Bytes that one call may carry. A guest that passes more has gone over a limit.
    pub call_bytes: usize,
    /// Elements that one table may grow to; growth beyond it fails as the guest sees it.
    pub table_elements: usize,
    /// Handles to host resources that a guest may hold at once.
    pub handles: usize,
}

/// Profile 0: the engine's own fuel and NaN canonicalisation. Its counts belong to one version of
/// the engine, so the version is part of the id.
pub const PROFILE_0: Rules = Rules {
    id: "0-wasmtime-48.0.8",
    // A call costs the host about 250 ns: lifting, three short hashes, the function itself.
    call: 500,
    // Copied and hashed: about 1 ns.
    byte: 2,
    call_bytes: 128 << 20,
    table_elements: 1 << 20,
    handles: 16_384,
};

impl Rules {
    /// The rules of `profile`. `None` if this executor does not know them: nobody may guess.
    pub fn of(profile: &Profile) -> Option<&'static Self> {
        (profile.id() == PROFILE_0.id).then_some(&PROFILE_0)
    }

    /// The profile's name.
    pub fn profile(&self) -> Profile {
        Profile::new(self.id)
    }
}
