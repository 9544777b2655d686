//! Many items in one request.

use crate::support::{
    Answer, Server, Who,
    data::{new_category, new_item, shape},
    on_both,
};
use serde_json::{Value, json};

on_both! {
    all_that_are_right_are_created_in_their_order,
    of_some_the_wrong_ones_are_told_at_their_places,
    of_none_that_is_right_the_answer_is_a_problem,
    all_or_nothing_leaves_nothing,
    what_is_no_array_of_at_most_a_hundred_objects_is_refused,
    the_same_changes_are_laid_over_many,
    changes_that_are_wrong_are_told_once,
    many_are_removed_and_what_is_not_there_is_told,
    each_may_do_what_they_may_do_with_one,
    a_bulk_act_is_one_changeset_and_is_undone_as_one,
    codes_that_are_taken_at_the_same_moment_fail_alone,
}

const PATH: &str = "/api/v1/items/bulk";

fn item(category: i64, name: &str, sku: Option<&str>) -> Value {
    json!({"name": name, "price": 10, "category_id": category, "sku": sku})
}

fn names(server: &Server) -> Vec<String> {
    server.db().texts("SELECT name AS s FROM items ORDER BY id")
}

fn all_that_are_right_are_created_in_their_order(server: &Server) {
    let category = new_category(server, "Tools");
    let items: Vec<Value> = (0..100).map(|n| item(category, &format!("Tool {n}"), Some(&format!("T-{n}")))).collect();
    let answer = server.user().post(PATH, &json!(items)).send().expect(201).json();
    assert_eq!(
        (&answer["success"], &answer["created"], &answer["failed"], &answer["errors"]),
        (&json!(true), &json!(100), &json!(0), &json!([]))
    );
    assert_eq!(answer["message"], "100 items created");
    for (n, made) in answer["data"].as_array().unwrap().iter().enumerate() {
        assert_eq!((&made["name"], &made["owner_id"]), (&json!(format!("Tool {n}")), &json!(Who::User.id())));
        assert_eq!(made, &server.get(&format!("/api/v1/items/{}", made["id"])).send().expect(200).data());
    }
    let list = server.get("/api/v1/items?q=tool").send().expect(200).json();
    assert_eq!(list["total"], 100, "they are found by their words, and counted");
    let category = server.get(&format!("/api/v1/categories/{category}")).send().expect(200).data();
    assert_eq!(category["item_count"], 100);
}

