//! `quern verify`: checking a receipt.

mod elsewhere;
pub(crate) mod proof;

use crate::{
    context::Context,
    grid::words,
    output::{Output, patiently},
    trust::NoProof,
};
use clap::Args;
use elsewhere::Elsewhere;
use proof::Shown;
use quern_ledger::{Chain, ChainError};
use quern_light::Trust;
use quern_owner::{
    Check, CheckKind, verify_accounts, verify_agreement, verify_batch, verify_file, verify_paid,
    verify_price, verify_program, verify_set_aside, verify_standing,
};
use quern_primitives::{
    AccountId, Amount, BlockNumber, DeviceId, Digest, GenesisHash, JobId, TaskIndex,
    amount::{as_string, display},
    batch::{BatchRecord, BatchState},
    job::Job,
    verdict::{Finding, Ground, ReceiptFile},
};
use serde::Serialize;
use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Bytes of a receipt file: a verdict of 15 replicas and a proof are some tens of kilobytes.
const RECEIPT_FILE_BYTES_MAX: u64 = 1 << 20;

#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    /// The receipt, as `quern job receipts` saves it
    receipt: PathBuf,
    /// The batch's root, from wherever you trust it
    #[arg(long, value_name = "HEX")]
    root: Option<Digest>,
    /// Check what can be checked without a node
    #[arg(long)]
    offline: bool,
    /// Believe a node without proofs: what it says of batch, job, devices and payments. It is quicker, and fit
    /// for a node of your own
    #[arg(long, conflicts_with_all = ["offline", "light", "header", "genesis", "proof"])]
    trust_node: bool,
    /// Ask a node, and believe only what it proves from the chain's first block on: the default, which need
    /// be said only beside --genesis
    #[arg(long, conflicts_with_all = ["offline", "header"])]
    light: bool,
    /// Ask no node; the proof that is saved beside the receipt leads to this header, which you trust:
    /// its hash, or a file with that or the header
    #[arg(long, value_name = "HEX|FILE", conflicts_with = "offline")]
    header: Option<String>,
    /// The hash of the chain's first block, from wherever you trust it. Without --light no node is asked,
    /// but the proof that is saved beside the receipt
    #[arg(long, value_name = "HEX", conflicts_with_all = ["offline", "header"])]
    genesis: Option<GenesisHash>,
    /// That proof, if it is elsewhere
    #[arg(long, value_name = "FILE", conflicts_with_all = ["offline", "light"])]
    proof: Option<PathBuf>,
}

/// Why a receipt cannot be checked at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReceiptError {
    /// It cannot be read.
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: io::Error },
    /// It is too long.
    #[error("{path} is longer than it may be; is it the right file?")]
    TooLong { path: PathBuf },
    /// It is none.
    #[error("{path} is not a receipt; `quern job receipts` saves them")]
    NotAReceipt {
        path: PathBuf,
        source: serde_json::Error,
    },
}

/// One check and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Checked {
    check: Name,
    holds: bool,
    words: &'static str,
}

/// A check's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum Name {
    /// One that every receipt is put to.
    Of(CheckKind),
    /// One against a root that was given.
    Given(GivenRoot),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum GivenRoot {
    GivenRoot,
}

/// What a receipt states, and whether it holds.
#[derive(Debug, Serialize)]
struct Verified {
    /// The hash of the first block of the chain that the receipt names. Anybody can make a chain that
    /// settles anything, so it is for who reads this to know it.
    genesis: GenesisHash,
    job: JobId,
    task: TaskIndex,
    device: DeviceId,
    batch: u32,
    verdicts_root: Digest,
    /// The account behind the device, as the verdict names it.
    account: Option<AccountId>,
    finding: Option<Finding>,
    /// Why the accepted answer is accepted, as the verdict says.
    ground: Ground,
    pay: Option<Pay>,
    checks: Vec<Checked>,
    /// Why the chain that was asked tells nothing of the receipt, if it is of another one.
    #[serde(flatten)]
    elsewhere: Option<Elsewhere>,
    /// Whether the batch is pending, with when it is due, final, or struck, as the chain says.
    batch_state: Option<BatchState>,
    /// The block that settled the batch or made it final, if its state is not to be had: then accounts or
    /// payments are not checked.
    discarded_block: Option<BlockNumber>,
    /// The blocks by whose state it was checked, if that was proven, and how these were shown to be final.
    proven_by: Vec<Shown>,
    /// Whether every check was passed, and the chain that was asked, if one was, is the receipt's.
    holds: bool,
}

