//! What is wrong with a profile, said so that its author can mend it without reading code.

use std::ops::Range;

use super::keys;

/// Words further apart than this, as a share of the longer one, are no suggestion.
const NEAREST_MIN_SIMILARITY: f64 = 0.5;

/// Why a profile, or what it is set up with, can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileProblem {
    /// A place in the file can't be read as what belongs there.
    #[error("{origin}, line {line}: {what}")]
    Line {
        /// The file.
        origin: String,
        /// Counted from 1.
        line: usize,
        /// What was found and what was expected.
        what: String,
    },
    /// The parts of the file don't fit together, or not with the settings.
    #[error("{origin}: {what}")]
    Whole {
        /// The file.
        origin: String,
        /// What doesn't fit.
        what: String,
    },
    /// The HTTP client can't be made.
    #[error("{origin}: no HTTP client can be made")]
    Client {
        /// The file.
        origin: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
}

impl ProfileProblem {
    /// The problem that toml's reader reports, with the nearest word that would have been right.
    pub(crate) fn of_toml(origin: &str, text: &str, error: &toml::de::Error) -> Self {
        let said = error.message().trim_end();
        let what = match suggestion(said) {
            Some(nearest) => format!("{said}; did you mean `{nearest}`?"),
            None => said.to_owned(),
        };
        match error.span() {
            Some(span) => {
                let what = match keys::label(text, span.start, said) {
                    Some(label) => format!("{label}: {what}"),
                    None => what,
                };
                Self::at(origin, text, &span, what)
            }
            None => Self::whole(origin, what),
        }
    }

    /// A problem at a place in `text`.
    pub(super) fn at(origin: &str, text: &str, span: &Range<usize>, what: String) -> Self {
        Self::Line {
            origin: origin.to_owned(),
            line: Self::line(text, span),
            what,
        }
    }

    /// A problem with a key, named by its path in `text`, such as `submit.outcome.2.at`.
    pub(super) fn at_key(origin: &str, text: &str, path: &str, what: String) -> Self {
        match keys::span_of(text, path) {
            Some(span) => Self::at(origin, text, &span, what),
            None => Self::whole(origin, what),
        }
    }

    /// The line of `text` on which a span begins, counted from 1.
    pub(super) fn line(text: &str, span: &Range<usize>) -> usize {
        let before = text.as_bytes().iter().take(span.start);
        1 + before.filter(|byte| **byte == b'\n').count()
    }

    /// A problem of the whole.
    pub(super) fn whole(origin: &str, what: impl Into<String>) -> Self {
        Self::Whole {
            origin: origin.to_owned(),
            what: what.into(),
        }
    }
}

/// The nearest of the words that serde's message lists, all of which stand in backticks: first the
/// one that was found, then those that were expected.
fn suggestion(said: &str) -> Option<&str> {
    let (found, expected) = said
        .strip_prefix("unknown field ")
        .or_else(|| said.strip_prefix("unknown variant "))?
        .split_once(", expected ")?;
    nearest(
        found.trim_matches('`'),
        expected.split('`').skip(1).step_by(2),
    )
}

/// The candidate that is most like `word`, if any is like it at all.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| {
            (
                candidate,
                strsim::normalized_damerau_levenshtein(word, candidate),
            )
        })
        .filter(|(_, similarity)| *similarity >= NEAREST_MIN_SIMILARITY)
        .max_by(|(_, one), (_, other)| one.total_cmp(other))
        .map(|(candidate, _)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_of_the_expected_words_is_suggested() {
        let said = "unknown field `tim_out`, expected one of `method`, `path`, `time_out`";
        assert_eq!(suggestion(said), Some("time_out"));
        let said = "unknown variant `pendng`, expected `completed` or `pending`";
        assert_eq!(suggestion(said), Some("pending"));
        let said = "unknown field `xyz`, expected one of `method`, `path`";
        assert_eq!(suggestion(said), None);
        assert_eq!(suggestion("missing field `path`"), None);
    }

    #[test]
    fn lines_are_counted_from_one() {
        let problem = ProfileProblem::at("x.toml", "a = 1\nb = 2\n", &(6..7), "wrong".to_owned());
        assert_eq!(problem.to_string(), "x.toml, line 2: wrong");
    }
}
