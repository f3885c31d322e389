//! Tags, repositories, sync, notices and the summary as clients of Proton see them.

use hadron_management::api::proton::testing::Client;
use serde_json::json;

use crate::scenarios;
use crate::world::{MANAGEMENT, PRODUCTION, administrator, developer};

fn arn(resource: &str) -> String {
    format!("arn:aws:proton:us-east-1:{MANAGEMENT}:{resource}")
}

fn link() -> String {
    format!("arn:aws:codeconnections:us-east-1:{MANAGEMENT}:connection/0a1b2c3d-0000-4000-8000-0123456789ab")
}

scenarios! {
    async fn tags_are_given_listed_page_by_page_and_taken(world: World) {
        world.environment_template().await;
        let client = Client::new(world.app.clone(), administrator());
        let template = arn("environment-template/minimal-env");
        let tags = json!([{ "key": "b", "value": "2" }, { "key": "c", "value": "" }]);
        client.done("TagResource", json!({ "resourceArn": template, "tags": tags })).await;
        let first = client.done("ListTagsForResource", json!({ "resourceArn": template, "maxResults": 3 })).await;
        assert_eq!(first["tags"][0], json!({ "key": "aws:proton:account", "value": MANAGEMENT }));
        let token = first["nextToken"].as_str().unwrap();
        let rest = client
            .done("ListTagsForResource", json!({ "resourceArn": template, "maxResults": 3, "nextToken": token }))
            .await;
        assert_eq!(rest, json!({ "tags": [{ "key": "c", "value": "" }] }));
        client.done("UntagResource", json!({ "resourceArn": template, "tagKeys": ["b", "none"] })).await;
        let (error, message) = client
            .refused("TagResource", json!({ "resourceArn": template, "tags": [{ "key": "aws:x", "value": "y" }] }))
            .await;
        assert_eq!(error, "ValidationException", "{message}");
        let (error, _) = client.refused("ListTagsForResource", json!({ "resourceArn": arn("environment/none") })).await;
        assert_eq!(error, "ResourceNotFoundException");
    }

    async fn what_is_made_with_tags_has_them(world: World) {
        let client = Client::new(world.app.clone(), administrator());
        let made = client
            .done(
                "CreateRepository",
                json!({
                    "provider": "GITHUB", "name": "acme/web", "connectionArn": link(),
                    "tags": [{ "key": "team", "value": "shop" }],
                }),
            )
            .await;
        let repository = made["repository"]["arn"].as_str().unwrap();
        assert_eq!(repository, arn("repository/github:acme/web"));
        let found = client.done("ListTagsForResource", json!({ "resourceArn": repository })).await;
        assert_eq!(found["tags"][1], json!({ "key": "team", "value": "shop" }));
    }

    async fn repositories_and_what_follows_them(world: World) {
        world.environment_template().await;
        let client = Client::new(world.app.clone(), administrator());
        let one = json!({ "provider": "GITHUB", "name": "acme/infra" });
        let create = json!({ "provider": "GITHUB", "name": "acme/infra", "connectionArn": link() });
        client.done("CreateRepository", create.clone()).await;
        // The same again is answered, another one is not.
        client.done("CreateRepository", create.clone()).await;
        let mut other = create;
        other["encryptionKey"] = "arn:aws:kms:us-east-1:111111111111:key/x".into();
        assert_eq!(client.refused("CreateRepository", other).await.0, "ConflictException");
        let all = client.done("ListRepositories", json!({})).await;
        assert_eq!(all["repositories"].as_array().unwrap().len(), 1);

        let config = json!({
            "templateName": "minimal-env", "templateType": "ENVIRONMENT", "branch": "main",
            "repositoryName": "acme/infra", "repositoryProvider": "GITHUB",
        });
        let made = client.done("CreateTemplateSyncConfig", config.clone()).await;
        assert_eq!(made["templateSyncConfig"], config);
        let template = json!({ "templateName": "minimal-env", "templateType": "ENVIRONMENT" });
        assert_eq!(client.done("GetTemplateSyncConfig", template.clone()).await, made);
        let status = json!({ "templateName": "minimal-env", "templateType": "ENVIRONMENT", "templateVersion": "1" });
        assert_eq!(client.done("GetTemplateSyncStatus", status).await, json!({}));
        let sync = json!({
            "repositoryName": "acme/infra", "repositoryProvider": "GITHUB", "branch": "main", "syncType": "TEMPLATE_SYNC",
        });
        assert_eq!(client.done("GetRepositorySyncStatus", sync).await, json!({}));
        let list = json!({ "repositoryName": "acme/infra", "repositoryProvider": "GITHUB", "syncType": "TEMPLATE_SYNC" });
        let found = client.done("ListRepositorySyncDefinitions", list).await;
        assert_eq!(
            found["syncDefinitions"],
            json!([{
                "branch": "main", "directory": "minimal-env/v1", "parent": "minimal-env", "target": "minimal-env:1",
            }])
        );
        assert_eq!(client.refused("DeleteRepository", one.clone()).await.0, "ConflictException");
        client.done("DeleteTemplateSyncConfig", template.clone()).await;
        assert_eq!(client.refused("GetTemplateSyncConfig", template).await.0, "ResourceNotFoundException");
        client.done("DeleteRepository", one.clone()).await;
        assert_eq!(client.refused("GetRepository", one).await.0, "ResourceNotFoundException");
        let service = json!({ "serviceName": "web" });
        assert_eq!(client.refused("GetServiceSyncConfig", service.clone()).await.0, "ResourceNotFoundException");
        assert_eq!(
            client.refused("GetServiceSyncBlockerSummary", service).await.0,
            "ResourceNotFoundException"
        );
        let blocker = json!({ "id": "0190a5d0-1111-7222-8333-444455556666", "resolvedReason": "done" });
        assert_eq!(client.refused("UpdateServiceSyncBlocker", blocker).await.0, "ResourceNotFoundException");
    }

    async fn the_summary_and_notices(world: World) {
        world.templates().await;
        world.environment(PRODUCTION, "prd").await;
        let client = Client::new(world.app.clone(), developer());
        let found = client.done("GetResourcesSummary", json!({})).await;
        let full = |total: u32| json!({ "behindMajor": 0, "behindMinor": 0, "failed": 0, "total": total, "upToDate": total });
        assert_eq!(
            found["counts"],
            json!({
                "components": { "failed": 0, "total": 0 },
                "environmentTemplates": { "total": 1 },
                "environments": full(1),
                "pipelines": full(0),
                "serviceInstances": full(0),
                "serviceTemplates": { "total": 2 },
                "services": full(0),
            })
        );
        let notice = json!({ "resourceArn": arn("environment/prd"), "status": "SUCCEEDED" });
        let (error, message) = client.refused("NotifyResourceDeploymentStatusChange", notice).await;
        assert_eq!(error, "ValidationException");
        assert!(message.contains("neither"), "{message}");
        let other = json!({
            "resourceArn": arn("environment/prd"), "deploymentId": "0190a5d0-1111-7222-8333-444455556666",
        });
        assert_eq!(client.refused("NotifyResourceDeploymentStatusChange", other).await.0, "ConflictException");
    }
}
