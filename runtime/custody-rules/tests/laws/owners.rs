//! Owners who may lie about everything, and groups that may slander, against holders who keep what they signed
//! for.

use crate::{
    Kept, MEMBER, OWNER, device, terms,
    world::{BOND, CONTRACT, World, held},
};
use codec::Encode;
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use quern_custody_rules::{
    audit,
    holding::{self, HoldError},
    pay::PayError,
};
use quern_primitives::{
    amount::Amount,
    custody::{Audit, AuditAnswer, Held, HoldConsent, Offer, PieceEntry, ShortProof, Standing},
    ids::Digest,
    merkle::{CHUNK_BYTES, Tree},
};
use std::sync::LazyLock;

/// The last device has lost what it signed for.
const HONEST: u8 = 2;
const DEVICES: u8 = 3;
const AUDITS: u32 = 3;

static PIECES: LazyLock<Vec<Kept>> = LazyLock::new(|| {
    let bytes = [1, 2 * CHUNK_BYTES, 10 * CHUNK_BYTES + 17, 33 * CHUNK_BYTES];
    let pieces = (0..).zip(bytes);
    pieces
        .map(|(number, bytes)| Kept::patterned(number, bytes))
        .collect()
});

/// What an owner says of a piece that is not so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    None,
    ChunkRoot,
    Longer(u64),
    Shorter(u64),
    Version,
    AuditRoot,
    AuditDepth,
    /// Another leaf under its root than the holder is sent.
    AuditLeaf,
}

fn lie() -> impl Strategy<Value = Lie> {
    prop_oneof![
        12 => Just(Lie::None),
        1 => Just(Lie::ChunkRoot),
        1 => (1u64..10_000).prop_map(Lie::Longer),
        1 => (1u64..10_000).prop_map(Lie::Shorter),
        1 => Just(Lie::Version),
        2 => Just(Lie::AuditRoot),
        1 => Just(Lie::AuditDepth),
        1 => Just(Lie::AuditLeaf),
    ]
}

/// What happens, by an owner and a group who wish holders ill.
#[derive(Clone, Debug)]
enum Move {
    Blocks(u32),
    Hold(u8, u32),
    Challenge(u8, u32, bool),
    Miss(u8, u32),
    Pay(u8, u32, u32),
    Release(u8, u32, bool),
    Renew(u32, Amount),
    End,
    Forget(u8, u32),
    Audit(u32, u32),
    /// The one that has lost it is asked for a piece, and does not answer.
    Lose(u32),
    /// Somebody shows the chain again what a holder signed once.
    Replay(usize),
}

fn moves() -> impl Strategy<Value = Move> {
    let (device, piece) = (|| 0..DEVICES, || 0u32..4);
    prop_oneof![
        10 => prop_oneof![60 => 1u32..14, 1 => 14u32..900].prop_map(Move::Blocks),
        12 => (device(), piece()).prop_map(|(device, piece)| Move::Hold(device, piece)),
        24 => (device(), piece(), any::<bool>()).prop_map(|(a, b, c)| Move::Challenge(a, b, c)),
        10 => (device(), piece()).prop_map(|(device, piece)| Move::Miss(device, piece)),
        6 => (device(), piece(), 0u32..4).prop_map(|(a, b, c)| Move::Pay(a, b, c)),
        1 => (device(), piece(), any::<bool>()).prop_map(|(a, b, c)| Move::Release(a, b, c)),
        1 => (0u32..9, 0u128..5_000).prop_map(|(periods, deposit)| Move::Renew(periods, deposit)),
        1 => Just(Move::End),
        1 => (device(), piece()).prop_map(|(device, piece)| Move::Forget(device, piece)),
        5 => piece().prop_map(Move::Lose),
        2 => any::<usize>().prop_map(Move::Replay),
        2 => (piece(), 0..AUDITS).prop_map(|(piece, number)| Move::Audit(piece, number)),
    ]
}

fn audit_of(number: u32) -> Audit {
    Audit {
        salt: [number as u8; 32],
        seed: [!number as u8; 32],
        sections: 6,
        section_bytes: 1,
    }
}

/// What an owner commits to, lie by lie, and what it sends to holders beside the pieces.
struct Owner {
    lies: Vec<Lie>,
    entries: Vec<PieceEntry>,
    audits: Vec<Tree>,
    tree: Tree,
}

