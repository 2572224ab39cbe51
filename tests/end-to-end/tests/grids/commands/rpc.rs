//! What a node's `quern_*` methods answer when there is something to answer.

use anyhow::{Context as _, ensure};
use jsonrpsee::{
    core::client::ClientT as _,
    rpc_params,
    ws_client::{WsClient, WsClientBuilder},
};
use quern_end_to_end::Bench;
use quern_ledger::State;
use quern_primitives::{
    AccountId, JobId,
    job::Job,
    params::Params,
    view::{DeviceView, WalletView},
};
use serde_json::{Value, json};

/// Of a job that has ended the same as `quern job show`; and of its owner's money and of the grid's
/// device and of what the council has set, the same as the chain's own interface.
pub(super) async fn tells(bench: &Bench, shown: &Value) -> anyhow::Result<()> {
    let (node, state, block) = at_one_block(bench).await?;
    let name = shown["job"].as_str().context("no job is shown")?;
    let told: Value = node.request("quern_job", rpc_params![name, &block]).await?;
    for (field, value) in told.as_object().context("no job is told")? {
        ensure!(
            shown[field] == *value,
            "`{field}` is told as {value}: {shown}"
        );
    }
    let told: Job = serde_json::from_value(told)?;
    let known = state.job(name.parse()?).await?;
    ensure!(known.as_ref() == Some(&told), "{told:?}, not {known:?}");

    let asked = rpc_params![told.owner.to_string(), &block];
    let told_of_money: WalletView = node.request("quern_wallet", asked).await?;
    let wallet = state.wallet(&told.owner).await?;
    ensure!(told_of_money == wallet, "{told_of_money:?}, not {wallet:?}");

    let worker = bench.grid.workers.first().context("there is no worker")?;
    let asked = rpc_params![worker.device.to_string(), &block];
    let told: Option<DeviceView> = node.request("quern_device", asked).await?;
    let known = state.device(worker.device).await?;
    ensure!(told.is_some() && told == known, "{told:?}, not {known:?}");

    let told: Params = node.request("quern_params", rpc_params![&block]).await?;
    let known = state.params().await?;
    ensure!(told == known, "{told:?}, not {known:?}");
    Ok(())
}

/// An owner's two jobs, one to a page.
pub(super) async fn tells_by_pages(
    bench: &Bench,
    owner: &AccountId,
    mut jobs: [JobId; 2],
) -> anyhow::Result<()> {
    let (node, state, block) = at_one_block(bench).await?;
    let (mut told, mut last) = (Vec::new(), json!(null));
    loop {
        let asked = rpc_params![owner.to_string(), &last, 1, &block];
        let page: Vec<Value> = node.request("quern_jobsOf", asked).await?;
        ensure!(page.len() <= 1, "a page has more than one job: {page:?}");
        let Some(job) = page.into_iter().next() else {
            break;
        };
        last = job["id"].clone();
        let id: JobId = serde_json::from_value(last.clone())?;
        let known = state.job(id).await?;
        let job: Job = serde_json::from_value(job)?;
        ensure!(known.as_ref() == Some(&job), "{job:?}, not {known:?}");
        told.push(id);
    }
    told.sort();
    jobs.sort();
    ensure!(told == jobs, "{told:?} are told, not {jobs:?}");
    Ok(())
}

/// A connection to the grid's node, the state of its newest final block, and that block's hash, as
/// the methods take it.
async fn at_one_block(bench: &Bench) -> anyhow::Result<(WsClient, State, String)> {
    let node = WsClientBuilder::default().build(bench.grid.node_url());
    let state = bench.chain.at_finalised().await?;
    let block = format!("0x{}", hex::encode(state.block().hash));
    Ok((node.await?, state, block))
}
