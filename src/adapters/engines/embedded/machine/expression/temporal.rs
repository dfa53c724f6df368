//! FEEL's dates, times and durations, through jiff.

use std::cmp::Ordering;
use std::fmt;

use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::temporal::Pieces;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Span, Timestamp, Zoned};

use super::number::Number;

const MONTHS_PER_YEAR: i64 = 12;
const SECONDS_PER_DAY: i64 = 86_400;

/// A point in time or a duration.
#[derive(Debug, Clone)]
pub(super) enum Temporal {
    Date(Date),
    Time(Time, Option<Offset>),
    /// A date and time without a zone.
    Local(DateTime),
    Zoned(Box<Zoned>),
    /// Days, hours, minutes and seconds.
    Duration(SignedDuration),
    /// Years and months.
    Months(i64),
}

impl Temporal {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Date(_) => "a date",
            Self::Time(..) => "a time",
            Self::Local(_) | Self::Zoned(_) => "a date and time",
            Self::Duration(_) | Self::Months(_) => "a duration",
        }
    }

    pub(super) fn now(now: Timestamp) -> Self {
        Self::Zoned(Box::new(now.to_zoned(TimeZone::UTC)))
    }

    pub(super) fn date(text: &str) -> Option<Self> {
        match Self::date_and_time(text)? {
            Self::Local(value) => Some(Self::Date(value.date())),
            Self::Zoned(value) => Some(Self::Date(value.date())),
            _ => None,
        }
    }

    /// Reads `2026-01-31`, `2026-01-31T10:00:00`, with an offset (`Z`, `+01:00`) or a zone (`@Europe/Berlin`).
    pub(super) fn date_and_time(text: &str) -> Option<Self> {
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
    pub(super) fn time(text: &str) -> Option<Self> {
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
    pub(super) fn duration(text: &str) -> Option<Self> {
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
    pub(super) fn any(text: &str) -> Option<Self> {
        if text.starts_with(['P', 'p']) || text.starts_with("-P") {
            return Self::duration(text);
        }
        match text.find('T') {
            Some(place) if place > 0 => Self::date_and_time(text),
            _ if text.contains(':') => Self::time(text),
            _ => Self::date(text),
        }
    }

    pub(super) fn date_part(&self) -> Option<Self> {
        match self {
            Self::Date(date) => Some(Self::Date(*date)),
            Self::Local(value) => Some(Self::Date(value.date())),
            Self::Zoned(value) => Some(Self::Date(value.date())),
            _ => None,
        }
    }

    pub(super) fn time_of_day(&self) -> Option<Self> {
        match self {
            Self::Time(..) => Some(self.clone()),
            Self::Local(value) => Some(Self::Time(value.time(), None)),
            Self::Zoned(value) => Some(Self::Time(value.time(), Some(value.offset()))),
            Self::Date(_) => Some(Self::Time(Time::midnight(), None)),
            _ => None,
        }
    }

    /// The date of the one at the time of the other.
    pub(super) fn at_time(&self, time: &Self) -> Option<Self> {
        let (Self::Date(date), Self::Time(time, offset)) = (self.date_part()?, time) else { return None };
        let local = date.to_datetime(*time);
        match offset {
            None => Some(Self::Local(local)),
            Some(offset) => {
                local.to_zoned(TimeZone::fixed(*offset)).ok().map(|zoned| Self::Zoned(Box::new(zoned)))
            }
        }
    }

    /// Compares values of one kind; `None` for others, and for one with a zone against one without.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Date(left), Self::Date(right)) => Some(left.cmp(right)),
            (Self::Local(left), Self::Local(right)) => Some(left.cmp(right)),
            (Self::Zoned(left), Self::Zoned(right)) => Some(left.timestamp().cmp(&right.timestamp())),
            (Self::Duration(left), Self::Duration(right)) => Some(left.cmp(right)),
            (Self::Months(left), Self::Months(right)) => Some(left.cmp(right)),
            (Self::Time(left, None), Self::Time(right, None)) => Some(left.cmp(right)),
            (Self::Time(left, Some(here)), Self::Time(right, Some(there))) => {
                Some(since_midnight_utc(*left, *here).cmp(&since_midnight_utc(*right, *there)))
            }
            _ => None,
        }
    }

    pub(super) fn negate(&self) -> Option<Self> {
        match self {
            Self::Duration(value) => value.checked_neg().map(Self::Duration),
            Self::Months(value) => value.checked_neg().map(Self::Months),
            _ => None,
        }
    }

    pub(super) fn abs(&self) -> Option<Self> {
        match self {
            Self::Duration(value) if value.is_negative() => self.negate(),
            Self::Months(value) if *value < 0 => self.negate(),
            Self::Duration(_) | Self::Months(_) => Some(self.clone()),
            _ => None,
        }
    }

    pub(super) fn add(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Duration(left), Self::Duration(right)) => left.checked_add(*right).map(Self::Duration),
            (Self::Months(left), Self::Months(right)) => left.checked_add(*right).map(Self::Months),
            (Self::Duration(_) | Self::Months(_), point) => point.plus(self),
            (point, duration) => point.plus(duration),
        }
    }

    fn plus(&self, duration: &Self) -> Option<Self> {
        let span = match duration {
            Self::Months(months) => Span::new().try_months(*months).ok()?,
            Self::Duration(duration) => return self.plus_exact(*duration),
            _ => return None,
        };
        match self {
            Self::Date(date) => date.checked_add(span).ok().map(Self::Date),
            Self::Local(value) => value.checked_add(span).ok().map(Self::Local),
            Self::Zoned(value) => value.checked_add(span).ok().map(|value| Self::Zoned(Box::new(value))),
            _ => None,
        }
    }

    fn plus_exact(&self, duration: SignedDuration) -> Option<Self> {
        match self {
            // A date stays a date: the hours of the duration count where they make up days.
            Self::Date(date) => {
                let end = date.to_datetime(Time::midnight()).checked_add(duration).ok()?;
                Some(Self::Date(end.date()))
            }
            Self::Time(time, offset) => Some(Self::Time(time.wrapping_add(duration), *offset)),
            Self::Local(value) => value.checked_add(duration).ok().map(Self::Local),
            Self::Zoned(value) => value.checked_add(duration).ok().map(|value| Self::Zoned(Box::new(value))),
            _ => None,
        }
    }

    pub(super) fn subtract(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (_, Self::Duration(_) | Self::Months(_)) => self.add(&other.negate()?),
            (Self::Time(left, here), Self::Time(right, there)) if here.is_some() == there.is_some() => {
                let utc = |time: Time, offset: &Option<Offset>| since_midnight_utc(time, offset.unwrap_or(Offset::UTC));
                Some(Self::Duration(utc(*left, here).checked_sub(utc(*right, there))?))
            }
            (Self::Zoned(left), Self::Zoned(right)) => Some(Self::Duration(left.duration_since(right))),
            _ => match (self.local(), other.local()) {
                (Some(left), Some(right)) => Some(Self::Duration(left.duration_since(right))),
                _ => None,
            },
        }
    }

    fn local(&self) -> Option<DateTime> {
        match self {
            Self::Date(date) => Some(date.to_datetime(Time::midnight())),
            Self::Local(value) => Some(*value),
            _ => None,
        }
    }

    /// The duration with its amount changed; what is less than its smallest part is dropped.
    pub(super) fn scale(&self, change: impl FnOnce(&Number) -> Option<Number>) -> Option<Self> {
        match self {
            Self::Months(months) => change(&Number::from(*months))?.truncate().map(Self::Months),
            Self::Duration(value) => {
                let nanoseconds = change(&Number::from(value.as_nanos()))?.truncate_wide()?;
                SignedDuration::try_from_nanos_i128(nanoseconds).map(Self::Duration)
            }
            _ => None,
        }
    }

    /// How often the other duration fits in this one.
    pub(super) fn ratio(&self, other: &Self) -> Option<Number> {
        match (self, other) {
            (Self::Months(left), Self::Months(right)) => Number::from(*left).divide(&Number::from(*right)),
            (Self::Duration(left), Self::Duration(right)) => {
                Number::from(left.as_nanos()).divide(&Number::from(right.as_nanos()))
            }
            _ => None,
        }
    }

    /// The member of that name as a number, or `None`.
    pub(super) fn member(&self, name: &str) -> Option<i64> {
        match self {
            Self::Duration(value) => duration_member(value, name),
            Self::Months(months) => match name {
                "years" => months.checked_div(MONTHS_PER_YEAR),
                "months" => months.checked_rem(MONTHS_PER_YEAR),
                _ => None,
            },
            _ => self.date_member(name).or_else(|| self.time_member(name)),
        }
    }

    fn date_member(&self, name: &str) -> Option<i64> {
        let Some(Self::Date(date)) = self.date_part() else { return None };
        match name {
            "year" => Some(date.year().into()),
            "month" => Some(date.month().into()),
            "day" => Some(date.day().into()),
            "weekday" => Some(date.weekday().to_monday_one_offset().into()),
            _ => None,
        }
    }

    fn time_member(&self, name: &str) -> Option<i64> {
        if matches!(self, Self::Date(_)) {
            return None;
        }
        let Some(Self::Time(time, _)) = self.time_of_day() else { return None };
        match name {
            "hour" => Some(time.hour().into()),
            "minute" => Some(time.minute().into()),
            "second" => Some(time.second().into()),
            _ => None,
        }
    }

    /// The distance from UTC, where there is one.
    pub(super) fn time_offset(&self) -> Option<Self> {
        match self {
            Self::Time(_, Some(offset)) => Some(*offset),
            Self::Zoned(value) => Some(value.offset()),
            _ => None,
        }
        .map(|offset| Self::Duration(SignedDuration::from_secs(offset.seconds().into())))
    }

    /// The name of the zone, where there is one.
    pub(super) fn zone_name(&self) -> Option<String> {
        match self {
            Self::Zoned(value) => value.time_zone().iana_name().map(ToOwned::to_owned),
            _ => None,
        }
    }
}

fn since_midnight_utc(time: Time, offset: Offset) -> SignedDuration {
    let local = time.duration_since(Time::midnight());
    local.saturating_sub(SignedDuration::from_secs(offset.seconds().into()))
}

fn duration_member(value: &SignedDuration, name: &str) -> Option<i64> {
    let seconds = value.as_secs();
    match name {
        "days" => seconds.checked_div(SECONDS_PER_DAY),
        "hours" => seconds.checked_rem(SECONDS_PER_DAY)?.checked_div(3_600),
        "minutes" => seconds.checked_rem(3_600)?.checked_div(60),
        "seconds" => seconds.checked_rem(60),
        _ => None,
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
            },
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
