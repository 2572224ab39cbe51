//! Planning with the devices of the grid as it is.

use super::{PlanInputError, Source};
use crate::{
    context::Context,
    grid::live,
    job::{ClassChoice, DeviceOptions, SpecError},
    masternodes::MasternodeArgs,
    output::patiently,
};
use clap::Args;
use quern_jobs_api::Asking;
use quern_primitives::{device::Class, job::Agreement, params::Terms};

/// What the job asks of devices, by the options that `quern job submit` has for it.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Asks {
    #[command(flatten)]
    devices: DeviceOptions,
    /// Only devices that compute jobs of this class [default: pinned]
    #[arg(
        long,
        value_enum,
        requires = "live",
        conflicts_with_all = ["failure", "devices", "example"]
    )]
    class: Option<ClassChoice>,
}

impl Asks {
    /// Checks the options.
    pub(super) fn check(&self) -> Result<Asking, SpecError> {
        Ok(Asking {
            preferences: self.devices.check()?,
            class: self.class.map_or_else(Class::default, Class::from),
            agreement: Agreement::Single,
            task: 0,
            memory_bytes: 0,
            terms: Terms::FIRST,
        })
    }
}

/// The devices of each masternode that answers and has some for a job that asks for this.
pub(super) async fn sources(
    context: &Context,
    args: &MasternodeArgs,
    asking: Asking,
) -> anyhow::Result<Vec<Source>> {
    let asked = patiently("asking the masternodes", async {
        let masternodes = args.reach_some(context).await?;
        anyhow::Ok(live::ask(masternodes, asking).await)
    });
    let mut sources = Vec::new();
    for grid in asked.await?.grids {
        if let Some(fleet) = grid.fleet()? {
            sources.push(Source {
                fleet,
                accounts: grid.matching.accounts.into(),
                masternode: Some(grid.url),
            });
        }
    }
    match sources.is_empty() {
        true => Err(PlanInputError::NoDevices.into()),
        false => Ok(sources),
    }
}
