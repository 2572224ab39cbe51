//! Sealing a key to one receiver: HPKE (RFC 9180) in base mode with X25519, HKDF-SHA256 and
//! AES-256-GCM.
//!
//! HPKE has two steps: one agrees on a secret with the receiver (two or three multiplications on
//! the curve), one derives from it and `info` the key that encrypts (a dozen hashes). The first
//! costs some thirty times the second. Here they are two calls, so that a sender with many keys for
//! one receiver does the first once. Each `info` gives a key of its own, and the receiver sees
//! nothing but HPKE: what is sealed here opens with any implementation's single call.

use super::write_hex;
use crate::rand_core::CryptoRng;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use hpke::{
    Deserializable, HpkeError, Kem as _, OpModeR, OpModeS, Serializable,
    aead::{AeadCtxR, AeadCtxS, AeadTag},
    inout::InOutBuf,
    kdf::Kdf as _,
    kem::SharedSecret,
};
use quern_primitives::SealingKey;
use std::fmt;
use zeroize::Zeroizing;

type Kem = hpke::kem::X25519HkdfSha256;
type Kdf = hpke::kdf::HkdfSha256;
type Aead = hpke::aead::AesGcm256;
type PublicKey = <Kem as hpke::Kem>::PublicKey;
type PrivateKey = <Kem as hpke::Kem>::PrivateKey;
type EncappedKey = <Kem as hpke::Kem>::EncappedKey;

/// The secret half of a [`SealingKey`], which never leaves its machine. Not the key it signs with.
#[derive(Clone)]
pub struct SealingSecret {
    secret: PrivateKey,
    public: SealingKey,
}

impl SealingSecret {
    /// A random secret.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut bytes[..]);
        Self::from_bytes(&bytes)
    }

    /// The secret with these bytes; any 32 bytes are one.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let secret = PrivateKey::from_bytes(bytes).expect("an X25519 secret is any 32 bytes");
        let mut public = SealingKey::default();
        Kem::sk_to_pk(&secret).write_exact(&mut public.0);
        Self { secret, public }
    }

    /// The bytes, to store; never to print or send.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        let mut bytes = Zeroizing::new([0; 32]);
        self.secret.write_exact(&mut bytes[..]);
        bytes
    }

    /// The public half, to which keys are sealed.
    pub fn public(&self) -> SealingKey {
        self.public
    }
}

impl fmt::Debug for SealingSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingSecret(not shown)")
    }
}

/// A 32-byte key sealed to one receiver.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
pub struct SealedKey {
    /// HPKE's encapsulated key.
    pub encapsulated: [u8; 32],
    /// The encrypted key and its tag.
    pub ciphertext: [u8; 48],
}

impl fmt::Debug for SealedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.encapsulated)?;
        f.write_str("+")?;
        write_hex(f, &self.ciphertext)
    }
}

/// The receiver's public key is one of the few that give every sender the same secret.
pub(super) struct WeakKey;

/// The key was not sealed to this receiver with this `info`.
pub(super) struct NotAuthentic;

/// HPKE's shared secret, and the encapsulated key by which the receiver learns it.
#[derive(Clone)]
pub(super) struct Agreement {
    encapsulated: [u8; 32],
    shared: Zeroizing<[u8; 32]>,
}

impl Agreement {
    /// The sender's side, with a new secret.
    pub(super) fn with(receiver: &SealingKey, rng: &mut impl CryptoRng) -> Result<Self, WeakKey> {
        let weak = |_: HpkeError| WeakKey;
        let public = PublicKey::from_bytes(&receiver.0).map_err(weak)?;
        let (shared, encapped) = Kem::encap_with_rng(&public, None, rng).map_err(weak)?;
        let mut encapsulated = [0; 32];
        encapped.write_exact(&mut encapsulated);
        Ok(Self {
            encapsulated,
            shared: Zeroizing::new(shared.0.into()),
        })
    }

    /// The receiver's side.
    pub(super) fn from(
        secret: &SealingSecret,
        encapsulated: &[u8; 32],
    ) -> Result<Self, NotAuthentic> {
        let refused = |_: HpkeError| NotAuthentic;
        let encapped = EncappedKey::from_bytes(encapsulated).map_err(refused)?;
        let shared = Kem::decap(&secret.secret, None, &encapped).map_err(refused)?;
        let shared = Zeroizing::new(shared.0.into());
        Ok(Self {
            encapsulated: *encapsulated,
            shared,
        })
    }

