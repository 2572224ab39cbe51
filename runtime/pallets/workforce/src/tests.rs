mod bonds;
mod devices;
mod model;
mod retiring;
mod reviews;
mod slashing;

use crate::{mock::*, *};
use frame_support::{
    assert_noop, assert_ok,
    pallet_prelude::DispatchResult,
    traits::{
        Hooks,
        fungible::{Inspect, hold::Inspect as _},
    },
};
use quern_primitives::{
    GenesisHash,
    device::{Class, History, Possession, RecordChange},
    limits::DEVICES_PER_ACCOUNT_MAX,
    payload::DeviceKey,
};
use sp_runtime::{DispatchError, TokenError};

fn signed(number: u8) -> RuntimeOrigin {
    RuntimeOrigin::signed(account(number))
}

fn key(number: u8) -> DeviceKey {
    DeviceKey::from_seed(&[number; 32])
}

fn id(number: u8) -> DeviceId {
    key(number).id()
}

fn sealing_key(number: u8) -> SealingKey {
    SealingKey([number; 32])
}

fn here() -> GenesisHash {
    GenesisHash(System::block_hash(0).0)
}

/// A device's word that it belongs to an account with the sealing key of its own number.
fn possession(device: u8, owner: u8, chain: &GenesisHash) -> DeviceSignature {
    let (account, sealing_key) = (account(owner), sealing_key(device));
    key(device)
        .sign(
            Possession {
                account,
                device: id(device),
                sealing_key,
            },
            chain,
        )
        .signature
}

fn register_with(owner: u8, device: u8, possession: DeviceSignature) -> DispatchResult {
    Workforce::register_device(
        signed(owner),
        id(device),
        sealing_key(device),
        Region::Europe,
        Hardware::Desktop,
        possession,
    )
}

fn register(owner: u8, device: u8) -> DispatchResult {
    register_with(owner, device, possession(device, owner, &here()))
}

fn bond(number: u8, amount: Amount) -> DispatchResult {
    Workforce::bond(signed(number), amount)
}

fn unbond(number: u8, amount: Amount) -> DispatchResult {
    Workforce::unbond(signed(number), amount)
}

fn withdraw(number: u8) -> DispatchResult {
    Workforce::withdraw_unbonded(signed(number))
}

fn retire(number: u8, device: u8) -> DispatchResult {
    Workforce::retire_device(signed(number), id(device))
}

/// Time passes until nobody answers for a device that was retired.
fn no_longer_answers(device: u8) {
    let (_, free) = LastOwners::<Test>::get(id(device)).unwrap();
    System::set_block_number(free);
}

fn review(number: u8, device: u8) -> DispatchResult {
    Workforce::review(signed(number), id(device))
}

fn free(number: u8) -> Amount {
    Balances::balance(&account(number))
}

fn held(number: u8) -> Amount {
    Balances::balance_on_hold(&HoldReason::Bond.into(), &account(number))
}

fn last_event() -> RuntimeEvent {
    System::events().pop().unwrap().event
}

#[test]
fn every_call_wants_a_signature() {
    on_new_chain(|| {
        for origin in [RuntimeOrigin::root(), RuntimeOrigin::none()] {
            let (new, word) = (sealing_key(1), DeviceSignature([0; 64]));
            let (region, hardware) = (Region::Unknown, Hardware::Unknown);
            let device = id(1);
            let results = [
                Workforce::bond(origin.clone(), 1),
                Workforce::unbond(origin.clone(), 1),
                Workforce::withdraw_unbonded(origin.clone()),
                Workforce::register_device(origin.clone(), device, new, region, hardware, word),
                Workforce::rotate_sealing_key(origin.clone(), device, new, word),
                Workforce::retire_device(origin, device),
            ];
            assert_eq!(results, [Err(DispatchError::BadOrigin); 6]);
        }
    });
}

#[test]
fn the_runtime_may_not_make_devices_free() {
    on_new_chain(<Workforce as Hooks<u32>>::integrity_test);
}
