//! Asks a node on this machine: blocking, typed, with a limit on everything.

mod error;
mod transfer;

use std::{
    io::{BufReader, Read},
    net::SocketAddr,
    path::Path,
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};
use ureq::{
    Agent, Body, BodyReader, SendBody,
    http::{Request, Response, StatusCode},
};

pub use error::ClientError;
pub use transfer::BlobReader;
use transfer::Hashing;

use crate::{
    Amount, Blob, Deployed, Deployment, DeploymentRef, DeploymentRequest, Endpoint, Entry, Fund,
    Hex, Job, JobEvent, JobKey, JobRequest, JobResult, JobSummary, MAX_JSON_BYTES, Method,
    NodeStatus, Offer, Op, Page, PageQuery, Prefix, Problem, Submitted, Sum, UnitLog, Wallet, Why,
    kind, operation::escaped, sse,
};

/// The node is on this machine: if it takes longer, it is not there.
const CONNECT: Duration = Duration::from_secs(2);
/// How long the node may be silent in the middle of anything. It answers from memory, or sends
/// something every few seconds.
const SILENCE: Duration = Duration::from_secs(30);
/// How long a request may take that waits for others: for escrow to be final, or for providers to
/// fetch a program.
const PATIENCE: Duration = Duration::from_secs(600);

/// What a job is found by.
type JobRef = Prefix<kind::Job>;

/// A connection to a node's API. Cheap to clone; requests of clones share connections.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    endpoint: Endpoint,
}

impl Client {
    /// The client of the node that runs with this data folder. Asks nothing yet.
    ///
    /// # Errors
    /// [`ClientError::Endpoint`].
    pub fn open(folder: &Path) -> Result<Self, ClientError> {
        Ok(Self::new(Endpoint::read(folder)?))
    }

    /// The client of the node at `endpoint`. Asks nothing yet.
    pub fn new(endpoint: Endpoint) -> Self {
        let config = Agent::config_builder()
            // Not even through a proxy that the environment names: the token stays on this machine.
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("opensky/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT))
            .timeout_per_read(Some(SILENCE))
            .timeout_per_write(Some(SILENCE))
            .build();
        Self {
            agent: config.new_agent(),
            endpoint,
        }
    }

    /// Where the node is.
    pub fn address(&self) -> SocketAddr {
        self.endpoint.address()
    }

    /// How the node is.
    ///
    /// # Errors
    /// [`ClientError`], as all of these.
    pub fn node(&self) -> Result<NodeStatus, ClientError> {
        self.get(Op::Node, &[])
    }

    /// The offers that it knows.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn offers(&self, page: &PageQuery) -> Result<Page<Offer>, ClientError> {
        self.list(Op::Offers, &[], page)
    }

    /// Has it keep all that `bytes` reads, to the end. Says so if the node did not get them as they
    /// were read. `len` is how many there are, if that is known: the node then refuses at once what it
    /// cannot store.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Source`] if `bytes` cannot be read.
    pub fn put_blob(&self, bytes: impl Read, len: Option<u64>) -> Result<Blob, ClientError> {
        let mut bytes = Hashing::new(bytes);
        let mut request = self
            .request(Op::PutBlob, &[], None)
            .header("content-type", "application/octet-stream")
            .header("expect", "100-continue");
        if let Some(len) = len {
            request = request.header("content-length", len);
        }
        let sent = request.body(SendBody::from_reader(&mut bytes));
        let reply = self.run(Op::PutBlob, sent.expect("the parts are valid"));
        if let Some(error) = bytes.failure.take() {
            return Err(ClientError::Source(error));
        }
        let blob: Blob = self.read(reply?)?;
        if (blob.digest, blob.len.value()) == (bytes.digest(), bytes.len) {
            Ok(blob)
        } else {
            Err(ClientError::Damaged)
        }
    }

