//! Lists: pages, cursors, filters, sorts, and what is refused.

use crate::support::{
    Server, Who,
    data::{new_category, new_item, shape},
    on_both,
};
use insta::{allow_duplicates, assert_snapshot};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};

on_both! {
    a_page_says_where_it_is,
    an_empty_list_is_a_list,
    pages_cover_everything_once,
    every_sort_is_total_and_its_reverse_reverses_it,
    filters_narrow_and_totals_are_exact,
    price_bounds_are_inclusive_and_exact,
    a_walk_by_cursor_sees_everything_once,
    a_walk_by_cursor_neither_skips_nor_repeats_while_others_write,
    a_tampered_or_foreign_cursor_is_400,
    windows_out_of_range_are_422,
    wrong_filters_and_sorts_are_refused_at_their_name,
    sorting_by_what_many_share_is_broken_by_the_id,
}

fn list(server: &Server, query: &str) -> Value {
    server.get(&format!("/api/v1/items?{query}")).send().expect(200).json()
}

fn names(server: &Server, query: &str) -> Vec<String> {
    let list = list(server, query);
    list["data"].as_array().unwrap().iter().map(|i| i["name"].as_str().unwrap().to_owned()).collect()
}

fn ids(list: &Value) -> Vec<i64> {
    list["data"].as_array().unwrap().iter().map(|i| i["id"].as_i64().unwrap()).collect()
}

/// Follows the cursor to the end.
fn walk(server: &Server, query: &str) -> Vec<i64> {
    let (mut seen, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let path = cursor.as_ref().map_or(query.to_owned(), |c| format!("{query}&cursor={c}"));
        let page = list(server, &path);
        seen.extend(ids(&page));
        assert_eq!(page["has_more"].as_bool(), Some(page["next_cursor"].is_string()), "{page}");
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return seen,
        }
        assert!(seen.len() < 10_000, "a walk without an end");
    }
}

fn a_page_says_where_it_is(server: &Server) {
    let category = new_category(server, "Tools");
    for n in 1..=5 {
        new_item(server, category, &format!("Item {n}"), json!({"sku": format!("S-{n}")}));
    }
    let page = list(server, "page=2&page_size=2&sort=id");
    allow_duplicates! {
        assert_snapshot!(shape(&page), @r#"
    {
      "success": true,
      "message": "Items retrieved successfully",
      "data": [
        {
          "id": 3,
          "sku": "S-3",
          "name": "Item 3",
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
          "id": 4,
          "sku": "S-4",
          "name": "Item 4",
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
        }
      ],
      "total": 5,
      "page": 2,
      "page_size": 2,
      "has_more": true,
      "next_cursor": "[next_cursor]"
    }
    "#);
    }
    let last = list(server, "page=3&page_size=2&sort=id");
    assert_eq!((ids(&last), last["has_more"].as_bool()), (vec![5], Some(false)));
    let beyond = list(server, "page=4&page_size=2");
    assert_eq!((ids(&beyond), beyond["total"].as_i64(), beyond["has_more"].as_bool()), (vec![], Some(5), Some(false)));
    let default = list(server, "");
    assert_eq!(
        (default["page"].as_i64(), default["page_size"].as_i64(), default["total"].as_i64()),
        (Some(1), Some(20), Some(5))
    );
    let far = list(server, "page=1000000000&page_size=100");
    assert!(ids(&far).is_empty());
    server.get("/api/v1/items?page=99999999999999999999").send().refused_at(&["page"]);
}

fn an_empty_list_is_a_list(server: &Server) {
    for query in ["", "limit=5", "q=nothing", "q=", "category_id=999", "sort=-price"] {
        assert_eq!(list(server, query)["data"], json!([]), "{query}");
    }
    assert_eq!(list(server, "")["total"], 0);
}

fn pages_cover_everything_once(server: &Server) {
    let category = new_category(server, "Tools");
    for n in 1..=23 {
        new_item(server, category, &format!("Item {}", n % 7), json!({"price": n % 5 + 1}));
    }
    for sort in ["id", "-id", "name", "-price", "price,name", "-created_at"] {
        let mut seen: Vec<i64> =
            (1..=5).flat_map(|p| ids(&list(server, &format!("page={p}&page_size=5&sort={sort}")))).collect();
        assert_eq!(seen.len(), 23, "{sort}");
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 23, "{sort}: each item once");
    }
}

