//! What a search is asked for: its cells by every rule, what becomes of neurons, and how the validation items are spent.

use serde::{Deserialize, Serialize};

use super::halving::rounds;
use super::{SearchControl, check_cell_masks};
use crate::attribution::layers::layers_or_all;
use crate::model::Site;
use crate::pruning::rules::{AboveShare, MostHarmful, Selection, TopOfLayers};
use crate::pruning::selection::TopPercent;
use crate::pruning::{Mask, Operation};
use crate::scoring::RunError;

/// Which cells a search tries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct SearchSpec {
    /// Layers; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layers: Option<Vec<usize>>,
    /// Percentages.
    pub percents: Vec<f64>,
    /// Of how many layers, which follow each other among those, the strongest neurons are taken together: 1 is one layer, the paper's
    /// rule, and what is meant when absent.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    #[cfg_attr(test, ts(as = "Option<Vec<usize>>"))]
    pub windows: Vec<usize>,
    /// Shares of the largest score above which neurons are taken, of any layer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, ts(as = "Option<Vec<f64>>"))]
    pub shares: Vec<f64>,
    /// Whether the most harmful neurons of each layer are tried as well: they are measured on the attribution's items first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, ts(as = "Option<bool>"))]
    pub harm: bool,
    /// Whether neurons are picked one by one as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub greedy: Option<Greedy>,
    /// What a mask does to a neuron.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[cfg_attr(test, ts(as = "Option<Operation>"))]
    pub operation: Operation,
    /// What activations are multiplied by, where the operation is `scale`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<f64>,
    /// Name of the item set that means are over, where the operation is `mean`: the attribution's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub means_of: Option<String>,
    /// Whether the worse half of the cells is left after few items, again and again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, ts(as = "Option<bool>"))]
    pub halving: bool,
    /// Random masks beside every cell; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<SearchControl>,
}

/// Neurons picked one by one: in every round the one that does most for the validation items beside those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(deny_unknown_fields)]
pub struct Greedy {
    /// The strongest neurons by score, among which is picked.
    pub candidates: usize,
    /// Neurons that are picked at most.
    pub rounds: usize,
}

/// Most candidates of a greedy search.
pub const MAX_CANDIDATES: usize = 1000;

/// Most masks of a search, random ones among them.
const MAX_MASKS: usize = 100_000;

fn one() -> Vec<usize> {
    vec![1]
}

fn is_one(windows: &Vec<usize>) -> bool {
    *windows == one()
}

fn is_zero(operation: &Operation) -> bool {
    *operation == Operation::Zero
}

impl Greedy {
    /// Masks that are tried at most, each on all items.
    fn tries(self) -> usize {
        let left = |round: usize| self.candidates.saturating_sub(round);
        (0..self.rounds).map(left).fold(0, usize::saturating_add)
    }

    fn check(self) -> Result<(), RunError> {
        let Self { candidates, rounds } = self;
        match (1..=MAX_CANDIDATES).contains(&candidates) && (1..=candidates).contains(&rounds) {
            true => Ok(()),
            false => Err(RunError::Settings(format!(
                "neurons are picked from 1 to {MAX_CANDIDATES} candidates, at most as many as there are; these are {rounds} of {candidates}"
            ))),
        }
    }
}

/// What a search costs, in runs of one item under one mask.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cost {
    /// Cells, without those of a greedy search.
    pub cells: usize,
    /// Runs where every cell is tried on every item.
    pub full: usize,
    /// Runs by halving.
    pub halving: usize,
    /// How much of the model such a run goes through, on average: a mask leaves what is below its layers as it is.
    pub share_of_model: f64,
}

impl SearchSpec {
    /// The top of every layer: the paper's rule.
    pub fn of_layers(percents: Vec<f64>) -> Self {
        Self {
            layers: None,
            percents,
            windows: one(),
            shares: Vec::new(),
            harm: false,
            greedy: None,
            operation: Operation::Zero,
            factor: None,
            means_of: None,
            halving: false,
            control: None,
        }
    }

