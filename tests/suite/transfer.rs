//! Items by the file, over HTTP: the export of a list and the import of CSV.

use crate::support::{
    Answer, Kind, Place, Server, Who,
    data::{diamonds, new_category, new_item, rows, some_diamonds},
    on_both, on_each_database, wait_for,
    wire::Wire,
};
use serde_json::{Value, json};
use std::time::Duration;

on_both! {
    an_export_is_what_the_list_shows_in_its_order,
    an_export_shows_each_what_they_may_see,
    a_cell_that_a_spreadsheet_would_run_is_made_safe_and_comes_back_as_it_was,
    an_export_has_a_head_and_refuses_what_it_does_not_know,
    a_file_is_imported_as_the_body_or_from_a_form,
    an_import_tells_each_bad_line_and_keeps_the_good_ones,
    a_dry_run_writes_nothing,
    an_upsert_changes_only_what_the_caller_may_edit,
    only_an_admins_import_makes_categories,
    what_the_server_sets_is_refused_where_it_would_change,
    what_is_no_such_file_is_refused_before_anything_is_written,
    an_import_is_one_changeset_and_is_undone,
    a_body_that_breaks_off_imports_nothing,
    imports_at_once_share_the_codes,
    of_many_mistakes_a_thousand_are_told_and_all_are_counted,
}

on_each_database! {
    the_diamonds_go_in_and_out_over_http,
    a_client_that_reads_slowly_or_goes_away_holds_nothing,
}

const EXPORT: &str = "/api/v1/items/export";
const IMPORT: &str = "/api/v1/items/import";
const HEAD: &str = "sku,name,description,price,currency,tax_rate,category,is_active\n";

fn import(server: &Server, who: Who, query: &str, csv: impl Into<Vec<u8>>) -> Answer {
    server.as_who(who).call("POST", &format!("{IMPORT}{query}")).body("text/csv", csv).patient().send()
}

/// (created, updated, failed)
fn counts(data: &Value) -> (i64, i64, i64) {
    let count = |name: &str| data[name].as_i64().unwrap();
    (count("created"), count("updated"), count("failed"))
}

/// line, field
fn mistakes(data: &Value) -> Vec<(i64, String)> {
    let errors = data["errors"].as_array().unwrap();
    for error in errors {
        assert!(error["message"].as_str().is_some_and(|m| !m.is_empty()), "{error}");
    }
    errors.iter().map(|e| (e["line"].as_i64().unwrap(), e["field"].as_str().unwrap().to_owned())).collect()
}

fn an_export_is_what_the_list_shows_in_its_order(server: &Server) {
    let (tools, toys) = (new_category(server, "Tools"), new_category(server, "Toys, soft"));
    new_item(server, tools, "Saw", json!({"sku": "S-1", "price": 12.5, "tax_rate": 0.2, "currency": "EUR"}));
    new_item(server, toys, "Bear \"Ben\"", json!({"price": 20, "description": "two\nlines"}));
    new_item(server, tools, "Hammer", json!({"sku": "H-1", "price": 5}));
    let csv = |query: &str| server.get(&format!("{EXPORT}{query}")).send().expect(200);
    let all = csv("");
    assert_eq!(all.must("content-type"), "text/csv; charset=utf-8; header=present");
    let disposition = all.must("content-disposition");
    assert!(
        disposition.starts_with("attachment; filename=\"items-20") && disposition.ends_with(".csv\""),
        "{disposition}"
    );
    assert_eq!(all.must("cache-control"), "no-store");
    assert_eq!(
        all.text(),
        format!(
            "{HEAD}S-1,Saw,,12.5,EUR,0.2,Tools,true\n,\"Bear \"\"Ben\"\"\",\"two\nlines\",20,USD,0,\"Toys, soft\",true\nH-1,Hammer,,5,USD,0,Tools,true\n"
        )
    );
    let skus = |query: &str| -> Vec<String> {
        let text = csv(query).text();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        reader.records().map(|row| row.unwrap()[1].to_owned()).collect()
    };
    assert_eq!(skus("?sort=price"), ["Hammer", "Saw", "Bear \"Ben\""]);
    assert_eq!(skus(&format!("?category_id={tools}&sort=-name")), ["Saw", "Hammer"]);
    assert_eq!(skus("?q=ham"), ["Hammer"]);
    assert_eq!(skus("?min_price=12&max_price=15"), ["Saw"]);
    assert_eq!(skus("?q=---"), [""; 0]);
    let lines = csv("?format=jsonl&sort=-price");
    assert_eq!(lines.must("content-type"), "application/jsonl");
    let rows: Vec<Value> = lines.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows, server.get("/api/v1/items?sort=-price").send().expect(200).rows(), "as the API shows them");
}

