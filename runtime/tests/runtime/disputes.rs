//! Disputes on the whole runtime, from evidence that devices and masternodes signed to bonds and escrow.
//! After every block the chain's own invariants are checked, and that no money was lost or made.

mod blocks;
pub(crate) mod case;
mod lanes;
mod reports;
mod unfounded;

use crate::chain::Chain;
use case::{Case, WORKERS, answer, bonded, council_sets, device, node, params};
use codec::Encode;
use quern_dispute_rules::{
    Evidence, Reply,
    evidence::Withheld,
    open::{DisputeId, Matter},
    ruling::{Offence, ReceiptLie, VerdictLie},
    sum::Step,
    verdict::receipt_digest,
};
use quern_joblog::{Entry, Fork};
use quern_primitives::{
    AccountId, Amount, DeviceId,
    amount::BYTECHIP,
    batch::BatchState,
    ids::BatchSequence,
    job::{JobEnd, JobState},
    params::Parameter,
    receipt::Answer,
};
use quern_runtime::{
    Balances, Block, Bytechip, Finality, Jobs, Runtime, RuntimeEvent, Workforce,
    apis::runtime_decl_for_quern_api::QuernApi,
    genesis::{DEV, LOCAL},
};
use sp_keyring::Sr25519Keyring::{Charlie, Ferdie};
use sp_runtime::DispatchError;

type Error = quern_disputes::Error<Runtime>;

/// What each masternode of a preset has bonded, all of which a lie costs.
const BOND: Amount = 1_000 * BYTECHIP;

fn free(chain: &mut Chain, who: &AccountId) -> Amount {
    chain.read(|| Balances::free_balance(who))
}

fn burnt(chain: &mut Chain) -> Amount {
    chain.read(Bytechip::burnt)
}

/// Ferdie shows the chain something.
fn shows(chain: &mut Chain, evidence: Evidence) -> Result<(), DispatchError> {
    let evidence = Box::new(evidence);
    let call = quern_disputes::Call::dispute { evidence };
    let results = chain.block(vec![(Ferdie, call.into())]);
    results.into_iter().next().unwrap().unwrap()
}

/// What the newest block says was proved: what, and which batch was struck.
fn proved(chain: &mut Chain) -> Option<(Offence, Option<BatchSequence>)> {
    chain.events().into_iter().find_map(|event| match event {
        RuntimeEvent::Disputes(quern_disputes::Event::LieProved {
            offence, struck, ..
        }) => Some((offence, struck)),
        _ => None,
    })
}

/// What Ferdie paid as fees of the newest block.
fn fee(chain: &mut Chain) -> Amount {
    let fees = chain.events().into_iter().filter_map(|event| match event {
        RuntimeEvent::TransactionPayment(
            pallet_transaction_payment::Event::TransactionFeePaid {
                who, actual_fee, ..
            },
        ) if who == Ferdie.to_account_id() => Some(actual_fee),
        _ => None,
    });
    fees.sum()
}

/// Ferdie shows a lie of a group of one: it pays with its bond, and if its batch is wrong, that is struck,
/// and the job is over because nobody goes on.
fn convicts(chain: &mut Chain, case: &Case, evidence: Evidence, offence: Offence, strikes: bool) {
    let ferdie = Ferdie.to_account_id();
    let (had, burnt_before) = (free(chain, &ferdie), burnt(chain));
    assert_eq!(bonded(chain, &case.coordinator), BOND);
    assert_eq!(shows(chain, evidence), Ok(()));
    after_conviction(chain, case, offence, strikes, (had, burnt_before));
}

