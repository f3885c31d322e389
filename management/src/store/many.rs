//! Many keys as one parameter, so that one statement does for any number of them. The two databases take lists apart in
//! different ways: `IN (SELECT value FROM json_each($1))` and `= ANY (string_to_array($1, ','))`.

use std::fmt::Display;
use std::fmt::Write as _;

/// For SQLite: a JSON array. Only for keys that hold no quotes, as ids do not.
pub(super) fn json<K: Display>(keys: &[K]) -> String {
    let mut text = String::with_capacity(keys.len() * 40 + 2);
    text.push('[');
    for (at, key) in keys.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let _ = write!(text, "{comma}\"{key}\"");
    }
    text.push(']');
    text
}

/// For PostgreSQL: separated by commas, which the keys do not hold.
pub(super) fn list<K: Display>(keys: &[K]) -> String {
    let mut text = String::with_capacity(keys.len() * 38);
    for (at, key) in keys.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let _ = write!(text, "{comma}{key}");
    }
    text
}
