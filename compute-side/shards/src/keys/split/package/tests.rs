#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    keys::{ShardKey, split::SplitKeys},
    testing::SeededRng,
};
use proptest::prelude::*;

const JOB: JobId = JobId([2; 32]);

fn made(shards: u8, needed: u8, members: u8, member: u8) -> (SharePackage, ExpectedPackage) {
    let keys: Vec<_> = (0..shards)
        .map(|byte| ShardKey::from_bytes([byte; 32]))
        .collect();
    let threshold = Threshold::new(needed, members).unwrap();
    let split = SplitKeys::new(&keys, threshold, &mut SeededRng::new(5));
    let token = OwnerToken::from_bytes([7; 32]);
    let seed = TrustSeed::from_bytes([8; 32]);
    let package = split.package(member, JOB, token, seed).unwrap();
    let expected = ExpectedPackage {
        job: JOB,
        member,
        members,
        shards: shards.into(),
        shares_root: split.shares_root(),
    };
    (package, expected)
}

#[test]
fn a_member_finds_its_package_to_be_the_one_on_the_chain_and_shows_each_share() {
    let (package, expected) = made(5, 2, 3, 1);
    let held = HeldShares::check(package.clone(), &expected).unwrap();
    assert_eq!(held.package(), &package);
    for index in 0..5 {
        let (share, proof) = held.share(index).unwrap();
        assert_eq!(share, &package.shares[index as usize]);
        assert!(proof.shard.root_over(share.expose()) == Some(package.roots[1]));
    }
    assert!(held.share(5).is_none() && held.share(u32::MAX).is_none());
}

#[test]
fn there_is_no_package_for_who_is_no_member() {
    let key = ShardKey::from_bytes([1; 32]);
    let threshold = Threshold::new(2, 3).unwrap();
    let split = SplitKeys::new([&key], threshold, &mut SeededRng::new(5));
    let package = split.package(
        3,
        JOB,
        OwnerToken::from_bytes([0; 32]),
        TrustSeed::from_bytes([0; 32]),
    );
    assert_eq!(package, None);
}

#[test]
fn a_package_that_the_chain_does_not_name_is_refused() {
    use PackageError as E;
    let (package, expected) = made(5, 2, 3, 1);
    let refused = |package: &SharePackage, expected: &ExpectedPackage| {
        HeldShares::check(package.clone(), expected).unwrap_err()
    };
    let other = ExpectedPackage {
        job: JobId([3; 32]),
        ..expected
    };
    assert!(matches!(refused(&package, &other), E::OtherJob { .. }));
    for (member, members) in [(0, 3), (1, 4)] {
        let other = ExpectedPackage {
            member,
            members,
            ..expected
        };
        assert!(matches!(refused(&package, &other), E::OtherMember { .. }));
    }
    let mut fewer = package.clone();
    fewer.shares.pop();
    let (wanted, found) = (5, 4);
    let error = E::OtherCount {
        expected: wanted,
        found,
    };
    assert_eq!(refused(&fewer, &expected), error);
    for root in 0..3 {
        let mut altered = package.clone();
        altered.roots[root].0[0] ^= 1;
        assert!(matches!(refused(&altered, &expected), E::OtherRoots { .. }));
    }
    for share in 0..5 {
        let mut altered = package.clone();
        let mut bytes = *altered.shares[share].expose();
        bytes[share] ^= 1;
        altered.shares[share] = KeyShare::from_bytes(bytes);
        assert!(matches!(
            refused(&altered, &expected),
            E::OtherShares { .. }
        ));
    }
    let mut swapped = package.clone();
    swapped.shares.swap(0, 1);
    assert!(matches!(
        refused(&swapped, &expected),
        E::OtherShares { .. }
    ));
}

#[test]
fn bytes_that_are_no_package_are_refused_by_name() {
    use PackageDecodeError as E;
    let whole = made(2, 2, 3, 1).0.encode();
    assert_eq!(whole.len(), 100 + 3 * 32 + 2 * 32);
    let altered = |place: usize, byte: u8| {
        let mut bytes = whole.to_vec();
        bytes[place] = byte;
        SharePackage::decode(&bytes).unwrap_err()
    };
    assert_eq!(altered(0, 2), E::UnknownVersion { found: 2 });
    let no_such = E::NoSuchMember {
        member: 3,
        members: 3,
    };
    assert_eq!(altered(33, 3), no_such);
    assert!(matches!(altered(34, 1), E::Threshold(_)));
    assert!(matches!(altered(34, 4), E::Threshold(_)));
    assert!(matches!(altered(35, 1), E::Threshold(_)));
    assert!(matches!(altered(35, 8), E::Threshold(_)));
    // More members leave fewer shares; of five there would be none.
    assert_eq!(altered(35, 5), E::Truncated { found: 260 });

    let first_share = whole.len() - 32;
    for found in 0..first_share {
        let refused = SharePackage::decode(&whole[..found]);
        assert_eq!(refused, Err(E::Truncated { found }));
    }
    assert_eq!(
        SharePackage::decode(&whole[..first_share])
            .unwrap()
            .shares
            .len(),
        1
    );
    for count in 1..32 {
        let longer = [&whole[..], &vec![0; count]].concat();
        let refused = SharePackage::decode(&longer);
        assert_eq!(refused, Err(E::TrailingBytes { count }));
    }
}

#[test]
fn the_longest_package_is_read_and_a_longer_one_is_not() {
    let (mut package, _) = made(1, 2, 7, 0);
    package.shares = vec![KeyShare::from_bytes([3; 32]); TASKS_PER_JOB_MAX as usize];
    let mut encoded = package.encode();
    assert_eq!(encoded.len(), PACKAGE_BYTES_MAX);
    assert!(SharePackage::decode(&encoded).unwrap() == package);
    encoded.push(0);
    let (found, max) = (PACKAGE_BYTES_MAX + 1, PACKAGE_BYTES_MAX);
    let refused = SharePackage::decode(&encoded);
    assert_eq!(refused, Err(PackageDecodeError::TooLong { found, max }));
}

#[test]
fn a_package_does_not_print_what_it_holds() {
    let (package, _) = made(1, 2, 2, 0);
    let printed = format!("{package:?}");
    assert!(printed.contains("OwnerToken(not shown)") && printed.contains("KeyShare(not shown)"));
}

proptest! {
    #[test]
    fn a_package_reads_back_as_it_was_written(
        shards in 1u8..20, members in 2u8..=7, needed in 2u8..=7, member in 0u8..7,
    ) {
        prop_assume!(needed <= members && member < members);
        let (package, _) = made(shards, needed, members, member);
        prop_assert_eq!(SharePackage::decode(&package.encode()).unwrap(), package);
    }

    #[test]
    fn whatever_is_read_as_a_package_has_one_encoding(
        mut bytes in prop::collection::vec(any::<u8>(), 0..600), members in 0u8..9, needed in 0u8..9,
        is_shaped: bool,
    ) {
        if is_shaped && bytes.len() > 36 {
            (bytes[0], bytes[33], bytes[34], bytes[35]) = (1, bytes[33] % 8, needed, members);
            let whole = bytes.len() - (bytes.len() - 36) % 32;
            bytes.truncate(whole);
        }
        if let Ok(package) = SharePackage::decode(&bytes) {
            prop_assert_eq!(&package.encode()[..], &bytes[..]);
        }
    }
}
