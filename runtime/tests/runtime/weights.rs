//! The weights of our pallets: that they are measured, and of the storage there is; what is reckoned is known
//! by name.

use frame_support::traits::StorageInfoTrait;
use quern_runtime::AllPalletsWithSystem;

/// The files that `cargo xtask weights` writes.
const FILES: [(&str, &str); 8] = [
    (
        "roster",
        include_str!("../../pallets/roster/src/weights.rs"),
    ),
    (
        "bytechip",
        include_str!("../../pallets/bytechip/src/weights.rs"),
    ),
    (
        "workforce",
        include_str!("../../pallets/workforce/src/weights.rs"),
    ),
    (
        "finality",
        include_str!("../../pallets/finality/src/weights.rs"),
    ),
    ("jobs", include_str!("../../pallets/jobs/src/weights.rs")),
    (
        "params",
        include_str!("../../pallets/params/src/weights.rs"),
    ),
    (
        "disputes",
        include_str!("../../pallets/disputes/src/weights.rs"),
    ),
    (
        "custody",
        include_str!("../../pallets/custody/src/weights.rs"),
    ),
];

/// The pallets with calls whose weights are reckoned by hand from those of like calls until `cargo xtask
/// weights` has measured them. Each of their files says so.
const RECKONED: [&str; 0] = [];

/// What begins a line that says how much of an item of storage a call may have to prove.
const PROOF: &str = "/// Proof: ";

/// What only a person writes into such a file.
const BY_HAND: [&str; 2] = ["not measured", "measured without"];

#[test]
fn weights_are_measured_with_the_storage_that_there_is() {
    let there_are: Vec<String> = AllPalletsWithSystem::storage_info()
        .iter()
        .map(|item| {
            format!(
                "`{}::{}` (`max_values`: {:?}, `max_size`: {:?},",
                String::from_utf8_lossy(&item.pallet_name),
                String::from_utf8_lossy(&item.storage_name),
                item.max_values,
                item.max_size
            )
        })
        .collect();
    let mut wrong = Vec::new();
    for (pallet, text) in measured() {
        let proofs = text
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix(PROOF));
        let before = wrong.len();
        let mut known = 0;
        for proof in proofs {
            match there_are.iter().any(|item| proof.starts_with(item)) {
                true => known += 1,
                false => wrong.push(format!("{pallet}: {proof}")),
            }
        }
        assert!(known + wrong.len() > before, "{pallet} proves nothing");
    }
    wrong.sort();
    wrong.dedup();
    assert!(
        wrong.is_empty(),
        "these are not as the runtime stores them; run `cargo xtask weights`:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn weights_are_written_by_no_hand_but_those_that_say_so() {
    for (pallet, text) in FILES {
        let text = text.to_lowercase();
        let is_by_hand = BY_HAND.iter().any(|words| text.contains(words));
        assert_eq!(
            is_by_hand,
            RECKONED.contains(&pallet),
            "the weights of {pallet}: run `cargo xtask weights {pallet}`, and name here what is reckoned"
        );
    }
}

fn measured() -> impl Iterator<Item = (&'static str, &'static str)> {
    let files = FILES.into_iter();
    files.filter(|(pallet, _)| !RECKONED.contains(pallet))
}
