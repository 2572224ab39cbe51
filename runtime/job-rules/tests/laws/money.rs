//! Prices, quotes, splits and shares.

use crate::{plain_submission, reference, reference_price};
use codec::{Decode, Encode};
use proptest::prelude::*;
use quern_job_rules::{
    pay::{self, Tariff},
    quote::{self, QuoteError},
    split::Split,
};
use quern_primitives::{
    amount::Amount,
    job::{Agreement, ByteLevel, Preferences, Prices, Submission},
    limits,
    params::{Params, Terms},
};

/// With these a task may cost whatever the limits allow.
const UNBOUNDED: Params = Params {
    bond_per_device: Amount::MAX >> 32,
    ..Params::FIRST
};

fn prices() -> impl Strategy<Value = Prices> {
    (
        0..=pay::GIGAFUEL_MAX,
        pay::TASK_MIN_MIN..=pay::TASK_MIN_MAX,
        0..=pay::REPLICA_PERMILLE_MAX,
        pay::LEVEL_PERMILLE_MIN..=1_000,
        1_000..=pay::LEVEL_PERMILLE_MAX,
    )
        .prop_map(
            |(gigafuel, task_min, replica_permille, low_permille, high_permille)| Prices {
                gigafuel,
                task_min,
                replica_permille,
                low_permille,
                high_permille,
            },
        )
}

fn level() -> impl Strategy<Value = ByteLevel> {
    prop_oneof![
        Just(ByteLevel::Low),
        Just(ByteLevel::Balanced),
        Just(ByteLevel::High)
    ]
}

fn agreement() -> impl Strategy<Value = Agreement> {
    (0u8..=9).prop_map(|pairs| match pairs {
        0 => Agreement::Single,
        8 => Agreement::Unanimous,
        9 => Agreement::Adaptive,
        pairs => Agreement::Majority {
            replicas: 2 * pairs + 1,
        },
    })
}

/// Any bits, so that many name what there is not.
fn preferences() -> impl Strategy<Value = Preferences> {
    any::<([bool; 2], [u8; 3], u16, u16)>().prop_map(|(flags, sets, points, version)| {
        let encoded = (flags[0], sets, flags[1], points, version).encode();
        Preferences::decode(&mut &encoded[..]).unwrap()
    })
}

fn submission() -> impl Strategy<Value = Submission> {
    (
        1..=limits::TASKS_PER_JOB_MAX,
        1..=limits::TASK_FUEL_MAX,
        level(),
        agreement(),
    )
        .prop_map(|(tasks, fuel_per_task_max, level, agreement)| Submission {
            tasks,
            fuel_per_task_max,
            level,
            agreement,
            ..plain_submission()
        })
}