fn every_sort_is_total_and_its_reverse_reverses_it(server: &Server) {
    let category = new_category(server, "Tools");
    for (name, sku, price) in [
        ("banana", Some("B"), 3),
        ("Apple", None, 1),
        ("cherry", Some("A"), 2),
        ("apple", Some("C"), 3),
        ("Éclair", None, 2),
    ] {
        new_item(server, category, name, json!({"sku": sku, "price": price}));
    }
    for sort in ["id", "name", "sku", "price", "created_at", "updated_at"] {
        let up = ids(&list(server, &format!("sort={sort}")));
        let mut down = ids(&list(server, &format!("sort=-{sort}")));
        down.reverse();
        assert_eq!(up, down, "{sort}");
        assert_eq!(walk(server, &format!("limit=2&sort={sort}")), up, "{sort} by cursor");
    }
    assert_eq!(
        names(server, "sort=name")[..4],
        ["Apple", "apple", "banana", "cherry"],
        "without regard to case, then by id"
    );
    assert_eq!(names(server, "sort=price,-name"), ["Apple", "Éclair", "cherry", "banana", "apple"]);
    assert_eq!(names(server, "sort=-price,name"), ["apple", "banana", "cherry", "Éclair", "Apple"]);
    assert_eq!(walk(server, "limit=2&sort=-price,name").len(), 5);
}

fn filters_narrow_and_totals_are_exact(server: &Server) {
    let (tools, toys) = (new_category(server, "Tools"), new_category(server, "Toys"));
    for n in 1..=12 {
        let category = if n % 3 == 0 { toys } else { tools };
        new_item(server, category, &format!("Hammer {n}"), json!({"price": n, "is_active": n % 4 != 0}));
    }
    let total = |query: &str, who: Who| {
        let answer = server.as_who(who).get(&format!("/api/v1/items?{query}")).send().expect(200).json();
        let total = answer["total"].as_i64().unwrap();
        assert_eq!(answer["data"].as_array().unwrap().len() as i64, total, "{query}");
        total
    };
    assert_eq!(total("", Who::Admin), 12);
    assert_eq!(total("", Who::Guest), 9);
    assert_eq!(total(&format!("category_id={toys}"), Who::Admin), 4);
    assert_eq!(total(&format!("category_id={toys}"), Who::Guest), 3);
    assert_eq!(total("is_active=false", Who::Admin), 3);
    assert_eq!(total("is_active=true", Who::Admin), 9);
    assert_eq!(total("is_active=true", Who::Guest), 9);
    assert_eq!(total(&format!("category_id={tools}&is_active=false&min_price=5"), Who::Admin), 1);
    assert_eq!(total(&format!("q=hammer&category_id={tools}&max_price=5"), Who::Guest), 3);
    assert_eq!(total("min_price=3&max_price=7", Who::Admin), 5);
    assert_eq!(total("min_price=7&max_price=3", Who::Admin), 0);
    assert_eq!(total(&format!("owner_id={}", Who::User.id()), Who::Admin), 12);
    let by_cursor = server.get("/api/v1/items?limit=2").send().expect(200).json();
    assert!(by_cursor.get("total").is_none_or(Value::is_null), "counted by cursor only when asked: {by_cursor}");
    let asked = server.get("/api/v1/items?limit=2&include_total=true").send().expect(200).json();
    assert_eq!(asked["total"], 9);
}

fn price_bounds_are_inclusive_and_exact(server: &Server) {
    let category = new_category(server, "Tools");
    for price in ["0.0001", "0.1", "0.3", "19.99", "999999999.9999"] {
        new_item(server, category, price, json!({"price": price}));
    }
    assert_eq!(names(server, "min_price=0.3&max_price=19.99&sort=price"), ["0.3", "19.99"]);
    assert_eq!(names(server, "min_price=0.3001&sort=price"), ["19.99", "999999999.9999"]);
    assert_eq!(names(server, "max_price=0.0001"), ["0.0001"]);
    assert_eq!(names(server, "min_price=999999999.9999"), ["999999999.9999"]);
    assert_eq!(names(server, "min_price=0&max_price=0.1&sort=price"), ["0.0001", "0.1"]);
}

fn a_walk_by_cursor_sees_everything_once(server: &Server) {
    let category = new_category(server, "Tools");
    for n in 1..=17 {
        new_item(server, category, &format!("Item {}", n % 4), json!({"price": n % 3 + 1}));
    }
    for query in [
        "limit=1",
        "limit=5",
        "limit=100",
        "limit=4&sort=name",
        "limit=3&sort=-price,name",
        "limit=3&sort=-updated_at",
        "limit=2&sort=sku",
        "limit=5&q=item",
        "limit=4&min_price=2&sort=price",
    ] {
        let mut seen = walk(server, query);
        let count = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), count, "{query}: nothing twice");
        let wanted =
            if query.contains("min_price") { list(server, "min_price=2")["total"].as_i64().unwrap() } else { 17 };
        assert_eq!(count as i64, wanted, "{query}");
    }
}

