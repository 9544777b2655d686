//! Items by JSON: the rules of contract 2 from both sides, versions, policy.

use crate::support::{
    Server, Who,
    data::{new_category, new_item, shape},
    on_both,
};
use insta::{allow_duplicates, assert_snapshot};
use serde_json::{Value, json};

on_both! {
    an_item_is_created_whole,
    an_item_is_read_as_it_was_made,
    text_bounds_hold_on_both_sides,
    price_bounds_hold_on_both_sides,
    prices_are_exact_to_the_digit,
    tax_rate_and_currency_are_bounded,
    an_unknown_category_is_refused_at_its_field,
    a_duplicate_sku_is_a_conflict,
    patch_tells_absent_from_null,
    put_sets_what_is_absent_to_its_default,
    unknown_fields_are_ignored_and_forbidden_ones_refused,
    versions_guard_every_write,
    if_none_match_saves_the_body,
    of_two_writers_one_learns_of_the_other,
    deleted_is_gone_and_its_id_is_never_used_again,
    what_may_not_be_seen_is_as_if_it_were_not_there,
    only_the_owner_and_the_admin_edit,
    a_new_name_is_found_and_the_old_one_is_not,
}

fn an_item_is_created_whole(server: &Server) {
    let category = new_category(server, "Tools");
    let body = json!({
        "sku": " H-1 ", "name": "  Hammer ", "description": "Steel", "price": 19.99, "currency": "EUR", "tax_rate": 0.2,
        "is_active": true, "category_id": category,
    });
    let answer = server.user().post("/api/v1/items", &body).send().expect(201);
    assert_eq!(answer.must("location"), "/api/v1/items/1");
    assert_eq!(answer.must("etag"), "\"1\"");
    allow_duplicates! {
        assert_snapshot!(shape(&answer.json()), @r#"
    {
      "success": true,
      "message": "Item created successfully",
      "data": {
        "id": 1,
        "sku": "H-1",
        "name": "Hammer",
        "description": "Steel",
        "price": 19.99,
        "currency": "EUR",
        "tax_rate": 0.2,
        "is_active": true,
        "category_id": 1,
        "owner_id": 2,
        "version": 1,
        "created_at": "[created_at]",
        "updated_at": "[updated_at]",
        "images": []
      }
    }
    "#);
    }
    let least = server
        .user()
        .post("/api/v1/items", &json!({"name": "Saw", "price": 1, "category_id": category}))
        .send()
        .expect(201);
    allow_duplicates! {
        assert_snapshot!(shape(&least.data()), @r#"
    {
      "id": 2,
      "sku": null,
      "name": "Saw",
      "description": null,
      "price": 1,
      "currency": "USD",
      "tax_rate": 0,
      "is_active": true,
      "category_id": 1,
      "owner_id": 2,
      "version": 1,
      "created_at": "[created_at]",
      "updated_at": "[updated_at]",
      "images": []
    }
    "#);
    }
    let made = least.data()["created_at"].as_str().unwrap().to_owned();
    assert!(made.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(&made).is_ok(), "{made}");
}

fn an_item_is_read_as_it_was_made(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer 🔨 \"quoted\" <b>", json!({"sku": "H-1"}));
    let read = server.get(&item.path()).send().expect(200);
    assert_eq!(read.data(), item.data);
    assert_eq!(read.json()["message"], "Item retrieved successfully");
    assert_eq!(read.json()["success"], true);
    assert_eq!(read.must("etag"), item.etag);
}

/// Tries a body with this one field and says whether it was taken or refused at that field.
fn taken(server: &Server, category: i64, field: &str, value: Value) -> bool {
    let mut body = json!({"name": "x", "price": 1, "category_id": category});
    body[field] = value;
    let answer = server.user().post("/api/v1/items", &body).send();
    if answer.status == 201 {
        return true;
    }
    answer.refused_at(&[field]);
    false
}

fn text_bounds_hold_on_both_sides(server: &Server) {
    let category = new_category(server, "Tools");
    let taken = |field: &str, value: Value| taken(server, category, field, value);
    assert!(taken("name", json!("x")));
    assert!(taken("name", json!("ä".repeat(100))), "characters count, not bytes");
    assert!(!taken("name", json!("ä".repeat(101))));
    assert!(taken("name", json!(format!("  {}  ", "x".repeat(100)))), "trimmed first");
    assert!(!taken("name", json!("")));
    assert!(!taken("name", json!(" \t\n ")));
    assert!(!taken("name", Value::Null));
    assert!(!taken("name", json!(["x"])));
    assert!(taken("sku", json!("S".repeat(64))));
    assert!(!taken("sku", json!("S".repeat(65))));
    assert!(taken("sku", Value::Null));
    assert!(taken("description", json!("😀".repeat(500))));
    assert!(!taken("description", json!("😀".repeat(501))));
    assert!(taken("description", Value::Null));
    assert!(!taken("is_active", json!(1)));
    assert!(!taken("is_active", json!("true")));
}

/// A body written by hand, so that the number goes out as it stands.
fn with_price(server: &Server, category: i64, price: &str) -> crate::support::Answer {
    let body = format!(r#"{{"name":"x","price":{price},"category_id":{category}}}"#);
    server.user().call("POST", "/api/v1/items").body("application/json", body).send()
}

fn price_bounds_hold_on_both_sides(server: &Server) {
    let category = new_category(server, "Tools");
    for good in
        ["0.0001", "999999999.9999", "1", "1.0", "1e2", "1E+2", "12e-1", "1.50000000", "\"19.99\"", "\"0.0001\""]
    {
        let answer = with_price(server, category, good);
        assert_eq!(answer.status, 201, "{good}: {}", answer.text());
    }
    let bad = [
        "0",
        "0.0",
        "-0",
        "-0.0",
        "-1",
        "0.00001",
        "1.23456",
        "999999999.99991",
        "1000000000",
        "1e9",
        "1e400",
        "-1e400",
        "1e-400",
        "99999999999999999999999999",
        "\"\"",
        "\"x\"",
        "\"1,50\"",
        "\"1e400\"",
        "\"NaN\"",
        "\"Infinity\"",
        "\"0x10\"",
        "\" \"",
        "true",
        "[]",
        "{}",
        "null",
        "1e999999999999999999999",
    ];
    for bad in bad {
        let answer = with_price(server, category, bad);
        assert_eq!(answer.status, 422, "{bad}: {}", answer.text());
        answer.refused_at(&["price"]);
    }
    for malformed in ["01", "1.", ".5", "+1", "0x10", "1_000"] {
        with_price(server, category, malformed).problem(400);
    }
    assert_eq!(server.db().count("items"), 10);
}

fn prices_are_exact_to_the_digit(server: &Server) {
    let category = new_category(server, "Tools");
    for (sent, written) in [
        ("19.99", "19.99"),
        ("0.1", "0.1"),
        ("0.3", "0.3"),
        ("100", "100"),
        ("1.10", "1.1"),
        ("999999999.9999", "999999999.9999"),
        ("0.0001", "0.0001"),
        ("1234567.8912", "1234567.8912"),
        ("4.35", "4.35"),
        ("1.005", "1.005"),
        ("2.675", "2.675"),
        ("\"8.2\"", "8.2"),
        ("1e2", "100"),
        ("70000000.07", "70000000.07"),
    ] {
        let made = with_price(server, category, sent).expect(201);
        let id = made.data()["id"].clone();
        let text = server.get(&format!("/api/v1/items/{id}")).send().expect(200).text();
        let number = text.split("\"price\":").nth(1).unwrap().split([',', '}']).next().unwrap().to_owned();
        let same =
            number == written || number.contains('.') && number.trim_end_matches('0').trim_end_matches('.') == written;
        assert!(same, "{sent} came back as {number}");
    }
}

fn tax_rate_and_currency_are_bounded(server: &Server) {
    let category = new_category(server, "Tools");
    let taken = |field: &str, value: Value| taken(server, category, field, value);
    for good in [json!(0), json!(1), json!(0.2), json!(0.0001), json!(1.0)] {
        assert!(taken("tax_rate", good.clone()), "{good}");
    }
    for bad in [json!(-0.1), json!(1.0001), json!(2), json!(0.00001), json!("x"), json!(true)] {
        assert!(!taken("tax_rate", bad.clone()), "{bad}");
    }
    for good in ["USD", "EUR", "JPY", "CHF"] {
        assert!(taken("currency", json!(good)), "{good}");
    }
    for bad in [json!("US"), json!("USDX"), json!("XYZ"), json!("U$D"), json!(""), json!(840)] {
        assert!(!taken("currency", bad.clone()), "{bad}");
    }
}

fn an_unknown_category_is_refused_at_its_field(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({}));
    for unknown in [json!(999), json!(0), json!(-1), json!(i64::MAX), json!(1.5), json!("1"), json!(null)] {
        assert!(!taken(server, category, "category_id", unknown.clone()), "{unknown}");
        server.user().patch(&item.path(), &json!({"category_id": unknown})).send().refused_at(&["category_id"]);
    }
    server.user().post("/api/v1/items", &json!({"name": "x", "price": 1})).send().refused_at(&["category_id"]);
    assert_eq!(server.db().count("items"), 1);
}

fn a_duplicate_sku_is_a_conflict(server: &Server) {
    let category = new_category(server, "Tools");
    let (one, other) = (
        new_item(server, category, "One", json!({"sku": "A-1"})),
        new_item(server, category, "Two", json!({"sku": "A-2"})),
    );
    let body = json!({"name": "x", "price": 1, "category_id": category, "sku": " A-1 "});
    let problem = server.user().post("/api/v1/items", &body).send().problem(409);
    allow_duplicates! {
        assert_snapshot!(shape(&problem), @r#"
    {
      "type": "urn:stockroom:problem:conflict",
      "title": "Conflict",
      "status": 409,
      "detail": "An item with this SKU exists already",
      "success": false,
      "message": "An item with this SKU exists already",
      "error_type": "conflict",
      "request_id": "[request_id]",
      "errors": [
        {
          "field": "sku",
          "message": "An item with this SKU exists already",
          "type": "conflict"
        }
      ]
    }
    "#);
    }
    server.user().patch(&other.path(), &json!({"sku": "A-1"})).send().problem(409);
    server.user().patch(&one.path(), &json!({"sku": "A-1", "name": "Still one"})).send().expect(200);
    let none = json!({"name": "x", "price": 1, "category_id": category});
    for _ in 0..2 {
        server.user().post("/api/v1/items", &none).send().expect(201);
    }
    server.user().patch(&one.path(), &json!({"sku": null})).send().expect(200);
    server.user().patch(&other.path(), &json!({"sku": "A-1"})).send().expect(200);
}

fn full(server: &Server) -> crate::support::Item {
    let category = new_category(server, "Tools");
    new_item(
        server,
        category,
        "Hammer",
        json!({"sku": "H-1", "description": "Steel", "currency": "EUR", "tax_rate": 0.2, "is_active": false, "price": 5.5}),
    )
}

fn patch_tells_absent_from_null(server: &Server) {
    let item = full(server);
    let patch = |body: Value| server.user().patch(&item.path(), &body).send();
    let after = patch(json!({"price": 6})).expect(200).data();
    for field in
        ["sku", "name", "description", "currency", "tax_rate", "is_active", "category_id", "owner_id", "created_at"]
    {
        assert_eq!(after[field], item.data[field], "{field} was not sent");
    }
    let after = patch(json!({"description": null, "sku": null})).expect(200).data();
    assert_eq!((&after["description"], &after["sku"]), (&Value::Null, &Value::Null));
    for required in ["name", "price", "category_id"] {
        let mut body = json!({});
        body[required] = Value::Null;
        patch(body).refused_at(&[required]);
    }
    patch(json!({"name": "", "price": -1})).refused_at(&["name", "price"]);
    assert_eq!(server.user().get(&item.path()).send().expect(200).data(), after, "a refused write changes nothing");
}

fn put_sets_what_is_absent_to_its_default(server: &Server) {
    let item = full(server);
    let body = json!({"name": "Mallet", "price": 7, "category_id": item.data["category_id"]});
    let after = server.user().put(&item.path(), &body).send().expect(200);
    allow_duplicates! {
        assert_snapshot!(shape(&after.data()), @r#"
    {
      "id": 1,
      "sku": null,
      "name": "Mallet",
      "description": null,
      "price": 7,
      "currency": "USD",
      "tax_rate": 0,
      "is_active": true,
      "category_id": 1,
      "owner_id": 2,
      "version": 2,
      "created_at": "[created_at]",
      "updated_at": "[updated_at]",
      "images": []
    }
    "#);
    }
    assert_eq!(after.data()["created_at"], item.data["created_at"]);
    server.user().put(&item.path(), &json!({})).send().refused_at(&["name", "price", "category_id"]);
    server.admin().put("/api/v1/items/999", &body).send().problem(404);
}

fn unknown_fields_are_ignored_and_forbidden_ones_refused(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({"colour": "red", "weight": {"kg": 2}}));
    assert!(item.data.get("colour").is_none());
    let of_somebody_else = json!({"name": "x", "price": 1, "category_id": category, "owner_id": Who::Admin.id()});
    server.user().post("/api/v1/items", &of_somebody_else).send().problem(403);
    server.user().patch(&item.path(), &json!({"owner_id": Who::Other.id()})).send().problem(403);
    for (field, value) in [("created_at", "1999-01-01T00:00:00Z"), ("updated_at", "x"), ("owner_id", "x")] {
        server.user().patch(&item.path(), &json!({field: value})).send().problem(403);
    }
    for (field, value) in [("id", json!(77)), ("version", json!(9))] {
        let mut body = json!({"name": "x"});
        body[field] = value;
        server.user().patch(&item.path(), &body).send().problem(403);
    }
    // What would change nothing is no trespass: a client may send back what it got.
    server.user().put(&item.path(), &item.data).send().expect(200);
    server.user().patch(&item.path(), &json!({"owner_id": Who::User.id(), "name": "Mine"})).send().expect(200);
    assert_eq!(server.db().number("SELECT owner_id AS n FROM items"), Who::User.id());
}

fn versions_guard_every_write(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({}));
    let user = server.user();
    let patch = |tag: &str| user.patch(&item.path(), &json!({"price": 11})).header("if-match", tag).send();
    patch("\"01\"").problem(412);
    let put = json!({"name": "Mallet", "price": 7, "category_id": category});
    assert_eq!(patch("\"1\"").expect(200).must("etag"), "\"2\"");
    for stale in ["\"1\"", "\"3\"", "W/\"2\"", "\"x\"", "\"1\", \"7\""] {
        patch(stale).problem(412);
        user.put(&item.path(), &put).header("if-match", stale).send().problem(412);
        server.admin().delete(&item.path()).header("if-match", stale).send().problem(412);
    }
    assert_eq!(patch("\"7\", \"2\"").expect(200).must("etag"), "\"3\"", "a list of tags");
    assert_eq!(patch("*").expect(200).must("etag"), "\"4\"");
    assert_eq!(user.put(&item.path(), &put).header("if-match", "\"4\"").send().expect(200).must("etag"), "\"5\"");
    assert_eq!(
        user.patch(&item.path(), &json!({"price": 12})).send().expect(200).must("etag"),
        "\"6\"",
        "without it nothing is asked"
    );
    for garbage in ["2", "\"2", "garbage"] {
        let status = patch(garbage).status;
        assert!(status == 400 || status == 412, "{garbage}: {status}");
    }
    assert_eq!(server.get(&item.path()).send().expect(200).data()["version"], 6);
    server.admin().delete(&item.path()).header("if-match", "\"6\"").send().expect(204);
    server.admin().delete("/api/v1/items/999").header("if-match", "*").send();
}

fn if_none_match_saves_the_body(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({}));
    for known in ["\"1\"", "W/\"1\"", "\"9\", \"1\"", "*"] {
        let answer = server.get(&item.path()).header("if-none-match", known).send().expect(304);
        assert!(answer.body.is_empty());
        assert_eq!(answer.must("etag"), "\"1\"");
    }
    server.get(&item.path()).header("if-none-match", "\"2\"").send().expect(200);
    let list = server.get("/api/v1/items").send().expect(200);
    let tag = list.must("etag");
    server.get("/api/v1/items").header("if-none-match", &tag).send().expect(304);
    new_item(server, category, "Saw", json!({}));
    assert_ne!(server.get("/api/v1/items").header("if-none-match", &tag).send().expect(200).must("etag"), tag);
}

