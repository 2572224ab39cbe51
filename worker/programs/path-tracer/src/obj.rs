//! Triangle meshes from Wavefront OBJ files.
//!
//! Read are `v`, `vn`, `vt` and `f`, with polygons of up to [`FACE_CORNERS_MAX`] corners (cut
//! into a fan, so they should be convex) and negative (relative) indices. Names, groups, smoothing
//! and material statements, lines and points are skipped.

use std::fmt;

use crate::math::{Vec3, sin_cos_turns};

/// The most positions, normals or texture coordinates of one mesh.
pub const MESH_VERTICES_MAX: usize = 1 << 20;
/// The most triangles of one mesh.
pub const MESH_TRIANGLES_MAX: usize = 1 << 20;
/// The most corners of one face.
pub const FACE_CORNERS_MAX: usize = 64;
/// The largest coordinate, without its sign.
pub const COORDINATE_MAX: f32 = 1e6;

const NONE: u32 = u32::MAX;

/// One corner of a triangle: indices into the mesh's lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Corner {
    position: u32,
    uv: u32,
    normal: u32,
}

/// A triangle with everything that shading needs, in the mesh's own space.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeshTriangle {
    /// The corners, counter-clockwise seen from outside.
    pub positions: [Vec3; 3],
    /// The surface's direction at each corner, of length one.
    pub normals: [Vec3; 3],
    /// The texture coordinates of each corner; zero when the file has none.
    pub uvs: [(f32, f32); 3],
}

/// A mesh as it was read. All indices are within its lists.
#[derive(Clone, Debug, Default)]
pub struct Mesh {
    positions: Vec<Vec3>,
    normals: Vec<Vec3>,
    uvs: Vec<(f32, f32)>,
    triangles: Vec<[Corner; 3]>,
}

/// What is wrong with an OBJ file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: ObjFault,
}

/// What may be wrong with a line of an OBJ file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ObjFault {
    /// The line is not UTF-8.
    NotText,
    /// The statement is none of OBJ's polygonal ones.
    UnknownStatement {
        /// Its first word.
        word: String,
    },
    /// A `v`, `vn` or `vt` has fewer numbers than it needs.
    TooFewNumbers {
        /// How many it needs.
        needed: usize,
    },
    /// Something that should be a number of sane size is not.
    BadNumber {
        /// What stands there.
        text: String,
    },
    /// A face's corner is not `v`, `v/vt`, `v//vn` or `v/vt/vn`.
    BadCorner {
        /// What stands there.
        text: String,
    },
    /// A face refers to something that is not defined above it.
    NoSuchIndex {
        /// The index as written.
        index: i64,
        /// How many there are so far.
        defined: usize,
    },
    /// A face has fewer than three corners or more than [`FACE_CORNERS_MAX`].
    BadCornerCount {
        /// How many it has.
        corners: usize,
    },
    /// More vertices or triangles than a mesh may have.
    TooLarge {
        /// The limit that is passed.
        limit: usize,
    },
}

impl fmt::Display for ObjError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match &self.fault {
            ObjFault::NotText => write!(f, "not UTF-8 text: export the mesh again as OBJ"),
            ObjFault::UnknownStatement { word } => {
                write!(
                    f,
                    "unknown statement `{word}`: remove the line or export polygons only"
                )
            }
            ObjFault::TooFewNumbers { needed } => {
                write!(f, "too few numbers: give at least {needed}")
            }
            ObjFault::BadNumber { text } => {
                write!(
                    f,
                    "`{text}` is no number from -{COORDINATE_MAX} to {COORDINATE_MAX}"
                )
            }
            ObjFault::BadCorner { text } => {
                write!(f, "bad corner `{text}`: write v, v/vt, v//vn or v/vt/vn")
            }
            ObjFault::NoSuchIndex { index, defined } => {
                write!(
                    f,
                    "index {index} but only {defined} defined so far: count from 1"
                )
            }
            ObjFault::BadCornerCount { corners } => {
                write!(
                    f,
                    "a face of {corners} corners: give it 3 to {FACE_CORNERS_MAX}"
                )
            }
            ObjFault::TooLarge { limit } => {
                write!(
                    f,
                    "more than {limit} vertices or triangles: simplify or split the mesh"
                )
            }
        }
    }
}

