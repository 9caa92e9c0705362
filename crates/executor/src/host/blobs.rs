//! `opensky:compute/blobs`: inputs by digest, and outputs named by theirs.

use wasmtime::{
    Error,
    component::{Linker, Resource},
};

use crate::{
    host::{
        Blob, Call, Host, Interface, Stop,
        bind::{Words, digest, wit_enum, words},
    },
    profile::Rules,
};

wit_enum! {
    enum BlobError { NotInManifest = "not-in-manifest", OutOfRange = "out-of-range" }
}

/// Blobs that a unit may put. Each is an output with a name, which costs the host, and whoever reads
/// the receipt, more than a few bytes do.
const MAX_BLOBS: usize = 65_536;
/// What it takes to keep one, beside its bytes: as much as so many bytes.
const PLACE: u64 = 512;

/// The host's side of `reader`.
struct Reader(Blob);

/// The host's side of `writer`.
#[derive(Default)]
struct Writer(Vec<u8>);

pub(super) fn define(linker: &mut Linker<Host>, rules: &'static Rules) -> wasmtime::Result<()> {
    let mut blobs = Interface::new(linker, "opensky:compute/blobs", "0.1.0", rules)?;
    blobs.resource::<Reader>("reader")?;
    blobs.resource_with::<Writer>("writer", |host, Writer(data)| {
        host.refund_output(data.len());
    })?;
    blobs.func("manifest", |call, ()| {
        let inputs = call.unit.work.inputs.iter();
        let list: Vec<_> = inputs.map(|(name, id)| (name.clone(), words(id))).collect();
        Ok((list,))
    })?;
    blobs.func("open", open)?;
    blobs.func("put", |call, (data,): (Vec<u8>,)| Ok((put(call, data)?,)))?;
    blobs.func(
        "[method]reader.size",
        |call, (this,): (Resource<Reader>,)| {
            Ok((call.table.get(&this)?.0.as_ref().as_ref().len() as u64,))
        },
    )?;
    blobs.func("[method]reader.read", read)?;
    blobs.func("[constructor]writer", |call, ()| {
        Ok((call.keep(Writer::default())?,))
    })?;
    blobs.func(
        "[method]writer.write",
        |call, (this, data): (Resource<Writer>, Vec<u8>)| {
            call.spend_output(data.len())?;
            call.table.get_mut(&this)?.0.extend(data);
            Ok(())
        },
    )?;
    blobs.func(
        "[static]writer.finish",
        |call, (this,): (Resource<Writer>,)| {
            let data = call.table.delete(this)?.0;
            call.refund_output(data.len());
            Ok((put(call, data)?,))
        },
    )
}

fn open(
    call: &mut Call<'_>,
    (id,): (Words,),
) -> Result<(Result<Resource<Reader>, BlobError>,), Error> {
    let Some(blob) = call.unit.inputs.get(&digest(id)) else {
        return Ok((Err(BlobError::NotInManifest),));
    };
    let reader = Reader(blob.clone());
    Ok((Ok(call.keep(reader)?),))
}

fn read(
    call: &mut Call<'_>,
    (this, offset, len): (Resource<Reader>, u64, u32),
) -> Result<(Result<Vec<u8>, BlobError>,), Error> {
    let blob = call.table.get(&this)?.0.clone();
    let bytes = blob.as_ref().as_ref();
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let range = start..start.saturating_add(len as usize);
    let Some(part) = bytes.get(range) else {
        return Ok((Err(BlobError::OutOfRange),));
    };
    call.afford(u64::from(len))?;
    Ok((Ok(part.to_vec()),))
}

fn put(call: &mut Call<'_>, data: Vec<u8>) -> Result<Words, Error> {
    let id = opensky_protocol::Digest::of(&data);
    if !call.put.contains_key(&id) {
        if call.put.len() == MAX_BLOBS {
            return Err(Stop::Limit("blobs").into());
        }
        call.spend_output(data.len())?;
        call.work(PLACE)?;
        call.put.insert(id, data);
    }
    Ok(words(&id))
}
