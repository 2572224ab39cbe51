//! The textures and materials of a scene, by name.

use crate::bundle::Bundle;
use crate::material::{Bump, Material, MaterialKind};
use crate::math::{Vec3, max};
use crate::ppm::RgbImage;
use crate::texture::{Image, Pattern, Solid, Texture};

use super::build::file;
use super::error::SceneFault;
use super::words::{SIZE, Statement, excerpt};
use super::{MATERIALS_MAX, NAME_BYTES_MAX, SCENE_TEXTURE_PIXELS_MAX, TEXTURES_MAX};

const TEXTURE_KINDS: &[&str] = &["image", "checker", "marble", "noise", "granite", "wood"];
const IMAGE: &[&str] = &["file", "repeat"];
const SOLID: &[&str] = &["low", "high", "scale"];
const MARBLE: &[&str] = &["low", "high", "scale", "turbulence"];
const WOOD: &[&str] = &["low", "high", "scale", "along", "plank"];
const MATERIAL_KINDS: &[&str] = &["diffuse", "metal", "glass", "emissive", "coated"];
const DIFFUSE: &[&str] = &["colour", "texture", "bump", "bump_depth"];
const METAL: &[&str] = &["colour", "texture", "bump", "bump_depth", "roughness"];
const GLASS: &[&str] = &["ior", "absorption"];
const EMISSIVE: &[&str] = &["radiance"];
const COATED: &[&str] = &[
    "colour",
    "texture",
    "bump",
    "bump_depth",
    "roughness",
    "ior",
];

/// What has been defined so far.
#[derive(Default)]
pub(super) struct Looks<'a> {
    texture_names: Vec<&'a str>,
    pub(super) textures: Vec<Texture>,
    texture_pixels: usize,
    material_names: Vec<&'a str>,
    pub(super) materials: Vec<Material>,
}

impl<'a> Looks<'a> {
    /// Reads `texture NAME KIND ...`.
    pub(super) fn texture(
        &mut self,
        line: &Statement<'a>,
        bundle: &Bundle<'a>,
    ) -> Result<(), SceneFault> {
        let name = line.word(0, "name of the texture")?;
        let kind = line.word(1, "kind of the texture")?;
        define(&mut self.texture_names, name)?;
        if self.textures.len() >= TEXTURES_MAX {
            return Err(SceneFault::TooManyTextures);
        }
        let texture = if kind == "image" {
            Texture::Image(self.image(line, bundle)?)
        } else {
            Texture::Solid(solid(line, kind)?)
        };
        self.textures.push(texture);
        Ok(())
    }

    /// Reads `material NAME KIND ...`.
    pub(super) fn material(&mut self, line: &Statement<'a>) -> Result<(), SceneFault> {
        let name = line.word(0, "name of the material")?;
        let (kind, fields) = material_kind(line, line.word(1, "kind of the material")?)?;
        line.only(2, fields)?;
        define(&mut self.material_names, name)?;
        if self.materials.len() >= MATERIALS_MAX {
            return Err(SceneFault::TooManyMaterials);
        }
        let colour = match kind {
            MaterialKind::Emissive => line
                .light("radiance")?
                .ok_or(SceneFault::MissingField { field: "radiance" })?,
            _ => line.colour("colour")?.unwrap_or(Vec3::ONE),
        };
        let texture = line
            .text("texture")
            .map(|name| self.texture_index(name))
            .transpose()?;
        let bump = self.bump(line)?;
        self.materials.push(Material {
            kind,
            colour,
            texture,
            bump,
        });
        Ok(())
    }

    /// The material that a shape's line names.
    pub(super) fn of(&self, line: &Statement<'_>) -> Result<(u32, Material), SceneFault> {
        let name = line.required_text("material")?;
        let index = index_of(&self.material_names, name);
        let found = index.and_then(|i| self.materials.get(i as usize).map(|m| (i, *m)));
        found.ok_or_else(|| SceneFault::NoSuchMaterial {
            name: excerpt(name),
        })
    }

    fn image(&mut self, line: &Statement<'_>, bundle: &Bundle<'_>) -> Result<Image, SceneFault> {
        line.only(2, IMAGE)?;
        let name = line.required_text("file")?;
        let bad = |source| SceneFault::BadImage {
            name: excerpt(name),
            source,
        };
        let image = RgbImage::from_ppm(file(bundle, name)?).map_err(bad)?;
        self.texture_pixels += image.width * image.height;
        if self.texture_pixels > SCENE_TEXTURE_PIXELS_MAX {
            return Err(SceneFault::TooManyTexturePixels {
                limit: SCENE_TEXTURE_PIXELS_MAX,
            });
        }
        let repeat = line.vector_within("repeat", SIZE)?.unwrap_or(Vec3::ONE);
        Ok(Image::new(image, (repeat.x, repeat.y)))
    }

