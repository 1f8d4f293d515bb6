//! Moments and periods. The domain never reads a clock: every decision is given its `now`.

use std::fmt;
use std::str::FromStr;

/// A moment, in whole milliseconds since 1970-01-01T00:00:00Z.
///
/// Milliseconds, because lists are sorted by the moment of creation and two escrows of one second must keep their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment that many milliseconds after the epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The moment that many seconds after the epoch; the far end of time where that does not fit.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000))
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded towards the past.
    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// This moment, moved later by a period. Time never wraps: it ends at the far end.
    #[must_use]
    pub const fn after(self, period: Period) -> Self {
        Self(self.0.saturating_add(period.as_millis()))
    }

    /// This moment, moved earlier by a period.
    #[must_use]
    pub const fn before(self, period: Period) -> Self {
        Self(self.0.saturating_sub(period.as_millis()))
    }

    /// How long it is from `earlier` to this moment; nothing if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Period {
        Period::from_millis(self.0.saturating_sub(earlier.0).max(0))
    }
}

/// RFC 3339 in UTC.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(moment) => write!(f, "{moment}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

/// A text is not an RFC 3339 moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time")]
pub struct TimestampInvalid;

impl FromStr for Timestamp {
    type Err = TimestampInvalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let moment: jiff::Timestamp = text.parse().map_err(|_| TimestampInvalid)?;
        Ok(Self(moment.as_millisecond()))
    }
}

/// A length of time, in whole milliseconds, never negative. A day is 24 hours: deadlines do not know time zones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Period(i64);

impl Period {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// That many milliseconds; nothing if negative.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(if millis < 0 { 0 } else { millis })
    }

    /// That many seconds.
    #[must_use]
    pub const fn seconds(seconds: u32) -> Self {
        Self(i64_from(seconds).saturating_mul(1_000))
    }

    /// That many minutes.
    #[must_use]
    pub const fn minutes(minutes: u32) -> Self {
        Self(i64_from(minutes).saturating_mul(60_000))
    }

    /// That many hours.
    #[must_use]
    pub const fn hours(hours: u32) -> Self {
        Self(i64_from(hours).saturating_mul(3_600_000))
    }

    /// That many days of 24 hours.
    #[must_use]
    pub const fn days(days: u32) -> Self {
        Self(i64_from(days).saturating_mul(86_400_000))
    }

    /// Milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds, rounded down.
    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Both lengths together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

#[expect(clippy::as_conversions, reason = "widening in a const fn, where `From` cannot be called; no value is lost")]
const fn i64_from(number: u32) -> i64 {
    number as i64
}

/// ISO 8601: `P7D`, `PT24H` is printed as `P1D`.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.div_euclid(1_000);
        let millis = self.0.rem_euclid(1_000);
        let days = seconds.div_euclid(86_400);
        let (hours, minutes, rest) = (
            seconds.rem_euclid(86_400).div_euclid(3_600),
            seconds.rem_euclid(3_600).div_euclid(60),
            seconds.rem_euclid(60),
        );
        write!(f, "P")?;
        if days > 0 {
            write!(f, "{days}D")?;
        }
        if hours > 0 || minutes > 0 || rest > 0 || millis > 0 || days == 0 {
            write!(f, "T")?;
            if hours > 0 {
                write!(f, "{hours}H")?;
            }
            if minutes > 0 {
                write!(f, "{minutes}M")?;
            }
            if millis > 0 {
                write!(f, "{rest}.{millis:03}S")?;
            } else if rest > 0 || (hours == 0 && minutes == 0) {
                write!(f, "{rest}S")?;
            }
        }
        Ok(())
    }
}

/// A text is not an ISO 8601 duration of weeks, days, hours, minutes and seconds, or is negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an ISO 8601 duration of weeks, days, hours, minutes and seconds")]
pub struct PeriodInvalid;

impl FromStr for Period {
    type Err = PeriodInvalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // jiff also reads friendlier forms ("7 days"); the contract is ISO 8601 only.
        if !text.starts_with('P') {
            return Err(PeriodInvalid);
        }
        let span: jiff::Span = text.parse().map_err(|_| PeriodInvalid)?;
        // Months and years have no fixed length, so a deadline cannot be made of them.
        if span.get_years() != 0 || span.get_months() != 0 || span.is_negative() {
            return Err(PeriodInvalid);
        }
        let parts = [
            (i64::from(span.get_weeks()), 604_800_000),
            (i64::from(span.get_days()), 86_400_000),
            (i64::from(span.get_hours()), 3_600_000),
            (span.get_minutes(), 60_000),
            (span.get_seconds(), 1_000),
            (span.get_milliseconds(), 1),
        ];
        let mut millis = 0_i64;
        for (count, unit) in parts {
            let part = count.checked_mul(unit).ok_or(PeriodInvalid)?;
            millis = millis.checked_add(part).ok_or(PeriodInvalid)?;
        }
        Ok(Self(millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_read_and_printed_as_iso_8601() {
        for (text, millis, printed) in [
            ("P7D", 604_800_000, "P7D"),
            ("PT24H", 86_400_000, "P1D"),
            ("P1W", 604_800_000, "P7D"),
            ("P1DT2H3M4S", 93_784_000, "P1DT2H3M4S"),
            ("PT0S", 0, "PT0S"),
            ("PT1.5S", 1_500, "PT1.500S"),
        ] {
            let period: Period = text.parse().unwrap();
            assert_eq!((period.as_millis(), period.to_string().as_str()), (millis, printed), "{text}");
        }
        for bad in ["", "7D", "P", "P1M", "P1Y", "-P1D", "7 days", "P-1D", "P99999999999999999D"] {
            assert_eq!(bad.parse::<Period>(), Err(PeriodInvalid), "{bad}");
        }
    }

    #[test]
    fn moments_are_rfc_3339_in_utc() {
        let moment: Timestamp = "2026-11-21T02:00:00.250Z".parse().unwrap();
        assert_eq!(moment.to_string(), "2026-11-21T02:00:00.25Z");
        assert_eq!(moment.after(Period::days(1)).since(moment), Period::hours(24));
        assert!("yesterday".parse::<Timestamp>().is_err());
    }
}
