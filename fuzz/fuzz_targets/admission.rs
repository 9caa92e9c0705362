//! Inspects, admits and adapts arbitrary bytes, and valid modules and components made from them.
#![no_main]

use libfuzzer_sys::{
    arbitrary::{Result, Unstructured},
    fuzz_target,
};
use opensky_executor::{
    adapt, admit,
    inspect::{Kind, inspect},
};

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    // What cannot be made into a module or component was tried as it is.
    let _ = check_made_from(bytes);
});

fn check_made_from(bytes: &[u8]) -> Result<()> {
    let mut bytes = Unstructured::new(bytes);
    if bytes.ratio(1, 3)? {
        let component = wasm_smith::Component::new(wasm_smith::Config::default(), &mut bytes)?;
        check(&component.to_bytes());
    } else {
        let module = wasm_smith::Module::new(wasm_smith::Config::default(), &mut bytes)?;
        let module = module.to_bytes();
        check(&module);
        check(&in_component(&module));
    }
    Ok(())
}

/// Whatever the answer is, the three of them agree.
fn check(bytes: &[u8]) {
    let inspected = inspect(bytes);
    match admit(bytes) {
        Ok(admitted) => assert_eq!(Ok(admitted.inspection()), inspected.as_ref()),
        Err(refusal) => assert!(!refusal.to_string().is_empty()),
    }
    match inspected {
        Err(refusal) => assert_eq!(adapt(bytes), Err(refusal)),
        Ok(inspection) => {
            if let Ok(adapted) = adapt(bytes) {
                assert_eq!(inspection.kind, Kind::Preview1Command);
                assert_eq!(adapt(bytes).as_ref(), Ok(&adapted));
                inspect(&adapted).expect("the adapter makes valid components");
            }
        }
    }
}

/// A component that holds nothing but `module`.
fn in_component(module: &[u8]) -> Vec<u8> {
    const CORE_MODULE: u8 = 1;
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    bytes.push(CORE_MODULE);
    let mut len = module.len();
    while len >= 0x80 {
        bytes.push(len as u8 | 0x80);
        len >>= 7;
    }
    bytes.push(len as u8);
    bytes.extend(module);
    bytes
}
