//! A metered program must do exactly what it did before.

mod floats;
mod maker;

use super::*;
use crate::inspect::survey;
use proptest::prelude::*;
use wasmtime::{Engine, ExternType, Instance, Linker, Module, Store, Trap, Val};

/// Runs `_start` of a module in a bare engine, and says how it ended, what its exported globals
/// are and what its memory holds.
fn observe(program: &[u8], exports: &[&str]) -> (Option<Trap>, Vec<i64>, Vec<u8>) {
    let engine = Engine::default();
    let module = Module::from_binary(&engine, program).unwrap();
    let mut store = Store::new(&engine, ());
    let instance: Instance = Linker::new(&engine)
        .instantiate(&mut store, &module)
        .unwrap();
    if module.get_export(START_EXPORT).is_some() {
        instance
            .get_typed_func::<(), ()>(&mut store, START_EXPORT)
            .unwrap()
            .call(&mut store, ())
            .unwrap();
    }
    let start = instance
        .get_typed_func::<(), ()>(&mut store, "_start")
        .unwrap();
    let trap = start
        .call(&mut store, ())
        .err()
        .map(|error| *error.downcast_ref::<Trap>().unwrap());
    let globals = exports
        .iter()
        .map(|name| {
            match instance
                .get_global(&mut store, name)
                .unwrap()
                .get(&mut store)
            {
                Val::I32(value) => value.into(),
                Val::I64(value) => value,
                other => panic!("{other:?}"),
            }
        })
        .collect();
    let memory = instance.get_memory(&mut store, "memory").unwrap();
    let data = memory.data(&store).to_vec();
    (trap, globals, data)
}

/// Compares a program with itself metered, and checks that the stack was given back.
fn same(text: &str, exports: &[&str]) {
    let program = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let metered = instrument(&program, &survey(&program).unwrap(), Class::Pinned).unwrap();
    let plain = observe(&program, exports);
    assert_eq!(plain, observe(&metered, exports), "{text}");
    if plain.0.is_none() {
        let stack = observe(&metered, &[STACK_EXPORT]).1;
        assert_eq!(stack, [i64::from(STACK_BYTES)], "{text}");
    }
}

#[test]
fn every_way_out_of_a_function_gives_the_stack_back_and_keeps_its_values() {
    same(
        r#"(module (memory (export "memory") 1)
            (global $a (export "a") (mut i32) (i32.const 0)) (global $b (export "b") (mut i64) (i64.const 0))
            (type $pair (func (param i32) (result i32 i64)))
            (table funcref (elem $pair $none))
            (func $none)
            (func $pair (type $pair) (call $none)
                (block
                    (block
                        (block (br_table 0 1 2 (local.get 0)))
                        (return (i32.const 10) (i64.const 100)))
                    (i32.const 99) (br 1 (i32.const 11) (i64.const 101)))
                (loop (result i32 i64)
                    (i32.const 12) (i64.const 102)
                    (br_if 1 (i32.eq (local.get 0) (i32.const 2))))
                drop drop
                (i32.const 13) (i64.const 103))
            (func $one (param i32) (result i32)
                (call $none)
                (if (result i32) (local.get 0) (then (return (i32.const 1))) (else (br 1 (i32.const 2)))))
            (func $note (param i32) (local i64)
                (call_indirect (type $pair) (local.get 0) (i32.const 0))
                local.set 1
                ;; All results so far, each at a place of its own.
                (i32.mul (global.get $a) (i32.const 100)) i32.add
                (call $one (local.get 0)) i32.add
                global.set $a
                (global.set $b (i64.add (i64.mul (global.get $b) (i64.const 1000)) (local.get 1))))
            (func (export "_start") (local i32)
                (loop
                    (call $note (local.get 0))
                    (local.set 0 (i32.add (local.get 0) (i32.const 1)))
                    (br_if 0 (i32.lt_u (local.get 0) (i32.const 4))))))"#,
        &["a", "b"],
    );
}

