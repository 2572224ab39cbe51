#![allow(clippy::unwrap_used)]

use super::*;
use codec::Encode as _;
use quern_primitives::amount::BYTECHIP;

const ME: AccountId = AccountId::new([1; 32]);

fn sent(bytechips: u128) -> ChainEvent {
    ChainEvent {
        pallet: "Balances".into(),
        name: "Transfer".into(),
        transaction: Some(1),
        bytes: (ME, AccountId::new([2; 32]), bytechips * BYTECHIP).encode(),
        text: String::new(),
        held_for: None,
    }
}

/// A history that ends with block 9, of a chain in which the account sends as many ByteChips as a block
/// has for its number, and whose node keeps the states from a block on.
async fn read(wanted_from: BlockNumber, kept_from: BlockNumber) -> Result<History, ChainError> {
    let mut history = History {
        account: ME,
        first_block: 9,
        last_block: 9,
        discarded: false,
        entries: vec![],
    };
    let events = async |block: BlockNumber| match block < kept_from {
        true => Err(ChainError::Discarded {
            block,
            source: "State already discarded".into(),
        }),
        false => Ok(vec![sent(block.into())]),
    };
    history.read(wanted_from, events).await?;
    Ok(history)
}

#[tokio::test]
async fn a_history_begins_with_the_first_block_that_the_node_still_knows() {
    let whole = read(7, 1).await.unwrap();
    let text = whole.people();
    let places = ["-7 BC", "-8 BC", "-9 BC"].map(|amount| text.find(amount));
    assert!(places.is_sorted() && places[0].is_some(), "{text}");
    assert!(text.ends_with("(of blocks 7 to 9)"), "{text}");
    let part = read(1, 8).await.unwrap();
    assert_eq!((part.first_block, part.entries.len()), (8, 2));
    let text = part.people();
    assert!(
        part.discarded && text.contains("--state-pruning archive"),
        "{text}"
    );
    // A node that keeps nothing has no history to tell.
    assert!(matches!(
        read(1, 10).await,
        Err(ChainError::Discarded { block: 9, .. })
    ));
}
