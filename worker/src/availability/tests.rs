use super::*;
use proptest::prelude::*;
use serde::Deserialize;
use std::{
    fs,
    time::{Duration, UNIX_EPOCH},
};

/// A settings file with nothing else.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    availability: Availability,
}

fn parse(text: &str) -> Availability {
    let file: File = toml::from_str(&format!("[availability]\n{text}")).unwrap();
    file.availability
}

fn refusal(text: &str) -> String {
    let file: Result<File, _> = toml::from_str(&format!("[availability]\n{text}"));
    file.unwrap_err().to_string()
}

const NOVEMBER: (i32, u8) = (2026, 11);

fn clock(weekday: Weekday, hour: u8) -> WallClock {
    let (year, month) = NOVEMBER;
    WallClock::new(Month::new(year, month), WeekMinute::at(weekday, hour, 0))
}

/// A machine that no rule holds back.
fn calm() -> State {
    State {
        network: Some(Link::Ethernet),
        free_cpu_permille: Some(990),
        battery_permille: Some(900),
        temperature_decicelsius: Some(400),
        input_idle_s: Some(3_600),
        ..State::default()
    }
}

fn reasons(rules: &Availability, state: &State) -> Vec<Withheld> {
    let verdict = rules.judge(clock(Weekday::Monday, 12), state, &DataUsed::default());
    verdict.reasons().to_vec()
}

#[test]
fn the_template_and_an_empty_table_hold_the_defaults() {
    let defaults = Availability::default();
    assert_eq!(parse(""), defaults);
    let file: File = toml::from_str(TEMPLATE).unwrap();
    assert_eq!(file.availability, defaults);
    let file: File = toml::from_str("").unwrap();
    assert_eq!(file.availability, defaults);
    assert_eq!(defaults.temperature_decicelsius_max, 900);
}

#[test]
fn every_key_of_the_template_can_be_set() {
    let text: String = TEMPLATE
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(entry) if entry.contains(" = ") => format!("{entry}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let file: File = toml::from_str(&text).unwrap();
    let rules = Availability {
        hours: Some(Hours::parse(&["mon-fri 18:00-08:00", "sat-sun"]).unwrap()),
        networks: Some(vec![Link::Ethernet, Link::Wireless]),
        line: Line::Fibre,
        data_bytes_per_month_max: Some(100_000_000_000),
        only_when_idle: Some(OnlyWhenIdle {
            input_idle_s_min: 600,
            others_permille_max: 250,
        }),
        ..Availability::default()
    };
    assert_eq!(file.availability, rules);
    assert_eq!(
        parse("temperature_c_max = 60").temperature_decicelsius_max,
        600
    );
    let idle = parse("only_when_idle = { minutes = 3 }").only_when_idle;
    assert_eq!(idle.unwrap().others_permille_max, 250);
}

#[test]
fn every_error_names_the_key_and_the_mend() {
    for (text, key, mend) in [
        ("hours = []", "`availability.hours`", "remove the key"),
        ("hours = [\"mon 9-5\"]", "9-5", "18:00-08:00"),
        ("hours = \"mon\"", "hours", "expected a sequence"),
        ("networks = []", "`availability.networks`", "remove the key"),
        ("networks = [\"pigeon\"]", "pigeon", "`ethernet`"),
        ("line = \"string\"", "string", "`fibre`"),
        ("data_mb_per_month = 0", "data_mb_per_month", "between 1"),
        ("data_mb_per_month = -1", "data_mb_per_month", "-1"),
        (
            "data_mb_per_month = 9223372036854775807",
            "data_mb_per_month",
            "between 1",
        ),
        (
            "cpu_percent = 0",
            "`availability.cpu_percent`",
            "between 1 and 100",
        ),
        (
            "memory_percent = 101",
            "`availability.memory_percent`",
            "100",
        ),
        ("battery_percent_min = 256", "battery_percent_min", "100"),
        ("temperature_c_max = nan", "temperature_c_max", "20 and 110"),
        ("temperature_c_max = inf", "temperature_c_max", "20 and 110"),
        ("temperature_c_max = 120", "temperature_c_max", "20 and 110"),
        (
            "only_when_idle = { minutes = 0 }",
            "only_when_idle.minutes",
            "1 and 1440",
        ),
        ("only_when_idle = { hours = 1 }", "hours", "minutes"),
        ("only_when_idle = true", "only_when_idle", "true"),
        ("colour = 1", "colour", "hours"),
    ] {
        let told = refusal(text);
        assert!(told.contains(key) && told.contains(mend), "{text}\n{told}");
    }
}

#[test]
fn without_rules_any_machine_may_be_used() {
    let rules = Availability::default();
    assert_eq!(reasons(&rules, &State::default()), []);
    assert_eq!(reasons(&rules, &calm()), []);
}

#[test]
fn every_reason_that_applies_is_told_with_its_setting() {
    let rules = parse(
        "hours = [\"mon-fri 18:00-08:00\"]\nnetworks = [\"ethernet\"]\ndata_mb_per_month = 5\n\
         only_when_idle = { minutes = 10, load_percent_max = 20 }\n",
    );
    let state = State {
        network: Some(Link::Mobile),
        free_cpu_permille: Some(799),
        battery_permille: Some(99),
        temperature_decicelsius: Some(905),
        input_idle_s: Some(599),
        ..State::default()
    };
    let (year, month) = NOVEMBER;
    let mut used = DataUsed::default();
    used.add(Month::new(year, month), 5_000_000);
    let verdict = rules.judge(clock(Weekday::Friday, 17), &state, &used);
    assert!(!verdict.is_available());
    let told: Vec<String> = verdict.reasons().iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "outside `availability.hours`, which begin again on Friday at 18:00",
            "the network is mobile, and `availability.networks` does not allow that",
            "5 MB moved in 2026-11, of the 5 of `availability.data_mb_per_month`",
            "the battery is at 9.9 %, below the 10 of `availability.battery_percent_min`, and the machine \
             is not known to be plugged in",
            "the cores have 90.5 °C; above the 90.0 of `availability.temperature_c_max` the \
             machine is not used until they have 85.0",
            "somebody used the machine 599 seconds ago, and `availability.only_when_idle` wants 10 \
             minutes without input",
            "other programs take 20.1 % of the processor, and `availability.only_when_idle` allows \
             20 %",
        ]
    );
    assert_eq!(verdict.to_string(), told.join("; "));

    let night = clock(Weekday::Friday, 18);
    assert_eq!(
        rules.judge(night, &calm(), &DataUsed::default()),
        Verdict::Available
    );
}

