//! Decoding what a stranger sent: one value has one encoding, nothing else decodes, and a short
//! input never costs much memory.

#![allow(clippy::unwrap_used)] // a helper that fails fails the test

mod sample;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    collections::BTreeMap,
};

use opensky_protocol::{
    Class, Deployment, Digest, GuestError, JobError, JobReceipt, Offer, Output, Outputs, Partition,
    Profile, Receipt, ReceiptError, Reply, Request, Shard, Signed, Ticket, Work, World,
    codec::{self, CodecError, FileKind},
};
use parity_scale_codec::{Compact, Encode};
use proptest::prelude::*;

/// Counts what this thread holds, and the most that it held.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.get() + layout.size() as isize;
        HELD.set(held);
        MOST.set(MOST.get().max(held));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // Another thread may have allocated it: the count is of differences.
        HELD.set(HELD.get() - layout.size() as isize);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most memory that `work` holds at once, beyond what there was.
fn most_memory(work: impl FnOnce()) -> usize {
    let before = HELD.get();
    MOST.set(before);
    work();
    (MOST.get() - before).unsigned_abs()
}

#[test]
fn a_receipt_file_with_any_bit_flipped_is_refused() {
    let mut ordered = sample::receipt();
    ordered.ticket = Some(sample::ticket(ordered.statement.unit));
    let bytes = ordered.to_file();
    assert_eq!(Receipt::from_file(&bytes), Ok(ordered));
    for bit in 0..bytes.len() * 8 {
        let mut bent = bytes.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        let error = Receipt::from_file(&bent).expect_err("a bit was flipped");
        assert!(
            matches!(error, ReceiptError::Codec(_)),
            "bit {bit}: {error}"
        );
    }
}

#[test]
fn a_job_receipt_file_with_any_bit_flipped_is_refused() {
    let receipt = sample::map_reduce_receipt();
    let bytes = receipt.to_file();
    assert_eq!(JobReceipt::from_file(&bytes), Ok(receipt));
    for bit in 0..bytes.len() * 8 {
        let mut bent = bytes.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        let error = JobReceipt::from_file(&bent).expect_err("a bit was flipped");
        assert!(matches!(error, JobError::Codec(_)), "bit {bit}: {error}");
    }
}

/// Gives changed bytes a checksum that is right, as whoever changes them on purpose does.
fn resealed(kind: FileKind, body: &[u8]) -> Vec<u8> {
    struct Raw<'a>(&'a [u8]);
    impl Encode for Raw<'_> {
        fn encode_to<T: parity_scale_codec::Output + ?Sized>(&self, to: &mut T) {
            to.write(self.0);
        }
    }
    codec::seal(kind, &Raw(body))
}

/// The checksum only finds damage. Without its help every bit of a receipt is still bound: by the
/// signature, or by what is derived from what is signed.
#[test]
fn a_receipt_with_any_bit_changed_on_purpose_is_refused() {
    let mut ordered = sample::receipt();
    ordered.ticket = Some(sample::ticket(ordered.statement.unit));
    let body = codec::encode(&ordered);
    let file = resealed(FileKind::Receipt, &body);
    assert_eq!(Receipt::from_file(&file), Ok(ordered));
    for bit in 0..body.len() * 8 {
        let mut bent = body.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        let bent = resealed(FileKind::Receipt, &bent);
        assert!(
            Receipt::from_file(&bent).is_err(),
            "bit {bit} is bound by nothing"
        );
    }
}

/// The same for a job, where one changed bit in each byte has to do: a check takes a while.
#[test]
fn a_job_receipt_with_a_bit_changed_on_purpose_is_refused() {
    let body = codec::encode(&sample::map_reduce_receipt());
    for byte in 0..body.len() {
        let mut bent = body.clone();
        bent[byte] ^= 1 << (byte % 8);
        let bent = resealed(FileKind::JobReceipt, &bent);
        assert!(
            JobReceipt::from_file(&bent).is_err(),
            "byte {byte} is bound by nothing"
        );
    }
}

