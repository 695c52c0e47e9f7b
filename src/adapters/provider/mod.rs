//! Providers as profiles describe them.
