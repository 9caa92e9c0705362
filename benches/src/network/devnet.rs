//! How soon a network of real processes has its first result, everything being cold, and how long its
//! node takes to say who offers what.

use std::{
    io::Read,
    path::Path,
    time::{Duration, Instant},
};

use opensky_api::{
    Client, EndingKind, Hex, JobEvent, JobRequest, PageQuery, Plan as JobPlan, ProgramRef, Replicas,
};
use opensky_cli::{
    devnet::{Devnet, folder::Folder, names::Names, plan::Plan},
    signals::Signals,
};

use crate::{
    Error, Figures,
    measure::micros,
    noop::{GREETING, INPUT},
};

const PROVIDERS: usize = 3;
/// Every operator agrees: nobody is left who has not compiled the program.
const REPLICAS: u8 = 2;
const LOOKUPS: usize = 200;

/// Starts what `opensky devnet` starts, runs one job through its API, and ends it.
pub fn measure(folder: &Path, hello: &[u8], figures: &mut Figures) -> Result<(), Error> {
    let start = Instant::now();
    let folder = Folder::of(Some(&folder.join("devnet")), &|_| {})?;
    let plan = Plan {
        providers: PROVIDERS,
        bad: Vec::new(),
        seed: None,
        names: Names::of(folder.path())?,
        cores: 1,
        stake: opensky_api::Amount(0),
        chain: None,
    };
    let devnet = Devnet::start(&plan, &folder, &Signals::none(), &|_| {})?;
    let ready = start.elapsed();
    let client = Client::open(devnet.requester())?;
    greet(&client, hello)?;
    let first = start.elapsed();
    let lookup = lookups(&client)?;
    println!("\n{:<40}{:>10}", "devnet, from cold", "s");
    println!("{:<40}{:>10.2}", "ready", ready.as_secs_f64());
    println!("{:<40}{:>10.2}", "first result", first.as_secs_f64());
    figures.add("devnet_ready_s", ready.as_secs_f64())?;
    figures.add("devnet_first_result_s", first.as_secs_f64())?;
    figures.add("offers_lookup_ms", micros(lookup) / 1e3)?;
    Ok(())
}

fn greet(client: &Client, hello: &[u8]) -> Result<(), Error> {
    let put = |bytes: &[u8]| -> Result<Hex, Error> {
        Ok(client.put_blob(bytes, Some(bytes.len() as u64))?.digest)
    };
    let input = Some(put(INPUT)?);
    let program = ProgramRef::Digest(put(hello)?);
    let mut request = JobRequest::new(program, JobPlan::One { input });
    request.replicas = Some(Replicas::Exactly(REPLICAS));
    let job = client
        .submit(&request)?
        .job
        .ok_or("nothing was submitted")?;
    let job = job.into();
    let last = client.watch(&job)?.last().ok_or("nothing happened")??;
    let JobEvent::End(end) = last else {
        return Err("it was not told how it ended".into());
    };
    let ending = end.ending.map(|ending| ending.kind);
    if !matches!(ending, Some(EndingKind::Result(_))) || end.verified != Some(REPLICAS.into()) {
        return Err(format!("it ended: {ending:?}").into());
    }
    let mut greeting = Vec::new();
    client.output(&job)?.read_to_end(&mut greeting)?;
    match greeting == GREETING {
        true => Ok(()),
        false => Err("it greets somebody else".into()),
    }
}

/// The median time of a list of all offers.
fn lookups(client: &Client) -> Result<Duration, Error> {
    let mut times = Vec::with_capacity(LOOKUPS);
    for _ in 0..LOOKUPS {
        let start = Instant::now();
        let offers = client.offers(&PageQuery::default())?;
        times.push(start.elapsed());
        if offers.items.len() != PROVIDERS {
            return Err("an offer is missing".into());
        }
    }
    times.sort_unstable();
    Ok(times[LOOKUPS / 2])
}
