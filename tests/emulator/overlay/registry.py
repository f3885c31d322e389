"""ECR across accounts: the registry policy, and reads of another account's registry as its policies allow."""

import json

from ministack.core import responses
from ministack.core.iam_evaluator import EvalContext, caller_arn, evaluate_resource_policy
from ministack.core.responses import (
    AccountRegionScopedDict,
    error_response_json,
    get_account_id,
    get_region,
    json_response,
)
from ministack.services import ecr

_policies = AccountRegionScopedDict()
_settings = AccountRegionScopedDict()
_replication = AccountRegionScopedDict()

SCOPE = "REGISTRY_POLICY_SCOPE"
# What a registry policy of the old scope may grant.
V1_ACTIONS = {"ecr:ReplicateImage", "ecr:CreateRepository", "ecr:BatchImportUpstreamImage"}


def install() -> None:
    ministack_handles, ministack_resets = ecr.handle_request, ecr.reset
    ministack_describes = ecr._describe_images

    def describe_images(request: dict):
        """Images that are asked for by name have to be there; ministack leaves out those that are not."""
        name = request.get("repositoryName", "")
        for wanted in request.get("imageIds") or ():
            if name in ecr._repositories and not ecr._find_image(name, wanted):
                return error_response_json(
                    "ImageNotFoundException",
                    f"The image with imageId {wanted} does not exist within the repository with name '{name}' in the "
                    f"registry with id '{get_account_id()}'", 400)
        return ministack_describes(request)

    async def handle_request(method, path, headers, body, query_params):
        action = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
        try:
            request = json.loads(body) if body else {}
        except ValueError:
            return await ministack_handles(method, path, headers, body, query_params)

        async def serve():
            if action == "DescribeImages":
                return describe_images(request)
            if action in _ACTIONS:
                return _ACTIONS[action](request)
            return await ministack_handles(method, path, headers, body, query_params)

        if action == "SetRepositoryPolicy" and request.get("repositoryName") in ecr._repositories:
            if not is_policy(request.get("policyText"), needs_resource=False):
                return _invalid("repository")
        owner = request.get("registryId")
        if not owner or owner == get_account_id():
            return await serve()
        return await _in_registry_of(owner, action, request, serve)

    def reset():
        ministack_resets()
        for store in (_policies, _settings, _replication):
            store.clear()

    ecr.handle_request, ecr.reset = handle_request, reset


async def _in_registry_of(owner: str, action: str, request: dict, serve):
    """Serve a request on another account's registry, if that account's policies allow the caller."""
    account, arn = get_account_id(), caller_arn()
    token = responses._request_account_id.set(owner)
    try:
        name = request.get("repositoryName", "")
        resource = f"arn:aws:ecr:{get_region()}:{owner}:" + (f"repository/{name}" if name else "*")
        context = EvalContext(
            principal_arn=arn,
            principal_type="Root" if arn.endswith(":root") else "AssumedRole",
            principal_account=account,
            action=f"ecr:{action}",
            resource_arn=resource,
            region=get_region(),
        )
        decisions = {evaluate_resource_policy(policy, context).decision
                     for policy in (_repository_policy(name), _policies.get("policy")) if policy}
        if "Deny" in decisions or "Allow" not in decisions:
            return error_response_json(
                "AccessDeniedException",
                f"User: {arn} is not authorized to perform: ecr:{action} on resource: {resource} because no "
                f"resource-based policy allows the ecr:{action} action", 400)
        return await serve()
    finally:
        responses._request_account_id.reset(token)


def _repository_policy(name: str) -> dict | None:
    text = ecr._repo_policies.get(name)
    if not text:
        return None
    policy = json.loads(text)
    # A repository policy names no resource: it is about its repository.
    policy["Statement"] = [{"Resource": "*", **statement} for statement in _listed(policy["Statement"])]
    return policy


def _listed(value) -> list:
    return value if isinstance(value, list) else [value]


def is_policy(text, needs_resource: bool, actions: set | None = None) -> bool:
    """Whether ECR would take this policy text, as far as shape goes."""
    try:
        statements = _listed(json.loads(text)["Statement"])
    except (TypeError, ValueError, KeyError):
        return False
    if not statements:
        return False
    for statement in statements:
        if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
            return False
        if not {"Action", "NotAction"} & set(statement) or not {"Principal", "NotPrincipal"} & set(statement):
            return False
        if needs_resource != ("Resource" in statement or "NotResource" in statement):
            return False
        if actions is not None and not set(_listed(statement.get("Action", []))) <= actions:
            return False
    return True


def _invalid(kind: str):
    return error_response_json(
        "InvalidParameterException",
        f"Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid {kind} policy provided'", 400)


def put_registry_policy(request: dict):
    allowed = V1_ACTIONS if _settings.get(SCOPE, "V2") == "V1" else None
    if not is_policy(request.get("policyText"), needs_resource=True, actions=allowed):
        return _invalid("registry")
    _policies["policy"] = request["policyText"]
    return json_response({"registryId": get_account_id(), "policyText": request["policyText"]})


def get_registry_policy(request: dict):
    if "policy" not in _policies:
        return error_response_json(
            "RegistryPolicyNotFoundException",
            f"Registry policy does not exist in the registry with id '{get_account_id()}'", 400)
    return json_response({"registryId": get_account_id(), "policyText": _policies["policy"]})


def delete_registry_policy(request: dict):
    answer = get_registry_policy(request)
    _policies.pop("policy", None)
    return answer


def put_account_setting(request: dict):
    _settings[request["name"]] = request["value"]
    return json_response(request)


def get_account_setting(request: dict):
    default = "V2" if request["name"] == SCOPE else ""
    return json_response({"name": request["name"], "value": _settings.get(request["name"], default)})


def put_replication(request: dict):
    _replication["configuration"] = request["replicationConfiguration"]
    return json_response(request)


_ACTIONS = {
    "PutRegistryPolicy": put_registry_policy,
    "GetRegistryPolicy": get_registry_policy,
    "DeleteRegistryPolicy": delete_registry_policy,
    "PutAccountSetting": put_account_setting,
    "GetAccountSetting": get_account_setting,
    "PutReplicationConfiguration": put_replication,
}
