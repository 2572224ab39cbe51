//! A folder is stored with strangers' machines, kept, proved and paid for, and comes back as it was, whatever one of
//! the machines does.

mod six;

use anyhow::{Context as _, ensure};
use quern_end_to_end::{Bench, Quern, case, repository, run, say};
use quern_local_grid::OWNER;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Read as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// Blocks of a period: as few as there may be.
const PERIOD_BLOCKS: u32 = 15;

/// Devices that keep each piece.
const COPIES: usize = 2;

/// Bytes of two files that are compared at a time.
const STRETCH_BYTES: u64 = 1 << 20;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);

#[test]
fn a_stored_folder_is_kept_proved_and_paid_for_and_comes_back_also_when_a_machine_loses_its_piece()
{
    run(async {
        let scratch = tempfile::tempdir()?;
        let chain = with_short_periods(scratch.path(), PERIOD_BLOCKS)?;
        let mut bench = Bench::start_as(|plan| {
            plan.workers = vec![None; 3];
            plan.chain = chain;
        })
        .await?;
        let outcome = stored(&mut bench).await;
        bench.conclude(outcome).await
    });
}

/// The development chain, with periods of so many blocks. Returns where it is.
fn with_short_periods(folder: &Path, blocks: u32) -> anyhow::Result<String> {
    let text = fs::read_to_string(repository().join("chain-spec/dev.json"))?;
    let mut spec: Value = serde_json::from_str(&text)?;
    let values = spec.pointer_mut("/genesis/runtimeGenesis/patch/params/values");
    let values = values.and_then(Value::as_array_mut);
    // Of two that set one parameter the later counts.
    let values = values.context("the chain sets no parameters")?;
    values.push(json!(["storage-period", blocks]));
    let path = folder.join("chain.json");
    fs::write(&path, spec.to_string())?;
    Ok(path.display().to_string())
}

async fn stored(bench: &mut Bench) -> anyhow::Result<()> {
    let quern = Quern::new(bench, OWNER)?;
    let scratch = tempfile::tempdir()?;
    let folder = scratch.path().join("album");
    filled(&folder)?;
    let contract = case("a folder is handed in", handed_in(&quern, &folder)).await?;
    case("pieces are proved and paid for", paid(&quern, &contract)).await?;
    let back = scratch.path().join("back");
    case(
        "it comes back",
        comes_back(&quern, &contract, (&folder, &back)),
    )
    .await?;
    case(
        "a lost piece is found out and kept by another",
        replaced(bench, &quern, &contract),
    )
    .await?;
    let again = scratch.path().join("again");
    case(
        "it comes back again",
        comes_back(&quern, &contract, (&folder, &again)),
    )
    .await?;
    case(
        "it is kept for longer, and then no longer",
        ended(&quern, &contract),
    )
    .await
}

/// A folder with what a folder may have.
pub(super) fn filled(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder.join("deep/er"))?;
    fs::create_dir_all(folder.join("empty"))?;
    let bytes: Vec<u8> = (0..1_500_000u64)
        .map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
        .collect();
    fs::write(folder.join("large"), &bytes)?;
    fs::write(folder.join("deep/er/note.txt"), "so it goes\n")?;
    fs::write(folder.join("run.sh"), "#!/bin/sh\n")?;
    fs::set_permissions(folder.join("run.sh"), fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// What is at a path: its mode, and its length if it is a file.
type Found = (u32, Option<u64>);

/// All below a folder.
fn content(folder: &Path) -> anyhow::Result<BTreeMap<PathBuf, Found>> {
    let mut all = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next)? {
            let path = entry?.path();
            let metadata = fs::metadata(&path)?;
            let mode = metadata.permissions().mode();
            let bytes = match path.is_dir() {
                true => {
                    open.push(path.clone());
                    None
                }
                false => Some(metadata.len()),
            };
            all.insert(path.strip_prefix(folder)?.to_owned(), (mode, bytes));
        }
    }
    Ok(all)
}

/// Whether two files have the same bytes.
fn is_same(one: &Path, other: &Path) -> anyhow::Result<bool> {
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    loop {
        let [mut of_one, mut of_other] = [Vec::new(), Vec::new()];
        (&mut one).take(STRETCH_BYTES).read_to_end(&mut of_one)?;
        (&mut other)
            .take(STRETCH_BYTES)
            .read_to_end(&mut of_other)?;
        if of_one != of_other || of_one.is_empty() {
            return Ok(of_one == of_other);
        }
    }
}

async fn handed_in(quern: &Quern, folder: &Path) -> anyhow::Result<String> {
    let folder = folder.display().to_string();
    let copies = COPIES.to_string();
    quern
        .refuses(
            1,
            &["is no folder"],
            &["store", "put", "/nowhere", "--for", "5m", "--yes"],
        )
        .await?;
    let put = [
        "store", "put", &folder, "--copies", &copies, "--for", "1h", "--yes", "--wait",
    ];
    let stored = quern.does(&put).await?;
    ensure!(
        stored["kept"] == stored["pieces"],
        "not all is kept: {stored}"
    );
    let contract = stored["contract"].as_str().context("it has no name")?;
    let listed = quern.does(&["store", "list"]).await?;
    ensure!(listed["contracts"][0]["contract"] == contract, "{listed}");
    Ok(contract.to_owned())
}

