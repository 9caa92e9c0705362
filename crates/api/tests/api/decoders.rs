//! Every decoder takes what the document allows, and survives everything else.

use std::{fmt::Debug, sync::LazyLock};

use opensky_api::{
    Blob, Deployed, Deployment, DeploymentRequest, Entry, Fund, Job, JobEvent, JobKey, JobRequest,
    JobResult, JobSummary, NodeStatus, Offer, Page, Problem, Submitted, Sum, UnitLog, Wallet, Why,
    document,
};
use proptest::{prelude::*, test_runner::TestRunner};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::arbitrary::{damaged, value};

static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

/// What is read is written so that it is read again.
fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    let first: T = serde_json::from_slice(bytes).ok()?;
    let again = serde_json::to_vec(&first).expect("JSON");
    let second: T = serde_json::from_slice(&again).expect("what was written is read");
    assert_eq!(first, second);
    Some(first)
}

fn check_type<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str) {
    let mut runner = TestRunner::deterministic();
    let good = value(&DOCUMENT, name);
    let takes = |value: Value| {
        let bytes = value.to_string().into_bytes();
        prop_assert!(
            check::<T>(&bytes).is_some(),
            "{:?}",
            serde_json::from_slice::<T>(&bytes)
        );
        // Half of it is nothing.
        prop_assert!(check::<T>(&bytes[..bytes.len() / 2]).is_none());
        Ok(())
    };
    runner
        .run(&good, takes)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let survives = |value: Value| {
        check::<T>(value.to_string().as_bytes());
        Ok(())
    };
    runner
        .run(&damaged(good), survives)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let survives = |bytes: Vec<u8>| {
        check::<T>(&bytes);
        Ok(())
    };
    runner
        .run(&any::<Vec<u8>>(), survives)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
}

macro_rules! decoders {
    ($($test:ident: $type:ty = $name:literal;)*) => {
        $(#[test]
        fn $test() {
            check_type::<$type>($name);
        })*

        /// Every schema that the document names as a whole body.
        const KNOWN: &[&str] = &[$($name),*];
    };
}

decoders! {
    job_request_is_read: JobRequest = "JobRequest";
    deployment_request_is_read: DeploymentRequest = "DeploymentRequest";
    submitted_is_read: Submitted = "Submitted";
    job_is_read: Job = "Job";
    key_is_read: JobKey = "JobKey";
    jobs_are_read: Page<JobSummary> = "JobSummaryPage";
    summary_is_read: JobSummary = "JobSummary";
    result_is_read: JobResult = "JobResult";
    logs_are_read: Page<UnitLog> = "UnitLogPage";
    why_is_read: Why = "Why";
    event_is_read: JobEvent = "JobEvent";
    blob_is_read: Blob = "Blob";
    deployed_is_read: Deployed = "Deployed";
    deployment_is_read: Deployment = "Deployment";
    deployments_are_read: Page<Deployment> = "DeploymentPage";
    node_is_read: NodeStatus = "NodeStatus";
    offers_are_read: Page<Offer> = "OfferPage";
    wallet_is_read: Wallet = "Wallet";
    sum_is_read: Sum = "Sum";
    wish_for_money_is_read: Fund = "Fund";
    history_is_read: Page<Entry> = "EntryPage";
    problem_is_read: Problem = "Problem";
}

#[test]
fn every_body_of_the_document_is_among_them() {
    let text = DOCUMENT["paths"].to_string();
    let names = text.split("#/components/schemas/").skip(1);
    let names = names.filter_map(|rest| rest.split('"').next());
    // Parameters are read as texts: their types' own tests look at them.
    let parameters = ["Cursor", "Hex", "JobPrefix", "DeploymentRef"];
    for name in names.filter(|name| !parameters.contains(name)) {
        assert!(KNOWN.contains(&name), "{name}");
    }
}

#[test]
fn requests_with_unknown_fields_are_refused_and_replies_with_new_ones_are_read() {
    let mut runner = TestRunner::deterministic();
    let with_more = |mut value: Value| {
        value["surplus"] = 1.into();
        value.to_string().into_bytes()
    };
    let requests = (
        value(&DOCUMENT, "JobRequest"),
        value(&DOCUMENT, "DeploymentRequest"),
    );
    let check_requests = |(job, deployment)| {
        prop_assert!(check::<JobRequest>(&with_more(job)).is_none());
        prop_assert!(check::<DeploymentRequest>(&with_more(deployment)).is_none());
        Ok(())
    };
    runner.run(&requests, check_requests).expect("refused");
    let reply = value(&DOCUMENT, "NodeStatus");
    let check_reply = |node| {
        prop_assert!(check::<NodeStatus>(&with_more(node)).is_some());
        Ok(())
    };
    runner.run(&reply, check_reply).expect("read");
}
