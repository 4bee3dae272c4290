"""The committed compose file is what the plan says: same names, ports and settings as the ordinary processes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from core import settings
from core.names import Component, Server
from core.scenario import Scenario
from core.scenario.faults import Down
from records import scenarios
from stack import compose, container, keys
from stack.failure import StackFailure
from stack.keys import Secrets
from stack.plan import Address, StackPlan

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "docker-compose.yml"
_SECRETS = Secrets(**dict.fromkeys(Secrets.__struct_fields__, "x"))
_PUBLISHED = {name: Address(host="127.0.0.1", port=port) for name, port in container.PUBLISHED.items()}


def _scenario() -> Scenario:
    return scenarios.read(ROOT / compose.SCENARIO)


def _planned(read: Scenario) -> StackPlan:
    return container.container_plan(read, compose.SCENARIO, _SECRETS, {str(k): v for k, v in _PUBLISHED.items()})


def _services(text: str) -> dict[str, Any]:
    return dict(yaml.safe_load(text)["services"])


def test_the_committed_file_is_what_the_plan_generates() -> None:
    written = COMMITTED.read_text(encoding="utf-8")
    assert written == compose.compose_file(_scenario(), compose.SCENARIO), (
        "write it again: python -m stack.compose > docker-compose.yml"
    )


def test_a_drift_of_the_plan_is_seen() -> None:
    read = _scenario()
    more = replace(read, system=replace(read.system, shards=replace(read.system.shards, physical=3)))
    assert COMMITTED.read_text(encoding="utf-8") != compose.compose_file(more, compose.SCENARIO)


def test_containers_have_the_names_of_the_processes_and_of_core_names() -> None:
    names = set(_services(COMMITTED.read_text(encoding="utf-8"))) - {container.SECRETS}
    assert names == {process.name for process in _planned(_scenario()).processes}
    instances = {re.sub(r"_\d+$", "", name) for name in names}
    assert {str(server) for server in Server} <= instances
    placed = _scenario().system.placement.processes
    assert instances - {str(server) for server in Server} == set(placed)
    assert {member for members in placed.values() for member in members} == set(Component)


def test_only_what_clients_need_is_published_and_by_default_on_loopback() -> None:
    services = _services(COMMITTED.read_text(encoding="utf-8"))
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    # clients connect to the object store's front
    reached = {name: Server.FRONT if name == Server.OBJECTS else name for name in container.PUBLISHED}
    assert set(published) == set(reached.values())
    for name, port in container.PUBLISHED.items():
        assert published[reached[name]] == [
            f"${{WINDTUNNEL_BIND:-127.0.0.1}}:${{WINDTUNNEL_{name.upper()}_PORT:-{port}}}:{port}"
        ]


def test_every_container_waits_for_what_the_plan_says_and_is_checked_bounded_and_restarted() -> None:
    services = _services(COMMITTED.read_text(encoding="utf-8"))
    processes = _planned(_scenario()).processes
    assert processes
    for process in processes:
        told = services[process.name]
        waits = told["depends_on"]
        assert waits.pop(container.SECRETS) == {"condition": "service_completed_successfully"}
        assert set(process.after) <= set(waits)
        assert all(each == {"condition": "service_healthy"} for each in waits.values())
        assert str(container.HEALTHY) in told["healthcheck"]["test"][1]
        assert re.fullmatch(r"\d+m", told["mem_limit"])
        assert told["restart"] == "unless-stopped"
        assert told["image"] == services[container.SECRETS]["image"]


def test_no_container_waits_for_itself_in_a_circle() -> None:
    services = _services(COMMITTED.read_text(encoding="utf-8"))
    done: set[str] = set()
    while left := [name for name in services if name not in done]:
        free = [name for name in left if set(services[name].get("depends_on", ())) <= done]
        assert free, f"a circle among {left}"
        done |= set(free)
    assert {str(Component.FEED), str(Server.GATEWAY)} <= done


def test_services_reach_their_stores_by_host_name_and_clients_by_published_address() -> None:
    planned = _planned(_scenario())
    stores = planned.stores[Component.FEED]
    assert stores.redis is not None
    assert stores.redis.host == Server.TOXIPROXY, "the scenario's fault is on this link"
    assert stores.postgres is not None
    assert [dsn.split()[0] for dsn in stores.postgres.dsns] == ["host=postgres_0", "host=postgres_1"]
    objects = planned.stores[Component.MEDIA].objects
    assert objects is not None
    assert objects.endpoint == f"http://objects:{planned.ports[Server.OBJECTS]}"
    assert objects.public_endpoint == _PUBLISHED[Server.OBJECTS].url
    for process in planned.processes:
        if process.settings:
            assert process.settings.public_url == _PUBLISHED[Server.GATEWAY].url
            assert process.settings.media_url == _PUBLISHED[Server.EDGE].url
            assert {member.listen.host for member in process.settings.members} == {"0.0.0.0"}
            assert settings.decode(settings.encode(process.settings)) == process.settings
    loopback = [address for each in planned.components.values() for address in each if address.host == "127.0.0.1"]
    assert not loopback


def test_a_proxied_way_of_clients_is_published_at_its_proxy() -> None:
    fault = Down(at_seconds=1, for_seconds=1, link="client_objects")
    services = _services(compose.compose_file(replace(_scenario(), faults=(fault,)), compose.SCENARIO))
    assert "ports" not in services[Server.OBJECTS]
    assert "ports" not in services[Server.FRONT]
    assert "WINDTUNNEL_OBJECTS_PORT" in services[Server.TOXIPROXY]["ports"][0]


def test_only_the_container_of_auth_sees_the_key_that_signs_tokens() -> None:
    services = _services(COMMITTED.read_text(encoding="utf-8"))
    seeing = {
        name for name, service in services.items() if any(each.startswith("keys:") for each in service["volumes"])
    }
    auth = next(name for name, members in _scenario().system.placement.processes.items() if Component.AUTH in members)
    assert seeing == {container.SECRETS, auth}


def test_secrets_are_made_once_and_shared_without_the_private_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "KEYS", tmp_path / "keys")
    monkeypatch.setattr(container, "SHARED_KEYS", tmp_path / "shared")
    container.make_secrets()
    first = keys.load_or_make(tmp_path / "keys")
    container.make_secrets()
    assert keys.load_or_make(tmp_path / "keys") == first
    shared = keys.load_or_make(tmp_path / "shared")
    assert shared.jwt_private_pem == ""
    assert shared.objects_secret_key == first.objects_secret_key
    assert not (tmp_path / "shared" / "jwt.pem").exists()
    assert (tmp_path / "shared" / "jwt.pub").read_text() == first.jwt_public_pem


def test_a_wrong_published_address_and_an_unknown_name_are_readable_errors(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert container.published_of("gateway=here:80 edge=10.0.0.1:81")["edge"] == Address(host="10.0.0.1", port=81)
    with pytest.raises(StackFailure, match="gatway=here:80"):
        container.published_of("gatway=here:80")
    monkeypatch.setattr(container, "KEYS", tmp_path / "keys")
    monkeypatch.setenv(container.SCENARIO_VARIABLE, str(ROOT / compose.SCENARIO))
    assert container.main(["redis"]) == 1
    assert "no secrets" in capsys.readouterr().err
    keys.load_or_make(tmp_path / "keys")
    assert container.main(["reddis"]) == 1
    assert "no process reddis" in capsys.readouterr().err


def test_several_gateways_are_refused_because_they_cannot_share_a_published_port() -> None:
    read = _scenario()
    read = replace(read, system=replace(read.system, gateway=replace(read.system.gateway, instances=2)))
    with pytest.raises(StackFailure, match="published port"):
        compose.compose_file(read, compose.SCENARIO)


def test_nothing_committed_for_containers_names_a_registry_or_a_folder_of_a_machine() -> None:
    texts = [COMMITTED, ROOT / "deploy" / "Dockerfile", ROOT / "deploy" / "base-image.sh", ROOT / ".dockerignore"]
    for path in texts:
        text = path.read_text(encoding="utf-8")
        hosts = set(re.findall(r"https?://([\w.-]+)", text)) - {"127.0.0.1"}
        assert not hosts, path.name
        assert "/home/" not in text, path.name
