//! Fetching and serving over real connections on loopback, with real files.
#![allow(clippy::unwrap_used, clippy::panic)]

mod world;

use quern_primitives::limits::SPAN_BYTES;
use quern_protocol::fetch::{Head, Holdings, Question};
use quern_transfer::{SourceKind, TransferError};
use std::{fs, os::unix::fs::symlink, sync::atomic::Ordering};
use tokio::sync::watch;
use world::{Device, Masternode, content, soon};

const SPAN: usize = SPAN_BYTES as usize;

#[tokio::test(flavor = "multi_thread")]
async fn a_thing_is_fetched_from_all_who_have_it_and_is_what_it_was() {
    let (thing, bytes) = content(40 * SPAN + 77);
    let mut device = Device::new().await;
    let mut masternodes = Vec::new();
    for number in 1..=3 {
        let masternode = Masternode::new(number).await;
        masternode.shelf.put(&thing, &bytes);
        device.meets(&masternode).await;
        masternodes.push(masternode);
    }
    let into = device.folder.path().join("thing");
    let (progress, heard) = watch::channel(Default::default());
    soon(device.transfer.fetch(thing, &into, Some(progress)))
        .await
        .unwrap();
    assert_eq!(fs::read(&into).unwrap(), bytes);
    assert_eq!(heard.borrow().written_bytes, bytes.len() as u64);
    for masternode in &masternodes {
        assert!(masternode.shelf.asked.load(Ordering::Relaxed) > 0);
    }
    assert_eq!(fs::read_dir(device.folder.path()).unwrap().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_masternode_fetches_from_a_device_that_connected_to_it_and_hands_on_what_has_come() {
    let (thing, bytes) = content(9 * SPAN);
    let mut device = Device::new().await;
    let masternode = Masternode::new(1).await;
    device.meets(&masternode).await;
    device.shelf.put(&thing, &bytes);
    masternode.admits(&device).await;
    let mut other = Device::with(3).await;
    other.meets(&masternode).await;
    masternode.admits(&other).await;
    masternode.shelf.gives_parts();
    let (at_masternode, at_other) = (
        masternode.folder.path().join("thing"),
        other.folder.path().join("thing"),
    );
    let (one, two) = tokio::join!(
        soon(masternode.transfer.fetch(thing, &at_masternode, None)),
        async {
            // It has it only while, and after, the masternode fetches it.
            let fetched = other.transfer.fetch(thing, &at_other, None);
            tokio::select! {
                fetched = soon(fetched) => fetched,
                () = masternode.keeps(&thing, &at_masternode) => panic!("it ended"),
            }
        }
    );
    one.unwrap();
    two.unwrap();
    for path in [at_masternode, at_other] {
        assert_eq!(fs::read(path).unwrap(), bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_other_bytes_is_found_out_and_the_rest_comes_from_others() {
    let (thing, bytes) = content(12 * SPAN);
    let mut device = Device::new().await;
    let (liar, lies) = Masternode::answering(1, move |question| match question {
        Question::Have { .. } => Err(Holdings::Spans(vec![255, 15])),
        Question::Spans { first, .. } => Ok(Head::Span {
            span: first,
            bytes: SPAN_BYTES,
            siblings: vec![],
        }),
    })
    .await;
    device.meets(&liar).await;
    let honest = Masternode::new(2).await;
    honest.shelf.put(&thing, &bytes);
    let into = device.folder.path().join("thing");
    let transfer = device.transfer.clone();
    let mut fetched = std::pin::pin!(transfer.fetch(thing, &into, None));
    // At first the liar alone has it, as it says; it is asked, and then never again.
    tokio::select! {
        _ = &mut fetched => panic!("nobody honest is here"),
        () = soon(lies.reaches(1)) => {}
    }
    device.meets(&honest).await;
    soon(fetched).await.unwrap();
    assert_eq!(fs::read(&into).unwrap(), bytes);
    assert_eq!(lies.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_come_before_a_break_is_not_asked_for_again_but_what_changed_since_is() {
    let (thing, bytes) = content(10 * SPAN);
    let mut device = Device::new().await;
    let masternode = Masternode::new(1).await;
    masternode.shelf.put(&thing, &bytes);
    device.meets(&masternode).await;
    let into = device.folder.path().join("thing");
    let (progress, mut heard) = watch::channel(Default::default());
    {
        let fetched = device.transfer.fetch(thing, &into, Some(progress));
        tokio::select! {
            _ = soon(fetched) => {}
            _ = heard.wait_for(|it: &quern_transfer::Progress| it.written_bytes >= 3 * SPAN_BYTES as u64) => {}
        }
    }
    if into.exists() {
        // All of it came before it was looked at; then there is nothing to go on with.
        return;
    }
    device.restart().await;
    device.meets(&masternode).await;
    let part = into.with_file_name("thing.part");
    let mut there = fs::read(&part).unwrap();
    let first = there.iter().position(|byte| *byte != 0).unwrap();
    there[first] ^= 1;
    fs::write(&part, &there).unwrap();
    let before = masternode.shelf.asked.load(Ordering::Relaxed);
    soon(device.transfer.fetch(thing, &into, None))
        .await
        .unwrap();
    assert_eq!(fs::read(&into).unwrap(), bytes);
    let asked = masternode.shelf.asked.load(Ordering::Relaxed) - before;
    assert!(
        asked < 2 * 10,
        "{asked} looks for what was missing of ten spans"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_forgot_makes_nobody_a_liar() {
    let (thing, bytes) = content(5 * SPAN);
    let mut device = Device::new().await;
    let forgetful = Masternode::new(1).await;
    let mut rotten = bytes.clone();
    rotten[3 * SPAN + 9] ^= 1;
    forgetful.shelf.put(&thing, &rotten);
    device.meets(&forgetful).await;
    let into = device.folder.path().join("thing");
    let transfer = device.transfer.clone();
    let mut fetched = std::pin::pin!(transfer.fetch(thing, &into, None));
    tokio::select! {
        _ = &mut fetched => panic!("it is not what it was"),
        () = soon(forgetful.shelf.hears_of_damage(thing.root())) => {}
    }
    // Whole again it is asked like any other.
    forgetful.shelf.put(&thing, &bytes);
    soon(fetched).await.unwrap();
    assert_eq!(fs::read(&into).unwrap(), bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_have_a_thing_gets_nothing_and_waits_until_somebody_gives_it() {
    let (thing, bytes) = content(2 * SPAN);
    let mut device = Device::new().await;
    let closed = Masternode::new(1).await;
    closed.shelf.put(&thing, &bytes);
    closed.shelf.is_closed.store(true, Ordering::Relaxed);
    device.meets(&closed).await;
    let into = device.folder.path().join("thing");
    let transfer = device.transfer.clone();
    let mut fetched = std::pin::pin!(transfer.fetch(thing, &into, None));
    tokio::select! {
        _ = &mut fetched => panic!("nobody gives it"),
        () = soon(closed.shelf.is_asked(1)) => {}
    }
    assert!(!into.exists());
    let open = Masternode::new(2).await;
    open.shelf.put(&thing, &bytes);
    device.meets(&open).await;
    soon(fetched).await.unwrap();
    assert_eq!(fs::read(&into).unwrap(), bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_a_fetch_with_the_path_and_the_next_one_goes_on() {
    let (thing, bytes) = content(3 * SPAN);
    let mut device = Device::new().await;
    let masternode = Masternode::new(1).await;
    masternode.shelf.put(&thing, &bytes);
    device.meets(&masternode).await;
    let into = device.folder.path().join("thing");
    let part = into.with_file_name("thing.part");
    symlink("/dev/full", &part).unwrap();
    let error = soon(device.transfer.fetch(thing, &into, None)).await;
    match error.unwrap_err() {
        TransferError::Write { path, source } => {
            assert_eq!(path, into);
            assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
        }
        other => panic!("{other}"),
    }
    fs::remove_file(&part).unwrap();
    soon(device.transfer.fetch(thing, &into, None))
        .await
        .unwrap();
    assert_eq!(fs::read(&into).unwrap(), bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_want_the_same_thing_in_one_place_get_it_and_one_elsewhere_is_told_where() {
    let (thing, bytes) = content(4 * SPAN);
    let mut device = Device::new().await;
    let masternode = Masternode::new(1).await;
    masternode.shelf.put(&thing, &bytes);
    let into = device.folder.path().join("thing");
    let other = device.folder.path().join("other");
    let transfer = device.transfer.clone();
    let (first, second, elsewhere, ()) = tokio::join!(
        soon(transfer.fetch(thing, &into, None)),
        soon(transfer.fetch(thing, &into, None)),
        soon(transfer.fetch(thing, &other, None)),
        device.meets(&masternode),
    );
    first.unwrap();
    second.unwrap();
    assert!(matches!(elsewhere, Err(TransferError::Elsewhere { path }) if path == into));
    assert!(!other.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn more_things_than_may_be_wanted_at_a_time_are_declined() {
    let device = Device::new().await;
    let mut waiting = Vec::new();
    for number in 0..quern_fetch::limits::WANTED_MAX {
        let (thing, _) = content(number + 1);
        let (transfer, into) = (
            device.transfer.clone(),
            device.folder.path().join(number.to_string()),
        );
        let (progress, heard) = watch::channel(Default::default());
        waiting.push((
            tokio::spawn(async move { transfer.fetch(thing, &into, Some(progress)).await }),
            heard,
        ));
    }
    let (thing, _) = content(5_000);
    let into = device.folder.path().join("more");
    // The others may come behind this one; then one of them is declined in its place.
    let one_more = device.transfer.fetch(thing, &into, None);
    let declined = tokio::select! {
        declined = one_more => declined,
        declined = async {
            loop {
                if let Some(at) = waiting.iter().position(|(task, _)| task.is_finished()) {
                    break waiting.remove(at).0.await.unwrap();
                }
                tokio::task::yield_now().await;
            }
        } => declined,
    };
    assert!(matches!(declined, Err(TransferError::TooMany)));
    let _ = SourceKind::Device;
}
