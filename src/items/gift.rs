//! Items in GIFT, as in [Moodle's documentation](https://docs.moodle.org/en/GIFT_format).
//!
//! `::title:: text {=right ~wrong}`, questions parted by empty lines. A line that begins with `//` is a comment, one
//! with `$CATEGORY:` is skipped as well; `\` before one of `~ = # { } : \` takes its meaning away, and `\n` is a line
//! break. Titles and feedback are dropped. An answer in the middle of a text leaves `_____` there, as Moodle does. A
//! question and each of its choices may begin with the name of its markup (`[html]`), else a choice has the question's,
//! and a question that of Moodle's own format.
//! Read are questions with one right choice, and true or false; the others are refused.

use super::check::check_size;
use super::draft::{Draft, Fault, Found};
use super::html;
use super::markup::Markup;
use super::place::offset_of;
use super::text::{GAP, quoted};

/// What a backslash may stand before.
const SPECIAL: [char; 7] = ['~', '=', '#', '{', '}', ':', '\\'];
/// Names of markup that may stand before a text, in brackets.
const MARKUP: [(&str, Markup); 4] = [
    ("[html]", Markup::Html),
    ("[moodle]", Markup::Moodle),
    ("[plain]", Markup::Plain),
    ("[markdown]", Markup::Markdown),
];

/// The markup that a text names at its beginning, and the rest of it.
fn marked_up(text: &str) -> Option<(Markup, &str)> {
    MARKUP.into_iter().find_map(|(name, markup)| {
        let start = text.get(..name.len())?;
        start
            .eq_ignore_ascii_case(name)
            .then(|| (markup, rest(text, name.len())))
    })
}

/// Whether a text has a title or a brace with what only GIFT has after it.
pub(super) fn fits(text: &str) -> bool {
    let has_answers = braces(text).any(|brace| {
        let inside = rest(text, brace.at + 1).trim_start();
        inside.starts_with(['=', '~', '#']) || brace.is_verdict(text)
    });
    has_answers || text.lines().any(|line| line.trim_start().starts_with("::"))
}

/// A brace that opens.
struct Brace {
    at: usize,
    /// Whether it stands between two `$` of one line.
    is_in_formula: bool,
}

/// The braces of a text that open.
fn braces(text: &str) -> impl Iterator<Item = Brace> {
    let mut formula_end = 0;
    text.match_indices(['{', '$'])
        .filter_map(move |(at, mark)| {
            let is_in_formula = at < formula_end;
            if mark == "$" && !is_in_formula {
                let inside = rest(text, at).trim_start_matches('$');
                let end = inside.find(['$', '\n']).unwrap_or(inside.len());
                let after = rest(inside, end).trim_start_matches('$');
                if rest(inside, end).starts_with('$') {
                    formula_end = text.len() - after.len();
                }
            }
            (mark == "{").then_some(Brace { at, is_in_formula })
        })
}

impl Brace {
    /// Whether it holds true or false and no more than feedback, and is none of a formula, as in `x^{T}`, `\frac{1}{T}`,
    /// `P{T} is` and `$A {T}$`.
    fn is_verdict(&self, text: &str) -> bool {
        let before = text.get(..self.at).unwrap_or_default();
        let inside = rest(text, self.at + 1).trim_start();
        let end = inside.find(|char: char| !char.is_ascii_alphabetic());
        let (word, after) = inside.split_at(end.unwrap_or(inside.len()));
        let after = after.trim_start();
        if verdict(word).is_none() || !after.starts_with(['}', '#']) || self.is_in_formula {
            return false;
        }
        // After a word it may be a variable's, but not where the question ends.
        let follows = after
            .strip_prefix('}')
            .and_then(|after| after.lines().next());
        let is_last = follows.is_none_or(|follows| follows.trim().is_empty());
        let command = before.trim_end_matches(|char: char| char.is_ascii_alphabetic());
        !before.ends_with(['^', '_', '\\', '}'])
            && !command.ends_with('\\')
            && (is_last || !before.ends_with(char::is_alphanumeric))
    }
}

/// Place of the right one of the choices True and False.
fn verdict(word: &str) -> Option<usize> {
    match word.to_ascii_uppercase().as_str() {
        "T" | "TRUE" => Some(0),
        "F" | "FALSE" => Some(1),
        _ => None,
    }
}

