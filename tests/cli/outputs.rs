//! Where results go.

use std::process::Command;

use secateur::items::canonical_jsonl;
use secateur::pruning::SearchReport;
use secateur::scoring::SetScores;

use crate::common::items;
use crate::{Desk, FOLDER, parsed, with};

/// A full disk under the log.
#[cfg(target_os = "linux")]
#[test]
fn a_log_that_cannot_be_written_loses_no_result() {
    let desk = Desk::new("log");
    let full = std::fs::File::options().write(true).open("/dev/full");
    let search = with("search", &["--percents", "10", "--out", "search.json"]);
    let mut search = desk.command(&search);
    let status = search.stderr(full.unwrap()).status().unwrap();
    assert!(status.success(), "{status}");
    let report: SearchReport = desk.json("search.json");
    assert!(!report.cells.is_empty());
}

/// A device that is full, in the place of one of two results.
#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_takes_the_others_with_it() {
    let desk = Desk::new("full-device");
    desk.put("ig.json", "earlier");
    let rest = [
        "--confidence",
        "0",
        "--steps",
        "2",
        "--out",
        "/dev/full",
        "--summary",
        "ig.json",
    ];
    let output = desk.run(&with("attribute", &rest));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("/dev/full"), "{said}");
    assert_eq!(desk.bytes("ig.json"), b"earlier");
}

/// What lies beside a result, and what others write to standard output, stays as it is.
#[test]
fn nothing_but_the_result_is_written() {
    let desk = Desk::new("beside");
    let good = canonical_jsonl(&items(FOLDER));
    desk.put("scores.json.partial", &good);
    let input = [
        "--model",
        "MODEL",
        "--items",
        "scores.json.partial",
        "--template",
        "plain",
    ];
    desk.ok(&[&["score"], &input[..], &["--out", "scores.json"]].concat());
    assert_eq!(desk.bytes("scores.json.partial"), good.as_bytes());
    let scores: SetScores = desk.json("scores.json");
    assert_eq!(scores.items.len(), items(FOLDER).len());

    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let of = |name: &str| std::fs::metadata(desk.0.join(name)).unwrap().permissions();
        assert_eq!(
            of("scores.json"),
            of("scores.json.partial"),
            "a new one is as others are"
        );
        let own = PermissionsExt::from_mode(0o640);
        std::fs::set_permissions(desk.0.join("scores.json"), own).unwrap();
        desk.ok(&[&["score"], &input[..], &["--out", "scores.json"]].concat());
        assert_eq!(of("scores.json").mode() & 0o777, 0o640);
    }

    let log = desk.0.join("log.txt");
    std::fs::write(&log, "before\n").unwrap();
    let log_file = std::fs::OpenOptions::new().append(true).open(&log).unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_secateur"))
        .args([
            "items",
            "convert",
            "scores.json.partial",
            "--out",
            "/dev/stdout",
        ])
        .current_dir(&desk.0)
        .stdout(log_file)
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(
        std::fs::read_to_string(&log).unwrap(),
        format!("before\n{good}")
    );

    desk.put("own.jsonl", format!("{good}nonsense\n"));
    let line = desk.wrong(&[
        "items",
        "convert",
        "--partial",
        "own.jsonl",
        "--out",
        "own.jsonl",
    ]);
    assert!(line.contains("is read as well"), "{line}");
    assert_eq!(
        desk.bytes("own.jsonl"),
        format!("{good}nonsense\n").as_bytes()
    );
    let left: Vec<String> = std::fs::read_dir(&desk.0)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(".secateur"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_hyphen_is_standard_output_and_nothing_is_written_where_all_is_dropped() {
    let desk = Desk::new("hyphen");
    let scores: SetScores = parsed(&desk.ok(&with("score", &["--out", "-"])));
    assert_eq!(scores.items.len(), items(FOLDER).len());
    assert!(!desk.0.join("-").exists());
    let line = desk.wrong(&["items", "split", "items.jsonl", "--out", "-"]);
    assert!(line.contains("is no folder"), "{line}");
    desk.put("mask.json", r#"{"site":"post","layers":[]}"#);
    let line = desk.wrong(&with("prune", &["--mask", "mask.json", "--mask-out", "-"]));
    assert!(line.contains("-: two results go into it"), "{line}");
    #[cfg(unix)]
    {
        let nowhere = [
            "--confidence",
            "0",
            "--steps",
            "1",
            "--out",
            "/dev/null",
            "--summary",
            "/dev/null",
        ];
        desk.ok(&with("attribute", &nowhere));
    }
}

/// A stream that leads into a file is written to, and what the file held stays.
#[cfg(target_os = "linux")]
#[test]
fn a_file_behind_a_stream_is_not_replaced() {
    let desk = Desk::new("streams");
    let good = canonical_jsonl(&items(FOLDER));
    let log = desk.0.join("log.txt");
    for stream in [
        "/dev/stdout",
        "/dev/fd/1",
        "/proc/self/fd/1",
        "/dev/stderr",
        "/dev/fd/2",
        "link",
    ] {
        std::fs::write(&log, "before\n").unwrap();
        let _ = std::os::unix::fs::symlink("/dev/stdout", desk.0.join("link"));
        let open = || std::fs::File::options().append(true).open(&log).unwrap();
        let mut convert = desk.command(&["items", "convert", "items.jsonl", "--out", stream]);
        let status = convert.stdout(open()).stderr(open()).status().unwrap();
        assert!(status.success(), "{stream}");
        let held = std::fs::read_to_string(&log).unwrap();
        assert_eq!(held, format!("before\n{good}"), "{stream}");
    }
    let line = desk.wrong(&["items", "convert", "items.jsonl", "--out", "/dev/none"]);
    assert!(
        line.contains("/dev/none: there is no such device"),
        "{line}"
    );
}

#[cfg(unix)]
#[test]
fn a_link_to_nothing_is_followed() {
    let desk = Desk::new("dangling");
    let link = desk.0.join("out.jsonl");
    std::os::unix::fs::symlink("target.jsonl", &link).unwrap();
    desk.ok(&["items", "convert", "items.jsonl", "--out", "out.jsonl"]);
    assert!(link.is_symlink());
    assert_eq!(
        desk.bytes("target.jsonl"),
        canonical_jsonl(&items(FOLDER)).as_bytes()
    );
}
