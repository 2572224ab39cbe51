//! Disputes that prove nothing: what is right, what is shown too late, and floods of what is invalid.

mod attempts;

use super::{
    Error, burnt,
    case::{Case, council_sets},
    loses, pay_of, proved, settled, shows, started, verdicts_of,
};
use crate::chain::Chain;
use attempts::{Attempt, Call, answer_to, judged};
use frame_support::{
    dispatch::{DispatchClass, GetDispatchInfo},
    weights::{Weight, constants::WEIGHT_REF_TIME_PER_MILLIS},
};
use pallet_transaction_payment::Event as Fee;
use quern_dispute_rules::{
    Evidence,
    open::{DisputeView, Matter},
    sum::Step,
};
use quern_disputes::Court;
use quern_finality::Authors;
use quern_joblog::Entry;
use quern_primitives::{
    AccountId, Amount,
    amount::BYTECHIP,
    batch::{BatchRecord, PendingBatch},
    group::Group,
    job::Job,
    params::Parameter,
    verdict::{Finding, Ground},
};
use quern_runtime::{
    Block, Disputes, Finality, Jobs, Runtime, RuntimeCall, RuntimeEvent, System,
    apis::runtime_decl_for_quern_api::QuernApi,
    configs::{grid::BlockAuthors, money::TreasuryAccount},
    court::ChainCourt,
    genesis::LOCAL,
};
use sp_keyring::Sr25519Keyring::{self, BobStash, EveStash, Ferdie};
use sp_runtime::{ApplyExtrinsicResult, MultiAddress, transaction_validity::InvalidTransaction};
use std::{collections::BTreeMap, mem};

// Wrong and late disputes.

#[test]
fn who_disputes_what_is_right_pays_the_coordinator_and_the_batch_pays_its_workers() {
    let (mut chain, case) = settled();
    let batch = case.name();
    for place in [0, 1] {
        let leaf = case.leaf(place);
        loses(&mut chain, &case, Evidence::Verdict { batch, leaf });
    }
    let receipt = Box::new(case.receipts[1].clone());
    let (leaf, input) = (case.leaf(0), None);
    let evidence = Evidence::Receipt {
        batch,
        leaf,
        receipt,
        input,
    };
    loses(&mut chain, &case, evidence);
    chain.pass_window();
    let job = chain.read(|| Jobs::job(&case.id)).unwrap();
    assert_eq!(job.escrow.paid, pay_of(&case));
}

#[test]
fn a_lie_that_is_shown_too_late_stands() {
    let (mut chain, mut case) = started();
    case.verdicts[0].replicas.truncate(1);
    // Of two tasks one is settled, so that the job is not over.
    case.verdicts.truncate(1);
    case.write_batch();
    case.settle(&mut chain);
    chain.pass_window();
    let (batch, leaf) = (case.name(), case.leaf(0));
    let late = shows(&mut chain, Evidence::Verdict { batch, leaf });
    assert_eq!(late, Err(Error::NotPending.into()));
    assert_eq!(
        shows(&mut chain, Evidence::Payouts { batch }),
        Err(Error::NotPending.into())
    );
}

// Floods.

/// What who disputes puts up.
const DISPUTE_BOND: Amount = 5 * BYTECHIP;

/// So many blocks a batch of the flood is pending: time to have disputes opened one after the other.
const WINDOW: Amount = 40;

/// Calls of the flood in a block.
const CALLS_PER_BLOCK: usize = 12;

/// Sends calls in one block. In the block in which a session ends is no room for anybody's, so they are sent
/// again in the next.
fn sent(chain: &mut Chain, calls: &[(Sr25519Keyring, RuntimeCall)]) -> Vec<ApplyExtrinsicResult> {
    let results = chain.block(calls.to_vec());
    let no_room: ApplyExtrinsicResult = Err(InvalidTransaction::ExhaustsResources.into());
    if results.iter().all(|result| *result == no_room) {
        return chain.block(calls.to_vec());
    }
    results
}

/// All open disputes, by number.
fn all_open(chain: &mut Chain) -> Vec<DisputeView> {
    let mut all = chain.read(|| <Runtime as QuernApi<Block>>::disputes(None, 9));
    all.sort_by_key(|view| view.id);
    all
}

/// What every account has, free or held.
fn purses(chain: &mut Chain) -> BTreeMap<AccountId, Amount> {
    chain.read(|| {
        let accounts = frame_system::Account::<Runtime>::iter();
        accounts
            .map(|(who, it)| (who, it.data.free + it.data.reserved))
            .collect()
    })
}

