//! The unit of work: no row of an entity changes without a `changes` row, by whichever door.

use crate::support::{
    Db, Kind, Place, Server, Visitor, Who,
    data::{new_category, new_item, new_key, some_diamonds},
    on_both, on_each_database,
    server::PASSWORD,
};
use serde_json::json;
use std::collections::BTreeMap;

on_both! {
    every_write_by_every_door_leaves_its_changes,
    a_changeset_says_who_by_which_door_and_under_which_request,
    a_refused_write_leaves_nothing,
    a_change_holds_what_was_before_and_after,
}

/// Table and name of each entity, and the columns that are not its own to change: a login is no edit.
const ENTITIES: [(&str, &str, &[&str]); 7] = [
    ("users", "user", &["last_login_at"]),
    ("categories", "category", &[]),
    ("items", "item", &[]),
    ("api_keys", "api_key", &["last_used_at"]),
    ("webhooks", "webhook", &["failing_since"]),
    ("posts", "post", &[]),
    ("uploads", "upload", &["thumbnail"]),
];

struct State {
    rows: BTreeMap<&'static str, BTreeMap<i64, String>>,
    last_changeset: i64,
}

impl State {
    fn of(db: &mut Db) -> State {
        let rows = ENTITIES.iter().map(|(table, entity, derived)| (*entity, db.rows_of(table, derived))).collect();
        State { rows, last_changeset: db.number("SELECT coalesce(max(id), 0) AS n FROM changesets") }
    }
}

/// Every difference between the tables then and now, as `entity id action`, against the changes recorded since.
fn unrecorded(db: &mut Db, before: &State) -> (Vec<String>, Vec<String>, i64) {
    let after = State::of(db);
    let mut happened = Vec::new();
    for (_, entity, _) in ENTITIES {
        let (then, now) = (&before.rows[entity], &after.rows[entity]);
        for id in then.keys().chain(now.keys().filter(|id| !then.contains_key(id))) {
            match (then.get(id), now.get(id)) {
                (None, Some(_)) => happened.push(format!("{entity} {id} created")),
                (Some(_), None) => happened.push(format!("{entity} {id} deleted")),
                (Some(one), Some(other)) if one != other => happened.push(format!("{entity} {id} updated")),
                _ => {}
            }
        }
    }
    let sql = format!(
        "SELECT entity || ' ' || entity_id || ' ' || action AS s FROM changes WHERE changeset_id > {}",
        before.last_changeset
    );
    let mut recorded = db.texts(&sql);
    happened.sort();
    recorded.sort();
    (happened, recorded, after.last_changeset - before.last_changeset)
}

