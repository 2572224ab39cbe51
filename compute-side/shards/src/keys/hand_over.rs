//! Handing a key to one receiver: HPKE (RFC 9180) in base mode with X25519, HKDF-SHA256 and
//! AES-256-GCM. The receiver's use of the key is in HPKE's `info`, so that a key handed over for
//! one task does not open as the key of another.
//!
//! Base mode does not say who sealed. That is not needed: a shard's key is checked by the shard's
//! commitment, a job's key by the commitment on the chain.

use super::{JobKey, ShardKey, write_hex};
use crate::rand_core::CryptoRng;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use hpke::{
    Deserializable, HpkeError, Kem as _, OpModeR, OpModeS, Serializable, aead::AeadTag,
    inout::InOutBuf,
};
use quern_primitives::{AccountId, DeviceId, Digest, GenesisHash, JobId, SealingKey, TaskIndex};
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

/// The one use a shard's key is handed to a device for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandOver {
    /// The chain.
    pub genesis: GenesisHash,
    /// The job.
    pub job: JobId,
    /// The shard, which is the task's index.
    pub index: TaskIndex,
    /// The device.
    pub device: DeviceId,
}

impl HandOver {
    fn info(&self) -> Vec<u8> {
        info(
            "quern/hand-over/1/shard-key",
            &[
                &self.genesis.0,
                &self.job.0,
                &self.index.to_le_bytes(),
                &self.device.0,
            ],
        )
    }
}

/// The one use a job's key is delegated to a masternode for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// The chain.
    pub genesis: GenesisHash,
    /// The job.
    pub job: JobId,
    /// The masternode's account.
    pub masternode: AccountId,
}

impl Delegation {
    fn info(&self) -> Vec<u8> {
        info(
            "quern/hand-over/1/job-key",
            &[
                &self.genesis.0,
                &self.job.0,
                AsRef::<[u8; 32]>::as_ref(&self.masternode),
            ],
        )
    }
}

/// Why a key was not sealed to a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandOverError {
    /// The receiver's public key is one of the few that give every sender the same secret.
    #[error("the sealing key {receiver} protects nothing; its owner must rotate it")]
    WeakKey {
        /// The receiver's public key.
        receiver: SealingKey,
    },
}

/// Why a key that was handed over was not received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiveError {
    /// Sealed to another receiver, for another use, or altered.
    #[error("the key was not sealed to this receiver for this use; ask for it anew")]
    NotAuthentic,
    /// It is not the key that the chain knows the commitment of.
    #[error("the key is not the one the job was submitted with; delegate the right one")]
    NotCommitted,
}

/// Seals a shard's key to the device that runs its task.
pub fn hand_over(
    key: &ShardKey,
    to: &SealingKey,
    purpose: &HandOver,
    rng: &mut impl CryptoRng,
) -> Result<SealedKey, HandOverError> {
    seal_to(to, &purpose.info(), key.expose(), rng)
}

/// Receives a shard's key on the device it was sealed to. Whether it is the right key shows when
/// the shard is opened.
pub fn receive(
    secret: &SealingSecret,
    purpose: &HandOver,
    sealed: &SealedKey,
) -> Result<ShardKey, ReceiveError> {
    open_with(secret, &purpose.info(), sealed).map(|key| ShardKey::from_bytes(*key))
}

/// Seals a job's key to the masternode that the owner delegates it to.
pub fn delegate(
    key: &JobKey,
    to: &SealingKey,
    purpose: &Delegation,
    rng: &mut impl CryptoRng,
) -> Result<SealedKey, HandOverError> {
    seal_to(to, &purpose.info(), key.expose(), rng)
}

/// Receives a job's key on the masternode it was sealed to, if it is the one that the chain knows
/// the commitment of.
pub fn accept_delegation(
    secret: &SealingSecret,
    purpose: &Delegation,
    commitment: &Digest,
    sealed: &SealedKey,
) -> Result<JobKey, ReceiveError> {
    let key = JobKey::from_bytes(*open_with(secret, &purpose.info(), sealed)?);
    if key.is_committed(&purpose.job, commitment) {
        Ok(key)
    } else {
        Err(ReceiveError::NotCommitted)
    }
}

fn info(label: &'static str, fields: &[&[u8]]) -> Vec<u8> {
    let length = [label.len().to_le_bytes()[0]];
    [&[&length[..], label.as_bytes()], fields].concat().concat()
}

fn seal_to(
    receiver: &SealingKey,
    info: &[u8],
    key: &[u8; 32],
    rng: &mut impl CryptoRng,
) -> Result<SealedKey, HandOverError> {
    let weak = |_: HpkeError| HandOverError::WeakKey {
        receiver: *receiver,
    };
    let public = PublicKey::from_bytes(&receiver.0).map_err(weak)?;
    let mut sealed = SealedKey {
        encapsulated: [0; 32],
        ciphertext: [0; 48],
    };
    let (body, place_of_tag) = sealed.ciphertext.split_at_mut(32);
    body.copy_from_slice(key);
    let (encapsulated, tag) = hpke::single_shot_seal_inout_detached_with_rng::<Aead, Kdf, Kem>(
        &OpModeS::Base,
        &public,
        info,
        InOutBuf::from(body),
        b"",
        rng,
    )
    .map_err(weak)?;
    tag.write_exact(place_of_tag);
    encapsulated.write_exact(&mut sealed.encapsulated);
    Ok(sealed)
}

