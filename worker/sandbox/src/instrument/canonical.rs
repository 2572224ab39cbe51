//! Behind which instructions the NaN that may come of them has to be made canonical, so that nobody sees
//! which one the processor chose.
//!
//! Only arithmetic makes NaNs, and arithmetic, comparisons and conversions to integers do not see which NaN
//! they are given. So a result is left as it is as long as nothing else takes it, and made canonical right
//! where it is computed if anything else may: if it is stored, passed on, returned, reinterpreted, gives its
//! sign, or becomes bits of a vector. What is seen is then what it would be if every result were made
//! canonical. Values that were only moved (loaded, passed in, constants) are never touched, so that what a
//! program keeps in the payload of a NaN stays.
//!
//! Values are followed on the operand stack; through `select`, `neg`, `abs` and the like, which hand on what
//! they are given; to the end of blocks; and through local variables. A block's parameters, and results of
//! blocks with several, count as seen. The walk takes time and memory in proportion to the code.

mod graph;
mod variables;

use super::floats::{Effect, Shape, effect};
use crate::{error::ProgramError, inspect::FEATURES};
use graph::{BITS, Graph, Seen, Value};
use variables::{Point, Variables, Ways};
use wasmparser::{
    BlockType, FuncValidator, FuncValidatorAllocations, FunctionBody, Operator, OperatorsReader,
    Payload, ValType, ValidPayload, Validator, WasmModuleResources,
};

/// Variables of one function, its parameters and what is added included: what the engine takes.
pub(super) const FUNCTION_LOCALS_MAX: u32 = 50_000;

/// An instruction whose result is to be made canonical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Where it ends in the program.
    pub(super) end: usize,
    pub(super) shape: Shape,
}

/// The places of one function, in their order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) all: Vec<Place>,
    /// The types of the variables that are added for them.
    pub(super) added: Vec<ValType>,
    /// The variables that the function has, parameters included; those that are added come behind.
    locals: u32,
}

impl Places {
    fn new(all: Vec<Place>, locals: u32) -> Result<Self, ProgramError> {
        let mut added = Vec::new();
        for place in &all {
            let ty = place.shape.value_type();
            if !added.contains(&ty) {
                added.push(ty);
            }
        }
        let count = locals.saturating_add(added.len() as u32);
        if count > FUNCTION_LOCALS_MAX {
            return Err(ProgramError::TooMany {
                what: "variables in one function, with those added to make NaNs canonical",
                count: count.into(),
                max: FUNCTION_LOCALS_MAX.into(),
            });
        }
        Ok(Places { all, added, locals })
    }

    /// The variable that is added for results of this shape.
    pub(super) fn variable(&self, shape: Shape) -> u32 {
        let before = self
            .added
            .iter()
            .take_while(|ty| **ty != shape.value_type());
        self.locals + before.count() as u32
    }
}

/// Goes through a program, one function after the other.
pub(super) struct Walk {
    validator: Validator,
    allocations: FuncValidatorAllocations,
    values: Values,
}

impl Walk {
    pub(super) fn new() -> Self {
        Walk {
            validator: Validator::new_with_features(FEATURES),
            allocations: FuncValidatorAllocations::default(),
            values: Values::default(),
        }
    }

    /// One that follows variables no further than so many steps for each instruction.
    #[cfg(test)]
    pub(super) fn with_steps(steps: usize) -> Self {
        let mut walk = Walk::new();
        walk.values.variables = Variables::with_steps(steps);
        walk
    }

    /// The places in the function that comes next, if it is one that comes next.
    pub(super) fn next(&mut self, payload: &Payload<'_>) -> Result<Places, ProgramError> {
        let ValidPayload::Func(function, body) = self.validator.payload(payload)? else {
            return Ok(Places::default());
        };
        let mut function = function.into_validator(std::mem::take(&mut self.allocations));
        let places = self.values.places(&mut function, &body)?;
        self.allocations = function.into_allocations();
        Ok(places)
    }
}

impl Shape {
    const fn value_type(self) -> ValType {
        match self {
            Shape::F32 => ValType::F32,
            Shape::F64 => ValType::F64,
            Shape::F32x4 | Shape::F64x2 => ValType::V128,
        }
    }
}

/// A block that is open.
#[derive(Clone, Copy, Default)]
struct Label {
    /// Whether it has one result, at its end, and nothing else is passed where it is branched to.
    has_result: bool,
    /// What its result may be.
    result: Option<Value>,
    /// From where control comes to its end, but for what lies before that.
    ways: Ways,
    /// Of a condition without `else`: where it is asked.
    asked: Option<Point>,
    /// Of a loop: the stretch of code that it begins with.
    head: Option<u32>,
}

