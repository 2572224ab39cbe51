//! Handing a key to the one who needs it, for the one use it is meant for. The use is in HPKE's
//! `info`, so that a key handed over for one task does not open as the key of another.
//!
//! HPKE's base mode does not say who sealed. That is not needed: a shard's key is checked by the
//! shard's commitment, a job's key by the commitment on the chain.

use super::{
    JobKey, ShardKey,
    receiver::{Agreement, NotAuthentic, SealedKey, SealingSecret, WeakKey},
};
use crate::rand_core::CryptoRng;
use quern_primitives::{AccountId, DeviceId, Digest, GenesisHash, JobId, SealingKey, TaskIndex};

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

impl From<NotAuthentic> for ReceiveError {
    fn from(_: NotAuthentic) -> Self {
        Self::NotAuthentic
    }
}

/// Hands the keys of many shards to one device: the costly part of [`hand_over`] is done once.
/// Keep one for a device while it is connected, and make a new one when its sealing key changes.
#[derive(Clone)]
pub struct Courier(Agreement);

impl Courier {
    /// A courier to the holder of this sealing key.
    pub fn to(receiver: &SealingKey, rng: &mut impl CryptoRng) -> Result<Self, HandOverError> {
        agree(receiver, rng).map(Self)
    }

    /// Seals a shard's key to the device that runs its task. A shard has one key, the one in the
    /// manifest; two different ones must not be handed over for one use.
    pub fn hand_over(&self, key: &ShardKey, purpose: &HandOver) -> SealedKey {
        self.0.seal(&purpose.info(), key.expose())
    }
}

/// Receives the keys of many shards on one device. Remembers its last sender, so that the costly
/// part of [`receive`] is done once for all that come by one [`Courier`].
#[derive(Clone)]
pub struct Letterbox {
    secret: SealingSecret,
    last: Option<Agreement>,
}

impl Letterbox {
    /// The letterbox of the holder of this secret.
    pub fn new(secret: SealingSecret) -> Self {
        Self { secret, last: None }
    }

    /// Receives a shard's key. Whether it is the right key shows when the shard is opened.
    pub fn receive(
        &mut self,
        purpose: &HandOver,
        sealed: &SealedKey,
    ) -> Result<ShardKey, ReceiveError> {
        let known = self
            .last
            .take_if(|last| *last.encapsulated() == sealed.encapsulated);
        let agreement = match known {
            Some(agreement) => agreement,
            None => Agreement::from(&self.secret, &sealed.encapsulated)?,
        };
        let key = agreement.open(&purpose.info(), &sealed.ciphertext);
        self.last = Some(agreement);
        Ok(ShardKey::from_bytes(*key?))
    }
}

/// Seals a shard's key to the device that runs its task.
pub fn hand_over(
    key: &ShardKey,
    to: &SealingKey,
    purpose: &HandOver,
    rng: &mut impl CryptoRng,
) -> Result<SealedKey, HandOverError> {
    Ok(Courier::to(to, rng)?.hand_over(key, purpose))
}

/// Receives a shard's key on the device it was sealed to. Whether it is the right key shows when
/// the shard is opened.
pub fn receive(
    secret: &SealingSecret,
    purpose: &HandOver,
    sealed: &SealedKey,
) -> Result<ShardKey, ReceiveError> {
    let agreement = Agreement::from(secret, &sealed.encapsulated)?;
    Ok(ShardKey::from_bytes(
        *agreement.open(&purpose.info(), &sealed.ciphertext)?,
    ))
}

/// Seals a job's key to the masternode that the owner delegates it to.
pub fn delegate(
    key: &JobKey,
    to: &SealingKey,
    purpose: &Delegation,
    rng: &mut impl CryptoRng,
) -> Result<SealedKey, HandOverError> {
    Ok(agree(to, rng)?.seal(&purpose.info(), key.expose()))
}

/// Receives a job's key on the masternode it was sealed to, if it is the one that the chain knows
/// the commitment of.
pub fn accept_delegation(
    secret: &SealingSecret,
    purpose: &Delegation,
    commitment: &Digest,
    sealed: &SealedKey,
) -> Result<JobKey, ReceiveError> {
    let agreement = Agreement::from(secret, &sealed.encapsulated)?;
    let key = JobKey::from_bytes(*agreement.open(&purpose.info(), &sealed.ciphertext)?);
    if key.is_committed(&purpose.job, commitment) {
        Ok(key)
    } else {
        Err(ReceiveError::NotCommitted)
    }
}

fn agree(receiver: &SealingKey, rng: &mut impl CryptoRng) -> Result<Agreement, HandOverError> {
    Agreement::with(receiver, rng).map_err(|WeakKey| HandOverError::WeakKey {
        receiver: *receiver,
    })
}

fn info(label: &'static str, fields: &[&[u8]]) -> Vec<u8> {
    let length = [label.len().to_le_bytes()[0]];
    [&[&length[..], label.as_bytes()], fields].concat().concat()
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
    fn a_courier_hands_over_many_keys_each_for_its_own_use() {
        let mut rng = SeededRng::new(6);
        let device = SealingSecret::random(&mut rng);
        let mut letterbox = Letterbox::new(device.clone());
        let couriers = [(); 2].map(|()| Courier::to(&device.public(), &mut rng).unwrap());
        assert_ne!(couriers[0].0.encapsulated(), couriers[1].0.encapsulated());
        // By turns, so that the letterbox has to learn each courier anew.
        for index in 0..12 {
            let courier = &couriers[index as usize / 3 % 2];
            let purpose = HandOver { index, ..purpose() };
            let key = ShardKey::random(&mut rng);
            let sealed = courier.hand_over(&key, &purpose);
            assert_eq!(letterbox.receive(&purpose, &sealed).unwrap(), key);
            assert_eq!(receive(&device, &purpose, &sealed).unwrap(), key);
            let elsewhere = HandOver {
                index: index + 1,
                ..purpose
            };
            let refused = letterbox.receive(&elsewhere, &sealed);
            assert_eq!(refused, Err(ReceiveError::NotAuthentic));
        }
    }

    #[test]
    fn a_letterbox_goes_on_after_a_key_that_was_not_for_it() {
        let mut rng = SeededRng::new(7);
        let device = SealingSecret::random(&mut rng);
        let mut letterbox = Letterbox::new(device.clone());
        let key = ShardKey::random(&mut rng);
        let good = hand_over(&key, &device.public(), &purpose(), &mut rng).unwrap();
        for encapsulated in [[0; 32], [9; 32]] {
            let false_key = SealedKey {
                encapsulated,
                ..good
            };
            let refused = letterbox.receive(&purpose(), &false_key);
            assert_eq!(refused, Err(ReceiveError::NotAuthentic));
            assert_eq!(letterbox.receive(&purpose(), &good).unwrap(), key);
        }
    }
}
