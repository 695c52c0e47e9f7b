//! Access tokens: random, several at once, short-lived.
//!
//! Their time is the client's, so it is real time: what is said over the wire isn't scaled.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use uuid::Uuid;

/// How many tokens are valid at once; over it the one that ends first makes room. No client needs a
/// hundredth of them.
const MAX_TOKENS: usize = 10_000;

/// The tokens that were issued and still mean something.
pub(crate) struct Tokens {
    lifetime: Duration,
    ends: HashMap<String, Instant>,
}

impl Tokens {
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self {
            lifetime,
            ends: HashMap::new(),
        }
    }

    pub(crate) const fn lifetime(&self) -> Duration {
        self.lifetime
    }

    pub(crate) fn issue(&mut self, now: Instant) -> String {
        self.ends.retain(|_, ends| *ends > now);
        if self.ends.len() >= MAX_TOKENS {
            let first = self.ends.iter().min_by_key(|(_, ends)| **ends);
            if let Some(token) = first.map(|(token, _)| token.clone()) {
                self.ends.remove(&token);
            }
        }
        let token = format!("at_{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        self.ends.insert(token.clone(), now + self.lifetime);
        token
    }

    pub(crate) fn is_valid(&self, token: &str, now: Instant) -> bool {
        self.ends.get(token).is_some_and(|ends| now < *ends)
    }

    /// Ends them all, and says how many were still valid.
    pub(crate) fn revoke_all(&mut self, now: Instant) -> usize {
        self.ends.drain().filter(|(_, ends)| now < *ends).count()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{MAX_TOKENS, Tokens};

    #[test]
    fn several_are_valid_until_their_end() {
        let mut tokens = Tokens::new(Duration::from_secs(300));
        let start = Instant::now();
        let later = start + Duration::from_secs(299);
        let first = tokens.issue(start);
        let second = tokens.issue(later);
        assert_ne!(first, second);
        assert!(tokens.is_valid(&first, later) && tokens.is_valid(&second, later));
        let end = start + Duration::from_secs(300);
        assert!(!tokens.is_valid(&first, end));
        assert!(tokens.is_valid(&second, end));
        assert!(!tokens.is_valid("at_", end));
        assert_eq!(tokens.revoke_all(end), 1);
        assert!(!tokens.is_valid(&second, end));
    }

    #[test]
    fn the_oldest_makes_room() {
        let mut tokens = Tokens::new(Duration::from_secs(300));
        let start = Instant::now();
        let issued: Vec<_> = (0..=MAX_TOKENS)
            .map(|n| tokens.issue(start + Duration::from_micros(n as u64)))
            .collect();
        let now = start + Duration::from_secs(1);
        assert!(!tokens.is_valid(&issued[0], now));
        assert!(issued[1..].iter().all(|token| tokens.is_valid(token, now)));
    }
}
