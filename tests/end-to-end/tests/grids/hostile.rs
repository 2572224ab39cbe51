//! Owners, peers and masternodes that do what they should not: nobody honest loses by it.

use anyhow::{bail, ensure};
use quern_end_to_end::{Bench, Owner, adds_up, case, run, say, terms, wasm};
use quern_jobs_api::{
    ApiError, Blob, JobsApiClient as _, MESSAGE_BYTES_MAX, OwnerToken, PIECE_BYTES_MAX, Phase,
};
use quern_ledger::Call;
use quern_local_grid::{Part, find_program};
use quern_owner::{ApiFailure, CoordinatorError, Draft, Input};
use quern_primitives::{
    Digest, JobId, TaskIndex,
    job::{Job, JobEnd, JobState},
    receipt::Exit,
};
use quern_shards::{cut::Split, manifest::Assembly};
use quern_worker::device::DeviceSecrets;
use std::{fs, path::PathBuf};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::Command,
};

#[test]
fn nobody_honest_loses_by_what_others_do() {
    run(async {
        let bench = Bench::start(3).await?;
        let outcome = hostile(&bench).await;
        bench.conclude(outcome).await
    });
}

async fn hostile(bench: &Bench) -> anyhow::Result<()> {
    let before = bench.workers_money().await?;
    let uploads = async {
        case(
            "an altered shard and too long messages are refused, the right ones serve",
            altered_upload(bench),
        )
        .await
    };
    let no_program = async {
        case(
            "a program that is no WebAssembly is refused by the masternode",
            not_taken(
                bench,
                "//Alice//stash",
                wasm::NO_PROGRAM.to_vec(),
                "wasm32-wasip1",
            ),
        )
        .await
    };
    let at_rest = async {
        case(
            "a shard altered behind the masternode's check is refused by the workers",
            altered_at_rest(bench),
        )
        .await
    };
    let imports = async {
        let program = wasm::assemble(wasm::IMPORTS_WHAT_IS_NOT_THERE)?;
        case(
            "a program that imports what is not there is refused by the masternode",
            not_taken(bench, "//Charlie//stash", program, "env.open_a_window"),
        )
        .await
    };
    let endless = async {
        case(
            "a program that loops for ever ends by its fuel",
            fails(
                bench,
                "//Dave//stash",
                wasm::LOOPS_FOR_EVER,
                Exit::OutOfFuel,
            ),
        )
        .await
    };
    let greedy = async {
        case(
            "a program that asks for all memory ends by its limit",
            fails(
                bench,
                "//Eve//stash",
                wasm::ASKS_FOR_ALL_MEMORY,
                Exit::OutOfMemory,
            ),
        )
        .await
    };
    let stranger = async {
        case(
            "a device that is not registered is told so and gets nothing",
            unregistered(bench),
        )
        .await
    };
    let wordy = async {
        case(
            "a program that prints without end ends by its limit",
            fails(
                bench,
                "//Ferdie//stash",
                wasm::PRINTS_WITHOUT_END,
                Exit::OutputTooLong,
            ),
        )
        .await
    };
    let (uploaded, at_rest, ..) = tokio::try_join!(
        uploads, at_rest, no_program, imports, endless, greedy, wordy, stranger
    )?;

    // Workers got what the good tasks paid, and keep a clean record.
    let after = bench.workers_money().await?;
    let gained: u128 = after
        .iter()
        .zip(&before)
        .map(|(after, before)| after - before)
        .sum();
    let paid = uploaded + at_rest;
    ensure!(
        gained == paid,
        "workers gained {gained}, the good tasks paid {paid}"
    );
    let state = bench.chain.at_finalised().await?;
    for worker in &bench.grid.workers {
        let record = state
            .device(worker.device)
            .await?
            .map(|view| view.device.record);
        let clean = record.is_some_and(|it| (it.failed, it.delayed, it.incorrect) == (0, 0, 0));
        ensure!(clean, "an honest device is blamed: {record:?}");
    }
    bench.conserves_money().await
}

