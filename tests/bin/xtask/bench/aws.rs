//! The parts of the benchmark that need an emulated AWS and real agents: W6, deployments of many stacks, and W8, what an
//! agent takes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use futures::stream::{StreamExt as _, TryStreamExt as _};
use hadron_domain::authority::Sight;
use hadron_management::store::deployments::{self, Filter};
use hadron_management::store::{StoreError, requests};
use hadron_proto::vocab::ConnectionId;
use hadron_tests::emulator::Options;
use hadron_tests::world::field;
use hadron_tests::{DEV, PROD, World, agent, clients, paths, wait};
use serde_json::{Value, json};

use super::super::proton::Caller;

/// The accounts that stacks are spread over.
const ACCOUNTS: [&str; 5] = [DEV, PROD, "444444444444", "555555555555", "666666666666"];
/// Requests under way at once, for the hub and for the limit.
const AT_ONCE: usize = 16;
/// Resources of the stack, one after another in the emulator.
const RESOURCES: f32 = 3.0;

/// One row of the report.
fn row(workload: &str, case: &str, size: f64, system: &str, round: u32, values: &[(&str, f64)]) -> Value {
    let values: BTreeMap<&str, f64> = values.iter().copied().collect();
    json!({"workload": workload, "case": case, "size": size, "line": "", "system": system,
        "limit": system.starts_with("limit"), "round": round, "values": values})
}

/// W6 for each number of stacks: how long the project and others take over the same emulated AWS.
pub(super) async fn deployments(sizes: &[u32], slow: &[f32], rounds: u32, out: &Path) -> Result<()> {
    clients::install_python()?;
    let mut rows = Vec::new();
    for takes in slow {
        for size in sizes {
            for round in 0..rounds {
                eprintln!("stacks: {size} that take {takes} s, round {}", round + 1);
                rows.extend(stacks(*size, *takes, round).await?);
            }
        }
    }
    std::fs::write(out, serde_json::to_string(&rows)?).with_context(|| format!("writing {}", out.display()))
}

/// A connection's id in the form that Proton's API has for it.
fn proton_id(id: &str) -> Result<String> {
    let id: ConnectionId = id.parse().context("a connection's id")?;
    Ok(id.as_uuid().to_string())
}

async fn stacks(count: u32, takes: f32, round: u32) -> Result<Vec<Value>> {
    let options = Options {
        auth: false,
        delay: takes / RESOURCES,
    };
    let mut world = World::with(options, "\n[quotas]\nconnections_per_account = 1000\n").await?;
    let bundle = paths::root().join("deploy/examples/minimal-env/v1");
    world.publish("environment", "minimal-env", &bundle, &[]).await?;
    let mut connections = Vec::new();
    for number in 0..count {
        let account = ACCOUNTS[number as usize % ACCOUNTS.len()];
        let id = world.connect(account, &format!("bench-{number}")).await?;
        connections.push(proton_id(&id)?);
    }
    for account in ACCOUNTS {
        if world.agents.contains_key(account) {
            // As many at once as there are stacks for it, as the others do it.
            world
                .agent(account)
                .configure(|text| format!("capacity = 64\n{text}"))?;
            world.online(account, true).await?;
        }
    }
    let case = format!("{count} stacks of {takes} s");
    let size = f64::from(count);
    let mut rows = Vec::new();

    let (id, secret) = world.hub.access_key("bench", "administrator")?;
    let caller = Arc::new(Caller::new(&world, id, secret)?);
    let spec = std::fs::read_to_string(paths::root().join("deploy/examples/minimal-env/spec.yaml"))?;
    let before = world.emulator.last_call().await?;
    let began = Instant::now();
    futures::stream::iter(connections.into_iter().enumerate())
        .map(|(number, connection)| {
            let (caller, spec) = (Arc::clone(&caller), spec.clone());
            async move {
                let body = json!({"name": format!("bench-{number}"), "templateName": "minimal-env",
                    "templateMajorVersion": "1", "spec": spec, "environmentAccountConnectionId": connection});
                caller
                    .call("CreateEnvironment", &body.to_string())
                    .await
                    .map(drop)
            }
        })
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await?;
    let patience = Duration::from_secs_f32(takes.mul_add(4.0, 120.0 + count as f32));
    wait::until("all environments to be deployed", patience, || async {
        let (ended, failed) = ended(&world.hub.folder().join("hub.db"))?;
        ensure!(failed == 0, "{failed} deployments have failed");
        Ok((ended >= count).then_some(()))
    })
    .await?;
    let took = began.elapsed().as_secs_f64();
    let calls = world.emulator.calls(before).await?.len() as f64 / size;
    rows.push(row(
        "W6",
        &case,
        size,
        "Hadron",
        round,
        &[("seconds", took), ("calls_per_stack", calls)],
    ));

    // The same template text, as the hub has rendered it, with names of its own.
    let template = world.folder().join("template.yaml");
    std::fs::write(&template, rendered(&world).await?)?;
    let others: [(&str, &str); 3] = [
        ("limit: raw API calls, 16 at once, poll 250 ms", "raw"),
        ("boto3 waiter, 8 at once", "waiter"),
        ("aws cloudformation deploy, 8 at once", "awscli"),
    ];
    for (name, how) in others {
        let before = world.emulator.last_call().await?;
        let took = python(&world, how, count, &template)?;
        let calls = world.emulator.calls(before).await?.len() as f64 / size;
        rows.push(row(
            "W6",
            &case,
            size,
            name,
            round,
            &[("seconds", took), ("calls_per_stack", calls)],
        ));
    }
    Ok(rows)
}

