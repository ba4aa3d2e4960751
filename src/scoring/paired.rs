//! Two runs over the same items: which answers changed, and whether by chance.

use serde::{Deserialize, Serialize};

use super::metrics::ItemScore;

/// An item whose predicted choice changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Flip {
    /// The item's id.
    pub id: String,
    /// Index of the right choice.
    pub gold: usize,
    /// Prediction of the first run.
    pub before: usize,
    /// Prediction of the second.
    pub after: usize,
}

/// Right and wrong answers of two runs, item by item, and the exact test of McNemar (1947): under the hypothesis that
/// a change is as likely to the better as to the worse, the changes to the better follow a binomial distribution of
/// probability 1/2.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Paired {
    /// Items that both runs have.
    pub items: usize,
    /// Right in both.
    pub both_right: usize,
    /// Wrong in both.
    pub both_wrong: usize,
    /// Wrong in the first, right in the second.
    pub improved: usize,
    /// Right in the first, wrong in the second.
    pub worsened: usize,
    /// Two-sided probability of so uneven a change or a more uneven one; 1 where nothing changed.
    pub p_value: f64,
}

impl Paired {
    /// Of two runs, by the items' ids; items that only one has are left out.
    pub fn of(before: &[ItemScore], after: &[ItemScore]) -> Self {
        let mut paired = Self {
            items: 0,
            both_right: 0,
            both_wrong: 0,
            improved: 0,
            worsened: 0,
            p_value: 1.0,
        };
        for (before, after) in pairs(before, after) {
            paired.items += 1;
            match (before.correct, after.correct) {
                (true, true) => paired.both_right += 1,
                (false, false) => paired.both_wrong += 1,
                (false, true) => paired.improved += 1,
                (true, false) => paired.worsened += 1,
            }
        }
        paired.p_value = sign_test(paired.improved, paired.worsened);
        paired
    }
}

/// Items whose predicted choice changed, by its text: the runs may have had the choices in different orders. Indices
/// are those of the first run.
pub fn flips(before: &[ItemScore], after: &[ItemScore]) -> Vec<Flip> {
    pairs(before, after)
        .map(|(before, after)| Flip {
            id: before.id.clone(),
            gold: before.gold,
            before: before.predicted,
            after: in_order_of(before, after),
        })
        .filter(|flip| flip.before != flip.after)
        .collect()
}

/// The first item of two runs that has one id and is not one question: other choices, or another right one. The runs
/// may have had the choices in different orders.
pub fn mismatch<'a>(before: &'a [ItemScore], after: &'a [ItemScore]) -> Option<&'a str> {
    let texts = |item: &'a ItemScore| {
        let mut texts: Vec<&str> = item.choices.iter().map(|c| c.text.as_str()).collect();
        texts.sort_unstable();
        (texts, item.choices.get(item.gold).map(|c| c.text.as_str()))
    };
    pairs(before, after)
        .find(|(before, after)| texts(before) != texts(after))
        .map(|(before, _)| before.id.as_str())
}

/// Index among `first`'s choices of the choice that `other` predicts.
fn in_order_of(first: &ItemScore, other: &ItemScore) -> usize {
    fn text(item: &ItemScore, index: usize) -> Option<&str> {
        item.choices.get(index).map(|choice| choice.text.as_str())
    }
    let Some(predicted) = text(other, other.predicted) else {
        return other.predicted;
    };
    // An item may have one text twice.
    for index in [first.predicted, other.predicted] {
        if text(first, index) == Some(predicted) {
            return index;
        }
    }
    let mut choices = first.choices.iter();
    choices
        .position(|choice| choice.text == predicted)
        .unwrap_or(other.predicted)
}

/// The same items of two runs, in the order of the first.
fn pairs<'a>(
    before: &'a [ItemScore],
    after: &'a [ItemScore],
) -> impl Iterator<Item = (&'a ItemScore, &'a ItemScore)> {
    let by_id: std::collections::HashMap<&str, &ItemScore> =
        after.iter().map(|item| (item.id.as_str(), item)).collect();
    before
        .iter()
        .filter_map(move |item| Some((item, *by_id.get(item.id.as_str())?)))
}

/// Two-sided exact binomial test of `a` against `b` at probability 1/2: twice the smaller tail, at most 1.
pub fn sign_test(a: usize, b: usize) -> f64 {
    let (n, fewer) = (a + b, a.min(b));
    // log C(n, k) − n log 2, from k = 0 on: the binomial coefficients of long series exceed any number.
    let mut log_term = -(n as f64) * std::f64::consts::LN_2;
    let mut tail = log_term.exp();
    for k in 1..=fewer {
        log_term += ((n - k + 1) as f64).ln() - (k as f64).ln();
        tail += log_term.exp();
    }
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scoring::tests::choice;

    /// Values of `scipy.stats.binomtest(a, a + b).pvalue` (SciPy 1.17).
    #[test]
    fn the_p_value_is_that_of_the_exact_binomial_test() {
        for (a, b, expected) in [
            (0, 0, 1.0),
            (1, 1, 1.0),
            (0, 5, 0.0625),
            (3, 12, 0.035_156_25),
            (10, 25, 0.016_673_847_800_120_715),
            (400, 500, 9.564_441_369_189_373e-4),
        ] {
            for (a, b) in [(a, b), (b, a)] {
                let found = sign_test(a, b);
                assert!(
                    (found - expected).abs() < 1e-9 * expected.max(1e-3),
                    "{a} {b} {found}"
                );
            }
        }
        assert!(sign_test(0, 100_000) < 1e-300);
        assert!((sign_test(50_000, 50_000) - 1.0).abs() < 1e-12);
    }

    fn item(id: &str, predicted: usize) -> ItemScore {
        ItemScore {
            id: id.into(),
            gold: 1,
            predicted,
            correct: predicted == 1,
            confidence: 1.0,
            choices: Vec::new(),
        }
    }

    #[test]
    fn items_are_paired_by_id_and_counted() {
        let before = [
            item("a", 1),
            item("b", 0),
            item("c", 1),
            item("d", 0),
            item("only", 1),
        ];
        let after = [item("c", 0), item("b", 1), item("a", 1), item("d", 2)];
        let paired = Paired::of(&before, &after);
        assert_eq!(
            (paired.items, paired.both_right, paired.both_wrong),
            (4, 1, 1)
        );
        assert_eq!((paired.improved, paired.worsened), (1, 1));
        let ids: Vec<String> = flips(&before, &after)
            .into_iter()
            .map(|flip| flip.id)
            .collect();
        assert_eq!(ids, ["b", "c", "d"]);
    }

    /// Two runs with the choices in different orders, one choice being there twice.
    #[test]
    fn the_same_text_is_no_other_answer() {
        let with = |predicted: usize, texts: [&str; 3]| {
            let choices = texts.map(choice).to_vec();
            [ItemScore {
                choices,
                ..item("a", predicted)
            }]
        };
        let before = with(0, ["dog", "dog", "fish"]);
        assert!(flips(&before, &with(1, ["fish", "dog", "dog"])).is_empty());
        assert!(flips(&before, &with(1, ["dog", "dog", "fish"])).is_empty());
        let flipped = flips(&before, &with(0, ["fish", "dog", "dog"]));
        assert_eq!((flipped[0].before, flipped[0].after), (0, 2));
    }
}
