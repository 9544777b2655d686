//! Uploads as images of items: put on, ordered, taken off; who sees them, what keeps them, and how they come back.

use crate::support::{
    Answer, Kind, Place, Server, Visitor, Who,
    data::{Item, new_category, new_item, shape},
    on_both, on_each_database,
};
use crate::uploads::{png, thumbnail_of, upload};
use insta::{allow_duplicates, assert_snapshot};
use serde_json::{Value, json};

on_both! {
    images_are_put_on_an_item_ordered_and_taken_off,
    images_are_shown_wherever_items_are,
    images_are_for_who_may_edit_the_item_and_use_the_upload,
    what_is_wrong_with_an_image_is_said,
    an_item_has_room_for_twenty_images,
    images_in_a_body_may_only_say_what_is_so,
    an_image_is_as_public_as_its_items,
    an_upload_is_kept_while_an_item_has_it,
    images_are_recorded_reverted_and_undone,
    what_was_deleted_since_stands_in_the_way_and_is_left_out_by_force,
    an_item_that_comes_back_brings_its_images,
    an_item_of_before_there_were_images_comes_back_too,
    of_many_who_add_images_at_once_none_is_lost,
    an_upload_is_deleted_or_put_on_and_never_both,
}

on_each_database! {
    a_write_of_images_is_guarded_like_any,
    without_public_read_images_are_for_who_signs_in,
}

/// The user's image: its upload's id.
pub fn image(server: &Server, name: &str) -> i64 {
    image_of(server, Who::User, name)
}

fn image_of(server: &Server, who: Who, name: &str) -> i64 {
    upload(server, who, name, &png(6, 4)).expect(201).data()["id"].as_i64().unwrap()
}

fn hammer(server: &Server) -> Item {
    let category = new_category(server, &format!("Tools {}", server.db().count("categories")));
    new_item(server, category, "Hammer", json!({}))
}

pub fn put(server: &Server, who: Who, item: &Item, upload: i64, body: Option<Value>) -> Answer {
    let call = server.as_who(who).call("PUT", &path(item, upload));
    if let Some(body) = body { call.json(&body).send() } else { call.send() }
}

fn path(item: &Item, upload: i64) -> String {
    format!("{}/images/{upload}", item.path())
}

fn take_off(server: &Server, who: Who, item: &Item, upload: i64) -> Answer {
    server.as_who(who).delete(&path(item, upload)).send()
}

fn ids(of: &Value) -> Vec<i64> {
    of["images"].as_array().unwrap().iter().map(|image| image["id"].as_i64().unwrap()).collect()
}

fn now(server: &Server, item: &Item) -> Vec<i64> {
    ids(&server.admin().get(&item.path()).send().expect(200).data())
}

fn last(server: &Server) -> i64 {
    server.db().number("SELECT max(id) AS n FROM changesets")
}

fn undo(server: &Server, changeset: i64, query: &str) -> Answer {
    server.admin().post(&format!("/api/v1/audit/{changeset}/revert{query}"), &json!({})).send()
}

