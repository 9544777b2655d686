//! The admin site in a real browser, with its scripts.

use crate::support::{
    Kind, Place, Server,
    browser::{aside, in_a_browser},
    data::{new_category, new_item},
    server::PASSWORD,
};
use serde_json::json;
use std::time::{Duration, Instant};
use thirtyfour::prelude::*;

fn shop() -> Server {
    let server = Place::furnished(Kind::Sqlite).serve();
    let category = new_category(&server, "Tools");
    for (name, price) in [("Hammer", "10"), ("Saw", "20"), ("Hammock", "30")] {
        new_item(&server, category, name, json!({"price": price, "sku": format!("S-{price}")}));
    }
    server
}

async fn sign_in(driver: &WebDriver, server: &Server) -> WebDriverResult<()> {
    driver.goto(format!("{}/admin/items", server.url)).await?;
    driver.find(By::Name("username")).await?.send_keys("ada_admin").await?;
    driver.find(By::Name("password")).await?.send_keys(PASSWORD).await?;
    driver.find(By::Css("form[action='/admin/login'] button:not([type=button])")).await?.click().await?;
    driver.query(By::XPath("//h1[text()='Items']")).first().await?;
    Ok(())
}

/// What the console complained of: nothing, or the test fails. Refused forms (409, 422) are news there, not faults.
async fn console_is_quiet(driver: &WebDriver) -> WebDriverResult<()> {
    let log = driver.browser_log().await?;
    let faults: Vec<_> = log
        .iter()
        .filter(|l| l.level == "SEVERE" && !l.message.contains("status of 409") && !l.message.contains("status of 422"))
        .map(|l| &l.message)
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
    Ok(())
}

async fn set(driver: &WebDriver, field: &str, value: &str) -> WebDriverResult<()> {
    let input = driver.find(By::Css(format!("main [name='{field}']"))).await?;
    input.clear().await?;
    input.send_keys(value).await
}

#[test]
#[ignore = "needs Chromium: tests/run"]
fn an_admin_signs_in_searches_and_edits() {
    let server = &shop();
    in_a_browser(|driver| async move {
        sign_in(&driver, server).await?;
        let search = driver.find(By::Css("input[name='q']")).await?;
        search.send_keys("hamm" + Key::Enter).await?;
        driver.query(By::XPath("//a[text()='Hammock']")).first().await?;
        driver.query(By::XPath("//a[text()='Saw']")).nowait().not_exists().await?;
        // The state lives in the URL; the script puts it there when the rows have come.
        let start = Instant::now();
        while !driver.current_url().await?.query().unwrap_or_default().contains("q=hamm") {
            assert!(start.elapsed() < Duration::from_secs(10), "{}", driver.current_url().await?);
        }
        driver.find(By::LinkText("Hammer")).await?.click().await?;
        driver.query(By::XPath("//h1[text()='Hammer']")).first().await?;
        driver.find(By::XPath("//main//a[contains(., 'Edit')]")).await?.click().await?;
        set(&driver, "name", "Big hammer").await?;
        set(&driver, "price", "19.99").await?;
        driver.find(By::Css("form[action='/admin/items/1/edit'] button.main")).await?.click().await?;
        driver.query(By::XPath("//h1[text()='Big hammer']")).first().await?;
        let body = driver.find(By::Css("main")).await?.text().await?;
        assert!(body.contains("19.99"), "{body}");
        let item = aside(|| server.get("/api/v1/items/1").send().expect(200).data());
        assert_eq!(item["name"], "Big hammer");
        console_is_quiet(&driver).await
    });
}

#[test]
#[ignore = "needs Chromium: tests/run"]
fn a_wrong_form_shows_its_errors_and_keeps_what_was_typed() {
    let server = &shop();
    in_a_browser(|driver| async move {
        sign_in(&driver, server).await?;
        driver.goto(format!("{}/admin/items/1/edit", server.url)).await?;
        set(&driver, "price", "cheap").await?;
        set(&driver, "description", "typed with care").await?;
        driver.find(By::Css("form[action='/admin/items/1/edit'] button.main")).await?.click().await?;
        let price = driver.query(By::Css("input[name='price'][aria-invalid='true']")).first().await?;
        assert_eq!(price.value().await?.as_deref(), Some("cheap"));
        let described = price.attr("aria-describedby").await?.unwrap();
        let said = driver.find(By::Id(described.split(' ').next().unwrap())).await?.text().await?;
        assert!(!said.is_empty());
        let kept = driver.find(By::Name("description")).await?.value().await?;
        assert_eq!(kept.as_deref(), Some("typed with care"));
        console_is_quiet(&driver).await
    });
}

#[test]
#[ignore = "needs Chromium: tests/run"]
fn an_edit_that_meets_somebody_elses_is_settled_field_by_field() {
    let server = &shop();
    in_a_browser(|driver| async move {
        sign_in(&driver, server).await?;
        driver.goto(format!("{}/admin/items/1/edit", server.url)).await?;
        set(&driver, "name", "My hammer").await?;
        aside(|| {
            server.user().patch("/api/v1/items/1", &json!({"price": 12, "description": "Theirs"})).send().expect(200)
        });
        driver.find(By::Css("form[action='/admin/items/1/edit'] button.main")).await?.click().await?;
        let page = driver.query(By::Css("input[name='pick_name'][value='mine']")).first().await?;
        assert!(page.is_selected().await?, "what only I changed is chosen as mine");
        let text = driver.find(By::Css("main")).await?.text().await?;
        assert!(text.contains("My hammer") && text.contains("Theirs") && text.contains("uma_user"), "{text}");
        driver.find(By::Css("main form button.main")).await?.click().await?;
        driver.query(By::XPath("//h1[text()='My hammer']")).first().await?;
        let item = aside(|| server.get("/api/v1/items/1").send().expect(200).data());
        assert_eq!(
            (item["name"].as_str(), item["price"].to_string().as_str(), item["description"].as_str()),
            (Some("My hammer"), "12", Some("Theirs"))
        );
        console_is_quiet(&driver).await
    });
}

