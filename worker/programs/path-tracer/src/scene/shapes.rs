//! The spheres and meshes of a scene, and the lamps among them.

use std::rc::Rc;

use crate::bundle::Bundle;
use crate::geometry::{Geometry, Instance, Placement};
use crate::light::{LIGHTS_MAX, Light, Lights};
use crate::material::{Material, MaterialKind};
use crate::math::Vec3;
use crate::obj::{Mesh, MeshTriangle};
use crate::shape::{Bounds, Primitive};

use super::build::file;
use super::error::SceneFault;
use super::looks::Looks;
use super::words::{NUMBER_MAX, SIZE, Statement, excerpt};
use super::{NO_LIGHT, SCENE_PRIMITIVES_MAX, Skin, Solid, UP};

const SPHERE: &[&str] = &["centre", "radius", "material"];
const MESH: &[&str] = &["file", "material", "scale", "rotate", "move", "smooth"];

/// How far out a shape may reach.
const REACH_MAX: f32 = 2.0 * NUMBER_MAX;

/// A mesh with fewer triangles is copied to each of its places: entering it would cost a ray more
/// than testing them.
const SHARED_TRIANGLES_MIN: usize = 8;

/// What has been placed so far.
#[derive(Default)]
pub(super) struct Shapes<'a> {
    lights: Lights,
    primitives: Vec<Primitive>,
    skins: Vec<Skin>,
    meshes: Vec<ReadMesh<'a>>,
    placed: Vec<Placed>,
    /// What [`SCENE_PRIMITIVES_MAX`] bounds.
    count: usize,
}

/// A mesh file's triangles with their normals.
struct ReadMesh<'a> {
    name: &'a str,
    smooth_degrees: Option<f32>,
    triangles: Rc<[MeshTriangle]>,
    uses: usize,
}

struct Placed {
    mesh: usize,
    placement: Placement,
    bounds: Bounds,
    material: u32,
}

impl<'a> Shapes<'a> {
    /// Reads `sphere ...`.
    pub(super) fn sphere(
        &mut self,
        line: &Statement<'_>,
        looks: &Looks<'_>,
    ) -> Result<(), SceneFault> {
        line.only(0, SPHERE)?;
        let centre = line.required_vector("centre")?;
        let radius = line.number("radius", SIZE)?;
        let radius = radius.ok_or(SceneFault::MissingField { field: "radius" })?;
        let (material, look) = looks.of(line)?;
        let light = match is_lamp(&look) {
            true => self.light(Light::Sphere {
                centre,
                radius,
                radiance: look.colour,
            })?,
            false => NO_LIGHT,
        };
        let primitive = Primitive::sphere(centre, radius);
        check_reach(&primitive.bounds())?;
        self.count(1)?;
        self.primitives.push(primitive);
        self.skins.push(Skin {
            material,
            light,
            is_sphere: true,
            ..Skin::default()
        });
        Ok(())
    }

    /// Reads `mesh ...`.
    pub(super) fn mesh(
        &mut self,
        line: &Statement<'a>,
        looks: &Looks<'_>,
        bundle: &Bundle<'a>,
    ) -> Result<(), SceneFault> {
        line.only(0, MESH)?;
        let (material, look) = looks.of(line)?;
        let placement = placement(line)?;
        let smooth_degrees = line.number("smooth", (0.0, 180.0))?;
        let mesh = self.read(line.required_text("file")?, smooth_degrees, bundle)?;
        let Some(read) = self
            .meshes
            .get_mut(mesh)
            .filter(|mesh| !mesh.triangles.is_empty())
        else {
            return Ok(());
        };
        read.uses += 1;
        let triangles = Rc::clone(&read.triangles);
        let corners = triangles.iter().flat_map(|triangle| triangle.positions);
        let around = |bounds: Bounds, corner| bounds.with_point(placement.point(corner));
        let bounds = corners.fold(Bounds::EMPTY, around);
        check_reach(&bounds)?;
        if is_lamp(&look) {
            // Lamps are aimed at one by one, so each of their triangles is a light of its own.
            return triangles.iter().try_for_each(|triangle| {
                let light = self.light(lamp(triangle, &placement, look.colour))?;
                self.count(1)?;
                self.add(triangle, &placement, material, light);
                Ok(())
            });
        }
        self.count(1)?;
        self.placed.push(Placed {
            mesh,
            placement,
            bounds,
            material,
        });
        Ok(())
    }

