//! What can be wrong with a scene.

use std::fmt;

use crate::obj::ObjError;
use crate::ppm::PpmError;

use super::{
    INCLUDES_MAX, LINE_BYTES_MAX, LINES_MAX, MATERIALS_MAX, NAME_BYTES_MAX, PLANES_MAX,
    TEXTURES_MAX,
};

/// What is wrong with a scene file, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct SceneError {
    /// The file's name within the bundle.
    pub file: String,
    /// The line, counted from 1; the last line for what the whole file lacks.
    pub line: usize,
    /// What is wrong.
    pub fault: SceneFault,
}

/// What may be wrong with a line of a scene file.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "each message says what its variant means; fields are its blanks"
)]
pub enum SceneFault {
    NotText,
    MissingHeader,
    LineTooLong,
    TooManyLines,
    UnknownDirective {
        word: String,
    },
    MissingName {
        what: &'static str,
    },
    UnexpectedWord {
        word: String,
    },
    NameTooLong,
    RepeatedName {
        name: String,
    },
    RepeatedDirective {
        directive: &'static str,
    },
    UnknownKind {
        word: String,
        known: &'static [&'static str],
    },
    UnknownField {
        field: String,
        known: &'static [&'static str],
    },
    RepeatedField {
        field: String,
    },
    MissingField {
        field: &'static str,
    },
    BadNumber {
        field: &'static str,
        text: String,
        low: f32,
        high: f32,
    },
    BadVector {
        field: &'static str,
        text: String,
        low: f32,
        high: f32,
    },
    NoDirection {
        field: &'static str,
    },
    NoView,
    MissingCamera,
    NoSuchMaterial {
        name: String,
    },
    NoSuchTexture {
        name: String,
    },
    BumpNeedsPattern {
        name: String,
    },
    NoSuchFile {
        name: String,
    },
    NestedInclude,
    BadMesh {
        name: String,
        source: ObjError,
    },
    BadImage {
        name: String,
        source: PpmError,
    },
    TooManyTextures,
    TooManyMaterials,
    TooManyPlanes,
    TooManyIncludes,
    TooManyPrimitives {
        limit: usize,
    },
    TooManyTexturePixels {
        limit: usize,
    },
    TooManyLights {
        limit: usize,
    },
    TooFarOut {
        limit: f32,
    },
}

impl fmt::Display for SceneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.fault)
    }
}

impl std::error::Error for SceneError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.fault {
            SceneFault::BadMesh { source, .. } => Some(source),
            SceneFault::BadImage { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl fmt::Display for SceneFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotText => write!(f, "not UTF-8 text: save the scene as plain text"),
            Self::MissingHeader => write!(f, "no scene: start the file with `quern-scene 1`"),
            Self::LineTooLong => write!(f, "line is too long: keep below {LINE_BYTES_MAX} bytes"),
            Self::TooManyLines => write!(f, "too many lines: keep below {LINES_MAX}"),
            Self::UnknownDirective { word } => write!(
                f,
                "unknown directive `{word}`: use render, camera, sky, texture, material, sphere, \
                 plane, mesh or include"
            ),
            Self::MissingName { what } => write!(f, "missing {what}: write it before the fields"),
            Self::UnexpectedWord { word } => {
                write!(
                    f,
                    "unexpected word `{word}`: write fields as name=value, without blanks"
                )
            }
            Self::NameTooLong => write!(f, "name is too long: keep to {NAME_BYTES_MAX} bytes"),
            Self::RepeatedName { name } => write!(f, "`{name}` exists already: rename one"),
            Self::RepeatedDirective { directive } => {
                write!(
                    f,
                    "a second `{directive}`: a scene has one, remove the other"
                )
            }
            Self::UnknownKind { word, known } => {
                write!(f, "unknown kind `{word}`: use one of {}", known.join(", "))
            }
            Self::UnknownField { field, known } => {
                write!(f, "unknown field `{field}`: use {}", known.join(", "))
            }
            Self::RepeatedField { field } => write!(f, "field `{field}` twice: remove one"),
            Self::MissingField { field } => write!(f, "missing field: add `{field}=...`"),
            Self::BadNumber {
                field,
                text,
                low,
                high,
            } => {
                write!(f, "`{field}={text}`: give one number from {low} to {high}")
            }
            Self::BadVector {
                field,
                text,
                low,
                high,
            } => write!(
                f,
                "`{field}={text}`: give three numbers from {low} to {high}, like 1,0.5,2"
            ),
            Self::NoDirection { field } => {
                write!(f, "`{field}` is no direction: give it a length above zero")
            }
            Self::NoView => write!(
                f,
                "the camera sees nothing: set look_at apart from position, and up across the view"
            ),
            Self::MissingCamera => {
                write!(
                    f,
                    "the scene has no camera: add `camera position=x,y,z look_at=x,y,z`"
                )
            }
            Self::NoSuchMaterial { name } => {
                write!(
                    f,
                    "no material `{name}` so far: define it above, `material {name} ...`"
                )
            }
            Self::NoSuchTexture { name } => {
                write!(
                    f,
                    "no texture `{name}` so far: define it above, `texture {name} ...`"
                )
            }
            Self::BumpNeedsPattern { name } => {
                write!(
                    f,
                    "texture `{name}` is an image: bumps need a procedural texture"
                )
            }
            Self::NoSuchFile { name } => {
                write!(
                    f,
                    "no file `{name}` in the bundle: put it beside the scene and pack again"
                )
            }
            Self::NestedInclude => {
                write!(
                    f,
                    "an included file cannot include: name the file in the scene itself"
                )
            }
            Self::BadMesh { name, source } => write!(f, "{name}: {source}"),
            Self::BadImage { name, source } => write!(f, "{name}: {source}"),
            Self::TooManyTextures => write!(f, "too many textures: keep to {TEXTURES_MAX}"),
            Self::TooManyMaterials => write!(f, "too many materials: keep to {MATERIALS_MAX}"),
            Self::TooManyPlanes => write!(f, "too many planes: keep to {PLANES_MAX}"),
            Self::TooManyIncludes => write!(f, "too many includes: keep to {INCLUDES_MAX}"),
            Self::TooManyPrimitives { limit } => {
                write!(
                    f,
                    "more than {limit} triangles and spheres: use fewer or simpler meshes"
                )
            }
            Self::TooManyTexturePixels { limit } => {
                write!(f, "more than {limit} pixels of textures: shrink the images")
            }
            Self::TooManyLights { limit } => write!(
                f,
                "more than {limit} shining spheres and triangles: use fewer or simpler lights"
            ),
            Self::TooFarOut { limit } => {
                write!(
                    f,
                    "a shape lies further than {limit} from the origin: move or shrink it"
                )
            }
        }
    }
}