fn every_write_by_every_door_leaves_its_changes(server: &Server) {
    let visitor = Visitor::signed_in(server, Who::Admin);
    let file = server.place().write("some.csv", some_diamonds(50));
    let file = file.to_str().unwrap();
    type Write<'a> = (&'static str, Box<dyn Fn() + 'a>);
    let writes: Vec<Write> = vec![
        (
            "api: category created",
            Box::new(|| {
                new_category(server, "Tools");
            }),
        ),
        (
            "api: item created",
            Box::new(|| {
                new_item(server, 1, "Hammer", json!({}));
            }),
        ),
        (
            "api: item patched",
            Box::new(|| {
                server.user().patch("/api/v1/items/1", &json!({"price": 3})).send().expect(200);
            }),
        ),
        (
            "api: item put",
            Box::new(|| {
                server
                    .user()
                    .put("/api/v1/items/1", &json!({"name": "Saw", "price": 4, "category_id": 1}))
                    .send()
                    .expect(200);
            }),
        ),
        (
            "api: category patched",
            Box::new(|| {
                server.admin().patch("/api/v1/categories/1", &json!({"description": "d"})).send().expect(200);
            }),
        ),
        (
            "api: category put",
            Box::new(|| {
                server.admin().put("/api/v1/categories/1", &json!({"name": "Tools 2"})).send().expect(200);
            }),
        ),
        (
            "api: item deleted",
            Box::new(|| {
                server.admin().delete("/api/v1/items/1").send().expect(204);
            }),
        ),
        (
            "api: category deleted",
            Box::new(|| {
                server.admin().delete("/api/v1/categories/1").send().expect(204);
            }),
        ),
        (
            "api: webhook created",
            Box::new(|| {
                let body = json!({"url": "https://hooks.example.com/", "events": ["post.created"]});
                server.admin().post("/api/v1/webhooks", &body).send().expect(201);
            }),
        ),
        (
            "api: webhook patched",
            Box::new(|| {
                server.admin().patch("/api/v1/webhooks/1", &json!({"description": "d"})).send().expect(200);
            }),
        ),
        (
            "api: secret of a webhook rotated",
            Box::new(|| {
                server.admin().post("/api/v1/webhooks/1/secret", &json!({})).send().expect(200);
            }),
        ),
        (
            "api: webhook deleted",
            Box::new(|| {
                server.admin().delete("/api/v1/webhooks/1").send().expect(204);
            }),
        ),
        (
            "api: post created",
            Box::new(|| {
                let body = json!({"title": "News", "content": "Text"});
                server.user().post("/api/v1/posts", &body).send().expect(201);
            }),
        ),
        (
            "api: post patched",
            Box::new(|| {
                server.user().patch("/api/v1/posts/1", &json!({"content": "More text"})).send().expect(200);
            }),
        ),
        (
            "api: post published",
            Box::new(|| {
                server.user().call("POST", "/api/v1/posts/1/publish").send().expect(200);
            }),
        ),
        (
            "api: post deleted",
            Box::new(|| {
                server.user().delete("/api/v1/posts/1").send().expect(204);
            }),
        ),
        (
            "api: upload created",
            Box::new(|| {
                crate::uploads::upload(server, Who::User, "a.png", &crate::uploads::png(4, 4)).expect(201);
            }),
        ),
        (
            "api: upload deleted",
            Box::new(|| {
                server.user().delete("/api/v1/uploads/1").send().expect(204);
            }),
        ),
        (
            "api: user registered",
            Box::new(|| {
                let body = json!({"email": "reg@example.com", "username": "registered", "password": PASSWORD});
                server.post("/api/v1/auth/register").json(&body).send().expect(201);
            }),
        ),
        (
            "api: user made",
            Box::new(|| {
                let body = json!({"email": "made@example.com", "username": "made_one", "password": PASSWORD});
                server.admin().post("/api/v1/users", &body).send().expect(201);
            }),
        ),
        (
            "api: oneself edited",
            Box::new(|| {
                server.user().patch("/api/v1/users/me", &json!({"age": 30})).send().expect(200);
            }),
        ),
        (
            "api: user edited",
            Box::new(|| {
                server.admin().patch("/api/v1/users/3", &json!({"role": "guest"})).send().expect(200);
            }),
        ),
        (
            "api: key made",
            Box::new(|| {
                new_key(server, Who::Other, &["read"]);
            }),
        ),
        (
            "api: key revoked",
            Box::new(|| {
                server.admin().delete("/api/v1/api-keys/1").send().expect(204);
            }),
        ),
        (
            "admin: key made",
            Box::new(|| {
                visitor.fill_in("/admin/api-keys/new", &[("name", "robot")]).expect(200);
            }),
        ),
        (
            "admin: all keys revoked",
            Box::new(|| {
                visitor.fill_in("/admin/api-keys/revoke-all", &[]).leads_to();
            }),
        ),
        (
            "api: user removed, their items given away",
            Box::new(|| {
                server.admin().delete("/api/v1/users/1?reassign_to=3").send().problem(409);
                server.admin().delete("/api/v1/users/3?reassign_to=1").send().expect(204);
            }),
        ),
        (
            "admin: category created",
            Box::new(|| {
                visitor.fill_in("/admin/categories/new", &[("name", "Toys")]).leads_to();
            }),
        ),
        (
            "admin: item created",
            Box::new(|| {
                visitor
                    .fill_in("/admin/items/new", &[("name", "Ball"), ("price", "1"), ("category_id", "2")])
                    .leads_to();
            }),
        ),
        (
            "admin: item edited",
            Box::new(|| {
                visitor.fill_in("/admin/items/2/edit", &[("name", "Bat")]).leads_to();
            }),
        ),
        (
            "api: upload created for an item",
            Box::new(|| {
                crate::item_images::image(server, "front.png");
            }),
        ),
        (
            "api: image put on an item",
            Box::new(|| {
                server.admin().call("PUT", "/api/v1/items/2/images/2").send().expect(200);
            }),
        ),
        (
            "api: another upload created",
            Box::new(|| {
                crate::item_images::image(server, "back.png");
            }),
        ),
        (
            "api: image put before another",
            Box::new(|| {
                server.admin().put("/api/v1/items/2/images/3", &json!({"position": 1})).send().expect(200);
            }),
        ),
        (
            "api: image moved",
            Box::new(|| {
                server.admin().put("/api/v1/items/2/images/3", &json!({"position": 2})).send().expect(200);
            }),
        ),
        (
            "api: image taken off an item",
            Box::new(|| {
                server.admin().delete("/api/v1/items/2/images/2").send().expect(204);
            }),
        ),
        (
            "admin: category edited",
            Box::new(|| {
                visitor.fill_in("/admin/categories/2/edit", &[("name", "Games")]).leads_to();
            }),
        ),
        (
            "admin: bulk deactivated",
            Box::new(|| {
                let mut form = visitor.get("/admin/items").page.form("/admin/items/bulk");
                form.set("action", "deactivate").add("ids", "2").set("confirm", "yes");
                visitor.submit(&form).leads_to();
            }),
        ),
        (
            "admin: item deleted",
            Box::new(|| {
                visitor.submit(&visitor.get("/admin/items/2/delete").page.form("/admin/items/2/delete")).leads_to();
            }),
        ),
        (
            "admin: category deleted",
            Box::new(|| {
                visitor
                    .submit(&visitor.get("/admin/categories/2/delete").page.form("/admin/categories/2/delete"))
                    .leads_to();
            }),
        ),
        (
            "cli: import",
            Box::new(|| {
                server.run(&["import", file]).expect(0);
            }),
        ),
        (
            "cli: user created",
            Box::new(|| {
                server.place().user("new@example.com", "newcomer", "user");
            }),
        ),
        (
            "cli: role",
            Box::new(|| {
                server.run(&["user", "role", "newcomer", "guest"]).expect(0);
            }),
        ),
        (
            "cli: passwd",
            Box::new(|| {
                server
                    .place()
                    .run_with_input(&["user", "passwd", "newcomer", "--password-stdin"], b"Another2horse\n")
                    .expect(0);
            }),
        ),
    ];
    let mut db = server.db();
    for (what, write) in writes {
        let before = State::of(&mut db);
        write();
        let (happened, recorded, changesets) = unrecorded(&mut db, &before);
        assert!(!happened.is_empty(), "{what}: nothing changed");
        assert_eq!(happened, recorded, "{what}: what happened and what was recorded");
        assert_eq!(changesets, 1, "{what}: one act, one changeset");
        let (door, _) = what.split_once(':').unwrap();
        let written = db.texts("SELECT door AS s FROM changesets ORDER BY id DESC LIMIT 1");
        assert_eq!(written, [door], "{what}");
    }
    // Importing the same file again by SKU, with one price changed, is one change.
    let changed = some_diamonds(50).replacen(",326,", ",327,", 1);
    let file = server.place().write("some.csv", changed);
    let before = State::of(&mut db);
    server.run(&["import", file.to_str().unwrap(), "--mode", "upsert"]).expect(0);
    let (happened, recorded, _) = unrecorded(&mut db, &before);
    assert_eq!(happened, recorded);
}

