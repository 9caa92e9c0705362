//! All that can be asked of a node: one list, for the server, the client and the document.

use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::{
    Blob, Cursor, Deployed, Deployment, DeploymentRef, DeploymentRequest, Entry, Fund, Hex, Job,
    JobKey, JobRequest, JobResult, JobSummary, MAX_JSON_BYTES, NodeStatus, Offer, Page, Prefix,
    Submitted, Sum, UnitLog, Wallet, Why, kind,
    problem::Code::{self, *},
};

/// Something that can be asked. A server matches on it, so that it cannot forget one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)] // each is described in [`Op::operation`]
pub enum Op {
    Document,
    Node,
    Offers,
    PutBlob,
    Blob,
    SubmitJob,
    Jobs,
    Job,
    JobEvents,
    JobLogs,
    JobResult,
    JobOutput,
    JobReceipt,
    JobWhy,
    JobKey,
    CancelJob,
    Deploy,
    Deployments,
    Deployment,
    Wallet,
    WalletHistory,
    Stake,
    Unstake,
    Fund,
    Metrics,
}

/// The method of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// Changes nothing.
    Get,
    /// Changes something.
    Post,
}

/// Makes the schema of a type, and puts what it is made of among the definitions.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What a request or a reply holds.
#[derive(Clone, Copy, Debug)]
pub enum Body {
    /// Nothing.
    Empty,
    /// JSON, at most [`MAX_JSON_BYTES`].
    Json(SchemaOf),
    /// Bytes of any length, of a media type. A request with more than the node may store is refused.
    Bytes(&'static str),
    /// Server-sent events: see [`JobEvent`](crate::JobEvent).
    Events,
    /// A text of a media type.
    Text(&'static str),
}

impl Body {
    /// The most bytes that a request with it may have; `None` where what the node may store decides.
    pub fn limit(&self) -> Option<usize> {
        match self {
            Self::Json(_) => Some(MAX_JSON_BYTES),
            Self::Bytes(_) => None,
            Self::Empty | Self::Events | Self::Text(_) => Some(0),
        }
    }
}

/// A parameter of a request: a part of its path, or of its query.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub about: &'static str,
    /// Its type.
    pub schema: SchemaOf,
}

/// How something is asked, and what comes back.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// Its name in the document.
    pub name: &'static str,
    /// The method.
    pub method: Method,
    /// The path, with its parameters in braces.
    pub path: &'static str,
    /// What it does.
    pub about: &'static str,
    /// What is sent.
    pub request: Body,
    /// What comes back with status 200, or 206 for a part of a blob.
    pub reply: Body,
    /// Parameters in the query.
    pub query: &'static [Parameter],
    /// What can go wrong, beside [`Operation::ALWAYS`].
    pub problems: &'static [Code],
}

const OCTETS: &str = "application/octet-stream";
/// The text format of Prometheus.
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const PAGE: &[Parameter] = &[
    Parameter {
        name: "limit",
        about: "The most entries, 1 to 500; 50 where it is left out.",
        schema: schema_of::<u32>,
    },
    Parameter {
        name: "after",
        about: "Where to go on: `next` of the page before.",
        schema: schema_of::<Cursor>,
    },
];

const NAME: &[Parameter] = &[Parameter {
    name: "name",
    about: "The name of the output, as the result lists it; the main one where it is left out.",
    schema: schema_of::<String>,
}];

const HOLDERS: &[Parameter] = &[Parameter {
    name: "holders",
    about: "Whether to ask providers which of them have the program; that takes a few seconds where some do \
            not answer.",
    schema: schema_of::<bool>,
}];

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

const fn json<T: JsonSchema>() -> Body {
    Body::Json(schema_of::<T>)
}

const fn get(name: &'static str, path: &'static str, about: &'static str) -> Operation {
    Operation {
        name,
        method: Method::Get,
        path,
        about,
        request: Body::Empty,
        reply: Body::Empty,
        query: &[],
        problems: &[],
    }
}

