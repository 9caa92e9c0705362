//! Decodes and checks receipts, job receipts, tickets and works from arbitrary bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opensky_protocol::{
    JobReceipt, Partition, Receipt, Signed, Ticket, Work,
    codec::{self, FileKind},
};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(receipt) = Receipt::from_file(bytes) {
        assert_eq!(FileKind::of(bytes), Some(FileKind::Receipt));
        assert_eq!(receipt.to_file(), bytes);
    }
    if let Ok(receipt) = JobReceipt::from_file(bytes) {
        assert_eq!(FileKind::of(bytes), Some(FileKind::JobReceipt));
        assert_eq!(receipt.to_file(), bytes);
    }
    // A fuzzer cannot guess a checksum, so the values are tried without one.
    if let Ok(receipt) = codec::decode::<Receipt>(bytes) {
        assert_eq!(codec::encode(&receipt), bytes);
        if receipt.check().is_ok() {
            assert_eq!(Receipt::from_file(&receipt.to_file()), Ok(receipt));
        }
    }
    if let Ok(receipt) = codec::decode::<JobReceipt>(bytes) {
        assert_eq!(codec::encode(&receipt), bytes);
        if receipt.check().is_ok() {
            assert_eq!(JobReceipt::from_file(&receipt.to_file()), Ok(receipt));
        }
    }
    if let Ok(ticket) = codec::decode::<Signed<Ticket>>(bytes) {
        assert_eq!(codec::encode(&ticket), bytes);
        ticket.holds();
    }
    if let Ok(work) = codec::decode::<Work>(bytes) {
        assert_eq!(codec::encode(&work), bytes);
        if work.check().is_ok() {
            work.unit();
        }
    }
    if let Ok(partition) = Partition::decode(bytes) {
        assert_eq!(codec::encode(&partition), bytes);
    }
});