    /// A mask of nothing that says what becomes of neurons; means are of the attribution's set where nothing else is said.
    pub fn like(&self, attributed: &str) -> Mask {
        let set = || self.means_of.as_deref().unwrap_or(attributed).to_owned();
        Mask {
            operation: self.operation,
            factor: self.factor,
            means_of: match self.operation {
                Operation::Mean => Some(set()),
                _ => self.means_of.clone(),
            },
            ..Mask::empty(Site::Post)
        }
    }

    /// What a model of so many layers is tried with, without what is picked one by one: rule after rule, layer by layer.
    pub fn selections(&self, n_layers: usize) -> Vec<Selection> {
        let layers = &*layers_or_all(self.layers.as_deref(), n_layers);
        let percents = || self.percents.iter().copied();
        let windows = self.windows.iter().filter(|&&width| width > 0);
        let windows = windows.flat_map(|&width| layers.windows(width));
        let by_score = windows.flat_map(|window| {
            percents().map(move |percent| match *window {
                [layer] => Selection::Top(TopPercent { layer, percent }),
                _ => Selection::Together(TopOfLayers {
                    layers: window.to_vec(),
                    percent,
                }),
            })
        });
        let shares = self.shares.iter().copied();
        let above = shares.map(|share| Selection::Above(AboveShare { share }));
        let measured: &[usize] = if self.harm { layers } else { &[] };
        let by_harm = measured.iter().flat_map(|&layer| {
            percents().map(move |harmful_percent| {
                Selection::Harmful(MostHarmful {
                    layer,
                    harmful_percent,
                })
            })
        });
        by_score.chain(above).chain(by_harm).collect()
    }

    /// Whether a model of so many layers can be searched so.
    ///
    /// # Errors
    ///
    /// [`RunError::Settings`] for no cells or too many, and for a layer, percentage, share, number of layers or of random masks out of
    /// range; [`RunError::Mask`] for an operation that lacks what it takes.
    pub fn check(&self, n_layers: usize) -> Result<(), RunError> {
        let refused = |message: String| Err(RunError::Settings(message));
        let given = self.layers.as_ref().map_or(n_layers, Vec::len);
        let is_outside = |width: &&usize| !(1..=given).contains(*width);
        if let Some(width) = self.windows.iter().find(is_outside).filter(|_| given > 0) {
            return refused(format!(
                "{width} layers cannot be taken together of the {given} that are searched"
            ));
        }
        let rules = self.windows.len() + usize::from(self.harm);
        let cells = rules
            .saturating_mul(given)
            .saturating_mul(self.percents.len())
            .saturating_add(self.shares.len());
        if let Some(control) = self.control {
            check_cell_masks(control)?;
        }
        self.greedy.map_or(Ok(()), Greedy::check)?;
        if cells.saturating_mul(self.surfaces()) > MAX_MASKS {
            return refused(format!(
                "a search takes at most {MAX_MASKS} masks, and {cells} cells with their random masks are more; choose fewer layers, \
                 percentages or random masks"
            ));
        }
        let selections = self.selections(n_layers);
        if selections.is_empty() && self.greedy.is_none() {
            return refused("a search needs at least one layer and one percentage".into());
        }
        selections
            .iter()
            .try_for_each(|selection| selection.check(n_layers))?;
        self.like("").check()
    }

    /// What it costs on a model of so many layers and so many validation items.
    pub fn cost(&self, n_layers: usize, items: usize) -> Cost {
        let selections = self.selections(n_layers);
        // On a machine of 32 bits they may be more than it counts to.
        let picked = self.greedy.map_or(0, Greedy::tries).saturating_mul(items);
        let runs = |halving: bool| {
            let mut before = 0;
            let rounds = rounds(selections.len(), items, halving);
            let new = |round: &super::halving::Round| {
                let new = round.cells * (round.items - before);
                before = round.items;
                new
            };
            let runs: usize = rounds.iter().map(new).sum();
            self.surfaces().saturating_mul(runs + picked)
        };
        let above = |layer: usize| n_layers.saturating_sub(layer) as f64 / n_layers.max(1) as f64;
        let of_selections: f64 = selections.iter().map(|s| above(s.lowest_layer())).sum();
        let (cells, tries) = (selections.len() as f64, picked as f64 / items.max(1) as f64);
        Cost {
            cells: selections.len(),
            full: runs(false),
            halving: runs(true),
            share_of_model: (of_selections + tries) / (cells + tries).max(1.0),
        }
    }

