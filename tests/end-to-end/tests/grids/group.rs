//! A job of several masternodes on the chain of several validators, of which some stop.

mod keeping;
mod liar;
mod world;

use anyhow::{Context as _, bail, ensure};
use quern_dispute_rules::ruling::{Offence, Place};
use quern_end_to_end::{Quern, adds_up, run, say, says, wasm};
use quern_ledger::Chain;
use quern_local_grid::development_account;
use quern_owner::{Coordinator, Draft, JobFolder, Members, Outcome, correct};
use quern_primitives::{
    DeviceId, JobId,
    amount::BYTECHIP,
    group::{Group, Member},
    job::{Agreement, Job, JobEnd, JobState, Referees},
};
use serde_json::json;
use std::{
    collections::BTreeSet,
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
};
use world::{OPERATORS, PAUSE, Special, WORKERS, World};

/// What each worker's account has bonded.
const BOND: u128 = 1_000 * BYTECHIP;

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
fn a_coordinator_that_lost_its_turn_certifies_what_the_next_one_settles() {
    run(async {
        let mut world = World::start().await?;
        let outcome = the_turn_lost(&mut world).await;
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
        let acts = &["--share 0", "--share 0", "--lie random --seed 1"];
        let mut world = World::start_with(Special { acts, params: &[] }).await?;
        let outcome = one_worker_lies(&mut world, Referees::One).await;
        world.conclude(outcome)
    });
}

#[test]
#[ignore = "eleven processes take minutes; `cargo xtask test --nightly` runs it"]
fn in_a_group_of_two_the_referee_and_the_coordinator_convict_a_device() {
    run(async {
        let special = Special {
            acts: &["--share 0", "--share 0", "--lie random --seed 1"],
            params: &[("group-size", 2)],
        };
        let mut world = World::start_with(special).await?;
        let outcome = one_worker_lies(&mut world, Referees::One).await;
        world.conclude(outcome)
    });
}

#[test]
#[ignore = "eleven processes take minutes; `cargo xtask test --nightly` runs it"]
fn where_a_job_asks_for_three_referees_both_others_compute_what_devices_differ_on() {
    run(async {
        let acts = &["--share 0", "--share 0", "--lie random --seed 1"];
        let mut world = World::start_with(Special { acts, params: &[] }).await?;
        let outcome = one_worker_lies(&mut world, Referees::Three).await;
        world.conclude(outcome)
    });
}

#[test]
#[ignore = "eleven processes take minutes; `cargo xtask test --nightly` runs it"]
fn devices_that_agree_on_a_wrong_answer_are_found_by_re_execution_and_convicted_by_three_of_four() {
    run(async {
        let special = Special {
            acts: &["--lie flip --seed 1", "--lie flip --seed 1", "--share 0"],
            params: &[("group-size", 4), ("re-execution", 1_000)],
        };
        let mut world = World::start_with(special).await?;
        let outcome = two_workers_lie_alike(&mut world).await;
        world.conclude(outcome)
    });
}

/// Hands in a job of which two must agree on each task, all of it to each masternode of its group. Where they do
/// not, so many masternodes are asked.
async fn hand_in_unanimous(
    world: &World,
    referees: Referees,
) -> anyhow::Result<(JobFolder, Vec<u8>, Group)> {
    let unanimous = |draft: &mut Draft| {
        draft.terms.agreement = Agreement::Unanimous;
        draft.terms.referees = referees;
    };
    let (folder, expected) = world.hand_in_as(unanimous).await?;
    let group = world.group(folder.job()).await?;
    let coordinator = Coordinator::of(&world.chain, folder.job()).await?;
    let mut members = Members::begin(&world.chain, &folder).await?;
    let others = group.members.len() - 1;
    ensure!(members.reached() == others, "{:?}", members.missed());
    coordinator.upload(&folder, |_| {}).await?;
    members.upload_shards(&folder).await;
    Ok((folder, expected, group))
}

