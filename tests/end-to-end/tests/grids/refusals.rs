//! What is refused before anything is spent, by `quern` and by the chain, and what comes back of a
//! job that nobody took.

use anyhow::{Context as _, ensure};
use quern_end_to_end::{Bench, Owner, Quern, case, program, refused, run, says, terms, wasm};
use quern_ledger::Call;
use quern_local_grid::{OWNER, find_program};
use quern_owner::{Draft, Input};
use quern_primitives::{
    BlockNumber,
    amount::{BYTECHIP, display},
    device::{Hardware, Region},
    job::{JobState, Submission},
};
use quern_shards::{cut::Split, manifest::Assembly};
use quern_worker::device::DeviceSecrets;
use serde_json::json;
use std::fs;
use tokio::process::Command;

/// The most that a refused transaction costs its sender.
const FEE_MAX: u128 = BYTECHIP / 10;

#[test]
fn what_is_refused_costs_nothing_and_says_what_to_do() {
    run(async {
        let mut bench = Bench::start(0).await?;
        let outcome = refusals(&mut bench).await;
        bench.conclude(outcome).await
    });
}

async fn refusals(bench: &mut Bench) -> anyhow::Result<()> {
    refused_at_once(bench).await?;
    // All the others have been refused by then.
    let masternode = bench.grid.masternode.as_mut();
    masternode.context("there is no masternode")?.kill().await;
    let name = "no job is paid for while no masternode answers";
    case(name, unanswered(bench)).await?;
    bench.conserves_money().await
}

async fn refused_at_once(bench: &Bench) -> anyhow::Result<()> {
    let jobs = async { case("quern refuses jobs that are none", refused_by_quern(bench)).await };
    let money = async {
        case(
            "a reference buys once, and no job costs more than there is",
            money(bench),
        )
        .await
    };
    let devices = async {
        case(
            "a device is registered once, and with its bond",
            devices(bench),
        )
        .await
    };
    let chain = async {
        case(
            "the chain refuses what went around quern",
            refused_by_the_chain(bench),
        )
        .await
    };
    let worth = async {
        case(
            "a task that is worth more than bonds cover is refused, and what is advised is taken",
            worth_too_much(bench),
        )
        .await
    };
    tokio::try_join!(jobs, money, devices, chain, worth)?;
    Ok(())
}

/// A job as good as any, of which nobody tells whether there are devices for it.
async fn unanswered(bench: &Bench) -> anyhow::Result<()> {
    let (quern, owner) = (Quern::new(bench, OWNER)?, Owner::new(bench, OWNER)?);
    let before = owner.wallet().await?;
    let (input, copies) = (bench.folder().join("lines"), bench.folder().join("copies"));
    fs::write(&input, b"one\ntwo\n")?;
    fs::write(&copies, wasm::assemble(wasm::COPIES)?)?;
    let [input, copies] = [input, copies].map(|path| path.display().to_string());
    let job = ["--split", "lines", "--program", &copies, "--input", &input];
    let quoted = quern
        .does(&[&["job", "quote"][..], &job[..]].concat())
        .await?;
    says(
        &quoted["matching"],
        &json!({ "masternodes": 0, "lack": "answers" }),
    )?;
    let submit = [&["job", "submit", "--yes"][..], &job[..]].concat();
    let words = ["masternodes answers", bench.grid.jobs_api(), "--anyway"];
    quern.refuses(1, &words, &submit).await?;
    ensure!(owner.wallet().await? == before, "money went");
    Ok(())
}

/// What `quern` says of the account's money, without the block it looked at.
async fn money_of(quern: &Quern) -> anyhow::Result<serde_json::Value> {
    let mut balance = quern.does(&["wallet", "balance"]).await?;
    if let Some(fields) = balance.as_object_mut() {
        fields.remove("block");
    }
    Ok(balance)
}