fn open_with(
    secret: &SealingSecret,
    info: &[u8],
    sealed: &SealedKey,
) -> Result<Zeroizing<[u8; 32]>, ReceiveError> {
    let refused = |_: HpkeError| ReceiveError::NotAuthentic;
    let encapsulated = EncappedKey::from_bytes(&sealed.encapsulated).map_err(refused)?;
    let (body, tag) = sealed.ciphertext.split_at(32);
    let tag = AeadTag::<Aead>::from_bytes(tag).map_err(refused)?;
    let mut key = Zeroizing::new([0; 32]);
    key.copy_from_slice(body);
    hpke::single_shot_open_inout_detached::<Aead, Kdf, Kem>(
        &OpModeR::Base,
        &secret.secret,
        &encapsulated,
        info,
        InOutBuf::from(&mut key[..]),
        b"",
        &tag,
    )
    .map_err(refused)?;
    Ok(key)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::testing::SeededRng;

    fn purpose() -> HandOver {
        HandOver {
            genesis: GenesisHash([1; 32]),
            job: JobId([2; 32]),
            index: 3,
            device: DeviceId([4; 32]),
        }
    }

    fn delegation() -> Delegation {
        Delegation {
            genesis: GenesisHash([1; 32]),
            job: JobId([2; 32]),
            masternode: AccountId::new([5; 32]),
        }
    }

    #[test]
    fn a_shard_key_reaches_its_device_for_its_task_only() {
        let mut rng = SeededRng::new(1);
        let device = SealingSecret::random(&mut rng);
        let other = SealingSecret::random(&mut rng);
        let key = ShardKey::random(&mut rng);
        let sealed = hand_over(&key, &device.public(), &purpose(), &mut rng).unwrap();
        assert_eq!(receive(&device, &purpose(), &sealed).unwrap(), key);
        assert_eq!(
            receive(&other, &purpose(), &sealed),
            Err(ReceiveError::NotAuthentic)
        );
        for elsewhere in [
            HandOver {
                genesis: GenesisHash([9; 32]),
                ..purpose()
            },
            HandOver {
                job: JobId([9; 32]),
                ..purpose()
            },
            HandOver {
                index: 9,
                ..purpose()
            },
            HandOver {
                device: DeviceId([9; 32]),
                ..purpose()
            },
        ] {
            assert_eq!(
                receive(&device, &elsewhere, &sealed),
                Err(ReceiveError::NotAuthentic)
            );
        }
    }

    #[test]
    fn a_job_key_reaches_its_masternode_if_it_is_the_committed_one() {
        let mut rng = SeededRng::new(2);
        let masternode = SealingSecret::random(&mut rng);
        let (key, false_key) = (JobKey::random(&mut rng), JobKey::random(&mut rng));
        let commitment = key.commitment(&delegation().job);
        let to = masternode.public();
        let sealed = delegate(&key, &to, &delegation(), &mut rng).unwrap();
        let accept = |purpose: &Delegation, sealed: &SealedKey| {
            accept_delegation(&masternode, purpose, &commitment, sealed)
        };
        assert_eq!(accept(&delegation(), &sealed).unwrap(), key);
        let elsewhere = Delegation {
            masternode: AccountId::new([9; 32]),
            ..delegation()
        };
        assert_eq!(accept(&elsewhere, &sealed), Err(ReceiveError::NotAuthentic));
        let sealed = delegate(&false_key, &to, &delegation(), &mut rng).unwrap();
        assert_eq!(
            accept(&delegation(), &sealed),
            Err(ReceiveError::NotCommitted)
        );
    }

    #[test]
    fn an_altered_key_is_not_received() {
        let mut rng = SeededRng::new(3);
        let device = SealingSecret::random(&mut rng);
        let key = ShardKey::random(&mut rng);
        let sealed = hand_over(&key, &device.public(), &purpose(), &mut rng).unwrap();
        for place in 0..80 {
            let mut altered = sealed;
            match place {
                0..32 => altered.encapsulated[place] ^= 1,
                _ => altered.ciphertext[place - 32] ^= 1,
            }
            assert_eq!(
                receive(&device, &purpose(), &altered),
                Err(ReceiveError::NotAuthentic)
            );
        }
    }

    #[test]
    fn a_key_that_protects_nothing_is_not_sealed_to() {
        let mut rng = SeededRng::new(4);
        let key = ShardKey::random(&mut rng);
        let receiver = SealingKey([0; 32]);
        let refused = hand_over(&key, &receiver, &purpose(), &mut rng);
        assert_eq!(refused, Err(HandOverError::WeakKey { receiver }));
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
