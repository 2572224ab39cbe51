//! What went in and out of an account, from the events of finalised blocks.

use crate::{
    context::Context,
    output::{Output, count_bar, table},
};
use clap::Args;
use codec::Decode;
use quern_ledger::ChainEvent;
use quern_primitives::{
    AccountId, Amount, BlockNumber, JobId,
    amount::{as_string, display},
};
use serde::Serialize;

#[derive(Args, Debug)]
pub(crate) struct HistoryArgs {
    /// Whose: an address or the name of a key [default: the account that signs]
    #[arg(value_name = "ACCOUNT")]
    of: Option<String>,
    /// How many of the last blocks to read
    #[arg(long, default_value_t = 1_000)]
    blocks: BlockNumber,
}

#[derive(Debug, Serialize)]
struct History {
    account: AccountId,
    first_block: BlockNumber,
    last_block: BlockNumber,
    entries: Vec<Dated>,
}

#[derive(Debug, Serialize)]
struct Dated {
    block: BlockNumber,
    #[serde(flatten)]
    entry: Entry,
}

/// One movement of an account's money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Entry {
    what: What,
    #[serde(with = "as_string")]
    amount: Amount,
    /// The other account or the job, if there is one.
    with: Option<String>,
}

/// What moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Sent,
    Received,
    Fee,
    Bought,
    Escrowed,
    PaidFromEscrow,
    Earned,
    Released,
    Bonded,
    Unbonded,
    PayoutAsked,
    PayoutMade,
    PayoutReturned,
}

pub(crate) async fn run(context: &Context, args: &HistoryArgs) -> anyhow::Result<()> {
    let account = context.account_id(args.of.as_deref())?;
    let chain = context.chain().await?;
    let last_block = chain.at_finalised().await?.block().number;
    // The first block is what the chain was made with and has no events.
    let first_block = last_block
        .saturating_sub(args.blocks.saturating_sub(1))
        .max(1);
    let bar = count_bar("blocks");
    bar.set_length(u64::from(last_block.saturating_sub(first_block)) + 1);
    let mut entries = Vec::new();
    for block in first_block..=last_block {
        let events = chain.at_height(block).await?.events().await?;
        let found = events.iter().filter_map(|event| entry(&account, event));
        entries.extend(found.map(|entry| Dated { block, entry }));
        bar.inc(1);
    }
    bar.finish_and_clear();
    context.show(&History {
        account,
        first_block,
        last_block,
        entries,
    })
}

/// What an event says of an account's money.
fn entry(account: &AccountId, event: &ChainEvent) -> Option<Entry> {
    if !event
        .bytes
        .windows(32)
        .any(|bytes| bytes == AsRef::<[u8]>::as_ref(account))
    {
        return None;
    }
    let mut bytes = &event.bytes[..];
    let one = |what, who: AccountId, amount, with| {
        (who == *account).then_some(Entry { what, amount, with })
    };
    match (event.pallet.as_str(), event.name.as_str()) {
        ("Balances", "Transfer") => {
            let (from, to, amount) = decode(&mut bytes)?;
            between(account, from, to, amount, [What::Sent, What::Received])
        }
        ("Balances", "TransferOnHold") => {
            let (_reason, from, to, amount) = decode::<([u8; 2], _, _, _)>(&mut bytes)?;
            between(
                account,
                from,
                to,
                amount,
                [What::PaidFromEscrow, What::Earned],
            )
        }
        ("Balances", "Released") => {
            let (_reason, who, amount) = decode::<([u8; 2], _, _)>(&mut bytes)?;
            one(What::Released, who, amount, None)
        }
        ("TransactionPayment", "TransactionFeePaid") => {
            let (who, fee, _tip) = decode::<(_, _, Amount)>(&mut bytes)?;
            (fee > 0).then(|| one(What::Fee, who, fee, None))?
        }
        ("Jobs", "JobSubmitted") => {
            let (job, who, amount) = decode::<(JobId, _, _)>(&mut bytes)?;
            one(What::Escrowed, who, amount, Some(job.to_string()))
        }
        ("Workforce", "Bonded") => {
            let (who, amount) = decode(&mut bytes)?;
            one(What::Bonded, who, amount, None)
        }
        ("Workforce", "Unbonded") => {
            let (who, amount, _at) = decode::<(_, _, BlockNumber)>(&mut bytes)?;
            one(What::Unbonded, who, amount, None)
        }
        ("Bytechip", "PurchaseRecorded") => {
            let (reference, who, _cents, amount) = decode::<(Vec<u8>, _, u64, _)>(&mut bytes)?;
            let reference = String::from_utf8_lossy(&reference)
                .escape_debug()
                .to_string();
            one(What::Bought, who, amount, Some(reference))
        }
        ("Bytechip", name) => {
            let (number, who, amount) = decode::<(u64, _, _)>(&mut bytes)?;
            let what = match name {
                "PayoutRequested" => What::PayoutAsked,
                "PayoutCompleted" => What::PayoutMade,
                "PayoutReturned" => What::PayoutReturned,
                _ => return None,
            };
            one(what, who, amount, Some(format!("payout {number}")))
        }
        _ => None,
    }
}

