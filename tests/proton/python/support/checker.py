"""Compares a response with botocore's model, more strictly than botocore's parser, which ignores what it does not know and
passes over what is missing: required members, types, enums, lengths, patterns, unknown members, nulls, error bodies."""

import json
import re
from datetime import datetime, timezone

from botocore.model import OperationModel, Shape

# (structure, member) that are required by the model although the request may leave them out. The hub gives an empty text then.
MAY_BE_EMPTY = {
    ("EnvironmentAccountConnection", "roleArn"),
    ("EnvironmentAccountConnectionSummary", "roleArn"),
}
# Another oddity of the model: `lastDeploymentSucceededAt` is required although nothing may have succeeded yet. The hub gives
# the time of creation, so that nothing is excepted here.

# What every service of AWS may answer to a request that is not rightly signed, and no model names.
OF_SIGNATURES = {
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
}

EARLIEST = datetime(2020, 7, 20, tzinfo=timezone.utc).timestamp()
LATEST = datetime(2100, 1, 1, tzinfo=timezone.utc).timestamp()


def problems(operation: OperationModel, status: int, headers, body: bytes) -> list[str]:
    """Everything about a response that the model does not allow."""
    found = []
    if not headers.get("x-amzn-requestid"):
        found.append("no header x-amzn-requestid")
    content = headers.get("content-type", "")
    if content != "application/x-amz-json-1.0":
        found.append(f"content-type is {content!r}")
    try:
        value = json.loads(body or b"{}")
    except ValueError as error:
        return [*found, f"the body is no JSON ({error}): {body[:200]!r}"]
    if status >= 300:
        found += _error(operation, status, value)
    else:
        _walk(operation.output_shape, value, operation.name, found)
    return found


def _error(operation: OperationModel, status: int, value) -> list[str]:
    found = []
    if not isinstance(value, dict):
        return [f"the error is no object: {value!r}"]
    kind = value.get("__type")
    if not isinstance(kind, str):
        return [f"the error has no __type: {value!r}"]
    code = kind.rsplit("#", 1)[-1]
    if not isinstance(value.get("message"), str) or not value["message"]:
        found.append(f"{code} has no message")
    extra = set(value) - {"__type", "message"}
    if extra:
        found.append(f"{code} has other members: {sorted(extra)}")
    if code not in {shape.name for shape in operation.error_shapes} | OF_SIGNATURES:
        found.append(f"{code} is not declared by {operation.name}: {value.get('message')}")
    wanted = 500 if code == "InternalServerException" else 400
    if status != wanted:
        found.append(f"{code} with status {status} and not {wanted}")
    return found


def _walk(shape: Shape, value, path: str, found: list[str]) -> None:
    if value is None:
        found.append(f"{path} is null")
        return
    kind = shape.type_name
    if kind == "structure":
        _structure(shape, value, path, found)
    elif kind == "list":
        if not isinstance(value, list):
            found.append(f"{path} is no list: {value!r}")
            return
        _size(shape, len(value), path, found)
        for at, item in enumerate(value):
            _walk(shape.member, item, f"{path}[{at}]", found)
    elif kind == "string":
        _string(shape, value, path, found)
    elif kind == "timestamp":
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not EARLIEST < value < LATEST:
            found.append(f"{path} is no time in seconds: {value!r}")
    elif kind in ("integer", "long"):
        if not isinstance(value, int) or isinstance(value, bool):
            found.append(f"{path} is no whole number: {value!r}")
    elif kind == "boolean":
        if not isinstance(value, bool):
            found.append(f"{path} is not true or false: {value!r}")
    else:
        found.append(f"{path} has a type that this checker does not know: {kind}")


def _structure(shape: Shape, value, path: str, found: list[str]) -> None:
    if not isinstance(value, dict):
        found.append(f"{path} is no object: {value!r}")
        return
    for name in value:
        if name not in shape.members:
            found.append(f"{path}.{name} is not in the model")
    for name in shape.metadata.get("required", ()):
        if name not in value:
            found.append(f"{path}.{name} is required and absent")
    if getattr(shape, "is_tagged_union", False) and len(value) != 1:
        found.append(f"{path} is a union and has {len(value)} members: {sorted(value)}")
    for name, member in shape.members.items():
        if value.get(name) == "" and (shape.name, name) in MAY_BE_EMPTY:
            continue
        if name in value:
            _walk(member, value[name], f"{path}.{name}", found)


def _string(shape: Shape, value, path: str, found: list[str]) -> None:
    if not isinstance(value, str):
        found.append(f"{path} is no text: {value!r}")
        return
    _size(shape, len(value), path, found)
    pattern = shape.metadata.get("pattern")
    if pattern and not re.search(pattern, value):
        found.append(f"{path} does not match {pattern}: {value!r}")
    enum = shape.metadata.get("enum")
    if enum and value not in enum:
        found.append(f"{path} is none of {enum}: {value!r}")


def _size(shape: Shape, size: int, path: str, found: list[str]) -> None:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        found.append(f"{path} has length {size}, at least {least} expected")
    if most is not None and size > most:
        found.append(f"{path} has length {size}, at most {most} expected")
