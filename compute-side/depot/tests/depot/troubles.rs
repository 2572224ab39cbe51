//! Buckets that fail half way, lie, or are not there.

use crate::world::{JOB, PLENTY_BYTES, World, bucket, bytes, read, shard, soon, wrong_keys};
use bytes::Bytes;
use quern_bucket_server::{Server, Trouble, certificate_of};
use quern_depot::{
    Asked, BucketError, Config, Content, Depot, GetError, Item, KeepError, Name, PART_BYTES, Roots,
    StoreError,
};
use std::{
    fs,
    sync::{Arc, atomic::Ordering},
};
use tokio::sync::Notify;

const PUT_PART: (&str, &str) = ("PUT", "partNumber");
const BEGIN: (&str, &str) = ("POST", "?uploads");
const COMPLETE: (&str, &str) = ("POST", "?uploadId");
const ABORT: (&str, &str) = ("DELETE", "?uploadId");
const GET: (&str, &str) = ("GET", "/shards/3");
const LIST: (&str, &str) = ("GET", "list-type=2");
const UPLOADS: (&str, &str) = ("GET", "uploads=");

/// More than any depot here asks the same.
const ALWAYS: usize = usize::MAX;

/// Three parts of an upload, the last one short.
fn long() -> Bytes {
    bytes(2 * PART_BYTES + 11_050)
}

async fn keep(world: &World, bytes: &Bytes) -> Result<(), KeepError> {
    soon(world.depot.keep(shard(3), Content::of(bytes))).await
}

async fn uploaded(bytes: &Bytes) -> World {
    let world = World::of_bucket().await;
    soon(world.upload(shard(3), bytes)).await;
    world
}

/// Nothing has the name, nothing is left of the upload, what came is here, and is kept when all is well again.
async fn is_kept_later(world: &World, bytes: &Bytes) {
    assert_eq!(world.depot.head(shard(3)).await.unwrap(), None);
    assert_eq!(world.server().uploads.count(), 0, "it was aborted");
    let received = world.depot.received(shard(3)).await.unwrap();
    assert_eq!(received, Some(bytes.len() as u64));
    world.server().proxy.calm();
    keep(world, bytes).await.unwrap();
    let whole = world.depot.whole(shard(3), Content::of(bytes)).await;
    assert_eq!(whole.unwrap(), bytes);
    assert_eq!(world.depot.received(shard(3)).await.unwrap(), None);
}

fn is_failed(error: &KeepError) -> bool {
    let asked = Asked::Keep;
    matches!(error, KeepError::Store(StoreError::Bucket(BucketError::Failed { asked: it, .. })) if *it == asked)
}

#[tokio::test]
async fn what_is_long_goes_in_parts_and_comes_back() {
    let bytes = long();
    let world = uploaded(&bytes).await;
    keep(&world, &bytes).await.unwrap();
    assert_eq!(world.server().proxy.count(PUT_PART), 3);
    assert_eq!(world.server().uploads.count(), 0);
    let depot = world.reopened().await;
    let whole = depot.whole(shard(3), Content::of(&bytes)).await.unwrap();
    assert_eq!(whole, bytes);
    let at = PART_BYTES as u64;
    let across = read(&depot, shard(3), at - 5..at + 5).await.unwrap();
    assert_eq!(across, bytes[PART_BYTES - 5..PART_BYTES + 5]);
}

#[tokio::test]
async fn what_fits_into_one_part_exactly_is_no_upload_in_parts() {
    for more in [0, 1] {
        let bytes = bytes(PART_BYTES + more);
        let world = uploaded(&bytes).await;
        keep(&world, &bytes).await.unwrap();
        assert_eq!(world.server().proxy.count(BEGIN), more);
        let whole = world.depot.whole(shard(3), Content::of(&bytes)).await;
        assert_eq!(whole.unwrap(), bytes);
    }
}

#[tokio::test]
async fn a_bucket_that_fails_half_way_has_nothing_and_loses_nothing() {
    let bytes = long();
    for trouble in [
        Trouble::Broken,
        Trouble::Answered(503, "<Error><Code>SlowDown</Code></Error>"),
        Trouble::Answered(507, ""),
        Trouble::Answered(400, "<Error><Code>EntityTooLarge</Code></Error>"),
    ] {
        let world = uploaded(&bytes).await;
        world.server().proxy.plan(PUT_PART, 1, ALWAYS, trouble);
        let error = keep(&world, &bytes).await.unwrap_err();
        assert!(is_failed(&error), "{error:?}");
        is_kept_later(&world, &bytes).await;
    }
}

