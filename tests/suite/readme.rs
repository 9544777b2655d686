//! What the README says can be run is run.

use crate::support::{Kind, Place, Ran, server::BINARY};
use std::{collections::BTreeSet, path::PathBuf, process::Command};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).unwrap()
}

/// Its fenced shell blocks, each as its commands in order.
fn blocks() -> Vec<Vec<String>> {
    let mut blocks = Vec::new();
    let mut block: Option<Vec<String>> = None;
    for line in readme().lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            match block.take() {
                Some(done) => blocks.push(done),
                None => block = ["sh", "bash"].contains(&language.trim()).then(Vec::new),
            }
            continue;
        }
        let command = line.split(" #").next().unwrap().trim();
        if let Some(block) = &mut block
            && !command.is_empty()
        {
            block.push(command.to_owned());
        }
    }
    assert!(blocks.len() >= 4, "too few blocks to be all: {blocks:?}");
    blocks
}

fn commands() -> Vec<String> {
    blocks().concat()
}

/// The words behind `stockroom` in a command, up to the first that is an option, a file or a value.
fn subcommand(command: &str) -> Option<Vec<String>> {
    let words: Vec<&str> = command.split_whitespace().filter(|w| !w.contains('=') || w.starts_with('-')).collect();
    let at = words.iter().position(|w| *w == "stockroom" || w.ends_with("/stockroom"))?;
    let plain = |w: &&&str| w.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !w.starts_with('-');
    Some(words[at + 1..].iter().take_while(plain).map(|w| (*w).to_owned()).collect())
}

#[test]
fn every_subcommand_that_the_readme_names_exists_with_its_options() {
    let place = Place::empty(Kind::Sqlite);
    let mut seen = 0;
    for command in commands() {
        let Some(words) = subcommand(&command) else { continue };
        let mut args: Vec<&str> = words.iter().map(String::as_str).collect();
        args.push("--help");
        let Ran { stdout, .. } = place.run(&args).expect(0);
        let behind = command.split("stockroom").last().unwrap();
        for option in behind.split_whitespace().filter(|w| w.starts_with("--") && w.len() > 2) {
            let name = option.split('=').next().unwrap();
            assert!(stdout.contains(name), "`{command}`: {name} is not in the help:\n{stdout}");
        }
        seen += 1;
    }
    assert!(seen >= 3, "only {seen} commands of ours in the README");
}

#[test]
fn every_script_that_the_readme_names_is_there_and_can_be_run() {
    use std::os::unix::fs::PermissionsExt;
    let text = readme();
    for script in ["tests/run", ".ci/run"] {
        assert!(text.contains(script), "the README names {script}");
        let mode = std::fs::metadata(root().join(script)).unwrap().permissions().mode();
        assert!(mode & 0o111 != 0, "{script} can be run");
    }
    for command in commands() {
        let first = command.split_whitespace().next().unwrap();
        if first.contains('/') && !first.starts_with('/') && !first.contains("stockroom") && !first.contains('=') {
            assert!(root().join(first).exists(), "{first} of `{command}`");
        }
    }
}

/// Runs a block as it stands, with our binary for `stockroom` and this server's address for port 8080.
fn run(place: &Place, commands: &[String], server: Option<&str>) -> String {
    let bin = place.path("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let _ = std::os::unix::fs::symlink(BINARY, bin.join("stockroom"));
    let script = commands.join("\n").replace("http://127.0.0.1:8080", server.unwrap_or("no server"));
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", &script]).current_dir(place.dir.path()).env_clear();
    for (name, value) in place.command(&[]).get_envs() {
        bash.env(name, value.unwrap_or_default());
    }
    let path = std::env::var("PATH").unwrap();
    let out = bash.env("PATH", format!("{}:{path}", bin.display())).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{script}\nsaid:\n{said}");
    said
}

#[test]
fn the_first_session_works_as_it_stands() {
    let place = Place::empty(Kind::Sqlite);
    let users: Vec<String> = commands().into_iter().filter(|c| c.contains("user create")).collect();
    assert_eq!(users.len(), 1, "one command that makes the admin");
    run(&place, &users, None);
    let server = place.serve();
    let session = blocks().into_iter().find(|b| b.iter().any(|c| c.contains("curl "))).expect("a session with curl");
    let said = run(server.place(), &session, Some(&server.url));
    for part in [
        "\"name\":\"Plain ring\"",
        "\"price\":19.99",
        "etag: \"1\"",
        "\"price\":24.5",
        "\"status\":412",
        "Changeset undone",
        "\"key\":\"sr_",
    ] {
        assert!(said.contains(part), "no {part} in:\n{said}");
    }
    assert_eq!(said.matches("\"success\":false").count(), 1, "the 412 and nothing else is refused:\n{said}");
}

#[test]
fn what_it_says_of_operating_works_as_it_stands() {
    let place = Place::furnished(Kind::Sqlite);
    let block =
        blocks().into_iter().find(|b| b.iter().any(|c| c.contains("migrate status"))).expect("how it is operated");
    place.write("prices.csv", crate::support::data::some_diamonds(5));
    let said = run(&place, &block, None);
    assert!(said.contains("first_light") && said.contains("ada_admin") && said.contains("5 created"), "{said}");
    assert!(place.path("items.csv").exists());
}

#[test]
fn every_setting_is_in_the_readme_and_every_one_there_is_a_setting() {
    let shown = Place::empty(Kind::Sqlite).run(&["config"]).expect(0).stdout;
    let is_name = |w: &&str| w.len() > 3 && w.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    // The first line is the table's head.
    let real: BTreeSet<&str> =
        shown.lines().skip(1).filter_map(|l| l.split_whitespace().next().filter(is_name)).collect();
    assert!(real.len() > 10, "{shown}");
    let text = readme();
    let rows = text.lines().filter(|l| l.starts_with("| `"));
    let named: BTreeSet<&str> = rows.flat_map(|l| l.split('|').nth(1).unwrap().split('`')).filter(is_name).collect();
    assert_eq!(named, real);
}