#[test]
fn a_low_battery_holds_the_machine_back_unless_it_is_plugged_in() {
    let rules = parse("battery_percent_min = 80");
    for (permille, charging, is_held) in [
        (799, Some(false), true),
        (799, None, true),
        (799, Some(true), false),
        (0, Some(true), false),
        (800, Some(false), false),
    ] {
        let state = State {
            battery_permille: Some(permille),
            charging,
            ..calm()
        };
        let (permille_min, held) = (800, reasons(&rules, &state));
        let low = Withheld::BatteryLow {
            permille,
            permille_min,
        };
        let expected = if is_held { vec![low] } else { vec![] };
        assert_eq!(held, expected, "{permille} {charging:?}");
    }
}

#[test]
fn limits_themselves_are_within_what_is_allowed() {
    let rules = parse("only_when_idle = { minutes = 10, load_percent_max = 20 }");
    let state = State {
        free_cpu_permille: Some(800),
        battery_permille: Some(100),
        temperature_decicelsius: Some(900),
        input_idle_s: Some(600),
        ..State::default()
    };
    assert_eq!(reasons(&rules, &state), []);
}

#[test]
fn a_machine_that_was_too_hot_must_cool_down_before_it_is_used_again() {
    let rules = Availability::default();
    let judge = |last: &Verdict, decicelsius| {
        let state = State {
            temperature_decicelsius: decicelsius,
            ..calm()
        };
        let noon = clock(Weekday::Monday, 12);
        rules.judge_after(last, noon, &state, &DataUsed::default())
    };
    let busy = judge(&Verdict::Available, Some(900));
    assert!(busy.is_available());
    let hot = judge(&busy, Some(901));
    let cooling = judge(&hot, Some(851));
    assert!(!hot.is_available() && cooling.is_like(&hot) && cooling != hot);
    let cool = judge(&cooling, Some(850));
    assert!(cool.is_available());
    assert!(judge(&cool, Some(900)).is_available());
    // A sensor that has nothing to say holds nothing back.
    assert!(judge(&hot, None).is_available());
}

#[test]
fn verdicts_are_alike_if_the_rules_are_the_same() {
    let in_use = |idle_s| Withheld::InUse {
        idle_s,
        idle_s_min: 600,
    };
    let busy = Withheld::Busy {
        permille: None,
        permille_max: 250,
    };
    let one = Verdict::Withheld(vec![in_use(Some(1))]);
    assert!(one.is_like(&Verdict::Withheld(vec![in_use(None)])));
    assert!(!one.is_like(&Verdict::Withheld(vec![busy])));
    assert!(!one.is_like(&Verdict::Withheld(vec![in_use(Some(1)), busy])));
    assert!(!one.is_like(&Verdict::Available));
}

