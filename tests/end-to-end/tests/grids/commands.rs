//! Commands of `quern` that no other test types, and what they answer to programs.

use anyhow::{Context as _, ensure};
use quern_end_to_end::{Bench, Owner, Quern, case, run, says, wasm};
use quern_ledger::Account;
use quern_local_grid::{OWNER, find_program};
use quern_primitives::amount::BYTECHIP;
use serde_json::{Value, json};
use std::{fs, path::Path};
use tokio::process::Command;

mod audit;
mod council;
pub(crate) mod grid;
mod history;
mod jobs;
mod resumed;
mod rpc;
mod treasury;
mod tried;
mod watched;

/// The most that a transaction costs its sender as a fee.
const FEE_MAX: u128 = BYTECHIP / 10;

/// The randomness that the grid's chain begins with.
const SEED: [u8; 32] = [7; 32];

/// What the jobs read, and what they write.
const TEXT: &str = "one\ntwo\n";

#[test]
fn every_command_answers_what_it_did() {
    run(async {
        let folder = tempfile::tempdir()?;
        let chain = grid::seeded(folder.path(), SEED)?;
        let bench = Bench::start_as(|plan| {
            plan.workers = vec![None];
            plan.chain = chain;
        })
        .await?;
        let outcome = commands(&bench).await;
        bench.conclude(outcome).await
    });
}

async fn commands(bench: &Bench) -> anyhow::Result<()> {
    // Not beside the jobs: the treasurer, who answers payouts, and the council's first member are the
    // account that settles them.
    case("keys are kept, listed and shown", keys(bench)).await?;
    case("money is sent and paid out", money(bench)).await?;
    case("a validator's keys are put on the chain", session(bench)).await?;
    let name = "the treasurer records payments and answers payouts";
    case(name, treasury::answers(bench)).await?;
    let name = "the council proposes, votes and decides";
    case(name, council::decides(bench)).await?;
    let bond = async { case("a bond grows and shrinks, a device retires", bond(bench)).await };
    let tried = async {
        case(
            "a job's tasks are tried before anything is paid",
            tried::tried(bench),
        )
        .await
    };
    let followed =
        async { case("a job is watched, shown and fetched from", followed(bench)).await };
    let cancelled = async {
        case(
            "a job is cancelled, and its rest called back in time",
            cancelled(bench),
        )
        .await
    };
    let resumed = async {
        case(
            "a job goes on where handing it in was interrupted",
            resumed::resumed(bench),
        )
        .await
    };
    let scheduled = async {
        case(
            "the scheduler tells what it sees and why",
            grid::scheduled(bench),
        )
        .await
    };
    let watched = async {
        case(
            "a grid is watched on a terminal until a key quits",
            watched::watched(bench),
        )
        .await
    };
    let drawn = async {
        case(
            "a lottery is drawn from the chain alone",
            grid::drawn(bench),
        )
        .await
    };
    let banned = async {
        tokio::try_join!(bond, tried, followed, resumed, scheduled, watched, drawn)?;
        // Behind the jobs that the device computes, and while the one that waits for others goes on
        // waiting.
        case(
            "a banned account's device is let go, and taken back",
            council::bans(bench),
        )
        .await
    };
    tokio::try_join!(banned, cancelled)?;
    // Behind the jobs, by which the device has had a task.
    let name = "what a later day's lottery is drawn from is what the chain holds";
    case(name, grid::drawn_later(bench)).await?;
    let name = "the histories of accounts add up to what they have";
    case(name, history::adds_up(bench)).await?;
    let name = "the ledger is played again and exported, and every unit is found";
    case(name, audit::plays_again(bench)).await?;
    let name = "jobs are audited by their logs, and a log that was changed is found out";
    case(name, jobs::audited(bench)).await?;
    bench.conserves_money().await
}

/// The account with the key, and the one that sends it money.
const HOLDER: &str = "//Eve//stash";

