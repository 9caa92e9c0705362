//! `wasi:cli`: arguments and environment as the work has them, the three streams, and the way out.
//! No terminal is ever there.

use opensky_protocol::World;
use wasmtime::{
    Error,
    component::{Linker, Resource},
};

use super::{
    VERSION,
    io::{InputStream, OutputStream},
};
use crate::{
    host::{Call, Host, Interface, Stop},
    profile::Rules,
};

/// The program's name, as its arguments begin.
const PROGRAM: &str = "program";

/// The host's side of `terminal-input`, of which there is none.
struct TerminalInput;

/// The host's side of `terminal-output`, of which there is none.
struct TerminalOutput;

pub(super) fn define(linker: &mut Linker<Host>, rules: &'static Rules) -> wasmtime::Result<()> {
    environment(linker, rules)?;
    exit(linker, rules)?;
    streams(linker, rules)?;
    terminals(linker, rules)
}

fn environment(linker: &mut Linker<Host>, rules: &'static Rules) -> wasmtime::Result<()> {
    let mut environment = Interface::new(linker, "wasi:cli/environment", VERSION, rules)?;
    environment.func("get-environment", |call, ()| {
        let variables = call.unit.work.env.iter();
        let list: Vec<_> = variables
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Ok((list,))
    })?;
    environment.func("get-arguments", |call, ()| {
        let mut list = vec![PROGRAM.to_owned()];
        list.extend(call.unit.work.args.iter().cloned());
        Ok((list,))
    })?;
    environment.func("initial-cwd", |_, ()| Ok((None::<String>,)))
}

fn exit(linker: &mut Linker<Host>, rules: &'static Rules) -> wasmtime::Result<()> {
    let mut exit = Interface::new(linker, "wasi:cli/exit", VERSION, rules)?;
    exit.func("exit", |call, (status,): (Result<(), ()>,)| {
        leave(call, u8::from(status.is_err()))
    })?;
    exit.func("exit-with-code", |call, (code,): (u8,)| leave(call, code))
}

/// Ends the program. Only a command has succeeded when it leaves with 0: every other program owes
/// the value that its export returns, and units that come after it count on that.
fn leave(call: &mut Call<'_>, code: u8) -> Result<(), Error> {
    if code == 0 && call.unit.work.world != World::Command {
        return Err(Stop::Trap("exit with code 0 in place of a result").into());
    }
    Err(Stop::Exit(code).into())
}

fn streams(linker: &mut Linker<Host>, rules: &'static Rules) -> wasmtime::Result<()> {
    let mut stdin = Interface::new(linker, "wasi:cli/stdin", VERSION, rules)?;
    stdin.func("get-stdin", |call, ()| {
        Ok((call.keep(InputStream::Stdin)?,))
    })?;
    let mut stdout = Interface::new(linker, "wasi:cli/stdout", VERSION, rules)?;
    stdout.func("get-stdout", |call, ()| {
        Ok((call.keep(OutputStream::Stdout)?,))
    })?;
    let mut stderr = Interface::new(linker, "wasi:cli/stderr", VERSION, rules)?;
    stderr.func("get-stderr", |call, ()| {
        Ok((call.keep(OutputStream::Stderr)?,))
    })
}

fn terminals(linker: &mut Linker<Host>, rules: &'static Rules) -> wasmtime::Result<()> {
    let mut input = Interface::new(linker, "wasi:cli/terminal-input", VERSION, rules)?;
    input.resource::<TerminalInput>("terminal-input")?;
    let mut output = Interface::new(linker, "wasi:cli/terminal-output", VERSION, rules)?;
    output.resource::<TerminalOutput>("terminal-output")?;
    let mut stdin = Interface::new(linker, "wasi:cli/terminal-stdin", VERSION, rules)?;
    stdin.func("get-terminal-stdin", |_, ()| {
        Ok((None::<Resource<TerminalInput>>,))
    })?;
    let mut stdout = Interface::new(linker, "wasi:cli/terminal-stdout", VERSION, rules)?;
    stdout.func("get-terminal-stdout", |_, ()| {
        Ok((None::<Resource<TerminalOutput>>,))
    })?;
    let mut stderr = Interface::new(linker, "wasi:cli/terminal-stderr", VERSION, rules)?;
    stderr.func("get-terminal-stderr", |_, ()| {
        Ok((None::<Resource<TerminalOutput>>,))
    })
}
