//! HTTP Message Signatures: the RFC's own vectors, and requests signed here.

use ::hmac::{Hmac, KeyInit, Mac};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::Sha256;

use super::support::{Door, Vector, Webhook};

const CREATED: i64 = 1_618_884_473;
const SHARED: &str =
    "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";
const OTHER: &str =
    "AAvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";
const DIGEST: &str = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
const B25: &str = r#"
    kind = "rfc9421"
    algorithm = "hmac-sha256"
    key_encoding = "base64"
    components = ["date", "@authority", "content-type"]
    key_id = "test-shared-secret"
"#;
/// What most profiles will say.
const FULL: &str = "kind = \"rfc9421\"\nalgorithm = \"hmac-sha256\"\nkey_encoding = \"base64\"";
const FULL_INPUT: &str = r#"("content-digest" "@method" "@path");created=1618884473"#;
const FULL_LINES: &str = "\"content-digest\": sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:\n\
                          \"@method\": POST\n\"@path\": /foo\n";

/// The RFC's test request.
fn request() -> Webhook {
    Webhook::new("{\"hello\": \"world\"}")
        .url("https://example.com/foo?param=Value&Pet=dog")
        .with("host", "example.com")
        .with("date", "Tue, 20 Apr 2021 02:07:55 GMT")
        .with("content-type", "application/json")
        .with("content-length", "18")
        .at(CREATED)
}

fn b25() -> Webhook {
    request()
        .with(
            "signature-input",
            r#"sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#,
        )
        .with("signature", "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:")
}

