//! One field before and after, as people read it: of long texts the part where they differ.

use serde_json::{Map, Value};

/// A text up to this is shown whole, in characters.
const WHOLE: usize = 240;
/// So much is shown around a difference in a long text,
const AROUND: usize = 40;
/// and so much of the difference itself.
const OF_DIFFERENCE: usize = 800;

/// What stood in a field, and what stands in it since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    pub label: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

impl FieldChange {
    /// A change between two values as they are read; nothing when there is neither.
    pub fn of(label: String, before: Option<String>, after: Option<String>) -> Option<Self> {
        let (before, after) = match (before, after) {
            (None, None) => return None,
            (Some(before), Some(after)) => {
                let (before, after) = parted(&before, &after);
                (Some(before), Some(after))
            }
            (before, after) => (before.map(|text| beginning(&text)), after.map(|text| beginning(&text))),
        };
        Some(Self { label, before, after })
    }
}

/// Recorded fields, read back; none for what was not there.
pub fn side(json: Option<&str>) -> Map<String, Value> {
    match json.map(serde_json::from_str) {
        Some(Ok(Value::Object(fields))) => fields,
        _ => Map::new(),
    }
}

/// A value without units or names of its own, as it is read.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Bool(yes) => if *yes { "Yes" } else { "No" }.to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// The beginning of a long text.
fn beginning(text: &str) -> String {
    cut(text, OF_DIFFERENCE)
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Two texts without what they begin and end with alike, if they are long.
fn parted(before: &str, after: &str) -> (String, String) {
    let (old, new): (Vec<char>, Vec<char>) = (before.chars().collect(), after.chars().collect());
    if old.len() <= WHOLE && new.len() <= WHOLE {
        return (before.to_owned(), after.to_owned());
    }
    let alike = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let shorter = old.len().min(new.len()) - alike;
    let alike_at_end = old.iter().rev().zip(new.iter().rev()).take(shorter).take_while(|(a, b)| a == b).count();
    let from = alike.saturating_sub(AROUND);
    let shown = |text: &[char]| {
        let to = (text.len() - alike_at_end + AROUND).min(text.len());
        let part: String = text.get(from..to).unwrap_or_default().iter().collect();
        let (before, after) = (if from > 0 { "…" } else { "" }, if to < text.len() { "…" } else { "" });
        format!("{before}{}{after}", cut(&part, OF_DIFFERENCE + 2 * AROUND))
    };
    (shown(&old), shown(&new))
}

#[cfg(test)]
mod tests {
    use super::FieldChange;

    fn of(before: &str, after: &str) -> (String, String) {
        let change = FieldChange::of("Content".to_owned(), Some(before.to_owned()), Some(after.to_owned()));
        change.and_then(|change| change.before.zip(change.after)).unwrap_or_default()
    }

    #[test]
    fn short_texts_are_shown_whole_and_long_ones_where_they_differ() {
        assert_eq!(of("a", "b"), ("a".to_owned(), "b".to_owned()));
        let (head, tail) = ("ä".repeat(500), "ö".repeat(500));
        let around = |text: &str| format!("…{}{text}{}…", "ä".repeat(40), "ö".repeat(40));
        assert_eq!(of(&format!("{head}one{tail}"), &format!("{head}two{tail}")), (around("one"), around("two")));
        // What was only put in, also where the same comes again.
        assert_eq!(of(&format!("{head}{tail}"), &format!("{head}{head}{tail}")).0, around(""));
        assert_eq!(of(&head, ""), ("ä".repeat(500), String::new()));
        let whole = FieldChange::of("Content".to_owned(), None, Some("x".repeat(2_000)));
        assert_eq!(whole.and_then(|change| change.after), Some(format!("{}…", "x".repeat(800))));
        assert_eq!(FieldChange::of("Content".to_owned(), None, None), None);
    }
}