#[test]
fn each_kind_of_file_is_told_by_its_beginning() {
    let receipt = sample::receipt().to_file();
    let job = sample::map_reduce_receipt().to_file();
    assert_eq!(FileKind::of(&receipt), Some(FileKind::Receipt));
    assert_eq!(FileKind::of(&job), Some(FileKind::JobReceipt));
    assert_eq!(FileKind::of(b"oskyrcp2"), None);
    assert_eq!(FileKind::of(b""), None);
    let kind = CodecError::Kind;
    assert_eq!(Receipt::from_file(&job), Err(kind.into()));
    assert_eq!(JobReceipt::from_file(&receipt), Err(kind.into()));
    assert_eq!(Receipt::from_file(b""), Err(kind.into()));
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let bytes = sample::receipt().to_file();
    for len in 0..bytes.len() {
        assert!(Receipt::from_file(&bytes[..len]).is_err(), "{len} bytes");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(
        Receipt::from_file(&longer),
        Err(CodecError::Checksum.into())
    );
}

#[test]
fn bytes_after_the_value_are_refused() {
    let mut bytes = codec::encode(&sample::work());
    bytes.extend([0; 3]);
    assert_eq!(codec::decode::<Work>(&bytes), Err(CodecError::Trailing(3)));
}

#[test]
fn maps_that_are_not_sorted_or_repeat_a_key_are_refused() {
    let map = |pairs: &[(&str, u8)]| pairs.encode();
    let decode = |bytes: &[u8]| codec::decode::<BTreeMap<String, u8>>(bytes);
    assert!(decode(&map(&[("a", 1), ("b", 2)])).is_ok());
    for pairs in [
        [("b", 2), ("a", 1)],
        [("a", 1), ("a", 1)],
        [("a", 2), ("a", 1)],
    ] {
        assert_eq!(
            decode(&map(&pairs)),
            Err(CodecError::NotCanonical),
            "{pairs:?}"
        );
    }
}

#[test]
fn lengths_that_are_longer_than_need_be_are_refused() {
    // 1 as a compact integer of two bytes instead of one.
    let bytes = [0x05, 0x00, b'a'];
    assert!(codec::decode::<String>(&bytes).is_err());
    assert_eq!(codec::decode::<String>(&[0x04, b'a']), Ok("a".into()));
}

/// A length of 2^30 in a few bytes, for every kind of list there is.
#[test]
fn a_promised_length_costs_no_memory_until_the_bytes_are_there() {
    fn refused<T>(bytes: &[u8]) -> bool
    where
        T: parity_scale_codec::DecodeWithMemTracking + Encode,
    {
        codec::decode::<T>(bytes).is_err()
    }
    let mut bytes = Compact(1u32 << 30).encode();
    bytes.extend([0; 40]);
    type Decoder = fn(&[u8]) -> bool;
    let decoders: [(&str, Decoder); 8] = [
        ("bytes", refused::<Vec<u8>>),
        ("text", refused::<String>),
        ("digests", refused::<Vec<Digest>>),
        ("outputs", refused::<Outputs>),
        ("partition", refused::<Partition>),
        ("profile", refused::<Profile>),
        ("receipts", refused::<Vec<Receipt>>),
        ("error", |bytes| {
            refused::<GuestError>(&[&[0], bytes].concat())
        }),
    ];
    for (what, is_refused) in decoders {
        let most = most_memory(|| assert!(is_refused(&bytes), "{what}"));
        assert!(most < 1 << 20, "{what}: {most} bytes of memory");
    }
}

/// Short bytes that decode to large values: empty texts in a list cost more in memory than on disk.
#[test]
fn decoding_never_takes_much_more_than_its_limit() {
    let mut bytes = Compact(20u32 << 20).encode();
    bytes.resize(bytes.len() + (20 << 20), 0);
    let most = most_memory(|| {
        assert_eq!(
            codec::decode::<Vec<String>>(&bytes),
            Err(CodecError::Malformed)
        );
    });
    // A list that grows holds its old and its new space at once.
    assert!(most < 2 * codec::MEMORY_LIMIT, "{most} bytes of memory");
}

/// Whoever opens a file has all of it in memory: decoding takes a few times as much at most, and no
/// receipt that was written is too long to be read.
#[test]
fn a_long_file_is_read_back() {
    type Value = Vec<Option<[u8; 1024]>>;
    let value = [Some([1; 1024]), None, None].repeat(90_000);
    let file = codec::seal(FileKind::JobReceipt, &value);
    let in_memory = value.len() * size_of_val(&value[0]);
    assert!(codec::MEMORY_LIMIT < in_memory && in_memory < 4 * file.len());
    let read = codec::open::<Value>(FileKind::JobReceipt, &file);
    assert!(read.is_ok_and(|read| read == value));
    let short = codec::seal(FileKind::JobReceipt, &vec![None::<[u8; 1024]>; 300_000]);
    let read = codec::open::<Value>(FileKind::JobReceipt, &short);
    assert_eq!(read, Err(CodecError::Malformed));
}

fn any_digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest)
}

