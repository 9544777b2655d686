//! The audit log in the browser: found, read and undone without a script.

use crate::support::{
    Kind, Place, Server, Visitor, Who,
    data::{new_category, new_item, some_diamonds},
    on_both, on_each_database,
    visitor::Shown,
};
use serde_json::json;

on_both! {
    the_log_is_found_by_who_what_door_day_and_words,
    the_log_goes_by_steps_in_both_directions,
    a_log_that_is_asked_wrongly_says_so,
    an_act_is_shown_field_by_field,
    an_act_is_undone_from_its_page,
    what_was_changed_since_is_left_or_overwritten_by_choice,
    what_cannot_be_as_it_was_is_named_and_the_rest_undone,
    of_two_undoes_at_once_by_the_pages_one_does_it,
    what_somebody_typed_is_shown_in_the_log_and_never_run,
}

on_each_database! {
    an_import_is_paged_and_undone,
    a_long_log_is_looked_through_a_part_at_a_time,
}

fn last(server: &Server) -> i64 {
    server.db().number("SELECT max(id) AS n FROM changesets")
}

fn edit(server: &Server, path: &str, body: serde_json::Value) -> i64 {
    server.admin().patch(path, &body).send().expect(200);
    last(server)
}

/// What the rows of the list are called.
#[track_caller]
fn listed(visitor: &Visitor, query: &str) -> Vec<String> {
    let shown = visitor.get(&format!("/admin/audit{query}")).expect(200);
    shown.page.table().into_iter().map(|row| row[0].clone()).collect()
}

/// The address of the link that says this.
#[track_caller]
fn link(shown: &Shown, says: &str) -> String {
    let found = shown.page.elements("a").find(|(at, _)| shown.page.text_at(*at) == says);
    found.unwrap_or_else(|| panic!("no link says {says:?}: {}", shown.page.text())).1["href"].clone()
}

fn has_link(shown: &Shown, says: &str) -> bool {
    shown.page.elements("a").any(|(at, _)| shown.page.text_at(at) == says)
}

fn the_log_is_found_by_who_what_door_day_and_words(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({}));
    let visitor = Visitor::signed_in(server, Who::Admin);
    visitor.fill_in(&item.page("/edit"), &[("price", "12")]).leads_to();
    let (_, key) = crate::support::data::new_key(server, Who::Admin, &["admin"]);
    server.call("PATCH", &item.path()).api_key(&key).json(&json!({"price": 13})).send().expect(200);
    let first = |query: &str| visitor.get(&format!("/admin/audit{query}")).expect(200).page.table();
    let all = first("");
    assert!(all[0][0].starts_with("Updated item 1"), "{all:?}");
    assert_eq!(all[0][1..4], ["ada_admin", "API key key of ada_admin", "1"]);
    let summaries = |query: &str| -> Vec<String> {
        let known = ["Updated item 1", "Created item 1", "Created category 1", "Created api_key 1"];
        let rows = first(query).into_iter();
        rows.map(|row| known.iter().find(|k| row[0].starts_with(**k)).map_or(row[0].clone(), |k| (*k).into())).collect()
    };
    assert_eq!(summaries("?entity=item"), ["Updated item 1", "Updated item 1", "Created item 1"]);
    assert_eq!(summaries("?entity=item&entity_id=1&did=created"), ["Created item 1"]);
    assert_eq!(summaries("?who=uma_user"), ["Created item 1"]);
    assert_eq!(summaries("?who=UMA_user&entity=category"), [""; 0]);
    assert_eq!(summaries("?door=admin"), ["Updated item 1"]);
    assert_eq!(summaries("?q=category+CREATED"), ["Created category 1"]);
    assert_eq!(first("?who=operator&door=cli").len(), 4, "the four users were made at the command line");
    let newest = server.admin().get("/api/v1/audit").send().rows().remove(0);
    let day = &newest["at"].as_str().unwrap()[..10];
    assert_eq!(first(&format!("?from={day}&to={day}")).len(), all.len());
    assert_eq!(first("?to=2001-01-01").len(), 0);
    assert_eq!(first("?from=2999-01-01").len(), 0);
    // What is in force can be taken away again, each for itself.
    let shown = visitor.get("/admin/audit?who=uma_user&entity=item").expect(200);
    assert!(shown.page.links().contains(&"/admin/audit?entity=item".to_owned()), "{:?}", shown.page.links());
    let form = shown.page.form("/admin/audit");
    assert_eq!((form.value("who"), form.value("entity")), (Some("uma_user"), Some("item")));
    // A name that nobody has.
    let shown = visitor.get("/admin/audit?who=uma").expect(200);
    shown.says("Do you mean uma_user");
    assert_eq!(link(&shown, "uma_user"), "/admin/audit?who=uma_user");
}

