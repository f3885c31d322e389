//! Which account may serve which environment: who can ask, who can decide, and what is left of an agent whose connection
//! has ended.

use std::time::Duration;

use hadron_proto::vocab::Timestamp;
use hadron_tests::cli::Cli;
use hadron_tests::scenario::{is_call, provisioning_role};
use hadron_tests::world::field;
use hadron_tests::{DEV, MANAGEMENT, PROD, World, paths, wait};
use serde_json::{Value, json};

/// Within this time of the decision, the agent's stream must be closed.
const CLOSED_WITHIN: Duration = Duration::from_secs(2);

/// The words of a request from an account that proves itself.
fn request<'a>(environment: &'a str, management: &'a str, role: &'a str) -> Vec<&'a str> {
    vec![
        "connection",
        "request",
        "--environment",
        environment,
        "--management-account",
        management,
        "--role-arn",
        role,
    ]
}

async fn slow_template(world: &World) {
    world
        .publish(
            "environment",
            "slow-env",
            &paths::root().join("tests/fixtures/slow-env"),
            &[],
        )
        .await
        .unwrap();
}

fn slow_spec(world: &World, seconds: u32) -> String {
    let text = format!("proton: EnvironmentSpec\nspec:\n  seconds: {seconds}\n");
    world.file(&format!("slow-{seconds}.yaml"), text).unwrap()
}

fn time(line: &Value) -> Timestamp {
    line["timestamp"].as_str().unwrap().parse().unwrap()
}

/// Waits for a line of a log whose message begins so and that came after `after`.
async fn logged(world: &World, file: &str, message: &str, after: Option<Timestamp>) -> Value {
    wait::until(
        &format!("'{message}' in {file}"),
        Duration::from_secs(20),
        || async {
            let lines = world.log_lines(file)?;
            Ok(lines.into_iter().find(|line| {
                let begins = line["message"]
                    .as_str()
                    .is_some_and(|text| text.starts_with(message));
                begins && after.is_none_or(|after| time(line) >= after)
            }))
        },
    )
    .await
    .unwrap()
}

