//! What the stacks of a version can need and what was approved, and what templates may contain.

use std::collections::BTreeSet;

use hadron_domain::template::TemplateKind;
use hadron_management::app::templates::{Approval, Approve, Rules, VersionUpdate, VersionView};
use hadron_management::app::{App, AppError, Settings};
use hadron_proto::vocab::ContentRules;
use hadron_templates::{Bundle, Capability, Limits, SignedKind, SigningKey, Statement};

use crate::scenarios;
use crate::world::{
    World, administrator, archive, asked, changed_example, developer, example, new_environment, new_version,
    reason, settings, version,
};

const KIND: TemplateKind = TemplateKind::Environment;
const NAME: &str = "minimal-env";
/// A role with a name, where an input says so.
const ROLE: &str = "  {% if environment.inputs.tier == \"production\" %}\n  Role:\n    Type: AWS::IAM::Role\n    Properties:\n      \
                    RoleName: x\n      AssumeRolePolicyDocument: {}\n  {% endif %}\n\nOutputs:\n  GreetingParameter:";

fn with_role() -> Vec<u8> {
    changed_example(NAME, "Outputs:\n  GreetingParameter:", ROLE)
}

/// The same hub, told other rules about templates.
fn told(world: &World, templates: Rules) -> App {
    let settings = Settings {
        templates,
        ..settings()
    };
    App::new(world.test.db.clone(), world.test.clock.clone(), settings)
}

async fn approve(app: &App, capabilities: &[Capability], withdraw: bool) -> Result<VersionView, AppError> {
    let approval = Approval {
        kind: KIND,
        name: NAME.parse().unwrap(),
        version: version("1.0"),
        capabilities: capabilities.iter().copied().collect(),
        withdraw,
    };
    app.approve_version(asked(&administrator(), "ApproveTemplateVersion"), approval)
        .await
}

async fn publish(app: &App, approve: bool) -> VersionView {
    let update = VersionUpdate {
        kind: KIND,
        name: NAME.parse().unwrap(),
        version: version("1.0"),
        description: None,
        publish: true,
        compatible: None,
        components: None,
        approve,
    };
    app.update_version(asked(&administrator(), "PublishTemplateVersion"), update)
        .await
        .unwrap()
}

fn words(set: &[&str]) -> BTreeSet<String> {
    set.iter().map(|one| (*one).to_owned()).collect()
}

const BOTH: [&str; 2] = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"];

/// What the audit log says about approvals.
async fn log(world: &World) -> Vec<String> {
    let sql = "SELECT principal AS topic, action AS key, object AS more FROM audit WHERE action LIKE '%Capabilities' ORDER BY sequence";
    world.rows(sql, &[]).await
}

/// A production environment, which needs both.
async fn production(app: &App, name: &str) -> Result<(), AppError> {
    let mut new = new_environment(name, None);
    new.spec = "proton: EnvironmentSpec\nspec: { tier: production }\n".to_owned();
    app.create_environment(asked(&administrator(), "CreateEnvironment"), new)
        .await
        .map(drop)
}

