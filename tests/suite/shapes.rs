//! What is shown of things: `fields`, `expand`, version 2, and that every route and every list keeps the common rules.

use crate::support::{
    Server, Visitor, Who,
    data::{new_category, new_item, routes, shape},
    on_both,
};
use insta::{allow_duplicates, assert_snapshot};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

on_both! {
    fields_cut_the_objects_of_every_list,
    an_unknown_field_is_refused_with_everything_else_that_is_wrong,
    what_is_expanded_stands_beside_its_id,
    strangers_learn_no_more_of_an_owner_than_the_name,
    the_tag_changes_with_the_shape_and_with_what_is_expanded,
    a_tag_of_any_shape_guards_a_write,
    a_cursor_goes_on_in_any_shape,
    the_items_of_a_category_are_a_list_like_any,
    every_list_has_three_windows_and_a_tag,
    walks_of_every_list_neither_skip_nor_repeat_while_others_write,
    version_2_has_the_price_in_one_piece,
    version_2_takes_the_price_in_one_piece,
    what_is_wrong_with_a_price_of_version_2_is_named_there,
    both_versions_share_their_rules_and_tags,
    head_and_options_work_on_every_route,
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Every list, with something in it.
fn lists(server: &Server) -> Vec<String> {
    let category = new_category(server, "Tools");
    new_category(server, "Toys");
    for n in 1..=5 {
        new_item(server, category, &format!("Item {n}"), json!({"sku": format!("S-{n}"), "price": n}));
    }
    for n in 1..=3 {
        let body = json!({"name": format!("Key {n}"), "scopes": ["read"]});
        server.admin().post("/api/v1/api-keys", &body).send().expect(201);
    }
    let mut lists: Vec<String> =
        ["items", "categories", "users", "audit", "api-keys"].map(|l| format!("/api/v1/{l}")).into();
    lists.push(format!("/api/v1/categories/{category}/items"));
    lists.push(format!("/api/v1/users/{}/items", Who::User.id()));
    lists.push("/api/v2/items".into());
    lists
}

fn fields_cut_the_objects_of_every_list(server: &Server) {
    for path in lists(server) {
        let get = |query: &str| server.admin().get(&format!("{path}?{query}")).send().expect(200);
        let whole = get("limit=100").rows();
        let names: Vec<String> = keys(&whole[0]).into_iter().map(str::to_owned).collect();
        // Each name, alone and all together.
        for name in &names {
            let cut = get(&format!("limit=100&fields={name}")).rows();
            assert_eq!(cut.len(), whole.len(), "{path} {name}");
            for (cut, whole) in cut.iter().zip(&whole) {
                assert_eq!(cut[name], whole[name], "{path} {name}");
                let extra = keys(cut).into_iter().filter(|key| key != name);
                let always = if path.contains("/users/") { vec!["category"] } else { vec![] };
                assert_eq!(
                    extra.collect::<Vec<_>>(),
                    if name == "category" { vec![] } else { always },
                    "{path} {name}"
                );
            }
        }
        assert_eq!(get(&format!("limit=100&fields={}", names.join(","))).rows(), whole, "{path}");
        assert_eq!(get("limit=100&fields=").rows(), whole, "{path}");
    }
    let list = server.get("/api/v1/items?fields=name,id&sort=-price&page_size=2").send().expect(200);
    assert_eq!(list.rows(), [json!({"id": 5, "name": "Item 5"}), json!({"id": 4, "name": "Item 4"})]);
    assert_eq!(list.json()["total"], 5);
    let one = server.get("/api/v1/items/1?fields=price").send().expect(200);
    assert_eq!(one.data(), json!({"price": 1}));
}

fn an_unknown_field_is_refused_with_everything_else_that_is_wrong(server: &Server) {
    for path in lists(server) {
        let get = |query: &str| server.admin().get(&format!("{path}?{query}")).send();
        for wrong in ["colour", "id,colour", "password_hash", "id,,name", "ID", "category.name"] {
            get(&format!("fields={wrong}")).refused_at(&["fields"]);
        }
        get("fields=colour&sort=colour&page=0").refused_at(&["fields", "page", "sort"]);
        get("fields=id&fields=name").problem(400);
    }
    for path in ["/api/v1/items", "/api/v1/items/1", "/api/v1/categories/1/items", "/api/v2/items", "/api/v2/items/1"] {
        server.get(&format!("{path}?expand=images2")).send().refused_at(&["expand"]);
        server.get(&format!("{path}?expand=category,&fields=x")).send().refused_at(&["expand", "fields"]);
    }
    server.get("/api/v1/items/1?fields=%zz").send().problem(400);
    // Who may not see it learns nothing of it by asking in another shape.
    let hidden = new_item(server, 1, "Hidden", json!({"is_active": false}));
    server.get(&format!("{}?fields=id", hidden.path())).send().problem(404);
    server.get(&format!("{}?expand=owner", hidden.path())).send().problem(404);
}

fn what_is_expanded_stands_beside_its_id(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({}));
    let one = server.get(&format!("{}?expand=category,owner", item.path())).send().expect(200);
    allow_duplicates! {
        assert_snapshot!(shape(&one.json()), @r#"
    {
      "success": true,
      "message": "Item retrieved successfully",
      "data": {
        "id": 1,
        "sku": null,
        "name": "Hammer",
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
        "images": [],
        "category": {
          "id": 1,
          "name": "Tools",
          "description": null,
          "version": 1,
          "created_at": "[created_at]",
          "updated_at": "[updated_at]"
        },
        "owner": {
          "id": 2,
          "username": "uma_user"
        }
      }
    }
    "#);
    }
    for path in ["/api/v1/items", &format!("/api/v1/categories/{category}/items")] {
        let list = server.get(&format!("{path}?expand=owner,category")).send().expect(200);
        assert_eq!(list.rows(), [one.data()], "{path}");
    }
    let cut = server.get("/api/v1/items?expand=category&fields=name").send().expect(200).rows();
    assert_eq!((keys(&cut[0]), &cut[0]["category"]["name"]), (vec!["name", "category"], &json!("Tools")));
    let of_user = server.user().get(&format!("/api/v1/users/{}/items?expand=owner", Who::User.id())).send().expect(200);
    assert_eq!(of_user.rows()[0]["owner"]["username"], "uma_user");
    assert_eq!(of_user.rows()[0]["category"]["name"], "Tools");
}

fn strangers_learn_no_more_of_an_owner_than_the_name(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({}));
    for path in [item.path(), "/api/v1/items".into(), "/api/v2/items".into(), format!("/api/v2/items/{}", item.id)] {
        let path = format!("{path}?expand=owner");
        let owner = |token: Option<String>| {
            let call = server.get(&path);
            let data = token.map_or(server.get(&path), |token| call.bearer(&token)).send().expect(200).data();
            if data.is_array() { data[0]["owner"].clone() } else { data["owner"].clone() }
        };
        let name_only = json!({"id": Who::User.id(), "username": "uma_user"});
        assert_eq!(owner(None), name_only);
        for stranger in [Who::Other, Who::Guest] {
            assert_eq!(owner(Some(server.token(stranger))), name_only, "{stranger:?}");
        }
        for knows in [Who::User, Who::Admin] {
            let owner = owner(Some(server.token(knows)));
            assert_eq!(keys(&owner), ["id", "username", "email", "full_name", "role", "is_active"], "{knows:?}");
            assert_eq!(owner["email"], "uma_user@example.com");
        }
    }
}

