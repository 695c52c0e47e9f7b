//! What the demo shows while it runs, and the table at its end.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::audit::Verdict;
use super::observer::Counts;

/// Without a terminal a line is printed this often at most.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// Live progress: a bar on a terminal, plain lines otherwise. Always on stderr.
pub(super) struct Show {
    bar: Option<ProgressBar>,
    last_line: Option<Instant>,
    total: usize,
}

impl Show {
    pub(super) fn start(total: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total as u64);
            let style =
                ProgressStyle::with_template("{elapsed:>4} [{bar:32}] {pos}/{len} final  {msg}");
            bar.set_style(
                style
                    .unwrap_or_else(|_| ProgressStyle::default_bar())
                    .progress_chars("=> "),
            );
            bar
        });
        Self {
            bar,
            last_line: None,
            total,
        }
    }

    /// Says that something happened.
    pub(super) fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => eprintln!("{text}"),
        }
    }

    pub(super) fn update(&mut self, sent: usize, counts: &Counts) {
        let finals = ended(counts);
        let by_status: Vec<String> = counts
            .iter()
            .map(|(status, count)| format!("{status} {count}"))
            .collect();
        let text = format!("sent {sent}  {}", by_status.join("  "));
        match &self.bar {
            Some(bar) => {
                bar.set_position(finals as u64);
                bar.set_message(text);
            }
            None if self
                .last_line
                .is_none_or(|last| last.elapsed() >= LINE_EVERY) =>
            {
                self.last_line = Some(Instant::now());
                eprintln!("{finals}/{} final  {text}", self.total);
            }
            None => {}
        }
    }

    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// How many have an outcome.
pub(super) fn ended(counts: &Counts) -> usize {
    ["completed", "declined", "failed"]
        .iter()
        .filter_map(|status| counts.get(*status))
        .sum()
}

/// One object on stdout.
pub(super) fn print_json(verdict: &Verdict, restarts: u32) -> anyhow::Result<()> {
    let mut object = json!(verdict);
    object["restarts"] = json!(restarts);
    writeln!(std::io::stdout(), "{object:#}")?;
    Ok(())
}

/// The table on stdout.
pub(super) fn print_table(verdict: &Verdict, restarts: u32, took: Duration) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let per = verdict.inquiries as f64 / verdict.accepted.max(1) as f64;
    let told = verdict.r#final - verdict.untold.min(verdict.r#final);
    let rows = [
        ("accepted", verdict.accepted.to_string()),
        ("completed", verdict.completed.to_string()),
        ("declined", verdict.declined.to_string()),
        ("failed", verdict.failed.to_string()),
        ("in review", verdict.in_review.to_string()),
        ("lost", verdict.lost.to_string()),
        ("executed twice", verdict.executed_twice.to_string()),
        ("wrong", verdict.wrong.to_string()),
        ("told", format!("{told} of {}", verdict.r#final)),
        ("killed and restarted", restarts.to_string()),
        (
            "inquiries",
            format!("{} ({per:.2} per transaction)", verdict.inquiries),
        ),
        (
            "time to final",
            format!(
                "mean {:.2} s, p50 {:.2} s, p95 {:.2} s (unscaled)",
                verdict.mean_to_final_s, verdict.p50_to_final_s, verdict.p95_to_final_s
            ),
        ),
        (
            "floor of an oracle",
            format!("mean {:.2} s, for the same draws", verdict.floor_mean_s),
        ),
    ];
    for (name, value) in rows {
        writeln!(out, "  {name:<22}{value}")?;
    }
    for finding in &verdict.findings {
        writeln!(out, "  ! {finding}")?;
    }
    let judgement = if verdict.is_clean() {
        "nothing lost, doubled, wrong or untold"
    } else {
        "THE AUDIT FAILED"
    };
    writeln!(out, "{judgement} ({:.0} s)", took.as_secs_f64())?;
    Ok(())
}
