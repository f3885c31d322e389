//! Templates and their versions.

use hadron_domain::template::TemplateKind;
use hadron_management::app::ErrorKind;

use crate::scenarios;
use crate::world::{
    PRODUCTION, administrator, archive, asked, auditor, changed_example, example, reason, version,
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
        let recommended = async || world.app.get_template(&auditor(), ENVIRONMENT, &name).await.unwrap().versions.recommended();
        assert_eq!(recommended().await, None);
        world.publish(ENVIRONMENT, "minimal-env", "1.1").await;
        assert_eq!(recommended().await, Some(version("1.1")));
        world.publish(ENVIRONMENT, "minimal-env", "2.0").await;
        world.publish(ENVIRONMENT, "minimal-env", "1.2").await;
        world.publish(ENVIRONMENT, "minimal-env", "1.2").await;
        assert_eq!(recommended().await, Some(version("2.0")));
        let view = world.app.get_version(&auditor(), ENVIRONMENT, &name, version("1.2")).await.unwrap();
        assert_eq!(view.state.word(), "PUBLISHED");
        let schema = world.app.version_schema(&view).await.unwrap();
        assert!(schema.contains("retention_days"));
        let listed = world.app.list_versions(&auditor(), ENVIRONMENT, name.clone(), Some(version("1.0")), 2).await.unwrap();
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
        assert_eq!(reason(world.app.get_template(&auditor(), ENVIRONMENT, &name).await), "NOT_FOUND");
        assert_eq!(reason(whole().await), "NOT_FOUND");
    }

    async fn kinds_are_two_name_spaces(world: World) {
        world.template(ENVIRONMENT, "web", false).await;
        world.template(SERVICE, "web", false).await;
        let again = world.app.create_template(asked(&administrator(), "CreateTemplate"), SERVICE, "web".parse().unwrap(), String::new(), String::new(), false);
        assert_eq!(reason(again.await), "TEMPLATE_EXISTS");
        assert_eq!(reason(world.register(SERVICE, "web", None, good(), &["web:1"]).await), "FAULTS");
        world.register(ENVIRONMENT, "web", None, good(), &[]).await.unwrap();
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
}
