//! The parts of a running node and how they are connected.

mod consensus;
mod finality;

use crate::rpc;
use consensus::{Duties, JUSTIFICATION_PERIOD_BLOCKS, Node};
use quern_runtime::{RuntimeApi, opaque::Block};
use sc_consensus_babe::BabeLink;
use sc_consensus_grandpa::{
    FinalityProofProvider, GrandpaPruningFilter, SharedVoterState, grandpa_peers_set_config,
    protocol_standard_name, warp_proof,
};
use sc_executor::{DEFAULT_HEAP_ALLOC_STRATEGY, HeapAllocStrategy};
use sc_network::{
    Multiaddr, NetworkBackend,
    config::{FullNetworkConfiguration, NetworkBackendType, NetworkConfiguration},
    multiaddr::Protocol,
};
use sc_service::{Configuration, TaskManager, WarpSyncConfig, error::Error as ServiceError};
use sc_telemetry::{Telemetry, TelemetryWorker};
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use sp_blockchain::HeaderBackend;
use sp_consensus_babe::inherents::InherentDataProvider;
use sp_inherents::CreateInherentDataProviders;
use sp_keystore::KeystorePtr;
use sp_runtime::traits::Block as BlockT;
use std::{path::Path, sync::Arc};

/// Runs the runtime, which may call the SDK's usual functions of its host.
type Executor = sc_executor::WasmExecutor<sp_io::SubstrateHostFunctions>;

/// The chain: blocks, state, and the runtime's answers.
pub(crate) type Client = sc_service::TFullClient<Block, RuntimeApi, Executor>;

/// The database behind the chain.
pub(crate) type Backend = sc_service::TFullBackend<Block>;

/// Transactions that wait for a block.
pub(crate) type Pool = sc_transaction_pool::TransactionPoolHandle<Block, Client>;

/// Which of several branches to build on: the longest with the finalised block in it.
type SelectChain = sc_consensus::LongestChain<Backend, Block>;

/// What connects finality's taking in of blocks with its voting.
type GrandpaLink = sc_consensus_grandpa::LinkHalf<Block, Client, SelectChain>;

/// What a block's author adds to it: slot, time, and what it holds to be final.
type Inherents = Arc<
    dyn CreateInherentDataProviders<
            Block,
            (),
            InherentDataProviders = (
                InherentDataProvider,
                sp_timestamp::InherentDataProvider,
                finality::Claim,
            ),
        >,
>;

/// A block's hash.
type Hash = <Block as BlockT>::Hash;

/// Takes in blocks, with the finality proofs that come along.
type GrandpaImport = sc_consensus_grandpa::GrandpaBlockImport<Backend, Block, Client, SelectChain>;

/// Takes in blocks whose author and slot have been checked.
type BabeImport =
    sc_consensus_babe::BabeBlockImport<Block, Client, GrandpaImport, Inherents, SelectChain>;

/// The folder beside the database in which compiled runtimes are kept.
const RUNTIME_CACHE: &str = "compiled-runtimes";

/// What every use of the chain needs: running a node, and each subcommand that reads the database.
pub(crate) struct Parts {
    /// The chain.
    pub(crate) client: Arc<Client>,
    /// Its database.
    pub(crate) backend: Arc<Backend>,
    /// Checks and takes in blocks.
    pub(crate) import_queue: sc_consensus::DefaultImportQueue<Block>,
    /// Runs everything that goes on beside.
    pub(crate) task_manager: TaskManager,
    keystore: KeystorePtr,
    pool: Arc<Pool>,
    select_chain: SelectChain,
    block_import: BabeImport,
    babe: BabeLink<Block>,
    grandpa: GrandpaLink,
    inherents: Inherents,
    telemetry: Option<Telemetry>,
}

