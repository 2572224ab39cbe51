//! A path tracer: a scene and a tile in, pixels out.
