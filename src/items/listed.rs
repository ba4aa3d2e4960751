//! The shape of an item with a list of choices: ours, and that of lm-evaluation-harness' tasks. [`super::shapes`] has its sources.

use std::collections::HashSet;

use super::answers::{Answer, AnswersFrom, Habit, Name, Number, lettered, unmarked, whole};
use super::check::check_choices;
use super::columns::SUBJECTS;
use super::draft::{Draft, Fault};
use super::fields::{Field, Fields, Json, given, number, text_or_number};
use super::text::quoted;

/// The shape with `choices`: ours, and that of lm-evaluation-harness' tasks.
pub(super) fn general(fields: &Fields) -> Result<Draft, Fault> {
    let choices = choices(fields)?;
    let gold = gold(fields, &choices)?;
    Ok(Draft::unnamed(context(fields)?, choices.texts, gold))
}

/// What is asked, after what it is asked about.
fn context(fields: &Fields) -> Result<String, Fault> {
    let question = ["question", "question_stem", "query"];
    let question = question.iter().find(|name| given(fields, name).is_some());
    let names = SUBJECTS.iter().chain(question);
    let given = names.filter_map(|name| Some((name, given(fields, name)?)));
    let parts: Vec<String> = given
        .map(|(name, field)| field.text(name))
        .collect::<Result<_, _>>()?;
    if parts.is_empty() {
        return Err("there is neither `context` nor `question`".into());
    }
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    Ok(parts.join("\n"))
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
pub(super) fn listed_choices<'a, 'b>(
    fields: &'b Fields<'a>,
) -> Option<(&'static str, &'b Field<'a>)> {
    let mut names = ["choices", "options"].into_iter();
    names.find_map(|name| Some((name, given(fields, name)?)))
}

fn choices(fields: &Fields) -> Result<Choices, Fault> {
    let (name, field) = listed_choices(fields).ok_or("there is no `choices`")?;
    let (texts, labels) = match field.value.fields() {
        Some(object) => in_object(name, field, &object?)?,
        None => in_list(name, field)?,
    };
    check_choices(&texts)?;
    if !labels.is_empty() && labels.len() != texts.len() {
        return Err(field.fault(format!(
            "`{name}` has {} texts and {} labels",
            texts.len(),
            labels.len()
        )));
    }
    let mut seen = HashSet::new();
    if let Some(label) = labels.iter().find(|label| !seen.insert(label.as_str())) {
        let label = quoted(label);
        return Err(field.fault(format!("two `{name}` have the label `{label}`")));
    }
    Ok(Choices { texts, labels })
}

/// Texts and labels of choices in an object, the value of `field`: of a list of each, or of a text for each label.
fn in_object(
    name: &str,
    field: &Field,
    fields: &Fields,
) -> Result<(Vec<String>, Vec<String>), Fault> {
    let lists = (fields.get("text"), fields.get("label"));
    if let (Some(texts), Some(labels)) = lists {
        return Ok((texts.list("text")?, labels.list("label")?));
    }
    for part in ["text", "label"] {
        if fields
            .get(part)
            .is_some_and(|part| matches!(part.value, Json::List(_)))
        {
            return Err(field.fault(format!("`{name}` needs both `text` and `label`")));
        }
    }
    let given = fields
        .iter()
        .filter(|(_, field)| !matches!(field.value, Json::Null));
    let mut given: Vec<_> = given.collect();
    given.sort_by(|(a, _), (b, _)| (a.len(), a).cmp(&(b.len(), b)));
    let pair = |(label, field): (&String, &Field)| {
        let text = field.at(text_or_number(&field.value, name))?;
        Ok((text, label.clone()))
    };
    given.into_iter().map(pair).collect()
}

/// Texts and labels of choices in a list, the value of `field`: of objects with both, or of texts alone.
fn in_list(name: &str, field: &Field) -> Result<(Vec<String>, Vec<String>), Fault> {
    let values = field.at(field.value.values(name))?;
    let objects: Option<Vec<_>> = values.iter().map(Json::fields).collect();
    let Some(objects) = objects.filter(|objects| !objects.is_empty()) else {
        let texts = values.iter().map(|value| text_or_number(value, name));
        return Ok((field.at(texts.collect())?, Vec::new()));
    };
    let objects: Vec<Fields> = objects.into_iter().collect::<Result<_, _>>()?;
    let part = |name: &str| -> Result<Vec<String>, Fault> {
        let of = |one: &Fields| match one.get(name) {
            Some(part) => part.at(text_or_number(&part.value, name)),
            None => field.at(text_or_number(&Json::Null, name)),
        };
        objects.iter().map(of).collect()
    };
    Ok((part("text")?, part("label")?))
}

/// The right choice. `gold` is this project's field, and its numbers are counted from 0; the numbers of the other fields
/// are by custom.
fn gold(fields: &Fields, choices: &Choices) -> Result<Answer, Fault> {
    let (name, field) = ["gold", "answer", "answerKey", "label"]
        .iter()
        .find_map(|&name| given(fields, name).map(|field| (name, field)))
        .ok_or("there is neither `gold` nor `answer`")?;
    field.at(right(name, field, choices))
}

fn right(name: &str, field: &Field, choices: &Choices) -> Result<Answer, String> {
    let value = &field.value;
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
    let is_text = matches!(value, Json::Text(_));
    let is_index = name == "gold" && !is_text;
    if let Some(labelled) = choices.labelled(said).filter(|_| !is_index) {
        return Ok(labelled.into());
    }
    let count = choices.texts.len();
    let reads = choices.texts.iter().position(|choice| choice == said);
    let name_of = match (lettered(said), whole(said)) {
        (Some(letter), _) => in_range(name, letter, count).map(|choice| Some(Name::Letter(choice))),
        (None, Some(value)) if is_index => return Ok(in_range(name, value, count)?.into()),
        (None, Some(value)) if name == "gold" => {
            in_range(name, value, count).map(|choice| Some(Name::Index(choice)))
        }
        (None, Some(value)) if choices.are_numbered() => Err(format!(
            "`{name}` is {value}, and the choices have the labels {}",
            quoted(&choices.labels.join(", "))
        )),
        (None, Some(value)) if !is_text => {
            return Ok(Answer::Number(Number {
                text: reads,
                ..number(value, (name, field), AnswersFrom::Zero)
            }));
        }
        // Too high to be a number of a choice.
        (None, Some(value)) if value > count && reads.is_some() => Ok(None),
        (None, Some(value)) => Ok(Some(Name::Number(value, Habit::Defined(AnswersFrom::Zero)))),
        (None, None) if is_text => Ok(None),
        (None, None) => Err(format!(
            "`{name}` must be an index from 0, and is {}",
            quoted(said)
        )),
    };
    let text = reads.filter(|_| is_text);
    let named = match (name_of, text) {
        (Ok(named), _) => named,
        (Err(message), None) => return Err(message),
        // What names no choice may be the text of one.
        (Err(_), Some(_)) => None,
    };
    let answer = Answer::said(said, format!("`{name}`"), named, text);
    let answer = answer.map(|answer| answer.at(|| field.place));
    answer.ok_or_else(|| {
        format!(
            "`{name}` is `{}`: neither a choice nor a letter nor an index",
            quoted(said)
        )
    })
}

fn in_range(name: &str, choice: usize, count: usize) -> Result<usize, String> {
    if choice >= count {
        return Err(format!(
            "`{name}` is {choice}, and there are {count} choices (the first is 0)"
        ));
    }
    Ok(choice)
}

#[cfg(test)]
mod tests {
    use crate::items::shapes::tests::{check, one};
    use crate::items::{AnswersFrom, parse_items, parse_items_from};

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
    fn an_answer_that_is_a_text_and_a_letter_or_an_index_is_what_the_others_are() {
        let line = |choices: &str, answer: &str| {
            format!(r#"{{"question":"q","choices":[{choices}],"answer":"{answer}"}}"#) + "\n"
        };
        let golds = |lines: &[&String]| -> Vec<usize> {
            let text: String = lines.iter().map(|line| line.as_str()).collect();
            let parsed = parse_items(&text);
            assert_eq!(parsed.errors, [], "{text}");
            parsed.items.iter().map(|item| item.gold).collect()
        };
        let either = line(r#""O","A","B","AB""#, "A");
        let (text, letter) = (line(r#""a","tin""#, "tin"), line(r#""oak","tin""#, "B"));
        assert_eq!(golds(&[&either, &text]), [1, 1]);
        assert_eq!(golds(&[&letter, &either]), [1, 0]);
        for others in [String::new(), format!("{text}{letter}")] {
            let parsed = parse_items(&format!("{either}{others}"));
            let error = &parsed.errors[0];
            assert_eq!((parsed.errors.len(), error.line, error.column), (1, 1, 46));
            assert!(error.message.contains("in brackets"), "{}", error.message);
        }
        assert_eq!(golds(&[&line(r#""O","A","B","AB""#, "(B)")]), [1]);
        // Digits are texts where all of them read so.
        let either = line(r#""1","2","3""#, "2");
        let (text, index) = (line("5,7,9", "7"), line(r#""x","y","z""#, "0"));
        assert_eq!(golds(&[&either]), [1]);
        assert_eq!(golds(&[&either, &text]), [1, 1]);
        assert_eq!(golds(&[&either, &index]), [2, 0]);
        let parsed = parse_items(&format!("{text}{either}{index}"));
        let errors: Vec<usize> = parsed.errors.iter().map(|error| error.line).collect();
        assert_eq!((parsed.items.len(), errors), (2, vec![2]));
        assert!(parsed.errors[0].message.contains("the number of a choice"));
    }

    #[test]
    fn a_letter_may_have_marks_around_it() {
        for answer in ["(B)", "B.", " b) ", "[B]", "B:"] {
            let line = format!(r#"{{"question":"q","choices":["x","y"],"answer":"{answer}"}}"#);
            check(&line, "q", &["x", "y"], 1);
        }
    }
}
