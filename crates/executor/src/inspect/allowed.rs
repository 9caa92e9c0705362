//! The names that a file may import, and what to do about any other one.

use super::{
    contract::{Interface, contract},
    refusal::Refusal,
};

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

/// The interface that a component gets when it imports `name`.
pub(super) fn interface(name: &str) -> Result<Interface, Refusal> {
    let refused = |advice| Refusal::Import {
        name: name.into(),
        advice,
    };
    let Some((path, version)) = name.split_once('@') else {
        return Err(refused(advice_for(name)));
    };
    let package = path.split_once('/').map_or(path, |(package, _)| package);
    let Some(provided) = contract().version_of(package) else {
        return Err(refused(advice_for(path)));
    };
    if !is_on_track(version, provided) {
        let track = provided
            .rsplit_once('.')
            .map_or(provided, |(track, _)| track);
        return Err(Refusal::ImportVersion {
            name: name.into(),
            supported: format!("{track}.x"),
        });
    }
    let interface = contract().import(path);
    interface.ok_or_else(|| refused(advice_for(path)))
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

/// Whether `version` is a release that does where `provided` is: the first two numbers are equal.
/// Pre-releases do nowhere: engines link them to nothing but themselves.
pub(super) fn is_on_track(version: &str, provided: &str) -> bool {
    track(version).is_some_and(|found| Some(found) == track(provided))
}

/// The first two numbers of a release.
fn track(version: &str) -> Option<(&str, &str)> {
    let release = version
        .split_once('+')
        .map_or(version, |(release, _)| release);
    let mut parts = release.split('.');
    let found = [parts.next()?, parts.next()?, parts.next()?];
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let whole = parts.next().is_none() && found.into_iter().all(is_number);
    whole.then_some((found[0], found[1]))
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
            assert_eq!(is_on_track(version, "0.2.12"), expected, "{version}");
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