fn images_are_put_on_an_item_ordered_and_taken_off(server: &Server) {
    let item = hammer(server);
    assert_eq!(item.data["images"], json!([]));
    let (front, back, side) = (image(server, "front.png"), image(server, "back.png"), image(server, "side.png"));
    let first = put(server, Who::User, &item, front, None).expect(200);
    assert_eq!((first.must("etag").as_str(), first.data()["version"].as_i64()), ("\"2\"", Some(2)));
    let mut shown = first.data()["images"].clone();
    shown[0]["size"] = json!("[size]");
    allow_duplicates! {
        assert_snapshot!(shape(&shown), @r#"
        [
          {
            "id": 1,
            "filename": "front.png",
            "content_type": "image/png",
            "size": "[size]",
            "url": "/api/v1/uploads/1/content",
            "thumbnail_url": "/api/v1/uploads/1/thumbnail"
          }
        ]
        "#);
    }
    assert_eq!(ids(&put(server, Who::User, &item, back, Some(json!({}))).expect(200).data()), [front, back]);
    assert_eq!(
        ids(&put(server, Who::User, &item, side, Some(json!({"position": 1}))).expect(200).data()),
        [side, front, back]
    );
    // Once more changes nothing, with its place or without.
    for body in [None, Some(json!({"position": null})), Some(json!({"position": 1}))] {
        let again = put(server, Who::User, &item, side, body).expect(200);
        assert_eq!((again.must("etag").as_str(), ids(&again.data())), ("\"4\"", vec![side, front, back]));
    }
    // To another place; beyond the last is the last.
    for (which, place, order) in [
        (front, 1, [front, side, back]),
        (front, 2, [side, front, back]),
        (side, 3, [front, back, side]),
        (front, 20, [back, side, front]),
    ] {
        let moved = put(server, Who::User, &item, which, Some(json!({"position": place}))).expect(200);
        assert_eq!(ids(&moved.data()), order, "{which} to {place}");
    }
    let version = server.get(&item.path()).send().expect(200).data()["version"].clone();
    assert_eq!(take_off(server, Who::User, &item, side).expect(204).body, b"");
    let left = server.get(&item.path()).send().expect(200).data();
    assert_eq!((ids(&left), &left["version"]), (vec![back, front], &json!(version.as_i64().unwrap() + 1)));
    take_off(server, Who::User, &item, side).problem(404);
    // Of several items one upload may be the image.
    let other = hammer(server);
    put(server, Who::User, &other, front, None).expect(200);
    assert_eq!((now(server, &item), now(server, &other)), (vec![back, front], vec![front]));
}

fn images_are_shown_wherever_items_are(server: &Server) {
    let item = hammer(server);
    let front = image(server, "front \"1\" ü.png");
    let images = put(server, Who::User, &item, front, None).expect(200).data()["images"].clone();
    let category = item.data["category_id"].clone();
    let get = |path: &str| server.user().get(path).send().expect(200);
    assert_eq!(get(&item.path()).data()["images"], images);
    assert_eq!(get(&format!("/api/v2/items/{}", item.id)).data()["images"], images);
    for list in [
        "/api/v1/items".to_owned(),
        "/api/v1/items?sort=-price&q=hammer".to_owned(),
        "/api/v2/items".to_owned(),
        format!("/api/v1/categories/{category}/items"),
        format!("/api/v1/users/{}/items", Who::User.id()),
    ] {
        assert_eq!(get(&list).rows()[0]["images"], images, "{list}");
    }
    for path in ["/api/v1/items/1", "/api/v2/items/1"] {
        assert_eq!(get(&format!("{path}?fields=images")).data(), json!({"images": images}));
        assert_eq!(get(&format!("{path}?fields=id&expand=images")).data(), json!({"id": 1, "images": images}));
        assert_eq!(get(&format!("{path}?expand=images")).data()["images"], images);
    }
    let line: Value = serde_json::from_str(get("/api/v1/items/export?format=jsonl").text().trim()).unwrap();
    assert_eq!(line["images"], images);
    let printed = server.run(&["export", "--format", "jsonl"]).expect(0).stdout;
    assert_eq!(serde_json::from_str::<Value>(printed.lines().next().unwrap()).unwrap()["images"], images);
    // A copy of an item that is sent along with others shows it, too.
    let patched = server.user().patch(&item.path(), &json!({"price": 3})).send().expect(200).data();
    assert_eq!((&patched["images"], &patched["version"]), (&images, &json!(3)));
    let many = json!({"ids": [item.id], "changes": {"price": 4}});
    assert_eq!(server.user().patch("/api/v1/items/bulk", &many).send().expect(200).rows()[0]["images"], images);
    let changed = json!({"name": "Mallet", "price": 1, "category_id": category});
    assert_eq!(server.user().put(&item.path(), &changed).send().expect(200).data()["images"], images, "they stay");
}

fn images_are_for_who_may_edit_the_item_and_use_the_upload(server: &Server) {
    let item = hammer(server);
    let own = image(server, "own.png");
    let others = image_of(server, Who::Other, "other.png");
    server.call("PUT", &path(&item, own)).send().problem(401);
    server.call("DELETE", &path(&item, own)).send().problem(401);
    for who in [Who::Guest, Who::Other] {
        put(server, who, &item, own, None).problem(403);
        take_off(server, who, &item, own).problem(403);
    }
    let missing = put(server, Who::User, &item, 4_242, None).problem(404)["detail"].clone();
    let hidden = put(server, Who::User, &item, others, None).problem(404)["detail"].clone();
    assert_eq!(
        missing.as_str().unwrap().replace("4242", ""),
        hidden.as_str().unwrap().replace(&others.to_string(), "")
    );
    // One that is public by another item is seen and is not theirs to use.
    let category = item.data["category_id"].clone();
    let body = json!({"name": "Saw", "price": 1, "category_id": category});
    let theirs = server.as_who(Who::Other).post("/api/v1/items", &body).send().expect(201).data()["id"].clone();
    server.as_who(Who::Other).put(&format!("/api/v1/items/{theirs}/images/{others}"), &json!({})).send().expect(200);
    put(server, Who::User, &item, others, None).problem(403);
    // An admin may use any; from then on its place is the affair of who may edit the item.
    put(server, Who::Admin, &item, others, None).expect(200);
    put(server, Who::User, &item, own, None).expect(200);
    assert_eq!(
        ids(&put(server, Who::User, &item, others, Some(json!({"position": 2}))).expect(200).data()),
        [own, others]
    );
    take_off(server, Who::User, &item, others).expect(204);
    put(server, Who::User, &item, others, None).problem(403);
    // An item that is hidden is not there.
    server.user().patch(&item.path(), &json!({"is_active": false})).send().expect(200);
    put(server, Who::Other, &item, others, None).problem(404);
    take_off(server, Who::Other, &item, own).problem(404);
    let (_, read) = crate::support::data::new_key(server, Who::User, &["read"]);
    server.call("PUT", &path(&item, own)).api_key(&read).send().problem(403);
}

fn what_is_wrong_with_an_image_is_said(server: &Server) {
    let item = hammer(server);
    let front = image(server, "front.png");
    let pdf = upload(server, Who::User, "manual.pdf", b"%PDF-1.7\n").expect(201).data()["id"].as_i64().unwrap();
    let problem = put(server, Who::User, &item, pdf, None).refused_at(&["upload_id"]);
    assert!(problem["errors"][0]["message"].as_str().unwrap().contains("application/pdf"), "{problem}");
    for position in [json!(0), json!(-1), json!(21), json!(1.5), json!("1"), json!(true), json!([1])] {
        put(server, Who::User, &item, front, Some(json!({"position": position}))).refused_at(&["position"]);
    }
    let send = |kind: &str, body: &str| server.user().call("PUT", &path(&item, front)).body(kind, body).send();
    send("application/json", "[]").problem(400);
    send("application/json", "{").problem(400);
    send("text/plain", "{}").problem(415);
    server.user().call("PUT", &format!("{}/images/front", item.path())).send().problem(404);
    assert_eq!((now(server, &item), server.db().count("item_images")), (vec![], 0));
    send("application/json", "").expect(200);
}

fn an_item_has_room_for_twenty_images(server: &Server) {
    let item = hammer(server);
    let all: Vec<i64> = (0..21).map(|n| image(server, &format!("{n}.png"))).collect();
    for id in &all[..20] {
        put(server, Who::User, &item, *id, None).expect(200);
    }
    let problem = put(server, Who::User, &item, all[20], None).problem(409);
    assert!(problem["detail"].as_str().unwrap().contains("20 images"), "{problem}");
    // What is there may be moved.
    put(server, Who::User, &item, all[19], Some(json!({"position": 1}))).expect(200);
    take_off(server, Who::User, &item, all[0]).expect(204);
    put(server, Who::User, &item, all[20], None).expect(200);
    assert_eq!(now(server, &item).len(), 20);
}

fn images_in_a_body_may_only_say_what_is_so(server: &Server) {
    let item = hammer(server);
    let (front, back) = (image(server, "front.png"), image(server, "back.png"));
    let new = |images: Value| json!({"name": "Saw", "price": 1, "category_id": 1, "images": images});
    for sent in [json!([{"id": front}]), json!([front]), json!("front.png"), json!({}), json!(true)] {
        let problem = server.user().post("/api/v1/items", &new(sent.clone())).send().problem(403);
        assert!(problem["detail"].as_str().unwrap().contains("images"), "{problem}");
        let mut second = new(sent);
        second["price"] = json!({"amount": 1});
        server.user().post("/api/v2/items", &second).send().problem(403);
    }
    server.user().post("/api/v1/items", &new(json!([]))).send().expect(201);
    server.user().post("/api/v1/items", &new(json!(null))).send().expect(201);
    put(server, Who::User, &item, front, None).expect(200);
    put(server, Who::User, &item, back, None).expect(200);
    for path in [item.path(), format!("/api/v2/items/{}", item.id)] {
        // What was read may be sent back, whole or with less of each image.
        let mut read = server.user().get(&path).send().expect(200).data();
        let written = server.user().put(&path, &read).send().expect(200).data();
        assert_eq!(written["images"], read["images"]);
        server
            .user()
            .patch(&path, &json!({"images": [{"id": front}, {"id": back, "note": "mine"}]}))
            .send()
            .expect(200);
        read = server.user().get(&path).send().expect(200).data();
        for wrong in [
            json!([]),
            json!([{"id": front}]),
            json!([{"id": back}, {"id": front}]),
            json!([{"id": front}, {"id": back}, {"id": back}]),
            json!([{"id": front}, {"id": back, "filename": "other.png"}]),
            json!([{"id": front}, {"filename": "back.png"}]),
            json!([front, back]),
        ] {
            read["images"] = wrong.clone();
            server.user().put(&path, &read).send().problem(403);
            server.user().patch(&path, &json!({"images": wrong})).send().problem(403);
        }
    }
    let many = json!({"ids": [item.id], "changes": {"images": []}});
    let answer = server.user().patch("/api/v1/items/bulk", &many).send().problem(422);
    assert_eq!(answer["errors"][0]["errors"][0]["type"], "forbidden", "{answer}");
    assert_eq!(now(server, &item), [front, back]);
}

fn an_image_is_as_public_as_its_items(server: &Server) {
    let item = hammer(server);
    let front = image(server, "front.png");
    thumbnail_of(server, &json!(front));
    let of_it = ["", "/content", "/thumbnail"].map(|rest| format!("/api/v1/uploads/{front}{rest}"));
    let statuses = |who: Option<Who>| -> Vec<u16> {
        let ask = |path: &String| match who {
            Some(who) => server.as_who(who).get(path).send().status,
            None => server.get(path).send().status,
        };
        of_it.iter().map(ask).collect()
    };
    let hidden = |hidden: u16| {
        for who in [None, Some(Who::Guest), Some(Who::Other)] {
            assert_eq!(statuses(who), [hidden; 3], "{who:?}");
        }
        for who in [Who::User, Who::Admin] {
            assert_eq!(statuses(Some(who)), [200; 3], "{who:?}");
        }
    };
    hidden(404);
    put(server, Who::User, &item, front, None).expect(200);
    hidden(200);
    for path in &of_it {
        let answer = server.get(path).send().expect(200);
        assert_eq!(answer.must("cache-control"), "public, max-age=5");
        server.get(path).header("if-none-match", answer.must("etag")).send().expect(304);
        assert_eq!(server.as_who(Who::Guest).get(path).send().must("cache-control"), "no-store");
    }
    assert_eq!(server.get(&of_it[1]).send().body, png(6, 4));
    // Seen, and still nobody else's: neither in their list nor to delete.
    assert_eq!(server.as_who(Who::Other).get("/api/v1/uploads").send().rows(), Vec::<Value>::new());
    server.as_who(Who::Other).delete(&of_it[0]).send().problem(403);
    server.call("DELETE", &of_it[0]).send().problem(401);
    let set_active = |item: &Item, yes: bool| {
        server.user().patch(&item.path(), &json!({"is_active": yes})).send().expect(200);
    };
    set_active(&item, false);
    hidden(404);
    // An inactive item of somebody else shows it to them.
    let body = json!({"name": "Saw", "price": 1, "category_id": 1, "is_active": false});
    let theirs = server.as_who(Who::Other).post("/api/v1/items", &body).send().expect(201).data()["id"].clone();
    server.admin().put(&format!("/api/v1/items/{theirs}/images/{front}"), &json!({})).send().expect(200);
    assert_eq!((statuses(Some(Who::Other)), statuses(Some(Who::Guest))), (vec![200; 3], vec![404; 3]));
    server.admin().delete(&format!("/api/v1/items/{theirs}")).send().expect(204);
    hidden(404);
    set_active(&item, true);
    hidden(200);
    take_off(server, Who::User, &item, front).expect(204);
    hidden(404);
}

fn without_public_read_images_are_for_who_signs_in(kind: Kind) {
    let server = Place::furnished(kind).with("PUBLIC_READ", "false").serve();
    let item = hammer(&server);
    let front = image(&server, "front.png");
    put(&server, Who::User, &item, front, None).expect(200);
    for rest in ["", "/content"] {
        let path = format!("/api/v1/uploads/{front}{rest}");
        server.get(&path).send().problem(401);
        server.as_who(Who::Guest).get(&path).send().expect(200);
    }
}

fn an_upload_is_kept_while_an_item_has_it(server: &Server) {
    let (item, other) = (hammer(server), hammer(server));
    let front = image(server, "front.png");
    let delete = |who: Who| server.as_who(who).delete(&format!("/api/v1/uploads/{front}")).send();
    put(server, Who::User, &item, front, None).expect(200);
    put(server, Who::User, &other, front, None).expect(200);
    let problem = delete(Who::User).problem(409);
    assert!(problem["detail"].as_str().unwrap().contains("front.png"), "{problem}");
    delete(Who::Admin).problem(409);
    take_off(server, Who::User, &item, front).expect(204);
    delete(Who::User).problem(409);
    // Deleting the item frees it.
    server.admin().delete(&other.path()).send().expect(204);
    assert_eq!(server.db().count("item_images"), 0);
    delete(Who::User).expect(204);
}

fn images_are_recorded_reverted_and_undone(server: &Server) {
    let item = hammer(server);
    let (front, back) = (image(server, "front.png"), image(server, "back.png"));
    put(server, Who::User, &item, front, None).expect(200);
    put(server, Who::User, &item, back, None).expect(200);
    put(server, Who::User, &item, back, Some(json!({"position": 1}))).expect(200);
    let moved = last(server);
    take_off(server, Who::Admin, &item, front).expect(204);
    let taken_off = last(server);
    let history = server.user().get(&format!("{}/history", item.path())).send().expect(200).rows();
    let newest = &history[0];
    assert_eq!(
        (&newest["action"], &newest["version"], &newest["actor"]),
        (&json!("updated"), &json!(5), &json!("ada_admin"))
    );
    assert_eq!((ids(&newest["before"]), ids(&newest["after"])), (vec![back, front], vec![back]));
    assert_eq!(newest["before"]["images"][1]["url"], format!("/api/v1/uploads/{front}/content"));
    let keys: Vec<&String> = newest["after"].as_object().unwrap().keys().collect();
    assert!(keys.iter().all(|key| ["images", "updated_at"].contains(&key.as_str())), "{keys:?}");
    let summaries = server.db().texts("SELECT summary AS s FROM changesets ORDER BY id DESC LIMIT 3");
    assert_eq!(
        summaries,
        [
            "Removed image \"front.png\" of item 1",
            "Moved image \"back.png\" of item 1",
            "Added image \"back.png\" of item 1"
        ]
    );
    let page = Visitor::signed_in(server, Who::Admin).get(&item.page("/history")).expect(200);
    page.says("front.png, back.png").says("back.png, front.png");
    // Undone, with the index: it can be deleted by nobody again.
    undo(server, taken_off, "").expect(200);
    assert_eq!(now(server, &item), [back, front]);
    server.user().delete(&format!("/api/v1/uploads/{front}")).send().problem(409);
    undo(server, moved, "").expect(200);
    assert_eq!(now(server, &item), [front, back]);
    // An older version.
    let revert =
        |version: i64| server.user().post(&format!("{}/revert", item.path()), &json!({"version": version})).send();
    assert_eq!(ids(&revert(1).expect(200).data()), Vec::<i64>::new());
    server.user().delete(&format!("/api/v1/uploads/{back}")).send().expect(204);
    assert_eq!(ids(&revert(2).expect(200).data()), [front]);
    let problem = revert(3).problem(409);
    assert!(problem["detail"].as_str().unwrap().contains("back.png"), "{problem}");
    // What was done to other fields since is no obstacle.
    server.user().patch(&item.path(), &json!({"price": 77})).send().expect(200);
    let added =
        server.db().number("SELECT max(id) AS n FROM changesets WHERE summary = 'Reverted item 1 to version 2'");
    undo(server, added, "").expect(200);
    let data = server.user().get(&item.path()).send().expect(200).data();
    assert_eq!((ids(&data), &data["price"]), (vec![], &json!(77)));
}

fn what_was_deleted_since_stands_in_the_way_and_is_left_out_by_force(server: &Server) {
    let item = hammer(server);
    let (front, back) = (image(server, "front.png"), image(server, "back.png"));
    put(server, Who::User, &item, front, None).expect(200);
    put(server, Who::User, &item, back, None).expect(200);
    let bare = json!({"name": "Hammer", "price": 3, "category_id": 1, "description": "bare"});
    take_off(server, Who::User, &item, front).expect(204);
    let taken_off = last(server);
    server.user().delete(&format!("/api/v1/uploads/{front}")).send().expect(204);
    let problem = undo(server, taken_off, "").problem(409);
    let error = &problem["errors"][0];
    assert_eq!((error["field"].as_str(), error["type"].as_str()), (Some("item[1].images"), Some("changed_since")));
    assert!(error["message"].as_str().unwrap().contains("front.png"), "{problem}");
    assert_eq!(now(server, &item), [back]);
    // With force, as far as it goes: of a deleted item too.
    server.user().put(&item.path(), &bare).send().expect(200);
    server.admin().delete(&item.path()).send().expect(204);
    let deleted = last(server);
    server.user().delete(&format!("/api/v1/uploads/{back}")).send().expect(204);
    undo(server, deleted, "").problem(409);
    server.admin().get(&item.path()).send().problem(404);
    undo(server, deleted, "?force=true").expect(200);
    let data = server.user().get(&item.path()).send().expect(200).data();
    assert_eq!((ids(&data), &data["description"]), (vec![], &json!("bare")));
    assert_eq!(server.db().count("item_images"), 0);
}

fn an_item_that_comes_back_brings_its_images(server: &Server) {
    let (item, other) = (hammer(server), hammer(server));
    let (front, back) = (image(server, "front.png"), image(server, "back.png"));
    put(server, Who::User, &item, front, None).expect(200);
    put(server, Who::User, &item, back, None).expect(200);
    put(server, Who::User, &other, back, None).expect(200);
    server.admin().call("DELETE", "/api/v1/items/bulk").json(&json!({"ids": [item.id, other.id]})).send().expect(200);
    let deleted = last(server);
    assert_eq!(server.db().count("item_images"), 0);
    server.get(&format!("/api/v1/uploads/{front}/content")).send().problem(404);
    undo(server, deleted, "").expect(200);
    assert_eq!((now(server, &item), now(server, &other)), (vec![front, back], vec![back]));
    assert_eq!(server.db().count("item_images"), 3);
    server.get(&format!("/api/v1/uploads/{front}/content")).send().expect(200);
    server.user().delete(&format!("/api/v1/uploads/{back}")).send().problem(409);
}

fn an_item_of_before_there_were_images_comes_back_too(server: &Server) {
    let item = hammer(server);
    server.admin().delete(&item.path()).send().expect(204);
    // As it was recorded then.
    server.db().execute("UPDATE changes SET before = replace(before, ',\"images\":[]', '') WHERE action = 'deleted'");
    assert!(!server.db().texts("SELECT before AS s FROM changes WHERE action = 'deleted'")[0].contains("images"));
    undo(server, last(server), "").expect(200);
    assert_eq!(now(server, &item), Vec::<i64>::new());
}

fn of_many_who_add_images_at_once_none_is_lost(server: &Server) {
    let item = hammer(server);
    let all: Vec<i64> = (0..24).map(|n| image(server, &format!("{n}.png"))).collect();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let item = &item;
        let calls: Vec<_> =
            all.iter().map(|id| scope.spawn(move || put(server, Who::User, item, *id, None).status)).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let (done, full) = (statuses.iter().filter(|s| **s == 200).count(), statuses.iter().filter(|s| **s == 409).count());
    assert_eq!((done, full), (20, 4), "{statuses:?}");
    let data = server.user().get(&item.path()).send().expect(200).data();
    assert_eq!((ids(&data).len(), &data["version"]), (20, &json!(21)));
    assert_eq!(server.db().count("item_images"), 20);
    let mut linked = server.db().texts("SELECT CAST(upload_id AS TEXT) AS s FROM item_images");
    let mut shown: Vec<String> = ids(&data).iter().map(ToString::to_string).collect();
    linked.sort();
    shown.sort();
    assert_eq!(linked, shown);
}

fn an_upload_is_deleted_or_put_on_and_never_both(server: &Server) {
    let item = hammer(server);
    for round in 0..10 {
        let front = image(server, &format!("{round}.png"));
        let (added, deleted) = std::thread::scope(|scope| {
            let add = scope.spawn(|| put(server, Who::User, &item, front, None).status);
            let delete = server.user().delete(&format!("/api/v1/uploads/{front}")).send().status;
            (add.join().unwrap(), delete)
        });
        assert!(matches!((added, deleted), (200, 409) | (404 | 409, 204)), "{added} {deleted}");
        assert_eq!(now(server, &item).contains(&front), added == 200);
    }
}

fn a_write_of_images_is_guarded_like_any(kind: Kind) {
    let server = Place::furnished(kind).with("REQUIRE_IF_MATCH", "true").serve();
    let item = hammer(&server);
    let front = image(&server, "front.png");
    let send = |method: &str, tag: Option<&str>| {
        let call = server.user().call(method, &path(&item, front));
        if let Some(tag) = tag { call.header("if-match", tag).send() } else { call.send() }
    };
    send("PUT", None).problem(428);
    send("PUT", Some("\"7\"")).problem(412);
    let tag = send("PUT", Some(&item.etag)).expect(200).must("etag");
    // Also where nothing would change.
    send("PUT", Some(&item.etag)).problem(412);
    send("PUT", Some(&tag)).expect(200);
    send("DELETE", None).problem(428);
    send("DELETE", Some(&item.etag)).problem(412);
    send("DELETE", Some(&tag)).expect(204);
    // Who may not, or asks for what is not there, learns that first.
    send("DELETE", None).problem(404);
    server.as_who(Who::Guest).call("PUT", &path(&item, front)).send().problem(403);
}
