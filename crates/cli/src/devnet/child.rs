//! A process of a devnet: it dies with its parent, whatever becomes of that.

use std::{
    error::Error,
    ffi::OsString,
    fmt,
    fs::OpenOptions,
    io::{self, BufRead, BufReader},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{
    Pid, Signal, getpid, getppid, kill_process, set_parent_process_death_signal,
};
use serde_json::Value;

use super::plan::Habit;
use crate::{Problem, signals::Signals};

/// The testkit's binary, which is built beside this one.
const BAD: &str = "bad-node";
/// What names it to an opensky that is installed elsewhere.
const BAD_NODE: &str = "OPENSKY_BAD_NODE";
/// How often a process that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Where a node is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ready {
    /// Its key, in hexadecimal.
    pub key: String,
    /// One of its addresses.
    pub address: String,
}

/// How long the start of a devnet may take.
pub struct Wait<'a> {
    /// When nobody waits any longer.
    pub until: Instant,
    /// Tells that the person does not.
    pub end: &'a Signals,
}

/// Why a devnet does not run.
#[derive(Debug)]
pub enum Stop {
    /// It was told to end.
    Told,
    /// Something failed.
    Failed(Problem),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told => f.write_str("told to end"),
            Self::Failed(problem) => problem.fmt(f),
        }
    }
}

impl Error for Stop {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Told => None,
            Self::Failed(problem) => problem.source(),
        }
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Failed(problem)
    }
}

impl Wait<'_> {
    /// Fails if the person does not wait any longer.
    pub fn check(&self) -> Result<(), Stop> {
        match self.end.came() {
            true => Err(Stop::Told),
            false => Ok(()),
        }
    }

    /// Whether it has taken too long.
    pub fn is_over(&self) -> bool {
        Instant::now() > self.until
    }
}

/// A process that was started. It is killed when this is dropped.
#[derive(Debug)]
pub struct Child {
    /// What it is called.
    pub name: String,
    /// Where it logs to.
    pub log: PathBuf,
    process: std::process::Child,
    said: Option<Receiver<String>>,
    habit: Option<Habit>,
    program: PathBuf,
    /// What it is told when it is started again.
    pub args: Vec<OsString>,
}

impl Child {
    /// An honest node: this very program.
    pub fn node(name: &str, config: &Path, log: &Path) -> Result<Self, Problem> {
        let mut args = ["node", "start", "--format", "json", "--config"].map(OsString::from);
        let args = args.iter_mut().map(std::mem::take).chain([config.into()]);
        Self::telling(name, Path::new("/proc/self/exe"), args.collect(), log)
    }

    /// The chain.
    pub fn chain(
        name: &str,
        program: &Path,
        args: Vec<OsString>,
        log: &Path,
    ) -> Result<Self, Problem> {
        Self::telling(name, program, args, log)
    }

    /// One that says something when it is ready.
    fn telling(
        name: &str,
        program: &Path,
        args: Vec<OsString>,
        log: &Path,
    ) -> Result<Self, Problem> {
        let mut child = Self::start(name, program, args, log)?;
        child.said = child.process.stdout.take().map(first_line);
        Ok(child)
    }

    /// A bad one.
    pub fn bad(name: &str, config: &Path, habit: Habit, log: &Path) -> Result<Self, Problem> {
        let args = vec![config.into(), habit.to_string().into()];
        let mut child = Self::start(name, &bad_node()?, args, log)?;
        // It has nothing to say; nobody would read it.
        child.process.stdout = None;
        child.habit = Some(habit);
        Ok(child)
    }

