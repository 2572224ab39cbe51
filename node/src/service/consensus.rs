//! A node's part in consensus: making blocks (BABE) and making them final (GRANDPA).

use super::{BabeImport, Client, GrandpaLink, Inherents, Pool, SelectChain};
use quern_primitives::BlockNumber;
use quern_runtime::opaque::Block;
use sc_consensus_babe::{BabeLink, SlotProportion};
use sc_consensus_grandpa::{SharedVoterState, VotingRule, VotingRulesBuilder};
use sc_consensus_slots::BackoffAuthoringOnFinalizedHeadLagging;
use sc_network::{
    ProtocolName,
    config::Role,
    service::traits::{NetworkService, NotificationService},
};
use sc_network_sync::SyncingService;
use sc_service::{ChainType, Configuration, TaskManager, error::Error as ServiceError};
use sc_telemetry::TelemetryHandle;
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use sp_keystore::KeystorePtr;
use std::{sync::Arc, time::Duration};
use substrate_prometheus_endpoint::Registry;

/// The part of a slot in which its author fills the block. The rest is for the others to receive
/// and run it.
const PROPOSAL_PORTION: f32 = 0.5;

/// Blocks between two finality proofs that are kept, at most.
pub(super) const JUSTIFICATION_PERIOD_BLOCKS: u32 = 512;

/// The time a finality vote may need to reach all validators. Votes wait for multiples of it.
const GOSSIP_DURATION: Duration = Duration::from_millis(333);

/// The same on a development chain, whose validator has nobody to wait for.
const GOSSIP_DURATION_DEVELOPMENT: Duration = Duration::from_millis(50);

/// What the operator wants the node to do.
pub(super) struct Duties {
    role: Role,
    name: String,
    force_authoring: bool,
    vote: bool,
    development: bool,
}

impl Duties {
    /// As configured.
    pub(super) fn of(config: &Configuration) -> Self {
        Self {
            role: config.role,
            name: config.network.node_name.clone(),
            force_authoring: config.force_authoring,
            vote: !config.disable_grandpa,
            development: config.chain_spec.chain_type() == ChainType::Development,
        }
    }
}

/// A node that is connected to the others.
pub(super) struct Node {
    pub(super) client: Arc<Client>,
    pub(super) keystore: KeystorePtr,
    pub(super) pool: Arc<Pool>,
    pub(super) select_chain: SelectChain,
    pub(super) network: Arc<dyn NetworkService>,
    pub(super) sync: Arc<SyncingService<Block>>,
    pub(super) registry: Option<Registry>,
    pub(super) telemetry: Option<TelemetryHandle>,
    pub(super) duties: Duties,
}

impl Node {
    /// Makes blocks from now on, if it is an authority.
    pub(super) fn author(
        &self,
        tasks: &TaskManager,
        block_import: BabeImport,
        babe_link: BabeLink<Block>,
        create_inherent_data_providers: Inherents,
    ) -> Result<(), ServiceError> {
        if !self.duties.role.is_authority() {
            return Ok(());
        }
        let env = sc_basic_authorship::ProposerFactory::new(
            tasks.spawn_handle(),
            self.client.clone(),
            self.pool.clone(),
            self.registry.as_ref(),
            self.telemetry.clone(),
        );
        // Blocks that cannot be made final pile up in memory, so authors slow down when finality
        // falls behind.
        let backoff = BackoffAuthoringOnFinalizedHeadLagging::<BlockNumber>::default();
        let author = sc_consensus_babe::start_babe(sc_consensus_babe::BabeParams {
            keystore: self.keystore.clone(),
            client: self.client.clone(),
            select_chain: self.select_chain.clone(),
            env,
            block_import,
            sync_oracle: self.sync.clone(),
            justification_sync_link: self.sync.clone(),
            create_inherent_data_providers,
            force_authoring: self.duties.force_authoring,
            backoff_authoring_blocks: Some(backoff),
            babe_link,
            block_proposal_slot_portion: SlotProportion::new(PROPOSAL_PORTION),
            max_block_proposal_slot_portion: None,
            telemetry: self.telemetry.clone(),
        })?;
        tasks
            .spawn_essential_handle()
            .spawn_blocking("babe", Some("consensus"), author);
        Ok(())
    }

    /// Takes part in finality from now on: votes if it is an authority, listens otherwise.
    pub(super) fn vote(
        &self,
        tasks: &TaskManager,
        link: GrandpaLink,
        protocol_name: ProtocolName,
        notification_service: Box<dyn NotificationService>,
        shared_voter_state: SharedVoterState,
    ) -> Result<(), ServiceError> {
        if !self.duties.vote {
            return Ok(());
        }
        let config = sc_consensus_grandpa::Config {
            gossip_duration: self.gossip_duration(),
            justification_generation_period: JUSTIFICATION_PERIOD_BLOCKS,
            observer_enabled: false,
            local_role: self.duties.role,
            name: Some(self.duties.name.clone()),
            keystore: self
                .duties
                .role
                .is_authority()
                .then(|| self.keystore.clone()),
            telemetry: self.telemetry.clone(),
            protocol_name,
        };
        let voter = sc_consensus_grandpa::run_grandpa_voter(sc_consensus_grandpa::GrandpaParams {
            config,
            link,
            network: self.network.clone(),
            sync: self.sync.clone(),
            notification_service,
            voting_rule: self.voting_rule(),
            prometheus_registry: self.registry.clone(),
            shared_voter_state,
            telemetry: self.telemetry.clone(),
            offchain_tx_pool_factory: OffchainTransactionPoolFactory::new(self.pool.clone()),
        })?;
        tasks
            .spawn_essential_handle()
            .spawn_blocking("grandpa", Some("consensus"), voter);
        Ok(())
    }

    /// Which blocks to vote for. Several validators hold back from the newest blocks, because these
    /// may still lose to another branch; a development chain has one validator and one branch.
    fn voting_rule(&self) -> impl VotingRule<Block, Client> + Clone + use<> {
        let rules = if self.duties.development {
            VotingRulesBuilder::new()
        } else {
            VotingRulesBuilder::default()
        };
        rules.build()
    }

    fn gossip_duration(&self) -> Duration {
        if self.duties.development {
            GOSSIP_DURATION_DEVELOPMENT
        } else {
            GOSSIP_DURATION
        }
    }
}
