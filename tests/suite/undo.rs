//! The log, each item's history, and taking back what was done.

use crate::support::{
    Answer, Kind, Place, Server, Visitor, Who,
    data::{self, new_category, new_item},
    on_both, on_each_database, wait_for,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

on_both! {
    a_history_says_who_did_what_and_is_for_who_may_edit,
    an_item_goes_back_to_an_earlier_version,
    the_log_is_filtered_paged_and_for_admins,
    a_changeset_is_shown_with_its_changes,
    each_kind_of_change_is_undone_and_an_undo_is_undone_too,
    what_somebody_else_wrote_since_is_left_alone,
    what_was_changed_since_is_listed_and_overwritten_only_by_force,
    what_is_impossible_is_said_and_nothing_is_done,
    a_bulk_act_is_undone_as_a_whole,
    a_deleted_user_comes_back_with_what_they_owned,
    the_last_admin_is_kept_also_by_an_undo,
    of_two_undoes_at_once_one_does_it,
}

on_each_database! {
    an_import_is_undone_to_the_last_byte,
    an_undo_that_was_cut_off_is_asked_for_again_and_does_the_rest,
}

/// The newest changeset.
fn last(server: &Server) -> i64 {
    server.db().number("SELECT max(id) AS n FROM changesets")
}

fn undo(server: &Server, id: i64, query: &str) -> Answer {
    server.admin().post(&format!("/api/v1/audit/{id}/revert{query}"), &json!({})).send()
}

fn state(server: &Server, path: &str) -> Value {
    let mut data = server.admin().get(path).send().expect(200).data();
    for changing in ["version", "updated_at"] {
        data.as_object_mut().unwrap().remove(changing);
    }
    data
}

fn edit(server: &Server, path: &str, body: Value) -> i64 {
    server.admin().patch(path, &body).send().expect(200);
    last(server)
}

fn a_history_says_who_did_what_and_is_for_who_may_edit(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({"price": 5}));
    edit(server, &item.path(), json!({"price": 6.5, "name": "Big hammer"}));
    let path = format!("{}/history", item.path());
    let answer = server.user().get(&path).send().expect(200).json();
    assert_eq!((answer["total"].as_i64(), answer["has_more"].as_bool()), (Some(2), Some(false)));
    let newest = &answer["data"][0];
    assert_eq!(newest["version"], 2);
    assert_eq!((newest["actor"].as_str(), newest["door"].as_str()), (Some("ada_admin"), Some("api")));
    assert_eq!(
        (&newest["action"], &newest["before"]["price"], &newest["after"]["price"]),
        (&json!("updated"), &json!(5), &json!(6.5))
    );
    assert_eq!(newest["after"]["name"], "Big hammer");
    assert!(newest["before"].get("description").is_none(), "only what changed");
    assert_eq!(answer["data"][1]["action"], "created");
    assert_eq!(answer["data"][1]["before"], Value::Null);
    let page = server.user().get(&format!("{path}?page_size=1&page=2")).send().expect(200).json();
    assert_eq!((page["data"][0]["version"].as_i64(), page["has_more"].as_bool()), (Some(1), Some(false)));
    server.get(&path).send().problem(401);
    for who in [Who::Guest, Who::Other] {
        server.as_who(who).get(&path).send().problem(403);
    }
    edit(server, &item.path(), json!({"is_active": false}));
    for who in [Who::Guest, Who::Other] {
        server.as_who(who).get(&path).send().problem(404);
    }
    server.admin().get("/api/v1/items/999/history").send().problem(404);
}

