"""Templates and their versions, of both kinds: the operations differ in little more than their names."""

from support import clients, stage
from support.case import Case
from support.clients import AUDITOR, DEV, MANAGEMENT, aws, call, page_through, plain, wait
from support.world import WORLD

ARN = f"arn:aws:proton:{WORLD.region}:{WORLD.management}"


class Kind:
    """What the two kinds of templates call things."""

    def __init__(self, word: str, bundle: str, provisioning: str):
        self.word, self.bundle, self.provisioning = word, bundle, provisioning
        self.title = word.title()
        self.template, self.version = f"{word}Template", f"{word}TemplateVersion"
        self.create, self.get = f"Create{self.title}Template", f"Get{self.title}Template"
        self.update, self.delete = f"Update{self.title}Template", f"Delete{self.title}Template"
        self.list = f"List{self.title}Templates"
        self.create_version, self.get_version = f"{self.create}Version", f"{self.get}Version"
        self.update_version, self.delete_version = f"{self.update}Version", f"{self.delete}Version"
        self.list_versions = f"List{self.title}TemplateVersions"
        self.registered = f"{word}_template_version_registered"

    def needs(self) -> dict:
        """What a version of this kind must be given besides."""
        return {} if self.word == "environment" else {
            "compatibleEnvironmentTemplates": [{"templateName": stage.environment_template(), "majorVersion": "1"}]
        }

    def register(self, template: str, publish: bool = True, source: dict | None = None, **members) -> dict:
        source = source or stage.bundle(self.bundle)
        made = call(self.create_version, templateName=template, source=source, **{**self.needs(), **members})
        return stage._registered(self.word, made[self.version], publish)


