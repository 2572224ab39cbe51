//! What a masternode tells of its devices, in words. Texts that come from elsewhere are shown without
//! what would steer the terminal.

use crate::{
    output::{fields, table},
    units::{Size, counted, grouped},
};
use quern_jobs_api::{DeviceState, MachineFacts, Reason, Sample};
use quern_primitives::{device::Class, verdict::Ground};
use std::{collections::BTreeSet, fmt};

/// Letters of a name that is shortened: `0x` and 12 digits.
const SHORT: usize = 14;

/// Devices that are named to people beside a reason; programs are told more.
const DEVICES_SHOWN: usize = 3;

/// What is not known, in a column.
pub(crate) const UNKNOWN: &str = "-";

/// The first digits of a name, enough to tell it from its neighbours.
pub(crate) fn short(name: &impl fmt::Display) -> String {
    let name = name.to_string();
    match name.char_indices().nth(SHORT) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name,
    }
}

/// A text of somebody else's, on one line.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}

/// A share in percent, such as `1.7 %`.
pub(crate) fn percent(share: f64) -> String {
    let tenths = (share * 1_000.0).round() / 10.0;
    format!("{tenths} %")
}

/// Points of a score, such as `1532.4`.
pub(crate) fn points(points: f64) -> String {
    format!("{points:.1}")
}

/// Why an answer was accepted.
pub(crate) fn ground(ground: Ground) -> &'static str {
    match ground {
        Ground::Unanimous => {
            "accepted because all accounts that answered gave it, two at the least"
        }
        Ground::Majority => "accepted because more than half of the accounts gave it",
        Ground::Trusted => "accepted on the word of one device, as the job allows",
        Ground::Referee => {
            "accepted because a referee computed it, as the devices' answers differed or were \
             that the program fails"
        }
        Ground::Vote => {
            "accepted by vote, as the devices' answers differed and no referee could decide"
        }
    }
}

/// A span of time, such as `40 s` or `2 h 5 min`.
pub(crate) fn span(seconds: u64) -> String {
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// A device's place in the ranking, such as `3/12`.
pub(crate) fn rank(device: &DeviceState) -> String {
    match device.byte_rank {
        0 => UNKNOWN.into(),
        rank => format!("{rank}/{}", device.ranked),
    }
}

/// When the devices were ranked that stand so; nothing if none is ranked. Of several masternodes the one
/// that did so longest ago is told.
pub(crate) fn ranked_when<'a>(
    devices: impl IntoIterator<Item = &'a DeviceState>,
) -> Option<String> {
    let ranked = devices.into_iter().filter(|device| device.byte_rank > 0);
    let ago = ranked.filter_map(|device| device.ranked_s_ago).max()?;
    Some(format!(
        "ranked {} ago, by the scores and faults of then; the scores above are those of now",
        span(ago)
    ))
}

/// The pool it stands in, of the job that is served first, and in how many other jobs it stands too:
/// `1/2 +3`.
pub(crate) fn pool(device: &DeviceState) -> String {
    match &device.pools[..] {
        [] => UNKNOWN.into(),
        [only] => format!("{}/{}", only.pool, only.pools),
        [first, others @ ..] => format!("{}/{} +{}", first.pool, first.pools, others.len()),
    }
}

/// The classes that it computes, in a column.
pub(crate) fn classes(device: &DeviceState) -> &'static str {
    match &device.classes[..] {
        [] => UNKNOWN,
        [Class::Pinned] => "pinned",
        [Class::Portable] => "portable",
        [_, ..] => "both",
    }
}

/// The same in a line of its own.
fn classes_told(device: &DeviceState) -> &'static str {
    match classes(device) {
        UNKNOWN => "not told",
        "both" => "pinned and portable",
        only => only,
    }
}

/// Tasks that it holds, of those that it may hold.
pub(crate) fn in_hand(device: &DeviceState) -> String {
    format!("{}/{}", device.in_hand, device.in_hand_max)
}

/// What is against a device, or for it, a line each.
pub(crate) fn flag_lines(device: &DeviceState) -> impl Iterator<Item = String> {
    let lines = device
        .flags
        .iter()
        .map(|flag| format!("  ! {}", plain(flag)));
    let owes = device
        .measured
        .owes_benchmark
        .then(|| "  ! it owes a benchmark, and counts as slow until it answers one".to_owned());
    let lifted = device.lifted.then(|| {
        "  + it won today's lottery and stands 100 places higher until tomorrow".to_owned()
    });
    lines.chain(owes).chain(lifted)
}

