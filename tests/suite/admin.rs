//! The admin site as somebody without JavaScript uses it.

use crate::support::{
    Kind, Place, Server, Visitor, Who,
    data::{new_category, new_item},
    on_both,
    server::PASSWORD,
    visitor::Shown,
    wait_for,
};
use serde_json::json;
use std::time::Duration;

on_both! {
    signing_in_leads_on_and_signing_out_ends_the_session,
    a_wrong_sign_in_is_told_and_keeps_the_name,
    signing_in_leads_where_one_wanted_to_go_but_never_to_another_host,
    the_session_cookie_is_closed_to_scripts_and_changes_at_sign_in,
    a_form_without_its_token_is_refused,
    a_form_sent_from_another_site_is_refused,
    an_item_is_made_shown_changed_and_deleted,
    a_wrong_form_keeps_what_was_typed_and_shows_each_error_at_its_field,
    what_is_typed_is_shown_and_never_run,
    an_edit_that_meets_somebody_elses_shows_both_sides,
    the_chosen_sides_are_saved,
    a_second_conflict_is_seen_too,
    an_edit_of_what_is_gone_says_so,
    bulk_acts_ask_first_and_touch_the_selection_only,
    the_list_searches_filters_sorts_and_pages,
    a_list_that_is_asked_wrongly_says_so,
    history_shows_who_did_what_by_which_door,
    categories_are_kept_the_same_way,
    a_category_that_somebody_else_changed_is_not_overwritten,
    a_flash_is_shown_once,
    a_changed_password_ends_the_session,
    a_role_taken_away_takes_the_pages_away,
}

fn admin(server: &Server) -> Visitor<'_> {
    Visitor::signed_in(server, Who::Admin)
}

/// Where it leads to, opened.
#[track_caller]
fn follow(visitor: &Visitor, shown: &Shown) -> Shown {
    visitor.get(&shown.leads_to()).expect(200)
}

fn signing_in_leads_on_and_signing_out_ends_the_session(server: &Server) {
    let visitor = Visitor::stranger(server);
    assert!(visitor.get("/admin/items").leads_to().starts_with("/admin/login"));
    let shown = visitor.sign_in("ADA_admin@example.com", PASSWORD);
    assert!(shown.leads_to().starts_with("/admin"), "{}", shown.leads_to());
    let items = visitor.get("/admin/items").expect(200);
    items.says("ada_admin");
    let old = visitor.cookie_header();
    visitor.submit(&items.page.form("/admin/logout")).leads_to();
    assert!(visitor.get("/admin/items").leads_to().starts_with("/admin/login"));
    let replayed = server.get("/admin/items").header("cookie", old).send();
    assert_eq!(replayed.status, 303, "the old cookie opens nothing");
    assert_eq!(visitor.get("/admin").answer.status, 303);
}

fn a_wrong_sign_in_is_told_and_keeps_the_name(server: &Server) {
    let visitor = Visitor::stranger(server);
    let wrong = visitor.sign_in("uma_user", "Wrong1horse");
    assert!(matches!(wrong.answer.status, 401 | 422), "{}", wrong.answer.status);
    let form = wrong.page.form("/admin/login");
    assert_eq!(form.value("username"), Some("uma_user"));
    assert_eq!(form.value("password").unwrap_or_default(), "", "a password is never sent back");
    let said = wrong.page.error_at("password").or(wrong.page.error_at("username")).expect("an error at the field");
    let unknown = visitor.sign_in("nobody_here", "Wrong1horse");
    assert_eq!(unknown.answer.status, wrong.answer.status);
    assert_eq!(unknown.page.error_at("password").or(unknown.page.error_at("username")).unwrap(), said, "both alike");
    let empty = visitor.sign_in("", "");
    assert!(matches!(empty.answer.status, 401 | 422), "{}", empty.answer.status);
    assert!(visitor.get("/admin/items").leads_to().starts_with("/admin/login"));
}

