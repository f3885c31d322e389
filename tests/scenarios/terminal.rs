//! The command line in front of a real terminal and a real hub: leaving it in the middle, a hub that goes away, and the way
//! into the console.

use anyhow::{Context as _, Result, ensure};
use hadron_tests::{PROD, World};
use serde_json::json;

use crate::seat::Seat;
use crate::stage::{NAME, Stage, spec};

/// Somebody's command in a terminal.
fn sit(world: &World, args: &[&str]) -> Result<Seat> {
    let told = world.admin.command(args)?;
    let variables = told.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let command = pty_process::Command::new(told.get_program())
        .args(told.get_args())
        .env_clear()
        .envs(variables)
        .env("TERM", "xterm-256color")
        .current_dir(told.get_current_dir().context("a folder")?);
    Ok(Seat::at(command, (24, 100)))
}

/// What a line on the screen says to type, by what it is for.
fn typed(screen: &str, why: &str) -> Result<Vec<String>> {
    let line = screen
        .lines()
        .find(|line| line.contains(why))
        .context("no such line")?;
    let line = line
        .trim()
        .trim_start_matches("next: hadron ")
        .split('#')
        .next()
        .unwrap_or_default();
    Ok(line.split_whitespace().map(str::to_owned).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_in_the_middle_of_waiting_leaves_the_deployment_alone() {
    leaves_it_alone().await.unwrap();
}

async fn leaves_it_alone() -> Result<()> {
    let stage = Stage::new(6).await?;
    stage.standing(&json!({ "note": "one" })).await?;
    let file = spec(&stage.world, NAME, &json!({ "note": "two", "seconds": 3 }))?;
    let update = ["environment", "update", NAME, "--spec", &file, "--wait"];
    let mut seat = sit(&stage.world, &update)?;
    seat.sees(&["environment prd  IN_PROGRESS", "Slow", "UPDATE_IN_PROGRESS"])
        .await;
    seat.types(b"\x03").await;
    let left = seat.left().await;
    ensure!(
        left.code == 130 && left.gone == 0,
        "{}: {}",
        left.code,
        left.screen
    );
    ensure!(
        left.screen
            .contains("detached; the deployment goes on at the hub"),
        "{}",
        left.screen
    );

    // Nobody has cancelled it: the very command that was printed sees it succeed.
    let watch = typed(&left.screen, "to go on watching")?;
    let watch: Vec<&str> = watch.iter().map(String::as_str).collect();
    let id = watch.last().copied().context("an id")?.to_owned();
    let ran = stage.world.admin.run(&watch).await?;
    ensure!(
        ran.code == 0 && ran.text().contains("SUCCEEDED"),
        "{}",
        ran.text()
    );
    let cancel = typed(&left.screen, "to cancel it")?;
    ensure!(cancel == ["deployment", "cancel", &id], "{cancel:?}");
    ensure!(
        stage.environment().await?["deployment"]["outputs"]["Note"] == "two",
        "not as deployed"
    );
    stage.holds().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_restarts_under_a_watch_loses_nothing_of_it() {
    loses_nothing().await.unwrap();
}

async fn loses_nothing() -> Result<()> {
    let mut stage = Stage::new(6).await?;
    let id = stage.create(&json!({ "note": "one", "seconds": 4 })).await?;
    let mut seat = sit(&stage.world, &["deployment", "watch", &id])?;
    seat.sees(&["environment prd  IN_PROGRESS", "Slow", "CREATE_IN_PROGRESS"])
        .await;
    stage.world.hub.restart().await?;
    seat.sees(&["connected to the hub again, nothing was missed"])
        .await;
    let left = seat.left().await;
    ensure!(left.code == 0, "{}", left.screen);
    ensure!(
        left.screen.contains("environment prd  SUCCEEDED  3/3 resources"),
        "{}",
        left.screen
    );

    // In a pipe: each event once, in its order, across the same break.
    let watch = stage.world.admin.start(&["deployment", "watch", &id])?;
    let output = watch.wait_with_output().await?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    for resource in ["Note", "Slow", "Probe"] {
        for status in ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"] {
            let ends = format!(" {status}");
            let lines = told
                .lines()
                .filter(|line| line.contains(&format!(": {resource} (")) && line.ends_with(&ends))
                .count();
            ensure!(lines >= 1, "{resource}{ends} in:\n{told}");
        }
    }
    stage.holds().await
}

/// A client that trusts the hub's CA and follows no redirection.
fn browser(world: &World) -> Result<reqwest::Client> {
    let pem = std::fs::read(&world.front().ca_file)?;
    Ok(reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tls_certs_only([reqwest::Certificate::from_pem(&pem)?])
        .build()?)
}

/// Follows a link to its page and presses the button; gives what the page's form carries, and where that leads.
async fn follow(world: &World, link: &str) -> Result<(String, String)> {
    let browser = browser(world)?;
    let page = browser.get(link).send().await?;
    ensure!(page.status() == 200, "{}", page.status());
    let page = page.text().await?;
    let field = |name: &str| {
        let start = format!("name=\"{name}\" value=\"");
        let rest = page.split(&start).nth(1).unwrap_or_default();
        rest.split('"').next().unwrap_or_default().to_owned()
    };
    let next = field("next");
    let body = format!("link={}&next={}", field("link"), next.replace('/', "%2F"));
    let entered = browser
        .post(format!("{}/sign-in", world.front().api))
        .header("origin", &world.front().api)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
        .send()
        .await?;
    ensure!(entered.status() == 303, "{}", entered.status());
    let location = entered.headers()["location"].to_str()?.to_owned();
    Ok((next, location))
}

#[tokio::test(flavor = "multi_thread")]
async fn open_leads_to_the_page_of_a_thing_and_nowhere_else() {
    leads_to_pages().await.unwrap();
}

async fn leads_to_pages() -> Result<()> {
    let stage = Stage::new(6).await?;
    let id = stage.create(&json!({ "note": "one" })).await?;
    stage.succeeds(&id).await?;
    let deployment = format!("/deployments/{id}");
    for (what, page) in [
        (&["environment", NAME][..], "/environments/prd"),
        (&["env"], "/environments"),
        (&["deployment", &id], &deployment),
        (
            &["template", "probe-env", "--template-version", "1.0"],
            "/catalog/environment/probe-env/1.0",
        ),
        (&["audit"], "/audit"),
        (&[], "/"),
    ] {
        let args = [&["open"][..], what, &["--print"]].concat();
        let link = stage.world.admin.ok(&args).await?.stdout;
        let (_, location) = follow(&stage.world, link.trim()).await?;
        ensure!(location == page, "{what:?} leads to {location}");
    }

    // A slip is told before there is a link.
    let told = stage
        .world
        .admin
        .fails(3, &["open", "environment", "prod"])
        .await?;
    ensure!(
        told.contains("did you mean 'prd'?") && told.contains("next: hadron open environment prd"),
        "{told}"
    );
    let told = stage.world.admin.fails(2, &["open", "enviroment"]).await?;
    ensure!(told.contains("environment"), "{told}");

    // Whoever puts another address behind a good link leads nobody there.
    for elsewhere in [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/environments/../sign-out",
        "/environments//evil.example",
        "/sign-out",
    ] {
        let link = stage.world.admin.ok(&["console", "--print"]).await?.stdout;
        let mut hostile = reqwest::Url::parse(link.trim())?;
        hostile.query_pairs_mut().append_pair("next", elsewhere);
        let (next, location) = follow(&stage.world, hostile.as_str()).await?;
        ensure!(next == "/" && location == "/", "{elsewhere} leads to {location}");
        // Nor does whoever writes the form.
        let link = stage.world.admin.ok(&["console", "--print"]).await?.stdout;
        let secret = link.trim().rsplit('/').next().unwrap_or_default();
        let mut form = reqwest::Url::parse("https://form.example/")?;
        form.query_pairs_mut()
            .append_pair("link", secret)
            .append_pair("next", elsewhere);
        let entered = browser(&stage.world)?
            .post(format!("{}/sign-in", stage.world.front().api))
            .header("origin", &stage.world.front().api)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.query().unwrap_or_default().to_owned())
            .send()
            .await?;
        let location = entered.headers()["location"].to_str()?.to_owned();
        ensure!(location == "/", "{elsewhere} leads to {location}");
    }
    ensure!(stage.world.agents.contains_key(PROD), "the account's agent");
    Ok(())
}