async fn keys(bench: &Bench) -> anyhow::Result<()> {
    let quern = Quern::new(bench, HOLDER)?;
    let none = quern.does(&["keys", "list"]).await?;
    ensure!(none == json!([]), "there are keys: {none}");
    let secret = format!("0x{}", "5a".repeat(32));
    let account = Account::from_secret(&secret)?.id().to_string();
    let file = bench.folder().join("secret");
    fs::write(&file, format!("{secret}\n"))?;
    let file = file.display().to_string();

    let import = ["keys", "import", "mine", "--file", &file];
    let imported = quern.does(&import).await?;
    let public = json!({ "name": "mine", "account": account, "secret": null });
    says(&imported, &public)?;
    let kept = imported["file"].as_str().context("no file")?;
    ensure!(
        fs::read_to_string(kept)? == secret,
        "another secret is kept"
    );
    quern
        .refuses(1, &["`mine` already", "another name"], &import)
        .await?;

    let listed = quern.does(&["keys", "list"]).await?;
    let only = listed.as_array().is_some_and(|keys| keys.len() == 1);
    ensure!(only, "there are other keys: {listed}");
    says(&listed[0], &public)?;
    says(&quern.does(&["keys", "show", "mine"]).await?, &public)?;
    let shown = quern.does(&["keys", "show", "mine", "--secret"]).await?;
    says(&shown, &json!({ "account": account, "secret": secret }))?;
    quern
        .refuses(
            1,
            &["no key `yours`", "quern keys new"],
            &["keys", "show", "yours"],
        )
        .await
}

async fn money(bench: &Bench) -> anyhow::Result<()> {
    let (quern, owner) = (Quern::new(bench, HOLDER)?, Owner::new(bench, HOLDER)?);
    let account = owner.id().to_string();
    let before = owner.wallet().await?.free;
    let sent = quern.does(&["wallet", "send", "mine", "2.5"]).await?;
    let shown = quern.does(&["keys", "show", "mine"]).await?;
    says(
        &sent,
        &json!({ "to": shown["account"], "amount": "2500000000" }),
    )?;
    ensure!(
        sent["block"].is_u64() && is_digest(&sent["transaction"]),
        "{sent}"
    );
    let received = quern.does(&["wallet", "balance", "mine"]).await?;
    says(&received, &json!({ "free": "2500000000" }))?;
    let spent = before - owner.wallet().await?.free;
    let cost = 5 * BYTECHIP / 2;
    ensure!(
        (cost..=cost + FEE_MAX).contains(&spent),
        "sending took {spent}"
    );
    quern
        .refuses(
            1,
            &["to spend, not 100000000 BC", "quern wallet buy"],
            &["wallet", "send", "mine", "100000000"],
        )
        .await?;

    let burnt = async || -> anyhow::Result<u128> {
        Ok(bench.chain.at_finalised().await?.totals().await?.burnt)
    };
    // What becomes of the money for each of the treasurer's answers: burnt, back, still held.
    let answers = [
        ("complete", 3 * BYTECHIP, 0),
        ("return", 0, 0),
        ("none", 0, 3 * BYTECHIP),
    ];
    for (answer, gone, held) in answers {
        let (before, burnt_before) = (owner.wallet().await?.free, burnt().await?);
        let payout = ["wallet", "payout", "3", "--destination", "account 7"];
        let asked = quern
            .does(&[&payout[..], &["--answer", answer]].concat())
            .await?;
        says(
            &asked,
            &json!({ "account": account, "amount": "3000000000", "answer": answer }),
        )?;
        ensure!(
            asked["payout"].is_u64() && is_digest(&asked["destination_digest"]),
            "{asked}"
        );
        let wallet = owner.wallet().await?;
        ensure!(wallet.payouts == held, "{answer}: {wallet:?}");
        let fee = (before - gone - held).checked_sub(wallet.free);
        ensure!(
            fee.is_some_and(|fee| fee <= FEE_MAX),
            "{answer}: {wallet:?}"
        );
        ensure!(burnt().await? - burnt_before == gone, "{answer}");
    }
    Ok(())
}

/// Keys by which the holder's account would validate, if the council admitted it. They are kept by the
/// grid's own node, to which they make no difference.
async fn session(bench: &Bench) -> anyhow::Result<()> {
    let (quern, owner) = (Quern::new(bench, HOLDER)?, Owner::new(bench, HOLDER)?);
    let before = owner.wallet().await?.free;
    let first = quern.does(&["keys", "session"]).await?;
    says(&first, &json!({ "account": owner.id().to_string() }))?;
    let deposit = before - owner.wallet().await?.free;
    ensure!(
        (BYTECHIP..=BYTECHIP + FEE_MAX).contains(&deposit),
        "keys took {deposit}"
    );
    let known = |answer: &Value| {
        answer["keys"]
            .as_str()
            .is_some_and(|keys| keys.len() == 130)
    };
    let second = quern.does(&["keys", "session"]).await?;
    ensure!(
        known(&first) && known(&second) && first["keys"] != second["keys"],
        "other keys: {first}, then {second}"
    );
    Ok(())
}

