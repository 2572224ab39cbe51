//! Receipts of which the chain that is asked cannot tell.

use super::*;

/// What is told of a receipt of which the chain that was asked tells nothing, after a change to it.
fn told_elsewhere(elsewhere: Elsewhere, change: impl FnOnce(&mut ReceiptFile)) -> Verified {
    let mut file = file();
    change(&mut file);
    let asked = Asked {
        elsewhere: Some(elsewhere),
        ..Asked::default()
    };
    verified(&file, check_file(&file, None), &asked)
}

#[test]
fn a_receipt_of_another_grid_is_neither_said_to_hold_nor_called_wrong() {
    let told = told_elsewhere(Elsewhere::NoSuchJob, |_| ());
    let text = told.people();
    assert!(!told.holds && !text.contains("the receipt holds"), "{text}");
    assert!(!text.contains("does NOT hold"), "{text}");
    assert!(!text.contains("does not hold"), "{text}");
    for words in ["knows no such job", "another grid", "begun anew", "--node"] {
        assert!(text.contains(words), "{text}");
    }
    let json = serde_json::to_value(&told).unwrap();
    assert_eq!(json["elsewhere"], "no_such_job");
    assert_eq!(json["holds"], false);
}

#[test]
fn a_receipt_of_another_chain_is_told_with_both_first_blocks() {
    let asked = GenesisHash([9; 32]);
    let told = told_elsewhere(Elsewhere::OtherChain { asked }, |_| ());
    let text = told.people();
    assert!(!told.holds && !text.contains("does NOT hold"), "{text}");
    for hash in [asked, GENESIS] {
        assert!(text.contains(&hash.to_string()), "{text}");
    }
    let json = serde_json::to_value(&told).unwrap();
    assert_eq!(json["elsewhere"], "other_chain");
    assert_eq!(json["asked"], asked.to_string());
}

#[test]
fn a_tampered_receipt_of_another_grid_still_does_not_hold() {
    let fuel = |file: &mut ReceiptFile| file.receipt.payload.fuel += 1;
    let text = told_elsewhere(Elsewhere::NoSuchJob, fuel).people();
    assert!(text.starts_with("the receipt does NOT hold\n"), "{text}");
    assert!(text.ends_with("the receipt does NOT hold"), "{text}");
}

#[test]
fn a_job_that_the_chain_has_is_checked_even_if_the_batch_is_not_there() {
    let asked = Asked::of_job(&file(), GENESIS, None, Some(&job()));
    assert_eq!(asked.elsewhere, None);
    let batch = asked
        .checks
        .iter()
        .find(|made| made.check == CheckKind::Chain);
    assert!(batch.is_some_and(|made| !made.holds));
    let asked = Asked::of_job(&file(), GENESIS, None, None);
    assert_eq!(asked.elsewhere, Some(Elsewhere::NoSuchJob));
    assert!(asked.checks.is_empty());
}
