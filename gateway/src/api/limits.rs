//! How often: by owner of keys, and by address without one. Each process counts for itself.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
};

use axum::{
    http::{HeaderName, HeaderValue},
    response::{IntoResponse, Response},
};
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::DefaultKeyedStateStore,
};

use crate::{
    config::Limits,
    problem::{Code, Problem, Result},
};

type Keyed<K> = RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock, StateInformationMiddleware>;

/// Who has no key, by address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Client {
    /// An address; of IPv6, the network that one customer has.
    At(IpAddr),
    /// Nobody knows.
    Unknown,
}

impl Client {
    /// At this address.
    pub fn of(address: IpAddr) -> Self {
        Self::At(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                Some(v4) => IpAddr::V4(v4),
                None => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
            },
        })
    }
}

/// Counts.
#[derive(Debug)]
pub struct Limiter {
    anonymous: Keyed<Client>,
    owners: Keyed<String>,
}

/// What is left.
#[derive(Debug, Clone, Copy)]
pub struct Left {
    policy: &'static str,
    quota: u32,
    left: u32,
}

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// Seconds in which a quota is full again.
const WINDOW: u32 = 60;

impl Limiter {
    /// With these caps.
    pub fn new(limits: &Limits) -> Self {
        let quota = |per_minute: u32| Quota::per_minute(NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN));
        Self {
            anonymous: RateLimiter::keyed(quota(limits.anonymous_per_minute)).with_middleware(),
            owners: RateLimiter::keyed(quota(limits.owner_per_minute)).with_middleware(),
        }
    }

    /// Counts a request without a key.
    ///
    /// # Errors
    ///
    /// Where there were too many.
    pub fn anonymous(&self, client: &Client) -> Result<Left> {
        count(&self.anonymous, client, "anonymous")
    }

    /// Counts a request of an owner.
    ///
    /// # Errors
    ///
    /// Where there were too many.
    pub fn owner(&self, owner: &String) -> Result<Left> {
        count(&self.owners, owner, "owner")
    }

    /// Forgets who has not asked for long.
    pub fn sweep(&self) {
        self.anonymous.retain_recent();
        self.owners.retain_recent();
    }
}

fn count<K: std::hash::Hash + Eq + Clone>(limiter: &Keyed<K>, key: &K, policy: &'static str) -> Result<Left> {
    match limiter.check_key(key) {
        Ok(state) => {
            Ok(Left { policy, quota: state.quota().burst_size().get(), left: state.remaining_burst_capacity() })
        }
        Err(until) => {
            metrics::counter!("escrow_gateway_rate_limited_total", "policy" => policy).increment(1);
            let seconds = until.wait_time_from(DefaultClock::default().now()).as_secs().saturating_add(1);
            Err(Problem::new(Code::RateLimited, format!("too many requests: try again in {seconds} s")).after(seconds))
        }
    }
}

impl Left {
    /// The answer, saying so.
    pub fn on(self, response: impl IntoResponse) -> Response {
        let mut response = response.into_response();
        let Self { policy, quota, left } = self;
        let policy_value = HeaderValue::from_str(&format!("\"{policy}\";q={quota};w={WINDOW}"));
        let left = HeaderValue::from_str(&format!("\"{policy}\";r={left};t={WINDOW}"));
        if let (Ok(policy), Ok(left)) = (policy_value, left) {
            response.headers_mut().insert(RATE_LIMIT_POLICY, policy);
            response.headers_mut().insert(RATE_LIMIT, left);
        }
        response
    }
}
