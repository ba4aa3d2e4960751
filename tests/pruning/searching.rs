//! The search: every cell by every rule is its mask tried, halving loses nothing of what it keeps, and luck is the same for both.

use std::cell::Cell as Seen;

use secateur::attribution::{Ablation, Measured, Positions, ablation};
use secateur::job::{Host, Progress};
use secateur::pruning::rules::{AboveShare, Evidence, MostHarmful, Picked, TopOfLayers};
use secateur::pruning::search::spec::Greedy;
use secateur::pruning::search::{SearchControl, search};
use secateur::pruning::{Operation, SearchReport, SearchSpec, Selection};

use super::*;

fn spec(layers: Option<&[usize]>, percents: &[f64]) -> SearchSpec {
    SearchSpec {
        layers: layers.map(<[usize]>::to_vec),
        ..SearchSpec::of_layers(percents.to_vec())
    }
}

/// A search of one set, without means.
fn found(
    bench: &Bench,
    attribution: &Attribution,
    spec: &SearchSpec,
) -> Result<SearchReport, RunError> {
    let trials = [(bench.trial(), &bench.scores)];
    wait(search(&trials, attribution.into(), spec, None, job()))
}

fn searched(bench: &Bench, layers: &[usize], percents: &[f64]) -> SearchReport {
    found(bench, &bench.attribution(), &spec(Some(layers), percents)).unwrap()
}

fn top(selection: &Selection) -> TopPercent {
    match selection {
        Selection::Top(top) => *top,
        other => panic!("{other}"),
    }
}

/// Each cell's random masks are those of a random control of its mask, and the best of each surface is the best of its cells.
#[test]
fn a_search_says_what_luck_alone_gives() {
    let bench = Bench::new("tiny-llama-tied");
    let attribution = bench.attribution();
    let mut asked = spec(None, &[25.0, 75.0]);
    asked.windows = vec![1, 2];
    asked.control = Some(SearchControl { masks: 6, seed: 4 });
    let report = found(&bench, &attribution, &asked).unwrap();
    let luck = report.luck.unwrap();
    assert_eq!((luck.seed, luck.correct.len()), (4, report.cells.len()));
    assert_eq!(luck.items, None);
    let items = bench.scores.items.len() as f64;
    for (cell, correct) in report.cells.iter().zip(&luck.correct) {
        let mask = cell.selection.mask((&attribution).into()).unwrap();
        let trials = [bench.trial()];
        let by_hand = wait(control(&trials, mask, (6, 4), None, job()));
        let by_hand = by_hand.unwrap().sets.remove(0);
        let accuracies: Vec<f64> = correct.iter().map(|&n| n as f64 / items).collect();
        assert_eq!(accuracies, by_hand.accuracies, "{}", cell.selection);
    }
    for (mask, best) in luck.best.iter().enumerate() {
        let of_cells = luck.correct.iter().map(|correct| correct[mask]);
        assert_eq!(Some(*best), of_cells.max());
    }
    assert_eq!(luck.best.len(), 6);
    asked.control = Some(SearchControl { masks: 0, seed: 4 });
    let refused = found(&bench, &attribution, &asked);
    assert!(matches!(refused, Err(RunError::Settings(_))));
}

#[test]
fn every_cell_of_a_search_is_its_mask_tried() {
    for folder in common::SCORED {
        let bench = Bench::new(folder);
        let attribution = bench.attribution();
        let report = searched(&bench, &[1, 0], &[10.0, 50.0, 100.0]);
        assert_eq!(report.baseline, bench.scores.accuracy);
        assert_eq!(report.sets, ["set"]);
        let order: Vec<(usize, f64)> = report
            .cells
            .iter()
            .map(|cell| top(&cell.selection))
            .map(|TopPercent { layer, percent }| (layer, percent))
            .collect();
        let grid = [10.0, 50.0, 100.0];
        assert_eq!(order, [grid.map(|p| (1, p)), grid.map(|p| (0, p))].concat());
        for cell in &report.cells {
            let selection = top(&cell.selection);
            let mask = selection.mask(&attribution).unwrap();
            assert_eq!(cell.neurons, mask.n_neurons());
            assert_eq!(
                cell.accuracy,
                bench.under(&mask).accuracy,
                "{folder} {selection:?}"
            );
        }
    }
}

