//! What a contract may not be, and when it ends.

use super::*;
use quern_primitives::ids::Digest;

const OWNER: AccountId = AccountId::new([1; 32]);
const STRANGER: AccountId = AccountId::new([2; 32]);

fn terms() -> Terms {
    Terms {
        period_blocks: 10,
        answer_blocks: 15,
        notice_periods: 2,
        rate: 1,
        holders_permille: 700,
        operators_permille: 200,
        challenge_bond: 1,
        slash: 1,
        winner_permille: 500,
    }
}

fn offer() -> Offer {
    Offer {
        salt: [0; 16],
        pieces_root: Digest::default(),
        pieces: 1,
        copies: 1,
        periods: 20,
    }
}

fn contract() -> Contract {
    open(OWNER, offer(), terms(), 1_000, 35).unwrap()
}

#[test]
fn a_contract_runs_from_the_period_behind_the_one_in_which_it_is_opened() {
    let contract = contract();
    // Block 35 is in period 3, so there are 20 periods from 4 on.
    assert_eq!(contract.ends, 24);
    let escrow = Escrow {
        deposited: 1_000,
        held: 1_000,
        ..Escrow::default()
    };
    assert_eq!(contract.escrow, escrow);
}

#[test]
fn terms_out_of_bounds_are_refused_by_name() {
    let refused = |change: fn(&mut Terms)| {
        let mut terms = terms();
        change(&mut terms);
        check_terms(&terms)
    };
    assert_eq!(refused(|_| {}), Ok(()));
    let period_blocks = |found| Err(TermsError::PeriodBlocks { found });
    assert_eq!(refused(|it| it.period_blocks = 0), period_blocks(0));
    let found = PERIOD_BLOCKS_MAX + 1;
    assert_eq!(
        refused(|it| it.period_blocks = PERIOD_BLOCKS_MAX + 1),
        period_blocks(found)
    );
    let most = 620;
    assert_eq!(refused(|it| it.answer_blocks = 620), Ok(()));
    let answers: [fn(&mut Terms); 2] = [|it| it.answer_blocks = 0, |it| it.answer_blocks = 621];
    for change in answers {
        assert_eq!(refused(change), Err(TermsError::AnswerBlocks { most }));
    }
    let found = NOTICE_PERIODS_MAX + 1;
    assert_eq!(
        refused(|it| it.notice_periods = NOTICE_PERIODS_MAX + 1),
        Err(TermsError::Notice { found })
    );
    let shares: [fn(&mut Terms); 3] = [
        |it| it.holders_permille = 801,
        |it| it.operators_permille = u16::MAX,
        |it| it.winner_permille = 1_001,
    ];
    for change in shares {
        assert_eq!(refused(change), Err(TermsError::Shares));
    }
}

#[test]
fn an_offer_out_of_bounds_is_refused_by_name() {
    let refused = |change: fn(&mut Offer), now| {
        let mut offer = offer();
        change(&mut offer);
        open(OWNER, offer, terms(), 0, now).map(|_| ())
    };
    let pieces = |found| Err(LifeError::Pieces { found });
    assert_eq!(refused(|it| it.pieces = 0, 0), pieces(0));
    assert_eq!(refused(|it| it.pieces = 65_537, 0), pieces(65_537));
    let copies = |found| Err(LifeError::Copies { found });
    assert_eq!(refused(|it| it.copies = 0, 0), copies(0));
    assert_eq!(refused(|it| it.copies = 17, 0), copies(17));
    let periods: [fn(&mut Offer); 2] = [
        |it| it.periods = 0,
        |it| it.periods = CONTRACT_PERIODS_MAX + 1,
    ];
    for change in periods {
        assert_eq!(refused(change, 0), Err(LifeError::Periods));
    }
    assert_eq!(refused(|_| {}, u32::MAX), Ok(()));
}

#[test]
fn only_the_owner_renews_and_ends_and_not_what_has_ended() {
    let contract = contract();
    let renewed = renew(&contract, &OWNER, 5, 7, 239).unwrap();
    assert_eq!((renewed.ends, renewed.escrow.held), (29, 1_007));
    let refused = |by, periods, deposit, now| renew(&contract, by, periods, deposit, now);
    assert_eq!(refused(&STRANGER, 5, 7, 50), Err(LifeError::NotOwner));
    assert_eq!(refused(&OWNER, 0, 0, 50), Err(LifeError::Nothing));
    assert_eq!(refused(&OWNER, 5, 7, 240), Err(LifeError::Ended));
    let most = CONTRACT_PERIODS_MAX - 19;
    assert!(refused(&OWNER, most, 0, 50).is_ok());
    assert_eq!(refused(&OWNER, most + 1, 0, 50), Err(LifeError::Periods));
    assert_eq!(refused(&OWNER, u32::MAX, 0, 50), Err(LifeError::Periods));
    assert_eq!(refused(&OWNER, 0, Amount::MAX, 50), Err(LifeError::TooMuch));
    assert_eq!(end(&contract, &STRANGER, 50), Err(LifeError::NotOwner));
    // Period 5 goes on, and two more of notice.
    assert_eq!(end(&contract, &OWNER, 50).unwrap().ends, 8);
    assert_eq!(end(&contract, &OWNER, 210), Err(LifeError::Ended));
}

#[test]
fn a_contract_that_nobody_held_anything_of_is_closed_when_it_ends() {
    let contract = contract();
    let from = 24;
    assert_eq!(close(&contract, 239), Err(LifeError::TooEarly { from }));
    let (closed, refund) = close(&contract, 240).unwrap();
    assert_eq!(
        (refund, closed.escrow.refunded, closed.escrow.held),
        (1_000, 1_000, 0)
    );
}

#[test]
fn a_contract_with_holders_or_challenges_is_closed_when_they_are_done() {
    let held = Contract {
        holdings: 1,
        ..contract()
    };
    let from = 23 + PAYABLE_PERIODS;
    let refused = close(&held, from * 10 - 1);
    assert_eq!(refused, Err(LifeError::TooEarly { from }));
    assert!(close(&held, from * 10).is_ok());
    let challenged = Contract {
        challenges: 2,
        ..held
    };
    let open = 2;
    assert_eq!(
        close(&challenged, from * 10),
        Err(LifeError::Challenged { open })
    );
}
