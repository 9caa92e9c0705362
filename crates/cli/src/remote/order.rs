//! From flags to what the node is asked: the same inputs as `opensky run` takes, and the terms.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use opensky_api::{
    Amount, Bytes, Client, ClientError, Fuel, Hex, JobRequest, Limits, Nonce, Plan, ProgramRef,
    Replicas, Span, Submitted, Time, World,
};
use opensky_executor::inspect::Entry;
use opensky_storage::Store;

use super::{
    giving::{AT_ONCE, Giving},
    reach,
    target::{self, Target},
};
use crate::{
    Problem,
    progress::Bar,
    request::{self, Family, LIMITS, Unit},
    shards::{self, Cut},
    source, value,
};

/// What is to be run, and on what terms.
#[derive(Clone, Debug, clap::Args)]
pub struct Order {
    /// A deployment (`d-…`, its name, `p-…/name`), or a component, module, or project to build.
    #[arg(default_value = ".", value_name = "DEPLOYMENT|FILE")]
    pub target: OsString,
    /// What influences the result.
    #[command(flatten)]
    pub unit: Unit,
    /// Map-reduce, where the program cannot be looked at here: the same as --world map-reduce.
    #[arg(long, conflicts_with = "world")]
    pub map: bool,
    /// How many operators run each unit: `auto` goes by what is known of them.
    #[arg(long, value_name = "auto|K", value_parser = value::replicas)]
    pub replicas: Option<Replicas>,
    /// The most that the whole job may cost: 5 mSKY, 0.2SKY.
    #[arg(long, value_name = "AMOUNT", value_parser = value::price)]
    pub max_price: Option<Amount>,
    /// How long the job may take: 90s, 10m, 2h, up to 30d.
    #[arg(long, value_name = "SPAN", value_parser = value::deadline)]
    pub deadline: Option<Duration>,
    /// Labels that a provider must have; a key given again allows another value. Nobody checks what
    /// providers say of themselves.
    #[arg(long, value_name = "KEY=VALUE", value_parser = value::pair, value_delimiter = ',')]
    pub require: Vec<(String, String)>,
    /// Only the providers that are chosen can read input and output, and the program unless it is
    /// deployed. What is said in flags is in the receipt.
    #[arg(long)]
    pub encrypt: bool,
}

/// A request that is ready to be sent: the node has every blob that it names.
pub struct Ready {
    /// The request.
    pub request: JobRequest,
    /// What to call the program.
    pub name: String,
}

impl Ready {
    /// Hands the request in. Where the connection breaks nobody knows whether the job was taken on: it is
    /// handed in once more, to the node that runs `again`, which knows by the nonce whether it has it.
    pub fn hand_in(
        &self,
        client: &Client,
        again: impl FnOnce() -> Result<Client, Problem>,
    ) -> Result<Submitted, Problem> {
        match client.submit(&self.request) {
            Err(ClientError::Lost) => {
                let repeated = again()?.submit(&self.request);
                repeated.map_err(|error| match error {
                    ClientError::Problem(_) => reach::problem(error),
                    _ => reach::problem(error).help(
                        "the job may have been taken on all the same: see `opensky job list`",
                    ),
                })
            }
            submitted => submitted.map_err(reach::problem),
        }
    }
}

impl Order {
    /// Gives the node what the job is about, and makes the request.
    pub fn prepare(&self, client: &Client, store: &Store) -> Result<Ready, Problem> {
        let giving = match self.encrypt {
            true => Giving::Secret(client, store),
            false => Giving::Kept(client, store),
        };
        self.make(client, &giving)
    }

    /// Makes the request of a dry run. Nothing is given to anybody, or kept.
    pub fn rehearse(&self, client: &Client) -> Result<JobRequest, Problem> {
        let giving = Giving::Noted(Mutex::default());
        let ready = self.make(client, &giving)?;
        Ok(JobRequest {
            dry_run: true,
            blobs: giving.noted(),
            ..ready.request
        })
    }

