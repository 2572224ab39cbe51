//! The hierarchy's construction.
//!
//! First a tree of pairs by the surface area heuristic over binned centroids (I. Wald, *On fast
//! Construction of SAH-based Bounding Volume Hierarchies*, 2007), then nodes of four from it.

use crate::lanes::Lanes;
use crate::math::Vec3;
use crate::shape::{Bounds, Primitive};

use super::{Child, Node, SAH_DEPTH_MAX};

const BINS: usize = 12;
const LEAF_PRIMITIVES_MAX: usize = 4;

/// The cost of entering a placed mesh, in units of one primitive test.
const INSTANCE_COST: f32 = 3.0;
/// The cost of visiting a node, in units of one primitive test.
const VISIT_COST: f32 = 1.2;

/// All coordinates of the box of a child that is not there: a point so far away that no ray of
/// limited length meets it.
const NOWHERE: f32 = 1e30;

/// The nodes over these primitives, the root, and the order in which the leaves expect them.
pub(super) fn tree(primitives: &[Primitive]) -> (Vec<Node>, Child, Vec<u32>) {
    let mut builder = Builder::new(primitives);
    let root = builder.build();
    let (nodes, root) = widened(&builder.nodes, root);
    (
        nodes,
        root,
        builder.items.iter().map(|item| item.index).collect(),
    )
}

/// A node of the tree as it is built.
#[derive(Clone, Copy, Debug)]
struct Pair {
    bounds: [Bounds; 2],
    children: [Child; 2],
}

#[derive(Clone, Copy)]
struct Item {
    bounds: Bounds,
    centre: Vec3,
    index: u32,
    /// Of testing it, in units of one triangle.
    cost: f32,
}

struct Builder {
    items: Vec<Item>,
    nodes: Vec<Pair>,
}

/// A run of items that is still to become a child of a node.
struct Pending {
    start: usize,
    end: usize,
    depth: usize,
    parent: usize,
    side: usize,
}

#[derive(Clone, Copy)]
struct Bin {
    bounds: Bounds,
    /// What testing all of it would cost.
    cost: f32,
}

impl Bin {
    fn join(&self, other: &Self) -> Self {
        Self {
            bounds: self.bounds.join(other.bounds),
            cost: self.cost + other.cost,
        }
    }

    /// The cost of testing what is in the bin, times how likely a ray is to meet its box.
    fn expected_cost(&self) -> f32 {
        if self.cost > 0.0 {
            self.cost * self.bounds.half_area()
        } else {
            f32::INFINITY
        }
    }
}

struct Split {
    axis: usize,
    bin: usize,
    cost: f32,
}

impl Builder {
    fn new(primitives: &[Primitive]) -> Self {
        let item = |(index, primitive): (u32, &Primitive)| {
            let bounds = primitive.bounds();
            Item {
                bounds,
                centre: bounds.centre(),
                index,
                cost: if primitive.as_instance().is_some() {
                    INSTANCE_COST
                } else {
                    1.0
                },
            }
        };
        Self {
            items: (0..).zip(primitives).map(item).collect(),
            nodes: Vec::new(),
        }
    }

    fn build(&mut self) -> Child {
        let total = self.items.len();
        if total <= LEAF_PRIMITIVES_MAX {
            return Child::leaf(0, total);
        }
        let root = self.nodes.len();
        let mut pending = Vec::from(self.split(0, total, 0));
        while let Some(run) = pending.pop() {
            let child = if run.end - run.start <= 1 || !self.is_worth_splitting(&run) {
                Child::leaf(run.start, run.end - run.start)
            } else {
                let child = Child::node(self.nodes.len());
                pending.extend(self.split(run.start, run.end, run.depth));
                child
            };
            if let Some(node) = self.nodes.get_mut(run.parent) {
                node.children[run.side] = child;
            }
        }
        Child::node(root)
    }

    fn is_worth_splitting(&self, run: &Pending) -> bool {
        let items = &self.items[run.start..run.end];
        if items.len() > LEAF_PRIMITIVES_MAX {
            return true;
        }
        let empty = Bin {
            bounds: Bounds::EMPTY,
            cost: 0.0,
        };
        let all = items.iter().fold(empty, |all, item| {
            all.join(&Bin {
                bounds: item.bounds,
                cost: item.cost,
            })
        });
        let visit = VISIT_COST * all.bounds.half_area();
        best_split(items).is_some_and(|split| split.cost + visit < all.expected_cost())
    }

    /// Adds the node over a run and returns its two halves.
    fn split(&mut self, start: usize, end: usize, depth: usize) -> [Pending; 2] {
        let items = &mut self.items[start..end];
        let best = if depth < SAH_DEPTH_MAX {
            best_split(items)
        } else {
            None
        };
        let count = match best {
            Some(split) => {
                let range = centre_range(items);
                partition(items, |item| {
                    bin_of(item.centre, &range, split.axis) <= split.bin
                })
            }
            // All centres coincide (or the tree grew too deep): any halves do.
            None => items.len() / 2,
        };
        let bounds = |items: &[Item]| items.iter().fold(Bounds::EMPTY, |b, i| b.join(i.bounds));
        let (left, right) = items.split_at(count);
        let parent = self.nodes.len();
        let bounds = [bounds(left).padded(), bounds(right).padded()];
        self.nodes.push(Pair {
            bounds,
            children: [Child::leaf(0, 0); 2],
        });
        let half = |start, end, side| Pending {
            start,
            end,
            depth: depth + 1,
            parent,
            side,
        };
        [half(start, start + count, 0), half(start + count, end, 1)]
    }
}

