//! Bytes written as text, read strictly: one way to write each, so that what is not exactly that is
//! refused instead of being mended.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::Deserialize;

/// How a signature is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Encoding {
    /// Two digits for each byte, small or capital.
    Hex,
    /// The standard alphabet, padded.
    Base64,
}

impl Encoding {
    /// The bytes, if there are exactly `length` of them.
    pub(super) fn decode(self, text: &str, length: usize) -> Result<Vec<u8>, &'static str> {
        let bytes = match self {
            Self::Hex => hex(text).ok_or("is not hexadecimal")?,
            Self::Base64 => STANDARD.decode(text).map_err(|_| "is not base64")?,
        };
        if bytes.len() == length {
            Ok(bytes)
        } else {
            Err("has the wrong length")
        }
    }

    /// The word for it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Hex => "hex",
            Self::Base64 => "base64",
        }
    }
}

/// How a secret is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyEncoding {
    /// The characters themselves are the key.
    #[default]
    Text,
    /// Two digits for each byte.
    Hex,
    /// The standard alphabet, padded or not.
    Base64,
}

/// The bytes that hexadecimal digits stand for.
pub(super) fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect()
}

/// The bytes that base64 of the standard alphabet stands for, padded or not: people copy keys both
/// ways.
pub(super) fn base64_key(text: &str) -> Option<Vec<u8>> {
    STANDARD_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_is_read_in_both_cases_and_nothing_else_is() {
        assert_eq!(hex("00fFa9"), Some(vec![0x00, 0xff, 0xa9]));
        assert_eq!(hex(""), Some(vec![]));
        for wrong in ["0", "0x", "+1", " 1", "1 ", "g0", "é"] {
            assert_eq!(hex(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_signature_has_its_length_and_its_one_spelling() {
        assert_eq!(Encoding::Hex.decode("0a0b", 2), Ok(vec![10, 11]));
        assert_eq!(Encoding::Hex.decode("0a0b", 3), Err("has the wrong length"));
        assert_eq!(Encoding::Base64.decode("Cgs=", 2), Ok(vec![10, 11]));
        for wrong in ["Cgs", "Cgt=", " Cgs=", "Cgs=\n", "Cg==="] {
            assert_eq!(
                Encoding::Base64.decode(wrong, 2),
                Err("is not base64"),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn keys_may_lack_their_padding() {
        assert_eq!(base64_key("Cgs"), Some(vec![10, 11]));
        assert_eq!(base64_key("Cgs="), Some(vec![10, 11]));
        assert_eq!(base64_key("C-s="), None);
    }
}
