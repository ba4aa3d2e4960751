//! What neurons do to the gold margin, measured; and what that says of the methods that estimate it.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

mod common;

use std::cell::Cell;
use std::collections::BTreeSet;

use burn::tensor::{Tensor, TensorData};
use common::{FAMILIES, assert_close, host, items, job, model, plain, wait};
use secateur::attribution::ablation::{Measured, measure};
use secateur::attribution::contrast::Against;
use secateur::attribution::quadrature::Quadrature;
use secateur::attribution::settings::{Aggregate, Baseline, Method};
use secateur::attribution::{
    Attribution, IntegrationPath, Positions, Settings, TargetKind, attribute,
};
use secateur::items::{Item, Prompts, Template};
use secateur::job::{Host, Job};
use secateur::model::{Capture, Compute, Edit, Model, Site};
use secateur::pruning::Resampling;
use secateur::pruning::race::spearman;
use secateur::pruning::selection::TopPercent;
use secateur::scoring::audit::Question;
use secateur::scoring::{Encoded, Rule, SetScores, encode, score};
use secateur::study::{RaceSpec, Session, StudyError};

const FOLDER: &str = "tiny-llama-tied";
const SET: &str = "set";
const VALUE: f64 = 2e-5;

/// Of every item and position, on the gold margin, without a threshold.
fn settings(method: Method) -> Settings {
    Settings {
        positions: Positions::All,
        target: TargetKind::GoldMargin,
        confidence_threshold: 0.0,
        ..Settings::preset("fast").unwrap().by(method)
    }
}

fn session() -> Session {
    let mut session = Session::new(Compute::flex(), model(FOLDER), plain().template().clone());
    session.change(|bench| bench.set_items(SET, items(FOLDER)));
    session
}

fn scored(model: &Model, items: &[Item], prompts: &Prompts) -> SetScores {
    let named = (SET, items);
    wait(score(
        model,
        named,
        prompts,
        Rule::Sum,
        &Edit::none(),
        job(),
    ))
    .unwrap()
}

fn attributed(model: &Model, items: &[Item], settings: &Settings) -> Attribution {
    let (prompts, named) = (plain(), (SET, items));
    let scores = scored(model, items, &prompts).items;
    wait(attribute(model, named, &prompts, &scores, settings, job())).unwrap()
}

/// The gold margin at the first token of a whole run under an edit, from its logits.
fn margin(model: &Model, item: &Item, encoded: &Encoded, edit: &Edit) -> f32 {
    let decoder = &model.decoder;
    let prompts = [encoded.prompt.as_slice()];
    let run = wait(decoder.base_run(&prompts, edit, Capture::KeyValues, job()));
    let logits = host(decoder.last_logits(&run.unwrap()));
    let of_choice = |choice: usize| logits[encoded.choices[choice][0] as usize];
    let gold = encoded.choices[item.gold][0];
    let wrong = (0..encoded.choices.len()).filter(|&choice| encoded.choices[choice][0] != gold);
    of_choice(item.gold) - wrong.map(of_choice).fold(f32::NEG_INFINITY, f32::max)
}

/// A layer's gains, all one but some.
fn gains(model: &Model, layer: usize, but: impl Fn(usize) -> f32, offsets: Option<&[f32]>) -> Edit {
    let d_mlp = model.config().d_mlp;
    let device = model.decoder.device();
    let tensor = |values: Vec<f32>| Tensor::from_data(TensorData::new(values, [d_mlp]), device);
    let edit = Edit::scaling(layer, tensor((0..d_mlp).map(but).collect()));
    match offsets {
        Some(offsets) => edit.offset(layer, tensor(offsets.to_vec())),
        None => edit,
    }
}

