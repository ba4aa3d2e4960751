//! The programs of `examples/` run, and say of the shipped model what it is known for.

#[path = "../../examples/attribute_and_prune.rs"]
mod attribute_and_prune;
#[path = "../../examples/own_model.rs"]
mod own_model;
#[path = "../../examples/score.rs"]
mod score;

use crate::common::wait;

#[test]
fn the_examples_run() {
    let items = "models/items/lesson-planted-shifted.jsonl";
    let accuracy = wait(score::score("lesson-planted", items)).unwrap();
    assert!(accuracy < 0.5, "the shortcut misleads: {accuracy}");

    let report = wait(attribute_and_prune::attribute_and_prune()).unwrap();
    let set = &report.sets[0];
    assert!(set.after.accuracy.correct > set.before.correct, "{set:?}");

    let text = "steel attic jug glacier pan red : which desk for fatima";
    let found = wait(own_model::go_on("lesson-planted", text, 1)).unwrap();
    assert!(["A", "B", "C", "D"].contains(&found.trim()), "{found}");
}
