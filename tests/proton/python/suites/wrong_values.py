"""For each member of each input that has a pattern, a length, a range or an enum: a value that breaks just that, made from
the model, and sent as botocore would not. The answer is ValidationException and names the member."""

from support import clients, inputs
from support.case import Case
from support.clients import proton
from support.model import MODEL, method

# Fewer would mean that something is left out.
AT_LEAST = 600


class WrongValues(Case):
    def test_each_is_refused_by_name(self):
        client = proton(validate=False)
        count, faults = 0, []
        for name in sorted(MODEL.operation_names):
            for wrong in inputs.wrong(name):
                count += 1
                try:
                    getattr(client, method(name))(**wrong.members)
                except clients.ClientError as error:
                    code, message = clients.code(error), clients.message(error)
                    if code != "ValidationException":
                        faults.append(f"{wrong}: {code}: {message}")
                    elif wrong.member not in message:
                        faults.append(f"{wrong}: the message does not name {wrong.member}: {message}")
                else:
                    faults.append(f"{wrong}: accepted")
        print(f"{count} wrong values of {len(MODEL.operation_names)} operations")
        self.assertGreaterEqual(count, AT_LEAST)
        self.assertEqual(faults, [], f"{len(faults)} of {count}:\n  " + "\n  ".join(faults[:60]))

    def test_what_is_sensitive_is_not_said_again(self):
        secret = "canary" * 100
        message = self.invalid("CreateEnvironmentTemplate", name="x", description=secret, says="description")
        self.assertNotIn("canary", message)
        message = self.invalid("CreateEnvironmentTemplate", name="x", displayName=secret, says="displayName")
        self.assertNotIn("canary", message)

    def test_all_faults_are_told_at_once(self):
        message = self.invalid("CreateEnvironmentTemplate", name="a b", displayName="x" * 101, says="2 validation errors")
        self.assertIn("name", message)
        self.assertIn("displayName", message)

    def test_other_types(self):
        client = proton(validate=False)
        for operation, members, member in (
            ("GetEnvironment", {"name": 7}, "name"),
            ("GetEnvironment", {"name": ["a"]}, "name"),
            ("ListEnvironments", {"maxResults": "many"}, "maxResults"),
            ("CreateEnvironmentTemplate", {"name": "x", "tags": {"key": "a"}}, "tags"),
            ("UpdateAccountSettings", {"deletePipelineProvisioningRepository": "yes"}, "deletePipelineProvisioningRepository"),
        ):
            with self.subTest(f"{operation} {members}"), self.assertRaises(clients.ClientError) as caught:
                _send_as_is(client, operation, members)
            self.assertIn(clients.code(caught.exception), ("ValidationException", "SerializationException"))
            self.assertIn(member, clients.message(caught.exception))


def _send_as_is(client, operation: str, members: dict) -> None:
    """Botocore's serializer makes numbers of what should be numbers; here the body is what it is."""
    import json

    def replace(request, **_):
        request.data = json.dumps(members).encode()

    events = client.meta.events
    event = f"request-created.proton.{operation}"
    events.register_first(event, replace)
    try:
        getattr(client, method(operation))(**{name: value for name, value in inputs.minimal(operation).items()})
    finally:
        events.unregister(event, replace)
