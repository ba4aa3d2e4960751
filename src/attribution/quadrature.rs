//! Nodes and weights on 0..1, named as in Captum.

use serde::{Deserialize, Serialize};

/// A Riemann sum with equal weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Riemann {
    /// Nodes `k/m`, `k = 1..m` (the paper).
    Right,
    /// Nodes `(k − 1)/m`.
    Left,
    /// Nodes `(k − ½)/m`.
    Middle,
}

impl Riemann {
    /// The `steps` nodes; each has weight `1 / steps`.
    pub fn nodes(self, steps: usize) -> Vec<f64> {
        let offset = match self {
            Self::Right => 1.0,
            Self::Left => 0.0,
            Self::Middle => 0.5,
        };
        (0..steps)
            .map(|k| (k as f64 + offset) / steps as f64)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integral(rule: Riemann, steps: usize, f: impl Fn(f64) -> f64) -> f64 {
        rule.nodes(steps).into_iter().map(f).sum::<f64>() / steps as f64
    }

    #[test]
    fn the_middle_rule_is_exact_for_lines_and_the_others_err_to_either_side() {
        let line = |x: f64| 2.0 * x;
        assert!((integral(Riemann::Middle, 3, line) - 1.0).abs() < 1e-12);
        assert!((integral(Riemann::Right, 4, line) - 1.25).abs() < 1e-12);
        assert!((integral(Riemann::Left, 4, line) - 0.75).abs() < 1e-12);
    }

    #[test]
    fn all_rules_converge() {
        for rule in [Riemann::Right, Riemann::Left, Riemann::Middle] {
            let error = |steps| (integral(rule, steps, f64::exp) - (1f64.exp() - 1.0)).abs();
            assert!(error(200) < error(20) / 5.0, "{rule:?}");
        }
    }
}
