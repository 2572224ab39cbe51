//! Whatever the state says, however absurd, each rule answers; and no money comes or goes by it.

use crate::{Kept, MEMBER, OWNER};
use proptest::prelude::*;
use quern_custody_rules::{
    challenge::{self, Answered, Opener},
    drawn,
    holding::{self, Facts},
    life, mismatch, pay, steps,
};
use quern_primitives::{
    amount::Amount,
    custody::{
        Answer, Challenge, Contract, Escrow, HoldConsent, Holding, Offer, PaidPeriods, PieceEntry,
        Place, ShortProof, Standing, Step, Terms,
    },
    ids::{AccountId, ContractId, DeviceId, Digest},
    merkle::SpanProof,
};

/// Small, large, or anything.
fn number() -> impl Strategy<Value = u32> {
    prop_oneof![3 => 0u32..40, 1 => u32::MAX - 40..=u32::MAX, 1 => any::<u32>()]
}

fn amount() -> impl Strategy<Value = Amount> {
    prop_oneof![3 => 0u128..5_000, 1 => Amount::MAX - 40..=Amount::MAX, 1 => any::<Amount>()]
}

fn terms() -> impl Strategy<Value = Terms> {
    let times = (number(), number(), any::<u16>());
    let shares = (0u16..2_000, 0u16..2_000, 0u16..2_000);
    (times, (amount(), amount(), amount()), shares).prop_map(|(times, amounts, shares)| Terms {
        period_blocks: times.0,
        answer_blocks: times.1,
        notice_periods: times.2,
        rate: amounts.0,
        challenge_bond: amounts.1,
        slash: amounts.2,
        holders_permille: shares.0,
        operators_permille: shares.1,
        winner_permille: shares.2,
    })
}

fn offer() -> impl Strategy<Value = Offer> {
    (number(), any::<u8>(), number()).prop_map(|(pieces, copies, periods)| Offer {
        salt: [0; 16],
        pieces_root: Digest::default(),
        pieces,
        copies,
        periods,
    })
}

fn contract() -> impl Strategy<Value = Contract> {
    let money = (
        amount(),
        amount(),
        amount(),
        amount(),
        amount(),
        amount(),
        amount(),
    );
    let counts = (number(), number(), number());
    (offer(), terms(), money, counts).prop_map(|(offer, terms, money, counts)| Contract {
        owner: OWNER,
        offer,
        terms,
        ends: counts.0,
        escrow: Escrow {
            deposited: money.0,
            paid: money.1,
            network: money.2,
            refunded: money.3,
            held: money.4,
            reserved: money.5,
        },
        running: money.6,
        holdings: counts.1,
        challenges: counts.2,
    })
}

fn holding() -> impl Strategy<Value = Holding> {
    let times = (
        number(),
        prop::option::of(number()),
        prop::option::of(number()),
    );
    let paid = (number(), number(), any::<u64>());
    let piece = (
        prop_oneof![0u64..40_000, any::<u64>()],
        amount(),
        any::<bool>(),
    );
    (times, paid, piece).prop_map(|(times, paid, piece)| Holding {
        account: MEMBER,
        chunk_root: Digest::default(),
        bytes: piece.0,
        price: piece.1,
        since: times.0,
        until: times.1,
        paid: PaidPeriods {
            count: paid.0,
            newest: paid.1,
            bits: paid.2,
        },
        is_challenged: piece.2,
        proved_in: times.2,
    })
}

fn open_challenge() -> impl Strategy<Value = Challenge> {
    (number(), number(), number(), amount(), any::<u8>()).prop_map(
        |(period, opened_at, due, bond, answered)| Challenge {
            seed: Digest::default(),
            period,
            opened_at,
            due,
            opener: OWNER,
            bond,
            answered,
        },
    )
}

fn standing() -> impl Strategy<Value = Standing> {
    let at = || prop::option::of(number());
    (at(), at(), number()).prop_map(|(warned_at, contained_at, missed_at)| Standing {
        warned_at,
        contained_at,
        missed_at,
    })
}

fn entry() -> impl Strategy<Value = PieceEntry> {
    (any::<u8>(), number(), any::<u64>(), any::<u8>()).prop_map(
        |(version, piece, bytes, audit_depth)| PieceEntry {
            version: version % 2,
            piece,
            chunk_root: Digest::default(),
            bytes,
            audit_root: Digest::default(),
            audit_depth,
        },
    )
}

const PLACE: Place = Place {
    contract: ContractId([1; 32]),
    piece: 0,
    holder: DeviceId([2; 32]),
};