fn of_some_the_wrong_ones_are_told_at_their_places(server: &Server) {
    let category = new_category(server, "Tools");
    new_item(server, category, "There already", json!({"sku": "OLD"}));
    let body = json!([
        item(category, "First", Some("NEW")),
        item(category, "Code is taken", Some("OLD")),
        item(category, "Code comes twice", Some("NEW")),
        {"name": "", "price": 0, "category_id": category},
        item(999, "No such category", None),
        {"name": "Not mine to say", "price": 1, "category_id": category, "owner_id": 1},
        {"name": "Last", "price": 12345678.9012, "category_id": category, "unknown": [1]},
    ]);
    let answer = server.user().post(PATH, &body).send().expect(207).json();
    assert_eq!(names(server), ["There already", "First", "Last"]);
    insta::allow_duplicates! {
    insta::assert_snapshot!(shape(&answer), @r#"
    {
      "success": false,
      "message": "2 items created, 5 refused",
      "created": 2,
      "failed": 5,
      "data": [
        {
          "id": 2,
          "sku": "NEW",
          "name": "First",
          "description": null,
          "price": 10,
          "currency": "USD",
          "tax_rate": 0,
          "is_active": true,
          "category_id": 1,
          "owner_id": 2,
          "version": 1,
          "created_at": "[created_at]",
          "updated_at": "[updated_at]",
          "images": []
        },
        {
          "id": 3,
          "sku": null,
          "name": "Last",
          "description": null,
          "price": 12345678.9012,
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
      ],
      "errors": [
        {
          "index": 1,
          "errors": [
            {
              "field": "sku",
              "message": "An item with this SKU exists already",
              "type": "conflict"
            }
          ]
        },
        {
          "index": 2,
          "errors": [
            {
              "field": "sku",
              "message": "is that of items[0] too",
              "type": "conflict"
            }
          ]
        },
        {
          "index": 3,
          "errors": [
            {
              "field": "name",
              "message": "must have 1 to 100 characters",
              "type": "length"
            },
            {
              "field": "price",
              "message": "must be greater than 0",
              "type": "range"
            }
          ]
        },
        {
          "index": 4,
          "errors": [
            {
              "field": "category_id",
              "message": "must be the id of a category; 999 is none",
              "type": "unknown"
            }
          ]
        },
        {
          "index": 5,
          "errors": [
            {
              "field": "owner_id",
              "message": "You may not set owner_id: the server does.",
              "type": "forbidden"
            }
          ]
        }
      ]
    }
    "#);
    }
}

fn of_none_that_is_right_the_answer_is_a_problem(server: &Server) {
    let category = new_category(server, "Tools");
    let body =
        json!([item(999, "Nowhere", None), {"name": "x", "price": -1, "currency": "XXXX", "category_id": category}]);
    let problem = server.user().post(PATH, &body).send().problem(422);
    insta::allow_duplicates! {
    insta::assert_snapshot!(shape(&problem), @r#"
    {
      "type": "urn:stockroom:problem:validation_error",
      "title": "Unprocessable Entity",
      "status": 422,
      "detail": "Nothing was created: all 2 were refused.",
      "success": false,
      "message": "Nothing was created: all 2 were refused.",
      "error_type": "validation_error",
      "request_id": "[request_id]",
      "created": 0,
      "failed": 2,
      "data": [],
      "errors": [
        {
          "field": "items[0].category_id",
          "message": "must be the id of a category; 999 is none",
          "type": "unknown",
          "index": 0,
          "errors": [
            {
              "field": "category_id",
              "message": "must be the id of a category; 999 is none",
              "type": "unknown"
            }
          ]
        },
        {
          "field": "items[1].currency",
          "message": "must be a currency code of ISO 4217, such as USD",
          "type": "format",
          "index": 1,
          "errors": [
            {
              "field": "currency",
              "message": "must be a currency code of ISO 4217, such as USD",
              "type": "format"
            },
            {
              "field": "price",
              "message": "must be greater than 0",
              "type": "range"
            }
          ]
        }
      ]
    }
    "#);
    }
    assert_eq!(names(server), [""; 0]);
    assert_eq!(server.db().number("SELECT count(*) AS n FROM changes WHERE entity = 'item'"), 0);
}

fn all_or_nothing_leaves_nothing(server: &Server) {
    let category = new_category(server, "Tools");
    let both = json!([item(category, "Good", Some("G")), item(category, "Bad", Some("G"))]);
    let problem = server.user().post(&format!("{PATH}?atomic=true"), &both).send().problem(422);
    assert_eq!((&problem["created"], &problem["failed"], &problem["data"]), (&json!(0), &json!(1), &json!([])));
    assert_eq!(problem["errors"][0]["index"], 1);
    assert_eq!(problem["errors"][0]["field"], "items[1].sku");
    assert_eq!(problem["detail"], "Nothing was created: 1 of 2 were refused.");
    assert_eq!(names(server), [""; 0]);
    let good = json!([item(category, "Good", Some("G"))]);
    let made = server.user().post(&format!("{PATH}?atomic=true"), &good).send().expect(201).data();
    let ids = json!([made[0]["id"], 999]);
    let patch = json!({"ids": ids, "changes": {"price": 99}});
    server.user().patch(&format!("{PATH}?atomic=true"), &patch).send().problem(422);
    let delete = || server.admin().delete(&format!("{PATH}?atomic=true")).json(&json!({"ids": ids}));
    delete().send().problem(422);
    assert_eq!(server.get(&format!("/api/v1/items/{}", ids[0])).send().expect(200).data(), made[0]);
    server.user().post(&format!("{PATH}?atomic=perhaps"), &good).send().refused_at(&["atomic"]);
    server.user().post(&format!("{PATH}?atomic=1&atomic=1"), &good).send().problem(400);
}

fn what_is_no_array_of_at_most_a_hundred_objects_is_refused(server: &Server) {
    let category = new_category(server, "Tools");
    let user = server.user();
    let refused = |status: u16, body: &str| -> Value {
        user.call("POST", PATH).body("application/json", body).send().problem(status)
    };
    let many = |n: usize| json!(vec![item(category, "Same", None); n]);
    assert_eq!(refused(400, &many(101).to_string())["detail"], "At most 100 items can be sent at once, not 101.");
    refused(400, &item(category, "Alone", None).to_string());
    refused(400, "null");
    refused(400, "");
    refused(400, "[{]");
    refused(400, r#"[{"name": "a", "name": "b"}]"#);
    refused(400, &format!("[{{{}\"a39\":1}}]", (0..100).map(|n| format!("\"a{n}\":1,")).collect::<String>()));
    refused(400, &format!("{}{}", "[".repeat(33), "]".repeat(33)));
    assert_eq!(refused(400, "[{}, []]")["detail"], "Malformed JSON: items[1] must be an object.");
    assert_eq!(refused(422, "[]")["errors"][0]["field"], "items");
    refused(413, &format!("[{}]", " ".repeat(1024 * 1024)));
    user.call("POST", PATH).body("text/csv", "[]").send().problem(415);
    user.get(PATH).send().problem(405);
    let ids = |ids: Value| json!({"ids": ids, "changes": {"price": 1}});
    let over: Vec<i64> = (1..=101).collect();
    for (body, status, field) in [
        (ids(json!(over)), 400, ""),
        (json!([1]), 400, ""),
        (ids(json!([])), 422, "ids"),
        (ids(json!("1")), 422, "ids"),
        (ids(json!([1, "2", 1.5, null])), 422, "ids[1]"),
        (json!({"changes": {"price": 1}}), 422, "ids"),
        (json!({"ids": [1]}), 422, "changes"),
        (json!({"ids": [1], "changes": {}}), 422, "changes"),
        (json!({"ids": [1], "changes": [1]}), 422, "changes"),
    ] {
        let problem = user.patch(PATH, &body).send().problem(status);
        assert_eq!(problem["errors"][0]["field"].as_str().unwrap_or_default(), field, "{body}: {problem}");
    }
    server.admin().delete(PATH).json(&json!({"ids": over})).send().problem(400);
    server.admin().delete(PATH).send().problem(415);
    assert_eq!(names(server), [""; 0]);
    user.post(PATH, &many(100)).send().expect(201);
}

fn ids(made: &[&crate::support::Item]) -> Vec<i64> {
    made.iter().map(|item| item.id).collect()
}

fn the_same_changes_are_laid_over_many(server: &Server) {
    let category = new_category(server, "Tools");
    let (a, b) = (new_item(server, category, "A", json!({"sku": "A"})), new_item(server, category, "B", json!({})));
    let body = json!({"ids": [b.id, a.id, b.id], "changes": {"price": 7.5, "description": "Sale"}});
    let answer = server.user().patch(PATH, &body).send().expect(200).json();
    assert_eq!((&answer["updated"], &answer["failed"]), (&json!(2), &json!(0)), "an id that comes twice is one");
    assert!(answer.get("created").is_none());
    let rows = answer["data"].as_array().unwrap();
    assert_eq!((&rows[0]["id"], &rows[1]["id"]), (&json!(b.id), &json!(a.id)), "in the order of the ids");
    for row in rows {
        assert_eq!((row["price"].to_string().as_str(), &row["version"]), ("7.5", &json!(2)));
    }
    assert_eq!(server.get("/api/v1/items?q=sale").send().expect(200).json()["total"], 2);
    // A code can be that of one only; and nobody may set what the server sets.
    let body = json!({"ids": [a.id, b.id, 999], "changes": {"sku": "ONE"}});
    let answer = server.user().patch(PATH, &body).send().expect(207).json();
    assert_eq!((&answer["updated"], &answer["failed"]), (&json!(1), &json!(2)));
    assert_eq!(answer["data"][0]["id"], json!(a.id));
    assert_eq!(
        answer["errors"],
        json!([
            {"index": 1, "id": b.id, "errors": [{"field": "sku", "message": "An item with this SKU exists already", "type": "conflict"}]},
            {"index": 2, "id": 999, "errors": [{"field": "id", "message": "Item with id 999 not found", "type": "not_found"}]},
        ])
    );
    let body = json!({"ids": [a.id, b.id], "changes": {"owner_id": 1}});
    let problem = server.admin().patch(PATH, &body).send().problem(422);
    assert_eq!(problem["errors"][0]["type"], "forbidden");
    assert_eq!(problem["errors"][0]["field"], "ids[0].owner_id");
    let body = json!({"ids": [a.id, b.id], "changes": {"owner_id": Who::User.id(), "is_active": false}});
    server.admin().patch(PATH, &body).send().expect(200);
    assert_eq!(server.get("/api/v1/items").send().expect(200).json()["total"], 0);
}

fn changes_that_are_wrong_are_told_once(server: &Server) {
    let category = new_category(server, "Tools");
    let made = new_item(server, category, "A", json!({}));
    let patch = |changes: Value| -> Answer {
        server.user().patch(PATH, &json!({"ids": [made.id, 999], "changes": changes})).send()
    };
    patch(json!({"price": 0, "currency": "money"})).refused_at(&["changes.price", "changes.currency"]);
    patch(json!({"category_id": 999})).refused_at(&["changes.category_id"]);
    patch(json!({"name": null})).refused_at(&["changes.name"]);
    assert_eq!(server.get(&made.path()).send().expect(200).data(), made.data);
}

fn many_are_removed_and_what_is_not_there_is_told(server: &Server) {
    let category = new_category(server, "Tools");
    let (a, b) = (new_item(server, category, "A", json!({})), new_item(server, category, "B", json!({})));
    let delete = |ids: Value| server.admin().delete(PATH).json(&json!({"ids": ids})).send();
    let answer = delete(json!([999, a.id, b.id, a.id])).expect(207).json();
    assert_eq!((&answer["deleted"], &answer["failed"]), (&json!(2), &json!(1)));
    assert_eq!(answer["data"], json!([a.id, b.id]));
    assert_eq!(
        answer["errors"],
        json!([{"index": 0, "id": 999, "errors": [{"field": "id", "message": "Item with id 999 not found", "type": "not_found"}]}])
    );
    assert_eq!(names(server), [""; 0]);
    assert_eq!(server.get("/api/v1/items").send().expect(200).json()["total"], 0);
    let problem = delete(json!([a.id])).problem(422);
    assert_eq!((&problem["deleted"], &problem["errors"][0]["field"]), (&json!(0), &json!("ids[0]")));
}

fn each_may_do_what_they_may_do_with_one(server: &Server) {
    let category = new_category(server, "Tools");
    let mine = new_item(server, category, "Mine", json!({}));
    let hidden = new_item(server, category, "Hidden", json!({"is_active": false}));
    let body = json!({"name": "His", "price": 1, "category_id": category});
    let his = server.as_who(Who::Other).post("/api/v1/items", &body).send().expect(201).data()["id"].clone();
    let patch = json!({"ids": [mine.id, hidden.id, his, 999], "changes": {"price": 2}});
    let answer = server.as_who(Who::Other).patch(PATH, &patch).send().expect(207).json();
    assert_eq!((&answer["updated"], &answer["data"][0]["id"]), (&json!(1), &his));
    let kinds: Vec<_> = answer["errors"].as_array().unwrap().iter().map(|e| e["errors"][0]["type"].clone()).collect();
    assert_eq!(kinds, ["forbidden", "not_found", "not_found"], "what one may not see is as if it were not there");
    server.as_who(Who::Guest).post(PATH, &json!([body])).send().problem(403);
    server.as_who(Who::Guest).patch(PATH, &patch).send().problem(403);
    server.user().delete(PATH).json(&json!({"ids": [mine.id]})).send().problem(403);
    for method in ["POST", "PATCH", "DELETE"] {
        server.call(method, PATH).json(&patch).send().problem(401);
    }
}

fn a_bulk_act_is_one_changeset_and_is_undone_as_one(server: &Server) {
    let category = new_category(server, "Tools");
    let (a, b) = (new_item(server, category, "A", json!({})), new_item(server, category, "B", json!({})));
    let newest = || server.db().number("SELECT max(id) AS n FROM changesets");
    let undo = |id: i64| server.admin().post(&format!("/api/v1/audit/{id}/revert"), &json!({})).send().expect(200);
    let summary =
        |id: i64| server.admin().get(&format!("/api/v1/audit/{id}")).send().expect(200).data()["summary"].clone();
    let before = newest();
    let patch = json!({"ids": ids(&[&a, &b]), "changes": {"price": 3}});
    server.user().patch(PATH, &patch).send().expect(200);
    assert_eq!((newest(), summary(newest())), (before + 1, json!("Updated 2 items")));
    undo(newest());
    assert_eq!(server.get(&a.path()).send().expect(200).data()["price"].to_string(), "10");
    server.admin().delete(PATH).json(&json!({"ids": ids(&[&a, &b])})).send().expect(200);
    let deletion = newest();
    assert_eq!(summary(deletion), json!("Deleted 2 items"));
    server.get(&a.path()).send().problem(404);
    undo(deletion);
    assert_eq!(server.get(&b.path()).send().expect(200).data()["name"], "B");
    let made = json!([item(category, "C", None), item(category, "D", None)]);
    server.user().post(PATH, &made).send().expect(201);
    let creation = newest();
    assert_eq!(summary(creation), json!("Created 2 items"));
    undo(creation);
    assert_eq!(names(server), ["A", "B"]);
}

fn codes_that_are_taken_at_the_same_moment_fail_alone(server: &Server) {
    let category = new_category(server, "Tools");
    let tokens = [Who::User, Who::Other, Who::Admin].map(|who| server.token(who));
    // Each wants the same ten codes beside ten of its own, in another order each.
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..6)
            .map(|n| {
                let token = &tokens[n % 3];
                scope.spawn(move || {
                    let own = (0..10).map(|i| item(category, "Own", Some(&format!("OWN-{n}-{i}"))));
                    let all: Vec<Value> = own
                        .chain((0..10).map(|i| item(category, "Shared", Some(&format!("SHARED-{}", (i + n) % 10)))))
                        .collect();
                    loop {
                        let answer = server.call("POST", PATH).bearer(token).json(&json!(all)).send();
                        // PostgreSQL ends one of two that wait for each other.
                        if answer.status != 503 {
                            return answer.json();
                        }
                    }
                })
            })
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let sum = |member: &str| answers.iter().map(|answer| answer[member].as_i64().unwrap()).sum::<i64>();
    assert_eq!((sum("created"), sum("failed")), (70, 50), "{answers:?}");
    for answer in &answers {
        for failed in answer["errors"].as_array().unwrap() {
            assert_eq!(failed["errors"][0]["field"], "sku");
            assert_eq!(failed["errors"][0]["type"], "conflict");
        }
    }
    assert_eq!(server.get("/api/v1/items").send().expect(200).json()["total"], 70);
}
