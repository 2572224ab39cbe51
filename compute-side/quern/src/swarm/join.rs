//! Being a peer of a swarm: computing and sharing, or sharing alone.

use super::{TaskPlace, status::Told};
use crate::{
    context::Context,
    output::{Output, confirm, count_bar, patiently, tell},
    units::Size,
};
use anyhow::Context as _;
use clap::Args;
use indicatif::ProgressBar;
use quern_cell::probe;
use quern_network::{Multiaddr, device_of_name};
use quern_primitives::{DeviceId, Digest};
use quern_swarm::{
    Begin, Computing, Consent, Peer, PeerConfig, Status, consent, inputs,
    run::{Helper, PrepareError},
};
use quern_swarm_file::{PeerAddress, ValidatedTaskFile};
use serde::Serialize;
use std::{
    collections::BTreeSet,
    io::{self, IsTerminal as _},
    num::NonZeroU8,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{oneshot, watch},
};

/// How `quern` is started as a part of a cell; see `main`.
pub(crate) const CELL: &str = "swarm-cell";

/// Where a peer listens unless it is said: at any port that is free.
const LISTEN_DEFAULT: [&str; 2] = ["/ip4/0.0.0.0/udp/0/quic-v1", "/ip4/0.0.0.0/tcp/0"];

/// How often it is looked whether a file is there that lets a peer begin.
const LOOK_EVERY: Duration = Duration::from_millis(5);

#[derive(Args, Clone, Debug)]
pub(crate) struct JoinArgs {
    #[command(flatten)]
    place: TaskPlace,
    #[command(flatten)]
    links: LinkArgs,
    /// Pieces that are computed at a time
    #[arg(long, value_name = "N", default_value_t = NonZeroU8::MIN)]
    slots: NonZeroU8,
    /// Run the task's command without a question: the SHA-256 of the task file that you have read
    #[arg(long, value_name = "SHA256")]
    run_commands: Option<Digest>,
    /// End when the output is there, instead of sharing on
    #[arg(long)]
    leave: bool,
    /// Compute nothing before this file is there
    #[arg(long, value_name = "FILE", hide = true)]
    begin_with: Option<PathBuf>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct SeedArgs {
    #[command(flatten)]
    place: TaskPlace,
    #[command(flatten)]
    links: LinkArgs,
}

/// Who is connected with.
#[derive(Args, Clone, Debug)]
struct LinkArgs {
    /// The address of a peer, which ends with /p2p/ and its name; may be given several times
    #[arg(long = "peer", value_name = "ADDRESS")]
    peers: Vec<PeerAddress>,
    /// Where to listen, such as /ip4/0.0.0.0/udp/4500/quic-v1; may be given several times [default: any
    /// free port]
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<Multiaddr>,
    /// A peer whose pieces are taken without checking, since it is yours: its name, or an address that ends
    /// with it; may be given several times
    #[arg(long = "trust", value_name = "PEER")]
    trusted: Vec<PeerName>,
}

/// A peer's name, alone or at the end of its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PeerName(DeviceId);

/// A text names no peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no peer's name, which begins with 12D3KooW and is shown by `quern swarm status`")]
struct NoPeerName;

impl FromStr for PeerName {
    type Err = NoPeerName;

    fn from_str(text: &str) -> Result<Self, NoPeerName> {
        let name = text.rsplit('/').next().unwrap_or(text);
        device_of_name(name).map(Self).ok_or(NoPeerName)
    }
}

/// What is told of a peer that runs.
#[derive(Debug, Serialize)]
struct Update<'a> {
    folder: &'a Path,
    #[serde(flatten)]
    status: &'a Status,
}

impl Output for Update<'_> {
    fn people(&self) -> String {
        Told::new(self.folder, self.status.clone()).people()
    }
}

/// Computes and shares.
pub(super) async fn join(context: &Context, args: &JoinArgs) -> anyhow::Result<()> {
    let (task, folder) = args.place.read(context)?;
    let helper = Helper {
        program: std::env::current_exe().context("cannot find this program's own file")?,
        arguments: vec![CELL.into()],
    };
    let consent = agreed(context, &task, &folder, args, &helper)?;
    let begin = match &args.begin_with {
        Some(path) => Begin::When(told_by(path.clone())),
        None => Begin::WhenHeard,
    };
    let config = PeerConfig {
        computing: Some(Computing {
            slots: args.slots,
            consent,
            helper: Some(helper),
        }),
        begin,
        ..config(&args.place, &args.links, task, folder)?
    };
    run(context, config, args.leave).await
}

/// Shares alone.
pub(super) async fn seed(context: &Context, args: &SeedArgs) -> anyhow::Result<()> {
    let (task, folder) = args.place.read(context)?;
    let config = config(&args.place, &args.links, task, folder)?;
    run(context, config, false).await
}

fn config(
    place: &TaskPlace,
    links: &LinkArgs,
    task: ValidatedTaskFile,
    folder: PathBuf,
) -> anyhow::Result<PeerConfig> {
    let listen = match links.listen.is_empty() {
        true => LISTEN_DEFAULT.iter().map(|it| it.parse()).collect(),
        false => Ok(links.listen.clone()),
    };
    let trusted: BTreeSet<DeviceId> = links.trusted.iter().map(|it| it.0).collect();
    Ok(PeerConfig {
        task: Arc::new(task),
        folder,
        beside: place.beside(),
        computing: None,
        listen: listen?,
        peers: links.peers.clone(),
        trusted,
        begin: Begin::WhenHeard,
    })
}