#[tokio::test]
async fn a_bucket_that_fails_a_few_times_keeps_what_it_is_given() {
    let bytes = long();
    for at in [BEGIN, PUT_PART, COMPLETE] {
        for trouble in [
            Trouble::Broken,
            Trouble::Answered(503, ""),
            Trouble::Answered(500, ""),
        ] {
            let world = uploaded(&bytes).await;
            world.server().proxy.plan(at, 0, 2, trouble);
            keep(&world, &bytes).await.unwrap();
            let whole = world.depot.whole(shard(3), Content::of(&bytes)).await;
            assert_eq!(whole.unwrap(), bytes);
        }
    }
}

#[tokio::test]
async fn what_fits_into_one_request_is_kept_or_not_there_either() {
    let bytes = bytes(70_000);
    let world = uploaded(&bytes).await;
    let put = ("PUT", "/shards/3");
    world.server().proxy.plan(put, 0, ALWAYS, Trouble::Broken);
    let error = keep(&world, &bytes).await.unwrap_err();
    assert!(is_failed(&error), "{error:?}");
    is_kept_later(&world, &bytes).await;

    let world = uploaded(&bytes).await;
    world.server().proxy.plan(put, 0, 2, Trouble::AnswerLost);
    keep(&world, &bytes).await.unwrap();
    assert_eq!(world.server().proxy.count(put), 3);
}

#[tokio::test]
async fn a_lost_answer_of_what_was_completed_is_no_failure() {
    let bytes = long();
    let world = uploaded(&bytes).await;
    world
        .server()
        .proxy
        .plan(COMPLETE, 0, 1, Trouble::AnswerLost);
    keep(&world, &bytes).await.unwrap();
    assert_eq!(
        world.server().proxy.count(COMPLETE),
        2,
        "it was asked again"
    );
    assert_eq!(
        world.server().proxy.count(PUT_PART),
        3,
        "nothing was sent again"
    );
    let whole = world.depot.whole(shard(3), Content::of(&bytes)).await;
    assert_eq!(whole.unwrap(), bytes);
}

#[tokio::test]
async fn all_answers_of_what_was_completed_may_be_lost() {
    let bytes = long();
    let world = uploaded(&bytes).await;
    world
        .server()
        .proxy
        .plan(COMPLETE, 0, ALWAYS, Trouble::AnswerLost);
    keep(&world, &bytes).await.unwrap();
    assert_eq!(world.depot.received(shard(3)).await.unwrap(), None);
    let whole = world.depot.whole(shard(3), Content::of(&bytes)).await;
    assert_eq!(whole.unwrap(), bytes);
}

#[tokio::test]
async fn a_bucket_that_only_says_that_it_is_complete_is_not_believed() {
    const DONE: &str =
        "<CompleteMultipartUploadResult><ETag>\"x\"</ETag></CompleteMultipartUploadResult>";
    let bytes = long();
    let world = uploaded(&bytes).await;
    world
        .server()
        .proxy
        .plan(COMPLETE, 0, 1, Trouble::Answered(200, DONE));
    let error = keep(&world, &bytes).await.unwrap_err();
    let is_other = matches!(&error, KeepError::Store(StoreError::Bucket(BucketError::Other { name })) if *name == shard(3));
    assert!(is_other, "{error:?}");
    is_kept_later(&world, &bytes).await;
}

#[tokio::test]
async fn an_object_that_was_there_before_is_not_taken_for_the_one_that_is_kept() {
    let (bytes, other) = (long(), Bytes::from(vec![7; 2 * PART_BYTES + 11_050]));
    let world = uploaded(&other).await;
    keep(&world, &other).await.unwrap();
    // A part that is here while its thing has a name: a crash came between.
    let part = world.jobs().join(format!("{}.part", shard(3).key()));
    fs::create_dir_all(part.parent().unwrap()).unwrap();
    fs::write(&part, &bytes).unwrap();
    let depot = world.reopened().await;
    world
        .server()
        .proxy
        .plan(COMPLETE, 0, ALWAYS, Trouble::Broken);
    let error = soon(depot.keep(shard(3), Content::of(&bytes)))
        .await
        .unwrap_err();
    assert!(is_failed(&error), "{error:?}");
    world.server().proxy.calm();
    depot.keep(shard(3), Content::of(&bytes)).await.unwrap();
    assert_eq!(
        depot.whole(shard(3), Content::of(&bytes)).await.unwrap(),
        bytes
    );
    assert_eq!(depot.bytes(), world.reopened().await.bytes());
}

