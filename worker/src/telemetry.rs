//! What the machine is and how it is, in the protocol's words.

use crate::{
    availability::{Verdict, Withheld},
    machine::{Machine, State},
};
use quern_primitives::device::Line;
use quern_protocol::{Unavailable, limits::MACHINE_TEXT_BYTES_MAX};

/// What a masternode is told with the hello.
pub(crate) fn machine(machine: &Machine) -> quern_protocol::Machine {
    let processor = &machine.processor;
    quern_protocol::Machine {
        operating_system: text(machine.operating_system.as_deref()),
        processor_maker: text(processor.maker.as_deref()),
        processor_family: text(processor.family.as_deref()),
        processor_model: text(processor.model.as_deref()),
        cores: processor.cores.and_then(|cores| u16::try_from(cores).ok()),
        gpu: text(machine.gpu.as_deref()),
        ram_mib: machine.ram_mib,
        storage_mib: machine.storage_mib,
    }
}

/// What masternodes are told every 30 seconds: how the machine is, what its line is, how much of one
/// thread's time tasks may have, in percent, and what holds it back.
pub(crate) fn state(
    state: &State,
    line: Line,
    task_percent: u8,
    verdict: &Verdict,
) -> quern_protocol::State {
    quern_protocol::State {
        line,
        free_ram_mib: state.free_ram_mib,
        free_storage_mib: state.free_storage_mib,
        free_cpu_permille: state.free_cpu_permille,
        task_cpu_permille: Some(u16::from(task_percent) * 10),
        // The core adds it, which sees to it.
        task_memory_mib: None,
        battery_permille: state.battery_permille,
        is_charging: state.charging,
        temperature_decicelsius: state.temperature_decicelsius,
        unavailable: unavailable(verdict),
    }
}

fn text(words: Option<&str>) -> Option<Vec<u8>> {
    let words = words?;
    let end = words.floor_char_boundary(MACHINE_TEXT_BYTES_MAX);
    Some(words.as_bytes()[..end].to_vec())
}

/// Each reason once. Masternodes need not know whether it is a person or a program that uses the
/// machine.
fn unavailable(verdict: &Verdict) -> Vec<Unavailable> {
    let mut all = Vec::new();
    for reason in verdict.reasons() {
        let reason = match reason {
            Withheld::OutsideHours { .. } => Unavailable::OutsideHours,
            Withheld::NetworkNotAllowed { .. } => Unavailable::NetworkNotAllowed,
            Withheld::DataCapReached { .. } => Unavailable::DataCapReached,
            Withheld::BatteryLow { .. } => Unavailable::BatteryLow,
            Withheld::TooHot { .. } => Unavailable::TooHot,
            Withheld::InUse { .. } | Withheld::Busy { .. } => Unavailable::InUse,
        };
        if !all.contains(&reason) {
            all.push(reason);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Processor;
    use quern_protocol::{Exchange, Hello, Message, Request};

    #[test]
    fn names_of_any_length_fit_and_are_cut_between_characters() {
        let long = "あ".repeat(96);
        let told = machine(&Machine {
            operating_system: Some(long.clone()),
            processor: Processor {
                maker: Some("Maker".into()),
                cores: Some(8),
                threads: Some(16),
                ..Processor::default()
            },
            gpu: Some(long),
            ..Machine::default()
        });
        assert_eq!(told.processor_maker.as_deref(), Some(&b"Maker"[..]));
        assert_eq!((told.cores, told.ram_mib), (Some(8), None));
        let system = told.operating_system.clone().unwrap();
        assert_eq!(String::from_utf8(system).unwrap(), "あ".repeat(42));
        let hello = Request::Hello(Hello {
            machine: told,
            ..Hello::default()
        });
        assert_eq!(hello.check(), Ok(()));
    }

    #[test]
    fn more_cores_than_can_be_told_are_not_told() {
        let processor = Processor {
            cores: Some(65_536),
            ..Processor::default()
        };
        let told = machine(&Machine {
            processor,
            ..Machine::default()
        });
        assert_eq!(told.cores, None);
    }

    #[test]
    fn what_is_absent_stays_absent() {
        assert_eq!(
            machine(&Machine::default()),
            quern_protocol::Machine::default()
        );
        let told = state(&State::default(), Line::Unknown, 100, &Verdict::Available);
        assert_eq!(
            told,
            quern_protocol::State {
                // What its owner allows is always known.
                task_cpu_permille: Some(1_000),
                ..quern_protocol::State::default()
            }
        );
    }

    #[test]
    fn a_state_is_told_with_each_reason_once() {
        let withheld = Verdict::Withheld(vec![
            Withheld::TooHot {
                decicelsius: 950,
                decicelsius_max: 900,
            },
            Withheld::InUse {
                idle_s: Some(1),
                idle_s_min: 600,
            },
            Withheld::Busy {
                permille: None,
                permille_max: 250,
            },
        ]);
        let read = State {
            free_cpu_permille: Some(0),
            temperature_decicelsius: Some(950),
            charging: Some(true),
            ..State::default()
        };
        let told = state(&read, Line::Dsl, 25, &withheld);
        assert_eq!(
            told,
            quern_protocol::State {
                line: Line::Dsl,
                free_cpu_permille: Some(0),
                task_cpu_permille: Some(250),
                is_charging: Some(true),
                temperature_decicelsius: Some(950),
                unavailable: vec![Unavailable::TooHot, Unavailable::InUse],
                ..quern_protocol::State::default()
            }
        );
        let exchange = Request::Exchange(Exchange {
            state: Some(told),
            ..Exchange::default()
        });
        assert_eq!(exchange.check(), Ok(()));
    }
}
