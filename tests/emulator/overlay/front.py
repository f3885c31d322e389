"""The front of the emulator: every request passes here once, on its way in and on its way out.

Own endpoints live under /_hadron (README.md); everything else is logged, perhaps broken on purpose, and handed on.
"""

import asyncio
import contextvars
import json
import logging
import os
import urllib.parse

from hypercorn.asyncio.tcp_server import TCPServer
from ministack.core import iam_evaluator, responses

from . import calls, faults, permissions, state

logger = logging.getLogger("hadron")

# The connection a request came on. ASGI has no word for "close without an answer".
_connection: contextvars.ContextVar = contextvars.ContextVar("hadron_connection")


def install(ministack) -> None:
    run = TCPServer.run

    async def remember(self):
        _connection.set(self.writer)
        await run(self)

    TCPServer.run = remember
    ministack.app = _front(ministack.app, ministack)


def _front(inner, ministack):
    async def front(scope, receive, send):
        if scope["type"] != "http" or scope["path"].startswith("/_ministack/"):
            return await inner(scope, receive, send)
        body = await _read(receive)
        if scope["path"].startswith("/_hadron/"):
            return await _own(scope, body, send, ministack)
        return await _pass(inner, scope, body, send)

    return front


async def _pass(inner, scope, body: bytes, send) -> None:
    """Log, break if a rule says so, apply, answer."""
    headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope.get("headers", [])}
    query = urllib.parse.parse_qs(scope.get("query_string", b"").decode("utf-8", "replace"), keep_blank_values=True)
    call = calls.open_call(scope["method"], scope["path"], query, headers, body)
    _name_caller(call, headers, query)

    rule = faults.take(call) or {"kind": None, "seconds": 0}
    call["fault"] = rule["kind"]
    if rule["kind"] == "disconnect":
        call["answered"] = False
        return _close()
    if rule["kind"] in ("throttle", "error", "http500"):
        wants_json = "json" in headers.get("content-type", "")
        status, content_type, text, code = faults.refusal(rule, wants_json)
        call.update(status=status, error=code, answered=True)
        return await _answer(send, status, text, content_type)
    if rule["kind"] == "delay":
        await asyncio.sleep(rule["seconds"])

    answer = _Answer(call, None if rule["kind"] == "drop" else send)
    try:
        await inner(scope, _replay(body), answer.send)
    finally:
        answer.finish()
    if rule["kind"] == "drop":
        await asyncio.sleep(rule["seconds"])
        _close()


class _Answer:
    """Watches an answer pass; keeps the text of an error to read its code; holds all back when told to."""

    def __init__(self, call: dict, send):
        self.call, self.forward = call, send
        self.status, self.headers, self.text = None, [], b""

    async def send(self, message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], message.get("headers", [])
            if self.status < 400:
                self.finish()  # known before the client sees it, so a test that got its answer finds it in the log
        elif message["type"] == "http.response.body":
            self.text += message.get("body", b"")[:16_384] if self.status and self.status >= 400 else b""
            if not message.get("more_body"):
                self.finish()
        if self.forward:
            await self.forward(message)

    def finish(self) -> None:
        if self.call["status"] is None:
            self.call["status"] = self.status
            self.call["error"] = calls.error_code(self.status or 0, self.headers, self.text)
            self.call["answered"] = self.forward is not None and self.status is not None


def _name_caller(call: dict, headers: dict, query: dict) -> None:
    """Account and ARN by the access key alone; whether the signature is right is for ministack to say."""
    key, _, _ = calls.credential(headers, query)
    permissions.access_key.set(key)
    try:
        if key:
            owner = iam_evaluator.find_iam_access_key_account(key)
            responses.set_request_account_id(owner or key)
        call["account"] = responses.get_account_id()
        call["caller"] = iam_evaluator.request_caller_arn(headers, query) if key else None
    except Exception as error:  # a caller nobody knows is still worth a line in the log
        logger.debug("cannot name the caller: %s", error)


def _close() -> None:
    _connection.get().transport.abort()


async def _read(receive) -> bytes:
    chunks, more = [], True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(chunks)


def _replay(body: bytes):
    sent = False
    never = asyncio.Event()

    async def receive():
        nonlocal sent
        if not sent:
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}
        await never.wait()  # a client that hangs up does not stop AWS either

    return receive


async def _answer(send, status: int, body: bytes, content_type: bytes = b"application/json") -> None:
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _own(scope, body: bytes, send, ministack) -> None:
    """The endpoints of the tests."""
    query = urllib.parse.parse_qs(scope.get("query_string", b"").decode())
    wanted = scope["method"], scope["path"].removeprefix("/_hadron/")
    status, document = 200, None
    match wanted:
        case "GET", "health":
            document = {"ready": True, "auth": bool(ministack.AUTH), "pid": os.getpid()}
        case "GET", "calls":
            document = calls.since(int((query.get("since") or ["0"])[0]))
        case "DELETE", "calls":
            calls.clear()
        case "GET", "state":
            document = state.view()
        case "GET", "faults":
            document = faults.pending()
        case "POST", "faults":
            try:
                document = faults.add(json.loads(body))
            except ValueError as error:
                status, document = 400, {"error": str(error)}
        case "DELETE", "faults":
            faults.clear()
        case _:
            status, document = 404, {"error": f"no {scope['method']} {scope['path']} here"}
    if document is None:
        return await _answer(send, 204, b"")
    await _answer(send, status, json.dumps(document, default=str).encode())
