//! Recovery codes: for who has lost the authenticator app. 75 random bits each, so that a plain SHA-256 of one
//! gives nothing away; each is good for one use.

use rand::Rng as _;
use sha2::{Digest as _, Sha256};

/// So many are given at once.
pub const CODES: usize = 10;
/// Base32 (RFC 4648) without its capitals: nothing that is mistaken for something else.
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Letters of a group, and groups of a code.
const GROUP: usize = 5;
const GROUPS: usize = 3;

/// A set of new ones, as they are shown: `xxxxx-xxxxx-xxxxx`.
pub fn generate() -> Vec<String> {
    let mut rng = rand::rng();
    let mut group = || {
        let mut bytes = [0_u8; GROUP];
        rng.fill_bytes(&mut bytes);
        bytes.iter().filter_map(|byte| LETTERS.get(usize::from(byte & 31))).map(|letter| char::from(*letter)).collect()
    };
    (0..CODES).map(|_| (0..GROUPS).map(|_| group()).collect::<Vec<String>>().join("-")).collect()
}

/// How one is kept and looked for, whatever the case and the spaces or dashes that it was typed with.
pub fn hash(code: &str) -> String {
    let letters: String = code.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    hex::encode(Sha256::digest(letters.to_lowercase().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::{CODES, generate, hash};

    #[test]
    fn codes_differ_and_are_read_as_people_type_them() {
        let mut codes = generate();
        assert!(
            codes.iter().all(|code| code.len() == 17 && code.split('-').all(|group| group.len() == 5)),
            "{codes:?}"
        );
        codes.sort();
        codes.dedup();
        assert_eq!(codes.len(), CODES);
        let same = ["abcde-fghij-klmno", "ABCDE FGHIJ KLMNO", " abcdefghijklmno ", "abcde - fghij - klmno"];
        assert!(same.iter().all(|typed| hash(typed) == hash("abcde-fghij-klmno")));
        assert_ne!(hash("abcde-fghij-klmnp"), hash("abcde-fghij-klmno"));
    }
}
