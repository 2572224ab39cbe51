//! Batteries and external power.

use super::{look::Look, oddity::Figure};

const SUPPLIES: &str = "sys/class/power_supply";

/// The most a battery is believed to hold, in millionths of a watt-hour or ampere-hour.
const FULL_MAX: i64 = 1_000_000_000_000;

/// What is known of the machine's power.
#[derive(Default)]
pub(super) struct Power {
    pub(super) battery_permille: Option<u16>,
    pub(super) charging: Option<bool>,
}

/// One battery.
struct Battery {
    permille: Option<u16>,
    /// What it holds when it is full.
    full: Option<i64>,
    status: Option<String>,
}

pub(super) fn read(look: &mut Look) -> Power {
    let mut batteries = Vec::new();
    let mut external: Option<bool> = None;
    for supply in look.names(Figure::Battery, SUPPLIES) {
        let folder = format!("{SUPPLIES}/{supply}");
        let mut word = |figure, file| look.line(figure, &format!("{folder}/{file}"));
        match word(Figure::Battery, "type").as_deref() {
            // The scope "Device" is a mouse's or a keyboard's battery.
            Some("Battery")
                if word(Figure::Battery, "scope").as_deref() != Some("Device")
                    && word(Figure::Battery, "present").as_deref() != Some("0") =>
            {
                batteries.push(battery(look, &folder));
            }
            Some("Mains" | "USB" | "Wireless") => {
                let place = format!("{folder}/online");
                let online = look.number(Figure::Charging, &place, 0..=2);
                external = external.max(online.map(|online| online > 0));
            }
            _ => {}
        }
    }
    if batteries.is_empty() {
        return Power::default();
    }
    Power {
        battery_permille: charge(&batteries),
        charging: is_supplied(&batteries, external),
    }
}

fn battery(look: &mut Look, folder: &str) -> Battery {
    let figure = Figure::Battery;
    let mut number = |file: &str, most| look.number(figure, &format!("{folder}/{file}"), 0..=most);
    let full = |kind: &str, number: &mut dyn FnMut(&str, i64) -> Option<i64>| {
        number(&format!("{kind}_full"), FULL_MAX).filter(|full| *full > 0)
    };
    let (kind, full) = match full("energy", &mut number) {
        Some(energy) => ("energy", Some(energy)),
        None => ("charge", full("charge", &mut number)),
    };
    let permille = match number("capacity", 100) {
        Some(percent) => Some(percent * 10),
        None => full.and_then(|full| {
            // A battery that was measured anew can hold a little more than its mark.
            let now = number(&format!("{kind}_now"), full.saturating_mul(6) / 5)?;
            Some((now.saturating_mul(1_000) / full).min(1_000))
        }),
    };
    Battery {
        permille: permille.and_then(|permille| u16::try_from(permille).ok()),
        full,
        status: look.line(Figure::Charging, &format!("{folder}/status")),
    }
}

/// The charge of all batteries: by what each holds, or their mean where that is not told of all.
fn charge(batteries: &[Battery]) -> Option<u16> {
    let known = || {
        batteries
            .iter()
            .filter(|battery| battery.permille.is_some())
    };
    let is_weighed = known().all(|battery| battery.full.is_some());
    let (mut sum, mut weights) = (0_i128, 0_i128);
    for battery in known() {
        let weight = i128::from(battery.full.filter(|_| is_weighed).unwrap_or(1));
        sum += weight * i128::from(battery.permille.unwrap_or(0));
        weights += weight;
    }
    sum.checked_div(weights)
        .and_then(|mean| u16::try_from(mean).ok())
}

/// Whether external power feeds the machine: by its plugs, else by what its batteries say.
fn is_supplied(batteries: &[Battery], external: Option<bool>) -> Option<bool> {
    let says = |words: &[&str]| {
        batteries
            .iter()
            .filter_map(|battery| battery.status.as_deref())
            .any(|status| words.contains(&status))
    };
    if says(&["Charging"]) {
        Some(true)
    } else if let Some(external) = external {
        Some(external)
    } else if says(&["Discharging"]) {
        Some(false)
    } else if says(&["Full", "Not charging"]) {
        Some(true)
    } else {
        None
    }
}