/// Whether a value is the hexadecimal form of 32 bytes.
fn is_digest(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| text.len() == 66 && text.starts_with("0x"))
}

async fn bond(bench: &Bench) -> anyhow::Result<()> {
    let quern = Quern::new(bench, "//Dave//stash")?;
    let folder = bench.folder().join("retiring");
    fs::create_dir(&folder)?;
    let config = folder.join("worker.toml");
    let init = Command::new(find_program(None, "quern-worker")?)
        .args(["init", "--config"])
        .arg(&config)
        .output()
        .await?;
    ensure!(init.status.success(), "{init:?}");
    let config = config.display().to_string();
    let of_device = |command: &'static str| ["device", command, "--config", &config];
    let registered = quern.does(&of_device("register")).await?;
    says(&registered, &json!({ "bonded_now": "10000000000" }))?;

    let withdraw = ["device", "withdraw"];
    quern
        .refuses(
            1,
            &["nothing is unbonding", "quern device unbond"],
            &withdraw,
        )
        .await?;
    let bonded = quern.does(&["device", "bond", "5"]).await?;
    says(
        &bonded,
        &json!({
            "done": "bonded",
            "account": registered["account"],
            "amount": "5000000000",
            "bond_active": "15000000000",
            "withdrawable_at": null,
        }),
    )?;
    let too_much = ["device", "unbond", "6"];
    quern
        .refuses(
            1,
            &["5 BC can be unbonded", "quern device retire"],
            &too_much,
        )
        .await?;
    let unbonding = quern.does(&["device", "unbond", "5"]).await?;
    says(
        &unbonding,
        &json!({ "done": "unbonding", "amount": "5000000000", "bond_active": "10000000000" }),
    )?;
    says(
        &unbonding["unbonding"][0],
        &json!({ "amount": "5000000000", "withdrawable_at": unbonding["withdrawable_at"] }),
    )?;
    let (now, free_at) = (&unbonding["block"], &unbonding["withdrawable_at"]);
    ensure!(
        free_at.as_u64() > now.as_u64(),
        "it is free at once: {unbonding}"
    );
    quern
        .refuses(1, &["nothing can be withdrawn yet", "5 BC"], &withdraw)
        .await?;

    let retired = quern.does(&of_device("retire")).await?;
    says(
        &retired,
        &json!({ "device": registered["device"], "bond_active": "0" }),
    )?;
    says(
        &retired["unbonding"][1],
        &json!({ "amount": "10000000000", "withdrawable_at": retired["withdrawable_at"] }),
    )?;
    quern
        .refuses(1, &["the chain knows no device"], &of_device("show"))
        .await?;
    let none = quern.does(&["device", "list"]).await?;
    ensure!(none == json!([]), "there are devices: {none}");
    // It took its bond with it, which covers neither this key nor another one now.
    let no_part = ["the bond is 0 BC", "unbonding already is no part of it"];
    let unbond = ["device", "unbond", "10"];
    quern.refuses(1, &no_part, &unbond).await
}

/// Program and input of a job that copies, as `quern job submit` takes them.
fn copying(bench: &Bench, name: &str) -> anyhow::Result<[String; 4]> {
    let file = |ending: &str, bytes: &[u8]| -> anyhow::Result<String> {
        let path = bench.folder().join(format!("{name}.{ending}"));
        fs::write(&path, bytes)?;
        Ok(path.display().to_string())
    };
    Ok([
        "--program".to_owned(),
        file("wasm", &wasm::assemble(wasm::COPIES)?)?,
        "--input".to_owned(),
        file("txt", TEXT.as_bytes())?,
    ])
}

/// Submits a job that copies. Returns its name.
async fn submitted(
    quern: &Quern,
    bench: &Bench,
    name: &str,
    more: &[&str],
) -> anyhow::Result<String> {
    let copying = copying(bench, name)?;
    let copying: Vec<_> = copying.iter().map(String::as_str).collect();
    let submit = ["job", "submit", "--yes", "--split", "none"];
    let answer = quern
        .does(&[&submit[..], &copying[..], more].concat())
        .await?;
    ensure!(
        is_digest(&answer["job"]) && answer["block"].is_u64(),
        "{answer}"
    );
    Ok(answer["job"].as_str().unwrap_or_default().to_owned())
}

