//! One run, by everything that decides what comes of it.

use anyhow::Context as _;
use quern_simulation::{
    judged,
    makespan::{Conditions, Contestant, Faulty, Outcome, Scenario, Stalling, run_beside_a_firm},
};

/// Counted up with each change of the simulation or the scheduler that changes what comes of a run,
/// so that older runs are not taken for new ones.
const MODEL: u32 = 10;

/// The same for runs in which several devices must answer a task.
const MODEL_OF_REPLICAS: u32 = 5;

/// The same for runs in which executions stall.
const MODEL_OF_STALLS: u32 = 1;

/// The same for runs with masternode and workers as they ship, which change with these too.
const MODEL_OF_JUDGED: u32 = 1;

/// Tasks for each device. With 10,000 devices they are more than the chain takes as one job
/// (`TASKS_PER_JOB_MAX`, 65,536): an owner would hand them in as four.
pub(super) const TASKS_PER_DEVICE: u32 = 20;

/// What a task takes an ordinary desktop unless it is said otherwise, in seconds.
pub(super) const TASK_S: u32 = 60;

/// What a task takes one where tasks are brief, in seconds.
const BRIEF_TASK_S: u32 = 10;

/// And where they are over at once.
const MOMENTARY_TASK_S: u32 = 1;

/// Replicas of a task beside the first, where several devices must answer it.
const MORE_REPLICAS: u8 = 2;

/// Of a thousand devices, so many are trusted where some are.
const TRUSTED_PERMILLE: u32 = 10;

/// What is the matter on a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GridKind {
    /// Devices differ in speed alone.
    Alike,
    /// They differ in everything, and a few executions stall.
    Lifelike,
    /// The same, and tasks differ as the tiles of a picture do.
    Uneven,
    /// They differ in everything, a few executions stall, and tasks are brief.
    Brief,
    /// The same, and tasks are over at once.
    Momentary,
    /// They differ in everything, a few executions stall, and three devices must answer each task.
    Redundant,
    /// They differ in everything, and many executions stall.
    Stalling,
    /// The same as the last, and three devices must answer each task.
    Agreeing,
    /// Devices differ in speed alone, and three of them must answer each task.
    Thrice,
    /// The same, and half of them are of one account.
    Firm,
    /// The same as the last but one, with masternode and workers as they ship, and no device is trusted.
    Untrusted,
    /// The same, and one in a hundred is.
    Trusted,
}

impl GridKind {
    /// As files have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Alike => "alike",
            Self::Lifelike => "lifelike",
            Self::Uneven => "uneven",
            Self::Brief => "brief",
            Self::Momentary => "momentary",
            Self::Redundant => "redundant",
            Self::Stalling => "stalling",
            Self::Agreeing => "agreeing",
            Self::Thrice => "thrice",
            Self::Firm => "firm",
            Self::Untrusted => "untrusted",
            Self::Trusted => "trusted",
        }
    }

    /// As pages have it, behind how many devices there are.
    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::Alike => "",
            Self::Lifelike => " on a lifelike grid",
            Self::Uneven => " on a lifelike grid with uneven tasks",
            Self::Brief => " on a lifelike grid with tasks of 10 s",
            Self::Momentary => " on a lifelike grid with tasks of 1 s",
            Self::Redundant => " on a lifelike grid, three of which answer each task",
            Self::Stalling => " that stall often",
            Self::Agreeing => " of which three answer each task",
            Self::Thrice => ", each of an account of its own",
            Self::Firm => ", half of them of one account",
            Self::Untrusted => ", none of them trusted",
            Self::Trusted => ", one in a hundred of them trusted",
        }
    }

    pub(super) fn conditions(self) -> Conditions {
        match self {
            Self::Alike => Conditions::default(),
            Self::Lifelike | Self::Brief | Self::Momentary => Conditions::LIFELIKE,
            Self::Uneven => Conditions::UNEVEN,
            Self::Redundant => Conditions {
                more_replicas: MORE_REPLICAS,
                ..Conditions::LIFELIKE
            },
            Self::Stalling => Conditions {
                devices_differ: true,
                stalling: Stalling {
                    halts: 0.05,
                    slows: 0.2,
                },
                ..Conditions::default()
            },
            Self::Agreeing => Conditions {
                more_replicas: MORE_REPLICAS,
                ..Self::Stalling.conditions()
            },
            Self::Thrice | Self::Firm | Self::Untrusted | Self::Trusted => Conditions {
                more_replicas: MORE_REPLICAS,
                ..Conditions::default()
            },
        }
    }

    /// What a task takes an ordinary desktop, in seconds, unless a sweep says otherwise.
    pub(super) fn task_s(self) -> u32 {
        match self {
            Self::Brief => BRIEF_TASK_S,
            Self::Momentary => MOMENTARY_TASK_S,
            _ => TASK_S,
        }
    }

    /// Of a thousand devices, how many are trusted where answers are judged; none where they are not.
    fn judged_with(self) -> Option<u32> {
        match self {
            Self::Untrusted => Some(0),
            Self::Trusted => Some(TRUSTED_PERMILLE),
            _ => None,
        }
    }
}

