//! A coordinator that lies in what it signs, alone in the group of each job. An auditor who reads its log
//! finds the lie, shows it to the chain within the window, and gets its part of the masternode's bond. Where a
//! batch falls the owner has its money back.

use anyhow::{Context as _, ensure};
use quern_end_to_end::{Bench, Owner, Quern, adds_up, case, run, says, terms, wasm};
use quern_local_grid::{OPERATOR, OWNER, development_account, find_program};
use quern_owner::{Draft, Input};
use quern_primitives::{
    AccountId, Amount, BlockNumber, JobId,
    batch::{BatchRecord, BatchState},
    job::{Agreement, JobEnd, JobState},
    params::Params,
};
use quern_shards::{cut::Split, manifest::Assembly};
use serde_json::json;
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// Who audits: no worker of the grid, and nobody's owner.
const AUDITOR: &str = "//Eve";

/// The window in which a batch can be disputed, in blocks of two seconds: longer than an audit takes on a busy
/// machine. That of a development chain is ten seconds.
pub(super) const WINDOW: &str = "300";

/// What the jobs read, a task for each line.
pub(super) const TEXT: &str = "one\ntwo\nsix\nten\n";

/// How many that are.
pub(super) const TASKS: u32 = 4;

/// Bytes of a task's input: a line.
const LINE_BYTES: u32 = 4;

/// Pause between two looks at something that takes its time.
const PAUSE: Duration = Duration::from_millis(300);

/// A lie and what comes of it.
struct Told {
    /// What the masternode does, as its program takes it.
    lie: &'static str,
    agreement: Agreement,
    /// What the audit calls the difference that convicts.
    code: &'static str,
    /// What is proved, and of what.
    offence: &'static str,
    place: &'static str,
    /// Whether the workers show the auditor what the masternode acknowledged.
    words: bool,
    /// Whether all jobs are audited at once, and not this one alone.
    range: bool,
}

impl Told {
    /// A lie about a batch of which all must agree.
    const fn of_batch(lie: &'static str, code: &'static str, offence: &'static str) -> Self {
        Self {
            lie,
            agreement: Agreement::Unanimous,
            code,
            offence,
            place: "batch",
            words: false,
            range: false,
        }
    }

    /// Whether the batch falls. What was signed twice, and what was left out, costs its signer alone.
    fn strikes(&self) -> bool {
        self.place == "batch"
    }
}

#[test]
fn a_coordinator_that_asks_more_than_the_price_loses_its_bond_to_the_auditor_who_says_so() {
    caught(&Told::of_batch(
        "overprice",
        "verdict",
        "a verdict has another price than the rules give",
    ));
}

#[test]
#[ignore = "a grid for each lie takes minutes; `cargo xtask test --nightly` runs them"]
fn a_coordinator_that_pays_a_stranger_loses_its_bond_when_the_chain_adds_up() {
    caught(&Told::of_batch(
        "pay-stranger",
        "payouts",
        "a batch does not pay what its verdicts make",
    ));
}

#[test]
#[ignore = "a grid for each lie takes minutes; `cargo xtask test --nightly` runs them"]
fn a_coordinator_that_leaves_a_worker_out_has_too_few_receipts_and_loses_its_bond() {
    caught(&Told::of_batch(
        "leave-out",
        "verdict",
        "a verdict names too few receipts for its ground",
    ));
}

#[test]
#[ignore = "a grid for each lie takes minutes; `cargo xtask test --nightly` runs them"]
fn a_coordinator_that_calls_an_answer_wrong_is_convicted_by_the_answer_s_receipt() {
    caught(&Told {
        agreement: Agreement::Majority { replicas: 3 },
        ..Told::of_batch(
            "call-wrong",
            "verdict",
            "a verdict finds another answer than the receipt has",
        )
    });
}

#[test]
#[ignore = "a grid for each lie takes minutes; `cargo xtask test --nightly` runs them"]
fn a_coordinator_that_settles_another_batch_than_its_log_has_loses_its_bond() {
    caught(&Told {
        range: true,
        ..Told::of_batch(
            "two-batches",
            "batch_payouts",
            "a batch was settled otherwise than its coordinator wrote it down",
        )
    });
}

