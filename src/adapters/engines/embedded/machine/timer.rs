//! Timers: durations, dates and cycles in ISO 8601, written out or given by an expression.

use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, SpanRelativeTo, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::expression::{Budget, EvaluationError, Expression, Scope};

/// When a timer fires: first due and what repeats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The next time it fires.
    pub due: Timestamp,
    /// How it goes on after that; none fires once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Repeat>,
}

/// The part of a cycle after its next firing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeat {
    /// How often it fires after the next time; none has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<u32>,
    /// The ISO 8601 duration between two firings.
    pub interval: String,
}

impl Schedule {
    /// What is left after a firing at `now`: a cycle that missed several due times has fired once for all of them, and
    /// goes on in its own rhythm with the first one after `now`.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Option<Self> {
        let repeat = self.repeat.as_ref()?;
        let remaining = match repeat.remaining {
            Some(0) => return None,
            Some(n) => Some(n - 1),
            None => None,
        };
        let interval = duration(&repeat.interval).ok()?;
        let due = first_after(self.due, interval, now)?;
        Some(Self { due, repeat: Some(Repeat { remaining, interval: repeat.interval.clone() }) })
    }
}

/// The three forms of a timer event definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimerKind {
    Duration,
    Date,
    Cycle,
}

impl fmt::Display for TimerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Duration => "duration",
            Self::Date => "date",
            Self::Cycle => "cycle",
        })
    }
}

/// A timer of the model.
#[derive(Clone, Debug)]
pub(super) struct TimerDefinition {
    pub(super) kind: TimerKind,
    pub(super) text: Expression,
}

impl TimerDefinition {
    /// Finds out at deploy whether a timer that is written out can be read.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.text.is_literal() {
            parse(self.kind, self.text.source(), Timestamp::UNIX_EPOCH).map(drop)
        } else {
            Ok(())
        }
    }

    pub(super) fn schedule(
        &self,
        scope: &dyn Scope,
        now: Timestamp,
        budget: &Budget,
    ) -> Result<Schedule, EvaluationError> {
        let source = self.text.source();
        let parsed = match self.text.evaluate(scope, now, budget)? {
            Value::String(text) => parse(self.kind, &text, now),
            Value::Null => Err(format!("gives nothing, but a timer needs a {} as text", self.kind)),
            _ => Err(format!("a timer needs a {} as text", self.kind)),
        };
        parsed.map_err(|message| EvaluationError { expression: source.to_owned(), message })
    }
}

fn parse(kind: TimerKind, text: &str, now: Timestamp) -> Result<Schedule, String> {
    let text = text.trim();
    match kind {
        TimerKind::Duration => {
            let due = add(now, duration(text)?).ok_or_else(|| out_of_range(text))?;
            Ok(Schedule { due, repeat: None })
        }
        TimerKind::Date => Ok(Schedule { due: date(text)?, repeat: None }),
        TimerKind::Cycle => cycle(text, now),
    }
}

/// `R/PT1H`, `R3/PT1H`, `R3/2026-01-01T00:00:00Z/PT1H`.
fn cycle(text: &str, now: Timestamp) -> Result<Schedule, String> {
    let Some(rest) = text.strip_prefix('R') else {
        return Err(format!(
            "'{text}' is no cycle: write R[n]/[start date/]duration, such as R3/PT10M; cron is not supported"
        ));
    };
    let mut parts = rest.split('/');
    let (count, first, second) = (parts.next(), parts.next(), parts.next());
    if parts.next().is_some() {
        return Err(format!("'{text}' is no cycle: it has too many parts"));
    }
    let times = match count {
        None | Some("" | "-1") => None,
        Some(digits) => Some(
            digits
                .parse::<u32>()
                .ok()
                .and_then(|times| times.checked_sub(1))
                .ok_or_else(|| format!("'{text}' is no cycle: R{digits} does not repeat 1 or more times"))?,
        ),
    };
    let (start, interval) = match (first, second) {
        (Some(interval), None) => (None, interval),
        (Some(start), Some(interval)) => (Some(date(start)?), interval),
        _ => return Err(format!("'{text}' is no cycle: the duration is missing")),
    };
    let span = duration(interval)?;
    if !span.is_positive() {
        return Err(format!("'{text}' is no cycle: its duration must be longer than nothing"));
    }
    let due = match start {
        Some(start) => start,
        None => add(now, span).ok_or_else(|| out_of_range(text))?,
    };
    Ok(Schedule { due, repeat: Some(Repeat { remaining: times, interval: interval.to_owned() }) })
}

/// An ISO 8601 duration, months and years included. Jiff alone would also take its "friendly" format (`5 days`).
fn duration(text: &str) -> Result<Span, String> {
    let unreadable = || format!("'{text}' is no ISO 8601 duration, such as PT15M or P2D");
    if !text.trim_start_matches(['-', '+']).starts_with('P') {
        return Err(unreadable());
    }
    text.parse().map_err(|_| unreadable())
}

/// An ISO 8601 date with or without time; UTC where it names no offset.
pub(super) fn date(text: &str) -> Result<Timestamp, String> {
    let text = text.trim();
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant);
    }
    if text.contains('[') {
        return Err(format!("'{text}' names a time zone: write the offset instead, such as 2026-01-31T10:00:00+01:00"));
    }
    text.parse::<DateTime>()
        .and_then(|local| local.to_zoned(TimeZone::UTC))
        .map(|zoned| zoned.timestamp())
        .map_err(|_| format!("'{text}' is no ISO 8601 date, such as 2026-01-31T10:00:00Z"))
}