fn after_conviction(
    chain: &mut Chain,
    case: &Case,
    offence: Offence,
    strikes: bool,
    (had, burnt_before): (Amount, Amount),
) {
    let ferdie = Ferdie.to_account_id();
    let struck = strikes.then_some(case.batch.sequence);
    assert_eq!(proved(chain), Some((offence, struck)));
    assert_eq!(bonded(chain, &case.coordinator), 0);
    let fee = fee(chain);
    assert_eq!(free(chain, &ferdie), had - fee + BOND / 5);
    assert_eq!(burnt(chain), burnt_before + BOND / 5 * 4);
    let told = chain.read(|| <Runtime as QuernApi<Block>>::convictions(case.id, None, 9));
    assert!(told.iter().any(|it| it.offence == offence), "{told:?}");
    let record = chain
        .read(|| Jobs::batch(&case.id, case.batch.sequence))
        .unwrap();
    let job = chain.read(|| Jobs::job(&case.id)).unwrap();
    if strikes {
        assert!(matches!(record.state, BatchState::Struck { .. }));
        let end = JobEnd::BatchStruck;
        assert_eq!(job.state, JobState::Completed { end });
        assert_eq!(job.escrow.refunded, job.escrow.deposited);
    } else {
        assert!(!matches!(record.state, BatchState::Struck { .. }));
    }
}

/// Ferdie disputes what is right, and loses the bond of a dispute.
fn loses(chain: &mut Chain, case: &Case, evidence: Evidence) {
    let ferdie = Ferdie.to_account_id();
    let bond = params(chain).dispute_bond;
    let (had, burnt_before) = (free(chain, &ferdie), burnt(chain));
    assert_eq!(shows(chain, evidence), Ok(()));
    assert_eq!(proved(chain), None);
    let fee = fee(chain);
    assert_eq!(free(chain, &ferdie), had - fee - bond);
    assert_eq!(burnt(chain), burnt_before + bond / 5 * 4);
    let record = chain
        .read(|| Jobs::batch(&case.id, case.batch.sequence))
        .unwrap();
    assert!(!matches!(record.state, BatchState::Struck { .. }));
}

/// What a batch pays to workers.
fn pay_of(case: &Case) -> Amount {
    case.batch.payouts.iter().map(|it| it.amount).sum()
}

/// The only dispute that is open.
fn open(chain: &mut Chain) -> Option<(DisputeId, Matter)> {
    let all = chain.read(|| <Runtime as QuernApi<Block>>::disputes(None, 9));
    assert!(all.len() <= 1, "{all:?}");
    all.first().map(|view| (view.id, view.dispute.matter))
}

fn started() -> (Chain, Case) {
    let mut chain = Chain::start(DEV);
    let case = Case::start(&mut chain);
    (chain, case)
}

fn settled() -> (Chain, Case) {
    let (mut chain, case) = started();
    case.settle(&mut chain);
    (chain, case)
}

fn other_answer() -> Answer {
    answer(9)
}

// 1. A verdict that is not backed.

#[test]
fn a_verdict_with_too_few_receipts_strikes_its_batch_and_costs_who_signed_it() {
    let (mut chain, mut case) = started();
    case.verdicts[0].replicas.truncate(1);
    case.write_batch();
    case.settle(&mut chain);
    let (batch, leaf) = (case.name(), case.leaf(0));
    let offence = Offence::Verdict(VerdictLie::Backing);
    convicts(
        &mut chain,
        &case,
        Evidence::Verdict { batch, leaf },
        offence,
        true,
    );
    // A batch falls once.
    let leaf = case.leaf(0);
    let again = shows(&mut chain, Evidence::Verdict { batch, leaf });
    assert_eq!(again, Err(Error::JobUnknown.into()));
}

#[test]
fn a_receipt_that_its_device_did_not_sign_strikes_the_batch_that_names_it() {
    let (mut chain, mut case) = started();
    let mut forged = case.receipts[0].clone();
    forged.signature.0[7] ^= 1;
    case.verdicts[0].replicas[0].receipt = Some(receipt_digest(&forged));
    case.settle(&mut chain);
    let evidence = Evidence::Receipt {
        batch: case.name(),
        leaf: case.leaf(0),
        receipt: Box::new(forged),
        input: None,
    };
    let offence = Offence::Receipt(ReceiptLie::Signature);
    convicts(&mut chain, &case, evidence, offence, true);
}

// 2. Two of which there is one.

