//! Hexadecimal text as bytes.

/// Two digits a byte, in either case; `None` = it isn't that.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn digits_in_pairs() {
        assert_eq!(decode(b"00fFa1"), Some(vec![0, 255, 161]));
        assert_eq!(decode(b""), Some(Vec::new()));
        for wrong in [&b"0"[..], b"0g", b"+1", b"\xff\xff"] {
            assert_eq!(decode(wrong), None);
        }
    }
}