/// A layer's mean activation over all positions of the items' prompts.
fn means(model: &Model, encoded: &[Encoded], layer: usize) -> Vec<f32> {
    let d_mlp = model.config().d_mlp;
    let mut sums = vec![0f64; d_mlp];
    let mut positions = 0;
    for Encoded { prompt, .. } in encoded {
        let (none, prompts) = (Edit::none(), [prompt.as_slice()]);
        let run = wait(model.decoder.base_run(&prompts, &none, Capture::All, job())).unwrap();
        let activations = host(run.state(layer).unwrap().pre.activation());
        for of_position in activations.chunks(d_mlp) {
            positions += 1;
            for (sum, &value) in sums.iter_mut().zip(of_position) {
                *sum += f64::from(value);
            }
        }
    }
    let mean = |sum: f64| (sum / f64::from(positions)) as f32;
    sums.into_iter().map(mean).collect()
}

#[test]
fn an_effect_is_what_the_margin_loses_in_a_run_without_the_neuron() {
    for folder in FAMILIES {
        let (model, items) = (model(folder), &items(FOLDER)[..2]);
        let encoded = encode(&model, items, &plain()).unwrap();
        let found = attributed(&model, items, &settings(Method::Ablation));
        assert!(found.gaps.is_empty(), "no path, nothing to add up to");
        let d_mlp = model.config().d_mlp;
        for (layer, neuron) in [(0, 0), (0, d_mlp - 1), (1, d_mlp / 2)] {
            let without = gains(&model, layer, |j| if j == neuron { 0.0 } else { 1.0 }, None);
            let expected: Vec<f32> = items
                .iter()
                .zip(&encoded)
                .map(|(item, encoded)| {
                    let margin = |edit: &Edit| margin(&model, item, encoded, edit);
                    margin(&Edit::none()) - margin(&without)
                })
                .collect();
            let of_items = found.per_item.iter();
            let of_neuron: Vec<f32> = of_items.map(|all| all[layer * d_mlp + neuron]).collect();
            let what = format!("{folder}, layer {layer}, neuron {neuron}");
            assert_close(&of_neuron, &expected, VALUE, &what);
        }
    }
}

#[test]
fn mean_ablation_is_a_run_in_which_the_neuron_has_its_mean_over_the_items() {
    let (model, items) = (model(FOLDER), items(FOLDER));
    let encoded = encode(&model, &items, &plain()).unwrap();
    let settings = Settings {
        baseline: Baseline::Mean,
        ..settings(Method::Ablation)
    };
    let found = attributed(&model, &items, &settings);
    let d_mlp = model.config().d_mlp;
    for layer in 0..model.config().n_layers {
        let mean = means(&model, &encoded, layer);
        for neuron in [1, d_mlp - 2] {
            let mut offsets = vec![0.0; d_mlp];
            offsets[neuron] = mean[neuron];
            let factor = |j| if j == neuron { 0.0 } else { 1.0 };
            let edit = gains(&model, layer, factor, Some(&offsets));
            for ((item, encoded), effects) in items.iter().zip(&encoded).zip(&found.per_item) {
                let margin = |edit: &Edit| margin(&model, item, encoded, edit);
                let expected = margin(&Edit::none()) - margin(&edit);
                let effect = effects[layer * d_mlp + neuron];
                let what = format!("layer {layer}, neuron {neuron}, item {}", item.id);
                assert_close(&[effect], &[expected], VALUE, &what);
            }
        }
    }
}

