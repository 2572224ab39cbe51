//! Checking a receipt file: what can be checked of it alone, and what needs the chain.

use codec::Encode;
use quern_job_rules::pay::{self, Tariff};
use quern_primitives::{
    AccountId, Amount,
    batch::BatchRecord,
    job::{Agreement, Job},
    receipt::Exit,
    verdict::{Finding, Ground, ReceiptFile, Verdict},
    view::DeviceView,
};
use quern_verdict::receipt_digest;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// One check of a receipt file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// The device signed the receipt, for this chain.
    Signature,
    /// Receipt and verdict are about the same task.
    SameTask,
    /// The verdict names this receipt's replica, device and digest.
    Named,
    /// The verdict's finding follows from receipt and accepted answer.
    Finding,
    /// Everybody's pay follows from the price.
    Pay,
    /// The verdict is under the batch's root.
    Proof,
    /// The root is the one that the chain settled.
    Chain,
    /// The ground on which the answer was accepted is one that the agreement of the job on the chain
    /// allows, and who answered what makes it one.
    Agreement,
    /// The device ran the program of the job on the chain, in the job's class.
    Program,
    /// The task's price follows from the accepted answer's fuel, by the tariff of the job on the
    /// chain.
    Price,
    /// No device of the verdict belonged to another account than the verdict names, as far as the
    /// chain knew the devices when the batch was settled.
    Account,
    /// The transaction that settled the batch paid each account at least what the verdict names.
    Paid,
}

impl CheckKind {
    /// What the check says, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Signature => "the device signed the receipt, for this chain",
            Self::SameTask => "receipt and verdict are about the same task of the same job",
            Self::Named => "the verdict names this very receipt",
            Self::Finding => "the device's finding follows from its answer and the accepted one",
            Self::Pay => "the pay of every replica follows from the task's price",
            Self::Proof => "the verdict is part of the batch",
            Self::Chain => "the batch is the one that the chain settled",
            Self::Agreement => "the answer was accepted as the job's agreement allows",
            Self::Program => "the device ran the job's program, in the job's class",
            Self::Price => "the task's price follows from the fuel used, by the job's tariff",
            Self::Account => "no device was of another account than the verdict names",
            Self::Paid => "the settling transaction paid every account what the verdict names",
        }
    }
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The check.
    pub check: CheckKind,
    /// Whether it holds.
    pub holds: bool,
}

/// Checks what needs nothing but the file.
pub fn verify_file(file: &ReceiptFile) -> Vec<Check> {
    let (receipt, verdict) = (&file.receipt.payload, &file.verdict);
    let named = verdict.replicas.iter().find(|found| {
        found.replica == receipt.replica
            && found.device == receipt.device
            && found.receipt == Some(receipt_digest(&file.receipt))
    });
    let agrees = receipt.answer() == verdict.answer;
    let finding = named.is_some_and(|named| match named.finding {
        Finding::Accepted => agrees,
        Finding::Incorrect => !agrees,
        Finding::Failed | Finding::Delayed => false,
    });
    let checks = [
        (
            CheckKind::Signature,
            file.receipt.is_signed_by(&receipt.device, &file.genesis),
        ),
        (
            CheckKind::SameTask,
            (receipt.job, receipt.task) == (verdict.job, verdict.task),
        ),
        (CheckKind::Named, named.is_some()),
        (CheckKind::Finding, finding),
        (CheckKind::Pay, pay_follows(file)),
        (
            CheckKind::Proof,
            file.proof.holds(&file.verdicts_root, &verdict.encode()),
        ),
    ];
    checks
        .into_iter()
        .map(|(check, holds)| Check { check, holds })
        .collect()
}

/// Checks the file's root against what the chain settled.
pub fn verify_batch(file: &ReceiptFile, settled: Option<&BatchRecord>) -> Check {
    let holds = settled.is_some_and(|batch| batch.verdicts_root == file.verdicts_root);
    Check {
        check: CheckKind::Chain,
        holds,
    }
}

/// Checks the verdict against the agreement of the job that the chain has: whether its ground is one
/// that the agreement allows, and whether those who answered so make it one. An account has one voice,
/// however many of its devices answered. What a referee computed is not computed again here.
pub fn verify_agreement(file: &ReceiptFile, job: Option<&Job>) -> Check {
    let verdict = &file.verdict;
    Check {
        check: CheckKind::Agreement,
        holds: job.is_some_and(|job| is_accepted(verdict, job.submission.agreement)),
    }
}