class Both:
    """Told twice, once for each kind."""

    kind: Kind

    def made(self, **members) -> str:
        name = stage.fresh(f"t-{self.kind.word}")
        call(self.kind.create, name=name, **members)
        return name

    def test_created_shown_listed_changed_and_deleted(self):
        kind, name = self.kind, stage.fresh(f"t-{self.kind.word}")
        made = call(
            kind.create,
            name=name,
            displayName="A template",
            description="For whoever reads this",
            tags=[{"key": "team", "value": "platform"}],
        )[kind.template]
        self.assertEqual(made["arn"], f"{ARN}:{kind.word}-template/{name}")
        self.assertEqual((made["displayName"], made["description"]), ("A template", "For whoever reads this"))
        self.assertNotIn("recommendedVersion", made)
        shown = call(kind.get, name=name)[kind.template]
        self.assertEqual(shown, made)
        listed, _ = page_through(kind.list, None)
        self.assertIn(name, [each["name"] for each in listed])
        changed = call(kind.update, name=name, displayName="Another name")[kind.template]
        self.assertEqual((changed["displayName"], changed["description"]), ("Another name", "For whoever reads this"))
        self.assertGreaterEqual(changed["lastModifiedAt"], made["lastModifiedAt"])
        gone = call(kind.delete, name=name)[kind.template]
        self.assertEqual(gone["displayName"], "Another name")
        self.missing(kind.get, name=name, says=name)
        self.missing(kind.update, name=name, displayName="Nobody")
        self.missing(kind.delete, name=name)

    def test_same_request_is_one_template_and_another_a_conflict(self):
        kind = self.kind
        name = self.made(description="one")
        again = call(kind.create, name=name, description="one")[kind.template]
        self.assertEqual(again, call(kind.get, name=name)[kind.template])
        self.conflict(kind.create, name=name, description="two")

    def test_customer_managed_stays_so(self):
        kind = self.kind
        name = self.made(**{kind.provisioning: "CUSTOMER_MANAGED"})
        self.assertEqual(call(kind.get, name=name)[kind.template][kind.provisioning], "CUSTOMER_MANAGED")

    def test_names_are_checked(self):
        kind = self.kind
        self.invalid(kind.create, name="-dash", says="name")
        self.invalid(kind.get, name="a b", says="name")
        self.invalid(kind.update, name="a/b", says="name")
        self.invalid(kind.delete, name="ä", says="name")
        self.invalid(kind.list, nextToken="bm8gdG9rZW4=", says="nextToken")
        self.invalid(kind.create, name="x" * 101, says="name")

    def test_pages_are_whole_and_tokens_belong_to_their_list(self):
        kind = self.kind
        names = {self.made() for _ in range(3)}
        listed, pages = page_through(kind.list, 1)
        self.assertGreaterEqual(pages, 3)
        found = [each["name"] for each in listed]
        self.assertEqual(len(found), len(set(found)))
        self.assertLessEqual(names, set(found))
        token = call(kind.list, maxResults=1)["nextToken"]
        other = "service" if kind.word == "environment" else "environment"
        self.invalid(f"List{other.title()}Templates", nextToken=token)
        flipped = ("A" if token[0] != "A" else "B") + token[1:]
        self.invalid(kind.list, nextToken=flipped)

    def test_version_goes_from_registration_to_published(self):
        kind, name = self.kind, self.made()
        made = call(
            kind.create_version,
            templateName=name,
            source=stage.bundle(kind.bundle),
            description="The first",
            clientToken=stage.fresh("token"),
            **kind.needs(),
        )[kind.version]
        self.assertEqual((made["majorVersion"], made["minorVersion"]), ("1", "0"))
        self.assertEqual(made["status"], "REGISTRATION_IN_PROGRESS")
        self.assertEqual(made["arn"], f"{ARN}:{kind.word}-template/{name}:1.0")
        which = {"templateName": name, "majorVersion": "1", "minorVersion": "0"}
        wait(kind.registered, **which)
        draft = call(kind.get_version, **which)[kind.version]
        self.assertEqual(draft["status"], "DRAFT")
        self.assertIn("types", draft["schema"])
        self.assertNotIn("recommendedVersion", call(kind.get, name=name)[kind.template])
        published = call(kind.update_version, status="PUBLISHED", **which)[kind.version]
        self.assertEqual(published["status"], "PUBLISHED")
        self.assertEqual(call(kind.get, name=name)[kind.template]["recommendedVersion"], "1.0")
        described = call(kind.update_version, description="Described", **which)[kind.version]
        self.assertEqual((described["description"], described["status"]), ("Described", "PUBLISHED"))
        self.refused_transitions(which)

    def refused_transitions(self, which):
        for status in ("DRAFT", "REGISTRATION_IN_PROGRESS", "REGISTRATION_FAILED"):
            with self.assertRaises(clients.ClientError) as caught:
                call(self.kind.update_version, status=status, **which)
            self.assertIn(clients.code(caught.exception), ("ValidationException", "ConflictException"))

    def test_versions_are_numbered_recommended_and_listed(self):
        kind, name = self.kind, self.made()
        self.refused_version(name, "1")
        kind.register(name)
        kind.register(name, majorVersion="1")
        kind.register(name, majorVersion="1", publish=False)
        kind.register(name)
        template = call(kind.get, name=name)[kind.template]
        self.assertEqual(template["recommendedVersion"], "2.0")
        majors, pages = page_through(kind.list_versions, 1, templateName=name)
        self.assertEqual(pages, 2)
        self.assertEqual({each["majorVersion"] for each in majors}, {"1", "2"})
        minors, pages = page_through(kind.list_versions, 1, templateName=name, majorVersion="1")
        self.assertEqual((pages, {each["minorVersion"] for each in minors}), (3, {"0", "1", "2"}))
        first = call(kind.get_version, templateName=name, majorVersion="1", minorVersion="0")[kind.version]
        self.assertEqual(first["recommendedMinorVersion"], "1")

    def refused_version(self, name: str, major: str) -> None:
        """A minor version of a major that is not there."""
        with self.assertRaises(clients.ClientError) as caught:
            call(
                self.kind.create_version,
                templateName=name,
                majorVersion=major,
                source=stage.bundle(self.kind.bundle),
                **self.kind.needs(),
            )
        self.assertIn(clients.code(caught.exception), ("ResourceNotFoundException", "ValidationException"))

    def test_client_token_makes_one_version(self):
        kind, name = self.kind, self.made()
        members = {"templateName": name, "source": stage.bundle(kind.bundle), "clientToken": stage.fresh("token")}
        members.update(kind.needs())
        first = call(kind.create_version, **members)[kind.version]
        second = call(kind.create_version, **members)[kind.version]
        self.assertEqual(first["arn"], second["arn"])
        self.invalid(kind.create_version, **{**members, "description": "other"}, says="Idempotent parameter mismatch")
        wait(kind.registered, **{key: first[key] for key in ("templateName", "majorVersion", "minorVersion")})

    def test_a_broken_bundle_fails_registration_and_says_why(self):
        kind, name = self.kind, self.made()
        folder = stage.FIXTURES / kind.bundle
        broken = stage.stored(stage.packed(folder, {"schema/schema.yaml": "schema: [\n"}))
        missing = {"s3": {"bucket": stage.BUCKET, "key": "nothing-is-here.tar.gz"}}
        junk = stage.stored(b"this is no archive")
        for source, says in ((broken, "schema"), (missing, "nothing-is-here"), (junk, "")):
            made = call(kind.create_version, templateName=name, source=source, **kind.needs())[kind.version]
            which = {"templateName": name, "majorVersion": made["majorVersion"], "minorVersion": "0"}
            self.waits_in_vain(kind.registered, **which)
            failed = call(kind.get_version, **which)[kind.version]
            self.assertEqual(failed["status"], "REGISTRATION_FAILED")
            self.assertTrue(failed["statusMessage"])
            self.assertIn(says, failed["statusMessage"])
            with self.assertRaises(clients.ClientError):
                call(kind.update_version, status="PUBLISHED", **which)
            call(kind.delete_version, **which)

    def test_deletion_goes_from_versions_to_template(self):
        kind, name = self.kind, self.made()
        kind.register(name)
        kind.register(name, majorVersion="1")
        self.conflict(kind.delete, name=name)
        self.conflict(kind.delete_version, templateName=name, majorVersion="1", minorVersion="1")
        gone = call(kind.delete_version, templateName=name, majorVersion="1", minorVersion="0")[kind.version]
        self.assertEqual(gone["minorVersion"], "0")
        self.missing(kind.delete_version, templateName=name, majorVersion="1", minorVersion="0")
        self.missing(kind.get_version, templateName=name, majorVersion="1", minorVersion="0")
        self.missing(kind.update_version, templateName=name, majorVersion="1", minorVersion="0", description="x")
        call(kind.delete_version, templateName=name, majorVersion="1", minorVersion="1")
        call(kind.delete, name=name)

    def test_what_is_missing_is_not_found(self):
        kind = self.kind
        which = {"templateName": "nothing", "majorVersion": "1", "minorVersion": "0"}
        self.missing(kind.create_version, templateName="nothing", source=stage.bundle(kind.bundle), **kind.needs())
        self.missing(kind.get_version, **which)
        self.missing(kind.update_version, description="x", **which)
        self.missing(kind.delete_version, **which)
        self.missing(kind.list_versions, templateName="nothing")

    def test_version_numbers_are_checked(self):
        kind, name = self.kind, self.made()
        which = {"templateName": name, "majorVersion": "01", "minorVersion": "0"}
        self.invalid(kind.get_version, **which, says="majorVersion")
        self.invalid(kind.update_version, **which, description="x", says="majorVersion")
        self.invalid(kind.delete_version, **which, says="majorVersion")
        self.invalid(kind.list_versions, templateName=name, majorVersion="-1", says="majorVersion")
        self.invalid(
            kind.create_version, templateName=name, source={"s3": {"bucket": "UPPER", "key": "x"}}, says="bucket", **kind.needs()
        )

    def test_a_version_that_is_not_registered_yet_is_busy(self):
        kind, name = self.kind, self.made()
        kind.register(name)
        self.conflict_while_registering(name)

    def conflict_while_registering(self, name: str) -> None:
        # An answer of S3 that comes late keeps the registration going for as long as this needs.
        source, needs = stage.bundle(self.kind.bundle), self.kind.needs()
        stage.plant({"service": "s3", "account": WORLD.management, "kind": "delay", "seconds": 2})
        made = call(self.kind.create_version, templateName=name, source=source, **needs)[self.kind.version]
        which = {key: made[key] for key in ("templateName", "majorVersion", "minorVersion")}
        self.conflict(self.kind.update_version, status="PUBLISHED", **which)
        wait(self.kind.registered, **which)

    def test_only_who_may_write_templates_does(self):
        kind = self.kind
        name = self.made()
        kind.register(name)
        which = {"templateName": name, "majorVersion": "1", "minorVersion": "0"}
        source = stage.bundle(kind.bundle)
        for profile in (AUDITOR, DEV):
            self.denied(kind.create, profile, name="not-yours")
            self.denied(kind.update, profile, name=name, description="x")
            self.denied(kind.delete, profile, name=name)
            self.denied(kind.create_version, profile, templateName=name, source=source, **kind.needs())
            self.denied(kind.update_version, profile, **which, description="x")
            self.denied(kind.delete_version, profile, **which)
        for profile in (DEV,):
            self.denied(kind.get, profile, name=name)
            self.denied(kind.list, profile)
            self.denied(kind.get_version, profile, **which)
            self.denied(kind.list_versions, profile, templateName=name)
        call(kind.get, AUDITOR, name=name)

    def test_the_command_line(self):
        kind = self.kind
        name = stage.fresh("cli")
        dashed = f"{kind.word}-template"
        made = aws(f"create-{dashed}", "--name", name, "--display-name", "By hand")
        self.assertEqual(made[kind.template]["name"], name)
        source = stage.bundle(kind.bundle)["s3"]
        more = [] if kind.word == "environment" else [
            "--compatible-environment-templates", f"templateName={stage.environment_template()},majorVersion=1"
        ]
        aws(f"create-{dashed}-version", "--template-name", name, "--source", f"s3={{bucket={source['bucket']},key={source['key']}}}", *more)
        which = ["--template-name", name, "--major-version", "1", "--minor-version", "0"]
        aws("wait", f"{dashed}-version-registered", *which)
        aws(f"update-{dashed}-version", *which, "--status", "PUBLISHED")
        shown = aws(f"get-{dashed}-version", *which, "--query", f"{kind.version}.status", "--output", "text")
        self.assertEqual(shown, "PUBLISHED")
        self.assertIn(name, aws(f"list-{dashed}s", "--query", "templates[].name"))
        self.assertEqual(len(aws(f"list-{dashed}-versions", "--template-name", name)["templateVersions"]), 1)
        aws(f"update-{dashed}", "--name", name, "--description", "Described")
        aws(f"delete-{dashed}-version", *which)
        aws(f"delete-{dashed}", "--name", name)
        with self.assertRaises(clients.Ended) as caught:
            aws(f"get-{dashed}", "--name", name)
        self.assertEqual((caught.exception.code, caught.exception.status), ("ResourceNotFoundException", 255))


