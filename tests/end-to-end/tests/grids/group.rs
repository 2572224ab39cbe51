//! A job of several masternodes on the chain of several validators, of which some stop.

use super::attribution::acting;
use anyhow::{Context as _, ensure};
use jsonrpsee::{
    core::{client::ClientT as _, params::ArrayParams},
    ws_client::WsClientBuilder,
};
use quern_end_to_end::{adds_up, repository, run, say, small_picture, wasm};
use quern_ledger::{Account, Chain};
use quern_local_grid::{OWNER, Part, Programs, development_account, register};
use quern_owner::{Collector, Coordinator, Draft, JobFolder, Members, prepare, submit};
use quern_primitives::{
    AccountId, DeviceId, JobId,
    group::Group,
    job::{Agreement, Job, JobEnd, JobState},
};
use quern_worker::device::DeviceSecrets;
use std::{
    fs,
    net::{Ipv4Addr, TcpListener, UdpSocket},
    path::{Path, PathBuf},
    time::Duration,
};

/// The operators: each has a validator, and a masternode that follows it.
const OPERATORS: [&str; 4] = ["Alice", "Bob", "Charlie", "Dave"];

/// The accounts of the workers.
const WORKERS: [&str; 3] = ["//Eve", "//Bob//stash", "//Charlie//stash"];

/// Blocks of silence after which another masternode goes on: a minute and a half.
const STALL: u64 = 45;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// An operator's programs.
struct Operator {
    account: Account,
    validator: Part,
    node_url: String,
    masternode: Part,
}

/// A chain with its masternodes and workers. Its processes end when it is dropped.
struct World {
    folder: tempfile::TempDir,
    operators: Vec<Operator>,
    workers: Vec<Worker>,
    chain: Chain,
}

/// A worker. Its process ends when it is dropped.
struct Worker {
    device: DeviceId,
    _part: Part,
}

#[test]
#[ignore = "eleven processes take minutes; `cargo xtask test --nightly` runs it"]
fn a_job_completes_with_one_validator_and_one_masternode_stopped() {
    run(async {
        let mut world = World::start().await?;
        let outcome = one_of_each_stopped(&mut world).await;
        world.conclude(outcome)
    });
}

#[test]
#[ignore = "eleven processes take minutes; `cargo xtask test --nightly` runs it"]
fn a_job_completes_although_its_coordinator_stops_in_the_middle() {
    run(async {
        let mut world = World::start().await?;
        let outcome = the_coordinator_stopped(&mut world).await;
        world.conclude(outcome)
    });
}

#[test]
#[ignore = "eleven processes take minutes; `cargo xtask test --nightly` runs it"]
fn a_job_whose_program_fails_is_ended_by_its_whole_group() {
    run(async {
        let mut world = World::start().await?;
        let outcome = the_program_fails(&mut world).await;
        world.conclude(outcome)
    });
}

#[test]
#[ignore = "eleven processes take minutes; `cargo xtask test --nightly` runs it"]
fn what_devices_differ_on_another_masternode_computes_than_the_coordinator() {
    run(async {
        let mut world =
            World::start_with(&["--share 0", "--share 0", "--lie random --seed 1"]).await?;
        let outcome = one_worker_lies(&mut world).await;
        world.conclude(outcome)
    });
}

