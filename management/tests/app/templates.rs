//! Templates and their versions.

use hadron_domain::template::TemplateKind;
use hadron_management::api::proton::testing::Client;
use hadron_management::app::templates::{BundleSource, NewTemplate, TemplateUpdate, VersionUpdate};
use hadron_management::app::{App, ErrorKind, Quotas, Request, Settings};
use hadron_proto::vocab::Digest;
use serde_json::{Value, json};

use crate::scenarios;
use crate::world::{
    PRODUCTION, administrator, archive, asked, changed_example, developer, example, new_version, reason,
    version,
};

const ENVIRONMENT: TemplateKind = TemplateKind::Environment;
const SERVICE: TemplateKind = TemplateKind::Service;

fn good() -> Vec<u8> {
    archive(&example("minimal-env"))
}

scenarios! {
    async fn versions_are_numbered_and_the_highest_published_is_recommended(world: World) {
        world.template(ENVIRONMENT, "minimal-env", false).await;
        let name = "minimal-env".parse().unwrap();
        let number = async |major| world.register(ENVIRONMENT, "minimal-env", major, good(), &[]).await.unwrap().row.version;
        assert_eq!(reason(world.register(ENVIRONMENT, "minimal-env", Some(1), good(), &[]).await), "VERSION_NOT_FOUND");
        assert_eq!(number(None).await, version("1.0"));
        assert_eq!(number(Some(1)).await, version("1.1"));
        assert_eq!(number(None).await, version("2.0"));
        assert_eq!(number(Some(1)).await, version("1.2"));
        let recommended = async || world.app.get_template(&developer(), ENVIRONMENT, &name).await.unwrap().versions.recommended();
        assert_eq!(recommended().await, None);
        world.publish(ENVIRONMENT, "minimal-env", "1.1").await;
        assert_eq!(recommended().await, Some(version("1.1")));
        world.publish(ENVIRONMENT, "minimal-env", "2.0").await;
        world.publish(ENVIRONMENT, "minimal-env", "1.2").await;
        world.publish(ENVIRONMENT, "minimal-env", "1.2").await;
        assert_eq!(recommended().await, Some(version("2.0")));
        let view = world.app.get_version(&developer(), ENVIRONMENT, &name, version("1.2")).await.unwrap();
        assert_eq!(view.state.word(), "PUBLISHED");
        let schema = world.app.version_schema(&view).await.unwrap();
        assert!(schema.contains("retention_days"));
        let listed = world.app.list_versions(&developer(), ENVIRONMENT, name.clone(), None, Some(version("1.0")), 2).await.unwrap();
        assert_eq!(listed.iter().map(|view| view.row.version).collect::<Vec<_>>(), [version("1.1"), version("1.2")]);
        let request = asked(&administrator(), "PublishTemplateVersion");
        assert_eq!(reason(world.app.publish_version(request, ENVIRONMENT, name, version("3.0")).await), "VERSION_NOT_FOUND");
    }

    async fn the_recommended_and_the_used_are_not_deleted(world: World) {
        world.environment_template().await;
        let name = "minimal-env".parse().unwrap();
        world.published(ENVIRONMENT, "minimal-env", Some(1), good(), &[]).await;
        let delete = |text: &str| world.app.delete_version(asked(&administrator(), "DeleteTemplateVersion"), ENVIRONMENT, "minimal-env".parse().unwrap(), version(text));
        assert_eq!(reason(delete("1.1").await), "VERSION_RECOMMENDED");
        assert_eq!(reason(delete("9.9").await), "VERSION_NOT_FOUND");
        let (_, agent) = world.environment(PRODUCTION, "prd").await;
        assert_eq!(reason(delete("1.1").await), "VERSION_IN_USE");
        let mut update = crate::world::environment_update("prd", hadron_management::app::environments::UpdateMode::Minor);
        update.version = Some("1.0".parse().unwrap());
        world.update_environment(update).await.unwrap();
        let error = delete("1.0").await.unwrap_err();
        assert_eq!((error.kind, error.reason), (ErrorKind::Conflict, "VERSION_IN_USE"));
        agent.succeed_all(&world).await;
        let whole = || world.app.delete_template(asked(&administrator(), "DeleteTemplate"), ENVIRONMENT, "minimal-env".parse().unwrap());
        assert_eq!(reason(whole().await), "TEMPLATE_HAS_VERSIONS");
        world.delete_environment("prd").await.unwrap();
        agent.succeed_all(&world).await;
        assert_eq!(delete("1.0").await.unwrap().row.version, version("1.0"));
        delete("1.1").await.unwrap();
        // Numbers are not used again.
        assert_eq!(world.register(ENVIRONMENT, "minimal-env", None, good(), &[]).await.unwrap().row.version, version("2.0"));
        delete("2.0").await.unwrap();
        whole().await.unwrap();
        assert_eq!(reason(world.app.get_template(&developer(), ENVIRONMENT, &name).await), "NOT_FOUND");
        assert_eq!(reason(whole().await), "NOT_FOUND");
    }

    async fn kinds_are_two_name_spaces(world: World) {
        world.template(ENVIRONMENT, "web", false).await;
        world.template(SERVICE, "web", false).await;
        let again = world.app.create_template(asked(&administrator(), "CreateTemplate"), NewTemplate::named(SERVICE, "web".parse().unwrap()));
        assert_eq!(reason(again.await), "TEMPLATE_EXISTS");
        assert_eq!(reason(world.register(SERVICE, "web", None, good(), &["web:1"]).await), "VERSION_NOT_FOUND");
        world.register(ENVIRONMENT, "web", None, good(), &[]).await.unwrap();
        assert_eq!(reason(world.register(SERVICE, "web", None, good(), &["web:1"]).await), "FAULTS");
    }

    async fn compatible_environments_are_named_by_services_and_by_nobody_else(world: World) {
        world.environment_template().await;
        world.template(SERVICE, "svc", false).await;
        let bundle = || archive(&example("minimal-svc"));
        assert_eq!(reason(world.register(SERVICE, "svc", None, bundle(), &[]).await), "NO_COMPATIBLE_ENVIRONMENT");
        assert_eq!(reason(world.register(SERVICE, "svc", None, bundle(), &["nothing:1"]).await), "NOT_FOUND");
        assert_eq!(reason(world.register(ENVIRONMENT, "minimal-env", None, good(), &["minimal-env:1"]).await), "COMPATIBLE_NOT_ALLOWED");
        let view = world.register(SERVICE, "svc", None, bundle(), &["minimal-env:1"]).await.unwrap();
        assert_eq!(view.row.compatible.len(), 1);
        world.template(SERVICE, "plain", true).await;
        assert_eq!(reason(world.register(SERVICE, "plain", None, bundle(), &["minimal-env:1"]).await), "PIPELINE_MISMATCH");
        let plain = archive(&example("minimal-svc-no-pipeline"));
        assert_eq!(reason(world.register(SERVICE, "svc", None, plain, &["minimal-env:1"]).await), "PIPELINE_MISMATCH");
    }

    async fn a_bad_bundle_is_refused_with_every_fault_and_takes_no_number(world: World) {
        world.template(ENVIRONMENT, "minimal-env", false).await;
        let bad = changed_example("minimal-env", "rendering_engine: jinja", "rendering_engine: erb");
        let error = world.register(ENVIRONMENT, "minimal-env", None, bad, &[]).await.unwrap_err();
        assert_eq!((error.kind, error.reason), (ErrorKind::Invalid, "FAULTS"));
        assert!(error.message.contains("manifest.yaml") && error.message.contains("erb"), "{}", error.message);
        let bad = changed_example("minimal-env", "environment.inputs.", "environment.input.");
        let error = world.register(ENVIRONMENT, "minimal-env", None, bad, &[]).await.unwrap_err();
        assert!(error.message.matches("error[").count() > 2, "{}", error.message);
        assert_eq!(reason(world.register(ENVIRONMENT, "minimal-env", None, b"no archive".to_vec(), &[]).await), "FAULTS");
        let huge = world.register(ENVIRONMENT, "minimal-env", None, vec![0x1f; 5 * 1024 * 1024 + 1], &[]).await.unwrap_err();
        assert!(huge.message.contains("5"), "{}", huge.message);
        assert_eq!(reason(world.register(ENVIRONMENT, "nothing", None, good(), &[]).await), "NOT_FOUND");
        assert_eq!(world.register(ENVIRONMENT, "minimal-env", None, good(), &[]).await.unwrap().row.version, version("1.0"));
    }

    async fn a_template_is_made_once_and_described_anew(world: World) {
        let repeatable = |content: &str| Request { repeatable: true, hash: Digest::of(content.as_bytes()), ..asked(&administrator(), "CreateTemplate") };
        let new = |display: &str| NewTemplate { display_name: display.to_owned(), ..NewTemplate::named(ENVIRONMENT, "vpc".parse().unwrap()) };
        let first = world.app.create_template(repeatable("a"), new("A")).await.unwrap();
        assert_eq!(world.app.create_template(repeatable("a"), new("A")).await.unwrap(), first);
        assert_eq!(reason(world.app.create_template(repeatable("b"), new("B")).await), "TEMPLATE_EXISTS");
        // The same name of the other kind, and the same request from an API that does not repeat.
        world.app.create_template(repeatable("a"), NewTemplate::named(SERVICE, "vpc".parse().unwrap())).await.unwrap();
        assert_eq!(reason(world.app.create_template(asked(&administrator(), "CreateTemplate"), new("A")).await), "TEMPLATE_EXISTS");
        let update = TemplateUpdate { kind: ENVIRONMENT, name: "vpc".parse().unwrap(), display_name: None, description: Some("d".to_owned()) };
        let row = world.app.update_template(asked(&administrator(), "UpdateTemplate"), update).await.unwrap();
        assert_eq!((row.display_name.as_str(), row.description.as_str()), ("A", "d"));
        let update = TemplateUpdate { kind: SERVICE, name: "none".parse().unwrap(), display_name: None, description: None };
        assert_eq!(reason(world.app.update_template(asked(&administrator(), "UpdateTemplate"), update).await), "NOT_FOUND");
        // Once it is gone, the same request makes a new one.
        world.app.delete_template(asked(&administrator(), "DeleteTemplate"), ENVIRONMENT, "vpc".parse().unwrap()).await.unwrap();
        let again = world.app.create_template(repeatable("a"), new("A")).await.unwrap();
        assert_eq!((again.description.as_str(), again.display_name.as_str()), ("", "A"));
    }

    async fn what_only_the_other_kind_has_is_refused(world: World) {
        let make = |new| world.app.create_template(asked(&administrator(), "CreateTemplate"), new);
        let new = NewTemplate { customer_managed: true, ..NewTemplate::named(SERVICE, "a".parse().unwrap()) };
        assert_eq!(reason(make(new).await), "CUSTOMER_MANAGED_NOT_ALLOWED");
        let new = NewTemplate { no_pipeline: true, ..NewTemplate::named(ENVIRONMENT, "a".parse().unwrap()) };
        assert_eq!(reason(make(new).await), "NO_PIPELINE_NOT_ALLOWED");
    }

    async fn a_customer_managed_template_takes_a_schema_and_nothing_else(world: World) {
        let new = NewTemplate { customer_managed: true, ..NewTemplate::named(ENVIRONMENT, "theirs".parse().unwrap()) };
        world.app.create_template(asked(&administrator(), "CreateTemplate"), new).await.unwrap();
        let schema = "schema:\n  format: { openapi: '3.0.0' }\n  environment_input_type: T\n  types:\n    T: { type: object, properties: { VpcId: { type: string } } }\n";
        let bare = archive(&[("schema/schema.yaml".to_owned(), schema.to_owned())]);
        let view = world.register(ENVIRONMENT, "theirs", None, bare.clone(), &[]).await.unwrap();
        assert_eq!(view.state.word(), "DRAFT");
        let whole = world.register(ENVIRONMENT, "theirs", None, good(), &[]).await.unwrap_err();
        assert!(whole.message.contains("holds only a schema"), "{}", whole.message);
        world.template(ENVIRONMENT, "ours", false).await;
        let missing = world.register(ENVIRONMENT, "ours", None, bare, &[]).await.unwrap_err();
        assert!(missing.message.contains("infrastructure/ is missing"), "{}", missing.message);
    }

    async fn what_is_said_about_a_version_can_change_and_its_status_only_forward(world: World) {
        world.templates().await;
        let plain = || VersionUpdate { kind: SERVICE, name: "minimal-svc".parse().unwrap(), version: version("1.0"), description: None, publish: false, compatible: None, components: None, approve: false };
        let update = |update| world.app.update_version(asked(&administrator(), "UpdateTemplateVersion"), update);
        let before = update(plain()).await.unwrap();
        let view = update(VersionUpdate { components: Some(true), description: Some("d".to_owned()), ..plain() }).await.unwrap();
        assert_eq!((view.row.components, view.row.description.as_str(), view.state.word()), (true, "d", "PUBLISHED"));
        assert_eq!((view.row.content, view.recommended), (before.row.content, Some(version("1.0"))));
        assert_eq!(reason(update(VersionUpdate { compatible: Some(Vec::new()), ..plain() }).await), "NO_COMPATIBLE_ENVIRONMENT");
        let compatible = |text: &str| Some(vec![text.parse().unwrap()]);
        assert_eq!(reason(update(VersionUpdate { compatible: compatible("minimal-env:2"), ..plain() }).await), "VERSION_NOT_FOUND");
        assert_eq!(reason(update(VersionUpdate { compatible: compatible("none:1"), ..plain() }).await), "NOT_FOUND");
        world.published(ENVIRONMENT, "minimal-env", None, good(), &[]).await;
        let view = update(VersionUpdate { compatible: compatible("minimal-env:2"), components: Some(false), ..plain() }).await.unwrap();
        assert_eq!((view.row.compatible[0].to_string().as_str(), view.row.components), ("minimal-env:2", false));
        assert_eq!(reason(update(VersionUpdate { version: version("7.0"), ..plain() }).await), "VERSION_NOT_FOUND");
        let environment = VersionUpdate { kind: ENVIRONMENT, name: "minimal-env".parse().unwrap(), components: Some(true), ..plain() };
        assert_eq!(reason(update(environment).await), "COMPONENTS_NOT_ALLOWED");
    }

    async fn majors_are_listed_by_what_is_recommended_of_them(world: World) {
        world.environment_template().await;
        for major in [Some(1), None, Some(2), None] {
            world.register(ENVIRONMENT, "minimal-env", major, good(), &[]).await.unwrap();
        }
        world.publish(ENVIRONMENT, "minimal-env", "2.0").await;
        let majors = async |after, limit| {
            let listed = world.app.list_majors(&developer(), ENVIRONMENT, "minimal-env".parse().unwrap(), after, limit).await.unwrap();
            listed.iter().map(|view| view.row.version.to_string()).collect::<Vec<_>>()
        };
        // 1.1 and 2.1 are drafts, and of 3 nothing is published.
        assert_eq!(majors(0, 9).await, ["1.0", "2.0", "3.0"]);
        assert_eq!((majors(0, 1).await, majors(2, 9).await, majors(3, 9).await), (vec!["1.0".to_owned()], vec!["3.0".to_owned()], Vec::new()));
        let minors = world.app.list_versions(&developer(), ENVIRONMENT, "minimal-env".parse().unwrap(), Some(2), None, 9).await.unwrap();
        assert_eq!(minors.iter().map(|view| view.row.version.to_string()).collect::<Vec<_>>(), ["2.0", "2.1"]);
        assert!(minors.iter().all(|view| view.recommended == Some(version("2.0"))));
        assert_eq!(reason(world.app.list_versions(&developer(), ENVIRONMENT, "minimal-env".parse().unwrap(), Some(9), None, 9).await), "VERSION_NOT_FOUND");
    }

    async fn quotas_hold_and_say_what_to_raise(world: World) {
        let quotas = Quotas { templates: 2, versions_per_template: 2, ..Quotas::default() };
        let small = App::new(world.test.db.clone(), world.test.clock.clone(), Settings { quotas, ..crate::world::settings() });
        let make = |name: &str| small.create_template(asked(&administrator(), "CreateTemplate"), NewTemplate::named(ENVIRONMENT, name.parse().unwrap()));
        make("a").await.unwrap();
        make("b").await.unwrap();
        let full = make("c").await.unwrap_err();
        assert_eq!((full.kind, full.reason), (ErrorKind::Quota, "QUOTA_TEMPLATES"));
        assert_eq!(full.message, "the quota for templates is 2, and all of them exist");
        assert!(full.help.unwrap().contains("quotas.templates"));
        // That the name is taken is the better answer.
        assert_eq!(reason(make("a").await), "TEMPLATE_EXISTS");
        let register = || small.create_version(asked(&administrator(), "CreateTemplateVersion"), new_version(ENVIRONMENT, "a", BundleSource::Archive(good())));
        register().await.unwrap();
        register().await.unwrap();
        assert_eq!(reason(register().await), "QUOTA_VERSIONS_PER_TEMPLATE");
        small.delete_version(asked(&administrator(), "DeleteTemplateVersion"), ENVIRONMENT, "a".parse().unwrap(), version("2.0")).await.unwrap();
        assert_eq!(register().await.unwrap().row.version, version("3.0"));
        let full = Client::new(small.clone(), administrator()).refused("CreateServiceTemplate", json!({ "name": "c" })).await;
        assert_eq!(full.0, "ServiceQuotaExceededException");
    }

    async fn protons_api_knows_templates(world: World) {
        let proton = world.proton(administrator());
        let arn = |rest: &str| format!("arn:aws:proton:us-east-1:111111111111:{rest}");
        let made = proton.done("CreateEnvironmentTemplate", json!({ "name": "minimal-env", "displayName": "Minimal", "encryptionKey": "arn:aws:kms:us-east-1:111111111111:key/k" })).await;
        let template = &made["environmentTemplate"];
        assert_eq!((template["arn"].as_str(), template["encryptionKey"].is_string()), (Some(arn("environment-template/minimal-env").as_str()), true));
        assert!(template["createdAt"].is_number() && template.get("recommendedVersion").is_none() && template.get("provisioning").is_none());
        // The same again is the same; another one is not.
        assert_eq!(proton.done("CreateEnvironmentTemplate", json!({ "name": "minimal-env", "displayName": "Minimal", "encryptionKey": "arn:aws:kms:us-east-1:111111111111:key/k" })).await, made);
        assert_eq!(proton.refused("CreateEnvironmentTemplate", json!({ "name": "minimal-env" })).await.0, "ConflictException");
        let updated = proton.done("UpdateEnvironmentTemplate", json!({ "name": "minimal-env", "description": "d" })).await;
        assert_eq!((&updated["environmentTemplate"]["displayName"], &updated["environmentTemplate"]["description"]), (&json!("Minimal"), &json!("d")));
        let summary = &proton.done("ListEnvironmentTemplates", json!({})).await["templates"][0];
        assert!(summary.get("encryptionKey").is_none() && summary["name"] == "minimal-env");

        let source = json!({ "s3": { "bucket": "bundles", "key": "k" } });
        let create = json!({ "templateName": "minimal-env", "source": source, "clientToken": "t1", "description": "v" });
        let first = proton.done("CreateEnvironmentTemplateVersion", create.clone()).await;
        let view = &first["environmentTemplateVersion"];
        assert_eq!((&view["status"], &view["majorVersion"], &view["minorVersion"]), (&json!("REGISTRATION_IN_PROGRESS"), &json!("1"), &json!("0")));
        assert_eq!((view["arn"].as_str(), view.get("schema")), (Some(arn("environment-template/minimal-env:1.0").as_str()), None));
        assert_eq!(proton.done("CreateEnvironmentTemplateVersion", create).await, first);
        let other = json!({ "templateName": "minimal-env", "source": source, "clientToken": "t1" });
        assert_eq!(proton.refused("CreateEnvironmentTemplateVersion", other).await, ("ValidationException".to_owned(), "Idempotent parameter mismatch".to_owned()));
        let none = json!({ "templateName": "minimal-env", "source": source, "majorVersion": "7" });
        assert_eq!(proton.refused("CreateEnvironmentTemplateVersion", none).await.0, "ResourceNotFoundException");
        let agent = world.management_agent().await;
        let offer = agent.take_one(&world).await;
        agent.fetched(&world, &offer, &good()).await;
        let one = json!({ "templateName": "minimal-env", "majorVersion": "1", "minorVersion": "0" });
        let view = proton.done("GetEnvironmentTemplateVersion", one.clone()).await;
        let view = &view["environmentTemplateVersion"];
        assert_eq!((&view["status"], &view["statusMessage"], view.get("recommendedMinorVersion")), (&json!("DRAFT"), &json!(""), None));
        assert!(view["schema"].as_str().unwrap().contains("retention_days"));
        let with = |more: Value| { let mut input = one.clone(); for (key, value) in more.as_object().unwrap() { input[key] = value.clone(); } input };
        let published = proton.done("UpdateEnvironmentTemplateVersion", with(json!({ "status": "PUBLISHED", "description": "w" }))).await;
        assert_eq!((&published["environmentTemplateVersion"]["status"], &published["environmentTemplateVersion"]["recommendedMinorVersion"]), (&json!("PUBLISHED"), &json!("0")));
        assert_eq!(proton.refused("UpdateEnvironmentTemplateVersion", with(json!({ "status": "DRAFT" }))).await.0, "ValidationException");
        assert_eq!(proton.done("GetEnvironmentTemplate", json!({ "name": "minimal-env" })).await["environmentTemplate"]["recommendedVersion"], "1.0");

        // Pages of majors and of minors.
        for major in [Some(1), Some(1), None] {
            world.published(ENVIRONMENT, "minimal-env", major, good(), &[]).await;
        }
        let pages = async |mut input: Value| {
            let mut seen = Vec::new();
            loop {
                let page = proton.done("ListEnvironmentTemplateVersions", input.clone()).await;
                let rows = page["templateVersions"].as_array().unwrap();
                assert!(rows.len() <= 1 && rows.iter().all(|row| row.get("schema").is_none()));
                seen.extend(rows.iter().map(|row| format!("{}.{}", row["majorVersion"].as_str().unwrap(), row["minorVersion"].as_str().unwrap())));
                match page.get("nextToken") { Some(token) => input["nextToken"] = token.clone(), None => return seen }
            }
        };
        assert_eq!(pages(json!({ "templateName": "minimal-env", "maxResults": 1 })).await, ["1.2", "2.0"]);
        assert_eq!(pages(json!({ "templateName": "minimal-env", "majorVersion": "1", "maxResults": 1 })).await, ["1.0", "1.1", "1.2"]);
        assert_eq!(proton.refused("DeleteEnvironmentTemplateVersion", json!({ "templateName": "minimal-env", "majorVersion": "1", "minorVersion": "2" })).await.0, "ConflictException");
        assert_eq!(proton.done("DeleteEnvironmentTemplateVersion", one.clone()).await["environmentTemplateVersion"]["description"], "w");
        assert_eq!(proton.refused("GetEnvironmentTemplateVersion", one.clone()).await.0, "ResourceNotFoundException");
        assert_eq!(proton.refused("DeleteEnvironmentTemplateVersion", one).await.0, "ResourceNotFoundException");
        assert_eq!(proton.refused("DeleteEnvironmentTemplate", json!({ "name": "minimal-env" })).await.0, "ConflictException");
    }

    async fn protons_api_knows_service_templates(world: World) {
        world.environment_template().await;
        let proton = world.proton(administrator());
        let made = proton.done("CreateServiceTemplate", json!({ "name": "svc", "pipelineProvisioning": "CUSTOMER_MANAGED" })).await;
        assert_eq!((&made["serviceTemplate"]["pipelineProvisioning"], &made["serviceTemplate"]["arn"]), (&json!("CUSTOMER_MANAGED"), &json!("arn:aws:proton:us-east-1:111111111111:service-template/svc")));
        let source = json!({ "s3": { "bucket": "bundles", "key": "k" } });
        let compatible = json!([{ "templateName": "minimal-env", "majorVersion": "1" }]);
        let create = json!({ "templateName": "svc", "source": source, "compatibleEnvironmentTemplates": compatible, "supportedComponentSources": ["DIRECTLY_DEFINED"] });
        let view = proton.done("CreateServiceTemplateVersion", create.clone()).await;
        let view = &view["serviceTemplateVersion"];
        assert_eq!((&view["compatibleEnvironmentTemplates"], &view["supportedComponentSources"]), (&compatible, &json!(["DIRECTLY_DEFINED"])));
        let agent = world.management_agent().await;
        let offer = agent.take_one(&world).await;
        agent.fetched(&world, &offer, &archive(&example("minimal-svc"))).await;
        let one = json!({ "templateName": "svc", "majorVersion": "1", "minorVersion": "0" });
        let failed = proton.done("GetServiceTemplateVersion", one.clone()).await;
        assert_eq!(failed["serviceTemplateVersion"]["status"], "REGISTRATION_FAILED");
        assert!(failed["serviceTemplateVersion"]["statusMessage"].as_str().unwrap().contains("without a pipeline"), "{failed}");
        assert_eq!(proton.done("ListServiceTemplateVersions", json!({ "templateName": "svc" })).await["templateVersions"][0]["status"], "REGISTRATION_FAILED");
        let mut again = one.clone();
        again["status"] = json!("PUBLISHED");
        assert_eq!(proton.refused("UpdateServiceTemplateVersion", again).await.0, "ValidationException");
        let mut bare = one.clone();
        bare["supportedComponentSources"] = json!([]);
        let view = proton.done("UpdateServiceTemplateVersion", bare).await;
        assert_eq!(view["serviceTemplateVersion"].get("supportedComponentSources"), None);
        proton.done("DeleteServiceTemplateVersion", one).await;
        assert_eq!(proton.done("DeleteServiceTemplate", json!({ "name": "svc" })).await["serviceTemplate"]["name"], "svc");
        assert_eq!(proton.refused("GetServiceTemplate", json!({ "name": "svc" })).await.0, "ResourceNotFoundException");
        assert_eq!(proton.refused("UpdateServiceTemplate", json!({ "name": "svc" })).await.0, "ResourceNotFoundException");
        assert_eq!(proton.done("ListServiceTemplates", json!({})).await, json!({ "templates": [] }));
        assert_eq!(proton.refused("ListServiceTemplateVersions", json!({ "templateName": "svc" })).await.0, "ResourceNotFoundException");
        let outsider = world.proton(crate::world::owner(PRODUCTION));
        assert_eq!(outsider.refused("CreateServiceTemplate", json!({ "name": "x" })).await.0, "AccessDeniedException");
    }
}
