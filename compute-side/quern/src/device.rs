//! `quern device`: registering the devices that work for an account, and their bond.

mod bond;
mod list;
mod retire;
mod review;
mod seen;

use crate::{
    context::Context,
    masternodes::MasternodeArgs,
    output::{Output, columns, fields, patiently, submit},
};
use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use list::{Listed, Shown};
use quern_ledger::Call;
use quern_primitives::{
    AccountId, Amount, BlockNumber, DeviceId,
    amount::{as_string, display},
    device::{Hardware, Region},
};
use quern_worker::{device::DeviceSecrets, settings::Settings};
use seen::Sight;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What can be done with devices.
#[derive(Subcommand, Debug)]
pub(crate) enum DeviceCommand {
    /// Bond what the chain demands and register this machine's worker
    Register(RegisterArgs),
    /// The devices of an account: their records, and what the scheduler makes of them
    List(ListArgs),
    /// A device: its record, its score, and what is measured of it
    Show(ShowArgs),
    /// Retire a device: its worker gets no more tasks, and its part of the bond is on its way back
    Retire(DeviceArgs),
    /// Bring a device out of quarantine; its account may once a week
    Review(DeviceArgs),
    /// Add to the account's bond
    Bond(bond::BondArgs),
    /// Begin to take money out of the bond; it is free some days later
    Unbond(bond::BondArgs),
    /// Take back what has been unbonding long enough
    Withdraw,
}

#[derive(Args, Debug)]
pub(crate) struct ConfigArgs {
    /// The worker's settings file
    #[arg(
        long,
        env = "QUERN_WORKER_CONFIG",
        default_value = "worker.toml",
        value_name = "FILE"
    )]
    config: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct RegisterArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Where the machine stands
    #[arg(long, value_enum, default_value = "unknown")]
    region: RegionChoice,
    /// What kind of machine it is
    #[arg(long, value_enum, default_value = "unknown")]
    hardware: HardwareChoice,
    /// Do not bond; fail if the bond is too small
    #[arg(long)]
    no_bond: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// Whose devices: an address or the name of a key [default: the account that signs]
    #[arg(long, value_name = "ACCOUNT")]
    owner: Option<String>,
    /// Tell all that is known of each, as `quern device show` does; so it is told as well where the
    /// terminal has no room for a row
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    masternode: MasternodeArgs,
}

#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    device: DeviceArgs,
    #[command(flatten)]
    masternode: MasternodeArgs,
}

#[derive(Args, Debug)]
pub(crate) struct DeviceArgs {
    /// The device [default: that of the settings file]
    device: Option<DeviceId>,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Where a machine stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RegionChoice {
    /// Not told
    Unknown,
    /// North and South America
    Americas,
    /// Europe
    Europe,
    /// Asia and Pacific
    #[serde(alias = "asia_pacific")]
    AsiaPacific,
}

/// What kind of machine it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum HardwareChoice {
    /// Not told
    Unknown,
    /// Phone or tablet
    Mobile,
    /// Portable computer
    Laptop,
    /// Desktop computer
    Desktop,
    /// Server
    Server,
}

/// Why a device is not registered or found.
#[derive(Debug, thiserror::Error)]
enum DeviceError {
    /// It is registered.
    #[error(
        "the device {device} is registered already, by {account}; to move it, retire it there first"
    )]
    Registered {
        device: DeviceId,
        account: AccountId,
    },
    /// It is not.
    #[error("the chain knows no device {device}; `quern device register` registers this machine's")]
    Unknown { device: DeviceId },
    /// The account cannot pay the bond.
    #[error("the device needs {} more bonded, and the account has {}; buy more with `quern wallet buy`", display(*missing), display(*free))]
    CannotBond { missing: Amount, free: Amount },
    /// The bond is too small, and nothing shall be bonded.
    #[error("the device needs {} more bonded; leave --no-bond out, and it is bonded now", display(*missing))]
    BondTooSmall { missing: Amount },
}

#[derive(Debug, Serialize)]
struct Registered {
    device: DeviceId,
    account: AccountId,
    #[serde(with = "as_string")]
    bonded_now: Amount,
    /// Whether faults of before it was retired keep it from work.
    quarantined: bool,
    block: BlockNumber,
}