const fn post(name: &'static str, path: &'static str, about: &'static str) -> Operation {
    Operation {
        method: Method::Post,
        ..get(name, path, about)
    }
}

impl Operation {
    /// What can go wrong with every request.
    pub const ALWAYS: &'static [Code] = &[Invalid, Unauthorised, TooLarge, Internal, Busy, Slow];

    /// The parameters in the path, in order.
    pub fn parameters(&self) -> impl Iterator<Item = Parameter> {
        let parts = self.path.split('/');
        parts.filter_map(|part| {
            let name = part.strip_prefix('{')?.strip_suffix('}')?;
            Some(match name {
                "job" => Parameter {
                    name,
                    about: "The job's id, or the beginning of it.",
                    schema: schema_of::<Prefix<kind::Job>>,
                },
                "deployment" => Parameter {
                    name,
                    about: "The deployment.",
                    schema: schema_of::<DeploymentRef>,
                },
                _ => Parameter {
                    name,
                    about: "The blob's digest.",
                    schema: schema_of::<Hex>,
                },
            })
        })
    }
}

impl Op {
    /// Everything that can be asked.
    pub const ALL: [Self; 25] = [
        Self::Document,
        Self::Node,
        Self::Offers,
        Self::PutBlob,
        Self::Blob,
        Self::SubmitJob,
        Self::Jobs,
        Self::Job,
        Self::JobEvents,
        Self::JobLogs,
        Self::JobResult,
        Self::JobOutput,
        Self::JobReceipt,
        Self::JobWhy,
        Self::JobKey,
        Self::CancelJob,
        Self::Deploy,
        Self::Deployments,
        Self::Deployment,
        Self::Wallet,
        Self::WalletHistory,
        Self::Stake,
        Self::Unstake,
        Self::Fund,
        Self::Metrics,
    ];

    /// How it is asked, and what comes back.
    pub const fn operation(self) -> Operation {
        match self {
            Self::SubmitJob
            | Self::Jobs
            | Self::Job
            | Self::JobEvents
            | Self::JobLogs
            | Self::JobResult
            | Self::JobOutput
            | Self::JobReceipt
            | Self::JobWhy
            | Self::JobKey
            | Self::CancelJob => self.of_jobs(),
            Self::Wallet | Self::WalletHistory | Self::Stake | Self::Unstake | Self::Fund => {
                self.of_the_wallet()
            }
            _ => self.of_the_rest(),
        }
    }

    /// The path of a request, from its parameters in order.
    pub(crate) fn path(self, parameters: &[&str]) -> String {
        let mut parameters = parameters.iter();
        let parts = self.operation().path.split('/');
        let parts: Vec<_> = parts
            .map(|part| match part.starts_with('{') {
                true => escaped(parameters.next().expect("a parameter for each brace")),
                false => part.to_owned(),
            })
            .collect();
        parts.join("/")
    }