async fn one_worker_lies(world: &mut World) -> anyhow::Result<()> {
    // Two must agree: the liar soon rests, and the other two are enough.
    let unanimous = |draft: &mut Draft| draft.terms.agreement = Agreement::Unanimous;
    let (folder, expected) = world.hand_in_as(unanimous).await?;
    let job = folder.job();
    let group = world.group(job).await?;
    let coordinator = Coordinator::of(&world.chain, job).await?;
    let mut members = Members::begin(&world.chain, &folder).await?;
    ensure!(members.reached() == 2, "{:?}", members.missed());
    coordinator.upload(&folder, |_| {}).await?;
    members.upload_shards(&folder).await;
    let closed = world.closed(job).await?;
    is_settled(&closed)?;
    ensure!(
        world.result(&folder).await? == expected,
        "it is another picture"
    );
    let liar = world.workers[2].device;
    let view = world.chain.at_finalised().await?.device(liar).await?;
    let record = view.context("the chain forgot the liar")?.device.record;
    ensure!(
        record.incorrect > 0 && record.accepted == 0,
        "the liar is not found wrong: {record:?}"
    );
    let mut computed = Vec::new();
    for member in &group.members {
        let name = OPERATORS[world.number_of(&member.account)?];
        let log = fs::read_to_string(world.folder.path().join(format!("masternode-{name}.log")))?;
        computed.push(
            log.matches("devices differ on a task; it is computed here")
                .count(),
        );
    }
    ensure!(
        computed[0] == 0 && computed[1] > 0,
        "not the others computed what the devices differed on: {computed:?}"
    );
    Ok(())
}

async fn one_of_each_stopped(world: &mut World) -> anyhow::Result<()> {
    let (folder, expected) = world.hand_in().await?;
    let job = folder.job();
    let group = world.group(job).await?;
    ensure!((group.members.len(), group.needed()) == (3, 2), "{group:?}");
    // Whoever else of the group stops, the coordinator and the third are enough.
    let silent = world.number_of(&group.members[1].account)?;
    world.operators[silent].masternode.kill().await;
    world.operators[silent].validator.kill().await;
    say(&format!("{} has stopped", OPERATORS[silent]));
    let coordinator = world.number_of(&group.members[0].account)?;
    world.chain = Chain::connect(&world.operators[coordinator].node_url).await?;
    Coordinator::of(&world.chain, job)
        .await?
        .upload(&folder, |_| {})
        .await?;
    let mut members = Members::begin(&world.chain, &folder).await?;
    ensure!(members.reached() == 1, "{:?}", members.missed());
    members.upload_shards(&folder).await;
    let closed = world.closed(job).await?;
    is_settled(&closed)?;
    let certified = world.certified_by(job).await?;
    ensure!(certified >= 1, "no batch was settled");
    ensure!(
        world.result(&folder).await? == expected,
        "it is another picture"
    );
    Ok(())
}

async fn the_coordinator_stopped(world: &mut World) -> anyhow::Result<()> {
    let (folder, expected) = world.hand_in().await?;
    let job = folder.job();
    let group = world.group(job).await?;
    let first = world.number_of(&group.members[0].account)?;
    let second = world.number_of(&group.members[1].account)?;
    world.chain = Chain::connect(&world.operators[second].node_url).await?;

    // The second half of the shards comes only once the first half is settled.
    let tasks = world.job(job).await?.submission.tasks;
    let kept_back: Vec<PathBuf> = (tasks / 2..tasks).map(|task| folder.shard(task)).collect();
    let aside = |path: &Path| path.with_extension("aside");
    for path in &kept_back {
        fs::rename(path, aside(path))?;
    }
    let coordinator = Coordinator::of(&world.chain, job).await?;
    let mut members = Members::begin(&world.chain, &folder).await?;
    ensure!(members.reached() == 2, "{:?}", members.missed());
    let uploaded = coordinator.upload(&folder, |_| {}).await;
    ensure!(uploaded.is_err(), "shards that are not there were uploaded");
    while world.job(job).await?.settled_tasks < tasks / 2 {
        tokio::time::sleep(PAUSE).await;
    }
    for path in &kept_back {
        fs::rename(aside(path), path)?;
    }
    members.upload_shards(&folder).await;
    ensure!(members.reached() == 2, "{:?}", members.missed());
    world.operators[first].masternode.kill().await;
    say(&format!(
        "{} has stopped with {} of {tasks} tasks settled",
        OPERATORS[first],
        tasks / 2
    ));

    let closed = world.closed(job).await?;
    is_settled(&closed)?;
    // The first half of the results is where it was decided.
    world.operators[first].masternode.restart()?;
    let result = world.result(&folder).await?;
    ensure!(result == expected, "it is another picture");
    Ok(())
}