impl Owner {
    fn new(lies: &[Lie]) -> Self {
        let (mut entries, mut audits) = (Vec::new(), Vec::new());
        for ((piece, kept), lie) in (0..).zip(PIECES.iter()).zip(lies) {
            let leaf = |number| {
                let right = audit::pre_leaf(&audit_of(number), &kept.bytes).unwrap();
                match lie {
                    Lie::AuditLeaf => audit::leaf(&Digest([number as u8; 32])),
                    _ => audit::leaf(&right),
                }
            };
            let tree = audit::tree((0..AUDITS).map(leaf));
            let true_entry = PieceEntry {
                audit_root: tree.root(),
                audit_depth: audit::depth(AUDITS),
                ..kept.entry(piece)
            };
            let mut entry = true_entry;
            match lie {
                Lie::None | Lie::AuditLeaf => {}
                Lie::ChunkRoot => entry.chunk_root.0[0] ^= 1,
                Lie::Longer(bytes) => entry.bytes += bytes,
                Lie::Shorter(bytes) => entry.bytes = entry.bytes.saturating_sub(*bytes),
                Lie::Version => entry.version = 2,
                Lie::AuditRoot => entry.audit_root.0[0] ^= 1,
                Lie::AuditDepth => entry.audit_depth = 5,
            }
            entries.push(entry);
            audits.push(tree);
        }
        let tree = Tree::new(entries.iter().map(Encode::encode));
        Self {
            lies: lies.to_vec(),
            entries,
            audits,
            tree,
        }
    }

    fn offer(&self) -> Offer {
        Offer {
            salt: [0; 16],
            pieces_root: self.tree.root(),
            pieces: self.entries.len() as u32,
            copies: 2,
            periods: 40,
        }
    }

    fn proof(&self, piece: u32) -> ShortProof {
        self.tree.proof(piece).unwrap().try_into().unwrap()
    }
}

/// What a holder that keeps its word does with what it is sent: it signs for the bytes that it has, or not.
fn is_signed_by_honest(world: &World, owner: &Owner, piece: u32) -> bool {
    let (kept, entry) = (&PIECES[piece as usize], &owner.entries[piece as usize]);
    let is_contracts = holding::check_entry(&world.contract, entry, &owner.proof(piece)).is_ok();
    let is_true = entry.chunk_root == kept.tree.root() && entry.bytes == kept.bytes.len() as u64;
    is_contracts && is_true
}

/// What a device has of a piece: the dishonest one a piece with each chunk altered.
fn kept_by(number: u8, piece: u32) -> Kept {
    let kept = &PIECES[piece as usize];
    match number < HONEST {
        true => kept.clone(),
        false => Kept::of(kept.bytes.iter().map(|byte| !byte).collect()),
    }
}

/// A holder answers all parts of a challenge with what it has.
fn answer_all(world: &mut World, number: u8, piece: u32) {
    let (held, kept) = (held(number, piece), kept_by(number, piece));
    for part in 0..4 {
        let open = world.challenges.get(&held).cloned();
        let said = open.and_then(|open| kept.answer(&open, part));
        let taken = said.and_then(|said| world.answer(&held, &said));
        if let Some(taken) = taken {
            let is_honest = number < HONEST;
            assert_eq!(taken.is_ok(), is_honest, "{taken:?}");
        }
    }
}

/// Lets time go on, in which holders that keep their word answer, each in the last block that it may.
fn let_blocks_pass(world: &mut World, blocks: u32) {
    let until = world.now + blocks;
    let mut due: Vec<(u32, Held)> = world
        .challenges
        .iter()
        .map(|(held, open)| (open.due, *held))
        .filter(|(due, _)| *due < until)
        .collect();
    due.sort();
    for (due, held_by) in due {
        world.now = world.now.max(due);
        for number in 0..DEVICES {
            if device(number).0 == held_by.device {
                answer_all(world, number, held_by.piece);
            }
        }
    }
    world.now = until;
}

fn hold(world: &mut World, owner: &Owner, number: u8, piece: u32) -> Option<HoldConsent> {
    let (device, account) = device(number);
    let entry = owner.entries[piece as usize];
    let consent = HoldConsent {
        contract: CONTRACT,
        device,
        account,
        since: world.now / 10 + 1,
        entry,
        terms: terms(),
    };
    let is_signed = match number < HONEST {
        true => is_signed_by_honest(world, owner, piece),
        false => true,
    };
    let said = world.hold(&consent, &owner.proof(piece), is_signed);
    let lie = owner.lies[piece as usize];
    if said.is_ok() && number < HONEST {
        let harms_nobody = [Lie::None, Lie::AuditRoot, Lie::AuditDepth, Lie::AuditLeaf];
        assert!(
            harms_nobody.contains(&lie),
            "an honest holder took a piece with {lie:?}"
        );
    }
    if said == Err(HoldError::NotSigned) {
        assert!(number < HONEST && lie != Lie::None);
    }
    (is_signed && number < HONEST).then_some(consent)
}

