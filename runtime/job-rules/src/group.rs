//! The masternodes of a job: who is drawn, whose certificates settle a batch, who goes on when the one
//! that coordinates fails.
//!
//! The members have their turns in the order of the draw, and each at most one: who wrote a part of a job's
//! log writes no other, so that two blocks of one masternode for one place are always a lie. A member that
//! settled or certified a batch that was struck, or was convicted of something else, is *out*: it has no turn
//! and no say any more.

use alloc::vec::Vec;
use core::fmt;
use quern_primitives::{
    group::{Group, Member},
    ids::{AccountId, BlockNumber},
    payload::NodeSignature,
};

/// Draws so many of the masternodes, as far as there are as many, in the order in which they have their
/// turns. Of a number of 128 bits the remainders favour nobody noticeably: seven of 128 masternodes take
/// less than 50 of them.
pub fn draw(number: u128, masternodes: &[AccountId], size: u8) -> Vec<AccountId> {
    let mut left = masternodes.to_vec();
    let (mut number, mut drawn) = (number, Vec::new());
    while drawn.len() < usize::from(size) {
        let Ok(count) = u128::try_from(left.len()) else {
            break;
        };
        let (Some(place), Some(rest)) = (number.checked_rem(count), number.checked_div(count))
        else {
            break;
        };
        let Some(place) = usize::try_from(place).ok().filter(|it| *it < left.len()) else {
            break;
        };
        drawn.push(left.remove(place));
        number = rest;
    }
    drawn
}

/// Why certificates do not settle a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateError {
    /// Their places are not strictly ascending.
    Unsorted,
    /// The group has no member at a place that has a say.
    NoVoice {
        /// The place.
        place: u8,
    },
    /// They are not of more than half of those who have a say.
    TooFew {
        /// So many are needed.
        needed: usize,
    },
    /// A signature is not the member's over this batch and log.
    NotSigned {
        /// The member's place.
        place: u8,
    },
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsorted => {
                f.write_str("sort certificates by place and give each member of the group one")
            }
            Self::NoVoice { place } => write!(
                f,
                "nobody with a say is at place {place} of the job's group; leave that certificate out"
            ),
            Self::TooFew { needed } => {
                write!(f, "the batch needs {needed} certificates; collect more")
            }
            Self::NotSigned { place } => write!(
                f,
                "the certificate of place {place} is not over this batch and log head, or not by the \
                 key that the member had when it was drawn; ask for it again"
            ),
        }
    }
}

impl core::error::Error for CertificateError {}

/// Whether certificates are of more than half of those in the group who have a say, and each of a member.
/// Signatures, which cost most, are looked at last, and all of them.
pub fn check_certificates(
    group: &Group,
    certificates: &[(u8, NodeSignature)],
    is_signed: impl Fn(&Member, &NodeSignature) -> bool,
) -> Result<(), CertificateError> {
    if !certificates.is_sorted_by(|(one, _), (next, _)| one < next) {
        return Err(CertificateError::Unsorted);
    }
    let needed = group.needed();
    if certificates.len() < needed {
        return Err(CertificateError::TooFew { needed });
    }
    let voice = |place: u8| group.member(place).filter(|member| !member.is_out);
    let mute = certificates
        .iter()
        .find(|(place, _)| voice(*place).is_none());
    if let Some((place, _)) = mute {
        return Err(CertificateError::NoVoice { place: *place });
    }
    let holds = |place: u8, signature| voice(place).is_some_and(|it| is_signed(it, signature));
    let forged = certificates
        .iter()
        .find(|(place, signature)| !holds(*place, signature));
    match forged {
        Some((place, _)) => Err(CertificateError::NotSigned { place: *place }),
        None => Ok(()),
    }
}

/// Why a masternode may not take a job over now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakeOverError {
    /// It is not in the job's group.
    NotMember,
    /// It coordinates, did so before, or is out.
    NoTurn,
    /// The one that coordinates, or one between, may still settle.
    TooEarly {
        /// The height of the chain's clock of finality from which on it may.
        from: BlockNumber,
    },
}

impl fmt::Display for TakeOverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMember => f.write_str("only a member of the job's group may take it over"),
            Self::NoTurn => f.write_str(
                "this member has had its turn, has it now, or is out; another has to take over",
            ),
            Self::TooEarly { from } => write!(
                f,
                "others have their turn until the chain's clock of finality is at {from}; wait for it"
            ),
        }
    }
}

