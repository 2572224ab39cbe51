//! Six machines keep a large folder twice. One of them goes for good, one lets a piece rot, and one shows a piece from
//! where another keeps it, which takes too long. All three are found out, what was lost is kept by others, each account
//! has to the unit what its machine proved, and the folder comes back as it was.

use super::{COPIES, PAUSE, adds_up, comes_back, handed_in, holders, with_short_periods};
use anyhow::{Context as _, ensure};
use quern_end_to_end::{Bench, DEADLINE, Dice, Quern, case, run_within, say};
use quern_local_grid::{OWNER, find_program};
use quern_primitives::{
    Amount,
    ids::{ContractId, DeviceId, PieceIndex},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions},
    io::{BufWriter, Seek as _, SeekFrom, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

const MACHINES: usize = 6;

/// Blocks of a period: time enough to show all pieces on a busy machine.
const PERIOD_BLOCKS: u32 = 30;

/// MiB of the folder, unless [`SIZE`] says otherwise.
const MIB: u64 = 1_024;

/// The variable with the MiB of the folder.
const SIZE: &str = "QUERN_STORED_MIB";

/// The place of the machine that borrows: the last.
const BORROWER: usize = MACHINES - 1;

/// How long borrowing takes, in seconds: longer than a masternode waits, and than the chain does.
const BORROWING_S: u32 = 45;

/// The account with which the borrower answers on the chain: none of the workers', and nobody's owner.
const ANSWERER: &str = "//Charlie//stash";

/// What a period of a piece brings its holder, of a thousand.
const HOLDERS_PERMILLE: Amount = 700;

/// Of each piece with a device, how many periods were paid, and what one brings.
type Paid = BTreeMap<(PieceIndex, DeviceId), (u32, Amount)>;

#[test]
#[ignore = "a gibibyte kept twice takes six minutes and 6 GB of disk; `cargo xtask test --nightly` runs it"]
fn a_gibibyte_outlives_a_machine_that_goes_one_that_rots_and_one_that_borrows_too_late() {
    run_within(DEADLINE.saturating_mul(3), async {
        let scratch = tempfile::tempdir()?;
        let chain = with_short_periods(scratch.path(), PERIOD_BLOCKS)?;
        let mut borrower = Ok(PathBuf::new());
        let mut bench = Bench::start_as(|plan| {
            borrower = borrowing(scratch.path(), &plan.folder);
            plan.workers = vec![None; MACHINES];
            if let (Ok(program), Some(last)) = (&borrower, plan.workers.last_mut()) {
                *last = Some(program.clone());
            }
            plan.chain = chain;
        })
        .await?;
        borrower?;
        let outcome = outlived(&mut bench).await;
        bench.conclude(outcome).await
    });
}

/// A worker that shows what it has no more from where the others keep it.
fn borrowing(scratch: &Path, grid: &Path) -> anyhow::Result<PathBuf> {
    let others = (0..BORROWER).map(|place| format!(" --borrow {:?}", pieces_folder(grid, place)));
    let others: String = others.collect();
    let program = find_program(None, "quern-lying-worker")?;
    let path = scratch.join("borrower");
    let text = format!(
        "#!/bin/sh\numask 077\nfor last; do :; done\n\
         printf %s '{ANSWERER}' > \"$(dirname \"$last\")/claims.key\"\n\
         exec {program:?} \"$@\" --share 0 --borrowing {BORROWING_S}{others}\n"
    );
    fs::write(&path, text)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

/// Where a machine's pieces are.
fn pieces_folder(grid: &Path, place: usize) -> PathBuf {
    let number = place.saturating_add(1);
    grid.join(format!("worker-{number}/data/kept/pieces"))
}

/// Who does what harm to which piece.
struct Harm {
    /// The machine that goes.
    gone: usize,
    /// The machine that lets a piece rot, and the piece.
    rotten: (usize, PieceIndex),
    /// The piece that the borrower has no more.
    borrowed: PieceIndex,
}

async fn outlived(bench: &mut Bench) -> anyhow::Result<()> {
    let quern = Quern::new(bench, OWNER)?;
    let scratch = tempfile::tempdir()?;
    let folder = scratch.path().join("archive");
    filled(&folder)?;
    let begun = bench.chain.at_finalised().await?.block().number;
    let money = bench.workers_money().await?;
    let contract = case("a large folder is handed in", handed_in(&quern, &folder)).await?;
    let id: ContractId = contract.parse().context("it is no name of a contract")?;
    let mut paid = Paid::new();
    case("each piece is paid for with two machines", async {
        while !all_paid(bench, id, &mut paid, |_, _| true).await? {
            tokio::time::sleep(PAUSE).await;
        }
        anyhow::Ok(())
    })
    .await?;

    let harm = chosen(bench, id).await?;
    let (gone, rotting) = (device(bench, harm.gone)?, device(bench, harm.rotten.0)?);
    let borrower = device(bench, BORROWER)?;
    let is_bad = move |piece: PieceIndex, device: DeviceId| {
        device == gone
            || (piece, device) == (harm.rotten.1, rotting)
            || (piece, device) == (harm.borrowed, borrower)
    };
    look(bench, id, &mut paid).await?;
    let before = paid.clone();
    done(bench, &contract, &harm).await?;
    case("what three machines lost others keep, and prove", async {
        while !all_paid(bench, id, &mut paid, |piece, device| !is_bad(piece, device)).await? {
            tokio::time::sleep(PAUSE).await;
        }
        anyhow::Ok(())
    })
    .await?;
    let status = quern.does(&["store", "status", &contract]).await?;
    adds_up(&status)?;
    let names = [
        (harm.rotten.1, rotting.to_string()),
        (harm.borrowed, borrower.to_string()),
    ];
    let keeps = holders(&status);
    let keeps = |it: &(PieceIndex, String)| {
        let mut now = keeps.iter();
        now.any(|(piece, device, _)| *piece == u64::from(it.0) && *device == it.1)
    };
    ensure!(
        !names.iter().any(keeps),
        "who missed a piece still has it: {status}"
    );
    // What was proved in the period of the harm before it was done may be paid behind it, and nothing later.
    for (name @ (piece, device), (count, _)) in &paid {
        let (until, _) = before.get(name).copied().unwrap_or_default();
        ensure!(
            !is_bad(*piece, *device) || *count <= until.saturating_add(1),
            "piece {piece} was paid {count} times, {until} of them before {device} lost it"
        );
    }
    let back = scratch.path().join("back");
    case(
        "the folder comes back",
        comes_back(&quern, &contract, (&folder, &back)),
    )
    .await?;
    case("each account has what its machine proved", async {
        look(bench, id, &mut paid).await?;
        has_what_it_proved(bench, (begun, money), id, &mut paid).await
    })
    .await?;
    bench.conserves_money().await
}

/// A folder with a large file of bytes that follow from a seed, and small ones.
fn filled(folder: &Path) -> anyhow::Result<()> {
    let mib = match std::env::var(SIZE) {
        Ok(text) => text
            .parse()
            .with_context(|| format!("{SIZE} is no number"))?,
        Err(_) => MIB,
    };
    fs::create_dir_all(folder.join("notes/empty"))?;
    fs::write(folder.join("notes/one"), "one\n")?;
    let mut dice = Dice::new(mib);
    let mut file = BufWriter::with_capacity(1 << 20, File::create(folder.join("large"))?);
    for _ in 0..mib.saturating_mul(1 << 17) {
        file.write_all(&dice.next_number().to_le_bytes())?;
    }
    Ok(file.flush()?)
}

fn device(bench: &Bench, place: usize) -> anyhow::Result<DeviceId> {
    let worker = bench.grid.workers.get(place);
    Ok(worker.context("there is no such worker")?.device)
}

/// Sees how many periods of what are paid. Returns who will have each piece in the next period too.
async fn look(
    bench: &Bench,
    id: ContractId,
    paid: &mut Paid,
) -> anyhow::Result<BTreeMap<PieceIndex, BTreeSet<DeviceId>>> {
    let state = bench.chain.at_finalised().await?;
    let mut keep: BTreeMap<PieceIndex, BTreeSet<DeviceId>> = BTreeMap::new();
    for (held, holding) in state.holdings_of(id).await? {
        let brings = holding.price * HOLDERS_PERMILLE / 1_000;
        let entry = paid.entry((held.piece, held.device)).or_default();
        *entry = (holding.paid.count.max(entry.0), brings);
        if holding.until.is_none() {
            keep.entry(held.piece).or_default().insert(held.device);
        }
    }
    Ok(keep)
}

/// Whether as many machines as are to keep each piece, were paid for it, and are among those that count.
async fn all_paid(
    bench: &Bench,
    id: ContractId,
    paid: &mut Paid,
    counts: impl Fn(PieceIndex, DeviceId) -> bool,
) -> anyhow::Result<bool> {
    let keep = look(bench, id, paid).await?;
    let contract = bench.chain.at_finalised().await?.contract(id).await?;
    let pieces = contract
        .context("the chain lost the contract")?
        .offer
        .pieces;
    let is_paid = |(piece, devices): (&PieceIndex, &BTreeSet<DeviceId>)| {
        let of = |device: &&DeviceId| {
            let count = paid.get(&(*piece, **device)).map_or(0, |(count, _)| *count);
            counts(*piece, **device) && count > 0
        };
        devices.iter().filter(of).count() == COPIES
    };
    Ok(keep.len() == pieces as usize && keep.iter().all(is_paid))
}

/// Three machines, and pieces of two of them that an honest one keeps too.
async fn chosen(bench: &Bench, id: ContractId) -> anyhow::Result<Harm> {
    let keep = look(bench, id, &mut Paid::new()).await?;
    let places = |piece: PieceIndex| -> BTreeSet<usize> {
        let devices = keep.get(&piece).into_iter().flatten();
        let place = |device: &DeviceId| {
            let mut workers = bench.grid.workers.iter();
            workers.position(|worker| worker.device == *device)
        };
        devices.filter_map(place).collect()
    };
    for gone in 0..BORROWER {
        for rotting in (0..BORROWER).filter(|it| *it != gone) {
            let without = |bad: usize, others: [usize; 2]| {
                keep.keys().copied().filter(move |piece| {
                    let of = places(*piece);
                    of.contains(&bad) && others.iter().all(|other| !of.contains(other))
                })
            };
            let rotten = without(rotting, [gone, BORROWER]).next();
            let borrowed = without(BORROWER, [gone, rotting]).next();
            if let (Some(rotten), Some(borrowed)) = (rotten, borrowed) {
                say(&format!(
                    "worker {} goes, piece {rotten} rots with worker {}, piece {borrowed} is borrowed",
                    gone + 1,
                    rotting + 1
                ));
                return Ok(Harm {
                    gone,
                    rotten: (rotting, rotten),
                    borrowed,
                });
            }
        }
    }
    anyhow::bail!("no three machines keep pieces that others keep too; is the folder large enough?")
}

/// Does the harm.
async fn done(bench: &mut Bench, contract: &str, harm: &Harm) -> anyhow::Result<()> {
    let grid = bench.folder().join("grid");
    let digits = contract.strip_prefix("0x").unwrap_or(contract);
    let piece = |place: usize, piece: PieceIndex| {
        pieces_folder(&grid, place).join(format!("{digits}/{piece}"))
    };
    let worker = bench.grid.workers.get_mut(harm.gone);
    worker.context("there is no such worker")?.part.kill().await;
    fs::remove_dir_all(pieces_folder(&grid, harm.gone))?;
    let mut rotting = OpenOptions::new()
        .write(true)
        .open(piece(harm.rotten.0, harm.rotten.1))?;
    let half = rotting.metadata()?.len() / 2;
    rotting.seek(SeekFrom::Start(half))?;
    rotting.write_all(&vec![0xa5; usize::try_from(half)?])?;
    fs::remove_file(piece(BORROWER, harm.borrowed))?;
    Ok(())
}

/// Waits until what is seen paid is what the accounts have, or says what differs.
async fn has_what_it_proved(
    bench: &Bench,
    (begun, money): (u32, Vec<Amount>),
    id: ContractId,
    paid: &mut Paid,
) -> anyhow::Result<()> {
    // What is paid between two questions is seen by one of them alone.
    for _ in 0..20 {
        let until = bench.chain.at_finalised().await?.block().number;
        look(bench, id, paid).await?;
        let now = bench.workers_money().await?;
        let mut differs = Vec::new();
        for ((worker, before), now) in bench.grid.workers.iter().zip(&money).zip(now) {
            let fees = bench.fees(&worker.account, begun, until).await?;
            let of_it = paid
                .iter()
                .filter(|((_, device), _)| *device == worker.device);
            let proved: Amount = of_it
                .map(|(_, (count, brings))| Amount::from(*count) * brings)
                .sum();
            if before + proved != now + fees {
                differs.push((worker.device, proved, *before, now, fees));
            }
        }
        if differs.is_empty() {
            return Ok(());
        }
        say(&format!(
            "looks again, for accounts differ from what was seen: {differs:?}"
        ));
        tokio::time::sleep(PAUSE).await;
    }
    anyhow::bail!("accounts have another sum than their machines proved")
}
