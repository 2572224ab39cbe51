//! Where a masternode is reached.

use crate::{Config, Error};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{BoundedVec, ensure, traits::ConstU32};
use quern_primitives::{
    AccountId, DeviceId, SealingKey,
    limits::{ADDRESS_BYTES_MAX, ADDRESSES_PER_MASTERNODE_MAX},
    view::MasternodeView,
};
use scale_info::TypeInfo;

/// A multiaddr or a URL, as UTF-8.
pub type Address = BoundedVec<u8, ConstU32<ADDRESS_BYTES_MAX>>;

/// What a masternode publishes of itself.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct Endpoints {
    /// The Ed25519 key its connections are authenticated by.
    pub network_key: DeviceId,
    /// The X25519 key to which owners seal their delegated job keys.
    pub sealing_key: SealingKey,
    /// Where devices reach it: multiaddrs, at least one.
    pub device_addresses: BoundedVec<Address, ConstU32<ADDRESSES_PER_MASTERNODE_MAX>>,
    /// Where owners reach its Jobs API: a URL.
    pub jobs_api: Address,
}

impl Endpoints {
    /// Whether there is something to dial, and a key that tells who answers. Lengths are bounded by the
    /// types.
    pub(crate) fn check<T: Config>(&self) -> Result<(), Error<T>> {
        ensure!(!self.network_key.is_small_order(), Error::WeakNetworkKey);
        ensure!(!self.device_addresses.is_empty(), Error::NoDeviceAddress);
        for address in self.device_addresses.iter().chain([&self.jobs_api]) {
            ensure!(!address.is_empty(), Error::EmptyAddress);
            ensure!(core::str::from_utf8(address).is_ok(), Error::AddressNotUtf8);
        }
        Ok(())
    }

    /// As clients are told.
    pub(crate) fn into_view(self, account: AccountId) -> MasternodeView {
        let addresses: Vec<Address> = self.device_addresses.into_inner();
        MasternodeView {
            account,
            network_key: self.network_key,
            sealing_key: self.sealing_key,
            device_addresses: addresses.into_iter().map(BoundedVec::into_inner).collect(),
            jobs_api: self.jobs_api.into_inner(),
        }
    }
}
