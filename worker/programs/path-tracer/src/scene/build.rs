//! From a scene's text to a scene.

use crate::bundle::Bundle;
use crate::camera::{Camera, CameraSettings, Sky};
use crate::light::Light;
use crate::math::{Vec3, sin_cos_turns};
use crate::shape::Plane;

use super::error::{SceneError, SceneFault};
use super::looks::Looks;
use super::shapes::Shapes;
use super::words::{NUMBER_MAX, SIZE, Statement, excerpt};
use super::{
    INCLUDES_MAX, LINE_BYTES_MAX, LINES_MAX, PLANES_MAX, RenderSettings, Scene, UP, cone_angle,
};

const RENDER: &[&str] = &["exposure", "bounces", "clamp", "filter", "filter_strength"];
const CAMERA: &[&str] = &["position", "look_at", "up", "fov", "aperture", "focus"];
const SKY: &[&str] = &[
    "zenith",
    "horizon",
    "ground",
    "glow",
    "sun_direction",
    "sun_irradiance",
    "sun_size",
];
const PLANE: &[&str] = &["point", "normal", "material", "repeat"];
const INCLUDE: &[&str] = &["file"];

const DEFAULT_RENDER: RenderSettings = RenderSettings {
    exposure: 1.0,
    bounces: 6,
    clamp: 10.0,
    filter_radius: 0,
    filter_strength: 1.0,
};

const DEFAULT_SKY: Sky = Sky {
    zenith: Vec3::new(0.25, 0.4, 0.8),
    horizon: Vec3::new(0.8, 0.85, 0.9),
    ground: Vec3::new(0.2, 0.18, 0.16),
    glow: Vec3::ZERO,
    sun_direction: UP,
};

/// Reads the scene of a bundle.
pub(super) fn load(bundle: &Bundle<'_>) -> Result<Scene, SceneError> {
    let mut builder = Builder::new(bundle);
    let (name, content) = bundle.scene();
    let lines = builder.read(name, content, true)?;
    let at_end = |fault| SceneError {
        file: name.to_owned(),
        line: lines,
        fault,
    };
    builder.finish().map_err(at_end)
}

/// What of the scene has been read so far.
struct Builder<'a> {
    bundle: &'a Bundle<'a>,
    render: Option<RenderSettings>,
    camera: Option<Camera>,
    sky: Option<Sky>,
    sun: Option<(usize, f32)>,
    looks: Looks<'a>,
    shapes: Shapes<'a>,
    planes: Vec<Plane>,
    includes: usize,
}

impl<'a> Builder<'a> {
    fn new(bundle: &'a Bundle<'a>) -> Self {
        Self {
            bundle,
            render: None,
            camera: None,
            sky: None,
            sun: None,
            looks: Looks::default(),
            shapes: Shapes::default(),
            planes: Vec::new(),
            includes: 0,
        }
    }

    /// Reads one file of scene text and returns the number of its last line.
    fn read(&mut self, name: &str, content: &'a [u8], is_main: bool) -> Result<usize, SceneError> {
        let error = |line, fault| SceneError {
            file: name.to_owned(),
            line,
            fault,
        };
        let (mut last, mut has_header) = (1, !is_main);
        for (line, bytes) in (1..).zip(content.split(|&b| b == b'\n')) {
            last = line;
            let at_line = |fault| error(line, fault);
            let Some(statement) = statement(line, bytes).map_err(at_line)? else {
                continue;
            };
            if !has_header {
                header(&statement).map_err(at_line)?;
                has_header = true;
            } else if statement.directive == "include" {
                let (name, content) = self.include(&statement, is_main).map_err(at_line)?;
                self.read(name, content, false)?;
            } else {
                self.directive(&statement).map_err(at_line)?;
            }
        }
        if has_header {
            Ok(last)
        } else {
            Err(error(last, SceneFault::MissingHeader))
        }
    }

    fn include(
        &mut self,
        line: &Statement<'a>,
        is_main: bool,
    ) -> Result<(&'a str, &'a [u8]), SceneFault> {
        line.only(0, INCLUDE)?;
        if !is_main {
            return Err(SceneFault::NestedInclude);
        }
        self.includes += 1;
        if self.includes > INCLUDES_MAX {
            return Err(SceneFault::TooManyIncludes);
        }
        let name = line.required_text("file")?;
        Ok((name, file(self.bundle, name)?))
    }

    fn directive(&mut self, line: &Statement<'a>) -> Result<(), SceneFault> {
        match line.directive {
            "render" => set_once(&mut self.render, "render", render(line)?),
            "camera" => set_once(&mut self.camera, "camera", camera(line)?),
            "sky" => self.sky(line),
            "texture" => self.looks.texture(line, self.bundle),
            "material" => self.looks.material(line),
            "sphere" => self.shapes.sphere(line, &self.looks),
            "mesh" => self.shapes.mesh(line, &self.looks, self.bundle),
            "plane" => self.plane(line),
            word => Err(SceneFault::UnknownDirective {
                word: excerpt(word),
            }),
        }
    }

