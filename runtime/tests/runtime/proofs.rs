//! Proofs of the chain as `quern-light` checks them, against what runtime and SDK make.

use crate::chain::Chain;
use codec::{Decode, Encode};
use frame_support::{storage::StoragePrefixedMap as _, traits::tokens::IdAmount};
use quern_light::{
    AuthorityId, AuthoritySet, BlockHash, Finality, Follower, Justification, TrieProof, ValueFault,
    body::extrinsics_root, chain_proof::follower_of, justification::Precommit, keys, money,
};
use quern_primitives::{AccountId, Amount, DeviceId, JobId, job::Job};
use quern_runtime::{
    Balances, Header, Runtime, RuntimeHoldReason, System, VERSION, genesis::LOCAL,
};
use sp_consensus_grandpa::{
    AuthoritySignature, ConsensusLog, GRANDPA_ENGINE_ID, GrandpaJustification, Message,
    ScheduledChange, check_message_signature,
};
use sp_core::{H256, Pair, ed25519};
use sp_runtime::{
    Digest, DigestItem, StateVersion,
    traits::{BlakeTwo256, Hash as _, Header as _},
};

#[test]
fn transactions_are_under_the_root_that_is_computed_from_them() {
    assert_eq!(VERSION.extrinsics_root_state_version(), StateVersion::V0);
    let held: Vec<_> = (0..200u8).map(|it| vec![it; it.into()].encode()).collect();
    let computed = extrinsics_root(held.iter().map(Vec::as_slice));
    let version = VERSION.extrinsics_root_state_version();
    assert_eq!(BlakeTwo256::ordered_trie_root(held, version).0, computed);
}

#[test]
fn the_keys_of_proofs_are_the_runtime_s_own() {
    let (job, device, account) = (JobId([1; 32]), DeviceId([2; 32]), AccountId::new([3; 32]));
    let own = [
        (
            keys::job(&job),
            quern_jobs::Jobs::<Runtime>::hashed_key_for(job),
        ),
        (
            keys::batch(&job, 7),
            quern_jobs::Batches::<Runtime>::hashed_key_for(job, 7),
        ),
        (
            keys::job_totals(),
            quern_jobs::Totals::<Runtime>::hashed_key().to_vec(),
        ),
        (
            keys::device(&device),
            quern_workforce::Devices::<Runtime>::hashed_key_for(device),
        ),
        (
            keys::bond(&account),
            quern_workforce::Bonds::<Runtime>::hashed_key_for(&account),
        ),
        (
            keys::pending_batch(&job, 7),
            quern_jobs::Pending::<Runtime>::hashed_key_for(job, 7),
        ),
        (
            keys::pending_list(&job),
            quern_jobs::PendingOf::<Runtime>::hashed_key_for(job),
        ),
        (
            keys::group(&job),
            quern_jobs::Groups::<Runtime>::hashed_key_for(job),
        ),
        (
            keys::banned(&account),
            quern_roster::BannedAccounts::<Runtime>::hashed_key_for(&account),
        ),
        (
            keys::params(),
            quern_params::Current::<Runtime>::hashed_key().to_vec(),
        ),
        (
            keys::jobs(),
            quern_jobs::Jobs::<Runtime>::final_prefix().to_vec(),
        ),
        (
            keys::batches(),
            quern_jobs::Batches::<Runtime>::final_prefix().to_vec(),
        ),
        (
            keys::pending_lists(),
            quern_jobs::PendingOf::<Runtime>::final_prefix().to_vec(),
        ),
        (
            keys::settled_tasks(),
            quern_jobs::SettledTasks::<Runtime>::final_prefix().to_vec(),
        ),
        (
            keys::accounts(),
            frame_system::Account::<Runtime>::final_prefix().to_vec(),
        ),
        (
            keys::all_holds(),
            pallet_balances::Holds::<Runtime>::final_prefix().to_vec(),
        ),
        (
            keys::total_bonded(),
            quern_workforce::TotalBonded::<Runtime>::hashed_key().to_vec(),
        ),
        (
            keys::account(&account),
            frame_system::Account::<Runtime>::hashed_key_for(&account),
        ),
        (
            keys::genesis(),
            frame_system::BlockHash::<Runtime>::hashed_key_for(0),
        ),
        (
            keys::holds(&account),
            pallet_balances::Holds::<Runtime>::hashed_key_for(&account),
        ),
        (
            keys::total_issuance(),
            pallet_balances::TotalIssuance::<Runtime>::hashed_key().to_vec(),
        ),
        (
            keys::genesis_issuance(),
            quern_bytechip::GenesisIssuance::<Runtime>::hashed_key().to_vec(),
        ),
        (
            keys::total_bonded_by_masternodes(),
            quern_roster::TotalBonded::<Runtime>::hashed_key().to_vec(),
        ),
        (
            keys::held_for_disputes(),
            quern_disputes::TotalHeld::<Runtime>::hashed_key().to_vec(),
        ),
        (
            keys::custody_totals(),
            quern_custody::Totals::<Runtime>::hashed_key().to_vec(),
        ),
        (
            keys::held_for_challenges(),
            quern_custody::TotalPutUp::<Runtime>::hashed_key().to_vec(),
        ),
        (
            keys::minted(),
            quern_bytechip::Minted::<Runtime>::hashed_key().to_vec(),
        ),
        (
            keys::burnt(),
            quern_bytechip::Burnt::<Runtime>::hashed_key().to_vec(),
        ),
        (
            keys::held_for_payouts(),
            quern_bytechip::Held::<Runtime>::hashed_key().to_vec(),
        ),
        (
            keys::authorities(),
            pallet_grandpa::Authorities::<Runtime>::hashed_key().to_vec(),
        ),
        (
            keys::authority_set_id(),
            pallet_grandpa::CurrentSetId::<Runtime>::hashed_key().to_vec(),
        ),
    ];
    for (place, (light, runtime)) in own.into_iter().enumerate() {
        assert_eq!(light, runtime, "{place}");
    }
}

