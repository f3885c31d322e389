use std::collections::BTreeMap;
use std::sync::Mutex;

use clap::Parser as _;
use serde_json::json;

use super::*;
use crate::args::{Cli, Task};
use crate::aws::{Answer, AwsError, Identity, NewRole, Role, Roles};

// ---- an account's IAM --------------------------------------------------------------------------------------------

#[derive(Default)]
struct Account {
    roles: BTreeMap<String, Role>,
    inline: BTreeMap<(String, String), String>,
    policies: BTreeMap<String, String>,
    writes: usize,
}

#[derive(Default)]
struct FakeIam(Mutex<Account>);

impl FakeIam {
    fn with_role(name: &str, trust: &Value) -> Self {
        let iam = Self::default();
        let arn = format!("arn:aws:iam::333333333333:role/{name}").parse().unwrap();
        let role = Role {
            arn,
            path: "/".to_owned(),
            trust: trust.to_string(),
            boundary: None,
            description: String::new(),
            tags: Vec::new(),
        };
        iam.0.lock().unwrap().roles.insert(name.to_owned(), role);
        iam
    }

    fn write<T>(&self, change: impl FnOnce(&mut Account) -> T) -> T {
        let mut account = self.0.lock().unwrap();
        account.writes += 1;
        change(&mut account)
    }

    fn writes(&self) -> usize {
        self.0.lock().unwrap().writes
    }

    fn trust(&self, name: &str) -> Value {
        serde_json::from_str(&self.0.lock().unwrap().roles[name].trust).unwrap()
    }
}

fn gone() -> AwsError {
    AwsError::coded("NoSuchEntity", "there is none")
}

impl Roles for FakeIam {
    async fn role(&self, name: &str) -> Answer<Role> {
        self.0.lock().unwrap().roles.get(name).cloned().ok_or_else(gone)
    }
    async fn create_role(&self, new: &NewRole) -> Answer<Role> {
        self.write(|account| {
            let role = Role {
                arn: format!("arn:aws:iam::333333333333:role/{}", new.name)
                    .parse()
                    .unwrap(),
                path: new.path.clone(),
                trust: new.trust.clone(),
                boundary: new.boundary.clone(),
                description: new.description.clone(),
                tags: new.tags.clone(),
            };
            account.roles.insert(new.name.clone(), role.clone());
            Ok(role)
        })
    }
    async fn set_trust(&self, name: &str, trust: &str) -> Answer<()> {
        self.write(|account| {
            account
                .roles
                .get_mut(name)
                .ok_or_else(gone)
                .map(|role| role.trust = trust.to_owned())
        })
    }
    async fn set_boundary(&self, name: &str, arn: &str) -> Answer<()> {
        self.write(|account| {
            account
                .roles
                .get_mut(name)
                .ok_or_else(gone)
                .map(|role| role.boundary = Some(arn.to_owned()))
        })
    }
    async fn tag_role(&self, _: &str, _: &[(String, String)]) -> Answer<()> {
        Ok(())
    }
    async fn inline_policies(&self, _: &str) -> Answer<Vec<String>> {
        Ok(Vec::new())
    }
    async fn inline_policy(&self, name: &str, policy: &str) -> Answer<String> {
        let key = (name.to_owned(), policy.to_owned());
        self.0.lock().unwrap().inline.get(&key).cloned().ok_or_else(gone)
    }
    async fn put_inline_policy(&self, name: &str, policy: &str, text: &str) -> Answer<()> {
        self.write(|account| {
            account
                .inline
                .insert((name.to_owned(), policy.to_owned()), text.to_owned())
        });
        Ok(())
    }
    async fn delete_inline_policy(&self, _: &str, _: &str) -> Answer<()> {
        Ok(())
    }
    async fn attached_policies(&self, _: &str) -> Answer<Vec<String>> {
        Ok(Vec::new())
    }
    async fn attach_policy(&self, _: &str, _: &str) -> Answer<()> {
        Ok(())
    }
    async fn detach_policy(&self, _: &str, _: &str) -> Answer<()> {
        Ok(())
    }
    async fn delete_role(&self, _: &str) -> Answer<()> {
        Ok(())
    }
    async fn create_policy(&self, name: &str, text: &str) -> Answer<String> {
        let arn = format!("arn:aws:iam::333333333333:policy/{name}");
        self.write(|account| account.policies.insert(arn.clone(), text.to_owned()));
        Ok(arn)
    }
    async fn managed_policy(&self, arn: &str) -> Answer<String> {
        self.0.lock().unwrap().policies.get(arn).cloned().ok_or_else(gone)
    }
}

