//! Encoded items as batches: prompts that share a beginning and are of one length, or of similar length, and their choices.

use super::encode::{Encoded, shared_tokens};
use crate::model::Decoder;

/// Items that are run together.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Their indices among the encoded items.
    pub items: Vec<usize>,
    /// Prompts, `[items][positions]`, without what they share.
    pub prompts: Vec<Vec<u32>>,
    /// The tokens before each of them; may be none.
    pub shared: Vec<u32>,
    /// Choices, `[items][choices]` of at least one token each.
    pub(super) choices: Vec<Vec<Vec<u32>>>,
    /// Tokens of a choice that are not scored, `[items][choices]`.
    scored_from: Vec<Vec<usize>>,
    /// Choices of the item that has most; the others' rows are padding.
    pub(super) n_choices: usize,
    /// Tokens of the longest choice.
    pub(super) longest: usize,
}

/// Most tokens of one batch, whatever the device.
const BATCH_TOKENS: usize = 4096;
/// Fewest tokens for which a shared beginning is run on its own.
const WORTH_SHARING: usize = 16;

/// Groups encoded items by what their prompts share and by the length of the rest, in batches of bounded size. Every
/// item is in exactly one. Where a run costs the same for a few tokens more, prompts of similar length go together: padded before
/// their beginning, or, where they share one, after their end, which must not lie between a prompt and choices that go on.
pub fn batches(encoded: &[Encoded], decoder: &Decoder) -> Vec<Batch> {
    let budget = decoder.tokens_at_once().min(BATCH_TOKENS);
    let context_length = decoder.config.context_length;
    let length = |index: usize| encoded[index].prompt.len();
    let longest_choice = |indices: &[usize]| {
        let choices = indices.iter().flat_map(|&index| &encoded[index].choices);
        choices.map(Vec::len).max().unwrap_or(1)
    };
    let mut batches = Vec::new();
    for (shared, mut indices) in sharing(encoded) {
        indices.sort_by_key(|&index| length(index));
        let longest = indices.last().map_or(0, |&last| length(last));
        let fits = longest + longest_choice(&indices) <= context_length;
        let may_pad = shared == 0 || longest_choice(&indices) == 1;
        let pads = decoder.pads() && may_pad && fits;
        let own = |index: usize| length(index) - shared;
        let similar = |&a: &usize, &b: &usize| match pads {
            true => 2 * own(b) <= 3 * own(a),
            false => own(a) == own(b),
        };
        let mut rest = indices.as_slice();
        while let Some(first) = rest.first() {
            let (group, others) = rest.split_at(rest.partition_point(|next| similar(first, next)));
            rest = others;
            // All rows are as long as the longest of the batch, and all items have as many as the one with most.
            let rows = group.iter().map(|&index| encoded[index].choices.len());
            let width = group.iter().map(|&index| own(index)).max().unwrap_or(1)
                + rows.max().unwrap_or(1) * longest_choice(group);
            for items in group.chunks((budget / width).max(1)) {
                batches.push(Batch::new(encoded, items, shared));
            }
        }
    }
    batches
}

/// Groups of items with the number of tokens that their prompts share, 0 for those that share too little.
fn sharing(encoded: &[Encoded]) -> Vec<(usize, Vec<usize>)> {
    let mut order: Vec<usize> = (0..encoded.len()).collect();
    order.sort_by(|&a, &b| encoded[a].prompt.cmp(&encoded[b].prompt).then(a.cmp(&b)));
    let mut alone = Vec::new();
    let mut groups = Vec::new();
    let mut open: (usize, Vec<usize>) = (0, Vec::new());
    let mut close = |(shared, mut group): (usize, Vec<usize>)| {
        if group.len() > 1 {
            group.sort_unstable();
            groups.push((shared, group));
        } else {
            alone.extend(group);
        }
    };
    for index in order {
        let prompt = &encoded[index].prompt;
        let joined = open.1.last().map_or(0, |&last| {
            let shared = shared_tokens(&encoded[last].prompt, prompt);
            let kept = if open.1.len() > 1 { open.0 } else { shared };
            // A rest of at least one token continues what is shared.
            kept.min(shared)
                .min(prompt.len() - 1)
                .min(encoded[last].prompt.len() - 1)
        });
        // Two prompts that are nearly the same do not keep away a third that shares what all share.
        if joined >= WORTH_SHARING && (open.1.len() < 3 || joined * 2 >= open.0) {
            open.0 = joined;
            open.1.push(index);
        } else {
            close(std::mem::replace(&mut open, (0, vec![index])));
        }
    }
    close(open);
    if !alone.is_empty() {
        alone.sort_unstable();
        groups.push((0, alone));
    }
    groups
}

