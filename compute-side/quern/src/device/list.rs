//! Devices of an account, and one of them: what the chain keeps, and what the scheduler makes of it.

use super::seen::{Seen, Sight};
use crate::{
    grid::words,
    output::{Output, fields, table},
};
use quern_jobs_api::ScoreParts;
use quern_primitives::{
    device::{Class, Hardware, Record, Region},
    view::DeviceView,
};
use serde::Serialize;

/// What a list of devices tells of each: where it stands in the ranking and by what score, the score's six
/// parts, its faults and its pool, in which classes it computes, whether the chain lets it work, its record
/// there, and to how many masternodes it is connected.
const HEAD: [&str; 17] = [
    ">rank",
    ">score",
    ">cpu",
    ">line",
    ">speed",
    ">steady",
    ">ram",
    ">idle",
    ">faults",
    "pool",
    "class",
    "works",
    ">accepted",
    ">wrong",
    ">failed",
    ">late",
    ">at",
];

/// How far a row stands below the name of its device.
const INDENT: usize = 2;

/// A device as the chain has it, and as a masternode sees it if one knows it.
#[derive(Debug, Serialize)]
struct Known {
    #[serde(flatten)]
    view: DeviceView,
    grid: Option<Seen>,
}

/// Devices of an account.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Listed {
    devices: Vec<Known>,
    #[serde(skip)]
    silence: Option<String>,
    #[serde(skip)]
    all: bool,
    /// Columns that a line may have; none if it may have any number.
    #[serde(skip)]
    columns: Option<usize>,
}

/// One device.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Shown {
    device: Known,
    #[serde(skip)]
    silence: Option<String>,
}

impl Known {
    fn of(view: DeviceView, sight: &mut Sight) -> Self {
        let grid = sight.devices.remove(&view.id);
        Self { view, grid }
    }

    /// Whether the chain lets it work, and what is against it there and at the scheduler.
    fn flag_lines(&self) -> Vec<String> {
        let against = against(&self.view).map(|why| format!("  ! {why}"));
        let mut lines: Vec<String> = against.collect();
        if let Some(seen) = &self.grid {
            lines.extend(words::flag_lines(&seen.state));
        }
        lines
    }

    /// All that is known, in lines.
    fn people(&self) -> String {
        let device = &self.view.device;
        let record = &device.record;
        let yes_or_no = |yes| if yes { "yes" } else { "no" }.to_owned();
        let mut parts = vec![fields(&[
            ("device", self.view.id.to_string()),
            ("account", device.account.to_string()),
            ("may work", yes_or_no(self.view.may_work())),
            ("verified", yes_or_no(self.view.verified)),
            ("stands in", region(device.region).to_owned()),
            ("kind", kind(device.hardware).to_owned()),
            (
                "record",
                format!(
                    "{}, {} incorrect, {} failed, {} delayed",
                    accepted(record),
                    record.incorrect,
                    record.failed,
                    record.delayed
                ),
            ),
        ])];
        let flags = self.flag_lines();
        if !flags.is_empty() {
            parts.push(flags.join("\n"));
        }
        if let Some(seen) = &self.grid {
            let others = match seen.connected_to {
                0 | 1 => String::new(),
                several => format!(", one of {several} that it is connected to"),
            };
            parts.push(format!(
                "at the masternode {}{others}\n{}",
                seen.masternode,
                words::device(&seen.state)
            ));
        }
        parts.join("\n\n")
    }
}

impl Listed {
    /// A list for lines of so many columns, or of any length.
    pub(super) fn new(
        views: Vec<DeviceView>,
        mut sight: Sight,
        all: bool,
        columns: Option<usize>,
    ) -> Self {
        let silence = sight.silence();
        let known = views.into_iter().map(|view| Known::of(view, &mut sight));
        Self {
            devices: known.collect(),
            silence,
            all,
            columns,
        }
    }

    /// A row for each device; none if a row would be longer than a line may be.
    fn rows(&self) -> Option<String> {
        let rows: Vec<_> = self.devices.iter().map(row).collect();
        let text = table(&HEAD, &rows);
        let widest = text.lines().map(|line| line.chars().count()).max();
        let is_too_wide = |columns| widest.unwrap_or(0).saturating_add(INDENT) > columns;
        if self.columns.is_some_and(is_too_wide) {
            return None;
        }
        let mut rows = text.lines();
        let head = rows.next().unwrap_or_default();
        let mut lines = vec![format!("device\n{:INDENT$}{head}", "")];
        // Its name takes up most of a line, so each device has two.
        for (row, known) in rows.zip(&self.devices) {
            lines.push(known.view.id.to_string());
            lines.push(format!("{:INDENT$}{row}", ""));
            lines.extend(known.flag_lines());
        }
        Some(lines.join("\n"))
    }
}

