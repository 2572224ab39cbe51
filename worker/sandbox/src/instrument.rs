//! Metering what the engine does not meter, by instructions added to a program before it is
//! compiled: the stack its calls nest on, and the bytes it copies in bulk. And making NaNs canonical, in the
//! portable class alone.
//!
//! *The stack.* The engine measures the machine's stack, so that a program which nests too deep
//! would trap at another call on another machine, with other fuel, and devices that compare their
//! answers would differ though none is wrong. So each function that calls another first takes
//! [`Frame::bytes`] from a counter, traps when nothing is left, and gives them back when it
//! returns. Bytes are counted from the program's text; the machine's own limit lies far enough
//! behind to be met by no program that was not made to meet it.
//!
//! *Bulk work.* For the engine, an instruction that copies a gigabyte costs one fuel. So its last
//! operand, the length, first passes through an added function, which spends fuel in a loop and
//! returns it unchanged.
//!
//! *NaNs.* Where a NaN that was computed may be seen, six instructions make it the canonical one, and cost
//! their fuel; `canonical` says where that is. In the pinned class there are none of them.
//!
//! *The start function* is no longer run while the program is being instantiated, but exported
//! and called first, so that every instruction of a program runs on the same footing.
//!
//! Indices of types, functions and globals stay what they were: what is added comes last. Custom
//! sections (names, debug information) are left out; nothing reads them.

mod canonical;
mod encode;
mod floats;
mod frame;

pub(crate) use frame::{Frame, measure};

use crate::{
    error::ProgramError,
    inspect::{self, Survey},
    limits::STACK_BYTES,
    meter::prices::{BULK_ELEMENTS_FUEL, BULK_KIB_FUEL},
};
use canonical::{Place, Places, Walk};
use encode::{
    EMPTY_BLOCK, I32, KIND_FUNCTION, KIND_GLOBAL, canonical, export, metering_body, op, push_body,
    signed, unsigned, value_type,
};
use frame::{Bulk, bulk};
use quern_primitives::device::Class;
use std::ops::Range;
use wasmparser::{FunctionBody, Operator, OperatorsReader, Parser, Payload};

/// The export under which the stack counter can be read after a trap.
pub(crate) const STACK_EXPORT: &str = "quern:stack";
/// The export under which the start function is called.
pub(crate) const START_EXPORT: &str = "quern:start";
pub(crate) const RESERVED_EXPORTS: [&str; 2] = [STACK_EXPORT, START_EXPORT];

/// A bulk instruction whose length is a constant below this is not metered; it costs less than
/// the metering.
const SMALL_BULK_MAX: i32 = 1_024;

/// What the engine compiles of a program in a class, if the grid runs it: the program with what meters it, and in the
/// portable class with what makes NaNs canonical.
pub fn instrumented(program: &[u8], class: Class) -> Result<Vec<u8>, ProgramError> {
    instrument(program, &inspect::survey(program)?, class)
}

/// The program with its metering, and in the portable class with NaNs made canonical. `survey` must be of this
/// very program.
pub(crate) fn instrument(
    program: &[u8],
    survey: &Survey,
    class: Class,
) -> Result<Vec<u8>, ProgramError> {
    let walk = match class {
        Class::Pinned => None,
        Class::Portable => Some(Walk::new()),
    };
    write(program, survey, walk)
}

/// With NaNs made canonical where this walk finds that they may be seen.
fn write(program: &[u8], survey: &Survey, mut walk: Option<Walk>) -> Result<Vec<u8>, ProgramError> {
    let mut output = Output::new(program, survey);
    let mut body = 0;
    for payload in Parser::new(0).parse_all(program) {
        let payload = payload?;
        let places = match &mut walk {
            Some(walk) => walk.next(&payload)?,
            None => Places::default(),
        };
        match payload {
            Payload::TypeSection(section) => output.add_types(section.range(), section.count()),
            Payload::FunctionSection(section) => {
                output.add_functions(section.range(), section.count())
            }
            Payload::GlobalSection(section) => output.add_global(Some(section.range())),
            Payload::ExportSection(section) => output.add_exports(section.range(), section.count()),
            Payload::CodeSectionStart { count, .. } => output.start_code(count),
            Payload::CodeSectionEntry(function) => {
                output.add_body(body, &function, &places)?;
                body += 1;
                if body == survey.frames.len() {
                    output.finish_code();
                }
            }
            Payload::StartSection { .. } | Payload::CustomSection(_) => {}
            other => {
                if let Some((id, range)) = other.as_section() {
                    output.section(id, &program[range]);
                }
            }
        }
    }
    Ok(output.bytes)
}

