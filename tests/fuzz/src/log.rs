//! The log of a job and what is signed about it: whoever follows a log, or is shown a part of it,
//! believes nothing that its coordinator did not sign.

use crate::{Decoder, chain, honest, memory, oracle};
use codec::{Decode, DecodeAll, Encode};
use quern_dispute_rules::evidence::Certified;
use quern_joblog::{Entry, EntryProof, Fork, LogFault, Replay, SignedBlock, file};
use quern_primitives::{
    Digest, NodeKey,
    limits::LOG_ENTRIES_PER_BLOCK_MAX,
    log::{Acknowledgements, Certificate, Commitment, RefereeReport, SignedAcknowledgement},
    payload::{NodeSecret, Signature, Signed, SignedPayload},
    receipt::SignedReceipt,
};
use quern_recheck::{ReceiptsFault, verify_receipts};
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt::Debug, sync::LazyLock};

mod said;

use said::{BLOCKS, HEAD, NODE, PROOFS, TRAITOR, WORDS};

pub(crate) const DECODERS: &[Decoder] = &[
    Decoder {
        name: "block",
        check: block,
        seeds: blocks,
    },
    Decoder {
        name: "altered block",
        check: altered_block,
        seeds: || vec![vec![0, 0, 0], vec![1, 0, 7], vec![2, 255, 255]],
    },
    Decoder {
        name: "log file",
        check: log_file,
        seeds: || vec![[&[6][..], &said::written()].concat()],
    },
    Decoder {
        name: "altered log file",
        check: altered_log_file,
        seeds: altered_log_files,
    },
    Decoder {
        name: "entry proof",
        check: entry_proof,
        seeds: || PROOFS.iter().map(Encode::encode).collect(),
    },
    Decoder {
        name: "altered entry proof",
        check: altered_entry_proof,
        seeds: || vec![vec![0, 0, 0], vec![3, 7, 1], vec![9, 255, 255]],
    },
    Decoder {
        name: "fork",
        check: fork,
        seeds: || said::forks().iter().map(Encode::encode).collect(),
    },
    Decoder {
        name: "certificate",
        check: certificate,
        seeds: || vec![WORDS.certificate.encode()],
    },
    Decoder {
        name: "acknowledgement",
        check: acknowledgement,
        seeds: || vec![WORDS.acknowledgement.encode()],
    },
    Decoder {
        name: "commitment",
        check: commitment,
        seeds: || vec![WORDS.commitment.encode()],
    },
    Decoder {
        name: "referee report",
        check: referee_report,
        seeds: || vec![WORDS.report.encode()],
    },
    Decoder {
        name: "altered word",
        check: altered_word,
        seeds: || (0..4).map(|which| vec![which, 40, which]).collect(),
    },
    Decoder {
        name: "many receipts",
        check: many_receipts,
        seeds: many,
    },
];

/// The head of the honest log that was certified.
pub(crate) fn head() -> Digest {
    HEAD.head
}

/// Each entry of the honest log as the chain is shown it.
pub(crate) fn certified() -> Vec<Certified> {
    said::certified()
}

/// Room that a block may set aside for entries: an entry has a byte at the least, and there are no more
/// than its header may say. Beside it there are the hashes of their tree.
fn room_for_entries(given: &[u8]) -> usize {
    let entries = given.len().min(LOG_ENTRIES_PER_BLOCK_MAX as usize);
    let each = size_of::<Entry>() + 4 * size_of::<Digest>();
    entries.saturating_mul(each)
}

/// The honest log as it is followed: before its first block, behind that, and so on.
static FOLLOWED: LazyLock<Vec<Replay>> = LazyLock::new(|| {
    let mut replay = Replay::new(honest::GENESIS, honest::JOB, NODE.public());
    let mut followed = vec![replay.clone()];
    for block in BLOCKS.iter() {
        let _ = replay.take(&block.to_bytes());
        followed.push(replay.clone());
    }
    followed
});

/// The honest blocks, and the first of them as if it stood where numbers end.
fn blocks() -> Vec<Vec<u8>> {
    let mut blocks = BLOCKS.clone();
    blocks.extend(BLOCKS.first().cloned().map(|mut last| {
        last.header.payload.first = u64::MAX;
        last
    }));
    blocks.iter().map(SignedBlock::to_bytes).collect()
}

