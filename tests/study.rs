//! A study from its document to its report, again from its link, and documents that must not run.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

mod common;
mod examples;
mod version_0_1;

use std::rc::Rc;

use common::{assert_close, items, job, model, plain, wait};
use secateur::attribution::Settings;
use secateur::export::MaskFile;
use secateur::items::{Item, items_sha256, parse_items};
use secateur::job::{Host, Job, Progress};
use secateur::model::device::Compute;
use secateur::model::{Precision, Site};
use secateur::pruning::selection::random_like;
use secateur::pruning::{Change, Combination, Mask, Operation};
use secateur::scoring::{Accuracy, Rule};
use secateur::study::link::{self, Shared};
use secateur::study::{
    Expected, KeptMask, Report, Reproduction, Role, Session, Study, StudyError, runner,
};
use serde_json::{Value, json};

const FOLDER: &str = "tiny-llama-tied";

fn session(folder: &str) -> Session {
    Session::new(Compute::flex(), model(folder), plain().template().clone())
}

/// Items for validation: prompts of the reference items with other choices.
fn validation() -> Vec<Item> {
    let text = r#"
        {"id":"v0","context":"the cat sees a","choices":["fish","river","tree"],"gold":0}
        {"id":"v1","context":"what is the dog ?","choices":["it is big","red"],"gold":0}
        {"id":"v2","context":"the bird hears","choices":["a dog","the old house","not"],"gold":1}
        {"id":"v3","context":"who eats fish","choices":["a cat","the tree","and","or"],"gold":0}
        {"id":"v4","context":"is the house near","choices":["the river","a very small garden"],"gold":0}"#;
    let parsed = parse_items(text);
    assert_eq!(parsed.errors, []);
    parsed.items
}

/// A study with every part, its items inline.
fn document() -> Value {
    let all = [items(FOLDER), validation()].concat();
    json!({
        "format": "secateur-study",
        "version": 1,
        "model": {"id": FOLDER, "sha256": model(FOLDER).sha256},
        "item_sets": [
            {"name": "train", "roles": ["attribution"], "items": items(FOLDER)},
            {"name": "valid", "roles": ["validation"], "items": validation()},
            {"name": "all", "roles": ["test"], "items": all},
        ],
        "template": "plain@1",
        "attribution": {
            "path": "per_layer", "site": "post", "positions": "last", "target": "choice_first_token",
            "steps": 4, "rule": "middle", "confidence_threshold": 0.0,
        },
        "search": {"percents": [10.0, 30.0]},
        "control": {"masks": 5, "seed": 3},
        "tuning": {
            "layer": 1, "steps": 4, "learning_rate": 0.05, "batch_size": 2, "evaluate_every": 2,
        },
        "seed": 11,
    })
}

fn study(document: &Value) -> Study {
    Study::from_json(&document.to_string()).unwrap()
}

fn no_samples(name: &str) -> Result<Vec<Item>, StudyError> {
    Err(StudyError::Document(format!(
        "there is no item set `{name}`"
    )))
}

fn run(folder: &str, study: &Study) -> Result<Report, StudyError> {
    wait(runner::run(&mut session(folder), study, no_samples, job()))
}

fn refused(document: &Value) -> String {
    match run(FOLDER, &study(document)).unwrap_err() {
        StudyError::Document(message) => message,
        other => panic!("{other}"),
    }
}

#[test]
fn a_study_runs_from_end_to_end_and_its_parts_fit_together() {
    let study = study(&document());
    let report = run(FOLDER, &study).unwrap();
    let names = |sets: &[secateur::scoring::SetScores]| -> Vec<String> {
        sets.iter().map(|set| set.set.clone()).collect()
    };
    assert_eq!(names(&report.baseline), ["train", "valid", "all"]);
    assert_eq!(report.model.sha256, study.model.sha256);

    let attribution = report.attribution.unwrap();
    assert_eq!(
        (attribution.set.as_str(), attribution.items_used.len()),
        ("train", 4)
    );

    let search = report.search.unwrap();
    assert_eq!(search.sets, ["valid"]);
    assert_eq!(search.baseline, report.baseline[1].accuracy);
    assert_eq!(search.cells.len(), 3 * 2, "all layers and both percentages");

    // Without a mask or a selection in the document, the best cell is pruned.
    let pruned = report.pruned.unwrap();
    let best = search.best.mask((&attribution).into()).unwrap();
    assert_eq!(pruned.mask, best);
    assert_eq!(pruned.sets.len(), 1);
    assert_eq!(
        (
            pruned.sets[0].set.as_str(),
            pruned.sets[0].after.items.len()
        ),
        ("all", 9)
    );
    assert_eq!(pruned.sets[0].before, report.baseline[2].accuracy);

    let control = report.control.unwrap();
    assert_eq!(
        (
            control.masks,
            control.seed,
            control.sets[0].accuracies.len()
        ),
        (5, 3, 5)
    );
    assert_eq!(control.sets[0].mask, pruned.sets[0].after.accuracy.value);
    assert_eq!(control.layers[0].neurons, pruned.neurons);

    let tuning = report.tuning.unwrap();
    assert_eq!((tuning.layer, tuning.curves.len()), (1, 2));
    assert_eq!(
        tuning.curves[0].validation[0].accuracy.total,
        validation().len()
    );
    assert_eq!(tuning.curves[0].sets[0].set, "all");

    // The report's study is the given one with what was found out filled in.
    let spec = report.study.pruning.clone().unwrap();
    assert_eq!(
        (spec.mask, spec.selection),
        (Some(pruned.mask), Some(search.best))
    );
    for (set, items) in report
        .study
        .item_sets
        .iter()
        .zip([items(FOLDER), validation()])
    {
        assert_eq!(set.sha256, items_sha256(&items));
    }
    let stripped = Study {
        pruning: None,
        item_sets: study.item_sets.clone(),
        ..report.study
    };
    assert_eq!(stripped, study);
}

/// The study with what a sceptic asks beside.
fn questioned() -> Value {
    let mut document = document();
    document["audit"] = json!({"set": "train"});
    document["race"] = json!({
        "set": "train", "settings": document["attribution"], "layers": [1], "percent": 20.0,
        "resampling": {"resamples": 5, "seed": 2},
    });
    document
}

#[test]
fn what_is_asked_beside_is_found_with_the_study_and_once_more_by_a_re_run() {
    let report = travelled(&run(FOLDER, &study(&questioned())).unwrap());
    let audit = report.audit.as_ref().unwrap();
    assert_eq!(audit.accuracy, report.baseline[0].accuracy);
    assert_eq!(audit.asked.len(), 2);
    let race = report.race.as_ref().unwrap();
    assert_eq!((race.layers.as_slice(), race.items), (&[1][..], 4));
    assert_eq!((race.resampling.resamples, race.percent), (5, 20.0));
    // Of a rank correlation with the truth nothing is above 1, and the attribution at hand stays the study's own.
    assert!(
        race.methods
            .iter()
            .all(|method| method.correlation.value <= 1.0)
    );
    assert_eq!(report.attribution.as_ref().unwrap().set, "train");

    let (again, found) = reproduced(&report.study, &Expected::of_report(&report));
    assert!(found.is_identical());
    assert_eq!(again.audit.unwrap().accuracy, audit.accuracy);
    for (then, now) in race.methods.iter().zip(&again.race.unwrap().methods) {
        assert_eq!(then.settings, now.settings);
        let difference = then.correlation.value - now.correlation.value;
        assert!(difference.abs() < 1e-2, "{}", then.settings.method);
    }
}

/// A host that nothing may be computed for.
struct Idle;

impl Host for Idle {
    fn progress(&self, progress: &Progress) {
        panic!("{} has begun", progress.stage);
    }

    fn now_secs(&self) -> f64 {
        0.0
    }
}