#[test]
fn the_scores_of_a_path_from_the_mean_add_up_to_the_distance_from_a_run_with_all_means() {
    let (model, items) = (model(FOLDER), items(FOLDER));
    let encoded = encode(&model, &items, &plain()).unwrap();
    let settings = Settings {
        baseline: Baseline::Mean,
        rule: Quadrature::Adaptive,
        steps: 500,
        tolerance: Some(1e-3),
        ..settings(Method::IntegratedGradients)
    };
    let found = attributed(&model, &items, &settings);
    let d_mlp = model.config().d_mlp;
    for layer in 0..model.config().n_layers {
        let all_means = gains(
            &model,
            layer,
            |_| 0.0,
            Some(&means(&model, &encoded, layer)),
        );
        for ((item, encoded), scores) in items.iter().zip(&encoded).zip(&found.per_item) {
            let margin = |edit: &Edit| margin(&model, item, encoded, edit);
            let expected = f64::from(margin(&Edit::none()) - margin(&all_means));
            let of_layer = &scores[layer * d_mlp..(layer + 1) * d_mlp];
            let sum: f64 = of_layer.iter().map(|&score| f64::from(score)).sum();
            let allowed = 2e-3 * expected.abs() + 1e-4;
            assert!(
                (sum - expected).abs() < allowed,
                "{layer}: {sum}, {expected}"
            );
        }
    }
    let joint = Settings {
        path: IntegrationPath::Joint,
        ..settings
    };
    assert_eq!(attributed(&model, &items, &joint).gaps.len(), 1);
}

#[test]
fn an_item_whose_choices_begin_alike_has_no_gold_margin() {
    let model = model(FOLDER);
    let mut alike = items(FOLDER);
    alike[1].choices = vec!["the cat".into(), "the dog".into()];
    alike[1].gold = 0;
    let found = attributed(&model, &alike, &settings(Method::GradientTimesActivation));
    assert_eq!(
        (found.items_used.len(), found.items_skipped),
        (alike.len() - 1, 1)
    );
    assert!(found.items_used.iter().all(|used| used.id != alike[1].id));
    let only = &alike[1..2];
    let scores = scored(&model, only, &plain());
    let by = settings(Method::Ablation);
    let (prompts, named) = (plain(), (SET, only));
    let refused = wait(attribute(
        &model,
        named,
        &prompts,
        &scores.items,
        &by,
        job(),
    ));
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("begin with the same token"), "{error}");
}

#[test]
fn a_mean_is_refused_where_activations_are_not_what_is_scaled() {
    let refused = |settings: Settings| settings.check().unwrap_err().to_string();
    let mean = Settings {
        baseline: Baseline::Mean,
        ..settings(Method::IntegratedGradients)
    };
    mean.check().unwrap();
    let at_gate = Settings {
        site: Site::GatePre,
        ..mean
    };
    assert!(refused(at_gate).contains("for the site post alone"));
    let wanda = Settings {
        baseline: Baseline::Mean,
        ..Settings::preset("fast").unwrap().by(Method::Wanda)
    };
    assert!(refused(wanda).contains("the method wanda has no baseline but zero"));
}

/// Stops the job at the progress of so much work.
struct Stopping {
    at: u64,
    stopped: Cell<bool>,
    /// Work in all, as it was said first.
    total: Cell<u64>,
}

impl Stopping {
    fn at(at: u64) -> Self {
        Self {
            at,
            stopped: Cell::new(false),
            total: Cell::new(0),
        }
    }
}

impl Host for Stopping {
    fn progress(&self, progress: &secateur::job::Progress) {
        if progress.stage == "ablation" {
            self.total.set(progress.total);
            self.stopped.set(progress.done >= self.at);
        }
    }

    fn is_cancelled(&self) -> bool {
        self.stopped.get()
    }

    fn now_secs(&self) -> f64 {
        0.0
    }
}