/// A block is read if its entries are those of its header, whoever signed it; it is followed if it is
/// the honest one for its place.
fn block(bytes: &[u8]) {
    let (read, held) = memory::most(|| SignedBlock::read(bytes));
    oracle::held_no_more_than(held, bytes, room_for_entries(bytes));
    if let Ok(block) = &read {
        assert_eq!(block.to_bytes(), bytes, "a second encoding of {block:?}");
        oracle::one_encoding(bytes, |other| SignedBlock::read(other).is_ok());
        for (position, entry) in block.positions().take(2) {
            let proof = block.prove(position);
            assert!(proof.as_ref().is_some_and(|it| it.entry == *entry));
            proof.iter().for_each(is_no_forged_proof);
        }
    }
    for (before, replay) in FOLLOWED.iter().enumerate() {
        let mut replay = replay.clone();
        let stood = (replay.head(), replay.next_position());
        match replay.take(bytes) {
            Ok(taken) => {
                assert_eq!(BLOCKS.get(before), Some(&taken));
                assert_eq!(read, Ok(taken));
            }
            Err(fault) => {
                assert!(!matches!(fault, LogFault::Forked(_)), "{fault}");
                assert!(!fault.to_string().is_empty());
                assert_eq!((replay.head(), replay.next_position()), stood);
            }
        }
    }
}

/// An honest block of which the input names a bit that is turned over: it does not follow.
fn altered_block(bytes: &[u8]) {
    let [which, low, high, ..] = bytes else {
        return;
    };
    let place = usize::from(*which) % BLOCKS.len().max(1);
    let Some((honest, before)) = BLOCKS.get(place).zip(FOLLOWED.get(place)) else {
        return;
    };
    let altered = honest::turned_over(&honest.to_bytes(), [*low, *high]);
    assert!(before.clone().take(&altered).is_err());
    // Where only the signature was changed, it reads.
    if let Ok(read) = SignedBlock::read(&altered) {
        assert!(!read.header.is_signed_by(&NODE.public(), &honest::GENESIS));
    }
}

/// What a file has, and how it ends.
type Outcome = (Vec<SignedBlock>, Result<(), LogFault>);

fn outcome<C: AsRef<[u8]>>(pieces: impl IntoIterator<Item = C>) -> Outcome {
    let mut blocks = Vec::new();
    let mut reader = match file::Reader::new(pieces) {
        Ok(reader) => reader,
        Err(fault) => return (blocks, Err(fault)),
    };
    let (genesis, job) = (reader.genesis(), reader.job());
    let mut replay = Replay::new(genesis, job, NODE.public());
    let ended = reader.replay(&mut replay, |block| {
        blocks.push(block);
        Ok::<(), LogFault>(())
    });
    (blocks, ended)
}

/// The first byte says how long the pieces are. However a file is cut, the same comes of it, and that is
/// a part of the honest log.
fn log_file(bytes: &[u8]) {
    let [cut, file @ ..] = bytes else {
        return;
    };
    let (whole, held) = memory::most(|| outcome([file]));
    // Each honest block is copied once, and kept.
    let kept = 4 * said::written().len();
    oracle::held_no_more_than(held, file, room_for_entries(file).saturating_add(kept));
    let pieces = file.chunks(1 + usize::from(*cut));
    // A piece may be empty.
    let pieces = pieces.flat_map(|piece| [piece, &[]]);
    assert_eq!(outcome(pieces), whole);
    let (blocks, ended) = whole;
    assert!(BLOCKS.starts_with(&blocks), "{blocks:?}");
    match ended {
        Ok(()) if blocks.is_empty() => (),
        Ok(()) => {
            let again = file::write(&honest::GENESIS, &honest::JOB, &blocks);
            assert_eq!(again, file, "a second file of one log");
        }
        Err(fault) => assert!(!fault.to_string().is_empty()),
    }
}

/// The file of the honest log, of which the first byte says what is done to it, and two more where: no
/// other file has all that was certified.
fn altered_log_file(bytes: &[u8]) {
    let [kind, low, high, ..] = bytes else {
        return;
    };
    let written = said::written();
    let at = usize::from(u16::from_le_bytes([*low, *high]));
    let (place, other) = (
        usize::from(*low) % BLOCKS.len().max(1),
        usize::from(*high) % BLOCKS.len().max(1),
    );
    let with = |change: &dyn Fn(&mut Vec<SignedBlock>)| {
        let mut blocks = BLOCKS.clone();
        change(&mut blocks);
        file::write(&honest::GENESIS, &honest::JOB, &blocks)
    };
    let altered = match kind % 6 {
        0 => honest::turned_over(&written, [*low, *high]),
        1 => written.iter().copied().take(at).collect(),
        2 => [&written[..], &[*low]].concat(),
        3 => with(&|blocks| drop(blocks.remove(place))),
        4 => with(&|blocks| blocks.swap(place, other)),
        _ => with(&|blocks| blocks.insert(place, blocks[other].clone())),
    };
    let mut replay = Replay::new(honest::GENESIS, honest::JOB, NODE.public());
    let ended = file::Reader::new([&altered]).and_then(|mut reader| {
        reader.replay(&mut replay, |_| Ok::<(), LogFault>(()))?;
        replay.reaches(&HEAD)
    });
    assert_eq!(ended.is_ok(), altered == written, "{ended:?}");
}

