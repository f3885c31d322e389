"""Environments: in a connected account, in the management account itself, and customer managed ones."""

from support import clients, stage
from support.case import Case
from support.clients import AUDITOR, DEV, DEVELOPER, aws, call, page_through, wait
from support.world import WORLD

from .connections import gone

ARN = f"arn:aws:proton:{WORLD.region}:{WORLD.management}:environment"
MEMBERS = {"templateName": "probe-env", "templateMajorVersion": "1"}


# Of a customer managed environment: its inputs are its outputs.
SCHEMA = """schema:
  format:
    openapi: "3.0.0"
  environment_input_type: "Ours"
  types:
    Ours:
      type: object
      properties:
        note:
          type: string
      required: ["note"]
"""


def create(name: str, connection: str | None = None, **members) -> dict:
    stage.environment_template()
    members = {**MEMBERS, "spec": stage.spec(note="one"), **members}
    if connection:
        members["environmentAccountConnectionId"] = connection
    return call("CreateEnvironment", name=name, **members)["environment"]


def get(name: str) -> dict:
    return call("GetEnvironment", name=name)["environment"]


def outputs(name: str, **members) -> dict:
    found, _ = page_through("ListEnvironmentOutputs", None, environmentName=name, **members)
    return {each["key"]: each["valueString"] for each in found}


