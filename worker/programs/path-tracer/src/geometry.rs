//! Everything that a ray can meet, with meshes that stand in many places kept once.
//!
//! A hierarchy over single primitives and placed meshes; under each placed mesh, the mesh's own
//! hierarchy, visited by the ray as the mesh sees it. Five hundred grains cost the memory of one,
//! which is also what keeps them in the processor's nearest cache.

use crate::bvh::{Bvh, Stack};
use crate::math::{Vec3, sin_cos_turns};
use crate::shape::{Bounds, Hit, NO_INSTANCE, Primitive, Ray};

/// Where a mesh stands: scaled, then turned about z, x and y in this order, then moved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placement {
    scale: Vec3,
    inverse_scale: Vec3,
    /// Where the axes point after turning.
    axes: [Vec3; 3],
    shift: Vec3,
}

impl Placement {
    /// Angles are in turns; no scale may be zero.
    pub(crate) fn new(scale: Vec3, turns: Vec3, shift: Vec3) -> Self {
        let axes = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)];
        let axes = axes.map(|(x, y, z)| turned(Vec3::new(x, y, z), turns));
        let inverse_scale = Vec3::new(1.0 / scale.x, 1.0 / scale.y, 1.0 / scale.z);
        Self {
            scale,
            inverse_scale,
            axes,
            shift,
        }
    }

    pub(crate) fn point(&self, p: Vec3) -> Vec3 {
        self.turn(p * self.scale) + self.shift
    }

    /// What a surface's direction becomes.
    pub(crate) fn normal(&self, n: Vec3) -> Vec3 {
        self.turn(n * self.inverse_scale)
            .normalized_or(Vec3::new(0.0, 1.0, 0.0))
    }

    /// The ray as the mesh sees it. Its direction has another length, so that distances stay.
    #[inline(always)]
    fn ray_to_mesh(&self, ray: &Ray) -> Ray {
        let back = |v: Vec3| {
            let [x, y, z] = self.axes;
            Vec3::new(v.dot(x), v.dot(y), v.dot(z)) * self.inverse_scale
        };
        Ray {
            origin: back(ray.origin - self.shift),
            direction: back(ray.direction),
        }
    }

    fn turn(&self, v: Vec3) -> Vec3 {
        let [x, y, z] = self.axes;
        x * v.x + y * v.y + z * v.z
    }
}

fn turned(v: Vec3, turns: Vec3) -> Vec3 {
    let [(sx, cx), (sy, cy), (sz, cz)] = [turns.x, turns.y, turns.z].map(sin_cos_turns);
    let v = Vec3::new(v.x * cz - v.y * sz, v.x * sz + v.y * cz, v.z);
    let v = Vec3::new(v.x, v.y * cx - v.z * sx, v.y * sx + v.z * cx);
    Vec3::new(v.x * cy + v.z * sy, v.y, v.z * cy - v.x * sy)
}

/// A mesh in one of its places.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instance {
    pub(crate) placement: Placement,
    /// The mesh's place in the list of meshes.
    pub(crate) mesh: u32,
    /// Around the placed mesh.
    pub(crate) bounds: Bounds,
}

/// All shapes of a scene but its endless planes.
#[derive(Clone, Debug)]
pub(crate) struct Geometry {
    top: Bvh,
    meshes: Vec<Bvh>,
    instances: Vec<Instance>,
}

/// The new order of primitives: for each place, the old index.
pub(crate) type Order = Vec<u32>;

impl Geometry {
    /// Builds the hierarchies. Also returns the order of the single primitives (in which the
    /// instances, counted on after them, are mixed), and of each mesh's triangles.
    pub(crate) fn build(
        singles: &[Primitive],
        meshes: &[Vec<Primitive>],
        instances: Vec<Instance>,
    ) -> (Self, Order, Vec<Order>) {
        let boxes = (0..)
            .zip(&instances)
            .map(|(i, instance)| Primitive::instance(i, instance.bounds));
        let all: Vec<Primitive> = singles.iter().copied().chain(boxes).collect();
        let (top, order) = Bvh::build(&all);
        let (meshes, orders) = meshes.iter().map(|mesh| Bvh::build(mesh)).unzip();
        (
            Self {
                top,
                meshes,
                instances,
            },
            order,
            orders,
        )
    }

    /// What the ray meets first before `limit`.
    #[inline(never)]
    #[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
    pub(crate) fn nearest(&self, ray: &Ray, limit: f32, stack: &mut Stack) -> Option<Hit> {
        let Stack { outer, inner } = stack;
        let test = |index, primitive: &Primitive, limit| match primitive.as_instance() {
            None => primitive
                .intersect(ray, limit)
                .map(|meeting| meeting.at(index)),
            Some(instance) => {
                let (mesh, local) = self.enter(instance, ray)?;
                mesh.nearest(&local, limit, inner)
                    .map(|hit| Hit { instance, ..hit })
            }
        };
        self.top.visit(ray, limit, outer, false, test)
    }