fn any_map() -> impl Strategy<Value = BTreeMap<String, String>> {
    prop::collection::btree_map("[a-z]{0,6}", ".{0,6}", 0..4)
}

fn any_world() -> impl Strategy<Value = World> {
    prop_oneof![
        Just(World::Job),
        any::<u32>().prop_map(|partitions| World::Map { partitions }),
        Just(World::Reduce),
        Just(World::Finish),
        any::<u32>().prop_map(|steps| World::Stepper { steps }),
        Just(World::Command),
    ]
}

prop_compose! {
    fn any_work()(
        profile in ".{0,8}",
        program in any_digest(),
        world in any_world(),
        inputs in prop::collection::btree_map("[a-z]{1,6}", any_digest(), 0..4),
        args in prop::collection::vec(".{0,6}", 0..4),
        env in any_map(),
        params in any_map(),
        (index, count) in any::<(u32, u32)>(),
        entropy in any::<[u8; 32]>(),
        virtual_time in any::<u64>(),
    ) -> Work {
        Work {
            profile: Profile::new(profile),
            shard: Shard { index, count },
            program, world, inputs, args, env, params, entropy, virtual_time,
            ..sample::work()
        }
    }
}

fn any_class() -> impl Strategy<Value = Class> {
    prop::sample::select(vec![
        Class::Ok,
        Class::Err,
        Class::OutOfFuel,
        Class::Panic,
        Class::Trap,
        Class::Limit,
    ])
}

fn any_outputs() -> impl Strategy<Value = Outputs> {
    let output = (any_digest(), any::<u64>()).prop_map(|(digest, len)| Output { digest, len });
    prop::collection::btree_map("[a-z/]{1,8}", output, 0..5).prop_map(Outputs)
}

proptest! {
    #[test]
    fn works_come_back_as_they_were(work in any_work()) {
        prop_assert_eq!(codec::decode::<Work>(&codec::encode(&work)), Ok(work));
    }

    #[test]
    fn different_works_are_different_units(a in any_work(), b in any_work()) {
        prop_assert_eq!(a == b, a.unit() == b.unit());
    }

    #[test]
    fn signed_receipts_are_accepted_and_come_back(
        mut work in any_work(),
        class in any_class(),
        outputs in any_outputs(),
    ) {
        work.shard = Shard::WHOLE;
        work.world = World::Command;
        work.args.clear();
        work.env.clear();
        let receipt = sample::receipt_of(work, class, outputs);
        prop_assert_eq!(Receipt::from_file(&receipt.to_file()), Ok(receipt));
    }

    /// Whatever decodes has these bytes and no others.
    #[test]
    fn random_bytes_decode_to_what_encodes_to_them(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        fn check<T>(bytes: &[u8]) -> Result<(), TestCaseError>
        where
            T: parity_scale_codec::DecodeWithMemTracking + Encode,
        {
            if let Ok(value) = codec::decode::<T>(bytes) {
                prop_assert_eq!(codec::encode(&value), bytes);
            }
            Ok(())
        }
        check::<Work>(&bytes)?;
        check::<Outputs>(&bytes)?;
        check::<Signed<Ticket>>(&bytes)?;
        check::<Request>(&bytes)?;
        check::<Reply>(&bytes)?;
        check::<Signed<Offer>>(&bytes)?;
        check::<Signed<Deployment>>(&bytes)?;
        check::<Receipt>(&bytes)?;
        check::<JobReceipt>(&bytes)?;
        check::<GuestError>(&bytes)?;
        if let Ok(partition) = Partition::decode(&bytes) {
            prop_assert_eq!(codec::encode(&partition), bytes);
        }
    }

    /// Bytes near a real receipt reach further into the checks than random ones.
    #[test]
    fn edited_receipts_are_refused_or_unchanged(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let receipt = sample::receipt();
        let mut body = codec::encode(&receipt);
        for (index, byte) in edits {
            let at = index.index(body.len());
            body[at] = byte;
        }
        if let Ok(found) = Receipt::from_file(&resealed(FileKind::Receipt, &body)) {
            prop_assert_eq!(found, receipt);
        }
    }

    #[test]
    fn digests_are_parsed_as_they_are_printed(digest in any_digest(), text in ".{0,70}") {
        prop_assert_eq!(digest.to_string().parse(), Ok(digest));
        if let Ok(parsed) = text.parse::<Digest>() {
            prop_assert_eq!(parsed.to_string(), text.to_lowercase());
        }
    }
}
