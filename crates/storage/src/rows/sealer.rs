//! Sealing of rows: their values are encrypted on disk, each for its own place.

use std::{fmt, io};

use chacha20poly1305::{AeadInPlace, KeyInit, Tag, XChaCha20Poly1305, XNonce};
use opensky_protocol::Digest;
use zeroize::Zeroizing;

use super::{
    error::{RowsError, at},
    row::{Row, Table},
};
use crate::{SealKey, seal::TAG};

/// Random, and so large that no two rows will ever have the same.
const NONCE: usize = 24;

/// What is derived from a node's key for rows alone.
pub(super) struct Sealer {
    cipher: XChaCha20Poly1305,
    check: String,
}

impl Sealer {
    pub fn new(key: &SealKey) -> Self {
        let derive = |purpose| Zeroizing::new(blake3::derive_key(purpose, key.bytes()));
        Self {
            cipher: XChaCha20Poly1305::new((&*derive("opensky storage rows 1")).into()),
            check: Digest(*derive("opensky storage rows check 1")).to_string(),
        }
    }

    /// Tells keys apart, and nothing about them.
    pub fn check(&self) -> &str {
        &self.check
    }

    /// The nonce, the tag, then the value, sealed.
    pub fn seal(&self, row: &mut Row) -> Result<(), RowsError> {
        let place = place(row.table, &row.key);
        let Some(value) = &mut row.value else {
            return Ok(());
        };
        let mut nonce = [0; NONCE];
        let random = getrandom::fill(&mut nonce);
        random.map_err(|error| at("seal", io::Error::other(error.to_string())))?;
        let cipher = &self.cipher;
        let sealed = cipher.encrypt_in_place_detached(XNonce::from_slice(&nonce), &place, value);
        let tag = sealed.expect("a value is shorter than the cipher's limit");
        value.splice(..0, nonce.into_iter().chain(tag));
        Ok(())
    }

    /// The value that was sealed for that place.
    pub fn open(&self, table: Table, key: &[u8], sealed: &[u8]) -> Result<Vec<u8>, RowsError> {
        let open = || {
            let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
            let (tag, sealed) = sealed.split_first_chunk::<TAG>()?;
            let (nonce, tag) = (XNonce::from_slice(nonce), Tag::from_slice(tag));
            let mut value = sealed.to_vec();
            let place = place(table, key);
            let cipher = &self.cipher;
            let opened = cipher.decrypt_in_place_detached(nonce, &place, &mut value, tag);
            opened.ok().map(|()| value)
        };
        let damaged = || RowsError::Damaged(format!("a row of `{}` does not open", table.name()));
        open().ok_or_else(damaged)
    }
}

/// A row in another one's place does not open. No name has the byte between.
fn place(table: Table, key: &[u8]) -> Vec<u8> {
    [table.name().as_bytes(), &[0], key].concat()
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer")
    }
}
