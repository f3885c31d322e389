//! Templates that take all memory or time they can get: refused soon, with a reason, and nobody else notices. And what the
//! processes that render them are kept from.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use hadron_proto::wire;
use hadron_proto::wire::environment_service_client::EnvironmentServiceClient;
use hadron_proto::wire::template_service_client::TemplateServiceClient;
use hadron_tests::{World, paths, wait};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

/// Within this a bomb is refused where nobody else uses the machine.
const SOON: Duration = Duration::from_secs(2);
/// How much more memory the hub may have after a bomb than before all of them, in KiB.
const MORE: u64 = 64 * 1024;
/// How long somebody else's call may take meanwhile, where it took a few milliseconds before.
const UNNOTICED: Duration = Duration::from_millis(250);

/// What is bad, the text at the top of a template that does it, and words of the refusal.
type Bomb = (&'static str, String, &'static [&'static str]);

const MEMORY: &[&str] = &["checking the bundle needs more than 256 MiB of memory"];
/// Slow machines meet the limit of computing first.
const MEMORY_OR_TIME: &[&str] = &["checking the bundle needs more than"];
/// The engine's own limits tell the place.
const PLACE: &[&str] = &["infrastructure/cloudformation.yaml:1:"];

/// AT-50 to AT-56 of the attack list, and relatives.
fn bombs() -> Vec<Bomb> {
    let set = "{% set ns = namespace(s='aaaaaaaaaaaaaaaa', l=[1]) %}";
    let grow = |times: u32, step: &str| {
        format!("{set}{{% for i in range({times}) %}}{{% set {step} %}}{{% endfor %}}")
    };
    let million = format!("{set}{{% for i in range(16) %}}{{% set ns.s = ns.s ~ ns.s %}}{{% endfor %}}");
    vec![
        (
            "AT-50 loops inside loops",
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}".to_owned(),
            PLACE,
        ),
        (
            "AT-51 a text doubled 60 times",
            grow(60, "ns.s = ns.s ~ ns.s"),
            MEMORY,
        ),
        (
            "AT-51 a list doubled 60 times",
            grow(60, "ns.l = ns.l + ns.l"),
            MEMORY_OR_TIME,
        ),
        (
            "AT-52 replace makes sixteen of each",
            grow(20, "ns.s = ns.s | replace('a', 'aaaaaaaaaaaaaaaa')"),
            MEMORY,
        ),
        ("AT-52 join", grow(20, "ns.s = range(1000) | join(ns.s)"), MEMORY),
        (
            "AT-52 format",
            "{{ '%2000000000s' | format('a') }}".to_owned(),
            PLACE,
        ),
        ("AT-52 center", "{{ 'a' | center(2000000000) }}".to_owned(), PLACE),
        (
            "AT-52 indent",
            "{{ 'ab' | indent(2000000000) }}".to_owned(),
            PLACE,
        ),
        (
            "AT-53 a macro that calls itself",
            "{% macro m(n) %}{{ m(n) }}{% endmacro %}{{ m(1) }}".to_owned(),
            &["infrastructure/cloudformation.yaml:1"],
        ),
        (
            "AT-53 parentheses",
            format!("{{{{ {}1{} }}}}", "(".repeat(50_000), ")".repeat(50_000)),
            &["infrastructure/cloudformation.yaml:1", "too long"],
        ),
        (
            "AT-53 lists inside lists",
            format!("{}{{{{ ns.l }}}}", grow(99_999, "ns.l = [ns.l]")),
            PLACE,
        ),
        (
            "AT-54 a long range",
            "{{ range(9999999999) | list }}".to_owned(),
            &["infrastructure/cloudformation.yaml:1"],
        ),
        (
            "AT-55 include",
            "{% include '/etc/passwd' %}".to_owned(),
            &["cannot refer to other files"],
        ),
        (
            "AT-56 a megabyte 2000 times",
            format!("{million}{{% for i in range(2000) %}}{{{{ ns.s }}}}{{% endfor %}}"),
            &["would be larger than 1048576 bytes"],
        ),
        (
            COMPUTING,
            format!(
                "{million}{{% for i in range(99999) %}}{{% set ns.t = ns.s | upper | replace('A', 'b') %}}{{% endfor %}}"
            ),
            &["checking the bundle needs more than 1000 ms of computing"],
        ),
    ]
}

const COMPUTING: &str = "much computing in little memory";

/// The minimal environment template with a text at its top, packed.
fn bundle(top: &str) -> Vec<u8> {
    let from = paths::root().join("deploy/examples/minimal-env/v1");
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(
        Vec::new(),
        flate2::Compression::fast(),
    ));
    for file in [
        "schema/schema.yaml",
        "infrastructure/manifest.yaml",
        "infrastructure/cloudformation.yaml",
    ] {
        let mut text = std::fs::read_to_string(from.join(file)).unwrap();
        if file.ends_with("cloudformation.yaml") {
            text.insert_str(0, &format!("{top}\n"));
        }
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, file, text.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

/// Somebody with a token.
#[derive(Clone)]
struct Caller {
    templates: TemplateServiceClient<Channel>,
    environments: EnvironmentServiceClient<Channel>,
    token: String,
}

impl Caller {
    async fn new(world: &World, name: &str) -> Result<Self> {
        Ok(Self {
            templates: TemplateServiceClient::new(world.door().await?),
            environments: EnvironmentServiceClient::new(world.door().await?),
            token: world.hub.token(name, "administrator")?,
        })
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let token = format!("Bearer {}", self.token).parse().unwrap();
        request.metadata_mut().insert("authorization", token);
        request
    }

    async fn register(&self, top: &str) -> Result<String, Status> {
        let request = self.request(wire::CreateTemplateVersionRequest {
            kind: wire::TemplateKind::Environment.into(),
            template_name: "bomb".to_owned(),
            bundle: bundle(top),
            ..Default::default()
        });
        let made = self.templates.clone().create_template_version(request).await?;
        Ok(made.into_inner().version)
    }

    /// Registers a template and makes an environment of it: whichever of the two is refused, and how long that took.
    ///
    /// # Panics
    /// When neither is.
    async fn refused(&self, name: &str, top: &str) -> (Status, Duration) {
        let began = Instant::now();
        let version = match self.register(top).await {
            Err(status) => return (status, began.elapsed()),
            Ok(version) => version,
        };
        self.publish(&version).await;
        let began = Instant::now();
        match self.create(name, &version, 7).await {
            Err(status) => (status, began.elapsed()),
            Ok(()) => panic!("{top:.200} is rendered"),
        }
    }

    async fn publish(&self, version: &str) {
        let request = self.request(wire::PublishTemplateVersionRequest {
            kind: wire::TemplateKind::Environment.into(),
            template_name: "bomb".to_owned(),
            version: version.to_owned(),
            ..Default::default()
        });
        self.templates
            .clone()
            .publish_template_version(request)
            .await
            .unwrap();
    }

    async fn create(&self, name: &str, version: &str, days: u32) -> Result<(), Status> {
        let request = self.request(wire::CreateEnvironmentRequest {
            name: name.to_owned(),
            template_name: "bomb".to_owned(),
            template_version: version.to_owned(),
            spec: format!("proton: EnvironmentSpec\nspec:\n  retention_days: {days}\n"),
            ..Default::default()
        });
        self.environments
            .clone()
            .create_environment(request)
            .await
            .map(drop)
    }

    /// What nobody renders anything for.
    async fn list(&self) -> Result<Duration, Status> {
        let began = Instant::now();
        let request = self.request(wire::ListTemplatesRequest::default());
        self.templates.clone().list_templates(request).await?;
        Ok(began.elapsed())
    }
}

/// A world with an environment template that has no version yet.
async fn world() -> (World, Caller) {
    let world = World::new().await.unwrap();
    let caller = Caller::new(&world, "somebody").await.unwrap();
    let request = caller.request(wire::CreateTemplateRequest {
        kind: wire::TemplateKind::Environment.into(),
        name: "bomb".to_owned(),
        ..Default::default()
    });
    caller.templates.clone().create_template(request).await.unwrap();
    (world, caller)
}

/// What is resident of a process, in KiB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// State and parent of a process.
fn stat(pid: u32) -> Option<(String, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut words = rest.split_whitespace();
    Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
}

/// The children of a process that have not ended.
fn children(parent: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|(state, of)| of == parent && state != "Z"))
        .collect()
}

