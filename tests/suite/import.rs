//! `import` and `export`: good lines kept, bad ones reported, nothing half-done.

use crate::support::{
    Kind, Place, Ran,
    data::{self, some_diamonds},
    on_each_database,
};
use std::time::Instant;

on_each_database! {
    a_file_becomes_items_and_missing_categories_are_made,
    a_bad_line_is_reported_and_the_good_ones_are_kept,
    every_kind_of_bad_line_names_its_line_field_and_reason,
    a_byte_order_mark_crlf_and_quotes_are_read,
    lines_are_counted_as_an_editor_counts_them,
    missing_columns_are_named_before_the_first_row,
    an_empty_file_is_refused_and_a_head_alone_is_not,
    a_dry_run_says_all_and_writes_nothing,
    upsert_changes_by_sku_what_has_changed,
    create_mode_reports_what_is_there_already,
    the_owner_is_the_first_admin_or_who_is_named,
    columns_may_stand_in_any_order,
    what_is_exported_is_imported_as_it_was,
    the_diamonds_go_in_and_out,
    export_writes_json_lines,
}

const HEAD: &str = "sku,name,description,price,currency,category,is_active\n";

fn import(place: &Place, content: impl AsRef<[u8]>, more: &[&str]) -> Ran {
    let file = place.write("in.csv", content);
    let mut args = vec!["import", file.to_str().unwrap()];
    args.extend(more);
    place.run(&args)
}

fn count(place: &Place, table: &str) -> i64 {
    place.db().count(table)
}

/// `line N`, the field and something more, on one line.
#[track_caller]
fn reports(ran: &Ran, line: usize, field: &str) {
    let all = ran.all();
    let found = all.lines().any(|l| {
        let lower = l.to_lowercase();
        lower
            .split(|c: char| !c.is_alphanumeric())
            .collect::<Vec<_>>()
            .windows(2)
            .any(|w| w[0] == "line" && w[1] == line.to_string())
            && lower.contains(field)
    });
    assert!(found, "no report of line {line}, {field} in:\n{all}");
}

fn a_file_becomes_items_and_missing_categories_are_made(kind: Kind) {
    let place = Place::furnished(kind);
    let ran = import(&place, some_diamonds(20), &[]).expect(0);
    assert!(ran.all().contains("20"), "{}", ran.all());
    assert_eq!(count(&place, "items"), 20);
    let categories = place.db().texts("SELECT name AS s FROM categories ORDER BY name");
    let mut wanted: Vec<String> = data::rows()[..20].iter().map(|r| r.category.clone()).collect();
    wanted.sort();
    wanted.dedup();
    assert_eq!(categories, wanted);
    let server = place.serve();
    let first = &data::rows()[0];
    let item = server.get("/api/v1/items?sort=sku&page_size=1").send().expect(200).rows().remove(0);
    assert_eq!(
        (item["sku"].as_str(), item["name"].as_str(), item["price"].to_string()),
        (Some(first.sku.as_str()), Some(first.name.as_str()), first.price.clone())
    );
}

fn a_bad_line_is_reported_and_the_good_ones_are_kept(kind: Kind) {
    let place = Place::furnished(kind);
    let content = format!("{HEAD}A-1,One,,1,USD,Tools,true\nA-2,,,cheap,USD,Tools,true\nA-3,Three,,3,USD,Tools,true\n");
    let ran = import(&place, content, &[]).expect(1);
    reports(&ran, 3, "name");
    reports(&ran, 3, "price");
    assert_eq!(place.db().texts("SELECT sku AS s FROM items ORDER BY id"), ["A-1", "A-3"]);
}