/// The questions of a text.
pub(super) fn read(text: &str) -> impl Iterator<Item = Found> {
    let mut lines = (1..).zip(text.lines());
    std::iter::from_fn(move || {
        let mut block: Option<Block> = None;
        for (number, line) in lines.by_ref() {
            let trimmed = line.trim();
            if trimmed.starts_with("//") || trimmed.starts_with("$CATEGORY:") {
                continue;
            }
            match (&mut block, trimmed.is_empty()) {
                (None, true) => {}
                (Some(_), true) => break,
                (None, false) => block = Some(Block::new(number, text, line)),
                (Some(block), false) => block.push(text, line),
            }
        }
        block.map(|block| (block.line, block.question()))
    })
}

/// The lines of a question.
struct Block {
    /// Number of the first one.
    line: usize,
    /// All of them.
    lines: String,
    /// Where each begins in `lines` and in the file.
    starts: Vec<(usize, usize)>,
    /// Why it is not read.
    problem: Option<String>,
}

impl Block {
    fn new(number: usize, text: &str, line: &str) -> Self {
        let mut block = Self {
            line: number,
            lines: String::new(),
            starts: Vec::new(),
            problem: None,
        };
        block.push(text, line);
        block
    }

    fn push(&mut self, text: &str, line: &str) {
        if self.problem.is_none() {
            self.problem = check_size(line).err();
        }
        if self.problem.is_some() {
            return;
        }
        if !self.lines.is_empty() {
            self.lines.push('\n');
        }
        self.starts.push((self.lines.len(), offset_of(text, line)));
        self.lines.push_str(line);
        self.problem = check_size(&self.lines).err();
    }

    fn question(self) -> Result<Draft, Fault> {
        if let Some(problem) = self.problem {
            return Err(problem.into());
        }
        question(&self.lines).map_err(|wrong| match wrong.at {
            None => wrong.message.into(),
            Some(at) => {
                let start = self.starts.iter().rev().find(|(start, _)| *start <= at);
                let offset = start.map(|(start, offset)| offset + at - start);
                Fault {
                    message: wrong.message,
                    offset,
                }
            }
        })
    }
}

/// What is wrong with a question.
struct Wrong {
    message: String,
    /// Byte of the block at which the wrong part begins, where it is not the whole.
    at: Option<usize>,
}

impl From<String> for Wrong {
    fn from(message: String) -> Self {
        Self { message, at: None }
    }
}

