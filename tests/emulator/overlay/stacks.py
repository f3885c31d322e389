"""The rules of CloudFormation that Hadron's fence stands on, where ministack is milder than AWS; and time.

What changes:
* a resource may take time (`CFN_DELAY`, `Hadron::Test::Slow`) or fail (`Hadron::Test::Fail`);
* CancelUpdateStack and DeleteStack interrupt a resource that is taking its time;
* operations on one stack follow each other, they never interleave;
* a stack in REVIEW_IN_PROGRESS keeps its id when it gets another CREATE change set;
* a stack that AWS would not touch in its state is refused (a change set while it changes, a second create);
* a deleted stack stays readable by its ARN after its name was taken again;
* change sets are found by the ARN of their stack wherever they are found by its name;
* a change set that changes nothing but outputs can be executed.
"""

import asyncio
import functools
import json
import time

from ministack.services import cloudformation as cfn
from ministack.services.cloudformation import changesets, handlers, stacks
from ministack.services.cloudformation.helpers import _error, _xml

from . import permissions
from .resources import FAIL, SLOW

# States in which AWS takes an UPDATE change set.
UPDATABLE = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE",
             "IMPORT_ROLLBACK_COMPLETE", "UPDATE_FAILED"}
TICK = 0.02

_delay = 0.0
_failures: dict[tuple, int] = {}  # (stack id, logical id, verb, properties) -> how often it failed
_running: dict[str, asyncio.Task] = {}  # stack id -> its last operation


def install(delay: float) -> None:
    global _delay
    _delay = delay

    on_worker = stacks._runs_on_worker_thread
    stacks._runs_on_worker_thread = lambda kind: delay > 0 or kind in (SLOW, FAIL) or on_worker(kind)
    stacks._provision_resource = _timed_create(stacks._provision_resource)
    stacks._update_resource = _timed_update(stacks._update_resource)
    stacks._delete_resource = _timed_delete(stacks._delete_resource)

    sent_back = stacks._sends_back_failed_update
    stacks._sends_back_failed_update = lambda kind: kind == FAIL or sent_back(kind)
    stacks._roll_back_operation = handlers._roll_back_operation = _rollback(stacks._roll_back_operation)
    for module in (stacks, handlers, changesets):
        module._create_stack_task_in_region = _one_after_another(module._create_stack_task_in_region)

    actions = cfn._ACTION_HANDLERS
    for name, rule in {
        "CreateStack": _create_stack,
        "CreateChangeSet": _create_change_set,
        "DescribeChangeSet": _by_stack_name,
        "ExecuteChangeSet": _execute_change_set,
        "DeleteChangeSet": _by_stack_name,
        "ListChangeSets": _list_change_sets,
        "DeleteStack": _delete_stack,
    }.items():
        actions[name] = functools.partial(rule, actions[name])

    reset = cfn.reset

    def reset_all():
        reset()
        _failures.clear()
        _running.clear()

    cfn.reset = reset_all


# ---- time and failure of resources ----------------------------------------------------------------------------------


class Interrupted(Exception):
    """A resource stopped waiting because its stack was cancelled or is to be deleted."""


def _timed_create(create):
    def timed(kind, logical, props, stack_name):
        _behave("create", kind, logical, props, stack_name)
        return create(kind, logical, props, stack_name)

    return timed


def _timed_update(update):
    def timed(kind, physical, old, new, stack_name, logical=None, attributes=None):
        rolling_back = "ROLLBACK" in _status(stack_name)
        if old != new:
            # On the way back the properties that were tried decide, not the good ones that are restored.
            _behave("rollback" if rolling_back else "update", kind, logical, old if rolling_back else new, stack_name)
        return update(kind, physical, old, new, stack_name, logical, attributes)

    return timed


def _timed_delete(delete):
    def timed(kind, physical, props, stack_name=None, logical=None):
        _behave("delete", kind, logical, props, stack_name)
        return delete(kind, physical, props, stack_name, logical)

    return timed


