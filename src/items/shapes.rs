//! The shapes of a JSON object that is an item; each is told by its fields.
//!
//! | shape | fields | source |
//! |---|---|---|
//! | ours, lm-evaluation-harness, MMLU, ARC, CommonsenseQA, OpenBookQA | `context` or `question` or `question_stem` or `query`, `choices`, `gold` or `answer` or `answerKey` or `label` | [lm-evaluation-harness](https://github.com/EleutherAI/lm-evaluation-harness), [ARC](https://huggingface.co/datasets/allenai/ai2_arc) |
//! | MMLU-Pro, MedQA, RACE | the same with `options`, a list or an object of labels, for `choices`; an `article` before the question | [MMLU-Pro](https://huggingface.co/datasets/TIGER-Lab/MMLU-Pro), [MedQA](https://github.com/jind11/MedQA), [RACE](https://huggingface.co/datasets/ehovy/race) |
//! | KMMLU, and tables as JSON | `question`, `A`, `B`, …, `answer`: see [`super::columns`] | [KMMLU](https://huggingface.co/datasets/HAERAE-HUB/KMMLU) |
//! | ARC and CommonsenseQA as published | `question` of `stem` and `choices`, `answerKey` | [ARC](https://allenai.org/data/arc), [CommonsenseQA](https://www.tau-nlp.sites.tau.ac.il/commonsenseqa) |
//! | COPA | `premise`, `choice1`, `choice2`, `question`, `label` | [SuperGLUE](https://huggingface.co/datasets/aps/super_glue) |
//! | HellaSwag | `activity_label`, `ctx_a`, `ctx_b` or `ctx`; `endings`, `label` | [HellaSwag](https://huggingface.co/datasets/Rowan/hellaswag) |
//! | BoolQ | `passage`, `question`, `answer` or `label` | [BoolQ](https://huggingface.co/datasets/google/boolq) |
//! | WinoGrande | `sentence`, `option1`, `option2`, `answer` | [WinoGrande](https://huggingface.co/datasets/allenai/winogrande) |
//! | PIQA | `goal`, `sol1`, `sol2`, `label` | [PIQA](https://huggingface.co/datasets/ybisk/piqa) |
//! | SciQ | `question`, `distractor1` to `3`, `correct_answer`, `support` | [SciQ](https://huggingface.co/datasets/allenai/sciq) |

use std::collections::HashSet;

use super::answers::{Answer, AnswersFrom, Number, named, unmarked, whole};
use super::check::check_choices;
use super::columns::{self, SUBJECTS};
use super::draft::Draft;
use super::fields::{Fields, Json, given, index, list, needed, number, text, text_or_number};
use super::text::quoted;

type Shape = fn(&Fields) -> Result<Draft, String>;

/// The shapes without `choices` and the fields that tell them.
const SHAPES: [(&[&str], Shape); 6] = [
    (&["premise", "choice1"], copa),
    (&["endings"], hellaswag),
    (&["passage", "question"], boolq),
    (&["sentence", "option1"], winogrande),
    (&["goal", "sol1"], piqa),
    (&["question", "correct_answer"], sciq),
];

/// The item that a JSON object is.
pub(super) fn draft(fields: &Fields) -> Result<Draft, String> {
    let flat = flattened(fields)?;
    let fields = flat.as_ref().unwrap_or(fields);
    let has = |name: &&str| given(fields, name).is_some();
    let mut shape = general as Shape;
    if listed_choices(fields).is_none() {
        if let Some(draft) = columns::of_object(fields) {
            return draft;
        }
        let found = SHAPES.iter().find(|(names, _)| names.iter().all(has));
        shape = found.map_or(shape, |(_, shape)| *shape);
    }
    let draft = shape(fields)?;
    Ok(Draft {
        id: id(fields)?,
        ..draft
    })
}

/// Whether columns or fields of these names are those of a data set without `choices`.
pub(super) fn is_data_set(names: &[String]) -> bool {
    let has = |wanted: &&str| names.iter().any(|name| name == wanted);
    SHAPES.iter().any(|(fields, _)| fields.iter().all(has))
}

