//! What the formulas say of what is counted.
//!
//! The chance that a wrong answer is accepted, and that it stays, is what owners are told
//! (`quern_confidence`). How often a liar is found and what that costs follows from the same chances: that
//! so many of a task's devices are the coalition's. Everything is for tasks that are drawn with
//! replacement from devices that are drawn without.

use super::{ACCOUNTS, LIES_MAX, Point, Policy, Rate, Setting, surprise::Expected};
use quern_confidence::{Crowd, InputError, ReExecution, Statement, expected_extra, trust};
use quern_job_rules::value::{burnt_of_bond, value_max};
use quern_primitives::{job::Agreement, params::Params};

/// Executions beyond the first that an honest, seasoned grid may cost.
const EXTRA_MAX: f64 = 0.1;

/// What has to hold of a count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Claim {
    /// It is this, but for luck.
    Is(Expected),
    /// For each trial it is this at the most.
    AtMost(f64),
}

impl Point {
    /// All that has to hold of the point's counts.
    pub fn claims(&self) -> Result<Vec<(Rate, Claim)>, InputError> {
        match *self {
            Self::Task(setting) => of_tasks(&setting),
            Self::First { tasks } => {
                // Whether each task has a second device is drawn for itself.
                let all = || (0..tasks).map(expected_extra);
                let mean: f64 = all().sum();
                let variance: f64 = all().map(|extra| extra * (1.0 - extra)).sum();
                let expected = Expected::number(mean, variance + mean * mean);
                Ok(vec![(Rate::Extra, Claim::Is(expected))])
            }
            Self::Seasoned => Ok(vec![(Rate::Extra, Claim::AtMost(EXTRA_MAX))]),
            Self::Betrayal {
                row,
                colluding,
                re_executed_permille,
            } => {
                let expected = lies(row, colluding, again(re_executed_permille))?;
                Ok(vec![(Rate::Stays, Claim::Is(expected))])
            }
        }
    }
}

fn again(permille: u16) -> f64 {
    f64::from(permille) / 1_000.0
}

/// What the coalition and a task's devices come to.
struct Chances {
    /// A wrong answer is accepted.
    wrong: f64,
    /// A wrong answer is accepted, and stays.
    stays: f64,
    /// The verdict finds a liar.
    found: f64,
    /// The verdict finds an honest device wrong.
    blamed: f64,
    /// Executions beyond the first before anything is computed again: how likely so many are, and whether
    /// the task may be computed again.
    extra: Vec<(f64, f64, bool)>,
}

fn of_tasks(setting: &Setting) -> Result<Vec<(Rate, Claim)>, InputError> {
    let a = again(setting.re_executed_permille);
    let chances = chances(setting.policy, setting.colluding, a)?;
    let (mut mean, mut of_square) = (0.0, 0.0);
    for (chance, extra, may_be_again) in &chances.extra {
        let again = if *may_be_again { a } else { 0.0 };
        let more = extra + 1.0;
        mean += chance * (extra + again);
        of_square += chance * ((1.0 - again) * extra * extra + again * more * more);
    }
    // What is found by comparison is not accepted, and so not found again.
    let caught = chances.found + a * chances.wrong;
    let chance = |probability: f64| Claim::Is(Expected::chance(probability.clamp(0.0, 1.0)));
    let mut claims = vec![
        (Rate::Wrong, chance(chances.wrong)),
        (Rate::Caught, chance(caught)),
        (Rate::Blamed, chance(chances.blamed)),
        (Rate::Extra, Claim::Is(Expected::number(mean, of_square))),
    ];
    // Of nothing that is computed again it is the first once more.
    if setting.re_executed_permille > 0 {
        claims.push((Rate::Stays, chance(chances.stays)));
    }
    Ok(claims)
}

