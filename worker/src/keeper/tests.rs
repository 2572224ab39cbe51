//! A device that keeps pieces, and a masternode that has it do so, over real connections.

use super::{pieces::UNHELD_FOR, *};
use crate::kept::PieceName;
use quern_custody_rules::drawn;
use quern_network::{Prefer, Server, ServerConfig, ServerEvent, ServerHandle, ServerLimits};
use quern_primitives::{
    custody::{HoldConsent, PieceEntry, Terms, piece_chunks},
    ids::{AccountId, ContractId, Digest},
    payload::Signed,
};
use quern_protocol::keep::Wish;
use quern_shards::chunks::ChunkHasher;
use quern_transfer::{Shelf, Shelved, Thing};
use std::fs;
use tempfile::TempDir;

/// Nothing here takes so long.
const LONG: Duration = Duration::from_secs(30);

const CONTRACT: ContractId = ContractId([0xc0; 32]);
const GENESIS: GenesisHash = GenesisHash([1; 32]);
const SEED: [u8; 32] = [7; 32];

/// More than a span.
const PIECE_BYTES: u64 = 300_000;

fn account() -> AccountId {
    AccountId::new([0xac; 32])
}

fn terms() -> Terms {
    Terms {
        period_blocks: 100,
        answer_blocks: 30,
        notice_periods: 2,
        rate: 1_000,
        holders_permille: 700,
        operators_permille: 200,
        challenge_bond: 10,
        slash: 10,
        winner_permille: 200,
    }
}

fn facts(held: &[PieceName]) -> Facts {
    Facts {
        seen_at: Instant::now(),
        account: Some(account()),
        // In period 4.
        clock: 450,
        held: held.iter().copied().collect(),
    }
}

/// What a masternode has for others: one piece.
struct OnePiece(Shelved);

impl Shelf for OnePiece {
    fn gives(&self, _: &DeviceId, root: &Digest) -> bool {
        *root == self.0.thing.root()
    }

    fn find(&self, root: &Digest) -> Option<Shelved> {
        (*root == self.0.thing.root()).then(|| self.0.clone())
    }

    fn is_damaged(&self, _: &Digest) {}
}

struct World {
    folder: TempDir,
    masternode: ServerHandle,
    /// Its transfers: it serves the piece, and fetches it back.
    transfer: Transfer,
    client: Client,
    device: DeviceId,
    facts: watch::Sender<Option<Facts>>,
    /// What may move goes on as long as it is there.
    _allowed: (watch::Sender<Allowance>, watch::Sender<Allowance>),
    entry: PieceEntry,
}

