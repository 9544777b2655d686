//! The server: from settings to a bound socket, the order of the layers, and a graceful end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_http::{HttpService, Protocol};
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::App as ActixApp;
use actix_web::dev::{AppConfig, Server as Running};
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::web::Data;

use crate::app::{App, KeyUse};
use crate::auth::token::Tokens;
use crate::auth::{mails, service, store};
use crate::config::{Config, DatabaseUrl};
use crate::db::instance::Instance;
use crate::db::{Effects, migrate, pool};
use crate::events::feed;
use crate::jobs::worker::{Worker, Working};
use crate::mail::Mailer;
use crate::routes;
use crate::time::Timestamp;
use crate::uploads;
use crate::users::hashing::Hashing;
use crate::web::front::front;
use crate::web::idempotency;
use crate::web::wire::Wire;
use crate::webhooks::deliver::{Deliverer, Delivering};

/// How long requests under way may take after a SIGTERM, in seconds.
const LAST_REQUESTS: u64 = 30;
/// How long the head of a connection's first request may take.
const SLOWEST_HEAD: Duration = Duration::from_secs(5);
/// How long a connection that is closed is read on.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How often limits forget what no longer counts.
const FORGET: Duration = Duration::from_secs(15);
/// How often ended sessions are removed.
const SWEEP: Duration = Duration::from_secs(600);

/// A server that listens.
pub struct Server {
    running: Running,
    working: Working,
    delivering: Delivering,
    address: SocketAddr,
    setup_token: Option<String>,
    _instance: Instance,
}

impl Server {
    /// Prepares the database, binds the port (0 takes a free one) and starts the workers. Must be called
    /// inside an actix system.
    ///
    /// # Errors
    /// One clear line.
    pub fn build(config: Config) -> Result<Self, String> {
        let secret = config.secret().map_err(|e| e.to_string())?;
        let instance = Instance::claim(&config.database)?;
        migrate::prepare(&config.database)?;
        let app = App::open(config, &secret).map_err(|e| e.to_string())?;
        let config = &app.config;
        let alone = matches!(config.database, DatabaseUrl::Sqlite(_));
        let setup_token = {
            let mut conn = pool::open(&config.database, pool::Access::Write).map_err(|e| e.to_string())?;
            if alone {
                idempotency::let_go_all(&mut conn).map_err(|e| e.to_string())?;
            }
            uploads::jobs::sweep(&mut conn, &app.storage, alone).map_err(|e| e.to_string())?;
            service::open_setup(&app, &mut conn).map_err(|e| e.to_string())?
        };
        let hashing = Data::new(Hashing::new(config.bcrypt_cost).map_err(|e| e.to_string())?);
        let previous = app.previous_key(KeyUse::Tokens);
        let tokens =
            Tokens::new(&app.key(KeyUse::Tokens), previous.as_ref(), &config.app_name, config.access_token_minutes);
        let tokens = Data::new(tokens.map_err(|e| e.to_string())?);
        let worker = Worker::new(Arc::clone(&app.db), Arc::clone(&app.jobs));
        let worker = mails::handle(worker, &app, &tokens, &Mailer::new(config)?);
        let worker = uploads::jobs::handle(worker, &app);
        let at = (config.host, config.port);
        let (workers, threads) = (config.workers, crate::db::Db::blocking_threads(config));
        let shared = Arc::clone(&app);
        let builder = actix_server::Server::build()
            .workers(workers)
            .worker_max_blocking_threads(threads)
            .shutdown_timeout(LAST_REQUESTS);
        let stopping = builder.graceful_shutdown_signal();
        let ending = stopping.clone();
        let https = config.is_https();
        let listener =
            std::net::TcpListener::bind(at).map_err(|e| format!("cannot listen on {}:{}: {e}", at.0, at.1))?;
        let address = listener.local_addr().map_err(|e| e.to_string())?;
        // What `HttpServer` does, but for the stream, which is ours.
        let service = move || {
            let app = Arc::clone(&shared);
            let site = ActixApp::new()
                .app_data(Data::from(Arc::clone(&app)))
                .app_data(hashing.clone())
                .app_data(tokens.clone())
                .configure(move |cfg| routes::register(cfg, &app))
                .wrap(from_fn(front));
            let stopping = stopping.clone();
            let http = HttpService::build()
                .graceful_shutdown_signal(move || {
                    let stopping = stopping.clone();
                    async move { stopping.notified().await }
                })
                .client_request_timeout(SLOWEST_HEAD)
                .client_disconnect_timeout(LAST_WORDS)
                .local_addr(address)
                .on_connect_ext(|wire: &Wire<TcpStream>, data| {
                    data.insert(wire.connection());
                })
                .finish(map_config(site.into_factory().map_err(|e: actix_web::Error| e.error_response()), |()| {
                    AppConfig::default()
                }));
            fn_service(move |stream: TcpStream| async move {
                // Answers are written whole; the kernel need not wait for more.
                stream.set_nodelay(true).ok();
                let peer = stream.peer_addr().ok();
                Ok((Wire::new(stream, https), Protocol::Http1, peer))
            })
            .and_then(http)
        };
        let builder = builder.listen("http", listener, service).map_err(|e| e.to_string())?;
        app.set_address(address);
        feed::start(&app);
        // Who listens would keep the server from ending until their time is up.
        let live = Arc::clone(&app.live);
        actix_web::rt::spawn(async move {
            ending.notified().await;
            live.close();
        });
        let working = worker.start(alone);
        let delivering = Deliverer::new(&app)?.start(alone);
        actix_web::rt::spawn(forget(Arc::clone(&app)));
        actix_web::rt::spawn(sweep(app));
        Ok(Self { running: builder.run(), working, delivering, address, setup_token, _instance: instance })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The token of the link that makes the first admin, while there is no user.
    pub fn setup_token(&self) -> Option<&str> {
        self.setup_token.as_deref()
    }

    /// Serves until SIGTERM or SIGINT: then no new connections, the requests under way are finished, and jobs go
    /// back to the queue.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn run(self) -> Result<(), String> {
        let ended = self.running.await.map_err(|e| e.to_string());
        tokio::join!(self.working.stop(), self.delivering.stop());
        ended
    }
}

/// Removes sessions and refresh tokens that have ended, and answers that were kept long enough.
async fn sweep(app: Arc<App>) {
    loop {
        actix_web::rt::time::sleep(SWEEP).await;
        let work = |conn: &mut crate::db::Conn| {
            let now = Timestamp::now();
            store::delete_expired(conn, now)?;
            idempotency::delete_expired(conn, now)?;
            Ok((store::refresh::delete_expired(conn, now)?, Effects::default()))
        };
        if let Err(error) = app.db.write(Box::new(work)).await {
            log::warn!("what has ended could not be removed: {error}");
        }
    }
}

/// Keeps the memory of limits bounded.
async fn forget(app: Arc<App>) {
    loop {
        actix_web::rt::time::sleep(FORGET).await;
        app.limits.forget_old();
    }
}
