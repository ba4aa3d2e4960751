//! Masks: measured, made, combined.

use secateur::export::MaskFile;
use secateur::pruning::{Operation, PruneReport};
use secateur::scoring::SetScores;
use secateur::study::Report;
use serde_json::{Value, json};

use crate::common::{assert_close, model};
use crate::{Desk, FOLDER, TOLERANCE, golden, parsed, sums, with};

/// Standard output of `prune`.
#[derive(serde::Deserialize)]
struct Pruned {
    baseline: SetScores,
    pruned: PruneReport,
    control: Option<Value>,
}

#[test]
fn prune_with_a_mask_file_gives_the_reference_s_masked_scores() {
    let desk = Desk::new("prune-mask");
    let mask = crate::common::fixture("tiny-llama-tied/mask.json");
    let rest = [
        "--mask",
        mask.to_str().unwrap(),
        "--control",
        "4",
        "--seed",
        "5",
        "--mask-out",
        "mask.json",
    ];
    let output = desk.run(&with("prune", &rest));
    assert!(output.status.success());
    // The fixture's mask is a bare one.
    let note = String::from_utf8(output.stderr).unwrap();
    assert!(note.contains("does not say which model"), "{note}");
    let found: Pruned = parsed(&output.stdout);
    assert_close(
        &sums(&found.baseline),
        &golden(|item| &item.sums),
        TOLERANCE,
        "before",
    );
    let after = sums(&found.pruned.sets[0].after);
    assert_close(
        &after,
        &golden(|item| &item.masked_sums),
        TOLERANCE,
        "after",
    );
    let control = found.control.unwrap();
    assert_eq!(
        control["sets"][0]["accuracies"].as_array().unwrap().len(),
        4
    );
    // The written mask knows its model and gives the same again, now without a note.
    let written = MaskFile::from_json(std::str::from_utf8(&desk.bytes("mask.json")).unwrap());
    let written = written.unwrap();
    assert_eq!(written.mask, crate::common::mask(FOLDER));
    assert_eq!(written.model.sha256, model(FOLDER).sha256);
    let again: Pruned = parsed(&desk.ok(&with("prune", &["--mask", "mask.json"])));
    assert_eq!(sums(&again.pruned.sets[0].after), after);
    assert!(again.control.is_none());
}

#[test]
fn prune_with_a_layer_and_a_percentage_prunes_the_strongest() {
    let desk = Desk::new("prune-percent");
    let rest = [
        "--layer",
        "2",
        "--percent",
        "25",
        "--confidence",
        "0",
        "--mask-out",
        "mask.json",
    ];
    let found: Pruned = parsed(&desk.ok(&with("prune", &rest)));
    assert_eq!(found.pruned.neurons, 6);
    assert_eq!(found.pruned.mask.layers[0].layer, 2);
    let rest = [
        "--confidence",
        "0",
        "--out",
        "ig.safetensors",
        "--summary",
        "ig.json",
    ];
    desk.ok(&with("attribute", &rest));
    let summary: Value = desk.json("ig.json");
    let scores: Vec<f32> = serde_json::from_value(summary["scores"][2].clone()).unwrap();
    let mut order: Vec<usize> = (0..24).collect();
    order.sort_by(|&a, &b| scores[b].abs().total_cmp(&scores[a].abs()));
    let mut strongest = order[..6].to_vec();
    strongest.sort_unstable();
    assert_eq!(found.pruned.mask.layers[0].neurons, strongest);
}

/// A study of the selection, its operation and means re-runs to the same mask.
#[test]
fn prune_scales_and_replaces_by_means_and_reproduces_so() {
    let desk = Desk::new("prune-operations");
    let selection = ["--layer", "2", "--percent", "25", "--confidence", "0"];
    let zeroed: Pruned = parsed(&desk.ok(&with("prune", &selection)));
    let zeroed = zeroed.pruned.mask;
    for operation in [
        &["--operation", "scale", "--factor", "0.5"][..],
        &["--operation", "mean"],
    ] {
        let out = ["--control", "2", "--mask-out", "mask.json"];
        let rest = [&selection[..], operation, &out].concat();
        let found: Pruned = parsed(&desk.ok(&with("prune", &rest)));
        let mask = &found.pruned.mask;
        assert_eq!(mask.layers[0].neurons, zeroed.layers[0].neurons);
        let is_mean = mask.operation == Operation::Mean;
        assert_eq!(mask.factor, (!is_mean).then_some(0.5));
        assert_eq!(
            mask.layers[0].means.as_ref().map(Vec::len),
            is_mean.then_some(6)
        );
        // From the file, the same neurons change the same way.
        let again: Pruned = parsed(&desk.ok(&with("prune", &["--mask", "mask.json"])));
        assert_eq!(again.pruned.mask, *mask);
        let after = |pruned: &Pruned| sums(&pruned.pruned.sets[0].after);
        assert_eq!(after(&again), after(&found));
        let written: Value = desk.json("mask.json");
        desk.put("study.json", written["study"].to_string());
        desk.ok(&["run", "study.json", "--model", "MODEL", "--out", "again"]);
        let report: Report = desk.json("again/report.json");
        assert!(report.study.pruning.unwrap().selection.is_some());
        let pruned = report.pruned.unwrap();
        assert_eq!(pruned.mask, *mask);
        let reproduced = desk.ok(&["reproduce", "again/report.json", "--model", "MODEL"]);
        let reproduced: Value = parsed(&reproduced);
        assert_eq!(reproduced["mask_identical"], true, "{reproduced}");
        std::fs::remove_dir_all(desk.0.join("again")).unwrap();
    }
    for (operation, named) in [
        (&["--operation", "scale"][..], "needs a `factor`"),
        (&["--operation", "mean", "--factor", "2"], "`scale` alone"),
        (
            &["--operation", "scale", "--factor", "1e4"],
            "`factor` is 10000",
        ),
    ] {
        let line = desk.wrong(&with("prune", &[&selection[..], operation].concat()));
        assert!(line.contains(named), "{line}");
    }
}

