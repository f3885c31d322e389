"""Faults on demand: rules that tests post, taken in order, each as often as it says.

A rule: {"service": "cloudformation", "action": "ExecuteChangeSet", "account": "333333333333", "times": 1,
         "kind": "drop", "seconds": 0, "code": "...", "message": "...", "status": 400}
Absent or "*" means any. Kinds:
  throttle    refused before it is applied: Throttling / ThrottlingException
  error       refused before it is applied, with `code`, `message` and `status`
  http500     refused before it is applied: InternalFailure
  delay       applied after `seconds`, then answered
  drop        applied, never answered: the connection is closed after `seconds`
  disconnect  not applied, never answered: the connection is closed
"""

import html
import json

KINDS = {"throttle", "error", "http500", "delay", "drop", "disconnect"}
_MATCHED = ("service", "action", "account")
_KNOWN = {*_MATCHED, "times", "kind", "seconds", "code", "message", "status"}

_rules: list[dict] = []


class BadRule(ValueError):
    pass


def add(document) -> list[dict]:
    """Append the rules of a JSON document (one rule or a list of them)."""
    rules = [_checked(rule) for rule in (document if isinstance(document, list) else [document])]
    _rules.extend(rules)
    return rules


def _checked(rule) -> dict:
    if not isinstance(rule, dict) or rule.get("kind") not in KINDS:
        raise BadRule(f"a rule is an object whose kind is one of {sorted(KINDS)}")
    if unknown := set(rule) - _KNOWN:
        raise BadRule(f"unknown members {sorted(unknown)}")
    if rule["kind"] == "error" and not rule.get("code"):
        raise BadRule("kind error needs a code")
    return {"times": 1, "seconds": 0, "message": "", "status": 400, **rule}


def pending() -> list[dict]:
    return [dict(rule) for rule in _rules]


def clear() -> None:
    _rules.clear()


def take(call: dict) -> dict | None:
    """The first rule for this call, used up by one."""
    for rule in _rules:
        if all(rule.get(name) in (None, "*", call[name]) for name in _MATCHED):
            rule["times"] -= 1
            if rule["times"] <= 0:
                _rules.remove(rule)
            return dict(rule)
    return None


def refusal(rule: dict, wants_json: bool) -> tuple[int, bytes, bytes, str]:
    """Status, content type, body and code of a refusing rule, in the protocol the caller speaks."""
    status, code, message = {
        "throttle": (400, "ThrottlingException" if wants_json else "Throttling", "Rate exceeded"),
        "http500": (500, "InternalFailure", "The request processing has failed because of an unknown error."),
    }.get(rule["kind"], (rule["status"], rule.get("code"), ""))
    code = rule.get("code") or code
    message = rule["message"] or message
    if wants_json:
        return status, b"application/x-amz-json-1.1", json.dumps({"__type": code, "message": message}).encode(), code
    side = "Sender" if status < 500 else "Receiver"
    body = (f"<ErrorResponse><Error><Type>{side}</Type><Code>{html.escape(code)}</Code>"
            f"<Message>{html.escape(message)}</Message></Error><RequestId>hadron-fault</RequestId></ErrorResponse>")
    return status, b"text/xml", body.encode(), code
