//! `secateur critique`: what a sceptic asks of a model and its items, answered in one report.
//!
//! Items are dealt out to attribution, validation and test; the test's are looked at once, at the end.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args as ClapArgs;
use serde::Serialize;

use super::CliError;
use super::commands::{ITEMS, Shell, warn};
use super::items::{PARTS, dealt};
use super::options::{Input, ResamplingArgs, SettingsArgs, check_distinct};
use super::outputs::{Computed, Together, path_or_output};
use crate::attribution::Settings;
use crate::items::Item;
use crate::job::Job;
use crate::pruning::effect::{ControlReport, PruneReport};
use crate::pruning::resample::Estimated;
use crate::pruning::search::{SearchControl, SearchReport};
use crate::pruning::{Race, Resampling, Selection, Stability};
use crate::scoring::audit::Question;
use crate::scoring::{Accuracy, Audit};
use crate::study::{RaceSpec, SearchSpec, Session};

/// Random masks beside the one that is reported.
const CONTROL: usize = 20;

#[derive(ClapArgs)]
pub struct CritiqueArgs {
    #[command(flatten)]
    pub input: Input,
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Layers to race in, separated by commas; all when absent.
    #[arg(long, value_delimiter = ',')]
    pub race_layers: Option<Vec<usize>>,
    /// The percentage of a layer that the race looks for.
    #[arg(long, default_value_t = 5.0)]
    pub percent: f64,
    /// Percentages of the search, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "1,5,20")]
    pub percents: Vec<f64>,
    /// Random masks beside every cell of the search.
    #[arg(long, default_value_t = 3)]
    pub control: usize,
    #[command(flatten)]
    pub resampling: ResamplingArgs,
    /// Where to write the report as text with tables (Markdown); standard output when absent.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Where to write all numbers (JSON).
    #[arg(long)]
    pub json: Option<PathBuf>,
}

impl Shell<'_> {
    pub(super) async fn critique(&self, args: CritiqueArgs) -> Result<(), CliError> {
        let questions = Questions::asked(&args)?;
        let mut session = self.session(&args.input).await?;
        questions.check(session.model.config().n_layers)?;
        let found = Critique::of(&mut session, ITEMS, &questions, self.job).await?;
        warn(session.warnings().chain(found.warnings()));
        let name = args.input.items.file_stem();
        let name = name.map(|name| name.to_string_lossy()).unwrap_or_default();
        let text = found.markdown(&session.model.id, &name);
        let mut results = Together::default();
        results.add(path_or_output(args.out.as_ref()), text.as_bytes())?;
        if let Some(path) = &args.json {
            results.add_json(path, &Computed::new(&session, found))?;
        }
        results.place()
    }
}

/// What is asked.
struct Questions {
    /// How neurons are scored.
    settings: Settings,
    /// The race of the methods.
    race: RaceSpec,
    /// The cells of the search.
    search: SearchSpec,
    /// How items are drawn again, and with which seed they are dealt out.
    resampling: Resampling,
}

impl Questions {
    fn asked(args: &CritiqueArgs) -> Result<Self, CliError> {
        let layers = args.race_layers.clone();
        check_distinct("--race-layers", layers.as_deref().unwrap_or_default())?;
        check_distinct("--percents", &args.percents)?;
        let resampling = args.resampling.checked()?;
        let [attribution, ..] = PARTS;
        Ok(Self {
            settings: args.settings.settings()?,
            race: RaceSpec {
                set: attribution.to_owned(),
                settings: args.settings.of_race()?,
                layers,
                percent: args.percent,
                resampling,
            },
            search: SearchSpec {
                control: SearchControl::of(args.control, resampling.seed),
                ..SearchSpec::of_layers(args.percents.clone())
            },
            resampling,
        })
    }

    /// Whether a model of so many layers can be asked all of them.
    fn check(&self, n_layers: usize) -> Result<(), CliError> {
        self.race.check(n_layers)?;
        Ok(self.search.check(n_layers)?)
    }
}

