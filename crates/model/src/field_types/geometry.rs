//! Places and shapes as GeoJSON (RFC 7946 §3.1).

use serde_json::{Value, json};

use super::{FieldType, mismatch};
use crate::schema::Column;
use crate::{Problem, Scalar, StorageKind};

/// `geometry`, or with a kind such as `geometry.Point`.
#[derive(Debug)]
pub(super) struct Geometry {
    name: &'static str,
    summary: &'static str,
    /// The one GeoJSON type allowed and the depth of its coordinates; `None`: any.
    kind: Option<(&'static str, usize)>,
}

const KINDS: [(&str, usize); 6] = [
    ("Point", 0),
    ("LineString", 1),
    ("MultiPoint", 1),
    ("Polygon", 2),
    ("MultiLineString", 2),
    ("MultiPolygon", 3),
];

const fn of(name: &'static str, kind: &'static str, depth: usize) -> Geometry {
    Geometry {
        name,
        summary: "a GeoJSON geometry of the field's kind",
        kind: Some((kind, depth)),
    }
}

/// Any geometry.
pub(super) static GEOMETRY: Geometry = Geometry {
    name: "geometry",
    summary: "a GeoJSON geometry",
    kind: None,
};
/// One position.
pub(super) static POINT: Geometry = of("geometry.Point", "Point", 0);
/// A line.
pub(super) static LINE_STRING: Geometry = of("geometry.LineString", "LineString", 1);
/// A surface.
pub(super) static POLYGON: Geometry = of("geometry.Polygon", "Polygon", 2);
/// Positions.
pub(super) static MULTI_POINT: Geometry = of("geometry.MultiPoint", "MultiPoint", 1);
/// Lines.
pub(super) static MULTI_LINE_STRING: Geometry = of("geometry.MultiLineString", "MultiLineString", 2);
/// Surfaces.
pub(super) static MULTI_POLYGON: Geometry = of("geometry.MultiPolygon", "MultiPolygon", 3);

impl FieldType for Geometry {
    fn name(&self) -> &'static str {
        self.name
    }
    fn summary(&self) -> &'static str {
        self.summary
    }
    fn storage(&self) -> Option<StorageKind> {
        Some(StorageKind::Geometry)
    }
    fn parse(&self, value: &Value, _: &Column) -> Result<Scalar, Problem> {
        if is_shape(value, self.kind.as_ref()) {
            Ok(Scalar::Text(value.to_string()))
        } else {
            Err(mismatch(self, value))
        }
    }
    fn print(&self, scalar: Scalar) -> Value {
        match scalar {
            Scalar::Text(text) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
            _ => Value::Null,
        }
    }
    fn json_schema(&self) -> Value {
        json!({"type": "object"})
    }
    fn interface(&self) -> &'static str {
        "map"
    }
    fn marker(&self) -> Option<&'static str> {
        self.kind.map(|_| self.name)
    }
}

/// Whether `value` is a shape, of one kind where that is given; a collection is whole where its shapes are.
fn is_shape(value: &Value, kind: Option<&(&str, usize)>) -> bool {
    let allowed = kind.map_or(&KINDS[..], std::slice::from_ref);
    let name = value.get("type").and_then(Value::as_str).unwrap_or_default();
    match allowed.iter().find(|(kind, _)| *kind == name) {
        Some((_, depth)) => value
            .get("coordinates")
            .is_some_and(|nested| is_nested(nested, *depth)),
        None if kind.is_none() && name == "GeometryCollection" => value
            .get("geometries")
            .and_then(Value::as_array)
            .is_some_and(|shapes| shapes.iter().all(|shape| is_shape(shape, None))),
        None => false,
    }
}

/// Whether `value` is a position (two to four numbers) wrapped in `depth` arrays.
fn is_nested(value: &Value, depth: usize) -> bool {
    let Some(entries) = value.as_array() else {
        return false;
    };
    match depth {
        0 => (2..=4).contains(&entries.len()) && entries.iter().all(|entry| entry.as_f64().is_some()),
        _ => entries.iter().all(|entry| is_nested(entry, depth - 1)),
    }
}
