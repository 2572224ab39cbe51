//! Runs a program on an input under limits, deterministically. The only room with a WebAssembly
//! engine: everyone else sees bytes in and an [`Outcome`] out.
//!
//! ```no_run
//! use quern_sandbox::{Cancel, Class, Engine, Exit, Invocation, Limits};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::new(Class::Pinned)?;
//! let program = engine.compile(&std::fs::read("histogram.wasm")?)?;
//! let invocation = Invocation::new(std::fs::read("shard")?, [0; 32]).with_arguments(["--top", "10"])?;
//! let outcome = program.run(&invocation, &Limits::default(), &Cancel::new())?;
//! assert_eq!(outcome.exit, Exit::Success);
//! # Ok(())
//! # }
//! ```
//!
//! # What decides an outcome
//!
//! Program, invocation (input, arguments, environment, seed), limits without the wall time, the
//! class, and the engine as [`engine_identity`] names it. Not: the machine, the time, the [`Pace`],
//! what else runs, chance. What is the machine's alone is either a [`RunError`] or an exit for which
//! [`Exit::settled`] is `None`, and never an answer.
//!
//! - *Machine code.* In the pinned class all devices run the same code for one list of processor
//!   features. In the portable class code differs, and NaNs, the only values in which processors
//!   differ, are made canonical where they may be seen.
//! - *Fuel* is counted per instruction by the engine; what the engine counts too low is metered by
//!   this room, see [`prices`]. To make values canonical takes instructions, so a program that computes
//!   with floats uses more in the portable class.
//! - *Memory.* Growth beyond the limit is refused: the program sees -1.
//! - *Stack.* Counted from the program's text, not measured on the machine.
//! - *Time* is fuel: a program's clock goes a nanosecond with each.
//! - *Randomness* is a stream that follows from the seed.
//!
//! # Stopping a run, and letting it rest
//!
//! The engine looks at the fuel at the head of every function and loop, and a run is given its fuel
//! in slices. When one is used up the run is left, on a stack of its own, for a look at the clock and,
//! every 20 ms, at its [`Cancel`]; there it also rests as its [`Pace`] demands. Then it goes on with
//! the next slice. How fuel is cut changes nothing of how much is used. Looking at a counter of time
//! beside the fuel, as engines also can, keeps two more values in each function and costs a path
//! tracer a twentieth of its time.
//!
//! # How it is built
//!
//! [`inspect()`] validates; `instrument` adds metering, and for the portable class what makes NaNs
//! canonical; [`Engine::compile`] compiles;
//! [`Program::run`] gives a place from a pool and calls. `wasi` is the world a program sees: pure
//! functions over its memory, its streams and its budget, behind one table of signatures.

mod cancel;
mod engine;
mod error;
mod identity;
mod inspect;
mod instrument;
mod invocation;
mod limits;
mod meter;
mod outcome;
mod pace;
mod run;
mod task;
mod throttle;
mod wasi;

pub use cancel::Cancel;
pub use engine::Engine;
pub use error::{EngineError, EngineFault, LooksLike, ProgramError, RunError};
pub use identity::{engine_digest, engine_identity};
pub use inspect::{ProgramFacts, inspect};
pub use instrument::instrumented;
pub use invocation::{Invocation, InvocationError, PROGRAM_NAME};
pub use limits::*;
pub use meter::prices;
pub use outcome::{Exit, Outcome, TrapKind};
pub use pace::Pace;
pub use quern_primitives::device::Class;
pub use run::Program;
pub use task::{TaskAnswer, run_seed};
