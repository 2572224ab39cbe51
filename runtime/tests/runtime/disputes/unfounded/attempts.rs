//! Every kind of evidence, and every call about a dispute that is open, in the forms that come to nothing:
//! refused, or in order and proving nothing.

mod batch;
mod signed;

use crate::disputes::{
    Error,
    case::{Case, node},
    other_answer, verdicts_of,
};
use codec::Encode;
use frame_support::traits::GetCallName;
use quern_dispute_rules::{
    Evidence, Question, Reply,
    evidence::{BatchName, Certified, Leaf, Withheld},
    open::{DisputeId, DisputeView, Matter},
    sum::Step,
    verdict::receipt_digest,
};
use quern_joblog::{Entry, Header, SignedHeader};
use quern_primitives::{BlockNumber, GenesisHash, JobId, group::Group, payload::NodeSecret};
use quern_runtime::Runtime;
use scale_info::{TypeDef, TypeInfo};
use sp_keyring::Sr25519Keyring::{self, Eve, Ferdie};
use sp_runtime::DispatchResult;
use std::{array, collections::BTreeSet};

pub(super) type Call = quern_disputes::Call<Runtime>;

const ELSEWHERE: GenesisHash = GenesisHash([9; 32]);
const NO_JOB: JobId = JobId([0x99; 32]);
const NO_BATCH: u32 = 70;
const NO_TASK: u32 = 70;
const NO_DISPUTE: DisputeId = 70;

/// A device that nobody registered.
const NO_DEVICE: usize = 9;

/// The ways in which each kind of evidence is refused, at the least.
const REFUSALS_MIN: usize = 3;

/// A call that comes to nothing.
pub(super) struct Attempt {
    pub(super) sender: Sr25519Keyring,
    pub(super) call: Call,
    /// It is refused, or it is in order and costs the bond.
    pub(super) outcome: DispatchResult,
}

/// What evidence that is in order and proves nothing comes to behind the window of its batch; `None` if
/// evidence of its kind proves something whenever it is in order.
fn in_order(evidence: &Evidence) -> Option<DispatchResult> {
    match evidence {
        Evidence::Verdict { .. }
        | Evidence::Receipt { .. }
        | Evidence::Unassigned { .. }
        | Evidence::OtherVerdict { .. }
        | Evidence::Omission { leaf: Some(_), .. }
        | Evidence::Assignment { .. }
        | Evidence::WrongAnswer(_)
        | Evidence::OtherBatch { .. }
        | Evidence::OtherLane { .. } => Some(Ok(())),
        Evidence::Payouts { .. }
        | Evidence::Omission { leaf: None, .. }
        | Evidence::Withheld { .. } => Some(Err(Error::WindowOver.into())),
        Evidence::Blocks { .. }
        | Evidence::Certificates { .. }
        | Evidence::Entries { .. }
        | Evidence::Answers { .. }
        | Evidence::FalseReport(_) => None,
    }
}

/// The batch that evidence names; `None` if it is about what was signed, whatever the batch.
fn batch_of(evidence: &mut Evidence) -> Option<&mut BatchName> {
    match evidence {
        Evidence::Verdict { batch, .. }
        | Evidence::Receipt { batch, .. }
        | Evidence::Unassigned { batch, .. }
        | Evidence::OtherVerdict { batch, .. }
        | Evidence::Payouts { batch }
        | Evidence::Omission { batch, .. }
        | Evidence::Withheld { batch, .. }
        | Evidence::Assignment { batch, .. }
        | Evidence::OtherBatch { batch, .. }
        | Evidence::OtherLane { batch, .. } => Some(batch),
        Evidence::WrongAnswer(it) => Some(&mut it.batch),
        Evidence::Blocks { .. }
        | Evidence::Certificates { .. }
        | Evidence::Entries { .. }
        | Evidence::Answers { .. }
        | Evidence::FalseReport(_) => None,
    }
}

/// A leaf at a place where it is not, one with other bytes, and one without its proof.
fn not_in_batch(leaf: &Leaf) -> [Leaf; 3] {
    let [mut moved, mut changed, mut bare]: [Leaf; 3] = array::from_fn(|_| leaf.clone());
    moved.place ^= 1;
    changed.bytes[0] ^= 1;
    bare.siblings.clear();
    [moved, changed, bare]
}

