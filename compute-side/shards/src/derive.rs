//! Deriving one key from another: HKDF-SHA256 (RFC 5869) with a label for each purpose.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

/// A 32-byte key that is wiped when it is no longer held.
pub(crate) type DerivedKey = Zeroizing<[u8; 32]>;

/// The keys that follow from one secret and one salt.
pub(crate) struct Schedule(Hkdf<Sha256>);

impl Schedule {
    pub(crate) fn new(secret: &[u8; 32], salt: &[u8]) -> Self {
        Self(Hkdf::new(Some(salt), secret))
    }

    /// The key for one purpose. `fields` have fixed lengths for a given label, so label and fields
    /// cannot be read in two ways.
    pub(crate) fn key(&self, label: &'static str, fields: &[&[u8]]) -> DerivedKey {
        let mut key = Zeroizing::new([0; 32]);
        let mut info: Vec<&[u8]> = Vec::with_capacity(fields.len() + 2);
        let length = [label.len().to_le_bytes()[0]];
        info.extend([&length[..], label.as_bytes()]);
        info.extend(fields);
        self.0
            .expand_multi_info(&info, &mut key[..])
            .expect("32 bytes are far below the 8,160 that HKDF-SHA256 gives");
        key
    }
}

/// The key for one purpose of a secret that is random and needs no salt.
pub(crate) fn derive(secret: &[u8; 32], label: &'static str, fields: &[&[u8]]) -> DerivedKey {
    Schedule::new(secret, &[]).key(label, fields)
}

/// Equality in a time that does not depend on where the bytes differ.
pub(crate) fn same_bytes(left: &[u8; 32], right: &[u8; 32]) -> bool {
    let differing = left
        .iter()
        .zip(right)
        .fold(0, |bits, (left, right)| bits | (left ^ right));
    std::hint::black_box(differing) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_by_secret_salt_label_and_field() {
        let base = Schedule::new(&[1; 32], &[2]).key("label", &[&[3]]);
        let others = [
            Schedule::new(&[9; 32], &[2]).key("label", &[&[3]]),
            Schedule::new(&[1; 32], &[9]).key("label", &[&[3]]),
            Schedule::new(&[1; 32], &[2]).key("other", &[&[3]]),
            Schedule::new(&[1; 32], &[2]).key("label", &[&[9]]),
        ];
        assert!(others.iter().all(|other| !same_bytes(other, &base)));
        assert!(same_bytes(
            &base,
            &Schedule::new(&[1; 32], &[2]).key("label", &[&[3]])
        ));
    }

    #[test]
    fn every_differing_byte_is_seen() {
        for place in 0..32 {
            let mut other = [7; 32];
            other[place] ^= 0x80;
            assert!(!same_bytes(&[7; 32], &other));
        }
    }
}
