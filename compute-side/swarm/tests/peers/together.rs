//! Peers that all do right.

use crate::group::{Group, begin, name, until, until_merged};
use quern_swarm::{Peer, PeerConfig, PeerError, status};
use quern_swarm_file::PieceIndex;
use std::{collections::BTreeSet, fs};

/// About a fifth of a second, where nothing else runs.
const ROUNDS: u32 = 100_000_000;

/// Hardly anything.
const FEW: u32 = 1_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_peers_compute_a_modules_pieces_together_and_hardly_any_twice() {
    let group = Group::of(12, ROUNDS);
    let trusted: BTreeSet<_> = [1, 2, 3].map(name).into();
    let mut peers: Vec<Peer> = Vec::new();
    let mut begins = Vec::new();
    for number in 1..=3 {
        let (told, begin) = begin();
        let known: Vec<&Peer> = peers.iter().collect();
        let config = PeerConfig {
            trusted: trusted.clone(),
            begin,
            ..group.config(number, &known)
        };
        peers.push(Peer::start(config).await.unwrap());
        begins.push(told);
    }
    for peer in &peers {
        until(peer, "connected with both", |it| it.neighbours == 2).await;
    }
    for told in begins {
        told.send(()).unwrap();
    }
    let mut computed = 0;
    for peer in &peers {
        let status = until_merged(peer).await;
        assert_eq!((status.stored, status.checked), (12, 0));
        computed += status.computed;
    }
    // Two may begin the same before they hear of each other, and where the machine is busy that is late.
    assert!((12..=14).contains(&computed), "{computed} were computed");
    for (number, peer) in (1..).zip(peers) {
        peer.stop().await.unwrap();
        group.assert_output_right(number);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_check_each_other_and_all_have_the_output() {
    let group = Group::of(8, FEW);
    let first = group.start(1, &[]).await;
    // They hear of each other from the first.
    let second = group.start(2, &[&first]).await;
    let third = group.start(3, &[&first]).await;
    let mut checked = 0;
    for (number, peer) in [(1, &first), (2, &second), (3, &third)] {
        checked += until_merged(peer).await.checked;
        group.assert_output_right(number);
    }
    assert!(checked > 0, "nobody was checked, and all were believed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_killed_goes_on_from_its_disk_and_makes_again_what_was_damaged_there() {
    let group = Group::of(10, ROUNDS / 4);
    let killed = group.start(1, &[]).await;
    until(&killed, "at work", |it| it.stored >= 4).await;
    drop(killed);
    // Until the next start nothing more is written but what was on its way.
    let damaged = wait_for_end(&group).await;
    let there = there(&group);
    assert!(there.len() >= 4, "{there:?}");
    fs::write(
        group.folder(1).join(format!("pieces/{damaged}")),
        b"damaged",
    )
    .unwrap();
    let again = group.start_again(1, &[]).await;
    let status = until_merged(&again).await;
    assert_eq!(status.damaged, 1);
    assert_eq!(status.computed, 10 - (there.len() as u64 - 1));
    group.assert_output_right(1);
    again.stop().await.unwrap();
    let told = status::look(&group.folder(1), &group.task).unwrap();
    assert_eq!((told.is_running, told.stored), (false, 10));
    assert!(told.output.is_some());
}

/// Waits until nobody uses the folder of peer 1, and names a piece in it.
async fn wait_for_end(group: &Group) -> PieceIndex {
    while quern_swarm::disk::is_in_use(&group.folder(1)).unwrap() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    there(group)[0]
}

/// The pieces in the folder of peer 1 of which it is said who made them.
fn there(group: &Group) -> Vec<PieceIndex> {
    let is_there = |piece: &PieceIndex| {
        let made = group.folder(1).join(format!("pieces/{piece}.made"));
        made.is_file()
    };
    (0..10).filter(is_there).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_only_shares_gives_pieces_on_when_their_maker_is_gone() {
    let group = Group::of(6, FEW);
    let maker = group.start(1, &[]).await;
    until_merged(&maker).await;
    let config = PeerConfig {
        computing: None,
        trusted: [name(1)].into(),
        ..group.config(2, &[&maker])
    };
    let seed = Peer::start(config).await.unwrap();
    until_merged(&seed).await;
    maker.stop().await.unwrap();
    let config = PeerConfig {
        trusted: [name(1)].into(),
        ..group.config(3, &[&seed])
    };
    let newcomer = Peer::start(config).await.unwrap();
    let status = until_merged(&newcomer).await;
    assert_eq!((status.computed, status.checked), (0, 0));
    group.assert_output_right(3);
}

#[tokio::test]
async fn a_peer_tells_of_itself_while_it_runs_and_has_its_folder_alone() {
    let group = Group::of(3, FEW);
    let peer = group.start(1, &[]).await;
    until_merged(&peer).await;
    let second = Peer::start(group.config(1, &[])).await;
    assert!(matches!(second, Err(PeerError::Disk(_))));
    let told = status::look(&group.folder(1), &group.task).unwrap();
    assert_eq!(told, *peer.status().borrow());
    assert!(told.is_running && told.stored == 3 && told.addresses.len() == 1);
    let nowhere = status::look(&group.folder(9), &group.task);
    assert!(matches!(
        nowhere,
        Err(quern_swarm::StatusError::NoFolder { .. })
    ));
}
