//! What strangers send to the chain's edge: transactions cut off, changed, sent twice, out of turn or
//! made for another chain; batches that do not fit; and floods of calls that are refused.

use crate::{
    chain::{Chain, signed_for},
    jobs::{batch, genesis_of, job, running, submission, tasks},
};
use codec::{DecodeAll, Encode};
use quern_primitives::{
    Amount, GenesisHash, JobId, SealingKey,
    amount::BYTECHIP,
    batch::{Batch, LogRange},
    device::{Hardware, Possession, Region},
    job::{JobState, Submission, job_id},
    payload::DeviceKey,
};
use quern_runtime::{
    Balances, Nonce, Runtime, RuntimeCall, System, UncheckedExtrinsic,
    configs::money::TreasuryAccount, genesis::DEV,
};
use sp_core::H256;
use sp_keyring::Sr25519Keyring::{self, Alice, Bob, Charlie, Dave, Eve};
use sp_runtime::{
    ApplyExtrinsicResult, DispatchError,
    transaction_validity::{InvalidTransaction, TransactionValidityError},
};

const FLOOD: usize = 300;
const FLOOD_NIGHTLY: usize = 10_000;
/// A batch is given a hundredth of a block, so these fit.
const CALLS_PER_BLOCK: usize = 40;

fn submit(salt: u8) -> RuntimeCall {
    quern_jobs::Call::submit {
        submission: submission(salt),
    }
    .into()
}

fn settle(batch: &Batch) -> RuntimeCall {
    quern_jobs::Call::settle {
        batch: batch.clone(),
    }
    .into()
}

fn turn_of(chain: &mut Chain, who: Sr25519Keyring) -> Nonce {
    chain.read(|| System::account_nonce(who.to_account_id()))
}

/// A call as its account rightly sends it next.
fn sent(chain: &mut Chain, who: Sr25519Keyring, call: RuntimeCall) -> UncheckedExtrinsic {
    let turn = turn_of(chain, who);
    let genesis = chain.read(|| System::block_hash(0));
    signed_for(who, call, turn, genesis)
}

fn free(chain: &mut Chain, who: Sr25519Keyring) -> Amount {
    chain.read(|| Balances::free_balance(who.to_account_id()))
}

fn not_let_in(why: InvalidTransaction) -> ApplyExtrinsicResult {
    Err(TransactionValidityError::Invalid(why))
}

/// Let in, and refused by the jobs' rules.
fn refused(error: quern_jobs::Error<Runtime>) -> ApplyExtrinsicResult {
    Ok(Err(DispatchError::from(error)))
}

/// A transaction for each kind of thing that strangers hand in.
fn transactions(chain: &mut Chain) -> Vec<UncheckedExtrinsic> {
    let (id, coordinator) = running(chain, 1);
    let payouts = vec![(Charlie.to_account_id(), 3), (Dave.to_account_id(), 4)];
    let batch = batch(id, 0, tasks(0b0101), 10, payouts, vec![]);
    vec![
        sent(chain, Bob, submit(2)),
        sent(chain, coordinator, settle(&batch)),
    ]
}

#[test]
fn no_beginning_of_a_transaction_is_a_transaction() {
    let mut chain = Chain::start(DEV);
    for whole in transactions(&mut chain) {
        let bytes = whole.encode();
        assert!(UncheckedExtrinsic::decode_all(&mut &bytes[..]).is_ok());
        for end in 0..bytes.len() {
            let cut = UncheckedExtrinsic::decode_all(&mut &bytes[..end]);
            assert!(cut.is_err(), "{end} of {} bytes", bytes.len());
        }
        // The same with a length that says what is there, which is how a node hands it over.
        let content = Vec::<u8>::decode_all(&mut &bytes[..]).unwrap();
        for end in 0..content.len() {
            let cut = content[..end].to_vec().encode();
            let cut = UncheckedExtrinsic::decode_all(&mut &cut[..]);
            assert!(cut.is_err(), "{end} of {} bytes", content.len());
        }
        let longer = [&content[..], &[0]].concat().encode();
        assert!(UncheckedExtrinsic::decode_all(&mut &longer[..]).is_err());
    }
}

#[test]
fn a_transaction_with_any_byte_changed_is_not_let_in() {
    let mut chain = Chain::start(DEV);
    for whole in transactions(&mut chain) {
        let bytes = whole.encode();
        let changed = (0..bytes.len()).filter_map(|place| {
            let mut bytes = bytes.clone();
            bytes[place] ^= 1 << (place % 8);
            UncheckedExtrinsic::decode_all(&mut &bytes[..]).ok()
        });
        let changed: Vec<_> = changed.collect();
        assert!(changed.len() > 100, "most of it is digests and a signature");
        let results = chain.block_of(changed);
        assert!(results.iter().all(Result::is_err), "{results:?}");
        assert_eq!(chain.block_of([whole]), [Ok(Ok(()))]);
    }
}