#[test]
fn a_module_without_globals_gets_the_counter_and_its_start_function_runs_when_called() {
    same(
        r#"(module (memory (export "memory") 1) (data $late "late")
            (func $first (i32.store8 (i32.const 0) (i32.const 1)))
            (start $first)
            (func (export "_start")
                (memory.init $late (i32.const 8) (i32.const 0) (i32.const 4))
                (call $first)
                (i32.store8 (i32.const 1) (i32.load8_u (i32.const 0)))))"#,
        &[],
    );
}

#[test]
fn bulk_instructions_of_all_kinds_are_metered_and_do_the_same() {
    same(
        r#"(module (memory (export "memory") 1) (table $t 20 funcref) (table $u 20 funcref)
            (data $data "0123456789") (elem $elements func $f $f $f)
            (func $f)
            (func (export "_start") (local $n i32)
                (local.set $n (i32.const 10))
                (memory.init $data (i32.const 100) (i32.const 0) (local.get $n))
                (memory.copy (i32.const 200) (i32.const 100) (local.get $n))
                (memory.fill (i32.const 300) (i32.const 7) (i32.const 5))
                (memory.fill (i32.const 300) (i32.const 7) (i32.const 5000))
                (local.set $n (i32.const 3))
                (table.init $t $elements (i32.const 1) (i32.const 0) (local.get $n))
                (table.copy $u $t (i32.const 2) (i32.const 1) (local.get $n))
                (table.fill $t (i32.const 9) (ref.func $f) (local.get $n))
                (i32.store (i32.const 0) (i32.add
                    (ref.is_null (table.get $u (i32.const 4)))
                    (ref.is_null (table.get $t (i32.const 12)))))))"#,
        &[],
    );
}

#[test]
fn counts_written_in_more_bytes_than_they_need_are_read_as_they_are() {
    let program = wat::parse_str(
        r#"(module (memory (export "memory") 1) (global (mut i32) (i32.const 5)) (func (export "_start")))"#,
    );
    let program = program.unwrap();
    // The section of globals: 6, its length, the count 1.
    let at = program
        .windows(3)
        .position(|window| window == [6, 6, 1])
        .unwrap();
    let mut longer = program[..at].to_vec();
    longer.extend([6, 8, 0x81, 0x80, 0x00]);
    longer.extend_from_slice(&program[at + 3..]);
    let metered = instrument(&longer, &survey(&longer).unwrap(), Class::Pinned).unwrap();
    assert_eq!(
        observe(&metered, &[STACK_EXPORT]).1,
        [i64::from(STACK_BYTES)]
    );
}

