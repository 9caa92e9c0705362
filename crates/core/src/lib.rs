//! OpenSky's verbs: who runs what, was it right, who is owed what. Pure state machines: events and
//! the time go in, effects come out; no clock, no randomness, no IO.
//!
//! [`Participant`] is the whole of it. Everything else is what it takes, gives or decides by.

mod alarm;
mod broker;
mod budget;
mod checked;
mod collecting;
mod credit;
mod doubting;
mod draw;
mod earning;
mod effect;
mod ending;
mod event;
mod hearing;
mod job;
mod judge;
mod judging;
mod looking;
mod market;
mod moment;
mod need;
mod offering;
mod out;
mod participant;
mod paying;
mod phase;
mod placing;
mod policy;
mod purse;
mod rebuilding;
mod restoring;
mod room;
mod row;
mod running;
mod share;
mod standing;
mod task;
mod time;
mod trust;
mod unit;
mod view;
mod why;
mod worker;
mod writing;

pub use checked::{Checked, Unsound};
pub use effect::{Draft, Effect, Outgoing, Proof, UnpaidTurn};
pub use event::{
    Done, EscrowState, Event, Funding, Identity, Plan, Refused, Replicas, Submission, Terms,
};
pub use judge::{Verdict, judge};
pub use need::{Need, Unfit};
pub use participant::Participant;
pub use phase::Ending;
pub use policy::{Contest, Escrows, Policy};
pub use restoring::RestoreError;
pub use row::{Row, Table};
pub use standing::Standing;
pub use time::Time;
pub use view::{JobState, JobView, SeatView, UnitView, WorkerView};
pub use why::{NodeWhy, SilentTurn, Why};