#[test]
fn a_transaction_runs_once_and_at_its_turn() {
    let mut chain = Chain::start(DEV);
    // The first block is the one that remembers the genesis, which is signed.
    chain.blocks(1);
    let first = sent(&mut chain, Bob, submit(1));
    let turn = turn_of(&mut chain, Bob);
    let genesis = chain.read(|| System::block_hash(0));
    let third = signed_for(Bob, submit(3), turn + 2, genesis);
    let results = chain.block_of([third.clone(), first.clone(), first.clone()]);
    let future = not_let_in(InvalidTransaction::Future);
    let stale = not_let_in(InvalidTransaction::Stale);
    assert_eq!(results, [future, Ok(Ok(())), stale]);
    assert_eq!(chain.block_of([first]), [stale]);
    let second = sent(&mut chain, Bob, submit(2));
    let results = chain.block_of([second, third]);
    assert_eq!(results, [Ok(Ok(())), Ok(Ok(()))]);
}

#[test]
fn a_transaction_for_another_chain_is_not_let_in() {
    let mut chain = Chain::start(DEV);
    let turn = turn_of(&mut chain, Bob);
    let elsewhere = signed_for(Bob, submit(1), turn, H256::repeat_byte(1));
    let bad_proof = not_let_in(InvalidTransaction::BadProof);
    assert_eq!(chain.block_of([elsewhere]), [bad_proof]);
    let here = sent(&mut chain, Bob, submit(1));
    assert_eq!(chain.block_of([here]), [Ok(Ok(()))]);
}

#[test]
fn a_batch_for_the_same_job_of_another_chain_finds_no_job() {
    let mut chain = Chain::start(DEV);
    let (id, coordinator) = running(&mut chain, 1);
    let elsewhere = GenesisHash([1; 32]);
    let same_job = job_id(&elsewhere, &Bob.to_account_id(), &[1; 16]);
    assert_ne!(same_job, id);
    let batch = batch(same_job, 0, tasks(1), 10, vec![], vec![]);
    let results = chain.block(vec![(coordinator, settle(&batch))]);
    assert_eq!(results, [refused(quern_jobs::Error::NoSuchJob)]);
}

#[test]
fn a_devices_consent_given_on_another_chain_is_none() {
    let mut chain = Chain::start(DEV);
    let bond = quern_workforce::Call::bond {
        amount: 10 * BYTECHIP,
    };
    chain.does(Charlie, bond);
    let key = DeviceKey::from_seed(&[7; 32]);
    let register = |genesis: &GenesisHash| -> RuntimeCall {
        let possession = Possession {
            account: Charlie.to_account_id(),
            device: key.id(),
            sealing_key: SealingKey([7; 32]),
        };
        quern_workforce::Call::register_device {
            device: key.id(),
            sealing_key: possession.sealing_key,
            region: Region::Europe,
            hardware: Hardware::Server,
            possession: key.sign(possession, genesis).signature,
        }
        .into()
    };
    let elsewhere = register(&GenesisHash([1; 32]));
    let results = chain.block(vec![(Charlie, elsewhere)]);
    let error = DispatchError::from(quern_workforce::Error::<Runtime>::InvalidPossession);
    assert_eq!(results, [Ok(Err(error))]);
    let here = register(&genesis_of(&mut chain));
    chain.does(Charlie, here);
}

