//! Decimal numbers of 34 digits, rounded half to even: IEEE 754 decimal128, as FEEL wants them.

use std::cmp::Ordering;
use std::fmt;

use bigdecimal::num_bigint::{BigInt, Sign};
use bigdecimal::{BigDecimal, RoundingMode, Signed, ToPrimitive, Zero};

/// The digits a number keeps.
const DIGITS: u64 = 34;
/// The same where lengths of text are compared.
const DIGITS_LEN: i64 = 34;
/// Digits kept while a text is read or a power is computed, so that the last rounding is the only one that counts.
const GUARD_DIGITS: u64 = 50;
/// The largest decimal exponent; its negative is the smallest.
const MAX_EXPONENT: i64 = 6_144;
/// An exponent that no fraction brings back into range; larger ones are as good as this one.
const ABSURD: i64 = 1_000_000_000;
/// Beyond this distance the smaller of two numbers cannot change a digit of their sum.
const NEGLIGIBLE: i64 = 80;
/// Digits of a power that becomes a divisor: a few to guard, yet few enough for [`SHIFT`].
const DIVISOR_DIGITS: u64 = 38;
/// Digits by which a dividend is lengthened, so that every quotient has more than 34.
const SHIFT: u32 = 72;

/// A decimal number without trailing zeros.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Number(BigDecimal);

