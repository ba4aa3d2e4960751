//! The page's types, made of the engine's. `cargo xtask types` writes them; the test fails where they are not current.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ts_rs::{Config, TS, TypeVisitor};

use super::answers::{Estimate, WebError};
use super::layout::{comment, comment_lines, declaration};
use super::surface::*;
use crate::attribution::settings::{ADAPTIVE_STEPS, CONSENSUS, MAX_STEPS, TOLERANCE};
use crate::items::{MAX_CHOICES, MAX_SHOTS};
use crate::job::Progress;
use crate::pruning::effect::MAX_CONTROL_MASKS;
use crate::pruning::mask::MAX_FACTOR;
use crate::pruning::search::MAX_CELL_MASKS;
use crate::pruning::search::spec::MAX_CANDIDATES;
use crate::scoring::position::MAX_ORDERS;
use crate::study::{MAX_KEPT_MASKS, MAX_MASK_NAME};
use crate::tuning::TuneDetail;

/// Where they are committed.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/www/src/wire/engine.ts");
/// Set by `cargo xtask types`: the file is to be written, not compared.
const WRITE: &str = "SECATEUR_WRITE_TYPES";

const HEADER: &str = "\
// What the page and the engine say to each other. Made by `cargo xtask types` from the Rust sources, and not to be edited:
// the calls stand in src/wire/surface.rs, and each document's type where the engine has it.

/** One file of a model. */
export interface ModelFile {
  name: string;
  file: Blob;
}

/** Is told how far a call is. */
export type OnProgress = (progress: Progress) => void;

/** A result with what it was made of: a part for each of its sets, and one for the attribution that it rests on. */
export type Stamped<T> = T & { made_of: MadeOf[] };
";

/// One call of the table.
struct Call {
    docs: Vec<String>,
    name: &'static str,
    /// Its arguments in TypeScript.
    arguments: String,
    answer: String,
}

/// The types that calls name, and all that these name.
struct Types {
    config: Config,
    found: BTreeMap<String, String>,
}

impl TypeVisitor for Types {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        // What a generic type is of may be new where the type itself is not.
        T::visit_generics(self);
        if T::output_path().is_some() {
            let name = T::ident(&self.config);
            if self.found.contains_key(&name) {
                return;
            }
            let docs = T::docs().unwrap_or_default();
            let declared = declaration(&docs, &T::decl(&self.config));
            self.found.insert(name, declared);
        }
        T::visit_dependencies(self);
    }
}

impl Types {
    /// A type's name in TypeScript, from now on one of those that are declared.
    fn name<T: TS + 'static>(&mut self) -> String {
        self.visit::<T>();
        match T::name(&self.config) {
            nothing if nothing == "null" => "void".to_owned(),
            name => name,
        }
    }
}

