//! Planning with the devices of the grid as it is.

use super::{PlanInputError, Source};
use crate::{context::Context, grid::live, masternodes::MasternodeArgs, output::patiently};
use quern_jobs_api::Asking;
use quern_primitives::{
    device::Class,
    job::{Agreement, Preferences},
};

/// The devices of each masternode that answers and has some.
pub(super) async fn sources(
    context: &Context,
    args: &MasternodeArgs,
) -> anyhow::Result<Vec<Source>> {
    let asked = patiently("asking the masternodes", async {
        let masternodes = args.reach_some(context).await?;
        let anything = Asking {
            preferences: Preferences::default(),
            class: Class::default(),
            agreement: Agreement::Single,
            task: 0,
            memory_bytes: 0,
        };
        anyhow::Ok(live::ask(masternodes, anything).await)
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
