//! What is disputed and what was proved, in words.

use quern_dispute_rules::{
    Evidence, Question,
    evidence::Withheld,
    open::Matter,
    ruling::{Offence, Place, ReceiptLie, VerdictLie},
};

/// What was proved.
pub(super) fn offence(offence: Offence) -> &'static str {
    match offence {
        Offence::Verdict(lie) => verdict_lie(lie),
        Offence::Receipt(lie) => receipt_lie(lie),
        Offence::Unassigned => "a receipt is of a replica that its device was not given",
        Offence::OtherVerdict => "the log has another verdict on a task than the batch",
        Offence::TwoBlocks => "two blocks were signed of which no log has both",
        Offence::TwoCertificates => "both branches of a log were certified",
        Offence::TwoVerdicts => "two verdicts were written down for one task",
        Offence::TwoBatches => "two batches of one number were written down",
        Offence::Payouts => "a batch does not pay what its verdicts make",
        Offence::Omission => "acknowledged work is not in the task's verdict",
        Offence::Silence => "what a batch rests on was not shown in time",
        Offence::Assignment => "a replica was given to a device that could not have it",
        Offence::TwoAnswers => "a device signed two answers for one replica",
        Offence::WrongAnswer => "a device's answer is not what most of the group computed",
        Offence::FalseReport => "a referee's report is not what most of the group computed",
        Offence::OtherBatch => "a batch was settled otherwise than its coordinator wrote it down",
        Offence::OtherLane => "a replica was given in a lane in which its account is not",
    }
}

fn verdict_lie(lie: VerdictLie) -> &'static str {
    match lie {
        VerdictLie::Malformed => "a batch has something in the place of a verdict that is none",
        VerdictLie::OtherJob => "a batch has a verdict of another job",
        VerdictLie::OtherTask => "a verdict stands in the place of another task's",
        VerdictLie::Failing => "a batch settles a task whose program fails",
        VerdictLie::Replicas => "a verdict names replicas that cannot be",
        VerdictLie::Backing => "a verdict names too few receipts for its ground",
        VerdictLie::Trust => "a device was believed alone that is not to be",
        VerdictLie::Price => "a verdict has another price than the rules give",
        VerdictLie::Pay => "a verdict pays a replica another share than the rules give",
    }
}

fn receipt_lie(lie: ReceiptLie) -> &'static str {
    match lie {
        ReceiptLie::Other => "a verdict names a receipt of another replica",
        ReceiptLie::Input => "a verdict names a receipt about another input",
        ReceiptLie::OverLimit => "a verdict names a receipt beyond the task's limits",
        ReceiptLie::Signature => "a verdict names a receipt that its device did not sign",
        ReceiptLie::Answer => "a verdict finds another answer than the receipt has",
    }
}

/// What it was proved of.
pub(super) fn place(place: &Place) -> String {
    match place {
        Place::Batch(sequence) => format!("batch {sequence}"),
        Place::Signer(account) => format!("masternode {account}"),
        Place::Receipt(digest) => format!("receipt {digest}"),
        Place::Replica(task, replica, device) => {
            format!("task {task}, replica {replica}, device {device}")
        }
        Place::Report(task, account) => format!("task {task}, masternode {account}"),
    }
}

/// What an open dispute waits for.
pub(super) fn matter(matter: &Matter) -> String {
    match matter {
        Matter::Adding => "the batch's verdicts, one after the other".into(),
        Matter::Asked(Question::Omission { acknowledgement }) => format!(
            "the verdict on task {} that names receipt {}",
            acknowledgement.task, acknowledgement.receipt
        ),
        Matter::Asked(Question::Verdict { task }) => format!("the verdict on task {task}"),
        Matter::Asked(Question::Receipt { receipt }) => format!("receipt {receipt}"),
        Matter::Asked(Question::Report { task, .. }) => {
            format!("the referee's report on task {task}")
        }
    }
}

/// What evidence says.
pub(super) fn evidence(evidence: &Evidence) -> &'static str {
    match evidence {
        Evidence::Verdict { .. } => "a verdict of a batch is none that the rules give",
        Evidence::Receipt { .. } => "a receipt that a verdict names does not bear it out",
        Evidence::Unassigned { .. } => "a receipt is of a replica that its device was not given",
        Evidence::OtherVerdict { .. } => "the log has another verdict on a task than the batch",
        Evidence::Blocks { .. } => "two blocks were signed of which no log has both",
        Evidence::Certificates { .. } => "both branches of a log were certified",
        Evidence::Entries { .. } => "two things were written down of which there is one",
        Evidence::Payouts { .. } => "a batch does not pay what its verdicts make",
        Evidence::Omission { .. } => "acknowledged work is not in the task's verdict",
        Evidence::Withheld { what, .. } => match what {
            Withheld::Verdict { .. } => "nobody shows a task's verdict",
            Withheld::Receipt { .. } => "nobody shows a receipt that a verdict names",
            Withheld::Report { .. } => "nobody shows the report that a verdict rests on",
        },
        Evidence::Assignment { .. } => "a replica was given to a device that could not have it",
        Evidence::Answers { .. } => "a device signed two answers for one replica",
        Evidence::WrongAnswer(_) => "a device's answer is not what most of the group computed",
        Evidence::FalseReport(_) => "a referee's report is not what most of the group computed",
        Evidence::OtherBatch { .. } => {
            "a batch was settled otherwise than its coordinator wrote it down"
        }
        Evidence::OtherLane { .. } => "a replica was given in a lane in which its account is not",
    }
}
