//! Encrypted jobs: one content key for all blobs of a job, wrapped for each node that is to run a part
//! of it. Blobs are named by the digest of what they are encrypted to.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

use chacha20poly1305::{AeadInPlace, KeyInit, Tag, XChaCha20Poly1305, XNonce};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use zeroize::Zeroizing;

use crate::{Digest, NodeKey, Outputs, SecretKey, Transcript, codec, names};

/// What an encrypted blob begins with.
const MAGIC: &[u8; 8] = b"oskyenc1";
const NONCE: usize = 24;
const TAG: usize = 16;
const HEADER: usize = MAGIC.len() + NONCE;
/// Bytes that say how long a name is.
const NAME_LEN: usize = 4;
/// Outputs whose names are the guest's, or tell their bytes: these begin so.
const HIDDEN: [&str; 2] = ["blob/", "out/"];
/// The longest name that a host makes of a guest's.
const LONGEST_NAME: u64 = 4_096;

/// The key of one encrypted job: whoever has it can read all blobs of the job. Wiped from memory when
/// dropped.
///
/// Equal bytes under one key are encrypted to equal bytes, because providers are compared by them:
/// the nonce is a keyed hash of the bytes. So whoever lacks the key learns of two blobs of one job that
/// they are equal, and how long they are; nothing else, and of two jobs not even that.
#[derive(Clone)]
pub struct ContentKey(Zeroizing<[u8; 32]>);

/// A content key that one node alone can read. See [`SecretKey::wrap`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub struct WrappedKey([u8; 32 + TAG]);

impl ContentKey {
    /// Bytes by which a blob is longer when it is encrypted.
    pub const OVERHEAD: u64 = (HEADER + TAG) as u64;

    /// Bytes at the beginning of an encrypted output that tell its name: see
    /// [`peek_output`](Self::peek_output).
    pub const NAMED_BY: usize = HEADER + NAME_LEN + LONGEST_NAME as usize;

    /// The key of these bytes. They are to be random, and those of one job alone.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The key's bytes, for whoever shall be able to read the job and to check it.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether a blob says that it is encrypted.
    pub fn is_sealed(blob: &[u8]) -> bool {
        blob.starts_with(MAGIC)
    }

    /// Encrypts a blob: `magic ‖ nonce ‖ XChaCha20-Poly1305`.
    ///
    /// # Panics
    /// If there are 256 GiB of it.
    pub fn seal(&self, bytes: &[u8]) -> Vec<u8> {
        let hash = blake3::keyed_hash(&self.derive("opensky content nonce 1"), bytes);
        let nonce = &hash.as_bytes()[..NONCE];
        let mut sealed = Vec::with_capacity(HEADER + bytes.len() + TAG);
        sealed.extend_from_slice(MAGIC);
        sealed.extend_from_slice(nonce);
        sealed.extend_from_slice(bytes);
        let tag = self.cipher().encrypt_in_place_detached(
            XNonce::from_slice(nonce),
            &[],
            &mut sealed[HEADER..],
        );
        sealed.extend_from_slice(&tag.expect("a blob is shorter than the cipher's limit"));
        sealed
    }

