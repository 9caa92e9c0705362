#!/bin/sh
# Stands in front of rustc (RUSTC_WRAPPER). cargo-fuzz has coverage counted and assertions checked in every crate; here
# only in those that read what strangers send. The engine builds in half the time without, its compiler runs several
# times faster, and the fuzzer is not led to inputs that are new to the compiler alone.
rustc=$1
shift
case ${CARGO_PKG_NAME:-} in
opensky-* | parity-scale-codec | wasmparser | wit-component | wit-parser) exec "$rustc" "$@" ;;
esac
for arg; do
    shift
    case $arg in
    -Cpasses=sancov-module | -Cllvm-args=-sanitizer-coverage-* | -Cllvm-args=-simplifycfg-* | -Cdebug-assertions | -Ccodegen-units=1) ;;
    *) set -- "$@" "$arg" ;;
    esac
done
exec "$rustc" "$@"
