//! `[[route]]`: which provider takes a request that names none.
//!
//! ```text
//!   [[route]]
//!   provider = "mpesa"
//!   app = "shop"                        # or a list
//!   currency = ["KES", "TZS"]           # or one
//!   amount_from = 100                   # minor units, inclusive
//!   amount_to = 15000000
//!   payload = { "/method" = "mpesa", "/msisdn" = { prefix = ["2547", "2541"] } }
//! ```

use std::collections::BTreeMap;
use std::fmt;

use anyhow::bail;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use toml::Spanned;

use super::AppConfig;
use super::origin::Origin;
use super::providers::ProviderConfig;
use crate::adapters::provider::{OneOrMany, nearest};
use crate::api::routing::{Conditions, Expected, Route, Routes};
use crate::transaction::AppId;

/// Rules of one teller, at most: they are tried one by one for each new request.
pub const ROUTES_MAX: usize = 200;
/// Words, prefixes, places, apps or currencies of one rule, at most.
const CHOICES_MAX: usize = 100;

/// `[[route]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteTable {
    provider: String,
    app: Option<OneOrMany<AppId>>,
    currency: Option<OneOrMany<Currency>>,
    amount_from: Option<MinorUnits>,
    amount_to: Option<MinorUnits>,
    payload: Option<BTreeMap<Pointer, Choice>>,
}

/// An ISO 4217 code.
struct Currency(String);

/// A whole number of minor units, not negative, as amounts are.
struct MinorUnits(i64);

/// An RFC 6901 pointer to a place in the payload.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Pointer(String);

/// What may stand at a place: a word, words, or `{ prefix = … }`.
struct Choice(Expected);

/// Reads the rules.
pub(super) fn routes(
    origin: &Origin<'_>,
    tables: Vec<Spanned<RouteTable>>,
    providers: &[ProviderConfig],
    apps: &[AppConfig],
) -> anyhow::Result<Routes> {
    if tables.len() > ROUTES_MAX {
        bail!(origin.whole(format_args!(
            "a teller has {ROUTES_MAX} routes at most; there are {}",
            tables.len()
        )));
    }
    let last = tables.len().saturating_sub(1);
    let mut routes: Vec<Route> = Vec::with_capacity(tables.len());
    for (at, table) in tables.into_iter().enumerate() {
        let span = table.span();
        let route = route(table.into_inner(), providers, apps)
            .and_then(|route| reachable(route, &routes, at == last))
            .map_err(|what| origin.at(&span, format_args!("route {}: {what}", at + 1)))?;
        routes.push(route);
    }
    Ok(Routes(routes))
}

fn route(
    table: RouteTable,
    providers: &[ProviderConfig],
    apps: &[AppConfig],
) -> Result<Route, String> {
    let names = || providers.iter().map(|one| one.profile.name());
    if !names().any(|name| name == table.provider) {
        return Err(unknown("provider", &table.provider, names()));
    }
    let app_names = || apps.iter().map(|app| app.name.as_str());
    let chosen = choices("app", table.app)?;
    let foreign = chosen
        .iter()
        .flatten()
        .find(|app| !app_names().any(|name| name == app.as_str()));
    if let Some(app) = foreign {
        return Err(unknown("app", app.as_str(), app_names()));
    }
    let (from, to) = (table.amount_from, table.amount_to);
    if let (Some(from), Some(to)) = (&from, &to)
        && from.0 > to.0
    {
        return Err(format!(
            "amount_from is {} and amount_to is {}: no amount lies between them",
            from.0, to.0
        ));
    }
    let payload = match table.payload {
        Some(places) if places.is_empty() || places.len() > CHOICES_MAX => {
            return Err(format!(
                "payload: 1 to {CHOICES_MAX} places are expected; there are {}",
                places.len()
            ));
        }
        places => places.unwrap_or_default(),
    };
    let conditions = Conditions {
        apps: chosen,
        currencies: choices("currency", table.currency)?
            .map(|codes| codes.into_iter().map(|code| code.0).collect()),
        amount_from: from.map(|units| units.0),
        amount_to: to.map(|units| units.0),
        payload: payload
            .into_iter()
            .map(|(pointer, choice)| (pointer.0, choice.0))
            .collect(),
    };
    Ok(Route {
        provider: table.provider,
        conditions,
    })
}

