//! What one POST will do, decided whole before anything of it happens.
//!
//! Without a script the course is drawn and the faults change how it is told; with one, the script
//! decides both. Pure, like the model.

use crate::faults::Faults;
use crate::ledger::{Answer, Course, WebhookKind};
use crate::model::{Dice, Draw, Ghost, Status, TIMEOUT_MS, WEBHOOK_MIN_MS, draw};
use crate::script::{Existence, Script, ScriptedWebhook};

/// When a late webhook comes: long after every patience has ended.
const LATE_WEBHOOK_MS: u64 = 600_000;

/// How long after a webhook its duplicate or contradiction follows.
const SECOND_WEBHOOK_GAP_MS: u64 = 1_000;

/// When a forged webhook comes: while every transaction is still open (the earliest answer takes
/// 200 ms).
const FORGED_WEBHOOK_MS: u64 = 100;

/// Everything that follows from one POST. Times are unscaled ms after it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    /// What happens to the provider's record.
    pub(crate) draw: Draw,
    /// How the client is answered, and when.
    pub(crate) answer: Answer,
    pub(crate) answer_after_ms: u64,
    /// The status that the usual answer carries; `None` = the usual answer is the 504.
    pub(crate) told: Option<Status>,
    pub(crate) webhooks: Vec<PlannedWebhook>,
}

/// A webhook to send.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlannedWebhook {
    pub(crate) after_ms: u64,
    pub(crate) status: Status,
    pub(crate) kind: WebhookKind,
}

impl Plan {
    pub(crate) fn course(&self) -> Course {
        let exists = match self.draw {
            Draw::Answered { .. } => Existence::WithTheAnswer,
            Draw::TimedOut { ghost: None, .. } => Existence::Never,
            Draw::TimedOut {
                ghost: Some(Ghost { after_ms, .. }),
                ..
            } => Existence::OutOfNowhere { after_ms },
        };
        exists.course(self.answer)
    }
}

/// The plan of a POST that nobody scripted: the `execution`th of `id`, from 1.
pub(crate) fn drawn(seed: u64, id: &str, execution: u32, faults: &Faults) -> Plan {
    let hit = |fault, p: f64| p > 0.0 && Dice::new(seed, fault, id, u64::from(execution)).chance(p);
    for (fault, p, answer) in [
        ("refuse_503", faults.refuse_503, Answer::Refuse503),
        ("refuse_429", faults.refuse_429, Answer::Refuse429),
    ] {
        if hit(fault, p) {
            return refusal(answer, 0);
        }
    }
    let draw = draw(seed, id, execution);
    let usual = match draw {
        Draw::Answered { .. } => Answer::Ok,
        Draw::TimedOut { .. } => Answer::Timeout,
    };
    let answer = if hit("error_500", faults.error_500) {
        Answer::Error500
    } else if hit("reset", faults.reset) {
        Answer::Reset
    } else if usual == Answer::Ok && hit("garbage", faults.garbage) {
        Answer::Garbage
    } else if hit("drip", faults.drip) {
        Answer::Drip
    } else {
        usual
    };
    let mut webhooks = match draw {
        Draw::Answered {
            after_ms,
            status,
            webhook_after_ms: Some(webhook_after_ms),
        } if !hit("webhook_lost", faults.webhook_lost) => {
            let at_ms = if hit("webhook_early", faults.webhook_early) {
                after_ms / 2
            } else if hit("webhook_late", faults.webhook_late) {
                LATE_WEBHOOK_MS
            } else {
                webhook_after_ms
            };
            genuine(
                at_ms,
                status,
                hit("webhook_duplicate", faults.webhook_duplicate),
                hit("webhook_contradictory", faults.webhook_contradictory),
            )
        }
        _ => Vec::new(),
    };
    if hit("webhook_forged", faults.webhook_forged) {
        let truth = draw.outcome().unwrap_or(Status::Declined);
        webhooks.push(forged(FORGED_WEBHOOK_MS, truth));
    }
    Plan {
        draw,
        answer,
        answer_after_ms: draw.answer_after_ms(),
        told: match draw {
            Draw::Answered { status, .. } => Some(status),
            Draw::TimedOut { .. } => None,
        },
        webhooks,
    }
}