#[test]
fn what_a_stopped_measurement_found_is_kept_and_the_next_one_goes_on_from_it() {
    let by = settings(Method::Ablation);
    let whole = wait(session().effects(SET, &by, None, job())).unwrap();
    assert!(
        whole
            .layers
            .iter()
            .all(|layer| layer.exact && layer.items == 4)
    );

    let mut session = session();
    let one = Stopping::at(1);
    let part = wait(session.effects(SET, &by, None, Job::new(&one))).unwrap();
    assert!(part.cancelled && !whole.cancelled);
    let measured = part.layers.iter().filter(|layer| layer.exact).count();
    assert_eq!(
        measured, 1,
        "stopped after the first layer of the first items"
    );

    let rest = Stopping::at(u64::MAX);
    let found = wait(session.effects(SET, &by, None, Job::new(&rest))).unwrap();
    assert!(!found.cancelled);
    assert!(rest.total.get() < one.total.get(), "only what was left");
    for (found, whole) in found.layers.iter().zip(&whole.layers) {
        assert_eq!(
            (&found.mean, &found.half_width),
            (&whole.mean, &whole.half_width)
        );
    }
    let nothing = Stopping::at(0);
    wait(session.effects(SET, &by, None, Job::new(&nothing))).unwrap();
    assert_eq!(nothing.total.get(), 0, "nothing is left to measure");
}

#[test]
fn targets_that_are_read_from_the_same_runs_lose_what_they_lose_alone() {
    for folder in FAMILIES {
        let (model, items, prompts) = (model(folder), items(FOLDER), plain());
        let scores = scored(&model, &items, &prompts).items;
        let mut confidences: Vec<f64> = scores.iter().map(|score| score.confidence).collect();
        confidences.sort_by(f64::total_cmp);
        let margin = settings(Method::Ablation);
        let logit = Settings {
            target: TargetKind::TopLogit,
            confidence_threshold: confidences[1],
            ..margin.clone()
        };
        let layers: Vec<usize> = (0..model.config().n_layers).collect();
        let measured = |first: &Settings, beside: &Settings| {
            let mut measured = [first, beside].map(|of| Measured::new(of.clone(), None));
            let named = (SET, items.as_slice());
            let measuring = measure(
                &model,
                named,
                &prompts,
                &scores,
                &layers,
                &mut measured,
                job(),
            );
            wait(measuring).unwrap();
            measured.map(|measured| measured.found)
        };
        let [of_margin, of_logit] = measured(&margin, &logit);
        for (found, settings) in [(of_margin, &margin), (of_logit, &logit)] {
            let found = Attribution::of_ablation(&found.unwrap());
            let alone = attributed(&model, &items, settings);
            assert_eq!(found.items_used, alone.items_used, "{folder}");
            let values = |of: &Attribution| of.per_item.concat();
            assert_close(&values(&found), &values(&alone), VALUE, folder);
        }
        let [_, beside] = measured(&logit, &margin);
        assert!(beside.is_none(), "not all items of the margin were run");
    }
}

#[test]
fn a_race_takes_the_effects_that_were_measured_beside_those_on_the_margin() {
    let mut session = session();
    let by = Settings {
        target: TargetKind::TopLogit,
        confidence_threshold: 0.0,
        ..Settings::preset("fast").unwrap()
    };
    wait(session.attribute(SET, &by, job())).unwrap();
    let harm = Settings::of_harm(by.positions);
    wait(session.effects(SET, &harm, None, job())).unwrap();
    let nothing = Stopping::at(u64::MAX);
    let race = RaceSpec {
        settings: by,
        ..race_of(&[0, 1, 2], 10.0)
    };
    let found = wait(session.race(&race, Job::new(&nothing))).unwrap();
    assert_eq!(nothing.total.get(), 0, "nothing was left to measure");
    assert_eq!(found.settings.target, TargetKind::TopLogit);
}

/// A clock that goes on by a second whenever it is read.
struct Ticking(Cell<f64>);

impl Host for Ticking {
    fn is_cancelled(&self) -> bool {
        false
    }

    fn now_secs(&self) -> f64 {
        self.0.replace(self.0.get() + 1.0)
    }
}

