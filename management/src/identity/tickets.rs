//! Tickets with which agents resume a TLS session at any replica of the hub, so that a thousand of them that come back at
//! once cost half the arithmetic.
//!
//! A ticket carries the session, and with it the client certificate that was checked when the session began. Nothing is
//! kept for it here. What the certificate says is read and judged anew on each connection that a ticket opens
//! ([`serve_tls`](super::tls::serve_tls)), and the connection of an agent is checked in every transaction as always; a
//! ticket lets nobody in whom the certificate would not.
//!
//! Keys are derived from the hub's sealing key, its present roots and the time: replicas and restarted hubs take one
//! another's tickets, none outlives the change of the CA, and each key makes tickets for a few hours and takes them for as
//! long again. Whoever has the sealing key could make tickets; it lies beside the key of the CA, which could make
//! certificates. Recorded traffic stays closed to them: resumption keeps its own key exchange.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf;
use hadron_proto::vocab::Digest;
use rustls::server::ProducesTickets;

use super::ca::Ca;
use super::random;
use super::seal::Seal;
use crate::clock::Clock;

/// For how long one key makes tickets. It takes them for as long again.
pub const PERIOD: Duration = Duration::from_secs(6 * 3600);
const KEY: usize = 32;
const STAMP: usize = 8;

/// Makes and takes tickets.
pub struct Tickets {
    secret: [u8; KEY],
    ca: Arc<Ca>,
    clock: Clock,
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tickets")
    }
}

struct Length;

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        KEY
    }
}

impl Tickets {
    /// Tickets of the hub with this CA and sealing key.
    #[must_use]
    pub fn new(seal: &Seal, ca: &Arc<Ca>, clock: Clock) -> Self {
        let mut purpose = b"tls-tickets".to_vec();
        purpose.extend_from_slice(ca.hub_id().to_string().as_bytes());
        Self {
            secret: seal.derive(&purpose),
            ca: Arc::clone(ca),
            clock,
        }
    }

    /// What stands for the roots of now.
    fn roots(&self) -> [u8; KEY] {
        let digests: Vec<u8> = self
            .ca
            .roots()
            .iter()
            .flat_map(|root| *Digest::of(root).as_bytes())
            .collect();
        *Digest::of(&digests).as_bytes()
    }

    fn period(&self) -> u64 {
        let micros = u64::try_from(self.clock.now().as_micros()).unwrap_or(0);
        micros / 1_000_000 / PERIOD.as_secs()
    }

    fn key(&self, stamp: [u8; STAMP]) -> Option<LessSafeKey> {
        let mut key = [0; KEY];
        hkdf::Salt::new(hkdf::HKDF_SHA256, b"hadron-tickets")
            .extract(&self.secret)
            .expand(&[&stamp, &self.roots()], Length)
            .and_then(|okm| okm.fill(&mut key))
            .ok()?;
        UnboundKey::new(&AES_256_GCM, &key).ok().map(LessSafeKey::new)
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        u32::try_from(PERIOD.as_secs()).unwrap_or(u32::MAX)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let stamp = self.period().to_be_bytes();
        let nonce: [u8; NONCE_LEN] = random().ok()?;
        let mut sealed = plain.to_vec();
        let key = self.key(stamp)?;
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(stamp), &mut sealed)
            .ok()?;
        Some([&stamp[..], &nonce[..], &sealed].concat())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let (stamp, rest) = cipher.split_first_chunk::<STAMP>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        // The present key, the one before it, and the next one: the clock of another replica may be ahead.
        let age = self
            .period()
            .saturating_add(1)
            .checked_sub(u64::from_be_bytes(*stamp))?;
        if age > 2 {
            return None;
        }
        let mut plain = sealed.to_vec();
        let key = self.key(*stamp)?;
        let opened = key
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(*stamp),
                &mut plain,
            )
            .ok()?
            .len();
        plain.truncate(opened);
        Some(plain)
    }
}

#[cfg(test)]
mod tests {
    use hadron_proto::vocab::Timestamp;

    use super::*;
    use crate::identity::ca::Serial;

    fn at(hours: u64) -> Clock {
        let start: Timestamp = "2026-11-20T09:30:00Z".parse().unwrap();
        Clock::manual(start.plus(Duration::from_secs(hours * 3600)))
    }

    fn hub() -> (tempfile::TempDir, Seal, Arc<Ca>) {
        let dir = tempfile::TempDir::new().unwrap();
        let seal = Seal::load_or_create(dir.path()).unwrap();
        (dir, seal, new_ca())
    }

    fn new_ca() -> Arc<Ca> {
        let serial = Serial::from_random(random().unwrap());
        Arc::new(Ca::generate("hub-1".parse().unwrap(), serial, at(0).now()).unwrap())
    }

    #[test]
    fn replicas_take_one_anothers_tickets_for_some_hours() {
        let (_dir, seal, ca) = hub();
        let ticket = Tickets::new(&seal, &ca, at(0)).encrypt(b"session").unwrap();
        let taken = |hours| Tickets::new(&seal, &ca, at(hours)).decrypt(&ticket);
        assert_eq!(taken(0).as_deref(), Some(&b"session"[..]));
        assert_eq!(taken(6).as_deref(), Some(&b"session"[..]));
        assert_eq!(taken(13), None);
        // A replica whose clock is behind, but not by days.
        let ahead = Tickets::new(&seal, &ca, at(6)).encrypt(b"session").unwrap();
        assert!(Tickets::new(&seal, &ca, at(0)).decrypt(&ahead).is_some());
        let far = Tickets::new(&seal, &ca, at(48)).encrypt(b"session").unwrap();
        assert_eq!(Tickets::new(&seal, &ca, at(0)).decrypt(&far), None);
    }

    #[test]
    fn another_key_another_ca_or_a_changed_byte_opens_nothing() {
        let (_dir, seal, ca) = hub();
        let tickets = Tickets::new(&seal, &ca, at(0));
        let ticket = tickets.encrypt(b"session").unwrap();
        let (_other, other_seal, other_ca) = hub();
        assert_eq!(Tickets::new(&other_seal, &ca, at(0)).decrypt(&ticket), None);
        assert_eq!(Tickets::new(&seal, &other_ca, at(0)).decrypt(&ticket), None);
        for at in 0..ticket.len() {
            let mut changed = ticket.clone();
            changed[at] ^= 1;
            assert_eq!(tickets.decrypt(&changed), None, "byte {at}");
        }
        for length in 0..ticket.len() {
            assert_eq!(tickets.decrypt(&ticket[..length]), None);
        }
        assert_ne!(tickets.encrypt(b"session").unwrap(), ticket);
    }
}
