//! Cancelling a deployment at every moment of its life.

use hadron_domain::service::Part;
use hadron_management::app::ErrorKind;
use hadron_management::app::environments::UpdateMode;
use hadron_management::app::work::{OfferedWork, Verdict};

use crate::agent::{applied, arn, delete, execute, stack};
use crate::scenarios;
use crate::world::{PRODUCTION, environment, environment_update, reason};

scenarios! {
    async fn before_any_agent_took_it(world: World) {
        world.environment_template().await;
        let made = world.create_environment("dev", None).await.unwrap();
        let id = made.attempted.unwrap().0;
        let cancelled = world.cancel(id).await.unwrap();
        assert_eq!(cancelled.deployment.word(), "CANCELLED");
        assert_eq!(world.target(&environment("dev")).await.status, "CANCELLED");
        let agent = world.management_agent().await;
        assert!(agent.take(&world).await.is_empty());
        // Cancelling what was cancelled says so again; it can be deployed and deleted afterwards.
        assert_eq!(world.cancel(id).await.unwrap().deployment.word(), "CANCELLED");
        world.update_environment(environment_update("dev", UpdateMode::Current)).await.unwrap();
        agent.succeed_all(&world).await;
        assert_eq!(world.target(&environment("dev")).await.status, "SUCCEEDED");
        let ended = world.target(&environment("dev")).await.attempted.unwrap().0;
        let error = world.cancel(ended).await.unwrap_err();
        assert_eq!((error.kind, error.reason), (ErrorKind::Conflict, "NOT_CANCELLABLE"));
    }

    async fn taken_it_is_revoked_first(world: World) {
        world.environment_template().await;
        let (_, agent) = world.environment(PRODUCTION, "prd").await;
        let good = world.target(&environment("prd")).await;
        world.update_environment(environment_update("prd", UpdateMode::Current)).await.unwrap();
        let offer = agent.take_one(&world).await;
        let id = offer.deployment.unwrap();
        assert_eq!(world.cancel(id).await.unwrap().deployment.word(), "CANCELLING");
        assert_eq!(world.target(&environment("prd")).await.status, "CANCELLING");
        // Whoever had the job has it no more.
        for outcome in [
            world.app.authorise(&agent.peer, offer.token, execute(&offer)).await.map(drop),
            world.app.report(&agent.peer, offer.token, applied(&offer)).await,
            world.app.started(&agent.peer, offer.token).await,
        ] {
            assert_eq!(outcome.unwrap_err().kind, ErrorKind::Fenced);
        }
        let revoke = agent.take_one(&world).await;
        assert!(matches!(revoke.work, OfferedWork::Revoke { .. }));
        assert!(matches!(agent.ask(&world, &revoke, execute(&revoke)).await, Verdict::Refused(_)));
        // The stack is in use: what revokes a change set may not delete it.
        assert!(matches!(agent.ask(&world, &revoke, delete(&revoke)).await, Verdict::Refused(_)));
        agent.succeed(&world, &revoke).await;
        let row = world.target(&environment("prd")).await;
        assert_eq!((row.status.as_str(), row.stack_name, row.spec), ("CANCELLED", good.stack_name, good.spec));
        assert_eq!((row.succeeded, row.condemned), (good.succeeded, false));
        assert!(agent.take(&world).await.is_empty());
    }

    async fn authorised_it_may_succeed_nevertheless(world: World) {
        world.environment_template().await;
        let (_, agent) = world.environment(PRODUCTION, "prd").await;
        world.update_environment(environment_update("prd", UpdateMode::Current)).await.unwrap();
        let offer = agent.take_one(&world).await;
        assert_eq!(agent.ask(&world, &offer, execute(&offer)).await, Verdict::Granted);
        world.cancel(offer.deployment.unwrap()).await.unwrap();
        let revoke = agent.take_one(&world).await;
        agent.report(&world, &revoke, applied(&revoke)).await;
        assert_eq!(world.deployment(offer.deployment.unwrap()).await.deployment.word(), "SUCCEEDED");
        assert_eq!(world.target(&environment("prd")).await.status, "SUCCEEDED");
    }

    async fn a_cancelled_creation_may_leave_its_empty_stack_to_be_deleted(world: World) {
        world.environment_template().await;
        let agent = world.management_agent().await;
        let made = world.create_environment("dev", None).await.unwrap();
        let offer = agent.take_one(&world).await;
        world.cancel(offer.deployment.unwrap()).await.unwrap();
        let revoke = agent.take_one(&world).await;
        assert_eq!(agent.ask(&world, &revoke, delete(&revoke)).await, Verdict::Granted);
        agent.succeed(&world, &revoke).await;
        // The stack may go at any moment: the next deployment has another one.
        world.update_environment(environment_update("dev", UpdateMode::Current)).await.unwrap();
        let next = agent.take_one(&world).await;
        assert_ne!(stack(&next).name, made.stack_name);
        assert_eq!((&stack(&next).arn, stack(&next).never_succeeded), (&None, true));
        agent.succeed(&world, &next).await;
        let row = world.target(&environment("dev")).await;
        assert_eq!((row.status.as_str(), row.condemned, row.stack_arn), ("SUCCEEDED", false, Some(arn(&next))));
    }

    async fn a_deletion_is_free_to_cancel_until_leave_was_given(world: World) {
        world.environment_template().await;
        let (_, agent) = world.environment(PRODUCTION, "prd").await;
        let good = world.target(&environment("prd")).await;
        world.delete_environment("prd").await.unwrap();
        let offer = agent.take_one(&world).await;
        assert!(matches!(agent.ask(&world, &offer, execute(&offer)).await, Verdict::Refused(_)));
        world.cancel(offer.deployment.unwrap()).await.unwrap();
        let asked = world.app.authorise(&agent.peer, offer.token, delete(&offer)).await;
        assert_eq!(asked.unwrap_err().kind, ErrorKind::Fenced);
        let row = world.target(&environment("prd")).await;
        assert_eq!((row.status.as_str(), row.part, row.condemned), ("CANCELLED", Part::DeleteFailed, false));
        world.update_environment(environment_update("prd", UpdateMode::Current)).await.unwrap();
        let next = agent.take_one(&world).await;
        assert_eq!(stack(&next).arn, good.stack_arn);
        agent.succeed(&world, &next).await;
        assert_eq!(world.target(&environment("prd")).await.part, Part::Good);
    }

    async fn a_condemned_stack_is_never_built_on(world: World) {
        world.environment_template().await;
        let (_, agent) = world.environment(PRODUCTION, "prd").await;
        let good = world.target(&environment("prd")).await;
        world.delete_environment("prd").await.unwrap();
        let offer = agent.take_one(&world).await;
        assert_eq!(agent.ask(&world, &offer, delete(&offer)).await, Verdict::Granted);
        let error = world.cancel(offer.deployment.unwrap()).await.unwrap_err();
        assert_eq!(error.reason, "NOT_CANCELLABLE");
        assert!(error.message.contains("point of no return"), "{}", error.message);
        agent.report(&world, &offer, crate::agent::failed(&offer, hadron_management::app::effects::FailureKind::DeleteFailed, "stuck")).await;
        assert!(world.target(&environment("prd")).await.condemned);
        // Deleting again goes on with the same stack; deploying makes another.
        world.delete_environment("prd").await.unwrap();
        let again = agent.take_one(&world).await;
        assert_eq!(stack(&again).arn, good.stack_arn);
        agent.report(&world, &again, crate::agent::failed(&again, hadron_management::app::effects::FailureKind::DeleteFailed, "stuck")).await;
        world.update_environment(environment_update("prd", UpdateMode::Current)).await.unwrap();
        let next = agent.take_one(&world).await;
        assert_ne!(stack(&next).name, good.stack_name);
        assert_eq!(stack(&next).arn, None);
        let old = good.stack_arn.clone().unwrap();
        let events = world.events(next.deployment.unwrap()).await;
        assert!(events.iter().any(|event| event.message.contains(&old.to_string())), "{events:?}");
        agent.succeed(&world, &next).await;
        let row = world.target(&environment("prd")).await;
        assert_eq!((row.condemned, row.stack_arn), (false, Some(arn(&next))));
    }

    async fn an_agent_may_not_name_another_stack(world: World) {
        world.environment_template().await;
        let (_, agent) = world.environment(PRODUCTION, "prd").await;
        world.update_environment(environment_update("prd", UpdateMode::Current)).await.unwrap();
        let offer = agent.take_one(&world).await;
        let other = "arn:aws:cloudformation:us-east-1:333333333333:stack/other/1".parse().unwrap();
        let act = hadron_management::app::work::Act::Delete { stack: other };
        assert!(matches!(agent.ask(&world, &offer, act).await, Verdict::Refused(_)));
        let mut outcome = applied(&offer);
        if let hadron_management::app::effects::Outcome::Applied { stack, .. } = &mut outcome {
            *stack = "arn:aws:cloudformation:us-east-1:444444444444:stack/other/1".parse().unwrap();
        }
        let good = world.target(&environment("prd")).await;
        agent.report(&world, &offer, outcome).await;
        let row = world.target(&environment("prd")).await;
        assert_eq!((row.status.as_str(), row.stack_arn), ("FAILED", good.stack_arn));
    }

    async fn while_it_waits_for_a_grant(world: World) {
        world.templates().await;
        let (_, agent) = world.environment(PRODUCTION, "prd").await;
        let spec = crate::world::service_spec(None, &[("blue", "prd", "image: 111111111111.dkr.ecr.us-east-1.amazonaws.com/web:1")]);
        world.create_service("web", "minimal-svc-no-pipeline", &spec).await.unwrap();
        let waiting = world.last(&crate::world::instance("web", "blue")).await;
        let text = hadron_management::app::deployments::waiting_for(&waiting).unwrap();
        assert!(text.contains("333333333333") && text.contains("web"), "{text}");
        assert!(agent.take(&world).await.is_empty());
        world.cancel(waiting.deployment.id).await.unwrap();
        assert_eq!(world.deployment(waiting.deployment.id).await.deployment.word(), "CANCELLED");
        assert_eq!(world.service_status("web").await, "CREATE_FAILED");
        assert_eq!(reason(world.cancel("dpl_01890000000070008000000000000000".parse().unwrap()).await), "NOT_FOUND");
    }
}
