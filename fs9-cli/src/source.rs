//! A source as the user writes it: a path, or `PROVIDER:ARGUMENT`.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

/// The provider of a source that is a plain path.
const PATH_PROVIDER: &str = "local";

/// Which provider, and what it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// The provider's name.
    pub(crate) provider: String,
    /// What stands after the colon, or the whole path.
    pub(crate) argument: OsString,
}

impl Source {
    /// Reads a source. A word before a colon names a provider if no slash stands before it, so that `./a:b` is a path.
    pub(crate) fn parse(text: &OsStr) -> Source {
        let bytes = text.as_bytes();
        if let Some(colon) = bytes.iter().position(|b| *b == b':') {
            let (word, argument) = (&bytes[..colon], &bytes[colon + 1..]);
            if let Ok(provider) = std::str::from_utf8(word)
                && is_provider_name(provider)
            {
                return Source {
                    provider: provider.to_owned(),
                    argument: OsString::from_vec(argument.to_vec()),
                };
            }
        }
        Source { provider: PATH_PROVIDER.to_owned(), argument: text.to_owned() }
    }
}

/// Tells whether a word can be a provider's name: a letter, then letters, digits, `-` and `_`.
fn is_provider_name(word: &str) -> bool {
    let mut characters = word.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.provider == PATH_PROVIDER {
            return write!(f, "{}", self.argument.display());
        }
        write!(f, "{}:{}", self.provider, self.argument.display())
    }
}

#[cfg(test)]
mod tests {
    use super::Source;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    fn parts(text: &str) -> (String, String) {
        let source = Source::parse(OsStr::new(text));
        (source.provider, source.argument.into_string().unwrap())
    }

    #[test]
    fn a_path_is_local() {
        assert_eq!(parts("/srv/data"), ("local".into(), "/srv/data".into()));
        assert_eq!(parts("data"), ("local".into(), "data".into()));
        assert_eq!(parts("local:/srv/a:b"), ("local".into(), "/srv/a:b".into()));
    }

    #[test]
    fn a_word_before_a_colon_names_a_provider_unless_a_slash_comes_first() {
        assert_eq!(parts("memory:"), ("memory".into(), String::new()));
        assert_eq!(parts("s3:bucket/x"), ("s3".into(), "bucket/x".into()));
        assert_eq!(parts("./a:b"), ("local".into(), "./a:b".into()));
        assert_eq!(parts("2024:notes"), ("local".into(), "2024:notes".into()));
    }

    #[test]
    fn a_path_of_any_bytes_is_kept() {
        let bytes = b"/srv/\xff:\n";
        assert_eq!(Source::parse(OsStr::from_bytes(bytes)).argument.as_bytes(), bytes);
    }
}