/// Program, input and further options, and with what exit code and words `quern` refuses them.
type Refused<'a> = (&'a str, &'a str, &'a [&'a str], i32, &'a [&'a str]);

/// What `quern` says to jobs that cannot be done, and that it takes nothing.
async fn refused_by_quern(bench: &Bench) -> anyhow::Result<()> {
    let (quern, owner) = (Quern::new(bench, OWNER)?, Owner::new(bench, OWNER)?);
    let before = owner.wallet().await?;
    let file = |name: &str, bytes: &[u8]| -> anyhow::Result<String> {
        let path = bench.folder().join(name);
        fs::write(&path, bytes)?;
        Ok(path.display().to_string())
    };
    let body = |name: &str, body| file(name, &wasm::assemble(body)?);
    let (input, empty) = (file("input", b"one\ntwo\n")?, file("empty", b"")?);
    let copies = body("copies.wasm", wasm::COPIES)?;
    let script = file("script.wasm", wasm::NO_PROGRAM)?;
    let imports = body("imports.wasm", wasm::IMPORTS_WHAT_IS_NOT_THERE)?;
    let endless = body("endless.wasm", wasm::LOOPS_FOR_EVER)?;
    let greedy = body("greedy.wasm", wasm::ASKS_FOR_ALL_MEMORY)?;
    let wordy = body("wordy.wasm", wasm::PRINTS_WITHOUT_END)?;

    let fuel = ["--fuel", "100000000"];
    let cases: [Refused<'_>; 10] = [
        (
            &script,
            &input,
            &[],
            1,
            &["no WebAssembly", "for the target wasm32-wasip1"],
        ),
        (
            &imports,
            &input,
            &[],
            1,
            &["`env.open_a_window`", "leave its use out"],
        ),
        (
            &endless,
            &input,
            &fuel,
            1,
            &["used up 100000000", "loops for ever", "--fuel"],
        ),
        (&greedy, &input, &[], 1, &["256 MiB of memory", "--memory"]),
        (
            &copies,
            &input,
            &["--memory", "100GB"],
            2,
            &["`memory` is 100000000000", "at most"],
        ),
        (
            &wordy,
            &input,
            &[],
            1,
            &["writes more than 16 MiB", "--result-max"],
        ),
        (
            &copies,
            &empty,
            &[],
            1,
            &["input is empty", "at least one byte"],
        ),
        (
            &copies,
            &input,
            &["--deadline-block", "1"],
            1,
            &["block 1,", "set a later"],
        ),
        (
            &copies,
            &input,
            &["--max-price", "0.000000001"],
            1,
            &["raise the price limit"],
        ),
        // There is nothing wrong with this one, but nobody is there to compute it.
        (
            &copies,
            &input,
            &["--single"],
            1,
            &["no device is connected", "--anyway"],
        ),
    ];
    for (program, input, more, code, words) in cases {
        let submit = [
            "job",
            "submit",
            "--yes",
            "--split",
            "lines",
            "--program",
            program,
        ];
        quern
            .refuses(
                code,
                words,
                &[&submit[..], &["--input", input], more].concat(),
            )
            .await?;
    }
    let jobs = quern.does(&["job", "list"]).await?;
    ensure!(
        jobs.as_array().is_some_and(Vec::is_empty),
        "there are jobs: {jobs}"
    );
    ensure!(owner.wallet().await? == before, "money went");
    Ok(())
}

/// Tasks that cost more than what makes cheating with them lose, of an owner who could pay for them: nothing
/// is taken for them, and the job that the refusal advises costs as little as is said.
async fn worth_too_much(bench: &Bench) -> anyhow::Result<()> {
    let account = "//Dave";
    let (quern, owner) = (Quern::new(bench, account)?, Owner::new(bench, account)?);
    let before = owner.wallet().await?;
    let (input, copies) = (
        bench.folder().join("two-lines"),
        bench.folder().join("worth.wasm"),
    );
    fs::write(&input, b"one\ntwo\n")?;
    fs::write(&copies, wasm::assemble(wasm::COPIES)?)?;
    let [input, copies] = [input, copies].map(|path| path.display().to_string());
    let job = ["--split", "lines", "--program", &copies, "--input", &input];
    let quote = [&["job", "quote"][..], &job[..]].concat();
    let submit = [&["job", "submit", "--yes", "--anyway"][..], &job[..]].concat();

    // One costs 0.01 BC for a gigafuel, and may cost nearly half a ByteChip; two that must agree cost 0.016 BC, and may
    // cost twice as much.
    let dear = ["--fuel", "60000000000", "--single"];
    let words = [
        "a task costs up to 0.6 BC",
        "cheating could pay",
        "more tasks",
        "`--fuel 49999999999`",
        "`--agreement unanimous`",
    ];
    for command in [&quote, &submit] {
        let refused = [&command[..], &dear[..]].concat();
        quern.refuses(1, &words, &refused).await?;
    }
    let dearer = [&submit[..], &["--fuel", "10000000000000"]].concat();
    let words = ["a task costs up to 160 BC", "no other agreement"];
    quern.refuses(1, &words, &dearer).await?;

    let cheap = [&quote[..], &["--fuel", "49999999999", "--single"]].concat();
    let quoted = quern.does(&cheap).await?;
    says(&quoted, &json!({ "task": "499999999" }))?;
    let both = [&quote[..], &["--fuel", "60000000000"]].concat();
    let quoted = quern.does(&both).await?;
    says(&quoted, &json!({ "task": "960000000" }))?;

    let jobs = quern.does(&["job", "list"]).await?;
    ensure!(
        jobs.as_array().is_some_and(Vec::is_empty),
        "there are jobs: {jobs}"
    );
    ensure!(owner.wallet().await? == before, "money went");
    Ok(())
}

/// A buyer without money, who then has a little.
async fn money(bench: &Bench) -> anyhow::Result<()> {
    let quern = Quern::new(bench, "poor")?;
    quern.does(&["keys", "new", "poor"]).await?;
    let buy = [
        "wallet",
        "buy",
        "--dollars",
        "0.01",
        "--reference",
        "bank-transfer-1",
    ];
    quern.does(&buy).await?;
    let before = money_of(&quern).await?;
    ensure!(
        before["free"] == "2000000000",
        "a cent bought {}",
        before["free"]
    );
    quern
        .refuses(
            1,
            &["Bytechip.ReferenceAlreadyUsed", "recorded already"],
            &buy,
        )
        .await?;

    let (input, histogram) = (bench.folder().join("short"), program("histogram")?);
    fs::write(&input, "a few\nwords\nthree\n")?;
    let [input, histogram] = [input, histogram].map(|path| path.display().to_string());
    let submit = [
        "job",
        "submit",
        "--yes",
        "--split",
        "lines",
        "--shard-size",
        "6",
        "--input",
        &input,
    ];
    // Three tasks of 0.96 BC each.
    let dear = ["--program", &histogram, "--fuel", "60000000000"];
    quern
        .refuses(
            1,
            &["the account has 2 BC", "quern wallet buy"],
            &[&submit[..], &dear].concat(),
        )
        .await?;
    let endless = ["--program", &histogram, "--fuel", "10000000000000"];
    quern
        .refuses(
            1,
            &[
                "a task costs up to 160 BC",
                "cheating could pay",
                "more tasks",
            ],
            &[&submit[..], &endless].concat(),
        )
        .await?;
    let after = money_of(&quern).await?;
    ensure!(after == before, "money went: {before} {after}");
    Ok(())
}

/// Registrations that the chain does not take.
async fn devices(bench: &Bench) -> anyhow::Result<()> {
    let (here, there) = ("//Eve//stash", "//Ferdie//stash");
    let (quern, other) = (Quern::new(bench, here)?, Quern::new(bench, there)?);
    let config = bench.folder().join("my-worker/worker.toml");
    fs::create_dir(bench.folder().join("my-worker"))?;
    let init = Command::new(find_program(None, "quern-worker")?)
        .args(["init", "--config"])
        .arg(&config)
        .output()
        .await?;
    ensure!(
        init.status.success(),
        "{}",
        String::from_utf8_lossy(&init.stderr)
    );
    let path = config.display().to_string();
    let register = ["device", "register", "--config", &path];

    let no_bond = [&register[..], &["--no-bond"]].concat();
    let before = Owner::new(bench, here)?.wallet().await?;
    quern
        .refuses(1, &["10 BC", "bond", "--no-bond"], &no_bond)
        .await?;
    let owner = Owner::new(bench, here)?;
    ensure!(owner.wallet().await? == before, "money went");
    let secrets = DeviceSecrets::load(&config.with_file_name("device.key"))?;
    let call = |owner: &Owner| Call::RegisterDevice {
        device: secrets.id(),
        sealing_key: secrets.sealing_key(),
        region: Region::Unknown,
        hardware: Hardware::Unknown,
        possession: secrets.possession(owner.id(), &bench.chain.genesis()),
    };
    refused(owner.call(&call(&owner)).await, "Workforce.BondTooSmall")?;

    quern.does(&register).await?;
    let second = ["registered already", "retire it there first"];
    quern.refuses(1, &second, &register).await?;
    other.refuses(1, &second, &register).await?;
    let other = Owner::new(bench, there)?;
    other.call(&Call::Bond(10 * BYTECHIP)).await?;
    refused(
        other.call(&call(&other)).await,
        "Workforce.DeviceAlreadyRegistered",
    )?;
    let known = bench
        .chain
        .at_finalised()
        .await?
        .device(secrets.id())
        .await?;
    let known = known.context("the device is not registered")?;
    ensure!(
        known.device.account == owner.id(),
        "the device changed hands"
    );
    Ok(())
}

/// Submissions that `quern` would not send.
async fn refused_by_the_chain(bench: &Bench) -> anyhow::Result<()> {
    // Of money there is a little here, and a job may cost more.
    let poor = "//Bob//poor";
    let to = Owner::new(bench, poor)?.id();
    let amount = BYTECHIP;
    let gives = Owner::new(bench, "//Bob")?;
    gives.call(&Call::Transfer { to, amount }).await?;

    type Change = fn(&mut Submission);
    let wrong: [(&str, Change, &str); 6] = [
        ("//Alice//stash", |job| job.input_bytes = 0, "Jobs.NoInput"),
        (
            "//Bob//stash",
            |job| job.deadline = 1,
            "Jobs.DeadlinePassed",
        ),
        (
            "//Charlie//stash",
            |job| job.memory_bytes_max = 100_000_000_000,
            "Jobs.TooMuchMemory",
        ),
        (
            "//Dave//stash",
            |job| job.price_max = 1,
            "Jobs.AbovePriceMax",
        ),
        (
            poor,
            |job| job.tasks = job.input_bytes as u32,
            "Jobs.BalanceBelowQuote",
        ),
        (
            "//Charlie",
            |job| job.fuel_per_task_max = 200_000_000_000,
            "Jobs.TaskWorthTooMuch",
        ),
    ];
    let mut shown = Vec::new();
    for (account, change, error) in wrong {
        shown.push(async move {
            let owner = Owner::new(bench, account)?;
            let before = owner.wallet().await?;
            let mut job = owner
                .prepare(&draft(bench, account, 900).await?)?
                .submission()?;
            // As much as a task may be worth, so that it is refused for nothing but what is changed.
            job.fuel_per_task_max = 45_000_000_000;
            job.price_max = u128::MAX;
            change(&mut job);
            refused(owner.force(job).await, error)?;
            let after = owner.wallet().await?;
            ensure!(
                after.escrow == 0,
                "{error} left {} in escrow",
                display(after.escrow)
            );
            let fee = before.free - after.free;
            ensure!(fee <= FEE_MAX, "{error} cost {}", display(fee));
            anyhow::Ok(())
        });
    }
    let shown = <[_; 6]>::try_from(shown).map_err(|_| anyhow::anyhow!("six cases"))?;
    let [a, b, c, d, e, f] = shown;
    tokio::try_join!(a, b, c, d, e, f)?;
    Ok(())
}

/// A job that may take so many blocks.
async fn draft(bench: &Bench, account: &str, blocks: BlockNumber) -> anyhow::Result<Draft> {
    let name = format!("input-{}", account.replace('/', "_"));
    let path = bench.folder().join(name);
    fs::write(&path, "nobody will ever read this\n")?;
    Ok(Draft {
        program: wasm::assemble(wasm::COPIES)?,
        input: Input::File {
            path,
            split: Split::None,
            shard_bytes: 1_024,
        },
        arguments: vec![],
        task_arguments: vec![],
        assembly: Assembly::Concatenate,
        terms: terms(bench.in_blocks(blocks).await?),
    })
}

#[test]
fn a_job_that_nobody_takes_is_refunded_whole_by_a_stranger() {
    run(async {
        let bench = Bench::start(0).await?;
        let outcome = refund(&bench).await;
        bench.conclude(outcome).await
    });
}

async fn refund(bench: &Bench) -> anyhow::Result<()> {
    let owner = Owner::new(bench, OWNER)?;
    let before = owner.wallet().await?;
    let draft = draft(bench, OWNER, 30).await?;
    let folder = owner.hand_in(&draft).await?;
    ensure!(owner.wallet().await?.escrow > 0, "nothing is in escrow");
    let stranger = Owner::new(bench, "//Charlie")?;
    let refund = Call::RefundJob(folder.job());
    refused(stranger.call(&refund).await, "Jobs.TooEarly")?;
    bench.beyond(draft.terms.deadline).await?;
    stranger.call(&refund).await?;
    let closed = bench.closed(folder.job()).await?;
    ensure!(closed.state == JobState::Expired, "{:?}", closed.state);
    ensure!(
        owner.wallet().await? == before,
        "the owner does not have everything back"
    );
    Ok(())
}