/// Of the cells with most right answers the ones with fewest neurons, of those the lowest layer, whatever the
/// order in which layers and percentages are asked for.
#[test]
fn the_best_cell_prunes_least_among_the_most_accurate_and_lies_lowest() {
    for folder in common::SCORED {
        let bench = Bench::new(folder);
        let mut layers: Vec<usize> = (0..bench.model.config().n_layers).collect();
        let mut percents = vec![5.0, 10.0, 20.0, 40.0, 80.0];
        let report = searched(&bench, &layers, &percents);
        let most = report
            .cells
            .iter()
            .map(|cell| cell.accuracy.correct)
            .max()
            .unwrap();
        let mut best: Vec<(usize, usize)> = report
            .cells
            .iter()
            .filter(|cell| cell.accuracy.correct == most)
            .map(|cell| (cell.neurons, top(&cell.selection).layer))
            .collect();
        best.sort_unstable();
        // Ties there are: four items give five accuracies to more cells than that.
        assert!(best.len() > 1, "{folder}: no tie, so nothing is tested");
        let chosen = top(&report.best);
        let neurons = chosen.n_neurons(bench.model.config().d_mlp).unwrap();
        assert_eq!((neurons, chosen.layer), best[0], "{folder}");
        layers.reverse();
        percents.reverse();
        assert_eq!(
            searched(&bench, &layers, &percents).best,
            report.best,
            "{folder}"
        );
    }
}

#[test]
fn a_search_of_nothing_or_outside_the_model_is_refused() {
    let bench = Bench::new("tiny-llama-tied");
    let attribution = bench.attribution();
    for (layers, percents, named) in [
        (&[][..], &[10.0][..], "at least one"),
        (&[0], &[], "at least one"),
        (&[3], &[10.0], "layer 3"),
        (&[0], &[0.0], "percentage"),
        (&[0], &[101.0], "percentage"),
    ] {
        let error = found(&bench, &attribution, &spec(Some(layers), percents)).unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
    }
}

/// The effects of every neuron on the gold margin of every item.
fn measured(bench: &Bench) -> Ablation {
    let settings = Settings::of_harm(Positions::All);
    let layers: Vec<usize> = (0..bench.model.config().n_layers).collect();
    let mut measured = [Measured::new(settings, None)];
    let measuring = ablation::measure(
        &bench.model,
        ("set", &bench.items),
        &bench.prompts,
        &bench.scores.items,
        &layers,
        &mut measured,
        job(),
    );
    wait(measuring).unwrap();
    let [Measured { found, .. }] = measured;
    found.unwrap()
}

/// The neurons of a selection, found by sorting all of a list.
fn by_hand(selection: &Selection, attribution: &Attribution, harm: &Ablation) -> Vec<Neuron> {
    let d_mlp = attribution.d_mlp;
    let all = |layers: &[usize]| -> Vec<Neuron> {
        let of_layer = |&layer: &usize| (0..d_mlp).map(move |index| Neuron { layer, index });
        layers.iter().flat_map(of_layer).collect()
    };
    let score = |neuron: &Neuron| attribution.scores[neuron.layer][neuron.index].abs();
    let first = |mut neurons: Vec<Neuron>, percent: f64, by: &dyn Fn(&Neuron) -> f32| {
        neurons.sort_by(|a, b| by(b).total_cmp(&by(a)));
        let count = (percent * neurons.len() as f64 / 100.0).round() as usize;
        neurons.truncate(count);
        neurons
    };
    match selection {
        Selection::Top(TopPercent { layer, percent }) => first(all(&[*layer]), *percent, &score),
        Selection::Together(TopOfLayers { layers, percent }) => {
            first(all(layers), *percent, &score)
        }
        Selection::Above(AboveShare { share }) => {
            let all = all(&(0..attribution.n_layers).collect::<Vec<_>>());
            let largest = all.iter().map(score).fold(0.0, f32::max);
            let is_above = |neuron: &Neuron| f64::from(score(neuron)) > share * f64::from(largest);
            all.into_iter().filter(is_above).collect()
        }
        Selection::Harmful(MostHarmful {
            layer,
            harmful_percent,
        }) => {
            let harm = |neuron: &Neuron| {
                let of_items = harm.effects[neuron.layer].iter();
                -of_items.map(|item| item[neuron.index]).sum::<f32>()
            };
            first(all(&[*layer]), *harmful_percent, &harm)
        }
        Selection::Picked(Picked { picked }) => picked.clone(),
    }
}

