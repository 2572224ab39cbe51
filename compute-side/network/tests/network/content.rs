//! Questions about content, of both sides of a connection.

use crate::loopback::{DEVICE, to};
use quern_network::{
    AskError, Client, ClientConfig, Inquiry, Prefer, Reading, ReadingError, Server, ServerConfig,
    ServerHandle, ServerLimits, device_of_seed, limits::CONTENT_STREAMS_MAX,
};
use quern_primitives::ids::Digest;
use quern_protocol::fetch::{Head, Holdings, Question};
use std::time::Duration;
use tokio::{sync::mpsc, time::timeout};

/// Nothing here takes so long.
const LONG: Duration = Duration::from_secs(20);

type Inquiries = mpsc::Receiver<Inquiry>;

/// A masternode and a device that are connected, and what each is asked.
struct Pair {
    server: ServerHandle,
    of_server: Inquiries,
    client: Client,
    of_client: Inquiries,
}

impl Pair {
    async fn new(prefer: Prefer) -> Self {
        let (inquiries, of_server) = mpsc::channel(8);
        let server = serve(Some(inquiries)).await;
        let (inquiries, of_client) = mpsc::channel(8);
        let config = ClientConfig {
            inquiries: Some(inquiries),
            ..to(&server, DEVICE, prefer)
        };
        let client = Client::connect(config).await.unwrap();
        Self {
            server,
            of_server,
            client,
            of_client,
        }
    }
}

async fn serve(inquiries: Option<mpsc::Sender<Inquiry>>) -> ServerHandle {
    let listen = ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"];
    let (server, events) = Server::start(ServerConfig {
        key_seed: [1; 32],
        listen: listen.map(|address| address.parse().unwrap()).to_vec(),
        limits: ServerLimits::default(),
        inquiries,
    })
    .await
    .unwrap();
    // What devices ask besides is of no interest here, but a server whose events nobody takes stops.
    tokio::spawn(async move {
        let mut events = events;
        while events.recv().await.is_some() {}
    });
    server
}

async fn next(inquiries: &mut Inquiries) -> Inquiry {
    let next = timeout(LONG, inquiries.recv()).await;
    next.expect("a question comes").expect("it is connected")
}

fn spans(first: u32, count: u8) -> Question {
    let root = Digest([7; 32]);
    Question::Spans { root, first, count }
}

fn head(span: u32, bytes: &[u8]) -> Head {
    Head::Span {
        span,
        bytes: u32::try_from(bytes.len()).unwrap(),
        siblings: vec![Digest([9; 32]); 9],
    }
}

async fn bytes_of(reading: &mut Reading, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    let mut there = 0;
    while there < count {
        let read = timeout(LONG, reading.some(&mut bytes[there..])).await;
        let read = read.unwrap().unwrap();
        assert!(read > 0, "it ended after {there} of {count} bytes");
        there += read;
    }
    bytes
}

#[tokio::test]
async fn either_side_asks_the_other_and_reads_spans_as_they_come() {
    for prefer in [Prefer::Tcp, Prefer::Quic] {
        let mut pair = Pair::new(prefer).await;
        let (server, device) = (pair.client.masternode(), device_of_seed(DEVICE));
        let both = [
            (pair.client.asker(), server, device, &mut pair.of_server),
            (pair.server.asker(), device, server, &mut pair.of_client),
        ];
        for (asker, asked, who_asks, inquiries) in both {
            let mut reading = asker.ask(&asked, &spans(3, 2)).await.unwrap();
            let mut inquiry = next(inquiries).await;
            assert_eq!(inquiry.peer, who_asks);
            assert_eq!(inquiry.question, spans(3, 2));
            let sent: [Vec<u8>; 2] = [vec![3; 256 * 1024], vec![4; 77]];
            let answered = async {
                for (span, bytes) in (3..).zip(&sent) {
                    let head = head(span, bytes);
                    let taken = inquiry.answer.send(&head, bytes).await.unwrap();
                    assert!(taken > bytes.len() as u64);
                }
                inquiry.answer.end().await.unwrap();
            };
            let read = async {
                for (span, bytes) in (3..).zip(&sent) {
                    let came = reading.head().await.unwrap();
                    assert_eq!(came, Some(head(span, bytes)));
                    assert_eq!(&bytes_of(&mut reading, bytes.len()).await, bytes);
                }
                assert_eq!(reading.head().await.unwrap(), None);
            };
            tokio::join!(answered, read);
        }
    }
}

