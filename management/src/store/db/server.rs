//! A PostgreSQL server for tests and measurements, run from the programs that the machine's packages have installed. Only with
//! the feature `postgres-server`: no hub starts a database.
//!
//! It is a real one, lives in a folder of its own, and goes away with the process that has started it, however that ends.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

/// The user that may do everything, over loopback and the socket in the folder, without a password.
pub const USER: &str = "hadron";

const MISSING: &str = "no PostgreSQL server found in PATH or /usr/lib/postgresql/*/bin; install it: \
                       apt-get install --no-install-recommends postgresql";

/// Runs the server until its input ends, which it does when the process ends that has started it, for whatever reason. Each
/// line of the input restarts it, but for `halt` and `start`, which do half of that. What it says is `ready` or `failed`;
/// everything else goes into the log.
const KEEPER: &str = r#"
bin=$1 dir=$2 port=$3 settings=$4 follows=$5
up() {
    "$bin/pg_ctl" -D "$dir/data" -w -t 60 start -o "-p $port -k $dir $settings" >&2
}
up_again() {
    for try in 1 2 3 4 5 6 7 8 9 10; do
        up && return
        # After a kill, what it has left behind has to end first.
        sleep 0.3
    done
    return 1
}
end() {
    "$bin/pg_ctl" -D "$dir/data" -m immediate stop >&2
    rm -rf "$dir"
    exit
}
failed() {
    echo failed
    # Whoever has started this reads the log first.
    read -r how
    end
}
if [ -n "$follows" ]; then
    "$bin/pg_basebackup" -D "$dir/data" -h 127.0.0.1 -p "$follows" -U hadron --write-recovery-conf \
        --wal-method=stream --checkpoint=fast --no-sync >&2 || failed
else
    "$bin/initdb" -D "$dir/data" -U hadron --auth=trust --no-locale -E UTF8 --no-sync >&2 || failed
    cat "$dir/hba" "$dir/data/pg_hba.conf" >"$dir/rules"
    cat "$dir/rules" >"$dir/data/pg_hba.conf"
fi
up || failed
echo ready
while read -r how; do
    case $how in
        halt)
            pid=$(head -n 1 "$dir/data/postmaster.pid")
            kill -9 "$pid"
            while kill -0 "$pid" 2>&-; do sleep 0.05; done
            echo ready
            continue
            ;;
        start) if "$bin/pg_ctl" -D "$dir/data" status >&2; then echo ready; continue; fi ;;
        kill) kill -9 "$(head -n 1 "$dir/data/postmaster.pid")" ;;
        *) "$bin/pg_ctl" -D "$dir/data" -m "$how" -w -t 60 stop >&2 ;;
    esac
    if up_again; then echo ready; else echo failed; fi
done
end
"#;

/// How a server is to be.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Where its folder is made; `None`: where temporary files go.
    pub within: Option<PathBuf>,
    /// Where its log is written; `None`: into its folder.
    pub log: Option<PathBuf>,
    /// Settings of its configuration, `name=value`, without spaces. `$dir` stands for its folder.
    pub settings: Vec<String>,
    /// Lines for `pg_hba.conf`, before those that let everybody in.
    pub rules: String,
    /// Names and contents of files in its folder that only the server may read.
    pub files: Vec<(&'static str, String)>,
    /// The port on loopback of the server whose standby it is to be.
    pub follows: Option<u16>,
}

/// How a server ends before it is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// In good order, without waiting for sessions to end.
    Order,
    /// At once, by its own means: what is not in its log is lost.
    Abrupt,
    /// By a signal that it cannot see.
    Kill,
}

/// A running server. It ends with this value.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    port: u16,
    keeper: Child,
    /// `None` when it is about to end.
    talk: Mutex<Option<(ChildStdin, BufReader<ChildStdout>)>>,
}

impl Server {
    /// Makes one, and waits until it takes connections.
    ///
    /// # Errors
    /// When PostgreSQL is not installed, which the message says how to do, or when it does not start.
    pub fn start(setup: &Setup) -> Result<Self> {
        let programs = programs().context(MISSING)?;
        // Another process may take the port between the look and the start.
        let mut tries = 0;
        loop {
            match Self::start_once(&programs, setup) {
                Err(_) if tries < 4 => tries += 1,
                started => return started,
            }
        }
    }

