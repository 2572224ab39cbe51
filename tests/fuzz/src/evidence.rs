//! What is shown to somebody who does not believe the shower: signed receipts, proofs into trees, and
//! the files that `quern verify` checks.

use crate::{Decoder, disputes, honest, oracle};
use codec::{DecodeAll, Encode};
use quern_dispute_rules::open::{ConvictionView, DisputeView};
use quern_job_rules::pay;
use quern_primitives::{
    Digest,
    device::Possession,
    merkle::{Proof, Tree},
    params::Terms,
    payload::Signed,
    receipt::{Answer, Exit, SignedReceipt},
    verdict::{Finding, Ground, ReceiptFile, ReplicaFinding, Verdict},
};
use quern_shards::chunks::{CHUNK_BYTES, ChunkTree, check_chunk};
use quern_verdict::{Expected, check_receipt};

pub(crate) const DECODERS: &[Decoder] = &[
    Decoder {
        name: "receipt",
        check: receipt,
        seeds: receipts,
    },
    Decoder {
        name: "altered receipt",
        check: altered_receipt,
        seeds: || vec![vec![0, 0, 0], vec![1, 7, 1], vec![2, 255, 255]],
    },
    Decoder {
        name: "possession",
        check: oracle::scale_alone::<Signed<Possession>>,
        seeds: possessions,
    },
    Decoder {
        name: "proof",
        check: proof,
        seeds: proofs,
    },
    Decoder {
        name: "chunk",
        check: chunk,
        seeds: chunks,
    },
    Decoder {
        name: "receipt file as JSON",
        check: receipt_file_as_json,
        seeds: receipt_files_as_json,
    },
    Decoder {
        name: "receipt file",
        check: receipt_file,
        seeds: || receipt_files().iter().map(Encode::encode).collect(),
    },
    Decoder {
        name: "altered proof",
        check: altered_proof,
        seeds: altered_proofs,
    },
    Decoder {
        name: "evidence of a lie",
        check: disputes::evidence,
        seeds: disputes::evidences,
    },
    Decoder {
        name: "step of a sum",
        check: disputes::step,
        seeds: disputes::steps,
    },
    Decoder {
        name: "answer to a dispute",
        check: disputes::reply,
        seeds: disputes::replies,
    },
    Decoder {
        name: "open disputes",
        check: oracle::scale_alone::<Vec<DisputeView>>,
        seeds: disputes::open,
    },
    Decoder {
        name: "convictions",
        check: oracle::scale_alone::<Vec<ConvictionView>>,
        seeds: disputes::convictions,
    },
];

/// Nothing but what the honest device signed passes as signed by it.
fn receipt(bytes: &[u8]) {
    let Some(signed) = oracle::scale::<SignedReceipt>(bytes) else {
        return;
    };
    is_no_forgery(&signed);
    oracle::told(&signed);
    for honest in honest::RECEIPTS.iter() {
        let holds = check_receipt(&signed, &expected(honest), &honest::GENESIS).is_ok();
        assert!(!holds || signed.payload == honest.payload, "{signed:?}");
    }
}

fn is_no_forgery(signed: &SignedReceipt) {
    let holds = signed.is_signed_by(&honest::DEVICE.id(), &honest::GENESIS);
    assert!(!holds || honest::signed(&signed.payload), "{signed:?}");
    assert!(!signed.is_signed_by(&honest::STRANGER, &honest::GENESIS));
}

fn expected(honest: &SignedReceipt) -> Expected {
    let receipt = &honest.payload;
    Expected {
        job: receipt.job,
        task: receipt.task,
        replica: receipt.replica,
        device: receipt.device,
        program: receipt.program,
        input_root: receipt.input_root,
        question: Some(receipt.question),
        class: receipt.class,
        engine: receipt.engine,
        log_position: receipt.log_position,
        fuel_max: receipt.fuel,
        result_bytes_max: receipt.result_bytes,
    }
}

/// An honest receipt of which the input names a bit that is turned over.
fn altered_receipt(bytes: &[u8]) {
    let [which, low, high, ..] = bytes else {
        return;
    };
    let Some(honest) = honest::RECEIPTS.get(usize::from(*which) % honest::RECEIPTS.len()) else {
        return;
    };
    let encoded = honest::turned_over(&honest.encode(), [*low, *high]);
    let Ok(altered) = SignedReceipt::decode_all(&mut &encoded[..]) else {
        return;
    };
    for signer in [honest::DEVICE.id(), altered.payload.device] {
        let holds = altered.is_signed_by(&signer, &honest::GENESIS);
        assert!(
            !holds,
            "with a bit turned over it is signed still: {altered:?}"
        );
    }
    assert!(check_receipt(&altered, &expected(honest), &honest::GENESIS).is_err());
}

fn receipts() -> Vec<Vec<u8>> {
    honest::RECEIPTS.iter().map(Encode::encode).collect()
}