    fn bump(&self, line: &Statement<'_>) -> Result<Option<Bump>, SceneFault> {
        let Some(name) = line.text("bump") else {
            return Ok(None);
        };
        let texture = self.texture_index(name)?;
        if let Some(Texture::Image(_)) = self.textures.get(texture as usize) {
            return Err(SceneFault::BumpNeedsPattern {
                name: excerpt(name),
            });
        }
        let depth = line.number("bump_depth", (0.0, 100.0))?;
        let depth = depth.ok_or(SceneFault::MissingField {
            field: "bump_depth",
        })?;
        Ok(Some(Bump { texture, depth }))
    }

    fn texture_index(&self, name: &str) -> Result<u32, SceneFault> {
        index_of(&self.texture_names, name).ok_or_else(|| SceneFault::NoSuchTexture {
            name: excerpt(name),
        })
    }
}

fn solid(line: &Statement<'_>, kind: &str) -> Result<Solid, SceneFault> {
    let (pattern, fields) = match kind {
        "checker" => (Pattern::Checker, SOLID),
        "marble" => {
            let turbulence = line.number("turbulence", (0.0, 100.0))?.unwrap_or(4.0);
            (Pattern::Marble { turbulence }, MARBLE)
        }
        "noise" => (Pattern::Noise, SOLID),
        "granite" => (Pattern::Granite, SOLID),
        "wood" => {
            let along = line.direction("along")?.unwrap_or(Vec3::new(1.0, 0.0, 0.0));
            let plank = line.number("plank", (0.0, 1000.0))?.unwrap_or(0.0);
            (
                Pattern::Wood {
                    axis: main_axis(along),
                    plank,
                },
                WOOD,
            )
        }
        word => {
            let known = TEXTURE_KINDS;
            return Err(SceneFault::UnknownKind {
                word: excerpt(word),
                known,
            });
        }
    };
    line.only(2, fields)?;
    let low = line.colour("low")?.unwrap_or(Vec3::splat(0.1));
    let high = line.colour("high")?.unwrap_or(Vec3::splat(0.9));
    let frequency = 1.0 / line.number("scale", SIZE)?.unwrap_or(1.0);
    Ok(Solid {
        pattern,
        low,
        high,
        frequency,
    })
}

fn material_kind(
    line: &Statement<'_>,
    kind: &str,
) -> Result<(MaterialKind, &'static [&'static str]), SceneFault> {
    let roughness = line.number("roughness", (0.0, 1.0))?.unwrap_or(0.0);
    let alpha = roughness * roughness;
    let ior = line.number("ior", (1.01, 4.0))?.unwrap_or(1.5);
    Ok(match kind {
        "diffuse" => (MaterialKind::Diffuse, DIFFUSE),
        "metal" => (MaterialKind::Metal { alpha }, METAL),
        "glass" => {
            let absorption = line.light("absorption")?.unwrap_or_default();
            (MaterialKind::Glass { ior, absorption }, GLASS)
        }
        "emissive" => (MaterialKind::Emissive, EMISSIVE),
        "coated" => {
            let root = (ior - 1.0) / (ior + 1.0);
            (
                MaterialKind::Coated {
                    alpha,
                    f0: root * root,
                },
                COATED,
            )
        }
        word => {
            let known = MATERIAL_KINDS;
            return Err(SceneFault::UnknownKind {
                word: excerpt(word),
                known,
            });
        }
    })
}

fn main_axis(direction: Vec3) -> usize {
    let Vec3 { x, y, z } = direction.abs();
    if x >= max(y, z) {
        0
    } else if y >= z {
        1
    } else {
        2
    }
}

fn define<'a>(names: &mut Vec<&'a str>, name: &'a str) -> Result<(), SceneFault> {
    if name.len() > NAME_BYTES_MAX {
        return Err(SceneFault::NameTooLong);
    }
    if names.contains(&name) {
        return Err(SceneFault::RepeatedName {
            name: name.to_owned(),
        });
    }
    names.push(name);
    Ok(())
}

fn index_of(names: &[&str], name: &str) -> Option<u32> {
    (0..)
        .zip(names)
        .find(|(_, known)| **known == name)
        .map(|(index, _)| index)
}
