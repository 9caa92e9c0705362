//! A network of real processes on this machine, for development.

pub mod chain;
pub mod child;
pub mod current;
pub mod folder;
pub mod names;
pub mod plan;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use opensky_api::{Amount, Client};
use rustix::process::Signal;

use self::{
    child::{Child, Ready, Wait},
    folder::Folder,
    plan::{Member, Plan, Role},
};
use crate::{Problem, remote::reach, signals::Signals};

pub use self::child::Stop;

/// How long the whole network may take until it is ready. Debug builds on a busy machine take most.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often offers are counted.
const LOOK: Duration = Duration::from_millis(50);
/// The file with the configuration for one node more.
const JOIN: &str = "join.toml";
/// How long a node may take to finish what it runs, and then to end at once, before it is killed.
const FINISH: Duration = Duration::from_secs(2);
const END: Duration = Duration::from_secs(5);
/// How nodes are ended whose folders are kept.
const GENTLY: [(Signal, Duration); 3] = [
    (Signal::TERM, FINISH),
    (Signal::TERM, END),
    (Signal::KILL, END),
];

/// A devnet that runs. Dropped, it ends: every process of it is gone then.
#[derive(Debug)]
pub struct Devnet {
    children: Vec<Child>,
    requester: PathBuf,
    join: PathBuf,
    chain: Option<String>,
    /// What is removed with it.
    passing: Option<PathBuf>,
}

impl Devnet {
    /// Starts all processes, and returns when the requester knows every offer, or at `end`. `told` hears
    /// what is under way.
    pub fn start(
        plan: &Plan,
        folder: &Folder,
        end: &Signals,
        told: &dyn Fn(&str),
    ) -> Result<Self, Stop> {
        let is_passing = matches!(folder, Folder::Passing(..));
        let folder = folder.path();
        let until = Instant::now() + PATIENCE;
        let wait = Wait { until, end };
        let mut network = Self {
            children: Vec::new(),
            requester: folder.join(plan::REQUESTER),
            join: folder.join(JOIN),
            chain: None,
            passing: is_passing.then(|| folder.to_owned()),
        };
        let mut plan = plan.clone();
        // Nothing is started of a network that cannot be.
        if !plan.bad.is_empty() {
            child::bad_node()?;
        }
        if plan.chain.is_some() {
            let programs = chain::Programs::find()?;
            told("starting the chain");
            let (child, url) = programs.start(folder, &["--seal", chain::SEAL], &wait, told)?;
            network.children.push(child);
            network.chain = Some(url.clone());
            plan.chain = Some(url);
        }
        let plan = &plan;
        let mut ledger = None;
        for member in plan.members() {
            wait.check()?;
            told(&format!("starting {}", member.name));
            let child = start(plan, &member, folder, ledger.as_ref())?;
            network.children.push(child);
            // Everybody else has to know where the first one is, and to find it there if it is started again.
            if ledger.is_none()
                && let Some(child) = network.children.last_mut()
            {
                let at = child.ready(&wait)?;
                configure(plan, &member, folder, Some(&at))?;
                write(&network.join, &plan.join(&at, folder))?;
                ledger = Some(at);
            }
        }
        for child in &mut network.children {
            child.ready_if_it_says_so(&wait)?;
        }
        network.wait_for_offers(plan.providers, &wait, told)?;
        for member in plan.members() {
            // Bad ones take no orders.
            if member.role == Role::Provider {
                told(&format!("staking for {}", member.name));
                stake(&folder.join(member.name), plan.stake, &wait)?;
            }
        }
        Ok(network)
    }

    /// The data folder of the node that jobs are handed to.
    pub fn requester(&self) -> &Path {
        &self.requester
    }

    /// Where the chain can be asked, if they settle on one.
    pub fn chain(&self) -> Option<&str> {
        self.chain.as_deref()
    }

    /// The configuration for one node more.
    pub fn join(&self) -> &Path {
        &self.join
    }