fn every_kind_of_bad_line_names_its_line_field_and_reason(kind: Kind) {
    let place = Place::furnished(kind);
    let long = "x".repeat(101);
    let lines = [
        ("A-1,Fine,,1,USD,Tools,true".to_owned(), ""),
        (format!("A-2,{long},,1,USD,Tools,true"), "name"),
        ("A-3,Zero,,0,USD,Tools,true".into(), "price"),
        ("A-4,Five decimals,,1.00001,USD,Tools,true".into(), "price"),
        ("A-5,No price,,,USD,Tools,true".into(), "price"),
        ("A-6,Money,,1,XYZ,Tools,true".into(), "currency"),
        ("A-7,Active?,,1,USD,Tools,perhaps".into(), "is_active"),
        ("A-8,No category,,1,USD,,true".into(), "category"),
        ("A-1,SKU twice,,1,USD,Tools,true".into(), "sku"),
        (format!("{},Long SKU,,1,USD,Tools,true", "S".repeat(65)), "sku"),
        ("A-9,Too few columns,,1".into(), ""),
        ("A-10,Too many,,1,USD,Tools,true,more,and more".into(), ""),
        ("A-11,Bell\u{7},,1,USD,Tools,true".into(), "name"),
        ("A-12,Huge,,1e400,USD,Tools,true".into(), "price"),
        ("A-13,Fine too,,2,USD,Tools,false".into(), ""),
    ];
    let content: String = std::iter::once(HEAD.to_owned()).chain(lines.iter().map(|(l, _)| format!("{l}\n"))).collect();
    let ran = import(&place, content, &[]).expect(1);
    for (at, (line, field)) in lines.iter().enumerate() {
        if !line.contains("Fine") {
            reports(&ran, at + 2, field);
        }
    }
    assert_eq!(place.db().texts("SELECT name AS s FROM items ORDER BY id"), ["Fine", "Fine too"]);
    assert_eq!(count(&place, "categories"), 1);
}

fn a_byte_order_mark_crlf_and_quotes_are_read(kind: Kind) {
    let place = Place::furnished(kind);
    let content = "\u{feff}sku,name,description,price,currency,category,is_active\r\nA-1,\"Hammer, \"\"big\"\"\",\"two\r\nlines\",19.99,EUR,\"Tools, heavy\",TRUE\r\nA-2,Säge,,\"1\",USD,Tools,0\r\n";
    import(&place, content, &[]).expect(0);
    let server = place.serve();
    let rows = server.admin().get("/api/v1/items?sort=sku").send().expect(200).rows();
    assert_eq!(rows[0]["name"], "Hammer, \"big\"");
    assert_eq!(rows[0]["price"].to_string(), "19.99");
    assert!(rows[0]["description"].as_str().unwrap().starts_with("two"), "{}", rows[0]);
    assert_eq!((rows[1]["name"].as_str(), rows[1]["is_active"].as_bool()), (Some("Säge"), Some(false)));
    assert_eq!(rows[1]["description"], serde_json::Value::Null);
    let categories = server.db().texts("SELECT name AS s FROM categories ORDER BY id");
    assert_eq!(categories, ["Tools, heavy", "Tools"]);
}

fn lines_are_counted_as_an_editor_counts_them(kind: Kind) {
    let lines = [
        "name,price,category,description",
        "ok,1,C,",
        "bad,0,C,",
        "long,1,C,\"one",
        "two\"",
        "bad,0,C,",
        "",
        "",
        "bad,0,C,",
    ];
    for end in ["\n", "\r\n"] {
        for last in ["", end] {
            let place = Place::furnished(kind);
            let ran = import(&place, lines.join(end) + last, &[]).expect(1);
            let told: Vec<&str> = ran.stderr.lines().filter(|l| l.starts_with("line ")).collect();
            assert_eq!(told.len(), 3, "{}", ran.stderr);
            for (line, number) in told.iter().zip([3, 6, 9]) {
                assert!(line.starts_with(&format!("line {number}:")), "{line} is line {number}, ending in {end:?}");
            }
            assert_eq!(count(&place, "items"), 2);
        }
    }
}

fn missing_columns_are_named_before_the_first_row(kind: Kind) {
    let place = Place::furnished(kind);
    let ran = import(&place, "sku,title,description\nA-1,One,x\n", &[]).expect(1);
    for column in ["name", "price", "category"] {
        assert!(ran.stderr.contains(column), "{column}: {}", ran.stderr);
    }
    let twice = import(&place, "name,name,price,category\na,b,1,Tools\n", &[]).expect(1);
    assert!(twice.stderr.contains("name"), "{}", twice.stderr);
    assert_eq!((count(&place, "items"), count(&place, "categories")), (0, 0));
}

