//! Access tokens that are bad for one reason each, forged with the real key, and all that else can stand in
//! `Authorization`; and how a change of the key goes on.

use crate::support::{
    Kind, Place, Server, Who, on_each_database,
    server::{PASSWORD, SECRET},
    wire,
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::time::{SystemTime, UNIX_EPOCH};

on_each_database! {
    a_bad_token_is_401_whatever_is_wrong_with_it,
    after_a_change_of_the_key_old_tokens_live_on_and_new_ones_have_the_new_key,
}

const OLD_SECRET: &str = "the-key-before-this-one-0123456789-0123456789";

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// As `src/app.rs` derives it.
fn key(secret: &str) -> Vec<u8> {
    hmac(secret.as_bytes(), b"stockroom tokens 1")
}

fn kid(secret: &str) -> String {
    hex::encode(Sha256::digest(key(secret)))[..8].to_owned()
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

/// What a forger can choose.
#[derive(Clone)]
struct Forged {
    header: String,
    payload: String,
    key: Vec<u8>,
}

impl Forged {
    fn good(user: i64, version: i64) -> Forged {
        let header = format!(r#"{{"typ":"JWT","alg":"HS256","kid":"{}"}}"#, kid(SECRET));
        let (now, sub) = (now(), user.to_string());
        let claims = json!({
            "iss": "Stockroom", "aud": "Stockroom", "sub": sub, "exp": now + 600, "iat": now, "nbf": now,
            "jti": "00112233445566778899aabb", "typ": "access", "cv": version,
        });
        Forged { header, payload: claims.to_string(), key: key(SECRET) }
    }

    fn claim(&self, name: &str, value: Value) -> Forged {
        let mut claims: Value = serde_json::from_str(&self.payload).unwrap();
        claims[name] = value;
        Forged { payload: claims.to_string(), ..self.clone() }
    }

    fn without(&self, name: &str) -> Forged {
        let mut claims: Value = serde_json::from_str(&self.payload).unwrap();
        claims.as_object_mut().unwrap().remove(name).unwrap();
        Forged { payload: claims.to_string(), ..self.clone() }
    }

    fn header(&self, header: &str) -> Forged {
        Forged { header: header.to_owned(), ..self.clone() }
    }

    fn also(&self, member: &str) -> Forged {
        Forged { header: format!("{},{member}}}", self.header.trim_end_matches('}')), ..self.clone() }
    }

    fn message(&self) -> String {
        format!("{}.{}", URL_SAFE_NO_PAD.encode(&self.header), URL_SAFE_NO_PAD.encode(&self.payload))
    }

    fn signature(&self) -> Vec<u8> {
        hmac(&self.key, self.message().as_bytes())
    }

    fn token(&self) -> String {
        format!("{}.{}", self.message(), URL_SAFE_NO_PAD.encode(self.signature()))
    }
}

/// Sends these header lines and answers the status, having looked at the whole answer.
#[track_caller]
fn status(server: &Server, what: &str, lines: &[u8]) -> u16 {
    let mut request = b"GET /api/v1/users/me HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n".to_vec();
    request.extend_from_slice(lines);
    request.extend_from_slice(b"\r\n");
    let answers = wire::talk(server.port, &request);
    assert_eq!(answers.len(), 1, "{what}: one request, one answer");
    let answer = answers[0].clone();
    let status = answer.status;
    if status != 200 {
        assert_eq!(status, 401, "{what}: {}", answer.text());
        assert_eq!(answer.must("www-authenticate"), "Bearer", "{what}");
        answer.problem(401);
    }
    status
}

fn bearer(token: &str) -> Vec<u8> {
    format!("Authorization: Bearer {token}\r\n").into_bytes()
}

/// Every way in which a token's own text can be wrong.
fn bad_tokens(good: &Forged) -> Vec<(String, String)> {
    let mut bad: Vec<(String, String)> = Vec::new();
    let mut add = |what: &str, token: String| bad.push((what.to_owned(), token));
    let kid_member = format!(r#""kid":"{}""#, kid(SECRET));

    // The header.
    for alg in ["none", "None", "nOnE", "NONE", "HS384", "HS512", "RS256", "ES256", "EdDSA", "", "hs256"] {
        let forged = good.header(&format!(r#"{{"typ":"JWT","alg":"{alg}",{kid_member}}}"#));
        add(&format!("alg {alg:?}, signed with HS256"), forged.token());
        add(&format!("alg {alg:?}, without a signature"), format!("{}.", forged.message()));
    }
    for (what, header) in [
        ("no alg", format!(r#"{{"typ":"JWT",{kid_member}}}"#)),
        ("typ of a logout token", format!(r#"{{"typ":"logout+jwt","alg":"HS256",{kid_member}}}"#)),
        ("alg twice", format!(r#"{{"typ":"JWT","alg":"HS256","alg":"none",{kid_member}}}"#)),
        ("no kid", r#"{"typ":"JWT","alg":"HS256"}"#.to_owned()),
        ("an unknown kid", r#"{"typ":"JWT","alg":"HS256","kid":"00000000"}"#.to_owned()),
        ("an empty kid", r#"{"typ":"JWT","alg":"HS256","kid":""}"#.to_owned()),
        ("a kid that is a path", r#"{"typ":"JWT","alg":"HS256","kid":"../../../../dev/null"}"#.to_owned()),
        ("a kid that is SQL", r#"{"typ":"JWT","alg":"HS256","kid":"' OR 1=1 --"}"#.to_owned()),
        ("a kid that is a number", r#"{"typ":"JWT","alg":"HS256","kid":7}"#.to_owned()),
        ("a header that is a list", "[]".to_owned()),
        ("a header that is no JSON", "{".to_owned()),
    ] {
        add(what, good.header(&header).token());
    }
    for member in [
        r#""jku":"https://evil.example/keys""#,
        r#""jwk":{"kty":"oct","k":"AAAA"}"#,
        r#""x5u":"https://evil.example/cert""#,
        r#""x5c":["MIIB"]"#,
        r#""crit":["exp"]"#,
        r#""b64":false,"crit":["b64"]"#,
        r#""zip":"DEF""#,
        r#""cty":"JWT""#,
    ] {
        add(&format!("header member {member}"), good.also(member).token());
    }

    // The signature.
    let (message, signature) = (good.message(), good.signature());
    let signed = |bytes: &[u8]| format!("{message}.{}", URL_SAFE_NO_PAD.encode(bytes));
    add("no signature", format!("{message}."));
    add("a truncated signature", signed(&signature[..31]));
    add("a signature of one byte", signed(&signature[..1]));
    add("an extended signature", signed(&[signature.as_slice(), &[0]].concat()));
    add("a signature of zeros", signed(&[0; 32]));
    add("another key", Forged { key: key("another-secret-key-another-secret-key"), ..good.clone() }.token());
    add("the previous key under the present one's name", Forged { key: key(OLD_SECRET), ..good.clone() }.token());
    add("SECRET_KEY itself as the key", Forged { key: SECRET.as_bytes().to_vec(), ..good.clone() }.token());
    add("an empty key", Forged { key: Vec::new(), ..good.clone() }.token());
    let other = good.claim("sub", json!("1"));
    add("a swapped payload", format!("{}.{}", other.message(), URL_SAFE_NO_PAD.encode(&signature)));

    // The claims.
    for name in ["iss", "aud", "sub", "exp", "iat", "nbf", "jti", "typ", "cv"] {
        add(&format!("no {name}"), good.without(name).token());
        add(&format!("{name} is null"), good.claim(name, Value::Null).token());
        add(&format!("{name} is a boolean"), good.claim(name, json!(true)).token());
        add(&format!("{name} is an object"), good.claim(name, json!({})).token());
    }
    let now = now();
    for (name, value) in [
        ("iss", json!("Elsewhere")),
        ("iss", json!("")),
        ("iss", json!(["Stockroom"])),
        ("aud", json!("Elsewhere")),
        ("aud", json!(["Stockroom"])),
        ("aud", json!(["Stockroom", "Elsewhere"])),
        ("aud", json!("stockroom")),
        ("exp", json!(now - 60)),
        ("exp", json!((now + 600).to_string())),
        ("exp", json!((now + 600) as f64 + 0.5)),
        ("exp", json!(-1)),
        ("exp", json!(0)),
        ("exp", json!(i64::MAX)),
        ("exp", json!(u64::MAX)),
        ("exp", json!(now + 10 * 365 * 24 * 3_600)),
        ("iat", json!(now + 120)),
        ("iat", json!(now.to_string())),
        ("iat", json!(now as f64 + 0.5)),
        ("iat", json!(i64::MIN)),
        ("nbf", json!(now + 120)),
        ("nbf", json!(now.to_string())),
        ("nbf", json!(now as f64 + 0.5)),
        ("jti", json!("")),
        ("jti", json!(7)),
        ("typ", json!("refresh")),
        ("typ", json!("reset")),
        ("typ", json!("invitation")),
        ("typ", json!("Access")),
        ("typ", json!("")),
        ("sub", json!("ada_admin")),
        ("sub", json!("0")),
        ("sub", json!("-1")),
        ("sub", json!("+2")),
        ("sub", json!("02")),
        ("sub", json!(" 2")),
        ("sub", json!("2.0")),
        ("sub", json!("2\0")),
        ("sub", json!("2 OR 1=1")),
        ("sub", json!("9223372036854775807")),
        ("sub", json!("9223372036854775808")),
        ("sub", json!("9999999")),
        ("sub", json!("")),
        ("sub", json!(2)),
        ("cv", json!(-1)),
        ("cv", json!("0")),
        ("cv", json!(0.5)),
        ("fp", json!("00")),
    ] {
        add(&format!("{name} is {value}"), good.claim(name, value.clone()).token());
    }
    let doubled =
        |member: &str| Forged { payload: format!("{},{member}}}", good.payload.trim_end_matches('}')), ..good.clone() };
    add("sub twice", doubled(r#""sub":"1""#).token());
    add("exp twice", doubled(r#""exp":99999999999"#).token());
    add(
        "exp in scientific notation",
        Forged { payload: good.payload.replace(&format!("{}", now + 600), "2e9"), ..good.clone() }.token(),
    );
    add("bytes after the claims", Forged { payload: format!("{} x", good.payload), ..good.clone() }.token());
    add("claims that are a list", Forged { payload: "[]".to_owned(), ..good.clone() }.token());
    add("claims that are no JSON", Forged { payload: "x".to_owned(), ..good.clone() }.token());
    add("no claims", Forged { payload: String::new(), ..good.clone() }.token());

    // The spelling.
    let token = good.token();
    let parts: Vec<&str> = token.split('.').collect();
    let resigned = |message: String| {
        let signature = URL_SAFE_NO_PAD.encode(hmac(&good.key, message.as_bytes()));
        format!("{message}.{signature}")
    };
    add("a padded signature", format!("{message}.{}", URL_SAFE.encode(&signature)));
    // 1 or 2 bytes short of a multiple of three, whatever the claims' length is.
    let odd = (1..=3).map(|n| format!("{}{}", good.payload, " ".repeat(n))).find(|p| p.len() % 3 != 0).unwrap();
    add("padded claims", resigned(format!("{}.{}", parts[0], URL_SAFE.encode(odd))));
    let question = good.claim("jti", json!("???>>>~~~ÿÿÿ")).payload;
    let standard = (0..3)
        .map(|n| STANDARD_NO_PAD.encode(format!("{}{question}", " ".repeat(n))))
        .find(|text| text.contains(['+', '/']))
        .unwrap();
    add("claims in base64's other alphabet", resigned(format!("{}.{standard}", parts[0])));
    let mut loose = parts[2].to_owned();
    let last = loose.pop().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let next = alphabet.find(last).unwrap() ^ 1;
    loose.push(alphabet.as_bytes()[next] as char);
    add("a signature with bits to spare", format!("{message}.{loose}"));
    add("a space inside", format!("{}. {}.{}", parts[0], parts[1], parts[2]));
    add("a tab inside", format!("{}.{}.\t{}", parts[0], parts[1], parts[2]));
    add("a space in a part", token.replacen("eyJ", "ey J", 1));
    add("two segments", message.clone());
    add("four segments", format!("{token}.{}", parts[2]));
    add("five segments, as an encrypted one has", format!("{token}.AAAA.AAAA"));
    add("a dot before", format!(".{token}"));
    add("a dot after", format!("{token}."));
    add("only dots", "..".to_owned());
    add("four dots", "....".to_owned());
    add("one word", "x".to_owned());
    add("in quotes", format!("\"{token}\""));
    add("percent-encoded", token.replace('.', "%2E"));
    add("twice", format!("{token} {token}"));
    add("twice with a comma", format!("{token}, Bearer {token}"));
    add("3 000 bytes", "x".repeat(3_000));
    add("a signature of 60 KB", format!("{message}.{}", "A".repeat(60_000)));
    add("60 KB of dots", ".".repeat(60_000));
    bad
}

fn a_bad_token_is_401_whatever_is_wrong_with_it(kind: Kind) {
    let server = &Place::furnished(kind).with("SECRET_KEY_PREVIOUS", OLD_SECRET).serve();
    let version = |id: i64| server.db().number(&format!("SELECT credentials_version AS n FROM users WHERE id = {id}"));
    let good = Forged::good(Who::User.id(), version(2));
    // What is not bad is good: so each of the others is bad for its own reason alone.
    assert_eq!(status(server, "the forged good one", &bearer(&good.token())), 200);

    let bad = bad_tokens(&good);
    assert!(bad.len() > 120, "{}", bad.len());
    for (what, token) in &bad {
        assert_eq!(status(server, what, &bearer(token)), 401, "{what}: {token}");
    }

    // The header line around it.
    let token = good.token();
    let lines: Vec<(&str, String)> = vec![
        ("Basic", format!("Authorization: Basic {token}\r\n")),
        ("Basic of a name and a password", "Authorization: Basic dW1hX3VzZXI6Q29ycmVjdDFob3JzZQ==\r\n".to_owned()),
        ("Digest", "Authorization: Digest username=\"uma_user\"\r\n".to_owned()),
        ("Token", format!("Authorization: Token {token}\r\n")),
        ("Bearer without a token", "Authorization: Bearer\r\n".to_owned()),
        ("Bearer and spaces", "Authorization: Bearer   \r\n".to_owned()),
        ("no scheme", format!("Authorization: {token}\r\n")),
        ("Bearer with a tab", format!("Authorization: Bearer\t{token}\r\n")),
        ("Bearer with a colon", format!("Authorization: Bearer: {token}\r\n")),
        ("Bearer grown together", format!("Authorization: Bearer{token}\r\n")),
        ("an empty value", "Authorization:\r\n".to_owned()),
        ("Bearer twice", format!("Authorization: Bearer Bearer {token}\r\n")),
        ("lower case with a bad token", "Authorization: bearer a.b.c\r\n".to_owned()),
        ("two lines, both good", format!("Authorization: Bearer {token}\r\nAuthorization: Bearer {token}\r\n")),
        ("two lines, a good one first", format!("Authorization: Bearer {token}\r\nAuthorization: Bearer x\r\n")),
        ("two lines, a bad one first", format!("Authorization: Bearer x\r\nauthorization: Bearer {token}\r\n")),
        ("nothing but a cookie", format!("Cookie: stockroom_session={token}; access_token={token}\r\n")),
        ("nothing at all", String::new()),
    ];
    for (what, lines) in &lines {
        assert_eq!(status(server, what, lines.as_bytes()), 401, "{what}");
    }
    let latin = [b"Authorization: Bearer \xff\xfe".as_slice(), token.as_bytes(), b"\r\n"].concat();
    assert_eq!(status(server, "bytes that are no text", &latin), 401);
    for lines in [format!("authorization: bearer {token}\r\n"), format!("AUTHORIZATION: BEARER {token} \r\n")] {
        assert_eq!(status(server, &lines, lines.as_bytes()), 200);
    }
    // No credential is ever read from a URL.
    server.get(&format!("/api/v1/users/me?access_token={token}&token={token}")).send().problem(401);

    // The bad user.
    for id in [version(2) + 1, version(2) - 1] {
        let forged = good.claim("cv", json!(id));
        assert_eq!(status(server, "an older or younger credentials_version", &bearer(&forged.token())), 401);
    }
    let body = json!({"username": "uma_user", "password": PASSWORD});
    let login = server.post("/api/v1/auth/login").json(&body).send().expect(200).json();
    let refresh = login["refresh_token"].as_str().unwrap();
    assert_eq!(status(server, "a refresh token", &bearer(refresh)), 401);
    let admin = server.admin();
    admin.patch("/api/v1/users/3", &json!({"is_active": false})).send().expect(200);
    let inactive = Forged::good(3, version(3));
    assert_eq!(status(server, "a deactivated user, with the right version", &bearer(&inactive.token())), 401);
    admin.patch("/api/v1/users/3", &json!({"is_active": true})).send().expect(200);
    let active = Forged::good(3, version(3));
    assert_eq!(status(server, "active again", &bearer(&active.token())), 200);
    let guest = Forged::good(4, version(4));
    admin.delete("/api/v1/users/4").send().expect(204);
    assert_eq!(status(server, "a deleted user", &bearer(&guest.token())), 401);
    assert_eq!(status(server, "the good one still", &bearer(&token)), 200);
}

fn after_a_change_of_the_key_old_tokens_live_on_and_new_ones_have_the_new_key(kind: Kind) {
    let place = Place::furnished(kind).with("SECRET_KEY", OLD_SECRET);
    let server = place.serve();
    let old = server.login("uma_user", PASSWORD);
    let header = |token: &str| -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap()).unwrap()
    };
    assert_eq!(header(&old)["kid"], kid(OLD_SECRET));
    let (_, mut place) = server.stop();
    place.set("SECRET_KEY", SECRET);
    place.set("SECRET_KEY_PREVIOUS", OLD_SECRET);
    let shown = place.run(&["config"]).expect(0).stdout;
    assert!(shown.contains("SECRET_KEY_PREVIOUS") && !shown.contains(OLD_SECRET), "{shown}");
    let server = place.serve();
    server.get("/api/v1/users/me").bearer(&old).send().expect(200);
    let new = server.login("uma_user", PASSWORD);
    assert_eq!(header(&new)["kid"], kid(SECRET));
    server.get("/api/v1/users/me").bearer(&new).send().expect(200);
    // What the previous key has signed expires as ever.
    let version = server.db().number("SELECT credentials_version AS n FROM users WHERE id = 2");
    let past = Forged {
        header: format!(r#"{{"typ":"JWT","alg":"HS256","kid":"{}"}}"#, kid(OLD_SECRET)),
        key: key(OLD_SECRET),
        ..Forged::good(2, version).claim("exp", json!(now() - 60)).claim("iat", json!(now() - 120))
    };
    assert_eq!(status(&server, "expired, of the previous key", &bearer(&past.token())), 401);
    assert_eq!(status(&server, "its like in time", &bearer(&past.claim("exp", json!(now() + 60)).token())), 200);
    let (_, mut place) = server.stop();
    place.set("SECRET_KEY_PREVIOUS", "(unset)");
    let server = place.serve();
    server.get("/api/v1/users/me").bearer(&old).send().problem(401);
    server.get("/api/v1/users/me").bearer(&new).send().expect(200);
}

#[test]
fn a_previous_key_that_is_too_short_is_refused_without_being_shown() {
    let ran = Place::empty(Kind::Sqlite).with("SECRET_KEY_PREVIOUS", "short-one").refuses().expect(1);
    assert!(ran.stderr.contains("SECRET_KEY_PREVIOUS") && !ran.stderr.contains("short-one"), "{}", ran.stderr);
}
