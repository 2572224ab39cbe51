//! Devices that fetch and deliver as the worker does, and such that would seem faster than they are.

use super::*;
use quern_protocol::Content;

const DEVICE: DeviceId = DeviceId([1; 32]);
const OTHER: DeviceId = DeviceId([2; 32]);
const JOB: JobId = JobId([3; 32]);
const PIECE: u64 = limits::PIECE_BYTES_MAX as u64;

/// What no masternode has drawn.
const GUESSED: Mark = Mark([0xff; limits::MARK_BYTES]);

/// A masternode, whose marks are counted and not drawn.
struct Office {
    transfers: Transfers,
    started: Instant,
    marks: u64,
}

impl Office {
    fn new() -> Self {
        Self {
            transfers: Transfers::default(),
            started: Instant::now(),
            marks: 0,
        }
    }

    fn draw(&mut self) -> Mark {
        self.marks += 1;
        let mut mark = [0; limits::MARK_BYTES];
        mark[..8].copy_from_slice(&self.marks.to_le_bytes());
        Mark(mark)
    }

    fn at(&self, ms: u64) -> Instant {
        self.started + Duration::from_millis(ms)
    }

    /// A device asks for a piece of a task's shard, counted from 0. Returns the mark that it gets with
    /// it, and what the one that it shows tells.
    fn fetch(
        &mut self,
        device: DeviceId,
        (task, piece): (TaskIndex, u64),
        received: Option<Mark>,
        ms: u64,
    ) -> (Mark, Option<Measured>) {
        let fetch = Fetch {
            content: Content::Shard { job: JOB, task },
            offset: piece * PIECE,
            length: limits::PIECE_BYTES_MAX,
            received,
        };
        let (mark, now) = (self.draw(), self.at(ms));
        let given = (PIECE, mark);
        let measured = self
            .transfers
            .fetch(device, (JOB, task), &fetch, given, now);
        (mark, measured)
    }

    /// A device delivers so many bytes of a task's result. Returns the same.
    fn deliver(
        &mut self,
        (task, offset, bytes): (TaskIndex, u64, u64),
        follows: Option<Mark>,
        ms: u64,
    ) -> (Mark, Option<Measured>) {
        let deliver = Deliver {
            id: ReplicaId {
                job: JOB,
                task,
                replica: 0,
            },
            follows,
            offset,
            bytes: vec![0; bytes as usize],
        };
        let (mark, now) = (self.draw(), self.at(ms));
        let measured = self.transfers.deliver(DEVICE, &deliver, mark, now);
        (mark, measured)
    }
}

fn down(pieces: u64, ms: u64) -> Option<Measured> {
    let bytes = pieces * PIECE;
    Some(Measured::Down { bytes, ms })
}

fn up(bytes: u64, ms: u64) -> Option<Measured> {
    Some(Measured::Up { bytes, ms })
}

#[test]
fn the_marks_of_pieces_tell_how_fast_they_came() {
    let mut office = Office::new();
    // Two are asked for at once, and then each when one has come.
    let (first, told) = office.fetch(DEVICE, (1, 0), None, 0);
    assert_eq!(told, None);
    let (second, told) = office.fetch(DEVICE, (1, 1), None, 0);
    assert_eq!(told, None);
    let (third, told) = office.fetch(DEVICE, (1, 2), Some(first), 20);
    assert_eq!(told, None, "of one piece it is the round trip");
    let (_, told) = office.fetch(DEVICE, (1, 3), Some(second), 40);
    assert_eq!(told, down(2, 40));
    let (_, told) = office.fetch(DEVICE, (1, 4), Some(third), 60);
    assert_eq!(told, down(3, 60));
}

