//! Where a result goes: into a file, which is replaced as a whole, or to a stream, which is written to.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// What stands for standard output, or for standard input, in the place of a file's name.
pub(super) const STANDARD_STREAM: &str = "-";

/// As many links as Linux follows one after the other.
const MOST_LINKS: usize = 40;

/// What a path means, whatever it is called by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A file: where links lead, also where nothing is yet.
    File(PathBuf),
    /// This process's standard output.
    Output,
    /// This process's standard error.
    Errors,
    /// A device, a pipe, or an open file of a process: replacing it would take it from those who have it open.
    Stream(PathBuf),
}

impl Place {
    pub(super) fn of(path: &Path) -> Self {
        if path == Path::new(STANDARD_STREAM) {
            return Self::Output;
        }
        let path = followed(path);
        match own_stream(&path) {
            Some("1") => return Self::Output,
            Some("2") => return Self::Errors,
            _ => {}
        }
        let is_file = fs::metadata(&path).map_or(true, |found| found.is_file());
        match is_file && !is_of_system(&path) {
            true => Self::File(path),
            false => Self::Stream(path),
        }
    }

    /// Whether any number of results may go there, since none of them stays.
    pub(super) fn is_nowhere(&self) -> bool {
        matches!(self, Self::Stream(path) if path == Path::new("/dev/null"))
    }

    /// Writes behind what is there. Whoever reads standard output may stop before the end.
    pub(super) fn append(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Output => match written(io::stdout().lock(), bytes) {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
                done => done,
            },
            Self::Errors => written(io::stderr().lock(), bytes),
            Self::File(path) | Self::Stream(path) => {
                written(OpenOptions::new().append(true).open(path)?, bytes)
            }
        }
    }
}

fn written(mut to: impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(bytes).and_then(|()| to.flush())
}

/// The folder that a path is in.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Where the links of a path lead. Those of the system say what is open, and are not followed.
fn followed(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(folder) = fs::canonicalize(folder_of(&path)) else {
            break;
        };
        path = folder.join(path.file_name().unwrap_or_default());
        match fs::read_link(&path) {
            Ok(target) if !is_of_system(&path) => path = folder.join(target),
            _ => break,
        }
    }
    path
}

/// Whether a path is that of a device or a process. The memory in `/dev/shm` holds files.
fn is_of_system(path: &Path) -> bool {
    let is_device = path.starts_with("/dev") && !path.starts_with("/dev/shm");
    is_device || path.starts_with("/proc")
}

/// The number of one of this process's own streams, by any of its names.
fn own_stream(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    let folder = folder_of(path);
    let own = format!("/proc/{}", std::process::id());
    match (folder, name) {
        (folder, "stdout") if folder == Path::new("/dev") => Some("1"),
        (folder, "stderr") if folder == Path::new("/dev") => Some("2"),
        (folder, number) => {
            let is_own = folder == Path::new("/dev/fd")
                || (folder.starts_with(own) && folder.ends_with("fd"));
            is_own.then_some(number)
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_a_stream_means_it() {
        for (path, place) in [
            ("-", Place::Output),
            ("/dev/stdout", Place::Output),
            ("/dev/fd/1", Place::Output),
            ("/dev/../dev/fd/1", Place::Output),
            ("/proc/self/fd/1", Place::Output),
            ("/dev/stderr", Place::Errors),
            ("/proc/self/fd/2", Place::Errors),
            ("/dev/null", Place::Stream("/dev/null".into())),
        ] {
            assert_eq!(Place::of(Path::new(path)), place, "{path}");
        }
        assert!(Place::of(Path::new("/dev/null")).is_nowhere());
        assert!(!Place::of(Path::new("/dev/full")).is_nowhere());
    }

    #[test]
    fn a_link_means_what_it_leads_to_also_where_nothing_is_yet() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::os::unix::fs::symlink("target.json", at("link.json")).unwrap();
        std::os::unix::fs::symlink("/dev/stdout", at("out")).unwrap();
        let target = fs::canonicalize(folder.path()).unwrap().join("target.json");
        assert_eq!(Place::of(&at("link.json")), Place::File(target.clone()));
        fs::write(&target, "").unwrap();
        assert_eq!(Place::of(&at("link.json")), Place::File(target));
        assert_eq!(Place::of(&at("out")), Place::Output);
    }
}
