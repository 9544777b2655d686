//! Up, down, up; and the same schema in both databases.

use crate::support::{Kind, Place, on_each_database};
use std::collections::BTreeMap;

on_each_database! {
    migrations_go_up_down_and_up_again,
    status_says_what_is_applied_and_what_is_pending,
    commands_on_a_fresh_database_migrate_it_first,
}

fn migrations_go_up_down_and_up_again(kind: Kind) {
    let place = Place::empty(kind);
    place.run(&["migrate", "run"]).expect(0);
    let mut db = place.db();
    let tables = db.tables();
    assert!(tables.contains("items") && tables.contains("changesets"), "{tables:?}");
    let columns: BTreeMap<_, _> = tables.iter().map(|t| (t.clone(), db.columns(t))).collect();
    let count = db.count("__diesel_schema_migrations");
    for left in (0..count).rev() {
        place.run(&["migrate", "revert"]).expect(0);
        assert_eq!(place.db().count("__diesel_schema_migrations"), left);
    }
    assert!(place.db().tables().is_empty(), "down leaves nothing behind: {:?}", place.db().tables());
    place.run(&["migrate", "run"]).expect(0);
    let mut db = place.db();
    let again: BTreeMap<_, _> = db.tables().iter().map(|t| (t.clone(), db.columns(t))).collect();
    assert_eq!(again, columns);
    place.run(&["migrate", "redo"]).expect(0);
    place.user("a@example.com", "anyone", "admin");
    place.run(&["migrate", "run"]).expect(0);
    assert_eq!(place.db().count("users"), 1, "run again changes nothing");
}

fn status_says_what_is_applied_and_what_is_pending(kind: Kind) {
    let place = Place::empty(kind);
    place.run(&["migrate", "run"]).expect(0);
    let applied = place.run(&["migrate", "status"]).expect(0).stdout;
    assert!(applied.contains("first_light"), "{applied}");
    place.run(&["migrate", "revert"]).expect(0);
    let pending = place.run(&["migrate", "status"]).expect(0).stdout;
    assert!(pending.contains("first_light"), "{pending}");
    assert_ne!(applied, pending);
}

fn commands_on_a_fresh_database_migrate_it_first(kind: Kind) {
    let place = Place::empty(kind);
    assert_eq!(place.user("a@example.com", "first", "admin"), 1);
    assert_eq!(place.user("b@example.com", "second", "user"), 2);
}

/// Full text lives where each database has it.
fn shared(tables: impl IntoIterator<Item = String>) -> Vec<String> {
    tables.into_iter().filter(|t| !t.starts_with("item_search")).collect()
}

#[test]
#[ignore = "needs PostgreSQL: tests/run"]
fn both_databases_reach_the_same_schema() {
    let (one, other) = (Place::furnished(Kind::Sqlite), Place::furnished(Kind::Postgres));
    let (mut sqlite, mut postgres) = (one.db(), other.db());
    let tables = shared(sqlite.tables());
    assert_eq!(tables, shared(postgres.tables()));
    assert!(tables.len() >= 6, "{tables:?}");
    for table in tables {
        assert_eq!(sqlite.columns(&table), postgres.columns(&table), "columns of {table}");
        assert_eq!(sqlite.unique_keys(&table), postgres.unique_keys(&table), "unique keys of {table}");
        assert_eq!(sqlite.foreign_keys(&table), postgres.foreign_keys(&table), "foreign keys of {table}");
    }
}

#[test]
#[ignore = "needs PostgreSQL: tests/run"]
fn a_difference_between_the_schemas_would_be_seen() {
    let (one, other) = (Place::furnished(Kind::Sqlite), Place::furnished(Kind::Postgres));
    let (mut sqlite, mut postgres) = (one.db(), other.db());
    sqlite.execute("ALTER TABLE categories ADD COLUMN colour TEXT");
    assert_ne!(sqlite.columns("categories"), postgres.columns("categories"));
    postgres.execute("CREATE UNIQUE INDEX one_price ON items (price, name)");
    assert!(postgres.unique_keys("items").contains("price,name"));
    assert_ne!(sqlite.unique_keys("items"), postgres.unique_keys("items"));
    assert_eq!(sqlite.foreign_keys("items").len(), 2);
}

#[test]
fn the_migrations_of_both_databases_have_the_same_names() {
    let names = |kind: &str| -> Vec<String> {
        let folder = format!("{}/migrations/{kind}", env!("CARGO_MANIFEST_DIR"));
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert!(!names("sqlite").is_empty());
    assert_eq!(names("sqlite"), names("postgres"));
}

#[test]
fn two_first_starts_at_once_migrate_once() {
    let place = Place::empty(Kind::Sqlite);
    std::thread::scope(|scope| {
        let both: Vec<_> = (0..4).map(|_| scope.spawn(|| place.run(&["migrate", "run"]))).collect();
        for ran in both {
            ran.join().unwrap().expect(0);
        }
    });
    assert!(place.db().count("__diesel_schema_migrations") >= 1);
}