/// A rule that an earlier one hides, or that hides a later one, is not what anybody meant.
fn reachable(route: Route, earlier: &[Route], is_last: bool) -> Result<Route, String> {
    if route.conditions.is_empty() && !is_last {
        return Err(
            "it has no condition, so it fits everything and hides the rules after it; put it last"
                .to_owned(),
        );
    }
    let twin = earlier
        .iter()
        .position(|other| other.conditions == route.conditions);
    match twin {
        Some(twin) => Err(format!(
            "it can never fit: route {} has the same conditions and comes first",
            twin + 1
        )),
        None => Ok(route),
    }
}

fn choices<T>(name: &str, chosen: Option<OneOrMany<T>>) -> Result<Option<Vec<T>>, String> {
    let Some(chosen) = chosen else {
        return Ok(None);
    };
    let chosen = chosen.into_vec();
    if chosen.is_empty() {
        return Err(format!("{name}: an empty list fits nothing"));
    }
    if chosen.len() > CHOICES_MAX {
        return Err(format!(
            "{name}: {CHOICES_MAX} at most; there are {}",
            chosen.len()
        ));
    }
    Ok(Some(chosen))
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let hint = match nearest(name, known.clone()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("there is {}", known.collect::<Vec<_>>().join(", ")),
    };
    format!("{what} {name:?} is not configured; {hint}")
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()) {
            Ok(Self(code))
        } else {
            Err(D::Error::custom(format!(
                "a currency is an ISO 4217 code of three capital letters, got {code:?}"
            )))
        }
    }
}

impl<'de> Deserialize<'de> for MinorUnits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match i64::deserialize(deserializer)? {
            units @ 0.. => Ok(Self(units)),
            units => Err(D::Error::custom(format!(
                "an amount is a number of minor units (cents), not negative, got {units}"
            ))),
        }
    }
}

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let escapes = text
            .split('~')
            .skip(1)
            .all(|rest| rest.starts_with(['0', '1']));
        if text.starts_with('/') && escapes {
            Ok(Self(text))
        } else {
            Err(D::Error::custom(format!(
                "expected a JSON pointer into the payload such as \"/method\", got {text:?}"
            )))
        }
    }
}

impl<'de> Deserialize<'de> for Choice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Prefix {
            prefix: OneOrMany<String>,
        }
        fn word<E: Error>(word: Value) -> Result<Value, E> {
            match word {
                Value::String(_) | Value::Bool(_) => Ok(word),
                Value::Number(ref number) if !number.is_f64() => Ok(word),
                other => Err(E::custom(format!(
                    "a word is a string, a whole number, true or false; got {other}"
                ))),
            }
        }
        struct Choices;
        impl<'de> Visitor<'de> for Choices {
            type Value = Choice;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a word, a list of words, or { prefix = \"…\" }")
            }
            fn visit_str<E>(self, text: &str) -> Result<Choice, E> {
                Ok(Choice(Expected::Words(vec![text.into()])))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Choice, E> {
                Ok(Choice(Expected::Words(vec![number.into()])))
            }
            fn visit_bool<E>(self, flag: bool) -> Result<Choice, E> {
                Ok(Choice(Expected::Words(vec![flag.into()])))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Choice, A::Error> {
                let words: Vec<Value> = Vec::deserialize(SeqAccessDeserializer::new(list))?;
                if words.is_empty() || words.len() > CHOICES_MAX {
                    return Err(A::Error::custom(format!(
                        "1 to {CHOICES_MAX} words are expected; there are {}",
                        words.len()
                    )));
                }
                let words: Result<_, _> = words.into_iter().map(word).collect();
                words.map(|words| Choice(Expected::Words(words)))
            }
            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Choice, A::Error> {
                let table = Prefix::deserialize(MapAccessDeserializer::new(table))?;
                let prefixes = table.prefix.into_vec();
                if prefixes.is_empty()
                    || prefixes.len() > CHOICES_MAX
                    || prefixes.iter().any(String::is_empty)
                {
                    return Err(A::Error::custom(format!(
                        "prefix: 1 to {CHOICES_MAX} texts are expected, none of them empty"
                    )));
                }
                Ok(Choice(Expected::Prefixes(prefixes)))
            }
        }
        deserializer.deserialize_any(Choices)
    }
}