fn the_tag_changes_with_the_shape_and_with_what_is_expanded(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({}));
    for path in [item.path(), "/api/v1/items".to_owned()] {
        let shapes =
            ["", "?fields=id", "?fields=name", "?expand=category", "?expand=owner", "?expand=category&fields=id"];
        let tag = |query: &str| server.get(&format!("{path}{query}")).send().expect(200).must("etag");
        let tags: BTreeMap<String, &str> = shapes.iter().map(|query| (tag(query), *query)).collect();
        assert_eq!(tags.len(), shapes.len(), "{path}: each shape has its own: {tags:?}");
        for (tag, query) in &tags {
            server.get(&format!("{path}{query}")).header("if-none-match", tag).send().expect(304);
        }
        let before: Vec<String> = shapes.iter().map(|query| tag(query)).collect();
        let rename = json!({"name": format!("Renamed for {path}")});
        server.admin().patch(&format!("/api/v1/categories/{category}"), &rename).send().expect(200);
        for (query, before) in shapes.iter().zip(before) {
            assert_eq!(tag(query) != before, query.contains("category"), "{path}{query}");
        }
    }
}

fn a_tag_of_any_shape_guards_a_write(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({}));
    let patch = |tag: &str| server.user().patch(&item.path(), &json!({"price": 3})).header("if-match", tag).send();
    let tag = server.get(&format!("{}?expand=category", item.path())).send().expect(200).must("etag");
    patch(&tag).expect(200);
    patch(&tag).problem(412);
    for wrong in ["\"-\"", "\"2x\"", "\"x-2\"", "W/\"2-0123456789abcdef\""] {
        patch(wrong).problem(412);
    }
}