/// What of the deposit is nowhere, as far as such numbers have a sum.
fn astray(contract: &Contract) -> Amount {
    let Escrow {
        deposited,
        paid,
        network,
        refunded,
        held,
        ..
    } = contract.escrow;
    let parts = [paid, network, refunded, held].into_iter();
    parts.fold(deposited, Amount::wrapping_sub)
}

proptest! {
    #[test]
    fn no_state_of_a_contract_is_too_absurd_for_its_life(
        contract in contract(), offer in offer(), terms in terms(), now in number(),
        periods in number(), deposit in amount(), by_owner: bool,
    ) {
        let by = if by_owner { OWNER } else { MEMBER };
        let opened = life::open(by.clone(), offer, terms, deposit, now);
        prop_assert!(opened.is_err() || life::check_terms(&terms).is_ok());
        let after = [
            life::renew(&contract, &by, periods, deposit, now),
            life::end(&contract, &by, now),
            life::close(&contract, now).map(|(contract, _)| contract),
        ];
        for contract_after in after.into_iter().flatten() {
            prop_assert_eq!(astray(&contract_after), astray(&contract));
        }
    }

    #[test]
    fn no_state_of_a_holding_is_too_absurd_for_its_rules(
        contract in contract(), holding in holding(), now in number(), period in number(),
        entry in entry(), standing in standing(), holders: u8,
    ) {
        let consent = HoldConsent {
            contract: PLACE.contract,
            device: PLACE.holder,
            account: AccountId::new([7; 32]),
            since: now.checked_div(contract.terms.period_blocks).unwrap_or_default().saturating_add(1),
            entry,
            terms: contract.terms,
        };
        let proof = ShortProof { index: entry.piece, count: contract.offer.pieces, siblings: Default::default() };
        let facts = Facts { standing, holders, is_known: false };
        let mut after = Vec::new();
        after.extend(holding::hold(&contract, &consent, &proof, &facts, now, |_| true).ok().map(|it| it.0));
        after.extend(holding::release(&contract, &holding, &OWNER, false, now).ok().map(|it| it.0));
        after.extend(holding::forget(&contract, &holding, now));
        after.extend(pay::pay(&contract, &holding, period, now).map(|it| it.contract));
        for contract_after in after {
            prop_assert_eq!(astray(&contract_after), astray(&contract));
        }
        let span = SpanProof { span: period, count: now, siblings: Default::default() };
        prop_assert!(mismatch::mismatch(&entry, &span, &[1]).is_err());
        pay::is_paid(&holding.paid, period);
    }

    #[test]
    fn no_challenge_is_too_absurd_for_an_answer_or_a_miss(
        contract in contract(), holding in holding(), open in open_challenge(), now in number(),
        standing in standing(), bond in amount(), part: u8,
    ) {
        let by = Opener { account: &OWNER, is_member: false };
        let random = Digest::default();
        let opened = challenge::open(&contract, &holding, &PLACE, &random, by, now);
        if let Ok((contract_after, ..)) = opened {
            prop_assert_eq!(contract_after.escrow, contract.escrow);
        }
        let missed = challenge::miss(&contract, &holding, &PLACE, &open, &standing, bond, now);
        if let Ok(missed) = missed {
            prop_assert_eq!(astray(&missed.contract), astray(&contract));
            prop_assert!(missed.penalty.slash() <= bond);
            let is_contained = standing.contained_at.is_some();
            prop_assert!(missed.evidence.step != Step::Penalty || is_contained);
        }
        let empty = Answer { part, chunks: Default::default() };
        prop_assert!(challenge::answer(&contract, &holding, &open, &empty, now).is_err());
        let _ = steps::review(&standing, now);
    }

    #[test]
    fn no_state_is_too_absurd_for_a_right_answer(
        contract in contract(), holding in holding(), open in open_challenge(), now in number(), part in 0u8..2,
    ) {
        let kept = Kept::patterned(0, 9 * 4_096);
        let holding = Holding { chunk_root: kept.tree.root(), bytes: 9 * 4_096, ..holding };
        let right = kept.answer(&open, part).unwrap();
        prop_assert_eq!(drawn::chunks(&open.seed, 9).len(), 9);
        match challenge::answer(&contract, &holding, &open, &right, now) {
            Ok(Answered::Whole(passed)) => {
                prop_assert_eq!(astray(&passed.contract), astray(&contract));
                prop_assert_eq!(passed.bond, open.bond);
            }
            Ok(Answered::Part(next)) => prop_assert_ne!(next.answered, open.answered),
            Err(_) => {}
        }
    }
}
