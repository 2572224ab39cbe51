use super::*;
use proptest::prelude::*;
use quern_primitives::{
    AccountId, GenesisHash,
    ids::DeviceId,
    log::SignedAcknowledgement,
    merkle::Tree,
    payload::NodeSecret,
    receipt::{Answer, Exit},
    verdict::{Finding, Ground, ReplicaFinding, Verdict},
};

const JOB: JobId = JobId([1; 32]);
const DEVICE: DeviceId = DeviceId([2; 32]);

/// The window of a new chain.
const WINDOW: BlockNumber = 300;

fn coordinator() -> NodeSecret {
    NodeSecret::from_seed(&[7; 32])
}

fn receipt(task: TaskIndex) -> Digest {
    let mut bytes = [8; 32];
    bytes[..4].copy_from_slice(&task.to_le_bytes());
    Digest(bytes)
}

fn kept_of(node: &NodeSecret, task: TaskIndex) -> Kept {
    let payload = Acknowledgement {
        job: JOB,
        task,
        replica: 1,
        device: DEVICE,
        receipt: receipt(task),
        position: u64::from(task) + 10,
    };
    Kept {
        masternode: node.public(),
        word: SignedAcknowledgement::alone(payload, node, &GenesisHash([9; 32])),
    }
}

fn kept(task: TaskIndex) -> Kept {
    kept_of(&coordinator(), task)
}

/// The verdict on a task, with or without this device's receipt.
fn verdict(task: TaskIndex, is_named: bool) -> Verdict {
    let found = |replica, device, receipt| ReplicaFinding {
        replica,
        device,
        account: AccountId::new([3; 32]),
        finding: Finding::Accepted,
        receipt: Some(receipt),
        pay: 1,
    };
    let other = found(0, DeviceId([4; 32]), Digest([5; 32]));
    let own = found(1, DEVICE, receipt(task));
    let mut replicas = vec![other];
    replicas.extend(is_named.then_some(own));
    Verdict {
        job: JOB,
        task,
        answer: Answer {
            result_commitment: Digest([6; 32]),
            result_bytes: 10,
            fuel: 1_000,
            exit: Exit::Success,
        },
        ground: Ground::Majority,
        price: 3,
        replicas,
    }
}

/// A batch, and all that there is to be shown of it.
struct Settled {
    pending: Pending,
    shown: Vec<ShownVerdict>,
}

fn name(sequence: BatchSequence) -> BatchName {
    BatchName { job: JOB, sequence }
}

/// A batch of these tasks, which leaves out this device's work on some.
fn settled(due: BlockNumber, tasks: &[TaskIndex], left_out: &[TaskIndex]) -> Settled {
    let verdicts = tasks.iter();
    let verdicts = verdicts.map(|task| verdict(*task, !left_out.contains(task)));
    let verdicts: Vec<Verdict> = verdicts.collect();
    let tree = Tree::new(verdicts.iter().map(codec::Encode::encode));
    let pending = Pending {
        name: name(3),
        due,
        coordinator: coordinator().public(),
        verdicts_root: tree.root(),
        tasks: tasks.to_vec(),
    };
    let shown = (0..).zip(verdicts).map(|(place, verdict)| ShownVerdict {
        verdict,
        proof: tree.proof(place).unwrap(),
    });
    let shown = shown.collect();
    Settled { pending, shown }
}

impl Settled {
    /// What an honest masternode answers.
    fn answer(&self, ask: &Ask) -> Vec<ShownVerdict> {
        let wanted = |shown: &&ShownVerdict| ask.tasks.contains(&shown.verdict.task);
        self.shown.iter().filter(wanted).cloned().collect()
    }

    /// A device that has words for these tasks, and sees the batch at a height.
    fn watched(&self, at: BlockNumber, tasks: &[TaskIndex]) -> Claims {
        let mut claims = Claims::default();
        claims.learn(at, self.pending.clone());
        let words: Vec<Kept> = tasks.iter().map(|task| kept(*task)).collect();
        claims.hold(&words);
        claims
    }
}

/// A claim for which nothing was shown.
pub(super) fn claim(task: TaskIndex) -> Claim {
    Claim {
        batch: name(3),
        due: 100,
        kept: kept(task),
        proof: None,
    }
}

