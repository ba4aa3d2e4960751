//! Items: the bundled sets, the files that users have, and texts that are no items at all.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

use std::path::{Path, PathBuf};
use std::time::Instant;

use secateur::items::{Item, Template, canonical_jsonl, items_sha256, parse_items};
use serde::Deserialize;

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/items")
}

/// One entry of `models/items/index.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    name: String,
    file: String,
    title: String,
    description: String,
    licence: String,
    source: String,
    items: usize,
    /// The shipped model that the set belongs to.
    #[allow(dead_code)]
    model: Option<String>,
}

fn index() -> Vec<Sample> {
    serde_json::from_slice(&std::fs::read(samples().join("index.json")).unwrap()).unwrap()
}

#[test]
fn every_bundled_set_is_in_the_index_and_reads_without_an_error() {
    let mut listed = Vec::new();
    for sample in index() {
        assert_eq!(sample.file, format!("{}.jsonl", sample.name));
        for text in [
            &sample.title,
            &sample.description,
            &sample.licence,
            &sample.source,
        ] {
            assert!(!text.trim().is_empty(), "{}", sample.name);
        }
        let text = std::fs::read_to_string(samples().join(&sample.file)).unwrap();
        let parsed = parse_items(&text);
        assert_eq!(parsed.errors, [], "{}", sample.name);
        assert_eq!(parsed.items.len(), sample.items, "{}", sample.name);
        listed.push(sample.file);
    }
    let mut there: Vec<String> = std::fs::read_dir(samples())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".jsonl"))
        .collect();
    listed.sort();
    there.sort();
    assert_eq!(listed, there);
}

#[test]
fn items_survive_their_canonical_form() {
    for sample in index() {
        let text = std::fs::read_to_string(samples().join(sample.file)).unwrap();
        let items = parse_items(&text).items;
        let again = parse_items(&canonical_jsonl(&items));
        assert_eq!(again.errors, []);
        assert_eq!(again.items, items);
        assert_eq!(items_sha256(&again.items), items_sha256(&items));
    }
}

/// `printf '%s\n' '{"id":"ü","context":"a\nb","choices":["x","\"y\""],"gold":1}' | sha256sum`
#[test]
fn the_canonical_form_is_one_that_other_programs_can_make() {
    let items = [Item {
        id: "ü".into(),
        context: "a\nb".into(),
        choices: vec!["x".into(), "\"y\"".into()],
        gold: 1,
    }];
    assert_eq!(
        canonical_jsonl(&items),
        "{\"id\":\"ü\",\"context\":\"a\\nb\",\"choices\":[\"x\",\"\\\"y\\\"\"],\"gold\":1}\n"
    );
    assert_eq!(
        items_sha256(&items),
        "16df0a56b013e882138dcf1c1c2dfcb4e6f9af09e4253716bc65634a3e15a2c1"
    );
}

#[test]
fn the_same_items_have_the_same_hash_however_they_were_written() {
    let ours = r#"{"id":"x","context":"q","choices":["a","b"],"gold":1}"#;
    let harness = "\u{feff}[\r\n{\"answer\": \"B\", \"choices\": [\"a\", \"b\"], \"question\": \"q\", \"id\": \"x\"}\r\n]\r\n";
    let hash = |text: &str| items_sha256(&parse_items(text).items);
    assert_eq!(hash(ours), hash(harness));
}

#[test]
fn the_bundled_templates_render_an_empty_context() {
    let item = Item {
        id: "1".into(),
        context: String::new(),
        choices: vec!["It rained.".into(), "It was wet.".into()],
        gold: 0,
    };
    for (name, prompt) in [
        ("question-answer@1", "Question: \nAnswer:"),
        (
            "lettered@1",
            "Question: \nA. It rained.\nB. It was wet.\nAnswer:",
        ),
        ("plain@1", ""),
    ] {
        let template = Template::named(name).unwrap();
        assert_eq!(template.id(), name);
        assert_eq!(template.render(&item).unwrap().prompt(), prompt);
    }
}

