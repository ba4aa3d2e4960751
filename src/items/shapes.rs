//! The shapes of a JSON object that is an item; each is told by its fields.
//!
//! | shape | fields | source |
//! |---|---|---|
//! | ours, lm-evaluation-harness, MMLU, ARC, CommonsenseQA, OpenBookQA | `context` or `question`, `choices`, `gold` or `answer` or `answerKey` or `label`, or what [`super::names`] has for them | [lm-evaluation-harness](https://github.com/EleutherAI/lm-evaluation-harness), [ARC](https://huggingface.co/datasets/allenai/ai2_arc) |
//! | MMLU-Pro, MedQA, RACE | the same with `options`, a list or an object of labels, for `choices`; an `article` before the question | [MMLU-Pro](https://huggingface.co/datasets/TIGER-Lab/MMLU-Pro), [MedQA](https://github.com/jind11/MedQA), [RACE](https://huggingface.co/datasets/ehovy/race) |
//! | KMMLU, and tables as JSON | `question`, `A`, `B`, …, `answer`: see [`super::columns`] | [KMMLU](https://huggingface.co/datasets/HAERAE-HUB/KMMLU) |
//! | ARC and CommonsenseQA as published | `question` of `stem` and `choices`, `answerKey` | [ARC](https://allenai.org/data/arc), [CommonsenseQA](https://www.tau-nlp.sites.tau.ac.il/commonsenseqa) |
//! | COPA | `premise`, `choice1`, `choice2`, `question`, `label` | [SuperGLUE](https://huggingface.co/datasets/aps/super_glue) |
//! | HellaSwag | `activity_label`, `ctx_a`, `ctx_b` or `ctx`; `endings`, `label` | [HellaSwag](https://huggingface.co/datasets/Rowan/hellaswag) |
//! | SWAG | `startphrase`, `ending0` to `ending3`, `label` | [SWAG](https://huggingface.co/datasets/allenai/swag) |
//! | BoolQ | `passage`, `question`, `answer` or `label` | [BoolQ](https://huggingface.co/datasets/google/boolq) |
//! | WinoGrande | `sentence`, `option1`, `option2`, `answer` | [WinoGrande](https://huggingface.co/datasets/allenai/winogrande) |
//! | PIQA | `goal`, `sol1`, `sol2`, `label` | [PIQA](https://huggingface.co/datasets/ybisk/piqa) |
//! | SciQ | `question`, `distractor1` to `3`, `correct_answer`, `support` | [SciQ](https://huggingface.co/datasets/allenai/sciq) |

use super::answers::{Answer, AnswersFrom, whole};
use super::choices::{listed_choices, other_list};
use super::columns;
use super::draft::{Draft, Fault};
use super::fields::{Field, Fields, Json, by_squeezed_name, given, index, needed};
use super::listed::general;
use super::names::is_same;
use super::text::quoted;

type Shape = fn(&Fields) -> Result<Draft, Fault>;

/// The shapes without `choices` and the fields that tell them.
const SHAPES: [(&[&str], Shape); 7] = [
    (&["premise", "choice1"], copa),
    (&["endings"], hellaswag),
    (&["startphrase", "ending0"], swag),
    (&["passage", "question"], boolq),
    (&["sentence", "option1"], winogrande),
    (&["goal", "sol1"], piqa),
    (&["question", "correct_answer", "distractor1"], sciq),
];

/// The item that a JSON object is.
pub(super) fn draft(fields: Fields) -> Result<Draft, Fault> {
    let fields = by_squeezed_name(flattened(fields)?)?;
    let has = |name: &&str| given(&fields, name).is_some();
    let mut shape = general as Shape;
    if listed_choices(&fields).is_none() {
        if let Some(draft) = columns::of_object(&fields) {
            return draft;
        }
        let mut shapes = SHAPES.iter().filter(|_| other_list(&fields).is_none());
        let found = shapes.find(|(names, _)| names.iter().all(has));
        shape = found.map_or(shape, |(_, shape)| *shape);
    }
    let draft = shape(&fields)?;
    Ok(Draft {
        id: id(&fields)?,
        ..draft
    })
}

/// Whether columns or fields of these names, as they are compared, are those of a data set without `choices`.
pub(super) fn is_data_set(names: &[String]) -> bool {
    let has = |wanted: &&str| names.iter().any(|name| is_same(wanted, name));
    SHAPES.iter().any(|(fields, _)| fields.iter().all(has))
}

fn id(fields: &Fields) -> Result<Option<String>, Fault> {
    let Some(field) = given(fields, "id") else {
        return Ok(None);
    };
    match &field.value {
        Json::Text(id) if !id.is_empty() && id.len() <= 1000 => Ok(Some(id.clone())),
        Json::Number(id) if id.len() <= 1000 => Ok(Some((*id).to_owned())),
        _ => Err(field.fault("`id` must be a short text or a number".into())),
    }
}

