//! Laws of the rules, held against random input and against a reference written apart.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod exhaustive;
mod histories;
mod money;
mod operators;
mod reference;

use quern_primitives::{
    amount::Amount,
    device::Class,
    ids::{Digest, ProgramHash, SealingKey},
    job::{Agreement, ByteLevel, Preferences, Prices, Referees, Submission},
};

/// Six tasks of three replicas with an odd fuel limit, deadline at block 30.
fn plain_submission() -> Submission {
    Submission {
        salt: [0; 16],
        program: ProgramHash::default(),
        manifest: Digest::default(),
        shards_root: Digest::default(),
        key_commitment: Digest::default(),
        tasks: 6,
        input_bytes: 1,
        fuel_per_task_max: 1_000_000_007,
        memory_bytes_max: 1,
        result_bytes_max: 1,
        agreement: Agreement::Majority { replicas: 3 },
        referees: Referees::One,
        class: Class::Pinned,
        preferences: Preferences::default(),
        level: ByteLevel::High,
        deadline: 30,
        price_max: Amount::MAX,
        owner_sealing_key: SealingKey::default(),
    }
}

/// The reference's price of a task of a submission that used this much fuel.
fn reference_price(prices: &Prices, submission: &Submission, fuel: u64) -> Amount {
    let level_permille = match submission.level {
        ByteLevel::Low => prices.low_permille,
        ByteLevel::Balanced => 1_000,
        ByteLevel::High => prices.high_permille,
    };
    reference::price(
        prices.gigafuel,
        prices.task_min,
        level_permille,
        prices.replica_permille,
        submission.agreement.replicas(),
        fuel.min(submission.fuel_per_task_max),
    )
}
