//! A worker locks itself in: before it reads a byte of a stranger's, it gives up what it could do
//! with this machine.

use std::io;

use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, RulesetStatus, Scope,
};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use rustix::{
    process::{
        DumpableBehavior, Resource, Rlimit, Signal, set_dumpable_behavior,
        set_parent_process_death_signal, setrlimit, setsid,
    },
    thread::{
        CapabilitySet, CapabilitySets, clear_ambient_capability_set, set_capabilities,
        set_no_new_privs,
    },
};
use tracing::debug;

use crate::worker::message::Setup;

/// What holds a worker in, as the worker itself found it. What a kernel lacks is missing here, and
/// the worker runs without it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode, DecodeWithMemTracking)]
pub struct SandboxReport {
    /// The Landlock version in force: no file system at all, from 4 on no TCP, from 6 on no signals
    /// to and no abstract sockets of other processes. `None`: not in this kernel.
    pub landlock: Option<u32>,
    /// System calls that a worker does not need kill it.
    pub seccomp: bool,
    /// No program that it starts could have more rights.
    pub no_new_privileges: bool,
    /// It has none of the superuser's capabilities, whoever started it.
    pub no_capabilities: bool,
    /// Memory, processor time, files and processes are limited.
    pub resource_limits: bool,
}

impl SandboxReport {
    /// What does not hold the worker in, by name.
    pub fn lacking(&self) -> Vec<&'static str> {
        let holds = [
            (self.landlock.is_some(), "Landlock"),
            (self.seccomp, "seccomp"),
            (self.no_new_privileges, "no new privileges"),
            (self.no_capabilities, "no capabilities"),
            (self.resource_limits, "resource limits"),
        ];
        let lacking = holds.into_iter().filter(|(holds, _)| !holds);
        lacking.map(|(_, name)| name).collect()
    }
}

/// Cuts what ties this process to its parent's session and descriptors. It dies with the thread that
/// started it.
pub(super) fn detach() -> io::Result<()> {
    close_inherited()?;
    // Fails only for a process that leads a session already.
    let _ = setsid();
    set_parent_process_death_signal(Some(Signal::KILL))?;
    limit(Resource::Core, 0)?;
    Ok(())
}

/// Closes every descriptor but the three standard ones, of which the first is the line to the
/// parent and the others lead nowhere.
fn close_inherited() -> io::Result<()> {
    // SAFETY: called first thing in `main`, where nothing else has a descriptor open.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
    if closed == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

/// Gives up every right that this process has over others, and most of what it may use of the
/// machine. Like [`close_files`], what every thread made later inherits: it is done while there is
/// one thread.
pub(super) fn give_up_rights(setup: &Setup) -> SandboxReport {
    SandboxReport {
        landlock: None,
        seccomp: false,
        no_new_privileges: set_no_new_privs(true).is_ok(),
        no_capabilities: drop_capabilities().is_ok(),
        resource_limits: limits(setup).is_ok(),
    }
}

/// From here on no file can be opened, not even this process's own, and nobody but root may trace it
/// or read its memory.
pub(super) fn close_files(report: SandboxReport) -> io::Result<SandboxReport> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let landlock = landlock().unwrap_or_else(|error| {
        debug!(%error, "no Landlock");
        None
    });
    Ok(SandboxReport { landlock, ..report })
}

fn limits(setup: &Setup) -> io::Result<()> {
    // Address space is no measure: the engine reserves terabytes and uses little of them. Only
    // what is private and writable counts here.
    limit(Resource::Data, setup.memory)?;
    limit(Resource::Cpu, setup.cpu)?;
    limit(Resource::Fsize, setup.file)?;
    limit(Resource::Memlock, 0)?;
    // The standard three, the files of one message, and one for each memory of a program.
    limit(Resource::Nofile, 128)
}

/// No thread or process is started after this.
pub(super) fn close_threads() -> io::Result<()> {
    limit(Resource::Nproc, 0)
}

fn limit(resource: Resource, value: u64) -> io::Result<()> {
    let both = Rlimit {
        current: Some(value),
        maximum: Some(value),
    };
    Ok(setrlimit(resource, both)?)
}

fn drop_capabilities() -> io::Result<()> {
    clear_ambient_capability_set()?;
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    Ok(set_capabilities(None, none)?)
}

/// Denies all that Landlock knows and this kernel has.
fn landlock() -> Result<Option<u32>, RulesetError> {
    let newest = ABI::V10;
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(newest))?
        .handle_access(AccessNet::from_all(newest))?
        .scope(Scope::from_all(newest))?
        .create()?
        .no_new_privs(true)
        .restrict_self()?;
    Ok(match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => None,
        (_, LandlockStatus::Available { effective_abi, .. }) => Some(effective_abi as u32),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::ErrorKind, net::TcpStream, thread};

    use super::*;

    #[test]
    fn everything_that_is_missing_is_named() {
        let whole = SandboxReport {
            landlock: Some(1),
            seccomp: true,
            no_new_privileges: true,
            no_capabilities: true,
            resource_limits: true,
        };
        assert!(whole.lacking().is_empty());
        let open = SandboxReport {
            landlock: None,
            seccomp: false,
            ..whole
        };
        assert_eq!(open.lacking(), ["Landlock", "seccomp"]);
        assert_eq!(SandboxReport::default().lacking().len(), 5);
    }

    /// Landlock holds the thread that asks for it, so a test's own thread can try.
    #[test]
    fn landlock_leaves_no_file_and_no_connection() {
        let tried = thread::spawn(|| {
            let abi = landlock().expect("the rules can be made");
            (
                abi,
                File::open("/etc/passwd"),
                File::create("/tmp/worker"),
                TcpStream::connect("127.0.0.1:9"),
            )
        });
        let (abi, read, written, connected) = tried.join().expect("nothing here panics");
        let Some(abi) = abi else {
            eprintln!("skipped: no Landlock in this kernel");
            return;
        };
        assert_eq!(
            read.expect_err("denied").kind(),
            ErrorKind::PermissionDenied
        );
        assert_eq!(
            written.expect_err("denied").kind(),
            ErrorKind::PermissionDenied
        );
        if abi >= 4 {
            assert_eq!(
                connected.expect_err("denied").kind(),
                ErrorKind::PermissionDenied
            );
        }
        assert!(
            File::open("/etc/passwd").is_ok(),
            "other threads are as they were"
        );
    }
}
