//! Whether a model is right as often as it is confident.

use serde::{Deserialize, Serialize};

use super::metrics::ItemScore;

/// Bins of equal width between 0 and 1.
const BINS: usize = 10;

/// The items whose confidence lies in one bin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "CalibrationBin"))]
pub struct Bin {
    /// Lower end; the bin holds it only where it is 0.
    pub low: f64,
    /// Upper end, which the bin holds.
    pub high: f64,
    /// Items in it.
    pub items: usize,
    /// Their mean confidence; 0 for none.
    pub confidence: f64,
    /// The share of them that is answered right; 0 for none.
    pub accuracy: f64,
}

/// Confidence against accuracy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Calibration {
    /// Expected calibration error: mean over the items of `|accuracy − confidence|` of their bin (Guo et al., 2017,
    /// Eq. 3, with 10 bins).
    pub expected_error: f64,
    /// Mean confidence of all items.
    pub confidence: f64,
    /// The bins, ascending.
    pub bins: Vec<Bin>,
}

impl Calibration {
    /// Of scored items; all zero for none.
    pub fn of(items: &[ItemScore]) -> Self {
        let width = 1.0 / BINS as f64;
        let mut bins: Vec<Bin> = (0..BINS)
            .map(|index| Bin {
                low: index as f64 * width,
                high: (index + 1) as f64 * width,
                ..Bin::default()
            })
            .collect();
        for item in items {
            // A value on an edge belongs to the bin below.
            let index = (item.confidence * BINS as f64).ceil().max(1.0) as usize - 1;
            if let Some(bin) = bins.get_mut(index.min(BINS - 1)) {
                bin.items += 1;
                bin.confidence += item.confidence;
                bin.accuracy += f64::from(u8::from(item.correct));
            }
        }
        for bin in bins.iter_mut().filter(|bin| bin.items > 0) {
            bin.confidence /= bin.items as f64;
            bin.accuracy /= bin.items as f64;
        }
        let total = items.len().max(1) as f64;
        let gap = |bin: &Bin| bin.items as f64 * (bin.accuracy - bin.confidence).abs();
        Self {
            expected_error: bins.iter().map(gap).sum::<f64>() / total,
            confidence: items.iter().map(|item| item.confidence).sum::<f64>() / total,
            bins,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(confidence: f64, correct: bool) -> ItemScore {
        ItemScore {
            id: String::new(),
            gold: 0,
            predicted: usize::from(!correct),
            correct,
            confidence,
            choices: Vec::new(),
        }
    }

    /// Two bins: three items of 0.65 on average, two of them right, and one of 0.95, wrong:
    /// (3 · |2/3 − 0.65| + 1 · 0.95) / 4 = 0.25.
    #[test]
    fn the_expected_error_weighs_the_bins_by_their_items() {
        let items = [
            item(0.61, true),
            item(0.65, true),
            item(0.69, false),
            item(0.95, false),
        ];
        let calibration = Calibration::of(&items);
        assert!((calibration.expected_error - 0.25).abs() < 1e-12);
        assert_eq!(calibration.bins[6].items, 3);
        assert!((calibration.confidence - 0.725).abs() < 1e-12);
    }

    #[test]
    fn a_model_that_is_right_as_often_as_it_says_has_no_error() {
        let items = [item(0.5, true), item(0.5, false), item(1.0, true)];
        assert!(Calibration::of(&items).expected_error.abs() < 1e-12);
        assert_eq!(Calibration::of(&items).bins[4].items, 2);
        assert!(Calibration::of(&[]).expected_error.abs() < 1e-12);
    }
}
