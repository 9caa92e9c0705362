//! What a chain begins with: a runtime and the state that one of its presets makes.

use std::{fs, path::Path};

use sc_chain_spec::{ChainType, GenericChainSpec, GenesisConfigBuilderRuntimeCaller};

/// The raw specification of a development chain, as JSON: a state that no runtime has to make again.
///
/// # Errors
/// In words: the file cannot be read, is no runtime, or has no preset of that name.
pub fn raw(runtime: &Path, preset: &str) -> Result<String, String> {
    let name = runtime.display();
    let code = fs::read(runtime).map_err(|error| format!("cannot read {name}: {error}"))?;
    let caller = GenesisConfigBuilderRuntimeCaller::<()>::new(&code);
    let presets = caller.preset_names();
    let presets = presets.map_err(|error| format!("{name} is no runtime: {error}"))?;
    if !presets.iter().any(|known| known == preset) {
        let known: Vec<_> = presets.iter().map(AsRef::as_ref).collect();
        return Err(format!(
            "{name} has no preset `{preset}`; it has: {}",
            known.join(", ")
        ));
    }
    GenericChainSpec::<Option<()>>::builder(&code, None)
        .with_name("OpenSky development")
        .with_id("opensky-development")
        .with_protocol_id("opensky")
        .with_chain_type(ChainType::Development)
        .with_genesis_config_preset_name(preset)
        .build()
        .as_json(true)
}

/// One that was written to a file.
///
/// # Errors
/// In words: it cannot be read.
pub fn read(file: &Path) -> Result<GenericChainSpec, String> {
    let name = file.display();
    let spec = GenericChainSpec::from_json_file(file.to_owned());
    spec.map_err(|error| format!("{name} is no specification of a chain: {error}"))
}
