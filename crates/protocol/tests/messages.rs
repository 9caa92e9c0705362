//! Messages as a stranger would bend them: whatever decodes has these bytes and no others, and what is
//! put together wrongly is refused. The same in every run; `fuzz/` looks further, where there is time.

mod sample;

use std::{collections::BTreeSet, fmt::Debug};

use opensky_protocol::{
    Digest, Message, Reply, Request,
    codec::{self, CodecError},
    ledger::{Call, LedgerReply, LedgerRequest},
};
use parity_scale_codec::{DecodeWithMemTracking, Encode};
use sample::{books, wire};

/// Bent forms of each sample: all together take some seconds without optimisation.
const FORMS: u64 = 500;

/// Random numbers that are the same in every run.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        // xorshift64: any state but 0 goes on for ever.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// One step away from `bytes`, or from some other message.
fn bend(bytes: &mut Vec<u8>, other: &[u8], draws: &mut Draws) {
    let at = draws.below(bytes.len());
    let len = draws.below(bytes.len() - at).min(64);
    match draws.below(8) {
        0 if !bytes.is_empty() => bytes[at] ^= 1 << draws.below(8),
        1 if !bytes.is_empty() => bytes[at] = draws.next() as u8,
        // Lengths and numbers are small, or as large as can be.
        2 if !bytes.is_empty() => bytes[at] = [0, 1, 3, 4, 8, 0xfc, 0xfe, 0xff][draws.below(8)],
        3 => bytes.truncate(at),
        4 => drop(bytes.splice(at..at + len, [])),
        5 => bytes.insert(at, draws.next() as u8),
        6 => {
            let twice = bytes[at..at + len].to_vec();
            bytes.splice(at..at, twice);
        }
        _ => {
            let from = draws.below(other.len());
            bytes.truncate(at);
            bytes.extend(&other[from..]);
        }
    }
}

/// What holds for any bytes. Says whether they are a message.
fn check<T: DecodeWithMemTracking + Encode + PartialEq + Debug>(bytes: &[u8]) -> bool {
    // As loosely as can be: this is what strict decoding is compared with.
    let mut rest = bytes;
    let loose = T::decode(&mut rest).ok().filter(|_| rest.is_empty());
    match (codec::decode::<T>(bytes), loose) {
        (Ok(value), Some(loose)) => {
            assert_eq!(value, loose);
            assert_eq!(codec::encode(&value), bytes, "{value:?}");
            true
        }
        (Ok(value), None) => panic!("only strict decoding finds {value:?}"),
        (Err(error), Some(loose)) => {
            assert_eq!(error, CodecError::NotCanonical);
            let canonical = codec::encode(&loose);
            assert_ne!(canonical, bytes, "it is refused for nothing: {loose:?}");
            assert_eq!(codec::decode::<T>(&canonical), Ok(loose));
            false
        }
        (Err(_), None) => false,
    }
}

/// Bends each sample, from once to four times.
fn bend_all<T: DecodeWithMemTracking + Encode + PartialEq + Debug>(samples: &[T]) {
    let encoded: Vec<_> = samples.iter().map(codec::encode).collect();
    let mut draws = Draws(0x9e37_79b9_7f4a_7c15);
    let (mut taken, mut refused) = (0, 0);
    for bytes in &encoded {
        assert!(check::<T>(bytes), "a sample does not come back");
        for _ in 0..FORMS {
            let mut bent = bytes.clone();
            for _ in 0..=draws.below(4) {
                let other = draws.below(encoded.len());
                bend(&mut bent, &encoded[other], &mut draws);
            }
            match check::<T>(&bent) {
                true => taken += 1,
                false => refused += 1,
            }
        }
    }
    // Else nothing behind the decoder's first steps was reached.
    let all = taken + refused;
    assert!(
        taken > all / 20 && refused > all / 20,
        "{taken} of {all} decode"
    );
}

#[test]
fn bent_requests_are_refused_or_canonical() {
    bend_all::<Request>(&wire::requests());
}

#[test]
fn bent_replies_are_refused_or_canonical() {
    bend_all::<Reply>(&wire::replies());
}

/// `encoded` begin with the numbers of all variants of `T`: the next one means nothing, whatever
/// follows it.
fn are_all<T: DecodeWithMemTracking + Encode>(encoded: impl Iterator<Item = Vec<u8>>) {
    let numbers: BTreeSet<u8> = encoded.map(|bytes| bytes[0]).collect();
    let count = numbers.len() as u8;
    assert!(numbers.into_iter().eq(0..count), "a sample is missing");
    for zeros in 0..1_000 {
        let next = [&[count][..], &vec![0; zeros]].concat();
        let found = codec::decode::<T>(&next).is_ok();
        assert!(!found, "there is a variant {count}, and no sample of it");
    }
}

#[test]
fn there_is_a_sample_of_everything_that_can_be_said() {
    fn of<T: Encode>(values: Vec<T>) -> impl Iterator<Item = Vec<u8>> {
        values.into_iter().map(|value| codec::encode(&value))
    }
    are_all::<Message>(of(wire::messages()));
    are_all::<Request>(of(wire::requests()));
    are_all::<Reply>(of(wire::replies()));
    are_all::<LedgerRequest>(of(books::requests()));
    are_all::<LedgerReply>(of(books::replies()));
    are_all::<Call>(of(books::calls()));
}

/// Whoever adds to it must not find that the bytes went another way than they were meant to.
#[test]
fn samples_are_sound() {
    assert!(wire::order().is_consistent());
    assert!(wire::reveal().holds());
    let digests: BTreeSet<Digest> = wire::requests()
        .iter()
        .map(|request| Digest::of(&codec::encode(request)))
        .collect();
    assert_eq!(
        digests.len(),
        wire::requests().len(),
        "a sample is there twice"
    );
}
