//! A chain of several validators, each with a masternode that follows it, and workers.

use crate::attribution::acting;
use anyhow::Context as _;
use jsonrpsee::{
    core::{client::ClientT as _, params::ArrayParams},
    ws_client::WsClientBuilder,
};
use quern_end_to_end::{repository, small_picture};
use quern_jobs_api::JobsApiClient as _;
use quern_ledger::{Account, Call, Chain};
use quern_local_grid::{OWNER, Part, Programs, development_account, register};
use quern_owner::{Collector, Coordinator, Draft, JobFolder, prepare, submit};
use quern_primitives::{
    AccountId, Amount, DeviceId, JobId, group::Group, job::Job, params::Parameter,
};
use quern_worker::device::DeviceSecrets;
use std::{
    fs,
    net::{Ipv4Addr, TcpListener, UdpSocket},
    path::{Path, PathBuf},
    time::Duration,
};

/// The operators: each has a validator, and a masternode that follows it.
pub(super) const OPERATORS: [&str; 4] = ["Alice", "Bob", "Charlie", "Dave"];

/// The accounts of the workers.
pub(super) const WORKERS: [&str; 3] = ["//Eve", "//Bob//stash", "//Charlie//stash"];

/// Blocks of silence after which another masternode goes on: a minute and a half.
const STALL: u64 = 45;

/// The window in which a batch can be disputed, in blocks: a minute, so that a member that computes a task on a
/// busy machine is in time. That of the local chain is ten seconds.
const WINDOW: u64 = 30;

/// Pause between two looks.
pub(super) const PAUSE: Duration = Duration::from_millis(500);

/// What is special about a chain and its workers.
#[derive(Default)]
pub(super) struct Special<'a> {
    /// How workers act; those of whom nothing is said are honest.
    pub(super) acts: &'a [&'a str],
    /// Parameters of the chain, and what they are set to.
    pub(super) params: &'a [(&'a str, u64)],
}

/// How many there are of what.
struct Size {
    /// Of the operators the first so many have a validator, and say what the council does.
    validators: usize,
    masternodes: usize,
    workers: usize,
}

/// Each operator has a validator and a masternode.
const WHOLE: Size = Size {
    validators: OPERATORS.len(),
    masternodes: OPERATORS.len(),
    workers: WORKERS.len(),
};

/// As few as a group of three and two that must agree take. All masternodes follow the one validator.
const SMALL: Size = Size {
    validators: 1,
    masternodes: 3,
    workers: 2,
};

/// As few as a group of three and a stripe of three pieces take.
const KEEPING: Size = Size {
    validators: 1,
    masternodes: 3,
    workers: 3,
};

/// An operator's programs, beside its validator.
pub(super) struct Operator {
    pub(super) account: Account,
    pub(super) node_url: String,
    pub(super) masternode: Part,
}

/// A chain with its masternodes and workers. Its processes end when it is dropped.
pub(super) struct World {
    pub(super) folder: tempfile::TempDir,
    pub(super) validators: Vec<Part>,
    pub(super) operators: Vec<Operator>,
    pub(super) workers: Vec<Worker>,
    pub(super) chain: Chain,
}

/// A worker. Its process ends when it is dropped.
pub(super) struct Worker {
    pub(super) device: DeviceId,
    pub(super) part: Part,
}

impl World {
    pub(super) async fn start() -> anyhow::Result<Self> {
        Self::start_with(Special::default()).await
    }

    pub(super) async fn start_with(special: Special<'_>) -> anyhow::Result<Self> {
        Self::start_of(&WHOLE, special).await
    }

    /// The smallest in which a job has a group of three, with these parameters.
    pub(super) async fn start_small(params: &[(&str, u64)]) -> anyhow::Result<Self> {
        Self::start_of(&SMALL, Special { acts: &[], params }).await
    }

    /// The smallest in which a group of three has pieces kept with three machines, with these parameters.
    pub(super) async fn start_keeping(params: &[(&str, u64)]) -> anyhow::Result<Self> {
        Self::start_of(&KEEPING, Special { acts: &[], params }).await
    }

