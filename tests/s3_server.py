"""Starts an S3 server on loopback that checks keys, for whoever speaks to a bucket."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from collections.abc import Iterator

# The server lets this many requests of ours through before it checks keys: bucket, user, policy and key.
SET_UP_REQUESTS = "4"


class Server(NamedTuple):
    """A running S3 server and the keys that it knows."""

    endpoint: str
    access_key: str
    secret_key: str

    def client(self, service: str = "s3") -> Any:
        return boto3.client(
            service, endpoint_url=self.endpoint, region_name="us-east-1", aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key, config=Config(s3={"addressing_style": "path"}),
        )  # fmt: skip

    def put(self, bucket: str, key: str, body: bytes) -> None:
        self.client().put_object(Bucket=bucket, Key=key, Body=body)

    def get(self, bucket: str, key: str) -> bytes:
        return bytes(self.client().get_object(Bucket=bucket, Key=key)["Body"].read())

    def keys(self, bucket: str) -> list[str]:
        return [str(one["Key"]) for one in self.client().list_objects_v2(Bucket=bucket).get("Contents", [])]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def s3_server(bucket: str) -> Iterator[Server]:
    """Serve *bucket*, and a user who may do everything with it, until the block ends."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys; from moto.server import main; main(sys.argv[1:])",
         "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": SET_UP_REQUESTS},
    )  # fmt: skip
    try:
        endpoint = f"http://127.0.0.1:{port}"
        await_answer(endpoint)
        yield with_user(Server(endpoint, "set-up", "set-up"), bucket)
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.wait(timeout=20)


def await_answer(endpoint: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{endpoint}/moto-api/", timeout=1).read()
            return
        if time.monotonic() > deadline:
            raise AssertionError("the S3 server did not come up within 30 s")
        time.sleep(0.05)


def with_user(server: Server, bucket: str) -> Server:
    server.client().create_bucket(Bucket=bucket)
    iam = server.client("iam")
    iam.create_user(UserName="reader")
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_user_policy(UserName="reader", PolicyName="all", PolicyDocument=json.dumps(everything))
    made = iam.create_access_key(UserName="reader")["AccessKey"]
    return Server(server.endpoint, made["AccessKeyId"], made["SecretAccessKey"])
