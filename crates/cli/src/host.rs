//! What this machine's kernel offers to lock strangers' code in.

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, Scope,
};
use rustix::{
    fs::{MemfdFlags, SealFlags},
    process::{Resource, getrlimit},
};

/// One protection and whether it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// Its usual name.
    pub name: &'static str,
    /// What was found: a version or a value; `None` if it is missing.
    pub found: Option<String>,
    /// What it is for, or what its absence means.
    pub meaning: &'static str,
}

/// Asks the kernel, once for each protection that run workers use. Changes nothing in this process.
pub fn features() -> Vec<Feature> {
    vec![
        feature(
            "Landlock",
            landlock_version(),
            "workers cannot open files or sockets",
            "nothing but seccomp keeps workers from files; use Linux 5.13 or later with landlock in lsm=",
        ),
        feature(
            "seccomp",
            seccomp(),
            "workers may make only a few system calls",
            "workers could make any system call; use a kernel with CONFIG_SECCOMP_FILTER",
        ),
        feature(
            "no-new-privs",
            rustix::thread::no_new_privs().ok().map(|_| "yes".into()),
            "workers cannot gain rights through setuid programs",
            "seccomp cannot be used without root",
        ),
        feature(
            "memfd sealing",
            memfd_sealing(),
            "code and inputs reach workers read-only",
            "code and inputs are copied into each worker",
        ),
        feature(
            "rlimits",
            rlimits(),
            "memory, files and core dumps of workers are bounded",
            "raise the hard limits (ulimit -H)",
        ),
    ]
}

fn feature(
    name: &'static str,
    found: Option<String>,
    there: &'static str,
    missing: &'static str,
) -> Feature {
    let meaning = if found.is_some() { there } else { missing };
    Feature {
        name,
        found,
        meaning,
    }
}

/// The highest Landlock ABI whose every right this kernel knows. The crate does not tell the number,
/// so it is asked for each version's rights in turn.
fn landlock_version() -> Option<String> {
    let strict = || Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    let files = |abi| strict().handle_access(AccessFs::from_all(abi)).is_ok();
    let supported = [
        (1, files(ABI::V1)),
        (2, files(ABI::V2)),
        (3, files(ABI::V3)),
        (
            4,
            strict().handle_access(AccessNet::from_all(ABI::V4)).is_ok(),
        ),
        (5, files(ABI::V5)),
        (6, strict().scope(Scope::from_all(ABI::V6)).is_ok()),
    ];
    let (version, _) = supported.into_iter().take_while(|(_, ok)| *ok).last()?;
    let more = if version == 6 { " or later" } else { "" };
    Some(format!("ABI {version}{more}"))
}

fn seccomp() -> Option<String> {
    let actions = std::fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail").ok()?;
    actions
        .split_whitespace()
        .any(|action| action == "kill_process")
        .then(|| "filters".into())
}

fn memfd_sealing() -> Option<String> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = rustix::fs::memfd_create("opensky-doctor", flags).ok()?;
    rustix::fs::fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW).ok()?;
    Some("yes".into())
}

/// A worker opens few files but reserves much address space: both hard limits must leave room.
fn rlimits() -> Option<String> {
    const FEW_FILES: u64 = 1024;
    const ROOM: u64 = 64 << 30;
    let enough = |resource, least| getrlimit(resource).maximum.is_none_or(|most| most >= least);
    (enough(Resource::Nofile, FEW_FILES) && enough(Resource::As, ROOM)).then(|| "yes".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_says_what_it_means() {
        let features = features();
        assert_eq!(features.len(), 5);
        assert!(features.iter().all(|feature| !feature.meaning.is_empty()));
    }

    #[test]
    fn memfd_sealing_is_found_where_the_kernel_has_it() {
        // Every Linux since 3.17 has it, and so has every machine that can build this crate.
        assert_eq!(memfd_sealing().as_deref(), Some("yes"));
    }
}