/// One that is proven.
pub(super) fn proven(task: TaskIndex) -> Claim {
    let mut settled = settled(100, &[task], &[task]);
    Claim {
        proof: settled.shown.pop(),
        ..claim(task)
    }
}

#[test]
fn what_was_left_out_is_claimed_as_soon_as_its_verdict_is_shown() {
    let settled = settled(WINDOW, &[4, 5, 6], &[5]);
    let mut claims = settled.watched(0, &[4, 5, 6]);
    let asks = claims.asks(1);
    assert_eq!(asks.len(), 1);
    assert_eq!(
        (asks[0].batch, &asks[0].tasks[..]),
        (name(3), &[4, 5, 6][..])
    );
    assert!(claims.due(1).is_empty());
    claims.answered(&asks[0], &settled.answer(&asks[0]));
    let due = claims.due(1);
    assert_eq!(due.len(), 1);
    assert!(due[0].is_proven());
    assert_eq!(due[0].kept, kept(5));
    let Evidence::Omission { batch, leaf, .. } = due[0].evidence() else {
        panic!("it is about work that was left out")
    };
    let leaf = leaf.unwrap();
    assert_eq!((batch, leaf.place), (name(3), 1));
    assert_eq!(leaf.verdict(), Some(verdict(5, false)));
    claims.settle(&due[0]);
    assert!(claims.due(WINDOW - 1).is_empty(), "it is claimed once");
    let owed = claims.owed();
    assert_eq!((owed.pending, owed.named, owed.left_out), (3, 2, 1));
}

#[test]
fn what_is_shown_in_order_is_neither_asked_for_again_nor_claimed() {
    let settled = settled(WINDOW, &[4, 5], &[]);
    let mut claims = settled.watched(0, &[4, 5]);
    let asks = claims.asks(1);
    claims.answered(&asks[0], &settled.answer(&asks[0]));
    assert_eq!(claims.next_look(1), None);
    for at in 1..WINDOW + 5 {
        assert!(claims.asks(at).is_empty());
        assert!(claims.due(at).is_empty());
    }
}

#[test]
fn what_is_never_shown_is_asked_for_several_times_and_claimed_before_the_window_is_over() {
    let settled = settled(WINDOW, &[4], &[4]);
    let mut claims = settled.watched(0, &[4]);
    let mut asked = 0;
    for at in 1..WINDOW {
        for ask in claims.asks(at) {
            asked += 1;
            claims.answered(&ask, &[]);
        }
        let is_due = at >= WINDOW - CLAIM_BLOCKS;
        assert_eq!(claims.due(at).len(), usize::from(is_due), "{at}");
    }
    assert!(
        (VAIN_MIN..=WINDOW / ASK_BLOCKS_MAX).contains(&asked),
        "{asked}"
    );
    assert!(
        claims.due(WINDOW).is_empty(),
        "the chain takes no question more"
    );
}

#[test]
fn a_verdict_that_comes_late_withdraws_what_was_suspected() {
    let settled = settled(WINDOW, &[4], &[]);
    let mut claims = settled.watched(0, &[4]);
    let mut first = None;
    for at in 1..WINDOW - CLAIM_BLOCKS {
        for ask in claims.asks(at) {
            claims.answered(&ask, &[]);
            first.get_or_insert(ask);
        }
    }
    assert_eq!(claims.due(WINDOW - CLAIM_BLOCKS).len(), 1);
    claims.answered(&first.unwrap(), &settled.shown);
    assert!(claims.due(WINDOW - CLAIM_BLOCKS).is_empty());
}

#[test]
fn what_is_not_under_the_root_shows_nothing() {
    let real = settled(WINDOW, &[4, 5], &[4]);
    let mut claims = real.watched(0, &[4]);
    let ask = claims.asks(1).remove(0);
    // Another tree, which names the receipt; another task's verdict; a proof of another place.
    let forged = settled(WINDOW, &[4, 5], &[]);
    let mut moved = real.shown[0].clone();
    moved.proof = real.shown[1].proof.clone();
    for shown in [&forged.shown[..], &real.shown[1..], &[moved]] {
        claims.answered(&ask, shown);
        assert_eq!(claims.owed().unshown, 1);
        assert!(claims.due(1).is_empty());
    }
}