fn signing_in_leads_where_one_wanted_to_go_but_never_to_another_host(server: &Server) {
    let visitor = Visitor::stranger(server);
    let login = visitor.get("/admin/items?q=saw&page=2").leads_to();
    let mut form = visitor.get(&login).expect(200).page.form("/admin/login");
    form.set("username", "ada_admin").set("password", PASSWORD);
    assert_eq!(visitor.submit(&form).leads_to(), "/admin/items?q=saw&page=2");
    for evil in [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "https:evil.example",
        "/\t/evil.example",
    ] {
        let visitor = Visitor::stranger(server);
        let mut form = visitor.get("/admin/login").expect(200).page.form("/admin/login");
        form.set("username", "ada_admin").set("password", PASSWORD).set("next", evil);
        let to = visitor.submit(&form).leads_to();
        assert!(to == "/admin" || to.starts_with("/admin/") && !to.contains("evil"), "{evil} led to {to}");
    }
}

fn the_session_cookie_is_closed_to_scripts_and_changes_at_sign_in(server: &Server) {
    let visitor = Visitor::stranger(server);
    let before = visitor.get("/admin/login");
    let anonymous = visitor.cookies.lock().unwrap().get("stockroom_session").cloned();
    let after = visitor.sign_in("ada_admin", PASSWORD);
    let cookies: Vec<String> = before
        .answer
        .headers
        .get_all("set-cookie")
        .iter()
        .chain(after.answer.headers.get_all("set-cookie"))
        .map(|c| c.to_str().unwrap().to_lowercase())
        .collect();
    let session: Vec<_> = cookies.iter().filter(|c| c.starts_with("stockroom_session=")).collect();
    assert!(!session.is_empty());
    for cookie in session {
        assert!(cookie.contains("httponly") && cookie.contains("samesite=lax"), "{cookie}");
        assert!(!cookie.contains("domain="), "{cookie}");
    }
    let signed_in = visitor.cookies.lock().unwrap().get("stockroom_session").cloned().unwrap();
    assert_ne!(anonymous.as_ref(), Some(&signed_in), "a session that somebody planted is not taken over");
    let kept = server.db().texts("SELECT key_hash AS s FROM sessions");
    assert!(!kept.is_empty() && kept.iter().all(|k| !signed_in.contains(k)), "only its hash is kept");
}

fn a_form_without_its_token_is_refused(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({}));
    let visitor = admin(server);
    let other = admin(server).get("/admin/items").page.form("/admin/logout").value("_csrf").unwrap().to_owned();
    for token in [None, Some(""), Some("x"), Some(other.as_str())] {
        for path in [
            item.page("/edit"),
            item.page("/delete"),
            "/admin/items/new".into(),
            "/admin/items/bulk".into(),
            format!("/admin/categories/{category}/delete"),
            "/admin/logout".into(),
        ] {
            let mut fields = vec![
                ("name".to_owned(), "x".to_owned()),
                ("version".into(), "1".into()),
                ("confirm".into(), "yes".into()),
                ("action".into(), "delete".into()),
                ("ids".into(), "1".into()),
            ];
            if let Some(token) = token {
                fields.push(("_csrf".into(), token.into()));
            }
            visitor.post(&path, &fields).expect(403).says("403");
        }
    }
    let stranger = Visitor::stranger(server);
    stranger
        .post("/admin/login", &[("username".into(), "ada_admin".into()), ("password".into(), PASSWORD.into())])
        .expect(403);
    assert_eq!(server.get(&item.path()).send().expect(200).data()["version"], 1);
    visitor.get("/admin/items").expect(200);
}