/// Who tells what only the chain knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Teller<'a> {
    /// Nobody, and it is left out.
    Nobody,
    /// A node, as far as it proves what it says, from the chain's first block on, which has this hash.
    Proofs(GenesisHash),
    /// A node, which is believed.
    Node,
    /// The saved proof, up to this header: its hash, or the name of a file with it.
    Header(&'a str),
    /// The saved proof, from the chain's first block on.
    File(GenesisHash),
}

impl VerifyArgs {
    /// Who tells what only the chain knows of a receipt that names this chain.
    fn teller(&self, named: GenesisHash) -> Teller<'_> {
        match (&self.header, self.genesis, &self.proof) {
            _ if self.offline => Teller::Nobody,
            _ if self.trust_node => Teller::Node,
            (_, genesis, _) if self.light => Teller::Proofs(genesis.unwrap_or(named)),
            (None, None, None) => Teller::Proofs(named),
            (Some(header), ..) => Teller::Header(header),
            // Unless it is told, the receipt is checked for the chain that it names.
            (None, genesis, _) => Teller::File(genesis.unwrap_or(named)),
        }
    }
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(transparent)]
struct Pay(#[serde(with = "as_string")] Amount);

/// What the chain says of a receipt.
#[derive(Debug, Default)]
struct Asked {
    checks: Vec<Check>,
    elsewhere: Option<Elsewhere>,
    batch_state: Option<BatchState>,
    discarded_block: Option<BlockNumber>,
    shown: Vec<Shown>,
}

impl Asked {
    /// What batch and job tell, as a chain with this first block has them.
    fn of_job(
        file: &ReceiptFile,
        genesis: GenesisHash,
        settled: Option<&BatchRecord>,
        known: Option<&Job>,
    ) -> Self {
        let is_known = settled.is_some() || known.is_some();
        let elsewhere = Elsewhere::of(file, genesis, is_known);
        let checks = vec![
            verify_batch(file, settled),
            verify_standing(settled),
            verify_agreement(file, known),
            verify_program(file, known),
            verify_price(file, known),
        ];
        Self {
            checks: Elsewhere::checks(elsewhere, checks),
            elsewhere,
            ..Self::default()
        }
    }
}

/// Checks a receipt; fails if any check does, or if the chain that was asked is another one.
pub(crate) async fn run(context: &Context, args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let file = read(&args.receipt)?;
    let mut checks = check_file(&file, args.root);
    let asked = ask_as_told(context, args, &file).await?;
    checks.extend(asked.checks.iter().copied().map(checked));
    let verified = verified(&file, checks, &asked);
    context.show(&verified)?;
    Ok(if verified.holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Checks what only the chain knows, if that is asked for: by proofs, or on a node's word.
async fn ask_as_told(
    context: &Context,
    args: &VerifyArgs,
    file: &ReceiptFile,
) -> anyhow::Result<Asked> {
    let trust = match args.teller(file.genesis) {
        Teller::Nobody => return Ok(Asked::default()),
        Teller::Proofs(genesis) => {
            let chain = context.chain().await?;
            // Only where nobody says which chain it has to be; otherwise a node of another one is of no use.
            if args.genesis.is_none() && chain.genesis() != genesis {
                return Ok(Asked {
                    elsewhere: Elsewhere::of(file, chain.genesis(), false),
                    ..Asked::default()
                });
            }
            let asking = proof::by_node(&chain, file, genesis);
            let asked = patiently("asking the chain for proofs", asking).await;
            return Ok(asked.map_err(NoProof::from)?);
        }
        Teller::Node => {
            let chain = context.chain().await?;
            return Ok(patiently("asking the chain", ask(&chain, file)).await?);
        }
        Teller::Header(header) => Trust::Header(proof::trusted_header(header)?),
        Teller::File(genesis) => Trust::Genesis(genesis),
    };
    let proof = args.proof.as_deref();
    Ok(proof::by_file(&args.receipt, proof, file, trust)?)
}

/// Checks what only the chain knows, on a node's word.
async fn ask(chain: &Chain, file: &ReceiptFile) -> Result<Asked, ChainError> {
    // Another chain settled nothing of this one's.
    let (mut settled, mut known) = (None, None);
    if chain.genesis() == file.genesis {
        let (state, job) = (chain.at_finalised().await?, file.verdict.job);
        settled = state.batch(job, file.batch).await?;
        known = state.job(job).await?;
    }
    let mut asked = Asked {
        batch_state: settled.map(|batch| batch.state),
        ..Asked::of_job(file, chain.genesis(), settled.as_ref(), known.as_ref())
    };
    match settled {
        Some(batch) => match ask_settled(chain, file, &batch).await {
            Ok(checks) => asked.checks.extend(checks),
            Err(ChainError::Discarded { block, .. }) => asked.discarded_block = Some(block),
            Err(error) => return Err(error),
        },
        None if asked.elsewhere.is_some() => {}
        None => asked.checks.push(verify_paid(file, None)),
    }
    Ok(asked)
}

/// Checks what only the blocks know in which the batch was settled, and became final.
async fn ask_settled(
    chain: &Chain,
    file: &ReceiptFile,
    batch: &BatchRecord,
) -> Result<Vec<Check>, ChainError> {
    let (state, verdict) = (chain.at_height(batch.settled_at).await?, &file.verdict);
    let devices: Vec<_> = verdict.replicas.iter().map(|found| found.device).collect();
    let known = state.devices(&devices).await?;
    let mut checks = vec![verify_accounts(file, &known)];
    match batch.state {
        BatchState::Pending { .. } => {
            // As it was settled: by now it may be final.
            let pending = state.pending_batch(verdict.job, file.batch).await?;
            checks.push(verify_set_aside(file, pending.as_ref()));
        }
        BatchState::Final { at } => {
            let state = chain.at_height(at).await?;
            let payments = state.payments_of(verdict.job, file.batch).await?;
            checks.push(verify_paid(file, payments.as_deref()));
        }
        // Nobody is paid for it, and that it stands does not hold already.
        BatchState::Struck { .. } => {}
    }
    Ok(checks)
}

/// A receipt, as it was saved. Nothing of it is checked.
pub(crate) fn read(path: &Path) -> Result<ReceiptFile, ReceiptError> {
    let bytes = read_at_most(path, RECEIPT_FILE_BYTES_MAX)?;
    serde_json::from_slice(&bytes).map_err(|source| ReceiptError::NotAReceipt {
        path: path.to_owned(),
        source,
    })
}

/// The bytes of a file that may have so many at most.
fn read_at_most(path: &Path, most: u64) -> Result<Vec<u8>, ReceiptError> {
    let failed = |source| ReceiptError::Read {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > most {
        return Err(ReceiptError::TooLong {
            path: path.to_owned(),
        });
    }
    Ok(bytes)
}

/// What can be checked without a node.
fn check_file(file: &ReceiptFile, root: Option<Digest>) -> Vec<Checked> {
    let mut checks: Vec<_> = verify_file(file).into_iter().map(checked).collect();
    checks.extend(root.map(|root| Checked {
        check: Name::Given(GivenRoot::GivenRoot),
        holds: file.verdicts_root == root,
        words: "the batch's root is the one you gave",
    }));
    checks
}

fn checked(check: Check) -> Checked {
    Checked {
        check: Name::Of(check.check),
        holds: check.holds,
        words: check.check.words(),
    }
}

fn verified(file: &ReceiptFile, checks: Vec<Checked>, asked: &Asked) -> Verified {
    let receipt = &file.receipt.payload;
    let found = file
        .verdict
        .replicas
        .iter()
        .find(|found| found.replica == receipt.replica && found.device == receipt.device);
    Verified {
        genesis: file.genesis,
        job: receipt.job,
        task: receipt.task,
        device: receipt.device,
        batch: file.batch,
        verdicts_root: file.verdicts_root,
        account: found.map(|found| found.account.clone()),
        finding: found.map(|found| found.finding),
        ground: file.verdict.ground,
        pay: found.map(|found| Pay(found.pay)),
        holds: asked.elsewhere.is_none() && checks.iter().all(|check| check.holds),
        checks,
        elsewhere: asked.elsewhere,
        batch_state: asked.batch_state,
        discarded_block: asked.discarded_block,
        proven_by: asked.shown.clone(),
    }
}

impl Verified {
    /// What came of one of the checks that every receipt is put to, if it was made.
    fn of(&self, kind: CheckKind) -> Option<bool> {
        let mut made = self.checks.iter();
        let of_kind = made.find(|check| check.check == Name::Of(kind));
        of_kind.map(|check| check.holds)
    }

    /// Whether it was checked what the batch pays, or there is nothing to check, as nobody is paid for it.
    fn is_pay_told(&self) -> bool {
        let mut kinds = [CheckKind::Paid, CheckKind::SetAside].into_iter();
        let unpaid = matches!(self.batch_state, None | Some(BatchState::Struck { .. }));
        unpaid || kinds.any(|kind| self.of(kind).is_some())
    }

    /// What could not be checked, and why.
    fn left_out(&self) -> Option<String> {
        match (self.proven_by.is_empty(), self.discarded_block) {
            (true, None) => None,
            (false, None) if self.is_pay_told() => None,
            (true, Some(block)) => Some(format!(
                "accounts and payments, as the node has discarded the state of block {block}; ask one that runs with `--state-pruning archive`"
            )),
            (false, None) => Some(
                "payments, of which a saved proof has no more than the batch's sum; ask a node"
                    .into(),
            ),
            (false, Some(block)) if self.of(CheckKind::Account).is_some() => Some(format!(
                "payments, as the state of block {block}, which made the batch final, is not proven"
            )),
            (false, Some(block)) => Some(format!(
                "accounts and payments, as the state of block {block}, which settled the batch, is not proven"
            )),
        }
    }

    fn in_sum(&self) -> &'static str {
        let is_sound = self.checks.iter().all(|check| check.holds);
        if is_sound && self.elsewhere.is_some() {
            return "the receipt was NOT checked by its chain, so nothing says that it holds";
        }
        let asked = self.of(CheckKind::Chain).is_some();
        match (self.holds, asked, self.of(CheckKind::Paid)) {
            (true, true, Some(_)) => "the receipt holds",
            (true, true, None) if self.of(CheckKind::SetAside).is_some() => {
                "the receipt holds; its batch is pending, and paid when it is final"
            }
            (true, true, None) => {
                "the receipt holds as far as it goes; who was paid was not checked"
            }
            (true, false, _) => {
                "the receipt holds as far as it goes; the chain was not asked about its batch"
            }
            (false, ..) => "the receipt does NOT hold",
        }
    }
}

impl Output for Verified {
    fn people(&self) -> String {
        // Who reads no further than the first line is not to take it for a good one.
        let headline = (!self.holds).then(|| self.in_sum().to_owned());
        let mut lines = Vec::from_iter(headline);
        lines.push(format!("task {} of job {}", self.task, self.job));
        if let (Some(account), Some(finding), Some(pay)) = (&self.account, self.finding, self.pay) {
            let finding = match finding {
                Finding::Accepted => "gave the accepted answer",
                Finding::Incorrect => "gave another answer than the accepted one",
                Finding::Failed => "failed for its own fault",
                Finding::Delayed => "was too late",
            };
            lines.push(format!("device {} {finding}", self.device));
            lines.push(words::ground(self.ground).to_owned());
            // Without the chain nobody knows whether it was.
            let was = match self.of(CheckKind::Paid) {
                Some(true) => "was",
                _ => "was to be",
            };
            lines.push(format!("account {account} {was} paid {}", display(pay.0)));
        }
        lines.push(format!(
            "batch {} with root {}{}",
            self.batch,
            self.verdicts_root,
            match self.batch_state {
                None => String::new(),
                Some(BatchState::Pending { due }) =>
                    format!(", pending: final when height {due} is, by the chain's clock"),
                Some(BatchState::Final { at }) => format!(", final since block {at}"),
                Some(BatchState::Struck { at }) => format!(", struck in block {at}"),
            }
        ));
        for check in &self.checks {
            lines.push(match check.holds {
                true => format!("✓ {}", check.words),
                false => format!("✗ does not hold: {}", check.words),
            });
        }
        lines.extend(
            self.proven_by
                .iter()
                .map(|shown| format!("✓ {}", shown.words())),
        );
        if self.proven_by.iter().any(Shown::is_signed) {
            lines.push(format!(
                "– taken as true: that the chain is the one that begins with block {}",
                Elsewhere::asked(self.elsewhere, self.genesis)
            ));
        }
        if let Some(elsewhere) = self.elsewhere {
            lines.push(format!("✗ not checked: {}", elsewhere.words(self.genesis)));
        }
        if !self.proven_by.is_empty() && self.of(CheckKind::Paid).is_some() {
            lines.push(
                "– taken as true: that payments are what the node's description of the runtime makes of the proven events"
                    .into(),
            );
        }
        lines.extend(self.left_out().map(|what| format!("– not checked: {what}")));
        lines.push(self.in_sum().into());
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests;