fn an_export_shows_each_what_they_may_see(server: &Server) {
    let category = new_category(server, "Tools");
    new_item(server, category, "Seen", json!({}));
    new_item(server, category, "Hidden", json!({"is_active": false}));
    let lines = |who: Option<Who>| {
        let call = server.get(EXPORT);
        let call = if let Some(who) = who { call.bearer(&server.token(who)) } else { call };
        call.send().expect(200).text().lines().count() - 1
    };
    assert_eq!(
        [None, Some(Who::Guest), Some(Who::Other), Some(Who::User), Some(Who::Admin)].map(lines),
        [1, 1, 1, 2, 2]
    );
}

fn a_cell_that_a_spreadsheet_would_run_is_made_safe_and_comes_back_as_it_was(server: &Server) {
    let category = new_category(server, "=Tools");
    new_item(server, category, "=1+1", json!({"sku": "@A", "description": "'quoted"}));
    let before = server.get("/api/v1/items").send().expect(200).rows();
    let text = server.get(EXPORT).send().expect(200).text();
    assert_eq!(text, format!("{HEAD}'@A,'=1+1,''quoted,10,USD,0,'=Tools,true\n"));
    server.admin().delete(&format!("/api/v1/items/{}", before[0]["id"])).send().expect(204);
    assert_eq!(counts(&import(server, Who::Admin, "", text).expect(200).data()), (1, 0, 0));
    let after = server.get("/api/v1/items").send().expect(200).rows();
    for field in ["sku", "name", "description", "price", "category_id"] {
        assert_eq!(before[0][field], after[0][field]);
    }
}

fn an_export_has_a_head_and_refuses_what_it_does_not_know(server: &Server) {
    let head = server.call("HEAD", EXPORT).send().expect(200);
    assert_eq!(head.must("content-type"), "text/csv; charset=utf-8; header=present");
    assert!(head.must("content-disposition").contains(".csv"));
    assert_eq!(head.body, b"");
    assert_eq!(server.get(EXPORT).send().expect(200).text(), HEAD, "of nothing, the names of the columns");
    assert_eq!(server.get(&format!("{EXPORT}?format=jsonl")).send().expect(200).text(), "");
    server.get(&format!("{EXPORT}?format=xlsx")).send().refused_at(&["format"]);
    server.get(&format!("{EXPORT}?sort=colour")).send().refused_at(&["sort"]);
    server.get(&format!("{EXPORT}?min_price=cheap")).send().refused_at(&["min_price"]);
    server.get(&format!("{EXPORT}?q=a&q=b")).send().problem(400);
    server.post(EXPORT).send().problem(405);
}

fn a_file_is_imported_as_the_body_or_from_a_form(server: &Server) {
    new_category(server, "Tools");
    let body = format!("\u{feff}{}A-1,\"Saw, big\",,1.5,EUR,0.1,tools,\r\n", HEAD.replace('\n', "\r\n"));
    let answer = import(server, Who::User, "", body).expect(200).json();
    assert_eq!(answer["message"], "1 created, 0 updated, 0 failed");
    assert_eq!(answer["data"]["errors"], json!([]));
    let item = server.get("/api/v1/items").send().expect(200).rows().remove(0);
    assert_eq!(
        (&item["name"], &item["owner_id"], &item["is_active"]),
        (&json!("Saw, big"), &json!(Who::User.id()), &json!(true))
    );
    let form = |parts: &str| {
        let body = format!("{}--b--\r\n", parts.replace("PART", "--b\r\ncontent-disposition: form-data; name="));
        server.user().call("POST", IMPORT).body("multipart/form-data; boundary=b", body).send()
    };
    let file = "PART\"file\"; filename=\"mine/tools.csv\"\r\ncontent-type: text/csv\r\n\r\nname,price,category\nHammer,2,Tools\n\r\n";
    let answer = form(&format!("PART\"note\"\r\n\r\nnothing\r\n{file}")).expect(200).data();
    assert_eq!(counts(&answer), (1, 0, 0));
    let changeset = server.admin().get(&format!("/api/v1/audit/{}", answer["changeset_id"])).send().expect(200).data();
    assert_eq!(changeset["summary"], "Import of tools.csv: 1 item");
    form("PART\"note\"\r\n\r\nnothing\r\n").refused_at(&["file"]);
    form(&format!("{file}{file}")).refused_at(&["file"]);
    server.user().call("POST", IMPORT).body("multipart/form-data", "x").send().problem(400);
    server.user().call("POST", IMPORT).body("application/json", "[]").send().problem(415);
    server.user().call("POST", IMPORT).body("text/csv", "").header("content-encoding", "gzip").send().problem(415);
    assert_eq!(server.db().count("items"), 2);
}

