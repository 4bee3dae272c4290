"""The scenario reader: an error has file, line, field, found and expected, and explain's output reads back."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from textwrap import dedent

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from core.operations import OPERATIONS
from core.scenario import ScenarioError, explain, parse, units
from core.scenario.faults import KINDS, Timeout
from records.scenarios import read

ROOT = Path(__file__).parents[2] / "scenarios"
NAMES = (
    "scenario", "seed", "population", "system", "traffic", "faults", "drill", "expect", "prices", "people", "follows",
    "photo", "mix", "rate", "viral", "at", "for", "link", "latency", "down", "feed", "cdn", "edge", "size", "shards",
    "placement", "cores", "stack", "regions", "gateway", "limits", "hypothesis", "abort", "feed.read", "p95",
)  # fmt: skip
FILES = sorted(path for path in ROOT.rglob("*.yaml") if "prices" not in path.parts)


def problem(text: str) -> str:
    """The one problem of a scenario."""
    with pytest.raises(ScenarioError) as caught:
        parse(dedent(text), file="x.yaml")
    assert len(caught.value.problems) == 1, str(caught.value)
    return str(caught.value.problems[0])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_scenario_of_ours_reads_and_its_explanation_reads_back_to_the_same(path: Path) -> None:
    scenario = read(path)
    assert parse(explain(scenario)) == scenario


def test_a_name_alone_is_a_scenario_and_its_explanation_shows_the_defaults() -> None:
    scenario = parse("scenario: tiny")
    text = explain(scenario)
    assert parse(text) == scenario
    for shown in ("ttl: 1d", "mean: 20.0", "threshold: 10000", "warm_up: 10s", "followed: 60%", "size: 64MiB"):
        assert shown in text


@pytest.mark.parametrize(
    ("text", "line", "field", "found", "expected"),
    [
        ("scenario: Bad Name", 1, "scenario", "'Bad Name'", "1 to 64 of a–z"),
        ("description: x", 1, "scenario", "nothing", "this field is required"),
        ("scenario: x\nsead: 7", 2, "sead", "an unknown field", "did you mean seed?"),
        ("scenario: x\nseed: -1", 2, "seed", "-1", "at least 0"),
        ("scenario: x\nseed: 1.5", 2, "seed", "1.5", "whole number"),
        ("scenario: x\npopulation: {people: 1}", 2, "population.people", "1", "at least 2"),
        ("scenario: x\npopulation: {posters: 0.2}", 2, "population.posters", "0.2", "a percentage, such as 68%"),
        ("scenario: x\npopulation:\n  photo: {width: 1}", 3, "population.photo.width", "1", "at least 64"),
        ("scenario: x\ntraffic:\n  rate: 24", 3, "traffic.rate", "24", "a rate with its unit, such as 120/s"),
        ("scenario: x\ntraffic:\n  duration: 60", 3, "traffic.duration", "60", "a duration with its unit"),
        ("scenario: x\ntraffic:\n  duration: 0s", 3, "traffic.duration", "'0s'", "expected more than 0"),
        ("scenario: x\nsystem: {admission: maybe}", 2, "system.admission", "'maybe'", "expected on or off"),
        ("scenario: x\ntraffic: {arrivals: bursty}", 2, "traffic.arrivals", "'bursty'", "'steady' or 'diurnal'"),
        ("scenario: x\ntraffic:\n  mix: {feed.read: 90%}", 3, "traffic.mix", "{'feed.read': '90%'}", "add up to 90%"),
        ("scenario: x\ntraffic:\n  mix: {feed.reed: 100%}", 3, "traffic.mix.feed.reed", "'100%'", "mean feed.read?"),
        ("scenario: x\ntraffic:\n  mix: {object.put: 100%}", 3, "traffic.mix.object.put", "'100%'", "media.upload"),
        ("scenario: x\ntraffic:\n  mix: {post.delete: 100%}", 3, "traffic.mix.post.delete", "'100%'", "post.withdraw"),
        ("scenario: x\ntraffic: {viral: {at: 99s}}", 2, "traffic.viral.at", "'99s'", "a time before the end, 60s"),
        ("scenario: x\ntraffic: {viral: {at: 1s, factor: 1}}", 2, "traffic.viral.factor", "1", "expected more than 1"),
        ("scenario: x\ntraffic: {phases: [{at: 1s, for: 0s, factor: 2}]}", 2, "traffic.phases[0].for", "0s", "than 0"),
        ("scenario: x\ntraffic: {phases: [{at: 55s, for: 9s, factor: 2}]}", 2, "traffic.phases[0].at", "'55s'", "60s"),
        ("scenario: x\ntraffic: {phases: [{at: 1s, for: 9s, factor: -1}]}", 2, "traffic.phases[0].factor", "-1", "0"),
        (
            "scenario: x\ntraffic:\n  phases:\n  - {at: 1s, for: 9s, factor: 2}\n  - {at: 9s, for: 1s, factor: 2}",
            5, "traffic.phases[1].at", "'9s'", "a time from 10s on, when the phase before it is over",
        ),
        ("scenario: x\nsystem: {cdn: {edge: {size: 64}}}", 2, "system.cdn.edge.size", "64", "a size with its unit"),
        ("scenario: x\nsystem: {feed: {mix: {ads: 50%}}}", 2, "system.feed.mix", "{'ads': '50%'}", "is 140%"),
        ("scenario: x\nsystem: {shards: {logical: 2, physical: 3}}", 2, "system.shards.physical", "3", "2 logical"),
        ("scenario: x\nsystem: {fanout: {threshold: 0}}", 2, "system.fanout.threshold", "0", "expected at least 1"),
        ("scenario: x\nsystem: {shards: {replicas: 1}}", 2, "system.shards.replicas", "1", "postgres, which are 1"),
        ("scenario: x\nsystem:\n  regions: {eu: {people: 90%}}", 3, "system.regions", "{'eu'", "add up to 90%"),
        ("scenario: x\nsystem: {gateway: {limits: {feed.read: fast}}}", 2, "system.gateway.limits.feed.read", "'fast'",
         "a limit, such as 30/s per user"),
        ("scenario: x\nsystem: {gateway: {limits: {feed: 3/s per user}}}", 2, "system.gateway.limits.feed",
         "'3/s per user'", "did you mean feed.read?"),
        ("scenario: x\nsystem: {gateway: {limits: {auth.login: 5/m per user}}}", 2, "system.gateway.limits.auth.login",
         "'5/m per user'", "a limit per ip: auth.login comes before there is a user"),
        ("scenario: x\nsystem:\n  gateway:\n    limits:\n      object.put: 5/m per ip", 5,
         "system.gateway.limits.object.put", "'5/m per ip'", "object.put goes to objects"),
        ("scenario: x\nsystem: {gateway: {limits: many}}", 2, "system.gateway.limits", "'many'", "fields below it"),
        ("scenario: x\nsystem: {gateway: {origins: [app.example]}}", 2, "system.gateway.origins[0]", "'app.example'",
         "an origin such as https://app.example.com"),
        ("scenario: x\nsystem:\n  placement: {processes: {all: [feed]}}", 3, "system.placement.processes",
         "{'all': ['feed']}", "expected auth in one process, it is in 0"),
        ("scenario: x\nexpect: {feed.read: {p95: 300ms}}", 2, "expect.feed.read.p95", "'300ms'", "such as < 300ms"),
        ("scenario: x\nexpect: {feed.reads: {p95: < 300ms}}", 2, "expect.feed.reads", "{'p95': '< 300ms'}",
         "did you mean feed.read?"),
        ("scenario: x\nfaults:\n  - {at: 1s, for: 1s, link: feed_redis}", 3, "faults[0]", "{'at'", "one of latency"),
        ("scenario: x\nfaults:\n  - {at: 1s, for: 1s, down: true}", 3, "faults[0].link", "nothing", "required"),
        ("scenario: x\nfaults:\n  - {at: 1s, for: 1s, link: feed_redis, latncy: 1s}", 3, "faults[0]", "{'at'",
         "latncy is none, did you mean latency?"),
        ("scenario: x\nfaults:\n  - {at: 1s, for: 1s, link: feed_redis, latency: 1s, down: true}", 3, "faults[0]",
         "{'at'", "not latency and down together"),
        ("scenario: x\nfaults:\n  - {at: 1s, for: 1s, link: feed_redis, down: true, jitter: 10ms}", 3,
         "faults[0].jitter", "a field that does not belong here", "no field of this name"),
        ("scenario: x\nfaults:\n  - {at: 1s, for: 1s, process: feed, action: stop}", 3, "faults[0]", "{'at'",
         "one of kill, pause, restart as the action"),
        ("scenario: x\nfaults:\n  - {at: 1s, for: 1s, link: feed_reddis, down: true}", 3, "faults[0].link",
         "'feed_reddis'", "did you mean feed_redis?"),
        ("scenario: x\nfaults:\n  - {at: 1s, link: feed_redis, down: true}", 3, "faults[0].for", "nothing",
         "how long it lasts"),
        ("scenario: x\nfaults:\n  - {at: 55s, for: 9s, link: feed_redis, down: true}", 3, "faults[0].at", "'55s'",
         "over by the end of the traffic, 60s"),
        ("scenario: x\nfaults:\n  - {at: 1s, for: 1s, process: feed, link: feed_redis, action: kill}", 3,
         "faults[0].link", "a field that does not belong here", "no field of this name"),
        ("scenario: x\nscenario: y", 2, "scenario", "the field twice", "expected it once"),
        ("scenario: x\nseed: lucky", 2, "seed", "'lucky'", "expected a whole number"),
        ("scenario: x\ntraffic: []", 2, "traffic", "[]", "fields below it"),
        ("scenario: x\nfaults: {at: 3}", 2, "faults", "{'at': 3}", "expected a list"),
        ("scenario: ../x", 1, "scenario", "'../x'", "1 to 64 of a–z, 0–9 and _"),
        ("scenario: x\nexpect: {recovers: soon}", 2, "expect.recovers", "'soon'", "expected a time, such as within 5s"),
        ("scenario: x\nseed: &a [*a]", 1, "file", "a list or mapping that holds itself", "expected YAML"),
        ("scenario: x\nseed: [", 2, "file", "", "expected YAML"),
        ("", 1, "file", "nothing", "expected a scenario"),
        ("- x", 1, "file", "['x']", "expected fields"),
        ("x", 1, "file", "'x'", "expected fields"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_reported_with_its_place_and_what_was_expected(
    text: str, line: int, field: str, found: str, expected: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse(text, file="x.yaml")
    first = caught.value.problems[0]
    assert (first.file, first.field) == ("x.yaml", field)
    assert first.line in (line, line + 1) if field == "file" else first.line == line
    assert found in first.found
    assert expected in first.expected
    assert str(first).startswith(f"x.yaml:{first.line}: {field}: found ")


def test_all_errors_are_reported_at_once_in_the_order_of_the_file() -> None:
    text = "scenario: x\nseed: -1\npopulation: {people: 1}\ntraffic: {rate: 3}\n"
    with pytest.raises(ScenarioError) as caught:
        parse(text)
    assert [each.field for each in caught.value.problems] == ["seed", "population.people", "traffic.rate"]
    assert len(str(caught.value).splitlines()) == 3


def test_a_long_value_is_shown_cut() -> None:
    assert "…" in problem(f"""
        scenario: x
        prices: {[1] * 100}
    """)


def test_a_missing_file_is_an_os_error() -> None:
    with pytest.raises(FileNotFoundError):
        read(Path("/nonexistent.yaml"))


@pytest.mark.parametrize("text", ["!!python/object/apply:os.system [echo]", "scenario: !!python/name:os.system x"])
def test_a_scenario_is_data_and_runs_nothing(text: str) -> None:
    with pytest.raises(ScenarioError):
        parse(text)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["10s", "5%", "feed.read", "x"])
    | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)


def problems_of(text: str) -> tuple[object, ...]:
    """What is wrong with a text, if anything; any other exception is the reader's fault."""
    try:
        parse(text)
    except ScenarioError as error:
        return error.problems or ("an error without a problem",)
    return ()


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    assert "an error without a problem" not in problems_of(text)


