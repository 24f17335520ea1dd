//! The configuration file: several providers at several paths of one mount.
//!
//! A mistake is told as `FILE:LINE: KEY: what is wrong`. Every key that the file may have is a field here, and every
//! field is read; an unknown key is a mistake.

use crate::assemble;
use crate::fault::{Fault, Outcome};
use crate::options::{self, Settings};
use crate::plan::{Plan, PlannedBind, PlannedMount, Written};
use crate::providers;
use crate::source::Source;
use fs9_core::VfsPath;
use fs9_sdk::ErrorKind;
use rustix::fs::OFlags;
use serde::Deserialize;
use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use toml::Spanned;

/// Where the descriptors of this process are.
const OPEN_ALREADY: [&str; 3] = ["/dev/stdin", "/dev/fd", "/proc/self/fd"];

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// As `-o`, for the whole mount; `-o` of the command line goes over it.
    options: Option<Spanned<String>>,
    /// The providers.
    #[serde(default)]
    mount: Vec<MountTable>,
    /// The binds.
    #[serde(default)]
    bind: Vec<BindTable>,
}

/// A `[[mount]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MountTable {
    path: Spanned<String>,
    source: Spanned<String>,
    options: Option<Spanned<String>>,
}

/// A `[[bind]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BindTable {
    source: Spanned<String>,
    target: Spanned<String>,
}

/// Reads a configuration file. `options` are those of the command line.
///
/// # Errors
/// A fault with file, line and key.
pub(crate) fn read(path: &Path, options: &[String]) -> Outcome<Plan> {
    let bytes = contents(path).map_err(|error| {
        Fault::usage(format!("mount: {}: {}: give a readable file to --config", path.display(), error))
    })?;
    let text = String::from_utf8(bytes).map_err(|error| not_text(path, &error))?;
    let base = std::path::absolute(path).ok().and_then(|file| Some(file.parent()?.to_owned()));
    Reader { path, text: &text, base: base.as_deref() }.plan(options)
}

/// Returns what is in a file. A FIFO is not waited for, nor is a device read: neither may ever end. What is open already,
/// such as standard input or `<(command)` of a shell, is read to its end.
fn contents(path: &Path) -> io::Result<Vec<u8>> {
    let is_open_already = OPEN_ALREADY.iter().any(|place| path.starts_with(place));
    let mut options = OpenOptions::new();
    options.read(true);
    if !is_open_already {
        // The open of a FIFO would wait for a writer.
        options.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    }
    let mut file = options.open(path)?;
    if !is_open_already && !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Tells in which line a file stops being text.
fn not_text(path: &Path, error: &std::string::FromUtf8Error) -> Fault {
    let before = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
    let line_number = before.filter(|&&byte| byte == b'\n').count() + 1;
    Fault::usage(format!("mount: {}:{line_number}: the line is not UTF-8", path.display()))
}

/// A file that is being read.
struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    /// The directory of the file; unknown if the path is relative to a working directory that is gone.
    base: Option<&'a Path>,
}

