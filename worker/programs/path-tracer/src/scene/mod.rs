//! A scene, ready to be rendered: read from text, and asked what a ray meets.

mod build;
mod error;
mod looks;
mod shapes;
mod words;

use crate::bundle::Bundle;
use crate::bvh::Stack;
use crate::camera::{Camera, Sky};
use crate::geometry::Geometry;
use crate::light::Lights;
use crate::material::{Bump, Material};
use crate::math::{PI, Vec3, atan2_turns, max};
use crate::obj::MeshTriangle;
use crate::shape::{Hit, Meeting, Plane, Ray};
use crate::texture::Texture;

pub use error::{SceneError, SceneFault};

/// The most lines of a scene file.
pub const LINES_MAX: usize = 20_000;
/// The most bytes of a line.
pub const LINE_BYTES_MAX: usize = 1_000;
/// The most bytes of a texture's or material's name.
pub const NAME_BYTES_MAX: usize = 64;
/// The most textures.
pub const TEXTURES_MAX: usize = 64;
/// The most pixels of all textures together.
pub const SCENE_TEXTURE_PIXELS_MAX: usize = 1 << 24;
/// The most materials.
pub const MATERIALS_MAX: usize = 256;
/// The most planes.
pub const PLANES_MAX: usize = 16;
/// The most included files.
pub const INCLUDES_MAX: usize = 16;
/// The most triangles, spheres and placed meshes; the triangles of a mesh count once, however
/// often it is placed.
pub const SCENE_PRIMITIVES_MAX: usize = 1 << 20;

const UP: Vec3 = Vec3::new(0.0, 1.0, 0.0);

/// In [`Hit::primitive`], marks the index of a plane.
const PLANE: u32 = 1 << 31;
/// In place of the index of a light.
pub(crate) const NO_LIGHT: u32 = u32::MAX;

/// A scene, ready to be rendered.
#[derive(Clone, Debug)]
pub struct Scene {
    pub(crate) render: RenderSettings,
    pub(crate) camera: Camera,
    pub(crate) sky: Sky,
    pub(crate) lights: Lights,
    /// The sun's place among the lights and the cosine of its angular radius.
    pub(crate) sun: Option<(usize, f32)>,
    pub(crate) materials: Vec<Material>,
    textures: Vec<Texture>,
    planes: Vec<Plane>,
    solid: Solid,
}

/// The spheres and triangles of a scene.
#[derive(Clone, Debug)]
struct Solid {
    geometry: Geometry,
    /// For each single primitive and instance, in the hierarchy's order.
    skins: Vec<Skin>,
    /// For each shared mesh and each of its triangles, in its hierarchy's order.
    mesh_skins: Vec<Vec<Skin>>,
    /// For each instance.
    instance_materials: Vec<u32>,
}

/// How a scene wants to be rendered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RenderSettings {
    /// Multiplies all light before tone mapping.
    pub(crate) exposure: f32,
    /// How often a path may scatter.
    pub(crate) bounces: u32,
    /// The most that one indirect sample may add to a channel.
    pub(crate) clamp: f32,
    /// How far the noise filter looks, in pixels; 0 leaves the noise.
    pub(crate) filter_radius: u32,
    /// How boldly the noise filter averages.
    pub(crate) filter_strength: f32,
}

/// What shading needs of a primitive and intersection does not.
#[derive(Clone, Copy, Debug, Default)]
struct Skin {
    normals: [Vec3; 3],
    uvs: [(f32, f32); 3],
    material: u32,
    light: u32,
    is_sphere: bool,
}

/// A surface at a point, whichever side it is seen from.
struct Look {
    /// The direction the geometry faces.
    outward: Vec3,
    /// The direction of the smoothed surface.
    smooth: Vec3,
    uv: (f32, f32),
    material: u32,
    light: u32,
}

/// A point on a surface, seen along a ray.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surface {
    pub(crate) point: Vec3,
    /// The direction the geometry faces, on the ray's side.
    pub(crate) geometric: Vec3,
    /// The direction the material faces, on the ray's side.
    pub(crate) normal: Vec3,
    pub(crate) uv: (f32, f32),
    pub(crate) material: u32,
    pub(crate) light: u32,
    /// Whether the ray comes from outside.
    pub(crate) is_outside: bool,
}

impl Scene {
    /// Reads the scene of a bundle.
    ///
    /// # Errors
    /// The first line that cannot be used, as [`SceneError`].
    pub fn load(bundle: &Bundle<'_>) -> Result<Self, SceneError> {
        build::load(bundle)
    }

    /// What the ray meets first.
    #[inline]
    pub(crate) fn nearest(&self, ray: &Ray, stack: &mut Stack) -> Option<Hit> {
        let (mut limit, mut plane) = (1e9, None);
        for (index, candidate) in (0_u32..).zip(&self.planes) {
            if let Some(distance) = candidate.intersect(ray, limit) {
                limit = distance;
                let meeting = Meeting {
                    distance,
                    u: 0.0,
                    v: 0.0,
                };
                plane = Some(meeting.at(PLANE | index));
            }
        }
        self.solid.geometry.nearest(ray, limit, stack).or(plane)
    }

    /// Whether something stands between the ray's origin and `limit`.
    #[inline]
    pub(crate) fn is_blocked(&self, ray: &Ray, limit: f32, stack: &mut Stack) -> bool {
        self.planes
            .iter()
            .any(|plane| plane.intersect(ray, limit).is_some())
            || self.solid.geometry.is_blocked(ray, limit, stack)
    }