    fn make(&self, client: &Client, giving: &Giving<'_>) -> Result<Ready, Problem> {
        let target = target::find(client, &self.target, self.world(), giving)?;
        let entry = self.entry(&target);
        request::check_inputs(&self.unit, entry)?;
        let upload = Upload(giving);
        let plan = upload.plan(&self.unit, entry)?;
        let inputs = upload.named(&self.unit)?;
        let name = target.name.clone();
        let program = match &target.program {
            ProgramRef::Deployment(name) => name.to_string(),
            ProgramRef::Digest(digest) => digest.to_string(),
        };
        tracing::info!(name, program, ?entry, "what is to be run");
        let mut request = self.terms(JobRequest::new(target.program.clone(), plan), &target)?;
        request.inputs = inputs;
        request.world = target.entry.map(called);
        request.nonce = Some(fresh_nonce()?);
        Ok(Ready { request, name })
    }

    fn world(&self) -> Option<Family> {
        match self.map {
            true => Some(Family::MapReduce),
            false => self.unit.world,
        }
    }

    /// What is called. Of a program that nobody here has seen, several inputs are shards.
    fn entry(&self, target: &Target) -> Entry {
        let many = self.unit.input.len() > 1 || self.unit.map_reduce_flag().is_some();
        let map = Entry::MapReduce { finish: false };
        target.entry.unwrap_or(match (self.world(), many) {
            (Some(Family::MapReduce), _) | (None, true) => map,
            (Some(Family::Stepper), _) => Entry::Stepper,
            (Some(Family::Command), _) => Entry::Command,
            (Some(Family::Job), _) | (None, false) => Entry::Job,
        })
    }

    /// Everything that is no blob. What a deployment's manifest says is left out unless it was given.
    fn terms(&self, request: JobRequest, target: &Target) -> Result<JobRequest, Problem> {
        let unit = &self.unit;
        let given = limits(unit)?;
        let (limits, rules) = match target.deployed {
            true => (given, unit.profile),
            false => (given.or(LIMITS.into()), Some(unit.rules())),
        };
        Ok(JobRequest {
            args: unit.args.clone(),
            env: request::once("--env", &unit.env)?,
            params: request::once("--param", &unit.param)?,
            limits,
            profile: rules.map(|rules| rules.profile().id().to_owned()),
            entropy: Some(Hex(unit.seed)),
            virtual_time: Some(start_of_clock(unit.time)?),
            replicas: self.replicas,
            max_price: self.max_price,
            deadline: self.deadline.map(Span::from),
            require: require(&self.require),
            encrypt: self.encrypt,
            ..request
        })
    }
}

fn fresh_nonce() -> Result<Nonce, Problem> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Problem::host("the system gives no random numbers").because(error))?;
    Ok(Nonce(bytes))
}

/// What is called, where that is known here. Else the node looks.
fn called(entry: Entry) -> World {
    match entry {
        Entry::Job => World::Job,
        Entry::Command => World::Command,
        Entry::MapReduce { finish: false } => World::MapReduce,
        Entry::MapReduce { finish: true } => World::MapReduceFinish,
        Entry::Stepper => World::Stepper,
    }
}

fn limits(unit: &Unit) -> Result<Limits, Problem> {
    let bytes = |flag: &str, given: Option<u64>| {
        given
            .map(Bytes::try_from)
            .transpose()
            .map_err(|error| Problem::usage(format!("{flag} is too large: {error}")))
    };
    Ok(Limits {
        fuel: unit.fuel.map(Fuel),
        memory: bytes("--memory", unit.memory)?,
        output: bytes("--max-output", unit.max_output)?,
        log: bytes("--max-log", unit.max_log)?,
    })
}

