//! Successive halving (Karnin, Koren and Somekh, 2013; Jamieson and Talwalkar, 2016): all cells are tried on few items, and again and
//! again the better half of them on twice as many. What a cell got on its items stays, so that the cells that are left in the end are
//! known on every item, as without halving.

use std::cmp::Reverse;

use crate::items::order::shuffled_order;

/// Fewest items that cells are left by.
const FEWEST: usize = 4;

/// A round: so many cells, after which they are known on so many items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Round {
    pub cells: usize,
    pub items: usize,
}

/// The rounds of a search: one alone, or by halving.
pub(super) fn rounds(cells: usize, items: usize, halving: bool) -> Vec<Round> {
    let log = |number: usize| number.checked_ilog2().unwrap_or(0);
    let halvings = match halving {
        true => log(cells).min(log(items / FEWEST)),
        false => 0,
    };
    let round = |round: u32| Round {
        cells: cells.div_ceil(1 << round),
        items: items.div_ceil(1 << (halvings - round)),
    };
    (0..=halvings).map(round).collect()
}

/// The order in which items are spent: by halving a shuffled one, always the same, since items of a file may be sorted by what they
/// are about.
pub(super) fn order(items: usize, halving: bool) -> Vec<usize> {
    match halving {
        true => shuffled_order(items, 0, 0),
        false => (0..items).collect(),
    }
}

/// The `count` cells that do best of some, in their order: those with most right answers, of equals those that prune fewest neurons,
/// then those that come first.
pub(super) fn best_of(
    mut cells: Vec<usize>,
    count: usize,
    known: impl Fn(usize) -> (usize, usize),
) -> Vec<usize> {
    cells.sort_by_key(|&cell| {
        let (correct, neurons) = known(cell);
        (Reverse(correct), neurons, cell)
    });
    cells.truncate(count);
    cells.sort_unstable();
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(cells: usize, items: usize) -> Vec<(usize, usize)> {
        let rounds = rounds(cells, items, true).into_iter();
        rounds.map(|round| (round.cells, round.items)).collect()
    }

    #[test]
    fn cells_are_halved_while_items_double() {
        assert_eq!(counted(90, 23), [(90, 6), (45, 12), (23, 23)]);
        assert_eq!(counted(5, 64), [(5, 16), (3, 32), (2, 64)]);
        // Too few items to leave a cell by, and too few cells to leave one.
        assert_eq!(counted(90, 7), [(90, 7)]);
        assert_eq!(counted(1, 64), [(1, 64)]);
        assert_eq!(counted(0, 64), [(0, 64)]);
        assert_eq!(
            rounds(90, 23, false),
            [Round {
                cells: 90,
                items: 23
            }]
        );
    }

    #[test]
    fn the_better_half_goes_on_in_its_order() {
        let known = [(3, 5), (4, 9), (4, 2), (1, 1), (3, 5)];
        assert_eq!(best_of((0..5).collect(), 3, |cell| known[cell]), [0, 1, 2]);
        assert_eq!(best_of(vec![4, 3, 0], 1, |cell| known[cell]), [0]);
    }

    #[test]
    fn items_come_in_one_order_each_once() {
        let shuffled = order(20, true);
        assert_eq!(shuffled, order(20, true));
        assert_ne!(shuffled, order(20, false));
        let mut sorted = shuffled;
        sorted.sort_unstable();
        assert_eq!(sorted, order(20, false));
    }
}