impl Batch {
    fn new(encoded: &[Encoded], items: &[usize], shared: usize) -> Self {
        let of = |&index: &usize| &encoded[index];
        let first = items.first().map(of);
        let choices = items.iter().map(|index| &of(index).choices);
        let lengths = choices.clone().flatten().map(Vec::len);
        Self {
            n_choices: choices.map(Vec::len).max().unwrap_or(0),
            longest: lengths.max().unwrap_or(0),
            items: items.to_vec(),
            prompts: items
                .iter()
                .map(|index| of(index).prompt[shared..].to_vec())
                .collect(),
            shared: first
                .map(|item| item.prompt[..shared].to_vec())
                .unwrap_or_default(),
            choices: items
                .iter()
                .map(|index| of(index).choices.clone())
                .collect(),
            scored_from: items
                .iter()
                .map(|index| of(index).scored_from.clone())
                .collect(),
        }
    }

    /// Some of its items.
    pub fn select(&self, items: &[usize]) -> Self {
        fn some<T: Clone>(all: &[T], items: &[usize]) -> Vec<T> {
            items.iter().map(|&item| all[item].clone()).collect()
        }
        Self {
            items: some(&self.items, items),
            prompts: some(&self.prompts, items),
            shared: self.shared.clone(),
            choices: some(&self.choices, items),
            scored_from: some(&self.scored_from, items),
            ..*self
        }
    }

    /// Tokens of the prompts, without what they share, and of the choices.
    pub fn tokens(&self) -> usize {
        self.items.len() * self.prompt_length()
            + self.items.len() * self.n_choices * (self.longest.max(1) - 1)
    }

    /// Tokens of the longest prompt, without what is shared.
    pub fn prompt_length(&self) -> usize {
        self.prompts.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// Positions from the end of each prompt to that of the longest, `[items]`.
    pub(super) fn missing(&self) -> Vec<usize> {
        let longest = self.prompt_length();
        let prompts = self.prompts.iter();
        prompts.map(|prompt| longest - prompt.len()).collect()
    }

    /// The prompts, without what they share, as long as the longest: padded after their end.
    pub(super) fn filled(&self) -> Vec<Vec<u32>> {
        let prompts = self.prompts.iter().zip(self.missing());
        prompts
            .map(|(prompt, missing)| {
                let last = prompt.iter().rev().take(1).cycle().take(missing);
                prompt.iter().chain(last).copied().collect()
            })
            .collect()
    }

    /// Token `index` of choice `choice` of every item, or 0 where there is none.
    pub(super) fn token(&self, item: usize, choice: usize, index: usize) -> Option<u32> {
        self.choices.get(item)?.get(choice)?.get(index).copied()
    }

    /// Whether that token is scored.
    pub(super) fn is_scored(&self, item: usize, choice: usize, index: usize) -> bool {
        let from = self.scored_from.get(item).and_then(|item| item.get(choice));
        self.token(item, choice, index).is_some() && from.is_some_and(|from| index >= *from)
    }

    /// The choices without their last token, padded: what the model reads, `[items][choices][tail]`.
    pub(super) fn tails(&self) -> Option<Vec<Vec<Vec<u32>>>> {
        let tail = self.longest.checked_sub(1).filter(|tail| *tail > 0)?;
        let sequence = |item, choice| {
            (0..tail)
                .map(|index| self.token(item, choice, index).unwrap_or(0))
                .collect()
        };
        let of_item = |item| (0..self.n_choices).map(|c| sequence(item, c)).collect();
        Some((0..self.items.len()).map(of_item).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(prompt: Vec<u32>) -> Encoded {
        Encoded {
            prompt,
            choices: vec![vec![1], vec![2]],
            scored_from: vec![0, 0],
            extents: Vec::new(),
        }
    }

    fn after(shared: u32, rest: &[u32]) -> Encoded {
        encoded(
            (0..shared)
                .map(|id| id + 100)
                .chain(rest.iter().copied())
                .collect(),
        )
    }

    #[test]
    fn prompts_that_begin_alike_share_their_beginning() {
        let items = [
            after(20, &[1, 2]),
            encoded(vec![7, 8]),
            after(20, &[3]),
            after(20, &[1, 5, 6]),
        ];
        assert_eq!(sharing(&items), [(20, vec![0, 2, 3]), (0, vec![1])]);
    }

    #[test]
    fn a_beginning_of_few_tokens_is_not_worth_a_run() {
        let items = [after(15, &[1]), after(15, &[2])];
        assert_eq!(sharing(&items), [(0, vec![0, 1])]);
    }

    #[test]
    fn equal_prompts_keep_a_token_to_continue_with() {
        let items = [after(20, &[]), after(20, &[])];
        assert_eq!(sharing(&items), [(19, vec![0, 1])]);
    }
}