/// What was found.
#[derive(Serialize)]
struct Critique {
    settings: Settings,
    audit: Audit,
    race: Race,
    search: SearchReport,
    /// Of the best cell, where that is the top of one layer.
    stability: Option<Stability>,
    pruned: PruneReport,
    control: ControlReport,
}

impl Critique {
    /// What speaks against its parts.
    fn warnings(&self) -> impl Iterator<Item = &str> {
        let of_stability = self.stability.iter().filter_map(|of| of.warning.as_deref());
        let of_audit = self.audit.position.warnings.iter().map(String::as_str);
        of_audit.chain(of_stability)
    }

    /// Asks everything of one set of items.
    async fn of(
        session: &mut Session,
        set: &str,
        questions: &Questions,
        job: Job<'_>,
    ) -> Result<Self, CliError> {
        let Questions {
            settings,
            race,
            search,
            resampling,
        } = questions;
        let items: Vec<Item> = session.bench().set(set)?.given().to_vec();
        let parts = dealt(&items, &[1.0; 3], resampling.seed, "give more items")?;
        for (name, items) in PARTS.iter().zip(parts) {
            session.change(|bench| bench.set_items(name, items));
        }
        let [attribution, validation, test] = PARTS;
        // First what finds out soonest that there is nothing to explain.
        session.attribute(attribution, settings, job).await?;
        let audit = session.audit(set, job).await?;
        let race = session.race(race, job).await?;
        let sets = [validation.to_owned()];
        let search = session.search(&sets, search, job).await?;
        let stability = match &search.best {
            Selection::Top(top) => Some(session.stability(*top, *resampling)?),
            _ => None,
        };
        let mask = session.mask_of(&search.best, job).await?;
        let sets = [test.to_owned()];
        let pruned = session.prune(mask, &sets, job).await?;
        let drawn = (CONTROL, resampling.seed);
        let control = session
            .control(pruned.mask.clone(), &sets, drawn, job)
            .await?;
        Ok(Self {
            settings: settings.clone(),
            audit,
            race,
            search,
            stability,
            pruned,
            control,
        })
    }

    /// The same as text with tables.
    fn markdown(&self, model: &str, items: &str) -> String {
        let mut out = format!("### {model} on {items}\n\n");
        for part in [self.audited(), self.raced(), self.searched(), self.tested()] {
            out.push_str(&part);
            out.push('\n');
        }
        out
    }

    fn audited(&self) -> String {
        let Audit {
            accuracy,
            chance,
            asked,
            lengths,
            ..
        } = &self.audit;
        let mut out = format!(
            "**What drives the answers?** {} of {} right ({}); guessing gives {:.0} %. ",
            accuracy.correct,
            accuracy.total,
            share(accuracy),
            100.0 * chance
        );
        for way in asked {
            let how = match way.question {
                Question::Removed => "Without the question",
                Question::Meaningless => "With \"N/A\" as the question",
            };
            let said = match (&way.accuracy, &way.same_answer) {
                (Some(accuracy), Some(same)) => format!(
                    "{} right ({}), and {} of {} get the same answer",
                    accuracy.correct,
                    share(accuracy),
                    same.correct,
                    same.total
                ),
                _ => {
                    let reason = way.refused.as_deref().unwrap_or_default();
                    format!("they cannot be asked so ({reason})")
                }
            };
            let _ = write!(out, "{how}: {said}. ");
        }
        let _ = writeln!(
            out,
            "The longest choice is right in {}, and predicted in {}.",
            lengths.longest_right.correct, lengths.longest_predicted.correct
        );
        out
    }

    fn raced(&self) -> String {
        let race = &self.race;
        let layers = in_words(&race.layers);
        let mut out = format!(
            "**Why this method?** Against the exact ablation of every neuron of {layers} ({} items, {:.0} s), means over the layers, with the \
             range in which 95 % of the resamples of the items lie:\n\n\
             | method | rank correlation | true top {} % found | seconds |\n|---|---|---|---|\n",
            race.items, race.ablation_seconds, race.percent
        );
        for method in &race.methods {
            let _ = writeln!(
                out,
                "| {} | {} | {} | {:.2} |",
                method.settings.method,
                estimated(&method.correlation, 1.0, 2),
                estimated(&method.found, 100.0, 0),
                method.seconds
            );
        }
        out
    }