fn of_two_writers_one_learns_of_the_other(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({}));
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|n| {
                let (path, tag) = (item.path(), item.etag.clone());
                scope.spawn(move || {
                    server.user().patch(&path, &json!({"price": 20 + n})).header("if-match", tag).send().status
                })
            })
            .collect();
        writers.into_iter().map(|w| w.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|s| **s == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|s| **s == 412).count(), 7, "{statuses:?}");
    // Without If-Match all are taken, one after the other, and none is lost.
    std::thread::scope(|scope| {
        for n in 0..8 {
            let path = item.path();
            scope.spawn(move || server.user().patch(&path, &json!({"price": 100 + n})).send().expect(200));
        }
    });
    assert_eq!(server.get(&item.path()).send().expect(200).data()["version"], 10);
}

fn deleted_is_gone_and_its_id_is_never_used_again(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({"sku": "H-1"}));
    let gone = server.admin().delete(&item.path()).send().expect(204);
    assert!(gone.body.is_empty() && gone.header("content-type").is_none());
    let problem = server.get(&item.path()).send().problem(404);
    assert_eq!(problem["detail"], format!("Item with id {} not found", item.id));
    for answer in
        [server.admin().delete(&item.path()).send(), server.admin().patch(&item.path(), &json!({"price": 1})).send()]
    {
        answer.problem(404);
    }
    assert_eq!(server.get("/api/v1/items?q=hammer").send().expect(200).json()["total"], 0);
    assert_eq!(server.get("/api/v1/items").send().expect(200).json()["total"], 0);
    assert!(new_item(server, category, "Hammer", json!({"sku": "H-1"})).id > item.id);
}