@given(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6))
def test_no_value_in_any_field_breaks_the_reader(fields: dict[str, object]) -> None:
    assert "an error without a problem" not in problems_of(yaml.safe_dump({"scenario": "x", **fields}))


@pytest.mark.parametrize(
    "text",
    [
        "? [a, b]\n: c",
        "? {a: b}\n: c",
        "a: &a [*a]",
        "seed: 2026-99-99",
        "\x1f",
        "1: 2",
        "~: 2",
        "scenario: x\n\x00",
        "*a",
    ],
)
def test_strange_yaml_is_reported_like_any_other_mistake(text: str) -> None:
    assert problems_of(text)


def test_bytes_that_are_not_text_are_reported(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"scenario: \xff\xfe")
    with pytest.raises(ScenarioError, match="expected text in UTF-8"):
        read(tmp_path / "x.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [("80ms", 0.08), ("10s", 10.0), ("24h", 86_400.0), ("1y", 31_536_000.0), ("2 m", 120.0), (0, 0.0)],
)
def test_durations_are_seconds(text: object, value: float) -> None:
    assert units.seconds(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["80", 80, "80 parsecs", "-1s", "1e3s", "", None, True, "ms"])
def test_an_invalid_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        units.seconds(text)


@given(st.integers(1, 10**9))
def test_what_is_shown_of_a_duration_reads_back(microseconds: int) -> None:
    value = microseconds / 1e6
    assert units.seconds(units.format_seconds(value)) == pytest.approx(value, rel=1e-5)


