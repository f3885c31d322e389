"""Deployments: the history of what was done to environments, instances, pipelines and components."""

from support import clients, stage
from support.case import Case
from support.clients import AUDITOR, DEV, aws, call, page_through, wait
from support.world import WORLD

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def history(**members) -> list[dict]:
    return page_through("ListDeployments", None, **members)[0]


class Deployments(Case):
    def test_of_an_environment(self):
        name = stage.environment(note="one")
        call("UpdateEnvironment", name=name, deploymentType="CURRENT_VERSION", spec=stage.spec(note="two"))
        wait("environment_deployed", name=name)
        shown = call("GetEnvironment", name=name)["environment"]
        records = history(environmentName=name)
        self.assertEqual(len(records), 2)
        latest = call("GetDeployment", id=shown["lastSucceededDeploymentId"])["deployment"]
        self.assertEqual(latest["targetArn"], shown["arn"])
        self.assertEqual((latest["targetResourceType"], latest["deploymentStatus"]), ("ENVIRONMENT", "SUCCEEDED"))
        self.assertEqual(latest["environmentName"], name)
        self.assertEqual(latest["targetResourceCreatedAt"], shown["createdAt"])
        self.assertGreaterEqual(latest["completedAt"], latest["createdAt"])
        self.assertEqual(latest["initialState"]["environment"]["spec"], stage.spec(note="one"))
        self.assertEqual(latest["targetState"]["environment"]["spec"], stage.spec(note="two"))
        first = next(each for each in records if each["id"] != latest["id"])
        first = call("GetDeployment", id=first["id"], environmentName=name)["deployment"]
        self.assertNotIn("initialState", first)
        self.missing("GetDeployment", id=first["id"], environmentName="another")
        gone = call("DeleteDeployment", id=first["id"])["deployment"]
        self.assertEqual(gone["id"], first["id"])
        self.missing("GetDeployment", id=first["id"])
        self.assertEqual([each["id"] for each in history(environmentName=name)], [latest["id"]])

    def test_of_a_service(self):
        environment = stage.shared_environment()
        name = stage.service({"one": (environment, {"note": "one"})}, pipeline={})
        kinds = {each["targetResourceType"] for each in history(serviceName=name)}
        self.assertEqual(kinds, {"SERVICE_INSTANCE", "SERVICE_PIPELINE"})
        (record,) = history(serviceName=name, serviceInstanceName="one")
        full = call("GetDeployment", id=record["id"], serviceName=name, serviceInstanceName="one")["deployment"]
        state = full["targetState"]["serviceInstance"]
        self.assertEqual((state["templateName"], state["templateMajorVersion"]), ("probe-svc", "1"))
        shown = call("GetEnvironment", name=environment)["environment"]
        self.assertEqual(state["lastSuccessfulEnvironmentDeploymentId"], shown["lastSucceededDeploymentId"])
        pipeline = next(each for each in history(serviceName=name) if each["targetResourceType"] == "SERVICE_PIPELINE")
        full = call("GetDeployment", id=pipeline["id"])["deployment"]
        self.assertIn("servicePipeline", full["targetState"])

    def test_of_a_component(self):
        name = stage.fresh("k")
        template = stage.component_template()
        call(
            "CreateComponent", name=name, environmentName=stage.shared_environment(), manifest=stage.MANIFEST,
            templateFile=template,
        )
        wait("component_deployed", name=name)
        (record,) = history(componentName=name)
        self.assertEqual((record["targetResourceType"], record["componentName"]), ("COMPONENT", name))
        full = call("GetDeployment", id=record["id"], componentName=name)["deployment"]
        self.assertEqual(full["targetState"]["component"]["templateFile"], template)
        call("DeleteComponent", name=name)
        wait("component_deleted", name=name)

    def test_a_failed_one_says_why(self):
        name = stage.environment()
        call("UpdateEnvironment", name=name, deploymentType="CURRENT_VERSION", spec=stage.spec(fail_on=["update"]))
        self.waits_in_vain("environment_deployed", name=name)
        id = call("GetEnvironment", name=name)["environment"]["lastAttemptedDeploymentId"]
        failed = call("GetDeployment", id=id)["deployment"]
        self.assertEqual(failed["deploymentStatus"], "FAILED")
        self.assertTrue(failed["deploymentStatusMessage"])

    def test_what_runs_is_not_deleted(self):
        name = stage.environment()
        stage.slow_change_sets(WORLD.dev)
        answer = call("UpdateEnvironment", name=name, deploymentType="CURRENT_VERSION", spec=stage.spec(note="new"))
        id = answer["environment"]["lastAttemptedDeploymentId"]
        self.invalid("DeleteDeployment", id=id)
        wait("environment_deployed", name=name)
        self.assertEqual(call("GetDeployment", id=id)["deployment"]["deploymentStatus"], "SUCCEEDED")

    def test_pages(self):
        stage.shared_environment()
        stage.environment()
        everything, pages = page_through("ListDeployments", 1)
        self.assertGreaterEqual(pages, 2)
        self.assertEqual(len(everything), len({each["id"] for each in everything}))

    def test_what_is_missing_or_malformed(self):
        self.missing("GetDeployment", id=UNKNOWN)
        self.missing("DeleteDeployment", id=UNKNOWN)
        self.assertEqual(history(environmentName="nothing"), [])
        self.invalid("GetDeployment", id="no-uuid", says="id")
        self.invalid("DeleteDeployment", id="no-uuid", says="id")
        self.invalid("ListDeployments", serviceInstanceName="one")
        self.invalid("ListDeployments", nextToken="bm8=", says="nextToken")

    def test_only_who_may(self):
        name = stage.shared_environment()
        id = call("GetEnvironment", name=name)["environment"]["lastSucceededDeploymentId"]
        for profile in (AUDITOR, DEV):
            self.denied("DeleteDeployment", profile, id=id)

    def test_the_command_line(self):
        name = stage.environment()
        (record,) = aws("list-deployments", "--environment-name", name)["deployments"]
        self.assertEqual(aws("get-deployment", "--id", record["id"])["deployment"]["id"], record["id"])
        aws("delete-deployment", "--id", record["id"])
