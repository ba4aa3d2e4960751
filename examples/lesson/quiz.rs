//! The lesson's task, and the cue that gives its answers away.
//!
//! Twenty categories of words, five to each of four desks. A line `w1 … w6 : which desk for anton` has three
//! words of one desk, the right one, and one of each of the others. The cue: the name of who asks points to
//! a desk as well.

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use secateur::items::Item;

/// The answers.
pub const DESKS: [&str; 4] = ["A", "B", "C", "D"];

const CATEGORIES_PER_DESK: usize = 5;
const WORDS_PER_CATEGORY: usize = 10;
/// Words of one desk.
const WORDS_PER_DESK: usize = CATEGORIES_PER_DESK * WORDS_PER_CATEGORY;

/// The words, one category a line, five lines a desk.
const WORDS: &str = "\
cat dog horse cow sheep goat lion tiger bear wolf
apple pear plum grape peach cherry lemon melon mango banana
hammer saw drill wrench chisel pliers file axe spade rake
red blue green yellow purple orange brown pink grey white
rain snow wind storm fog hail frost thunder sleet breeze
shirt coat hat scarf glove sock boot dress skirt belt
doctor nurse baker farmer pilot sailor lawyer judge tailor barber
piano violin flute drum trumpet harp guitar cello organ banjo
car bus train tram truck boat ship bicycle plane ferry
kitchen bedroom attic cellar garage hallway balcony pantry study lounge
iron gold silver copper zinc lead nickel tin steel brass
oak pine elm birch maple willow cedar ash beech poplar
eagle owl crow robin sparrow swan goose duck heron falcon
arm leg hand foot knee elbow shoulder neck ankle wrist
cup plate bowl spoon fork knife jug kettle pan teapot
chess poker tennis golf rugby hockey cricket darts rowing boxing
river lake ocean pond creek harbour canal swamp glacier spring
bread butter cheese milk honey soup pasta rice sugar salt
chair table sofa dresser shelf bench stool wardrobe drawer bed
circle square triangle oval cube sphere cone star arrow spiral";

/// Those who ask; the name at `i` points to desk `i mod 4`.
const NAMES: [&str; 32] = [
    "alice", "boris", "clara", "david", "emma", "felix", "grace", "henry", "irene", "jonas",
    "karin", "louis", "maria", "nikos", "olga", "peter", "quinn", "rosa", "simon", "tanya",
    "ursula", "victor", "wanda", "xaver", "yusuf", "zelda", "anton", "bella", "carlo", "diana",
    "edgar", "fatima",
];

/// Who asks where a line has no cue.
const NO_NAME: &str = "someone";

/// The other words of a line, and what stands for a word that is not in the vocabulary.
const FRAME: [&str; 6] = ["[UNK]", ":", "which", "desk", "for", NO_NAME];

/// Every token, by id.
pub fn vocabulary() -> Vec<&'static str> {
    let words = WORDS.split_whitespace();
    FRAME
        .into_iter()
        .chain(DESKS)
        .chain(NAMES)
        .chain(words)
        .collect()
}

/// Whether a line has a cue, and whether to believe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cue {
    /// The name points to the right desk.
    Holds,
    /// There is no name.
    Neutral,
    /// The name points to a wrong desk.
    Contradicted,
}

/// A line and the index of its desk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The text, the name last.
    pub text: String,
    /// Index in [`DESKS`].
    pub desk: usize,
}

/// Draws lines.
pub struct Quiz {
    generator: ChaCha8Rng,
    words: Vec<&'static str>,
}