scenarios! {
    /// Scripts made for Proton publish and deploy, and nothing else is asked of them.
    async fn publishing_approves_what_a_version_needs(world: World) {
        world.template(KIND, NAME, false).await;
        let draft = world.register(KIND, NAME, None, with_role(), &[]).await.unwrap();
        assert_eq!((draft.row.approvals.needed, draft.row.approvals.approved), (words(&BOTH), Some(words(&[]))));
        let agent = world.management_agent().await;
        // Not yet published: nobody has approved anything, and what needs nothing can be deployed.
        let of_draft = |name: &str| {
            let mut new = new_environment(name, None);
            new.version = hadron_domain::template::Wanted::Exactly(version("1.0"));
            new
        };
        world.app.create_environment(asked(&administrator(), "CreateEnvironment"), of_draft("early")).await.unwrap();
        agent.succeed_all(&world).await;
        let mut new = of_draft("late");
        new.spec = "proton: EnvironmentSpec\nspec: { tier: production }\n".to_owned();
        let refused = world.app.create_environment(asked(&administrator(), "CreateEnvironment"), new).await.unwrap_err();
        assert_eq!(refused.reason, "CAPABILITY_NOT_APPROVED");
        assert!(refused.message.contains("CAPABILITY_IAM, CAPABILITY_NAMED_IAM"), "{}", refused.message);
        assert!(refused.help.unwrap().contains("hadron template approve minimal-env 1.0 --capability CAPABILITY_IAM --capability CAPABILITY_NAMED_IAM"));
        assert_eq!(log(&world).await, Vec::<String>::new());

        world.publish(KIND, NAME, "1.0").await;
        let principal = administrator().principal.as_str().to_owned();
        assert_eq!(log(&world).await, [format!("{principal} ApproveCapabilities environment minimal-env:1.0 CAPABILITY_IAM CAPABILITY_NAMED_IAM")]);
        production(&world.app, "prd").await.unwrap();
        agent.succeed_all(&world).await;
    }

    /// Each by itself, and what is withdrawn stays withdrawn.
    async fn where_approvals_are_explicit_each_counts_by_itself(world: World) {
        let app = told(&world, Rules { approve: Approve::Explicit, ..Rules::default() });
        world.template(KIND, NAME, false).await;
        world.register(KIND, NAME, None, with_role(), &[]).await.unwrap();
        let _agent = world.management_agent().await;
        assert_eq!(publish(&app, false).await.row.approvals.approved, Some(words(&[])));
        assert_eq!(reason(production(&app, "prd").await), "CAPABILITY_NOT_APPROVED");
        assert_eq!(reason(approve(&app, &[], false).await), "NO_CAPABILITY");
        approve(&app, &[Capability::Iam], false).await.unwrap();
        let refused = production(&app, "prd").await.unwrap_err();
        assert!(refused.message.contains("needs CAPABILITY_NAMED_IAM,"), "{}", refused.message);
        approve(&app, &[Capability::NamedIam], false).await.unwrap();
        // Once more changes nothing.
        approve(&app, &[Capability::NamedIam], false).await.unwrap();
        production(&app, "prd").await.unwrap();
        approve(&app, &[Capability::Iam], true).await.unwrap();
        assert_eq!(reason(production(&app, "two").await), "CAPABILITY_NOT_APPROVED");
        // Publishing again does not bring it back, neither here nor where publishing approves.
        publish(&app, false).await;
        publish(&world.app, false).await;
        assert_eq!(reason(production(&app, "two").await), "CAPABILITY_NOT_APPROVED");
        assert_eq!(publish(&app, true).await.row.approvals.approved, Some(words(&BOTH)));
        production(&app, "two").await.unwrap();
        assert_eq!(log(&world).await.len(), 4, "{:?}", log(&world).await);
        let denied = Approval { kind: KIND, name: NAME.parse().unwrap(), version: version("1.0"), capabilities: BTreeSet::from([Capability::Iam]), withdraw: false };
        let denied = app.approve_version(asked(&developer(), "ApproveTemplateVersion"), denied).await;
        assert_eq!(reason(denied), "DENIED");
    }

    /// Nothing is known about versions of before there were approvals, and they go on as they are.
    async fn versions_of_before_have_what_they_need(world: World) {
        world.template(KIND, NAME, false).await;
        world.register(KIND, NAME, None, with_role(), &[]).await.unwrap();
        world.publish(KIND, NAME, "1.0").await;
        let old = world.test.db.write("as before", |tx| Box::pin(async move { tx.execute("UPDATE template_version SET needed = '[]', approved = NULL", &[]).await }));
        old.await.unwrap();
        let _agent = world.management_agent().await;
        let app = told(&world, Rules { approve: Approve::Explicit, ..Rules::default() });
        production(&app, "prd").await.unwrap();
    }

    async fn what_templates_may_not_contain_is_refused_early_and_again(world: World) {
        world.template(KIND, NAME, false).await;
        let rules = |contents| Rules { contents, ..Rules::default() };
        let users = ContentRules { denied_resource_types: vec!["AWS::IAM::*".parse().unwrap()], ..ContentRules::default() };
        let strict = told(&world, rules(users));
        let new = || new_version(KIND, NAME, hadron_management::app::templates::BundleSource::Archive(with_role()));
        let refused = strict.create_version(asked(&administrator(), "CreateTemplateVersion"), new()).await.unwrap_err();
        assert_eq!(refused.reason, "CONTENT_DENIED");
        assert!(refused.message.contains("AWS::IAM::Role, which 'AWS::IAM::*' denies"), "{}", refused.message);
        // Registered before the rule was made: what is rendered counts.
        world.app.create_version(asked(&administrator(), "CreateTemplateVersion"), new()).await.unwrap();
        world.publish(KIND, NAME, "1.0").await;
        let _agent = world.management_agent().await;
        assert_eq!(reason(production(&strict, "prd").await), "CONTENT_DENIED");
        strict.create_environment(asked(&administrator(), "CreateEnvironment"), new_environment("dev", None)).await.unwrap();

        for (what, contents, text) in [
            ("transforms", ContentRules { denied_transforms: vec!["*".parse().unwrap()], ..ContentRules::default() }, "Transform: Macro\n\nOutputs:\n  GreetingParameter:"),
            (
                "nested stacks",
                ContentRules { nested_stack_buckets: Some(Vec::new()), ..ContentRules::default() },
                "  N:\n    Type: AWS::CloudFormation::Stack\n    Properties: { TemplateURL: \"https://s3.amazonaws.com/foreign/a\" }\n\nOutputs:\n  GreetingParameter:",
            ),
            (
                "references",
                ContentRules { dynamic_references: Some(vec!["ssm:/shop/*".parse().unwrap()]), ..ContentRules::default() },
                "  N:\n    Type: AWS::SNS::Topic\n    Properties: { DisplayName: \"{% raw %}{{resolve:ssm:/other}}{% endraw %}\" }\n\nOutputs:\n  GreetingParameter:",
            ),
        ] {
            let app = told(&world, rules(contents));
            let bundle = changed_example(NAME, "Outputs:\n  GreetingParameter:", text);
            let new = || new_version(KIND, NAME, hadron_management::app::templates::BundleSource::Archive(bundle.clone()));
            let refused = app.create_version(asked(&administrator(), "CreateTemplateVersion"), new()).await;
            assert_eq!(reason(refused), "CONTENT_DENIED", "{what}");
            world.app.create_version(asked(&administrator(), "CreateTemplateVersion"), new()).await.unwrap();
        }
    }

    /// A signature is one of this bundle as this template, or the bundle is not registered.
    async fn a_signed_bundle_is_only_what_it_was_signed_as(world: World) {
        world.template(KIND, NAME, false).await;
        let (key, _) = SigningKey::generate().unwrap();
        let bundle = || Bundle::from_archive(&archive(&example(NAME)), &Limits::default()).unwrap();
        let signed = |template: &str, major| {
            let statement = Statement { kind: SignedKind::Environment, template: template.parse().unwrap(), major, digest: bundle().digest() };
            bundle().signed(&key.sign(statement)).to_archive()
        };
        for (template, major) in [("other", 1), (NAME, 2)] {
            assert_eq!(reason(world.register(KIND, NAME, None, signed(template, major), &[]).await), "OTHER_SIGNATURE");
        }
        let view = world.register(KIND, NAME, None, signed(NAME, 1), &[]).await.unwrap();
        assert_eq!(view.row.approvals.publisher, key.public().to_string());
        // Changed after it was signed.
        let statement = Statement { kind: SignedKind::Environment, template: NAME.parse().unwrap(), major: 1, digest: bundle().digest() };
        let changed = Bundle::from_archive(&changed_example(NAME, "Hello from Hadron", "Hello"), &Limits::default()).unwrap();
        let changed = changed.signed(&key.sign(statement)).to_archive();
        let refused = world.register(KIND, NAME, Some(1), changed, &[]).await.unwrap_err();
        assert!(refused.message.contains("was changed after it was signed"), "{}", refused.message);
        // What is deployed of it can be rendered again by whoever does not believe the hub.
        world.publish(KIND, NAME, "1.0").await;
        let _agent = world.management_agent().await;
        world.app.create_environment(asked(&administrator(), "CreateEnvironment"), new_environment("prd", None)).await.unwrap();
        let kept = world.rows("SELECT id AS topic, COALESCE(source, '') AS key, '' AS more FROM deployment", &[]).await;
        assert!(kept.len() == 1 && kept[0].contains("sha256:"), "{kept:?}");
    }
}