fn a_cursor_goes_on_in_any_shape(server: &Server) {
    let path = lists(server).remove(0);
    let first = server.get(&format!("{path}?limit=2&sort=-price")).send().expect(200).json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let next = server.get(&format!("{path}?limit=2&sort=-price&fields=price&expand=owner&cursor={cursor}"));
    let prices: Vec<Value> = next.send().expect(200).rows().into_iter().map(|row| row["price"].clone()).collect();
    assert_eq!(prices, [json!(3), json!(2)]);
}

fn the_items_of_a_category_are_a_list_like_any(server: &Server) {
    let (tools, toys) = (new_category(server, "Tools"), new_category(server, "Toys"));
    for n in 1..=7 {
        let category = if n % 3 == 0 { toys } else { tools };
        new_item(server, category, &format!("Hammer {n}"), json!({"price": n, "is_active": n != 5}));
    }
    let path = format!("/api/v1/categories/{tools}/items");
    let prices = |query: &str| -> Vec<i64> {
        let rows = server.get(&format!("{path}?{query}")).send().expect(200).rows();
        rows.iter().map(|row| row["price"].as_i64().unwrap()).collect()
    };
    assert_eq!(prices("sort=-price"), [7, 4, 2, 1]);
    assert_eq!(prices("q=hammer&min_price=2&sort=price"), [2, 4, 7]);
    assert_eq!(prices("sort=price&skip=1&limit=2"), [2, 4]);
    assert_eq!(prices(&format!("category_id={toys}&sort=price")), [1, 2, 4, 7], "the path says which");
    let total = |who: Who| server.as_who(who).get(&path).send().expect(200).json()["total"].clone();
    assert_eq!([Who::Guest, Who::Other, Who::User, Who::Admin].map(total), [4, 4, 5, 5].map(|n| json!(n)));
    assert_eq!(server.get(&path).send().expect(200).json()["total"], 4);
    let problem = server.get("/api/v1/categories/424242/items").send().problem(404);
    assert_eq!(problem["detail"], "Category with id 424242 not found");
    server.get(&format!("{path}?sort=colour")).send().refused_at(&["sort"]);
}