#[tokio::test]
async fn a_part_that_changes_on_the_disk_while_it_is_uploaded_gets_no_name() {
    let bytes = long();
    let world = uploaded(&bytes).await;
    let part = world.jobs().join(format!("{}.part", shard(3).key()));
    let mut other = bytes.to_vec();
    *other.last_mut().unwrap() ^= 1;
    let rots = move || fs::write(&part, &other).unwrap();
    world
        .server()
        .proxy
        .plan(BEGIN, 0, 1, Trouble::Meanwhile(Arc::new(rots)));
    let error = keep(&world, &bytes).await.unwrap_err();
    assert!(
        matches!(error, KeepError::Store(StoreError::Changed { .. })),
        "{error:?}"
    );
    assert_eq!(world.depot.head(shard(3)).await.unwrap(), None);
    assert_eq!(world.server().uploads.count(), 0);
}

async fn read_through(trouble: Trouble, times: usize) -> (World, Result<Vec<u8>, GetError>) {
    let bytes = bytes(1_000_000);
    let world = uploaded(&bytes).await;
    keep(&world, &bytes).await.unwrap();
    world.server().proxy.plan(GET, 0, times, trouble);
    let read = soon(read(&world.depot, shard(3), 1_000..999_000)).await;
    (world, read)
}

#[tokio::test]
async fn what_breaks_off_while_it_is_read_is_asked_for_from_there_on() {
    for trouble in [
        Trouble::CutAfter(300_000),
        Trouble::CutAfter(0),
        Trouble::Broken,
        Trouble::Answered(503, ""),
    ] {
        let (world, read) = read_through(trouble.clone(), 2).await;
        assert!(
            read.unwrap() == bytes(1_000_000)[1_000..999_000],
            "{trouble:?}"
        );
        assert_eq!(world.server().proxy.count(GET), 3, "{trouble:?}");
    }
}

#[tokio::test]
async fn what_ends_early_without_a_word_is_asked_for_from_there_on() {
    let bytes = bytes(1_000_000);
    let world = uploaded(&bytes).await;
    keep(&world, &bytes).await.unwrap();
    let proxy = &world.server().proxy;
    proxy.plan(GET, 0, 1, Trouble::CutAfter(300_000));
    proxy.plan(GET, 0, 1, Trouble::EndsAfter(300_000));
    let read = soon(read(&world.depot, shard(3), 0..1_000_000)).await;
    assert!(read.unwrap() == bytes);
    assert_eq!(proxy.count(GET), 3);
}

