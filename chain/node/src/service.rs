//! The node: blocks on disk, a pool of transactions, whoever seals blocks, and the JSON-RPC server that shows all of it.

use std::{
    io::{self, Write as _},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use futures::{
    StreamExt as _,
    channel::mpsc,
    stream::{self, BoxStream},
};
use jsonrpsee::{
    RpcModule,
    core::RegisterMethodError,
    types::{ErrorObjectOwned, error::INTERNAL_ERROR_CODE},
};
use sc_basic_authorship::ProposerFactory;
use sc_chain_spec::GenericChainSpec;
use sc_consensus::LongestChain;
use sc_consensus_manual_seal::{
    EngineCommand, ManualSealParams,
    rpc::{ManualSeal, ManualSealApiServer as _},
};
use sc_executor::{HeapAllocStrategy, WasmExecutor};
use sc_network::{
    Litep2pNetworkBackend, NotificationMetrics,
    config::{FullNetworkConfiguration, NetworkConfiguration, NodeKeyConfig},
    multiaddr::Protocol,
};
use sc_service::{
    BuildNetworkParams, Configuration, Error, Role, RpcHandlers, RpcMethods, SpawnTasksParams,
    TFullClient, TaskManager, TracingReceiver, TransactionPool as _, TransactionPoolOptions,
    config::{
        BasePath, BlocksPruning, DatabaseSource, ExecutorConfiguration, KeystoreConfig,
        OffchainWorkerConfig, PruningMode, RpcBatchRequestConfig, RpcConfiguration, RpcEndpoint,
    },
};
use sc_tracing::logging::LoggerBuilder;
use sc_transaction_pool::TransactionPoolHandle;
use sp_core::H256;
use sp_io::SubstrateHostFunctions;
use substrate_frame_rpc_system::{System, SystemApiServer};
use tokio::{
    runtime::Handle,
    signal::unix::{SignalKind, signal},
};

use crate::{
    clock::Clock,
    shape::{AccountId, Block, Nonce, RuntimeApi},
};

type Executor = WasmExecutor<SubstrateHostFunctions>;
type Client = TFullClient<Block, RuntimeApi, Executor>;
type Pool = TransactionPoolHandle<Block, Client>;
type Commands = BoxStream<'static, EngineCommand<H256>>;

/// Commands that wait to be carried out: a block is made for each, so a caller who asks for more waits.
const COMMANDS: usize = 64;

/// How long tasks may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Memory for the runtime beside what it begins with, in pages of 64 KiB: the Polkadot SDK's own default.
const HEAP_PAGES: u32 = 2048;

/// A transaction may bring a new runtime, which is some megabytes, as hexadecimal digits.
const RPC_MIB: u32 = 16;

/// How a chain is run.
pub struct Options {
    /// What it begins with.
    pub spec: GenericChainSpec,
    /// Where its blocks and its state are.
    pub data: PathBuf,
    /// Where native code is kept, if anywhere.
    pub cache: Option<PathBuf>,
    /// The port of the JSON-RPC server.
    pub port: u16,
    /// When blocks are made.
    pub sealing: Sealing,
    /// Whether whoever can reach the server may have blocks made and finalized, and move the clock.
    pub is_controlled: bool,
}

/// When blocks are made, beside those that are asked for over RPC.
#[derive(Clone, Copy, Debug)]
pub enum Sealing {
    /// When a transaction has come, finalized at once.
    Instant,
    /// One after the other, with that much time between them, finalized at once.
    Every(Duration),
    /// Only when asked for.
    Manual,
}

impl FromStr for Sealing {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "instant" => Ok(Self::Instant),
            "manual" => Ok(Self::Manual),
            _ => match text.parse() {
                Ok(millis) if millis > 0 => Ok(Self::Every(Duration::from_millis(millis))),
                _ => Err("neither `instant` nor `manual`, nor a number of milliseconds".into()),
            },
        }
    }
}

/// Runs the chain until SIGTERM or Ctrl-C.
pub fn run(options: Options) -> Result<(), Error> {
    let directives = std::env::var("RUST_LOG").unwrap_or_else(|_| "warn,litep2p=error".into());
    let logging = LoggerBuilder::new(directives).init();
    logging.map_err(|error| Error::Other(error.to_string()))?;
    let runtime = tokio::runtime::Runtime::new()?;
    let handle = runtime.handle().clone();
    let ended = runtime.block_on(async {
        let mut terminated = signal(SignalKind::terminate())?;
        let mut interrupted = signal(SignalKind::interrupt())?;
        let mut tasks = start(options, handle).await?;
        tokio::select! {
            ended = tasks.future() => ended,
            _ = terminated.recv() => Ok(()),
            _ = interrupted.recv() => Ok(()),
        }
    });
    runtime.shutdown_timeout(PATIENCE);
    ended
}