fn an_item_goes_back_to_an_earlier_version(server: &Server) {
    let (tools, toys) = (new_category(server, "Tools"), new_category(server, "Toys"));
    let item = new_item(server, tools, "Hammer", json!({"sku": "H-1", "description": "one"}));
    let first = state(server, &item.path());
    edit(server, &item.path(), json!({"name": "Mallet", "sku": null, "category_id": toys, "is_active": false}));
    edit(server, &item.path(), json!({"price": 99.5}));
    let path = format!("{}/revert", item.path());
    let answer = server.user().post(&path, &json!({"version": 1})).send().expect(200);
    assert_eq!((answer.data()["version"].as_i64(), answer.must("etag").as_str()), (Some(4), "\"4\""));
    assert_eq!(state(server, &item.path()), first);
    assert_eq!(
        server.db().texts("SELECT summary AS s FROM changesets ORDER BY id DESC LIMIT 1"),
        [format!("Reverted item {} to version 1", item.id)]
    );
    // Its words are found again, its counters are right.
    assert_eq!(server.get("/api/v1/items?q=hammer").send().rows().len(), 1);
    assert_eq!(server.get(&format!("/api/v1/categories/{tools}")).send().data()["item_count"], 1);
    for (body, status) in
        [(json!({"version": 0}), 422), (json!({"version": 5}), 422), (json!({}), 422), (json!({"version": "x"}), 422)]
    {
        server.user().post(&path, &body).send().problem(status);
    }
    let guarded = |tag: &str| server.user().post(&path, &json!({"version": 2})).header("if-match", tag).send();
    guarded("\"3\"").problem(412);
    server.as_who(Who::Other).post(&path, &json!({"version": 2})).send().problem(403);
    server.post(&path).json(&json!({"version": 2})).send().problem(401);
    // A code that somebody has taken since.
    edit(server, &item.path(), json!({"sku": "H-2"}));
    new_item(server, tools, "Other", json!({"sku": "H-1"}));
    let problem = server.user().post(&path, &json!({"version": 4})).send().problem(409);
    assert_eq!(problem["errors"][0]["field"], "sku");
}

fn the_log_is_filtered_paged_and_for_admins(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({}));
    edit(server, &item.path(), json!({"price": 6}));
    server.admin().delete(&item.path()).send().expect(204);
    let ids = |query: &str| -> Vec<i64> {
        let rows = server.admin().get(&format!("/api/v1/audit{query}")).send().expect(200).rows();
        rows.iter().map(|r| r["id"].as_i64().unwrap()).collect()
    };
    let all = ids("");
    let newest = last(server);
    assert_eq!(all[..4], [newest, newest - 1, newest - 2, newest - 3], "newest first");
    assert_eq!(ids("?entity=item"), [newest, newest - 1, newest - 2]);
    assert_eq!(ids("?entity=category"), [newest - 3]);
    assert_eq!(ids(&format!("?entity=item&entity_id={}&action=created", item.id)), [newest - 2]);
    assert_eq!(ids("?action=deleted"), [newest]);
    assert_eq!(ids("?actor_id=2"), [newest - 2], "the user made the item");
    assert_eq!(ids("?entity=item&sort=id"), [newest - 2, newest - 1, newest]);
    let row = server.admin().get("/api/v1/audit?entity=item").send().rows().remove(1);
    let at = row["at"].as_str().unwrap().to_owned();
    assert_eq!(ids(&format!("?entity=item&after={at}")), [newest]);
    assert_eq!(ids(&format!("?entity=item&before={at}")), [newest - 2]);
    assert_eq!(
        (row["actor"].as_str(), row["door"].as_str(), row["change_count"].as_i64()),
        (Some("ada_admin"), Some("api"), Some(1))
    );
    assert_eq!(row["address"], "127.0.0.1");
    // By cursor, nothing twice and nothing left out.
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.admin().get(&format!("/api/v1/audit?limit=2{cursor}")).send().expect(200).json();
        seen.extend(page["data"].as_array().unwrap().iter().map(|r| r["id"].as_i64().unwrap()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, all);
    for (query, field) in [
        ("entity=things", "entity"),
        ("action=eaten", "action"),
        ("sort=actor", "sort"),
        ("after=soon", "after"),
        ("page=0", "page"),
    ] {
        server.admin().get(&format!("/api/v1/audit?{query}")).send().refused_at(&[field]);
    }
    for path in ["/api/v1/audit", "/api/v1/audit/1"] {
        server.get(path).send().problem(401);
        server.user().get(path).send().problem(403);
    }
    server.user().post("/api/v1/audit/1/revert", &json!({})).send().problem(403);
}

