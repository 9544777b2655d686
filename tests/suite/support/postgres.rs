//! Databases on the PostgreSQL server that `tests/run` started: `STOCKROOM_TEST_PG=postgres://…/postgres`.

use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, sql_query, sql_types};
use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering},
};

pub fn server_url() -> String {
    std::env::var("STOCKROOM_TEST_PG").expect("STOCKROOM_TEST_PG is not set: run tests/run, which starts a PostgreSQL")
}

/// The same server, another database.
pub fn url_of(database: &str) -> String {
    let mut url = url::Url::parse(&server_url()).unwrap();
    url.set_path(database);
    url.to_string()
}

fn connect() -> PgConnection {
    PgConnection::establish(&server_url()).unwrap()
}

fn run(connection: &mut PgConnection, sql: &str) {
    sql_query(sql).execute(connection).unwrap_or_else(|e| panic!("{sql}: {e}"));
}

/// A new database, from a template if one is named.
pub fn create_database(template: Option<&str>) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let name = format!("t{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let template = template.map(|t| format!(" TEMPLATE {t}")).unwrap_or_default();
    run(&mut connect(), &format!("CREATE DATABASE {name}{template}"));
    name
}

pub fn drop_database(name: &str) {
    // A clean-up that fails must not hide why the test failed.
    if let Ok(mut connection) = PgConnection::establish(&server_url()) {
        let _ = sql_query(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).execute(&mut connection);
    }
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = sql_types::BigInt)]
    n: i64,
}

/// The name of the furnished template; made once for each build of the binary, whichever process comes first.
pub fn template(furnish: fn(&str)) -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let name = format!("furnished_{}", super::server::binary_stamp());
        let mut connection = connect();
        run(&mut connection, "SELECT pg_advisory_lock(7031)");
        let sql = format!("SELECT count(*) AS n FROM pg_database WHERE datname = '{name}'");
        let found: Vec<Found> = sql_query(sql).load(&mut connection).unwrap();
        if found[0].n == 0 {
            let draft = create_database(None);
            furnish(&url_of(&draft));
            run(&mut connection, &format!("ALTER DATABASE {draft} RENAME TO {name}"));
        }
        name
    })
}
