//! What a program that computes with floats shows must be what it would show if every result were made
//! canonical, whatever becomes of results in between.

use super::{maker::Maker, *};
use std::sync::LazyLock;
use wasmtime::Config;

/// What lies in memory when the program has ended, in this engine.
fn shown(engine: &Engine, program: &[u8]) -> Vec<u8> {
    let module = Module::from_binary(engine, program).unwrap();
    let mut store = Store::new(engine, ());
    let instance = Linker::new(engine)
        .instantiate(&mut store, &module)
        .unwrap();
    let start = instance
        .get_typed_func::<(), ()>(&mut store, "_start")
        .unwrap();
    start.call(&mut store, ()).unwrap();
    let memory = instance.get_memory(&mut store, "memory").unwrap();
    memory.data(&store).to_vec()
}

fn engine(set: impl FnOnce(&mut Config)) -> Engine {
    let mut config = Config::new();
    config.relaxed_simd_deterministic(true);
    set(&mut config);
    Engine::new(&config).unwrap()
}

/// An engine that makes each result canonical.
static EVERYWHERE: LazyLock<Engine> =
    LazyLock::new(|| engine(|config| _ = config.cranelift_nan_canonicalization(true)));

/// One for this processor, and one for a processor that has nothing but what all of its kind have: on x86-64
/// neither a product and sum in one, nor roundings, nor vector instructions of three operands.
static PROCESSORS: LazyLock<Vec<Engine>> = LazyLock::new(|| {
    let mut engines = vec![engine(|_| ())];
    #[cfg(target_arch = "x86_64")]
    engines.push(engine(|config| {
        _ = config.target(crate::engine::PINNED_TARGET).unwrap();
    }));
    engines
});

fn same_as_if_everywhere(text: &str) {
    let program = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let survey = survey(&program).unwrap();
    let expected = shown(&EVERYWHERE, &program);
    // Also where variables are followed to no end.
    for walk in [Walk::new(), Walk::with_steps(0)] {
        let written = write(&program, &survey, Some(walk)).unwrap();
        for engine in PROCESSORS.iter() {
            let found = shown(engine, &written);
            let pairs = expected.chunks(8).zip(found.chunks(8));
            let differs = pairs
                .map(|(one, other)| one != other)
                .position(|differs| differs);
            assert_eq!(differs, None, "{text}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_seen_is_what_it_were_if_every_result_were_canonical(bytes in prop::collection::vec(any::<u8>(), 64..2_000)) {
        same_as_if_everywhere(&Maker::program(&bytes));
    }
}

/// Each instruction that computes floats, on what makes each of them give a NaN that processors differ in.
#[test]
fn every_instruction_gives_the_canonical_nan_on_every_processor() {
    let mut body = String::new();
    let mut at = 1_024;
    let mut show = |ty: &str, value: String| {
        body += &format!("({ty}.store (i32.const {at}) {value})\n");
        at += 16;
    };
    let kinds = [
        ("f32", "f32.const", ["-nan:0x212345", "inf", "-1"]),
        ("f64", "f64.const", ["-nan:0x4000000000001", "inf", "-1"]),
        (
            "f32x4",
            "v128.const f32x4",
            [
                "-nan:0x212345 -nan inf 1",
                "inf -inf nan 1",
                "-1 0 -nan:0x1 1",
            ],
        ),
        (
            "f64x2",
            "v128.const f64x2",
            ["-nan:0x4000000000001 -inf", "inf inf", "-1 -nan:0x1"],
        ),
    ];
    for (shape, constant, values) in kinds {
        let ty = if shape.contains('x') { "v128" } else { shape };
        let values = values.map(|value| format!("({constant} {value})"));
        for one in &values {
            for op in ["sqrt", "ceil", "floor", "trunc", "nearest", "neg", "abs"] {
                show(ty, format!("({shape}.{op} {one})"));
            }
            for other in &values {
                for op in ["add", "sub", "mul", "div", "min", "max"] {
                    show(ty, format!("({shape}.{op} {one} {other})"));
                }
                if ty != "v128" {
                    continue;
                }
                for op in ["relaxed_min", "relaxed_max", "pmin", "pmax"] {
                    show(ty, format!("({shape}.{op} {one} {other})"));
                }
                for op in ["relaxed_madd", "relaxed_nmadd"] {
                    show(ty, format!("({shape}.{op} {one} {other} {one})"));
                }
            }
            match shape {
                "f32" => show("f64", format!("(f64.promote_f32 {one})")),
                "f64" => show("f32", format!("(f32.demote_f64 {one})")),
                "f32x4" => show(ty, format!("(f64x2.promote_low_f32x4 {one})")),
                _ => show(ty, format!("(f32x4.demote_f64x2_zero {one})")),
            }
        }
    }
    same_as_if_everywhere(&format!(
        r#"(module (memory (export "memory") 1) (func (export "_start") {body}))"#
    ));
}
