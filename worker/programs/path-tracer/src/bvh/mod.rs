//! A hierarchy of boxes that finds what a ray meets without asking every primitive.
//!
//! A node holds the boxes of four children, so that one visit decides all of them with a few vector
//! instructions; leaves are runs of the reordered primitive list.

mod build;

use crate::lanes::Lanes;
use crate::math::Vec3;
use crate::shape::{Hit, Primitive, Ray};

/// The most primitives that a hierarchy can hold.
pub(crate) const PRIMITIVES_MAX: usize = 1 << 21;

/// Below this depth nodes are split into equal halves, whatever that costs. No leaf is then deeper
/// than 36 + log2(2^21) = 57 pairs, each level leaves at most three children on the stack, and
/// 3 x 57 stays below [`STACK_ENTRIES`]: no geometry can overflow it.
const SAH_DEPTH_MAX: usize = 36;
const STACK_ENTRIES: usize = 256;

const LEAF: u32 = 1 << 31;
const COUNT_BITS: u32 = 4;

/// Where a child is: a node's index, or a leaf's first primitive and their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Child(u32);

/// A node's children: the boxes of all four, coordinate by coordinate, and where they are.
#[derive(Clone, Copy, Debug)]
struct Node {
    low: [Lanes; 3],
    high: [Lanes; 3],
    children: [Child; 4],
}

/// The hierarchy over a list of primitives, which it owns and has reordered.
#[derive(Clone, Debug)]
pub(crate) struct Bvh {
    nodes: Vec<Node>,
    primitives: Vec<Primitive>,
    root: Child,
}

/// What a ray still has to visit: room that is made once and used for many rays.
#[derive(Clone, Debug)]
pub(crate) struct Stack {
    /// In the hierarchy of a scene.
    pub(crate) outer: Visits,
    /// In the hierarchy of a placed mesh.
    pub(crate) inner: Visits,
}

impl Stack {
    pub(crate) fn new() -> Self {
        Self {
            outer: [Visit(0); STACK_ENTRIES],
            inner: [Visit(0); STACK_ENTRIES],
        }
    }
}

/// Room for the visits of one hierarchy.
pub(crate) type Visits = [Visit; STACK_ENTRIES];

/// A child to be visited, under the distance at which the ray enters it: both in one number that
/// sorts by distance, because the bits of numbers that are not negative sort as they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Visit(u64);

impl Visit {
    #[inline(always)]
    fn new(child: Child, distance: f32) -> Self {
        Self((u64::from(distance.to_bits()) << 32) | u64::from(child.0))
    }

    #[inline(always)]
    fn child(self) -> Child {
        Child((self.0 & 0xffff_ffff) as u32)
    }

    #[inline(always)]
    fn distance(self) -> f32 {
        f32::from_bits((self.0 >> 32) as u32)
    }
}

impl Child {
    #[allow(clippy::cast_possible_truncation, reason = "both are below 2^21")]
    fn leaf(first: usize, count: usize) -> Self {
        Self(LEAF | ((first as u32) << COUNT_BITS) | count as u32)
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "there are fewer nodes than primitives"
    )]
    fn node(index: usize) -> Self {
        Self(index as u32)
    }

    #[inline]
    fn is_leaf(self) -> bool {
        self.0 & LEAF != 0
    }

    #[inline]
    fn primitives(self) -> (u32, std::ops::Range<usize>) {
        let first = (self.0 & !LEAF) >> COUNT_BITS;
        let end = first + (self.0 & ((1 << COUNT_BITS) - 1));
        (first, first as usize..end as usize)
    }
}

impl Bvh {
    /// Builds the hierarchy over at most [`PRIMITIVES_MAX`] primitives (further ones are not
    /// found). Also returns the old index of each primitive in the new order.
    pub(crate) fn build(primitives: &[Primitive]) -> (Self, Vec<u32>) {
        let primitives = primitives.get(..PRIMITIVES_MAX).unwrap_or(primitives);
        let (nodes, root, order) = build::tree(primitives);
        let reordered = order
            .iter()
            .filter_map(|&old| primitives.get(old as usize).copied());
        (
            Self {
                nodes,
                primitives: reordered.collect(),
                root,
            },
            order,
        )
    }

    #[inline]
    pub(crate) fn primitive(&self, index: u32) -> Option<&Primitive> {
        self.primitives.get(index as usize)
    }

    /// The nearest triangle or sphere on the ray before `limit`.
    #[inline(never)]
    #[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
    pub(crate) fn nearest(&self, ray: &Ray, limit: f32, stack: &mut Visits) -> Option<Hit> {
        let test = |index, primitive: &Primitive, limit| {
            primitive
                .intersect(ray, limit)
                .map(|meeting| meeting.at(index))
        };
        self.visit(ray, limit, stack, false, test)
    }

