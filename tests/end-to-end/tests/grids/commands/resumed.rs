//! A job that goes on where handing it in was interrupted.

use super::{TEXT, is_digest, rpc};
use anyhow::{Context as _, ensure};
use quern_end_to_end::{Bench, Quern, says, terms, wasm};
use quern_local_grid::development_account;
use quern_owner::{Draft, Input, prepare, submit};
use quern_primitives::job::Agreement;
use quern_shards::{cut::Split, manifest::Assembly};
use serde_json::json;
use std::{fs, path::PathBuf};

pub(super) async fn resumed(bench: &Bench) -> anyhow::Result<()> {
    let name = "//Bob//stash";
    let (quern, account) = (Quern::new(bench, name)?, development_account(name)?);
    let jobs = quern.home().join("jobs");
    let sealed = async |input: &str| {
        let draft = draft(bench, input).await?;
        let genesis = bench.chain.genesis();
        anyhow::Ok(prepare(&jobs, genesis, &account.id(), &draft, |_, _| {})?)
    };

    // Interrupted before the chain heard of it.
    let folder = sealed("unsent").await?;
    let unsent = folder.job();
    let job = unsent.to_string();
    let result = bench.folder().join("unsent.result");
    let path = result.display().to_string();
    let resume = ["job", "resume", &job, "--wait", "--output", &path];
    let answer = quern.does(&resume).await?;
    says(
        &answer,
        &json!({
            "job": job,
            "end": "all_settled",
            "output": path,
            "output_bytes": TEXT.len(),
        }),
    )?;
    ensure!(
        answer["block"].is_u64() && is_digest(&answer["transaction"]),
        "{answer}"
    );
    ensure!(fs::read_to_string(&result)? == TEXT, "another result");

    // Interrupted before its coordinator had all of it.
    let folder = sealed("unloaded").await?;
    submit(&bench.chain, &account, &folder).await?;
    let unloaded = folder.job();
    let job = unloaded.to_string();
    let answer = quern.does(&["job", "resume", &job]).await?;
    says(
        &answer,
        &json!({ "job": job, "block": null, "transaction": null }),
    )?;
    let result = bench.folder().join("unloaded.result");
    let path = result.display().to_string();
    let watch = ["job", "watch", &job, "--output", &path];
    let (code, told) = quern.tells(&watch).await?;
    let end = told.last().context("nothing is told")?;
    ensure!(code == 0, "watching ended with {code}: {told:?}");
    says(end, &json!({ "job": job, "end": "all_settled" }))?;
    says(end, &json!({ "output": path, "output_bytes": TEXT.len() }))?;
    ensure!(fs::read_to_string(&result)? == TEXT, "another result");
    rpc::tells_by_pages(bench, &account.id(), [unsent, unloaded]).await
}

async fn draft(bench: &Bench, name: &str) -> anyhow::Result<Draft> {
    let path: PathBuf = bench.folder().join(format!("{name}.txt"));
    fs::write(&path, TEXT)?;
    let mut terms = terms(bench.in_blocks(600).await?);
    terms.agreement = Agreement::Single;
    terms.fuel_per_task_max = 300_000_000;
    Ok(Draft {
        program: wasm::assemble(wasm::COPIES)?,
        input: Input::File {
            path,
            split: Split::None,
            shard_bytes: 1_024,
        },
        arguments: vec![],
        task_arguments: vec![],
        assembly: Assembly::Concatenate,
        terms,
    })
}
