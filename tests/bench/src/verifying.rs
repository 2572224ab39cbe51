//! How many receipts a second one thread verifies: all that `quern verify` checks of a file alone.
//!
//! That is, of each of a full batch's 4,096 receipts: reading its file as it is saved, in JSON, the device's signature, whether the
//! verdict names this very receipt, its finding and its pay, and the verdict's path to the batch's root.
//! It is held against the signatures alone, over digests that are ready, checked in the same run.
//!
//! Signatures are checked one by one on both sides. To check many at a time costs less, and finds some
//! to hold that do not hold alone (it looks at the sum, in which what lies in the curve's small subgroup
//! falls away); what an auditor is told would then depend on which receipts lay beside it, and differ
//! from what the chain says in a dispute.

use crate::report::{Bar, Row, say, title};
use anyhow::{Context as _, ensure};
use codec::Encode as _;
use quern_owner::verify_file;
use quern_primitives::{
    device::Class,
    ids::{AccountId, DeviceId, Digest, GenesisHash, JobId, ProgramHash, RevealSalt, TaskIndex},
    limits::VERDICTS_PER_BATCH_MAX,
    merkle::Tree,
    payload::{DeviceKey, DeviceSignature, SignedPayload as _, verify},
    receipt::{Answer, Exit, Receipt, SignedReceipt},
    verdict::{Finding, Ground, ReceiptFile, ReplicaFinding, Verdict},
};
use quern_recheck::verify_receipts;
use quern_verdict::receipt_digest;
use std::time::Instant;

pub(crate) const NAME: &str = "verify_receipts_per_s";

/// The least part of what signatures alone are.
const RATIO_MIN: f64 = 0.7;

/// So often all is timed, and the fastest is taken: what else the machine does only makes it slower.
const ROUNDS: usize = 3;

const DEVICES: u8 = 64;
const GENESIS: GenesisHash = GenesisHash([9; 32]);
const JOB: JobId = JobId([7; 32]);
const ANSWER: Answer = Answer {
    result_commitment: Digest([3; 32]),
    result_bytes: 0,
    fuel: 1,
    exit: Exit::Success,
};

/// What is signed of a receipt, by whom, and how.
type Raw = (DeviceSignature, [u8; 32], DeviceId);

pub(crate) fn measure() -> anyhow::Result<Row> {
    title("Verifying the 4,096 receipts of a batch, on one thread");
    let (receipts, files) = batch()?;
    let raw: Vec<Raw> = receipts
        .iter()
        .map(|signed| {
            let digest = signed.payload.signing_digest(&GENESIS);
            (signed.signature, digest, signed.payload.device)
        })
        .collect();
    let mut bulk = Vec::new();
    receipts.iter().for_each(|it| it.encode_to(&mut bulk));
    let (mut alone, mut whole, mut in_bulk) = (0.0, 0.0, 0.0);
    for _ in 0..ROUNDS {
        alone = per_s(alone, || check_signatures(&raw))?;
        whole = per_s(whole, || check_files(&files))?;
        in_bulk = per_s(in_bulk, || check_bulk(&bulk))?;
    }
    say(&format!(
        "{whole:.0} files a second; {in_bulk:.0} receipts without verdict and path; {alone:.0} signatures"
    ));
    let row = Row::new(
        NAME,
        (whole, "receipts/s"),
        ("the same signatures, over digests that are ready", alone),
    );
    Ok(row.with_bar(Bar::RatioAtLeast(RATIO_MIN)))
}

/// How many of a batch's receipts a second that does, or did before if that was faster.
fn per_s(before: f64, check: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let start = Instant::now();
    check()?;
    let seconds = start.elapsed().as_secs_f64();
    Ok(before.max(f64::from(VERDICTS_PER_BATCH_MAX) / seconds))
}

fn check_signatures(raw: &[Raw]) -> anyhow::Result<()> {
    let mut raw = raw.iter();
    let holds = raw.all(|(signature, digest, device)| verify(signature, digest, device));
    ensure!(holds, "a signature does not hold");
    Ok(())
}

