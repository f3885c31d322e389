"""What suites need before they can ask for what they are about: bundles in S3, published templates, connected accounts,
environments, services. All of it is made through the API itself, as a user would."""

import io
import itertools
import tarfile
from functools import lru_cache
from pathlib import Path

import boto3
from botocore.config import Config

from . import clients
from .clients import call, wait
from .world import WORLD

BUCKET = "hadron-bundles"
EXAMPLES = WORLD.root / "deploy/examples"
FIXTURES = WORLD.root / "tests/fixtures"

LINK = {
    "branchName": "main",
    "repositoryId": "example/shop",
    "repositoryConnectionArn": (
        f"arn:aws:codeconnections:{WORLD.region}:{WORLD.management}:connection/0b7a3c1e-6a55-4e0f-9a53-0c8f4f5a1d11"
    ),
}

_numbers = itertools.count(1)


def fresh(stem: str) -> str:
    """A name that nothing has yet."""
    return f"{stem}-{next(_numbers)}"


def role(account: str) -> str:
    """The provisioning role that the account's agent passes to CloudFormation."""
    return f"arn:aws:iam::{account}:role/hadron-provisioning"


def component_role(account: str) -> str:
    """The role that components of the account are provisioned with."""
    return f"arn:aws:iam::{account}:role/hadron-components"


@lru_cache(maxsize=None)
def s3(account: str = WORLD.management):
    """S3 of the emulated AWS as an account's root, to whom a 12-digit access key belongs there."""
    return boto3.client(
        "s3",
        endpoint_url=WORLD.emulator,
        region_name=WORLD.region,
        aws_access_key_id=account,
        aws_secret_access_key="root",
        config=Config(s3={"addressing_style": "path"}),
    )


def packed(folder: Path, changes: dict[str, str | None] | None = None) -> bytes:
    """A bundle as people upload it: a gzipped tar. `changes` replaces files, or leaves them out."""
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".template-registration.yaml"
    }
    for name, text in (changes or {}).items():
        if text is None:
            del files[name]
        else:
            files[name] = text.encode()
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as archive:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return raw.getvalue()


@lru_cache(maxsize=None)
def _bucket() -> str:
    s3().create_bucket(Bucket=BUCKET)
    return BUCKET


def stored(content: bytes, key: str | None = None) -> dict:
    """Puts a bundle into S3; gives what a version is registered from."""
    key = key or f"{fresh('bundle')}.tar.gz"
    s3().put_object(Bucket=_bucket(), Key=key, Body=content)
    return {"s3": {"bucket": BUCKET, "key": key}}


@lru_cache(maxsize=None)
def bundle(name: str) -> dict:
    """A bundle of the examples or of the fixtures, in S3."""
    examples = EXAMPLES / name / "v1"
    return stored(packed(examples if examples.is_dir() else FIXTURES / name), f"{name}.tar.gz")


def environment_version(template: str, source: dict, publish: bool = True, **members) -> dict:
    """Registers a version and waits for it."""
    made = call("CreateEnvironmentTemplateVersion", templateName=template, source=source, **members)
    made = made["environmentTemplateVersion"]
    return _registered("environment", made, publish)


def service_version(template: str, source: dict, compatible: list[str], publish: bool = True, **members) -> dict:
    """The same of a service template; `compatible` are environment templates, major version 1."""
    made = call(
        "CreateServiceTemplateVersion",
        templateName=template,
        source=source,
        compatibleEnvironmentTemplates=[{"templateName": name, "majorVersion": "1"} for name in compatible],
        **members,
    )["serviceTemplateVersion"]
    return _registered("service", made, publish)


def _registered(kind: str, made: dict, publish: bool) -> dict:
    which = {name: made[name] for name in ("templateName", "majorVersion", "minorVersion")}
    try:
        wait(f"{kind}_template_version_registered", **which)
    except clients.WaiterError as error:
        failed = call(f"Get{kind.title()}TemplateVersion", **which)[f"{kind}TemplateVersion"]
        raise AssertionError(f"{made['arn']} is {failed['status']}: {failed.get('statusMessage')}") from error
    if publish:
        call(f"Update{kind.title()}TemplateVersion", status="PUBLISHED", **which)
    return call(f"Get{kind.title()}TemplateVersion", **which)[f"{kind}TemplateVersion"]


def environment_template(name: str = "probe-env") -> str:
    """A published environment template, 1.0, of the bundle with the same name."""
    return _environment_template(name)


# The cache takes what is said and what is left to the default for two things: it is asked in one way only.
@lru_cache(maxsize=None)
def _environment_template(name: str) -> str:
    call("CreateEnvironmentTemplate", name=name)
    environment_version(name, bundle(name))
    return name


def service_template(name: str = "probe-svc", pipeline: bool = True) -> str:
    """A published service template, 1.0, for the probe environment, whose instances take components. Without a pipeline it
    is of the same bundle less its pipeline, and `-plain` is added to the name."""
    return _service_template(name, pipeline)


@lru_cache(maxsize=None)
def _service_template(name: str, pipeline: bool) -> str:
    environment = environment_template()
    made = name if pipeline else f"{name}-plain"
    how = {} if pipeline else {"pipelineProvisioning": "CUSTOMER_MANAGED"}
    call("CreateServiceTemplate", name=made, **how)
    service_version(
        made,
        bundle(name) if pipeline else bundle_without_pipeline(name),
        [environment],
        supportedComponentSources=["DIRECTLY_DEFINED"],
    )
    return made


def bundle_without_pipeline(name: str) -> dict:
    folder = FIXTURES / name
    schema = (folder / "schema/schema.yaml").read_text()
    lines = [line for line in schema.splitlines() if not line.strip().startswith("pipeline_input_type")]
    changes = {
        "pipeline_infrastructure/cloudformation.yaml": None,
        "pipeline_infrastructure/manifest.yaml": None,
        "schema/schema.yaml": "\n".join(lines) + "\n",
    }
    return stored(packed(folder, changes), f"{name}-plain.tar.gz")


