//! Steppers: long computations that are cut into steps.
use crate::{Error, Input, Output};

/// A long computation that is cut into steps. Put [`#[opensky::stepper]`](macro@crate::stepper) on the
/// `impl`.
///
/// Every step runs in a fresh instance, so [`State`](Stepper::State) is all that one step knows of the
/// steps before it. That is what makes each step checkable by itself: its digest is a checkpoint.
/// Random numbers do not cross either: every step draws from a [seed](crate::seed) of its own.
pub trait Stepper {
    /// The job's input.
    type Input: Input;
    /// What crosses from step to step. Equal states must have equal bytes: a `BTreeMap`, not a
    /// `HashMap`.
    type State: Input + Output;
    /// The job's output.
    type Output: Output;

    /// The state before the first step.
    ///
    /// # Errors
    /// Ends the job: an error is its result.
    fn init(input: Self::Input) -> Result<Self::State, Error>;

    /// One step. Keep steps alike in cost, and well under the unit's fuel limit.
    ///
    /// # Errors
    /// Ends the job.
    fn step(state: Self::State) -> Result<Step<Self::State, Self::Output>, Error>;
}

/// What a step leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<State, Output> {
    /// Go on from this state.
    More(State),
    /// The job's output.
    Done(Output),
}

pub(crate) fn init<S: Stepper>(input: Vec<u8>) -> Result<Vec<u8>, Error> {
    S::init(S::Input::decode(input)?)?.encode()
}

pub(crate) fn step<S: Stepper>(state: Vec<u8>) -> Result<Step<Vec<u8>, Vec<u8>>, Error> {
    Ok(match S::step(S::State::decode(state)?)? {
        Step::More(state) => Step::More(state.encode()?),
        Step::Done(output) => Step::Done(output.encode()?),
    })
}