#[test]
fn a_device_that_asks_for_all_at_once_has_received_what_it_shows_and_no_more() {
    let mut office = Office::new();
    let mut marks = vec![];
    for piece in 0..8 {
        let (mark, told) = office.fetch(DEVICE, (1, piece), None, 0);
        assert_eq!(told, None);
        marks.push(mark);
    }
    // A minute later it has one of them, and then another.
    let (_, told) = office.fetch(DEVICE, (1, 8), Some(marks[0]), 60_000);
    assert_eq!(told, None);
    let (_, told) = office.fetch(DEVICE, (1, 9), Some(marks[1]), 120_000);
    assert_eq!(told, down(2, 120_000));
}

#[test]
fn a_mark_that_is_shown_again_tells_nothing_and_what_was_counted_is_lost() {
    let mut office = Office::new();
    let (first, _) = office.fetch(DEVICE, (1, 0), None, 0);
    let (second, _) = office.fetch(DEVICE, (1, 1), None, 0);
    let (third, _) = office.fetch(DEVICE, (1, 2), Some(first), 1_000);
    let (fourth, told) = office.fetch(DEVICE, (1, 3), Some(first), 1_001);
    assert_eq!(told, None);
    let (_, told) = office.fetch(DEVICE, (1, 4), Some(second), 1_002);
    assert_eq!(told, None);
    for mark in [third, fourth] {
        let (_, told) = office.fetch(DEVICE, (1, 5), Some(mark), 1_003);
        assert_eq!(told, None);
    }
}

#[test]
fn a_mark_that_was_guessed_tells_nothing_and_the_time_counts_anew() {
    let mut office = Office::new();
    office.fetch(DEVICE, (1, 0), None, 0);
    let (second, told) = office.fetch(DEVICE, (1, 1), Some(GUESSED), 1_000);
    assert_eq!(told, None);
    let (third, told) = office.fetch(DEVICE, (1, 2), Some(second), 1_010);
    assert_eq!(told, None);
    let (_, told) = office.fetch(DEVICE, (1, 3), Some(third), 1_020);
    assert_eq!(told, down(2, 20));
}

#[test]
fn a_mark_of_another_content_or_device_tells_nothing() {
    let mut office = Office::new();
    let (other_shards, _) = office.fetch(DEVICE, (2, 0), None, 0);
    let (other_devices, _) = office.fetch(OTHER, (1, 0), None, 0);
    let (results, _) = office.deliver((1, 0, 0), None, 0);
    for mark in [other_shards, other_devices, results] {
        office.fetch(DEVICE, (1, 0), None, 0);
        office.fetch(DEVICE, (1, 1), None, 0);
        let (_, told) = office.fetch(DEVICE, (1, 2), Some(mark), 1);
        assert_eq!(told, None);
        let (_, told) = office.fetch(DEVICE, (1, 3), Some(mark), 1);
        assert_eq!(told, None);
    }
}

#[test]
fn shards_that_come_at_the_same_time_share_the_line() {
    let mut office = Office::new();
    // One piece each ten milliseconds, in turn.
    let (first, _) = office.fetch(DEVICE, (1, 0), None, 0);
    let (other, _) = office.fetch(DEVICE, (2, 0), None, 0);
    let (second, _) = office.fetch(DEVICE, (1, 1), Some(first), 10);
    let (_, told) = office.fetch(DEVICE, (2, 1), Some(other), 20);
    assert_eq!(told, down(2, 20));
    let (_, told) = office.fetch(DEVICE, (1, 2), Some(second), 30);
    assert_eq!(told, down(3, 30));
}

#[test]
fn what_was_asked_for_before_a_shard_began_does_not_count_for_it() {
    let mut office = Office::new();
    let mut marks = vec![];
    for piece in 0..8 {
        marks.push(office.fetch(DEVICE, (1, piece), None, 0).0);
    }
    // They came slowly, and are shown when another shard has begun.
    let (other, _) = office.fetch(DEVICE, (2, 0), None, 60_000);
    for (piece, mark) in (8..).zip(&marks) {
        office.fetch(DEVICE, (1, piece), Some(*mark), 60_001);
    }
    let (_, told) = office.fetch(DEVICE, (2, 1), Some(other), 60_002);
    assert_eq!(told, None);
}