fn is_accepted(verdict: &Verdict, agreement: Agreement) -> bool {
    let accounts = |wanted: Finding| -> BTreeSet<&AccountId> {
        let found = verdict.replicas.iter();
        found
            .filter(|found| found.finding == wanted)
            .map(|found| &found.account)
            .collect()
    };
    let (accepted, others) = (accounts(Finding::Accepted), accounts(Finding::Incorrect));
    let is_split = !others.is_empty();
    let others = others.difference(&accepted).count();
    let accepted = accepted.len();
    let heard = accepted.saturating_add(others);
    let is_allowed = match (agreement, verdict.ground) {
        (
            Agreement::Single,
            Ground::Trusted | Ground::Unanimous | Ground::Majority | Ground::Referee,
        )
        // A referee is asked before a majority's job is given up.
        | (Agreement::Majority { .. }, Ground::Majority | Ground::Referee)
        | (Agreement::Unanimous, Ground::Unanimous | Ground::Referee | Ground::Vote)
        | (
            Agreement::Adaptive,
            Ground::Trusted | Ground::Unanimous | Ground::Referee | Ground::Vote,
        ) => true,
        (Agreement::Single | Agreement::Majority { .. } | Agreement::Unanimous, _)
        | (Agreement::Adaptive, Ground::Majority) => false,
    };
    let quorum = usize::from(agreement.quorum());
    let fails = verdict.answer.exit != Exit::Success;
    is_allowed
        && match verdict.ground {
            // That a program fails is not believed on one device's word.
            Ground::Trusted => accepted == 1 && others == 0 && !fails,
            Ground::Unanimous => accepted > 1 && others == 0,
            Ground::Majority => accepted > others && accepted >= quorum.max(2),
            // More than half of at least three.
            Ground::Vote => accepted > others && heard > 2,
            // Asked where answers differ; then somebody is wrong, if not all.
            // That the program fails takes a device beside the referee.
            Ground::Referee => heard > 1 && is_split && (!fails || accepted > 0),
        }
}

/// Checks program and class of the receipt against the job that the chain has.
pub fn verify_program(file: &ReceiptFile, job: Option<&Job>) -> Check {
    let receipt = &file.receipt.payload;
    let holds = job.is_some_and(|job| {
        let wanted = (job.submission.program, job.submission.class);
        (receipt.program, receipt.class) == wanted
    });
    Check {
        check: CheckKind::Program,
        holds,
    }
}

/// Checks the task's price against the job that the chain has. A program that fails costs nothing, nor
/// does an answer that no device gave.
pub fn verify_price(file: &ReceiptFile, job: Option<&Job>) -> Check {
    let verdict = &file.verdict;
    let holds = job
        .and_then(|job| Tariff::of_job(job).ok())
        .is_some_and(|tariff| verdict.price == price_of(verdict, &tariff));
    Check {
        check: CheckKind::Price,
        holds,
    }
}

/// Checks the accounts of the verdict against those of the devices that the chain knew when the batch
/// was settled. A device that was retired by then is passed over: the chain keeps no account of it.
pub fn verify_accounts(file: &ReceiptFile, known: &[DeviceView]) -> Check {
    let holds = known.iter().all(|view| {
        let mut found = file.verdict.replicas.iter();
        found.all(|found| found.device != view.id || found.account == view.device.account)
    });
    Check {
        check: CheckKind::Account,
        holds,
    }
}

/// Checks the verdict's pay against the payments of the transaction that settled the batch; there are
/// none if the chain settled none. The transaction settles other verdicts too, so an account may have
/// got more.
pub fn verify_paid(file: &ReceiptFile, payments: Option<&[(AccountId, Amount)]>) -> Check {
    let named = file.verdict.replicas.iter();
    let named = sum_by_account(named.map(|found| (&found.account, found.pay)));
    let holds = payments.is_some_and(|payments| {
        let paid = sum_by_account(payments.iter().map(|(account, amount)| (account, *amount)));
        named.zip(paid).is_some_and(|(named, paid)| {
            let mut named = named.into_iter();
            named.all(|(account, pay)| paid.get(account).copied().unwrap_or(0) >= pay)
        })
    });
    Check {
        check: CheckKind::Paid,
        holds,
    }
}

/// What each account gets, unless that is more than there can be.
fn sum_by_account<'a>(
    amounts: impl Iterator<Item = (&'a AccountId, Amount)>,
) -> Option<BTreeMap<&'a AccountId, Amount>> {
    let mut sums = BTreeMap::new();
    for (account, amount) in amounts {
        let sum: &mut Amount = sums.entry(account).or_default();
        *sum = sum.checked_add(amount)?;
    }
    Some(sums)
}

fn price_of(verdict: &Verdict, tariff: &Tariff) -> Amount {
    let mut found = verdict.replicas.iter();
    let is_given = found.any(|found| found.finding == Finding::Accepted);
    match verdict.answer.exit {
        Exit::Success if is_given => tariff.price(verdict.answer.fuel),
        _ => 0,
    }
}

fn pay_follows(file: &ReceiptFile) -> bool {
    let verdict = &file.verdict;
    let accepted = verdict
        .replicas
        .iter()
        .filter(|found| found.finding == Finding::Accepted)
        .count();
    let Ok(accepted) = u8::try_from(accepted) else {
        return false;
    };
    let share = pay::pays(verdict.price, accepted);
    let fails = verdict.answer.exit != Exit::Success;
    (!fails || verdict.price == 0)
        && verdict.replicas.iter().all(|found| match found.finding {
            Finding::Accepted => found.pay == share,
            _ => found.pay == 0,
        })
}