def _behave(verb: str, kind: str, logical: str, props: dict, stack_name: str) -> None:
    """Take the time and the failure that the resource asks for. Runs on a worker thread when either is possible."""
    rolling_back = "ROLLBACK" in _status(stack_name)
    seconds = _delay
    if kind == SLOW:
        # A rollback is quick unless asked: most tests want to see the end of it.
        own = "RollbackSeconds" if rolling_back else f"{verb.capitalize()}Seconds"
        seconds += float(props.get(own, 0 if rolling_back else props.get("Seconds", 0)))
    _wait(seconds, verb, stack_name)
    if kind == FAIL:
        _fail(verb, logical, props, stack_name)


def _wait(seconds: float, verb: str, stack_name: str) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        stack = cfn._stacks.get(stack_name) or {}
        if verb in ("create", "update") and (stack.get("_cancel_requested") or stack.get("_delete_requested")):
            raise Interrupted(f"Resource {'creation' if verb == 'create' else 'update'} cancelled")
        time.sleep(min(TICK, left))


def _fail(verb: str, logical: str, props: dict, stack_name: str) -> None:
    on = props.get("On", ["create"])
    if verb not in (on if isinstance(on, list) else [on]):
        return
    stack = cfn._stacks.get(stack_name) or {}
    # Other properties are another attempt, and count from zero.
    counted = stack.get("StackId"), logical, verb, json.dumps(props, sort_keys=True, default=str)
    if "Times" in props and _failures.get(counted, 0) >= int(props["Times"]):
        return
    _failures[counted] = _failures.get(counted, 0) + 1
    raise ValueError(props.get("Reason", f"Resource handler returned message: \"{logical} fails on {verb}\""))


def _status(stack_name: str | None) -> str:
    return (cfn._stacks.get(stack_name) or {}).get("StackStatus", "")


# ---- operations of one stack ----------------------------------------------------------------------------------------


def _one_after_another(start):
    """A deletion that was asked for while the stack is still being created begins when that has ended."""

    def start_after(operation, stack, stack_id=None):
        before = _running.get(stack_id)

        async def run():
            if before is not None and not before.done():
                await asyncio.wait([before])
            _running[stack_id] = asyncio.current_task()
            await operation

        start(run(), stack, stack_id)

    return start_after


def _rollback(roll_back):
    async def interrupted(stack_name, stack_id, stack, operation, *args, **kwargs):
        if stack.get("_delete_requested"):
            return  # the deletion that interrupted it takes what was made
        if stack.pop("_cancel_requested", False):
            # The rollback is the cancel's doing: its reason and its token stand on the events.
            stacks.CLIENT_REQUEST_TOKEN.set(stack.pop("_cancel_token", ""))
            operation = {**operation, "cancelled": True}
        await roll_back(stack_name, stack_id, stack, operation, *args, **kwargs)

    return interrupted


# ---- actions --------------------------------------------------------------------------------------------------------


def _one(params: dict, name: str) -> str:
    value = params.get(name) or [""]
    return value[0] if isinstance(value, list) else value


def _named(params: dict) -> tuple[dict, dict | None]:
    """The parameters with the stack's name where they had its ARN, and the stack."""
    stack = handlers._resolve_stack(_one(params, "StackName"))
    return (params, None) if stack is None else ({**params, "StackName": [stack["StackName"]]}, stack)


def _missing(params: dict):
    return _error("ValidationError", f"Stack [{_one(params, 'StackName')}] does not exist")


def _by_stack_name(action, params: dict):
    if _one(params, "StackName").startswith("arn:"):
        params, stack = _named(params)
        if stack is None or _is_gone(stack):
            return _missing(params)
    return action(params)


def _list_change_sets(action, params: dict):
    params, stack = _named(params)
    if stack is None or _is_gone(stack):
        return _missing(params)
    return action(params)


def _is_gone(stack: dict) -> bool:
    return stack["StackStatus"] == "DELETE_COMPLETE"


def _keep_deleted(name: str, before: dict | None) -> None:
    """Its name taken by another, a deleted stack stays under its ARN, as it does for 90 days on AWS."""
    if before is not None and _is_gone(before) and cfn._stacks.get(name) is not before:
        cfn._stacks[before["StackId"]] = before