async fn the_program_fails(world: &mut World) -> anyhow::Result<()> {
    let program = wasm::assemble(wasm::LOOPS_FOR_EVER)?;
    let changed = world.hand_in_as(|draft| {
        draft.program = program;
        draft.terms.fuel_per_task_max = 300_000_000;
    });
    let (folder, _) = changed.await?;
    let job = folder.job();
    let group = world.group(job).await?;
    ensure!(group.needed() == 2, "{group:?}");
    let coordinator = Coordinator::of(&world.chain, job).await?;
    let mut members = Members::begin(&world.chain, &folder).await?;
    ensure!(members.reached() == 2, "{:?}", members.missed());
    // The job may end before the last shard is there.
    let _ = coordinator.upload(&folder, |_| {}).await;
    members.upload_shards(&folder).await;
    let closed = world.closed(job).await?;
    // The chain takes no such end with fewer than two certificates.
    ensure!(
        matches!(
            closed.state,
            JobState::Completed {
                end: JobEnd::ProgramFailed { .. }
            }
        ),
        "{:?}",
        closed.state
    );
    adds_up(&closed.escrow)
}

fn is_settled(closed: &Job) -> anyhow::Result<()> {
    let end = JobEnd::AllSettled;
    ensure!(
        closed.state == JobState::Completed { end },
        "{:?}",
        closed.state
    );
    adds_up(&closed.escrow)
}

impl World {
    async fn start() -> anyhow::Result<Self> {
        Self::start_with(&[]).await
    }

    /// With workers of which each acts as is said of it.
    async fn start_with(acts: &[&str]) -> anyhow::Result<Self> {
        let mut folder = tempfile::Builder::new().prefix("quern-test-").tempdir()?;
        folder.disable_cleanup(true);
        let (own, programs) = (folder.path(), Programs::find(None)?);
        let spec = specification(own)?;
        let (mut validators, mut known) = (Vec::new(), Vec::new());
        for name in OPERATORS {
            let (mut validator, url, port) = start_validator(&programs, own, &spec, name, &known)?;
            let peer = validator.wait_until(async || peer_id(&url).await).await?;
            known.push(format!("/ip4/127.0.0.1/tcp/{port}/p2p/{peer}"));
            validators.push((validator, url));
        }
        let (last, url) = validators.last_mut().context("there are validators")?;
        let url = url.clone();
        let chain = last.wait_until(async || first_block(&url).await).await?;
        let mut operators = Vec::new();
        for (name, (validator, node_url)) in OPERATORS.into_iter().zip(validators) {
            let masternode = start_masternode(&programs, own, &node_url, name)?;
            operators.push(Operator {
                account: development_account(&format!("//{name}"))?,
                validator,
                node_url,
                masternode,
            });
        }
        for operator in &mut operators {
            let account = operator.account.id();
            let published = async || {
                let views = chain.at_finalised().await.ok()?.masternodes().await.ok()?;
                views.iter().any(|it| it.account == account).then_some(())
            };
            operator.masternode.wait_until(published).await?;
        }
        let (mut workers, acting_in) = (Vec::new(), own.join("acting"));
        fs::create_dir_all(&acting_in)?;
        for (number, name) in WORKERS.into_iter().enumerate() {
            // Each follows another validator, so that they are not all blind when one stops.
            let urls: Vec<_> = operators.iter().map(|it| it.node_url.as_str()).collect();
            let program = match acts.get(number) {
                Some(act) => acting(&acting_in, number, act)?,
                None => programs.worker.clone(),
            };
            workers.push(start_worker(&program, own, &urls, &chain, (number, name)).await?);
        }
        Ok(Self {
            folder,
            operators,
            workers,
            chain,
        })
    }

