//! What `quern wallet history` tells of the accounts that had a part in anything.

use super::HOLDER;
use anyhow::{Context as _, ensure};
use quern_end_to_end::{Bench, Quern, says};
use quern_local_grid::{OPERATOR, OWNER, development_account};
use quern_primitives::{AccountId, Amount, BlockNumber, view::WalletView};
use serde_json::{Value, json};

/// The account of the chain's treasury, which nobody signs for.
const TREASURY: &[u8] = b"modlqn/trsry";

/// The whole histories of owner, worker, operator, treasury and others tell all that happened to them,
/// and add up to what they have.
pub(super) async fn adds_up(bench: &Bench) -> anyhow::Result<()> {
    let of = |name| anyhow::Ok(development_account(name)?.id());
    let worker = bench.grid.workers.first().context("there is no worker")?;
    let mut treasury = [0; 32];
    treasury[..TREASURY.len()].copy_from_slice(TREASURY);
    let treasury = AccountId::new(treasury);
    let owner = of(OWNER)?;

    let holder = history(bench, &of(HOLDER)?).await?;
    tells(&holder, &["sent", "fee", "bought", "payout_asked"])?;
    tells(&holder, &["payout_made", "payout_returned", "deposited"])?;
    let spent = history(bench, &owner).await?;
    tells(&spent, &["escrowed", "paid_from_escrow"])?;
    let cancelled = history(bench, &of("//Alice//stash")?).await?;
    tells(&cancelled, &["escrowed", "released"])?;
    let earned = history(bench, &worker.account).await?;
    tells(&earned, &["bonded", "earned"])?;
    let operated = history(bench, &of(OPERATOR)?).await?;
    tells(&operated, &["earned", "fees_shared", "fee"])?;
    let kept = history(bench, &treasury).await?;
    tells(&kept, &["earned", "fees_shared"])?;
    let retired = history(bench, &of("//Dave//stash")?).await?;
    tells(&retired, &["bonded", "unbonded"])?;

    // Money of a job names the job, and pay the batch, as the owner's own history does.
    for entry in cancelled.iter().filter(|it| kind(it) == "released") {
        let job = &entry["job"];
        let is_same = |other: &Value| kind(other) == "escrowed" && other["job"] == *job;
        ensure!(job.is_string() && cancelled.iter().any(is_same), "{entry}");
    }
    let (owner, worker) = (owner.to_string(), worker.account.to_string());
    let mut pays = 0;
    for entry in &earned {
        if entry["what"] != "earned" || entry["with"] != owner {
            continue;
        }
        pays += 1;
        let paid = json!({ "what": "paid_from_escrow", "with": worker, "block": entry["block"] });
        let paid_for = |other: &Value| {
            let same = ["job", "batch", "amount"].map(|field| other[field] == entry[field]);
            says(other, &paid).is_ok() && same == [true; 3]
        };
        ensure!(
            entry["job"].is_string() && entry["batch"].is_u64() && spent.iter().any(paid_for),
            "the owner tells nothing of {entry}"
        );
    }
    ensure!(pays > 0, "the worker earned nothing: {earned:?}");
    Ok(())
}

/// The entries of an account's whole history. Fails unless they add up to what it has.
async fn history(bench: &Bench, account: &AccountId) -> anyhow::Result<Vec<Value>> {
    let quern = Quern::new(bench, OWNER)?;
    let name = account.to_string();
    let told = quern
        .does(&["wallet", "history", &name, "--blocks", "100000"])
        .await?;
    says(
        &told,
        &json!({ "account": name, "first_block": 1, "discarded": false }),
    )?;
    let last: BlockNumber = serde_json::from_value(told["last_block"].clone())?;
    let wallet = async |block| -> anyhow::Result<WalletView> {
        let state = bench.chain.at_height(block).await?;
        Ok(state.wallet(account).await?)
    };
    let (began, has) = (wallet(0).await?, wallet(last).await?);
    let entries = told["entries"].as_array().context("no entries")?.clone();
    // What is held as a deposit is no part of a wallet that is told.
    let is_told = |entry: &&Value, purse: &str| {
        purse == "free" || !["deposited", "deposit_returned"].contains(&kind(entry))
    };
    let held = |wallet: &WalletView| {
        wallet.escrow + wallet.bond_active + wallet.unbonding_total() + wallet.payouts
    };
    for (purse, began, has) in [
        ("free", began.free, has.free),
        ("held", held(&began), held(&has)),
    ] {
        let sum = |side: &str| -> anyhow::Result<Amount> {
            let of_side = entries
                .iter()
                .filter(|entry| entry[side] == purse && is_told(entry, purse));
            let amounts = of_side.map(|entry| {
                let amount = entry["amount"].as_str().context("no amount")?;
                anyhow::Ok(amount.parse::<Amount>()?)
            });
            amounts.sum()
        };
        let (into, out) = (sum("to")?, sum("from")?);
        ensure!(
            began + into == has + out,
            "{name} had {began} {purse}, and has {has}: {into} came and {out} went"
        );
    }
    Ok(entries)
}

fn kind(entry: &Value) -> &str {
    entry["what"].as_str().unwrap_or_default()
}

/// Fails unless there are entries of all these kinds.
fn tells(entries: &[Value], kinds: &[&str]) -> anyhow::Result<()> {
    for wanted in kinds {
        ensure!(
            entries.iter().any(|entry| kind(entry) == *wanted),
            "nothing is told of `{wanted}`: {entries:?}"
        );
    }
    Ok(())
}
