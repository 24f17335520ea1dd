//! The options of `-o`: one table, and what a list of them amounts to.

mod reference;
mod settings;
mod spec;
mod table;
mod value;

pub(crate) use reference::{help_text, manual_section, markdown};
pub(crate) use settings::{IoUring, Locks, LogFormat, LogTarget, LowLatency, Passthrough, Settings};
pub(crate) use spec::{Remount, Scope, Spec};

use table::TABLE;

/// The option that asks for a change of an existing mount.
pub(crate) const REMOUNT: &str = "remount";

/// What an option was given as: `name` or `name=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    name: String,
    value: Option<String>,
}

impl Given {
    /// Finds the option in the table.
    ///
    /// # Errors
    /// A sentence that names the unknown option.
    pub(crate) fn spec(&self) -> Result<&'static Spec, String> {
        let found = TABLE.iter().find(|spec| spec.answers_to(&self.name));
        found.ok_or_else(|| match nearest(&self.name) {
            Some(near) => format!("unknown option \"{}\": did you mean \"{near}\"?", self.name),
            None => format!("unknown option \"{}\": see fs9 mount --help", self.name),
        })
    }

    /// Changes the settings as the option says.
    ///
    /// # Errors
    /// A sentence that names the option and what is wrong with it.
    pub(crate) fn apply(&self, settings: &mut Settings) -> Result<(), String> {
        let spec = self.spec()?;
        let applied = spec.setter.apply(settings, self.value.as_deref());
        applied.map_err(|wrong| format!("option \"{}\": {wrong}", self.name))?;
        assert!(spec.answers_to(&self.name), "the option that was found is the one that was given");
        settings.given.insert(spec.name);
        Ok(())
    }
}

impl std::fmt::Display for Given {
    /// Writes the option as it is given in a list, with commas escaped.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        match &self.value {
            Some(value) => write!(f, "={}", value.replace('\\', "\\\\").replace(',', "\\,")),
            None => Ok(()),
        }
    }
}

/// Splits `name,name=value,...`. `\,` and `\\` stand for a comma and a backslash; empty parts mean nothing.
pub(crate) fn split(list: &str) -> Vec<Given> {
    let mut parts = vec![String::new()];
    let mut characters = list.chars();
    while let Some(character) = characters.next() {
        match character {
            ',' => parts.push(String::new()),
            '\\' => parts.last_mut().into_iter().for_each(|part| part.extend(characters.next())),
            other => parts.last_mut().into_iter().for_each(|part| part.push(other)),
        }
    }
    let given = |part: &String| match part.split_once('=') {
        Some((name, value)) => Given { name: name.to_owned(), value: Some(value.to_owned()) },
        None => Given { name: part.clone(), value: None },
    };
    parts.iter().filter(|part| !part.is_empty()).map(given).collect()
}

/// Applies a list of options, the later ones over the earlier.
///
/// # Errors
/// A sentence that names the first option that is unknown or wrong, or two that exclude each other.
pub(crate) fn apply_list(settings: &mut Settings, list: &str) -> Result<(), String> {
    split(list).iter().try_for_each(|given| given.apply(settings))?;
    check_conflicts(settings)
}

/// Like [`apply_list`], for the options of one provider among several.
///
/// # Errors
/// As [`apply_list`], and for an option that speaks of the whole mount.
pub(crate) fn apply_each(settings: &mut Settings, list: &str) -> Result<(), String> {
    for given in split(list) {
        let spec = given.spec()?;
        if spec.scope != Scope::Each {
            return Err(format!("option \"{}\" is for the whole mount, not for one path of it", given.name));
        }
        given.apply(settings)?;
    }
    Ok(())
}

/// Refuses options that were asked for and exclude each other.
fn check_conflicts(settings: &Settings) -> Result<(), String> {
    let asked = settings.given.contains("passthrough") && settings.passthrough == Passthrough::Auto;
    if settings.writeback && asked {
        return Err("options \"writeback\" and \"passthrough=auto\" exclude each other: leave one out".into());
    }
    // A wait for a lock counts as a request without an answer.
    if settings.locks == Locks::Provider && settings.request_timeout_s.is_some() {
        return Err(
            "options \"locks=provider\" and \"request_timeout\" exclude each other: leave one out".into()
        );
    }
    // With a single thread nobody watches the pace of requests.
    if settings.low_latency == LowLatency::On && settings.threads_max == Some(1) {
        return Err(
            "options \"low_latency=on\" and \"max_threads=1\" exclude each other: leave one out".into()
        );
    }
    Ok(())
}

/// Refuses options that this provider does not know.
///
/// # Errors
/// A sentence that names the option and who knows it.
pub(crate) fn check_provider(settings: &Settings, provider: &str) -> Result<(), String> {
    for spec in TABLE.iter().filter(|spec| settings.given.contains(spec.name)) {
        if !spec.providers.is_empty() && !spec.providers.contains(&provider) {
            let known = spec.providers.join(", ");
            return Err(format!("option \"{}\" is for {known}, not for {provider}: leave it out", spec.name));
        }
    }
    Ok(())
}

