"""Every operation that reads, each with and without what it can be asked for besides, over things that are there."""

import itertools

from support import clients, inputs, stage
from support.case import Case
from support.clients import call, wait
from support.model import MODEL, operation, required

from .links import linked


class Reads(Case):
    def test_all_of_them(self):
        environment = stage.shared_environment()
        service = stage.service({"one": (environment, {})}, pipeline={})
        component, repository = stage.fresh("k"), linked()
        call(
            "CreateComponent", name=component, environmentName=environment, manifest=stage.MANIFEST,
            templateFile=stage.component_template(),
        )
        wait("component_deployed", name=component)
        shown = call("GetEnvironment", name=environment)["environment"]
        known = {
            "serviceName": service, "serviceInstanceName": "one", "environmentName": environment, "componentName": component,
            "repositoryName": repository, "repositoryProvider": "GITHUB", "provider": "GITHUB", "branch": "main",
            "resourceArn": shown["arn"], "deploymentId": shown["lastSucceededDeploymentId"], "majorVersion": "1",
            "minorVersion": "0", "maxResults": 2,
        }
        names = {
            "GetEnvironment": environment, "GetService": service, "GetServiceInstance": "one", "GetComponent": component,
            "GetRepository": repository, "GetEnvironmentTemplate": "probe-env", "GetServiceTemplate": "probe-svc",
        }
        ids = {
            "GetDeployment": shown["lastSucceededDeploymentId"],
            "GetEnvironmentAccountConnection": shown["environmentAccountConnectionId"],
        }
        for name in sorted(MODEL.operation_names):
            if not name.startswith(("Get", "List")):
                continue
            shape = operation(name).input_shape
            # Deployments of a service have other names than those of an environment or a component: one at a time.
            optional = [member for member in shape.members if member not in required(shape) and member != "nextToken"]
            choices = [*itertools.combinations(optional, 1), tuple(optional), ()]
            for chosen in choices:
                members = {
                    member: names.get(name) if member == "name" and name in names
                    else ids.get(name) if member == "id" and name in ids
                    else "probe-svc" if member == "templateName" and "Service" in name
                    else "probe-env" if member == "templateName"
                    else known.get(member, inputs.sample(shape.members[member]))
                    for member in (*required(shape), *chosen)
                }
                self.ask(name, members)
        for sort, order in itertools.product(MODEL.shape_for("ListServiceInstancesSortBy").enum, ("ASCENDING", "DESCENDING")):
            self.ask("ListServiceInstances", {"sortBy": sort, "sortOrder": order, "maxResults": 2})
        for key in MODEL.shape_for("ListServiceInstancesFilterBy").enum:
            value = "2020-01-01T00:00:00Z" if key.startswith(("created", "lastDep")) else service
            self.ask("ListServiceInstances", {"filters": [{"key": key, "value": value}]})
        call("DeleteComponent", name=component)
        wait("component_deleted", name=component)

    def ask(self, name: str, members: dict) -> None:
        """Whatever the answer is: a combination may make no sense."""
        try:
            answer = call(name, **members)
            if answer.get("nextToken"):
                call(name, **members, nextToken=answer["nextToken"])
        except clients.ClientError as error:
            self.assertNotEqual(clients.code(error), "InternalServerException")
