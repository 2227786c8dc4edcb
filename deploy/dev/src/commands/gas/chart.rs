//! Bars in groups, with a line over them if there is one, as SVG 1.1.

use std::fmt::Write as _;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 480.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 84.0;
const TOP: f64 = 104.0;
const BOTTOM: f64 = 64.0;
/// Lines of the grid, at most.
const TICKS: f64 = 6.0;
/// Colours that stay apart for the colour-blind (Okabe and Ito).
const COLOURS: [&str; 5] = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9"];
const LINE: &str = "#333333";

/// What is drawn.
pub(super) struct Chart {
    pub(super) title: String,
    /// How it was measured, under the title.
    pub(super) note: String,
    pub(super) x: &'static str,
    pub(super) y: &'static str,
    /// A name for each colour.
    pub(super) series: Vec<String>,
    pub(super) groups: Vec<Group>,
    pub(super) line: Option<Line>,
}

/// Bars side by side.
pub(super) struct Group {
    pub(super) label: String,
    pub(super) bars: Vec<Bar>,
}

/// A bar.
pub(super) struct Bar {
    pub(super) value: f64,
    /// Which colour.
    pub(super) series: usize,
}

/// A value for each group, by an axis of its own on the right.
pub(super) struct Line {
    pub(super) y: &'static str,
    pub(super) values: Vec<f64>,
}

/// An axis from 0 to a round number.
struct Axis {
    step: f64,
    top: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>) -> Self {
        let most = values.fold(f64::MIN_POSITIVE, f64::max);
        let unit = 10f64.powf((most / TICKS).log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * unit);
        let fits = steps.into_iter().find(|step| step * TICKS >= most);
        let step = fits.unwrap_or(10.0 * unit);
        Self {
            step,
            top: step * (most / step).ceil(),
        }
    }

    fn at(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - value / self.top * (HEIGHT - TOP - BOTTOM)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> + '_ {
        let count = (self.top / self.step).round() as u32;
        (0..=count).map(|tick| f64::from(tick) * self.step)
    }
}

impl Chart {
    /// The whole document.
    pub(super) fn svg(&self) -> String {
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
             viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#222222\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n"
        );
        text(
            &mut svg,
            LEFT,
            26.0,
            "font-size=\"16\" font-weight=\"bold\"",
            &self.title,
        );
        text(&mut svg, LEFT, 46.0, "fill=\"#555555\"", &self.note);
        self.legend(&mut svg);
        let bars = self.groups.iter().flat_map(|group| &group.bars);
        let left = Axis::over(bars.map(|bar| bar.value));
        for tick in left.ticks() {
            let y = left.at(tick);
            let _ = writeln!(
                svg,
                "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#dddddd\"/>",
                WIDTH - RIGHT
            );
            text(
                &mut svg,
                LEFT - 8.0,
                y + 4.0,
                "text-anchor=\"end\"",
                &number(tick),
            );
        }
        let base = HEIGHT - BOTTOM;
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{base}\" y2=\"{base}\" stroke=\"#222222\"/>",
            WIDTH - RIGHT
        );
        for (at, group) in self.groups.iter().enumerate() {
            self.group(&mut svg, at, group, &left);
        }
        if let Some(line) = &self.line {
            self.line(&mut svg, line);
        }
        let middle = (LEFT + WIDTH - RIGHT) / 2.0;
        text(
            &mut svg,
            middle,
            HEIGHT - 14.0,
            "text-anchor=\"middle\"",
            self.x,
        );
        upright(&mut svg, 20.0, self.y);
        svg.push_str("</svg>\n");
        svg
    }

    fn legend(&self, svg: &mut String) {
        let mut x = LEFT;
        let line = self.line.as_ref().map(|line| (line.y.to_owned(), LINE));
        let series = self.series.iter().cloned().zip(COLOURS);
        for (name, colour) in series.chain(line) {
            let _ = writeln!(
                svg,
                "<rect x=\"{x:.1}\" y=\"66\" width=\"12\" height=\"12\" fill=\"{colour}\"/>"
            );
            text(svg, x + 18.0, 76.0, "", &name);
            x += 40.0 + 6.6 * name.chars().count() as f64;
        }
    }

    /// Where a group starts, and how wide it is.
    fn place(&self, at: usize) -> (f64, f64) {
        let width = (WIDTH - LEFT - RIGHT) / self.groups.len().max(1) as f64;
        (LEFT + width * at as f64, width)
    }

    fn group(&self, svg: &mut String, at: usize, group: &Group, axis: &Axis) {
        let (start, width) = self.place(at);
        let bar_width = width * 0.8 / group.bars.len().max(1) as f64;
        for (number, bar) in group.bars.iter().enumerate() {
            let x = start + width * 0.1 + bar_width * number as f64;
            let y = axis.at(bar.value);
            let _ = writeln!(
                svg,
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\"/>",
                bar_width * 0.9,
                HEIGHT - BOTTOM - y,
                COLOURS[bar.series % COLOURS.len()]
            );
        }
        let middle = start + width / 2.0;
        let y = HEIGHT - BOTTOM + 18.0;
        text(svg, middle, y, "text-anchor=\"middle\"", &group.label);
    }

    fn line(&self, svg: &mut String, line: &Line) {
        let axis = Axis::over(line.values.iter().copied());
        for tick in axis.ticks() {
            let at = axis.at(tick) + 4.0;
            text(svg, WIDTH - RIGHT + 8.0, at, "", &number(tick));
        }
        upright(svg, WIDTH - 12.0, line.y);
        let mut points = String::new();
        for (at, value) in line.values.iter().enumerate() {
            let (start, width) = self.place(at);
            let (x, y) = (start + width / 2.0, axis.at(*value));
            let _ = write!(points, "{x:.1},{y:.1} ");
            let _ = writeln!(
                svg,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{LINE}\"/>"
            );
        }
        let points = points.trim_end();
        let _ = writeln!(
            svg,
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{LINE}\" stroke-width=\"1.5\"/>"
        );
    }
}

fn text(svg: &mut String, x: f64, y: f64, style: &str, content: &str) {
    let content = escaped(content);
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" {style}>{content}</text>"
    );
}

/// The name of an axis, read from below.
fn upright(svg: &mut String, x: f64, content: &str) {
    let y = (TOP + HEIGHT - BOTTOM) / 2.0;
    let style = format!("text-anchor=\"middle\" transform=\"rotate(-90 {x:.1} {y:.1})\"");
    text(svg, x, y, &style, content);
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Without a point where there is nothing behind it.
fn number(value: f64) -> String {
    match value.fract() == 0.0 {
        true => super::table::number(value as i64),
        false => format!("{value:.2}").trim_end_matches('0').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_on_a_round_number_above_everything() {
        for (most, step, top) in [
            (68_123.0, 20_000.0, 80_000.0),
            (59.0, 10.0, 60.0),
            (0.31, 0.1, 0.4),
            (6.0, 1.0, 6.0),
            (1_102.0, 200.0, 1_200.0),
        ] {
            let axis = Axis::over([most / 2.0, most].into_iter());
            assert!(
                (axis.step - step).abs() < 1e-9 * step,
                "{most}: {}",
                axis.step
            );
            assert!((axis.top - top).abs() < 1e-9 * top, "{most}: {}", axis.top);
        }
    }

    #[test]
    fn what_is_written_cannot_be_mistaken_for_markup() {
        assert_eq!(escaped("a<b>&c"), "a&lt;b&gt;&amp;c");
    }
}