def spec(kind: str = "EnvironmentSpec", **inputs) -> str:
    """A spec of an environment as text."""
    import yaml

    return yaml.safe_dump({"proton": kind, "spec": inputs}, sort_keys=False)


def service_spec(instances: dict, pipeline: dict | None = None) -> str:
    """A spec of a service: instances by name, each (environment, inputs)."""
    import yaml

    content = {"proton": "ServiceSpec"}
    if pipeline is not None:
        content["pipeline"] = pipeline
    content["instances"] = [
        {"name": name, "environment": environment, "spec": inputs} for name, (environment, inputs) in instances.items()
    ]
    return yaml.safe_dump(content, sort_keys=False)


def profile_of(account: str) -> str:
    return {WORLD.dev: clients.DEV, WORLD.prod: clients.PROD, WORLD.management: clients.MANAGEMENT}[account]


def connection(environment: str, account: str = WORLD.dev, accept: bool = True, **members) -> str:
    """Requests a connection as the account itself and has it accepted; gives its id."""
    made = call(
        "CreateEnvironmentAccountConnection",
        profile_of(account),
        environmentName=environment,
        managementAccountId=WORLD.management,
        **{"roleArn": role(account), **members},
    )["environmentAccountConnection"]
    if accept:
        call("AcceptEnvironmentAccountConnection", id=made["id"])
    return made["id"]


def environment(name: str | None = None, account: str = WORLD.dev, template: str = "probe-env", **inputs) -> str:
    """A deployed environment in an account; gives its name."""
    name = name or fresh("env")
    environment_template(template)
    call(
        "CreateEnvironment",
        name=name,
        templateName=template,
        templateMajorVersion="1",
        spec=spec(**inputs),
        environmentAccountConnectionId=connection(name, account, componentRoleArn=component_role(account)),
    )
    wait("environment_deployed", name=name)
    return name


def shared_environment(account: str = WORLD.dev) -> str:
    """One environment of the account that suites share and leave as it is."""
    return _shared_environment(account)


@lru_cache(maxsize=None)
def _shared_environment(account: str) -> str:
    return environment(f"shared-{account}", account)


def service(
    instances: dict | None = None,
    pipeline: dict | None = None,
    name: str | None = None,
    wait_for_it: bool = True,
    **members,
) -> str:
    """A service of the probe template, with a pipeline when `pipeline` has its inputs; gives its name."""
    name = name or fresh("svc")
    template = service_template(pipeline=pipeline is not None)
    if instances is None:
        instances = {"one": (shared_environment(), {})}
    link = LINK if pipeline is not None else {}
    call(
        "CreateService",
        name=name,
        templateName=template,
        templateMajorVersion="1",
        spec=service_spec(instances, pipeline),
        **link,
        **members,
    )
    if wait_for_it:
        wait("service_created", name=name)
    return name


MANIFEST = """infrastructure:
  templates:
    - file: "cloudformation.yaml"
      rendering_engine: jinja
      template_language: cloudformation
"""


def component_template(note: str = "one", seconds: int = 0, fail_on: list[str] | None = None, times: int = 1000) -> str:
    """The one file of a component: does as it is told, as the probe bundles do."""
    import json

    return f"""AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Note:
    Type: AWS::SNS::Topic
    Properties:
      DisplayName: {json.dumps(note)}
  Slow:
    Type: Hadron::Test::Slow
    Properties:
      Seconds: {seconds}
      Note: {json.dumps(note)}
  Probe:
    Type: Hadron::Test::Fail
    DependsOn: Slow
    Properties:
      "On": {json.dumps(fail_on or [])}
      Reason: "The component was told to fail"
      Times: {times}
      Note: {json.dumps(note)}
Outputs:
  Note:
    Value: {json.dumps(note)}
"""


def plant(*faults: dict) -> None:
    """Plants faults in the emulated AWS, see tests/emulator/README.md."""
    import json
    import urllib.request

    request = urllib.request.Request(f"{WORLD.emulator}/_hadron/faults", json.dumps(list(faults)).encode(), method="POST")
    with urllib.request.urlopen(request) as answer:
        answer.read()


def emulated(path: str):
    """What the emulated AWS tells about itself."""
    import json
    import urllib.request

    with urllib.request.urlopen(f"{WORLD.emulator}{path}") as answer:
        return json.load(answer)


def busy(account: str, name: str) -> None:
    """Waits until a stack of this name is in the middle of something: only then is a cancel a cancel."""
    import time

    end = time.monotonic() + 60
    while True:
        held = emulated("/_hadron/state")["accounts"].get(account, {"regions": {}})["regions"].get(WORLD.region, {})
        for stack in held.get("stacks", ()):
            if stack["name"].startswith(f"AWSProton-{name}-") and stack["status"].endswith("_IN_PROGRESS"):
                if not stack["status"].startswith(("REVIEW", "DELETE")):
                    return
        if time.monotonic() > end:
            raise TimeoutError(f"no stack of {name} is in the middle of something")
        time.sleep(0.05)


def slow_change_sets(account: str, seconds: float = 2) -> None:
    """The next change set in an account takes its time: a deployment is under way meanwhile, and nothing is executed yet."""
    plant({"service": "cloudformation", "action": "CreateChangeSet", "account": account, "kind": "delay", "seconds": seconds})


def heal() -> None:
    """Forgets faults that were planted and not met."""
    import urllib.request

    with urllib.request.urlopen(urllib.request.Request(f"{WORLD.emulator}/_hadron/faults", method="DELETE")) as answer:
        answer.read()
