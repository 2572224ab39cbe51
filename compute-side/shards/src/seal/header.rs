//! The header of a sealed thing: what it is bound to, in clear, and the commitment to its key.

use super::OpenError;
use crate::{
    context::{Kind, Subject},
    derive::{DerivedKey, Schedule, same_bytes},
    rand_core::CryptoRng,
};
use quern_primitives::{DeviceId, GenesisHash, JobId, ProgramHash};

/// Bytes of the header.
pub const HEADER_BYTES: usize = BOUND_BYTES + SALT_BYTES + COMMITMENT_BYTES;

const MAGIC: [u8; 4] = *b"QRNS";
const VERSION: u8 = 1;
/// Magic, version, kind, replica, zero; genesis, job, program, device; index, count; length.
const BOUND_BYTES: usize = 8 + 4 * 32 + 2 * 4 + 8;
const SALT_BYTES: usize = 16;
const COMMITMENT_BYTES: usize = 32;

/// A number that makes every sealing encrypt under a key of its own. It is no secret; it must not
/// come twice with one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealSalt(pub [u8; SALT_BYTES]);

impl SealSalt {
    /// A random salt.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; SALT_BYTES];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }
}

/// What an opener wants to find in a header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    pub(crate) subject: Subject,
    pub(crate) length: ExpectedLength,
}

/// How much an opener knows of the plaintext's length.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ExpectedLength {
    /// It is this.
    Exactly(u64),
    /// It is what the header says, up to what its kind may have.
    AnyOfItsKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) subject: Subject,
    pub(super) plaintext_bytes: u64,
    salt: SealSalt,
    commitment: [u8; COMMITMENT_BYTES],
}

impl Header {
    /// The header under which `secret` seals, and the key that encrypts.
    pub(super) fn seal(
        subject: Subject,
        plaintext_bytes: u64,
        salt: SealSalt,
        secret: &[u8; 32],
    ) -> (Self, DerivedKey) {
        let mut header = Self {
            subject,
            plaintext_bytes,
            salt,
            commitment: [0; 32],
        };
        let (key, commitment) = header.keys(secret);
        header.commitment = *commitment;
        (header, key)
    }

    /// Reads a header, compares it with what is wanted, and gives the key that decrypts if
    /// `secret` is the one that sealed.
    pub(super) fn open(
        bytes: &[u8; HEADER_BYTES],
        expected: &Expected,
        secret: &[u8; 32],
    ) -> Result<(Self, DerivedKey), OpenError> {
        let header = Self::decode(bytes, expected)?;
        let (key, commitment) = header.keys(secret);
        if !same_bytes(&commitment, &header.commitment) {
            return Err(OpenError::OtherKey);
        }
        Ok((header, key))
    }

    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let (bound, rest) = bytes.split_at_mut(BOUND_BYTES);
        bound.copy_from_slice(&self.bound());
        let (salt, commitment) = rest.split_at_mut(SALT_BYTES);
        salt.copy_from_slice(&self.salt.0);
        commitment.copy_from_slice(&self.commitment);
        bytes
    }

    /// Everything before the salt.
    fn bound(&self) -> [u8; BOUND_BYTES] {
        let mut bytes = [0; BOUND_BYTES];
        let mut rest = &mut bytes[..];
        let mut put = |field: &[u8]| {
            let (place, after) = std::mem::take(&mut rest).split_at_mut(field.len());
            place.copy_from_slice(field);
            rest = after;
        };
        let subject = &self.subject;
        put(&MAGIC);
        put(&[VERSION, subject.kind.code(), subject.replica, 0]);
        put(&subject.genesis.0);
        put(&subject.job.0);
        put(&subject.program.0);
        put(&subject.device.0);
        put(&subject.index.to_le_bytes());
        put(&subject.count.to_le_bytes());
        put(&self.plaintext_bytes.to_le_bytes());
        bytes
    }

    /// The key that encrypts, and the commitment to it.
    pub(super) fn keys(&self, secret: &[u8; 32]) -> (DerivedKey, DerivedKey) {
        let schedule = Schedule::new(secret, &self.salt.0);
        let bound = self.bound();
        let key = schedule.key("quern/sealed/1/key", &[&bound]);
        (key, schedule.key("quern/sealed/1/commitment", &[&bound]))
    }

    fn decode(bytes: &[u8; HEADER_BYTES], expected: &Expected) -> Result<Self, OpenError> {
        let mut fields = Fields(bytes);
        let want = &expected.subject;
        if fields.take::<4>() != MAGIC {
            return Err(OpenError::NotSealed);
        }
        let [version, kind, replica, zero] = fields.take();
        if version != VERSION {
            return Err(OpenError::UnknownVersion { found: version });
        }
        if kind != want.kind.code() {
            return Err(OpenError::OtherKind {
                expected: want.kind,
                found: kind,
            });
        }
        let genesis = GenesisHash(fields.take());
        if genesis != want.genesis {
            return Err(OpenError::OtherChain {
                expected: want.genesis,
                found: genesis,
            });
        }
        let job = JobId(fields.take());
        if job != want.job {
            return Err(OpenError::OtherJob {
                expected: want.job,
                found: job,
            });
        }
        let program = ProgramHash(fields.take());
        if program != want.program {
            return Err(OpenError::OtherProgram {
                expected: want.program,
                found: program,
            });
        }
        let device = DeviceId(fields.take());
        if device != want.device {
            return Err(OpenError::OtherDevice {
                expected: want.device,
                found: device,
            });
        }
        let index = u32::from_le_bytes(fields.take());
        if index != want.index {
            return Err(OpenError::OtherIndex {
                expected: want.index,
                found: index,
            });
        }
        let count = u32::from_le_bytes(fields.take());
        if count != want.count {
            return Err(OpenError::OtherCount {
                expected: want.count,
                found: count,
            });
        }
        if replica != want.replica {
            return Err(OpenError::OtherReplica {
                expected: want.replica,
                found: replica,
            });
        }
        if zero != 0 {
            return Err(OpenError::NotSealed);
        }
        let plaintext_bytes = u64::from_le_bytes(fields.take());
        check_length(want.kind, expected.length, plaintext_bytes)?;
        let salt = SealSalt(fields.take());
        let commitment = fields.take();
        Ok(Self {
            subject: *want,
            plaintext_bytes,
            salt,
            commitment,
        })
    }
}

fn check_length(kind: Kind, expected: ExpectedLength, found: u64) -> Result<(), OpenError> {
    if let ExpectedLength::Exactly(expected) = expected
        && expected != found
    {
        return Err(OpenError::OtherLength { expected, found });
    }
    let max = kind.plaintext_bytes_max();
    if found > max {
        Err(OpenError::TooLong { found, max })
    } else {
        Ok(())
    }
}

/// The header's bytes, taken from the front in the order they were put.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self
            .0
            .split_first_chunk()
            .expect("the fields' lengths add up to the header's");
        self.0 = rest;
        *field
    }
}
