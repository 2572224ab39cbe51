mod bonds;
mod model;

use crate::{mock::*, *};
use frame_support::{BoundedVec, assert_err, assert_noop, assert_ok};
use pallet_session::SessionManager;
use quern_primitives::{SealingKey, limits::ADDRESSES_PER_MASTERNODE_MAX, view::MasternodeView};
use sp_runtime::DispatchError;

fn council() -> RuntimeOrigin {
    RuntimeOrigin::root()
}

fn signed(number: u8) -> RuntimeOrigin {
    RuntimeOrigin::signed(account(number))
}

fn accounts(numbers: &[u8]) -> Vec<AccountId> {
    numbers.iter().copied().map(account).collect()
}

fn device(number: u8) -> DeviceId {
    DeviceId([number; 32])
}

fn address(text: &str) -> Address {
    text.as_bytes().to_vec().try_into().unwrap()
}

fn publish_at(number: u8, device_addresses: &[Address], jobs_api: Address) -> DispatchResult {
    let device_addresses = BoundedVec::truncate_from(device_addresses.to_vec());
    let sealing_key = SealingKey([number; 32]);
    Roster::publish_endpoints(
        signed(number),
        device(number),
        sealing_key,
        device_addresses,
        jobs_api,
    )
}

fn publish(number: u8) -> DispatchResult {
    publish_at(
        number,
        &[address("/ip4/127.0.0.1/udp/30333/quic-v1")],
        address("http://there"),
    )
}

fn last_event() -> RuntimeEvent {
    System::events().pop().unwrap().event
}

#[test]
fn genesis_masternodes_validate_from_the_first_session() {
    with_masternodes(&[2, 1], || {
        assert_eq!(Roster::masternodes(), accounts(&[1, 2]));
        assert_eq!(Session::validators(), accounts(&[1, 2]));
    });
}

#[test]
#[should_panic(expected = "names a masternode twice")]
fn a_genesis_that_names_a_masternode_twice_is_refused() {
    genesis(&[1, 1]);
}

#[test]
fn a_masternode_with_session_keys_validates_two_sessions_later() {
    with_masternodes(&[1], || {
        assert_ok!(Roster::add_masternode(council(), account(2)));
        assert_eq!(
            last_event(),
            Event::MasternodeAdded {
                account: account(2)
            }
            .into()
        );
        assert!(Roster::is_masternode(&account(2)));
        set_session_keys(2);
        next_session();
        assert_eq!(Session::validators(), accounts(&[1]));
        next_session();
        assert_eq!(Session::validators(), accounts(&[1, 2]));
    });
}

#[test]
fn a_masternode_without_session_keys_is_left_out_until_it_has_them() {
    with_masternodes(&[1], || {
        assert_ok!(Roster::add_masternode(council(), account(2)));
        next_session();
        next_session();
        assert_eq!(Session::validators(), accounts(&[1]));
        set_session_keys(2);
        next_session();
        next_session();
        assert_eq!(Session::validators(), accounts(&[1, 2]));
    });
}

#[test]
fn session_keys_alone_make_no_validator() {
    with_masternodes(&[1], || {
        set_session_keys(2);
        next_session();
        next_session();
        assert_eq!(Session::validators(), accounts(&[1]));
    });
}

#[test]
fn a_removed_masternode_validates_to_the_end_of_the_next_session() {
    with_masternodes(&[1, 2], || {
        assert_ok!(Roster::remove_masternode(council(), account(1)));
        assert_eq!(
            last_event(),
            Event::MasternodeRemoved {
                account: account(1)
            }
            .into()
        );
        next_session();
        assert_eq!(Session::validators(), accounts(&[1, 2]));
        next_session();
        assert_eq!(Session::validators(), accounts(&[2]));
    });
}

#[test]
fn an_unchanged_set_is_not_planned_anew() {
    with_masternodes(&[1, 2], || {
        assert_eq!(Roster::new_session(2), None);
        assert_ok!(Roster::remove_masternode(council(), account(2)));
        assert_eq!(Roster::new_session(2), Some(accounts(&[1])));
    });
}

#[test]
fn an_empty_set_is_never_planned_so_the_last_good_one_stays() {
    with_masternodes(&[1], || {
        assert_ok!(Roster::add_masternode(council(), account(2)));
        assert_ok!(Roster::remove_masternode(council(), account(1)));
        for _ in 0..3 {
            next_session();
            assert_eq!(Session::validators(), accounts(&[1]));
        }
    });
}

