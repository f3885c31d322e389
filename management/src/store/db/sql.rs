//! One SQL text, two databases: the little that has to be rewritten. The rules are in the documentation of
//! [`db`](super).

/// Rewrites for SQLite: `$1` becomes `?1` (SQLite numbers `$1` by order of appearance), lock markers vanish.
pub(super) fn for_sqlite(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    pieces(sql, |piece| match piece {
        Piece::Plain(text) => out.push_str(text),
        Piece::Parameter(digits) => {
            out.push('?');
            out.push_str(digits);
        }
        Piece::Lock(_) => {}
    });
    out
}

/// Rewrites for PostgreSQL: lock markers become lock clauses where `locks`, and vanish in a transaction that only reads,
/// where PostgreSQL refuses them.
pub(super) fn for_postgres(sql: &str, locks: bool) -> String {
    let mut out = String::with_capacity(sql.len() + 16);
    pieces(sql, |piece| match piece {
        Piece::Plain(text) => out.push_str(text),
        Piece::Parameter(digits) => {
            out.push('$');
            out.push_str(digits);
        }
        Piece::Lock(clause) if locks => out.push_str(clause),
        Piece::Lock(_) => {}
    });
    out
}

/// The table a statement is about: the word after the first INTO, UPDATE or FROM. Only for messages.
pub(super) fn table(sql: &'static str) -> &'static str {
    let mut words = sql.split_ascii_whitespace().peekable();
    while let Some(word) = words.next() {
        let keyword = ["INTO", "UPDATE", "FROM"]
            .iter()
            .any(|keyword| word.eq_ignore_ascii_case(keyword));
        if let (true, Some(next)) = (keyword, words.peek()) {
            let name = next
                .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                .next()
                .unwrap_or_default();
            if !name.is_empty() && !name.eq_ignore_ascii_case("select") {
                return name;
            }
        }
    }
    "(no table)"
}

enum Piece<'a> {
    Plain(&'a str),
    Parameter(&'a str),
    /// A marker, and the clause that PostgreSQL has for it.
    Lock(&'static str),
}

/// Cuts a statement; what stands between quotes is plain.
fn pieces<'a>(sql: &'a str, mut take: impl FnMut(Piece<'a>)) {
    let bytes = sql.as_bytes();
    let mut plain = 0;
    let mut at = 0;
    while at < bytes.len() {
        let rest = &sql[at..];
        let (length, piece) = match bytes[at] {
            quote @ (b'\'' | b'"') => {
                let end = rest[1..]
                    .find(char::from(quote))
                    .map_or(rest.len(), |end| end + 2);
                at += end;
                continue;
            }
            b'$' => {
                let digits = rest[1..].bytes().take_while(u8::is_ascii_digit).count();
                (
                    1 + digits,
                    (digits > 0).then(|| Piece::Parameter(&rest[1..=digits])),
                )
            }
            b'/' => match LOCKS.iter().find(|(marker, _)| rest.starts_with(marker)) {
                Some((marker, clause)) => (marker.len(), Some(Piece::Lock(clause))),
                None => (1, None),
            },
            // A multi-byte character is skipped byte by byte; none of its bytes is one of the above.
            _ => (1, None),
        };
        if let Some(piece) = piece {
            take(Piece::Plain(&sql[plain..at]));
            take(piece);
            plain = at + length;
        }
        at += length;
        while at < bytes.len() && !sql.is_char_boundary(at) {
            at += 1;
        }
    }
    take(Piece::Plain(&sql[plain..]));
}

/// The markers of locks and what they become on PostgreSQL.
const LOCKS: [(&str, &str); 4] = [
    // NO KEY: nobody changes a key, and so rows that refer to a locked one can be inserted meanwhile.
    ("/*skip-locked*/", "FOR NO KEY UPDATE SKIP LOCKED"),
    ("/*for-update*/", "FOR NO KEY UPDATE"),
    ("/*for-share*/", "FOR SHARE"),
    ("/*for-share-nowait*/", "FOR SHARE NOWAIT"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_markers_are_rewritten_and_literals_left_alone() {
        let sql = "SELECT 'it''s $1 /*skip-locked*/', \"$2\" FROM job WHERE a = $2 AND b=$10 LIMIT $1 /*skip-locked*/";
        assert_eq!(
            for_sqlite(sql),
            "SELECT 'it''s $1 /*skip-locked*/', \"$2\" FROM job WHERE a = ?2 AND b=?10 LIMIT ?1 "
        );
        assert!(for_postgres(sql, true).ends_with("b=$10 LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED"));
        assert!(for_postgres(sql, false).ends_with("b=$10 LIMIT $1 "));
        let locked = "SELECT 'ü$' /*for-update*/";
        assert_eq!(for_postgres(locked, true), "SELECT 'ü$' FOR NO KEY UPDATE");
        assert_eq!(for_postgres(locked, false), "SELECT 'ü$' ");
        assert_eq!(for_sqlite("SELECT ü, $1 -- é"), "SELECT ü, ?1 -- é");
        for (marker, clause) in LOCKS {
            let sql = format!("SELECT id FROM job WHERE id = $1 {marker}");
            assert_eq!(for_sqlite(&sql), "SELECT id FROM job WHERE id = ?1 ");
            assert_eq!(
                for_postgres(&sql, true),
                format!("SELECT id FROM job WHERE id = $1 {clause}")
            );
            assert_eq!(for_postgres(&sql, false), "SELECT id FROM job WHERE id = $1 ");
        }
        assert_eq!(
            for_postgres("SELECT 6 / $1 /*a comment*/", true),
            "SELECT 6 / $1 /*a comment*/"
        );
    }

    #[test]
    fn the_table_is_named() {
        assert_eq!(table("INSERT INTO job(id) VALUES ($1)"), "job");
        assert_eq!(table("UPDATE job SET a = 1"), "job");
        assert_eq!(table("SELECT x FROM (SELECT 1) a"), "(no table)");
        assert_eq!(table("SELECT 1"), "(no table)");
    }
}
