//! Work that a coordinator has acknowledged is in its log.

use crate::{
    author::receipt,
    honest::acknowledged,
    lies::{honest, is_revealed, place},
    world::{blocks, recheck},
};
use quern_joblog::{Entry, ReleaseCause};
use quern_primitives::ids::JobId;
use quern_recheck::{Dispute, ExpectError, RecheckFault};

#[test]
fn work_that_was_acknowledged_and_left_out_is_missed() {
    let mut story = honest();
    let place = place(&story.entries, is_revealed);
    let Entry::Revealed { receipt, .. } = story.entries[place].clone() else {
        panic!("no receipt");
    };
    let payload = &receipt.payload;
    story.entries[place] = Entry::Released {
        task: payload.task,
        replica: payload.replica,
        device: payload.device,
        cause: ReleaseCause::Late,
    };
    let acknowledgement = acknowledged(&receipt, place as u64);
    let mut recheck = recheck(&story.facts);
    recheck.expect(acknowledgement.clone()).unwrap();
    let blocks = blocks(&story.entries, 6);
    let fault = blocks
        .iter()
        .try_for_each(|block| recheck.take(&block.to_bytes()))
        .unwrap_err();
    assert_eq!(fault.dispute(), Some(Dispute::Omission));
    assert_eq!(
        fault,
        RecheckFault::Omitted {
            position: place as u64,
            acknowledgement: Box::new(acknowledgement.clone()),
        }
    );
    assert_eq!(recheck.expect(acknowledgement), Err(ExpectError::Passed));
    assert_eq!(recheck.take(&[]), Err(fault), "nothing more is taken");
}

#[test]
fn a_second_acknowledgement_for_one_place_does_not_replace_the_first() {
    let story = honest();
    let mut recheck = recheck(&story.facts);
    let first = acknowledged(&receipt(0, 0, 1, 3, 0), 20);
    assert_eq!(recheck.expect(first.clone()), Ok(()));
    assert_eq!(recheck.expect(first.clone()), Ok(()));
    let other = acknowledged(&receipt(1, 0, 2, 3, 0), 20);
    assert_eq!(recheck.expect(other), Err(ExpectError::Taken));
    let mut elsewhere = first;
    elsewhere.payload.job = JobId([9; 32]);
    assert_eq!(recheck.expect(elsewhere), Err(ExpectError::OtherJob));
}

#[test]
fn work_that_was_acknowledged_for_a_place_behind_the_end_is_missed() {
    let story = honest();
    let receipt = receipt(0, 0, 1, 3, 0);
    let mut recheck = recheck(&story.facts);
    let late = acknowledged(&receipt, 1_000_000);
    recheck.expect(late.clone()).unwrap();
    let fault = blocks(&story.entries, 6)
        .iter()
        .try_for_each(|block| recheck.take(&block.to_bytes()))
        .unwrap_err();
    assert_eq!(fault.dispute(), Some(Dispute::Omission));
    let mut forged = late;
    forged.payload.position += 1;
    assert_eq!(recheck.expect(forged), Err(ExpectError::Signature));
}
