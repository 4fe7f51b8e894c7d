//! Whether two shapes of GeoJSON (RFC 7946 §3.1) meet, on the plane of their coordinates.
//!
//! Every position, line and ring becomes segments; a lone position is a segment without length. Two shapes meet where
//! segments touch, or where one shape has a part inside a surface of the other. Borders belong to their surfaces, holes
//! do not. The side of a line on which a position lies is found without rounding.
//!
//! Heights are ignored. Nothing is known of the globe: no curvature, and no way round the 180th meridian.

use robust::{Coord, orient2d};
use serde_json::Value;

/// A shape, flattened.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    /// Of positions, lines and rings.
    segments: Vec<Segment>,
    /// One position of every part: where no segments touch, a part is wholly inside a surface or wholly outside.
    starts: Vec<Point>,
    surfaces: Vec<Surface>,
    /// `None`: the shape is empty.
    bounds: Option<Bounds>,
}

type Point = Coord<f64>;

#[derive(Clone, Copy, Debug)]
struct Segment {
    from: Point,
    to: Point,
    bounds: Bounds,
}

/// The segments of the outer ring and of the holes.
#[derive(Debug)]
struct Surface {
    edges: Vec<Segment>,
    bounds: Bounds,
}

#[derive(Clone, Copy, Debug)]
struct Bounds {
    low: Point,
    high: Point,
}

