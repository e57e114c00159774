//! When a delivery is attempted again. Pure: the time and what is random are given.

/// The delay before each attempt, in milliseconds, counted from the attempt before.
const DELAYS: [i64; 10] =
    [0, 5_000, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, LONGEST_REST];
const MINUTE: i64 = 60 * 1_000;
const HOUR: i64 = 60 * MINUTE;
/// The longest rest that a receiver may ask for, in milliseconds.
const LONGEST_REST: i64 = 24 * HOUR;
/// The rest of a receiver that has too much to do and does not say how long.
const USUAL_REST: i64 = MINUTE;
/// How far a delay may be off, in thousandths: so that what failed together is not repeated together.
pub const SPREAD: i64 = 200;

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has it: 2xx.
    Taken,
    /// The receiver wants no more: 410.
    Gone,
    /// The receiver has too much to do: 429, or it says when to come again.
    Busy {
        /// For how long, in milliseconds, where it says so.
        rest: Option<i64>,
    },
    /// Anything else.
    Failed,
}

/// What happens next to a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The one behind it.
    Onward,
    /// The same again.
    Again {
        /// Not before.
        at: i64,
        /// Until when the whole endpoint rests; none: it does not.
        rest_until: Option<i64>,
    },
    /// Nothing, until somebody releases the queue. It is not skipped: what is behind it waits too.
    Park {
        /// Until when the whole endpoint rests; none: it does not.
        rest_until: Option<i64>,
    },
    /// The endpoint is switched off. What waits goes on waiting.
    Off,
}

/// What an attempt's status means. `retry_after` is the header's value.
pub fn outcome(status: u16, retry_after: Option<&str>, now: i64) -> Outcome {
    let rest = retry_after.and_then(|value| rest(value, now));
    match status {
        200..=299 => Outcome::Taken,
        410 => Outcome::Gone,
        429 => Outcome::Busy { rest },
        // Whoever says when to come again is taken at its word; of a redirect it means something else.
        400..=599 if rest.is_some() => Outcome::Busy { rest },
        _ => Outcome::Failed,
    }
}

/// How long a `Retry-After` asks for, in milliseconds: seconds, or a date.
fn rest(value: &str, now: i64) -> Option<i64> {
    let value = value.trim();
    let asked = if value.bytes().all(|byte| byte.is_ascii_digit()) && !value.is_empty() {
        // More digits than a number has are a very long time.
        value.parse().unwrap_or(i64::MAX).saturating_mul(1_000)
    } else {
        let date = httpdate::parse_http_date(value).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
        i64::try_from(date.as_millis()).ok()?.saturating_sub(now)
    };
    Some(asked.clamp(0, LONGEST_REST))
}

/// What follows an attempt that ended at `now`, after so many failures of the same delivery. `spread` is random, from
/// -[`SPREAD`] to [`SPREAD`].
pub fn next(failures_before: u32, outcome: Outcome, now: i64, spread: i64) -> Next {
    let rest = match outcome {
        Outcome::Taken => return Next::Onward,
        Outcome::Gone => return Next::Off,
        Outcome::Failed => None,
        Outcome::Busy { rest } => Some(rest.unwrap_or(USUAL_REST).clamp(0, LONGEST_REST)),
    };
    let rest_until = rest.map(|rest| now.saturating_add(rest));
    let failures = usize::try_from(failures_before).unwrap_or(usize::MAX).saturating_add(1);
    let Some(delay) = DELAYS.get(failures) else { return Next::Park { rest_until } };
    let thousandths = spread.clamp(-SPREAD, SPREAD).saturating_add(1_000);
    let at = now.saturating_add(delay.saturating_mul(thousandths).div_euclid(1_000));
    Next::Again { at: at.max(rest_until.unwrap_or(at)), rest_until }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The times of all attempts of a delivery that always fails so, from the first on, and that it ends parked.
    fn attempts(outcome: Outcome, spread: i64) -> Vec<i64> {
        let mut at = vec![0];
        loop {
            match next(u32::try_from(at.len() - 1).unwrap(), outcome, at[at.len() - 1], spread) {
                Next::Again { at: next, .. } => at.push(next),
                Next::Park { .. } => return at,
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn ten_attempts_over_three_days_and_then_it_is_parked() {
        let second = 1_000;
        let delays: Vec<i64> = attempts(Outcome::Failed, 0).windows(2).map(|pair| pair[1] - pair[0]).collect();
        let hours = [2, 5, 10, 14, 20, 24].map(|hours| hours * 3_600 * second);
        assert_eq!(delays, [&[5 * second, 300 * second, 1_800 * second][..], &hours].concat());
    }

    #[test]
    fn what_comes_back_is_read_as_it_is_meant() {
        let now = 1_700_000_000_000;
        for (status, retry_after, expected) in [
            (200, None, Outcome::Taken),
            (204, Some("60"), Outcome::Taken),
            (301, None, Outcome::Failed),
            (308, Some("60"), Outcome::Failed),
            (404, None, Outcome::Failed),
            (410, Some("60"), Outcome::Gone),
            (429, None, Outcome::Busy { rest: None }),
            (429, Some("7"), Outcome::Busy { rest: Some(7_000) }),
            (429, Some("soon"), Outcome::Busy { rest: None }),
            (503, None, Outcome::Failed),
            (503, Some("0"), Outcome::Busy { rest: Some(0) }),
            (503, Some("99999999999999999999"), Outcome::Busy { rest: Some(LONGEST_REST) }),
            (503, Some("-1"), Outcome::Failed),
            // 30 seconds later, and an hour earlier.
            (503, Some("Tue, 14 Nov 2023 22:13:50 GMT"), Outcome::Busy { rest: Some(30_000) }),
            (503, Some("Tue, 14 Nov 2023 21:13:20 GMT"), Outcome::Busy { rest: Some(0) }),
        ] {
            assert_eq!(outcome(status, retry_after, now), expected, "{status} {retry_after:?}");
        }
    }

    proptest! {
        #[test]
        fn a_delay_is_off_by_a_fifth_at_most(failures in 0u32..9, now in 0i64..1 << 50, spread in -SPREAD..=SPREAD) {
            let Next::Again { at, rest_until: None } = next(failures, Outcome::Failed, now, spread) else {
                return Err(TestCaseError::fail("it is not tried again"));
            };
            let delay = DELAYS[failures as usize + 1];
            prop_assert!(at - now >= delay * 4 / 5 && at - now <= delay * 6 / 5);
        }

        #[test]
        fn who_asks_for_a_rest_has_it_and_nobody_rests_for_ever(
            failures in 0u32..30, now in 0i64..1 << 50, spread in any::<i64>(), rest in any::<i64>(),
        ) {
            let rest_until = match next(failures, Outcome::Busy { rest: Some(rest) }, now, spread) {
                Next::Again { at, rest_until } => {
                    prop_assert!(at >= rest_until.unwrap() && at <= now + LONGEST_REST * 6 / 5);
                    rest_until
                }
                Next::Park { rest_until } => rest_until,
                other => return Err(TestCaseError::fail(format!("{other:?}"))),
            };
            prop_assert_eq!(rest_until, Some(now + rest.clamp(0, LONGEST_REST)));
        }

        #[test]
        fn the_last_failure_parks_and_none_before_it(failures in any::<u32>(), spread in any::<i64>()) {
            let parked = matches!(next(failures, Outcome::Failed, 0, spread), Next::Park { .. });
            prop_assert_eq!(parked, failures >= 9);
        }

        #[test]
        fn any_header_is_read(status in any::<u16>(), header in ".*", now in any::<i64>()) {
            outcome(status, Some(&header), now);
        }
    }
}
