//! Searches and tunings.

use secateur::items::canonical_jsonl;
use secateur::pruning::{Operation, SearchReport};
use secateur::tuning::TuneReport;
use serde_json::Value;

use crate::common::{assert_close, items};
use crate::{Desk, FOLDER, TOLERANCE, parsed, with};

#[test]
fn search_tries_every_layer_and_percentage_asked_for() {
    let desk = Desk::new("search");
    let rest = [
        "--quiet",
        "--confidence",
        "0",
        "--layers",
        "0,2",
        "--percents",
        "10,50",
    ];
    let report: SearchReport = parsed(&desk.ok(&with("search", &rest)));
    let cells: Vec<(String, usize)> = report
        .cells
        .iter()
        .map(|cell| (cell.selection.to_string(), cell.neurons))
        .collect();
    let cell = |percent, layer| format!("the top {percent} % of layer {layer}");
    let expected = [
        (cell(10, 0), 2),
        (cell(50, 0), 12),
        (cell(10, 2), 2),
        (cell(50, 2), 12),
    ];
    assert_eq!(cells, expected);
    // On other items than those attributed.
    let few = canonical_jsonl(&items(FOLDER)[..2]);
    desk.put("few.jsonl", few);
    let rest = [
        &rest[..],
        &["--validation", "few.jsonl", "--out", "search.json"],
    ]
    .concat();
    assert!(desk.ok(&with("search", &rest)).is_empty());
    let report: SearchReport = desk.json("search.json");
    assert!(report.cells.iter().all(|cell| cell.accuracy.total == 2));
}

#[test]
fn search_tries_every_rule_that_is_asked_for_and_says_what_it_costs() {
    let desk = Desk::new("rules");
    let rest = [
        "--confidence",
        "0",
        "--percents",
        "50",
        "--windows",
        "2",
        "--shares",
        "0.01",
        "--harm",
        "--greedy",
        "1",
        "--candidates",
        "3",
        "--operation",
        "mean",
        "--halving",
        "--out",
        "search.json",
    ];
    let done = desk.run(&with("search", &rest));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    // 2 + 1 + 3 cells and 3 candidates on 4 items, which are too few to halve.
    assert!(
        said.contains("36 (under a second) by halving; with every cell on every item 36 (under"),
        "{said}"
    );
    assert!(
        said.contains("the effect of every neuron is measured"),
        "{said}"
    );
    let report: SearchReport = desk.json("search.json");
    let names: Vec<String> = report
        .cells
        .iter()
        .map(|cell| cell.selection.to_string())
        .collect();
    let expected = [
        "the top 50 % of layers 0, 1 together",
        "the top 50 % of layers 1, 2 together",
        "every neuron above 1 % of the largest score",
        "the most harmful 50 % of layer 0, as measured",
        "the most harmful 50 % of layer 1, as measured",
        "the most harmful 50 % of layer 2, as measured",
    ];
    assert_eq!(names[..6], expected);
    assert_eq!(report.spec.unwrap().operation, Operation::Mean);
    for (rest, named) in [
        (&["--operation", "scale"][..], "`factor`"),
        (&["--factor", "2"], "`factor`"),
        (&["--shares", "1"], "below 1"),
        (&["--windows", "4"], "4 layers"),
        (&["--windows", "0"], "at least one"),
        (&["--greedy", "17"], "17 of 16"),
    ] {
        let line = desk.wrong(&with("search", rest));
        assert!(line.contains(named), "{line}");
    }
}

#[test]
fn tune_has_the_reference_s_losses_with_the_mask_and_without() {
    let desk = Desk::new("tune");
    let mask = crate::common::fixture("tiny-llama-tied/mask.json");
    let rest = [
        "--mask",
        mask.to_str().unwrap(),
        "--validation",
        "items.jsonl",
        "--test",
        "items.jsonl",
        "--layer",
        "1",
        "--steps",
        "10",
        "--learning-rate",
        "0.05",
        "--out",
        "tune.json",
    ];
    assert!(desk.run(&with("tune", &rest)).status.success());
    let report: TuneReport = desk.json("tune.json");
    let golden: Value = crate::common::json("tiny-llama-tied/tuning.json");
    for (curve, run) in report.curves.iter().zip(["pruned", "unpruned"]) {
        let losses: Vec<f64> = curve.steps.iter().map(|step| step.loss).collect();
        let expected: Vec<f64> = serde_json::from_value(golden[run]["losses"].clone()).unwrap();
        assert_close(&losses, &expected, TOLERANCE, run);
        assert_eq!(curve.sets[0].set, "items.jsonl");
    }
}

#[test]
fn a_test_file_may_be_called_as_any_set_is() {
    let desk = Desk::new("set-names");
    let few = canonical_jsonl(&items(FOLDER)[..2]);
    for name in ["items", "validation", "few-shot items"] {
        desk.put(name, &few);
        let shots = ["--few-shot", "1", "--few-shot-items", "items.jsonl"];
        let tune = [
            "--validation",
            "items.jsonl",
            "--layer",
            "1",
            "--steps",
            "1",
            "--test",
            name,
        ];
        let found = desk.ok(&with("tune", &[&shots[..], &tune].concat()));
        let found: Value = parsed(&found);
        let set = &found["curves"][0]["sets"][0];
        assert_eq!(set["set"], format!("./{name}"));
        let sets = found["made_of"]["item_sets"].as_array().unwrap();
        let sha256 = |name: &str| &sets.iter().find(|set| set["name"] == name).unwrap()["sha256"];
        assert_eq!(sha256("few-shot items"), sha256("items"), "{name}");
        assert_eq!(set["before"]["total"], 2);
    }
}
