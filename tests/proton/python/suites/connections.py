"""Environment account connections: asked for in one account, answered in another."""

from support import clients, stage
from support.case import Case
from support.clients import AUDITOR, DEV, DEVELOPER, MANAGEMENT, PROD, aws, call, page_through
from support.world import WORLD

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def request(environment: str, profile: str = DEV, **members) -> dict:
    account = {DEV: WORLD.dev, PROD: WORLD.prod}[profile]
    members = {"managementAccountId": WORLD.management, "roleArn": stage.role(account), **members}
    made = call("CreateEnvironmentAccountConnection", profile, environmentName=environment, **members)
    return made["environmentAccountConnection"]


class Connections(Case):
    def test_requested_seen_accepted(self):
        name = stage.fresh("c")
        made = request(name, codebuildRoleArn=stage.role(WORLD.dev), tags=[{"key": "team", "value": "dev"}])
        self.assertEqual(made["status"], "PENDING")
        self.assertEqual(made["environmentAccountId"], WORLD.dev)
        self.assertEqual(made["managementAccountId"], WORLD.management)
        arn = f"arn:aws:proton:{WORLD.region}:{WORLD.dev}:environment-account-connection/{made['id']}"
        self.assertEqual(made["arn"], arn)
        for profile in (DEV, MANAGEMENT, AUDITOR):
            shown = call("GetEnvironmentAccountConnection", profile, id=made["id"])["environmentAccountConnection"]
            self.assertEqual(shown, made)
        incoming, _ = page_through("ListEnvironmentAccountConnections", None, requestedBy="MANAGEMENT_ACCOUNT")
        self.assertIn(made["id"], [each["id"] for each in incoming])
        sent, _ = page_through(
            "ListEnvironmentAccountConnections", None, DEV, requestedBy="ENVIRONMENT_ACCOUNT", environmentName=name
        )
        self.assertEqual([each["id"] for each in sent], [made["id"]])
        accepted = call("AcceptEnvironmentAccountConnection", id=made["id"])["environmentAccountConnection"]
        self.assertEqual(accepted["status"], "CONNECTED")
        self.assertGreaterEqual(accepted["lastModifiedAt"], made["lastModifiedAt"])
        again = call("AcceptEnvironmentAccountConnection", id=made["id"])["environmentAccountConnection"]
        self.assertEqual(again["status"], "CONNECTED")
        rejected = call("RejectEnvironmentAccountConnection", id=made["id"])["environmentAccountConnection"]
        self.assertEqual(rejected["status"], "REJECTED")

    def test_rejection_is_final(self):
        made = request(stage.fresh("c"))
        rejected = call("RejectEnvironmentAccountConnection", id=made["id"])["environmentAccountConnection"]
        self.assertEqual(rejected["status"], "REJECTED")
        self.conflict("AcceptEnvironmentAccountConnection", id=made["id"])

    def test_one_request_per_name_and_account(self):
        name = stage.fresh("c")
        made = request(name)
        self.assertEqual(request(name)["id"], made["id"])
        self.refused(
            "ConflictException",
            "CreateEnvironmentAccountConnection",
            DEV,
            environmentName=name,
            managementAccountId=WORLD.management,
            roleArn=f"arn:aws:iam::{WORLD.dev}:role/another",
        )
        other = request(name, PROD)
        self.assertNotEqual(other["id"], made["id"])
        call("AcceptEnvironmentAccountConnection", id=made["id"])
        self.conflict("AcceptEnvironmentAccountConnection", id=other["id"])

    def test_client_token_makes_one_request(self):
        name, token = stage.fresh("c"), stage.fresh("token")
        self.assertEqual(request(name, clientToken=token)["id"], request(name, clientToken=token)["id"])
        self.refused(
            "ValidationException",
            "CreateEnvironmentAccountConnection",
            DEV,
            says="Idempotent parameter mismatch",
            environmentName=stage.fresh("c"),
            managementAccountId=WORLD.management,
            roleArn=stage.role(WORLD.dev),
            clientToken=token,
        )

    def test_roles_are_changed_by_their_own_account(self):
        made = request(stage.fresh("c"))
        role = f"arn:aws:iam::{WORLD.dev}:role/changed"
        changed = call("UpdateEnvironmentAccountConnection", DEV, id=made["id"], componentRoleArn=role)
        changed = changed["environmentAccountConnection"]
        self.assertEqual((changed["componentRoleArn"], changed["roleArn"]), (role, made["roleArn"]))
        self.assertEqual(changed["status"], "PENDING")
        foreign = f"arn:aws:iam::{WORLD.prod}:role/foreign"
        self.refused("ValidationException", "UpdateEnvironmentAccountConnection", DEV, id=made["id"], roleArn=foreign)
        call("RejectEnvironmentAccountConnection", id=made["id"])
        self.refused("ConflictException", "UpdateEnvironmentAccountConnection", DEV, id=made["id"], componentRoleArn=role)

    def test_withdrawn_by_its_own_account(self):
        made = request(stage.fresh("c"))
        gone = call("DeleteEnvironmentAccountConnection", DEV, id=made["id"])["environmentAccountConnection"]
        self.assertEqual((gone["id"], gone["status"]), (made["id"], "PENDING"))
        for operation in ("GetEnvironmentAccountConnection", "DeleteEnvironmentAccountConnection"):
            self.refused("ResourceNotFoundException", operation, DEV, id=made["id"])

    def test_in_use_it_cannot_be_rejected(self):
        name = stage.environment()
        self.conflict("RejectEnvironmentAccountConnection", id=connection_of(name))
        call("DeleteEnvironment", name=name)
        self.eventually("the environment to go", lambda: gone(name))

    def test_what_is_missing_or_malformed(self):
        for operation in ("Accept", "Reject", "Get"):
            self.missing(f"{operation}EnvironmentAccountConnection", id=UNKNOWN)
            self.invalid(f"{operation}EnvironmentAccountConnection", id="no-uuid", says="id")
        for operation in ("Update", "Delete"):
            self.refused("ResourceNotFoundException", f"{operation}EnvironmentAccountConnection", DEV, id=UNKNOWN)
            self.refused("ValidationException", f"{operation}EnvironmentAccountConnection", DEV, says="id", id="no-uuid")
        self.invalid("ListEnvironmentAccountConnections", requestedBy="SOMEBODY", says="requestedBy")
        members = {"environmentName": "x", "roleArn": stage.role(WORLD.dev)}
        self.refused(
            "ValidationException",
            "CreateEnvironmentAccountConnection",
            DEV,
            says="managementAccountId",
            managementAccountId="12",
            **members,
        )
        self.refused(
            "ValidationException",
            "CreateEnvironmentAccountConnection",
            DEV,
            managementAccountId=WORLD.prod,
            **members,
        )

    def test_nobody_acts_for_another_account(self):
        made = request(stage.fresh("c"))
        for operation in ("Accept", "Reject"):
            for profile in (DEV, AUDITOR):
                self.denied(f"{operation}EnvironmentAccountConnection", profile, id=made["id"])
            # A developer sees connections of their own account only.
            self.refused(
                "ResourceNotFoundException", f"{operation}EnvironmentAccountConnection", DEVELOPER, id=made["id"]
            )
        # To another account, what is not theirs is not there, or not theirs: it must not learn which.
        self.refused_alike("GetEnvironmentAccountConnection", made["id"])
        self.refused_alike("DeleteEnvironmentAccountConnection", made["id"])
        self.refused_alike("UpdateEnvironmentAccountConnection", made["id"], roleArn=stage.role(WORLD.prod))
        for profile in (DEVELOPER, AUDITOR):
            self.denied(
                "CreateEnvironmentAccountConnection",
                profile,
                environmentName="x",
                managementAccountId=WORLD.management,
                roleArn=stage.role(WORLD.management),
            )
        theirs, _ = page_through("ListEnvironmentAccountConnections", None, PROD, requestedBy="ENVIRONMENT_ACCOUNT")
        self.assertNotIn(made["id"], [each["id"] for each in theirs])

    def refused_alike(self, operation: str, id: str, **members) -> None:
        told = []
        for each in (id, UNKNOWN):
            with self.assertRaises(clients.ClientError) as caught:
                call(operation, PROD, id=each, **members)
            message = clients.message(caught.exception).replace(each, "ID").replace(each.replace("-", ""), "ID")
            told.append((clients.code(caught.exception), message))
        self.assertEqual(*told)

    def test_pages_and_filters(self):
        name = stage.fresh("c")
        made = [request(name), request(name, PROD), request(stage.fresh("c"))]
        call("RejectEnvironmentAccountConnection", id=made[0]["id"])
        everything, pages = page_through("ListEnvironmentAccountConnections", 1, requestedBy="MANAGEMENT_ACCOUNT")
        self.assertGreaterEqual(pages, 3)
        self.assertEqual(len(everything), len({each["id"] for each in everything}))
        pending, _ = page_through(
            "ListEnvironmentAccountConnections", 1, requestedBy="MANAGEMENT_ACCOUNT", statuses=["PENDING"]
        )
        found = {each["id"] for each in pending}
        self.assertNotIn(made[0]["id"], found)
        self.assertLessEqual({made[1]["id"], made[2]["id"]}, found)

    def test_the_command_line(self):
        name = stage.fresh("cli")
        made = aws(
            "create-environment-account-connection",
            "--environment-name", name, "--management-account-id", WORLD.management, "--role-arn", stage.role(WORLD.prod),
            profile=PROD,
        )["environmentAccountConnection"]
        listed = aws("list-environment-account-connections", "--requested-by", "MANAGEMENT_ACCOUNT", "--statuses", "PENDING")
        self.assertIn(made["id"], [each["id"] for each in listed["environmentAccountConnections"]])
        accepted = aws("accept-environment-account-connection", "--id", made["id"])
        self.assertEqual(accepted["environmentAccountConnection"]["status"], "CONNECTED")
        shown = aws("get-environment-account-connection", "--id", made["id"], profile=PROD)
        self.assertEqual(shown, accepted)
        role = f"arn:aws:iam::{WORLD.prod}:role/other"
        aws("update-environment-account-connection", "--id", made["id"], "--component-role-arn", role, profile=PROD)
        aws("reject-environment-account-connection", "--id", made["id"])
        aws("delete-environment-account-connection", "--id", made["id"], profile=PROD)


def connection_of(environment: str) -> str:
    return call("GetEnvironment", name=environment)["environment"]["environmentAccountConnectionId"]


def gone(environment: str) -> bool:
    try:
        call("GetEnvironment", name=environment)
    except clients.ClientError as error:
        return clients.code(error) == "ResourceNotFoundException"
    return False
