//! The profiles that this executor can run: the exact rules of execution, as data.

use opensky_protocol::Profile;

/// The rules of one profile. A change of any number is a new profile.
#[derive(Debug, PartialEq, Eq)]
pub struct Rules {
    /// The id that receipts carry.
    pub id: &'static str,
    /// Who counts what a guest uses.
    pub counter: Counter,
    /// Fuel for each instance that is made, before it is; a stepper has one for each step. What it
    /// begins with, its memory and its segments, costs more beside.
    pub instance: u64,
    /// Fuel for one call from guest to host or host to guest.
    pub call: u64,
    /// Fuel for each byte that such a call carries, in and out.
    pub byte: u64,
    /// Fuel for each string and each item of a list that a call carries, beside its bytes.
    pub part: u64,
    /// Bytes that one call may carry; the items of a list count as a 64-bit host keeps them. A guest
    /// that passes more, as arguments or as its result, traps; one that asks the host for more ends
    /// over a limit.
    pub call_bytes: usize,
    /// Elements that one table may grow to; growth beyond it fails as the guest sees it.
    pub table_elements: usize,
    /// Handles to host resources that a guest may hold at once.
    pub handles: usize,
}

/// Who counts the fuel of a guest, and keeps its NaNs canonical and its stack bounded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counter {
    /// The engine, by its own rules.
    Engine,
    /// The program itself, rewritten by [`opensky_meter`]: the engine knows nothing of it.
    Program,
}

/// Profile 0: the engine's own fuel and NaN canonicalisation. Its counts belong to one version of
/// the engine, so the version is part of the id.
pub const PROFILE_0: Rules = Rules {
    id: "0-wasmtime-48.0.8",
    counter: Counter::Engine,
    instance: 0,
    // A call costs the host about 250 ns: lifting, three short hashes, the function itself.
    call: 500,
    // Copied and hashed: about 1 ns.
    byte: 2,
    part: 0,
    call_bytes: 128 << 20,
    table_elements: 1 << 20,
    handles: 16_384,
};

/// Profile 1: fuel, NaNs and depth are OpenSky's own, by a pass over the program. No engine, and no
/// version of one, is part of it.
pub const PROFILE_1: Rules = Rules {
    id: opensky_meter::VERSION,
    counter: Counter::Program,
    // An instance of next to nothing takes 60,000 to 80,000 so counted; one with a page of memory, for
    // which the program pays by itself, 110,000.
    instance: 50_000,
    // What host calls take, at the median speed of guest code, is 10,000 a call, 5 to 22 a byte and 1,200
    // to 3,700 a part. No call may take more than 8 times as long as its fuel, and none that programs
    // make all the time should be dearer than it is.
    call: 4_000,
    byte: 8,
    part: 300,
    ..PROFILE_0
};

impl Rules {
    /// Every profile that this executor knows, oldest first.
    pub const ALL: [&'static Self; 2] = [&PROFILE_0, &PROFILE_1];

    /// The profile of work that does not ask for one.
    pub const DEFAULT: &'static Self = &PROFILE_1;

    /// The rules that a person means by an id, or by what stands before its first dash.
    pub fn named(name: &str) -> Option<&'static Self> {
        let number = |rules: &Self| rules.id.split('-').next() == Some(name);
        Self::ALL
            .into_iter()
            .find(|rules| rules.id == name || number(rules))
    }

    /// The rules of `profile`. `None` if this executor does not know them: nobody may guess.
    pub fn of(profile: &Profile) -> Option<&'static Self> {
        Self::ALL.into_iter().find(|rules| rules.id == profile.id())
    }

    /// The profile's name.
    pub fn profile(&self) -> Profile {
        Profile::new(self.id)
    }
}
