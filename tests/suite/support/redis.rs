//! The Redis that `tests/run` started: `STOCKROOM_TEST_REDIS=redis://…`.

use std::sync::atomic::{AtomicU32, Ordering};

pub fn server_url() -> String {
    std::env::var("STOCKROOM_TEST_REDIS").expect("STOCKROOM_TEST_REDIS is not set: run tests/run, which starts a Redis")
}

/// Host and port.
pub fn address() -> String {
    let url = url::Url::parse(&server_url()).unwrap();
    format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(6379))
}

/// A `SECRET_KEY` that no other test has: the counters in a Redis are those of one secret.
pub fn own_secret() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let begun = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    format!("a-secret-of-one-test-alone-{}-{}-{begun}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Every key of ours, and in how many milliseconds it ends (-1: never).
pub fn keys() -> Vec<(String, i64)> {
    let mut connection = redis::Client::open(server_url()).unwrap().get_connection().unwrap();
    let keys: Vec<String> = redis::cmd("KEYS").arg("stockroom:*").query(&mut connection).unwrap();
    let ends_in = |key: String| {
        let ends_in: i64 = redis::cmd("PTTL").arg(&key).query(&mut connection).unwrap();
        (key, ends_in)
    };
    // -2: it has ended meanwhile.
    keys.into_iter().map(ends_in).filter(|(_, ends_in)| *ends_in != -2).collect()
}
