//! Starting the parts of a grid in their order, and setting up the accounts.

use crate::{
    GridError, GridWorker, LocalGrid, OPERATOR, Part, Plan, Programs, WORKERS, WORKERS_MAX,
    development_account, worker_account,
};
use quern_jobs_api::{JobsApiClient as _, counted};
use quern_ledger::{Account, Call, Chain};
use quern_owner::Masternode;
use quern_primitives::{
    amount::BYTECHIP,
    device::{Hardware, Region},
    view::MasternodeView,
};
use quern_worker::device::DeviceSecrets;
use std::{
    fs,
    future::ready,
    io,
    net::{Ipv4Addr, TcpListener, UdpSocket},
    path::Path,
    pin::pin,
    time::Duration,
};

/// What each worker bonds: enough for any task at the prices of genesis. The dearest, of the highest
/// level with all the fuel there is, takes 215 ByteChips at most.
const BOND: u128 = 1_000 * BYTECHIP;

/// What an account is given that has nothing: the bond, and what its transactions cost.
const OUTFIT: u128 = BOND + 100 * BYTECHIP;

/// The worker that prefers QUIC, counted from one, so that both transports carry tasks. It is behind
/// the two of a measurement, which are to be alike.
const QUIC_WORKER: usize = 3;

/// How long the workers may take to connect to the masternode. One that the chain does not let work, in a
/// grid that goes on, never does; the grid is ready without it.
const CONNECT_PATIENCE: Duration = Duration::from_secs(60);

/// Ports that are tried for one that is free for TCP and for UDP.
const PORTS_TRIED_MAX: u32 = 16;

/// Disk that a worker gives to pieces of others' data, in MiB.
const PIECES_MIB: u32 = 1_024;

/// A worker's preferences that hold no machine back: a grid of one machine runs on any, with an empty
/// battery and under load.
const ANY_MACHINE: &str = "[availability]\ntemperature_c_max = 110\nbattery_percent_min = 0\n";

/// The parts that are started behind the validator.
#[derive(Default)]
struct Started {
    masternode: Option<Part>,
    jobs_api: String,
    workers: Vec<GridWorker>,
    /// Whether some worker was not connected in time.
    lacks_workers: bool,
}

/// Starts the parts and waits until they are ready. If `stop` resolves earlier, or a part fails, what
/// has started is ended before this returns; in the first case with what `stop` gave.
pub(crate) async fn start<S>(
    plan: &Plan,
    progress: &impl Fn(&str),
    stop: impl Future<Output = S>,
) -> Result<Result<LocalGrid, S>, GridError> {
    if plan.workers.len() > WORKERS_MAX {
        return Err(GridError::TooManyWorkers {
            asked: plan.workers.len(),
        });
    }
    let mut stop = pin!(stop);
    tokio::select! {
        biased;
        // Whoever may say stop is heard from before the first process on.
        stopped = &mut stop => return Ok(Err(stopped)),
        () = ready(()) => {}
    }
    let programs = Programs::find(plan.programs.as_deref())?;
    make_folder(&plan.folder)?;

    progress("starting the validator");
    let (mut node, node_url) = start_node(&programs, plan)?;
    let mut started = Started::default();
    let validator = (&mut node, node_url.as_str());
    let outcome = tokio::select! {
        biased;
        stopped = &mut stop => Ok(Err(stopped)),
        done = start_rest(plan, progress, &programs, validator, &mut started) => done.map(Ok),
    };
    if !matches!(outcome, Ok(Ok(()))) {
        // Nothing was given to them yet that they would have to hand back.
        for worker in &mut started.workers {
            worker.part.kill().await;
        }
        if let Some(masternode) = &mut started.masternode {
            masternode.kill().await;
        }
        node.kill().await;
    }
    Ok(outcome?.map(|()| LocalGrid {
        folder: plan.folder.clone(),
        node_url,
        jobs_api: started.jobs_api,
        node,
        masternode: started.masternode,
        workers: started.workers,
        lacks_workers: started.lacks_workers,
    }))
}

