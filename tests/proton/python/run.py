"""Runs suites against a hub: `python run.py templates environments`. The test that starts this tells where the hub is."""

import os
import sys
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True  # the source tree stays as it was checked out
sys.path.insert(0, str(Path(__file__).parent))

from support import record  # noqa: E402


class Timed(unittest.TextTestResult):
    """Says how long each test took."""

    def startTest(self, test):
        self._began = time.monotonic()
        super().startTest(test)

    def stopTest(self, test):
        super().stopTest(test)
        self.stream.writeln(f"    {time.monotonic() - self._began:.2f} s  {test.id()}")


def main() -> int:
    names = [f"suites.{name}" for name in sys.argv[1:]]
    # In the order in which they are written: they are told as stories.
    unittest.TestLoader.sortTestMethodsUsing = None
    loader = unittest.TestLoader()
    loader.sortTestMethodsUsing = None
    suite = loader.loadTestsFromNames(names)
    runner = unittest.TextTestRunner(verbosity=0, resultclass=Timed, failfast=False)
    result = runner.run(suite)
    if "HADRON_PROTON_RECORD" in os.environ:
        record.write(Path(os.environ["HADRON_PROTON_RECORD"]))
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main())