impl World {
    async fn new(bytes_max: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..PIECE_BYTES).map(|at| (at % 251) as u8).collect();
        let path = folder.path().join("piece");
        fs::write(&path, &bytes).unwrap();
        let mut hasher = ChunkHasher::new();
        hasher.update(&bytes);
        let chunk_root = hasher.finish().root();
        let entry = PieceEntry {
            version: PieceEntry::VERSION,
            piece: 3,
            chunk_root,
            bytes: PIECE_BYTES,
            audit_root: Digest::default(),
            audit_depth: 0,
        };
        let thing = Thing::new(chunk_root, PIECE_BYTES).unwrap();
        let (inquiries, asked) = mpsc::channel(8);
        let listen = "/ip4/127.0.0.1/tcp/0".parse().unwrap();
        let (masternode, mut events) = Server::start(ServerConfig {
            key_seed: [1; 32],
            listen: vec![listen],
            limits: ServerLimits::default(),
            inquiries: Some(inquiries),
        })
        .await
        .unwrap();
        let (of_masternode, allowance) = watch::channel(Allowance::default());
        let transfer = Transfer::start(Config {
            seed: 1,
            shelf: Arc::new(OnePiece(Shelved { thing, path })),
            allowance,
            inquiries: asked,
            moved_bytes: Arc::default(),
        });
        let (of_device, allowance) = watch::channel(Allowance::default());
        let (facts_sender, facts_seen) = watch::channel(Some(facts(&[])));
        let key = DeviceKey::from_seed(&SEED);
        let device = key.id();
        let (ears, _) = start(KeeperConfig {
            folder: folder.path().join("kept"),
            elsewhere: None,
            bytes_max,
            key,
            genesis: GENESIS,
            facts: facts_seen,
            allowance,
            traffic: Traffic::default(),
        })
        .unwrap();
        let client = Client::connect(quern_network::ClientConfig {
            key_seed: SEED,
            masternode: masternode.network_key(),
            addresses: masternode.listen_addresses().to_vec(),
            prefer: Prefer::Tcp,
            inquiries: Some(ears.inquiries.clone()),
            wishes: Some(ears.wishes.clone()),
        })
        .await
        .unwrap();
        let connected = tokio::time::timeout(LONG, events.recv()).await.unwrap();
        assert!(matches!(connected, Some(ServerEvent::Connected { .. })));
        tokio::spawn(async move { while events.recv().await.is_some() {} });
        ears.came(client.masternode(), 1, &client).await;
        transfer
            .came(device, SourceKind::Device, masternode.asker().clone())
            .await;
        // Who serves answers whom it knows.
        Self {
            folder,
            masternode,
            transfer,
            client,
            device,
            facts: facts_sender,
            _allowed: (of_masternode, of_device),
            entry,
        }
    }

    async fn wish(&self, wish: Wish) -> Answer {
        let asked = self.masternode.asker().wish(&self.device, &wish);
        tokio::time::timeout(LONG, asked).await.unwrap().unwrap()
    }

    /// Waits until the masternode knows of the device's connection.
    async fn is_connected(&self) {
        let asked = async {
            while self
                .masternode
                .asker()
                .wish(&self.device, &Wish::Room)
                .await
                .is_err()
            {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LONG, asked).await.unwrap();
    }

    fn take(&self) -> Wish {
        Wish::Take {
            contract: CONTRACT,
            terms: terms(),
            entry: self.entry,
        }
    }

    /// Has the piece taken, and waits until it is here.
    async fn taken(&self) {
        let asked = async {
            loop {
                match self.wish(self.take()).await {
                    Answer::Has => break,
                    Answer::Fetching { .. } => tokio::task::yield_now().await,
                    other => panic!("it is not taken: {other:?}"),
                }
            }
        };
        tokio::time::timeout(LONG, asked).await.unwrap();
    }

    async fn sign(&self, account: AccountId, since: u32) -> Answer {
        self.wish(Wish::Sign {
            contract: CONTRACT,
            piece: 3,
            account,
            since,
        })
        .await
    }

    fn drop_it(&self) -> Wish {
        Wish::Drop {
            contract: CONTRACT,
            piece: 3,
        }
    }

    fn kept(&self) -> PathBuf {
        let contract = hex::encode(CONTRACT.0);
        self.folder.path().join("kept/pieces").join(contract)
    }
}

#[tokio::test]
async fn a_piece_that_is_wanted_is_fetched_signed_for_and_proved() {
    let world = World::new(PIECE_BYTES).await;
    let room = |bytes| Answer::Room { bytes };
    assert_eq!(world.wish(Wish::Room).await, room(PIECE_BYTES));
    assert_eq!(world.sign(account(), 5).await, Answer::No(Reason::NotHere));
    world.taken().await;
    assert_eq!(world.wish(Wish::Room).await, room(0));
    let Answer::Signed(signature) = world.sign(account(), 5).await else {
        panic!("it is not signed for");
    };
    let payload = HoldConsent {
        contract: CONTRACT,
        device: world.device,
        account: account(),
        since: 5,
        entry: world.entry,
        terms: terms(),
    };
    let consent = Signed { payload, signature };
    assert!(consent.is_signed_by(&world.device, &GENESIS));
    let count = piece_chunks(PIECE_BYTES).unwrap();
    let asked = drawn::chunks(&Digest([5; 32]), count);
    let proved = world.wish(Wish::Prove {
        contract: CONTRACT,
        piece: 3,
        chunks: asked.clone(),
    });
    let Answer::Proved(shown) = proved.await else {
        panic!("it is not proved");
    };
    assert_eq!(shown.len(), asked.len());
    for (chunk, shown) in asked.iter().zip(shown) {
        assert_eq!((shown.proof.index, shown.proof.count), (*chunk, count));
        let root = shown.proof.root_over(&shown.bytes);
        assert_eq!(root, Some(world.entry.chunk_root));
    }
}