/// A date, or a duration from `now` on: what due dates of user tasks may be.
pub(super) fn date_or_duration(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if text.trim().starts_with('P') {
        return parse(TimerKind::Duration, text, now).map(|schedule| schedule.due);
    }
    date(text)
}

fn out_of_range(text: &str) -> String {
    format!("'{text}' leads beyond the year 9999")
}

fn add(start: Timestamp, span: Span) -> Option<Timestamp> {
    start.to_zoned(TimeZone::UTC).checked_add(span).ok().map(|zoned| zoned.timestamp())
}

/// The first of `due + interval`, `due + 2 × interval`, … after `now`.
fn first_after(due: Timestamp, interval: Span, now: Timestamp) -> Option<Timestamp> {
    let next = add(due, interval)?;
    if next > now {
        return Some(next);
    }
    if interval.get_years() == 0 && interval.get_months() == 0 {
        return skip_fixed(due, interval, now);
    }
    // At least 28 days each, so a few thousand rounds even after centuries.
    let mut next = next;
    while next <= now {
        let later = add(next, interval)?;
        if later <= next {
            return None;
        }
        next = later;
    }
    Some(next)
}

/// Without months and years all steps are of one length (days are in UTC), so that no loop is needed.
fn skip_fixed(due: Timestamp, interval: Span, now: Timestamp) -> Option<Timestamp> {
    let length = interval.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?.as_nanos();
    if length <= 0 {
        return None;
    }
    let missed = (now.as_nanosecond() - due.as_nanosecond()) / length;
    let nanoseconds = (missed + 1).checked_mul(length)?.checked_add(due.as_nanosecond())?;
    Timestamp::from_nanosecond(nanoseconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn due(cycle_text: &str, fired: &[&str]) -> Vec<String> {
        let mut schedule = cycle(cycle_text, at("2026-01-31T10:00:00Z")).ok();
        let mut due = Vec::new();
        for now in fired {
            let Some(current) = schedule else { break };
            due.push(current.due.to_string());
            schedule = current.next(at(now));
        }
        due.extend(schedule.map(|schedule| schedule.due.to_string()));
        due
    }

    #[test]
    fn a_cycle_fires_as_often_as_it_says() {
        assert_eq!(due("R1/PT1H", &["2026-01-31T11:00:00Z"]), ["2026-01-31T11:00:00Z"]);
        assert_eq!(
            due("R2/PT1H", &["2026-01-31T11:00:00Z", "2026-01-31T12:00:00Z"]),
            ["2026-01-31T11:00:00Z", "2026-01-31T12:00:00Z"]
        );
        assert_eq!(due("R/PT1H", &["2026-01-31T11:00:00Z"; 1]).len(), 2);
        assert_eq!(due("R-1/PT1H", &["2026-01-31T11:00:00Z"; 1]).len(), 2);
    }

    #[test]
    fn what_was_missed_is_one_firing_and_the_rhythm_stays() {
        assert_eq!(due("R/PT1H", &["2026-02-02T00:30:00Z"]), ["2026-01-31T11:00:00Z", "2026-02-02T01:00:00Z"]);
        assert_eq!(due("R/PT1H", &["2026-02-02T01:00:00Z"]), ["2026-01-31T11:00:00Z", "2026-02-02T02:00:00Z"]);
        assert_eq!(due("R/P1D", &["2026-02-10T10:00:00Z"]), ["2026-02-01T10:00:00Z", "2026-02-11T10:00:00Z"]);
        assert_eq!(due("R/P1W", &["2026-02-10T10:00:00Z"]), ["2026-02-07T10:00:00Z", "2026-02-14T10:00:00Z"]);
        assert_eq!(
            due("R/2026-03-01T00:00:00Z/P1M", &["2027-01-01T00:00:00Z"]),
            ["2026-03-01T00:00:00Z", "2027-02-01T00:00:00Z"]
        );
        // Fired a little early, as clocks do: still the next one.
        assert_eq!(due("R/PT1H", &["2026-01-31T10:59:59Z"]), ["2026-01-31T11:00:00Z", "2026-01-31T12:00:00Z"]);
    }

    #[test]
    fn short_cycles_and_long_downtimes_take_no_time() {
        let began = std::time::Instant::now();
        assert_eq!(due("R/PT0.001S", &["9000-01-01T00:00:00Z"]).len(), 2);
        assert_eq!(due("R/P1M", &["9000-01-01T00:00:00Z"]).len(), 2);
        assert_eq!(due("R/P1Y", &["9999-06-01T00:00:00Z"]).len(), 1);
        assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
    }

    #[test]
    fn dates_are_utc_unless_they_say_otherwise() {
        for (text, instant) in [
            ("2026-01-31T10:00:00Z", "2026-01-31T10:00:00Z"),
            ("2026-01-31T10:00:00.000+0100", "2026-01-31T09:00:00Z"),
            ("2026-01-31T10:00:00+01:00[Europe/Berlin]", "2026-01-31T09:00:00Z"),
            ("2026-01-31T10:00", "2026-01-31T10:00:00Z"),
            (" 2026-01-31 ", "2026-01-31T00:00:00Z"),
        ] {
            assert_eq!(date(text), Ok(at(instant)), "{text}");
        }
        for text in ["", "soon", "2026-13-01", "2026-01-31T10:00:00[Europe/Berlin]", "10:00", "1769853600"] {
            assert!(date(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_iso_durations_are_durations() {
        for text in ["PT15M", "P1Y2M3DT4H5M6.5S", "-PT1S", "P2W"] {
            assert!(duration(text).is_ok(), "{text}");
        }
        for text in ["", "P", "PT", "5 days", "5d", "--P1D", "15", "P1S", "P99999999Y"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
