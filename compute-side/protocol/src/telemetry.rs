//! What devices tell of themselves, and the benchmark that a masternode has them run.
//!
//! Whatever a machine does not tell is absent, and never zero. All of it is claimed: a masternode
//! shows it, and asks no device for more than it says it has. What decides money the masternode
//! measures itself.

use crate::{DecodeError, limits, message::at_most};
use codec::{Decode, Encode};
use quern_primitives::device::Line;

/// What a machine is: told once, with the hello. What is not known is absent.
///
/// Texts are UTF-8 and for people; who shows one expects anything in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Machine {
    /// Name and version of the operating system.
    pub operating_system: Option<Vec<u8>>,
    /// Who made the processor.
    pub processor_maker: Option<Vec<u8>>,
    /// The processor's family, as its maker counts them.
    pub processor_family: Option<Vec<u8>>,
    /// The processor's name.
    pub processor_model: Option<Vec<u8>>,
    /// The processor's cores.
    pub cores: Option<u16>,
    /// Maker and model of the graphics processor that computes best.
    pub gpu: Option<Vec<u8>>,
    /// Memory that programs may use, in MiB.
    pub ram_mib: Option<u64>,
    /// Size of the file system that holds the worker's data, in MiB.
    pub storage_mib: Option<u64>,
}

/// Why a worker does not offer its machine now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Unavailable {
    /// It is outside the hours its owner allows.
    OutsideHours,
    /// Its owner does not allow the network it is in.
    NetworkNotAllowed,
    /// It has moved as many data as it may this month.
    DataCapReached,
    /// A person or other programs use it, or may, for all that is known.
    InUse,
    /// Its battery is low.
    BatteryLow,
    /// Its cores are too hot.
    TooHot,
}

/// How a machine is: told every 30 seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct State {
    /// The line it has; unknown if neither it nor its owner tells.
    pub line: Line,
    /// Memory that could be had without swapping, in MiB.
    pub free_ram_mib: Option<u64>,
    /// Room on the file system that holds the worker's data, in MiB.
    pub free_storage_mib: Option<u64>,
    /// Processor time that other programs left, in thousandths of all there was.
    pub free_cpu_permille: Option<u16>,
    /// How much of one thread's time its owner lets tasks have, in thousandths. A benchmark has the
    /// same, and what it told holds while this stays as it is.
    pub task_cpu_permille: Option<u16>,
    /// Memory that its owner lets one task have, in MiB. It is asked for no task that may need more;
    /// one that does not tell is asked for any.
    pub task_memory_mib: Option<u64>,
    /// Charge of the batteries, in thousandths. Absent without a battery.
    pub battery_permille: Option<u16>,
    /// Whether it runs on external power. Absent without a battery.
    pub is_charging: Option<bool>,
    /// The hottest core, in tenths of a degree Celsius.
    pub temperature_decicelsius: Option<i16>,
    /// Why the machine is not offered now; empty if it is. At most [`limits::UNAVAILABLE_MAX`].
    pub unavailable: Vec<Unavailable>,
}

/// A fixed computation whose time tells how fast the processor is.
///
/// The device runs it at once, or declines it with [`crate::Exchange::unavailable_for`]. It runs as
/// tasks of the pinned class do, in 16 MiB of memory. If anything but 8 bytes comes of it there is no
/// answer, and none from a device that cannot run that class.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Benchmark {
    /// Which one; comes back with the answer.
    pub number: u64,
    /// The program, a WASI module; at most [`limits::BENCHMARK_BYTES_MAX`].
    pub program: Vec<u8>,
    /// What it reads on standard input.
    pub input: [u8; 16],
    /// How much fuel it takes at the most.
    pub fuel: u64,
}

/// What came of a benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct BenchmarkAnswer {
    /// Which one.
    pub number: u64,
    /// What its program wrote on standard output.
    pub output: [u8; 8],
}

impl Machine {
    pub(crate) fn check(&self) -> Result<(), DecodeError> {
        let texts = [
            ("machine.operating_system", &self.operating_system),
            ("machine.processor_maker", &self.processor_maker),
            ("machine.processor_family", &self.processor_family),
            ("machine.processor_model", &self.processor_model),
            ("machine.gpu", &self.gpu),
        ];
        texts.into_iter().try_for_each(|(field, text)| {
            at_most(
                field,
                text.as_ref().map_or(0, Vec::len),
                limits::MACHINE_TEXT_BYTES_MAX,
            )
        })
    }
}

impl State {
    pub(crate) fn check(&self) -> Result<(), DecodeError> {
        at_most(
            "state.free_cpu_permille",
            self.free_cpu_permille.unwrap_or(0).into(),
            limits::PERMILLE_MAX,
        )?;
        at_most(
            "state.task_cpu_permille",
            self.task_cpu_permille.unwrap_or(0).into(),
            limits::PERMILLE_MAX,
        )?;
        at_most(
            "state.battery_permille",
            self.battery_permille.unwrap_or(0).into(),
            limits::PERMILLE_MAX,
        )?;
        at_most(
            "state.unavailable",
            self.unavailable.len(),
            limits::UNAVAILABLE_MAX,
        )
    }
}

