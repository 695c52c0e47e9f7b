//! Public keys of every algorithm: RSA by fixed vectors, elliptic curves by keys made on the spot.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, KeyPair,
};

use super::support::{Door, Webhook, scheme};

/// RFC 9421, B.1.2.
const RSA_PSS_KEY: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2
+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+
oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHq
gDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5W
Utzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4
aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oyc6XI
2wIDAQAB
-----END PUBLIC KEY-----";
const RSA_KEY: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEArV6ua+iLMphgLFGIcy3j
IUP49Qsavvs4cDIxKOxUhtZCX2sTb8HBCflVjyCriFV44MkMhkHzmHHs3xAFJ8rj
F3Lr4i+Vbqat3k7ohh9Nfzs0CWKdyYU5Vf/hg23VJ2Ik89l3W6rc+4H44urLLeOg
JvzXDdtaLtyLb6QZXIUumJFWkY9KortYZK6xPbjGavEx6pz04CbKuLcxmTzRdENT
Zt5hIzUDVjgxHKvp8W/+o611/nyN0FvaYbb2gIMXvxGs1QpZ5ubtyySKs4KE+5uq
JxIEbX9GulOrnwTsvroAF2s5Z92WoTOPAc+9lAoPebrR3qOLXLijMxT/yDce9JUe
AwIDAQAB
-----END PUBLIC KEY-----";
const RSA_SIGNATURE: &str = "M1YXfoB8BJpelZHH3xsxyymVzvXMuy6dD+mBMcBottWQZHW9/H3AQv0UJH2OL/pNq6ks8brfX303aGiCmn382KoOWqWF2T+Te/VkuTeHHkOZsS8r5sKIM4tvZTNZP1kz31h9hWoqGR39S1ENv7cSb1aFhzSoFO94c1hMTFbB8oGjWZwJUIEqEMrQ8AJO3FD6n17+f/OZxstDbbTTf8g5XT6ld2UdDRqtAvH6ftVW0It+PTABtJRvo8gkWYKuyBL3zdIPu5PCAtwHDf9hy5TQqqJUBBWWXAsGhtSsCp5emlYEbeeR3pQLy9iUr8dmDWXwe1Sawj0FEh/4obX9A7kYVQ==";
const RSA_1024_KEY: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDc+17w+Qu+S0Pp9FbYQEa8E27+suCgcsLFqkmgGv8IiPeTS8zfilHGjtLUkdh+uzVtVSjff5S57PD/6EirRgoBUNdaAUkDSMHTCg+tGQGQ3ohnl3RkDxtNvA9lxRN5yrmWOfeZqg/b9BwOpO4yRcERJM1qLW8xlCYukgiaGRNJ/wIDAQAB";
const P384_KEY: &str = "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEtqRbRC8ETqZ8onryvpG8GiHf95t8LiVY+yRMFds3Kp3Dwz6PgmrMZCd0a5dmSq5e17mRfw443OBKVI+42chHT8Q1RH6qYFis5NuRt5ifcYrL3ZBx3rwuCD2I7P5Shejj";
const P384_COMPRESSED_KEY: &str = "MEYwEAYHKoZIzj0CAQYFK4EEACIDMgADtqRbRC8ETqZ8onryvpG8GiHf95t8LiVY+yRMFds3Kp3Dwz6PgmrMZCd0a5dmSq5e";
/// What stands before the point in a SubjectPublicKeyInfo of each curve.
const P256_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const P384_HEAD: [u8; 23] = [
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
    0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00,
];

fn profile(algorithm: &str) -> String {
    format!("kind = \"rfc9421\"\nalgorithm = \"{algorithm}\"")
}

fn request() -> Webhook {
    Webhook::new("{\"hello\": \"world\"}")
        .url("https://example.com/foo?param=Value&Pet=dog")
        .with(
            "content-digest",
            "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
        )
        .at(1_618_884_473)
}

#[test]
fn b_2_3_full_coverage_by_rsa_pss() {
    let webhook = request()
        .changed(
            "content-digest",
            "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:",
        )
        .with("date", "Tue, 20 Apr 2021 02:07:55 GMT")
        .with("content-type", "application/json")
        .with("content-length", "18")
        .with(
            "signature-input",
            r#"sig-b23=("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss""#,
        )
        .with(
            "signature",
            "sig-b23=:bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768ZrCUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA==:",
        );
    let door = Door::new(&profile("rsa-pss-sha512"), &[RSA_PSS_KEY]);
    door.verify(&webhook).expect("the RFC's vector");
    assert_eq!(
        door.fault(&webhook.clone().url("https://example.com/foo")),
        "mismatch"
    );
    let other = Door::new(&profile("rsa-pss-sha512"), &[RSA_KEY]);
    assert_eq!(other.fault(&webhook), "mismatch");
    let both = Door::new(&profile("rsa-pss-sha512"), &[RSA_KEY, RSA_PSS_KEY]);
    assert!(both.verify(&webhook).is_ok());
    let mut changed = webhook;
    changed.body[0] = b'[';
    assert_eq!(door.fault(&changed), "digest_mismatch");
}