fn centre_range(items: &[Item]) -> Bounds {
    items
        .iter()
        .fold(Bounds::EMPTY, |range, item| range.with_point(item.centre))
}

#[inline]
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and the result is cut to the number of bins"
)]
fn bin_of(centre: Vec3, range: &Bounds, axis: usize) -> usize {
    let (low, high) = (range.low[axis], range.high[axis]);
    let bin = ((centre[axis] - low) / (high - low) * BINS as f32) as usize;
    bin.min(BINS - 1)
}

/// The cheapest way to cut between two bins, if the centres do not all coincide.
fn best_split(items: &[Item]) -> Option<Split> {
    let range = centre_range(items);
    let mut best: Option<Split> = None;
    for axis in 0..3 {
        if range.high[axis] <= range.low[axis] {
            continue;
        }
        let mut bins = [Bin {
            bounds: Bounds::EMPTY,
            cost: 0.0,
        }; BINS];
        for item in items {
            let bin = &mut bins[bin_of(item.centre, &range, axis)];
            bin.bounds = bin.bounds.join(item.bounds);
            bin.cost += item.cost;
        }
        for (bin, cost) in (0..).zip(cut_costs(&bins)) {
            if best.as_ref().is_none_or(|best| cost < best.cost) {
                best = Some(Split { axis, bin, cost });
            }
        }
    }
    best
}

/// The cost of cutting after each bin but the last: infinite if a side would be empty.
fn cut_costs(bins: &[Bin; BINS]) -> [f32; BINS - 1] {
    let empty = Bin {
        bounds: Bounds::EMPTY,
        cost: 0.0,
    };
    let mut costs = [0.0; BINS - 1];
    let mut side = empty;
    for (cost, bin) in costs.iter_mut().zip(bins) {
        side = side.join(bin);
        *cost = side.expected_cost();
    }
    side = empty;
    for (cost, bin) in costs.iter_mut().zip(&bins[1..]).rev() {
        side = side.join(bin);
        *cost += side.expected_cost();
    }
    costs
}

/// Moves the items that belong to the left to the front and counts them. The first and the last
/// bin are never empty, so neither side is.
fn partition(items: &mut [Item], is_left: impl Fn(&Item) -> bool) -> usize {
    let mut count = 0;
    for i in 0..items.len() {
        if is_left(&items[i]) {
            items.swap(i, count);
            count += 1;
        }
    }
    count
}

/// Makes nodes of four children out of nodes of two: the largest child is replaced by its own
/// children as long as there is room.
fn widened(pairs: &[Pair], root: Child) -> (Vec<Node>, Child) {
    if root.is_leaf() {
        return (Vec::new(), root);
    }
    let mut nodes: Vec<Node> = Vec::with_capacity(pairs.len() / 2 + 1);
    // Each with the node and lane that shall point to it.
    let mut pending: Vec<(Child, usize, usize)> = vec![(root, usize::MAX, 0)];
    while let Some((child, parent, lane)) = pending.pop() {
        let index = nodes.len();
        if let Some(parent) = nodes.get_mut(parent) {
            parent.children[lane] = Child::node(index);
        }
        let (mut low, mut high) = ([[NOWHERE; 4]; 3], [[NOWHERE; 4]; 3]);
        let mut children = [Child::leaf(0, 0); 4];
        for (lane, (bounds, child)) in family(pairs, child).into_iter().flatten().enumerate() {
            for axis in 0..3 {
                low[axis][lane] = bounds.low[axis];
                high[axis][lane] = bounds.high[axis];
            }
            children[lane] = child;
            if !child.is_leaf() {
                pending.push((child, index, lane));
            }
        }
        let node = Node {
            low: lanes(low),
            high: lanes(high),
            children,
        };
        nodes.push(node);
    }
    (nodes, Child::node(0))
}

fn lanes([x, y, z]: [[f32; 4]; 3]) -> [Lanes; 3] {
    [Lanes::new(x), Lanes::new(y), Lanes::new(z)]
}

/// Up to four descendants of a pair that together are all of it.
fn family(pairs: &[Pair], child: Child) -> [Option<(Bounds, Child)>; 4] {
    let mut family = [None; 4];
    let children = |child: Child| {
        let pair = pairs.get(child.0 as usize)?;
        Some([
            (pair.bounds[0], pair.children[0]),
            (pair.bounds[1], pair.children[1]),
        ])
    };
    if let Some([left, right]) = children(child) {
        (family[0], family[1]) = (Some(left), Some(right));
    }
    for free in 2..4 {
        let area = |member: &Option<(Bounds, Child)>| match member {
            Some((bounds, child)) if !child.is_leaf() => bounds.half_area(),
            _ => -1.0,
        };
        let larger = |best: usize, i: usize| {
            if area(&family[i]) > area(&family[best]) {
                i
            } else {
                best
            }
        };
        let largest = (1..4).fold(0, larger);
        let split = family[largest].filter(|(_, child)| !child.is_leaf());
        if let Some([left, right]) = split.and_then(|(_, child)| children(child)) {
            (family[largest], family[free]) = (Some(left), Some(right));
        }
    }
    family
}