impl From<&str> for Wrong {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

fn question(block: &str) -> Result<Draft, Wrong> {
    let mut text = block.trim_start();
    if let Some(titled) = text.strip_prefix("::") {
        let end = titled
            .match_indices("::")
            .find(|(at, _)| !is_escaped(titled, *at));
        let (end, mark) = end.ok_or("the title has no `::` at its end")?;
        text = rest(titled, end + mark.len()).trim_start();
    }
    let (markup, text) = marked_up(text).unwrap_or((Markup::Moodle, text));
    let read = |markup: Markup, text: &str| markup.read(&unescaped(text));
    let named = |what: String| Wrong::from(format!("the question {what}"));

    let (before, answers) = cut(text, '{').ok_or("there are no choices in braces")?;
    let (answers, after) = cut(answers, '}').ok_or("the brace of the choices is not closed")?;
    let stray = |before: &str, brace: &str| Wrong {
        message: format!(
            "this `{brace}` is no brace around the choices: put `\\` before the braces of the text"
        ),
        at: Some(offset_of(block, before) + before.len()),
    };
    let is_choices = |brace: Brace| {
        let has_marks = ['=', '~', '#']
            .iter()
            .any(|mark| cut(answers, *mark).is_some());
        has_marks || answers.trim().is_empty() || brace.is_verdict(block)
    };
    let at = offset_of(block, before) + before.len();
    if !braces(block)
        .find(|brace| brace.at == at)
        .is_some_and(is_choices)
    {
        return Err(stray(before, "{"));
    }
    if let Some((before, _)) = cut(answers, '{') {
        return Err(stray(before, "{"));
    }
    if let Some((between, _)) = cut(after, '{') {
        return Err(Wrong {
            message:
                "the question has braces twice; is there no empty line before the next question?"
                    .into(),
            at: Some(offset_of(block, between) + between.len()),
        });
    }
    if let Some((before, _)) = cut(after, '}') {
        return Err(stray(before, "}"));
    }
    let (choices, gold) = choices(answers.trim()).map_err(|(part, message)| Wrong {
        message,
        at: Some(offset_of(block, part)),
    })?;
    let context = match after.trim() {
        "" => read(markup, before),
        _ => read(markup, &format!("{before}{GAP}{after}")),
    };
    let raw: Vec<&str> = choices.iter().map(String::as_str).collect();
    let texts = raw.iter().map(|choice| {
        let (markup, text) = marked_up(choice).unwrap_or((markup, choice));
        read(markup, text)
    });
    let texts: Vec<String> = texts.collect::<Result<_, _>>().map_err(named)?;
    html::check_apart(&raw, &texts).map_err(named)?;
    Ok(Draft {
        id: None,
        context: context.map_err(named)?,
        choices: texts,
        gold: gold.into(),
    })
}

/// The choices, still with backslashes, and the right one; or the part that is wrong, and why.
fn choices(answers: &str) -> Result<(Vec<String>, usize), (&str, String)> {
    let whole = answers;
    let refused = |part, kind: &str| {
        let message = format!("{kind} cannot be read: an item has choices and one right one");
        Err((part, message))
    };
    // Feedback on the whole question comes last.
    let answers = answers
        .match_indices("####")
        .find(|(at, _)| !is_escaped(answers, *at))
        .and_then(|(at, _)| answers.get(..at))
        .unwrap_or(answers);
    if answers.trim().is_empty() {
        return refused(whole, "a question without choices");
    }
    if answers.starts_with('#') {
        return refused(whole, "a question for a number");
    }
    let word = cut(answers, '#').map_or(answers, |(word, _)| word);
    if let Some(gold) = verdict(word.trim()) {
        return Ok((vec!["True".into(), "False".into()], gold));
    }

    let marks: Vec<(usize, char)> = answers
        .char_indices()
        .filter(|(at, mark)| matches!(mark, '=' | '~') && !is_escaped(answers, *at))
        .collect();
    let first = marks.first().map_or(answers.len(), |(at, _)| *at);
    let stray = answers.get(..first).unwrap_or_default().trim();
    if !stray.is_empty() {
        let message = format!("`{}` stands before the first `=` or `~`", quoted(stray));
        return Err((stray, message));
    }
    let mut texts = Vec::new();
    let mut right = Vec::new();
    let ends = marks.iter().skip(1).map(|(at, _)| *at);
    for ((at, mark), end) in marks.iter().zip(ends.chain([answers.len()])) {
        let answer = answers.get(at + 1..end).unwrap_or_default();
        let (text, feedback) = cut(answer, '#').unwrap_or((answer, ""));
        if let Some(entity) = cut_entity(text, feedback) {
            let message = format!(
                "the `#` of `{entity}` begins feedback here: put `\\` before it, or write the character itself"
            );
            return Err((answer, message));
        }
        let text = text.trim();
        let weighted = text
            .strip_prefix('%')
            .and_then(|rest| rest.split_once('%'))
            .and_then(|(weight, text)| {
                let weight = weight.trim().replace(',', ".");
                Some((weight.parse::<f64>().ok()?, text))
            });
        let (is_right, text) = match weighted {
            None => (*mark == '=', text),
            Some((100.0, text)) => (true, text),
            // A penalty tells nothing but that the choice is wrong.
            Some((weight, text)) if *mark == '~' && weight <= 0.0 => (false, text),
            Some(_) => return refused(text, "a question with weighted answers"),
        };
        if is_right {
            right.push((texts.len(), text));
        }
        texts.push(text.trim().to_owned());
    }
    let has_wrong = marks.iter().any(|(_, mark)| *mark == '~');
    match right.as_slice() {
        _ if !has_wrong && texts.iter().any(|text| text.contains("->")) => {
            refused(whole, "a question that matches pairs")
        }
        _ if !has_wrong => refused(whole, "a question for a short answer"),
        [] => Err((whole, "no choice is marked as right with `=`".into())),
        [(gold, _)] => Ok((texts, *gold)),
        [_, (_, second), ..] => {
            let message = format!("{} choices are marked as right", right.len());
            Err((second, message))
        }
    }
}

/// The number of a character that a `#` between two texts belongs to, as in `&#8211;`.
fn cut_entity(before: &str, after: &str) -> Option<String> {
    let (number, _) = after.split_once(';')?;
    let digits = number.trim_start_matches(['x', 'X']);
    let is_number = !digits.is_empty()
        && digits.len() <= 7
        && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_number && before.ends_with('&')).then(|| format!("&#{number};"))
}

