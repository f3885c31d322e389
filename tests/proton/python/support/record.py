"""Remembers what was seen of each operation: with success, and with which errors, by which client. The tests' table is made
from the files that this writes."""

import json
import threading
from collections import defaultdict
from pathlib import Path

from .model import MODEL

_lock = threading.Lock()
_success: dict[str, set[str]] = defaultdict(set)
_errors: dict[str, set[str]] = defaultdict(set)
_paginated: set[str] = set()
_waited: dict[str, set[str]] = defaultdict(set)
_problems: list[str] = []


def success(operation: str, client: str) -> None:
    with _lock:
        _success[operation].add(client)


def error(operation: str, code: str) -> None:
    with _lock:
        _errors[operation].add(code)


def paginated(operation: str, pages: int) -> None:
    """A paginator was run to its end; `pages` of more than one need a token."""
    with _lock:
        _paginated.add(f"{operation}:{'many' if pages > 1 else 'one'}")


def waited(waiter: str, outcome: str) -> None:
    with _lock:
        _waited[waiter].add(outcome)


def problem(text: str) -> None:
    with _lock:
        _problems.append(text)


def problems() -> list[str]:
    """What responses had that the model does not allow, since the last time this was asked."""
    with _lock:
        found = list(dict.fromkeys(_problems))
        _problems.clear()
        return found


def write(path: Path) -> None:
    with _lock:
        content = {
            "operations": {
                name: {
                    "success": sorted(_success.get(name, ())),
                    "errors": sorted(_errors.get(name, ())),
                }
                for name in sorted(MODEL.operation_names)
                if name in _success or name in _errors
            },
            "paginators": sorted(_paginated),
            "waiters": {name: sorted(seen) for name, seen in sorted(_waited.items())},
        }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")