fn the_log_goes_by_steps_in_both_directions(server: &Server) {
    for n in 0..12 {
        new_category(server, &format!("Category {n}"));
    }
    let visitor = Visitor::signed_in(server, Who::Admin);
    let names = |shown: &Shown| -> Vec<String> {
        shown.page.table().into_iter().map(|row| row[0].split(' ').take(3).collect::<Vec<_>>().join(" ")).collect()
    };
    let of = |numbers: std::ops::RangeInclusive<i32>| -> Vec<String> {
        numbers.rev().map(|n| format!("Created category {n}")).collect()
    };
    let newest = visitor.get("/admin/audit?entity=category&page_size=5").expect(200);
    assert_eq!(names(&newest), of(8..=12));
    assert!(!has_link(&newest, "Newer"));
    let older = visitor.get(&link(&newest, "Older")).expect(200);
    assert_eq!(names(&older), of(3..=7));
    let oldest = visitor.get(&link(&older, "Older")).expect(200);
    assert_eq!(names(&oldest), of(1..=2));
    assert!(!has_link(&oldest, "Older"));
    let back = visitor.get(&link(&oldest, "Newer")).expect(200);
    assert_eq!(names(&back), of(3..=7));
    new_category(server, "Another");
    let back = visitor.get(&link(&back, "Newer")).expect(200);
    assert_eq!(names(&back), of(8..=12), "next to where one was, whatever came meanwhile");
    let newest = visitor.get(&link(&back, "Newer")).expect(200);
    assert_eq!(names(&newest), of(9..=13), "a whole page rather than the one that is left");
    // Another filter begins at the newest again.
    let form = older.page.form("/admin/audit");
    assert_eq!((form.value("page_size"), form.value("older")), (Some("5"), None));
    assert!(older.page.links().contains(&"/admin/audit?page_size=5".to_owned()), "{:?}", older.page.links());
}

fn a_log_that_is_asked_wrongly_says_so(server: &Server) {
    let visitor = Visitor::signed_in(server, Who::Admin);
    for (query, says) in [
        ("?entity=planet", "must be one of user, category"),
        ("?did=eaten", "must be one of created, updated, deleted"),
        ("?door=window", "must be one of api, admin, cli, job"),
        ("?entity_id=many", "must be a whole number"),
        ("?from=yesterday", "must be a day"),
        ("?from=2026-11-21&to=2026-11-20", "must not be before the first day"),
    ] {
        visitor.get(&format!("/admin/audit{query}")).expect(422).says(says);
    }
    for query in ["?older=x", "?older=1&newer=2", "?page_size=0", "?page_size=101", "?who=a&who=b", "?q=%zz"] {
        visitor.get(&format!("/admin/audit{query}")).expect(400);
    }
    visitor.get("/admin/audit?older=-5").expect(200);
    visitor.get(&format!("/admin/audit?newer={}", i64::MAX)).expect(200);
    visitor.get(&format!("/admin/audit?who={}&older={}", "%25_%27", i64::MIN)).expect(200);
    visitor.get("/admin/audit/999999").expect(404);
    visitor.get("/admin/audit/1?page=0").expect(400);
    visitor.get("/admin/audit/1?page=9").expect(200);
    visitor.get("/admin/audit/999999/revert").expect(404);
}

