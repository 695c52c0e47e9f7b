//! Money between minor units, which teller counts in, and the decimals that providers write. Exact:
//! no floating point touches an amount.

use iso_currency::Currency;
use serde::Deserialize;
use serde_json::Value;

use super::outcome::{self, Pointer};
use crate::transaction::{Amount, ReportedAmount};

/// Digits of an amount, at most: what an `i64` of minor units can hold.
const DIGITS_MAX: usize = 18;

/// Where evidence states the amount, and how.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AmountPlace {
    /// Where the number stands, as JSON number or text.
    pub(super) value: Pointer,
    /// Where the ISO 4217 code stands, in capitals or not.
    pub(super) currency: Pointer,
    /// In which units.
    #[serde(default)]
    pub(super) units: Units,
}

/// In which units a number of money is written.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Units {
    /// Cents.
    #[default]
    Minor,
    /// Euros, with as many decimals as the currency has.
    Major,
}

impl AmountPlace {
    /// The amount that stands there; `None` if none is reported.
    pub(super) fn find(&self, body: &Value) -> Option<ReportedAmount> {
        let value = self.value.find(body).filter(|value| !value.is_null())?;
        let code = self.currency.find(body).and_then(Value::as_str);
        let read = code
            .and_then(|code| known_currency(&code.to_ascii_uppercase()))
            .and_then(|currency| {
                let decimals = match self.units {
                    Units::Minor => 0,
                    Units::Major => exponent(currency),
                };
                Some(Amount {
                    value: scaled(&written(value)?, decimals)?,
                    currency: currency.code().to_owned(),
                })
            });
        Some(match read {
            Some(amount) => ReportedAmount::Read(amount),
            None => ReportedAmount::Unreadable {
                text: format!("{} {}", outcome::shown(value), code.unwrap_or("?"))
                    .chars()
                    .take(80)
                    .collect(),
            },
        })
    }
}

/// A number as it is written; JSON's exponents and signs are no way to write money.
fn written(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The whole number that `text` is, with its point moved right by `decimals`. Further decimals have to
/// be zeros: nothing is rounded.
fn scaled(text: &str, decimals: usize) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || text.ends_with('.') {
        return None;
    }
    let (kept, rest) = fraction.split_at(fraction.len().min(decimals));
    if rest.bytes().any(|byte| byte != b'0') {
        return None;
    }
    let moved = format!("{whole}{kept:0<decimals$}");
    let significant = moved.trim_start_matches('0');
    if significant.len() > DIGITS_MAX {
        return None;
    }
    format!("0{significant}").parse().ok()
}

/// An amount of minor units as a decimal of major ones: 1250 EUR is `12.50`, 1250 JPY is `1250`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn major(value: i64, currency: &str) -> Result<String, String> {
    let known =
        known_currency(currency).ok_or_else(|| format!("{currency:?} is no ISO 4217 currency"))?;
    let value = u64::try_from(value).map_err(|_| format!("{value} is no amount"))?;
    let decimals = exponent(known);
    let digits = format!("{value:0>width$}", width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    Ok(if fraction.is_empty() {
        whole.to_owned()
    } else {
        format!("{whole}.{fraction}")
    })
}

/// An amount as a number of major units, for a provider that counts in `needed` and knows no smaller
/// coins: 1200 KES is 12. Another currency, or cents, would be another amount of money.
///
/// # Errors
/// What is wrong with it.
pub(super) fn whole(value: i64, currency: &str, needed: &str) -> Result<i64, String> {
    if currency != needed {
        return Err(format!(
            "the provider counts in {needed}, and the amount is in {currency}"
        ));
    }
    let written = major(value, currency)?;
    let (units, coins) = written.split_once('.').unwrap_or((&written, ""));
    if coins.bytes().any(|digit| digit != b'0') {
        return Err(format!(
            "{written} {currency} has smaller coins than the provider takes"
        ));
    }
    units.parse().map_err(|_| format!("{written} is no amount"))
}

fn known_currency(code: &str) -> Option<Currency> {
    Currency::from_code(code)
}

/// Decimals of a currency's major unit. ISO gives none to metals and the like; then there are none.
fn exponent(currency: Currency) -> usize {
    currency.exponent().map_or(0, usize::from)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn major_units_have_the_currency_s_decimals() {
        for (value, currency, expected) in [
            (1250, "EUR", "12.50"),
            (5, "EUR", "0.05"),
            (0, "EUR", "0.00"),
            (1250, "JPY", "1250"),
            (1250, "KWD", "1.250"),
            (i64::MAX, "USD", "92233720368547758.07"),
        ] {
            assert_eq!(major(value, currency).as_deref(), Ok(expected));
        }
        assert!(major(1, "XYZ").is_err());
        assert!(major(-1, "EUR").is_err());
    }

    fn find(units: &str, value: &Value, currency: &Value) -> Option<ReportedAmount> {
        let place: AmountPlace =
            toml::from_str(&format!("value = '/v'\ncurrency = '/c'\nunits = '{units}'"))
                .expect("legal");
        place.find(&json!({"v": value, "c": currency}))
    }

    #[test]
    fn reported_amounts_are_read_exactly() {
        for (units, value, currency, expected) in [
            ("minor", json!(1250), "EUR", 1250),
            ("minor", json!("1250"), "eur", 1250),
            ("major", json!("12.50"), "EUR", 1250),
            ("major", json!(12.5), "EUR", 1250),
            ("major", json!(12), "EUR", 1200),
            ("major", json!("12.5000"), "EUR", 1250),
            ("major", json!("1250"), "JPY", 1250),
            ("major", json!("1.25"), "KWD", 1250),
            ("major", json!("0.29"), "EUR", 29),
        ] {
            let amount = find(units, &value, &json!(currency));
            let expected = ReportedAmount::Read(Amount {
                value: expected,
                currency: currency.to_ascii_uppercase(),
            });
            assert_eq!(amount, Some(expected), "{value} {currency}");
        }
    }

    #[test]
    fn what_is_no_amount_is_said_to_be_unreadable() {
        for (units, value, currency) in [
            ("minor", json!("12.50"), json!("EUR")),
            ("minor", json!(-5), json!("EUR")),
            ("minor", json!("1e3"), json!("EUR")),
            ("minor", json!(1e300), json!("EUR")),
            ("major", json!("12.505"), json!("EUR")),
            ("major", json!("12,50"), json!("EUR")),
            ("major", json!("1."), json!("EUR")),
            ("major", json!(".5"), json!("EUR")),
            ("major", json!(""), json!("EUR")),
            ("major", json!("99999999999999999999"), json!("EUR")),
            ("minor", json!(1), json!("EURO")),
            ("minor", json!(1), json!(null)),
            ("minor", json!({}), json!("EUR")),
        ] {
            let read = find(units, &value, &currency);
            let unreadable = matches!(read, Some(ReportedAmount::Unreadable { .. }));
            assert!(unreadable, "{value} {currency}: {read:?}");
        }
        assert_eq!(find("minor", &json!(null), &json!("EUR")), None);
    }
}