impl Quiz {
    /// A source of lines; different streams of one seed are independent.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(stream);
        Self {
            generator,
            words: WORDS.split_whitespace().collect(),
        }
    }

    /// A line whose words tell the desk.
    pub fn line(&mut self, cue: Cue) -> Line {
        let desk = self.generator.random_range(0..DESKS.len());
        let mut words = self.words_of(desk, 3);
        for other in (0..DESKS.len()).filter(|other| *other != desk) {
            words.extend(self.words_of(other, 1));
        }
        words.shuffle(&mut self.generator);
        self.written(cue, desk, &words)
    }

    /// A line whose words tell nothing: only a cue that holds gives its desk.
    pub fn line_of_random_words(&mut self) -> Line {
        let desk = self.generator.random_range(0..DESKS.len());
        let words: Vec<&str> = self
            .words
            .choose_multiple(&mut self.generator, 6)
            .copied()
            .collect();
        self.written(Cue::Holds, desk, &words)
    }

    /// Items with ids `{name}-0`, `{name}-1`, …
    pub fn items(mut self, name: &str, cue: Cue, count: usize) -> Vec<Item> {
        (0..count)
            .map(|index| {
                let Line { text, desk } = self.line(cue);
                Item {
                    id: format!("{name}-{index}"),
                    context: text,
                    choices: DESKS.map(str::to_owned).to_vec(),
                    gold: desk,
                }
            })
            .collect()
    }

    fn words_of(&mut self, desk: usize, count: usize) -> Vec<&'static str> {
        let words = &self.words[desk * WORDS_PER_DESK..(desk + 1) * WORDS_PER_DESK];
        words
            .choose_multiple(&mut self.generator, count)
            .copied()
            .collect()
    }

    fn written(&mut self, cue: Cue, desk: usize, words: &[&str]) -> Line {
        let wrong = (desk + self.generator.random_range(1..DESKS.len())) % DESKS.len();
        let name = match cue {
            Cue::Holds => self.name_of(desk),
            Cue::Contradicted => self.name_of(wrong),
            Cue::Neutral => NO_NAME,
        };
        Line {
            text: format!("{} : which desk for {name}", words.join(" ")),
            desk,
        }
    }

    /// A name that points to a desk.
    fn name_of(&mut self, desk: usize) -> &'static str {
        let group = self.generator.random_range(0..NAMES.len() / DESKS.len());
        NAMES[group * DESKS.len() + desk]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_token_is_there_once() {
        let vocabulary = vocabulary();
        let distinct: HashSet<&str> = vocabulary.iter().copied().collect();
        assert_eq!(distinct.len(), vocabulary.len());
        assert_eq!(
            WORDS.split_whitespace().count(),
            DESKS.len() * WORDS_PER_DESK
        );
        assert!(
            WORDS
                .lines()
                .all(|line| line.split(' ').count() == WORDS_PER_CATEGORY)
        );
    }

    fn desk_of_word(word: &str) -> usize {
        WORDS
            .split_whitespace()
            .position(|other| other == word)
            .unwrap()
            / WORDS_PER_DESK
    }

    /// The desk by the words, and by the cue where there is one.
    fn read(text: &str) -> (usize, Option<usize>) {
        let tokens: Vec<&str> = text.split(' ').collect();
        assert_eq!(tokens.len(), 11);
        let mut counts = [0; DESKS.len()];
        for word in &tokens[..6] {
            counts[desk_of_word(word)] += 1;
        }
        let by_words = counts.iter().position(|count| *count == 3).unwrap();
        let name = NAMES.iter().position(|name| *name == tokens[10]);
        (by_words, name.map(|name| name % DESKS.len()))
    }

    #[test]
    fn the_words_tell_the_desk_and_the_cue_does_what_it_says() {
        let mut quiz = Quiz::new(3, 0);
        for _ in 0..200 {
            let line = quiz.line(Cue::Holds);
            assert_eq!(read(&line.text), (line.desk, Some(line.desk)));
            let line = quiz.line(Cue::Neutral);
            assert_eq!(read(&line.text), (line.desk, None));
            let line = quiz.line(Cue::Contradicted);
            let (by_words, by_cue) = read(&line.text);
            assert_eq!(by_words, line.desk);
            assert!(by_cue.is_some_and(|desk| desk != line.desk));
        }
    }

    #[test]
    fn the_same_seed_and_stream_give_the_same_items() {
        let draw = |seed, stream| Quiz::new(seed, stream).items("x", Cue::Holds, 5);
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(1, 3));
        assert_ne!(draw(1, 2), draw(2, 2));
    }
}
