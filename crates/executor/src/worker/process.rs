//! A worker process as its parent sees it: started, spoken to, and certain to end.

use std::{
    os::{fd::BorrowedFd, unix::process::ExitStatusExt},
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

use opensky_protocol::Abort;
use parity_scale_codec::{DecodeWithMemTracking, Encode};
use rustix::process::Signal;

use crate::worker::{
    Kind, Launcher, SandboxReport,
    line::{Lost, ParentEnd},
    message::{Ready, Setup},
    stops::Target,
};

/// A worker that is not ready after this long never will be.
const START: Duration = Duration::from_secs(20);
/// How long a worker that closed its line may take to be gone by itself, so that its own end is
/// what is reported.
const LAST_BREATH: Duration = Duration::from_millis(500);

/// A running worker. Killed and reaped when dropped.
///
/// It dies with the *thread* that started it, so that thread has to outlive it.
pub(super) struct Process {
    child: Child,
    /// To kill it by, from another thread.
    pub target: Arc<Target>,
    pub line: ParentEnd,
}

impl Process {
    /// Starts a worker. It is not ready yet: see [`Process::ready`].
    pub fn start(launcher: &Launcher, kind: Kind, setup: &Setup) -> Result<Self, Abort> {
        let failed = |error: &dyn std::fmt::Display| {
            let program = launcher.program.display();
            Abort::Internal(format!("no worker process starts from {program}: {error}"))
        };
        let (line, theirs) = ParentEnd::pair().map_err(|error| failed(&error))?;
        let child = Command::new(&launcher.program)
            .args(&launcher.args)
            .arg(kind.name())
            .env_clear()
            .current_dir("/")
            .stdin(theirs)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| failed(&error))?;
        let target = Arc::new(Target::of(child.id()));
        let mut process = Self {
            child,
            target,
            line,
        };
        process
            .send(setup, &[], Instant::now() + START)
            .map_err(|lost| failed(&process.obituary(&lost)))?;
        Ok(process)
    }

    /// Waits until the worker is locked in.
    pub fn ready(&mut self) -> Result<SandboxReport, Abort> {
        let failed = |text| Abort::Internal(format!("a worker process did not get ready: {text}"));
        match self.receive(Instant::now() + START) {
            Ok(Ready(Ok(report))) => Ok(report),
            Ok(Ready(Err(reason))) => Err(failed(reason)),
            Err(lost) => Err(failed(self.obituary(&lost))),
        }
    }

    /// Sends a message and files.
    pub fn send(
        &mut self,
        message: &impl Encode,
        files: &[BorrowedFd<'_>],
        deadline: Instant,
    ) -> Result<(), Lost> {
        self.line.send(message, files, deadline)
    }

    /// Reads a message with nothing behind it.
    pub fn receive<T: DecodeWithMemTracking + Encode>(
        &mut self,
        deadline: Instant,
    ) -> Result<T, Lost> {
        Ok(self.line.receive(0, deadline)?.0)
    }

    /// Ends the worker, and says how it ended where that is what `lost` means.
    pub fn obituary(&mut self, lost: &Lost) -> String {
        if !matches!(lost, Lost::Closed) {
            self.kill();
            return lost.to_string();
        }
        let patience = Instant::now() + LAST_BREATH;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return describe(status),
                Ok(None) if Instant::now() < patience => sleep(Duration::from_millis(1)),
                Ok(None) | Err(_) => {
                    self.kill();
                    return "it closed its line".into();
                }
            }
        }
    }

    fn kill(&mut self) {
        // Both fail only for a process that is gone and reaped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn describe(status: ExitStatus) -> String {
    let Some(signal) = status.signal() else {
        return status.to_string();
    };
    let reason = match Signal::from_named_raw(signal) {
        Some(Signal::SYS) => "it made a system call that no worker may make",
        Some(Signal::ABORT) => "it gave up, most likely for want of memory",
        Some(Signal::XCPU) => "it used up its processor time",
        Some(Signal::XFSZ) => "it wrote more than it may",
        Some(Signal::KILL) => "it was killed",
        _ => return status.to_string(),
    };
    format!("{reason} ({status})")
}