#[tokio::test]
async fn what_never_comes_to_its_end_is_an_error() {
    for trouble in [
        Trouble::CutAfter(10),
        Trouble::EndsAfter(10),
        Trouble::Broken,
    ] {
        let (_world, read) = read_through(trouble.clone(), ALWAYS).await;
        let error = read.unwrap_err();
        let is_failed = matches!(
            error,
            GetError::Store(StoreError::Bucket(BucketError::Failed {
                asked: Asked::Give,
                ..
            }))
        );
        assert!(is_failed, "{trouble:?}: {error:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_another_than_was_asked_for_is_refused() {
    for trouble in [
        Trouble::Answered(200, "all of it"),
        Trouble::Answered(206, "no range"),
    ] {
        let (_world, read) = read_through(trouble.clone(), ALWAYS).await;
        assert!(read.is_err(), "{trouble:?}");
    }
    let (_world, read) = read_through(Trouble::Endless, 1).await;
    assert!(read.is_err());
}

#[tokio::test]
async fn two_objects_are_not_read_as_one_where_one_takes_the_others_place_meanwhile() {
    let bytes = bytes(1_000_000);
    let world = uploaded(&bytes).await;
    keep(&world, &bytes).await.unwrap();
    let object = world.whole_things().join(shard(3).key());
    let changed = move || fs::write(&object, vec![0; 1_000_000]).unwrap();
    let proxy = &world.server().proxy;
    proxy.plan(GET, 0, 1, Trouble::CutAfter(300_000));
    proxy.plan(GET, 0, 1, Trouble::Meanwhile(Arc::new(changed)));
    // s3s-fs notes the tag of an object beside it; without the note it computes it anew.
    for entry in fs::read_dir(world.whole_things().join("../../..")).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().ends_with(".internal.json") {
            fs::remove_file(path).unwrap();
        }
    }
    let error = soon(read(&world.depot, shard(3), 0..1_000_000))
        .await
        .unwrap_err();
    assert!(matches!(
        error,
        GetError::Store(StoreError::Bucket(BucketError::Failed { .. }))
    ));
}

#[tokio::test]
async fn uploads_that_nobody_goes_on_with_are_found_and_aborted() {
    let bytes = long();
    let world = uploaded(&bytes).await;
    let proxy = &world.server().proxy;
    // Each beginning is done, and none is heard of: nobody but the server knows of them.
    proxy.plan(BEGIN, 0, ALWAYS, Trouble::AnswerLost);
    let error = keep(&world, &bytes).await.unwrap_err();
    assert!(is_failed(&error), "{error:?}");
    assert_eq!(world.server().uploads.count(), 4);
    // The server tells of two at a time.
    assert_eq!(world.depot.tidy().await.unwrap(), 4);
    is_kept_later(&world, &bytes).await;
}

#[tokio::test]
async fn uploads_of_a_depot_that_crashed_are_aborted_when_it_is_opened_again() {
    let bytes = long();
    let world = uploaded(&bytes).await;
    let proxy = &world.server().proxy;
    proxy.plan(PUT_PART, 1, ALWAYS, Trouble::Broken);
    proxy.plan(ABORT, 0, ALWAYS, Trouble::Broken);
    assert!(is_failed(&keep(&world, &bytes).await.unwrap_err()));
    assert_eq!(world.server().uploads.count(), 1);
    proxy.calm();
    let depot = world.reopened().await;
    assert_eq!(world.server().uploads.count(), 0);
    soon(depot.keep(shard(3), Content::of(&bytes)))
        .await
        .unwrap();
}

#[tokio::test]
async fn an_upload_that_is_under_way_is_not_taken_for_one_that_nobody_goes_on_with() {
    let bytes = long();
    let world = uploaded(&bytes).await;
    let depot = world.depot.clone();
    let (reached, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let waits = Trouble::Waits(Arc::clone(&reached), Arc::clone(&go));
    world.server().proxy.plan(PUT_PART, 1, 1, waits);
    let keeping = tokio::spawn(async move { depot.keep(shard(3), Content::of(&bytes)).await });
    soon(reached.notified()).await;
    assert_eq!(soon(world.depot.tidy()).await.unwrap(), 0);
    go.notify_one();
    soon(keeping).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_bucket_that_does_not_tell_of_uploads_is_used_all_the_same() {
    let world = World::of_bucket().await;
    world.server().tells_uploads.store(false, Ordering::Relaxed);
    let error = world.depot.tidy().await.unwrap_err();
    assert!(
        matches!(error, StoreError::Bucket(BucketError::Uploads(_))),
        "{error:?}"
    );
    let depot = world.reopened().await;
    assert_eq!(depot.head(shard(0)).await.unwrap(), None);
}

#[tokio::test]
async fn a_list_that_is_none_or_has_no_end_is_refused() {
    for trouble in [
        Trouble::Answered(200, "<ListBucketResult><Contents>"),
        Trouble::Answered(200, "{}"),
        Trouble::Endless,
        Trouble::Broken,
    ] {
        let world = World::of_bucket().await;
        world.keep(shard(0), &bytes(10)).await;
        let proxy = &world.server().proxy;
        proxy.plan(LIST, 0, ALWAYS, trouble.clone());
        proxy.plan(UPLOADS, 0, ALWAYS, trouble.clone());
        assert!(soon(world.depot.list(JOB)).await.is_err(), "{trouble:?}");
        assert!(soon(world.depot.tidy()).await.is_err(), "{trouble:?}");
        let opened = soon(world.reopened_with(|_| {})).await;
        assert!(
            opened.is_err(),
            "what was not counted is not opened: {trouble:?}"
        );
    }
}

#[tokio::test]
async fn many_things_are_listed_over_several_answers() {
    let world = World::of_bucket().await;
    let folder = world.whole_things().join(shard(0).key());
    fs::create_dir_all(folder.parent().unwrap()).unwrap();
    for task in 0..1_050 {
        fs::write(folder.with_file_name(task.to_string()), "x").unwrap();
    }
    let depot = world.reopened().await;
    assert_eq!(depot.list(JOB).await.unwrap().len(), 1_050);
    assert_eq!(depot.bytes(), 1_050 * 4_096);
    assert_eq!(
        soon(depot.erase(JOB, |_| true)).await.unwrap().erased,
        1_050
    );
    assert_eq!(depot.bytes(), 0);
}

#[tokio::test]
async fn wrong_keys_a_bucket_that_is_not_there_and_a_server_that_is_gone_are_told_apart() {
    let world = World::of_bucket().await;
    let refused = world
        .reopened_with(|bucket| bucket.keys = wrong_keys())
        .await;
    let is_refused = matches!(
        &refused,
        Err(StoreError::Bucket(BucketError::Refused {
            asked: Asked::List,
            ..
        }))
    );
    assert!(is_refused, "{refused:?}");
    let elsewhere = world.server().url("http", "elsewhere").parse().unwrap();
    let nowhere = world
        .reopened_with(|bucket| bucket.address = elsewhere)
        .await;
    let is_nowhere = matches!(
        &nowhere,
        Err(StoreError::Bucket(BucketError::Nowhere { .. }))
    );
    assert!(is_nowhere, "{nowhere:?}");
    // Nobody listens there.
    let gone = "http://127.0.0.1:1/shards".parse().unwrap();
    let gone = world.reopened_with(|bucket| bucket.address = gone).await;
    let is_gone = matches!(&gone, Err(StoreError::Bucket(BucketError::Failed { .. })));
    assert!(is_gone, "{gone:?}");
    for error in [refused, nowhere, gone] {
        let told = format!("{error:?}");
        assert!(!told.contains("something-else"), "no key is told: {told}");
    }
}

#[tokio::test]
async fn a_server_is_believed_by_its_certificate_alone() {
    let (server, pem) = Server::start_with_tls().await;
    let folder = tempfile::tempdir().unwrap();
    let (ca_file, other) = (
        folder.path().join("ca.pem"),
        folder.path().join("other.pem"),
    );
    fs::write(&ca_file, pem).unwrap();
    fs::write(&other, certificate_of("127.0.0.1")).unwrap();
    let config = |roots: &std::path::Path| Config::Bucket {
        folder: folder.path().join("jobs"),
        bucket: Box::new(bucket(&server, "https", Roots::of_file(roots).unwrap())),
        most_bytes: 1 << 30,
        parts_most_bytes: 1 << 30,
    };
    let depot = Depot::open(config(&ca_file)).await.unwrap();
    let (name, bytes) = (
        Name {
            job: JOB,
            item: Item::Program,
        },
        bytes(50_000),
    );
    let one = futures::stream::iter([Ok::<_, std::io::Error>(bytes.clone())]);
    depot.put(name, Content::of(&bytes), one).await.unwrap();
    assert_eq!(depot.whole(name, Content::of(&bytes)).await.unwrap(), bytes);
    let error = Depot::open(config(&other)).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Bucket(BucketError::Failed { .. })),
        "{error:?}"
    );
}

#[test]
fn a_file_that_has_no_certificates_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    for wrong in [
        "",
        "none",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
    ] {
        fs::write(&path, wrong).unwrap();
        let refused = Roots::of_file(&path);
        assert!(
            matches!(refused, Err(quern_depot::RootsError::Pem { .. })),
            "{wrong}"
        );
    }
    let nowhere = Roots::of_file(&folder.path().join("none"));
    assert!(matches!(nowhere, Err(quern_depot::RootsError::Read { .. })));
}

