//! One entry of the options' table: name, value, meaning, and what can be done with it later.

use super::settings::Settings;
use super::value;
use std::time::Duration;

/// A word that an option may take, and what it means.
pub(super) type Word = (&'static str, fn(&mut Settings));

/// What an option takes after `=`, and which setting it changes. Both in one, so that they cannot disagree.
pub(crate) enum Setter {
    /// Nothing.
    Flag(fn(&mut Settings)),
    /// Seconds, with a fraction if wanted.
    Seconds(fn(&mut Settings, Duration)),
    /// A number from 1 to this.
    Count(u32, fn(&mut Settings, u32)),
    /// Bytes, or with `k`, `M`, `G`, `T`.
    Size(fn(&mut Settings, u64)),
    /// A user or group number.
    Id(fn(&mut Settings, u32)),
    /// Permission bits in octal.
    Mode(fn(&mut Settings, u32)),
    /// One of these words.
    Choice(&'static [Word]),
    /// Any text; the word stands for it in help.
    Text(&'static str, fn(&mut Settings, &str) -> Result<(), String>),
    /// Anything or nothing: accepted without effect, for the sake of `mount(8)` and its callers.
    Accepted,
}

impl Setter {
    /// Returns what help writes after `=`, or nothing for a flag.
    pub(crate) fn placeholder(&self) -> Option<String> {
        match self {
            Setter::Flag(_) | Setter::Accepted => None,
            Setter::Seconds(_) => Some("SECONDS".into()),
            Setter::Count(..) => Some("N".into()),
            Setter::Size(_) => Some("SIZE".into()),
            Setter::Id(_) => Some("ID".into()),
            Setter::Mode(_) => Some("MODE".into()),
            Setter::Choice(words) => Some(words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join("|")),
            Setter::Text(word, _) => Some((*word).into()),
        }
    }

    /// Applies a value.
    ///
    /// # Errors
    /// What is wrong with the value, without the option's name.
    pub(crate) fn apply(&self, settings: &mut Settings, given: Option<&str>) -> Result<(), String> {
        let text = match (self, given) {
            (Setter::Accepted, _) => return Ok(()),
            (Setter::Flag(set), None) => {
                set(settings);
                return Ok(());
            }
            (Setter::Flag(_), Some(_)) => return Err("takes no value".into()),
            (_, None | Some("")) => {
                return Err(format!("needs a value ({})", self.placeholder().unwrap_or_default()));
            }
            (_, Some(text)) => text,
        };
        match self {
            Setter::Flag(_) | Setter::Accepted => {}
            Setter::Seconds(set) => set(settings, value::seconds(text)?),
            Setter::Count(max, set) => set(settings, value::count(text, *max)?),
            Setter::Size(set) => set(settings, value::size_bytes(text)?),
            Setter::Id(set) => set(settings, value::id(text)?),
            Setter::Mode(set) => set(settings, value::mode(text)?),
            Setter::Choice(words) => value::choice(text, words)?(settings),
            Setter::Text(_, set) => set(settings, text)?,
        }
        Ok(())
    }
}

/// What an option speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The whole mount.
    Whole,
    /// One provider of it: also to be used in `[[mount]]` of a configuration and in the `mount` command of `ctl`.
    Each,
}

/// What `mount -o remount` does with an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remount {
    /// The daemon takes the new value.
    Live,
    /// The kernel takes the new value; only root may ask for it.
    Kernel,
    /// It stays as it was mounted; a different value is refused by name.
    Fixed,
}

/// One option.
pub(crate) struct Spec {
    /// The name; one that ends with `*` stands for all names that begin like it.
    pub(crate) name: &'static str,
    /// The value and the setting.
    pub(crate) setter: Setter,
    /// What it speaks of.
    pub(crate) scope: Scope,
    /// What can be done with it later.
    pub(crate) remount: Remount,
    /// The providers that know it; empty: all.
    pub(crate) providers: &'static [&'static str],
    /// What it does, in one sentence or two.
    pub(crate) help: &'static str,
}

impl Spec {
    /// Tells whether this is the option that a user names so.
    pub(crate) fn answers_to(&self, name: &str) -> bool {
        match self.name.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => self.name == name,
        }
    }

    /// Tells whether the option has no effect and is only there for others.
    pub(crate) fn is_noise(&self) -> bool {
        matches!(self.setter, Setter::Accepted)
    }

    /// Returns the option as help writes it: `name` or `name=VALUE`.
    pub(crate) fn usage(&self) -> String {
        match self.setter.placeholder() {
            Some(placeholder) => format!("{}={placeholder}", self.name),
            None => self.name.to_owned(),
        }
    }
}