struct FakeSts;

impl CallerIdentity for FakeSts {
    async fn identity(&self) -> Answer<Identity> {
        Ok(Identity {
            account: "333333333333".parse().unwrap(),
            arn: "arn:aws:sts::333333333333:assumed-role/Admin/me".to_owned(),
            user_id: "AROA:me".to_owned(),
        })
    }
}

/// Answers every question so, and counts them.
struct Says(Option<bool>, usize);

impl Ask for Says {
    fn ask(&mut self, _: &str) -> Option<bool> {
        self.1 += 1;
        self.0
    }
}

async fn role(iam: &FakeIam, ask: &mut Says, line: &[&str]) -> (anyhow::Result<Done>, String) {
    let cli = Cli::parse_from(["hadron-agent", "role"].iter().chain(line));
    let Task::Role(args) = cli.command else {
        panic!("another command")
    };
    let mut out = Vec::new();
    let done = run(&args, &FakeSts, iam, ask, &mut out).await;
    (done, String::from_utf8(out).unwrap())
}

async fn printed(line: &[&str]) -> String {
    let (done, out) = role(&FakeIam::default(), &mut Says(None, 0), line).await;
    assert_eq!(done.unwrap(), Done::Fine);
    out
}

// ---- documents ---------------------------------------------------------------------------------------------------

#[tokio::test]
async fn documents_say_what_they_said() {
    insta::assert_snapshot!("roles", printed(&["--account", "333333333333"]).await);
    let management = [
        "--account",
        "111111111111",
        "--management",
        "--stack-prefix",
        "acme-",
        "--region",
        "cn-north-1",
        "--runs-on",
        "eks",
    ];
    insta::assert_snapshot!("roles-management", printed(&management).await);
    insta::assert_snapshot!(
        "roles-cloudformation",
        printed(&["--format", "cloudformation"]).await
    );
}

#[tokio::test]
async fn policies_are_as_long_as_iam_allows() {
    let all: Value = serde_json::from_str(&printed(&["--management"]).await).unwrap();
    let length = |value: &Value| value.to_string().len();
    // Managed policies have 6,144 characters, all inline policies of a role 10,240, a trust policy 2,048.
    assert!(length(&all["boundary"]["policy"]) <= 6144);
    for role in ["agentRole", "provisioningRole"] {
        assert!(length(&all[role]["policy"]) <= 10_240);
        assert!(length(&all[role]["trustPolicy"]) <= 2048);
    }
}

#[tokio::test]
async fn the_agent_can_make_nothing_by_itself() {
    let all: Value = serde_json::from_str(&printed(&["--management"]).await).unwrap();
    let statements = all["agentRole"]["policy"]["Statement"].as_array().unwrap();
    for statement in statements
        .iter()
        .filter(|statement| statement["Effect"] == "Allow")
    {
        let actions = match &statement["Action"] {
            Value::String(one) => vec![one.clone()],
            many => serde_json::from_value(many.clone()).unwrap(),
        };
        for action in actions {
            assert!(!action.contains('*'), "{action}");
            assert!(
                !matches!(
                    action.as_str(),
                    "cloudformation:CreateStack" | "cloudformation:UpdateStack"
                ),
                "{action}"
            );
        }
        assert_ne!(statement["Resource"], "*");
    }
}

/// The statements of the agent's policy.
async fn statements(line: &[&str]) -> Vec<Value> {
    let all: Value = serde_json::from_str(&printed(line).await).unwrap();
    all["agentRole"]["policy"]["Statement"]
        .as_array()
        .unwrap()
        .clone()
}

#[tokio::test]
async fn leave_for_the_registrys_policy_is_one_statement_more_and_only_when_asked_for() {
    let without = statements(&["--management"]).await;
    let mut with = statements(&["--management", "--registry-policy"]).await;
    let place = with
        .iter()
        .position(|statement| statement["Sid"] == "RegistryPolicy")
        .unwrap();
    insta::assert_snapshot!("registry-policy", pretty(&with.remove(place)));
    assert_eq!(with, without);
}