/// The files of ARC and CommonsenseQA as their authors publish them hold stem and choices within the question.
fn flattened<'a>(fields: &Fields<'a>) -> Result<Option<Fields<'a>>, String> {
    let Some(question) = fields.get("question").and_then(Json::fields) else {
        return Ok(None);
    };
    let mut question = question?;
    let mut flat = fields.clone();
    for (inner, outer) in [("stem", "question"), ("choices", "choices")] {
        match question.remove(inner) {
            Some(value) => flat.insert(outer.into(), value),
            None => return Ok(None),
        };
    }
    Ok(Some(flat))
}

/// A draft whose id is yet to be read.
fn unnamed(context: String, choices: Vec<String>, gold: Answer) -> Draft {
    Draft {
        id: None,
        context,
        choices,
        gold,
    }
}

/// COPA: see [`copa_draft`].
fn copa(fields: &Fields) -> Result<Draft, String> {
    let (premise, question) = (needed(fields, "premise")?, needed(fields, "question")?);
    let choices = [needed(fields, "choice1")?, needed(fields, "choice2")?];
    let gold = index(fields, &["label"], AnswersFrom::Zero, 2)?;
    let [first, second] = &choices;
    copa_draft(("question", &question), &premise, [first, second], gold)
}

/// COPA as lm-evaluation-harness asks it (`super_glue/copa/utils.py`): the premise without its full stop, then
/// "because" or "therefore", and choices that begin with a small letter. `question` is the field's name and value.
pub(super) fn copa_draft(
    question: (&str, &str),
    premise: &str,
    choices: [&str; 2],
    gold: Answer,
) -> Result<Draft, String> {
    let connector = match question.1 {
        "cause" => "because",
        "effect" => "therefore",
        other => {
            return Err(format!(
                "`{}` is `{}`, and must be `cause` or `effect`",
                question.0,
                quoted(other)
            ));
        }
    };
    let premise = premise.trim();
    let premise = premise.strip_suffix('.').unwrap_or(premise);
    let choices = choices.map(lower_first).to_vec();
    Ok(unnamed(format!("{premise} {connector}"), choices, gold))
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// HellaSwag as the harness asks it (`hellaswag/utils.py`): activity and both parts of the context, and the marks of
/// WikiHow taken out. Without those parts, `ctx` takes their place.
fn hellaswag(fields: &Fields) -> Result<Draft, String> {
    let part = |name: &str| {
        given(fields, name)
            .map(|value| text(value, name))
            .transpose()
    };
    let context = match (part("activity_label")?, part("ctx_a")?, part("ctx_b")?) {
        (Some(activity), Some(first), second) => {
            let second = capitalized(&second.unwrap_or_default());
            format!("{activity}: {first} {second}")
        }
        _ => needed(fields, "ctx")?,
    };
    let endings = list(given(fields, "endings").unwrap_or(&Json::Null), "endings")?;
    let gold = index(fields, &["label"], AnswersFrom::Zero, endings.len())?;
    let endings = endings.iter().map(|ending| without_marks(ending)).collect();
    Ok(unnamed(without_marks(&context), endings, gold))
}

/// The first letter large and all others small, as Python's `capitalize`.
fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first
            .to_uppercase()
            .chain(chars.as_str().to_lowercase().chars())
            .collect(),
        None => String::new(),
    }
}

/// `[title]` becomes a full stop, other words in brackets nothing, two spaces one.
fn without_marks(text: &str) -> String {
    let text = text.trim().replace(" [title]", ". ");
    let mut kept = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, mark)) = rest.split_once('[') {
        kept.push_str(before);
        // As the harness' pattern, a mark does not go over a line's end; then none before it is one.
        let end = mark.find([']', '\n']).unwrap_or(mark.len());
        let (inner, after) = mark.split_at(end);
        match after.strip_prefix(']') {
            Some(after) => rest = after,
            None => {
                kept.push('[');
                kept.push_str(inner);
                rest = after;
            }
        }
    }
    kept.push_str(rest);
    kept.replace("  ", " ")
}

