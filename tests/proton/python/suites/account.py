"""What belongs to the account as a whole: settings, tags, the summary, and notices about what others provision."""

from support import clients, stage
from support.case import Case
from support.clients import AUDITOR, DEV, DEVELOPER, aws, call, page_through, wait
from support.world import WORLD

ARN = f"arn:aws:proton:{WORLD.region}:{WORLD.management}"


class Settings(Case):
    def tearDown(self):
        clients.proton().update_account_settings(pipelineServiceRoleArn=stage.role(WORLD.management))
        super().tearDown()

    def test_set_shown_and_taken_away(self):
        role = stage.role(WORLD.management)
        codebuild = f"arn:aws:iam::{WORLD.management}:role/codebuild"
        answer = call("UpdateAccountSettings", pipelineServiceRoleArn=role, pipelineCodebuildRoleArn=codebuild)
        self.assertEqual(answer["accountSettings"]["pipelineServiceRoleArn"], role)
        self.assertEqual(call("GetAccountSettings")["accountSettings"], answer["accountSettings"])
        answer = call("UpdateAccountSettings", pipelineCodebuildRoleArn="")["accountSettings"]
        self.assertNotIn("pipelineCodebuildRoleArn", answer)
        self.assertEqual(answer["pipelineServiceRoleArn"], role)

    def test_a_repository_for_pipelines(self):
        where = {"provider": "GITHUB", "name": "example/pipelines", "branch": "main"}
        self.invalid("UpdateAccountSettings", pipelineProvisioningRepository=where)
        call(
            "CreateRepository", name="example/pipelines", provider="GITHUB",
            connectionArn=stage.LINK["repositoryConnectionArn"],
        )
        answer = call("UpdateAccountSettings", pipelineProvisioningRepository=where)["accountSettings"]
        arn = f"{ARN}:repository/github:example/pipelines"
        self.assertEqual(answer["pipelineProvisioningRepository"], {**where, "arn": arn})
        self.conflict("DeleteRepository", name="example/pipelines", provider="GITHUB")
        self.invalid(
            "UpdateAccountSettings", pipelineProvisioningRepository=where, deletePipelineProvisioningRepository=True
        )
        answer = call("UpdateAccountSettings", deletePipelineProvisioningRepository=True)["accountSettings"]
        self.assertNotIn("pipelineProvisioningRepository", answer)
        call("DeleteRepository", name="example/pipelines", provider="GITHUB")

    def test_without_a_role_no_pipeline(self):
        stage.service_template()
        call("UpdateAccountSettings", pipelineServiceRoleArn="")
        self.assertNotIn("pipelineServiceRoleArn", call("GetAccountSettings").get("accountSettings", {}))
        spec = stage.service_spec({"one": (stage.shared_environment(), {})}, {})
        self.invalid(
            "CreateService", name="x", templateName="probe-svc", templateMajorVersion="1", spec=spec, **stage.LINK,
            says="Operation cannot be run until pipeline roles have been configured",
        )

    def test_malformed(self):
        self.invalid("UpdateAccountSettings", pipelineServiceRoleArn="role", says="pipelineServiceRoleArn")
        foreign = f"arn:aws:iam::{WORLD.prod}:role/foreign"
        self.invalid("UpdateAccountSettings", pipelineServiceRoleArn=foreign)

    def test_only_who_may(self):
        for profile in (DEVELOPER, AUDITOR, DEV):
            self.denied("UpdateAccountSettings", profile, pipelineCodebuildRoleArn="")
        for profile in (DEV,):
            self.denied("GetAccountSettings", profile)

    def test_the_command_line(self):
        aws("update-account-settings", "--pipeline-service-role-arn", stage.role(WORLD.management))
        shown = aws("get-account-settings")["accountSettings"]
        self.assertEqual(shown["pipelineServiceRoleArn"], stage.role(WORLD.management))


def tags(arn: str, profile: str = clients.MANAGEMENT) -> dict:
    found, _ = page_through("ListTagsForResource", None, profile, resourceArn=arn)
    return {each["key"]: each["value"] for each in found}


