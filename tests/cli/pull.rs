//! Fetching weights from a server that may behave in any way, and from a file.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::binary::is_refusal;
use crate::place::{CACHED, ETAG, FILE, HASH, Place, fails, sha256, succeeds};
use crate::server::{self, Request, Server, answer};

#[test]
fn a_file_is_fetched_verified_converted_and_found() {
    let place = Place::new();
    let runs = ["run", "--weights", "imagenet", "--model", "resnet18", "--class", "4", "--dry-run"];
    let cure = "the ImageNet weights of resnet18 are missing (";
    place.refuses(&mut place.protogpu(&runs), cure);
    place.refuses(&mut place.protogpu(&runs), "): `protogpu weights pull resnet18` downloads them");
    let server = Server::new(|_, request| server::file(request, ETAG, &FILE));
    let (stdout, stderr) = succeeds(&mut place.pull(&server.url("resnet18.pth")));
    place.has_weights();
    let source = format!("  source   {}\n", server.url("resnet18.pth"));
    for line in [&source, "  licence  unknown: this is not the file that torchvision publishes\n", HASH.as_str()] {
        assert!(stdout.contains(line), "{stdout}");
    }
    assert!(stderr.starts_with("downloading http://127.0.0.1:"), "{stderr}");
    let requests = server.requests();
    assert_eq!((requests.len(), &requests[0].line[..]), (1, "GET /resnet18.pth"));
    assert!(requests[0].headers["user-agent"].starts_with("protogpu/"), "{requests:?}");
    assert!(!requests[0].headers.contains_key("range"), "{requests:?}");
    succeeds(&mut place.protogpu(&runs));
    succeeds(&mut place.protogpu(&["modules", "--weights", "imagenet"]));

    // There it is, and is not fetched again unless that is asked for.
    let before = std::fs::read(place.cache.path().join(CACHED)).unwrap();
    let (stdout, _) = succeeds(&mut place.protogpu(&["weights", "pull", "resnet18", "--json"]));
    let told: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&told["source_sha256"], &told["sha256"]), (&json!(*HASH), &json!(sha256(&before))));
    assert!(told["licence"].as_str().unwrap().starts_with("unknown"));
    assert_eq!(server.requests().len(), 1);
    succeeds(place.pull(&server.url("resnet18.pth")).arg("--force"));
    assert_eq!(server.requests().len(), 2);
    assert!(std::fs::read(place.cache.path().join(CACHED)).unwrap() == before);
}

#[test]
fn a_record_names_published_weights_so_that_it_runs_elsewhere() {
    let place = Place::new();
    std::fs::write(place.folder.path().join("w.pth"), &*FILE).unwrap();
    let (stdout, stderr) = succeeds(&mut place.pull("w.pth"));
    assert!(stdout.contains("(verified and converted)") && stderr.is_empty(), "{stdout}{stderr}");
    succeeds(&mut place.protogpu(&["run", "--weights", "imagenet", "--class", "3", "--steps", "1", "--quiet"]));
    let record = std::fs::read(place.folder.path().join("out/3_class_3_seed0/run.json")).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    assert_eq!(record["weights"]["model"], "resnet18");
    assert_eq!(record["weights"]["path"], "imagenet");
    let again = ["run", "--config", "out/3_class_3_seed0/run.json", "--out", "again", "--quiet"];
    succeeds(&mut place.protogpu(&again));
    let elsewhere = Place::new();
    let config = place.folder.path().join("out/3_class_3_seed0/run.json").display().to_string();
    elsewhere.refuses(&mut elsewhere.protogpu(&["run", "--config", &config]), "`protogpu weights pull resnet18`");
}

#[test]
fn what_broke_off_is_gone_on_with() {
    let place = Place::new();
    let half = FILE.len() / 2;
    // Breaks off once, then sends the rest.
    let server = Server::new(move |number, request| match number {
        0 => answer("200 OK", &["ETag: \"one\""], FILE.len(), &FILE[..half]),
        _ => server::file(request, ETAG, &FILE),
    });
    let (_, stderr) = succeeds(&mut place.pull(&server.url("w")));
    assert!(stderr.contains(&format!("broke off after {half} bytes")) && stderr.contains("resuming"), "{stderr}");
    place.has_weights();
    let [_, rest] = server.requests().try_into().unwrap();
    assert_eq!(rest.headers["range"], format!("bytes={half}-"));
    assert_eq!(rest.headers["if-range"], ETAG);
}

