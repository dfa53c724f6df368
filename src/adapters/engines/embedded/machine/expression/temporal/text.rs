//! Reads and writes temporal values as ISO 8601 text.

use std::fmt;

use jiff::civil::Time;
use jiff::fmt::temporal::Pieces;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Span};

use super::{MONTHS_PER_YEAR, SECONDS_PER_DAY, Temporal};

impl Temporal {
    pub(in super::super) fn date(text: &str) -> Option<Self> {
        match Self::date_and_time(text)? {
            Self::Local(value) => Some(Self::Date(value.date())),
            Self::Zoned(value) => Some(Self::Date(value.date())),
            _ => None,
        }
    }

    /// Reads `2026-01-31`, `2026-01-31T10:00:00`, with an offset (`Z`, `+01:00`) or a zone (`@Europe/Berlin`).
    pub(in super::super) fn date_and_time(text: &str) -> Option<Self> {
        let annotated = text.split_once('@').map(|(head, zone)| format!("{head}[{zone}]"));
        let pieces = Pieces::parse(annotated.as_deref().unwrap_or(text)).ok()?;
        let local = pieces.date().to_datetime(pieces.time().unwrap_or_default());
        let zone = match (pieces.time_zone_annotation(), pieces.to_numeric_offset()) {
            (Some(annotation), None) => annotation.to_time_zone().ok()?,
            (_, Some(offset)) => TimeZone::fixed(offset),
            (None, None) => return Some(Self::Local(local)),
        };
        local.to_zoned(zone).ok().map(|zoned| Self::Zoned(Box::new(zoned)))
    }

    /// Reads `10:00:00`, with an offset if need be.
    pub(in super::super) fn time(text: &str) -> Option<Self> {
        if text.contains('T') && text.find('T') != Some(0) {
            return Self::date_and_time(text).and_then(|value| value.time_of_day());
        }
        if !text.contains(['Z', 'z', '+', '-', '@']) {
            return text.parse::<Time>().ok().map(|time| Self::Time(time, None));
        }
        // Offsets are read together with a date; any date does.
        Self::date_and_time(&format!("2000-01-01T{}", text.trim_start_matches('T')))?.time_of_day()
    }

    /// Reads a duration of either kind; both kinds in one text are `None`, as FEEL has it.
    pub(in super::super) fn duration(text: &str) -> Option<Self> {
        let span: Span = text.parse().ok()?;
        let months = i64::from(span.get_years()).checked_mul(MONTHS_PER_YEAR)?.checked_add(span.get_months().into())?;
        let days = i64::from(span.get_weeks()).checked_mul(7)?.checked_add(span.get_days().into())?;
        let rest = span.years(0).months(0).weeks(0).days(0);
        let rest = SignedDuration::try_from(rest).ok()?;
        let whole = SignedDuration::from_secs(days.checked_mul(SECONDS_PER_DAY)?).checked_add(rest)?;
        match (months, whole.is_zero()) {
            (0, false) => Some(Self::Duration(whole)),
            (0, true) if text.contains(['D', 'T', 'W', 'd', 't', 'w']) => Some(Self::Duration(whole)),
            (_, true) => Some(Self::Months(months)),
            (_, false) => None,
        }
    }

    /// Reads whatever an `@"…"` literal may hold.
    pub(in super::super) fn any(text: &str) -> Option<Self> {
        if text.starts_with(['P', 'p']) || text.starts_with("-P") {
            return Self::duration(text);
        }
        match text.find('T') {
            Some(place) if place > 0 => Self::date_and_time(text),
            _ if text.contains(':') => Self::time(text),
            _ => Self::date(text),
        }
    }
}

impl fmt::Display for Temporal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Date(date) => write!(f, "{date}"),
            Self::Time(time, None) => write!(f, "{time}"),
            Self::Time(time, Some(offset)) if offset.is_zero() => write!(f, "{time}Z"),
            Self::Time(time, Some(offset)) => {
                write!(f, "{time}")?;
                write_offset(f, *offset)
            }
            Self::Local(value) => write!(f, "{value}"),
            Self::Zoned(value) if value.offset().is_zero() => write!(f, "{}", value.timestamp()),
            // The offset alone, so that every reader of ISO 8601 understands it.
            Self::Zoned(value) => write!(f, "{}", value.timestamp().display_with_offset(value.offset())),
            Self::Duration(value) => write_duration(f, value),
            Self::Months(months) => write_months(f, *months),
        }
    }
}

fn write_offset(f: &mut fmt::Formatter<'_>, offset: Offset) -> fmt::Result {
    let sign = if offset.is_negative() { '-' } else { '+' };
    let minutes = offset.seconds().unsigned_abs() / 60;
    write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

fn write_months(f: &mut fmt::Formatter<'_>, months: i64) -> fmt::Result {
    let sign = if months < 0 { "-" } else { "" };
    let months = months.unsigned_abs();
    let (years, months) = (months / 12, months % 12);
    match (years, months) {
        (0, _) => write!(f, "{sign}P{months}M"),
        (_, 0) => write!(f, "{sign}P{years}Y"),
        _ => write!(f, "{sign}P{years}Y{months}M"),
    }
}

fn write_duration(f: &mut fmt::Formatter<'_>, value: &SignedDuration) -> fmt::Result {
    if value.is_zero() {
        return f.write_str("PT0S");
    }
    f.write_str(if value.is_negative() { "-P" } else { "P" })?;
    let seconds = value.as_secs().unsigned_abs();
    let nanoseconds = value.subsec_nanos().unsigned_abs();
    let (days, hours, minutes, seconds) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    if days > 0 {
        write!(f, "{days}D")?;
    }
    if hours == 0 && minutes == 0 && seconds == 0 && nanoseconds == 0 {
        return Ok(());
    }
    f.write_str("T")?;
    for (amount, unit) in [(hours, 'H'), (minutes, 'M')] {
        if amount > 0 {
            write!(f, "{amount}{unit}")?;
        }
    }
    match (seconds, nanoseconds) {
        (0, 0) => Ok(()),
        (_, 0) => write!(f, "{seconds}S"),
        _ => write!(f, "{seconds}.{}S", format!("{nanoseconds:09}").trim_end_matches('0')),
    }
}