impl Number {
    /// Reads JSON's number format (a leading `.` or zeros are fine too). `None` for other text and for numbers whose
    /// exponent is out of range.
    pub(super) fn parse(text: &str) -> Option<Self> {
        // The usual case, and cheap.
        if let Ok(whole) = text.parse::<i64>()
            && !text.starts_with('+')
        {
            return Some(Self::from(whole));
        }
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?.clamp(-ABSURD, ABSURD)),
            None => (text, 0),
        };
        let (negative, mantissa) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let digits = whole.bytes().chain(fraction.bytes());
        let (coefficient, dropped) = coefficient(digits)?;
        let fraction = i64::try_from(fraction.len()).ok()?;
        let scale = fraction.checked_sub(dropped)?.checked_sub(exponent)?;
        let sign = if negative { Sign::Minus } else { Sign::Plus };
        let coefficient = BigInt::from_biguint(sign, BigInt::parse_bytes(&coefficient, 10)?.magnitude().clone());
        Self::finish(BigDecimal::new(coefficient, scale))
    }

    /// Rounds to 34 digits; `None` when the number is too large.
    fn finish(exact: BigDecimal) -> Option<Self> {
        if exact.is_zero() {
            return Some(Self(BigDecimal::zero()));
        }
        let rounded = without_trailing_zeros(round_digits(exact, DIGITS));
        match magnitude(&rounded).checked_sub(1)? {
            exponent if exponent > MAX_EXPONENT => None,
            exponent if exponent < -MAX_EXPONENT => Some(Self(BigDecimal::zero())),
            _ => Some(Self(rounded)),
        }
    }

    pub(super) fn is_zero(&self) -> bool {
        self.0.is_zero()
    }

    pub(super) fn negate(&self) -> Self {
        Self(-&self.0)
    }

    pub(super) fn abs(&self) -> Self {
        Self(self.0.abs())
    }

    pub(super) fn add(&self, other: &Self) -> Option<Self> {
        // Aligning 1e6000 with 1e-6000 would cost 12,000 digits for nothing.
        if self.is_zero() || other.is_zero() {
            return Some(if self.is_zero() { other.clone() } else { self.clone() });
        }
        let distance = magnitude(&self.0).saturating_sub(magnitude(&other.0));
        if distance > NEGLIGIBLE {
            return Some(self.clone());
        }
        if distance < -NEGLIGIBLE {
            return Some(other.clone());
        }
        Self::finish(&self.0 + &other.0)
    }

    pub(super) fn subtract(&self, other: &Self) -> Option<Self> {
        self.add(&other.negate())
    }

    pub(super) fn multiply(&self, other: &Self) -> Option<Self> {
        Self::finish(&self.0 * &other.0)
    }

    /// `None` for a division by zero too.
    pub(super) fn divide(&self, other: &Self) -> Option<Self> {
        if other.is_zero() {
            return None;
        }
        let (dividend, dividend_scale) = self.0.as_bigint_and_scale();
        let (divisor, divisor_scale) = other.0.as_bigint_and_scale();
        let dividend = dividend.as_ref() * BigInt::from(10).pow(SHIFT);
        let divisor = divisor.as_ref();
        let quotient = &dividend / divisor;
        // A last digit stands for a remainder, so that a quotient just above a half is not taken for one.
        let exact = (&quotient * divisor) == dividend;
        let sticky = if exact { 0 } else { self.0.sign_product(&other.0) };
        let scale = dividend_scale.checked_sub(divisor_scale)?.checked_add(i64::from(SHIFT))?.checked_add(1)?;
        Self::finish(BigDecimal::new(quotient * 10 + sticky, scale))
    }

    /// The remainder with the dividend's sign; `None` for a zero divisor or a quotient of more than 34 digits.
    pub(super) fn remainder(&self, other: &Self) -> Option<Self> {
        let distance = magnitude(&self.0).saturating_sub(magnitude(&other.0));
        if other.is_zero() || (distance > DIGITS_LEN && !self.is_zero()) {
            return None;
        }
        if self.is_zero() || distance < -1 {
            return Some(self.clone());
        }
        Self::finish(&self.0 % &other.0)
    }

    /// The remainder with the divisor's sign.
    pub(super) fn modulo(&self, other: &Self) -> Option<Self> {
        let remainder = self.remainder(other)?;
        if remainder.is_zero() || remainder.0.is_negative() == other.0.is_negative() {
            return Some(remainder);
        }
        remainder.add(other)
    }

    /// A power with a whole exponent; `None` for others and for results out of range.
    pub(super) fn power(&self, exponent: &Self) -> Option<Self> {
        const MAX_POWER: u64 = 1_000_000;
        let exponent = exponent.to_i64()?;
        let mut left = exponent.unsigned_abs();
        if left > MAX_POWER || (self.is_zero() && exponent < 0) {
            return None;
        }
        let mut result = BigDecimal::from(1);
        let mut square = self.0.clone();
        while left > 0 {
            if left % 2 == 1 {
                result = round_digits(result * &square, GUARD_DIGITS);
            }
            left /= 2;
            square = if left > 0 { round_digits(&square * &square, GUARD_DIGITS) } else { square };
            if magnitude(&square).abs() > MAX_EXPONENT.saturating_mul(4) {
                return Self::extreme_power(&square, exponent);
            }
        }
        if exponent < 0 {
            // Some digits more than 34 go into the division, so that only its result is rounded.
            return Self(BigDecimal::from(1)).divide(&Self(round_digits(result, DIVISOR_DIGITS)));
        }
        Self::finish(result)
    }

    /// A power that leaves the range of numbers: too large, or as good as zero.
    fn extreme_power(square: &BigDecimal, exponent: i64) -> Option<Self> {
        let large = (magnitude(square) > 0) == (exponent > 0);
        if large { None } else { Some(Self(BigDecimal::zero())) }
    }

    /// Rounds to `places` digits after the point.
    pub(super) fn round(&self, places: i64, mode: RoundingMode) -> Option<Self> {
        if self.is_zero() || places >= self.0.fractional_digit_count() || places.abs() > MAX_EXPONENT {
            return Some(self.clone());
        }
        // Of a number far below the last place only the sign counts, not its thousands of zeros.
        let tiny = magnitude(&self.0) < places.saturating_neg().saturating_sub(1);
        let stand_in = BigDecimal::new(BigInt::from_biguint(self.0.sign(), 1_u8.into()), places.saturating_add(2));
        let value = if tiny { &stand_in } else { &self.0 };
        Self::finish(value.with_scale_round(places, mode))
    }

    /// The number if it is whole and fits.
    pub(super) fn to_i64(&self) -> Option<i64> {
        let near = magnitude(&self.0) <= 20;
        if near && self.0.fractional_digit_count() <= 0 { self.0.to_i64() } else { None }
    }

    /// The number without its fraction, if it fits.
    pub(super) fn truncate(&self) -> Option<i64> {
        self.round(0, RoundingMode::Down)?.to_i64()
    }

    /// The same in 128 bits.
    pub(super) fn truncate_wide(&self) -> Option<i128> {
        let whole = self.round(0, RoundingMode::Down)?;
        if magnitude(&whole.0) <= 38 { whole.0.to_i128() } else { None }
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self(without_trailing_zeros(BigDecimal::from(value)))
    }
}