#[test]
#[ignore = "a grid for each lie takes minutes; `cargo xtask test --nightly` runs them"]
fn a_coordinator_that_writes_two_verdicts_on_one_task_loses_its_bond_and_the_batch_stands() {
    caught(&Told {
        place: "signer",
        ..Told::of_batch(
            "judge-twice",
            "judged_twice",
            "two verdicts were written down for one task",
        )
    });
}

#[test]
#[ignore = "a grid for each lie takes minutes; `cargo xtask test --nightly` runs them"]
fn a_coordinator_that_leaves_out_what_it_acknowledged_loses_its_bond_to_who_shows_its_word() {
    caught(&Told {
        agreement: Agreement::Majority { replicas: 3 },
        place: "receipt",
        words: true,
        ..Told::of_batch(
            "keep-back",
            "omitted",
            "acknowledged work is not in the task's verdict",
        )
    });
}

#[test]
#[ignore = "a grid for each lie takes minutes; `cargo xtask test --nightly` runs them"]
fn a_coordinator_that_writes_a_device_down_as_another_account_s_loses_its_bond() {
    caught(&Told::of_batch(
        "misassign",
        "assignment",
        "a replica was given to a device that could not have it",
    ));
}

#[test]
#[ignore = "a grid for each lie takes minutes; `cargo xtask test --nightly` runs them"]
fn a_coordinator_that_gives_replicas_to_accounts_of_another_lane_loses_its_bond() {
    caught(&Told {
        agreement: Agreement::Majority { replicas: 3 },
        ..Told::of_batch(
            "other-lane",
            "assignment",
            "a replica was given in a lane in which its account is not",
        )
    });
}

/// Holds a grid whose masternode tells this lie, and as many workers as a task has replicas.
fn caught(told: &Told) {
    run(async {
        let folder = tempfile::tempdir()?;
        let liar = lying(folder.path(), told.lie)?;
        let workers = usize::from(told.agreement.replicas());
        let bench = Bench::start_as(|plan| {
            plan.workers = vec![None; workers];
            plan.masternode_program = Some(liar);
            plan.settle_wait_seconds = 1;
        })
        .await?;
        let name = format!("who tells the lie `{}` is caught", told.lie);
        let outcome = case(&name, audited(&bench, told)).await;
        bench.conclude(outcome).await
    });
}

/// A program that is a masternode with this lie.
pub(super) fn lying(folder: &Path, lie: &str) -> anyhow::Result<PathBuf> {
    altered(folder, &format!("--lie {lie}"))
}

