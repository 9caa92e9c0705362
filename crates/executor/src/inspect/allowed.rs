//! The host interfaces that the sandbox provides, function by function.

use super::refusal::Refusal;

/// The versions of one package, and its interfaces.
struct Package {
    name: &'static str,
    /// Versions whose first two numbers are these are provided, whatever the third is.
    track: [&'static str; 2],
    supported: &'static str,
    interfaces: &'static [Interface],
}

struct Interface {
    name: &'static str,
    /// Functions, and resources by their bare name.
    items: &'static [&'static str],
}

const fn interface(name: &'static str, items: &'static [&'static str]) -> Interface {
    Interface { name, items }
}

const fn wasi(name: &'static str, interfaces: &'static [Interface]) -> Package {
    Package {
        name,
        track: ["0", "2"],
        supported: "versions 0.2.x",
        interfaces,
    }
}

static PACKAGES: [Package; 7] = [
    Package {
        name: "opensky:compute",
        track: ["0", "1"],
        supported: "versions 0.1.x",
        interfaces: &[
            interface("types", &[]),
            interface(
                "context",
                &["unit-id", "shard", "params", "seed", "virtual-time"],
            ),
            interface(
                "blobs",
                &[
                    "reader",
                    "[method]reader.size",
                    "[method]reader.read",
                    "writer",
                    "[constructor]writer",
                    "[method]writer.write",
                    "[static]writer.finish",
                    "manifest",
                    "open",
                    "put",
                ],
            ),
            interface("report", &["log", "progress"]),
        ],
    },
    wasi(
        "wasi:cli",
        &[
            interface(
                "environment",
                &["get-environment", "get-arguments", "initial-cwd"],
            ),
            interface("exit", &["exit", "exit-with-code"]),
            interface("stdin", &["get-stdin"]),
            interface("stdout", &["get-stdout"]),
            interface("stderr", &["get-stderr"]),
            interface("terminal-input", &["terminal-input"]),
            interface("terminal-output", &["terminal-output"]),
            interface("terminal-stdin", &["get-terminal-stdin"]),
            interface("terminal-stdout", &["get-terminal-stdout"]),
            interface("terminal-stderr", &["get-terminal-stderr"]),
        ],
    ),
    wasi(
        "wasi:io",
        &[
            interface("error", &["error", "[method]error.to-debug-string"]),
            interface(
                "poll",
                &[
                    "pollable",
                    "[method]pollable.ready",
                    "[method]pollable.block",
                    "poll",
                ],
            ),
            interface(
                "streams",
                &[
                    "input-stream",
                    "[method]input-stream.read",
                    "[method]input-stream.blocking-read",
                    "[method]input-stream.skip",
                    "[method]input-stream.blocking-skip",
                    "[method]input-stream.subscribe",
                    "output-stream",
                    "[method]output-stream.check-write",
                    "[method]output-stream.write",
                    "[method]output-stream.blocking-write-and-flush",
                    "[method]output-stream.flush",
                    "[method]output-stream.blocking-flush",
                    "[method]output-stream.subscribe",
                    "[method]output-stream.write-zeroes",
                    "[method]output-stream.blocking-write-zeroes-and-flush",
                    "[method]output-stream.splice",
                    "[method]output-stream.blocking-splice",
                ],
            ),
        ],
    ),
    wasi(
        "wasi:clocks",
        &[
            interface(
                "monotonic-clock",
                &[
                    "now",
                    "resolution",
                    "subscribe-instant",
                    "subscribe-duration",
                ],
            ),
            interface("wall-clock", &["now", "resolution"]),
        ],
    ),
    wasi(
        "wasi:random",
        &[
            interface("random", &["get-random-bytes", "get-random-u64"]),
            interface(
                "insecure",
                &["get-insecure-random-bytes", "get-insecure-random-u64"],
            ),
            interface("insecure-seed", &["insecure-seed"]),
        ],
    ),
    wasi(
        "wasi:filesystem",
        &[
            interface("preopens", &["get-directories"]),
            interface(
                "types",
                &[
                    "descriptor",
                    "[method]descriptor.read-via-stream",
                    "[method]descriptor.write-via-stream",
                    "[method]descriptor.append-via-stream",
                    "[method]descriptor.advise",
                    "[method]descriptor.sync-data",
                    "[method]descriptor.get-flags",
                    "[method]descriptor.get-type",
                    "[method]descriptor.set-size",
                    "[method]descriptor.set-times",
                    "[method]descriptor.read",
                    "[method]descriptor.write",
                    "[method]descriptor.read-directory",
                    "[method]descriptor.sync",
                    "[method]descriptor.create-directory-at",
                    "[method]descriptor.stat",
                    "[method]descriptor.stat-at",
                    "[method]descriptor.set-times-at",
                    "[method]descriptor.link-at",
                    "[method]descriptor.open-at",
                    "[method]descriptor.readlink-at",
                    "[method]descriptor.remove-directory-at",
                    "[method]descriptor.rename-at",
                    "[method]descriptor.symlink-at",
                    "[method]descriptor.unlink-file-at",
                    "[method]descriptor.is-same-object",
                    "[method]descriptor.metadata-hash",
                    "[method]descriptor.metadata-hash-at",
                    "directory-entry-stream",
                    "[method]directory-entry-stream.read-directory-entry",
                    "filesystem-error-code",
                ],
            ),
        ],
    ),
    // Every C and Rust program imports these, most never call them. They exist and answer
    // `access-denied`.
    wasi(
        "wasi:sockets",
        &[
            interface("instance-network", &["instance-network"]),
            interface("network", &["network", "network-error-code"]),
            interface(
                "ip-name-lookup",
                &[
                    "resolve-address-stream",
                    "[method]resolve-address-stream.resolve-next-address",
                    "[method]resolve-address-stream.subscribe",
                    "resolve-addresses",
                ],
            ),
            interface("tcp-create-socket", &["create-tcp-socket"]),
            interface(
                "tcp",
                &[
                    "tcp-socket",
                    "[method]tcp-socket.start-bind",
                    "[method]tcp-socket.finish-bind",
                    "[method]tcp-socket.start-connect",
                    "[method]tcp-socket.finish-connect",
                    "[method]tcp-socket.start-listen",
                    "[method]tcp-socket.finish-listen",
                    "[method]tcp-socket.accept",
                    "[method]tcp-socket.local-address",
                    "[method]tcp-socket.remote-address",
                    "[method]tcp-socket.is-listening",
                    "[method]tcp-socket.address-family",
                    "[method]tcp-socket.set-listen-backlog-size",
                    "[method]tcp-socket.keep-alive-enabled",
                    "[method]tcp-socket.set-keep-alive-enabled",
                    "[method]tcp-socket.keep-alive-idle-time",
                    "[method]tcp-socket.set-keep-alive-idle-time",
                    "[method]tcp-socket.keep-alive-interval",
                    "[method]tcp-socket.set-keep-alive-interval",
                    "[method]tcp-socket.keep-alive-count",
                    "[method]tcp-socket.set-keep-alive-count",
                    "[method]tcp-socket.hop-limit",
                    "[method]tcp-socket.set-hop-limit",
                    "[method]tcp-socket.receive-buffer-size",
                    "[method]tcp-socket.set-receive-buffer-size",
                    "[method]tcp-socket.send-buffer-size",
                    "[method]tcp-socket.set-send-buffer-size",
                    "[method]tcp-socket.subscribe",
                    "[method]tcp-socket.shutdown",
                ],
            ),
            interface("udp-create-socket", &["create-udp-socket"]),
            interface(
                "udp",
                &[
                    "udp-socket",
                    "[method]udp-socket.start-bind",
                    "[method]udp-socket.finish-bind",
                    "[method]udp-socket.stream",
                    "[method]udp-socket.local-address",
                    "[method]udp-socket.remote-address",
                    "[method]udp-socket.address-family",
                    "[method]udp-socket.unicast-hop-limit",
                    "[method]udp-socket.set-unicast-hop-limit",
                    "[method]udp-socket.receive-buffer-size",
                    "[method]udp-socket.set-receive-buffer-size",
                    "[method]udp-socket.send-buffer-size",
                    "[method]udp-socket.set-send-buffer-size",
                    "[method]udp-socket.subscribe",
                    "incoming-datagram-stream",
                    "[method]incoming-datagram-stream.receive",
                    "[method]incoming-datagram-stream.subscribe",
                    "outgoing-datagram-stream",
                    "[method]outgoing-datagram-stream.check-send",
                    "[method]outgoing-datagram-stream.send",
                    "[method]outgoing-datagram-stream.subscribe",
                ],
            ),
        ],
    ),
];

/// What the command adapter for WASI preview 1 provides to a core module.
const PREVIEW1_FUNCTIONS: &[&str] = &[
    "adapter_close_badfd",
    "adapter_monotonic_clock_set_paused",
    "adapter_open_badfd",
    "args_get",
    "args_sizes_get",
    "clock_res_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_advise",
    "fd_allocate",
    "fd_close",
    "fd_datasync",
    "fd_fdstat_get",
    "fd_fdstat_set_flags",
    "fd_fdstat_set_rights",
    "fd_filestat_get",
    "fd_filestat_set_size",
    "fd_filestat_set_times",
    "fd_pread",
    "fd_prestat_dir_name",
    "fd_prestat_get",
    "fd_pwrite",
    "fd_read",
    "fd_readdir",
    "fd_renumber",
    "fd_seek",
    "fd_sync",
    "fd_tell",
    "fd_write",
    "path_create_directory",
    "path_filestat_get",
    "path_filestat_set_times",
    "path_link",
    "path_open",
    "path_readlink",
    "path_remove_directory",
    "path_rename",
    "path_symlink",
    "path_unlink_file",
    "poll_oneoff",
    "proc_exit",
    "proc_raise",
    "random_get",
    "reset_adapter_state",
    "sched_yield",
    "sock_accept",
    "sock_recv",
    "sock_send",
    "sock_shutdown",
];

/// Whether the sandbox provides the interface `name` with these functions and resources.
pub(super) fn check_interface<'a>(
    name: &str,
    items: impl IntoIterator<Item = &'a str>,
) -> Result<(), Refusal> {
    let refused = |advice| Refusal::Import {
        name: name.into(),
        advice,
    };
    let Some((path, version)) = name.split_once('@') else {
        return Err(refused(advice_for(name)));
    };
    let (package, interface) = path.split_once('/').unwrap_or((path, ""));
    let Some(package) = PACKAGES.iter().find(|known| known.name == package) else {
        return Err(refused(advice_for(path)));
    };
    if !is_on_track(version, package.track) {
        return Err(Refusal::ImportVersion {
            name: name.into(),
            supported: package.supported,
        });
    }
    let known = package
        .interfaces
        .iter()
        .find(|known| known.name == interface);
    let known = known.ok_or_else(|| refused(advice_for(path)))?;
    let unknown = items.into_iter().find(|item| !known.items.contains(item));
    match unknown {
        None => Ok(()),
        Some(item) => Err(Refusal::ImportItem {
            interface: name.into(),
            item: item.into(),
        }),
    }
}

