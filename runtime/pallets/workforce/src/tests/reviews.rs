use super::*;
use quern_primitives::limits::REVIEW_PERIOD_BLOCKS;

fn failed(tasks: u32) -> RecordChange {
    RecordChange {
        failed: tasks,
        ..Default::default()
    }
}

/// Account 1's device 1, with so many failed tasks.
fn faulty(tasks: u32) {
    assert_ok!(bond(1, MIN_BOND));
    assert_ok!(register(1, 1));
    Workforce::apply_record_change(&id(1), Class::Pinned, &failed(tasks));
}

fn device() -> Device {
    Workforce::device(&id(1)).unwrap()
}

fn reviewed(by: Reviewer) -> RuntimeEvent {
    let device = id(1);
    Event::DeviceReviewed { device, by }.into()
}

#[test]
fn a_device_is_quarantined_when_more_than_half_of_its_last_tasks_had_a_fault() {
    on_new_chain(|| {
        faulty(10);
        assert!(!device().is_quarantined());
        Workforce::apply_record_change(&id(1), Class::Pinned, &failed(1));
        assert!(device().is_quarantined());
        // What was given before goes on being settled, and may mend the history by itself.
        let accepted = RecordChange {
            accepted: 10,
            ..Default::default()
        };
        Workforce::apply_record_change(&id(1), Class::Pinned, &accepted);
        assert!(!device().is_quarantined());
    });
}

#[test]
fn a_settlement_notes_the_block_of_a_devices_last_task_unless_it_says_nothing_of_the_device() {
    on_new_chain(|| {
        faulty(0);
        assert_eq!(device().last_task, 0);
        System::set_block_number(7);
        Workforce::apply_record_change(&id(1), Class::Pinned, &failed(1));
        System::set_block_number(9);
        Workforce::apply_record_change(&id(1), Class::Pinned, &RecordChange::default());
        assert_eq!(device().last_task, 7);
    });
}

#[test]
fn its_own_account_reviews_a_quarantined_device_and_its_record_stays() {
    on_new_chain(|| {
        faulty(11);
        System::set_block_number(5);
        assert_ok!(review(1, 1));
        assert_eq!(last_event(), reviewed(Reviewer::Owner(account(1))));
        let device = device();
        assert!(!device.is_quarantined());
        assert_eq!(device.history, History::default());
        assert_eq!((device.record.failed, device.last_review), (11, 5));
    });
}

#[test]
fn an_account_reviews_only_its_own_devices_and_only_in_quarantine() {
    on_new_chain(|| {
        assert_noop!(review(1, 1), Error::<Test>::DeviceUnknown);
        faulty(10);
        assert_noop!(review(1, 1), Error::<Test>::NotQuarantined);
        Workforce::apply_record_change(&id(1), Class::Pinned, &failed(1));
        assert_noop!(review(2, 1), Error::<Test>::NotDeviceOwner);
        assert_noop!(
            Workforce::review(RuntimeOrigin::none(), id(1)),
            DispatchError::BadOrigin
        );
        assert_ok!(review(1, 1));
    });
}

#[test]
fn an_account_reviews_a_device_once_a_week() {
    on_new_chain(|| {
        faulty(11);
        assert_ok!(review(1, 1));
        Workforce::apply_record_change(&id(1), Class::Pinned, &failed(11));
        assert_noop!(review(1, 1), Error::<Test>::ReviewedLately);
        System::set_block_number(REVIEW_PERIOD_BLOCKS);
        assert_noop!(review(1, 1), Error::<Test>::ReviewedLately);
        System::set_block_number(1 + REVIEW_PERIOD_BLOCKS);
        assert_ok!(review(1, 1));
    });
}

#[test]
fn the_council_reviews_any_device_at_any_time() {
    on_new_chain(|| {
        let council = RuntimeOrigin::root;
        assert_noop!(
            Workforce::review(council(), id(1)),
            Error::<Test>::DeviceUnknown
        );
        faulty(1);
        for _ in 0..2 {
            assert_ok!(Workforce::review(council(), id(1)));
            assert_eq!(last_event(), reviewed(Reviewer::Council));
            assert_eq!(device().history, History::default());
            Workforce::apply_record_change(&id(1), Class::Pinned, &failed(11));
        }
        // A week passes after the council's review too.
        assert_noop!(review(1, 1), Error::<Test>::ReviewedLately);
    });
}
