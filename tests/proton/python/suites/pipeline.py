"""The reference pipeline (deploy/examples/web-svc): its CodeBuild steps, taken out of the template that the hub rendered and
CloudFormation has, run here as CodeBuild would run them, with the AWS CLI as they call it."""

import json
import os
import stat
import subprocess
from pathlib import Path

import boto3
import yaml

from support import stage
from support.case import Case
from support.clients import call, page_through, wait
from support.world import WORLD

from .services import instance
from .signatures import minted

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as what they are: a name and a value."""


Loader.add_multi_constructor("!", lambda loader, name, node: {name: _plain(loader, node)})


def _plain(loader, node):
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)


def emulated_aws(service: str):
    return boto3.client(
        service, endpoint_url=WORLD.emulator, region_name=WORLD.region,
        aws_access_key_id=WORLD.management, aws_secret_access_key="root",
    )


class Project:
    """One CodeBuild project of the template, and what CodeBuild makes of it."""

    def __init__(self, resource: dict, folder: Path, resolved: dict[str, str]):
        self.folder, self.resolved = folder, resolved
        properties = resource["Properties"]
        self.variables = properties["Environment"]["EnvironmentVariables"]
        self.spec = yaml.safe_load(properties["Source"]["BuildSpec"])

    def environment(self, overrides: dict[str, str], secrets: dict[str, str]) -> dict[str, str]:
        """As CodeBuild would set it: plain values, secrets by their member, then what the stage overrides."""
        found = {}
        for variable in self.variables:
            value = variable["Value"]
            if variable.get("Type") == "SECRETS_MANAGER":
                value = secrets[value.rsplit(":", 1)[-1]]
            elif isinstance(value, dict):
                value = self.resolved[json.dumps(value, sort_keys=True)]
            found[variable["Name"]] = str(value)
        return {**found, **overrides}

    def run(self, overrides: dict[str, str], secrets: dict[str, str], more: dict[str, str]) -> dict[str, str]:
        """All phases in one shell, as CodeBuild does; gives the variables that it exports."""
        self.folder.mkdir(parents=True, exist_ok=True)
        commands = ["set -e"]
        for phase in ("install", "pre_build", "build", "post_build"):
            commands += self.spec["phases"].get(phase, {}).get("commands", [])
        exported = self.spec.get("env", {}).get("exported-variables", [])
        commands += [f'printf "%s=%s\\n" {name} "${name}" >> "$EXPORTED"' for name in exported]
        kept = self.folder / "exported"
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "AWS_DEFAULT_REGION": WORLD.region,
            "AWS_REGION": WORLD.region,
            # CodeBuild's own role, for whatever is not the hub's.
            "AWS_ACCESS_KEY_ID": WORLD.management,
            "AWS_SECRET_ACCESS_KEY": "root",
            "AWS_SESSION_TOKEN": "a token of AWS, which the hub must not be shown",
            "AWS_ENDPOINT_URL": WORLD.emulator,
            "AWS_PAGER": "",
            "EXPORTED": str(kept),
            **self.environment(overrides, secrets),
            **more,
        }
        ran = subprocess.run(
            ["bash", "-c", "\n".join(commands)], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=150,
            check=False,
        )
        if ran.returncode:
            raise AssertionError(f"the step ended with {ran.returncode}:\n{ran.stdout}{ran.stderr}")
        return dict(line.split("=", 1) for line in kept.read_text().splitlines()) if kept.exists() else {}


class Pipeline(Case):
    @classmethod
    def setUpClass(cls):
        for name in ("fargate-env", "web-svc"):
            kind = "Environment" if name.endswith("env") else "Service"
            call(f"Create{kind}Template", name=name)
            if kind == "Environment":
                stage.environment_version(name, stage.bundle(name))
            else:
                stage.service_version(name, stage.bundle(name), ["fargate-env"])
        spec = yaml.safe_load((stage.EXAMPLES / "web-svc/spec.yaml").read_text())
        environment = (stage.EXAMPLES / "fargate-env/spec.yaml").read_text()
        for name, account in (("staging", WORLD.dev), ("production", WORLD.prod)):
            call(
                "CreateEnvironment", name=name, templateName="fargate-env", templateMajorVersion="1", spec=environment,
                environmentAccountConnectionId=stage.connection(name, account),
            )
        for name in ("staging", "production"):
            wait("environment_deployed", name=name)
        spec["pipeline"]["hub_endpoint"] = WORLD.api
        spec["pipeline"]["hub_ca_parameter"] = "/hadron/hub-ca"
        spec["pipeline"]["test_command"] = "test -f Dockerfile"
        call(
            "CreateService", name="web", templateName="web-svc", templateMajorVersion="1",
            spec=yaml.safe_dump(spec, sort_keys=False), **stage.LINK,
        )
        wait("service_created", name="web")
        emulated_aws("ssm").put_parameter(Name="/hadron/hub-ca", Value=Path(WORLD.ca_file).read_text(), Type="String")
        stacks = emulated_aws("cloudformation").describe_stacks()["Stacks"]
        stack = next(each for each in stacks if each["StackName"].startswith("AWSProton-web-cloudformation-"))
        body = emulated_aws("cloudformation").get_template(StackName=stack["StackName"])["TemplateBody"]
        cls.template = yaml.load(body, Loader) if isinstance(body, str) else body
        cls.outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
        key = minted("pipeline", "developer")
        cls.secrets = {"access_key_id": key.access_key, "secret_access_key": key.secret_key}

    def stages(self) -> list[dict]:
        return self.template["Resources"]["Pipeline"]["Properties"]["Stages"]

    def action(self, name: str) -> dict:
        return next(each for each in self.stages() if each["Name"] == name)["Actions"][0]["Configuration"]

    def project(self, name: str) -> Project:
        project = self.action(name)["ProjectName"]["Ref"]
        resolved = {
            json.dumps({"GetAtt": "Repository.RepositoryUri"}): self.outputs["RepositoryUri"],
            json.dumps({"Ref": "Repository"}): self.outputs["RepositoryName"],
        }
        return Project(self.template["Resources"][project], WORLD.folder / f"build-{name}", resolved)

    def overrides(self, name: str, **values: str) -> dict[str, str]:
        """What a stage sets, with its variables (`#{Build.IMAGE}`) filled in."""
        text = self.action(name)["EnvironmentVariables"]
        for variable, value in values.items():
            text = text.replace("#{" + variable.replace("_", ".") + "}", value)
        return {each["name"]: each["value"] for each in json.loads(text)}

    def test_build_then_each_instance(self):
        self.assertEqual(
            [each["Name"] for each in self.stages()], ["Source", "Build", "Deploy-staging", "Deploy-production"]
        )
        build = self.project("Build")
        build.folder.mkdir(parents=True)
        (build.folder / "Dockerfile").write_text("FROM scratch\n")
        exported = build.run(self.overrides("Build", Source_CommitId=COMMIT), {}, {"PATH": with_docker(build.folder)})
        image = f"{self.outputs['RepositoryUri']}:{COMMIT}"
        self.assertEqual(exported, {"IMAGE": image})
        told = (build.folder / "docker.log").read_text()
        self.assertIn(f"build --tag {image} --file Dockerfile .", told)
        self.assertIn(f"push {image}", told)

        for name in ("staging", "production"):
            before = instance("web", name)["lastSucceededDeploymentId"]
            deploy = self.project(f"Deploy-{name}")
            deploy.run(self.overrides(f"Deploy-{name}", Build_IMAGE=image), self.secrets, {})
            shown = instance("web", name)
            self.assertEqual(shown["deploymentStatus"], "SUCCEEDED")
            self.assertNotEqual(shown["lastSucceededDeploymentId"], before)
            outputs, _ = page_through("ListServiceInstanceOutputs", None, serviceName="web", serviceInstanceName=name)
            self.assertEqual({each["key"]: each["valueString"] for each in outputs}["Image"], image)

    def test_a_deployment_that_fails_stops_the_stage(self):
        stage.plant({
            "service": "cloudformation", "action": "CreateChangeSet", "account": WORLD.dev, "kind": "error", "times": 100,
            "code": "ValidationError", "message": "Not today", "status": 400,
        })
        deploy = self.project("Deploy-staging")
        with self.assertRaises(AssertionError) as caught:
            deploy.run(self.overrides("Deploy-staging", Build_IMAGE="nginx:other"), self.secrets, {})
        self.assertIn("terminal failure", str(caught.exception))
        stage.heal()


def with_docker(folder: Path) -> str:
    """A PATH on which `docker` only writes down what it was told: there is no daemon in a test."""
    place = folder / "bin"
    place.mkdir(exist_ok=True)
    program = place / "docker"
    program.write_text(f'#!/bin/sh\ncase "$1" in login) cat > /dev/null;; esac\necho "$@" >> "{folder}/docker.log"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return f"{place}:{os.environ['PATH']}"


