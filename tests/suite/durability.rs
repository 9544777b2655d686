//! An answered write is on disk: `kill -9` in the middle of 16 writers loses none of them.

use crate::support::{Kind, Place, Who, data::new_category, on_each_database};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};

on_each_database! {
    every_answered_write_survives_kill_9,
    writing_never_answers_that_the_database_is_locked,
}

fn every_answered_write_survives_kill_9(kind: Kind) {
    let server = Place::furnished(kind).serve();
    let category = new_category(&server, "Tools");
    let token = server.token(Who::User);
    let answered = AtomicUsize::new(0);
    let url = server.url.clone();
    let (place, written) = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..16)
            .map(|w| {
                let (token, url, answered) = (&token, &url, &answered);
                scope.spawn(move || {
                    // The server dies with requests under way, so each writer has a client of its own.
                    let client = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
                    let mut mine = Vec::new();
                    for n in 0.. {
                        let sku = format!("W{w}-{n}");
                        let body =
                            json!({"name": format!("Hammer {w} {n}"), "price": 1, "category_id": category, "sku": sku});
                        let call = crate::support::http::Call::new(&client, "POST", format!("{url}/api/v1/items"))
                            .bearer(token)
                            .json(&body);
                        match call.try_send() {
                            Ok(answer) if answer.status == 201 => {
                                mine.push(sku);
                                answered.fetch_add(1, Ordering::Relaxed);
                            }
                            Ok(answer) => panic!("{} {}", answer.status, answer.text()),
                            Err(_) => break,
                        }
                    }
                    mine
                })
            })
            .collect();
        while answered.load(Ordering::Relaxed) < 400 {
            std::thread::yield_now();
        }
        let place = server.kill();
        let written: Vec<String> = writers.into_iter().flat_map(|w| w.join().unwrap()).collect();
        (place, written)
    });
    assert!(written.len() >= 400);
    let server = place.serve();
    let mut db = server.db();
    let there: std::collections::BTreeSet<String> = db.texts("SELECT sku AS s FROM items").into_iter().collect();
    let lost: Vec<_> = written.iter().filter(|sku| !there.contains(*sku)).collect();
    assert!(lost.is_empty(), "{} of {} answered writes are lost: {lost:?}", lost.len(), written.len());
    assert!(there.len() <= written.len() + 16, "at most one unanswered write of each writer");
    // Nothing half-done: each item has its change, is counted and is found.
    let items = there.len() as i64;
    assert_eq!(db.number("SELECT count(*) AS n FROM changes WHERE entity = 'item'"), items);
    let list = server.get("/api/v1/items?q=hammer").send().expect(200).json();
    assert_eq!(list["total"], items, "found by its words");
    assert_eq!(server.get("/api/v1/items").send().expect(200).json()["total"], items, "counted");
    let count = server.get(&format!("/api/v1/categories/{category}")).send().expect(200).data()["item_count"].clone();
    assert_eq!(count, items);
    new_category(&server, "And it goes on");
}

fn writing_never_answers_that_the_database_is_locked(kind: Kind) {
    let server = Place::furnished(kind).serve();
    let category = new_category(&server, "Tools");
    let file = server.place().write("more.csv", crate::support::data::some_diamonds(3_000));
    let token = server.token(Who::User);
    // Somebody reads slowly, somebody imports beside the server, and 8 write.
    let mut reader = server.db();
    reader.execute("BEGIN");
    assert_eq!(reader.count("items"), 0);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let import = scope.spawn(|| server.run(&["import", file.to_str().unwrap()]));
        let writers: Vec<_> = (0..8)
            .map(|w| {
                let (token, server) = (&token, &server);
                scope.spawn(move || {
                    let write = |n: usize| {
                        let body = json!({"name": format!("Hammer {w} {n}"), "price": 1, "category_id": category});
                        server.post("/api/v1/items").bearer(token).json(&body).send().status
                    };
                    (0..40).map(write).collect::<Vec<_>>()
                })
            })
            .collect();
        import.join().unwrap().expect(0);
        writers.into_iter().flat_map(|w| w.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|s| **s == 201).count(), 320, "{statuses:?}");
    if kind == Kind::Sqlite {
        assert_eq!(reader.count("items"), 0, "a slow reader sees its own time");
    }
    reader.execute("COMMIT");
    assert_eq!(server.db().count("items"), 3_320);
}
