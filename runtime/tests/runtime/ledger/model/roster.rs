//! Masternodes, bans, verified devices.

use super::{Answer, Fee, Ledger, Sender, need};
use quern_primitives::{AccountId, DeviceId};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
pub(crate) enum Call {
    AddMasternode(AccountId),
    RemoveMasternode(AccountId),
    PublishEndpoints {
        network_key: DeviceId,
        device_addresses: Vec<Vec<u8>>,
        jobs_api: Vec<u8>,
    },
    Ban(AccountId),
    LiftBan(AccountId),
    VerifyDevice(DeviceId),
    UnverifyDevice(DeviceId),
}

impl Call {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::AddMasternode(_) => "roster.add_masternode",
            Self::RemoveMasternode(_) => "roster.remove_masternode",
            Self::PublishEndpoints { .. } => "roster.publish_endpoints",
            Self::Ban(_) => "roster.ban",
            Self::LiftBan(_) => "roster.lift_ban",
            Self::VerifyDevice(_) => "roster.verify_device",
            Self::UnverifyDevice(_) => "roster.unverify_device",
        }
    }
}

#[derive(Default)]
pub(crate) struct Roster {
    pub(crate) masternodes: BTreeSet<AccountId>,
    /// Those that can be reached, each with the network key it published last.
    pub(crate) reachable: BTreeMap<AccountId, DeviceId>,
    pub(crate) banned: BTreeSet<AccountId>,
    pub(crate) verified: BTreeSet<DeviceId>,
}

impl Roster {
    pub(crate) fn new(masternodes: &[AccountId]) -> Self {
        Self {
            masternodes: masternodes.iter().cloned().collect(),
            ..Self::default()
        }
    }
}

pub(super) fn answer(ledger: &mut Ledger, sender: &Sender, call: &Call) -> Answer {
    let roster = &mut ledger.roster;
    if let Call::PublishEndpoints {
        network_key,
        device_addresses,
        jobs_api,
    } = call
    {
        let account = sender.account()?;
        need(roster.masternodes.contains(&account), "NotMasternode")?;
        need(!network_key.is_small_order(), "WeakNetworkKey")?;
        need(!device_addresses.is_empty(), "NoDeviceAddress")?;
        for address in device_addresses.iter().chain([jobs_api]) {
            need(!address.is_empty(), "EmptyAddress")?;
            need(String::from_utf8(address.clone()).is_ok(), "AddressNotUtf8")?;
        }
        roster.reachable.insert(account, *network_key);
        return Ok(Fee::Charged);
    }
    sender.council()?;
    match call {
        Call::PublishEndpoints { .. } => {}
        Call::AddMasternode(account) => {
            need(!roster.banned.contains(account), "MasternodeIsBanned")?;
            let added = roster.masternodes.insert(account.clone());
            need(added, "AlreadyMasternode")?;
        }
        Call::RemoveMasternode(account) => {
            need(roster.masternodes.contains(account), "NotMasternode")?;
            need(roster.masternodes.len() > 1, "LastMasternode")?;
            roster.masternodes.remove(account);
            roster.reachable.remove(account);
        }
        Call::Ban(account) => {
            need(!roster.masternodes.contains(account), "BannedIsMasternode")?;
            need(roster.banned.insert(account.clone()), "AlreadyBanned")?;
        }
        Call::LiftBan(account) => need(roster.banned.remove(account), "NotBanned")?,
        Call::VerifyDevice(device) => need(roster.verified.insert(*device), "AlreadyVerified")?,
        Call::UnverifyDevice(device) => need(roster.verified.remove(device), "NotVerified")?,
    }
    Ok(Fee::Charged)
}
