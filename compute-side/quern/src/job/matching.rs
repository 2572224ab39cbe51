//! Whether there are devices for a job, before it is paid for.

use super::preferences;
use crate::grid::{live::LiveGrid, words};
use quern_primitives::{
    amount::{Amount, as_string, display},
    job::Preferences,
};
use serde::Serialize;

/// The devices that meet what a job asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Matched {
    /// Devices, at the masternode that has them of the most accounts.
    devices: u32,
    /// The accounts they belong to.
    accounts: u32,
    /// Devices connected there.
    of: u32,
    /// Accounts that a task needs, one for each replica.
    needed: u32,
    /// Masternodes that answered.
    masternodes: usize,
    /// Those of them that have devices of enough accounts.
    sufficient: usize,
    /// What must be bonded for each device.
    #[serde(with = "as_string")]
    bond: Amount,
    /// Devices there that meet all else, and for which less is bonded.
    short_of_bond: u32,
    /// Whether the job asks anything of its devices.
    #[serde(skip)]
    asks: Option<String>,
}

/// Nobody could compute a job as it is asked for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}; ask for less, or submit the job all the same with --anyway")]
pub(crate) struct NobodyFitsError {
    why: String,
}

impl Matched {
    /// What the masternodes have for a job. Nothing is known where none of them answers.
    pub(crate) fn of(grids: &[LiveGrid], preferences: &Preferences, replicas: u8) -> Option<Self> {
        let needed = u32::from(replicas);
        let best = grids
            .iter()
            .map(|grid| grid.matching)
            .max_by_key(|it| (it.accounts, it.devices, it.short_of_bond))?;
        let is_sufficient = |grid: &&LiveGrid| grid.matching.accounts >= needed;
        Some(Self {
            devices: best.devices,
            accounts: best.accounts,
            of: best.of,
            needed,
            masternodes: grids.len(),
            sufficient: grids.iter().filter(is_sufficient).count(),
            bond: best.bond,
            short_of_bond: best.short_of_bond,
            asks: preferences::in_words(preferences),
        })
    }

    /// What is wrong, if no masternode has devices of enough accounts.
    fn lack(&self) -> Option<String> {
        if self.sufficient > 0 {
            return None;
        }
        let accounts = match self.accounts {
            1 => "one account".to_owned(),
            several => format!("{several} accounts"),
        };
        let (needed, of) = (self.needed, self.of);
        let lack = match (&self.asks, self.devices) {
            (Some(_), 0) => format!(
                "no connected device, of {of} in all, meets what the job asks for, so it would only wait"
            ),
            (Some(_), _) => format!(
                "the connected devices that meet what the job asks for belong to {accounts}, and each task needs {needed}, so it would only wait"
            ),
            (None, 0) => {
                "no device is connected that could compute the job; it waits until one is".into()
            }
            (None, _) => format!(
                "the connected devices that could compute the job belong to {accounts}, and each task needs {needed}; the job waits until there are more"
            ),
        };
        Some(match self.short_of_bond {
            0 => lack,
            some => format!(
                "{lack}; {} {} nothing but a bond of {} for each device, for the job's tasks are worth so much: cut the input into more tasks, or allow each less fuel",
                words::counted(some, "connected device"),
                if some == 1 { "lacks" } else { "lack" },
                display(self.bond)
            ),
        })
    }

    /// Refuses a job that asks for devices that nobody has, or for larger bonds than there are.
    pub(crate) fn check(&self) -> Result<(), NobodyFitsError> {
        let asks_for_much = self.asks.is_some() || self.short_of_bond > 0;
        match self.lack().filter(|_| asks_for_much) {
            Some(why) => Err(NobodyFitsError { why }),
            None => Ok(()),
        }
    }