/// Starts all, and says on standard output where the JSON-RPC server is.
async fn start(options: Options, handle: Handle) -> Result<TaskManager, Error> {
    let (sealing, is_controlled) = (options.sealing, options.is_controlled);
    let clock = Arc::new(Clock::open(&options.data)?);
    let executor = executor(options.cache.as_deref());
    let config = configuration(options, handle);
    let (client, backend, keys, mut tasks) =
        sc_service::new_full_parts::<Block, RuntimeApi, _>(&config, None, executor, Vec::new())?;
    let client = Arc::new(client);
    let pool = sc_transaction_pool::Builder::new(
        tasks.spawn_essential_handle(),
        client.clone(),
        config.role.is_authority().into(),
    );
    let pool = Arc::new(pool.with_options(config.transaction_pool.clone()).build());
    let (commands, wanted) = mpsc::channel(COMMANDS);

    let net = FullNetworkConfiguration::<_, _, Litep2pNetworkBackend>::new(&config.network, None);
    let (network, system_rpc_tx, tx_handler_controller, sync_service, _) =
        sc_service::build_network(BuildNetworkParams {
            config: &config,
            net_config: net,
            client: client.clone(),
            transaction_pool: pool.clone(),
            spawn_handle: tasks.spawn_handle(),
            spawn_essential_handle: tasks.spawn_essential_handle(),
            import_queue: sc_consensus_manual_seal::import_queue(
                Box::new(client.clone()),
                &tasks.spawn_essential_handle(),
                None,
            ),
            block_announce_validator_builder: None,
            warp_sync_config: None,
            block_relay: None,
            metrics: NotificationMetrics::new(None),
            gap_sync_body_policy: None,
        })?;
    let rpc = {
        let (client, pool, clock) = (client.clone(), pool.clone(), clock.clone());
        Box::new(move |_| {
            let system = System::<_, _, Block>::new(client.clone(), pool.clone());
            let system = SystemApiServer::<H256, AccountId, Nonce>::into_rpc(system);
            let mut methods = RpcModule::new(());
            let mut added = methods.merge(system);
            if is_controlled {
                added = added.and_then(|()| control(&mut methods, commands.clone(), clock.clone()));
            }
            added.map_err(|error| Error::Application(Box::new(error)))?;
            Ok(methods)
        })
    };
    let rpc = sc_service::spawn_tasks(SpawnTasksParams {
        config,
        client: client.clone(),
        backend: backend.clone(),
        task_manager: &mut tasks,
        keystore: keys.keystore(),
        transaction_pool: pool.clone(),
        rpc_builder: rpc,
        network,
        system_rpc_tx,
        tx_handler_controller,
        sync_service,
        telemetry: None,
        tracing_execute_block: None,
    })?;
    let commands = Box::pin(stream::select(wanted, of_itself(sealing, &pool)));
    let sealer = sc_consensus_manual_seal::run_manual_seal(ManualSealParams {
        block_import: client.clone(),
        env: ProposerFactory::new(
            tasks.spawn_handle(),
            client.clone(),
            pool.clone(),
            None,
            None,
        ),
        client,
        pool,
        commands_stream: commands,
        select_chain: LongestChain::new(backend),
        consensus_data_provider: None,
        create_inherent_data_providers: move |_, ()| {
            let now = clock.now();
            async move { Ok(sp_timestamp::InherentDataProvider::new(now)) }
        },
    });
    let spawner = tasks.spawn_essential_handle();
    spawner.spawn_blocking("sealer", None, sealer);
    announce(&rpc)?;
    Ok(tasks)
}

/// The blocks that are made without being asked for.
fn of_itself(sealing: Sealing, pool: &Pool) -> Commands {
    let seal = |create_empty| EngineCommand::SealNewBlock {
        create_empty,
        finalize: true,
        parent_hash: None,
        sender: None,
    };
    match sealing {
        Sealing::Manual => stream::pending().boxed(),
        // The block before may have taken it in: then there is nothing to make one of.
        Sealing::Instant => {
            let come = pool.import_notification_stream();
            come.map(move |_| seal(false)).boxed()
        }
        Sealing::Every(pause) => {
            let pauses = stream::repeat(()).then(move |()| tokio::time::sleep(pause));
            pauses.map(move |()| seal(true)).boxed()
        }
    }
}

