//! Rays, and the shapes they meet.

use crate::math::Vec3;

/// A half-line. The direction has length one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ray {
    pub(crate) origin: Vec3,
    pub(crate) direction: Vec3,
}

impl Ray {
    #[inline]
    pub(crate) fn at(&self, distance: f32) -> Vec3 {
        self.origin + self.direction * distance
    }
}

/// Where a ray meets a primitive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Hit {
    /// From the ray's origin.
    pub(crate) distance: f32,
    /// Weights of a triangle's second and third corner.
    pub(crate) barycentric: (f32, f32),
    /// The primitive's place in its list: that of the instance's mesh, if there is one.
    pub(crate) primitive: u32,
    /// The placed mesh that the primitive belongs to, or [`NO_INSTANCE`].
    pub(crate) instance: u32,
}

/// In [`Hit::instance`]: the primitive stands for itself.
pub(crate) const NO_INSTANCE: u32 = u32::MAX;

/// Where a ray meets some primitive: the distance and a triangle's weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Meeting {
    pub(crate) distance: f32,
    pub(crate) u: f32,
    pub(crate) v: f32,
}

impl Meeting {
    /// As a hit of the primitive at a place of its list.
    #[inline(always)]
    pub(crate) fn at(self, primitive: u32) -> Hit {
        Hit {
            distance: self.distance,
            barycentric: (self.u, self.v),
            primitive,
            instance: NO_INSTANCE,
        }
    }
}

/// An axis-aligned box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) low: Vec3,
    pub(crate) high: Vec3,
}

impl Bounds {
    /// The box around nothing. Finite, so that a ray tested against it makes no NaN.
    pub(crate) const EMPTY: Self = Self {
        low: Vec3::splat(1e30),
        high: Vec3::splat(-1e30),
    };

    #[inline]
    pub(crate) fn join(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
        }
    }

    #[inline]
    pub(crate) fn with_point(self, point: Vec3) -> Self {
        Self {
            low: self.low.min(point),
            high: self.high.max(point),
        }
    }

    /// A box so much larger that rounding in a ray's intersection with it opens no gap.
    pub(crate) fn padded(self) -> Self {
        let size = self.low.abs().max(self.high.abs());
        let margin = size * 1e-6 + Vec3::splat(1e-7);
        Self {
            low: self.low - margin,
            high: self.high + margin,
        }
    }

    #[inline]
    pub(crate) fn centre(&self) -> Vec3 {
        (self.low + self.high) * 0.5
    }

    /// Half of the surface; zero for the empty box.
    #[inline]
    pub(crate) fn half_area(&self) -> f32 {
        let d = self.high - self.low;
        if d.x < 0.0 {
            0.0
        } else {
            d.x * d.y + d.y * d.z + d.z * d.x
        }
    }
}

/// A triangle, a sphere, or the box around a placed mesh, in the 40 bytes that a ray reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Primitive {
    /// A corner, the centre, or the box's low corner.
    a: Vec3,
    /// The edge to the second corner, the radius in all coordinates, or the box's high corner.
    b: Vec3,
    /// The edge to the third corner.
    c: Vec3,
    /// [`TRIANGLE`], [`SPHERE`], or the number of the placed mesh.
    kind: u32,
}

const TRIANGLE: u32 = u32::MAX;
const SPHERE: u32 = u32::MAX - 1;

impl Primitive {
    pub(crate) fn triangle([a, b, c]: [Vec3; 3]) -> Self {
        Self {
            a,
            b: b - a,
            c: c - a,
            kind: TRIANGLE,
        }
    }

    /// The box around a placed mesh, for the hierarchy to sort.
    pub(crate) fn instance(number: u32, bounds: Bounds) -> Self {
        Self {
            a: bounds.low,
            b: bounds.high,
            c: Vec3::ZERO,
            kind: number,
        }
    }

    /// The number of the placed mesh, if this is one.
    #[inline(always)]
    pub(crate) fn as_instance(&self) -> Option<u32> {
        (self.kind < SPHERE).then_some(self.kind)
    }

    pub(crate) fn sphere(centre: Vec3, radius: f32) -> Self {
        Self {
            a: centre,
            b: Vec3::splat(radius),
            c: Vec3::ZERO,
            kind: SPHERE,
        }
    }

    pub(crate) fn bounds(&self) -> Bounds {
        match self.kind {
            TRIANGLE => {
                let corner = Bounds {
                    low: self.a,
                    high: self.a,
                };
                corner
                    .with_point(self.a + self.b)
                    .with_point(self.a + self.c)
            }
            SPHERE => Bounds {
                low: self.a - self.b,
                high: self.a + self.b,
            },
            _ => Bounds {
                low: self.a,
                high: self.b,
            },
        }
    }

    /// The direction that faces outside at a point of the surface.
    #[inline]
    pub(crate) fn outward(&self, point: Vec3) -> Vec3 {
        let outward = if self.kind == SPHERE {
            point - self.a
        } else {
            self.b.cross(self.c)
        };
        outward.normalized_or(Vec3::new(0.0, 1.0, 0.0))
    }

    /// Where `ray` first meets the triangle or sphere beyond its origin and before `limit`. A
    /// sphere wants the direction to have length one.
    #[inline(always)]
    pub(crate) fn intersect(&self, ray: &Ray, limit: f32) -> Option<Meeting> {
        match self.kind {
            TRIANGLE => self.meet(ray, limit),
            SPHERE => self.intersect_sphere(ray, limit),
            _ => None,
        }
    }

