//! Man pages, completions and the options' page, written from the definitions of the command line.

use crate::command::{self, ManArgs};
use crate::fault::{Fault, Outcome, Status};
use crate::options;
use clap_complete::Shell;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

/// Writes a shell's completions to standard output.
///
/// # Errors
/// A fault if standard output does not take them.
pub(crate) fn completions(shell: Shell) -> Outcome<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command::definitions(), "fs9", &mut script);
    print(&script)
}

/// Writes the man pages into a directory, or the options' page to a file.
///
/// # Errors
/// A fault if a file cannot be written.
pub(crate) fn run(arguments: &ManArgs) -> Outcome<()> {
    if let Some(file) = &arguments.options {
        return std::fs::write(file, options::markdown()).map_err(|error| unwritable(file, &error));
    }
    let Some(directory) = &arguments.directory else {
        return Err(Fault::usage("man: no directory: see fs9 man --help"));
    };
    std::fs::create_dir_all(directory).map_err(|error| unwritable(directory, &error))?;
    // The options of -o as --help shows them are laid out for a terminal: a man page would break them anew.
    let definitions = command::definitions().mut_subcommand("mount", |mount| mount.after_help(None));
    clap_mangen::generate_to(definitions, directory).map_err(|error| unwritable(directory, &error))?;
    let page = directory.join("fs9-mount.1");
    OpenOptions::new()
        .append(true)
        .open(&page)
        .and_then(|mut file| file.write_all(options::manual_section().as_bytes()))
        .map_err(|error| unwritable(&page, &error))?;
    // mount(8) users look for the helper's name.
    let link = directory.join("mount.fs9.8");
    std::fs::write(&link, ".so man1/fs9-mount.1\n").map_err(|error| unwritable(&link, &error))
}

/// Writes to standard output.
///
/// # Errors
/// A fault unless all was written; a reader who has had enough is none.
pub(crate) fn print(bytes: &[u8]) -> Outcome<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Fault::new(Status::System, format!("standard output: {error}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(Status::System, format!("man: {}: {error}", path.display()))
}
