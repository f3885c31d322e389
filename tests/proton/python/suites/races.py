"""Two clients who want the same thing at the same moment: one gets it, the other is told of a conflict."""

import threading

from support import clients, stage
from support.case import Case
from support.clients import call, page_through, wait

from .connections import gone
from .services import get as get_service

ROUNDS = 4


def together(*calls) -> list[str]:
    """Makes calls at the same moment; gives what each ended with: OK or the error's name."""
    barrier, ended = threading.Barrier(len(calls)), [""] * len(calls)

    def one(at: int, operation: str, members: dict) -> None:
        barrier.wait()
        try:
            call(operation, **members)
            ended[at] = "OK"
        except clients.ClientError as error:
            ended[at] = clients.code(error)

    threads = [threading.Thread(target=one, args=(at, *each)) for at, each in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(ended)


def deployments(**members) -> int:
    return len(page_through("ListDeployments", None, **members)[0])


class Races(Case):
    def test_the_same_environment_with_different_specs(self):
        stage.environment_template()
        for _ in range(ROUNDS):
            name = stage.fresh("e")
            connection = stage.connection(name)

            def members(note: str) -> dict:
                return {
                    "name": name, "templateName": "probe-env", "templateMajorVersion": "1", "spec": stage.spec(note=note),
                    "environmentAccountConnectionId": connection,
                }

            ended = together(("CreateEnvironment", members("a")), ("CreateEnvironment", members("b")))
            # Proton's word for an environment that exists with other parameters.
            self.assertIn(ended, (["ConflictException", "OK"], ["OK", "ValidationException"]))
            wait("environment_deployed", name=name)
            self.assertEqual(deployments(environmentName=name), 1)

    def test_the_same_environment_twice_is_one(self):
        stage.environment_template()
        name = stage.fresh("e")
        members = {
            "name": name, "templateName": "probe-env", "templateMajorVersion": "1", "spec": stage.spec(),
            "environmentAccountConnectionId": stage.connection(name),
        }
        self.assertEqual(together(*[("CreateEnvironment", members)] * 4), ["OK"] * 4)
        wait("environment_deployed", name=name)
        self.assertEqual(deployments(environmentName=name), 1)

    def test_updates_of_an_instance(self):
        environment, name = stage.shared_environment(), stage.service()
        for at in range(ROUNDS):
            before = deployments(serviceName=name)

            def members(note: str) -> dict:
                spec = stage.service_spec({"one": (environment, {"note": f"{note}{at}"})})
                return {"serviceName": name, "name": "one", "deploymentType": "CURRENT_VERSION", "spec": spec}

            ended = together(("UpdateServiceInstance", members("a")), ("UpdateServiceInstance", members("b")))
            self.assertEqual(ended, ["ConflictException", "OK"])
            wait("service_instance_deployed", serviceName=name, name="one")
            self.eventually("the service to be at rest", lambda: get_service(name)["status"] == "ACTIVE")
            self.assertEqual(deployments(serviceName=name), before + 1)

    def test_updates_of_an_environment(self):
        name = stage.environment()
        for at in range(ROUNDS):
            before = deployments(environmentName=name)

            def members(note: str) -> dict:
                return {"name": name, "deploymentType": "CURRENT_VERSION", "spec": stage.spec(note=f"{note}{at}")}

            ended = together(("UpdateEnvironment", members("a")), ("UpdateEnvironment", members("b")))
            self.assertEqual(ended, ["ConflictException", "OK"])
            wait("environment_deployed", name=name)
            self.assertEqual(deployments(environmentName=name), before + 1)

    def test_deletions_of_an_environment(self):
        name = stage.environment()
        # Long enough for the second one, whose equal signature is taken for a replay and made anew.
        stage.plant({"service": "cloudformation", "action": "DeleteStack", "kind": "delay", "seconds": 5})
        ended = together(("DeleteEnvironment", {"name": name}), ("DeleteEnvironment", {"name": name}))
        self.assertEqual(ended, ["ConflictException", "OK"])
        self.eventually("the environment to go", lambda: gone(name))

    def test_deletion_against_update(self):
        for at in range(ROUNDS):
            name = stage.environment()
            stage.slow_change_sets(stage.WORLD.dev, 0.5)
            update = {"name": name, "deploymentType": "CURRENT_VERSION", "spec": stage.spec(note=f"new{at}")}
            ended = together(("DeleteEnvironment", {"name": name}), ("UpdateEnvironment", update))
            self.assertEqual(ended, ["ConflictException", "OK"])
            stage.heal()
            if not self.eventually("an end", lambda: ended_with(name)) == "gone":
                call("DeleteEnvironment", name=name)
                self.eventually("the environment to go", lambda: gone(name))

    def test_a_service_into_an_environment_that_is_deleted(self):
        template = stage.service_template(pipeline=False)
        environment, name = stage.environment(), stage.fresh("s")
        create = {
            "name": name, "templateName": template, "templateMajorVersion": "1",
            "spec": stage.service_spec({"one": (environment, {})}),
        }
        ended = together(("DeleteEnvironment", {"name": environment}), ("CreateService", create))
        self.assertIn("OK", ended)
        self.assertNotEqual(ended, ["OK", "OK"])
        if not gone(environment) and call("GetEnvironment", name=environment)["environment"]["deploymentStatus"] == "SUCCEEDED":
            wait("service_created", name=name)


def ended_with(name: str) -> str:
    try:
        status = call("GetEnvironment", name=name)["environment"]["deploymentStatus"]
    except clients.ClientError:
        return "gone"
    return "" if status.endswith("IN_PROGRESS") else status