#[test]
fn a_server_that_goes_away_is_asked_again_by_the_next_command() {
    let place = Place::new();
    let (half, well) = (FILE.len() / 2, Arc::new(AtomicBool::new(false)));
    let is_well = Arc::clone(&well);
    let server = Server::new(move |_, request| {
        let whole = server::file(request, ETAG, &FILE);
        match (is_well.load(Ordering::SeqCst), request.headers.contains_key("range")) {
            (true, _) => whole,
            (false, true) => Vec::new(),
            (false, false) => answer("200 OK", &["ETag: \"one\""], FILE.len(), &FILE[..half]),
        }
    });
    let kept = format!(" after {half} bytes, which are kept; the same command resumes");
    fails(&mut place.pull(&server.url("w")), &kept);
    assert_eq!(place.cached(), ["resnet18-f37072fd.pth.part", "resnet18-f37072fd.pth.part.json"]);
    fails(&mut place.pull(&server.url("w")), &kept);
    well.store(true, Ordering::SeqCst);
    // Another address has another file.
    let other = Server::new(|_, request| server::file(request, ETAG, &FILE[..9]));
    is_refusal(place.folder.path(), &mut place.pull(&other.url("w")), "sent another file: its sha256 is ");
    assert!(!other.requests()[0].headers.contains_key("range"));
    assert!(place.cached().is_empty());
    succeeds(&mut place.pull(&server.url("w")));
    place.has_weights();
    // Nobody listens there.
    let url = "http://127.0.0.1:9/w";
    fails(place.pull(url).arg("--force"), "cannot download http://127.0.0.1:9/w: ");
    fails(
        place.pull(url).arg("--force"),
        "download the file on another machine, copy it across, and pass it with --from FILE",
    );
    place.has_weights();
}

/// A server on which a download broke off, and which then answers with `then`.
fn broken_off(then: impl Fn(&Request) -> Vec<u8> + Send + 'static) -> Server {
    let half = FILE.len() / 2;
    Server::new(move |number, request| match number {
        0 => answer("200 OK", &["ETag: \"one\""], FILE.len(), &FILE[..half]),
        _ => then(request),
    })
}

#[test]
fn a_part_of_another_version_is_not_gone_on_with() {
    // The file has changed; the server knows of no ranges; it answers with another range; it has no such range.
    let changed = broken_off(|request| server::file(request, "\"two\"", &FILE));
    let plain = broken_off(|_| answer("200 OK", &[], FILE.len(), &FILE));
    let other = broken_off(|request| match request.headers.get("range") {
        Some(_) => answer("206 Partial Content", &["Content-Range: bytes 0-9/10"], 10, &FILE[..10]),
        None => server::file(request, ETAG, &FILE),
    });
    let none = broken_off(|request| match request.headers.get("range") {
        Some(_) => answer("416 Range Not Satisfiable", &[], 0, b""),
        None => server::file(request, ETAG, &FILE),
    });
    for (server, requests) in [(changed, 2), (plain, 2), (other, 3), (none, 3)] {
        let place = Place::new();
        succeeds(&mut place.pull(&server.url("w")));
        place.has_weights();
        assert_eq!(server.requests().len(), requests);
        assert!(server.requests()[1].headers.contains_key("range"));
    }
    // Without a name for the version nobody can tell, so that all is fetched again.
    let place = Place::new();
    let weak = Server::new(|number, _| {
        let sent = if number == 0 { FILE.len() / 2 } else { FILE.len() };
        answer("200 OK", &["ETag: W/\"one\""], FILE.len(), &FILE[..sent])
    });
    succeeds(&mut place.pull(&weak.url("w")));
    assert!(!weak.requests()[1].headers.contains_key("range"), "{:?}", weak.requests());
}