#[test]
fn a_rule_that_cannot_be_checked_holds_the_machine_back() {
    let rules = parse("networks = [\"ethernet\"]\nonly_when_idle = {}");
    let told: Vec<String> = reasons(&rules, &State::default())
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(told.len(), 3);
    assert!(
        told.iter().all(|told| told.contains("is not known")),
        "{told:?}"
    );
}

#[test]
fn a_cable_that_leads_to_a_telephone_network_is_mobile() {
    let rules = parse("networks = [\"ethernet\"]\nline = \"mobile\"");
    let found = Some(Link::Mobile);
    assert_eq!(
        reasons(&rules, &calm()),
        [Withheld::NetworkNotAllowed { found }]
    );

    let fibre = parse("line = \"fibre\"");
    assert_eq!(fibre.network(Some(Link::Wireless)), Line::Fibre);
    assert_eq!(fibre.network(Some(Link::Mobile)), Line::Mobile);
    assert_eq!(fibre.network(None), Line::Fibre);
    let untold = Availability::default().network(Some(Link::Ethernet));
    assert_eq!(untold, Line::Unknown);
}

#[test]
fn a_share_of_all_threads_is_a_part_of_one_or_all_of_it() {
    let quarter = parse("cpu_percent = 25");
    let parts = [1, 2, 3, 4, u32::MAX].map(|threads| quarter.thread_percent(Some(threads)));
    assert_eq!(parts, [25, 50, 75, 100, 100]);
    // What is not known is taken as the least there can be.
    let unknown = [None, Some(0)].map(|threads| quarter.thread_percent(threads));
    assert_eq!(unknown, [25, 25]);
    assert_eq!(parse("cpu_percent = 1").thread_percent(Some(1)), 1);
    assert_eq!(Availability::default().thread_percent(None), 100);
}

#[test]
fn a_share_of_the_memory_is_rounded_down() {
    let rules = parse("memory_percent = 25");
    assert_eq!(rules.memory_max(4_097), 1_024);
    assert_eq!(Availability::default().memory_max(u64::MAX), u64::MAX);
}

#[test]
fn a_month_begins_with_nothing_used() {
    let (november, december) = (Month::new(2026, 11), Month::new(2026, 12));
    let mut used = DataUsed::default();
    used.add(november, 10);
    used.add(november, 5);
    assert_eq!((used.in_month(november), used.in_month(december)), (15, 0));
    used.add(december, u64::MAX);
    used.add(december, 1);
    assert_eq!(used.in_month(december), u64::MAX);
}

#[test]
fn only_the_month_counted_in_longest_ago_is_forgotten() {
    let mut used = DataUsed::default();
    for month in [1, 2, 3, 4, 5, 6, 1, 7] {
        used.add(Month::new(2026, month), 1);
    }
    let counts = [1, 2, 3, 4, 5, 6, 7].map(|month| used.in_month(Month::new(2026, month)));
    assert_eq!(counts, [2, 0, 1, 1, 1, 1, 1]);
}

#[test]
fn a_clock_that_jumps_loses_no_count_and_locks_nobody_out() {
    let rules = parse("data_mb_per_month = 1");
    let at = |year, month| {
        WallClock::new(
            Month::new(year, month),
            WeekMinute::at(Weekday::Monday, 0, 0),
        )
    };
    let mut used = DataUsed::default();
    let now = at(2026, 11);
    used.add(now.month(), 900_000);
    for wrong in [at(1970, 1), at(2099, 12), at(-5, 0), at(i32::MAX, 255)] {
        used.add(wrong.month(), 5_000_000);
        assert!(!rules.judge(wrong, &calm(), &used).is_available());
        assert!(rules.judge(now, &calm(), &used).is_available());
    }
    used.add(now.month(), 100_000);
    assert!(!rules.judge(now, &calm(), &used).is_available());
    assert!(rules.judge(at(2026, 12), &calm(), &used).is_available());
}

/// A zone with its rules, so that no list of zones need be installed.
const CENTRAL_EUROPE: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

#[test]
fn summer_time_neither_skips_nor_stops_the_hours() {
    let zone = jiff::tz::TimeZone::posix(CENTRAL_EUROPE).unwrap();
    let hours = Hours::parse(&["sun 02:00-03:00"]).unwrap();
    let minutes_open = |from_unix_s: u64| {
        (0..6 * 60)
            .map(|minute| UNIX_EPOCH + Duration::from_secs(from_unix_s + minute * 60))
            .filter(|at| {
                let clock = local_time::wall_clock(*at, zone.clone());
                hours.are_open(clock.week_minute())
            })
            .count()
    };
    // Sundays of 2026 at 22:00 UTC of the day before: 29 March has no such hour, 25 October two.
    let hour = 3_600;
    let spring = 1_774_742_400 - 2 * hour;
    let autumn = 1_792_886_400 - 2 * hour;
    assert_eq!(minutes_open(spring), 0);
    assert_eq!(minutes_open(spring + 7 * 24 * hour), 60);
    assert_eq!(minutes_open(autumn), 120);
}

