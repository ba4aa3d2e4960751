//! What is wrong is said, and where.

use secateur::items::canonical_jsonl;
use serde_json::json;

use crate::common::{fixture, items};
use crate::{Desk, FOLDER, study, with};

#[test]
fn wrong_input_is_one_line_that_says_what_and_where() {
    let desk = Desk::new("wrong");
    let good = canonical_jsonl(&items(FOLDER));
    desk.put(
        "bad.jsonl",
        format!("{good}{{\"context\":\"q\",\"choices\":[\"a\"],\"gold\":0}}\n"),
    );
    desk.put("nothing.jsonl", "\n");
    desk.put("text.json", "no JSON");
    desk.put(
        "outside.json",
        r#"{"site":"post","layers":[{"layer":7,"neurons":[0]}]}"#,
    );
    desk.put(
        "long.jsonl",
        format!(
            r#"{{"id":"long","context":"{}","choices":["a","the dog"],"gold":0}}"#,
            "cat ".repeat(200)
        ),
    );
    let input = |model, items| {
        [
            "score",
            "--model",
            model,
            "--items",
            items,
            "--template",
            "plain",
        ]
    };
    let mut other = study();
    other["model"]["sha256"] = json!("0123456789abcdef");
    desk.put("other-model.json", other.to_string());
    let mut changed = study();
    changed["item_sets"][0]["sha256"] = json!("0");
    desk.put("other-items.json", changed.to_string());
    let mut later = study();
    later["version"] = json!(2);
    desk.put("later.json", later.to_string());
    let cases: Vec<(Vec<&str>, &[&str])> = vec![
        (
            input("no-such-model", "items.jsonl").to_vec(),
            &["no-such-model"],
        ),
        (
            input("no/such/model", "items.jsonl").to_vec(),
            &["no/such/model", "no such file"],
        ),
        (input("MODEL", "missing.jsonl").to_vec(), &["missing.jsonl"]),
        (
            input("MODEL", "bad.jsonl").to_vec(),
            &["bad.jsonl:5", "2 to 26"],
        ),
        (
            input("MODEL", "nothing.jsonl").to_vec(),
            &["nothing.jsonl", "no items"],
        ),
        (input("MODEL", "long.jsonl").to_vec(), &["`long`", "128"]),
        (
            vec![
                "score",
                "--model",
                "MODEL",
                "--items",
                "items.jsonl",
                "--template",
                "mine",
            ],
            &["`mine`", "plain@1"],
        ),
        (
            with("prune", &["--mask", "missing.json"]),
            &["missing.json"],
        ),
        (
            with("prune", &["--mask", "text.json"]),
            &["text.json", "line 1"],
        ),
        (
            with("prune", &["--mask", "outside.json"]),
            &["layer 7", "3 layers"],
        ),
        (
            with(
                "prune",
                &["--layer", "3", "--percent", "10", "--confidence", "0"],
            ),
            &["layer 3", "3 layers"],
        ),
        (
            with(
                "prune",
                &["--layer", "0", "--percent", "101", "--confidence", "0"],
            ),
            &["percentage", "101"],
        ),
        (
            with(
                "attribute",
                &["--confidence", "1", "--out", "ig.safetensors"],
            ),
            &["confidence threshold", "highest"],
        ),
        (
            with("attribute", &["--steps", "0", "--out", "ig.safetensors"]),
            &["steps", "is 0"],
        ),
        (
            with("tune", &["--validation", "items.jsonl", "--layer", "3"]),
            &["layer 3"],
        ),
        // Before the work whose result could not be written.
        (
            with("attribute", &["--out", "nowhere/ig.safetensors"]),
            &["nowhere/ig.safetensors", "folder does not exist"],
        ),
        (
            with("score", &["--out", "."]),
            &["is a folder", "name a file"],
        ),
        (
            with("attribute", &["--out", "one.json", "--summary", "one.json"]),
            &["one.json", "two results"],
        ),
        (
            with(
                "attribute",
                &["--out", "one.json", "--summary", "./one.json"],
            ),
            &["one.json", "two results"],
        ),
        (
            with("score", &["--out", "items.jsonl"]),
            &["items.jsonl", "is read as well"],
        ),
        (with("search", &["--percents", "0"]), &["percentage"]),
        (with("search", &["--percents", "-5"]), &["percentage", "-5"]),
        (vec!["reproduce", "#s2.abcd"], &["link", "s1."]),
        (
            vec!["forward", "--model", "MODEL", "--prompt", ""],
            &["the prompt is empty"],
        ),
        (
            vec!["run", "missing.json", "--out", "out"],
            &["missing.json"],
        ),
        (
            vec!["run", "text.json", "--out", "out"],
            &["text.json", "line 1"],
        ),
        (
            vec!["run", "later.json", "--out", "out"],
            &["later.json", "version 2"],
        ),
        (
            vec!["run", "other-model.json", "--out", "out"],
            &["0123456789ab", FOLDER],
        ),
        (
            vec!["run", "other-items.json", "--out", "out"],
            &["`reference`", "sha256"],
        ),
        (vec!["reproduce", "s1.damaged!"], &["link"]),
        (vec!["reproduce", "text.json"], &["text.json"]),
        (vec!["inspect", "no-such-model"], &["no-such-model"]),
    ];
    for (arguments, named) in cases {
        let line = desk.wrong(&arguments);
        for text in named {
            assert!(line.contains(text), "{arguments:?}: {line}");
        }
    }
    assert!(
        !desk.0.join("out").exists(),
        "nothing is written for a study that does not run"
    );
}

