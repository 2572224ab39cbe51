//! `quern grid`: the devices and jobs of a masternode, as its scheduler sees them, and the daily lottery
//! among all devices.

mod devices;
pub(crate) mod live;
mod lottery;
mod watch;
pub(crate) mod words;

pub(crate) use devices::all_of;

use crate::context::Context;
use clap::Subcommand;

/// What can be seen of a grid.
#[derive(Subcommand, Debug)]
pub(crate) enum GridCommand {
    /// Devices and jobs, live on the terminal
    Watch(watch::WatchArgs),
    /// The devices that a masternode knows, by rank
    Devices(devices::DevicesArgs),
    /// A day's lottery: who stands higher for a day and why, drawn again from the chain
    Lottery(lottery::LotteryArgs),
}

/// Does what is asked.
pub(crate) async fn run(context: &Context, command: &GridCommand) -> anyhow::Result<()> {
    match command {
        GridCommand::Watch(args) => watch::run(context, args).await,
        GridCommand::Devices(args) => devices::run(context, args).await,
        GridCommand::Lottery(args) => lottery::run(context, args).await,
    }
}
