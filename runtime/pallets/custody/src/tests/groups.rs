//! Groups of all sizes.

use super::*;
use crate::{Groups, Operators};
use quern_primitives::payload::NodeSecret;
use std::collections::BTreeSet;

#[test]
fn a_group_is_as_large_as_it_is_to_be_if_there_are_as_many() {
    for (size, expected) in [(1, 1), (2, 2), (3, 3), (7, 3)] {
        on_new_chain(|| {
            SizeOfGroups::set(&size);
            let id = opened();
            let members = Custody::group(&id).unwrap().members;
            assert_eq!(members.len(), expected);
            let different: BTreeSet<_> = members.iter().map(|it| &it.account).collect();
            assert_eq!(different.len(), expected);
            assert!(different.iter().all(|it| MASTERNODES.contains(it)));
        });
    }
}

#[test]
fn every_masternode_is_drawn_for_some_contract() {
    on_new_chain(|| {
        SizeOfGroups::set(&1);
        let mut drawn = BTreeSet::new();
        for salt in 0..40 {
            let opened = Custody::open(signed(&OWNER), offer(salt), TERMS, 1);
            assert!(opened.is_ok());
            next_block();
            drawn.insert(member(&id_of(&OWNER, salt), 0));
        }
        assert_eq!(drawn, BTreeSet::from(MASTERNODES));
    });
}

#[test]
fn who_has_no_key_published_is_in_no_group() {
    on_new_chain(|| {
        let [silent, others @ ..] = MASTERNODES;
        Unreachable::set(&vec![silent]);
        let id = opened();
        let members = Custody::group(&id).unwrap().members;
        let members: BTreeSet<_> = members.into_iter().map(|it| it.account).collect();
        assert_eq!(members, BTreeSet::from(others));
    });
}

#[test]
fn the_key_that_a_member_had_when_it_was_drawn_is_the_one_it_certifies_with() {
    on_new_chain(|| {
        let id = opened();
        let place = taken(id, 2, 0);
        period(1);
        let by = member(&id, 0);
        let done = proved(id, 1, &[place]);
        let certificates = words(&done, &[0, 1]);
        let new = NodeSecret::from_seed(&[77; 32]).public();
        Published::insert(&by, new);
        assert_eq!(Roster::network_key(&by), Some(new));
        free_of_charge(Custody::prove(signed(&by), done, certificates));
    });
}

#[test]
fn a_group_of_one_decides_alone() {
    on_new_chain(|| {
        SizeOfGroups::set(&1);
        let id = opened();
        let place = taken(id, 2, 0);
        period(1);
        let by = member(&id, 0);
        let done = proved(id, 1, &[place]);
        let certificates = words(&done, &[0]);
        free_of_charge(Custody::prove(signed(&by), done, certificates));
        assert_eq!(free(&by), ENDOWMENT + parts(price(2)).1);
        free_of_charge(Custody::release(signed(&by), place));
        assert_eq!(Custody::holding(&place).unwrap().until, Some(4));
    });
}

#[test]
fn who_has_no_say_any_more_certifies_nothing() {
    on_new_chain(|| {
        let id = opened();
        let place = taken(id, 2, 0);
        period(1);
        let done = proved(id, 1, &[place]);
        let with = |by: u8, places: &[u8]| {
            let by = member(&id, by);
            Custody::prove(signed(&by), done.clone(), words(&done, places))
        };
        Groups::<Test>::mutate(id, |group| {
            group.as_mut().unwrap().members[1].is_out = true;
        });
        refused(with(1, &[0, 2]), Refusal::NotMember);
        refused(with(0, &[0, 1]), Refusal::CertificateOfNobody);
        free_of_charge(with(0, &[0, 2]));
    });
}
