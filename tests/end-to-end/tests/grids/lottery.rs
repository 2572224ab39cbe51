//! A masternode draws the day's lottery from the chain by itself, and who wins stands higher. A day of the
//! grid takes as long as a day, so the masternode of this test has shorter ones; the chain, the draw and the
//! ranking are what they are.

use super::{
    commands::grid::seeded,
    lying::{altered, settled},
};
use anyhow::{Context as _, ensure};
use quern_end_to_end::{Bench, Quern, case, run, says};
use quern_grid::lottery::{Calendar, Draw};
use quern_local_grid::{OWNER, Plan};
use quern_masternode::lottery_winners;
use quern_primitives::{BlockNumber, DeviceId, job::Agreement};
use quern_worker::device::DeviceSecrets;
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, num::NonZero, path::Path, time::Duration};

/// Blocks of a day: two minutes, so that a job is done before the first draw.
const DAY_BLOCKS: NonZero<BlockNumber> = NonZero::new(60).unwrap();

/// Which worker is to win, counted from zero.
const WINNER: usize = 1;

/// Who draws less wins whenever its last task was, from one block before the draw to a day.
const WINS_BELOW: f64 = 0.002;

/// Who draws more does not win, whenever its last task was.
const LOSES_ABOVE: f64 = 0.06;

/// By so many numbers the chain's randomness is tried; of about five hundred one will do.
const SEEDS: u32 = 100_000;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(500);

#[test]
fn a_masternode_draws_the_lottery_by_itself_and_the_winner_stands_higher_also_after_a_restart() {
    run(async {
        let folder = tempfile::tempdir()?;
        let program = altered(folder.path(), &format!("--day-blocks {DAY_BLOCKS}"))?;
        let mut chain = Ok(());
        let mut bench = Bench::start_as(|plan| {
            plan.workers = vec![None; 2];
            plan.masternode_program = Some(program);
            plan.settle_wait_seconds = 1;
            chain = begin_with_luck(plan, folder.path());
        })
        .await?;
        let outcome = async {
            chain?;
            case("the day's lottery is drawn", drawn(&mut bench)).await
        };
        let outcome = outcome.await;
        bench.conclude(outcome).await
    });
}

/// Gives the workers their keys, and the chain randomness by which the one wins on the first day that
/// anybody draws, and the other one does not.
fn begin_with_luck(plan: &mut Plan, folder: &Path) -> anyhow::Result<()> {
    let mut devices = Vec::new();
    for number in 1..=plan.workers.len() {
        let own = plan.folder.join(format!("worker-{number}"));
        fs::create_dir_all(&own)?;
        let secrets = DeviceSecrets::random();
        secrets.save(&own.join("device.key"))?;
        devices.push(secrets.id());
    }
    let by_number = |number: u32| {
        let mut seed = [7; 32];
        seed[..4].copy_from_slice(&number.to_le_bytes());
        seed
    };
    let mut seeds = (0..SEEDS).map(by_number);
    let seed = seeds.find(|seed| {
        let drawn = |device| draw(*seed).lot(device, 1).map_or(1.0, |lot| lot.drawn);
        (0..).zip(&devices).all(|(place, device)| match place {
            WINNER => drawn(device) < WINS_BELOW,
            _ => drawn(device) > LOSES_ABOVE,
        })
    });
    plan.chain = seeded(folder, seed.context("nobody wins by any number")?)?;
    Ok(())
}

fn draw(seed: [u8; 32]) -> Draw {
    Draw {
        seed,
        day: 1,
        calendar: Calendar::of_days(DAY_BLOCKS),
    }
}

async fn drawn(bench: &mut Bench) -> anyhow::Result<()> {
    // Who never had a task does not draw. Both workers have each task of this job.
    settled(bench, Agreement::Unanimous).await?;
    let begins = DAY_BLOCKS.get();
    let now = bench.chain.at_finalised().await?.block().number;
    ensure!(now < begins, "the job took until block {now}");
    let devices: Vec<DeviceId> = bench.grid.workers.iter().map(|it| it.device).collect();
    let winner = *devices.get(WINNER).context("there is no such worker")?;
    for listed in listed(bench).await? {
        says(&listed, &json!({ "lifted": false }))?;
    }

    bench.beyond(begins).await?;
    stands_higher(bench, winner).await?;
    // Whoever reads the chain finds the same.
    let state = bench.chain.at_height(begins).await?;
    let expected = BTreeSet::from([winner]);
    let calendar = Calendar::of_days(DAY_BLOCKS);
    let found = lottery_winners(&state, 1, calendar).await?;
    ensure!(found == expected, "{found:?} won, not {expected:?}");
    let last_task = state.device(winner).await?;
    let last_task = last_task.context("the chain lost it")?.device.last_task;
    ensure!((1..begins).contains(&last_task), "it drew without a task");

    let masternode = bench.grid.masternode.as_mut();
    let masternode = masternode.context("there is no masternode")?;
    masternode.kill().await;
    masternode.restart()?;
    stands_higher(bench, winner).await
}

/// Waits until the masternode has drawn, and both devices are ranked, and fails unless the winner is the
/// first of them and nobody else is lifted.
async fn stands_higher(bench: &Bench, winner: DeviceId) -> anyhow::Result<()> {
    let quern = Quern::new(bench, OWNER)?;
    let listed = loop {
        let look = quern.run(&["grid", "watch"]).await?;
        let listed = listed(bench).await.unwrap_or_default();
        let is_lifted = listed.iter().any(|device| device["lifted"] == true);
        // A machine that is busy beside it may be out of the ranking for a moment, also between two questions.
        let are_ranked = listed.iter().all(|device| device["byte_rank"] != 0);
        let all = json!({ "ranked": 2, "last_draw": { "day": 1, "winners": 1 } });
        if is_lifted && are_ranked && look.code == 0 && says(&look.answer["grid"], &all).is_ok() {
            break listed;
        }
        tokio::time::sleep(PAUSE).await;
    };
    for device in &listed {
        let is_winner = device["device"] == winner.to_string();
        let rank = if is_winner { 1 } else { 2 };
        says(device, &json!({ "lifted": is_winner, "byte_rank": rank }))?;
    }
    Ok(())
}

/// How the devices stand.
async fn listed(bench: &Bench) -> anyhow::Result<Vec<Value>> {
    let quern = Quern::new(bench, OWNER)?;
    let listed = quern.run(&["grid", "devices"]).await?;
    ensure!(listed.code == 0, "{}", listed.error());
    let devices = listed.answer.as_array().context("no list")?;
    ensure!(devices.len() == 2, "there are {} devices", devices.len());
    Ok(devices.clone())
}
