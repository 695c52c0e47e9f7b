//! What happens after a time-out, and how much is asked of the provider.

use std::time::Duration;

use super::page::Page;
use crate::adapters::provider::duration::{Ladder, Written};
use crate::adapters::provider::profile::{
    Absence, Ghost, InquiryMethod, LimitsTable, ProfileFile, Schedule,
};
use crate::adapters::provider::told;

/// Moments that are listed one by one, at most.
const MOMENTS_MAX: usize = 12;

pub(super) fn doubt(
    page: &mut Page,
    file: &ProfileFile,
    ghost: &Ghost,
    schedule: &Schedule,
    resend_safe_for: Option<Written>,
) {
    let Ghost {
        window,
        margin,
        on_absence,
        max_attempts,
    } = ghost;
    let Schedule {
        inquiry_gaps,
        pending,
        retry,
        review,
        review_after,
        pending_review_after,
        backoff: _,
        submit_within,
    } = schedule;
    page.say(format!(
        "An attempt starts within {} after the transaction was accepted, unless the request says another time; after that it fails without having been sent.",
        told::duration(submit_within.0)
    ));
    let asks = file.inquiry.method != InquiryMethod::None
        || file
            .lost
            .as_ref()
            .is_some_and(|lost| lost.method != InquiryMethod::None);
    let resends = file.inquiry_for(false).method == InquiryMethod::Resend;
    match window {
        Some(window) => {
            let whole = window.0 + margin.0;
            page.say(format!(
                "An attempt without an answer may still be executed until {} after it was sent (window {}, margin {}). Until then \"not found\" proves nothing.",
                seconds(whole),
                told::duration(window.0),
                told::duration(margin.0)
            ));
            if resends {
                page.say(format!(
                    "After a time-out the same request is sent again {}, until an answer tells: only before the time by which attempts have to start, because it may be executed by that.",
                    moments(retry, file.submit.time_out.0, "after it was sent")
                ));
            } else if asks {
                page.say(format!(
                    "After a time-out at {} it is asked about at {} after it was sent, {} equal gaps.",
                    seconds(file.submit.time_out.0),
                    gaps(file.submit.time_out.0, whole, inquiry_gaps.0),
                    inquiry_gaps.0
                ));
                page.say(format!(
                    "If \"not found\" is the answer to an inquiry that was sent at {} or later, it was surely not executed: {}.",
                    seconds(whole),
                    absent(*on_absence, max_attempts.0)
                ));
                page.say(format!(
                    "If that inquiry brings nothing, it is asked again {}, until one does.",
                    moments(retry, whole, "after it was sent")
                ));
            }
        }
        None => {
            page.say(format!(
                "The profile states no ghost window, so that \"not found\" never proves anything (on_absence = \"{}\" and max_attempts = {} have no effect){}.",
                match on_absence {
                    Absence::Resubmit => "resubmit",
                    Absence::Fail => "fail",
                },
                max_attempts.0,
                if asks {
                    format!(
                        ", and it is asked about {}, until an answer tells",
                        moments(pending, Duration::ZERO, "after the time-out")
                    )
                } else {
                    String::new()
                }
            ));
        }
    }
    if asks {
        page.say(format!(
            "Once the provider says that it is pending, it is asked {}.",
            moments(pending, Duration::ZERO, "after that")
        ));
    }
    if let Some(safe) = resend_safe_for {
        page.say(format!(
            "Within {} after its start an attempt may be sent again under the same reference without being executed again.",
            told::duration(safe.0)
        ));
    }
    page.say(format!(
        "After {} in doubt a person is asked; {}.",
        told::duration(review_after.0),
        if asks {
            format!(
                "meanwhile it is asked about {}, and what is learnt still ends it",
                waits(review)
            )
        } else {
            "a webhook that comes later still ends it".to_owned()
        }
    ));
    if let Some(pending) = pending_review_after {
        page.say(format!(
            "What the provider says is pending is no doubt, and may take {} before a person is asked.",
            told::duration(pending.0)
        ));
    }
    page.say("After a restart the window begins anew, and the provider is asked at once.");
}

fn absent(on_absence: Absence, max_attempts: u32) -> String {
    match on_absence {
        Absence::Resubmit if max_attempts > 1 => format!(
            "it is submitted again, {max_attempts} attempts in all; when the last is not found either, the transaction has failed"
        ),
        Absence::Resubmit | Absence::Fail => "the transaction has failed".to_owned(),
    }
}

/// The moments of inquiries within a window, counted from the sending.
fn gaps(time_out: Duration, whole: Duration, gaps: u32) -> String {
    let rest = whole.saturating_sub(time_out);
    if rest.is_zero() {
        return format!("{} (the window is over by then)", seconds(time_out));
    }
    let moments: Vec<String> = (1..=gaps)
        .map(|n| seconds(time_out + rest * n / gaps))
        .collect();
    if moments.len() <= MOMENTS_MAX {
        return told::all_of(moments);
    }
    let (first, last) = (&moments[..3], moments.len() - 1);
    format!("{}, … and {}", first.join(", "), moments[last])
}

/// A moment in seconds, with a decimal if it needs one; late ones in hours.
fn seconds(moment: Duration) -> String {
    const LATE: Duration = Duration::from_hours(2);
    if moment > LATE {
        return format!("{:.1} h", moment.as_secs_f64() / 3_600.0);
    }
    if moment.subsec_millis() == 0 {
        return format!("{} s", moment.as_secs());
    }
    format!("{:.1} s", moment.as_secs_f64())
}

/// Waits, of which the last repeats: `after 5 s, 10 s, then every 60 s`.
pub(super) fn waits(ladder: &Ladder) -> String {
    let shown = |step: &Duration| told::duration(*step);
    match ladder.steps().split_last() {
        Some((last, [])) => format!("every {}", shown(last)),
        Some((last, others)) => {
            let others: Vec<String> = others.iter().map(shown).collect();
            format!("after {}, then every {}", others.join(", "), shown(last))
        }
        None => String::new(),
    }
}

/// The moments to which waits add up from `start`: `at 5 s and 15 s after that, then every 10 s`.
fn moments(ladder: &Ladder, start: Duration, since: &str) -> String {
    let mut at = start;
    let moments: Vec<String> = ladder
        .steps()
        .iter()
        .map(|step| {
            at += *step;
            seconds(at)
        })
        .collect();
    let last = ladder.steps().last().copied().unwrap_or_default();
    format!(
        "at {} {since}, then every {}",
        told::all_of(moments),
        told::duration(last)
    )
}

pub(super) fn limits(page: &mut Page, limits: &LimitsTable) {
    let LimitsTable {
        submissions_at_once,
        submissions_per_second,
        inquiries_per_second,
        inquiry_burst,
        inquiries_at_once,
        breaker_failures,
        breaker_pause,
    } = limits;
    let rate = match submissions_per_second {
        Some(rate) => format!("{} a second", rate.0),
        None => "as many a second as come".to_owned(),
    };
    page.say(format!(
        "Submissions: {} at once, {rate}. Inquiries: {} at once, {} a second, of which {} may be saved up.",
        submissions_at_once.0, inquiries_at_once.0, inquiries_per_second.0, inquiry_burst.0
    ));
    page.say(format!(
        "After {} failures in a row all calls wait for {}; then one of them tries, and each time that it fails the pause doubles, up to eight times that. The time that is lost so is not counted as doubt.",
        breaker_failures.0,
        told::duration(breaker_pause.0)
    ));
}
