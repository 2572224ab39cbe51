//! What is signed. A signature is made over the digest of a domain tag, the chain's genesis hash
//! and the payload's SCALE encoding, so that what was signed for one purpose or one chain means
//! nothing for another.

use crate::{
    hash::sha256,
    ids::{DeviceId, GenesisHash, NodeKey},
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// A thing that is signed, with the tag that says for what.
pub trait SignedPayload: Encode {
    /// What the signature is for, such as `quern/receipt/3`. Changes with the payload's shape.
    const DOMAIN: &'static str;

    /// The 32 bytes that are signed: SHA-256 over the tag's length (one byte) and bytes, the
    /// genesis hash and the encoded payload.
    fn signing_digest(&self, genesis: &GenesisHash) -> [u8; 32] {
        self.using_encoded(|encoded| Self::signing_digest_of_encoded(encoded, genesis))
    }

    /// The same, for who has the payload as bytes and need not encode it again.
    fn signing_digest_of_encoded(encoded: &[u8], genesis: &GenesisHash) -> [u8; 32] {
        // No tag is nearly as long.
        let length = u8::try_from(Self::DOMAIN.len()).unwrap_or(u8::MAX);
        sha256(&[&[length], Self::DOMAIN.as_bytes(), &genesis.0, encoded])
    }
}

/// A signature that says by its type whose it is: what a device signed cannot stand where a
/// masternode's word is wanted.
pub trait Signature {
    /// Who makes such signatures, by name.
    type Signer;

    /// Whether it is `signer`'s over `digest`. Under a key of small order nothing is signed.
    fn holds(&self, digest: &[u8; 32], signer: &Self::Signer) -> bool;
}

macro_rules! signature {
    ($(#[$doc:meta])* $name:ident of $signer:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo,
            MaxEncodedLen,
        )]
        pub struct $name(pub [u8; 64]);

        impl Signature for $name {
            type Signer = $signer;

            fn holds(&self, digest: &[u8; 32], signer: &$signer) -> bool {
                // Under such a key the verification holds for what nobody signed.
                !signer.is_small_order() && is_ed25519(&self.0, digest, &signer.0)
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("0x")?;
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        #[cfg(feature = "std")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&format_args!("{self:?}"))
            }
        }

        #[cfg(feature = "std")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                parse_hex64(&text).map(Self).map_err(serde::de::Error::custom)
            }
        }
    };
}

signature! {
    /// An Ed25519 signature of a device.
    DeviceSignature of DeviceId
}
signature! {
    /// An Ed25519 signature of a masternode, by its network key.
    NodeSignature of NodeKey
}

/// Reads 128 hexadecimal digits, with or without `0x` before them.
#[cfg(feature = "std")]
fn parse_hex64(text: &str) -> Result<[u8; 64], &'static str> {
    const EXPECTED: &str = "expected 128 hexadecimal digits";
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let (Some(first), Some(second)) = (digits.get(..64), digits.get(64..)) else {
        return Err(EXPECTED);
    };
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&crate::ids::parse_hex32(first).map_err(|_| EXPECTED)?);
    bytes[32..].copy_from_slice(&crate::ids::parse_hex32(second).map_err(|_| EXPECTED)?);
    Ok(bytes)
}

/// A payload and a signature over it: a device's, unless it says otherwise.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Signed<P, S = DeviceSignature> {
    /// What was signed.
    pub payload: P,
    /// The signature over [`SignedPayload::signing_digest`].
    pub signature: S,
}

/// A payload and a masternode's signature over it.
pub type NodeSigned<P> = Signed<P, NodeSignature>;

impl<P: SignedPayload, S: Signature> Signed<P, S> {
    /// Whether `signer` signed this payload for the chain with this genesis.
    pub fn is_signed_by(&self, signer: &S::Signer, genesis: &GenesisHash) -> bool {
        self.signature
            .holds(&self.payload.signing_digest(genesis), signer)
    }
}