def _create_stack(action, params: dict):
    name = _one(params, "StackName")
    before = cfn._stacks.get(name)
    if refused := permissions.refuse_role(params):
        return refused
    if before is not None and not _is_gone(before):
        return _error("AlreadyExistsException", f"Stack [{name}] already exists")
    answer = action(params)
    _keep_deleted(name, before)
    return answer


def _create_change_set(action, params: dict):
    if refused := permissions.refuse_role(params):
        return refused
    if (_one(params, "ChangeSetType") or "UPDATE") == "UPDATE":
        params, stack = _named(params)
        if stack is not None and not _is_gone(stack) and stack["StackStatus"] not in UPDATABLE:
            return _error("ValidationError",
                          f"Stack:{stack['StackId']} is in {stack['StackStatus']} state and can not be updated.")
        answer = action(params)
        _allow_other_outputs(stack, _one(params, "ChangeSetName"))
        return answer

    name = _one(params, "StackName")
    before = cfn._stacks.get(name)
    in_review = before is not None and before["StackStatus"] == "REVIEW_IN_PROGRESS"
    if before is not None and not in_review and not _is_gone(before) and _one(params, "ChangeSetType") == "CREATE":
        return _error("ValidationError", f"Stack [{name}] already exists and cannot be created again with the "
                                         f"changeSet [{_one(params, 'ChangeSetName')}].")
    events = list(cfn._stack_events.get(before["StackId"], [])) if in_review else []
    answer = action(params)
    _keep_deleted(name, before)
    return _same_stack(name, before, events, answer) if in_review else answer


def _allow_other_outputs(stack: dict | None, name: str) -> None:
    """Other outputs are a change, too: no resource changes, and the change set can be executed."""
    _, change_set = changesets._find_change_set(name, stack["StackName"] if stack else "")
    if change_set is None or stack is None or "didn't contain changes" not in change_set["StatusReason"]:
        return
    if change_set["_template"].get("Outputs") != (stack.get("_template") or {}).get("Outputs"):
        change_set.update(Status="CREATE_COMPLETE", ExecutionStatus="AVAILABLE", StatusReason="")


def _same_stack(name: str, before: dict, events: list, answer: tuple) -> tuple:
    """Undo ministack's new incarnation: the change set belongs to the stack that was in review already."""
    made = cfn._stacks.get(name)
    cfn._stacks[name] = before
    cfn._stack_events[before["StackId"]] = events
    status, headers, body = answer
    if made is None or made is before:
        return answer
    cfn._stack_events.pop(made["StackId"], None)
    for change_set in cfn._change_sets.values():
        if change_set["StackId"] == made["StackId"]:
            change_set["StackId"] = before["StackId"]
    return status, headers, body.replace(made["StackId"].encode(), before["StackId"].encode())


def _execute_change_set(action, params: dict):
    if _one(params, "StackName").startswith("arn:"):
        params, stack = _named(params)
        if stack is None:
            return _missing(params)
    change_set_id, change_set = changesets._find_change_set(_one(params, "ChangeSetName"), _one(params, "StackName"))
    answer = action(params)
    if change_set is not None and answer[0] == 200:
        stack = cfn._stacks.get(change_set["StackName"])
        stack["_last_executed_change_set"] = change_set_id
        stack["_executions"] = stack.get("_executions", 0) + 1
    return answer


def _delete_stack(action, params: dict):
    if refused := permissions.refuse_role(params):
        return refused
    params, stack = _named(params)
    if stack is None or _is_gone(stack):
        return action(params) if stack is None else _xml(200, "DeleteStackResponse", "")
    status = stack["StackStatus"]
    if status == "DELETE_IN_PROGRESS":
        return _xml(200, "DeleteStackResponse", "")
    if status.startswith("UPDATE_") and status.endswith("_IN_PROGRESS"):
        return _error("ValidationError", f"Stack [{stack['StackName']}] cannot be deleted while in status {status}")
    answer = action(params)
    if answer[0] == 200 and status in ("CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"):
        stack["_delete_requested"] = True
        stack["StackStatus"] = "DELETE_IN_PROGRESS"
    return answer