#[test]
fn a_change_without_its_row_would_be_seen() {
    let place = Place::furnished(Kind::Sqlite);
    let mut db = place.db();
    let before = State::of(&mut db);
    db.execute("UPDATE users SET full_name = 'Nobody Noticed' WHERE id = 2");
    db.execute("UPDATE users SET last_login_at = 5 WHERE id = 3");
    let (happened, recorded, _) = unrecorded(&mut db, &before);
    assert_eq!(happened, ["user 2 updated"]);
    assert!(recorded.is_empty());
}

fn a_changeset_says_who_by_which_door_and_under_which_request(server: &Server) {
    let body = json!({"name": "Tools"});
    server.admin().post("/api/v1/categories", &body).header("x-request-id", "my-own-request-1").send().expect(201);
    let mut db = server.db();
    let last = db.texts("SELECT actor_id || '|' || actor || '|' || door || '|' || request_id || '|' || address AS s FROM changesets ORDER BY id DESC LIMIT 1");
    assert_eq!(last, ["1|ada_admin|api|my-own-request-1|127.0.0.1"]);
    let summary = db.texts("SELECT summary AS s FROM changesets ORDER BY id DESC LIMIT 1").remove(0);
    assert!(summary.contains("category"), "{summary}");
    let age = db.number("SELECT at AS n FROM changesets ORDER BY id DESC LIMIT 1");
    assert!((chrono::Utc::now().timestamp_micros() - age).abs() < 60_000_000, "microseconds in UTC: {age}");
}

