//! The engine: one per process and determinism class.

use crate::{
    error::{EngineError, ProgramError},
    inspect::survey,
    instrument::instrument,
    limits::{GLOBALS_MAX, RUNS_MAX, STACK_BYTES, TABLE_ELEMENTS_MAX, TABLES_MAX},
    pace::Pace,
    run::{Program, State},
    wasi,
};
use quern_primitives::{device::Class, limits::TASK_MEMORY_BYTES_MAX};
use std::sync::Arc;
use wasmtime::{
    Config, InstanceAllocationStrategy, Linker, OptLevel, PoolingAllocationConfig, Strategy,
};

/// Bytes of the machine's stack that programs may take. It is more than [`STACK_BYTES`], so that
/// the count of those ends a program first, on every machine at the same call.
const MACHINE_STACK_BYTES: usize = STACK_BYTES as usize + STACK_BYTES as usize / 4;

/// Bytes of the stack of its own that each run has: the program's part, and behind it room for the
/// functions of the host, which run on it too. It is address space; the memory of what was ever
/// used of it stays with the engine for later runs.
const RUN_STACK_BYTES: usize = 2 * 1024 * 1024;

/// Address space behind each memory in which any access is caught by the processor, so that no
/// instruction is spent on checking bounds.
const GUARD_BYTES: u64 = 32 * 1024 * 1024;

/// Bytes of a memory that are cleared by hand for the next run; giving pages back to the system
/// and taking them again costs more than that for small programs.
const KEPT_MEMORY_BYTES: usize = 256 * 1024;
const KEPT_TABLE_BYTES: usize = 64 * 1024;

/// Bytes of an instance's own record: 32 for each function whose address is taken, 16 for each
/// global, and some for the rest.
const INSTANCE_BYTES_MAX: usize =
    32 * TABLE_ELEMENTS_MAX as usize + 16 * (GLOBALS_MAX as usize + 1) + 256 * 1024;

/// Compiles programs and gives them places to run. Cloning it gives another handle to the same
/// engine.
///
/// It is expensive to make, and reserves 4 GiB of address space (not memory) for each of
/// [`RUNS_MAX`] runs: make one per process and class.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    wasmtime: wasmtime::Engine,
    linker: Linker<State>,
    class: Class,
    pace: Pace,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("class", &self.0.class)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine of this class; an error if this machine cannot offer it.
    pub fn new(class: Class) -> Result<Self, EngineError> {
        Self::paced(class, Pace::default())
    }

    /// An engine of this class, whose runs keep to this pace.
    pub fn paced(class: Class, pace: Pace) -> Result<Self, EngineError> {
        let start = |source: wasmtime::Error| EngineError::Start {
            address_space_bytes: u64::from(RUNS_MAX) * (TASK_MEMORY_BYTES_MAX + GUARD_BYTES),
            source: source.into(),
        };
        let wasmtime = wasmtime::Engine::new(&configure(class)?).map_err(start)?;
        let mut linker = Linker::new(&wasmtime);
        wasi::link(&mut linker).map_err(start)?;
        Ok(Engine(Arc::new(Inner {
            wasmtime,
            linker,
            class,
            pace,
        })))
    }

    /// Checks and compiles a program.
    ///
    /// Compiling uses all cores and takes about a second for each megabyte of code; what it makes
    /// can be run any number of times, from any number of threads.
    pub fn compile(&self, program: &[u8]) -> Result<Program, ProgramError> {
        let survey = survey(program)?;
        let metered = instrument(program, &survey, self.0.class)?;
        let fault = |error: wasmtime::Error| ProgramError::Compile(error.into());
        let module = wasmtime::Module::from_binary(&self.0.wasmtime, &metered).map_err(fault)?;
        let ready = self.0.linker.instantiate_pre(&module).map_err(fault)?;
        Ok(Program::new(self.clone(), ready, survey.facts))
    }

    /// The class this engine is of.
    pub fn class(&self) -> Class {
        self.0.class
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.0.wasmtime
    }

    pub(crate) fn pace(&self) -> &Pace {
        &self.0.pace
    }
}

/// Everything that decides what machine code does is set here, and nothing is left to what the
/// machine or the build happens to have.
fn configure(class: Class) -> Result<Config, EngineError> {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .consume_fuel(true)
        // So that a run can be left for a look when a slice of fuel is used up.
        .async_support(true)
        .async_stack_size(RUN_STACK_BYTES)
        .max_wasm_stack(MACHINE_STACK_BYTES)
        .memory_reservation(TASK_MEMORY_BYTES_MAX)
        .memory_guard_size(GUARD_BYTES)
        .memory_may_move(false)
        .memory_init_cow(true)
        .wasm_backtrace(false)
        .generate_address_map(false)
        .relaxed_simd_deterministic(true)
        .wasm_tail_call(false)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(places()));
    match class {
        Class::Pinned => pin(&mut config)?,
        // Whatever the machine has. The bits of a NaN are all in which processors differ, and `instrument` makes
        // those canonical that may be seen, also those that functions of the host compute for processors that
        // lack an instruction; so the compiler need not.
        Class::Portable => {}
    }
    Ok(config)
}

