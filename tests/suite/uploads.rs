//! Uploads by JSON: what is taken, what is refused while it comes, who sees it, and what is left behind.

use crate::support::{Answer, Kind, Place, Server, Who, data::shape, on_both, on_each_database, wait_for, wire::Wire};
use insta::{allow_duplicates, assert_snapshot};
use serde_json::{Value, json};
use sha2::Digest as _;
use std::{path::PathBuf, time::Duration};

on_both! {
    a_file_is_sent_read_and_deleted,
    the_kind_of_a_file_is_told_by_its_content,
    names_of_files_are_cleaned,
    a_body_that_is_no_file_is_refused,
    what_is_too_large_is_refused_while_it_comes,
    an_upload_is_its_owners_alone,
    an_upload_that_is_sent_again_is_one,
    uploads_are_listed,
    a_range_of_a_file_is_served,
    a_file_can_do_nothing_where_it_is_shown,
    an_image_gets_a_thumbnail,
    a_thumbnail_stands_upright,
    what_cannot_be_decoded_has_no_thumbnail,
    an_owner_who_is_deleted_gives_the_uploads_away,
    an_upload_is_undone_and_its_deletion_is_not,
}

on_each_database! {
    a_quota_holds_also_when_many_send_at_once,
    what_a_killed_server_left_is_swept,
}

/// An image of one colour, as PNG.
pub fn png(width: u32, height: u32) -> Vec<u8> {
    encoded(&image::RgbImage::from_pixel(width, height, image::Rgb([200, 30, 30])).into(), image::ImageFormat::Png)
}

fn encoded(image: &image::DynamicImage, format: image::ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A multipart body of these parts (name, file name, content), and its type.
pub fn multipart(parts: &[(&str, Option<&str>, &[u8])]) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    for (name, filename, content) in parts {
        let quoted = |f: &str| format!("; filename=\"{}\"", f.replace('\\', "\\\\"));
        let filename = filename.map(quoted).unwrap_or_default();
        body.extend(format!("--b0undary\r\nContent-Disposition: form-data; name=\"{name}\"{filename}\r\n\r\n").bytes());
        body.extend_from_slice(content);
        body.extend(b"\r\n");
    }
    body.extend(b"--b0undary--\r\n");
    ("multipart/form-data; boundary=b0undary".to_owned(), body)
}

pub fn upload(server: &Server, who: Who, name: &str, content: &[u8]) -> Answer {
    let (kind, body) = multipart(&[("file", Some(name), content)]);
    server.as_who(who).call("POST", "/api/v1/uploads").body(&kind, body).send()
}

/// The thumbnail of the user's upload, when it is there.
pub fn thumbnail_of(server: &Server, id: &Value) -> Answer {
    wait_for("a thumbnail", Duration::from_secs(20), || {
        let answer = server.user().get(&format!("/api/v1/uploads/{id}/thumbnail")).send();
        if answer.status == 404 {
            assert_eq!(answer.must("retry-after"), "1");
            return None;
        }
        Some(answer.expect(200))
    })
}

/// The files in the storage.
fn files(place: &Place) -> Vec<PathBuf> {
    let folder = place.path("data/uploads");
    let read = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    read(folder.clone()).chain(read(folder.join("partial"))).filter(|path| path.is_file()).collect()
}

fn no_file_is_left(server: &Server) {
    wait_for("an empty folder", Duration::from_secs(10), || files(server.place()).is_empty().then_some(()));
}

