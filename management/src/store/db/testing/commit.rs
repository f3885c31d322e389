//! Enough of PostgreSQL's protocol to see a COMMIT go by, and its answer come back.

/// Finds simple queries that commit in what a client sends.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    /// The beginning of a message whose end has not come yet.
    held: Vec<u8>,
    /// The first messages have no type: a request for TLS perhaps, then the startup.
    started: bool,
}

/// The codes in place of a version with which a client asks for TLS or GSS, or cancels another connection's query.
const REQUESTS: [[u8; 4]; 3] = [
    80_877_102_u32.to_be_bytes(),
    80_877_103_u32.to_be_bytes(),
    80_877_104_u32.to_be_bytes(),
];

impl Scanner {
    /// Whether a COMMIT ends in these bytes, which follow those of before.
    pub(super) fn sees_commit(&mut self, bytes: &[u8]) -> bool {
        self.held.extend_from_slice(bytes);
        let mut found = false;
        loop {
            let (head, length_at) = if self.started { (5, 1) } else { (4, 0) };
            let Some(length) = self.held.get(length_at..length_at + 4) else {
                return found;
            };
            let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
            let whole = length_at + length.max(4);
            if self.held.len() < whole {
                return found;
            }
            let body = &self.held[head.min(whole)..whole];
            if self.started {
                found |= self.held[0] == b'Q' && commits(body);
            } else {
                self.started = !body
                    .get(..4)
                    .is_some_and(|code| REQUESTS.iter().any(|it| it == code));
            }
            self.held.drain(..whole);
        }
    }
}

fn commits(query: &[u8]) -> bool {
    let text = String::from_utf8_lossy(query);
    let text = text.trim_matches(|c: char| c == '\0' || c == ';' || c.is_whitespace());
    text.eq_ignore_ascii_case("commit")
}

/// What the server says when it has carried a COMMIT out, and when it waits for the next question with no transaction open,
/// whatever became of the last one. Statements that were sent ahead of COMMIT are answered before it, inside of the
/// transaction, and settle nothing. Type, length, and what there is to say.
const SETTLED: [&[u8]; 2] = [b"C\0\0\0\x0bCOMMIT\0", b"Z\0\0\0\x05I"];

/// Whether the server's words settle what became of a COMMIT.
pub(super) fn is_settled(answer: &[u8]) -> bool {
    SETTLED
        .iter()
        .any(|words| answer.windows(words.len()).any(|window| window == *words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).expect("a short body");
        [&[kind][..], &length.to_be_bytes(), body].concat()
    }

    fn startup() -> Vec<u8> {
        let tls = [8_u32.to_be_bytes(), 80_877_103_u32.to_be_bytes()].concat();
        let body = b"\0\x03\0\0user\0hadron\0\0";
        let length = u32::try_from(body.len() + 4).expect("a short body");
        [&tls[..], &length.to_be_bytes(), body].concat()
    }

    #[test]
    fn a_commit_is_seen_however_it_is_cut() {
        let begin = message(b'Q', b"BEGIN\0");
        let insert = message(b'Q', b"INSERT INTO note VALUES ('COMMIT')\0");
        let commit = message(b'Q', b"COMMIT\0");
        let all = [startup(), begin, insert, commit].concat();
        let mut scanner = Scanner::default();
        let seen: Vec<usize> = all
            .iter()
            .enumerate()
            .filter(|(_, byte)| scanner.sees_commit(&[**byte]))
            .map(|(at, _)| at)
            .collect();
        assert_eq!(seen, [all.len() - 1]);
        assert!(Scanner::default().sees_commit(&all));
        assert!(!Scanner::default().sees_commit(&all[..all.len() - 1]));
    }

    #[test]
    fn only_what_commits_is_a_commit() {
        assert!(commits(b"commit;\0"));
        assert!(!commits(b"COMMIT PREPARED 'x'\0"));
        assert!(!commits(b"ROLLBACK\0"));
    }

    #[test]
    fn a_commit_is_settled_when_the_server_says_so() {
        let done = message(b'C', b"COMMIT\0");
        assert!(!is_settled(&done[..done.len() - 1]));
        assert!(is_settled(&done));
        let failed = [message(b'E', b"SERROR\0\0"), message(b'Z', b"I")].concat();
        assert!(is_settled(&failed));
        let ahead = [message(b'C', b"INSERT 0 1\0"), message(b'Z', b"T")].concat();
        assert!(
            !is_settled(&ahead),
            "a late row was written, and nothing is committed"
        );
    }
}
