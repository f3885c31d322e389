"""The base of all tests: assertions that name the operation, and the check that no response was other than the model."""

import time
import unittest

from botocore.exceptions import ClientError, WaiterError

from . import clients, record
from .clients import call


class Case(unittest.TestCase):
    maxDiff = 4000

    def tearDown(self):
        found = record.problems()
        if found:
            self.fail("responses that the model does not allow:\n  " + "\n  ".join(found))

    def refused(self, code: str, operation: str, profile: str = clients.MANAGEMENT, says: str = "", **members) -> str:
        """The operation has to end with this error, and the message has to say this; gives the message."""
        try:
            answer = call(operation, profile, **members)
        except ClientError as error:
            self.assertEqual(clients.code(error), code, f"{operation}: {clients.message(error)}")
            self.assertIn(says, clients.message(error))
            return clients.message(error)
        self.fail(f"{operation} was to end with {code}, but: {clients.plain(answer)}")

    def invalid(self, operation: str, **members) -> str:
        return self.refused("ValidationException", operation, **members)

    def missing(self, operation: str, **members) -> str:
        return self.refused("ResourceNotFoundException", operation, **members)

    def conflict(self, operation: str, **members) -> str:
        return self.refused("ConflictException", operation, **members)

    def denied(self, operation: str, profile: str, **members) -> str:
        return self.refused("AccessDeniedException", operation, profile, **members)

    def waits_in_vain(self, waiter: str, **members) -> None:
        """The waiter has to end with failure: the server said so, and it did not run out of tries."""
        with self.assertRaises(WaiterError) as caught:
            clients.wait(waiter, **members)
        self.assertIn("terminal failure", str(caught.exception))

    def eventually(self, what: str, look, patience: float = 60):
        """Asks until the answer is true; gives it."""
        end = time.monotonic() + patience
        while True:
            found = look()
            if found:
                return found
            if time.monotonic() > end:
                self.fail(f"waited {patience} s in vain for {what}")
            time.sleep(0.1)
