"""Components: a stack of a developer's own beside an instance, or in an environment by itself."""

from support import clients, stage
from support.case import Case
from support.clients import AUDITOR, DEV, DEVELOPER, aws, call, page_through, wait
from support.world import WORLD

from .instances import outputs as instance_outputs
from .services import instance

ARN = f"arn:aws:proton:{WORLD.region}:{WORLD.management}:component"


def get(name: str) -> dict:
    return call("GetComponent", name=name)["component"]


def create(name: str | None = None, wait_for_it: bool = True, profile: str = clients.MANAGEMENT, **members) -> dict:
    name = name or stage.fresh("k")
    members = {"manifest": stage.MANIFEST, "templateFile": stage.component_template(), **members}
    if "serviceName" not in members:
        members.setdefault("environmentName", stage.shared_environment())
    made = call("CreateComponent", profile, name=name, **members)["component"]
    if wait_for_it:
        wait("component_deployed", name=name)
    return made


def outputs(name: str, **members) -> dict:
    found, _ = page_through("ListComponentOutputs", None, componentName=name, **members)
    return {each["key"]: each["valueString"] for each in found}


def delete(name: str) -> None:
    call("DeleteComponent", name=name)
    wait("component_deleted", name=name)


class Components(Case):
    def test_detached_from_creation_to_deletion(self):
        name, token = stage.fresh("k"), stage.fresh("token")
        members = {"description": "A table", "clientToken": token, "tags": [{"key": "team", "value": "shop"}]}
        made = create(name, wait_for_it=False, profile=DEVELOPER, **members)
        self.assertEqual((made["arn"], made["deploymentStatus"]), (f"{ARN}/{name}", "IN_PROGRESS"))
        self.assertEqual(made["lastClientRequestToken"], token)
        self.assertNotIn("serviceName", made)
        wait("component_deployed", DEVELOPER, name=name)
        again = create(name, wait_for_it=False, **members)
        self.assertEqual(again["lastAttemptedDeploymentId"], made["lastAttemptedDeploymentId"])
        self.assertEqual(outputs(name), {"Note": "one"})
        resources, _ = page_through("ListComponentProvisionedResources", None, componentName=name)
        self.assertTrue(any(f"stack/AWSProton-{name}-cloudformation-" in each["identifier"] for each in resources))
        first = get(name)["lastSucceededDeploymentId"]
        changed = call(
            "UpdateComponent",
            DEVELOPER,
            name=name,
            deploymentType="CURRENT_VERSION",
            templateFile=stage.component_template("two"),
        )["component"]
        self.assertEqual(changed["deploymentStatus"], "IN_PROGRESS")
        wait("component_deployed", name=name)
        self.assertEqual(outputs(name), {"Note": "two"})
        self.assertEqual(outputs(name, deploymentId=first), {"Note": "one"})
        described = call("UpdateComponent", name=name, deploymentType="NONE", description="Described")["component"]
        self.assertEqual(described["description"], "Described")
        gone = call("DeleteComponent", DEVELOPER, name=name)["component"]
        self.assertEqual(gone["deploymentStatus"], "DELETE_IN_PROGRESS")
        wait("component_deleted", name=name)
        self.missing("DeleteComponent", name=name)

    def test_attached_gives_its_outputs_to_the_instance(self):
        folder = stage.FIXTURES / "probe-svc"
        text = (folder / "instance_infrastructure/cloudformation.yaml").read_text()
        text += (
            "{% if service_instance.components.default.outputs %}\n"
            "  FromComponent:\n    Value: \"{{ service_instance.components.default.outputs.Note }}\"\n"
            "{% endif %}\n"
        )
        template = stage.fresh("takes")
        call("CreateServiceTemplate", name=template)
        source = stage.stored(stage.packed(folder, {"instance_infrastructure/cloudformation.yaml": text}))
        stage.service_version(
            template, source, [stage.environment_template()], supportedComponentSources=["DIRECTLY_DEFINED"]
        )
        environment, service = stage.shared_environment(), stage.fresh("s")
        spec = stage.service_spec({"one": (environment, {})}, {})
        call("CreateService", name=service, templateName=template, templateMajorVersion="1", spec=spec, **stage.LINK)
        wait("service_created", name=service)
        name = stage.fresh("k")
        one = {"serviceName": service, "serviceInstanceName": "one"}
        made = create(name, templateFile=stage.component_template("from the component"), **one, serviceSpec=spec)
        self.assertEqual((made["environmentName"], made["serviceInstanceName"]), (environment, "one"))
        call("UpdateServiceInstance", serviceName=service, name="one", deploymentType="CURRENT_VERSION")
        wait("service_instance_deployed", serviceName=service, name="one")
        self.assertEqual(instance_outputs(service, "one")["FromComponent"], "from the component")

        self.conflict("DeleteComponent", name=name)
        self.conflict("DeleteService", name=service)
        self.conflict("DeleteEnvironment", name=environment)
        self.conflict("UpdateService", name=service, spec=stage.service_spec({"two": (environment, {})}, {}))
        self.refused_creation(("ConflictException",), **one)

        call("UpdateComponent", name=name, deploymentType="CURRENT_VERSION", serviceName="", serviceInstanceName="")
        wait("component_deployed", name=name)
        self.assertNotIn("serviceName", get(name))
        call("UpdateComponent", name=name, deploymentType="CURRENT_VERSION", **one, serviceSpec=spec)
        wait("component_deployed", name=name)
        self.assertEqual(get(name)["serviceInstanceName"], "one")
        call("UpdateComponent", name=name, deploymentType="CURRENT_VERSION", serviceName="", serviceInstanceName="")
        wait("component_deployed", name=name)
        delete(name)

    def refused_creation(self, codes: tuple = ("ValidationException",), **members) -> str:
        with self.assertRaises(clients.ClientError) as caught:
            create(wait_for_it=False, **members)
        self.assertIn(clients.code(caught.exception), codes, clients.message(caught.exception))
        return clients.message(caught.exception)

    def test_what_cannot_be_made(self):
        service = stage.service()
        for members in (
            {"serviceName": service},
            {"serviceInstanceName": "one"},
            {"serviceSpec": stage.service_spec({"one": (stage.shared_environment(), {})})},
            {"manifest": "infrastructure: {}\n"},
            {"templateFile": "Resources: ["},
            {"name": "a b"},
        ):
            self.refused_creation(**members)
        self.missing(
            "CreateComponent",
            name="k",
            environmentName="nothing",
            manifest=stage.MANIFEST,
            templateFile=stage.component_template(),
        )
        for one in ({"serviceName": "nothing", "serviceInstanceName": "one"}, {"serviceName": service, "serviceInstanceName": "x"}):
            self.refused_creation(("ResourceNotFoundException",), **one)
        taken = create()["name"]
        self.refused_creation(("ConflictException",), name=taken, description="Another")
        delete(taken)

    def test_an_environment_without_a_role_takes_none(self):
        name = stage.fresh("e")
        connection = stage.connection(name)
        stage.environment_template()
        call(
            "CreateEnvironment", name=name, templateName="probe-env", templateMajorVersion="1", spec=stage.spec(),
            environmentAccountConnectionId=connection,
        )
        wait("environment_deployed", name=name)
        self.refused_creation(environmentName=name)

    def test_a_version_that_takes_none(self):
        template = stage.fresh("closed")
        call("CreateServiceTemplate", name=template, pipelineProvisioning="CUSTOMER_MANAGED")
        stage.service_version(template, stage.bundle_without_pipeline("probe-svc"), [stage.environment_template()])
        name = stage.fresh("s")
        spec = stage.service_spec({"one": (stage.shared_environment(), {})})
        call("CreateService", name=name, templateName=template, templateMajorVersion="1", spec=spec)
        wait("service_created", name=name)
        self.refused_creation(serviceName=name, serviceInstanceName="one")

    def test_busy_cancelled_and_tokens(self):
        name = create()["name"]
        new = {"name": name, "deploymentType": "CURRENT_VERSION", "templateFile": stage.component_template("new")}
        stage.slow_change_sets(WORLD.dev)
        call("UpdateComponent", **new)
        self.conflict("UpdateComponent", **new, description="x")
        self.conflict("DeleteComponent", name=name)
        answer = call("CancelComponentDeployment", componentName=name)["component"]
        self.assertIn(answer["deploymentStatus"], ("CANCELLING", "CANCELLED"))
        self.eventually("the cancel to end", lambda: get(name)["deploymentStatus"] == "CANCELLED")
        self.assertEqual(get(name)["deploymentStatusMessage"], "User initiated cancellation.")
        self.assertEqual(outputs(name), {"Note": "one"})
        with self.assertRaises(clients.ClientError) as caught:
            call("CancelComponentDeployment", componentName=name)
        self.assertIn(clients.code(caught.exception), ("ConflictException", "ValidationException"))
        token = stage.fresh("token")
        first = call("UpdateComponent", **new, clientToken=token)["component"]
        wait("component_deployed", name=name)
        again = call("UpdateComponent", **new, clientToken=token)["component"]
        self.assertEqual(first["lastAttemptedDeploymentId"], again["lastAttemptedDeploymentId"])
        self.invalid("UpdateComponent", **new, description="x", clientToken=token, says="Idempotent parameter mismatch")
        delete(name)

    def test_an_instance_and_its_component_block_one_another(self):
        environment, service = stage.shared_environment(), stage.service()
        name = create(serviceName=service, serviceInstanceName="one")["name"]
        stage.slow_change_sets(WORLD.dev)
        call(
            "UpdateComponent", name=name, deploymentType="CURRENT_VERSION", templateFile=stage.component_template("new")
        )
        spec = stage.service_spec({"one": (environment, {"note": "new"})})
        members = {"serviceName": service, "name": "one", "deploymentType": "CURRENT_VERSION", "spec": spec}
        self.conflict("UpdateServiceInstance", **members)
        wait("component_deployed", name=name)
        stage.slow_change_sets(WORLD.dev)
        call("UpdateServiceInstance", **members)
        self.conflict("UpdateComponent", name=name, deploymentType="CURRENT_VERSION")
        wait("service_instance_deployed", serviceName=service, name="one")
        self.assertEqual(instance(service, "one")["deploymentStatus"], "SUCCEEDED")
        call("UpdateComponent", name=name, deploymentType="CURRENT_VERSION", serviceName="", serviceInstanceName="")
        wait("component_deployed", name=name)
        delete(name)

    def test_failures(self):
        name = stage.fresh("k")
        create(name, wait_for_it=False, templateFile=stage.component_template(fail_on=["create"]))
        self.waits_in_vain("component_deployed", name=name)
        self.assertIn("told to fail", get(name)["deploymentStatusMessage"])
        call(
            "UpdateComponent", name=name, deploymentType="CURRENT_VERSION",
            templateFile=stage.component_template("mended", fail_on=["delete"], times=1),
        )
        wait("component_deployed", name=name)
        call("DeleteComponent", name=name)
        self.waits_in_vain("component_deleted", name=name)
        self.assertEqual(get(name)["deploymentStatus"], "DELETE_FAILED")
        delete(name)

    def test_pages_and_filters(self):
        environment, service = stage.shared_environment(WORLD.prod), stage.service()
        alone = [create(environmentName=environment)["name"] for _ in range(2)]
        attached = create(serviceName=service, serviceInstanceName="one")["name"]

        def names(**members) -> set[str]:
            return {each["name"] for each in page_through("ListComponents", None, **members)[0]}

        self.assertEqual(names(environmentName=environment), set(alone))
        self.assertEqual(names(serviceName=service), {attached})
        self.assertEqual(names(serviceName=service, serviceInstanceName="one"), {attached})
        _, pages = page_through("ListComponents", 1)
        self.assertGreaterEqual(pages, 3)
        self.invalid("ListComponents", serviceInstanceName="one")
        self.invalid("ListComponents", nextToken="bm8=", says="nextToken")
        call("UpdateComponent", name=attached, deploymentType="CURRENT_VERSION", serviceName="", serviceInstanceName="")
        wait("component_deployed", name=attached)
        for name in (*alone, attached):
            delete(name)

    def test_what_is_missing_or_malformed(self):
        self.missing("GetComponent", name="nothing")
        self.missing("UpdateComponent", name="nothing", deploymentType="NONE", description="x")
        self.missing("CancelComponentDeployment", componentName="nothing")
        self.missing("ListComponentOutputs", componentName="nothing")
        self.missing("ListComponentProvisionedResources", componentName="nothing")
        self.invalid("GetComponent", name="a b", says="name")
        self.invalid("DeleteComponent", name="a b", says="name")
        self.invalid("UpdateComponent", name="k", deploymentType="MINOR_VERSION", says="deploymentType")
        self.invalid("CancelComponentDeployment", componentName="a b", says="componentName")
        self.invalid("ListComponentOutputs", componentName="a b", says="componentName")
        self.invalid("ListComponentProvisionedResources", componentName="k", nextToken="bm8=", says="nextToken")

    def test_only_who_may(self):
        name = create()["name"]
        members = {"manifest": stage.MANIFEST, "templateFile": stage.component_template()}
        for profile in (AUDITOR, DEV):
            self.denied(
                "CreateComponent", profile, name="x", environmentName=stage.shared_environment(), **members
            )
            self.denied("UpdateComponent", profile, name=name, deploymentType="NONE", description="x")
            self.denied("DeleteComponent", profile, name=name)
        self.denied("CancelComponentDeployment", AUDITOR, componentName=name)
        delete(name)

    def test_the_command_line(self):
        name = stage.fresh("cli")
        aws(
            "create-component", "--name", name, "--environment-name", stage.shared_environment(),
            "--manifest", stage.MANIFEST, "--template-file", stage.component_template(),
        )
        aws("wait", "component-deployed", "--name", name)
        self.assertEqual(aws("get-component", "--name", name)["component"]["deploymentStatus"], "SUCCEEDED")
        self.assertIn(name, aws("list-components", "--query", "components[].name"))
        aws("list-component-outputs", "--component-name", name)
        aws("update-component", "--name", name, "--deployment-type", "NONE", "--description", "Described")
        aws("delete-component", "--name", name)
        aws("wait", "component-deleted", "--name", name)