#[test]
fn two_verdicts_on_one_task_cost_who_wrote_them_down() {
    let (mut chain, mut case) = started();
    let mut second = case.verdicts[0].clone();
    second.answer = other_answer();
    case.entries.push(Entry::Judged { verdict: second });
    case.write_log();
    case.settle(&mut chain);
    let first = case.position(|it| matches!(it, Entry::Judged { verdict } if verdict.task == 0));
    let last = case.entries.len() as u64 - 1;
    let evidence = Evidence::Entries {
        node: node(&case.coordinator).public(),
        first: Box::new(case.logged(first)),
        second: Box::new(case.logged(last)),
    };
    convicts(&mut chain, &case, evidence, Offence::TwoVerdicts, false);
}

#[test]
fn two_batches_of_one_number_cost_who_wrote_them_down() {
    let (mut chain, mut case) = started();
    for spent in [1, 2] {
        let mut batch = case.batch.clone();
        batch.spent = spent;
        case.entries.push(Entry::Batched { batch });
    }
    case.write_log();
    case.settle(&mut chain);
    let last = case.entries.len() as u64 - 1;
    let evidence = Evidence::Entries {
        node: node(&case.coordinator).public(),
        first: Box::new(case.logged(last - 1)),
        second: Box::new(case.logged(last)),
    };
    convicts(&mut chain, &case, evidence, Offence::TwoBatches, false);
}

#[test]
fn a_batch_that_is_settled_otherwise_than_it_was_written_down_is_struck() {
    let (mut chain, mut case) = started();
    let batch = case.whole_batch();
    case.entries.push(Entry::Batched { batch });
    case.write_log();
    case.batch.payouts.iter_mut().next().unwrap().amount -= 1;
    case.settle(&mut chain);
    let last = case.entries.len() as u64 - 1;
    let evidence = Evidence::OtherBatch {
        batch: case.name(),
        entry: Box::new(case.logged(last)),
    };
    convicts(&mut chain, &case, evidence, Offence::OtherBatch, true);
}

// 3. Payouts.

fn verdicts_of(case: &Case) -> Step {
    let mut step = Step::default();
    for verdict in &case.verdicts {
        step.try_push(verdict.encode().try_into().unwrap()).unwrap();
    }
    step
}

#[test]
fn payouts_that_are_not_the_sum_of_the_verdicts_are_added_up_and_strike_the_batch() {
    let (mut chain, mut case) = started();
    case.batch.payouts.iter_mut().next().unwrap().amount -= 1;
    case.settle(&mut chain);
    let ferdie = Ferdie.to_account_id();
    let (had, burnt_before) = (free(&mut chain, &ferdie), burnt(&mut chain));
    let batch = case.name();
    assert_eq!(shows(&mut chain, Evidence::Payouts { batch }), Ok(()));
    let begun = fee(&mut chain);
    assert_eq!(open(&mut chain), Some((0, Matter::Adding)));
    let wallet = chain.read(|| <Runtime as QuernApi<Block>>::wallet(ferdie.clone()));
    assert_eq!(wallet.disputes, 5 * BYTECHIP);
    let totals = chain.read(<Runtime as QuernApi<Block>>::totals);
    assert_eq!(totals.disputes, 5 * BYTECHIP);
    assert!(totals.conserves_money());
    // The window passes, and nothing is final as long as it is added up.
    chain.pass_window();
    chain.blocks(3);
    assert_eq!(chain.read(|| Jobs::pending_of(&case.id)).len(), 1);
    let verdicts = verdicts_of(&case);
    chain.does(Ferdie, quern_disputes::Call::step { id: 0, verdicts });
    let before = (had - begun, burnt_before);
    after_conviction(&mut chain, &case, Offence::Payouts, true, before);
    assert_eq!(open(&mut chain), None);
}

#[test]
fn payouts_that_are_right_cost_who_had_them_added_up() {
    let (mut chain, case) = settled();
    let batch = case.name();
    assert_eq!(shows(&mut chain, Evidence::Payouts { batch }), Ok(()));
    let ferdie = Ferdie.to_account_id();
    let had = free(&mut chain, &ferdie);
    let verdicts = verdicts_of(&case);
    chain.does(Ferdie, quern_disputes::Call::step { id: 0, verdicts });
    let fee = fee(&mut chain);
    assert_eq!(free(&mut chain, &ferdie), had - fee);
    assert_eq!(burnt(&mut chain), 4 * BYTECHIP);
    // The batch is free to become final, and pays.
    chain.pass_window();
    let job = chain.read(|| Jobs::job(&case.id)).unwrap();
    let end = JobEnd::AllSettled;
    assert_eq!(job.state, JobState::Completed { end });
}

