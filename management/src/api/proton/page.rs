//! Pages of lists. A token holds the last key that was given out and is sealed: it can be read, but not made or changed, and
//! counts only for the same list with the same filters.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hadron_proto::vocab::Digest;

use super::{Call, Fault, Operation, Proton};

/// How many items a page has unless the caller says otherwise.
const DEFAULT: u32 = 100;
/// Bytes of the seal.
const SEAL: usize = 32;

/// What page tokens are sealed with. All replicas of a hub share it.
#[derive(Clone)]
pub struct PageKey([u8; 32]);

impl PageKey {
    /// A key that nobody knows who does not know `secret`.
    #[must_use]
    pub fn derive(secret: &[u8]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let tag = hmac::sign(&key, b"hadron: page tokens of the Proton API");
        let mut derived = [0; 32];
        derived.copy_from_slice(tag.as_ref());
        Self(derived)
    }
}

impl fmt::Debug for PageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PageKey(not shown)")
    }
}

/// One page of a list.
#[derive(Debug)]
pub(super) struct Page {
    /// How many items to give.
    pub(super) limit: u32,
    /// The key after which to go on, one text per part; all empty at the beginning.
    pub(super) after: Vec<String>,
    key: PageKey,
    list: (Operation, Digest),
}

impl Proton {
    /// What a list request says about pages; `parts` is how many parts the key of this list has.
    pub(super) fn page(
        &self,
        call: &Call,
        max_results: Option<i32>,
        token: Option<&str>,
        parts: usize,
    ) -> Result<Page, Fault> {
        let list = (call.operation, call.filters);
        Page::read(self.pages.clone(), list, max_results, token, parts)
    }
}

impl Page {
    fn read(
        key: PageKey,
        list: (Operation, Digest),
        max_results: Option<i32>,
        token: Option<&str>,
        parts: usize,
    ) -> Result<Self, Fault> {
        let limit = max_results.and_then(|limit| u32::try_from(limit).ok());
        let mut page = Self {
            limit: limit.unwrap_or(DEFAULT).clamp(1, DEFAULT),
            after: vec![String::new(); parts],
            key,
            list,
        };
        if let Some(token) = token.filter(|token| !token.is_empty()) {
            page.after = page
                .open(token)
                .filter(|after| after.len() == parts)
                .ok_or_else(|| {
                    Fault::validation(
                        "nextToken is not one that this list gave out for the same request; begin again without it",
                    )
                })?;
        }
        Ok(page)
    }

    /// The first part of the key.
    pub(super) fn first(&self) -> String {
        self.after.first().cloned().unwrap_or_default()
    }

    /// The first two parts of the key.
    pub(super) fn two(&self) -> (String, String) {
        (self.first(), self.after.get(1).cloned().unwrap_or_default())
    }

    /// How many rows to ask for: one more than is shown, which tells whether there is a next page.
    pub(super) const fn fetch(&self) -> u32 {
        self.limit + 1
    }

    /// The rows of this page, and the token of the next one if there is one.
    pub(super) fn cut<T>(
        &self,
        mut rows: Vec<T>,
        key: impl Fn(&T) -> Vec<String>,
    ) -> (Vec<T>, Option<String>) {
        let limit = self.limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let token = rows.last().filter(|_| more).map(|last| self.seal(&key(last)));
        (rows, token)
    }

    fn tag(&self, key: &[u8]) -> Vec<u8> {
        let (operation, filters) = &self.list;
        [operation.name().as_bytes(), &[0], filters.as_bytes(), key].concat()
    }

    fn seal(&self, key: &[String]) -> String {
        let mut token = key.join("\u{1f}").into_bytes();
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &self.key.0);
        let seal = hmac::sign(&secret, &self.tag(&token));
        token.extend_from_slice(seal.as_ref());
        STANDARD.encode(token)
    }

    fn open(&self, token: &str) -> Option<Vec<String>> {
        let bytes = STANDARD.decode(token).ok()?;
        let (key, seal) = bytes.split_at_checked(bytes.len().checked_sub(SEAL)?)?;
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &self.key.0);
        hmac::verify(&secret, &self.tag(key), seal).ok()?;
        let key = std::str::from_utf8(key).ok()?;
        Some(key.split('\u{1f}').map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn page(
        secret: &[u8],
        operation: Operation,
        filter: &[u8],
        token: Option<&str>,
        parts: usize,
    ) -> Result<Page, Fault> {
        let list = (operation, Digest::of(filter));
        Page::read(PageKey::derive(secret), list, Some(2), token, parts)
    }

    fn first() -> Page {
        page(b"s", Operation::ListServices, b"f", None, 2).unwrap()
    }

    fn keys(row: &&str) -> Vec<String> {
        vec![(*row).to_owned(), "x".to_owned()]
    }

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let page_one = first();
        assert_eq!((page_one.fetch(), page_one.first()), (3, String::new()));
        let (rows, token) = page_one.cut(vec!["a", "b", "c"], keys);
        assert_eq!(rows, ["a", "b"]);
        let token = token.unwrap();
        assert!(
            token
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
        );
        let next = page(b"s", Operation::ListServices, b"f", Some(&token), 2).unwrap();
        assert_eq!(next.two(), ("b".to_owned(), "x".to_owned()));
        let (rows, token) = next.cut(vec!["c", "d"], keys);
        assert_eq!((rows.as_slice(), token), (["c", "d"].as_slice(), None));
    }

    #[test]
    fn a_token_counts_for_its_own_list_only() {
        let (_, token) = first().cut(vec!["a", "b", "c"], keys);
        let token = token.unwrap();
        let open = |secret: &[u8], operation, filter: &[u8], parts| {
            page(secret, operation, filter, Some(&token), parts).is_ok()
        };
        assert!(open(b"s", Operation::ListServices, b"f", 2));
        assert!(!open(b"t", Operation::ListServices, b"f", 2), "another hub");
        assert!(!open(b"s", Operation::ListComponents, b"f", 2), "another list");
        assert!(!open(b"s", Operation::ListServices, b"g", 2), "another filter");
        assert!(!open(b"s", Operation::ListServices, b"f", 1), "another key");
    }

    #[test]
    fn a_changed_token_is_refused_wherever_it_was_changed() {
        let (_, token) = first().cut(vec!["a", "b", "c"], keys);
        let bytes = STANDARD.decode(token.unwrap()).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let token = STANDARD.encode(changed);
            let refused = page(b"s", Operation::ListServices, b"f", Some(&token), 2).unwrap_err();
            assert!(refused.message().contains("nextToken"), "byte {at}");
        }
        for token in [
            "A",
            "AAAA",
            "====",
            &STANDARD.encode([0; 32]),
            &STANDARD.encode([0; 31]),
        ] {
            assert!(
                page(b"s", Operation::ListServices, b"f", Some(token), 2).is_err(),
                "{token}"
            );
        }
    }

    #[test]
    fn pages_hold_a_hundred_unless_told_otherwise() {
        let list = (Operation::ListServices, Digest::of(b""));
        let limit = |max| {
            Page::read(PageKey::derive(b"s"), list, max, Some(""), 1)
                .unwrap()
                .limit
        };
        assert_eq!((limit(None), limit(Some(7)), limit(Some(100))), (100, 7, 100));
    }
}
