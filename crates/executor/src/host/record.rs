//! The canonical bytes of a host call's arguments and results, as the transcript hashes them.

use opensky_protocol::Digest;
use wasmtime::component::Resource;

/// Collects the bytes of one call. Integers are little-endian and of fixed size, a list is its length
/// in 8 bytes and its items, a variant its case in 1 byte and its payload, a resource its handle.
#[derive(Default)]
pub(crate) struct Recorder {
    bytes: Vec<u8>,
    parts: u64,
}

impl Recorder {
    /// Bytes kept between calls; a larger buffer is given back to the system.
    const KEPT: usize = 1 << 20;

    pub fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Bytes that were recorded.
    pub fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Values among them that were allocated one by one: strings, and the items of lists.
    pub fn parts(&self) -> u64 {
        self.parts
    }

    /// Records the length of a list, whose items follow.
    pub fn list(&mut self, len: usize) {
        (len as u64).record(self);
        self.parts += len as u64;
    }

    /// The digest of what was recorded; the recorder is empty afterwards.
    pub fn finish(&mut self) -> Digest {
        let digest = Digest::of(&self.bytes);
        self.bytes.clear();
        self.bytes.shrink_to(Self::KEPT);
        self.parts = 0;
        digest
    }
}

/// A value that goes through a host call.
pub(crate) trait Record {
    fn record(&self, to: &mut Recorder);
}

macro_rules! integers {
    ($($ty:ty)*) => {$(
        impl Record for $ty {
            fn record(&self, to: &mut Recorder) {
                to.put(&self.to_le_bytes());
            }
        }
    )*};
}
integers!(u8 u16 u32 u64 i32 i64);

impl Record for bool {
    fn record(&self, to: &mut Recorder) {
        u8::from(*self).record(to);
    }
}

impl Record for str {
    fn record(&self, to: &mut Recorder) {
        self.as_bytes().record(to);
    }
}

impl Record for String {
    fn record(&self, to: &mut Recorder) {
        self.as_str().record(to);
    }
}

/// Bytes are recorded at once, not one by one.
impl Record for [u8] {
    fn record(&self, to: &mut Recorder) {
        (self.len() as u64).record(to);
        to.parts += 1;
        to.put(self);
    }
}

impl Record for Vec<u8> {
    fn record(&self, to: &mut Recorder) {
        self.as_slice().record(to);
    }
}

macro_rules! lists {
    ($($ty:ty),*) => {$(
        impl Record for Vec<$ty> {
            fn record(&self, to: &mut Recorder) {
                to.list(self.len());
                self.iter().for_each(|item| item.record(to));
            }
        }
    )*};
}
pub(crate) use lists;
lists!(
    u32,
    String,
    (String, String),
    (String, (u64, u64, u64, u64))
);

impl<T: Record> Record for Option<T> {
    fn record(&self, to: &mut Recorder) {
        self.is_some().record(to);
        if let Some(value) = self {
            value.record(to);
        }
    }
}

impl<T: Record, E: Record> Record for Result<T, E> {
    fn record(&self, to: &mut Recorder) {
        self.is_err().record(to);
        match self {
            Ok(value) => value.record(to),
            Err(error) => error.record(to),
        }
    }
}

impl<T: 'static> Record for Resource<T> {
    fn record(&self, to: &mut Recorder) {
        self.rep().record(to);
    }
}

macro_rules! tuples {
    ($(($($name:ident)*))*) => {$(
        impl<$($name: Record),*> Record for ($($name,)*) {
            #[allow(non_snake_case, unused_variables)]
            fn record(&self, to: &mut Recorder) {
                let ($($name,)*) = self;
                $($name.record(to);)*
            }
        }
    )*};
}
tuples! { () (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H) }

impl<T: 'static> Record for Vec<Resource<T>> {
    fn record(&self, to: &mut Recorder) {
        to.list(self.len());
        self.iter().for_each(|item| item.record(to));
    }
}
