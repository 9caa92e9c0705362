//! Claims by evidence.