#[tokio::test]
async fn nothing_is_signed_for_another_account_another_period_or_while_the_chain_is_silent() {
    let world = World::new(PIECE_BYTES).await;
    world.taken().await;
    let no = Answer::No(Reason::NotSo);
    assert_eq!(world.sign(AccountId::new([9; 32]), 5).await, no);
    for since in [0, 4, 7, u32::MAX] {
        assert_eq!(world.sign(account(), since).await, no, "{since}");
    }
    // A look at the chain may be as old as that.
    assert!(matches!(world.sign(account(), 6).await, Answer::Signed(_)));
    world.facts.send_replace(None);
    assert_eq!(world.sign(account(), 5).await, Answer::No(Reason::Busy));
}

#[tokio::test]
async fn a_piece_for_which_there_is_no_room_is_not_taken() {
    let world = World::new(PIECE_BYTES - 1).await;
    let answer = world.wish(world.take()).await;
    assert_eq!(answer, Answer::No(Reason::NoRoom));
}

#[tokio::test]
async fn another_piece_under_the_name_of_one_that_is_here_is_not_taken() {
    let world = World::new(10 * PIECE_BYTES).await;
    world.taken().await;
    let mut other = world.entry;
    other.chunk_root = Digest([9; 32]);
    let take = |entry| Wish::Take {
        contract: CONTRACT,
        terms: terms(),
        entry,
    };
    assert_eq!(world.wish(take(other)).await, Answer::No(Reason::NotSo));
    assert_eq!(world.wish(take(world.entry)).await, Answer::Has);
}

#[tokio::test]
async fn what_is_held_is_not_dropped_and_what_is_not_is_gone_with_its_room() {
    let world = World::new(PIECE_BYTES).await;
    world.taken().await;
    let held = Answer::No(Reason::Held);
    world.facts.send_replace(Some(facts(&[(CONTRACT, 3)])));
    assert_eq!(world.wish(world.drop_it()).await, held);
    world.facts.send_replace(None);
    assert_eq!(world.wish(world.drop_it()).await, held);
    assert!(world.kept().join("3").is_file());
    world.facts.send_replace(Some(facts(&[])));
    assert_eq!(world.wish(world.drop_it()).await, Answer::Dropped);
    assert!(!world.kept().exists());
    let bytes = PIECE_BYTES;
    assert_eq!(world.wish(Wish::Room).await, Answer::Room { bytes });
    // It is taken again, and nothing was left that is in the way.
    world.taken().await;
}

#[tokio::test]
async fn a_masternode_fetches_back_what_is_kept() {
    let world = World::new(PIECE_BYTES).await;
    world.taken().await;
    // The masternode itself has it no more.
    let before = fs::read(world.folder.path().join("piece")).unwrap();
    fs::remove_file(world.folder.path().join("piece")).unwrap();
    let into = world.folder.path().join("back");
    let thing = Thing::new(world.entry.chunk_root, PIECE_BYTES).unwrap();
    let fetched = world.transfer.fetch(thing, &into, None);
    tokio::time::timeout(LONG, fetched).await.unwrap().unwrap();
    assert_eq!(fs::read(&into).unwrap(), before);
}