fn a_changeset_is_shown_with_its_changes(server: &Server) {
    let category = new_category(server, "Tools");
    let id = last(server);
    let shown = server.admin().get(&format!("/api/v1/audit/{id}")).send().expect(200);
    let etag = shown.must("etag");
    let data = shown.data();
    assert_eq!((data["change_count"].as_i64(), data["undone_by_id"].as_i64()), (Some(1), None));
    let change = &data["changes"][0];
    assert_eq!(
        (change["entity"].as_str(), change["entity_id"].as_i64(), change["action"].as_str()),
        (Some("category"), Some(category), Some("created"))
    );
    assert_eq!(change["after"]["name"], "Tools");
    server.admin().get(&format!("/api/v1/audit/{id}")).header("if-none-match", &etag).send().expect(304);
    let undone = undo(server, id, "").expect(200).data();
    let data = server.admin().get(&format!("/api/v1/audit/{id}")).send().data();
    assert_eq!(data["undone_by_id"], undone["changeset_id"]);
    let by = server.admin().get(&format!("/api/v1/audit/{}", undone["changeset_id"])).send().data();
    assert_eq!((by["undoes_id"].as_i64(), by["summary"].as_str()), (Some(id), Some("Undid: Created category 1")));
    server.admin().get("/api/v1/audit/999999").send().problem(404);
    undo(server, 999_999, "").problem(404);
    undo(server, id, "?force=maybe").refused_at(&["force"]);
}

fn each_kind_of_change_is_undone_and_an_undo_is_undone_too(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({"sku": "H-1", "price": 5.25, "description": "red"}));
    let made = last(server);
    let before = state(server, &item.path());
    // An update.
    let changed = edit(server, &item.path(), json!({"price": 7, "description": null}));
    let after = state(server, &item.path());
    let answer = undo(server, changed, "").expect(200).data();
    assert_eq!((answer["undone"].as_i64(), answer["left"].as_array().map(Vec::len)), (Some(1), Some(0)));
    assert_eq!(state(server, &item.path()), before);
    undo(server, answer["changeset_id"].as_i64().unwrap(), "").expect(200);
    assert_eq!(state(server, &item.path()), after, "done again");
    // A deletion: the same id, and the history goes on.
    server.admin().delete(&item.path()).send().expect(204);
    let deleted = last(server);
    undo(server, deleted, "").expect(200);
    assert_eq!(state(server, &item.path()), after);
    assert_eq!(server.admin().get(&item.path()).send().data()["version"], 5);
    assert_eq!(server.get("/api/v1/items?q=hammer").send().rows().len(), 1, "found again");
    assert_eq!(server.get(&format!("/api/v1/categories/{category}")).send().data()["item_count"], 1);
    // A creation, though it was changed since.
    let problem = undo(server, made, "").problem(409);
    assert_eq!(problem["errors"][0]["field"], format!("item[{}]", item.id));
    undo(server, made, "?force=true").expect(200);
    server.admin().get(&item.path()).send().problem(404);
    let problem = undo(server, made, "").problem(409);
    assert!(problem["detail"].as_str().unwrap().contains("nothing left to undo"), "{problem}");
    // A category.
    let renamed = edit(server, &format!("/api/v1/categories/{category}"), json!({"name": "Toys"}));
    undo(server, renamed, "").expect(200);
    assert_eq!(state(server, &format!("/api/v1/categories/{category}"))["name"], "Tools");
    server.admin().delete(&format!("/api/v1/categories/{category}")).send().expect(204);
    undo(server, last(server), "").expect(200);
    assert_eq!(state(server, &format!("/api/v1/categories/{category}"))["name"], "Tools");
    // The id after it is a new one.
    assert!(new_category(server, "Next") > category);
}