    async fn start_of(size: &Size, special: Special<'_>) -> anyhow::Result<Self> {
        let mut folder = tempfile::Builder::new().prefix("quern-test-").tempdir()?;
        folder.disable_cleanup(true);
        let (own, programs) = (folder.path(), Programs::find(None)?);
        let spec = specification(own, size, special.params)?;
        let (mut validators, mut urls, mut known) = (Vec::new(), Vec::new(), Vec::new());
        for name in OPERATORS.into_iter().take(size.validators) {
            let (mut validator, url, port) = start_validator(&programs, own, &spec, name, &known)?;
            let peer = validator.wait_until(async || peer_id(&url).await).await?;
            known.push(format!("/ip4/127.0.0.1/tcp/{port}/p2p/{peer}"));
            validators.push(validator);
            urls.push(url);
        }
        let (last, url) = validators
            .last_mut()
            .zip(urls.last())
            .context("there are validators")?;
        let chain = last.wait_until(async || first_block(url).await).await?;
        let mut operators = Vec::new();
        // Who has no validator follows those of the others in turns.
        let urls = urls.into_iter().cycle();
        for (name, node_url) in OPERATORS.into_iter().take(size.masternodes).zip(urls) {
            let masternode = start_masternode(&programs, own, &node_url, name)?;
            operators.push(Operator {
                account: development_account(&format!("//{name}"))?,
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
        for (number, name) in WORKERS.into_iter().take(size.workers).enumerate() {
            // Each follows another validator, so that they are not all blind when one stops.
            let urls: Vec<_> = operators.iter().map(|it| it.node_url.as_str()).collect();
            let program = match special.acts.get(number) {
                Some(act) => acting(&acting_in, number, act)?,
                None => programs.worker.clone(),
            };
            workers.push(start_worker(&program, own, &urls, &chain, (number, name)).await?);
        }
        Ok(Self {
            folder,
            validators,
            operators,
            workers,
            chain,
        })
    }

    /// Ends an operator's masternode and runs another program in its place, with its settings and all that it
    /// has; it is there when it answers.
    pub(super) async fn run_masternode(
        &mut self,
        number: usize,
        program: &Path,
    ) -> anyhow::Result<()> {
        let operator = &mut self.operators[number];
        operator.masternode.kill().await;
        let (own, name) = (self.folder.path(), OPERATORS[number]);
        operator.masternode = run_masternode(program, own, name)?;
        let views = self.chain.at_finalised().await?.masternodes().await?;
        let account = operator.account.id();
        let view = views.into_iter().find(|it| it.account == account);
        let view = view.context("the masternode was never reached")?;
        let url = String::from_utf8(view.jobs_api)?;
        let answers = async || {
            let client = WsClientBuilder::default().build(&url).await.ok()?;
            client.grid_state().await.ok()
        };
        operator.masternode.wait_until(answers).await?;
        Ok(())
    }

    /// The council of one sets a parameter.
    pub(super) async fn set(&self, parameter: Parameter, value: Amount) -> anyhow::Result<()> {
        let state = self.chain.at_finalised().await?;
        let call = state.encoded(&Call::SetParameter { parameter, value })?;
        let threshold = 1;
        let motion = Call::ProposeMotion { threshold, call };
        self.chain
            .submit(&self.operators[0].account, &motion)
            .await?;
        Ok(())
    }

    /// One more worker joins, who is honest.
    pub(super) async fn join(&mut self, name: &str) -> anyhow::Result<()> {
        let program = Programs::find(None)?.worker;
        let urls = self.operators.iter().map(|it| it.node_url.as_str());
        let (urls, number): (Vec<_>, _) = (urls.collect(), self.workers.len());
        let own = self.folder.path();
        let worker = start_worker(&program, own, &urls, &self.chain, (number, name)).await?;
        self.workers.push(worker);
        Ok(())
    }

    pub(super) fn conclude(mut self, outcome: anyhow::Result<()>) -> anyhow::Result<()> {
        self.folder.disable_cleanup(outcome.is_err());
        outcome.with_context(|| format!("logs are in {}", self.folder.path().display()))
    }

    /// Submits a job, and gives what should come of it.
    pub(super) async fn hand_in(&self) -> anyhow::Result<(JobFolder, Vec<u8>)> {
        self.hand_in_as(|_| {}).await
    }

    /// The same, changed.
    pub(super) async fn hand_in_as(
        &self,
        change: impl FnOnce(&mut Draft),
    ) -> anyhow::Result<(JobFolder, Vec<u8>)> {
        let deadline = self.chain.at_finalised().await?.block().number + 600;
        let (mut draft, expected) = small_picture(self.folder.path(), deadline)?;
        change(&mut draft);
        Ok((self.submit(&draft).await?, expected))
    }

    /// Submits a job.
    pub(super) async fn submit(&self, draft: &Draft) -> anyhow::Result<JobFolder> {
        let (owner, genesis) = (development_account(OWNER)?, self.chain.genesis());
        let jobs = self.folder.path().join("jobs");
        fs::create_dir_all(&jobs)?;
        let folder = prepare(&jobs, genesis, &owner.id(), draft, |_, _| {})?;
        submit(&self.chain, &owner, &folder).await?;
        Ok(folder)
    }

    pub(super) async fn job(&self, job: JobId) -> anyhow::Result<Job> {
        let known = self.chain.at_finalised().await?.job(job).await?;
        known.context("the chain lost the job")
    }

    pub(super) async fn group(&self, job: JobId) -> anyhow::Result<Group> {
        loop {
            if let Some(group) = self.chain.at_finalised().await?.group(job).await? {
                return Ok(group);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub(super) fn number_of(&self, account: &AccountId) -> anyhow::Result<usize> {
        let mut operators = self.operators.iter();
        let number = operators.position(|it| it.account.id() == *account);
        number.context("a stranger is in the group")
    }

    pub(super) async fn closed(&self, job: JobId) -> anyhow::Result<Job> {
        loop {
            let known = self.job(job).await?;
            if !known.state.is_open() {
                return Ok(known);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until so many tasks of the job are settled.
    pub(super) async fn settled(&self, job: JobId, tasks: u32) -> anyhow::Result<()> {
        while self.job(job).await?.settled_tasks < tasks {
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// How many batches of the job the chain has.
    pub(super) async fn certified_by(&self, job: JobId) -> anyhow::Result<usize> {
        let state = self.chain.at_finalised().await?;
        let mut count = 0;
        while state.batch(job, u32::try_from(count)?).await?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    /// The result, put together from what each masternode has of it.
    pub(super) async fn result(&self, folder: &JobFolder) -> anyhow::Result<Vec<u8>> {
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

/// The local chain of so many operators, with a short stall, a longer window, and these parameters.
fn specification(folder: &Path, size: &Size, params: &[(&str, u64)]) -> anyhow::Result<PathBuf> {
    let text = fs::read_to_string(repository().join("chain-spec/local.json"))?;
    let mut spec: serde_json::Value = serde_json::from_str(&text)?;
    // Who has no keys of the session makes no blocks.
    let shortened = [
        ("roster/masternodes", size.masternodes),
        ("session/keys", size.validators),
        ("councilMembers/members", size.validators),
    ];
    for (name, length) in shortened {
        listed(&mut spec, name)?.truncate(length);
    }
    let values = listed(&mut spec, "params/values")?;
    // Of two that set one parameter the later counts.
    for param in [("stall", STALL), ("window", WINDOW)].iter().chain(params) {
        values.push(serde_json::json!(param));
    }
    let path = folder.join("chain.json");
    fs::write(&path, spec.to_string())?;
    Ok(path)
}

/// A list of what a specification begins with.
fn listed<'a>(
    spec: &'a mut serde_json::Value,
    name: &str,
) -> anyhow::Result<&'a mut Vec<serde_json::Value>> {
    let list = spec.pointer_mut(&format!("/genesis/runtimeGenesis/patch/{name}"));
    let list = list.and_then(serde_json::Value::as_array_mut);
    list.with_context(|| format!("the specification has no list {name}"))
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
    run_masternode(&programs.masternode, folder, name)
}

/// Runs a program as the masternode whose settings are there.
fn run_masternode(program: &Path, folder: &Path, name: &str) -> anyhow::Result<Part> {
    let settings = folder.join(format!("masternode-{name}/masternode.toml"));
    let arguments = vec!["--config".to_owned(), settings.display().to_string()];
    let log = folder.join(format!("masternode-{name}.log"));
    let title = format!("masternode {name}");
    Ok(Part::start(&title, program, arguments, log)?)
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
         [limits]\npieces_mib = 256\n\
         [availability]\ntemperature_c_max = 110\nbattery_percent_min = 0\n"
    );
    fs::write(&settings, text)?;
    let config = settings.display().to_string();
    let arguments = vec!["run".to_owned(), "--config".to_owned(), config];
    let log = folder.join(format!("worker-{number}.log"));
    let title = format!("worker {number}");
    Ok(Worker {
        device: secrets.id(),
        part: Part::start(&title, program, arguments, log)?,
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