/// Reasons as a table.
pub(crate) fn reasons(reasons: &[Reason]) -> String {
    let row = |reason: &Reason| {
        vec![
            reason.rule.to_string(),
            or_unknown(reason.devices),
            plain(&reason.words),
            which(reason),
        ]
    };
    let rows: Vec<_> = reasons.iter().map(row).collect();
    let head: &[&str] = match reasons.iter().all(|it| it.device_ids.is_empty()) {
        true => &["rule", ">devices", "what it says"],
        false => &["rule", ">devices", "what it says", "which"],
    };
    table(head, &rows)
}

/// That not all devices were looked at to find reasons; nothing if all were, or none had to be.
pub(crate) fn sample(sample: &Sample) -> Option<String> {
    let Sample {
        looked_at,
        connected,
    } = *sample;
    (0 < looked_at && looked_at < connected).then(|| {
        format!(
            "{} of the {} connected devices were looked at; these are counted",
            grouped(looked_at),
            grouped(connected)
        )
    })
}

/// What can be done about reasons, a line for each rule; nothing if nothing is told of it.
pub(crate) fn advice<'a>(reasons: impl IntoIterator<Item = &'a Reason>) -> Option<String> {
    let mut told = BTreeSet::new();
    let row = |reason: &Reason| {
        let next = reason.next.as_deref()?;
        let is_new = told.insert(reason.rule);
        is_new.then(|| vec![reason.rule.to_string(), plain(next)])
    };
    let rows: Vec<_> = reasons.into_iter().filter_map(row).collect();
    (!rows.is_empty()).then(|| table(&["rule", "what you can do"], &rows))
}

/// The first of the devices that a reason keeps from the work, and how many more there are.
fn which(reason: &Reason) -> String {
    let shown: Vec<_> = reason
        .device_ids
        .iter()
        .take(DEVICES_SHOWN)
        .map(short)
        .collect();
    let all = reason.devices.unwrap_or(0);
    match all.saturating_sub(shown.len() as u32) {
        0 => shown.join(", "),
        more => format!("{} +{more}", shown.join(", ")),
    }
}

/// Everything that the scheduler knows of a device but its flags: names and values, what it says
/// beside what was measured, and the jobs it stands in.
pub(crate) fn device(device: &DeviceState) -> String {
    let facts = fields(&[
        (
            "connected",
            if device.connected { "yes" } else { "no" }.to_owned(),
        ),
        (
            "rank",
            match device.ranked_s_ago.filter(|_| device.byte_rank > 0) {
                Some(ago) => format!("{}, ranked {} ago", rank(device), span(ago)),
                None => rank(device),
            },
        ),
        ("score", format!("{} of 2700", points(device.score))),
        (
            "faults",
            format!(
                "{}, in {} of its last 20 tasks",
                percent(device.fault_rate),
                device.faulty_tasks
            ),
        ),
        ("in hand", in_hand(device)),
        ("worker", plain(&device.software)),
        ("computes the class", classes_told(device).to_owned()),
        ("machine", machine(&device.machine)),
    ]);
    let mut parts = vec![facts, figures(device)];
    if !device.pools.is_empty() {
        let row = |pool: &quern_jobs_api::DevicePool| {
            vec![
                pool.job.to_string(),
                format!("{} of {}", pool.pool, pool.pools),
            ]
        };
        let rows: Vec<_> = device.pools.iter().map(row).collect();
        parts.push(table(&["job", "pool"], &rows));
    }
    parts.join("\n\n")
}

/// The machine in a line.
fn machine(machine: &MachineFacts) -> String {
    let of_parts = |parts: &[&Option<String>]| {
        let known = parts.iter().filter_map(|part| part.as_deref().map(plain));
        let text = known.collect::<Vec<_>>().join(" ");
        (!text.is_empty()).then_some(text)
    };
    let size = |mib: u64, what: &str| format!("{} of {what}", Size(mib.saturating_mul(1 << 20)));
    let parts = [
        of_parts(&[&machine.operating_system]),
        of_parts(&[
            &machine.processor_maker,
            &machine.processor_family,
            &machine.processor_model,
        ]),
        machine.cores.map(|cores| counted(cores, "core")),
        of_parts(&[&machine.gpu]),
        machine.ram_mib.map(|mib| size(mib, "memory")),
        machine.storage_mib.map(|mib| size(mib, "storage")),
    ];
    let known: Vec<_> = parts.into_iter().flatten().collect();
    match known.is_empty() {
        true => "not told".into(),
        false => known.join("; "),
    }
}