/// The plan of a scripted POST.
pub(crate) fn scripted(script: &Script) -> Plan {
    let status = script.status.unwrap_or(Status::Completed);
    let answer = script.telling.answer();
    let answer_after_ms = script.telling.answer_after_ms(TIMEOUT_MS);
    let draw = match script.telling.existence(TIMEOUT_MS) {
        Existence::Never => lost(answer_after_ms),
        Existence::OutOfNowhere { after_ms } => Draw::TimedOut {
            after_ms: answer_after_ms,
            ghost: Some(Ghost { after_ms, status }),
        },
        Existence::WithTheAnswer => Draw::Answered {
            after_ms: answer_after_ms,
            status,
            webhook_after_ms: None,
        },
    };
    Plan {
        draw,
        answer,
        answer_after_ms,
        told: (answer != Answer::Timeout).then_some(status),
        webhooks: scripted_webhooks(script, status, answer_after_ms),
    }
}

fn scripted_webhooks(script: &Script, status: Status, answer_after_ms: u64) -> Vec<PlannedWebhook> {
    let at_ms = |default_ms| script.webhook_after_ms.unwrap_or(default_ms);
    match script.webhook.unwrap_or(ScriptedWebhook::None) {
        ScriptedWebhook::None => Vec::new(),
        ScriptedWebhook::Once => genuine(at_ms(WEBHOOK_MIN_MS), status, false, false),
        ScriptedWebhook::Duplicate => genuine(at_ms(WEBHOOK_MIN_MS), status, true, false),
        ScriptedWebhook::Contradictory => genuine(at_ms(WEBHOOK_MIN_MS), status, false, true),
        ScriptedWebhook::Early => genuine(at_ms(answer_after_ms / 2), status, false, false),
        ScriptedWebhook::Late => genuine(at_ms(LATE_WEBHOOK_MS), status, false, false),
        ScriptedWebhook::Forged => vec![forged(at_ms(FORGED_WEBHOOK_MS), status)],
    }
}

fn refusal(answer: Answer, answer_after_ms: u64) -> Plan {
    Plan {
        draw: lost(answer_after_ms),
        answer,
        answer_after_ms,
        told: None,
        webhooks: Vec::new(),
    }
}

const fn lost(answer_after_ms: u64) -> Draw {
    Draw::TimedOut {
        after_ms: answer_after_ms,
        ghost: None,
    }
}

