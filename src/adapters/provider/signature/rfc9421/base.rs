//! The signature base: what is signed, one line for each covered component.

use std::borrow::Cow;

use http::{HeaderName, Uri};

use super::super::fields::{joined, uri};
use super::super::{SignatureFault, Signed};
use super::fields::Input;

/// What can be derived from a request, besides its headers.
pub(super) const DERIVED: [&str; 7] = [
    "@method",
    "@authority",
    "@target-uri",
    "@scheme",
    "@request-target",
    "@path",
    "@query",
];

/// The base that `input` describes for this request.
pub(super) fn signature_base(
    input: &Input,
    signed: &Signed<'_>,
) -> Result<Vec<u8>, SignatureFault> {
    let uri = uri(signed)?;
    let mut base = Vec::new();
    for name in input.names() {
        let value = component(name, signed, &uri)?;
        // A line break would let one component's value pass for another component.
        if value.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
            return Err(SignatureFault::Underivable);
        }
        base.extend_from_slice(format!("\"{name}\": ").as_bytes());
        base.extend_from_slice(&value);
        base.push(b'\n');
    }
    base.extend_from_slice(b"\"@signature-params\": ");
    base.extend_from_slice(input.serialized().as_bytes());
    Ok(base)
}

fn component<'a>(
    name: &str,
    signed: &Signed<'a>,
    uri: &'a Uri,
) -> Result<Cow<'a, [u8]>, SignatureFault> {
    let path = match uri.path() {
        "" => "/",
        path => path,
    };
    let query = uri.query();
    let text = match name {
        "@method" => Cow::Borrowed(signed.method),
        "@authority" => authority(uri)?,
        "@target-uri" => Cow::Borrowed(signed.url),
        "@scheme" => Cow::Owned(scheme(uri)?),
        "@request-target" => match query {
            Some(query) => Cow::Owned(format!("{path}?{query}")),
            None => Cow::Borrowed(path),
        },
        "@path" => Cow::Borrowed(path),
        "@query" => Cow::Owned(format!("?{}", query.unwrap_or_default())),
        _ => return field(name, signed).map(Cow::Owned),
    };
    Ok(match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    })
}

/// A header's value, its lines joined. The RFC wants its name in small letters.
fn field(name: &str, signed: &Signed<'_>) -> Result<Vec<u8>, SignatureFault> {
    let header = HeaderName::from_bytes(name.as_bytes())
        .ok()
        .filter(|header| header.as_str() == name)
        .ok_or(SignatureFault::Underivable)?;
    joined(signed, &header)?.ok_or(SignatureFault::Underivable)
}

fn scheme(uri: &Uri) -> Result<String, SignatureFault> {
    let scheme = uri.scheme_str().ok_or(SignatureFault::Underivable)?;
    Ok(scheme.to_ascii_lowercase())
}

/// The host, in small letters, with its port where it isn't the scheme's own.
fn authority(uri: &Uri) -> Result<Cow<'static, str>, SignatureFault> {
    let host = uri.host().ok_or(SignatureFault::Underivable)?;
    let host = host.to_ascii_lowercase();
    let usual = match scheme(uri)?.as_str() {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    };
    Ok(Cow::Owned(match uri.port_u16() {
        Some(port) if Some(port) != usual => format!("{host}:{port}"),
        Some(_) | None => host,
    }))
}