/// The settings of a depot over a server's bucket, with the folder of a depot that had none.
fn after(folder: &std::path::Path, server: &Server) -> Config {
    Config::Bucket {
        folder: folder.to_owned(),
        bucket: Box::new(World::bucket_of(server)),
        most_bytes: PLENTY_BYTES,
        parts_most_bytes: PLENTY_BYTES,
    }
}

#[tokio::test]
async fn what_a_depot_over_a_folder_has_goes_to_its_bucket_when_it_gets_one_and_breaks_lose_nothing()
 {
    soon(async {
        let before = World::of_folder(PLENTY_BYTES).await;
        let (short, long) = (bytes(70_000), long());
        before.keep(shard(1), &short).await;
        before.keep(shard(2), &long).await;
        before.upload(shard(3), &short).await;
        let strange = before.jobs().join(shard(1).key()).with_file_name("notes");
        fs::write(&strange, "of somebody else").unwrap();

        let server = Server::start().await;
        server.proxy.plan(PUT_PART, 1, ALWAYS, Trouble::Broken);
        let broken = Depot::open(after(&before.jobs(), &server)).await;
        assert!(matches!(broken, Err(StoreError::Bucket(_))), "{broken:?}");
        server.proxy.calm();

        let depot = Depot::open(after(&before.jobs(), &server)).await.unwrap();
        for (name, bytes) in [(shard(1), &short), (shard(2), &long)] {
            assert_eq!(depot.whole(name, Content::of(bytes)).await.unwrap(), bytes);
            assert!(
                !before.jobs().join(name.key()).exists(),
                "it is there alone"
            );
            assert!(server.objects().join(name.key()).exists());
        }
        assert!(strange.exists(), "it is not the depot's");
        assert_eq!(depot.begun(JOB), [shard(3)], "what is not whole stays");
        depot.keep(shard(3), Content::of(&short)).await.unwrap();
        assert_eq!(depot.bytes(), before.depot.bytes());
    })
    .await;
}