    fn start(name: &str, program: &Path, args: Vec<OsString>, log: &Path) -> Result<Self, Problem> {
        let mut command = Command::new(program);
        command.args(&args);
        let failed = |error: io::Error| {
            Problem::host(format!("cannot start the node {name}")).because(error)
        };
        // One that is started again goes on in its log.
        let errors = OpenOptions::new().create(true).append(true).open(log);
        let errors = errors.map_err(failed)?;
        // Ctrl-C is for this process: it tells the others in its own way.
        command.process_group(0);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors);
        die_with(&mut command, getpid());
        let process = command.spawn().map_err(failed)?;
        Ok(Self {
            name: name.into(),
            log: log.into(),
            process,
            said: None,
            habit: None,
            program: program.into(),
            args,
        })
    }

    /// The same honest process once more.
    pub fn again(&self) -> Result<Self, Problem> {
        Self::telling(&self.name, &self.program, self.args.clone(), &self.log)
    }

    /// Whether it has said that it is ready.
    pub fn was_ready(&self) -> bool {
        let said = self.said.as_ref();
        said.is_none_or(|said| said.try_recv().is_ok())
    }

    /// Whether it misbehaves by request.
    pub fn is_bad(&self) -> bool {
        self.habit.is_some()
    }

    /// Waits until the node says that it is ready, and where.
    pub fn ready(&mut self, wait: &Wait<'_>) -> Result<Ready, Stop> {
        let line = self.line(wait)?;
        let said: Value = serde_json::from_str(&line).unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        match (text(&said["key"]), text(&said["addresses"][0])) {
            (Some(key), Some(address)) => Ok(Ready { key, address }),
            _ => Err(Stop::Failed(Problem::host(format!(
                "the node {} does not say where it is",
                self.name
            )))),
        }
    }

    /// The same for a node that says so and was not asked yet.
    pub fn ready_if_it_says_so(&mut self, wait: &Wait<'_>) -> Result<(), Stop> {
        match self.said.is_some() {
            true => self.ready(wait).map(drop),
            false => Ok(()),
        }
    }

    /// The first line that it says.
    pub fn line(&mut self, wait: &Wait<'_>) -> Result<String, Stop> {
        let said = self.said.take();
        let said = said.ok_or_else(|| Problem::host("a node says only once that it is ready"))?;
        loop {
            match said.recv_timeout(LOOK) {
                Ok(line) => return Ok(line),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.not_ready("has ended").into());
                }
                Err(RecvTimeoutError::Timeout) if wait.is_over() => {
                    return Err(self.not_ready("does not become ready").into());
                }
                Err(RecvTimeoutError::Timeout) => wait.check()?,
            }
        }
    }

    fn not_ready(&self, what: &str) -> Problem {
        let last = std::fs::read_to_string(&self.log).unwrap_or_default();
        let from = last.lines().count().saturating_sub(6);
        let last: Vec<_> = last.lines().skip(from).collect();
        Problem::host(format!("the node {} {what}", self.name))
            .because(format!("its log ends so:\n{}", last.join("\n")))
    }

    /// That it has ended, if it has.
    pub fn casualty(&mut self) -> Option<Problem> {
        let status = self.ended()?;
        let log = self.log.display();
        Some(Problem::host(format!(
            "{} has ended ({status}); its log is {log}",
            self.name
        )))
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().ok().flatten()
    }

    /// Sends a signal. One that has ended already is none the worse for it.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.process.id().cast_signed()) {
            let _ = kill_process(pid, signal);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Fails where it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Has the process killed when `parent`'s calling thread ends, in whatever way.
#[allow(unsafe_code)]
fn die_with(command: &mut Command, parent: Pid) {
    let prepare = move || -> io::Result<()> {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // It may have ended before.
        match getppid() == Some(parent) {
            true => Ok(()),
            false => Err(io::ErrorKind::BrokenPipe.into()),
        }
    };
    // SAFETY: between fork and exec it makes two system calls, and allocates nothing.
    unsafe { command.pre_exec(prepare) };
}

/// The first line of what a node says, from a thread of its own; what follows is read and dropped.
fn first_line(stdout: ChildStdout) -> Receiver<String> {
    let (send, said) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let mut lines = BufReader::new(stdout).lines();
        if let Some(Ok(line)) = lines.next() {
            // Nobody waits any more if it cannot be said.
            let _ = send.send(line);
        }
        lines.for_each(drop);
    });
    said
}

/// Where the bad nodes' program is.
pub fn bad_node() -> Result<PathBuf, Problem> {
    if let Some(named) = std::env::var_os(BAD_NODE) {
        return Ok(named.into());
    }
    let own = std::env::current_exe();
    let beside = own.ok().and_then(|own| Some(own.parent()?.join(BAD)));
    beside.filter(|file| file.is_file()).ok_or_else(|| {
        Problem::usage(format!("the bad nodes' program, `{BAD}`, is not beside this one"))
            .help(
                "build it in OpenSky's sources: cargo build -p opensky-testkit --bins; an opensky that is installed \
                 elsewhere finds it by OPENSKY_BAD_NODE=target/debug/bad-node",
            )
    })
}