#[tokio::test]
async fn a_damaged_piece_is_said_to_be_so() {
    let world = World::new(PIECE_BYTES).await;
    world.taken().await;
    let path = world.kept().join("3");
    let mut bytes = fs::read(&path).unwrap();
    bytes[5_000] ^= 1;
    fs::write(&path, bytes).unwrap();
    let prove = |chunks| Wish::Prove {
        contract: CONTRACT,
        piece: 3,
        chunks,
    };
    let damaged = Answer::No(Reason::Damaged);
    assert_eq!(world.wish(prove(vec![0, 1])).await, damaged);
    assert!(matches!(
        world.wish(prove(vec![0])).await,
        Answer::Proved(_)
    ));
    // It is not signed for again.
    assert_eq!(world.wish(world.take()).await, damaged);
    assert_eq!(world.sign(account(), 5).await, damaged);
    let count = piece_chunks(PIECE_BYTES).unwrap();
    let none = Answer::No(Reason::NotSo);
    assert_eq!(world.wish(prove(vec![count])).await, none);
}

#[tokio::test]
async fn who_starts_again_has_what_it_kept_and_gives_it() {
    let world = World::new(PIECE_BYTES).await;
    world.taken().await;
    let folder = world.folder.path().join("kept");
    world.client.close();
    world.client.disconnected().await;
    let (_allowed, allowance) = watch::channel(Allowance::default());
    let (_facts, facts_seen) = watch::channel(Some(facts(&[(CONTRACT, 3)])));
    let (ears, kept) = start(KeeperConfig {
        folder,
        elsewhere: None,
        bytes_max: PIECE_BYTES,
        key: DeviceKey::from_seed(&SEED),
        genesis: GENESIS,
        facts: facts_seen,
        allowance,
        traffic: Traffic::default(),
    })
    .unwrap();
    assert_eq!(kept.all().unwrap(), [((CONTRACT, 3), PIECE_BYTES)]);
    let client = Client::connect(quern_network::ClientConfig {
        key_seed: SEED,
        masternode: world.masternode.network_key(),
        addresses: world.masternode.listen_addresses().to_vec(),
        prefer: Prefer::Tcp,
        inquiries: Some(ears.inquiries.clone()),
        wishes: Some(ears.wishes.clone()),
    })
    .await
    .unwrap();
    ears.came(client.masternode(), 1, &client).await;
    world.is_connected().await;
    assert_eq!(world.wish(Wish::Room).await, Answer::Room { bytes: 0 });
    assert_eq!(world.wish(world.take()).await, Answer::Has);
}

fn entry(piece: u32, bytes: u64) -> PieceEntry {
    PieceEntry {
        version: PieceEntry::VERSION,
        piece,
        chunk_root: Digest([2; 32]),
        bytes,
        audit_root: Digest::default(),
        audit_depth: 0,
    }
}

fn take(piece: u32, bytes: u64) -> Wish {
    Wish::Take {
        contract: CONTRACT,
        terms: terms(),
        entry: entry(piece, bytes),
    }
}

fn pieces(kept: &[(PieceName, u64)]) -> Pieces {
    let key = DeviceKey::from_seed(&SEED);
    let kept = kept.iter();
    let kept = kept.map(|(name, bytes)| (*name, *bytes, Some(entry(name.1, *bytes))));
    Pieces::new((key, GENESIS), 1_000_000, kept)
}

