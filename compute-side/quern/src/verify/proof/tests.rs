use super::*;
use crate::{
    output::Output as _,
    verify::{
        Name, checked,
        elsewhere::Elsewhere,
        tests::{file, job},
        verified,
    },
};
use codec::Encode as _;
use quern_light::Finality;
use quern_owner::{Check, CheckKind};
use quern_primitives::{
    AccountId, SealingKey,
    batch::LogRange,
    device::{Hardware, Region},
};
use sp_core::{Blake2Hasher, H256, Hasher as _};
use sp_trie::{MemoryDB, TrieMut as _, trie_types::TrieDBMutBuilderV1};
use std::collections::BTreeMap;

/// The block that settled the batch.
const SETTLED_AT: BlockNumber = 20;

type Values = BTreeMap<keys::Key, Vec<u8>>;

/// What the chain has of the receipt's batch.
fn values(file: &ReceiptFile) -> Values {
    let name = file.verdict.job;
    let batch = BatchRecord {
        verdicts_root: file.verdicts_root,
        log: LogRange::default(),
        block: 0,
        head: Default::default(),
        tasks: 2,
        spent: 2 * file.verdict.price,
        paid: file.verdict.price,
        settled_at: SETTLED_AT,
        state: BatchState::Pending { due: 25 },
    };
    let devices = file.verdict.replicas.iter().map(|found| {
        let (region, hardware) = (Region::Unknown, Hardware::Unknown);
        let key = SealingKey([1; 32]);
        let device = Device::new(found.account.clone(), key, region, hardware);
        (keys::device(&found.device), device.encode())
    });
    let others = [
        (keys::genesis(), file.genesis.encode()),
        (keys::batch(&name, file.batch), batch.encode()),
        (keys::job(&name), job().encode()),
    ];
    others.into_iter().chain(devices).collect()
}

/// A block with this state, and all nodes of the state.
fn block(number: BlockNumber, values: &Values) -> (Header, Vec<Vec<u8>>) {
    let (mut nodes, mut root) = (MemoryDB::<Blake2Hasher>::default(), H256::default());
    let mut trie = TrieDBMutBuilderV1::<Blake2Hasher>::new(&mut nodes, &mut root).build();
    for (key, value) in values {
        trie.insert(key, value).unwrap();
    }
    drop(trie);
    let header = Header {
        parent: BlockHash([1; 32]),
        number,
        state_root: root.0,
        extrinsics_root: [2; 32],
        digest: Vec::new(),
    };
    let held = nodes.drain().into_values();
    let held = held.filter(|(_, references)| *references > 0);
    (header, held.map(|(node, _)| node).collect())
}

/// Writes a proof beside a receipt, and checks the receipt against the block's header.
fn check(
    file: &ReceiptFile,
    (header, nodes): (Header, Vec<Vec<u8>>),
    trusted: BlockHash,
) -> Result<Asked, ProofError> {
    let folder = tempfile::tempdir().unwrap();
    let finality = Finality {
        block: header.hash(),
        justification: Vec::new(),
        headers: Vec::new(),
    };
    let proof = ChainProof::new(file.genesis, &header, &finality, None, Vec::new(), nodes);
    let path = folder.path().join(file_name(file.batch));
    std::fs::write(path, serde_json::to_string(&proof).unwrap()).unwrap();
    let receipt = folder.path().join("receipt.json");
    by_file(&receipt, None, file, Trust::Header(trusted))
}

fn holds(asked: &Asked, kind: CheckKind) -> Option<bool> {
    let mut made = asked.checks.iter();
    made.find(|check| check.check == kind)
        .map(|check| check.holds)
}