/// Does what is asked.
pub(crate) async fn run(context: &Context, command: &DeviceCommand) -> anyhow::Result<()> {
    match command {
        DeviceCommand::Register(args) => register(context, args).await,
        DeviceCommand::List(args) => {
            let account = context.account_id(args.owner.as_deref())?;
            let asked = patiently("asking the chain and the masternodes", async {
                let state = context.chain().await?.at_finalised().await?;
                let views = state.devices_of(&account).await?;
                let devices = views.iter().map(|view| view.id).collect();
                let sight = Sight::of(&state, &args.masternode, devices).await?;
                anyhow::Ok(Listed::new(views, sight, args.all, columns()))
            });
            context.show(&asked.await?)
        }
        DeviceCommand::Show(args) => {
            let device = named(&args.device)?;
            let asked = patiently("asking the chain and the masternodes", async {
                let state = context.chain().await?.at_finalised().await?;
                let view = state.device(device).await?;
                let view = view.ok_or(DeviceError::Unknown { device })?;
                let sight = Sight::of(&state, &args.masternode, [device].into()).await?;
                anyhow::Ok(Shown::new(view, sight))
            });
            context.show(&asked.await?)
        }
        DeviceCommand::Retire(args) => retire::retire(context, args).await,
        DeviceCommand::Review(args) => review::review(context, args).await,
        DeviceCommand::Bond(args) => bond::bond(context, args).await,
        DeviceCommand::Unbond(args) => bond::unbond(context, args).await,
        DeviceCommand::Withdraw => bond::withdraw(context).await,
    }
}

async fn register(context: &Context, args: &RegisterArgs) -> anyhow::Result<()> {
    let secrets = secrets(&args.config)?;
    let account = context.account()?;
    let chain = context.chain().await?;
    let state = chain.at_finalised().await?;
    let device = secrets.id();
    if let Some(view) = state.device(device).await? {
        let account = view.device.account;
        return Err(DeviceError::Registered { device, account }.into());
    }
    let devices = state.devices_of(&account.id()).await?.len();
    let wallet = state.wallet(&account.id()).await?;
    let missing = missing_bond(
        state.params().await?.bond_per_device,
        devices,
        wallet.bond_active,
    );
    if args.no_bond && missing > 0 {
        return Err(DeviceError::BondTooSmall { missing }.into());
    }
    if missing > wallet.free {
        return Err(DeviceError::CannotBond {
            missing,
            free: wallet.free,
        }
        .into());
    }
    if missing > 0 {
        submit(&chain, &account, &Call::Bond(missing), "bonding").await?;
    }
    let call = Call::RegisterDevice {
        device,
        sealing_key: secrets.sealing_key(),
        region: args.region.into(),
        hardware: args.hardware.into(),
        possession: secrets.possession(account.id(), &chain.genesis()),
    };
    let settled = submit(&chain, &account, &call, "registering the device").await?;
    let block = settled.block;
    let view = chain.at(block).await?.device(device).await?;
    context.show(&Registered {
        device,
        account: account.id(),
        bonded_now: missing,
        quarantined: view.is_some_and(|view| view.quarantined),
        block: block.number,
    })
}

/// What must still be bonded before one more device is registered. What is unbonding covers none.
fn missing_bond(per_device: Amount, devices: usize, bonded: Amount) -> Amount {
    let devices = (devices as Amount).saturating_add(1);
    per_device.saturating_mul(devices).saturating_sub(bonded)
}

/// The device that is named, else that of the settings file.
pub(crate) fn named(args: &DeviceArgs) -> anyhow::Result<DeviceId> {
    match args.device {
        Some(device) => Ok(device),
        None => Ok(secrets(&args.config)?.id()),
    }
}

fn secrets(args: &ConfigArgs) -> anyhow::Result<DeviceSecrets> {
    let settings = Settings::load(&args.config).context(
        "the worker's settings say which device this is; `quern-worker init` makes them",
    )?;
    Ok(DeviceSecrets::load(&settings.device_key)?)
}

impl From<RegionChoice> for Region {
    fn from(choice: RegionChoice) -> Self {
        match choice {
            RegionChoice::Unknown => Self::Unknown,
            RegionChoice::Americas => Self::Americas,
            RegionChoice::Europe => Self::Europe,
            RegionChoice::AsiaPacific => Self::AsiaPacific,
        }
    }
}

impl From<HardwareChoice> for Hardware {
    fn from(choice: HardwareChoice) -> Self {
        match choice {
            HardwareChoice::Unknown => Self::Unknown,
            HardwareChoice::Mobile => Self::Mobile,
            HardwareChoice::Laptop => Self::Laptop,
            HardwareChoice::Desktop => Self::Desktop,
            HardwareChoice::Server => Self::Server,
        }
    }
}

impl Output for Registered {
    fn people(&self) -> String {
        let next = match self.quarantined {
            true => "it is in quarantine for old faults; mend it, then  quern device review",
            false => "start its worker with  quern-worker run",
        };
        fields(&[
            ("device", self.device.to_string()),
            ("account", self.account.to_string()),
            ("bonded", display(self.bonded_now)),
            ("block", self.block.to_string()),
            ("next", next.to_owned()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_bonded() {
        assert_eq!(missing_bond(10, 0, 0), 10);
        assert_eq!(missing_bond(10, 2, 25), 5);
        assert_eq!(missing_bond(10, 2, 30), 0);
        assert_eq!(missing_bond(10, 0, 500), 0);
    }
}
