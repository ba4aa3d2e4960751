//! Scores of neurons, and what a sceptic asks of them.

use safetensors::SafeTensors;
use secateur::items::canonical_jsonl;
use serde_json::{Value, json};

use crate::common::{assert_close, items, model};
use crate::{Desk, FOLDER, parsed, with};

#[test]
fn attribute_writes_scores_and_gaps_of_every_item_with_the_settings() {
    let desk = Desk::new("attribute");
    for (path, gaps) in [("per_layer", 3), ("joint", 1)] {
        let rest = [
            "--path",
            path,
            "--steps",
            "3",
            "--confidence",
            "0",
            "--out",
            "ig.safetensors",
            "--summary",
            "ig.json",
        ];
        desk.ok(&with("attribute", &rest));
        let bytes = desk.bytes("ig.safetensors");
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let floats = |name: &str| -> Vec<f32> {
            let of = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().unwrap());
            file.tensor(name)
                .unwrap()
                .data()
                .chunks_exact(4)
                .map(of)
                .collect()
        };
        assert_eq!(file.tensor("gap").unwrap().shape(), [4, gaps]);
        assert_eq!(file.len(), 3 + 1);
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = header.metadata().as_ref().unwrap();
        assert_eq!(metadata["format"], "secateur-attribution");
        let settings: Value = serde_json::from_str(&metadata["settings"]).unwrap();
        assert_eq!(
            (&settings["path"], &settings["steps"]),
            (&json!(path), &json!(3))
        );
        let made_with: Value = serde_json::from_str(&metadata["model"]).unwrap();
        assert_eq!(made_with["sha256"], json!(model(FOLDER).sha256));
        assert_eq!(metadata["precision"], "f32");
        let used: Vec<Value> = serde_json::from_str(&metadata["items"]).unwrap();
        let ids: Vec<&Value> = used.iter().map(|item| &item["id"]).collect();
        assert_eq!(ids, ["item-0", "item-1", "item-2", "item-3"]);
        // The summary's aggregated scores are the means of the file's.
        let summary: Value = desk.json("ig.json");
        for layer in 0..3 {
            let name = format!("layers.{layer}");
            assert_eq!(file.tensor(&name).unwrap().shape(), [4, 24]);
            let scores = floats(&name);
            let means: Vec<f32> = (0..24)
                .map(|neuron| (0..4).map(|item| scores[item * 24 + neuron]).sum::<f32>() / 4.0)
                .collect();
            let found: Vec<f32> = serde_json::from_value(summary["scores"][layer].clone()).unwrap();
            assert_close(&found, &means, 1e-5, &name);
        }
        let gap: Vec<f64> = floats("gap")
            .iter()
            .map(|&gap| f64::from(gap).abs())
            .collect();
        for entry in 0..gaps {
            let mean = (0..4).map(|item| gap[item * gaps + entry]).sum::<f64>() / 4.0;
            let found = summary["gaps"][entry]["gap"].as_f64().unwrap();
            assert_close(&[found], &[mean], 1e-6, "gap");
        }
    }
}

