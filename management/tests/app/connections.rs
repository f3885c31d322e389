//! Environment account connections: who asks, who decides, what follows.

use hadron_domain::authority::Role;
use hadron_management::app::ErrorKind;
use hadron_management::store::connections::Filter;

use crate::scenarios;
use crate::world::{
    PRODUCTION, STAGING, account, administrator, asked, auditor, caller, developer, new_connection, owner,
    reason,
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
}
