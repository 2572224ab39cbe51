#![allow(clippy::unwrap_used)]

use super::*;
use crate::streams::stalled::{Stalled, framed};
use quern_protocol::{Exchange, Work};

/// Carries a request over a stream on which these bytes come. Returns whether another may follow.
async fn carried(bytes: Vec<u8>) -> (Result<Response, RequestError>, bool) {
    let (reply, answer) = oneshot::channel();
    let request = Request::Exchange(Exchange::default());
    let timeout = Duration::from_millis(50);
    let line = carry(Line::new(Stalled(bytes)), Ask { request, reply }, timeout).await;
    (answer.await.unwrap(), line.is_some())
}

#[tokio::test]
async fn a_request_is_given_up_in_time_and_its_stream_with_it() {
    let work = Response::Work(Work::default());
    let whole = framed(&work);
    for bytes in [0, 1, 5] {
        let (answer, goes_on) = carried(whole[..bytes].to_vec()).await;
        let error = answer.unwrap_err();
        assert!(matches!(error, RequestError::TimedOut), "{error:?}");
        assert!(!goes_on);
    }
    let (answer, goes_on) = carried(whole).await;
    assert_eq!(answer.unwrap(), work);
    assert!(goes_on);
}
