//! Devices of an account, and one of them: what the chain keeps, and what the scheduler makes of it.

use super::seen::{Seen, Sight};
use crate::{
    grid::words,
    output::{Output, fields, table},
};
use quern_primitives::view::DeviceView;
use serde::Serialize;

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
        let in_words = |kind: String| kind.to_lowercase();
        let mut parts = vec![fields(&[
            ("device", self.view.id.to_string()),
            ("account", device.account.to_string()),
            ("may work", yes_or_no(self.view.may_work())),
            ("verified", yes_or_no(self.view.verified)),
            ("stands in", in_words(format!("{:?}", device.region))),
            ("kind", in_words(format!("{:?}", device.hardware))),
            (
                "record",
                format!(
                    "{} accepted, {} incorrect, {} failed, {} delayed",
                    record.accepted, record.incorrect, record.failed, record.delayed
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
    pub(super) fn new(views: Vec<DeviceView>, mut sight: Sight, all: bool) -> Self {
        let silence = sight.silence();
        let known = views.into_iter().map(|view| Known::of(view, &mut sight));
        Self {
            devices: known.collect(),
            silence,
            all,
        }
    }

    /// Two lines for each device, as its name takes up most of one.
    fn rows(&self) -> String {
        let of_grid = |known: &Known, say: fn(&Seen) -> String| match &known.grid {
            Some(seen) => say(seen),
            None => words::UNKNOWN.into(),
        };
        let row = |known: &Known| {
            let record = &known.view.device.record;
            vec![
                if known.view.may_work() { "yes" } else { "no" }.to_owned(),
                record.accepted.to_string(),
                record.incorrect.to_string(),
                record.failed.to_string(),
                record.delayed.to_string(),
                of_grid(known, |seen| words::rank(&seen.state)),
                of_grid(known, |seen| words::points(seen.state.score)),
                of_grid(known, |seen| words::percent(seen.state.fault_rate)),
                of_grid(known, |seen| words::pool(&seen.state)),
                of_grid(known, |seen| seen.connected_to.to_string()),
            ]
        };
        let rows: Vec<_> = self.devices.iter().map(row).collect();
        let head = [
            "may work",
            "accepted",
            "incorrect",
            "failed",
            "delayed",
            "rank",
            "score",
            "faults",
            "pool",
            "masternodes",
        ];
        let text = table(&head, &rows);
        let mut rows = text.lines();
        let mut lines = vec![format!("device\n  {}", rows.next().unwrap_or_default())];
        for (row, known) in rows.zip(&self.devices) {
            lines.push(known.view.id.to_string());
            lines.push(format!("  {row}"));
            lines.extend(known.flag_lines());
        }
        lines.join("\n")
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
            return "no devices; `quern device register` registers this machine's".into();
        }
        let mut parts = match self.all {
            false => vec![self.rows()],
            true => self.devices.iter().map(Known::people).collect(),
        };
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
    use quern_primitives::{
        AccountId, DeviceId, SealingKey,
        device::{Device, Hardware, History, Record, Region},
    };

    fn view(number: u8) -> DeviceView {
        DeviceView {
            id: DeviceId([number; 32]),
            device: Device {
                account: AccountId::new([3; 32]),
                sealing_key: SealingKey([4; 32]),
                region: Region::Europe,
                hardware: Hardware::Desktop,
                record: Record {
                    accepted: 1_234_567,
                    ..Record::default()
                },
                history: History::default(),
                last_task: 0,
                last_review: 0,
            },
            bonded: true,
            banned: false,
            verified: false,
            quarantined: false,
        }
    }

    #[test]
    fn a_list_has_chain_and_scheduler_side_by_side_in_a_hundred_columns() {
        let mut unbonded = view(0xcd);
        (unbonded.bonded, unbonded.quarantined) = (false, true);
        let list = Listed::new(vec![view(0xab), unbonded], known_sight(), false);
        let text = list.people();
        let lines: Vec<_> = text.lines().collect();
        let words = |line: usize| lines[line].split_whitespace().collect::<Vec<_>>();
        assert_eq!(lines[2], DeviceId([0xab; 32]).to_string());
        assert_eq!(
            words(3),
            [
                "yes", "1234567", "0", "0", "0", "3/12", "1532.4", "1.7", "%", "1/2", "1"
            ]
        );
        assert_eq!(
            words(5),
            ["no", "1234567", "0", "0", "0", "-", "-", "-", "-", "-"]
        );
        assert!(lines[6].contains("! the account's bond"), "{text}");
        assert!(lines[7].contains("quern device review"), "{text}");
        assert!(
            lines.iter().all(|line| line.chars().count() <= 100),
            "{text}"
        );
        let json = serde_json::to_value(&list).unwrap();
        assert_eq!(json[0]["device"]["record"]["accepted"], 1_234_567);
        assert_eq!(json[0]["grid"]["byte_rank"], 3);
        assert_eq!(json[0]["grid"]["connected_to"], 1);
        assert_eq!(json[1]["grid"], serde_json::Value::Null);
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
        let list = Listed::new(vec![view(0xab)], known_sight(), true);
        assert_eq!(list.people(), text);
    }

    #[test]
    fn without_a_masternode_there_is_the_chain_s_part_and_a_note() {
        let silent = Sight {
            silent: vec!["ws://away".into()],
            ..Sight::default()
        };
        let text = Listed::new(vec![view(1)], silent, false).people();
        assert!(
            text.contains("1234567") && text.ends_with("(ws://away)"),
            "{text}"
        );
        let none = Listed::new(vec![], Sight::default(), false).people();
        assert!(none.contains("quern device register"), "{none}");
    }
}