#[test]
fn what_is_known_is_not_measured_again_beside_another() {
    let (model, items, prompts) = (model(FOLDER), items(FOLDER), plain());
    let scores = scored(&model, &items, &prompts).items;
    let margin = settings(Method::Ablation);
    let logit = Settings {
        target: TargetKind::TopLogit,
        ..margin.clone()
    };
    let clock = Ticking(Cell::new(0.0));
    let measured = |layers: &[usize], measured: &mut [Measured]| {
        let (named, job) = ((SET, items.as_slice()), Job::new(&clock));
        wait(measure(
            &model, named, &prompts, &scores, layers, measured, job,
        ))
        .unwrap();
    };
    let mut of_margin = [Measured::new(margin, None)];
    measured(&[0, 1], &mut of_margin);
    let [Measured { settings, found }] = of_margin;
    let before = found.clone().unwrap();
    let mut both = [Measured::new(logit, None), Measured::new(settings, found)];
    measured(&[0, 1], &mut both);
    let of_margin = both[1].found.as_ref().unwrap();
    assert_eq!(of_margin.seconds, before.seconds);
    // What is open is.
    measured(&[2], &mut both);
    let of_margin = both[1].found.as_ref().unwrap();
    assert!(of_margin.seconds > before.seconds);
    assert!(of_margin.layers().iter().all(|layer| layer.exact));
}

#[test]
fn what_is_measured_beside_drops_nothing_that_was_asked_for() {
    let mut session = session();
    let sets = ["a", "b", "c", "d"];
    let by = Settings {
        confidence_threshold: 0.0,
        ..Settings::preset("fast").unwrap()
    };
    let harm = Settings::of_harm(by.positions);
    for set in sets {
        let named = |item: Item| Item {
            id: format!("{set}{}", item.id),
            ..item
        };
        let items = items(FOLDER).into_iter().map(named).collect();
        session.change(|bench| bench.set_items(set, items));
        wait(session.attribute(set, &by, job())).unwrap();
        wait(session.effects(set, &harm, None, job())).unwrap();
    }
    // Beside the margin the race's target would be measured now, if there were anything to measure.
    let of_logit = Settings {
        target: TargetKind::TopLogit,
        ..by
    };
    wait(session.attribute("d", &of_logit, job())).unwrap();
    wait(session.effects("d", &harm, None, job())).unwrap();
    for set in sets {
        let nothing = Stopping::at(u64::MAX);
        wait(session.effects(set, &harm, None, Job::new(&nothing))).unwrap();
        assert_eq!(nothing.total.get(), 0, "{set} was measured");
    }
}

#[test]
fn layers_that_were_not_measured_are_estimated_to_first_order() {
    let by = settings(Method::Ablation);
    let found = wait(session().effects(SET, &by, Some(&[1]), job())).unwrap();
    let exact: Vec<bool> = found.layers.iter().map(|layer| layer.exact).collect();
    assert_eq!(exact, [false, true, false]);
    let model = model(FOLDER);
    let by_gradient = settings(Method::GradientTimesActivation);
    let estimated = attributed(&model, &items(FOLDER), &by_gradient);
    let by_ablation = attributed(&model, &items(FOLDER), &by);
    for (layer, expected) in [(0, &estimated), (1, &by_ablation), (2, &estimated)] {
        let expected = &expected.scores[layer];
        assert_close(
            &found.layers[layer].mean,
            expected,
            1e-6,
            &format!("layer {layer}"),
        );
    }
    let outside = wait(session().effects(SET, &by, Some(&[3]), job())).unwrap_err();
    assert!(
        outside.to_string().contains("outside the model's 3"),
        "{outside}"
    );
}

const RESAMPLING: Resampling = Resampling {
    resamples: 40,
    seed: 5,
};

fn race_of(layers: &[usize], percent: f64) -> RaceSpec {
    RaceSpec {
        set: SET.to_owned(),
        settings: settings(Method::IntegratedGradients),
        layers: Some(layers.to_vec()),
        percent,
        resampling: RESAMPLING,
    }
}