    /// Starts honest nodes again that have ended although nobody told them to, and says which. Those that
    /// are bad by request may end.
    ///
    /// Fails where one cannot be started, or has ended before it was ready: it would again.
    pub fn mend(&mut self) -> Result<Vec<Problem>, Problem> {
        let mut told = Vec::new();
        let honest = self.children.iter_mut().filter(|child| !child.is_bad());
        for child in honest {
            let Some(casualty) = child.casualty() else {
                continue;
            };
            if !child.was_ready() {
                return Err(casualty);
            }
            *child = child.again()?;
            told.push(casualty);
        }
        Ok(told)
    }

    fn wait_for_offers(
        &mut self,
        wanted: usize,
        wait: &Wait<'_>,
        told: &dyn Fn(&str),
    ) -> Result<(), Stop> {
        let client = Client::open(&self.requester).map_err(reach::problem)?;
        loop {
            let client = client.clone();
            let offers = move || reach::all(wanted.max(1), |page| client.offers(page));
            let (offers, _) = wait.end.unless(offers).ok_or(Stop::Told)??;
            if offers.len() >= wanted {
                return Ok(());
            }
            told(&format!("{} of {wanted} offers", offers.len()));
            // Not even a bad one may end before it offers anything.
            if let Some(casualty) = self.children.iter_mut().find_map(Child::casualty) {
                return Err(casualty.into());
            }
            if wait.is_over() {
                return Err(Stop::Failed(Problem::host(format!(
                    "only {} of {wanted} providers offer anything",
                    offers.len()
                ))));
            }
            if wait.end.come_within(LOOK) {
                return Err(Stop::Told);
            }
        }
    }
}

impl Drop for Devnet {
    fn drop(&mut self) {
        let steps = match &self.passing {
            // Gently, then at once, then by force: all together, so that it takes as long as the slowest.
            None => &GENTLY[..],
            // What they would finish goes with them, and what they have not written need not be.
            Some(folder) => {
                let kill = |child: &Child| child.signal(Signal::KILL);
                self.children.iter().for_each(kill);
                folder::remove(folder);
                &GENTLY[GENTLY.len() - 1..]
            }
        };
        for (signal, most) in steps {
            self.children.iter().for_each(|child| child.signal(*signal));
            let until = Instant::now() + *most;
            while !self.children.is_empty() && Instant::now() < until {
                self.children.retain_mut(|child| child.ended().is_none());
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

/// Has a provider stake what it lacks of so much. Some of it may be there, in a network that goes on.
fn stake(data: &Path, wanted: Amount, wait: &Wait<'_>) -> Result<(), Stop> {
    if wanted == Amount(0) {
        return Ok(());
    }
    let client = Client::open(data).map_err(reach::problem)?;
    let done = move || {
        let bonded = client.wallet()?.bonded;
        match Amount(wanted.0.saturating_sub(bonded.0)) {
            Amount(0) => Ok(()),
            lacking => client.stake(lacking).map(drop),
        }
    };
    let done = wait.end.unless(done).ok_or(Stop::Told)?;
    Ok(done.map_err(reach::problem)?)
}

/// Starts one process with a folder of its own.
fn start(
    plan: &Plan,
    member: &Member,
    folder: &Path,
    ledger: Option<&Ready>,
) -> Result<Child, Problem> {
    let config = configure(plan, member, folder, ledger)?;
    let log = folder.join(format!("{}.log", member.name));
    match member.role {
        Role::Bad(habit) => Child::bad(&member.name, &config, habit, &log),
        _ => Child::node(&member.name, &config, &log),
    }
}

/// Writes what a process is told, and its key.
fn configure(
    plan: &Plan,
    member: &Member,
    folder: &Path,
    ledger: Option<&Ready>,
) -> Result<PathBuf, Problem> {
    let data = folder.join(&member.name);
    let failed = unwritten(&data);
    fs::create_dir_all(&data).map_err(&failed)?;
    plan.write_key(member, &data).map_err(&failed)?;
    let config = folder.join(format!("{}.toml", member.name));
    write(&config, &plan.config(member, &data, ledger))?;
    Ok(config)
}

fn write(config: &Path, text: &str) -> Result<(), Problem> {
    fs::write(config, text).map_err(unwritten(config))
}

fn unwritten(path: &Path) -> impl Fn(std::io::Error) -> Problem {
    move |error| Problem::host(format!("cannot write to `{}`", path.display())).because(error)
}
