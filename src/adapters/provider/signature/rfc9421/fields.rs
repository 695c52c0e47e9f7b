//! The structured fields of a signature: Signature-Input, Signature and Content-Digest.
//!
//! Structured fields let a later member replace an earlier one of the same name. Here both are
//! kept, and the field is refused: two readers might not agree on which one counts.

use std::convert::Infallible;

use http::HeaderName;
use sfv::visitor::{
    DictionaryVisitor, EntryVisitor, Ignored, InnerListVisitor, ItemVisitor, ParameterVisitor,
};
use sfv::{BareItem, BareItemFromInput, Key, KeyRef, ListSerializer, Parser, Version};

use super::super::fields::{header_place, joined};
use super::super::{SignatureFault, Signed};
use super::SIGNATURE_INPUT;

/// The most components that one signature may cover. Those in use cover ten.
const COMPONENTS_MAX: usize = 64;

/// One member of Signature-Input.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) label: String,
    components: Vec<Component>,
    params: Vec<(Key, BareItem)>,
    is_list: bool,
}

/// A covered component.
#[derive(Debug)]
pub(super) struct Component {
    /// `None` if it isn't written as a string.
    name: Option<sfv::String>,
    has_params: bool,
}

/// A label with its bytes; without them if the member is of another type.
type ByteMember = (String, Option<Vec<u8>>);

/// The parameters that matter to us.
#[derive(Debug)]
pub(super) struct Params<'a> {
    pub(super) created: i64,
    pub(super) expires: Option<i64>,
    pub(super) key_id: Option<&'a str>,
    pub(super) alg: Option<&'a str>,
}

impl Input {
    /// Whether it covers the component with this name.
    pub(super) fn covers(&self, name: &str) -> bool {
        self.names().any(|covered| covered == name)
    }

    /// The names of the covered components, in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.components
            .iter()
            .filter_map(|component| component.name.as_ref())
            .map(|name| name.as_str())
    }

    pub(super) fn params(&self) -> Result<Params<'_>, SignatureFault> {
        let integer = |name| match self.param(name) {
            None => Ok(None),
            Some(BareItem::Integer(number)) => Ok(Some(i64::from(*number))),
            Some(_) => Err(malformed("has a time that is no whole number")),
        };
        let text = |name| match self.param(name) {
            None => Ok(None),
            Some(BareItem::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(malformed("has a parameter of the wrong type")),
        };
        // Of no use to us, but a signer who writes them wrongly may write the rest wrongly.
        text("nonce")?;
        text("tag")?;
        Ok(Params {
            created: integer("created")?.ok_or_else(|| SignatureFault::Missing {
                place: "the signature's parameter created".to_owned(),
            })?,
            expires: integer("expires")?,
            key_id: text("keyid")?,
            alg: text("alg")?,
        })
    }

    fn param(&self, name: &str) -> Option<&BareItem> {
        let found = self.params.iter().find(|(key, _)| key.as_str() == name);
        found.map(|(_, value)| value)
    }

    /// What the last line of the signature base says: the list and its parameters, written anew in
    /// the one way that the RFC allows.
    pub(super) fn serialized(&self) -> String {
        let mut list = ListSerializer::new();
        let mut inner = list.inner_list();
        for component in &self.components {
            if let Some(name) = &component.name {
                inner.bare_item(name);
            }
        }
        inner
            .finish()
            .parameters(self.params.iter().map(|(key, value)| (key, value)));
        list.finish().unwrap_or_default()
    }

    /// What the shape of the field doesn't promise. It is asked of the signature that is looked at
    /// only, since somebody on the way may have added one of another kind.
    pub(super) fn check(&self) -> Result<(), SignatureFault> {
        if !self.is_list {
            return Err(malformed("has a member that is no list of components"));
        }
        if self.components.len() > COMPONENTS_MAX {
            return Err(malformed("covers more components than are looked at"));
        }
        if self.components.iter().any(|one| one.name.is_none()) {
            return Err(malformed("has a component that is no string"));
        }
        if self.components.iter().any(|one| one.has_params) {
            // Parameters pick parts of a field, or speak of another message. None is derived here.
            return Err(SignatureFault::Underivable);
        }
        if has_twins(self.names()) {
            return Err(malformed("covers a component twice"));
        }
        if has_twins(self.params.iter().map(|(key, _)| key.as_str())) {
            return Err(malformed("has a parameter twice"));
        }
        Ok(())
    }
}

/// The members of a field that lists components.
pub(super) fn inputs(signed: &Signed<'_>, name: &HeaderName) -> Result<Vec<Input>, SignatureFault> {
    let text = present(signed, name)?;
    let inputs = Parser::new(&text)
        .with_version(Version::Rfc8941)
        .parse_dictionary_with_visitor(Inputs(Vec::new()))
        .map_err(|_| unreadable(name))?;
    if has_twins(inputs.iter().map(|input| input.label.as_str())) {
        return Err(twins(name));
    }
    Ok(inputs)
}

/// The members of a field of byte sequences.
pub(super) fn byte_sequences(
    signed: &Signed<'_>,
    name: &HeaderName,
) -> Result<Vec<ByteMember>, SignatureFault> {
    let text = present(signed, name)?;
    let members = Parser::new(&text)
        .with_version(Version::Rfc8941)
        .parse_dictionary_with_visitor(Sequences(Vec::new()))
        .map_err(|_| unreadable(name))?;
    if has_twins(members.iter().map(|(label, _)| label.as_str())) {
        return Err(twins(name));
    }
    Ok(members)
}