@given(st.integers(1, 2**50))
def test_what_is_shown_of_a_size_reads_back(size: int) -> None:
    assert units.size(units.format_size(size)) == size


@given(st.integers(0, 10_000))
def test_what_is_shown_of_a_share_reads_back(hundredths: int) -> None:
    value = hundredths / 10_000
    assert units.ratio(units.format_ratio(value)) == pytest.approx(value)


def _limits(text: str) -> dict[str, str]:
    read = parse(f"scenario: x\nsystem: {{gateway: {{{text}}}}}")
    assert parse(explain(read)) == read
    return {name: str(limit) for name, limit in read.system.gateway.limits.items()}


def test_writes_are_limited_by_default_and_a_file_changes_only_what_it_names() -> None:
    default = _limits("")
    assert default.keys() >= {"auth.signup", "media.create", "post.create", "story.create", "comment.add", "feed.read"}
    assert default["auth.signup"].endswith(" per ip")
    assert _limits("limits: {post.create: 5/m per user}") == {**default, "post.create": "5/m per user"}
    assert _limits("limits: {like.add: 100/m per user}") == {**default, "like.add": "100/m per user"}
    assert _limits("limits: {}") == default


def test_a_limit_is_lifted_by_its_name_and_all_of_them_together() -> None:
    lifted = _limits("limits: {auth.signup: none}")
    assert lifted == {name: limit for name, limit in _limits("").items() if name != "auth.signup"}
    assert _limits("limits: none") == {}
    assert _limits("limits: {like.remove: none}") == _limits("")


