//! What a masternode wishes of a device that keeps pieces, over the connection that the device made.

use crate::loopback::{DEVICE, expect_connected, to};
use quern_network::{
    Client, ClientConfig, Inquiry, Prefer, Server, ServerConfig, ServerEvent, ServerHandle,
    ServerLimits, WishError, Wished, device_of_seed,
};
use quern_primitives::ids::{ContractId, Digest};
use quern_protocol::{
    fetch::{Holdings, Question},
    keep::{Answer, Reason, Wish},
};
use std::time::Duration;
use tokio::{sync::mpsc, time::timeout};

/// Nothing here takes so long.
const LONG: Duration = Duration::from_secs(20);

/// A masternode, and what it hears of devices.
async fn masternode() -> (ServerHandle, mpsc::Receiver<ServerEvent>) {
    let listen = ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"];
    Server::start(ServerConfig {
        key_seed: [1; 32],
        listen: listen.map(|address| address.parse().unwrap()).to_vec(),
        limits: ServerLimits::default(),
        inquiries: None,
    })
    .await
    .unwrap()
}

/// A device that is connected, as the masternode knows, and hands on what it is asked.
async fn device(
    (server, events): &mut (ServerHandle, mpsc::Receiver<ServerEvent>),
    prefer: Prefer,
    inquiries: Option<mpsc::Sender<Inquiry>>,
    wishes: Option<mpsc::Sender<Wished>>,
) -> Client {
    let config = ClientConfig {
        inquiries,
        wishes,
        ..to(server, DEVICE, prefer)
    };
    let client = Client::connect(config).await.unwrap();
    expect_connected(events, DEVICE).await;
    client
}

fn drop_piece(piece: u32) -> Wish {
    Wish::Drop {
        contract: ContractId([1; 32]),
        piece,
    }
}

#[tokio::test]
async fn a_device_that_keeps_pieces_hears_wishes_and_answers_them() {
    for prefer in [Prefer::Tcp, Prefer::Quic] {
        let mut all = masternode().await;
        let (sender, mut wishes) = mpsc::channel(8);
        let client = device(&mut all, prefer, None, Some(sender)).await;
        let answering = async {
            for answer in [Answer::Room { bytes: 77 }, Answer::No(Reason::Held)] {
                let wished = wishes.recv().await.unwrap();
                assert_eq!(wished.peer, client.masternode());
                let expected = match answer {
                    Answer::Room { .. } => Wish::Room,
                    _ => drop_piece(3),
                };
                assert_eq!(wished.wish, expected);
                wished.answer.answer(&answer).await.unwrap();
            }
        };
        let asking = async {
            let (asker, device) = (all.0.asker(), device_of_seed(DEVICE));
            let room = asker.wish(&device, &Wish::Room).await.unwrap();
            assert_eq!(room, Answer::Room { bytes: 77 });
            let dropped = asker.wish(&device, &drop_piece(3)).await.unwrap();
            assert_eq!(dropped, Answer::No(Reason::Held));
        };
        timeout(LONG, async { tokio::join!(answering, asking) })
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_device_that_keeps_nothing_does_not_speak_of_it() {
    for prefer in [Prefer::Tcp, Prefer::Quic] {
        let mut all = masternode().await;
        let _client = device(&mut all, prefer, None, None).await;
        let (asker, device) = (all.0.asker(), device_of_seed(DEVICE));
        let asked = timeout(LONG, asker.wish(&device, &Wish::Room))
            .await
            .unwrap();
        assert!(matches!(asked, Err(WishError::OtherProtocol)), "{asked:?}");
    }
}

#[tokio::test]
async fn wishes_and_questions_that_are_asked_at_once_get_each_its_own_answer() {
    for prefer in [Prefer::Tcp, Prefer::Quic] {
        let mut all = masternode().await;
        let ((sender, mut wishes), (inquirer, mut inquiries)) =
            (mpsc::channel(8), mpsc::channel::<Inquiry>(8));
        let _client = device(&mut all, prefer, Some(inquirer), Some(sender)).await;
        tokio::spawn(async move {
            while let Some(wished) = wishes.recv().await {
                let Wish::Drop { piece, .. } = wished.wish else {
                    panic!("another wish was told");
                };
                let answer = Answer::Fetching {
                    bytes: piece.into(),
                };
                wished.answer.answer(&answer).await.unwrap();
            }
        });
        tokio::spawn(async move {
            while let Some(inquiry) = inquiries.recv().await {
                let Question::Have { bytes, .. } = inquiry.question else {
                    panic!("another question was asked");
                };
                let holdings = Holdings::Busy { ms: bytes as u32 };
                inquiry.answer.tell(&holdings).await.unwrap();
            }
        });
        let (asker, device) = (all.0.asker(), device_of_seed(DEVICE));
        let both = (1..20u32).map(|number| async move {
            let wished = asker.wish(&device, &drop_piece(number)).await.unwrap();
            let bytes = number.into();
            assert_eq!(wished, Answer::Fetching { bytes });
            let root = Digest([7; 32]);
            let have = Question::Have { root, bytes };
            let told = asker.ask(&device, &have).await.unwrap().holdings().await;
            assert_eq!(told.unwrap(), Holdings::Busy { ms: number });
        });
        timeout(LONG, futures::future::join_all(both))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_wish_that_nobody_answers_and_one_to_who_is_not_there_end_as_such() {
    let mut all = masternode().await;
    let (sender, mut wishes) = mpsc::channel(8);
    let client = device(&mut all, Prefer::Tcp, None, Some(sender)).await;
    let (asker, device) = (all.0.asker(), device_of_seed(DEVICE));
    let dropping = async {
        let wished = wishes.recv().await.unwrap();
        drop(wished);
    };
    let asking = asker.wish(&device, &Wish::Room);
    let (asked, ()) = timeout(LONG, async { tokio::join!(asking, dropping) })
        .await
        .unwrap();
    assert!(matches!(asked, Err(WishError::BrokenOff(_))), "{asked:?}");
    client.close();
    client.disconnected().await;
    let stranger = device_of_seed([9; 32]);
    let asked = timeout(LONG, asker.wish(&stranger, &Wish::Room))
        .await
        .unwrap();
    assert!(matches!(asked, Err(WishError::NotAsked(_))), "{asked:?}");
}

#[tokio::test]
async fn what_is_no_wish_is_not_sent() {
    let all = masternode().await;
    let device = device_of_seed(DEVICE);
    let wish = drop_piece(65_536);
    let asked = all.0.asker().wish(&device, &wish).await;
    assert!(matches!(asked, Err(WishError::NotSent(_))), "{asked:?}");
}
