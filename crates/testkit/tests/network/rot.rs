//! Bytes that change on the disk: nobody is given them.

use std::{fs, io::Read as _};

use crate::{
    books::REQUESTER,
    net::{Net, files, text},
};

/// Changes one byte in the middle of every blob that a node keeps. Returns how many there were.
fn rot(net: &Net, name: &str) -> usize {
    let blobs = files(&net.data(name).join("store/sealed-1"));
    for blob in &blobs {
        let mut bytes = fs::read(blob).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(blob, bytes).unwrap();
    }
    blobs.len()
}

#[test]
fn changed_blob_is_fetched_again_or_refused_and_never_served() {
    let mut net = Net::start(&["one", "two"]);
    let text = text(300 << 10, 1);
    net.halt("two");
    let first = net.submit(&text, 1, 2);
    net.wait_past(first, "one", &["asked", "runs it"]);

    // It has the program, the input and its output, and none of them is what its name says.
    assert!(rot(&net, "one") >= 3);
    let second = net.submit(&text, 2, 2);
    net.wait_past(second, "one", &["asked", "runs it", "could not get"]);
    assert!(net.turn(second, "one").starts_with("has a result"));
    net.go_on("two");
    net.ends(first, &text);
    net.ends(second, &text);

    assert!(rot(&net, REQUESTER) >= 3);
    let mut bytes = Vec::new();
    let output = net.client().output(&second.into());
    let read = output.map(|mut output| output.read_to_end(&mut bytes));
    let len = bytes.len();
    assert!(!matches!(read, Ok(Ok(_))), "{len} bytes were given");
    net.adds_up();
}