fn a_form_sent_from_another_site_is_refused(server: &Server) {
    let visitor = admin(server);
    let form = visitor.get("/admin/categories/new").expect(200).page.form("/admin/categories/new");
    let mut fields = form.fields.clone();
    fields.retain(|(n, _)| n != "name");
    fields.push(("name".into(), "From elsewhere".into()));
    let send = |headers: &[(&str, &str)]| {
        let mut call = server.post("/admin/categories/new").header("cookie", visitor.cookie_header()).form(&fields);
        for (name, value) in headers {
            call = call.header(name, value);
        }
        call.send().status
    };
    assert_eq!(send(&[("sec-fetch-site", "cross-site")]), 403);
    assert_eq!(send(&[("sec-fetch-site", "same-site")]), 403);
    assert_eq!(send(&[("origin", "https://evil.example")]), 403);
    assert_eq!(send(&[("origin", "null")]), 403);
    assert_eq!(server.db().count("categories"), 0);
    assert_eq!(send(&[("origin", &server.url), ("sec-fetch-site", "same-origin")]), 303);
}

fn an_item_is_made_shown_changed_and_deleted(server: &Server) {
    let category = new_category(server, "Tools").to_string();
    let visitor = admin(server);
    let made = visitor.fill_in(
        "/admin/items/new",
        &[
            ("name", " Hammer "),
            ("sku", "H-1"),
            ("description", "Steel\r\nand wood"),
            ("price", "19.99"),
            ("currency", "EUR"),
            ("tax_rate", "0.2"),
            ("category_id", &category),
        ],
    );
    let shown = follow(&visitor, &made);
    shown.says("Hammer");
    let item = server.admin().get("/api/v1/items/1").send().expect(200).data();
    assert_eq!(
        (item["name"].as_str(), item["price"].to_string().as_str(), item["is_active"].as_bool()),
        (Some("Hammer"), "19.99", Some(true))
    );
    assert_eq!(item["description"], "Steel\nand wood", "lines end as everywhere else");
    assert_eq!(item["owner_id"], Who::Admin.id());
    let page = visitor.get("/admin/items/1").expect(200);
    for words in ["Hammer", "H-1", "19.99", "EUR", "Tools", "Steel"] {
        page.says(words);
    }
    let mut form = visitor.get("/admin/items/1/edit").expect(200).page.form("/admin/items/1/edit");
    assert_eq!(
        (form.value("name"), form.value("price"), form.value("category_id"), form.value("is_active")),
        (Some("Hammer"), Some("19.99"), Some(category.as_str()), Some("true"))
    );
    form.set("price", "21").remove("is_active");
    visitor.submit(&form).leads_to();
    let item = server.admin().get("/api/v1/items/1").send().expect(200).data();
    assert_eq!(
        (item["price"].to_string().as_str(), item["is_active"].as_bool(), item["version"].as_i64()),
        ("21", Some(false), Some(2))
    );
    assert_eq!(item["tax_rate"].to_string(), "0.2", "what was not touched stays");
    let question = visitor.get("/admin/items/1/delete").expect(200);
    question.says("Hammer");
    server.admin().get("/api/v1/items/1").send().expect(200);
    let done = visitor.submit(&question.page.form("/admin/items/1/delete"));
    follow(&visitor, &done).says("Hammer");
    visitor.get("/admin/items/1").expect(404);
    server.admin().get("/api/v1/items/1").send().problem(404);
}

fn a_wrong_form_keeps_what_was_typed_and_shows_each_error_at_its_field(server: &Server) {
    let category = new_category(server, "Tools").to_string();
    new_item(server, category.parse().unwrap(), "Taken", json!({"sku": "T-1"}));
    let visitor = admin(server);
    let shown = visitor
        .fill_in(
            "/admin/items/new",
            &[
                ("name", ""),
                ("price", "cheap"),
                ("currency", "Dollars"),
                ("tax_rate", "7"),
                ("description", "kept <as> \"typed\""),
                ("sku", "S-9"),
            ],
        )
        .expect(422);
    for field in ["name", "price", "currency", "tax_rate", "category_id"] {
        assert!(shown.page.error_at(field).is_some_and(|e| !e.is_empty()), "no error at {field}");
    }
    for field in ["sku", "description"] {
        assert_eq!(shown.page.error_at(field), None);
    }
    let form = shown.page.form("/admin/items/new");
    for (field, typed) in [
        ("price", "cheap"),
        ("currency", "Dollars"),
        ("tax_rate", "7"),
        ("description", "kept <as> \"typed\""),
        ("sku", "S-9"),
    ] {
        assert_eq!(form.value(field), Some(typed));
    }
    let shown = visitor
        .fill_in("/admin/items/new", &[("name", "x"), ("price", "1"), ("sku", "T-1"), ("category_id", &category)]);
    assert!(matches!(shown.answer.status, 409 | 422), "{}", shown.answer.status);
    assert!(shown.page.error_at("sku").is_some(), "a taken SKU is an error at its field");
    let mut unknown = visitor.get("/admin/items/new").page.form("/admin/items/new");
    unknown.set("name", "x").set("price", "1").set("category_id", "999");
    assert!(visitor.submit(&unknown).expect(422).page.error_at("category_id").is_some());
    let edit = visitor.fill_in("/admin/items/1/edit", &[("price", "-1")]).expect(422);
    assert!(edit.page.error_at("price").is_some());
    assert_eq!(edit.page.form("/admin/items/1/edit").value("name"), Some("Taken"));
    assert_eq!(server.db().count("items"), 1);
}

