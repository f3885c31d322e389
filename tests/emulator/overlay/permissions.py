"""What AUTH=true needs to judge Hadron's own IAM policies as AWS does.

* A change set named by ARN belongs to a stack, and the permission is on that stack.
* `cloudformation:RoleArn` and its like are condition keys of CreateChangeSet.
* A repository's tags are condition keys of the calls on it.
* Handing CloudFormation a role needs `iam:PassRole`, and the role has to trust CloudFormation.
"""

import contextvars
import json

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudformation as cfn
from ministack.services import ecr, iam
from ministack.services.cloudformation.helpers import _error

# Set by the front for the request that is being served.
access_key: contextvars.ContextVar = contextvars.ContextVar("hadron_access_key", default="")

SERVICE = "cloudformation.amazonaws.com"
_CONDITION_KEYS = {"RoleARN": "RoleArn", "ChangeSetName": "ChangeSetName", "TemplateURL": "TemplateUrl"}

_enabled = False


def install(enabled: bool) -> None:
    global _enabled
    _enabled = enabled
    resource_of, context_of = iam_actions.extract_resource_arn, iam_actions.request_tag_context

    def extract_resource_arn(service, method, path, headers, body, params, region, account):
        found = resource_of(service, method, path, headers, body, params, region, account)
        if service == "cloudformation" and found == "*":
            change_set = cfn._change_sets.get(_one(params, "ChangeSetName"))
            if change_set:
                return change_set["StackId"]
        return found

    def request_tag_context(service, action, body, params):
        context = context_of(service, action, body, params) or {}
        if service == "cloudformation":
            for field, key in _CONDITION_KEYS.items():
                if value := _one(params, field):
                    context = {**context, f"cloudformation:{key}": value}
        if service == "ecr":
            context = {**context, **_repository_tags(body)}
        return context

    iam_actions.extract_resource_arn = extract_resource_arn
    iam_actions.request_tag_context = request_tag_context


def _repository_tags(body: bytes) -> dict:
    try:
        repository = ecr._repositories.get(json.loads(body)["repositoryName"]) or {}
    except (ValueError, KeyError, TypeError):
        return {}
    return {f"aws:ResourceTag/{tag['Key']}": tag["Value"] for tag in repository.get("tags") or []}


def refuse_role(params: dict):
    """The error for a RoleARN that the caller may not pass or CloudFormation may not assume; None when it is fine."""
    role = _one(params, "RoleARN")
    if not _enabled or not role:
        return None
    denied = iam_evaluator.enforce(access_key.get(), "iam:PassRole", "iam", get_region(), resource_arn=role,
                                   service_context={"iam:PassedToService": SERVICE})
    if denied is not None:
        who = getattr(denied, "principal_arn", "")
        return _error("AccessDenied", f"User: {who} is not authorized to perform: iam:PassRole on resource: {role} "
                                      "because no identity-based policy allows the iam:PassRole action", 403)
    if not _trusts_cloudformation(role):
        return _error("ValidationError", f"Role {role} is invalid or cannot be assumed")
    return None


def _trusts_cloudformation(arn: str) -> bool:
    """Conditions of the trust policy are not looked at."""
    found = iam._roles.get(arn.rsplit("/", 1)[-1]) if f"::{get_account_id()}:" in arn else None
    document = (found or {}).get("AssumeRolePolicyDocument") or "{}"
    document = json.loads(document) if isinstance(document, str) else document
    for statement in _listed(document.get("Statement", [])):
        principal = statement.get("Principal")
        services = _listed(principal.get("Service", [])) if isinstance(principal, dict) else []
        if statement.get("Effect") == "Allow" and SERVICE in services:
            return True
    return False


def _listed(value) -> list:
    return value if isinstance(value, list) else [value]


def _one(params: dict, name: str) -> str:
    value = params.get(name) or ""
    return str(value[0] if isinstance(value, list) else value)
