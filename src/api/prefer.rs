//! `Prefer: wait=N` (RFC 7240): how long a client would like to wait for an answer.

use std::time::Duration;

use actix_web::HttpRequest;

/// Nobody waits longer than this, whatever they prefer: proxies cut off at 60 s, phones earlier.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// The wait that the client prefers, capped; `None` if it states none.
pub(super) fn wait(request: &HttpRequest) -> Option<Duration> {
    let preferences = request
        .headers()
        .get_all("prefer")
        .filter_map(|value| value.to_str().ok());
    let seconds = preferences
        .flat_map(|value| value.split([',', ';']))
        .find_map(|preference| {
            let (name, value) = preference.split_once('=')?;
            let named = name.trim().eq_ignore_ascii_case("wait");
            named
                .then(|| value.trim().trim_matches('"').parse::<u64>().ok())
                .flatten()
        })?;
    Some(Duration::from_secs(seconds).min(WAIT_MAX))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn reads_the_wait_among_other_preferences_and_caps_it() {
        let wait_of = |value: &str| {
            wait(
                &TestRequest::default()
                    .insert_header(("Prefer", value))
                    .to_http_request(),
            )
        };
        assert_eq!(wait_of("wait=10"), Some(Duration::from_secs(10)));
        assert_eq!(
            wait_of("respond-async, Wait = 5"),
            Some(Duration::from_secs(5))
        );
        assert_eq!(wait_of("wait=3600"), Some(WAIT_MAX));
        assert_eq!(wait_of("wait=soon"), None);
        assert_eq!(wait_of("return=minimal"), None);
    }
}