/// How many share a processor now, as far as the system tells; at least one.
fn shared() -> f64 {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap();
    let load: f64 = load.split(' ').next().unwrap().parse().unwrap();
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    (load / processors as f64).max(1.0)
}

/// Whether any thread of a process computes.
fn computes(pid: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let mut states = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("stat")).ok());
    states.any(|stat| {
        stat.rsplit_once(')')
            .is_some_and(|(_, rest)| rest.starts_with(" R"))
    })
}

fn kill(pid: u32) {
    let done = std::process::Command::new("kill")
        .args(["-9", &pid.to_string()])
        .status();
    assert!(done.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_are_refused_soon_and_nobody_else_notices() {
    let (mut world, caller) = world().await;
    let hub = world.hub.process().pid();
    // Once without a bomb, so that everything is there that is made at its first use.
    caller.register("").await.unwrap();
    let before = resident(hub);

    // Somebody else, all the time.
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let other = tokio::spawn({
        let caller = caller.clone();
        async move {
            let mut times = Vec::new();
            while !*stopped.borrow() {
                times.push(caller.list().await.unwrap());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            times
        }
    });
    let mut amiss = Vec::new();
    for (what, top, says) in bombs() {
        let (status, took) = caller.refused("prd", &top).await;
        if status.code() != Code::InvalidArgument {
            amiss.push(format!("{what}: {status:?}"));
        }
        let lacks = says.iter().filter(|word| !status.message().contains(**word));
        amiss.extend(lacks.map(|word| format!("{what}: no '{word}' in: {}", status.message())));
        let now = resident(hub);
        eprintln!("{what}: {} ms, hub {before} -> {now} KiB", took.as_millis());
        if took > SOON.mul_f64(shared()) {
            amiss.push(format!("{what}: refused after {} ms", took.as_millis()));
        }
        if now > before + MORE {
            amiss.push(format!("{what}: the hub had {before} KiB before and has {now}"));
        }
        // The next one finds a worker.
        if let Err(status) = caller.register("").await {
            amiss.push(format!("{what}: and then {status:?}"));
        }
    }
    // All at once: each has its turn, and nobody waits for them who renders nothing.
    let all = bombs().into_iter().map(|(what, top, _)| {
        let caller = caller.clone();
        async move { (what, caller.refused("prd", &top).await.0) }
    });
    for (what, status) in futures::future::join_all(all).await {
        // Where the machine is slow some are told to come again.
        if !matches!(status.code(), Code::InvalidArgument | Code::Unavailable) {
            amiss.push(format!("{what}, with the others: {status:?}"));
        }
    }
    let now = resident(hub);
    if now > before + MORE {
        amiss.push(format!(
            "all at once: the hub had {before} KiB before and has {now}"
        ));
    }
    stop.send_replace(true);
    let mut times = other.await.unwrap();
    times.sort();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
    eprintln!(
        "others: {} calls, p50 {:?}, p99 {:?}, longest {:?}",
        times.len(),
        at(50),
        at(99),
        at(100)
    );
    assert!(at(99) < UNNOTICED.mul_f64(shared()), "others waited {:?}", at(99));
    assert!(amiss.is_empty(), "{}", amiss.join("\n"));
    assert!(world.hub.gauge("hadron_render_workers_lost_total").await.unwrap() > 0);
    assert!(world.hub.gauge("hadron_renders_total").await.unwrap() > 0);
    world.at_rest().await.unwrap();
}

/// A bomb behind a condition that the samples of the check do not meet: it is the first environment that meets it.
#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_behind_a_condition_costs_the_one_request() {
    let (mut world, caller) = world().await;
    let double = "{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}";
    let top = format!("{{% if environment.inputs.retention_days == 77 %}}{double}{{% endif %}}");
    let version = caller.register(&top).await.unwrap();
    caller.publish(&version).await;
    let refused = caller.create("prd", &version, 77).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    for word in ["environment 'prd'", "infrastructure/", "256 MiB of memory"] {
        assert!(refused.message().contains(word), "{refused:?}");
    }
    assert!(world.items(&["environment", "list"]).await.unwrap().is_empty());
    caller.create("dev", &version, 7).await.unwrap();
    let list = world.items(&["deployment", "list"]).await.unwrap();
    let deployment = list[0]["id"].as_str().unwrap().to_owned();
    let ended = world.ended(&deployment).await.unwrap();
    assert_eq!(ended["status"], "SUCCEEDED", "{ended}");
    world.at_rest().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_somebody_ends_costs_one_request_and_all_end_with_the_hub() {
    let (mut world, caller) = world().await;
    let hub = world.hub.process().pid();
    let (_, top, _) = bombs().into_iter().find(|(what, ..)| *what == COMPUTING).unwrap();
    let asked = tokio::spawn({
        let caller = caller.clone();
        async move { caller.register(&top).await }
    });
    let running = wait::until("a worker to compute", Duration::from_secs(30), || async {
        Ok(children(hub).into_iter().find(|pid| computes(*pid)))
    })
    .await
    .unwrap();
    kill(running);
    let refused = asked.await.unwrap().unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
    assert!(
        refused.message().contains("checking the bundle was not finished"),
        "{refused:?}"
    );
    assert!(
        refused
            .message()
            .contains("somebody ended the hub's render worker"),
        "{refused:?}"
    );
    caller.register("").await.unwrap();

    // One that is ended while it waits costs nobody anything.
    let idle = wait::until("a worker to wait", Duration::from_secs(30), || async {
        Ok(Some(children(hub)).filter(|children| !children.is_empty()))
    })
    .await
    .unwrap();
    idle.iter().for_each(|pid| kill(*pid));
    wait::until("them to be gone", Duration::from_secs(30), || async {
        Ok((!children(hub).iter().any(|pid| idle.contains(pid))).then_some(()))
    })
    .await
    .unwrap();
    caller.register("").await.unwrap();

    let workers = children(hub);
    assert!(!workers.is_empty());
    world.hub.process().kill().unwrap();
    wait::until(
        "workers to end with their hub",
        Duration::from_secs(30),
        || async {
            Ok(workers
                .iter()
                .all(|pid| !Path::new(&format!("/proc/{pid}/exe")).exists())
                .then_some(()))
        },
    )
    .await
    .unwrap();
    world.hub.restart().await.unwrap();
    caller_again(&world).await.unwrap();
}

async fn caller_again(world: &World) -> Result<()> {
    let caller = Caller::new(world, "somebody-else").await?;
    caller.register("").await.map(drop).context("after the restart")
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_have_nothing_but_their_pipes() {
    let (mut world, caller) = world().await;
    caller.register("").await.unwrap();
    let hub = world.hub.process().pid();
    // One may have been started only now: it takes from itself what it has before it says that it is ready.
    let workers = wait::until("all workers to be ready", Duration::from_secs(30), || async {
        let workers = children(hub);
        let confined = |pid: &u32| {
            std::fs::read_to_string(format!("/proc/{pid}/status"))
                .is_ok_and(|status| status.lines().any(|line| line == "Seccomp:\t2"))
        };
        Ok(Some(workers).filter(|workers| !workers.is_empty() && workers.iter().all(confined)))
    })
    .await
    .unwrap();
    for pid in workers {
        let of = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
        assert_eq!(of("environ"), "", "no environment");
        assert!(of("cmdline").contains("\0render-worker\0"), "{}", of("cmdline"));
        let link = |name: &str| std::fs::read_link(format!("/proc/{pid}/{name}")).unwrap();
        assert_eq!(link("cwd"), Path::new("/"));
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
        let mut files: Vec<String> = files
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        files.sort();
        assert_eq!(files, ["0", "1", "2"]);
        for file in files {
            let target = link(&format!("fd/{file}"));
            assert!(target.to_string_lossy().starts_with("pipe:"), "{target:?}");
        }
        let status = of("status");
        let says = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().trim_start_matches(':').trim().to_owned()
        };
        assert_eq!(
            (says("Seccomp"), says("NoNewPrivs")),
            ("2".to_owned(), "1".to_owned())
        );
        let limits = of("limits");
        let limit = |name: &str| {
            let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().to_owned()
        };
        assert_eq!(limit("Max open files"), "3");
        assert_eq!(limit("Max file size"), "0");
        assert_eq!(limit("Max core file size"), "1");
        let data: u64 = limit("Max data size").parse().unwrap();
        let own = 256 + 160;
        assert!((own..own + 200).contains(&(data / 1024 / 1024)), "{data}");
        assert!(limit("Max address space").parse::<u64>().unwrap() < 8 << 30);
    }
    world.at_rest().await.unwrap();
}
