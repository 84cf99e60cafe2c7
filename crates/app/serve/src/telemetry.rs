//! Log lines on stderr.

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSettings};

/// Starts logging. A level that is not understood means `info`, and says so.
pub fn start_logging(settings: &LogSettings) {
    let (filter, wrong) = match EnvFilter::try_new(&settings.level) {
        Ok(filter) => (filter, false),
        Err(_) => (EnvFilter::new("info"), true),
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second subscriber in one process is not an error: the first one stays.
    let _ = match settings.format {
        LogFormat::Json => builder.json().try_init(),
        LogFormat::Text => builder.with_target(false).try_init(),
    };
    if wrong {
        tracing::warn!(level = %settings.level, "log.level is not understood; using `info`");
    }
}
