"""Requests that are not what they say they are, over plain HTTP: refused, with one answer for whatever an attacker would like
to tell apart, and written down in the audit log."""

import datetime
import http.client
import json
import os
import sqlite3
import ssl
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from support import clients, inputs, record
from support.case import Case
from support.model import MODEL
from support.world import WORLD

CREATE = "CreateEnvironmentTemplate"


def admin(*words: str) -> str:
    """A command of the hub's own administration, beside the running hub."""
    environment = {"PATH": os.environ["PATH"]}
    command = [WORLD.hub, "admin", "access-key", *words, "--config", WORLD.hub_config]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True).stdout


def minted(name: str, role: str = "administrator") -> Credentials:
    made = json.loads(admin("create", name, "--role", role, "--output", "json"))
    return Credentials(made["AccessKeyId"], made["SecretAccessKey"])


def signed(
    credentials: Credentials,
    operation: str = CREATE,
    members: dict | None = None,
    region: str = WORLD.region,
    service: str = "proton",
    age: float = 0,
    headers: dict | None = None,
) -> AWSRequest:
    body = json.dumps(members if members is not None else {"name": f"x-{uuid.uuid4().hex[:8]}"}).encode()
    request = AWSRequest("POST", f"{WORLD.api}/", data=body, headers={
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": f"AwsProton20200720.{operation}",
        **(headers or {}),
    })
    then = datetime.timedelta(seconds=-age)
    _at(then, lambda: botocore.auth.SigV4Auth(credentials, service, region).add_auth(request))
    return request


def _at(moved: datetime.timedelta, work) -> None:
    """Does something at another time, as far as botocore's signer knows."""
    kept = botocore.auth.get_current_datetime
    botocore.auth.get_current_datetime = lambda: kept() + moved
    try:
        work()
    finally:
        botocore.auth.get_current_datetime = kept


def send(request: AWSRequest, body: bytes | None = None, headers: list | None = None) -> tuple[int, dict]:
    where = urlsplit(WORLD.api)
    connection = http.client.HTTPSConnection(
        where.hostname, where.port, context=ssl.create_default_context(cafile=WORLD.ca_file), timeout=30
    )
    body = request.data if body is None else body
    connection.putrequest("POST", "/", skip_accept_encoding=True)
    pairs = headers if headers is not None else list(request.headers.items())
    for name, value in pairs:
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    answer = connection.getresponse()
    content = json.loads(answer.read() or b"{}")
    connection.close()
    return answer.status, content