/// Whether `signature` is `signer`'s over `digest`; never under a key of
/// [small order](DeviceId::is_small_order). Clients use this; the runtime registers no such key, and passes
/// the same digest to the host's faster verification.
pub fn verify(signature: &DeviceSignature, digest: &[u8; 32], signer: &DeviceId) -> bool {
    signature.holds(digest, signer)
}

fn is_ed25519(signature: &[u8; 64], digest: &[u8; 32], public: &[u8; 32]) -> bool {
    use sp_core::{Pair, ed25519};
    ed25519::Pair::verify(
        &ed25519::Signature::from_raw(*signature),
        digest,
        &ed25519::Public::from_raw(*public),
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

/// A masternode's network key, which is its identity among peers and never leaves it.
#[cfg(feature = "std")]
#[derive(Clone)]
pub struct NodeSecret(sp_core::ed25519::Pair);

#[cfg(feature = "std")]
impl NodeSecret {
    /// The key of a 32-byte secret seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        use sp_core::Pair;
        Self(sp_core::ed25519::Pair::from_seed(seed))
    }

    /// The public half, which the masternode's operator published on the chain.
    pub fn public(&self) -> NodeKey {
        use sp_core::Pair;
        NodeKey(self.0.public().0)
    }

    /// Signs a payload for the chain with this genesis.
    pub fn sign<P: SignedPayload>(&self, payload: P, genesis: &GenesisHash) -> NodeSigned<P> {
        use sp_core::Pair;
        let signature = NodeSignature(self.0.sign(&payload.signing_digest(genesis)).0);
        Signed { payload, signature }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

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

    #[test]
    fn a_masternodes_signature_holds_for_its_payload_signer_and_chain_only() {
        let node = NodeSecret::from_seed(&[7; 32]);
        let other = NodeSecret::from_seed(&[8; 32]);
        let signed = node.sign(Promise(1), &HERE);
        assert!(signed.is_signed_by(&node.public(), &HERE));
        assert!(!signed.is_signed_by(&node.public(), &ELSEWHERE));
        assert!(!signed.is_signed_by(&other.public(), &HERE));
    }

    /// Every encoding of a point whose order divides eight, with either sign of x.
    fn small_orders() -> Vec<[u8; 32]> {
        const OF_ORDER_EIGHT: [&str; 2] = [
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        ];
        let mut one = [0; 32];
        one[0] = 1;
        let mut keys = Vec::from([[0; 32], one]);
        for lowest in [0xec, 0xed, 0xee] {
            let mut near_p = [0xff; 32];
            (near_p[0], near_p[31]) = (lowest, 0x7f);
            keys.push(near_p);
        }
        keys.extend(OF_ORDER_EIGHT.map(|text| crate::ids::parse_hex32(text).unwrap()));
        let mut negative = keys.clone();
        negative.iter_mut().for_each(|key| key[31] |= 0x80);
        keys.extend(negative);
        keys
    }

    #[test]
    fn nothing_is_signed_under_a_key_of_small_order() {
        for key in small_orders() {
            for number in 0..8 {
                let digest = Promise(number).signing_digest(&HERE);
                // That is what makes the key worthless: the same bytes are a signature over everything.
                assert!(is_ed25519(&[0; 64], &digest, &key));
                assert!(!verify(&DeviceSignature([0; 64]), &digest, &DeviceId(key)));
                assert!(!NodeSignature([0; 64]).holds(&digest, &NodeKey(key)));
            }
            let signed = Signed {
                payload: Promise(1),
                signature: DeviceSignature([0; 64]),
            };
            assert!(!signed.is_signed_by(&DeviceId(key), &HERE));
        }
    }

    #[test]
    fn a_key_made_from_a_seed_is_not_of_small_order() {
        for seed in 0..=u8::MAX {
            assert!(!DeviceKey::from_seed(&[seed; 32]).id().is_small_order());
            assert!(!NodeSecret::from_seed(&[seed; 32]).public().is_small_order());
        }
    }

    #[test]
    fn who_has_the_bytes_computes_the_same_digest() {
        assert_eq!(
            Promise(5).signing_digest(&HERE),
            Promise::signing_digest_of_encoded(&Promise(5).encode(), &HERE)
        );
    }
}
