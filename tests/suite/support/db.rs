//! The database seen from beside the server, for what no door shows.

use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query, sql_types};
use std::collections::{BTreeMap, BTreeSet};

pub enum Db {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = sql_types::BigInt)]
    n: i64,
}

#[derive(QueryableByName)]
struct Text {
    #[diesel(sql_type = sql_types::Text)]
    s: String,
}

impl Db {
    pub fn open(url: &str) -> Db {
        match url.strip_prefix("sqlite://") {
            Some(path) => {
                let mut connection = SqliteConnection::establish(path).unwrap();
                sql_query("PRAGMA busy_timeout = 10000").execute(&mut connection).unwrap();
                Db::Sqlite(connection)
            }
            None => Db::Postgres(PgConnection::establish(url).unwrap()),
        }
    }

    pub fn execute(&mut self, sql: &str) {
        match self {
            Db::Sqlite(c) => sql_query(sql).execute(c),
            Db::Postgres(c) => sql_query(sql).execute(c),
        }
        .unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    /// Runs a query with one number called `n`.
    pub fn number(&mut self, sql: &str) -> i64 {
        let found: Result<Vec<Number>, _> = match self {
            Db::Sqlite(c) => sql_query(sql).load(c),
            Db::Postgres(c) => sql_query(sql).load(c),
        };
        found.unwrap_or_else(|e| panic!("{sql}: {e}"))[0].n
    }

    pub fn count(&mut self, table: &str) -> i64 {
        self.number(&format!("SELECT count(*) AS n FROM {table}"))
    }

    /// Runs a query with one text column called `s`.
    pub fn texts(&mut self, sql: &str) -> Vec<String> {
        let found: Result<Vec<Text>, _> = match self {
            Db::Sqlite(c) => sql_query(sql).load(c),
            Db::Postgres(c) => sql_query(sql).load(c),
        };
        found.unwrap_or_else(|e| panic!("{sql}: {e}")).into_iter().map(|t| t.s).collect()
    }

    /// Our tables: not the databases' own, not the shadow tables of full text.
    pub fn tables(&mut self) -> BTreeSet<String> {
        let sql = match self {
            Db::Sqlite(_) => {
                "SELECT name AS s FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%'"
            }
            Db::Postgres(_) => {
                "SELECT table_name::text AS s FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
            }
        };
        self.texts(sql).into_iter().filter(|t| !t.starts_with("__diesel")).collect()
    }

    /// `column null|not null` of a table.
    pub fn columns(&mut self, table: &str) -> BTreeMap<String, String> {
        let sql = match self {
            Db::Sqlite(_) => format!(
                "SELECT name || ' ' || CASE WHEN \"notnull\" = 1 OR pk > 0 THEN 'not null' ELSE 'null' END AS s FROM pragma_table_info('{table}')"
            ),
            Db::Postgres(_) => format!(
                "SELECT column_name::text || ' ' || CASE is_nullable WHEN 'NO' THEN 'not null' ELSE 'null' END AS s FROM information_schema.columns WHERE table_schema = 'public' AND table_name = '{table}'"
            ),
        };
        self.texts(&sql).iter().map(|s| s.split_once(' ').unwrap()).map(|(a, b)| (a.into(), b.into())).collect()
    }

    /// The columns (or expressions) of each unique key of a table but its primary key, without regard to case.
    pub fn unique_keys(&mut self, table: &str) -> BTreeSet<String> {
        let sql = match self {
            Db::Sqlite(_) => format!(
                "SELECT group_concat(coalesce(i.name, '(expression)'), ',') AS s FROM pragma_index_list('{table}') l, pragma_index_info(l.name) i
                 WHERE l.\"unique\" = 1 AND l.origin <> 'pk' GROUP BY l.name"
            ),
            Db::Postgres(_) => format!(
                "SELECT (SELECT string_agg(coalesce(a.attname, '(expression)'), ',' ORDER BY k.nr)
                   FROM unnest(i.indkey::int[]) WITH ORDINALITY k(col, nr) LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.col AND k.col > 0)::text AS s
                 FROM pg_index i WHERE i.indrelid = '{table}'::regclass AND i.indisunique AND NOT i.indisprimary"
            ),
        };
        self.texts(&sql).into_iter().collect()
    }

    /// `columns -> table` of each foreign key.
    pub fn foreign_keys(&mut self, table: &str) -> BTreeSet<String> {
        let sql = match self {
            Db::Sqlite(_) => {
                format!("SELECT group_concat(\"from\", ',') || ' -> ' || \"table\" AS s FROM pragma_foreign_key_list('{table}') GROUP BY id, \"table\"")
            }
            Db::Postgres(_) => format!(
                "SELECT (SELECT string_agg(a.attname, ',' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey))
                   || ' -> ' || c.confrelid::regclass::text AS s FROM pg_constraint c WHERE c.contype = 'f' AND c.conrelid = '{table}'::regclass"
            ),
        };
        self.texts(&sql).into_iter().collect()
    }

    /// Every row of an entity's table as text, by id, without the columns that are derived.
    pub fn rows_of(&mut self, table: &str, derived: &[&str]) -> BTreeMap<i64, String> {
        let columns: Vec<String> =
            self.columns(table).into_keys().filter(|c| !derived.contains(&c.as_str()) && c != "id").collect();
        let sqlite = matches!(self, Db::Sqlite(_));
        let cell = |c: &String| if sqlite { format!("quote({c})") } else { format!("coalesce({c}::text, 'NULL')") };
        let cells: Vec<String> = columns.iter().map(cell).collect();
        let sql = format!("SELECT id || ' ' || {} AS s FROM {table}", cells.join(" || '|' || "));
        let row = |s: String| s.split_once(' ').map(|(id, row)| (id.parse().unwrap(), row.to_owned())).unwrap();
        self.texts(&sql).into_iter().map(row).collect()
    }
}
