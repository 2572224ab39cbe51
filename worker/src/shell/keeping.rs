//! Has pieces of others' data kept, if the machine's owner gives room for them.

use crate::{
    keeper::{self, Duties, Ears, KeeperConfig},
    kept::Elsewhere,
    settings::{Settings, Source},
    traffic::Traffic,
};
use quern_ledger::{Account, Chain};
use quern_primitives::{ids::GenesisHash, payload::DeviceKey};
use quern_transfer::Allowance;
use std::{fs, io, sync::Arc};
use tokio::sync::watch;

/// As whom pieces are kept.
pub(super) struct Keeper {
    pub(super) key: DeviceKey,
    pub(super) genesis: GenesisHash,
    /// The account that sends answers to the chain.
    pub(super) account: Option<Account>,
    pub(super) traffic: Traffic,
    /// Where pieces are read that are not where they were kept.
    pub(super) elsewhere: Option<Arc<dyn Elsewhere>>,
}

/// What those who keep pieces are told.
pub(super) struct Keeping {
    chain: watch::Sender<Option<Chain>>,
    allowance: watch::Sender<Allowance>,
    ears: Option<Ears>,
}

impl Keeping {
    /// Starts to keep pieces, with this chain and what may move now. Nothing is kept where settings give no room and nothing
    /// is here, or where they do not say where the chain is.
    pub(super) fn start(
        settings: &Settings,
        keeper: Keeper,
        (chain, allowance): (Option<Chain>, Allowance),
    ) -> io::Result<Self> {
        let mut keeping = Self {
            chain: watch::Sender::new(chain),
            allowance: watch::Sender::new(allowance),
            ears: None,
        };
        let folder = settings.data.join("kept");
        // What is held is kept and proved also when there is to be no room for more.
        let holds_some =
            fs::read_dir(folder.join("pieces")).is_ok_and(|mut it| it.next().is_some());
        if settings.pieces_bytes_max == 0 && !holds_some {
            return Ok(keeping);
        }
        if !matches!(settings.source, Source::Chain(_)) {
            tracing::warn!(
                "`limits.pieces_mib` gives room for pieces, and what is held only the chain knows: set `chain`, or none are kept"
            );
            return Ok(keeping);
        }
        let Keeper {
            key,
            genesis,
            account,
            traffic,
            elsewhere,
        } = keeper;
        let (facts, seen) = watch::channel(None);
        let device = key.id();
        let (ears, kept) = keeper::start(KeeperConfig {
            folder,
            elsewhere,
            bytes_max: settings.pieces_bytes_max,
            key,
            genesis,
            facts: seen,
            allowance: keeping.allowance.subscribe(),
            traffic,
        })?;
        let duties = Duties {
            device,
            kept,
            chain: keeping.chain.subscribe(),
            account,
            facts,
        };
        tokio::spawn(duties.run());
        keeping.ears = Some(ears);
        Ok(keeping)
    }

    /// What hears masternodes.
    pub(super) fn ears(&self) -> Option<Ears> {
        self.ears.clone()
    }

    /// A node has answered over this connection.
    pub(super) fn learn_chain(&self, chain: Option<Chain>) {
        if chain.is_some() {
            self.chain.send_replace(chain);
        }
    }

    /// So much may still move.
    pub(super) fn allow(&self, allowance: Allowance) {
        self.allowance.send_replace(allowance);
    }
}