/// An entry of an earlier block without the way to the head, one at a place where it is not, and one under
/// another header.
fn not_in_log(entry: &Certified) -> [Certified; 3] {
    let [mut lost, mut moved, mut changed]: [Certified; 3] = array::from_fn(|_| entry.clone());
    lost.links.clear();
    moved.logged.place += 1;
    changed.logged.header.payload.time_ms += 1;
    [lost, moved, changed]
}

/// The same header as if it were of a job that is not there.
fn of_no_job(header: SignedHeader) -> SignedHeader {
    SignedHeader {
        payload: Header {
            job: NO_JOB,
            ..header.payload
        },
        ..header
    }
}

/// The entry with a task's verdict.
pub(super) fn judged(case: &Case, task: u32) -> u64 {
    case.position(|it| matches!(it, Entry::Judged { verdict } if verdict.task == task))
}

/// A question of each kind that there is, to be asked of the batch while its window is open.
pub(super) fn questions(case: &Case) -> Vec<Evidence> {
    let batch = case.name();
    let withheld = |what| Evidence::Withheld { batch, what };
    let leaf = case.leaf(1);
    vec![
        Evidence::Omission {
            batch,
            acknowledgement: case.acknowledge(&case.receipts[0]),
            leaf: None,
        },
        withheld(Withheld::Verdict { task: 1 }),
        withheld(Withheld::Receipt {
            leaf: leaf.clone(),
            finding: 2,
        }),
        withheld(Withheld::Report { leaf }),
    ]
}

/// What answers a question, as anybody can show it who has the log; a referee is the group's first that does
/// not coordinate.
pub(super) fn answer_to(question: &Question, case: &Case, group: &Group) -> Reply {
    let verdict = |task: u32| Reply::Verdict(case.leaf(task as usize));
    match question {
        Question::Omission { acknowledgement } => verdict(acknowledgement.task),
        Question::Verdict { task } => verdict(*task),
        Question::Receipt { receipt } => {
            let mut all = case.receipts.iter();
            let shown = all.find(|it| receipt_digest(it) == *receipt).unwrap();
            Reply::Receipt(Box::new(shown.clone()))
        }
        Question::Report { task, answer } => {
            let mut members = group.members.iter();
            let other = members.find(|it| it.account != case.coordinator).unwrap();
            let referee = node(&other.account);
            let report = referee.sign(case.report(*task, *answer), &case.genesis);
            Reply::Report {
                report: Box::new(report),
                node: referee.public(),
            }
        }
    }
}

/// All of them, over a batch behind its window about which these disputes are open.
pub(super) fn all(
    case: &Case,
    group: &Group,
    open: &[DisputeView],
    now: BlockNumber,
) -> Vec<Attempt> {
    let mut attempts = Attempts::new(case, group);
    attempts.verdicts();
    attempts.receipts();
    attempts.unassigned();
    attempts.other_verdicts();
    attempts.blocks();
    attempts.certificates();
    attempts.entries();
    attempts.in_order(Evidence::Payouts { batch: case.name() });
    attempts.omissions();
    attempts.withheld();
    attempts.assignments();
    attempts.answers();
    attempts.wrong_answers();
    attempts.false_reports();
    attempts.other_batches();
    attempts.about_none();
    for dispute in open {
        attempts.about(dispute, now);
    }
    attempts.all
}

/// The numbers of an enum's variants.
fn variants<T: TypeInfo>() -> BTreeSet<u8> {
    match T::type_info().type_def {
        TypeDef::Variant(it) => it.variants.iter().map(|it| it.index).collect(),
        other => panic!("no enum: {other:?}"),
    }
}

fn variant(of: &impl Encode) -> u8 {
    of.encode()[0]
}