class Environments(Case):
    def test_in_a_connected_account_from_creation_to_deletion(self):
        name = stage.fresh("e")
        connection = stage.connection(name)
        made = create(name, connection, description="For tests", tags=[{"key": "team", "value": "platform"}])
        self.assertEqual(made["deploymentStatus"], "IN_PROGRESS")
        self.assertEqual(made["arn"], f"{ARN}/{name}")
        self.assertEqual(made["environmentAccountId"], WORLD.dev)
        self.assertEqual((made["templateMajorVersion"], made["templateMinorVersion"]), ("1", "0"))
        wait("environment_deployed", name=name)
        shown = get(name)
        self.assertEqual(shown["deploymentStatus"], "SUCCEEDED")
        self.assertEqual(shown["lastAttemptedDeploymentId"], shown["lastSucceededDeploymentId"])
        self.assertEqual(shown["spec"], stage.spec(note="one"))
        self.assertEqual(outputs(name), {"Note": "one"})
        resources, _ = page_through("ListEnvironmentProvisionedResources", None, environmentName=name)
        stack = next(each for each in resources if ":stack/" in each.get("identifier", ""))
        self.assertEqual(stack["provisioningEngine"], "CLOUDFORMATION")
        self.assertTrue(stack["name"].startswith(f"AWSProton-{name}-cloudformation-"))
        listed, _ = page_through("ListEnvironments", None)
        summary = next(each for each in listed if each["name"] == name)
        self.assertNotIn("spec", summary)
        first = shown["lastSucceededDeploymentId"]

        changed = call("UpdateEnvironment", name=name, deploymentType="CURRENT_VERSION", spec=stage.spec(note="two"))
        self.assertEqual(changed["environment"]["deploymentStatus"], "IN_PROGRESS")
        wait("environment_deployed", name=name)
        self.assertEqual(outputs(name), {"Note": "two"})
        self.assertEqual(outputs(name, deploymentId=first), {"Note": "one"})

        described = call("UpdateEnvironment", name=name, deploymentType="NONE", description="Described")["environment"]
        self.assertEqual((described["description"], described["deploymentStatus"]), ("Described", "SUCCEEDED"))

        deleted = call("DeleteEnvironment", name=name)["environment"]
        self.assertEqual(deleted["deploymentStatus"], "DELETE_IN_PROGRESS")
        self.eventually("the environment to go", lambda: gone(name))
        self.missing("DeleteEnvironment", name=name)

    def test_in_the_management_account(self):
        name = stage.fresh("own")
        made = create(name, protonServiceRoleArn=stage.role(WORLD.management))
        self.assertEqual(made["protonServiceRoleArn"], stage.role(WORLD.management))
        wait("environment_deployed", name=name)
        self.assertNotIn("environmentAccountConnectionId", get(name))
        call("DeleteEnvironment", name=name)
        self.eventually("the environment to go", lambda: gone(name))

    def test_customer_managed(self):
        template = stage.fresh("mine")
        call("CreateEnvironmentTemplate", name=template, provisioning="CUSTOMER_MANAGED")
        folder = stage.FIXTURES / "probe-env"
        only_schema = {f"infrastructure/{file}": None for file in ("cloudformation.yaml", "manifest.yaml")}
        only_schema["schema/schema.yaml"] = SCHEMA
        stage.environment_version(template, stage.stored(stage.packed(folder, only_schema)))
        name = stage.fresh("e")
        made = create(name, templateName=template, spec=stage.spec(note="VPC of ours"))
        self.assertEqual(made["provisioning"], "CUSTOMER_MANAGED")
        wait("environment_deployed", name=name)
        self.assertEqual(outputs(name)["note"], "VPC of ours")
        self.assertEqual(page_through("ListEnvironmentProvisionedResources", None, environmentName=name)[0], [])
        call("UpdateEnvironment", name=name, deploymentType="CURRENT_VERSION", spec=stage.spec(note="another"))
        wait("environment_deployed", name=name)
        self.assertEqual(outputs(name)["note"], "another")
        call("DeleteEnvironment", name=name)
        self.eventually("the environment to go", lambda: gone(name))

    def test_versions_minor_and_major(self):
        template = stage.fresh("versions")
        call("CreateEnvironmentTemplate", name=template)
        source = stage.bundle("probe-env")
        stage.environment_version(template, source)
        stage.environment_version(template, source, publish=False, majorVersion="1")
        name = stage.fresh("e")
        create(name, stage.connection(name), templateName=template)
        wait("environment_deployed", name=name)
        self.assertEqual(get(name)["templateMinorVersion"], "0")
        call("UpdateEnvironmentTemplateVersion", templateName=template, majorVersion="1", minorVersion="1", status="PUBLISHED")
        answer = call("UpdateEnvironment", name=name, deploymentType="MINOR_VERSION")["environment"]
        self.assertEqual(answer["templateMinorVersion"], "0")
        wait("environment_deployed", name=name)
        self.assertEqual(get(name)["templateMinorVersion"], "1")
        stage.environment_version(template, source)
        for deployment, members in (
            ("CURRENT_VERSION", {"templateMinorVersion": "0"}),
            ("CURRENT_VERSION", {"templateMajorVersion": "1"}),
            ("MINOR_VERSION", {"templateMajorVersion": "2"}),
            ("MAJOR_VERSION", {"templateMajorVersion": "1"}),
            ("NONE", {"spec": stage.spec(note="x")}),
        ):
            self.invalid("UpdateEnvironment", name=name, deploymentType=deployment, **members)
        call("UpdateEnvironment", name=name, deploymentType="MAJOR_VERSION")
        wait("environment_deployed", name=name)
        shown = get(name)
        self.assertEqual((shown["templateMajorVersion"], shown["templateMinorVersion"]), ("2", "0"))
        self.conflict("DeleteEnvironmentTemplateVersion", templateName=template, majorVersion="2", minorVersion="0")
        with self.assertRaises(clients.ClientError) as caught:
            call("UpdateEnvironment", name=name, deploymentType="MINOR_VERSION", templateMinorVersion="9")
        self.assertIn(clients.code(caught.exception), ("ResourceNotFoundException", "ValidationException"))

    def test_failure_leaves_ways_out(self):
        name = stage.fresh("e")
        create(name, stage.connection(name), spec=stage.spec(fail_on=["create"], reason="No luck"))
        self.waits_in_vain("environment_deployed", name=name)
        failed = get(name)
        self.assertEqual(failed["deploymentStatus"], "FAILED")
        self.assertIn("No luck", failed["deploymentStatusMessage"])
        self.assertNotIn("lastSucceededDeploymentId", failed)
        call("UpdateEnvironment", name=name, deploymentType="CURRENT_VERSION", spec=stage.spec(note="mended"))
        wait("environment_deployed", name=name)
        self.assertEqual(outputs(name), {"Note": "mended"})
        call("UpdateEnvironment", name=name, deploymentType="CURRENT_VERSION", spec=stage.spec(fail_on=["update"]))
        self.waits_in_vain("environment_deployed", name=name)
        self.assertEqual(outputs(name), {"Note": "mended"})

    def test_cancelled_update_changes_nothing(self):
        name = stage.environment(note="kept")
        stage.slow_change_sets(WORLD.dev)
        call("UpdateEnvironment", name=name, deploymentType="CURRENT_VERSION", spec=stage.spec(note="new"))
        self.conflict("UpdateEnvironment", name=name, deploymentType="CURRENT_VERSION", spec=stage.spec(note="other"))
        self.conflict("DeleteEnvironment", name=name)
        cancelling = call("CancelEnvironmentDeployment", environmentName=name)["environment"]
        self.assertIn(cancelling["deploymentStatus"], ("CANCELLING", "CANCELLED"))
        self.eventually("the cancel to end", lambda: get(name)["deploymentStatus"] == "CANCELLED")
        self.assertEqual(get(name)["deploymentStatusMessage"], "User initiated cancellation.")
        self.assertEqual(outputs(name), {"Note": "kept"})
        self.refused_cancel(name)
        call("UpdateEnvironment", name=name, deploymentType="CURRENT_VERSION", spec=stage.spec(note="new"))
        wait("environment_deployed", name=name)
        self.assertEqual(outputs(name), {"Note": "new"})

    def test_cancelled_while_it_runs_is_told_as_it_ends(self):
        """CloudFormation takes the update back: that is a failure, as the emulated stack says too."""
        name = stage.environment(note="kept")
        call("UpdateEnvironment", name=name, deploymentType="CURRENT_VERSION", spec=stage.spec(note="new", seconds=30))
        stage.busy(WORLD.dev, name)
        call("CancelEnvironmentDeployment", environmentName=name)
        self.waits_in_vain("environment_deployed", name=name)
        self.assertEqual(outputs(name), {"Note": "kept"})

    def refused_cancel(self, name: str) -> None:
        with self.assertRaises(clients.ClientError) as caught:
            call("CancelEnvironmentDeployment", environmentName=name)
        self.assertIn(clients.code(caught.exception), ("ConflictException", "ValidationException"))

    def test_deletion_cannot_be_cancelled(self):
        name = stage.environment()
        stage.plant({"service": "cloudformation", "action": "DeleteStack", "account": WORLD.dev, "kind": "delay", "seconds": 1})
        call("DeleteEnvironment", name=name)
        self.conflict("CancelEnvironmentDeployment", environmentName=name)
        self.eventually("the environment to go", lambda: gone(name))

    def test_same_creation_twice_is_one_environment(self):
        name = stage.fresh("e")
        connection = stage.connection(name)
        first, again = create(name, connection), create(name, connection)
        self.assertEqual(first["lastAttemptedDeploymentId"], again["lastAttemptedDeploymentId"])
        self.invalid(
            "CreateEnvironment", name=name, spec=stage.spec(note="other"), environmentAccountConnectionId=connection,
            says="Idempotent parameter mismatch", **MEMBERS,
        )
        wait("environment_deployed", name=name)

    def test_what_cannot_be_made(self):
        name = stage.fresh("e")
        pending = stage.connection(name, accept=False)
        spec = stage.spec(note="x")
        stage.environment_template()
        good = {"name": name, "spec": spec, **MEMBERS}
        self.invalid("CreateEnvironment", **good)
        self.refused_creation(good, environmentAccountConnectionId=pending)
        call("AcceptEnvironmentAccountConnection", id=pending)
        for members in (
            {"name": "another-name"},
            {"spec": stage.spec(seconds="soon")},
            {"spec": "not: [a spec"},
            {"protonServiceRoleArn": stage.role(WORLD.management)},
        ):
            self.refused_creation(good, **{"environmentAccountConnectionId": pending, **members})
        self.missing("CreateEnvironment", **{**good, "templateName": "nothing"}, environmentAccountConnectionId=pending)
        self.missing(
            "CreateEnvironment", **good, environmentAccountConnectionId="00000000-0000-4000-8000-000000000000"
        )
        self.refused_creation(good, templateMajorVersion="9", environmentAccountConnectionId=pending)
        self.refused_creation(
            good,
            provisioningRepository={"provider": "GITHUB", "name": "example/infra", "branch": "main"},
        )

    def refused_creation(self, good: dict, **members) -> None:
        with self.assertRaises(clients.ClientError, msg=members) as caught:
            call("CreateEnvironment", **{**good, **members})
        self.assertIn(
            clients.code(caught.exception), ("ValidationException", "ConflictException", "ResourceNotFoundException")
        )

    def test_another_environment_of_the_connection_is_a_conflict(self):
        """The connection serves one environment; its name is taken by another account's request meanwhile."""
        name = stage.environment()
        other = stage.connection(name, WORLD.prod, accept=False)
        self.conflict("AcceptEnvironmentAccountConnection", id=other)

    def test_in_use_it_stays(self):
        name = stage.environment()
        service = stage.service({"one": (name, {})})
        self.conflict("DeleteEnvironment", name=name)
        call("DeleteService", name=service)
        wait("service_deleted", name=service)
        call("DeleteEnvironment", name=name)
        self.eventually("the environment to go", lambda: gone(name))

    def test_deletion_that_fails_can_be_repeated(self):
        name = stage.environment(fail_on=["delete"], times=1)
        call("DeleteEnvironment", name=name)
        self.eventually("the deletion to fail", lambda: get(name)["deploymentStatus"] == "DELETE_FAILED")
        call("DeleteEnvironment", name=name)
        self.eventually("the environment to go", lambda: gone(name))

    def test_lists_filters_pages(self):
        for account in (WORLD.dev, WORLD.prod):
            stage.shared_environment(account)
        listed, pages = page_through("ListEnvironments", 1)
        self.assertGreaterEqual(pages, 2)
        self.assertEqual(len(listed), len({each["name"] for each in listed}))
        mine = [{"templateName": "probe-env", "majorVersion": "1"}]
        found, _ = page_through("ListEnvironments", None, environmentTemplates=mine)
        self.assertIn(f"shared-{WORLD.dev}", [each["name"] for each in found])
        self.assertEqual({each["templateName"] for each in found}, {"probe-env"})
        nobodys = [{"templateName": "nothing", "majorVersion": "1"}]
        self.assertEqual(page_through("ListEnvironments", None, environmentTemplates=nobodys), ([], 1))

    def test_what_is_missing_or_malformed(self):
        self.missing("GetEnvironment", name="nothing", says="nothing")
        self.missing("UpdateEnvironment", name="nothing", deploymentType="NONE", description="x")
        self.missing("CancelEnvironmentDeployment", environmentName="nothing")
        self.missing("ListEnvironmentOutputs", environmentName="nothing")
        self.missing("ListEnvironmentProvisionedResources", environmentName="nothing")
        self.invalid("GetEnvironment", name="a b", says="name")
        self.invalid("DeleteEnvironment", name="-", says="name")
        self.invalid("CancelEnvironmentDeployment", environmentName="_", says="environmentName")
        self.invalid("ListEnvironmentOutputs", environmentName="_", says="environmentName")
        self.invalid("ListEnvironmentOutputs", environmentName="x", nextToken="bm8=", says="nextToken")
        self.invalid("ListEnvironmentProvisionedResources", environmentName="x", nextToken="bm8=", says="nextToken")
        self.invalid("ListEnvironments", maxResults=1, nextToken="bm8=", says="nextToken")
        self.invalid("UpdateEnvironment", name="x", deploymentType="SOMEHOW", says="deploymentType")

    def test_only_who_may_write_environments_does(self):
        name = stage.shared_environment()
        for profile in (DEVELOPER, AUDITOR, DEV):
            self.denied("CreateEnvironment", profile, name="x", spec=stage.spec(), **MEMBERS)
            self.denied("DeleteEnvironment", profile, name=name)
            self.denied("UpdateEnvironment", profile, name=name, deploymentType="NONE", description="x")
        self.denied("CancelEnvironmentDeployment", AUDITOR, environmentName=name)

    def test_the_command_line(self):
        name = stage.fresh("cli")
        connection = stage.connection(name)
        stage.environment_template()
        aws(
            "create-environment", "--name", name, "--template-name", "probe-env", "--template-major-version", "1",
            "--environment-account-connection-id", connection, "--spec", stage.spec(note="by hand"),
        )
        aws("wait", "environment-deployed", "--name", name)
        self.assertEqual(
            aws("get-environment", "--name", name, "--query", "environment.deploymentStatus", "--output", "text"), "SUCCEEDED"
        )
        self.assertEqual(aws("list-environment-outputs", "--environment-name", name)["outputs"][0]["valueString"], "by hand")
        aws("list-environment-provisioned-resources", "--environment-name", name)
        self.assertIn(name, aws("list-environments", "--query", "environments[].name"))
        aws("update-environment", "--name", name, "--deployment-type", "NONE", "--description", "Described")
        with self.assertRaises(clients.Ended) as caught:
            aws("cancel-environment-deployment", "--environment-name", name)
        self.assertIn(caught.exception.code, ("ConflictException", "ValidationException"))
        aws("delete-environment", "--name", name)
        self.eventually("the environment to go", lambda: gone(name))
