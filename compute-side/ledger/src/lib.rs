//! The chain as the compute side sees it: finalised state, transactions, accounts.
//!
//! This is the only room that talks to a node. What is asked and what is answered has the types of
//! `quern-primitives`, encoded as the runtime encodes them; there is no second description of the
//! chain that could drift from the first. The little that is read from its storage is found there by
//! its names.
//!
//! ```text
//! Chain::connect(url)          one connection, which mends itself when the node comes back
//!   .finalised()               a stream of finalised heights
//!   .at_finalised()  -> State  everything asked of one State is of one block
//!   .blocks(from..=to)         what moved money in each of these blocks, a few at a time
//!   .submit(signer, Call)      waits until the call is in a finalised block and succeeded
//!   .send(signer, Call)        the same in two steps, for several on their way at a time
//! Proven::new(chain, trust)    the state of a chain whose node is not trusted, with proofs
//! ```

mod account;
mod blocks;
mod bond;
mod call;
mod chain;
mod council;
mod court;
mod custody;
mod disputes;
mod events;
mod headers;
mod proven;
mod proven_books;
mod session;
mod settlements;
mod slot;
mod snapshot;
mod state;
mod submit;
mod trace;
mod treasury;

pub use account::{Account, AccountError};
pub use blocks::{BLOCKS_AT_A_TIME, BlockRead, BlockStream, Progress};
pub use bond::Bond;
pub use call::{Call, Endpoints};
pub use chain::{Chain, ChainError, FinalisedBlock, FinalisedBlocks};
pub use council::{CallWeight, EncodedCall, Motion, MotionEnd};
pub use custody::CustodyCall;
pub use events::{ChainEvent, Transaction, movements};
pub use proven::{PAGE_VALUES, Page, Proven, ProvenError};
pub use session::SessionKeys;
pub use state::{State, tasks_in};
pub use submit::{Sent, Settled, SubmitError};
pub use treasury::{Payout, Purchase, Transfer};
