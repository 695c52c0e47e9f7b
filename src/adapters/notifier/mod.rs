//! Telling apps over HTTP.