#[test]
fn an_error_in_a_line_of_jsonl_does_not_speak_of_another_line() {
    let good = r#"{"context":"q","choices":["a","b"],"gold":0}"#;
    let parsed = parse_items(&format!("{good}\n{good}\n{{\"context\": }}"));
    assert_eq!(parsed.errors.len(), 1);
    assert_eq!(parsed.errors[0].line, 3);
    let message = &parsed.errors[0].message;
    assert_eq!(parsed.errors[0].column, 13);
    assert!(!message.contains("line 1"), "{message}");
}

#[test]
fn labels_that_do_not_belong_to_the_choices_are_an_error() {
    let line =
        r#"{"question":"q","choices":{"text":["a","b"],"label":["A","B","C"]},"answerKey":"C"}"#;
    let parsed = parse_items(line);
    assert_eq!((parsed.items.len(), parsed.errors.len()), (0, 1));
}

/// Exports of tables have a null where a row has no value.
#[test]
fn a_field_that_is_null_is_one_that_is_not_there() {
    let line =
        r#"{"id":null,"context":null,"question":"q","choices":["a","b"],"gold":null,"answer":1}"#;
    let parsed = parse_items(line);
    assert_eq!(parsed.errors, []);
    assert_eq!(
        (parsed.items[0].context.as_str(), parsed.items[0].gold),
        ("q", 1)
    );
}

/// A wrong file, dropped by accident: the list of errors stays short enough to be shown.
#[test]
fn a_large_text_that_is_no_item_file_gives_few_errors() {
    let parsed = parse_items(&"a,b,c\n".repeat(200_000));
    assert!(parsed.items.is_empty());
    assert!(
        parsed.errors.len() <= 1001,
        "{} errors",
        parsed.errors.len()
    );
}