#[test]
fn nobody_is_asked_or_accused_for_what_another_masternode_acknowledged() {
    let settled = settled(WINDOW, &[4, 5], &[4, 5]);
    let mut claims = settled.watched(0, &[]);
    let another = NodeSecret::from_seed(&[70; 32]);
    // Another one's word; a task of no batch.
    claims.hold(&[kept_of(&another, 4), kept(6)]);
    assert_eq!(claims.owed(), Owed::default());
    assert!(claims.asks(1).is_empty());
}

#[test]
fn a_device_that_cannot_ask_accuses_nobody_and_its_owner_is_told_once() {
    let settled = settled(WINDOW, &[4], &[4]);
    let mut claims = settled.watched(0, &[4]);
    let mut told = 0;
    for at in 1..WINDOW {
        // Nobody can be asked, so nothing comes of it.
        let _ = claims.asks(at);
        assert!(claims.due(at).is_empty());
        told += claims.doubtful(at, 16).len();
    }
    assert_eq!(told, 1);
}

#[test]
fn of_a_window_too_short_to_ask_several_times_nobody_is_accused_and_nothing_told() {
    let settled = settled(5, &[4], &[4]);
    let mut claims = settled.watched(3, &[4]);
    for at in 3..6 {
        for ask in claims.asks(at) {
            claims.answered(&ask, &[]);
        }
        assert!(claims.doubtful(at, 16).is_empty());
        assert!(claims.due(at).iter().all(|claim| at < claim.due));
    }
}

#[test]
fn a_claim_that_got_lost_is_due_again_as_it_was() {
    let settled = settled(WINDOW, &[4, 5], &[4, 5]);
    let mut claims = settled.watched(0, &[4, 5]);
    let only = Ask {
        tasks: vec![4],
        ..claims.asks(1).remove(0)
    };
    claims.answered(&only, &settled.answer(&only));
    let proven = claims.due(1);
    claims.settle(&proven[0]);
    claims.reopen(&proven[0]);
    assert_eq!(claims.due(1), proven);
    claims.settle(&proven[0]);
    for at in 1..WINDOW - CLAIM_BLOCKS {
        for ask in claims.asks(at) {
            claims.answered(&ask, &[]);
        }
    }
    let at = WINDOW - CLAIM_BLOCKS;
    let due = claims.due(at);
    assert_eq!(due.len(), 1);
    assert!(!due[0].is_proven());
    claims.settle(&due[0]);
    claims.reopen(&due[0]);
    assert_eq!(claims.due(at), due);
}

#[test]
fn what_is_shown_while_a_claim_is_on_its_way_is_not_claimed_again() {
    let settled = settled(WINDOW, &[4], &[]);
    let mut claims = settled.watched(0, &[4]);
    let mut last = None;
    for at in 1..WINDOW - CLAIM_BLOCKS {
        for ask in claims.asks(at) {
            claims.answered(&ask, &[]);
            last = Some(ask);
        }
    }
    let at = WINDOW - CLAIM_BLOCKS;
    let due = claims.due(at).remove(0);
    claims.settle(&due);
    claims.answered(&last.unwrap(), &settled.shown);
    claims.reopen(&due);
    assert!(claims.due(at).is_empty());
    assert_eq!(claims.owed().named, 1);
}

#[test]
fn a_batch_that_is_pending_no_more_gives_back_what_it_was_watched_for() {
    let settled = settled(WINDOW, &[4, 5, 6], &[]);
    let mut claims = settled.watched(0, &[4, 6]);
    assert_eq!(claims.watched(&JOB), [3]);
    let receipts = BTreeSet::from([receipt(4), receipt(6)]);
    assert_eq!(claims.close(&name(3)), receipts);
    assert_eq!(claims.close(&name(3)), BTreeSet::new());
    assert!(claims.watched(&JOB).is_empty());
    // After it was struck the same words belong to the batch that settles the tasks again.
    let mut again = settled.pending;
    again.name.sequence = 4;
    claims.learn(50, again);
    claims.hold(&[kept(4)]);
    assert_eq!(claims.owed().pending, 1);
}

