//! Three masternodes have a folder kept together. Each period more than half of them say what was proved. When the one
//! that acts first stops the others go on, and what a machine lost they make anew of the rest and give to another.

use super::world::{PAUSE, World};
use crate::storage::{comes_back, filled, holders};
use anyhow::{Context as _, ensure};
use quern_end_to_end::{Quern, case, run, say};
use quern_primitives::ids::ContractId;
use serde_json::Value;
use std::fs;

/// Of the pieces of a stripe any two give all.
const CODE: &str = "2+1";

/// Periods of a minute, and half a minute to answer on the chain.
const TIMES: [(&str, u64); 2] = [("storage-period", 30), ("challenge-time", 15)];

/// The account of the machine that comes later.
const NEWCOMER: &str = "//Dave//stash";

#[test]
#[ignore = "nine processes take minutes; `cargo xtask test --nightly` runs it"]
fn a_group_makes_a_lost_piece_anew_although_the_member_that_acts_first_has_stopped() {
    run(async {
        let mut world = World::start_keeping(&TIMES).await?;
        let outcome = kept(&mut world).await;
        world.conclude(outcome)
    });
}

async fn kept(world: &mut World) -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let (folder, back) = (scratch.path().join("album"), scratch.path().join("back"));
    filled(&folder)?;
    let node_url = world.operators[1].node_url.clone();
    let quern = Quern::at(&node_url, world.folder.path(), "//Ferdie")?;
    let from = folder.display().to_string();
    let put = [
        "store", "put", &from, "--code", CODE, "--for", "1h", "--yes", "--wait",
    ];
    let stored = case("a folder is handed in", quern.does(&put)).await?;
    let contract = stored["contract"].as_str().context("it has no name")?;
    let of_each = |status: &Value, wanted: &dyn Fn(u64, &str) -> bool| {
        let pieces = status["pieces"].as_u64().unwrap_or(0);
        let all = holders(status);
        let is_paid = |piece| {
            let mut of = all.iter().filter(|(of, ..)| *of == piece);
            of.any(|(_, device, paid)| *paid > 0 && wanted(piece, device))
        };
        pieces > 0 && (0..pieces).all(is_paid)
    };
    case("three members say what was proved", async {
        while !of_each(&status(&quern, contract).await?, &|_, _| true) {
            tokio::time::sleep(PAUSE).await;
        }
        anyhow::Ok(())
    })
    .await?;

    let id: ContractId = contract.parse().context("it is no name of a contract")?;
    let group = world.chain.at_finalised().await?.contract_group(id).await?;
    let group = group.context("it has no group")?;
    ensure!(
        group.members.len() == 3,
        "it is no group of three: {group:?}"
    );
    let first = world.number_of(&group.members[0].account)?;
    world.operators[first].masternode.kill().await;
    let before = holders(&status(&quern, contract).await?);
    let (_, victim, _) = before.into_iter().next().context("nobody holds anything")?;
    let mut workers = world.workers.iter();
    let place = workers.position(|it| it.device.to_string() == victim);
    let place = place.context("the holder is none of the workers")?;
    world.workers[place].part.kill().await;
    let kept = format!("worker-{place}/data/kept");
    fs::remove_dir_all(world.folder.path().join(kept))?;
    say(&format!("masternode {first} and worker {place} are gone"));
    world.join(NEWCOMER).await?;
    case(
        "what was lost is made anew, kept by another, and paid",
        async {
            let is_other = |_, device: &str| device != victim;
            while !of_each(&status(&quern, contract).await?, &is_other) {
                tokio::time::sleep(PAUSE).await;
            }
            anyhow::Ok(())
        },
    )
    .await?;
    case(
        "the folder comes back",
        comes_back(&quern, contract, (&folder, &back)),
    )
    .await
}

async fn status(quern: &Quern, contract: &str) -> anyhow::Result<Value> {
    quern.does(&["store", "status", contract]).await
}
