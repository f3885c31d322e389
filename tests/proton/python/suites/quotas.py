"""Quotas, in a hub whose configuration has small ones (see the test that starts this)."""

from support import clients, stage
from support.case import Case
from support.clients import call, wait
from support.world import WORLD


class Quotas(Case):
    """In order: each builds on what the one before has used up."""

    def full(self, operation: str, profile: str = clients.MANAGEMENT, **members) -> None:
        self.refused("ServiceQuotaExceededException", operation, profile, **members)

    def limit(self, name: str) -> int:
        return WORLD.facts["quotas"][name]

    def fill(self, limit: str, make, already: int = 0) -> None:
        for number in range(self.limit(limit) - already):
            make(number)

    def test_1_templates(self):
        """The quota is of both kinds together or of each; either way one more than both can hold is refused."""
        stage.environment_template()
        stage.service_template(pipeline=False)
        for operation in ("CreateEnvironmentTemplate", "CreateServiceTemplate"):
            self.until_full(operation, lambda number: {"name": stage.fresh("filler")}, self.limit("templates"))

    def until_full(self, operation: str, members, limit: int, profile: str = clients.MANAGEMENT) -> list:
        made = []
        for number in range(limit + 1):
            try:
                made.append(call(operation, profile, **members(number)))
            except clients.ClientError as error:
                self.assertEqual(clients.code(error), "ServiceQuotaExceededException", clients.message(error))
                return made
        self.fail(f"{operation} was done {limit + 1} times, and the quota is {limit}")

    def test_2_versions(self):
        def of(kind: str, template: str, **members):
            def one(number: int) -> dict:
                return {"templateName": template, "source": stage.bundle("probe-env"), **members}

            return f"Create{kind}TemplateVersion", one

        limit = self.limit("versions_per_template")
        self.until_full(*of("Environment", "probe-env"), limit)
        compatible = [{"templateName": "probe-env", "majorVersion": "1"}]
        self.until_full(*of("Service", "probe-svc-plain", compatibleEnvironmentTemplates=compatible), limit)

    def test_3_connections(self):
        """Of one account; requests count, as they wait for somebody."""
        def one(number: int) -> dict:
            return {
                "environmentName": stage.fresh("c"), "managementAccountId": WORLD.management,
                "roleArn": stage.role(WORLD.prod),
            }

        self.until_full(
            "CreateEnvironmentAccountConnection", one, self.limit("connections_per_account"), clients.PROD
        )

    def test_4_environments(self):
        made = []

        def one(number: int) -> dict:
            made.append(stage.fresh("e"))
            return {
                "name": made[-1], "templateName": "probe-env", "templateMajorVersion": "1", "spec": stage.spec(),
                "environmentAccountConnectionId": stage.connection(made[-1], componentRoleArn=stage.component_role(WORLD.dev)),
            }

        self.until_full("CreateEnvironment", one, self.limit("environments"))
        for name in made[:-1]:
            wait("environment_deployed", name=name)
        type(self).environment = made[0]

    def test_5_services_and_instances(self):
        environment = self.environment

        def spec(count: int) -> str:
            return stage.service_spec({f"i{number}": (environment, {}) for number in range(count)})

        limit = self.limit("instances_per_service")
        members = {"templateName": "probe-svc-plain", "templateMajorVersion": "1"}
        self.full("CreateService", name="toomany", spec=spec(limit + 1), **members)
        names = []

        def one(number: int) -> dict:
            names.append(stage.fresh("s"))
            return {"name": names[-1], "spec": spec(limit), **members}

        self.until_full("CreateService", one, self.limit("services"))
        for name in names[:-1]:
            wait("service_created", name=name)
        self.full("UpdateService", name=names[0], spec=spec(limit + 1))
        type(self).service = names[0]

    def test_6_components(self):
        made = []

        def one(number: int) -> dict:
            made.append(stage.fresh("k"))
            return {
                "name": made[-1], "environmentName": self.environment, "manifest": stage.MANIFEST,
                "templateFile": stage.component_template(),
            }

        self.until_full("CreateComponent", one, self.limit("components"))
        for name in made[:-1]:
            wait("component_deployed", name=name)