#[test]
fn what_the_chain_does_not_say_is_held_stays_for_an_hour_and_all_of_it_while_the_chain_is_silent() {
    let (one, other) = ((CONTRACT, 1), (CONTRACT, 2));
    let mut pieces = pieces(&[(one, 10), (other, 20)]);
    let start = Instant::now();
    let seen = |held: &[PieceName], seen_at| Facts {
        seen_at,
        ..facts(held)
    };
    assert_eq!(pieces.not_held(Some(&seen(&[other], start)), start), []);
    let late = start + UNHELD_FOR;
    assert_eq!(pieces.not_held(Some(&seen(&[other], late)), late), []);
    let later = late + Duration::from_secs(1);
    assert_eq!(pieces.not_held(None, later), []);
    // What the chain said long ago it may say no more.
    assert_eq!(pieces.not_held(Some(&seen(&[other], start)), later), []);
    assert_eq!(pieces.not_held(Some(&seen(&[other], later)), later), [one]);
    // What is given up has its hour from when that is seen.
    assert_eq!(pieces.not_held(Some(&seen(&[one], later)), later), []);
    let at_last = later + UNHELD_FOR + Duration::from_secs(1);
    let given_up = pieces.not_held(Some(&seen(&[one], at_last)), at_last);
    assert_eq!(given_up, [other]);
}

#[test]
fn what_was_just_signed_for_is_neither_dropped_nor_erased_before_the_chain_can_say_that_it_is_held()
{
    let name = (CONTRACT, 3);
    let mut pieces = pieces(&[(name, 10)]);
    let start = Instant::now();
    let seen = |seen_at| Facts {
        seen_at,
        ..facts(&[])
    };
    let sign = |since| Wish::Sign {
        contract: CONTRACT,
        piece: 3,
        account: account(),
        since,
    };
    let drop_it = Wish::Drop {
        contract: CONTRACT,
        piece: 3,
    };
    assert_eq!(pieces.not_held(Some(&seen(start)), start), []);
    assert_eq!(
        pieces.decide(take(3, 10), None, start),
        Decision::Say(Answer::Has)
    );
    // An old word of the chain signs for nothing.
    let late = start + UNHELD_FOR - Duration::from_secs(1);
    let busy = Decision::Say(Answer::No(Reason::Busy));
    assert_eq!(pieces.decide(sign(5), Some(&seen(start)), late), busy);
    let signed = pieces.decide(sign(5), Some(&seen(late)), late);
    assert!(matches!(signed, Decision::Say(Answer::Signed(_))));
    let held = Decision::Say(Answer::No(Reason::Held));
    assert_eq!(
        pieces.decide(drop_it.clone(), Some(&seen(late)), late),
        held
    );
    let later = late + Duration::from_secs(60);
    assert_eq!(pieces.not_held(Some(&seen(later)), later), []);
    let at_last = late + UNHELD_FOR + Duration::from_secs(1);
    assert_eq!(pieces.not_held(Some(&seen(at_last)), at_last), [name]);
    let dropped = pieces.decide(drop_it, Some(&seen(at_last)), at_last);
    assert_eq!(dropped, Decision::Erase(name));
}

#[test]
fn what_no_masternode_wants_any_more_is_given_up() {
    let mut pieces = pieces(&[]);
    let start = Instant::now();
    let later = start + Duration::from_secs(400);
    for piece in [1, 2] {
        let decided = pieces.decide(take(piece, 1_000), None, start);
        assert!(matches!(decided, Decision::Fetch { .. }));
    }
    let coming = Decision::Coming((CONTRACT, 2));
    assert_eq!(pieces.decide(take(2, 1_000), None, later), coming);
    let at_last = start + Duration::from_secs(601);
    assert_eq!(pieces.given_up(at_last), [(CONTRACT, 1)]);
    pieces.failed(&(CONTRACT, 1));
    assert_eq!(pieces.room_bytes(), 999_000);
}

#[test]
fn no_more_pieces_come_at_a_time_than_may() {
    let mut pieces = pieces(&[]);
    let now = Instant::now();
    for piece in 0..pieces::COMING_MAX as u32 {
        let decided = pieces.decide(take(piece, 1_000), None, now);
        assert!(matches!(decided, Decision::Fetch { .. }), "{piece}");
    }
    let busy = Decision::Say(Answer::No(Reason::Busy));
    assert_eq!(pieces.decide(take(100, 1_000), None, now), busy);
}