fn decode<T: Decode>(bytes: &mut &[u8]) -> Option<T> {
    T::decode(bytes).ok()
}

fn between(
    account: &AccountId,
    from: AccountId,
    to: AccountId,
    amount: Amount,
    [out, into]: [What; 2],
) -> Option<Entry> {
    match (from == *account, to == *account) {
        (true, _) => Some(Entry {
            what: out,
            amount,
            with: Some(to.to_string()),
        }),
        (false, true) => Some(Entry {
            what: into,
            amount,
            with: Some(from.to_string()),
        }),
        (false, false) => None,
    }
}

impl What {
    fn words(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Received => "received",
            Self::Fee => "transaction fee",
            Self::Bought => "bought",
            Self::Escrowed => "into escrow",
            Self::PaidFromEscrow => "paid from escrow",
            Self::Earned => "earned",
            Self::Released => "released",
            Self::Bonded => "bonded",
            Self::Unbonded => "being unbonded",
            Self::PayoutAsked => "payout asked for",
            Self::PayoutMade => "payout made",
            Self::PayoutReturned => "payout returned",
        }
    }
}

impl Output for History {
    fn people(&self) -> String {
        let of = format!("of blocks {} to {}", self.first_block, self.last_block);
        if self.entries.is_empty() {
            return format!("nothing went in or out in the events {of}");
        }
        let row = |dated: &Dated| {
            vec![
                dated.block.to_string(),
                dated.entry.what.words().to_owned(),
                display(dated.entry.amount),
                dated.entry.with.clone().unwrap_or_default(),
            ]
        };
        let rows: Vec<_> = self.entries.iter().map(row).collect();
        format!(
            "{}\n({of})",
            table(&[">block", "what", ">amount", "with"], &rows)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use codec::Encode;

    const ME: AccountId = AccountId::new([1; 32]);
    const OTHER: AccountId = AccountId::new([2; 32]);

    fn event(pallet: &str, name: &str, fields: impl Encode) -> ChainEvent {
        let (pallet, name) = (pallet.to_owned(), name.to_owned());
        ChainEvent {
            pallet,
            name,
            transaction: None,
            bytes: fields.encode(),
            text: String::new(),
        }
    }

    fn found(pallet: &str, name: &str, fields: impl Encode) -> Option<(What, Amount)> {
        entry(&ME, &event(pallet, name, fields)).map(|entry| (entry.what, entry.amount))
    }

    #[test]
    fn each_movement_is_told_from_the_account_s_side() {
        let transfer =
            |from: AccountId, to: AccountId| found("Balances", "Transfer", (from, to, 5u128));
        assert_eq!(transfer(ME, OTHER), Some((What::Sent, 5)));
        assert_eq!(transfer(OTHER, ME), Some((What::Received, 5)));
        assert_eq!(transfer(OTHER, OTHER), None);
        let paid = ([1u8, 0u8], OTHER, ME, 7u128);
        assert_eq!(
            found("Balances", "TransferOnHold", paid),
            Some((What::Earned, 7))
        );
        let bought = (b"bank-1".to_vec(), ME, 100u64, 9u128);
        assert_eq!(
            found("Bytechip", "PurchaseRecorded", bought),
            Some((What::Bought, 9))
        );
        let asked = (3u64, ME, 4u128, [0u8; 32]);
        assert_eq!(
            found("Bytechip", "PayoutRequested", asked),
            Some((What::PayoutAsked, 4))
        );
        let submitted = ([9u8; 32], ME, 8u128);
        assert_eq!(
            found("Jobs", "JobSubmitted", submitted),
            Some((What::Escrowed, 8))
        );
    }

    #[test]
    fn events_of_others_and_of_unknown_shape_are_passed_over() {
        assert_eq!(
            found("Jobs", "JobSubmitted", ([9u8; 32], OTHER, 8u128)),
            None
        );
        assert_eq!(found("Balances", "Transfer", ME), None);
        assert_eq!(found("Balances", "Endowed", (ME, 1u128)), None);
    }
}
