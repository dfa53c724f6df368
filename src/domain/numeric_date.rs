//! The times of claims: `NumericDate` (RFC 7519 section 2), seconds since 1970, fractions allowed.

use std::iter;

use jiff::Timestamp;
use serde_json::Value;

/// Not a finite, non-negative number up to the year 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a non-negative number of seconds up to the year 9999")]
pub struct InvalidNumericDate;

/// The first second of the year 10000.
const YEAR_10000: i64 = 253_402_300_800;
/// As many digits as that has.
const SECONDS_DIGITS: i64 = 12;
const NANOSECOND_DIGITS: i64 = 9;

/// Reads the time that a claim states, exactly to the nanosecond and without going through a float; what is below that is
/// cut. The work is linear in the number's text, whatever its exponent.
///
/// # Errors
/// [`InvalidNumericDate`] for anything but a number, for one below zero, and for one beyond the year 9999.
pub fn numeric_date(claim: &Value) -> Result<Timestamp, InvalidNumericDate> {
    let Value::Number(number) = claim else { return Err(InvalidNumericDate) };
    let (seconds, nanoseconds) = parts(&number.to_string()).ok_or(InvalidNumericDate)?;
    if seconds >= YEAR_10000 {
        return Err(InvalidNumericDate);
    }
    // jiff's last moment is a day before the year's end, so that every time zone has it.
    Ok(Timestamp::new(seconds, nanoseconds).unwrap_or(Timestamp::MAX))
}

/// Seconds and nanoseconds of a JSON number's text; `None` if it is negative, or has more digits than a time can.
fn parts(text: &str) -> Option<(i64, i32)> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    // The power of ten of the first digit.
    let first = i64::try_from(whole.len()).ok()?.saturating_sub(1).saturating_add(power(exponent)?);
    let powers = iter::successors(Some(first), |power| Some(power.saturating_sub(1)));
    let (mut seconds, mut nanoseconds) = (0_i64, 0_i64);
    for (digit, power) in whole.chars().chain(fraction.chars()).zip(powers) {
        let digit = i64::from(digit.to_digit(10)?);
        match power {
            _ if digit == 0 => {}
            _ if negative || power >= SECONDS_DIGITS => return None,
            0.. => seconds += digit * 10_i64.checked_pow(u32::try_from(power).ok()?)?,
            _ if power >= -NANOSECOND_DIGITS => {
                nanoseconds += digit * 10_i64.checked_pow(u32::try_from(NANOSECOND_DIGITS + power).ok()?)?;
            }
            _ => {}
        }
    }
    Some((seconds, i32::try_from(nanoseconds).ok()?))
}

/// An exponent; one that fits in no integer is as good as the farthest that does.
fn power(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let far = i64::from(i32::MAX);
    let size = digits.parse().unwrap_or(far).min(far);
    Some(if negative { -size } else { size })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<String, InvalidNumericDate> {
        numeric_date(&serde_json::from_str(text).unwrap()).map(|time| time.to_string())
    }

    #[test]
    fn a_time_is_read_in_every_form_that_a_number_has() {
        for text in ["1700000000", "1700000000.0", "1.7e9", "17E+8", "170000000000e-2", "0.0000000017e18"] {
            assert_eq!(read(text), Ok("2023-11-14T22:13:20Z".to_owned()), "{text}");
        }
        assert_eq!(read("1700000000.123456789987"), Ok("2023-11-14T22:13:20.123456789Z".to_owned()));
        for zero in ["0", "-0", "-0.0", "0e999999999999999999999", "1e-999999999999999999999", "0.0000000001"] {
            assert_eq!(read(zero), Ok("1970-01-01T00:00:00Z".to_owned()), "{zero}");
        }
        assert_eq!(read("253402300799"), Ok(Timestamp::MAX.to_string()));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "-1",
            "-1e-9",
            "253402300800",
            "1e12",
            "1e999999999999999999999",
            "true",
            "null",
            "\"1700000000\"",
            "[1]",
            "{}",
        ] {
            assert_eq!(read(text), Err(InvalidNumericDate), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_written_time_is_read_back(seconds in 0..253_402_207_200_i64, nanoseconds in 0..1_000_000_000_i32) {
            let time = numeric_date(&serde_json::from_str(&format!("{seconds}.{nanoseconds:09}")).unwrap());
            prop_assert_eq!(time, Ok(Timestamp::new(seconds, nanoseconds).unwrap()));
        }
    }
}
