//! What runs without a browser: the engine and PyTorch, each a process on one core that is asked for a work by a line of JSON.

use super::table::{Row, Side, Table};
use crate::tools;
use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// The core that both have, one at a time.
const CORE: &str = "0";
const ATTRIBUTED_TOKENS: usize = 29;
/// Midpoints of an attribution.
const STEPS: u32 = 20;
/// A token that is explained.
const TOKEN: u32 = 260;

/// What a process answers.
#[derive(Deserialize)]
struct Done {
    seconds: f64,
    /// Numbers to compare: logits, or a row of scores for each layer.
    #[serde(default)]
    values: Vec<Vec<f32>>,
    /// The matrix products that cannot be done without: how often, rows, depth, columns.
    #[serde(default)]
    products: Vec<[usize; 4]>,
    /// Why it was not done.
    error: Option<String>,
}

/// A process that works on one core.
struct Process {
    name: &'static str,
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Process {
    fn start(name: &'static str, command: &Command) -> Result<Self> {
        let mut pinned = pinned(command);
        tools::announce(&pinned);
        let mut child = pinned
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        let answers = child.stdout.take().context("a process has no output")?;
        Ok(Self {
            name,
            child,
            answers: BufReader::new(answers),
        })
    }

    fn ask(&mut self, work: &Value) -> Result<Done> {
        let input = self
            .child
            .stdin
            .as_mut()
            .context("a process has no input")?;
        writeln!(input, "{work}").with_context(|| format!("{} has ended", self.name))?;
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("{} ended without an answer", self.name);
        }
        let done: Done = serde_json::from_str(&line)
            .with_context(|| format!("{} answered {line:?}", self.name))?;
        match done.error {
            Some(error) => Err(anyhow!("{}: {error}", self.name)),
            None => Ok(done),
        }
    }
}

impl Drop for Process {
    /// Without input it ends by itself.
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().ok();
    }
}

/// A command on one core, where the system has a program for that.
fn pinned(command: &Command) -> Command {
    let mut pinned = match tools::find("taskset") {
        Some(taskset) => {
            let mut pinned = tools::program(taskset);
            pinned.args(["-c", CORE]).arg(command.get_program());
            pinned
        }
        None => tools::program(command.get_program()),
    };
    pinned.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => pinned.env(name, value),
            None => pinned.env_remove(name),
        };
    }
    pinned
}

/// The engine, by its benchmark.
fn engine() -> Result<Process> {
    tools::run(tools::engine_bench().arg("--no-run"))?;
    let mut bench = tools::engine_bench();
    bench.arg("--quiet").env("SECATEUR_BENCH_PEERS", "1");
    Process::start("the engine", &bench)
}

fn pytorch(python: Option<&Path>, gguf: &Path) -> Result<Process> {
    let python = python.context("Python's packages are not there")?;
    let mut command = tools::program(python);
    command.arg("benches/peers/native.py").arg(gguf);
    command.env("OMP_NUM_THREADS", "1").env("TQDM_DISABLE", "1");
    Process::start("PyTorch", &command)
}

/// What somebody did, or why nothing.
type Answer = Result<Done, String>;

/// Who does something.
#[derive(Clone, Copy)]
enum Who {
    Engine,
    PyTorch,
}

/// What one of them is asked for in every round, and the fastest answer, or why there is none.
struct Turn {
    who: Who,
    asked: Value,
    best: Answer,
}

/// What our time is held against.
enum To {
    /// PyTorch's for the same work; how far the numbers differ.
    Same(fn(&Answer, &Answer) -> String),
    /// PyTorch's for the matrix products that the work cannot do without.
    Products,
}

/// The largest ratio that is aimed at.
struct Aim {
    ratio: f64,
    to: To,
}

struct Work {
    name: &'static str,
    asked: Value,
    rounds: usize,
    aims: Vec<Aim>,
}

/// Both processes.
struct Contest {
    engine: Process,
    pytorch: Result<Process, String>,
}

impl Contest {
    fn ask(&mut self, who: Who, asked: &Value) -> Answer {
        let process = match who {
            Who::Engine => &mut self.engine,
            Who::PyTorch => self.pytorch.as_mut().map_err(|reason| reason.clone())?,
        };
        process.ask(asked).map_err(|error| format!("{error:#}"))
    }

    /// A first round, which warms up.
    fn turn(&mut self, who: Who, asked: Value) -> Turn {
        let best = self.ask(who, &asked);
        Turn { who, asked, best }
    }

    fn rounds(&mut self, turns: &mut [Turn], rounds: usize) {
        for _ in 0..rounds {
            for turn in &mut *turns {
                let Ok(best) = &turn.best else { continue };
                match self.ask(turn.who, &turn.asked) {
                    Ok(done) if done.seconds >= best.seconds => {}
                    other => turn.best = other,
                }
            }
        }
    }

