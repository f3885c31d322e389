//! Somebody in front of a terminal: what stands on the screen, and what keys do. The scenarios share it.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Somebody in front of a terminal in which the program runs.
pub(crate) struct Seat {
    pub(crate) pty: pty_process::Pty,
    pub(crate) child: tokio::process::Child,
    pub(crate) screen: vt100::Parser,
    raw: Vec<u8>,
}

/// How it ended.
pub(crate) struct Left {
    /// The exit code; minus the signal when one ended it.
    pub(crate) code: i32,
    /// What stands on the screen.
    pub(crate) screen: String,
    /// Everything that was written.
    #[allow(dead_code, reason = "not everybody who shares this looks at bytes")]
    pub(crate) raw: String,
    /// Lines that have left the screen at the top.
    pub(crate) gone: usize,
}

impl Seat {
    /// Starts the program in a terminal of so many rows and columns.
    pub(crate) fn at(command: pty_process::Command, (rows, columns): (u16, u16)) -> Self {
        let (pty, pts) = pty_process::open().expect("a terminal");
        pty.resize(pty_process::Size::new(rows, columns))
            .expect("its size");
        Self {
            child: command.kill_on_drop(true).spawn(pts).expect("the program starts"),
            pty,
            screen: vt100::Parser::new(rows, columns, 1_000),
            raw: Vec::new(),
        }
    }

    /// Reads once; false when the terminal was left.
    async fn read(&mut self) -> bool {
        let mut bytes = [0_u8; 4_096];
        // A terminal that nobody holds any more is an error on Linux.
        let read = self.pty.read(&mut bytes).await.unwrap_or(0);
        self.screen.process(&bytes[..read]);
        self.raw.extend_from_slice(&bytes[..read]);
        read > 0
    }

    /// What stands on the screen, row by row.
    pub(crate) fn shows(&self) -> String {
        let screen = self.screen.screen();
        // Rows and not `contents`: a row that is filled up with spaces to its end would run into the next one there.
        let rows = screen.rows(0, screen.size().1);
        let rows: Vec<String> = rows.map(|row| row.trim_end().to_owned()).collect();
        rows.join("\n").trim_end().to_owned()
    }

    /// Waits until the screen shows all of this.
    pub(crate) async fn sees(&mut self, wanted: &[&str]) {
        let seen = tokio::time::timeout(Duration::from_secs(60), async {
            while !wanted.iter().all(|text| self.shows().contains(text)) {
                assert!(
                    self.read().await,
                    "it ended before it showed {wanted:?}:\n{}",
                    self.shows()
                );
            }
        });
        if seen.await.is_err() {
            panic!("{wanted:?} is not seen:\n{}", self.shows());
        }
    }

    /// Presses keys.
    pub(crate) async fn types(&mut self, keys: &[u8]) {
        self.pty.write_all(keys).await.expect("keys are taken");
    }

    /// Waits until the program has ended.
    pub(crate) async fn left(mut self) -> Left {
        use std::os::unix::process::ExitStatusExt as _;
        let ended = tokio::time::timeout(Duration::from_secs(90), async {
            while self.read().await {}
            self.child.wait().await.expect("its end")
        });
        let status = ended.await.expect("the program ends in time");
        let screen = self.shows();
        self.screen.screen_mut().set_scrollback(usize::MAX);
        Left {
            code: status.code().unwrap_or_else(|| -status.signal().unwrap_or(0)),
            screen,
            raw: String::from_utf8(self.raw).expect("it writes UTF-8"),
            gone: self.screen.screen().scrollback(),
        }
    }
}
