//! `quern audit totals` and `quern export ledger` on all that the other cases did.

use anyhow::{Context as _, ensure};
use quern_end_to_end::{Bench, Quern, says};
use quern_local_grid::OWNER;
use quern_primitives::{AccountId, Amount, BlockNumber};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Blocks that are read once more by themselves.
const PART: BlockNumber = 40;

/// The whole chain and a part of it are found to be as the chain says, and what is exported makes of each
/// account's beginning what it has at the end.
pub(super) async fn plays_again(bench: &Bench) -> anyhow::Result<()> {
    let quern = Quern::new(bench, OWNER)?;
    let audited = quern.does(&["audit", "totals"]).await?;
    let whole = json!({ "from": 1, "conserved": true, "difference_count": 0, "differences": [] });
    says(&audited, &whole)?;
    let to: BlockNumber = serde_json::from_value(audited["to"].clone())?;
    // Nothing had to be said for the node to be believed with proofs only.
    ensure!(audited["proven_by"]["block"] == json!(to), "{audited}");
    says(&audited, &json!({ "begins_with": bench.chain.genesis() }))?;
    let totals = bench.chain.at_height(to).await?.totals().await?;
    says(&audited, &serde_json::to_value(totals)?)?;
    ensure!(
        totals.minted > 0 && totals.burnt > 0 && totals.bonds > 0,
        "the other cases did not move what they should: {totals:?}"
    );
    ensure!(audited["balances"] == audited["issuance"], "{audited}");
    let of_jobs = [
        "deposited",
        "paid",
        "network",
        "refunded",
        "pending",
        "held",
    ];
    let [deposited, paid, network, refunded, pending, held] =
        amounts(&audited["of_jobs"], of_jobs)?;
    ensure!(
        paid > 0 && refunded > 0 && deposited == paid + network + refunded + pending + held,
        "{audited}"
    );

    let (from, last) = (to.saturating_sub(PART).to_string(), to.to_string());
    let part = ["--from", &from, "--to", &last];
    let again = quern
        .does(&[&["audit", "totals", "--trust-node"][..], &part[..]].concat())
        .await?;
    says(
        &again,
        &json!({ "to": to, "conserved": true, "proven_by": null }),
    )?;
    // By what the node proves, it is the same.
    let proven = quern
        .does(&[&["audit", "totals", "--light"][..], &part[..]].concat())
        .await?;
    for field in [
        "movements",
        "accounts",
        "jobs",
        "issuance",
        "balances",
        "conserved",
    ] {
        ensure!(proven[field] == again[field], "{field}: {proven}");
    }
    ensure!(proven["proven_by"]["block"] == json!(to), "{proven}");
    let elsewhere = "5a".repeat(32);
    let other = ["audit", "totals", "--genesis", &elsewhere];
    quern
        .refuses(1, &["the node follows the chain", &elsewhere], &other)
        .await?;
    let far = ["audit", "totals", "--to", "4000000000"];
    quern.refuses(1, &["is not final yet"], &far).await?;
    let reversed = ["export", "ledger", "--from", &last, "--to", "1"];
    quern.refuses(1, &["--from"], &reversed).await?;

    let file = bench.folder().join("ledger.csv");
    let path = file.display().to_string();
    let export = ["export", "ledger", "--to", &last, "--output", &path];
    let exported = quern.does(&export).await?;
    let rows = &audited["movements"];
    says(&exported, &json!({ "from": 1, "to": to, "rows": rows }))?;
    let text = fs::read_to_string(&file)?;
    let mut lines = text.split_terminator("\r\n").map(|line| line.split(','));
    let head: Vec<_> = lines.next().context("no columns")?.collect();
    let rows: Vec<Row> = lines
        .map(|cells| head.iter().copied().zip(cells).collect())
        .collect();
    let exported_rows = exported["rows"].as_u64();
    ensure!(exported_rows == Some(rows.len() as u64), "{exported}");
    adds_up(bench, &rows, to).await?;

    // The same, a JSON document a line: text where the column is text.
    // The node is believed for it, and tells nothing else than what it proved.
    let jsonl = ["export", "ledger", "--trust-node", "--format", "jsonl"];
    let lines = [&jsonl[..], &part[..]].concat();
    let (code, told) = quern.tells(&lines).await?;
    let from: u64 = from.parse()?;
    let of_part = rows
        .iter()
        .filter(|row| row["block"].parse::<u64>().is_ok_and(|it| it >= from));
    let of_part: Vec<_> = of_part.collect();
    ensure!(
        code == 0 && told.len() == of_part.len(),
        "{} lines, and {} rows",
        told.len(),
        of_part.len()
    );
    for (line, row) in told.iter().zip(of_part) {
        for (column, cell) in row {
            let same = match &line[*column] {
                Value::Null => cell.is_empty(),
                Value::String(text) => text == cell,
                Value::Number(number) => number.to_string().eq(cell),
                _ => false,
            };
            ensure!(
                same,
                "`{column}` is {cell} in the row, and in the line {line}"
            );
        }
    }
    Ok(())
}