    /// What there is and what is wrong, in lines.
    pub(crate) fn in_words(&self) -> Option<String> {
        if let Some(lack) = self.lack() {
            return Some(format!("! {lack}"));
        }
        self.asks.as_ref()?;
        let rest = match self.masternodes - self.sufficient {
            0 => String::new(),
            few => format!(
                "; {few} of the {} masternodes have too few of them, and which one coordinates the job is drawn",
                self.masternodes
            ),
        };
        Some(format!(
            "{} of {} connected devices meet that, of {} accounts{rest}",
            self.devices, self.of, self.accounts
        ))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::grid::live::tests::grid;
    use quern_jobs_api::Matching;
    use quern_primitives::{amount::BYTECHIP, device::Region, job::RegionSet};

    fn europe() -> Preferences {
        Preferences {
            regions: RegionSet::only([Region::Europe]),
            ..Preferences::default()
        }
    }

    fn having(devices: u32, accounts: u32, of: u32) -> LiveGrid {
        LiveGrid {
            matching: Matching {
                devices,
                accounts,
                of,
                ..Matching::default()
            },
            ..grid("a", 0, &[])
        }
    }

    #[test]
    fn a_region_that_nobody_is_in_is_told_before_anything_is_paid() {
        let matched = Matched::of(&[having(0, 0, 12)], &europe(), 3).unwrap();
        let error = matched.check().unwrap_err().to_string();
        assert!(
            error.contains("no connected device, of 12") && error.contains("--anyway"),
            "{error}"
        );
        let words = matched.in_words().unwrap();
        assert!(words.starts_with("! no connected device"), "{words}");
        let few = Matched::of(&[having(5, 2, 12)], &europe(), 3).unwrap();
        let error = few.check().unwrap_err().to_string();
        assert!(
            error.contains("2 accounts, and each task needs 3"),
            "{error}"
        );
    }

    #[test]
    fn that_nobody_has_bonded_enough_is_told_before_anything_is_paid() {
        let with_bond = |accounts, short_of_bond| {
            let mut grid = having(accounts, accounts, 12);
            grid.matching.bond = 142 * BYTECHIP;
            grid.matching.short_of_bond = short_of_bond;
            grid
        };
        let any = Preferences::default();
        let matched = Matched::of(&[with_bond(0, 12)], &any, 1).unwrap();
        let error = matched.check().unwrap_err().to_string();
        for part in [
            "12 connected devices lack nothing but a bond of 142 BC for each device",
            "cut the input into more tasks",
            "--anyway",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert!(matched.in_words().unwrap().starts_with("! no device"));
        let json = serde_json::to_value(&matched).unwrap();
        assert_eq!(json["bond"], "142000000000");
        assert_eq!(json["short_of_bond"], 12);
        let few = Matched::of(&[with_bond(2, 1)], &europe(), 3).unwrap();
        let error = few.check().unwrap_err().to_string();
        assert!(error.contains("1 connected device lacks"), "{error}");
        // Where enough have it, those that have not are no obstacle.
        let enough = Matched::of(&[with_bond(3, 9)], &any, 3).unwrap();
        assert_eq!((enough.check(), enough.in_words()), (Ok(()), None));
    }

    #[test]
    fn one_masternode_with_enough_of_them_will_do() {
        let grids = [having(1, 1, 9), having(4, 3, 9)];
        let matched = Matched::of(&grids, &europe(), 3).unwrap();
        assert_eq!(matched.check(), Ok(()));
        let words = matched.in_words().unwrap();
        assert!(
            words.starts_with("4 of 9 connected devices meet that"),
            "{words}"
        );
        assert!(
            words.contains("1 of the 2 masternodes have too few"),
            "{words}"
        );
        let json = serde_json::to_value(&matched).unwrap();
        assert_eq!(
            (json["devices"].clone(), json["needed"].clone()),
            (4.into(), 3.into())
        );
    }

    #[test]
    fn a_job_that_asks_for_nothing_is_never_refused_but_its_waiting_is_told() {
        let any = Preferences::default();
        let matched = Matched::of(&[having(2, 1, 2)], &any, 3).unwrap();
        assert_eq!(matched.check(), Ok(()));
        assert!(matched.in_words().unwrap().contains("the job waits"));
        let none = Matched::of(&[having(0, 0, 0)], &any, 1).unwrap();
        assert!(none.in_words().unwrap().contains("no device is connected"));
        let enough = Matched::of(&[having(3, 3, 3)], &any, 3).unwrap();
        assert_eq!(enough.in_words(), None);
        assert_eq!(Matched::of(&[], &any, 3), None);
    }
}
