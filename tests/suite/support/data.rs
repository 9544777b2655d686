//! Things to put in: items, categories, the diamonds.

use super::{Server, Who, server::BINARY};
use serde_json::{Value, json};
use std::{fmt::Write as _, path::PathBuf, sync::OnceLock};

/// An item that was made: its id, its version's tag, itself.
pub struct Item {
    pub id: i64,
    pub etag: String,
    pub data: Value,
}

impl Item {
    pub fn path(&self) -> String {
        format!("/api/v1/items/{}", self.id)
    }

    pub fn page(&self, rest: &str) -> String {
        format!("/admin/items/{}{rest}", self.id)
    }
}

/// The admin makes a category.
#[track_caller]
pub fn new_category(server: &Server, name: &str) -> i64 {
    let answer = server.admin().post("/api/v1/categories", &json!({"name": name})).send().expect(201);
    answer.data()["id"].as_i64().unwrap()
}

/// The user (not the admin) makes an item: name, price, category and whatever `more` says.
#[track_caller]
pub fn new_item(server: &Server, category_id: i64, name: &str, more: Value) -> Item {
    let mut body = json!({"name": name, "price": 10, "category_id": category_id});
    for (key, value) in more.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    let answer = server.user().post("/api/v1/items", &body).send().expect(201);
    let data = answer.data();
    Item { id: data["id"].as_i64().unwrap(), etag: answer.must("etag"), data }
}

/// A user makes a key with these scopes: its id and its text.
#[track_caller]
pub fn new_key(server: &Server, who: Who, scopes: &[&str]) -> (i64, String) {
    let body = json!({"name": format!("key of {}", who.username()), "scopes": scopes});
    let key = server.as_who(who).post("/api/v1/api-keys", &body).send().expect(201).data();
    (key["id"].as_i64().unwrap(), key["key"].as_str().unwrap().to_owned())
}

/// The diamonds of `../shared`, or, on a machine without them, a made file of the same shape.
pub fn diamonds() -> PathBuf {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let shared = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/diamonds.csv");
        // `STOCKROOM_TEST_MADE=1` tries what such a machine would see.
        if shared.exists() && std::env::var_os("STOCKROOM_TEST_MADE").is_none() {
            return shared;
        }
        let made = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("diamonds.csv");
        let draft = made.with_extension(format!("{}.draft", std::process::id()));
        std::fs::write(&draft, made_diamonds()).unwrap();
        std::fs::rename(draft, &made).unwrap();
        made
    })
    .clone()
}

fn made_diamonds() -> String {
    let cuts = ["Ideal", "Premium", "Very Good", "Good", "Fair"];
    let clarities = ["IF", "VVS1", "VVS2", "VS1", "VS2", "SI1", "SI2", "I1"];
    let mut text = String::from("sku,name,description,price,currency,category,is_active\n");
    let mut seed = 42_u64;
    let mut next = |n: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % n
    };
    for row in 1..=53_940 {
        let (cut, clarity) = (cuts[next(5) as usize], clarities[next(8) as usize]);
        let (carat, colour) = (20 + 10 * next(18) + next(4), char::from(b'D' + next(7) as u8));
        let carat = format!("{}.{:02}", carat / 100, carat % 100);
        let carat = carat.trim_end_matches('0').trim_end_matches('.');
        let (depth, table, price) = (55 + next(12), 53 + next(12), 326 + next(18_000));
        writeln!(
            text,
            "D-{row:05},\"{carat} ct {cut} diamond, colour {colour}\",\"Clarity {clarity}; depth {depth}%, table {table}%; 3.95 x 3.98 x 2.43 mm\",{price},USD,{cut},true"
        )
        .unwrap();
    }
    text
}

/// One row of the file.
#[derive(Clone, Debug)]
pub struct Row {
    pub sku: String,
    pub name: String,
    pub description: String,
    pub price: String,
    pub category: String,
}

pub fn rows() -> &'static [Row] {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    ROWS.get_or_init(|| {
        let mut reader = csv::Reader::from_path(diamonds()).unwrap();
        let rows = reader.records().map(|r| r.unwrap()).map(|r| Row {
            sku: r[0].into(),
            name: r[1].into(),
            description: r[2].into(),
            price: r[3].into(),
            category: r[5].into(),
        });
        rows.collect()
    })
}

/// The first `n` diamonds as a file of their own.
pub fn some_diamonds(n: usize) -> String {
    let text = std::fs::read_to_string(diamonds()).unwrap();
    text.lines().take(n + 1).map(|l| format!("{l}\n")).collect()
}

/// The binary's own list of routes: (method, path).
pub fn routes() -> Vec<(String, String)> {
    let dir = tempfile::tempdir().unwrap();
    let out = std::process::Command::new(BINARY).arg("routes").current_dir(dir.path()).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let mut routes = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words.len(), 3, "`routes` prints `METHOD /path handler`, not {line:?}");
        routes.push((words[0].to_owned(), words[1].to_owned()));
    }
    assert!(routes.len() > 20, "too few routes to be all of them:\n{text}");
    routes
}

/// An answer as a snapshot keeps it: laid out, every digit kept, and what differs each time (by its name) left out.
pub fn shape(value: &Value) -> String {
    fn redact(value: &mut Value) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    let moving = [
                        "created_at",
                        "updated_at",
                        "last_login_at",
                        "request_id",
                        "access_token",
                        "refresh_token",
                        "next_cursor",
                        "expires_at",
                        "last_used_at",
                        "revoked_at",
                        "prefix",
                        "key",
                    ];
                    if moving.contains(&name.as_str()) && !value.is_null() {
                        *value = json!(format!("[{name}]"));
                    }
                    redact(value);
                }
            }
            Value::Array(values) => values.iter_mut().for_each(redact),
            _ => {}
        }
    }
    let mut value = value.clone();
    redact(&mut value);
    serde_json::to_string_pretty(&value).unwrap()
}
