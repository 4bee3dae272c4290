"""The plan is a pure function of scenario, ports, secrets and hosts, and is consistent."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from core import scenario, settings
from core.names import LINKS, USES, Component, Server
from core.scenario import Scenario
from core.scenario.faults import Down
from records import scenarios
from stack import ports
from stack.backing import prometheus
from stack.failure import StackFailure
from stack.keys import Secrets
from stack.plan import StackPlan, plan, port_names
from tests.conftest import SCENARIO

_SECRETS = Secrets(
    objects_access_key="a",
    objects_secret_key="b",
    postgres_password="c",
    cursor_secret="d",
    jwt_private_pem="e",
    jwt_public_pem="f",
)
_DATA = Path("/nowhere")


def _with_links(*links: str) -> Scenario:
    faults = tuple(Down(at_seconds=1, for_seconds=1, link=link) for link in links)
    return replace(scenarios.read(SCENARIO), faults=faults)


def _planned(read: Scenario, **more: object) -> StackPlan:
    numbered = {name: 20_000 + index for index, name in enumerate(port_names(read))}
    return plan(read, SCENARIO, _DATA, numbered, secrets=_SECRETS, **more)  # type: ignore[arg-type]


def test_the_same_input_gives_the_same_plan_and_touches_nothing() -> None:
    read = scenarios.read(SCENARIO)
    assert _planned(read) == _planned(read)
    assert not _DATA.exists()


def test_every_port_is_used_once() -> None:
    for links in ((), LINKS):
        planned = _planned(_with_links(*links))
        listeners = [
            *(process.address.port for process in planned.processes if process.server),
            *(member.listen.port for each in planned.processes if each.settings for member in each.settings.members),
            *(proxy.listen.port for proxy in planned.proxies),
        ]
        assert len(listeners) == len(set(listeners))
        assert set(listeners) <= set(planned.ports.values())
        assert len(set(planned.ports.values())) == len(planned.ports)


def test_chosen_ports_are_free_and_distinct_and_a_wanted_one_is_kept() -> None:
    names = port_names(_with_links(*LINKS))
    free = ports.choose(("x",), {})["x"]
    chosen = ports.choose(names, {"gateway": free})
    assert set(chosen) == set(names)
    assert len(set(chosen.values())) == len(names)
    assert chosen["gateway"] == free


@pytest.mark.parametrize("link", LINKS)
def test_a_proxied_link_goes_through_its_proxies_and_every_other_caller_past_them(link: str) -> None:
    caller, _, callee = link.partition("_")
    planned = _planned(_with_links(link))
    assert {proxy.link for proxy in planned.proxies} == {link}
    listens = {str(proxy.listen) for proxy in planned.proxies}
    plain = _planned(_with_links())

    def ways(of: StackPlan) -> dict[str, set[str]]:
        found = {"client": {str(of.objects), str(of.edge)}, "edge": {str(of.shield)}, "shield": {str(of.origin)}}
        found["gateway"] = {str(address) for each in of.components.values() for address in each}
        for component, stores in of.stores.items():
            found[component] = _addresses(stores)
        return found

    assert not plain.proxies
    for who, addresses in ways(planned).items():
        assert (listens <= addresses) is (who == caller), who
        assert bool(listens & addresses) is (who == caller), who
    if callee == Server.POSTGRES:
        assert [proxy.name for proxy in planned.proxies] == [f"{link}_0", f"{link}_1"]


def _addresses(stores: settings.Stores) -> set[str]:
    found = set()
    if stores.postgres:
        for dsn in stores.postgres.dsns:
            parts = dict(part.split("=") for part in dsn.split())
            found.add(f"{parts['host']}:{parts['port']}")
    if stores.redis:
        found.add(f"{stores.redis.host}:{stores.redis.port}")
    if stores.kafka:
        found.add(stores.kafka.bootstrap)
    if stores.objects:
        found |= {stores.objects.endpoint.removeprefix("http://")}
    if stores.clamd:
        found.add(f"{stores.clamd.host}:{stores.clamd.port}")
    if stores.cdn:
        found |= {stores.cdn.shield.removeprefix("http://"), stores.cdn.edge.removeprefix("http://")}
    return found


def test_a_components_settings_have_the_stores_it_uses_and_no_others() -> None:
    planned = _planned(_with_links()).stores
    assert set(planned) == set(Component)
    for component, stores in planned.items():
        told = {Server(name) for name in ("postgres", "redis", "kafka", "objects", "clamd") if getattr(stores, name)}
        assert told | ({Server.SHIELD, Server.EDGE} if stores.cdn else set()) == set(USES[component])


def test_only_the_process_of_auth_gets_the_private_key_and_only_medias_the_key_of_addresses() -> None:
    told = [process.settings for process in _planned(_with_links()).processes if process.settings]
    assert {member.component for each in told for member in each.members} == set(Component)
    for each in told:
        components = {member.component for member in each.members}
        assert bool(each.keys.jwt_private_key) is (Component.AUTH in components)
        assert bool(each.keys.media_secret) is (Component.MEDIA in components)
        assert settings.decode(settings.encode(each)) == each


def test_instances_of_the_feed_are_processes_of_their_own_that_make_different_ids() -> None:
    read = _with_links("gateway_feed")
    read = replace(read, system=replace(read.system, feed=replace(read.system.feed, instances=3)))
    planned = _planned(read)
    ours = [process for process in planned.processes if process.settings]
    assert [process.name for process in ours] == ["feed-1", "feed-2", "feed-3", "api", "workers"]
    told = [process.settings for process in ours if process.settings]
    assert [each.worker for each in told] == [0, 1, 2, 3, 4]
    assert {each.worker_count for each in told} == {5}
    assert len(planned.components[Component.FEED]) == 3
    assert [proxy.name for proxy in planned.proxies] == ["gateway_feed_0", "gateway_feed_1", "gateway_feed_2"]


def test_instances_of_any_process_are_processes_of_their_own() -> None:
    read = _with_links("gateway_posts")
    placement = replace(read.system.placement, instances={"api": 2, "workers": 2})
    planned = _planned(replace(read, system=replace(read.system, placement=placement)))
    assert [each.name for each in planned.processes if each.settings] == [
        "feed",
        "api-1",
        "api-2",
        "workers-1",
        "workers-2",
    ]
    assert len(planned.components[Component.POSTS]) == 2
    assert [proxy.name for proxy in planned.proxies] == ["gateway_posts_0", "gateway_posts_1"]


@pytest.mark.parametrize(
    ("system", "what"),
    [
        ("cells: 3", "3 cells (system.cells)"),
        ("cdn: {warm: true}", "a CDN that is warm from the start (system.cdn.warm)"),
        ("redis: {nodes: 3}", "3 nodes of redis (system.redis.nodes)"),
        ("redis: {hot: 50/s}", "counters that are split when they are hot (system.redis.hot)"),
        ("redis: {hot_keys: 7}", "counters of several keys (system.redis.hot_keys)"),
        ("placement: {hosts: {a: {cores: 1, count: 2}}}", "2 hosts (system.placement.hosts)"),
        (
            "placement: {hosts: {a: {cores: 4}}}",
            "a host with other cores than placement.cores.stack (system.placement.hosts)",
        ),
        (
            "shards: {replicas: 1}, placement: {hosts: {a: {cores: 1, count: 2, runs: [postgres]}}}",
            "2 hosts (system.placement.hosts), replicas of postgres (system.shards.replicas)",
        ),
        ("regions: {eu: {people: 40%}, us: {people: 60%}}", "2 regions (system.regions)"),
    ],
)
def test_a_scenario_that_only_the_model_can_run_is_refused(system: str, what: str) -> None:
    read = scenario.parse(f"scenario: x\nsystem: {{{system}}}")
    with pytest.raises(StackFailure, match=re.escape(f"the stack cannot start {what}: windtunnel simulate")):
        _planned(read)


def test_one_host_with_the_cores_of_the_stack_is_what_the_stack_starts() -> None:
    assert _planned(scenario.parse("scenario: x\nsystem: {placement: {hosts: {a: {cores: 1}}}}")).processes


def test_several_gateways_share_the_public_port() -> None:
    read = _with_links()
    read = replace(read, system=replace(read.system, gateway=replace(read.system.gateway, instances=2)))
    gateways = [process for process in _planned(read).processes if process.server is Server.GATEWAY]
    assert [process.name for process in gateways] == ["gateway-1", "gateway-2"]
    assert len({process.address for process in gateways}) == 1


def test_hosts_other_than_loopback_reach_every_address() -> None:
    names = ("postgres_0", "postgres_1", "redis", "kafka", "objects", "toxiproxy", "clamd", "edge", "shield")
    planned = _planned(
        _with_links("feed_redis", "feed_kafka"), hosts={name: f"{name}.stack" for name in names}, bind="0.0.0.0"
    )
    assert _addresses(planned.stores[Component.MEDIA]) == {
        f"{name}.stack:{planned.ports[name]}"
        for name in ("postgres_0", "postgres_1", "kafka", "objects", "clamd", "shield", "edge")
    }
    assert {proxy.listen.host for proxy in planned.proxies} == {"toxiproxy.stack"}
    assert {proxy.upstream.host for proxy in planned.proxies} == {"redis.stack", "kafka.stack"}


def test_every_component_is_scraped_once() -> None:
    planned = _planned(_with_links())
    jobs = prometheus.scrape_configuration(planned)["scrape_configs"]
    services = next(job for job in jobs if job["job_name"] == "services")["static_configs"]
    assert sorted(each["labels"]["component"] for each in services) == sorted(Component)


def test_no_free_port_for_a_name_nobody_has() -> None:
    with pytest.raises(StackFailure, match="no process of this stack is called gatway"):
        ports.choose(("gateway",), {"gatway": 1})


def test_ports_are_of_the_range_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ports.RANGE_VARIABLE, "20000-20100")
    chosen = ports.choose(("a", "b", "c"), {})
    assert len(set(chosen.values())) == 3
    assert all(20_000 <= port < 20_100 for port in chosen.values())


@pytest.mark.parametrize("text", ["20000", "20100-20000", "0-10", "60000-70000", "a-b"])
def test_a_range_of_ports_that_is_none_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(ports.RANGE_VARIABLE, text)
    with pytest.raises(StackFailure, match=f"WINDTUNNEL_PORTS is '{text}'"):
        ports.choose(("a",), {})
