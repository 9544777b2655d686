//! THE MAP: every URL, method and handler of both doors. No other file registers a route. One source makes
//! the table that `stockroom routes` prints and the tests walk, and the registration itself, so that neither
//! can lie. Scopes have literal beginnings, since actix tries routes one after the other: 60 flat ones cost
//! 8 µs a request, the same in scopes 0.7 µs.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::middleware::{Condition, from_fn};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, guard};

use crate::app::App;
use crate::auth::{identify, sessions};
use crate::config::Config;
use crate::error::Error;
use crate::web::{assets, idempotency, rate_limit};
use crate::{audit, auth, categories, dashboard, events, items, posts, queue, uploads, users, webhooks};

/// One route of the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// `GET` (which answers `HEAD` too), `POST`, …
    pub method: &'static str,
    /// With `{placeholders}`.
    pub path: &'static str,
    /// The function that answers.
    pub handler: &'static str,
}

/// What a resource answers besides its own methods.
macro_rules! allowed {
    (GET) => {
        "GET, HEAD"
    };
    (POST) => {
        "POST"
    };
    (PUT) => {
        "PUT"
    };
    (PATCH) => {
        "PATCH"
    };
    (DELETE) => {
        "DELETE"
    };
}

macro_rules! method {
    (GET) => {
        web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
    };
    (POST) => {
        web::post()
    };
    (PUT) => {
        web::put()
    };
    (PATCH) => {
        web::patch()
    };
    (DELETE) => {
        web::delete()
    };
}

/// Routes under one beginning: the table `$table`, and `$register`, which puts them into a scope.
macro_rules! routes {
    ($table:ident, $register:ident, $prefix:literal, {
        $( $path:literal => { $( $method:ident $($handler:ident)::+ ),+ $(,)? } )+
    }) => {
        const $table: &[Route] = &[
            $( $( Route { method: stringify!($method), path: concat!($prefix, $path), handler: concat!($("::", stringify!($handler)),+) } ),+ ),+
        ];

        fn $register(cfg: &mut ServiceConfig) {
            $(
                cfg.service({
                    const ALLOW: &str = concat!($( allowed!($method), ", ", )+ "OPTIONS");
                    web::resource($path)
                        $( .route(method!($method).to($($handler)::+)) )+
                        .route(web::method(actix_web::http::Method::OPTIONS).to(|| async {
                            HttpResponse::NoContent().insert_header((header::ALLOW, ALLOW)).finish()
                        }))
                        .default_service(web::to(|| async { Err::<HttpResponse, Error>(Error::MethodNotAllowed(ALLOW)) }))
                });
            )+
        }
    };
}

routes!(ITEMS, register_items, "/api/v1/items", {
    "" => { GET items::api::list, POST items::api::create }
    "/bulk" => { POST items::api::bulk::create, PATCH items::api::bulk::update, DELETE items::api::bulk::delete }
    "/export" => { GET items::api::transfer::export }
    "/import" => { POST items::api::transfer::import }
    "/{id}" => { GET items::api::get, PUT items::api::replace, PATCH items::api::patch, DELETE items::api::delete }
    "/{id}/images/{upload_id}" => { PUT uploads::api::images::put, DELETE uploads::api::images::delete }
    "/{id}/history" => { GET audit::api::item_history }
    "/{id}/revert" => { POST audit::api::revert_item }
});

routes!(ITEMS_V2, register_items_v2, "/api/v2/items", {
    "" => { GET items::api::v2::list, POST items::api::v2::create }
    "/{id}" => { GET items::api::v2::get, PUT items::api::v2::replace, PATCH items::api::v2::patch, DELETE items::api::v2::delete }
});

routes!(AUDIT, register_audit, "/api/v1/audit", {
    "" => { GET audit::api::list }
    "/{id}" => { GET audit::api::get }
    "/{id}/revert" => { POST audit::api::revert }
});

routes!(STATS, register_stats, "/api/v1/stats", {
    "" => { GET dashboard::api::stats }
});

