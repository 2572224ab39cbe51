//! What goes wrong in a run, and how often.

use std::{fmt, str::FromStr};

/// What goes wrong, each with a rate in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Devices that take ten times as long as they should, also for a benchmark: they are known to be slow.
    pub slow: u32,
    /// Devices that take ten times as long for tasks as their benchmark says.
    pub sluggish: u32,
    /// Devices on which three in ten tasks halt for twenty minutes, while they go on giving signs of life.
    pub halting: u32,
    /// Devices on which half of all tasks fail.
    pub failing: u32,
    /// Devices that hand every task back at once, as if its input did not open.
    pub refusing: u32,
    /// Devices that make their answers up, each its own.
    pub lying: u32,
    /// Devices that make their answers up, all the same.
    pub colluding: u32,
    /// Devices that make their answers up, all the same, and at once.
    pub rushing: u32,
    /// Machines that make their answers up, and change their identity every minute: the device they
    /// were is retired, and they come back as another one.
    pub shifting: u32,
    /// Devices that commit themselves to one answer and reveal another.
    pub two_faced: u32,
    /// Devices that commit themselves to what another one did.
    pub copying: u32,
    /// Devices that compute nothing and give one answer, each its own, to every task.
    pub lazy: u32,
    /// Devices that are honest for some tasks, and then lie at three of four, each in a way of its own.
    pub selective: u32,
    /// Devices that fall silent with every task, and answer when the masternode has given it to others.
    pub late: u32,
    /// Devices that go away with every task, and come back without it when the masternode has given it to
    /// others.
    pub silent: u32,
    /// Devices that say of every task that they are at it, and never answer.
    pub feigning: u32,
    /// Times a minute that a device goes away.
    pub churn: u32,
    /// Times a minute that a device's owner needs it.
    pub busy: u32,
    /// Times a minute that a device's battery runs low.
    pub battery: u32,
    /// Times a minute that a device gets too hot.
    pub heat: u32,
    /// Times a minute that a device's clock jumps: on, or back, and then it stands still until the time
    /// has come that it told before.
    pub jump: u32,
    /// Times a minute that the masternode's clock jumps: on, or back.
    pub leap: u32,
    /// Messages that are lost.
    pub loss: u32,
    /// Messages that come twice.
    pub duplicate: u32,
    /// Times a minute that some devices are cut off.
    pub partition: u32,
    /// Times a minute that the masternode hears nothing of the chain for a while, nor the chain of it.
    pub severed: u32,
    /// Times a minute that the masternode dies.
    pub crash: u32,
    /// Deaths of the masternode and of workers that come right before or right after an effect of a kind that is
    /// drawn, as soon as there is one, and not anywhere.
    pub aimed: u32,
    /// Transactions that do not get into a block.
    pub unsettled: u32,
    /// Replicas that cannot be handed out because a file cannot be read.
    pub unreadable: u32,
    /// Devices that are banned.
    pub ban: u32,
    /// Jobs that their owner cancels.
    pub cancel: u32,
    /// Jobs that cannot be computed: their inputs do not open, or one of them does not, their program
    /// traps, or too few devices have what they ask for.
    pub unsound: u32,
    /// Tasks that an honest device gets wrong, each in a way of its own; one that the council has verified
    /// gets none wrong.
    pub erring: u32,
}

