//! Whether a submission is one the chain takes, and what it will cost at most.

// Of what the derived encoding of enums does with variant numbers; nothing here is cast.
#![allow(clippy::cast_possible_truncation)]

use crate::{
    pay::{PriceOverflow, Tariff},
    value,
};
use codec::{Decode, DecodeWithMemTracking, Encode};
use core::fmt;
use quern_primitives::{
    amount::{self, Amount},
    ids::BlockNumber,
    job::{Preferences, Prices, Submission},
    limits,
    params::Params,
    view::Quote,
};
use scale_info::TypeInfo;

/// Why a submission is refused. Each says what to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(
    feature = "std",
    derive(serde::Serialize, serde::Deserialize),
    serde(tag = "refused", rename_all = "snake_case")
)]
pub enum QuoteError {
    /// There are no tasks.
    NoTasks,
    /// There are more tasks than [`limits::TASKS_PER_JOB_MAX`].
    TooManyTasks {
        /// Tasks submitted.
        tasks: u32,
    },
    /// There is no input.
    NoInput,
    /// Some shard would have to be larger than [`limits::SHARD_BYTES_MAX`].
    InputTooLarge {
        /// The most input this many tasks can have.
        input_bytes_max: u64,
    },
    /// A task may use no fuel, so none can run.
    NoFuel,
    /// A task may use more fuel than [`limits::TASK_FUEL_MAX`].
    TooMuchFuel {
        /// The limit asked for.
        fuel_per_task_max: u64,
    },
    /// A task may use no memory, so none can run.
    NoMemory,
    /// A task may use more memory than [`limits::TASK_MEMORY_BYTES_MAX`].
    TooMuchMemory {
        /// The limit asked for.
        memory_bytes_max: u64,
    },
    /// A task's result may be longer than [`limits::RESULT_BYTES_MAX`].
    ResultTooLong {
        /// The limit asked for.
        result_bytes_max: u32,
    },
    /// This number of replicas cannot decide by majority.
    AgreementUndecidable {
        /// Replicas asked for.
        replicas: u8,
    },
    /// A region that there is not is asked for.
    RegionUnknown,
    /// A kind of machine that there is not is asked for.
    HardwareUnknown,
    /// A kind of line that there is not is asked for.
    LineUnknown,
    /// More points of the processor are asked for than [`limits::PROCESSOR_POINTS_MAX`], so no
    /// device would do.
    TooManyProcessorPoints {
        /// The points asked for.
        processor_points_min: u16,
    },
    /// The deadline is not after the present block.
    DeadlinePassed {
        /// The deadline asked for.
        deadline: BlockNumber,
        /// The present block.
        now: BlockNumber,
    },
    /// The deadline is nearer than [`limits::JOB_LIFETIME_BLOCKS_MIN`].
    DeadlineTooNear {
        /// The earliest possible deadline.
        earliest: BlockNumber,
    },
    /// The deadline is further away than [`limits::JOB_LIFETIME_BLOCKS_MAX`].
    DeadlineTooFar {
        /// The latest possible deadline.
        latest: BlockNumber,
    },
    /// The price does not fit an amount.
    PriceTooLarge,
    /// The price is above what the owner agreed to. Only [`accept`] says so.
    AbovePriceMax {
        /// What the job would cost at most.
        #[cfg_attr(feature = "std", serde(with = "quern_primitives::amount::as_string"))]
        total: Amount,
        /// What the owner agreed to.
        #[cfg_attr(feature = "std", serde(with = "quern_primitives::amount::as_string"))]
        price_max: Amount,
    },
    /// A task costs more than what makes cheating with it lose, see [`value`].
    TaskWorthTooMuch {
        /// What a task would cost at most.
        #[cfg_attr(feature = "std", serde(with = "quern_primitives::amount::as_string"))]
        task: Amount,
        /// What it may cost.
        #[cfg_attr(feature = "std", serde(with = "quern_primitives::amount::as_string"))]
        most: Amount,
    },
}