/// Deployments that have ended, and those of them that did not succeed.
fn ended(database: &Path) -> Result<(u32, u32)> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection = rusqlite::Connection::open_with_flags(database, flags)?;
    let sql = "SELECT sum(status = 'SUCCEEDED'), sum(status IN ('FAILED', 'CANCELLED')) FROM deployment";
    Ok(connection.query_row(sql, [], |row| {
        Ok((
            row.get::<_, Option<u32>>(0)?.unwrap_or(0),
            row.get::<_, Option<u32>>(1)?.unwrap_or(0),
        ))
    })?)
}

/// The text of some stack.
async fn rendered(world: &World) -> Result<String> {
    let db = world.db().await?;
    let bytes: Result<Option<Vec<u8>>, StoreError> = db
        .read("rendered template", |tx| {
            Box::pin(async move {
                let all = deployments::list(tx, &Filter::default(), &Sight::Everything, "", 1_000).await?;
                match all.iter().find_map(|row| row.rendered) {
                    Some((digest, _)) => requests::blob(tx, digest).await,
                    None => Ok(None),
                }
            })
        })
        .await;
    db.close().await;
    String::from_utf8(bytes?.context("a rendered template")?).context("a rendered template")
}

/// Others make as many stacks; seconds until the last is known to be complete.
fn python(world: &World, how: &str, count: u32, template: &Path) -> Result<f64> {
    let home = clients::python_home();
    let output = Command::new(home.join("bin/python"))
        .arg(paths::root().join("tests/bench/python/stacks.py"))
        .args([how, world.emulator.url(), &count.to_string()])
        .arg(template)
        .args(ACCOUNTS)
        .env("PATH", home.join("bin"))
        .stderr(Stdio::inherit())
        .output()
        .context("Python")?;
    if !output.status.success() {
        bail!("stacks.py {how} ended with {}", output.status);
    }
    let said: Value = serde_json::from_slice(&output.stdout).context("what stacks.py says")?;
    said["seconds"].as_f64().context("how long it took")
}

/// What a process takes, from `/proc`.
fn taken(pid: u32) -> Result<(f64, f64, f64)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<f64>().ok())
    };
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .context("stat")?
        .1
        .split_ascii_whitespace()
        .collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|field| field.parse::<f64>().ok())
            .unwrap_or_default()
    };
    let mib = |kib: Option<f64>| kib.map(|kib| kib / 1_024.0).context("memory");
    Ok((
        mib(kib("VmRSS:"))?,
        mib(kib("RssAnon:"))?,
        (ticks(11) + ticks(12)) / 100.0,
    ))
}