/// BoolQ: the passage, the question with its question mark, and the choices no and yes.
fn boolq(fields: &Fields) -> Result<Draft, String> {
    let (passage, question) = (needed(fields, "passage")?, needed(fields, "question")?);
    let question = question.trim().trim_end_matches('?');
    let gold = match given(fields, "answer") {
        Some(Json::Bool(answer)) => usize::from(*answer).into(),
        // As a table has it.
        Some(Json::Text(answer)) if answer.eq_ignore_ascii_case("true") => 1.into(),
        Some(Json::Text(answer)) if answer.eq_ignore_ascii_case("false") => 0.into(),
        _ => index(fields, &["label", "answer"], AnswersFrom::Zero, 2)?,
    };
    let choices = vec!["no".into(), "yes".into()];
    Ok(unnamed(format!("{passage}\n{question}?"), choices, gold))
}

/// WinoGrande: the sentence with its underscore is the context, the options are the choices.
fn winogrande(fields: &Fields) -> Result<Draft, String> {
    let choices = vec![needed(fields, "option1")?, needed(fields, "option2")?];
    let gold = index(fields, &["answer"], AnswersFrom::One, 2)?;
    Ok(unnamed(needed(fields, "sentence")?, choices, gold))
}

/// PIQA: a goal and two ways to it.
fn piqa(fields: &Fields) -> Result<Draft, String> {
    let choices = vec![needed(fields, "sol1")?, needed(fields, "sol2")?];
    let gold = index(fields, &["label"], AnswersFrom::Zero, 2)?;
    Ok(unnamed(needed(fields, "goal")?, choices, gold))
}

/// SciQ: the support, where there is some, and the question. The right answer stands at the sum of the question's
/// bytes modulo 4, so that its place is always the same for an item and not for a set.
fn sciq(fields: &Fields) -> Result<Draft, String> {
    let question = needed(fields, "question")?;
    let mut choices = vec![
        needed(fields, "distractor1")?,
        needed(fields, "distractor2")?,
        needed(fields, "distractor3")?,
    ];
    let gold = question.bytes().map(usize::from).sum::<usize>() % (choices.len() + 1);
    choices.insert(gold, needed(fields, "correct_answer")?);
    let support = match given(fields, "support") {
        Some(value) => text(value, "support")?,
        None => String::new(),
    };
    // The support ends as the harness leaves it; without one the template's passage is empty.
    let context = match support.trim_start() {
        "" => question,
        support => format!("{support}\n{question}"),
    };
    Ok(unnamed(context, choices, gold.into()))
}

/// The shape with `choices`: ours, and that of lm-evaluation-harness' tasks.
fn general(fields: &Fields) -> Result<Draft, String> {
    let choices = choices(fields)?;
    let gold = gold(fields, &choices)?;
    Ok(unnamed(context(fields)?, choices.texts, gold))
}

/// What is asked, after what it is asked about.
fn context(fields: &Fields) -> Result<String, String> {
    let question = ["question", "question_stem", "query"];
    let question = question.iter().find(|name| given(fields, name).is_some());
    let names = SUBJECTS.iter().chain(question);
    let given = names.filter_map(|name| Some((name, given(fields, name)?)));
    let parts: Vec<String> = given
        .map(|(name, value)| text(value, name))
        .collect::<Result<_, _>>()?;
    if parts.is_empty() {
        return Err("there is neither `context` nor `question`".into());
    }
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    Ok(parts.join("\n"))
}

fn id(fields: &Fields) -> Result<Option<String>, String> {
    match given(fields, "id") {
        None => Ok(None),
        Some(Json::Text(id)) if !id.is_empty() && id.len() <= 1000 => Ok(Some(id.clone())),
        Some(Json::Number(id)) if id.len() <= 1000 => Ok(Some((*id).to_owned())),
        Some(_) => Err("`id` must be a short text or a number".into()),
    }
}

struct Choices {
    texts: Vec<String>,
    /// Names of the choices where the file gives some: `A`, `1`, ….
    labels: Vec<String>,
}

impl Choices {
    /// The choice of that label.
    fn labelled(&self, answer: &str) -> Option<usize> {
        let exact = self.labels.iter().position(|label| label == answer);
        let number = label_number(answer);
        let is_number = |label: &String| number.is_some() && label_number(label) == number;
        exact.or_else(|| self.labels.iter().position(is_number))
    }