impl fmt::Display for QuoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTasks => f.write_str("the job has no tasks; cut its input into at least one"),
            Self::TooManyTasks { tasks } => write!(
                f,
                "{tasks} tasks are too many; cut the input into at most {}",
                limits::TASKS_PER_JOB_MAX
            ),
            Self::NoInput => f.write_str("the input is empty; give at least one byte"),
            Self::InputTooLarge { input_bytes_max } => write!(
                f,
                "this many tasks can have {input_bytes_max} bytes of input; cut it into more tasks"
            ),
            Self::NoFuel => f.write_str("the fuel limit is zero; allow each task some fuel"),
            Self::TooMuchFuel { fuel_per_task_max } => write!(
                f,
                "a fuel limit of {fuel_per_task_max} is too high; allow at most {} and cut the \
                 input into more tasks",
                limits::TASK_FUEL_MAX
            ),
            Self::NoMemory => f.write_str("the memory limit is zero; allow each task some memory"),
            Self::TooMuchMemory { memory_bytes_max } => write!(
                f,
                "a memory limit of {memory_bytes_max} bytes is too high; allow at most {}",
                limits::TASK_MEMORY_BYTES_MAX
            ),
            Self::ResultTooLong { result_bytes_max } => write!(
                f,
                "a result limit of {result_bytes_max} bytes is too high; allow at most {}",
                limits::RESULT_BYTES_MAX
            ),
            Self::AgreementUndecidable { replicas } => write!(
                f,
                "{replicas} replicas cannot decide by majority; ask for an odd number from 3 to {}",
                limits::REPLICAS_PER_TASK_MAX
            ),
            Self::RegionUnknown => f.write_str(
                "the job asks for a region that the chain does not know; name only those it knows, \
                 or none for any",
            ),
            Self::HardwareUnknown => f.write_str(
                "the job asks for a kind of machine that the chain does not know; name only those \
                 it knows, or none for any",
            ),
            Self::LineUnknown => f.write_str(
                "the job asks for a kind of line that the chain does not know; name only those it \
                 knows, or none for any",
            ),
            Self::TooManyProcessorPoints {
                processor_points_min,
            } => write!(
                f,
                "no processor has {processor_points_min} points; ask for at most {}",
                limits::PROCESSOR_POINTS_MAX
            ),
            Self::DeadlinePassed { deadline, now } => write!(
                f,
                "the deadline, block {deadline}, is not after the present block {now}; set a later \
                 one"
            ),
            Self::DeadlineTooNear { earliest } => write!(
                f,
                "the deadline is too near; set it to block {earliest} at the earliest, and later \
                 by the blocks that pass until the job is submitted"
            ),
            Self::DeadlineTooFar { latest } => {
                write!(
                    f,
                    "the deadline is too far away; set it to block {latest} at the latest"
                )
            }
            Self::PriceTooLarge => PriceOverflow.fmt(f),
            Self::AbovePriceMax { total, price_max } => write!(
                f,
                "the job costs up to {}, more than the {} agreed to; raise the price limit or \
                 lower fuel, replicas or level",
                amount::display(*total),
                amount::display(*price_max)
            ),
            Self::TaskWorthTooMuch { task, most } => write!(
                f,
                "a task costs up to {}, and with more than {} cheating could pay; cut the input into \
                 more tasks, each with a lower fuel limit, or ask for more replicas",
                amount::display(*task),
                amount::display(*most)
            ),
        }
    }
}

impl core::error::Error for QuoteError {}

impl From<PriceOverflow> for QuoteError {
    fn from(_: PriceOverflow) -> Self {
        Self::PriceTooLarge
    }
}

/// What a submission would cost at most, if it is one the chain takes in block `now`, with these
/// prices and parameters. The submission's `price_max` plays no part, so that an owner can ask before
/// agreeing.
pub fn quote(
    submission: &Submission,
    prices: &Prices,
    params: &Params,
    now: BlockNumber,
) -> Result<Quote, QuoteError> {
    check_work(submission)?;
    check_task_limits(submission)?;
    check_preferences(&submission.preferences)?;
    check_deadline(submission.deadline, now)?;
    let tariff = Tariff::of_submission(prices, params.terms(), submission)?;
    let task = tariff.task_cap();
    check_value(task, params, submission)?;
    let total = task
        .checked_mul(submission.tasks.into())
        .ok_or(QuoteError::PriceTooLarge)?;
    let workers = tariff.bounty(total);
    let network = total
        .checked_sub(workers)
        .ok_or(QuoteError::PriceTooLarge)?;
    Ok(Quote {
        total,
        task,
        workers,
        network,
    })
}

