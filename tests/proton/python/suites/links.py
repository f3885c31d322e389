"""Repositories and what is kept about them: links, sync of templates and of services. What they do with Git comes later; an
attempt to use it says so."""

from support import clients, stage
from support.case import Case
from support.clients import AUDITOR, DEV, aws, call, page_through
from support.world import WORLD

LINK = stage.LINK["repositoryConnectionArn"]
REPOSITORY = {"repositoryProvider": "GITHUB"}


def linked(name: str | None = None, **members) -> str:
    name = name or f"example/{stage.fresh('repo')}"
    call("CreateRepository", name=name, provider="GITHUB", connectionArn=LINK, **members)
    return name


class Repositories(Case):
    def test_linked_shown_listed_removed(self):
        name = f"example/{stage.fresh('repo')}"
        members = {"name": name, "provider": "GITHUB", "connectionArn": LINK}
        made = call("CreateRepository", **members, tags=[{"key": "team", "value": "shop"}])["repository"]
        self.assertEqual(made["arn"], f"arn:aws:proton:{WORLD.region}:{WORLD.management}:repository/github:{name}")
        self.assertEqual(call("CreateRepository", **members, tags=[{"key": "team", "value": "shop"}])["repository"], made)
        other = {**members, "connectionArn": LINK.replace("0b7a", "1b7a")}
        self.conflict("CreateRepository", **other)
        which = {"name": name, "provider": "GITHUB"}
        self.assertEqual(call("GetRepository", **which)["repository"], made)
        linked()
        listed, pages = page_through("ListRepositories", 1)
        self.assertGreaterEqual(pages, 2)
        self.assertIn(name, [each["name"] for each in listed])
        self.missing("GetRepository", name=name, provider="BITBUCKET")
        self.assertEqual(call("DeleteRepository", **which)["repository"]["name"], name)
        self.missing("GetRepository", **which)
        self.missing("DeleteRepository", **which)

    def test_malformed(self):
        self.invalid("CreateRepository", name="noslash", provider="GITHUB", connectionArn=LINK, says="name")
        self.invalid("CreateRepository", name="a/b", provider="GITLAB", connectionArn=LINK, says="provider")
        self.invalid("CreateRepository", name="a/b", provider="GITHUB", connectionArn="arn", says="connectionArn")
        self.invalid("GetRepository", name="noslash", provider="GITHUB", says="name")
        self.invalid("DeleteRepository", name="noslash", provider="GITHUB", says="name")
        self.invalid("ListRepositories", nextToken="bm8=", says="nextToken")

    def test_in_use_it_stays(self):
        name = linked()
        template = stage.fresh("t")
        call("CreateEnvironmentTemplate", name=template)
        members = {"templateName": template, "templateType": "ENVIRONMENT"}
        call("CreateTemplateSyncConfig", **members, repositoryName=name, branch="main", **REPOSITORY)
        self.conflict("DeleteRepository", name=name, provider="GITHUB")
        call("DeleteTemplateSyncConfig", **members)
        call("DeleteRepository", name=name, provider="GITHUB")

    def test_only_who_may(self):
        name = linked()
        for profile in (AUDITOR, DEV):
            self.denied("CreateRepository", profile, name="a/b", provider="GITHUB", connectionArn=LINK)
            self.denied("DeleteRepository", profile, name=name, provider="GITHUB")
        for profile in (DEV,):
            self.denied("GetRepository", profile, name=name, provider="GITHUB")
            self.denied("ListRepositories", profile)

    def test_the_command_line(self):
        name = f"example/{stage.fresh('cli')}"
        aws("create-repository", "--name", name, "--provider", "GITHUB", "--connection-arn", LINK)
        self.assertEqual(aws("get-repository", "--name", name, "--provider", "GITHUB")["repository"]["name"], name)
        self.assertIn(name, aws("list-repositories", "--query", "repositories[].name"))
        aws("delete-repository", "--name", name, "--provider", "GITHUB")