fn chances(policy: Policy, colluding: u32, a: f64) -> Result<Chances, InputError> {
    let crowd = Crowd::new(ACCOUNTS, colluding)?;
    let honest = Crowd::new(ACCOUNTS, ACCOUNTS - colluding)?;
    let told = |agreement: Agreement| {
        let statement = Statement::new(agreement, crowd, ReExecution::new(a, 1.0)?)?;
        Ok::<_, InputError>((statement.wrong, statement.wrong_and_final))
    };
    let both = crowd.all_colluding(2)?;
    // Of two devices one is theirs.
    let split = 1.0 - both - honest.all_colluding(2)?;
    let of_three = crowd.outvoted(3)?;
    let is_sure = |extra: f64| vec![(1.0, extra, true)];
    Ok(match policy {
        Policy::Single => {
            let (wrong, stays) = told(Agreement::Single)?;
            Chances {
                wrong,
                stays,
                found: 0.0,
                blamed: 0.0,
                extra: is_sure(0.0),
            }
        }
        Policy::Majority => {
            let (wrong, stays) = told(policy.agreement())?;
            Chances {
                wrong,
                stays,
                found: 1.0 - honest.all_colluding(3)? - wrong,
                blamed: wrong - crowd.all_colluding(3)?,
                extra: is_sure(2.0),
            }
        }
        Policy::Unanimous => {
            let (wrong, stays) = told(Agreement::Unanimous)?;
            Chances {
                wrong,
                stays,
                found: split,
                blamed: 0.0,
                extra: vec![(1.0 - split, 1.0, true), (split, 2.0, false)],
            }
        }
        Policy::Careful => {
            let (wrong, stays) = told(Agreement::Unanimous)?;
            Chances {
                wrong,
                stays,
                found: 0.0,
                blamed: 0.0,
                extra: is_sure(1.0),
            }
        }
        // A third device decides what two differ on, so it is as if three had been asked.
        Policy::Voted => Chances {
            wrong: of_three,
            stays: of_three * (1.0 - a),
            found: both + split - of_three,
            blamed: of_three - both,
            extra: vec![(1.0 - split, 1.0, true), (split, 2.0, true)],
        },
        Policy::Adaptive { row } => {
            let wrong = crowd.believed(row);
            let backed = 1.0 - trust(row);
            let alike = (backed * (1.0 - split), 1.0, true);
            Chances {
                wrong,
                stays: wrong * (1.0 - a),
                found: backed * split,
                blamed: 0.0,
                extra: vec![(trust(row), 0.0, true), alike, (backed * split, 2.0, false)],
            }
        }
    })
}

/// The wrong answers of a member that stay before one is found out, if it begins to lie with such a row.
/// Each one that stays makes the row longer.
fn lies(row: u32, colluding: u32, a: f64) -> Result<Expected, InputError> {
    let crowd = Crowd::new(ACCOUNTS, colluding)?;
    // It is asked first, which is certain here.
    let first = f64::from(ACCOUNTS) / f64::from(colluding);
    // How likely the first so many all stay.
    let mut all_stay = 1.0;
    let (mut mean, mut of_square) = (0.0, 0.0);
    for lie in 0..LIES_MAX {
        all_stay *= first * crowd.believed(row + lie) * (1.0 - a);
        mean += all_stay;
        of_square += f64::from(2 * lie + 1) * all_stay;
    }
    Ok(Expected::number(mean, of_square))
}

/// What so many wrong answers that stay, and one that is found, bring a device that is believed alone, in prices of a
/// task that costs as much as it may: the pay of each, beside it as much as the task costs where the answer stays, less
/// what is burnt of a bond. Honest work is counted as bringing nothing, as if it cost all that it is paid. None where
/// nothing is computed again: then no task may cost anything.
pub fn brings(stay: f64, re_executed_permille: u16) -> Option<f64> {
    let params = Params {
        re_execution_permille: re_executed_permille,
        ..Params::FIRST
    };
    let price = value_max(&params, Agreement::Single);
    let pay = f64::from(params.workers_permille) / 1_000.0;
    let brings = stay * (1.0 + pay) + pay - burnt_of_bond(&params) as f64 / price as f64;
    (price > 0).then_some(brings)
}