/// As [`quote`], and within the price the owner agreed to.
pub fn accept(
    submission: &Submission,
    prices: &Prices,
    params: &Params,
    now: BlockNumber,
) -> Result<Quote, QuoteError> {
    let quote = quote(submission, prices, params, now)?;
    let (total, price_max) = (quote.total, submission.price_max);
    if total > price_max {
        return Err(QuoteError::AbovePriceMax { total, price_max });
    }
    Ok(quote)
}

fn check_work(submission: &Submission) -> Result<(), QuoteError> {
    let Submission {
        tasks,
        input_bytes,
        agreement,
        ..
    } = *submission;
    let input_bytes_max = u64::from(tasks).saturating_mul(limits::SHARD_BYTES_MAX.into());
    if tasks == 0 {
        Err(QuoteError::NoTasks)
    } else if tasks > limits::TASKS_PER_JOB_MAX {
        Err(QuoteError::TooManyTasks { tasks })
    } else if input_bytes == 0 {
        Err(QuoteError::NoInput)
    } else if input_bytes > input_bytes_max {
        Err(QuoteError::InputTooLarge { input_bytes_max })
    } else if !agreement.is_valid() {
        Err(QuoteError::AgreementUndecidable {
            replicas: agreement.replicas(),
        })
    } else {
        Ok(())
    }
}

fn check_task_limits(submission: &Submission) -> Result<(), QuoteError> {
    let Submission {
        fuel_per_task_max,
        memory_bytes_max,
        result_bytes_max,
        ..
    } = *submission;
    if fuel_per_task_max == 0 {
        Err(QuoteError::NoFuel)
    } else if fuel_per_task_max > limits::TASK_FUEL_MAX {
        Err(QuoteError::TooMuchFuel { fuel_per_task_max })
    } else if memory_bytes_max == 0 {
        Err(QuoteError::NoMemory)
    } else if memory_bytes_max > limits::TASK_MEMORY_BYTES_MAX {
        Err(QuoteError::TooMuchMemory { memory_bytes_max })
    } else if result_bytes_max > limits::RESULT_BYTES_MAX {
        Err(QuoteError::ResultTooLong { result_bytes_max })
    } else {
        Ok(())
    }
}

fn check_preferences(preferences: &Preferences) -> Result<(), QuoteError> {
    let Preferences {
        regions,
        hardware,
        lines,
        processor_points_min,
        ..
    } = *preferences;
    if !regions.is_valid() {
        Err(QuoteError::RegionUnknown)
    } else if !hardware.is_valid() {
        Err(QuoteError::HardwareUnknown)
    } else if !lines.is_valid() {
        Err(QuoteError::LineUnknown)
    } else if processor_points_min > limits::PROCESSOR_POINTS_MAX {
        Err(QuoteError::TooManyProcessorPoints {
            processor_points_min,
        })
    } else {
        Ok(())
    }
}

fn check_value(task: Amount, params: &Params, submission: &Submission) -> Result<(), QuoteError> {
    let most = value::value_max(params, submission.agreement);
    if task > most {
        return Err(QuoteError::TaskWorthTooMuch { task, most });
    }
    Ok(())
}