impl std::error::Error for ObjError {}

impl Mesh {
    /// Reads an OBJ file.
    ///
    /// # Errors
    /// The first line that cannot be used, as [`ObjError`].
    pub fn from_obj(bytes: &[u8]) -> Result<Self, ObjError> {
        let mut mesh = Self::default();
        for (line, text) in (1..).zip(bytes.split(|&b| b == b'\n')) {
            let at_line = |fault| ObjError { line, fault };
            let text = std::str::from_utf8(text).map_err(|_| at_line(ObjFault::NotText))?;
            mesh.statement(text).map_err(at_line)?;
        }
        Ok(mesh)
    }

    /// How many triangles the mesh has.
    #[must_use]
    pub fn triangle_count(&self) -> usize {
        self.triangles.len()
    }

    /// The triangles, in the file's order.
    ///
    /// Corners without a normal take the triangle's own; with `smooth_degrees`, the mean over
    /// those triangles around the vertex whose directions differ by less than this angle.
    #[must_use]
    pub fn triangles(&self, smooth_degrees: Option<f32>) -> Vec<MeshTriangle> {
        let own: Vec<Vec3> = self.triangles.iter().map(|t| self.area_vector(t)).collect();
        let around = smooth_degrees.map(|degrees| {
            (
                sin_cos_turns(degrees / 360.0).1,
                Neighbours::of(&self.triangles, self.positions.len()),
            )
        });
        let mut out = Vec::with_capacity(self.triangles.len());
        for (corners, &area) in self.triangles.iter().zip(&own) {
            let flat = area.normalized_or(Vec3::new(0.0, 1.0, 0.0));
            let normal = |corner: &Corner| {
                let given = self.normals.get(corner.normal as usize);
                given
                    .and_then(|n| n.normalized())
                    .unwrap_or_else(|| match &around {
                        Some((cos_max, neighbours)) => {
                            neighbours.mean(corner.position, flat, &own, *cos_max)
                        }
                        None => flat,
                    })
            };
            let position = |corner: &Corner| self.position(corner);
            let uv = |c: &Corner| self.uvs.get(c.uv as usize).copied().unwrap_or((0.0, 0.0));
            out.push(MeshTriangle {
                positions: corners.each_ref().map(position),
                normals: corners.each_ref().map(normal),
                uvs: corners.each_ref().map(uv),
            });
        }
        out
    }

    fn position(&self, corner: &Corner) -> Vec3 {
        self.positions
            .get(corner.position as usize)
            .copied()
            .unwrap_or_default()
    }

    /// The normal times twice the area.
    fn area_vector(&self, corners: &[Corner; 3]) -> Vec3 {
        let [a, b, c] = corners.each_ref().map(|corner| self.position(corner));
        (b - a).cross(c - a)
    }

    fn statement(&mut self, text: &str) -> Result<(), ObjFault> {
        let text = text.split('#').next().unwrap_or_default();
        let mut words = text.split_ascii_whitespace();
        match words.next() {
            None => Ok(()),
            Some("v") => {
                let [x, y, z] = numbers(words)?;
                push(&mut self.positions, Vec3::new(x, y, z), MESH_VERTICES_MAX)
            }
            Some("vn") => {
                let [x, y, z] = numbers(words)?;
                push(&mut self.normals, Vec3::new(x, y, z), MESH_VERTICES_MAX)
            }
            Some("vt") => {
                let u = words.next().ok_or(ObjFault::TooFewNumbers { needed: 1 })?;
                let v = words.next().unwrap_or("0");
                push(&mut self.uvs, (number(u)?, number(v)?), MESH_VERTICES_MAX)
            }
            Some("f") => self.face(words),
            Some("o" | "g" | "s" | "mg" | "usemtl" | "mtllib" | "l" | "p" | "vp") => Ok(()),
            Some(word) => Err(ObjFault::UnknownStatement {
                word: excerpt(word),
            }),
        }
    }

