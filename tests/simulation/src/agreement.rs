//! What a coalition of liars achieves, and what finding it out costs: a task at a time, before the judge.
//!
//! The judge is the one that ships (`quern_verdict::Case`), and so are the draw of what is computed again,
//! the rule by which a device is believed alone, and the record that counts its accepted answers. Made up
//! are the accounts, who of them lies, and which of them get a task: any is as likely as another, and none
//! twice. Beside what is counted stands what `quern_confidence` tells owners, and what follows from it.
//!
//! | module | what it is for |
//! | --- | --- |
//! | `court` | one task: who is asked, what they say, what the judge makes of it |
//! | `runs` | many tasks, counted |
//! | `forecast` | what the formulas say of these counts |
//! | [`surprise`] | how far a count is from what was expected |

mod court;
mod forecast;
mod runs;
pub mod surprise;

pub use court::StuckError;
pub use forecast::{Claim, brings};
pub use runs::Counts;

use quern_primitives::job::Agreement;
use std::fmt;

/// Accounts among which a task's replicas are drawn, each with one device. So few that it matters that
/// none is drawn twice.
pub const ACCOUNTS: u32 = 100;

/// Shares of a thousand that are computed again.
pub const RE_EXECUTED_PERMILLE: [u16; 3] = [0, 10, 100];

/// Accounts of the coalition: from none to half.
const COLLUDING_STEP: usize = 5;
const COLLUDING_MAX: u32 = ACCOUNTS / 2;

/// Accepted answers in a row at which the coalition is tried at every size.
const ROWS: [u32; 2] = [10, 100];

/// Those at which it is only asked what honest devices cost.
const HONEST_ROWS: [u32; 9] = [11, 12, 15, 20, 30, 50, 200, 500, 1_000];

/// How many first tasks of a new device are looked at.
const FIRST_TASKS: [u32; 5] = [10, 50, 126, 500, 2_000];

/// Accepted answers in a row after which a device begins to lie.
const BETRAYAL_ROWS: [u32; 4] = [10, 30, 100, 1_000];

/// Sizes of its coalition.
const BETRAYAL_COLLUDING: [u32; 2] = [10, 50];

/// Wrong answers after which nobody looks any longer at a device that was not found out.
pub const LIES_MAX: u32 = 1_000;

/// How answers are agreed on, and when the coalition lies. Its members give the same wrong answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// One replica, believed.
    Single,
    /// Three replicas, counted; every member lies.
    Majority,
    /// Two replicas, compared, and a referee where they differ; every member lies.
    Unanimous,
    /// The same; members lie only where both replicas are theirs.
    Careful,
    /// Two replicas, compared, and where they differ no referee can be had; every member lies.
    Voted,
    /// One replica, whose device has so many accepted answers in a row; every member lies.
    Adaptive {
        /// The accepted answers.
        row: u32,
    },
}

/// A coalition and what is done against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Setting {
    /// How answers are agreed on.
    pub policy: Policy,
    /// How many of the [`ACCOUNTS`] collude.
    pub colluding: u32,
    /// How many of a thousand settled tasks are computed again.
    pub re_executed_permille: u16,
}

/// Something that is tried many times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// A task.
    Task(Setting),
    /// A new, honest device's first tasks.
    First {
        /// So many.
        tasks: u32,
    },
    /// A task of an honest grid whose devices all were seasoned by tasks of it.
    Seasoned,
    /// A device of a coalition that answers rightly until it has a row, and then lies until it is found
    /// out.
    Betrayal {
        /// Its accepted answers in a row before the first lie.
        row: u32,
        /// How many of the [`ACCOUNTS`] collude.
        colluding: u32,
        /// How many of a thousand settled tasks are computed again.
        re_executed_permille: u16,
    },
}

/// What is counted of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rate {
    /// Wrong answers that were accepted.
    Wrong,
    /// Those of them that were not computed again.
    Stays,
    /// Tasks of which a liar was found out, by comparison or by being computed again.
    Caught,
    /// Tasks of which the verdict blames an honest device.
    Blamed,
    /// Executions beyond the first: by devices, by the referee, and of what is computed again.
    Extra,
}

impl Policy {
    /// All that are tried at every size of the coalition.
    pub fn all() -> impl Iterator<Item = Self> {
        let counted = [
            Self::Single,
            Self::Majority,
            Self::Unanimous,
            Self::Careful,
            Self::Voted,
        ];
        let adaptive = ROWS.map(|row| Self::Adaptive { row });
        counted.into_iter().chain(adaptive)
    }

    /// What a job asks for.
    pub fn agreement(self) -> Agreement {
        match self {
            Self::Single => Agreement::Single,
            Self::Majority => Agreement::Majority { replicas: 3 },
            Self::Unanimous | Self::Careful | Self::Voted => Agreement::Unanimous,
            Self::Adaptive { .. } => Agreement::Adaptive,
        }
    }
}

impl Point {
    /// All points, each once.
    pub fn all() -> Vec<Self> {
        let mut points = Vec::new();
        for policy in Policy::all() {
            for re_executed_permille in RE_EXECUTED_PERMILLE {
                points.extend(sizes().map(|colluding| {
                    Self::Task(Setting {
                        policy,
                        colluding,
                        re_executed_permille,
                    })
                }));
            }
        }
        points.extend(HONEST_ROWS.map(Self::honest));
        points.extend(FIRST_TASKS.map(|tasks| Self::First { tasks }));
        points.push(Self::Seasoned);
        for colluding in BETRAYAL_COLLUDING {
            for re_executed_permille in RE_EXECUTED_PERMILLE {
                points.extend(BETRAYAL_ROWS.map(|row| Self::Betrayal {
                    row,
                    colluding,
                    re_executed_permille,
                }));
            }
        }
        points
    }

    /// Tasks of honest devices with so many accepted answers in a row, of which nothing is computed again.
    pub fn honest(row: u32) -> Self {
        Self::Task(Setting {
            policy: Policy::Adaptive { row },
            colluding: 0,
            re_executed_permille: 0,
        })
    }

    /// Accepted answers in a row at which honest devices are looked at, in order.
    pub fn honest_rows() -> Vec<u32> {
        let mut rows: Vec<u32> = ROWS.into_iter().chain(HONEST_ROWS).collect();
        rows.sort_unstable();
        rows
    }
}

/// Sizes of the coalition.
pub fn sizes() -> impl Iterator<Item = u32> {
    (0..=COLLUDING_MAX).step_by(COLLUDING_STEP)
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Single => f.write_str("single"),
            Self::Majority => f.write_str("majority of 3"),
            Self::Unanimous => f.write_str("unanimous"),
            Self::Careful => f.write_str("unanimous and careful"),
            Self::Voted => f.write_str("unanimous and no referee"),
            Self::Adaptive { row } => write!(f, "adaptive at {row}"),
        }
    }
}

/// Three columns: what it is, accounts that collude, how many of a thousand are computed again.
impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task(Setting {
                policy,
                colluding,
                re_executed_permille,
            }) => write!(f, "{policy},{colluding},{re_executed_permille}"),
            Self::First { tasks } => write!(f, "first {tasks} tasks,0,0"),
            Self::Seasoned => f.write_str("seasoned grid,0,0"),
            Self::Betrayal {
                row,
                colluding,
                re_executed_permille,
            } => write!(f, "betrayal at {row},{colluding},{re_executed_permille}"),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wrong => "wrong",
            Self::Stays => "stays",
            Self::Caught => "caught",
            Self::Blamed => "blamed",
            Self::Extra => "extra",
        })
    }
}

#[cfg(test)]
mod tests;
