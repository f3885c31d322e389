"""Check the emulator against what the tests of Hadron rely on: `python check.py`, with the emulator's own venv.

Starts the emulator twice (AUTH=false, AUTH=true) on free ports and prints one line per fact.
"""

import contextlib
import datetime
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request

import boto3
import botocore
import botocore.auth
import botocore.awsrequest
import botocore.credentials

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).parent
MANAGEMENT, ENVIRONMENT, OTHER = "111111111111", "333333333333", "444444444444"
REGION = "us-east-1"


# ---- the emulator under check ---------------------------------------------------------------------------------------


class Emulator:
    def __init__(self, **environment):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.state = tempfile.TemporaryDirectory(prefix="hadron-check-")
        started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "emulator.py")],
            env={"PATH": os.environ["PATH"], "GATEWAY_PORT": str(self.port), "STATE_DIR": self.state.name, **environment},
        )
        while True:
            with contextlib.suppress(OSError):
                self.get("health")
                break
            assert self.process.poll() is None, "the emulator ended"
            time.sleep(0.02)
        self.start_up = time.monotonic() - started

    def stop(self):
        self.process.terminate()
        code = self.process.wait(20)
        self.state.cleanup()
        return code

    def _call(self, method, path, document=None):
        body = json.dumps(document).encode() if document is not None else None
        request = urllib.request.Request(f"{self.url}/_hadron/{path}", data=body, method=method)
        with urllib.request.urlopen(request) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def get(self, path):
        return self._call("GET", path)

    def fault(self, **rule):
        return self._call("POST", "faults", [rule])

    def no_faults(self):
        self._call("DELETE", "faults")

    def mark(self):
        calls = self.get("calls")
        return calls[-1]["seq"] if calls else 0

    def calls(self, mark=0):
        return self.get(f"calls?since={mark}")

    def client(self, service, credentials=ENVIRONMENT):
        """A client of one try, for an account's root (a 12-digit key) or for (key, secret, token)."""
        key, secret, token = credentials if isinstance(credentials, tuple) else (credentials, "test", None)
        config = botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=20,
                                        s3={"addressing_style": "path"})
        return boto3.client(service, region_name=REGION, endpoint_url=self.url, aws_access_key_id=key,
                            aws_secret_access_key=secret, aws_session_token=token, config=config)


def refused(code, action, **parameters):
    try:
        action(**parameters)
    except botocore.exceptions.ClientError as error:
        found = error.response["Error"]["Code"]
        assert found in (code if isinstance(code, tuple) else (code,)), f"{found}: {error}"
        return error.response["Error"]["Message"]
    raise AssertionError(f"was not refused with {code}")


def template(**resources):
    return json.dumps({"Resources": {name: {"Type": kind, "Properties": properties}
                                     for name, (kind, properties) in resources.items()}})


def topic(name):
    return "AWS::SNS::Topic", {"TopicName": name}


def parameter(value):
    return "AWS::SSM::Parameter", {"Name": "/check/value", "Type": "String", "Value": value}


def status(cfn, stack):
    return cfn.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]


def settled(cfn, stack, seconds=20.0):
    end = time.monotonic() + seconds
    while (now := status(cfn, stack)).endswith("_IN_PROGRESS") and now != "REVIEW_IN_PROGRESS":
        assert time.monotonic() < end, f"{stack} still {now}"
        time.sleep(0.02)
    return now


def change_set(cfn, stack, name, body, kind="UPDATE", **more):
    return cfn.create_change_set(StackName=stack, ChangeSetName=name, ChangeSetType=kind, TemplateBody=body, **more)


def deploy(cfn, stack, name, body, kind="UPDATE", token="token", wait=True, **more):
    made = change_set(cfn, stack, name, body, kind, **more)
    cfn.execute_change_set(ChangeSetName=made["Id"], ClientRequestToken=token)
    return made["StackId"], (settled(cfn, made["StackId"]) if wait else None)


def events(cfn, stack):
    return cfn.describe_stack_events(StackName=stack)["StackEvents"]


# ---- facts ----------------------------------------------------------------------------------------------------------