fn an_empty_file_is_refused_and_a_head_alone_is_not(kind: Kind) {
    let place = Place::furnished(kind);
    let ran = import(&place, "", &[]).expect(1);
    assert!(ran.stderr.to_lowercase().contains("empty"), "{}", ran.stderr);
    import(&place, "\u{feff}", &[]).expect(1);
    import(&place, HEAD, &[]).expect(0);
    let missing = place.run(&["import", "no-such-file.csv"]).expect(1);
    assert!(missing.stderr.contains("no-such-file.csv"), "{}", missing.stderr);
    let not_text = import(&place, [0xff, 0xfe, 0x00, 0x41, 0x0a], &[]);
    assert_eq!(not_text.code, 1, "{}", not_text.all());
    assert_eq!(count(&place, "items"), 0);
}

fn a_dry_run_says_all_and_writes_nothing(kind: Kind) {
    let place = Place::furnished(kind);
    let content = format!(
        "{HEAD}A-1,One,,1,USD,Tools,true\nA-2,Two,,bad,USD,Tools,true\nA-3,Three,,1,USD,Toys,true\nA-1,Again,,1,USD,Toys,true\n"
    );
    let before = count(&place, "changesets");
    let ran = import(&place, &content, &["--dry-run"]).expect(1);
    reports(&ran, 3, "price");
    reports(&ran, 5, "sku");
    assert_eq!((count(&place, "items"), count(&place, "categories"), count(&place, "changesets")), (0, 0, before));
    import(&place, some_diamonds(10), &["--dry-run"]).expect(0);
    assert_eq!((count(&place, "items"), count(&place, "categories"), count(&place, "changesets")), (0, 0, before));
    // What a dry run found is what the real one finds.
    let real = import(&place, &content, &[]).expect(1);
    reports(&real, 3, "price");
    reports(&real, 5, "sku");
    assert_eq!(count(&place, "items"), 2);
}

fn upsert_changes_by_sku_what_has_changed(kind: Kind) {
    let place = Place::furnished(kind);
    import(
        &place,
        format!("{HEAD}A-1,One,first,1,USD,Tools,true\nA-2,Two,,2,USD,Tools,true\n,No SKU,,3,USD,Tools,true\n"),
        &[],
    )
    .expect(0);
    let next =
        format!("{HEAD}A-1,One,first,1.5,USD,Toys,true\nA-2,Two,,2,USD,Tools,true\nA-4,Four,,4,USD,Tools,true\n");
    import(&place, &next, &["--mode", "upsert"]).expect(0);
    let rows =
        place.db().texts("SELECT coalesce(sku, '-') || ' ' || price || ' ' || version AS s FROM items ORDER BY id");
    assert_eq!(rows[0], "A-1 15000 2");
    assert!(rows[1].starts_with("A-2 20000 "), "{rows:?}");
    assert_eq!(&rows[2..], ["- 30000 1", "A-4 40000 1"]);
    let server = place.serve();
    assert_eq!(server.get("/api/v1/items?q=one&sort=id").send().expect(200).json()["total"], 1);
    let counts: Vec<_> = server
        .get("/api/v1/categories?sort=name")
        .send()
        .expect(200)
        .rows()
        .iter()
        .map(|c| c["item_count"].as_i64().unwrap())
        .collect();
    assert_eq!(counts, [3, 1], "Tools and Toys");
}

fn create_mode_reports_what_is_there_already(kind: Kind) {
    let place = Place::furnished(kind);
    import(&place, some_diamonds(5), &[]).expect(0);
    let ran = import(&place, some_diamonds(6), &[]).expect(1);
    for line in 2..=6 {
        reports(&ran, line, "sku");
    }
    assert_eq!(count(&place, "items"), 6);
    assert_eq!(place.run(&["import", "in.csv", "--mode", "replace"]).code, 2);
}

fn the_owner_is_the_first_admin_or_who_is_named(kind: Kind) {
    let place = Place::furnished(kind);
    import(&place, some_diamonds(1), &[]).expect(0);
    import(&place, format!("{HEAD}A-1,One,,1,USD,Tools,true\n"), &["--owner", "uma_user"]).expect(0);
    import(&place, format!("{HEAD}A-2,Two,,1,USD,Tools,true\n"), &["--owner", "OTTO_other@example.com"]).expect(0);
    assert_eq!(place.db().texts("SELECT CAST(owner_id AS TEXT) AS s FROM items ORDER BY id"), ["1", "2", "3"]);
    let ran = import(&place, some_diamonds(3), &["--owner", "nobody_here"]).expect(1);
    assert!(ran.stderr.contains("nobody_here"), "{}", ran.stderr);
    let lonely = Place::empty(kind);
    let ran = import(&lonely, some_diamonds(3), &[]).expect(1);
    assert!(ran.stderr.contains("admin"), "nobody to own them: {}", ran.stderr);
    assert_eq!(count(&lonely, "items"), 0);
}