async fn followed(bench: &Bench) -> anyhow::Result<()> {
    let quern = Quern::new(bench, OWNER)?;
    // Its shards stay, so that the audit can compute it again.
    let more = ["--single", "--keep-shards"];
    let job = submitted(&quern, bench, "followed", &more).await?;
    let (code, told) = quern.tells(&["job", "watch", &job]).await?;
    let (end, updates) = told.split_last().context("nothing is told")?;
    ensure!(code == 0, "watching ended with {code}: {told:?}");
    says(end, &json!({ "job": job, "end": "all_settled" }))?;
    for update in updates {
        says(update, &json!({ "job": job, "tasks": 1 }))?;
    }

    // The first digits are enough where a job was submitted.
    let digits = &job[..12];
    let shown = quern.over(digits).await?;
    says(
        &shown,
        &json!({ "job": job, "settled_tasks": 1, "refund_from": null, "pending": [] }),
    )?;
    says(
        &shown["state"],
        &json!({ "state": "completed", "end": "all_settled" }),
    )?;
    let deposited = &shown["escrow"]["deposited"];
    ensure!(*deposited == end["escrow"]["deposited"], "{shown}");
    let show = ["job", "show", digits, "--trust-seed"];
    let with_seed = quern.does(&show).await?;
    ensure!(with_seed["trust_seed"].is_string(), "{with_seed}");
    rpc::tells(bench, &shown).await?;
    batches(&quern, bench, digits, &shown).await?;
    let explained = quern.does(&["explain", "job", digits]).await?;
    says(
        &explained,
        &json!({ "job": job, "state": "completed", "reasons": [] }),
    )?;
    let result = bench.folder().join("followed.result");
    let path = result.display().to_string();
    let fetched = quern
        .does(&["job", "result", digits, "--output", &path])
        .await?;
    says(
        &fetched,
        &json!({ "job": job, "output": path, "bytes": TEXT.len() }),
    )?;
    ensure!(fs::read_to_string(&result)? == TEXT, "another result");
    quern
        .refuses(2, &["--output"], &["job", "result", digits])
        .await
}

/// The only batch of a job of one task, which is what the chain says of the job and what its receipt is
/// proved against.
async fn batches(quern: &Quern, bench: &Bench, job: &str, shown: &Value) -> anyhow::Result<()> {
    let listed = quern.does(&["job", "batches", job]).await?;
    let whole = json!({ "job": shown["job"], "settled_batches": 1, "adds_up": true });
    says(&listed, &whole)?;
    let batch = &listed["batches"][0];
    let paid = &shown["escrow"]["paid"];
    says(
        batch,
        &json!({ "batch": 0, "tasks": 1, "paid": paid, "state": "final" }),
    )?;
    let folder = bench.folder().join("receipts");
    let path = folder.display().to_string();
    let receipts = ["job", "receipts", job, "--folder", &path];
    quern.does(&receipts).await?;
    let file = audit::first_receipt(&folder)?;
    let receipt: Value = serde_json::from_slice(&fs::read(&file)?)?;
    let root = json!({ "verdicts_root": receipt["verdicts_root"] });
    says(batch, &root)?;
    verifies(quern, &file).await?;
    compared(quern, job, &file, &receipt).await?;
    let behind = ["job", "batches", job, "--from", "1"];
    quern
        .refuses(1, &["1 batch so far", "--from"], &behind)
        .await?;
    let nothing = "ff".repeat(32);
    let unknown = ["job", "batches", &nothing];
    quern
        .refuses(1, &["the chain knows no job"], &unknown)
        .await
}

/// The receipt in this file has the verdict of the job's log. Another one is not passed over: it is of another
/// job, or the chain has settled no such verdict.
async fn compared(quern: &Quern, job: &str, file: &Path, receipt: &Value) -> anyhow::Result<()> {
    let path = file.display().to_string();
    let compared = quern
        .does(&["audit", "job", job, "--receipt", &path])
        .await?;
    says(&compared, &json!({ "difference_count": 0, "holds": true }))?;
    let others = [
        (
            "/verdict/job",
            json!("5a".repeat(32)),
            "is a receipt of job",
        ),
        (
            "/verdict/price",
            json!("1"),
            "is not among those that batch 0",
        ),
        ("/batch", json!(1), "is not among those that batch 1"),
    ];
    let other = file.with_file_name("other.json");
    let path = other.display().to_string();
    for (place, value, words) in others {
        let mut changed = receipt.clone();
        let found = changed.pointer_mut(place);
        *found.with_context(|| format!("no {place} in {receipt}"))? = value;
        fs::write(&other, changed.to_string())?;
        let arguments = ["audit", "job", job, "--receipt", &path];
        quern.refuses(2, &[words], &arguments).await?;
    }
    Ok(())
}