/// What is picked one by one, every candidate of every round scored on its own: right answers and the sum of the gold margins.
fn picked_by_hand(
    bench: &Bench,
    candidates: &[Neuron],
    rounds: usize,
    factor: f32,
    offset: impl Fn(Neuron) -> f32 + Copy,
) -> Vec<(Vec<Neuron>, usize)> {
    let value = |scores: &SetScores| {
        let margins = scores.items.iter().map(|item| item.gold_margin());
        (scores.accuracy.correct, margins.sum::<f64>())
    };
    let mut current = value(&bench.scores);
    let mut steps: Vec<(Vec<Neuron>, usize)> = Vec::new();
    while steps.len() < rounds {
        let before = steps
            .last()
            .map_or(Vec::new(), |(neurons, _)| neurons.clone());
        let left = candidates.iter().filter(|neuron| !before.contains(neuron));
        let tried = left.map(|&neuron| {
            let neurons = [before.clone(), vec![neuron]].concat();
            let found = value(&bench.changed(&neurons, factor, offset));
            (found, neurons)
        });
        let best = tried.max_by(|(a, _), (b, _)| a.partial_cmp(b).unwrap());
        match best {
            Some((found, neurons)) if found > current => {
                current = found;
                steps.push((neurons, found.0));
            }
            _ => break,
        }
    }
    steps
}

/// Every cell of every rule, by every operation, against its neurons sorted out by hand and the items run under them.
#[test]
fn every_rule_and_operation_is_its_mask_tried() {
    for folder in common::SCORED {
        let bench = Bench::new(folder);
        let (attribution, harm) = (bench.attribution(), measured(&bench));
        let n_layers = attribution.n_layers;
        let means = wait(Means::measure(bench.trial(), job())).unwrap();
        let levels: Vec<Vec<f32>> = (0..n_layers).map(|layer| bench.means(layer)).collect();
        let mut asked = spec(None, &[25.0, 75.0]);
        asked.windows = vec![1, 2];
        asked.shares = vec![0.1, 0.5];
        asked.harm = true;
        asked.greedy = Some(Greedy {
            candidates: 5,
            rounds: 3,
        });
        let ways: [(Operation, Option<f64>, f32); 3] = [
            (Operation::Zero, None, 0.0),
            (Operation::Scale, Some(-2.0), -2.0),
            (Operation::Mean, None, 0.0),
        ];
        for (operation, factor, by) in ways {
            (asked.operation, asked.factor) = (operation, factor);
            let level = |neuron: Neuron| match operation {
                Operation::Mean => levels[neuron.layer][neuron.index],
                _ => 0.0,
            };
            let trials = [(bench.trial(), &bench.scores)];
            let of = Evidence {
                attribution: &attribution,
                measured: Some(&harm),
            };
            let report = wait(search(&trials, of, &asked, Some(&means), job())).unwrap();
            assert_eq!(report.spec.as_ref(), Some(&asked));
            let rules = [2 * n_layers, 2 * (n_layers - 1), 2, 2 * n_layers];
            let cells = rules.iter().sum::<usize>();
            for cell in &report.cells {
                let neurons = by_hand(&cell.selection, &attribution, &harm);
                assert_eq!(cell.neurons, neurons.len(), "{folder} {}", cell.selection);
                let expected = bench.changed(&neurons, by, level).accuracy;
                assert_eq!(
                    cell.accuracy, expected,
                    "{folder} {operation:?} {}",
                    cell.selection
                );
            }
            let strongest = ranked(&attribution, None, 5, None);
            let candidates: Vec<Neuron> = strongest.iter().map(|ranked| ranked.neuron).collect();
            let steps = picked_by_hand(&bench, &candidates, 3, by, level);
            let found: Vec<(Vec<Neuron>, usize)> = report.cells[cells..]
                .iter()
                .map(|cell| match &cell.selection {
                    Selection::Picked(Picked { picked }) => (picked.clone(), cell.accuracy.correct),
                    other => panic!("{other}"),
                })
                .collect();
            assert!(!steps.is_empty(), "nothing is picked, so nothing is tested");
            assert_eq!(found, steps, "{folder} {operation:?}");
        }
    }
}

#[test]
fn what_was_not_measured_has_no_harm() {
    let bench = Bench::new("tiny-llama-tied");
    let mut asked = spec(None, &[25.0]);
    asked.harm = true;
    let error = found(&bench, &bench.attribution(), &asked).unwrap_err();
    assert!(
        error.to_string().contains("layer 0 are not measured"),
        "{error}"
    );
    let mut asked = spec(None, &[25.0]);
    asked.operation = Operation::Mean;
    let error = found(&bench, &bench.attribution(), &asked).unwrap_err();
    assert!(
        error.to_string().contains("means are not measured"),
        "{error}"
    );
}