    fn searched(&self) -> String {
        let SearchReport {
            baseline,
            cells,
            best,
            luck,
            ..
        } = &self.search;
        let of_best = cells.iter().find(|cell| cell.selection == *best);
        let mut out = format!(
            "**Why this layer and percentage?** Of {} cells on {} validation items, {} right without a mask, the best is {best} \
             with {} right. ",
            cells.len(),
            baseline.total,
            baseline.correct,
            of_best.map_or(0, |cell| cell.accuracy.correct),
        );
        if let Some(luck) = luck {
            let n = luck.best.len();
            let mean = luck.best.iter().sum::<usize>() as f64 / n.max(1) as f64;
            let range = luck.best.iter().min().zip(luck.best.iter().max());
            let (low, high) = range.unwrap_or((&0, &0));
            let _ = write!(
                out,
                "The best of as many random masks of the same sizes has {mean:.1} on average ({low} to {high}; {n} surfaces). "
            );
        }
        if let Some(Stability {
            halves,
            overlap,
            chance,
            items,
            ..
        }) = &self.stability
        {
            if let Some(halves) = halves {
                let _ = write!(
                    out,
                    "Two halves of the {items} attribution items choose {} % of the same neurons (chance: {:.0} %). ",
                    estimated(halves, 100.0, 0),
                    100.0 * chance
                );
            }
            let _ = write!(
                out,
                "Resamples of the same {items} items choose {} % of these neurons again.",
                estimated(overlap, 100.0, 0)
            );
        }
        out.push('\n');
        out
    }

    fn tested(&self) -> String {
        let (Some(set), Some(control)) = (self.pruned.sets.first(), self.control.sets.first())
        else {
            return String::new();
        };
        let after = set.after.items.iter().filter(|item| item.correct).count();
        let p = match set.paired.as_ref().map_or(1.0, |paired| paired.p_value) {
            p if p < 0.001 => "p < 0.001".to_owned(),
            p => format!("p = {p:.3}"),
        };
        format!(
            "**On {} test items, looked at once:** {} right before and {after} after that mask of {} neurons (exact test: {p}); \
             {} of {} random masks of the same size in the same layer do at least as well.\n",
            set.before.total,
            set.before.correct,
            self.pruned.neurons,
            control.at_least_as_good,
            self.control.masks
        )
    }
}

/// Layers for people: those that follow each other by the first and the last.
fn in_words(layers: &[usize]) -> String {
    let follow = layers.windows(2).all(|pair| pair[0] + 1 == pair[1]);
    match layers {
        [layer] => format!("layer {layer}"),
        [first, .., last] if follow => format!("layers {first} to {last}"),
        _ => {
            let layers: Vec<String> = layers.iter().map(usize::to_string).collect();
            format!("layers {}", layers.join(", "))
        }
    }
}

/// An accuracy and its interval, in per cent.
fn share(accuracy: &Accuracy) -> String {
    format!(
        "{:.0} %, 95 % interval {:.0}–{:.0}",
        100.0 * accuracy.value,
        100.0 * accuracy.low,
        100.0 * accuracy.high
    )
}

/// An estimate and its interval.
fn estimated(of: &Estimated, scale: f64, digits: usize) -> String {
    let number = |value: f64| format!("{:.digits$}", scale * value);
    format!(
        "{} ({}–{})",
        number(of.value),
        number(of.low),
        number(of.high)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_a_range_where_they_follow_each_other() {
        for (layers, words) in [
            (&[0][..], "layer 0"),
            (&[3, 4], "layers 3 to 4"),
            (&[0, 1, 2], "layers 0 to 2"),
            (&[5, 9, 7], "layers 5, 9, 7"),
            (&[8, 3], "layers 8, 3"),
        ] {
            assert_eq!(in_words(layers), words);
        }
    }
}
