//! Where OpenSky keeps things: the XDG folders of the person who runs it.

use std::path::PathBuf;

use etcetera::{BaseStrategy, base_strategy::Xdg};

use crate::Problem;

/// Our folder's name below each XDG folder.
const FOLDER: &str = "opensky";

/// What must be kept: keys, and the programs and inputs that receipts are about. Not created here.
pub fn data() -> Result<PathBuf, Problem> {
    Ok(strategy()?.data_dir().join(FOLDER))
}

/// What can be made again: compiled code, the wasm sysroot. Not created here.
pub fn cache() -> Result<PathBuf, Problem> {
    Ok(strategy()?.cache_dir().join(FOLDER))
}

fn strategy() -> Result<Xdg, Problem> {
    const HELP: &str = "set HOME, or XDG_DATA_HOME and XDG_CACHE_HOME, to absolute paths";
    let strategy = Xdg::new().map_err(|error| {
        Problem::host("this user has no home folder")
            .because(error)
            .help(HELP)
    })?;
    // Relative ones would mean another identity and another store in every folder.
    if [strategy.data_dir(), strategy.cache_dir()]
        .iter()
        .all(|folder| folder.is_absolute())
    {
        return Ok(strategy);
    }
    let home = strategy.home_dir().display();
    Err(Problem::host(format!("the home folder `{home}` is not an absolute path")).help(HELP))
}