/// Nobody is made to hold again what it gave up or never got, by what it signed in another period.
fn replay(world: &mut World, owner: &Owner, consent: &HoldConsent) {
    let said = world.hold(consent, &owner.proof(consent.entry.piece), true);
    let is_of_now = consent.since == world.now / 10 + 1;
    assert!(is_of_now || said.is_err());
}

/// An owner audits an honest holder of a piece in private, and is answered truly whatever it committed to.
fn audit_privately(owner: &Owner, piece: u32, number: u32) {
    let (kept, entry) = (&PIECES[piece as usize], &owner.entries[piece as usize]);
    let tree = &owner.audits[piece as usize];
    let answer = AuditAnswer {
        pre_leaf: audit::pre_leaf(&audit_of(number), &kept.bytes).unwrap(),
        proof: tree.proof(number).unwrap().try_into().unwrap(),
    };
    let lies = [Lie::AuditRoot, Lie::AuditDepth, Lie::AuditLeaf];
    let is_lied_to = lies.contains(&owner.lies[piece as usize]);
    assert_eq!(audit::check(entry, number, &answer).is_err(), is_lied_to);
}

fn play(world: &mut World, owner: &Owner, signed: &mut Vec<HoldConsent>, it: &Move) {
    match *it {
        Move::Blocks(blocks) => let_blocks_pass(world, blocks),
        Move::Hold(number, piece) => signed.extend(hold(world, owner, number, piece)),
        Move::Replay(_) if signed.is_empty() => {}
        Move::Replay(which) => replay(world, owner, &signed[which % signed.len()]),
        Move::Challenge(number, piece, by_owner) => {
            let by = if by_owner { OWNER } else { MEMBER };
            world.challenge(&held(number, piece), &by);
        }
        Move::Miss(number, piece) => {
            world.miss(&held(number, piece));
        }
        Move::Pay(number, piece, back) => {
            let period = (world.now / 10).saturating_sub(back);
            let said = world.pay(&held(number, piece), period);
            assert_ne!(
                said,
                Some(Err(PayError::Escrow)),
                "there is money for all that is held"
            );
        }
        Move::Lose(piece) => {
            world.challenge(&held(HONEST, piece), &OWNER);
            let_blocks_pass(world, 16);
            world.miss(&held(HONEST, piece));
            let_blocks_pass(world, 1);
        }
        Move::Release(number, piece, by_owner) => {
            let by = if by_owner { OWNER } else { MEMBER };
            world.release(&held(number, piece), &by, !by_owner);
        }
        Move::Renew(periods, deposit) => {
            world.renew(&OWNER, periods, deposit);
        }
        Move::End => {
            world.end(&OWNER);
        }
        Move::Forget(number, piece) => {
            world.forget(&held(number, piece));
        }
        Move::Audit(piece, number) => audit_privately(owner, piece, number),
    }
}

/// How often holders that keep their word were challenged, how often somebody showed again what one of them had
/// signed, and how often the other paid.
#[derive(Default)]
struct Reached {
    slanders: usize,
    replays: usize,
    penalties: usize,
}

fn games() -> impl Strategy<Value = (Vec<Lie>, Vec<Move>)> {
    let lies = prop::collection::vec(lie(), 4);
    (lies, prop::collection::vec(moves(), 20..200))
}

fn slandered(world: &World) -> usize {
    let open = world.challenges.keys();
    open.filter(|held| held.device != device(HONEST).0).count()
}