/// A device in the columns of [`HEAD`].
fn row(known: &Known) -> Vec<String> {
    let record = &known.view.device.record;
    let of_grid = |say: fn(&Seen) -> String| match &known.grid {
        Some(seen) => say(seen),
        None => words::UNKNOWN.into(),
    };
    let whole = |points: f64| format!("{points:.0}");
    let part = |part: fn(&ScoreParts) -> f64| match &known.grid {
        Some(seen) => whole(part(&seen.state.parts)),
        None => words::UNKNOWN.into(),
    };
    vec![
        of_grid(|seen| words::rank(&seen.state)),
        of_grid(|seen| words::points(seen.state.score)),
        part(|parts| parts.processor),
        part(|parts| parts.network_category),
        part(|parts| parts.network_speed),
        part(|parts| parts.network_stability),
        part(|parts| parts.free_ram),
        part(|parts| parts.free_cpu),
        of_grid(|seen| words::percent(seen.state.fault_rate)),
        of_grid(|seen| words::pool(&seen.state)),
        of_grid(|seen| words::classes(&seen.state).to_owned()),
        if known.view.may_work() { "yes" } else { "no" }.to_owned(),
        record.accepted.to_string(),
        record.incorrect.to_string(),
        record.failed.to_string(),
        record.delayed.to_string(),
        of_grid(|seen| seen.connected_to.to_string()),
    ]
}

/// How many answers were accepted, and of which class the jobs were.
fn accepted(record: &Record) -> String {
    let of = |class| record.accepted_in(class);
    match (of(Class::Pinned), of(Class::Portable)) {
        (0, 0) => "0 accepted".to_owned(),
        (pinned, 0) => format!("{pinned} accepted (pinned)"),
        (0, portable) => format!("{portable} accepted (portable)"),
        (pinned, portable) => {
            let all = record.accepted;
            format!("{all} accepted ({pinned} pinned, {portable} portable)")
        }
    }
}

/// Where a machine stands, in words.
fn region(region: Region) -> &'static str {
    match region {
        Region::Unknown => "not told",
        Region::Americas => "the Americas",
        Region::Europe => "Europe",
        Region::AsiaPacific => "Asia and Pacific",
    }
}

/// What kind of machine it is, in words.
fn kind(hardware: Hardware) -> &'static str {
    match hardware {
        Hardware::Unknown => "not told",
        Hardware::Mobile => "mobile",
        Hardware::Laptop => "laptop",
        Hardware::Desktop => "desktop",
        Hardware::Server => "server",
    }
}

impl Shown {
    pub(super) fn new(view: DeviceView, mut sight: Sight) -> Self {
        let silence = sight.silence();
        let device = Known::of(view, &mut sight);
        Self { device, silence }
    }
}

/// Why the chain does not let a device work.
fn against(view: &DeviceView) -> impl Iterator<Item = &'static str> {
    let reasons = [
        (view.banned, "it is banned"),
        (
            !view.bonded,
            "the account's bond does not cover its devices; `quern device bond AMOUNT` adds to it",
        ),
        (
            view.quarantined,
            "it is in quarantine for its faults; `quern device review` brings it out of it",
        ),
    ];
    reasons
        .into_iter()
        .filter_map(|(holds, why)| holds.then_some(why))
}

impl Output for Listed {
    fn people(&self) -> String {
        if self.devices.is_empty() {
            return "no devices of this account; `quern device register` registers this machine's, and `quern grid devices` \
                    lists those of all that are connected"
                .into();
        }
        let rows = match self.all {
            false => self.rows(),
            true => None,
        };
        let is_table = rows.is_some();
        // Where a row finds no room, all that is known of a device stands below its name.
        let mut parts = match rows {
            Some(rows) => vec![rows],
            None => self.devices.iter().map(Known::people).collect(),
        };
        if is_table {
            let seen = self.devices.iter().filter_map(|known| known.grid.as_ref());
            parts.extend(words::ranked_when(seen.map(|seen| &seen.state)));
        }
        parts.extend(self.silence.clone());
        parts.join("\n\n")
    }
}

