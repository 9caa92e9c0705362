//! The guests, built the way a developer builds them.

use std::{fs, path::Path};

use opensky_cli::project;

use crate::Error;

/// Components, as bytes.
pub struct Guests {
    /// All kernels.
    pub kernels: Vec<u8>,
    /// The ten-line job of the examples: what a unit costs that does nothing.
    pub hello: Vec<u8>,
}

/// Builds the guests, or finds that they are up to date.
pub fn build() -> Result<Guests, Error> {
    Ok(Guests {
        kernels: component("kernels")?,
        hello: hello()?,
    })
}

/// The ten-line job alone.
pub fn hello() -> Result<Vec<u8>, Error> {
    component("../examples/hello")
}

fn component(folder: &str) -> Result<Vec<u8>, Error> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    Ok(fs::read(project::build_project(&dir)?)?)
}