/// A rate's name and place.
type Kind = (&'static str, fn(&mut Faults) -> &mut u32);

/// All of them, in the order in which they are written.
const KINDS: [Kind; 34] = [
    ("slow", |it| &mut it.slow),
    ("sluggish", |it| &mut it.sluggish),
    ("halting", |it| &mut it.halting),
    ("failing", |it| &mut it.failing),
    ("refusing", |it| &mut it.refusing),
    ("lying", |it| &mut it.lying),
    ("colluding", |it| &mut it.colluding),
    ("rushing", |it| &mut it.rushing),
    ("shifting", |it| &mut it.shifting),
    ("two_faced", |it| &mut it.two_faced),
    ("copying", |it| &mut it.copying),
    ("lazy", |it| &mut it.lazy),
    ("selective", |it| &mut it.selective),
    ("late", |it| &mut it.late),
    ("silent", |it| &mut it.silent),
    ("feigning", |it| &mut it.feigning),
    ("churn", |it| &mut it.churn),
    ("busy", |it| &mut it.busy),
    ("battery", |it| &mut it.battery),
    ("heat", |it| &mut it.heat),
    ("jump", |it| &mut it.jump),
    ("leap", |it| &mut it.leap),
    ("loss", |it| &mut it.loss),
    ("duplicate", |it| &mut it.duplicate),
    ("partition", |it| &mut it.partition),
    ("severed", |it| &mut it.severed),
    ("crash", |it| &mut it.crash),
    ("aimed", |it| &mut it.aimed),
    ("unsettled", |it| &mut it.unsettled),
    ("unreadable", |it| &mut it.unreadable),
    ("ban", |it| &mut it.ban),
    ("cancel", |it| &mut it.cancel),
    ("unsound", |it| &mut it.unsound),
    ("erring", |it| &mut it.erring),
];

impl Faults {
    /// Nothing at all.
    pub const NONE: Self = Self {
        slow: 0,
        sluggish: 0,
        halting: 0,
        failing: 0,
        refusing: 0,
        lying: 0,
        colluding: 0,
        rushing: 0,
        shifting: 0,
        two_faced: 0,
        copying: 0,
        lazy: 0,
        selective: 0,
        late: 0,
        silent: 0,
        feigning: 0,
        churn: 0,
        busy: 0,
        battery: 0,
        heat: 0,
        jump: 0,
        leap: 0,
        loss: 0,
        duplicate: 0,
        partition: 0,
        severed: 0,
        crash: 0,
        aimed: 0,
        unsettled: 0,
        unreadable: 0,
        ban: 0,
        cancel: 0,
        unsound: 0,
        erring: 0,
    };

    /// A good day: some devices are slow or come and go, and a message is lost now and then.
    pub const MILD: Self = Self {
        slow: 30,
        sluggish: 20,
        halting: 10,
        failing: 20,
        lying: 20,
        churn: 50,
        busy: 50,
        battery: 30,
        heat: 20,
        jump: 20,
        loss: 5,
        duplicate: 5,
        unsettled: 50,
        ..Self::NONE
    };

    /// A bad day.
    pub const ROUGH: Self = Self {
        slow: 80,
        sluggish: 40,
        halting: 30,
        failing: 60,
        refusing: 20,
        lying: 60,
        colluding: 60,
        rushing: 10,
        shifting: 40,
        two_faced: 10,
        copying: 10,
        churn: 300,
        busy: 200,
        battery: 100,
        heat: 100,
        jump: 100,
        leap: 100,
        loss: 20,
        duplicate: 20,
        partition: 500,
        severed: 200,
        crash: 1_000,
        unsettled: 200,
        unreadable: 10,
        unsound: 30,
        ..Self::NONE
    };

    /// A day on which everything happens at once.
    pub const HOSTILE: Self = Self {
        slow: 120,
        sluggish: 60,
        halting: 50,
        failing: 100,
        refusing: 40,
        lying: 120,
        colluding: 120,
        rushing: 20,
        shifting: 100,
        two_faced: 30,
        copying: 30,
        churn: 1_000,
        busy: 500,
        battery: 300,
        heat: 300,
        jump: 300,
        leap: 500,
        loss: 50,
        duplicate: 50,
        partition: 2_000,
        severed: 500,
        crash: 4_000,
        unsettled: 400,
        unreadable: 30,
        ban: 30,
        cancel: 100,
        unsound: 100,
        erring: 20,
        ..Self::NONE
    };

    /// Nothing but devices that mean harm: of a thousand 43 in each of [seven ways](crate::grid::Way), which are
    /// three of ten.
    pub const SEVEN_WAYS: Self = Self {
        lying: 43,
        two_faced: 43,
        copying: 43,
        lazy: 43,
        selective: 43,
        late: 43,
        silent: 43,
        ..Self::NONE
    };

    /// Those that have a name.
    pub const NAMED: [(&'static str, Self); 4] = [
        ("none", Self::NONE),
        ("mild", Self::MILD),
        ("rough", Self::ROUGH),
        ("hostile", Self::HOSTILE),
    ];
}

/// A text names no faults.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultsError {
    /// There is no such kind of fault.
    #[error(
        "there are no faults `{name}`; name none, mild, rough, hostile, or one of {}",
        names()
    )]
    Unknown {
        /// What was named.
        name: String,
    },
    /// A rate is no number.
    #[error(
        "the rate of {name} is a whole number of thousandths, at most 1000000; `{rate}` is none"
    )]
    Rate {
        /// Whose.
        name: String,
        /// What was given.
        rate: String,
    },
}

/// The highest rate, in thousandths: a thousand times a minute.
const RATE_MAX: u32 = 1_000_000;

fn names() -> String {
    KINDS.map(|(name, _)| name).join(", ")
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rates = *self;
        let mut separator = "";
        for (name, rate) in KINDS {
            let rate = *rate(&mut rates);
            if rate > 0 {
                write!(f, "{separator}{name}={rate}")?;
                separator = ",";
            }
        }
        if *self == Self::NONE {
            f.write_str("none")?;
        }
        Ok(())
    }
}

impl FromStr for Faults {
    type Err = FaultsError;

    fn from_str(text: &str) -> Result<Self, FaultsError> {
        let mut faults = Self::NONE;
        for item in text.split(',').filter(|item| !item.is_empty()) {
            let (name, rate) = item.split_once('=').unwrap_or((item, ""));
            if let Some((_, named)) = Self::NAMED.iter().find(|(known, _)| *known == item) {
                faults = *named;
            } else if let Some((_, place)) = KINDS.iter().find(|(known, _)| *known == name) {
                let parsed = rate.parse::<u32>().ok().filter(|rate| *rate <= RATE_MAX);
                *place(&mut faults) = parsed.ok_or_else(|| FaultsError::Rate {
                    name: name.to_owned(),
                    rate: rate.to_owned(),
                })?;
            } else {
                return Err(FaultsError::Unknown {
                    name: name.to_owned(),
                });
            }
        }
        Ok(faults)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn rates_change_what_was_named_before_them() {
        let faults: Faults = "hostile,crash=0,loss=7".parse().unwrap();
        let expected = Faults {
            crash: 0,
            loss: 7,
            ..Faults::HOSTILE
        };
        assert_eq!(faults, expected);
        assert_eq!(faults.to_string().parse::<Faults>().unwrap(), faults);
    }

    #[test]
    fn what_is_no_fault_is_named() {
        let words = |text: &str| text.parse::<Faults>().unwrap_err().to_string();
        assert!(words("losses=3").contains("`losses`"));
        assert!(words("loss=often").contains("`often`"));
        assert!(words("loss").contains("rate of loss"));
    }
}