/// Returns the option whose name is a slip of the fingers away: one letter in three.
fn nearest(name: &str) -> Option<&'static str> {
    let candidates =
        TABLE.iter().map(|spec| spec.name).filter(|known| !known.ends_with('*') && known.len() > 2);
    candidates
        .min_by_key(|known| distance(name, known))
        .filter(|known| distance(name, known) * 3 <= name.len())
}

/// Counts the letters to insert, remove or replace to make one word of the other.
fn distance(from: &str, to: &str) -> usize {
    let mut costs: Vec<usize> = (0..=to.len()).collect();
    for (row, a) in from.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut costs[0], row + 1);
        for (column, b) in to.bytes().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = costs[column + 1];
            costs[column + 1] = replaced.min(diagonal + 1).min(costs[column] + 1);
        }
    }
    costs.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Settings, apply_each, apply_list, check_provider, split};
    use std::time::Duration;

    fn settings(list: &str) -> Result<Settings, String> {
        let mut settings = Settings::default();
        apply_list(&mut settings, list).map(|()| settings)
    }

    #[test]
    fn the_later_of_two_opposites_wins() {
        assert!(!settings("ro,rw").unwrap().read_only);
        assert!(settings("rw,ro").unwrap().read_only);
        assert!(settings("nosuid,dev,suid").unwrap().suid);
        assert!(!settings("noatime,relatime").unwrap().noatime);
    }

    #[test]
    fn an_unknown_option_is_refused_by_name() {
        assert_eq!(
            settings("ro,frobnicate=7").unwrap_err(),
            "unknown option \"frobnicate\": see fs9 mount --help"
        );
        assert_eq!(
            settings("alow_other").unwrap_err(),
            "unknown option \"alow_other\": did you mean \"allow_other\"?"
        );
    }

    #[test]
    fn what_fstab_lines_carry_is_accepted() {
        settings("defaults,_netdev,nofail,noauto,x-systemd.automount,x-gvfs-show,comment=home,users")
            .unwrap();
    }

    #[test]
    fn values_are_checked_and_named() {
        assert_eq!(settings("attr_timeout=5").unwrap().attr_timeout, Some(Duration::from_secs(5)));
        assert_eq!(
            settings("attr_timeout=soon").unwrap_err(),
            "option \"attr_timeout\": \"soon\" is not a number of seconds"
        );
        assert_eq!(settings("attr_timeout").unwrap_err(), "option \"attr_timeout\": needs a value (SECONDS)");
        assert_eq!(settings("ro=1").unwrap_err(), "option \"ro\": takes no value");
        assert_eq!(
            settings("passthrough=on").unwrap_err(),
            "option \"passthrough\": \"on\" is not one of auto, off"
        );
    }

    #[test]
    fn writeback_excludes_passthrough_only_where_both_are_asked_for() {
        settings("writeback").unwrap();
        settings("writeback,passthrough=off").unwrap();
        assert!(settings("passthrough=auto,writeback").unwrap_err().contains("exclude each other"));
    }

    #[test]
    fn what_needs_two_threads_excludes_one() {
        settings("low_latency=on,max_threads=2").unwrap();
        settings("low_latency=auto,max_threads=1").unwrap();
        assert!(settings("max_threads=1,low_latency=on").unwrap_err().contains("exclude each other"));
    }

    #[test]
    fn threads_are_bounded() {
        assert_eq!(settings("max_threads=64").unwrap().threads_max, Some(64));
        for count in ["0", "65", "-1", "4294967297"] {
            assert_eq!(
                settings(&format!("max_threads={count}")).unwrap_err(),
                format!("option \"max_threads\": \"{count}\" is not a number from 1 to 64")
            );
        }
    }

    #[test]
    fn an_option_of_another_provider_is_refused() {
        let settings = settings("size=1M").unwrap();
        check_provider(&settings, "memory").unwrap();
        assert_eq!(
            check_provider(&settings, "local").unwrap_err(),
            "option \"size\" is for memory, not for local: leave it out"
        );
    }

    #[test]
    fn an_option_of_the_whole_mount_is_refused_for_one_path() {
        let mut each = Settings::default();
        apply_each(&mut each, "ro,size=1M").unwrap();
        assert!(apply_each(&mut each, "suid").unwrap_err().contains("for the whole mount"));
    }

    #[test]
    fn a_comma_in_a_value_is_escaped_and_survives_printing() {
        let given = split(r"fsname=a\,b\\c,,ro");
        assert_eq!(given.len(), 2);
        assert_eq!(given[0].value.as_deref(), Some(r"a,b\c"));
        assert_eq!(split(&given[0].to_string()), given[..1]);
    }
}
