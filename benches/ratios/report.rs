//! The table at the end.

use std::fmt;

use comfy_table::{CellAlignment, Table, presets};

use super::load::Sample;

/// What must hold for a figure.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// Nothing: it is there for comparison.
    None,
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
}

impl Target {
    fn is_met(self, figure: f64) -> Option<bool> {
        match self {
            Self::None => None,
            Self::AtLeast(least) => Some(figure >= least),
            Self::AtMost(most) => Some(figure <= most),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::AtLeast(least) => write!(f, "≥ {least}"),
            Self::AtMost(most) => write!(f, "≤ {most}"),
        }
    }
}

/// All that was measured.
#[derive(Debug, Default)]
pub struct Report {
    rows: Vec<[String; 8]>,
}

impl Report {
    /// A load, and its rate as a ratio to another's.
    pub fn load(&mut self, what: &str, sample: &Sample, ratio: Option<f64>, target: Target) {
        let failed = if sample.failures > 0 { format!(" ({} FAILED)", sample.failures) } else { String::new() };
        let cpu = if sample.cpu.is_zero() { String::new() } else { format!("{:.1}", sample.cpu_micros()) };
        let timed = !sample.latencies.is_empty();
        let quantile = |part| if timed { format!("{:.2}", sample.quantile(part)) } else { String::new() };
        self.push([
            format!("{what}{failed}"),
            format!("{:.0}", sample.rate()),
            ratio.map_or_else(String::new, |r| format!("{r:.2}")),
            quantile(0.5),
            quantile(0.99),
            cpu,
            target.to_string(),
            verdict(ratio.and_then(|ratio| target.is_met(ratio))),
        ]);
    }

    /// A ratio of two figures that other rows show.
    pub fn ratio(&mut self, what: &str, ratio: f64, target: Target) {
        let none = String::new;
        let met = verdict(target.is_met(ratio));
        self.push([what.to_owned(), none(), format!("{ratio:.2}"), none(), none(), none(), target.to_string(), met]);
    }

    /// A figure that is no rate, with its unit.
    pub fn figure(&mut self, what: &str, figure: f64, unit: &str, target: Target) {
        let none = String::new;
        let (shown, met) = (format!("{figure:.2} {unit}"), verdict(target.is_met(figure)));
        self.push([what.to_owned(), shown, none(), none(), none(), none(), format!("{target} {unit}"), met]);
    }

    fn push(&mut self, row: [String; 8]) {
        eprintln!("{}", row.join("  "));
        self.rows.push(row);
    }
}

fn verdict(met: Option<bool>) -> String {
    match met {
        None => "",
        Some(true) => "met",
        Some(false) => "MISSED",
    }
    .to_owned()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["", "REQ/S", "RATIO", "P50 MS", "P99 MS", "CPU µs", "TARGET", ""]);
        for row in &self.rows {
            table.add_row(row);
        }
        for column in table.column_iter_mut().skip(1).take(5) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        write!(f, "{table}")
    }
}
