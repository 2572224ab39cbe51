//! Programs that compute with floats, made up.

use std::fmt::Write as _;

/// Types of values, by the first letter of what a program that is made up names its variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    I32,
    F32,
    F64,
    V128,
}
use Type::{F32, F64, I32 as Int, V128};

impl Type {
    fn name(self) -> &'static str {
        match self {
            Int => "i32",
            F32 => "f32",
            F64 => "f64",
            V128 => "v128",
        }
    }

    fn nan(self) -> &'static str {
        match self {
            Int => "i32.const 0x7fc00000",
            F32 => "f32.const -nan:0x212345",
            F64 => "f64.const -nan:0x4000000000001",
            V128 => "v128.const i64x2 0xfff4000000000001 0x7fa00001ff800002",
        }
    }
}

/// Functions of a program that is made up, each with what it takes and gives. Each calls later ones alone, so that
/// every call ends.
const FUNCTIONS: [(&[Type], &[Type]); 3] = [
    (&[], &[]),
    (&[F64, V128, F32], &[F64]),
    (&[F32, F64, V128, Int], &[V128]),
];

/// Variables of each type that a function has beside its parameters.
const VARIABLES: usize = 3;

/// Makes up a program from bytes; with none left it takes what is simplest.
pub(super) struct Maker<'a> {
    bytes: std::slice::Iter<'a, u8>,
    text: String,
    function: usize,
    /// What the blocks that are open give, from the outermost; `None` if it is a loop.
    labels: Vec<Option<Option<Type>>>,
    counters: usize,
}