fn what_is_typed_is_shown_and_never_run(server: &Server) {
    let category = server
        .admin()
        .post("/api/v1/categories", &json!({"name": "<i>C</i> & \"co\""}))
        .send()
        .expect(201)
        .data()["id"]
        .as_i64()
        .unwrap();
    let nasty = "<script>alert('x')</script> & \"q\" <img src=x onerror=alert(1)>";
    let item = new_item(
        server,
        category,
        nasty,
        json!({"description": "</textarea><script>alert(2)</script>", "sku": "\"><u>"}),
    );
    let visitor = admin(server);
    for path in [
        "/admin/items".to_owned(),
        item.page(""),
        item.page("/edit"),
        item.page("/delete"),
        item.page("/history"),
        "/admin/categories".into(),
        "/admin/items?q=%3Cscript%3Ealert(3)%3C/script%3E%22%3E".into(),
    ] {
        let shown = visitor.get(&path).expect(200);
        let source = &shown.page.source;
        assert!(
            !source.contains("<script>alert")
                && !source.contains("<img src=x")
                && !source.contains("<i>C</i>")
                && !source.contains("\"><u>"),
            "{path}"
        );
    }
    assert_eq!(visitor.get(&item.page("/edit")).page.form(&item.page("/edit")).value("name"), Some(nasty));
}

/// Two people open one item; the other one saves first.
fn meet<'a>(server: &'a Server, mine: &[(&str, &str)], theirs: serde_json::Value) -> (Visitor<'a>, Shown) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({"description": "Steel", "price": 10}));
    let visitor = admin(server);
    let mut form = visitor.get(&item.page("/edit")).expect(200).page.form(&item.page("/edit"));
    server.user().patch(&item.path(), &theirs).send().expect(200);
    for (name, value) in mine {
        form.set(name, value);
    }
    let shown = visitor.submit(&form).expect(409);
    (visitor, shown)
}

fn an_edit_that_meets_somebody_elses_shows_both_sides(server: &Server) {
    let (_, shown) =
        meet(server, &[("price", "11"), ("name", "My hammer")], json!({"price": 12, "description": "Wood"}));
    for words in ["11", "12", "My hammer", "Wood", "uma_user"] {
        shown.says(words);
    }
    let form = shown.page.form("/admin/items/1/edit");
    for field in ["price", "name", "description"] {
        let picks: Vec<_> =
            form.choices.iter().filter(|(n, _)| *n == format!("pick_{field}")).map(|(_, v)| v.as_str()).collect();
        assert_eq!(picks, ["mine", "theirs"], "{field} can be chosen");
    }
    let item = server.get("/api/v1/items/1").send().expect(200).data();
    assert_eq!(
        (item["price"].to_string().as_str(), item["name"].as_str(), item["version"].as_i64()),
        ("12", Some("Hammer"), Some(2)),
        "nothing was overwritten"
    );
}