fn start_of_clock(seconds: u64) -> Result<Time, Problem> {
    let millis = seconds.checked_mul(1000);
    let time = millis.and_then(|millis| Time::try_from(millis).ok());
    time.ok_or_else(|| Problem::usage(format!("--time {seconds} is too late for any clock")))
}

fn require(pairs: &[(String, String)]) -> BTreeMap<String, BTreeSet<String>> {
    let mut required: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (key, value) in pairs {
        required
            .entry(key.clone())
            .or_default()
            .insert(value.clone());
    }
    required
}

/// Reads inputs, and hands them on.
struct Upload<'a>(&'a Giving<'a>);

impl Upload<'_> {
    fn plan(&self, unit: &Unit, entry: Entry) -> Result<Plan, Problem> {
        let first = || unit.input.first().map(|file| self.file(file)).transpose();
        match entry {
            Entry::MapReduce { .. } => Ok(Plan::Map {
                inputs: self.shards(unit)?,
                partitions: unit.partitions(),
            }),
            Entry::Stepper => Ok(Plan::Steps {
                input: first()?.map_or_else(|| self.0.own(&[]), Ok)?,
                steps: unit.steps(),
            }),
            Entry::Job | Entry::Command => Ok(Plan::One { input: first()? }),
        }
    }

    /// One input is in memory at a time.
    fn shards(&self, unit: &Unit) -> Result<Vec<Hex>, Problem> {
        let cut = unit.cut()?;
        let bar = Bar::start();
        let all = match cut {
            Cut::Whole => unit.input.len(),
            // They are counted as they come.
            Cut::Lines(_) | Cut::Bytes(_) => 0,
        };
        let mut digests = Vec::new();
        for file in &unit.input {
            let input = source::read(file, "the input")?;
            let mut shards = cut.shards(&input).peekable();
            while shards.peek().is_some() {
                let some: Vec<_> = shards.by_ref().take(AT_ONCE).collect();
                shards::check_room(digests.len() + some.len() - 1)?;
                bar.set("upload", digests.len(), all);
                digests.extend(self.0.all(&some)?);
            }
        }
        shards::check_some(digests.len())?;
        Ok(digests)
    }

    fn named(&self, unit: &Unit) -> Result<BTreeMap<String, Hex>, Problem> {
        let give = |(name, file): &(String, PathBuf)| Ok((name.clone(), self.file(file)?));
        unit.named.iter().map(give).collect()
    }

    fn file(&self, file: &Path) -> Result<Hex, Problem> {
        self.0.own(&source::read(file, "the input")?)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
        thread,
    };

    use clap::Parser;
    use opensky_api::{Endpoint, Token};

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        order: Order,
    }

    fn order(args: &[&str]) -> Order {
        Line::parse_from([&["x"], args].concat()).order
    }

    fn request(args: &[&str], deployed: bool) -> Result<JobRequest, Problem> {
        let target = Target {
            program: ProgramRef::Digest(Hex([1; 32])),
            entry: None,
            name: "x".into(),
            deployed,
        };
        let plain = JobRequest::new(target.program.clone(), Plan::One { input: None });
        order(args).terms(plain, &target)
    }

    #[test]
    fn terms_are_those_of_the_flags() {
        let request = request(
            &[
                "p",
                "--replicas",
                "2",
                "--max-price",
                "5 mSKY",
                "--deadline",
                "10m",
                "--require",
                "region=eu,region=us,tier=1",
                "--fuel",
                "2G",
                "--arg",
                "-x",
                "--param",
                "a=b",
                "--seed",
                "ff",
                "--time",
                "7",
                "--encrypt",
            ],
            true,
        )
        .expect("a request");
        assert_eq!(request.replicas, Some(Replicas::Exactly(2)));
        assert_eq!(request.max_price, Some(Amount(5_000_000_000)));
        assert_eq!(request.deadline.map(Span::value), Some(600_000));
        assert_eq!(request.require["region"].len(), 2);
        assert_eq!(request.require["tier"].len(), 1);
        assert_eq!(request.limits.fuel, Some(Fuel(2_000_000_000)));
        assert!(request.encrypt);
        assert_eq!(request.limits.memory, None);
        assert_eq!(request.args, ["-x"]);
        assert_eq!(request.entropy.map(|seed| seed.0[31]), Some(255));
        assert_eq!(request.virtual_time.map(Time::value), Some(7_000));
    }

    /// Takes a request, and breaks the connection or refuses it. Gives back the request's body.
    fn hear(listener: &TcpListener, reply: &[u8]) -> Vec<u8> {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).expect("a byte") > 0 {
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).expect("text").to_lowercase();
        let len = head.split("content-length: ").nth(1).expect("a length");
        let len = len.split("\r\n").next().and_then(|len| len.parse().ok());
        let mut body = vec![0; len.expect("a number")];
        stream.read_exact(&mut body).expect("a body");
        stream.write_all(reply).expect("said");
        body
    }

    #[test]
    fn order_is_said_again_once_where_the_connection_breaks_and_is_the_same() {
        let refused = opensky_api::Problem::new(opensky_api::Code::Refused, "no");
        let json = serde_json::to_string(&refused).expect("JSON");
        let (media, len) = (opensky_api::Problem::MEDIA, json.len());
        let head = format!("HTTP/1.1 422 No\r\ncontent-type: {media}\r\ncontent-length: {len}");
        let refusal = format!("{head}\r\n\r\n{json}").into_bytes();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let heard = thread::spawn(move || [b"".to_vec(), refusal].map(|say| hear(&listener, &say)));

        let client =
            || Client::new(Endpoint::new(address, Token::from_random(&[7; 32])).expect("local"));
        let mut request =
            JobRequest::new(ProgramRef::Digest(Hex([1; 32])), Plan::One { input: None });
        request.nonce = Some(fresh_nonce().expect("a nonce"));
        let ready = Ready {
            request,
            name: "x".into(),
        };
        let refused = ready.hand_in(&client(), || Ok(client()));
        assert_eq!(refused.expect_err("it is refused").to_string(), "no");
        let [first, second] = heard.join().expect("both were heard");
        assert_eq!(first, second);
        let said: JobRequest = serde_json::from_slice(&first).expect("a request");
        assert_eq!(said.nonce, ready.request.nonce);
    }

    #[test]
    fn file_has_the_limits_of_a_local_run_and_a_deployment_its_own() {
        let of_file = request(&["p"], false).expect("a request");
        assert_eq!(of_file.limits, LIMITS.into());
        let deployed = request(&["p"], true).expect("a request");
        assert_eq!(deployed.limits, Limits::default());
    }

    #[test]
    fn what_cannot_be_said_in_json_is_refused() {
        let large = u64::MAX.to_string();
        assert!(request(&["p", "--memory", &large], true).is_err());
        assert!(request(&["p", "--time", &large], true).is_err());
        assert!(request(&["p", "--param", "a=1", "--param", "a=2"], true).is_err());
    }

    #[test]
    fn several_inputs_of_an_unknown_program_are_shards() {
        let target = Target {
            program: ProgramRef::Digest(Hex([1; 32])),
            entry: None,
            name: "x".into(),
            deployed: true,
        };
        let entry = |args: &[&str]| order(args).entry(&target);
        assert_eq!(entry(&["p"]), Entry::Job);
        assert_eq!(entry(&["p", "-i", "a"]), Entry::Job);
        let map = Entry::MapReduce { finish: false };
        assert_eq!(entry(&["p", "-i", "a", "-i", "b"]), map);
        assert_eq!(entry(&["p", "-i", "a", "--shard-lines", "5"]), map);
        assert_eq!(entry(&["p", "-i", "a", "--map"]), map);
        assert_eq!(
            entry(&["p", "-i", "a", "--world", "stepper"]),
            Entry::Stepper
        );
    }
}