/// Two of three devices give the same wrong answers. Some tasks only they compute, and their word is taken; each
/// of these is computed again, and its owner gets what comes out. Of the others a referee has to say what does.
async fn two_workers_lie_alike(world: &mut World) -> anyhow::Result<()> {
    let (folder, expected, group) = hand_in_unanimous(world, Referees::One).await?;
    let job = folder.job();
    ensure!(group.members.len() == 4, "{group:?}");
    let liars = [world.workers[0].device, world.workers[1].device];
    // Both are convicted, while the batches are pending.
    let convicted = loop {
        let state = world.chain.at_finalised().await?;
        let proved = state.convictions(job).await?;
        let mut convicted = BTreeSet::new();
        for it in &proved {
            let Place::Replica(_, _, device) = it.place else {
                bail!("something else is proved: {it:?}");
            };
            ensure!(it.offence == Offence::WrongAnswer, "{it:?}");
            convicted.insert(device);
        }
        if liars.iter().all(|liar| convicted.contains(liar)) {
            break convicted;
        }
        tokio::time::sleep(PAUSE).await;
    };
    ensure!(
        convicted.len() == 2,
        "an honest device is convicted: {convicted:?}"
    );
    // The coordinator computed again what was settled, and so did the member that each of these tasks fell to as
    // well. Whoever of them was first showed it, and says so once its transaction is final.
    let mut logs = Vec::new();
    for member in &group.members {
        let operator = OPERATORS[world.number_of(&member.account)?];
        logs.push(
            world
                .folder
                .path()
                .join(format!("masternode-{operator}.log")),
        );
    }
    let tells = |log: &PathBuf, words| Ok::<_, io::Error>(fs::read_to_string(log)?.contains(words));
    ensure!(
        tells(&logs[0], "and another one comes out here")?,
        "the coordinator found nothing"
    );
    let is_shown = |log| tells(log, "wrong answers were shown to the chain");
    while !logs
        .iter()
        .map(is_shown)
        .collect::<Result<Vec<_>, _>>()?
        .contains(&true)
    {
        tokio::time::sleep(PAUSE).await;
    }
    // The liars get nothing more, and one device is not enough for the rest.
    for name in ["//Dave//stash", "//Eve//stash"] {
        world.join(name).await?;
    }
    let closed = world.closed(job).await?;
    is_settled(&closed)?;
    wrong_results_are_replaced(world, &folder, &expected, (&group, liars)).await
}

/// What was accepted on the liars' word is another picture; what the owner ends with is the right one.
async fn wrong_results_are_replaced(
    world: &World,
    folder: &JobFolder,
    expected: &[u8],
    (group, liars): (&Group, [DeviceId; 2]),
) -> anyhow::Result<()> {
    let accepted = world.result(folder).await?;
    ensure!(accepted != expected, "no wrong answer was accepted");
    // The last may be computed again when the job is closed.
    let told = loop {
        let told = correct(&world.chain, folder, true).await?;
        if !told.may_come && told.unheard.is_empty() {
            break told;
        }
        tokio::time::sleep(PAUSE).await;
    };
    ensure!(told.not_believed.is_empty(), "{:?}", told.not_believed);
    for it in &told.corrected {
        let Outcome::Replaced {
            replaced: Some(replaced),
        } = &it.outcome
        else {
            bail!("it is not replaced: {it:?}");
        };
        let is_kept = fs::read(replaced)? != fs::read(folder.result(it.task))?;
        ensure!(is_kept, "{it:?}");
        // The coordinator computes each, and one other member does: each keeps the result.
        let coordinator = &group.members[0].account;
        ensure!(it.on_word_of.contains(coordinator), "{it:?}");
        ensure!(it.on_word_of.len() > 1, "no other member found it: {it:?}");
        ensure!(
            it.devices.iter().all(|device| liars.contains(device)),
            "somebody else was wrong: {it:?}"
        );
    }
    let by_three = told.corrected.iter().any(|it| it.on_word_of.len() > 2);
    ensure!(by_three, "no word of another member is told: {told:?}");
    ensure!(
        world.result(folder).await? == expected,
        "the wrong results are not replaced"
    );
    Ok(())
}