fn what_somebody_else_wrote_since_is_left_alone(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({"price": 5}));
    let priced = edit(server, &item.path(), json!({"price": 50}));
    edit(server, &item.path(), json!({"description": "of steel"}));
    undo(server, priced, "").expect(200);
    let now = state(server, &item.path());
    assert_eq!((&now["price"], &now["description"]), (&json!(5), &json!("of steel")));
}

fn what_was_changed_since_is_listed_and_overwritten_only_by_force(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({"price": 5}));
    let first = edit(server, &item.path(), json!({"price": 50, "name": "Mallet"}));
    edit(server, &item.path(), json!({"price": 60}));
    let problem = undo(server, first, "").problem(409);
    let field = format!("item[{}].price", item.id);
    assert_eq!(
        problem["errors"],
        json!([{"field": field, "message": "was changed since: it is 60 now", "type": "changed_since"}])
    );
    assert!(problem["detail"].as_str().unwrap().contains("force=true"), "{problem}");
    assert_eq!(state(server, &item.path())["name"], "Mallet", "nothing was done");
    undo(server, first, "?force=true").expect(200);
    let now = state(server, &item.path());
    assert_eq!((&now["price"], &now["name"]), (&json!(5), &json!("Hammer")));
    // Deleted since: by force the rest is done.
    let gone = edit(server, &item.path(), json!({"price": 70}));
    server.admin().delete(&item.path()).send().expect(204);
    undo(server, gone, "").problem(409);
    undo(server, gone, "?force=true").problem(409);
}

fn what_is_impossible_is_said_and_nothing_is_done(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({"sku": "H-1"}));
    server.admin().delete(&item.path()).send().expect(204);
    let deleted = last(server);
    let thief = new_item(server, category, "Other", json!({"sku": "H-1"}));
    for query in ["", "?force=true"] {
        let problem = undo(server, deleted, query).problem(409);
        assert_eq!(problem["errors"][0]["field"], format!("item[{}].sku", item.id));
        assert_eq!(problem["errors"][0]["type"], "impossible");
    }
    server.admin().delete(&thief.path()).send().expect(204);
    server.admin().delete(&format!("/api/v1/categories/{category}")).send().expect(204);
    let without = last(server);
    let problem = undo(server, deleted, "").problem(409);
    assert_eq!(problem["errors"][0]["field"], format!("item[{}].category_id", item.id));
    undo(server, without, "").expect(200);
    undo(server, deleted, "").expect(200);
    // A category that is in use by now.
    let made = server.db().number("SELECT min(changeset_id) AS n FROM changes WHERE entity = 'category'");
    undo(server, made, "?force=true").problem(409);
    assert_eq!(state(server, &format!("/api/v1/categories/{category}"))["name"], "Tools");
    // Names that were taken meanwhile.
    let renamed = edit(server, &format!("/api/v1/categories/{category}"), json!({"name": "Toys"}));
    new_category(server, "TOOLS");
    let problem = undo(server, renamed, "").problem(409);
    assert_eq!(problem["errors"][0]["field"], format!("category[{category}].name"));
}

fn a_bulk_act_is_undone_as_a_whole(server: &Server) {
    let category = new_category(server, "Tools");
    let items: Vec<_> = (0..5).map(|n| new_item(server, category, &format!("Hammer {n}"), json!({}))).collect();
    let before: Vec<_> = items.iter().map(|i| state(server, &i.path())).collect();
    let visitor = crate::support::Visitor::signed_in(server, Who::Admin);
    let token =
        visitor.get("/admin/items").page.forms().iter().find_map(|f| f.value("_csrf").map(str::to_owned)).unwrap();
    let act = |action: &str, confirmed: bool| {
        let mut fields = vec![("_csrf".to_owned(), token.clone()), ("action".to_owned(), action.to_owned())];
        fields.extend(items.iter().map(|i| ("ids".to_owned(), i.id.to_string())));
        if confirmed {
            fields.push(("confirm".to_owned(), "yes".to_owned()));
        }
        visitor.post("/admin/items/bulk", &fields)
    };
    let asked = act("delete", false);
    let mut form = asked.page.form("/admin/items/bulk");
    form.set("_csrf", &token);
    visitor.submit(&form).leads_to();
    assert_eq!(server.db().count("items"), 0);
    undo(server, last(server), "").expect(200);
    assert_eq!(items.iter().map(|i| state(server, &i.path())).collect::<Vec<_>>(), before);
    assert_eq!(server.get("/api/v1/items").send().json()["total"], 5);
}