    /// Any triangle or sphere on the ray before `limit`.
    #[inline(never)]
    #[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
    pub(crate) fn any(&self, ray: &Ray, limit: f32, stack: &mut Visits) -> Option<Hit> {
        let test = |index, primitive: &Primitive, limit| {
            primitive
                .intersect(ray, limit)
                .map(|meeting| meeting.at(index))
        };
        self.visit(ray, limit, stack, true, test)
    }

    /// Walks the hierarchy, nearer children first, to the nearest hit that `test` finds (given a
    /// primitive's place, the primitive, and the distance that is of interest), or to the first
    /// one if `any` will do.
    #[inline(always)]
    pub(crate) fn visit(
        &self,
        ray: &Ray,
        limit: f32,
        stack: &mut Visits,
        any: bool,
        mut test: impl FnMut(u32, &Primitive, f32) -> Option<Hit>,
    ) -> Option<Hit> {
        let (mut found, mut limit) = (None, limit);
        let line = Line::of(ray);
        stack[0] = Visit::new(self.root, 0.0);
        let mut depth = 1_usize;
        while depth > 0 {
            depth -= 1;
            let next = stack[depth % STACK_ENTRIES];
            if next.distance() >= limit {
                continue;
            }
            let child = next.child();
            if child.is_leaf() {
                let (first, run) = child.primitives();
                let run = self.primitives.get(run).unwrap_or(&[]);
                for (index, primitive) in (first..).zip(run) {
                    if let Some(hit) = test(index, primitive, limit) {
                        (found, limit) = (Some(hit), hit.distance);
                        if any {
                            return found;
                        }
                    }
                }
            } else if let Some(node) = self.nodes.get(child.0 as usize) {
                let (enter, meets) = line.through(node, limit);
                let (enter, bottom) = (enter.to_array(), depth);
                for (lane, (child, enter)) in node.children.into_iter().zip(enter).enumerate() {
                    // Written in any case, but kept only if the box is met: a branch here would
                    // be guessed wrong half of the time.
                    stack[depth % STACK_ENTRIES] = Visit::new(child, enter);
                    depth += ((meets >> lane) & 1) as usize;
                }
                // Where any hit will do, the order matters little.
                if !any && depth - bottom > 1 {
                    nearest_last(stack, bottom, depth);
                }
            }
        }
        found
    }
}

/// Sorts the newest entries, of which there are two to four.
#[inline(always)]
fn nearest_last(stack: &mut Visits, bottom: usize, top: usize) {
    let mut order = |i: usize, j: usize| {
        let (i, j) = ((bottom + i) % STACK_ENTRIES, (bottom + j) % STACK_ENTRIES);
        let (a, b) = (stack[i], stack[j]);
        (stack[i], stack[j]) = if a < b { (b, a) } else { (a, b) };
    };
    order(0, 1);
    if top - bottom > 2 {
        order(1, 2);
        order(0, 1);
    }
    if top - bottom > 3 {
        order(2, 3);
        order(1, 2);
        order(0, 1);
    }
}

/// A ray as four boxes at a time see it.
struct Line {
    origin: [Lanes; 3],
    inverse: [Lanes; 3],
}

impl Line {
    #[inline(always)]
    fn of(ray: &Ray) -> Self {
        let (o, i) = (ray.origin, inverse_direction(ray.direction));
        Self {
            origin: [Lanes::splat(o.x), Lanes::splat(o.y), Lanes::splat(o.z)],
            inverse: [Lanes::splat(i.x), Lanes::splat(i.y), Lanes::splat(i.z)],
        }
    }

    /// Where the ray enters each child's box, and a bit for each box that it meets before `limit`.
    #[inline(always)]
    fn through(&self, node: &Node, limit: f32) -> (Lanes, u32) {
        let slab = |axis: usize| {
            let low = node.low[axis]
                .sub(self.origin[axis])
                .mul(self.inverse[axis]);
            let high = node.high[axis]
                .sub(self.origin[axis])
                .mul(self.inverse[axis]);
            (low.min(high), low.max(high))
        };
        let (x, y, z) = (slab(0), slab(1), slab(2));
        let enter = x.0.max(y.0).max(z.0.max(Lanes::splat(0.0)));
        let leave = x.1.min(y.1).min(z.1.min(Lanes::splat(limit)));
        (enter, enter.at_most(leave))
    }
}