class TemplateSync(Case):
    def test_configured_shown_changed_removed(self):
        name, template = linked(), stage.fresh("t")
        call("CreateServiceTemplate", name=template)
        which = {"templateName": template, "templateType": "SERVICE"}
        where = {"repositoryName": name, "branch": "main", **REPOSITORY}
        made = call("CreateTemplateSyncConfig", **which, **where, subdirectory="templates")["templateSyncConfig"]
        self.assertEqual(made, {**which, **where, "subdirectory": "templates"})
        self.assertEqual(call("GetTemplateSyncConfig", **which)["templateSyncConfig"], made)
        self.assertEqual(
            call("CreateTemplateSyncConfig", **which, **where, subdirectory="templates")["templateSyncConfig"], made
        )
        self.conflict("CreateTemplateSyncConfig", **which, **{**where, "branch": "other"})
        changed = call("UpdateTemplateSyncConfig", **which, **{**where, "branch": "next"})["templateSyncConfig"]
        self.assertEqual(changed, {**which, **where, "branch": "next"})
        members = {"repositoryName": name, "syncType": "TEMPLATE_SYNC", **REPOSITORY}
        # A definition is of a major version, and the template has none.
        self.assertEqual(page_through("ListRepositorySyncDefinitions", None, **members), ([], 1))
        self.assertNotIn("latestSync", clients.plain(call("GetRepositorySyncStatus", branch="next", **members)))
        self.missing("GetTemplateSyncStatus", **which, templateVersion="1")
        call("DeleteTemplateSyncConfig", **which)
        self.missing("GetTemplateSyncConfig", **which)
        self.missing("DeleteTemplateSyncConfig", **which)
        self.missing("UpdateTemplateSyncConfig", **which, **where)
        call("DeleteServiceTemplate", name=template)

    def test_malformed(self):
        which = {"templateName": "t", "templateType": "PIPELINE"}
        where = {"repositoryName": "a/b", "branch": "main", **REPOSITORY}
        for operation in ("CreateTemplateSyncConfig", "UpdateTemplateSyncConfig"):
            self.invalid(operation, **which, **where, says="templateType")
        for operation in ("GetTemplateSyncConfig", "DeleteTemplateSyncConfig"):
            self.invalid(operation, **which, says="templateType")
        self.invalid("GetTemplateSyncStatus", **which, templateVersion="1", says="templateType")
        members = {"repositoryName": "a/b", "syncType": "SOMEHOW", **REPOSITORY}
        self.invalid("GetRepositorySyncStatus", branch="main", **members, says="syncType")
        self.invalid("ListRepositorySyncDefinitions", **members, says="syncType")
        template = stage.fresh("t")
        call("CreateServiceTemplate", name=template)
        which = {"templateName": template, "templateType": "SERVICE"}
        self.invalid("CreateTemplateSyncConfig", **which, **where)
        call("DeleteServiceTemplate", name=template)

    def test_definitions_are_of_major_versions(self):
        name, template = linked(), stage.environment_template()
        which = {"templateName": template, "templateType": "ENVIRONMENT"}
        call("CreateTemplateSyncConfig", **which, repositoryName=name, branch="main", subdirectory="env", **REPOSITORY)
        members = {"repositoryName": name, "syncType": "TEMPLATE_SYNC", **REPOSITORY}
        (found,), _ = page_through("ListRepositorySyncDefinitions", None, **members)
        self.assertEqual((found["branch"], found["parent"], found["target"]), ("main", template, f"{template}:1"))
        self.assertEqual(found["directory"], f"env/{template}/v1")
        self.assertEqual(clients.plain(call("GetTemplateSyncStatus", **which, templateVersion="1")), {})
        call("DeleteTemplateSyncConfig", **which)

    def test_conflicts_and_what_is_missing(self):
        where = {"repositoryName": linked(), "branch": "main", **REPOSITORY}
        self.missing("GetRepositorySyncStatus", repositoryName="no/where", branch="main", syncType="SERVICE_SYNC", **REPOSITORY)
        self.invalid("CreateTemplateSyncConfig", templateName="nothing", templateType="SERVICE", **where)

    def test_only_who_may(self):
        name, template = linked(), stage.fresh("t")
        call("CreateServiceTemplate", name=template)
        which = {"templateName": template, "templateType": "SERVICE"}
        where = {"repositoryName": name, "branch": "main", **REPOSITORY}
        for profile in (AUDITOR, DEV):
            for operation in ("CreateTemplateSyncConfig", "UpdateTemplateSyncConfig"):
                self.denied(operation, profile, **which, **where)
            self.denied("DeleteTemplateSyncConfig", profile, **which)
        for profile in (DEV,):
            self.denied("GetTemplateSyncConfig", profile, **which)
            self.denied("GetTemplateSyncStatus", profile, **which, templateVersion="1")
            members = {"repositoryName": name, "syncType": "TEMPLATE_SYNC", **REPOSITORY}
            self.denied("GetRepositorySyncStatus", profile, branch="main", **members)
            self.denied("ListRepositorySyncDefinitions", profile, **members)

    def test_the_command_line(self):
        name, template = linked(), stage.fresh("t")
        call("CreateServiceTemplate", name=template)
        which = ["--template-name", template, "--template-type", "SERVICE"]
        aws(
            "create-template-sync-config", *which, "--repository-name", name, "--repository-provider", "GITHUB",
            "--branch", "main",
        )
        self.assertEqual(aws("get-template-sync-config", *which)["templateSyncConfig"]["branch"], "main")
        aws("delete-template-sync-config", *which)


