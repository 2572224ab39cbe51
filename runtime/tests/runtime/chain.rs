//! A chain in memory: the runtime makes blocks as an author's node has it make them, and runs each
//! of them again from its parent's state as every other node does. No network, no Wasm, no clock.

use codec::Encode;
use frame_support::storage::{TransactionOutcome, with_transaction_unchecked};
use pallet_transaction_payment::ChargeTransactionPayment;
use quern_primitives::Amount;
use quern_runtime::{
    Address, Babe, Balances, Block, Bytechip, Custody, Disputes, Executive, Finality, Header, Jobs,
    Nonce, Params, Roster, Runtime, RuntimeCall, RuntimeEvent, SignedPayload, System,
    TransactionExtensions, UncheckedExtrinsic, VERSION, Workforce, weights::SLOT_MILLIS,
};
use serde_json::Value;
use sp_consensus_babe::{
    BABE_ENGINE_ID, Slot,
    digests::{PreDigest, SecondaryVRFPreDigest},
    make_vrf_sign_data,
};
use sp_core::{H256, Pair, crypto::VrfSecret};
use sp_io::TestExternalities;
use sp_keyring::Sr25519Keyring;
use sp_runtime::{
    ApplyExtrinsicResult, Digest, DigestItem, MultiSignature, StateVersion,
    generic::Era,
    traits::{Block as _, Header as _},
};

/// The slot of the first block: any number that is not zero.
pub(crate) const FIRST_SLOT: u64 = 1_000;

/// A chain.
pub(crate) struct Chain {
    author: TestExternalities,
    other: TestExternalities,
    head: Header,
    slot: u64,
}

impl Chain {
    /// A chain with a preset's genesis.
    pub(crate) fn start(preset: &str) -> Self {
        let mut author = genesis_state(preset);
        let state_root = author.execute_with(|| sp_io::storage::root(StateVersion::V1));
        let root = H256::from_slice(&state_root);
        let head = Header::new(0, H256::zero(), root, H256::zero(), Digest::default());
        Self {
            author,
            other: genesis_state(preset),
            head,
            slot: FIRST_SLOT,
        }
    }

    /// Reads the state after the newest block.
    pub(crate) fn read<T>(&mut self, read: impl FnOnce() -> T) -> T {
        self.author.execute_with(read)
    }

    /// The newest block's header, and nodes of the state after it that prove what is at these keys.
    pub(crate) fn prove(&mut self, keys: &[Vec<u8>]) -> (Header, Vec<Vec<u8>>) {
        let read = || keys.iter().for_each(|key| drop(sp_io::storage::get(key)));
        let ((), proof) = self.author.execute_and_prove(read);
        (self.head.clone(), proof.into_iter_nodes().collect())
    }

    /// The events of the newest block.
    pub(crate) fn events(&mut self) -> Vec<RuntimeEvent> {
        self.read(|| {
            System::events()
                .into_iter()
                .map(|record| record.event)
                .collect()
        })
    }

    /// Makes the next block with these calls, each signed by its account, and checks the chain's
    /// invariants after it. Tells what became of each call.
    pub(crate) fn block(
        &mut self,
        calls: Vec<(Sr25519Keyring, RuntimeCall)>,
    ) -> Vec<ApplyExtrinsicResult> {
        self.block_of(calls.into_iter().map(|(signer, call)| signed(signer, call)))
    }

    /// The same with transactions as somebody sends them, each asked for when those before it ran.
    pub(crate) fn block_of(
        &mut self,
        sent: impl IntoIterator<Item = UncheckedExtrinsic>,
    ) -> Vec<ApplyExtrinsicResult> {
        let header = self.next_header();
        let (block, results) = self.author.execute_with(|| make(&header, self.slot, sent));
        self.author.commit_all().unwrap();
        self.other
            .execute_with(|| Executive::execute_block(block.clone().into()));
        self.other.commit_all().unwrap();
        self.head = block.header().clone();
        self.slot += 1;
        self.read(check_invariants);
        results
    }

    /// Makes the next block with one call, and expects that it does what it should.
    pub(crate) fn does(&mut self, signer: Sr25519Keyring, call: impl Into<RuntimeCall>) {
        let results = self.block(vec![(signer, call.into())]);
        assert_eq!(results, vec![Ok(Ok(()))]);
    }

    /// Makes the next block with a call that Alice, who is the whole council, makes in its name.
    pub(crate) fn decide(&mut self, call: impl Into<RuntimeCall>) {
        let proposal = Box::new(call.into());
        let length_bound = proposal.encoded_size() as u32;
        let propose = pallet_collective::Call::propose {
            threshold: 1,
            proposal,
            length_bound,
        };
        self.does(Sr25519Keyring::Alice, RuntimeCall::Council(propose));
    }

    /// Makes empty blocks until the window of every batch settled so far is past.
    pub(crate) fn pass_window(&mut self) {
        let due = self.read(|| Finality::clock() + Params::current().window_blocks);
        while self.read(Finality::clock) < due {
            self.blocks(1);
        }
    }

    /// Makes empty blocks.
    pub(crate) fn blocks(&mut self, count: u32) {
        (0..count).for_each(|_| assert!(self.block(Vec::new()).is_empty()));
    }

    fn next_header(&mut self) -> Header {
        let pre_digest = self.author.execute_with(|| pre_digest(self.slot.into()));
        let log = DigestItem::PreRuntime(BABE_ENGINE_ID, pre_digest.encode());
        Header::new(
            self.head.number + 1,
            H256::zero(),
            H256::zero(),
            self.head.hash(),
            Digest { logs: vec![log] },
        )
    }
}