const TYPE_SECTION: u8 = 1;
const FUNCTION_SECTION: u8 = 3;
const GLOBAL_SECTION: u8 = 6;
const EXPORT_SECTION: u8 = 7;
const CODE_SECTION: u8 = 10;

/// The module being written, and what was added to it.
struct Output<'a> {
    program: &'a [u8],
    survey: &'a Survey,
    bytes: Vec<u8>,
    code: Vec<u8>,
    has_global: bool,
    /// For each type, the added type that takes nothing and returns the same, if functions of this
    /// type are counted and return more than one value.
    block_types: Vec<Option<u32>>,
}

impl<'a> Output<'a> {
    fn new(program: &'a [u8], survey: &'a Survey) -> Self {
        let mut bytes = Vec::with_capacity(program.len() + program.len() / 8);
        bytes.extend_from_slice(b"\0asm\x01\0\0\0");
        Output {
            program,
            survey,
            bytes,
            code: Vec::new(),
            has_global: false,
            block_types: vec![None; survey.types.len()],
        }
    }

    fn section(&mut self, id: u8, content: &[u8]) {
        self.bytes.push(id);
        unsigned(&mut self.bytes, content.len());
        self.bytes.extend_from_slice(content);
    }

    /// Writes a section of `count` entries again with `added` more, `more` being their bytes.
    fn extend_section(&mut self, id: u8, range: Range<usize>, count: u32, added: u32, more: &[u8]) {
        let content = self.extended(range, count, added, more);
        self.section(id, &content);
    }

    /// A list of `count` entries with `added` more, `more` being their bytes.
    fn extended(&self, range: Range<usize>, count: u32, added: u32, more: &[u8]) -> Vec<u8> {
        let entries = &self.program[range];
        // The count at its head may be written in more bytes than it needs.
        let head = entries
            .iter()
            .position(|byte| byte & 0x80 == 0)
            .map_or(entries.len(), |last| last + 1);
        let mut content = Vec::with_capacity(entries.len() + more.len() + 5);
        unsigned(&mut content, (count + added) as usize);
        content.extend_from_slice(&entries[head..]);
        content.extend_from_slice(more);
        content
    }

    /// Adds the type of the metering functions, and those of blocks with several results.
    fn add_types(&mut self, range: Range<usize>, count: u32) {
        let mut more = vec![0x60, 1, I32, 1, I32];
        let mut added = 1;
        for index in 0..self.survey.types.len() {
            let results = self.survey.types[index].results();
            if results.len() < 2 {
                continue;
            }
            self.block_types[index] = Some(count + added);
            added += 1;
            more.extend([0x60, 0]);
            unsigned(&mut more, results.len());
            more.extend(results.iter().map(|result| value_type(*result)));
        }
        self.extend_section(TYPE_SECTION, range, count, added, &more);
    }

    fn metering_type(&self) -> usize {
        self.survey.types.len()
    }

    fn metering_function(&self, kind: Bulk) -> usize {
        let first = self.survey.function_types.len();
        match kind {
            Bulk::Bytes => first,
            Bulk::Elements => first + 1,
        }
    }

    fn add_functions(&mut self, range: Range<usize>, count: u32) {
        let mut more = Vec::new();
        unsigned(&mut more, self.metering_type());
        unsigned(&mut more, self.metering_type());
        self.extend_section(FUNCTION_SECTION, range, count, 2, &more);
    }

    /// Adds the stack counter: a variable i32 that starts at [`STACK_BYTES`].
    fn add_global(&mut self, range: Option<Range<usize>>) {
        let mut more = vec![I32, 1, op::I32_CONST];
        signed(&mut more, i64::from(STACK_BYTES));
        more.push(op::END);
        match range {
            Some(range) => {
                self.extend_section(GLOBAL_SECTION, range, self.survey.globals, 1, &more)
            }
            None => {
                more.insert(0, 1);
                self.section(GLOBAL_SECTION, &more);
            }
        }
        self.has_global = true;
    }

    /// Adds the exports of the stack counter and of the start function. The section of globals
    /// comes right before, and every program has exports, so it is added here if there is none.
    fn add_exports(&mut self, range: Range<usize>, count: u32) {
        if !self.has_global {
            self.add_global(None);
        }
        let mut more = Vec::new();
        export(&mut more, STACK_EXPORT, KIND_GLOBAL, self.survey.globals);
        if let Some(start) = self.survey.start {
            export(&mut more, START_EXPORT, KIND_FUNCTION, start);
        }
        let added = 1 + u32::from(self.survey.start.is_some());
        self.extend_section(EXPORT_SECTION, range, count, added, &more);
    }

    fn start_code(&mut self, count: u32) {
        unsigned(&mut self.code, count as usize + 2);
    }

