//! Workers as the hub has them: its own program, started again. What they answer, what they do not survive, and who waits.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hadron_management::render::{Failure, Options, Renderer};
use hadron_proto::vocab::Digest;
use hadron_templates::{Answer, Bundle, Expect, Given, Limits, Packed, Question, Reply};

const SCHEMA: &str = "schema:
  format: { openapi: '3.0.0' }
  environment_input_type: T
  types:
    T: { type: object, properties: { size: { type: string, default: small } } }
";
const MANIFEST: &str = "infrastructure:
  templates:
    - { file: cloudformation.yaml, rendering_engine: jinja, template_language: cloudformation }
";
const STACK: &str = "Resources:\n  A: { Type: T, Name: \"{{ environment.inputs.size }}\" }\n";
/// Doubles a text until there is no more memory.
const DOUBLING: &str = "{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}\n";
/// Computes for long, in little memory.
const LONG: &str = "{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(16) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}\
                    {% for i in range(99999) %}{% set ns.t = ns.s | upper | replace('A', 'b') %}{% endfor %}\n";

fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_hadron-hub").into()
}

fn options() -> Options {
    Options {
        workers: 2,
        queue: 8,
        // Computers of tests may be slow; what is to be found out here is not how soon.
        computing: Duration::from_secs(5),
        time: Duration::from_secs(60),
        ..Options::default()
    }
}

async fn workers(options: Options) -> Renderer {
    Renderer::workers_of(program(), options).await.unwrap()
}

/// A question about a bundle whose template has this at its top, with the bundle.
fn check(top: &str) -> (Question, Given) {
    let files = [
        ("schema/schema.yaml", SCHEMA.to_owned()),
        ("infrastructure/manifest.yaml", MANIFEST.to_owned()),
        ("infrastructure/cloudformation.yaml", format!("{top}{STACK}")),
    ];
    let files = files.map(|(path, text)| (path, text.into_bytes()));
    let archive = Bundle::from_files(files, &Limits::default())
        .unwrap()
        .to_archive();
    let packed = Packed {
        archive: Digest::of(&archive),
        expect: Expect::Provisioned,
    };
    (
        Question::Check(packed),
        Given::from([(packed.archive, Arc::new(archive))]),
    )
}

async fn ask(renderer: &Renderer, top: &str) -> Result<Reply, Failure> {
    let (question, given) = check(top);
    renderer.ask(question, given).await
}

fn is_checked(reply: &Result<Reply, Failure>) -> bool {
    matches!(reply, Ok(Reply::Answer(Answer::Checked(_))))
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_answer_as_this_process_does() {
    let (here, there) = (Renderer::here(), workers(options()).await);
    for top in ["", "{{ environment.inputs.seize }}", "{% if %}"] {
        let reply = ask(&here, top).await.unwrap();
        assert_eq!(ask(&there, top).await.unwrap(), reply, "{top}");
    }
    let spec = Question::ServiceSpec(
        "spec".to_owned(),
        "proton: ServiceSpec\ninstances: 7\n".to_owned(),
    );
    let reply = there.ask(spec, Given::new()).await.unwrap();
    assert!(
        matches!(&reply, Reply::Faults(faults) if faults.to_string().contains("spec:2:12")),
        "{reply:?}"
    );
    let (Question::Check(packed), given) = check("") else {
        panic!("another question")
    };
    // The second time it is kept there, and the third one asks another worker, which has never seen it.
    let open = Question::Open(Packed {
        expect: Expect::Environment,
        ..packed
    });
    for _ in 0..2 {
        let reply = there.ask(open.clone(), given.clone()).await.unwrap();
        assert!(matches!(reply, Reply::Answer(Answer::Opened(_))), "{reply:?}");
    }
    let both = futures::future::join_all((0..8).map(|_| there.ask(open.clone(), given.clone()))).await;
    assert!(
        both.iter()
            .all(|reply| matches!(reply, Ok(Reply::Answer(Answer::Opened(_)))))
    );
    let counts = there.counts().unwrap();
    assert_eq!((counts.answered, counts.failed, counts.busy), (14, 0, 0));
    assert!(here.counts().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_for_a_worker_costs_that_one_and_has_a_reason() {
    let limited = Options {
        memory: 64 * 1024 * 1024,
        computing: Duration::from_millis(300),
        ..options()
    };
    let renderer = workers(limited.clone()).await;
    for (top, failure) in [
        (DOUBLING, Failure::Memory(limited.memory)),
        (LONG, Failure::Computing(limited.computing)),
        (DOUBLING, Failure::Memory(limited.memory)),
    ] {
        assert_eq!(ask(&renderer, top).await, Err(failure));
    }
    let counts = renderer.counts().unwrap();
    assert_eq!(counts.failed, 3);
    assert!(counts.workers <= 2, "{counts:?}");
    // Nobody else had one of them.
    let patient = workers(options()).await;
    let (good, bomb) = tokio::join!(ask(&patient, ""), ask(&patient, DOUBLING));
    assert!(is_checked(&good), "{good:?}");
    assert_eq!(bomb, Err(Failure::Memory(options().memory)));
    assert!(is_checked(&ask(&patient, "").await));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_are_rendered_at_once_than_there_are_workers_and_no_more_wait_than_may() {
    let renderer = workers(Options {
        workers: 1,
        queue: 1,
        ..options()
    })
    .await;
    let first = tokio::spawn({
        let renderer = renderer.clone();
        async move { ask(&renderer, LONG).await }
    });
    while renderer.counts().unwrap().running == 0 {
        tokio::task::yield_now().await;
    }
    let second = tokio::spawn({
        let renderer = renderer.clone();
        async move { ask(&renderer, "").await }
    });
    while renderer.counts().unwrap().waiting == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(ask(&renderer, "").await, Err(Failure::Busy));
    assert_eq!(renderer.counts().unwrap().busy, 1);
    assert_eq!(first.await.unwrap(), Err(Failure::Computing(options().computing)));
    assert!(is_checked(&second.await.unwrap()), "it had its turn");
    let counts = renderer.counts().unwrap();
    assert_eq!((counts.running, counts.waiting), (0, 0), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_wait_leaves_a_worker_that_goes_on() {
    let renderer = workers(Options {
        workers: 1,
        ..options()
    })
    .await;
    let (question, given) = check("");
    // Asked and forgotten, at the first moment when it waits.
    let asked = tokio::time::timeout(Duration::ZERO, renderer.ask(question, given)).await;
    assert!(asked.is_err());
    assert!(is_checked(&ask(&renderer, "").await));
    let counts = renderer.counts().unwrap();
    assert_eq!((counts.answered, counts.failed), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_no_worker_is_told_at_once() {
    for (program, word) in [
        ("/no/such/program", "cannot be started"),
        ("/bin/false", "before it was ready"),
    ] {
        let error = Renderer::workers_of(program.into(), options()).await.unwrap_err();
        assert!(format!("{error:#}").contains(word), "{error:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_larger_than_a_message_may_be_is_refused_and_costs_no_worker() {
    let renderer = workers(options()).await;
    let (Question::Check(packed), _) = check("") else {
        panic!("another question")
    };
    let large = Arc::new(vec![0; 65 * 1024 * 1024]);
    let given = Given::from([(packed.archive, large)]);
    let refused = renderer.ask(Question::Check(packed), given).await;
    assert_eq!(refused, Err(Failure::TooLarge(64 * 1024 * 1024)));
    assert!(is_checked(&ask(&renderer, "").await));
    assert_eq!(renderer.counts().unwrap().failed, 0);
}
