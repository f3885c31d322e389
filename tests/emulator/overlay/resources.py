"""Resource types: placeholders for what ministack does not know, and types that are slow or fail on purpose."""

import json
import uuid

from ministack.core.responses import get_account_id, get_region
from ministack.services import ecr, ssm
from ministack.services.cloudformation import provisioners

from . import registry

SLOW = "Hadron::Test::Slow"
FAIL = "Hadron::Test::Fail"

# Type -> prefix of its physical id, attributes for Fn::GetAtt. Nothing is checked and nothing is made.
PLACEHOLDERS = {
    "AWS::AppRunner::Service": ("apprunner-", ("ServiceArn", "ServiceUrl", "ServiceId", "Status")),
    "AWS::AppRunner::VpcConnector": ("apprunner-", ("VpcConnectorArn",)),
    "AWS::ApplicationAutoScaling::ScalableTarget": ("aas-", ("Id",)),
    "AWS::ApplicationAutoScaling::ScalingPolicy": ("aasp-", ("Arn",)),
    "AWS::CodePipeline::Pipeline": ("codepipeline-", ("Version",)),
    "AWS::CodeConnections::Connection": ("codeconnections-", ("ConnectionArn",)),
    "AWS::CodeStarConnections::Connection": ("codestar-connections-", ("ConnectionArn",)),
    "AWS::CodeStarNotifications::NotificationRule": ("nr-", ("Arn",)),
    "AWS::EC2::EIP": ("eipalloc-", ("AllocationId", "PublicIp")),
    "AWS::EC2::NatGateway": ("nat-", ("NatGatewayId",)),
    "AWS::EC2::FlowLog": ("fl-", ("Id",)),
    "AWS::EC2::SecurityGroupEgress": ("sgr-", ("Id",)),
    "AWS::EC2::SecurityGroupIngress": ("sgr-", ("Id",)),
    "AWS::ECR::ReplicationConfiguration": ("repl-", ("RegistryId",)),
}

# Templates write numbers as quoted strings; AWS coerces by schema, ministack's ECS service does not.
_NUMBERS = {"DesiredCount", "HealthCheckGracePeriodSeconds", "MaximumPercent", "MinimumHealthyPercent",
            "ContainerPort", "Port", "MinCapacity", "MaxCapacity"}


def install() -> None:
    handlers = provisioners._RESOURCE_HANDLERS
    for kind, (prefix, attributes) in PLACEHOLDERS.items():
        handlers.setdefault(kind, _placeholder(prefix, attributes))
    # Known to the template check; how they behave is in stacks.py, which sees the stack around them.
    for kind in (SLOW, FAIL):
        handlers[kind] = _placeholder("hadron-test-", ("Id",))
    handlers.setdefault("AWS::ECR::RegistryPolicy", {
        "create": _create_registry_policy,
        "update": lambda physical, old, new, *rest: _create_registry_policy("", new, ""),
        "delete": lambda physical, props: registry._policies.pop("policy", None),
    })
    _coerce_numbers(handlers["AWS::ECS::Service"])
    _refuse_taken_names(handlers["AWS::ECR::Repository"])
    _publish_parameters()


def _placeholder(prefix: str, attributes: tuple) -> dict:
    def attribute(name, physical):
        if name.endswith("Arn"):
            return f"arn:aws:{prefix.strip('-')}:{get_region()}:{get_account_id()}:{physical}"
        return physical

    def create(logical, props, stack):
        physical = props.get("Name") or f"{prefix}{uuid.uuid4().hex[:17]}"
        return physical, {name: attribute(name, physical) for name in attributes}

    def update(physical, old, new, *rest):
        return physical, {name: attribute(name, physical) for name in attributes}

    return {"create": create, "update": update, "delete": lambda physical, props: None}


def _create_registry_policy(logical, props, stack):
    status, _, body = registry.put_registry_policy({"policyText": json.dumps(props.get("PolicyText"))})
    if status >= 400:
        raise ValueError(json.loads(body)["message"])
    return get_account_id(), {"RegistryId": get_account_id()}


def _coerce_numbers(handler: dict) -> None:
    def coerce(value):
        if isinstance(value, dict):
            return {k: int(v) if k in _NUMBERS and isinstance(v, str) and v.isdigit() else coerce(v)
                    for k, v in value.items()}
        return [coerce(v) for v in value] if isinstance(value, list) else value

    create, update = handler["create"], handler["update"]
    handler["create"] = lambda logical, props, stack: create(logical, coerce(props), stack)
    handler["update"] = lambda physical, old, new, *rest: update(physical, coerce(old), coerce(new), *rest)


def _refuse_taken_names(handler: dict) -> None:
    """A repository that exists already (kept by an earlier stack, say) fails the stack, as on AWS."""
    create = handler["create"]

    def create_new(logical, props, stack):
        name = props.get("RepositoryName")
        if name and name in ecr._repositories:
            raise ValueError(f"Resource of type 'AWS::ECR::Repository' with identifier '{name}' already exists.")
        return create(logical, props, stack)

    handler["create"] = create_new


def _publish_parameters() -> None:
    """Parameters that AWS publishes under /aws/service cannot be written by clients: answer images here."""
    resolve = ssm.resolve_parameter_value

    def resolve_published(name, *args, **kwargs):
        value = resolve(name, *args, **kwargs)
        if not value and name.startswith("/aws/service/") and ("ami" in name or "image" in name):
            return "ami-0123456789abcdef0"
        return value

    ssm.resolve_parameter_value = resolve_published
