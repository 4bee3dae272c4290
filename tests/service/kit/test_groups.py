"""The consumer groups of each topic, as outboxes know them, are those of the services."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core import messages
from core.messages import GROUPS, TOPICS
from core.names import USES, Component, Server
from core.settings import Listen, Member, ProcessSettings
from services.kit.bus import CONSUMERS
from services.kit.process import build
from tests.service.conftest import SCENARIO, keys_at


async def test_every_group_that_a_service_is_in_is_waited_for_and_no_other(servers: Any, tmp_path: Path) -> None:
    found: dict[str, set[str]] = {}
    for component in Component:
        if Server.KAFKA not in USES[component] or component is Component.SEARCH:
            continue
        member = Member(component=component, listen=Listen(host="127.0.0.1", port=0), stores=servers.stores(component))
        settings = ProcessSettings(
            process="groups",
            members=(member,),
            scenario_path=str(SCENARIO),
            public_url="http://127.0.0.1",
            media_url="http://127.0.0.1",
            keys=keys_at(tmp_path),
            data_directory=str(tmp_path),
            worker=0,
            worker_count=1,
        )
        for consumer in build(settings, member).get(CONSUMERS, []):
            found.setdefault(consumer.group, set()).update(consumer.topics)
    assert found == {group: {kind.topic for kind in kinds} for group, kinds in GROUPS.items()}


def test_every_group_of_a_topic_is_listed() -> None:
    by_topic = messages.groups_of()
    assert by_topic["post.created"] == ("fanout", "feed", "discovery")
    assert "like.deleted" not in by_topic
    assert set(by_topic) <= set(TOPICS)