    fn finish_code(&mut self) {
        // 1 KiB at a time, and 8 elements at a time.
        push_body(&mut self.code, &metering_body(10, BULK_KIB_FUEL));
        push_body(&mut self.code, &metering_body(3, BULK_ELEMENTS_FUEL));
        let code = std::mem::take(&mut self.code);
        self.section(CODE_SECTION, &code);
    }

    fn add_body(
        &mut self,
        index: usize,
        body: &FunctionBody<'_>,
        places: &Places,
    ) -> Result<(), ProgramError> {
        let frame = self.survey.frames[index];
        if !frame.is_counted() && !frame.has_bulk && places.all.is_empty() {
            push_body(&mut self.code, body.as_bytes());
            return Ok(());
        }
        let range = body.range();
        let operators = body.get_operators_reader()?;
        let first = operators.original_position();
        let added = places.added.iter();
        let more: Vec<u8> = added.flat_map(|ty| [1, value_type(*ty)]).collect();
        let groups = body.get_locals_reader()?.get_count();
        let added = places.added.len() as u32;
        let mut out = self.extended(range.start..first, groups, added, &more);
        if frame.is_counted() {
            let ty = self.survey.function_types[self.survey.imported_functions as usize + index];
            self.enter(&mut out, frame, ty as usize);
        }
        self.copy_operators(&mut out, frame, first..range.end, operators, places)?;
        if frame.is_counted() {
            self.leave(&mut out, frame);
        }
        push_body(&mut self.code, &out);
        Ok(())
    }

    /// Takes the frame from the counter and opens a block around the whole body, from which every
    /// way out leads to [`Output::leave`].
    fn enter(&self, out: &mut Vec<u8>, frame: Frame, ty: usize) {
        self.move_counter(out, frame, op::I32_SUB);
        self.counter(out, op::GLOBAL_GET);
        out.extend([op::I32_CONST, 0, op::I32_LT_S]);
        out.extend([op::IF, EMPTY_BLOCK, op::UNREACHABLE, op::END]);
        out.push(op::BLOCK);
        match (self.survey.types[ty].results(), self.block_types[ty]) {
            (_, Some(index)) => signed(out, index.into()),
            ([result], None) => out.push(value_type(*result)),
            (_, None) => out.push(EMPTY_BLOCK),
        }
    }

    fn leave(&self, out: &mut Vec<u8>, frame: Frame) {
        self.move_counter(out, frame, op::I32_ADD);
        out.push(op::END);
    }

    fn move_counter(&self, out: &mut Vec<u8>, frame: Frame, how: u8) {
        self.counter(out, op::GLOBAL_GET);
        out.push(op::I32_CONST);
        signed(out, frame.bytes.min(STACK_BYTES + 1).into());
        out.push(how);
        self.counter(out, op::GLOBAL_SET);
    }

    fn counter(&self, out: &mut Vec<u8>, how: u8) {
        out.push(how);
        unsigned(out, self.survey.globals as usize);
    }

    /// Copies the instructions in this range, with what is added between them.
    fn copy_operators(
        &self,
        out: &mut Vec<u8>,
        frame: Frame,
        range: Range<usize>,
        mut operators: OperatorsReader<'_>,
        places: &Places,
    ) -> Result<(), ProgramError> {
        let mut copied = range.start;
        let mut next = places.all.iter().peekable();
        // Blocks open inside the body; a branch this far out reaches the block around it.
        let mut depth = 0usize;
        let mut small_length = false;
        while !operators.eof() {
            let (operator, offset) = operators.read_with_offset()?;
            match operator {
                Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => depth += 1,
                // The last one closes the block around the body.
                Operator::End => depth = depth.saturating_sub(1),
                Operator::Return if frame.is_counted() => {
                    out.extend_from_slice(&self.program[copied..offset]);
                    out.push(op::BR);
                    unsigned(out, depth);
                    copied = operators.original_position();
                }
                _ => {}
            }
            if let Some(kind) = bulk(&operator)
                && !small_length
            {
                out.extend_from_slice(&self.program[copied..offset]);
                out.push(op::CALL);
                unsigned(out, self.metering_function(kind));
                copied = offset;
            }
            let end = operators.original_position();
            if let Some(Place { shape, .. }) = next.next_if(|place| place.end == end) {
                out.extend_from_slice(&self.program[copied..end]);
                canonical(out, *shape, places.variable(*shape));
                copied = end;
            }
            small_length = matches!(operator, Operator::I32Const { value } if (0..SMALL_BULK_MAX).contains(&value));
        }
        out.extend_from_slice(&self.program[copied..range.end]);
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
