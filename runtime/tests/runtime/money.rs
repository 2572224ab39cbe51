//! Fees and the ways money may not take.

use crate::chain::Chain;
use pallet_transaction_payment::Event as Fee;
use quern_primitives::{AccountId, Amount, amount::BYTECHIP};
use quern_runtime::{
    Balances, Bytechip, RuntimeCall, RuntimeEvent,
    configs::money::TreasuryAccount,
    genesis::{BOND, DEV, ENDOWMENT},
};
use sp_keyring::Sr25519Keyring::{Alice, Bob, Charlie};
use sp_runtime::{DispatchError, MultiAddress};

fn free(chain: &mut Chain, account: AccountId) -> Amount {
    chain.read(|| Balances::free_balance(account))
}

fn transfer(to: AccountId, value: Amount) -> RuntimeCall {
    pallet_balances::Call::transfer_allow_death {
        dest: MultiAddress::Id(to),
        value,
    }
    .into()
}

/// The only fee that was paid in the newest block.
fn fee_paid(chain: &mut Chain) -> Amount {
    let fees = chain.events().into_iter().filter_map(|event| match event {
        RuntimeEvent::TransactionPayment(Fee::TransactionFeePaid { actual_fee, .. }) => {
            Some(actual_fee)
        }
        _ => None,
    });
    let fees: Vec<_> = fees.collect();
    assert_eq!(fees.len(), 1);
    fees[0]
}

#[test]
fn a_fee_is_shared_by_author_and_treasury_and_nothing_is_lost() {
    let mut chain = Chain::start(DEV);
    let treasury = TreasuryAccount::get();
    assert_eq!(free(&mut chain, treasury.clone()), 0);
    chain.does(Bob, transfer(Charlie.to_account_id(), BYTECHIP));

    let fee = fee_paid(&mut chain);
    assert!(fee > 0 && fee < BYTECHIP / 100, "{fee}");
    assert_eq!(
        free(&mut chain, Bob.to_account_id()),
        ENDOWMENT - BYTECHIP - fee
    );
    assert_eq!(
        free(&mut chain, Charlie.to_account_id()),
        ENDOWMENT + BYTECHIP
    );
    let to_author = fee / 3 * 2;
    assert_eq!(
        free(&mut chain, Alice.to_account_id()),
        ENDOWMENT + to_author
    );
    assert_eq!(free(&mut chain, treasury), fee - to_author);
    assert_eq!(chain.read(Bytechip::burnt), 0);
}

#[test]
fn one_unit_can_be_received_by_a_new_account() {
    let mut chain = Chain::start(DEV);
    let stranger = AccountId::new([7; 32]);
    chain.does(Bob, transfer(stranger.clone(), 1));
    assert_eq!(free(&mut chain, stranger), 1);
}

#[test]
fn nobody_may_burn_money_beside_the_payouts() {
    let mut chain = Chain::start(DEV);
    let burn = pallet_balances::Call::burn {
        value: BYTECHIP,
        keep_alive: true,
    };
    let results = chain.block(vec![(Bob, burn.clone().into())]);
    let refused = DispatchError::from(frame_system::Error::<quern_runtime::Runtime>::CallFiltered);
    assert_eq!(results, vec![Ok(Err(refused))]);

    let batch = pallet_utility::Call::batch_all {
        calls: vec![burn.into()],
    };
    let results = chain.block(vec![(Bob, batch.into())]);
    assert_eq!(results, vec![Ok(Err(refused))]);
    assert_eq!(chain.read(Balances::total_issuance), 12 * ENDOWMENT + BOND);
}

#[test]
fn the_council_names_who_records_purchases() {
    let mut chain = Chain::start(DEV);
    let name: RuntimeCall = quern_bytechip::Call::set_treasurer {
        account: Bob.to_account_id(),
    }
    .into();
    let motion = pallet_collective::Call::propose {
        threshold: 1,
        proposal: Box::new(name),
        length_bound: 100,
    };
    let propose: RuntimeCall = RuntimeCall::Council(motion);
    chain.does(Alice, propose);
    let record = quern_bytechip::Call::record_purchase {
        reference: b"invoice 1".to_vec().try_into().unwrap(),
        buyer: Charlie.to_account_id(),
        cents: 1_000,
    };
    chain.does(Bob, record);
    assert_eq!(chain.read(Bytechip::minted), 2_000 * BYTECHIP);
    assert_eq!(
        free(&mut chain, Charlie.to_account_id()),
        ENDOWMENT + 2_000 * BYTECHIP
    );
}
