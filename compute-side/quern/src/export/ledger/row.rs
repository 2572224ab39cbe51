//! What a movement of money is as a row. The columns do not change: new ones come behind the others.

use jiff::Timestamp;
use quern_audit::{Entry, Movement, Statement, What};
use quern_ledger::BlockRead;
use quern_primitives::{
    AccountId, Amount, BlockNumber, JobId,
    amount::{SYMBOL, as_string, display},
    ids::BatchSequence,
};
use serde::Serialize;
use std::borrow::Cow;

/// The names of the columns, in their order.
pub(super) const COLUMNS: [&str; 16] = [
    "block",
    "time",
    "block_hash",
    "transaction",
    "transaction_hash",
    "kind",
    "account",
    "from",
    "counter_account",
    "to",
    "amount",
    "units",
    "reason",
    "job",
    "batch",
    "tasks",
];

/// A movement.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    block: BlockNumber,
    /// When the block was made.
    time: Option<String>,
    block_hash: String,
    /// The transaction's place in the block.
    transaction: Option<u32>,
    transaction_hash: Option<String>,
    kind: &'static str,
    /// Whose money it was.
    account: Option<AccountId>,
    /// In which purse.
    from: &'static str,
    /// Whose it is now.
    counter_account: Option<AccountId>,
    /// In which purse.
    to: &'static str,
    /// In ByteChips.
    amount: String,
    #[serde(with = "as_string")]
    units: Amount,
    /// What it is held for, or was.
    reason: Option<String>,
    job: Option<JobId>,
    batch: Option<BatchSequence>,
    /// How many tasks that batch settled.
    tasks: Option<u32>,
}

/// The movements of a block, in order.
pub(super) fn rows(read: &BlockRead) -> impl Iterator<Item = Row> {
    let entries = read.money.entries.iter();
    entries.filter_map(move |entry| Some(row(read, entry, entry.movement()?)))
}

fn row(read: &BlockRead, entry: &Entry, movement: &Movement) -> Row {
    let transaction = entry.transaction;
    let place = transaction.and_then(|place| usize::try_from(place).ok());
    let known = place.and_then(|place| read.transactions.get(place));
    let reason = movement.to.reason().or(movement.from.reason());
    Row {
        block: read.block.number,
        time: read.time_ms.and_then(time),
        block_hash: hexadecimal(&read.block.hash),
        transaction,
        transaction_hash: known.map(|known| hexadecimal(&known.hash)),
        kind: movement.kind.name(),
        account: movement.from.account().cloned(),
        from: movement.from.name(),
        counter_account: movement.to.account().cloned(),
        to: movement.to.name(),
        amount: decimal(movement.amount),
        units: movement.amount,
        reason: reason.map(|reason| reason.name().to_owned()),
        job: movement.job,
        batch: movement.batch,
        tasks: tasks(read, entry, movement),
    }
}

/// How many tasks the batch settled that paid a movement.
fn tasks(read: &BlockRead, entry: &Entry, movement: &Movement) -> Option<u32> {
    let batch = movement.job.zip(movement.batch)?;
    let mut others = read.money.entries.iter();
    others.find_map(|other| match &other.what {
        What::Said(Statement::Finalised(finalised))
            if other.transaction == entry.transaction
                && (finalised.job, finalised.sequence) == batch =>
        {
            Some(finalised.tasks)
        }
        _ => None,
    })
}

/// A time in UTC as RFC 3339 writes it; none where the calendar ends.
fn time(ms: u64) -> Option<String> {
    let time = Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok()?;
    Some(time.to_string())
}

