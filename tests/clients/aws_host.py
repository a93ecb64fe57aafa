"""S3, EC2, SQS and STS as moto plays them, under the hosts that boto3 calls."""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING

from clients.lookalikes import Answer
from werkzeug.test import Client

if TYPE_CHECKING:
    from clients.lookalikes import Ask

REGION = "eu-central-1"
BUCKET = "acme-things"
AWS_HOSTS = (f"s3.{REGION}.amazonaws.com", f"{BUCKET}.s3.{REGION}.amazonaws.com", f"ec2.{REGION}.amazonaws.com")
AWS_HOSTS += (f"sqs.{REGION}.amazonaws.com", f"sts.{REGION}.amazonaws.com", f"{BUCKET}.s3.amazonaws.com")
_ONE_AT_A_TIME = threading.Lock()
_FRAMING = {"content-length", "transfer-encoding", "connection", "expect", "date", "server"}


def service(ask: Ask) -> Answer:
    """Have moto answer."""
    headers = [(name, value) for name, value in ask.headers.items() if name not in _FRAMING]
    with _ONE_AT_A_TIME:
        said = _moto().open(
            ask.path,
            base_url=f"https://{ask.host}",
            query_string=ask.query,
            method=ask.method,
            headers=headers,
            data=ask.body,
        )
    kept = tuple((name, value) for name, value in said.headers if name.lower() not in _FRAMING | {"content-type"})
    return Answer(said.status_code, said.content_type or "text/plain", said.data, kept)


@cache
def _moto() -> Client:
    from moto.server import DomainDispatcherApplication, create_backend_app

    return Client(DomainDispatcherApplication(create_backend_app))
