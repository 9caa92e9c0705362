//! What is imported and exported, by name, version and content.

use opensky_executor::{admit, inspect::inspect};

use crate::components::{COMMAND, assert_refused, binary, command_and};

#[test]
fn imports_are_allowed_by_name_version_and_content() {
    let allowed = [
        r#"(import "wasi:cli/environment@0.2.0" (instance))"#,
        r#"(import "wasi:cli/exit@0.2.12" (instance
            (export "exit-with-code" (func (param "status-code" u8)))))"#,
        r#"(import "opensky:compute/report@0.1.9" (instance))"#,
        r#"(import "wasi:io/error@0.2.6" (instance $e (export "error" (type (sub resource)))))
           (alias export $e "error" (type $error))
           (import "wasi:io/streams@0.2.6" (instance (export "error" (type (eq $error)))))"#,
        r#"(import "wasi:sockets/tcp@0.2.6" (instance
            (export "tcp-socket" (type (sub resource)))))"#,
    ];
    for text in allowed {
        let bytes = binary(&command_and(text));
        let admitted = admit(&bytes).unwrap_or_else(|refusal| panic!("{refusal}"));
        assert!(!admitted.inspection().imports.is_empty());
    }
    let refused = [
        (
            "imports `wasi:http/types@0.2.6`, which the sandbox does not provide",
            r#"(import "wasi:http/types@0.2.6" (instance))"#,
        ),
        (
            "imports `wasi:keyvalue/store@0.2.0-draft`, which the sandbox does not provide",
            r#"(import "wasi:keyvalue/store@0.2.0-draft" (instance))"#,
        ),
        (
            "imports `somebody:else/thing@1.0.0`, which the sandbox does not provide",
            r#"(import "somebody:else/thing@1.0.0" (instance))"#,
        ),
        (
            "imports `wasi:cli/environment`, which the sandbox does not provide",
            r#"(import "wasi:cli/environment" (instance))"#,
        ),
        (
            "imports `print`, which the sandbox does not provide",
            r#"(import "print" (func))"#,
        ),
        (
            "imports `wasi:clocks/timezone@0.2.6`, which the sandbox does not provide",
            r#"(import "wasi:clocks/timezone@0.2.6" (instance))"#,
        ),
        (
            "imports `wasi:cli/environment@0.3.0`, and the sandbox provides versions 0.2.x",
            r#"(import "wasi:cli/environment@0.3.0" (instance))"#,
        ),
        (
            "imports `wasi:cli/environment@0.2.0-rc-2023-11-10`, and the sandbox provides",
            r#"(import "wasi:cli/environment@0.2.0-rc-2023-11-10" (instance))"#,
        ),
        (
            "imports `opensky:compute/context@0.2.0`, and the sandbox provides versions 0.1.x",
            r#"(import "opensky:compute/context@0.2.0" (instance))"#,
        ),
        (
            "imports `fork` of `wasi:cli/exit@0.2.6`, which is not part of that interface",
            r#"(import "wasi:cli/exit@0.2.6" (instance (export "fork" (func))))"#,
        ),
        (
            "imports `gpu` of `wasi:io/poll@0.2.6`, which is not part of that interface",
            r#"(import "wasi:io/poll@0.2.6" (instance (export "gpu" (type (sub resource)))))"#,
        ),
    ];
    for (expected, text) in refused {
        let bytes = binary(&command_and(text));
        assert_refused(&bytes, expected);
        // Inspection goes on, and says the same of that import alone.
        let imports = inspect(&bytes).unwrap().imports;
        let told = imports[0].refusal.as_ref().unwrap().to_string();
        assert!(told.starts_with(expected), "{told}");
    }
}

#[test]
fn exports_that_cannot_be_called_are_refused_by_name() {
    let text = |from: &str, to: &str| COMMAND.replacen(from, to, 1);
    let cases = [
        (
            "(component)".into(),
            "exports nothing that can be run (it has no exports at all)",
        ),
        (
            text("wasi:cli/run@0.2.3", "wasi:cli/run@0.3.0"),
            "exports nothing that can be run (it exports `wasi:cli/run@0.3.0`)",
        ),
        (
            text("wasi:cli/run@0.2.3", "opensky:compute/job@0.1.0"),
            "`run` of `opensky:compute/job@0.1.0` is exported as `func() -> result`, not \
             `func(list<u8>) -> result<list<u8>, variant{invalid-input(string), failed(string), ",
        ),
        (
            text("wasi:cli/run@0.2.3", "opensky:compute/stepper@0.1.0"),
            "`init` of `opensky:compute/stepper@0.1.0` is exported as `nothing`",
        ),
        (
            text(r#"(export "run" (func $run))"#, ""),
            "`run` of `wasi:cli/run@0.2.3` is exported as `nothing`, not `func() -> result`",
        ),
        (
            text(
                r#"(export "wasi:cli/run@0.2.3" (instance $run))"#,
                r#"(export "wasi:cli/run@0.2.3" (func $run))"#,
            ),
            "`run` of `wasi:cli/run@0.2.3` is exported as `nothing`",
        ),
    ];
    for (text, expected) in cases {
        assert_refused(&binary(&text), expected);
    }
}