fn altered_log_files() -> Vec<Vec<u8>> {
    (0..6).map(|kind| vec![kind, 1, 2]).collect()
}

fn entry_proof(bytes: &[u8]) {
    if let Some(proof) = oracle::scale::<EntryProof>(bytes) {
        is_no_forged_proof(&proof);
    }
}

/// Only an entry of the honest log is shown to be at its place, and by the coordinator's key alone.
fn is_no_forged_proof(proof: &EntryProof) {
    if let Some(position) = proof.position(&NODE.public(), &honest::GENESIS) {
        let mut positions = BLOCKS.iter().flat_map(SignedBlock::positions);
        let is_honest = positions.any(|found| found == (position, &proof.entry));
        assert!(is_honest, "{proof:?}");
    }
    let stranger = NodeKey(honest::STRANGER.0);
    assert_eq!(proof.position(&stranger, &honest::GENESIS), None);
}

fn altered_entry_proof(bytes: &[u8]) {
    let [which, low, high, ..] = bytes else {
        return;
    };
    let place = usize::from(*which) % PROOFS.len().max(1);
    let Some(honest) = PROOFS.get(place).map(Encode::encode) else {
        return;
    };
    let altered = honest::turned_over(&honest, [*low, *high]);
    if let Ok(proof) = EntryProof::decode_all(&mut &altered[..]) {
        assert_eq!(proof.position(&NODE.public(), &honest::GENESIS), None);
    }
}

/// Who signed one block for each place is shown to have forked by nobody; who signed two, by those.
fn fork(bytes: &[u8]) {
    let Some(fork) = oracle::scale::<Fork>(bytes) else {
        return;
    };
    assert!(!fork.holds(&NODE.public(), &honest::GENESIS), "{fork:?}");
    if fork.holds(&TRAITOR.public(), &honest::GENESIS) {
        let known = said::forks();
        let is_known = known.iter().any(|known| {
            let same = [known.first.payload, known.second.payload];
            same.contains(&fork.first.payload) && same.contains(&fork.second.payload)
        });
        assert!(is_known, "{fork:?}");
    }
}

/// That a word of this signer is the honest one.
fn word<P, S>(bytes: &[u8], signer: &S::Signer, honest: &Signed<P, S>) -> Option<Signed<P, S>>
where
    P: SignedPayload + Decode + PartialEq + Debug + Serialize + DeserializeOwned,
    S: Signature + Encode + Decode + PartialEq + Debug + Serialize + DeserializeOwned,
{
    let word = oracle::scale::<Signed<P, S>>(bytes)?;
    oracle::told(&word);
    let holds = word.is_signed_by(signer, &honest::GENESIS);
    assert!(!holds || word.payload == honest.payload, "{word:?}");
    Some(word)
}

fn certificate(bytes: &[u8]) {
    let found = word::<Certificate, _>(bytes, &NODE.public(), &WORDS.certificate);
    let Some(found) = found else {
        return;
    };
    // A log reaches what was said of a block that it has, and nothing else, whatever the batch.
    let reaches = FOLLOWED.last().map(|log| log.reaches(&found.payload));
    let reaches = reaches.is_some_and(|reaches| reaches.is_ok());
    let batch = chain::honest_batch();
    let mut certified = FOLLOWED.iter().filter_map(|log| log.certificate(&batch));
    let is_of = |it: Certificate| {
        it.job == found.payload.job
            && it.index == found.payload.index
            && it.head == found.payload.head
    };
    assert_eq!(reaches, certified.any(is_of));
}

/// The coordinator's network key.
pub(crate) fn coordinator() -> &'static NodeSecret {
    &NODE
}

/// What the coordinator says comes out of a task, as it is encoded.
pub(crate) fn honest_report() -> Vec<u8> {
    WORDS.report.encode()
}

/// The coordinator's word that a device's work was taken.
pub(crate) fn honest_acknowledgement() -> SignedAcknowledgement {
    WORDS.acknowledgement.clone()
}

/// The same, as an answer has it.
pub(crate) fn honest_acknowledgements() -> Acknowledgements {
    let SignedAcknowledgement {
        payload, signature, ..
    } = honest_acknowledgement();
    Acknowledgements {
        words: vec![payload],
        signature,
    }
}

/// Whether such a word is the coordinator's own, or not signed by it.
pub(crate) fn is_own_or_unsigned(word: &SignedAcknowledgement) -> bool {
    let holds = word.is_signed_by(&NODE.public(), &honest::GENESIS);
    !holds || word.payload == WORDS.acknowledgement.payload
}

