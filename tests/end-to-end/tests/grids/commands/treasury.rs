//! What the treasurer records and answers.

use super::{HOLDER, is_digest};
use anyhow::ensure;
use quern_end_to_end::{Bench, Owner, Quern, says};
use quern_local_grid::{OPERATOR, development_account};
use quern_primitives::amount::BYTECHIP;
use serde_json::json;

/// A payment counts once, and a payout is made or refused once. The holder has asked for one already,
/// of 3 BC to "account 7", that nobody has answered.
pub(super) async fn answers(bench: &Bench) -> anyhow::Result<()> {
    let (treasurer, holder) = (Quern::new(bench, OPERATOR)?, Quern::new(bench, HOLDER)?);
    let owner = Owner::new(bench, HOLDER)?;
    let account = owner.id().to_string();
    let not_the_treasurer = ["is not the treasurer", "--account"];

    let before = owner.wallet().await?.free;
    let record = [
        "treasury",
        "record",
        HOLDER,
        "--dollars",
        "1.50",
        "--reference",
        "bank-1",
    ];
    holder.refuses(1, &not_the_treasurer, &record).await?;
    let recorded = treasurer.does(&record).await?;
    says(
        &recorded,
        &json!({ "buyer": account, "cents": 150, "amount": "300000000000" }),
    )?;
    ensure!(is_digest(&recorded["transaction"]), "{recorded}");
    let bought = owner.wallet().await?.free - before;
    ensure!(bought == 300 * BYTECHIP, "{bought} came of $1.50");
    treasurer
        .refuses(1, &["recorded already", "$1.50"], &record)
        .await?;

    let shown = treasurer.does(&["treasury", "show"]).await?;
    let name = development_account(OPERATOR)?.id().to_string();
    says(
        &shown,
        &json!({ "treasurer": name, "bytechips_per_dollar": 200, "held": "3000000000" }),
    )?;
    let open = &shown["payouts"][0];
    says(
        open,
        &json!({ "account": account, "amount": "3000000000", "cents": 1 }),
    )?;
    for (destination, payouts) in [("account 7", &shown["payouts"]), ("account 8", &json!([]))] {
        let of = ["treasury", "show", "--destination", destination];
        let told = treasurer.does(&of).await?;
        ensure!(told["payouts"] == *payouts, "{destination}: {told}");
    }

    let number = open["payout"].to_string();
    let pay = ["treasury", "pay", &number, "--reference", "bank-2"];
    holder.refuses(1, &not_the_treasurer, &pay).await?;
    let paid = treasurer.does(&pay).await?;
    says(
        &paid,
        &json!({ "answer": "paid", "payout": open["payout"], "account": account }),
    )?;
    says(
        &paid,
        &json!({ "amount": "3000000000", "reference": "bank-2" }),
    )?;
    let held = owner.wallet().await?.payouts;
    ensure!(held == 0, "{held} is still held");
    let answered = ["was answered", &number, "quern treasury show"];
    treasurer.refuses(1, &answered, &pay).await?;

    let ask = ["wallet", "payout", "2", "--destination", "account 7"];
    let asked = holder
        .does(&[&ask[..], &["--answer", "none"]].concat())
        .await?;
    let other = asked["payout"].to_string();
    let stands = format!("stands for payout {number}");
    treasurer
        .refuses(
            1,
            &["bank-2", &stands],
            &["treasury", "pay", &other, "--reference", "bank-2"],
        )
        .await?;
    let free = owner.wallet().await?.free;
    let returned = treasurer.does(&["treasury", "return", &other]).await?;
    says(
        &returned,
        &json!({ "answer": "returned", "payout": asked["payout"], "reference": null }),
    )?;
    let wallet = owner.wallet().await?;
    ensure!(
        wallet.payouts == 0 && wallet.free == free + 2 * BYTECHIP,
        "it is not back: {wallet:?}"
    );
    Ok(())
}
