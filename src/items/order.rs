//! Orders of an item's choices: seeded ones against a habit of the file, rotations to measure a habit of the model.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::Item;

/// An item with its choices in another order: choice `j` is the item's choice `order[j]`.
pub fn reordered(item: &Item, order: &[usize]) -> Item {
    let choices = order
        .iter()
        .filter_map(|&choice| item.choices.get(choice).cloned());
    Item {
        id: item.id.clone(),
        context: item.context.clone(),
        choices: choices.collect(),
        gold: order
            .iter()
            .position(|&choice| choice == item.gold)
            .unwrap_or(item.gold),
    }
}

/// The order that a seed gives so many things, as the choices of the item at `index`: uniform, and the same whatever other items
/// there are before or after it.
pub fn shuffled_order(count: usize, seed: u64, index: usize) -> Vec<usize> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(index as u64);
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(&mut generator);
    order
}

/// The order that begins with choice `by` and goes round.
pub fn rotated_order(choices: usize, by: usize) -> Vec<usize> {
    (0..choices)
        .map(|index| (index + by) % choices.max(1))
        .collect()
}

/// The item at `index` with its choices in a seeded order.
pub fn shuffled_at(item: &Item, seed: u64, index: usize) -> Item {
    reordered(item, &shuffled_order(item.choices.len(), seed, index))
}

/// Every item with its choices in a seeded order.
pub fn shuffled(items: &[Item], seed: u64) -> Vec<Item> {
    let shuffle = |(index, item)| shuffled_at(item, seed, index);
    items.iter().enumerate().map(shuffle).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(gold: usize) -> Item {
        Item {
            id: "x".into(),
            context: "q".into(),
            choices: ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
            gold,
        }
    }

    #[test]
    fn the_right_choice_stays_the_right_one() {
        for gold in 0..4 {
            for by in 0..4 {
                let rotated = reordered(&item(gold), &rotated_order(4, by));
                assert_eq!(rotated.choices[rotated.gold], item(gold).choices[gold]);
                assert_eq!(rotated.choices[0], item(0).choices[by]);
            }
        }
    }

    /// 4,000 draws: each of the four places holds the right choice about 1,000 times (standard deviation 27).
    #[test]
    fn a_seeded_order_is_uniform_and_the_same_again() {
        let items = vec![item(0); 4000];
        let shuffled_once = shuffled(&items, 3);
        assert_eq!(shuffled_once, shuffled(&items, 3));
        assert_ne!(shuffled_once, shuffled(&items, 4));
        for place in 0..4 {
            let count = shuffled_once
                .iter()
                .filter(|item| item.gold == place)
                .count();
            assert!((850..1150).contains(&count), "{count}");
        }
    }
}