/// Adds what those can ask for who control the chain.
fn control(
    methods: &mut RpcModule<()>,
    commands: mpsc::Sender<EngineCommand<H256>>,
    clock: Arc<Clock>,
) -> Result<(), RegisterMethodError> {
    methods.merge(ManualSeal::new(commands).into_rpc())?;
    let pass = methods.register_blocking_method("clock_pass", move |params, _, _| {
        let failed = |error: io::Error| {
            ErrorObjectOwned::owned(INTERNAL_ERROR_CODE, error.to_string(), None::<()>)
        };
        clock.pass(params.one()?).map_err(failed)
    });
    pass.map(drop)
}

/// Tells whoever started this that it can be asked, and where.
fn announce(rpc: &RpcHandlers) -> Result<(), Error> {
    let port = rpc
        .listen_addresses()
        .iter()
        .flatten()
        .find_map(|part| match part {
            Protocol::Tcp(port) => Some(port),
            _ => None,
        });
    let port = port.ok_or_else(|| Error::Other("no port for the JSON-RPC server".into()))?;
    let mut out = io::stdout().lock();
    writeln!(out, "ready ws://{}:{port}", Ipv4Addr::LOCALHOST)?;
    Ok(out.flush()?)
}

fn executor(cache: Option<&Path>) -> Executor {
    let pages = HeapAllocStrategy::Static {
        extra_pages: HEAP_PAGES,
    };
    let builder = Executor::builder()
        .with_onchain_heap_alloc_strategy(pages)
        .with_offchain_heap_alloc_strategy(pages);
    match cache {
        Some(folder) => builder.with_cache_path(folder).build(),
        None => builder.build(),
    }
}

fn configuration(options: Options, tokio_handle: Handle) -> Configuration {
    let Options {
        spec,
        data,
        port,
        is_controlled,
        ..
    } = options;
    let network = NetworkConfiguration::new("opensky", "opensky", NodeKeyConfig::default(), None);
    Configuration {
        impl_name: env!("CARGO_PKG_NAME").into(),
        impl_version: env!("CARGO_PKG_VERSION").into(),
        role: Role::Authority,
        tokio_handle,
        transaction_pool: TransactionPoolOptions::default(),
        network: NetworkConfiguration {
            enable_dht_random_walk: false,
            ..network
        },
        keystore: KeystoreConfig::InMemory,
        database: DatabaseSource::ParityDb {
            path: data.join("db"),
        },
        trie_cache_maximum_size: Some(64 << 20),
        warm_up_trie_cache: None,
        state_pruning: Some(PruningMode::ArchiveAll),
        blocks_pruning: BlocksPruning::KeepAll,
        chain_spec: Box::new(spec),
        executor: ExecutorConfiguration::default(),
        wasm_runtime_overrides: None,
        rpc: rpc(port, is_controlled),
        prometheus_config: None,
        telemetry_endpoints: None,
        offchain_worker: OffchainWorkerConfig::default(),
        force_authoring: true,
        disable_grandpa: true,
        dev_key_seed: None,
        tracing_targets: None,
        tracing_receiver: TracingReceiver::default(),
        announce_block: false,
        base_path: BasePath::new(&data),
        data_path: data,
    }
}

/// On loopback only, and of web pages for none; but these can open a WebSocket all the same. So nobody can ask for more than
/// of a public node, unless whoever starts it wants that.
fn rpc(port: u16, is_controlled: bool) -> RpcConfiguration {
    let nobody = Some(Vec::new());
    let (methods, methods_here) = match is_controlled {
        true => (RpcMethods::Unsafe, sc_rpc_server::RpcMethods::Unsafe),
        false => (RpcMethods::Safe, sc_rpc_server::RpcMethods::Safe),
    };
    let endpoint = RpcEndpoint {
        listen_addr: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        batch_config: RpcBatchRequestConfig::Unlimited,
        max_connections: 256,
        max_payload_in_mb: RPC_MIB,
        max_payload_out_mb: RPC_MIB,
        max_subscriptions_per_connection: 1024,
        max_buffer_capacity_per_connection: 64,
        rate_limit: None,
        rate_limit_trust_proxy_headers: false,
        rate_limit_whitelisted_ips: Vec::new(),
        cors: nobody.clone(),
        rpc_methods: methods_here,
        is_optional: false,
        retry_random_port: false,
    };
    RpcConfiguration {
        addr: Some(vec![endpoint]),
        max_connections: 256,
        cors: nobody,
        methods,
        max_request_size: RPC_MIB,
        max_response_size: RPC_MIB,
        id_provider: None,
        max_subs_per_conn: 1024,
        port,
        message_buffer_capacity: 64,
        batch_config: RpcBatchRequestConfig::Unlimited,
        rate_limit: None,
        rate_limit_whitelisted_ips: Vec::new(),
        rate_limit_trust_proxy_headers: false,
        request_logger_limit: 1024,
    }
}
