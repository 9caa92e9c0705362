//! `wasi:random`: ChaCha20 from the unit's seed, a stream of its own for each interface.

use opensky_protocol::Digest;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use wasmtime::{Error, component::Linker};

use super::VERSION;
use crate::{
    host::{Call, Host, Interface},
    profile::Rules,
};

/// The generators of one instance.
pub(super) struct Generators {
    secure: ChaCha20Rng,
    insecure: ChaCha20Rng,
}

/// ChaCha20's stream number for each interface.
#[derive(Clone, Copy)]
enum Stream {
    Secure = 1,
    Insecure = 2,
    InsecureSeed = 3,
}

fn generator(seed: &Digest, stream: Stream) -> ChaCha20Rng {
    let mut generator = ChaCha20Rng::from_seed(seed.0);
    generator.set_stream(stream as u64);
    generator
}

impl Host {
    fn generators(&mut self) -> &mut Generators {
        let seed = &self.unit.seed;
        self.wasi.random.get_or_insert_with(|| {
            Box::new(Generators {
                secure: generator(seed, Stream::Secure),
                insecure: generator(seed, Stream::Insecure),
            })
        })
    }
}

pub(super) fn define(linker: &mut Linker<Host>, rules: &'static Rules) -> wasmtime::Result<()> {
    let mut random = Interface::new(linker, "wasi:random/random", VERSION, rules)?;
    random.func("get-random-bytes", |call, (len,): (u64,)| {
        bytes(call, len, |generators| &mut generators.secure)
    })?;
    random.func("get-random-u64", |call, ()| {
        Ok((call.generators().secure.next_u64(),))
    })?;

    let mut insecure = Interface::new(linker, "wasi:random/insecure", VERSION, rules)?;
    insecure.func("get-insecure-random-bytes", |call, (len,): (u64,)| {
        bytes(call, len, |generators| &mut generators.insecure)
    })?;
    insecure.func("get-insecure-random-u64", |call, ()| {
        Ok((call.generators().insecure.next_u64(),))
    })?;

    let mut seed = Interface::new(linker, "wasi:random/insecure-seed", VERSION, rules)?;
    seed.func("insecure-seed", |call, ()| {
        let mut generator = generator(&call.unit.seed, Stream::InsecureSeed);
        Ok(((generator.next_u64(), generator.next_u64()),))
    })
}

fn bytes(
    call: &mut Call<'_>,
    len: u64,
    which: fn(&mut Generators) -> &mut ChaCha20Rng,
) -> Result<(Vec<u8>,), Error> {
    call.afford(len)?;
    // It was affordable, so it is far below the address space.
    let mut bytes = vec![0; len as usize];
    which(call.generators()).fill_bytes(&mut bytes);
    Ok((bytes,))
}