#[test]
fn a_shard_that_is_fetched_from_another_place_begins_anew() {
    let mut office = Office::new();
    let (first, _) = office.fetch(DEVICE, (1, 0), None, 0);
    // After a cut it goes on with what is missing, on a new connection.
    office.transfers.gone(&DEVICE);
    let (_, told) = office.fetch(DEVICE, (1, 1), Some(first), 9_000);
    assert_eq!(told, None);
    let (second, _) = office.fetch(DEVICE, (1, 5), None, 10_000);
    let (third, _) = office.fetch(DEVICE, (1, 6), None, 10_000);
    office.fetch(DEVICE, (1, 7), Some(second), 10_020);
    let (_, told) = office.fetch(DEVICE, (1, 8), Some(third), 10_040);
    assert_eq!(told, down(2, 40));
}

#[test]
fn what_a_device_asks_for_is_remembered_up_to_a_limit() {
    let mut office = Office::new();
    for task in 0..100 {
        for piece in 0..100 {
            office.fetch(DEVICE, (task, piece), None, 0);
        }
    }
    let known = &office.transfers.devices[&DEVICE];
    assert_eq!(known.down.len(), SHARDS_MAX);
    let kept = known.down.iter().map(|down| down.unshown.len());
    assert!(kept.max() == Some(UNSHOWN_MAX));
}

#[test]
fn the_pieces_of_a_result_tell_how_fast_they_came() {
    let mut office = Office::new();
    // The worker begins by asking how much is here.
    let (first, told) = office.deliver((1, 0, 0), None, 0);
    assert_eq!(told, None);
    let (second, told) = office.deliver((1, 0, PIECE), Some(first), 50);
    assert_eq!(told, up(PIECE, 50));
    let (third, told) = office.deliver((1, PIECE, 1_000), Some(second), 70);
    assert_eq!(told, up(PIECE + 1_000, 70));
    let (_, told) = office.deliver((2, PIECE + 1_000, 1), Some(third), 71);
    assert_eq!(told, None, "it is another result");
}

#[test]
fn what_was_sent_before_the_last_answer_tells_nothing() {
    let mut office = Office::new();
    let (first, _) = office.deliver((1, 0, 0), None, 0);
    // All of it was on its way when the first piece was answered.
    let (_, told) = office.deliver((1, 0, PIECE), None, 1);
    assert_eq!(told, None);
    for mark in [None, Some(first), Some(GUESSED)] {
        let (_, told) = office.deliver((1, PIECE, PIECE), mark, 1);
        assert_eq!(told, None);
    }
}

#[test]
fn a_piece_of_a_result_without_bytes_tells_nothing() {
    let mut office = Office::new();
    let (first, _) = office.deliver((1, 0, 0), None, 0);
    let (second, told) = office.deliver((1, 0, 0), Some(first), 5);
    assert_eq!(told, None);
    let (_, told) = office.deliver((1, 0, 10), Some(second), 10);
    assert_eq!(told, up(10, 10));
}

#[test]
fn a_round_trip_is_told_when_it_is_another() {
    let mut transfers = Transfers::default();
    let mut told = |us| {
        let trip = Duration::from_micros(us);
        transfers.round_trip(DEVICE, Some(trip))
    };
    let trip = |ms| Some(Measured::RoundTrip { ms });
    assert_eq!(told(7_900), trip(7));
    assert_eq!(told(7_100), None);
    assert_eq!(told(6_999), trip(6));
    assert_eq!(transfers.round_trip(DEVICE, None), None);
    transfers.gone(&DEVICE);
    let again = transfers.round_trip(DEVICE, Some(Duration::from_millis(6)));
    assert_eq!(again, trip(6));
}
