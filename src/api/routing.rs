//! Which provider a request goes to that names none: the rules in order, then the default.
//!
//! Only a new request is routed: where it goes is part of its record, and a replay finds it there.

use serde_json::Value;

use crate::transaction::{Amount, AppId};

/// The rules, in order.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Routes(pub Vec<Route>);

/// One rule.
#[derive(Clone, PartialEq, Debug)]
pub struct Route {
    /// Where what it is about goes.
    pub provider: String,
    /// What it is about.
    pub conditions: Conditions,
}

/// What a rule is about. All of them have to hold; one that is left out holds.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Conditions {
    /// It comes from one of these apps.
    pub apps: Option<Vec<AppId>>,
    /// It has an amount, in one of these currencies.
    pub currencies: Option<Vec<String>>,
    /// It has an amount of so many minor units at least.
    pub amount_from: Option<i64>,
    /// It has an amount of so many minor units at most.
    pub amount_to: Option<i64>,
    /// Its payload has at each JSON pointer what is expected there.
    pub payload: Vec<(String, Expected)>,
}

/// What is expected at a place of the payload.
#[derive(Clone, PartialEq, Debug)]
pub enum Expected {
    /// One of these words. JSON's `"1"` and `1` are different words.
    Words(Vec<Value>),
    /// A text, or a whole number, that begins with one of these.
    Prefixes(Vec<String>),
}

impl Routes {
    /// The provider that the first fitting rule names; `None` if no rule fits.
    #[must_use]
    pub fn provider(&self, app: &AppId, amount: Option<&Amount>, payload: &Value) -> Option<&str> {
        let fits = |route: &&Route| route.conditions.hold(app, amount, payload);
        self.0
            .iter()
            .find(fits)
            .map(|route| route.provider.as_str())
    }
}

impl Conditions {
    fn hold(&self, app: &AppId, amount: Option<&Amount>, payload: &Value) -> bool {
        let of_app = self.apps.as_ref().is_none_or(|apps| apps.contains(app));
        let in_currency = self.currencies.as_ref().is_none_or(|currencies| {
            amount.is_some_and(|amount| currencies.contains(&amount.currency))
        });
        let from = self
            .amount_from
            .is_none_or(|from| amount.is_some_and(|amount| amount.value >= from));
        let to = self
            .amount_to
            .is_none_or(|to| amount.is_some_and(|amount| amount.value <= to));
        let expected = |(pointer, expected): &(String, Expected)| {
            payload
                .pointer(pointer)
                .is_some_and(|found| expected.is_met(found))
        };
        of_app && in_currency && from && to && self.payload.iter().all(expected)
    }

    /// Whether there is none, so that everything fits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Expected {
    fn is_met(&self, found: &Value) -> bool {
        match self {
            Self::Words(words) => words.contains(found),
            Self::Prefixes(prefixes) => {
                let begins = |text: &str| prefixes.iter().any(|prefix| text.starts_with(prefix));
                match found {
                    Value::String(text) => begins(text),
                    Value::Number(number) if !number.is_f64() => begins(&number.to_string()),
                    _ => false,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn amount(value: i64, currency: &str) -> Amount {
        Amount {
            value,
            currency: currency.to_owned(),
        }
    }

    /// Tries one rule on requests of the app "shop": amount, payload, whether it fits.
    #[track_caller]
    fn check(conditions: Conditions, cases: &[(Option<Amount>, Value, bool)]) {
        let routes = Routes(vec![Route {
            provider: "mpesa".to_owned(),
            conditions,
        }]);
        let shop = AppId::parse("shop").expect("legal");
        for (amount, payload, fits) in cases {
            let provider = routes.provider(&shop, amount.as_ref(), payload);
            assert_eq!(provider.is_some(), *fits, "{amount:?} {payload}");
        }
    }

    #[test]
    fn currencies_and_amounts_need_an_amount_and_include_their_ends() {
        let kes = |value| Some(amount(value, "KES"));
        check(
            Conditions {
                currencies: Some(vec!["KES".to_owned(), "TZS".to_owned()]),
                amount_from: Some(100),
                amount_to: Some(200),
                ..Conditions::default()
            },
            &[
                (kes(99), Value::Null, false),
                (kes(100), Value::Null, true),
                (kes(200), Value::Null, true),
                (kes(201), Value::Null, false),
                (Some(amount(150, "TZS")), Value::Null, true),
                (Some(amount(150, "UGX")), Value::Null, false),
                (None, json!({"amount": 150}), false),
            ],
        );
    }

    #[test]
    fn words_are_compared_exactly_and_prefixes_on_texts_and_whole_numbers() {
        check(
            Conditions {
                payload: vec![(
                    "/method".to_owned(),
                    Expected::Words(vec![json!("mpesa"), json!(7), json!(true)]),
                )],
                ..Conditions::default()
            },
            &[
                (None, json!({"method": "mpesa"}), true),
                (None, json!({"method": 7}), true),
                (None, json!({"method": true}), true),
                (None, json!({"method": "Mpesa"}), false),
                (None, json!({"method": "7"}), false),
                (None, json!({"method": ["mpesa"]}), false),
                (None, json!({}), false),
                (None, Value::Null, false),
            ],
        );
        let prefixes = vec!["2547".to_owned(), "+2547".to_owned()];
        check(
            Conditions {
                payload: vec![("/to/0".to_owned(), Expected::Prefixes(prefixes))],
                ..Conditions::default()
            },
            &[
                (None, json!({"to": ["254712345678"]}), true),
                (None, json!({"to": ["+254712345678"]}), true),
                (None, json!({"to": [254_712_345_678_u64]}), true),
                (None, json!({"to": ["255712345678"]}), false),
                (None, json!({"to": [2547.5]}), false),
                (None, json!({"to": [null]}), false),
                (None, json!({"to": []}), false),
            ],
        );
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let rule = |provider: &str, app: &str| Route {
            provider: provider.to_owned(),
            conditions: Conditions {
                apps: Some(vec![AppId::parse(app).expect("legal")]),
                ..Conditions::default()
            },
        };
        let rest = Route {
            provider: "rest".to_owned(),
            conditions: Conditions::default(),
        };
        let routes = Routes(vec![
            rule("one", "shop"),
            rule("two", "shop"),
            rule("three", "fuel"),
            rest,
        ]);
        for (app, provider) in [("shop", "one"), ("fuel", "three"), ("rent", "rest")] {
            let app = AppId::parse(app).expect("legal");
            assert_eq!(
                routes.provider(&app, None, &Value::Null),
                Some(provider),
                "{app}"
            );
        }
        let shop = AppId::parse("shop").expect("legal");
        assert_eq!(Routes::default().provider(&shop, None, &Value::Null), None);
    }
}