/// Whether the command adapter provides this import of a core module.
pub(super) fn check_preview1(module: &str, name: &str) -> Result<(), Refusal> {
    if module == "wasi_snapshot_preview1" && PREVIEW1_FUNCTIONS.contains(&name) {
        return Ok(());
    }
    Err(Refusal::ModuleImport {
        module: module.into(),
        name: name.into(),
    })
}

/// Whether `version` is `major.minor.patch` of that track. Pre-releases are of no track: engines
/// link them to nothing but themselves.
pub(super) fn is_on_track(version: &str, [major, minor]: [&str; 2]) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let build = version
        .split_once('+')
        .map_or(version, |(before, _)| before);
    let mut parts = build.split('.');
    let found = [parts.next(), parts.next(), parts.next(), parts.next()];
    matches!(found, [Some(a), Some(b), Some(c), None] if a == major && b == minor && is_number(c))
}

fn advice_for(path: &str) -> &'static str {
    match path.split(['/', '@']).next().unwrap_or_default() {
        "wasi:http" => {
            "a unit has no network; pass what it needs as an input, `--in NAME=FILE` (JavaScript: \
             build with `--disable http --disable fetch-event`)"
        }
        "wasi:keyvalue" | "wasi:blobstore" | "wasi:config" => {
            "keep state in inputs and outputs, through `opensky:compute/blobs` or files under `/out`"
        }
        "wasi:nn" => "its results differ between machines; bring the model's code in the component",
        "wasi:logging" => "log to standard error or through `opensky:compute/report`",
        "wasi:clocks" => "use `wasi:clocks/wall-clock`; times are in UTC",
        "wasi:cli" | "wasi:io" | "wasi:random" | "wasi:filesystem" | "wasi:sockets" => {
            "it is not part of WASI 0.2"
        }
        _ => "compose or link what provides it into the component, or remove its use",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_releases_of_the_track_are_provided() {
        let cases = [
            ("0.2.0", true),
            ("0.2.12", true),
            ("0.2.6+build", true),
            ("0.2", false),
            ("0.2.", false),
            ("0.2.0-rc-2023-11-10", false),
            ("0.3.0", false),
            ("0.20.0", false),
            ("1.2.0", false),
            ("0.2.0.0", false),
            ("", false),
        ];
        for (version, expected) in cases {
            assert_eq!(is_on_track(version, ["0", "2"]), expected, "{version}");
        }
    }

    /// Names as the real adapter exports them: what it cannot do must not pass as known.
    #[test]
    fn preview_1_functions_are_those_that_the_adapter_exports() {
        let adapter =
            wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER;
        let mut exported = Vec::new();
        for payload in wasmparser::Parser::new(0).parse_all(adapter) {
            if let wasmparser::Payload::ExportSection(section) = payload.unwrap() {
                let names = section.into_iter().map(|export| export.unwrap().name);
                exported.extend(names.filter(|name| !name.contains([':', '#'])));
            }
        }
        exported.retain(|name| !name.starts_with("cabi_"));
        exported.sort_unstable();
        assert_eq!(exported, PREVIEW1_FUNCTIONS);
    }
}
