//! The one place where values become bytes that are hashed, signed, sent or stored: SCALE, decoded
//! strictly.

use alloc::vec::Vec;

use parity_scale_codec::{DecodeWithMemLimit, DecodeWithMemTracking, Encode};

/// Bytes that decoding one value may allocate: 256 MiB.
pub const MEMORY_LIMIT: usize = 256 << 20;

/// The kinds of file that we write. Each begins with its kind and version in eight readable bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A [`Receipt`](crate::Receipt).
    Receipt,
    /// A [`JobReceipt`](crate::JobReceipt).
    JobReceipt,
}

impl FileKind {
    const fn magic(self) -> &'static [u8; 8] {
        match self {
            Self::Receipt => b"oskyrcp1",
            Self::JobReceipt => b"oskyjob1",
        }
    }

    /// The kind that a file with these bytes says it is.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        [Self::Receipt, Self::JobReceipt]
            .into_iter()
            .find(|kind| bytes.starts_with(kind.magic()))
    }
}

/// Why bytes are not a canonical value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The file is of no kind or version that we know, or of another kind than was asked for.
    #[error("not a file of the expected kind and version")]
    Kind,
    /// The checksum at the file's end is not that of the bytes before it.
    #[error("the file is damaged: its checksum does not match")]
    Checksum,
    /// The bytes are not a value of this type, or decoding them needs too much memory.
    #[error("the bytes do not decode")]
    Malformed,
    /// A value was decoded and bytes are left.
    #[error("{0} bytes follow the value")]
    Trailing(usize),
    /// The value has another, canonical encoding (unsorted maps are found this way).
    #[error("the encoding is not canonical")]
    NotCanonical,
}

/// The canonical bytes of `value`.
pub fn encode(value: &impl Encode) -> Vec<u8> {
    value.encode()
}

/// Decodes canonical bytes: all input is consumed, memory is limited to [`MEMORY_LIMIT`], and
/// encoding the value again gives the same bytes.
///
/// # Errors
/// [`CodecError::Malformed`], [`CodecError::Trailing`] or [`CodecError::NotCanonical`]; never the
/// others, which are about files.
pub fn decode<T: DecodeWithMemTracking + Encode>(bytes: &[u8]) -> Result<T, CodecError> {
    decode_within(bytes, MEMORY_LIMIT)
}

fn decode_within<T: DecodeWithMemTracking + Encode>(
    bytes: &[u8],
    limit: usize,
) -> Result<T, CodecError> {
    let mut rest = bytes;
    let value = T::decode_with_mem_limit(&mut rest, limit).map_err(|_| CodecError::Malformed)?;
    if !rest.is_empty() {
        return Err(CodecError::Trailing(rest.len()));
    }
    if value.encode() != bytes {
        return Err(CodecError::NotCanonical);
    }
    Ok(value)
}

const CHECKSUM: usize = 32;
/// Bytes of memory for each byte of a file. The lists of a receipt take less than twice their bytes.
const MEMORY_PER_BYTE: usize = 4;

/// The bytes of a file that holds `value`: kind, canonical bytes, and the BLAKE3 of both. The
/// checksum finds damage; what a stranger made is found by the signatures inside.
pub fn seal(kind: FileKind, value: &impl Encode) -> Vec<u8> {
    let mut bytes = kind.magic().to_vec();
    value.encode_to(&mut bytes);
    let checksum = blake3::hash(&bytes);
    bytes.extend(checksum.as_bytes());
    bytes
}

/// Reads what [`seal`] wrote. Decoding may allocate [`MEMORY_LIMIT`], or four times the file's length
/// where that is more: the receipt of a job of many units is long, and must be read again.
///
/// # Errors
/// [`CodecError::Kind`] and [`CodecError::Checksum`] before anything is decoded, else as
/// [`decode`].
pub fn open<T: DecodeWithMemTracking + Encode>(
    kind: FileKind,
    bytes: &[u8],
) -> Result<T, CodecError> {
    let body = bytes.strip_prefix(kind.magic()).ok_or(CodecError::Kind)?;
    let cut = body
        .len()
        .checked_sub(CHECKSUM)
        .ok_or(CodecError::Malformed)?;
    let sealed = &bytes[..kind.magic().len() + cut];
    if blake3::hash(sealed).as_bytes()[..] != body[cut..] {
        return Err(CodecError::Checksum);
    }
    let limit = MEMORY_LIMIT.max(cut.saturating_mul(MEMORY_PER_BYTE));
    decode_within(&body[..cut], limit)
}