    /// The surface at a hit of this scene.
    pub(crate) fn surface(&self, ray: &Ray, hit: &Hit) -> Option<Surface> {
        let point = ray.at(hit.distance);
        let look = if hit.primitive & PLANE != 0 {
            let plane = self.planes.get((hit.primitive & !PLANE) as usize)?;
            let from = point - plane.point;
            let uv = (from.dot(plane.u_axis), from.dot(plane.v_axis));
            let (outward, material) = (plane.normal, plane.material);
            Look {
                outward,
                smooth: outward,
                uv,
                material,
                light: NO_LIGHT,
            }
        } else {
            self.solid.look(hit, point)?
        };
        let Look {
            outward,
            smooth,
            uv,
            material,
            light,
        } = look;
        let is_outside = outward.dot(ray.direction) < 0.0;
        let (geometric, mut normal) = if is_outside {
            (outward, smooth)
        } else {
            (-outward, -smooth)
        };
        // A smoothed normal that faces away from the ray would let no light through at all.
        if normal.dot(ray.direction) > -1e-3 {
            normal = geometric;
        }
        Some(Surface {
            point,
            geometric,
            normal,
            uv,
            material,
            light,
            is_outside,
        })
    }

    /// The material's colour at a point.
    pub(crate) fn colour(&self, material: &Material, surface: &Surface) -> Vec3 {
        match material
            .texture
            .and_then(|index| self.textures.get(index as usize))
        {
            Some(texture) => material.colour * texture.colour(surface.point, surface.uv),
            None => material.colour,
        }
    }

    /// The normal, bent by the slope of the bump texture's height.
    pub(crate) fn bumped_normal(&self, bump: &Bump, surface: &Surface, view: Vec3) -> Vec3 {
        let Some(texture) = self.textures.get(bump.texture as usize) else {
            return surface.normal;
        };
        let (tangent, bitangent) = crate::light::basis(surface.normal);
        let step = texture.height_step();
        let here = texture.height(surface.point);
        let slope = |direction: Vec3| {
            (texture.height(surface.point + direction * step) - here) * (bump.depth / step)
        };
        let bent = surface.normal - tangent * slope(tangent) - bitangent * slope(bitangent);
        let bent = bent.normalized_or(surface.normal);
        // Slopes that face away from the ray are turned until it just grazes them.
        let facing = bent.dot(view);
        if facing < 0.02 {
            (bent + view * (0.02 - facing)).normalized_or(surface.normal)
        } else {
            bent
        }
    }
}

impl Solid {
    /// What the surface is like at a hit.
    fn look(&self, hit: &Hit, point: Vec3) -> Option<Look> {
        let (outward, instance) = self.geometry.outward(hit, point)?;
        let Some(instance) = instance else {
            let skin = self.skins.get(hit.primitive as usize)?;
            let (smooth, uv) = skin.interpolate(outward, hit.barycentric);
            let (material, light) = (skin.material, skin.light);
            return Some(Look {
                outward,
                smooth,
                uv,
                material,
                light,
            });
        };
        let skin = self
            .mesh_skins
            .get(instance.mesh as usize)?
            .get(hit.primitive as usize)?;
        let (smooth, uv) = skin.interpolate(outward, hit.barycentric);
        let smooth = instance.placement.normal(smooth);
        let material = *self.instance_materials.get(hit.instance as usize)?;
        Some(Look {
            outward,
            smooth,
            uv,
            material,
            light: NO_LIGHT,
        })
    }
}

impl Skin {
    /// A triangle's, without material and light.
    fn of(triangle: &MeshTriangle) -> Self {
        let (normals, uvs) = (triangle.normals, triangle.uvs);
        Self {
            normals,
            uvs,
            light: NO_LIGHT,
            ..Self::default()
        }
    }

    /// The smoothed outward direction and the texture coordinates.
    fn interpolate(&self, outward: Vec3, (u, v): (f32, f32)) -> (Vec3, (f32, f32)) {
        if self.is_sphere {
            let longitude = 0.5 + atan2_turns(outward.x, outward.z);
            let aside = max(1.0 - outward.y * outward.y, 0.0).sqrt();
            let latitude = 1.0 - 2.0 * atan2_turns(aside, outward.y);
            return (outward, (longitude, latitude));
        }
        let w = 1.0 - u - v;
        let [a, b, c] = self.normals;
        let smooth = a * w + b * u + c * v;
        let [a, b, c] = self.uvs;
        let uv = (a.0 * w + b.0 * u + c.0 * v, a.1 * w + b.1 * u + c.1 * v);
        (smooth.normalized_or(outward), uv)
    }
}

/// A file that a scene's text refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reference<'a> {
    pub(crate) name: &'a str,
    /// Whether the file is scene text itself.
    pub(crate) is_scene_text: bool,
}

/// The files named by a scene's text. Nothing else about the text is checked.
pub(crate) fn file_references(text: &str) -> impl Iterator<Item = Reference<'_>> {
    text.lines().filter_map(|line| {
        let statement = words::Statement::parse(line)?;
        let name = statement.text("file")?;
        Some(Reference {
            name,
            is_scene_text: statement.directive == "include",
        })
    })
}

/// The solid angle of a cone with this cosine of its half angle.
pub(crate) fn cone_angle(cos_max: f32) -> f32 {
    2.0 * PI * (1.0 - cos_max)
}

#[cfg(test)]
mod tests;
