//! The rules of the house (design 1), kept by reading `src/`. Each rule is a function from one file's text to what is
//! wrong in it, and each is shown a planted violation, so that none of them can pass by seeing nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// The floors, from the ground up; an import only ever points down. Files of the ground share theirs.
const FLOORS: &[(u8, &[&str])] = &[
    (1, &["caller", "config", "decimal", "error", "fields", "live", "sealed", "search", "time"]),
    (2, &["cache", "db", "limits", "storage"]),
    (3, &["jobs"]),
    (4, &["mail", "changes"]),
    (5, &["app"]),
    (6, &["web"]),
    (7, SLICES),
    (8, &["audit", "events", "auth"]),
    (9, &["routes"]),
    (10, &["server"]),
    (11, &["cli"]),
    (12, &["main"]),
];
const SLICES: &[&str] = &["users", "categories", "items", "posts", "uploads", "webhooks", "queue", "dashboard"];
const ROOMS: &[&str] = &["model", "store", "service", "api", "pages"];

/// A file of `src/`: its path there and its code, without comments and without what stands in quotes.
struct Source {
    path: String,
    code: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Source {
        Source { path: path.into(), code: code_of(text) }
    }

    /// `items` of `items/store/page.rs`, `routes` of `routes.rs`.
    fn folder(&self) -> &str {
        self.path.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// `store` of `items/store.rs` and of `items/store/page.rs`.
    fn room(&self) -> Option<&str> {
        let room = self.path.split('/').nth(1)?.trim_end_matches(".rs");
        ROOMS.contains(&room).then_some(room)
    }

    /// Every path that begins with `crate::`, braces taken apart: `a::b`.
    fn imports(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for (at, _) in self.code.match_indices("crate::") {
            let before = self.code[..at].chars().next_back();
            if before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '$') {
                spread(&self.code[at + 7..], String::new(), &mut found);
            }
        }
        found
    }
}

/// Reads `a::{b, c::d}` as `a::b` and `a::c::d`; answers what is left behind it.
fn spread<'a>(text: &'a str, prefix: String, found: &mut BTreeSet<String>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix('}') {
                return after;
            }
            let left = spread(rest, prefix.clone(), found).trim_start();
            match left.strip_prefix(',') {
                Some(after) => rest = after,
                None => return left.strip_prefix('}').unwrap_or(left),
            }
        }
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, mut rest) = text.split_at(end);
    let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}::{name}") };
    if let Some(after) = rest.strip_prefix("::") {
        return spread(after, path, found);
    }
    found.insert(path);
    if let Some(renamed) = rest.trim_start().strip_prefix("as ") {
        let end = renamed.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(renamed.len());
        rest = &renamed[end..];
    }
    rest.strip_prefix('*').unwrap_or(rest)
}

fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, r)| r);
        } else if rest.starts_with("r\"") || rest.starts_with("r#") {
            let hashes = rest[1..].bytes().take_while(|b| *b == b'#').count();
            let end = format!("\"{}", "#".repeat(hashes));
            let body = &rest[1 + hashes..];
            match body.strip_prefix('"') {
                Some(body) => {
                    code.push_str("\"\"");
                    rest = body.split_once(end.as_str()).map_or("", |(_, r)| r);
                }
                None => {
                    code.push_str(&rest[..2]);
                    rest = &rest[2..];
                }
            }
        } else if c == '"' {
            let mut end = 1;
            let bytes = rest.as_bytes();
            while end < bytes.len() && bytes[end] != b'"' {
                end += if bytes[end] == b'\\' { 2 } else { 1 };
            }
            code.push_str("\"\"");
            rest = rest.get(end + 1..).unwrap_or("");
        } else if rest.starts_with("'\"'") {
            code.push_str("' '");
            rest = &rest[3..];
        } else if rest.starts_with("'\\\"'") {
            code.push_str("' '");
            rest = &rest[4..];
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    code
}

fn floor_of(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(_, modules)| modules.contains(&module)).map(|(floor, _)| *floor)
}

type Rule = fn(&Source) -> Vec<String>;

fn has_a_floor(source: &Source) -> Vec<String> {
    let known = source.folder() == "lib" || floor_of(source.folder()).is_some();
    if known {
        Vec::new()
    } else {
        vec![format!("{}: on which floor is it? (tests/suite/house.rs, design 1)", source.path)]
    }
}

fn imports_point_down(source: &Source) -> Vec<String> {
    let Some(own) = floor_of(source.folder()) else { return Vec::new() };
    let mut wrong = Vec::new();
    for import in source.imports() {
        let to = import.split("::").next().unwrap();
        if let Some(floor) = floor_of(to)
            && to != source.folder()
            && (floor > own || floor == own && !(2..=8).contains(&own) && own != 1)
        {
            wrong.push(format!("{} (floor {own}) imports {import} (floor {floor})", source.path));
        }
    }
    wrong
}

