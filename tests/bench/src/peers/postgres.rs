//! PostgreSQL: the peer (a table of jobs, claimed with SKIP LOCKED) and the cluster, which the project uses as well.
//!
//! A PostgreSQL connection is a process: thousands of agents cannot have one each. Up to [`LANES`] connections serve all
//! agents, which favours the peer, and the table of results says so.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use hadron_management::store::db::server::{Server, Setup, USER};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_postgres::{AsyncMessage, Client, NoTls, Statement};

use crate::board::{Board, Job, Tag};
use crate::system::{self, RESULT, System, payload};

/// Connections that work.
pub(crate) const LANES: u32 = 64;
/// Connections that submit.
const SUBMITTERS: usize = 32;
/// How often a worker asks that has found nothing.
const POLL: Duration = Duration::from_millis(2);
/// How often all workers are told that there is something, at most.
const COALESCE: Duration = Duration::from_millis(1);
/// Behind notifications.
const SLOW_POLL: Duration = Duration::from_secs(1);

/// How workers learn of jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Poll,
    Notify,
}

/// A running cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    server: Server,
    pid: u32,
    databases: AtomicU64,
}

impl Cluster {
    /// Makes and starts one in this directory, with settings of a small server: synced, group commit as it comes. With
    /// `statements` it counts what each statement costs, which costs something itself.
    pub(crate) async fn start(dir: &Path, statements: bool) -> Result<Self> {
        let mut settings = vec![
            "max_connections=300",
            "shared_buffers=256MB",
            "fsync=on",
            "synchronous_commit=on",
            "max_wal_size=4GB",
        ];
        if statements {
            settings.extend([
                "shared_preload_libraries=pg_stat_statements",
                "pg_stat_statements.track_planning=on",
            ]);
        }
        let setup = Setup {
            within: Some(dir.to_owned()),
            settings: settings.into_iter().map(str::to_owned).collect(),
            ..Setup::default()
        };
        let server = tokio::task::spawn_blocking(move || Server::start(&setup)).await??;
        Ok(Self {
            pid: server.pid()?,
            server,
            databases: AtomicU64::new(0),
        })
    }

    pub(crate) fn url(&self, database: &str) -> String {
        let port = self.server.port();
        format!("host=127.0.0.1 port={port} user={USER} dbname={database}")
    }

