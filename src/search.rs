//! How text becomes words, the same for both databases, so that both find the same: their own parsers differ
//! (PostgreSQL reads `D-00001` as a negative number). Everything that is typed is a word, never an operator.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// More words than this in a query add nothing that a person would mean.
const MOST_WORDS: usize = 12;
/// A longer run of letters is cut.
const LONGEST_WORD: usize = 64;

/// Cuts text into words: runs of letters and digits, lower-cased, without accents. A point between two digits
/// stays inside (`0.9` is one word); each ideograph is a word, since such scripts put no spaces between them.
pub fn words(text: &str) -> Vec<String> {
    // Most text is ASCII, where nothing has to be decomposed; ranking reads hundreds of texts a search.
    if text.is_ascii() {
        cut(text.chars().map(|c| c.to_ascii_lowercase()))
    } else {
        cut(text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase))
    }
}

fn cut(folded: impl Iterator<Item = char>) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut folded = folded.peekable();
    while let Some(c) = folded.next() {
        let within_number =
            c == '.' && word.ends_with(|d: char| d.is_ascii_digit()) && folded.peek().is_some_and(char::is_ascii_digit);
        if is_ideograph(c) {
            push(&mut words, &mut word);
            words.push(c.to_string());
        } else if c.is_alphanumeric() || within_number {
            word.push(c);
        } else {
            push(&mut words, &mut word);
        }
    }
    push(&mut words, &mut word);
    words
}

fn push(words: &mut Vec<String>, word: &mut String) {
    if !word.is_empty() {
        let kept = word.char_indices().nth(LONGEST_WORD).map_or(word.len(), |(end, _)| end);
        word.truncate(kept);
        words.push(std::mem::take(word));
    }
}

fn is_ideograph(c: char) -> bool {
    matches!(u32::from(c), 0x3040..=0x30FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x3134F)
}

/// What somebody looks for: terms that must all be there. A term is a run of words next to each other
/// (`D-18221` is `d` followed by `18221`); the last word may go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    terms: Vec<Vec<String>>,
}

impl Query {
    /// Reads what was typed; `None` when there is no word in it.
    pub fn parse(text: &str) -> Option<Self> {
        let terms: Vec<Vec<String>> =
            text.split_whitespace().map(words).filter(|t| !t.is_empty()).take(MOST_WORDS).collect();
        if terms.is_empty() { None } else { Some(Self { terms }) }
    }

    /// For FTS5: words in quotes, so that none is an operator (<https://sqlite.org/fts5.html#full_text_query_syntax>).
    pub fn fts5(&self) -> String {
        let last = self.terms.len().saturating_sub(1);
        let term = |(n, term): (usize, &Vec<String>)| {
            let prefix = if n == last { "*" } else { "" };
            format!("\"{}\"{prefix}", term.join(" "))
        };
        self.terms.iter().enumerate().map(term).collect::<Vec<_>>().join(" AND ")
    }

    /// For PostgreSQL's `tsquery`, to be cast and not parsed by a text-search configuration.
    pub fn tsquery(&self) -> String {
        let last = self.terms.len().saturating_sub(1);
        let term = |(n, term): (usize, &Vec<String>)| {
            let end = term.len().saturating_sub(1);
            let word = |(m, word): (usize, &String)| {
                let prefix = if n == last && m == end { ":*" } else { "" };
                format!("'{word}'{prefix}")
            };
            format!("({})", term.iter().enumerate().map(word).collect::<Vec<_>>().join(" <-> "))
        };
        self.terms.iter().enumerate().map(term).collect::<Vec<_>>().join(" & ")
    }

    /// How well texts fit, the higher the better: the whole code, then the title, then the rest. The same
    /// arithmetic on both databases, so that both give the same order.
    pub fn score(&self, code: &str, title: &str, rest: &str) -> u32 {
        let (code, title, rest) = (words(code), words(title), words(rest));
        let whole: Vec<&String> = self.terms.iter().flatten().collect();
        let mut score = 0;
        if !code.is_empty() && code.iter().eq(whole.iter().copied()) {
            score += 10_000;
        }
        if title.iter().eq(whole.iter().copied()) {
            score += 5_000;
        }
        let last = self.terms.len().saturating_sub(1);
        for (n, term) in self.terms.iter().enumerate() {
            for (text, weight) in [(&code, 40), (&title, 30), (&rest, 5)] {
                score += weight * fit(text, term, n == last);
            }
        }
        score
    }
}

/// 0: not there; 2: there, as the beginning of a longer word; 3: there; 4: at the very start.
fn fit(text: &[String], term: &[String], open: bool) -> u32 {
    let end = term.len().saturating_sub(1);
    let mut best = 0;
    for (at, window) in text.windows(term.len()).enumerate() {
        let whole = window == term;
        let begun = open
            && window
                .iter()
                .zip(term)
                .enumerate()
                .all(|(m, (have, want))| if m == end { have.starts_with(want.as_str()) } else { have == want });
        best = best.max(match (whole, begun) {
            (true, _) if at == 0 => 4,
            (true, _) => 3,
            (false, true) => 2,
            (false, false) => 0,
        });
    }
    best
}

/// For PostgreSQL: words with their places, to be cast to `tsvector` and not parsed.
pub fn tsvector(words: &[String]) -> String {
    // Places above 16,383 are not kept (https://www.postgresql.org/docs/current/textsearch-limitations.html).
    words.iter().zip(1..16_383).map(|(word, place)| format!("'{word}':{place}")).collect::<Vec<_>>().join(" ")
}