/// A process that ends with this value.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// W8: the released agent, connected and idle, then after deployments.
pub(super) async fn footprint(binary: &Path, deployments: u32, idle: Duration, out: &Path) -> Result<()> {
    let mut world = World::with(
        Options {
            auth: false,
            delay: 0.0,
        },
        "",
    )
    .await?;
    let bundle = paths::root().join("deploy/examples/minimal-env/v1");
    world.publish("environment", "minimal-env", &bundle, &[]).await?;
    let connection = proton_id(&world.connect(DEV, "bench").await?)?;
    world.online(DEV, true).await?;
    // The same folder and the same identity, another build.
    let folder: PathBuf = world.agent(DEV).folder().to_owned();
    world.agent(DEV).process().kill()?;
    world.online(DEV, false).await?;
    let log = std::fs::File::create(folder.join("released.log"))?;
    let credentials = agent::roles(world.emulator.url(), DEV).await?;
    let mut command = Command::new(binary);
    command
        .args(["run", "--log-format", "json", "--config"])
        .arg(folder.join("agent.toml"))
        .env_clear()
        .env("HOME", &folder)
        .envs(&credentials)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    let running = Running(command.spawn().context("the agent")?);
    world.online(DEV, true).await?;
    let pid = running.0.id();
    let size = std::fs::metadata(binary)?.len() as f64 / 1e6;
    let (_, _, before) = taken(pid)?;
    tokio::time::sleep(idle).await;
    let (rss, anonymous, after) = taken(pid)?;
    let a_day = (after - before) / idle.as_secs_f64() * 86_400.0;
    let mut rows = vec![row(
        "W8",
        "connected, idle",
        1.0,
        "Hadron",
        0,
        &[
            ("binary_mb", size),
            ("rss_mib", rss),
            ("anonymous_mib", anonymous),
            ("cpu_s_per_day", a_day),
        ],
    )];
    let spec = std::fs::read_to_string(paths::root().join("deploy/examples/minimal-env/spec.yaml"))?;
    let (id, secret) = world.hub.access_key("bench", "administrator")?;
    let caller = Caller::new(&world, id, secret)?;
    for number in 0..deployments {
        let body = if number == 0 {
            json!({"name": "bench", "templateName": "minimal-env", "templateMajorVersion": "1", "spec": spec,
                "environmentAccountConnectionId": connection})
        } else {
            let spec = spec.replace("14", &(number % 300 + 1).to_string());
            json!({"name": "bench", "deploymentType": "CURRENT_VERSION", "spec": spec})
        };
        let operation = if number == 0 {
            "CreateEnvironment"
        } else {
            "UpdateEnvironment"
        };
        caller.call(operation, &body.to_string()).await?;
        wait::until("the deployment to end", Duration::from_secs(60), || async {
            let (ended, failed) = ended(&world.hub.folder().join("hub.db"))?;
            ensure!(failed == 0, "a deployment has failed");
            Ok((ended > number).then_some(()))
        })
        .await?;
        let made = number + 1;
        // What stays at a level and what grows without end look alike after a few.
        if made == deployments || made.to_string().trim_end_matches('0') == "1" {
            let (rss, anonymous, _) = taken(pid)?;
            let case = match made {
                1 => "after one deployment".to_owned(),
                _ => format!("after {made} deployments"),
            };
            rows.push(row(
                "W8",
                &case,
                1.0,
                "Hadron",
                0,
                &[("rss_mib", rss), ("anonymous_mib", anonymous)],
            ));
        }
    }
    field(&world.admin.json(&["environment", "get", "bench"]).await?, "name")?;
    std::fs::write(out, serde_json::to_string(&rows)?).with_context(|| format!("writing {}", out.display()))
}
