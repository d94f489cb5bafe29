//! The little of SVG that the plots need.

use std::fmt::Write;

use super::escaped;

/// A drawing.
pub(super) struct Svg {
    width: f64,
    height: f64,
    parts: String,
}

impl Svg {
    /// An empty one of so many pixels.
    pub(super) const fn new(width: f64, height: f64) -> Self {
        Self { width, height, parts: String::new() }
    }

    /// A straight line.
    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: &str) {
        self.put(format_args!(
            "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{stroke}\"/>",
            from.0, from.1, to.0, to.1
        ));
    }

    /// A line through points, named when pointed at.
    pub(super) fn path(&mut self, points: &[(f64, f64)], stroke: &str, title: &str) {
        let mut list = String::new();
        for (x, y) in points {
            let _ = write!(list, "{x:.1},{y:.1} ");
        }
        self.put(format_args!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{stroke}\" stroke-width=\"1.5\"><title>{}</title></polyline>",
            list.trim_end(),
            escaped(title)
        ));
    }

    /// A filled box, named when pointed at.
    pub(super) fn area(&mut self, corner: (f64, f64), size: (f64, f64), fill: &str, title: &str) {
        self.put(format_args!(
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{fill}\"><title>{}</title></rect>",
            corner.0,
            corner.1,
            size.0.max(1.0),
            size.1,
            escaped(title)
        ));
    }

    /// Text that starts, is centred, or ends at a point.
    pub(super) fn text(&mut self, at: (f64, f64), anchor: Anchor, fill: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        self.put(format_args!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\" fill=\"{fill}\">{}</text>",
            at.0,
            at.1,
            escaped(text)
        ));
    }

    /// The element.
    pub(super) fn finish(self) -> String {
        let Self { width, height, parts } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\">{parts}</svg>"
        )
    }

    fn put(&mut self, part: std::fmt::Arguments<'_>) {
        // A string takes all.
        let _ = self.parts.write_fmt(part);
    }
}

/// Where a text's point lies.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A range of values on a range of pixels.
#[derive(Clone, Copy)]
pub(super) struct Axis {
    pub(super) values: (f64, f64),
    pub(super) pixels: (f64, f64),
}

impl Axis {
    /// Where a value lies; outside values lie at the ends.
    pub(super) fn place(self, value: f64) -> f64 {
        let span = self.values.1 - self.values.0;
        let share = if span > 0.0 { ((value - self.values.0) / span).clamp(0.0, 1.0) } else { 0.0 };
        self.pixels.0 + share * (self.pixels.1 - self.pixels.0)
    }

    /// Where a value lies on an axis whose ends are logarithms to base 10.
    pub(super) fn place_log(self, value: f64) -> f64 {
        self.place(value.max(f64::MIN_POSITIVE).log10())
    }
}