fn columns_may_stand_in_any_order(kind: Kind) {
    let place = Place::furnished(kind);
    import(&place, "category,price,unknown,name\nTools,1.5,x,Hammer\n", &[]).expect(0);
    let server = place.serve();
    let item = server.get("/api/v1/items/1").send().expect(200).data();
    assert_eq!(
        (item["name"].as_str(), item["currency"].as_str(), item["is_active"].as_bool(), item["sku"].is_null()),
        (Some("Hammer"), Some("USD"), Some(true), true)
    );
}

/// What the export is compared by: everything but ids, owners and times.
fn content(place: &Place) -> Vec<String> {
    place.db().texts(
        "SELECT coalesce(i.sku, '-') || '|' || i.name || '|' || coalesce(i.description, '-') || '|' || i.price || '|' || i.currency || '|' || i.is_active || '|' || c.name AS s
         FROM items i JOIN categories c ON c.id = i.category_id ORDER BY i.id",
    )
}

fn what_is_exported_is_imported_as_it_was(kind: Kind) {
    let place = Place::furnished(kind);
    let nasty = format!(
        "{HEAD}A-1,\"Comma, quote \"\" and 'more'\",\"two\nlines\tand a tab\",0.0001,EUR,\"Tools, heavy\",false\nA-2,Ünïcödé 🔨,,999999999.9999,JPY,Tools,true\n,No SKU,\"; <b>\",1,USD,Tools,true\n"
    );
    import(&place, nasty, &[]).expect(0);
    let file = place.path("out.csv");
    place.run(&["export", "-o", file.to_str().unwrap()]).expect(0);
    let printed = place.run(&["export", "--format", "csv"]).expect(0).stdout;
    assert_eq!(printed, std::fs::read_to_string(&file).unwrap(), "a file and stdout get the same");
    let other = Place::furnished(kind);
    import(&other, std::fs::read(&file).unwrap(), &[]).expect(0);
    assert_eq!(content(&other), content(&place));
}

fn the_diamonds_go_in_and_out(kind: Kind) {
    let place = Place::furnished(kind);
    let diamonds = data::diamonds();
    let start = Instant::now();
    place.run(&["import", diamonds.to_str().unwrap()]).expect(0);
    let took = start.elapsed();
    let rows = data::rows();
    assert_eq!(count(&place, "items"), rows.len() as i64);
    // A debug build on a busy machine; the release build's figure is the bench's.
    assert!(took.as_secs() < 120, "{took:?}");
    let out = place.path("out.csv");
    place.run(&["export", "-o", out.to_str().unwrap()]).expect(0);
    let mut reader = csv::Reader::from_path(&out).unwrap();
    let head = reader.headers().unwrap().clone();
    let at = |name: &str| head.iter().position(|h| h == name).unwrap_or_else(|| panic!("no column {name} in {head:?}"));
    let (sku, name, price, category) = (at("sku"), at("name"), at("price"), at("category"));
    let mut exported = 0;
    for (record, row) in reader.records().zip(rows) {
        let record = record.unwrap();
        assert_eq!(
            (&record[sku], &record[name], &record[category]),
            (row.sku.as_str(), row.name.as_str(), row.category.as_str())
        );
        assert_eq!(record[price].parse::<f64>().unwrap(), row.price.parse::<f64>().unwrap());
        exported += 1;
    }
    assert_eq!(exported, rows.len());
    let again = place.run(&["import", out.to_str().unwrap(), "--mode", "upsert"]).expect(0);
    assert_eq!(count(&place, "items"), rows.len() as i64, "{}", again.all());
}

fn export_writes_json_lines(kind: Kind) {
    let place = Place::furnished(kind);
    import(&place, some_diamonds(3), &[]).expect(0);
    let text = place.run(&["export", "--format", "jsonl"]).expect(0).stdout;
    let lines: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["sku"], data::rows()[0].sku);
    assert_eq!(lines[0]["price"].to_string(), data::rows()[0].price);
    place.run(&["export", "--format", "xml"]).expect(2);
    place.run(&["export", "-o", "/no/such/folder/out.csv"]).expect(1);
}
