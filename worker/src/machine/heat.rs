//! The temperature of the cores.

use super::{look::Look, oddity::Figure};

const FIGURE: Figure = Figure::Temperature;
const SENSORS: &str = "sys/class/hwmon";
const ZONES: &str = "sys/class/thermal";

/// What a core is believed to have, in thousandths of a degree Celsius. Broken sensors say -128,
/// 255 or the absolute zero.
const BELIEVED: std::ops::RangeInclusive<i64> = -50_000..=150_000;

/// Chips that measure the cores, by the names of their drivers; names that begin with `cpu` or `soc`
/// are such chips as well.
const CORE_CHIPS: [&str; 6] = [
    "coretemp",
    "k10temp",
    "k8temp",
    "scpi_sensors",
    "via_cputemp",
    "zenpower",
];

/// Zones that measure the cores, in the same way, and the whole machine's, which is better than
/// nothing.
const CORE_ZONES: [&str; 3] = ["TCPU", "B0D4", "x86_pkg_temp"];
const MACHINE_ZONES: [&str; 1] = ["acpitz"];

/// The hottest core.
pub(super) fn decicelsius(look: &mut Look) -> Option<i16> {
    let thousandths = hottest_chip(look)
        .or_else(|| hottest_zone(look, &CORE_ZONES, true))
        .or_else(|| hottest_zone(look, &MACHINE_ZONES, false))?;
    i16::try_from(thousandths.div_euclid(100)).ok()
}

fn is_of_cores(name: &str, known: &[&str]) -> bool {
    known.contains(&name) || name.starts_with("cpu") || name.starts_with("soc")
}

fn hottest_chip(look: &mut Look) -> Option<i64> {
    let chips = look.names(FIGURE, SENSORS);
    let mut hottest = None;
    for chip in chips {
        let folder = format!("{SENSORS}/{chip}");
        let name = look.line(FIGURE, &format!("{folder}/name"));
        if name.is_none_or(|name| !is_of_cores(&name, &CORE_CHIPS)) {
            continue;
        }
        for entry in look.names(FIGURE, &folder) {
            if let Some(sensor) = entry.strip_suffix("_input")
                && sensor.starts_with("temp")
                && is_to_be_read(look, &folder, sensor)
            {
                hottest = hottest.max(look.number(FIGURE, &format!("{folder}/{entry}"), BELIEVED));
            }
        }
    }
    hottest
}

/// Whether a sensor tells a temperature: it says of itself that it is broken, and AMD's `Tctl` is a
/// number for fans, up to 27 degrees above the die's own.
fn is_to_be_read(look: &mut Look, folder: &str, sensor: &str) -> bool {
    let mut word = |file: &str| look.line(FIGURE, &format!("{folder}/{sensor}_{file}"));
    let is_broken = word("fault").as_deref() == Some("1");
    let is_for_fans = word("label").as_deref() == Some("Tctl") && has_die(look, folder);
    !is_broken && !is_for_fans
}

fn has_die(look: &mut Look, folder: &str) -> bool {
    look.names(FIGURE, folder).iter().any(|entry| {
        entry.ends_with("_label")
            && look.line(FIGURE, &format!("{folder}/{entry}")).as_deref() == Some("Tdie")
    })
}

fn hottest_zone(look: &mut Look, known: &[&str], also_by_prefix: bool) -> Option<i64> {
    let zones = look.names(FIGURE, ZONES);
    let mut hottest = None;
    for zone in zones.iter().filter(|name| name.starts_with("thermal_zone")) {
        let folder = format!("{ZONES}/{zone}");
        let kind = look.line(FIGURE, &format!("{folder}/type"));
        let is_meant = kind.is_some_and(|kind| {
            known.contains(&kind.as_str()) || (also_by_prefix && is_of_cores(&kind, known))
        });
        if is_meant {
            hottest = hottest.max(look.number(FIGURE, &format!("{folder}/temp"), BELIEVED));
        }
    }
    hottest
}