def fence_of_change_sets(emulator):
    cfn = emulator.client("cloudformation")
    stack, ended = deploy(cfn, "fence", "c1", template(T=topic("one")), "CREATE", token="t-create")
    assert ended == "CREATE_COMPLETE"
    assert {e.get("ClientRequestToken") for e in events(cfn, stack)} == {None, "t-create"}, "REVIEW carries none"
    first = change_set(cfn, stack, "u1", template(T=topic("two")))
    second = change_set(cfn, stack, "u2", template(T=topic("three")))
    refused("AlreadyExistsException", cfn.create_change_set, StackName=stack, ChangeSetName="u2",
            ChangeSetType="UPDATE", TemplateBody=template(T=topic("four")))
    listed = [c["ChangeSetName"] for c in cfn.list_change_sets(StackName=stack)["Summaries"]]
    assert {"u1", "u2"} <= set(listed), listed
    third = change_set(cfn, stack, "u3", template(T=topic("five")))
    cfn.delete_change_set(ChangeSetName=third["Id"])
    refused("ChangeSetNotFound", cfn.execute_change_set, ChangeSetName=third["Id"])
    cfn.execute_change_set(ChangeSetName=second["Id"], ClientRequestToken="t-update")
    refused("ChangeSetNotFound", cfn.execute_change_set, ChangeSetName=first["Id"])
    assert settled(cfn, stack) == "UPDATE_COMPLETE"
    refused(("InvalidChangeSetStatus", "InvalidChangeSetStatusException"), cfn.execute_change_set,
            ChangeSetName=second["Id"])
    assert any(e.get("ClientRequestToken") == "t-update" for e in events(cfn, stack))
    same = change_set(cfn, stack, "same", template(T=topic("three")))
    described = cfn.describe_change_set(ChangeSetName=same["Id"])
    assert described["Status"] == "FAILED" and "didn't contain changes" in described["StatusReason"]


def delete_by_arn(emulator):
    cfn = emulator.client("cloudformation")
    old, _ = deploy(cfn, "twin", "c1", template(T=topic("twin-old")), "CREATE")
    cfn.delete_stack(StackName=old, ClientRequestToken="t-delete")
    assert settled(cfn, old) == "DELETE_COMPLETE"
    refused("ValidationError", cfn.describe_stacks, StackName="twin")
    new, _ = deploy(cfn, "twin", "c2", template(T=topic("twin-new")), "CREATE")
    assert new != old
    cfn.delete_stack(StackName=old)
    time.sleep(0.1)
    assert status(cfn, new) == "CREATE_COMPLETE", "the new stack lives"
    assert status(cfn, old) == "DELETE_COMPLETE", "the old one is still known by its ARN"
    refused("ValidationError", cfn.list_change_sets, StackName=old)


def review_keeps_its_id(emulator):
    cfn = emulator.client("cloudformation")
    first = change_set(cfn, "review", "r1", template(T=topic("r1")), "CREATE")
    second = change_set(cfn, "review", "r2", template(T=topic("r2")), "CREATE")
    assert first["StackId"] == second["StackId"]
    assert cfn.describe_change_set(ChangeSetName=second["Id"])["StackId"] == first["StackId"]
    assert status(cfn, first["StackId"]) == "REVIEW_IN_PROGRESS"
    cfn.execute_change_set(ChangeSetName=second["Id"])
    assert settled(cfn, first["StackId"]) == "CREATE_COMPLETE"
    refused("ChangeSetNotFound", cfn.describe_change_set, ChangeSetName=first["Id"])
    refused("ValidationError", cfn.create_change_set, StackName="review", ChangeSetName="r3", ChangeSetType="CREATE",
            TemplateBody=template(T=topic("r3")))