fn a_deleted_user_comes_back_with_what_they_owned(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({}));
    let token = server.token(Who::User);
    server.admin().delete("/api/v1/users/2?reassign_to=3").send().expect(204);
    assert_eq!(state(server, &item.path())["owner_id"], 3);
    let undone = undo(server, last(server), "").expect(200).data();
    assert_eq!((&undone["left"][0]["entity_id"], &undone["left"][0]["field"]), (&json!(2), &json!("password")));
    assert_eq!(state(server, &item.path())["owner_id"], 2);
    let user = server.admin().get("/api/v1/users/2").send().expect(200).data();
    assert_eq!((user["username"].as_str(), user["role"].as_str()), (Some("uma_user"), Some("user")));
    // Without a password, and no token of before fits.
    wait_for("the end of the old token", Duration::from_secs(2), || {
        (server.get("/api/v1/users/me").bearer(&token).send().status == 401).then_some(())
    });
    let body = json!({"username": "uma_user", "password": crate::support::server::PASSWORD});
    server.post("/api/v1/auth/login").json(&body).send().problem(401);
    server.post("/api/v1/auth/password/forgot").json(&json!({"email": "uma_user@example.com"})).send().expect(202);
    crate::support::mail::mail_to(server.place(), "uma_user@example.com", "Reset your password");
}

fn the_last_admin_is_kept_also_by_an_undo(server: &Server) {
    let promoted = edit(server, "/api/v1/users/2", json!({"role": "admin"}));
    let token = server.login("uma_user", crate::support::server::PASSWORD);
    server.call("PATCH", "/api/v1/users/1").bearer(&token).json(&json!({"role": "user"})).send().expect(200);
    let path = format!("/api/v1/audit/{promoted}/revert");
    let problem = server.post(&path).bearer(&token).json(&json!({})).send().problem(409);
    assert!(problem["detail"].as_str().unwrap().contains("last active admin"), "{problem}");
    assert_eq!(server.get("/api/v1/users/me").bearer(&token).send().data()["role"], "admin");
}

fn of_two_undoes_at_once_one_does_it(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({"price": 5}));
    server.token(Who::Admin);
    for round in 0..5 {
        let changed = edit(server, &item.path(), json!({"price": 100 + round}));
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let calls: Vec<_> = (0..8).map(|_| scope.spawn(|| undo(server, changed, "").status)).collect();
            calls.into_iter().map(|c| c.join().unwrap()).collect()
        });
        assert_eq!(state(server, &item.path())["price"], 5);
        assert!(statuses.contains(&200) && statuses.iter().all(|s| matches!(s, 200 | 409)), "{statuses:?}");
        let by = server.db().number(&format!("SELECT count(*) AS n FROM changesets WHERE undoes_id = {changed}"));
        assert_eq!(by, 1, "{statuses:?}");
    }
}

