//! Durations, sizes and moments as people write them.

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp, civil};
use serde_json::{Value, json};

/// Reads seconds (`30`, `0.5`), friendly text (`30s`, `5m`, `30d`) or ISO 8601 (`PT30S`, `P30D`). A day has 24 hours.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn parse_duration(text: &str) -> Result<SignedDuration, String> {
    let text = text.trim();
    let refused = || format!("must be seconds or a text such as 30s, 5m, 30d or PT30S, not {text:?}");
    let duration = if let Ok(seconds) = text.parse::<i64>() {
        SignedDuration::from_secs(seconds)
    } else if let Ok(seconds) = text.parse::<f64>() {
        SignedDuration::try_from_secs_f64(seconds).map_err(|_| refused())?
    } else {
        let span: Span = text.parse().map_err(|_| refused())?;
        span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| refused())?
    };
    if duration.is_negative() { Err(format!("must not be negative, as {text:?} is")) } else { Ok(duration) }
}

/// Reads bytes (`4194304`) or text with a unit (`512 KiB`, `4MiB`, `4 MB`).
pub(super) fn parse_size(text: &str) -> Result<i64, String> {
    let text = text.trim();
    let refused = || format!("must be bytes or a text such as 512 KiB or 4 MiB, not {text:?}");
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let factor: i64 = match unit.trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "GiB" => 1 << 30,
        _ => return Err(refused()),
    };
    number.parse::<i64>().ok().and_then(|number| number.checked_mul(factor)).ok_or_else(refused)
}

/// Reads ISO 8601 with a zone (`2027-01-31T00:00:00Z`), a date or time without one (then UTC), or seconds since 1970.
pub(super) fn parse_moment(text: &str) -> Result<Timestamp, String> {
    let text = text.trim();
    let refused = || format!("must be a time such as 2027-01-31T00:00:00Z or seconds since 1970, not {text:?}");
    if let Ok(seconds) = text.parse::<i64>() {
        return Timestamp::from_second(seconds).map_err(|_| refused());
    }
    if let Ok(seconds) = text.parse::<f64>() {
        let since = SignedDuration::try_from_secs_f64(seconds).map_err(|_| refused())?;
        return Timestamp::from_duration(since).map_err(|_| refused());
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let local = text.parse::<civil::DateTime>().map_err(|_| refused())?;
    local.to_zoned(jiff::tz::TimeZone::UTC).map(|zoned| zoned.timestamp()).map_err(|_| refused())
}

/// A duration as `config check` shows it: `30s`, `5m`, `30d`.
pub(super) fn show_duration(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    match units.into_iter().find(|(size, _)| seconds >= *size && seconds % size == 0 && duration.subsec_nanos() == 0) {
        Some((size, unit)) => format!("{}{unit}", seconds / size),
        None => format!("{}s", duration.as_secs_f64()),
    }
}

/// A duration as a key shows it whose name says that it is in seconds: a number, with decimals where it has some.
pub(super) fn show_seconds(duration: SignedDuration) -> Value {
    if duration.subsec_nanos() == 0 { json!(duration.as_secs()) } else { json!(duration.as_secs_f64()) }
}

/// A size as `config check` shows it: `4 MiB`.
pub(super) fn show_size(bytes: usize) -> String {
    let units = [(1_usize << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(size, _)| bytes >= *size && bytes.is_multiple_of(*size)) {
        Some((size, unit)) => format!("{} {unit}", bytes / size),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds_or_text() {
        for (text, seconds) in [
            ("30", 30),
            ("30s", 30),
            ("5m", 300),
            ("1h30m", 5_400),
            ("30d", 2_592_000),
            ("PT30S", 30),
            ("P30D", 2_592_000),
            ("0", 0),
        ] {
            assert_eq!(parse_duration(text), Ok(SignedDuration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse_duration("0.5"), Ok(SignedDuration::from_millis(500)));
        for bad in ["", "soon", "-1", "-5m", "NaN", "inf", "1e400", "1y"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
        assert_eq!(show_duration(SignedDuration::from_secs(2_592_000)), "30d");
        assert_eq!(show_duration(SignedDuration::from_secs(90)), "90s");
        assert_eq!(show_seconds(SignedDuration::from_secs(90)), json!(90));
        assert_eq!(show_seconds(SignedDuration::from_millis(1_500)), json!(1.5));
    }

    #[test]
    fn sizes_are_bytes_or_text() {
        for (text, bytes) in
            [("10", 10), ("4 MiB", 4 << 20), ("4MiB", 4 << 20), ("512 KiB", 512 << 10), ("1 MB", 1_000_000)]
        {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "MiB", "4 megs", "-1", "9999999999999 GiB"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
        assert_eq!(show_size(4 << 20), "4 MiB");
        assert_eq!(show_size(1_000_001), "1000001 B");
    }

    #[test]
    fn moments_are_iso_or_seconds() {
        for text in [
            "2027-01-31T00:00:00Z",
            "2027-01-31",
            "2027-01-31T01:00:00+01:00",
            "1801353600",
            "1801353600.0",
            "2027-01-31T00:00:00",
        ] {
            assert_eq!(
                parse_moment(text).map(|moment| moment.to_string()),
                Ok("2027-01-31T00:00:00Z".to_owned()),
                "{text}"
            );
        }
        for bad in ["", "tomorrow", "2027-13-01", "99999999999999999"] {
            assert!(parse_moment(bad).is_err(), "{bad}");
        }
    }
}
