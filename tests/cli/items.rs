//! Item files: looked at, converted, split, and read as they say.

use secateur::scoring::SetScores;
use secateur::study::Report;
use serde_json::{Value, json};

use crate::common::items;
use crate::{Desk, FOLDER, parsed, study, with};

#[test]
fn item_files_are_looked_at_converted_and_split_without_a_model() {
    let desk = Desk::new("items");
    desk.put(
        "some.csv",
        "question,a,b,correct\nq1,x,y,a\nq2,x,y,c\nq3,x,y,b\n",
    );
    let preview: Value = parsed(&desk.ok(&["items", "preview", "some.csv", "--show", "1"]));
    assert_eq!(
        (&preview["format"], &preview["items"]),
        (&json!("csv"), &json!(2))
    );
    assert_eq!(preview["gold"], json!([1, 1]));
    assert_eq!(preview["first"].as_array().unwrap().len(), 1);
    let error = &preview["errors"][0];
    assert_eq!((&error["line"], &error["column"]), (&json!(3), &json!(8)));

    let refused = desk.wrong(&["items", "convert", "some.csv"]);
    assert!(refused.contains("some.csv:3:8: field 4"), "{refused}");
    let partial = desk.run(&["items", "convert", "some.csv", "--partial", "--to", "csv"]);
    assert!(partial.status.success());
    let said = String::from_utf8(partial.stderr).unwrap();
    assert!(said.contains("2 items taken, 1 lines left out"), "{said}");
    desk.put("good.csv", &partial.stdout);
    let jsonl = desk.ok(&["items", "convert", "good.csv"]);
    assert_eq!(String::from_utf8(jsonl).unwrap().lines().count(), 2);

    let refused = desk.wrong(&["items", "split", "good.csv", "--out", "few"]);
    assert!(
        refused.contains("the part test would get none of 2 items"),
        "{refused}"
    );
    assert!(!desk.0.join("few").exists());

    desk.ok(&[
        "items",
        "split",
        "items.jsonl",
        "--shares",
        "2,1,1",
        "--seed",
        "3",
        "--out",
        "parts",
    ]);
    let parts = ["attribution", "validation", "test"]
        .map(|part| desk.bytes(&format!("parts/{part}.jsonl")));
    let lines: usize = parts
        .iter()
        .map(|part| String::from_utf8_lossy(part).lines().count())
        .sum();
    assert_eq!(lines, items(FOLDER).len());
}

/// Two items with three choices each, whose answers, 1 and 2, could be counted from 0 or from 1.
const EITHER: &str = "question,a,b,c,answer\nwho likes the old house ?,the cat,the dog,a bird,1\n\
    the bird hears a dog because,it is near,cat,the tree is green .,2\n";

