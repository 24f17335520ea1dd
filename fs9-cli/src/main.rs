//! The `fs9` command: the only crate that reads environment and configuration, and that wires the others together.
//!
//! Invariant: nothing here starts a thread before the daemon was forked off.
#![forbid(unsafe_code)]

mod assemble;
mod command;
mod config;
mod control;
mod daemon;
mod doctor;
mod environment;
mod fault;
mod holders;
mod invocation;
mod logging;
mod manual;
mod mount;
mod mountinfo;
mod mountpoint;
mod options;
mod plan;
mod privileges;
mod providers;
mod remount;
mod source;
mod status;
mod top;
mod umount;

use clap::FromArgMatches as _;
use command::{Cli, Command};
use environment::Environment;
use fault::{Fault, Outcome};
use invocation::Invocation;
use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    match run(&arguments, &Environment::read()) {
        Ok(code) => code,
        Err(fault) => fault.report(),
    }
}

/// Does what the arguments say.
fn run(arguments: &[OsString], environment: &Environment) -> Outcome<ExitCode> {
    let definitions = command::definitions();
    let commands: Vec<String> = definitions.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    if let Invocation::MountHelper(call) = invocation::recognise(arguments, &commands)? {
        return mount::run_helper(&call, environment).map(|()| ExitCode::SUCCESS);
    }
    let matches = definitions.try_get_matches_from(arguments);
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) if !error.use_stderr() => {
            // --help and --version. A closed pipe is the reader's choice.
            let _closed = error.print();
            return Ok(ExitCode::SUCCESS);
        }
        Err(error) => return Err(usage_fault(&error)),
    };
    match cli.command {
        Command::Mount(arguments) => mount::run(&arguments, environment)?,
        Command::Umount(arguments) => umount::run(&arguments)?,
        Command::Status(arguments) => status::run(&arguments)?,
        Command::Top(arguments) => top::run(&arguments)?,
        Command::Doctor(arguments) => return doctor::run(&arguments),
        Command::Completions { shell } => manual::completions(shell)?,
        Command::Man(arguments) => manual::run(&arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Turns a parser's paragraph into our one line.
fn usage_fault(error: &clap::Error) -> Fault {
    use clap::error::ErrorKind::{DisplayHelpOnMissingArgumentOrSubcommand, MissingSubcommand};
    if matches!(error.kind(), DisplayHelpOnMissingArgumentOrSubcommand | MissingSubcommand) {
        return Fault::usage("no command: see fs9 --help");
    }
    let text = error.to_string();
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = paragraph.split_whitespace().collect();
    let line = words.join(" ");
    let line = line.strip_prefix("error: ").unwrap_or(&line);
    Fault::usage(format!("{line}: see fs9 --help"))
}