#[test]
fn a_race_compares_every_method_with_the_effects_layer_by_layer() {
    let mut session = session();
    let race = wait(session.race(&race_of(&[0, 2], 25.0), job())).unwrap();
    assert_eq!(race.methods.len(), Method::ALL.len() - 1);
    assert_eq!((race.items, race.layers.as_slice()), (4, &[0, 2][..]));
    let model = model(FOLDER);
    let effects = attributed(&model, &items(FOLDER), &settings(Method::Ablation));
    let correlations = race.methods.iter().map(|raced| raced.correlation.value);
    let best = correlations.fold(f64::NEG_INFINITY, f64::max);
    for raced in &race.methods {
        let method = raced.settings.method;
        let scores = attributed(&model, &items(FOLDER), &raced.settings);
        let absolute = |values: &[f32]| -> Vec<f32> { values.iter().map(|v| v.abs()).collect() };
        let of_layer = |layer: usize| {
            let [scores, effects] = [&scores, &effects].map(|of| absolute(&of.scores[layer]));
            let top = |values: &[f32]| -> Vec<usize> {
                let mut order: Vec<usize> = (0..values.len()).collect();
                order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
                order[..6].to_vec()
            };
            let (chosen, best) = (top(&scores), top(&effects));
            let found = chosen.iter().filter(|neuron| best.contains(neuron));
            (spearman(&scores, &effects), found.count() as f64 / 6.0)
        };
        let [(first, found_first), (last, found_last)] = [0, 2].map(of_layer);
        assert_close(&raced.by_layer, &[first, last], 1e-9, &method.to_string());
        let correlation = raced.correlation;
        assert!(
            (correlation.value - (first + last) / 2.0).abs() < 1e-9,
            "{method}"
        );
        assert!(
            (raced.found.value - (found_first + found_last) / 2.0).abs() < 1e-9,
            "{method}"
        );
        assert!(correlation.low <= correlation.high, "{method}");
        // Clamped gradients have one sign, and means of absolute values as well.
        let has_sign = method.has_target() && method.adds_up();
        assert_eq!(raced.correlation_signed.is_some(), has_sign);
        let short = raced.behind.map_or(0.0, |behind| behind.value);
        assert!((best - correlation.value - short).abs() < 1e-9, "{method}");
    }
    // The items' own gradients say more of the effects than numbers that know nothing of them.
    let of = |method: Method| {
        let mut all = race.methods.iter();
        all.find(|raced| raced.settings.method == method)
            .map(|raced| raced.correlation.value)
            .unwrap()
    };
    assert!(of(Method::IntegratedGradients) > of(Method::Random) + 0.3);
}

/// A method without a path says nothing of the steps of one that has it.
#[test]
fn a_race_on_the_settings_of_any_method_integrates_over_the_usual_steps() {
    let of_activation = RaceSpec {
        settings: settings(Method::IntegratedGradients).by(Method::Activation),
        ..race_of(&[0], 10.0)
    };
    let race = wait(session().race(&of_activation, job())).unwrap();
    let mut methods = race.methods.iter().map(|raced| &raced.settings);
    let integrated = methods.find(|of| of.method == Method::IntegratedGradients);
    let integrated = integrated.unwrap();
    assert_eq!(
        (integrated.steps, integrated.rule),
        (20, Quadrature::Middle)
    );
}

#[test]
fn a_race_by_shares_of_the_largest_score_takes_all_layers() {
    let settings = Settings {
        aggregate: Aggregate::ConsensusShare,
        ..settings(Method::IntegratedGradients)
    };
    let of_one = RaceSpec {
        settings,
        ..race_of(&[0], 10.0)
    };
    let error = wait(session().race(&of_one, job())).unwrap_err();
    assert!(error.to_string().contains("needs all layers"), "{error}");
    for layers in [None, Some(vec![2, 1, 0])] {
        let of_all = RaceSpec {
            layers,
            ..of_one.clone()
        };
        wait(session().race(&of_all, job())).unwrap();
    }
}