@pytest.mark.parametrize("name", [each.name for each in OPERATIONS.values() if not each.signed_in])
def test_no_operation_without_a_user_has_a_limit_per_user(name: str) -> None:
    with pytest.raises(ScenarioError, match=rf"system\.gateway\.limits\.{name}: found '9/s per user'; expected"):
        parse(f"scenario: x\nsystem: {{gateway: {{limits: {{{name}: 9/s per user}}}}}}")


def test_a_fault_as_explain_used_to_print_it_is_still_read() -> None:
    was = "{at: 1s, for: 1s, link: feed_redis, jitter: 0s, timeout: 2s, reset: false, down: false}"
    read = parse(f"scenario: x\nfaults: [{was}]")
    assert read.faults == (Timeout(at_seconds=1.0, for_seconds=1.0, link="feed_redis", timeout_seconds=2.0),)


def test_a_scenario_with_every_kind_of_fault_is_explained_and_read_back() -> None:
    links = ("latency: 1s", "bandwidth: 2kB", "timeout: 0s", "reset: true", "down: true")
    links += ("limit_data: 64KiB", "slow_close: 2s")
    what = [f"link: feed_redis, {kind}" for kind in links]
    what += ["process: eu/feed, action: kill", "process: eu/api, action: pause", "process: us/redis, action: restart"]
    faults = "".join(f"- {{at: {5 * n}s, for: 500ms, {each}}}\n" for n, each in enumerate([*what, "region: eu"]))
    read = parse(f"scenario: x\nsystem: {{regions: {{eu: {{people: 50%}}, us: {{people: 50%}}}}}}\nfaults:\n{faults}")
    assert {type(fault) for fault in read.faults} == set(KINDS)
    assert parse(explain(read)) == read


def test_a_file_with_thousands_of_wrong_fields_is_told_in_twenty_lines() -> None:
    text = "scenario: x\n" + "".join(f"bad{number}: 1\n" for number in range(20_000))
    with pytest.raises(ScenarioError) as caught:
        parse(text, file="x.yaml")
    said = str(caught.value).splitlines()
    assert len(said) == 20
    assert said[0].startswith("x.yaml:2: bad0: found an unknown field")
    assert said[-1] == "… and 19,981 more"
    assert caught.value.count == 20_000


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("scenario: x\n" + "".join(f"b{number}: 1\n" for number in range(50_000)), "488,902 characters"),
        (
            "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
            + "".join(f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in pairwise("abcdefghijk")),
            "too many values",
        ),
        ("a: &a [*a]\n", "a list or mapping that holds itself"),
        ("a: &a {b: *a}\n", "a list or mapping that holds itself"),
    ],
    ids=["long", "aliases of aliases", "itself", "itself in a mapping"],
)
def test_what_would_take_for_ever_to_read_is_refused_at_once(text: str, found: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse(text, file="x.yaml")
    assert [each.found for each in caught.value.problems] == [found]


def test_an_alias_may_be_used_many_times() -> None:
    text = "scenario: x\nsystem: {regions: {a: &r {people: 50%}, b: *r}}\n"
    assert [each.people_ratio for each in parse(text).system.regions.values()] == [0.5, 0.5]
