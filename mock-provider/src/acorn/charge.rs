//! The words of a charge and the amounts that it may have.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest part of an amount before the point, in digits: no payment is larger.
const MAX_WHOLE_DIGITS: usize = 12;

/// Where a charge stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Taken, nothing decided.
    Processing,
    /// Held for a look at it, nothing decided.
    OnHold,
    /// Money moved.
    Paid,
    /// Money did not move.
    Rejected,
    /// Money moved, and was given back later.
    Reversed,
}

impl State {
    /// The word that goes over the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::OnHold => "on_hold",
            Self::Paid => "paid",
            Self::Rejected => "rejected",
            Self::Reversed => "reversed",
        }
    }

    /// Whether it says if money moved.
    #[must_use]
    pub const fn is_decided(self) -> bool {
        match self {
            Self::Processing | Self::OnHold => false,
            Self::Paid | Self::Rejected | Self::Reversed => true,
        }
    }

    /// A lie about it.
    pub(crate) const fn opposite(self) -> Self {
        match self {
            Self::Paid => Self::Rejected,
            Self::Processing | Self::OnHold | Self::Rejected | Self::Reversed => Self::Paid,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a charge is rejected at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decline {
    /// The payer has not so much money.
    InsufficientFunds,
    /// The payer may not pay so much.
    LimitExceeded,
}

/// How many decimals amounts of this currency have; `None` = the currency isn't served.
pub(crate) fn decimals(currency: &str) -> Option<usize> {
    match currency {
        "jpy" | "krw" | "rwf" | "ugx" | "xaf" | "xof" => Some(0),
        "chf" | "eur" | "gbp" | "ghs" | "kes" | "ngn" | "tzs" | "usd" | "zar" => Some(2),
        "bhd" | "jod" | "kwd" | "tnd" => Some(3),
        _ => None,
    }
}

/// Whether `text` is a positive amount with exactly so many decimals.
pub(crate) fn is_amount(text: &str, decimals: usize) -> bool {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) if decimals > 0 => (whole, fraction),
        None => (text, ""),
        Some(_) => return false,
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole)
        && digits(fraction)
        && (1..=MAX_WHOLE_DIGITS).contains(&whole.len())
        && fraction.len() == decimals
        && (whole == "0" || !whole.starts_with('0'))
        && text.bytes().any(|byte| (b'1'..=b'9').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::is_amount;

    #[test]
    fn amounts_have_the_decimals_of_their_currency() {
        for (text, decimals, good) in [
            ("12.50", 2, true),
            ("0.01", 2, true),
            ("999999999999.99", 2, true),
            ("1000", 0, true),
            ("1.250", 3, true),
            ("12.5", 2, false),
            ("12", 2, false),
            ("12.", 2, false),
            (".50", 2, false),
            ("012.50", 2, false),
            ("0.00", 2, false),
            ("-1.00", 2, false),
            ("1e2.00", 2, false),
            ("1.2.3", 3, false),
            ("1000000000000.00", 2, false),
            ("1000.00", 0, false),
            ("1000.", 0, false),
            ("0", 0, false),
            ("", 0, false),
        ] {
            assert_eq!(is_amount(text, decimals), good, "{text} {decimals}");
        }
    }
}
