"""Service instances and pipelines, each by itself."""

from datetime import datetime, timedelta, timezone

from support import clients, stage
from support.case import Case
from support.clients import AUDITOR, DEV, aws, call, page_through, wait
from support.world import WORLD

from .services import ARN, LINK, get, instance


def outputs(service: str, name: str, **members) -> dict:
    found, _ = page_through("ListServiceInstanceOutputs", None, serviceName=service, serviceInstanceName=name, **members)
    return {each["key"]: each["valueString"] for each in found}


class Instances(Case):
    def test_an_update_applies_its_own_entry_of_a_full_spec(self):
        environment = stage.shared_environment()
        name = stage.service({"one": (environment, {"note": "one"}), "two": (environment, {"note": "two"})})
        shown = instance(name, "one")
        self.assertEqual(shown["arn"], f"{ARN}/{name}/service-instance/one")
        self.assertEqual((shown["environmentName"], shown["serviceName"]), (environment, name))
        first = shown["lastSucceededDeploymentId"]
        both = stage.service_spec({"one": (environment, {"note": "ONE"}), "two": (environment, {"note": "TWO"})})
        changed = call(
            "UpdateServiceInstance", serviceName=name, name="one", deploymentType="CURRENT_VERSION", spec=both
        )["serviceInstance"]
        self.assertEqual(changed["deploymentStatus"], "IN_PROGRESS")
        wait("service_instance_deployed", serviceName=name, name="one")
        self.assertEqual(outputs(name, "one")["Note"], "ONE")
        self.assertEqual(outputs(name, "two")["Note"], "two")
        self.assertEqual(outputs(name, "one", deploymentId=first)["Note"], "one")
        self.assertEqual(outputs(name, "one")["EnvironmentNote"], "one")
        resources, _ = page_through(
            "ListServiceInstanceProvisionedResources", None, serviceName=name, serviceInstanceName="one"
        )
        self.assertTrue(any(f"stack/AWSProton-{name}-one-cloudformation-" in each["identifier"] for each in resources))
        call("UpdateServiceInstance", serviceName=name, name="two", deploymentType="CURRENT_VERSION")
        wait("service_instance_deployed", serviceName=name, name="two")
        self.assertEqual(outputs(name, "two")["Note"], "two")

    def test_added_to_a_service(self):
        environment = stage.shared_environment()
        name = stage.service({"one": (environment, {})})
        spec = stage.service_spec({"one": (environment, {}), "more": (environment, {"note": "more"})})
        token = stage.fresh("token")
        members = {"serviceName": name, "name": "more", "spec": spec, "clientToken": token}
        made = call("CreateServiceInstance", **members)["serviceInstance"]
        self.assertEqual((made["deploymentStatus"], made["lastClientRequestToken"]), ("IN_PROGRESS", token))
        again = call("CreateServiceInstance", **members)["serviceInstance"]
        self.assertEqual((again["arn"], again["createdAt"]), (made["arn"], made["createdAt"]))
        self.invalid("CreateServiceInstance", **{**members, "name": "other"}, says="Idempotent parameter mismatch")
        wait("service_instance_deployed", serviceName=name, name="more")
        self.assertEqual(outputs(name, "more")["Note"], "more")
        history, _ = page_through("ListDeployments", None, serviceName=name, serviceInstanceName="more")
        self.assertEqual(len(history), 1)
        self.conflict("CreateServiceInstance", serviceName=name, name="more", spec=spec)
        self.invalid("CreateServiceInstance", serviceName=name, name="absent", spec=spec)
        self.missing("CreateServiceInstance", serviceName="nothing", name="more", spec=spec)
        self.eventually("the service to be at rest", lambda: get(name)["status"] == "ACTIVE")

    def test_client_token_makes_one_update(self):
        name = stage.service()
        spec = stage.service_spec({"one": (stage.shared_environment(), {"note": "new"})})
        token = stage.fresh("token")
        members = {
            "serviceName": name, "name": "one", "deploymentType": "CURRENT_VERSION", "spec": spec, "clientToken": token,
        }
        first = call("UpdateServiceInstance", **members)["serviceInstance"]
        wait("service_instance_deployed", serviceName=name, name="one")
        again = call("UpdateServiceInstance", **members)["serviceInstance"]
        self.assertEqual(again["lastAttemptedDeploymentId"], first["lastAttemptedDeploymentId"])
        self.assertEqual(instance(name, "one")["lastClientRequestToken"], token)
        other = stage.service_spec({"one": (stage.shared_environment(), {"note": "other"})})
        self.invalid("UpdateServiceInstance", **{**members, "spec": other}, says="Idempotent parameter mismatch")

    def test_versions(self):
        template = stage.fresh("versions")
        call("CreateServiceTemplate", name=template, pipelineProvisioning="CUSTOMER_MANAGED")
        source = stage.bundle_without_pipeline("probe-svc")
        stage.service_version(template, source, [stage.environment_template()])
        environment, name = stage.shared_environment(), stage.fresh("s")
        spec = stage.service_spec({"one": (environment, {})})
        call("CreateService", name=name, templateName=template, templateMajorVersion="1", spec=spec)
        wait("service_created", name=name)
        stage.service_version(template, source, ["probe-env"], majorVersion="1")
        answer = call("UpdateServiceInstance", serviceName=name, name="one", deploymentType="MINOR_VERSION")
        self.assertEqual(answer["serviceInstance"]["templateMinorVersion"], "0")
        wait("service_instance_deployed", serviceName=name, name="one")
        self.assertEqual(instance(name, "one")["templateMinorVersion"], "1")
        self.conflict("DeleteServiceTemplateVersion", templateName=template, majorVersion="1", minorVersion="1")
        stage.environment_template("slow-env")
        stage.service_version(template, source, ["slow-env"])
        members = {"serviceName": name, "name": "one"}
        self.invalid("UpdateServiceInstance", **members, deploymentType="MAJOR_VERSION")
        for deployment, more in (
            ("CURRENT_VERSION", {"templateMinorVersion": "0"}),
            ("NONE", {"spec": spec}),
            ("MINOR_VERSION", {"templateMajorVersion": "2"}),
            ("MAJOR_VERSION", {"templateMajorVersion": "1"}),
        ):
            self.invalid("UpdateServiceInstance", **members, deploymentType=deployment, **more)
        stage.service_version(template, source, ["probe-env"])
        call("UpdateServiceInstance", **members, deploymentType="MAJOR_VERSION")
        wait("service_instance_deployed", serviceName=name, name="one")
        self.assertEqual(instance(name, "one")["templateMajorVersion"], "3")

    def test_busy_and_cancelled(self):
        environment = stage.shared_environment()
        name = stage.service({"one": (environment, {"note": "kept"})})
        new = stage.service_spec({"one": (environment, {"note": "new"})})
        update = {"serviceName": name, "name": "one", "deploymentType": "CURRENT_VERSION", "spec": new}
        stage.slow_change_sets(WORLD.dev)
        call("UpdateServiceInstance", **update)
        self.conflict("UpdateServiceInstance", **{**update, "deploymentType": "MINOR_VERSION"})
        answer = call("CancelServiceInstanceDeployment", serviceName=name, serviceInstanceName="one")["serviceInstance"]
        self.assertIn(answer["deploymentStatus"], ("CANCELLING", "CANCELLED"))
        self.eventually("the cancel to end", lambda: instance(name, "one")["deploymentStatus"] == "CANCELLED")
        self.assertEqual(instance(name, "one")["deploymentStatusMessage"], "User initiated cancellation.")
        self.assertEqual(outputs(name, "one")["Note"], "kept")
        with self.assertRaises(clients.ClientError) as caught:
            call("CancelServiceInstanceDeployment", serviceName=name, serviceInstanceName="one")
        self.assertIn(clients.code(caught.exception), ("ConflictException", "ValidationException"))
        call("UpdateServiceInstance", **update)
        wait("service_instance_deployed", serviceName=name, name="one")

    def test_a_deletion_cannot_be_cancelled(self):
        environment = stage.shared_environment()
        name = stage.service({"one": (environment, {}), "two": (environment, {})}, pipeline={})
        stage.plant({"service": "cloudformation", "action": "DeleteStack", "kind": "delay", "seconds": 2, "times": 3})
        call("DeleteService", name=name)
        self.conflict("CancelServiceInstanceDeployment", serviceName=name, serviceInstanceName="one")
        self.conflict_of_pipeline(name)
        wait("service_deleted", name=name)

    def conflict_of_pipeline(self, name: str) -> None:
        with self.assertRaises(clients.ClientError) as caught:
            call("CancelServicePipelineDeployment", serviceName=name)
        self.assertIn(clients.code(caught.exception), ("ConflictException", "ValidationException"))

    def test_a_failed_update_is_told(self):
        name = stage.service()
        spec = stage.service_spec({"one": (stage.shared_environment(), {"fail_on": ["update"], "reason": "No luck"})})
        call("UpdateServiceInstance", serviceName=name, name="one", deploymentType="CURRENT_VERSION", spec=spec)
        self.waits_in_vain("service_instance_deployed", serviceName=name, name="one")
        self.assertIn("No luck", instance(name, "one")["deploymentStatusMessage"])

    def test_filters_and_order(self):
        dev, prod = stage.shared_environment(WORLD.dev), stage.shared_environment(WORLD.prod)
        name = stage.service({"a": (dev, {}), "b": (prod, {}), "c": (dev, {})})

        def names(**members) -> list[str]:
            found, _ = page_through("ListServiceInstances", None, serviceName=name, **members)
            return [each["name"] for each in found]

        def filtered(**filters) -> list[str]:
            return names(filters=[{"key": key, "value": value} for key, value in filters.items()])

        self.assertEqual(names(), ["a", "b", "c"])
        self.assertEqual(names(sortBy="name", sortOrder="DESCENDING"), ["c", "b", "a"])
        self.assertEqual(names(sortBy="environmentName")[-1], "b")
        for sort in ("deploymentStatus", "templateName", "serviceName", "lastDeploymentAttemptedAt", "createdAt"):
            self.assertCountEqual(names(sortBy=sort, sortOrder="ASCENDING"), ["a", "b", "c"])
        self.assertEqual(filtered(environmentName=prod), ["b"])
        self.assertEqual(filtered(name="c"), ["c"])
        self.assertEqual(filtered(name="c", environmentName=prod), [])
        self.assertEqual(filtered(deploymentStatus="SUCCEEDED", templateName="probe-svc-plain"), ["a", "b", "c"])
        self.assertEqual(filtered(deploymentStatus="FAILED"), [])
        self.assertEqual(filtered(serviceName="another"), [])
        self.assertEqual(filtered(deployedTemplateVersionStatus="UP_TO_DATE"), ["a", "b", "c"])
        now = datetime.now(timezone.utc)
        soon, past = ((now + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ") for hours in (1, -24))
        for stem in ("createdAt", "lastDeploymentAttemptedAt"):
            self.assertEqual(filtered(**{f"{stem}Before": soon, f"{stem}After": past}), ["a", "b", "c"])
            self.assertEqual(filtered(**{f"{stem}Before": past}), [])
        everything, pages = page_through("ListServiceInstances", 1, serviceName=name, sortBy="name", sortOrder="DESCENDING")
        self.assertEqual((pages, [each["name"] for each in everything]), (3, ["c", "b", "a"]))
        self.invalid("ListServiceInstances", sortBy="size", says="sortBy")
        self.invalid("ListServiceInstances", filters=[{"key": "colour", "value": "red"}], says="key")
        self.invalid("ListServiceInstances", filters=[{"key": "createdAtAfter", "value": "yesterday"}])
        self.missing("ListServiceInstances", serviceName="nothing")

    def test_what_is_missing_or_malformed(self):
        name = stage.service()
        for service, one in (("nothing", "one"), (name, "nothing")):
            self.missing("GetServiceInstance", serviceName=service, name=one)
            self.missing("UpdateServiceInstance", serviceName=service, name=one, deploymentType="CURRENT_VERSION")
            self.missing("CancelServiceInstanceDeployment", serviceName=service, serviceInstanceName=one)
            self.missing("ListServiceInstanceOutputs", serviceName=service, serviceInstanceName=one)
            self.missing("ListServiceInstanceProvisionedResources", serviceName=service, serviceInstanceName=one)
        self.invalid("GetServiceInstance", serviceName="a b", name="one", says="serviceName")
        self.invalid("CancelServiceInstanceDeployment", serviceName="a b", serviceInstanceName="one", says="serviceName")
        for operation in ("ListServiceInstanceOutputs", "ListServiceInstanceProvisionedResources"):
            members = {"serviceName": name, "serviceInstanceName": "one"}
            self.invalid(operation, nextToken="bm8=", says="nextToken", **members)

    def test_only_who_may(self):
        name = stage.service(pipeline={})
        spec = stage.service_spec({"one": (stage.shared_environment(), {})}, {})
        for profile in (AUDITOR, DEV):
            self.denied("CreateServiceInstance", profile, serviceName=name, name="x", spec=spec)
            self.denied("UpdateServiceInstance", profile, serviceName=name, name="one", deploymentType="CURRENT_VERSION")
            self.denied("UpdateServicePipeline", profile, serviceName=name, deploymentType="CURRENT_VERSION", spec=spec)
        for profile in (AUDITOR,):
            self.denied("CancelServiceInstanceDeployment", profile, serviceName=name, serviceInstanceName="one")
            self.denied("CancelServicePipelineDeployment", profile, serviceName=name)

    def test_the_command_line(self):
        environment = stage.shared_environment()
        name = stage.service({"one": (environment, {})}, pipeline={})
        which = ["--service-name", name, "--name", "one"]
        spec = aws("get-service", "--name", name, "--query", "service.spec", "--output", "text")
        aws("update-service-instance", *which, "--deployment-type", "CURRENT_VERSION", "--spec", spec)
        aws("wait", "service-instance-deployed", *which)
        self.assertEqual(aws("get-service-instance", *which)["serviceInstance"]["deploymentStatus"], "SUCCEEDED")
        self.assertEqual(len(aws("list-service-instances", "--service-name", name)["serviceInstances"]), 1)
        which = ["--service-name", name, "--service-instance-name", "one"]
        aws("list-service-instance-outputs", *which)
        aws("list-service-instance-provisioned-resources", *which)
        with self.assertRaises(clients.Ended) as caught:
            aws("cancel-service-instance-deployment", *which)
        self.assertIn(caught.exception.code, ("ConflictException", "ValidationException"))
        self.eventually("the service to be at rest", lambda: get(name)["status"] == "ACTIVE")
        aws("update-service-pipeline", "--service-name", name, "--deployment-type", "CURRENT_VERSION", "--spec", spec)
        aws("wait", "service-pipeline-deployed", "--name", name)


class Pipelines(Case):
    def pipeline(self, name: str) -> dict:
        return get(name)["pipeline"]

    def note(self, name: str, **members) -> str:
        found, _ = page_through("ListServicePipelineOutputs", None, serviceName=name, **members)
        return next(each["valueString"] for each in found if each["key"] == "Note")

    def test_updated_by_its_own_part_of_the_spec(self):
        environment = stage.shared_environment()
        name = stage.service({"one": (environment, {"note": "one"})}, pipeline={"note": "first"})
        first = self.pipeline(name)["lastSucceededDeploymentId"]
        spec = stage.service_spec({"one": (environment, {"note": "ONE"})}, {"note": "second"})
        stage.slow_change_sets(WORLD.management)
        answer = call("UpdateServicePipeline", serviceName=name, deploymentType="CURRENT_VERSION", spec=spec)["pipeline"]
        self.assertEqual(answer["deploymentStatus"], "IN_PROGRESS")
        other = stage.service_spec({"one": (environment, {"note": "ONE"})}, {"note": "other"})
        self.conflict("UpdateServicePipeline", serviceName=name, deploymentType="CURRENT_VERSION", spec=other)
        wait("service_pipeline_deployed", name=name)
        self.assertEqual(self.note(name), "second")
        self.assertEqual(self.note(name, deploymentId=first), "first")
        self.assertEqual(outputs(name, "one")["Note"], "one")
        resources, _ = page_through("ListServicePipelineProvisionedResources", None, serviceName=name)
        self.assertTrue(any(f"stack/AWSProton-{name}-cloudformation-" in each["identifier"] for each in resources))

    def test_cancelled_failed_and_mended(self):
        environment = stage.shared_environment()
        name = stage.service({"one": (environment, {})}, pipeline={"note": "kept"})

        def update(**inputs):
            spec = stage.service_spec({"one": (environment, {})}, inputs)
            call("UpdateServicePipeline", serviceName=name, deploymentType="CURRENT_VERSION", spec=spec)

        stage.slow_change_sets(WORLD.management)
        update(note="new")
        answer = call("CancelServicePipelineDeployment", serviceName=name)["pipeline"]
        self.assertIn(answer["deploymentStatus"], ("CANCELLING", "CANCELLED"))
        self.eventually("the cancel to end", lambda: self.pipeline(name)["deploymentStatus"] == "CANCELLED")
        self.assertEqual(self.note(name), "kept")
        update(fail_on=["update"], note="bad")
        self.waits_in_vain("service_pipeline_deployed", name=name)
        self.conflict_or_invalid("CancelServicePipelineDeployment", serviceName=name)
        update(note="mended")
        wait("service_pipeline_deployed", name=name)
        self.assertEqual(self.note(name), "mended")

    def conflict_or_invalid(self, operation: str, **members) -> None:
        with self.assertRaises(clients.ClientError) as caught:
            call(operation, **members)
        self.assertIn(clients.code(caught.exception), ("ConflictException", "ValidationException"))

    def test_versions_of_their_own(self):
        template = stage.fresh("versions")
        call("CreateServiceTemplate", name=template)
        stage.service_version(template, stage.bundle("probe-svc"), [stage.environment_template()])
        environment, name = stage.shared_environment(), stage.fresh("s")
        spec = stage.service_spec({"one": (environment, {})}, {})
        call("CreateService", name=name, templateName=template, templateMajorVersion="1", spec=spec, **LINK)
        wait("service_created", name=name)
        stage.service_version(template, stage.bundle("probe-svc"), ["probe-env"], majorVersion="1")
        call("UpdateServicePipeline", serviceName=name, deploymentType="MINOR_VERSION", spec=spec)
        wait("service_pipeline_deployed", name=name)
        self.assertEqual(self.pipeline(name)["templateMinorVersion"], "1")
        self.assertEqual(instance(name, "one")["templateMinorVersion"], "0")
        self.conflict("DeleteServiceTemplateVersion", templateName=template, majorVersion="1", minorVersion="1")

    def test_what_is_missing_or_malformed(self):
        plain = stage.service()
        spec = stage.service_spec({"one": (stage.shared_environment(), {})}, {})
        self.missing("UpdateServicePipeline", serviceName="nothing", deploymentType="CURRENT_VERSION", spec=spec)
        for operation in (
            "CancelServicePipelineDeployment", "ListServicePipelineOutputs", "ListServicePipelineProvisionedResources",
        ):
            self.missing(operation, serviceName="nothing")
            self.invalid(operation, serviceName="a b", says="serviceName")
        with self.assertRaises(clients.ClientError) as caught:
            call("UpdateServicePipeline", serviceName=plain, deploymentType="CURRENT_VERSION", spec=spec)
        self.assertIn(clients.code(caught.exception), ("ResourceNotFoundException", "ValidationException"))
        self.invalid("UpdateServicePipeline", serviceName=plain, deploymentType="SOMEHOW", spec=spec, says="deploymentType")
        for operation in ("ListServicePipelineOutputs", "ListServicePipelineProvisionedResources"):
            self.invalid(operation, serviceName=plain, nextToken="bm8=", says="nextToken")
