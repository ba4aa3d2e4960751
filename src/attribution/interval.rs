//! Means over items with their 95 % intervals, by Student's t.

use std::f64::consts::FRAC_PI_2;
use std::sync::LazyLock;

use super::quadrature::{Node, Quadrature};

/// A mean over items, and half the width of its 95 % interval; none for fewer than two items.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mean {
    /// The mean.
    pub value: f64,
    /// The variance of the mean, and its degrees of freedom.
    spread: Option<(f64, f64)>,
}

impl Mean {
    /// Of some values.
    pub fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let n = values.clone().count() as f64;
        let value = values.clone().sum::<f64>() / n.max(1.0);
        let squares = values.map(|x| (x - value).powi(2)).sum::<f64>();
        Self {
            value,
            spread: (n > 1.0).then(|| (squares / (n - 1.0) / n, n - 1.0)),
        }
    }

    /// This one minus another one of other items; its degrees of freedom are Welch's (1947).
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        let both = self.spread.zip(other.spread);
        Self {
            value: self.value - other.value,
            spread: both.map(|((a, of_a), (b, of_b))| {
                let freedom = (a + b).powi(2) / (a * a / of_a + b * b / of_b);
                let freedom = if freedom.is_finite() {
                    freedom
                } else {
                    of_a + of_b
                };
                (a + b, freedom)
            }),
        }
    }

    /// Half the width of the 95 % interval.
    pub fn half_width(self) -> Option<f64> {
        let (variance, freedom) = self.spread?;
        Some(student_t(freedom) * variance.sqrt())
    }
}

/// The 97.5 % quantile of Student's t of so many degrees of freedom, at least one, within 3e-6 of itself.
///
/// Of many it is Fisher's expansion around the normal one (Abramowitz and Stegun, 26.7.5). Of few it is found by Newton's method: with
/// `t = √ν / tan θ` a share `∫ sin^(ν−1)` from 0 to θ of that from 0 to π/2 lies beyond ±t. With `θ = u²` Gauss' rule is exact enough.
fn student_t(freedom: f64) -> f64 {
    const FEW: f64 = 12.0;
    const BEYOND: f64 = 0.05;
    static NODES: LazyLock<Vec<Node>> = LazyLock::new(|| Quadrature::GaussLegendre.nodes(16));
    if freedom > FEW {
        let z = 1.959_963_984_540_054_f64;
        let [z3, z5, z7, z9] = [3, 5, 7, 9].map(|power| z.powi(power));
        let terms = [
            (z3 + z) / 4.0,
            (5.0 * z5 + 16.0 * z3 + 3.0 * z) / 96.0,
            (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * z) / 384.0,
            (79.0 * z9 + 776.0 * z7 + 1482.0 * z5 - 1920.0 * z3 - 945.0 * z) / 92_160.0,
        ];
        let by_power = terms.into_iter().rev();
        return z + by_power.fold(0.0, |sum, term| (sum + term) / freedom);
    }
    let slope = |u: f64| 2.0 * u * (u * u).sin().powf(freedom - 1.0);
    let up_to = |u: f64| {
        let nodes = NODES.iter();
        u * nodes
            .map(|&(at, weight)| weight * slope(at * u))
            .sum::<f64>()
    };
    let beyond = BEYOND * up_to(FRAC_PI_2.sqrt());
    // Where sin θ is θ.
    let mut u = (beyond * freedom).powf(0.5 / freedom);
    for _ in 0..8 {
        u -= (up_to(u) - beyond) / slope(u);
    }
    freedom.sqrt() / (u * u).tan()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_student_s() {
        // By scipy.stats.t.ppf(0.975, ν).
        for (freedom, expected) in [
            (1.0, 12.706_204_736),
            (1.25, 8.027_951_377),
            (1.5, 6.016_663_104),
            (2.0, 4.302_652_730),
            (3.5, 2.940_088_638),
            (4.0, 2.776_445_105),
            (9.0, 2.262_157_163),
            (12.0, 2.178_812_830),
            (12.01, 2.178_611_639),
            (30.0, 2.042_272_456),
            (1000.0, 1.962_339_081),
        ] {
            let found = student_t(freedom);
            assert!((found / expected - 1.0).abs() < 3e-6, "{freedom}: {found}");
        }
    }

    #[test]
    fn an_interval_takes_two_items() {
        // Of 1, 2, 3 the mean is 2 and its standard error 1/√3.
        let three = Mean::of([1.0, 2.0, 3.0].into_iter());
        assert_eq!(three.value, 2.0);
        let half = three.half_width().unwrap();
        assert!((half - 4.302_652_73 / 3f64.sqrt()).abs() < 1e-7);
        assert_eq!(Mean::of([1.0].into_iter()).half_width(), None);
    }

    #[test]
    fn a_difference_has_welch_s_interval() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0], [10.0, 14.0, 12.0]);
        let found = Mean::of(b.into_iter()).minus(Mean::of(a.into_iter()));
        assert_eq!(found.value, 9.5);
        // By hand: variances of the means 5/12 and 4/3, Welch's degrees of freedom 3.26.
        let (of_a, of_b) = (5.0 / 12.0, 4.0 / 3.0);
        let freedom = (of_a + of_b) * (of_a + of_b) / (of_a * of_a / 3.0 + of_b * of_b / 2.0);
        let half = student_t(freedom) * f64::sqrt(of_a + of_b);
        assert!((found.half_width().unwrap() - half).abs() < 1e-12);
        assert!((freedom - 3.23).abs() < 0.05, "{freedom}");
        let constant = Mean::of([1.0, 1.0].into_iter());
        assert_eq!(constant.minus(constant).half_width(), Some(0.0));
    }
}