fn acknowledgement(bytes: &[u8]) {
    let Some(word) = oracle::scale::<SignedAcknowledgement>(bytes) else {
        return;
    };
    oracle::told(&word);
    assert!(is_own_or_unsigned(&word), "{word:?}");
}

fn commitment(bytes: &[u8]) {
    word::<Commitment, _>(bytes, &honest::DEVICE.id(), &WORDS.commitment);
}

fn referee_report(bytes: &[u8]) {
    word::<RefereeReport, _>(bytes, &NODE.public(), &WORDS.report);
}

/// One of the honest words, of which the input names a bit that is turned over.
fn altered_word(bytes: &[u8]) {
    let [which, low, high, ..] = bytes else {
        return;
    };
    let (turn, node) = ([*low, *high], NODE.public());
    match which % 4 {
        0 => is_signed_no_more(&WORDS.certificate, turn, &node),
        1 => {
            let altered = honest::turned_over(&WORDS.acknowledgement.encode(), turn);
            if let Ok(altered) = SignedAcknowledgement::decode_all(&mut &altered[..]) {
                assert!(!altered.is_signed_by(&node, &honest::GENESIS));
            }
        }
        2 => is_signed_no_more(&WORDS.report, turn, &node),
        _ => {
            let device = honest::DEVICE.id();
            is_signed_no_more(&WORDS.commitment, turn, &device);
        }
    }
}

fn is_signed_no_more<P, S>(word: &Signed<P, S>, turn: [u8; 2], signer: &S::Signer)
where
    P: SignedPayload + Decode,
    S: Signature + Encode + Decode,
{
    let altered = honest::turned_over(&word.encode(), turn);
    if let Ok(altered) = Signed::<P, S>::decode_all(&mut &altered[..]) {
        assert!(!altered.is_signed_by(signer, &honest::GENESIS));
    }
}

/// Read where they lie and hashed from there, receipts are what they are when each is read, encoded
/// again and checked.
fn many_receipts(bytes: &[u8]) {
    let (found, held) = memory::most(|| verify_receipts(bytes, &honest::GENESIS));
    oracle::held_no_more_than_given(held, bytes);
    assert_eq!(found, one_by_one(bytes));
}

fn one_by_one(bytes: &[u8]) -> Result<u64, ReceiptsFault> {
    let mut rest = bytes;
    let mut index = 0;
    while !rest.is_empty() {
        let signed =
            SignedReceipt::decode(&mut rest).map_err(|_| ReceiptsFault::Malformed { index })?;
        let device = signed.payload.device;
        if !signed.is_signed_by(&device, &honest::GENESIS) {
            return Err(ReceiptsFault::Signature { index });
        }
        assert!(device != honest::DEVICE.id() || honest::signed(&signed.payload));
        index += 1;
    }
    Ok(index)
}

fn many() -> Vec<Vec<u8>> {
    let each: Vec<Vec<u8>> = honest::RECEIPTS.iter().map(Encode::encode).collect();
    vec![Vec::new(), each.concat()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_honest_log_is_followed_to_its_end_and_every_entry_is_proved() {
        assert_eq!(BLOCKS.len(), 4);
        assert_eq!(FOLLOWED[4].certificate(&chain::honest_batch()), Some(*HEAD));
        let entries: usize = BLOCKS.iter().map(|block| block.entries.len()).sum();
        assert_eq!(PROOFS.len(), entries);
        for (position, proof) in (0..).zip(PROOFS.iter()) {
            let found = proof.position(&NODE.public(), &honest::GENESIS);
            assert_eq!(found, Some(position));
        }
        assert!(said::forks()[0].holds(&TRAITOR.public(), &honest::GENESIS));
        let receipts = verify_receipts(&many()[1], &honest::GENESIS);
        assert_eq!(receipts, Ok(honest::RECEIPTS.len() as u64));
        assert!(said::written().len() < crate::INPUT_BYTES_MAX);
    }

    #[test]
    fn no_bit_of_what_was_signed_can_be_turned_over() {
        let every = |bytes: usize| 0..u16::try_from(bytes * 8).unwrap_or(u16::MAX);
        for which in 0..4u8 {
            for bit in every(208) {
                let [low, high] = bit.to_le_bytes();
                altered_word(&[which, low, high]);
            }
        }
        for (which, block) in (0..).zip(BLOCKS.iter()) {
            for bit in every(block.to_bytes().len()) {
                let [low, high] = bit.to_le_bytes();
                altered_block(&[which, low, high]);
            }
        }
    }

    #[test]
    fn an_entry_behind_the_last_number_has_no_position() {
        let last = blocks().pop().unwrap_or_default();
        let read = SignedBlock::read(&last).ok();
        let positions: Option<Vec<u64>> =
            read.map(|block| block.positions().map(|(at, _)| at).collect());
        assert_eq!(positions, Some(vec![u64::MAX]));
    }
}