impl Output for Shown {
    fn people(&self) -> String {
        let mut parts = vec![self.device.people()];
        parts.extend(self.silence.clone());
        parts.join("\n\n")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{super::seen::tests::known_sight, *};
    use quern_primitives::{AccountId, DeviceId, SealingKey, device::Device};

    fn view(number: u8) -> DeviceView {
        DeviceView {
            id: DeviceId([number; 32]),
            device: Device {
                record: Record {
                    accepted: 1_234_567,
                    ..Record::default()
                },
                ..Device::new(
                    AccountId::new([3; 32]),
                    SealingKey([4; 32]),
                    Region::Europe,
                    Hardware::Desktop,
                )
            },
            bonded: true,
            banned: false,
            verified: false,
            quarantined: false,
        }
    }

    /// A list of one device that is known well, and one that no masternode knows and that may not work.
    fn two(columns: Option<usize>) -> Listed {
        let mut unbonded = view(0xcd);
        (unbonded.bonded, unbonded.quarantined) = (false, true);
        Listed::new(vec![view(0xab), unbonded], known_sight(), false, columns)
    }

    #[test]
    fn a_list_has_rank_score_and_its_six_parts_faults_pool_and_record_in_120_columns() {
        let list = two(Some(120));
        let text = list.people();
        let lines: Vec<_> = text.lines().collect();
        let words = |line: usize| lines[line].split_whitespace().collect::<Vec<_>>();
        assert_eq!(
            words(1),
            [
                "rank", "score", "cpu", "line", "speed", "steady", "ram", "idle", "faults", "pool",
                "class", "works", "accepted", "wrong", "failed", "late", "at"
            ]
        );
        assert_eq!(lines[2], DeviceId([0xab; 32]).to_string());
        assert_eq!(
            words(3),
            [
                "3/12", "1532.4", "206", "300", "178", "100", "282", "200", "1.7", "%", "1/2",
                "pinned", "yes", "1234567", "0", "0", "0", "1"
            ]
        );
        assert_eq!(
            words(5),
            [
                "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "no", "1234567", "0", "0",
                "0", "-"
            ]
        );
        // Numbers stand right: those of a column end in the same place.
        let end = |line: usize, word: &str| lines[line].find(word).map(|at| at + word.len());
        assert_eq!(end(1, "accepted"), end(3, "1234567"), "{text}");
        assert!(lines[6].contains("! the account's bond"), "{text}");
        assert!(lines[7].contains("quern device review"), "{text}");
        assert!(
            lines.iter().all(|line| line.chars().count() <= 120),
            "{text}"
        );
        let last =
            "ranked 7 s ago, by the scores and faults of then; the scores above are those of now";
        assert!(text.ends_with(last), "{text}");
        let json = serde_json::to_value(&list).unwrap();
        assert_eq!(json[0]["grid"]["ranked_s_ago"], 7);
        assert_eq!(json[0]["device"]["record"]["accepted"], 1_234_567);
        assert_eq!(json[0]["grid"]["byte_rank"], 3);
        assert_eq!(json[0]["grid"]["connected_to"], 1);
        assert_eq!(json[0]["grid"]["classes"], serde_json::json!(["pinned"]));
        assert_eq!(json[1]["grid"], serde_json::Value::Null);
    }

    #[test]
    fn what_is_against_a_device_and_for_it_stands_below_its_row() {
        let (mut flagged, mut sight) = (view(0xab), known_sight());
        flagged.banned = true;
        let state = &mut sight.devices.get_mut(&flagged.id).unwrap().state;
        state.flags = vec!["it is too hot".into()];
        state.lifted = true;
        state.measured.owes_benchmark = true;
        let list = Listed::new(vec![flagged, view(0xcd)], sight, false, Some(120));
        let text = list.people();
        let lines: Vec<_> = text.lines().collect();
        let below = [
            "  ! it is banned",
            "  ! it is too hot",
            "  ! it owes a benchmark, and counts as slow until it answers one",
            "  + it won today's lottery and stands 100 places higher until tomorrow",
        ];
        assert_eq!(lines[4..8], below, "{text}");
        // The next device follows, of which nothing is said.
        assert_eq!(lines[8], DeviceId([0xcd; 32]).to_string());
        assert_eq!(lines.len(), 12, "{text}");
        // Where a row finds no room they stand below what the chain has.
        let all = Listed { all: true, ..list };
        assert!(all.people().contains(&below.join("\n")));
    }

    #[test]
    fn a_narrow_terminal_has_each_device_with_all_that_is_known_and_nothing_is_left_out() {
        let narrow = two(Some(80)).people();
        for words in ["1234567 accepted", "177.7 of 1000", "Europe", "desktop"] {
            assert!(narrow.contains(words), "{words}\n{narrow}");
        }
        let all = Listed {
            all: true,
            ..two(None)
        };
        assert_eq!(narrow, all.people());
        assert_eq!(two(None).people(), two(Some(120)).people());
    }

    #[test]
    fn all_that_is_known_of_a_device_is_shown_with_the_parts_of_its_score() {
        let text = Shown::new(view(0xab), known_sight()).people();
        for words in [
            "desktop",
            "at the masternode ws://here",
            "steadiness",
            "3/12",
        ] {
            assert!(text.contains(words), "{words}\n{text}");
        }
        let list = Listed::new(vec![view(0xab)], known_sight(), true, None);
        assert_eq!(list.people(), text);
    }

    #[test]
    fn accepted_answers_are_told_by_the_class_of_their_jobs() {
        let told = |accepted, accepted_portable| {
            super::accepted(&Record {
                accepted,
                accepted_portable,
                ..Record::default()
            })
        };
        assert_eq!(told(0, 0), "0 accepted");
        assert_eq!(told(7, 0), "7 accepted (pinned)");
        assert_eq!(told(7, 7), "7 accepted (portable)");
        assert_eq!(told(7, 3), "7 accepted (4 pinned, 3 portable)");
    }

    #[test]
    fn without_a_masternode_there_is_the_chain_s_part_and_a_note() {
        let silent = Sight {
            silent: vec!["ws://away".into()],
            ..Sight::default()
        };
        let text = Listed::new(vec![view(1)], silent, false, None).people();
        assert!(
            text.contains("1234567") && text.ends_with("(ws://away)"),
            "{text}"
        );
        let none = Listed::new(vec![], Sight::default(), false, None).people();
        assert!(none.contains("quern device register"), "{none}");
    }
}
