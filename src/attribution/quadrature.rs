//! Nodes and weights on 0..1, named as in Captum.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// Where an integral's nodes lie, and what they weigh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Quadrature {
    /// Nodes `k/m`, `k = 1..m`, of equal weight (the paper).
    Right,
    /// Nodes `(k − 1)/m`, of equal weight.
    Left,
    /// Nodes `(k − ½)/m`, of equal weight.
    Middle,
    /// Nodes `(k − 1)/(m − 1)`, those at the ends of half the weight of the others. The weights add up to one, while those of Captum
    /// 0.8's `riemann_trapezoid` add up to `(m − 1)/m`.
    Trapezoid,
    /// The zeros of the Legendre polynomial of degree `m`: exact for polynomials of degree `2m − 1`.
    GaussLegendre,
    /// As many nodes as each layer and item needs until the completeness gap is below a share of the difference, more of them where
    /// the target bends ([`LOBATTO`] on pieces of the path). The steps are then the most nodes of a layer and item.
    Adaptive,
}

/// A node on 0..1 and its weight.
pub type Node = (f64, f64);

/// Gauss–Lobatto's rule of four nodes on 0..1, both ends among them: exact for polynomials of degree 5 (Abramowitz and Stegun,
/// 25.4.32). The inner ones lie at `½ ± 1/(2√5)`.
pub const LOBATTO: [Node; 4] = [
    (0.0, 1.0 / 12.0),
    (0.5 - 0.223_606_797_749_978_97, 5.0 / 12.0),
    (0.5 + 0.223_606_797_749_978_97, 5.0 / 12.0),
    (1.0, 1.0 / 12.0),
];

impl Quadrature {
    /// Fewest steps of a rule.
    #[must_use]
    pub fn least(self) -> usize {
        match self {
            Self::Trapezoid => 2,
            // Two pieces, the fewest that a path is begun with.
            Self::Adaptive => 2 * LOBATTO.len(),
            _ => 1,
        }
    }

    /// The nodes of a rule with `steps` of them; none of the adaptive one, which finds its own.
    #[must_use]
    pub fn nodes(self, steps: usize) -> Vec<Node> {
        let equal = |offset: f64| {
            (0..steps)
                .map(|k| ((k as f64 + offset) / steps as f64, 1.0 / steps as f64))
                .collect()
        };
        match self {
            Self::Right => equal(1.0),
            Self::Left => equal(0.0),
            Self::Middle => equal(0.5),
            Self::Trapezoid => {
                let last = steps.saturating_sub(1);
                let width = 1.0 / last.max(1) as f64;
                (0..steps)
                    .map(|k| {
                        (
                            k as f64 * width,
                            if k == 0 || k == last {
                                width / 2.0
                            } else {
                                width
                            },
                        )
                    })
                    .collect()
            }
            Self::GaussLegendre => (1..=steps).rev().map(|k| legendre_zero(steps, k)).collect(),
            Self::Adaptive => Vec::new(),
        }
    }
}

/// The `k`-th largest zero of the Legendre polynomial of a degree, on 0..1, and its weight there, by Newton's method from Tricomi's
/// approximation (Press et al., Numerical Recipes, section 4.6).
fn legendre_zero(degree: usize, k: usize) -> Node {
    let mut x = (PI * (k as f64 - 0.25) / (degree as f64 + 0.5)).cos();
    let mut slope = 1.0;
    for _ in 0..20 {
        // P_n and its derivative, by the recurrence n·P_n = (2n − 1)·x·P_(n−1) − (n − 1)·P_(n−2).
        let (mut value, mut before) = (1.0, 0.0);
        for n in 1..=degree {
            let n = n as f64;
            (value, before) = (
                ((2.0 * n - 1.0) * x * value - (n - 1.0) * before) / n,
                value,
            );
        }
        slope = degree as f64 * (x * value - before) / (x * x - 1.0);
        let step = value / slope;
        x -= step;
        if step.abs() < 1e-15 {
            break;
        }
    }
    (0.5 + x / 2.0, 1.0 / ((1.0 - x * x) * slope * slope))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integral(nodes: &[Node], f: impl Fn(f64) -> f64) -> f64 {
        nodes.iter().map(|&(alpha, weight)| weight * f(alpha)).sum()
    }

    /// The integral of `x^degree` over 0..1 is `1 / (degree + 1)`.
    fn error(nodes: &[Node], degree: i32) -> f64 {
        (integral(nodes, |x| x.powi(degree)) - 1.0 / f64::from(degree + 1)).abs()
    }

    #[test]
    fn the_middle_rule_is_exact_for_lines_and_the_others_err_to_either_side() {
        let line = |x: f64| 2.0 * x;
        assert!((integral(&Quadrature::Middle.nodes(3), line) - 1.0).abs() < 1e-12);
        assert!((integral(&Quadrature::Right.nodes(4), line) - 1.25).abs() < 1e-12);
        assert!((integral(&Quadrature::Left.nodes(4), line) - 0.75).abs() < 1e-12);
    }

    #[test]
    fn the_trapezoid_rule_is_exact_for_lines_and_its_weights_add_up_to_one() {
        for steps in [2, 5, 20] {
            let nodes = Quadrature::Trapezoid.nodes(steps);
            assert!(
                error(&nodes, 0) < 1e-12 && error(&nodes, 1) < 1e-12,
                "{steps} steps"
            );
        }
    }

    #[test]
    fn gauss_legendre_is_exact_up_to_its_degree_and_no_further() {
        for steps in [1, 2, 3, 8, 20, 1000] {
            let nodes = Quadrature::GaussLegendre.nodes(steps);
            assert!(
                nodes.windows(2).all(|pair| pair[0].0 < pair[1].0),
                "{steps} steps"
            );
            let exact = 2 * steps as i32 - 1;
            for degree in [0, exact / 2, exact] {
                assert!(
                    error(&nodes, degree) < 1e-12,
                    "{steps} steps, degree {degree}"
                );
            }
        }
        assert!(error(&Quadrature::GaussLegendre.nodes(2), 4) > 1e-3);
    }

    #[test]
    fn lobattos_rule_is_exact_to_degree_five() {
        for degree in 0..=5 {
            assert!(error(&LOBATTO, degree) < 1e-15, "degree {degree}");
        }
        assert!(error(&LOBATTO, 6) > 1e-4);
    }

    #[test]
    fn all_rules_converge() {
        for rule in [
            Quadrature::Right,
            Quadrature::Left,
            Quadrature::Middle,
            Quadrature::Trapezoid,
        ] {
            let error = |steps| (integral(&rule.nodes(steps), f64::exp) - (1f64.exp() - 1.0)).abs();
            assert!(error(200) < error(20) / 5.0, "{rule:?}");
        }
    }
}
