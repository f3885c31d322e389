"""Who may not gets nothing: every operation, asked by whoever it is not for."""

import json

from botocore.exceptions import CredentialRetrievalError

from support import clients, inputs
from support.case import Case
from support.model import MODEL, declared, method
from support.world import WORLD

from .signatures import minted

class Refused(Case):
    def test_everybody_is_refused_what_is_not_theirs(self):
        developer, auditor = (minted(f"refused-{role}", role) for role in ("developer", "auditor"))
        askers = [
            clients.proton(clients.AUDITOR),
            clients.proton(clients.DEV),
            clients.keyed(developer.access_key, developer.secret_key),
            clients.keyed(auditor.access_key, auditor.secret_key),
        ]
        for name in sorted(MODEL.operation_names):
            codes = [self.code(asker, name) for asker in askers]
            if not name.startswith(("Get", "List")):
                # What an auditor can see is not there may be said to them; nothing is done for them.
                allowed = ("AccessDeniedException", "ResourceNotFoundException")
                for at in (0, 3):
                    self.assertIn(codes[at], allowed, f"{name} by an auditor")

    def test_the_table_has_the_models_operations_and_errors(self):
        kept = json.loads((WORLD.root / "tests/proton/operations.json").read_text())
        self.assertEqual(kept, {name: declared(name) for name in MODEL.operation_names})

    def code(self, client, name: str) -> str:
        try:
            getattr(client, method(name))(**inputs.minimal(name))
        except clients.ClientError as error:
            return clients.code(error)
        return "OK"

    def test_nobody_gets_no_keys(self):
        """Proven to be who they are, and in no list of the hub's configuration."""
        with self.assertRaises(CredentialRetrievalError) as caught:
            clients.proton(clients.NOBODY)
        self.assertIn("role/nobody has no role at this hub", str(caught.exception))

    def test_unknown_keys(self):
        client = clients.keyed("HUBAUNKNOWNUNKNOWN00", "nobody knows")
        told = {self.code(client, name) for name in MODEL.operation_names}
        self.assertEqual(told, {"InvalidSignatureException"})

    def test_region_of_another_hub(self):
        self.assertNotEqual(WORLD.region, "eu-west-1")
        client = clients.session(clients.MANAGEMENT).client("proton", region_name="eu-west-1")
        self.assertEqual(self.code(client, "ListServices"), "InvalidSignatureException")