#[test]
fn what_is_added_has_the_types_it_is_said_to_have() {
    let program = wat::parse_str(r#"(module (func (export "_start")))"#).unwrap();
    let metered = instrument(&program, &survey(&program).unwrap(), Class::Pinned).unwrap();
    let module = Module::from_binary(&Engine::default(), &metered).unwrap();
    assert!(matches!(
        module.get_export(STACK_EXPORT),
        Some(ExternType::Global(_))
    ));
    assert_eq!(module.exports().len(), 2);
}

/// How deep the generator nests.
const NESTING: u32 = 4;
const FUNCTIONS: usize = 4;

/// Statements for a body of function `index`, which returns an i32 and an i64 and has the
/// parameters and local variables 0 to 2. Branches are written with a depth that is cut down to
/// what is open when they are put in place.
#[derive(Clone, Debug)]
enum Statement {
    Set(u8, Expression),
    Store(Expression, Expression),
    Fill(Expression, Expression, Option<u16>),
    Copy(Expression, Expression, Expression),
    If(Expression, Vec<Statement>, Vec<Statement>),
    Block(Vec<Statement>),
    /// Runs at most so many times.
    Loop(u8, Vec<Statement>),
    BranchIf(u8, Expression),
    Branch(u8),
    Return(Expression),
    TrapIf(Expression),
}

#[derive(Clone, Debug)]
enum Expression {
    Constant(i32),
    Local(u8),
    Two(&'static str, Box<Expression>, Box<Expression>),
    Load(Box<Expression>),
    Call(u8, Box<Expression>),
}

fn expression() -> impl Strategy<Value = Expression> {
    let leaf = prop_oneof![
        any::<i32>().prop_map(Expression::Constant),
        (0u8..3).prop_map(Expression::Local)
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        let operators = prop::sample::select(&["add", "sub", "mul", "xor", "shl", "lt_s"][..]);
        prop_oneof![
            (operators, inner.clone(), inner.clone()).prop_map(|(op, a, b)| Expression::Two(
                op,
                Box::new(a),
                Box::new(b)
            )),
            inner.clone().prop_map(|at| Expression::Load(Box::new(at))),
            (any::<u8>(), inner)
                .prop_map(|(which, argument)| Expression::Call(which, Box::new(argument))),
        ]
    })
}

fn statements() -> impl Strategy<Value = Vec<Statement>> {
    let leaf = prop_oneof![
        3 => ((0u8..3), expression()).prop_map(|(local, value)| Statement::Set(local, value)),
        2 => (expression(), expression()).prop_map(|(at, value)| Statement::Store(at, value)),
        1 => (expression(), expression(), any::<Option<u16>>()).prop_map(|(at, value, bytes)| Statement::Fill(at, value, bytes)),
        1 => (expression(), expression(), expression()).prop_map(|(to, from, bytes)| Statement::Copy(to, from, bytes)),
        2 => (any::<u8>(), expression()).prop_map(|(depth, when)| Statement::BranchIf(depth, when)),
        1 => any::<u8>().prop_map(Statement::Branch),
        1 => expression().prop_map(Statement::Return),
        1 => expression().prop_map(Statement::TrapIf),
    ];
    let statement = leaf.prop_recursive(NESTING, 24, 4, |inner| {
        let some = prop::collection::vec(inner, 0..4);
        prop_oneof![
            (expression(), some.clone(), some.clone())
                .prop_map(|(when, yes, no)| Statement::If(when, yes, no)),
            some.clone().prop_map(Statement::Block),
            ((1u8..4), some).prop_map(|(times, body)| Statement::Loop(times, body)),
        ]
    });
    prop::collection::vec(statement, 0..6)
}

/// Writes the text of one function.
struct Writer {
    index: usize,
    text: String,
    open: u8,
    counters: u32,
}

impl Writer {
    fn write(index: usize, body: &[Statement]) -> String {
        let mut writer = Writer {
            index,
            text: String::new(),
            open: 0,
            counters: 0,
        };
        writer.statements(body);
        let counters = "i32 ".repeat(writer.counters as usize);
        format!(
            "(func $f{index} (param i32) (result i32 i64) (local i32 i32) (local {counters}) {} (local.get 0) (i64.const 5))\n",
            writer.text
        )
    }

    fn statements(&mut self, body: &[Statement]) {
        for statement in body {
            self.statement(statement);
        }
    }

    fn nested(&mut self, body: &[Statement]) {
        self.open += 1;
        self.statements(body);
        self.open -= 1;
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push(' ');
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Set(local, value) => {
                let value = self.expression(value);
                self.push(&format!("(local.set {local} {value})"));
            }
            Statement::Store(at, value) => {
                let (at, value) = (self.address(at), self.expression(value));
                self.push(&format!("(i32.store {at} {value})"));
            }
            Statement::Fill(at, value, bytes) => {
                let (at, value) = (self.address(at), self.expression(value));
                let bytes = match bytes {
                    Some(bytes) => format!("(i32.const {})", bytes % 2_000),
                    None => format!("(i32.and (i32.const 2047) {value})"),
                };
                self.push(&format!("(memory.fill {at} {value} {bytes})"));
            }
            Statement::Copy(to, from, bytes) => {
                let (to, from, bytes) =
                    (self.address(to), self.address(from), self.expression(bytes));
                self.push(&format!(
                    "(memory.copy {to} {from} (i32.and (i32.const 2047) {bytes}))"
                ));
            }
            Statement::If(when, yes, no) => {
                let when = self.expression(when);
                self.push(&format!("(if {when} (then"));
                self.nested(yes);
                self.push(") (else");
                self.nested(no);
                self.push("))");
            }
            Statement::Block(body) => {
                self.push("(block");
                self.nested(body);
                self.push(")");
            }
            Statement::Loop(times, body) => {
                let counter = 3 + self.counters;
                self.counters += 1;
                // The counter is not set back, so a branch to the head of the loop ends too.
                self.push(&format!(
                    "(block (loop (br_if 1 (i32.ge_u (local.get {counter}) (i32.const {times})))
                    (local.set {counter} (i32.add (local.get {counter}) (i32.const 1)))"
                ));
                self.open += 1;
                self.nested(body);
                self.open -= 1;
                self.push("(br 0)))");
            }
            Statement::BranchIf(depth, when) => {
                let when = self.expression(when);
                match depth % (self.open + 1) {
                    out if out == self.open => {
                        self.push(&format!(
                            "(br_if {out} (i32.const 1) (i64.const 2) {when}) drop drop"
                        ));
                    }
                    depth => self.push(&format!("(br_if {depth} {when})")),
                }
            }
            Statement::Branch(depth) => match depth % (self.open + 1) {
                out if out == self.open => {
                    self.push(&format!("(br {out} (i32.const 3) (i64.const 4))"))
                }
                depth => self.push(&format!("(br {depth})")),
            },
            Statement::Return(value) => {
                let value = self.expression(value);
                // Something below what is returned, which a return may leave behind.
                self.push(&format!(
                    "(i32.const 77) (return {value} (i64.extend_i32_u {value}))"
                ));
            }
            Statement::TrapIf(when) => {
                let when = self.expression(when);
                self.push(&format!(
                    "(if (i32.eq (i32.const 12345) {when}) (then unreachable))"
                ));
            }
        }
    }

    /// An address that is in memory for the most part.
    fn address(&mut self, at: &Expression) -> String {
        let at = self.expression(at);
        format!("(i32.and (i32.const 0xffff) {at})")
    }

    fn expression(&mut self, expression: &Expression) -> String {
        match expression {
            Expression::Constant(value) => format!("(i32.const {value})"),
            Expression::Local(local) => format!("(local.get {local})"),
            Expression::Two(op, a, b) => {
                let (a, b) = (self.expression(a), self.expression(b));
                format!("(i32.{op} {a} {b})")
            }
            Expression::Load(at) => {
                let at = self.address(at);
                format!("(i32.load {at})")
            }
            Expression::Call(which, argument) => {
                let argument = self.expression(argument);
                // Only those after this one are called, so that every call ends.
                let later = FUNCTIONS - 1 - self.index;
                if later == 0 {
                    return argument;
                }
                let callee = self.index + 1 + usize::from(*which) % later;
                format!("(block (result i32) (call $f{callee} {argument}) drop)")
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_metered_program_does_what_it_did_before(bodies in prop::collection::vec(statements(), FUNCTIONS), argument: i32) {
        let functions: String = bodies.iter().enumerate().map(|(index, body)| Writer::write(index, body)).collect();
        same(
            &format!(
                r#"(module (memory (export "memory") 1)
                    (global $a (export "a") (mut i32) (i32.const 0)) (global $b (export "b") (mut i64) (i64.const 0))
                    {functions}
                    (func (export "_start")
                        (call $f0 (i32.const {argument})) (global.set $b) (global.set $a)))"#
            ),
            &["a", "b"],
        );
    }
}
