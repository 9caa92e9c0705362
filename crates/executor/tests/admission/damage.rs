//! No bytes whatever upset the reader.

use opensky_executor::{adapt, admit, inspect::inspect};
use proptest::prelude::*;

use crate::components::{HELLO, binary, job_with};

#[test]
fn every_prefix_is_read_without_a_panic() {
    let whole = job_with("");
    let entries = inspect(&whole).unwrap().entries;
    for len in 0..whole.len() {
        match admit(&whole[..len]) {
            // Custom sections follow the exports: without them it is the same program.
            Ok(admitted) => assert_eq!(admitted.inspection().entries, entries),
            Err(refusal) => assert!(!refusal.to_string().is_empty()),
        }
        assert!(adapt(&whole[..len]).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn mutated_components_are_read_without_a_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let mut bytes = mutable().to_vec();
        for (index, byte) in edits {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let inspected = inspect(&bytes);
        match admit(&bytes) {
            Ok(admitted) => prop_assert_eq!(Ok(admitted.inspection()), inspected.as_ref()),
            Err(refusal) => if inspected.is_err() {
                prop_assert_eq!(Err(refusal), inspected);
            }
        }
    }

    #[test]
    fn random_bytes_after_a_header_are_read_without_a_panic(
        component in any::<bool>(),
        rest in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let header = if component { b"\0asm\x0d\0\x01\0" } else { b"\0asm\x01\0\0\0" };
        let bytes = [&header[..], &rest].concat();
        prop_assert_eq!(inspect(&bytes).is_err() || admit(&bytes).is_err(), true);
        let _ = adapt(&bytes);
    }
}

/// A component with every kind of section, made once.
fn mutable() -> &'static [u8] {
    static BYTES: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    BYTES.get_or_init(|| adapt(&binary(HELLO)).unwrap())
}