fn every_list_has_three_windows_and_a_tag(server: &Server) {
    for path in lists(server) {
        let get = |query: &str| server.admin().get(&format!("{path}?{query}")).send();
        let list = |query: &str| get(query).expect(200).json();
        let ids = |list: &Value| -> Vec<i64> {
            list["data"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect()
        };
        let all = list("page_size=100&sort=id");
        let (all_ids, total) = (ids(&all), all["total"].as_i64().unwrap());
        assert!(total >= 2 && all_ids.len() as i64 == total, "{path}: {total}");
        let by_page: Vec<i64> =
            (1..=total).flat_map(|page| ids(&list(&format!("page={page}&page_size=1&sort=id")))).collect();
        let by_skip: Vec<i64> =
            (0..total).flat_map(|skip| ids(&list(&format!("skip={skip}&limit=1&sort=id")))).collect();
        assert_eq!((&by_page, &by_skip), (&all_ids, &all_ids), "{path}");
        assert_eq!(walk(server, &path, "limit=1&sort=id"), all_ids, "{path}");
        assert!(list("limit=1").get("total").is_none(), "{path}");
        assert_eq!(list("limit=1&include_total=true")["total"], total, "{path}");
        get("page=1&skip=1").problem(400);
        get("cursor=x&limit=1").problem(400);
        get("page_size=101").refused_at(&["page_size"]);
        // Asking takes note of when a key was used and who signed in, so the tag is taken of what stands still.
        let answer = get("page_size=2&sort=id&fields=id").expect(200);
        let again = server.admin().get(&format!("{path}?page_size=2&sort=id&fields=id"));
        again.header("if-none-match", answer.must("etag")).send().expect(304);
    }
}

fn walk(server: &Server, path: &str, query: &str) -> Vec<i64> {
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.admin().get(&format!("{path}?{query}{cursor}")).send().expect(200).json();
        seen.extend(page["data"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return seen,
        }
        assert!(seen.len() < 5_000, "a walk without an end");
    }
}

fn walks_of_every_list_neither_skip_nor_repeat_while_others_write(server: &Server) {
    let lists = lists(server);
    let there: BTreeMap<&String, Vec<i64>> =
        lists.iter().map(|path| (path, walk(server, path, "limit=100&sort=id"))).collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                let done = &done;
                scope.spawn(move || {
                    let mut made = 0;
                    while !done.load(Ordering::Relaxed) {
                        let name = format!("{made} by {writer}");
                        let item = new_item(server, 1, &name, json!({"price": made % 7 + 1}));
                        let category = new_category(server, &name);
                        let key = json!({"name": name, "scopes": ["read"]});
                        if made % 20 == 0 && made < 100 {
                            server.admin().post("/api/v1/api-keys", &key).send().expect(201);
                        }
                        if made % 2 == 0 {
                            server.admin().delete(&item.path()).send().expect(204);
                            server.admin().delete(&format!("/api/v1/categories/{category}")).send().expect(204);
                        }
                        made += 1;
                    }
                    made
                })
            })
            .collect();
        let begun = server.db().count("changesets");
        for round in 0.. {
            for path in &lists {
                for sort in ["id", "-id"] {
                    let seen = walk(server, path, &format!("limit=3&sort={sort}"));
                    let mut unique = seen.clone();
                    unique.sort_unstable();
                    unique.dedup();
                    assert_eq!(unique.len(), seen.len(), "{path} by {sort}: repeated");
                    let skipped: Vec<&i64> = there[path].iter().filter(|id| !unique.contains(id)).collect();
                    assert!(skipped.is_empty(), "{path} by {sort}: skipped {skipped:?}");
                }
            }
            if round > 0 || server.db().count("changesets") > begun + 12 {
                break;
            }
        }
        done.store(true, Ordering::Relaxed);
        let made: i32 = writers.into_iter().map(|writer| writer.join().unwrap()).sum();
        assert!(made > 3, "{made}");
    });
}