fn moves(
    purses: &mut BTreeMap<AccountId, Amount>,
    from: &AccountId,
    to: &AccountId,
    amount: Amount,
) {
    *purses.get_mut(from).unwrap() -= amount;
    *purses.entry(to.clone()).or_default() += amount;
}

/// What a call may weigh at most that strikes nothing, with what each transaction weighs beside its call.
fn bound(call: &RuntimeCall) -> Weight {
    let mut most = call.get_dispatch_info().call_weight;
    if matches!(call, RuntimeCall::Disputes(_)) {
        most = most.saturating_sub(ChainCourt::weight());
        most = most.saturating_add(ChainCourt::weight_of_facts());
    }
    most.saturating_add(Weight::from_parts(WEIGHT_REF_TIME_PER_MILLIS, 0))
}

/// What the chain has of the batch and its job, and what is open about it.
type Untouched = (
    Option<Job>,
    Option<BatchRecord>,
    Option<PendingBatch>,
    Vec<DisputeView>,
);

/// A chain with a batch that is behind its window and pending, because disputes about it are open: a sum
/// whose time is over, another one, and one of each question.
struct Siege {
    chain: Chain,
    case: Case,
    group: Group,
    open: Vec<DisputeView>,
}

impl Siege {
    fn begin() -> Self {
        let mut chain = Chain::start(LOCAL);
        council_sets(&mut chain, Parameter::Window, WINDOW);
        let time = Parameter::AnswerTime;
        council_sets(&mut chain, time, time.row().least);
        let mut case = Case::start(&mut chain);
        // A verdict that rests on a referee's report, so that the report can be asked for: two devices could
        // not open what the others did.
        let at = judged(&case, 1);
        case.verdicts[1].ground = Ground::Referee;
        let mut failed = case.verdicts[1].replicas[..2].to_vec();
        for (replica, found) in (3..).zip(&mut failed) {
            (found.replica, found.finding) = (replica, Finding::Failed);
            (found.receipt, found.pay) = (None, 0);
        }
        case.verdicts[1].replicas.extend(failed);
        case.entries[at as usize] = Entry::Judged {
            verdict: case.verdicts[1].clone(),
        };
        case.write_log();
        case.write_batch();
        case.settle(&mut chain);
        let batch = case.name();
        assert_eq!(shows(&mut chain, Evidence::Payouts { batch }), Ok(()));
        council_sets(&mut chain, time, time.row().most);
        assert_eq!(shows(&mut chain, Evidence::Payouts { batch }), Ok(()));
        for evidence in attempts::questions(&case) {
            assert_eq!(shows(&mut chain, evidence), Ok(()));
        }
        chain.pass_window();
        let group = chain.read(|| Jobs::group(&case.id)).unwrap();
        let open = all_open(&mut chain);
        assert_eq!(
            chain.read(Disputes::total_held),
            open.len() as Amount * DISPUTE_BOND
        );
        Self {
            chain,
            case,
            group,
            open,
        }
    }

    fn untouched(&mut self) -> Untouched {
        let (id, sequence) = (self.case.id, self.case.batch.sequence);
        let open = all_open(&mut self.chain);
        self.chain.read(|| {
            let (job, batch) = (Jobs::job(&id), Jobs::batch(&id, sequence));
            (job, batch, Jobs::pending_batch(&id, sequence), open)
        })
    }

    /// One block of calls that come to nothing, and a payment of somebody else behind them. All of them have
    /// room, because none takes what a strike would. Whoever sent them pays a fee for each, and Ferdie the
    /// bond for each that was in order; nobody else's money moves, and nothing of the batch changes.
    fn block(&mut self, some: &[&Attempt]) {
        let before = self.untouched();
        let mut expected = purses(&mut self.chain);
        let burnt_before = burnt(&mut self.chain);
        let [payer, payee] = [EveStash, BobStash];
        let pay: RuntimeCall = pallet_balances::Call::transfer_allow_death {
            dest: MultiAddress::Id(payee.to_account_id()),
            value: 1,
        }
        .into();
        let calls = some.iter();
        let calls = calls.map(|it| (it.sender, RuntimeCall::from(it.call.clone())));
        let calls: Vec<_> = calls.chain([(payer, pay)]).collect();
        let outcomes = some.iter().map(|it| it.outcome).chain([Ok(())]);
        let outcomes: Vec<ApplyExtrinsicResult> = outcomes.map(Ok).collect();
        assert_eq!(sent(&mut self.chain, &calls), outcomes);

        let author = self.chain.read(BlockAuthors::author).unwrap();
        let mut fees = 0;
        for event in self.chain.events() {
            if let RuntimeEvent::TransactionPayment(Fee::TransactionFeePaid {
                who,
                actual_fee,
                ..
            }) = event
            {
                assert!(actual_fee > 0);
                fees += 1;
                let to_author = actual_fee / 3 * 2;
                moves(&mut expected, &who, &author, to_author);
                let rest = actual_fee - to_author;
                moves(&mut expected, &who, &TreasuryAccount::get(), rest);
            }
        }
        assert_eq!(fees, calls.len());
        let ferdie = Ferdie.to_account_id();
        let lost = some.iter().filter(|it| it.outcome.is_ok()).count() as Amount;
        let part = lost * DISPUTE_BOND / 5;
        moves(&mut expected, &ferdie, &self.case.coordinator, part);
        *expected.get_mut(&ferdie).unwrap() -= 4 * part;
        let (payer, payee) = (payer.to_account_id(), payee.to_account_id());
        moves(&mut expected, &payer, &payee, 1);
        assert_eq!(purses(&mut self.chain), expected);
        assert_eq!(burnt(&mut self.chain), burnt_before + 4 * part);
        assert_eq!(self.untouched(), before);
        assert_eq!(proved(&mut self.chain), None);

        let used = self.chain.read(System::block_weight);
        let bounds = calls.iter().map(|(_, call)| bound(call));
        let most = bounds.fold(Weight::zero(), |sum, it| sum.saturating_add(it));
        assert!(used.get(DispatchClass::Normal).ref_time() <= most.ref_time());
    }