fn an_act_is_shown_field_by_field(server: &Server) {
    let (tools, toys) = (new_category(server, "Tools"), new_category(server, "Toys"));
    let item = new_item(server, tools, "Hammer", json!({"description": "of steel"}));
    let id = edit(server, &item.path(), json!({"price": 12.5, "category_id": toys, "description": null}));
    let visitor = Visitor::signed_in(server, Who::Admin);
    let shown = visitor.get(&format!("/admin/audit/{id}")).expect(200);
    assert_eq!(shown.page.text_in("h1").as_deref(), Some("Updated item 1"));
    let rows = shown.page.table();
    let row =
        |label: &str| rows.iter().find(|row| row[0] == label).unwrap_or_else(|| panic!("{label}: {rows:?}")).clone();
    assert_eq!(row("Price")[1..], ["before: 10", "after: 12.5"]);
    assert_eq!(row("Category")[1..], ["before: Tools", "after: Toys"]);
    assert_eq!(row("Description")[1..], ["before: of steel", "empty"]);
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert!(shown.page.links().contains(&item.page("")), "it is still there");
    assert!(shown.page.links().contains(&"/admin/users/1".to_owned()), "and who did it");
    let request = server.db().texts(&format!("SELECT request_id AS s FROM changesets WHERE id = {id}")).remove(0);
    shown.says(&request).says("127.0.0.1").says("API");
    // Gone since, and so is the category that it was in.
    server.admin().delete(&item.path()).send().expect(204);
    server.admin().delete(&format!("/api/v1/categories/{tools}")).send().expect(204);
    let shown = visitor.get(&format!("/admin/audit/{id}")).expect(200);
    shown.says("deleted since").says(&format!("category {tools}, deleted since"));
    assert!(!shown.page.links().contains(&item.page("")));
    // All that happened to it.
    let of_it = link(&shown, "All that happened to it");
    let rows = visitor.get(&of_it).expect(200).page.table();
    let acts: Vec<&str> = rows.iter().map(|row| row[0].split(' ').next().unwrap()).collect();
    assert_eq!(acts, ["Deleted", "Updated", "Created"]);
}

fn an_act_is_undone_from_its_page(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({}));
    let id = edit(server, &item.path(), json!({"price": 50}));
    let visitor = Visitor::signed_in(server, Who::Admin);
    let path = format!("/admin/audit/{id}/revert");
    assert_eq!(link(&visitor.get(&format!("/admin/audit/{id}")).expect(200), "Undo…"), path);
    let question = visitor.get(&path).expect(200);
    question.says("1 change would be taken back").says("Hammer").says("is as it was");
    assert_eq!(server.get(&item.path()).send().data()["price"], 50, "a question changes nothing");
    let done = visitor.submit(&question.page.form(&path));
    assert_eq!(done.leads_to(), format!("/admin/audit/{}", id + 1));
    assert_eq!(server.get(&item.path()).send().data()["price"], 10);
    let shown = visitor.get(&done.leads_to()).expect(200);
    shown.says("Undid 1 change").says("Undid: Updated item 1").says(&format!("This undid entry {id}"));
    visitor.get(&format!("/admin/audit/{id}")).expect(200).says(&format!("This was undone by entry {}", id + 1));
    let rows = visitor.get("/admin/audit").expect(200).page.table();
    assert!(rows[0][4].contains(&format!("Undoes {id}")) && rows[1][4].contains("Undone"), "{rows:?}");
    // Again there is nothing to do, whether one asks or sends an old form.
    visitor.get(&path).expect(200).says("There is nothing left to undo");
    visitor.submit(&question.page.form(&path)).expect(409).says("nothing left to undo");
    // What was deleted comes back, and what was made goes.
    server.admin().delete(&item.path()).send().expect(204);
    let deleted = last(server);
    visitor.get(&format!("/admin/audit/{deleted}/revert")).expect(200).says("comes back");
    visitor.fill_in(&format!("/admin/audit/{deleted}/revert"), &[]).leads_to();
    server.get(&item.path()).send().expect(200);
    let made = last(server);
    visitor.get(&format!("/admin/audit/{made}/revert")).expect(200).says("is deleted");
    // A key that was shown stays as it is.
    crate::support::data::new_key(server, Who::Admin, &["read"]);
    let question = visitor.get(&format!("/admin/audit/{}/revert", last(server))).expect(200);
    question.says("nothing left to undo").says("API keys stay as they are");
    assert!(question.page.forms().iter().all(|form| !form.action.contains("revert")));
}

