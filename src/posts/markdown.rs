//! From Markdown to HTML that is safe to show: CommonMark with tables and strikethrough, then everything taken out
//! that could run, load or pretend. Only the Markdown is stored, so that a better sanitiser also heals old posts.

use pulldown_cmark::{Event, Options, Parser, html};

/// Deeper nesting is flattened: parsing HTML costs time with the square of its depth.
const DEEPEST: usize = 64;

/// The HTML of a text. HTML in it is shown as it was typed.
pub fn to_html(markdown: &str) -> String {
    let mut depth = 0_usize;
    let events = Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH);
    let shallow = events.filter_map(|event| match event {
        Event::Start(_) => {
            depth += 1;
            (depth <= DEEPEST).then_some(event)
        }
        Event::End(_) => {
            depth = depth.saturating_sub(1);
            (depth < DEEPEST).then_some(event)
        }
        Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
        event => Some(event),
    });
    let mut unsafe_html = String::with_capacity(markdown.len() + markdown.len() / 4);
    html::push_html(&mut unsafe_html, shallow);
    ammonia::clean(&unsafe_html)
}
