//! Measuring a function: the stack one call of it is counted for, and whether it does bulk work.

use crate::error::ProgramError;
use wasmparser::{
    FuncValidator, FunctionBody, Operator, OperatorsReader, ValType, WasmModuleResources,
};

/// Bytes of a call itself: return address, saved registers, alignment, the engine's own values.
const CALL_BYTES: u32 = 96;
const SLOT_BYTES: u32 = 8;
const WIDE_SLOT_BYTES: u32 = 16;
/// A function that calls no other is counted only if its frame is larger than this. All others
/// are the last of their chain, so together they take this much beyond the counter.
const LEAF_BYTES_MAX: u32 = 4_096;

/// What metering needs to know of one function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Bytes of stack one call is counted for.
    pub(crate) bytes: u32,
    calls: bool,
    /// Whether it copies or fills in bulk.
    pub(super) has_bulk: bool,
}

impl Frame {
    /// Whether its frame is taken from the stack counter.
    pub(super) fn is_counted(self) -> bool {
        self.calls || self.bytes > LEAF_BYTES_MAX
    }
}

/// Validates one function, and measures it on the way.
pub(crate) fn measure<T: WasmModuleResources>(
    validator: &mut FuncValidator<T>,
    body: &FunctionBody<'_>,
) -> Result<Frame, ProgramError> {
    let mut frame = Frame::default();
    let mut reader = body.get_binary_reader();
    validator.read_locals(&mut reader)?;
    let locals = (0..validator.len_locals()).filter_map(|index| validator.get_local_type(index));
    let mut bytes = CALL_BYTES;
    for local in locals {
        let wide = matches!(local, ValType::V128);
        bytes = bytes.saturating_add(if wide { WIDE_SLOT_BYTES } else { SLOT_BYTES });
    }
    let mut operands = OperatorsReader::new(reader);
    let mut height = 0;
    while !operands.eof() {
        let (operator, offset) = operands.read_with_offset()?;
        validator.op(offset, &operator)?;
        height = height.max(validator.operand_stack_height());
        frame.calls |= matches!(
            operator,
            Operator::Call { .. } | Operator::CallIndirect { .. }
        );
        frame.has_bulk |= bulk(&operator).is_some();
    }
    operands.finish()?;
    frame.bytes = bytes.saturating_add(height.saturating_mul(SLOT_BYTES));
    Ok(frame)
}

/// The two kinds of bulk work, with the function that meters each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bulk {
    Bytes,
    Elements,
}

/// The kind of bulk work an instruction does, if it does any; its length is its last operand.
pub(super) fn bulk(operator: &Operator<'_>) -> Option<Bulk> {
    match operator {
        Operator::MemoryCopy { .. } | Operator::MemoryFill { .. } | Operator::MemoryInit { .. } => {
            Some(Bulk::Bytes)
        }
        Operator::TableCopy { .. } | Operator::TableFill { .. } | Operator::TableInit { .. } => {
            Some(Bulk::Elements)
        }
        _ => None,
    }
}