#[test]
#[ignore = "needs Chromium: tests/run"]
fn a_selection_is_deleted_after_a_question() {
    let server = &shop();
    in_a_browser(|driver| async move {
        sign_in(&driver, server).await?;
        driver.find(By::Css("input[name='ids'][value='2']")).await?.click().await?;
        driver.find(By::Css("button[name='action'][value='delete']")).await?.click().await?;
        driver.query(By::Css("form[action='/admin/items/bulk'] input[name='confirm']")).first().await?;
        let text = driver.find(By::Css("main")).await?.text().await?;
        assert!(text.contains("Saw") && !text.contains("Hammock"), "{text}");
        driver.find(By::Css("main form button.bad-main")).await?.click().await?;
        driver.query(By::XPath("//h1[text()='Items']")).first().await?;
        driver.query(By::XPath("//a[text()='Saw']")).nowait().not_exists().await?;
        aside(|| server.get("/api/v1/items/2").send().expect(404));
        aside(|| server.get("/api/v1/items/1").send().expect(200));
        console_is_quiet(&driver).await
    });
}

#[test]
#[ignore = "needs Chromium: tests/run"]
fn keys_and_themes_work() {
    let server = &shop();
    in_a_browser(|driver| async move {
        sign_in(&driver, server).await?;
        driver.find(By::Css("body")).await?.send_keys("/").await?;
        let focused = driver.active_element().await?;
        assert_eq!(focused.attr("name").await?.as_deref(), Some("q"), "/ goes to the search");
        driver.goto(format!("{}/admin/categories", server.url)).await?;
        driver.find(By::Css("body")).await?.send_keys("gi").await?;
        driver.query(By::XPath("//h1[text()='Items']")).first().await?;
        let colour = "return getComputedStyle(document.body).backgroundColor";
        driver.find(By::Css("button[name='theme'][value='dark']")).await?.click().await?;
        driver.query(By::Css("html[data-theme='dark']")).first().await?;
        let dark: String = driver.execute(colour, vec![]).await?.convert()?;
        driver.find(By::Css("button[name='theme'][value='light']")).await?.click().await?;
        driver.query(By::Css("html[data-theme='light']")).first().await?;
        let light: String = driver.execute(colour, vec![]).await?.convert()?;
        assert_ne!(dark, light);
        console_is_quiet(&driver).await
    });
}

#[test]
#[ignore = "needs Chromium: tests/run"]
fn pages_fit_a_phone() {
    let server = &shop();
    in_a_browser(|driver| async move {
        sign_in(&driver, server).await?;
        driver.set_window_rect(0, 0, 500, 800).await?;
        for path in [
            "/admin/items",
            "/admin/items/1",
            "/admin/items/1/edit",
            "/admin/items/1/history",
            "/admin/categories",
            "/admin/account",
            "/admin/users",
            "/admin/users/new",
            "/admin/users/2",
            "/admin/users/2/edit",
            "/admin/users/2/role",
            "/admin/users/2/delete",
        ] {
            driver.goto(format!("{}{path}", server.url)).await?;
            let wider: i64 = driver
                .execute("return document.documentElement.scrollWidth - document.documentElement.clientWidth", vec![])
                .await?
                .convert()?;
            assert!(wider <= 0, "{path} is {wider} px wider than the screen");
        }
        console_is_quiet(&driver).await
    });
}

#[test]
#[ignore = "needs Chromium: tests/run"]
fn an_admin_invites_edits_and_deactivates_a_user() {
    let server = &shop();
    in_a_browser(|driver| async move {
        sign_in(&driver, server).await?;
        driver.find(By::Css("body")).await?.send_keys("gu").await?;
        driver.query(By::XPath("//h1[text()='Users']")).first().await?;
        driver.find(By::LinkText("Invite user")).await?.click().await?;
        set(&driver, "email", "nina@example.com").await?;
        set(&driver, "username", "nina").await?;
        driver.find(By::Css("form[action='/admin/users/new'] button.main")).await?.click().await?;
        driver.query(By::XPath("//h1[text()='nina']")).first().await?;
        let body = driver.find(By::Css("main")).await?.text().await?;
        assert!(body.contains("have not chosen a password yet"), "{body}");
        driver.find(By::XPath("//main//a[contains(., 'Edit')]")).await?.click().await?;
        set(&driver, "full_name", "Nina N.").await?;
        driver.find(By::Css("form[action='/admin/users/5/edit'] button.main")).await?.click().await?;
        driver.query(By::XPath("//p[text()='Nina N.']")).first().await?;
        driver.find(By::LinkText("Deactivate…")).await?.click().await?;
        driver.find(By::Css("form[action='/admin/users/5/access'] button.bad-main")).await?.click().await?;
        driver.query(By::XPath("//a[starts-with(text(), 'Activate')]")).first().await?;
        let user = aside(|| server.admin().get("/api/v1/users/5").send().expect(200).data());
        assert_eq!((&user["full_name"], &user["is_active"]), (&json!("Nina N."), &json!(false)));
        // As one types, the list narrows.
        driver.goto(format!("{}/admin/users", server.url)).await?;
        driver.find(By::Id("q")).await?.send_keys("nina").await?;
        driver.query(By::Css("#list[data-announce='1 user']")).first().await?;
        console_is_quiet(&driver).await
    });
}
