"""What is really there, over all accounts and Regions: read from the emulator's stores, not through its APIs."""

import json

from ministack.services import ecr, s3
from ministack.services import cloudformation as cfn


def view() -> dict:
    accounts: dict = {}

    def region(account: str, name: str) -> dict:
        regions = accounts.setdefault(account, {"regions": {}, "buckets": []})["regions"]
        return regions.setdefault(name, {"stacks": [], "repositories": []})

    for (account, where, _), stack in _sorted(cfn._stacks):
        region(account, where)["stacks"].append(_stack(account, where, stack))
    for (account, where, name), repository in _sorted(ecr._repositories):
        region(account, where)["repositories"].append(_repository(account, where, name, repository))
    for key, _ in _sorted(s3._buckets):
        accounts.setdefault(key[0], {"regions": {}, "buckets": []})["buckets"].append(key[-1])
    return {"accounts": dict(sorted(accounts.items()))}


def _sorted(store):
    return sorted(list(store._data.items()), key=lambda item: tuple(map(str, item[0])))


def _stack(account: str, where: str, stack: dict) -> dict:
    executed = [cs["ChangeSetId"] for (a, r, _), cs in list(cfn._change_sets._data.items())
                if (a, r) == (account, where) and cs["StackId"] == stack["StackId"]
                and cs["ExecutionStatus"].startswith("EXECUTE")]
    waiting = [cs["ChangeSetId"] for (a, r, _), cs in list(cfn._change_sets._data.items())
               if (a, r) == (account, where) and cs["StackId"] == stack["StackId"]
               and not cs["ExecutionStatus"].startswith("EXECUTE")]
    return {
        "name": stack["StackName"],
        "arn": stack["StackId"],
        "status": stack["StackStatus"],
        "reason": stack.get("StackStatusReason") or None,
        "tags": {tag["Key"]: tag["Value"] for tag in stack.get("Tags") or []},
        "outputs": {out["OutputKey"]: out["OutputValue"] for out in stack.get("Outputs") or []},
        "resources": [
            {
                "logical": logical,
                "type": record.get("ResourceType"),
                "physical": record.get("PhysicalResourceId"),
                "status": record.get("ResourceStatus"),
            }
            for logical, record in list((stack.get("_resources") or {}).items())
        ],
        "last_executed_change_set": stack.get("_last_executed_change_set") or (executed[-1] if executed else None),
        "executions": stack.get("_executions", 0),
        "waiting_change_sets": waiting,
    }


def _repository(account: str, where: str, name: str, repository: dict) -> dict:
    text = ecr._repo_policies.get_scoped(account, where, name)
    try:
        policy = json.loads(text) if text else None
    except ValueError:
        policy = None
    return {
        "name": name,
        "arn": repository.get("repositoryArn"),
        "uri": repository.get("repositoryUri"),
        "policy_text": text,
        "policy": policy,
    }
