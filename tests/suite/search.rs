//! Full-text search as a shop has it.

use crate::support::{
    Kind, Place, Server,
    data::{self, Row, new_category, new_item},
    on_both,
};
use serde_json::json;
use std::collections::BTreeSet;

on_both! {
    every_word_counts_and_the_last_one_may_be_unfinished,
    name_description_and_sku_are_searched,
    case_and_accents_do_not_matter,
    nothing_typed_is_ever_an_error,
    the_name_counts_more_than_the_description,
    sorts_and_filters_hold_for_what_is_found,
}

fn found(server: &Server, q: &str) -> BTreeSet<String> {
    let query = url::form_urlencoded::byte_serialize(q.as_bytes()).collect::<String>();
    let list = server.get(&format!("/api/v1/items?page_size=100&q={query}")).send().expect(200).json();
    let rows = list["data"].as_array().unwrap();
    assert_eq!(list["total"].as_i64().unwrap(), rows.len() as i64, "{q}");
    rows.iter().map(|i| i["name"].as_str().unwrap().to_owned()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

fn every_word_counts_and_the_last_one_may_be_unfinished(server: &Server) {
    let category = new_category(server, "Tools");
    for name in ["Red steel hammer", "Red wooden mallet", "Blue steel saw", "Hammock"] {
        new_item(server, category, name, json!({}));
    }
    assert_eq!(found(server, "red"), set(&["Red steel hammer", "Red wooden mallet"]));
    assert_eq!(found(server, "steel red"), set(&["Red steel hammer"]), "in any order");
    assert_eq!(found(server, "red ham"), set(&["Red steel hammer"]));
    assert_eq!(found(server, "hamm"), set(&["Red steel hammer", "Hammock"]));
    assert_eq!(found(server, "ste hammer"), set(&[]), "only the last word may be unfinished");
    assert_eq!(found(server, "ammer"), set(&[]), "a prefix, not any part");
    assert_eq!(found(server, "red saw"), set(&[]));
}

fn name_description_and_sku_are_searched(server: &Server) {
    let category = new_category(server, "Tools");
    new_item(server, category, "One", json!({"sku": "ZX-4711/b", "description": "drop forged"}));
    new_item(server, category, "Two", json!({"sku": "ZX-4712/b", "description": "made by hand, 0.9 kg; size 10.5"}));
    assert_eq!(found(server, "zx-4711/b"), set(&["One"]));
    assert_eq!(found(server, "ZX-471"), set(&["One", "Two"]));
    assert_eq!(found(server, "4711"), set(&["One"]));
    assert_eq!(found(server, "forged"), set(&["One"]));
    assert_eq!(found(server, "two hand"), set(&["Two"]));
    assert_eq!(found(server, "0.9 kg"), set(&["Two"]));
    assert_eq!(found(server, "10.5"), set(&["Two"]));
}

fn case_and_accents_do_not_matter(server: &Server) {
    let category = new_category(server, "Tools");
    new_item(server, category, "Crème BRÛLÉE torch", json!({}));
    new_item(server, category, "Ножницы", json!({}));
    new_item(server, category, "刀具 set", json!({}));
    assert_eq!(found(server, "creme brulee"), set(&["Crème BRÛLÉE torch"]));
    assert_eq!(found(server, "CRÈME brul"), set(&["Crème BRÛLÉE torch"]));
    assert_eq!(found(server, "ножн"), set(&["Ножницы"]));
    assert_eq!(found(server, "НОЖНИЦЫ"), set(&["Ножницы"]));
    assert_eq!(found(server, "刀"), set(&["刀具 set"]));
}

fn nothing_typed_is_ever_an_error(server: &Server) {
    let category = new_category(server, "Tools");
    new_item(server, category, "AND OR NOT NEAR hammer", json!({}));
    let long = "a ".repeat(1_000);
    let nasty = [
        "\"",
        "'",
        "''",
        "\"hammer",
        "hammer\"",
        "\"\"",
        "*",
        "hammer*",
        "*hammer",
        "**",
        "(",
        ")",
        "(hammer",
        "hammer)",
        "()",
        "AND",
        "OR",
        "NOT",
        "hammer AND",
        "AND hammer",
        "NOT hammer",
        "hammer NOT",
        "NEAR(hammer, 5)",
        "NEAR",
        "name:hammer",
        "words:hammer",
        "-hammer",
        "^hammer",
        "hammer^2",
        "+",
        "-",
        ":",
        "::",
        ";",
        "; DROP TABLE items; --",
        "' OR 1=1 --",
        "\\",
        "\\'",
        "%",
        "_",
        "&",
        "|",
        "!",
        "!hammer",
        "hammer & ",
        "hammer <-> x",
        "<->",
        ":*",
        "hammer:*",
        ":A",
        "hammer:ABC",
        "{",
        "}",
        "[hammer]",
        "~",
        "`",
        "$1",
        "?",
        "?1",
        "@",
        "#",
        "\u{200b}",
        "\u{feff}",
        "\u{202e}hammer",
        "🔨",
        "e\u{301}",
        "\u{301}",
        "\t",
        "\r\n",
        "   ",
        ".",
        "..",
        "0.",
        ".9",
        "-1",
        "1e400",
        "a'b",
        "O'Brien",
        "rock'n'roll",
        "x:y:z",
        "and",
        "not",
        &long,
    ];
    for q in nasty {
        let query: String = url::form_urlencoded::byte_serialize(q.as_bytes()).collect();
        for window in ["page=1", "limit=5"] {
            let answer = server.get(&format!("/api/v1/items?{window}&q={query}")).send();
            assert!(
                answer.status == 200 || answer.status == 422 && q.len() > 200,
                "{q:?}: {} {}",
                answer.status,
                answer.text()
            );
        }
    }
    assert_eq!(found(server, "and or not near hammer").len(), 1, "words, not operators");
    assert_eq!(found(server, "NOT hammer").len(), 1);
    assert_eq!(found(server, "hammer*").len(), 1);
    assert_eq!(found(server, "\"hammer\"").len(), 1);
    // Characters that no text can hold: refused or nothing found, never a fault.
    let answer = server.get("/api/v1/items?q=a%00b").send();
    assert!(matches!(answer.status, 200 | 400 | 422), "{}", answer.text());
}

fn the_name_counts_more_than_the_description(server: &Server) {
    let category = new_category(server, "Tools");
    new_item(server, category, "Box of nails", json!({"description": "for use with any hammer"}));
    new_item(server, category, "Hammer", json!({"description": "steel"}));
    new_item(server, category, "Shelf", json!({"description": "no hammer needed"}));
    let rows = server.get("/api/v1/items?q=hammer").send().expect(200).rows();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0]["name"], "Hammer", "best first");
}