    /// Adds a light and returns its place.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "there are at most LIGHTS_MAX"
    )]
    pub(super) fn light(&mut self, light: Light) -> Result<u32, SceneFault> {
        if self.lights.list.len() >= LIGHTS_MAX {
            return Err(SceneFault::TooManyLights { limit: LIGHTS_MAX });
        }
        self.lights.list.push(light);
        Ok(self.lights.list.len() as u32 - 1)
    }

    /// All shapes, ready to be met by rays.
    pub(super) fn finish(mut self) -> (Lights, Solid) {
        let mut instances = Vec::new();
        let mut instance_materials = Vec::new();
        // The place of each shared mesh in the list of those.
        let mut shared: Vec<Option<u32>> = vec![None; self.meshes.len()];
        let mut shared_meshes = Vec::new();
        for placed in std::mem::take(&mut self.placed) {
            let Some(mesh) = self.meshes.get(placed.mesh) else {
                continue;
            };
            let triangles = Rc::clone(&mesh.triangles);
            if mesh.uses == 1 || triangles.len() < SHARED_TRIANGLES_MIN {
                for triangle in triangles.iter() {
                    self.add(triangle, &placed.placement, placed.material, NO_LIGHT);
                }
                continue;
            }
            let mesh = *shared[placed.mesh].get_or_insert_with(|| {
                shared_meshes.push(triangles);
                u32::try_from(shared_meshes.len() - 1).unwrap_or(u32::MAX)
            });
            instances.push(Instance {
                placement: placed.placement,
                mesh,
                bounds: placed.bounds,
            });
            instance_materials.push(placed.material);
        }
        let primitives: Vec<Vec<Primitive>> = shared_meshes
            .iter()
            .map(|mesh| {
                mesh.iter()
                    .map(|t| Primitive::triangle(t.positions))
                    .collect()
            })
            .collect();
        let (geometry, order, orders) = Geometry::build(&self.primitives, &primitives, instances);
        // Places of instances among the single primitives have no skin of their own.
        let skin = |old: &u32| self.skins.get(*old as usize).copied().unwrap_or_default();
        let mesh_skins = orders.iter().zip(&shared_meshes).map(|(order, mesh)| {
            order
                .iter()
                .filter_map(|old| mesh.get(*old as usize).map(Skin::of))
                .collect()
        });
        let solid = Solid {
            geometry,
            skins: order.iter().map(skin).collect(),
            mesh_skins: mesh_skins.collect(),
            instance_materials,
        };
        (self.lights, solid)
    }

    /// The place in the list of a mesh file, which is read once however often it is used.
    fn read(
        &mut self,
        name: &'a str,
        smooth_degrees: Option<f32>,
        bundle: &Bundle<'a>,
    ) -> Result<usize, SceneFault> {
        let is_same =
            |mesh: &ReadMesh<'_>| mesh.name == name && mesh.smooth_degrees == smooth_degrees;
        if let Some(known) = self.meshes.iter().position(is_same) {
            return Ok(known);
        }
        let bad = |source| SceneFault::BadMesh {
            name: excerpt(name),
            source,
        };
        let mesh = Mesh::from_obj(file(bundle, name)?).map_err(bad)?;
        self.count(mesh.triangle_count())?;
        let triangles = mesh.triangles(smooth_degrees).into();
        self.meshes.push(ReadMesh {
            name,
            smooth_degrees,
            triangles,
            uses: 0,
        });
        Ok(self.meshes.len() - 1)
    }

    fn count(&mut self, more: usize) -> Result<(), SceneFault> {
        self.count += more;
        if self.count > SCENE_PRIMITIVES_MAX {
            return Err(SceneFault::TooManyPrimitives {
                limit: SCENE_PRIMITIVES_MAX,
            });
        }
        Ok(())
    }

    fn add(&mut self, triangle: &MeshTriangle, placement: &Placement, material: u32, light: u32) {
        let positions = triangle.positions.map(|p| placement.point(p));
        let normals = triangle.normals.map(|n| placement.normal(n));
        self.primitives.push(Primitive::triangle(positions));
        self.skins.push(Skin {
            normals,
            material,
            light,
            ..Skin::of(triangle)
        });
    }
}

fn placement(line: &Statement<'_>) -> Result<Placement, SceneFault> {
    let scale = line.vector_within("scale", SIZE)?.unwrap_or(Vec3::ONE);
    let turns = line.vector("rotate")?.unwrap_or_default() * (1.0 / 360.0);
    Ok(Placement::new(
        scale,
        turns,
        line.vector("move")?.unwrap_or_default(),
    ))
}

fn check_reach(bounds: &Bounds) -> Result<(), SceneFault> {
    let furthest = bounds.low.abs().max(bounds.high.abs()).max_element();
    if (0.0..=REACH_MAX).contains(&furthest) {
        Ok(())
    } else {
        Err(SceneFault::TooFarOut { limit: REACH_MAX })
    }
}

fn lamp(triangle: &MeshTriangle, placement: &Placement, radiance: Vec3) -> Light {
    let [corner, second, third] = triangle.positions.map(|p| placement.point(p));
    let edges = (second - corner, third - corner);
    let across = edges.0.cross(edges.1);
    let (normal, area) = (across.normalized_or(UP), across.length() * 0.5);
    Light::Triangle {
        corner,
        edges,
        normal,
        area,
        radiance,
    }
}

/// Whether a shape of this material can be aimed at.
fn is_lamp(material: &Material) -> bool {
    matches!(material.kind, MaterialKind::Emissive) && material.colour.luminance() > 0.0
}
