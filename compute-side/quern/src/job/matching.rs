//! Whether there are devices for a job, before it is paid for.

use super::preferences;
use crate::{
    grid::live::Asked,
    units::{counted, grouped},
};
use quern_primitives::{
    amount::{Amount, as_string, display},
    job::Preferences,
};
use serde::Serialize;
use std::fmt;

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
    /// Where those are that did not answer.
    silent: Vec<String>,
    /// What must be bonded for each device.
    #[serde(with = "as_string")]
    bond: Amount,
    /// Devices there that meet all else, and for which less is bonded.
    short_of_bond: u32,
    /// Devices there that meet all else, and let a task have less memory.
    short_of_memory: u32,
    /// Why nobody could compute the job now; none if somebody could.
    lack: Option<Lack>,
    /// What the job asks of its devices, in words.
    #[serde(skip)]
    asks: Option<String>,
}

/// Why nobody could compute a job now. In JSON its name is in snake case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Lack {
    /// The chain names no masternode.
    Masternodes,
    /// There are some, and none answers.
    Answers,
    /// No device is connected.
    Devices,
    /// None that is connected may have anything of the job.
    Matches,
    /// Those that may belong to too few accounts.
    Accounts,
    /// Nothing but larger bonds.
    Bonds,
    /// Nothing but more memory for a task.
    Memory,
}

/// Nobody could compute a job as it is asked for. Nothing was paid.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}; or submit the job all the same with --anyway")]
pub(crate) struct NobodyFitsError(Box<Wanting>);

/// What the grid lacks for a job, told in words with what its owner can do.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanting {
    lack: Lack,
    matched: Matched,
}

impl Matched {
    /// What the masternodes have for a job.
    pub(crate) fn of(asked: &Asked, preferences: &Preferences, replicas: u8) -> Self {
        let needed = u32::from(replicas);
        let all = asked.grids.iter().map(|grid| grid.matching);
        let best = all.clone().max_by_key(|it| {
            let short = it.short_of_bond.saturating_add(it.short_of_memory);
            (it.accounts, it.devices, short, it.of)
        });
        let sufficient = all.filter(|it| it.accounts >= needed).count();
        let lack = match best {
            None if asked.silent.is_empty() => Some(Lack::Masternodes),
            None => Some(Lack::Answers),
            Some(_) if sufficient > 0 => None,
            Some(best) if best.short_of_bond > 0 => Some(Lack::Bonds),
            Some(best) if best.short_of_memory > 0 => Some(Lack::Memory),
            Some(best) if best.of == 0 => Some(Lack::Devices),
            Some(best) if best.devices == 0 => Some(Lack::Matches),
            Some(_) => Some(Lack::Accounts),
        };
        let best = best.unwrap_or_default();
        Self {
            devices: best.devices,
            accounts: best.accounts,
            of: best.of,
            needed,
            masternodes: asked.grids.len(),
            sufficient,
            silent: asked.silent.clone(),
            bond: best.bond,
            short_of_bond: best.short_of_bond,
            short_of_memory: best.short_of_memory,
            lack,
            asks: preferences::in_words(preferences),
        }
    }

    /// What the grid lacks for the job, if nobody could compute it now.
    fn wanting(&self) -> Option<Wanting> {
        Some(Wanting {
            lack: self.lack?,
            matched: self.clone(),
        })
    }

    /// Refuses a job that nobody could compute now.
    pub(crate) fn check(&self) -> Result<(), NobodyFitsError> {
        match self.wanting() {
            Some(wanting) => Err(NobodyFitsError(Box::new(wanting))),
            None => Ok(()),
        }
    }

    /// What there is and what is wrong, in a line.
    pub(crate) fn in_words(&self) -> String {
        if let Some(wanting) = self.wanting() {
            return format!("! {wanting}");
        }
        let few = self.masternodes - self.sufficient;
        let rest = match few {
            0 => String::new(),
            few => format!(
                "; {few} of the {} masternodes {} too few of them, and which one coordinates the job is drawn",
                self.masternodes,
                if few == 1 { "has" } else { "have" }
            ),
        };
        let silent = match self.silent.len() {
            0 => String::new(),
            silent => format!(
                "; {} not answer ({})",
                match silent {
                    1 => "one masternode does".to_owned(),
                    several => format!("{several} masternodes do"),
                },
                self.silent.join(", ")
            ),
        };
        let connected = counted(self.of, "connected device");
        let small = match self.short_of_memory {
            0 => String::new(),
            small => format!(
                "; {} more would, did they let a task have as much memory",
                grouped(small)
            ),
        };
        format!(
            "{} of {connected} may compute it, of {}{small}{rest}{silent}",
            grouped(self.devices),
            counted(self.accounts, "account")
        )
    }
}