fn sorts_and_filters_hold_for_what_is_found(server: &Server) {
    let (tools, toys) = (new_category(server, "Tools"), new_category(server, "Toys"));
    for (n, category) in [(3, tools), (1, toys), (2, tools), (5, toys)] {
        new_item(server, category, &format!("Hammer {n}"), json!({"price": n}));
    }
    let names = |query: &str| -> Vec<String> {
        let rows = server.get(&format!("/api/v1/items?{query}")).send().expect(200).rows();
        rows.iter().map(|r| r["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("q=hammer&sort=price"), ["Hammer 1", "Hammer 2", "Hammer 3", "Hammer 5"]);
    assert_eq!(names(&format!("q=hammer&sort=-price&category_id={tools}")), ["Hammer 3", "Hammer 2"]);
    assert_eq!(names("q=hammer&max_price=2&sort=-price"), ["Hammer 2", "Hammer 1"]);
}

/// The words of a text: letters and digits, and decimal numbers whole.
fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    lower
        .split(|c: char| !c.is_alphanumeric() && c != '.')
        .map(|w| w.trim_matches('.').to_owned())
        .filter(|w| !w.is_empty())
        .collect()
}

fn matches(row: &Row, full: &[&str], last: &str) -> bool {
    let all = words(&format!("{} {} {}", row.name, row.description, row.sku));
    full.iter().all(|w| all.iter().any(|a| a == w)) && all.iter().any(|a| a.starts_with(last))
}

/// What the two databases answer to the same questions over all diamonds.
fn answers(kind: Kind) -> Vec<(String, i64, Vec<String>)> {
    let place = Place::furnished(kind);
    let file = data::diamonds();
    place.run(&["import", file.to_str().unwrap()]).expect(0);
    let server = place.serve();
    let queries = [
        "ideal 0.9 vs1",
        "premium",
        "0.23 ct",
        "d-53940",
        "fair colour j i1",
        "very good",
        "3.95 x 3.98",
        "ideal zzz",
        "clarity if",
        "1 ct",
        "table 57%",
        "D-0000",
    ];
    let mut all = Vec::new();
    for q in queries {
        for filter in ["", "&sort=-price", "&sort=price&min_price=1000&max_price=5000"] {
            let query: String = url::form_urlencoded::byte_serialize(q.as_bytes()).collect();
            let list = server.get(&format!("/api/v1/items?q={query}{filter}")).send().expect(200).json();
            let skus: Vec<String> =
                list["data"].as_array().unwrap().iter().map(|i| i["sku"].as_str().unwrap().to_owned()).collect();
            if filter.is_empty() {
                for sku in &skus {
                    let row = data::rows().iter().find(|r| &r.sku == sku).unwrap();
                    let first = words(q).remove(0);
                    let text = words(&format!("{} {} {}", row.name, row.description, row.sku));
                    assert!(text.iter().any(|w| w.starts_with(&first)), "{q} found {row:?}");
                }
            }
            all.push((format!("{q}{filter}"), list["total"].as_i64().unwrap(), skus));
        }
    }
    let wanted: Vec<&Row> = data::rows().iter().filter(|r| matches(r, &["ideal", "0.9"], "vs1")).collect();
    assert!(wanted.len() > 10, "the question must be worth asking");
    assert_eq!(all[0].1, wanted.len() as i64, "ideal 0.9 vs1");
    for sku in &all[0].2 {
        assert!(wanted.iter().any(|r| &r.sku == sku), "{sku} is not a 0.9 ct ideal VS1");
    }
    let premium = data::rows().iter().filter(|r| matches(r, &[], "premium")).count();
    assert_eq!(all[3].1, premium as i64);
    assert_eq!(all[9].2, ["D-53940"]);
    all
}

#[test]
fn the_diamonds_are_found_as_a_shop_would() {
    assert_eq!(answers(Kind::Sqlite).len(), 36);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run"]
fn both_databases_find_the_same_diamonds() {
    let (one, other) = (answers(Kind::Sqlite), answers(Kind::Postgres));
    for (one, other) in one.iter().zip(&other) {
        assert_eq!(one, other);
    }
}
