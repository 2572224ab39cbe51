//! `quern device`: registering the devices that work for an account, and their bond.

mod bond;

use crate::{
    context::Context,
    output::{Output, fields, patiently, spinner, table},
};
use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use quern_ledger::Call;
use quern_primitives::{
    AccountId, Amount, BlockNumber, DeviceId,
    amount::{as_string, display},
    device::{Hardware, Region},
    view::DeviceView,
};
use quern_worker::{device::DeviceSecrets, settings::Settings};
use serde::Serialize;
use std::path::PathBuf;

/// What can be done with devices.
#[derive(Subcommand, Debug)]
pub(crate) enum DeviceCommand {
    /// Bond what the chain demands and register this machine's worker
    Register(RegisterArgs),
    /// The devices of an account
    List(ListArgs),
    /// A device and its record
    Show(DeviceArgs),
    /// Retire a device; its worker gets no more tasks
    Retire(DeviceArgs),
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
}

#[derive(Args, Debug)]
pub(crate) struct DeviceArgs {
    /// The device [default: that of the settings file]
    device: Option<DeviceId>,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RegionChoice {
    /// Not told
    Unknown,
    /// North and South America
    Americas,
    /// Europe
    Europe,
    /// Asia and Pacific
    AsiaPacific,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum HardwareChoice {
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
    block: BlockNumber,
}

#[derive(Debug, Serialize)]
struct Retired {
    device: DeviceId,
    block: BlockNumber,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Devices(Vec<DeviceView>);

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Shown(DeviceView);

/// Does what is asked.
pub(crate) async fn run(context: &Context, command: &DeviceCommand) -> anyhow::Result<()> {
    match command {
        DeviceCommand::Register(args) => register(context, args).await,
        DeviceCommand::List(args) => {
            let account = context.account_id(args.owner.as_deref())?;
            let asked = patiently("asking the chain", async {
                let state = context.chain().await?.at_finalised().await?;
                anyhow::Ok(state.devices_of(&account).await?)
            });
            context.show(&Devices(asked.await?))
        }
        DeviceCommand::Show(args) => {
            let device = named(args)?;
            let asked = patiently("asking the chain", async {
                let state = context.chain().await?.at_finalised().await?;
                anyhow::Ok(state.device(device).await?)
            });
            context.show(&Shown(asked.await?.ok_or(DeviceError::Unknown { device })?))
        }
        DeviceCommand::Retire(args) => {
            let device = named(args)?;
            let account = context.account()?;
            let chain = context.chain().await?;
            let bar = spinner("retiring the device");
            let settled = chain.submit(&account, &Call::RetireDevice(device)).await;
            bar.finish_and_clear();
            context.show(&Retired {
                device,
                block: settled?.block.number,
            })
        }
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
    let missing = missing_bond(state.bond_per_device().await?, devices, wallet.bond_active);
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
    let bar = spinner("bonding");
    if missing > 0 {
        chain.submit(&account, &Call::Bond(missing)).await?;
    }
    bar.set_message("registering the device");
    let call = Call::RegisterDevice {
        device,
        sealing_key: secrets.sealing_key(),
        region: args.region.into(),
        hardware: args.hardware.into(),
        possession: secrets.possession(account.id(), &chain.genesis()),
    };
    let settled = chain.submit(&account, &call).await;
    bar.finish_and_clear();
    let block = settled?.block.number;
    context.show(&Registered {
        device,
        account: account.id(),
        bonded_now: missing,
        block,
    })
}

/// What must still be bonded before one more device is registered. What is unbonding covers none.
fn missing_bond(per_device: Amount, devices: usize, bonded: Amount) -> Amount {
    let devices = (devices as Amount).saturating_add(1);
    per_device.saturating_mul(devices).saturating_sub(bonded)
}

fn named(args: &DeviceArgs) -> anyhow::Result<DeviceId> {
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

fn may_work(view: &DeviceView) -> &'static str {
    match (view.bonded, view.banned) {
        (_, true) => "no: banned",
        (false, _) => {
            "no: the account's bond does not cover its devices; `quern device bond AMOUNT` adds to it"
        }
        (true, false) => "yes",
    }
}

impl Output for Registered {
    fn people(&self) -> String {
        fields(&[
            ("device", self.device.to_string()),
            ("account", self.account.to_string()),
            ("bonded", display(self.bonded_now)),
            ("block", self.block.to_string()),
            ("next", "start its worker with  quern-worker run".to_owned()),
        ])
    }
}

impl Output for Retired {
    fn people(&self) -> String {
        format!("{} is retired as of block {}", self.device, self.block)
    }
}

impl Output for Devices {
    fn people(&self) -> String {
        if self.0.is_empty() {
            return "no devices; `quern device register` registers this machine's".into();
        }
        let row = |view: &DeviceView| {
            let record = &view.device.record;
            vec![
                view.id.to_string(),
                may_work(view).to_owned(),
                record.accepted.to_string(),
                record.incorrect.to_string(),
                record.failed.to_string(),
                record.delayed.to_string(),
            ]
        };
        let rows: Vec<_> = self.0.iter().map(row).collect();
        table(
            &[
                "device",
                "may work",
                "accepted",
                "incorrect",
                "failed",
                "delayed",
            ],
            &rows,
        )
    }
}

impl Output for Shown {
    fn people(&self) -> String {
        let record = &self.0.device.record;
        fields(&[
            ("device", self.0.id.to_string()),
            ("account", self.0.device.account.to_string()),
            ("may work", may_work(&self.0).to_owned()),
            (
                "verified",
                if self.0.verified { "yes" } else { "no" }.to_owned(),
            ),
            (
                "stands in",
                format!("{:?}", self.0.device.region).to_lowercase(),
            ),
            (
                "machine",
                format!("{:?}", self.0.device.hardware).to_lowercase(),
            ),
            (
                "record",
                format!(
                    "{} accepted, {} incorrect, {} failed, {} delayed",
                    record.accepted, record.incorrect, record.failed, record.delayed
                ),
            ),
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
