//! Values that the generated structures are made of.

use std::fmt;

use hadron_proto::vocab::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

/// A text that no log may show: specs, templates, descriptions, messages.
#[derive(Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub(super) struct Sensitive(String);

impl Sensitive {
    /// The text, for good.
    pub(super) fn into_string(self) -> String {
        self.0
    }
}

impl From<String> for Sensitive {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Sensitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(not shown)")
    }
}

/// A time: a JSON number, seconds since 1970 with milliseconds as fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Time(Timestamp);

impl From<Timestamp> for Time {
    fn from(time: Timestamp) -> Self {
        Self(time)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Exact: milliseconds of the next 280,000 years fit into the 53 bits of a double.
        serializer.serialize_f64(self.0.as_millis() as f64 / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_numbers_with_milliseconds() {
        let json = |micros| serde_json::to_string(&Time::from(Timestamp::from_micros(micros))).unwrap();
        assert_eq!(json(1_700_000_000_123_999), "1700000000.123");
        assert_eq!(json(1_700_000_000_000_000), "1700000000.0");
    }

    #[test]
    fn sensitive_texts_are_written_and_not_debugged() {
        let text = Sensitive::from("password: 1".to_owned());
        assert_eq!(serde_json::to_string(&text).unwrap(), "\"password: 1\"");
        assert!(!format!("{text:?}").contains("password"));
        assert_eq!(
            (text.0.as_str(), text.clone().into_string().as_str()),
            ("password: 1", "password: 1")
        );
    }
}
