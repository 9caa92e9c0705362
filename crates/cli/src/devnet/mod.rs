//! A network of real processes on this machine, for development.

mod child;
pub mod current;
pub mod plan;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use opensky_api::Client;
use rustix::process::Signal;

use self::{
    child::{Child, Ready},
    plan::{Member, Plan, Role},
};
use crate::{Problem, remote::reach};

/// How long the whole network may take until it is ready. Debug builds on a busy machine take most.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often offers are counted.
const LOOK: Duration = Duration::from_millis(50);
/// How long a node may take to finish what it runs, and then to end at once, before it is killed.
const FINISH: Duration = Duration::from_secs(2);
const END: Duration = Duration::from_secs(5);

/// A devnet that runs. Dropped, it ends: every process of it is gone then.
#[derive(Debug)]
pub struct Devnet {
    children: Vec<Child>,
    requester: PathBuf,
}

impl Devnet {
    /// Starts all processes, and returns when the requester knows every offer. `told` hears what is
    /// under way.
    pub fn start(plan: &Plan, folder: &Path, told: &dyn Fn(&str)) -> Result<Self, Problem> {
        let until = Instant::now() + PATIENCE;
        let mut network = Self {
            children: Vec::new(),
            requester: folder.join(plan::REQUESTER),
        };
        let mut ledger = None;
        for member in plan.members() {
            let role = member.role;
            told(&format!("starting {}", member.name));
            let child = start(plan, &member, folder, ledger.as_ref())?;
            network.children.push(child);
            // Everybody else has to know where the ledger is. The requester comes last.
            if role == Role::Ledger {
                ledger = network
                    .children
                    .last_mut()
                    .map(|child| child.ready(until))
                    .transpose()?;
            }
        }
        for child in &mut network.children {
            child.ready_if_it_says_so(until)?;
        }
        network.wait_for_offers(plan.providers, until, told)?;
        Ok(network)
    }

    /// The data folder of the node that jobs are handed to.
    pub fn requester(&self) -> &Path {
        &self.requester
    }

    /// A process that has ended although nobody told it to.
    pub fn casualty(&mut self) -> Option<String> {
        let ended = self.children.iter_mut().find_map(|child| {
            let status = child.ended()?;
            Some((child, status))
        });
        ended.map(|(child, status)| {
            format!(
                "{} has ended ({status}); its log is {}",
                child.name,
                child.log.display()
            )
        })
    }

    fn wait_for_offers(
        &mut self,
        wanted: usize,
        until: Instant,
        told: &dyn Fn(&str),
    ) -> Result<(), Problem> {
        let client = Client::open(&self.requester).map_err(reach::problem)?;
        loop {
            let (offers, _) = reach::all(wanted.max(1), |page| client.offers(page))?;
            if offers.len() >= wanted {
                return Ok(());
            }
            told(&format!("{} of {wanted} offers", offers.len()));
            if let Some(casualty) = self.casualty() {
                return Err(Problem::host(casualty));
            }
            if Instant::now() > until {
                return Err(Problem::host(format!(
                    "only {} of {wanted} providers offer anything",
                    offers.len()
                )));
            }
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for Devnet {
    fn drop(&mut self) {
        // Gently, then at once, then by force: all together, so that it takes as long as the slowest.
        for (signal, most) in [
            (Signal::TERM, FINISH),
            (Signal::TERM, END),
            (Signal::KILL, END),
        ] {
            self.children.iter().for_each(|child| child.signal(signal));
            let until = Instant::now() + most;
            while !self.children.is_empty() && Instant::now() < until {
                self.children.retain_mut(|child| child.ended().is_none());
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

/// Starts one process with a folder of its own.
fn start(
    plan: &Plan,
    member: &Member,
    folder: &Path,
    ledger: Option<&Ready>,
) -> Result<Child, Problem> {
    let data = folder.join(&member.name);
    let failed = |error: std::io::Error| {
        Problem::host(format!("cannot write into `{}`", data.display())).because(error)
    };
    fs::create_dir_all(&data).map_err(failed)?;
    plan.write_key(member, &data).map_err(failed)?;
    let config = folder.join(format!("{}.toml", member.name));
    fs::write(&config, plan.config(member, &data, ledger)).map_err(failed)?;
    let log = folder.join(format!("{}.log", member.name));
    match member.role {
        Role::Bad(habit) => Child::bad(&member.name, &config, habit, &log),
        _ => Child::node(&member.name, &config, &log),
    }
}