fn version_2_has_the_price_in_one_piece(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({"price": "99.99", "tax_rate": 0.2, "sku": "H-1"}));
    let path = format!("/api/v2/items/{}", item.id);
    let one = server.get(&path).send().expect(200);
    allow_duplicates! {
        assert_snapshot!(shape(&one.json()), @r#"
    {
      "success": true,
      "message": "Item retrieved successfully",
      "data": {
        "id": 1,
        "sku": "H-1",
        "name": "Hammer",
        "description": null,
        "price": {
          "amount": "99.9900",
          "currency": "USD",
          "tax_rate": "0.2000"
        },
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
    assert_eq!(server.get("/api/v2/items").send().expect(200).rows(), [one.data()]);
    for (price, shown) in
        [("0.0001", "0.0001"), ("999999999.9999", "999999999.9999"), ("5", "5.0000"), ("1.1", "1.1000")]
    {
        server.user().patch(&item.path(), &json!({"price": price})).send().expect(200);
        assert_eq!(server.get(&path).send().expect(200).data()["price"]["amount"], shown);
    }
    let cut = server.get(&format!("{path}?fields=price&expand=category")).send().expect(200).data();
    assert_eq!((keys(&cut), &cut["category"]["name"]), (vec!["price", "category"], &json!("Tools")));
    server.get(&format!("{path}?fields=tax_rate")).send().refused_at(&["fields"]);
    server.get("/api/v2/items?sort=-price&min_price=1.1&max_price=1.1").send().expect(200);
    server.get("/api/v2/nothing").send().problem(404);
    server.get("/api/v2/items/424242").send().problem(404);
}

fn version_2_takes_the_price_in_one_piece(server: &Server) {
    let category = new_category(server, "Tools");
    let price = json!({"amount": "99.9900", "currency": "EUR", "tax_rate": "0.2000"});
    let body = json!({"name": "Hammer", "category_id": category, "price": price});
    let made = server.user().post("/api/v2/items", &body).send().expect(201);
    let path = made.must("location");
    assert_eq!((made.data()["price"].clone(), path.as_str()), (price.clone(), "/api/v2/items/1"));
    let patch = |body: Value| server.user().patch(&path, &body).send().expect(200).data()["price"].clone();
    assert_eq!(
        patch(json!({"price": {"amount": 5.5}})),
        json!({"amount": "5.5000", "currency": "EUR", "tax_rate": "0.2000"})
    );
    assert_eq!(patch(json!({"price": {"currency": "usd"}}))["currency"], "USD");
    assert_eq!(patch(json!({"name": "Mallet", "price": {}}))["amount"], "5.5000");
    assert_eq!(patch(json!({"currency": "JPY", "tax_rate": 1}))["currency"], "USD", "flat ones are unknown here");
    // What is read can be sent back.
    let read = server.get(&path).send().expect(200).data();
    let put = server.user().put(&path, &read).send().expect(200).data();
    assert_eq!((&put["price"], &put["name"], &put["version"]), (&read["price"], &read["name"], &json!(6)));
    // What is absent takes its default.
    let put = json!({"name": "Saw", "category_id": category, "price": {"amount": "1"}});
    let put = server.user().put(&path, &put).send().expect(200).data();
    assert_eq!(put["price"], json!({"amount": "1.0000", "currency": "USD", "tax_rate": "0.0000"}));
}

fn what_is_wrong_with_a_price_of_version_2_is_named_there(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({}));
    let post = |price: Value| {
        let body = json!({"name": "Saw", "category_id": category, "price": price});
        server.user().post("/api/v2/items", &body).send()
    };
    post(json!({"amount": "0"})).refused_at(&["price.amount"]);
    post(json!({"amount": "0.00001", "currency": "XXXX", "tax_rate": 2})).refused_at(&[
        "price.amount",
        "price.currency",
        "price.tax_rate",
    ]);
    post(json!({})).refused_at(&["price.amount"]);
    post(json!({"amount": null})).refused_at(&["price.amount"]);
    post(json!({"amount": {"deep": 1}})).refused_at(&["price.amount"]);
    for price in [json!(9.99), json!("9.99"), json!([1]), json!(null)] {
        post(price).refused_at(&["price"]);
    }
    server.user().post("/api/v2/items", &json!({"name": ""})).send().refused_at(&["category_id", "name", "price"]);
    let path = format!("/api/v2/items/{}", item.id);
    server.user().patch(&path, &json!({"price": null})).send().refused_at(&["price"]);
    server.user().patch(&path, &json!({"price": 1})).send().refused_at(&["price"]);
    server
        .user()
        .patch(&path, &json!({"price": {"amount": -1}, "name": ""}))
        .send()
        .refused_at(&["name", "price.amount"]);
    for body in ["[]", "1", "{", r#"{"price":{"amount":1,"amount":2}}"#] {
        server
            .call("POST", "/api/v2/items")
            .bearer(&server.token(Who::User))
            .body("application/json", body)
            .send()
            .problem(400);
    }
    assert_eq!(server.db().count("items"), 1);
}

fn both_versions_share_their_rules_and_tags(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({"sku": "H-1"}));
    let path = format!("/api/v2/items/{}", item.id);
    assert_eq!(server.get(&path).send().expect(200).must("etag"), item.etag);
    let patch = |path: &str| server.user().patch(path, &json!({"name": "New"})).header("if-match", &item.etag).send();
    assert_eq!(patch(&path).expect(200).must("etag"), "\"2\"");
    patch(&item.path()).problem(412);
    patch(&path).problem(412);
    server.as_who(Who::Other).patch(&path, &json!({})).send().problem(403);
    server.as_who(Who::Guest).post("/api/v2/items", &json!({})).send().problem(403);
    server.post("/api/v2/items").json(&json!({})).send().problem(401);
    let taken = json!({"name": "Saw", "sku": "H-1", "category_id": category, "price": {"amount": 1}});
    server.user().post("/api/v2/items", &taken).send().problem(409);
    server.user().patch(&path, &json!({"owner_id": 1})).send().problem(403);
    let hidden = new_item(server, category, "Hidden", json!({"is_active": false}));
    server.get(&format!("/api/v2/items/{}", hidden.id)).send().problem(404);
    server.user().delete(&path).send().problem(403);
    server.admin().delete(&path).send().expect(204);
    server.get(&item.path()).send().problem(404);
    let history = server.admin().get(&format!("{}/history", hidden.path())).send().expect(200);
    assert_eq!(history.rows().len(), 1);
}

/// Answers that do not end.
const ENDLESS: [&str; 2] = ["/api/v1/events", "/api/v1/ws"];

fn head_and_options_work_on_every_route(server: &Server) {
    let category = new_category(server, "Tools");
    new_item(server, category, "Hammer", json!({}));
    let visitor = Visitor::signed_in(server, Who::Admin);
    let cookies: Vec<String> =
        visitor.cookies.lock().unwrap().iter().map(|(name, value)| format!("{name}={value}")).collect();
    let cookies = cookies.join("; ");
    let mut methods: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (method, path) in routes() {
        methods.entry(path).or_default().push(method);
    }
    for (pattern, methods) in methods.into_iter().filter(|(path, _)| !path.starts_with("/static/")) {
        let path = pattern.replace("{id}", "1").replace("{upload_id}", "1");
        let send = |method: &str| {
            let call = server.call(method, &path).header("accept-encoding", "identity");
            if path.starts_with("/api/") {
                call.bearer(&server.token(Who::Admin)).send()
            } else {
                call.header("cookie", &cookies).send()
            }
        };
        let options = send("OPTIONS").expect(204);
        let allow = options.must("allow");
        let allowed: Vec<&str> = allow.split(", ").collect();
        for method in &methods {
            assert!(allowed.contains(&method.as_str()), "{pattern}: {allow}");
        }
        assert!(allowed.contains(&"OPTIONS") && options.body.is_empty(), "{pattern}: {allow}");
        assert_eq!(allowed.contains(&"HEAD"), methods.iter().any(|method| method == "GET"), "{pattern}: {allow}");
        if methods.iter().any(|method| method == "GET") && !ENDLESS.contains(&pattern.as_str()) {
            let (get, head) = (send("GET"), send("HEAD"));
            assert_eq!(head.status, get.status, "{pattern}");
            assert!(head.body.is_empty(), "{pattern}: {}", head.text());
            assert_eq!(head.header("content-type"), get.header("content-type"), "{pattern}");
        }
        // What is not there is refused with what is.
        let refused = send("TRACE");
        assert_eq!((refused.status, refused.header("allow").as_deref()), (405, Some(allow.as_str())), "{pattern}");
    }
}