#[test]
fn accounts_and_what_is_held_on_them_are_read_as_the_runtime_writes_them() {
    let data = pallet_balances::AccountData {
        free: 7_u128,
        reserved: 8,
        frozen: 9,
        ..Default::default()
    };
    let known = frame_system::AccountInfo {
        nonce: 1_u32,
        consumers: 2,
        providers: 3,
        sufficients: 4,
        data,
    };
    let read = money::account(&known.encode()).unwrap();
    assert_eq!((read.free, read.reserved), (7, 8));
    let reasons: [(RuntimeHoldReason, &str); 7] = [
        (quern_jobs::HoldReason::Escrow.into(), "Jobs"),
        (quern_workforce::HoldReason::Bond.into(), "Workforce"),
        (quern_roster::HoldReason::Bond.into(), "Roster"),
        (quern_bytechip::HoldReason::Payout.into(), "Bytechip"),
        (quern_disputes::HoldReason::Dispute.into(), "Disputes"),
        (quern_custody::HoldReason::Contract.into(), "Custody"),
        (quern_custody::HoldReason::Challenge.into(), "Custody"),
    ];
    let held: Vec<_> = (1_u32..)
        .zip(&reasons)
        .map(|(amount, (id, _))| IdAmount {
            id: *id,
            amount: Amount::from(amount),
        })
        .collect();
    let read = money::holds(&held.encode()).unwrap();
    let expected: Vec<_> = (1_u32..)
        .zip(&reasons)
        .map(|(amount, (_, pallet))| (pallet.to_string(), Amount::from(amount)))
        .collect();
    let read: Vec<_> = read
        .into_iter()
        .map(|held| (held.pallet(), held.amount))
        .collect();
    assert_eq!(read, expected);
    let keys = RuntimeHoldReason::from(pallet_session::HoldReason::Keys).encode();
    assert_eq!(money::Held::new([keys[0], keys[1]], 1).pallet(), "Session");
}