    /// What was encrypted, or nothing where these are not bytes that this key has encrypted.
    pub fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let rest = sealed.strip_prefix(MAGIC)?;
        let (nonce, rest) = rest.split_at_checked(NONCE)?;
        let (bytes, tag) = rest.split_at_checked(rest.len().checked_sub(TAG)?)?;
        let mut bytes = bytes.to_vec();
        let (nonce, tag) = (XNonce::from_slice(nonce), Tag::from_slice(tag));
        let opened = self
            .cipher()
            .decrypt_in_place_detached(nonce, &[], &mut bytes, tag);
        opened.is_ok().then_some(bytes)
    }

    /// Encrypts a unit's outputs. Names that the guest has made are replaced by salted digests and go
    /// with the bytes; a stepper's list of states becomes that of their salted digests.
    pub fn seal_outputs(&self, outputs: BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
        let outputs = outputs.into_iter();
        outputs
            .map(|(name, bytes)| self.seal_output(name, &bytes))
            .collect()
    }

    fn seal_output(&self, name: String, bytes: &[u8]) -> (String, Vec<u8>) {
        if name == names::STATES
            && let Ok(states) = codec::decode::<Vec<Digest>>(bytes)
        {
            return (name, codec::encode(&self.salt_all(&states)));
        }
        let Some(prefix) = hidden(&name) else {
            let sealed = self.seal(bytes);
            return (name, sealed);
        };
        let mut named = Vec::with_capacity(NAME_LEN + name.len() + bytes.len());
        named.extend_from_slice(&(name.len() as u32).to_be_bytes());
        named.extend_from_slice(name.as_bytes());
        named.extend_from_slice(bytes);
        (self.salted_name(prefix, &name), self.seal(&named))
    }

    /// The name that an output has once it is encrypted.
    pub fn name_of(&self, name: &str) -> String {
        hidden(name).map_or(name.into(), |prefix| self.salted_name(prefix, name))
    }

    fn salted_name(&self, prefix: &str, name: &str) -> String {
        format!("{prefix}{}", self.salt(&Digest::of(name.as_bytes())))
    }

    /// The name that an output had, and its bytes. The inverse of
    /// [`seal_outputs`](Self::seal_outputs), but for a stepper's list of states, which stays salted.
    pub fn open_output(&self, name: &str, sealed: &[u8]) -> Option<(String, Vec<u8>)> {
        if name == names::STATES {
            return Some((name.into(), sealed.to_vec()));
        }
        let mut bytes = self.open(sealed)?;
        if hidden(name).is_none() {
            return Some((name.into(), bytes));
        }
        let (len, rest) = bytes.split_first_chunk::<NAME_LEN>()?;
        let name = rest.get(..u32::from_be_bytes(*len) as usize)?;
        let name = String::from_utf8(name.to_vec()).ok()?;
        bytes.drain(..NAME_LEN + name.len());
        Some((name, bytes))
    }

    /// The name that an output had, and how long its bytes are, from the first [`ContentKey::NAMED_BY`] bytes
    /// of what it was encrypted to (all, where those are fewer) and its length. Nothing where they do not give
    /// the name that it has: of its bytes that says nothing.
    pub fn peek_output(&self, name: &str, start: &[u8], len: u64) -> Option<(String, u64)> {
        if name == names::STATES {
            return Some((name.into(), len));
        }
        let len = len.checked_sub(Self::OVERHEAD)?;
        let Some(prefix) = hidden(name) else {
            return Some((name.into(), len));
        };
        let (nonce, start) = start.strip_prefix(MAGIC)?.split_at_checked(NONCE)?;
        let mut plain = start.to_vec();
        // The cipher is a key stream: what was encrypted with it is opened by doing so again. The tag, which
        // needs all bytes, is not looked at: the name itself is compared.
        let cipher = self.cipher();
        let stream = cipher.encrypt_in_place_detached(XNonce::from_slice(nonce), &[], &mut plain);
        stream.ok()?;
        let (name_len, rest) = plain.split_first_chunk::<NAME_LEN>()?;
        let found = rest.get(..u32::from_be_bytes(*name_len) as usize)?;
        let found = String::from_utf8(found.to_vec()).ok()?;
        let len = len.checked_sub((NAME_LEN + found.len()) as u64)?;
        (self.salted_name(prefix, &found) == name).then_some((found, len))
    }

    /// The most bytes by which these outputs can be longer than they were before they were encrypted.
    pub fn overhead_of(Outputs(outputs): &Outputs) -> u64 {
        let one = |name: &String| match hidden(name) {
            Some(_) => Self::OVERHEAD + NAME_LEN as u64 + LONGEST_NAME,
            None => Self::OVERHEAD,
        };
        outputs.keys().map(one).sum()
    }

    /// A transcript that tells nobody without the key what the host calls carried: their digests are
    /// salted. The chain is made anew where all calls are kept, else its end is salted.
    pub fn salt_transcript(&self, unit: &Digest, transcript: &Transcript) -> Transcript {
        let mut salted = Transcript::start(unit);
        for call in &transcript.calls {
            salted.push(
                &call.import,
                self.salt(&call.args),
                self.salt(&call.results),
            );
        }
        if salted.count < transcript.count {
            salted.count = transcript.count;
            salted.root = self.salt(&transcript.root);
        }
        salted
    }

    /// Digests that nobody without the key can compare with what they guess.
    pub fn salt_all(&self, digests: &[Digest]) -> Vec<Digest> {
        digests.iter().map(|digest| self.salt(digest)).collect()
    }

    fn salt(&self, digest: &Digest) -> Digest {
        let key = self.derive("opensky content salt 1");
        blake3::keyed_hash(&key, &digest.0).into()
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.derive("opensky content cipher 1")).into())
    }

    fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(blake3::derive_key(purpose, &*self.0))
    }
}

