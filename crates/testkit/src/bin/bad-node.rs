//! A node that is bad on purpose: `bad-node CONFIG HABIT`, for networks that are to bear it.

use std::{env, path::Path, process::ExitCode, sync::Arc};

use opensky_executor::worker::{self, Kind, Launcher};
use opensky_node::{Config, Node, sandboxed, serve};
use opensky_testkit::bad::{Bad, Habit};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().collect();
    let args: Vec<&str> = args.iter().skip(1).map(String::as_str).collect();
    match args.as_slice() {
        ["worker", kind] if *kind == Kind::Compile.name() => worker::main(Kind::Compile),
        ["worker", _] => worker::main(Kind::Run),
        [config, habit] => start(config, habit),
        _ => ExitCode::from(2),
    }
}

fn start(config: &str, habit: &str) -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let (config, habit): (Config, Habit) = match (Config::read(Path::new(config)), habit.parse()) {
        (Ok(config), Ok(habit)) => (config, habit),
        (config, habit) => {
            tracing::error!(config = ?config.err(), habit = ?habit.err(), "usage");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("the system starts threads");
    let ended = runtime.block_on(async {
        let launcher = Launcher {
            program: "/proc/self/exe".into(),
            args: vec!["worker".into()],
        };
        let honest = sandboxed(&config, launcher);
        let node = Node::start(config, Arc::new(Bad::new(honest, habit))).await?;
        serve(&node).await
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the bad node ended");
            ExitCode::from(4)
        }
    }
}
