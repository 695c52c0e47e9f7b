//! Where records become durable.
