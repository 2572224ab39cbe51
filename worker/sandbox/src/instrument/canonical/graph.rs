//! Which values may become which others, and how they are seen.

use crate::instrument::floats::Shape;

/// How a value is seen: a bit for each shape in which instructions take it that see no bits of NaNs, and one for
/// those that see them.
pub(super) type Seen = u8;

pub(super) const BITS: Seen = 1 << 4;

impl Shape {
    pub(super) const fn seen(self) -> Seen {
        1 << self as u8
    }
}

/// A value that may be a NaN that was computed: its number.
pub(super) type Value = u32;

/// The values of one function. Of them and of the flows there are at most a few for each of its bytes, so 32 bits
/// number them.
#[derive(Default)]
pub(super) struct Graph {
    nodes: Vec<Node>,
    flows: Vec<Flow>,
}

/// A value, with the last of the flows into it.
#[derive(Clone, Copy, Default)]
struct Node {
    seen: Seen,
    flow: Option<u32>,
}

/// That a value may become another: where that is seen, so is this one.
#[derive(Clone, Copy)]
struct Flow {
    from: Value,
    /// The flow before this one into the same value.
    before: Option<u32>,
}

impl Graph {
    pub(super) fn clear(&mut self) {
        self.nodes.clear();
        self.flows.clear();
    }

    pub(super) fn add(&mut self) -> Value {
        self.nodes.push(Node::default());
        self.nodes.len() as Value - 1
    }

    pub(super) fn flow(&mut self, from: Value, into: Value) {
        let flow = Some(self.flows.len() as u32);
        let before = std::mem::replace(&mut self.nodes[into as usize].flow, flow);
        self.flows.push(Flow { from, before });
    }

    pub(super) fn see(&mut self, value: Value, how: Seen) {
        self.nodes[value as usize].seen |= how;
    }

    pub(super) fn seen(&self, value: Value) -> Seen {
        self.nodes[value as usize].seen
    }

    /// Lets each value be seen as those are that it may become. There are five ways to be seen, so no value is
    /// looked at more often than that.
    pub(super) fn spread(&mut self) {
        let is_seen = |value: &Value| self.seen(*value) != 0;
        let mut open: Vec<Value> = (0..self.nodes.len() as Value).filter(is_seen).collect();
        while let Some(into) = open.pop() {
            let Node { seen, mut flow } = self.nodes[into as usize];
            while let Some(Flow { from, before }) = flow.map(|flow| self.flows[flow as usize]) {
                flow = before;
                let node = &mut self.nodes[from as usize];
                if seen & !node.seen != 0 {
                    node.seen |= seen;
                    open.push(from);
                }
            }
        }
    }
}
