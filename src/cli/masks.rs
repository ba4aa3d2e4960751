//! `secateur masks`: union, intersection and difference of masks; needs no model.

use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, Subcommand};

use super::CliError;
use super::files::read_text;
use super::outputs::write;
use crate::export::mask_file::MaskFile;
use crate::pruning::Combination;

#[derive(Subcommand)]
pub enum MasksCommand {
    /// The neurons of any of the masks.
    Union(Masks),
    /// The neurons of all of the masks.
    Intersection(Masks),
    /// The neurons of the first mask that are of none of the others.
    Difference(Masks),
}

/// Masks of one model, site and operation.
#[derive(ClapArgs)]
pub struct Masks {
    /// The masks' files, two or more.
    #[arg(required = true, num_args = 2..)]
    pub files: Vec<PathBuf>,
    /// Where to write the mask; standard output when absent.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

impl MasksCommand {
    /// What is combined, and where the result goes.
    pub fn masks(&self) -> &Masks {
        match self {
            Self::Union(masks) | Self::Intersection(masks) | Self::Difference(masks) => masks,
        }
    }
}

/// Combines masks.
pub(super) fn run(command: &MasksCommand) -> Result<(), CliError> {
    let how = match command {
        MasksCommand::Union(_) => Combination::Union,
        MasksCommand::Intersection(_) => Combination::Intersection,
        MasksCommand::Difference(_) => Combination::Difference,
    };
    let Masks { files, out } = command.masks();
    let mut combined: Option<MaskFile> = None;
    for path in files {
        let file = read_mask_file(path)?;
        combined = Some(match combined {
            None => file,
            Some(before) => before
                .combined(&file, how)
                .map_err(|error| CliError::Input(format!("{}: {error}", path.display())))?,
        });
    }
    let file = combined.ok_or_else(|| CliError::Input("give the masks' files".into()))?;
    write(out.as_ref(), format!("{}\n", file.to_json()?).as_bytes())
}

/// A mask's file, whatever model it is of.
pub(super) fn read_mask_file(path: &Path) -> Result<MaskFile, CliError> {
    MaskFile::from_json(&read_text(path)?)
        .map_err(|error| CliError::Input(format!("{}: {error}", path.display())))
}