def slow_resources(emulator):
    cfn = emulator.client("cloudformation")
    slow = lambda seconds, **more: template(S=("Hadron::Test::Slow", {"Seconds": seconds, **more}))  # noqa: E731
    began = time.monotonic()
    stack, _ = deploy(cfn, "slow", "c1", slow(0.6), "CREATE", wait=False)
    assert status(cfn, stack) == "CREATE_IN_PROGRESS"
    refused("ValidationError", cfn.create_change_set, StackName=stack, ChangeSetName="early", ChangeSetType="UPDATE",
            TemplateBody=slow(1))
    assert settled(cfn, stack) == "CREATE_COMPLETE" and time.monotonic() - began >= 0.6
    deploy(cfn, stack, "u1", slow(30), wait=False)
    assert status(cfn, stack) == "UPDATE_IN_PROGRESS"
    refused("ValidationError", cfn.delete_stack, StackName=stack)
    began = time.monotonic()
    cfn.cancel_update_stack(StackName=stack, ClientRequestToken="t-cancel")
    assert settled(cfn, stack) == "UPDATE_ROLLBACK_COMPLETE" and time.monotonic() - began < 3
    tokens = {e["ResourceStatus"]: e.get("ClientRequestToken") for e in events(cfn, stack)
              if e["PhysicalResourceId"] == stack}
    assert tokens["UPDATE_ROLLBACK_COMPLETE"] == "t-cancel", tokens
    refused("ValidationError", cfn.cancel_update_stack, StackName=stack)
    deploy(cfn, stack, "u2", slow(0, DeleteSeconds=0.5))
    cfn.delete_stack(StackName=stack)
    assert status(cfn, stack) == "DELETE_IN_PROGRESS"
    cfn.delete_stack(StackName=stack)
    assert settled(cfn, stack) == "DELETE_COMPLETE"
    assert [e["ResourceStatus"] for e in events(cfn, stack)].count("DELETE_IN_PROGRESS") == 2, "stack and resource, once"


def delete_while_creating(emulator):
    cfn = emulator.client("cloudformation")
    stack, _ = deploy(cfn, "hasty", "c1", template(T=topic("hasty"), S=("Hadron::Test::Slow", {"Seconds": 30})),
                      "CREATE", wait=False)
    cfn.delete_stack(StackName=stack)
    assert settled(cfn, stack) == "DELETE_COMPLETE"
    assert not [t for t in emulator.client("sns").list_topics()["Topics"] if t["TopicArn"].endswith(":hasty")]


def failing_resources(emulator):
    cfn = emulator.client("cloudformation")
    fail = lambda on, **more: ("Hadron::Test::Fail", {"On": on, "Reason": "no luck", **more})  # noqa: E731
    stack, ended = deploy(cfn, "fail-create", "c1", template(F=fail(["create"])), "CREATE")
    assert ended == "ROLLBACK_COMPLETE", ended
    assert any(e["ResourceStatus"] == "CREATE_FAILED" and e["ResourceStatusReason"] == "no luck"
               for e in events(cfn, stack))
    refused("ValidationError", cfn.create_change_set, StackName="fail-create", ChangeSetName="again",
            ChangeSetType="CREATE", TemplateBody=template(T=topic("x")))

    stack, ended = deploy(cfn, "fail-update", "c1", template(F=fail([]), P=parameter("old")), "CREATE")
    assert ended == "CREATE_COMPLETE"
    _, ended = deploy(cfn, stack, "u1", template(F=fail(["update"]), P=parameter("new")))
    assert ended == "UPDATE_ROLLBACK_COMPLETE", ended
    value = emulator.client("ssm").get_parameter(Name="/check/value")["Parameter"]["Value"]
    assert value == "old", value

    _, ended = deploy(cfn, stack, "u2", template(F=fail(["update", "rollback"], Times=1), P=parameter("old")))
    assert ended == "UPDATE_ROLLBACK_FAILED", ended
    refused("ValidationError", cfn.create_change_set, StackName=stack, ChangeSetName="u3", ChangeSetType="UPDATE",
            TemplateBody=template(P=parameter("x")))
    cfn.continue_update_rollback(StackName=stack, ClientRequestToken="t-continue")
    assert settled(cfn, stack) == "UPDATE_ROLLBACK_COMPLETE"

    stack, _ = deploy(cfn, "fail-delete", "c1", template(F=fail(["delete"]), T=topic("gone")), "CREATE")
    for _ in range(2):
        cfn.delete_stack(StackName=stack)
        time.sleep(0.1)
        assert settled(cfn, stack) == "DELETE_FAILED"
    left = [r["LogicalResourceId"] for r in cfn.list_stack_resources(StackName=stack)["StackResourceSummaries"]]
    assert left == ["F"], left
    cfn.delete_stack(StackName=stack, RetainResources=["F"])
    assert settled(cfn, stack) == "DELETE_COMPLETE"

    stack, _ = deploy(cfn, "fail-once", "c1", template(F=fail("delete", Times=1)), "CREATE")
    cfn.delete_stack(StackName=stack)
    assert settled(cfn, stack) == "DELETE_FAILED"
    cfn.delete_stack(StackName=stack)
    assert settled(cfn, stack) == "DELETE_COMPLETE"


