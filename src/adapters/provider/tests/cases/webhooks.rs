//! Cases of webhooks, signed and not.

use super::{SET_UP, WHOLE, holds, one};
use crate::adapters::provider::cases::run;
use crate::adapters::provider::{Profile, Verdict};

const BATCH: &str = r#"webhook = true
    body = '''{"items":[{"ref":"7d4f0c1e-52a8-4b0e-9f0e-3f1a0d6f9a01-3","state":"done","event":"ev_1"},{"ref":"x","state":"noise"}]}'''"#;

#[test]
fn a_batch_is_signed_item_by_item_and_read_in_order() {
    holds(&format!(
        r#"{BATCH}
        sign = "hook"
        expect = [{{ trusted = true, finding = "completed", id = "7d4f0c1e-52a8-4b0e-9f0e-3f1a0d6f9a01", attempt = 3, event_id = "ev_1", word = "done" }}]
        acknowledged = {{ status = 202, body = "[accepted]" }}"#
    ));
    holds(&format!(
        "{BATCH}\nexpect = {{ rejected = \"not_signed\" }}"
    ));
    holds(&format!(
        "{BATCH}\nheaders = {{ content-type = \"text/xml\" }}\nexpect = {{ rejected = \"media_type\" }}"
    ));
}

#[test]
fn unexpected_events_are_named() {
    let (verdict, _, differences) = one(&format!(
        r#"{BATCH}
        sign = "hook"
        expect = [{{ attempt = 2, provider_reference = "pi_1" }}, {{ trusted = true }}]
        acknowledged = {{ status = 200 }}"#
    ));
    assert_eq!(verdict, Verdict::Differs);
    assert_eq!(
        differences.join("\n"),
        "events: expected 2\n            came 1\n\
         event 1, attempt: expected 2\n                      came 3\n\
         event 1, provider_reference: expected pi_1\n                                 came nothing\n\
         acknowledged status: expected 200\n                         came 202"
    );
}

/// The signature table of a profile replaced, and one webhook signed by it: it has to be believed.
#[track_caller]
fn signs(signature: &str, secret: &str) {
    let start = WHOLE.find("signature = {").expect("it stands there");
    let end = start + WHOLE[start..].find('\n').expect("a line");
    let text = format!(
        "{}signature = {signature}{}",
        &WHOLE[..start],
        &WHOLE[end..]
    );
    let profile =
        Profile::parse(&text, "signed.toml").unwrap_or_else(|problem| panic!("{problem}"));
    let set_up = SET_UP.replace("s3cret", secret);
    let cases = format!(
        "{set_up}\n[[case]]\nname = \"it\"\n{BATCH}\nsign = \"hook\"\nurl = \"https://a.example.com/h?x=1\"\nexpect = [{{ trusted = true, event_id = \"ev_1\" }}]"
    );
    let report = run(&profile, &cases, "cases.toml").unwrap_or_else(|problem| panic!("{problem}"));
    assert!(!report.differs(), "{signature}: {:#?}", report.cases);
}

#[test]
fn every_scheme_that_can_be_signed_is_believed() {
    signs(r#"{ kind = "stripe" }"#, "whsec_x");
    signs(
        r#"{ kind = "standard_webhooks" }"#,
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    );
    signs(
        r#"{ kind = "standard_webhooks", headers = "svix" }"#,
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    );
    signs(
        r#"{ kind = "shared_token", header = "verif-hash" }"#,
        "s3cret",
    );
    signs(r#"{ kind = "shared_token", query = "key" }"#, "s&3");
    for (algorithm, encoding, key_encoding, secret) in [
        ("sha1", "hex", "text", "s3cret"),
        ("sha256", "base64", "hex", "00ff10"),
        ("sha512", "hex", "base64", "AAEC"),
    ] {
        signs(
            &format!(
                r#"{{ kind = "hmac", algorithm = "{algorithm}", encoding = "{encoding}", key_encoding = "{key_encoding}", header = "x-sign", prefix = "v=", signed = "{{{{{{method}}}}}}{{path}}{{url}}{{header:x-time}}{{body}}", timestamp_header = "x-time", tolerance = "5m" }}"#
            ),
            secret,
        );
    }
}

#[test]
fn what_can_t_be_signed_says_so() {
    let start = WHOLE.find("signature = {").expect("it stands there");
    let end = start + WHOLE[start..].find('\n').expect("a line");
    let scheme = r#"signature = { kind = "rfc9421", algorithm = "hmac-sha256", components = ["content-digest"], max_age = "5m" }"#;
    let text = format!("{}{scheme}{}", &WHOLE[..start], &WHOLE[end..]);
    let profile =
        Profile::parse(&text, "signed.toml").unwrap_or_else(|problem| panic!("{problem}"));
    let cases = format!("{SET_UP}\n[[case]]\nname = \"it\"\n{BATCH}\nsign = \"hook\"");
    let said = run(&profile, &cases, "cases.toml")
        .expect_err("it can't")
        .to_string();
    assert!(
        said.contains("rfc9421") && said.contains("record a signature"),
        "{said}"
    );
}
