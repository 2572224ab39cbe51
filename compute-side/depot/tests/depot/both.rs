//! What holds over a folder and over a bucket alike.

use crate::world::{
    BLOCK_BYTES, JOB, OTHER, World, bytes, of_other, on_both, on_both_of, read, result, shard,
};
use bytes::Bytes;
use futures::stream;
use quern_depot::{
    AppendError, Content, Depot, GetError, ITEM_BYTES_MAX, Item, KeepError, Name, PIECE_BYTES_MAX,
    PutError, Received, Swept,
};
use std::{fs, io};

#[tokio::test]
async fn what_came_in_pieces_gets_its_name_when_it_was_checked_and_is_read_in_ranges() {
    on_both(async |world: World| {
        let (depot, bytes) = (&world.depot, bytes(100_000));
        world.upload(shard(3), &bytes).await;
        assert_eq!(depot.head(shard(3)).await.unwrap(), None);
        let unread = depot.get(shard(3), 0..1).await.err().unwrap();
        assert!(matches!(unread, GetError::Missing { .. }), "{unread:?}");
        assert_eq!(depot.read_received(shard(3)).await.unwrap(), bytes);
        let content = depot.content_received(shard(3)).await.unwrap().unwrap();
        assert_eq!(content, Content::of(&bytes));

        depot.keep(shard(3), content).await.unwrap();
        assert_eq!(depot.received(shard(3)).await.unwrap(), None);
        assert_eq!(depot.head(shard(3)).await.unwrap(), Some(100_000));
        for range in [0..100_000, 0..1, 99_999..100_000, 4_095..70_001, 5..5] {
            let read = read(depot, shard(3), range.clone()).await.unwrap();
            assert_eq!(read, bytes[range.start as usize..range.end as usize]);
        }
        assert_eq!(depot.whole(shard(3), content).await.unwrap(), bytes);
        assert_eq!(depot.content(shard(3)).await.unwrap(), content);
    })
    .await;
}

#[tokio::test]
async fn pieces_are_taken_in_order_and_an_upload_goes_on_after_a_restart() {
    on_both(async |world: World| {
        let piece = |text: &'static str| Bytes::from_static(text.as_bytes());
        let depot = &world.depot;
        let taken = depot.append(shard(3), 0, 6, piece("abc")).await.unwrap();
        assert_eq!(taken, Received::Partly(3));
        for at in [0, 2, 4] {
            let error = depot.append(shard(3), at, 6, piece("d")).await.unwrap_err();
            assert!(matches!(error, AppendError::OutOfOrder { expected: 3, .. }));
        }
        let depot = world.reopened().await;
        assert_eq!(depot.received(shard(3)).await.unwrap(), Some(3));
        assert_eq!(depot.bytes(), BLOCK_BYTES);
        let taken = depot.append(shard(3), 3, 6, piece("def")).await.unwrap();
        assert_eq!(taken, Received::Whole);
        depot.keep(shard(3), Content::of(b"abcdef")).await.unwrap();
        assert_eq!(read(&depot, shard(3), 0..6).await.unwrap(), b"abcdef");
        let late = depot.append(shard(3), 6, 6, piece("x")).await.unwrap();
        assert_eq!(late, Received::Kept(6));
        assert_eq!(depot.bytes(), BLOCK_BYTES);
    })
    .await;
}

#[tokio::test]
async fn a_piece_beyond_the_end_or_longer_than_a_piece_is_refused_unwritten() {
    on_both(async |world: World| {
        let depot = &world.depot;
        for (limit, length) in [
            (2, 3),
            (u64::MAX, PIECE_BYTES_MAX + 1),
            (PIECE_BYTES_MAX as u64 + 9, PIECE_BYTES_MAX + 1),
        ] {
            let piece = Bytes::from(vec![0; length]);
            let error = depot.append(shard(0), 0, limit, piece).await.unwrap_err();
            let least = limit.min(ITEM_BYTES_MAX);
            assert!(matches!(error, AppendError::TooLong { limit, .. } if limit == least));
        }
        assert_eq!(depot.received(shard(0)).await.unwrap(), None);
        assert_eq!(depot.bytes(), 0);
    })
    .await;
}