fn an_import_tells_each_bad_line_and_keeps_the_good_ones(server: &Server) {
    new_category(server, "Tools");
    let csv = "sku,name,price,category\nA,One,1,Tools\nA,Again,1,Tools\nB,,x,Tools\nC,\"two\nlines\",2,Tools\nD,Too few\nE,Three,3,Tools\n";
    let data = import(server, Who::User, "", csv).expect(200).data();
    assert_eq!(counts(&data), (2, 0, 4));
    assert_eq!(
        mistakes(&data),
        [(3, "sku".into()), (4, "price".into()), (4, "name".into()), (5, "name".into()), (7, "".into())]
    );
    assert_eq!(data["errors"][0]["message"], "is that of line 2 too");
    let mut bytes = b"name,price,category\nGood,1,Tools\n\xff\xfe,1,Tools\n".to_vec();
    let data = import(server, Who::User, "", bytes.clone()).expect(200).data();
    assert_eq!((counts(&data), mistakes(&data)), ((1, 0, 1), vec![(3, String::new())]));
    assert_eq!(data["errors"][0]["message"], "is not UTF-8");
    bytes[0] = 0xff;
    import(server, Who::User, "", bytes).refused_at(&["file"]);
    assert_eq!(server.db().texts("SELECT name AS s FROM items ORDER BY id"), ["One", "Three", "Good"]);
}

fn a_dry_run_writes_nothing(server: &Server) {
    let category = new_category(server, "Tools");
    new_item(server, category, "Old", json!({"sku": "OLD"}));
    let csv = "sku,name,price,category\nOLD,Old,1,Tools\nNEW,New,1,Brand new\nBAD,Bad,-1,Tools\n";
    let before = server.db().count("changesets");
    let answer = import(server, Who::Admin, "?mode=upsert&dry_run=true", csv).expect(200).json();
    assert_eq!((counts(&answer["data"]), &answer["data"]["dry_run"]), ((1, 1, 1), &json!(true)));
    assert_eq!(answer["data"]["changeset_id"], Value::Null);
    assert_eq!(answer["message"], "1 created, 1 updated, 1 failed (dry run: nothing was written)");
    assert_eq!((server.db().count("items"), server.db().count("categories")), (1, 1));
    assert_eq!(server.db().count("changesets"), before);
    import(server, Who::Admin, "?mode=replace&dry_run=perhaps", csv).refused_at(&["mode", "dry_run"]);
}

fn an_upsert_changes_only_what_the_caller_may_edit(server: &Server) {
    let category = new_category(server, "Tools");
    let mine = new_item(server, category, "Mine", json!({"sku": "MINE", "description": "stays"}));
    let csv = "sku,name,price,category\nMINE,Still mine,3,Tools\nNEW,New,1,Tools\n";
    let data = import(server, Who::Other, "?mode=upsert", csv).expect(200).data();
    assert_eq!((counts(&data), mistakes(&data)), ((1, 0, 1), vec![(2, "sku".into())]));
    assert_eq!(data["errors"][0]["message"], "is that of an item that you may not edit");
    let data = import(server, Who::User, "", csv).expect(200).data();
    assert_eq!((counts(&data), mistakes(&data)), ((0, 0, 2), vec![(2, "sku".into()), (3, "sku".into())]));
    let data = import(server, Who::User, "?mode=upsert", csv).expect(200).data();
    assert_eq!((counts(&data), mistakes(&data)), ((0, 1, 1), vec![(3, "sku".into())]));
    let after = server.get(&mine.path()).send().expect(200).data();
    assert_eq!(
        (&after["name"], &after["description"], &after["version"]),
        (&json!("Still mine"), &json!("stays"), &json!(2))
    );
    assert_eq!(counts(&import(server, Who::Admin, "?mode=upsert", csv).expect(200).data()), (0, 2, 0));
    assert_eq!(server.get(&mine.path()).send().expect(200).data()["owner_id"], Who::User.id());
    import(server, Who::Guest, "", csv).problem(403);
    server.post(IMPORT).body("text/csv", csv).send().problem(401);
}