#[tokio::test]
async fn what_somebody_has_is_told_and_what_is_not_given_is_said() {
    let mut pair = Pair::new(Prefer::Quic).await;
    let server = pair.client.masternode();
    let question = Question::Have {
        root: Digest([7; 32]),
        bytes: 1,
    };
    for told in [Holdings::Spans(vec![1]), Holdings::No] {
        let mut reading = pair.client.asker().ask(&server, &question).await.unwrap();
        let inquiry = next(&mut pair.of_server).await;
        assert_eq!(inquiry.question, question);
        inquiry.answer.tell(&told).await.unwrap();
        assert_eq!(reading.holdings().await.unwrap(), told);
    }
    let mut reading = pair
        .client
        .asker()
        .ask(&server, &spans(0, 1))
        .await
        .unwrap();
    let inquiry = next(&mut pair.of_server).await;
    let busy = Head::Busy { ms: 5 };
    inquiry.answer.refuse(&busy).await.unwrap();
    assert_eq!(reading.head().await.unwrap(), Some(busy));
}

#[tokio::test]
async fn an_answer_that_is_dropped_is_seen_to_be_broken_off_and_so_is_a_question() {
    let mut pair = Pair::new(Prefer::Tcp).await;
    let server = pair.client.masternode();
    let mut reading = pair
        .client
        .asker()
        .ask(&server, &spans(0, 1))
        .await
        .unwrap();
    drop(next(&mut pair.of_server).await);
    let read = timeout(LONG, reading.head()).await.unwrap();
    assert!(
        matches!(read, Err(ReadingError::BrokenOff(_)) | Ok(None)),
        "{read:?}"
    );

    let reading = pair
        .client
        .asker()
        .ask(&server, &spans(0, 8))
        .await
        .unwrap();
    let mut inquiry = next(&mut pair.of_server).await;
    drop(reading);
    let bytes = vec![0; 256 * 1024];
    let sent = async {
        loop {
            if inquiry.answer.send(&head(0, &bytes), &bytes).await.is_err() {
                return;
            }
        }
    };
    timeout(LONG, sent)
        .await
        .expect("it hears that nobody reads");
}

#[tokio::test]
async fn who_opens_more_questions_than_it_may_has_the_rest_broken_off() {
    let mut pair = Pair::new(Prefer::Quic).await;
    let server = pair.client.masternode();
    let mut kept = Vec::new();
    let mut readings = Vec::new();
    for _ in 0..CONTENT_STREAMS_MAX {
        readings.push(
            pair.client
                .asker()
                .ask(&server, &spans(0, 1))
                .await
                .unwrap(),
        );
        kept.push(next(&mut pair.of_server).await);
    }
    let mut refused = pair
        .client
        .asker()
        .ask(&server, &spans(0, 1))
        .await
        .unwrap();
    let read = timeout(LONG, refused.head()).await.unwrap();
    assert!(!matches!(read, Ok(Some(_))), "{read:?}");
    // One that is answered makes room for another.
    let inquiry = kept.pop().unwrap();
    inquiry.answer.refuse(&Head::No).await.unwrap();
    let mut reading = readings.pop().unwrap();
    assert_eq!(reading.head().await.unwrap(), Some(Head::No));
    let _next = pair
        .client
        .asker()
        .ask(&server, &spans(1, 1))
        .await
        .unwrap();
    assert_eq!(next(&mut pair.of_server).await.question, spans(1, 1));
}

#[tokio::test]
async fn who_answers_no_questions_breaks_them_off_and_who_is_not_connected_is_not_asked() {
    let server = serve(None).await;
    let client = Client::connect(to(&server, DEVICE, Prefer::Tcp))
        .await
        .unwrap();
    let masternode = client.masternode();
    let reading = client.asker().ask(&masternode, &spans(0, 1)).await;
    let mut reading = reading.unwrap();
    let read = timeout(LONG, reading.head()).await.unwrap();
    assert!(!matches!(read, Ok(Some(_))), "{read:?}");
    let stranger = device_of_seed([9; 32]);
    let asked = timeout(LONG, client.asker().ask(&stranger, &spans(0, 1))).await;
    assert!(matches!(asked.unwrap(), Err(AskError::Disconnected)));
    let too_many = client.asker().ask(&masternode, &spans(0, 9)).await;
    assert!(matches!(too_many, Err(AskError::NotSent(_))));
    let asker = client.asker().clone();
    drop(client);
    let asked = timeout(LONG, async {
        // The connection's task ends a moment after its last client.
        while asker.ask(&masternode, &spans(0, 1)).await.is_ok() {
            tokio::task::yield_now().await;
        }
    });
    asked.await.expect("a connection that ended is not asked");
}