/// What the device says beside what was measured, and what the score makes of it.
fn figures(device: &DeviceState) -> String {
    let (claimed, measured, parts) = (&device.claimed, &device.measured, &device.parts);
    let mib = |mib: Option<u64>| known(mib, |mib| Size(mib.saturating_mul(1 << 20)).to_string());
    let speeds = match (measured.down_mbps, measured.up_mbps) {
        (None, None) => UNKNOWN.into(),
        (down, up) => format!(
            "{} down, {} up, Mbit/s",
            known(down, decimals),
            known(up, decimals)
        ),
    };
    let battery = match (claimed.battery_percent, claimed.is_charging) {
        (None, _) => UNKNOWN.into(),
        (Some(percent), Some(true)) => format!("{} %, charging", decimals(percent)),
        (Some(percent), _) => format!("{} %", decimals(percent)),
    };
    let of = |part: f64, most: u32| format!("{} of {most}", points(part));
    let unknown = || UNKNOWN.to_owned();
    let rows = [
        (
            "processor",
            unknown(),
            known(measured.processor_rate, |rate| {
                format!("{} fuel/ms", grouped(rate))
            }),
            of(parts.processor, 500),
        ),
        (
            "kind of line",
            known(claimed.line.as_deref(), plain),
            unknown(),
            of(parts.network_category, 300),
        ),
        ("speed", unknown(), speeds, of(parts.network_speed, 1_000)),
        (
            "steadiness",
            unknown(),
            unknown(),
            of(parts.network_stability, 300),
        ),
        (
            "free memory",
            mib(claimed.free_ram_mib),
            unknown(),
            of(parts.free_ram, 300),
        ),
        (
            "memory for a task",
            mib(claimed.task_memory_mib),
            unknown(),
            String::new(),
        ),
        (
            "free processor",
            known(claimed.free_cpu_percent, |it| format!("{} %", decimals(it))),
            unknown(),
            of(parts.free_cpu, 300),
        ),
        (
            "latency",
            unknown(),
            known(measured.latency_ms, |ms| format!("{} ms", decimals(ms))),
            String::new(),
        ),
        ("battery", battery, unknown(), String::new()),
        (
            "temperature",
            known(claimed.temperature_celsius, |it| {
                format!("{} °C", decimals(it))
            }),
            unknown(),
            String::new(),
        ),
        (
            "free storage",
            mib(claimed.free_storage_mib),
            unknown(),
            String::new(),
        ),
    ];
    let rows: Vec<_> = rows
        .into_iter()
        .map(|(name, claimed, measured, part)| vec![name.to_owned(), claimed, measured, part])
        .collect();
    table(&["", "it says", "measured", "points"], &rows)
}

/// With one decimal, if that is not zero.
fn decimals(value: f64) -> String {
    format!("{}", (value * 10.0).round() / 10.0)
}

fn known<T>(value: Option<T>, words: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), words)
}