fn what_was_changed_since_is_left_or_overwritten_by_choice(server: &Server) {
    let category = new_category(server, "Tools");
    let items = ["Hammer", "Saw"].map(|name| new_item(server, category, name, json!({})));
    let ids = items.iter().map(|item| item.id).collect::<Vec<_>>();
    let price = |n: usize| server.get(&items[n].path()).send().data()["price"].clone();
    let visitor = Visitor::signed_in(server, Who::Admin);
    let raise = |to: i64| {
        server.admin().patch("/api/v1/items/bulk", &json!({"ids": ids, "changes": {"price": to}})).send().expect(200);
        last(server)
    };
    let id = raise(50);
    edit(server, &items[1].path(), json!({"price": 60}));
    let path = format!("/admin/audit/{id}/revert");
    let question = visitor.get(&path).expect(200);
    question.says("1 change would be taken back").says("1 changed since").says("was changed since: it is 60 now");
    let form = question.page.form(&path);
    assert_eq!(form.choices, [("since".into(), "leave".into()), ("since".into(), "overwrite".into())]);
    // A button that does not know of it does nothing, and asks.
    let mut blind = form.clone();
    visitor.submit(blind.remove("since")).expect(409).says("Nothing was undone yet").says("it is 60 now");
    assert_eq!((price(0), price(1)), (json!(50), json!(60)));
    visitor.submit(blind.set("since", "perhaps")).expect(400);
    // Left as it is: the rest is undone, and what was left is named.
    let done = visitor.submit(&form).expect(200);
    done.says("Undid 1 change").says(&format!("Item {}", items[1].id)).says("it is 60 now");
    assert_eq!((price(0), price(1)), (json!(10), json!(60)));
    let question = visitor.get(&path).expect(200);
    question.says("All of it was changed since");
    assert_eq!(question.page.form(&path).choices, [("since".into(), "overwrite".into())]);
    // Overwritten.
    let mut form = question.page.form(&path);
    visitor.submit(form.set("since", "overwrite")).leads_to();
    assert_eq!((price(0), price(1)), (json!(10), json!(10)));
}

fn what_cannot_be_as_it_was_is_named_and_the_rest_undone(server: &Server) {
    let category = new_category(server, "Tools");
    let one = new_item(server, category, "Hammer", json!({"sku": "H-1"}));
    let two = new_item(server, category, "Saw", json!({}));
    server.admin().call("DELETE", "/api/v1/items/bulk").json(&json!({"ids": [one.id, two.id]})).send().expect(200);
    let id = last(server);
    new_item(server, category, "Another hammer", json!({"sku": "H-1"}));
    let visitor = Visitor::signed_in(server, Who::Admin);
    let path = format!("/admin/audit/{id}/revert");
    let question = visitor.get(&path).expect(200);
    question.says("1 change would be taken back").says("1 cannot be as it was and stays");
    let done = visitor.submit(&question.page.form(&path)).expect(200);
    done.says("Undid 1 change").says(&format!("Item {}", one.id));
    server.get(&two.path()).send().expect(200);
    server.get(&one.path()).send().expect(404);
}

fn of_two_undoes_at_once_by_the_pages_one_does_it(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({"price": 5}));
    let visitors: Vec<Visitor> = (0..4).map(|_| Visitor::signed_in(server, Who::Admin)).collect();
    for round in 0..6 {
        // What was deleted is not there to be locked.
        let id = match round % 2 {
            0 => edit(server, &item.path(), json!({"price": 100 + round})),
            _ => {
                server.admin().delete(&item.path()).send().expect(204);
                last(server)
            }
        };
        let path = format!("/admin/audit/{id}/revert");
        let forms: Vec<_> = visitors.iter().map(|v| v.get(&path).expect(200).page.form(&path)).collect();
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let each = visitors.iter().zip(&forms);
            let calls: Vec<_> = each.map(|(v, form)| scope.spawn(|| v.submit(form).answer.status)).collect();
            calls.into_iter().map(|c| c.join().unwrap()).collect()
        });
        assert!(statuses.iter().all(|s| matches!(s, 303 | 409)), "{statuses:?}");
        let by = server.db().number(&format!("SELECT count(*) AS n FROM changesets WHERE undoes_id = {id}"));
        assert_eq!(by, 1, "{statuses:?}");
        assert_eq!(server.get(&item.path()).send().data()["price"], 5);
    }
}