    const fn of_jobs(self) -> Operation {
        match self {
            Self::SubmitJob => Operation {
                request: json::<JobRequest>(),
                reply: json::<Submitted>(),
                problems: &[
                    MediaType, NotFound, Ambiguous, Refused, Funds, Ledger, Draining,
                ],
                ..post(
                    "submitJob",
                    "/v1/jobs",
                    "Runs a job, or says what it would be and cost. The reply comes when the job is \
                     recorded: it then ends, whatever happens to the node. Where it does not come, the same \
                     request with the same `nonce` says which job it was, or is it.",
                )
            },
            Self::Jobs => Operation {
                reply: json::<Page<JobSummary>>(),
                query: PAGE,
                ..get("listJobs", "/v1/jobs", "The node's jobs, the newest first.")
            },
            Self::Job => Operation {
                reply: json::<Job>(),
                problems: &[NotFound, Ambiguous],
                ..get("getJob", "/v1/jobs/{job}", "One job.")
            },
            Self::JobEvents => Operation {
                reply: Body::Events,
                problems: &[NotFound, Ambiguous],
                ..get(
                    "watchJob",
                    "/v1/jobs/{job}/events",
                    "How a job is going: first everything as it is, then what changes, until it ends. \
                     A comment every 5 seconds shows that the node is there.",
                )
            },
            Self::JobLogs => Operation {
                reply: json::<Page<UnitLog>>(),
                query: PAGE,
                problems: &[NotFound, Ambiguous],
                ..get(
                    "getLogs",
                    "/v1/jobs/{job}/logs",
                    "What units logged, in the order of the plan.",
                )
            },
            Self::JobResult => Operation {
                reply: json::<JobResult>(),
                problems: &[NotFound, Ambiguous, NotYet],
                ..get(
                    "getResult",
                    "/v1/jobs/{job}/result",
                    "What came out, as digests.",
                )
            },
            Self::JobOutput => Operation {
                reply: Body::Bytes(OCTETS),
                query: NAME,
                problems: &[NotFound, Ambiguous, NotYet, TooLate],
                ..get(
                    "getOutput",
                    "/v1/jobs/{job}/output",
                    "The bytes that came out, the parts in order, or those of another output; opened where \
                     the job is encrypted.",
                )
            },
            Self::JobReceipt => Operation {
                reply: Body::Bytes("application/vnd.opensky.receipt"),
                problems: &[NotFound, Ambiguous, NotYet, TooLate],
                ..get(
                    "getReceipt",
                    "/v1/jobs/{job}/receipt",
                    "The receipt file of the result, which can be checked without this node.",
                )
            },
            Self::JobWhy => Operation {
                reply: json::<Why>(),
                query: PAGE,
                problems: &[NotFound, Ambiguous],
                ..get(
                    "explainJob",
                    "/v1/jobs/{job}/why",
                    "Why a job is where it is, unit by unit and node by node.",
                )
            },
            Self::JobKey => Operation {
                reply: json::<JobKey>(),
                problems: &[NotFound, Ambiguous, Refused],
                ..get(
                    "getKey",
                    "/v1/jobs/{job}/key",
                    "The key to an encrypted job, for whoever shall be able to read and to check it.",
                )
            },
            _ => Operation {
                reply: json::<JobSummary>(),
                problems: &[NotFound, Ambiguous, TooLate],
                ..post(
                    "cancelJob",
                    "/v1/jobs/{job}/cancel",
                    "Ends a job. What was agreed on until now is paid, the rest comes back.",
                )
            },
        }
    }

    const fn of_the_wallet(self) -> Operation {
        const ASKED: Operation = Operation {
            request: json::<Sum>(),
            reply: json::<Wallet>(),
            problems: &[MediaType, Funds, Refused, Ledger],
            ..post("", "", "")
        };
        match self {
            Self::Wallet => Operation {
                reply: json::<Wallet>(),
                problems: &[Ledger],
                ..get("getWallet", "/v1/wallet", "What the node's account has.")
            },
            Self::WalletHistory => Operation {
                reply: json::<Page<Entry>>(),
                query: PAGE,
                problems: &[Ledger],
                ..get(
                    "getHistory",
                    "/v1/wallet/history",
                    "What happened to the account, the newest first.",
                )
            },
            Self::Stake => Operation {
                name: "stake",
                path: "/v1/wallet/stake",
                about: "Sets money aside that the account loses if its results are wrong. This and the next two \
                        reply once it is final, with what the account has then; each costs the ledger's fee.",
                ..ASKED
            },
            Self::Unstake => Operation {
                name: "unstake",
                path: "/v1/wallet/unstake",
                about: "Begins to take some of it back. It can be lost for as long as disputes about earlier work may \
                        take; then the node takes it out by itself.",
                ..ASKED
            },
            _ => Operation {
                name: "fund",
                path: "/v1/wallet/fund",
                about: "Takes money from the ledger's faucet, at most what that gives at once. Only ledgers for \
                        development have one: where there is one, money is worth nothing.",
                request: json::<Fund>(),
                ..ASKED
            },
        }
    }

