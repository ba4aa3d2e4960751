//! Splits of a set: seeded, and stratified by the place of the right choice.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::Item;
use super::check::ItemsError;

/// Most parts of a split.
const MAX_PARTS: usize = 16;

/// One part of a seeded split: how a study takes a portion of a set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(deny_unknown_fields)]
pub struct SplitPart {
    /// Seed of the split.
    pub seed: u64,
    /// Sizes of the parts, in relation to each other.
    pub shares: Vec<f64>,
    /// Which part, from 0.
    pub part: usize,
}

impl SplitPart {
    /// The part's items, in the set's order.
    ///
    /// # Errors
    ///
    /// [`ItemsError::Split`] for wrong shares, and for a part that there is not.
    pub fn of(&self, items: &[Item]) -> Result<Vec<Item>, ItemsError> {
        let mut parts = split(items, &self.shares, self.seed)?;
        if self.part >= parts.len() {
            return Err(ItemsError::Split(format!(
                "a split into {} parts has no part {} (the first is 0)",
                parts.len(),
                self.part
            )));
        }
        Ok(parts.swap_remove(self.part))
    }
}

/// Deals items out to parts whose sizes are to each other as `shares`. Each place of the right choice is dealt out on
/// its own, so that every part has its share of each; within a part the items keep their order.
///
/// # Errors
///
/// [`ItemsError::Split`] for no or too many parts, and for shares that are no positive numbers.
pub fn split(items: &[Item], shares: &[f64], seed: u64) -> Result<Vec<Vec<Item>>, ItemsError> {
    let fail = |message: String| Err(ItemsError::Split(message));
    if shares.is_empty() || shares.len() > MAX_PARTS {
        return fail(format!(
            "a split has 1 to {MAX_PARTS} parts, not {}",
            shares.len()
        ));
    }
    if let Some(wrong) = shares
        .iter()
        .find(|share| !(share.is_finite() && **share > 0.0))
    {
        return fail(format!(
            "the share of a part must be a number above 0, and is {wrong}"
        ));
    }
    let total: f64 = shares.iter().sum();
    if !total.is_finite() {
        return fail("the shares are too large to be added up".into());
    }
    let mut strata: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        strata.entry(item.gold).or_default().push(index);
    }
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut part_of = vec![0; items.len()];
    // What each part should have by now and has not: carried from place to place, so that the sizes come out right.
    let mut owed = vec![0.0; shares.len()];
    for mut stratum in strata.into_values() {
        stratum.shuffle(&mut generator);
        for index in stratum {
            let (mut most, mut of_most) = (0, f64::NEG_INFINITY);
            for (part, (owed, share)) in owed.iter_mut().zip(shares).enumerate() {
                *owed += share / total;
                if *owed > of_most + 1e-9 {
                    (most, of_most) = (part, *owed);
                }
            }
            if let (Some(owed), Some(part)) = (owed.get_mut(most), part_of.get_mut(index)) {
                *owed -= 1.0;
                *part = most;
            }
        }
    }
    let of_part = |part| {
        let chosen = items
            .iter()
            .zip(&part_of)
            .filter(move |(_, of)| **of == part);
        chosen.map(|(item, _)| item.clone()).collect()
    };
    Ok((0..shares.len()).map(of_part).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(golds: impl Iterator<Item = usize>) -> Vec<Item> {
        let item = |(index, gold): (usize, usize)| Item {
            id: format!("{index}"),
            context: String::new(),
            choices: vec!["a".into(), "b".into(), "c".into()],
            gold,
        };
        golds.enumerate().map(item).collect()
    }

    #[test]
    fn every_item_is_in_one_part_and_the_sizes_are_as_asked() {
        let all = items((0..103).map(|index| index * index % 3));
        let parts = split(&all, &[4.0, 3.0, 3.0], 7).unwrap();
        let sizes: Vec<usize> = parts.iter().map(Vec::len).collect();
        assert_eq!(sizes.iter().sum::<usize>(), 103);
        for (size, wanted) in sizes.iter().zip([41.2, 30.9, 30.9]) {
            assert!((*size as f64 - wanted).abs() <= 1.0, "{sizes:?}");
        }
        let mut ids: Vec<&str> = parts
            .iter()
            .flatten()
            .map(|item| item.id.as_str())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 103);
    }

    #[test]
    fn every_part_has_its_share_of_each_place_of_the_right_choice() {
        let all = items((0..90).map(|index| usize::from(index >= 30) + usize::from(index >= 80)));
        for part in split(&all, &[1.0, 1.0, 1.0], 1).unwrap() {
            let counts = [0, 1, 2].map(|gold| part.iter().filter(|item| item.gold == gold).count());
            assert_eq!(counts[0], 10);
            assert!(
                (16..=17).contains(&counts[1]) && (3..=4).contains(&counts[2]),
                "{counts:?}"
            );
        }
    }

    #[test]
    fn a_seed_splits_the_same_way_again() {
        let all = items((0..50).map(|index| index % 2));
        let ids = |seed| split(&all, &[1.0, 1.0], seed).unwrap();
        assert_eq!(ids(5), ids(5));
        assert_ne!(ids(5), ids(6));
        let part = SplitPart {
            seed: 5,
            shares: vec![1.0, 1.0],
            part: 1,
        };
        assert_eq!(part.of(&all).unwrap(), ids(5)[1]);
    }

    #[test]
    fn shares_that_make_no_sense_are_refused() {
        for shares in [&[][..], &[1.0, 0.0], &[f64::NAN], &[-1.0], &[1.0; 17]] {
            assert!(split(&items(0..3), shares, 0).is_err(), "{shares:?}");
        }
        let part = SplitPart {
            seed: 0,
            shares: vec![1.0],
            part: 1,
        };
        assert!(
            part.of(&items(0..3))
                .unwrap_err()
                .to_string()
                .contains("no part 1")
        );
    }
}
