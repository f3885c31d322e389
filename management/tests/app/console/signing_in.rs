//! Signing in and out, and what a session is.

use std::time::Duration;

use hadron_domain::authority::Role;
use hadron_management::app::ErrorKind;
use hadron_management::app::console::{IDLE, LINK_LIFE, SESSION_LIFE, Secret};
use http::StatusCode;

use super::{Browser, token};
use crate::scenarios;
use crate::world::{World, reason};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_signed_in_is_sent_to_sign_in_and_back() {
    let world = World::sqlite().await;
    let nobody = Browser::fresh(&world);
    for path in ["/", "/environments", "/deployments", "/audit"] {
        let page = nobody.get(path).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{path}");
        assert!(page.to().starts_with("/sign-in"), "{}", page.to());
    }
    assert_eq!(
        nobody.get("/live/environments").await.status,
        StatusCode::UNAUTHORIZED
    );
    let page = nobody.get("/sign-in").await;
    assert!(page.text.contains("hadron console"), "{}", page.text);
    for link in ["x".repeat(43), "short".to_owned()] {
        let page = nobody.get(&format!("/sign-in/{link}")).await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    }
    for asset in [
        "console.css",
        "console.js",
        "htmx.min.js",
        "htmx-ext-sse.min.js",
        "icon.svg",
    ] {
        assert_eq!(
            nobody.get(&format!("/assets/{asset}")).await.status,
            StatusCode::OK,
            "{asset}"
        );
    }
    assert_eq!(
        nobody.get("/assets/LICENSES.md").await.status,
        StatusCode::NOT_FOUND
    );
}

scenarios! {
    async fn a_link_signs_one_browser_in_and_a_session_ends(world: World) {
        let app = &world.app;
        let caller = crate::world::caller(Role::Administrator, None);
        let digest = token(&world, "ann", Some(Role::Administrator), None, Some(Duration::from_secs(7_200))).await;
        let link = app.console_link(&caller, digest).await.unwrap();
        assert_eq!(app.link_of(&link).await.unwrap().principal.as_str(), "token:ann");
        let (session, signed_in) = app.sign_in(&link).await.unwrap();
        assert_eq!(signed_in.caller.role(), Some(Role::Administrator));
        assert_eq!(reason(app.sign_in(&link).await.map(|_| ())), "NO_LINK");
        assert_eq!(app.link_of(&link).await.unwrap_err().kind, ErrorKind::Unauthenticated);
        // A session is no link, and a link no session.
        assert!(app.session(&link, true).await.unwrap().is_none());
        assert_eq!(reason(app.sign_in(&session).await.map(|_| ())), "NO_LINK");
        assert!(app.session(&session, true).await.unwrap().is_some());
        assert!(Secret::parse("nonsense").is_none());

        // Of two who follow it at once one is signed in.
        let link = app.console_link(&caller, digest).await.unwrap();
        let (one, two) = tokio::join!(app.sign_in(&link), app.sign_in(&link));
        assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1);

        // It ends when somebody signs out, for that browser only.
        let (other, _) = one.or(two).unwrap();
        app.sign_out(&other, &caller).await.unwrap();
        assert!(app.session(&other, true).await.unwrap().is_none());
        assert!(app.session(&session, true).await.unwrap().is_some());

        // And when its token is switched off.
        assert_eq!(app.disable_tokens("ann".to_owned()).await.unwrap(), 1);
        assert!(app.session(&session, true).await.unwrap().is_none());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_end_in_time() {
    let world = World::sqlite().await;
    let app = &world.app;
    let caller = crate::world::caller(Role::Auditor, None);
    let digest = token(&world, "ann", Some(Role::Auditor), None, None).await;
    let open = async || {
        app.sign_in(&app.console_link(&caller, digest).await.unwrap())
            .await
            .unwrap()
    };

    let late = app.console_link(&caller, digest).await.unwrap();
    world.pass(LINK_LIFE).await;
    assert_eq!(reason(app.sign_in(&late).await.map(|_| ())), "NO_LINK");

    // Unused.
    let (session, signed_in) = open().await;
    assert_eq!(
        signed_in.ends_at.since(world.test.db.now().await.unwrap()),
        SESSION_LIFE
    );
    world.pass(IDLE).await;
    assert!(app.session(&session, true).await.unwrap().is_none());

    // Used all the time, and all the same.
    let (session, _) = open().await;
    let mut passed = Duration::ZERO;
    let step = IDLE / 2;
    while passed + step < SESSION_LIFE {
        world.pass(step).await;
        passed += step;
        assert!(
            app.session(&session, true).await.unwrap().is_some(),
            "after {passed:?}"
        );
    }
    world.pass(step).await;
    assert!(app.session(&session, true).await.unwrap().is_none());

    // A stream alone does not make it last.
    let (session, _) = open().await;
    for _ in 0..3 {
        world.pass(IDLE / 3).await;
        let _ = app.session(&session, false).await.unwrap();
    }
    assert!(app.session(&session, false).await.unwrap().is_none());

    // It never outlives the login that it came from.
    let digest = token(
        &world,
        "bob",
        Some(Role::Auditor),
        None,
        Some(Duration::from_secs(600)),
    )
    .await;
    let (session, signed_in) = app
        .sign_in(&app.console_link(&caller, digest).await.unwrap())
        .await
        .unwrap();
    assert_eq!(
        signed_in.ends_at.since(world.test.db.now().await.unwrap()),
        Duration::from_secs(600)
    );
    world.pass(Duration::from_secs(600)).await;
    assert!(app.session(&session, true).await.unwrap().is_none());
}
