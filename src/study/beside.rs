//! What a report holds beside its answers, as numbers that a re-run gives again.

use serde::Serialize;

use super::Report;
use crate::attribution::Attribution;
use crate::attribution::aggregate::by_maximum;
use crate::pruning::effect::ControlReport;
use crate::pruning::{Race, SearchReport};
use crate::scoring::{Accuracy, Audit};
use crate::tuning::TuneReport;

/// Largest difference of an attribution's scores, of their layer's largest: devices differ by less than half of it.
const OF_A_SCORE: f64 = 1e-3;
/// Largest difference of a race's numbers: two neurons of nearly one score may change places.
const OF_A_RACE: f64 = 1e-2;

/// A part of a report.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    name: &'static str,
    /// In an order that the study alone decides.
    numbers: Vec<f64>,
    /// By how much the same numbers may differ, because devices round otherwise; counts not at all.
    tolerance: f64,
}

/// A part of a report, compared with that of a re-run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ReproducedPart {
    /// Its name in the report.
    pub part: String,
    /// How many of its numbers were compared.
    pub compared: usize,
    /// How many of them differ by more than rounding explains.
    pub different: usize,
}

impl Part {
    /// Those that a report has.
    pub fn all_of(report: &Report) -> Vec<Self> {
        let counts = |name, numbers| Self {
            name,
            numbers,
            tolerance: 1e-9,
        };
        let parts = [
            (report.audit.as_ref()).map(|found| counts("audit", of_audit(found))),
            report.attribution.as_ref().map(|found| Self {
                name: "attribution",
                numbers: of_attribution(found),
                tolerance: OF_A_SCORE,
            }),
            report.race.as_ref().map(|found| Self {
                name: "race",
                numbers: of_race(found),
                tolerance: OF_A_RACE,
            }),
            (report.search.as_ref()).map(|found| counts("search", of_search(found))),
            (report.control.as_ref()).map(|found| counts("control", of_control(found))),
            (report.tuning.as_ref()).map(|found| counts("tuning", of_tuning(found))),
        ];
        parts.into_iter().flatten().collect()
    }

    /// Compared with the same part of a re-run, where that has it.
    pub fn compared(&self, measured: &[Self]) -> ReproducedPart {
        let measured = measured.iter().find(|part| part.name == self.name);
        let now = measured.map_or(&[][..], |part| &part.numbers);
        let is_same = |(then, now): &(&f64, &f64)| (*then - *now).abs() <= self.tolerance;
        let same = self.numbers.iter().zip(now).filter(is_same).count();
        let compared = self.numbers.len().max(now.len());
        ReproducedPart {
            part: self.name.to_owned(),
            compared,
            different: compared - same,
        }
    }
}

fn right(accuracy: &Accuracy) -> f64 {
    accuracy.correct as f64
}

fn of_audit(found: &Audit) -> Vec<f64> {
    let asked = found.asked.iter();
    let asked = asked.flat_map(|way| way.accuracy.iter().chain(&way.same_answer));
    let lengths = &found.lengths;
    let shares = [
        &found.accuracy,
        &found.position.consistent,
        &lengths.longest_right,
        &lengths.longest_predicted,
        &lengths.shortest_right,
        &lengths.shortest_predicted,
    ];
    let places = found.position.places.iter();
    let places = places.flat_map(|place| [place.predicted as f64, right(&place.accuracy)]);
    shares
        .into_iter()
        .chain(asked)
        .map(right)
        .chain(places)
        .collect()
}

/// Scores as shares of their layer's largest.
fn of_attribution(found: &Attribution) -> Vec<f64> {
    let layers = found.scores.iter().cloned();
    layers.flat_map(by_maximum).map(f64::from).collect()
}

fn of_race(found: &Race) -> Vec<f64> {
    let methods = found.methods.iter();
    methods
        .flat_map(|method| [method.correlation.value, method.found.value])
        .collect()
}

fn of_search(found: &SearchReport) -> Vec<f64> {
    let cells = found.cells.iter().map(|cell| right(&cell.accuracy));
    let luck = found.luck.iter().flat_map(|luck| &luck.best);
    cells.chain(luck.map(|&best| best as f64)).collect()
}

fn of_control(found: &ControlReport) -> Vec<f64> {
    let sets = found.sets.iter();
    sets.flat_map(|set| set.accuracies.iter().copied())
        .collect()
}

fn of_tuning(found: &TuneReport) -> Vec<f64> {
    let curves = found.curves.iter();
    curves
        .flat_map(|curve| {
            let after = curve.sets.iter().map(|set| right(&set.after));
            std::iter::once(curve.best_step as f64).chain(after)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_differ_or_lack_are_counted() {
        let part = |numbers: &[f64]| Part {
            name: "race",
            numbers: numbers.to_vec(),
            tolerance: 0.01,
        };
        let different = |now: &[Part]| part(&[1.0, 2.0, 3.0]).compared(now).different;
        assert_eq!(different(&[part(&[1.001, 2.0, 3.0])]), 0);
        assert_eq!(different(&[part(&[1.1, 2.0, 3.0])]), 1);
        assert_eq!(different(&[part(&[1.0, f64::NAN])]), 2);
        assert_eq!(different(&[]), 3);
    }
}
