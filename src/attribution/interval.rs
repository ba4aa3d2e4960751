//! Means over items with their 95 % intervals, by Student's t.

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

/// The 97.5 % quantile of Student's t of so many degrees of freedom, at least one: Fisher's expansion around the normal one (Abramowitz and
/// Stegun, 26.7.5); below four, where that is too far off, lines between the values. Within 0.3 % where these are whole.
fn student_t(freedom: f64) -> f64 {
    let z = 1.959_963_984_540_054_f64;
    let [z3, z5, z7] = [3, 5, 7].map(|power| z.powi(power));
    let between = |low: f64, high: f64| low + (high - low) * freedom.fract();
    match freedom {
        v if v < 2.0 => between(12.706, 4.303),
        v if v < 3.0 => between(4.303, 3.182),
        v if v < 4.0 => between(3.182, 2.776),
        v => {
            z + (z3 + z) / (4.0 * v)
                + (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * v.powi(2))
                + (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * z) / (384.0 * v.powi(3))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_student_s() {
        // By scipy.stats.t.ppf(0.975, ν).
        for (freedom, expected) in [
            (1.0, 12.706_205),
            (2.0, 4.302_653),
            (3.0, 3.182_446),
            (4.0, 2.776_445),
            (9.0, 2.262_157),
            (100.0, 1.983_972),
        ] {
            let found = student_t(freedom);
            assert!((found / expected - 1.0).abs() < 3e-3, "{freedom}: {found}");
        }
    }

    #[test]
    fn an_interval_takes_two_items() {
        // Of 1, 2, 3 the mean is 2 and its standard error 1/√3.
        let three = Mean::of([1.0, 2.0, 3.0].into_iter());
        assert_eq!(three.value, 2.0);
        let half = three.half_width().unwrap();
        assert!((half - 4.303 / 3f64.sqrt()).abs() < 1e-9);
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
