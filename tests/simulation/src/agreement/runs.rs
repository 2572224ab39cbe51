//! Many tasks, counted.

use super::{
    ACCOUNTS, LIES_MAX, Point, Policy, Rate, Setting,
    court::{Conduct, Court, Outcome, StuckError, Terms},
};
use quern_primitives::{
    device::{Class, Record, RecordChange},
    job::Agreement,
};

/// Trials at the least, of points whose trials are many tasks each.
const TRIALS_MIN: u64 = 100;

/// What each device of a grid has in a row when it is called seasoned.
const SEASONED_ROW: u32 = 100;

/// What was counted in so many trials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How often it was tried.
    pub trials: u64,
    /// See [`Rate::Wrong`].
    pub wrong: u64,
    /// See [`Rate::Stays`].
    pub stays: u64,
    /// See [`Rate::Caught`].
    pub caught: u64,
    /// See [`Rate::Blamed`].
    pub blamed: u64,
    /// See [`Rate::Extra`].
    pub extra: u64,
}

impl Counts {
    /// What was counted of a rate.
    pub fn sum(&self, rate: Rate) -> u64 {
        match rate {
            Rate::Wrong => self.wrong,
            Rate::Stays => self.stays,
            Rate::Caught => self.caught,
            Rate::Blamed => self.blamed,
            Rate::Extra => self.extra,
        }
    }

    /// The same for each trial.
    pub fn mean(&self, rate: Rate) -> f64 {
        self.sum(rate) as f64 / self.trials as f64
    }

    fn add(&mut self, outcome: &Outcome) {
        let stays = outcome.is_wrong && !outcome.is_again;
        self.wrong += u64::from(outcome.is_wrong);
        self.stays += u64::from(stays);
        self.caught += u64::from(outcome.is_caught());
        self.blamed += u64::from(outcome.has_blamed);
        self.extra +=
            outcome.more_devices + u64::from(outcome.is_refereed) + u64::from(outcome.is_again);
    }
}

impl Point {
    /// Tries it until about so many tasks were computed. The same seed counts the same.
    pub fn run(&self, tasks: u64, seed: u64) -> Result<Counts, StuckError> {
        let mut court = Court::new(&self.to_string(), seed);
        let mut counts = Counts {
            trials: tasks,
            ..Counts::default()
        };
        match *self {
            Self::Task(setting) => run_tasks(&mut court, &setting, &mut counts)?,
            Self::First { tasks: first } => {
                counts.trials = (tasks / u64::from(first)).max(TRIALS_MIN);
                for _ in 0..counts.trials {
                    run_first(&mut court, first, &mut counts)?;
                }
            }
            Self::Seasoned => run_grid(&mut court, &mut counts)?,
            Self::Betrayal {
                row,
                colluding,
                re_executed_permille,
            } => {
                counts.trials = (tasks / u64::from(row)).max(TRIALS_MIN);
                let honest = Terms {
                    colluding,
                    re_executed_permille,
                    ..HONEST
                };
                for _ in 0..counts.trials {
                    run_betrayal(&mut court, row, &honest, &mut counts)?;
                }
            }
        }
        Ok(counts)
    }
}

/// Nobody lies, and one device is believed if its record is long enough.
const HONEST: Terms = Terms {
    agreement: Agreement::Adaptive,
    conduct: Conduct::Honest,
    colluding: 0,
    has_referee: true,
    re_executed_permille: 0,
};

fn run_tasks(court: &mut Court, setting: &Setting, counts: &mut Counts) -> Result<(), StuckError> {
    let policy = setting.policy;
    let terms = Terms {
        agreement: policy.agreement(),
        conduct: match policy {
            Policy::Careful => Conduct::Careful,
            _ => Conduct::Bold,
        },
        colluding: setting.colluding,
        has_referee: policy != Policy::Voted,
        re_executed_permille: setting.re_executed_permille,
    };
    let row = match policy {
        Policy::Adaptive { row } => row,
        _ => 0,
    };
    for _ in 0..counts.trials {
        counts.add(&court.hear(&terms, None, |_| row)?);
    }
    Ok(())
}

/// A new device's first tasks, all of which it is asked first.
fn run_first(court: &mut Court, tasks: u32, counts: &mut Counts) -> Result<(), StuckError> {
    let mut record = Record::default();
    for _ in 0..tasks {
        let row = record.accepted_in_a_row;
        counts.add(&court.hear(&HONEST, Some(0), |_| row)?);
        record.add(&ACCEPTED, Class::Pinned);
    }
    Ok(())
}

const ACCEPTED: RecordChange = RecordChange {
    accepted: 1,
    failed: 0,
    delayed: 0,
    incorrect: 0,
};

/// A grid of honest devices, without a record at first. It is counted from when each has a long one.
fn run_grid(court: &mut Court, counts: &mut Counts) -> Result<(), StuckError> {
    let mut records = vec![Record::default(); ACCOUNTS as usize];
    let mut counted = 0;
    while counted < counts.trials {
        let is_seasoned = |it: &Record| it.accepted_in_a_row >= SEASONED_ROW;
        let is_counted = counted > 0 || records.iter().all(is_seasoned);
        let rows = |number: u32| records[number as usize].accepted_in_a_row;
        let outcome = court.hear(&HONEST, None, rows)?;
        for number in [Some(outcome.first), outcome.second].into_iter().flatten() {
            records[number as usize].add(&ACCEPTED, Class::Pinned);
        }
        if is_counted {
            counts.add(&outcome);
            counted += 1;
        }
    }
    Ok(())
}

/// A member that answers rightly until it has a row, and then lies until it is found out. Counted are
/// the lies.
fn run_betrayal(
    court: &mut Court,
    row: u32,
    honest: &Terms,
    counts: &mut Counts,
) -> Result<(), StuckError> {
    const LIAR: u32 = 0;
    let mut record = Record::default();
    while record.accepted_in_a_row < row {
        let now = record.accepted_in_a_row;
        court.hear(honest, Some(LIAR), |_| now)?;
        record.add(&ACCEPTED, Class::Pinned);
    }
    let lying = Terms {
        conduct: Conduct::Bold,
        ..*honest
    };
    for _ in 0..LIES_MAX {
        let now = record.accepted_in_a_row;
        let outcome = court.hear(&lying, Some(LIAR), |_| now)?;
        counts.add(&outcome);
        if outcome.is_caught() {
            return Ok(());
        }
        record.add(&ACCEPTED, Class::Pinned);
    }
    Ok(())
}
