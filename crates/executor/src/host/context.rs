//! `opensky:compute/context`: what a program may know about the unit it runs in.

use wasmtime::component::Linker;

use crate::{
    host::{Host, Interface, bind::words},
    profile::Rules,
};

pub(super) fn define(linker: &mut Linker<Host>, rules: &'static Rules) -> wasmtime::Result<()> {
    let mut context = Interface::new(linker, "opensky:compute/context", "0.1.0", rules)?;
    context.func("unit-id", |call, ()| Ok((words(&call.unit.id),)))?;
    context.func("seed", |call, ()| Ok((words(&call.unit.seed),)))?;
    context.func("virtual-time", |call, ()| {
        Ok((call.unit.work.virtual_time,))
    })?;
    context.func("shard", |call, ()| {
        let shard = call.unit.work.shard;
        Ok(((shard.index, shard.count),))
    })?;
    context.func("params", |call, ()| {
        let pairs = call.unit.work.params.iter();
        let params: Vec<_> = pairs
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        Ok((params,))
    })
}