PULL = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]


def pull_policy(account):
    return json.dumps({"Version": "2012-10-17", "Statement": [{
        "Sid": "hadronPull1", "Effect": "Allow", "Action": PULL,
        "Principal": {"AWS": [f"arn:aws:iam::{account}:root"]}}]})


def ecr_across_accounts(emulator, puller=ENVIRONMENT, stranger=OTHER):
    own = emulator.client("ecr", MANAGEMENT)
    made = own.create_repository(repositoryName=f"pulled-{time.time_ns()}")["repository"]["repositoryName"]
    manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"})
    own.put_image(repositoryName=made, imageManifest=manifest, imageTag="v1")
    read = {"registryId": MANAGEMENT, "repositoryName": made, "imageIds": [{"imageTag": "v1"}]}
    denied = ("AccessDeniedException", "AccessDenied")
    refused(denied, emulator.client("ecr", puller).batch_get_image, **read)
    own.set_repository_policy(repositoryName=made, policyText=pull_policy(ENVIRONMENT))
    assert len(emulator.client("ecr", puller).batch_get_image(**read)["images"]) == 1
    emulator.client("ecr", puller).batch_check_layer_availability(
        registryId=MANAGEMENT, repositoryName=made, layerDigests=["sha256:" + "0" * 64])
    refused(denied, emulator.client("ecr", stranger).batch_get_image, **read)
    refused(denied, emulator.client("ecr", puller).delete_repository, registryId=MANAGEMENT, repositoryName=made)
    own.delete_repository_policy(repositoryName=made)
    refused(denied, emulator.client("ecr", puller).batch_get_image, **read)
    refused("RepositoryPolicyNotFoundException", own.get_repository_policy, repositoryName=made)
    refused("RegistryPolicyNotFoundException", own.get_registry_policy)
    bad = json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": PULL, "Resource": "*"}]})
    refused("InvalidParameterException", own.set_repository_policy, repositoryName=made, policyText=bad)


def call_log(emulator):
    cfn, mark = emulator.client("cloudformation"), emulator.mark()
    stack, _ = deploy(cfn, "logged", "c1", template(T=topic("logged")), "CREATE")
    refused("ValidationError", cfn.describe_stacks, StackName="nobody")
    emulator.client("ecr", MANAGEMENT).describe_repositories()
    calls = emulator.calls(mark)
    executed = [c for c in calls if c["action"] == "ExecuteChangeSet"]
    assert len(executed) == 1 and executed[0]["account"] == ENVIRONMENT and executed[0]["status"] == 200
    assert executed[0]["params"]["ClientRequestToken"] == "token" and executed[0]["key"] == "account"
    created = next(c for c in calls if c["action"] == "CreateChangeSet")
    assert len(created["params"]["TemplateBodySha256"]) == 64 and "TemplateBody" not in created["params"]
    failed = next(c for c in calls if c["params"] == {"StackName": "nobody"})
    assert (failed["status"], failed["error"]) == (400, "ValidationError"), failed
    assert next(c for c in calls if c["service"] == "ecr")["account"] == MANAGEMENT
    assert [c["seq"] for c in calls] == sorted(c["seq"] for c in calls)
    seen = emulator.get("state")["accounts"][ENVIRONMENT]["regions"][REGION]["stacks"]
    mine = next(s for s in seen if s["arn"] == stack)
    assert mine["executions"] == 1 and mine["last_executed_change_set"].startswith("arn:"), mine
    assert mine["resources"][0] | {"physical": ""} == {
        "logical": "T", "type": "AWS::SNS::Topic", "physical": "", "status": "CREATE_COMPLETE"}