/// The receipt in this file holds, by what the node proves and on its word.
async fn verifies(quern: &Quern, file: &Path) -> anyhow::Result<()> {
    let file = file.display().to_string();
    let ways: [(&[&str], bool); 2] = [(&[], true), (&["--trust-node"], false)];
    for (options, proves) in ways {
        let arguments = [&["verify", &file][..], options].concat();
        let verified = quern.does(&arguments).await?;
        says(
            &verified,
            &json!({ "holds": true, "discarded_block": null }),
        )?;
        let checks = verified["checks"].as_array().context("no checks")?;
        for name in ["chain", "account", "paid"] {
            let of_name = checks.iter().find(|check| check["check"] == name);
            ensure!(
                of_name.is_some_and(|check| check["holds"] == true),
                "`{name}` is not checked: {verified}"
            );
        }
        let blocks = verified["proven_by"].as_array().context("no proofs")?;
        ensure!(blocks.is_empty() != proves, "{verified}");
    }
    Ok(())
}

/// Two devices of different accounts are wanted, and there is one, so that the job does not end
/// before its owner cancels it.
async fn cancelled(bench: &Bench) -> anyhow::Result<()> {
    let account = "//Alice//stash";
    let (quern, owner) = (Quern::new(bench, account)?, Owner::new(bench, account)?);
    let before = owner.wallet().await?;
    let copying = copying(bench, "few")?;
    let copying: Vec<_> = copying.iter().map(String::as_str).collect();
    let submit = ["job", "submit", "--yes", "--split", "none"];
    let words = ["1 account, and each task needs 2", "--replicas", "--anyway"];
    quern
        .refuses(1, &words, &[&submit[..], &copying[..]].concat())
        .await?;
    ensure!(owner.wallet().await? == before, "money went");
    let deadline = bench.in_blocks(30).await?;
    let block = deadline.to_string();
    let anyway = ["--anyway", "--deadline-block", &block];
    let job = submitted(&quern, bench, "cancelled", &anyway).await?;
    let refund = ["job", "refund", &job];
    quern.refuses(1, &["Jobs.TooEarly"], &refund).await?;
    let explained = quern.does(&["explain", "job", &job]).await?;
    says(&explained["status"], &json!({ "job": job, "tasks": 1 }))?;
    let why = &explained["reasons"][0];
    ensure!(
        why["rule"].is_string() && why["words"].is_string() && why["next"].is_string(),
        "nothing keeps it waiting, or nothing can be done: {explained}"
    );
    let explained = quern.does(&["explain", "task", &job, "0"]).await?;
    says(&explained, &json!({ "job": job, "task": 0 }))?;
    quern
        .refuses(1, &["no task 7"], &["explain", "task", &job, "7"])
        .await?;

    let cancelled = quern.does(&["job", "cancel", &job]).await?;
    let from = u64::from(deadline) + 1;
    says(
        &cancelled,
        &json!({ "job": job, "state": "cancelling", "until": deadline, "refund_from": from }),
    )?;
    ensure!(is_digest(&cancelled["transaction"]), "{cancelled}");
    quern
        .refuses(1, &["Jobs.AlreadyCancelled"], &["job", "cancel", &job])
        .await?;
    // It is followed until its coordinator's time is over.
    let (code, told) = quern.tells(&["job", "watch", &job]).await?;
    let is_told = |told: &Value| told["refund_from"] == from;
    let why = told.last().map(|last| last["error"].to_string());
    ensure!(
        code == 1
            && told.iter().any(is_told)
            && why.is_some_and(|why| why.contains("quern job refund")),
        "watching ended with {code}: {told:?}"
    );

    let back = quern.does(&refund).await?;
    says(
        &back,
        &json!({ "job": job, "state": "cancelled", "refund_from": null }),
    )?;
    says(
        &back["escrow"],
        &json!({ "refunded": back["escrow"]["deposited"], "paid": "0", "held": "0" }),
    )?;
    let after = owner.wallet().await?;
    let fees = before.free.checked_sub(after.free);
    ensure!(
        after.escrow == 0 && fees.is_some_and(|fees| fees <= 4 * FEE_MAX),
        "not all is back: {after:?}"
    );
    Ok(())
}
