//! Items written to files that other programs read: [`super::canonical_jsonl`] and CSV.

use std::fmt::Display;

use super::Item;
use super::check::ItemsError;
use super::placeholder::letter;

/// Items as CSV (RFC 4180): `id`, `question`, a column a choice (`a`, `b`, …) and `correct`, the letter; in brackets where
/// a choice reads as that letter.
///
/// Reading it again gives the same items, but for white space around a text, which a table's reader takes off.
///
/// # Errors
///
/// [`ItemsError::Csv`] when it cannot be written.
pub fn to_csv(items: &[Item]) -> Result<String, ItemsError> {
    let choices = items.iter().map(|item| item.choices.len());
    let columns = choices.max().unwrap_or(2);
    let column = |index: usize| letter(index).to_ascii_lowercase().to_string();
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |start: [&str; 2], choices: Vec<&str>, end: &str| {
        let row = start.into_iter().chain(choices).chain([end]);
        writer.write_record(row).map_err(fail)
    };
    let names: Vec<String> = (0..columns).map(column).collect();
    let names = names.iter().map(String::as_str).collect();
    write(["id", "question"], names, "correct")?;
    for item in items {
        let mut choices: Vec<&str> = item.choices.iter().map(String::as_str).collect();
        choices.resize(columns, "");
        let letter = column(item.gold);
        let correct = match choices.iter().any(|choice| choice.trim() == letter) {
            true => format!("({letter})"),
            false => letter,
        };
        write([&item.id, &item.context], choices, &correct)?;
    }
    String::from_utf8(writer.into_inner().map_err(fail)?).map_err(fail)
}

fn fail(error: impl Display) -> ItemsError {
    ItemsError::Csv(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::items::parse_items;

    #[test]
    fn items_survive_csv() {
        let items = vec![
            Item {
                id: "1".into(),
                context: "Is it, \"really\"?\nYes; no\ttab".into(),
                choices: vec!["a".into(), "b,".into(), "é".into()],
                gold: 2,
            },
            Item {
                id: "other separators".into(),
                context: "x; y\tz".into(),
                choices: vec!["p;q".into(), "r\ts".into()],
                gold: 1,
            },
            Item {
                id: "two".into(),
                context: String::new(),
                choices: vec!["x".into(), "a".into()],
                gold: 0,
            },
        ];
        let parsed = parse_items(&to_csv(&items).unwrap());
        assert_eq!((parsed.format, &parsed.errors), ("csv", &vec![]));
        assert_eq!(parsed.items, items);
    }

    #[test]
    fn a_letter_that_a_choice_reads_stays_a_letter() {
        let items = vec![Item {
            id: "1".into(),
            context: "q".into(),
            choices: vec!["x".into(), " a".into(), "b".into()],
            gold: 0,
        }];
        let csv = to_csv(&items).unwrap();
        assert!(csv.ends_with(",(a)\n"), "{csv}");
        assert_eq!(parse_items(&csv).items[0].gold, 0);
    }

    #[test]
    fn the_widest_item_has_a_column_for_every_choice() {
        let items = vec![Item {
            id: "z".into(),
            context: "q".into(),
            choices: (0..26).map(|index| format!("choice {index}")).collect(),
            gold: 25,
        }];
        assert_eq!(parse_items(&to_csv(&items).unwrap()).items, items);
    }
}