def faults(emulator):
    cfn = emulator.client("cloudformation")
    made = change_set(cfn, "faulty", "c1", template(T=topic("faulty")), "CREATE")
    emulator.fault(service="cloudformation", action="DescribeStacks", kind="throttle", times=2)
    for _ in range(2):
        refused("Throttling", cfn.describe_stacks, StackName=made["StackId"])
    assert status(cfn, made["StackId"]) == "REVIEW_IN_PROGRESS"
    emulator.fault(service="ecr", kind="throttle", account=MANAGEMENT)
    emulator.client("ecr", OTHER).describe_repositories()
    refused("ThrottlingException", emulator.client("ecr", MANAGEMENT).describe_repositories)
    emulator.fault(action="DescribeStacks", kind="error", code="ExpiredToken", message="expired", status=403)
    refused("ExpiredToken", cfn.describe_stacks)
    emulator.fault(action="DescribeStacks", kind="http500")
    refused("InternalFailure", cfn.describe_stacks)
    emulator.fault(action="DescribeStacks", kind="delay", seconds=0.4)
    began = time.monotonic()
    cfn.describe_stacks()
    assert time.monotonic() - began >= 0.4
    for kind, applied in (("disconnect", False), ("drop", True)):
        mark = emulator.mark()
        emulator.fault(service="cloudformation", action="ExecuteChangeSet", kind=kind)
        try:
            cfn.execute_change_set(ChangeSetName=made["Id"])
            raise AssertionError("was answered")
        except botocore.exceptions.ConnectionClosedError:
            pass
        execution = cfn.describe_change_set(ChangeSetName=made["Id"])["ExecutionStatus"]
        assert (execution != "AVAILABLE") == applied, (kind, execution)
        call = emulator.calls(mark)[0]
        assert (call["fault"], call["answered"], call["status"]) == (kind, False, 200 if applied else None), call
    emulator.fault(kind="throttle", action="Nothing", times=9)
    assert emulator.get("faults")[0]["times"] == 9
    emulator.no_faults()
    assert emulator.get("faults") == []


# ---- AUTH=true ------------------------------------------------------------------------------------------------------


def make_role(emulator, account, name, *statements):
    """A role of the account and the credentials of a session of it."""
    iam = emulator.client("iam", account)
    trust = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}}]}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": list(statements)}))
    return arn, assume(emulator, account, arn)


def assume(emulator, account, arn, session="check"):
    given = emulator.client("sts", account).assume_role(RoleArn=arn, RoleSessionName=session)["Credentials"]
    return given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]


def allow(*actions, resource="*"):
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource}


