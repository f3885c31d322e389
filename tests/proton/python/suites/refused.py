"""Who is nobody gets nothing: every operation, with keys that the hub does not know, and as somebody without a part."""

import boto3
from botocore.config import Config

from support import clients, inputs
from support.case import Case
from support.model import MODEL, method
from support.world import WORLD


class Refused(Case):
    def test_unknown_keys(self):
        client = boto3.Session().client(
            "proton",
            aws_access_key_id="HUBAUNKNOWNUNKNOWN00",
            aws_secret_access_key="nobody knows",
            config=Config(retries={"total_max_attempts": 1}),
        )
        client.meta.events.register("after-call.proton", clients._checked)
        for name in sorted(MODEL.operation_names):
            with self.subTest(name), self.assertRaises(clients.ClientError) as caught:
                getattr(client, method(name))(**inputs.minimal(name))
            self.assertEqual(clients.code(caught.exception), "AccessDeniedException")

    def test_somebody_without_a_part(self):
        """Proven to be who they are, and in no list of the hub's configuration."""
        client = clients.proton(clients.NOBODY)
        for name in sorted(MODEL.operation_names):
            with self.subTest(name), self.assertRaises(clients.ClientError) as caught:
                getattr(client, method(name))(**inputs.minimal(name))
            self.assertEqual(clients.code(caught.exception), "AccessDeniedException")

    def test_an_auditor_changes_nothing(self):
        client = clients.proton(clients.AUDITOR)
        for name in sorted(MODEL.operation_names):
            if name.startswith(("Get", "List")):
                continue
            with self.subTest(name), self.assertRaises(clients.ClientError) as caught:
                getattr(client, method(name))(**inputs.minimal(name))
            self.assertEqual(clients.code(caught.exception), "AccessDeniedException", clients.message(caught.exception))

    def test_region_of_another_hub(self):
        client = boto3.Session(profile_name="management").client("proton", region_name="eu-west-1", config=Config(
            retries={"total_max_attempts": 1}
        ))
        with self.assertRaises(clients.ClientError) as caught:
            client.list_services()
        self.assertEqual(clients.code(caught.exception), "AccessDeniedException")
        self.assertNotEqual(WORLD.region, "eu-west-1")
