"""Make one call with each SDK, all at once, and say what came of it: the exception's class and text, as JSON lines.

argv: the calls to make. After a refusal, where a second argument names a file, wait until it is there and make the identical
call again.
"""

import concurrent.futures
import json
import os
import pathlib
import sys
import time

import anthropic
import boto3
import botocore.config
import openai
import stripe

KEY = "not-a-key"
MESSAGES = [{"role": "user", "content": "Count."}]


def by_openai():
    openai.OpenAI(api_key=KEY).chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)


def by_anthropic():
    anthropic.Anthropic(api_key=KEY).messages.create(model="claude-sonnet-4-5", max_tokens=64, messages=MESSAGES)


def by_stripe():
    stripe.StripeClient(KEY, max_network_retries=2).v1.refunds.create({"charge": "ch_1", "amount": 2500})


def by_boto3():
    client = boto3.client(
        "ec2",
        region_name="eu-west-1",
        aws_access_key_id="not-a-key",
        aws_secret_access_key="not-a-secret",
        config=botocore.config.Config(retries={"max_attempts": 3, "mode": "standard"}, connect_timeout=10),
    )
    client.terminate_instances(InstanceIds=["i-0123456789abcdef0"])


stripe.ca_bundle_path = os.environ["SSL_CERT_FILE"]  # it trusts a bundle of its own, whatever the environment says
CALLS = {"openai": by_openai, "anthropic": by_anthropic, "stripe": by_stripe, "boto3": by_boto3}


def tried(name):
    try:
        CALLS[name]()
    except Exception as error:
        return {"error": type(error).__name__, "text": str(error)}
    return {"error": "", "text": ""}


def show(name, came):
    print(json.dumps({"sdk": name, **came}), flush=True)


names, signal = sys.argv[1].split(","), sys.argv[2] if len(sys.argv) > 2 else ""
os.environ.pop("AWS_PROFILE", None)


def all_of_them():
    """In their order, however long each waits between its attempts."""
    with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
        for name, came in zip(names, pool.map(tried, names), strict=True):
            show(name, came)


all_of_them()
if signal:
    until = time.monotonic() + 60
    while not pathlib.Path(signal).exists() and time.monotonic() < until:
        time.sleep(0.05)
    all_of_them()