/// A worker with a device that the chain does not know, while there are tasks to be had.
async fn unregistered(bench: &Bench) -> anyhow::Result<()> {
    let folder = bench.folder().join("stranger");
    fs::create_dir(&folder)?;
    let (settings, log) = (folder.join("worker.toml"), folder.join("worker.log"));
    let program = find_program(None, "quern-worker")?;
    let init = Command::new(&program)
        .args(["init", "--config"])
        .arg(&settings)
        .output()
        .await?;
    ensure!(init.status.success(), "{init:?}");
    let node = bench.grid.node_url();
    fs::write(
        &settings,
        format!("device_key = \"device.key\"\ndata = \"data\"\nchain = [\"{node}\"]\n"),
    )?;
    // Its log in JSON, in which fields can be looked for.
    let arguments = ["run", "--json", "--once", "--config"];
    let arguments = arguments.map(str::to_owned).to_vec();
    let arguments = [arguments, vec![settings.display().to_string()]].concat();
    let mut worker = Part::start("stranger", &program, arguments, log.clone())?;
    let refused = "refused: the device is not registered; run `quern device register`";
    worker
        .wait_until(async || {
            fs::read_to_string(&log)
                .ok()?
                .contains(refused)
                .then_some(())
        })
        .await?;
    let secrets = DeviceSecrets::load(&folder.join("device.key"))?;
    let known = bench
        .chain
        .at_finalised()
        .await?
        .device(secrets.id())
        .await?;
    ensure!(known.is_none(), "the device is registered");
    // With `--once` it would have ended with its first task.
    worker.stop().await;
    let told = fs::read_to_string(&log)?;
    ensure!(
        told.contains("\"acknowledged\":0") && !told.contains("let in"),
        "the stranger was served: {told}"
    );
    Ok(())
}

/// A job that goes around `quern`: two shards of four bytes.
async fn draft(bench: &Bench, account: &str, program: Vec<u8>) -> anyhow::Result<Draft> {
    let name = account.replace('/', "_");
    let path = bench
        .folder()
        .join(format!("input{name}-{}", program.len()));
    fs::write(&path, "one\ntwo\n")?;
    let mut terms = terms(bench.in_blocks(900).await?);
    terms.fuel_per_task_max = 300_000_000;
    Ok(Draft {
        program,
        input: Input::File {
            path,
            split: Split::Lines,
            shard_bytes: 4,
        },
        arguments: vec![],
        task_arguments: vec![],
        assembly: Assembly::Concatenate,
        terms,
    })
}

/// The program fails on the devices in this way, and that costs nobody anything.
async fn fails(bench: &Bench, account: &str, body: &str, exit: Exit) -> anyhow::Result<()> {
    let owner = Owner::new(bench, account)?;
    let before = owner.wallet().await?;
    let draft = draft(bench, account, wasm::assemble(body)?).await?;
    let (folder, ended) = owner.through(&draft).await?;
    // The coordinator hears of the block in which it ended when we do.
    bench
        .when(folder.job(), |status| status.phase == Phase::Closed)
        .await?;
    let result = owner
        .result(&folder)
        .await
        .map_err(|error| format!("{error:#}"));
    ensure!(
        matches!(&result, Err(error) if error.contains("the program fails at task")),
        "the result is {result:?}"
    );
    match &ended.state {
        JobState::Completed {
            end: JobEnd::ProgramFailed { exit: found, .. },
        } if *found == exit => {}
        other => bail!("the job ended as {other:?}"),
    }
    whole(&ended)?;
    ensure!(
        owner.wallet().await? == before,
        "the owner does not have everything back"
    );
    Ok(())
}

