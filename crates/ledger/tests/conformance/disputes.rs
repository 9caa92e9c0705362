//! Objections and verdicts.
