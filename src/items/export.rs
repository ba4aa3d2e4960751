//! Items written to files that other programs read: [`super::canonical_jsonl`] and CSV.

use super::Item;
use super::placeholder::letter;

/// Items as CSV (RFC 4180): `id`, `question`, a column a choice (`a`, `b`, …) and `correct`, the letter.
///
/// Reading it again gives the same items, but for white space around a text, which a table's reader takes off.
pub fn to_csv(items: &[Item]) -> String {
    let columns = items
        .iter()
        .map(|item| item.choices.len())
        .max()
        .unwrap_or(2);
    let letters: Vec<String> = (0..columns)
        .map(|index| letter(index).to_ascii_lowercase().to_string())
        .collect();
    let mut text = format!("id,question,{},correct\n", letters.join(","));
    for item in items {
        let mut fields = vec![quoted(&item.id), quoted(&item.context)];
        fields.extend((0..columns).map(|index| {
            item.choices
                .get(index)
                .map_or(String::new(), |choice| quoted(choice))
        }));
        fields.push(letter(item.gold).to_ascii_lowercase().to_string());
        text.push_str(&fields.join(","));
        text.push('\n');
    }
    text
}

/// A field, in quotation marks where it needs them.
fn quoted(field: &str) -> String {
    if field.contains(['"', ',', ';', '\t', '\n', '\r']) || field.trim().len() != field.len() {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
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
                id: "two".into(),
                context: String::new(),
                choices: vec!["x".into(), "a".into()],
                gold: 0,
            },
        ];
        let parsed = parse_items(&to_csv(&items));
        assert_eq!((parsed.format, &parsed.errors), ("csv", &vec![]));
        assert_eq!(parsed.items, items);
    }

    #[test]
    fn the_widest_item_has_a_column_for_every_choice() {
        let items = vec![Item {
            id: "z".into(),
            context: "q".into(),
            choices: (0..26).map(|index| format!("choice {index}")).collect(),
            gold: 25,
        }];
        assert_eq!(parse_items(&to_csv(&items)).items, items);
    }
}