impl Maker<'_> {
    pub(super) fn program(bytes: &[u8]) -> String {
        let mut maker = Maker {
            bytes: bytes.iter(),
            text: String::new(),
            function: 0,
            labels: Vec::new(),
            counters: 0,
        };
        let data: String = maker
            .bytes
            .by_ref()
            .take(64)
            .fold(String::new(), |mut data, byte| {
                let _ = write!(data, "\\{byte:02x}");
                data
            });
        let mut functions = String::new();
        for function in 0..FUNCTIONS.len() {
            functions += &maker.function(function);
        }
        format!(
            r#"(module (memory (export "memory") 1)
                (data (i32.const 0) "{data}")
                (data (i32.const 64) "\01\00\00\00\00\00\f4\7f\21\43\00\00\00\00\f8\ff\01\00\a0\7f\02\00\c0\ff")
                (global $at (mut i32) (i32.const 0x1000))
                (global $f64 (mut f64) (f64.const 0))
                (global $dice (mut i32) (i32.const 1))
                (func $toss (result i32)
                    (global.set $dice (i32.add (i32.const 12345) (i32.mul (i32.const 1103515245) (global.get $dice))))
                    (i32.and (i32.const 1) (i32.shr_u (global.get $dice) (i32.const 16))))
                {functions})"#
        )
    }

    fn function(&mut self, function: usize) -> String {
        let (takes, gives) = FUNCTIONS[function];
        (self.function, self.counters) = (function, 0);
        self.text.clear();
        self.labels.clear();
        for _ in 0..4 + self.choice(8) {
            self.statement(3);
        }
        if function == 0 {
            for (callee, ty) in [(1, F64), (2, V128)] {
                let arguments: String = FUNCTIONS[callee]
                    .0
                    .iter()
                    .map(|ty| self.value(*ty, 2))
                    .collect();
                self.say(&format!(
                    "(local.set ${}1 (call $f{callee} {arguments}))",
                    ty.name()
                ));
            }
        }
        // Some variables are seen at the end, and some are not.
        for ty in [F32, F64, V128] {
            for index in 0..VARIABLES {
                if self.choice(3) == 0 {
                    self.store(ty, format!("(local.get ${}{index})", ty.name()));
                }
            }
        }
        let mut result = String::new();
        for ty in gives {
            result += &self.value(*ty, 3);
        }
        let list = |types: &[Type]| {
            types
                .iter()
                .map(|ty| ty.name().to_owned() + " ")
                .collect::<String>()
        };
        let variables: String = [Int, F32, F64, V128]
            .map(|ty| {
                let own = (0..VARIABLES)
                    .map(|index| format!("(local ${}{index} {})", ty.name(), ty.name()));
                own.collect::<String>()
            })
            .concat();
        let counters: String = (0..self.counters)
            .map(|index| format!("(local $n{index} i32)"))
            .collect();
        let parameters: String = takes
            .iter()
            .enumerate()
            .map(|(index, ty)| format!("(param $p{index} {})", ty.name()))
            .collect();
        // What came in and what lies in memory is put into variables, where it meets what was computed.
        let loaded: String = [F32, F64, V128]
            .map(|ty| format!("(local.set ${0}2 ({0}.load (i32.const 64)))", ty.name()))
            .concat();
        let first: String = takes
            .iter()
            .enumerate()
            .map(|(index, ty)| format!("(local.set ${}0 (local.get $p{index}))", ty.name()))
            .collect();
        let export = if function == 0 {
            r#"(export "_start")"#
        } else {
            ""
        };
        format!(
            "(func $f{function} {export} {parameters} (result {}) {variables} {counters}\n{loaded}{first}\n{}{result})\n",
            list(gives),
            self.text
        )
    }

    fn choice(&mut self, among: u8) -> u8 {
        self.bytes.next().map_or(0, |byte| byte % among)
    }

    fn one_of<'b>(&mut self, list: &[&'b str]) -> &'b str {
        list[usize::from(self.choice(list.len() as u8))]
    }

    fn say(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn float(&mut self) -> Type {
        [F64, V128, F32][usize::from(self.choice(3))]
    }

    fn variable(&mut self, ty: Type) -> String {
        format!("${}{}", ty.name(), self.choice(VARIABLES as u8))
    }

    /// Writes statements in a place of their own.
    fn body(&mut self, label: Option<Option<Type>>, depth: u8) -> String {
        self.labels.push(label);
        let before = std::mem::take(&mut self.text);
        for _ in 0..self.choice(6) {
            self.statement(depth);
        }
        self.labels.pop();
        std::mem::replace(&mut self.text, before)
    }

    /// Writes what a block does that gives a value.
    fn ending(&mut self, ty: Type, depth: u8) -> String {
        let label = Some(Some(ty));
        let body = self.body(label, 1);
        self.labels.push(label);
        let value = self.value(ty, depth);
        self.labels.pop();
        body + &value
    }

    fn statement(&mut self, depth: u8) {
        let ty = self.float();
        let Some(deeper) = depth.checked_sub(1) else {
            let value = self.value(ty, 2);
            let variable = self.variable(ty);
            return self.say(&format!("(local.set {variable} {value})"));
        };
        match self.choice(17) {
            0..=2 => {
                let value = match self.choice(2) {
                    0 => self.value(ty, 4),
                    _ => format!("(local.get {})", self.variable(ty)),
                };
                self.store(ty, value);
            }
            3..=6 => {
                let depth = 1 + self.choice(3);
                let (variable, value) = (self.variable(ty), self.value(ty, depth));
                self.say(&format!("(local.set {variable} {value})"));
            }
            7 => {
                let when = self.value(Int, 2);
                let (yes, no) = (self.body(Some(None), deeper), self.body(Some(None), deeper));
                let no = if no.is_empty() {
                    no
                } else {
                    format!("(else {no})")
                };
                self.say(&format!("(if {when} (then {yes}) {no})"));
            }
            8 => {
                // A variable that is written on both sides of where the block may be left.
                self.labels.push(Some(None));
                let variable = self.variable(ty);
                let [one, other] = [(); 2].map(|()| self.value(ty, 2));
                let when = self.value(Int, 2);
                self.labels.pop();
                self.say(&format!(
                    "(block (local.set {variable} {one}) (br_if 0 {when}) (local.set {variable} {other}))"
                ));
            }
            16 => {
                let body = self.body(Some(None), deeper);
                self.say(&format!("(block {body})"));
            }
            9 | 10 => {
                let counter = self.counters;
                self.counters += 1;
                self.labels.push(Some(None));
                let mut body = self.body(None, deeper);
                self.labels.pop();
                if self.choice(2) == 0 {
                    // What the variable holds at the head comes from before and from the round before.
                    let variable = self.variable(ty);
                    let before = std::mem::take(&mut self.text);
                    self.store(ty, format!("(local.get {variable})"));
                    body = std::mem::replace(&mut self.text, before) + &body;
                }
                // The counter is not set back, so a branch to the head of the loop ends too.
                self.say(&format!(
                    "(block (loop (br_if 1 (i32.ge_u (local.get $n{counter}) (i32.const 3)))
                    (local.set $n{counter} (i32.add (local.get $n{counter}) (i32.const 1))) {body} (br 0)))"
                ));
            }
            11..=13 => {
                let when = self.value(Int, 2);
                if let Some((depth, value)) = self.branch() {
                    let rest = if value.is_empty() { "" } else { "drop" };
                    self.say(&format!("(br_if {depth} {value} {when}) {rest}"));
                }
            }
            14 => {
                // What follows in the block is not reached, and computes with what is not there.
                self.labels.push(Some(None));
                let branch = self.branch();
                self.labels.pop();
                if let Some((depth, value)) = branch {
                    let dead = self.one_of(&[
                        "f64.add global.set $f64",
                        "f64x2.mul f64x2.extract_lane 0 global.set $f64",
                        "f64.sqrt local.tee $f640 drop",
                        "(block (result f64) (f64.mul (local.get $f640) (local.get $f641))) local.set $f642",
                    ]);
                    let when = self.value(Int, 2);
                    self.say(&format!("(if {when} (then (br {depth} {value}) {dead}))"));
                }
            }
            _ => {
                let value = self.value(F64, 3);
                self.say(&format!("(global.set $f64 {value})"));
            }
        }
    }

    /// A label that is open, and what is passed to it.
    fn branch(&mut self) -> Option<(usize, String)> {
        let open = self.labels.len();
        if open == 0 {
            return None;
        }
        let depth = usize::from(self.choice(open as u8));
        let value = match self.labels[open - 1 - depth] {
            Some(Some(ty)) => self.value(ty, 2),
            _ => String::new(),
        };
        Some((depth, value))
    }

    /// Stores what others see, one behind the other.
    fn store(&mut self, ty: Type, value: String) {
        self.say(&format!(
            "({}.store (global.get $at) {value})
            (global.set $at (i32.and (i32.const 0xfff0) (i32.add (global.get $at) (i32.const 16))))",
            ty.name()
        ));
    }

    /// An expression of this type.
    fn value(&mut self, ty: Type, depth: u8) -> String {
        let Some(deeper) = depth.checked_sub(1) else {
            return self.simple(ty);
        };
        let any = self.choice(16);
        match any {
            0 | 1 => self.simple(ty),
            // Conditions that come out either way.
            2..=9 if ty == Int => self.simple(ty),
            2 => {
                let (variable, value) = (self.variable(ty), self.value(ty, deeper));
                format!("(local.tee {variable} {value})")
            }
            3 => {
                let [one, other] = [(); 2].map(|()| self.value(ty, deeper));
                let when = self.value(Int, 1);
                format!("(select (result {}) {one} {other} {when})", ty.name())
            }
            4 => {
                let body = self.ending(ty, deeper);
                format!("(block (result {}) {body})", ty.name())
            }
            5 => {
                let when = self.value(Int, 1);
                let [yes, no] = [(); 2].map(|()| self.ending(ty, deeper));
                format!(
                    "(if (result {}) {when} (then {yes}) (else {no}))",
                    ty.name()
                )
            }
            6 if ty == F64 && self.function < 1 => {
                let arguments: String =
                    FUNCTIONS[1].0.iter().map(|ty| self.value(*ty, 1)).collect();
                format!("(call $f1 {arguments})")
            }
            6 if ty == V128 && self.function < 2 => {
                let arguments: String =
                    FUNCTIONS[2].0.iter().map(|ty| self.value(*ty, 1)).collect();
                format!("(call $f2 {arguments})")
            }
            _ => match ty {
                Int => self.integer(deeper),
                F32 | F64 => self.scalar(ty, deeper),
                V128 => self.vector(deeper),
            },
        }
    }

    fn simple(&mut self, ty: Type) -> String {
        let name = ty.name();
        match self.choice(8) {
            0..=3 if ty == Int => "(call $toss)".to_owned(),
            0..=3 => format!("(local.get {})", self.variable(ty)),
            4 => format!("({name}.load (i32.const {}))", self.choice(88)),
            5 => format!("({})", ty.nan()),
            _ if ty == V128 => "(v128.const f32x4 inf -inf -0 1.5)".to_owned(),
            _ if ty == Int => format!("(i32.const {})", self.choice(3)),
            _ => {
                let number = self.one_of(&["inf", "-inf", "-0", "1.5", "-1"]);
                format!("({name}.const {number})")
            }
        }
    }

    fn integer(&mut self, depth: u8) -> String {
        let (op, ty) = match self.choice(12) {
            0..=3 => {
                let ty = self.float();
                let prefix = if ty == V128 {
                    self.one_of(&["f64x2", "f32x4"])
                } else {
                    ty.name()
                };
                let [one, other] = [(); 2].map(|()| self.value(ty, depth));
                let op = self.one_of(&["eq", "ne", "lt", "ge"]);
                let compared = format!("({prefix}.{op} {one} {other})");
                return if ty == V128 {
                    format!("(i8x16.bitmask {compared})")
                } else {
                    compared
                };
            }
            4 => ("i32.trunc_sat_f64_s", F64),
            5 => ("i32.trunc_sat_f32_u", F32),
            6 => ("i32.reinterpret_f32", F32),
            7 => ("v128.any_true", V128),
            8 => ("i32x4.extract_lane 1", V128),
            9 => ("i32.wrap_i64 (i64.reinterpret_f64", F64),
            10 => ("i32x4.extract_lane 0 (i32x4.trunc_sat_f64x2_s_zero", V128),
            _ => ("i32x4.extract_lane 2 (i32x4.relaxed_trunc_f32x4_s", V128),
        };
        let close = if op.contains('(') { ")" } else { "" };
        format!("({op} {}{close})", self.value(ty, depth))
    }

    fn scalar(&mut self, ty: Type, depth: u8) -> String {
        let name = ty.name();
        match self.choice(10) {
            0..=2 => {
                let op = self.one_of(&["add", "sub", "mul", "div", "min", "max", "copysign"]);
                let [one, other] = [(); 2].map(|()| self.value(ty, depth));
                format!("({name}.{op} {one} {other})")
            }
            3 | 4 => {
                let op = self.one_of(&["sqrt", "neg", "abs", "ceil", "floor", "trunc", "nearest"]);
                format!("({name}.{op} {})", self.value(ty, depth))
            }
            5 if ty == F32 => format!("(f32.demote_f64 {})", self.value(F64, depth)),
            5 => format!("(f64.promote_f32 {})", self.value(F32, depth)),
            6 if ty == F32 => format!("(f32x4.extract_lane 2 {})", self.value(V128, depth)),
            6 => format!("(f64x2.extract_lane 1 {})", self.value(V128, depth)),
            7 if ty == F32 => format!("(f32.reinterpret_i32 {})", self.value(Int, depth)),
            7 => "(global.get $f64)".to_owned(),
            8 => format!("({name}.convert_i32_s {})", self.value(Int, depth)),
            _ => format!("({name}.sqrt (f64.const -1))")
                .replace("f64.const", &format!("{name}.const")),
        }
    }

    fn vector(&mut self, depth: u8) -> String {
        // Mostly of one shape, so that expressions are deeper than one instruction.
        let shape = if self.choice(4) == 0 {
            "f32x4"
        } else {
            "f64x2"
        };
        match self.choice(12) {
            0..=2 => {
                let op = self.one_of(&["add", "sub", "mul", "div", "min", "max", "pmin", "pmax"]);
                let [one, other] = [(); 2].map(|()| self.value(V128, depth));
                format!("({shape}.{op} {one} {other})")
            }
            3 | 4 => {
                let op = self.one_of(&["sqrt", "neg", "abs", "ceil", "floor", "trunc", "nearest"]);
                format!("({shape}.{op} {})", self.value(V128, depth))
            }
            5 => {
                let op = self.one_of(&["relaxed_madd", "relaxed_nmadd"]);
                let [one, other, third] = [(); 3].map(|()| self.value(V128, depth));
                format!("({shape}.{op} {one} {other} {third})")
            }
            6 => {
                let op = self.one_of(&["relaxed_min", "relaxed_max"]);
                let [one, other] = [(); 2].map(|()| self.value(V128, depth));
                format!("({shape}.{op} {one} {other})")
            }
            7 => {
                let op = self.one_of(&[
                    "f32x4.demote_f64x2_zero",
                    "f64x2.promote_low_f32x4",
                    "v128.not",
                ]);
                format!("({op} {})", self.value(V128, depth))
            }
            8 => format!("(f64x2.splat {})", self.value(F64, depth)),
            9 => format!(
                "(f32x4.replace_lane 3 {} {})",
                self.value(V128, depth),
                self.value(F32, depth)
            ),
            10 => {
                let [one, other, third] = [(); 3].map(|()| self.value(V128, depth));
                format!("(v128.bitselect {one} {other} ({shape}.eq {third} {third}))")
            }
            _ => {
                let [one, other] = [(); 2].map(|()| self.value(V128, depth));
                format!("(i8x16.shuffle 0 1 2 3 20 21 22 23 8 9 10 11 28 29 30 31 {one} {other})")
            }
        }
    }
}
