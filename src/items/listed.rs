//! The shape of an item with a list of choices: ours, and that of lm-evaluation-harness' tasks. [`super::shapes`] has its sources.

use super::agree::{Said, agreed};
use super::answers::{
    Answer, AnswersFrom, Habit, Name, Number, lettered, name_and_text, reading, whole,
};
use super::choices::{Choices, choices, label_number, listed_choices, other_list};
use super::draft::{Draft, Fault};
use super::fields::{Field, Fields, Json, given, number, single};
use super::names::{ANSWERS, AnswerName, SUBJECTS, Says, question};
use super::text::quoted;

/// The shape with `choices`: ours, and that of lm-evaluation-harness' tasks.
pub(super) fn general(fields: &Fields) -> Result<Draft, Fault> {
    let list = listed_choices(fields).or_else(|| other_list(fields));
    let list = list.ok_or("there is no `choices`")?;
    let choices = choices(list)?;
    let gold = gold(fields, list, &choices)?;
    Ok(Draft::unnamed(context(fields)?, choices.texts, gold))
}

/// What is asked, after what it is asked about.
fn context(fields: &Fields) -> Result<String, Fault> {
    let question = question(|name| given(fields, name).is_some());
    let question = question.map_err(|fault| format!("the item {fault}"))?;
    let names = SUBJECTS.into_iter().chain(question);
    let given: Vec<&Field> = names.filter_map(|name| given(fields, name)).collect();
    if given.is_empty() {
        return Err("there is neither `context` nor `question`".into());
    }
    let mut parts = Vec::new();
    for field in given {
        let part = field.text()?;
        if !part.is_empty() && !parts.contains(&part) {
            parts.push(part);
        }
    }
    Ok(parts.join("\n"))
}

/// The right choice. `gold` is this project's field, and its numbers are counted from 0; the numbers of the other fields
/// are by custom.
fn gold(fields: &Fields, list: &Field, choices: &Choices) -> Result<Answer, Fault> {
    let said = ANSWERS.iter().filter_map(|name| {
        let field = given(fields, name.name).filter(|field| field.place != list.place)?;
        Some(Said {
            place: field,
            name,
            field: field.called(),
            value: match single(&field.value) {
                Json::Number(number) => quoted(number),
                Json::Text(text) => quoted(&text),
                Json::Bool(truth) => truth.to_string(),
                other => other.kind().to_owned(),
            },
            answer: right(name, field, choices),
        })
    });
    let agreed = agreed(said.collect(), choices.texts.len());
    let agreed = agreed.ok_or("there is neither `gold` nor `answer`")?;
    let (field, answer) = agreed.map_err(|(field, message)| field.fault(message))?;
    if matches!(answer, Answer::Text(_)) && list.name == "answers" {
        // Those may be spellings of one right answer.
        return Err(list
            .fault("`answers` may be all right ones, or choices: call choices `choices`".into()));
    }
    Ok(answer.at(|| field.place))
}

fn right(name: &AnswerName, field: &Field, choices: &Choices) -> Result<Answer, String> {
    let (called, value) = (field.called(), single(&field.value));
    let said = match &value {
        Json::Number(number) => *number,
        Json::Text(text) => text,
        Json::Bool(truth) => return true_or_false(*truth, &called, &choices.texts),
        other => {
            let kind = other.kind();
            return Err(format!(
                "{called} must be an index or a letter, and is {kind}"
            ));
        }
    };
    let is_text = matches!(value, Json::Text(_));
    let is_gold = name.name == "gold";
    let count = choices.texts.len();
    let reads = reading(&choices.texts, said);
    let labelled = choices.labelled(said).filter(|_| is_text || !is_gold);
    let none_of_labels = || {
        let labels = quoted(&choices.labels.join(", "));
        format!(
            "{called} is `{}`, and the choices have the labels {labels}",
            quoted(said)
        )
    };
    let named = match (labelled, lettered(said), whole(said)) {
        (Some(labelled), ..) => Ok(Some(Name::Letter(labelled))),
        (None, Some(_), _) if choices.are_called(|label| lettered(label).is_some()) => {
            Err(none_of_labels())
        }
        (None, Some(letter), _) => in_range(field, said, letter, count)
            .map(Name::Letter)
            .map(Some),
        (None, None, Some(value)) if is_gold && !is_text => {
            return Ok(in_range(field, said, value, count)?.into());
        }
        (None, None, Some(value)) if is_gold => in_range(field, said, value, count)
            .map(Name::Index)
            .map(Some),
        (None, None, Some(_)) if choices.are_called(|label| label_number(label).is_some()) => {
            Err(none_of_labels())
        }
        (None, None, Some(value)) if !is_text => {
            return Ok(Answer::Number(Number {
                text: reads.filter(|_| name.says != Says::Number),
                ..number(value, field, habit(name))
            }));
        }
        // Too high to be a number of a choice.
        (None, None, Some(value)) if value > count && reads.is_some() => Ok(None),
        (None, None, Some(value)) => Ok(Some(Name::Number(value, habit(name)))),
        (None, None, None) if is_text => Ok(before_its_text(said, choices).map(Name::Letter)),
        (None, None, None) => Err(format!(
            "{called} must be an index from 0, and is {}",
            quoted(said)
        )),
    };
    let says_text = match name.says {
        Says::Any => true,
        Says::Letter => !matches!(named, Ok(Some(Name::Letter(_)))),
        Says::Number => !matches!(named, Ok(Some(_))),
    };
    let text = reads.filter(|_| is_text && says_text);
    let named = match (named, text) {
        (Ok(named), _) => named,
        (Err(message), None) => return Err(message),
        // What names no choice may be the text of one.
        (Err(_), Some(_)) => None,
    };
    Answer::said(said, called.clone(), named, text).ok_or_else(|| {
        format!(
            "{called} is `{}`: neither a choice nor a letter nor an index",
            quoted(said)
        )
    })
}

