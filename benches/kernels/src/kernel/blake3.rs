//! BLAKE3 in portable code: integer arithmetic with much in flight.

use crate::seeded::Seeded;

/// The first bytes of the digest of `len` bytes.
pub fn blake3(len: u32) -> u64 {
    let mut seeded = Seeded::new(len);
    let words = len.div_ceil(8) as usize;
    let mut data: Vec<u8> = Vec::with_capacity(words * 8);
    (0..words).for_each(|_| data.extend(seeded.next().to_le_bytes()));
    data.truncate(len as usize);
    let digest = ::blake3::hash(&data);
    let first = digest.as_bytes().first_chunk().expect("a digest is longer");
    u64::from_le_bytes(*first)
}