    /// Whether all choices are called by numbers: then a number that is none of them is no index either.
    fn are_numbered(&self) -> bool {
        !self.labels.is_empty()
            && self
                .labels
                .iter()
                .all(|label| label_number(label).is_some())
    }
}

/// The number that a label is, however it is written: `1`, `1.0`, `(1)`.
fn label_number(label: &str) -> Option<usize> {
    whole(unmarked(label))
}

/// The field that lists the choices, and its name.
fn listed_choices<'a, 'b>(fields: &'b Fields<'a>) -> Option<(&'static str, &'b Json<'a>)> {
    let mut names = ["choices", "options"].into_iter();
    names.find_map(|name| Some((name, given(fields, name)?)))
}

fn choices(fields: &Fields) -> Result<Choices, String> {
    let (name, value) = listed_choices(fields).ok_or("there is no `choices`")?;
    let (texts, labels) = match value.fields() {
        Some(object) => in_object(name, &object?)?,
        None => listed(name, value)?,
    };
    check_choices(&texts)?;
    if !labels.is_empty() && labels.len() != texts.len() {
        return Err(format!(
            "`{name}` has {} texts and {} labels",
            texts.len(),
            labels.len()
        ));
    }
    let mut seen = HashSet::new();
    if let Some(label) = labels.iter().find(|label| !seen.insert(label.as_str())) {
        let label = quoted(label);
        return Err(format!("two `{name}` have the label `{label}`"));
    }
    Ok(Choices { texts, labels })
}

/// Texts and labels of choices in an object: of a list of each, or of a text for each label.
fn in_object(name: &str, fields: &Fields) -> Result<(Vec<String>, Vec<String>), String> {
    let lists = (fields.get("text"), fields.get("label"));
    if let (Some(texts), Some(labels)) = lists {
        return Ok((list(texts, "text")?, list(labels, "label")?));
    }
    for part in ["text", "label"] {
        if let Some(Json::List(_)) = fields.get(part) {
            return Err(format!("`{name}` needs both `text` and `label`"));
        }
    }
    let given = fields
        .iter()
        .filter(|(_, value)| !matches!(value, Json::Null));
    let mut given: Vec<_> = given.collect();
    given.sort_by(|(a, _), (b, _)| (a.len(), a).cmp(&(b.len(), b)));
    let pair = |(label, value): (&String, &Json)| Ok((text_or_number(value, name)?, label.clone()));
    given.into_iter().map(pair).collect()
}

/// Texts and labels of choices in a list: of objects with both, or of texts alone.
fn listed(name: &str, value: &Json) -> Result<(Vec<String>, Vec<String>), String> {
    let values = value.values(name)?;
    let objects: Option<Vec<_>> = values.iter().map(Json::fields).collect();
    let Some(objects) = objects.filter(|objects| !objects.is_empty()) else {
        let text = |value: &Json| text_or_number(value, name);
        let texts: Result<_, String> = values.iter().map(text).collect();
        return Ok((texts?, Vec::new()));
    };
    let objects: Vec<Fields> = objects.into_iter().collect::<Result<_, _>>()?;
    let part = |name: &str| -> Result<Vec<String>, String> {
        let of = |one: &Fields| text_or_number(one.get(name).unwrap_or(&Json::Null), name);
        objects.iter().map(of).collect()
    };
    Ok((part("text")?, part("label")?))
}

