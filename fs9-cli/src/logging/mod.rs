//! The log: which lines, how they look, and where they go.
//!
//! Only the process that serves a mount has one; a command says what it has to say by its one line and exit status.

mod sink;

use crate::environment::Environment;
use crate::options::{LogFormat, Settings};
use sink::Sink;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

/// Changes which lines are written, while the log runs.
#[derive(Clone, Debug)]
pub(crate) struct LogLevel(reload::Handle<EnvFilter, Registry>);

impl LogLevel {
    /// Writes lines of this level and those that weigh more.
    ///
    /// # Errors
    /// A sentence if the log is gone.
    pub(crate) fn set(&self, level: LevelFilter) -> Result<(), String> {
        self.0.reload(EnvFilter::default().add_directive(level.into())).map_err(|error| error.to_string())
    }
}

/// Starts the log of this process.
///
/// # Errors
/// A sentence that names the target or variable that does not work.
pub(crate) fn start(
    settings: &Settings,
    environment: &Environment,
    is_foreground: bool,
) -> Result<LogLevel, String> {
    let (filter, level) = reload::Layer::new(filter(settings, environment)?);
    let sink = Sink::open(&settings.log_target, is_foreground)?;
    let is_json = match (settings.given.contains("log_format"), environment.log_format.as_deref()) {
        (false, Some("json")) => true,
        (false, Some("text") | None) | (true, _) => settings.log_format == LogFormat::Json,
        (false, Some(other)) => return Err(format!("FS9_LOG_FORMAT: \"{other}\" is not one of text, json")),
    };
    let lines = fmt::layer().with_ansi(false).with_target(false);
    let lines: Box<dyn Layer<_> + Send + Sync> = match (is_json, sink.stamps_time()) {
        (true, true) => lines.json().without_time().with_writer(sink).boxed(),
        (true, false) => lines.json().with_writer(sink).boxed(),
        // Syslog and the journal know the level of a line.
        (false, true) => lines.with_level(false).without_time().with_writer(sink).boxed(),
        (false, false) => lines.with_writer(sink).boxed(),
    };
    let started = tracing_subscriber::registry().with(filter).with(lines).try_init();
    started.map_err(|error| format!("the log does not start: {error}"))?;
    // A daemon has no standard error, where a panic would otherwise be told.
    std::panic::set_hook(Box::new(|panic| tracing::error!("panic: {panic}")));
    Ok(LogLevel(level))
}

/// Returns which lines are wanted: the option goes over the environment.
fn filter(settings: &Settings, environment: &Environment) -> Result<EnvFilter, String> {
    if let Some(level) = settings.log_level {
        return Ok(EnvFilter::default().add_directive(level.into()));
    }
    let wanted = environment.log.as_deref().unwrap_or("info");
    EnvFilter::try_new(wanted).map_err(|error| format!("FS9_LOG: \"{wanted}\": {error}"))
}
