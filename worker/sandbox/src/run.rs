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
use std::time::Instant;
use wasmtime::{Instance, InstancePre, Memory, Store, StoreContextMut, Trap, UpdateDeadline, Val};

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
    watch: Watch,
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
    /// The thread needs [`THREAD_STACK_BYTES_MIN`](crate::THREAD_STACK_BYTES_MIN) of stack. An
    /// error says that this machine failed, and nothing about the program; so do the exits for
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
                watch,
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
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut store: StoreContextMut<'_, State>| {
            store.data_mut().watch.look()?;
            Ok(UpdateDeadline::Continue(1))
        });
        let _running = self.engine.pulse().run();

        let result = match self.ready.instantiate(&mut *store) {
            Ok(instance) => {
                let result = call(store, &instance);
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

impl Watch {
    fn look(&mut self) -> Result<(), Stop> {
        let rested = self.stint.rest(Instant::now(), &self.cancel);
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
fn call(store: &mut Store<State>, instance: &Instance) -> wasmtime::Result<()> {
    store.data_mut().memory = instance.get_memory(&mut *store, "memory");
    // The memory the program starts with is paid before it does anything.
    let left = store.get_fuel()?;
    let meter = &mut store.data_mut().meter;
    let paid = meter.open(left);
    let left = meter.remaining();
    store.set_fuel(left)?;
    paid?;
    if instance.get_func(&mut *store, START_EXPORT).is_some() {
        instance
            .get_typed_func::<(), ()>(&mut *store, START_EXPORT)?
            .call(&mut *store, ())?;
    }
    instance
        .get_typed_func::<(), ()>(&mut *store, "_start")?
        .call(&mut *store, ())
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