/// How the name begins of an output whose name is hidden.
fn hidden(name: &str) -> Option<&'static str> {
    HIDDEN.into_iter().find(|prefix| name.starts_with(prefix))
}

impl core::fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ContentKey")
    }
}

impl SecretKey {
    /// Wraps a job's content key for one node: with the secret that this node's key and that one's
    /// have in common (X25519 between the ed25519 keys). Nothing where `to` is a key that nobody can
    /// have in earnest. For one job it is always to be the same content key.
    pub fn wrap(&self, key: &ContentKey, to: &NodeKey, job: &Digest) -> Option<WrappedKey> {
        let cipher = self.wrapping(to, &self.node(), to, job)?;
        let mut bytes = Zeroizing::new(*key.0);
        // This cipher encrypts nothing else: it is made of both nodes and the job.
        let tag = cipher.encrypt_in_place_detached(&XNonce::default(), &[], &mut *bytes);
        let tag = tag.expect("a key is short");
        let mut wrapped = [0; 32 + TAG];
        wrapped[..32].copy_from_slice(&*bytes);
        wrapped[32..].copy_from_slice(&tag);
        Some(WrappedKey(wrapped))
    }

    /// The content key that `from` has wrapped for this node, if it has.
    pub fn unwrap(&self, key: &WrappedKey, from: &NodeKey, job: &Digest) -> Option<ContentKey> {
        let cipher = self.wrapping(from, from, &self.node(), job)?;
        let (bytes, tag) = key.0.split_first_chunk::<32>()?;
        let mut bytes = Zeroizing::new(*bytes);
        let tag = Tag::from_slice(tag);
        let opened = cipher.decrypt_in_place_detached(&XNonce::default(), &[], &mut *bytes, tag);
        opened.is_ok().then_some(ContentKey(bytes))
    }

