"""A blocker of a service's sync, written down where a sync would: there is no sync with Git yet, and so nothing else makes one."""

import json
import sqlite3
import time
import uuid

from .world import WORLD


def plant(service: str, instance: str) -> str:
    id = uuid.uuid4()
    with sqlite3.connect(WORLD.database, timeout=30) as database:
        database.execute(
            "INSERT INTO sync_blocker (id, service, instance, status, reason, contexts, created_at, resolved_at, resolved_reason) "
            "VALUES (?, ?, ?, 'ACTIVE', ?, ?, ?, NULL, '')",
            (f"blk_{id.hex}", service, instance, "The spec in the repository is older", json.dumps({}), int(time.time() * 1_000_000)),
        )
    return str(id)