/// The right choice. `gold` is this project's field, and its numbers are counted from 0; the numbers of the other fields
/// are by custom.
fn gold(fields: &Fields, choices: &Choices) -> Result<Answer, String> {
    let (name, value) = ["gold", "answer", "answerKey", "label"]
        .iter()
        .find_map(|&name| given(fields, name).map(|value| (name, value)))
        .ok_or("there is neither `gold` nor `answer`")?;
    let said = match value {
        Json::Number(number) => *number,
        Json::Text(text) => text,
        other => {
            return Err(format!(
                "`{name}` must be an index or a letter, and is {}",
                other.kind()
            ));
        }
    };
    let is_index = name == "gold" && matches!(value, Json::Number(_));
    if let Some(labelled) = choices.labelled(said).filter(|_| !is_index) {
        return Ok(labelled.into());
    }
    if matches!(value, Json::Text(_))
        && let Some(choice) = named(said, &choices.texts)
    {
        return in_range(name, choice, choices);
    }
    match whole(said) {
        Some(value) if name == "gold" => in_range(name, value, choices),
        Some(value) if choices.are_numbered() => Err(format!(
            "`{name}` is {value}, and the choices have the labels {}",
            quoted(&choices.labels.join(", "))
        )),
        Some(value) => Ok(Answer::Number(Number {
            text: choices.texts.iter().position(|choice| choice == said),
            ..number(value, name, AnswersFrom::Zero)
        })),
        None => Err(match value {
            Json::Number(_) => {
                format!("`{name}` must be an index from 0, and is {}", quoted(said))
            }
            _ => format!(
                "`{name}` is `{}`: neither a choice nor a letter nor an index",
                quoted(said)
            ),
        }),
    }
}

fn in_range(name: &str, choice: usize, choices: &Choices) -> Result<Answer, String> {
    let count = choices.texts.len();
    if choice >= count {
        return Err(format!(
            "`{name}` is {choice}, and there are {count} choices (the first is 0)"
        ));
    }
    Ok(choice.into())
}

#[cfg(test)]
mod tests {
    use crate::items::{AnswersFrom, Item, parse_items, parse_items_from};

    fn one(line: &str) -> Item {
        let parsed = parse_items(line);
        assert_eq!(parsed.errors, [], "{line}");
        parsed.items[0].clone()
    }

    fn check(line: &str, context: &str, choices: &[&str], gold: usize) {
        let item = one(line);
        assert_eq!(item.context, context);
        assert_eq!(item.choices, choices);
        assert_eq!(item.gold, gold);
    }

    #[test]
    fn the_published_form_of_arc_holds_the_choices_in_the_question() {
        let line = r#"{"id":"q","question":{"stem":"Which?","choices":[{"text":"x","label":"1"},{"text":"y","label":"2"}]},"answerKey":"2"}"#;
        check(line, "Which?", &["x", "y"], 1);
        assert_eq!(one(line).id, "q");
    }

