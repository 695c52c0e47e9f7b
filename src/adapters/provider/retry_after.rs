//! `Retry-After` (RFC 9110 §10.2.3): seconds, or a date.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::HeaderValue;

use crate::transaction::Timestamp;

/// The longest wait that is understood; what asks for more is understood as this much.
const LONGEST: Duration = Duration::from_hours(24);

/// How long the sender asks to wait, from `now`. `None` for what is neither form; zero for a date
/// that has passed.
pub(crate) fn read(value: &HeaderValue, now: Timestamp) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    let wait = if text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Digits that overflow are a long wait, too.
        Duration::from_secs(
            text.parse()
                .unwrap_or(if text.is_empty() { 0 } else { u64::MAX }),
        )
    } else {
        let at = DateTimeParser::new().parse_timestamp(text).ok()?;
        Timestamp::from_millis(at.as_millisecond()).since(now)
    };
    (!text.is_empty()).then(|| wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let now: Timestamp = "1994-11-06T08:49:00Z".parse().expect("a time");
        let cases = [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 5 ", Some(5)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(37)),
            ("Sun, 06 Nov 1994 08:48:37 GMT", Some(0)),
            ("99999999999999999999999", Some(86_400)),
            ("86401", Some(86_400)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
        ];
        for (text, seconds) in cases {
            let value = HeaderValue::from_str(text).expect("a header");
            assert_eq!(
                read(&value, now),
                seconds.map(Duration::from_secs),
                "{text:?}"
            );
        }
    }
}