class Signatures(Case):
    @classmethod
    def setUpClass(cls):
        cls.key = minted("signer")

    def accepted(self, request: AWSRequest, **how) -> dict:
        status, answer = send(request, **how)
        self.assertEqual(status, 200, answer)
        return answer

    def turned_away(self, request: AWSRequest, code: str = "InvalidSignatureException", **how) -> str:
        status, answer = send(request, **how)
        self.assertEqual((status, answer.get("__type", "").rsplit("#", 1)[-1]), (400, code), answer)
        return answer["message"]

    def audited(self) -> int:
        with sqlite3.connect(f"file:{WORLD.database}?mode=ro", uri=True) as database:
            return database.execute("SELECT count(*) FROM audit WHERE outcome = 'denied'").fetchone()[0]

    def test_a_good_one_is_accepted(self):
        answer = self.accepted(signed(self.key))
        self.assertIn("environmentTemplate", answer)

    def test_alike_whatever_is_wrong_with_the_key(self):
        """Who does not know the secret learns nothing about the key, nor whether there is one."""
        before = self.audited()
        wrong = Credentials(self.key.access_key, "not the secret")
        unknown = Credentials("HUBA" + "Q" * (len(self.key.access_key) - 4), self.key.secret_key)
        disabled = minted("to-be-disabled")
        self.accepted(signed(disabled))
        admin("disable", "to-be-disabled")
        told = {self.turned_away(signed(each)) for each in (wrong, unknown, disabled)}
        self.assertEqual(len(told), 1, told)
        self.assertGreaterEqual(self.audited(), before + 3)

    def test_a_body_that_was_changed(self):
        before = self.audited()
        request = signed(self.key)
        self.turned_away(request, body=request.data.replace(b"x-", b"y-"))
        self.assertGreater(self.audited(), before)

    def test_a_header_that_was_changed(self):
        request = signed(self.key)
        headers = [
            (name, value.replace("Create", "Delete") if name == "X-Amz-Target" else value)
            for name, value in request.headers.items()
        ]
        self.turned_away(request, headers=headers)

    def test_a_header_that_was_not_signed(self):
        request = signed(self.key)
        without = {
            part.strip() for part in request.headers["Authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
        }
        for needed in ("host", "x-amz-date", "x-amz-target"):
            self.assertIn(needed, without)
            request = signed(self.key)
            value = request.headers["Authorization"].replace(f"{needed};", "").replace(f";{needed},", ",")
            self.assertNotEqual(value, request.headers["Authorization"])
            pairs = [(name, value if name == "Authorization" else other) for name, other in request.headers.items()]
            self.turned_away(request, "IncompleteSignatureException", headers=pairs)

    def test_a_header_that_comes_twice(self):
        request = signed(self.key)
        pairs = [*request.headers.items(), ("X-Amz-Target", "AwsProton20200720.ListServices")]
        status, answer = send(request, headers=pairs)
        self.assertEqual(status, 400, answer)
        pairs = [*request.headers.items(), ("X-Amz-Date", request.headers["X-Amz-Date"])]
        self.turned_away(request, "IncompleteSignatureException", headers=pairs)

    def test_an_old_date_and_one_to_come(self):
        before = self.audited()
        self.accepted(signed(self.key, age=120))
        self.turned_away(signed(self.key, age=360))
        self.turned_away(signed(self.key, age=-360))
        self.turned_away(signed(self.key, age=86_400))
        self.assertGreaterEqual(self.audited(), before + 3)

    def test_a_mutating_call_counts_once(self):
        before = self.audited()
        request = signed(self.key)
        self.accepted(request)
        # SDKs sign anew and ask again after this one.
        self.turned_away(request, "ThrottlingException")
        self.assertGreater(self.audited(), before)
        reading = signed(self.key, "ListServices", {})
        self.accepted(reading)
        self.accepted(reading)

    def test_no_mutating_call_counts_twice(self):
        """Each of them; the second time nothing is done, whatever the first was answered."""
        def twice(operation: str) -> tuple[str, int, dict]:
            request = signed(self.key, operation, inputs.minimal(operation))
            send(request)
            return (operation, *send(request))

        mutating = [name for name in MODEL.operation_names if not name.startswith(("Get", "List"))]
        with ThreadPoolExecutor(16) as pool:
            for operation, status, answer in pool.map(twice, mutating):
                code = answer.get("__type", "").rsplit("#", 1)[-1]
                self.assertEqual((operation, status, code), (operation, 400, "ThrottlingException"))
                record.error(operation, code)

    def test_a_foreign_scope(self):
        before = self.audited()
        self.turned_away(signed(self.key, service="sts"))
        self.turned_away(signed(self.key, region="eu-west-1"))
        self.assertGreaterEqual(self.audited(), before + 2)

    def test_none_at_all(self):
        request = signed(self.key)
        pairs = [(name, value) for name, value in request.headers.items() if name != "Authorization"]
        self.turned_away(request, "MissingAuthenticationTokenException", headers=pairs)
        for value in ("AWS4-HMAC-SHA256", "Bearer abc", "AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature=0"):
            self.turned_away(request, "IncompleteSignatureException", headers=[*pairs, ("Authorization", value)])

    def test_a_temporary_key_needs_its_token(self):
        frozen = clients.session(clients.MANAGEMENT).get_credentials().get_frozen_credentials()
        self.accepted(signed(Credentials(frozen.access_key, frozen.secret_key, frozen.token)))
        self.turned_away(signed(Credentials(frozen.access_key, frozen.secret_key)))
        self.turned_away(signed(Credentials(frozen.access_key, frozen.secret_key, "another")))

    def test_the_role_of_a_minted_key_counts(self):
        reader = minted("reader", "auditor")
        self.accepted(signed(reader, "ListServices", {}))
        self.turned_away(signed(reader), "AccessDeniedException")

    def test_what_is_no_operation(self):
        status, answer = send(signed(self.key, "MakeCoffee", {}))
        self.assertEqual((status, answer["__type"].rsplit("#", 1)[-1]), (400, "UnknownOperationException"), answer)

    def test_what_has_no_members_is_an_object_all_the_same(self):
        for operation in ("GetAccountSettings", "GetResourcesSummary"):
            status, answer = send(signed(self.key, operation, []))
            code = answer.get("__type", "").rsplit("#", 1)[-1]
            self.assertEqual((status, code), (400, "ValidationException"), answer)
            record.error(operation, code)

    def test_what_is_no_json(self):
        for body in (b"{", b"[]", b"null", b"\xff\xfe", b'{"name": ' + b"[" * 5000):
            request = AWSRequest("POST", f"{WORLD.api}/", data=body, headers={
                "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AwsProton20200720.{CREATE}",
            })
            botocore.auth.SigV4Auth(self.key, "proton", WORLD.region).add_auth(request)
            status, answer = send(request)
            code = answer.get("__type", "").rsplit("#", 1)[-1]
            self.assertEqual((status, code), (400, "ValidationException"), (body[:40], answer))