    /// The cells' own masks, and random ones as often.
    fn surfaces(&self) -> usize {
        1 + self.control.map_or(0, |control| control.masks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> SearchSpec {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_search_of_older_documents_is_read_and_written_as_it_was() {
        let text = r#"{"percents":[1.0,5.0],"control":{"masks":3,"seed":4}}"#;
        let spec = read(text);
        assert_eq!(serde_json::to_string(&spec).unwrap(), text);
        let names: Vec<String> = spec.selections(2).iter().map(ToString::to_string).collect();
        assert_eq!(
            names,
            [
                "the top 1 % of layer 0",
                "the top 5 % of layer 0",
                "the top 1 % of layer 1",
                "the top 5 % of layer 1"
            ]
        );
    }

    #[test]
    fn every_rule_has_its_cells() {
        let spec = read(
            r#"{"layers":[0,2,3],"percents":[5],"windows":[1,2],"shares":[0.01],"harm":true}"#,
        );
        let names: Vec<String> = spec.selections(4).iter().map(ToString::to_string).collect();
        assert_eq!(
            names,
            [
                "the top 5 % of layer 0",
                "the top 5 % of layer 2",
                "the top 5 % of layer 3",
                "the top 5 % of layers 0, 2 together",
                "the top 5 % of layers 2, 3 together",
                "every neuron above 1 % of the largest score",
                "the most harmful 5 % of layer 0, as measured",
                "the most harmful 5 % of layer 2, as measured",
                "the most harmful 5 % of layer 3, as measured",
            ]
        );
        spec.check(4).unwrap();
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        for (text, named) in [
            (r#"{"percents":[]}"#, "at least one"),
            (r#"{"percents":[5],"windows":[]}"#, "at least one"),
            (
                r#"{"percents":[5],"windows":[4]}"#,
                "4 layers cannot be taken together of the 3",
            ),
            (
                r#"{"percents":[5],"layers":[0,1],"windows":[3]}"#,
                "of the 2",
            ),
            (r#"{"percents":[5],"windows":[0]}"#, "0 layers"),
            (r#"{"percents":[5],"shares":[2]}"#, "below 1"),
            (
                r#"{"percents":[5],"greedy":{"candidates":4,"rounds":5}}"#,
                "5 of 4",
            ),
            (
                r#"{"percents":[5],"greedy":{"candidates":1001,"rounds":5}}"#,
                "1000 candidates",
            ),
            (r#"{"percents":[5],"operation":"scale"}"#, "`factor`"),
            (r#"{"percents":[5],"factor":0.5}"#, "`factor`"),
            (r#"{"percents":[5],"means_of":"a"}"#, "`means_of`"),
            (
                r#"{"percents":[5],"control":{"masks":0,"seed":0}}"#,
                "random masks",
            ),
        ] {
            let error = read(text).check(3).unwrap_err().to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
        let mut many = read(r#"{"percents":[5],"control":{"masks":100,"seed":0}}"#);
        many.percents = vec![5.0; 400];
        let error = many.check(3).unwrap_err().to_string();
        assert!(error.contains("at most 100000 masks"), "{error}");
    }

    /// The page says the cost as well: both are held to the same cases.
    #[test]
    fn the_cost_is_counted_as_the_page_counts_it() {
        #[derive(Deserialize)]
        struct Case {
            what: String,
            spec: SearchSpec,
            n_layers: usize,
            items: usize,
            cost: serde_json::Value,
        }
        let text = include_str!("../../../tests/fixtures/search-cost.json");
        for case in serde_json::from_str::<Vec<Case>>(text).unwrap() {
            let cost = case.spec.cost(case.n_layers, case.items);
            let count = |name: &str| case.cost[name].as_u64().unwrap() as usize;
            let found = [cost.cells, cost.full, cost.halving];
            assert_eq!(
                found,
                ["cells", "full", "halving"].map(count),
                "{}",
                case.what
            );
            let share = case.cost["share_of_model"].as_f64().unwrap();
            assert!((cost.share_of_model - share).abs() < 1e-12, "{}", case.what);
        }
    }
}