/// Opens the database and connects what reads and writes it. Compiled runtimes are kept in `cache`,
/// or beside the database.
pub(crate) fn parts(config: &Configuration, cache: Option<&Path>) -> Result<Parts, ServiceError> {
    let telemetry = telemetry(config)?;
    let handle = telemetry.as_ref().map(|(_, telemetry)| telemetry.handle());
    let (client, backend, keystore, mut task_manager) =
        sc_service::new_full_parts::<Block, RuntimeApi, _>(
            config,
            handle.clone(),
            executor(config, cache)?,
            vec![Arc::new(GrandpaPruningFilter)],
        )?;
    let client = Arc::new(client);
    let telemetry = telemetry.map(|(worker, telemetry)| {
        task_manager
            .spawn_handle()
            .spawn("telemetry", None, worker.run());
        telemetry
    });

    let select_chain = SelectChain::new(backend.clone());
    let pool = Arc::new(
        sc_transaction_pool::Builder::new(
            task_manager.spawn_essential_handle(),
            client.clone(),
            config.role.is_authority().into(),
        )
        .with_options(config.transaction_pool.clone())
        .with_prometheus(config.prometheus_registry())
        .build(),
    );

    let (grandpa_import, grandpa) = sc_consensus_grandpa::block_import(
        client.clone(),
        JUSTIFICATION_PERIOD_BLOCKS,
        &client,
        select_chain.clone(),
        handle.clone(),
    )?;
    let babe_configuration = sc_consensus_babe::configuration(&*client)?;
    let slot_duration = babe_configuration.slot_duration();
    let finalised = client.clone();
    let inherents: Inherents = Arc::new(move |_parent, ()| {
        let claim = finality::Claim::of(finalised.info().finalized_number);
        async move {
            let time = sp_timestamp::InherentDataProvider::from_system_time();
            let slot = InherentDataProvider::from_timestamp_and_slot_duration(*time, slot_duration);
            Ok((slot, time, claim))
        }
    });
    let (block_import, babe) = sc_consensus_babe::block_import(
        babe_configuration,
        grandpa_import.clone(),
        client.clone(),
        inherents.clone(),
        select_chain.clone(),
        OffchainTransactionPoolFactory::new(pool.clone()),
    )?;
    let (import_queue, babe_worker) =
        sc_consensus_babe::import_queue(sc_consensus_babe::ImportQueueParams {
            link: babe.clone(),
            block_import: block_import.clone(),
            justification_import: Some(Box::new(grandpa_import)),
            client: client.clone(),
            slot_duration,
            spawner: &task_manager.spawn_essential_handle(),
            registry: config.prometheus_registry(),
            telemetry: handle,
        })?;
    // Nobody asks the worker anything, but it would take the loss of its last asker for the end.
    task_manager.keep_alive(babe_worker);

    Ok(Parts {
        client,
        backend,
        import_queue,
        task_manager,
        keystore: keystore.keystore(),
        pool,
        select_chain,
        block_import,
        babe,
        grandpa,
        inherents,
        telemetry,
    })
}

/// Runs the runtime as configured, and keeps what it has compiled: to compile a runtime takes
/// seconds, and every start would take them.
fn executor(config: &Configuration, cache: Option<&Path>) -> Result<Executor, ServiceError> {
    let settings = &config.executor;
    let heap = match settings.default_heap_pages {
        Some(pages) => HeapAllocStrategy::Static {
            extra_pages: pages.try_into().unwrap_or(u32::MAX),
        },
        None => DEFAULT_HEAP_ALLOC_STRATEGY,
    };
    let beside_database = config.data_path.join(RUNTIME_CACHE);
    let cache = std::path::absolute(cache.unwrap_or(&beside_database))?;
    Ok(Executor::builder()
        .with_execution_method(settings.wasm_method)
        .with_onchain_heap_alloc_strategy(heap)
        .with_offchain_heap_alloc_strategy(heap)
        .with_max_runtime_instances(settings.max_runtime_instances)
        .with_runtime_cache_size(settings.runtime_cache_size)
        .with_cache_path(cache)
        .build())
}

/// Where the node reports about itself, if the operator names a server.
fn telemetry(config: &Configuration) -> Result<Option<(TelemetryWorker, Telemetry)>, ServiceError> {
    let Some(endpoints) = config
        .telemetry_endpoints
        .clone()
        .filter(|it| !it.is_empty())
    else {
        return Ok(None);
    };
    let worker = TelemetryWorker::new(16)?;
    let telemetry = worker.handle().new_telemetry(endpoints);
    Ok(Some((worker, telemetry)))
}

/// The network stack: the default of the SDK. There is one, because everything that speaks to
/// others is compiled once for each.
type Network = sc_network::Litep2pNetworkBackend;