fn check_bulk(receipts: &[u8]) -> anyhow::Result<()> {
    let count = verify_receipts(receipts, &GENESIS)?;
    ensure!(
        count == u64::from(VERDICTS_PER_BATCH_MAX),
        "receipts are missing"
    );
    Ok(())
}

fn check_files(files: &[Vec<u8>]) -> anyhow::Result<()> {
    for file in files {
        let file: ReceiptFile = serde_json::from_slice(file)?;
        let failed = verify_file(&file).into_iter().find(|check| !check.holds);
        ensure!(failed.is_none(), "a check of a receipt fails: {failed:?}");
    }
    Ok(())
}

/// The receipts of a batch, and the file of each as it is kept.
fn batch() -> anyhow::Result<(Vec<SignedReceipt>, Vec<Vec<u8>>)> {
    let keys: Vec<_> = (0..DEVICES)
        .map(|number| DeviceKey::from_seed(&[number; 32]))
        .collect();
    let each = (0..VERDICTS_PER_BATCH_MAX).zip(keys.iter().cycle());
    let receipts: Vec<_> = each
        .map(|(task, key)| key.sign(receipt(task, key.id()), &GENESIS))
        .collect();
    let verdicts: Vec<_> = receipts.iter().map(verdict).collect();
    let tree = Tree::new(verdicts.iter().map(|verdict| verdict.encode()));
    let files = receipts.iter().zip(verdicts).map(|(receipt, verdict)| {
        let file = ReceiptFile {
            genesis: GENESIS,
            receipt: receipt.clone(),
            batch: 0,
            verdicts_root: tree.root(),
            proof: tree.proof(verdict.task).context("a task is no leaf")?,
            verdict,
        };
        Ok(serde_json::to_vec_pretty(&file)?)
    });
    let files = files.collect::<anyhow::Result<_>>()?;
    Ok((receipts, files))
}

fn receipt(task: TaskIndex, device: DeviceId) -> Receipt {
    Receipt {
        job: JOB,
        task,
        replica: 0,
        device,
        program: ProgramHash([2; 32]),
        input_root: Digest([4; 32]),
        question: Digest([46; 32]),
        result_commitment: ANSWER.result_commitment,
        output_root: Digest([5; 32]),
        result_bytes: ANSWER.result_bytes,
        fuel: ANSWER.fuel,
        exit: ANSWER.exit,
        class: Class::Pinned,
        engine: Digest([6; 32]),
        log_position: u64::from(task) * 3,
        salt: RevealSalt([90; 32]),
    }
}

/// The verdict that one device's word alone makes.
fn verdict(signed: &SignedReceipt) -> Verdict {
    let Receipt { task, device, .. } = signed.payload;
    let found = ReplicaFinding {
        replica: 0,
        device,
        account: AccountId::new(device.0),
        finding: Finding::Accepted,
        receipt: Some(receipt_digest(signed)),
        pay: 70,
    };
    Verdict {
        job: JOB,
        task,
        answer: ANSWER,
        ground: Ground::Trusted,
        price: 100,
        replicas: vec![found],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_what_it_should_be_is_no_measurement() -> anyhow::Result<()> {
        let (mut receipts, mut files) = batch()?;
        check_files(&files)?;
        let last = files.len() - 1;
        let mut file: ReceiptFile = serde_json::from_slice(&files[last])?;
        file.verdict.price += 1;
        files[last] = serde_json::to_vec_pretty(&file)?;
        assert!(check_files(&files).is_err());
        receipts.swap(0, 1);
        let (first, second) = (&receipts[0], &receipts[1]);
        let digest = first.payload.signing_digest(&GENESIS);
        let raw = [(second.signature, digest, first.payload.device)];
        assert!(check_signatures(&raw).is_err());
        Ok(())
    }
}