/// What a preset's genesis writes, the way nodes have it written: by the runtime, from JSON.
pub(crate) fn genesis_state(preset: &str) -> TestExternalities {
    use sp_genesis_builder::runtime_decl_for_genesis_builder::GenesisBuilder;
    let json = |id: Option<String>| -> Value {
        serde_json::from_slice(&Runtime::get_preset(&id).unwrap()).unwrap()
    };
    let mut config = json(None);
    merge(&mut config, json(Some(preset.into())));
    let mut state = TestExternalities::default();
    state.execute_with(|| Runtime::build_state(config.to_string().into_bytes()).unwrap());
    state.commit_all().unwrap();
    state
}

fn merge(config: &mut Value, patch: Value) {
    match (config, patch) {
        (Value::Object(config), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(config.entry(key).or_insert(Value::Null), value);
            }
        }
        (config, patch) => *config = patch,
    }
}

/// The claim of an authority on a slot, with the VRF output that its key gives. They take turns.
pub(crate) fn pre_digest(slot: Slot) -> PreDigest {
    let next = Babe::next_epoch();
    let started = *pallet_babe::GenesisSlot::<Runtime>::get() != 0;
    let epoch = if started && slot >= next.start_slot {
        next
    } else {
        Babe::current_epoch()
    };
    let turn = *slot % epoch.authorities.len() as u64;
    let authority = epoch.authorities[turn as usize].0.clone();
    let author = Sr25519Keyring::iter()
        .find(|key| key.public() == authority.clone().into_inner())
        .expect("the presets' authorities are well-known keys");
    let data = make_vrf_sign_data(&epoch.randomness, slot, epoch.epoch_index);
    PreDigest::SecondaryVRF(SecondaryVRFPreDigest {
        authority_index: turn as u32,
        slot,
        vrf_signature: author.pair().vrf_sign(&data),
    })
}

fn make(
    header: &Header,
    slot: u64,
    sent: impl IntoIterator<Item = UncheckedExtrinsic>,
) -> (Block, Vec<ApplyExtrinsicResult>) {
    Executive::initialize_block(header);
    let now = pallet_timestamp::Call::set {
        now: slot * SLOT_MILLIS,
    };
    // Each block is final when the next is made.
    let claim = quern_finality::Call::claim {
        height: header.number - 1,
    };
    let inherents: [RuntimeCall; 2] = [now.into(), claim.into()];
    let mut extrinsics = inherents.map(UncheckedExtrinsic::new_bare).to_vec();
    for inherent in &extrinsics {
        Executive::apply_extrinsic(inherent.clone())
            .unwrap()
            .unwrap();
    }
    let mut results = Vec::new();
    for extrinsic in sent {
        // As the author's node does: what is not let into the block leaves no trace in it.
        let result =
            with_transaction_unchecked(|| match Executive::apply_extrinsic(extrinsic.clone()) {
                Ok(outcome) => TransactionOutcome::Commit(Ok(outcome)),
                Err(refusal) => TransactionOutcome::Rollback(Err(refusal)),
            });
        if result.is_ok() {
            extrinsics.push(extrinsic);
        }
        results.push(result);
    }
    (Block::new(Executive::finalize_block(), extrinsics), results)
}

/// A call as its account sends it, at its turn and to this chain.
fn signed(signer: Sr25519Keyring, call: RuntimeCall) -> UncheckedExtrinsic {
    let turn = System::account_nonce(signer.to_account_id());
    signed_for(signer, call, turn, System::block_hash(0))
}

/// A call as its account sends it at some turn of its own, to the chain of some genesis.
pub(crate) fn signed_for(
    signer: Sr25519Keyring,
    call: RuntimeCall,
    turn: Nonce,
    genesis: H256,
) -> UncheckedExtrinsic {
    let extensions: TransactionExtensions = (
        frame_system::AuthorizeCall::new(),
        frame_system::CheckNonZeroSender::new(),
        frame_system::CheckSpecVersion::new(),
        frame_system::CheckTxVersion::new(),
        frame_system::CheckGenesis::new(),
        frame_system::CheckEra::from(Era::Immortal),
        frame_system::CheckNonce::from(turn),
        frame_system::CheckWeight::new(),
        ChargeTransactionPayment::from(0),
        frame_system::WeightReclaim::new(),
    );
    let (spec, format) = (VERSION.spec_version, VERSION.transaction_version);
    // The genesis is signed twice: for itself, and as the block that an immortal transaction names.
    let implicit = ((), (), spec, format, genesis, genesis, (), (), (), ());
    let payload = SignedPayload::from_raw(call, extensions, implicit);
    let signature = payload.using_encoded(|bytes| signer.pair().sign(bytes));
    let (call, extensions, _) = payload.deconstruct();
    UncheckedExtrinsic::new_signed(
        call,
        Address::Id(signer.to_account_id()),
        MultiSignature::Sr25519(signature),
        extensions,
    )
}

/// What holds after every block: each pallet's own invariants, and that money is conserved.
fn check_invariants() {
    Roster::do_try_state().unwrap();
    Bytechip::do_try_state().unwrap();
    Workforce::do_try_state().unwrap();
    Finality::do_try_state().unwrap();
    Jobs::do_try_state().unwrap();
    Disputes::do_try_state().unwrap();
    Custody::do_try_state().unwrap();
    Params::do_try_state().unwrap();
    let accounts = frame_system::Account::<Runtime>::iter_values();
    let held: Amount = accounts
        .map(|account| account.data.free + account.data.reserved)
        .sum();
    assert_eq!(
        held,
        Balances::total_issuance(),
        "the accounts hold all there is"
    );
    assert_eq!(
        Balances::total_issuance(),
        Bytechip::genesis_issuance() + Bytechip::minted() - Bytechip::burnt(),
    );
}