routes!(CATEGORIES, register_categories, "/api/v1/categories", {
    "" => { GET categories::api::list, POST categories::api::create }
    "/{id}" => { GET categories::api::get, PUT categories::api::replace, PATCH categories::api::patch, DELETE categories::api::delete }
    "/{id}/items" => { GET items::api::in_category }
});

routes!(POSTS, register_posts, "/api/v1/posts", {
    "" => { GET posts::api::list, POST posts::api::create }
    "/{id}" => { GET posts::api::get, PUT posts::api::replace, PATCH posts::api::patch, DELETE posts::api::delete }
    "/{id}/publish" => { POST posts::api::publish }
    "/{id}/unpublish" => { POST posts::api::unpublish }
});

routes!(UPLOADS, register_uploads, "/api/v1/uploads", {
    "" => { GET uploads::api::list, POST uploads::api::create }
    "/{id}" => { GET uploads::api::get, DELETE uploads::api::delete }
    "/{id}/content" => { GET uploads::api::content }
    "/{id}/thumbnail" => { GET uploads::api::thumbnail }
});

routes!(USERS, register_users, "/api/v1/users", {
    "" => { GET users::api::list, POST users::api::create }
    "/me" => { GET users::api::me, PATCH users::api::patch_me }
    "/profile" => { GET users::api::me, PATCH users::api::patch_me }
    "/{id}" => { GET users::api::get, PATCH users::api::patch, DELETE users::api::delete }
    "/{id}/items" => { GET users::api::items }
});

routes!(AUTH, register_auth, "/api/v1/auth", {
    "/register" => { POST auth::api::register }
    "/login" => { POST auth::api::login }
    "/token" => { POST auth::api::login }
    "/refresh" => { POST auth::api::refresh }
    "/logout" => { POST auth::api::logout }
    "/password/forgot" => { POST auth::api::passwords::forgot }
    "/password/reset" => { POST auth::api::passwords::reset }
    "/password/change" => { POST auth::api::passwords::change }
});

routes!(API_KEYS, register_api_keys, "/api/v1/api-keys", {
    "" => { GET auth::api::api_keys::list, POST auth::api::api_keys::create }
    "/{id}" => { GET auth::api::api_keys::get, DELETE auth::api::api_keys::delete }
});

routes!(EVENTS, register_events, "/api/v1", {
    "/events" => { GET events::api::events }
    "/ws" => { GET events::api::ws }
});

routes!(WEBHOOKS, register_webhooks, "/api/v1/webhooks", {
    "" => { GET webhooks::api::list, POST webhooks::api::create }
    "/{id}" => { GET webhooks::api::get, PATCH webhooks::api::patch, DELETE webhooks::api::delete }
    "/{id}/secret" => { POST webhooks::api::rotate_secret }
    "/{id}/test" => { POST webhooks::api::test }
    "/{id}/deliveries" => { GET webhooks::api::deliveries }
    "/{id}/deliveries/{delivery_id}/replay" => { POST webhooks::api::replay }
});

routes!(ROOT, register_root, "", {
    "/" => { GET auth::pages::start }
});

routes!(HEALTH, register_health, "/health", {
    "" => { GET crate::web::health::health }
    "/live" => { GET crate::web::health::live }
    "/ready" => { GET crate::web::health::ready }
});

// The pages that need no account.
routes!(ENTRANCE, register_entrance, "/admin", {
    "/login" => { GET auth::pages::login_form, POST auth::pages::login }
    "/login/code" => { GET auth::pages::code::form, POST auth::pages::code::submit }
    "/logout" => { POST auth::pages::logout }
    "/forgotten" => { GET auth::pages::passwords::forgotten_form, POST auth::pages::passwords::forgotten }
    "/reset" => { GET auth::pages::passwords::reset_form, POST auth::pages::passwords::reset }
    "/invitation" => { GET auth::pages::passwords::invitation_form, POST auth::pages::passwords::invitation }
    "/setup" => { GET auth::pages::setup_form, POST auth::pages::setup }
    "/theme" => { POST auth::pages::theme }
});

