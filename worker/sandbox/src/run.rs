//! Running a compiled program once.

use crate::{
    Cancel, Exit, Invocation, Limits, Outcome, ProgramFacts, TrapKind,
    engine::Engine,
    error::RunError,
    instrument::{STACK_EXPORT, START_EXPORT},
    limits::RUNS_MAX,
    meter::{Meter, Stop},
    pace::Stint,
    wasi::World,
};
use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};
use wasmtime::{Instance, InstancePre, Memory, Store, Trap, Val};

/// How often a run looks whether to go on: the delay of a cancellation, and the grain of the wall
/// time and of a pace.
const BEAT: Duration = Duration::from_millis(20);

/// Fuel between two looks at the clock. A machine burns it in a tenth of a millisecond to one; a
/// program that waits for memory at each step, in some twenty.
const LOOK_FUEL: u64 = 1_000_000;

/// A compiled program. Cloning it gives another handle to the same code.
#[derive(Clone)]
pub struct Program {
    engine: Engine,
    ready: InstancePre<State>,
    facts: ProgramFacts,
}

/// All that the host holds for one run.
pub(crate) struct State {
    pub(crate) world: World,
    pub(crate) meter: Meter,
    /// The program's memory, if it exports one.
    pub(crate) memory: Option<Memory>,
    watch: Arc<Mutex<Watch>>,
    /// The fuel left at which a call of the host looks at the clock.
    look_at: u64,
}

/// When this machine gives a run up, and when it lets it rest.
struct Watch {
    /// `None` if it is too far away for the machine's clock.
    deadline: Option<Instant>,
    cancel: Cancel,
    stint: Stint,
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program")
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

impl Program {
    pub(crate) fn new(engine: Engine, ready: InstancePre<State>, facts: ProgramFacts) -> Self {
        Program {
            engine,
            ready,
            facts,
        }
    }

    /// What the program is and needs.
    pub fn facts(&self) -> &ProgramFacts {
        &self.facts
    }

    #[cfg(test)]
    pub(crate) fn machine_code(&self) -> &[u8] {
        self.ready.module().text()
    }

    /// Runs the program once, on the calling thread, until it ends, meets a limit or is cancelled;
    /// it rests as its engine's [`Pace`](crate::Pace) demands.
    ///
    /// An error says that this machine failed, and nothing about the program; so do the exits for
    /// which [`Exit::settled`] is `None`.
    pub fn run(
        &self,
        invocation: &Invocation,
        limits: &Limits,
        cancel: &Cancel,
    ) -> Result<Outcome, RunError> {
        limits.check()?;
        let stint = self.engine.pace().begin(cancel);
        let watch = Watch {
            deadline: stint.since().checked_add(limits.wall_time),
            cancel: cancel.clone(),
            stint,
        };
        let meter = Meter::new(limits.fuel, limits.memory_bytes_max);
        let world = World::new(invocation, limits.output_bytes_max);
        let mut store = Store::new(
            self.engine.wasmtime(),
            State {
                world,
                meter,
                memory: None,
                watch: Arc::new(Mutex::new(watch)),
                look_at: limits.fuel.saturating_sub(LOOK_FUEL),
            },
        );

        let exit = if cancel.is_cancelled() {
            Exit::Cancelled
        } else if self.facts.memory_bytes_min > limits.memory_bytes_max {
            Exit::MemoryLimit
        } else {
            self.execute(&mut store, limits.fuel)?
        };
        let State { world, meter, .. } = store.into_data();
        let (output, diagnostics) = world.into_writings();
        let (fuel_used, memory_bytes) = (meter.told(), meter.memory_bytes());
        Ok(Outcome {
            exit,
            fuel_used,
            output,
            diagnostics,
            memory_bytes,
        })
    }

    fn execute(&self, store: &mut Store<State>, fuel: u64) -> Result<Exit, RunError> {
        store.limiter(|state| &mut state.meter);
        // One more than the limit: see `Meter`.
        store.set_fuel(fuel.saturating_add(1)).map_err(machine)?;
        store
            .fuel_async_yield_interval(Some(LOOK_FUEL))
            .map_err(machine)?;

        let watch = Arc::clone(&store.data().watch);
        let result = match watched(&watch, self.ready.instantiate_async(&mut *store)) {
            Ok(instance) => {
                let result = call(store, &instance, &watch);
                let overflowed = result.is_err() && stack_is_used_up(store, &instance);
                result.map_err(|error| (error, overflowed))
            }
            Err(error) => Err((error, false)),
        };

        let left = store.get_fuel().map_err(machine)?;
        let meter = &mut store.data_mut().meter;
        // What it owes may be more than is left, which `is_empty` says below.
        let _ = meter.open(left);
        let used_up = meter.is_empty();
        let refused = meter.memory_refused();
        let exit = match result {
            Ok(()) => Exit::Success,
            Err((error, overflowed)) => exit_of(error, overflowed, refused)?,
        };
        // A program may pass its limit between two looks of the engine, and end before the next.
        Ok(if used_up && exit.settled().is_some() {
            Exit::OutOfFuel
        } else {
            exit
        })
    }
}

impl State {
    /// Looks whether the run may go on, if a slice of fuel was used since a call of the host last did;
    /// `fuel` is what is left. Each call gives the engine a whole slice again, so a program that calls
    /// often enough never uses one up.
    pub(crate) fn look(&mut self, fuel: u64) -> Result<(), Stop> {
        if fuel > self.look_at {
            return Ok(());
        }
        self.look_at = fuel.saturating_sub(LOOK_FUEL);
        look(&self.watch)
    }
}

/// Looks whether the run may go on, and lets it rest. What is watched is whole even if a thread
/// panicked while it had the lock.
fn look(watch: &Mutex<Watch>) -> Result<(), Stop> {
    let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
    watch.look(Instant::now())
}

/// Waits for work in the engine on this very thread, with a look each time that it has used a slice
/// of fuel. Work that may not go on is dropped, which unwinds it.
fn watched<T>(
    watch: &Mutex<Watch>,
    work: impl Future<Output = wasmtime::Result<T>>,
) -> wasmtime::Result<T> {
    let mut work = pin!(work);
    // Nothing has to wake it: work that stops for a look is ready to go on.
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match work.as_mut().poll(&mut context) {
            Poll::Ready(result) => return result,
            Poll::Pending => look(watch)?,
        }
    }
}