    fn face<'a>(&mut self, words: impl Iterator<Item = &'a str>) -> Result<(), ObjFault> {
        let (mut first, mut previous, mut corners) = (None, None, 0);
        for word in words {
            corners += 1;
            if corners > FACE_CORNERS_MAX {
                return Err(ObjFault::BadCornerCount { corners });
            }
            let corner = self.corner(word)?;
            if let (Some(first), Some(previous)) = (first, previous) {
                push(
                    &mut self.triangles,
                    [first, previous, corner],
                    MESH_TRIANGLES_MAX,
                )?;
            }
            // The fan starts at the first corner; its first triangle needs two corners before it.
            if first.is_none() {
                first = Some(corner);
            } else {
                previous = Some(corner);
            }
        }
        if corners < 3 {
            Err(ObjFault::BadCornerCount { corners })
        } else {
            Ok(())
        }
    }

    fn corner(&self, word: &str) -> Result<Corner, ObjFault> {
        let bad = || ObjFault::BadCorner {
            text: excerpt(word),
        };
        let mut parts = word.split('/');
        let mut index = |defined: usize| match parts.next() {
            None | Some("") => Ok(NONE),
            Some(text) => resolve(text.parse().map_err(|_| bad())?, defined),
        };
        let position = index(self.positions.len())?;
        let uv = index(self.uvs.len())?;
        let normal = index(self.normals.len())?;
        if position == NONE || parts.next().is_some() {
            return Err(bad());
        }
        Ok(Corner {
            position,
            uv,
            normal,
        })
    }
}

/// The triangles around each position, as one list with the start of each position's part.
struct Neighbours {
    starts: Vec<u32>,
    triangles: Vec<u32>,
}

impl Neighbours {
    fn of(triangles: &[[Corner; 3]], positions: usize) -> Self {
        let mut starts = vec![0_u32; positions + 1];
        for corner in triangles.iter().flatten() {
            starts[corner.position as usize + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts.clone();
        let mut list = vec![0; triangles.len() * 3];
        for (triangle, corners) in (0_u32..).zip(triangles) {
            for corner in corners {
                let place = &mut next[corner.position as usize];
                list[*place as usize] = triangle;
                *place += 1;
            }
        }
        Self {
            starts,
            triangles: list,
        }
    }

    fn mean(&self, position: u32, flat: Vec3, areas: &[Vec3], cos_max: f32) -> Vec3 {
        let position = position as usize;
        let range = self.starts[position] as usize..self.starts[position + 1] as usize;
        let near = self.triangles[range].iter().map(|&t| areas[t as usize]);
        let sum = near
            .filter(|area| area.dot(flat) >= cos_max * area.length())
            .fold(Vec3::ZERO, |sum, area| sum + area);
        sum.normalized_or(flat)
    }
}

fn push<T>(list: &mut Vec<T>, item: T, limit: usize) -> Result<(), ObjFault> {
    if list.len() >= limit {
        return Err(ObjFault::TooLarge { limit });
    }
    list.push(item);
    Ok(())
}

fn numbers<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<[f32; 3], ObjFault> {
    let mut next = || number(words.next().ok_or(ObjFault::TooFewNumbers { needed: 3 })?);
    Ok([next()?, next()?, next()?])
}

fn number(text: &str) -> Result<f32, ObjFault> {
    let value: Option<f32> = text.parse().ok();
    let sane = value.filter(|v| v.is_finite() && v.abs() <= COORDINATE_MAX);
    sane.ok_or_else(|| ObjFault::BadNumber {
        text: excerpt(text),
    })
}

/// Indices count from 1; negative ones count back from the newest.
fn resolve(index: i64, defined: usize) -> Result<u32, ObjFault> {
    let count = i64::try_from(defined).unwrap_or(i64::MAX);
    let place = if index < 0 {
        count.checked_add(index)
    } else {
        index.checked_sub(1)
    };
    let place = place.filter(|place| (0..count).contains(place));
    place
        .and_then(|p| u32::try_from(p).ok())
        .ok_or(ObjFault::NoSuchIndex { index, defined })
}

/// As much of a hostile word as an error message should carry.
fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
