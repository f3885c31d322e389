//! What a key of a configuration is. Every program has one table of its keys, which the file's reader, the flags, the
//! environment variables and the tests of the example file all walk. A key that is not in it does not exist.

/// How the text of a flag or variable becomes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// As it stands.
    Text,
    /// Comma-separated in flags and variables, an array in the file.
    List,
    /// A whole number, not negative.
    Count,
    /// true or false.
    Switch,
    /// A length of time, such as `500ms`, `15s`, `2h`.
    Span,
}

impl Kind {
    /// What a person is asked to give.
    #[must_use]
    pub const fn wanted(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::List => "an array of strings",
            Self::Count => "a whole number, 0 or more",
            Self::Switch => "true or false",
            Self::Span => "a length of time such as \"500ms\", \"15s\" or \"2h\"",
        }
    }
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// What the names of variables begin with: `HADRON_HUB`, `HADRON_AGENT`.
    pub program: &'static str,
    /// Its place in the file, tables separated by dots. A `*` among them stands for a table that whoever writes the file
    /// names, any number of times; such keys are in the file only.
    pub path: &'static str,
    /// What its value looks like.
    pub kind: Kind,
    /// Placeholder in `--help`.
    pub value: &'static str,
    /// What it means, one sentence or two.
    pub help: &'static str,
}

impl Key {
    /// Whether it is neither a flag nor a variable.
    #[must_use]
    pub fn is_in_file_only(&self) -> bool {
        self.path.contains('*')
    }

    /// Whether this is its place in a file.
    #[must_use]
    pub fn is_at(&self, path: &str) -> bool {
        let (mut wanted, mut given) = (self.path.split('.'), path.split('.'));
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return true,
                (Some("*"), Some(name)) if !name.is_empty() => {}
                (Some(one), Some(other)) if one == other => {}
                _ => return false,
            }
        }
    }

    /// The flag without its dashes: `hub.ca_pin` is `--hub-ca-pin`.
    #[must_use]
    pub fn flag(&self) -> String {
        self.path.replace(['.', '_'], "-")
    }

    /// The variable: the agent's `hub.ca_pin` is `HADRON_AGENT_HUB_CA_PIN`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("{}_{}", self.program, self.path.replace('.', "_").to_uppercase())
    }
}

/// The key with this path.
#[must_use]
pub(super) fn find(keys: &'static [Key], path: &str) -> Option<&'static Key> {
    keys.iter().find(|key| key.is_at(path))
}

/// The known path that was probably meant, when one is near enough to be worth saying.
#[must_use]
pub(super) fn nearest(keys: &'static [Key], path: &str) -> Option<&'static str> {
    let last = |text: &str| text.rsplit('.').next().unwrap_or_default().to_owned();
    let tables = |path: &str| path.rsplit_once('.').map(|(tables, _)| tables.to_owned());
    keys.iter()
        .filter(|key| {
            !key.is_in_file_only()
                || tables(path).is_some_and(|at| key.is_at(&format!("{at}.{}", last(key.path))))
        })
        .map(|key| {
            // A key in the wrong table is a near miss as well, though its path differs a lot.
            let moved = (last(key.path) == last(path)).then_some(1);
            let far = || {
                if key.is_in_file_only() {
                    distance(&last(key.path), &last(path))
                } else {
                    distance(key.path, path)
                }
            };
            (moved.unwrap_or_else(far), key.path)
        })
        .min()
        .filter(|(far, _)| *far <= 1 + path.len() / 4)
        .map(|(_, path)| path)
}

/// Levenshtein distance, one row at a time.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn key(path: &'static str) -> Key {
        Key {
            program: "HADRON_AGENT",
            path,
            kind: Kind::Text,
            value: "TEXT",
            help: "",
        }
    }

    const KEYS: &[Key] = &[
        key("hub.enrol"),
        key("hub.ca_pin"),
        key("region"),
        key("limits.stack_prefix"),
    ];

    #[test]
    fn near_misses_are_named_and_far_ones_are_not() {
        assert_eq!(nearest(KEYS, "hub.enrl"), Some("hub.enrol"));
        assert_eq!(nearest(KEYS, "regoin"), Some("region"));
        assert_eq!(nearest(KEYS, "stack_prefix"), Some("limits.stack_prefix"));
        assert_eq!(nearest(KEYS, "favourite_colour"), None);
    }

    #[test]
    fn tables_that_the_file_names_have_the_keys_of_their_kind() {
        const NAMED: &[Key] = &[key("oidc.*.issuer"), key("oidc.*.client_id")];
        assert_eq!(
            find(NAMED, "oidc.corp.issuer").map(|key| key.path),
            Some("oidc.*.issuer")
        );
        assert!(NAMED[0].is_in_file_only() && !KEYS[0].is_in_file_only());
        for wrong in [
            "oidc.issuer",
            "oidc..issuer",
            "oidc.corp",
            "oidc.a.b.issuer",
            "oidc.corp.issuer.x",
        ] {
            assert!(find(NAMED, wrong).is_none(), "{wrong}");
        }
        assert_eq!(nearest(NAMED, "oidc.corp.isuer"), Some("oidc.*.issuer"));
        assert_eq!(nearest(NAMED, "issuer"), None);
    }

    #[test]
    fn flags_and_variables_follow_from_the_path() {
        let pin = find(KEYS, "hub.ca_pin").unwrap();
        assert_eq!(
            (pin.flag().as_str(), pin.variable().as_str()),
            ("hub-ca-pin", "HADRON_AGENT_HUB_CA_PIN")
        );
    }
}