fn the_chosen_sides_are_saved(server: &Server) {
    let (visitor, shown) =
        meet(server, &[("price", "11"), ("name", "My hammer")], json!({"price": 12, "description": "Wood"}));
    let mut form = shown.page.form("/admin/items/1/edit");
    form.set("pick_price", "theirs").set("pick_name", "mine").set("pick_description", "theirs");
    visitor.submit(&form).leads_to();
    let item = server.get("/api/v1/items/1").send().expect(200).data();
    assert_eq!(
        (
            item["price"].to_string().as_str(),
            item["name"].as_str(),
            item["description"].as_str(),
            item["version"].as_i64()
        ),
        ("12", Some("My hammer"), Some("Wood"), Some(3))
    );
    // As it stands, what each one changed alone is chosen: nobody's work is lost.
    let mut form = visitor.get("/admin/items/1/edit").page.form("/admin/items/1/edit");
    server.user().patch("/api/v1/items/1", &json!({"description": "Bronze"})).send().expect(200);
    form.set("name", "Our hammer");
    let shown = visitor.submit(&form).expect(409);
    visitor.submit(&shown.page.form("/admin/items/1/edit")).leads_to();
    let item = server.get("/api/v1/items/1").send().expect(200).data();
    assert_eq!((item["name"].as_str(), item["description"].as_str()), (Some("Our hammer"), Some("Bronze")));
}

fn a_second_conflict_is_seen_too(server: &Server) {
    let (visitor, shown) = meet(server, &[("price", "11")], json!({"price": 12}));
    let mut form = shown.page.form("/admin/items/1/edit");
    form.set("pick_price", "mine");
    server.user().patch("/api/v1/items/1", &json!({"price": 13})).send().expect(200);
    let again = visitor.submit(&form).expect(409);
    again.says("13").says("11");
    let mut form = again.page.form("/admin/items/1/edit");
    form.set("pick_price", "mine");
    visitor.submit(&form).leads_to();
    assert_eq!(server.get("/api/v1/items/1").send().expect(200).data()["price"].to_string(), "11");
}

fn an_edit_of_what_is_gone_says_so(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({}));
    let visitor = admin(server);
    let form = visitor.get(&item.page("/edit")).page.form(&item.page("/edit"));
    server.admin().delete(&item.path()).send().expect(204);
    let shown = visitor.submit(&form);
    assert_eq!(shown.answer.status, 409);
    let again = shown.page.form("/admin/items/new");
    assert_eq!(again.value("name"), Some("Hammer"), "what was typed can be saved as a new item");
    visitor.get(&item.page("/delete")).expect(404);
}

fn bulk_acts_ask_first_and_touch_the_selection_only(server: &Server) {
    let category = new_category(server, "Tools");
    for n in 1..=5 {
        new_item(server, category, &format!("Hammer {n}"), json!({}));
    }
    let visitor = admin(server);
    let active = || {
        server.db().number(&format!(
            "SELECT count(*) AS n FROM items WHERE is_active = {}",
            if server.place().kind == Kind::Sqlite { "1" } else { "true" }
        ))
    };
    let act = |action: &str, ids: &[&str]| {
        let mut form = visitor.get("/admin/items").expect(200).page.form("/admin/items/bulk");
        assert_eq!(
            form.choices.iter().filter(|(n, _)| n == "ids").count(),
            server.db().count("items") as usize,
            "a box at each row"
        );
        assert!(form.buttons.contains(&("action".into(), action.into())), "{:?}", form.buttons);
        form.set("action", action);
        for id in ids {
            form.add("ids", id);
        }
        visitor.submit(&form)
    };
    let before = server.db().count("changesets");
    let question = act("deactivate", &["2", "4"]).expect(200);
    question.says("Hammer 2").says("Hammer 4");
    assert!(!question.page.text().contains("Hammer 3"));
    assert_eq!(active(), 5, "asked first");
    let done = visitor.submit(&question.page.form("/admin/items/bulk"));
    follow(&visitor, &done).says("2");
    assert_eq!(active(), 3);
    assert_eq!(server.db().count("changesets") - before, 1, "one act, one changeset");
    let question = act("activate", &["2"]).expect(200);
    visitor.submit(&question.page.form("/admin/items/bulk")).leads_to();
    assert_eq!(active(), 4);
    let question = act("delete", &["1", "2", "3"]).expect(200);
    visitor.submit(&question.page.form("/admin/items/bulk")).leads_to();
    assert_eq!(server.db().count("items"), 2);
    let nothing = act("delete", &[]);
    assert!(matches!(nothing.answer.status, 303 | 400 | 422), "{}", nothing.answer.status);
    let gone = act("delete", &["1", "4"]);
    assert!(matches!(gone.answer.status, 200 | 404 | 409), "{}", gone.answer.status);
    let strange = act_raw(&visitor, "explode", "4");
    assert!(matches!(strange.answer.status, 400 | 422), "{}", strange.answer.status);
    assert_eq!(server.db().count("items"), 2);
}