class EnvironmentTemplates(Both, Case):
    kind = Kind("environment", "probe-env", "provisioning")


class ServiceTemplates(Both, Case):
    kind = Kind("service", "probe-svc", "pipelineProvisioning")

    def test_compatible_environments_and_component_sources(self):
        kind, name = self.kind, self.made()
        version = kind.register(name, supportedComponentSources=["DIRECTLY_DEFINED"])
        self.assertEqual(version["compatibleEnvironmentTemplates"], [{"templateName": "probe-env", "majorVersion": "1"}])
        self.assertEqual(version["supportedComponentSources"], ["DIRECTLY_DEFINED"])
        which = {key: version[key] for key in ("templateName", "majorVersion", "minorVersion")}
        other = stage.environment_template("slow-env")
        both = [{"templateName": each, "majorVersion": "1"} for each in ("probe-env", other)]
        changed = call(kind.update_version, compatibleEnvironmentTemplates=both, supportedComponentSources=[], **which)
        changed = changed[kind.version]
        self.assertCountEqual(changed["compatibleEnvironmentTemplates"], both)
        self.assertFalse(changed.get("supportedComponentSources"))
        self.assertNotIn(
            "compatibleEnvironmentTemplates", call(kind.list_versions, templateName=name)["templateVersions"][0]
        )
        nobody = [{"templateName": "nothing", "majorVersion": "1"}]
        with self.assertRaises(clients.ClientError) as caught:
            call(
                kind.create_version,
                templateName=name,
                source=stage.bundle(kind.bundle),
                compatibleEnvironmentTemplates=nobody,
            )
        self.assertIn(clients.code(caught.exception), ("ResourceNotFoundException", "ValidationException"))


class RepeatedRequests(Case):
    def test_everything_about_a_response_is_in_the_model(self):
        """Members that are absent are left out, times are numbers, and each response has an id of its own."""
        answers = [call("ListEnvironmentTemplates")["ResponseMetadata"] for _ in range(2)]
        ids = {answer["RequestId"] for answer in answers}
        self.assertEqual(len(ids), 2)
        self.assertEqual(plain(call("ListServiceTemplates", MANAGEMENT, maxResults=100)).keys() - {"nextToken"}, {"templates"})