#[test]
fn effects_are_of_the_set_that_was_asked_for_also_where_another_has_the_same_items() {
    let mut session = session();
    session.change(|bench| bench.set_items("copy", items(FOLDER)));
    let by = settings(Method::Ablation);
    for set in [SET, "copy"] {
        let found = wait(session.effects(set, &by, Some(&[0]), job())).unwrap();
        assert_eq!(found.set, set);
    }
}

#[test]
fn a_race_needs_a_layer_and_a_percentage() {
    for (layers, percent, named) in [
        (&[][..], 5.0, "at least one layer"),
        (&[9], 5.0, "outside the model's"),
        (&[0], 0.0, "percentage"),
    ] {
        let race = wait(session().race(&race_of(layers, percent), job()));
        let error = race.unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
}

#[test]
fn stability_is_the_selection_from_resampled_items_by_hand() {
    let mut session = session();
    let selection = TopPercent {
        layer: 1,
        percent: 25.0,
    };
    let early = session.stability(selection, RESAMPLING);
    assert!(matches!(early, Err(StudyError::NotYet(_))));
    let by = settings(Method::IntegratedGradients);
    let attribution = wait(session.attribute(SET, &by, job())).unwrap().clone();
    let found = session.stability(selection, RESAMPLING).unwrap();
    let d_mlp = attribution.d_mlp;
    assert_eq!(
        (found.neurons, found.items, found.kept.len()),
        (6, 4, d_mlp)
    );
    assert_eq!(found.chance, 0.25);

    let mask = session.mask_top(selection).unwrap();
    let mask = &mask.layers[0].neurons;
    let (mut counts, mut overlap) = (vec![0; d_mlp], 0);
    for weights in RESAMPLING.weights(4) {
        // Every item as often as it was drawn.
        let drawn: Vec<&[f32]> = attribution
            .per_item
            .iter()
            .zip(&weights)
            .flat_map(|(scores, &weight)| vec![&scores[d_mlp..2 * d_mlp]; weight as usize])
            .collect();
        let sum = |neuron: usize| drawn.iter().map(|of| f64::from(of[neuron])).sum::<f64>();
        let mut order: Vec<usize> = (0..d_mlp).collect();
        order.sort_by(|&a, &b| sum(b).abs().total_cmp(&sum(a).abs()));
        for &neuron in &order[..6] {
            counts[neuron] += 1;
            overlap += usize::from(mask.contains(&neuron));
        }
    }
    let kept: Vec<f32> = counts.iter().map(|&count| count as f32 / 40.0).collect();
    assert_eq!(found.kept, kept);
    let expected = overlap as f64 / (40.0 * 6.0);
    assert!((found.overlap.value - expected).abs() < 1e-9);
    assert!(found.overlap.low <= expected && expected <= found.overlap.high);

    // Of four items each half has two, and there are three ways to part them.
    let of_half = |half: [usize; 2]| -> BTreeSet<usize> {
        let sum = |neuron: usize| {
            let score = |item: usize| attribution.per_item[item][d_mlp + neuron];
            half.map(score)
                .iter()
                .map(|&score| f64::from(score))
                .sum::<f64>()
        };
        let mut order: Vec<usize> = (0..d_mlp).collect();
        order.sort_by(|&a, &b| sum(b).abs().total_cmp(&sum(a).abs()));
        order[..6].iter().copied().collect()
    };
    let ways = [([0, 1], [2, 3]), ([0, 2], [1, 3]), ([0, 3], [1, 2])];
    let shared = ways.map(|(a, b)| of_half(a).intersection(&of_half(b)).count() as f64 / 6.0);
    let least = shared.iter().copied().fold(1.0, f64::min);
    let most = shared.iter().copied().fold(0.0, f64::max);
    let halves = found.halves.unwrap();
    assert!((least..=most).contains(&halves.value), "{halves:?}");
    assert!((halves.low - least).abs() < 1e-9 && (halves.high - most).abs() < 1e-9);
    let none = Resampling {
        resamples: 0,
        seed: 0,
    };
    let refused = session.stability(selection, none).unwrap_err();
    assert!(refused.to_string().contains("resamples"), "{refused}");
}

#[test]
fn too_few_items_for_a_choice_are_said() {
    let mut session = session();
    session.change(|bench| bench.set_items(SET, items(FOLDER)[..1].to_vec()));
    let by = settings(Method::GradientTimesActivation);
    wait(session.attribute(SET, &by, job())).unwrap();
    let selection = TopPercent {
        layer: 0,
        percent: 10.0,
    };
    let found = session.stability(selection, RESAMPLING).unwrap();
    assert_eq!(found.overlap.value, 1.0, "one item is every resample");
    assert!(found.halves.is_none());
    assert!(found.warning.unwrap().contains("one item"));
}

#[test]
fn a_contrast_is_the_difference_of_two_attributions() {
    let mut session = session();
    let (first, rest) = (items(FOLDER)[..2].to_vec(), items(FOLDER)[2..].to_vec());
    session.change(|bench| {
        bench.set_items("first", first.clone());
        bench.set_items("rest", rest.clone());
    });
    let by = settings(Method::GradientTimesActivation);
    let against = Against::Set { set: "rest".into() };
    let found = wait(session.contrast("first", against, &by, job())).unwrap();
    assert_eq!((found.items, found.items_against), (2, 2));
    let model = model(FOLDER);
    let [a, b] = [&first, &rest].map(|items| attributed(&model, items, &by));
    for layer in &found.layers {
        let pairs = a.scores[layer.layer].iter().zip(&b.scores[layer.layer]);
        let expected: Vec<f32> = pairs.map(|(a, b)| a - b).collect();
        assert_close(&layer.difference, &expected, 1e-6, "difference");
        assert_eq!(layer.half_width.len(), layer.difference.len());
    }
    assert!(
        session.attribution().is_none(),
        "none takes the place of the one at hand"
    );
}

#[test]
fn a_contrast_with_the_same_items_without_a_question_is_of_the_items_own_differences() {
    let template = Template {
        prompt: "the cat and {context}".into(),
        ..Template::named("plain").unwrap()
    };
    let mut session = Session::new(Compute::flex(), model(FOLDER), template.clone());
    session.change(|bench| bench.set_items(SET, items(FOLDER)));
    let by = settings(Method::GradientTimesActivation);
    let against = Against::Question {
        question: Question::Removed,
    };
    let found = wait(session.contrast(SET, against, &by, job())).unwrap();
    let model = model(FOLDER);
    let prompts = Prompts::from(template);
    let attributed = |items: &[Item]| {
        let scores = scored(&model, items, &prompts).items;
        let named = (SET, items);
        wait(attribute(&model, named, &prompts, &scores, &by, job())).unwrap()
    };
    let bare: Vec<Item> = items(FOLDER)
        .into_iter()
        .map(|item| Item {
            context: String::new(),
            ..item
        })
        .collect();
    let (with, without) = (attributed(&items(FOLDER)), attributed(&bare));
    for layer in &found.layers {
        for (neuron, &difference) in layer.difference.iter().enumerate() {
            let place = layer.layer * found.d_mlp + neuron;
            let pairs = with.per_item.iter().zip(&without.per_item);
            let all: Vec<f64> = pairs.map(|(a, b)| f64::from(a[place] - b[place])).collect();
            let mean = all.iter().sum::<f64>() / all.len() as f64;
            assert!((f64::from(difference) - mean).abs() < 1e-6);
            let squares: f64 = all.iter().map(|x| (x - mean).powi(2)).sum();
            // Student's t of three degrees of freedom.
            let half = 3.182 * (squares / 3.0 / 4.0).sqrt();
            let found = f64::from(layer.half_width[neuron]);
            assert!((found - half).abs() < 1e-3 * half + 1e-7, "{found}, {half}");
        }
    }
}