def customer(arn: str) -> dict:
    return {key: value for key, value in tags(arn).items() if not key.startswith("aws:")}


class Tags(Case):
    def test_written_read_and_taken_away(self):
        name = stage.fresh("t")
        arn = call("CreateEnvironmentTemplate", name=name, tags=[{"key": "team", "value": "a"}])["environmentTemplate"]["arn"]
        call("TagResource", resourceArn=arn, tags=[{"key": "team", "value": "b"}, {"key": "empty", "value": ""}])
        self.assertEqual(customer(arn), {"team": "b", "empty": ""})
        call("UntagResource", resourceArn=arn, tagKeys=["team", "never-there"])
        self.assertEqual(customer(arn), {"empty": ""})
        self.invalid("TagResource", resourceArn=arn, tags=[{"key": "aws:mine", "value": "x"}])
        many = [{"key": f"k{number}", "value": "v"} for number in range(50)]
        self.invalid("TagResource", resourceArn=arn, tags=many)
        call("TagResource", resourceArn=arn, tags=many[:49])
        everything, pages = page_through("ListTagsForResource", 10, resourceArn=arn)
        self.assertEqual(len(everything), len(tags(arn)))
        self.assertEqual((pages, len(customer(arn))), (len(everything) // 10 + 1, 50))
        call("DeleteEnvironmentTemplate", name=name)
        self.missing("ListTagsForResource", resourceArn=arn)

    def test_children_inherit_at_creation(self):
        environment, service = stage.shared_environment(), stage.fresh("s")
        template = stage.service_template(pipeline=False)
        spec = stage.service_spec({"one": (environment, {})})
        made = call(
            "CreateService", name=service, templateName=template, templateMajorVersion="1", spec=spec,
            tags=[{"key": "team", "value": "shop"}],
        )["service"]
        wait("service_created", name=service)
        child = f"{made['arn']}/service-instance/one"
        self.assertEqual(customer(child), {"team": "shop"})
        call("TagResource", resourceArn=made["arn"], tags=[{"key": "late", "value": "x"}])
        self.assertEqual(customer(child), {"team": "shop"})
        managed = {key: value for key, value in tags(child).items() if key.startswith("aws:proton:")}
        self.assertEqual(managed["aws:proton:account"], WORLD.management)
        self.assertEqual(managed["aws:proton:service"], made["arn"])
        self.assertEqual(managed["aws:proton:environment"], f"{ARN}:environment/{environment}")
        self.assertEqual(managed["aws:proton:service-instance"], child)
        stacks = stage.emulated("/_hadron/state")["accounts"][WORLD.dev]["regions"][WORLD.region]["stacks"]
        stack = next(each for each in stacks if each["name"].startswith(f"AWSProton-{service}-one-"))
        found = stack["tags"]
        if isinstance(found, list):
            found = {each.get("Key", each.get("key")): each.get("Value", each.get("value")) for each in found}
        self.assertEqual(found["proton:service"], made["arn"])
        self.assertEqual(found["proton:account"], WORLD.management)
        self.assertNotIn("team", found)

    def test_everything_that_has_an_arn(self):
        environment = stage.shared_environment()
        service = stage.service({"one": (environment, {})}, pipeline={})
        component = stage.fresh("k")
        call(
            "CreateComponent", name=component, environmentName=environment, manifest=stage.MANIFEST,
            templateFile=stage.component_template(),
        )
        wait("component_deployed", name=component)
        repository = call(
            "CreateRepository", name="example/tagged", provider="GITHUB",
            connectionArn=stage.LINK["repositoryConnectionArn"],
        )["repository"]["arn"]
        for arn in (
            f"{ARN}:environment-template/probe-env",
            f"{ARN}:environment-template/probe-env:1.0",
            f"{ARN}:service-template/probe-svc",
            f"{ARN}:service-template/probe-svc:1.0",
            f"{ARN}:environment/{environment}",
            f"{ARN}:service/{service}",
            f"{ARN}:service/{service}/service-instance/one",
            f"{ARN}:service/{service}/pipeline",
            f"{ARN}:component/{component}",
            repository,
        ):
            with self.subTest(arn):
                call("TagResource", resourceArn=arn, tags=[{"key": "seen", "value": "yes"}])
                self.assertEqual(customer(arn).get("seen"), "yes")
        call("DeleteRepository", name="example/tagged", provider="GITHUB")
        call("DeleteComponent", name=component)
        wait("component_deleted", name=component)

    def test_of_a_connection_belong_to_its_account(self):
        id = stage.connection(stage.fresh("c"), accept=False, tags=[{"key": "team", "value": "dev"}])
        arn = f"arn:aws:proton:{WORLD.region}:{WORLD.dev}:environment-account-connection/{id}"
        self.assertEqual(tags(arn, DEV), {"team": "dev"})
        call("TagResource", DEV, resourceArn=arn, tags=[{"key": "more", "value": "x"}])
        self.assertEqual(tags(arn, DEV), {"team": "dev", "more": "x"})

    def test_malformed_or_missing(self):
        nothing = f"{ARN}:environment/nothing"
        self.missing("TagResource", resourceArn=nothing, tags=[{"key": "a", "value": "b"}])
        self.missing("UntagResource", resourceArn=nothing, tagKeys=["a"])
        self.missing("ListTagsForResource", resourceArn=nothing)
        self.invalid("TagResource", resourceArn="arn", tags=[{"key": "a", "value": "b"}], says="resourceArn")
        self.invalid("UntagResource", resourceArn="arn", tagKeys=["a"], says="resourceArn")
        self.invalid("ListTagsForResource", resourceArn="arn", says="resourceArn")
        self.invalid("ListTagsForResource", resourceArn=f"{ARN}:environment-template/probe-env", nextToken="bm8=")

    def test_only_who_may(self):
        arn = f"{ARN}:environment/{stage.shared_environment()}"
        for profile in (AUDITOR, DEV):
            self.denied("TagResource", profile, resourceArn=arn, tags=[{"key": "a", "value": "b"}])
            self.denied("UntagResource", profile, resourceArn=arn, tagKeys=["a"])

    def test_the_command_line(self):
        arn = f"{ARN}:environment-template/{stage.environment_template()}"
        aws("tag-resource", "--resource-arn", arn, "--tags", "key=from,value=cli")
        self.assertIn({"key": "from", "value": "cli"}, aws("list-tags-for-resource", "--resource-arn", arn)["tags"])
        aws("untag-resource", "--resource-arn", arn, "--tag-keys", "from")


class Summary(Case):
    def test_counts(self):
        before = call("GetResourcesSummary")["counts"]
        service = stage.service(pipeline={})
        after = call("GetResourcesSummary")["counts"]
        for kind in ("services", "serviceInstances", "pipelines"):
            self.assertEqual(after[kind]["total"], before.get(kind, {"total": 0})["total"] + 1)
            self.assertGreaterEqual(after[kind]["upToDate"], 1, f"{kind}: {after[kind]}")
        self.assertGreaterEqual(after["environments"]["total"], 1)
        self.assertGreaterEqual(after["environmentTemplates"]["total"], 1)
        self.assertEqual(aws("get-resources-summary")["counts"], after)
        call("DeleteService", name=service)
        wait("service_deleted", name=service)


class Notices(Case):
    def test_only_for_what_others_provision(self):
        """Self-managed and CodeBuild targets cannot be deployed yet, so that there is none that takes a notice."""
        name = stage.shared_environment()
        arn = f"{ARN}:environment/{name}"
        operation = "NotifyResourceDeploymentStatusChange"
        for profile in (clients.MANAGEMENT, DEV):
            message = self.refused("ValidationException", operation, profile, resourceArn=arn, status="SUCCEEDED")
            self.assertTrue(message)
        self.missing(operation, resourceArn=f"{ARN}:environment/nothing", status="SUCCEEDED")
        self.invalid(operation, resourceArn="arn", status="SUCCEEDED", says="resourceArn")
        with self.assertRaises(clients.ClientError) as caught:
            call(operation, clients.PROD, resourceArn=arn, status="SUCCEEDED")
        self.assertIn(clients.code(caught.exception), ("AccessDeniedException", "ResourceNotFoundException"))