fn possessions() -> Vec<Vec<u8>> {
    let possession = Possession {
        account: honest::OWNER,
        device: honest::DEVICE.id(),
        sealing_key: Default::default(),
    };
    vec![honest::DEVICE.sign(possession, &honest::GENESIS).encode()]
}

/// Leaves of the largest tree that proofs are tried on.
const LEAVES_MAX: u32 = 20;

fn leaf(index: u32, of: &str) -> Vec<u8> {
    format!("leaf {index} of {of}").into_bytes()
}

fn tree(count: u32, of: &str) -> Tree {
    Tree::new((0..count).map(|index| leaf(index, of)))
}

/// Of a tree whose size the first byte says no proof holds but its own, each for its leaf; and none of
/// those for another tree of that size.
fn proof(bytes: &[u8]) {
    let [count, proof @ ..] = bytes else {
        return;
    };
    let count = 1 + u32::from(*count) % LEAVES_MAX;
    let Some(proof) = oracle::scale::<Proof>(proof) else {
        return;
    };
    oracle::told(&proof);
    holds_only_if_own(&proof, count);
}

fn holds_only_if_own(proof: &Proof, count: u32) {
    let (here, there) = (tree(count, "this"), tree(count, "that"));
    for index in 0..count {
        let holds = proof.holds(&here.root(), &leaf(index, "this"));
        assert_eq!(holds, here.proof(index).as_ref() == Some(proof));
        assert!(!proof.holds(&here.root(), &leaf(index, "that")));
        assert!(!proof.holds(&there.root(), &leaf(index, "this")));
    }
}

/// The first two bytes say which tree's own proof for which leaf, and each two behind them what is done
/// to it: a bit of a hash is turned over, a hash is put behind, left out, or changes places, or it is
/// said to be for another place or size.
fn altered_proof(bytes: &[u8]) {
    let [count, index, alterations @ ..] = bytes else {
        return;
    };
    let count = 1 + u32::from(*count) % LEAVES_MAX;
    let Some(mut proof) = tree(count, "this").proof(u32::from(*index) % count) else {
        return;
    };
    let (alterations, _) = alterations.as_chunks::<2>();
    for [kind, at] in alterations.iter().take(4) {
        let siblings = proof.siblings.len().max(1);
        let place = usize::from(*at) % siblings;
        match (kind % 6, proof.siblings.get_mut(place)) {
            (0, Some(sibling)) => sibling.0[usize::from(*at) % 32] ^= 1 << (at % 8),
            (1, Some(sibling)) => {
                let sibling = *sibling;
                proof.siblings.push(sibling);
            }
            (1, None) => proof.siblings.push(Digest([*at; 32])),
            (2, _) => {
                let _ = proof.siblings.pop();
            }
            (3, Some(_)) => proof.siblings.swap(0, place),
            (4, _) => proof.index = u32::from(*at),
            (5, _) => proof.count = u32::from(*at),
            _ => (),
        }
    }
    holds_only_if_own(&proof, count);
}

fn altered_proofs() -> Vec<Vec<u8>> {
    vec![
        vec![6, 6],
        vec![15, 3, 1, 0],
        vec![19, 17, 2, 0],
        vec![15, 3, 4, 2],
        vec![1, 0, 5, 4],
        vec![15, 3, 3, 2, 0, 9],
    ]
}

fn proofs() -> Vec<Vec<u8>> {
    let proof = |count: u32, index: u32| {
        let of = tree(count, "this").proof(index)?;
        let size = u8::try_from(count - 1).ok()?;
        Some([&[size][..], &of.encode()].concat())
    };
    let places = [(1, 0), (2, 1), (7, 6), (16, 3), (20, 17)];
    let proofs = places.map(|(count, index)| proof(count, index));
    proofs.into_iter().flatten().collect()
}

/// The sealed thing that chunks are shown of, and its tree.
fn sealed() -> (Vec<u8>, ChunkTree) {
    let sealed = [vec![1; CHUNK_BYTES], vec![2; CHUNK_BYTES], vec![3; 40]].concat();
    let tree = ChunkTree::of(&sealed);
    (sealed, tree)
}

/// A proof, and behind it the chunk.
fn chunk(bytes: &[u8]) {
    let mut rest = bytes;
    let Ok(proof) = <Proof as codec::Decode>::decode(&mut rest) else {
        return;
    };
    let (sealed, tree) = sealed();
    let total = sealed.len() as u64;
    let holds = check_chunk(&tree.root(), total, &proof, rest).is_ok();
    let chunk = sealed.chunks(CHUNK_BYTES).nth(proof.index as usize);
    let is_own = chunk == Some(rest) && tree.proof(proof.index).as_ref() == Some(&proof);
    assert_eq!(holds, is_own, "{proof:?}");
    assert!(check_chunk(&tree.root(), total + 1, &proof, rest).is_err() || rest.len() > 40);
    assert!(check_chunk(&Digest::default(), total, &proof, rest).is_err());
}

