//! How it stands with a peer of a swarm.

use super::TaskPlace;
use crate::{
    context::Context,
    output::{Output, fields},
    units::{counted, grouped},
};
use quern_swarm::{Status, status::look};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What is told of a peer.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    /// The swarm's folder.
    folder: PathBuf,
    #[serde(flatten)]
    status: Status,
}

pub(super) fn run(context: &Context, place: &TaskPlace) -> anyhow::Result<()> {
    let (task, folder) = place.read(context)?;
    let status = look(&folder, &task)?;
    context.show(&Told { folder, status })
}

impl Told {
    pub(super) fn new(folder: &Path, status: Status) -> Self {
        let folder = folder.to_owned();
        Self { folder, status }
    }
}

impl Output for Told {
    fn people(&self) -> String {
        let status = &self.status;
        let pieces = format!("{} of {}", grouped(status.stored), grouped(status.pieces));
        let mut pairs = vec![
            ("swarm", status.swarm.to_string()),
            ("folder", self.folder.display().to_string()),
            ("pieces here", pieces),
        ];
        let mut running = vec![
            format!("connected with {}", counted(status.neighbours, "peer")),
            format!("computed {}", counted(status.computed, "piece")),
        ];
        if status.checked > 0 {
            running.push(format!("checked {}", counted(status.checked, "piece")));
        }
        if status.damaged > 0 {
            running.push(format!("found {} damaged", grouped(status.damaged)));
        }
        if status.dropped > 0 {
            running.push(format!("disconnected {}", counted(status.dropped, "peer")));
        }
        pairs.push((
            "peer",
            match status.is_running {
                true => running.join(", "),
                false => "does not run; `quern swarm join` goes on".to_owned(),
            },
        ));
        for address in &status.addresses {
            pairs.push(("reached at", address.clone()));
        }
        if let Some(trouble) = &status.trouble {
            pairs.push(("trouble", trouble.clone()));
        }
        let output = match &status.output {
            Some(output) => output.display().to_string(),
            None => "not put together yet".to_owned(),
        };
        pairs.push(("output", output));
        fields(&pairs)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn told(is_running: bool) -> Told {
        let status = serde_json::from_value(serde_json::json!({
            "swarm": format!("0x{}", "07".repeat(32)),
            "is_running": is_running, "addresses": ["/ip4/192.0.2.1/tcp/1/p2p/12D3KooW"],
            "pieces": 1_200, "stored": 1_100, "computed": 30, "checked": 2, "computing": [],
            "damaged": 1, "neighbours": 1, "dropped": 0, "trouble": "piece 7: the module trapped",
            "output": null,
        }));
        Told::new(Path::new("/swarms/one"), status.unwrap())
    }

    #[test]
    fn people_are_told_how_far_it_is_and_what_went_wrong() {
        let text = told(true).people();
        for words in [
            "1,100 of 1,200",
            "1 peer",
            "30 pieces",
            "2 pieces",
            "1 damaged",
            "trapped",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert!(told(false).people().contains("does not run"));
    }
}