#[tokio::test]
async fn what_is_not_what_it_has_to_be_gets_no_name_and_starts_anew() {
    on_both(async |world: World| {
        let depot = &world.depot;
        let wanted = Content::of(b"abc");
        for came in [&b"abd"[..], b"ab"] {
            world.upload(shard(0), &Bytes::from_static(came)).await;
            let error = depot.keep(shard(0), wanted).await.unwrap_err();
            assert!(matches!(error, KeepError::Wrong { came: it, .. } if it == Content::of(came)));
            assert_eq!(depot.received(shard(0)).await.unwrap(), None);
            assert_eq!(depot.head(shard(0)).await.unwrap(), None);
            assert_eq!(depot.bytes(), 0);
        }
        let error = depot.keep(shard(0), wanted).await.unwrap_err();
        assert!(matches!(error, KeepError::Nothing { .. }));
        world.keep(shard(0), &Bytes::from_static(b"abc")).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_kept_twice_is_there_and_counts_once() {
    on_both(async |world: World| {
        let depot = &world.depot;
        world.keep(shard(0), &bytes(5_000)).await;
        for _ in 0..2 {
            depot
                .keep(shard(0), Content::of(&bytes(5_000)))
                .await
                .unwrap();
            assert_eq!(depot.bytes(), 2 * BLOCK_BYTES);
        }
    })
    .await;
}

#[tokio::test]
async fn an_empty_thing_is_a_thing() {
    on_both(async |world: World| {
        let (depot, content) = (&world.depot, Content::of(b""));
        depot
            .put(shard(0), content, stream::empty::<io::Result<_>>())
            .await
            .unwrap();
        assert_eq!(depot.head(shard(0)).await.unwrap(), Some(0));
        assert_eq!(depot.whole(shard(0), content).await.unwrap(), Bytes::new());
        let beyond = read(depot, shard(0), 0..1).await.unwrap_err();
        assert!(
            matches!(beyond, GetError::Short { from: 0, .. }),
            "{beyond:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_stream_is_kept_whole_or_not_at_all() {
    on_both(async |world: World| {
        let (depot, bytes) = (&world.depot, bytes(PIECE_BYTES_MAX + 70_000));
        let content = Content::of(&bytes);
        let at = bytes.len() - 9;
        let halves = [Ok(bytes.slice(..at)), Err(io::Error::other("broken"))];
        let error = depot.put(shard(0), content, stream::iter(halves)).await;
        assert!(matches!(error, Err(PutError::Source(_))));
        let short = [Ok::<_, io::Error>(bytes.slice(..at))];
        let error = depot.put(shard(0), content, stream::iter(short)).await;
        assert!(matches!(
            error,
            Err(PutError::Keep(KeepError::Wrong { .. }))
        ));
        let long = [Ok::<_, io::Error>(bytes.clone()), Ok(bytes.slice(..1))];
        let error = depot.put(shard(0), content, stream::iter(long)).await;
        assert!(matches!(
            error,
            Err(PutError::Append(AppendError::TooLong { .. }))
        ));
        assert_eq!(depot.received(shard(0)).await.unwrap(), None);
        assert_eq!(
            (depot.head(shard(0)).await.unwrap(), depot.bytes()),
            (None, 0)
        );

        for _ in 0..2 {
            let halves = [Ok::<_, io::Error>(bytes.slice(..9)), Ok(bytes.slice(9..))];
            depot
                .put(shard(0), content, stream::iter(halves))
                .await
                .unwrap();
        }
        assert_eq!(depot.whole(shard(0), content).await.unwrap(), bytes);
    })
    .await;
}

#[tokio::test]
async fn a_range_that_is_not_there_is_an_error_and_no_fewer_bytes() {
    on_both(async |world: World| {
        let depot = &world.depot;
        world.keep(shard(0), &bytes(10)).await;
        for range in [5..11, 10..11, 100..200, 11..11] {
            let error = read(depot, shard(0), range.clone()).await.unwrap_err();
            let is_short = matches!(error, GetError::Short { end, .. } if end == range.end);
            assert!(is_short, "{range:?}: {error:?}");
        }
        for range in [0..1, 0..0] {
            let error = read(depot, shard(1), range).await.unwrap_err();
            assert!(matches!(error, GetError::Missing { .. }));
        }
        let error = depot.whole(shard(1), Content::of(b"")).await.unwrap_err();
        assert!(matches!(error, GetError::Missing { .. }));
    })
    .await;
}

#[tokio::test]
async fn what_was_changed_under_a_name_is_not_taken_for_what_was_kept() {
    on_both(async |world: World| {
        let bytes = bytes(9_000);
        let content = Content::of(&bytes);
        world.keep(shard(0), &bytes).await;
        let path = world.whole_things().join(shard(0).key());
        let mut other = bytes.to_vec();
        other[8_000] ^= 1;
        for other in [other, bytes[..8_999].to_vec(), [&bytes[..], b"x"].concat()] {
            fs::write(&path, other).unwrap();
            let error = world.depot.whole(shard(0), content).await.unwrap_err();
            assert!(matches!(error, GetError::Altered { .. }), "{error:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_job_is_listed_and_erased_and_others_are_left_alone() {
    on_both(async |world: World| {
        let depot = &world.depot;
        let mut names = vec![
            Name {
                job: JOB,
                item: Item::Manifest,
            },
            Name {
                job: JOB,
                item: Item::Program,
            },
            shard(0),
            shard(10),
            result(0, 1),
            result(10, 0),
        ];
        names.sort();
        for name in &names {
            world.keep(*name, &bytes(10)).await;
        }
        world.keep(of_other(Item::Program), &bytes(10)).await;
        world.upload(shard(4), &bytes(20)).await;
        assert_eq!(depot.list(JOB).await.unwrap(), names);
        assert_eq!(depot.bytes(), 8 * BLOCK_BYTES);

        let inputs = depot.erase(JOB, |name| name.item.is_input()).await.unwrap();
        assert_eq!(
            inputs,
            Swept {
                erased: 5,
                strange: 0
            }
        );
        assert_eq!(
            depot.list(JOB).await.unwrap(),
            [result(0, 1), result(10, 0)]
        );
        for _ in 0..2 {
            depot.erase(JOB, |_| true).await.unwrap();
            assert_eq!(depot.list(JOB).await.unwrap(), []);
            depot.remove(result(0, 1)).await.unwrap();
        }
        assert_eq!(depot.list(OTHER).await.unwrap(), [of_other(Item::Program)]);
        assert_eq!(depot.bytes(), BLOCK_BYTES);
        world.upload(of_other(Item::Shard(1)), &bytes(10)).await;
        depot.remove(of_other(Item::Shard(1))).await.unwrap();
        depot.remove(of_other(Item::Program)).await.unwrap();
        assert_eq!(depot.bytes(), 0);
        let left = fs::read_dir(world.jobs()).unwrap().count();
        assert_eq!(left, 0, "empty folders go too");
    })
    .await;
}

#[tokio::test]
async fn of_a_tasks_results_some_are_erased_and_nothing_else_of_the_job_is_looked_at() {
    on_both(async |world: World| {
        let depot = &world.depot;
        for name in [
            shard(1),
            result(1, 0),
            result(1, 1),
            result(1, u8::MAX),
            result(11, 0),
        ] {
            world.keep(name, &bytes(10)).await;
        }
        world.upload(result(1, 3), &bytes(20)).await;
        world.upload(shard(4), &bytes(20)).await;
        assert_eq!(depot.begun(JOB), [shard(4), result(1, 3)]);
        assert_eq!(depot.begun(OTHER), []);
        let may = |depot: &Depot| [0, 1, 11].map(|task| depot.may_have_results(JOB, task));
        assert_eq!(may(depot), [false, true, true]);
        assert_eq!(may(&world.reopened().await), [false, true, true]);

        let swept = depot
            .erase_results((JOB, 1), |name| *name != result(1, 1))
            .await
            .unwrap();
        let (erased, strange) = (3, 0);
        assert_eq!(swept, Swept { erased, strange });
        let left = [shard(1), result(1, 1), result(11, 0)];
        assert_eq!(depot.list(JOB).await.unwrap(), left);
        assert_eq!(depot.begun(JOB), [shard(4)]);
        depot.erase_results((JOB, 1), |_| true).await.unwrap();
        depot.erase_results((JOB, 7), |_| true).await.unwrap();
        let left = [shard(1), result(11, 0)];
        assert_eq!(depot.list(JOB).await.unwrap(), left);
        depot.erase(JOB, |_| true).await.unwrap();
        assert_eq!(may(depot), [false; 3]);
    })
    .await;
}

#[tokio::test]
async fn a_sweep_erases_what_may_not_be_there_and_leaves_what_is_not_the_depots() {
    on_both(async |world: World| {
        let depot = &world.depot;
        for name in [shard(0), shard(1), of_other(Item::Manifest)] {
            world.keep(name, &bytes(10)).await;
        }
        world.upload(of_other(Item::Shard(7)), &bytes(10)).await;
        let strange = world
            .whole_things()
            .join(shard(0).key())
            .with_file_name("notes");
        fs::write(&strange, "of somebody else").unwrap();
        let swept = depot.sweep(|name| *name == shard(1)).await.unwrap();
        assert_eq!(
            swept,
            Swept {
                erased: 3,
                strange: 1
            }
        );
        assert!(strange.exists());
        assert_eq!(depot.list(JOB).await.unwrap(), [shard(1)]);
        assert_eq!(depot.list(OTHER).await.unwrap(), []);
        assert_eq!(depot.bytes(), BLOCK_BYTES);
    })
    .await;
}

#[tokio::test]
async fn a_full_depot_refuses_uploads_unwritten_keeps_room_for_results_and_counts_anew_at_a_start()
{
    // A quarter is for results: 90 blocks for uploads.
    on_both_of(120 * BLOCK_BYTES, async |world: World| {
        let blocks = |count: u64| count * BLOCK_BYTES;
        let depot = &world.depot;
        world.keep(shard(0), &bytes(blocks(60) as usize)).await;
        let error = depot.append(shard(1), 0, blocks(31), Bytes::from_static(b"a")).await;
        let missing = blocks(31);
        assert!(matches!(error, Err(AppendError::NoRoom { missing_bytes, .. }) if missing_bytes == missing));
        assert_eq!(depot.received(shard(1)).await.unwrap(), None);
        world.keep(shard(2), &bytes(blocks(30) as usize)).await;
        world.keep(result(0, 0), &bytes(blocks(30) as usize)).await;
        assert_eq!(depot.bytes(), blocks(120));

        let depot = world.reopened().await;
        assert_eq!(depot.bytes(), blocks(120));
        let error = depot.append(result(1, 0), 0, 1, Bytes::from_static(b"a")).await;
        assert!(matches!(error, Err(AppendError::NoRoom { .. })));
        depot.remove(shard(2)).await.unwrap();
        let taken = depot.append(result(1, 0), 0, 1, Bytes::from_static(b"a")).await;
        assert!(matches!(taken, Ok(Received::Whole)));
    })
    .await;
}

#[tokio::test]
async fn many_at_a_time_that_upload_the_same_make_one_thing() {
    on_both(async |world: World| {
        let bytes = bytes(300_000);
        let content = Content::of(&bytes);
        let uploads = (0..8).map(|_| {
            let (depot, bytes) = (world.depot.clone(), bytes.clone());
            tokio::spawn(async move {
                let limit = bytes.len() as u64;
                for at in (0..limit).step_by(50_000) {
                    let piece = bytes.slice(at as usize..at as usize + 50_000);
                    match depot.append(shard(0), at, limit, piece).await {
                        Ok(_) | Err(AppendError::OutOfOrder { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        });
        for upload in uploads.collect::<Vec<_>>() {
            upload.await.unwrap();
        }
        world.depot.keep(shard(0), content).await.unwrap();
        assert_eq!(world.depot.whole(shard(0), content).await.unwrap(), bytes);
    })
    .await;
}
