//! Names that a file of a bundle may have.
//!
//! Nothing is ever unpacked, but agents and engines write these files out later, so a name must mean the same file
//! on every file system: relative, plain components, and no two names that some file system takes for one.

/// Checks a name out of an archive or directory and gives it in its one spelling. The error says what is wrong
/// with it, to follow "the name ".
pub(crate) fn normal(raw: &[u8]) -> Result<String, String> {
    let text = std::str::from_utf8(raw).map_err(|_| "is not UTF-8".to_owned())?;
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    if text.len() > 1_024 {
        return Err("is longer than 1024 bytes".to_owned());
    }
    if let Some(odd) = text.chars().find(|c| c.is_control()) {
        return Err(format!("has the control character U+{:04X}", odd as u32));
    }
    if text.contains('\\') {
        return Err("has a backslash; separate directories with '/'".to_owned());
    }
    if text.starts_with('/') {
        return Err("is absolute; names in a bundle are relative".to_owned());
    }
    let mut bytes = text.bytes();
    if bytes.next().is_some_and(|b| b.is_ascii_alphabetic()) && bytes.next() == Some(b':') {
        return Err("begins with a drive letter".to_owned());
    }
    if text.chars().any(|c| matches!(c, '\u{300}'..='\u{36f}')) {
        return Err("has decomposed accents, which some file systems rewrite; use plain letters".to_owned());
    }
    let text = text.strip_prefix("./").unwrap_or(text);
    let text = text.strip_suffix('/').unwrap_or(text);
    if text == "." || text.is_empty() {
        return Ok(String::new());
    }
    let parts: Vec<&str> = text.split('/').collect();
    if parts.len() > 32 {
        return Err("is nested more than 32 directories deep".to_owned());
    }
    for part in &parts {
        match *part {
            "" => return Err("has an empty part between two '/'".to_owned()),
            "." | ".." => return Err(format!("has the part '{part}', which would leave its directory")),
            part if part.ends_with('.') || part.ends_with(' ') || part.starts_with(' ') => {
                return Err(format!(
                    "has the part '{part}', whose dots or spaces at the end get lost on some systems"
                ));
            }
            part if part.len() > 255 => return Err("has a part longer than 255 bytes".to_owned()),
            _ => {}
        }
    }
    Ok(text.to_owned())
}

/// What two names have in common when some file system takes them for the same.
pub(crate) fn folded(name: &str) -> String {
    name.chars().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_relative_plain_names_pass() {
        for (raw, name) in [
            ("a", "a"),
            ("./a/b", "a/b"),
            ("a/", "a"),
            ("./", ""),
            (".", ""),
            (".x/y..z", ".x/y..z"),
        ] {
            assert_eq!(normal(raw.as_bytes()).unwrap(), name, "{raw}");
        }
        let wrong = [
            "",
            "/etc/passwd",
            "../a",
            "a/../b",
            "a/./b",
            "a//b",
            "a\\b",
            "C:/a",
            "c:a",
            "a\0b",
            "a\nb",
            "a./b",
            "a /b",
            "././a/..",
            "cafe\u{301}",
        ];
        for raw in wrong {
            assert!(normal(raw.as_bytes()).is_err(), "{raw:?}");
        }
        assert!(normal(b"\xff").is_err());
        assert!(normal("a/".repeat(40).as_bytes()).is_err());
    }

    #[test]
    fn names_fold_alike() {
        assert_eq!(folded("Schema/Straße.YAML"), folded("schema/straße.yaml"));
    }
}
