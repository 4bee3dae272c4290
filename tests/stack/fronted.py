"""A stack of the object store and its front, and requests to it as a very simple client sends them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.config

from core import scenario
from core.names import Component, Server
from records import scenarios
from services.kit import failures_page
from stack import control
from tests.conftest import SCENARIO
from tests.stack.conftest import ORIGIN

BUCKET = "uploads"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An answer, and whether all of the request could be sent."""

    status: int
    fields: Mapping[str, str]
    body: bytes
    sent_all: bool


class Store:
    """Addresses of a stack's object store, and requests to them on connections of their own."""

    def __init__(self, running: control.RunningStack):
        told = running.stores(Component.UPLOAD).objects
        assert told is not None
        self.running = running
        self.host = urlsplit(told.public_endpoint).netloc
        self._signer = boto3.client(
            "s3",
            endpoint_url=told.public_endpoint,
            region_name=told.region,
            aws_access_key_id=told.access_key,
            aws_secret_access_key=told.secret_key,
            config=botocore.config.Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )

    def put_target(self, key: str, size: int, *, seconds: int = 900) -> str:
        """Path and query of an address that takes one PUT of ``size`` bytes."""
        return self.target(
            "put_object", seconds, Key=key, ContentLength=size, ContentType="image/jpeg", IfNoneMatch="*"
        )

    def target(self, operation: str, seconds: int = 900, **parameters: Any) -> str:
        url = self._signer.generate_presigned_url(operation, Params={"Bucket": BUCKET, **parameters}, ExpiresIn=seconds)
        return url.removeprefix(f"http://{self.host}")

    def head(self, method: str, target: str, *fields: str) -> bytes:
        return "\r\n".join((f"{method} {target} HTTP/1.1", f"Host: {self.host}", *fields, "", "")).encode("latin-1")

    def put_head(self, target: str, size: int, *fields: str) -> bytes:
        signed = ("Content-Type: image/jpeg", f"Content-Length: {size}", "If-None-Match: *")
        return self.head("PUT", target, *signed, *fields)

    async def ask(self, *sent: bytes, source: str = "127.0.0.1", bodiless: bool = False) -> Seen:
        """Send everything before reading anything, as a very simple client does."""
        host, _, port = self.host.partition(":")
        async with asyncio.timeout(60):
            reader, writer = await asyncio.open_connection(host, int(port), local_addr=(source, 0))
            sent_all = True
            try:
                for part in sent:
                    writer.write(part)
                    await writer.drain()
            except ConnectionError:
                sent_all = False
            try:
                return await answer_of(reader, bodiless=bodiless, sent_all=sent_all)
            finally:
                writer.close()
                with suppress(ConnectionError):
                    await writer.wait_closed()

    async def put(self, target: str, size: int, *fields: str) -> Seen:
        return await self.ask(self.put_head(target, size, *fields), b"x" * size)

    def refused(self, seen: Seen, status: int, code: str) -> dict[str, Any]:
        """The document of a refusal; fails when it is the wrong one or has no link to the docs."""
        assert (seen.status, seen.fields["content-type"]) == (status, "application/problem+json"), seen
        said: dict[str, Any] = json.loads(seen.body)
        page = f"{self.running.gateway_url}/api/v1/docs/errors#{code}"
        assert (said["status"], said["code"], said["type"]) == (status, code, page)
        assert said["trace_id"] == seen.fields["x-request-id"]
        assert seen.fields["cache-control"] == "no-store"
        assert f'id="{code}"' in failures_page.page()
        assert b"<" not in seen.body
        return said


async def answer_of(reader: asyncio.StreamReader, *, bodiless: bool, sent_all: bool) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
    body = b"" if bodiless else await reader.readexactly(int(fields.get("content-length", 0)))
    return Seen(status=int(head.split()[1]), fields=fields, body=body, sent_all=sent_all)


def up(folder: Path, name: str, *servers: Server, **asked: Any) -> control.RunningStack:
    path = folder / f"{name}.yaml"
    read = scenarios.read(SCENARIO)
    system = replace(read.system, gateway=replace(read.system.gateway, origins=(ORIGIN,)))
    path.write_text(scenario.explain(replace(read, system=system)), encoding="utf-8")
    return control.up(path, folder / name, attached=True, services=False, servers=servers, **asked)
