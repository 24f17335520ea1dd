//! The table of options as people read it: in `--help`, in the man page, and as a page of the documentation.

use super::spec::{Remount, Scope, Spec};
use super::table::TABLE;
use std::fmt::Write as _;

/// How far the explanations of `--help` are moved to the right.
const INDENT: usize = 26;

/// How wide a line of `--help` is: clap breaks longer ones without indenting what follows.
const WIDTH: usize = 80;

/// Returns the options as `--help` shows them.
pub(crate) fn help_text() -> String {
    let mut text = String::from("Options of -o (separated by commas, later ones go over earlier ones):\n");
    for spec in shown() {
        let usage = format!("  {}", spec.usage());
        let lines = wrapped(&restricted_help(spec), WIDTH - INDENT);
        if usage.len() + 2 > INDENT {
            text.push_str(&format!("{usage}\n{:INDENT$}{}\n", "", lines.join(&continuation())));
        } else {
            text.push_str(&format!("{usage:INDENT$}{}\n", lines.join(&continuation())));
        }
    }
    let accepted =
        format!("Accepted without effect, for mount(8) and fstab(5): {}.", accepted_names().join(", "));
    text.push_str(&format!("\n{}", wrapped(&accepted, WIDTH).join("\n")));
    text
}

/// Returns the break between two lines of an explanation.
fn continuation() -> String {
    format!("\n{:INDENT$}", "")
}

/// Breaks a text into lines of at most this many characters.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Returns the options' page of the documentation.
pub(crate) fn markdown() -> String {
    let mut page = String::from(
        "# Options\n\n<!-- Generated from the table of options by `fs9 man --options FILE`; a test keeps it current. -->\n\n\
         Options are given to `-o` of `fs9 mount`, separated by commas, in `options` of a configuration, or in the fourth \
         field of `/etc/fstab`. A later option goes over an earlier one. A comma inside a value is written `\\,`, a \
         backslash `\\\\`.\n\n\
         *For* says what an option speaks of: the whole mount, or one provider of it, in which case it may also stand in \
         the `options` of a `[[mount]]` and in the control command `mount`. *Remount* says what `mount -o remount` does: \
         `yes`, the daemon takes the new value; `root`, the kernel takes it from root; `no`, a value other than the one in \
         force is refused by name.\n\n\
         | Option | For | Remount | Meaning |\n|---|---|---|---|\n",
    );
    for spec in shown() {
        let usage = spec.usage().replace('|', "\\|");
        // Writing into a String cannot fail.
        let _infallible = writeln!(
            page,
            "| `{usage}` | {} | {} | {} |",
            audience(spec),
            remount_word(spec.remount),
            spec.help
        );
    }
    let accepted: Vec<String> = accepted_names().iter().map(|name| format!("`{name}`")).collect();
    page.push_str(&format!(
        "\nAccepted without effect, because `mount(8)`, `fstab(5)` and systemd use them: {}.\n",
        accepted.join(", ")
    ));
    page
}

/// Returns the options as a section of the man page, in the language of `man(7)`.
pub(crate) fn manual_section() -> String {
    let mut section = String::from(
        ".SH MOUNT OPTIONS\nWhat \\fB\\-o\\fR takes, separated by commas; later ones go over earlier ones.\n",
    );
    for spec in shown() {
        let (usage, help) = (roff(&spec.usage().to_string()), roff(&restricted_help(spec)));
        section.push_str(&format!(".TP\n\\fB{usage}\\fR\n{help}\n"));
    }
    let accepted = roff(&accepted_names().join(", "));
    section.push_str(&format!(".PP\nAccepted without effect, for mount(8) and fstab(5): {accepted}.\n"));
    section
}

/// Returns text as `man(7)` takes it. A line never begins with a dot here.
fn roff(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}

/// Returns the options that do something.
fn shown() -> impl Iterator<Item = &'static Spec> {
    TABLE.iter().filter(|spec| !spec.is_noise() || spec.name == "default_permissions")
}

/// Returns the names of the options that are only there for others.
fn accepted_names() -> Vec<&'static str> {
    TABLE
        .iter()
        .filter(|spec| spec.is_noise() && spec.name != "default_permissions")
        .map(|spec| spec.name)
        .collect()
}

/// Returns the help with the providers that know the option.
fn restricted_help(spec: &Spec) -> String {
    match spec.providers {
        [] => spec.help.to_owned(),
        providers => format!("[{}] {}", providers.join(", "), spec.help),
    }
}

/// Returns what an option speaks of, in words.
fn audience(spec: &Spec) -> String {
    match (spec.scope, spec.providers) {
        (Scope::Whole, _) => "the mount".into(),
        (Scope::Each, []) => "each provider".into(),
        (Scope::Each, providers) => providers.join(", "),
    }
}

/// Returns what a remount does, in a word.
fn remount_word(remount: Remount) -> &'static str {
    match remount {
        Remount::Live => "yes",
        Remount::Kernel => "root",
        Remount::Fixed => "no",
    }
}

#[cfg(test)]
mod tests {
    use super::{help_text, markdown};

    #[test]
    fn the_options_page_of_the_documentation_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/src/options.md");
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(committed == markdown(), "write it anew with: fs9 man --options docs/src/options.md");
    }

    #[test]
    fn no_line_of_the_help_is_wider_than_a_terminal() {
        for line in help_text().lines() {
            assert!(line.len() <= super::WIDTH, "{line}");
        }
    }

    #[test]
    fn help_shows_values_and_the_providers_that_know_an_option() {
        let help = help_text();
        assert!(help.contains("passthrough=auto|off"), "{help}");
        assert!(help.contains("[memory] How many bytes"), "{help}");
    }
}
