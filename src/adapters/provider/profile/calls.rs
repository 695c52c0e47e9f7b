//! `[submit]`, `[inquiry]` and `[lost]`: the calls to the provider.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use crate::adapters::provider::duration::Written;
use crate::adapters::provider::money::AmountPlace;
use crate::adapters::provider::outcome::{AnswerMeaning, Pointer, ReportMeaning, Row};

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

fn json() -> Spanned<String> {
    Spanned::new(0..0, "application/json".to_owned())
}

fn connect_time_out() -> Written {
    Written(Duration::from_secs(5))
}

fn inquiry_time_out() -> Written {
    Written(Duration::from_secs(10))
}