impl From<i128> for Number {
    fn from(value: i128) -> Self {
        // 39 digits at most: the exponent is always in range.
        Self::finish(BigDecimal::from(value)).unwrap_or(Self(BigDecimal::zero()))
    }
}

impl From<usize> for Number {
    fn from(value: usize) -> Self {
        i64::try_from(value).map_or_else(|_| Self::from(i64::MAX), Self::from)
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let by_sign = self.0.sign().cmp(&other.0.sign());
        if by_sign != Ordering::Equal || self.is_zero() {
            return Some(by_sign);
        }
        let by_size = magnitude(&self.0).cmp(&magnitude(&other.0));
        Some(match by_size {
            Ordering::Equal => self.0.cmp(&other.0),
            _ if self.0.is_negative() => by_size.reverse(),
            _ => by_size,
        })
    }
}

impl fmt::Display for Number {
    /// Writes JSON's number format: without an exponent where that stays readable.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const READABLE: i64 = 40;
        let (coefficient, scale) = self.0.as_bigint_and_scale();
        if (-READABLE..=READABLE).contains(&scale) && magnitude(&self.0) <= DIGITS_LEN {
            return f.write_str(&self.0.to_plain_string());
        }
        let digits = coefficient.magnitude().to_string();
        let sign = if self.0.is_negative() { "-" } else { "" };
        let (first, rest) = digits.split_at_checked(1).unwrap_or(("0", ""));
        let point = if rest.is_empty() { "" } else { "." };
        write!(f, "{sign}{first}{point}{rest}e{}", magnitude(&self.0).saturating_sub(1))
    }
}

trait SignProduct {
    fn sign_product(&self, other: &Self) -> i32;
}

impl SignProduct for BigDecimal {
    fn sign_product(&self, other: &Self) -> i32 {
        if self.is_negative() == other.is_negative() { 1 } else { -1 }
    }
}

/// The digits before the point, or minus the zeros after it: 3 for 123.4, -1 for 0.012.
fn magnitude(value: &BigDecimal) -> i64 {
    i64::try_from(value.digits()).unwrap_or(i64::MAX).saturating_sub(value.fractional_digit_count())
}

/// The same number with the shortest coefficient, which makes equal numbers look equal.
fn without_trailing_zeros(value: BigDecimal) -> BigDecimal {
    let (coefficient, scale) = value.as_bigint_and_scale();
    // 34 digits always fit; `normalized` goes through text and is much slower.
    let Some(mut short) = coefficient.to_i128() else { return value.normalized() };
    let mut dropped: i64 = 0;
    while short != 0 && short % 10 == 0 {
        short /= 10;
        dropped = dropped.saturating_add(1);
    }
    if dropped == 0 { value } else { BigDecimal::new(BigInt::from(short), scale.saturating_sub(dropped)) }
}

fn round_digits(value: BigDecimal, digits: u64) -> BigDecimal {
    match std::num::NonZeroU64::new(digits) {
        Some(precision) if value.digits() > digits => value.with_precision_round(precision, RoundingMode::HalfEven),
        _ => value,
    }
}

/// The leading digits, and how many further ones were dropped. A text of a million digits is not worth a million
/// digits: what is dropped is remembered by one last digit, as rounding wants it.
fn coefficient(digits: impl Iterator<Item = u8>) -> Option<(Vec<u8>, i64)> {
    let limit = usize::try_from(GUARD_DIGITS).ok()?;
    let (mut kept, mut dropped, mut sticky) = (Vec::new(), 0_i64, false);
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        if kept.len() < limit {
            if !kept.is_empty() || digit != b'0' {
                kept.push(digit);
            }
        } else {
            dropped = dropped.checked_add(1)?;
            sticky |= digit != b'0';
        }
    }
    if kept.is_empty() {
        kept.push(b'0');
    }
    if sticky {
        kept.push(b'1');
        dropped = dropped.checked_sub(1)?;
    }
    Some((kept, dropped))
}
