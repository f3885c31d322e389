"""The call log: what reached AWS, in order of arrival, so that a test can prove what was called how often."""

import collections
import hashlib
import json
import re
import time
import urllib.parse

KEPT = 100_000
LONG = 4_000  # a parameter longer than this is cut; the log is for reading

_log: collections.deque = collections.deque(maxlen=KEPT)
_next_seq = 1

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
# Services that say what they do by a form field; all others by a header or by method and path.
_TEMPLATE = "TemplateBody"
_SECRET = re.compile(r"password|secret(?!Id$)", re.IGNORECASE)


def since(seq: int) -> list[dict]:
    return [call for call in _log if call["seq"] > seq]


def clear() -> None:
    _log.clear()


def open_call(method: str, path: str, query: dict, headers: dict, body: bytes) -> dict:
    """Record a request on arrival. `status` stays None while it runs, and for ever if it never ends."""
    global _next_seq
    key, region, service = credential(headers, query)
    action, params = what(method, path, query, headers, body)
    call = {
        "seq": _next_seq,
        "time": time.time(),
        "account": None,
        "key": kind_of(key),
        "caller": None,
        "region": region,
        "service": service,
        "action": action,
        "params": params,
        "status": None,
        "error": None,
        "fault": None,
        "answered": None,
    }
    _next_seq += 1
    _log.append(call)
    return call


def credential(headers: dict, query: dict) -> tuple[str, str | None, str | None]:
    """Access key id, region and service of the signature, header or query; unsigned gives an empty key."""
    found = _CREDENTIAL.search(headers.get("authorization", ""))
    if found:
        return found.group(1), found.group(2), found.group(3)
    scope = (query.get("X-Amz-Credential") or [""])[0].split("/")
    if len(scope) == 5:
        return scope[0], scope[2], scope[3]
    return "", None, None


def kind_of(key: str) -> str:
    if not key:
        return "unsigned"
    if re.fullmatch(r"\d{12}", key):
        return "account"
    return {"ASIA": "session", "AKIA": "user"}.get(key[:4], "other")


def what(method: str, path: str, query: dict, headers: dict, body: bytes) -> tuple[str, object]:
    """The action and the parameters that matter, whatever protocol the service speaks."""
    target = headers.get("x-amz-target", "")
    if target:
        return target.rsplit(".", 1)[-1], _shorten(_json(body))
    fields = dict(query)
    if "x-www-form-urlencoded" in headers.get("content-type", ""):
        fields |= urllib.parse.parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    action = (fields.pop("Action", None) or [""])[0]
    if action:
        fields.pop("Version", None)
        return action, _shorten({name: values[-1] for name, values in fields.items()})
    return f"{method} {path}", {name: values[-1] for name, values in query.items() if not name.startswith("X-Amz-")}


def error_code(status: int, headers: list, body: bytes) -> str | None:
    """The error code of an answer: JSON `__type`, XML `<Code>`, or the header REST services use."""
    if status < 400:
        return None
    named = next((v.decode("latin-1") for k, v in headers if k.lower() == b"x-amzn-errortype"), "")
    if named:
        return named.split(":")[0].rsplit("#", 1)[-1]
    found = re.search(rb"<Code>([^<]+)</Code>", body)
    if found:
        return found.group(1).decode()
    document = _json(body)
    if isinstance(document, dict):
        return str(document.get("__type") or document.get("code") or "").rsplit("#", 1)[-1] or None
    return None


def _json(body: bytes):
    try:
        return json.loads(body) if body else {}
    except ValueError:
        return None


def _shorten(params):
    if not isinstance(params, dict):
        return params
    short = {}
    for name, value in params.items():
        if name == _TEMPLATE and isinstance(value, str):
            short["TemplateBodySha256"] = hashlib.sha256(value.encode()).hexdigest()
        elif _SECRET.search(name) and isinstance(value, str):
            short[name] = "..."
        elif isinstance(value, str) and len(value) > LONG:
            short[name] = value[:LONG] + "..."
        else:
            short[name] = value
    return short
