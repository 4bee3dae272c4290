"""The S3 server (versitygw on a folder): originals, variants. Clients use presigned URLs of it, through its front.

The bucket of finished media is readable by everybody, because the CDN fetches from it without a signature; only
validated photos get there. Uploads stay private.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

from stack import probe
from stack.command import Command
from stack.failure import NotReady
from stack.install import tools
from stack.plan import MEDIA_BUCKET, UPLOADS_BUCKET, Process, StackPlan
from stack.probe import Probe

_HEALTH: Final = "/health"


def prepare(plan: StackPlan, process: Process) -> Command:
    """Create its folders. It keeps metadata in extended attributes, or in separate files if these are not supported."""
    folder = plan.folder(process.name)
    objects, sidecar = folder / "objects", folder / "sidecar"
    objects.mkdir(parents=True, exist_ok=True)
    argv = [str(tools.find("versitygw")), "--port", f"{plan.bind}:{process.address.port}"]
    argv += ["--keep-alive", "--quiet", "--health", _HEALTH, "--max-connections", "2000", "--max-requests", "1000"]
    argv += ["posix"]
    if not _has_attributes(objects):
        sidecar.mkdir(exist_ok=True)
        argv += ["--sidecar", str(sidecar)]
    return Command(
        argv=(*argv, str(objects)),
        cwd=folder,
        env={
            "ROOT_ACCESS_KEY": plan.secrets.objects_access_key,
            "ROOT_SECRET_KEY": plan.secrets.objects_secret_key,
            "GOMEMLIMIT": "256MiB",
            "GOMAXPROCS": str(max(1, len(plan.cores))),
        },
        cores=plan.cores,
        data_bytes=1024 * 2**20,
    )


def _has_attributes(folder: Path) -> bool:
    try:
        os.setxattr(folder, "user.windtunnel", b"1")
        os.removexattr(folder, "user.windtunnel")
    except OSError:
        return False
    return True


def ready(plan: StackPlan, process: Process) -> None:
    """Raise NotReady until it lists its buckets."""
    import botocore.exceptions  # importing takes a third of a second, while the other servers start

    try:
        with urllib.request.urlopen(process.address.url + _HEALTH, timeout=1):
            pass
        client(plan, process).list_buckets()
    except (OSError, botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise NotReady(str(error)) from error


def question(_plan: StackPlan, process: Process) -> Probe:
    """The health check of the running server."""
    return probe.http(process.address, _HEALTH)


def settle(plan: StackPlan, process: Process) -> None:
    """Create the buckets, and let everybody read finished media."""
    store = client(plan, process)
    found = {bucket["Name"] for bucket in store.list_buckets()["Buckets"]}
    for bucket in (UPLOADS_BUCKET, MEDIA_BUCKET):
        if bucket not in found:
            store.create_bucket(Bucket=bucket)
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": ["s3:GetObject"],
                "Resource": [f"arn:aws:s3:::{MEDIA_BUCKET}/*"],
            }
        ],
    }
    store.put_bucket_policy(Bucket=MEDIA_BUCKET, Policy=json.dumps(policy))


def client(plan: StackPlan, process: Process) -> Any:
    """An S3 client of the stack's own."""
    import boto3  # slow, as in `ready`
    import botocore.config

    return boto3.client(
        "s3",
        endpoint_url=process.address.url,
        aws_access_key_id=plan.secrets.objects_access_key,
        aws_secret_access_key=plan.secrets.objects_secret_key,
        region_name="us-east-1",
        config=botocore.config.Config(
            connect_timeout=1, read_timeout=5, retries={"max_attempts": 1}, s3={"addressing_style": "path"}
        ),
    )