proptest! {
    #[test]
    fn prices_are_what_the_rule_says_to_the_last_unit(
        prices in prices(), submission in submission(), fuel: u64, small in 0u64..10_000_000_000,
    ) {
        prop_assert_eq!(pay::check_prices(&prices), Ok(()));
        let tariff = Tariff::of_submission(&prices, Terms::FIRST, &submission).unwrap();
        for fuel in [fuel, small, submission.fuel_per_task_max] {
            prop_assert_eq!(tariff.price(fuel), reference_price(&prices, &submission, fuel));
        }
    }

    #[test]
    fn more_fuel_never_costs_less_and_never_more_than_the_cap(
        prices in prices(), submission in submission(), one: u64, other: u64,
    ) {
        let tariff = Tariff::of_submission(&prices, Terms::FIRST, &submission).unwrap();
        let (less, more) = (one.min(other), one.max(other));
        prop_assert!(tariff.price(less) <= tariff.price(more));
        prop_assert!(tariff.price(more) <= tariff.task_cap());
        prop_assert!(tariff.price(0) > 0, "no accepted task is free");
    }

    #[test]
    fn a_higher_level_or_more_replicas_never_cost_less(
        prices in prices(), submission in submission(), fuel: u64,
    ) {
        let price = |level, agreement| {
            let submission = Submission { level, agreement, ..submission.clone() };
            Tariff::of_submission(&prices, Terms::FIRST, &submission).unwrap().price(fuel)
        };
        let (three, five) =
            (Agreement::Majority { replicas: 3 }, Agreement::Majority { replicas: 5 });
        let two = Agreement::Unanimous;
        for agreement in [Agreement::Single, Agreement::Adaptive, two, three, five] {
            prop_assert!(
                price(ByteLevel::Low, agreement) <= price(ByteLevel::Balanced, agreement)
            );
            prop_assert!(
                price(ByteLevel::Balanced, agreement) <= price(ByteLevel::High, agreement)
            );
        }
        let (single, adaptive) = (Agreement::Single, Agreement::Adaptive);
        prop_assert_eq!(price(ByteLevel::Low, single), price(ByteLevel::Low, adaptive));
        prop_assert!(price(ByteLevel::Low, single) <= price(ByteLevel::Low, two));
        prop_assert!(price(ByteLevel::Low, two) <= price(ByteLevel::Low, three));
        prop_assert!(price(ByteLevel::Low, three) <= price(ByteLevel::Low, five));
    }

    #[test]
    fn a_quote_covers_its_tasks_and_its_parts_add_up(
        prices in prices(), submission in submission(),
    ) {
        let quote = quote::quote(&submission, &prices, &UNBOUNDED, 0).unwrap();
        let cap = reference_price(&prices, &submission, u64::MAX);
        prop_assert_eq!(quote.task, cap);
        prop_assert_eq!(quote.total, cap * Amount::from(submission.tasks));
        prop_assert_eq!(quote.workers, reference::seven_tenths(quote.total));
        prop_assert_eq!(quote.workers + quote.network, quote.total);
    }

    #[test]
    fn any_submission_is_judged_without_panic(
        tasks: u32, input_bytes: u64, fuel: u64, memory: u64, result: u32, replicas: u8,
        (deadline, now) in any::<(u32, u32)>(), gigafuel: u128, task_min: u128, permille: u32,
        (level, preferences) in (level(), preferences()), shares: [u16; 3], bond: u128,
    ) {
        let [workers_permille, operators_permille, re_execution_permille] = shares;
        let params = Params {
            workers_permille,
            operators_permille,
            re_execution_permille,
            bond_per_device: bond,
            ..Params::FIRST
        };
        let submission = Submission {
            tasks,
            input_bytes,
            fuel_per_task_max: fuel,
            memory_bytes_max: memory,
            result_bytes_max: result,
            agreement: Agreement::Majority { replicas },
            preferences,
            level,
            deadline,
            ..plain_submission()
        };
        let prices = Prices {
            gigafuel,
            task_min,
            replica_permille: permille,
            low_permille: permille,
            high_permille: permille,
        };
        if let Err(error) = quote::quote(&submission, &prices, &params, now) {
            prop_assert!(!error.to_string().is_empty());
            let above = matches!(error, QuoteError::AbovePriceMax { .. });
            prop_assert!(!above, "a quote does not look at what the owner agreed to");
        }
    }

    #[test]
    fn a_split_adds_up_and_leaves_every_remainder_to_the_treasury(
        spent: u128, workers_permyriad in 0u32..=7_000,
    ) {
        let workers = reference::seven_tenths(spent).min(
            spent / 10_000 * Amount::from(workers_permyriad),
        );
        let split = Split::of(spent, workers, Terms::FIRST).unwrap();
        prop_assert_eq!(split.workers(), workers);
        prop_assert_eq!(split.operators(), spent / 5);
        prop_assert_eq!(split.treasury(), spent - workers - split.operators());
        let most = reference::seven_tenths(spent);
        prop_assert!(Split::of(spent, most, Terms::FIRST).is_ok());
        prop_assert!(Split::of(spent, most + 1, Terms::FIRST).is_err());
    }

    #[test]
    fn whatever_terms_a_job_has_each_gets_its_share_and_the_treasury_the_rest(
        spent: u128, workers in 500u16..=900, operators in 50u16..=400, paid in 0u128..=1_000,
    ) {
        let params = Params {
            workers_permille: workers,
            operators_permille: operators,
            ..Params::FIRST
        };
        prop_assume!(params.check().is_ok());
        let terms = params.terms();
        let share = |permille: u16| {
            reference::Ratio::new(spent, 1)
                .times(reference::Ratio::new(permille.into(), 1_000))
                .floor()
        };
        let most = share(workers);
        prop_assert_eq!(pay::bounty(spent, terms), most);
        let given = most / 1_000 * paid;
        let split = Split::of(spent, given, terms).unwrap();
        prop_assert_eq!(split.operators(), share(operators));
        prop_assert_eq!(split.treasury(), spent - given - share(operators));
        prop_assert!(Split::of(spent, most, terms).is_ok());
        prop_assert!(Split::of(spent, most + 1, terms).is_err());
    }

    #[test]
    fn equal_shares_of_any_verdicts_fit_the_workers_part_of_their_batch(
        verdicts in prop::collection::vec((0..=10u128.pow(19), 0u8..=15), 0..200),
    ) {
        let spent: Amount = verdicts.iter().map(|(price, _)| price).sum();
        let workers: Amount = verdicts
            .iter()
            .map(|(price, agreeing)| pay::pays(*price, *agreeing, Terms::FIRST) * Amount::from(*agreeing))
            .sum();
        prop_assert!(Split::of(spent, workers, Terms::FIRST).is_ok());
        for (price, agreeing) in verdicts.into_iter().filter(|(_, agreeing)| *agreeing > 0) {
            let given = pay::pays(price, agreeing, Terms::FIRST) * Amount::from(agreeing);
            let bounty = reference::seven_tenths(price);
            prop_assert!(given <= bounty && bounty - given < agreeing.into());
        }
    }
}
