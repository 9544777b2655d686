//! The catalogue in figures.

use crate::support::{
    Kind, Place, Server, Who,
    data::{new_category, new_item},
    on_both,
    proxy::{Proxy, Wire},
    redis,
};
use serde_json::{Value, json};

on_both! {
    figures_are_of_what_the_caller_may_see,
    figures_are_kept_for_a_while_and_are_the_same_for_all,
}

const PATH: &str = "/api/v1/stats";

fn furnish(server: &Server) -> (i64, i64) {
    let (tools, toys) = (new_category(server, "Tools"), new_category(server, "Toys"));
    for (category, more) in
        [(tools, json!({})), (toys, json!({})), (toys, json!({})), (tools, json!({"is_active": false}))]
    {
        new_item(server, category, "Thing", more);
    }
    for (name, category) in [("Old", tools), ("Older", tools)] {
        new_item(server, category, name, json!({"is_active": false}));
    }
    (tools, toys)
}

fn figures_are_of_what_the_caller_may_see(server: &Server) {
    let (tools, toys) = furnish(server);
    let day = 86_400_000_000_i64;
    server.db().execute(&format!("UPDATE items SET created_at = created_at - 29 * {day} WHERE name = 'Old'"));
    server.db().execute(&format!("UPDATE items SET created_at = created_at - 30 * {day} WHERE name = 'Older'"));
    let figures = |who: Option<Who>| -> Value {
        let call = server.get(PATH);
        let call = if let Some(who) = who { call.bearer(&server.token(who)) } else { call };
        let mut data = call.send().expect(200).data();
        let days = data["created_per_day"].as_array().unwrap().clone();
        assert_eq!(days.len(), 30);
        let dates: Vec<&str> = days.iter().map(|d| d["date"].as_str().unwrap()).collect();
        assert!(dates.is_sorted() && dates.iter().all(|d| d.len() == 10), "{dates:?}");
        let made = |n: usize| days[n]["count"].as_i64().unwrap();
        assert!((1..29).all(|n| made(n) == 0), "{days:?}");
        data["created_per_day"] = json!([made(0), made(29)]);
        data
    };
    assert_eq!(
        figures(Some(Who::Admin)),
        json!({
            "items": 6, "active_items": 3, "categories": 2, "users": 4, "posts": 0,
            "items_per_category": [{"id": tools, "name": "Tools", "count": 4}, {"id": toys, "name": "Toys", "count": 2}],
            "created_per_day": [1, 4],
        })
    );
    let everybody = json!({
        "items": 3, "active_items": 3, "categories": 2, "users": null, "posts": 0,
        "items_per_category": [{"id": toys, "name": "Toys", "count": 2}, {"id": tools, "name": "Tools", "count": 1}],
        "created_per_day": [0, 3],
    });
    for who in [None, Some(Who::Guest), Some(Who::User)] {
        assert_eq!(figures(who), everybody);
    }
    server.post(PATH).send().problem(405);
}

fn figures_are_kept_for_a_while_and_are_the_same_for_all(server: &Server) {
    let (tools, _) = furnish(server);
    let answers: Vec<_> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..24).map(|_| scope.spawn(|| server.get(PATH).send().expect(200))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    new_item(server, tools, "After", json!({}));
    let later = server.get(PATH).send().expect(200);
    for answer in &answers {
        assert_eq!(answer.text(), later.text());
        assert_eq!(answer.must("etag"), later.must("etag"));
    }
    assert!(later.must("age").parse::<u32>().unwrap() < 60, "{:?}", later.headers);
    assert_eq!(later.must("cache-control"), "public, max-age=60");
    assert_eq!(later.must("vary").split(',').next(), Some("Authorization"));
    server.get(PATH).header("if-none-match", later.must("etag")).send().expect(304);
    assert_eq!(server.call("HEAD", PATH).send().expect(200).must("etag"), later.must("etag"));
    assert_eq!(server.user().get(PATH).send().expect(200).must("cache-control"), "no-store");
    assert_eq!(server.admin().get(PATH).send().expect(200).data()["items"], 7, "those of admins are others");
}

fn with_redis(secret: &str, url: String) -> Server {
    Place::furnished(Kind::Sqlite).with("SECRET_KEY", secret).with("REDIS_URL", url).serve()
}

#[test]
#[ignore = "needs Redis: tests/run"]
fn several_servers_give_the_same_figures() {
    let secret = redis::own_secret();
    let first = with_redis(&secret, redis::server_url());
    furnish(&first);
    let figures = first.get(PATH).send().expect(200);
    let second = with_redis(&secret, redis::server_url());
    assert_eq!(second.get(PATH).send().expect(200).text(), figures.text(), "the second has no items of its own");
    let stranger = with_redis(&redis::own_secret(), redis::server_url());
    assert_eq!(stranger.get(PATH).send().expect(200).data()["items"], 0, "another installation's are others");
}

#[test]
#[ignore = "needs Redis: tests/run"]
fn without_redis_each_server_counts_for_itself() {
    for gone in [Wire::Cut, Wire::Silent] {
        let wire = Proxy::to(redis::address());
        wire.set(gone);
        let server = with_redis(&redis::own_secret(), format!("redis://127.0.0.1:{}", wire.port));
        furnish(&server);
        assert_eq!(server.get(PATH).send().expect(200).data()["items"], 3);
        assert_eq!(server.get(PATH).send().expect(200).data()["items"], 3);
    }
}
