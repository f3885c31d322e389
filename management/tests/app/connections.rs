//! Environment account connections: who asks, who decides, what follows.

use hadron_domain::authority::Role;
use hadron_management::app::ErrorKind;
use hadron_management::app::connections::{RolesUpdate, Side};
use hadron_management::app::environments::UpdateMode;
use hadron_management::store::connections::Filter;
use serde_json::json;

use crate::agent::stack;
use crate::scenarios;
use crate::world::{
    MANAGEMENT, PRODUCTION, STAGING, account, administrator, asked, auditor, caller, developer,
    environment_update, new_connection, owner, reason,
};

scenarios! {
    async fn only_a_proven_account_asks_and_only_for_itself(world: World) {
        let request = |caller, new| world.app.request_connection(asked(&caller, "RequestConnection"), new);
        let nobody = request(caller(Role::Owner, None), new_connection(PRODUCTION, "prd")).await.unwrap_err();
        assert_eq!((nobody.kind, nobody.reason), (ErrorKind::Denied, "ACCOUNT_NOT_PROVEN"));
        assert_eq!(world.denied().await, ["token:owner-none RequestConnection "]);
        let mut new = new_connection(PRODUCTION, "prd");
        new.management = Some(account("999999999999"));
        assert_eq!(reason(request(owner(PRODUCTION), new).await), "OTHER_HUB");
        for place in 0..3 {
            let role = Some(format!("arn:aws:iam::{STAGING}:role/r").parse().unwrap());
            let mut new = new_connection(PRODUCTION, "prd");
            match place {
                0 => new.role = role,
                1 => new.component_role = role,
                _ => new.codebuild_role = role,
            }
            assert_eq!(reason(request(owner(PRODUCTION), new).await), "ROLE_OF_OTHER_ACCOUNT");
        }
        assert_eq!(reason(request(developer(), new_connection(PRODUCTION, "prd")).await), "DENIED");
        let made = request(owner(PRODUCTION), new_connection(PRODUCTION, "prd")).await.unwrap();
        assert_eq!(made.connection.approval.word(), "PENDING");
        assert_eq!((made.connection.region.as_str(), made.connection.roles.agent_role_name.as_str()), ("us-east-1", "hadron-agent"));
        assert_eq!((made.agent_online, made.agent_last_seen, made.agent_key), (false, None, None));
        assert_eq!(reason(request(owner(PRODUCTION), new_connection(PRODUCTION, "prd")).await), "CONNECTION_EXISTS");
        // The management account is an account like others.
        let own = request(administrator(), new_connection("111111111111", "hub")).await.unwrap();
        assert_eq!(own.connection.account.to_string(), "111111111111");
    }

    async fn accepting_confirms_the_account(world: World) {
        let id = world.request(PRODUCTION, "prd").await.unwrap();
        assert_eq!(reason(world.accept(id, STAGING).await), "OTHER_ACCOUNT");
        world.accept(id, PRODUCTION).await.unwrap();
        world.accept(id, PRODUCTION).await.unwrap();
        let agent = world.agent(id).await;
        let view = world.app.get_connection(&owner(PRODUCTION), id).await.unwrap();
        assert_eq!(view.connection.approval.word(), "CONNECTED");
        assert!(view.agent_online && view.agent_last_seen.is_some());
        world.app.close_session(&agent.session).await.unwrap();
        assert!(!world.app.get_connection(&owner(PRODUCTION), id).await.unwrap().agent_online);
    }

    async fn an_environment_name_is_served_by_one_connection(world: World) {
        let first = world.connected(PRODUCTION, "prd").await;
        let second = world.request(STAGING, "prd").await.unwrap();
        let error = world.accept(second, STAGING).await.unwrap_err();
        assert_eq!((error.kind, error.reason), (ErrorKind::Conflict, "ENVIRONMENT_TAKEN"));
        world.app.delete_connection(asked(&owner(PRODUCTION), "DeleteConnection"), first).await.unwrap();
        world.accept(second, STAGING).await.unwrap();
    }

    async fn rejected_is_final_and_refused_while_in_use(world: World) {
        world.environment_template().await;
        let (used, _) = world.environment(PRODUCTION, "prd").await;
        let reject = |id| world.app.reject_connection(asked(&administrator(), "RejectConnection"), id);
        let error = reject(used).await.unwrap_err();
        assert_eq!((error.kind, error.reason), (ErrorKind::Conflict, "CONNECTION_STATE"));
        assert!(error.message.contains("in use by environment 'prd'"), "{}", error.message);
        let idle = world.connected(STAGING, "stg").await;
        assert_eq!(reject(idle).await.unwrap().connection.approval.word(), "REJECTED");
        reject(idle).await.unwrap();
        assert_eq!(reason(world.accept(idle, STAGING).await), "CONNECTION_STATE");
        // Another may be asked for at once.
        let again = world.request(STAGING, "stg").await.unwrap();
        assert_ne!(again, idle);
        assert_eq!(reject(again).await.unwrap().connection.approval.word(), "REJECTED");
    }

    async fn only_its_owner_deletes_it_also_while_in_use(world: World) {
        world.environment_template().await;
        let (used, _) = world.environment(PRODUCTION, "prd").await;
        let delete = |caller| world.app.delete_connection(asked(&caller, "DeleteConnection"), used);
        let error = delete(administrator()).await.unwrap_err();
        assert_eq!((error.kind, error.reason), (ErrorKind::Denied, "DENIED"));
        assert!(error.help.unwrap().contains("reject"));
        assert_eq!(reason(delete(auditor()).await), "DENIED");
        assert_eq!(reason(delete(developer()).await), "DENIED");
        assert_eq!(world.denied().await.len(), 3);
        assert_eq!(reason(delete(owner(STAGING)).await), "NOT_FOUND");
        assert_eq!(delete(owner(PRODUCTION)).await.unwrap().connection.approval.word(), "DELETED");
        delete(owner(PRODUCTION)).await.unwrap();
        assert_eq!(reason(world.accept(used, PRODUCTION).await), "CONNECTION_STATE");
        assert_eq!(world.app.list_connections(&auditor(), Filter::default(), String::new(), 10).await.unwrap(), []);
    }

    async fn others_do_not_see_it(world: World) {
        let id = world.connected(PRODUCTION, "prd").await;
        for stranger in [owner(STAGING), caller(Role::Owner, None), developer()] {
            assert_eq!(reason(world.app.get_connection(&stranger, id).await), "NOT_FOUND");
            let seen = world.app.list_connections(&stranger, Filter::default(), String::new(), 10).await.unwrap();
            assert_eq!(seen, []);
        }
        let other = Filter { account: Some(account(PRODUCTION)), ..Filter::default() };
        assert_eq!(world.app.list_connections(&owner(STAGING), other, String::new(), 10).await.unwrap(), []);
        for insider in [owner(PRODUCTION), administrator(), auditor()] {
            assert_eq!(world.app.get_connection(&insider, id).await.unwrap().connection.id, id);
            assert_eq!(world.app.list_connections(&insider, Filter::default(), String::new(), 10).await.unwrap().len(), 1);
        }
        // The hub's own is nobody's to see.
        let own = world.app.seed_management().await.unwrap();
        assert_eq!(reason(world.app.get_connection(&administrator(), own).await), "NOT_FOUND");
        assert_eq!(reason(world.accept(own, "111111111111").await), "NOT_FOUND");
    }

    async fn its_owner_names_other_roles_and_the_rest_stays(world: World) {
        world.environment_template().await;
        let (id, agent) = world.environment(PRODUCTION, "prd").await;
        let role = |account: &str, name: &str| Some(format!("arn:aws:iam::{account}:role/{name}").parse().unwrap());
        let update = |caller, update| world.app.update_connection(asked(&caller, "UpdateConnection"), id, update);
        let component = RolesUpdate { component_role: role(PRODUCTION, "c"), ..RolesUpdate::default() };
        for stranger in [administrator(), auditor(), developer()] {
            assert_eq!(reason(update(stranger, component.clone()).await), "DENIED");
        }
        assert_eq!(world.denied().await.len(), 3);
        assert_eq!(reason(update(owner(STAGING), component.clone()).await), "NOT_FOUND");
        let foreign = RolesUpdate { role: role(STAGING, "r"), ..RolesUpdate::default() };
        assert_eq!(reason(update(owner(PRODUCTION), foreign).await), "ROLE_OF_OTHER_ACCOUNT");

        let before = world.app.get_connection(&owner(PRODUCTION), id).await.unwrap().connection;
        world.pass(std::time::Duration::from_secs(1)).await;
        let after = update(owner(PRODUCTION), component.clone()).await.unwrap().connection;
        assert_eq!((after.approval.word(), after.epoch), ("CONNECTED", before.epoch + 1));
        assert_eq!((&after.roles.provisioning, &after.roles.component), (&before.roles.provisioning, &role(PRODUCTION, "c")));
        assert!(after.modified_at() > before.modified_at());
        // The same once more changes nothing.
        assert_eq!(update(owner(PRODUCTION), component).await.unwrap().connection, after);
        // The agent that was told of other roles is not heard; the next one is given the new role.
        world.update_environment(environment_update("prd", UpdateMode::Current)).await.unwrap();
        assert_eq!(reason(world.app.take(&agent.session, 1).await), "CONNECTION_CLOSED");
        let provisioning = RolesUpdate { role: role(PRODUCTION, "other"), ..RolesUpdate::default() };
        update(owner(PRODUCTION), provisioning).await.unwrap();
        let agent = world.agent(id).await;
        let offer = agent.take_one(&world).await;
        assert_eq!(stack(&offer).role, role(PRODUCTION, "other"));
        agent.succeed(&world, &offer).await;

        let idle = world.request(PRODUCTION, "dev").await.unwrap();
        world.app.reject_connection(asked(&administrator(), "RejectConnection"), idle).await.unwrap();
        let refused = world.app.update_connection(asked(&owner(PRODUCTION), "UpdateConnection"), idle, RolesUpdate { role: role(PRODUCTION, "x"), ..RolesUpdate::default() }).await;
        assert_eq!(reason(refused), "CONNECTION_STATE");
    }

    async fn each_side_lists_its_own(world: World) {
        let prd = world.connected(PRODUCTION, "prd").await;
        let dev = world.request(PRODUCTION, "dev").await.unwrap();
        let stg = world.request(STAGING, "stg").await.unwrap();
        world.app.reject_connection(asked(&administrator(), "RejectConnection"), stg).await.unwrap();
        let own = world.app.request_connection(asked(&administrator(), "RequestConnection"), new_connection(MANAGEMENT, "hub")).await.unwrap().connection.id;
        let app = &world.app;
        let list = |caller, side, filter| async move {
            let found = app.list_connections_of(&caller, side, filter, String::new(), 10).await.unwrap();
            let mut ids: Vec<_> = found.into_iter().map(|view| view.connection.id).collect();
            ids.sort();
            ids
        };
        let sorted = |mut ids: Vec<_>| { ids.sort(); ids };
        let all = Filter::default;
        let any = Side::Management;
        assert_eq!(list(administrator(), any, all()).await, sorted(vec![prd, dev, stg, own]));
        assert_eq!(list(auditor(), any, all()).await.len(), 4);
        assert_eq!(list(owner(PRODUCTION), any, all()).await, []);
        assert_eq!(list(developer(), any, all()).await, []);
        assert_eq!(list(administrator(), Side::Environment, all()).await, [own]);
        assert_eq!(list(auditor(), Side::Environment, all()).await, []);
        assert_eq!(list(owner(PRODUCTION), Side::Environment, all()).await, sorted(vec![prd, dev]));
        let of = |statuses: &[&str]| Filter { statuses: statuses.iter().map(|status| (*status).to_owned()).collect(), ..Filter::default() };
        assert_eq!(list(administrator(), any, of(&["CONNECTED"])).await, [prd]);
        assert_eq!(list(administrator(), any, of(&["REJECTED", "CONNECTED", "REJECTED"])).await, sorted(vec![prd, stg]));
        assert_eq!(list(administrator(), any, of(&["PENDING", "CONNECTED", "REJECTED"])).await.len(), 4);
        let named = Filter { environment: Some("dev".parse().unwrap()), ..of(&["PENDING"]) };
        assert_eq!(list(administrator(), any, named).await, [dev]);
    }

    async fn the_proton_api_connects_accounts(world: World) {
        let (account_side, management) = (world.proton(owner(PRODUCTION)), world.proton(administrator()));
        let role = |name: &str| format!("arn:aws:iam::{PRODUCTION}:role/{name}");
        let wanted = json!({ "environmentName": "prd", "managementAccountId": MANAGEMENT, "roleArn": role("r"), "clientToken": "t1" });
        let made = account_side.done("CreateEnvironmentAccountConnection", wanted.clone()).await["environmentAccountConnection"].clone();
        let id = made["id"].as_str().unwrap().to_owned();
        assert_eq!(made["arn"], json!(format!("arn:aws:proton:us-east-1:{PRODUCTION}:environment-account-connection/{id}")));
        assert_eq!((&made["status"], &made["environmentAccountId"], &made["managementAccountId"]), (&json!("PENDING"), &json!(PRODUCTION), &json!(MANAGEMENT)));
        assert_eq!(made["lastModifiedAt"], made["requestedAt"]);
        assert!(made.get("componentRoleArn").is_none());
        // By its token, by its name, and not when it says something else.
        let again = |with: serde_json::Value| {
            let mut input = wanted.clone();
            input.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
            input
        };
        assert_eq!(account_side.done("CreateEnvironmentAccountConnection", wanted.clone()).await["environmentAccountConnection"], made);
        assert_eq!(account_side.done("CreateEnvironmentAccountConnection", again(json!({ "clientToken": "t2" }))).await["environmentAccountConnection"], made);
        let other = again(json!({ "roleArn": role("other") }));
        assert_eq!(account_side.refused("CreateEnvironmentAccountConnection", other).await, ("ValidationException".to_owned(), "Idempotent parameter mismatch".to_owned()));
        let other = again(json!({ "roleArn": role("other"), "clientToken": "t3" }));
        assert_eq!(account_side.refused("CreateEnvironmentAccountConnection", other).await.0, "ConflictException");
        let elsewhere = again(json!({ "managementAccountId": STAGING, "clientToken": "t4" }));
        assert_eq!(account_side.refused("CreateEnvironmentAccountConnection", elsewhere).await.0, "ValidationException");

        let named = json!({ "id": id });
        assert_eq!(account_side.refused("AcceptEnvironmentAccountConnection", named.clone()).await.0, "AccessDeniedException");
        assert_eq!(management.refused("DeleteEnvironmentAccountConnection", named.clone()).await.0, "AccessDeniedException");
        assert_eq!(world.proton(owner(STAGING)).refused("GetEnvironmentAccountConnection", named.clone()).await.0, "ResourceNotFoundException");
        let incoming = json!({ "requestedBy": "MANAGEMENT_ACCOUNT", "statuses": ["PENDING"] });
        let listed = management.done("ListEnvironmentAccountConnections", incoming.clone()).await["environmentAccountConnections"].clone();
        assert_eq!((listed.as_array().unwrap().len(), &listed[0]["id"]), (1, &json!(id)));
        assert_eq!(account_side.done("ListEnvironmentAccountConnections", incoming).await["environmentAccountConnections"], json!([]));
        let sent = json!({ "requestedBy": "ENVIRONMENT_ACCOUNT", "environmentName": "prd" });
        assert_eq!(account_side.done("ListEnvironmentAccountConnections", sent).await["environmentAccountConnections"], listed);

        let accepted = management.done("AcceptEnvironmentAccountConnection", named.clone()).await["environmentAccountConnection"].clone();
        assert_eq!(accepted["status"], "CONNECTED");
        // An agent's role that was pinned stays pinned when a client says it twice.
        let connection = convert(&id);
        let pin = |pinned: Option<&'static str>| world.app.write("pin", move |unit| Box::pin(async move {
            let mut row = hadron_management::store::connections::get(unit.tx, connection).await?.unwrap();
            let before = row.pinned_role_id.clone();
            if let Some(pinned) = pinned {
                row.pinned_role_id = Some(pinned.to_owned());
                hadron_management::store::connections::put(unit.tx, &row).await?;
            }
            Ok(before)
        }));
        pin(Some("AROAEXAMPLE")).await.unwrap();
        assert_eq!(management.done("AcceptEnvironmentAccountConnection", named.clone()).await["environmentAccountConnection"], accepted);
        assert_eq!(pin(None).await.unwrap().as_deref(), Some("AROAEXAMPLE"));

        let update = json!({ "id": id, "componentRoleArn": role("c") });
        let updated = account_side.done("UpdateEnvironmentAccountConnection", update.clone()).await["environmentAccountConnection"].clone();
        assert_eq!((&updated["roleArn"], &updated["componentRoleArn"], &updated["status"]), (&json!(role("r")), &json!(role("c")), &json!("CONNECTED")));
        assert!(updated["lastModifiedAt"].as_f64() >= accepted["lastModifiedAt"].as_f64());
        assert_eq!(management.refused("UpdateEnvironmentAccountConnection", update).await.0, "AccessDeniedException");
        assert_eq!(account_side.done("GetEnvironmentAccountConnection", named.clone()).await["environmentAccountConnection"], updated);

        world.environment_template().await;
        world.create_environment("prd", Some(connection)).await.unwrap();
        assert_eq!(management.refused("RejectEnvironmentAccountConnection", named.clone()).await.0, "ConflictException");
        let deleted = account_side.done("DeleteEnvironmentAccountConnection", named.clone()).await["environmentAccountConnection"].clone();
        assert_eq!(deleted["status"], "CONNECTED");
        for (side, operation) in [
            (&account_side, "GetEnvironmentAccountConnection"),
            (&account_side, "DeleteEnvironmentAccountConnection"),
            (&account_side, "UpdateEnvironmentAccountConnection"),
            (&management, "AcceptEnvironmentAccountConnection"),
            (&management, "RejectEnvironmentAccountConnection"),
        ] {
            assert_eq!(side.refused(operation, named.clone()).await.0, "ResourceNotFoundException", "{operation}");
        }
        // The same request, now that the first one is gone, is a new one.
        let fresh = json!({ "environmentName": "prd", "managementAccountId": MANAGEMENT, "clientToken": "t9" });
        let fresh = account_side.done("CreateEnvironmentAccountConnection", fresh).await["environmentAccountConnection"].clone();
        assert_eq!((&fresh["status"], &fresh["roleArn"]), (&json!("PENDING"), &json!("")));
        let rejected = json!({ "id": fresh["id"] });
        assert_eq!(management.done("RejectEnvironmentAccountConnection", rejected.clone()).await["environmentAccountConnection"]["status"], "REJECTED");
        assert_eq!(management.refused("AcceptEnvironmentAccountConnection", rejected).await.0, "ConflictException");
    }
}

fn convert(id: &str) -> hadron_proto::vocab::ConnectionId {
    hadron_proto::vocab::ConnectionId::from_uuid(id.parse().unwrap())
}
