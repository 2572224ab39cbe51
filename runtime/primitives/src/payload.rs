//! What is signed. A signature is made over the digest of a domain tag, the chain's genesis hash
//! and the payload's SCALE encoding, so that what was signed for one purpose or one chain means
//! nothing for another.

use crate::ids::{DeviceId, GenesisHash};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sha2::{Digest as _, Sha256};

/// A thing that is signed, with the tag that says for what.
pub trait SignedPayload: Encode {
    /// What the signature is for, such as `quern/receipt/1`. Changes with the payload's shape.
    const DOMAIN: &'static str;

    /// The 32 bytes that are signed: SHA-256 over the tag's length (one byte) and bytes, the
    /// genesis hash and the encoded payload.
    fn signing_digest(&self, genesis: &GenesisHash) -> [u8; 32] {
        let mut hasher = Sha256::new();
        // No tag is nearly as long.
        hasher.update([u8::try_from(Self::DOMAIN.len()).unwrap_or(u8::MAX)]);
        hasher.update(Self::DOMAIN.as_bytes());
        hasher.update(genesis.0);
        self.using_encoded(|encoded| hasher.update(encoded));
        hasher.finalize().into()
    }
}

/// An Ed25519 signature of a device.
#[derive(
    Clone, Copy, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct DeviceSignature(pub [u8; 64]);

impl core::fmt::Debug for DeviceSignature {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(feature = "std")]
impl serde::Serialize for DeviceSignature {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{self:?}"))
    }
}

#[cfg(feature = "std")]
impl<'de> serde::Deserialize<'de> for DeviceSignature {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let digits = text.strip_prefix("0x").unwrap_or(&text);
        let (Some(first), Some(second)) = (digits.get(..64), digits.get(64..)) else {
            return Err(D::Error::custom("expected 128 hexadecimal digits"));
        };
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&crate::ids::parse_hex32(first).map_err(D::Error::custom)?);
        bytes[32..].copy_from_slice(&crate::ids::parse_hex32(second).map_err(D::Error::custom)?);
        Ok(Self(bytes))
    }
}

/// A payload and a device's signature over it.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Signed<P> {
    /// What was signed.
    pub payload: P,
    /// The signature over [`SignedPayload::signing_digest`].
    pub signature: DeviceSignature,
}

impl<P: SignedPayload> Signed<P> {
    /// Whether `signer` signed this payload for the chain with this genesis.
    pub fn is_signed_by(&self, signer: &DeviceId, genesis: &GenesisHash) -> bool {
        verify(
            &self.signature,
            &self.payload.signing_digest(genesis),
            signer,
        )
    }
}

/// Whether `signature` is `signer`'s over `digest`. Clients use this; the runtime passes the same
/// digest to the host's faster verification.
pub fn verify(signature: &DeviceSignature, digest: &[u8; 32], signer: &DeviceId) -> bool {
    use sp_core::{Pair, ed25519};
    ed25519::Pair::verify(
        &ed25519::Signature::from_raw(signature.0),
        digest,
        &ed25519::Public::from_raw(signer.0),
    )
}

/// A device's key, which never leaves the device.
#[cfg(feature = "std")]
#[derive(Clone)]
pub struct DeviceKey(sp_core::ed25519::Pair);

#[cfg(feature = "std")]
impl DeviceKey {
    /// The key of a 32-byte secret seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        use sp_core::Pair;
        Self(sp_core::ed25519::Pair::from_seed(seed))
    }

    /// The public half, which is the device's name.
    pub fn id(&self) -> DeviceId {
        use sp_core::Pair;
        DeviceId(self.0.public().0)
    }

    /// Signs a payload for the chain with this genesis.
    pub fn sign<P: SignedPayload>(&self, payload: P, genesis: &GenesisHash) -> Signed<P> {
        use sp_core::Pair;
        let signature = DeviceSignature(self.0.sign(&payload.signing_digest(genesis)).0);
        Signed { payload, signature }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Encode)]
    struct Promise(u32);
    impl SignedPayload for Promise {
        const DOMAIN: &'static str = "quern/test-promise/1";
    }

    #[derive(Clone, Encode)]
    struct Threat(u32);
    impl SignedPayload for Threat {
        const DOMAIN: &'static str = "quern/test-threat/1";
    }

    const HERE: GenesisHash = GenesisHash([1; 32]);
    const ELSEWHERE: GenesisHash = GenesisHash([2; 32]);

    #[test]
    fn a_signature_holds_for_its_payload_signer_and_chain_only() {
        let key = DeviceKey::from_seed(&[7; 32]);
        let other = DeviceKey::from_seed(&[8; 32]);
        let signed = key.sign(Promise(1), &HERE);
        assert!(signed.is_signed_by(&key.id(), &HERE));
        assert!(!signed.is_signed_by(&key.id(), &ELSEWHERE));
        assert!(!signed.is_signed_by(&other.id(), &HERE));
        let changed = Signed {
            payload: Promise(2),
            signature: signed.signature,
        };
        assert!(!changed.is_signed_by(&key.id(), &HERE));
    }

    #[test]
    fn a_signature_for_one_purpose_means_nothing_for_another() {
        let key = DeviceKey::from_seed(&[7; 32]);
        let promise = key.sign(Promise(1), &HERE);
        let threat = Signed {
            payload: Threat(1),
            signature: promise.signature,
        };
        assert!(!threat.is_signed_by(&key.id(), &HERE));
    }
}