#[test]
fn a_whole_part_is_not_fetched_again() {
    // As a process leaves it that was killed while it converted.
    let place = Place::new();
    let server = Server::new(|_, request| server::file(request, ETAG, &FILE));
    let part = place.cache.path().join("resnet18-f37072fd.pth.part");
    std::fs::write(&part, &*FILE).unwrap();
    let version = json!({"url": server.url("w"), "validator": ETAG, "bytes": FILE.len()}).to_string();
    std::fs::write(part.with_added_extension("json"), version).unwrap();
    succeeds(&mut place.pull(&server.url("w")));
    place.has_weights();
    assert!(server.requests().is_empty());
    // Without its version nobody knows what it is; a version that cannot be read is none.
    for version in [None, Some("{"), Some("{}"), Some("[]")] {
        std::fs::write(&part, b"something").unwrap();
        if let Some(version) = version {
            std::fs::write(part.with_added_extension("json"), version).unwrap();
        }
        let before = server.requests().len();
        succeeds(place.pull(&server.url("w")).arg("--force"));
        place.has_weights();
        assert!(!server.requests()[before].headers.contains_key("range"));
    }
}

#[test]
fn errors_of_servers_are_told() {
    let place = Place::new();
    let status = |status: &'static str| Server::new(move |_, _| answer(status, &[], 9, b"<html>..."));
    let server = status("404 Not Found");
    let expected = format!("cannot download {}: the server answers 404 Not Found", server.url("w"));
    place.refuses(&mut place.pull(&server.url("w")), &expected);
    place.refuses(&mut place.pull(&status("403 Forbidden").url("w")), "answers 403 Forbidden; use another source with");
    // Not asked for.
    place.refuses(&mut place.pull(&status("206 Partial Content").url("w")), "answers 206 Partial Content");
    fails(&mut place.pull(&status("503 Service Unavailable").url("w")), "answers 503 Service Unavailable: try later");
    fails(&mut place.pull(&Server::new(|_, _| Vec::new()).url("w")), "cannot download http://127.0.0.1:");
    fails(
        &mut place.pull(&Server::new(|_, _| b"hello\r\n\r\n".to_vec()).url("w")),
        "cannot download http://127.0.0.1:",
    );
    assert!(place.cached().is_empty());
}

#[test]
fn lies_about_the_length_are_noticed() {
    // Longer than it is, every time.
    let place = Place::new();
    let server = Server::new(|_, request| match request.headers.get("range") {
        Some(_) => answer(
            "206 Partial Content",
            &[&format!("Content-Range: bytes {}-{}/{}", FILE.len(), FILE.len() + 9, FILE.len() + 10)],
            10,
            b"",
        ),
        None => answer("200 OK", &["ETag: \"one\""], FILE.len() + 10, &FILE),
    });
    fails(&mut place.pull(&server.url("w")), &format!("after {} bytes, which are kept", FILE.len()));
    // Shorter than it is.
    let place = Place::new();
    let server = Server::new(|_, _| answer("200 OK", &["ETag: \"one\""], FILE.len() - 10, &FILE));
    place.refuses(&mut place.pull(&server.url("w")), "sent another file: its sha256 is ");
    // Longer than anything, said and unsaid.
    let server = Server::new(|_, _| answer("200 OK", &[], 1 << 40, b"PK"));
    place.refuses(&mut place.pull(&server.url("w")), "has 1099511627776 bytes; at most 268435456 are downloaded");
}

#[test]
fn other_bytes_are_refused_and_not_kept() {
    let place = Place::new();
    let mut bytes = FILE.clone();
    bytes[5000] ^= 1;
    let (found, wanted) = (sha256(&bytes), HASH.as_str());
    let server = Server::new(move |_, request| server::file(request, ETAG, &bytes));
    let expected = format!("its sha256 is {found}, not {wanted}. It was deleted; try again, or another source");
    place.refuses(&mut place.pull(&server.url("w")), &expected);
    // The hash is that of the file, and the file another network's, or hostile.
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    for (name, expected) in [
        ("zip_f32.pth", " is not a resnet18 with torchvision's names:"),
        ("zip_only_os_system.pth", "what was saved is a Python object, `posix.system`"),
    ] {
        let path = corpus.join(name);
        let hash = sha256(&std::fs::read(&path).unwrap());
        let args = ["weights", "pull", "resnet18", "--from", path.to_str().unwrap(), "--sha256", &hash[..8]];
        place.refuses(&mut place.protogpu(&args), expected);
    }
}

#[test]
fn redirects_are_followed_to_an_end() {
    let place = Place::new();
    let server = Server::new(|_, request| match request.line.as_str() {
        "GET /there" => server::file(request, ETAG, &FILE),
        _ => answer("302 Found", &["Location: /there"], 0, b""),
    });
    succeeds(&mut place.pull(&server.url("here")));
    place.has_weights();
    let place = Place::new();
    let circle = Server::new(|_, _| answer("301 Moved Permanently", &["Location: /round"], 0, b""));
    place.refuses(&mut place.pull(&circle.url("round")), "redirects too often");
    assert!(circle.requests().len() < 10);
}

