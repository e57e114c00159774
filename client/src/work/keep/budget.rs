//! What a keeper may spend.

use std::{
    fmt::{self, Display, Formatter},
    str::FromStr,
};

use thiserror::Error;

/// A day, in seconds.
const DAY: i64 = 24 * 60 * 60;

/// What is spent, or would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Transaction fees, and the rent of token accounts, in lamports.
    pub lamports: u64,
    /// How many token accounts are made for others. Their rent is their owners' who close them.
    pub token_accounts: u32,
}

/// The most that may be spent in a day.
pub type Limits = Cost;

impl Cost {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            lamports: self.lamports.saturating_add(other.lamports),
            token_accounts: self.token_accounts.saturating_add(other.token_accounts),
        }
    }

    /// What is left without the other.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self {
            lamports: self.lamports.saturating_sub(other.lamports),
            token_accounts: self.token_accounts.saturating_sub(other.token_accounts),
        }
    }

    /// Whether it is within this.
    pub const fn is_within(self, limits: Limits) -> bool {
        self.lamports <= limits.lamports && self.token_accounts <= limits.token_accounts
    }
}

/// What was spent today. As text it is kept: it is written before anything is sent, so that a restart forgets nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Budget {
    /// The day, counted from 1970.
    day: i64,
    spent: Cost,
}

/// Why a text is not a budget.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} does not say what was spent: it should be a day, lamports and token accounts, as in \"20000 5000 0\"")]
pub struct BudgetError(pub String);

impl Budget {
    /// Sets `cost` aside at `now`, if it is within what is left of the day. Nothing is spent without.
    pub fn reserve(&mut self, cost: Cost, limits: Limits, now: i64) -> bool {
        self.begin(now);
        let after = self.spent.plus(cost);
        let allowed = after.is_within(limits);
        if allowed {
            self.spent = after;
        }
        allowed
    }

    /// Of what was set aside only `spent` was spent.
    pub fn settle(&mut self, reserved: Cost, spent: Cost, now: i64) {
        let day = self.day;
        self.begin(now);
        // What was set aside yesterday is forgotten with it.
        if day == self.day {
            self.spent = self.spent.minus(reserved).plus(spent);
        }
    }

    /// What was spent or set aside on the day of `now`, in unix seconds.
    pub fn today(mut self, now: i64) -> Cost {
        self.begin(now);
        self.spent
    }

    /// What was spent or set aside today.
    pub const fn spent(&self) -> Cost {
        self.spent
    }

    /// A clock that goes back begins no day anew.
    fn begin(&mut self, now: i64) {
        let day = now.div_euclid(DAY);
        if day > self.day {
            *self = Self { day, spent: Cost::default() };
        }
    }
}

impl Display for Budget {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { day, spent: Cost { lamports, token_accounts } } = self;
        write!(f, "{day} {lamports} {token_accounts}")
    }
}

impl FromStr for Budget {
    type Err = BudgetError;

    fn from_str(text: &str) -> Result<Self, BudgetError> {
        let mut parts = text.split_whitespace();
        let mut parse = || {
            let (day, lamports, token_accounts) = (parts.next()?, parts.next()?, parts.next()?);
            let spent = Cost { lamports: lamports.parse().ok()?, token_accounts: token_accounts.parse().ok()? };
            parts.next().is_none().then_some(Self { day: day.parse().ok()?, spent })
        };
        parse().ok_or_else(|| BudgetError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Cost { lamports: 100, token_accounts: 1 };

    const fn lamports(lamports: u64) -> Cost {
        Cost { lamports, token_accounts: 0 }
    }

    #[test]
    fn no_more_is_set_aside_than_a_day_has() {
        let mut budget = Budget::default();
        assert!(budget.reserve(lamports(60), LIMITS, DAY));
        assert!(!budget.reserve(lamports(41), LIMITS, DAY));
        assert!(budget.reserve(lamports(40), LIMITS, 2 * DAY - 1));
        assert!(!budget.reserve(lamports(1), LIMITS, 2 * DAY - 1));
        assert!(budget.reserve(lamports(1), LIMITS, 2 * DAY));
        assert!(!budget.reserve(Cost { lamports: 0, token_accounts: 2 }, LIMITS, 2 * DAY));
        assert!(!budget.reserve(lamports(u64::MAX), LIMITS, 2 * DAY));
    }

    #[test]
    fn what_was_not_spent_is_left_and_a_clock_that_goes_back_gives_nothing() {
        let mut budget = Budget::default();
        assert!(budget.reserve(lamports(100), LIMITS, DAY));
        budget.settle(lamports(100), lamports(10), DAY);
        assert_eq!(budget.spent(), lamports(10));
        assert!(!budget.reserve(lamports(91), LIMITS, 0));
        budget.settle(lamports(100), lamports(10), 2 * DAY);
        assert_eq!(budget.spent(), lamports(0), "that was yesterday's");
    }

    #[test]
    fn it_is_read_back() {
        let mut budget = Budget::default();
        budget.reserve(Cost { lamports: 7, token_accounts: 1 }, LIMITS, 5 * DAY);
        assert_eq!(budget.to_string(), "5 7 1");
        assert_eq!("5 7 1\n".parse(), Ok(budget));
        for text in ["", "5", "5 7", "5 7 1 1", "5 -7 1", "x y z"] {
            assert_eq!(text.parse::<Budget>(), Err(BudgetError(text.to_owned())));
        }
    }
}