/// Places for [`RUNS_MAX`] runs, reserved once, so that a run starts in microseconds.
fn places() -> PoolingAllocationConfig {
    let mut places = PoolingAllocationConfig::new();
    places
        .total_core_instances(RUNS_MAX)
        .total_memories(RUNS_MAX)
        .total_tables(RUNS_MAX * TABLES_MAX)
        .total_stacks(RUNS_MAX)
        .max_memories_per_module(1)
        .max_tables_per_module(TABLES_MAX)
        .max_memory_size(usize::try_from(TASK_MEMORY_BYTES_MAX).unwrap_or(usize::MAX))
        .table_elements(TABLE_ELEMENTS_MAX as usize)
        .max_core_instance_size(INSTANCE_BYTES_MAX)
        .max_unused_warm_slots(RUNS_MAX)
        .linear_memory_keep_resident(KEPT_MEMORY_BYTES)
        .table_keep_resident(KEPT_TABLE_BYTES);
    places
}

/// The processor features of the pinned class, in Rust's names and the compiler's: what every
/// x86-64 processor made since about 2015 has, known as x86-64-v3.
macro_rules! pinned_features {
    ($($feature:tt = $flag:literal),* $(,)?) => {
        /// Names of the processor features that the pinned class uses, and no others.
        pub(crate) const PINNED_FEATURES: &[&str] = &[$($feature),*];

        const PINNED_FLAGS: &[&str] = &[$($flag),*];

        #[cfg(target_arch = "x86_64")]
        fn missing_features() -> Vec<&'static str> {
            let mut missing = Vec::new();
            $(if !std::arch::is_x86_feature_detected!($feature) {
                missing.push($feature);
            })*
            missing
        }
    };
}

pinned_features! {
    "sse3" = "has_sse3",
    "ssse3" = "has_ssse3",
    "sse4.1" = "has_sse41",
    "sse4.2" = "has_sse42",
    "popcnt" = "has_popcnt",
    "avx" = "has_avx",
    "avx2" = "has_avx2",
    "fma" = "has_fma",
    "bmi1" = "has_bmi1",
    "bmi2" = "has_bmi2",
    "lzcnt" = "has_lzcnt",
}

/// The target of this build, in the compiler's words. Naming it, even though it is this machine,
/// is what keeps the compiler from using features that it finds here.
#[cfg(target_arch = "x86_64")]
pub(crate) const PINNED_TARGET: &str = if cfg!(target_os = "macos") {
    "x86_64-apple-darwin"
} else if cfg!(target_os = "windows") {
    if cfg!(target_env = "gnu") {
        "x86_64-pc-windows-gnu"
    } else {
        "x86_64-pc-windows-msvc"
    }
} else if cfg!(target_env = "musl") {
    "x86_64-unknown-linux-musl"
} else {
    "x86_64-unknown-linux-gnu"
};

#[cfg(not(target_arch = "x86_64"))]
fn pin(_: &mut Config) -> Result<(), EngineError> {
    Err(EngineError::WrongProcessor {
        found: std::env::consts::ARCH,
    })
}

#[cfg(target_arch = "x86_64")]
fn pin(config: &mut Config) -> Result<(), EngineError> {
    let missing = missing_features();
    if !missing.is_empty() {
        return Err(EngineError::MissingFeatures { missing });
    }
    let start = |source: wasmtime::Error| EngineError::Start {
        address_space_bytes: u64::from(RUNS_MAX) * (TASK_MEMORY_BYTES_MAX + GUARD_BYTES),
        source: source.into(),
    };
    config.target(PINNED_TARGET).map_err(start)?;
    for flag in PINNED_FLAGS {
        // SAFETY: a flag is unsafe to set where it breaks what the engine relies on. These let the
        // compiler use instructions that this processor was found to have above, and the engine
        // checks the same again before it runs anything.
        #[allow(unsafe_code)]
        unsafe {
            config.cranelift_flag_enable(flag);
        }
    }
    Ok(())
}

#[cfg(all(test, target_arch = "x86_64"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    /// Floats, vectors, memory, calls and loops, so that most of what the compiler decides by
    /// processor features is in it.
    const PROGRAM: &str = r#"(module (memory (export "memory") 1)
        (func $mix (param $x f64) (param $n i32) (result f64) (local $v v128)
            (local.set $v (f64x2.splat (local.get $x)))
            (loop $next
                (local.set $v (f64x2.add (f64x2.nearest (local.get $v)) (v128.load (local.get $n))))
                (local.set $v (f64x2.relaxed_madd (local.get $v) (local.get $v) (local.get $v)))
                (v128.store (local.get $n) (i8x16.shuffle 0 2 4 6 8 10 12 14 16 18 20 22 24 26 28 30
                    (local.get $v) (f32x4.convert_i32x4_u (local.get $v))))
                (local.set $n (i32.sub (local.get $n) (i32.popcnt (i32.clz (i32.ctz (local.get $n))))))
                (br_if $next (i32.gt_s (local.get $n) (i32.const 0))))
            (f64.floor (f64x2.extract_lane 1 (local.get $v))))
        (func (export "_start")
            (f64.store (i32.const 8) (call $mix (f64.load (i32.const 0)) (i32.load (i32.const 16))))
            (memory.copy (i32.const 64) (i32.const 0) (i32.load (i32.const 20)))))"#;

    /// What every device of the pinned class must run for this program. A new version of the
    /// engine changes it, and then the identity must change too.
    const CODE_SHA256: &str = "d4ca1bdf072fb34b7778656e1360a281b3d757c94d79ceb2c539388293edf5b9";

    #[test]
    fn the_pinned_class_compiles_to_the_same_machine_code_everywhere() {
        let engine = Engine::new(Class::Pinned).unwrap();
        let program = engine.compile(&wat::parse_str(PROGRAM).unwrap()).unwrap();
        let digest = Sha256::digest(program.machine_code());
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, CODE_SHA256);
    }
}