// 4. Omissions.

/// Leaves the first worker out of the first task's verdict, as if it had not answered.
fn omit(case: &mut Case) {
    let verdict = &mut case.verdicts[0];
    verdict.replicas.remove(0);
    let tariff = quern_job_rules::pay::Tariff::of_job(&case.job).unwrap();
    for found in &mut verdict.replicas {
        found.pay = tariff.pays(verdict.price, 2);
    }
    case.write_batch();
}

#[test]
fn work_that_was_acknowledged_and_left_out_costs_the_coordinator() {
    let (mut chain, mut case) = started();
    let acknowledgement = case.acknowledge(&case.receipts[0]);
    omit(&mut case);
    case.settle(&mut chain);
    let evidence = Evidence::Omission {
        batch: case.name(),
        acknowledgement,
        leaf: Some(case.leaf(0)),
    };
    convicts(&mut chain, &case, evidence, Offence::Omission, false);
}

#[test]
fn a_coordinator_that_shows_the_verdict_in_time_wins_and_one_that_does_not_loses() {
    let (mut chain, case) = settled();
    let least = Parameter::AnswerTime.row().least;
    council_sets(&mut chain, Parameter::AnswerTime, least);
    let acknowledgement = case.acknowledge(&case.receipts[0]);
    let evidence = || Evidence::Omission {
        batch: case.name(),
        acknowledgement: acknowledgement.clone(),
        leaf: None,
    };
    assert_eq!(shows(&mut chain, evidence()), Ok(()));
    let (id, _) = open(&mut chain).unwrap();
    let had = free(&mut chain, &Ferdie.to_account_id());
    // Anybody may show it.
    let reply = Box::new(Reply::Verdict(case.leaf(0)));
    chain.does(Charlie, quern_disputes::Call::answer { id, reply });
    assert_eq!(open(&mut chain), None);
    assert_eq!(free(&mut chain, &Ferdie.to_account_id()), had);
    assert_eq!(bonded(&mut chain, &case.coordinator), BOND);

    // Asked again, it is silent.
    assert_eq!(shows(&mut chain, evidence()), Ok(()));
    let (id, _) = open(&mut chain).unwrap();
    let expire = quern_disputes::Call::expire { id };
    let early = chain.block(vec![(Ferdie, expire.clone().into())]);
    assert_eq!(early, [Ok(Err(Error::TimeRemains.into()))]);
    chain.blocks(least as u32 + 1);
    let ferdie = Ferdie.to_account_id();
    let (had, burnt_before) = (free(&mut chain, &ferdie), burnt(&mut chain));
    let bond = params(&mut chain).dispute_bond;
    chain.does(Ferdie, expire);
    let before = (had + bond, burnt_before);
    after_conviction(&mut chain, &case, Offence::Omission, false, before);
}

#[test]
fn a_batch_that_rests_on_what_nobody_shows_is_struck() {
    let (mut chain, case) = settled();
    let least = Parameter::AnswerTime.row().least;
    council_sets(&mut chain, Parameter::AnswerTime, least);
    let evidence = Evidence::Withheld {
        batch: case.name(),
        what: Withheld::Receipt {
            leaf: case.leaf(1),
            finding: 2,
        },
    };
    assert_eq!(shows(&mut chain, evidence), Ok(()));
    let (id, _) = open(&mut chain).unwrap();
    chain.blocks(least as u32 + 1);
    // It is past its window, and waits for the dispute all the same.
    let pending = chain.read(|| Jobs::pending_of(&case.id));
    assert!(pending[0].1 < chain.read(Finality::clock));
    let ferdie = Ferdie.to_account_id();
    let (had, burnt_before) = (free(&mut chain, &ferdie), burnt(&mut chain));
    let bond = params(&mut chain).dispute_bond;
    chain.does(Ferdie, quern_disputes::Call::expire { id });
    let before = (had + bond, burnt_before);
    after_conviction(&mut chain, &case, Offence::Silence, true, before);
}