class ServiceSync(Case):
    def config(self, service: str, repository: str, **members) -> dict:
        return {
            "serviceName": service, "repositoryName": repository, "branch": "main", "filePath": "ops.yaml", **REPOSITORY,
            **members,
        }

    def test_configured_shown_changed_removed(self):
        service, name = stage.service(), linked()
        wanted = self.config(service, name)
        self.assertEqual(call("CreateServiceSyncConfig", **wanted)["serviceSyncConfig"], wanted)
        self.assertEqual(call("CreateServiceSyncConfig", **wanted)["serviceSyncConfig"], wanted)
        self.conflict("CreateServiceSyncConfig", **{**wanted, "branch": "other"})
        self.assertEqual(call("GetServiceSyncConfig", serviceName=service)["serviceSyncConfig"], wanted)
        other = {**wanted, "filePath": "deploy/ops.yaml"}
        self.assertEqual(call("UpdateServiceSyncConfig", **other)["serviceSyncConfig"], other)
        one = {"serviceName": service, "serviceInstanceName": "one"}
        self.assertEqual(clients.plain(call("GetServiceInstanceSyncStatus", **one)), {})
        summary = call("GetServiceSyncBlockerSummary", serviceName=service)["serviceSyncBlockerSummary"]
        self.assertEqual((summary["serviceName"], summary.get("latestBlockers", [])), (service, []))
        summary = call("GetServiceSyncBlockerSummary", **one)["serviceSyncBlockerSummary"]
        self.assertEqual(summary["serviceInstanceName"], "one")
        self.conflict("DeleteRepository", name=name, provider="GITHUB")
        self.assertEqual(call("DeleteServiceSyncConfig", serviceName=service)["serviceSyncConfig"], other)
        self.missing("GetServiceSyncConfig", serviceName=service)
        self.missing("DeleteServiceSyncConfig", serviceName=service)
        self.missing("UpdateServiceSyncConfig", **wanted)

    def test_blockers(self):
        service = stage.service()
        call("CreateServiceSyncConfig", **self.config(service, linked()))
        # What was changed by hand is not to be overwritten by the repository.
        instance = {"serviceName": service, "name": "one"}
        call("UpdateServiceInstance", deploymentType="CURRENT_VERSION", **instance)
        one = {"serviceName": service, "serviceInstanceName": "one"}
        (blocker,) = call("GetServiceSyncBlockerSummary", **one)["serviceSyncBlockerSummary"]["latestBlockers"]
        self.assertEqual((blocker["status"], blocker["type"]), ("ACTIVE", "AUTOMATED"))
        id = blocker["id"]
        clients.wait("service_instance_deployed", **instance)
        self.denied("UpdateServiceSyncBlocker", AUDITOR, id=id, resolvedReason="x")
        answer = call("UpdateServiceSyncBlocker", id=id, resolvedReason="Looked at")
        self.assertEqual(answer["serviceName"], service)
        resolved = answer["serviceSyncBlocker"]
        self.assertEqual((resolved["status"], resolved["resolvedReason"]), ("RESOLVED", "Looked at"))
        self.assertIn("resolvedAt", resolved)
        self.conflict("UpdateServiceSyncBlocker", id=id, resolvedReason="Again")

    def test_malformed_or_missing(self):
        for operation in ("GetServiceSyncConfig", "DeleteServiceSyncConfig", "GetServiceSyncBlockerSummary"):
            self.invalid(operation, serviceName="a b", says="serviceName")
        self.invalid("GetServiceInstanceSyncStatus", serviceName="a b", serviceInstanceName="x", says="serviceName")
        for operation in ("CreateServiceSyncConfig", "UpdateServiceSyncConfig"):
            self.invalid(operation, **self.config("s", "noslash"), says="repositoryName")
        self.missing("GetServiceInstanceSyncStatus", serviceName="nothing", serviceInstanceName="one")
        self.missing("GetServiceSyncBlockerSummary", serviceName="nothing")
        self.missing("UpdateServiceSyncBlocker", id="00000000-0000-4000-8000-000000000000", resolvedReason="x")
        self.invalid("CreateServiceSyncConfig", **self.config("nothing", linked()))

    def test_only_who_may(self):
        service, name = stage.service(), linked()
        for profile in (AUDITOR, DEV):
            for operation in ("CreateServiceSyncConfig", "UpdateServiceSyncConfig"):
                self.denied(operation, profile, **self.config(service, name))
            self.denied("DeleteServiceSyncConfig", profile, serviceName=service)
        for profile in (DEV,):
            self.denied("GetServiceSyncConfig", profile, serviceName=service)
            self.denied("GetServiceInstanceSyncStatus", profile, serviceName=service, serviceInstanceName="one")
            self.denied("GetServiceSyncBlockerSummary", profile, serviceName=service)