#[test]
fn what_the_model_cannot_bear_is_refused_before_anything_is_computed() {
    for (place, value, wanted) in [
        ("/race/layers", json!([3]), "outside the model's 3 layers"),
        ("/race/layers", json!([1, 1]), "layer 1 is given twice"),
        (
            "/search/means_of",
            json!("other"),
            "`search.means_of` names the item set `other`",
        ),
        ("/tuning/layer", json!(3), "outside the model's 3"),
    ] {
        let mut document = questioned();
        document["search"]["operation"] = json!("mean");
        document["search"]["means_of"] = Value::Null;
        *document.pointer_mut(place).unwrap() = value;
        let study = study(&document);
        let mut session = session(FOLDER);
        let error = wait(runner::run(
            &mut session,
            &study,
            no_samples,
            Job::new(&Idle),
        ));
        let error = error.map(|_| ()).expect_err(place).to_string();
        assert!(error.contains(wanted), "{place}: {error}");
    }
    let mut session = session(FOLDER);
    session.change(|bench| bench.set_items("train", items(FOLDER)));
    let sets = ["train".to_owned()];
    let outside: Mask =
        serde_json::from_value(json!({"site": "post", "layers": [{"layer": 3, "neurons": [0]}]}))
            .unwrap();
    let error = wait(session.prune(outside, &sets, Job::new(&Idle))).unwrap_err();
    assert!(error.to_string().contains("outside the model"), "{error}");
    let request = json!({
        "mask": {"site": "post", "layers": []}, "train": sets, "validation": sets, "test": sets,
        "settings": {"layer": 3, "steps": 1, "learning_rate": 0.1, "batch_size": 1, "evaluate_every": 1},
        "seed": 0, "compare": false,
    });
    let request = serde_json::from_value(request).unwrap();
    let error = wait(session.tune(&request, Job::new(&Idle))).unwrap_err();
    assert!(error.to_string().contains("outside the model"), "{error}");
}

#[test]
fn a_race_of_a_set_that_the_study_lacks_is_refused() {
    let mut document = questioned();
    document["race"]["set"] = json!("other");
    let error = Study::from_json(&document.to_string()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`race` names the item set `other`"),
        "{error}"
    );
}

/// What becomes of a value in a document.
type Edit<'a> = &'a dyn Fn(&Value) -> Value;