fn only_an_admins_import_makes_categories(server: &Server) {
    let csv = "name,price,category\nSaw,1,Tools\nHammer,1,TOOLS\n";
    let data = import(server, Who::User, "", csv).expect(200).data();
    assert_eq!((counts(&data), mistakes(&data)), ((0, 0, 2), vec![(2, "category".into()), (3, "category".into())]));
    assert_eq!(server.db().count("categories"), 0);
    assert_eq!(counts(&import(server, Who::Admin, "", csv).expect(200).data()), (2, 0, 0));
    assert_eq!(server.db().texts("SELECT name AS s FROM categories"), ["Tools"]);
    assert_eq!(counts(&import(server, Who::User, "", csv).expect(200).data()), (2, 0, 0));
}

fn what_the_server_sets_is_refused_where_it_would_change(server: &Server) {
    let category = new_category(server, "Tools");
    let old = new_item(server, category, "Old", json!({"sku": "OLD"}));
    let (own, other) = (Who::User.id(), Who::Other.id());
    let csv = format!(
        "id,owner_id,sku,name,price,category,colour\n{},{own},OLD,Older,1,Tools,red\n,{own},B,B,1,Tools,\n,{other},C,C,1,Tools,\n7,,D,D,1,Tools,\n,,E,E,1,Tools,\n",
        old.id
    );
    let data = import(server, Who::User, "?mode=upsert", csv).expect(200).data();
    assert_eq!((counts(&data), mistakes(&data)), ((2, 1, 2), vec![(4, "owner_id".into()), (5, "id".into())]));
}

