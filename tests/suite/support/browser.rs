//! A real, headless Chromium over the chromedriver that `tests/run` started (`STOCKROOM_TEST_WEBDRIVER`).

use std::{future::Future, time::Duration};
use thirtyfour::{ChromiumLikeCapabilities, LoggingPrefsLogLevel, prelude::*};

/// Runs a test in a browser with a profile of its own and closes it whatever happens.
pub fn in_a_browser<F, Fut>(test: F)
where
    F: FnOnce(WebDriver) -> Fut,
    Fut: Future<Output = WebDriverResult<()>>,
{
    let url = std::env::var("STOCKROOM_TEST_WEBDRIVER")
        .expect("STOCKROOM_TEST_WEBDRIVER is not set: run tests/run, which starts a chromedriver");
    let profile = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut options = DesiredCapabilities::chrome();
        for flag in [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--window-size=1280,900",
        ] {
            options.add_arg(flag).unwrap();
        }
        options.add_arg(&format!("--user-data-dir={}", profile.path().display())).unwrap();
        options.set_browser_log_level(LoggingPrefsLogLevel::All).unwrap();
        let driver = WebDriver::new(url, options).await.unwrap();
        driver.set_implicit_wait_timeout(Duration::from_secs(10)).await.unwrap();
        let result = test(driver.clone()).await;
        let page = if result.is_err() { driver.source().await.unwrap_or_default() } else { String::new() };
        driver.quit().await.unwrap();
        if let Err(error) = result {
            panic!("{error:?}\nthe page was:\n{page}");
        }
    });
}

/// The tests' own client blocks, which it may not on the thread that drives the browser.
pub fn aside<T: Send>(call: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(call).join().unwrap())
}