    /// The encapsulated key of this agreement.
    pub(super) fn encapsulated(&self) -> &[u8; 32] {
        &self.encapsulated
    }

    /// Seals a key. One `info` must not serve two different keys of one agreement.
    pub(super) fn seal(&self, info: &[u8], key: &[u8; 32]) -> SealedKey {
        let mut context: AeadCtxS<Aead, Kdf, Kem> =
            Kdf::combine_secrets(&OpModeS::Base, self.shared_secret(), info).into();
        let mut ciphertext = [0; 48];
        let (body, place_of_tag) = ciphertext.split_at_mut(32);
        body.copy_from_slice(key);
        context
            .seal_inout_detached(InOutBuf::from(body), b"")
            .expect("32 bytes are within GCM's limit, and this is the context's first message")
            .write_exact(place_of_tag);
        SealedKey {
            encapsulated: self.encapsulated,
            ciphertext,
        }
    }

    /// Opens a sealed key of this agreement.
    pub(super) fn open(
        &self,
        info: &[u8],
        ciphertext: &[u8; 48],
    ) -> Result<Zeroizing<[u8; 32]>, NotAuthentic> {
        let refused = |_: HpkeError| NotAuthentic;
        let mut context: AeadCtxR<Aead, Kdf, Kem> =
            Kdf::combine_secrets(&OpModeR::Base, self.shared_secret(), info).into();
        let (body, tag) = ciphertext.split_at(32);
        let tag = AeadTag::from_bytes(tag).map_err(refused)?;
        let mut key = Zeroizing::new([0; 32]);
        key.copy_from_slice(body);
        context
            .open_inout_detached(InOutBuf::from(&mut key[..]), b"", &tag)
            .map_err(refused)?;
        Ok(key)
    }

    fn shared_secret(&self) -> SharedSecret<Kem> {
        SharedSecret((*self.shared).into())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::testing::SeededRng;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_is_sealed_here_opens_with_the_librarys_single_call(
            seed: u64, infos in prop::collection::vec(any::<Vec<u8>>(), 1..4), key: [u8; 32],
        ) {
            let mut rng = SeededRng::new(seed);
            let receiver = SealingSecret::random(&mut rng);
            let agreement = Agreement::with(&receiver.public(), &mut rng).ok().unwrap();
            for info in infos {
                let sealed = agreement.seal(&info, &key);
                let opened = hpke::single_shot_open::<Aead, Kdf, Kem>(
                    &OpModeR::Base,
                    &receiver.secret,
                    &EncappedKey::from_bytes(&sealed.encapsulated).unwrap(),
                    &info,
                    &sealed.ciphertext,
                    b"",
                );
                prop_assert_eq!(opened.unwrap(), key);
            }
        }

        #[test]
        fn what_the_librarys_single_call_seals_opens_here(
            seed: u64, info: Vec<u8>, key: [u8; 32],
        ) {
            let mut rng = SeededRng::new(seed);
            let receiver = SealingSecret::random(&mut rng);
            let (encapped, ciphertext) = hpke::single_shot_seal_with_rng::<Aead, Kdf, Kem>(
                &OpModeS::Base,
                &PublicKey::from_bytes(&receiver.public().0).unwrap(),
                &info,
                &key,
                b"",
                &mut rng,
            )
            .unwrap();
            let agreement = Agreement::from(&receiver, &encapped.to_bytes().into()).ok().unwrap();
            let opened = agreement.open(&info, &ciphertext.try_into().unwrap()).ok().unwrap();
            prop_assert_eq!(*opened, key);
        }
    }

    #[test]
    fn a_sealing_secret_reads_back_and_does_not_print() {
        let secret = SealingSecret::random(&mut SeededRng::new(5));
        assert_eq!(
            SealingSecret::from_bytes(&secret.to_bytes()).public(),
            secret.public()
        );
        assert_eq!(format!("{secret:?}"), "SealingSecret(not shown)");
    }
}
