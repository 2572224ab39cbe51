use super::*;

#[test]
fn a_registered_device_is_known_with_an_empty_record() {
    on_new_chain(|| {
        assert_ok!(bond(1, MIN_BOND));
        assert_ok!(register(1, 1));
        let event = Event::DeviceRegistered {
            device: id(1),
            account: account(1),
        };
        assert_eq!(last_event(), event.into());
        let device = Device {
            account: account(1),
            sealing_key: sealing_key(1),
            region: Region::Europe,
            hardware: Hardware::Desktop,
            record: Record::default(),
            history: History::default(),
            last_task: 0,
            last_review: 0,
        };
        assert_eq!(Workforce::device(&id(1)), Some(device.clone()));
        assert_eq!(Workforce::devices_of(&account(1)), [(id(1), device)]);
        assert_eq!(Workforce::devices_of(&account(2)), []);
    });
}

#[test]
fn a_device_without_enough_bond_is_refused() {
    on_new_chain(|| {
        assert_noop!(register(1, 1), Error::<Test>::BondTooSmall);
        assert_ok!(bond(1, MIN_BOND - 1));
        assert_noop!(register(1, 1), Error::<Test>::BondTooSmall);
        assert_ok!(bond(1, 1));
        assert_ok!(register(1, 1));
        assert_noop!(register(1, 2), Error::<Test>::BondTooSmall);
    });
}

#[test]
fn a_device_key_is_registered_once_whoever_asks() {
    on_new_chain(|| {
        assert_ok!(bond(1, 2 * MIN_BOND));
        assert_ok!(bond(2, MIN_BOND));
        assert_ok!(register(1, 1));
        assert_noop!(register(1, 1), Error::<Test>::DeviceAlreadyRegistered);
        assert_noop!(register(2, 1), Error::<Test>::DeviceAlreadyRegistered);
        assert_ok!(retire(1, 1));
        assert_noop!(register(2, 1), Error::<Test>::StillAnswered);
        no_longer_answers(1);
        assert_ok!(register(2, 1));
        assert_eq!(Workforce::device(&id(1)).unwrap().account, account(2));
    });
}

#[test]
fn nobody_registers_a_device_that_has_not_signed_for_them() {
    on_new_chain(|| {
        assert_ok!(bond(1, MIN_BOND));
        let for_another_account = possession(1, 2, &here());
        let for_another_chain = possession(1, 1, &GenesisHash([7; 32]));
        let by_another_device = possession(2, 1, &here());
        let made_up = DeviceSignature([0; 64]);
        for word in [
            for_another_account,
            for_another_chain,
            by_another_device,
            made_up,
        ] {
            assert_noop!(register_with(1, 1, word), Error::<Test>::InvalidPossession);
        }
    });
}

#[test]
fn a_key_under_which_everybody_signs_is_not_registered() {
    on_new_chain(|| {
        assert_ok!(bond(1, MIN_BOND));
        let mut one = [0; 32];
        one[0] = 1;
        let mut negative = [0; 32];
        negative[31] = 0x80;
        // It holds for whatever the device should have signed.
        let word = DeviceSignature([0; 64]);
        for weak in [[0; 32], one, negative] {
            assert_noop!(
                Workforce::register_device(
                    signed(1),
                    DeviceId(weak),
                    sealing_key(1),
                    Region::Europe,
                    Hardware::Desktop,
                    word
                ),
                Error::<Test>::WeakDeviceKey
            );
        }
    });
}

#[test]
fn a_device_cannot_be_registered_with_a_sealing_key_it_did_not_sign() {
    on_new_chain(|| {
        assert_ok!(bond(1, MIN_BOND));
        let word = possession(1, 1, &here());
        assert_noop!(
            Workforce::register_device(
                signed(1),
                id(1),
                sealing_key(66),
                Region::Europe,
                Hardware::Desktop,
                word
            ),
            Error::<Test>::InvalidPossession
        );
    });
}