    #[test]
    fn a_label_wins_over_an_index_whether_numbers_are_numbers_or_texts() {
        for labels in [
            "[1,2,3,4]",
            r#"["1","2","3","4"]"#,
            "[1.0,2.0,3.0,4.0]",
            r#"["(1)","(2)","(3)","(4)"]"#,
            r#"["1.","2.","3.","4."]"#,
        ] {
            for answer in ["2", r#""2""#, "2.0"] {
                for field in ["answerKey", "answer", "label"] {
                    let choices = format!(r#"{{"text":["w","x","y","z"],"label":{labels}}}"#);
                    let line =
                        format!(r#"{{"question":"q","choices":{choices},"{field}":{answer}}}"#);
                    check(&line, "q", &["w", "x", "y", "z"], 1);
                }
            }
        }
        for (label, answer, gold) in [(1, "2", 1), (0, "1", 1), (4, "4", 0), (1, "\"B\"", 1)] {
            let choice = |at: usize| format!(r#"{{"text":{at},"label":{}}}"#, label + at);
            let line = format!(
                r#"{{"question":{{"stem":"q","choices":[{},{}]}},"answerKey":{answer}}}"#,
                choice(0),
                choice(1)
            );
            check(&line, "q", &["0", "1"], gold);
        }
        // Letters leave a number what it is elsewhere.
        check(
            r#"{"question":"q","choices":{"text":["x","y"],"label":["A","B"]},"answerKey":1}"#,
            "q",
            &["x", "y"],
            1,
        );
    }

    #[test]
    fn an_index_that_cannot_be_counted_from_0_is_asked_about() {
        let line = |field: &str, answer: usize| {
            format!(r#"{{"question":"q","choices":["w","x","y","z"],"{field}":{answer}}}"#) + "\n"
        };
        let text = line("answer", 1) + &line("answer", 4);
        assert!(parse_items(&text).asks_answers_from);
        let parsed = parse_items_from(&text, Some(AnswersFrom::One));
        let golds: Vec<usize> = parsed.items.iter().map(|item| item.gold).collect();
        assert_eq!(
            (golds, parsed.answers_from),
            (vec![0, 3], Some(AnswersFrom::One))
        );
        // A 0 shows that the 4 is a mistake, and `gold` is an index from 0 whatever is said of other fields.
        let parsed = parse_items(&(line("answer", 0) + &line("answer", 4)));
        assert_eq!((parsed.items.len(), parsed.errors[0].line), (1, 2));
        let parsed = parse_items_from(&line("gold", 1), Some(AnswersFrom::One));
        assert_eq!((parsed.items[0].gold, parsed.answers_from), (1, None));
    }

    #[test]
    fn choices_may_be_called_options_and_be_an_object_of_labels() {
        check(
            r#"{"question":"q","options":["(A)x","(B)y"],"answer":"B","answer_index":1}"#,
            "q",
            &["(A)x", "(B)y"],
            1,
        );
        check(
            r#"{"passage":"p","question":"q","options":{"B":"y","A":"x"},"answer":"y","answer_idx":"B"}"#,
            "p\nq",
            &["x", "y"],
            1,
        );
        check(
            r#"{"article":"a","question":"q","options":["x","y"],"answer":"B","example_id":"1"}"#,
            "a\nq",
            &["x", "y"],
            1,
        );
        check(
            r#"{"question":"q","options":{"1":"x","2":"y","10":"z"},"answer":2}"#,
            "q",
            &["x", "y", "z"],
            1,
        );
    }

    /// The values are those of the text, which no number of 64 bits would give back.
    #[test]
    fn numbers_as_choices_stay_as_they_are_written() {
        check(
            r#"{"context":"1/2 is","choices":[0.50,1.0,1e3,100000000000000000000,-0.0],"gold":0}"#,
            "1/2 is",
            &["0.50", "1.0", "1e3", "100000000000000000000", "-0.0"],
            0,
        );
        check(
            r#"{"context":"pi is","choices":{"text":[3.14159265358979323846, 3 , 3.10],"label":["A","B","C"]},"answer":"A"}"#,
            "pi is",
            &["3.14159265358979323846", "3", "3.10"],
            0,
        );
        assert_eq!(
            one(r#"{"id":1E2,"context":"","choices":["a","b"],"gold":0}"#).id,
            "1E2"
        );
    }

    #[test]
    fn an_answer_may_be_a_choice_that_is_a_number_where_it_can_be_no_index() {
        let line = |choices: &str, answer: &str| {
            format!(r#"{{"question":"q","choices":[{choices}],"answer":{answer}}}"#) + "\n"
        };
        let golds = |text: &str| -> Vec<usize> {
            let parsed = parse_items(text);
            assert_eq!(parsed.errors, [], "{text}");
            parsed.items.iter().map(|item| item.gold).collect()
        };
        let text = line("5,7,9,11", "7") + &line("3,1,2,8", "2");
        assert_eq!(golds(&text), [1, 2]);
        // Indices stay indices, whatever the choices are.
        assert_eq!(golds(&line("1,2,3", "2")), [2]);
        assert_eq!(
            golds(&(line("0,1,3", "0") + &line("\"a\",\"b\"", "1"))),
            [0, 1]
        );
        let parsed = parse_items(&(line("5,7,9,11", "7") + &line("\"a\",\"b\"", "1")));
        assert_eq!((parsed.items.len(), parsed.errors.len()), (1, 1));
    }

    #[test]
    fn a_letter_may_have_marks_around_it() {
        for answer in ["(B)", "B.", " b) ", "[B]", "B:"] {
            let line = format!(r#"{{"question":"q","choices":["x","y"],"answer":"{answer}"}}"#);
            check(&line, "q", &["x", "y"], 1);
        }
    }

    /// The first item of SuperGLUE's COPA, and one made up.
    #[test]
    fn copa_is_asked_as_the_harness_asks_it() {
        check(
            r#"{"premise":"My body cast a shadow over the grass.","choice1":"The sun was rising.","choice2":"The grass was cut.","question":"cause","label":0,"idx":0}"#,
            "My body cast a shadow over the grass because",
            &["the sun was rising.", "the grass was cut."],
            0,
        );
        check(
            r#"{"premise":"It rained ","choice1":"É","choice2":"b","question":"effect","label":"1"}"#,
            "It rained therefore",
            &["é", "b"],
            1,
        );
    }

    #[test]
    fn each_shape_is_told_by_its_fields() {
        check(
            r#"{"ind":1,"ctx":"A man","endings":["sits.","flies.","is."],"label":"2"}"#,
            "A man",
            &["sits.", "flies.", "is."],
            2,
        );
        for question in ["is it", "is it?"] {
            let line = format!(r#"{{"passage":"P.","question":"{question}","answer":true}}"#);
            check(&line, "P.\nis it?", &["no", "yes"], 1);
        }
        check(
            r#"{"sentence":"The _ fell.","option1":"cup","option2":"sky","answer":"1"}"#,
            "The _ fell.",
            &["cup", "sky"],
            0,
        );
        check(
            r#"{"goal":"To cut","sol1":"use a knife","sol2":"use a spoon","label":0}"#,
            "To cut",
            &["use a knife", "use a spoon"],
            0,
        );
    }

    /// Tables write True for true, and 1.0 for 1 where the column has gaps.
    #[test]
    fn what_tables_make_of_values_is_read() {
        check(
            r#"{"passage":"p","question":"is it","answer":"True"}"#,
            "p\nis it?",
            &["no", "yes"],
            1,
        );
        check(
            r#"{"query":"one and one","choices":[1, 2.5, "2"],"gold":2.0}"#,
            "one and one",
            &["1", "2.5", "2"],
            2,
        );
        check(
            r#"{"goal":"g","sol1":"s","sol2":"t","label":1.0}"#,
            "g",
            &["s", "t"],
            1,
        );
    }

    #[test]
    fn sciq_has_its_right_answer_where_the_bytes_of_the_question_say() {
        // "a" is 97, 1 modulo 4; "b" 2; "c" 3; "d" 0.
        for (question, gold) in [("a", 1), ("b", 2), ("c", 3), ("d", 0)] {
            let item = one(&format!(
                r#"{{"question":"{question}","distractor1":"x","distractor2":"y","distractor3":"z","correct_answer":"right","support":"S."}}"#
            ));
            assert_eq!(item.context, format!("S.\n{question}"));
            assert_eq!((item.gold, item.choices[gold].as_str()), (gold, "right"));
        }
    }

    #[test]
    fn a_wrong_field_of_a_shape_is_named() {
        for (line, named) in [
            (
                r#"{"premise":"p","choice1":"a","choice2":"b","question":"why","label":0}"#,
                "`cause` or `effect`",
            ),
            (
                r#"{"premise":"p","choice1":"a","question":"cause","label":0}"#,
                "no `choice2`",
            ),
            (
                r#"{"question":"q","choices":{"text":["a","b"],"label":["A","A"]},"answer":"A"}"#,
                "the label `A`",
            ),
            (r#"{"ctx":"c","endings":["a","b"],"label":""}"#, "`label`"),
            (
                r#"{"sentence":"s","option1":"a","option2":"b","answer":"0"}"#,
                "counts from 1",
            ),
            (
                r#"{"sentence":"s","option1":"a","option2":"b","answer":"x"}"#,
                "from 1 to 2",
            ),
            (
                r#"{"question":"q","choices":{"text":["a","b"],"label":[1,2]},"answer":0}"#,
                "the labels 1, 2",
            ),
            (
                r#"{"question":"q","choices":{"text":["a","b"],"label":[1,2]},"answer":"3"}"#,
                "the labels 1, 2",
            ),
            (
                r#"{"goal":"g","sol1":"a","sol2":"b","label":-1}"#,
                "from 0 to 1",
            ),
        ] {
            let message = &parse_items(line).errors[0].message;
            assert!(message.contains(named), "{line}: {message}");
        }
    }
}