    const fn of_the_rest(self) -> Operation {
        match self {
            Self::Document => Operation {
                reply: json::<serde_json::Map<String, serde_json::Value>>(),
                ..get("getDocument", "/v1/openapi.json", "This document.")
            },
            Self::Node => Operation {
                reply: json::<NodeStatus>(),
                ..get("getNode", "/v1/node", "How the node is.")
            },
            Self::Offers => Operation {
                reply: json::<Page<Offer>>(),
                query: PAGE,
                ..get(
                    "listOffers",
                    "/v1/offers",
                    "The offers that the node knows, by provider.",
                )
            },
            Self::PutBlob => Operation {
                request: Body::Bytes(OCTETS),
                reply: json::<Blob>(),
                problems: &[MediaType, Full, Draining],
                ..post("putBlob", "/v1/blobs", "Keeps bytes and says their digest.")
            },
            Self::Blob => Operation {
                reply: Body::Bytes(OCTETS),
                problems: &[NotFound, Range],
                ..get(
                    "getBlob",
                    "/v1/blobs/{digest}",
                    "The bytes of a blob that the node has. One range of bytes can be asked for.",
                )
            },
            Self::Deploy => Operation {
                request: json::<DeploymentRequest>(),
                reply: json::<Deployed>(),
                problems: &[MediaType, NotFound, Refused, Funds, Ledger, Draining],
                ..post(
                    "deploy",
                    "/v1/deployments",
                    "Puts a program under a name, or a new version of it. The reply comes when enough \
                     providers have pinned the program for it to be there without this node; where too few \
                     do, nothing is put under the name.",
                )
            },
            Self::Deployments => Operation {
                reply: json::<Page<Deployment>>(),
                query: PAGE,
                ..get(
                    "listDeployments",
                    "/v1/deployments",
                    "The node's own deployments, by name.",
                )
            },
            Self::Deployment => Operation {
                reply: json::<Deployment>(),
                query: HOLDERS,
                problems: &[NotFound, Ambiguous],
                ..get(
                    "getDeployment",
                    "/v1/deployments/{deployment}",
                    "One deployment, whose ever it is.",
                )
            },
            _ => Operation {
                reply: Body::Text(METRICS),
                ..get("getMetrics", "/metrics", "Figures for Prometheus.")
            },
        }
    }
}

/// A part of a path or of a query, with everything escaped that could be taken for something else.
pub(crate) fn escaped(text: &str) -> String {
    let mut path = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => path.push(char::from(byte)),
            _ => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::Fuel;

    #[test]
    fn every_operation_has_a_name_and_a_path_of_its_own() {
        let names: BTreeSet<_> = Op::ALL.iter().map(|op| op.operation().name).collect();
        let paths = Op::ALL.iter().map(|op| op.operation());
        let paths: BTreeSet<_> = paths
            .map(|op| (op.method == Method::Get, op.path))
            .collect();
        assert_eq!(names.len(), Op::ALL.len());
        assert_eq!(paths.len(), Op::ALL.len());
    }

    #[test]
    fn only_requests_that_change_something_have_a_body() {
        for operation in Op::ALL.map(Op::operation) {
            let is_empty = matches!(operation.request, Body::Empty);
            assert!(
                is_empty || operation.method == Method::Post,
                "{}",
                operation.path
            );
        }
    }

    #[test]
    fn parameters_cannot_leave_their_part_of_the_path() {
        let path = Op::Deployment.path(&["p-0123456789/a?b#c ../é"]);
        assert_eq!(
            path,
            "/v1/deployments/p-0123456789%2Fa%3Fb%23c%20%2E%2E%2F%C3%A9"
        );
    }

    #[test]
    fn fuel_is_no_number() {
        let mut generator = SchemaGenerator::default();
        schema_of::<Fuel>(&mut generator);
        assert_eq!(generator.definitions()["Fuel"]["type"], "string");
    }
}
