"""Unmodified clients: boto3, and the AWS CLI as a process. Each call through them is recorded and each response checked."""

import json
import os
import re
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError

from . import checker, record
from .model import MODEL, command, method
from .world import WORLD

# The people of the tests, by their profile in AWS_CONFIG_FILE.
MANAGEMENT, DEVELOPER, AUDITOR, DEV, PROD = "management", "developer", "auditor", "dev", "prod"
RETRIES = {"total_max_attempts": 4, "mode": "standard"}
# Somebody whom the hub's configuration does not mention, and who gets no keys.
NOBODY = "nobody"


def _checked(http_response, parsed, model, **_) -> None:
    found = checker.problems(model, http_response.status_code, http_response.headers, http_response.content)
    for text in found:
        record.problem(f"{model.name}: {text}")
    if http_response.status_code < 300:
        record.success(model.name, "boto3")
    elif parsed.get("Error", {}).get("Code") not in checker.OF_SIGNATURES:
        record.error(model.name, parsed.get("Error", {}).get("Code", "?"))


def _received(parsed_response=None, context=None, exception=None, **_) -> None:
    """Every answer, also of attempts that are repeated."""
    if exception is not None:
        record.problem(f"{context.get('operation_name', '?')}: no answer: {exception!r}")
    elif (parsed_response or {}).get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
        record.problem(f"an answer with status 500: {parsed_response.get('Error')}")


@lru_cache(maxsize=None)
def session(profile: str) -> boto3.Session:
    return boto3.Session(profile_name=profile)


@lru_cache(maxsize=None)
def proton(profile: str = MANAGEMENT, validate: bool = True, recorded: bool = True):
    """A client as somebody. It asks again as SDKs do: a request that is signed in the same second as an equal one is taken
    for a replay, and has to be signed anew. A fault of the server is noticed all the same."""
    config = Config(
        parameter_validation=validate,
        retries=RETRIES,
        tcp_keepalive=True,
        max_pool_connections=32,
    )
    client = session(profile).client("proton", config=config)
    if recorded:
        _watch(client)
    return client


def _watch(client) -> None:
    client.meta.events.register("after-call.proton", _checked)
    client.meta.events.register("response-received.proton", _received)


def keyed(access_key: str, secret: str):
    """A client with a key that the hub minted: it belongs to no account."""
    client = boto3.Session().client(
        "proton",
        aws_access_key_id=access_key,
        aws_secret_access_key=secret,
        config=Config(retries=RETRIES, max_pool_connections=32),
    )
    _watch(client)
    return client


def call(operation: str, profile: str = MANAGEMENT, **members):
    """Calls an operation by its name in the model."""
    return getattr(proton(profile), method(operation))(**members)


def plain(response: dict) -> dict:
    """The response without what botocore adds to it."""
    return {name: value for name, value in response.items() if name != "ResponseMetadata"}


def page_through(operation: str, size: int | None, profile: str = MANAGEMENT, **members) -> tuple[list, int]:
    """All items of a list by botocore's paginator, and how many pages they came in."""
    paginator = proton(profile).get_paginator(method(operation))
    keys = paginator.result_keys[0].expression
    config = {"PageSize": size} if size else {}
    items, pages = [], 0
    for page in paginator.paginate(PaginationConfig=config, **members):
        items.extend(page.get(keys, ()))
        pages += 1
    record.paginated(operation, pages)
    return items, pages


def wait(waiter: str, profile: str = MANAGEMENT, tries: int = 600, **members) -> None:
    """Waits by botocore's own waiter, impatiently: the hub is near and the emulated AWS quick."""
    try:
        proton(profile).get_waiter(waiter).wait(WaiterConfig={"Delay": 0.1, "MaxAttempts": tries}, **members)
    except WaiterError as error:
        record.waited(waiter, "failure" if "terminal failure" in str(error) else "no end")
        raise
    record.waited(waiter, "success")


class Ended(Exception):
    """The AWS CLI ended with an error; `code` is the API's, if it was the API that refused."""

    def __init__(self, arguments, status: int, text: str):
        super().__init__(f"aws {' '.join(arguments)} ended with {status}: {text}")
        self.status, self.text = status, text
        found = re.search(r"An error occurred \((\w+)\)", text)
        self.code = found.group(1) if found else None


def aws(*arguments: str, profile: str = MANAGEMENT, service: str = "proton", more: dict | None = None):
    """Runs the AWS CLI; gives what it prints, as data where it is JSON."""
    program = str(Path(sys.executable).with_name("aws"))
    words = [program, service, *arguments]
    environment = {**os.environ, "AWS_PROFILE": profile, "AWS_PAGER": "", "AWS_MAX_ATTEMPTS": "4", "AWS_RETRY_MODE": "standard", **(more or {})}
    environment.pop("HADRON_PROTON_WORLD", None)
    ran = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120, check=False)
    operation = _COMMANDS.get(arguments[0]) if service == "proton" else None
    if ran.returncode:
        ended = Ended((service, *arguments), ran.returncode, ran.stderr.strip())
        if operation and ended.code:
            record.error(operation, ended.code)
        raise ended
    if operation:
        record.success(operation, "aws")
    if arguments[0] == "wait":
        record.waited(arguments[1].replace("-", "_"), "success")
    text = ran.stdout.strip()
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


_COMMANDS = {command(name): name for name in MODEL.operation_names}


def code(error: ClientError) -> str:
    return error.response["Error"]["Code"]


def message(error: ClientError) -> str:
    return error.response["Error"]["Message"]