impl core::error::Error for TakeOverError {}

/// The place of `by`, if it may take the job over while the clock of finality is at `clock`. The one that
/// coordinates has `stall` blocks from the last settlement on, unless it is out or no masternode any more,
/// and each member between that could have its turn has as many more.
pub fn take_over(
    group: &Group,
    by: &AccountId,
    (clock, stall): (BlockNumber, BlockNumber),
    is_masternode: impl Fn(&AccountId) -> bool,
    may_begin: impl Fn(&AccountId) -> bool,
) -> Result<u8, TakeOverError> {
    let place = group.place_of(by).ok_or(TakeOverError::NotMember)?;
    let is_out = group.member(place).is_none_or(|member| member.is_out);
    if place <= group.turn || is_out {
        return Err(TakeOverError::NoTurn);
    }
    let present = group.coordinator().into_iter();
    let present = present.filter(|member| serves(member, &is_masternode));
    let between = group.members.iter().take(usize::from(place));
    let between = between.skip(usize::from(group.turn).saturating_add(1));
    let between = between.filter(|member| serves(member, &may_begin));
    let from = present
        .chain(between)
        .fold(group.since, |from, _| from.saturating_add(stall));
    match clock >= from {
        true => Ok(place),
        false => Err(TakeOverError::TooEarly { from }),
    }
}

/// Who goes on when the turn that is now ends for a batch that was struck or a conviction.
pub fn next_turn(group: &Group, may_begin: impl Fn(&AccountId) -> bool) -> Option<u8> {
    let first = group.turn.saturating_add(1);
    let later = group.members.iter().zip(0u8..).skip(usize::from(first));
    let mut later = later.filter(|(member, _)| serves(member, &may_begin));
    later.next().map(|(_, place)| place)
}

