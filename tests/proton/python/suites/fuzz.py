"""Random calls that the model allows, in random order, of names from a small pool, by several clients at once. Whatever the
hub answers, it is in the model, never a 500, and the store is whole afterwards. The seed is printed; HADRON_FUZZ_SEED and
HADRON_FUZZ_CALLS (the test says both) repeat a run as far as threads can be repeated."""

import collections
import json
import random
import sqlite3
import threading
import time

from support import clients, inputs, record, stage
from support.case import Case
from support.clients import call, page_through, proton
from support.model import MODEL, method
from support.world import WORLD

THREADS = 4
NAMES = ["a", "b", "c", "d"]


class Fuzz(Case):
    def test_calls_by_chance(self):
        seed, calls = WORLD.facts["seed"], WORLD.facts["calls"]
        print(f"{calls} calls, seed {seed}")
        pools = self.pools()
        counts = collections.Counter()
        strange, began = [], time.monotonic()

        def one(number: int) -> None:
            chooser = inputs.Chooser(seed * 1000 + number, pools)
            chance = random.Random(seed * 1000 + number)
            for _ in range(calls // THREADS):
                name = chance.choices(OPERATIONS, WEIGHTS)[0]
                profile = chance.choices([clients.MANAGEMENT, clients.DEVELOPER, clients.DEV, clients.PROD], [70, 10, 15, 5])[0]
                members = chooser.input(name)
                try:
                    answer = getattr(proton(profile), method(name))(**members)
                    counts["OK"] += 1
                    learn(pools, answer)
                except clients.ClientError as error:
                    counts[clients.code(error)] += 1
                    if clients.code(error) not in EXPECTED:
                        strange.append(f"{name} {json.dumps(members)[:300]}: {error}")
                except Exception as error:  # noqa: BLE001 - whatever botocore cannot take is what is looked for
                    counts["?"] += 1
                    strange.append(f"{name} {json.dumps(members)[:300]}: {error!r}")

        threads = [threading.Thread(target=one, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.monotonic() - began
        print(f"{sum(counts.values())} calls in {seconds:.1f} s: {dict(counts.most_common())}")
        self.assertEqual(strange, [], "\n  ".join(strange[:20]))
        # A fuzz client that gets nowhere finds nothing.
        self.assertGreater(counts["OK"], sum(counts.values()) // 8)
        stage.heal()
        self.settle()
        self.whole()

    def pools(self) -> dict[str, list]:
        """Names and texts to choose from; what answers bring is added."""
        environment, service = stage.environment_template(), stage.service_template()
        plain = stage.service_template(pipeline=False)
        dev = stage.environment("a", WORLD.dev)
        stage.environment("b", WORLD.prod)
        stage.service({"one": (dev, {})}, name="a")
        stage.service({"one": (dev, {}), "two": ("b", {})}, pipeline={}, name="b")
        specs = [
            stage.service_spec({name: (where, inputs)}, pipeline)
            for name in ("one", "two")
            for where in ("a", "b", "c")
            for inputs in ({}, {"note": "x"}, {"fail_on": ["update"]}, {"fail_on": ["create"]})
            for pipeline in (None, {}, {"note": "y"})
        ]
        good = [stage.bundle("probe-env"), stage.bundle("probe-svc"), stage.bundle_without_pipeline("probe-svc")]
        return {
            "name": NAMES,
            "templateName": [environment, service, plain, "a", "b"],
            "environmentName": NAMES,
            "serviceName": NAMES,
            "serviceInstanceName": ["one", "two"],
            "componentName": NAMES,
            "CreateServiceInstance.name": ["one", "two"],
            "GetServiceInstance.name": ["one", "two"],
            "UpdateServiceInstance.name": ["one", "two"],
            "CreateRepository.name": ["example/a", "example/b"],
            "GetRepository.name": ["example/a", "example/b"],
            "DeleteRepository.name": ["example/a", "example/b"],
            "RepositoryName": ["example/a", "example/b"],
            "CreateEnvironment.spec": [stage.spec(), stage.spec(note="x"), stage.spec(fail_on=["create"], times=1)],
            "UpdateEnvironment.spec": [stage.spec(), stage.spec(note="x"), stage.spec(fail_on=["update"])],
            "SpecContents": specs,
            "TemplateVersionSourceInput": [*good, {"s3": {"bucket": stage.BUCKET, "key": "missing"}}],
            "TemplateVersionPart": ["0", "1", "2"],
            "TemplateManifestContents": [stage.MANIFEST],
            "TemplateFileContents": [stage.component_template(note) for note in ("one", "two")],
            "managementAccountId": [WORLD.management],
            "RoleArn": [stage.role(account) for account in (WORLD.management, WORLD.dev, WORLD.prod)],
            "protonServiceRoleArn": [stage.role(WORLD.management)],
            "pipelineServiceRoleArn": [stage.role(WORLD.management)],
            "connectionArn": [stage.LINK["repositoryConnectionArn"]],
            "repositoryConnectionArn": [stage.LINK["repositoryConnectionArn"]],
            "NextToken": ["c2FtcGxl"],
            "EnvironmentAccountConnectionId": [inputs.UUID],
            "DeploymentId": [inputs.UUID],
            # Records of what was done are what the world is compared with afterwards: none of them is taken away.
            "DeleteDeployment.id": [inputs.UUID],
            "Arn": [inputs.SAMPLES["Arn"]],
            "ClientToken": ["token-a", "token-b"],
            "TagKey": ["team", "stage"],
        }

    def settle(self) -> None:
        """Waits until nothing is under way any more."""
        def still() -> bool:
            with sqlite3.connect(f"file:{WORLD.database}?mode=ro", uri=True) as database:
                return database.execute("SELECT count(*) FROM deployment WHERE active = 1").fetchone()[0] == 0

        self.eventually("every deployment to end", still, patience=300)

    def whole(self) -> None:
        """What must be true of the store, whatever was asked of it."""
        with sqlite3.connect(f"file:{WORLD.database}?mode=ro", uri=True) as database:
            self.assertEqual(database.execute("PRAGMA integrity_check").fetchone()[0], "ok")
            self.assertEqual(database.execute("PRAGMA foreign_key_check").fetchall(), [])
            for what, sql in INVARIANTS.items():
                self.assertEqual(database.execute(sql).fetchall(), [], what)
        # And all of it can be listed and shown.
        for operation, key, get in (
            ("ListEnvironments", "name", "GetEnvironment"),
            ("ListServices", "name", "GetService"),
            ("ListComponents", "name", "GetComponent"),
            ("ListEnvironmentTemplates", "name", "GetEnvironmentTemplate"),
            ("ListServiceTemplates", "name", "GetServiceTemplate"),
            ("ListDeployments", "id", "GetDeployment"),
        ):
            for each in page_through(operation, 50)[0]:
                call(get, **{key: each[key]})
        for each in page_through("ListServices", 50)[0]:
            self.assertFalse(each["status"].endswith("IN_PROGRESS"), each)
        self.assertEqual(record.problems(), [])


EXPECTED = {
    "ValidationException", "AccessDeniedException", "ResourceNotFoundException", "ConflictException",
    "ServiceQuotaExceededException",
    # Two of them may sign the same change in the same second, again and again.
    "ThrottlingException",
}

OPERATIONS = sorted(MODEL.operation_names)
# Taking things away is rarer than making them, and looking is cheap.
WEIGHTS = [1 if name.startswith(("Delete", "Reject")) else 4 if name.startswith(("Create", "Accept", "Update")) else 2 for name in OPERATIONS]

INVARIANTS = {
    "one deployment at a time of a target":
        "SELECT target_id FROM deployment WHERE active = 1 GROUP BY target_id HAVING count(*) > 1",
    "an instance lives in an environment that is there":
        "SELECT t.id FROM target t WHERE t.kind = 'instance' AND NOT EXISTS "
        "(SELECT 1 FROM target e WHERE e.kind = 'environment' AND e.environment = t.environment)",
    "an instance or a pipeline belongs to a service that is there":
        "SELECT t.id FROM target t WHERE t.kind IN ('instance', 'pipeline') AND NOT EXISTS "
        "(SELECT 1 FROM service s WHERE s.name = t.service)",
    "a component lives in an environment that is there":
        "SELECT t.id FROM target t WHERE t.kind = 'component' AND NOT EXISTS "
        "(SELECT 1 FROM target e WHERE e.kind = 'environment' AND e.environment = t.environment)",
    "a component is a target and the other way round":
        "SELECT name FROM component WHERE NOT EXISTS (SELECT 1 FROM target t WHERE t.kind = 'component' AND t.instance = name) ",
    "an attached component is attached to an instance that is there":
        "SELECT c.name FROM component c WHERE c.service <> '' AND NOT EXISTS "
        "(SELECT 1 FROM target t WHERE t.kind = 'instance' AND t.service = c.service AND t.instance = c.instance)",
    "a target runs a version that is there":
        "SELECT t.id FROM target t WHERE t.kind IN ('environment', 'instance', 'pipeline') AND t.status = 'SUCCEEDED' AND NOT EXISTS "
        "(SELECT 1 FROM template_version v WHERE v.name = t.template_name AND v.major = t.major AND v.minor = t.minor)",
    "no job is held of a deployment that has ended":
        "SELECT j.id FROM job j JOIN deployment d ON d.id = j.deployment_id WHERE j.status IN ('READY', 'LEASED') AND d.active = 0 "
        "AND j.kind IN ('apply_stack', 'destroy_stack')",
    "a version belongs to a template that is there":
        "SELECT v.name FROM template_version v WHERE NOT EXISTS "
        "(SELECT 1 FROM template t WHERE t.kind = v.kind AND t.name = v.name)",
    "one connected connection of an environment":
        "SELECT environment FROM connection WHERE status = 'CONNECTED' AND kind = 'environment' GROUP BY environment "
        "HAVING count(*) > 1",
    "a resource has at most 50 tags": "SELECT resource FROM tag GROUP BY resource HAVING count(*) > 50",
    "a sync config names a repository that is linked":
        "SELECT c.name FROM sync_config c WHERE NOT EXISTS "
        "(SELECT 1 FROM repository r WHERE r.provider = c.provider AND r.name = c.repository)",
}

# Members of answers that other calls are then asked with, and how many of them are remembered.
LEARNED = {"id": ("EnvironmentAccountConnectionId", 30), "arn": ("Arn", 60), "nextToken": ("NextToken", 10)}


def learn(pools: dict, answer: dict) -> None:
    """Remembers ids, ARNs and tokens of an answer. Connections and deployments both have ids, which is as it should be."""
    for name, value in clients.plain(answer).items():
        if isinstance(value, dict):
            learn(pools, value)
        elif isinstance(value, list):
            for each in value[:3]:
                if isinstance(each, dict):
                    learn(pools, each)
        elif isinstance(value, str) and name in LEARNED:
            pool, most = LEARNED[name]
            keep(pools[pool], value, most)
            if pool == "EnvironmentAccountConnectionId":
                keep(pools["DeploymentId"], value, most)
        elif isinstance(value, str) and name.endswith("DeploymentId"):
            keep(pools["DeploymentId"], value, 30)


def keep(pool: list, value: str, most: int) -> None:
    if value not in pool:
        if len(pool) >= most:
            pool.pop(1)
        pool.append(value)