#[test]
fn what_a_sceptic_asks_is_answered() {
    let desk = Desk::new("sceptic");
    let answer = |command: &str, rest: &[&str]| -> Value { parsed(&desk.ok(&with(command, rest))) };
    let effects = answer("effects", &["--layers", "1"]);
    let exact: Vec<&Value> = effects["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|layer| &layer["exact"])
        .collect();
    assert_eq!(exact, [false, true, false]);
    assert_eq!(effects["settings"]["target"], "gold_margin");

    let few = ["--confidence", "0", "--resamples", "5"];
    let race = answer("race", &[&few[..], &["--layers", "0,2"]].concat());
    assert_eq!(race["layers"], serde_json::json!([0, 2]));
    assert_eq!(
        race["methods"][0]["settings"]["method"],
        "integrated_gradients"
    );
    let top = [&few[..], &["--layer", "1", "--percent", "100"]].concat();
    let stability = answer("stability", &top);
    assert_eq!(
        (&stability["neurons"], &stability["resamples"]),
        (&24.into(), &5.into())
    );

    assert_eq!(answer("audit", &[])["asked"][1]["question"], "meaningless");
    let settings = ["--confidence", "0", "--method", "gradient_times_activation"];
    let others = [&settings[..], &["--against", "items.jsonl"]].concat();
    let same = answer("contrast", &others);
    let differences = same["layers"][0]["difference"].as_array().unwrap();
    assert!(differences.iter().all(|difference| difference == 0.0));
    let portrait = answer("neuron", &["--layer", "2", "--neuron", "7"]);
    assert_eq!(portrait["address"], "blocks.2.mlp.hook_post[7]");
    let items: Value = parsed(&desk.ok(&with("score", &[])));
    let id = items["items"][0]["id"].as_str().unwrap();
    let salience = answer("salience", &["--item", id]);
    let count = |field: &str| salience[field].as_array().unwrap().len();
    assert_eq!(count("tokens"), count("scores"));

    let report = [
        "--confidence",
        "0",
        "--resamples",
        "5",
        "--json",
        "all.json",
    ];
    // Of four items two are attributed.
    let text = desk.warned(&with("critique", &report), "2 items are too few");
    let text = String::from_utf8(text).unwrap();
    for question in [
        "What drives the answers?",
        "Why this method?",
        "looked at once",
    ] {
        assert!(text.contains(question), "{text}");
    }
    let all: Value = desk.json("all.json");
    assert_eq!(all["search"]["luck"]["best"].as_array().unwrap().len(), 3);
}

/// No item is sure enough for `--confidence 1`, which scoring finds out: what is wrong with a number is said before.
#[test]
fn what_makes_no_sense_is_refused_before_anything_is_computed() {
    let desk = Desk::new("early");
    desk.put("few.jsonl", canonical_jsonl(&items(FOLDER)[..2]));
    let late = ["--confidence", "1"];
    let top = ["--layer", "0", "--percent", "5"];
    for (command, rest, named) in [
        (
            "stability",
            &[&top[..], &["--resamples", "0"]].concat()[..],
            "resamples",
        ),
        ("race", &["--resamples", "0"], "resamples"),
        ("race", &["--percent", "0"], "percentage"),
        ("race", &["--layers", "99"], "layer 99"),
        ("critique", &["--resamples", "0"], "resamples"),
        ("critique", &["--race-layers", "99"], "layer 99"),
        ("critique", &["--percent", "101"], "percentage"),
        ("critique", &["--percents", "0"], "percentage"),
        (
            "critique",
            &["--items", "few.jsonl"],
            "the part test would get none of 2 items",
        ),
    ] {
        let mut arguments = with(command, &[rest, &late].concat());
        if rest.contains(&"few.jsonl") {
            arguments.drain(3..5);
        }
        let line = desk.wrong(&arguments);
        assert!(line.contains(named), "{arguments:?}: {line}");
    }
}

#[test]
fn the_race_of_a_critique_is_run_by_the_settings_and_not_by_those_of_its_method() {
    let desk = Desk::new("critique-method");
    let few = ["--confidence", "0", "--resamples", "2", "--percents", "10"];
    let method = ["--method", "relp", "--json", "all.json", "--out", "all.md"];
    let arguments = with("critique", &[&few[..], &method].concat());
    desk.warned(&arguments, "2 items are too few");
    let all: Value = desk.json("all.json");
    assert_eq!(all["settings"]["method"], "relp");
    let first = &all["race"]["methods"][0]["settings"];
    assert_eq!(first["method"], "integrated_gradients");
    assert_eq!(
        (&first["steps"], &first["preset"]),
        (&json!(8), &Value::Null)
    );
}

#[test]
fn a_contrast_says_nothing_of_how_items_are_put_together() {
    let desk = Desk::new("contrast-settings");
    let rest = ["--preset", "knowledge-neurons", "--against", "items.jsonl"];
    let found: Value = parsed(&desk.ok(&with("contrast", &rest)));
    let settings = &found["settings"];
    assert_eq!(settings["aggregate"], "signed_mean");
    assert_eq!(settings.get("consensus_threshold"), None);
    assert_eq!(settings.get("preset"), None);
    assert_eq!(settings["steps"], 20);
}
