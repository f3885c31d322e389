"""AWS for Hadron's tests and demo: ministack, plus what it lacks and what tests need to see and to break.

    python emulator.py        configured by the environment; the contract is in README.md

Read `overlay/front.py` for the request path (call log, faults, /_hadron), `overlay/stacks.py` for the rules of
CloudFormation we depend on, `overlay/resources.py` for resource types, `overlay/registry.py` for ECR,
`overlay/permissions.py` for what AUTH=true judges.
"""

import os
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True  # the source tree stays as it was checked out


def prepare_environment() -> str | None:
    """Settle what ministack reads at import. Returns the temporary state directory when we made one."""
    # ministack takes its root credentials from these; a developer's own must not become the emulator's.
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        os.environ.pop(name, None)
    defaults = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": "4566",
        "MINISTACK_HOST": "127.0.0.1",
        "AUTH": "false",
        "LOG_LEVEL": "WARNING",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)

    made = None
    if "STATE_DIR" not in os.environ:
        made = os.environ["STATE_DIR"] = tempfile.mkdtemp(prefix="hadron-emulator-")
    os.environ.setdefault("S3_DATA_DIR", os.path.join(os.environ["STATE_DIR"], "s3"))
    return made


def main() -> None:
    made = prepare_environment()
    import ministack.app as ministack  # first: it adjusts hypercorn for everything below

    from overlay import front, permissions, registry, resources, stacks

    registry.install()
    resources.install()
    stacks.install(delay=float(os.environ.get("CFN_DELAY", "0")))
    permissions.install(enabled=ministack.AUTH)
    front.install(ministack)
    try:
        ministack.main()
    finally:
        if made:
            shutil.rmtree(made, ignore_errors=True)


if __name__ == "__main__":
    main()