// The pages behind the sign-in.
routes!(PAGES, register_pages, "/admin", {
    "" => { GET auth::pages::home }
    "/account" => { GET auth::pages::account::show, POST auth::pages::account::save }
    "/account/password" => { GET auth::pages::account::password_form, POST auth::pages::account::change_password }
    "/account/sessions/end" => { POST auth::pages::sessions::end }
    "/account/sessions/end-others" => { POST auth::pages::sessions::end_others }
    "/account/two-factor" => { GET auth::pages::second_factor::show, POST auth::pages::second_factor::turn_on }
    "/account/two-factor/begin" => { POST auth::pages::second_factor::begin }
    "/account/two-factor/codes" => { GET auth::pages::second_factor::ask_codes, POST auth::pages::second_factor::renew_codes }
    "/account/two-factor/off" => { GET auth::pages::second_factor::ask_off, POST auth::pages::second_factor::turn_off }
    "/api-keys" => { GET auth::pages::api_keys::list }
    "/api-keys/new" => { GET auth::pages::api_keys::blank, POST auth::pages::api_keys::create }
    "/api-keys/revoke-all" => { GET auth::pages::api_keys::ask_revoke_all, POST auth::pages::api_keys::revoke_all }
    "/api-keys/{id}/delete" => { GET auth::pages::api_keys::ask_delete, POST auth::pages::api_keys::delete }
    "/items" => { GET items::pages::list }
    "/items/new" => { GET items::pages::edit::blank, POST items::pages::edit::create }
    "/items/bulk" => { POST items::pages::bulk::bulk }
    "/items/{id}" => { GET items::pages::one::show }
    "/items/{id}/edit" => { GET items::pages::edit::edit, POST items::pages::edit::save }
    "/items/{id}/delete" => { GET items::pages::one::ask_delete, POST items::pages::one::delete }
    "/items/{id}/history" => { GET audit::pages::item_history }
    "/categories" => { GET categories::pages::list }
    "/categories/new" => { GET categories::pages::blank, POST categories::pages::create }
    "/categories/{id}/edit" => { GET categories::pages::edit, POST categories::pages::save }
    "/categories/{id}/delete" => { GET categories::pages::ask_delete, POST categories::pages::delete }
});

// The pages of what happened, behind the sign-in too.
routes!(AUDIT_PAGES, register_audit_pages, "/admin/audit", {
    "" => { GET audit::pages::log::list }
    "/{id}" => { GET audit::pages::one::show }
    "/{id}/revert" => { GET audit::pages::undo::ask, POST audit::pages::undo::act }
});

// The pages of the queue, behind the sign-in too.
routes!(JOB_PAGES, register_job_pages, "/admin/jobs", {
    "" => { GET queue::pages::list }
    "/retry" => { GET queue::pages::many::ask_retry, POST queue::pages::many::retry }
    "/discard" => { GET queue::pages::many::ask_discard, POST queue::pages::many::discard }
    "/{id}" => { GET queue::pages::one::show }
    "/{id}/retry" => { POST queue::pages::one::retry }
    "/{id}/discard" => { GET queue::pages::one::ask_discard, POST queue::pages::one::discard }
});

// The pages of users, behind the sign-in too.
routes!(USER_PAGES, register_user_pages, "/admin/users", {
    "" => { GET users::pages::list }
    "/new" => { GET users::pages::edit::blank, POST users::pages::edit::create }
    "/{id}" => { GET users::pages::one::show }
    "/{id}/edit" => { GET users::pages::edit::edit, POST users::pages::edit::save }
    "/{id}/role" => { GET users::pages::acts::ask_role, POST users::pages::acts::set_role }
    "/{id}/access" => { GET users::pages::acts::ask_access, POST users::pages::acts::set_access }
    "/{id}/end-sessions" => { GET users::pages::acts::ask_end_sessions, POST users::pages::acts::end_sessions }
    "/{id}/invite" => { POST users::pages::acts::invite_again }
    "/{id}/delete" => { GET users::pages::remove::ask_delete, POST users::pages::remove::delete }
});

