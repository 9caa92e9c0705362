//! The one door between guest and host: each call through it is charged, recorded and answered.

use std::ops::{Deref, DerefMut};

use opensky_protocol::Digest;
use wasmtime::{
    Error, StoreContextMut,
    component::{ComponentNamedList, Lift, Linker, LinkerInstance, Lower, Resource, ResourceType},
};

use crate::{
    fuel,
    host::{Host, Record, Stop},
    profile::Rules,
};

/// One interface while its functions are put in place.
pub(crate) struct Interface<'a> {
    instance: LinkerInstance<'a, Host>,
    /// Without the version: what transcripts call it.
    name: &'static str,
    rules: &'static Rules,
}

/// One host call while it runs: the unit's host, and the fuel it may still use.
pub(crate) struct Call<'a>(StoreContextMut<'a, Host>);

impl<'a> Interface<'a> {
    /// The interface `name` at `version`; guests that import another compatible version get it too.
    pub fn new(
        linker: &'a mut Linker<Host>,
        name: &'static str,
        version: &str,
        rules: &'static Rules,
    ) -> wasmtime::Result<Self> {
        let instance = linker.instance(&format!("{name}@{version}"))?;
        Ok(Self {
            instance,
            name,
            rules,
        })
    }

    /// Defines a function. `P` is the tuple of its parameters, `R` its result as a tuple of one, or
    /// `()`. What `f` returns as an error ends the guest.
    pub fn func<P, R>(
        &mut self,
        name: &str,
        f: fn(&mut Call<'_>, P) -> Result<R, Error>,
    ) -> wasmtime::Result<()>
    where
        P: ComponentNamedList + Lift + Record + 'static,
        R: ComponentNamedList + Lower + Record + 'static,
    {
        let import = format!("{}#{name}", self.name);
        let rules = self.rules;
        self.instance
            .func_wrap(name, move |store: StoreContextMut<'_, Host>, params: P| {
                Call(store).perform(&import, rules, params, f)
            })
    }

    /// Defines a resource of which `T` is the host's side, kept in the unit's table.
    pub fn resource<T: Send + 'static>(&mut self, name: &str) -> wasmtime::Result<()> {
        self.resource_with::<T>(name, |_, _| ())
    }

    /// Defines a resource of which `T` is the host's side. `dropped` gets it back when the guest
    /// lets go of it, but not when the instance ends.
    pub fn resource_with<T: Send + 'static>(
        &mut self,
        name: &str,
        dropped: fn(&mut Host, T),
    ) -> wasmtime::Result<()> {
        self.instance
            .resource(name, ResourceType::host::<T>(), move |mut store, rep| {
                let host = store.data_mut();
                let value = host.table.delete(Resource::<T>::new_own(rep))?;
                dropped(host, value);
                Ok(())
            })
    }
}

impl Call<'_> {
    fn perform<P: Record, R: Record>(
        mut self,
        import: &str,
        rules: &Rules,
        params: P,
        f: fn(&mut Call<'_>, P) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let (args, carried) = self.digest(&params);
        fuel::charge(&mut self.0, rules.call + carried)?;
        let results = f(&mut self, params)?;
        let (digest, carried) = self.digest(&results);
        fuel::charge(&mut self.0, carried)?;
        self.transcript.push(import, args, digest);
        Ok(results)
    }

    /// The digest of a value that is carried, and what carrying it costs.
    fn digest(&mut self, value: &impl Record) -> (Digest, u64) {
        let rules = self.rules;
        let recorder = &mut self.recorder;
        value.record(recorder);
        let carried = rules.byte * recorder.len() + rules.part * recorder.parts();
        (recorder.finish(), carried)
    }

    /// Whether a result of `bytes` bytes is allowed and can be paid for, to be asked before it is
    /// made. It is charged when the call returns.
    pub fn afford(&mut self, bytes: u64) -> Result<(), Stop> {
        if bytes > self.rules.call_bytes as u64 {
            return Err(Stop::Limit("bytes of one host call"));
        }
        match bytes * self.rules.byte > fuel::left(&self.0) {
            true => Err(Stop::OutOfFuel),
            false => Ok(()),
        }
    }

    /// Bytes of [`Call::work`] that the guest can still pay for.
    pub fn work_left(&self) -> u64 {
        fuel::left(&self.0) / self.rules.byte
    }

    /// Charges work that neither arguments nor results show, as though it were so many bytes of
    /// them.
    pub fn work(&mut self, bytes: u64) -> Result<(), Error> {
        let cost = self.rules.byte.saturating_mul(bytes);
        Ok(fuel::charge(&mut self.0, cost)?)
    }

    /// Gives the guest a handle to `value`, or ends a guest that holds too many.
    pub fn keep<T: Send + 'static>(&mut self, value: T) -> Result<Resource<T>, Stop> {
        let kept = self.table.push(value);
        kept.map_err(|_| Stop::Limit("handles"))
    }
}

impl Deref for Call<'_> {
    type Target = Host;

    fn deref(&self) -> &Host {
        self.0.data()
    }
}

impl DerefMut for Call<'_> {
    fn deref_mut(&mut self) -> &mut Host {
        self.0.data_mut()
    }
}

/// The WIT type `digest`: four little-endian words.
pub(crate) type Words = (u64, u64, u64, u64);

/// The words of a digest.
pub(crate) fn words(digest: &Digest) -> Words {
    let word = |i: usize| {
        let bytes = digest.0[i * 8..][..8].try_into().expect("8 of 32 bytes");
        u64::from_le_bytes(bytes)
    };
    (word(0), word(1), word(2), word(3))
}

/// The digest of these words.
pub(crate) fn digest((a, b, c, d): Words) -> Digest {
    let mut bytes = [0; 32];
    for (chunk, word) in bytes.chunks_exact_mut(8).zip([a, b, c, d]) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    Digest(bytes)
}

/// An enum of a WIT interface: a name for each case, recorded by its position.
macro_rules! wit_enum {
    ($(#[$doc:meta])* enum $name:ident { $($case:ident = $wit:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, wasmtime::component::ComponentType, wasmtime::component::Lift, wasmtime::component::Lower)]
        #[component(enum)]
        #[repr(u8)]
        #[allow(dead_code)]
        pub(crate) enum $name { $(#[component(name = $wit)] $case),* }

        impl $crate::host::Record for $name {
            fn record(&self, to: &mut $crate::host::Recorder) {
                (*self as u8).record(to);
            }
        }
    };
}
pub(crate) use wit_enum;