/// Waits for the validator, then starts what needs it.
async fn start_rest(
    plan: &Plan,
    progress: &impl Fn(&str),
    programs: &Programs,
    (node, node_url): (&mut Part, &str),
    started: &mut Started,
) -> Result<(), GridError> {
    let folder = &plan.folder;
    let chain = node
        .wait_until(async || first_block(node_url).await)
        .await?;

    let operator = development_account(OPERATOR)?;
    if plan.masternode {
        progress("starting the masternode");
        let part = start_masternode(programs, plan, node_url)?;
        let view = started
            .masternode
            .insert(part)
            .wait_until(async || published(&chain, &operator).await)
            .await?;
        started.jobs_api = String::from_utf8_lossy(&view.jobs_api).into_owned();
    }

    progress(&format!(
        "bonding and registering {}",
        counted(plan.workers.len(), "worker")
    ));
    let prepared = prepare_workers(plan, folder, &chain).await?;
    for (number, (program, (account, secrets))) in (1..).zip(plan.workers.iter().zip(prepared)) {
        progress(&format!(
            "starting worker {number} of {}",
            plan.workers.len()
        ));
        let program = program.as_deref().unwrap_or(&programs.worker);
        let part = start_worker(program, folder, node_url, number)?;
        started.workers.push(GridWorker {
            account: account.id(),
            device: secrets.id(),
            part,
        });
    }
    if let Some(masternode) = &mut started.masternode {
        progress("waiting for the workers to connect");
        let (jobs_api, workers) = (started.jobs_api.as_str(), started.workers.len());
        let connected = masternode.wait_until(async || connected(jobs_api, workers).await);
        match tokio::time::timeout(CONNECT_PATIENCE, connected).await {
            Ok(connected) => connected?,
            Err(_) => started.lacks_workers = true,
        }
    }
    Ok(())
}

/// Something, once so many devices are connected to the masternode.
async fn connected(jobs_api: &str, workers: usize) -> Option<()> {
    let masternode = Masternode::connect(jobs_api).await.ok()?;
    let about = masternode.client().about().await.ok()?;
    (about.devices as usize >= workers).then_some(())
}

fn make_folder(folder: &Path) -> Result<(), GridError> {
    fs::create_dir_all(folder).map_err(|source| GridError::Folder {
        folder: folder.to_owned(),
        source,
    })
}

fn write(path: &Path, text: &str) -> Result<(), GridError> {
    fs::write(path, text).map_err(|source| GridError::Folder {
        folder: path.to_owned(),
        source,
    })
}

fn start_node(programs: &Programs, plan: &Plan) -> Result<(Part, String), GridError> {
    let folder = &plan.folder;
    let (rpc_port, port) = free_ports(folder)?;
    let base = folder.join("node");
    let arguments = [
        "--alice",
        &format!("--chain={}", plan.chain),
        "--validator",
        &format!("--base-path={}", base.display()),
        &format!("--rpc-port={rpc_port}"),
        &format!("--listen-addr=/ip4/127.0.0.1/tcp/{port}"),
        "--no-prometheus",
        "--no-telemetry",
        "--no-mdns",
        // A restarted validator that is alone must not wait for others to be in step with.
        "--force-authoring",
        // The grid's folder is new; the key only names the node to peers, of which it has none.
        "--unsafe-force-node-key-generation",
        "--state-pruning=archive",
        "--blocks-pruning=archive",
    ];
    let arguments = arguments.iter().map(ToString::to_string).collect();
    let node = Part::start(
        "validator",
        &programs.node,
        arguments,
        folder.join("validator.log"),
    )?;
    Ok((node, format!("ws://127.0.0.1:{rpc_port}")))
}

/// A connection, once the chain has finalised its first block.
async fn first_block(url: &str) -> Option<Chain> {
    let chain = Chain::connect(url).await.ok()?;
    let block = chain.at_finalised().await.ok()?.block();
    (block.number > 0).then_some(chain)
}

fn start_masternode(programs: &Programs, plan: &Plan, node_url: &str) -> Result<Part, GridError> {
    let (folder, settle_wait_seconds) = (&plan.folder, plan.settle_wait_seconds);
    let own = folder.join("masternode");
    make_folder(&own)?;
    let settings = own.join("masternode.toml");
    let data = own.join("data");
    // Ports that stay the same when the masternode is restarted.
    let (devices_port, jobs_port) = free_ports(folder)?;
    write(
        &settings,
        &format!(
            "chain = \"{node_url}\"\n\
             data_dir = {data:?}\n\
             development_account = \"{OPERATOR}\"\n\
             listen = [\"/ip4/127.0.0.1/tcp/{devices_port}\", \"/ip4/127.0.0.1/udp/{devices_port}/quic-v1\"]\n\
             jobs_api_listen = \"127.0.0.1:{jobs_port}\"\n\
             settle_wait_seconds = {settle_wait_seconds}\n\
             temperature_c_max = 110\n\
             {}",
            plan.masternode_settings
        ),
    )?;
    let arguments = vec!["--config".into(), settings.display().to_string()];
    let log = folder.join("masternode.log");
    let program = plan.masternode_program.as_deref();
    let program = program.unwrap_or(&programs.masternode);
    Ok(Part::start("masternode", program, arguments, log)?)
}

/// What the operator's masternode published of itself, and answers at. In a grid that goes on the chain first
/// tells where it was before.
async fn published(chain: &Chain, operator: &Account) -> Option<MasternodeView> {
    let masternodes = chain.at_finalised().await.ok()?.masternodes().await.ok()?;
    let view = masternodes
        .into_iter()
        .find(|view| view.account == operator.id() && !view.jobs_api.is_empty())?;
    connected(&String::from_utf8_lossy(&view.jobs_api), 0).await?;
    Some(view)
}