#[test]
fn proxies_are_honoured() {
    let place = Place::new();
    // Connects to any host, and is that host itself.
    let proxy = Server::new(|_, request| match request.line.starts_with("CONNECT ") {
        true => b"HTTP/1.1 200 Connected\r\n\r\n".to_vec(),
        false => server::file(request, ETAG, &FILE),
    });
    for variable in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
        let before = proxy.requests().len();
        let mut command = place.pull("http://weights.invalid/w");
        succeeds(command.env(variable, proxy.url("")).arg("--force"));
        place.has_weights();
        let lines: Vec<String> = proxy.requests()[before..].iter().map(|request| request.line.clone()).collect();
        assert_eq!(lines, ["CONNECT weights.invalid:80", "GET /w"], "{variable}");
    }
    // Not for these hosts.
    let before = proxy.requests().len();
    let server = Server::new(|_, request| server::file(request, ETAG, &FILE));
    let mut command = place.pull(&server.url("w"));
    succeeds(command.env("HTTP_PROXY", proxy.url("")).env("NO_PROXY", "127.0.0.1").arg("--force"));
    assert_eq!((proxy.requests().len(), server.requests().len()), (before, 1));
}

#[test]
fn a_file_that_was_carried_here_is_verified_too() {
    let place = Place::new();
    let path = place.folder.path().join("w.pth");
    std::fs::write(&path, &*FILE).unwrap();
    let pull = |args: &[&str]| place.protogpu(&[&["weights", "pull"], args].concat());
    let other = "w.pth is not the published file: its sha256 is ";
    place.refuses(&mut pull(&["resnet18", "--from", "w.pth"]), other);
    place.refuses(
        &mut pull(&["resnet18", "--from", "w.pth"]),
        "not f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1",
    );
    place.refuses(&mut pull(&["resnet18", "--from", "none.pth"]), "cannot read none.pth: No such file");
    place.refuses(&mut pull(&["resnet18", "--from", "."]), "cannot read .: ");
    place.refuses(&mut pull(&["resnet18", "--from", "ftp://host/w"]), "but ftp is not supported");
    place.refuses(&mut pull(&["resnet18", "--from", "http://"]), "http:// is not a URL");
    place.refuses(&mut pull(&["vgg16"]), "there are no published weights of `vgg16`, only of resnet18, googlenet");
    place.refuses(&mut pull(&["resnet18", "--from", "w.pth", "--sha256", "f37"]), "64 hexadecimal digits of a SHA-256");
    place.refuses(&mut pull(&["resnet18", "--sha256", "f37072fd"]), "--from");
    let url = format!("file://{}", path.display());
    succeeds(&mut pull(&["resnet18", "--from", &url, "--sha256", &HASH[..8].to_uppercase()]));
    place.has_weights();
    assert!(std::fs::read(&path).unwrap() == *FILE);
}

#[test]
fn the_cache_is_used_by_one_process_at_a_time_and_tidied() {
    let place = Place::new();
    let lock = std::fs::File::create(place.cache.path().join(".lock")).unwrap();
    lock.lock().unwrap();
    place.refuses(&mut place.pull("w.pth"), "another protogpu is downloading weights into ");
    drop(lock);
    std::fs::write(place.folder.path().join("w.pth"), &*FILE).unwrap();
    // What a process that was killed had written aside.
    std::fs::write(place.cache.path().join(".protogpu-abc.tmp"), "half").unwrap();
    succeeds(&mut place.pull("w.pth"));
    place.has_weights();
    // A cache that is none.
    let mut command = place.pull("w.pth");
    std::fs::write(place.folder.path().join("file"), "").unwrap();
    is_refusal(place.folder.path(), command.env("PROTOGPU_CACHE", "file"), "cannot create file: ");
    let args = ["run", "--model", "resnet18", "--weights", "w.pth"];
    is_refusal(place.folder.path(), &mut place.protogpu(&args), "--model resnet18 cannot be used with --weights w.pth");
    let args = ["run", "--model", "vgg16", "--weights", "imagenet"];
    is_refusal(place.folder.path(), &mut place.protogpu(&args), "there are no published weights of `vgg16`");
}
