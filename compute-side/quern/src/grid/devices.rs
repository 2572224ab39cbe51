//! All devices that a masternode knows.

use super::words;
use crate::{
    context::Context,
    masternodes::MasternodeArgs,
    output::{Output, patiently, table},
    units::counted,
};
use clap::Args;
use quern_jobs_api::{DeviceState, JobsApiClient as _};
use quern_owner::{ApiFailure, Masternode};
use serde::Serialize;

/// Pages that a masternode is asked for: four million devices. One that never comes to an end is not
/// asked for ever.
const PAGES_MAX: u32 = 4_096;

#[derive(Args, Clone, Debug)]
pub(crate) struct DevicesArgs {
    #[command(flatten)]
    masternode: MasternodeArgs,
    /// List no more than this many
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1_000,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    most: u32,
    /// Tell all that is known of each: the parts of its score, what it says and what was measured
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Listed {
    devices: Vec<DeviceState>,
    #[serde(skip)]
    url: String,
    /// Whether there are more.
    #[serde(skip)]
    has_more: bool,
    #[serde(skip)]
    all: bool,
}

pub(super) async fn run(context: &Context, args: &DevicesArgs) -> anyhow::Result<()> {
    let asked = patiently("asking the masternode", async {
        let masternode = args.masternode.reach_one(context).await?;
        // One more than are listed tells whether there are more.
        let most = args.most.saturating_add(1);
        let mut devices = all_of(&masternode, most as usize, |_| true).await?;
        let has_more = devices.len() > args.most as usize;
        devices.truncate(args.most as usize);
        anyhow::Ok(Listed {
            devices,
            url: masternode.url().to_owned(),
            has_more,
            all: args.all,
        })
    });
    context.show(&asked.await?)
}

/// The devices of a masternode that are wanted, by rank, at most so many. It is asked page by page,
/// and no more than is needed.
pub(crate) async fn all_of(
    masternode: &Masternode,
    most: usize,
    is_wanted: impl Fn(&DeviceState) -> bool,
) -> Result<Vec<DeviceState>, ApiFailure> {
    let (mut devices, mut first) = (Vec::new(), 0u32);
    for _ in 0..PAGES_MAX {
        let page = masternode.client().grid_devices(first).await?;
        // One that tells no position that lies ahead has no more.
        let last = page.last().map(|device| device.position);
        let Some(last) = last.filter(|last| *last >= first) else {
            break;
        };
        first = last.saturating_add(1);
        devices.extend(page.into_iter().filter(&is_wanted));
        if devices.len() >= most {
            break;
        }
    }
    devices.truncate(most);
    Ok(devices)
}

/// Devices by rank, a line each, and below it what is against one.
pub(super) fn by_rank(devices: &[DeviceState]) -> String {
    let row = |device: &DeviceState| {
        vec![
            match device.byte_rank {
                0 => words::UNKNOWN.into(),
                rank => rank.to_string(),
            },
            words::points(device.score),
            words::percent(device.fault_rate),
            words::in_hand(device),
            device.device.to_string(),
        ]
    };
    let rows: Vec<_> = devices.iter().map(row).collect();
    let lines = table(&[">rank", ">score", ">faults", "hand", "device"], &rows);
    let mut lines = lines.lines();
    let mut all: Vec<String> = lines.next().map(str::to_owned).into_iter().collect();
    for (line, device) in lines.zip(devices) {
        all.push(line.to_owned());
        all.extend(words::flag_lines(device));
    }
    all.join("\n")
}

impl Output for Listed {
    fn people(&self) -> String {
        let url = &self.url;
        if self.devices.is_empty() {
            return format!("the masternode at {url} knows no device");
        }
        let mut parts: Vec<String> = match self.all {
            false => {
                let when = words::ranked_when(&self.devices);
                [Some(by_rank(&self.devices)), when]
                    .into_iter()
                    .flatten()
                    .collect()
            }
            true => self.devices.iter().map(whole).collect(),
        };
        let more = match self.has_more {
            true => "; there are more: list them with --most",
            false => "",
        };
        let count = counted(self.devices.len(), "device");
        parts.push(format!("{count} at {url}{more}"));
        parts.join("\n\n")
    }
}

/// A device with all that is known of it.
fn whole(device: &DeviceState) -> String {
    let mut lines = vec![format!("{} of {}", device.device, device.account)];
    lines.extend(words::flag_lines(device));
    lines.push(words::device(device));
    lines.join("\n")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::grid::words::tests::known_device;

    fn listed(devices: Vec<DeviceState>, all: bool) -> Listed {
        Listed {
            devices,
            url: "ws://here".into(),
            has_more: true,
            all,
        }
    }

    #[test]
    fn devices_are_listed_by_rank_with_what_is_against_them_in_a_hundred_columns() {
        let mut flagged = known_device();
        flagged.byte_rank = 0;
        flagged.flags = vec!["it is not connected".into()];
        let text = listed(vec![known_device(), flagged], false).people();
        let lines: Vec<_> = text.lines().collect();
        assert!(
            lines[0].starts_with("rank   score  faults  hand  device"),
            "{text}"
        );
        assert!(
            lines[1].starts_with("   3  1532.4   1.7 %  1/2   0xabab"),
            "{text}"
        );
        assert!(lines[2].starts_with("   -  1532.4"), "{text}");
        assert_eq!(lines[3], "  ! it is not connected");
        assert!(
            lines[5].starts_with("ranked 7 s ago, by the scores"),
            "{text}"
        );
        assert!(text.ends_with("2 devices at ws://here; there are more: list them with --most"));
        assert!(
            lines.iter().all(|line| line.chars().count() <= 100),
            "{text}"
        );
    }

    #[test]
    fn all_that_is_known_is_told_where_it_is_asked_for_and_json_is_a_list() {
        let text = listed(vec![known_device()], true).people();
        assert!(
            text.contains("free processor") && text.contains("Linux"),
            "{text}"
        );
        let json = serde_json::to_value(listed(vec![known_device()], false)).unwrap();
        assert_eq!(json[0]["byte_rank"], 3);
        assert_eq!(json.as_array().map(Vec::len), Some(1));
        let none = listed(vec![], false).people();
        assert!(none.contains("knows no device"), "{none}");
    }
}
