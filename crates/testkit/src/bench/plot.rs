//! Draws a line chart as SVG, for light and dark pages.

use std::fmt::Write as _;

use super::{Growth, format_number, workspace};

/// The scale of the axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Both linear, from zero.
    Linear,
    /// Both logarithmic.
    LogLog,
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
/// The area of the lines: left, top, right, bottom.
const PLOT_AREA: [f64; 4] = [72.0, 52.0, 560.0, 364.0];
/// Colours that are distinct on white and on black, also for colour-blind readers.
///
/// From Okabe and Ito, "Color Universal Design", 2008. From the sixth series on, lines have other
/// dashes.
const COLOURS: [&str; 6] = [
    "#0b84c4", "#d55e00", "#009e73", "#c264a0", "#a08000", "#7f7f7f",
];

/// Writes the chart to `docs/images/<file>`.
///
/// # Panics
///
/// If the file cannot be written, or there is no point to draw.
pub fn plot(growth: &Growth, scale: Scale, file: &str) {
    let folder = workspace("docs/images");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(file), svg(growth, scale)).unwrap();
}

/// Draws the chart as SVG.
///
/// # Panics
///
/// If there is no point to draw, or one that is not above zero on a
/// logarithmic scale.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub fn svg(growth: &Growth, scale: Scale) -> String {
    let [left, top, right, bottom] = PLOT_AREA;
    let x_axis = Axis::of(growth.points().map(|(x, _)| x as f64), scale, left, right);
    let y_axis = Axis::of(growth.points().map(|(_, y)| y), scale, bottom, top);
    let title = escaped(growth.title());
    let mut out = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">
<style>
  .page {{ fill: #ffffff }} .ink {{ fill: #1f2328 }} .soft {{ fill: #59636e }} .grid {{ stroke: #d1d9e0 }}
  @media (prefers-color-scheme: dark) {{
    .page {{ fill: #0d1117 }} .ink {{ fill: #f0f6fc }} .soft {{ fill: #9198a1 }} .grid {{ stroke: #3d444d }}
  }}
  text {{ font: 13px system-ui, sans-serif }} .head {{ font-weight: 600; font-size: 15px }}
  .line {{ fill: none; stroke-width: 2.2; stroke-linejoin: round }}
</style>
<rect class="page" width="{WIDTH}" height="{HEIGHT}"/>
<text class="ink head" x="{left}" y="24">{title}</text>
"#
    );
    let (x_name, y_name) = growth.axes();
    let _ = writeln!(
        out,
        r#"<text class="soft" x="{left}" y="43">{}</text>"#,
        escaped(y_name)
    );
    let middle = f64::midpoint(left, right);
    let _ = writeln!(
        out,
        r#"<text class="soft" x="{middle}" y="{}" text-anchor="middle">{}</text>"#,
        bottom + 42.0,
        escaped(x_name)
    );
    for tick in y_axis.ticks() {
        let y = y_axis.at(tick);
        let _ = writeln!(
            out,
            r#"<path class="grid" d="M{left} {y:.1}H{right}"/><text class="soft" x="{}" y="{:.1}" text-anchor="end">{}</text>"#,
            left - 8.0,
            y + 4.5,
            short(tick)
        );
    }
    for tick in x_axis.ticks() {
        let x = x_axis.at(tick);
        let _ = writeln!(
            out,
            r#"<path class="grid" d="M{x:.1} {top}V{bottom}"/><text class="soft" x="{x:.1}" y="{}" text-anchor="middle">{}</text>"#,
            bottom + 20.0,
            short(tick)
        );
    }
    // Names are beside the ends of their lines, and are moved apart if they overlap.
    let mut names = Vec::new();
    for (number, (name, points)) in growth.series().iter().enumerate() {
        let mut points = points.clone();
        points.sort_by_key(|(x, _)| *x);
        let colour = COLOURS[number % COLOURS.len()];
        let dash = [
            "",
            r#" stroke-dasharray="7 4""#,
            r#" stroke-dasharray="2 3""#,
        ];
        let dash = dash[number / COLOURS.len() % dash.len()];
        let places: Vec<(f64, f64)> = points
            .iter()
            .map(|(x, y)| (x_axis.at(*x as f64), y_axis.at(*y)))
            .collect();
        let path: Vec<String> = places
            .iter()
            .map(|(x, y)| format!("{x:.1} {y:.1}"))
            .collect();
        let _ = writeln!(
            out,
            r#"<path class="line" stroke="{colour}"{dash} d="M{}"/>"#,
            path.join("L")
        );
        for (x, y) in &places {
            let _ = writeln!(
                out,
                r#"<circle cx="{x:.1}" cy="{y:.1}" r="3.2" fill="{colour}"/>"#
            );
        }
        let end = places.last().map_or(top, |(_, y)| *y);
        names.push((end, colour, escaped(name)));
    }
    names.sort_by(|(a, ..), (b, ..)| a.total_cmp(b));
    let room = 17.0;
    let mut next = top;
    let last = bottom - room * (names.len().saturating_sub(1)) as f64;
    for (at, (end, colour, name)) in names.into_iter().enumerate() {
        let y = end.max(next).min(last + room * at as f64);
        next = y + room;
        let _ = writeln!(
            out,
            r#"<rect x="{}" y="{:.1}" width="11" height="11" rx="2" fill="{colour}"/><text class="ink" x="{}" y="{:.1}">{name}</text>"#,
            right + 14.0,
            y - 5.5,
            right + 31.0,
            y + 4.5
        );
    }
    out + "</svg>\n"
}

/// The mapping of numbers to positions on the chart.
struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    fn of(values: impl Iterator<Item = f64>, scale: Scale, from: f64, to: f64) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values {
            assert!(
                value > 0.0 || scale == Scale::Linear,
                "cannot plot {value} on a logarithmic scale"
            );
            low = low.min(value);
            high = high.max(value);
        }
        assert!(high.is_finite(), "there is no point to draw");
        match scale {
            Scale::Linear => {
                let step = step(high);
                low = 0.0;
                high = step * (high / step).ceil().max(1.0);
            }
            // To the next 1, 2 or 5 of a power of ten.
            Scale::LogLog => {
                low = logarithmic(low).1;
                high = logarithmic(high).0;
                if low >= high {
                    high = low * 10.0;
                }
            }
        }
        Self {
            scale,
            low,
            high,
            from,
            to,
        }
    }

    fn at(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => value / self.high,
            Scale::LogLog => (value / self.low).ln() / (self.high / self.low).ln(),
        };
        self.from + share * (self.to - self.from)
    }

    fn ticks(&self) -> Vec<f64> {
        match self.scale {
            Scale::Linear => {
                let step = step(self.high);
                let mut ticks = Vec::new();
                let mut tick = 0.0;
                while tick <= self.high * 1.001 {
                    ticks.push(tick);
                    tick += step;
                }
                ticks
            }
            Scale::LogLog => {
                let wide = self.high / self.low > 5_000.0;
                let steps: &[f64] = if wide { &[1.0] } else { &[1.0, 2.0, 5.0] };
                let mut ticks = Vec::new();
                let mut power = 10_f64.powf(self.low.log10().floor());
                while power <= self.high * 1.001 {
                    let of_power = steps.iter().map(|step| step * power);
                    ticks
                        .extend(of_power.filter(|tick| {
                            *tick >= self.low * 0.999 && *tick <= self.high * 1.001
                        }));
                    power *= 10.0;
                }
                ticks
            }
        }
    }
}

