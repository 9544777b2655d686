//! What a process has used: from `/proc` (proc(5)).

use std::fs;
use std::time::Duration;

use anyhow::Context as _;

/// Linux tells user space its times in hundredths of a second on every machine that this runs on.
const TICK: Duration = Duration::from_millis(10);

/// The CPU time of a process, all its threads together.
pub fn time(pid: u32) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the process is gone")?;
    // The second field is the name in brackets, which may hold anything; user and system time are the
    // fourteenth and fifteenth.
    let (_, rest) = stat.rsplit_once(')').context("/proc/PID/stat has another form")?;
    let ticks: u32 = rest.split_ascii_whitespace().skip(11).take(2).filter_map(|t| t.parse::<u32>().ok()).sum();
    Ok(TICK * ticks)
}

/// The memory that a process holds, in MB of 2^20 bytes.
pub fn memory(pid: u32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the process is gone")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("/proc/PID/status has no VmRSS")?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes / 1_024.0)
}