#[test]
fn what_the_runtime_keeps_is_proven_under_its_header_and_nothing_else() {
    let mut chain = Chain::start(LOCAL);
    chain.blocks(3);
    let (genesis, issued) = chain.read(|| (System::block_hash(0), Balances::total_issuance()));
    let nowhere = keys::job(&JobId([9; 32]));
    let asked = [
        keys::genesis(),
        keys::total_issuance(),
        keys::authorities(),
        keys::authority_set_id(),
        nowhere.clone(),
    ];
    let (header, nodes) = chain.prove(&asked);
    let light = quern_light::Header::read(&header.encode()).unwrap();
    assert_eq!(light.hash().0, header.hash().0);
    assert_eq!(light.number, 3);

    let state = TrieProof::new(light.state_root, nodes.clone()).unwrap();
    let of = |key: &[u8]| state.value::<Amount>(key);
    assert_eq!(of(&keys::total_issuance()).unwrap(), Some(issued));
    assert_eq!(
        state.value::<[u8; 32]>(&keys::genesis()).unwrap(),
        Some(genesis.0)
    );
    assert_eq!(state.value::<Job>(&nowhere).unwrap(), None);
    let unasked = of(&keys::batch(&JobId([9; 32]), 0));
    assert!(matches!(unasked, Ok(None) | Err(ValueFault::Missing)));

    let validators = follower_of(&light, nodes.clone()).unwrap();
    assert_eq!((validators.set().id(), validators.set().len()), (0, 4));
    // The state of another block has other roots, and these nodes are none of it.
    chain.blocks(1);
    let (later, _) = chain.prove(&asked);
    assert!(TrieProof::new(later.state_root.0, nodes).is_err());
}

/// A header of the SDK that tells of a change of the validators.
fn telling(next: &ed25519::Pair) -> Header {
    let change = ConsensusLog::ScheduledChange(ScheduledChange {
        next_authorities: vec![(next.public().into(), 1)],
        delay: 0_u32,
    });
    let logs = vec![
        DigestItem::PreRuntime(*b"BABE", vec![1; 40]),
        DigestItem::Consensus(GRANDPA_ENGINE_ID, change.encode()),
        DigestItem::RuntimeEnvironmentUpdated,
        DigestItem::Other(vec![2; 3]),
        DigestItem::Seal(*b"BABE", vec![3; 64]),
    ];
    let [extrinsics, state, parent] = [4, 5, 6].map(H256::repeat_byte);
    Header::new(9, extrinsics, state, parent, Digest { logs })
}

#[test]
fn justifications_and_changes_are_those_of_the_sdk() {
    let keys = [1, 2].map(|seed| ed25519::Pair::from_seed(&[seed; 32]));
    let header = telling(&keys[1]);
    let light = quern_light::Header::read(&header.encode()).unwrap();
    assert_eq!(light.encode(), header.encode());
    let (target, number, round, set) = (light.hash(), light.number, 5, 8);
    assert_eq!(target, BlockHash(header.hash().0));
    let signed = Precommit::signed(&target, number, round, set);
    let justification = Justification {
        round,
        target,
        number,
        precommits: vec![Precommit {
            target,
            number,
            signature: keys[0].sign(&signed).0,
            id: AuthorityId(keys[0].public().0),
        }],
        headers: vec![light.clone()],
    };

    let mut bytes = &justification.encode()[..];
    let sdk = GrandpaJustification::<Header>::decode(&mut bytes).unwrap();
    assert!(bytes.is_empty());
    assert_eq!((sdk.round, sdk.commit.target_number), (round, number));
    assert_eq!(sdk.votes_ancestries, vec![header]);
    let vote = &sdk.commit.precommits[0];
    let signature: &AuthoritySignature = &vote.signature;
    let message = Message::<Header>::Precommit(vote.precommit.clone());
    let checked = check_message_signature(&message, &vote.id, signature, round, set);
    assert!(checked.is_valid());

    let alone = Justification {
        headers: Vec::new(),
        ..justification
    };
    let first = AuthoritySet::new(set, vec![(AuthorityId(keys[0].public().0), 1)]).unwrap();
    let mut follower = Follower::new(first, 0);
    let finality = Finality {
        block: target,
        justification: alone.encode(),
        headers: Vec::new(),
    };
    follower.finality(&light, &finality).unwrap();
    follower.hand_over(&light, &alone.encode()).unwrap();
    let next = AuthorityId(keys[1].public().0);
    assert_eq!(
        (follower.set().id(), follower.set().weight(&next)),
        (9, Some(1))
    );
}
