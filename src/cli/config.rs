//! `stockroom config`

use std::process::ExitCode;

use comfy_table::{Table, presets};

use crate::config::{Config, SETTINGS, Sources, shown_value};

/// Prints what is in force and from where; then what is wrong with it, if anything is.
pub fn run(sources: &Sources) -> Result<ExitCode, String> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["SETTING", "VALUE", "FROM", "PURPOSE"]);
    for setting in SETTINGS {
        let (value, origin) = sources.get(setting);
        table.add_row([setting.name, &shown_value(setting, &value), &origin.to_string(), setting.purpose]);
    }
    println!("{table}");
    Config::load(sources).map_err(|e| e.to_string())?;
    Ok(ExitCode::SUCCESS)
}