#[test]
fn answers_that_could_be_counted_either_way_are_counted_as_is_said() {
    let desk = Desk::new("answers-from");
    desk.put("either.csv", EITHER);
    // A split into three parts takes three items.
    let third = "the cat sees it because,it is near,the dog,a bird,1\n";
    desk.put("three-either.csv", format!("{EITHER}{third}"));
    let preview: Value = parsed(&desk.ok(&["items", "preview", "either.csv"]));
    assert_eq!(preview["asks_answers_from"], json!(true));
    assert_eq!(
        (&preview["items"], &preview["answers_from"]),
        (&json!(0), &json!(null))
    );
    let from = |first| ["items", "preview", "either.csv", "--answers-from", first];
    for (first, gold) in [("0", json!([0, 1, 1])), ("1", json!([1, 1]))] {
        let preview: Value = parsed(&desk.ok(&from(first)));
        assert_eq!(
            (&preview["items"], &preview["asks_answers_from"]),
            (&json!(2), &json!(false))
        );
        let places = preview["gold"].as_array().unwrap();
        assert_eq!(places[..2], gold.as_array().unwrap()[..2], "{first}");
        assert_eq!(preview["answers_from"].to_string(), first);
    }
    assert_eq!(desk.run(&from("2")).status.code(), Some(2));

    desk.put(
        "mask.json",
        r#"{"site":"post","layers":[{"layer":0,"neurons":[0]}]}"#,
    );
    let either = [
        "--model",
        "MODEL",
        "--items",
        "either.csv",
        "--template",
        "plain",
    ];
    let validation = [
        "--validation",
        "either.csv",
        "--percents",
        "50",
        "--confidence",
        "0",
    ];
    for (command, rest) in [
        (vec!["score"], &either[..]),
        (vec!["position-bias"], &either),
        (
            vec!["attribute", "--confidence", "0", "--out", "ig.safetensors"],
            &either,
        ),
        (vec!["prune", "--mask", "mask.json"], &either),
        (
            with("score", &["--few-shot", "1"]),
            &["--few-shot-items", "either.csv"],
        ),
        (with("search", &[]), &validation),
        (
            with("tune", &["--layer", "0", "--steps", "1"]),
            &["--validation", "either.csv"],
        ),
        (vec!["items", "convert", "either.csv"], &[]),
        (
            vec!["items", "split", "three-either.csv", "--out", "parts"],
            &[],
        ),
    ] {
        let arguments = [&command[..], rest].concat();
        let refused = desk.wrong(&arguments);
        assert!(refused.contains("either.csv:2:"), "{refused}");
        assert!(
            refused.contains("--answers-from 0 or --answers-from 1"),
            "{refused}"
        );
        let said = [&arguments[..], &["--answers-from", "1", "--quiet"]].concat();
        let output = desk.run(&said);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said:?}: {errors}");
    }
    let scored = [&["score", "--answers-from", "0"], &either[..]].concat();
    let scores: SetScores = parsed(&desk.ok(&scored));
    let golds: Vec<usize> = scores.items.iter().map(|item| item.gold).collect();
    assert_eq!(golds, [1, 2]);
}

/// The study says how its file is read, or the command does; the report holds the items.
#[test]
fn a_study_of_such_a_file_reads_it_the_same_way_again() {
    let desk = Desk::new("answers-from-study");
    desk.put("either.csv", EITHER);
    let mut said = study();
    said["item_sets"][0]["sample"] = json!("either.csv");
    desk.put("unsaid.json", said.to_string());
    said["item_sets"][0]["answers_from"] = json!(1);
    desk.put("said.json", said.to_string());
    let refused = desk.wrong(&["run", "unsaid.json", "--out", "out"]);
    assert!(refused.contains("--answers-from"), "{refused}");
    desk.ok(&["run", "said.json", "--out", "said"]);
    desk.ok(&[
        "run",
        "unsaid.json",
        "--out",
        "unsaid",
        "--answers-from",
        "1",
    ]);
    for folder in ["said", "unsaid"] {
        let report: Report = desk.json(&format!("{folder}/report.json"));
        let set = &report.study.item_sets[0];
        assert_eq!((&set.sample, set.answers_from), (&None, None));
        let golds: Vec<usize> = set.items.iter().flatten().map(|item| item.gold).collect();
        assert_eq!(golds, [0, 1]);
        desk.ok(&["reproduce", &format!("{folder}/report.json")]);
    }
}

#[test]
fn a_split_replaces_nothing_but_itself_unless_it_is_told_to() {
    let desk = Desk::new("split-again");
    let split = ["items", "split", "items.jsonl", "--out", "parts"];
    desk.ok(&split);
    desk.ok(&split);
    desk.put("parts/test.jsonl", "mine");
    let refused = desk.wrong(&split);
    assert!(
        refused.contains("parts/test.jsonl") && refused.contains("--force"),
        "{refused}"
    );
    assert_eq!(desk.bytes("parts/test.jsonl"), b"mine");
    desk.ok(&[&split[..], &["--force"]].concat());
    assert_ne!(desk.bytes("parts/test.jsonl"), b"mine");
    for (arguments, named) in [
        (
            ["items", "split", "items.jsonl", "--out", "items.jsonl"],
            "is no folder",
        ),
        (
            ["items", "split", "parts/test.jsonl", "--out", "parts"],
            "is read as well",
        ),
    ] {
        let refused = desk.wrong(&arguments);
        assert!(refused.contains(named), "{refused}");
    }
}