#[test]
fn the_last_masternode_cannot_be_removed() {
    with_masternodes(&[1], || {
        assert_noop!(
            Roster::remove_masternode(council(), account(1)),
            Error::<Test>::LastMasternode
        );
    });
}

#[test]
fn a_masternode_is_added_once_and_only_a_masternode_is_removed() {
    with_masternodes(&[1, 2], || {
        assert_noop!(
            Roster::add_masternode(council(), account(1)),
            Error::<Test>::AlreadyMasternode
        );
        assert_noop!(
            Roster::remove_masternode(council(), account(3)),
            Error::<Test>::NotMasternode
        );
    });
}

#[test]
fn masternodes_beyond_the_limit_are_refused() {
    let full: Vec<u8> = (0..MASTERNODES_MAX as u8).collect();
    with_masternodes(&full, || {
        let one_more = account(MASTERNODES_MAX as u8);
        assert_noop!(
            Roster::add_masternode(council(), one_more),
            Error::<Test>::TooManyMasternodes
        );
    });
}

#[test]
fn a_masternode_publishes_its_endpoints_and_replaces_them() {
    with_masternodes(&[1, 2], || {
        assert_eq!(Roster::masternode_views(), []);
        assert_ok!(publish(2));
        assert_eq!(
            last_event(),
            Event::EndpointsPublished {
                account: account(2)
            }
            .into()
        );
        assert_ok!(publish_at(
            2,
            &[address("/dns/a"), address("/dns/b")],
            address("http://b")
        ));
        let view = MasternodeView {
            account: account(2),
            network_key: device(2),
            sealing_key: SealingKey([2; 32]),
            device_addresses: vec![b"/dns/a".to_vec(), b"/dns/b".to_vec()],
            jobs_api: b"http://b".to_vec(),
        };
        assert_eq!(Roster::masternode_views(), [view]);
    });
}

#[test]
fn removing_a_masternode_forgets_its_endpoints_for_good() {
    with_masternodes(&[1, 2], || {
        assert_ok!(publish(2));
        assert_ok!(Roster::remove_masternode(council(), account(2)));
        assert_ok!(Roster::add_masternode(council(), account(2)));
        assert_eq!(Roster::endpoints(&account(2)), None);
        assert_eq!(Roster::masternode_views(), []);
    });
}

#[test]
fn reachable_are_the_masternodes_with_endpoints_until_they_are_removed() {
    with_masternodes(&[1, 2, 3], || {
        assert_eq!(Roster::reachable_masternodes(), []);
        for number in [3, 1, 3] {
            assert_ok!(publish(number));
        }
        assert_eq!(Roster::reachable_masternodes(), accounts(&[1, 3]));
        assert_ok!(Roster::remove_masternode(council(), account(3)));
        assert_eq!(Roster::reachable_masternodes(), accounts(&[1]));
    });
}

#[test]
fn only_a_masternode_publishes_endpoints() {
    with_masternodes(&[1], || {
        assert_noop!(publish(2), Error::<Test>::NotMasternode);
    });
}

#[test]
fn endpoints_that_cannot_be_dialled_are_refused_with_the_reason() {
    with_masternodes(&[1], || {
        let (good, empty) = (address("/dns/a"), address(""));
        let garbled: Address = vec![0xc3, 0x28].try_into().unwrap();
        assert_noop!(
            publish_at(1, &[], good.clone()),
            Error::<Test>::NoDeviceAddress
        );
        for (device_address, jobs_api) in [(&good, &empty), (&empty, &good)] {
            let addresses = [good.clone(), device_address.clone()];
            assert_noop!(
                publish_at(1, &addresses, jobs_api.clone()),
                Error::<Test>::EmptyAddress
            );
        }
        for (device_address, jobs_api) in [(&good, &garbled), (&garbled, &good)] {
            let addresses = [good.clone(), device_address.clone()];
            assert_noop!(
                publish_at(1, &addresses, jobs_api.clone()),
                Error::<Test>::AddressNotUtf8
            );
        }
    });
}

#[test]
fn a_network_key_under_which_everybody_signs_is_not_published() {
    with_masternodes(&[1], || {
        let mut one = [0; 32];
        one[0] = 1;
        for weak in [[0; 32], one] {
            assert_noop!(
                Roster::publish_endpoints(
                    signed(1),
                    DeviceId(weak),
                    SealingKey([1; 32]),
                    BoundedVec::truncate_from(vec![address("/dns/a")]),
                    address("http://a"),
                ),
                Error::<Test>::WeakNetworkKey
            );
        }
    });
}