fn a_walk_by_cursor_neither_skips_nor_repeats_while_others_write(server: &Server) {
    let category = new_category(server, "Tools");
    let there: Vec<i64> =
        (1..=40).map(|n| new_item(server, category, &format!("Old {n}"), json!({"price": n % 3 + 1})).id).collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut made = 0;
            while !done.load(Ordering::Relaxed) {
                let item = new_item(server, category, &format!("New {made}"), json!({"price": made % 4 + 1}));
                if made % 2 == 0 {
                    server.admin().delete(&item.path()).send().expect(204);
                }
                made += 1;
            }
            made
        });
        let begun = server.db().count("changesets");
        for sort in ["id", "-id", "price", "-price", "name", "-created_at"].into_iter().cycle() {
            let seen = walk(server, &format!("limit=3&sort={sort}"));
            let mut unique = seen.clone();
            unique.sort_unstable();
            unique.dedup();
            assert_eq!(unique.len(), seen.len(), "{sort}: repeated");
            assert!(there.iter().all(|id| unique.contains(id)), "{sort}: skipped");
            // Until every sort was walked and somebody has really written meanwhile.
            if sort == "-created_at" && server.db().count("changesets") > begun + 6 {
                break;
            }
        }
        done.store(true, Ordering::Relaxed);
        assert!(writer.join().unwrap() > 3);
    });
}

fn a_tampered_or_foreign_cursor_is_400(server: &Server) {
    let category = new_category(server, "Tools");
    for n in 1..=5 {
        new_item(server, category, &format!("Item {n}"), json!({}));
    }
    let cursor = list(server, "limit=2&sort=price")["next_cursor"].as_str().unwrap().to_owned();
    list(server, &format!("limit=2&sort=price&cursor={cursor}"));
    list(server, &format!("limit=3&sort=price&cursor={cursor}"));
    let refused = |query: String| {
        let answer = server.get(&format!("/api/v1/items?{query}")).send();
        assert_eq!(answer.status, 400, "{query}: {}", answer.text());
        answer.problem(400);
    };
    for at in [0, cursor.len() / 2, cursor.len() - 2] {
        let mut bytes = cursor.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        refused(format!("limit=2&sort=price&cursor={}", String::from_utf8(bytes).unwrap()));
    }
    for wrong in ["x", "%00", "AAAA", &cursor[..cursor.len() - 4], &format!("{cursor}AAAA")] {
        refused(format!("limit=2&sort=price&cursor={wrong}"));
    }
    // Bound to its sort and its filters.
    refused(format!("limit=2&sort=-price&cursor={cursor}"));
    refused(format!("limit=2&cursor={cursor}"));
    refused(format!("limit=2&sort=price&min_price=2&cursor={cursor}"));
    refused(format!("limit=2&sort=price&q=item&cursor={cursor}"));
    server.get(&format!("/api/v1/categories?limit=2&cursor={cursor}")).send().problem(400);
}

fn windows_out_of_range_are_422(server: &Server) {
    for (query, field) in [
        ("page=0", "page"),
        ("page=-1", "page"),
        ("page_size=0", "page_size"),
        ("page_size=101", "page_size"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("skip=-1&limit=5", "skip"),
    ] {
        let answer = server.get(&format!("/api/v1/items?{query}")).send();
        assert_eq!(answer.status, 422, "{query}: {}", answer.text());
        answer.refused_at(&[field]);
    }
    server.get("/api/v1/items?page=0&page_size=101&sort=colour").send().refused_at(&["page", "page_size", "sort"]);
    for good in ["page=1&page_size=100", "page_size=1", "limit=1", "limit=100"] {
        list(server, good);
    }
}

fn wrong_filters_and_sorts_are_refused_at_their_name(server: &Server) {
    for sort in
        ["colour", "-colour", "name,colour", "password_hash", "--name", "name;drop", "name,name", "price%20desc"]
    {
        let answer = server.get(&format!("/api/v1/items?sort={sort}")).send();
        assert_eq!(answer.status, 422, "{sort}: {}", answer.text());
        answer.refused_at(&["sort"]);
    }
    for unknown in ["colour=red", "utm_source=x"] {
        let status = server.get(&format!("/api/v1/items?{unknown}")).send().status;
        assert!(status == 200 || status == 400 || status == 422, "{unknown}: {status}");
    }
    for (query, field) in [
        ("is_active=perhaps", "is_active"),
        ("min_price=1e400", "min_price"),
        ("max_price=cheap", "max_price"),
        ("category_id=99999999999999999999", "category_id"),
        ("category_id=x", "category_id"),
    ] {
        server.get(&format!("/api/v1/items?{query}")).send().refused_at(&[field]);
    }
    server.get("/api/v1/items?min_price=x&max_price=y&is_active=z").send().refused_at(&[
        "is_active",
        "max_price",
        "min_price",
    ]);
}

fn sorting_by_what_many_share_is_broken_by_the_id(server: &Server) {
    let category = new_category(server, "Tools");
    let made: Vec<i64> = (0..7).map(|_| new_item(server, category, "Same", json!({})).id).collect();
    let reversed: Vec<i64> = made.iter().rev().copied().collect();
    for sort in ["name", "price", "sku"] {
        assert_eq!(ids(&list(server, &format!("sort={sort}"))), made);
        assert_eq!(ids(&list(server, &format!("sort=-{sort}"))), reversed);
    }
}
