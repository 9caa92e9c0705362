//! `opensky node start`: one participant of the network, as a process of its own.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use opensky_gateway::Gateway;
use opensky_node::{
    Config, LedgerAway, Node, StartError,
    config::{ConfigError, LedgerChain, LedgerConfig, LedgerHere},
    sandboxed, serve,
};
use serde_json::json;

use crate::{
    Exit, Problem, local,
    remote::reach,
    term::{self, Format, NOTE, PLAIN},
};

/// The configuration that is read where nobody names another.
const FILE: &str = "node.toml";

/// Run a node until Ctrl-C or SIGTERM
///
/// Everything it does is logged to stderr. On the first signal it takes nothing new and finishes what
/// it runs; on the second it ends at once, and goes on where it was when it is started again.
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = "\
The configuration is TOML; every key but `data` and the ledger's has a default:

  data = \"/var/lib/opensky\"
  network = \"opensky-development\"
  bootstrap = [\"/dns4/a.example/tcp/4001/p2p/12D3…\"]
  labels = { region = \"eu\" }
  [price]
  per-gfuel = \"1_000_000\"
  max-unpaid = \"1_000_000_000\"
  [capacity]
  cores = 4
  memory = \"8GiB\"
  [ledger.at]
  node = \"64 hexadecimal digits\"
  address = \"/ip4/…/tcp/…/p2p/12D3…\"

Nodes of different networks do not talk. `opensky devnet` writes a configuration
for one node more and names it.

`[ledger.at]` is a ledger that another node keeps: its key and address, as that
node says them when it starts. In its place, this node keeps one itself with

  [ledger.here]
  name = \"development\"

for itself and for all who name it in their `[ledger.at]`, and it does so
without a configuration, too. Such an embedded ledger is a bookkeeper that all
who use it have to trust: for one machine, and for development. Or it settles
on a chain, by one of its nodes, whose word it believes:

  [ledger.chain]
  url = \"ws://127.0.0.1:9944\"

Without a configuration `--chain ws://127.0.0.1:9944` says the same. A chain is
a ledger and no network: to be asked for work, a node needs the `network` and
the `bootstrap` of others on it, too. What is in a data folder belongs to one
ledger for ever.")]
pub struct Args {
    /// The configuration [default: node.toml in the data folder, if there is one].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder: key, blobs, what is under way [default: the configuration's].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where the HTTP API listens: a loopback address; port 0 is any [default: the configuration's].
    #[arg(long, value_name = "ADDRESS", value_parser = loopback)]
    api: Option<SocketAddr>,
    /// Settles on a chain: the JSON-RPC server of one of its nodes, as in ws://127.0.0.1:9944 [default: the
    /// configuration's ledger].
    #[arg(long, value_name = "URL")]
    chain: Option<LedgerChain>,
    /// How to say on stdout that it is ready: JSON is one line.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs it to its end.
pub fn run(args: &Args) -> anyhow::Result<Exit> {
    let config = config(args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime =
        runtime.map_err(|error| Problem::host("the system starts no threads").because(error))?;
    runtime.block_on(live(config, args.format))?;
    Ok(Exit::Success)
}

/// An address of this machine, and a port.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text
        .parse()
        .map_err(|_| "it is not an address and a port such as 127.0.0.1:7420")?;
    match address.ip().is_loopback() {
        true => Ok(address),
        false => {
            Err("it is not on this machine: the API is for programs beside the node only".into())
        }
    }
}

/// What the file says, and over it what the flags say.
fn config(args: &Args) -> Result<Config, Problem> {
    let folder = match &args.data {
        Some(folder) => folder.clone(),
        None => reach::default_folder()?,
    };
    let file = match &args.config {
        Some(file) => Some(file.clone()),
        None => Some(folder.join(FILE)).filter(|file| file.exists()),
    };
    let mut config = match &file {
        Some(file) => read(file)?,
        None => Config::new(&folder, LedgerConfig::Here(LedgerHere::default())),
    };
    if let Some(chain) = &args.chain {
        match &file {
            Some(file) => same_ledger(&config.ledger, chain, file)?,
            None => config.ledger = LedgerConfig::Chain(chain.clone()),
        }
    }
    if let Some(data) = &args.data {
        config.data.clone_from(data);
    }
    if let Some(api) = args.api {
        config.api.listen = api;
    }
    can_be_folder(&config.data)?;
    Ok(config)
}

/// A ledger is for ever: a flag does not change what a file says of it.
fn same_ledger(told: &LedgerConfig, chain: &LedgerChain, file: &Path) -> Result<(), Problem> {
    let other = match told {
        LedgerConfig::Chain(told) if told == chain => return Ok(()),
        LedgerConfig::Chain(told) => format!("the chain at {}", told.shown_url()),
        LedgerConfig::At(_) => "a ledger that another node keeps".into(),
        LedgerConfig::Here(_) => "a ledger that this node keeps".into(),
    };
    Err(Problem::usage(format!(
        "the configuration `{}` names {other}, and --chain the one at {}",
        file.display(),
        chain.shown_url()
    ))
    .help("leave --chain out, or put `[ledger.chain]` with that `url` into the configuration in its ledger's place"))
}

fn read(file: &Path) -> Result<Config, Problem> {
    let shown = file.display();
    if file.is_dir() {
        let inside = term::typed(&file.join(FILE));
        return Err(
            Problem::usage(format!("the configuration `{shown}` is a folder"))
                .help(format!("give the file, as in --config {inside}")),
        );
    }
    Config::read(file).map_err(|error| match error {
        ConfigError::Read { source, .. } => {
            Problem::usage(format!("cannot read the configuration `{shown}`")).because(source)
        }
        error => Problem::usage(format!("the configuration `{shown}` makes no sense"))
            .because(error)
            .help("mend it; an example is in: opensky node start --help"),
    })
}

/// Whether it is a folder, or can be made.
fn can_be_folder(data: &Path) -> Result<(), Problem> {
    let there = data.ancestors().find(|path| path.exists());
    match there.filter(|path| !path.is_dir()) {
        None => Ok(()),
        Some(file) => Err(Problem::usage(format!(
            "the data folder `{}` cannot be there: `{}` is a file",
            data.display(),
            file.display()
        ))
        .help("give a folder, or one to be made")),
    }
}

/// From the start to the last signal.
async fn live(config: Config, format: Format) -> Result<(), Problem> {
    let execute = sandboxed(&config, local::launcher());
    let data = config.data.clone();
    let node = Node::start(config, execute).await;
    let node = node.map_err(|error| not_started(&data, error))?;
    let gateway = match Gateway::start(node.clone()).await {
        Ok(gateway) => gateway,
        Err(error) => {
            node.stop().await;
            return Err(Problem::host("the node's API cannot be served")
                .because(error)
                .help("give another address with --api, or `[api] listen` in its configuration"));
        }
    };
    ready(&node, &gateway, format).await?;
    let served = serve(&node).await;
    let stopped = gateway.stop().await;
    served.map_err(|error| Problem::host("the node ended").because(error))?;
    stopped.map_err(|error| Problem::host("the node's API was not taken away").because(error))
}

fn not_started(data: &Path, error: StartError) -> Problem {
    let problem = Problem::host(format!("no node starts in `{}`", data.display()));
    let help = match &error {
        StartError::OtherLedger { .. } => {
            "give another data folder with --data DIR, or the configuration of the ledger that this one belongs to"
        }
        StartError::LedgerAway(LedgerAway::Chain { .. }) => {
            "start the chain's node first, or give another one's address with --chain URL"
        }
        StartError::LedgerLost(_) => {
            "put the file back, or begin a new ledger with another data folder: --data DIR"
        }
        _ => return problem.because(error),
    };
    problem.because(error).help(help)
}

/// Says that it is there, and where.
async fn ready(node: &Node, gateway: &Gateway, format: Format) -> Result<(), Problem> {
    let id = opensky_api::NodeId::from(node.key());
    let data = std::path::absolute(&node.config().data).unwrap_or(node.config().data.clone());
    let api = gateway.endpoint().address();
    let addresses = node.addresses().await;
    let said = match format {
        Format::Json => {
            let ready = json!({
                "node": id,
                "key": node.key().to_string(),
                "api": api.to_string(),
                "data": term::path(&data),
                "addresses": addresses,
            });
            term::to_stdout(&format!("{ready}\n"))
        }
        Format::Text => {
            let typed = term::typed(&data);
            term::to_stdout(&term::columns([
                ("node", format!("{NOTE}{id}{PLAIN}")),
                ("key", node.key().to_string()),
                ("API", api.to_string()),
                ("addresses", addresses.join("\n             ")),
                (
                    "how it is",
                    format!("{NOTE}opensky node status --node {typed}{PLAIN}"),
                ),
            ]))
        }
    };
    said.map_err(|error| Problem::host("cannot say that the node is ready").because(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(folder: &Path) -> Args {
        Args {
            config: None,
            data: Some(folder.to_owned()),
            api: None,
            chain: None,
            format: Format::Text,
        }
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let alone = config(&start(folder.path())).expect("a configuration");
        assert!(matches!(alone.ledger, LedgerConfig::Here(_)) && alone.provide);
        let text = "data = \"/elsewhere\"\nprovide = false\n[ledger.here]\n[api]\nlisten = \"127.0.0.1:1\"\n";
        std::fs::write(folder.path().join(FILE), text).expect("written");
        let mut args = start(folder.path());
        let read = config(&args).expect("a configuration");
        assert!(!read.provide);
        assert_eq!(
            (read.data.as_path(), read.api.listen.port()),
            (folder.path(), 1)
        );
        args.api = Some(([127, 0, 0, 1], 0).into());
        assert_eq!(config(&args).expect("a configuration").api.listen.port(), 0);
    }

    #[test]
    fn chain_is_the_ledger_of_a_node_without_a_configuration_and_changes_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut args = start(folder.path());
        args.chain = "ws://127.0.0.1:9944".parse().ok();
        let read = config(&args).expect("a configuration");
        assert!(
            matches!(read.ledger, LedgerConfig::Chain(chain) if Some(&chain) == args.chain.as_ref())
        );
        let write = |ledger: &str| {
            let text = format!("data = \"/d\"\n{ledger}\n");
            std::fs::write(folder.path().join(FILE), text).expect("written");
        };
        write("[ledger.chain]\nurl = \"ws://127.0.0.1:9944\"");
        assert!(config(&args).is_ok());
        for (ledger, told) in [
            ("[ledger.here]", "a ledger that this node keeps"),
            (
                "[ledger.chain]\nurl = \"ws://127.0.0.1:9945\"",
                "the chain at ws://127.0.0.1:9945",
            ),
        ] {
            write(ledger);
            let problem = config(&args).expect_err("a problem");
            assert_eq!(problem.exit(), Exit::Usage);
            let said = crate::problem::describe(&problem.into());
            assert!(said.contains(told) && said.contains("--chain"), "{said}");
        }
    }

    #[test]
    fn configuration_that_makes_no_sense_is_a_usage_error_that_names_the_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = "data = \"/d\"\nlisen = []\n[ledger.here]\n";
        std::fs::write(folder.path().join(FILE), text).expect("written");
        let problem = config(&start(folder.path())).expect_err("a problem");
        assert_eq!(problem.exit(), Exit::Usage);
        let said = crate::problem::describe(&problem.into());
        assert!(said.contains("did you mean `listen`?"), "{said}");
    }

    #[test]
    fn what_cannot_be_a_file_or_a_folder_is_told_before_anything_is_started() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut args = start(folder.path());
        args.config = Some(folder.path().to_owned());
        let said = |args: &Args| {
            let problem = config(args).expect_err("a problem");
            assert_eq!(problem.exit(), Exit::Usage);
            crate::problem::describe(&problem.into())
        };
        let told = said(&args);
        assert!(
            told.contains("is a folder") && told.contains("node.toml"),
            "{told}"
        );
        args.config = Some(folder.path().join("nowhere"));
        assert!(said(&args).contains("cannot read the configuration"));
        let file = folder.path().join("file");
        std::fs::write(&file, "").expect("written");
        for data in [file.clone(), file.join("below")] {
            let told = said(&start(&data));
            assert!(told.contains("is a file"), "{told}");
        }
    }

    #[test]
    fn api_is_for_this_machine() {
        assert!(loopback("127.0.0.1:0").is_ok() && loopback("[::1]:7420").is_ok());
        let wrong = [
            "0.0.0.0:7420",
            "[::]:7420",
            "192.168.0.1:1",
            "127.0.0.1",
            "localhost:1",
            "127.0.0.1:70000",
        ];
        for text in wrong {
            assert!(loopback(text).is_err(), "{text}");
        }
    }
}
