#![allow(clippy::unwrap_used)]

use super::*;
use crate::streams::stalled::{Stalled, framed};
use quern_protocol::{Exchange, Work};

const TIMEOUT: Duration = Duration::from_millis(50);

fn limits(requests_max: usize) -> Limits {
    Limits {
        requests_max,
        timeout: TIMEOUT,
    }
}

fn request() -> Vec<u8> {
    framed(&Request::Exchange(Exchange::default()))
}

#[tokio::test]
async fn a_stream_on_which_a_request_stops_coming_is_ended_and_an_idle_one_is_not() {
    let open = Arc::new(());
    for bytes in [1, 4, 5] {
        let begun = Stalled(request()[..bytes].to_vec());
        let mut requests = requests(begun, limits(1), Arc::downgrade(&open)).boxed();
        assert!(requests.next().await.is_none());
        assert_eq!(Arc::strong_count(&open), 1);
    }
    let idle = Stalled(Vec::new());
    let mut requests = requests(idle, limits(1), Arc::downgrade(&open)).boxed();
    let more = tokio::time::timeout(3 * TIMEOUT, requests.next()).await;
    assert!(more.is_err());
}

#[tokio::test]
async fn a_request_counts_as_unanswered_until_its_answer_is_written() {
    let open = Arc::new(());
    let twice = Stalled([request(), request()].concat());
    let mut first = requests(twice, limits(1), Arc::downgrade(&open)).boxed();
    let asked = first.next().await.unwrap().unwrap();
    assert_eq!(Arc::strong_count(&open), 2);

    // Another stream's request is one too many meanwhile, and that stream ends.
    let other = Stalled(request());
    let mut second = requests(other, limits(1), Arc::downgrade(&open)).boxed();
    let why = second.next().await.unwrap().unwrap_err();
    assert_eq!(why, Misbehaviour::TooManyRequests { limit: 1 });
    assert!(second.next().await.is_none());

    let answer = Response::Work(Work::default());
    asked.answer.send(answer).unwrap();
    assert!(first.next().await.unwrap().is_ok());
    assert_eq!(Arc::strong_count(&open), 2);
}

#[tokio::test]
async fn a_request_whose_answer_nobody_sends_ends_its_stream() {
    let open = Arc::new(());
    let twice = Stalled([request(), request()].concat());
    let mut requests = requests(twice, limits(1), Arc::downgrade(&open)).boxed();
    drop(requests.next().await.unwrap().unwrap());
    assert!(requests.next().await.is_none());
    assert_eq!(Arc::strong_count(&open), 1);
}

#[tokio::test]
async fn a_request_that_is_not_answered_in_time_is_given_up_and_ends_its_stream() {
    let open = Arc::new(());
    let twice = Stalled([request(), request()].concat());
    let mut requests = requests(twice, limits(1), Arc::downgrade(&open)).boxed();
    let asked = requests.next().await.unwrap().unwrap();
    assert!(requests.next().await.is_none());
    assert!(asked.answer.is_closed());
    assert_eq!(Arc::strong_count(&open), 1);
}
