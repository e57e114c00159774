//! A circuit breaker: who fails again and again is not asked for a while. Pure: the time is given.

/// After how many failures, one after the other, it opens.
const MOST_FAILURES: u32 = 5;
/// How long it stays open before one is let through, in milliseconds.
const OPEN: i64 = 30_000;

/// The breaker of one source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Breaker {
    failures: u32,
    /// Nobody asks before then, once it is open.
    closed_until: i64,
}

impl Breaker {
    /// Whether it may be asked.
    ///
    /// # Errors
    ///
    /// After how many milliseconds it may.
    pub fn ask(&mut self, now: i64) -> Result<(), i64> {
        if self.failures < MOST_FAILURES {
            return Ok(());
        }
        if now < self.closed_until {
            return Err(self.closed_until.saturating_sub(now));
        }
        // One tries; the others wait for what comes of it.
        self.closed_until = now.saturating_add(OPEN);
        Ok(())
    }

    /// What came of it.
    pub fn tell(&mut self, went_well: bool, now: i64) {
        if went_well {
            *self = Self::default();
            return;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures >= MOST_FAILURES {
            self.closed_until = now.saturating_add(OPEN);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_opens_after_five_failures_lets_one_try_and_closes_when_that_goes_well() {
        let mut breaker = Breaker::default();
        for _ in 0..MOST_FAILURES {
            assert_eq!(breaker.ask(0), Ok(()));
            breaker.tell(false, 0);
        }
        assert_eq!(breaker.ask(10), Err(OPEN - 10));
        assert_eq!(breaker.ask(OPEN), Ok(()));
        assert_eq!(breaker.ask(OPEN), Err(OPEN), "one tries");
        breaker.tell(false, OPEN + 5);
        assert_eq!(breaker.ask(OPEN + 5), Err(OPEN));
        assert_eq!(breaker.ask(2 * OPEN + 5), Ok(()));
        breaker.tell(true, 2 * OPEN + 6);
        assert_eq!((breaker, breaker.ask(2 * OPEN + 6)), (Breaker::default(), Ok(())));
        // What fails now and then does not open it.
        for _ in 0..100 {
            breaker.tell(false, 0);
            breaker.tell(true, 0);
            assert_eq!(breaker.ask(0), Ok(()));
        }
    }

    proptest! {
        #[test]
        fn nobody_is_shut_out_for_longer_than_it_is_open(steps in prop::collection::vec((any::<bool>(), 0i64..60_000), 0..200)) {
            let (mut breaker, mut now) = (Breaker::default(), 0);
            for (went_well, pause) in steps {
                now += pause;
                match breaker.ask(now) {
                    Ok(()) => breaker.tell(went_well, now),
                    Err(wait) => prop_assert!(wait > 0 && wait <= OPEN),
                }
            }
            prop_assert_eq!(breaker.ask(now + OPEN), Ok(()));
        }
    }
}
