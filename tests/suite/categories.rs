//! Categories by JSON.

use crate::support::{
    Server,
    data::{new_category, new_item, shape},
    on_both,
};
use insta::{allow_duplicates, assert_snapshot};
use serde_json::json;

on_both! {
    a_category_is_created_read_changed_and_deleted,
    names_are_unique_without_regard_to_case,
    bounds_of_a_category_hold_on_both_sides,
    item_count_follows_the_items,
    a_category_in_use_is_not_deleted,
    put_and_patch_differ_in_what_is_absent,
    writes_are_guarded_by_if_match,
    the_list_is_paged_sorted_and_counted,
}

fn a_category_is_created_read_changed_and_deleted(server: &Server) {
    let admin = server.admin();
    let made =
        admin.post("/api/v1/categories", &json!({"name": "  Tools ", "description": "To hit with"})).send().expect(201);
    let id = made.data()["id"].as_i64().unwrap();
    let path = format!("/api/v1/categories/{id}");
    assert_eq!(made.must("location"), path);
    allow_duplicates! {
        assert_snapshot!(shape(&made.json()), @r#"
    {
      "success": true,
      "message": "Category created successfully",
      "data": {
        "id": 1,
        "name": "Tools",
        "description": "To hit with",
        "version": 1,
        "created_at": "[created_at]",
        "updated_at": "[updated_at]",
        "item_count": 0
      }
    }
    "#);
    }
    let read = server.get(&path).send().expect(200);
    assert_eq!(read.data(), made.data());
    assert_eq!(read.must("etag"), made.must("etag"));
    let changed = admin.patch(&path, &json!({"name": "Hand tools"})).send().expect(200);
    assert_eq!(changed.data()["name"], "Hand tools");
    assert_eq!(changed.data()["description"], "To hit with");
    assert_ne!(changed.must("etag"), made.must("etag"));
    let gone = admin.delete(&path).send().expect(204);
    assert!(gone.body.is_empty());
    server.get(&path).send().problem(404);
    admin.delete(&path).send().problem(404);
    let next = new_category(server, "Another");
    assert!(next > id, "ids are never used again");
}

fn names_are_unique_without_regard_to_case(server: &Server) {
    let admin = server.admin();
    new_category(server, "Straße Ärger");
    for same in ["Straße Ärger", "straße ärger", "STRAßE ÄRGER", " straße Ärger "] {
        let problem = admin.post("/api/v1/categories", &json!({"name": same})).send().problem(409);
        assert_eq!(problem["error_type"], "conflict");
    }
    let other = new_category(server, "Other");
    admin.patch(&format!("/api/v1/categories/{other}"), &json!({"name": "straße ÄRGER"})).send().problem(409);
    admin.patch(&format!("/api/v1/categories/{other}"), &json!({"name": "OTHER"})).send().expect(200);
    assert_eq!(server.db().count("categories"), 2);
}

fn bounds_of_a_category_hold_on_both_sides(server: &Server) {
    let admin = server.admin();
    let create = |body| admin.post("/api/v1/categories", &body).send();
    create(json!({"name": "x"})).expect(201);
    create(json!({"name": "ä".repeat(100)})).expect(201);
    create(json!({"name": "ä".repeat(101)})).refused_at(&["name"]);
    create(json!({"name": "   "})).refused_at(&["name"]);
    create(json!({"name": null})).refused_at(&["name"]);
    create(json!({})).refused_at(&["name"]);
    create(json!({"name": format!(" {} ", "b".repeat(100))})).expect(201);
    create(json!({"name": "d1", "description": "😀".repeat(500)})).expect(201);
    create(json!({"name": "d2", "description": "😀".repeat(501)})).refused_at(&["description"]);
    create(json!({"name": "", "description": 5})).refused_at(&["name", "description"]);
    create(json!({"name": "unknown fields are ignored", "colour": "red", "id": 77})).expect(201);
    assert_eq!(server.db().number("SELECT count(*) AS n FROM categories WHERE id = 77"), 0);
}

fn item_count_follows_the_items(server: &Server) {
    let (tools, toys) = (new_category(server, "Tools"), new_category(server, "Toys"));
    let count = |id: i64| {
        server.get(&format!("/api/v1/categories/{id}")).send().expect(200).data()["item_count"].as_i64().unwrap()
    };
    assert_eq!(count(tools), 0);
    let hammer = new_item(server, tools, "Hammer", json!({}));
    new_item(server, tools, "Saw", json!({}));
    assert_eq!((count(tools), count(toys)), (2, 0));
    server.user().patch(&hammer.path(), &json!({"category_id": toys})).send().expect(200);
    assert_eq!((count(tools), count(toys)), (1, 1));
    server.admin().delete(&hammer.path()).send().expect(204);
    assert_eq!((count(tools), count(toys)), (1, 0));
    let listed = server.get("/api/v1/categories?sort=name").send().expect(200).rows();
    let counts: Vec<_> =
        listed.iter().map(|c| (c["name"].as_str().unwrap(), c["item_count"].as_i64().unwrap())).collect();
    assert_eq!(counts, [("Tools", 1), ("Toys", 0)]);
}

fn a_category_in_use_is_not_deleted(server: &Server) {
    let tools = new_category(server, "Tools");
    let item = new_item(server, tools, "Hammer", json!({"is_active": false}));
    let path = format!("/api/v1/categories/{tools}");
    server.admin().delete(&path).send().problem(409);
    server.get(&path).send().expect(200);
    server.admin().delete(&item.path()).send().expect(204);
    server.admin().delete(&path).send().expect(204);
}

fn put_and_patch_differ_in_what_is_absent(server: &Server) {
    let admin = server.admin();
    let id = admin.post("/api/v1/categories", &json!({"name": "Tools", "description": "d"})).send().expect(201).data()
        ["id"]
        .clone();
    let path = format!("/api/v1/categories/{id}");
    assert_eq!(admin.patch(&path, &json!({})).send().expect(200).data()["description"], "d");
    assert_eq!(admin.patch(&path, &json!({"description": null})).send().expect(200).data()["description"], json!(null));
    admin.patch(&path, &json!({"name": null})).send().refused_at(&["name"]);
    admin.patch(&path, &json!({"description": "again"})).send().expect(200);
    assert_eq!(admin.put(&path, &json!({"name": "Tools"})).send().expect(200).data()["description"], json!(null));
    admin.put(&path, &json!({"description": "x"})).send().refused_at(&["name"]);
}

fn writes_are_guarded_by_if_match(server: &Server) {
    let admin = server.admin();
    let made = admin.post("/api/v1/categories", &json!({"name": "Tools"})).send().expect(201);
    let path = made.must("location");
    let tag = made.must("etag");
    let changed = admin.patch(&path, &json!({"name": "Tools 2"})).header("if-match", &tag).send().expect(200);
    admin.patch(&path, &json!({"name": "Tools 3"})).header("if-match", &tag).send().problem(412);
    admin.put(&path, &json!({"name": "Tools 3"})).header("if-match", &tag).send().problem(412);
    admin.delete(&path).header("if-match", &tag).send().problem(412);
    server.get(&path).header("if-none-match", changed.must("etag")).send().expect(304);
    server.get(&path).header("if-none-match", &tag).send().expect(200);
    admin.delete(&path).header("if-match", changed.must("etag")).send().expect(204);
}

fn the_list_is_paged_sorted_and_counted(server: &Server) {
    for name in ["delta", "Alpha", "charlie", "Bravo", "echo"] {
        new_category(server, name);
    }
    let names = |query: &str| -> Vec<String> {
        let rows = server.get(&format!("/api/v1/categories?{query}")).send().expect(200).rows();
        rows.iter().map(|r| r["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("sort=name"), ["Alpha", "Bravo", "charlie", "delta", "echo"]);
    assert_eq!(names("sort=-name&page=2&page_size=2"), ["charlie", "Bravo"]);
    assert_eq!(names("sort=created_at"), ["delta", "Alpha", "charlie", "Bravo", "echo"]);
    assert_eq!(names("q=BRAV"), ["Bravo"]);
    let page = server.get("/api/v1/categories?page=1&page_size=2").send().expect(200).json();
    assert_eq!(
        (page["total"].as_i64(), page["has_more"].as_bool(), page["page_size"].as_i64()),
        (Some(5), Some(true), Some(2))
    );
    server.get("/api/v1/categories?sort=colour").send().problem(422);
    server.get("/api/v1/categories?page=0").send().refused_at(&["page"]);
    let mut walked = Vec::new();
    let mut next = Some("/api/v1/categories?limit=2&sort=name".to_owned());
    while let Some(path) = next {
        let page = server.get(&path).send().expect(200).json();
        walked.extend(page["data"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap().to_owned()));
        next = page["next_cursor"].as_str().map(|c| format!("/api/v1/categories?limit=2&sort=name&cursor={c}"));
    }
    assert_eq!(walked, ["Alpha", "Bravo", "charlie", "delta", "echo"]);
}