/// A run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Case {
    pub(super) devices: u32,
    pub(super) faults_percent: u32,
    pub(super) kind: GridKind,
    /// What a task takes an ordinary desktop, in seconds.
    pub(super) task_s: u32,
    /// What the contestant is called.
    pub(super) policy: String,
    pub(super) contestant: Contestant,
    pub(super) seed: u64,
}

impl Case {
    pub(super) fn run(&self) -> anyhow::Result<Outcome> {
        let (conditions, scenario) = (self.kind.conditions(), self.scenario());
        if let Some(trusted_permille) = self.kind.judged_with() {
            let replicas = conditions.more_replicas.saturating_add(1);
            return judged::run(&scenario, replicas, trusted_permille, self.seed)
                .with_context(|| format!("the run {} says nothing", self.name()));
        }
        let of_one_account = match self.kind {
            GridKind::Firm => self.devices / 2,
            _ => 0,
        };
        let (contestant, seed) = (&self.contestant, self.seed);
        let outcome = run_beside_a_firm(of_one_account, &conditions, &scenario, contestant, seed);
        Ok(outcome)
    }

    pub(super) fn scenario(&self) -> Scenario {
        Scenario {
            devices: self.devices,
            tasks_per_device: TASKS_PER_DEVICE,
            task_s: self.task_s.into(),
            faulty: Faulty {
                chance: f64::from(self.faults_percent) / 100.0,
            },
        }
    }

    /// What tells it from other runs, in the columns of a file.
    pub(super) fn name(&self) -> String {
        let Self {
            devices,
            faults_percent,
            kind,
            policy,
            seed,
            ..
        } = self;
        let (kind, policy) = (kind.name(), in_a_column(policy));
        format!("{devices},{faults_percent},{kind},{policy},{seed}")
    }

    /// A digest of what its name does not say. A run of that name with another one is another run.
    pub(super) fn settings(&self) -> String {
        let conditions = self.kind.conditions();
        let model = match conditions.more_replicas {
            0 => (MODEL, 0),
            _ => (MODEL, MODEL_OF_REPLICAS),
        };
        let all = (model, self.scenario(), self.contestant, conditions);
        let mut words = format!("{all:?}");
        if conditions.stalling.halts > 0.0 {
            words += &format!(", stalls {MODEL_OF_STALLS}");
        }
        if self.kind.judged_with().is_some() {
            words += &format!(", judged {MODEL_OF_JUDGED}");
        }
        let mut digest = 0xcbf2_9ce4_8422_2325_u64;
        for byte in words.bytes() {
            digest = (digest ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
        format!("{digest:016x}")
    }
}

/// Words without what separates columns.
pub(super) fn in_a_column(words: &str) -> String {
    let parts = words.split(|it: char| !it.is_ascii_alphanumeric());
    let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_grid::Tuning;
    use std::collections::BTreeSet;

    fn case(seed: u64) -> Case {
        Case {
            devices: 20,
            faults_percent: 5,
            kind: GridKind::Alike,
            task_s: TASK_S,
            policy: "merged pools, backups".into(),
            contestant: Contestant::Random,
            seed,
        }
    }

    #[test]
    fn a_name_has_no_commas_but_those_between_its_columns() {
        assert_eq!(case(3).name(), "20,5,alike,merged-pools-backups,3");
    }

    #[test]
    fn other_settings_of_one_name_are_told_apart_and_seeds_are_in_the_name() {
        let tuned = |delayed_percent| Case {
            contestant: Contestant::Pull(Tuning {
                delayed_percent,
                ..Tuning::default()
            }),
            ..case(1)
        };
        let all = [case(1), tuned(100), tuned(101)];
        let digests: BTreeSet<_> = all.iter().map(Case::settings).collect();
        assert_eq!(digests.len(), 3);
        assert_eq!(case(1).settings(), case(2).settings());
        assert_ne!(case(1).name(), case(2).name());
    }
}