fn chunks() -> Vec<Vec<u8>> {
    let (sealed, tree) = sealed();
    // The whole ones are as long as all else here together; the last says as much.
    let last = sealed.chunks(CHUNK_BYTES).next_back();
    let proof = tree.proof(2);
    let shown = proof.zip(last);
    shown
        .map(|(proof, last)| [&proof.encode()[..], last].concat())
        .into_iter()
        .collect()
}

fn receipt_file_as_json(bytes: &[u8]) {
    if let Some(file) = oracle::json::<ReceiptFile>(bytes) {
        shows_what_it_says(&file);
    }
}

fn receipt_file(bytes: &[u8]) {
    if let Some(file) = oracle::scale::<ReceiptFile>(bytes) {
        oracle::told(&file);
        shows_what_it_says(&file);
    }
}

/// What is proved of a verdict is proved of no other, and at no other place.
fn shows_what_it_says(file: &ReceiptFile) {
    is_no_forgery(&file.receipt);
    let (root, verdict) = (&file.verdicts_root, file.verdict.encode());
    if file.proof.holds(root, &verdict) {
        let dearer = Verdict {
            price: file.verdict.price ^ 1,
            ..file.verdict.clone()
        };
        assert!(!file.proof.holds(root, &dearer.encode()));
        let elsewhere = Proof {
            index: file.proof.index ^ 1,
            ..file.proof.clone()
        };
        assert!(!elsewhere.holds(root, &verdict));
        let larger = Proof {
            count: file.proof.count.wrapping_add(1),
            ..file.proof.clone()
        };
        assert!(!larger.holds(root, &verdict));
    }
    let accepted = |found: &&ReplicaFinding| found.finding == Finding::Accepted;
    let accepted = file.verdict.replicas.iter().filter(accepted).count();
    if let Ok(agreeing) = u8::try_from(accepted) {
        let price = file.verdict.price;
        let paid = pay::pays(price, agreeing, Terms::FIRST).checked_mul(agreeing.into());
        assert!(paid.is_some_and(|paid| paid <= pay::bounty(price, Terms::FIRST)));
    }
}

/// A file of each of two verdicts in one batch.
fn receipt_files() -> Vec<ReceiptFile> {
    let verdicts: Vec<Verdict> = honest::RECEIPTS.iter().map(verdict).collect();
    let tree = Tree::new(verdicts.iter().map(Encode::encode));
    let files = (0..).zip(honest::RECEIPTS.iter().zip(&verdicts));
    files
        .take(2)
        .filter_map(|(index, (receipt, verdict))| {
            Some(ReceiptFile {
                genesis: honest::GENESIS,
                receipt: receipt.clone(),
                verdict: verdict.clone(),
                batch: 0,
                verdicts_root: tree.root(),
                proof: tree.proof(index)?,
            })
        })
        .collect()
}

/// What the honest device answered first.
pub(crate) fn answer() -> Answer {
    honest::RECEIPTS.first().map_or(
        Answer {
            result_commitment: Digest::default(),
            result_bytes: 0,
            fuel: 0,
            exit: Exit::Success,
        },
        |receipt| receipt.payload.answer(),
    )
}

pub(crate) fn verdict(receipt: &SignedReceipt) -> Verdict {
    let payload = &receipt.payload;
    let price = 10_000_000;
    Verdict {
        job: payload.job,
        task: payload.task,
        answer: payload.answer(),
        ground: Ground::Trusted,
        price,
        replicas: vec![ReplicaFinding {
            replica: payload.replica,
            device: payload.device,
            account: honest::OWNER,
            finding: Finding::Accepted,
            receipt: Some(quern_verdict::receipt_digest(receipt)),
            pay: pay::pays(price, 1, Terms::FIRST),
        }],
    }
}

fn receipt_files_as_json() -> Vec<Vec<u8>> {
    let files = receipt_files();
    let texts = files
        .iter()
        .filter_map(|file| serde_json::to_vec(file).ok());
    texts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bit_of_an_honest_receipt_can_be_turned_over() {
        for which in 0..3u8 {
            for bit in 0..1_024u16 * 3 {
                let [low, high] = bit.to_le_bytes();
                altered_receipt(&[which, low, high]);
            }
        }
    }

    /// There are a few points that nobody has the secret of and that a signature of nothing fits.
    #[test]
    fn a_name_that_is_no_key_signs_for_nobody() {
        let mut receipt = honest::RECEIPTS[0].clone();
        receipt.payload.device = quern_primitives::DeviceId([0; 32]);
        receipt.signature.0 = [0; 64];
        assert!(!receipt.is_signed_by(&receipt.payload.device, &honest::GENESIS));
    }
}
