//! The guides: what they tell to type does what they say.

use quern_end_to_end::{Guide, repository, run};
use std::{fs, path::PathBuf};

/// The pages whose blocks are run below.
const FOLLOWED: [&str; 5] = [
    "docs/auditor.md",
    "docs/operator.md",
    "docs/owner.md",
    "docs/swarm.md",
    "docs/worker.md",
];

#[test]
fn every_shell_block_of_a_page_is_run_or_says_why_not() -> anyhow::Result<()> {
    let repository = repository();
    let is_page = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "md");
    let mut pages = Vec::new();
    for folder in ["", "docs", "docs/adr", "chain-spec"] {
        for entry in fs::read_dir(repository.join(folder))? {
            pages.push(entry?.path());
        }
    }
    pages.retain(is_page);
    pages.sort();
    let mut runnable = Vec::new();
    for page in pages {
        let name = page.strip_prefix(&repository)?.display().to_string();
        if Guide::has_blocks(&name)? {
            runnable.push(name);
        }
    }
    assert_eq!(
        runnable, FOLLOWED,
        "a page with shell blocks is not followed"
    );
    Ok(())
}

#[test]
fn the_owners_guide_can_be_followed() {
    run(async { Guide::read("docs/owner.md")?.follow().await });
}

#[test]
fn the_groups_guide_can_be_followed() {
    run(async { Guide::read("docs/swarm.md")?.follow().await });
}

#[test]
fn the_workers_guide_can_be_followed() {
    run(async { Guide::read("docs/worker.md")?.follow().await });
}

#[test]
fn the_operators_guide_can_be_followed() {
    run(async { Guide::read("docs/operator.md")?.follow().await });
}

#[test]
fn the_auditors_guide_can_be_followed() {
    run(async { Guide::read("docs/auditor.md")?.follow().await });
}