    /// Whether anything is on the ray before `limit`.
    #[inline(never)]
    #[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
    pub(crate) fn is_blocked(&self, ray: &Ray, limit: f32, stack: &mut Stack) -> bool {
        let Stack { outer, inner } = stack;
        let test = |index, primitive: &Primitive, limit| match primitive.as_instance() {
            None => primitive
                .intersect(ray, limit)
                .map(|meeting| meeting.at(index)),
            Some(instance) => {
                let (mesh, local) = self.enter(instance, ray)?;
                mesh.any(&local, limit, inner)
            }
        };
        self.top.visit(ray, limit, outer, true, test).is_some()
    }

    /// The direction that faces outside where a ray of this geometry hit, and the instance hit.
    pub(crate) fn outward(&self, hit: &Hit, point: Vec3) -> Option<(Vec3, Option<&Instance>)> {
        if hit.instance == NO_INSTANCE {
            return Some((self.top.primitive(hit.primitive)?.outward(point), None));
        }
        let instance = self.instances.get(hit.instance as usize)?;
        let primitive = self
            .meshes
            .get(instance.mesh as usize)?
            .primitive(hit.primitive)?;
        let outward = instance.placement.normal(primitive.outward(point));
        Some((outward, Some(instance)))
    }

    #[inline(always)]
    fn enter(&self, instance: u32, ray: &Ray) -> Option<(&Bvh, Ray)> {
        let instance = self.instances.get(instance as usize)?;
        let mesh = self.meshes.get(instance.mesh as usize)?;
        Some((mesh, instance.placement.ray_to_mesh(ray)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampler::{hash, unit};

    fn numbers(seed: u32) -> impl FnMut() -> f32 {
        let mut state = seed;
        move || {
            state = state.wrapping_add(0x9e37_79b9);
            unit(hash(state)) - 0.5
        }
    }

    #[test]
    fn placed_meshes_are_met_where_their_triangles_would_be() {
        let mut next = numbers(3);
        let mut point = move |size: f32| Vec3::new(next(), next(), next()) * size;
        let corners: Vec<[Vec3; 3]> = (0..60)
            .map(|_| [point(2.0), point(2.0), point(2.0)])
            .collect();
        let mesh: Vec<Primitive> = corners.iter().map(|c| Primitive::triangle(*c)).collect();
        let (mut flat, mut instances) = (Vec::new(), Vec::new());
        for _ in 0..40 {
            let scale = point(0.8) + Vec3::splat(0.6);
            let placement = Placement::new(scale, point(2.0), point(12.0));
            let placed = corners.iter().map(|c| c.map(|p| placement.point(p)));
            let mut bounds = Bounds::EMPTY;
            for corners in placed {
                flat.push(Primitive::triangle(corners));
                bounds = corners
                    .iter()
                    .fold(bounds, |bounds, p| bounds.with_point(*p));
            }
            instances.push(Instance {
                placement,
                mesh: 0,
                bounds,
            });
        }
        let lone = [Primitive::sphere(Vec3::ZERO, 0.7), flat[0]];
        flat.push(lone[0]);
        let (placed, order, _) = Geometry::build(&lone, &[mesh], instances);
        assert_eq!(order.len(), 42);
        let (flat, ..) = Geometry::build(&flat, &[], Vec::new());
        let (mut stack, mut hits) = (Stack::new(), 0);
        for i in 0..3000 {
            let origin = point(16.0);
            let target = if i % 2 == 0 { point(12.0) } else { point(1.0) };
            let Some(direction) = (target - origin).normalized() else {
                continue;
            };
            let ray = Ray { origin, direction };
            let (a, b) = (
                placed.nearest(&ray, 100.0, &mut stack),
                flat.nearest(&ray, 100.0, &mut stack),
            );
            assert_eq!(placed.is_blocked(&ray, 100.0, &mut stack), a.is_some());
            // Rays that graze an edge may differ in the last digit, and then in what they meet.
            let (Some(a), Some(b)) = (a, b) else { continue };
            if (a.distance - b.distance).abs() > 1e-3 {
                continue;
            }
            hits += 1;
            let at = ray.at(a.distance);
            let outward = |geometry: &Geometry, hit| geometry.outward(hit, at).map(|o| o.0);
            let (Some(a), Some(b)) = (outward(&placed, &a), outward(&flat, &b)) else {
                panic!("a hit without a surface");
            };
            assert!(
                (a - b).length() < 1e-2 || (a + b).length() < 1e-2,
                "{a:?} and {b:?}"
            );
        }
        assert!(hits > 1000, "{hits} hits prove little");
    }
}