fn serves(member: &Member, is_able: impl Fn(&AccountId) -> bool) -> bool {
    !member.is_out && is_able(&member.account)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use quern_primitives::ids::NodeKey;
    use std::collections::BTreeSet;

    fn account(number: u8) -> AccountId {
        AccountId::new([number; 32])
    }

    fn group(members: u8, turn: u8, out: &[u8]) -> Group {
        let members = (0..members).map(|number| Member {
            account: account(number),
            node: NodeKey([number; 32]),
            is_out: out.contains(&number),
        });
        Group {
            members: members.collect::<Vec<_>>().try_into().unwrap(),
            turn,
            since: 100,
            lane_seed: None,
        }
    }

    /// A signature that is worth something only at its place.
    fn of(place: u8) -> (u8, NodeSignature) {
        (place, NodeSignature([place; 64]))
    }

    fn is_signed(member: &Member, signature: &NodeSignature) -> bool {
        signature.0[0] == member.node.0[0]
    }

    fn check(group: &Group, certificates: &[(u8, NodeSignature)]) -> Result<(), CertificateError> {
        check_certificates(group, certificates, is_signed)
    }

    proptest! {
        #[test]
        fn a_draw_is_of_different_masternodes_and_as_large_as_may_be(
            number: u128, count in 0u8..=128, size in 0u8..=7,
        ) {
            let masternodes: Vec<_> = (0..count).map(account).collect();
            let drawn = draw(number, &masternodes, size);
            prop_assert_eq!(drawn.len(), usize::from(size.min(count)));
            let different: BTreeSet<_> = drawn.iter().collect();
            prop_assert_eq!(different.len(), drawn.len());
            prop_assert!(drawn.iter().all(|it| masternodes.contains(it)));
            let first = drawn.first().cloned();
            let place = number.checked_rem(count.into());
            prop_assert!(size == 0 || first == place.map(|place| account(place as u8)));
        }

        #[test]
        fn no_half_of_a_group_settles(
            members in 1u8..=7, out in prop::collection::btree_set(0u8..7, 0..7),
            signers in prop::collection::btree_set(0u8..7, 0..=7),
        ) {
            let out: Vec<u8> = out.into_iter().filter(|it| *it < members).collect();
            let group = group(members, 0, &out);
            let certificates: Vec<_> = signers.iter().map(|place| of(*place)).collect();
            let are_voices = signers.iter().all(|it| *it < members && !out.contains(it));
            let are_most = 2 * signers.len() > usize::from(members) - out.len();
            prop_assert_eq!(check(&group, &certificates).is_ok(), are_voices && are_most);
        }
    }

    #[test]
    fn every_order_of_a_small_group_is_drawn() {
        let masternodes: Vec<_> = (0..4).map(account).collect();
        let orders: BTreeSet<_> = (0..24)
            .map(|number| draw(number, &masternodes, 4))
            .collect();
        assert_eq!(orders.len(), 24);
    }

    #[test]
    fn each_member_counts_once_and_only_with_its_own_signature() {
        let group = group(3, 0, &[]);
        assert_eq!(check(&group, &[of(0), of(2)]), Ok(()));
        let unsorted = Err(CertificateError::Unsorted);
        assert_eq!(check(&group, &[of(1), of(1)]), unsorted);
        assert_eq!(check(&group, &[of(2), of(1)]), unsorted);
        let foreign = [of(0), (2, NodeSignature([1; 64]))];
        let not_signed = Err(CertificateError::NotSigned { place: 2 });
        assert_eq!(check(&group, &foreign), not_signed);
        // More than are needed must hold as well.
        let forged = [of(0), of(1), (2, NodeSignature([1; 64]))];
        assert_eq!(check(&group, &forged), not_signed);
        let too_few = Err(CertificateError::TooFew { needed: 2 });
        assert_eq!(check(&group, &[of(1)]), too_few);
        let stranger = Err(CertificateError::NoVoice { place: 3 });
        assert_eq!(check(&group, &[of(1), of(3)]), stranger);
    }

    #[test]
    fn who_is_out_has_no_say_and_is_not_counted() {
        let group = group(3, 1, &[0, 2]);
        assert_eq!(check(&group, &[of(1)]), Ok(()));
        let no_voice = Err(CertificateError::NoVoice { place: 0 });
        assert_eq!(check(&group, &[of(0), of(1)]), no_voice);
    }

    /// Asks for the account of a place, with a stall of ten blocks and these away.
    fn take(
        group: &Group,
        place: u8,
        clock: BlockNumber,
        away: &[u8],
    ) -> Result<u8, TakeOverError> {
        let is_there = |it: &AccountId| !away.iter().any(|place| *it == account(*place));
        take_over(group, &account(place), (clock, 10), is_there, is_there)
    }

    #[test]
    fn each_member_waits_for_those_before_it() {
        let group = group(4, 0, &[]);
        for place in 1..4 {
            let from = 100 + 10 * BlockNumber::from(place);
            let early = Err(TakeOverError::TooEarly { from });
            assert_eq!(take(&group, place, from - 1, &[]), early);
            assert_eq!(take(&group, place, from, &[]), Ok(place));
        }
        assert_eq!(take(&group, 0, 1_000, &[]), Err(TakeOverError::NoTurn));
        assert_eq!(take(&group, 4, 1_000, &[]), Err(TakeOverError::NotMember));
    }

    #[test]
    fn nobody_waits_for_who_cannot_settle() {
        let group = group(4, 1, &[2]);
        assert_eq!(take(&group, 3, 100, &[1]), Ok(3));
        let later = Err(TakeOverError::TooEarly { from: 110 });
        assert_eq!(take(&group, 3, 100, &[]), later);
        for had_or_out in [0, 1, 2] {
            let no_turn = Err(TakeOverError::NoTurn);
            assert_eq!(take(&group, had_or_out, 1_000, &[]), no_turn);
        }
    }

    #[test]
    fn who_coordinates_is_waited_for_also_where_it_could_not_begin_and_who_is_between_is_not() {
        let group = group(3, 0, &[]);
        let may_begin = |it: &AccountId| *it == account(2);
        let at = |clock| take_over(&group, &account(2), (clock, 10), |_| true, may_begin);
        assert_eq!(at(109), Err(TakeOverError::TooEarly { from: 110 }));
        assert_eq!(at(110), Ok(2));
    }

    #[test]
    fn the_next_turn_is_of_the_first_after_the_present_one_that_can_have_it() {
        assert_eq!(next_turn(&group(4, 1, &[2]), |_| true), Some(3));
        assert_eq!(next_turn(&group(4, 0, &[]), |_| true), Some(1));
        assert_eq!(next_turn(&group(4, 3, &[]), |_| true), None);
        assert_eq!(next_turn(&group(1, 0, &[0]), |_| true), None);
        let first_only = |it: &AccountId| *it == account(0);
        assert_eq!(next_turn(&group(4, 1, &[]), first_only), None);
    }
}
