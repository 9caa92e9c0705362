//! The system calls that a worker may make, once it has what it needs. Opening a file fails; any
//! other call kills it.

use std::collections::BTreeMap;

use rustix::ioctl::{Opcode, opcode};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpOp,
    SeccompCondition, SeccompFilter, SeccompRule, TargetArch, apply_filter_all_threads,
};

/// Why the filter is not in force.
#[derive(Debug, thiserror::Error)]
pub(super) enum FilterError {
    #[error("no filter for this machine: {0}")]
    Build(#[from] BackendError),
    #[error(transparent)]
    Install(#[from] seccompiler::Error),
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// What both kinds of worker do after they were locked in. They have no descriptor but the line, what
/// comes over it, and a run worker its own page map, which it opened without the right to see where
/// pages are. So reading and writing need no narrower rule; no name of any file can be said with
/// these.
const CALLS: &[i64] = &[
    // The line, and the files that come over it.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_recvmsg,
    libc::SYS_close,
    libc::SYS_fstat,
    // Memory, without new mappings: those have rules of their own.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    // Threads that exist already, and traps.
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_membarrier,
    libc::SYS_getcpu,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // Clocks where they are no plain function, and keys of hash tables.
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_getrandom,
    // The end.
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Calls that fail as if nobody had the right, and kill nobody: the standard libraries look into `/proc`
/// and `/sys` by themselves, for instance before they give memory back, and do without.
#[cfg(target_arch = "x86_64")]
const REFUSED: &[i64] = &[libc::SYS_openat, libc::SYS_open];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED: &[i64] = &[libc::SYS_openat];

/// `PAGEMAP_SCAN`, on twelve words of argument.
const PAGEMAP_SCAN: Opcode = opcode::read_write::<[u64; 12]>(b'f', 16);

/// Lets a run worker do what loading one program takes, in all its threads.
pub(super) fn before_load() -> Result<(), FilterError> {
    let mut rules = basic()?;
    rules.insert(libc::SYS_mprotect, vec![]);
    // What a program's memory holds at its start becomes a file without a name, sealed before it runs.
    rules.insert(libc::SYS_memfd_create, vec![]);
    let seal = condition(1, SeccompCmpOp::Eq, libc::F_ADD_SEALS as u64)?;
    let fcntl = rules.entry(libc::SYS_fcntl).or_default();
    fcntl.push(SeccompRule::new(vec![seal])?);
    // For `after_load`, which can only take away.
    rules.insert(libc::SYS_seccomp, vec![]);
    // Of the page map: which pages it has written.
    let scan = condition(1, SeccompCmpOp::Eq, u64::from(PAGEMAP_SCAN))?;
    rules.insert(libc::SYS_ioctl, vec![SeccompRule::new(vec![scan])?]);
    let no_new_privs = condition(0, SeccompCmpOp::Eq, libc::PR_SET_NO_NEW_PRIVS as u64)?;
    rules.insert(libc::SYS_prctl, vec![SeccompRule::new(vec![no_new_privs])?]);
    allow_only(rules)
}

/// From here on no memory becomes code, and there are no new files.
pub(super) fn after_load() -> Result<(), FilterError> {
    let executable = || SeccompRule::new(vec![protection(libc::PROT_EXEC as u64)?]);
    let rules = Rules::from([
        (libc::SYS_mmap, vec![executable()?]),
        (libc::SYS_mprotect, vec![executable()?]),
        (libc::SYS_memfd_create, vec![]),
    ]);
    install(SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::KillProcess,
        architecture()?,
    )?)
}

/// Lets a compile worker compute and write its result, in all its threads. It never has code to
/// run.
pub(super) fn compiling() -> Result<(), FilterError> {
    let mut rules = basic()?;
    let data = SeccompRule::new(vec![protection(0)?])?;
    rules.insert(libc::SYS_mprotect, vec![data]);
    allow_only(rules)
}

fn basic() -> Result<Rules, BackendError> {
    let calls = CALLS.iter().chain(REFUSED);
    let mut rules: Rules = calls.map(|call| (*call, vec![])).collect();
    // Private mappings count against the memory limit, shared ones do not. Not executable: code is
    // written first and protected then.
    let kind = libc::MAP_TYPE as u64;
    let private = condition(3, SeccompCmpOp::MaskedEq(kind), libc::MAP_PRIVATE as u64)?;
    rules.insert(
        libc::SYS_mmap,
        vec![SeccompRule::new(vec![private, protection(0)?])?],
    );
    // The second is asked by the standard library before it closes a file, in debug builds.
    let queries = [libc::F_GET_SEALS, libc::F_GETFD].map(|query| {
        let query = condition(1, SeccompCmpOp::Eq, query as u64)?;
        SeccompRule::new(vec![query])
    });
    let queries = queries.into_iter().collect::<Result<_, _>>()?;
    rules.insert(libc::SYS_fcntl, queries);
    // `abort` signals the process itself.
    let own = condition(0, SeccompCmpOp::Eq, u64::from(std::process::id()))?;
    rules.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![own])?]);
    Ok(rules)
}

/// Of `mmap` and `mprotect`: whether memory becomes executable.
fn protection(value: u64) -> Result<SeccompCondition, BackendError> {
    condition(2, SeccompCmpOp::MaskedEq(libc::PROT_EXEC as u64), value)
}

fn condition(
    argument: u8,
    operator: SeccompCmpOp,
    value: u64,
) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, Dword, operator, value)
}

/// Of two filters the stricter answer holds, so what is refused by the first stays refused.
fn allow_only(rules: Rules) -> Result<(), FilterError> {
    install(SeccompFilter::new(
        REFUSED.iter().map(|call| (*call, vec![])).collect(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EACCES as u32),
        architecture()?,
    )?)?;
    install(SeccompFilter::new(
        rules,
        SeccompAction::KillProcess,
        SeccompAction::Allow,
        architecture()?,
    )?)
}

fn architecture() -> Result<TargetArch, BackendError> {
    TargetArch::try_from(std::env::consts::ARCH)
}

fn install(filter: SeccompFilter) -> Result<(), FilterError> {
    let program: BpfProgram = filter.try_into()?;
    Ok(apply_filter_all_threads(&program)?)
}