#[test]
fn batches_that_are_malformed_replayed_or_out_of_order_change_nothing() {
    use quern_jobs::Error;
    let mut chain = Chain::start(DEV);
    let (id, coordinator) = running(&mut chain, 1);
    let payouts = || vec![(Charlie.to_account_id(), 3), (Dave.to_account_id(), 4)];
    let first = batch(id, 0, tasks(0b0001), 10, payouts(), vec![]);
    let second = batch(id, 1, tasks(0b0010), 10, payouts(), vec![]);
    let changed = |change: &dyn Fn(&mut Batch)| {
        let mut batch = second.clone();
        change(&mut batch);
        batch
    };
    chain.does(coordinator, settle(&first));
    // Nothing of the job changes by itself any more once that batch is final.
    chain.blocks(20);
    let before = job(&mut chain, id);
    assert_eq!(before.pending_batches, 0);
    let bad = [
        (first.clone(), Error::WrongSequence),
        (changed(&|batch| batch.sequence = 2), Error::WrongSequence),
        (
            changed(&|batch| batch.job = JobId([1; 32])),
            Error::NoSuchJob,
        ),
        (
            changed(&|batch| batch.log = LogRange { first: 9, last: 0 }),
            Error::LogReversed,
        ),
        (
            changed(&|batch| batch.tasks.bits = Default::default()),
            Error::TaskSetEmpty,
        ),
        (
            changed(&|batch| batch.tasks.first = 3),
            Error::TaskSetNotShortest,
        ),
        (changed(&|batch| batch.tasks.first = 8), Error::NoSuchTask),
        (
            changed(&|batch| batch.tasks = tasks(0b0011)),
            Error::TaskSettled,
        ),
        (changed(&|batch| batch.spent = Amount::MAX), Error::OverCap),
        (
            changed(&|batch| batch.payouts[..].reverse()),
            Error::PayoutsUnsorted,
        ),
        (
            changed(&|batch| batch.payouts[0].amount = 0),
            Error::PayoutZero,
        ),
        (
            changed(&|batch| batch.payouts[0].amount = Amount::MAX),
            Error::WorkersOverShare,
        ),
        (
            changed(&|batch| batch.payouts[0].amount += 1),
            Error::WorkersOverShare,
        ),
    ];
    for (batch, error) in bad {
        let results = chain.block(vec![(coordinator, settle(&batch))]);
        assert_eq!(results, [refused(error)], "{batch:?}");
        assert_eq!(job(&mut chain, id), before, "{batch:?}");
    }
    let results = chain.block(vec![(Eve, settle(&second))]);
    assert_eq!(results, [refused(Error::NotCoordinator)]);
    chain.does(coordinator, settle(&second));
}

/// Sends calls that are refused, one after the other; what they cost goes to the author and the
/// treasury, and the next owner's job is drawn for as ever.
fn flood(calls: usize) {
    let mut chain = Chain::start(DEV);
    let money = |chain: &mut Chain| {
        let treasury = chain.read(|| Balances::free_balance(TreasuryAccount::get()));
        (free(chain, Eve), free(chain, Alice) + treasury)
    };
    let (_, coordinator) = running(&mut chain, 1);
    assert_eq!(coordinator, Alice);
    let (before, earned_before) = money(&mut chain);
    let mut left = calls;
    let mut cheapest = Amount::MAX;
    let mut was_full = false;
    while left > 0 {
        let now = left.min(CALLS_PER_BLOCK);
        let (had, _) = money(&mut chain);
        let bad = (0..now).map(|number| {
            let name = JobId([u8::try_from(number).unwrap(); 32]);
            let batch = batch(name, 0, tasks(1), 10, vec![], vec![]);
            (Eve, settle(&batch))
        });
        let results = chain.block(bad.collect());
        let error = refused(quern_jobs::Error::NoSuchJob);
        assert_eq!(results.len(), now);
        let ran = results
            .iter()
            .take_while(|result| **result == error)
            .count();
        // The block in which a session ends has no room for calls; they are sent again in the next.
        let no_room = not_let_in(InvalidTransaction::ExhaustsResources);
        assert!(results.iter().skip(ran).all(|result| *result == no_room));
        assert!(ran == now || !was_full, "two blocks in a row have no room");
        was_full = ran < now;
        left -= ran;
        let (has, _) = money(&mut chain);
        cheapest = cheapest.min((had - has).checked_div(ran as Amount).unwrap_or(cheapest));
    }
    assert!(cheapest > BYTECHIP / 1_000, "a call costs {cheapest} units");
    let (after, earned_after) = money(&mut chain);
    assert_eq!(before - after, earned_after - earned_before);
    let wanted = Submission {
        deadline: chain.read(System::block_number) + 50,
        ..submission(2)
    };
    chain.does(Bob, quern_jobs::Call::submit { submission: wanted });
    chain.blocks(1);
    let id = job_id(&genesis_of(&mut chain), &Bob.to_account_id(), &[2; 16]);
    let state = job(&mut chain, id).state;
    assert!(matches!(state, JobState::Running { .. }), "{state:?}");
}

#[test]
fn calls_that_are_refused_cost_their_sender_and_hold_nobody_up() {
    flood(FLOOD);
}

#[test]
#[ignore = "ten thousand transactions take ten seconds; `cargo xtask test --nightly` runs them"]
fn ten_thousand_refused_calls_cost_their_sender_and_hold_nobody_up() {
    flood(FLOOD_NIGHTLY);
}