/// Whether the task's command may run here, if it runs one: that was said before, is said by an option, or
/// is asked.
fn agreed(
    context: &Context,
    task: &ValidatedTaskFile,
    folder: &Path,
    args: &JoinArgs,
    helper: &Helper,
) -> anyhow::Result<Option<Consent>> {
    if !consent::is_needed(task) {
        return Ok(None);
    }
    if let Some(kept) = Consent::kept(folder, task)? {
        return Ok(Some(kept));
    }
    if let Some(said) = args.run_commands {
        return Ok(Some(Consent::give(folder, task, said)?));
    }
    if !io::stdin().is_terminal() {
        return Err(PrepareError::NoConsent.into());
    }
    if !context.is_json() {
        tell(&super::show::Told::new(task, args.place.task()).people());
    }
    tell(&format!("\ncells of this machine: {}", probe(helper)));
    confirm(
        "Run this command on this machine?",
        "not joined, and nothing was run",
    )?;
    Ok(Some(Consent::give(folder, task, task.digest())?))
}

async fn run(context: &Context, config: PeerConfig, leaves: bool) -> anyhow::Result<()> {
    let folder = config.folder.clone();
    if !context.is_json() {
        let room = Size(inputs::room(&config.task));
        tell(&format!("{} takes {room} at most", folder.display()));
    }
    let mut peer = patiently("checking what is there", Peer::start(config)).await?;
    if !context.is_json() {
        for address in peer.addresses() {
            tell(&format!("others join with --peer {address}"));
        }
    }
    let bar = count_bar("pieces");
    let followed = tokio::select! {
        followed = follow(context, peer.status(), (&folder, &bar), leaves) => followed,
        ended = peer.ended() => return Ok(ended?),
        asked = is_ended() => asked,
    };
    bar.finish_and_clear();
    followed?;
    peer.stop().await?;
    Ok(())
}

/// Shows how far it is, until the output is there and nobody is to share on.
async fn follow(
    context: &Context,
    mut heard: watch::Receiver<Status>,
    (folder, bar): (&Path, &ProgressBar),
    leaves: bool,
) -> anyhow::Result<()> {
    let (mut is_shown, mut trouble) = (false, None);
    loop {
        let status = heard.borrow_and_update().clone();
        let update = Update {
            folder,
            status: &status,
        };
        if context.is_json() {
            context.rendering().show_line(&update)?;
        } else if status.output.is_some() && !is_shown {
            bar.suspend(|| context.show(&update))?;
            is_shown = true;
        }
        if !context.is_json() && status.trouble != trouble {
            bar.suspend(|| tell(status.trouble.as_deref().unwrap_or_default()));
            trouble.clone_from(&status.trouble);
        }
        draw(bar, &status);
        if leaves && status.output.is_some() {
            return Ok(());
        }
        if heard.changed().await.is_err() {
            // It has ended, which is told by itself.
            std::future::pending::<()>().await;
        }
    }
}

fn draw(bar: &ProgressBar, status: &Status) {
    bar.set_length(status.pieces.into());
    bar.set_position(status.stored.into());
    let doing = match (&status.output, status.computing.len()) {
        (Some(_), _) => "shares".to_owned(),
        (None, 0) => "waits".to_owned(),
        (None, count) => format!("computes {count}"),
    };
    bar.set_message(format!("{doing}, {} connected", status.neighbours));
}

/// Returns when the person, or the system, wants the program to end.
async fn is_ended() -> anyhow::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        asked = tokio::signal::ctrl_c() => asked?,
        _ = terminated.recv() => {}
    }
    Ok(())
}

/// Tells when a file is there.
fn told_by(path: PathBuf) -> oneshot::Receiver<()> {
    let (told, begin) = oneshot::channel();
    tokio::spawn(async move {
        while !path.exists() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        // An error says that the peer has ended.
        let _ = told.send(());
    });
    begin
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_network::name_of;

    #[test]
    fn a_peer_is_named_alone_or_by_its_address() {
        let peer = DeviceId([7; 32]);
        // A key that is none of a point is a name all the same.
        let name = name_of(&peer);
        let address = format!("/ip4/192.0.2.1/tcp/4500/p2p/{name}");
        for text in [&name, &address] {
            assert_eq!(text.parse(), Ok(PeerName(peer)));
        }
        for text in ["", "somebody", "/ip4/192.0.2.1/tcp/4500"] {
            assert_eq!(text.parse::<PeerName>(), Err(NoPeerName));
        }
    }

    #[test]
    fn what_a_peer_does_stands_behind_its_bar() {
        let bar = ProgressBar::hidden();
        let status: Status = serde_json::from_value(serde_json::json!({
            "swarm": format!("0x{}", "07".repeat(32)),
            "is_running": true, "addresses": [], "pieces": 9, "stored": 4, "computed": 3,
            "checked": 1, "computing": [5, 6], "damaged": 0, "neighbours": 2, "dropped": 0,
            "trouble": null, "output": null,
        }))
        .unwrap();
        draw(&bar, &status);
        assert_eq!((bar.length(), bar.position()), (Some(9), 4));
        assert_eq!(bar.message(), "computes 2, 2 connected");
    }
}