// 5. Assignments.

#[test]
fn an_assignment_to_a_device_that_never_was_strikes_the_batch() {
    let (mut chain, mut case) = started();
    case.entries.push(Entry::Assigned {
        task: 1,
        replica: 3,
        device: DeviceId([0x77; 32]),
        account: Ferdie.to_account_id(),
        engine: case::ENGINE,
        at: 1,
        lanes: 1,
    });
    case.write_log();
    case.write_batch();
    case.settle(&mut chain);
    let last = case.entries.len() as u64 - 1;
    let evidence = |position| Evidence::Assignment {
        batch: case.name(),
        entry: Box::new(case.in_log(position)),
    };
    // The first is right.
    let first = case.position(|it| matches!(it, Entry::Assigned { .. }));
    loses(&mut chain, &case, evidence(first));
    convicts(&mut chain, &case, evidence(last), Offence::Assignment, true);
}

#[test]
fn what_the_log_has_and_the_batch_does_not_strikes_the_batch() {
    let (mut chain, mut case) = started();
    let at = case.position(|it| matches!(it, Entry::Judged { verdict } if verdict.task == 1));
    case.verdicts[1].answer = other_answer();
    case.settle(&mut chain);
    let evidence = Evidence::OtherVerdict {
        batch: case.name(),
        leaf: case.leaf(1),
        entry: Box::new(case.in_log(at)),
    };
    convicts(&mut chain, &case, evidence, Offence::OtherVerdict, true);
}

// Workers.

#[test]
fn a_device_with_two_answers_costs_its_account_a_bond_and_gets_nothing_more() {
    let (mut chain, case) = settled();
    let first = &case.receipts[0];
    let position = first.payload.log_position;
    let second = case.receipt(0, 0, position, other_answer());
    let evidence = || Evidence::Answers {
        first: Box::new(first.clone()),
        second: Box::new(second.clone()),
    };
    let ferdie = Ferdie.to_account_id();
    let had = free(&mut chain, &ferdie);
    assert_eq!(shows(&mut chain, evidence()), Ok(()));
    assert_eq!(proved(&mut chain), Some((Offence::TwoAnswers, None)));
    let fee = fee(&mut chain);
    assert_eq!(free(&mut chain, &ferdie), had - fee + 2 * BYTECHIP);
    assert_eq!(burnt(&mut chain), 8 * BYTECHIP);
    assert_eq!(
        chain.read(|| Workforce::slashable(&Charlie.to_account_id())),
        0
    );
    let view = chain.read(|| <Runtime as QuernApi<Block>>::device(device(0).id()));
    let view = view.unwrap();
    assert!(view.quarantined && !view.may_work() && !view.bonded);
    assert_eq!(view.device.record.convicted, 1);
    // With the slash nothing is left of what covered it.
    let again = shows(&mut chain, evidence());
    assert_eq!(again, Err(Error::NothingLeft.into()));
}

#[test]
fn a_device_that_was_retired_after_two_answers_costs_its_account_all_the_same() {
    let (mut chain, case) = settled();
    let first = &case.receipts[0];
    let position = first.payload.log_position;
    let second = case.receipt(0, 0, position, other_answer());
    let device = first.payload.device;
    let owner = chain.read(|| Workforce::answers_for(&device)).unwrap();
    let mut workers = WORKERS.into_iter();
    let owner = workers.find(|key| key.to_account_id() == owner).unwrap();
    chain.does(owner, quern_workforce::Call::retire_device { device });
    let had = chain.read(|| Workforce::slashable(&owner.to_account_id()));
    assert!(had > 0);
    let evidence = Evidence::Answers {
        first: Box::new(first.clone()),
        second: Box::new(second),
    };
    assert_eq!(shows(&mut chain, evidence), Ok(()));
    assert_eq!(proved(&mut chain), Some((Offence::TwoAnswers, None)));
    let left = chain.read(|| Workforce::slashable(&owner.to_account_id()));
    assert!(left < had);
    let past = chain.read(|| Workforce::past_of(&device)).unwrap();
    assert_eq!(past.record.convicted, 1);
}