/// The coordinator refuses the program and says what is wrong with it; the owner takes the job back.
async fn not_taken(
    bench: &Bench,
    account: &str,
    program: Vec<u8>,
    word: &str,
) -> anyhow::Result<()> {
    let owner = Owner::new(bench, account)?;
    let before = owner.wallet().await?;
    let mut draft = draft(bench, account, program).await?;
    draft.terms.deadline = bench.in_blocks(30).await?;
    let folder = owner.hand_in(&draft).await?;
    match owner
        .coordinator(&folder)
        .await?
        .upload(&folder, |_| {})
        .await
    {
        Err(CoordinatorError::Api(ApiFailure::Refused(ApiError::BadProgram { reason }))) => {
            ensure!(reason.contains(word), "{reason}");
        }
        other => bail!("the coordinator says {other:?}"),
    }
    owner.call(&Call::CancelJob(folder.job())).await?;
    bench.beyond(draft.terms.deadline).await?;
    if bench.job(folder.job()).await?.state.is_open() {
        owner.call(&Call::RefundJob(folder.job())).await?;
    }
    whole(&bench.closed(folder.job()).await?)?;
    ensure!(
        owner.wallet().await?.escrow == before.escrow,
        "something stays in escrow"
    );
    Ok(())
}

/// Wrong bytes on their way to the masternode. Returns what the job then paid to workers.
async fn altered_upload(bench: &Bench) -> anyhow::Result<u128> {
    let account = "//Ferdie";
    let owner = Owner::new(bench, account)?;
    let draft = draft(bench, account, wasm::assemble(wasm::COPIES)?).await?;
    let folder = owner.hand_in(&draft).await?;
    let coordinator = owner.coordinator(&folder).await?;
    let (job, client) = (folder.job(), coordinator.client());
    let shard = fs::read(folder.shard(0))?;

    // Key and manifest go first. Then a stranger is quicker with another first shard, and after that
    // the owner sends a wrong one.
    coordinator.begin(&folder).await?;
    let (token, strangers) = (coordinator.token(&folder)?, OwnerToken(Digest([7; 32])));
    let mut altered = shard.clone();
    altered[shard.len() / 2] ^= 1;
    let foreign = client
        .put_shard(job, strangers, 0, 0, Blob(altered.clone()))
        .await;
    ensure!(
        refusal(foreign) == Some(ApiError::NotOwner),
        "it took a stranger's shard"
    );
    let wrong = client.put_shard(job, token, 0, 0, Blob(altered)).await;
    ensure!(
        refusal(wrong) == Some(ApiError::WrongShard { task: 0 }),
        "it took another shard"
    );
    let long = client
        .put_shard(job, token, 0, 0, Blob(vec![0; PIECE_BYTES_MAX + 1]))
        .await;
    let limit = shard.len() as u64;
    ensure!(
        refusal(long) == Some(ApiError::TooLong { limit }),
        "it took too long a piece"
    );
    let answer = oversized(bench.grid.jobs_api()).await?;
    ensure!(
        answer.starts_with("HTTP/1.1 413")
            && answer.contains("Request is too big")
            && answer.contains(&MESSAGE_BYTES_MAX.to_string()),
        "it took too long a message, or does not name the limit: {answer}"
    );

    coordinator.upload(&folder, |_| {}).await?;
    let ended = bench.closed(job).await?;
    let end = JobEnd::AllSettled;
    ensure!(
        ended.state == JobState::Completed { end },
        "{:?}",
        ended.state
    );
    ensure!(
        owner.result(&folder).await? == b"one\ntwo\n",
        "the result is another one"
    );
    let told = client.corrections(job, strangers, 0).await;
    ensure!(
        refusal(told) == Some(ApiError::NotOwner),
        "it told a stranger which answers are wrong"
    );
    let told = client.corrections(job, token, 0).await?;
    ensure!(told.corrections.is_empty(), "{told:?}");
    let none = client.read_correction(job, token, 0, 0).await;
    ensure!(
        refusal(none) == Some(ApiError::NotCorrected { task: 0 }),
        "it has another result than the accepted one"
    );
    adds_up(&ended.escrow)?;
    Ok(ended.escrow.paid)
}

