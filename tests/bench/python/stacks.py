"""Makes many stacks as others do it, over several accounts of an emulated AWS; prints how long that took.

stacks.py (raw | waiter | awscli) ENDPOINT COUNT TEMPLATE ACCOUNT...
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config

how, endpoint, count, template, accounts = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5:]
text = pathlib.Path(template).read_text()


def client(account):
    # In the emulated AWS an account's number is its root user's key.
    return boto3.client(
        "cloudformation",
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id=account,
        aws_secret_access_key="root",
        config=Config(max_pool_connections=64, retries={"mode": "standard"}),
    )


def own(number):
    """The template with names that nobody has yet; SSM keeps those that begin with /aws for AWS."""
    return text.replace("/hadron-demo/", f"/bench/{how}/{number}/")


clients = {account: client(account) for account in accounts}


def name(number):
    return f"bench-{how}-{number}", clients[accounts[number % len(accounts)]]


def create(number):
    stack, cloudformation = name(number)
    cloudformation.create_stack(StackName=stack, TemplateBody=own(number), Capabilities=["CAPABILITY_IAM"])


def status(number):
    stack, cloudformation = name(number)
    return cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]


def raw():
    """Every stack at once, sixteen calls under way, each stack asked for every 250 ms until it is complete."""
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(create, range(count)))
        waiting = list(range(count))
        while waiting:
            began = time.monotonic()
            found = list(pool.map(status, waiting))
            bad = [found for found in found if found not in ("CREATE_IN_PROGRESS", "CREATE_COMPLETE")]
            assert not bad, bad
            waiting = [number for number, now in zip(waiting, found) if now != "CREATE_COMPLETE"]
            if waiting:
                time.sleep(max(0.0, 0.25 - (time.monotonic() - began)))


def waiter():
    def one(number):
        create(number)
        stack, cloudformation = name(number)
        cloudformation.get_waiter("stack_create_complete").wait(StackName=stack)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(count)))


def awscli():
    with tempfile.TemporaryDirectory() as folder:

        def one(number):
            stack, _ = name(number)
            file = pathlib.Path(folder, f"{number}.yaml")
            file.write_text(own(number))
            account = accounts[number % len(accounts)]
            environment = os.environ | {
                "AWS_ACCESS_KEY_ID": account,
                "AWS_SECRET_ACCESS_KEY": "root",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_ENDPOINT_URL": endpoint,
                "AWS_EC2_METADATA_DISABLED": "true",
            }
            command = ["aws", "cloudformation", "deploy", "--stack-name", stack, "--template-file", str(file)]
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(one, range(count)))


began = time.monotonic()
{"raw": raw, "waiter": waiter, "awscli": awscli}[how]()
print(json.dumps({"seconds": time.monotonic() - began}))
