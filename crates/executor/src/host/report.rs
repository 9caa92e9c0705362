//! `opensky:compute/report`: log lines and progress, one way.

use wasmtime::component::Linker;

use crate::{
    host::{Host, Interface, bind::wit_enum},
    profile::Rules,
};

wit_enum! {
    enum Level { Debug = "debug", Info = "info", Warn = "warn", Error = "error" }
}

pub(super) fn define(linker: &mut Linker<Host>, rules: &'static Rules) -> wasmtime::Result<()> {
    let mut report = Interface::new(linker, "opensky:compute/report", "0.1.0", rules)?;
    report.func("log", |call, (level, message): (Level, String)| {
        let level = match level {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        Ok(call.spend_log(format!("{level}: {message}\n").as_bytes())?)
    })?;
    report.func("progress", |call, (done, total): (u64, Option<u64>)| {
        call.progress(done, total);
        Ok(())
    })
}