    fn finish(self) -> Result<Scene, SceneFault> {
        let camera = self.camera.ok_or(SceneFault::MissingCamera)?;
        let (lights, solid) = self.shapes.finish();
        Ok(Scene {
            render: self.render.unwrap_or(DEFAULT_RENDER),
            camera,
            sky: self.sky.unwrap_or(DEFAULT_SKY),
            lights,
            sun: self.sun,
            materials: self.looks.materials,
            textures: self.looks.textures,
            planes: self.planes,
            solid,
        })
    }

    fn sky(&mut self, line: &Statement<'a>) -> Result<(), SceneFault> {
        line.only(0, SKY)?;
        let sky = Sky {
            zenith: line.light("zenith")?.unwrap_or(DEFAULT_SKY.zenith),
            horizon: line.light("horizon")?.unwrap_or(DEFAULT_SKY.horizon),
            ground: line.light("ground")?.unwrap_or(DEFAULT_SKY.ground),
            glow: line.light("glow")?.unwrap_or(DEFAULT_SKY.glow),
            sun_direction: line.direction("sun_direction")?.unwrap_or(UP),
        };
        set_once(&mut self.sky, "sky", sky)?;
        let size_degrees = line.number("sun_size", (0.1, 90.0))?.unwrap_or(0.53);
        if let Some(irradiance) = line
            .light("sun_irradiance")?
            .filter(|i| i.luminance() > 0.0)
        {
            let cos_max = sin_cos_turns(size_degrees / 720.0).1;
            let radiance = irradiance / cone_angle(cos_max);
            let sun = Light::Sun {
                direction: sky.sun_direction,
                cos_max,
                radiance,
            };
            self.sun = Some((self.shapes.light(sun)? as usize, cos_max));
        }
        Ok(())
    }

    fn plane(&mut self, line: &Statement<'a>) -> Result<(), SceneFault> {
        line.only(0, PLANE)?;
        if self.planes.len() >= PLANES_MAX {
            return Err(SceneFault::TooManyPlanes);
        }
        let point = line.required_vector("point")?;
        let normal = line.direction("normal")?.unwrap_or(UP);
        let (material, _) = self.looks.of(line)?;
        let repeat = line.number("repeat", SIZE)?.unwrap_or(1.0);
        // On a floor, u runs along x and v along -z, so that images lie the right way up.
        let across = Vec3::new(0.0, 0.0, -1.0).cross(normal);
        let u_axis = across.normalized_or(Vec3::new(1.0, 0.0, 0.0));
        let v_axis = normal.cross(u_axis);
        let (u_axis, v_axis) = (u_axis * repeat, v_axis * repeat);
        self.planes.push(Plane {
            point,
            normal,
            u_axis,
            v_axis,
            material,
        });
        Ok(())
    }
}

/// The content of a file of the bundle.
pub(super) fn file<'a>(bundle: &Bundle<'a>, name: &str) -> Result<&'a [u8], SceneFault> {
    bundle.file(name).ok_or_else(|| SceneFault::NoSuchFile {
        name: excerpt(name),
    })
}

fn statement(line: usize, bytes: &[u8]) -> Result<Option<Statement<'_>>, SceneFault> {
    if line > LINES_MAX {
        return Err(SceneFault::TooManyLines);
    }
    if bytes.len() > LINE_BYTES_MAX {
        return Err(SceneFault::LineTooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| SceneFault::NotText)?;
    Ok(Statement::parse(text))
}

fn header(line: &Statement<'_>) -> Result<(), SceneFault> {
    let version = line.word(0, "version").ok();
    if line.directive != "quern-scene" || version != Some("1") {
        return Err(SceneFault::MissingHeader);
    }
    line.only(1, &[])
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the numbers are within small ranges above zero"
)]
fn render(line: &Statement<'_>) -> Result<RenderSettings, SceneFault> {
    line.only(0, RENDER)?;
    let d = DEFAULT_RENDER;
    Ok(RenderSettings {
        exposure: line
            .number("exposure", (0.0, 1000.0))?
            .unwrap_or(d.exposure),
        bounces: line
            .number("bounces", (0.0, 64.0))?
            .map_or(d.bounces, |n| n as u32),
        clamp: line.number("clamp", (0.0, NUMBER_MAX))?.unwrap_or(d.clamp),
        filter_radius: line
            .number("filter", (0.0, 8.0))?
            .map_or(d.filter_radius, |n| n as u32),
        filter_strength: line
            .number("filter_strength", (0.0, 10.0))?
            .unwrap_or(d.filter_strength),
    })
}

fn camera(line: &Statement<'_>) -> Result<Camera, SceneFault> {
    line.only(0, CAMERA)?;
    let settings = CameraSettings {
        position: line.required_vector("position")?,
        look_at: line.required_vector("look_at")?,
        up: line.direction("up")?.unwrap_or(UP),
        fov_degrees: line.number("fov", (1.0, 150.0))?.unwrap_or(40.0),
        aperture: line.number("aperture", (0.0, 1000.0))?.unwrap_or(0.0),
        focus_distance: line.number("focus", SIZE)?,
    };
    Camera::new(settings).ok_or(SceneFault::NoView)
}

fn set_once<T>(slot: &mut Option<T>, directive: &'static str, value: T) -> Result<(), SceneFault> {
    match slot.replace(value) {
        Some(_) => Err(SceneFault::RepeatedDirective { directive }),
        None => Ok(()),
    }
}