/// Every kind of evidence is among them, refused for different reasons, and in order if there is such a
/// thing; and so are every call, everything that can be asked for, and every kind of answer.
pub(super) fn assert_whole(attempts: &[Attempt], open: &[DisputeView]) {
    let (mut asked, mut withheld, mut replies) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for attempt in attempts {
        match &attempt.call {
            Call::dispute { evidence } => {
                if let Evidence::Withheld { what, .. } = &**evidence {
                    withheld.insert(variant(what));
                }
            }
            Call::answer { reply, .. } => {
                replies.insert(variant(&**reply));
            }
            _ => {}
        }
    }
    for view in open {
        if let Matter::Asked(question) = &view.dispute.matter {
            asked.insert(variant(question));
        }
    }
    assert_eq!(asked, variants::<Question>());
    assert_eq!(withheld, variants::<Withheld>());
    assert_eq!(replies, variants::<Reply>());
    let called = attempts.iter().map(|it| it.call.get_call_name());
    let called: BTreeSet<_> = called.collect();
    let there_are: BTreeSet<_> = Call::get_call_names().iter().copied().collect();
    assert_eq!(called, there_are);
    for kind in variants::<Evidence>() {
        let shown = attempts.iter().filter_map(|it| match &it.call {
            Call::dispute { evidence } => Some((&**evidence, it.outcome)),
            _ => None,
        });
        let shown = shown.filter(|(evidence, _)| variant(*evidence) == kind);
        let (mut refusals, mut costs_bond, mut may_cost_bond) = (BTreeSet::new(), false, false);
        for (evidence, outcome) in shown {
            costs_bond |= outcome.is_ok();
            may_cost_bond |= in_order(evidence) == Some(Ok(()));
            refusals.extend(outcome.err().map(|error| format!("{error:?}")));
        }
        assert!(refusals.len() >= REFUSALS_MIN, "{kind}: {refusals:?}");
        assert_eq!(costs_bond, may_cost_bond, "{kind}");
    }
}

struct Attempts<'a> {
    case: &'a Case,
    group: &'a Group,
    /// Another log of the job, which its coordinator did not sign, but Ferdie.
    forged: Case,
    /// The same as its coordinator signed it for another chain.
    elsewhere: Case,
    all: Vec<Attempt>,
}

impl<'a> Attempts<'a> {
    fn new(case: &'a Case, group: &'a Group) -> Self {
        let mut forged = case.clone();
        forged.coordinator = Ferdie.to_account_id();
        for entry in &mut forged.entries {
            match entry {
                Entry::Assigned { account, .. } => *account = Ferdie.to_account_id(),
                Entry::Judged { verdict } => verdict.answer = other_answer(),
                _ => {}
            }
        }
        forged.write_log();
        let mut elsewhere = forged.clone();
        elsewhere.coordinator = case.coordinator.clone();
        elsewhere.genesis = ELSEWHERE;
        elsewhere.write_log();
        Self {
            case,
            group,
            forged,
            elsewhere,
            all: vec![],
        }
    }

    fn writer(&self) -> NodeSecret {
        node(&self.case.coordinator)
    }

    fn stranger() -> NodeSecret {
        node(&Ferdie.to_account_id())
    }

    fn send(&mut self, sender: Sr25519Keyring, call: Call, outcome: DispatchResult) {
        self.all.push(Attempt {
            sender,
            call,
            outcome,
        });
    }

    fn refused(&mut self, evidence: Evidence, error: Error) {
        let evidence = Box::new(evidence);
        self.send(Ferdie, Call::dispute { evidence }, Err(error.into()));
    }

    /// As it is, and as if it were of a job and of a batch that are not there.
    fn in_order(&mut self, evidence: Evidence) {
        let outcome = in_order(&evidence).unwrap();
        let (mut of_no_job, mut of_no_batch) = (evidence.clone(), evidence.clone());
        batch_of(&mut of_no_job).unwrap().job = NO_JOB;
        batch_of(&mut of_no_batch).unwrap().sequence = NO_BATCH;
        let evidence = Box::new(evidence);
        self.send(Ferdie, Call::dispute { evidence }, outcome);
        self.refused(of_no_job, Error::JobUnknown);
        self.refused(of_no_batch, Error::NotPending);
    }

    /// Calls about a dispute that is not there.
    fn about_none(&mut self) {
        let id = NO_DISPUTE;
        let verdicts = verdicts_of(self.case);
        let reply = Box::new(Reply::Verdict(self.case.leaf(0)));
        let calls = [
            Call::step { id, verdicts },
            Call::answer { id, reply },
            Call::expire { id },
        ];
        for call in calls {
            self.send(Ferdie, call, Err(Error::DisputeUnknown.into()));
        }
    }