/// Every route, in the order of the map.
pub fn table() -> impl Iterator<Item = Route> {
    let parts: [&'static [Route]; 19] = [
        ITEMS,
        ITEMS_V2,
        STATS,
        CATEGORIES,
        POSTS,
        UPLOADS,
        USERS,
        AUDIT,
        AUTH,
        API_KEYS,
        WEBHOOKS,
        EVENTS,
        HEALTH,
        ROOT,
        ENTRANCE,
        PAGES,
        USER_PAGES,
        AUDIT_PAGES,
        JOB_PAGES,
    ];
    let assets = Route { method: "GET", path: "/static/{version}/{file}", handler: "web::assets::file" };
    let trimmed = |route: &Route| Route {
        handler: route.handler.trim_start_matches("::").trim_start_matches("crate::"),
        ..*route
    };
    let all: Vec<Route> = parts.into_iter().flatten().map(trimmed).chain([assets]).collect();
    all.into_iter()
}

/// Puts the map into an actix application.
pub fn register(cfg: &mut ServiceConfig, app: &Arc<App>) {
    cfg.service(
        web::scope("/api/v1")
            .wrap(from_fn(identify::by_token))
            .wrap(Condition::new(!app.config.cors_origins.is_empty(), cors(&app.config)))
            .service(web::scope("/items").configure(register_items))
            .service(web::scope("/categories").configure(register_categories))
            .service(web::scope("/stats").configure(register_stats))
            .service(web::scope("/posts").configure(register_posts))
            .service(web::scope("/uploads").configure(register_uploads))
            .service(web::scope("/users").configure(register_users))
            .service(web::scope("/audit").configure(register_audit))
            .service(web::scope("/auth").configure(register_auth))
            .service(web::scope("/api-keys").configure(register_api_keys))
            .service(web::scope("/webhooks").configure(register_webhooks))
            .configure(register_events)
            .default_service(web::to(nothing)),
    )
    .service(
        web::scope("/api/v2")
            .wrap(from_fn(identify::by_token))
            .wrap(Condition::new(!app.config.cors_origins.is_empty(), cors(&app.config)))
            .service(web::scope("/items").configure(register_items_v2))
            .default_service(web::to(nothing)),
    )
    .service(web::scope("/health").configure(register_health))
    .service(
        web::scope("/admin")
            .wrap(from_fn(identify::by_session))
            .wrap(sessions::middleware(app))
            .configure(register_entrance)
            .service(
                web::scope("")
                    .wrap(from_fn(identify::signed_in))
                    .service(web::scope("/users").configure(register_user_pages))
                    .service(web::scope("/audit").configure(register_audit_pages))
                    .service(web::scope("/jobs").configure(register_job_pages))
                    .configure(register_pages)
                    .default_service(web::to(nothing)),
            ),
    )
    .configure(register_root);
    if cfg!(debug_assertions) {
        cfg.service(actix_files::Files::new(assets::BASE, assets::FOLDER));
    } else {
        cfg.route("/static/{version}/{file:.+}", web::get().to(assets::file));
    }
    cfg.default_service(web::to(nothing));
}

async fn nothing() -> Result<HttpResponse, Error> {
    Err(Error::NotFound("There is nothing at this address.".to_owned()))
}

/// Scripts of other sites may use the API if they are named; without credentials of the browser's own, since
/// a cookie never opens the API.
fn cors(config: &Config) -> actix_cors::Cors {
    let cors = actix_cors::Cors::default()
        .allowed_methods(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
        .allowed_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            crate::web::caller::API_KEY,
            idempotency::KEY,
            crate::web::request_id::HEADER,
        ])
        .expose_headers([
            header::ETAG,
            header::LOCATION,
            header::RETRY_AFTER,
            rate_limit::LIMIT,
            rate_limit::POLICY,
            idempotency::REPLAYED,
            crate::web::request_id::HEADER,
        ])
        .max_age(600);
    config.cors_origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}