/// Posts a message to the Jobs API that is over its limit. Returns the answer.
async fn oversized(jobs_api: &str) -> anyhow::Result<String> {
    let address = jobs_api.trim_start_matches("ws://");
    let mut stream = TcpStream::connect(address).await?;
    let length = MESSAGE_BYTES_MAX + 1;
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    // It may answer and close before all of it is sent.
    let _ = stream.write_all(&vec![b' '; length as usize]).await;
    let mut answer = Vec::new();
    // It may cut the connection behind its answer.
    let _ = stream.take(4_096).read_to_end(&mut answer).await;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// A masternode that gives out other bytes than the owner's: the file of a shard changes after it
/// was checked.
/// Returns what the job then paid to workers.
async fn altered_at_rest(bench: &Bench) -> anyhow::Result<u128> {
    let account = "//Bob//stash";
    let owner = Owner::new(bench, account)?;
    let before = owner.wallet().await?;
    let mut draft = draft(bench, account, wasm::assemble(wasm::COPIES)?).await?;
    draft.terms.deadline = bench.in_blocks(45).await?;
    let folder = owner.hand_in(&draft).await?;
    let coordinator = owner.coordinator(&folder).await?;
    coordinator.begin(&folder).await?;
    let (job, client) = (folder.job(), coordinator.client());
    let token = coordinator.token(&folder)?;
    // A small one that comes whole is kept in memory too. This one comes in two pieces, so it is on disk alone.
    let shard = fs::read(folder.shard(0))?;
    let (head, tail) = shard.split_at(shard.len() / 2);
    for (offset, piece) in [(0, head), (head.len() as u64, tail)] {
        client
            .put_shard(job, token, 0, offset, Blob(piece.to_vec()))
            .await?;
    }
    let kept = kept_shard(bench, job)?;
    let mut bytes = fs::read(&kept)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&kept, bytes)?;
    coordinator.upload(&folder, |_| {}).await?;

    // It ends by itself once so many accounts could not open the shard that none will, and that takes
    // half a minute at the least; before its deadline, unless the machine is busy.
    tokio::select! {
        ended = bench.closed(job) => { ended?; }
        passed = bench.beyond(draft.terms.deadline) => passed?,
    }
    if bench.job(job).await?.state.is_open() {
        owner.call(&Call::RefundJob(job)).await?;
    }
    let ended = bench.closed(job).await?;
    say(&format!(
        "the job with the altered shard: {:?}",
        ended.state
    ));
    adds_up(&ended.escrow)?;
    let refusals = handed_back(bench, job, 0)?;
    ensure!(refusals > 0, "no worker was given the altered shard");
    let stuck = JobState::Completed {
        end: JobEnd::Undecided { task: 0 },
    };
    match ended.settled_tasks {
        1 => {}
        0 if ended.state == stuck => {}
        settled => bail!("{settled} of two tasks are settled, one of them has an altered shard"),
    }
    let lost = before.free - owner.wallet().await?.free;
    ensure!(
        lost == ended.escrow.paid + ended.escrow.network,
        "the owner lost {lost}"
    );
    Ok(ended.escrow.paid)
}

/// How many workers say that what they were given of a task is not what they were assigned.
fn handed_back(bench: &Bench, job: JobId, task: TaskIndex) -> anyhow::Result<usize> {
    let replica = format!("job: {job}, task: {task},");
    let mut workers = 0;
    for worker in &bench.grid.workers {
        let log = fs::read_to_string(worker.part.log())?;
        let is_refusal = |line: &str| {
            line.contains("the shard is not the one assigned") && line.contains(&replica)
        };
        workers += usize::from(log.lines().any(is_refusal));
    }
    Ok(workers)
}

/// Where the masternode keeps the first shard of a job.
fn kept_shard(bench: &Bench, job: JobId) -> anyhow::Result<PathBuf> {
    let mut folders = vec![bench.grid.folder().join("masternode")];
    let name = hex::encode(job.0);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.ends_with(&name) {
                return Ok(path.join("shards/0"));
            }
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    bail!("the masternode keeps nothing of the job")
}

/// Why the coordinator refused a request, if it did.
fn refusal<T>(outcome: Result<T, jsonrpsee::core::ClientError>) -> Option<ApiError> {
    match outcome.map_err(ApiFailure::from) {
        Err(ApiFailure::Refused(error)) => Some(error),
        _ => None,
    }
}

/// Fails unless all of a job's escrow came back.
fn whole(ended: &Job) -> anyhow::Result<()> {
    adds_up(&ended.escrow)?;
    ensure!(
        ended.escrow.refunded == ended.escrow.deposited,
        "not all came back: {:?}",
        ended.escrow
    );
    Ok(())
}