macro_rules! described {
    (
        quick {$(
            $(#[doc = $quick_doc:literal])*
            fn $quick:ident($($quick_value:ident: $quick_request:ty)?) -> $quick_answer:ty;
        )*}
        loading {$(
            $(#[doc = $loading_doc:literal])*
            fn $loading:ident($loading_value:ident: $loading_request:ty) -> $loading_answer:ty;
        )*}
        long {$(
            $(#[doc = $long_doc:literal])*
            fn $long:ident($long_value:ident: $long_request:ty) -> $long_answer:ty;
        )*}
    ) => {
        /// The names of the calls that are jobs.
        const LONG: &[&str] = &[$(stringify!($long)),*];

        fn calls(types: &mut Types) -> Vec<Call> {
            vec![
                $(Call {
                    docs: comment_lines(concat!($($quick_doc, "\n"),*)),
                    name: stringify!($quick),
                    arguments: String::new() $(
                        + stringify!($quick_value) + ": " + &types.name::<$quick_request>()
                    )?,
                    answer: types.name::<$quick_answer>(),
                },)*
                $(Call {
                    docs: comment_lines(concat!($($loading_doc, "\n"),*)),
                    name: stringify!($loading),
                    arguments: format!(
                        "{}: {}, files: ModelFile[], progress: OnProgress",
                        stringify!($loading_value),
                        types.name::<$loading_request>()
                    ),
                    answer: format!("Promise<{}>", types.name::<$loading_answer>()),
                },)*
                $(Call {
                    docs: comment_lines(concat!($($long_doc, "\n"),*)),
                    name: stringify!($long),
                    arguments: format!(
                        "{}: {}, progress: OnProgress",
                        stringify!($long_value),
                        types.name::<$long_request>()
                    ),
                    answer: format!("Promise<{}>", types.name::<$long_answer>()),
                },)*
            ]
        }
    };
}

surface!(described);

/// Limits and first values that controls of the page have from the engine: their names there, what they are, and they.
fn limits() -> [(&'static str, &'static str, f64); 13] {
    [
        ("choices", "Most choices of an item.", MAX_CHOICES as f64),
        ("shots", "Most shots of a prompt.", MAX_SHOTS as f64),
        (
            "orders",
            "Most orders of an item's choices.",
            MAX_ORDERS as f64,
        ),
        ("steps", "Most steps of a path.", MAX_STEPS as f64),
        (
            "tolerance",
            "Share of the difference that a layer's scores may miss, unless another is chosen.",
            TOLERANCE,
        ),
        (
            "adaptive_steps",
            "Steps at most where there is a tolerance, unless others are chosen.",
            ADAPTIVE_STEPS as f64,
        ),
        (
            "consensus",
            "Share of an item's largest score that a neuron must reach to count in it, unless another is chosen.",
            CONSENSUS,
        ),
        (
            "control_masks",
            "Most random masks of a control.",
            MAX_CONTROL_MASKS as f64,
        ),
        (
            "cell_masks",
            "Most random masks of a cell of the search.",
            MAX_CELL_MASKS as f64,
        ),
        (
            "candidates",
            "Most neurons among which a search picks one by one.",
            MAX_CANDIDATES as f64,
        ),
        (
            "factor",
            "Largest factor of a mask that scales, of either sign.",
            MAX_FACTOR,
        ),
        (
            "kept_masks",
            "Most kept masks of a study.",
            MAX_KEPT_MASKS as f64,
        ),
        (
            "mask_name",
            "Most characters of a kept mask's name.",
            MAX_MASK_NAME as f64,
        ),
    ]
}

/// The whole file.
fn typescript() -> String {
    let mut types = Types {
        config: Config::new().with_large_int("number"),
        found: BTreeMap::new(),
    };
    let calls = calls(&mut types);
    // What no call names.
    types.visit::<WebError>();
    types.visit::<Progress>();
    types.visit::<TuneDetail>();
    types.visit::<Estimate>();

    let mut file = HEADER.to_owned();
    for declaration in types.found.values() {
        write!(file, "\n{declaration}").unwrap();
    }
    file.push_str("\n/** The engine. No call may overlap another. */\nexport interface Engine {\n");
    for call in calls {
        let docs = comment(&call.docs, "  ");
        let Call {
            name,
            arguments,
            answer,
            ..
        } = call;
        writeln!(file, "{docs}  {name}({arguments}): {answer};").unwrap();
    }
    file.push_str(
        "  /** Gives its memory back; it cannot be used any more. */\n  free(): void;\n}\n",
    );
    let long: String = LONG.iter().map(|name| format!("  \"{name}\",\n")).collect();
    file.push_str("\n/** What controls have from the engine. */\nexport const LIMITS = {\n");
    for (name, docs, value) in limits() {
        writeln!(file, "  /** {docs} */\n  {name}: {value},").unwrap();
    }
    file.push_str("} as const;\n");
    write!(
        file,
        "\n/** The calls that are jobs: they are told how far they are, and can be cancelled. */\n\
         export const LONG_CALLS: readonly (keyof Engine)[] = [\n{long}];\n"
    )
    .unwrap();
    file
}

#[test]
fn the_types_of_the_page_are_current() {
    let made = typescript();
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(FILE, &made).unwrap();
    }
    let committed = std::fs::read_to_string(FILE).unwrap_or_default();
    let differs = committed
        .lines()
        .zip(made.lines())
        .find(|(was, is)| was != is);
    assert!(
        committed == made,
        "www/src/wire/engine.ts is not what the Rust sources say (first difference: {differs:?}); `cargo xtask types` \
         writes it anew"
    );
}