fn act_raw<'a>(visitor: &Visitor<'a>, action: &str, id: &str) -> Shown {
    let mut form = visitor.get("/admin/items").page.form("/admin/items/bulk");
    form.set("action", action).add("ids", id).set("confirm", "yes");
    visitor.submit(&form)
}

/// The names in the list's rows.
fn listed(visitor: &Visitor, query: &str) -> Vec<String> {
    let shown = visitor.get(&format!("/admin/items?{query}")).expect(200);
    shown
        .page
        .elements("a")
        .filter(|(_, a)| {
            a.get("href").is_some_and(|h| h.strip_prefix("/admin/items/").is_some_and(|id| id.parse::<i64>().is_ok()))
        })
        .map(|(at, _)| shown.page.text_at(at))
        .collect()
}

fn the_list_searches_filters_sorts_and_pages(server: &Server) {
    let (tools, toys) = (new_category(server, "Tools"), new_category(server, "Toys"));
    for n in 1..=12 {
        let category = if n % 2 == 0 { toys } else { tools };
        new_item(
            server,
            category,
            &format!("Thing {n:02}"),
            json!({"price": 100 - n, "is_active": n != 5, "sku": format!("K-{n}")}),
        );
    }
    let visitor = admin(server);
    assert_eq!(listed(&visitor, "").len(), 12, "the admin sees inactive ones too");
    assert_eq!(listed(&visitor, "q=thing+07"), ["Thing 07"]);
    assert_eq!(listed(&visitor, "q=k-3"), ["Thing 03"]);
    assert_eq!(listed(&visitor, &format!("category_id={toys}")).len(), 6);
    assert_eq!(listed(&visitor, "is_active=false"), ["Thing 05"]);
    assert_eq!(listed(&visitor, "min_price=98&sort=price"), ["Thing 02", "Thing 01"]);
    assert_eq!(listed(&visitor, "sort=name&page_size=10&page=2"), ["Thing 11", "Thing 12"]);
    // Empty fields are what a form sends for filters that are not used.
    assert_eq!(listed(&visitor, "q=&category_id=&is_active=&min_price=&max_price=").len(), 12);
    let shown = visitor.get("/admin/items?sort=name&page_size=10&q=thing");
    let next = shown.page.links().into_iter().find(|l| l.contains("page=2")).expect("a link to the next page");
    assert!(next.contains("sort=name") && next.contains("q=thing"), "the state lives in the URL: {next}");
    assert_eq!(listed(&visitor, next.split_once('?').unwrap().1), ["Thing 11", "Thing 12"]);
    let sort = shown.page.links().into_iter().find(|l| l.contains("sort=-name")).expect("a head that turns the order");
    assert!(sort.contains("q=thing"), "{sort}");
    shown.says("12");
    visitor.get("/admin/items?q=zzzzz").expect(200);
    assert!(listed(&visitor, "q=zzzzz").is_empty());
}