fn an_import_is_undone_to_the_last_byte(kind: Kind) {
    let server = Place::furnished(kind).serve();
    let category = new_category(&server, "Ideal");
    new_item(&server, category, "Hammer", json!({"sku": "H-1"}));
    let hash = || -> BTreeMap<&str, Vec<String>> {
        let mut db = server.db();
        let mut all = BTreeMap::new();
        for table in ["users", "categories", "items"] {
            all.insert(table, db.rows_of(table, &[]).into_iter().map(|(id, row)| format!("{id} {row}")).collect());
        }
        let counters =
            "SELECT name || ' ' || sum(value) AS s FROM counters GROUP BY name HAVING sum(value) <> 0 ORDER BY name";
        all.insert("counters", db.texts(counters));
        let words = match kind {
            Kind::Sqlite => "SELECT term || ' ' || doc AS s FROM words ORDER BY 1",
            Kind::Postgres => "SELECT item_id || ' ' || words::text AS s FROM item_search ORDER BY 1",
        };
        if kind == Kind::Sqlite {
            db.execute("CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, item_search, instance)");
        }
        all.insert("item_search", db.texts(words));
        all
    };
    let visitor = Visitor::signed_in(&server, Who::Admin);
    let before = hash();
    server.run(&["import", data::diamonds().to_str().unwrap()]).expect(0);
    assert_eq!(server.db().count("items"), 53_941);
    let import = last(&server);
    // The page that asks looks through the most of it.
    let question = visitor.get(&format!("/admin/audit/{import}/revert")).expect(200);
    question.says("50,000 changes would be taken back").says("more were not looked through yet");
    // Somebody works on the catalogue meanwhile, which is not the import's.
    let path = format!("/api/v1/audit/{import}/revert");
    let answer = server.admin().post(&path, &json!({})).patient().send().expect(200).data();
    let categories =
        server.db().number("SELECT count(*) AS n FROM changes WHERE entity = 'category' AND action = 'deleted'");
    assert_eq!(answer["undone"], 53_940 + categories);
    assert_eq!(hash(), before);
    assert_eq!(
        server.db().number(
            "SELECT count(DISTINCT changeset_id) AS n FROM changes WHERE entity = 'item' AND action = 'deleted'"
        ),
        1,
        "one changeset"
    );
    assert_eq!(server.get("/api/v1/items?q=diamond").send().json()["total"], 0);
}

fn an_undo_that_was_cut_off_is_asked_for_again_and_does_the_rest(kind: Kind) {
    const ITEMS: usize = 6_000;
    let server = Place::furnished(kind).serve();
    let file = server.place().write("some.csv", data::some_diamonds(ITEMS));
    server.run(&["import", file.to_str().unwrap()]).expect(0);
    let import = last(&server);
    let categories = server.db().count("categories");
    let path = format!("/api/v1/audit/{import}/revert");
    let call = |server: &Server| {
        server.call("POST", &path).bearer(&server.token(Who::Admin)).patient().try_send().map(|answer| answer.status)
    };
    server.token(Who::Admin);
    std::thread::scope(|scope| {
        let cut_off = scope.spawn(|| call(&server));
        let mut db = server.db();
        wait_for("a part of the undo", Duration::from_secs(60), || (db.count("items") < ITEMS as i64).then_some(()));
        server.strike_dead();
        assert!(cut_off.join().unwrap().is_err(), "it was not done before the end");
    });
    let server = server.kill().serve();
    let left = server.db().count("items");
    assert!(left > 0 && left < ITEMS as i64, "{left} items are left");
    assert_eq!(left % 1_000, 0, "whole parts");
    assert_eq!(server.get("/api/v1/items").send().json()["total"], left, "the counters too");
    let half = server.admin().get("/api/v1/audit?limit=1").send().rows().remove(0);
    assert_eq!((&half["undoes_id"], &half["change_count"]), (&json!(import), &json!(ITEMS as i64 - left)));
    let rest = undo(&server, import, "").expect(200).data();
    assert_eq!((&rest["undone"], &rest["left"]), (&json!(left + categories), &json!([])));
    assert_eq!((server.db().count("items"), server.db().count("categories")), (0, 0));
    assert_eq!(server.get("/api/v1/items").send().json()["total"], 0);
    undo(&server, import, "").problem(409);
    // Both halves are undone one after the other: everything is there again.
    undo(&server, rest["changeset_id"].as_i64().unwrap(), "").expect(200);
    undo(&server, half["id"].as_i64().unwrap(), "").expect(200);
    assert_eq!((server.db().count("items"), server.db().count("categories")), (ITEMS as i64, categories));
}