/// The files of ARC and CommonsenseQA as their authors publish them hold stem and choices within the question.
fn flattened(mut fields: Fields) -> Result<Fields, Fault> {
    let question = fields.get("question");
    let Some(question) = question.and_then(|field| field.value.fields()) else {
        return Ok(fields);
    };
    let mut question = question?;
    if let (Some(stem), Some(choices)) = (question.remove("stem"), question.remove("choices")) {
        let name = "question".to_owned();
        fields.insert(name.clone(), Field { name, ..stem });
        fields.insert("choices".into(), choices);
    }
    Ok(fields)
}

/// The texts `sol1` to `sol2` of a data set whose choices are so many: one more is none of that data set.
fn numbered(fields: &Fields, name: &str, numbers: [usize; 2]) -> Result<Vec<String>, Fault> {
    let [first, last] = numbers;
    let one_more = format!("{name}{}", last + 1);
    if let Some(field) = given(fields, &one_more).filter(|field| !field.is_blank()) {
        return Err(field.fault(format!(
            "{} is a choice more than this data set has: give `question` and a list of `choices`",
            field.called()
        )));
    }
    let texts = (first..=last).map(|number| needed(fields, &format!("{name}{number}")));
    texts.collect()
}

/// COPA: see [`copa_draft`].
fn copa(fields: &Fields) -> Result<Draft, Fault> {
    let (premise, question) = (needed(fields, "premise")?, needed(fields, "question")?);
    let choices = numbered(fields, "choice", [1, 2])?;
    let gold = index(fields, &["label"], AnswersFrom::Zero, 2)?;
    let choices = [0, 1].map(|index| choices.get(index).map_or("", String::as_str));
    let at = |name: &str| given(fields, name).map(|field| field.place);
    let draft = copa_draft(("question", &question), &premise, choices, gold);
    let draft = draft.map_err(|message| Fault {
        message,
        offset: at("question"),
    })?;
    // XCOPA, and other translations: only they say whether a text was changed.
    let is_other = !premise.contains(|char: char| char.is_ascii_alphabetic())
        || premise.trim_end().ends_with(['。', '।', '؟', '۔']);
    if at("changed").is_some() || is_other {
        let message = "COPA's premises go on with the English `because` or `therefore`, and this one may be of another language: \
            give `context` and `choices`";
        return Err(Fault {
            message: message.to_owned(),
            offset: at("premise"),
        });
    }
    Ok(draft)
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
    Ok(Draft::unnamed(
        format!("{premise} {connector}"),
        choices,
        gold,
    ))
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
fn hellaswag(fields: &Fields) -> Result<Draft, Fault> {
    let part = |name: &str| given(fields, name).map(Field::text).transpose();
    let context = match (part("activity_label")?, part("ctx_a")?, part("ctx_b")?) {
        (Some(activity), Some(first), second) => {
            let second = capitalized(&second.unwrap_or_default());
            format!("{activity}: {first} {second}")
        }
        _ => needed(fields, "ctx")?,
    };
    let endings = given(fields, "endings").ok_or("there is no `endings`")?;
    let endings = endings.list()?;
    let gold = index(fields, &["label"], AnswersFrom::Zero, endings.len())?;
    let endings = endings.iter().map(|ending| without_marks(ending)).collect();
    Ok(Draft::unnamed(without_marks(&context), endings, gold))
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

/// SWAG as the harness asks it: the beginning and its endings.
fn swag(fields: &Fields) -> Result<Draft, Fault> {
    let choices = numbered(fields, "ending", [0, 3])?;
    let gold = index(fields, &["label"], AnswersFrom::Zero, choices.len())?;
    Ok(Draft::unnamed(
        needed(fields, "startphrase")?,
        choices,
        gold,
    ))
}

/// BoolQ: the passage, the question with its question mark, and the choices no and yes.
fn boolq(fields: &Fields) -> Result<Draft, Fault> {
    let (passage, question) = (needed(fields, "passage")?, needed(fields, "question")?);
    let question = question.trim().trim_end_matches('?');
    let names = ["answer", "label"];
    let answer = names.iter().find_map(|name| given(fields, name));
    let answer = answer.ok_or("there is no `choices`, and no `answer` or `label` as BoolQ has")?;
    let said = match &answer.value {
        Json::Bool(answer) => answer.to_string(),
        Json::Number(answer) => (*answer).to_owned(),
        Json::Text(answer) => answer.clone(),
        other => other.kind().to_owned(),
    };
    let gold = match said.trim().to_lowercase().as_str() {
        "true" | "yes" => 1.into(),
        "false" | "no" => 0.into(),
        said if whole(said).is_some() => index(fields, &names, AnswersFrom::Zero, 2)?,
        _ => {
            return Err(answer.fault(format!(
                "{} is `{}`, and without `choices` a `passage` and a `question` are BoolQ's, whose answers are true or false",
                answer.called(),
                quoted(&said)
            )));
        }
    };
    let is_list = |field: &&Field| matches!(field.value, Json::List(_));
    if let Some(list) = fields
        .values()
        .filter(is_list)
        .min_by_key(|field| field.place)
    {
        let message =
            "is a list, which BoolQ has none of: if it holds the choices, call it `choices`";
        return Err(list.fault(format!("{} {message}", list.called())));
    }
    let choices = vec!["no".into(), "yes".into()];
    Ok(Draft::unnamed(
        format!("{passage}\n{question}?"),
        choices,
        gold,
    ))
}

/// WinoGrande: the sentence with its underscore is the context, the options are the choices.
fn winogrande(fields: &Fields) -> Result<Draft, Fault> {
    let choices = numbered(fields, "option", [1, 2])?;
    let gold = index(fields, &["answer"], AnswersFrom::One, 2)?;
    Ok(Draft::unnamed(needed(fields, "sentence")?, choices, gold))
}

/// PIQA: a goal and two ways to it.
fn piqa(fields: &Fields) -> Result<Draft, Fault> {
    let choices = numbered(fields, "sol", [1, 2])?;
    let gold = index(fields, &["label"], AnswersFrom::Zero, 2)?;
    Ok(Draft::unnamed(needed(fields, "goal")?, choices, gold))
}

/// SciQ: the support, where there is some, and the question. The right answer stands at the sum of the question's
/// bytes modulo 4, so that its place is always the same for an item and not for a set.
fn sciq(fields: &Fields) -> Result<Draft, Fault> {
    let question = needed(fields, "question")?;
    let mut choices = numbered(fields, "distractor", [1, 3])?;
    let gold = question.bytes().map(usize::from).sum::<usize>() % (choices.len() + 1);
    choices.insert(gold, needed(fields, "correct_answer")?);
    let support = match given(fields, "support") {
        Some(field) => field.text()?,
        None => String::new(),
    };
    // The support ends as the harness leaves it; without one the template's passage is empty.
    let context = match support.trim_start() {
        "" => question,
        support => format!("{support}\n{question}"),
    };
    Ok(Draft::unnamed(context, choices, gold.into()))
}

#[cfg(test)]
pub(super) mod tests {
    use crate::items::{Item, parse_items};

    pub(in crate::items) fn one(line: &str) -> Item {
        let parsed = parse_items(line);
        assert_eq!(parsed.errors, [], "{line}");
        parsed.items[0].clone()
    }

    pub(in crate::items) fn check(line: &str, context: &str, choices: &[&str], gold: usize) {
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

    #[test]
    fn what_is_more_or_other_than_a_data_set_has_is_refused() {
        for (line, named) in [
            (
                r#"{"sentence":"_","option1":"a","option2":"b","option3":"c","answer":"2"}"#,
                "`option3`",
            ),
            (
                r#"{"goal":"g","sol1":"a","sol2":"b","sol3":"c","label":1}"#,
                "`sol3`",
            ),
            (
                r#"{"premise":"p","choice1":"a","choice2":"b","choice3":"c","question":"cause","label":0}"#,
                "`choice3`",
            ),
            (
                r#"{"question":"q","distractor1":"a","distractor2":"b","distractor3":"c","distractor4":"d","correct_answer":"e"}"#,
                "`distractor4`",
            ),
            (
                r#"{"premise":"Era in casa.","choice1":"a","choice2":"b","question":"cause","label":0,"changed":false}"#,
                "English",
            ),
            (
                r#"{"premise":"他在家。","choice1":"a","choice2":"b","question":"cause","label":0}"#,
                "English",
            ),
            (
                r#"{"passage":"p","question":"Who?","answer":"Bob","label":1}"#,
                "`answer` is `Bob`",
            ),
            (
                r#"{"passage":"p","question":"Who?","names":["Bob","Ann"],"label":1}"#,
                "`names` is a list",
            ),
            (
                r#"{"question":"q","correct_answer":"a","incorrect_answers":["b"]}"#,
                "no `choices`",
            ),
        ] {
            let parsed = parse_items(line);
            assert_eq!(parsed.items, [], "{line}");
            let message = &parsed.errors[0].message;
            assert!(message.contains(named), "{line}: {message}");
        }
    }

    #[test]
    fn superglues_boolq_and_swag_are_read() {
        for answer in [r#""label":true"#, r#""answer":"yes""#, r#""label":"1""#] {
            let line = format!(r#"{{"passage":"p","question":"is it",{answer}}}"#);
            check(&line, "p\nis it?", &["no", "yes"], 1);
        }
        check(
            r#"{"startphrase":"A man","ending0":"a","ending1":"b","ending2":"c","ending3":"d","label":2}"#,
            "A man",
            &["a", "b", "c", "d"],
            2,
        );
        check(
            r#"{"context":"c","question":"q","ans0":"x","ans1":"y","ans2":"z","label":0}"#,
            "c\nq",
            &["x", "y", "z"],
            0,
        );
    }
}