#[test]
fn a_receipt_is_checked_by_the_proof_beside_it_against_a_trusted_header() {
    let file = file();
    let block = block(SETTLED_AT, &values(&file));
    let hash = block.0.hash();
    let asked = check(&file, block, hash).unwrap();
    for kind in [
        CheckKind::Chain,
        CheckKind::Standing,
        CheckKind::Agreement,
        CheckKind::Program,
        CheckKind::Account,
    ] {
        assert_eq!(holds(&asked, kind), Some(true), "{kind:?}");
    }
    assert_eq!(asked.batch_state, Some(BatchState::Pending { due: 25 }));
    assert_eq!(holds(&asked, CheckKind::Paid), None);
    let checks = asked.checks.iter().copied().map(checked);
    let checks = checks.filter(|check| check.check != Name::Of(CheckKind::Price));
    let verified = verified(&file, checks.collect(), &asked);
    let text = verified.people();
    for words in [
        "block 20",
        "the one that you trust",
        "not checked: payments",
        "was to be paid",
        "who was paid was not checked",
    ] {
        assert!(text.contains(words), "{text}");
    }
    assert!(!text.contains("taken as true"), "the header is: {text}");
    let json = serde_json::to_value(&verified).unwrap();
    assert_eq!(json["proven_by"][0]["by"]["header"]["behind"], 0);
    assert_eq!(json["genesis"], file.genesis.to_string());
}

#[test]
fn who_is_shown_signatures_is_told_with_which_first_block_they_begin() {
    let file = file();
    let (set, validators) = (0, 4);
    let shown = Shown {
        block: SETTLED_AT,
        hash: BlockHash([7; 32]),
        by: Way::Signed { set, validators },
    };
    let asked = Asked {
        shown: vec![shown],
        ..Asked::default()
    };
    let text = verified(&file, vec![], &asked).people();
    let begins = format!("the one that begins with block {}", file.genesis);
    assert!(text.contains(&begins), "{text}");
}

/// What people are told where a node proved these checks of a batch, and all of them hold.
fn told(kinds: &[CheckKind], state: BatchState, discarded: Option<BlockNumber>) -> String {
    let holds = true;
    let checks = kinds.iter().map(|kind| Check {
        check: *kind,
        holds,
    });
    let (set, validators) = (0, 4);
    let shown = Shown {
        block: SETTLED_AT,
        hash: BlockHash([7; 32]),
        by: Way::Signed { set, validators },
    };
    let asked = Asked {
        batch_state: Some(state),
        discarded_block: discarded,
        shown: vec![shown],
        ..Asked::default()
    };
    verified(&file(), checks.map(checked).collect(), &asked).people()
}

#[test]
fn proven_payments_are_told_with_what_is_taken_as_true_of_them() {
    use CheckKind::{Account, Chain, Paid, SetAside};
    let is_final = BatchState::Final { at: 30 };
    let paid = told(&[Chain, Account, Paid], is_final, None);
    for words in ["was paid", "taken as true: that payments"] {
        assert!(paid.contains(words), "{paid}");
    }
    assert!(!paid.contains("not checked"), "{paid}");
    assert!(paid.ends_with("the receipt holds"), "{paid}");
    let pending = BatchState::Pending { due: 25 };
    let set_aside = told(&[Chain, Account, SetAside], pending, None);
    assert!(set_aside.contains("paid when it is final"), "{set_aside}");
    for words in ["not checked", "that payments"] {
        assert!(!set_aside.contains(words), "{set_aside}");
    }
    let forgotten = told(&[Chain, Account], is_final, Some(30));
    for words in [
        "not checked: payments",
        "block 30, which made the batch final",
        "who was paid was not checked",
    ] {
        assert!(forgotten.contains(words), "{forgotten}");
    }
}