impl Reader<'_> {
    fn plan(&self, options: &[String]) -> Outcome<Plan> {
        let file: File = toml::from_str(self.text).map_err(|error| {
            let message = error.message().replace('\n', ", ");
            self.fault(&error.span().unwrap_or_default(), &message)
        })?;
        let mut settings = Settings::default();
        if let Some(list) = &file.options {
            options::apply_list(&mut settings, list.get_ref())
                .map_err(|wrong| self.fault(&list.span(), &wrong))?;
        }
        for list in options {
            options::apply_list(&mut settings, list)
                .map_err(|wrong| Fault::usage(format!("mount: {wrong}")))?;
        }
        let mount = |table| self.mount(table, &settings);
        let mounts = file.mount.iter().map(mount).collect::<Outcome<Vec<_>>>()?;
        let bind = |table| self.bind(table, &settings);
        let binds = file.bind.iter().map(bind).collect::<Outcome<Vec<_>>>()?;
        self.check_paths(&file, &mounts, &binds)?;
        let shown = std::path::absolute(self.path).unwrap_or_else(|_| self.path.to_owned());
        let fsname = settings.fsname.clone().unwrap_or_else(|| shown.display().to_string());
        Ok(Plan { fsname, settings, mounts, binds })
    }

    fn mount(&self, table: &MountTable, whole: &Settings) -> Outcome<PlannedMount> {
        let path = self.target(&table.path, whole)?;
        let mut settings = Settings::default();
        if let Some(list) = &table.options {
            let refuse = |wrong: String| self.fault(&list.span(), &wrong);
            options::apply_each(&mut settings, list.get_ref()).map_err(refuse)?;
        }
        let source = Source::parse(table.source.get_ref().as_ref());
        // As of a source on the command line: it is a mount that fails, whatever is wrong with it.
        let refuse =
            |wrong: String| Fault::mount(format!("mount: {}: {wrong}", self.place(&table.source.span())));
        let source = providers::resolve(source, &mut settings, self.base).map_err(refuse)?;
        let written = Some(self.written(&table.source, &table.path));
        Ok(PlannedMount { path, source, settings, written })
    }

    fn bind(&self, table: &BindTable, whole: &Settings) -> Outcome<PlannedBind> {
        let (source, target) = (self.vfs_path(&table.source)?, self.target(&table.target, whole)?);
        Ok(PlannedBind { source, target, written: self.written(&table.source, &table.target) })
    }

    fn vfs_path(&self, text: &Spanned<String>) -> Outcome<VfsPath> {
        let parsed = VfsPath::parse(text.get_ref().as_bytes());
        parsed.map_err(|error| {
            let wrong = match error.kind() {
                ErrorKind::NameTooLong => "has a component of more than 255 bytes",
                _ if text.get_ref().contains('\0') => "holds a NUL byte",
                _ => "is not an absolute path of the mount",
            };
            self.fault(&text.span(), &format!("\"{}\" {wrong}", text.get_ref()))
        })
    }

    /// Returns a path at which something may be mounted: `.fs9` belongs to the mount itself.
    fn target(&self, text: &Spanned<String>, settings: &Settings) -> Outcome<VfsPath> {
        let path = self.vfs_path(text)?;
        let control =
            assemble::control_path().map_err(|error| self.fault(&text.span(), &error.to_string()))?;
        if settings.control && path.starts_with(&control) {
            let wrong =
                format!("\"{path}\" belongs to the control directory: choose another, or give nocontrol");
            return Err(self.fault(&text.span(), &wrong));
        }
        Ok(path)
    }

    /// Wants one mount at `/` and no two mounts or binds at one path.
    fn check_paths(&self, file: &File, mounts: &[PlannedMount], binds: &[PlannedBind]) -> Outcome<()> {
        let mounts_at =
            file.mount.iter().map(|table| &table.path).zip(mounts.iter().map(|mount| &mount.path));
        let binds_at = file.bind.iter().map(|table| &table.target).zip(binds.iter().map(|bind| &bind.target));
        let mut taken = HashSet::new();
        for (text, path) in mounts_at.chain(binds_at) {
            if !taken.insert(path) {
                let wrong = "another [[mount]] or [[bind]] has this path: choose one";
                return Err(self.fault(&text.span(), wrong));
            }
        }
        if !mounts.iter().any(|mount| mount.path == VfsPath::root()) {
            return Err(
                self.fault(&(0..0), "no [[mount]] has path = \"/\": say what the mount point itself shows")
            );
        }
        Ok(())
    }

    fn written(&self, source: &Spanned<String>, target: &Spanned<String>) -> Written {
        Written { source: self.place(&source.span()), target: self.place(&target.span()) }
    }

    /// Returns a fault of the file: `FILE:LINE: KEY: what is wrong`.
    fn fault(&self, span: &Range<usize>, wrong: &str) -> Fault {
        Fault::usage(format!("mount: {}: {wrong}", self.place(span)))
    }

    /// Returns `FILE:LINE: KEY`, or `FILE:LINE` where there is no key.
    fn place(&self, span: &Range<usize>) -> String {
        let start = span.start.min(self.text.len());
        let before = self.text.get(..start).unwrap_or_default();
        let line_number = before.matches('\n').count() + 1;
        let line = self.text.lines().nth(line_number - 1).unwrap_or_default();
        let key = line.split_once('=').map(|(key, _)| key.trim()).filter(|key| !key.is_empty());
        match key {
            Some(key) => format!("{}:{line_number}: {key}", self.path.display()),
            None => format!("{}:{line_number}", self.path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Reader;
    use crate::fault::Outcome;
    use crate::plan::Plan;
    use std::path::Path;

    fn plan(text: &str) -> Outcome<Plan> {
        let base = Some(Path::new(env!("CARGO_MANIFEST_DIR")));
        Reader { path: Path::new("fs9.toml"), text, base }.plan(&[])
    }

    #[track_caller]
    fn refused(text: &str, message: &str) {
        assert_eq!(plan(text).unwrap_err().to_string(), message);
    }

    const GOOD: &str = r#"
options = "allow_other,attr_timeout=5"

[[mount]]
path = "/"
source = "src"
options = "ro"

[[mount]]
path = "/scratch"
source = "memory:"
options = "size=64M"

[[bind]]
source = "/scratch"
target = "/tmp"
"#;

    #[test]
    fn a_configuration_says_providers_binds_and_options() {
        let plan = plan(GOOD).unwrap();
        assert!(plan.settings.allow_other && plan.mounts[0].settings.read_only);
        let beside_the_file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").canonicalize().unwrap();
        assert_eq!(Path::new(&plan.mounts[0].source.argument), beside_the_file);
        assert_eq!(plan.mounts[1].settings.size_bytes, Some(64 << 20));
        assert_eq!(plan.binds[0].target.to_string(), "/tmp");
        assert!(plan.fsname.starts_with('/') && plan.fsname.ends_with("/fs9.toml"), "{}", plan.fsname);
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let message = plan("[[mount]]\npath = \"/\"\nsorce = \"x\"\n").unwrap_err().to_string();
        assert!(message.starts_with("mount: fs9.toml:3: sorce: unknown field `sorce`"), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }

    #[test]
    fn a_value_of_the_wrong_type_is_named_with_its_line() {
        let message = plan("[[mount]]\nsource = \"x\"\npath = 7\n").unwrap_err().to_string();
        assert!(message.starts_with("mount: fs9.toml:3: path: invalid type"), "{message}");
    }

    #[test]
    fn what_only_looks_right_is_refused_where_it_stands() {
        refused(
            &GOOD.replace("size=64M", "sise=64M"),
            "mount: fs9.toml:12: options: unknown option \"sise\": did you mean \"size\"?",
        );
        refused(
            &GOOD.replace("\"/tmp\"", "\"tmp\""),
            "mount: fs9.toml:16: target: \"tmp\" is not an absolute path of the mount",
        );
        refused(
            &GOOD.replace("path = \"/\"", "path = \"/scratch/\""),
            "mount: fs9.toml:10: path: another [[mount]] or [[bind]] has this path: choose one",
        );
        refused(
            &GOOD.replace("\"/tmp\"", "\"/scratch/.\""),
            "mount: fs9.toml:16: target: another [[mount]] or [[bind]] has this path: choose one",
        );
        refused(
            &format!("{GOOD}[[bind]]\nsource = \"/\"\ntarget = \"/tmp\"\n"),
            "mount: fs9.toml:19: target: another [[mount]] or [[bind]] has this path: choose one",
        );
        let with_nul = plan(&GOOD.replace("\"/tmp\"", "\"/tmp\\u0000\"")).unwrap_err().to_string();
        assert!(
            with_nul.starts_with("mount: fs9.toml:16: target: ") && with_nul.ends_with(" holds a NUL byte")
        );
        refused(
            "",
            "mount: fs9.toml:1: no [[mount]] has path = \"/\": say what the mount point itself shows",
        );
        refused(
            &GOOD.replace("\"/tmp\"", &format!("\"/{}\"", "x".repeat(256))),
            &format!(
                "mount: fs9.toml:16: target: \"/{}\" has a component of more than 255 bytes",
                "x".repeat(256)
            ),
        );
        let message = plan(&GOOD.replace("memory:", "s3:bucket")).unwrap_err().to_string();
        assert!(message.starts_with("mount: fs9.toml:11: source: unknown provider \"s3\""), "{message}");
    }

    #[test]
    fn the_control_directory_is_no_place_for_mounts_and_binds_while_it_is_there() {
        for (place, line) in [("\"/scratch\"\nsource = \"memory", "10: path"), ("\"/tmp", "16: target")] {
            let inside = GOOD.replace(place, &place.replacen("\"/", "\"/.fs9/", 1));
            let message = plan(&inside).unwrap_err().to_string();
            assert!(message.starts_with(&format!("mount: fs9.toml:{line}: \"/.fs9/")), "{message}");
            plan(&inside.replace("allow_other", "nocontrol")).unwrap();
        }
    }

    /// Symptom: from a working directory that was removed, `source = "data"` mounted `/data`. Cause: the root stood in
    /// for a directory of the file that could not be told. Fix: a relative source is refused then.
    #[test]
    fn a_relative_source_is_refused_where_the_directory_of_the_file_is_unknown() {
        let read = |source: &str| {
            let text = format!("[[mount]]\npath = \"/\"\nsource = \"{source}\"\n");
            Reader { path: Path::new("fs9.toml"), text: &text, base: None }.plan(&[])
        };
        let message = read("tmp").unwrap_err().to_string();
        assert!(message.starts_with("mount: fs9.toml:3: source: tmp: not an absolute path"), "{message}");
        read("/tmp").unwrap();
    }

    #[test]
    fn what_is_no_text_is_named_with_its_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"# one\n# two\n\xff\n").unwrap();
        let message = super::read(file.path(), &[]).unwrap_err().to_string();
        assert!(message.ends_with(":3: the line is not UTF-8"), "{message}");
    }

    #[test]
    fn broken_toml_is_named_with_its_line() {
        let message = plan("options = \"ro\"\n[[mount\n").unwrap_err().to_string();
        assert!(message.starts_with("mount: fs9.toml:2: "), "{message}");
    }
}