impl Watch {
    fn look(&mut self, now: Instant) -> Result<(), Stop> {
        if now.saturating_duration_since(self.stint.since()) < BEAT {
            return Ok(());
        }
        let rested = self.stint.rest(now, &self.cancel);
        if self.cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        self.deadline = self
            .deadline
            .and_then(|deadline| deadline.checked_add(rested));
        if self
            .deadline
            .is_some_and(|deadline| self.stint.since() >= deadline)
        {
            return Err(Stop::WallTime);
        }
        Ok(())
    }
}

/// Runs the start function, if there is one, and the program.
fn call(
    store: &mut Store<State>,
    instance: &Instance,
    watch: &Mutex<Watch>,
) -> wasmtime::Result<()> {
    store.data_mut().memory = instance.get_memory(&mut *store, "memory");
    // The memory the program starts with is paid before it does anything.
    let left = store.get_fuel()?;
    let meter = &mut store.data_mut().meter;
    let paid = meter.open(left);
    let left = meter.remaining();
    store.set_fuel(left)?;
    paid?;
    if instance.get_func(&mut *store, START_EXPORT).is_some() {
        let first = instance.get_typed_func::<(), ()>(&mut *store, START_EXPORT)?;
        watched(watch, first.call_async(&mut *store, ()))?;
    }
    let start = instance.get_typed_func::<(), ()>(&mut *store, "_start")?;
    watched(watch, start.call_async(&mut *store, ()))
}

fn stack_is_used_up(store: &mut Store<State>, instance: &Instance) -> bool {
    let counter = instance.get_global(&mut *store, STACK_EXPORT);
    counter.is_some_and(|counter| matches!(counter.get(&mut *store), Val::I32(left) if left < 0))
}

/// How a run ended that did not return.
fn exit_of(
    error: wasmtime::Error,
    overflowed: bool,
    memory_refused: bool,
) -> Result<Exit, RunError> {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return Ok(match stop {
            Stop::Exit(0) => Exit::Success,
            Stop::Exit(code) => Exit::Code(*code),
            Stop::OutOfFuel => Exit::OutOfFuel,
            Stop::OutputLimit => Exit::OutputLimit,
            Stop::WallTime => Exit::WallTime,
            Stop::Cancelled => Exit::Cancelled,
        });
    }
    let Some(trap) = error.downcast_ref::<Trap>() else {
        return Err(machine(error));
    };
    let kind = match trap {
        Trap::OutOfFuel => return Ok(Exit::OutOfFuel),
        Trap::StackOverflow => return Err(RunError::MachineStack),
        Trap::UnreachableCodeReached if overflowed => TrapKind::StackOverflow,
        Trap::UnreachableCodeReached => TrapKind::Unreachable,
        Trap::MemoryOutOfBounds => TrapKind::MemoryOutOfBounds,
        Trap::TableOutOfBounds => TrapKind::TableOutOfBounds,
        Trap::IndirectCallToNull => TrapKind::NullFunction,
        Trap::BadSignature => TrapKind::WrongSignature,
        Trap::IntegerOverflow => TrapKind::IntegerOverflow,
        Trap::IntegerDivisionByZero => TrapKind::DivisionByZero,
        Trap::BadConversionToInteger => TrapKind::BadConversion,
        // The others belong to extensions that are not on.
        _ => return Err(machine(error)),
    };
    let overflowed = kind == TrapKind::StackOverflow;
    Ok(if memory_refused && !overflowed {
        Exit::MemoryLimit
    } else {
        Exit::Trap(kind)
    })
}

fn machine(error: wasmtime::Error) -> RunError {
    if error.is::<wasmtime::PoolConcurrencyLimitError>() {
        return RunError::Busy { max: RUNS_MAX };
    }
    RunError::Machine(error.into())
}