fn a_list_that_is_asked_wrongly_says_so(server: &Server) {
    let visitor = admin(server);
    for query in [
        "page=0",
        "page_size=101",
        "sort=colour",
        "min_price=cheap",
        "page=x",
        "category_id=x",
        "is_active=perhaps",
        "q=%22%28",
    ] {
        let shown = visitor.get(&format!("/admin/items?{query}"));
        assert!(matches!(shown.answer.status, 200 | 400 | 422), "{query}: {}", shown.answer.status);
        assert!(shown.answer.must("content-type").starts_with("text/html"), "{query}");
        assert!(!shown.page.text().is_empty());
    }
}

fn history_shows_who_did_what_by_which_door(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({"price": 10}));
    let visitor = admin(server);
    visitor.fill_in(&item.page("/edit"), &[("price", "12.5")]).leads_to();
    let shown = visitor.get(&item.page("/history")).expect(200);
    for words in ["uma_user", "ada_admin", "API", "Admin site", "10", "12.5", "Price"] {
        shown.says(words);
    }
    let diffs = shown.page.table();
    let price = diffs
        .iter()
        .find(|r| r[0].contains("Price") && r.iter().any(|c| c.contains("12.5")))
        .expect("the row of the price");
    assert!(price[1].contains("10") && price[2].contains("12.5"), "before and after: {price:?}");
    visitor.get("/admin/items/999/history").expect(404);
}

fn categories_are_kept_the_same_way(server: &Server) {
    let visitor = admin(server);
    visitor.get("/admin/categories").expect(200);
    let made = visitor.fill_in("/admin/categories/new", &[("name", "Tools"), ("description", "To hit with")]);
    follow(&visitor, &made).says("Tools");
    let twice = visitor.fill_in("/admin/categories/new", &[("name", "TOOLS")]);
    assert!(matches!(twice.answer.status, 409 | 422), "{}", twice.answer.status);
    assert!(twice.page.error_at("name").is_some());
    assert_eq!(twice.page.form("/admin/categories/new").value("name"), Some("TOOLS"));
    assert!(visitor.fill_in("/admin/categories/new", &[("name", " ")]).expect(422).page.error_at("name").is_some());
    visitor.fill_in("/admin/categories/1/edit", &[("name", "Hand tools")]).leads_to();
    assert_eq!(server.get("/api/v1/categories/1").send().expect(200).data()["name"], "Hand tools");
    let item = new_item(server, 1, "Hammer", json!({}));
    let in_use = visitor.get("/admin/categories/1/delete").expect(200);
    in_use.says("in use").says("1");
    let mut form = visitor.get("/admin/categories/1/edit").page.form("/admin/categories/1/edit");
    form.action = "/admin/categories/1/delete".into();
    follow(&visitor, &visitor.submit(&form)).says("in use");
    server.get("/api/v1/categories/1").send().expect(200);
    server.admin().delete(&item.path()).send().expect(204);
    let question = visitor.get("/admin/categories/1/delete").expect(200);
    let done = visitor.submit(&question.page.form("/admin/categories/1/delete"));
    follow(&visitor, &done).says("Hand tools");
    visitor.get("/admin/categories/1/edit").expect(404);
}

fn a_category_that_somebody_else_changed_is_not_overwritten(server: &Server) {
    let category = new_category(server, "Tools");
    let visitor = admin(server);
    let path = format!("/admin/categories/{category}/edit");
    let mut form = visitor.get(&path).expect(200).page.form(&path);
    server
        .admin()
        .patch(&format!("/api/v1/categories/{category}"), &json!({"description": "Theirs"}))
        .send()
        .expect(200);
    form.set("name", "Mine");
    let shown = visitor.submit(&form).expect(409);
    shown.says("Theirs");
    let form = shown.page.form(&path);
    assert_eq!(form.value("name"), Some("Mine"), "what was typed stays");
    assert!(shown.page.error_at("name").is_some_and(|e| e.contains("Tools")), "and theirs stands beside it");
    let kept = server.get(&format!("/api/v1/categories/{category}")).send().expect(200).data();
    assert_eq!((kept["name"].as_str(), kept["description"].as_str()), (Some("Tools"), Some("Theirs")));
    visitor.submit(&form).leads_to();
    assert_eq!(server.get(&format!("/api/v1/categories/{category}")).send().expect(200).data()["name"], "Mine");
}