impl fmt::Display for Wanting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Matched {
            accounts,
            of,
            needed,
            silent,
            bond,
            short_of_bond,
            short_of_memory,
            asks,
            ..
        } = &self.matched;
        let asked = match asks {
            Some(asks) => format!(" ({asks})"),
            None => String::new(),
        };
        let belong = || {
            let accounts = counted(*accounts, "account");
            format!(
                "the connected devices that may compute the job{asked} belong to {accounts}, and each task needs {needed}"
            )
        };
        match self.lack {
            Lack::Masternodes => f.write_str(
                "the chain names no masternode, so nobody would take the job; wait until one joins",
            ),
            Lack::Answers => write!(
                f,
                "none of the chain's masternodes answers ({}), so nobody tells whether there are devices for the job; try again in a moment",
                silent.join(", ")
            ),
            Lack::Devices => f.write_str(
                "no device is connected that could compute the job, so it would only wait; wait until some are: `quern grid devices` lists them",
            ),
            Lack::Matches => write!(
                f,
                "no connected device, of {} in all, may compute the job{asked}, so it would only wait; ask for less, or wait for others",
                grouped(*of)
            ),
            Lack::Accounts => write!(
                f,
                "{}, so it would only wait; ask for fewer devices of each task, with --replicas or --single,{} or wait for more devices",
                belong(),
                if asks.is_some() { " for less of the devices," } else { "" }
            ),
            Lack::Bonds => write!(
                f,
                "{}, so it would only wait; {} {} nothing but a bond of {} for each device, for the job's tasks are worth so much: cut the input into more tasks, or allow each less --fuel",
                belong(),
                counted(*short_of_bond, "connected device"),
                if *short_of_bond == 1 { "lacks" } else { "lack" },
                display(*bond)
            ),
            Lack::Memory => write!(
                f,
                "{}, so it would only wait; {} {} nothing but memory for a task: ask for less --memory, or cut the input into smaller tasks that need less",
                belong(),
                counted(*short_of_memory, "connected device"),
                if *short_of_memory == 1 { "lacks" } else { "lack" },
            ),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::grid::live::{LiveGrid, tests::grid};
    use quern_jobs_api::Matching;
    use quern_primitives::{amount::BYTECHIP, device::Region, job::RegionSet};

    fn europe() -> Preferences {
        Preferences {
            regions: RegionSet::only([Region::Europe]),
            ..Preferences::default()
        }
    }

    fn trusted() -> Preferences {
        Preferences {
            trusted: true,
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

    /// What masternodes that answer this have for a job.
    fn matched(grids: &[LiveGrid], preferences: Preferences, replicas: u8) -> Matched {
        let asked = Asked {
            grids: grids.to_vec(),
            silent: vec![],
        };
        Matched::of(&asked, &preferences, replicas)
    }

    /// Fails unless the job is refused and its quote warns, both with these words.
    fn expect_refused(matched: &Matched, lack: &str, words: &[&str]) {
        let error = matched.check().unwrap_err().to_string();
        assert!(error.ends_with("with --anyway"), "{error}");
        let told = matched.in_words();
        assert!(told.starts_with("! "), "{told}");
        for word in words {
            assert!(error.contains(word), "{word}: {error}");
            assert!(told.contains(word), "{word}: {told}");
        }
        let json = serde_json::to_value(matched).unwrap();
        assert_eq!(json["lack"], lack);
    }

    #[test]
    fn a_region_that_nobody_is_in_is_told_before_anything_is_paid() {
        let none = matched(&[having(0, 0, 12)], europe(), 3);
        let words = ["no connected device, of 12", "in Europe", "ask for less"];
        expect_refused(&none, "matches", &words);
        let few = matched(&[having(5, 2, 12)], europe(), 3);
        let words = ["2 accounts, and each task needs 3", "in Europe"];
        expect_refused(&few, "accounts", &words);
    }

    #[test]
    fn that_no_device_is_verified_is_told_before_anything_is_paid() {
        let none = matched(&[having(0, 0, 12)], trusted(), 1);
        expect_refused(&none, "matches", &["verified by the council"]);
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
        let none = matched(&[with_bond(0, 12)], any, 1);
        let words = [
            "12 connected devices lack nothing but a bond of 142 BC for each device",
            "cut the input into more tasks",
        ];
        expect_refused(&none, "bonds", &words);
        let json = serde_json::to_value(&none).unwrap();
        assert_eq!(json["bond"], "142000000000");
        assert_eq!(json["short_of_bond"], 12);
        let few = matched(&[with_bond(2, 1)], europe(), 3);
        expect_refused(&few, "bonds", &["1 connected device lacks", "2 accounts"]);
        // Where enough have it, those that have not are no obstacle.
        let enough = matched(&[with_bond(3, 9)], any, 3);
        assert_eq!(enough.check(), Ok(()));
    }

    #[test]
    fn that_no_device_has_the_memory_is_told_before_anything_is_paid() {
        let with_memory = |accounts, short_of_memory| {
            let mut grid = having(accounts, accounts, 12);
            grid.matching.short_of_memory = short_of_memory;
            grid
        };
        let any = Preferences::default();
        let none = matched(&[with_memory(0, 12)], any, 1);
        let words = [
            "12 connected devices lack nothing but memory for a task",
            "--memory",
        ];
        expect_refused(&none, "memory", &words);
        // Where enough have it, those that have not are counted.
        let enough = matched(&[with_memory(3, 9)], any, 3);
        assert_eq!(enough.check(), Ok(()));
        let words = enough.in_words();
        let part = "of 3 accounts; 9 more would, did they let a task have as much memory";
        assert!(words.contains(part), "{words}");
    }

    #[test]
    fn a_job_that_asks_for_nothing_is_refused_too_where_it_would_only_wait() {
        let any = Preferences::default();
        let few = matched(&[having(2, 1, 2)], any, 3);
        expect_refused(&few, "accounts", &["1 account, and each", "--replicas"]);
        let none = matched(&[having(0, 0, 0)], any, 1);
        expect_refused(&none, "devices", &["no device is connected"]);
        // They are in quarantine, for example.
        let unfit = matched(&[having(0, 0, 2)], any, 1);
        expect_refused(&unfit, "matches", &["of 2 in all, may compute the job,"]);
    }

    #[test]
    fn where_no_masternode_answers_nothing_is_paid() {
        let any = Preferences::default();
        let silent = Asked {
            grids: vec![],
            silent: vec!["ws://a".into(), "ws://b".into()],
        };
        let silent = Matched::of(&silent, &any, 1);
        expect_refused(&silent, "answers", &["ws://a, ws://b", "try again"]);
        let json = serde_json::to_value(&silent).unwrap();
        assert_eq!(json["masternodes"], 0);
        assert_eq!(json["silent"][1], "ws://b");
        expect_refused(&matched(&[], any, 1), "masternodes", &["no masternode"]);
    }

    #[test]
    fn one_masternode_with_enough_of_them_will_do() {
        let asked = Asked {
            grids: vec![having(1, 1, 9), having(4, 3, 9)],
            silent: vec!["ws://away".into()],
        };
        let matched = Matched::of(&asked, &europe(), 3);
        assert_eq!(matched.check(), Ok(()));
        let words = matched.in_words();
        for part in [
            "4 of 9 connected devices may compute it, of 3 accounts",
            "1 of the 2 masternodes has too few",
            "one masternode does not answer (ws://away)",
        ] {
            assert!(words.contains(part), "{part}: {words}");
        }
        let json = serde_json::to_value(&matched).unwrap();
        assert_eq!(
            (json["devices"].clone(), json["needed"].clone()),
            (4.into(), 3.into())
        );
        assert_eq!(json["lack"], serde_json::Value::Null);
    }
}