fn what_may_not_be_seen_is_as_if_it_were_not_there(server: &Server) {
    let category = new_category(server, "Tools");
    let hidden = new_item(server, category, "Secret hammer", json!({"is_active": false}));
    let bytes = |path: &str, token: Option<&str>| {
        let mut call = server.get(path).header("x-request-id", "same-id-twice");
        if let Some(token) = token {
            call = call.bearer(token);
        }
        let answer = call.send().expect(404);
        answer.text().replace(path.rsplit('/').next().unwrap(), "ID")
    };
    let (other, guest) = (server.token(Who::Other), server.token(Who::Guest));
    for token in [None, Some(other.as_str()), Some(guest.as_str())] {
        assert_eq!(bytes(&hidden.path(), token), bytes("/api/v1/items/424242", token), "byte for byte");
    }
    server.user().get(&hidden.path()).send().expect(200);
    server.admin().get(&hidden.path()).send().expect(200);
    server.as_who(Who::Other).patch(&hidden.path(), &json!({"price": 1})).send().problem(404);
    server.as_who(Who::Other).delete(&hidden.path()).send().problem(404);
    let total = |query: &str, who: Option<Who>| {
        let call = server.get(&format!("/api/v1/items?{query}"));
        let call = if let Some(who) = who { call.bearer(&server.token(who)) } else { call };
        call.send().expect(200).json()["total"].as_i64().unwrap()
    };
    for query in ["", "q=secret", "is_active=false", "sort=name&min_price=0"] {
        let seen: Vec<i64> = [None, Some(Who::Guest), Some(Who::Other), Some(Who::User), Some(Who::Admin)]
            .into_iter()
            .map(|w| total(query, w))
            .collect();
        assert_eq!(seen, [0, 0, 0, 1, 1], "anonymous, guest, other, owner, admin see with {query:?}");
    }
    let walked = server.get("/api/v1/items?limit=10").send().expect(200).rows();
    assert!(walked.is_empty());
}

