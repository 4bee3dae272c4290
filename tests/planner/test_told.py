"""What `windtunnel plan` prints, writes and ends with."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.plan import command
from core.errors import UserError
from core.profile import encode
from core.scenario import ScenarioError
from planning.plan import words
from present.charts import plans
from tests.planner import made

ROOT = Path(__file__).parents[2]
TEAM = ROOT / "scenarios" / "plans" / "small_team.yaml"
(SHIPPED,) = (ROOT / "scenarios" / "calibration").glob("*.json")


def run(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(command, [str(each) for each in arguments], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result


def written(tmp_path: Path, **changes: Any) -> tuple[Path, Path]:
    scenario, profile = tmp_path / "made.yaml", tmp_path / "made.json"
    scenario.write_text(made.text(**changes), encoding="utf-8")
    profile.write_bytes(encode(made.profile()))
    return scenario, profile


@pytest.fixture(scope="module")
def team() -> str:
    return run(TEAM, "--profile", SHIPPED, "--quick", "--all").stdout


def test_the_sentence_comes_first_with_its_numbers(team: str) -> None:
    lines = team.splitlines()
    assert lines[0].startswith("windtunnel plan small_team")
    told = " ".join(lines[1:4])
    assert told.startswith("✓ ")
    for part in ("machines", "feed processes", "feed.read p", " of <", "a month;", "gives way first", "of the bill"):
        assert part in told


def test_no_line_is_wider_than_a_terminal(team: str) -> None:
    assert [line for line in team.splitlines() if len(line) > 80] == []


def test_every_part_of_the_answer_is_there(team: str) -> None:
    for part in (
        "LIMITS", "COUNTS", "FIRST TO GIVE WAY", "CDN", "COST a month", "WHAT A LITTLE MORE COSTS", "NOT TAKEN",
        "PAID OTHERWISE", "by the age of prices", "owed in 36 months", "DOWN", "NOTE", "one more nine", "+10% demand",
        "10 ms off", "per million requests", "per user", "availability",
    ):  # fmt: skip
        assert part in team
    assert team.rstrip().endswith("exit 0")


def test_it_says_how_sure_it_is(tmp_path: Path) -> None:
    scenario, profile = written(
        tmp_path, intent={"ranges": {"demand": [0.5, 1, 2]}, "slo": {"feed.read": {"p95": "< 1s"}}}
    )
    found = run(scenario, "--profile", profile).stdout
    for part in (
        "HOW SURE",
        "P(limits hold)",
        "P(short)",
        "least regret",
        "by its own error",
        "of its variance: demand",
        "Short: a limit is missed, a tier is busier than intent.busy",
    ):
        assert part in found
    assert [line for line in found.splitlines() if len(line) > 80] == []


def test_a_fleet_that_is_short_in_most_draws_leads_with_that_and_offers_another(tmp_path: Path) -> None:
    scenario, profile = written(
        tmp_path, intent={"ranges": {"demand": [20, 50, 100]}, "slo": {"feed.read": {"p95": "< 1s"}}}
    )
    lines = run(scenario, "--profile", profile).stdout.splitlines()
    told = " ".join(" ".join(lines[1:8]).split())
    assert re.match(r"✗ short in \d+ % of [\d,]+ draws from the intent's ranges; the fleet of least regret is \d", told)
    assert " As stated: " in told
    found = json.loads(run(scenario, "--profile", profile, "--json").stdout)
    assert found["sentence"].startswith("short in ")
    assert found["uncertainty"]["short_ratio"] > 0.5
    assert found["held"] is True  # at the inputs as stated, which decide the exit code


def test_the_fleet_of_today_is_compared_with_the_plan(tmp_path: Path) -> None:
    intent = {"present": {"feed": 3, "postgres": 1}, "slo": {"feed.read": {"p95": "< 20ms"}}}
    scenario, profile = written(tmp_path, per_day={"feed.read": 86_400 * 4_000, "like.add": 86_400}, intent=intent)
    found = run(scenario, "--profile", profile, "--quick").stdout
    shown = found[found.index("TODAY") :].splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in shown[1:3]}
    assert rows["postgres"][0] == "1"
    today, planned, change = rows["feed"]
    assert today == "3"
    assert change == f"+{int(planned) - 3}"
    said = " ".join(found.split())
    assert "today's fleet cannot carry it: " in said or "today's fleet does not hold the intent: " in said
    enough = {"present": {"feed": 40}, "slo": {"feed.read": {"p95": "< 20ms"}}}
    scenario, profile = written(tmp_path, per_day={"feed.read": 86_400 * 4_000, "like.add": 86_400}, intent=enough)
    kept = json.loads(run(scenario, "--profile", profile, "--quick", "--json").stdout)["present"]
    assert kept["held"] is True
    assert kept["sentence"].startswith("today's fleet holds the intent: ")
    unknown = {"present": {"fed": 4}, "slo": {"feed.read": {"p95": "< 20ms"}}}
    scenario, profile = written(tmp_path, intent=unknown)
    with pytest.raises(UserError, match=r"intent\.present\.fed: expected one of "):
        run(scenario, "--profile", profile, "--quick")


def test_every_limit_that_is_missed_is_named(tmp_path: Path) -> None:
    slo = {"feed.read": {"p50": "< 2ms", "p95": "< 6ms"}, "like.add": {"p95": "< 1ms"}}
    scenario, profile = written(
        tmp_path,
        per_day={"feed.read": 86_400 * 1_000, "like.add": 86_400},
        intent={"fleet": {"feed": 3, "api": 1}, "slo": slo, "shapes": {"services": "vm.c7g.xlarge"}},
    )
    found = run(scenario, "--profile", profile, "--quick").stdout
    sentence = " ".join(" ".join(found.splitlines()[1:6]).split())
    missed = [line.split("✗ ")[1].rsplit("<")[0].strip() for line in found.splitlines() if line.startswith("✗ ")][1:]
    assert len(missed) > 1
    assert all(each in sentence for each in missed if each != "availability")


def test_json_is_the_same_plan() -> None:
    found = json.loads(run(TEAM, "--profile", SHIPPED, "--quick", "--json").stdout)
    assert found["held"] is True
    assert found["cost"]["months"] == 12
    assert found["cost"]["mean"]["dollars_month"] == pytest.approx(
        sum(item["dollars_month"] for item in found["cost"]["mean"]["items"])
    )
    tiers = {tier["tier"]: tier for tier in found["regions"][0]["tiers"]}
    assert tiers["feed"]["instances"] >= tiers["feed"]["working"] + 1  # its spare
    assert found["outlook"]["bottleneck"] == found["outlook"]["tiers"][0]["tier"]
    (pool,) = found["regions"][0]["pools"]
    machines = pool["machines"] + sum(tier["machines"] for tier in tiers.values())
    assert machines == found["machines"]


@pytest.mark.parametrize("suffix", [".html", ".md"])
def test_a_page_says_what_the_terminal_says(tmp_path: Path, suffix: str) -> None:
    scenario, profile = written(tmp_path, intent={"slo": {"feed.read": {"p95": "< 1s"}}})
    out = tmp_path / f"plan{suffix}"
    printed = run(scenario, "--profile", profile, "--quick", "--out", out).stdout
    page = out.read_text(encoding="utf-8").replace("<wbr>", "")  # where a name may be broken
    assert f"report  {out}" in printed
    for part in ("gives way first", "First to give way", "What a little more costs", "Not taken", "vm.c8a.24xlarge"):
        assert part in page
    if suffix == ".html":
        assert page.count("<svg") >= 2
        assert len(page.encode()) < 1_000_000


def test_a_limit_that_a_given_fleet_misses_ends_with_99(tmp_path: Path) -> None:
    scenario, profile = written(
        tmp_path,
        per_day={"feed.read": 86_400 * 1_000},
        intent={
            "fleet": {"feed": 3}, "slo": {"feed.read": {"p95": "< 6ms"}}, "shapes": {"services": "vm.c7g.xlarge"},
        },
    )  # fmt: skip
    found = run(scenario, "--profile", profile, "--quick")
    assert found.return_value == 99
    assert "✗ feed.read p95" in found.stdout
    assert found.stdout.rstrip().endswith("exit 99")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"intent": {"slo": {"feed.read": {"p95": "< 1ms"}}}}, "intent.slo.feed.read.p95: no number of instances"),
        ({"intent": {"term": "spot"}}, "book 2026-11 has no spot price of a machine"),
    ],
)
def test_what_cannot_be_planned_is_one_readable_error(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    scenario, profile = written(tmp_path, **changes)
    with pytest.raises(UserError) as error:
        run(scenario, "--profile", profile, "--quick")
    assert error.value.exit_code == 2
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_another_term_is_another_price(tmp_path: Path) -> None:
    scenario, profile = written(tmp_path)
    usual, reserved = (
        json.loads(run(scenario, "--profile", profile, "--quick", "--json", "--term", term).stdout)
        for term in ("on_demand", "reserved_3y")
    )
    assert set(reserved["terms"].values()) == {"reserved_3y"}
    assert reserved["cost"]["mean"]["dollars_month"] < usual["cost"]["mean"]["dollars_month"]


def test_a_scenario_that_asks_for_no_plan_is_told_what_to_add() -> None:
    with pytest.raises(UserError, match="demand: a plan needs the whole service's"):
        run(ROOT / "scenarios" / "viral_post_small.yaml", "--profile", SHIPPED)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (9.5, "$9.50"),
        (9_469.0, "$9,470"),
        (5_140_000.0, "$5.14 M"),
        (367_900_000.0, "$368 M"),
        (-1_200.0, "−$1,200"),
        (2.5e9, "$2.50 B"),
    ],
)
def test_money_has_three_digits(value: float, told: str) -> None:
    assert words.money(value) == told


@pytest.mark.parametrize(
    ("ratio", "told"),
    [(0.9999, "99.99 %"), (0.999, "99.9 %"), (0.99, "99 %"), (0.9999972, "99.9997 %"), (1.0, "100 %")],
)
def test_nines_are_never_rounded_up(ratio: float, told: str) -> None:
    assert words.nines(ratio) == told


@pytest.mark.parametrize(
    ("ratio", "told"), [(0.541, "+54 %"), (0.001, "none"), (-0.25, "−25 %"), (12.0, ">10 ×"), (float("inf"), ">10 ×")]
)
def test_headroom_is_signed(ratio: float, told: str) -> None:
    assert words.headroom(ratio) == told


def test_a_fleet_of_which_nothing_is_left_with_the_spares_down_misses(tmp_path: Path) -> None:
    for count, code in ((1, 99), (2, 0)):
        scenario, profile = written(
            tmp_path,
            intent={"spare": 1, "fleet": {"feed": count}, "slo": {"feed.read": {"p95": "< 1s"}}, "availability": "99%"},
        )
        result = run(scenario, "--profile", profile, "--quick")
        assert result.return_value == code
        missed = "with 1 down none is left of feed (1 given)"
        assert (missed in " ".join(result.stdout.split())) == (count == 1)


def test_labels_of_a_chart_that_would_lie_on_each_other_are_one() -> None:
    assert plans.together({"now": 0.3, "peak": 1.0, "worst": 1.0}, 0.1) == [(0.3, "now"), (1.0, "peak, worst")]
    assert [name for _, name in plans.together({"now": 0.3, "peak": 0.8, "worst": 1.0}, 0.1)] == [
        "now",
        "peak",
        "worst",
    ]


def test_a_knee_that_is_another_tiers_says_so(team: str, tmp_path: Path) -> None:
    assert "× the worst hour's load, where workers has no media workers left." in " ".join(team.split())
    out = tmp_path / "plan.md"
    run(TEAM, "--profile", SHIPPED, "--quick", "--out", out)
    assert "The knee is that of workers, which has no media workers left there." in out.read_text(encoding="utf-8")


def test_a_knee_that_is_another_limits_says_so(tmp_path: Path) -> None:
    slo = {"feed.read": {"p95": "< 20ms"}, "like.add": {"p95": "< 900ms"}}
    scenario, profile = written(tmp_path, intent={"slo": slo})
    out = tmp_path / "plan.md"
    run(scenario, "--profile", profile, "--quick", "--out", out)
    page = out.read_text(encoding="utf-8")
    told = "The knee is that of feed.read p95, which is missed there."
    captions = [line for line in page.splitlines() if "what works in the worst hour; band" in line]
    assert {"like.add p95 over load" in line for line in captions} == {True, False}
    assert all((told in line) == ("like.add p95 over load" in line) for line in captions)


def test_fewer_replicas_than_spares_are_not_planned_and_it_says_why(tmp_path: Path) -> None:
    for replicas, told in ((0, True), (1, False), (2, False)):
        scenario, profile = written(tmp_path, intent={"spare": 1, "replicas": replicas, "availability": "99%"})
        found = " ".join(run(scenario, "--profile", profile, "--quick").stdout.split())
        assert ("intent.replicas: 0 is not what is planned" in found) == told


@pytest.mark.parametrize(
    ("intent", "told"),
    [
        ({"growth": "100000%"}, "'100000%'; expected one from 0% to 1000%"),
        ({"horizon": "1000y"}, "'1000y'; expected one above 0s, of up to 10y"),
        ({"busy": "100%"}, "'100%'; expected one above 0% and below 100%"),
        ({"ranges": {"demand": [0, 0, 0]}}, "[0, 0, 0]; expected factors above zero"),
    ],
)
def test_what_is_out_of_bounds_is_told_in_the_unit_of_the_field(intent: dict[str, Any], told: str) -> None:
    with pytest.raises(ScenarioError) as error:
        made.scenario(intent=intent)
    assert told in str(error.value)


def test_a_plan_has_the_same_digits_whatever_the_order_of_sets() -> None:
    command_line = [sys.executable, "-m", "cli", "plan", str(TEAM), "--profile", str(SHIPPED), "--quick", "--json"]
    printed = {
        subprocess.run(
            command_line,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(printed) == 1
    assert json.loads(*printed)["held"] in (True, False)