#[test]
fn rsa_v1_5() {
    let webhook = request()
        .with(
            "signature-input",
            r#"s=("content-digest" "@method" "@path");created=1618884473;alg="rsa-v1_5-sha256""#,
        )
        .with("signature", format!("s=:{RSA_SIGNATURE}:"));
    let door = Door::new(&profile("rsa-v1_5-sha256"), &[RSA_KEY]);
    door.verify(&webhook).expect("as openssl signs it");
    let twin = RSA_SIGNATURE.replacen('M', "N", 1);
    let twin = webhook.clone().changed("signature", format!("s=:{twin}:"));
    assert_eq!(door.fault(&twin), "mismatch");
    let short = webhook.clone().changed("signature", "s=:AAAA:");
    assert_eq!(door.fault(&short), "mismatch");
    let pss = Door::new(&profile("rsa-pss-sha512"), &[RSA_KEY]);
    assert_eq!(pss.fault(&webhook), "other_algorithm");
}

fn ecdsa(algorithm: &str, signing: &'static EcdsaSigningAlgorithm, head: &[u8]) {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(signing, &random).expect("randomness");
    let pair = EcdsaKeyPair::from_pkcs8(signing, pkcs8.as_ref(), &random).expect("its own output");
    let input = r#"("content-digest" "@method" "@path");created=1618884473"#;
    let base = format!(
        "\"content-digest\": sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:\n\
         \"@method\": POST\n\"@path\": /foo\n\"@signature-params\": {input}"
    );
    let signature = pair.sign(&random, base.as_bytes()).expect("randomness");
    let webhook = request()
        .with("signature-input", format!("s={input}"))
        .with(
            "signature",
            format!("s=:{}:", STANDARD.encode(signature.as_ref())),
        );
    let der = STANDARD.encode([head, pair.public_key().as_ref()].concat());
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n");
    for key in [&der, &pem] {
        let door = Door::new(&profile(algorithm), &[key]);
        door.verify(&webhook).expect("signed just now");
        let mut twin = signature.as_ref().to_vec();
        twin[5] ^= 1;
        let twin = format!("s=:{}:", STANDARD.encode(twin));
        assert_eq!(
            door.fault(&webhook.clone().changed("signature", twin)),
            "mismatch"
        );
    }
}

#[test]
fn ecdsa_p256() {
    ecdsa(
        "ecdsa-p256-sha256",
        &ECDSA_P256_SHA256_FIXED_SIGNING,
        &P256_HEAD,
    );
}

#[test]
fn ecdsa_p384() {
    ecdsa(
        "ecdsa-p384-sha384",
        &ECDSA_P384_SHA384_FIXED_SIGNING,
        &P384_HEAD,
    );
}

#[test]
fn keys_that_can_t_work_are_refused_when_they_are_read() {
    let private = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----";
    let pkcs1 = "-----BEGIN RSA PUBLIC KEY-----\nAAAA\n-----END RSA PUBLIC KEY-----";
    for (algorithm, text, expected) in [
        ("ed25519", private, "that is a private key"),
        (
            "rsa-v1_5-sha256",
            pkcs1,
            "should begin with -----BEGIN PUBLIC KEY-----",
        ),
        (
            "ed25519",
            "-----BEGIN nonsense",
            "the PEM holds no public key",
        ),
        (
            "ed25519",
            "not base64!",
            "a public key is PEM, or base64 of DER",
        ),
        ("ed25519", "AAAA", "is no SubjectPublicKeyInfo in DER"),
        ("ed25519", P384_KEY, "of another kind than ed25519 needs"),
        (
            "ecdsa-p256-sha256",
            P384_KEY,
            "of another kind than ecdsa-p256-sha256 needs",
        ),
        (
            "ecdsa-p384-sha384",
            RSA_KEY,
            "of another kind than ecdsa-p384-sha384 needs",
        ),
        (
            "rsa-pss-sha512",
            P384_KEY,
            "of another kind than rsa-pss-sha512 needs",
        ),
        ("rsa-v1_5-sha256", RSA_1024_KEY, "wants 2048 bits at least"),
        (
            "ecdsa-p384-sha384",
            P384_COMPRESSED_KEY,
            "wants an uncompressed point",
        ),
    ] {
        let scheme = scheme(&profile(algorithm)).expect("good");
        let complaint = scheme.key(text).expect_err(algorithm);
        assert!(complaint.contains(expected), "{algorithm}: {complaint}");
    }
    let key = scheme(&profile("ecdsa-p384-sha384"))
        .expect("good")
        .key(P384_KEY);
    assert_eq!(format!("{:?}", key.expect("good")), "VerifyingKey(…)");
}
