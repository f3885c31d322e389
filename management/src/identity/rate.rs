//! How many challenges one network address may ask for in a minute. Asking costs an anonymous caller nothing and the
//! hub a row, so it is bounded before anything is stored. Kept in memory: each replica bounds what reaches it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hadron_proto::vocab::Timestamp;

const WINDOW: Duration = Duration::from_secs(60);
/// Addresses remembered at once. When so many come within a minute, all further ones are refused: forgetting some would
/// give an attacker with many addresses the way around.
const MAX_SOURCES: usize = 65_536;

/// Counts per source and minute.
#[derive(Debug)]
pub struct SourceRate {
    per_minute: u32,
    seen: Mutex<HashMap<IpAddr, (Timestamp, u32)>>,
}

/// A source asked too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany {
    /// When to ask again.
    pub retry_after: Duration,
}

/// One subscriber of an IPv6 network owns at least a /64.
fn key(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

impl SourceRate {
    /// At most so many in any one minute that begins with a source's first request.
    #[must_use]
    pub fn new(per_minute: u32) -> Self {
        Self {
            per_minute,
            seen: Mutex::new(HashMap::new()),
        }
    }

    /// Counts one request.
    ///
    /// # Errors
    /// When the source has used up its minute.
    pub fn admit(&self, source: IpAddr, now: Timestamp) -> Result<(), TooMany> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let source = key(source);
        if seen.len() >= MAX_SOURCES && !seen.contains_key(&source) {
            seen.retain(|_, (since, _)| now.since(*since) < WINDOW);
            if seen.len() >= MAX_SOURCES {
                return Err(TooMany { retry_after: WINDOW });
            }
        }
        let (since, count) = seen.entry(source).or_insert((now, 0));
        if now.since(*since) >= WINDOW {
            (*since, *count) = (now, 0);
        }
        if *count >= self.per_minute {
            return Err(TooMany {
                retry_after: WINDOW.saturating_sub(now.since(*since)),
            });
        }
        *count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_its_minute_and_others_theirs() {
        let rate = SourceRate::new(2);
        let start = Timestamp::from_micros(1_000_000_000);
        let source: IpAddr = "10.0.0.1".parse().unwrap();
        assert!(rate.admit(source, start).is_ok());
        assert!(rate.admit("::ffff:10.0.0.1".parse().unwrap(), start).is_ok());
        let later = start.plus(Duration::from_secs(20));
        assert_eq!(
            rate.admit(source, later),
            Err(TooMany {
                retry_after: Duration::from_secs(40)
            })
        );
        assert!(rate.admit("10.0.0.2".parse().unwrap(), later).is_ok());
        assert!(rate.admit(source, start.plus(WINDOW)).is_ok());
        let v6 = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(rate.admit(v6("2001:db8::1"), start).is_ok());
        assert!(rate.admit(v6("2001:db8::2"), start).is_ok());
        assert!(rate.admit(v6("2001:db8::3"), start).is_err());
        assert!(rate.admit(v6("2001:db8:0:1::3"), start).is_ok());
    }
}