    fn conclude(mut self, outcome: anyhow::Result<()>) -> anyhow::Result<()> {
        self.folder.disable_cleanup(outcome.is_err());
        outcome.with_context(|| format!("logs are in {}", self.folder.path().display()))
    }

    /// Submits a job, and gives what should come of it.
    async fn hand_in(&self) -> anyhow::Result<(JobFolder, Vec<u8>)> {
        self.hand_in_as(|_| {}).await
    }

    /// The same, changed.
    async fn hand_in_as(
        &self,
        change: impl FnOnce(&mut Draft),
    ) -> anyhow::Result<(JobFolder, Vec<u8>)> {
        let deadline = self.chain.at_finalised().await?.block().number + 600;
        let (mut draft, expected) = small_picture(self.folder.path(), deadline)?;
        change(&mut draft);
        let (owner, genesis) = (development_account(OWNER)?, self.chain.genesis());
        let jobs = self.folder.path().join("jobs");
        fs::create_dir_all(&jobs)?;
        let folder = prepare(&jobs, genesis, &owner.id(), &draft, |_, _| {})?;
        submit(&self.chain, &owner, &folder).await?;
        Ok((folder, expected))
    }

    async fn job(&self, job: JobId) -> anyhow::Result<Job> {
        let known = self.chain.at_finalised().await?.job(job).await?;
        known.context("the chain lost the job")
    }