#[test]
fn an_account_has_only_so_many_devices() {
    on_new_chain(|| {
        assert_ok!(bond(1, MIN_BOND));
        let mut chain_bond = Workforce::bond_of(&account(1)).unwrap();
        chain_bond.devices = DEVICES_PER_ACCOUNT_MAX;
        Bonds::<Test>::insert(account(1), &chain_bond);
        assert_noop!(register(1, 1), Error::<Test>::TooManyDevices);
        chain_bond.devices = 0;
        Bonds::<Test>::insert(account(1), chain_bond);
    });
}

#[test]
fn a_sealing_key_is_rotated_with_the_devices_word_for_the_new_one() {
    on_new_chain(|| {
        assert_ok!(bond(1, MIN_BOND));
        assert_ok!(register(1, 1));
        let new = sealing_key(200);
        let rotate =
            |owner: u8, word| Workforce::rotate_sealing_key(signed(owner), id(1), new, word);
        let payload = Possession {
            account: account(1),
            device: id(1),
            sealing_key: new,
        };
        let word = key(1).sign(payload, &here()).signature;
        let old_word = possession(1, 1, &here());
        assert_noop!(rotate(1, old_word), Error::<Test>::InvalidPossession);
        assert_noop!(rotate(2, word), Error::<Test>::NotDeviceOwner);
        assert_ok!(rotate(1, word));
        let event = Event::SealingKeyRotated {
            device: id(1),
            sealing_key: new,
        };
        assert_eq!(last_event(), event.into());
        assert_eq!(Workforce::device(&id(1)).unwrap().sealing_key, new);
    });
}

#[test]
fn rotating_or_retiring_an_unknown_device_is_refused() {
    on_new_chain(|| {
        assert_noop!(retire(1, 1), Error::<Test>::DeviceUnknown);
        let word = possession(1, 1, &here());
        assert_noop!(
            Workforce::rotate_sealing_key(signed(1), id(1), sealing_key(1), word),
            Error::<Test>::DeviceUnknown
        );
    });
}

#[test]
fn only_its_own_account_retires_a_device() {
    on_new_chain(|| {
        assert_ok!(bond(1, MIN_BOND));
        assert_ok!(register(1, 1));
        assert_noop!(retire(2, 1), Error::<Test>::NotDeviceOwner);
        assert_ok!(retire(1, 1));
        let (device, account) = (id(1), account(1));
        let event = Event::DeviceRetired {
            device,
            account: account.clone(),
            record: Record::default(),
        };
        assert_eq!(last_event(), event.into());
        assert_eq!(Workforce::device(&id(1)), None);
        assert_eq!(Workforce::devices_of(&account), []);
    });
}

#[test]
fn a_settlement_adds_to_a_devices_record_which_the_device_has_again_when_it_comes_back() {
    on_new_chain(|| {
        assert_ok!(bond(1, MIN_BOND));
        assert_ok!(register(1, 1));
        let change = RecordChange {
            accepted: 3,
            failed: 0,
            delayed: 1,
            incorrect: 2,
        };
        Workforce::apply_record_change(&id(1), Class::Pinned, &change);
        Workforce::apply_record_change(&id(1), Class::Portable, &change);
        let record = Record {
            accepted: 6,
            accepted_portable: 3,
            failed: 0,
            delayed: 2,
            incorrect: 4,
            accepted_in_a_row: 3,
            convicted: 0,
        };
        assert_eq!(Workforce::device(&id(1)).unwrap().record, record);
        assert_ok!(retire(1, 1));
        let (device, account) = (id(1), account(1));
        assert_eq!(
            last_event(),
            Event::DeviceRetired {
                device,
                account,
                record
            }
            .into()
        );
        assert_ok!(bond(1, MIN_BOND));
        assert_ok!(register(1, 1));
        assert_eq!(Workforce::device(&id(1)).unwrap().record, record);
    });
}

#[test]
fn a_settlement_that_names_a_device_that_never_was_is_not_held_up() {
    on_new_chain(|| {
        let change = RecordChange {
            accepted: 1,
            ..Default::default()
        };
        Workforce::apply_record_change(&id(1), Class::Pinned, &change);
        assert_eq!(
            last_event(),
            Event::RecordChangeIgnored { device: id(1) }.into()
        );
        assert_eq!(Workforce::device(&id(1)), None);
    });
}
