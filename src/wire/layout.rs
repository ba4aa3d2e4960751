//! TypeScript as people lay it out, from the single lines that `ts-rs` makes.

/// One field of an object's type.
struct Field {
    comment: Vec<String>,
    text: String,
}

/// A comment above a line that is indented so far; nothing for none.
pub fn comment(lines: &[String], indent: &str) -> String {
    match lines {
        [] => String::new(),
        [line] => format!("{indent}/** {line} */\n"),
        lines => {
            let body: String = lines
                .iter()
                .map(|line| format!("{indent} * {line}\n"))
                .collect();
            format!("{indent}/**\n{body}{indent} */\n")
        }
    }
}

/// The lines of a documentation comment, or of the block that `ts-rs` makes of it. Links into the Rust sources become
/// plain names.
pub fn comment_lines(docs: &str) -> Vec<String> {
    let marks = |line: &str| {
        let line = line.trim().trim_start_matches("/**").trim_end_matches("*/");
        without_links(line.trim().trim_start_matches('*').trim())
    };
    let lines = docs.lines().map(marks);
    lines.filter(|line| !line.is_empty()).collect()
}

/// A line whose links into the Rust sources are plain names.
fn without_links(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, link)) = rest.split_once("`](") {
        text = text + before + "`";
        rest = link.split_once(')').map_or("", |(_, after)| after);
    }
    (text + rest).replace("[`", "`").replace("`]", "`")
}

/// A declaration as `ts-rs` makes it, with its comment: an interface where it is of one object.
pub fn declaration(docs: &str, declared: &str) -> String {
    let docs = comment(&comment_lines(docs), "");
    let declared = declared.trim_end_matches(';');
    let (head, definition) = declared.split_once(" = ").unwrap_or((declared, ""));
    let Some(fields) = object(definition) else {
        return format!("{docs}export {head} = {};\n", on_one_line(definition));
    };
    let name = head.trim_start_matches("type ");
    let line = |field: &Field| format!("{}  {};\n", comment(&field.comment, "  "), field.text);
    let fields: String = fields.iter().map(line).collect();
    format!("{docs}export interface {name} {{\n{fields}}}\n")
}

/// The fields of a definition that is one object.
fn object(definition: &str) -> Option<Vec<Field>> {
    let inside = definition.trim().strip_prefix('{')?.strip_suffix('}')?;
    // Of a union or an intersection, another brace closes the first one.
    let mut depth = 0i32;
    for character in inside.chars() {
        depth += nesting(character);
        if depth < 0 {
            return None;
        }
    }
    let mut fields = Vec::new();
    let mut rest = inside.trim();
    while !rest.is_empty() {
        let (above, field) = match rest.split_once("*/").filter(|_| rest.starts_with("/**")) {
            Some((above, field)) => (comment_lines(above), field.trim_start()),
            None => (Vec::new(), rest),
        };
        let (text, after) = field.split_at(end_of_field(field));
        fields.push(Field {
            comment: above,
            text: never_null(&on_one_line(text)),
        });
        rest = after.trim_start_matches(',').trim_start();
    }
    Some(fields)
}

/// How much deeper a character leads.
fn nesting(character: char) -> i32 {
    match character {
        '{' | '[' | '(' | '<' => 1,
        '}' | ']' | ')' | '>' => -1,
        _ => 0,
    }
}

/// Where a field's comma stands, or the end.
fn end_of_field(text: &str) -> usize {
    let mut depth = 0;
    for (at, character) in text.char_indices() {
        depth += nesting(character);
        if depth == 0 && character == ',' {
            return at;
        }
    }
    text.len()
}

/// A field that may be absent is absent where it has no value: the engine leaves it out and never writes `null`.
fn never_null(field: &str) -> String {
    match field.strip_suffix(" | null") {
        Some(some)
            if field
                .split(':')
                .next()
                .is_some_and(|name| name.ends_with('?')) =>
        {
            some.to_owned()
        }
        _ => field.to_owned(),
    }
}

/// A definition without comments and line breaks, and without commas before closing braces.
fn on_one_line(definition: &str) -> String {
    let mut text = String::new();
    let mut rest = definition;
    while let Some((before, comment)) = rest.split_once("/**") {
        text.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace(", }", " }")
}

#[cfg(test)]
mod tests {
    use super::declaration;

    #[test]
    fn an_object_becomes_an_interface_with_its_comments() {
        let declared = "type Set = { \n/**\n * How many, as [`Items`](crate::Items) has [`them`].\n */\ncount: number, pairs?: Array<[string, number]> | null, last: { of: string, } | null, };";
        assert_eq!(
            declaration("/**\n * A set.\n * Of items.\n */\n", declared),
            "\
/**
 * A set.
 * Of items.
 */
export interface Set {
  /** How many, as `Items` has `them`. */
  count: number;
  pairs?: Array<[string, number]>;
  last: { of: string } | null;
}
"
        );
    }

    #[test]
    fn anything_else_becomes_a_type() {
        let union = r#"type Orders = { "kind": "cyclic" } | { "kind": "seeded", 
/**
 * Its seed.
 */
seed: number, };"#;
        assert_eq!(
            declaration("", union),
            "export type Orders = { \"kind\": \"cyclic\" } | { \"kind\": \"seeded\", seed: number };\n"
        );
        assert_eq!(
            declaration("", "type Made<T> = { of: string, } & T;"),
            "export type Made<T> = { of: string } & T;\n"
        );
    }
}