#[test]
fn a_damaged_weight_file_is_one_line_as_well() {
    let desk = Desk::new("damaged");
    for name in ["config.json", "tokenizer.json"] {
        let path = fixture(FOLDER).join(name);
        desk.put(name, std::fs::read(path).unwrap());
    }
    let whole = std::fs::read(fixture(FOLDER).join("model.safetensors")).unwrap();
    for (weights, named) in [
        (&whole[..whole.len() - 5], "cut off"),
        (&whole[..100], "cut off"),
        (
            b"<!DOCTYPE html><html></html>",
            "neither a safetensors nor a GGUF file",
        ),
        (b"", "neither a safetensors nor a GGUF file"),
    ] {
        desk.put("model.safetensors", weights);
        let line = desk.wrong(&["inspect", "."]);
        assert!(line.contains(named), "{line}");
        assert!(line.contains("model.safetensors"), "{line}");
    }
}

/// Arguments that are refused before anything is read: clap's message, which names the argument.
#[test]
fn arguments_out_of_their_list_are_refused_with_the_list() {
    let desk = Desk::new("arguments");
    for (rest, named) in [
        (vec!["--preset", "thorough"], "paper, paper-code, fast"),
        (vec!["--path", "sideways"], "per_layer"),
        (vec!["--layer", "1"], "--percent"),
    ] {
        let output = desk.run(&with("prune", &rest));
        assert_eq!(output.status.code(), Some(2), "{rest:?}");
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(errors.contains(named), "{errors}");
    }
}

#[test]
fn what_would_be_ignored_is_refused_by_name() {
    let desk = Desk::new("ignored");
    let top = ["--layer", "1", "--percent", "5"];
    for (command, rest, named) in [
        ("prune", &[][..], "--mask"),
        ("race", &["--method", "relp"], "--method"),
        ("effects", &["--method", "relp"], "--method"),
        ("effects", &["--steps", "3"], "--steps"),
        ("effects", &["--aggregate", "mean_absolute"], "--aggregate"),
        ("effects", &["--preset", "paper"], "--preset"),
        ("contrast", &["--layer-scale", "maximum"], "--layer-scale"),
        ("contrast", &["--aggregate", "mean_absolute"], "--aggregate"),
        ("salience", &["--item", "item-0", "--steps", "0"], "--steps"),
        (
            "salience",
            &["--item", "item-0", "--confidence", "7"],
            "--confidence",
        ),
        (
            "prune",
            &["--mask", "m.json", "--preset", "paper"],
            "--preset",
        ),
        (
            "prune",
            &["--mask", "m.json", "--method", "relp"],
            "--method",
        ),
        (
            "prune",
            &["--mask", "m.json", "--target", "top_logit"],
            "--target",
        ),
        ("prune", &["--mask", "m.json", "--steps", "3"], "--steps"),
        (
            "prune",
            &["--mask", "m.json", "--aggregate", "mean_absolute"],
            "--aggregate",
        ),
        ("prune", &[&top[..], &["--seed", "1"]].concat(), "--control"),
        ("search", &["--seed", "1"], "--control"),
    ] {
        let mut arguments = with(command, rest);
        // It is said before any file is looked for.
        arguments[2] = "no-such-model";
        let output = desk.run(&arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(
            said.contains(named) && !said.contains("no-such-model"),
            "{arguments:?}: {said}"
        );
    }
}

#[test]
fn what_a_list_names_twice_is_refused_by_name() {
    let desk = Desk::new("twice");
    let tune = [
        "--validation",
        "items.jsonl",
        "--layer",
        "1",
        "--test",
        "items.jsonl",
        "--test",
        "items.jsonl",
    ];
    for (command, rest, named) in [
        (
            "search",
            &["--percents", "5,5.0"][..],
            "--percents names 5 twice",
        ),
        ("search", &["--layers", "1,0,1"], "--layers names 1 twice"),
        ("search", &["--windows", "1,1"], "--windows names 1 twice"),
        (
            "search",
            &["--shares", "0.1,0.1"],
            "--shares names 0.1 twice",
        ),
        ("effects", &["--layers", "0,0"], "--layers names 0 twice"),
        ("race", &["--layers", "0,0"], "--layers names 0 twice"),
        (
            "critique",
            &["--race-layers", "0,0"],
            "--race-layers names 0 twice",
        ),
        (
            "critique",
            &["--percents", "5,5"],
            "--percents names 5 twice",
        ),
        ("tune", &tune, "--test names items.jsonl twice"),
    ] {
        let line = desk.wrong(&with(command, rest));
        assert!(line.contains(named), "{line}");
    }
}
