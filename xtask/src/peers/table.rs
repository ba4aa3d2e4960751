//! The table of ratios.

use std::fmt;

/// One engine at one work.
pub struct Side {
    pub name: String,
    /// Its seconds, or why there are none.
    pub seconds: Result<f64, String>,
}

/// A work that two engines did.
pub struct Row {
    pub work: String,
    pub ours: Side,
    pub other: Side,
    /// The largest ratio of our time to the other's that is aimed at.
    pub aim: Option<f64>,
    pub note: String,
}

/// Everything that was measured, and on what.
#[derive(Default)]
pub struct Table {
    machine: Vec<String>,
    rows: Vec<Row>,
}

impl Table {
    /// Says what was measured on.
    pub fn machine(&mut self, part: String) {
        self.machine.push(part);
    }

    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    pub fn extend(&mut self, rows: Vec<Row>) {
        self.rows.extend(rows);
    }
}

/// The speeds of a work of so many floating-point operations, ours first.
pub fn speeds(flops: f64, ours: &Side, other: &Side) -> String {
    let speed = |side: &Side| match side.seconds {
        Ok(seconds) => format!("{:.0}", flops / seconds / 1e9),
        Err(_) => "–".into(),
    };
    format!("{} and {} GFLOP/s", speed(ours), speed(other))
}

impl fmt::Display for Side {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.seconds {
            Ok(seconds) if *seconds < 0.1 => {
                write!(formatter, "{}: {:.2} ms", self.name, seconds * 1e3)
            }
            Ok(seconds) => write!(formatter, "{}: {seconds:.3} s", self.name),
            Err(reason) => write!(formatter, "{}: left out ({reason})", self.name),
        }
    }
}

impl Row {
    fn ratio(&self) -> String {
        match (&self.ours.seconds, &self.other.seconds) {
            (Ok(ours), Ok(other)) => format!("{:.2}", ours / other),
            _ => String::new(),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}\n", self.machine.join("; "))?;
        writeln!(
            formatter,
            "| work | ours | other | ours ÷ other | aim | note |"
        )?;
        writeln!(formatter, "|---|---|---|---|---|---|")?;
        for row in &self.rows {
            let aim = row
                .aim
                .map_or_else(String::new, |aim| format!("≤ {aim:.2}"));
            let (ratio, note) = (row.ratio(), &row.note);
            writeln!(
                formatter,
                "| {} | {} | {} | {ratio} | {aim} | {note} |",
                row.work, row.ours, row.other
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(name: &str, seconds: Result<f64, String>) -> Side {
        Side {
            name: name.into(),
            seconds,
        }
    }

    #[test]
    fn a_row_has_the_ratio_of_the_times_or_the_reason_why_not() {
        let mut table = Table::default();
        table.machine("a machine".into());
        for other in [Ok(0.5), Err("no such file".into())] {
            table.push(Row {
                work: "a pass".into(),
                ours: side("ours", Ok(0.05)),
                other: side("theirs", other),
                aim: Some(0.9),
                note: String::new(),
            });
        }
        let lines: Vec<String> = table.to_string().lines().map(str::to_owned).collect();
        assert_eq!(
            lines[4..],
            [
                "| a pass | ours: 50.00 ms | theirs: 0.500 s | 0.10 | ≤ 0.90 |  |",
                "| a pass | ours: 50.00 ms | theirs: left out (no such file) |  | ≤ 0.90 |  |",
            ]
        );
    }

    #[test]
    fn speeds_are_of_the_operations_over_the_time() {
        let (ours, other) = (side("ours", Ok(0.5)), side("theirs", Err("why".into())));
        assert_eq!(speeds(2e10, &ours, &other), "40 and – GFLOP/s");
    }
}
