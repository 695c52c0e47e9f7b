//! Every scheme against vectors from its own specification, and against their failing twins.

mod hmac;
mod hostile;
mod message_signatures;
mod profiles;
mod public_keys;
mod shared_token;
mod standard_webhooks;
mod stripe;
mod support;