/// Plays a game, in which no holder that keeps its word may lose anything at any time.
fn game((lies, moves): (Vec<Lie>, Vec<Move>)) -> Result<Reached, TestCaseError> {
    let owner = Owner::new(&lies);
    let mut world = World::new(owner.offer(), terms(), 90_000, DEVICES);
    let (all, mut signed) = (world.all_money(), Vec::new());
    let mut reached = Reached::default();
    for it in &moves {
        let free = |world: &World| [0, 1].map(|number| world.free[&device(number).1]);
        let (before, open) = (free(&world), slandered(&world));
        play(&mut world, &owner, &mut signed, it);
        world.check();
        prop_assert_eq!(world.all_money(), all);
        for (number, (before, after)) in (0..HONEST).zip(before.iter().zip(free(&world))) {
            let (device, account) = device(number);
            prop_assert!(after >= *before);
            prop_assert_eq!(world.bonds[&account], BOND);
            let standing = world.standings.get(&device).copied().unwrap_or_default();
            prop_assert_eq!(standing, Standing::default());
        }
        let mut missed_by = world.evidence.iter().map(|miss| miss.place.holder);
        prop_assert!(missed_by.all(|it| it == device(HONEST).0));
        reached.slanders += slandered(&world).saturating_sub(open);
        reached.replays += usize::from(matches!(it, Move::Replay(_)) && !signed.is_empty());
    }
    // Everything that is open is answered, and the owner gets what is left and not a unit more.
    let_blocks_pass(&mut world, 20);
    let open: Vec<_> = world.challenges.keys().copied().collect();
    for held in open {
        prop_assert_eq!(held.device, device(HONEST).0);
        prop_assert!(world.miss(&held).is_some());
    }
    world.now = world.now.max((world.contract.ends + 64) * 10);
    let escrow = world.contract.escrow;
    prop_assert!(world.close());
    world.check();
    let spent = escrow.paid + escrow.network;
    let refunded = world.contract.escrow.refunded;
    prop_assert_eq!(refunded, escrow.deposited - spent);
    prop_assert_eq!(world.all_money(), all);
    reached.penalties = world.evidence.iter().filter(|miss| miss.slash > 0).count();
    Ok(reached)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(384))]

    #[test]
    fn no_owner_and_no_group_takes_a_unit_from_a_holder_that_keeps_its_word(moves in games()) {
        game(moves)?;
    }
}

#[test]
fn honest_holders_are_slandered_often_and_who_is_not_honest_pays() {
    let mut runner = TestRunner::deterministic();
    let mut all = Reached::default();
    for _ in 0..256 {
        let moves = games().new_tree(&mut runner).unwrap().current();
        let reached = game(moves).unwrap();
        all.slanders += reached.slanders;
        all.replays += reached.replays;
        all.penalties += reached.penalties;
    }
    let Reached {
        slanders,
        replays,
        penalties,
    } = all;
    assert!(
        slanders > 500 && replays > 100 && penalties > 0,
        "{slanders}, {replays}, {penalties}"
    );
}

#[test]
fn a_slandered_holder_has_its_period_paid_and_the_slanderers_bond() {
    let owner = Owner::new(&[Lie::None; 4]);
    let mut world = World::new(owner.offer(), terms(), 90_000, DEVICES);
    hold(&mut world, &owner, 0, 3);
    world.now = 25;
    let (held, account) = (held(0, 3), device(0).1);
    let (before, price) = (world.free[&account], world.holdings[&held].price);
    assert!(world.challenge(&held, &MEMBER));
    answer_all(&mut world, 0, 3);
    assert_eq!(world.free[&account], before + 50 + price * 7 / 10);
    // What the group says of the period afterwards pays nothing twice.
    assert_eq!(world.pay(&held, 2), Some(Err(PayError::Paid)));
    assert!(!world.challenge(&held, &MEMBER), "one a period is enough");
}

#[test]
fn who_lost_what_it_signed_for_is_warned_contained_and_pays_and_sees_why() {
    let owner = Owner::new(&[Lie::None; 4]);
    let mut world = World::new(owner.offer(), terms(), 90_000, DEVICES);
    let (device, account) = device(HONEST);
    for piece in 0..4 {
        hold(&mut world, &owner, HONEST, piece);
    }
    world.now = 10;
    for piece in 0..4 {
        assert!(world.challenge(&held(HONEST, piece), &OWNER));
        let_blocks_pass(&mut world, 16);
        assert!(world.miss(&held(HONEST, piece)).is_some());
        world.now += 1;
    }
    // 1,001 units twice, of which who challenged gets half, rounded down.
    assert_eq!(world.bonds[&account], BOND - 2 * 1_001);
    assert_eq!(world.burnt, 2 * 501);
    assert!(world.standings[&device].contained_at.is_some());
    let slashes: Vec<_> = world.evidence.iter().map(|miss| miss.slash).collect();
    assert_eq!(slashes, [0, 0, 1_001, 1_001]);
    for miss in &world.evidence {
        // Whoever has the piece sees what was asked and that it could have been answered.
        let kept = &PIECES[miss.place.piece as usize];
        assert_eq!(
            (miss.chunk_root, miss.bytes),
            (kept.tree.root(), kept.bytes.len() as u64)
        );
        assert_eq!(miss.answered, 0);
    }
}
