//! `[submit]`, `[inquiry]` and `[lost]`: the calls to the provider.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use crate::adapters::provider::duration::Written;
use crate::adapters::provider::money::AmountPlace;
use crate::adapters::provider::outcome::{AnswerMeaning, Pointer, ReportMeaning, Row};

/// Places of one answer that may repeat our id, at most: the forms of answer that one call has.
const ECHO_PLACES_MAX: usize = 8;

/// `[submit]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Submit {
    pub(in super::super) method: SubmitMethod,
    pub(in super::super) path: Spanned<String>,
    #[serde(default)]
    pub(in super::super) headers: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default = "json")]
    pub(in super::super) content_type: Spanned<String>,
    pub(in super::super) body: Spanned<String>,
    pub(in super::super) time_out: Written,
    #[serde(default = "connect_time_out")]
    pub(in super::super) connect_time_out: Written,
    /// Where the answer repeats an id of ours.
    #[serde(default)]
    pub(in super::super) id: Option<Echo>,
    #[serde(default)]
    pub(in super::super) provider_reference: Option<Pointer>,
    #[serde(default)]
    pub(in super::super) amount: Option<AmountPlace>,
    pub(in super::super) outcome: Vec<Row<AnswerMeaning>>,
}

/// Methods that carry a body. Only a body shows whether a request has left.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(in super::super) enum SubmitMethod {
    Post,
    Put,
    Patch,
}

impl SubmitMethod {
    pub(in super::super) fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
        }
    }
}

/// `[inquiry]` and `[lost]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Inquiry {
    pub(in super::super) method: InquiryMethod,
    #[serde(default)]
    pub(in super::super) path: Option<Spanned<String>>,
    #[serde(default)]
    pub(in super::super) headers: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default = "json")]
    pub(in super::super) content_type: Spanned<String>,
    #[serde(default)]
    pub(in super::super) body: Option<Spanned<String>>,
    #[serde(default = "inquiry_time_out")]
    pub(in super::super) time_out: Written,
    #[serde(default = "connect_time_out")]
    pub(in super::super) connect_time_out: Written,
    /// Where the answer repeats an id of ours.
    #[serde(default)]
    pub(in super::super) id: Option<Echo>,
    #[serde(default)]
    pub(in super::super) provider_reference: Option<Pointer>,
    #[serde(default)]
    pub(in super::super) amount: Option<AmountPlace>,
    #[serde(default)]
    pub(in super::super) outcome: Vec<Row<ReportMeaning>>,
}

impl Inquiry {
    /// Whether it is a request of its own.
    pub(in super::super) fn asks(&self) -> bool {
        matches!(self.method, InquiryMethod::Get | InquiryMethod::Post)
    }
}

/// How to find out what became of an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub(in super::super) enum InquiryMethod {
    #[serde(rename = "GET")]
    Get,
    #[serde(rename = "POST")]
    Post,
    /// The submission itself is sent again, unchanged: the provider is idempotent.
    #[serde(rename = "resend")]
    Resend,
    /// There is no way but to wait for a webhook.
    #[serde(rename = "none")]
    None,
}

impl InquiryMethod {
    pub(in super::super) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Resend => "resend",
            Self::None => "none",
        }
    }
}

/// `id`: where an answer repeats an id of ours, and which id that is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in super::super) struct Echo {
    /// One place, or several if the answers of a call have different forms.
    pub(in super::super) at: Vec<Pointer>,
    /// Where the body of the submission has that id. `None`: it is the attempt's reference.
    pub(in super::super) sent: Option<Pointer>,
}

impl<'de> Deserialize<'de> for Echo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// The form for an id that is not the attempt's reference.
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            at: Pointer,
            sent: Pointer,
        }
        struct Forms;
        impl<'de> Visitor<'de> for Forms {
            type Value = Echo;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON pointer, a list of them, or { at = POINTER, sent = POINTER }")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Echo, E> {
                let at = vec![Pointer::deserialize(text.into_deserializer())?];
                Ok(Echo { at, sent: None })
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Echo, A::Error> {
                let mut at = Vec::new();
                while let Some(place) = list.next_element()? {
                    at.push(place);
                }
                if (1..=ECHO_PLACES_MAX).contains(&at.len()) {
                    Ok(Echo { at, sent: None })
                } else {
                    Err(A::Error::custom(format!(
                        "expected 1 to {ECHO_PLACES_MAX} places, got {}",
                        at.len()
                    )))
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Echo, A::Error> {
                let Table { at, sent } = Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Echo {
                    at: vec![at],
                    sent: Some(sent),
                })
            }
        }
        deserializer.deserialize_any(Forms)
    }
}

fn json() -> Spanned<String> {
    Spanned::new(0..0, "application/json".to_owned())
}

fn connect_time_out() -> Written {
    Written(Duration::from_secs(5))
}

fn inquiry_time_out() -> Written {
    Written(Duration::from_secs(10))
}