    /// Each dispute that is open ends as it should, and costs its bond; then the batch is paid.
    fn end(mut self) {
        let swapped: Vec<_> = verdicts_of(&self.case).into_iter().rev().collect();
        let verdicts: Step = swapped.try_into().unwrap();
        for DisputeView { id, dispute, .. } in mem::take(&mut self.open) {
            let is_late = self.chain.read(Finality::clock) > dispute.until;
            let call: Call = match dispute.matter {
                Matter::Adding if is_late => Call::expire { id },
                Matter::Adding => Call::step {
                    id,
                    verdicts: verdicts.clone(),
                },
                Matter::Asked(question) => {
                    let reply = answer_to(&question, &self.case, &self.group);
                    let reply = Box::new(reply);
                    Call::answer { id, reply }
                }
            };
            let burnt_before = burnt(&mut self.chain);
            let results = sent(&mut self.chain, &[(Ferdie, RuntimeCall::from(call))]);
            assert_eq!(results, [Ok(Ok(()))]);
            assert_eq!(proved(&mut self.chain), None);
            assert_eq!(burnt(&mut self.chain), burnt_before + DISPUTE_BOND / 5 * 4);
        }
        assert_eq!(self.chain.read(Disputes::total_held), 0);
        self.chain.pass_window();
        let job = self.chain.read(|| Jobs::job(&self.case.id)).unwrap();
        assert_eq!(job.escrow.paid, pay_of(&self.case));
    }
}

/// So many invalid disputes in a row, and calls about those that are open, cost their sender, and the chain
/// goes on.
fn flood(count: usize) {
    let mut siege = Siege::begin();
    let began = siege.chain.read(Finality::clock);
    let attempts = attempts::all(&siege.case, &siege.group, &siege.open, began);
    attempts::assert_whole(&attempts, &siege.open);
    assert!(count >= attempts.len(), "there are {}", attempts.len());
    let flood: Vec<_> = attempts.iter().cycle().take(count).collect();
    for some in flood.chunks(CALLS_PER_BLOCK) {
        siege.block(some);
    }
    // A height a block became final.
    let blocks = count.div_ceil(CALLS_PER_BLOCK) as u32;
    assert!(siege.chain.read(Finality::clock) + 5 >= began + blocks);
    siege.end();
}

#[test]
fn invalid_disputes_in_a_row_cost_their_sender_and_the_chain_goes_on() {
    flood(500);
}

#[test]
#[ignore = "takes minutes; `cargo xtask test --nightly` runs it"]
fn ten_thousand_invalid_disputes_in_a_row_cost_their_sender_and_the_chain_goes_on() {
    flood(10_000);
}

#[test]
fn who_has_not_the_bond_cannot_dispute() {
    let (mut chain, case) = settled();
    let poor = Sr25519Keyring::One;
    let send = pallet_balances::Call::transfer_allow_death {
        dest: MultiAddress::Id(poor.to_account_id()),
        value: 4 * BYTECHIP,
    };
    chain.does(Ferdie, send);
    let (batch, leaf) = (case.name(), case.leaf(0));
    let evidence = Box::new(Evidence::Verdict { batch, leaf });
    let call = quern_disputes::Call::dispute { evidence };
    let refused = chain.block(vec![(poor, call.into())]);
    assert_eq!(refused, [Ok(Err(Error::BondTooSmall.into()))]);
}