#[tokio::test]
async fn leave_to_put_events_is_one_statement_more_and_only_when_asked_for() {
    let without = statements(&["--management"]).await;
    let mut with = statements(&["--management", "--put-events"]).await;
    let place = with
        .iter()
        .position(|statement| statement["Sid"] == "PutEvents")
        .unwrap();
    let added = with.remove(place);
    assert_eq!(added["Action"], "events:PutEvents");
    let resource = added["Resource"].as_str().unwrap();
    assert!(
        resource.starts_with("arn:aws:events:") && resource.ends_with(":event-bus/*"),
        "{resource}"
    );
    assert_eq!(with, without);
}

#[tokio::test]
async fn leave_to_lock_checkpoints_away_is_for_one_bucket_and_takes_nothing_from_it() {
    let without = statements(&["--management"]).await;
    let mut with = statements(&["--management", "--audit-bucket", "example-audit"]).await;
    let place = with
        .iter()
        .position(|statement| statement["Sid"] == "AuditCheckpoints")
        .unwrap();
    let added = with.remove(place);
    assert_eq!(
        added["Action"],
        serde_json::json!(["s3:PutObject", "s3:PutObjectRetention"])
    );
    assert_eq!(added["Resource"], "arn:aws:s3:::example-audit/*");
    assert_eq!(with, without);
}

#[tokio::test]
async fn bundles_are_read_from_the_accounts_own_buckets_or_from_those_that_are_named() {
    async fn statement(line: &[&str]) -> Option<Value> {
        let all: Value = serde_json::from_str(&printed(line).await).unwrap();
        let statements = all["agentRole"]["policy"]["Statement"].as_array().unwrap();
        statements
            .iter()
            .find(|statement| statement["Sid"] == "ReadBundles")
            .cloned()
    }
    assert_eq!(
        statement(&[]).await,
        None,
        "only the management account reads bundles"
    );
    let own = statement(&["--management"]).await.unwrap();
    insta::assert_snapshot!("read-bundles", pretty(&own));
    let named = statement(&["--management", "--bundle-bucket", "bundles,other.bundles"]).await;
    let named = named.unwrap();
    assert_eq!(
        named["Resource"],
        json!(["arn:aws:s3:::bundles/*", "arn:aws:s3:::other.bundles/*"])
    );
    assert_eq!(named.get("Condition"), None);
}

#[tokio::test]
async fn a_role_for_components_is_made_only_when_asked_for() {
    let (iam, mut yes) = (FakeIam::default(), Says(Some(true), 0));
    role(&iam, &mut yes, &["--create"]).await.0.unwrap();
    assert!(!iam.0.lock().unwrap().roles.contains_key("hadron-components"));
    let line = ["--create", "--component-role", "hadron-components"];
    let (done, out) = role(&iam, &mut yes, &line).await;
    assert_eq!(done.unwrap(), Done::Fine);
    assert!(out.contains("done: make role hadron-components"), "{out}");
    assert!(out.contains("roles.component"), "{out}");
    let made = iam.0.lock().unwrap().roles["hadron-components"].clone();
    assert_eq!(
        made.boundary.as_deref(),
        Some("arn:aws:iam::333333333333:policy/hadron-boundary")
    );
    let writes = iam.writes();
    role(&iam, &mut yes, &line).await.0.unwrap();
    assert_eq!(iam.writes(), writes, "a second time there is nothing to do");

    let all: Value =
        serde_json::from_str(&printed(&["--component-role", "hadron-components"]).await).unwrap();
    let component = "arn:aws:iam::333333333333:role/hadron-components";
    let of = |sid: &str| {
        let statements = all["agentRole"]["policy"]["Statement"].as_array().unwrap();
        statements.iter().find(|one| one["Sid"] == sid).unwrap().clone()
    };
    assert_eq!(of("Pass")["Resource"][1], component);
    assert_eq!(
        of("ChangeSets")["Condition"]["StringEquals"]["cloudformation:RoleArn"][1],
        component
    );
    for sid in ["KeepRoles", "KeepRolesFromOthers"] {
        let statements = all["boundary"]["policy"]["Statement"].as_array().unwrap();
        let found = statements.iter().find(|one| one["Sid"] == sid).unwrap();
        assert_eq!(found["Resource"][2], component, "{sid}");
    }
    insta::assert_snapshot!("component-role", pretty(&all["componentRole"]));
}