fn only_the_owner_and_the_admin_edit(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({}));
    for who in [Who::Other, Who::Guest] {
        let problem = server.as_who(who).patch(&item.path(), &json!({"price": 1})).send().problem(403);
        assert_eq!(problem["error_type"], "forbidden");
        server.as_who(who).delete(&item.path()).send().problem(403);
    }
    // Who may not is told so before being told what is wrong with the body.
    server.as_who(Who::Guest).post("/api/v1/items", &json!({})).send().problem(403);
    server.post("/api/v1/items").json(&json!({})).send().problem(401);
    server.user().delete(&item.path()).send().problem(403);
    let mine = server.as_who(Who::Admin).patch(&item.path(), &json!({"price": 2})).send().expect(200).data();
    assert_eq!(mine["owner_id"], Who::User.id(), "editing does not take it over");
}

fn a_new_name_is_found_and_the_old_one_is_not(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({}));
    let found =
        |q: &str| server.get(&format!("/api/v1/items?q={q}")).send().expect(200).json()["total"].as_i64().unwrap();
    assert_eq!((found("hammer"), found("mallet")), (1, 0));
    server.user().patch(&item.path(), &json!({"name": "Mallet"})).send().expect(200);
    assert_eq!((found("hammer"), found("mallet")), (0, 1));
}
