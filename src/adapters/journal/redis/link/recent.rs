//! What was confirmed lately, to be written again where another server may have lost it.

use std::collections::VecDeque;
use std::time::Duration;

use redis::{Arg, Cmd};
use tokio::time::Instant;

use crate::adapters::journal::redis::library::Library;

/// How long a confirmed write is remembered: longer than Sentinels and Clusters take to replace a
/// primary.
const REMEMBERED_FOR: Duration = Duration::from_secs(30);
/// Bytes that one connection remembers, at most.
const REMEMBERED_BYTES: usize = 16 << 20;

/// Writes in the order of their confirmation.
#[derive(Default)]
pub(super) struct Recent {
    writes: VecDeque<Write>,
    /// What another primary had confirmed, whose slots have come here without its help.
    arrived: Vec<Write>,
    bytes: usize,
}

#[derive(Clone)]
pub(super) struct Write {
    at: Instant,
    commands: Vec<Cmd>,
    library: &'static Library,
    bytes: usize,
}

impl Recent {
    /// These commands were confirmed.
    pub(super) fn remember(&mut self, commands: Vec<Cmd>, library: &'static Library, bytes: usize) {
        let at = Instant::now();
        self.bytes += bytes;
        self.writes.push_back(Write {
            at,
            commands,
            library,
            bytes,
        });
        while self.bytes > REMEMBERED_BYTES {
            self.forget_first();
        }
        self.forget_old(at);
    }

    /// What brings back what may have been lost, in its order, with its libraries. Steps are written
    /// only where they continue a history exactly; all else may be said twice.
    pub(super) fn again(&mut self) -> Vec<(Vec<Cmd>, &'static Library)> {
        self.arrivals();
        self.forget_old(Instant::now());
        self.writes.iter().map(Write::restoring).collect()
    }

    /// What has arrived from another primary, to be written before anything else: remembered here from
    /// now on.
    pub(super) fn arrivals(&mut self) -> Vec<(Vec<Cmd>, &'static Library)> {
        let arrived = std::mem::take(&mut self.arrived);
        let restoring = arrived.iter().map(Write::restoring).collect();
        for write in arrived {
            self.bytes += write.bytes;
            self.writes.push_back(write);
        }
        restoring
    }

    /// Takes over what another primary had confirmed.
    pub(super) fn take_in(&mut self, writes: impl IntoIterator<Item = Write>) {
        self.arrived.extend(writes);
    }

    /// What is remembered, a command each, for whoever has these slots now.
    pub(super) fn handed_on(&mut self, goes: impl Fn(&Cmd) -> bool) -> Vec<Write> {
        self.forget_old(Instant::now());
        let all = self.writes.iter().chain(&self.arrived);
        let each = all.flat_map(|write| {
            write.commands.iter().map(|command| Write {
                at: write.at,
                commands: vec![command.clone()],
                library: write.library,
                bytes: command.get_packed_command().len(),
            })
        });
        each.filter(|write| write.commands.iter().all(&goes))
            .collect()
    }

    fn forget_old(&mut self, now: Instant) {
        let old = |write: &Write| now.duration_since(write.at) > REMEMBERED_FOR;
        while self.writes.front().is_some_and(old) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some(write) = self.writes.pop_front() {
            self.bytes -= write.bytes;
        }
    }
}

impl Write {
    fn restoring(&self) -> (Vec<Cmd>, &'static Library) {
        let commands = self.commands.iter();
        let commands = commands.map(|one| restoring(one, self.library));
        (commands.collect(), self.library)
    }
}

/// The same command, but for a step, which is restored instead: its fence speaks of a lease that the
/// server may have lost too.
fn restoring(command: &Cmd, library: &Library) -> Cmd {
    let (step, restore) = (
        library.function("teller_append"),
        library.function("teller_restore"),
    );
    let mut other = Cmd::new();
    for arg in command.args_iter() {
        match arg {
            Arg::Simple(bytes) if bytes == step.as_bytes() => other.arg(&restore),
            Arg::Simple(bytes) => other.arg(bytes),
            // Only scans have one.
            _ => continue,
        };
    }
    other
}

#[cfg(test)]
mod tests {
    use super::super::super::library::JOURNAL;
    use super::*;

    fn remember(recent: &mut Recent, n: usize, bytes: usize) {
        let mut step = JOURNAL.call("teller_append", &n.to_string());
        step.arg("teller_append");
        recent.remember(vec![step], &JOURNAL, bytes);
    }

    #[test]
    fn it_is_bounded_by_bytes_and_turns_steps_into_restorations() {
        let mut recent = Recent::default();
        (0..5).for_each(|n| remember(&mut recent, n, REMEMBERED_BYTES / 3));
        let again = recent.again();
        assert_eq!(again.len(), 3, "the oldest are forgotten");
        let packed = again[0].0[0].get_packed_command();
        let packed = String::from_utf8_lossy(&packed);
        assert!(
            packed.contains(&JOURNAL.function("teller_restore")),
            "{packed}"
        );
        assert!(
            packed.contains("\r\nteller_append\r\n"),
            "{packed}: only the name"
        );
    }

    #[test]
    fn another_primary_takes_over_what_it_gets_the_slots_of_and_remembers_it() {
        let (mut old, mut new) = (Recent::default(), Recent::default());
        (0..4).for_each(|n| remember(&mut old, n, 10));
        let even = |command: &Cmd| {
            let mut args = command.args_iter();
            matches!(args.nth(3), Some(Arg::Simple(key)) if key == b"0" || key == b"2")
        };
        new.take_in(old.handed_on(even));
        assert_eq!(new.arrivals().len(), 2);
        assert!(new.arrivals().is_empty(), "once");
        assert_eq!(new.again().len(), 2, "and again if it is lost once more");
        assert_eq!(new.handed_on(|_| true).len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_bounded_by_time() {
        let mut recent = Recent::default();
        remember(&mut recent, 1, 1);
        tokio::time::advance(REMEMBERED_FOR / 2).await;
        remember(&mut recent, 2, 1);
        tokio::time::advance(REMEMBERED_FOR * 3 / 4).await;
        assert_eq!(recent.again().len(), 1);
        assert_eq!(recent.bytes, 1);
    }
}