/// `api` and `pages` are a slice's own doors: only the map opens them.
fn doors_are_opened_by_the_map_alone(source: &Source) -> Vec<String> {
    let doors = |import: &String| {
        let mut parts = import.split("::");
        let slice = parts.next().unwrap();
        let is_slice = SLICES.contains(&slice) || slice == "audit" || slice == "auth";
        is_slice && slice != source.folder() && parts.next().is_some_and(|room| room == "api" || room == "pages")
    };
    if source.folder() == "routes" {
        return Vec::new();
    }
    source.imports().iter().filter(|i| doors(i)).map(|i| format!("{} opens {i}", source.path)).collect()
}

fn mentions(source: &Source, rooms: &[&str], words: &[&str]) -> Vec<String> {
    if !source.room().is_some_and(|room| rooms.contains(&room)) {
        return Vec::new();
    }
    let there = |word: &&&str| {
        let mut places = source.code.match_indices(**word);
        places.any(|(at, _)| source.code[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '_'))
    };
    words.iter().filter(there).map(|word| format!("{} mentions {word}", source.path)).collect()
}

fn no_http_behind_the_doors(source: &Source) -> Vec<String> {
    mentions(
        source,
        &["store", "model", "service"],
        &["actix_web", "actix_session", "HttpRequest", "HttpResponse", "askama"],
    )
}

fn no_sql_at_the_doors(source: &Source) -> Vec<String> {
    mentions(source, &["api", "pages"], &["diesel", "schema::", "sql_query"])
}

fn no_statements_outside_the_store(source: &Source) -> Vec<String> {
    // The errors of Diesel may be read there; what runs a statement may not.
    let signs = ["sql_query", "RunQueryDsl", "insert_into", "diesel::update", "diesel::delete", "diesel::select"];
    let mut wrong = mentions(source, &["service", "model"], &signs);
    wrong.extend(mentions(source, &["service"], &["diesel::prelude", "schema::"]));
    wrong
}

fn routes_are_in_the_map_alone(source: &Source) -> Vec<String> {
    if source.folder() == "routes" {
        return Vec::new();
    }
    let signs = [
        "web::resource(",
        "web::scope(",
        ".route(",
        "#[get(",
        "#[post(",
        "#[put(",
        "#[patch(",
        "#[delete(",
        "Files::new(",
    ];
    signs
        .iter()
        .filter(|s| source.code.contains(**s))
        .map(|s| format!("{} registers a route: {s}", source.path))
        .collect()
}

fn nothing_is_called_utils(source: &Source) -> Vec<String> {
    let parts = source.path.split('/').map(|p| p.trim_end_matches(".rs"));
    parts
        .filter(|p| ["utils", "util", "common", "helpers", "helper", "misc", "shared"].contains(p))
        .map(|p| format!("{}: {p} is no name", source.path))
        .collect()
}