#[test]
fn masks_are_combined_without_a_model() {
    let desk = Desk::new("masks");
    let of = |layers: &str| format!(r#"{{"site":"post","layers":[{layers}]}}"#);
    desk.put(
        "a.json",
        of(r#"{"layer":0,"neurons":[1,4]},{"layer":2,"neurons":[3]}"#),
    );
    desk.put("b.json", of(r#"{"layer":0,"neurons":[4,2]}"#));
    desk.put("c.json", of(r#"{"layer":2,"neurons":[3,7]}"#));
    for (command, expected) in [
        (
            "union",
            json!([{"layer": 0, "neurons": [1, 2, 4]}, {"layer": 2, "neurons": [3, 7]}]),
        ),
        ("intersection", json!([])),
        ("difference", json!([{"layer": 0, "neurons": [1]}])),
    ] {
        desk.ok(&[
            "masks", command, "a.json", "b.json", "c.json", "--out", "out.json",
        ]);
        let written: Value = desk.json("out.json");
        assert_eq!(written["layers"], expected, "{command}");
        let printed: Value = parsed(&desk.ok(&["masks", command, "a.json", "b.json", "c.json"]));
        assert_eq!(printed, written);
    }
    let both: Value = parsed(&desk.ok(&["masks", "intersection", "a.json", "b.json"]));
    assert_eq!(both["layers"], json!([{"layer": 0, "neurons": [4]}]));
    let of_model = |sha256: &str| {
        let model = json!({"id": "m", "sha256": sha256, "n_layers": 3, "d_mlp": 24});
        json!({"format": "secateur-mask", "version": 1, "model": model, "site": "post",
               "layers": [{"layer": 1, "neurons": [5]}]})
    };
    desk.put("m.json", of_model("00").to_string());
    desk.put("n.json", of_model("11").to_string());
    let union: Value = parsed(&desk.ok(&["masks", "union", "a.json", "m.json"]));
    assert_eq!(union["model"]["sha256"], "00", "of the one that says it");
    desk.put(
        "half.json",
        r#"{"operation":"scale","factor":0.5,"site":"post","layers":[]}"#,
    );
    desk.put(
        "wrong.json",
        r#"{"operation":"scale","site":"post","layers":[]}"#,
    );
    for (files, named) in [
        (["m.json", "n.json"], "two models"),
        (["a.json", "half.json"], "two operations"),
        (["a.json", "wrong.json"], "wrong.json"),
        (["a.json", "none.json"], "none.json"),
    ] {
        let line = desk.wrong(&[&["masks", "union"], &files[..]].concat());
        assert!(line.contains(named), "{line}");
    }
    let line = desk.wrong(&["masks", "union", "a.json", "b.json", "--out", "b.json"]);
    assert!(line.contains("is read as well"), "{line}");
}

/// The mask of `prune` brings all that it was made of: run as a study, it comes out the same.
#[test]
fn the_mask_of_a_selection_brings_the_attribution_that_it_is_of() {
    let desk = Desk::new("provenance");
    let rest = [
        "--layer",
        "1",
        "--percent",
        "20",
        "--confidence",
        "0",
        "--steps",
        "2",
        "--control",
        "2",
        "--seed",
        "5",
        "--choice-order",
        "3",
        "--few-shot",
        "1",
        "--mask-out",
        "mask.json",
    ];
    desk.ok(&with("prune", &rest));
    let mask = String::from_utf8(desk.bytes("mask.json")).unwrap();
    let file = MaskFile::from_json(&mask).unwrap();
    let mut study = file.study.unwrap();
    assert_eq!(study.attribution.as_ref().unwrap().steps, 2);
    // The selection makes it, not the mask that it made.
    study.pruning.as_mut().unwrap().mask = None;
    desk.put("study.json", serde_json::to_string(&study).unwrap());
    desk.ok(&["run", "study.json", "--model", "MODEL", "--out", "again"]);
    let again = String::from_utf8(desk.bytes("again/mask.json")).unwrap();
    let again = MaskFile::from_json(&again).unwrap();
    assert_eq!(again.mask, file.mask);
    assert_eq!(again.results[0].after, file.results[0].after);
    let (first, second) = (file.control.unwrap(), again.control.unwrap());
    assert_eq!(first.sets[0].accuracies, second.sets[0].accuracies);
    desk.ok(&with(
        "prune",
        &["--mask", "mask.json", "--mask-out", "by-hand.json"],
    ));
    let by_hand: Value = desk.json("by-hand.json");
    assert_eq!(by_hand["study"].get("attribution"), None);
}

#[test]
fn a_text_is_looked_at_before_the_mask_is_measured() {
    let desk = Desk::new("text");
    desk.put("mask.json", r#"{"site":"post","layers":[]}"#);
    desk.put("empty.txt", "");
    desk.put("long.txt", "cat ".repeat(300_000));
    desk.put("odd.txt", "xyzzy plugh frobnicate");
    let with_text = |text| with("prune", &["--mask", "mask.json", "--text", text]);
    for (text, named) in [("empty.txt", "no token"), ("long.txt", "1048576")] {
        let output = desk.run(&with_text(text));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains(&format!("secateur: {text}: ")) && said.contains(named),
            "{said}"
        );
    }
    let output = desk.run(&with_text("odd.txt"));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("warning: 100 % of the words of `odd.txt`"),
        "{said}"
    );
}

#[test]
fn numbers_of_a_mask_are_written_as_they_are() {
    let desk = Desk::new("means-written");
    let selection = ["--layer", "2", "--percent", "25", "--confidence", "0"];
    let mean = [
        "--operation",
        "mean",
        "--out",
        "out.json",
        "--mask-out",
        "mask.json",
    ];
    desk.ok(&with("prune", &[&selection[..], &mean].concat()));
    let (out, mask): (Value, Value) = (desk.json("out.json"), desk.json("mask.json"));
    let means = &mask["layers"][0]["means"];
    assert_eq!(means.as_array().unwrap().len(), 6);
    assert_eq!(out["pruned"]["mask"]["layers"][0]["means"], *means);
}

#[test]
fn masks_that_cannot_be_combined_are_told_apart_by_file_and_hash() {
    let desk = Desk::new("masks-wrong");
    let marked = |sha256: &str, d_mlp: usize| {
        let model = json!({"id": "m", "sha256": sha256, "n_layers": 3, "d_mlp": d_mlp});
        json!({"format": "secateur-mask", "version": 1, "model": model, "site": "post",
               "layers": [{"layer": 1, "neurons": [5]}]})
        .to_string()
    };
    desk.put("m.json", marked("00aa", 24));
    desk.put("n.json", marked("11bb", 24));
    desk.put("wide.json", marked("00aa", 48));
    desk.put("own.json", marked(&model(FOLDER).sha256, 48));
    let bare = |layers: &str| format!(r#"{{"site":"post","layers":[{layers}]}}"#);
    desk.put("a.json", bare(r#"{"layer":0,"neurons":[1]}"#));
    desk.put("b.json", bare(r#"{"layer":0,"neurons":[2]}"#));
    desk.put("neuron.json", bare(r#"{"layer":0,"neurons":[1,1]}"#));
    let layer = r#"{"layer":0,"neurons":[1]}"#;
    desk.put("layer.json", bare(&format!("{layer},{layer}")));
    desk.put("far.json", bare(r#"{"layer":9,"neurons":[1]}"#));
    for (files, named) in [
        (
            ["a.json", "neuron.json"],
            &["neuron.json: ", "names a neuron twice"][..],
        ),
        (
            ["layer.json", "a.json"],
            &["layer.json: ", "is given twice"],
        ),
        (
            ["m.json", "n.json"],
            &["n.json: ", "sha256 00aa", "sha256 11bb"],
        ),
        (["m.json", "wide.json"], &["wide.json: ", "two shapes"]),
        (["m.json", "far.json"], &["far.json: ", "3 layers"]),
    ] {
        let line = desk.wrong(&[&["masks", "union"], &files[..]].concat());
        for text in named {
            assert!(line.contains(text), "{line}");
        }
    }
    let line = desk.wrong(&with("prune", &["--mask", "own.json"]));
    assert!(
        line.contains("own.json: ") && line.contains("of 48 neurons"),
        "{line}"
    );
    // Nothing is known of the model of bare masks, and nothing is said.
    let union: Value = parsed(&desk.ok(&["masks", "union", "a.json", "b.json"]));
    assert_eq!(union.get("model"), None);
    assert_eq!(union["layers"], json!([{"layer": 0, "neurons": [1, 2]}]));
}
