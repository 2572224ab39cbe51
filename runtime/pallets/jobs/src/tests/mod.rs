//! The pallet's tests, each a sentence about what jobs do. The rules themselves are tested where
//! they are; here is what the chain does with them.

mod coordinators;
mod ending;
mod exposure;
mod groups;
mod ledger;
mod model;
mod operators;
mod pending;
mod settling;
mod submitting;
mod views;

use crate::{Error, mock::*};
use frame_support::dispatch::{DispatchResultWithPostInfo, Pays};
use sp_runtime::DispatchError;

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
    assert_eq!(
        answer.unwrap().pays_fee,
        Pays::No,
        "who succeeds pays no fee"
    );
}

/// Checks that a call succeeded, and costs its fee.
#[track_caller]
fn for_a_fee(answer: DispatchResultWithPostInfo) {
    assert_eq!(
        answer.unwrap().pays_fee,
        Pays::Yes,
        "ending a job that took only blocks costs the fee"
    );
}

fn signed(account: &quern_primitives::AccountId) -> RuntimeOrigin {
    RuntimeOrigin::signed(account.clone())
}

type Refusal = Error<Test>;