async fn one_worker_lies(world: &mut World, referees: Referees) -> anyhow::Result<()> {
    // The liar soon rests, and the other two are enough.
    let (folder, expected, group) = hand_in_unanimous(world, referees).await?;
    let job = folder.job();
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
    // Another one computes it as well, and both convict the device.
    let liars_account = development_account(WORKERS[2])?.id();
    let (state, convictions) = loop {
        let state = world.chain.at_finalised().await?;
        let proved = state.convictions(job).await?;
        if !proved.is_empty() {
            break (state, proved);
        }
        tokio::time::sleep(PAUSE).await;
    };
    for proved in &convictions {
        ensure!(
            proved.offence == Offence::WrongAnswer
                && matches!(proved.place, Place::Replica(_, _, device) if device == liar),
            "somebody else is convicted, or of something else: {proved:?}"
        );
    }
    let wallet = state.wallet(&liars_account).await?;
    let lost = 10 * BYTECHIP * convictions.len() as u128;
    ensure!(
        wallet.bond_active + lost == BOND,
        "its account lost something else than {lost}: {wallet:?}"
    );
    let (own, others) = computed.split_first().context("nobody is of the group")?;
    let have = others.iter().filter(|tasks| **tasks > 0).count();
    let expected = match referees {
        Referees::One => 1,
        Referees::Three => others.len(),
    };
    ensure!(
        *own == 0 && have >= expected,
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
    world.validators[silent].kill().await;
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
    let kept_back = KeptBack::new(&folder, tasks / 2..tasks)?;
    let coordinator = Coordinator::of(&world.chain, job).await?;
    let mut members = Members::begin(&world.chain, &folder).await?;
    ensure!(members.reached() == 2, "{:?}", members.missed());
    let uploaded = coordinator.upload(&folder, |_| {}).await;
    ensure!(uploaded.is_err(), "shards that are not there were uploaded");
    world.settled(job, tasks / 2).await?;
    kept_back.come()?;
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
    // Of the log of who has stopped others keep a copy.
    audited(world, job, &[&group.members[0], &group.members[1]]).await?;
    // The first half of the results is where it was decided.
    world.operators[first].masternode.restart()?;
    let result = world.result(&folder).await?;
    ensure!(result == expected, "it is another picture");
    Ok(())
}

/// An auditor holds what each of these has settled to its own log, and finds nothing.
async fn audited(world: &World, job: JobId, by: &[&Member]) -> anyhow::Result<()> {
    let node = world.number_of(&by[1].account)?;
    let node_url = &world.operators[node].node_url;
    let quern = Quern::at(node_url, world.folder.path(), "//Ferdie")?;
    let told = quern.does(&["audit", "job", &job.to_string()]).await?;
    says(
        &told,
        &json!({ "difference_count": 0, "holds": true, "untold": [] }),
    )?;
    let logs = told["logs"].as_array().context("no logs")?;
    let writers: Vec<_> = logs.iter().map(|log| &log["coordinator"]).collect();
    let expected: Vec<_> = by.iter().map(|it| json!(it.account)).collect();
    ensure!(writers == expected.iter().collect::<Vec<_>>(), "{told}");
    let all = logs.iter().all(|log| log["verdicts"].as_u64() > Some(0));
    ensure!(all, "a log has no verdicts: {told}");
    Ok(())
}

/// Its owner brings no shards for too long. With the third one stopped nothing is settled but with the word of
/// the first.
async fn the_turn_lost(world: &mut World) -> anyhow::Result<()> {
    let (folder, expected) = world.hand_in().await?;
    let job = folder.job();
    let group = world.group(job).await?;
    ensure!(group.needed() == 2, "{group:?}");
    let first = world.number_of(&group.members[0].account)?;
    let third = world.number_of(&group.members[2].account)?;
    world.chain = Chain::connect(&world.operators[first].node_url).await?;
    world.operators[third].masternode.kill().await;

    let tasks = world.job(job).await?.submission.tasks;
    let (half, more) = (tasks / 2, tasks * 3 / 4);
    let later = KeptBack::new(&folder, half..more)?;
    let last = KeptBack::new(&folder, more..tasks)?;
    let coordinator = Coordinator::of(&world.chain, job).await?;
    let members = Members::begin(&world.chain, &folder).await?;
    ensure!(members.reached() == 1, "{:?}", members.missed());
    let uploaded = coordinator.upload(&folder, |_| {}).await;
    ensure!(uploaded.is_err(), "shards that are not there were uploaded");
    world.settled(job, half).await?;
    while world.group(job).await?.turn == 0 {
        tokio::time::sleep(PAUSE).await;
    }
    say(&format!("{} has lost its turn", OPERATORS[first]));

    later.come()?;
    let next = Coordinator::of(&world.chain, job).await?;
    let uploaded = next.upload(&folder, |_| {}).await;
    ensure!(uploaded.is_err(), "shards that are not there were uploaded");
    world.settled(job, more).await?;
    // What it needs to certify is there after a restart too.
    world.operators[first].masternode.kill().await;
    world.operators[first].masternode.restart()?;
    last.come()?;
    let next = Coordinator::of(&world.chain, job).await?;
    next.upload(&folder, |_| {}).await?;
    let closed = world.closed(job).await?;
    is_settled(&closed)?;
    // Each part of the results is where it was decided.
    let result = world.result(&folder).await?;
    ensure!(result == expected, "it is another picture");
    Ok(())
}

/// Shards that their owner does not have yet.
struct KeptBack(Vec<PathBuf>);

impl KeptBack {
    fn new(folder: &JobFolder, tasks: Range<u32>) -> anyhow::Result<Self> {
        let shards = Self(tasks.map(|task| folder.shard(task)).collect());
        for path in &shards.0 {
            fs::rename(path, Self::aside(path))?;
        }
        Ok(shards)
    }

    fn come(self) -> anyhow::Result<()> {
        for path in &self.0 {
            fs::rename(Self::aside(path), path)?;
        }
        Ok(())
    }

    fn aside(path: &Path) -> PathBuf {
        path.with_extension("aside")
    }
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
