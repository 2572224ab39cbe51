//! The validator: it makes blocks, makes them final, and answers for the chain over JSON-RPC.
//!
//! The node only transports. What a block may contain and what the chain's answers are is decided
//! by the runtime, which runs as Wasm and is part of the chain's own state.
//!
//! | module | what |
//! | --- | --- |
//! | `cli` | the command line |
//! | `command` | from a command line to what it does |
//! | [`chain_spec`] | which chain: `dev`, `local` or a file |
//! | `service` | the parts of a running node and how they are connected |
//! | `rpc` | what the node answers, our `quern_*` methods among it |

pub mod chain_spec;
mod cli;
mod command;
mod rpc;
mod service;

pub use command::run;