fn what_somebody_typed_is_shown_in_the_log_and_never_run(server: &Server) {
    let bad = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
    let category = new_category(server, bad);
    let item = new_item(server, category, bad, json!({"description": bad}));
    edit(server, &item.path(), json!({"description": "fine"}));
    let visitor = Visitor::signed_in(server, Who::Admin);
    let encoded: String = url::form_urlencoded::byte_serialize(bad.as_bytes()).collect();
    let newest = last(server);
    for path in [
        format!("/admin/audit?q={encoded}&who={encoded}"),
        format!("/admin/audit/{newest}"),
        format!("/admin/audit/{newest}/revert"),
        format!("/admin/audit/{}", newest - 1),
    ] {
        let shown = visitor.get(&path).expect(200);
        shown.says("<script>alert(1)</script>");
        assert!(!shown.page.source.contains("<script>alert") && !shown.page.source.contains("<img src=x"), "{path}");
    }
}

fn an_import_is_paged_and_undone(kind: Kind) {
    let server = Place::furnished(kind).serve();
    let file = server.place().write("some.csv", some_diamonds(1_200));
    server.run(&["import", file.to_str().unwrap()]).expect(0);
    let id = last(&server);
    let visitor = Visitor::signed_in(&server, Who::Admin);
    let changes = server.db().number(&format!("SELECT count(*) AS n FROM changes WHERE changeset_id = {id}"));
    let first = visitor.get(&format!("/admin/audit/{id}")).expect(200);
    assert_eq!(first.page.elements("details").count(), 50);
    let pages = (changes + 49) / 50;
    first.says(&format!("Page 1 of {pages}"));
    let end = visitor.get(&format!("/admin/audit/{id}?page={pages}")).expect(200);
    assert_eq!(end.page.elements("details").count() as i64, changes - (pages - 1) * 50);
    assert!(!has_link(&end, "Next"));
    let rows = visitor.get("/admin/audit?entity=item").expect(200).page.table();
    assert_eq!(rows[0][3], format!("1,{:03}", changes - 1_000));
    // More than a thousand are taken back by the thousand, as one act.
    let path = format!("/admin/audit/{id}/revert");
    visitor.get(&path).expect(200).says(&format!("and 1,{:03} more", changes - 1_010));
    visitor.fill_in(&path, &[]).leads_to();
    assert_eq!(server.db().count("items"), 0);
    assert_eq!(last(&server), id + 1);
}

fn a_long_log_is_looked_through_a_part_at_a_time(kind: Kind) {
    let server = Place::furnished(kind).serve();
    new_category(&server, "Needle");
    let needle = last(&server);
    let many = match kind {
        Kind::Sqlite => {
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 45000) SELECT i FROM n"
        }
        Kind::Postgres => "SELECT i FROM generate_series(1, 45000) AS n(i)",
    };
    server.db().execute(&format!(
        "INSERT INTO changesets (at, actor_id, actor, door, summary, request_id) \
         SELECT (SELECT max(at) FROM changesets) + i, 1, 'ada_admin', 'job', 'Hay', 'r' FROM ({many}) AS many"
    ));
    let visitor = Visitor::signed_in(&server, Who::Admin);
    let newest = visitor.get("/admin/audit").expect(200);
    assert_eq!(newest.page.table().len(), 20);
    assert!(has_link(&newest, "Older"));
    // What an index finds is found at once,
    assert_eq!(listed(&visitor, "?entity=category&entity_id=1").len(), 1);
    // other things a part at a time, and the page says how far it came.
    let mut shown = visitor.get("/admin/audit?q=category").expect(200);
    for _ in 0..2 {
        shown.says("Nothing so far").says("Looked as far as");
        assert_eq!(shown.page.table().len(), 0);
        shown = visitor.get(&link(&shown, "Look further back")).expect(200);
    }
    assert_eq!(shown.page.table().len(), 1);
    assert!(shown.page.links().contains(&format!("/admin/audit/{needle}")));
    assert!(!has_link(&shown, "Older") && has_link(&shown, "Newer"));
    let back = visitor.get(&link(&shown, "Newer")).expect(200);
    back.says("Nothing so far");
    assert_eq!(back.page.table().len(), 0);
    assert!(has_link(&back, "Newer"), "{}", back.page.text());
}