/// Looks for how long the agent's stream outlived a decision about its connection, by the hub's own clock and by the agent's,
/// which is the same here.
async fn closed_in_time(world: &World, account: &str, connection: &str, decision: &str) {
    let decided = logged(world, "hub/hub.log", decision, None).await;
    assert_eq!(decided["connection.id"], connection);
    let ended = logged(world, "hub/hub.log", "A session was ended", Some(time(&decided))).await;
    assert_eq!(ended["span"]["connection.id"], connection, "{ended}");
    let log = format!("agent-{account}/agent.log");
    let noticed = logged(world, &log, "No session with the hub", Some(time(&decided))).await;
    for (whose, line) in [("hub", &ended), ("agent", &noticed)] {
        let after = time(line).since(time(&decided));
        assert!(
            after <= CLOSED_WITHIN,
            "{whose}: the stream was closed {after:?} after '{decision}'"
        );
    }
    let why = format!("{}{}", noticed["reason"], noticed["error"]);
    assert!(
        why.contains("the connection was"),
        "the agent is told why: {noticed}"
    );
    world.online(account, false).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_ended_ends_the_stream_of_its_agent_at_once() {
    let mut world = World::new().await.unwrap();
    slow_template(&world).await;

    // Deleted by the environment account.
    let deleted = world.connect(PROD, "prd").await.unwrap();
    world.online(PROD, true).await.unwrap();
    world
        .owner(PROD)
        .await
        .unwrap()
        .ok(&["connection", "delete", &deleted, "--yes"])
        .await
        .unwrap();
    closed_in_time(&world, PROD, &deleted, "connection deleted").await;

    // Rejected by the management account.
    let rejected = world.connect(DEV, "dev").await.unwrap();
    world.online(DEV, true).await.unwrap();
    world
        .admin
        .ok(&["connection", "reject", &rejected, "--yes"])
        .await
        .unwrap();
    closed_in_time(&world, DEV, &rejected, "connection rejected").await;
    assert_eq!(
        world.admin.json(&["connection", "get", &rejected]).await.unwrap()["status"],
        "REJECTED"
    );

    // Nothing can be built on either, and what the agents try from now on is refused.
    let spec = slow_spec(&world, 0);
    for (environment, connection) in [("prd", &deleted), ("dev", &rejected)] {
        let create = [
            "environment",
            "create",
            environment,
            "--template",
            "slow-env",
            "--spec",
            &spec,
            "--connection",
        ];
        let said = world
            .admin
            .fails(5, &[&create[..], &[connection]].concat())
            .await
            .unwrap();
        assert!(said.contains("hadron connection"), "{said}");
    }
    let said = world
        .admin
        .fails(5, &["connection", "accept", &rejected, "--account", DEV])
        .await
        .unwrap();
    assert!(said.contains("REJECTED"), "{said}");
    let ended = time(&logged(&world, "hub/hub.log", "connection rejected", None).await);
    logged(&world, "hub/hub.log", "An agent was refused", Some(ended)).await;
    let opened: Vec<Value> = world
        .log_lines("hub/hub.log")
        .unwrap()
        .into_iter()
        .filter(|line| line["message"] == "An agent opened a session" && time(line) > ended)
        .collect();
    assert_eq!(opened, Vec::<Value>::new(), "no session after the end");
    let calls = world.emulator.calls(0).await.unwrap();
    for account in [PROD, DEV] {
        let changed = calls.iter().any(|call| is_call(call, account, "CreateChangeSet"));
        assert!(!changed, "nothing was ever deployed in {account}");
    }
    world.at_rest().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_executed_once_the_connection_is_deleted_and_another_one_takes_over() {
    let mut world = World::new().await.unwrap();
    slow_template(&world).await;
    let first = world.connect(PROD, "prd").await.unwrap();
    world.online(PROD, true).await.unwrap();

    // The change set is made, and its description comes late: the connection is deleted before leave to execute is asked for.
    let late = json!({ "service": "cloudformation", "action": "DescribeChangeSet", "account": PROD, "kind": "delay", "seconds": 3 });
    world.emulator.plant(&late).await.unwrap();
    let spec = slow_spec(&world, 0);
    let create = [
        "environment",
        "create",
        "prd",
        "--template",
        "slow-env",
        "--connection",
        &first,
        "--spec",
        &spec,
    ];
    world.admin.ok(&create).await.unwrap();
    world
        .emulator
        .called("the change set to be looked at", 0, |call| {
            is_call(call, PROD, "DescribeChangeSet")
        })
        .await
        .unwrap();
    let owner = world.owner(PROD).await.unwrap();
    owner
        .ok(&["connection", "delete", &first, "--yes"])
        .await
        .unwrap();
    closed_in_time(&world, PROD, &first, "connection deleted").await;
    let after = world.emulator.last_call().await.unwrap();

    // The state says what is wrong and how to go on.
    let deployment = world
        .last_deployment(&["environment", "get", "prd"])
        .await
        .unwrap();
    assert_eq!(deployment["status"], "FAILED");
    assert!(
        field(&deployment, "statusMessage")
            .unwrap()
            .contains("was deleted by the environment account"),
        "{deployment}"
    );
    let ways = deployment["waysOut"].to_string();
    for way in [
        "from account 333333333333: hadron connection request --environment prd --management-account 111111111111",
        "hadron connection accept ID --account 333333333333",
        "hadron environment update prd --connection ID",
    ] {
        assert!(ways.contains(way), "no '{way}' in {ways}");
    }
    let shown = world.admin.json(&["environment", "get", "prd"]).await.unwrap();
    assert_eq!(shown["deployment"]["waysOut"], deployment["waysOut"]);

    // The agent had time to act on the late answer: it has given up by now, or comes back in vain.
    wait::until("the late answer", Duration::from_secs(20), || async {
        let calls = world.emulator.calls(0).await?;
        let answered = calls
            .iter()
            .all(|call| !is_call(call, PROD, "DescribeChangeSet") || !call["status"].is_null());
        Ok(answered.then_some(()))
    })
    .await
    .unwrap();

    // Another connection of the same account for the same name takes over, and the environment works on.
    let second = world.connect(PROD, "prd").await.unwrap();
    assert_ne!(first, second);
    world.online(PROD, true).await.unwrap();
    let calls = world.emulator.calls(0).await.unwrap();
    let executed = calls
        .iter()
        .any(|call| is_call(call, PROD, "ExecuteChangeSet") && call["status"] == 200);
    assert!(
        !executed,
        "a change set was executed after the connection had been deleted"
    );
    let changed: Vec<&Value> = calls
        .iter()
        .filter(|call| call["seq"].as_u64() > Some(after))
        .filter(|call| {
            ["CreateChangeSet", "ExecuteChangeSet", "DeleteStack"]
                .iter()
                .any(|act| is_call(call, PROD, act))
        })
        .collect();
    assert!(
        changed.is_empty(),
        "calls that change stacks after the end: {changed:?}"
    );

    let label = "proton: EnvironmentSpec\nspec:\n  label: second\n";
    let label = world.file("second.yaml", label).unwrap();
    let update = [
        "environment",
        "update",
        "prd",
        "--connection",
        &second,
        "--spec",
        &label,
        "--wait",
    ];
    world.admin.ok(&update).await.unwrap();
    let outputs = world
        .admin
        .ok(&["environment", "outputs", "prd", "Label"])
        .await
        .unwrap();
    assert_eq!(outputs.stdout.trim(), "second");
    let stacks = world.emulator.stacks(PROD).await.unwrap();
    let complete: Vec<&Value> = stacks
        .iter()
        .filter(|stack| {
            stack["status"]
                .as_str()
                .is_some_and(|status| status.ends_with("_COMPLETE"))
        })
        .collect();
    assert_eq!(complete.len(), 1, "{stacks:?}");
    assert_eq!(complete[0]["outputs"]["Label"], "second", "{complete:?}");
    world.at_rest().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_lost_its_connection_midway_can_be_taken_up_again() {
    let mut world = World::new().await.unwrap();
    slow_template(&world).await;
    let first = world.connect(PROD, "prd").await.unwrap();
    let spec = slow_spec(&world, 3);
    let create = [
        "environment",
        "create",
        "prd",
        "--template",
        "slow-env",
        "--connection",
        &first,
        "--spec",
        &spec,
    ];
    world.admin.ok(&create).await.unwrap();
    let executed = world
        .emulator
        .called("the change set to be executed", 0, |call| {
            is_call(call, PROD, "ExecuteChangeSet")
        })
        .await
        .unwrap();
    let owner = world.owner(PROD).await.unwrap();
    owner
        .ok(&["connection", "delete", &first, "--yes"])
        .await
        .unwrap();
    closed_in_time(&world, PROD, &first, "connection deleted").await;

    // CloudFormation finishes what it was told before; nobody tells it anything more.
    wait::until("the stack to be complete", Duration::from_secs(20), || async {
        let stacks = world.emulator.stacks(PROD).await?;
        Ok(stacks
            .iter()
            .any(|stack| stack["status"] == "CREATE_COMPLETE")
            .then_some(()))
    })
    .await
    .unwrap();
    // Without a connection there is no deployment, and the refusal says what to do.
    let deployment = world
        .last_deployment(&["environment", "get", "prd"])
        .await
        .unwrap();
    let again = world
        .admin
        .fails(5, &["environment", "update", "prd", "--spec", &spec])
        .await
        .unwrap();
    assert_eq!(deployment["status"], "FAILED");
    assert!(
        again.contains("is not connected any more") && again.contains("hadron connection request"),
        "{again}"
    );

    let second = world.connect(PROD, "prd").await.unwrap();
    world.online(PROD, true).await.unwrap();
    let spec = slow_spec(&world, 0);
    let update = [
        "environment",
        "update",
        "prd",
        "--connection",
        &second,
        "--spec",
        &spec,
        "--wait",
    ];
    world.admin.ok(&update).await.unwrap();
    let stacks = world.emulator.stacks(PROD).await.unwrap();
    assert_eq!(
        stacks.len(),
        1,
        "the stack that was finished is the one that goes on: {stacks:?}"
    );
    let shown = world.admin.json(&["environment", "get", "prd"]).await.unwrap();
    assert_eq!(shown["connectionId"], second.as_str());
    assert_eq!(shown["deployment"]["status"], "SUCCEEDED");
    let seq = executed["seq"].as_u64().unwrap();
    let calls = world.emulator.calls(seq).await.unwrap();
    let deletions = calls
        .iter()
        .filter(|call| is_call(call, PROD, "DeleteStack"))
        .count();
    assert_eq!(deletions, 0);
    world.at_rest().await.unwrap();
}

/// A request or decision that must be refused.
struct Refused<'a> {
    what: &'a str,
    who: &'a Cli,
    args: Vec<&'a str>,
    code: i32,
    says: &'a [&'a str],
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_account_itself_can_ask_and_only_an_administrator_can_accept() {
    let mut world = World::new().await.unwrap();
    slow_template(&world).await;
    let owner = world.owner(PROD).await.unwrap();
    let other = world.owner(DEV).await.unwrap();
    let developer = world.somebody(MANAGEMENT, "developer").await.unwrap();
    let auditor = world.somebody(MANAGEMENT, "auditor").await.unwrap();
    let nobody = world.somebody(MANAGEMENT, "passer-by").await.unwrap();
    let mut variables = world.admin.variables().clone();
    variables.retain(|name, _| !name.starts_with("AWS_"));
    variables.insert("HADRON_TOKEN".to_owned(), world.hub.token("ci", "owner").unwrap());
    let minted = Cli::new(&world.folder().join("home-minted"), variables);

    let (own_role, foreign_role) = (provisioning_role(PROD), provisioning_role(DEV));
    let requested = owner.json(&request("prd", MANAGEMENT, &own_role)).await.unwrap();
    assert_eq!(requested["environmentAccountId"], PROD);
    assert_eq!(requested["managementAccountId"], MANAGEMENT);
    let id = field(&requested, "id").unwrap();
    let missing = "conn_01a1fa5f70c97f62ab1cb967d538fc7c";
    let before = world.items(&["connection", "list"]).await.unwrap();

    let mut naming_an_account = request("x", MANAGEMENT, &own_role);
    naming_an_account.extend(["--account", DEV]);
    let accept = |account| vec!["connection", "accept", &id, "--account", account];
    let refused = [
        Refused {
            what: "a token proves no account",
            who: &minted,
            args: request("x", MANAGEMENT, &own_role),
            code: 4,
            says: &["proves no AWS account", "unset HADRON_TOKEN"],
        },
        Refused {
            what: "no flag names an account",
            who: &owner,
            args: naming_an_account,
            code: 2,
            says: &["--account"],
        },
        Refused {
            what: "another hub is meant",
            who: &owner,
            args: request("x", "444444444444", &own_role),
            code: 1,
            says: &["111111111111", "444444444444", "management account id"],
        },
        Refused {
            what: "the role is another account's",
            who: &owner,
            args: request("x", MANAGEMENT, &foreign_role),
            code: 1,
            says: &[DEV, PROD, "roles of the environment account"],
        },
        Refused {
            what: "no role, but something like it",
            who: &owner,
            args: request("x", MANAGEMENT, "arn:aws:iam::333333333333:user/eve"),
            code: 2,
            says: &["--role-arn", "user/eve"],
        },
        Refused {
            what: "eleven digits",
            who: &owner,
            args: request("x", "11111111111", &own_role),
            code: 2,
            says: &["--management-account", "12 digits"],
        },
        Refused {
            what: "a second request for the name",
            who: &owner,
            args: request("prd", MANAGEMENT, &own_role),
            code: 5,
            says: &["already", "'prd'", "hadron connection delete"],
        },
        Refused {
            what: "a developer asks",
            who: &developer,
            args: request("x", MANAGEMENT, &own_role),
            code: 4,
            says: &["may not request"],
        },
        Refused {
            what: "somebody without a role",
            who: &nobody,
            args: request("x", MANAGEMENT, &own_role),
            code: 4,
            says: &["administrator"],
        },
        Refused {
            what: "a developer accepts",
            who: &developer,
            args: accept(PROD),
            code: 3,
            says: &["does not exist"],
        },
        Refused {
            what: "an auditor accepts",
            who: &auditor,
            args: accept(PROD),
            code: 4,
            says: &["may not accept"],
        },
        Refused {
            what: "its owner accepts",
            who: &owner,
            args: accept(PROD),
            code: 4,
            says: &["may not accept"],
        },
        Refused {
            what: "another owner accepts",
            who: &other,
            args: accept(PROD),
            code: 3,
            says: &["does not exist"],
        },
        Refused {
            what: "another account is meant",
            who: &world.admin,
            args: accept(DEV),
            code: 1,
            says: &[PROD, DEV, "nothing was changed"],
        },
        Refused {
            what: "another owner deletes",
            who: &other,
            args: vec!["connection", "delete", &id, "--yes"],
            code: 3,
            says: &["does not exist"],
        },
        Refused {
            what: "the management account deletes",
            who: &world.admin,
            args: vec!["connection", "delete", &id, "--yes"],
            code: 4,
            says: &["hadron connection reject"],
        },
        Refused {
            what: "a developer rejects",
            who: &developer,
            args: vec!["connection", "reject", &id, "--yes"],
            code: 4,
            says: &["may not reject"],
        },
    ];
    for Refused {
        what,
        who,
        args,
        code,
        says,
    } in refused
    {
        let ran = who.run(&args).await.unwrap();
        assert_eq!(ran.code, code, "{what}: {}", ran.text());
        for word in says {
            assert!(
                ran.text().contains(word),
                "{what}: no '{word}' in: {}",
                ran.text()
            );
        }
        assert!(
            ran.stdout.is_empty(),
            "{what}: refusals are no data: {}",
            ran.stdout
        );
    }
    assert_eq!(
        world.items(&["connection", "list"]).await.unwrap(),
        before,
        "nothing has changed"
    );

    // A stranger cannot tell whether it exists.
    let answers = [id.as_str(), missing].map(|id| (id, vec!["connection", "get", id]));
    let mut texts = Vec::new();
    for (id, args) in &answers {
        texts.push(other.fails(3, args).await.unwrap().replace(id, "ID"));
    }
    assert_eq!(texts[0], texts[1]);
    assert_eq!(
        other.json(&["connection", "list"]).await.unwrap()["items"],
        json!([])
    );

    // In use, it cannot be rejected.
    world.admin.ok(&accept(PROD)).await.unwrap();
    world.start_agent(PROD, "").await.unwrap();
    let spec = slow_spec(&world, 0);
    let create = [
        "environment",
        "create",
        "prd",
        "--template",
        "slow-env",
        "--connection",
        &id,
        "--spec",
        &spec,
        "--wait",
    ];
    world.admin.ok(&create).await.unwrap();
    let said = world
        .admin
        .fails(5, &["connection", "reject", &id, "--yes"])
        .await
        .unwrap();
    assert!(
        said.contains("'prd'") && said.contains("hadron environment delete prd"),
        "{said}"
    );
    assert_eq!(
        world.admin.json(&["connection", "get", &id]).await.unwrap()["status"],
        "CONNECTED"
    );

    // Another account can ask for the same name, but not get it.
    let rival = other
        .json(&request("prd", MANAGEMENT, &foreign_role))
        .await
        .unwrap();
    let rival = field(&rival, "id").unwrap();
    let said = world
        .admin
        .fails(5, &["connection", "accept", &rival, "--account", DEV])
        .await
        .unwrap();
    assert!(
        said.contains("another connection already serves environment 'prd'"),
        "{said}"
    );
    // Nor can the environment be taken there.
    world
        .admin
        .ok(&["connection", "reject", &rival, "--yes"])
        .await
        .unwrap();
    let said = world
        .admin
        .fails(5, &["environment", "update", "prd", "--connection", &rival])
        .await
        .unwrap();
    assert!(said.contains(&rival), "{said}");
    assert!(world.emulator.stacks(DEV).await.unwrap().is_empty());
    world.at_rest().await.unwrap();
}
