//! Reading a webhook's header lines and the parts of its URL.

use http::{HeaderName, Uri};

use super::{HEADER_MAX_BYTES, SignatureFault, Signed};

/// How a header is named in messages.
pub(super) fn header_place(name: &HeaderName) -> String {
    format!("the header {name}")
}

/// The values of every line of this header.
pub(super) fn lines<'a>(signed: &Signed<'a>, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    signed
        .headers
        .iter()
        .filter(move |(line, _)| line.eq_ignore_ascii_case(name.as_str()))
        .map(|(_, value)| *value)
}

/// The value of a header that has to be there once.
pub(super) fn one<'a>(signed: &Signed<'a>, name: &HeaderName) -> Result<&'a [u8], SignatureFault> {
    let place = || header_place(name);
    let mut lines = lines(signed, name);
    let value = lines
        .next()
        .ok_or_else(|| SignatureFault::Missing { place: place() })?;
    if lines.next().is_some() {
        return Err(SignatureFault::Duplicated { place: place() });
    }
    if value.len() > HEADER_MAX_BYTES {
        return Err(SignatureFault::TooLong { place: place() });
    }
    Ok(value)
}

/// The same for a header whose value is visible ASCII.
pub(super) fn one_text<'a>(
    signed: &Signed<'a>,
    name: &HeaderName,
) -> Result<&'a str, SignatureFault> {
    visible(one(signed, name)?, || header_place(name))
}

/// The lines of a header joined as RFC 9110 joins them, each without white space around it; `None`
/// if there is no such line.
pub(super) fn joined(
    signed: &Signed<'_>,
    name: &HeaderName,
) -> Result<Option<Vec<u8>>, SignatureFault> {
    let mut joined: Option<Vec<u8>> = None;
    for line in lines(signed, name) {
        match &mut joined {
            Some(joined) => joined.extend_from_slice(b", "),
            None => joined = Some(Vec::new()),
        }
        let joined = joined.get_or_insert_default();
        joined.extend_from_slice(line.trim_ascii());
        if joined.len() > HEADER_MAX_BYTES {
            return Err(SignatureFault::TooLong {
                place: header_place(name),
            });
        }
    }
    Ok(joined)
}

/// `bytes` as text, if each is a visible ASCII character or a space between such.
pub(super) fn visible(
    bytes: &[u8],
    place: impl FnOnce() -> String,
) -> Result<&str, SignatureFault> {
    let what = match std::str::from_utf8(bytes) {
        Ok("") => "is empty",
        Ok(text) if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) => return Ok(text),
        Ok(_) | Err(_) => "has characters that don't belong there",
    };
    Err(SignatureFault::Malformed {
        place: place(),
        what,
    })
}

/// The URL in its parts, unchanged otherwise.
pub(super) fn uri(signed: &Signed<'_>) -> Result<Uri, SignatureFault> {
    signed.url.parse().map_err(|_| SignatureFault::Malformed {
        place: "the webhook's URL".to_owned(),
        what: "can't be read",
    })
}