fn or_unknown(number: Option<u32>) -> String {
    known(number, grouped)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use quern_jobs_api::{Claimed, DevicePool, Measured, ScoreParts};
    use quern_primitives::{AccountId, DeviceId, JobId};

    /// A device of which much is known.
    pub(crate) fn known_device() -> DeviceState {
        DeviceState {
            position: 2,
            device: DeviceId([0xab; 32]),
            account: AccountId::new([3; 32]),
            connected: true,
            byte_rank: 3,
            ranked: 12,
            ranked_s_ago: Some(7),
            score: 1_532.375,
            parts: ScoreParts {
                processor: 206.0,
                network_category: 300.0,
                network_speed: 177.66,
                network_stability: 100.0,
                free_ram: 282.19,
                free_cpu: 200.0,
            },
            fault_rate: 1.0 / 60.0,
            faulty_tasks: 1,
            flags: vec![],
            lifted: false,
            in_hand: 1,
            in_hand_max: 2,
            software: "quern-worker 0.1.0".into(),
            classes: vec![Class::Pinned],
            machine: MachineFacts {
                operating_system: Some("Linux".into()),
                processor_model: Some("Model\u{1b}[2J 7".into()),
                cores: Some(8),
                ram_mib: Some(16 << 10),
                ..MachineFacts::default()
            },
            claimed: Claimed {
                line: Some("fibre".into()),
                free_ram_mib: Some(2_230),
                free_cpu_percent: Some(50.0),
                task_memory_mib: Some(2_048),
                battery_percent: Some(80.25),
                is_charging: Some(true),
                ..Claimed::default()
            },
            measured: Measured {
                down_mbps: Some(46.04),
                latency_ms: Some(23.0),
                processor_rate: Some(412_000),
                ..Measured::default()
            },
            pools: vec![DevicePool {
                job: JobId([1; 32]),
                pool: 1,
                pools: 2,
            }],
        }
    }

    #[test]
    fn what_a_device_says_stands_beside_what_was_measured() {
        let text = device(&known_device());
        let line = |start: &str| {
            let mut lines = text.lines();
            let found = lines.find(|line| line.starts_with(start));
            found
                .unwrap_or_default()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(line("kind of line"), "kind of line fibre - 300.0 of 300");
        assert_eq!(
            line("processor"),
            "processor - 412,000 fuel/ms 206.0 of 500"
        );
        assert_eq!(line("speed"), "speed - 46 down, - up, Mbit/s 177.7 of 1000");
        assert_eq!(line("battery"), "battery 80.3 %, charging -");
        assert_eq!(line("temperature"), "temperature - -");
        assert_eq!(line("memory for"), "memory for a task 2 GiB -");
        assert!(line("machine").contains("8 cores; 16 GiB of memory"));
        assert!(text.contains("1.7 %, in 1 of its last 20 tasks"), "{text}");
        assert!(!text.contains('\u{1b}'), "it steers the terminal");
        assert!(text.lines().all(|line| line.chars().count() <= 100));
    }

    #[test]
    fn the_classes_that_a_device_computes_are_told() {
        let both = vec![Class::Pinned, Class::Portable];
        let cases = [
            (vec![], "-", "not told"),
            (vec![Class::Pinned], "pinned", "pinned"),
            (vec![Class::Portable], "portable", "portable"),
            (both, "both", "pinned and portable"),
        ];
        for (told, short, long) in cases {
            let mut of = known_device();
            of.classes = told;
            assert_eq!(classes(&of), short);
            let text = device(&of);
            let mut lines = text.lines();
            let line = lines.find(|line| line.starts_with("computes the class"));
            assert!(line.is_some_and(|line| line.ends_with(long)), "{text}");
        }
    }

    #[test]
    fn sizes_that_no_machine_has_are_shown_as_they_are_told() {
        let mut told = known_device();
        (told.machine.cores, told.machine.ram_mib) = (Some(u64::MAX), Some(u64::MAX));
        told.machine.storage_mib = Some(u64::MAX);
        told.claimed.free_ram_mib = Some(u64::MAX);
        told.claimed.free_storage_mib = Some(u64::MAX);
        told.claimed.task_memory_mib = Some(u64::MAX);
        let text = device(&told);
        // More bytes than a number of 64 bits holds are shown as the most that it does.
        let most = "17179869183.9 GiB";
        assert_eq!(text.matches(most).count(), 5, "{text}");
        let machine = format!(
            "{}; {most} of memory; {most} of storage",
            counted(u64::MAX, "core")
        );
        assert!(text.contains(&machine), "{text}");
    }

    #[test]
    fn ranks_and_pools_are_short_and_nothing_stands_for_zero() {
        let mut device = known_device();
        assert_eq!(
            (rank(&device), pool(&device)),
            ("3/12".into(), "1/2".into())
        );
        device.pools = vec![device.pools[0]; 3];
        assert_eq!(pool(&device), "1/2 +2");
        (device.byte_rank, device.pools) = (0, vec![]);
        assert_eq!((rank(&device), pool(&device)), ("-".into(), "-".into()));
    }

    #[test]
    fn a_rank_is_told_with_how_old_it_is() {
        let mut of = known_device();
        assert!(device(&of).contains("3/12, ranked 7 s ago"));
        let told = ranked_when([&of]).unwrap_or_default();
        assert!(told.starts_with("ranked 7 s ago"), "{told}");
        let older = DeviceState {
            ranked_s_ago: Some(65),
            ..known_device()
        };
        let told = ranked_when([&of, &older]).unwrap_or_default();
        assert!(told.starts_with("ranked 1 min 5 s ago"), "{told}");
        // One that has no rank, and a masternode that does not tell, are no reason to tell an age.
        of.byte_rank = 0;
        assert_eq!(ranked_when([&of]), None);
        assert!(!device(&of).contains("ago"));
        let untold = DeviceState {
            ranked_s_ago: None,
            ..known_device()
        };
        assert_eq!(ranked_when([&untold]), None);
    }

    #[test]
    fn what_is_against_a_device_is_told_line_by_line() {
        let mut device = known_device();
        assert_eq!(flag_lines(&device).count(), 0);
        device.flags = vec!["it is too hot\n\u{7}".into()];
        device.lifted = true;
        device.measured.owes_benchmark = true;
        let lines: Vec<_> = flag_lines(&device).collect();
        assert_eq!(lines[0], "  ! it is too hot  ");
        assert!(lines[1].contains("owes a benchmark"));
        assert!(lines[2].contains("lottery"));
    }

    #[test]
    fn names_are_cut_and_short_ones_are_not() {
        assert_eq!(short(&DeviceId([0xab; 32])), "0xabababababab…");
        assert_eq!(short(&"0x12"), "0x12");
        assert_eq!((percent(0.05), percent(0.0)), ("5 %".into(), "0 %".into()));
        assert_eq!((span(40), span(125)), ("40 s".into(), "2 min 5 s".into()));
        assert_eq!(span(7_500), "2 h 5 min");
    }
}