impl Benchmark {
    pub(crate) fn check(&self) -> Result<(), DecodeError> {
        at_most(
            "benchmark.program",
            self.program.len(),
            limits::BENCHMARK_BYTES_MAX,
        )
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{Exchange, Hello, Message, Request, Response, Work, decode, encode};
    use proptest::prelude::*;

    fn hello(machine: Machine) -> Request {
        Request::Hello(Hello {
            machine,
            ..Hello::default()
        })
    }

    fn exchange(state: State) -> Request {
        Request::Exchange(Exchange {
            state: Some(state),
            ..Exchange::default()
        })
    }

    fn work(program_bytes: usize) -> Response {
        Response::Work(Work {
            benchmark: Some(Benchmark {
                number: 1,
                program: vec![0; program_bytes],
                input: [2; 16],
                fuel: 3,
            }),
            ..Work::default()
        })
    }

    /// What a message that breaks a limit is refused for.
    fn broken<M: Message + std::fmt::Debug>(message: &M) -> (&'static str, u64, u64) {
        match decode::<M>(&encode(message)).unwrap_err() {
            DecodeError::OverLimit {
                field,
                found,
                limit,
            } => (field, found, limit),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_text_of_a_machine_that_is_too_long_is_refused() {
        let most = limits::MACHINE_TEXT_BYTES_MAX;
        let text = |length: usize| Some(vec![b'x'; length]);
        type With = fn(Option<Vec<u8>>) -> Machine;
        let with: [(&str, With); 5] = [
            ("machine.operating_system", |text| Machine {
                operating_system: text,
                ..Machine::default()
            }),
            ("machine.processor_maker", |text| Machine {
                processor_maker: text,
                ..Machine::default()
            }),
            ("machine.processor_family", |text| Machine {
                processor_family: text,
                ..Machine::default()
            }),
            ("machine.processor_model", |text| Machine {
                processor_model: text,
                ..Machine::default()
            }),
            ("machine.gpu", |text| Machine {
                gpu: text,
                ..Machine::default()
            }),
        ];
        for (field, machine) in with {
            let longest = hello(machine(text(most)));
            assert_eq!(decode::<Request>(&encode(&longest)).unwrap(), longest);
            let broken = broken(&hello(machine(text(most + 1))));
            assert_eq!(broken, (field, most as u64 + 1, most as u64));
        }
    }

    #[test]
    fn more_than_all_of_a_processor_or_battery_is_refused() {
        let state = State {
            free_cpu_permille: Some(1_001),
            ..State::default()
        };
        let found = broken(&exchange(state));
        assert_eq!(found, ("state.free_cpu_permille", 1_001, 1_000));
        let state = State {
            task_cpu_permille: Some(1_001),
            ..State::default()
        };
        let found = broken(&exchange(state));
        assert_eq!(found, ("state.task_cpu_permille", 1_001, 1_000));
        let state = State {
            battery_permille: Some(u16::MAX),
            ..State::default()
        };
        let found = broken(&exchange(state));
        assert_eq!(found, ("state.battery_permille", 65_535, 1_000));
    }

    #[test]
    fn more_reasons_than_there_may_be_are_refused() {
        let state = |reasons: usize| State {
            unavailable: vec![Unavailable::InUse; reasons],
            ..State::default()
        };
        let most = exchange(state(limits::UNAVAILABLE_MAX));
        assert_eq!(decode::<Request>(&encode(&most)).unwrap(), most);
        let found = broken(&exchange(state(limits::UNAVAILABLE_MAX + 1)));
        assert_eq!(found, ("state.unavailable", 9, 8));
    }

    #[test]
    fn a_benchmark_that_is_too_long_is_refused() {
        let most = work(limits::BENCHMARK_BYTES_MAX);
        assert_eq!(decode::<Response>(&encode(&most)).unwrap(), most);
        let found = broken(&work(limits::BENCHMARK_BYTES_MAX + 1));
        assert_eq!(found, ("benchmark.program", 16_385, 16_384));
    }

    #[test]
    fn what_is_not_known_stays_absent_and_zero_stays_zero() {
        let unknown = exchange(State::default());
        assert_eq!(decode::<Request>(&encode(&unknown)).unwrap(), unknown);
        let empty = exchange(State {
            free_ram_mib: Some(0),
            battery_permille: Some(0),
            is_charging: Some(false),
            temperature_decicelsius: Some(-5),
            ..State::default()
        });
        assert_eq!(decode::<Request>(&encode(&empty)).unwrap(), empty);
        assert_ne!(encode(&unknown), encode(&empty));
    }

    proptest! {
        #[test]
        fn an_answer_reads_back_as_written(number: u64, output: [u8; 8]) {
            let request = Request::Exchange(Exchange {
                benchmark: Some(BenchmarkAnswer { number, output }),
                ..Exchange::default()
            });
            prop_assert_eq!(decode::<Request>(&encode(&request)).unwrap(), request);
        }

        #[test]
        fn a_benchmark_that_is_declined_reads_back_as_written(number: u64, is_busy: bool) {
            let request = Request::Exchange(Exchange {
                unavailable_for: Some(number),
                is_busy,
                ..Exchange::default()
            });
            prop_assert_eq!(decode::<Request>(&encode(&request)).unwrap(), request);
        }
    }
}
