//! The ceiling: what the framework does when there is nothing to do but to read an id from the path and to
//! write a struct of an item's size as JSON.

use std::process::{Command, Stdio};

use actix_web::web::{self, Json, Path};
use actix_web::{App, HttpServer};
use anyhow::Context as _;
use serde::Serialize;

use super::server::{Running, workers};

#[derive(Debug, Serialize)]
struct Thing {
    id: i64,
    sku: Option<&'static str>,
    name: &'static str,
    description: Option<&'static str>,
    price: f64,
    currency: &'static str,
    tax_rate: f64,
    is_active: bool,
    category_id: i64,
    owner_id: i64,
    version: i64,
    created_at: &'static str,
    updated_at: &'static str,
}

async fn thing(id: Path<i64>) -> Json<Thing> {
    Json(Thing {
        id: id.into_inner(),
        sku: Some("D-00001"),
        name: "0.23 ct Ideal diamond, colour E",
        description: Some("Clarity SI2; depth 61.5%, table 55%; 3.95 x 3.98 x 2.43 mm"),
        price: 326.0,
        currency: "USD",
        tax_rate: 0.0,
        is_active: true,
        category_id: 1,
        owner_id: 1,
        version: 1,
        created_at: "2026-11-21T12:00:00.000000Z",
        updated_at: "2026-11-21T12:00:00.000000Z",
    })
}

/// Starts it, as a process of its own.
pub fn start() -> anyhow::Result<Running> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--be-the-ceiling").stderr(Stdio::inherit());
    Running::start(command).context("the ceiling does not start")
}

/// Is it: in the other process, until that is killed.
pub fn serve() -> anyhow::Result<()> {
    actix_web::rt::System::new().block_on(async {
        let server = HttpServer::new(|| App::new().route("/{id}", web::get().to(thing)))
            .workers(workers())
            .bind(("127.0.0.1", 0))?;
        let address = server.addrs().first().copied().context("the ceiling has no address")?;
        println!("Listening on http://{address}");
        Ok(server.run().await?)
    })
}