#[test]
fn the_wall_shows_weekday_and_month_of_its_own_zone() {
    let at = |unix_s: i64, zone: &str| {
        let zone = jiff::tz::TimeZone::posix(zone).unwrap();
        let distance = Duration::from_secs(unix_s.unsigned_abs());
        let now = if unix_s < 0 {
            UNIX_EPOCH - distance
        } else {
            UNIX_EPOCH + distance
        };
        let clock = local_time::wall_clock(now, zone);
        format!("{} {}", clock.month(), clock.week_minute())
    };
    // 2026-11-30 23:30 UTC, a Monday.
    assert_eq!(at(1_796_081_400, "UTC0"), "2026-11 Monday at 23:30");
    assert_eq!(
        at(1_796_081_400, CENTRAL_EUROPE),
        "2026-12 Tuesday at 00:30"
    );
    assert_eq!(at(0, "EST5"), "1969-12 Wednesday at 19:00");
    // Beyond all calendars.
    assert!(at(i64::MAX, "UTC0").starts_with("9999-12"));
    assert!(at(-(1 << 45), "UTC0").starts_with("0000-"));
    let _ = (now(), time_zone());
}

#[test]
fn the_count_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data-used");
    let file = DataUsedFile::new(path.clone());
    assert_eq!(file.load().unwrap(), DataUsed::default());
    let mut used = DataUsed::default();
    for (month, bytes) in [(12, 7), (11, u64::MAX), (12, 1)] {
        used.add(Month::new(2026, month), bytes);
    }
    file.keep(&used).unwrap();
    assert_eq!(file.load().unwrap(), used);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    file.keep(&DataUsed::default()).unwrap();
    assert_eq!(file.load().unwrap(), DataUsed::default());
}

#[test]
fn a_damaged_count_is_told_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data-used");
    let file = DataUsedFile::new(path.clone());
    for text in [
        "2026-13 = 1\n".to_owned(),
        "2026-11 = -1\n".to_owned(),
        "2026-11: 1\n".to_owned(),
        "+026-11 = 1\n".to_owned(),
        "x".repeat(100_000),
    ] {
        fs::write(&path, &text).unwrap();
        let told = file.load().unwrap_err();
        assert!(matches!(told, DataUsedError::Damaged { .. }), "{told}");
        assert!(told.to_string().contains("data-used"));
    }
    fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(matches!(file.load(), Err(DataUsedError::Damaged { .. })));
    let nowhere = DataUsedFile::new(folder.path().join("no/such/folder"));
    let told = nowhere.keep(&DataUsed::default()).unwrap_err();
    assert!(matches!(told, DataUsedError::Write { .. }));
}

fn any_state() -> impl Strategy<Value = State> {
    let link = prop_oneof![
        Just(Link::Ethernet),
        Just(Link::Wireless),
        Just(Link::Mobile)
    ];
    (
        proptest::option::of(link),
        any::<Option<u16>>(),
        any::<Option<u16>>(),
        any::<Option<i16>>(),
        any::<Option<u64>>(),
    )
        .prop_map(|(network, cpu, battery, heat, idle)| State {
            network,
            free_cpu_permille: cpu,
            battery_permille: battery,
            temperature_decicelsius: heat,
            input_idle_s: idle,
            ..State::default()
        })
}

proptest! {
    #[test]
    fn any_clock_and_state_is_judged_in_words(
        state in any_state(),
        (year, month, day, hour, minute) in any::<(i32, u8, u8, u8, u8)>(),
        counted in proptest::collection::vec((any::<i32>(), any::<u8>(), any::<u64>()), 0..10),
    ) {
        let rules = parse(
            "hours = [\"fri 23:00-01:00\"]\nnetworks = [\"wireless\"]\ndata_mb_per_month = 1\n\
             only_when_idle = {}",
        );
        let mut used = DataUsed::default();
        for (year, month, bytes) in counted {
            used.add(Month::new(year, month), bytes);
        }
        let at = WeekMinute::at(Weekday::ALL[usize::from(day % 7)], hour, minute);
        let clock = WallClock::new(Month::new(year, month), at);
        let verdict = rules.judge(clock, &state, &used);
        prop_assert_eq!(verdict.is_available(), verdict.reasons().is_empty());
        for reason in verdict.reasons() {
            prop_assert!(reason.to_string().contains("`availability."));
        }
    }

    #[test]
    fn months_are_read_as_they_are_written(year in 0_i32..10_000, month in 1_u8..13) {
        let month = Month::new(year, month);
        prop_assert_eq!(month.to_string().parse(), Ok(month));
    }
}