    async fn group(&self, job: JobId) -> anyhow::Result<Group> {
        loop {
            if let Some(group) = self.chain.at_finalised().await?.group(job).await? {
                return Ok(group);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn number_of(&self, account: &AccountId) -> anyhow::Result<usize> {
        let mut operators = self.operators.iter();
        let number = operators.position(|it| it.account.id() == *account);
        number.context("a stranger is in the group")
    }

    async fn closed(&self, job: JobId) -> anyhow::Result<Job> {
        loop {
            let known = self.job(job).await?;
            if !known.state.is_open() {
                return Ok(known);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// How many batches of the job the chain has.
    async fn certified_by(&self, job: JobId) -> anyhow::Result<usize> {
        let state = self.chain.at_finalised().await?;
        let mut count = 0;
        while state.batch(job, u32::try_from(count)?).await?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    /// The result, put together from what each masternode has of it.
    async fn result(&self, folder: &JobFolder) -> anyhow::Result<Vec<u8>> {
        let mut result = Vec::new();
        let mut collector = Collector::new(self.chain.genesis(), folder, Some(&mut result))?;
        while !collector.is_whole() {
            for coordinator in Coordinator::each_of(&self.chain, folder.job()).await? {
                // One that has just started may not answer yet.
                let _ = collector.fetch(&coordinator, |_| {}).await;
            }
            tokio::time::sleep(PAUSE).await;
        }
        collector.finish()?;
        Ok(result)
    }
}

/// The local chain with a short stall.
fn specification(folder: &Path) -> anyhow::Result<PathBuf> {
    let text = fs::read_to_string(repository().join("chain-spec/local.json"))?;
    let mut spec: serde_json::Value = serde_json::from_str(&text)?;
    let values = spec.pointer_mut("/genesis/runtimeGenesis/patch/params/values");
    let values = values.and_then(serde_json::Value::as_array_mut);
    let values = values.context("the specification sets parameters")?;
    values.push(serde_json::json!(["stall", STALL]));
    let path = folder.join("chain.json");
    fs::write(&path, spec.to_string())?;
    Ok(path)
}

fn start_validator(
    programs: &Programs,
    folder: &Path,
    spec: &Path,
    name: &str,
    known: &[String],
) -> anyhow::Result<(Part, String, u16)> {
    let [rpc, port] = free_ports()?;
    let mut arguments = vec![
        format!("--{}", name.to_lowercase()),
        format!("--chain={}", spec.display()),
        "--validator".to_owned(),
        format!(
            "--base-path={}",
            folder.join(format!("node-{name}")).display()
        ),
        format!("--compiled-runtimes={}", folder.join("compiled").display()),
        format!("--rpc-port={rpc}"),
        format!("--listen-addr=/ip4/127.0.0.1/tcp/{port}"),
        "--no-prometheus".to_owned(),
        "--no-telemetry".to_owned(),
        "--no-mdns".to_owned(),
        "--unsafe-force-node-key-generation".to_owned(),
        "--state-pruning=archive".to_owned(),
    ];
    arguments.extend(known.iter().map(|known| format!("--bootnodes={known}")));
    let log = folder.join(format!("validator-{name}.log"));
    let part = Part::start(&format!("validator {name}"), &programs.node, arguments, log)?;
    Ok((part, format!("ws://127.0.0.1:{rpc}"), port))
}

async fn peer_id(url: &str) -> Option<String> {
    let client = WsClientBuilder::default().build(url).await.ok()?;
    let peer = client.request("system_localPeerId", ArrayParams::new());
    peer.await.ok()
}

async fn first_block(url: &str) -> Option<Chain> {
    let chain = Chain::connect(url).await.ok()?;
    let block = chain.at_finalised().await.ok()?.block();
    (block.number > 0).then_some(chain)
}

fn start_masternode(
    programs: &Programs,
    folder: &Path,
    node_url: &str,
    name: &str,
) -> anyhow::Result<Part> {
    let own = folder.join(format!("masternode-{name}"));
    fs::create_dir_all(&own)?;
    let [devices, jobs] = free_ports()?;
    let (settings, data) = (own.join("masternode.toml"), own.join("data"));
    let text = format!(
        "chain = \"{node_url}\"\n\
         data_dir = {data:?}\n\
         development_account = \"//{name}\"\n\
         listen = [\"/ip4/127.0.0.1/tcp/{devices}\"]\n\
         jobs_api_listen = \"127.0.0.1:{jobs}\"\n\
         settle_wait_seconds = 2\n\
         temperature_c_max = 110\n"
    );
    fs::write(&settings, text)?;
    let arguments = vec!["--config".to_owned(), settings.display().to_string()];
    let log = folder.join(format!("masternode-{name}.log"));
    let title = format!("masternode {name}");
    Ok(Part::start(&title, &programs.masternode, arguments, log)?)
}

async fn start_worker(
    program: &Path,
    folder: &Path,
    node_urls: &[&str],
    chain: &Chain,
    (number, name): (usize, &str),
) -> anyhow::Result<Worker> {
    let own = folder.join(format!("worker-{number}"));
    fs::create_dir_all(&own)?;
    let secrets = DeviceSecrets::random();
    secrets.save(&own.join("device.key"))?;
    let account = development_account(name)?;
    register(chain, &account, &secrets).await?;
    let settings = own.join("worker.toml");
    let text = format!(
        "device_key = \"device.key\"\n\
         data = \"data\"\n\
         chain = {node_urls:?}\n\
         prefer = \"tcp\"\n\
         stop_grace_s = 2\n\
         [availability]\ntemperature_c_max = 110\nbattery_percent_min = 0\n"
    );
    fs::write(&settings, text)?;
    let config = settings.display().to_string();
    let arguments = vec!["run".to_owned(), "--config".to_owned(), config];
    let log = folder.join(format!("worker-{number}.log"));
    let title = format!("worker {number}");
    Ok(Worker {
        device: secrets.id(),
        _part: Part::start(&title, program, arguments, log)?,
    })
}

/// Two ports that were free a moment ago, for TCP and for UDP.
fn free_ports() -> anyhow::Result<[u16; 2]> {
    let mut held = Vec::new();
    while held.len() < 2 {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr()?) {
            held.push((tcp, udp));
        }
    }
    let port = |(tcp, _): &(TcpListener, UdpSocket)| tcp.local_addr().map(|it| it.port());
    Ok([port(&held[0])?, port(&held[1])?])
}
