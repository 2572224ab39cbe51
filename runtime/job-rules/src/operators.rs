//! Who of a job's group is paid for a batch, and how much.
//!
//! Who *answers* for a batch is who settled it and who certified it: they pay if it is proved wrong, and they are
//! paid if it stands. The operators' part of what it spends is divided among them in equal parts, rounded down:
//!
//! ```text
//! each = floor(operators / answering)
//! ```
//!
//! Who is out when the batch becomes final was proved to have lied in the job meanwhile, and gets nothing. The
//! others' parts do not grow by that, so nobody is paid more because another was convicted. What is not divided
//! and what is not paid goes to the treasury, like all remainders.
//!
//! A member that is no masternode any more, or has taken back its bond, is paid all the same: it did the work,
//! and answered for it. Of a batch that is struck nobody is paid, so there is nothing to take back from anybody.

use alloc::vec::Vec;
use quern_primitives::{
    amount::Amount,
    batch::{PendingBatch, Shares},
    group::{Group, Member},
    ids::AccountId,
};

/// What the masternodes of a batch get when it becomes final.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperatorPay<'a> {
    each: Amount,
    payees: Vec<&'a AccountId>,
    shares: Shares,
}

/// Whether the member at a place of its job's group answers for a batch: it settled or certified it.
pub fn answers(batch: &PendingBatch, place: u8, member: &Member) -> bool {
    batch.coordinator == member.account || batch.certified_by.contains(&place)
}

/// An equal part of what so many share, rounded down; nothing where nobody does.
pub fn part(operators: Amount, answering: usize) -> Amount {
    let answering = Amount::try_from(answering).ok();
    answering
        .and_then(|answering| operators.checked_div(answering))
        .unwrap_or(0)
}

impl<'a> OperatorPay<'a> {
    /// What a batch of a job with this group pays if it becomes final now; none if its parts together are more
    /// than can exist.
    pub fn of(group: &'a Group, batch: &PendingBatch) -> Option<Self> {
        let members = group.members.iter().zip(0u8..);
        let answering: Vec<&Member> = members
            .filter(|(member, place)| answers(batch, *place, member))
            .map(|(member, _)| member)
            .collect();
        let each = part(batch.split.operators, answering.len());
        let paid = answering.iter().filter(|member| !member.is_out);
        let payees: Vec<&AccountId> = paid.map(|member| &member.account).collect();
        let operators = Amount::try_from(payees.len()).ok()?.checked_mul(each)?;
        let rest = batch.split.operators.checked_sub(operators)?;
        let shares = Shares {
            workers: batch.split.workers,
            operators,
            treasury: batch.split.treasury.checked_add(rest)?,
        };
        shares.spent()?;
        Some(Self {
            each,
            payees,
            shares,
        })
    }

    /// What each of those who are paid gets.
    pub fn each(&self) -> Amount {
        self.each
    }

    /// Who is paid, each once, in the order of the group.
    pub fn payees(&self) -> &[&'a AccountId] {
        &self.payees
    }

    /// What an account gets.
    pub fn to(&self, account: &AccountId) -> Amount {
        match self.payees.contains(&account) {
            true => self.each,
            false => 0,
        }
    }

    /// The parts of what the batch spends, with what operators do not get in the treasury's.
    pub fn shares(&self) -> Shares {
        self.shares
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_primitives::{batch::TaskSet, ids::NodeKey};

    fn account(number: u8) -> AccountId {
        AccountId::new([number; 32])
    }

    fn group(members: u8, out: &[u8]) -> Group {
        let members = (0..members).map(|number| Member {
            account: account(number),
            node: NodeKey([number; 32]),
            is_out: out.contains(&number),
        });
        Group {
            members: members.collect::<Vec<_>>().try_into().unwrap(),
            turn: 0,
            since: 0,
            lane_seed: None,
        }
    }

    /// Settled by the member at a place, and certified by those at others.
    fn batch(by: u8, certified_by: &[u8], operators: Amount) -> PendingBatch {
        PendingBatch {
            due: 0,
            coordinator: account(by),
            certified_by: certified_by.to_vec().try_into().unwrap(),
            tasks: TaskSet {
                first: 0,
                bits: Default::default(),
            },
            payouts: Default::default(),
            devices: Default::default(),
            split: Shares {
                workers: 70,
                operators,
                treasury: 10,
            },
        }
    }

    /// Places of who is paid, what each gets, and what the treasury gets.
    fn paid(group: &Group, batch: &PendingBatch) -> (Vec<u8>, Amount, Amount) {
        let pay = OperatorPay::of(group, batch).unwrap();
        let places = pay.payees().iter().map(|it| group.place_of(it).unwrap());
        let shares = pay.shares();
        assert_eq!(shares.operators, pay.each() * pay.payees().len() as Amount);
        assert_eq!(shares.spent(), batch.split.spent());
        (places.collect(), pay.each(), shares.treasury)
    }

    #[test]
    fn a_group_of_one_gets_all_of_it() {
        assert_eq!(paid(&group(1, &[]), &batch(0, &[0], 20)), (vec![0], 20, 10));
    }

    #[test]
    fn who_certified_shares_with_who_settled_and_the_remainder_is_the_treasurys() {
        let group = group(5, &[]);
        let shared = paid(&group, &batch(0, &[0, 1, 3], 20));
        assert_eq!(shared, (vec![0, 1, 3], 6, 12));
        // Who settled may have left out its own certificate.
        let others = paid(&group, &batch(4, &[0, 1, 3], 20));
        assert_eq!(others, (vec![0, 1, 3, 4], 5, 10));
    }

    #[test]
    fn what_does_not_give_each_a_unit_is_the_treasurys() {
        let group = group(3, &[]);
        assert_eq!(
            paid(&group, &batch(0, &[0, 1, 2], 2)),
            (vec![0, 1, 2], 0, 12)
        );
    }

    #[test]
    fn who_is_out_gets_nothing_and_nobody_gets_more_by_that() {
        let batch = batch(0, &[0, 1, 2], 30);
        assert_eq!(paid(&group(3, &[1]), &batch), (vec![0, 2], 10, 20));
        assert_eq!(paid(&group(3, &[0, 1, 2]), &batch), (vec![], 10, 40));
    }

    #[test]
    fn who_was_drawn_and_did_neither_gets_nothing() {
        let (group, batch) = (group(3, &[]), batch(1, &[0, 1], 20));
        let pay = OperatorPay::of(&group, &batch).unwrap();
        let to = [0, 1, 2, 3].map(|number| pay.to(&account(number)));
        assert_eq!(to, [10, 10, 0, 0]);
    }

    #[test]
    fn where_nobody_answers_the_treasury_has_all_of_it() {
        assert_eq!(part(20, 0), 0);
        assert_eq!(paid(&group(2, &[]), &batch(9, &[], 20)), (vec![], 0, 30));
    }

    #[test]
    fn parts_that_are_more_than_can_exist_are_not_paid() {
        let mut absurd = batch(0, &[0], 20);
        absurd.split.treasury = Amount::MAX;
        assert_eq!(OperatorPay::of(&group(1, &[]), &absurd), None);
    }
}