/// A program that is a masternode of which something is altered.
pub(super) fn altered(folder: &Path, how: &str) -> anyhow::Result<PathBuf> {
    let program = find_program(None, "quern-lying-masternode")?;
    let path = folder.join("masternode");
    fs::write(&path, format!("#!/bin/sh\nexec {program:?} \"$@\" {how}\n"))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

async fn audited(bench: &Bench, told: &Told) -> anyhow::Result<()> {
    let council = Quern::new(bench, OPERATOR)?;
    let set = ["council", "propose", "set-parameter", "window", WINDOW];
    let made = council.does(&set).await?;
    says(&made, &json!({ "done": "made" }))?;
    let (job, name) = settled(bench, told.agreement).await?;

    let quern = Quern::new(bench, AUDITOR)?;
    let before = Before::of(bench, AUDITOR).await?;

    // What is found is kept, and shown to the chain at once.
    let kept = bench.folder().join("evidence").display().to_string();
    let of_what = match told.range {
        true => ["range", "1.."],
        false => ["job", name.as_str()],
    };
    let mut audit = vec!["audit"];
    audit.extend(of_what);
    audit.extend(["--evidence", kept.as_str(), "--file-disputes"]);
    let words = words(bench);
    if told.words {
        audit.extend(words.iter().flat_map(|file| ["--words", file.as_str()]));
    }
    let audited = quern.run(&audit).await?;
    ensure!(
        audited.code == 1,
        "the audit ended with {}: {} {}",
        audited.code,
        audited.error(),
        audited.answer
    );
    says(&audited.answer, &json!({ "holds": false }))?;
    let of_job = match told.range {
        true => &audited.answer["differing"][0],
        false => &audited.answer,
    };
    says(of_job, &json!({ "job": name, "holds": false }))?;
    let found = of_job["differences"].as_array();
    let mut found = found.context("no differences")?.iter();
    let found = found
        .find(|difference| difference["code"] == told.code)
        .with_context(|| format!("it is not found: {}", audited.answer))?;
    says(found, &json!({ "disputable": true }))?;
    says(&found["disputed"], &json!({ "outcome": "proved" }))?;

    // Who found out has a part of the bond.
    let has = before.convicted(bench).await?;

    // Whoever asks is told.
    let open = quern.does(&["dispute", "list", "--job", &name]).await?;
    ensure!(open == json!([]), "a dispute is open: {open}");
    let closed = ["dispute", "show", "0"];
    quern.refuses(1, &["no dispute 0 is open"], &closed).await?;
    let proved = quern.does(&["dispute", "proved", &name]).await?;
    says(
        &proved["proved"][0],
        &json!({ "place": told.place, "offence": told.offence }),
    )?;

    // Nothing is proved twice, and who would lose is told so before a bond is taken.
    let file = found["file"].as_str().context("no evidence was kept")?;
    let again = ["dispute", "file", file, "--yes"];
    quern.refuses(1, &["is not shown"], &again).await?;
    let has_still = bench.wallet(&before.winner).await?.free;
    ensure!(has_still == has, "a bond was taken in vain");

    if told.strikes() {
        struck(bench, job).await?;
    } else {
        let record = batch(bench, job).await?.context("there is no batch")?;
        ensure!(
            !matches!(record.state, BatchState::Struck { .. }),
            "a batch that is right fell"
        );
    }
    let totals = quern.does(&["audit", "totals"]).await?;
    says(
        &totals,
        &json!({ "conserved": true, "difference_count": 0 }),
    )?;
    bench.conserves_money().await
}

/// What the masternode had bonded, and who is to convict it had free, before that.
pub(super) struct Before {
    block: BlockNumber,
    params: Params,
    operator: AccountId,
    bond: Amount,
    winner: AccountId,
    had: Amount,
}

impl Before {
    pub(super) async fn of(bench: &Bench, winner: &str) -> anyhow::Result<Self> {
        let operator = development_account(OPERATOR)?.id();
        let winner = development_account(winner)?.id();
        let now = bench.chain.at_finalised().await?;
        Ok(Self {
            block: now.block().number,
            params: now.params().await?,
            bond: now.masternode_bond(&operator).await?.active,
            had: now.wallet(&winner).await?.free,
            operator,
            winner,
        })
    }

    /// Fails unless the masternode has lost its bond, and the winner has its part of that, less the fees it
    /// paid, and the dispute's bond back, to the unit. What it has free.
    pub(super) async fn convicted(&self, bench: &Bench) -> anyhow::Result<Amount> {
        let after = bench.chain.at_finalised().await?;
        let slash = self.bond.min(self.params.bond_per_masternode);
        let left = after.masternode_bond(&self.operator).await?.active;
        ensure!(
            slash > 0 && left == self.bond - slash,
            "of a bond of {} there is {left} left",
            self.bond
        );
        let part = slash * Amount::from(self.params.winner_permille) / 1_000;
        let has = after.wallet(&self.winner).await?;
        let until = after.block().number;
        let fees = bench.fees(&self.winner, self.block, until).await?;
        ensure!(
            part > fees && fees > 0 && has.free == self.had + part - fees,
            "there was {}, and there is {}; the part is {part}, and {fees} was paid",
            self.had,
            has.free
        );
        ensure!(has.disputes == 0, "the dispute's bond is not back");
        Ok(has.free)
    }

    /// Fails unless the masternode still has its bond, and who would have won has lost the bond of a dispute, and
    /// the fees it paid, to the unit.
    pub(super) async fn lost(&self, bench: &Bench) -> anyhow::Result<()> {
        let after = bench.chain.at_finalised().await?;
        let left = after.masternode_bond(&self.operator).await?.active;
        ensure!(
            left == self.bond,
            "of a bond of {} there is {left} left",
            self.bond
        );
        let has = after.wallet(&self.winner).await?;
        let fees = bench
            .fees(&self.winner, self.block, after.block().number)
            .await?;
        let bond = self.params.dispute_bond;
        ensure!(
            bond > 0 && fees > 0 && has.free + bond + fees == self.had && has.disputes == 0,
            "there was {}, and there is {has:?}; the bond is {bond}, and {fees} was paid",
            self.had
        );
        Ok(())
    }
}

/// A job of which the chain has settled the first batch.
pub(super) async fn settled(
    bench: &Bench,
    agreement: Agreement,
) -> anyhow::Result<(JobId, String)> {
    let job = handed_in(bench, agreement).await?;
    // All that its tasks were judged is in batches then, and so in what the log tells.
    while bench.job(job).await?.settled_tasks < TASKS {
        tokio::time::sleep(PAUSE).await;
    }
    Ok((job, job.to_string()))
}

/// A job that is submitted and uploaded.
pub(super) async fn handed_in(bench: &Bench, agreement: Agreement) -> anyhow::Result<JobId> {
    let draft = lines(bench.folder(), bench.in_blocks(900).await?, agreement)?;
    let owner = Owner::new(bench, OWNER)?;
    let folder = owner.hand_in(&draft).await?;
    owner.upload(&folder).await?;
    Ok(folder.job())
}

/// A job that copies [`TEXT`], line by line.
pub(super) fn lines(
    folder: &Path,
    deadline: BlockNumber,
    agreement: Agreement,
) -> anyhow::Result<Draft> {
    let path = folder.join("lines");
    fs::write(&path, TEXT)?;
    let mut terms = terms(deadline);
    terms.agreement = agreement;
    terms.fuel_per_task_max = 300_000_000;
    Ok(Draft {
        program: wasm::assemble(wasm::COPIES)?,
        input: Input::File {
            path,
            split: Split::Lines,
            shard_bytes: LINE_BYTES,
        },
        arguments: vec![],
        task_arguments: vec![],
        assembly: Assembly::Concatenate,
        terms,
    })
}

/// Where the workers keep what the masternode acknowledged.
pub(super) fn words(bench: &Bench) -> Vec<String> {
    let file = |number| {
        let own = bench.grid.folder().join(format!("worker-{number}"));
        own.join("data/acknowledgements").display().to_string()
    };
    (1..=bench.grid.workers.len()).map(file).collect()
}

pub(super) async fn batch(bench: &Bench, job: JobId) -> anyhow::Result<Option<BatchRecord>> {
    Ok(bench.chain.at_finalised().await?.batch(job, 0).await?)
}

/// Fails unless the batch fell, its tasks are unsettled again, and the owner has all its money back, as nobody
/// is left to go on with the job.
pub(super) async fn struck(bench: &Bench, job: JobId) -> anyhow::Result<()> {
    let record = batch(bench, job).await?.context("there is no batch")?;
    ensure!(
        matches!(record.state, BatchState::Struck { .. }),
        "the batch stands: {record:?}"
    );
    let ended = bench.job(job).await?;
    let end = JobEnd::BatchStruck;
    ensure!(
        ended.state == JobState::Completed { end } && ended.settled_tasks == 0,
        "the job goes on: {ended:?}"
    );
    adds_up(&ended.escrow)?;
    ensure!(
        ended.escrow.refunded == ended.escrow.deposited && ended.escrow.paid == 0,
        "the owner does not have all of it back: {:?}",
        ended.escrow
    );
    Ok(())
}