#[test]
fn an_error_does_not_repeat_a_long_text() {
    let long = "x".repeat(50_000);
    let line = format!(r#"{{"context":"q","choices":["a","b"],"answer":"{long}"}}"#);
    let parsed = parse_items(&line);
    assert!(parsed.errors[0].message.len() < 1000);
}

/// Holds that `run` of four times as much takes about four times as long, where a square would take sixteen. The shortest of three runs counts,
/// with half a tenth of a second on top, and one of five comparisons is enough, so that other work on the machine does not count.
fn assert_linear(what: &str, run: impl Fn(usize), quarter: usize) {
    let shortest = |n: usize| {
        let seconds = (0..3).map(|_| {
            let start = Instant::now();
            run(n);
            start.elapsed().as_secs_f64()
        });
        seconds.fold(f64::INFINITY, f64::min)
    };
    let mut measured = (0..5).map(|_| (shortest(quarter), shortest(4 * quarter)));
    let is_linear = |(short, long): (f64, f64)| long < 10.0 * short + 0.05;
    assert!(
        measured.any(is_linear),
        "{what}: ten times as long for four times as much, five times over"
    );
}

#[test]
fn a_long_array_is_read_in_linear_time() {
    let item = |n: usize| {
        format!(
            "{{\"id\":\"{n}\",\"context\":\"a question\",\"choices\":[\"a\",\"b\"],\"gold\":0}}"
        )
    };
    let read = |items: usize| {
        let lines: Vec<String> = (0..items).map(item).collect();
        let parsed = parse_items(&format!("[\n{}\n]", lines.join(",\n")));
        assert_eq!((parsed.items.len(), parsed.errors.len()), (items, 0));
    };
    assert_linear("an array", read, 10_000);
}

#[test]
fn wrong_answers_on_one_line_are_placed_in_linear_time() {
    let item = r#"{"question":"q","choices":["a","b"],"answer":9}"#;
    let read = |items: usize| {
        let text = format!("[{}]", vec![item; items].join(","));
        let parsed = parse_items(&text);
        assert_eq!((parsed.items.len(), parsed.errors.len()), (0, 1001));
        for (error, (place, _)) in parsed.errors.iter().zip(text.match_indices("\"answer")) {
            assert_eq!(error.column, place + 1);
        }
    };
    assert_linear("wrong answers", read, 10_000);
}

#[test]
fn no_text_makes_the_parser_panic() {
    let nested = "[".repeat(100_000);
    for text in [
        "",
        "\u{feff}",
        "\n\n",
        "[",
        "[]",
        "{}",
        "null",
        "[null]",
        "\"",
        "\0",
        &nested,
        r#"{"context":"q","choices":{},"gold":0}"#,
        r#"{"context":"q","choices":{"text":[],"label":[]},"gold":0}"#,
        r#"{"context":"q","choices":["a","b"],"gold":1e300}"#,
        r#"{"context":"q","choices":["a","b"],"gold":18446744073709551615}"#,
        r#"{"context":"q","choices":["a","b"],"answer":""}"#,
        r#"{"context":"q","choices":["a","b"],"answer":"Ä"}"#,
        r#"{"context":"q","choices":["a","b"],"answer":"99999999999999999999999"}"#,
    ] {
        assert!(parse_items(text).items.is_empty(), "{text:.40}");
    }
}

/// Formats are told from the text; where nothing fits, one error lists them.
#[test]
fn a_text_that_is_plainly_no_item_file_is_one_error() {
    for text in [
        "Dear all,\n\nsee you tomorrow.\n",
        "<html><body>a</body></html>",
        "a,b\n1,2\n",
    ] {
        let parsed = parse_items(text);
        assert_eq!((parsed.format, parsed.errors.len()), ("unknown", 1));
        for format in ["CSV", "Aiken", "GIFT", "Moodle", "JSON", "BIG-bench"] {
            assert!(parsed.errors[0].message.contains(format), "{format}");
        }
    }
    let jsonl = parse_items("nonsense\n{\"context\":\"q\",\"choices\":[\"a\",\"b\"],\"gold\":0}");
    assert_eq!((jsonl.format, jsonl.items.len()), ("jsonl", 1));
    assert!(jsonl.errors[0].message.contains("not JSON"));
}

/// A line of a quiz may begin as JSON does.
#[test]
fn a_quiz_with_braces_and_brackets_is_no_json() {
    for (format, question) in [
        ("aiken", "{1, 2} is a subset of which one?"),
        ("aiken", "{\"a\", \"b\"} is a set of what?"),
        ("aiken", "[[1, 2], [3, 4]] is what?"),
        ("aiken", "What is\n{\"a\": 1}?"),
        ("gift", "{\"a\", \"b\"} is a set of what?"),
    ] {
        let text = match format {
            "aiken" => format!("{question}\nA. x\nB. y\nANSWER: B\n"),
            _ => format!(
                "Which?{{~x =y}}\n\n::t::\n{}\n{{~x =y}}\n",
                question.replace('{', "\\{").replace('}', "\\}")
            ),
        };
        let parsed = parse_items(&text);
        assert_eq!((parsed.format, &parsed.errors), (format, &vec![]), "{text}");
        assert_eq!(parsed.items[0].gold, 1);
    }
    let cut = "{\"question\": \"Which {=x}?\",\n{\"question\":\"q\",\"choices\":[\"a\",\"b\"],\"answer\":1}\n";
    assert_eq!(parse_items(cut).format, "jsonl");
}

#[test]
fn items_of_one_line_have_names_of_their_own() {
    let item = r#"{"context":"q","choices":["a","b"],"gold":0}"#;
    let parsed = parse_items(&format!("[{item},{item}]"));
    assert_eq!(parsed.errors, []);
    let ids: Vec<&str> = parsed.items.iter().map(|item| item.id.as_str()).collect();
    assert_eq!(ids, ["line-1", "line-1.2"]);
}

/// A name that the program gives is none that the file gives to another item.
#[test]
fn items_without_an_id_are_called_as_no_other_one_is() {
    let item = |id: &str| format!(r#"{{{id}"context":"q","choices":["a","b"],"gold":0}}"#);
    let lines = [r#""id":"line-3","#, "", "", r#""id":"line-2","#].map(item);
    let parsed = parse_items(&lines.join("\n"));
    assert_eq!(parsed.errors, []);
    let ids: Vec<&str> = parsed.items.iter().map(|item| item.id.as_str()).collect();
    assert_eq!(ids, ["line-3", "line-2.2", "line-3.2", "line-2"]);
}

/// One good file of each format.
const FILES: [(&str, &str); 9] = [
    ("jsonl", r#"{"goal":"g","sol1":"ä","sol2":"b","label":0}"#),
    (
        "json",
        "[{\"question\":\"q\",\"choices\":[\"a\",\"b\"],\"answer\":\"A\"}]",
    ),
    (
        "big-bench",
        r#"{"examples":[{"input":"q","target_scores":{"a":1,"b":0}}]}"#,
    ),
    ("csv", "question,a,b,correct\n\"q, ä\",x,\"y\"\"\",b\n"),
    ("tsv", "q\ta\tb\tc\td\tD\n"),
    ("aiken", "q ä\nA. x\nB) y\nANSWER: B\n"),
    (
        "gift",
        "// c\n::t\\:: [html]<p>ä {\n=%100%x\\=#f\n~y####g\n}\n\n1 {T#a}\n",
    ),
    (
        "copa-xml",
        "<copa-corpus><item id=\"1\" asks-for=\"cause\" most-plausible-alternative=\"1\"><p>ä &amp; p.</p><a1>É</a1><a2>b</a2></item>\
        </copa-corpus>",
    ),
    (
        "moodle-xml",
        "<?xml version=\"1.0\"?><quiz><question type=\"multichoice\"><questiontext><text><![CDATA[<p>ä&nbsp;</p>]]></text>\
        </questiontext><single>true</single><answer fraction=\"100\"><text>a&amp;</text></answer>\
        <answer fraction=\"0\"><text>b&#65;</text></answer></question></quiz>",
    ),
];

/// Every beginning and every end of a good file, each file with one character replaced, and long repetitions.
#[test]
fn no_cut_or_broken_file_makes_the_parser_panic() {
    for (format, text) in FILES {
        for text in [
            text.to_owned(),
            format!("\u{feff}{}", text.replace('\n', "\r\n")),
        ] {
            let parsed = parse_items(&text);
            assert_eq!(parsed.format, format);
            assert!(!parsed.items.is_empty(), "{format}: {:?}", parsed.errors);
        }
        for (at, char) in text.char_indices() {
            let (before, after) = text.split_at(at);
            parse_items(before);
            parse_items(after);
            for other in ["", "\"", "\\", "{", "}", "<", "&", "=", "\n", "\0", "é"] {
                parse_items(&format!("{before}{other}{}", &after[char.len_utf8()..]));
            }
        }
    }
}

/// Hostile texts of up to 1 MB: time grows with the text, and the errors stay few.
#[test]
fn a_long_broken_text_is_read_in_linear_time() {
    for (before, repeated) in [
        ("q {=a ~", "\\"),
        ("::", ":\\"),
        ("q {=a ~b}\n\n", "{=\n\n"),
        ("q {=a", "=#%1%"),
        ("::t:: [html]", "<a&<!--"),
        ("<quiz><question><questiontext><text><![CDATA[", "<a b=\"<"),
        ("q {=a ~b} <a c=\\", "\"<b c\\="),
        ("q {=a ~b}[html]", "<ol reversed><li></ol>"),
        ("q {=a ~b}<ol reversed>", "<li>"),
        ("q {=a ~b}<u>", "<u>&nbsp"),
        ("q {=a ~b}", "<p hidden></p>"),
        ("q {=a ~b}", "<![if <?xml:"),
        ("[markdown]q {=a ~b}", "[![a]("),
        ("q {=a ~b}", "&amp&"),
        ("$", "{T}^"),
        ("q\nA. x\nANSWER: A\n", "ANSWER:\n"),
        ("q\nA. x\nANSWER: A\n", "A. \n"),
        ("q\nA. x\nANSWER: A\n", "Points:\n\n"),
        ("q\nA. x\nB. y\n", "ANSWER A\nq\nA. x\n"),
        ("question,a,b,correct\n", "\"\n,"),
        ("question,a,b,correct\n", "\n\r"),
        ("question,a,b,correct\n", ",,,\n"),
        ("question,a,b,correct,other", ",x,a"),
        ("<quiz>", "<question>"),
        (
            "<item most-plausible-alternative=\"1\">",
            "<p>&a;</p></item><item>",
        ),
        ("<item most-plausible-alternative=\"1\"><p>", "<![CDATA[<&"),
        ("[{\"choices\":0},", "{\"choices\":\n0},"),
        ("<quiz>", "<question/>&a;"),
        ("<quiz><question><questiontext><text><![CDATA[", "<a&<!--"),
        ("{\"examples\":", "[{\"target_scores\":"),
    ] {
        let read = |bytes: usize| {
            let text = before.to_owned() + &repeated.repeat(bytes / repeated.len());
            let parsed = parse_items(&text);
            assert!(parsed.errors.len() <= 1001, "{before}");
        };
        assert_linear(before, read, 250_000);
    }
}

/// Columns are characters, from 1, of the line in which the wrong part stands.
#[test]
fn a_wrong_field_is_named_with_its_place() {
    let list = "[\n  {\"context\": \"ä\", \"choices\": [\"a\", \"b\"], \"gold\": 1},\n  {\"context\": \"ä\",\n   \"choices\": \"ab\", \"gold\": 0}\n]";
    let csv = "id,question,a,b,correct\n1,\"ä,\nq\",x,y,z\n";
    for (text, line, column) in [
        (list, 4, 4),
        (csv, 3, 8),
        ("q ä\n  A. x\n  C. y\n  ANSWER: A\n", 3, 3),
        ("passage,question,answer\np,q,maybe\n", 2, 5),
        ("::t:: ä {\n  // why\n  =a\n  ~%50%b\n}\n", 4, 4),
        ("ä {=a =b ~c}\n", 1, 8),
        (
            "{\"premise\":\"ä\",\"choice1\":\"a\",\"choice2\":\"b\",\"question\":\"why\",\"label\":0}",
            1,
            44,
        ),
    ] {
        let parsed = parse_items(text);
        let found: Vec<(usize, usize)> = parsed
            .errors
            .iter()
            .map(|error| (error.line, error.column))
            .collect();
        assert_eq!(found, [(line, column)], "{:?}", parsed.errors);
    }
}

/// As old programs of the Macintosh write them, and some spreadsheets still do.
#[test]
fn a_line_may_end_with_a_carriage_return_alone() {
    for text in [
        "q\nA. x\nB. y\nANSWER: B\n\nr\n  A. x\n  C. y\nANSWER: A\n",
        "::t:: ä\n{=a ~b}\n\nr {=a\n ~%50%b}\n",
        "question,a,b,correct\nq,x,y,a\nr,x,y,z\n",
    ] {
        let expected = parse_items(text);
        assert_eq!((expected.items.len(), expected.errors.len()), (1, 1));
        for end in ["\r", "\r\n"] {
            assert_eq!(parse_items(&text.replace('\n', end)), expected, "{text}");
        }
    }
}

/// A mistake in the middle of one JSON document costs what comes after it, not what stands before.
#[test]
fn the_items_before_a_mistake_in_a_document_are_kept() {
    let item = r#"{"context":"q","choices":["a","b"],"gold":0}"#;
    let example = r#"{"input":"q","target_scores":{"a":1,"b":0}}"#;
    for text in [
        format!("[{item},\n{item},\n{{\"context\" \"q\"}},\n{item}]"),
        format!("{{\"examples\":[{example},\n{example},\n{{\"input\" \"q\"}},\n{example}]}}"),
    ] {
        let parsed = parse_items(&text);
        assert_eq!(parsed.items.len(), 2, "{text}");
        let lines: Vec<usize> = parsed.errors.iter().map(|error| error.line).collect();
        assert_eq!(lines, [3], "{text}");
        assert!(parsed.errors[0].message.contains("not JSON"));
    }
}