fn mac(lines: &str, input: &str) -> String {
    let key = STANDARD.decode(SHARED).expect("base64");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("any length");
    mac.update(format!("{lines}\"@signature-params\": {input}").as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// The request with a signature over these lines, which `input` has to name.
fn signed(lines: &str, input: &str) -> Webhook {
    request()
        .with("content-digest", DIGEST)
        .with("signature-input", format!("s={input}"))
        .with("signature", format!("s=:{}:", mac(lines, input)))
}

fn full() -> Webhook {
    signed(FULL_LINES, FULL_INPUT)
}

#[test]
fn b_2_5_hmac() {
    let door = Door::new(B25, &[SHARED]);
    let verified = door.verify(&b25()).expect("the RFC's vector");
    assert_eq!(verified.signed_at.map(|at| at.as_secs()), Some(CREATED));
    for (name, value) in [
        ("date", "Tue, 20 Apr 2021 02:07:56 GMT"),
        ("content-type", "application/jsom"),
    ] {
        assert_eq!(
            door.fault(&b25().changed(name, value)),
            "mismatch",
            "{name}"
        );
        assert_eq!(door.fault(&b25().without(name)), "not_covered", "{name}");
        // Two lines are one value with a comma, and that was not signed.
        assert_eq!(door.fault(&b25().with(name, value)), "mismatch", "{name}");
    }
    assert_eq!(
        door.fault(&b25().url("https://example.org/foo")),
        "mismatch"
    );
    assert!(
        door.verify(&b25().url("HTTPS://EXAMPLE.com:443/other"))
            .is_ok()
    );
    assert_eq!(
        door.fault(&b25().url("https://example.com:8443/foo")),
        "mismatch"
    );
    assert_eq!(Door::new(B25, &[OTHER]).fault(&b25()), "mismatch");
    assert!(Door::new(B25, &[OTHER, SHARED]).verify(&b25()).is_ok());
    // Nothing of the body is covered, and the profile's author is told.
    let mut changed = b25();
    changed.body.clear();
    assert!(door.verify(&changed).is_ok());
    assert!(
        door.scheme
            .caution()
            .expect("a caution")
            .contains("content-digest")
    );
}

#[test]
fn b_2_6_ed25519() {
    let profile = r#"
        kind = "rfc9421"
        algorithm = "ed25519"
        components = ["date", "@method", "@path", "@authority", "content-type", "content-length"]
    "#;
    let webhook = request()
        .with(
            "signature-input",
            r#"sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519""#,
        )
        .with(
            "signature",
            "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:",
        );
    let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n-----END PUBLIC KEY-----";
    for key in [
        "JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=",
        "MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=",
        pem,
    ] {
        let door = Door::new(profile, &[key]);
        door.verify(&webhook).expect("the RFC's vector");
        let mut put = webhook.clone();
        put.method = "PUT".to_owned();
        assert_eq!(door.fault(&put), "mismatch");
    }
    let other = Door::new(profile, &["1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="]);
    assert_eq!(other.fault(&webhook), "mismatch");
}

#[test]
fn a_request_with_its_digest() {
    let vector = Vector {
        profile: FULL,
        secret: SHARED,
        other: OTHER,
        webhook: full(),
        header: "signature",
        letters: *b"AB",
        changed_body: "digest_mismatch",
    };
    vector.holds();
    let door = Door::new(FULL, &[SHARED]);
    assert_eq!(door.scheme.caution(), None);
    assert_eq!(
        door.fault(&full().url("https://example.com/bar")),
        "mismatch"
    );
    let mut put = full();
    put.method = "PUT".to_owned();
    assert_eq!(door.fault(&put), "mismatch");
}

#[test]
fn every_component_of_a_request_can_be_covered() {
    let lines = "\"content-digest\": sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:\n\
        \"@method\": POST\n\"@authority\": example.com:8443\n\
        \"@target-uri\": https://Example.com:8443/foo?param=Value&Pet=dog\n\"@scheme\": https\n\
        \"@request-target\": /foo?param=Value&Pet=dog\n\"@path\": /foo\n\"@query\": ?param=Value&Pet=dog\n\
        \"x-list\": one, two, three\n\"x-empty\": \n";
    let input = r#"("content-digest" "@method" "@authority" "@target-uri" "@scheme" "@request-target" "@path" "@query" "x-list" "x-empty");created=1618884473;nonce="n";tag="t";alg="hmac-sha256";x;y=tok;z=1.5"#;
    let webhook = signed(lines, input)
        .url("https://Example.com:8443/foo?param=Value&Pet=dog")
        .with("x-list", "  one\t")
        .with("X-List", "two, three")
        .with("x-empty", "");
    let door = Door::new(FULL, &[SHARED]);
    door.verify(&webhook).expect("all of them");
    // Without a query, a question mark stands alone.
    let input =
        r#"("content-digest" "@method" "@path" "@query" "@request-target");created=1618884473"#;
    let lines = format!("{FULL_LINES}\"@query\": ?\n\"@request-target\": /foo\n");
    let webhook = signed(&lines, input).url("https://example.com/foo");
    door.verify(&webhook).expect("no query");
}

#[test]
fn what_the_profile_asks_for_has_to_be_covered() {
    let door = Door::new(FULL, &[SHARED]);
    let input = r#"("content-digest" "@method");created=1618884473"#;
    let lines = "\"content-digest\": sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:\n\"@method\": POST\n";
    let fault = door.verify(&signed(lines, input)).expect_err("no path");
    assert_eq!(fault.to_string(), "the signature doesn't cover @path");
    let input = r#"("@method" "@path");created=1618884473"#;
    let fault = door.verify(&signed("\"@method\": POST\n\"@path\": /foo\n", input));
    assert_eq!(
        fault.expect_err("no digest").to_string(),
        "the signature doesn't cover content-digest"
    );
    let input = "();created=1618884473";
    assert_eq!(door.fault(&signed("", input)), "not_covered");
}

#[test]
fn what_can_t_be_derived_is_refused() {
    let door = Door::new(FULL, &[SHARED]);
    for component in [
        "\"x-none\"",
        "\"@status\"",
        "\"@signature-params\"",
        "\"@nothing\"",
        "\"Date\"",
        "\"\"",
        "\"date\";sf",
        "\"@query-param\";name=\"Pet\"",
        "\"date\";req",
    ] {
        let input =
            format!(r#"("content-digest" "@method" "@path" {component});created=1618884473"#);
        assert_eq!(
            door.fault(&signed(FULL_LINES, &input)),
            "not_covered",
            "{component}"
        );
    }
    // A line break in a value would let one line pass for two.
    let input = r#"("content-digest" "@method" "@path" "x-two");created=1618884473"#;
    let lines = format!("{FULL_LINES}\"x-two\": a\n\"x-three\": b\n");
    let webhook = signed(&lines, input).with("x-two", "a\n\"x-three\": b");
    assert_eq!(door.fault(&webhook), "not_covered");
}

#[test]
fn parameters_are_read_strictly() {
    let profile = format!("{FULL}\nkey_id = [\"new\", \"old\"]");
    let door = Door::new(&profile, &[SHARED]);
    let list = r#"("content-digest" "@method" "@path")"#;
    for (params, word) in [
        (";keyid=\"old\"", "missing"),
        (";created=1618884473", "other_key"),
        (";created=1618884473;keyid=\"other\"", "other_key"),
        (";created=1618884473;keyid=old", "malformed"),
        (";created=\"1618884473\";keyid=\"old\"", "malformed"),
        (";created=1618884473.0;keyid=\"old\"", "malformed"),
        (
            ";created=1618884473;keyid=\"old\";created=1618884473",
            "malformed",
        ),
        (
            ";created=1618884473;keyid=\"old\";alg=\"hmac-sha512\"",
            "other_algorithm",
        ),
        (
            ";created=1618884473;keyid=\"old\";alg=\"ed25519\"",
            "other_algorithm",
        ),
        (";created=1618884473;keyid=\"old\";nonce=1", "malformed"),
        (
            ";created=1618884473;keyid=\"old\";expires=1618884472",
            "stale",
        ),
        (";created=1618884172;keyid=\"old\"", "stale"),
        (";created=1618884774;keyid=\"old\"", "future"),
        (";created=-1;keyid=\"old\"", "stale"),
        (";created=999999999999999;keyid=\"old\"", "future"),
    ] {
        let input = format!("{list}{params}");
        assert_eq!(door.fault(&signed(FULL_LINES, &input)), word, "{params}");
    }
    for params in [
        ";created=1618884473;keyid=\"old\"",
        ";created=1618884473;keyid=\"new\";expires=1618884473;alg=\"hmac-sha256\"",
    ] {
        let input = format!("{list}{params}");
        assert!(door.verify(&signed(FULL_LINES, &input)).is_ok(), "{params}");
    }
}

#[test]
fn labels_pair_the_two_headers_and_stand_there_once() {
    let door = Door::new(FULL, &[SHARED]);
    let tag = mac(FULL_LINES, FULL_INPUT);
    let base = || full().without("signature").without("signature-input");
    let good_input = format!("s={FULL_INPUT}");
    let good = format!("s=:{tag}:");
    let zeros = format!("a=:{}=:", "A".repeat(43));
    for (inputs, signatures, word) in [
        (
            vec![good_input.clone()],
            vec![good.replace("s=", "t=")],
            "missing",
        ),
        (
            vec![format!("{good_input}, {good_input}")],
            vec![good.clone()],
            "duplicated",
        ),
        (
            vec![good_input.clone(), good_input.clone()],
            vec![good.clone()],
            "duplicated",
        ),
        (
            vec![good_input.clone()],
            vec![good.clone(), good.clone()],
            "duplicated",
        ),
        (
            vec![good_input.clone()],
            vec![format!("s=\"{tag}\"")],
            "malformed",
        ),
        (vec![good_input.clone()], vec!["s".to_owned()], "malformed"),
        (
            vec![good_input.clone()],
            vec!["s=:AAAA:".to_owned()],
            "malformed",
        ),
        (vec!["s=1".to_owned()], vec![good.clone()], "malformed"),
        (vec!["s=(date)".to_owned()], vec![good.clone()], "malformed"),
        (
            vec![good_input.replace(") ", ")").replace(')', " \"@path\")")],
            vec![good.clone()],
            "malformed",
        ),
        (vec!["s=(".to_owned()], vec![good.clone()], "malformed"),
        (
            vec![good_input.clone()],
            vec!["\u{e9}".to_owned()],
            "malformed",
        ),
        (vec![], vec![good.clone()], "missing"),
        (vec![good_input.clone()], vec![], "missing"),
    ] {
        let webhook = inputs
            .iter()
            .fold(base(), |webhook, one| webhook.with("signature-input", one));
        let webhook = signatures
            .iter()
            .fold(webhook, |webhook, one| webhook.with("signature", one));
        assert_eq!(door.fault(&webhook), word, "{inputs:?} {signatures:?}");
    }
    // Somebody on the way has added a signature: it neither helps nor harms.
    let other = format!("a={FULL_INPUT}");
    let webhook = base()
        .with("signature-input", &other)
        .with("signature-input", &good_input)
        .with("signature", format!("{zeros}, {good}"));
    assert!(door.verify(&webhook).is_ok());
    for other in ["a=(\"date\";req);created=1", "a=1", "a=(date)", "b=()"] {
        let webhook = webhook
            .clone()
            .changed("signature-input", format!("{other}, {good_input}"));
        assert!(door.verify(&webhook).is_ok(), "{other}");
    }
    let labelled = |label| Door::new(&format!("{FULL}\nlabel = \"{label}\""), &[SHARED]);
    assert!(labelled("s").verify(&webhook).is_ok());
    assert_eq!(labelled("a").fault(&webhook), "mismatch");
    assert_eq!(labelled("b").fault(&webhook), "missing");
}

#[test]
fn no_more_labels_are_looked_at_than_the_bound() {
    let door = Door::new(FULL, &[SHARED]);
    let full = full();
    let with = |others: usize| {
        let labels: Vec<String> = (0..others)
            .map(|at| format!("a{at}=();created=1"))
            .collect();
        let input = format!("{}, s={FULL_INPUT}", labels.join(", "));
        full.clone().changed("signature-input", input)
    };
    assert!(door.verify(&with(15)).is_ok());
    assert_eq!(door.fault(&with(16)), "malformed");
}

#[test]
fn the_digest_is_checked_wherever_it_is_covered() {
    let door = Door::new(FULL, &[SHARED]);
    let sha512 = "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";
    let with = |digest: &str| {
        let lines = FULL_LINES.replace(DIGEST, digest);
        signed(&lines, FULL_INPUT).changed("content-digest", digest)
    };
    let sha256_wrong = DIGEST.replace("X48E", "X48F");
    for (digest, expected) in [
        (sha512.to_owned(), None),
        (format!("{DIGEST}, {sha512}"), None),
        (format!("md5=:AAAA:, {DIGEST}"), None),
        (sha256_wrong.clone(), Some("digest_mismatch")),
        (format!("{sha512}, {sha256_wrong}"), Some("digest_mismatch")),
        ("sha-256=:AAAA:".to_owned(), Some("digest_mismatch")),
        ("sha-256=::".to_owned(), Some("digest_mismatch")),
        ("md5=:AAAA:".to_owned(), Some("unknown_version")),
        ("sha-256=1".to_owned(), Some("malformed")),
        (format!("{DIGEST}, {DIGEST}"), Some("duplicated")),
        ("no digest".to_owned(), Some("malformed")),
    ] {
        let verified = door.verify(&with(&digest));
        assert_eq!(
            verified.err().map(|fault| fault.word()),
            expected,
            "{digest}"
        );
    }
    // A profile that doesn't ask for it gets it checked all the same, once it is covered.
    let lax = format!("{FULL}\ncomponents = [\"@method\"]");
    let mut changed = full();
    changed.body.push(b' ');
    assert_eq!(
        Door::new(&lax, &[SHARED]).fault(&changed),
        "digest_mismatch"
    );
}