/// What is picked among random neurons is what luck gives who picks.
#[test]
fn picking_has_its_own_luck() {
    let bench = Bench::new("tiny-llama-tied");
    let attribution = bench.attribution();
    let mut asked = spec(None, &[]);
    asked.greedy = Some(Greedy {
        candidates: 4,
        rounds: 2,
    });
    asked.control = Some(SearchControl { masks: 2, seed: 9 });
    let report = found(&bench, &attribution, &asked).unwrap();
    let luck = report.luck.unwrap();
    let own = ranked(&attribution, None, 4, None);
    let own = Mask::of_neurons(Site::Post, own.iter().map(|ranked| ranked.neuron));
    for mask in 0..2 {
        let drawn = random_like(&own, attribution.d_mlp, 9, mask as u64);
        let drawn: Vec<Neuron> = drawn.neurons().collect();
        let steps = picked_by_hand(&bench, &drawn, 2, 0.0, |_| 0.0);
        let stays = steps
            .last()
            .map_or(bench.scores.accuracy.correct, |(_, correct)| *correct);
        for (place, correct) in luck.correct.iter().enumerate() {
            let expected = steps.get(place).map_or(stays, |(_, correct)| *correct);
            assert_eq!(correct[mask], expected, "random mask {mask}, {place}");
        }
    }
}

/// Many items: those of the fixture, each with every one of its choices as the right one.
fn many(folder: &str) -> Bench {
    let mut bench = Bench::new(folder);
    bench.items = (0..4)
        .flat_map(|turn| {
            bench.items.iter().map(move |item| Item {
                id: format!("{}-{turn}", item.id),
                gold: (item.gold + turn) % item.choices.len(),
                ..item.clone()
            })
        })
        .collect();
    bench.scores = scored(&bench.model, &bench.items, &bench.prompts, &Edit::none()).unwrap();
    bench
}

/// Remembers how far a job said it was.
#[derive(Default)]
struct Watching(Seen<(u64, u64)>);

impl Host for Watching {
    fn progress(&self, progress: &Progress) {
        self.0.set((progress.done, progress.total));
    }

    fn now_secs(&self) -> f64 {
        0.0
    }
}

#[test]
fn the_cells_that_halving_keeps_are_known_as_without_it() {
    for folder in common::SCORED {
        let bench = many(folder);
        let attribution = bench.attribution();
        let n_layers = attribution.n_layers;
        let mut asked = spec(None, &[5.0, 10.0, 20.0, 40.0, 80.0]);
        asked.control = Some(SearchControl { masks: 2, seed: 3 });
        let full = found(&bench, &attribution, &asked).unwrap();
        asked.halving = true;
        let watching = Watching::default();
        let trials = [(bench.trial(), &bench.scores)];
        let job = secateur::job::Job::new(&watching);
        let halved = wait(search(&trials, (&attribution).into(), &asked, None, job)).unwrap();
        // 16 items: all cells on 4, half of them on 8, a quarter on 16.
        let cells = 5 * n_layers;
        let sizes = [cells, cells.div_ceil(2), cells.div_ceil(4)];
        let tried_on = |items: usize| {
            let whole = |cell: &&_| -> bool { tries(cell) >= items };
            halved.cells.iter().filter(whole).count()
        };
        assert_eq!([4, 8, 16].map(tried_on), sizes, "{folder}");
        let cost = asked.cost(n_layers, 16);
        let runs = 3 * (sizes[0] * 4 + sizes[1] * 4 + sizes[2] * 8);
        assert_eq!((cost.full, cost.halving), (3 * cells * 16, runs));
        assert_eq!(watching.0.get(), (runs as u64, runs as u64));
        for (halved, full) in halved.cells.iter().zip(&full.cells) {
            assert_eq!(halved.selection, full.selection);
            if tries(halved) == 16 {
                assert_eq!(
                    halved.accuracy, full.accuracy,
                    "{folder} {}",
                    full.selection
                );
            } else {
                let most = full.accuracy.correct;
                assert!(
                    halved.accuracy.correct <= most,
                    "{folder} {}",
                    full.selection
                );
            }
        }
        // Each random surface leaves as many cells, its own, and its best is the best of those that are left.
        let (luck, all) = (halved.luck.unwrap(), full.luck.unwrap());
        let items = luck.items.unwrap();
        for (mask, &best) in luck.best.iter().enumerate() {
            let whole: Vec<usize> = (0..cells).filter(|&cell| items[cell][mask] == 16).collect();
            assert_eq!(whole.len(), sizes[2]);
            for &cell in &whole {
                assert_eq!(luck.correct[cell][mask], all.correct[cell][mask]);
            }
            let of_whole = whole.iter().map(|&cell| luck.correct[cell][mask]).max();
            assert_eq!(Some(best), of_whole);
        }
        let kept = halved.cells.iter().filter(|cell| tries(cell) == 16);
        let most = kept.map(|cell| cell.accuracy.correct).max();
        let best = halved
            .cells
            .iter()
            .find(|cell| cell.selection == halved.best);
        assert_eq!(best.map(|cell| cell.accuracy.correct), most);
    }
}

fn tries(cell: &secateur::pruning::search::Cell) -> usize {
    cell.accuracy.total
}
