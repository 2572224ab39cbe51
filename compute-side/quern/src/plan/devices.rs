//! Devices as people write them: how many, and how often they fail.

use super::draws::Draws;
use crate::units::grouped;
use quern_grid::replication::{
    DeviceGroup, FailureProbability, FailureProbabilityError, Fleet, FleetError,
};
use std::str::FromStr;

/// Devices whose probabilities are drawn one by one: a curve takes seconds with more.
const DRAWS_MAX: u64 = 100_000;

/// Some devices, written as `700@4%`, `700:0.04`, `900@30%~13.4%` or `any@35%`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Devices {
    /// How many; none if there is any number of them.
    count: Option<u64>,
    failure: FailureProbability,
    /// The deviation of a normal distribution around it.
    deviation: FailureProbability,
}

/// A text names no devices.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum ParseDevicesError {
    /// Something other than a number of devices and their probability.
    #[error(
        "`{text}` names no devices; write how many and how likely one fails with a task, such as 700@4% or any@4%, and with draws around it 900@30%~13.4%"
    )]
    NotDevices {
        /// What was written.
        text: String,
    },
    /// How many they are is no number.
    #[error("`{text}` is no number of devices; write a whole number, or `any`")]
    Count {
        /// What was written.
        text: String,
    },
    /// How often they fail is no probability.
    #[error(transparent)]
    Failure(#[from] FailureProbabilityError),
    /// There is no end to the draws.
    #[error("any number of devices cannot be drawn; say how many have the deviation")]
    EndlessDraws,
}

/// Devices make no fleet.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum DevicesError {
    /// They are too many to draw.
    #[error(
        "{} devices with a deviation are too many to draw; draw at most {DRAWS_MAX} and give the rest by their mean", grouped(*count)
    )]
    TooManyDraws {
        /// How many would be drawn.
        count: u64,
    },
    /// A draw is no probability.
    #[error(transparent)]
    Failure(#[from] FailureProbabilityError),
    /// They are none, or too many.
    #[error(transparent)]
    Fleet(#[from] FleetError),
}

impl Devices {
    /// The same devices, each with the mean.
    pub(super) const fn by_mean(self) -> Self {
        Self {
            deviation: FailureProbability::NEVER,
            ..self
        }
    }

    fn is_drawn(&self) -> bool {
        self.deviation != FailureProbability::NEVER
    }
}

/// The devices as groups: one for those of a mean, one for each that is drawn.
pub(super) fn groups(
    devices: &[Devices],
    draws: &mut Draws,
) -> Result<Vec<DeviceGroup>, DevicesError> {
    let drawn = devices.iter().filter(|devices| devices.is_drawn());
    let count = drawn.fold(0u64, |sum, devices| {
        sum.saturating_add(devices.count.unwrap_or(u64::MAX))
    });
    if count > DRAWS_MAX {
        return Err(DevicesError::TooManyDraws { count });
    }
    let mut groups = Vec::new();
    for devices in devices {
        let count = devices.count.unwrap_or(DeviceGroup::ANY_NUMBER);
        if !devices.is_drawn() {
            groups.push(DeviceGroup {
                devices: count,
                failure: devices.failure,
            });
            continue;
        }
        for _ in 0..count {
            groups.push(DeviceGroup {
                devices: 1,
                failure: draws.failure(devices.failure.get(), devices.deviation.get())?,
            });
        }
    }
    Ok(groups)
}

/// The fleet of these devices.
pub(super) fn fleet(devices: &[Devices], draws: &mut Draws) -> Result<Fleet, DevicesError> {
    Ok(Fleet::of_groups(groups(devices, draws)?)?)
}

impl FromStr for Devices {
    type Err = ParseDevicesError;

    fn from_str(text: &str) -> Result<Self, ParseDevicesError> {
        let (count, failure) =
            text.split_once(['@', ':'])
                .ok_or_else(|| ParseDevicesError::NotDevices {
                    text: text.to_owned(),
                })?;
        let count = match count.trim() {
            "any" => None,
            digits => Some(digits.parse().map_err(|_| ParseDevicesError::Count {
                text: digits.to_owned(),
            })?),
        };
        let (failure, deviation) = match failure.split_once('~') {
            Some((failure, deviation)) => (failure.parse()?, deviation.parse()?),
            None => (failure.parse()?, FailureProbability::NEVER),
        };
        let devices = Self {
            count,
            failure,
            deviation,
        };
        if count.is_none() && devices.is_drawn() {
            return Err(ParseDevicesError::EndlessDraws);
        }
        Ok(devices)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn around(count: u64, failure: f64, deviation: f64) -> Devices {
        Devices {
            count: Some(count),
            failure: p(failure),
            deviation: p(deviation),
        }
    }

    fn alike(count: u64, failure: f64) -> Devices {
        around(count, failure, 0.0)
    }

    fn read(text: &str) -> Result<Devices, ParseDevicesError> {
        text.parse()
    }

    fn p(value: f64) -> FailureProbability {
        FailureProbability::new(value).unwrap()
    }

    #[test]
    fn devices_read_as_people_write_them() {
        let plain = alike(700, 0.04);
        for text in ["700@4%", "700:0.04", " 700 @ 4 % ", "700@0.04~0"] {
            assert_eq!(read(text), Ok(plain), "{text}");
        }
        let drawn = read("900@30%~13.4%").unwrap();
        assert_eq!(drawn, around(900, 0.3, 0.134));
        assert_eq!(drawn.by_mean(), alike(900, 0.3));
        assert_eq!(read("any@35%").unwrap().count, None);
    }

    #[test]
    fn what_names_no_devices_is_refused_in_words() {
        assert!(matches!(
            read("700"),
            Err(ParseDevicesError::NotDevices { .. })
        ));
        for text in ["@4%", "-1@4%", "1.5@4%", "99999999999999999999@4%"] {
            assert!(
                matches!(read(text), Err(ParseDevicesError::Count { .. })),
                "{text}"
            );
        }
        for text in ["7@", "7@4%~", "7@-4%", "7@nan", "7@140%", "7@4%~-1"] {
            assert!(
                matches!(read(text), Err(ParseDevicesError::Failure(_))),
                "{text}"
            );
        }
        assert_eq!(read("any@35%~12%"), Err(ParseDevicesError::EndlessDraws));
    }

    #[test]
    fn a_seed_always_draws_the_same_devices_and_another_others() {
        let devices = [around(50, 0.3, 0.1), alike(7, 0.1)];
        let of = |seed| fleet(&devices, &mut Draws::new(seed)).unwrap();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        assert_eq!(of(1).devices(), 57);
    }

    #[test]
    fn nobody_waits_for_endless_draws() {
        let many = [around(u64::MAX, 0.3, 0.1); 2];
        let error = fleet(&many, &mut Draws::new(1)).unwrap_err();
        assert_eq!(error, DevicesError::TooManyDraws { count: u64::MAX });
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,20}") {
            let _ = read(&text);
            let _ = read(&format!("1@{text}"));
        }
    }
}