fn hexadecimal(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

/// An amount in ByteChips, exactly, without the unit.
fn decimal(units: Amount) -> String {
    let text = display(units);
    text.trim_end_matches(SYMBOL).trim_end().to_owned()
}

impl Row {
    /// The row as comma separated values.
    pub(super) fn csv(&self) -> String {
        fn text(value: &Option<impl ToString>) -> String {
            value.as_ref().map(ToString::to_string).unwrap_or_default()
        }
        let cells: [String; COLUMNS.len()] = [
            self.block.to_string(),
            text(&self.time),
            self.block_hash.clone(),
            text(&self.transaction),
            text(&self.transaction_hash),
            self.kind.to_owned(),
            text(&self.account),
            self.from.to_owned(),
            text(&self.counter_account),
            self.to.to_owned(),
            self.amount.clone(),
            self.units.to_string(),
            text(&self.reason),
            text(&self.job),
            text(&self.batch),
            text(&self.tasks),
        ];
        cells.each_ref().map(|cell| quoted(cell)).join(",")
    }
}

/// A cell as RFC 4180 has it: within quotation marks if it holds any, or what parts cells or rows.
fn quoted(cell: &str) -> Cow<'_, str> {
    if cell.contains(['"', ',', '\r', '\n']) {
        Cow::Owned(format!("\"{}\"", cell.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(cell)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_audit::{Block, Finalised, Kind, Purse, Reason};
    use quern_ledger::{FinalisedBlock, Transaction};
    use quern_primitives::amount::parse;
    use serde_json::Value;

    const JOB: JobId = JobId([9; 32]);

    fn account(byte: u8) -> AccountId {
        AccountId::new([byte; 32])
    }

    /// A block in which a batch of five tasks pays a worker, and a fee passes.
    fn block() -> BlockRead {
        let moved = |transaction, movement| Entry {
            transaction,
            what: What::Moved(movement),
        };
        let pay = Movement {
            from: Purse::Held(account(1), Reason::Escrow),
            to: Purse::Free(account(2)),
            amount: u128::MAX,
            kind: Kind::WorkerPay,
            job: Some(JOB),
            batch: Some(3),
            note: None,
        };
        let fee = Movement {
            from: Purse::Free(account(2)),
            to: Purse::Passing,
            amount: 1_500_000_000,
            kind: Kind::FeeTaken,
            job: None,
            batch: None,
            note: None,
        };
        let finalised = Finalised {
            job: JOB,
            sequence: 3,
            tasks: 5,
            workers: u128::MAX,
            operators: 0,
            treasury: 0,
        };
        let said = Entry {
            transaction: Some(1),
            what: What::Said(Statement::Finalised(finalised)),
        };
        let transaction = |byte| Transaction {
            hash: [byte; 32],
            pallet: "Jobs".into(),
            call: "settle".into(),
        };
        BlockRead {
            block: FinalisedBlock {
                number: 7,
                hash: [5; 32],
            },
            time_ms: Some(1_760_000_000_000),
            money: Block {
                number: 7,
                entries: vec![moved(Some(1), pay), said, moved(None, fee)],
                settlements: vec![],
            },
            transactions: vec![transaction(0xaa), transaction(0xbb)],
        }
    }

    #[test]
    fn a_row_has_a_cell_for_each_column_and_no_digit_is_lost() {
        let rows: Vec<_> = rows(&block()).collect();
        assert_eq!(rows.len(), 2);
        let (hash, of_transaction) = ("05".repeat(32), "bb".repeat(32));
        let (one, two) = (account(1), account(2));
        assert_eq!(
            rows[0].csv(),
            format!(
                "7,2025-10-09T08:53:20Z,0x{hash},1,0x{of_transaction},worker_pay,{one},held,{two},free,\
                 340282366920938463463374607431.768211455,340282366920938463463374607431768211455,\
                 escrow,{JOB},3,5"
            )
        );
        assert_eq!(
            rows[1].csv(),
            format!(
                "7,2025-10-09T08:53:20Z,0x{hash},,,fee_taken,{two},free,,passing,1.5,1500000000,,,,"
            )
        );
        for row in &rows {
            assert_eq!(row.csv().split(',').count(), COLUMNS.len());
            assert_eq!(parse(&row.amount), Ok(row.units));
        }
    }

    #[test]
    fn a_line_of_json_has_the_columns_names_in_their_order() {
        let row = rows(&block()).next().unwrap();
        let text = serde_json::to_string(&row).unwrap();
        let places = COLUMNS.map(|name| text.find(&format!("\"{name}\":")));
        assert!(places.iter().all(Option::is_some), "{text}");
        assert!(places.is_sorted(), "{text}");
        let value: Value = serde_json::from_str(&text).unwrap();
        let units = value["units"].as_str().unwrap();
        assert_eq!(units, u128::MAX.to_string());
        assert_eq!(value.as_object().map(|fields| fields.len()), Some(16));
        assert_eq!(value["batch"], 3);
    }

    #[test]
    fn a_cell_that_parts_cells_is_quoted() {
        for (cell, written) in [
            ("plain text", "plain text"),
            ("", ""),
            ("a,b", "\"a,b\""),
            ("say \"it\"", "\"say \"\"it\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("two\r", "\"two\r\""),
        ] {
            assert_eq!(quoted(cell), written);
        }
    }
}