impl Shape {
    /// From GeoJSON text; `None` where it is something else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut shape = Self::default();
        shape.add(&serde_json::from_str(text).ok()?)?;
        shape.bounds = around(&shape.segments);
        // In the order in which `touches` passes over them.
        shape
            .segments
            .sort_by(|left, right| left.bounds.low.x.total_cmp(&right.bounds.low.x));
        Some(shape)
    }

    /// Whether they have a position in common.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        self.bounds_meet(other)
            && (self.touches(other)
                || self.starts.iter().any(|start| other.covers(*start))
                || other.starts.iter().any(|start| self.covers(*start)))
    }

    /// Whether their bounding boxes have a position in common.
    pub(crate) fn bounds_meet(&self, other: &Self) -> bool {
        self.bounds
            .zip(other.bounds)
            .is_some_and(|(left, right)| left.meets(right))
    }

    fn add(&mut self, value: &Value) -> Option<()> {
        let kind = value.get("type")?.as_str()?;
        if kind == "GeometryCollection" {
            let shapes = value.get("geometries")?.as_array()?;
            return shapes.iter().try_for_each(|shape| self.add(shape));
        }
        let coordinates = value.get("coordinates")?;
        match kind {
            "Point" => self.add_line(&[point(coordinates)?]),
            "LineString" => self.add_line(&line(coordinates)?),
            "Polygon" => self.add_surface(&lines(coordinates)?),
            "MultiPoint" => line(coordinates)?
                .iter()
                .for_each(|point| self.add_line(std::slice::from_ref(point))),
            "MultiLineString" => lines(coordinates)?.iter().for_each(|line| self.add_line(line)),
            "MultiPolygon" => {
                for surface in coordinates.as_array()? {
                    self.add_surface(&lines(surface)?);
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn add_line(&mut self, points: &[Point]) {
        let Some(first) = points.first() else { return };
        self.starts.push(*first);
        match points {
            [only] => self.segments.push(Segment::new(*only, *only)),
            _ => self.segments.extend(
                points
                    .iter()
                    .zip(&points[1..])
                    .map(|(from, to)| Segment::new(*from, *to)),
            ),
        }
    }

    /// A ring that its writer left open is closed.
    fn add_surface(&mut self, rings: &[Vec<Point>]) {
        self.starts.extend(rings.first().and_then(|ring| ring.first()));
        let edges: Vec<_> = rings
            .iter()
            .flat_map(|ring| ring.iter().zip(ring.iter().cycle().skip(1)))
            .map(|(from, to)| Segment::new(*from, *to))
            .collect();
        self.segments.extend_from_slice(&edges);
        if let Some(bounds) = around(&edges) {
            self.surfaces.push(Surface { edges, bounds });
        }
    }

    /// Whether any of the segments touch. Those that could do so by their extent from left to right are compared.
    fn touches(&self, other: &Self) -> bool {
        let (Some(mine), Some(theirs)) = (self.bounds, other.bounds) else {
            return false;
        };
        let near: Vec<_> = other
            .segments
            .iter()
            .filter(|segment| segment.bounds.meets(mine))
            .collect();
        self.segments
            .iter()
            .filter(|segment| segment.bounds.meets(theirs))
            .any(|segment| {
                near.iter()
                    .take_while(|other| other.bounds.low.x <= segment.bounds.high.x)
                    .any(|other| segment.touches(other))
            })
    }

    /// Whether a position that is on no border is inside a surface.
    fn covers(&self, point: Point) -> bool {
        let here = Bounds {
            low: point,
            high: point,
        };
        self.surfaces.iter().any(|surface| {
            surface.bounds.meets(here)
                && surface
                    .edges
                    .iter()
                    .filter(|edge| edge.is_right_of(point))
                    .count()
                    % 2
                    == 1
        })
    }
}

impl Segment {
    fn new(from: Point, to: Point) -> Self {
        let bounds = Bounds {
            low: lowest(from, to),
            high: highest(from, to),
        };
        Self { from, to, bounds }
    }

    /// Segments whose boxes meet touch, unless one of them lies wholly on one side of the other.
    fn touches(&self, other: &Self) -> bool {
        self.bounds.meets(other.bounds) && !self.has_on_one_side(other) && !other.has_on_one_side(self)
    }

    fn has_on_one_side(&self, other: &Self) -> bool {
        let (from, to) = (self.side(other.from), self.side(other.to));
        (from > 0.0 && to > 0.0) || (from < 0.0 && to < 0.0)
    }

    /// Positive: left of the way from `from` to `to`; negative: right; zero: on the line.
    fn side(&self, point: Point) -> f64 {
        orient2d(self.from, self.to, point)
    }

    /// Whether a ray from the position to the right goes through; of the two ends, the lower one counts.
    fn is_right_of(&self, point: Point) -> bool {
        let up = self.to.y > point.y;
        up != (self.from.y > point.y) && (self.side(point) > 0.0) == up
    }
}

impl Bounds {
    fn meets(self, other: Self) -> bool {
        self.low.x <= other.high.x
            && other.low.x <= self.high.x
            && self.low.y <= other.high.y
            && other.low.y <= self.high.y
    }

    fn with(self, other: Self) -> Self {
        Self {
            low: lowest(self.low, other.low),
            high: highest(self.high, other.high),
        }
    }
}

fn lowest(left: Point, right: Point) -> Point {
    Coord {
        x: left.x.min(right.x),
        y: left.y.min(right.y),
    }
}

fn highest(left: Point, right: Point) -> Point {
    Coord {
        x: left.x.max(right.x),
        y: left.y.max(right.y),
    }
}

fn around(segments: &[Segment]) -> Option<Bounds> {
    segments.iter().map(|segment| segment.bounds).reduce(Bounds::with)
}

fn point(value: &Value) -> Option<Point> {
    let numbers = value.as_array()?;
    Some(Coord {
        x: numbers.first()?.as_f64()?,
        y: numbers.get(1)?.as_f64()?,
    })
}

fn line(value: &Value) -> Option<Vec<Point>> {
    value.as_array()?.iter().map(point).collect()
}

fn lines(value: &Value) -> Option<Vec<Vec<Point>>> {
    value.as_array()?.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn point(x: f64, y: f64) -> Value {
        json!({"type": "Point", "coordinates": [x, y]})
    }

    fn of(kind: &str, coordinates: Value) -> Value {
        json!({"type": kind, "coordinates": coordinates})
    }

    fn ring(low: i32, high: i32) -> Value {
        json!([[low, low], [high, low], [high, high], [low, high], [low, low]])
    }

    /// Checks both ways round: whether the shapes meet, and whether their boxes do.
    fn check(left: &Value, right: &Value, shapes: bool, boxes: bool) {
        let read = |value: &Value| Shape::parse(&value.to_string()).unwrap();
        for (one, other) in [(left, right), (right, left)] {
            assert_eq!(read(one).meets(&read(other)), shapes, "{one} {other}");
            assert_eq!(read(one).bounds_meet(&read(other)), boxes, "boxes: {one} {other}");
        }
    }

    #[test]
    fn positions_and_surfaces() {
        let holed = of("Polygon", json!([ring(0, 10), ring(4, 6)]));
        check(&holed, &point(1.0, 1.0), true, true);
        check(&holed, &point(5.0, 5.0), false, true);
        check(&holed, &point(11.0, 5.0), false, false);
        // On the outer border, at a corner, on the border of the hole, at the height of corners.
        check(&holed, &point(10.0, 5.0), true, true);
        check(&holed, &point(0.0, 0.0), true, true);
        check(&holed, &point(4.0, 5.0), true, true);
        check(&holed, &point(2.0, 4.0), true, true);
        check(&holed, &point(8.0, 6.0), true, true);
        let slanted = of("Polygon", json!([[[0, 0], [10, 0], [0, 10], [0, 0]]]));
        check(&slanted, &point(2.0, 2.0), true, true);
        check(&slanted, &point(5.0, 5.0), true, true);
        check(&slanted, &point(6.0, 6.0), false, true);
        check(&slanted, &point(5.0, 5.000_000_000_000_001), false, true);
        let open = of("Polygon", json!([[[0, 0], [10, 0], [0, 10]]]));
        check(&open, &point(0.0, 5.0), true, true);
        check(&open, &point(1.0, 1.0), true, true);
    }

    #[test]
    fn positions_and_lines() {
        check(&point(1.0, 2.0), &point(1.0, 2.0), true, true);
        check(&point(1.0, 2.0), &point(1.0, 2.5), false, false);
        let line = of("LineString", json!([[0, 0], [4, 4], [8, 0]]));
        check(&line, &point(3.0, 3.0), true, true);
        check(&line, &point(4.0, 4.0), true, true);
        check(&line, &point(3.0, 2.0), false, true);
        check(&line, &of("LineString", json!([[0, 4], [4, 0]])), true, true);
        check(&line, &of("LineString", json!([[4, 4], [4, 9]])), true, true);
        check(
            &line,
            &of("LineString", json!([[1, 0], [4, 3], [7, 0]])),
            false,
            true,
        );
        // On one straight line: one after the other, and one over the other.
        let flat = |from: i32, to: i32| of("LineString", json!([[from, from], [to, to]]));
        check(&flat(0, 2), &flat(3, 5), false, false);
        check(&flat(0, 3), &flat(3, 5), true, true);
        check(&flat(0, 4), &flat(3, 5), true, true);
        check(&flat(2, 2), &flat(1, 3), true, true);
        check(&of("LineString", json!([[1, 1]])), &point(1.0, 1.0), true, true);
    }

    #[test]
    fn lines_and_surfaces() {
        let holed = of("Polygon", json!([ring(0, 10), ring(2, 8)]));
        check(&holed, &of("LineString", json!([[-1, 5], [11, 5]])), true, true);
        check(&holed, &of("LineString", json!([[3, 3], [7, 7]])), false, true);
        check(&holed, &of("LineString", json!([[1, 1], [1, 9]])), true, true);
        check(&holed, &of("LineString", json!([[10, 10], [12, 12]])), true, true);
        check(&holed, &of("LineString", json!([[9, 12], [12, 9]])), false, true);
        // Surfaces inside the ring, inside the hole, around everything, sharing an edge, and a corner.
        check(
            &of("Polygon", json!([ring(0, 10)])),
            &of("Polygon", json!([ring(4, 6)])),
            true,
            true,
        );
        check(&holed, &of("Polygon", json!([ring(4, 6)])), false, true);
        check(&holed, &of("Polygon", json!([ring(1, 9)])), true, true);
        check(&holed, &of("Polygon", json!([ring(-5, 20)])), true, true);
        check(
            &holed,
            &of("Polygon", json!([ring(-5, 20), ring(-1, 11)])),
            false,
            true,
        );
        check(
            &holed,
            &of("Polygon", json!([[[10, 2], [12, 2], [12, 4], [10, 2]]])),
            true,
            true,
        );
        check(&holed, &of("Polygon", json!([ring(10, 12)])), true, true);
    }

    #[test]
    fn shapes_of_several_parts() {
        let points = of("MultiPoint", json!([[1, 1], [20, 20, 7]]));
        check(&points, &point(20.0, 20.0), true, true);
        check(&points, &point(10.0, 10.0), false, true);
        let lines = of("MultiLineString", json!([[[0, 0], [1, 0]], [[5, 5], [5, 9]]]));
        check(&lines, &point(5.0, 7.0), true, true);
        check(&lines, &point(3.0, 3.0), false, true);
        let surfaces = of("MultiPolygon", json!([[ring(0, 1)], [ring(5, 9), ring(6, 8)]]));
        check(&surfaces, &point(5.5, 5.5), true, true);
        check(&surfaces, &point(7.0, 7.0), false, true);
        check(&surfaces, &points, true, true);
        let collection = json!({"type": "GeometryCollection", "geometries": [points, lines]});
        check(&collection, &point(5.0, 6.0), true, true);
        check(&collection, &point(6.0, 6.0), false, true);
        let nothing = json!({"type": "GeometryCollection", "geometries": []});
        check(&nothing, &collection, false, false);
        check(&nothing, &nothing, false, false);
        check(&of("MultiPolygon", json!([[]])), &collection, false, false);
    }

    #[test]
    fn what_is_no_shape() {
        for text in [
            "",
            "POINT(1 2)",
            "null",
            "[1,2]",
            r#"{"type":"Point"}"#,
            r#"{"type":"Point","coordinates":[1]}"#,
            r#"{"type":"Point","coordinates":["1","2"]}"#,
            r#"{"type":"Point","coordinates":[1,1e999]}"#,
            r#"{"type":"Circle","coordinates":[1,2]}"#,
            r#"{"type":"Polygon","coordinates":[[1,2]]}"#,
            r#"{"type":"GeometryCollection","geometries":[{"type":"Point"}]}"#,
        ] {
            assert!(Shape::parse(text).is_none(), "{text}");
        }
    }
}
