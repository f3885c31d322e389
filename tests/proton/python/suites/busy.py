"""A hub that works on one call at a time: clients that come all at once are told to come again, and do so by themselves."""

import threading

from botocore.config import Config

from support import clients
from support.case import Case

CALLERS, EACH = 12, 10


class Busy(Case):
    def test_everybody_is_answered_in_the_end(self):
        # As everybody has it: the retries that AWS recommends, and no handling of errors.
        config = Config(retries={"mode": "standard", "max_attempts": 10}, max_pool_connections=CALLERS)
        client = clients.session(clients.MANAGEMENT).client("proton", config=config)
        barrier, failed = threading.Barrier(CALLERS), []

        def many() -> None:
            barrier.wait()
            try:
                for _ in range(EACH):
                    client.get_account_settings()
            except Exception as error:  # noqa: BLE001 - any error is a failure of the promise
                failed.append(repr(error))

        threads = [threading.Thread(target=many) for _ in range(CALLERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failed, [])