/// The parts of a text before and after the first `mark` that no backslash stands before.
fn cut(text: &str, mark: char) -> Option<(&str, &str)> {
    let (at, _) = text
        .match_indices(mark)
        .find(|(at, _)| !is_escaped(text, *at))?;
    Some((text.get(..at)?, rest(text, at + mark.len_utf8())))
}

fn rest(text: &str, start: usize) -> &str {
    text.get(start..).unwrap_or_default()
}

/// Whether an odd number of backslashes stands before a place.
fn is_escaped(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    let backslashes = before.len() - before.trim_end_matches('\\').len();
    backslashes % 2 == 1
}

/// A text without its backslashes; one that stands before nothing special is kept, as in `\frac`.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        let next = chars.peek().copied().filter(|_| char == '\\');
        match next {
            Some('n') => out.push('\n'),
            Some(special) if SPECIAL.contains(&special) => out.push(special),
            _ => {
                out.push(char);
                continue;
            }
        }
        chars.next();
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::items::parse_items;

    /// The first two questions are those of Moodle's documentation.
    #[test]
    fn choices_true_and_false_and_gaps_are_read() {
        let text = "$CATEGORY: c\n\n// a comment\n::Q2:: What's between orange and green in the spectrum? \n\
            { =yellow # right; good! ~red # wrong ~blue # wrong }\n\n\
            Grant is {~buried =entombed ~living} in Grant's tomb.\n\n\
            // true\n::Q1:: 1+1\\=2 {T}\n\n::x::[html]<p>a &lt; b</p>{\nFALSE#why####all}\n\n\
            \\frac\\{1\\}: {\n  ~%0%a\\~b\n  // comment\n  =%100%c\\\\\n}\n";
        let parsed = parse_items(text);
        assert_eq!((parsed.format, &parsed.errors), ("gift", &vec![]));
        let found: Vec<(&str, String, usize)> = parsed
            .items
            .iter()
            .map(|item| (item.context.as_str(), item.choices.join("|"), item.gold))
            .collect();
        assert_eq!(
            found,
            [
                (
                    "What's between orange and green in the spectrum?",
                    "yellow|red|blue".to_owned(),
                    0
                ),
                (
                    "Grant is _____ in Grant's tomb.",
                    "buried|entombed|living".to_owned(),
                    1
                ),
                ("1+1=2", "True|False".to_owned(), 0),
                ("a < b", "True|False".to_owned(), 1),
                ("\\frac{1}:", "a~b|c\\".to_owned(), 1),
            ]
        );
        assert_eq!(parsed.items[0].id, "line-4");
    }

    #[test]
    fn what_is_no_choice_of_one_is_refused_with_its_line() {
        let text = "q {=a ~b}\n\nq {~%50%a ~%50%b ~c}\n\nq {=a =b}\n\nq {=a -> b =c -> d =e -> f}\n\nq {#3:2}\n\n\
            q {}\n\nq {~a ~b}\n\nq {=a ~b\n\nno braces\n\nq {=a ~b} {=c ~d}\n\n::q {=a ~b}\n\nq {x =a ~b}\n\nq {=a =b ~c}\n";
        let parsed = parse_items(text);
        assert_eq!(parsed.items.len(), 1);
        let named = [
            "weighted",
            "short answer",
            "pairs",
            "number",
            "without choices",
            "no choice",
            "not closed",
            "no choices",
            "twice",
            "title",
            "before the first",
            "2 choices",
        ];
        assert_eq!(parsed.errors.len(), named.len());
        for ((error, named), line) in parsed.errors.iter().zip(named).zip((3..).step_by(2)) {
            assert_eq!(error.line, line);
            assert!(error.message.contains(named), "{}", error.message);
        }
    }

    /// Contexts, choices and right ones of a text without an error.
    fn read(text: &str) -> Vec<(String, String, usize)> {
        let parsed = parse_items(text);
        assert_eq!((parsed.format, &parsed.errors), ("gift", &vec![]), "{text}");
        let item = |item: crate::items::Item| (item.context, item.choices.join("|"), item.gold);
        parsed.items.into_iter().map(item).collect()
    }

    #[test]
    fn negative_weights_say_nothing_about_which_choice_is_right() {
        let text = "::Boats:: Which of these floats?{\n\t=a cork#yes\n\t~%-33.33333%an anvil#no\n\t~%-33,33333%a brick\n}\n\n\
            Which is a metal?{\n~%-50%oak\n~%100%tin\n~%-50%glass\n}\n\nq{=%100%x ~%-100%y ~%0%z}\n";
        let golds: Vec<usize> = read(text).iter().map(|(.., gold)| *gold).collect();
        assert_eq!(golds, [0, 1, 0]);
        for refused in [
            "q{=x ~%50%y}",
            "q{~%50%x ~%50%y ~%-100%z}",
            "q{=%50%x ~%-50%y}",
        ] {
            assert!(
                parse_items(refused).errors[0].message.contains("weighted"),
                "{refused}"
            );
        }
        assert!(
            parse_items("q{~%-50%x ~%-50%y}").errors[0]
                .message
                .contains("no choice")
        );
    }

    #[test]
    fn a_choice_may_name_its_own_markup() {
        let text = "[html]<p>10<sup>3</sup>?</p>{=[html]<b>x</b> &lt; y#[html]<i>f</i> ~%-50%[plain]<b>y</b> ~[Markdown]*z* ~<i>w</i>}\n\n\
            [plain]<q>{=[moodle]a ~[other]b}\n\n::t::[markdown]**q**{~[html]&eacute; =e}\n";
        let found = read(text);
        assert_eq!(found[0], ("10³?".into(), "x < y|<b>y</b>|*z*|w".into(), 0));
        assert_eq!(found[1], ("<q>".into(), "a|[other]b".into(), 0));
        assert_eq!(found[2], ("**q**".into(), "é|e".into(), 1));
    }

    #[test]
    fn html_without_the_name_of_its_markup_is_html_as_in_moodle() {
        let found = read(
            "10<sup>2</sup> &lt; x < y\nwith <b>y</b>? {=H<sub>2</sub>O ~List<int> ~a <b}\n\n[moodle]<p>a</p><p>b</p> {T}\n",
        );
        assert_eq!(found[0].0, "10² < x < y\nwith y?");
        assert_eq!(found[0].1, "H₂O|List<int>|a <b");
        assert_eq!(found[1].0, "a\nb");
        for (text, named) in [
            ("q <img src\\=\"a.png\"> {T}", "a picture"),
            ("[markdown]q ![a](b.png) {T}", "a picture"),
            ("What does <b> do? {=a ~b}", "`&lt;`"),
        ] {
            let parsed = parse_items(text);
            assert!(
                parsed.items.is_empty() && parsed.errors[0].message.contains(named),
                "{parsed:?}"
            );
        }
    }

    #[test]
    fn a_file_may_hold_nothing_but_true_and_false() {
        for (answers, gold) in [
            ("{T}", 0),
            ("{ false }", 1),
            ("{TRUE#no#yes####all}", 0),
            ("{\n  F # why\n}", 1),
            ("{F####general feedback \\{with\\} = and ~}", 1),
        ] {
            let text = format!("1+1\\=2 {answers}\n\n");
            let wanted = ("1+1=2".to_owned(), "True|False".to_owned(), gold);
            assert_eq!(read(&text), [wanted]);
        }
        assert_eq!(parse_items("Dear {Tom}, {True colours}").format, "unknown");
    }

    #[test]
    fn general_feedback_is_dropped() {
        let found = read("q{=a#right ~b#wrong ~c\n####See = page ~ 3#4\n}\n\nr{~a\\#1 =b####}\n");
        assert_eq!(found[0].1, "a|b|c");
        // What is escaped is text, and begins none.
        assert_eq!(found[1].1, "a#1|b");
    }

    /// Moodle takes it so, too, and would lose half of the choice.
    #[test]
    fn a_number_of_a_character_is_no_feedback() {
        let parsed =
            parse_items("q {=yes &#8211; it is ~no}\n\nq {=yes &\\#8211; it is ~no & no#8; why}\n");
        assert_eq!((parsed.items.len(), parsed.errors.len()), (1, 1));
        let error = &parsed.errors[0];
        assert_eq!((error.line, error.column), (1, 5));
        assert!(error.message.contains("`&#8211;`"), "{}", error.message);
        assert_eq!(parsed.items[0].choices, ["yes – it is", "no & no"]);
        assert_eq!(
            parse_items("[html]q {=1 &\\#x96; 2 ~b}\n").items[0].choices[0],
            "1 – 2"
        );
    }

    #[test]
    fn a_brace_of_a_formula_is_none_of_an_answer() {
        for text in [
            "1,$A^{T}$,x\n",
            "x_{F},y",
            "\\frac{1}{T}",
            "\\mathbf {a} and \\mathbf{T}\n",
            "P{T} is a chance",
            "so $x {T}$ is",
            "so $$x {T}$$ is, for $5",
        ] {
            assert_eq!(parse_items(text).format, "unknown", "{text}");
        }
        for text in [
            "The sky is blue{T}\n\nb",
            "$5 {T}",
            "$5 and $6 {T} or",
            "a$$ {F}",
            "It {T} is",
        ] {
            assert_eq!(parse_items(text).items.len(), 1, "{text}");
        }
    }

    #[test]
    fn a_brace_of_the_text_without_its_backslash_is_named() {
        for (text, at) in [
            ("::t:: what is $A^{T}$? {=a ~b}", 18),
            ("\\(x^{2}\\)? {=a ~b}", 5),
            ("q {hello} {T}", 3),
            ("Which is irrational? {~1/2 ~2 =\\sqrt{2}}", 37),
            ("q {=a ~b ~x^{2}}", 13),
            ("q {=a ~b} in {2}", 14),
            ("q {=a ~b} and c}", 16),
        ] {
            let parsed = parse_items(text);
            assert_eq!((parsed.items.len(), parsed.errors.len()), (0, 1), "{text}");
            assert_eq!(parsed.errors[0].column, at, "{:?}", parsed.errors);
        }
        let message = &parse_items("q {=a ~b ~x^{2}}").errors[0].message;
        assert!(message.contains("put `\\` before"), "{message}");
        let found = read("q {~1/2 =\\sqrt\\{2\\}} \\{a\\}\n");
        assert_eq!(found[0].0, "q _____ {a}");
        assert_eq!(found[0].1, "1/2|\\sqrt{2}");
    }

    /// Two choices may differ in their indentation alone.
    #[test]
    fn inner_white_space_stays() {
        let found = read(
            "  ::t:: [plain]What prints 1?\r\n  for x in y:\r\n      z\r\n{\r\n  =if a:\r\n      b\r\n  ~if a:\r\n   b\r\n}\r\n",
        );
        assert_eq!(found[0].0, "What prints 1?\n  for x in y:\n      z");
        assert_eq!(found[0].1, "if a:\n      b|if a:\n   b");
        let found = read("[html]q<pre>\n  a\n    b</pre>{=<pre>x  y</pre> ~<pre>x y</pre>}\n");
        assert_eq!(found[0].0, "q\n  a\n    b");
        assert_eq!(found[0].1, "x  y|x y");
    }

    /// `Answer: {` is no answer of Aiken's, and a question may begin with a bracket.
    #[test]
    fn a_question_is_not_taken_for_another_format() {
        let found = read("Which one floats?\nA. cork\nB. anvil\nAnswer: {=A ~B}\n");
        assert_eq!(found[0].1, "A|B");
        let found = read("[Physics] Which one floats? {=cork ~anvil}\n");
        assert_eq!(found[0].0, "[Physics] Which one floats?");
    }

    #[test]
    fn questions_without_an_empty_line_between_them_get_a_hint() {
        let parsed = parse_items("::one:: q {=a ~b}\n::two:: r {=c ~d}\ns {T}\n\nt {F}\n");
        assert_eq!((parsed.items.len(), parsed.errors.len()), (1, 1));
        let error = &parsed.errors[0];
        assert_eq!((error.line, error.column), (2, 11));
        assert!(error.message.contains("empty line"), "{}", error.message);
    }

    #[test]
    fn choices_that_html_makes_one_are_an_error() {
        let parsed = parse_items(
            "q{=<b>a</b> ~<i>a</i>}\n\n[html]q{=<table></table> ~b}\n\n[html]q{=a ~b#<img>}",
        );
        assert!(parsed.errors[0].message.contains("become the same text"));
        assert!(
            parsed.errors[1]
                .message
                .contains("the question holds a table")
        );
        assert_eq!(
            parsed.items.len(),
            1,
            "a picture in feedback is none in the item"
        );
    }
}
