"""The stores that a stack starts are real, bounded, and those in its services' settings."""

from __future__ import annotations

import asyncio
import socket
import urllib.error
import urllib.request
from pathlib import Path

import boto3
import psycopg
import pytest
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from core.messages import TOPICS
from core.names import Component, Server
from stack import control
from tests.conftest import Servers


def test_every_logical_shard_is_a_schema_on_its_instance(servers: Servers) -> None:
    told = servers.stores(Component.POSTS).postgres
    assert told is not None
    for index, dsn in enumerate(told.dsns):
        with psycopg.connect(dsn) as connection:
            rows = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'shard_%'").fetchall()
            sync = connection.execute("SHOW fsync").fetchone()
        assert {name for (name,) in rows} == {f"shard_{shard}" for shard in range(index, 16, 2)}
        assert sync == ("on",)


def test_redis_is_bounded_by_the_scenario(servers: Servers) -> None:
    told = servers.stores(Component.ENGAGEMENT).redis
    assert told is not None
    with redis.Redis(host=told.host, port=told.port) as client:
        assert int(client.config_get("maxmemory")["maxmemory"]) == servers.scenario.system.redis.memory_bytes


async def test_an_event_goes_through_the_log_by_a_proxied_listener(servers: Servers) -> None:
    told = servers.stores(Component.FEED).kafka
    assert told is not None
    assert told.bootstrap != servers.running.kafka
    producer = AIOKafkaProducer(bootstrap_servers=told.bootstrap, acks="all", enable_idempotence=True)
    consumer = AIOKafkaConsumer(TOPICS[0], bootstrap_servers=told.bootstrap, auto_offset_reset="earliest")
    await producer.start()
    await consumer.start()
    try:
        # the broker must advertise the proxy's address to its clients, or the proxy could break nothing
        assert {f"{broker.host}:{broker.port}" for broker in consumer._client.cluster.brokers()} == {told.bootstrap}
        assert len(consumer.partitions_for_topic(TOPICS[0]) or ()) == servers.scenario.system.kafka.partitions
        sent = await producer.send_and_wait(TOPICS[0], b"{}", key=b"1")
        async with asyncio.timeout(20):  # other tests may have written before
            async for record in consumer:
                if (record.partition, record.offset) == (sent.partition, sent.offset):
                    assert record.value == b"{}"
                    break
    finally:
        await consumer.stop()
        await producer.stop()


def test_an_upload_is_private_and_finished_media_is_readable_without_a_signature(servers: Servers) -> None:
    told = servers.stores(Component.MEDIA).objects
    assert told is not None
    client = boto3.client(
        "s3",
        endpoint_url=told.endpoint,
        aws_access_key_id=told.access_key,
        aws_secret_access_key=told.secret_key,
        region_name=told.region,
    )
    for bucket in (told.uploads_bucket, told.media_bucket):
        client.put_object(Bucket=bucket, Key="a/b.jpg", Body=b"photo", CacheControl="public, immutable")
    with urllib.request.urlopen(f"{told.public_endpoint}/{told.media_bucket}/a/b.jpg", timeout=20) as answer:
        assert answer.read() == b"photo"
        assert answer.headers["Cache-Control"] == "public, immutable"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{told.public_endpoint}/{told.uploads_bucket}/a/b.jpg", timeout=20)
    refused.value.close()
    assert refused.value.code == 403
    with pytest.raises(urllib.error.HTTPError) as listed:
        urllib.request.urlopen(f"{told.public_endpoint}/{told.media_bucket}", timeout=20)
    listed.value.close()
    assert listed.value.code == 403


def test_the_scanner_finds_the_test_virus(servers: Servers) -> None:
    told = servers.stores(Component.MEDIA).clamd
    assert told is not None
    eicar = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
    for content, verdict in ((eicar, b"stream: Eicar-Test.UNOFFICIAL FOUND\0"), (b"harmless", b"stream: OK\0")):
        with socket.create_connection((told.host, told.port), timeout=20) as wire:
            wire.sendall(b"zINSTREAM\0" + len(content).to_bytes(4, "big") + content + (0).to_bytes(4, "big"))
            assert wire.recv(200) == verdict


def test_a_broken_link_refuses_and_is_whole_again(servers: Servers) -> None:
    told = servers.stores(Component.FEED).redis
    assert told is not None
    with redis.Redis(host=told.host, port=told.port, socket_timeout=20) as client:
        assert client.ping()
        with servers.broken("feed_redis"), pytest.raises(redis.ConnectionError):
            client.ping()
        assert client.ping()


def test_a_scenario_without_faults_starts_with_no_proxies(data_folder: Path) -> None:
    path = data_folder / "calm.yaml"
    path.write_text("scenario: calm\n", encoding="utf-8")
    running = control.up(
        path, data_folder / "calm", attached=True, services=False, servers=(Server.TOXIPROXY, Server.REDIS)
    )
    try:
        assert running.proxies == {}
        assert set(running.processes) == {"toxiproxy", "redis"}
    finally:
        running.stop(wipe=True)
