//! What local variables hold, at each point of a function.
//!
//! The code is cut where control may come from several places: there a new stretch of it begins. What a variable
//! holds is found from where it is read, backwards: what was last put into it in this stretch, else at the point
//! from which control came here; where it may have come from several, it is a value that each of those may become.

use super::graph::{Graph, Value};
use std::collections::HashMap;

/// Steps backwards for each instruction of a function, on the average. Code in which variables are read far from
/// where they were written would take time and memory that grow with its square; so when the steps are used up,
/// a variable may be all that is ever put into it.
const STEPS: usize = 16;

/// Steps that a value costs which is one of several: what it takes of memory.
const MEETING_STEPS: usize = 8;

/// A point of the code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    stretch: u32,
    /// How often variables were written before it.
    writes: u32,
}

/// Points from which control comes to one place: the last of them in [`Variables::ways`].
pub(super) type Ways = Option<u32>;

/// Code that control enters at its beginning alone.
struct Stretch {
    /// How often variables were written before it.
    writes: u32,
    from: From,
}

#[derive(Clone, Copy)]
enum From {
    /// The function begins here. Its variables hold what was passed to it, or nothing.
    Caller,
    One(Point),
    Several(Ways),
}

struct Write {
    at: u32,
    value: Option<Value>,
}

pub(super) struct Variables {
    stretches: Vec<Stretch>,
    ways: Vec<(Point, Ways)>,
    /// For each variable, in the order of the code.
    writes: Vec<Vec<Write>>,
    written: Vec<u32>,
    now: u32,
    /// What a variable holds at the beginning of a stretch to which control comes from several points.
    met: HashMap<(u32, u32), Value>,
    /// Of these, those of which it was not yet asked what they hold at each of the points.
    open: Vec<(u32, u32, Value)>,
    /// All that was ever put into a variable.
    all: HashMap<u32, Value>,
    /// What is left of them.
    steps: usize,
    steps_each: usize,
}

impl Default for Variables {
    fn default() -> Self {
        Variables::with_steps(STEPS)
    }
}

impl Variables {
    /// With so many steps for each instruction.
    pub(super) fn with_steps(steps_each: usize) -> Self {
        Variables {
            stretches: Vec::new(),
            ways: Vec::new(),
            writes: Vec::new(),
            written: Vec::new(),
            now: 0,
            met: HashMap::new(),
            open: Vec::new(),
            all: HashMap::new(),
            steps: 0,
            steps_each,
        }
    }

    /// At the beginning of a function with so many variables.
    pub(super) fn begin(&mut self, variables: u32) {
        for index in self.written.drain(..) {
            if let Some(writes) = self.writes.get_mut(index as usize) {
                writes.clear();
            }
        }
        if self.writes.len() < variables as usize {
            self.writes.resize_with(variables as usize, Vec::new);
        }
        self.stretches.clear();
        self.ways.clear();
        self.met.clear();
        self.open.clear();
        self.all.clear();
        self.now = 0;
        self.steps = 0;
        self.enter(From::Caller);
    }

    /// At the next instruction.
    pub(super) fn step(&mut self) {
        self.steps += self.steps_each;
    }

    pub(super) fn here(&self) -> Point {
        Point {
            stretch: self.stretches.len().saturating_sub(1) as u32,
            writes: self.now,
        }
    }

    /// Adds a point from which control comes.
    pub(super) fn way(&mut self, from: Point, ways: &mut Ways) {
        let last = ways.and_then(|last| self.ways.get(last as usize));
        // One table of branches may name a label many times.
        if last.is_none_or(|(point, _)| *point != from) {
            let before = ways.replace(self.ways.len() as u32);
            self.ways.push((from, before));
        }
    }

    /// Adds a point from which control comes back to the beginning of this stretch.
    pub(super) fn way_back(&mut self, from: Point, stretch: u32) {
        let Some(mut ways) = self.ways_to(stretch) else {
            return;
        };
        self.way(from, &mut ways);
        if let Some(stretch) = self.stretches.get_mut(stretch as usize) {
            stretch.from = From::Several(ways);
        }
    }

    fn ways_to(&self, stretch: u32) -> Option<Ways> {
        match self.stretches.get(stretch as usize)?.from {
            From::Several(ways) => Some(ways),
            _ => None,
        }
    }

    /// Begins a stretch to which control comes from these points; its number.
    pub(super) fn meet(&mut self, ways: Ways) -> u32 {
        self.enter(From::Several(ways))
    }

    /// Begins a stretch to which control comes from this point alone.
    pub(super) fn go_on(&mut self, from: Point) {
        self.enter(From::One(from));
    }

    fn enter(&mut self, from: From) -> u32 {
        let writes = self.now;
        self.stretches.push(Stretch { writes, from });
        self.here().stretch
    }

    pub(super) fn write(&mut self, index: u32, value: Option<Value>) {
        let at = self.now;
        self.now += 1;
        if let Some(writes) = self.writes.get_mut(index as usize) {
            if writes.is_empty() {
                self.written.push(index);
            }
            writes.push(Write { at, value });
        }
    }

    /// What a variable holds here, if that may be a NaN that was computed.
    pub(super) fn read(&mut self, index: u32, graph: &mut Graph) -> Option<Value> {
        self.held(index, self.here(), graph)
    }

    fn held(&mut self, index: u32, mut point: Point, graph: &mut Graph) -> Option<Value> {
        while self.spend(1) {
            let stretch = self.stretches.get(point.stretch as usize)?;
            let writes = self.writes.get(index as usize)?;
            let before = writes.partition_point(|write| write.at < point.writes);
            let last = before.checked_sub(1).and_then(|last| writes.get(last));
            if let Some(write) = last.filter(|write| write.at >= stretch.writes) {
                return write.value;
            }
            match stretch.from {
                From::Caller => return None,
                From::One(from) => point = from,
                From::Several(_) => {
                    let key = (point.stretch, index);
                    if let Some(known) = self.met.get(&key) {
                        return Some(*known);
                    }
                    if !self.spend(MEETING_STEPS) {
                        break;
                    }
                    let value = graph.add();
                    self.met.insert(key, value);
                    self.open.push((point.stretch, index, value));
                    return Some(value);
                }
            }
        }
        Some(*self.all.entry(index).or_insert_with(|| graph.add()))
    }

    /// Whether there are so many steps left. If not, there are none from then on.
    fn spend(&mut self, steps: usize) -> bool {
        let left = self.steps.checked_sub(steps);
        self.steps = left.unwrap_or(0);
        left.is_some()
    }

    /// At the end of the function, when all points are known from which control comes anywhere.
    pub(super) fn finish(&mut self, graph: &mut Graph) {
        while let Some((stretch, index, value)) = self.open.pop() {
            let mut ways = self.ways_to(stretch).flatten();
            while let Some((point, before)) = ways.and_then(|way| self.ways.get(way as usize)) {
                ways = *before;
                if let Some(held) = self.held(index, *point, graph) {
                    graph.flow(held, value);
                }
                if self.steps == 0 {
                    // Whatever is still to be asked is one answer then.
                    let held = *self.all.entry(index).or_insert_with(|| graph.add());
                    graph.flow(held, value);
                    break;
                }
            }
        }
        for index in &self.written {
            let writes = self.writes.get(*index as usize).into_iter().flatten();
            if let Some(all) = self.all.get(index) {
                for value in writes.filter_map(|write| write.value) {
                    graph.flow(value, *all);
                }
            }
        }
    }
}