fn a_flash_is_shown_once(server: &Server) {
    let visitor = admin(server);
    let made = visitor.fill_in("/admin/categories/new", &[("name", "Tools")]);
    let first = visitor.get(&made.leads_to()).expect(200);
    let flash = |shown: &Shown| {
        shown.page.elements("div").find(|(_, a)| a.contains_key("data-flash")).map(|(at, _)| shown.page.text_at(at))
    };
    assert!(flash(&first).is_some_and(|f| f.contains("Tools")), "{:?}", flash(&first));
    assert_eq!(flash(&visitor.get("/admin/categories").expect(200)), None);
}

fn a_changed_password_ends_the_session(server: &Server) {
    let visitor = admin(server);
    visitor.get("/admin/items").expect(200);
    server.place().run_with_input(&["user", "passwd", "ada_admin", "--password-stdin"], b"Another2horse\n").expect(0);
    wait_for("the end of the session", Duration::from_millis(1_500), || {
        (visitor.get("/admin/items").answer.status == 303).then_some(())
    });
}

fn a_role_taken_away_takes_the_pages_away(server: &Server) {
    server.run(&["user", "role", "uma_user", "admin"]).expect(0);
    let visitor = Visitor::signed_in(server, Who::User);
    visitor.get("/admin/items").expect(200);
    server.run(&["user", "role", "uma_user", "user"]).expect(0);
    wait_for("the end of the role", Duration::from_millis(1_500), || {
        (visitor.get("/admin/items").answer.status != 200).then_some(())
    });
}

#[test]
fn sessions_survive_a_restart_and_end_when_idle() {
    let place = Place::furnished(Kind::Sqlite);
    let server = place.serve();
    let cookies = admin(&server).cookie_header();
    let (_, place) = server.stop();
    let server = place.serve();
    let open = || server.get("/admin/items").header("cookie", &cookies).send().status;
    assert_eq!(open(), 200, "sessions live in the database");
    // Half an hour and a minute without use.
    server.db().execute("UPDATE sessions SET seen_at = seen_at - 1860000000, expires_at = expires_at - 1860000000");
    wait_for("the end of an idle session", Duration::from_secs(2), || (open() == 303).then_some(()));
}

#[test]
fn a_session_ends_after_its_longest_life_however_busy() {
    let server = Place::furnished(Kind::Sqlite).with("SESSION_MAX_HOURS", "1").serve();
    let cookies = admin(&server).cookie_header();
    let open = || server.get("/admin/items").header("cookie", &cookies).send().status;
    assert_eq!(open(), 200);
    // It began 59 minutes ago and was last used 5 minutes ago: this use must not give it another half hour.
    server.db().execute("UPDATE sessions SET created_at = created_at - 3540000000, seen_at = seen_at - 300000000");
    assert_eq!(open(), 200);
    let life = server.db().number("SELECT max(expires_at - created_at) AS n FROM sessions");
    assert!(life <= 3_600_000_000, "{life}");
    server.db().execute("UPDATE sessions SET created_at = created_at - 120000000, expires_at = expires_at - 120000000");
    assert_eq!(open(), 303);
}

#[test]
fn a_session_in_use_does_not_end_for_being_idle() {
    let server = Place::furnished(Kind::Sqlite).serve();
    let category = new_category(&server, "Tools");
    let visitor = admin(&server);
    // Forty saves, fifty seconds apart: over half an hour, and never idle for a minute.
    for n in 0..40 {
        visitor.fill_in(&format!("/admin/categories/{category}/edit"), &[("name", &format!("Tools {n}"))]).leads_to();
        let later =
            "seen_at = seen_at - 50000000, expires_at = expires_at - 50000000, created_at = created_at - 50000000";
        server.db().execute(&format!("UPDATE sessions SET {later}"));
    }
    visitor.get("/admin/categories").expect(200);
}
