//! How the log looks: for people, or an object a line for machines.

use std::io::Write as _;

use crate::config::{Config, LogFormat};

/// Starts logging to the standard error stream.
///
/// # Errors
/// When the filter cannot be read.
pub fn start(config: &Config) -> Result<(), String> {
    let mut builder = env_logger::Builder::new();
    builder.parse_filters(&config.log_filter);
    if config.log_format == LogFormat::Json {
        builder.format(|out, record| {
            let line = serde_json::json!({
                "time": crate::time::Timestamp::now().rfc3339(),
                "level": record.level().as_str(),
                "target": record.target(),
                "message": record.args().to_string(),
            });
            writeln!(out, "{}", in_one_line(&line.to_string()))
        });
    } else {
        // A control character in a message would let a client write lines of its own.
        builder.format(|out, record| {
            let message = record.args().to_string().escape_debug().to_string();
            let message = message.replace("\\\"", "\"").replace("\\'", "'");
            writeln!(out, "{} {:5} {}", crate::time::Timestamp::now().rfc3339(), record.level(), message)
        });
    }
    builder.try_init().map_err(|e| e.to_string())
}

/// JSON without the characters that JSON may have as they are and some readers take for the end of a line, or
/// a terminal for an order.
fn in_one_line(json: &str) -> String {
    let mut line = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            line.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            line.push(c);
        }
    }
    line
}