/// What is known while a function is walked through. It is used for one function after the other.
#[derive(Default)]
struct Values {
    graph: Graph,
    variables: Variables,
    /// Results of arithmetic, each with the place where it can be made canonical.
    computed: Vec<(Value, Place)>,
    /// Those on the operand stack, each with its height. What is not here is no computed NaN.
    stack: Vec<(u32, Value)>,
    labels: Vec<Label>,
}

impl Values {
    fn places<T: WasmModuleResources>(
        &mut self,
        validator: &mut FuncValidator<T>,
        body: &FunctionBody<'_>,
    ) -> Result<Places, ProgramError> {
        let mut reader = body.get_binary_reader();
        validator.read_locals(&mut reader)?;
        let locals = validator.len_locals();
        self.begin(locals);
        let mut operators = OperatorsReader::new(reader);
        while !operators.eof() {
            let (operator, offset) = operators.read_with_offset()?;
            self.variables.step();
            let is_reached = is_reachable(validator);
            if is_reached {
                self.take(&operator, validator, operators.original_position());
            }
            let ended = self.end(&operator, is_reached);
            self.begin_block(&operator, is_reached);
            validator.op(offset, &operator)?;
            let height = validator.operand_stack_height();
            while self.pop(height).is_some() {}
            if let Some(result) = ended.and_then(|label| label.result) {
                self.stack.push((height.saturating_sub(1), result));
            }
        }
        operators.finish()?;
        self.variables.finish(&mut self.graph);
        self.graph.spread();
        let to_do = |(value, place): &(Value, Place)| {
            (self.graph.seen(*value) & !place.shape.seen() != 0).then_some(*place)
        };
        Places::new(self.computed.iter().filter_map(to_do).collect(), locals)
    }

    fn begin(&mut self, locals: u32) {
        self.graph.clear();
        self.variables.begin(locals);
        self.computed.clear();
        self.stack.clear();
        self.labels.clear();
        self.labels.push(Label::default());
    }

