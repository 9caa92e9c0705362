//! The generated bindings of `opensky:compute`, made once here so that a job's crate needs nothing but this one.
#![allow(missing_docs)]

/// What a program may import.
pub mod imports {
    wit_bindgen::generate!({
        path: "wit",
        world: "imports",
        generate_all,
        generate_unused_types: true,
        runtime_path: "::opensky::__private::wit_bindgen::rt",
    });
}

// One world for each export, not the worlds of the WIT: `map-reduce` is in two of those, and the
// macros that export it would clash. Linking joins what a program uses into one world.
macro_rules! export_world {
    ($(#[$doc:meta])* $module:ident, $export_macro:literal, $bindings:literal, $world:literal) => {
        $(#[$doc])*
        pub mod $module {
            wit_bindgen::generate!({
                path: "wit",
                inline: $world,
                with: {
                    "opensky:compute/types@0.1.0": ::opensky::__private::bindings::imports::opensky::compute::types,
                },
                generate_all,
                pub_export_macro: true,
                export_macro_name: $export_macro,
                default_bindings_module: $bindings,
                runtime_path: "::opensky::__private::wit_bindgen::rt",
            });
        }
    };
}

export_world!(
    /// The plain job.
    job,
    "export_job",
    "::opensky::__private::bindings::job",
    "package opensky:sdk-job; world job { export opensky:compute/job@0.1.0; }"
);

export_world!(
    /// Map-reduce.
    map_reduce,
    "export_map_reduce",
    "::opensky::__private::bindings::map_reduce",
    "package opensky:sdk-map-reduce; world map-reduce { export opensky:compute/map-reduce@0.1.0; }"
);

export_world!(
    /// The last unit of a map-reduce job.
    finish,
    "export_finish",
    "::opensky::__private::bindings::finish",
    "package opensky:sdk-finish; world finish { export opensky:compute/finish@0.1.0; }"
);

export_world!(
    /// The stepper.
    stepper,
    "export_stepper",
    "::opensky::__private::bindings::stepper",
    "package opensky:sdk-stepper; world stepper { export opensky:compute/stepper@0.1.0; }"
);