def signed_identity(credentials, **headers):
    """A GetCallerIdentity signed for the real STS host, with further signed headers."""
    key, secret, token = credentials
    host = f"sts.{REGION}.amazonaws.com"
    body = "Action=GetCallerIdentity&Version=2011-06-15"
    request = botocore.awsrequest.AWSRequest("POST", f"https://{host}/", data=body, headers={
        "Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        "Content-Length": str(len(body)), **headers})
    botocore.auth.SigV4Auth(botocore.credentials.Credentials(key, secret, token), "sts", REGION).add_auth(request)
    return body.encode(), dict(request.headers.items()) | {"Host": host}


def forward(emulator, body, headers):
    """What the hub does: the signed request, its Host kept, sent elsewhere."""
    request = urllib.request.Request(f"{emulator.url}/", data=body, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def identity_proof(emulator):
    arn, credentials = make_role(emulator, ENVIRONMENT, "HadronAgent")
    role = emulator.client("iam").get_role(RoleName="HadronAgent")["Role"]
    assert role["RoleId"].startswith("AROA"), role["RoleId"]
    extra = {"x-hadron-challenge": "c1", "x-hadron-hub-id": "hub", "x-hadron-key": "k1"}
    body, headers = signed_identity(credentials, **extra)
    signed = headers["Authorization"].split("SignedHeaders=")[1].split(",")[0]
    assert signed == ("accept;content-length;content-type;host;x-amz-date;x-amz-security-token;"
                      "x-hadron-challenge;x-hadron-hub-id;x-hadron-key"), signed
    code, text = forward(emulator, body, headers)
    assert code == 200, text
    assert f"arn:aws:sts::{ENVIRONMENT}:assumed-role/HadronAgent/check" in text, text
    assert f"{role['RoleId']}:check" in text and ENVIRONMENT in text, text
    for name in extra:
        code, text = forward(emulator, body, headers | {name: "other"})
        assert code == 403 and "SignatureDoesNotMatch" in text, (name, code, text)
    code, text = forward(emulator, body, headers | {"Host": f"127.0.0.1:{emulator.port}"})
    assert code == 403, text
    code, text = forward(emulator, body + b"&X=1", headers | {"Content-Length": str(len(body) + 4)})
    assert code == 403, text
    code, text = forward(emulator, body, {k: v for k, v in headers.items() if k.lower() != "x-amz-security-token"})
    assert code == 403, text
    wrong = (credentials[0], "x" * 40, credentials[2])
    code, text = forward(emulator, *signed_identity(wrong, **extra))
    assert code == 403 and "SignatureDoesNotMatch" in text, text
    refused(("SignatureDoesNotMatch", "InvalidSignatureException"), emulator.client("cloudformation", wrong).list_stacks)
    refused(("InvalidClientTokenId", "UnrecognizedClientException"),
            emulator.client("cloudformation", ("ASIAUNKNOWN0000000000", "x", "y")).list_stacks)


def old_signature_is_refused(emulator):
    _, credentials = make_role(emulator, ENVIRONMENT, "HadronOld")
    past = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) - datetime.timedelta(minutes=20)
    real = botocore.auth.get_current_datetime
    botocore.auth.get_current_datetime = lambda *a, **k: past
    try:
        body, headers = signed_identity(credentials)
    finally:
        botocore.auth.get_current_datetime = real
    code, text = forward(emulator, body, headers)
    assert code in (400, 403), (code, text)


def role_permissions(emulator):
    stacks_of_hadron = f"arn:aws:cloudformation:{REGION}:{ENVIRONMENT}:stack/hadron-*/*"
    _, nobody = make_role(emulator, ENVIRONMENT, "Nobody")
    refused(("AccessDenied", "AccessDeniedException"), emulator.client("cloudformation", nobody).list_change_sets,
            StackName="hadron-x")
    provisioning = f"arn:aws:iam::{ENVIRONMENT}:role/hadron-provisioning"
    emulator.client("iam").create_role(RoleName="hadron-provisioning", AssumeRolePolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "cloudformation.amazonaws.com"}}]}))
    others = [f"cloudformation:{action}" for action in (
        "DescribeChangeSet", "ListChangeSets", "ExecuteChangeSet", "DeleteChangeSet", "DescribeStacks",
        "DescribeStackEvents", "DeleteStack")]
    _, agent = make_role(
        emulator, ENVIRONMENT, "Agent",
        allow("cloudformation:CreateChangeSet", resource=stacks_of_hadron) | {
            "Condition": {"StringEquals": {"cloudformation:RoleArn": provisioning}}},
        allow(*others, resource=stacks_of_hadron),
        allow("iam:PassRole", resource=provisioning) | {
            "Condition": {"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}}})
    cfn = emulator.client("cloudformation", agent)
    stack, ended = deploy(cfn, "hadron-a", "c1", template(T=topic("by-agent")), "CREATE", RoleARN=provisioning)
    assert ended == "CREATE_COMPLETE", "resources are made without asking the caller's or a service role's policies"
    refused(("AccessDenied", "AccessDeniedException"), cfn.create_change_set, StackName="foreign", ChangeSetName="c1",
            ChangeSetType="CREATE", TemplateBody=template(T=topic("no")), RoleARN=provisioning)
    refused("AccessDenied", cfn.create_change_set, StackName="hadron-b", ChangeSetName="c1", ChangeSetType="CREATE",
            TemplateBody=template(T=topic("no")))
    refused("AuthorizationError", emulator.client("sns", agent).list_topics)
    role = template(R=("AWS::IAM::Role", {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}}))
    refused(("InsufficientCapabilitiesException", "InsufficientCapabilities"), cfn.create_change_set,
            StackName="hadron-b", ChangeSetName="c1", ChangeSetType="CREATE", TemplateBody=role,
            RoleARN=provisioning)
    change_set(cfn, "hadron-b", "c1", role, "CREATE", Capabilities=["CAPABILITY_IAM"], RoleARN=provisioning)
    root = emulator.client("cloudformation")
    untrusting, _ = make_role(emulator, ENVIRONMENT, "Untrusting")
    refused("ValidationError", root.create_change_set, StackName="hadron-c", ChangeSetName="c1",
            ChangeSetType="CREATE", TemplateBody=role, Capabilities=["CAPABILITY_IAM"], RoleARN=untrusting)
    _, passing_nothing = make_role(emulator, ENVIRONMENT, "PassingNothing", allow("cloudformation:*"))
    message = refused("AccessDenied", emulator.client("cloudformation", passing_nothing).create_change_set,
                      StackName="hadron-c", ChangeSetName="c1", ChangeSetType="CREATE",
                      TemplateBody=template(T=topic("no")), RoleARN=provisioning)
    assert "iam:PassRole" in message, message
    cfn.delete_stack(StackName=stack)
    assert settled(cfn, stack) == "DELETE_COMPLETE"
    by_agent = [c for c in emulator.calls() if c["caller"] and c["caller"].endswith(":assumed-role/Agent/check")]
    assert by_agent and all(c["key"] == "session" and c["account"] == ENVIRONMENT for c in by_agent)


def ecr_with_roles(emulator):
    _, puller = make_role(emulator, ENVIRONMENT, "Puller", allow("ecr:*"))
    _, stranger = make_role(emulator, OTHER, "Puller", allow("ecr:*"))
    _, unable = make_role(emulator, ENVIRONMENT, "Unable")
    ecr_across_accounts(emulator, puller, stranger)
    own = emulator.client("ecr", MANAGEMENT)
    own.create_repository(repositoryName="both", tags=[{"Key": "hadron:managed", "Value": "true"}])
    own.create_repository(repositoryName="foreign")
    tagged = {"Condition": {"StringEquals": {"aws:ResourceTag/hadron:managed": "true"}}}
    _, registrar = make_role(emulator, MANAGEMENT, "Registrar",
                             allow("ecr:GetRepositoryPolicy", "ecr:SetRepositoryPolicy") | tagged)
    as_registrar = emulator.client("ecr", registrar)
    as_registrar.set_repository_policy(repositoryName="both", policyText=pull_policy(OTHER))
    refused(("AccessDeniedException", "AccessDenied"), as_registrar.set_repository_policy, repositoryName="foreign",
            policyText=pull_policy(OTHER))
    own.set_repository_policy(repositoryName="both", policyText=pull_policy(ENVIRONMENT))
    refused(("AccessDeniedException", "AccessDenied"), emulator.client("ecr", unable).batch_get_image,
            registryId=MANAGEMENT, repositoryName="both", imageIds=[{"imageTag": "v1"}])


def delay_per_resource(_):
    emulator = Emulator(CFN_DELAY="0.3")
    try:
        cfn = emulator.client("cloudformation")
        stack, _ = deploy(cfn, "visible", "c1", template(A=topic("a"), B=topic("b")), "CREATE", wait=False)
        assert status(cfn, stack) == "CREATE_IN_PROGRESS"
        began = time.monotonic()
        assert settled(cfn, stack) == "CREATE_COMPLETE" and 0.4 < time.monotonic() - began < 2
        deploy(cfn, stack, "u1", template(A=topic("a2"), B=topic("b2")), wait=False)
        cfn.cancel_update_stack(StackName=stack)
        assert settled(cfn, stack) == "UPDATE_ROLLBACK_COMPLETE"
    finally:
        emulator.stop()


BOTH = [fence_of_change_sets, delete_by_arn, review_keeps_its_id, slow_resources, delete_while_creating,
        failing_resources, ecr_across_accounts, call_log, faults]
WITH_AUTH = [delay_per_resource, identity_proof, old_signature_is_refused, role_permissions, ecr_with_roles]


def main() -> int:
    failures = 0
    for auth, facts in (("false", BOTH), ("true", BOTH + WITH_AUTH)):
        emulator = Emulator(AUTH=auth)
        print(f"AUTH={auth}: started in {emulator.start_up:.2f} s")
        for fact in facts:
            try:
                fact(emulator)
                print(f"  ok    {fact.__name__}")
            except Exception:
                failures += 1
                print(f"  FAIL  {fact.__name__}\n{traceback.format_exc()}")
        code = emulator.stop()
        print(f"  ended with {code}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