    /// After T. Möller and B. Trumbore, *Fast, Minimum Storage Ray/Triangle Intersection*, 1997.
    #[inline(always)]
    fn meet(&self, ray: &Ray, limit: f32) -> Option<Meeting> {
        let p = ray.direction.cross(self.c);
        let determinant = self.b.dot(p);
        if determinant == 0.0 {
            return None;
        }
        let inverse = 1.0 / determinant;
        let s = ray.origin - self.a;
        let u = s.dot(p) * inverse;
        if !(0.0..=1.0).contains(&u) {
            return None;
        }
        let q = s.cross(self.b);
        let v = ray.direction.dot(q) * inverse;
        if v < 0.0 || u + v > 1.0 {
            return None;
        }
        let distance = self.c.dot(q) * inverse;
        (distance > 0.0 && distance < limit).then_some(Meeting { distance, u, v })
    }

    #[inline(never)]
    /// The discriminant is taken from the distance between centre and line, which keeps its
    /// precision when the sphere is small or far away.
    fn intersect_sphere(&self, ray: &Ray, limit: f32) -> Option<Meeting> {
        let to_centre = self.a - ray.origin;
        let along = to_centre.dot(ray.direction);
        let aside = to_centre - ray.direction * along;
        let radius = self.b.x;
        let square = radius * radius - aside.length_squared();
        if square < 0.0 {
            return None;
        }
        let half_chord = square.sqrt();
        let near = along - half_chord;
        // From inside (or on the surface, looking in) it is the far side that counts.
        let distance = if near > 1e-4 * radius {
            near
        } else {
            along + half_chord
        };
        (distance > 1e-4 * radius && distance < limit).then_some(Meeting {
            distance,
            u: 0.0,
            v: 0.0,
        })
    }
}

/// An endless plane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plane {
    pub(crate) point: Vec3,
    /// Of length one.
    pub(crate) normal: Vec3,
    /// Directions in which u and v grow, one unit for one repeat of a texture.
    pub(crate) u_axis: Vec3,
    pub(crate) v_axis: Vec3,
    pub(crate) material: u32,
}

impl Plane {
    #[inline(always)]
    pub(crate) fn intersect(&self, ray: &Ray, limit: f32) -> Option<f32> {
        let towards = self.normal.dot(ray.direction);
        if towards.abs() < 1e-9 {
            return None;
        }
        let distance = (self.point - ray.origin).dot(self.normal) / towards;
        (distance > 1e-4 && distance < limit).then_some(distance)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn ray(origin: [f32; 3], direction: [f32; 3]) -> Ray {
        let [x, y, z] = direction;
        let direction = Vec3::new(x, y, z).normalized().unwrap();
        Ray {
            origin: Vec3::new(origin[0], origin[1], origin[2]),
            direction,
        }
    }

    #[test]
    fn sphere_is_met_in_front_and_left_from_inside() {
        let sphere = Primitive::sphere(Vec3::new(0.0, 0.0, 5.0), 1.0);
        let outside = ray([0.0; 3], [0.0, 0.0, 1.0]);
        assert_eq!(sphere.intersect(&outside, 100.0).unwrap().distance, 4.0);
        let inside = ray([0.0, 0.0, 5.0], [0.0, 0.0, 1.0]);
        assert_eq!(sphere.intersect(&inside, 100.0).unwrap().distance, 1.0);
        assert!(sphere.intersect(&outside, 3.9).is_none());
        assert!(
            sphere
                .intersect(&ray([0.0; 3], [0.0, 0.0, -1.0]), 100.0)
                .is_none()
        );
        assert!(
            sphere
                .intersect(&ray([0.0; 3], [0.0, 1.0, 1.0]), 100.0)
                .is_none()
        );
    }

    #[test]
    fn triangle_is_met_from_both_sides_with_its_weights() {
        let corners = [[0.0, 0.0, 1.0], [4.0, 0.0, 1.0], [0.0, 4.0, 1.0]];
        let triangle = Primitive::triangle(corners.map(|[x, y, z]| Vec3::new(x, y, z)));
        let Meeting { distance, u, v } = triangle
            .intersect(&ray([1.0, 2.0, 0.0], [0.0, 0.0, 1.0]), 9.0)
            .unwrap();
        assert_eq!((distance, u, v), (1.0, 0.25, 0.5));
        assert!(
            triangle
                .intersect(&ray([1.0, 2.0, 2.0], [0.0, 0.0, -1.0]), 9.0)
                .is_some()
        );
        assert!(
            triangle
                .intersect(&ray([3.0, 2.0, 0.0], [0.0, 0.0, 1.0]), 9.0)
                .is_none()
        );
        assert!(
            triangle
                .intersect(&ray([1.0, 2.0, 0.0], [1.0, 0.0, 0.0]), 9.0)
                .is_none()
        );
    }

    #[test]
    fn triangle_without_area_is_never_met() {
        let flat = Primitive::triangle([Vec3::ZERO, Vec3::ONE, Vec3::splat(2.0)]);
        for direction in [[1.0, 1.0, 1.0], [0.3, 0.5, 0.7]] {
            assert!(flat.intersect(&ray([-1.0; 3], direction), 100.0).is_none());
        }
    }
}