/// The cells of a row by the names of their columns.
type Row<'a> = BTreeMap<&'a str, &'a str>;

/// Fails unless the rows tell each kind of thing that happened, and make of what the chain began with
/// what its accounts can spend.
async fn adds_up(bench: &Bench, rows: &[Row<'_>], to: BlockNumber) -> anyhow::Result<()> {
    for kind in [
        "transfer",
        "fee_taken",
        "fee_shared",
        "purchase",
        "payout_burnt",
        "escrow_held",
        "escrow_released",
        "worker_pay",
        "operator_pay",
        "treasury_share",
        "bond_held",
        "deposit_held",
    ] {
        let of_kind = rows.iter().find(|row| row["kind"] == kind);
        ensure!(of_kind.is_some(), "there is no `{kind}`");
    }
    let mut pays = rows.iter().filter(|row| row["kind"] == "worker_pay");
    ensure!(
        pays.all(|row| row["job"].len() == 66
            && !row["batch"].is_empty()
            && !row["tasks"].is_empty()),
        "a worker's pay names no job, batch or number of tasks"
    );
    let (mut came, mut went): (BTreeMap<&str, Amount>, BTreeMap<&str, Amount>) = Default::default();
    for row in rows {
        let units: Amount = row["units"].parse()?;
        let amount = quern_primitives::amount::parse(row["amount"]);
        ensure!(amount == Ok(units), "{row:?}");
        for (sums, purse, account) in [
            (&mut went, "from", "account"),
            (&mut came, "to", "counter_account"),
        ] {
            if row[purse] == "free" {
                *sums.entry(row[account]).or_default() += units;
            }
        }
    }
    let accounts: Vec<_> = came.keys().chain(went.keys()).copied().collect();
    let (first, last) = (
        bench.chain.at_height(0).await?,
        bench.chain.at_height(to).await?,
    );
    for name in accounts {
        let account: AccountId = serde_json::from_value(json!(name))?;
        let (began, has) = (
            first.wallet(&account).await?.free,
            last.wallet(&account).await?.free,
        );
        let of = |sums: &BTreeMap<&str, Amount>| sums.get(name).copied().unwrap_or(0);
        ensure!(
            began + of(&came) == has + of(&went),
            "{name} had {began}, and has {has}"
        );
    }
    Ok(())
}

/// Amounts by the names of their fields.
fn amounts<const N: usize>(value: &Value, names: [&str; N]) -> anyhow::Result<[Amount; N]> {
    let mut amounts = [0; N];
    for (amount, name) in amounts.iter_mut().zip(names) {
        *amount = value[name].as_str().context("no amount")?.parse()?;
    }
    Ok(amounts)
}

/// The first receipt of a folder: which replica of the task was answered is not for us to say.
pub(super) fn first_receipt(folder: &Path) -> anyhow::Result<PathBuf> {
    let files = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let files: Vec<PathBuf> = files.collect::<Result<_, _>>()?;
    let is_receipt = |file: &&PathBuf| {
        let name = file.file_name().map(|name| name.to_string_lossy());
        name.is_some_and(|name| name.starts_with("task-0-replica-"))
    };
    let first = files.iter().filter(is_receipt).min().cloned();
    first.context("no receipt was written")
}
