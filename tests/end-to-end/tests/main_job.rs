//! One job the whole way, and what must not change it.

use quern_end_to_end::{Bench, DEADLINE, small_picture, terms};
use quern_ledger::Call;
use quern_local_grid::development_account;
use quern_owner::{Draft, Input};
use quern_primitives::job::{JobEnd, JobState};
use quern_shards::{cut::Split, manifest::Assembly};

/// Runs a test on a runtime of its own, within its deadline.
fn run(test: impl Future<Output = anyhow::Result<()>>) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let done = runtime.block_on(async { tokio::time::timeout(DEADLINE, test).await });
    done.expect("the test ends within its deadline")
        .expect("the test passes");
}

#[test]
#[ignore = "heavy; run it with --include-ignored"]
fn a_job_survives_the_death_of_a_worker_the_masternode_and_the_node() {
    run(async {
        let mut bench = Bench::start(4).await?;
        let deadline = bench.deadline(600).await?;
        let (draft, expected) = small_picture(bench.folder(), deadline)?;
        let before = wallets(&bench).await?;
        let folder = bench.hand_in(&draft).await?;
        let job = folder.job();
        bench.upload(&folder).await?;

        bench.decided(job, 2).await?;
        bench.grid.workers[0].part.kill().await;
        bench.grid.workers[0].part.restart()?;
        bench.decided(job, 6).await?;
        let masternode = bench
            .grid
            .masternode
            .as_mut()
            .expect("the grid has a masternode");
        masternode.kill().await;
        masternode.restart()?;
        bench.decided(job, 10).await?;
        bench.grid.node.kill().await;
        bench.grid.node.restart()?;

        let closed = bench.closed(job).await?;
        assert_eq!(
            closed.state,
            JobState::Completed {
                end: JobEnd::AllSettled
            }
        );
        assert!(
            bench.result(&folder).await? == expected,
            "the picture is another one"
        );
        let escrow = closed.escrow;
        assert_eq!(
            escrow.paid + escrow.network + escrow.refunded,
            escrow.deposited
        );
        let paid: u128 = wallets(&bench)
            .await?
            .iter()
            .zip(&before)
            .map(|(after, before)| after - before)
            .sum();
        assert_eq!(
            paid, escrow.paid,
            "workers got another sum than the chain paid"
        );
        assert!(
            bench
                .chain
                .at_finalised()
                .await?
                .totals()
                .await?
                .conserves_money()
        );
        bench.stop().await;
        Ok(())
    });
}

#[test]
fn a_job_that_nobody_takes_is_refunded_whole_by_a_stranger() {
    run(async {
        let bench = Bench::start_with(|plan| plan.workers = vec![]).await?;
        let before = bench
            .chain
            .at_finalised()
            .await?
            .wallet(&bench.owner.id())
            .await?
            .free;
        let input = bench.folder().join("input");
        std::fs::write(&input, "nobody will ever read this\n")?;
        let draft = Draft {
            program: quern_end_to_end::program("path-tracer")?,
            input: Input::File {
                path: input,
                split: Split::None,
                shard_bytes: 1024,
            },
            arguments: vec![],
            task_arguments: vec![],
            assembly: Assembly::Concatenate,
            terms: terms(bench.deadline(20).await?),
        };
        let folder = bench.hand_in(&draft).await?;
        let stranger = development_account("//Charlie")?;
        let early = bench
            .chain
            .submit(&stranger, &Call::RefundJob(folder.job()))
            .await;
        assert!(early.is_err(), "the refund came before the deadline");
        while bench.chain.at_finalised().await?.block().number <= draft.terms.deadline {
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
        bench
            .chain
            .submit(&stranger, &Call::RefundJob(folder.job()))
            .await?;
        let closed = bench.closed(folder.job()).await?;
        assert_eq!(closed.state, JobState::Expired);
        let after = bench
            .chain
            .at_finalised()
            .await?
            .wallet(&bench.owner.id())
            .await?
            .free;
        assert_eq!(after, before, "the owner does not have everything back");
        bench.stop().await;
        Ok(())
    });
}

async fn wallets(bench: &Bench) -> anyhow::Result<Vec<u128>> {
    let state = bench.chain.at_finalised().await?;
    let mut free = Vec::new();
    for worker in &bench.grid.workers {
        free.push(state.wallet(&worker.account).await?.free);
    }
    Ok(free)
}