fn present(signed: &Signed<'_>, name: &HeaderName) -> Result<Vec<u8>, SignatureFault> {
    joined(signed, name)?.ok_or_else(|| SignatureFault::Missing {
        place: header_place(name),
    })
}

fn unreadable(name: &HeaderName) -> SignatureFault {
    SignatureFault::Malformed {
        place: header_place(name),
        what: "is no structured field",
    }
}

fn twins(name: &HeaderName) -> SignatureFault {
    SignatureFault::Duplicated {
        place: format!("a label of {}", header_place(name)),
    }
}

fn malformed(what: &'static str) -> SignatureFault {
    SignatureFault::Malformed {
        place: header_place(&SIGNATURE_INPUT),
        what,
    }
}

/// Whether a name stands there twice. The lists are short: their header is.
fn has_twins<'a>(names: impl Iterator<Item = &'a str>) -> bool {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}

// ---- what the reader of structured fields calls -------------------------------------------------

struct Inputs(Vec<Input>);
struct OneInput<'a>(&'a mut Input);
struct OneComponent<'a>(&'a mut Vec<Component>);
struct HasParams<'a>(&'a mut bool);
struct AllParams<'a>(&'a mut Vec<(Key, BareItem)>);
struct Sequences(Vec<ByteMember>);
struct OneSequence<'a>(&'a mut Option<Vec<u8>>);

impl<'de> DictionaryVisitor<'de> for Inputs {
    type Out = Vec<Input>;
    type Error = Infallible;

    fn entry(&mut self, key: &'de KeyRef) -> Result<impl EntryVisitor<'de>, Infallible> {
        Ok(OneInput(self.0.push_mut(Input {
            label: key.as_str().to_owned(),
            components: Vec::new(),
            params: Vec::new(),
            is_list: false,
        })))
    }

    fn finish(self) -> Result<Vec<Input>, Infallible> {
        Ok(self.0)
    }
}

impl<'de> EntryVisitor<'de> for OneInput<'_> {
    type Error = Infallible;

    fn item(self) -> Result<impl ItemVisitor<'de>, Infallible> {
        Ok(Ignored)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'de>, Infallible> {
        self.0.is_list = true;
        Ok(self)
    }
}

impl<'de> InnerListVisitor<'de> for OneInput<'_> {
    type Error = Infallible;

    fn item(&mut self) -> Result<impl ItemVisitor<'de>, Infallible> {
        Ok(OneComponent(&mut self.0.components))
    }

    fn finish(self) -> Result<impl ParameterVisitor<'de>, Infallible> {
        Ok(AllParams(&mut self.0.params))
    }
}

impl<'de> ItemVisitor<'de> for OneComponent<'_> {
    type Out = ();
    type Error = Infallible;

    fn bare_item(
        self,
        item: BareItemFromInput<'de>,
    ) -> Result<impl ParameterVisitor<'de, Out = ()>, Infallible> {
        let name = match BareItem::from(item) {
            BareItem::String(name) => Some(name),
            _ => None,
        };
        let component = self.0.push_mut(Component {
            name,
            has_params: false,
        });
        Ok(HasParams(&mut component.has_params))
    }
}

impl<'de> ParameterVisitor<'de> for HasParams<'_> {
    type Out = ();
    type Error = Infallible;

    fn parameter(&mut self, _: &'de KeyRef, _: BareItemFromInput<'de>) -> Result<(), Infallible> {
        *self.0 = true;
        Ok(())
    }

    fn finish(self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl<'de> ParameterVisitor<'de> for AllParams<'_> {
    type Out = ();
    type Error = Infallible;

    fn parameter(
        &mut self,
        key: &'de KeyRef,
        value: BareItemFromInput<'de>,
    ) -> Result<(), Infallible> {
        self.0.push((key.to_owned(), value.into()));
        Ok(())
    }

    fn finish(self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl<'de> DictionaryVisitor<'de> for Sequences {
    type Out = Vec<ByteMember>;
    type Error = Infallible;

    fn entry(&mut self, key: &'de KeyRef) -> Result<impl EntryVisitor<'de>, Infallible> {
        let (_, bytes) = self.0.push_mut((key.as_str().to_owned(), None));
        Ok(OneSequence(bytes))
    }

    fn finish(self) -> Result<Self::Out, Infallible> {
        Ok(self.0)
    }
}

impl<'de> EntryVisitor<'de> for OneSequence<'_> {
    type Error = Infallible;

    fn item(self) -> Result<impl ItemVisitor<'de>, Infallible> {
        Ok(self)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'de>, Infallible> {
        Ok(Ignored)
    }
}

impl<'de> ItemVisitor<'de> for OneSequence<'_> {
    type Out = ();
    type Error = Infallible;

    fn bare_item(
        self,
        item: BareItemFromInput<'de>,
    ) -> Result<impl ParameterVisitor<'de, Out = ()>, Infallible> {
        if let BareItemFromInput::ByteSequence(bytes) = item {
            *self.0 = Some(bytes);
        }
        Ok(Ignored)
    }
}