#[test]
fn what_is_due_first_is_asked_for_first_and_no_more_than_the_limit_at_a_time() {
    let tasks: Vec<TaskIndex> = (0..1_000).collect();
    let late = settled(WINDOW, &tasks, &[]);
    let mut early = settled(WINDOW / 2, &[5_000], &[]).pending;
    early.name.sequence = 2;
    let mut claims = late.watched(0, &tasks);
    claims.learn(0, early);
    claims.hold(&[kept(5_000)]);
    let asks = claims.asks(1);
    assert_eq!(asks.len(), ASKS_MAX);
    assert_eq!((asks[0].batch, &asks[0].tasks[..]), (name(2), &[5_000][..]));
    assert!(asks.iter().all(|ask| ask.tasks.len() <= SHOWN_MAX));
    let next = claims.asks(1);
    assert_eq!(
        next[0].tasks[0],
        asks[ASKS_MAX - 1].tasks[SHOWN_MAX - 1] + 1
    );
}

/// What befalls the answer to a question.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// It never comes.
    Lost,
    /// It comes so many looks later.
    After(usize),
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![Just(Fate::Lost), (0_usize..6).prop_map(Fate::After)];
    prop::collection::vec(fate, 64)
}

/// Looks at these distances, with answers that get lost, late and out of order. Gives the claims, with the
/// height of each, and the tasks of which an answer had come by then.
fn played(
    settled: &Settled,
    tasks: &[TaskIndex],
    steps: &[BlockNumber],
    fates: &[Fate],
) -> Vec<(BlockNumber, Claim, bool)> {
    let mut claims = settled.watched(0, tasks);
    let mut under_way: Vec<(usize, Ask, bool)> = Vec::new();
    let mut shown: BTreeSet<TaskIndex> = BTreeSet::new();
    let mut claimed = Vec::new();
    let (mut at, mut fates) = (0, fates.iter().cycle());
    for (look, step) in steps.iter().enumerate() {
        at += step;
        // The last question's answer comes first.
        let (here, rest) = under_way
            .into_iter()
            .partition(|(comes, ..)| *comes <= look);
        under_way = rest;
        let here: Vec<(usize, Ask, bool)> = here;
        for (_, ask, has_come) in here.iter().rev() {
            match has_come {
                true => {
                    shown.extend(&ask.tasks);
                    claims.answered(ask, &settled.answer(ask));
                }
                false => claims.answered(ask, &[]),
            }
        }
        for claim in claims.due(at) {
            let was_shown = shown.contains(&claim.kept.word.payload.task);
            claims.settle(&claim);
            claimed.push((at, claim, was_shown));
        }
        for ask in claims.asks(at) {
            under_way.push(match fates.next() {
                Some(Fate::After(looks)) => (look + looks, ask, true),
                Some(Fate::Lost) | None => (look + 1, ask, false),
            });
        }
    }
    claimed
}

proptest! {
    #[test]
    fn who_is_honest_and_heard_once_is_never_accused(
        steps in prop::collection::vec(1_u32..40, 4..60),
        fates in fates(),
    ) {
        let tasks: Vec<TaskIndex> = (0..100).collect();
        let settled = settled(WINDOW, &tasks, &[]);
        for (at, claim, was_shown) in played(&settled, &tasks, &steps, &fates) {
            // The chain is asked only where no answer ever came, and nothing is called proven.
            prop_assert!(!was_shown, "at {at}: {claim:?}");
            prop_assert!(!claim.is_proven());
            prop_assert!((WINDOW - CLAIM_BLOCKS..WINDOW).contains(&at));
        }
    }

    #[test]
    fn what_is_left_out_is_claimed_in_time_whatever_becomes_of_answers(
        steps in prop::collection::vec(1_u32..=ASK_BLOCKS_MAX, 300),
        fates in fates(),
        is_silent in any::<bool>(),
    ) {
        let tasks: Vec<TaskIndex> = (0..100).collect();
        let settled = settled(WINDOW, &tasks, &[17]);
        let fates = match is_silent {
            true => vec![Fate::Lost],
            false => fates,
        };
        let claimed = played(&settled, &tasks, &steps, &fates);
        let mut of_it = claimed.iter().filter(|(_, claim, _)| claim.kept.word.payload.task == 17);
        let (at, claim, _) = of_it.next().expect("it is claimed");
        prop_assert!(of_it.next().is_none(), "and once");
        // There is time to send it again, should it get lost.
        prop_assert!(*at + CLAIM_BLOCKS / 3 <= WINDOW, "{at}: {claim:?}");
    }
}