    /// Calls about a dispute that Ferdie began.
    fn about(&mut self, view: &DisputeView, now: BlockNumber) {
        let (id, matter) = (view.id, view.dispute.matter);
        let case = self.case;
        let verdicts = verdicts_of(case);
        let leaf = || Box::new(Reply::Verdict(case.leaf(0)));
        let mut calls = vec![];
        if now > view.dispute.until {
            let reply = leaf();
            calls.push((Call::step { id, verdicts }, Error::TimeOver));
            calls.push((Call::answer { id, reply }, Error::TimeOver));
        } else {
            calls.push((Call::expire { id }, Error::TimeRemains));
            match matter {
                Matter::Adding => {
                    let reply = leaf();
                    calls.push((Call::answer { id, reply }, Error::NothingToAnswer));
                    let mut longer = verdicts.clone();
                    longer.try_push(verdicts[0].clone()).unwrap();
                    for verdicts in [Step::default(), longer] {
                        calls.push((Call::step { id, verdicts }, Error::WrongStep));
                    }
                    let step = Call::step { id, verdicts };
                    self.send(Eve, step, Err(Error::NotDisputer.into()));
                }
                Matter::Asked(question) => {
                    calls.push((Call::step { id, verdicts }, Error::NothingToAdd));
                    for (reply, error) in self.no_replies(&question) {
                        let reply = Box::new(reply);
                        calls.push((Call::answer { id, reply }, error));
                    }
                }
            }
        }
        for (call, error) in calls {
            self.send(Ferdie, call, Err(error.into()));
        }
    }

    /// What answers another question, and what would answer this one and is spoilt.
    fn no_replies(&self, question: &Question) -> Vec<(Reply, Error)> {
        let answer = |question: &Question| answer_to(question, self.case, self.group);
        let reply = answer(question);
        let receipt = receipt_digest(&self.case.receipts[0]);
        let others = [
            Question::Verdict { task: 0 },
            Question::Verdict { task: 1 },
            Question::Receipt { receipt },
            Question::Report {
                task: 0,
                answer: other_answer(),
            },
            Question::Report {
                task: 1,
                answer: other_answer(),
            },
        ];
        let others = others.iter().map(answer).filter(|it| *it != reply);
        let mut all: Vec<_> = others.map(|it| (it, Error::NoReply)).collect();
        match reply {
            Reply::Verdict(leaf) => {
                let leaves = not_in_batch(&leaf).map(Reply::Verdict);
                all.extend(leaves.map(|it| (it, Error::NotInBatch)));
            }
            Reply::Receipt(mut receipt) => {
                receipt.signature.0[3] ^= 1;
                all.push((Reply::Receipt(receipt), Error::NoReply));
            }
            Reply::Report { report, node } => {
                let stranger = Self::stranger();
                let said = report.payload;
                let mut unsigned = report.clone();
                unsigned.signature.0[3] ^= 1;
                let forged = Box::new(stranger.sign(said, &self.case.genesis));
                // What it gives out it does not judge.
                let coordinator = crate::disputes::case::node(&self.case.coordinator);
                let own = Box::new(coordinator.sign(said, &self.case.genesis));
                let of_several = [
                    vec![],
                    vec![(node, unsigned.signature)],
                    vec![(stranger.public(), forged.signature)],
                    vec![(node, report.signature); 2],
                ];
                let of_several = of_several.map(|signed| Reply::reports(said, signed));
                all.extend(of_several.map(|reply| (reply, Error::NoReply)));
                let spoilt = [
                    (unsigned, node),
                    (forged.clone(), node),
                    (forged, stranger.public()),
                    (report, stranger.public()),
                    (own, coordinator.public()),
                ];
                all.extend(spoilt.map(|(report, node)| {
                    let reply = Reply::Report { report, node };
                    (reply, Error::NoReply)
                }));
            }
            Reply::Reports { .. } => unreachable!("the job asks for one referee"),
        }
        all
    }
}
