//! What is wrong with the way in which apps are to be told.

/// Why the notifier can't be set up. Names keys and variables, never their values.
#[derive(Debug, thiserror::Error)]
pub enum NotifierProblem {
    /// Something in an app's `notify` table.
    #[error("app {app}: notify.{key}: {what}")]
    App {
        /// The app.
        app: String,
        /// The key in its table.
        key: &'static str,
        /// What is wrong with its value.
        what: String,
    },
    /// A file with a secret can't be read.
    #[error("app {app}: notify.secrets: {path} can't be read")]
    SecretFile {
        /// The app.
        app: String,
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The settings that all apps share.
    #[error("{0}")]
    Settings(String),
    /// The HTTP client can't be made.
    #[error("no HTTP client can be made for notifications")]
    Client(#[source] reqwest::Error),
}