fn check_deadline(deadline: BlockNumber, now: BlockNumber) -> Result<(), QuoteError> {
    let earliest = now.saturating_add(limits::JOB_LIFETIME_BLOCKS_MIN);
    let latest = now.saturating_add(limits::JOB_LIFETIME_BLOCKS_MAX);
    if deadline <= now {
        Err(QuoteError::DeadlinePassed { deadline, now })
    } else if deadline < earliest {
        Err(QuoteError::DeadlineTooNear { earliest })
    } else if deadline > latest {
        Err(QuoteError::DeadlineTooFar { latest })
    } else {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::*;
    use crate::pay::{self, PRICES_AT_GENESIS};
    use alloc::string::ToString;
    use quern_primitives::{
        device::{Class, Hardware, Line, Region},
        ids::{Digest, ProgramHash, SealingKey},
        job::{Agreement, ByteLevel, HardwareSet, LineSet, Referees, RegionSet},
    };

    /// Sixty tasks of three replicas, each with up to two gigafuel; deadline at block 1000.
    pub(crate) fn submission() -> Submission {
        Submission {
            salt: [1; 16],
            program: ProgramHash([2; 32]),
            manifest: Digest([3; 32]),
            shards_root: Digest([4; 32]),
            key_commitment: Digest([5; 32]),
            tasks: 60,
            input_bytes: 6_000,
            fuel_per_task_max: 2_000_000_000,
            memory_bytes_max: 64 * 1024 * 1024,
            result_bytes_max: 1024 * 1024,
            agreement: Agreement::Majority { replicas: 3 },
            referees: Referees::One,
            class: Class::Pinned,
            preferences: Preferences::default(),
            level: ByteLevel::Balanced,
            deadline: 1_000,
            price_max: Amount::MAX,
            owner_sealing_key: SealingKey([6; 32]),
        }
    }

    fn refusal(change: impl FnOnce(&mut Submission)) -> QuoteError {
        let mut submission = submission();
        change(&mut submission);
        quote(&submission, &PRICES_AT_GENESIS, &Params::FIRST, 10).unwrap_err()
    }

    #[test]
    fn the_quote_is_the_cap_of_every_task_together() {
        let quote = quote(&submission(), &PRICES_AT_GENESIS, &Params::FIRST, 10).unwrap();
        // Two gigafuel at 0.01 ByteChips, times 2.2 for three replicas.
        assert_eq!(quote.task, 44_000_000);
        assert_eq!(quote.total, 60 * 44_000_000);
        assert_eq!(quote.workers, 60 * 44_000_000 / 10 * 7);
        assert_eq!(quote.workers + quote.network, quote.total);
    }

    #[test]
    fn a_submission_without_work_is_refused() {
        assert_eq!(refusal(|s| s.tasks = 0), QuoteError::NoTasks);
        assert_eq!(refusal(|s| s.input_bytes = 0), QuoteError::NoInput);
        assert_eq!(refusal(|s| s.fuel_per_task_max = 0), QuoteError::NoFuel);
        assert_eq!(refusal(|s| s.memory_bytes_max = 0), QuoteError::NoMemory);
    }

    #[test]
    fn a_submission_beyond_a_limit_is_refused() {
        let tasks = limits::TASKS_PER_JOB_MAX + 1;
        assert_eq!(
            refusal(|s| s.tasks = tasks),
            QuoteError::TooManyTasks { tasks }
        );
        let input_bytes_max = 60 * u64::from(limits::SHARD_BYTES_MAX);
        assert_eq!(
            refusal(|s| s.input_bytes = input_bytes_max + 1),
            QuoteError::InputTooLarge { input_bytes_max }
        );
        let fuel_per_task_max = limits::TASK_FUEL_MAX + 1;
        assert_eq!(
            refusal(|s| s.fuel_per_task_max = fuel_per_task_max),
            QuoteError::TooMuchFuel { fuel_per_task_max }
        );
        let memory_bytes_max = limits::TASK_MEMORY_BYTES_MAX + 1;
        assert_eq!(
            refusal(|s| s.memory_bytes_max = memory_bytes_max),
            QuoteError::TooMuchMemory { memory_bytes_max }
        );
        let result_bytes_max = limits::RESULT_BYTES_MAX + 1;
        assert_eq!(
            refusal(|s| s.result_bytes_max = result_bytes_max),
            QuoteError::ResultTooLong { result_bytes_max }
        );
    }

    #[test]
    fn every_limit_itself_is_allowed() {
        let largest = Submission {
            tasks: limits::TASKS_PER_JOB_MAX,
            input_bytes: u64::from(limits::TASKS_PER_JOB_MAX) * u64::from(limits::SHARD_BYTES_MAX),
            fuel_per_task_max: limits::TASK_FUEL_MAX,
            memory_bytes_max: limits::TASK_MEMORY_BYTES_MAX,
            result_bytes_max: limits::RESULT_BYTES_MAX,
            agreement: Agreement::Majority {
                replicas: limits::REPLICAS_PER_TASK_MAX,
            },
            level: ByteLevel::High,
            deadline: 10 + limits::JOB_LIFETIME_BLOCKS_MAX,
            ..submission()
        };
        let dearest = Prices {
            gigafuel: pay::GIGAFUEL_MAX,
            task_min: pay::TASK_MIN_MAX,
            replica_permille: pay::REPLICA_PERMILLE_MAX,
            low_permille: 1_000,
            high_permille: pay::LEVEL_PERMILLE_MAX,
        };
        assert_eq!(pay::check_prices(&dearest), Ok(()));
        // With such bonds a task may cost whatever the other limits allow.
        let unbounded = Params {
            bond_per_device: Amount::MAX >> 32,
            ..Params::FIRST
        };
        let quote = quote(&largest, &dearest, &unbounded, 10).unwrap();
        assert!(quote.total < 10u128.pow(24), "{}", quote.total);
    }

    #[test]
    fn replicas_that_cannot_decide_are_refused() {
        for replicas in [0, 1, 2, 4, 14, 16, 17, 255] {
            assert_eq!(
                refusal(|s| s.agreement = Agreement::Majority { replicas }),
                QuoteError::AgreementUndecidable { replicas }
            );
        }
    }

    #[test]
    fn preferences_that_no_device_could_meet_are_refused() {
        let [regions, hardware, lines] = [1u8 << 4, 1 << 5, 1 << 7].map(|bits| [bits]);
        let regions = RegionSet::decode(&mut &regions[..]).unwrap();
        assert_eq!(
            refusal(|s| s.preferences.regions = regions),
            QuoteError::RegionUnknown
        );
        let hardware = HardwareSet::decode(&mut &hardware[..]).unwrap();
        assert_eq!(
            refusal(|s| s.preferences.hardware = hardware),
            QuoteError::HardwareUnknown
        );
        let lines = LineSet::decode(&mut &lines[..]).unwrap();
        assert_eq!(
            refusal(|s| s.preferences.lines = lines),
            QuoteError::LineUnknown
        );
        let processor_points_min = limits::PROCESSOR_POINTS_MAX + 1;
        let error = refusal(|s| s.preferences.processor_points_min = processor_points_min);
        assert_eq!(
            error,
            QuoteError::TooManyProcessorPoints {
                processor_points_min
            }
        );
        assert_eq!(
            error.to_string(),
            "no processor has 501 points; ask for at most 500"
        );
    }

    #[test]
    fn preferences_cost_nothing_and_may_go_as_far_as_there_are_devices() {
        let choosy = Submission {
            preferences: Preferences {
                trusted: true,
                regions: RegionSet::only([Region::Unknown, Region::Europe]),
                hardware: HardwareSet::only([Hardware::Desktop, Hardware::Server]),
                lines: LineSet::only([Line::Fibre, Line::Other]),
                gpu: true,
                processor_points_min: limits::PROCESSOR_POINTS_MAX,
                worker_version_min: u16::MAX,
            },
            ..submission()
        };
        assert_eq!(
            quote(&choosy, &PRICES_AT_GENESIS, &Params::FIRST, 10),
            quote(&submission(), &PRICES_AT_GENESIS, &Params::FIRST, 10)
        );
        let json = serde_json::to_value(choosy.preferences).unwrap();
        assert_eq!(json["regions"], serde_json::json!(["unknown", "europe"]));
        assert_eq!(json["lines"], serde_json::json!(["fibre", "other"]));
        let read: Preferences = serde_json::from_value(json).unwrap();
        assert_eq!(read, choosy.preferences);
    }

    #[test]
    fn a_deadline_must_lie_ahead_neither_too_near_nor_too_far() {
        for deadline in [0, 9, 10] {
            assert_eq!(
                refusal(|s| s.deadline = deadline),
                QuoteError::DeadlinePassed { deadline, now: 10 }
            );
        }
        let earliest = 10 + limits::JOB_LIFETIME_BLOCKS_MIN;
        for deadline in [11, earliest - 1] {
            assert_eq!(
                refusal(|s| s.deadline = deadline),
                QuoteError::DeadlineTooNear { earliest }
            );
        }
        let latest = 10 + limits::JOB_LIFETIME_BLOCKS_MAX;
        assert_eq!(
            refusal(|s| s.deadline = latest + 1),
            QuoteError::DeadlineTooFar { latest }
        );
        for deadline in [earliest, latest] {
            let possible = Submission {
                deadline,
                ..submission()
            };
            assert!(quote(&possible, &PRICES_AT_GENESIS, &Params::FIRST, 10).is_ok());
        }
    }

    #[test]
    fn a_refused_deadline_says_which_would_be_taken() {
        let error = refusal(|s| s.deadline = 20);
        assert_eq!(
            error.to_string(),
            "the deadline is too near; set it to block 25 at the earliest, and later by the blocks \
             that pass until the job is submitted"
        );
    }

    #[test]
    fn a_price_above_what_the_owner_agreed_to_is_refused_with_both() {
        let total = quote(&submission(), &PRICES_AT_GENESIS, &Params::FIRST, 10)
            .unwrap()
            .total;
        let agreed = Submission {
            price_max: total,
            ..submission()
        };
        assert_eq!(
            accept(&agreed, &PRICES_AT_GENESIS, &Params::FIRST, 10)
                .unwrap()
                .total,
            total
        );
        let stingy = Submission {
            price_max: total - 1,
            ..submission()
        };
        let error = accept(&stingy, &PRICES_AT_GENESIS, &Params::FIRST, 10).unwrap_err();
        assert_eq!(
            error,
            QuoteError::AbovePriceMax {
                total,
                price_max: total - 1
            }
        );
        assert_eq!(
            error.to_string(),
            "the job costs up to 2.64 BC, more than the 2.639999999 BC agreed to; raise the price \
             limit or lower fuel, replicas or level"
        );
    }

    #[test]
    fn a_task_that_is_worth_more_than_what_makes_cheating_lose_is_refused_with_both() {
        let with = |fuel_per_task_max, params: &Params| {
            let submission = Submission {
                fuel_per_task_max,
                ..submission()
            };
            quote(&submission, &PRICES_AT_GENESIS, params, 10)
        };
        // Three replicas: 2.2 × 0.01 BC for 10⁹ units of fuel, and at most 0.999999999 BC.
        let most = value::value_max(&Params::FIRST, submission().agreement);
        let fuel = u64::try_from(most / 22).unwrap() * 1_000;
        let dearest = with(fuel, &Params::FIRST).unwrap().task;
        assert!(dearest <= most && most - dearest < 22, "{dearest} {most}");
        let error = with(fuel + 1_000, &Params::FIRST).unwrap_err();
        let task = dearest + 22;
        assert_eq!(error, QuoteError::TaskWorthTooMuch { task, most });
        let words = error.to_string();
        assert!(words.contains("more than 0.999999999 BC") && words.contains("more tasks"));
        let well_bonded = Params {
            bond_per_device: 1_000_000 * Params::FIRST.bond_per_device,
            ..Params::FIRST
        };
        assert!(with(limits::TASK_FUEL_MAX, &well_bonded).is_ok());
    }

    #[test]
    fn a_quote_shares_by_the_terms_of_the_block() {
        let params = Params {
            workers_permille: 900,
            operators_permille: 50,
            ..Params::FIRST
        };
        let quote = quote(&submission(), &PRICES_AT_GENESIS, &params, 10).unwrap();
        assert_eq!(quote.workers, quote.total / 10 * 9);
        assert_eq!(quote.workers + quote.network, quote.total);
    }

    #[test]
    fn a_price_beyond_any_amount_is_refused() {
        let prices = Prices {
            gigafuel: Amount::MAX,
            ..PRICES_AT_GENESIS
        };
        assert_eq!(
            quote(&submission(), &prices, &Params::FIRST, 10),
            Err(QuoteError::PriceTooLarge)
        );
    }

    #[test]
    fn a_refusal_reads_back_from_bytes_and_from_json() {
        let refusals = [
            QuoteError::NoTasks,
            QuoteError::TooManyProcessorPoints {
                processor_points_min: 501,
            },
            QuoteError::DeadlinePassed {
                deadline: 3,
                now: 4,
            },
            QuoteError::DeadlineTooNear { earliest: 19 },
            QuoteError::AbovePriceMax {
                total: Amount::MAX,
                price_max: 1,
            },
            QuoteError::TaskWorthTooMuch {
                task: Amount::MAX,
                most: 1,
            },
        ];
        for refusal in refusals {
            assert_eq!(QuoteError::decode(&mut &refusal.encode()[..]), Ok(refusal));
            let json = serde_json::to_string(&refusal).unwrap();
            assert_eq!(
                serde_json::from_str::<QuoteError>(&json).unwrap(),
                refusal,
                "{json}"
            );
        }
    }
}