/// One over each coordinate, kept finite so that zero times it is zero and not a NaN.
#[inline]
fn inverse_direction(d: Vec3) -> Vec3 {
    let inverse = |c: f32| {
        if c.abs() > 1e-15 {
            1.0 / c
        } else if c < 0.0 {
            -1e15
        } else {
            1e15
        }
    };
    Vec3::new(inverse(d.x), inverse(d.y), inverse(d.z))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampler::{hash, unit};

    /// Random numbers in [0, 1) from a seed, for the property tests.
    fn numbers(seed: u32) -> impl FnMut() -> f32 {
        let mut state = seed;
        move || {
            state = state.wrapping_add(0x9e37_79b9);
            unit(hash(state))
        }
    }

    fn soup(seed: u32, count: usize) -> Vec<Primitive> {
        let mut next = numbers(seed);
        let mut point = move |size: f32| {
            Vec3::new(
                (next() - 0.5) * size,
                (next() - 0.5) * size,
                (next() - 0.5) * size,
            )
        };
        let primitive = |i: usize| {
            let centre = point(10.0);
            // Some exactly flat and axis-aligned, as real scenes have many of these.
            let flat = if i.is_multiple_of(3) {
                Vec3::new(1.0, 0.0, 1.0)
            } else {
                Vec3::ONE
            };
            match i % 5 {
                0 => Primitive::sphere(centre, 0.1 + point(1.0).x.abs()),
                _ => Primitive::triangle([
                    centre,
                    centre + point(2.0) * flat,
                    centre + point(2.0) * flat,
                ]),
            }
        };
        (0..count).map(primitive).collect()
    }

    fn by_asking_everyone(primitives: &[Primitive], ray: &Ray, limit: f32) -> Option<f32> {
        let distances = primitives
            .iter()
            .filter_map(|p| p.intersect(ray, limit).map(|m| m.distance));
        distances.reduce(crate::math::min)
    }

    #[test]
    fn hierarchy_finds_what_asking_everyone_finds() {
        for (seed, count) in [(1, 0), (2, 1), (3, 4), (4, 5), (5, 60), (6, 900), (7, 3000)] {
            let primitives = soup(seed, count);
            let (bvh, order) = Bvh::build(&primitives);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert!(
                sorted
                    .iter()
                    .copied()
                    .eq(0..u32::try_from(count).unwrap_or(0))
            );
            let mut next = numbers(seed + 100);
            let (mut hits, mut stack) = (0, Stack::new().outer);
            for i in 0..2000 {
                let mut coordinate = || (next() - 0.5) * 12.0;
                let origin = Vec3::new(coordinate(), coordinate(), coordinate());
                let mut direction = Vec3::new(coordinate(), coordinate(), coordinate());
                if i % 4 == 0 {
                    direction.x = 0.0;
                }
                if i % 8 == 0 {
                    direction.y = 0.0;
                }
                let direction = direction.normalized_or(Vec3::new(0.0, 0.0, 1.0));
                let (ray, limit) = (Ray { origin, direction }, next() * 20.0);
                let exact = by_asking_everyone(&primitives, &ray, limit);
                let found = bvh.nearest(&ray, limit, &mut stack);
                assert_eq!(found.map(|hit| hit.distance), exact);
                assert_eq!(bvh.any(&ray, limit, &mut stack).is_some(), exact.is_some());
                if let Some(hit) = found {
                    hits += 1;
                    let old = primitives[order[hit.primitive as usize] as usize];
                    assert_eq!(bvh.primitive(hit.primitive), Some(&old));
                }
            }
            assert!(count < 900 || hits > 100, "{hits} hits prove little");
        }
    }

    #[test]
    fn coinciding_and_far_scattered_primitives_are_all_found() {
        let same = vec![Primitive::sphere(Vec3::ZERO, 1.0); 1000];
        let (bvh, _) = Bvh::build(&same);
        let direction = Vec3::new(0.0, 0.0, 1.0);
        let ray = Ray {
            origin: Vec3::new(0.0, 0.0, -5.0),
            direction,
        };
        assert_eq!(
            bvh.nearest(&ray, 100.0, &mut Stack::new().inner)
                .map(|hit| hit.distance),
            Some(4.0)
        );
        // Sizes and distances that double each time make the deepest tree that the heuristic can.
        let doubling = |i: u16| (f32::from(i) * std::f32::consts::LN_2 * 0.5).exp() * 1e-6;
        let nested: Vec<Primitive> = (0..80)
            .map(|i| Primitive::sphere(Vec3::new(doubling(i), 0.0, 0.0), doubling(i) * 0.1))
            .collect();
        let (bvh, _) = Bvh::build(&nested);
        for i in 0..80 {
            let origin = Vec3::new(doubling(i), -5.0 * doubling(i), 0.0);
            let ray = Ray {
                origin,
                direction: Vec3::new(0.0, 1.0, 0.0),
            };
            let exact = by_asking_everyone(&nested, &ray, 1e9);
            assert_eq!(
                bvh.nearest(&ray, 1e9, &mut Stack::new().inner)
                    .map(|hit| hit.distance),
                exact
            );
        }
    }
}