fn a_refused_write_leaves_nothing(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({"sku": "H-1"}));
    let mut db = server.db();
    let before = State::of(&mut db);
    for (status, answer) in [
        (422, server.user().post("/api/v1/items", &json!({"name": "", "price": 1, "category_id": category})).send()),
        (422, server.user().post("/api/v1/items", &json!({"name": "x", "price": 1, "category_id": 999})).send()),
        (
            409,
            server
                .user()
                .post("/api/v1/items", &json!({"name": "x", "price": 1, "category_id": category, "sku": "H-1"}))
                .send(),
        ),
        (403, server.as_who(Who::Guest).patch(&item.path(), &json!({"price": 2})).send()),
        (412, server.user().patch(&item.path(), &json!({"price": 2})).header("if-match", "\"9\"").send()),
        (409, server.admin().delete(&format!("/api/v1/categories/{category}")).send()),
        (409, server.admin().post("/api/v1/categories", &json!({"name": "TOOLS"})).send()),
        (404, server.admin().delete("/api/v1/items/999").send()),
    ] {
        answer.problem(status);
    }
    let (happened, recorded, changesets) = unrecorded(&mut db, &before);
    assert!(happened.is_empty() && recorded.is_empty() && changesets == 0, "{happened:?} {recorded:?} {changesets}");
}

fn a_change_holds_what_was_before_and_after(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({"price": 10}));
    server.user().patch(&item.path(), &json!({"price": 12.5})).send().expect(200);
    server.admin().delete(&item.path()).send().expect(204);
    let mut db = server.db();
    let changes = db.texts("SELECT action || '#' || version || '#' || coalesce(before, '-') || '#' || coalesce(after, '-') AS s FROM changes WHERE entity = 'item' ORDER BY changeset_id, seq");
    let parts: Vec<Vec<&str>> = changes.iter().map(|c| c.split('#').collect()).collect();
    assert_eq!(parts.iter().map(|p| p[0]).collect::<Vec<_>>(), ["created", "updated", "deleted"]);
    assert_eq!(parts[0][2], "-", "nothing before the creation");
    assert!(parts[0][3].contains("Hammer"));
    assert!(parts[1][2].contains("10") && parts[1][3].contains("12.5"), "{:?}", parts[1]);
    assert!(parts[2][2].contains("Hammer") && parts[2][3] == "-", "a deleted item can be brought back: {:?}", parts[2]);
    let secrets =
        db.texts("SELECT coalesce(before, '') || coalesce(after, '') AS s FROM changes WHERE entity = 'user'");
    assert!(secrets.iter().all(|s| !s.contains("$2b$")), "no hash in the audit: {secrets:?}");
}

on_each_database! { an_import_is_one_changeset_however_long }

fn an_import_is_one_changeset_however_long(kind: Kind) {
    let place = Place::furnished(kind);
    let file = place.write("many.csv", some_diamonds(2_500));
    let before = place.db().count("changesets");
    place.run(&["import", file.to_str().unwrap()]).expect(0);
    let mut db = place.db();
    assert_eq!(db.count("changesets") - before, 1);
    assert_eq!(db.number("SELECT count(*) AS n FROM changes WHERE entity = 'item' AND changeset_id = (SELECT max(id) FROM changesets)"), 2_500);
    assert_eq!(db.texts("SELECT door AS s FROM changesets ORDER BY id DESC LIMIT 1"), ["cli"]);
}
