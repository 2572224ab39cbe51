//! What others ask.

use super::*;
use crate::{CONTRACTS_PER_PAGE_MAX, HOLDINGS_PER_PAGE_MAX};
use quern_primitives::custody::{Answer, Held};
use std::collections::BTreeSet;

#[test]
fn an_owners_contracts_come_in_pages() {
    on_new_chain(|| {
        for salt in 0..7 {
            let opened = Custody::open(signed(&OWNER), offer(salt), TERMS, 1);
            assert!(opened.is_ok());
        }
        let opened = Custody::open(signed(&OTHER_OWNER), offer(0), TERMS, 1);
        assert!(opened.is_ok());
        let (mut seen, mut last) = (BTreeSet::new(), None);
        loop {
            let page = Custody::contracts_of(&OWNER, last, 3);
            assert!(page.len() <= 3);
            let Some((id, _)) = page.last() else { break };
            last = Some(*id);
            for (id, contract) in page {
                assert_eq!(Custody::contract(&id), Some(contract));
                assert!(seen.insert(id));
            }
        }
        let expected: BTreeSet<_> = (0..7).map(|salt| id_of(&OWNER, salt)).collect();
        assert_eq!(seen, expected);
        let all = Custody::contracts_of(&OWNER, None, CONTRACTS_PER_PAGE_MAX + 1);
        assert_eq!(all.len(), 7);
        assert!(Custody::contracts_of(&STRANGER, None, 9).is_empty());
    });
}

#[test]
fn holdings_come_in_pages_by_contract_and_by_device() {
    on_new_chain(|| {
        let id = opened();
        let mut all = BTreeSet::new();
        for piece in 0..3 {
            for number in 0..2 {
                all.insert(taken(id, piece, number));
            }
        }
        let (mut seen, mut last) = (BTreeSet::new(), None::<Held>);
        loop {
            let page = Custody::holdings_of(&id, last, 4);
            let Some((held, _)) = page.last() else { break };
            last = Some(*held);
            for (held, holding) in page {
                let place = Place {
                    contract: id,
                    piece: held.piece,
                    holder: held.device,
                };
                assert_eq!(Custody::holding(&place), Some(holding));
                assert!(seen.insert(place));
            }
        }
        assert_eq!(seen, all);
        let (mut seen, mut last) = (BTreeSet::new(), None);
        loop {
            let page = Custody::held_by(&device(1), last, 2);
            let Some((place, _)) = page.last() else { break };
            last = Some((place.contract, place.piece));
            seen.extend(page.into_iter().map(|(place, _)| place));
        }
        let own: BTreeSet<_> = all
            .into_iter()
            .filter(|it| it.holder == device(1))
            .collect();
        assert_eq!(seen, own);
        let most = Custody::holdings_of(&id, None, HOLDINGS_PER_PAGE_MAX + 1);
        assert_eq!(most.len(), 6);
    });
}

#[test]
fn every_call_wants_a_signature() {
    on_new_chain(|| {
        let id = opened();
        let place = taken(id, 0, 0);
        let word = signed_by(0, consent(&place, 0));
        let done = proved(id, 1, &[place]);
        let certificates = words(&done, &[0, 1]);
        let nothing = Answer {
            part: 0,
            chunks: Default::default(),
        };
        for origin in [RuntimeOrigin::root(), RuntimeOrigin::none()] {
            let o = || origin.clone();
            let results = [
                Custody::open(o(), offer(1), TERMS, 1),
                plain(Custody::hold(o(), word.clone(), path(0))),
                plain(Custody::prove(o(), done.clone(), certificates.clone())),
                plain(Custody::challenge(o(), place)),
                Custody::answer(o(), place, nothing.clone()),
                plain(Custody::miss(o(), place)),
                plain(Custody::release(o(), place)),
                plain(Custody::forget(o(), place)),
                Custody::renew(o(), id, 1, 1),
                Custody::end(o(), id),
                plain(Custody::close(o(), id)),
                Custody::review(o(), device(0)),
            ];
            for result in results {
                assert_eq!(result, Err(DispatchError::BadOrigin));
            }
        }
    });
}
