//! FEEL's dates, times and durations, through jiff.

mod text;

use std::cmp::Ordering;

use jiff::civil::{Date, DateTime, Time};
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
            Some(offset) => local.to_zoned(TimeZone::fixed(*offset)).ok().map(|zoned| Self::Zoned(Box::new(zoned))),
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
