//! The pallet's tests, each a sentence about what custody does. The rules themselves are tested where they are;
//! here is what the chain does with them.

mod answering;
mod ending;
mod groups;
mod histories;
mod holding;
mod missing;
mod model;
mod opening;
mod proving;
mod refusing;
mod releasing;
// The rules' own, which they are held to by random histories: a contract told as plainly as it can be.
#[allow(dead_code)] // Not all of it is asked here.
#[path = "../../../../custody-rules/tests/laws/model.rs"]
mod rules_model;
mod views;

use crate::{Error, mock::*};
use frame_support::dispatch::{DispatchResultWithPostInfo, Pays};
use quern_primitives::{
    AccountId,
    custody::{Escrow, Place},
    ids::ContractId,
};
use sp_runtime::{DispatchError, DispatchResult};

/// What is refused, and why.
type Refusal = Error<Test>;

fn signed(account: &AccountId) -> RuntimeOrigin {
    RuntimeOrigin::signed(account.clone())
}

/// What became of a call, without what it cost.
fn plain(done: DispatchResultWithPostInfo) -> DispatchResult {
    done.map(|_| ()).map_err(|refusal| refusal.error)
}

/// Checks that a call was refused with this error, and costs its fee.
#[track_caller]
fn refused(answer: DispatchResultWithPostInfo, expected: impl Into<DispatchError>) {
    let refusal = answer.unwrap_err();
    assert_eq!(refusal.error, expected.into());
    assert_eq!(
        refusal.post_info.pays_fee,
        Pays::Yes,
        "who is refused pays the fee"
    );
}

/// Checks that a call succeeded, and costs no fee.
#[track_caller]
fn free_of_charge(answer: DispatchResultWithPostInfo) {
    assert_eq!(answer.unwrap().pays_fee, Pays::No, "it costs no fee");
}

/// Checks that a call succeeded, and costs its fee.
#[track_caller]
fn for_a_fee(answer: DispatchResultWithPostInfo) {
    assert_eq!(answer.unwrap().pays_fee, Pays::Yes, "it costs its fee");
}

/// The money of an open contract.
fn escrow(id: ContractId) -> Escrow {
    Custody::contract(&id).unwrap().escrow
}

/// The parts of a price on the usual terms: what the holder gets, and the operators.
fn parts(price: u128) -> (u128, u128) {
    (price * 700 / 1_000, price * 200 / 1_000)
}

fn challenge(by: &AccountId, place: &Place) -> DispatchResultWithPostInfo {
    Custody::challenge(signed(by), *place)
}

fn miss(place: &Place) -> DispatchResultWithPostInfo {
    Custody::miss(signed(&STRANGER), *place)
}

fn forget(place: &Place) -> DispatchResultWithPostInfo {
    Custody::forget(signed(&STRANGER), *place)
}

fn close(id: ContractId) -> DispatchResultWithPostInfo {
    Custody::close(signed(&STRANGER), id)
}