/// The template for any account is kept by hand.
#[test]
fn the_template_for_any_account_has_the_same_statements() {
    let yaml = include_str!("../../../deploy/agent/cloudformation/environment-account.yaml");
    let cli = Cli::parse_from(["hadron-agent", "role", "--management", "--registry-policy"]);
    let Task::Role(args) = cli.command else {
        panic!("another command")
    };
    let subject = Subject::new(&args, "333333333333".parse().unwrap());
    let mut statements = documents::agent_policy(&subject)["Statement"]
        .as_array()
        .unwrap()
        .clone();
    statements.push(documents::component_policy()["Statement"][0].clone());
    for statement in statements {
        let sid = statement["Sid"].as_str().unwrap();
        let from = yaml
            .find(&format!("- Sid: {sid}\n"))
            .unwrap_or_else(|| panic!("no {sid}"));
        let text = yaml[from + 1..].split("- Sid: ").next().unwrap();
        let named = statement.get("Action").unwrap_or_else(|| &statement["NotAction"]);
        let actions = match named {
            Value::String(one) => vec![one.clone()],
            many => serde_json::from_value(many.clone()).unwrap(),
        };
        for action in actions {
            assert!(text.contains(&action), "{action} is not in {sid}");
        }
    }
}

// ---- making ------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn making_twice_is_making_once() {
    let (iam, mut yes) = (FakeIam::default(), Says(Some(true), 0));
    let (done, out) = role(&iam, &mut yes, &["--create"]).await;
    assert_eq!(done.unwrap(), Done::Fine);
    assert!(out.contains("done: make role hadron-provisioning"), "{out}");
    let made = iam.0.lock().unwrap().roles["hadron-provisioning"].clone();
    assert_eq!(
        made.boundary.as_deref(),
        Some("arn:aws:iam::333333333333:policy/hadron-boundary")
    );
    let writes = iam.writes();
    let (done, out) = role(&iam, &mut yes, &["--create"]).await;
    assert_eq!((done.unwrap(), iam.writes(), yes.1), (Done::Fine, writes, 1));
    assert!(
        out.contains("exists: role arn:aws:iam::333333333333:role/hadron-agent"),
        "{out}"
    );
}

#[tokio::test]
async fn what_is_missing_is_mended() {
    let (iam, mut yes) = (FakeIam::default(), Says(Some(true), 0));
    role(&iam, &mut yes, &["--create"]).await.0.unwrap();
    iam.write(|account| account.roles.get_mut("hadron-provisioning").unwrap().boundary = None);
    iam.write(|account| {
        account
            .policies
            .values_mut()
            .for_each(|text| *text = "{}".to_owned())
    });
    let (_, out) = role(&iam, &mut yes, &["--create"]).await;
    assert!(out.contains("done: attach the permissions boundary"), "{out}");
    assert!(out.contains("exists, but says something else: policy"), "{out}");
    assert!(!out.contains("done: make"), "{out}");
}

#[tokio::test]
async fn nothing_is_changed_without_a_yes() {
    let iam = FakeIam::default();
    assert_eq!(
        role(&iam, &mut Says(Some(false), 0), &["--create"])
            .await
            .0
            .unwrap(),
        Done::Declined
    );
    assert_eq!(
        role(&iam, &mut Says(None, 0), &["--create"]).await.0.unwrap(),
        Done::NobodyToAsk
    );
    assert_eq!(iam.writes(), 0);
    assert_eq!(
        role(&iam, &mut Says(None, 0), &["--create", "--yes"])
            .await
            .0
            .unwrap(),
        Done::Fine
    );
    let other = role(
        &iam,
        &mut Says(None, 0),
        &["--create", "--account", "444444444444"],
    )
    .await
    .0
    .unwrap_err();
    assert!(
        other
            .to_string()
            .contains("the credentials belong to account 333333333333"),
        "{other}"
    );
}

// ---- adopting ----------------------------------------------------------------------------------------------------

const ADOPT: [&str; 2] = ["--adopt", "arn:aws:iam::333333333333:role/ProtonServiceRole"];