    fn start_once(programs: &Path, setup: &Setup) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("a free port")?;
        let port = listener.local_addr().context("the free port's number")?.port();
        let within = setup.within.clone().unwrap_or_else(std::env::temp_dir);
        let folder = TempDir::with_prefix_in("hadron-pg-", within).context("a folder for PostgreSQL")?;
        let user = other_user()?;
        let mine = |path: &Path| match user {
            Some((uid, gid)) => std::os::unix::fs::chown(path, Some(uid), Some(gid))
                .with_context(|| format!("giving {} to PostgreSQL's user", path.display())),
            None => Ok(()),
        };
        mine(folder.path())?;
        let rules = ("hba", setup.rules.clone());
        for (name, text) in setup.files.iter().chain([&rules]) {
            let path = folder.path().join(name);
            let mut file = File::options()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)?;
            file.write_all(text.as_bytes())?;
            mine(&path)?;
        }
        let log = setup
            .log
            .clone()
            .unwrap_or_else(|| folder.path().join("server.log"));
        let said = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .context("PostgreSQL's log")?;
        let dir = folder.path().display().to_string();
        let settings: Vec<String> = setup
            .settings
            .iter()
            .map(|setting| format!("-c {}", setting.replace("$dir", &dir)))
            .chain(["-c listen_addresses=127.0.0.1".to_owned()])
            .collect();
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", KEEPER, "sh"])
            .arg(programs)
            .arg(folder.path())
            .arg(port.to_string())
            .arg(settings.join(" "))
            .arg(setup.follows.map(|port| port.to_string()).unwrap_or_default())
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(said)
            // Out of reach of Ctrl-C, which would stop the keeper before it has cleaned up.
            .process_group(0);
        if let Some((uid, gid)) = user {
            command.uid(uid).gid(gid);
        }
        drop(listener);
        let mut keeper = command.spawn().context("running sh")?;
        let input = keeper.stdin.take().context("the keeper's input")?;
        let output = keeper.stdout.take().context("the keeper's output")?;
        // From here on the keeper removes it.
        let folder = folder.keep();
        let server = Self {
            folder,
            port,
            keeper,
            talk: Mutex::new(Some((input, BufReader::new(output)))),
        };
        match server.hears() {
            Ok(()) => Ok(server),
            Err(error) => {
                let text = std::fs::read_to_string(&log).unwrap_or_default();
                let last: Vec<&str> = text.lines().rev().take(20).collect();
                let last: Vec<&str> = last.into_iter().rev().collect();
                Err(error.context(format!(
                    "PostgreSQL in {} does not start: {}",
                    programs.display(),
                    last.join("\n")
                )))
            }
        }
    }

    /// Waits for the keeper's word.
    fn hears(&self) -> Result<()> {
        let mut talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, output) = talk.as_mut().context("the server is ending")?;
        let mut line = String::new();
        output.read_line(&mut line).context("the keeper's word")?;
        match line.trim() {
            "ready" => Ok(()),
            other => bail!("the keeper of PostgreSQL says '{other}'"),
        }
    }

    /// Stops it, starts it again and waits until it takes connections. Blocks meanwhile.
    ///
    /// # Errors
    /// When it does not come back.
    pub fn restart(&self, stop: Stop) -> Result<()> {
        self.tell(match stop {
            Stop::Order => "fast",
            Stop::Abrupt => "immediate",
            Stop::Kill => "kill",
        })
    }

    /// Kills it, and leaves it so.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn halt(&self) -> Result<()> {
        self.tell("halt")
    }

    /// Starts it again if it does not run, and waits until it takes connections. Blocks meanwhile.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn revive(&self) -> Result<()> {
        self.tell("start")
    }

    fn tell(&self, how: &str) -> Result<()> {
        if let Some((input, _)) = &mut *self.talk.lock().unwrap_or_else(PoisonError::into_inner) {
            writeln!(input, "{how}").context("telling the keeper of PostgreSQL")?;
        }
        self.hears()
    }

    /// The port of its listener on loopback.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Its folder, in which its socket is as well.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The process that all others of it are children of. It changes with each restart.
    ///
    /// # Errors
    /// When it is not running.
    pub fn pid(&self) -> Result<u32> {
        let file = self.folder.join("data/postmaster.pid");
        let text = std::fs::read_to_string(file).context("PostgreSQL does not run")?;
        let first = text.lines().next().unwrap_or_default();
        first.trim().parse().context("the process id of PostgreSQL")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The end of its input is the keeper's sign to stop the server and to remove the folder.
        drop(self.talk.get_mut().unwrap_or_else(PoisonError::into_inner).take());
        let _ = self.keeper.wait();
    }
}

/// The newest installed server's programs.
fn programs() -> Option<PathBuf> {
    let version = |bin: &PathBuf| bin.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    let there = |bin: &PathBuf| bin.join("initdb").exists() && bin.join("pg_ctl").exists();
    let installed = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"));
    installed.filter(there).max_by_key(version).or_else(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(there)
    })
}

/// PostgreSQL does not run as root: whom to be instead, when this is root.
fn other_user() -> Result<Option<(u32, u32)>> {
    if std::fs::metadata("/proc/self").context("/proc")?.uid() != 0 {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd").context("/etc/passwd")?;
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2).map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    };
    let found = ids("postgres").or_else(|| ids("nobody"));
    found
        .map(Some)
        .context("this is root, and there is no user postgres or nobody to run PostgreSQL as")
}