fn a_file_is_sent_read_and_deleted(server: &Server) {
    let content = png(5, 3);
    let made = upload(server, Who::User, "red.png", &content).expect(201);
    let mut seen = made.json();
    assert_eq!(seen["data"]["sha256"], hex::encode(sha2::Sha256::digest(&content)));
    assert_eq!(seen["data"]["size"], content.len());
    seen["data"]["sha256"] = json!("[sha256]");
    seen["data"]["size"] = json!("[size]");
    allow_duplicates! {
        assert_snapshot!(shape(&seen), @r#"
    {
      "success": true,
      "message": "File uploaded successfully",
      "data": {
        "id": 1,
        "filename": "red.png",
        "content_type": "image/png",
        "size": "[size]",
        "sha256": "[sha256]",
        "owner_id": 2,
        "created_at": "[created_at]",
        "url": "/api/v1/uploads/1/content",
        "thumbnail_url": "/api/v1/uploads/1/thumbnail"
      }
    }
    "#);
    }
    let path = made.must("location");
    let read = server.user().get(&path).send().expect(200);
    assert_eq!((read.data(), read.must("etag")), (made.data(), made.must("etag")));
    let file = server.user().get(&format!("{path}/content")).send().expect(200);
    assert_eq!(file.body, content);
    assert_eq!(file.must("content-type"), "image/png");
    assert_eq!(file.must("content-length"), content.len().to_string());
    let again = server.user().get(&format!("{path}/content")).header("if-none-match", file.must("etag")).send();
    assert_eq!(again.expect(304).body, b"");
    // On disk it is nobody else's to read, under a name that nobody chose.
    let stored = files(server.place());
    assert!(!stored.is_empty());
    for file in &stored {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
        assert!(!file.to_str().unwrap().contains("red"));
    }
    thumbnail_of(server, &made.data()["id"]);
    server.user().delete(&path).header("if-match", "\"7\"").send().problem(412);
    server.user().delete(&path).send().expect(204);
    for gone in [&path, &format!("{path}/content"), &format!("{path}/thumbnail")] {
        server.user().get(gone).send().problem(404);
    }
    no_file_is_left(server);
}

fn the_kind_of_a_file_is_told_by_its_content(server: &Server) {
    let image: image::DynamicImage = image::RgbImage::from_pixel(4, 4, image::Rgb([9, 9, 9])).into();
    for (content, kind) in [
        (encoded(&image, image::ImageFormat::Jpeg), "image/jpeg"),
        (encoded(&image, image::ImageFormat::Png), "image/png"),
        (encoded(&image, image::ImageFormat::WebP), "image/webp"),
        (b"%PDF-1.7\n%%EOF\n".to_vec(), "application/pdf"),
    ] {
        let made = upload(server, Who::User, "what.exe", &content).expect(201).data();
        assert_eq!((made["content_type"].as_str(), made["filename"].as_str()), (Some(kind), Some("what.exe")));
    }
    let mut hidden = b"<script>alert(1)</script>".to_vec();
    hidden.extend(b"%PDF-1.7");
    for content in [
        &b"<html><script>alert(1)</script></html>"[..],
        b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
        b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00",
        b"MZ\x90\x00 an executable of Windows",
        b"\x7fELF and one of Linux here",
        b"PK\x03\x04 a zip file, not more",
        b"\x89PN",
        b"short",
        b"XXXX\x00\x00\x00\x00WEBPVP8 is no RIFF",
        &hidden,
    ] {
        upload(server, Who::User, "picture.png", content).problem(415);
    }
    assert_eq!(server.db().count("uploads"), 4);
    wait_for("the files of four uploads alone", Duration::from_secs(20), || {
        // One each, and a thumbnail of the images.
        (files(server.place()).len() == 7).then_some(())
    });
}

fn names_of_files_are_cleaned(server: &Server) {
    let long = format!("{}.png", "ä".repeat(300));
    for (sent, kept) in [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\pic.png", "pic.png"),
        ("  spaced name.png . ", "spaced name.png"),
        ("gpj.\u{202E}exe.png", "gpj.exe.png"),
        ("..", "upload.png"),
        ("", "upload.png"),
        (".htaccess", ".htaccess"),
        ("Größe 😀.png", "Größe 😀.png"),
        (long.as_str(), &format!("{}.png", "ä".repeat(251))),
    ] {
        let made = upload(server, Who::User, sent, &png(2, 2)).expect(201);
        assert_eq!(made.data()["filename"], kept, "{sent:?}");
        let content = server.user().get(&format!("{}/content", made.must("location"))).send().expect(200);
        assert!(content.must("content-disposition").starts_with("inline; filename*=UTF-8''"));
    }
}

fn a_body_that_is_no_file_is_refused(server: &Server) {
    let send = |kind: &str, body: Vec<u8>| server.user().call("POST", "/api/v1/uploads").body(kind, body).send();
    server.user().post("/api/v1/uploads", &json!({"file": "x"})).send().problem(415);
    send("multipart/mixed; boundary=b0undary", multipart(&[]).1).problem(415);
    send("multipart/form-data", multipart(&[]).1).problem(400);
    let (kind, body) = multipart(&[("other", None, b"text")]);
    send(&kind, body).refused_at(&["file"]);
    let (kind, body) = multipart(&[("file", Some("a.png"), b"")]);
    send(&kind, body).refused_at(&["file"]);
    let (kind, body) = multipart(&[("file", Some("a.png"), &png(2, 2)), ("file", Some("b.png"), &png(2, 2))]);
    send(&kind, body).refused_at(&["file"]);
    let (kind, mut body) = multipart(&[("file", Some("a.png"), &png(2, 2))]);
    body.truncate(body.len() - 20);
    send(&kind, body).problem(400);
    send("multipart/form-data; boundary=b0undary", b"no boundary in here".to_vec()).problem(400);
    assert_eq!(server.db().count("uploads"), 0);
    no_file_is_left(server);
    // Other fields are ignored.
    let (kind, body) = multipart(&[("note", None, b"hello"), ("file", Some("a.png"), &png(2, 2)), ("x", None, b"y")]);
    send(&kind, body).expect(201);
}

fn what_is_too_large_is_refused_while_it_comes(server: &Server) {
    const MAX: usize = 10 * 1024 * 1024;
    let mut file = png(2, 2);
    file.resize(MAX, 0);
    assert_eq!(upload(server, Who::User, "max.png", &file).expect(201).data()["size"], MAX);
    let token = server.token(Who::User);
    let head = |length: &str| {
        format!(
            "POST /api/v1/uploads HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: multipart/form-data; boundary=b\r\n{length}\r\n",
            server.url.trim_start_matches("http://")
        )
    };
    let part = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n";
    // Said to be too large: nothing of it is read.
    let mut wire = Wire::open(server.port);
    wire.send(head("Content-Length: 20000000\r\n").as_bytes());
    wire.answers(1).remove(0).problem(413);
    // Not said: refused when the bound is passed, though the body would never end.
    let mut wire = Wire::open(server.port);
    wire.send(head("Transfer-Encoding: chunked\r\n").as_bytes());
    let chunk = |bytes: &[u8]| [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
    wire.send(&chunk(part.as_bytes()));
    file.truncate(1024 * 1024);
    for _ in 0..11 {
        wire.send(&chunk(&file));
    }
    wire.answers(1).remove(0).problem(413);
    // Broken off in the middle: nothing is left.
    let mut wire = Wire::open(server.port);
    wire.send(head("Content-Length: 5000000\r\n").as_bytes());
    wire.send(part.as_bytes());
    wire.send(&file);
    wait_for("the beginning of a file", Duration::from_secs(10), || {
        (std::fs::read_dir(server.place().path("data/uploads/partial")).unwrap().count() > 0).then_some(())
    });
    drop(wire);
    wait_for("its end", Duration::from_secs(10), || {
        (std::fs::read_dir(server.place().path("data/uploads/partial")).unwrap().count() == 0).then_some(())
    });
    assert_eq!(server.db().count("uploads"), 1);
}

fn an_upload_is_its_owners_alone(server: &Server) {
    let made = upload(server, Who::User, "a.png", &png(2, 2)).expect(201);
    let path = made.must("location");
    for of_it in [path.clone(), format!("{path}/content"), format!("{path}/thumbnail")] {
        server.get(&of_it).send().problem(404);
        for who in [Who::Other, Who::Guest] {
            server.as_who(who).get(&of_it).send().problem(404);
        }
    }
    for who in [Who::Other, Who::Guest] {
        server.as_who(who).delete(&path).send().problem(404);
    }
    upload(server, Who::Guest, "a.png", &png(2, 2)).problem(403);
    let (kind, body) = multipart(&[("file", Some("a.png"), &png(2, 2))]);
    server.post("/api/v1/uploads").body(&kind, body).send().problem(401);
    for folder in ["/uploads/", "/data/uploads/", "/api/v1/uploads/../../data/uploads"] {
        assert!([401, 404].contains(&server.get(folder).send().status));
    }
    server.admin().get(&format!("{path}/content")).send().expect(200);
    server.admin().delete(&path).send().expect(204);
}

fn an_upload_that_is_sent_again_is_one(server: &Server) {
    let send = |name: &str, boundary: &str| {
        let (kind, body) = multipart(&[("file", Some(name), b"%PDF-1.7\n")]);
        let body = String::from_utf8(body).unwrap().replace("b0undary", boundary);
        let call = server.user().call("POST", "/api/v1/uploads").body(&kind.replace("b0undary", boundary), body);
        call.header("idempotency-key", "one").send()
    };
    let first = send("a.pdf", "one").expect(201);
    let again = send("a.pdf", "another").expect(201);
    assert_eq!((again.data(), again.must("idempotent-replayed").as_str()), (first.data(), "true"));
    send("b.pdf", "one").problem(422);
    assert_eq!(server.db().count("uploads"), 1);
    assert_eq!(files(server.place()).len(), 1, "of what was sent again nothing is left");
}

fn uploads_are_listed(server: &Server) {
    for name in ["b.png", "a.png", "c.png"] {
        upload(server, Who::User, name, &png(2, 2)).expect(201);
    }
    upload(server, Who::Other, "other.png", &png(2, 2)).expect(201);
    let names = |who: Who, query: &str| -> Vec<String> {
        let page = server.as_who(who).get(&format!("/api/v1/uploads{query}")).send().expect(200).json();
        let rows = page["data"].as_array().unwrap();
        rows.iter().map(|row| row["filename"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(Who::User, ""), ["c.png", "a.png", "b.png"], "newest first");
    assert_eq!(names(Who::User, "?sort=filename"), ["a.png", "b.png", "c.png"]);
    assert_eq!(names(Who::User, "?sort=created_at&page=2&page_size=2"), ["c.png"]);
    assert_eq!(names(Who::Other, ""), ["other.png"]);
    assert_eq!(names(Who::Other, "?owner_id=2"), Vec::<String>::new());
    assert_eq!(names(Who::Guest, ""), Vec::<String>::new());
    assert_eq!(names(Who::Admin, "?sort=id"), ["b.png", "a.png", "c.png", "other.png"]);
    assert_eq!(names(Who::Admin, "?owner_id=3"), ["other.png"]);
    server.get("/api/v1/uploads").send().problem(401);
    server.user().get("/api/v1/uploads?sort=sha256").send().refused_at(&["sort"]);
    let (mut walked, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.admin().get(&format!("/api/v1/uploads?limit=1&sort=size{cursor}")).send().expect(200).json();
        walked.push(page["data"][0]["id"].as_i64().unwrap());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(walked, [1, 2, 3, 4]);
}

fn a_range_of_a_file_is_served(server: &Server) {
    let content = png(40, 40);
    let path = format!("{}/content", upload(server, Who::User, "a.png", &content).expect(201).must("location"));
    let part = |range: &str| server.user().get(&path).header("range", range).send();
    let some = part("bytes=10-19").expect(206);
    assert_eq!(some.body, content[10..20]);
    assert_eq!(some.must("content-range"), format!("bytes 10-19/{}", content.len()));
    assert_eq!(part("bytes=-5").expect(206).body, content[content.len() - 5..]);
    assert_eq!(part("bytes=20-").expect(206).body, content[20..]);
    part("bytes=999999-").expect(416);
    assert_eq!(part("lines=1-2").expect(200).body, content);
    let whole = server.user().call("HEAD", &path).send().expect(200);
    assert_eq!((whole.body.len(), whole.must("accept-ranges").as_str()), (0, "bytes"));
    assert_eq!(whole.must("content-length"), content.len().to_string());
}

fn a_file_can_do_nothing_where_it_is_shown(server: &Server) {
    let image = upload(server, Who::User, "a.png", &png(2, 2)).expect(201).must("location");
    let pdf = upload(server, Who::User, "a.pdf", b"%PDF-1.7\n<script>alert(1)</script>").expect(201).must("location");
    for (path, disposition) in [(&image, "inline"), (&pdf, "attachment")] {
        let file = server.user().get(&format!("{path}/content")).send().expect(200);
        assert!(file.must("content-security-policy").starts_with("sandbox; default-src 'none'"));
        assert_eq!(file.must("x-content-type-options"), "nosniff");
        assert_eq!(file.must("cache-control"), "no-store", "a credential was used");
        assert!(file.must("content-disposition").starts_with(disposition));
    }
    server.user().get(&format!("{pdf}/thumbnail")).send().problem(404);
    // Never what a link leads to.
    let place = server.place();
    let secret = place.write("secret.txt", "secret");
    let key = server.db().texts("SELECT key AS s FROM uploads WHERE id = 2").remove(0);
    let stored = place.path("data/uploads").join(&key);
    std::fs::remove_file(&stored).unwrap();
    std::os::unix::fs::symlink(&secret, &stored).unwrap();
    let answer = server.user().get(&format!("{pdf}/content")).send();
    assert!(answer.status >= 400 && !answer.text().contains("secret"), "{}", answer.text());
}

fn size_of(bytes: &[u8]) -> (u32, u32) {
    let image = image::load_from_memory(bytes).unwrap();
    (image.width(), image.height())
}

fn an_image_gets_a_thumbnail(server: &Server) {
    let made = |content: &[u8]| upload(server, Who::User, "a", content).expect(201).data()["id"].clone();
    let wide = thumbnail_of(server, &made(&png(1_000, 500)));
    assert_eq!((size_of(&wide.body), wide.must("content-type").as_str()), ((400, 200), "image/jpeg"));
    assert!(!wide.must("etag").is_empty());
    let small = thumbnail_of(server, &made(&png(30, 60)));
    assert_eq!(size_of(&small.body), (30, 60), "never larger than the image");
    let clear: image::DynamicImage = image::RgbaImage::from_pixel(500, 900, image::Rgba([1, 2, 3, 4])).into();
    let clear = thumbnail_of(server, &made(&encoded(&clear, image::ImageFormat::WebP)));
    assert_eq!((size_of(&clear.body), clear.must("content-type").as_str()), ((222, 400), "image/png"));
}

fn a_thumbnail_stands_upright(server: &Server) {
    // Red on the left, blue on the right; EXIF says: turn it by 90 degrees, so red comes to the top.
    let image =
        image::RgbImage::from_fn(64, 32, |x, _| if x < 32 { image::Rgb([255, 0, 0]) } else { image::Rgb([0, 0, 255]) });
    let plain = encoded(&image.into(), image::ImageFormat::Jpeg);
    let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec();
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    let mut turned = vec![0xff, 0xd8, 0xff, 0xe1, length[0], length[1]];
    turned.append(&mut exif);
    turned.extend_from_slice(&plain[2..]);
    let id = upload(server, Who::User, "turned.jpg", &turned).expect(201).data()["id"].clone();
    let thumbnail = image::load_from_memory(&thumbnail_of(server, &id).body).unwrap().into_rgb8();
    assert_eq!((thumbnail.width(), thumbnail.height()), (32, 64));
    let (top, bottom) = (thumbnail.get_pixel(16, 8), thumbnail.get_pixel(16, 56));
    assert!(top[0] > 200 && top[2] < 60 && bottom[2] > 200 && bottom[0] < 60, "{top:?} {bottom:?}");
}

fn what_cannot_be_decoded_has_no_thumbnail(server: &Server) {
    // Heads that promise more than there is memory for, in files of a few bytes: by a side, and by both together.
    let promising = |side: u32| {
        let mut bomb = png(4, 4);
        bomb[16..20].copy_from_slice(&side.to_be_bytes());
        bomb[20..24].copy_from_slice(&side.to_be_bytes());
        let mut crc = flate2::Crc::new();
        crc.update(&bomb[12..29]);
        bomb[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        bomb
    };
    let broken = [&png(4, 4)[..20], b"rubbish"].concat();
    for content in [promising(60_000), promising(9_999), broken] {
        let id = upload(server, Who::User, "a.png", &content).expect(201).data()["id"].clone();
        let path = format!("/api/v1/uploads/{id}");
        let last = wait_for("the verdict", Duration::from_secs(30), || {
            let answer = server.user().get(&format!("{path}/thumbnail")).send();
            answer.header("retry-after").is_none().then_some(answer)
        });
        last.problem(404);
        assert_eq!(server.user().get(&format!("{path}/content")).send().expect(200).body, content, "it is kept");
    }
    let parked = || server.db().number("SELECT count(*) AS n FROM jobs WHERE parked_at IS NOT NULL AND attempts = 1");
    wait_for("three parked jobs", Duration::from_secs(10), || (parked() == 3).then_some(()));
}

fn an_owner_who_is_deleted_gives_the_uploads_away(server: &Server) {
    let path = upload(server, Who::User, "a.png", &png(2, 2)).expect(201).must("location");
    let user = format!("/api/v1/users/{}", Who::User.id());
    let problem = server.admin().delete(&user).send().problem(409);
    assert_eq!(problem["detail"], "uma_user still owns 1 upload. Give them to somebody with reassign_to.");
    server.admin().delete(&format!("{user}?reassign_to={}", Who::Other.id())).send().expect(204);
    let other = server.as_who(Who::Other);
    assert_eq!(other.get(&path).send().expect(200).data()["owner_id"], Who::Other.id());
    let last = server.db().number("SELECT max(id) AS n FROM changesets");
    server.admin().post(&format!("/api/v1/audit/{last}/revert"), &json!({})).send().expect(200);
    other.get(&path).send().problem(404);
    assert_eq!(server.admin().get(&path).send().data()["owner_id"], Who::User.id());
}

fn an_upload_is_undone_and_its_deletion_is_not(server: &Server) {
    let undo = || {
        let last = server.db().number("SELECT max(id) AS n FROM changesets");
        server.admin().post(&format!("/api/v1/audit/{last}/revert"), &json!({})).send()
    };
    let pdf = b"%PDF-1.7\n";
    let path = upload(server, Who::User, "a.pdf", pdf).expect(201).must("location");
    undo().expect(200);
    server.admin().get(&path).send().problem(404);
    no_file_is_left(server);
    let path = upload(server, Who::User, "b.pdf", pdf).expect(201).must("location");
    server.user().delete(&path).send().expect(204);
    let problem = undo().problem(409);
    assert_eq!(problem["errors"][0]["type"], "impossible", "{problem}");
}

fn a_quota_holds_also_when_many_send_at_once(kind: Kind) {
    let file = [b"%PDF-1.7\n".to_vec(), vec![b' '; 991]].concat();
    let server = Place::furnished(kind).with("UPLOAD_QUOTA_BYTES", "5500").serve();
    server.token(Who::User);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let send = || upload(&server, Who::User, "a.pdf", &file).status;
        let calls: Vec<_> = (0..16).map(|_| scope.spawn(send)).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let made = statuses.iter().filter(|status| **status == 201).count();
    assert!(made == 5 && statuses.iter().all(|status| [201, 409].contains(status)), "{statuses:?}");
    assert_eq!(files(server.place()).len(), 5, "of those that were refused nothing is left");
    upload(&server, Who::Other, "a.pdf", &file).expect(201);
    let problem = upload(&server, Who::User, "a.pdf", &file).problem(409);
    assert!(problem["detail"].as_str().unwrap().contains("5500"), "{problem}");
    let own = server.user().get("/api/v1/uploads").send().rows();
    server.user().delete(&format!("/api/v1/uploads/{}", own[0]["id"])).send().expect(204);
    upload(&server, Who::User, "a.pdf", &file).expect(201);
}

fn what_a_killed_server_left_is_swept(kind: Kind) {
    let server = Place::furnished(kind).serve();
    let kept = upload(&server, Who::User, "a.png", &png(8, 8)).expect(201);
    thumbnail_of(&server, &kept.data()["id"]);
    let place = server.kill();
    let (half, orphan) = (place.path("data/uploads/partial/half"), place.path("data/uploads/0123456789abcdef"));
    // With one database for many servers, only what is old is certainly nobody's.
    let old = std::time::SystemTime::now() - Duration::from_secs(7_200);
    for path in [&half, &orphan] {
        std::fs::write(path, "left behind").unwrap();
        std::fs::File::options().write(true).open(path).unwrap().set_modified(old).unwrap();
    }
    let server = place.serve();
    assert!(!half.exists() && !orphan.exists());
    assert_eq!(files(server.place()).len(), 2, "the image and its thumbnail");
    server.user().get(&format!("{}/content", kept.must("location"))).send().expect(200);
}