#[test]
fn a_call_with_more_or_longer_addresses_than_allowed_does_not_decode() {
    use codec::{Decode, Encode};
    type Addresses =
        BoundedVec<Address, frame_support::traits::ConstU32<ADDRESSES_PER_MASTERNODE_MAX>>;
    let full = vec![vec![b'a'; 256]; 8];
    assert!(Addresses::decode(&mut &full.encode()[..]).is_ok());
    assert!(Addresses::decode(&mut &vec![vec![b'a'; 256]; 9].encode()[..]).is_err());
    assert!(Addresses::decode(&mut &vec![vec![b'a'; 257]; 1].encode()[..]).is_err());
}

#[test]
fn a_ban_holds_until_it_is_lifted() {
    with_masternodes(&[1], || {
        assert_ok!(Roster::ban(council(), account(7)));
        assert_eq!(
            last_event(),
            Event::AccountBanned {
                account: account(7)
            }
            .into()
        );
        assert!(Roster::is_banned(&account(7)));
        assert_noop!(
            Roster::ban(council(), account(7)),
            Error::<Test>::AlreadyBanned
        );
        assert_ok!(Roster::lift_ban(council(), account(7)));
        assert_eq!(
            last_event(),
            Event::BanLifted {
                account: account(7)
            }
            .into()
        );
        assert!(!Roster::is_banned(&account(7)));
        assert_noop!(
            Roster::lift_ban(council(), account(7)),
            Error::<Test>::NotBanned
        );
    });
}

#[test]
fn no_account_is_masternode_and_banned_at_once() {
    with_masternodes(&[1], || {
        assert_noop!(
            Roster::ban(council(), account(1)),
            Error::<Test>::BannedIsMasternode
        );
        assert_ok!(Roster::ban(council(), account(2)));
        assert_noop!(
            Roster::add_masternode(council(), account(2)),
            Error::<Test>::MasternodeIsBanned
        );
    });
}

#[test]
fn bans_and_verified_devices_beyond_the_limit_are_refused() {
    let mut chain = genesis(&[1]);
    chain.execute_with(|| {
        for index in 0..BANNED_ACCOUNTS_MAX {
            BannedAccounts::<Test>::insert(AccountId::new(wide(index)), ());
            VerifiedDevices::<Test>::insert(DeviceId(wide(index)), ());
        }
        assert_err!(
            Roster::ban(council(), account(7)),
            Error::<Test>::TooManyBans
        );
        assert_err!(
            Roster::verify_device(council(), device(7)),
            Error::<Test>::TooManyVerified
        );
        assert_ok!(Roster::do_try_state());
    });
}

fn wide(index: u32) -> [u8; 32] {
    let mut bytes = [0xee; 32];
    bytes[..4].copy_from_slice(&index.to_le_bytes());
    bytes
}

#[test]
fn a_device_is_verified_until_the_council_takes_it_back() {
    with_masternodes(&[1], || {
        assert_ok!(Roster::verify_device(council(), device(7)));
        assert_eq!(
            last_event(),
            Event::DeviceVerified { device: device(7) }.into()
        );
        assert!(Roster::is_verified(&device(7)));
        assert_noop!(
            Roster::verify_device(council(), device(7)),
            Error::<Test>::AlreadyVerified
        );
        assert_ok!(Roster::unverify_device(council(), device(7)));
        assert_eq!(
            last_event(),
            Event::DeviceUnverified { device: device(7) }.into()
        );
        assert!(!Roster::is_verified(&device(7)));
        assert_noop!(
            Roster::unverify_device(council(), device(7)),
            Error::<Test>::NotVerified
        );
    });
}

#[test]
fn nobody_but_the_council_decides_who_is_on_the_roster() {
    with_masternodes(&[1, 2], || {
        let calls: [fn(RuntimeOrigin) -> DispatchResult; 6] = [
            |origin| Roster::add_masternode(origin, account(3)),
            |origin| Roster::remove_masternode(origin, account(2)),
            |origin| Roster::ban(origin, account(3)),
            |origin| Roster::lift_ban(origin, account(3)),
            |origin| Roster::verify_device(origin, device(3)),
            |origin| Roster::unverify_device(origin, device(3)),
        ];
        for call in calls {
            assert_noop!(call(signed(1)), DispatchError::BadOrigin);
            assert_noop!(call(RuntimeOrigin::none()), DispatchError::BadOrigin);
        }
    });
}