fn genuine(
    after_ms: u64,
    status: Status,
    duplicate: bool,
    contradictory: bool,
) -> Vec<PlannedWebhook> {
    let second = |status, kind| PlannedWebhook {
        after_ms: after_ms.saturating_add(SECOND_WEBHOOK_GAP_MS),
        status,
        kind,
    };
    let first = PlannedWebhook {
        after_ms,
        status,
        kind: WebhookKind::Genuine,
    };
    [
        Some(first),
        duplicate.then(|| second(status, WebhookKind::Duplicate)),
        contradictory.then(|| second(status.opposite(), WebhookKind::Contradictory)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A lie about `truth`.
fn forged(after_ms: u64, truth: Status) -> PlannedWebhook {
    PlannedWebhook {
        after_ms,
        status: truth.opposite(),
        kind: WebhookKind::Forged,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Plan, drawn, scripted};
    use crate::faults::Faults;
    use crate::ledger::{Answer, Course, WebhookKind};
    use crate::model::{Status, draw};
    use crate::script;

    fn plan(script: &Value) -> Plan {
        scripted(&script::parse(script, 1).expect("well-formed"))
    }

    #[test]
    fn without_faults_the_draw_is_played() {
        for n in 0..1_000 {
            let id = n.to_string();
            let drawn = drawn(3, &id, 1, &Faults::default());
            assert_eq!(drawn.draw, draw(3, &id, 1));
            assert!(matches!(drawn.answer, Answer::Ok | Answer::Timeout));
        }
    }

    #[test]
    fn a_fault_changes_the_telling_but_not_the_course() {
        let faults = Faults {
            error_500: 1.0,
            webhook_lost: 1.0,
            ..Faults::default()
        };
        for n in 0..1_000 {
            let id = n.to_string();
            let faulty = drawn(3, &id, 1, &faults);
            assert_eq!(faulty.draw, draw(3, &id, 1));
            assert_eq!(faulty.answer, Answer::Error500);
            assert!(faulty.webhooks.is_empty());
        }
    }

    #[test]
    fn a_refusal_executes_nothing() {
        let faults = Faults {
            refuse_429: 1.0,
            ..Faults::default()
        };
        let refused = drawn(3, "a", 1, &faults);
        assert_eq!(refused.course(), Course::Refused);
        assert_eq!(refused.draw.exists_after_ms(), None);
    }

    #[test]
    fn forged_webhooks_lie() {
        let faults = Faults {
            webhook_forged: 1.0,
            ..Faults::default()
        };
        for n in 0..100 {
            let plan = drawn(3, &n.to_string(), 1, &faults);
            let lie = plan.webhooks.last().expect("forged");
            assert_eq!(lie.kind, WebhookKind::Forged);
            assert_ne!(Some(lie.status), plan.draw.outcome());
        }
    }

    /// Script → (course, answered after, exists after).
    #[test]
    fn what_scripts_mean() {
        for (script, course, answer_after_ms, exists_after_ms) in [
            (json!({}), Course::Answered, 200, Some(200)),
            (json!({"answer": "timeout"}), Course::Lost, 30_000, None),
            (
                json!({"answer": "timeout", "ghost_after_ms": 50_000}),
                Course::Ghost,
                30_000,
                Some(50_000),
            ),
            (
                json!({"answer": "timeout", "executed": true, "answer_after_ms": 5}),
                Course::Ghost,
                5,
                Some(5),
            ),
            (
                json!({"answer": "timeout", "ghost_after_ms": 9, "executed": false}),
                Course::Lost,
                30_000,
                None,
            ),
            (json!({"answer": "refuse_503"}), Course::Refused, 200, None),
            (
                json!({"answer": "refuse_429", "executed": true}),
                Course::Ghost,
                200,
                Some(200),
            ),
            (
                json!({"answer": "error_500", "executed": false}),
                Course::Lost,
                200,
                None,
            ),
            (
                json!({"answer": "hang", "answer_after_ms": 7}),
                Course::Answered,
                7,
                Some(7),
            ),
            (
                json!({"answer": "close", "ghost_after_ms": 60_000}),
                Course::Ghost,
                200,
                Some(60_000),
            ),
        ] {
            let plan = plan(&script);
            assert_eq!(plan.course(), course, "{script}");
            assert_eq!(plan.answer_after_ms, answer_after_ms, "{script}");
            assert_eq!(plan.draw.exists_after_ms(), exists_after_ms, "{script}");
        }
    }

    #[test]
    fn scripted_webhooks_say_what_they_should() {
        let sent = |webhook: &str| {
            plan(&json!({"webhook": webhook, "status": "declined"}))
                .webhooks
                .iter()
                .map(|webhook| (webhook.after_ms, webhook.status))
                .collect::<Vec<_>>()
        };
        let (yes, no) = (Status::Completed, Status::Declined);
        assert_eq!(sent("none"), []);
        assert_eq!(sent("once"), [(10_000, no)]);
        assert_eq!(sent("early"), [(100, no)]);
        assert_eq!(sent("late"), [(600_000, no)]);
        assert_eq!(sent("duplicate"), [(10_000, no), (11_000, no)]);
        assert_eq!(sent("contradictory"), [(10_000, no), (11_000, yes)]);
        assert_eq!(sent("forged"), [(100, yes)]);
    }
}