    /// What an instruction does with what it takes from the stack, and with variables.
    fn take<T: WasmModuleResources>(
        &mut self,
        operator: &Operator<'_>,
        validator: &FuncValidator<T>,
        end: usize,
    ) {
        let height = validator.operand_stack_height();
        let below = |taken: u32| height.saturating_sub(taken);
        let first = || {
            let arity = operator.operator_arity(validator);
            // It is known of every instruction that is on.
            arity.map_or(0, |(taken, _)| below(taken))
        };
        match effect(operator) {
            Effect::Computes { takes, gives } => {
                let first = first();
                self.see(first, takes.seen());
                let value = self.graph.add();
                self.computed.push((value, Place { end, shape: gives }));
                self.stack.push((first, value));
            }
            Effect::Reads(shape) => self.see(first(), shape.seen()),
            Effect::HandsOn(shape) => {
                if let Some(value) = self.at(below(1)) {
                    self.graph.see(value, shape.seen());
                }
            }
            Effect::Chooses(shape) => self.choose(below(2), shape.seen()),
            Effect::Selects => self.choose(below(3), 0),
            Effect::Signs => self.see(below(1), BITS),
            Effect::Other => match *operator {
                Operator::LocalGet { local_index } => {
                    if is_float(validator.get_local_type(local_index))
                        && let Some(value) = self.variables.read(local_index, &mut self.graph)
                    {
                        self.stack.push((height, value));
                    }
                }
                Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                    if is_float(validator.get_local_type(local_index)) {
                        let value = self.at(below(1));
                        self.variables.write(local_index, value);
                    }
                }
                Operator::Drop => {}
                Operator::Br { relative_depth } => self.branch(relative_depth, height, first()),
                Operator::BrIf { relative_depth } => {
                    self.branch(relative_depth, below(1), first());
                }
                Operator::BrTable { ref targets } => {
                    self.see(first(), BITS);
                    for depth in targets.targets().flatten().chain([targets.default()]) {
                        self.way(depth);
                    }
                }
                Operator::Else | Operator::End => self.leave(below(1), first()),
                _ if self.stack.is_empty() => {}
                _ => self.see(first(), BITS),
            },
        }
    }

    /// Notes what is passed to a label: what lies right below `height`, or, of a label with more or less than
    /// one result, all from `first` on.
    fn branch(&mut self, depth: u32, height: u32, first: u32) {
        self.way(depth);
        match self.label(depth).is_some_and(|label| label.has_result) {
            true => {
                let value = self.at(height.saturating_sub(1));
                self.result(depth, value);
            }
            false => self.see(first, BITS),
        }
    }

    /// Notes that control may go from here to a label.
    fn way(&mut self, depth: u32) {
        let here = self.variables.here();
        let Some(index) = self.labels.len().checked_sub(1 + depth as usize) else {
            return;
        };
        if let Some(label) = self.labels.get_mut(index) {
            match label.head {
                Some(head) => self.variables.way_back(here, head),
                None => self.variables.way(here, &mut label.ways),
            }
        }
    }

    /// Notes what a block ends with, be it at its end or before `else`.
    fn leave(&mut self, last: u32, first: u32) {
        match self.label(0).is_some_and(|label| label.has_result) {
            true => {
                let value = self.pop(last);
                self.result(0, value);
            }
            false => self.see(first, BITS),
        }
    }

    /// Adds to what the result of a block may be.
    fn result(&mut self, depth: u32, value: Option<Value>) {
        let Some(value) = value else { return };
        let known = self.label(depth).and_then(|label| label.result);
        let result = known.unwrap_or_else(|| self.graph.add());
        self.graph.flow(value, result);
        if let Some(label) = self.label(depth) {
            label.result = Some(result);
        }
    }

    fn label(&mut self, depth: u32) -> Option<&mut Label> {
        let index = self.labels.len().checked_sub(1 + depth as usize)?;
        self.labels.get_mut(index)
    }

    /// Ends the block that ends here, if one does.
    fn end(&mut self, operator: &Operator<'_>, is_reached: bool) -> Option<Label> {
        match operator {
            Operator::Else => {
                if is_reached {
                    self.way(0);
                }
                let asked = self.label(0)?.asked.take()?;
                self.variables.go_on(asked);
                None
            }
            Operator::End => {
                let mut label = self.labels.pop()?;
                let here = is_reached.then(|| self.variables.here());
                // Where nobody branches to, the code goes on as it came.
                if label.ways.is_some() || label.asked.is_some() {
                    for from in label.asked.into_iter().chain(here) {
                        self.variables.way(from, &mut label.ways);
                    }
                    self.variables.meet(label.ways);
                }
                Some(label)
            }
            _ => None,
        }
    }

    fn begin_block(&mut self, operator: &Operator<'_>, is_reached: bool) {
        let (ty, mut label) = match operator {
            Operator::Block { blockty } | Operator::If { blockty } => (blockty, Label::default()),
            // Who branches to a loop comes to its head.
            Operator::Loop { .. } => (&BlockType::Empty, Label::default()),
            _ => return,
        };
        label.has_result = matches!(ty, BlockType::Type(_));
        let here = self.variables.here();
        match operator {
            Operator::If { .. } => label.asked = is_reached.then_some(here),
            Operator::Loop { .. } => {
                let mut ways = None;
                if is_reached {
                    self.variables.way(here, &mut ways);
                }
                label.head = Some(self.variables.meet(ways));
            }
            _ => {}
        }
        self.labels.push(label);
    }

    /// The value on top of the stack, if that is not below this height.
    fn pop(&mut self, height: u32) -> Option<Value> {
        let (_, value) = self.stack.pop_if(|(at, _)| *at >= height)?;
        Some(value)
    }

    /// The value on top of the stack, if that is at this height.
    fn at(&self, height: u32) -> Option<Value> {
        let (_, value) = self.stack.last().filter(|(at, _)| *at == height)?;
        Some(*value)
    }

    /// Takes all from a height on, and notes how it is seen.
    fn see(&mut self, height: u32, how: Seen) {
        while let Some(value) = self.pop(height) {
            self.graph.see(value, how);
        }
    }

    /// Takes all from a height on, and puts there what may be any of it.
    fn choose(&mut self, height: u32, how: Seen) {
        let mut chosen = None;
        while let Some(value) = self.pop(height) {
            self.graph.see(value, how);
            chosen = Some(match chosen {
                None => value,
                Some(other) => {
                    let either = self.graph.add();
                    self.graph.flow(value, either);
                    self.graph.flow(other, either);
                    either
                }
            });
        }
        if let Some(value) = chosen {
            self.stack.push((height, value));
        }
    }
}

fn is_float(ty: Option<ValType>) -> bool {
    matches!(ty, Some(ValType::F32 | ValType::F64 | ValType::V128))
}

/// Whether control may come to the next instruction, as validation sees it. Behind a branch the operands are
/// whatever is asked for, and nothing is ever computed.
fn is_reachable<T: WasmModuleResources>(validator: &FuncValidator<T>) -> bool {
    let frame = validator.get_control_frame(0);
    frame.is_some_and(|frame| !frame.unreachable)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