/// A report that is right is none any more with any one of these changes, and says what is wrong.
fn contradicts_itself(good: &Value, changes: &[(&str, Edit<'_>, &str)]) {
    Report::from_json(&good.to_string()).unwrap();
    for (place, change, wanted) in changes {
        let mut changed = good.clone();
        let value = changed.pointer_mut(place).unwrap();
        *value = change(value);
        let error = Report::from_json(&changed.to_string()).map(|_| ());
        let error = error.expect_err(place).to_string();
        assert!(error.contains("contradicts itself"), "{place}: {error}");
        assert!(error.contains(wanted), "{place}: {error}");
    }
}

#[test]
fn what_is_asked_beside_is_held_to_what_follows_from_it() {
    let report = run(FOLDER, &study(&questioned())).unwrap();
    let mut good = serde_json::to_value(&report).unwrap();
    good["effects"] = json!([{
        "settings": good["race"]["settings"], "set": "train", "items": 4, "items_skipped": 0,
        "layers": [{"layer": 1, "needed": 2, "harmful": 1}],
        "strongest": [{"layer": 1, "neuron": 3, "mean": 0.5, "half_width": null}],
        "seconds": 1.0,
    }]);
    let shifted = |value: &Value| json!(value.as_f64().unwrap() * 0.9 + 0.01);
    contradicts_itself(
        &good,
        &[
            ("/audit/accuracy/low", &shifted, "audit's accuracy"),
            ("/audit/set", &|_| json!("valid"), "another set"),
            (
                "/audit/lengths/longest_right/high",
                &shifted,
                "share of the audit",
            ),
            (
                "/audit/position/consistent",
                &|_| json!(Accuracy::wilson(1, 5)),
                "number of audited items",
            ),
            ("/race/percent", &|_| json!(30.0), "another one"),
            ("/race/resamples", &|_| json!(6), "another one"),
            (
                "/race/settings/target",
                &|_| json!("gold_margin"),
                "another one",
            ),
            ("/race/items", &|_| json!(9), "more items"),
            (
                "/race/methods/0/correlation/high",
                &|_| json!(2.0),
                "cannot be",
            ),
            ("/race/methods/0/by_layer", &|_| json!([]), "cannot be"),
            ("/race/methods/0/by_layer", &|_| json!([2.5]), "cannot be"),
            ("/audit/chance", &shifted, "audit's chance"),
            ("/audit/asked/1/paired/improved", &|_| json!(90), "answers"),
            (
                "/audit/asked/1/paired/p_value",
                &|_| json!(1e-9),
                "`p_value`",
            ),
            (
                "/audit/position/places/0/gold",
                &|_| json!(500),
                "their places",
            ),
            ("/effects/0/set", &|_| json!("other"), "lacks"),
            ("/effects/0/layers/0/layer", &|_| json!(3), "other neurons"),
            (
                "/effects/0/layers/0/needed",
                &|_| json!(24),
                "other neurons",
            ),
            (
                "/effects/0/strongest/0/neuron",
                &|_| json!(24),
                "other neurons",
            ),
            ("/study/audit", &|_| Value::Null, "does not ask for"),
            ("/study/race", &|_| Value::Null, "does not ask for"),
        ],
    );
}

/// A report is written by one run and read by another.
/// Every number of a report as one that no run gives: refused or read, at once and without a panic.
#[test]
fn no_number_of_a_report_makes_its_reader_panic_or_count_without_end() {
    fn places(value: &Value, at: &str, found: &mut Vec<String>) {
        match value {
            Value::Number(_) => found.push(at.to_owned()),
            // One of a list stands for all.
            Value::Array(list) => {
                let first = list.iter().take(1);
                first.for_each(|value| places(value, &format!("{at}/0"), found));
            }
            Value::Object(object) => object
                .iter()
                .for_each(|(name, value)| places(value, &format!("{at}/{name}"), found)),
            _ => {}
        }
    }
    let report = run(FOLDER, &study(&questioned())).unwrap();
    let mut good = serde_json::to_value(&report).unwrap();
    // A search whose masks hang on the model's size.
    good["study"]["search"] = json!({"percents": [], "shares": [0.01]});
    let mut found = Vec::new();
    places(&good, "", &mut found);
    assert!(found.len() > 100, "{}", found.len());
    for place in found {
        for value in [
            json!(1u64 << 60),
            json!(u64::MAX),
            json!(0),
            json!(-1),
            json!(1e300),
        ] {
            let mut changed = good.clone();
            *changed.pointer_mut(&place).unwrap() = value;
            let _ = Report::from_json(&changed.to_string());
            // Less held to each other: what is not there contradicts nothing.
            changed["attribution"] = Value::Null;
            let _ = Report::from_json(&changed.to_string());
        }
    }
}

fn travelled(report: &Report) -> Report {
    serde_json::from_str(&serde_json::to_string(report).unwrap()).unwrap()
}

fn reproduced(study: &Study, expected: &Expected) -> (Report, Reproduction) {
    let mut session = session(FOLDER);
    wait(runner::reproduce(
        &mut session,
        study,
        expected,
        no_samples,
        job(),
    ))
    .unwrap()
}

/// Without validation items a tuning's best state is picked on sets that are not reported on, and the report can be read again.
#[test]
fn a_tuning_picks_its_state_on_nothing_that_is_reported() {
    let mut document = document();
    document["item_sets"][1]["roles"] = json!(["out_of_distribution"]);
    document.as_object_mut().unwrap().remove("search");
    document["pruning"] = json!({"selection": {"layer": 1, "percent": 10.0}});
    let report = travelled(&run(FOLDER, &study(&document)).unwrap());
    let curves = &report.tuning.as_ref().unwrap().curves;
    assert_eq!(curves[0].validation[0].accuracy.total, items(FOLDER).len());
    let good = serde_json::to_value(&report).unwrap();
    Report::from_json(&good.to_string()).unwrap();
    // Earlier versions picked it on all sets.
    let all = 2 * (items(FOLDER).len() + validation().len());
    for (total, is_read) in [(all, true), (all - 1, false)] {
        let mut of_others = good.clone();
        for curve in of_others["tuning"]["curves"].as_array_mut().unwrap() {
            for check in curve["validation"].as_array_mut().unwrap() {
                check["accuracy"] = json!(Accuracy::wilson(0, total));
            }
            curve["best_step"] = json!(0);
        }
        let read = Report::from_json(&of_others.to_string());
        let counts = |error: StudyError| error.to_string().contains("validation items");
        assert_eq!(!read.map(|_| ()).is_err_and(counts), is_read, "{total}");
    }
}

#[test]
fn a_report_reproduces_itself() {
    let report = travelled(&run(FOLDER, &study(&document())).unwrap());
    let expected = Expected::of_report(&report);
    let (again, found) = reproduced(&report.study, &expected);
    assert_eq!(found.mask_identical, Some(true));
    assert!(found.is_identical());
    assert_eq!(found.log_likelihoods_compared, 4 + 5 + 9);
    // Those of `all` with the mask as well.
    assert_eq!(found.predictions_compared, 4 + 5 + 9 + 9);
    // They travel rounded to 1e-4 nats.
    assert!(found.largest_log_likelihood_difference <= 1.01e-4);
    assert!(found.message.contains("identical") && !found.message.contains("different"));
    let sets: Vec<&str> = found.sets.iter().map(|set| set.set.as_str()).collect();
    assert_eq!(sets, ["train", "valid", "all"]);
    assert_eq!(again.pruned.unwrap().mask, report.pruned.unwrap().mask);
}

#[test]
fn a_link_carries_a_study_and_what_it_found() {
    let report = run(FOLDER, &study(&document())).unwrap();
    let shared = Shared {
        study: report.study.clone(),
        expected: Some(Expected::of_report(&report).shortened()),
    };
    let fragment = link::encode(&shared).unwrap();
    let back = link::decode(&format!("#{fragment}")).unwrap();
    assert_eq!(back.study, shared.study);
    let (found, given) = (back.expected.unwrap(), shared.expected.unwrap());
    assert_eq!(found.mask, given.mask);
    assert_eq!(found.sets.len(), given.sets.len());
    for (found, given) in found.sets.iter().zip(&given.sets) {
        let counts = |accuracy: Accuracy| (accuracy.correct, accuracy.total);
        assert_eq!(
            (&found.set, &found.predicted),
            (&given.set, &given.predicted)
        );
        assert_eq!(counts(found.before), counts(given.before));
        assert_eq!(found.after.map(counts), given.after.map(counts));
        // A float may come back from JSON in its last place changed.
        assert_close(
            &found.log_likelihoods,
            &given.log_likelihoods,
            1e-12,
            &given.set,
        );
    }
    let (_, found) = reproduced(&back.study, &found);
    assert!(found.is_identical(), "{}", found.message);
}

#[test]
fn what_does_not_reproduce_is_said() {
    let report = run(FOLDER, &study(&document())).unwrap();
    let good = Expected::of_report(&report);
    let d_mlp = report.model.d_mlp;

    let mut other_mask = good.clone();
    let mask = other_mask.mask.take().unwrap();
    let drawn = (0..).map(|index| random_like(&mask, d_mlp, 0, index));
    other_mask.mask = drawn.into_iter().find(|drawn| *drawn != mask);
    let (_, found) = reproduced(&report.study, &other_mask);
    assert_eq!(found.mask_identical, Some(false));
    assert_eq!(found.accuracy_identical, Some(true));
    assert!(found.message.contains("mask different"));

    let mut other_predictions = good.clone();
    other_predictions.sets[0].predicted[1] += 1;
    let (_, found) = reproduced(&report.study, &other_predictions);
    let verdicts = |found: &Reproduction| (found.accuracy_identical, found.predictions_identical);
    assert_eq!(verdicts(&found), (Some(true), Some(false)));

    let mut other_after = good.clone();
    other_after.sets[2].predicted_after[8] += 1;
    let (_, found) = reproduced(&report.study, &other_after);
    assert_eq!(verdicts(&found), (Some(true), Some(false)));

    let mut other_accuracy = good.clone();
    other_accuracy.sets[1].before.correct += 1;
    let (_, found) = reproduced(&report.study, &other_accuracy);
    assert_eq!(verdicts(&found), (Some(false), Some(true)));

    let mut other_values = good.clone();
    other_values.sets[0].log_likelihoods[2] += 0.5;
    let (_, found) = reproduced(&report.study, &other_values);
    assert!((found.largest_log_likelihood_difference - 0.5).abs() < 1.01e-4);
    assert_eq!(found.log_likelihoods_close, Some(false));
    assert!(!found.is_identical() && found.message.contains("than rounding"));

    let mut other_precision = good.clone();
    assert_eq!(other_precision.precision, Some(Precision::F32));
    other_precision.precision = Some(Precision::Int8);
    let (_, found) = reproduced(&report.study, &other_precision);
    assert_eq!(
        found.other_precision.map(|other| other.expected),
        Some(Precision::Int8)
    );
    assert!(found.message.contains("held in int8"), "{}", found.message);
    assert_eq!(found.log_likelihoods_close, None);

    let mut other_set = good;
    other_set.sets[0].set = "elsewhere".into();
    let (_, found) = reproduced(&report.study, &other_set);
    assert_eq!(verdicts(&found), (Some(false), Some(false)));
}

/// A mask without a selection is taken as it is, even where the attribution would choose another.
#[test]
fn what_a_report_holds_beside_its_answers_is_compared_too() {
    type Change = fn(&mut Report);
    let report = run(FOLDER, &study(&questioned())).unwrap();
    let now = Expected::of_report(&report);
    let found = Reproduction::new(&now, &now);
    let parts: Vec<&str> = found.beside.iter().map(|part| &*part.part).collect();
    let all = [
        "audit",
        "attribution",
        "race",
        "search",
        "control",
        "tuning",
    ];
    assert_eq!(parts, all);
    assert!(found.is_identical() && found.beside.iter().all(|part| part.compared > 0));
    let changes: [(&str, Change); 6] = [
        ("audit", |report| {
            report
                .audit
                .as_mut()
                .unwrap()
                .lengths
                .longest_predicted
                .correct += 1;
        }),
        ("attribution", |report| {
            let scores = &mut report.attribution.as_mut().unwrap().scores[1];
            let largest = scores.iter().copied().fold(0.0, f32::max);
            let weakest = |a: &&mut f32, b: &&mut f32| a.abs().total_cmp(&b.abs());
            *scores.iter_mut().min_by(weakest).unwrap() = largest / 2.0;
        }),
        ("race", |report| {
            report.race.as_mut().unwrap().methods[0].found.value -= 0.1;
        }),
        ("search", |report| {
            report.search.as_mut().unwrap().cells[0].accuracy.correct += 1;
        }),
        ("control", |report| {
            report.control.as_mut().unwrap().sets[0].accuracies[0] += 0.25;
        }),
        ("tuning", |report| {
            report.tuning.as_mut().unwrap().curves[0].best_step += 1;
        }),
    ];
    for (part, change) in changes {
        let mut other = report.clone();
        change(&mut other);
        let found = Reproduction::new(&Expected::of_report(&other), &now);
        let different = found.beside.iter().filter(|part| part.different > 0);
        let different: Vec<&str> = different.map(|part| &*part.part).collect();
        assert_eq!(different, [part]);
        assert!(!found.is_identical(), "{part}");
        let said = format!("{part} different in 1 of");
        assert!(found.message.contains(&said), "{}", found.message);
    }
}

#[test]
fn a_given_mask_or_selection_is_what_is_pruned() {
    let mut with_mask = document();
    with_mask["pruning"] = json!({"mask": common::mask(FOLDER)});
    let report = run(FOLDER, &study(&with_mask)).unwrap();
    assert_eq!(report.pruned.unwrap().mask, common::mask(FOLDER));
    assert_eq!(report.study.pruning.unwrap().selection, None);

    let mut with_selection = document();
    with_selection["pruning"] = json!({"selection": {"layer": 2, "percent": 25.0}});
    let report = run(FOLDER, &study(&with_selection)).unwrap();
    let mask = report.pruned.unwrap().mask;
    assert_eq!((mask.layers[0].layer, mask.n_neurons()), (2, 6));

    // A selection that would give another mask is not said to have made it, and a re-run prunes the same.
    let mut with_both = document();
    with_both["pruning"] =
        json!({"mask": common::mask(FOLDER), "selection": {"layer": 2, "percent": 25.0}});
    let report = run(FOLDER, &study(&with_both)).unwrap();
    let (_, found) = reproduced(&report.study, &Expected::of_report(&report));
    assert_eq!(report.study.pruning.unwrap().selection, None);
    assert_eq!(found.mask_identical, Some(true));
}

#[test]
fn the_rule_of_the_study_decides_its_predictions() {
    let mut document = document();
    document["scoring"] = json!({"rule": "per_character"});
    let report = run(FOLDER, &study(&document)).unwrap();
    for set in &report.baseline {
        for item in &set.items {
            assert_eq!(item.predicted, item.predicted_by(Rule::PerCharacter));
        }
    }
    let pruned = report.pruned.unwrap();
    assert_eq!(
        pruned.sets[0].before,
        report.baseline[2].accuracy_per_character
    );
    assert_eq!(
        report.search.unwrap().baseline,
        report.baseline[1].accuracy_per_character
    );
}

#[test]
fn a_study_for_another_model_is_refused_with_both_names() {
    let study = study(&document());
    match run("tiny-llama-untied", &study).unwrap_err() {
        StudyError::OtherModel { expected, found } => {
            assert!(expected.contains(FOLDER), "{expected}");
            assert!(found.contains("tiny-llama-untied"), "{found}");
        }
        other => panic!("{other}"),
    }
    // The hash decides, not the name; without a hash the name does.
    let mut renamed = study.clone();
    renamed.model.id = "renamed".into();
    assert!(run(FOLDER, &renamed).is_ok());
    renamed.model.sha256.clear();
    assert!(matches!(
        run(FOLDER, &renamed),
        Err(StudyError::OtherModel { .. })
    ));
}

#[test]
fn items_that_are_not_the_study_s_are_refused_by_their_hash() {
    let mut document = document();
    let good = items_sha256(&items(FOLDER));
    document["item_sets"][0]["sha256"] = json!(good);
    assert!(run(FOLDER, &study(&document)).is_ok());
    document["item_sets"][0]["items"][1]["gold"] = json!(2);
    let message = refused(&document);
    assert!(
        message.contains("`train`") && message.contains(&good),
        "{message}"
    );
}

#[test]
fn items_of_a_study_are_held_to_what_a_file_is_held_to() {
    for (field, value, wanted) in [
        ("gold", json!(9), "the right choice is 9"),
        ("choices", json!(["one"]), "2 to 26 choices"),
        (
            "id",
            document()["item_sets"][0]["items"][0]["id"].clone(),
            "there twice",
        ),
    ] {
        let mut document = document();
        document["item_sets"][0]["items"][1][field] = value;
        let message = Study::from_json(&document.to_string())
            .unwrap_err()
            .to_string();
        assert!(
            message.contains(wanted) && message.contains("`train`"),
            "{message}"
        );
    }
}

#[test]
fn a_set_may_be_a_slice_of_a_sample() {
    let mut document = document();
    document["item_sets"][1] = json!({
        "name": "valid", "roles": ["validation"], "sample": "my-items", "first": 1, "count": 3,
        "sha256": items_sha256(&validation()[1..4]),
    });
    let sample = |name: &str| match name {
        "my-items" => Ok(validation()),
        other => no_samples(other),
    };
    let study = study(&document);
    let report = wait(runner::run(&mut session(FOLDER), &study, sample, job())).unwrap();
    let ids: Vec<&str> = report.baseline[1]
        .items
        .iter()
        .map(|item| item.id.as_str())
        .collect();
    assert_eq!(ids, ["v1", "v2", "v3"]);
    let message = refused(&document);
    assert!(message.contains("no item set `my-items`"), "{message}");
}

#[test]
fn parts_that_need_other_parts_say_so() {
    let mut two = document();
    two["item_sets"][1]["roles"] = json!(["attribution", "validation"]);
    assert!(refused(&two).contains("exactly one item set"));

    let mut unknown = document();
    unknown["template"] = json!("plain@7");
    let error = Study::from_json(&unknown.to_string()).unwrap_err();
    assert!(error.to_string().contains("plain@1"), "{error}");

    let mut search_alone = document();
    search_alone.as_object_mut().unwrap().remove("attribution");
    assert!(refused(&search_alone).contains("a search needs an `attribution`"));

    let mut nothing_pruned = document();
    nothing_pruned.as_object_mut().unwrap().remove("search");
    assert!(refused(&nothing_pruned).contains("a `control` needs a `pruning`"));
    nothing_pruned["pruning"] = json!({});
    assert!(refused(&nothing_pruned).contains("`pruning` needs a `mask`"));
    nothing_pruned["pruning"] = json!({"selection": {"layer": 0, "percent": 10.0}});
    nothing_pruned
        .as_object_mut()
        .unwrap()
        .remove("attribution");
    let error = Study::from_json(&nothing_pruned.to_string()).unwrap_err();
    assert!(
        error.to_string().contains("needs the `attribution`"),
        "{error}"
    );
    // A mask beside it makes it no selection.
    nothing_pruned["pruning"]["mask"] = json!(common::mask(FOLDER));
    assert!(Study::from_json(&nothing_pruned.to_string()).is_err());

    // Before the attribution, which would fail for want of an item that is sure enough.
    for (part, value, wanted) in [
        (
            "control",
            json!({"masks": 0, "seed": 3}),
            "1 to 1000 random masks",
        ),
        (
            "search",
            json!({"percents": [10.0, 200.0]}),
            "at most 100, and is 200",
        ),
        (
            "pruning",
            json!({"selection": {"layer": 9, "percent": 5.0}}),
            "layer 9 is outside",
        ),
    ] {
        let mut late = document();
        late[part] = value;
        late["attribution"]["confidence_threshold"] = json!(1.0);
        let error = run(FOLDER, &study(&late)).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }

    let mut empty = document();
    empty["item_sets"][2]["items"] = json!([]);
    let error = run(FOLDER, &study(&empty)).unwrap_err().to_string();
    assert!(error.contains("`all` is empty"), "{error}");
}

#[test]
fn sets_have_roles_and_a_study_without_a_test_set_reports_on_all() {
    let mut document = document();
    document["item_sets"].as_array_mut().unwrap().pop();
    let study = study(&document);
    assert_eq!(study.sets_of(Role::Test), [""; 0]);
    let report = run(FOLDER, &study).unwrap();
    let sets: Vec<String> = report
        .pruned
        .unwrap()
        .sets
        .into_iter()
        .map(|set| set.set)
        .collect();
    assert_eq!(sets, ["train", "valid"]);
}

#[test]
fn a_mask_file_is_bound_to_its_model() {
    let report = run(FOLDER, &study(&document())).unwrap();
    let pruned = report.pruned.as_ref().unwrap();
    let file = MaskFile::new(
        &report.model,
        report.engine.clone(),
        Some(report.study.clone()),
        pruned,
        report.control.clone(),
    );
    let back = MaskFile::from_json(&file.to_json().unwrap()).unwrap();
    assert_eq!((&back.mask, &back.model), (&pruned.mask, &file.model));
    assert_eq!(back.study.as_ref(), Some(&report.study));
    assert_eq!(back.results[0].flipped, pruned.sets[0].flipped.len());
    assert_eq!(back.results[0].after, pruned.sets[0].after.accuracy);
    let tied = model(FOLDER);
    let (mask, warnings) = back.for_model(tied.config(), &tied.sha256).unwrap();
    assert_eq!((mask, warnings), (pruned.mask.clone(), vec![]));
    let (_, warnings) = back.for_model(tied.config(), "another").unwrap();
    assert!(warnings[0].contains(FOLDER));
    // The untied model has two layers only.
    let mut high = back;
    high.mask.layers[0].layer = 2;
    let untied = model("tiny-llama-untied");
    assert!(high.for_model(untied.config(), &untied.sha256).is_err());
}

/// What is said of a mask's effect follows from what stands beside it, or is refused by name.
#[test]
fn a_mask_file_that_contradicts_itself_is_refused() {
    let mut document = document();
    document["item_sets"][1]["roles"] = json!(["validation", "test"]);
    let report = run(FOLDER, &study(&document)).unwrap();
    let pruned = report.pruned.as_ref().unwrap();
    let study = Some(report.study.clone());
    let control = report.control.clone();
    let file = MaskFile::new(&report.model, report.engine.clone(), study, pruned, control);
    let text = file.to_json().unwrap();
    assert!(MaskFile::from_json(&text).is_ok());
    let good: Value = serde_json::from_str(&text).unwrap();
    let other_mask = json!([{"layer": 0, "neurons": [0]}]);
    let changes: [(&str, Value, &str); 17] = [
        (
            "/results/0/after/correct",
            json!(77),
            "the accuracy with the mask",
        ),
        (
            "/results/0/before/value",
            json!(0.5),
            "the accuracy without the mask",
        ),
        (
            "/results/0/after/total",
            json!(1),
            "the accuracy with the mask",
        ),
        (
            "/results/0/flipped",
            json!(1000),
            "answers are said to have changed",
        ),
        ("/results/0/set", json!("other"), "no item set `other`"),
        ("/results/1/set", good["results"][0]["set"].clone(), "twice"),
        ("/layers", other_mask.clone(), "the mask is not the study's"),
        ("/layers/0/layer", json!(99), "more than the"),
        (
            "/study/pruning/mask/layers",
            other_mask,
            "the mask is not the study's",
        ),
        ("/study/model/sha256", json!("00"), "another model"),
        (
            "/study/item_sets/2/items",
            json!([]),
            "not those of their sha256",
        ),
        ("/model/d_mlp", json!(0), "more than the"),
        ("/control/masks", json!(1), "another size or seed"),
        ("/control/sets/0/mean", json!(0.123), "the control's mean"),
        (
            "/control/sets/0/mask",
            json!(0.123),
            "the control's accuracy of the mask",
        ),
        ("/control/sets/0/set", json!("other"), "not measured on"),
        (
            "/control/layers/0/neurons",
            json!(99),
            "not of the size of the mask",
        ),
    ];
    for (place, value, named) in changes {
        let mut changed = good.clone();
        *changed.pointer_mut(place).unwrap() = value;
        let error = MaskFile::from_json(&changed.to_string()).unwrap_err();
        assert!(error.to_string().contains(named), "{place}: {error}");
    }
    for (from, to) in [
        ("\"results\": [", "\"results\": [], \"results\": ["),
        ("\"layers\": [", "\"layers\": [], \"layers\": ["),
        ("\"flipped\":", "\"flipped\": 0, \"flipped\":"),
        ("\"d_mlp\":", "\"d_mlp\": 7, \"d_mlp\":"),
        ("\"format\":", "\"format\": \"x\", \"format\":"),
    ] {
        let error = MaskFile::from_json(&text.replacen(from, to, 1)).unwrap_err();
        assert!(
            error.to_string().contains("duplicate field"),
            "{from}: {error}"
        );
    }
}

/// Everything that decides a prompt travels with the study: a template of one's own, shots, the choices' order.
#[test]
fn a_study_brings_its_template_its_shots_and_the_order_of_its_choices() {
    let mut document = document();
    document["template"] = json!({
        "name": "mine", "version": 1, "prompt": "the cat: {context}", "choice": "{choice}"
    });
    document["few_shot"] = json!({"k": 1, "seed": 5});
    document["choice_order"] = json!({"seed": 9});
    document["scoring"] = json!({"rule": "per_token", "keep_tokens": true});
    let report = run(FOLDER, &study(&document)).unwrap();
    let study = &report.study;
    assert_eq!(
        Study::from_json(&serde_json::to_string(study).unwrap()).unwrap(),
        *study
    );
    let plain = run(FOLDER, &self::study(&self::document())).unwrap();
    let mut moved = 0;
    for (set, plain) in report.baseline.iter().zip(&plain.baseline) {
        for (item, plain) in set.items.iter().zip(&plain.items) {
            let mut texts: Vec<&str> = item.choices.iter().map(|c| c.text.as_str()).collect();
            let mut before: Vec<&str> = plain.choices.iter().map(|c| c.text.as_str()).collect();
            assert_eq!(texts[item.gold], before[plain.gold]);
            moved += usize::from(texts != before);
            texts.sort_unstable();
            before.sort_unstable();
            assert_eq!(texts, before);
            assert!(
                item.choices
                    .iter()
                    .all(|c| c.token_log_probabilities.len() == c.tokens)
            );
            assert!(
                plain
                    .choices
                    .iter()
                    .all(|c| c.token_log_probabilities.is_empty())
            );
        }
    }
    assert!(moved > 0);
}

#[test]
fn a_set_can_be_a_part_of_a_seeded_split_and_a_test_of_another_kind() {
    let mut document = document();
    let sets = document["item_sets"].as_array().unwrap().clone();
    let whole = sets.last().unwrap().clone();
    let mut parts = Vec::new();
    for (part, role) in ["attribution", "validation", "out_of_distribution"]
        .iter()
        .enumerate()
    {
        let mut set = whole.clone();
        set["name"] = json!(role);
        set["roles"] = json!([role]);
        set["split"] = json!({"seed": 4, "shares": [1, 1, 1], "part": part});
        set.as_object_mut().unwrap().remove("sha256");
        parts.push(set);
    }
    document["item_sets"] = json!(parts);
    document.as_object_mut().unwrap().remove("tuning");
    let report = run(FOLDER, &study(&document)).unwrap();
    let mut ids: Vec<&str> = report
        .baseline
        .iter()
        .flat_map(|set| &set.items)
        .map(|item| item.id.as_str())
        .collect();
    ids.sort_unstable();
    let all = whole["items"].as_array().unwrap();
    let mut expected: Vec<&str> = all
        .iter()
        .map(|item| item["id"].as_str().unwrap())
        .collect();
    expected.sort_unstable();
    assert_eq!(ids, expected);
    let reported: Vec<&str> = report
        .pruned
        .as_ref()
        .unwrap()
        .sets
        .iter()
        .map(|set| set.set.as_str())
        .collect();
    assert_eq!(reported, ["out_of_distribution"]);
    assert!(report.pruned.unwrap().sets[0].paired.is_some());
}

#[test]
fn shots_that_cannot_be_drawn_are_refused_with_the_reason() {
    for (few_shot, named) in [
        (json!({"k": 0}), "1 to 64"),
        (json!({"k": 1, "set": "elsewhere"}), "`elsewhere`"),
    ] {
        let mut document = document();
        document["few_shot"] = few_shot;
        let error = Study::from_json(&document.to_string()).unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
    }
    let mut document = document();
    document["few_shot"] = json!({"k": 60});
    let error = run(FOLDER, &study(&document)).unwrap_err();
    assert!(error.to_string().contains("60 shots"), "{error}");
}

/// A search by every rule, by halving, and with another operation than zero: its best cell is pruned as it was searched, and the report
/// is held to what was asked for.
#[test]
fn a_study_prunes_as_it_searched_by_whatever_rule() {
    let mut document = document();
    document["item_sets"][1]["items"] = json!([items(FOLDER), validation()].concat());
    for (search, rule) in [
        (json!({"percents": [30.0], "windows": [2]}), "layers"),
        (json!({"percents": [], "shares": [0.2]}), "share"),
        (
            json!({"percents": [30.0], "windows": [], "harm": true}),
            "harmful_percent",
        ),
        (
            json!({"percents": [], "greedy": {"candidates": 24, "rounds": 3}}),
            "picked",
        ),
    ] {
        document["search"] = search;
        document["search"]["operation"] = json!("scale");
        document["search"]["factor"] = json!(-1.5);
        document["search"]["halving"] = json!(true);
        document["search"]["control"] = json!({"masks": 2, "seed": 1});
        let report = travelled(&run(FOLDER, &study(&document)).unwrap());
        let pruned = report.pruned.as_ref().unwrap();
        assert_eq!(
            (pruned.mask.operation, pruned.mask.factor),
            (Operation::Scale, Some(-1.5))
        );
        let found = report.search.as_ref().unwrap();
        let best = serde_json::to_value(&found.best).unwrap();
        assert!(best.get(rule).is_some(), "{best}");
        let cell = found.cells.iter().find(|cell| cell.selection == found.best);
        assert_eq!(cell.unwrap().neurons, pruned.neurons);
        let spec = report.study.pruning.as_ref().unwrap();
        assert_eq!(spec.selection.as_ref(), Some(&found.best));
        let (_, again) = reproduced(&report.study, &Expected::of_report(&report));
        assert!(again.is_identical(), "{rule}: {}", again.message);

        let good = serde_json::to_value(&report).unwrap();
        let of_a_share = |cell: &Value| {
            let mut cell = cell.clone();
            cell.as_object_mut().unwrap().remove(rule);
            cell["share"] = json!(0.7);
            cell
        };
        contradicts_itself(
            &good,
            &[
                ("/search/cells/0", &of_a_share, "other cells"),
                (
                    "/search/spec/operation",
                    &|_| json!("zero"),
                    "another one than the study asks for",
                ),
            ],
        );
    }
}

/// What a report says follows from the log-likelihoods, the settings and the mask beside it, or it is no report.
#[test]
fn a_report_is_held_to_what_follows_from_it() {
    let report = run(FOLDER, &study(&document())).unwrap();
    let good = serde_json::to_value(&report).unwrap();
    let neuron = |value: &Value| json!((value.as_u64().unwrap() + 1) % 24);
    let more = |value: &Value| json!(value.as_u64().unwrap() + 1);
    let shifted = |value: &Value| json!(value.as_f64().unwrap() * 0.9 + 0.01);
    let changes: &[(&str, Edit<'_>, &str)] = &[
        ("/pruned/sets/0/paired/p_value", &shifted, "`p_value`"),
        (
            "/pruned/sets/0/paired/items",
            &more,
            "other answers changed",
        ),
        ("/pruned/neurons", &more, "number of pruned neurons"),
        (
            "/pruned/mask/layers/0/neurons/0",
            &neuron,
            "not the study's",
        ),
        (
            "/pruned/sets/0/after/items/0/confidence",
            &shifted,
            "`confidence`",
        ),
        ("/baseline/0/items/0/confidence", &shifted, "`confidence`"),
        (
            "/baseline/0/items/0/correct",
            &|value| json!(value != &json!(true)),
            "`correct`",
        ),
        (
            "/baseline/0/items/0/choices/0/per_character",
            &shifted,
            "`per_character`",
        ),
        (
            "/baseline/0/calibration/expected_error",
            &shifted,
            "`calibration`",
        ),
        (
            "/baseline/0/calibration/bins/9/items",
            &more,
            "`calibration`",
        ),
        (
            "/baseline/0/items/0/choices/0/text",
            &|_| json!("other"),
            "another one in the study",
        ),
        ("/baseline/0/accuracy/value", &shifted, "accuracy is said"),
        (
            "/study/item_sets/0/items/0/context",
            &|_| json!("other"),
            "sha256",
        ),
        ("/control/sets/0/mean", &shifted, "control's mean"),
        ("/control/sets/0/min", &|_| json!(-1.0), "control's minimum"),
        ("/control/sets/0/max", &|_| json!(2.0), "control's maximum"),
        ("/control/sets/0/mask", &shifted, "accuracy of the mask"),
        (
            "/control/sets/0/at_least_as_good",
            &more,
            "at least as well",
        ),
        (
            "/control/sets/0/accuracies/0",
            &|_| json!(0.123),
            "no share of 9 items",
        ),
        ("/control/layers/0/neurons", &more, "size of the mask"),
        ("/control/seed", &more, "size or seed"),
        (
            "/search/best/layer",
            &|value| json!((value.as_u64().unwrap() + 1) % 3),
            "best cell",
        ),
        ("/search/cells/0/accuracy/value", &shifted, "searched mask"),
        ("/search/cells/0/neurons", &more, "size of a searched mask"),
        ("/search/cells/0/percent", &|_| json!(20.0), "other cells"),
        ("/search/baseline/low", &shifted, "without pruning"),
        ("/search/sets/0", &|_| json!("all"), "role `validation`"),
        (
            "/attribution/d_mlp",
            &|_| json!(256),
            "layers of 256 neurons",
        ),
        ("/attribution/items_skipped", &more, "sure enough"),
        ("/attribution/settings/steps", &more, "other settings"),
        ("/attribution/set", &|_| json!("all"), "has not that role"),
        ("/tuning/curves/0/best_step", &|_| json!(3), "best step"),
        (
            "/tuning/curves/0/sets/0/before/low",
            &shifted,
            "before tuning",
        ),
        (
            "/tuning/curves/0/validation/0/accuracy/high",
            &shifted,
            "accuracy of a tuning",
        ),
        ("/tuning/trained_gains", &more, "trained gains"),
        ("/tuning/layer", &|_| json!(0), "another layer"),
        ("/model/sha256", &|_| json!("0"), "another model"),
        ("/study/search", &|_| Value::Null, "does not ask for"),
    ];
    contradicts_itself(&good, changes);

    // A mask that the attribution beside it would not give, in both places.
    let mut other_mask = good.clone();
    for place in ["/pruned/mask", "/study/pruning/mask"] {
        let mask = other_mask.pointer_mut(place).unwrap();
        let neurons = mask["layers"][0]["neurons"].as_array_mut().unwrap();
        let free = (0..24)
            .find(|neuron| !neurons.contains(&json!(neuron)))
            .unwrap();
        neurons[0] = json!(free);
    }
    let error = Report::from_json(&other_mask.to_string()).unwrap_err();
    assert!(
        error.to_string().contains("selection does not give"),
        "{error}"
    );

    // The likeliest choice is the predicted one.
    let mut other_answer = good;
    let item = &mut other_answer["baseline"][0]["items"][0];
    let other = (item["predicted"].as_u64().unwrap() + 1) % 2;
    item["predicted"] = json!(other);
    item["correct"] = json!(item["gold"] == json!(other));
    let error = Report::from_json(&other_answer.to_string()).unwrap_err();
    assert!(error.to_string().contains("the likeliest"), "{error}");
}

/// Nor does a link say what contradicts what stands beside it.
#[test]
fn a_link_is_held_to_what_follows_from_it() {
    let report = run(FOLDER, &study(&document())).unwrap();
    let good = json!({
        "study": &report.study,
        "expected": Expected::of_report(&report).shortened(),
    });
    let decoded = |document: &Value| -> Result<Shared, String> {
        let shared: Shared = serde_json::from_value(document.clone()).unwrap();
        let fragment = link::encode(&shared).unwrap();
        link::decode(&fragment).map_err(|error| error.to_string())
    };
    decoded(&good).unwrap();
    let accuracy = |correct: usize, total: usize| json!(Accuracy::wilson(correct, total));
    let of_100 = json!({"correct": 100, "total": 100, "value": 0.011, "low": 0.0, "high": 1.0});
    let changes: &[(&str, Value, &str)] = &[
        ("/expected/sets/2/before", of_100, "said to be 100 of 100"),
        (
            "/expected/sets/2/before",
            accuracy(5, 100),
            "number of items",
        ),
        (
            "/expected/sets/2/after",
            accuracy(10, 10),
            "items with the mask",
        ),
        ("/expected/sets/0/before", accuracy(0, 4), "are right"),
        (
            "/expected/sets/0/predicted/0",
            json!(7),
            "no choice that is predicted",
        ),
        (
            "/expected/sets/0/predicted",
            json!([0]),
            "number of log-likelihoods",
        ),
        ("/expected/sets/0/log_likelihoods/0", json!(1.5), "above 0"),
        ("/expected/sets/1/set", json!("train"), "there twice"),
        (
            "/expected/sets/1/set",
            json!("elsewhere"),
            "no item set `elsewhere`",
        ),
        ("/expected/mask", Value::Null, "and no mask"),
        (
            "/expected/mask/layers/0/neurons",
            json!([0]),
            "not the study's",
        ),
        (
            "/study/pruning/selection/layer",
            json!(9),
            "of layer 9, and its mask prunes",
        ),
        ("/study/seed", json!(1_u64 << 53), "a seed is at most"),
        ("/study/control/seed", json!(u64::MAX), "a seed is at most"),
        (
            "/study/item_sets/0/items/0/context",
            json!("other"),
            "sha256",
        ),
    ];
    for (place, value, wanted) in changes {
        let mut changed = good.clone();
        *changed.pointer_mut(place).unwrap() = value.clone();
        let error = decoded(&changed).expect_err(place);
        assert!(error.contains(wanted), "{place}: {error}");
    }
    for (key, seed) in [
        ("few_shot", json!({"k": 1, "seed": 1_u64 << 60})),
        ("choice_order", json!({"seed": u64::MAX})),
    ] {
        let mut changed = good.clone();
        changed["study"][key] = seed;
        assert!(
            decoded(&changed).unwrap_err().contains("a seed is at most"),
            "{key}"
        );
    }
    // "Top 77 % by |IG|" for neurons that were picked by hand.
    let mut by_hand = good;
    by_hand["study"]
        .as_object_mut()
        .unwrap()
        .remove("attribution");
    assert!(
        decoded(&by_hand)
            .unwrap_err()
            .contains("needs the `attribution`")
    );
}

/// Scores and attribution are not computed again for what was taken away and brought back.
#[test]
fn what_is_as_it_was_has_its_results_again() {
    let mut session = session(FOLDER);
    let settings = study(&document()).attribution.unwrap();
    session.change(|bench| bench.set_items("train", items(FOLDER)));
    session.change(|bench| bench.set_items("valid", validation()));
    let job = job();
    wait(session.score_all(&["train", "valid"], job)).unwrap();
    wait(session.attribute("train", &settings, job)).unwrap();
    let scored = |session: &Session| session.baseline("train").map(|scores| scores.items.clone());
    let before = scored(&session);
    let scores = session.attribution().unwrap().per_item.clone();
    let more_steps = Settings {
        steps: settings.steps + 1,
        ..settings.clone()
    };
    assert!(session.is_attributed("train", &settings));
    assert!(!session.is_attributed("train", &more_steps));
    assert!(!session.is_attributed("valid", &settings));
    let plain = session.bench().prompting().clone();
    let lettered: secateur::study::Prompting =
        secateur::items::Template::named("lettered").unwrap().into();
    let is_back = |session: &Session| {
        assert_eq!(scored(session), before);
        assert_eq!(session.attribution().unwrap().per_item, scores);
    };
    let is_gone = |session: &Session| {
        assert!(session.baseline("train").is_none() && session.attribution().is_none());
        assert!(!session.is_attributed("train", &settings));
    };

    session.change(|bench| bench.remove_items("train"));
    is_gone(&session);
    assert!(session.baseline("valid").is_some());
    session.change(|bench| bench.set_items("train", items(FOLDER)));
    is_back(&session);

    session.change(|bench| bench.set_items("train", validation()));
    is_gone(&session);
    session.change(|bench| bench.set_items("train", items(FOLDER)));
    is_back(&session);

    session.change(|bench| bench.set_prompting(lettered));
    is_gone(&session);
    session.change(|bench| bench.set_prompting(plain));
    is_back(&session);

    session.change(|bench| bench.set_rule(Rule::PerToken));
    assert!(session.attribution().is_none());
    // Log-likelihoods do not hang on the rule.
    assert!(session.baseline("train").is_some());
    session.change(|bench| bench.set_rule(Rule::Sum));
    is_back(&session);
}

/// What a set is called is no part of what its results were made of.
#[test]
fn results_follow_a_set_that_is_renamed() {
    let mut session = session(FOLDER);
    let settings = study(&document()).attribution.unwrap();
    let shots = |set: &str| {
        let mut prompting = secateur::study::Prompting::from(plain().template().clone());
        prompting.few_shot = Some(secateur::items::FewShot {
            k: 1,
            seed: Some(5),
            set: Some(set.to_owned()),
        });
        prompting
    };
    session.change(|bench| bench.set_prompting(shots("shots")));
    for name in ["train", "twin"] {
        session.change(|bench| bench.set_items(name, items(FOLDER)));
    }
    session.change(|bench| bench.set_items("shots", validation()));
    let job = job();
    wait(session.score_all(&["train", "twin"], job)).unwrap();
    wait(session.attribute("train", &settings, job)).unwrap();
    let before = session.baseline("train").unwrap().items.clone();
    let per_item = session.attribution().unwrap().per_item.clone();
    let is_there = |session: &Session, name: &str| {
        let scores = session.baseline(name).unwrap();
        assert_eq!((scores.set.as_str(), &scores.items), (name, &before));
        let found = session.attribution().unwrap();
        assert_eq!((found.set.as_str(), &found.per_item), (name, &per_item));
        assert_eq!(session.baseline("twin").unwrap().set, "twin");
    };
    session.change(|bench| bench.remove_items("train"));
    session.change(|bench| bench.set_items("renamed", items(FOLDER)));
    is_there(&session, "renamed");
    // So is the set of the shots.
    session.change(|bench| bench.remove_items("shots"));
    session.change(|bench| bench.set_items("examples", validation()));
    assert!(session.attribution().is_none());
    session.change(|bench| bench.set_prompting(shots("examples")));
    is_there(&session, "renamed");
    // Of sets with the same items each has its own again.
    session.change(|bench| bench.set_rule(Rule::PerToken));
    session.change(|bench| bench.set_rule(Rule::Sum));
    is_there(&session, "renamed");
}

/// A link's study runs beside one's own, which has its items and results whether that run succeeds or not.
#[test]
fn a_study_that_runs_beside_a_session_leaves_it_as_it_is() {
    let mut own = session(FOLDER);
    own.change(|bench| bench.set_items("train", validation()));
    let before = wait(own.score("train", job())).unwrap().clone();
    let mut failing = document();
    failing["attribution"]["confidence_threshold"] = json!(1.0);
    failing["template"] = json!("lettered@1");
    failing["scoring"] = json!({"rule": "per_token"});
    for document in [failing, document()] {
        let mut beside = own.beside();
        let ran = wait(runner::run(
            &mut beside,
            &study(&document),
            no_samples,
            job(),
        ));
        assert_eq!(ran.is_ok(), document["template"] == json!("plain@1"));
        assert_eq!(own.baseline("train").unwrap().items, before.items);
        assert_eq!(own.bench().items("train").unwrap(), validation());
        assert_eq!(own.bench().prompting().template, *plain().template());
        assert_eq!(own.bench().rule(), Rule::Sum);
        assert!(own.bench().items("all").is_err() && own.attribution().is_none());
    }
}

/// A mask of one layer of the fixture's model, under a name.
fn kept(name: &str, layer: usize, neurons: &[usize]) -> Value {
    json!({
        "name": name,
        "model": {"id": FOLDER, "sha256": model(FOLDER).sha256},
        "mask": {"site": "post", "layers": [{"layer": layer, "neurons": neurons}]},
    })
}

/// What a kept mask's document says, changed at one place.
fn with(mut document: Value, at: &str, value: Value) -> Value {
    *document.pointer_mut(at).unwrap() = value;
    document
}

fn keeping(masks: Value) -> Value {
    let mut document = document();
    document["kept_masks"] = masks;
    document
}

#[test]
fn kept_masks_stay_in_the_study_and_change_nothing_of_what_is_run() {
    let masks = json!([kept("a", 0, &[1, 3]), kept("b", 2, &[0])]);
    let study = study(&keeping(masks.clone()));
    let report = run(FOLDER, &study).unwrap();
    assert_eq!(report.study.kept_masks, study.kept_masks);
    assert_eq!(
        serde_json::to_value(&report.study).unwrap()["kept_masks"],
        json!([
            with(
                masks[0].clone(),
                "/mask",
                json!({"operation": "zero", "site": "post", "layers": [{"layer": 0, "neurons": [1, 3]}]})
            ),
            with(
                masks[1].clone(),
                "/mask",
                json!({"operation": "zero", "site": "post", "layers": [{"layer": 2, "neurons": [0]}]})
            ),
        ])
    );
    let pruned = report.pruned.as_ref().unwrap();
    let without = run(FOLDER, &self::study(&document())).unwrap();
    assert_eq!(pruned.mask, without.pruned.unwrap().mask);
    // They are no part of the file of another mask.
    let session = session(FOLDER);
    let (info, engine) = (session.model_info(), session.engine_info());
    let file = MaskFile::new(&info, engine, Some(report.study.clone()), pruned, None);
    assert!(!file.to_json().unwrap().contains("kept_masks"));
}

#[test]
fn masks_that_a_study_cannot_keep_are_refused_by_name() {
    let many: Vec<Value> = (0..65)
        .map(|index| kept(&format!("{index}"), 0, &[1]))
        .collect();
    for (masks, named) in [
        (json!(many), "at most 64 masks, not 65"),
        (
            json!([kept("a", 0, &[1]), kept("a", 1, &[1])]),
            "two kept masks are called `a`",
        ),
        (
            json!([kept("a", 0, &[1]), kept(" ", 1, &[1])]),
            "the name of kept mask 2 is empty",
        ),
        (
            json!([kept(&"x".repeat(81), 0, &[1])]),
            "longer than 80 characters",
        ),
        (
            json!([with(
                kept("a", 0, &[1]),
                "/mask",
                json!({"operation": "scale", "site": "post", "layers": []})
            )]),
            "kept mask `a`: mask: the operation `scale` needs a `factor`",
        ),
    ] {
        let error = Study::from_json(&keeping(masks).to_string()).unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
    }
    let outside = study(&keeping(json!([kept("a", 9, &[1])])));
    let error = run(FOLDER, &outside).unwrap_err().to_string();
    assert!(
        error.contains("`a`: layer 9 is outside the model's 3 layers"),
        "{error}"
    );
    // Of another model it may be as large as that.
    let of_another = with(kept("a", 9, &[1]), "/model/sha256", json!("0"));
    run(FOLDER, &study(&keeping(json!([of_another])))).unwrap();
}

#[test]
fn two_masks_make_a_third_where_both_are_of_the_model_at_hand() {
    let session = session(FOLDER);
    let read = |document: Value| -> KeptMask { serde_json::from_value(document).unwrap() };
    let (a, b) = (read(kept("a", 0, &[1, 3])), read(kept("b", 0, &[3, 5])));
    let made = |how, a: &KeptMask, b: &KeptMask| session.combined(how, &[a.clone(), b.clone()]);
    for (how, neurons) in [
        (Combination::Union, vec![1, 3, 5]),
        (Combination::Intersection, vec![3]),
        (Combination::Difference, vec![1]),
    ] {
        assert_eq!(
            made(how, &a, &b).unwrap(),
            Mask::of_layer(Site::Post, 0, neurons)
        );
    }
    let of_another = read(with(
        kept("c", 0, &[1]),
        "/model",
        json!({"id": "other", "sha256": "0"}),
    ));
    let outside = read(kept("d", 0, &[1, 4000]));
    let scaled = json!({"operation": "scale", "factor": 0.5, "site": "post", "layers": [{"layer": 0, "neurons": [1]}]});
    let scaled = read(with(kept("e", 0, &[1]), "/mask", scaled));
    for (other, named) in [
        (
            &of_another,
            "`c` is of the model `other`, whose weights are others than those of the loaded `tiny-llama-tied`",
        ),
        (&outside, "`d`: neuron 4000 of layer 0 is outside"),
        (&scaled, "two operations"),
    ] {
        for (first, second) in [(&a, other), (other, &a)] {
            let error = made(Combination::Union, first, second)
                .unwrap_err()
                .to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}

#[test]
fn means_are_measured_once_for_the_same_items() {
    let mut session = session(FOLDER);
    session.change(|bench| bench.set_items("a", items(FOLDER)));
    let first = wait(session.means("a", job())).unwrap();
    session.change(|bench| bench.set_rule(Rule::PerByte));
    assert!(Rc::ptr_eq(
        &first,
        &wait(session.means("a", job())).unwrap()
    ));
    let like = Mask {
        operation: Operation::Mean,
        means_of: Some("a".into()),
        ..Mask::empty(Site::Post)
    };
    let mask = || Mask::of_layer(Site::Post, 1, [4, 2]);
    let changed = wait(session.changed_like(mask(), &like, job())).unwrap();
    assert_eq!(changed, mask().by(Change::Mean(&first)).unwrap());

    session.change(|bench| bench.set_items("a", validation()));
    let second = wait(session.means("a", job())).unwrap();
    assert_ne!(first, second);
    // Random masks would go to other means than this one does.
    let sets = ["a".to_owned()];
    let error = wait(session.control(changed.clone(), &sets, (1, 0), job())).unwrap_err();
    assert!(
        error.to_string().contains("means over other items"),
        "{error}"
    );
    let again = wait(session.changed_like(changed, &like, job())).unwrap();
    wait(session.control(again.clone(), &sets, (1, 0), job())).unwrap();
    assert_eq!(again, mask().by(Change::Mean(&second)).unwrap());

    let halved = Mask {
        operation: Operation::Scale,
        factor: Some(0.5),
        ..Mask::empty(Site::Post)
    };
    let halves = wait(session.changed_like(again, &halved, job())).unwrap();
    assert_eq!(halves, mask().by(Change::Scale(0.5)).unwrap());
    let error = wait(session.changed_like(
        halves,
        &Mask {
            factor: Some(1e4),
            ..halved
        },
        job(),
    ));
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("from -1000 to 1000")
    );
}