/// Returns the nearest values of the form 1, 2 or 5 times a power of ten, below and above.
fn logarithmic(value: f64) -> (f64, f64) {
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    let above = steps.iter().find(|step| **step >= value * 0.999);
    let below = steps.iter().rev().find(|step| **step <= value * 1.001);
    (
        above.copied().unwrap_or(value),
        below.copied().unwrap_or(power),
    )
}

/// Returns a round distance that gives about six grid lines.
fn step(high: f64) -> f64 {
    if high <= 0.0 {
        return 1.0;
    }
    logarithmic(high / 6.0).0
}

/// Formats a number with a unit, for example `1 M` for a million.
fn short(number: f64) -> String {
    match number {
        number if number >= 1e9 => format!("{} G", trimmed(number / 1e9)),
        number if number >= 1e6 => format!("{} M", trimmed(number / 1e6)),
        number if number >= 1e4 => format!("{} k", trimmed(number / 1e3)),
        number if number >= 1e3 || number == 0.0 => format_number(number),
        number => trimmed(number),
    }
}

fn trimmed(number: f64) -> String {
    let text = format!("{number:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chart_has_a_line_and_a_name_for_each_series_inside_its_area() {
        let mut growth = Growth::new("List & page", "rows", "ms");
        for rows in [100_000, 300_000, 1_000_000] {
            growth.point("page 1", rows, 2.0);
            growth.point("page <1,000>", rows, 0.03 * (rows as f64).sqrt());
        }
        for scale in [Scale::Linear, Scale::LogLog] {
            let svg = svg(&growth, scale);
            assert_eq!(svg.matches(r#"<path class="line""#).count(), 2);
            assert_eq!(svg.matches("<circle").count(), 6);
            assert!(svg.contains("page &lt;1,000&gt;") && svg.contains("List &amp; page"));
            assert!(svg.contains(">1 M</text>"));
            for part in svg.split("<circle ").skip(1) {
                let number = |name: &str| -> f64 {
                    let rest = part.split_once(&format!("{name}=\"")).unwrap().1;
                    rest.split_once('"').unwrap().0.parse().unwrap()
                };
                let [left, top, right, bottom] = PLOT_AREA;
                assert!((left..=right).contains(&number("cx")), "{part}");
                assert!((top..=bottom).contains(&number("cy")), "{part}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "cannot plot 0 on a logarithmic scale")]
    fn svg_of_zero_on_logarithmic_scale_panics() {
        let mut growth = Growth::new("x", "rows", "ms");
        growth.point("a", 1, 0.0);
        svg(&growth, Scale::LogLog);
    }
}