/// Leaves out what the node does not speak.
fn restrict(network: &mut NetworkConfiguration) -> Result<(), ServiceError> {
    if !matches!(network.network_backend, NetworkBackendType::Litep2p) {
        return Err(ServiceError::Other(
            "this node is built with one network stack: leave out --network-backend".to_owned(),
        ));
    }
    let is_webrtc = |address: &Multiaddr| {
        address
            .iter()
            .any(|protocol| matches!(protocol, Protocol::WebRTCDirect))
    };
    // Among the usual addresses of a node that is no validator there are some, unasked for.
    let addresses = network.listen_addresses.len();
    network.listen_addresses.retain(|it| !is_webrtc(it));
    let only_webrtc = network.listen_addresses.is_empty() && addresses > 0;
    if only_webrtc || network.public_addresses.iter().any(is_webrtc) {
        return Err(ServiceError::Other(
            "this node is built without WebRTC: give --listen-addr and --public-addr addresses of \
             TCP or WebSocket"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Runs a node until its task manager is dropped.
pub(crate) fn run(
    mut config: Configuration,
    cache: Option<&Path>,
) -> Result<TaskManager, ServiceError> {
    restrict(&mut config.network)?;
    let Parts {
        client,
        backend,
        import_queue,
        mut task_manager,
        keystore,
        pool,
        select_chain,
        block_import,
        babe,
        grandpa,
        inherents,
        mut telemetry,
    } = parts(&config, cache)?;
    let registry = config.prometheus_registry().cloned();

    let metrics =
        <Network as NetworkBackend<Block, Hash>>::register_notification_metrics(registry.as_ref());
    let mut net_config =
        FullNetworkConfiguration::<Block, Hash, Network>::new(&config.network, registry.clone());
    let grandpa_name = protocol_standard_name(&client.info().genesis_hash, &config.chain_spec);
    let (grandpa_protocol, grandpa_notifications) = grandpa_peers_set_config::<Block, Network>(
        grandpa_name.clone(),
        metrics.clone(),
        net_config.peer_store_handle(),
    );
    net_config.add_notification_protocol(grandpa_protocol);
    let authority_set = grandpa.shared_authority_set().clone();
    let finality_proofs =
        warp_proof::NetworkProvider::new(backend.clone(), authority_set.clone(), Vec::new());
    let (network, system_rpc_tx, tx_handler_controller, sync, _bitswap) =
        sc_service::build_network(sc_service::BuildNetworkParams {
            config: &config,
            net_config,
            client: client.clone(),
            transaction_pool: pool.clone(),
            spawn_handle: task_manager.spawn_handle(),
            spawn_essential_handle: task_manager.spawn_essential_handle(),
            import_queue,
            block_announce_validator_builder: None,
            warp_sync_config: Some(WarpSyncConfig::WithProvider(Arc::new(finality_proofs))),
            block_relay: None,
            metrics,
            gap_sync_body_policy: None,
        })?;

    let duties = Duties::of(&config);
    let voter_state = SharedVoterState::empty();
    let (rpc_client, rpc_pool) = (client.clone(), pool.clone());
    let (rpc_voter_state, justifications) = (voter_state.clone(), grandpa.justification_stream());
    let proofs =
        FinalityProofProvider::new_for_service(backend.clone(), Some(authority_set.clone()));
    sc_service::spawn_tasks(sc_service::SpawnTasksParams {
        config,
        client: client.clone(),
        backend,
        task_manager: &mut task_manager,
        keystore: keystore.clone(),
        transaction_pool: pool.clone(),
        rpc_builder: Box::new(move |executor| {
            let finality = sc_consensus_grandpa_rpc::Grandpa::new(
                executor,
                authority_set.clone(),
                rpc_voter_state.clone(),
                justifications.clone(),
                proofs.clone(),
            );
            rpc::module(
                rpc_client.clone(),
                rpc_pool.clone(),
                finality,
                proofs.clone(),
            )
            .map_err(|error| ServiceError::Application(error.into()))
        }),
        network: network.clone(),
        system_rpc_tx,
        tx_handler_controller,
        sync_service: sync.clone(),
        telemetry: telemetry.as_mut(),
        tracing_execute_block: None,
    })?;

    let node = Node {
        client,
        keystore,
        pool,
        select_chain,
        network,
        sync,
        registry,
        telemetry: telemetry.as_ref().map(Telemetry::handle),
        duties,
    };
    node.author(&task_manager, block_import, babe, inherents)?;
    node.vote(
        &task_manager,
        grandpa,
        grandpa_name,
        grandpa_notifications,
        voter_state,
    )?;
    Ok(task_manager)
}
