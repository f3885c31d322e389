//! Pages of lists. A token names the last key that was given out; it is opaque to callers and checked when it comes back.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tonic::{Code, Status};

use crate::api::status::with_info;

/// How many items a page has unless the caller says otherwise.
const DEFAULT: u32 = 100;
/// How many items a page has at most.
const MOST: u32 = 500;

/// What a list request says about pages.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// How many items to give.
    pub size: u32,
    /// The key after which to go on; one text per part of the key.
    pub after: Vec<String>,
}

impl Page {
    /// Reads size and token; `parts` is how many parts the key of this list has.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for a token that this list did not give out.
    pub(super) fn read(size: u32, token: &str, parts: usize) -> Result<Self, Status> {
        let size = if size == 0 { DEFAULT } else { size.min(MOST) };
        if token.is_empty() {
            return Ok(Self {
                size,
                after: vec![String::new(); parts],
            });
        }
        let after: Option<Vec<String>> = URL_SAFE_NO_PAD
            .decode(token)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|text| {
                Some(
                    text.strip_prefix("1\u{1f}")?
                        .split('\u{1f}')
                        .map(str::to_owned)
                        .collect(),
                )
            });
        match after {
            Some(after) if after.len() == parts => Ok(Self { size, after }),
            _ => Err(with_info(
                Code::InvalidArgument,
                "PAGE_TOKEN",
                "page_token is not one that this list gave out",
                Some("begin again without a page token"),
            )),
        }
    }

    /// The token of the next page: empty when this page was not full.
    pub(super) fn next<T>(&self, items: &[T], key: impl Fn(&T) -> Vec<String>) -> String {
        match items.last() {
            Some(last) if items.len() >= self.size as usize => {
                URL_SAFE_NO_PAD.encode(format!("1\u{1f}{}", key(last).join("\u{1f}")))
            }
            _ => String::new(),
        }
    }

    /// The first part of the key.
    pub(super) fn first(&self) -> String {
        self.after.first().cloned().unwrap_or_default()
    }

    /// The first two parts of the key.
    pub(super) fn two(&self) -> (String, String) {
        (self.first(), self.after.get(1).cloned().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_and_others_are_refused() {
        let page = Page::read(2, "", 2).unwrap();
        let token = page.next(&["a", "b"], |item| vec!["svc".to_owned(), (*item).to_owned()]);
        assert_eq!(
            Page::read(0, &token, 2).unwrap().two(),
            ("svc".to_owned(), "b".to_owned())
        );
        assert!(Page::read(0, &token, 1).is_err());
        assert!(Page::read(0, "nonsense!", 1).is_err());
        assert_eq!(page.next(&["a"], |item| vec![(*item).to_owned()]), "");
        assert_eq!(Page::read(100_000, "", 1).unwrap().size, MOST);
    }
}