/// How such a field counts: that of lm-evaluation-harness, and an index, from 0.
fn habit(name: &AnswerName) -> Habit {
    match name.name {
        "answer" | "answer_key" | "label" => Habit::Defined(AnswersFrom::Zero),
        "answer_index" | "answer_idx" | "correct_index" => Habit::Defined(AnswersFrom::Zero),
        _ => Habit::Any,
    }
}

/// The choice that says so, in one word or another.
fn true_or_false(truth: bool, called: &str, choices: &[String]) -> Result<Answer, String> {
    let words = if truth {
        ["true", "yes"]
    } else {
        ["false", "no"]
    };
    let says = |choice: &String| words.contains(&choice.trim().to_lowercase().as_str());
    let choice = choices.iter().position(says).map(Answer::Text);
    choice.ok_or_else(|| format!("{called} is {truth}, and no choice says so"))
}

/// The choice whose letter or label stands before its text, as in `B. tin`.
fn before_its_text(said: &str, choices: &Choices) -> Option<usize> {
    let (name, text) = name_and_text(said)?;
    let choice = choices.labelled(name).or_else(|| lettered(name));
    choice.filter(|choice| choices.texts.get(*choice).is_some_and(|read| read == text))
}

fn in_range(field: &Field, said: &str, choice: usize, count: usize) -> Result<usize, String> {
    if choice >= count {
        return Err(format!(
            "{} is {}, and there are {count} choices (the first is {})",
            field.called(),
            quoted(said),
            if lettered(said).is_some() { "A" } else { "0" }
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

    #[test]
    fn a_label_that_is_the_text_of_another_choice_is_what_the_others_are() {
        let line = |answer: &str, more: &str| {
            let options = r#"{"A":"B12","B":"C","C":"D","D":"K"}"#;
            format!(r#"{{"question":"q","answer":"{answer}","options":{options}{more}}}"#) + "\n"
        };
        let texts = ["B12", "C", "D", "K"];
        // Another field that is a label decides.
        for more in [r#","answer_idx":"B""#, r#","answer_letter":"B""#] {
            check(&line("C", more), "q", &texts, 1);
        }
        let golds = |text: &str| -> Vec<usize> {
            let parsed = parse_items(text);
            assert_eq!(parsed.errors, [], "{text}");
            parsed.items.iter().map(|item| item.gold).collect()
        };
        assert_eq!(golds(&(line("C", "") + &line("K", ""))), [1, 3]);
        assert_eq!(golds(&(line("C", "") + &line("A", ""))), [2, 0]);
        let error = &parse_items(&line("C", "")).errors[0];
        assert!(error.message.contains("in brackets"), "{}", error.message);
        // The key of ARC is a label.
        let key = line("C", "").replace("\"answer\"", "\"answerKey\"");
        check(&key, "q", &texts, 2);
    }

    #[test]
    fn labels_are_compared_without_marks_and_case_and_a_letter_must_be_one_of_them() {
        for (labels, answer, gold) in [
            (r#"["A","C","D","E"]"#, "(C)", Some(1)),
            (r#"["A","C","D","E"]"#, "d.", Some(2)),
            (r#"["(B)","(A)","(C)","(D)"]"#, "A", Some(1)),
            (r#"["B","C","A","D"]"#, "A.", Some(2)),
            (r#"["b","c","a","d"]"#, "A", Some(2)),
            (r#"["F","G","H","J"]"#, "(G)", Some(1)),
            (r#"["A","C","D","E"]"#, "B", None),
        ] {
            let choices = format!(r#"{{"text":["w","x","y","z"],"label":{labels}}}"#);
            let line = format!(r#"{{"question":"q","choices":{choices},"answerKey":"{answer}"}}"#);
            match gold {
                Some(gold) => check(&line, "q", &["w", "x", "y", "z"], gold),
                None => {
                    let message = &parse_items(&line).errors[0].message;
                    assert!(message.contains("the labels A, C, D, E"), "{message}");
                }
            }
        }
    }

    #[test]
    fn options_stand_in_the_order_of_the_file_unless_letters_or_numbers_say_another() {
        for (labels, texts) in [
            (["first", "second", "third"], ["w", "x", "y"]),
            (["I", "II", "V"], ["w", "x", "y"]),
            (["C", "a", "B"], ["x", "y", "w"]),
            (["10", "9", "1"], ["y", "x", "w"]),
        ] {
            let [a, b, c] = labels;
            let line = format!(
                r#"{{"question":"q","options":{{"{a}":"w","{b}":"x","{c}":"y"}},"answer":"w"}}"#
            );
            check(
                &line,
                "q",
                &texts,
                texts.iter().position(|text| *text == "w").unwrap(),
            );
        }
    }

    #[test]
    fn fields_may_be_called_as_other_files_call_them() {
        for answer in [
            r#""correct_answer":"y""#,
            r#""Correct Option":"B""#,
            r#""answer_index":1"#,
            r#""gold":[1]"#,
            r#""answer":["B"]"#,
            r#""target":"B""#,
            r#""answer":"B. y""#,
            r#""answer":" y""#,
            r#""answer":"B","correct":true"#,
            r#""answer":"B","correct":0"#,
            r#""answer":"B","label":"easy""#,
        ] {
            let line = format!(r#"{{"Question":"q","Choices":["x","y","z"],{answer}}}"#);
            check(&line, "q", &["x", "y", "z"], 1);
        }
        for subject in [
            "text",
            "paragraph",
            "story",
            "narrative",
            "hint",
            "document",
            "background",
        ] {
            let line =
                format!(r#"{{"question":"q","{subject}":"s","options":["x","y"],"answer":"B"}}"#);
            check(&line, "s\nq", &["x", "y"], 1);
        }
        for name in ["prompt", "instruction", "input"] {
            let line = format!(r#"{{"{name}":"q","choices":["x","y"],"answer":"B"}}"#);
            check(&line, "q", &["x", "y"], 1);
        }
        for list in ["answers", "choice", "candidates"] {
            let line =
                format!(r#"{{"passage":"p","question":"q","{list}":["x","y"],"label":"B"}}"#);
            check(&line, "p\nq", &["x", "y"], 1);
        }
    }

    #[test]
    fn what_could_be_two_fields_is_an_error_that_names_both() {
        for (fields, first, second) in [
            (
                r#""question":"q","choices":["x","y"],"label":0,"answer":"y""#,
                "`answer` is `y`",
                "`label` is `0`",
            ),
            (
                r#""prompt":"q","instruction":"p","choices":["x","y"],"answer":"y""#,
                "`prompt`",
                "`instruction`",
            ),
            (
                r#""question":"q","Question":"p","choices":["x","y"],"answer":"y""#,
                "`Question`",
                "twice",
            ),
            (
                r#""question":"q","answers":["x","y"],"answer":"y""#,
                "`answers`",
                "`choices`",
            ),
            (
                r#""question":"q","choices":["x","y"],"answer":"D""#,
                "`answer` is D",
                "the first is A",
            ),
        ] {
            let message = &parse_items(&format!("{{{fields}}}")).errors[0].message;
            assert!(
                message.contains(first) && message.contains(second),
                "{message}"
            );
        }
    }

    #[test]
    fn choices_that_are_empty_at_the_end_are_left_out_and_true_is_the_choice_that_says_so() {
        for choices in [
            r#"["x","y",null,""]"#,
            r#"{"A":"x","B":"y","C":""}"#,
            r#"{"text":["x","y",null],"label":["A","B","C"]}"#,
            r#"[{"id":"A","text":"x"},{"id":"B","text":"y"}]"#,
        ] {
            let line = format!(r#"{{"question":"q","choices":{choices},"answer":"B"}}"#);
            check(&line, "q", &["x", "y"], 1);
        }
        for (choices, texts) in [
            (r#"["False","True"]"#, ["False", "True"]),
            (r#"["no","yes"]"#, ["no", "yes"]),
            ("[false,true]", ["false", "true"]),
        ] {
            let line = format!(r#"{{"question":"q","choices":{choices},"answer":true}}"#);
            check(&line, "q", &texts, 1);
        }
    }
}
