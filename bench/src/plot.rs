//! The plot: one panel for each curve, both axes logarithmic, as one SVG file.

use crate::curves::Curve;
use std::fmt::Write;

/// Points of a panel: the frame of its axes and the room around it.
const FRAME: (f64, f64) = (360.0, 300.0);
const MARGIN: (f64, f64) = (70.0, 50.0);
/// Room for the names of the lines, under the axis.
const LEGEND: f64 = 110.0;
/// One for each line of a panel; told apart also by those who do not see red and green alike.
const COLOURS: &[&str] = &["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/// Draws the curves side by side.
pub(crate) fn svg(curves: &[Curve]) -> String {
    let (width, height) = (FRAME.0 + 2.0 * MARGIN.0, FRAME.1 + 2.0 * MARGIN.1 + LEGEND);
    let total = width * curves.len().max(1) as f64;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {total} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (place, curve) in curves.iter().enumerate() {
        let _ = writeln!(
            text,
            "<g transform=\"translate({} {})\">",
            place as f64 * width + MARGIN.0,
            MARGIN.1
        );
        text.push_str(&panel(curve));
        text.push_str("</g>\n");
    }
    text.push_str("</svg>\n");
    text
}

/// A logarithmic axis from one power of ten to another.
struct Axis {
    from: f64,
    to: f64,
    points: f64,
}

impl Axis {
    fn over(figures: impl Iterator<Item = f64> + Clone, points: f64) -> Axis {
        let least = figures.clone().fold(f64::INFINITY, f64::min).log10().floor();
        let most = figures.fold(f64::MIN_POSITIVE, f64::max).log10().ceil();
        Axis {
            from: least,
            to: most.max(least + 1.0),
            points,
        }
    }

    fn at(&self, figure: f64) -> f64 {
        (figure.log10() - self.from) / (self.to - self.from) * self.points
    }

    /// The powers of ten on the axis.
    fn marks(&self) -> impl Iterator<Item = f64> {
        (self.from as i32..=self.to as i32).map(|power| 10_f64.powi(power))
    }
}

fn panel(curve: &Curve) -> String {
    let (width, height) = FRAME;
    let across = Axis::over(curve.sizes.iter().map(|size| f64::from(*size)), width);
    let up = Axis::over(
        curve.lines.iter().flat_map(|(_, figures)| figures).copied(),
        height,
    );
    let mut text = format!(
        "<text x=\"{}\" y=\"-20\" text-anchor=\"middle\" font-size=\"15\">median ms by {}</text>\n",
        width / 2.0,
        curve.of
    );
    for mark in across.marks() {
        let x = across.at(mark);
        let _ = writeln!(
            text,
            "<path d=\"M{x} 0V{height}\" stroke=\"#ddd\"/><text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{mark}</text>",
            height + 18.0
        );
    }
    for mark in up.marks() {
        let y = height - up.at(mark);
        let _ = writeln!(
            text,
            "<path d=\"M0 {y}H{width}\" stroke=\"#ddd\"/><text x=\"-8\" y=\"{}\" text-anchor=\"end\">{mark}</text>",
            y + 4.0
        );
    }
    let _ = writeln!(
        text,
        "<rect width=\"{width}\" height=\"{height}\" fill=\"none\" stroke=\"#444\"/>"
    );
    for (place, (name, figures)) in curve.lines.iter().enumerate() {
        let colour = COLOURS[place % COLOURS.len()];
        let points: Vec<(f64, f64)> = curve
            .sizes
            .iter()
            .zip(figures)
            .map(|(size, figure)| (across.at(f64::from(*size)), height - up.at(*figure)))
            .collect();
        let joined: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            text,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            joined.join(" ")
        );
        for (x, y) in points {
            let _ = writeln!(
                text,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>"
            );
        }
        let y = height + 45.0 + place as f64 * 18.0;
        let _ = writeln!(
            text,
            "<path d=\"M0 {}h24\" stroke=\"{colour}\" stroke-width=\"2\"/><text x=\"32\" y=\"{y}\">{name}</text>",
            y - 4.0
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_lies_where_its_logarithm_is() {
        let axis = Axis::over([2.0, 500.0].into_iter(), 300.0);
        assert_eq!((axis.from, axis.to), (0.0, 3.0));
        assert!((axis.at(10.0) - 100.0).abs() < 1e-9);
        assert_eq!(axis.marks().collect::<Vec<_>>(), [1.0, 10.0, 100.0, 1000.0]);
    }

    #[test]
    fn every_line_is_drawn() {
        let curve = Curve {
            of: "rows",
            sizes: vec![10, 100],
            lines: vec![("read", vec![0.1, 0.1]), ("list", vec![0.5, 0.6])],
        };
        let text = svg(&[curve]);
        assert_eq!(text.matches("<polyline").count(), 2);
        assert_eq!(text.matches("<circle").count(), 4);
        assert!(text.contains(">read</text>") && !text.contains("NaN") && !text.contains("inf"));
    }
}