/// Who holds what, and how many periods each was paid for.
pub(super) fn holders(status: &Value) -> Vec<(u64, String, u64)> {
    let holders = status["holders"].as_array().into_iter().flatten();
    let rows = holders.filter_map(|it| {
        let device = it["device"].as_str()?.to_owned();
        Some((it["piece"].as_u64()?, device, it["paid_periods"].as_u64()?))
    });
    rows.collect()
}

fn amount(status: &Value, field: &str) -> anyhow::Result<u128> {
    let text = status["money"][field].as_str();
    Ok(text.context("no such amount")?.parse()?)
}

fn adds_up(status: &Value) -> anyhow::Result<()> {
    let parts = ["paid", "network", "refunded", "held"].map(|it| amount(status, it));
    let sum = parts.into_iter().sum::<anyhow::Result<u128>>()?;
    ensure!(
        sum == amount(status, "deposited")?,
        "money is missing: {status}"
    );
    Ok(())
}

async fn paid(quern: &Quern, contract: &str) -> anyhow::Result<()> {
    loop {
        let status = quern.does(&["store", "status", contract]).await?;
        adds_up(&status)?;
        let pieces = status["pieces"].as_u64().context("no pieces")? as usize;
        let holders = holders(&status);
        let all_are_paid = holders.iter().all(|(.., paid)| *paid > 0);
        if all_are_paid && holders.len() == COPIES * pieces {
            say(&format!("{} holders are paid", holders.len()));
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

pub(super) async fn comes_back(
    quern: &Quern,
    contract: &str,
    (folder, back): (&Path, &Path),
) -> anyhow::Result<()> {
    let into = back.display().to_string();
    quern
        .does(&["store", "get", contract, "--into", &into])
        .await?;
    let (before, after) = (content(folder)?, content(back)?);
    ensure!(before == after, "what came back is something else");
    for (path, (_, bytes)) in &before {
        ensure!(
            bytes.is_none() || is_same(&folder.join(path), &back.join(path))?,
            "{} came back as something else",
            path.display()
        );
    }
    // What is there is not overwritten unless that is asked for.
    let again = ["store", "get", contract, "--into", &into];
    quern.refuses(1, &["is there already"], &again).await?;
    let replacing = [&again[..], &["--replace"]].concat();
    quern.does(&replacing).await.map(drop)
}

/// One of the devices erases a piece, which is found out in the next period; then another one keeps it.
async fn replaced(bench: &Bench, quern: &Quern, contract: &str) -> anyhow::Result<()> {
    let before = quern.does(&["store", "status", contract]).await?;
    let (piece, victim, _) = holders(&before)
        .into_iter()
        .next()
        .context("nobody holds anything")?;
    let workers = bench.grid.workers.iter();
    let place = workers
        .clone()
        .position(|it| it.device.to_string() == victim);
    let place = place
        .context("the holder is none of the workers")?
        .saturating_add(1);
    let digits = contract.strip_prefix("0x").unwrap_or(contract);
    let path = format!("grid/worker-{place}/data/kept/pieces/{digits}/{piece}");
    let path = bench.folder().join(path);
    fs::remove_file(&path).with_context(|| format!("{} is not there", path.display()))?;
    loop {
        let status = quern.does(&["store", "status", contract]).await?;
        adds_up(&status)?;
        let now = holders(&status);
        let of_piece = now
            .iter()
            .filter(|(of, device, _)| *of == piece && *device != victim);
        let paid: Vec<u64> = of_piece.map(|(.., paid)| *paid).collect();
        // Two others, of whom the new one was paid for a period that it proved.
        if paid.len() == COPIES && paid.iter().all(|paid| *paid > 0) {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn ended(quern: &Quern, contract: &str) -> anyhow::Result<()> {
    let before = quern.does(&["store", "status", contract]).await?;
    let renew = ["store", "renew", contract, "--for", "5m", "--yes"];
    let renewed = quern.does(&renew).await?;
    let again = quern.does(&renew).await?;
    let deposit = |it: &Value| it["deposit"].as_str().map(str::to_owned);
    ensure!(
        deposit(&renewed).is_some() && deposit(&renewed) == deposit(&again),
        "the same costs more the second time: {renewed} {again}"
    );
    let ends = |it: &Value| it["ends"].as_u64().context("it has no end");
    ensure!(
        ends(&renewed)? > ends(&before)?,
        "it is kept no longer: {renewed}"
    );
    let dropped = quern.does(&["store", "drop", contract, "--yes"]).await?;
    ensure!(dropped["state"] == "ending", "{dropped}");
    ensure!(
        ends(&dropped)? < ends(&before)?,
        "it ends no sooner: {dropped}"
    );
    Ok(())
}
