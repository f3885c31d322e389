"""Where things are: the test that starts this program says so in the file that HADRON_PROTON_WORLD names."""

import json
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class World:
    root: Path  # the checkout
    folder: Path  # the world's own, for scratch files
    emulator: str  # the emulated AWS
    api: str  # the hub's address for people, scripts and AWS clients
    ca_file: str
    region: str
    management: str  # accounts
    dev: str
    prod: str
    hub: str  # the hub's binary
    hub_config: str
    database: str  # the hub's SQLite file
    facts: dict  # what else a suite was given


def _load() -> World:
    content = json.loads(Path(os.environ["HADRON_PROTON_WORLD"]).read_text())
    content["root"], content["folder"] = Path(content["root"]), Path(content["folder"])
    return World(**content)


WORLD = _load()
