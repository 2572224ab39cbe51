//! A coordinator that lies before two that do not: nothing of its is settled, and the next goes on.
//!
//! As few programs as show it: one validator makes the blocks, three masternodes follow it, and two workers
//! compute four lines. Which masternode coordinates a job nobody can know before; so all are honest until the
//! job is drawn, and who coordinates it is then started again as one that lies. Nobody takes over before the lie
//! is found, for the time after which that may happen is long; once it is found the council makes it short.

use super::world::{OPERATORS, PAUSE, World};
use crate::lying::{TASKS, TEXT, lines, lying};
use anyhow::{Context as _, ensure};
use quern_end_to_end::{run, say};
use quern_job_rules::operators::{answers, part};
use quern_owner::{Coordinator, Members};
use quern_primitives::{
    group::Group,
    job::{Agreement, JobState},
    params::Parameter,
};
use std::fs;

/// Blocks of silence after which another masternode goes on, at first: a day.
const NEVER: u64 = 43_200;

/// The same once the lie is found. Who goes on has as long before the third may.
const SOON: u128 = 20;

/// What a masternode says in its log whose copy of another's breaks a rule.
const FOUND: &str = "a coordinator's log breaks a rule, and no batch of it is certified";

#[test]
fn a_coordinator_that_lies_to_two_others_settles_nothing_and_the_next_goes_on() {
    run(async {
        let mut world = World::start_small(&[("stall", NEVER)]).await?;
        let outcome = found_by_the_others(&mut world).await;
        world.conclude(outcome)
    });
}

async fn found_by_the_others(world: &mut World) -> anyhow::Result<()> {
    let deadline = world.chain.at_finalised().await?.block().number + 600;
    let draft = lines(world.folder.path(), deadline, Agreement::Unanimous)?;
    let folder = world.submit(&draft).await?;
    let job = folder.job();
    let group = world.group(job).await?;
    ensure!((group.members.len(), group.needed()) == (3, 2), "{group:?}");

    let liar = world.number_of(&group.members[0].account)?;
    let program = lying(world.folder.path(), "overprice")?;
    world.run_masternode(liar, &program).await?;
    say(&format!("{} coordinates, and lies", OPERATORS[liar]));
    let coordinator = Coordinator::of(&world.chain, job).await?;
    let mut members = Members::begin(&world.chain, &folder).await?;
    ensure!(members.reached() == 2, "{:?}", members.missed());
    coordinator.upload(&folder, |_| {}).await?;
    members.upload_shards(&folder).await;
    ensure!(members.reached() == 2, "{:?}", members.missed());

    while !is_found(world, &group)? {
        tokio::time::sleep(PAUSE).await;
    }
    let known = world.job(job).await?;
    ensure!(
        (known.settled_tasks, known.next_batch) == (0, 0),
        "the liar has settled something: {known:?}"
    );
    world.set(Parameter::Stall, SOON).await?;
    world.settled(job, TASKS).await?;

    let known = world.job(job).await?;
    let next = &group.members[1].account;
    ensure!(
        matches!(&known.state, JobState::Settling { coordinator, .. } if coordinator == next),
        "another went on than the next: {:?}",
        known.state
    );
    // What is pending is the next one's. The liar has nothing of what it wrote itself; where it is one of those who
    // certified what the next one settled, it has a part of that, as who certifies has.
    let state = world.chain.at_finalised().await?;
    let liar = &group.members[0].account;
    let mut certified = 0;
    for sequence in 0..known.next_batch {
        let batch = state.pending_batch(job, sequence).await?;
        let batch = batch.with_context(|| format!("batch {sequence} is not pending"))?;
        ensure!(&batch.coordinator == next, "batch {sequence}: {batch:?}");
        if answers(&batch, 0, &group.members[0]) {
            let answering = (0u8..).zip(&group.members);
            let answering = answering.filter(|(place, member)| answers(&batch, *place, member));
            certified += part(batch.split.operators, answering.count());
        }
    }
    let liars = state.wallet(liar).await?;
    let nexts = state.wallet(next).await?;
    ensure!(
        liars.pending == certified && nexts.pending > 0,
        "the liar gets {} and certified for {certified}, the next {}",
        liars.pending,
        nexts.pending
    );
    let open = state.masternode_bond(next).await?.open;
    ensure!(
        open == known.escrow.pending,
        "{open} is covered of {}",
        known.escrow.pending
    );
    ensure!(
        world.result(&folder).await? == TEXT.as_bytes(),
        "it is another text"
    );
    Ok(())
}

/// Whether one of those who follow the coordinator's log has found the lie.
fn is_found(world: &World, group: &Group) -> anyhow::Result<bool> {
    for member in group.members.iter().skip(1) {
        let number = world.number_of(&member.account)?;
        let log = world.operators[number].masternode.log();
        let text = fs::read_to_string(log).context("a masternode has no log")?;
        if text.contains(FOUND) {
            return Ok(true);
        }
    }
    Ok(false)
}