const RULES: &[(&str, Rule, &str, &str)] = &[
    ("every file has a floor", has_a_floor, "attic/model.rs", ""),
    ("imports point down", imports_point_down, "db.rs", "use crate::{time, items::{self, model::Item}};"),
    ("imports point down", imports_point_down, "web/list.rs", "fn f() { crate::auth::service::login() }"),
    ("the map opens the doors", doors_are_opened_by_the_map_alone, "items/service.rs", "use crate::categories::api;"),
    ("no HTTP behind the doors", no_http_behind_the_doors, "items/store/page.rs", "use actix_web::web;"),
    ("no HTTP behind the doors", no_http_behind_the_doors, "items/model.rs", "fn f() -> HttpResponse {}"),
    ("no SQL at the doors", no_sql_at_the_doors, "items/api.rs", "use diesel::prelude::*;"),
    ("no SQL at the doors", no_sql_at_the_doors, "items/pages/forms.rs", "use crate::db::schema::items;"),
    ("statements stay in the store", no_statements_outside_the_store, "items/service.rs", "use diesel::prelude::*;"),
    (
        "statements stay in the store",
        no_statements_outside_the_store,
        "items/model.rs",
        "let x = diesel::sql_query(q);",
    ),
    ("routes are in the map", routes_are_in_the_map_alone, "items/api.rs", "cfg.service(web::resource(\"/x\"));"),
    ("no utils", nothing_is_called_utils, "items/utils.rs", ""),
];

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn house() -> Vec<Source> {
    let root = root().join("src");
    let files = rust_files(&root);
    assert!(files.len() > 20, "too few files to be the house: {files:?}");
    files
        .iter()
        .map(|f| Source::new(f.strip_prefix(&root).unwrap().to_str().unwrap(), &std::fs::read_to_string(f).unwrap()))
        .collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_rules_of_the_house_are_kept() {
    let house = house();
    let mut wrong: Vec<String> = RULES
        .iter()
        .flat_map(|(name, rule, ..)| house.iter().flat_map(rule).map(move |w| format!("{name}: {w}")))
        .collect();
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_broken_rule_would_be_seen() {
    for (name, rule, path, text) in RULES {
        assert!(!rule(&Source::new(path, text)).is_empty(), "{name} does not see {path}: {text}");
        let harmless = format!("// {text}\n/// {text}\nlet x = {:?};", text.replace('"', "'"));
        if !text.is_empty() {
            assert!(rule(&Source::new(path, &harmless)).is_empty(), "{name} takes a comment for code");
        }
    }
}

/// Which folders import which, without the ground.
fn arrows(house: &[Source]) -> BTreeMap<String, BTreeSet<String>> {
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in house {
        for import in source.imports() {
            let to = import.split("::").next().unwrap().to_owned();
            if floor_of(&to).is_some_and(|f| f > 1) && to != source.folder() {
                arrows.entry(source.folder().to_owned()).or_default().insert(to);
            }
        }
    }
    arrows
}

fn circle(arrows: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn walk(at: &str, way: &mut Vec<String>, arrows: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
        if let Some(from) = way.iter().position(|w| w == at) {
            return Some(way[from..].to_vec());
        }
        way.push(at.to_owned());
        let found = arrows.get(at).into_iter().flatten().find_map(|to| walk(to, way, arrows));
        way.pop();
        found
    }
    arrows.keys().find_map(|from| walk(from, &mut Vec::new(), arrows))
}

#[test]
fn there_is_no_circle_between_folders() {
    assert_eq!(circle(&arrows(&house())), None);
    let planted = [
        Source::new("items/service.rs", "use crate::categories::store;"),
        Source::new("categories/service.rs", "use crate::items::store;"),
    ];
    assert_eq!(circle(&arrows(&planted)).map(|c| c.len()), Some(2), "a circle would be seen");
}

#[test]
fn each_slice_has_its_rooms_and_its_templates_its_name() {
    for slice in ["categories", "items"] {
        for room in ROOMS {
            let room = root().join(format!("src/{slice}/{room}"));
            assert!(room.is_dir() || room.with_extension("rs").exists(), "{} is missing", room.display());
        }
    }
    for entry in std::fs::read_dir(root().join("templates")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() && name != "parts" {
            let owner = root().join("src").join(&name);
            assert!(owner.is_dir() || owner.with_extension("rs").exists(), "templates/{name} belongs to nobody");
        }
    }
}

#[test]
fn main_is_short_and_unsafe_code_is_forbidden() {
    let main = std::fs::read_to_string(root().join("src/main.rs")).unwrap();
    assert!(main.lines().count() <= 30, "main.rs only runs one command");
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("unsafe_code = \"forbid\""), "unsafe code is forbidden for every target of the package");
}

#[test]
fn what_the_browser_gets_is_small_and_ours() {
    let size = |paths: Vec<PathBuf>| paths.iter().map(|p| std::fs::metadata(p).unwrap().len()).sum::<u64>();
    let css = size(vec![root().join("static/app.css")]);
    assert!(css < 40_000, "app.css has {css} bytes");
    let mut scripts = vec![root().join("static/app.js")];
    scripts.extend(std::fs::read_dir(root().join("static/js")).into_iter().flatten().map(|f| f.unwrap().path()));
    let js = size(scripts.clone());
    assert!(js < 30_000, "the scripts have {js} bytes");
    for file in scripts.iter().chain([&root().join("static/app.css")]) {
        // A namespace is a name and asks nobody.
        let text = std::fs::read_to_string(file).unwrap().replace("http://www.w3.org/", "");
        assert!(!text.contains("http://") && !text.contains("https://"), "{file:?} names another host");
    }
}

/// What tests may not do: wait for a time instead of a condition, or wait for each other.
fn impatience(text: &str) -> Vec<&'static str> {
    let code = code_of(text);
    ["thread::sleep", "time::sleep", "#[serial"].into_iter().filter(|sign| code.contains(sign)).collect()
}

#[test]
fn tests_neither_sleep_nor_queue() {
    for file in rust_files(&root().join("tests")) {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(impatience(&text).is_empty(), "{file:?}: {:?}", impatience(&text));
    }
    assert_eq!(impatience("fn f() { std::thread::sleep(x); }"), ["thread::sleep"]);
}