#[test]
fn what_the_proven_state_has_decides() {
    let file = file();
    let name = file.verdict.job;
    let asked = |change: &dyn Fn(&mut Values)| {
        let mut values = values(&file);
        change(&mut values);
        let block = block(SETTLED_AT, &values);
        let hash = block.0.hash();
        check(&file, block, hash).unwrap()
    };
    let unsettled = asked(&|values| drop(values.remove(&keys::batch(&name, file.batch))));
    assert_eq!(holds(&unsettled, CheckKind::Chain), Some(false));
    assert_eq!(holds(&unsettled, CheckKind::Account), None);
    let unknown = asked(&|values| drop(values.remove(&keys::job(&name))));
    assert_eq!(holds(&unknown, CheckKind::Program), Some(false));
    let elsewhere = asked(&|values| {
        values.insert(keys::genesis(), vec![9; 32]);
    });
    assert_eq!(holds(&elsewhere, CheckKind::Chain), None);
    let other = GenesisHash([9; 32]);
    let other_chain = Elsewhere::OtherChain { asked: other };
    assert_eq!(elsewhere.elsewhere, Some(other_chain));
    let begun_anew = asked(&|values| {
        values.remove(&keys::batch(&name, file.batch));
        values.remove(&keys::job(&name));
    });
    assert_eq!(holds(&begun_anew, CheckKind::Chain), None);
    assert_eq!(begun_anew.elsewhere, Some(Elsewhere::NoSuchJob));
    let taken = asked(&|values| {
        let (region, hardware) = (Region::Unknown, Hardware::Unknown);
        let other = AccountId::new([77; 32]);
        let device = Device::new(other, SealingKey([1; 32]), region, hardware);
        let key = keys::device(&file.verdict.replicas[1].device);
        values.insert(key, device.encode());
    });
    assert_eq!(holds(&taken, CheckKind::Account), Some(false));
}

#[test]
fn whose_devices_were_is_told_by_the_settling_block_alone() {
    let file = file();
    let later = block(SETTLED_AT + 1, &values(&file));
    let hash = later.0.hash();
    let asked = check(&file, later, hash).unwrap();
    assert_eq!(holds(&asked, CheckKind::Chain), Some(true));
    assert_eq!(holds(&asked, CheckKind::Account), None);
    assert_eq!(asked.discarded_block, Some(SETTLED_AT));
}

#[test]
fn a_proof_of_something_else_is_named() {
    let file = file();
    let good = block(SETTLED_AT, &values(&file));
    let stranger = check(&file, good.clone(), BlockHash([7; 32]));
    assert!(matches!(stranger, Err(ProofError::DoesNotHold { .. })));
    // The root alone leads nowhere.
    let (header, mut nodes) = good;
    nodes.retain(|node| Blake2Hasher::hash(node).0 == header.state_root);
    let hash = header.hash();
    let short = check(&file, (header, nodes), hash);
    assert!(matches!(short, Err(ProofError::AboutElse { .. })));
    let folder = tempfile::tempdir().unwrap();
    let receipt = folder.path().join("receipt.json");
    let trust = Trust::Genesis(file.genesis);
    let none = by_file(&receipt, None, &file, trust);
    assert!(matches!(none, Err(ProofError::Read(_))));
    let path = folder.path().join("proof");
    std::fs::write(&path, "{}").unwrap();
    let nonsense = by_file(&receipt, Some(&path), &file, trust);
    assert!(matches!(nonsense, Err(ProofError::NotAProof { .. })));
}

#[test]
fn a_trusted_header_is_named_by_its_hash_or_by_a_file() {
    let (header, _) = block(7, &values(&file()));
    let hash = header.hash();
    assert_eq!(trusted_header(&hash.to_string()).unwrap(), hash);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("header");
    let named = path.to_str().unwrap();
    let encoded = hex::encode(header.encode());
    for text in [
        hash.to_string(),
        format!("\"{hash}\"\n"),
        format!("0x{encoded}\n"),
        encoded,
    ] {
        std::fs::write(&path, &text).unwrap();
        assert_eq!(trusted_header(named).unwrap(), hash, "{text}");
    }
    std::fs::write(&path, "0x1234").unwrap();
    let broken = trusted_header(named);
    assert!(matches!(broken, Err(ProofError::BrokenHeader { .. })));
    std::fs::write(&path, "a header").unwrap();
    let text = trusted_header(named);
    assert!(matches!(text, Err(ProofError::NotAHeader { .. })));
    let nowhere = trusted_header("/nowhere/at/all");
    assert!(matches!(nowhere, Err(ProofError::Read(_))));
}