/// Accounts with bonds and registered devices, in the order of the workers.
async fn prepare_workers(
    plan: &Plan,
    folder: &Path,
    chain: &Chain,
) -> Result<Vec<(Account, DeviceSecrets)>, GridError> {
    let mut prepared = Vec::new();
    for number in 1..=plan.workers.len() {
        let own = worker_folder(folder, number);
        make_folder(&own)?;
        let key_file = own.join("device.key");
        let secrets = if key_file.exists() {
            DeviceSecrets::load(&key_file)?
        } else {
            let secrets = DeviceSecrets::random();
            secrets.save(&key_file)?;
            secrets
        };
        prepared.push((worker_account(number - 1)?, secrets));
    }
    let poor: Vec<&Account> = prepared
        .iter()
        .skip(WORKERS.len())
        .map(|(account, _)| account)
        .collect();
    fit_out(chain, &poor).await?;
    let mut registrations = tokio::task::JoinSet::new();
    for (account, secrets) in prepared.clone() {
        let chain = chain.clone();
        registrations.spawn(async move { register(&chain, &account, &secrets).await });
    }
    // A registration that panics would have done so in this task as well.
    registrations
        .join_all()
        .await
        .into_iter()
        .collect::<Result<(), _>>()?;
    Ok(prepared)
}

/// Gives these accounts what a worker needs, unless they have it. The first worker's account pays.
async fn fit_out(chain: &Chain, poor: &[&Account]) -> Result<(), GridError> {
    let (payer, state) = (worker_account(0)?, chain.at_finalised().await?);
    let mut sent = Vec::new();
    for account in poor {
        let wallet = state.wallet(&account.id()).await?;
        // What is bonded is not free any more.
        if wallet.free > 0 || wallet.bond_active > 0 {
            continue;
        }
        let call = Call::Transfer {
            to: account.id(),
            amount: OUTFIT,
        };
        // One after the other, so that each has its place, and not waiting for any.
        sent.push(chain.send(&payer, &call).await?);
    }
    for sent in sent {
        sent.settled().await?;
    }
    Ok(())
}

fn worker_folder(folder: &Path, number: usize) -> std::path::PathBuf {
    folder.join(format!("worker-{number}"))
}

fn start_worker(
    program: &Path,
    folder: &Path,
    node_url: &str,
    number: usize,
) -> Result<Part, GridError> {
    let settings = worker_folder(folder, number).join("worker.toml");
    let prefer = if number == QUIC_WORKER { "quic" } else { "tcp" };
    write(
        &settings,
        &format!(
            "device_key = \"device.key\"\n\
             data = \"data\"\n\
             chain = [\"{node_url}\"]\n\
             prefer = \"{prefer}\"\n\
             stop_grace_s = 2\n\
             [limits]\n\
             pieces_mib = {PIECES_MIB}\n\
             {ANY_MACHINE}"
        ),
    )?;
    let arguments = vec![
        "run".into(),
        "--config".into(),
        settings.display().to_string(),
    ];
    let log = folder.join(format!("worker-{number}.log"));
    Ok(Part::start(
        &format!("worker {number}"),
        program,
        arguments,
        log,
    )?)
}

/// Bonds an account and registers a device of it, unless the device is registered.
pub async fn register(
    chain: &Chain,
    account: &Account,
    secrets: &DeviceSecrets,
) -> Result<(), GridError> {
    if chain
        .at_finalised()
        .await?
        .device(secrets.id())
        .await?
        .is_some()
    {
        return Ok(());
    }
    chain.submit(account, &Call::Bond(BOND)).await?;
    let call = Call::RegisterDevice {
        device: secrets.id(),
        sealing_key: secrets.sealing_key(),
        region: Region::Unknown,
        hardware: Hardware::Desktop,
        possession: secrets.possession(account.id(), &chain.genesis()),
    };
    chain.submit(account, &call).await?;
    Ok(())
}

/// Two ports that were free a moment ago.
fn free_ports(folder: &Path) -> Result<(u16, u16), GridError> {
    // Both are held until both are known, so that they are two.
    let held = held_port().and_then(|(one, _udp)| {
        let (other, _udp) = held_port()?;
        Ok((one.local_addr()?.port(), other.local_addr()?.port()))
    });
    held.map_err(|source| GridError::Folder {
        folder: folder.to_owned(),
        source,
    })
}

/// A port that nobody else has, neither for TCP nor for UDP.
fn held_port() -> io::Result<(TcpListener, UdpSocket)> {
    let mut tried = 0;
    loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        tried += 1;
        match UdpSocket::bind(tcp.local_addr()?) {
            Ok(udp) => return Ok((tcp, udp)),
            Err(error) if tried == PORTS_TRIED_MAX => return Err(error),
            Err(_) => {}
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_two_and_free_for_tcp_and_for_udp() {
        let (one, other) = free_ports(Path::new("grid")).unwrap();
        assert_ne!(one, other);
        for port in [one, other] {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
            UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        }
    }
}
