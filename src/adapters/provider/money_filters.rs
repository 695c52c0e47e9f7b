//! The filters for amounts: providers write money as decimals, as whole numbers, or as JSON numbers.
//!
//! What can't be written exactly is an error, so that no other amount ever leaves.

use minijinja::value::Value;
use minijinja::{Environment, Error};

use super::filters::wrong;
use super::money;

/// Teaches them to the engine.
pub(super) fn register(engine: &mut Environment<'_>) {
    engine.add_filter("major", major);
    engine.add_filter("decimal", decimal);
    engine.add_filter("whole", whole);
}

/// `transaction.amount | major`: 1250 EUR as the text `12.50`. `major('short')` leaves out decimals that
/// are all zeros: 1200 EUR as `12`.
#[allow(
    clippy::needless_pass_by_value,
    reason = "the engine hands filters their arguments by value"
)]
fn major(amount: Value, form: Option<String>) -> Result<String, Error> {
    let (value, currency) = amount_of(&amount, "major")?;
    let text = money::major(value, &currency).map_err(|what| wrong(format!("major: {what}")))?;
    match form.as_deref() {
        None => Ok(text),
        Some("short") => Ok(match text.split_once('.') {
            Some((units, coins)) if coins.bytes().all(|digit| digit == b'0') => units.to_owned(),
            Some(_) | None => text,
        }),
        Some(other) => Err(wrong(format!(
            "major: there is the form 'short', got {other:?}"
        ))),
    }
}

/// `transaction.amount | decimal`: 1250 EUR as the number 12.5, for JSON. The number only carries the
/// digits: one that would carry others is refused.
#[allow(
    clippy::needless_pass_by_value,
    reason = "the engine hands filters their arguments by value"
)]
fn decimal(amount: Value) -> Result<f64, Error> {
    let (value, currency) = amount_of(&amount, "decimal")?;
    let text = money::major(value, &currency).map_err(|what| wrong(format!("decimal: {what}")))?;
    let significant = match text.split_once('.') {
        Some(_) => text.trim_end_matches('0').trim_end_matches('.'),
        None => &text,
    };
    text.parse()
        .ok()
        .filter(|number: &f64| number.to_string() == significant)
        .ok_or_else(|| {
            wrong(format!(
                "decimal: {text} {currency} has more digits than a JSON number carries"
            ))
        })
}

/// `transaction.amount | whole('KES')`: 1200 KES as 12, for a provider that counts in that currency and
/// knows no smaller coins.
#[allow(
    clippy::needless_pass_by_value,
    reason = "the engine hands filters their arguments by value"
)]
fn whole(amount: Value, needed: String) -> Result<i64, Error> {
    let (value, currency) = amount_of(&amount, "whole")?;
    money::whole(value, &currency, &needed).map_err(|what| wrong(format!("whole: {what}")))
}

/// Minor units and currency of an amount.
fn amount_of(amount: &Value, filter: &str) -> Result<(i64, String), Error> {
    let needed = || wrong(format!("{filter}: an amount of the transaction is needed"));
    let part = |name| amount.get_attr(name).map_err(|_| needed());
    let value = part("value")?.as_i64().ok_or_else(needed)?;
    let currency = part("currency")?;
    Ok((value, currency.as_str().unwrap_or_default().to_owned()))
}

#[cfg(test)]
mod tests {
    use minijinja::value::Serde;
    use serde_json::json;

    use super::*;

    fn print(filter: &str, value: i64, currency: &str) -> Result<String, String> {
        let mut engine = Environment::new();
        register(&mut engine);
        let context = json!({"amount": {"value": value, "currency": currency}, "none": null});
        engine
            .render_str(&format!("{{{{ {filter} }}}}"), Value::from(Serde(context)))
            .map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn amounts_are_written_exactly() {
        for (filter, value, currency, expected) in [
            ("amount | major", 1250, "EUR", "12.50"),
            ("amount | major", 1200, "JPY", "1200"),
            ("amount | major('short')", 1250, "EUR", "12.50"),
            ("amount | major('short')", 1200, "EUR", "12"),
            ("amount | major('short')", 1_005, "KWD", "1.005"),
            ("amount | major('short')", 11_500, "UGX", "11500"),
            ("amount | decimal", 1250, "EUR", "12.5"),
            ("amount | decimal", 29, "EUR", "0.29"),
            ("amount | decimal", 100_000_000_001, "NGN", "1000000000.01"),
            ("amount | whole('KES')", 1200, "KES", "12"),
        ] {
            let printed = print(filter, value, currency);
            assert_eq!(printed.as_deref(), Ok(expected), "{filter} {value}");
        }
    }

    #[test]
    fn what_would_be_another_amount_is_refused() {
        for (filter, value, currency, expected) in [
            (
                "'x' | major",
                1,
                "EUR",
                "an amount of the transaction is needed",
            ),
            (
                "none | decimal",
                1,
                "EUR",
                "an amount of the transaction is needed",
            ),
            (
                "none | whole('KES')",
                1,
                "EUR",
                "an amount of the transaction",
            ),
            ("amount | major('long')", 1, "EUR", "the form 'short'"),
            ("amount | decimal", i64::MAX, "EUR", "more digits"),
            ("amount | whole('KES')", 1200, "EUR", "counts in KES"),
            (
                "amount | whole('EUR')",
                1250,
                "EUR",
                "12.50 EUR has smaller coins",
            ),
        ] {
            let said = print(filter, value, currency).expect_err(filter);
            assert!(said.contains(expected), "{filter}: {said}");
        }
    }
}
