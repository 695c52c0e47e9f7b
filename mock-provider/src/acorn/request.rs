//! One request for a charge, taken apart.

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_TYPE;
use reqwest::Url;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::charge::{decimals, is_amount};
use super::form;
use super::hex;
use super::keys::BodyHash;

/// The longest idempotency key, in characters.
const MAX_KEY_CHARS: usize = 40;
/// The longest `metadata[order]`, in bytes.
const MAX_ORDER_BYTES: usize = 256;
/// The header with the idempotency key.
const KEY_HEADER: &str = "x-request-id";
/// The header with the digest of the body.
const DIGEST_HEADER: &str = "x-content-sha256";
/// The header that carries a script.
const SCRIPT_HEADER: &str = "x-mock-script";
/// The media type of requests.
const FORM: &str = "application/x-www-form-urlencoded";
/// The one kind of source.
const MOBILE_MONEY: &str = "mobile_money";

/// What a merchant wants.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) key: String,
    pub(crate) body: BodyHash,
    pub(crate) body_bytes: usize,
    pub(crate) amount: String,
    pub(crate) currency: String,
    /// Everything nested, which is echoed.
    pub(crate) nested: Map<String, Value>,
    /// The merchant's name for it, `metadata[order]`.
    pub(crate) order: Option<String>,
    pub(crate) callback: Option<Url>,
    /// Every field but the callback, whose address may carry a secret.
    pub(crate) payload: Map<String, Value>,
    pub(crate) script: Option<Value>,
}

/// Why a request is malformed; answered 400.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub(crate) code: &'static str,
    pub(crate) param: &'static str,
    pub(crate) message: String,
}

impl Malformed {
    pub(crate) fn new(code: &'static str, param: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            param,
            message: message.into(),
        }
    }
}

impl Wanted {
    pub(crate) fn read(
        request: &HttpRequest,
        body: &[u8],
        digest_required: bool,
    ) -> Result<Self, Malformed> {
        let hash: BodyHash = Sha256::digest(body).into();
        let header = |name: &str| request.headers().get(name).map(|value| value.as_bytes());
        check_digest(header(DIGEST_HEADER), &hash, digest_required)?;
        let key = key(header(KEY_HEADER))?;
        let media_type = header(CONTENT_TYPE.as_str()).unwrap_or_default();
        let essence = media_type.split(|byte| *byte == b';').next();
        if !essence.is_some_and(|it| it.trim_ascii().eq_ignore_ascii_case(FORM.as_bytes())) {
            let why = format!("the body is {FORM}");
            return Err(Malformed::new("invalid_request", "content-type", why));
        }
        let mut payload =
            form::parse(body).map_err(|why| Malformed::new("invalid_request", "body", why))?;
        let (amount, currency) = money(&payload)?;
        check_source(&payload)?;
        let order = order(&payload)?;
        let callback = callback(payload.remove("callback_url"))?;
        let nested = payload.iter().filter(|(_, value)| !value.is_string());
        let nested = nested.map(|(name, value)| (name.clone(), value.clone()));
        let script = header(SCRIPT_HEADER)
            .map(serde_json::from_slice)
            .transpose()
            .map_err(|error| Malformed::new("invalid_script", SCRIPT_HEADER, error.to_string()))?;
        Ok(Self {
            key,
            body: hash,
            body_bytes: body.len(),
            amount,
            currency,
            nested: nested.collect(),
            order,
            callback,
            payload,
            script,
        })
    }
}

fn check_digest(said: Option<&[u8]>, hash: &BodyHash, required: bool) -> Result<(), Malformed> {
    let wrong = |code, why| Err(Malformed::new(code, DIGEST_HEADER, why));
    match said {
        None if required => wrong("digest_required", "this account signs its requests"),
        Some(said) if hex::decode(said).as_deref() != Some(hash.as_slice()) => {
            wrong("digest_mismatch", "not the SHA-256 of this body in hex")
        }
        None | Some(_) => Ok(()),
    }
}

fn key(header: Option<&[u8]>) -> Result<String, Malformed> {
    let wrong = |why: String| Malformed::new("invalid_request_id", KEY_HEADER, why);
    let bytes = header.ok_or_else(|| wrong("the header is missing".to_owned()))?;
    match std::str::from_utf8(bytes) {
        Ok(key)
            if (1..=MAX_KEY_CHARS).contains(&key.len())
                && key.bytes().all(|byte| byte.is_ascii_graphic()) =>
        {
            Ok(key.to_owned())
        }
        _ => Err(wrong(format!(
            "1 to {MAX_KEY_CHARS} visible ASCII characters"
        ))),
    }
}

/// Amount and currency, as they were written.
fn money(fields: &Map<String, Value>) -> Result<(String, String), Malformed> {
    let text = |name| fields.get(name).and_then(Value::as_str);
    let wrong = |code, param, why: String| Malformed::new(code, param, why);
    let currency = text("currency").unwrap_or_default();
    let decimals = decimals(currency).ok_or_else(|| {
        let why = "a currency that acorn serves, in lower case";
        wrong("invalid_currency", "currency", why.to_owned())
    })?;
    match text("amount") {
        Some(amount) if is_amount(amount, decimals) => Ok((amount.to_owned(), currency.to_owned())),
        _ => {
            let why = format!("a positive amount in {currency} with {decimals} decimals");
            Err(wrong("invalid_amount", "amount", why))
        }
    }
}

fn check_source(fields: &Map<String, Value>) -> Result<(), Malformed> {
    let part = |name| fields.get("source")?.get(name)?.as_str();
    if part("type") != Some(MOBILE_MONEY) {
        let why = format!("`{MOBILE_MONEY}` is the only one");
        return Err(Malformed::new("invalid_source", "source[type]", why));
    }
    let is_phone = |phone: &str| {
        phone.strip_prefix('+').is_some_and(|digits| {
            (8..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    if part("phone").is_some_and(is_phone) {
        Ok(())
    } else {
        let why = "`+` and 8 to 15 digits";
        Err(Malformed::new("invalid_source", "source[phone]", why))
    }
}

fn order(fields: &Map<String, Value>) -> Result<Option<String>, Malformed> {
    match fields.get("metadata").and_then(|all| all.get("order")) {
        None => Ok(None),
        Some(Value::String(order)) if (1..=MAX_ORDER_BYTES).contains(&order.len()) => {
            Ok(Some(order.clone()))
        }
        Some(_) => {
            let why = format!("a text of 1 to {MAX_ORDER_BYTES} bytes");
            Err(Malformed::new("invalid_request", "metadata[order]", why))
        }
    }
}

fn callback(field: Option<Value>) -> Result<Option<Url>, Malformed> {
    let Some(field) = field else {
        return Ok(None);
    };
    let url = field.as_str().and_then(|text| Url::parse(text).ok());
    match url.filter(|url| matches!(url.scheme(), "http" | "https")) {
        Some(url) => Ok(Some(url)),
        None => Err(Malformed::new(
            "invalid_request",
            "callback_url",
            "an absolute http or https URL",
        )),
    }
}