/// As AWS Proton's guide has it for the prevention of confused deputies, and with a statement of somebody else.
fn proton_trust() -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "ExampleProtonConfusedDeputyPreventionPolicy",
                "Effect": "Allow",
                "Principal": { "Service": "proton.amazonaws.com" },
                "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": { "aws:SourceAccount": "333333333333" },
                    "ArnLike": { "aws:SourceArn": "arn:aws:proton:*:333333333333:environment/*" },
                },
            },
            {
                "Sid": "Audit",
                "Effect": "Allow",
                "Principal": { "AWS": "arn:aws:iam::333333333333:role/audit" },
                "Action": "sts:AssumeRole",
                "Condition": { "Bool": { "aws:MultiFactorAuthPresent": "true" } },
            },
        ],
    })
}

#[tokio::test]
async fn a_proton_role_is_adopted_after_a_look_at_the_difference() {
    let iam = FakeIam::with_role("ProtonServiceRole", &proton_trust());
    let (done, out) = role(&iam, &mut Says(Some(true), 0), &ADOPT).await;
    assert_eq!(done.unwrap(), Done::Fine);
    insta::assert_snapshot!("adopt", out);
    let new = iam.trust("ProtonServiceRole");
    assert_eq!(new["Statement"][1], proton_trust()["Statement"][1]);
    // A second time there is nothing to do.
    let (done, out) = role(&iam, &mut Says(None, 0), &ADOPT).await;
    assert_eq!((done.unwrap(), iam.writes()), (Done::Fine, 1));
    assert!(out.contains("nothing to change"), "{out}");
}

#[tokio::test]
async fn a_role_is_not_adopted_without_a_yes() {
    let iam = FakeIam::with_role("ProtonServiceRole", &proton_trust());
    assert_eq!(
        role(&iam, &mut Says(None, 0), &ADOPT).await.0.unwrap(),
        Done::NobodyToAsk
    );
    assert_eq!(
        role(&iam, &mut Says(Some(false), 0), &ADOPT).await.0.unwrap(),
        Done::Declined
    );
    assert_eq!(iam.trust("ProtonServiceRole"), proton_trust());
}

#[tokio::test]
async fn what_is_not_ours_to_adopt_is_refused() {
    let iam = FakeIam::with_role(
        "ProtonServiceRole",
        &json!({
            "Version": "2012-10-17",
            "Statement": { "Effect": "Allow", "Principal": { "Service": "ec2.amazonaws.com" }, "Action": "sts:AssumeRole" },
        }),
    );
    let error = role(&iam, &mut Says(Some(true), 0), &ADOPT)
        .await
        .0
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no statement of it allows proton.amazonaws.com"),
        "{error}"
    );
    let foreign = ["--adopt", "arn:aws:iam::444444444444:role/ProtonServiceRole"];
    let error = role(&iam, &mut Says(Some(true), 0), &foreign)
        .await
        .0
        .unwrap_err()
        .to_string();
    assert!(error.contains("belongs to account 444444444444"), "{error}");
    assert_eq!(iam.writes(), 0);
}

#[tokio::test]
async fn others_in_the_same_statement_keep_what_they_have() {
    let iam = FakeIam::with_role(
        "ProtonServiceRole",
        &json!({
            "Version": "2012-10-17",
            "Statement": {
                "Sid": "Both",
                "Effect": "Allow",
                "Principal": { "Service": ["codebuild.amazonaws.com", "proton.amazonaws.com"] },
                "Action": "sts:AssumeRole",
                "Condition": { "StringEquals": { "aws:PrincipalOrgID": "o-1", "AWS:SourceAccount": "333333333333" } },
            },
        }),
    );
    role(&iam, &mut Says(None, 0), &[ADOPT[0], ADOPT[1], "--yes"])
        .await
        .0
        .unwrap();
    let new = iam.trust("ProtonServiceRole");
    assert_eq!(new["Statement"].as_array().unwrap().len(), 2);
    assert_eq!(
        new["Statement"][0]["Principal"],
        json!({ "Service": "codebuild.amazonaws.com" })
    );
    assert_eq!(
        new["Statement"][0]["Condition"]["StringEquals"]["AWS:SourceAccount"],
        "333333333333"
    );
    let equals = &new["Statement"][1]["Condition"]["StringEquals"];
    assert_eq!(
        *equals,
        json!({ "aws:PrincipalOrgID": "o-1", "aws:SourceAccount": "333333333333" })
    );
}