    /// Has everybody do a work in turn; its rows of the table.
    fn hold(&mut self, work: &Work) -> Vec<Row> {
        let ours = self.turn(Who::Engine, work.asked.clone());
        let products = match &ours.best {
            Ok(done) => json!({ "work": "products", "sizes": done.products }),
            Err(_) => Value::Null,
        };
        let mut turns = vec![ours];
        turns.extend(work.aims.iter().map(|aim| {
            let asked = match aim.to {
                To::Same(_) => work.asked.clone(),
                To::Products => products.clone(),
            };
            self.turn(Who::PyTorch, asked)
        }));
        self.rounds(&mut turns, work.rounds);
        let (ours, others) = turns.split_at(1);
        let row = |(aim, other): (&Aim, &Turn)| {
            let (ours, other) = (&ours[0].best, &other.best);
            let (name, note) = match aim.to {
                To::Same(compare) => ("PyTorch", compare(ours, other)),
                To::Products => ("its matrix products alone, in PyTorch", flops(ours)),
            };
            Row {
                work: work.name.to_owned(),
                ours: side("secateur", ours),
                other: side(name, other),
                aim: Some(aim.ratio),
                note,
            }
        };
        work.aims.iter().zip(others).map(row).collect()
    }
}

fn side(name: &str, done: &Answer) -> Side {
    Side {
        name: name.to_owned(),
        seconds: done
            .as_ref()
            .map(|done| done.seconds)
            .map_err(String::clone),
    }
}

/// How many operations the products take.
fn flops(ours: &Answer) -> String {
    let Ok(ours) = ours else {
        return String::new();
    };
    let flops = |[count, rows, depth, columns]: &[usize; 4]| {
        2.0 * [count, rows, depth, columns]
            .map(|&size| size as f64)
            .iter()
            .product::<f64>()
    };
    format!(
        "{:.0} GFLOP",
        ours.products.iter().map(flops).sum::<f64>() / 1e9
    )
}

/// The pairs of numbers of two answers, row by row.
fn differences(ours: &Answer, other: &Answer, of_row: fn(&[f32], &[f32]) -> f32) -> Option<f32> {
    let (ours, other) = (ours.as_ref().ok()?, other.as_ref().ok()?);
    let rows = ours.values.iter().zip(&other.values);
    rows.map(|(ours, other)| of_row(ours, other))
        .reduce(f32::max)
}

/// Infinite where there is no comparing: other lengths, or a value that is no number.
fn largest_difference(ours: &[f32], other: &[f32]) -> f32 {
    if ours.len() != other.len() {
        return f32::INFINITY;
    }
    let pairs = ours.iter().zip(other);
    pairs
        .map(|(ours, other)| (ours - other).abs())
        .map(|difference| {
            if difference.is_nan() {
                f32::INFINITY
            } else {
                difference
            }
        })
        .fold(0.0, f32::max)
}

fn logits_differ(ours: &Answer, other: &Answer) -> String {
    differences(ours, other, largest_difference).map_or_else(String::new, |difference| {
        format!("logits differ by at most {difference:.0e}")
    })
}

fn scores_differ(ours: &Answer, other: &Answer) -> String {
    let of_layer = |ours: &[f32], other: &[f32]| {
        largest_difference(ours, other)
            / other
                .iter()
                .fold(0.0, |largest, score| score.abs().max(largest))
    };
    differences(ours, other, of_layer).map_or_else(String::new, |share| {
        format!("scores differ by at most {share:.0e} of a layer's largest")
    })
}

/// The engine against PyTorch, one core each in turn; the rows go into the table. `ids` are a prompt's tokens.
///
/// # Errors
/// When the engine's benchmark cannot be built or started. Without PyTorch its side is left out.
pub fn measure(python: Option<&Path>, gguf: &Path, ids: &[u32], table: &mut Table) -> Result<()> {
    let mut contest = Contest {
        engine: engine()?,
        pytorch: pytorch(python, gguf).map_err(|error| format!("{error:#}")),
    };
    let attributed = &ids[..ATTRIBUTED_TOKENS.min(ids.len())];
    let works = [
        Work {
            name: "native, one thread: forward pass, 64 tokens",
            asked: json!({ "work": "forward", "ids": ids }),
            rounds: 7,
            aims: vec![Aim {
                ratio: 0.9,
                to: To::Same(logits_differ),
            }],
        },
        Work {
            name: "native, one thread: IG of 29 tokens, `per_layer`, `last`, all layers, 20 midpoints",
            asked: json!({ "work": "attribution", "ids": attributed, "token": TOKEN, "steps": STEPS }),
            rounds: 3,
            aims: vec![
                Aim {
                    ratio: 0.2,
                    to: To::Same(scores_differ),
                },
                Aim {
                    ratio: 1.4,
                    to: To::Products,
                },
            ],
        },
        Work {
            name: "native, one thread: search, 4 items, 3 layers × 6 percentages",
            asked: json!({ "work": "search" }),
            rounds: 3,
            aims: vec![Aim {
                ratio: 1.3,
                to: To::Products,
            }],
        },
        Work {
            name: "native, one thread: a step of tuning the gains of layer 0, 4 items",
            asked: json!({ "work": "tuning" }),
            rounds: 3,
            aims: vec![Aim {
                ratio: 1.5,
                to: To::Products,
            }],
        },
    ];
    for work in &works {
        table.extend(contest.hold(work));
    }
    Ok(())
}
