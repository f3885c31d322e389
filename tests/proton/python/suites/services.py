"""Services, with their instances and pipelines as one."""

import yaml

from support import clients, stage
from support.case import Case
from support.clients import AUDITOR, DEV, DEVELOPER, aws, call, page_through, wait
from support.world import WORLD

ARN = f"arn:aws:proton:{WORLD.region}:{WORLD.management}:service"
LINK = stage.LINK


def get(name: str) -> dict:
    return call("GetService", name=name)["service"]


def gone(name: str) -> bool:
    try:
        get(name)
    except clients.ClientError as error:
        return clients.code(error) == "ResourceNotFoundException"
    return False


def instance(service: str, name: str) -> dict:
    return call("GetServiceInstance", serviceName=service, name=name)["serviceInstance"]


class Services(Case):
    def test_with_a_pipeline_from_creation_to_deletion(self):
        """By a developer: that is whose job it is."""
        dev, prod = stage.shared_environment(WORLD.dev), stage.shared_environment(WORLD.prod)
        template, name = stage.service_template(), stage.fresh("s")
        spec = stage.service_spec({"dev": (dev, {}), "prod": (prod, {"note": "prod"})}, {"note": "pipe"})
        members = {
            "name": name,
            "templateName": template,
            "templateMajorVersion": "1",
            "spec": spec,
            "description": "A shop",
            "tags": [{"key": "team", "value": "shop"}],
            **LINK,
        }
        stage.slow_change_sets(WORLD.dev)
        made = call("CreateService", DEVELOPER, **members)["service"]
        self.assertEqual((made["status"], made["arn"]), ("CREATE_IN_PROGRESS", f"{ARN}/{name}"))
        self.conflict("UpdateService", name=name, spec=spec)
        again = call("CreateService", DEVELOPER, **members)["service"]
        self.assertEqual(again["arn"], made["arn"])
        wait("service_created", DEVELOPER, name=name)
        wait("service_pipeline_deployed", DEVELOPER, name=name)
        shown = get(name)
        # The text may come back another one; what it says is the same. An empty map of inputs is none.
        wanted = yaml.safe_load(spec)
        for each in wanted["instances"]:
            if not each["spec"]:
                del each["spec"]
        self.assertEqual(yaml.safe_load(shown["spec"]), wanted)
        self.assertEqual((shown["branchName"], shown["repositoryId"]), (LINK["branchName"], LINK["repositoryId"]))
        pipeline = shown["pipeline"]
        self.assertEqual((pipeline["deploymentStatus"], pipeline["arn"]), ("SUCCEEDED", f"{ARN}/{name}/pipeline"))
        outputs, _ = page_through("ListServicePipelineOutputs", None, serviceName=name)
        told = {each["key"]: each["valueString"] for each in outputs}
        self.assertEqual(told["DeploysTo"], f"dev@{WORLD.dev},prod@{WORLD.prod}")
        listed, _ = page_through("ListServices", None)
        summary = next(each for each in listed if each["name"] == name)
        self.assertNotIn("spec", summary)

        described = call("UpdateService", DEVELOPER, name=name, description="Another shop")["service"]
        self.assertEqual((described["status"], described["description"]), ("ACTIVE", "Another shop"))

        fewer = stage.service_spec({"dev": (dev, {}), "two": (dev, {"note": "two"})}, {"note": "pipe"})
        changed = call("UpdateService", DEVELOPER, name=name, spec=fewer)["service"]
        self.assertEqual(changed["status"], "UPDATE_IN_PROGRESS")
        wait("service_updated", name=name)
        self.assertEqual(instance(name, "two")["deploymentStatus"], "SUCCEEDED")
        self.missing("GetServiceInstance", serviceName=name, name="prod")
        outputs, _ = page_through("ListServicePipelineOutputs", None, serviceName=name)
        told = {each["key"]: each["valueString"] for each in outputs}
        self.assertEqual(told["DeploysTo"], f"dev@{WORLD.dev},two@{WORLD.dev}")

        deleted = call("DeleteService", DEVELOPER, name=name)["service"]
        self.assertEqual(deleted["status"], "DELETE_IN_PROGRESS")
        wait("service_deleted", name=name)
        self.missing("DeleteService", name=name)

    def test_without_a_pipeline(self):
        name = stage.service()
        self.assertNotIn("pipeline", get(name))
        for operation in ("ListServicePipelineOutputs", "ListServicePipelineProvisionedResources"):
            with self.assertRaises(clients.ClientError) as caught:
                call(operation, serviceName=name)
            self.assertIn(clients.code(caught.exception), ("ResourceNotFoundException", "ValidationException"))
        self.refused_creation(name="x", **LINK)
        call("DeleteService", name=name)
        wait("service_deleted", name=name)

    def refused_creation(self, *codes: str, pipeline: bool = False, **members) -> str:
        template = stage.service_template(pipeline=pipeline)
        spec = stage.service_spec({"one": (stage.shared_environment(), {})}, {} if pipeline else None)
        good = {"name": stage.fresh("s"), "templateName": template, "templateMajorVersion": "1", "spec": spec}
        with self.assertRaises(clients.ClientError) as caught:
            call("CreateService", **{**good, **members})
        self.assertIn(clients.code(caught.exception), codes or ("ValidationException",))
        return clients.message(caught.exception)

    def test_what_cannot_be_made(self):
        environment = stage.shared_environment()
        self.refused_creation(pipeline=True)
        self.refused_creation(spec="not: [a spec")
        self.refused_creation(spec=stage.service_spec({}))
        self.refused_creation(spec=stage.service_spec({"one": (environment, {"seconds": "soon"})}))
        self.refused_creation(
            "ResourceNotFoundException", "ValidationException", spec=stage.service_spec({"one": ("nothing", {})})
        )
        self.refused_creation("ResourceNotFoundException", templateName="nothing")
        self.refused_creation("ResourceNotFoundException", "ValidationException", templateMajorVersion="9")
        self.refused_creation(name="a b")
        taken = stage.service()
        self.refused_creation("ConflictException", "ValidationException", name=taken, description="Another")

    def test_an_environment_of_another_template_is_refused(self):
        stage.environment_template("slow-env")
        other = stage.environment(template="slow-env")
        self.refused_creation(spec=stage.service_spec({"one": (other, {})}))
        call("DeleteEnvironment", name=other)

    def test_a_failed_instance_stops_the_pipeline(self):
        name = stage.fresh("s")
        failing = {"good": (stage.shared_environment(), {}), "bad": (stage.shared_environment(), {"fail_on": ["create"]})}
        stage.service(failing, pipeline={}, name=name, wait_for_it=False)
        self.waits_in_vain("service_created", name=name)
        shown = get(name)
        self.assertTrue(shown["status"].startswith("CREATE_FAILED"), shown["status"])
        self.waits_in_vain("service_pipeline_deployed", name=name)
        bad = f"{ARN}/{name}/service-instance/bad"
        wanted = f"Service Instance(s): [{bad}] failed to deploy - canceling pipeline deployment"
        self.assertEqual(get(name)["pipeline"]["deploymentStatusMessage"], wanted)
        self.waits_in_vain("service_instance_deployed", serviceName=name, name="bad")
        call("DeleteService", name=name)
        wait("service_deleted", name=name)

    def test_a_failed_update_tells_what_became_of_it(self):
        name = stage.service({"one": (stage.shared_environment(), {})})
        failing = {"one": (stage.shared_environment(), {}), "bad": (stage.shared_environment(), {"fail_on": ["create"]})}
        before = get(name)["spec"]
        call("UpdateService", name=name, spec=stage.service_spec(failing))
        self.waits_in_vain("service_updated", name=name)
        self.eventually("the new instance to be cleaned up", lambda: get(name)["status"] == "UPDATE_FAILED_CLEANUP_COMPLETE")
        self.assertEqual(get(name)["spec"], before)
        self.missing("GetServiceInstance", serviceName=name, name="bad")
        call("DeleteService", name=name)
        wait("service_deleted", name=name)

    def test_updates_change_the_set_of_instances_only(self):
        environment = stage.shared_environment()
        name = stage.service({"one": (environment, {"note": "one"})})
        self.invalid("UpdateService", name=name, spec=stage.service_spec({"one": (environment, {"note": "two"})}))
        self.invalid("UpdateService", name=name, spec=stage.service_spec({}))
        self.invalid("UpdateService", name=name, spec="nothing: good")
        kept = "proton: ServiceSpec\ninstances:\n  - name: one\n    environment: %s\n    spec:\n      note: \"${Proton::CURRENT_VAL}\"\n"
        more = kept % environment + f"  - name: more\n    environment: {environment}\n    spec: {{note: more}}\n"
        call("UpdateService", name=name, spec=more)
        wait("service_updated", name=name)
        self.assertEqual(instance(name, "more")["deploymentStatus"], "SUCCEEDED")
        self.assertNotIn("CURRENT_VAL", get(name)["spec"])
        call("DeleteService", name=name)
        wait("service_deleted", name=name)

    def test_a_deletion_that_fails_can_be_repeated(self):
        name = stage.service({"one": (stage.shared_environment(), {"fail_on": ["delete"], "times": 1})})
        call("DeleteService", name=name)
        self.waits_in_vain("service_deleted", name=name)
        self.assertEqual(get(name)["status"], "DELETE_FAILED")
        self.assertEqual(instance(name, "one")["deploymentStatus"], "DELETE_FAILED")
        call("DeleteService", name=name)
        wait("service_deleted", name=name)

    def test_busy(self):
        name = stage.service({"one": (stage.shared_environment(), {})})
        stage.plant({"service": "cloudformation", "action": "DeleteStack", "account": WORLD.dev, "kind": "delay", "seconds": 1})
        call("DeleteService", name=name)
        self.conflict("UpdateService", name=name, spec=stage.service_spec({"two": (stage.shared_environment(), {})}))
        wait("service_deleted", name=name)

    def test_pages(self):
        names = {stage.service() for _ in range(2)}
        listed, pages = page_through("ListServices", 1)
        found = [each["name"] for each in listed]
        self.assertGreaterEqual(pages, 2)
        self.assertEqual(len(found), len(set(found)))
        self.assertLessEqual(names, set(found))

    def test_what_is_missing_or_malformed(self):
        self.missing("GetService", name="nothing", says="nothing")
        self.missing("UpdateService", name="nothing", description="x")
        self.missing("DeleteService", name="nothing")
        for operation in ("GetService", "UpdateService", "DeleteService"):
            self.invalid(operation, name="a b", says="name")
        self.invalid("ListServices", nextToken="bm8=", says="nextToken")

    def test_only_who_may_write_services_does(self):
        name = stage.service()
        spec = stage.service_spec({"one": (stage.shared_environment(), {})})
        members = {"templateName": stage.service_template(pipeline=False), "templateMajorVersion": "1", "spec": spec}
        for profile in (AUDITOR, DEV):
            self.denied("CreateService", profile, name="x", **members)
            self.denied("UpdateService", profile, name=name, description="x")
            self.denied("DeleteService", profile, name=name)
        for profile in (DEV,):
            self.denied("GetService", profile, name=name)
            self.denied("ListServices", profile)

    def test_the_command_line(self):
        name = stage.fresh("cli")
        stage.service_template()
        environment = stage.shared_environment()
        spec = WORLD.folder / f"{name}.yaml"
        spec.write_text(stage.service_spec({"one": (environment, {})}, {}))
        aws(
            "create-service", "--name", name, "--template-name", "probe-svc", "--template-major-version", "1", "--spec",
            f"file://{spec}", "--branch-name", LINK["branchName"], "--repository-id", LINK["repositoryId"],
            "--repository-connection-arn", LINK["repositoryConnectionArn"],
        )
        aws("wait", "service-created", "--name", name)
        aws("wait", "service-pipeline-deployed", "--name", name)
        self.assertEqual(aws("get-service", "--name", name)["service"]["status"], "ACTIVE")
        self.assertIn(name, aws("list-services", "--query", "services[].name"))
        aws("update-service", "--name", name, "--description", "Described")
        aws("wait", "service-updated", "--name", name)
        aws("list-service-pipeline-outputs", "--service-name", name)
        aws("list-service-pipeline-provisioned-resources", "--service-name", name)
        aws("delete-service", "--name", name)
        aws("wait", "service-deleted", "--name", name)