fn what_is_no_such_file_is_refused_before_anything_is_written(server: &Server) {
    new_category(server, "Tools");
    let refused = |csv: &str| {
        let problem = import(server, Who::Admin, "", csv).refused_at(&["file"]);
        problem["errors"][0]["message"].as_str().unwrap().to_owned()
    };
    assert_eq!(refused("name,price\nA,1\n"), "lacks the columns category (it has name, price)");
    assert_eq!(refused(""), "is empty: its first line must name the columns");
    assert_eq!(refused("name,price,category,Name\nA,1,Tools,B\n"), "has the column name twice");
    assert_eq!(counts(&import(server, Who::Admin, "", "name,price,category\n").expect(200).data()), (0, 0, 0));
    let head = format!(
        "POST {IMPORT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: text/csv\r\ncontent-length: 268435457\r\nconnection: close\r\n\r\n",
        server.token(Who::User)
    );
    let answer = server.raw(head.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert_eq!(server.db().count("items"), 0);
}

fn an_import_is_one_changeset_and_is_undone(server: &Server) {
    let category = new_category(server, "Tools");
    let old = new_item(server, category, "Old", json!({"sku": "D-00001"}));
    let before = server.db().count("changesets");
    let data = import(server, Who::Admin, "?mode=upsert", some_diamonds(2_500)).expect(200).data();
    assert_eq!(counts(&data), (2_499, 1, 0));
    assert_eq!(server.db().count("changesets"), before + 1);
    let id = data["changeset_id"].as_i64().unwrap();
    server.admin().post(&format!("/api/v1/audit/{id}/revert"), &json!({})).patient().send().expect(200);
    assert_eq!(server.db().count("items"), 1);
    assert_eq!(server.db().texts("SELECT name AS s FROM categories"), ["Tools"]);
    assert_eq!(server.get(&old.path()).send().expect(200).data()["name"], "Old");
}

fn a_body_that_breaks_off_imports_nothing(server: &Server) {
    new_category(server, "Tools");
    let rows: String = (0..3_000).map(|n| format!("Item {n},1,Tools\n")).collect();
    let head = format!(
        "POST {IMPORT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: text/csv\r\ntransfer-encoding: chunked\r\n\r\n",
        server.token(Who::Admin)
    );
    let mut wire = Wire::open(server.port);
    let text = format!("name,price,category\n{rows}");
    wire.send(format!("{head}{:x}\r\n{text}\r\n", text.len()).as_bytes());
    drop(wire);
    // One that comes after it is whole.
    let data = import(server, Who::Admin, "", "name,price,category\nAfter,1,Tools\n").expect(200).data();
    assert_eq!(counts(&data), (1, 0, 0));
    assert_eq!(server.db().texts("SELECT name AS s FROM items"), ["After"]);
    let mut wire = Wire::open(server.port);
    wire.send(
        format!("{head}{:x}\r\n{text}\r\n0\r\n\r\nGET /health/live HTTP/1.1\r\nhost: x\r\n\r\n", text.len()).as_bytes(),
    );
    let answers = wire.answers(2);
    assert_eq!((answers[0].status, answers[1].status), (200, 200), "a connection goes on after a whole body");
    assert_eq!(server.db().count("items"), 3_001);
}

fn imports_at_once_share_the_codes(server: &Server) {
    new_category(server, "Tools");
    let done: Vec<Value> = std::thread::scope(|scope| {
        let imports: Vec<_> = (0..4)
            .map(|n| {
                let mut lines: Vec<String> = (0..1_500).map(|i| format!("S-{i},Item {i},1,New {}\n", i % 3)).collect();
                if n % 2 == 1 {
                    lines.reverse();
                }
                let csv = format!("sku,name,price,category\n{}", lines.concat());
                scope.spawn(move || import(server, Who::Admin, "", csv).expect(200).data())
            })
            .collect();
        imports.into_iter().map(|import| import.join().unwrap()).collect()
    });
    let all = done.iter().map(counts).fold((0, 0, 0), |a, b| (a.0 + b.0, a.1 + b.1, a.2 + b.2));
    assert_eq!(all, (1_500, 0, 4_500));
    assert_eq!((server.db().count("items"), server.db().count("categories")), (1_500, 4));
}

fn of_many_mistakes_a_thousand_are_told_and_all_are_counted(server: &Server) {
    let csv: String = "name,price,category\n".chars().chain("A,0,Tools\n".repeat(2_100).chars()).collect();
    let data = import(server, Who::Admin, "", csv).expect(200).data();
    assert_eq!(counts(&data), (0, 0, 2_100));
    let told = mistakes(&data);
    assert_eq!((told.len(), told[999].0), (1_000, 1_001));
}

fn the_diamonds_go_in_and_out_over_http(kind: Kind) {
    let server = Place::furnished(kind).serve();
    let file = std::fs::read(diamonds()).unwrap();
    let data = import(&server, Who::Admin, "", file).expect(200).data();
    assert_eq!(counts(&data), (rows().len() as i64, 0, 0));
    let export = |query: &str| server.get(&format!("{EXPORT}{query}")).patient().send().expect(200);
    let text = export("?sort=sku").text();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let out: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(out.len(), rows().len());
    let mut wanted = rows().to_vec();
    wanted.sort_by(|a, b| a.sku.cmp(&b.sku));
    for (row, wanted) in out.iter().zip(wanted) {
        assert_eq!(
            (&row[0], &row[1], &row[2], &row[6]),
            (&*wanted.sku, &*wanted.name, &*wanted.description, &*wanted.category)
        );
    }
    // What was exported says the same when it is imported again.
    let data = import(&server, Who::Admin, "?mode=upsert&dry_run=true", export("?q=ideal").text()).expect(200).data();
    let ideal = rows().iter().filter(|row| row.name.to_lowercase().contains("ideal")).count();
    assert_eq!(counts(&data), (0, ideal as i64, 0));
}

fn a_client_that_reads_slowly_or_goes_away_holds_nothing(kind: Kind) {
    let place = Place::furnished(kind).with("DATABASE_POOL_SIZE", "2");
    place.run(&["import", place.write("d.csv", some_diamonds(20_000)).to_str().unwrap()]).expect(0);
    let server = place.serve();
    // Six that take nothing: more than may read at once, and far more than the pool has.
    let request = format!("GET {EXPORT}?format=jsonl HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    let mut slow: Vec<Wire> = (0..6).map(|_| Wire::open(server.port)).collect();
    for wire in &mut slow {
        wire.send(request.as_bytes());
    }
    // The reading ends although nobody takes what was read.
    let threads = || {
        let path = format!("/proc/{}/task", server.pid());
        let names = std::fs::read_dir(path)
            .unwrap()
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names.filter(|name| name.trim() == "aside").count()
    };
    wait_for("the exports to be read", Duration::from_secs(60), || (threads() == 0).then_some(()));
    new_category(&server, "Written meanwhile");
    assert_eq!(server.get(EXPORT).patient().send().expect(200).text().lines().count(), 20_001);
    // Half of them go away; the others get all of it.
    slow.truncate(3);
    for wire in slow {
        let answers = wire.until_closed();
        assert_eq!((answers.len(), answers[0].status), (1, 200));
        assert_eq!(answers[0].text().lines().count(), 20_000);
    }
    assert_eq!(
        std::fs::read_dir(server.place().path("data"))
            .unwrap()
            .filter(|f| { f.as_ref().unwrap().file_name().to_string_lossy().starts_with(".stockroom-") })
            .count(),
        0,
        "nothing is left behind"
    );
}
