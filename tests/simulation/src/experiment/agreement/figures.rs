//! Numbers as people read them.

/// A probability in percent, with four digits behind the point.
pub(super) fn percent(value: f64) -> String {
    format!("{:.4} %", value * 100.0)
}

/// Standard deviations, with a sign; a dash where there is no luck.
pub(super) fn z(z: Option<f64>) -> String {
    z.map_or_else(|| "–".into(), |z| format!("{z:+.2}"))
}