    /// The bytes of a blob from `from` on. Read from the start, they are checked at the end.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn blob(&self, digest: Hex, from: u64) -> Result<BlobReader, ClientError> {
        let mut request = self.request(Op::Blob, &[&digest.to_string()], None);
        if from > 0 {
            request = request.header("range", format!("bytes={from}-"));
        }
        let request = request.body(SendBody::none());
        let reply = self.run(Op::Blob, request.expect("the parts are valid"))?;
        match (from, reply.status()) {
            (0, StatusCode::OK) => Ok(BlobReader::new(reply, Some(digest))),
            (1.., StatusCode::PARTIAL_CONTENT) => Ok(BlobReader::new(reply, None)),
            _ => Err(self.garbled()),
        }
    }

    /// Has it run a job, or say what that would be and cost.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn submit(&self, job: &JobRequest) -> Result<Submitted, ClientError> {
        self.post(Op::SubmitJob, job)
    }

    /// Its jobs, the newest first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn jobs(&self, page: &PageQuery) -> Result<Page<JobSummary>, ClientError> {
        self.list(Op::Jobs, &[], page)
    }

    /// One job.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn job(&self, job: &JobRef) -> Result<Job, ClientError> {
        self.get(Op::Job, &[&job.to_string()])
    }

    /// How a job is going, until it ends. Dropping it changes nothing for the job.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn watch(&self, job: &JobRef) -> Result<Events, ClientError> {
        let reply = self.ask(Op::JobEvents, &[&job.to_string()], None)?;
        // The stream has no length; what is limited is each event.
        let body = reply
            .into_body()
            .into_with_config()
            .limit(u64::MAX)
            .reader();
        Ok(Events {
            client: self.clone(),
            reader: Some(BufReader::new(body)),
        })
    }

    /// What a job's units logged.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn logs(&self, job: &JobRef, page: &PageQuery) -> Result<Page<UnitLog>, ClientError> {
        self.list(Op::JobLogs, &[&job.to_string()], page)
    }

    /// What came out of a job, as digests.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn result(&self, job: &JobRef) -> Result<JobResult, ClientError> {
        self.get(Op::JobResult, &[&job.to_string()])
    }

    /// The bytes that came out of a job.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn output(&self, job: &JobRef) -> Result<BlobReader, ClientError> {
        let reply = self.ask(Op::JobOutput, &[&job.to_string()], None)?;
        Ok(BlobReader::new(reply, None))
    }

    /// The bytes of another output of a job, by the name that the result lists.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn other(&self, job: &JobRef, name: &str) -> Result<BlobReader, ClientError> {
        let reply = self.ask_for(Op::JobOutput, &[&job.to_string()], ("name", name))?;
        Ok(BlobReader::new(reply, None))
    }

    /// The key to an encrypted job.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn key(&self, job: &JobRef) -> Result<JobKey, ClientError> {
        self.get(Op::JobKey, &[&job.to_string()])
    }

    /// The bytes of a job's receipt file.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn receipt(&self, job: &JobRef) -> Result<BlobReader, ClientError> {
        let reply = self.ask(Op::JobReceipt, &[&job.to_string()], None)?;
        Ok(BlobReader::new(reply, None))
    }

    /// Why a job is where it is; the page is of its units.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn why(&self, job: &JobRef, page: &PageQuery) -> Result<Why, ClientError> {
        let reply = self.ask(Op::JobWhy, &[&job.to_string()], Some(page))?;
        self.read(reply)
    }

    /// Ends a job.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn cancel(&self, job: &JobRef) -> Result<JobSummary, ClientError> {
        let request = self.request(Op::CancelJob, &[&job.to_string()], None);
        let request = request.body(SendBody::none()).expect("the parts are valid");
        self.read(self.run(Op::CancelJob, request)?)
    }

    /// Puts a program under a name. Returns when enough providers have pinned it to be there without this
    /// node.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn deploy(&self, deployment: &DeploymentRequest) -> Result<Deployed, ClientError> {
        self.post(Op::Deploy, deployment)
    }

    /// The node's own deployments.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn deployments(&self, page: &PageQuery) -> Result<Page<Deployment>, ClientError> {
        self.list(Op::Deployments, &[], page)
    }

    /// One deployment, of anybody. Nobody is asked who has its program.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn deployment(&self, name: &DeploymentRef) -> Result<Deployment, ClientError> {
        self.get(Op::Deployment, &[&name.to_string()])
    }

    /// The same, with the providers that say they have its program.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn holders(&self, name: &DeploymentRef) -> Result<Deployment, ClientError> {
        let path = [&*name.to_string()];
        let reply = self.ask_for(Op::Deployment, &path, ("holders", "true"))?;
        self.read(reply)
    }

    /// What the node's account has.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn wallet(&self) -> Result<Wallet, ClientError> {
        self.get(Op::Wallet, &[])
    }

    /// What happened to the account, the newest first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn history(&self, page: &PageQuery) -> Result<Page<Entry>, ClientError> {
        self.list(Op::WalletHistory, &[], page)
    }

    /// Sets money aside that stands for the account's work, and says what the account has then.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn stake(&self, amount: Amount) -> Result<Wallet, ClientError> {
        self.post(Op::Stake, &Sum { amount })
    }

    /// Begins to take some of it back, and says what the account has then.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn unstake(&self, amount: Amount) -> Result<Wallet, ClientError> {
        self.post(Op::Unstake, &Sum { amount })
    }

    /// Takes money from the ledger's faucet, and says what the account has then.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn fund(&self, amount: Option<Amount>) -> Result<Wallet, ClientError> {
        self.post(Op::Fund, &Fund { amount })
    }

    /// The node's figures, in the text format of Prometheus.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn metrics(&self) -> Result<String, ClientError> {
        let reply = self.ask(Op::Metrics, &[], None)?;
        let bytes = self.bytes(reply)?;
        String::from_utf8(bytes).map_err(|_| self.garbled())
    }

    fn get<T: DeserializeOwned>(&self, op: Op, path: &[&str]) -> Result<T, ClientError> {
        let reply = self.ask(op, path, None)?;
        self.read(reply)
    }

    fn list<T: DeserializeOwned>(
        &self,
        op: Op,
        path: &[&str],
        page: &PageQuery,
    ) -> Result<Page<T>, ClientError> {
        let reply = self.ask(op, path, Some(page))?;
        self.read(reply)
    }

    fn post<T: DeserializeOwned>(&self, op: Op, body: &impl Serialize) -> Result<T, ClientError> {
        let json = serde_json::to_vec(body).expect("these types are JSON");
        if json.len() > MAX_JSON_BYTES {
            return Err(ClientError::TooLarge { len: json.len() });
        }
        let request = self
            .request(op, &[], None)
            .header("content-type", "application/json")
            .header("content-length", json.len());
        let mut json = json.as_slice();
        let request = request.body(SendBody::from_reader(&mut json));
        let reply = self.run(op, request.expect("the parts are valid"))?;
        self.read(reply)
    }

    fn ask(
        &self,
        op: Op,
        path: &[&str],
        page: Option<&PageQuery>,
    ) -> Result<Response<Body>, ClientError> {
        let request = self.request(op, path, page).body(SendBody::none());
        self.run(op, request.expect("the parts are valid"))
    }

    fn ask_for(
        &self,
        op: Op,
        path: &[&str],
        (name, value): (&str, &str),
    ) -> Result<Response<Body>, ClientError> {
        let uri = format!("{}?{name}={}", op.path(path), escaped(value));
        let request = self.request_to(op, &uri).body(SendBody::none());
        self.run(op, request.expect("the parts are valid"))
    }

    fn request(
        &self,
        op: Op,
        path: &[&str],
        page: Option<&PageQuery>,
    ) -> ureq::http::request::Builder {
        let mut uri = op.path(path);
        let mut mark = '?';
        if let Some(page) = page {
            let limit = page.limit.map(|limit| format!("limit={limit}"));
            let after = page.after.as_ref().map(|after| format!("after={after}"));
            for part in limit.into_iter().chain(after) {
                uri.push(mark);
                uri.push_str(&part);
                mark = '&';
            }
        }
        self.request_to(op, &uri)
    }

    fn request_to(&self, op: Op, uri: &str) -> ureq::http::request::Builder {
        let method = match op.operation().method {
            Method::Get => "GET",
            Method::Post => "POST",
        };
        Request::builder()
            .method(method)
            .uri(format!("http://{}{uri}", self.address()))
            .header("authorization", self.endpoint.token().header())
    }

    /// Sends a request. What comes back has succeeded.
    fn run(&self, op: Op, request: Request<SendBody<'_>>) -> Result<Response<Body>, ClientError> {
        let silence = match op {
            Op::SubmitJob | Op::Deploy => PATIENCE,
            _ => SILENCE,
        };
        let request = self
            .agent
            .configure_request(request)
            .timeout_per_read(Some(silence))
            .build();
        let reply = self.agent.run(request);
        let reply = reply.map_err(|error| ClientError::of(error, self.address()))?;
        if reply.status().is_success() {
            return Ok(reply);
        }
        let is_problem = reply.body().mime_type() == Some(Problem::MEDIA);
        let bytes = self.bytes(reply)?;
        let problem = serde_json::from_slice(&bytes).ok().filter(|_| is_problem);
        Err(problem.map_or_else(
            || self.garbled(),
            |problem| ClientError::Problem(Box::new(problem)),
        ))
    }

    fn read<T: DeserializeOwned>(&self, reply: Response<Body>) -> Result<T, ClientError> {
        let bytes = self.bytes(reply)?;
        serde_json::from_slice(&bytes).map_err(|_| self.garbled())
    }

    fn bytes(&self, reply: Response<Body>) -> Result<Vec<u8>, ClientError> {
        let body = reply.into_body().into_with_config();
        let bytes = body.limit(MAX_JSON_BYTES as u64).read_to_vec();
        bytes.map_err(|error| ClientError::of(error, self.address()))
    }

    fn garbled(&self) -> ClientError {
        ClientError::Garbled {
            address: self.address(),
        }
    }
}

/// What a node tells of a job, until it ends: the last event is [`JobEvent::End`], or an error.
pub struct Events {
    client: Client,
    reader: Option<BufReader<BodyReader<'static>>>,
}

impl Iterator for Events {
    type Item = Result<JobEvent, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.read()?;
        if matches!(next, Err(_) | Ok(JobEvent::End(_))) {
            self.reader = None;
        }
        Some(next)
    }
}

impl Events {
    /// Passes over events that this version does not know.
    fn read(&mut self) -> Option<Result<JobEvent, ClientError>> {
        loop {
            let raw = match sse::next_event(self.reader.as_mut()?) {
                Ok(Some(raw)) => raw,
                Ok(None) => return Some(Err(ClientError::Lost)),
                Err(error) => return Some(Err(ClientError::of_io(error, self.client.address()))),
            };
            match JobEvent::read(&raw.name, &raw.data) {
                Ok(Some(event)) => return Some(Ok(event)),
                Ok(None) => continue,
                Err(_) => return Some(Err(self.client.garbled())),
            }
        }
    }
}
