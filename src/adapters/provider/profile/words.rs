//! The words of a profile that have a form: names, addresses, numbers.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Characters of a provider's name, at most: it stands in URLs and in every record.
const NAME_MAX_CHARS: usize = 40;

/// A provider's name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in super::super) struct Name(pub(in super::super) String);

impl Name {
    pub(in super::super) fn parse(name: &str) -> Result<Self, String> {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if (1..=NAME_MAX_CHARS).contains(&name.len()) && name.chars().all(legal) {
            Ok(Self(name.to_owned()))
        } else {
            Err(format!(
                "a provider's name has 1 to {NAME_MAX_CHARS} characters of a-z, 0-9, '-' and '_', got {name:?}"
            ))
        }
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Where a provider's paths begin: `http` or `https`, a host, and a path without a trailing slash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in super::super) struct BaseUrl(String);

impl BaseUrl {
    pub(in super::super) fn parse(text: &str) -> Result<Self, String> {
        let expected =
            || format!("expected a URL such as \"https://api.example.com/v1\", got {text:?}");
        let url = reqwest::Url::parse(text).map_err(|_| expected())?;
        let plain = url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if matches!(url.scheme(), "http" | "https") && url.has_host() && plain {
            Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
        } else {
            Err(expected())
        }
    }

    pub(in super::super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether TLS is spoken there.
    pub(in super::super) fn is_encrypted(&self) -> bool {
        self.0.starts_with("https:")
    }
}

impl<'de> Deserialize<'de> for BaseUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A whole number from 1 to a million.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) struct Positive(pub(in super::super) u32);

impl<'de> Deserialize<'de> for Positive {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            number @ 1..=1_000_000 => Ok(Self(number)),
            other => Err(D::Error::custom(format!(
                "expected a number from 1 to 1000000, got {other}"
            ))),
        }
    }
}

/// So many per second: more than none, and finite.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(in super::super) struct Rate(pub(in super::super) f64);

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rate = f64::deserialize(deserializer)?;
        if rate.is_finite() && rate > 0.0 {
            Ok(Self(rate))
        } else {
            Err(D::Error::custom(format!(
                "expected a rate per second above zero, got {rate}"
            )))
        }
    }
}

/// Where the provider is: one address, or one for rehearsals and one for money.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in super::super) enum BaseUrls {
    One(BaseUrl),
    Environments(Environments),
}

impl<'de> Deserialize<'de> for BaseUrls {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = BaseUrls;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a URL, or { sandbox = URL, live = URL }")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<BaseUrls, E> {
                BaseUrl::parse(text).map(BaseUrls::One).map_err(E::custom)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<BaseUrls, A::Error> {
                Environments::deserialize(MapAccessDeserializer::new(map))
                    .map(BaseUrls::Environments)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// An address each.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Environments {
    pub(in super::super) sandbox: BaseUrl,
    pub(in super::super) live: BaseUrl,
}

impl BaseUrls {
    /// The names of its environments.
    pub(in super::super) fn environments(&self) -> Vec<&'static str> {
        match self {
            Self::One(_) => Vec::new(),
            Self::Environments(_) => vec!["sandbox", "live"],
        }
    }

    /// The address in an environment.
    pub(in super::super) fn choose(&self, environment: Option<&str>) -> Result<BaseUrl, String> {
        match (self, environment) {
            (Self::One(one), None) => Ok(one.clone()),
            (Self::Environments(both), Some("sandbox")) => Ok(both.sandbox.clone()),
            (Self::Environments(both), Some("live")) => Ok(both.live.clone()),
            (Self::One(_), Some(_)) => {
                Err("the profile has one address for all, so there is no environment to choose".to_owned())
            }
            (Self::Environments(_), None) => Err(
                "environment is missing: say \"sandbox\" or \"live\", so that nobody pays by mistake"
                    .to_owned(),
            ),
            (Self::Environments(_), Some(other)) => Err(format!(
                "environment is \"sandbox\" or \"live\", got {other:?}"
            )),
        }
    }
}