    pub(crate) const fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) async fn connect(&self, database: &str) -> Result<Client> {
        let (client, connection) = tokio_postgres::connect(&self.url(database), NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// A name that no database of this cluster has.
    pub(crate) fn fresh_name(&self, of: &str) -> String {
        format!("{of}_{}", self.databases.fetch_add(1, Ordering::Relaxed))
    }

    /// Forgets what statements have cost so far. Only where the cluster counts that.
    pub(crate) async fn count_anew(&self) -> Result<()> {
        let client = self.connect("postgres").await?;
        client
            .batch_execute(
                "CREATE EXTENSION IF NOT EXISTS pg_stat_statements; SELECT pg_stat_statements_reset()",
            )
            .await
            .context("pg_stat_statements: part of Debian's package postgresql")
    }

    /// What the statements in a database have cost, for each of so many jobs, as a table for people.
    pub(crate) async fn costs(&self, database: &str, jobs: u64) -> Result<String> {
        let client = self.connect("postgres").await?;
        let (jobs, mut text) = (jobs.max(1) as f64, String::new());
        writeln!(text, "calls/job  plan us/job  exec us/job  rows/job  statement")?;
        for row in client.query(COSTS, &[&database]).await? {
            let (calls, rows): (i64, i64) = (row.get(0), row.get(3));
            let (plan, exec): (f64, f64) = (row.get(1), row.get(2));
            let query: String = row.get(4);
            let shown: String = query.chars().take(SHOWN).collect();
            let (calls, rows) = (calls as f64 / jobs, rows as f64 / jobs);
            let (plan, exec) = (plan * 1_000.0 / jobs, exec * 1_000.0 / jobs);
            writeln!(text, "{calls:9.2}  {plan:11.1}  {exec:11.1}  {rows:8.2}  {shown}")?;
        }
        Ok(text)
    }

    /// A fresh database, empty or a copy of another one.
    pub(crate) async fn database(&self, name: &str, template: Option<&str>) -> Result<String> {
        let client = self.connect("postgres").await?;
        let template = template
            .map(|template| format!(" TEMPLATE {template}"))
            .unwrap_or_default();
        client
            .batch_execute(&format!("CREATE DATABASE {name}{template}"))
            .await?;
        Ok(self.url(name))
    }
}

/// What statements have cost in one database: calls, milliseconds of planning and of execution, rows.
const COSTS: &str = "
    SELECT s.calls, s.total_plan_time, s.total_exec_time, s.rows, regexp_replace(s.query, '\\s+', ' ', 'g')
    FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
    WHERE d.datname = $1 ORDER BY s.total_plan_time + s.total_exec_time DESC LIMIT 60";
/// A statement is recognised by its beginning.
const SHOWN: usize = 160;

const SCHEMA: &str = "
    CREATE TABLE job (id BIGSERIAL PRIMARY KEY, lane INT NOT NULL, agent INT NOT NULL, state SMALLINT NOT NULL DEFAULT 0,
                      payload TEXT NOT NULL, result TEXT);
    CREATE INDEX job_ready ON job (lane, id) WHERE state = 0;";
const CLAIM: &str = "
    UPDATE job SET state = 1 WHERE id IN
        (SELECT id FROM job WHERE state = 0 AND lane = $1 ORDER BY id LIMIT 32 FOR UPDATE SKIP LOCKED)
    RETURNING id, payload";
const DONE: &str = "UPDATE job SET state = 2, result = $2 WHERE id = ANY($1)";

/// A running peer with its workers.
pub(crate) struct Postgres {
    cluster: Arc<Cluster>,
    database: String,
    submitters: Vec<(Client, Statement)>,
    fan_out: Statement,
    turn: AtomicUsize,
    lanes: u32,
    fresh: Arc<Notify>,
    _listener: Option<Client>,
    workers: JoinSet<()>,
    failed: Arc<AtomicU64>,
}

impl Postgres {
    /// Starts it in a fresh database of the cluster.
    pub(crate) async fn start(cluster: Arc<Cluster>, setup: &system::Setup, mode: Mode) -> Result<Self> {
        let database = cluster.fresh_name("peer");
        cluster.database(&database, None).await?;
        cluster.connect(&database).await?.batch_execute(SCHEMA).await?;
        let lanes = setup.agents.min(LANES);
        let (mut workers, failed) = (JoinSet::new(), Arc::new(AtomicU64::new(0)));
        let (fresh, wake) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        for lane in 0..lanes {
            let client = cluster.connect(&database).await?;
            let (board, failed, wake) = (Arc::clone(&setup.board), Arc::clone(&failed), Arc::clone(&wake));
            workers.spawn(async move {
                if work(client, lane, mode, &wake, &board).await.is_err() {
                    failed.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut submitters = Vec::new();
        for _ in 0..SUBMITTERS {
            let client = cluster.connect(&database).await?;
            let insert = client
                .prepare("INSERT INTO job (lane, agent, payload) VALUES ($1, $2, $3)")
                .await?;
            submitters.push((client, insert));
        }
        let first = &submitters.first().context("no connection")?.0;
        let fan_out =
            "INSERT INTO job (lane, agent, payload) SELECT * FROM unnest($1::int[], $2::int[], $3::text[])";
        let fan_out = first.prepare(fan_out).await?;
        let mut listener = None;
        if mode == Mode::Notify {
            listener = Some(listen(&cluster, &database, &wake).await?);
            let client = cluster.connect(&database).await?;
            let fresh = Arc::clone(&fresh);
            // One notification for all that was inserted meanwhile, outside of their transactions.
            workers.spawn(async move {
                loop {
                    fresh.notified().await;
                    if client.batch_execute("NOTIFY fresh").await.is_err() {
                        return;
                    }
                    tokio::time::sleep(COALESCE).await;
                }
            });
        }
        Ok(Self {
            cluster,
            database,
            submitters,
            fan_out,
            turn: AtomicUsize::new(0),
            lanes,
            fresh,
            _listener: listener,
            workers,
            failed,
        })
    }
}

/// Wakes the workers as the server says; for as long as the client lives.
async fn listen(cluster: &Cluster, database: &str, wake: &Arc<Notify>) -> Result<Client> {
    let (client, mut connection) = tokio_postgres::connect(&cluster.url(database), NoTls).await?;
    let wake = Arc::clone(wake);
    tokio::spawn(async move {
        while let Some(Ok(message)) = std::future::poll_fn(|cx| connection.poll_message(cx)).await {
            if matches!(message, AsyncMessage::Notification(_)) {
                wake.notify_waiters();
            }
        }
    });
    client.batch_execute("LISTEN fresh").await?;
    Ok(client)
}

/// The agents of one lane.
async fn work(client: Client, lane: u32, mode: Mode, wake: &Notify, board: &Board) -> Result<()> {
    let (claim, done) = (client.prepare(CLAIM).await?, client.prepare(DONE).await?);
    let (lane, result) = (i32::try_from(lane)?, "x".repeat(RESULT));
    loop {
        // Before the question, so that nothing is missed.
        let woken = wake.notified();
        let rows = client.query(&claim, &[&lane]).await?;
        if rows.is_empty() {
            match mode {
                Mode::Poll => tokio::time::sleep(POLL).await,
                Mode::Notify => drop(tokio::time::timeout(SLOW_POLL, woken).await),
            }
            continue;
        }
        let (mut ids, mut tags) = (Vec::new(), Vec::new());
        for row in rows {
            ids.push(row.try_get::<_, i64>(0)?);
            let tag = Tag::read(row.try_get::<_, &str>(1)?.as_bytes()).context("a job without a tag")?;
            board.arrived(tag);
            tags.push(tag);
        }
        client.execute(&done, &[&ids, &result]).await?;
        tags.into_iter().for_each(|tag| board.ended(tag));
    }
}

impl System for Postgres {
    fn submit<'a>(&'a self, jobs: &'a [Job]) -> BoxFuture<'a, Result<()>> {
        async move {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.submitters.len();
            let (client, insert) = &self.submitters[turn];
            let number = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
            if let [job] = jobs {
                let (lane, agent) = (number(job.agent % self.lanes), number(job.agent));
                client.execute(insert, &[&lane, &agent, &payload(*job)]).await?;
            } else {
                let lanes: Vec<i32> = jobs.iter().map(|job| number(job.agent % self.lanes)).collect();
                let agents: Vec<i32> = jobs.iter().map(|job| number(job.agent)).collect();
                let texts: Vec<String> = jobs.iter().map(|job| payload(*job)).collect();
                let (client, _) = &self.submitters[0];
                client.execute(&self.fan_out, &[&lanes, &agents, &texts]).await?;
            }
            self.fresh.notify_one();
            Ok(())
        }
        .boxed()
    }

    fn pids(&self) -> Vec<u32> {
        vec![self.cluster.pid()]
    }

    fn commits(&self) -> BoxFuture<'_, Option<(u64, u64)>> {
        async { None }.boxed()
    }

    fn check(&self, submitted: u64) -> BoxFuture<'_, Result<()>> {
        async move {
            let client = self.cluster.connect(&self.database).await?;
            let count = "SELECT count(*) FILTER (WHERE state = 2 AND result IS NOT NULL), count(*) FROM job";
            let row = client.query_one(count, &[]).await?;
            let (done, all): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
            let failed = self.failed.load(Ordering::Relaxed);
            if failed > 0 || done != all || u64::try_from(done)? != submitted {
                bail!("of {submitted} jobs {done} have results, {all} are there, and {failed} workers have failed");
            }
            Ok(())
        }
        .boxed()
    }

    fn stop(self: Arc<Self>) -> BoxFuture<'static, Result<()>> {
        async move {
            let mut this = Arc::into_inner(self).context("the peer is still in use")?;
            this.workers.shutdown().await;
            let (cluster, database) = (Arc::clone(&this.cluster), this.database.clone());
            drop(this);
            let client = cluster.connect("postgres").await?;
            client
                .batch_execute(&format!("DROP DATABASE {database} WITH (FORCE)"))
                .await?;
            Ok(())
        }
        .boxed()
    }
}
