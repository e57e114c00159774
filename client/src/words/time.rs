//! Moments and durations.

use std::fmt::{self, Display, Formatter};

/// A moment, beside the one that it is seen from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    /// Unix seconds.
    pub unix: i64,
    /// Seconds from the chain's present time; negative in the past.
    pub seconds_from_now: i64,
}

impl Time {
    /// `unix` as seen at `now`, both in unix seconds.
    pub const fn new(unix: i64, now: i64) -> Self {
        Self { unix, seconds_from_now: unix.saturating_sub(now) }
    }

    /// RFC 3339, in UTC; what no calendar has, as seconds.
    pub fn rfc3339(&self) -> String {
        jiff::Timestamp::from_second(self.unix).map_or_else(|_| format!("{} s", self.unix), |time| time.to_string())
    }
}

impl Display for Time {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let distance = duration(self.seconds_from_now.unsigned_abs());
        match self.seconds_from_now {
            0 => write!(f, "{} (now)", self.rfc3339()),
            1.. => write!(f, "{} (in {distance})", self.rfc3339()),
            _ => write!(f, "{} ({distance} ago)", self.rfc3339()),
        }
    }
}

/// A duration in its two largest units: `2d 3h`.
pub fn duration(seconds: u64) -> String {
    let units = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (name, size) in units {
        let count = rest.checked_div(size).unwrap_or(0);
        rest = rest.checked_rem(size).unwrap_or(0);
        if count > 0 {
            parts.push(format!("{count}{name}"));
        }
    }
    parts.truncate(2);
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_show_their_two_largest_units() {
        for (seconds, shown) in [(0, "0s"), (59, "59s"), (3_600, "1h"), (90_061, "1d 1h"), (86_400 * 3 + 5, "3d 5s")] {
            assert_eq!(duration(seconds), shown);
        }
    }

    #[test]
    fn times_have_their_distance() {
        assert_eq!(Time::new(0, 60).to_string(), "1970-01-01T00:00:00Z (1m ago)");
        assert_eq!(Time::new(0, 0).to_string(), "1970-01-01T00:00:00Z (now)");
        assert_eq!(Time::new(3_600, 0).to_string(), "1970-01-01T01:00:00Z (in 1h)");
        assert_eq!(Time::new(i64::MAX, 0).rfc3339(), format!("{} s", i64::MAX));
        assert_eq!(Time::new(i64::MIN, i64::MAX).seconds_from_now, i64::MIN);
    }
}