    fn wrapping(
        &self,
        other: &NodeKey,
        from: &NodeKey,
        to: &NodeKey,
        job: &Digest,
    ) -> Option<XChaCha20Poly1305> {
        let shared = self.shared_with(other)?;
        let about = Zeroizing::new(codec::encode(&(*shared, from, to, job)));
        let key = Zeroizing::new(blake3::derive_key("opensky wrapped key 1", &about));
        Some(XChaCha20Poly1305::new((&*key).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> ContentKey {
        ContentKey::from_bytes([byte; 32])
    }

    #[test]
    fn blob_is_read_with_its_key_alone_and_any_change_is_found() {
        let bytes = [7; 100];
        let sealed = key(1).seal(&bytes);
        assert_eq!(sealed.len() as u64, 100 + ContentKey::OVERHEAD);
        assert_eq!(sealed, key(1).seal(&bytes));
        assert_ne!(sealed, key(2).seal(&bytes));
        assert_eq!(key(1).open(&sealed).as_deref(), Some(&bytes[..]));
        assert_eq!(key(2).open(&sealed), None);
        for at in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[at] ^= 1;
            assert_eq!(key(1).open(&bent), None, "{at}");
            assert_eq!(key(1).open(&sealed[..at]), None, "{at}");
        }
        assert_eq!(key(1).open(&key(1).seal(b"")).as_deref(), Some(&b""[..]));
    }

    #[test]
    fn outputs_come_back_and_their_names_tell_nothing() {
        let blob = names::blob(&Digest::of(b"secret"));
        let states = codec::encode(&[Digest::of(b"secret")].to_vec());
        let plain: BTreeMap<String, Vec<u8>> = [
            (names::OUTPUT.into(), b"secret".to_vec()),
            (names::file("secret.txt"), b"x".to_vec()),
            (blob.clone(), b"secret".to_vec()),
            (names::STATES.into(), states.clone()),
        ]
        .into();
        let sealed = key(1).seal_outputs(plain.clone());
        assert!(!sealed.contains_key(&blob));
        assert!(sealed.keys().all(|name| !name.contains("secret")));
        assert_ne!(sealed[names::STATES], states);
        let (before, after) = (Outputs::of(&plain), Outputs::of(&sealed));
        assert!(after.len() <= before.len() + ContentKey::overhead_of(&after));
        let opened = sealed.iter().map(|(name, bytes)| {
            let opened = key(1).open_output(name, bytes);
            opened.expect("it is the key")
        });
        let mut opened: BTreeMap<_, _> = opened.collect();
        let found = |name: &String| sealed.contains_key(&key(1).name_of(name));
        assert!(plain.keys().all(found));
        opened.insert(names::STATES.into(), states);
        assert_eq!(opened, plain);
    }

    #[test]
    fn name_and_length_are_read_from_the_beginning() {
        let long = names::file(&"n".repeat(4_000));
        let plain: BTreeMap<String, Vec<u8>> = [
            (names::OUTPUT.into(), b"secret".to_vec()),
            (names::file("empty"), Vec::new()),
            (names::file("secret.txt"), [7; 100_000].to_vec()),
            (long, [8; 9].to_vec()),
            (
                names::STATES.into(),
                codec::encode(&[Digest::of(b"s")].to_vec()),
            ),
        ]
        .into();
        for (name, sealed) in key(1).seal_outputs(plain.clone()) {
            let start = &sealed[..sealed.len().min(ContentKey::NAMED_BY)];
            let len = sealed.len() as u64;
            let (found, found_len) = key(1).peek_output(&name, start, len).expect("a name");
            assert_eq!(found_len, plain[&found].len() as u64, "{found:.40}");
            if name == found {
                continue;
            }
            let mut bent = start.to_vec();
            bent[HEADER + NAME_LEN] ^= 1;
            assert_eq!(key(1).peek_output(&name, &bent, len), None);
            assert_eq!(key(2).peek_output(&name, start, len), None);
            assert_eq!(key(1).peek_output(&name, &start[..HEADER + 2], len), None);
            assert_eq!(key(1).peek_output(&name, start, 10), None);
        }
    }

    #[test]
    fn salted_transcript_adds_up_and_depends_on_the_key() {
        let unit = Digest::of(b"unit");
        for calls in [3, Transcript::CALLS_KEPT as u64 + 3] {
            let mut transcript = Transcript::start(&unit);
            for call in 0..calls {
                transcript.push("a#b", Digest::of(&call.to_le_bytes()), Digest::of(b"r"));
            }
            let salted = key(1).salt_transcript(&unit, &transcript);
            assert!(salted.is_consistent(&unit));
            assert_eq!(salted.count, calls);
            let others = key(2).salt_transcript(&unit, &transcript);
            assert!(salted.root != transcript.root && salted.root != others.root);
            let tells = |call: &crate::Call| call.results == Digest::of(b"r");
            assert!(!salted.calls.iter().any(tells));
        }
    }

    #[test]
    fn wrapped_key_is_for_one_node_of_one_job() {
        let node = |byte: u8| SecretKey::from_seed(&[byte; 32]);
        let (broker, provider, other) = (node(1), node(2), node(3));
        let job = Digest::of(b"job");
        let wrapped = broker.wrap(&key(9), &provider.node(), &job);
        let wrapped = wrapped.expect("it is a key");
        let opened = |by: &SecretKey, from: &SecretKey, job: &Digest| {
            let opened = by.unwrap(&wrapped, &from.node(), job);
            opened.map(|key| *key.bytes())
        };
        assert_eq!(opened(&provider, &broker, &job), Some([9; 32]));
        assert_eq!(opened(&other, &broker, &job), None);
        assert_eq!(opened(&provider, &other, &job), None);
        assert_eq!(opened(&provider, &broker, &Digest::of(b"another")), None);
        let nobodys = NodeKey([0; 32]);
        assert_eq!(broker.wrap(&key(9), &nobodys, &job), None);
    }
}