#[test]
fn when_a_batch_falls_who_certified_it_pays_and_the_next_of_the_group_goes_on() {
    let mut chain = Chain::start(LOCAL);
    council_sets(&mut chain, Parameter::GroupSize, 3);
    let mut case = Case::start(&mut chain);
    let group = chain.read(|| Jobs::group(&case.id)).unwrap();
    assert_eq!((group.members.len(), group.needed()), (3, 2));
    case.verdicts[0].price += 1;
    let at = case.position(|it| matches!(it, Entry::Judged { verdict } if verdict.task == 0));
    case.entries[at as usize] = Entry::Judged {
        verdict: case.verdicts[0].clone(),
    };
    case.write_log();
    case.write_batch();
    case.settle(&mut chain);
    let ferdie = Ferdie.to_account_id();
    let had = free(&mut chain, &ferdie);
    let (batch, leaf) = (case.name(), case.leaf(0));
    assert_eq!(shows(&mut chain, Evidence::Verdict { batch, leaf }), Ok(()));
    let offence = Offence::Verdict(VerdictLie::Price);
    assert_eq!(proved(&mut chain), Some((offence, Some(0))));
    // Two of three signed.
    let fee = fee(&mut chain);
    assert_eq!(free(&mut chain, &ferdie), had - fee + 2 * BOND / 5);
    let bonds: Vec<Amount> = group
        .members
        .iter()
        .map(|member| bonded(&mut chain, &member.account))
        .collect();
    assert_eq!(bonds, [0, 0, BOND]);

    let job = chain.read(|| Jobs::job(&case.id)).unwrap();
    let coordinator = group.members[2].account.clone();
    assert_eq!(job.state, JobState::Running { coordinator });
    assert_eq!((job.settled_tasks, job.escrow.pending), (0, 0));
    // What it writes down is its first verdict on each task, and convicts nobody.
    let honest = Case::of(&mut chain, case.genesis, case.id);
    honest.settle(&mut chain);
    let judged = |case: &Case| {
        let task = |it: &Entry| matches!(it, Entry::Judged { verdict } if verdict.task == 0);
        Box::new(case.logged(case.position(task)))
    };
    for writer in [&case, &honest] {
        let evidence = Evidence::Entries {
            node: node(&writer.coordinator).public(),
            first: judged(&case),
            second: judged(&honest),
        };
        let refused = shows(&mut chain, evidence);
        assert_eq!(refused, Err(Error::NotSigned.into()));
    }
    chain.pass_window();
    let job = chain.read(|| Jobs::job(&case.id)).unwrap();
    let end = JobEnd::AllSettled;
    assert_eq!(job.state, JobState::Completed { end });
    assert_eq!(job.escrow.paid, pay_of(&honest));
}

#[test]
fn a_member_that_signed_two_blocks_is_turned_out_and_the_next_goes_on() {
    let mut chain = Chain::start(LOCAL);
    council_sets(&mut chain, Parameter::GroupSize, 3);
    let case = Case::start(&mut chain);
    let mut other = case.clone();
    other.entries.swap(2, 4);
    other.write_log();
    let fork = Fork {
        place: 0,
        first: case.blocks[0].header,
        second: other.blocks[0].header,
    };
    let evidence = Evidence::Blocks {
        node: node(&case.coordinator).public(),
        fork: Box::new(fork),
    };
    assert_eq!(shows(&mut chain, evidence), Ok(()));
    assert_eq!(proved(&mut chain), Some((Offence::TwoBlocks, None)));
    let group = chain.read(|| Jobs::group(&case.id)).unwrap();
    let out: Vec<bool> = group.members.iter().map(|member| member.is_out).collect();
    assert_eq!((out, group.turn), (vec![true, false, false], 1));
    let job = chain.read(|| Jobs::job(&case.id)).unwrap();
    let coordinator = group.members[1].account.clone();
    assert_eq!(job.state, JobState::Running { coordinator });
    let honest = Case::of(&mut chain, case.genesis, case.id);
    honest.settle(&mut chain);
    chain.pass_window();
    let job = chain.read(|| Jobs::job(&case.id)).unwrap();
    assert_eq!(job.escrow.paid, pay_of(&honest));
}
