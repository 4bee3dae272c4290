"""The published designs A–D: what is known not to add up in them is found, with its factor and the slip it looks like.

The factors here are computed by hand from the figures as published, without the audit's own arithmetic.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from planning.audit import AuditVerdict, Finding, audit
from planning.audit.consequences import consequences
from records.scenarios import read

FOLDER = Path(__file__).parents[2] / "scenarios" / "reference"
MONTH_DAYS = 365 / 12
DAY_SECONDS = 86_400


def findings_of(letter: str) -> dict[str, Finding]:
    """Findings of a reference design by the figures' names."""
    design = read(FOLDER / f"design_{letter}.yaml").design
    assert design is not None
    return {finding.name: finding for finding in audit(design)}


A, B, C = findings_of("a"), findings_of("b"), findings_of("c")

PEAK = "the mean taken for the peak: the factor peak_factor left out"
TIERS = "tiers in series taken for one: the factor (1 - {}) left out"

#: Mistakes of their own: figure, stated over what the design's terms give, the slip.
OWN = [
    # 400 M × 3.5 MB + 100 M × 100 MB = 1.4 PB + 10 PB
    (A["storage_day"], 11.4e12 / (1.4e15 + 10e15), "TB written for PB"),
    # 50 B a day are 578.7 K/s on average, and three times that at peak
    (A["engagement_peak"], 578e3 / (3 * 50e9 / DAY_SECONDS), PEAK),
    (A["request_price"], 1000, "per thousand taken for per one"),
    # 500 B × $0.0004 is a day's bill at a price for each, told as a month's
    (A["bill_without_cdn"], 1000 / MONTH_DAYS, "per day taken for per month"),
    (A["origin_bill"], 20 * 1000 / MONTH_DAYS, "per day taken for per month"),
    (A["origin_share"], 0.05 / (0.1 * 0.05), TIERS.format("edge_hit")),
    (A["origin_requests"], 50e9 / (500e9 * 0.1 * 0.05), TIERS.format("shield_hit")),
    (A["pipeline_rate"], 5780 / (500 * 20 / 60), "posts taken for it"),
    (A["media_workers"], 500 / (400e6 * 3 / DAY_SECONDS / (20 / 60)), ""),
    (A["viral_rate"], 100e3 / (1e6 / 600), "per minute taken for per second"),
    (A["versions_factor"], 8 / (3.5 / 3), ""),
    (C["storage_priced"], 1.68 / 1679, "PB written for EB"),
    (C["egress_priced"], 1e15 / (5e9 * 20 * 200e3 * MONTH_DAYS),
     "the factor photos_per_feed left out, and per day taken for per month"),
    (C["photos_in_overview"], 100 / (500 * 0.2 * 2), "the factor photos_per_uploader left out"),
    (C["likes_in_overview"], 4.5 / (0.5 * 15), ""),
    (C["feed_rate_at_bottleneck"], 145e3 / (5e9 / DAY_SECONDS), "read_rate taken for it"),
    (C["cassandra_writes"], 90e3 / ((200e6 * 151 + 7.5e9) / DAY_SECONDS), "write_rate taken for it"),
    (C["api_bill"], 24 / MONTH_DAYS, "the 24 hours of a day taken for the days of a month"),
    # 300 + 150 + 10 + 200 + 80 + 100 + 1 KB
    (A["thumbnails_most"], 500 / 841, ""),
    # 10 B × 50 × 300 KB at $0.02 a GB: $3 M a day
    (A["cdn_bill_by_table"], 150 / (3 * MONTH_DAYS), ""),
    # 22 at once with 15, then 8 and 12
    (A["trace"], 57 / 42, "added up instead of max"),
    (A["stitcher"], 50 / 60, ""),
    (A["like_limit"], 10 / 100, ""),
    (A["spikes"], 10 / 3, ""),
    # 58 K feeds and 87 K likes
    (C["read_rate"], 145 / 58, ""),
    # ten reads a day, of which at most 10 × 5 min / 1 day come in time
    (C["feed_hits"], 0.9 / (10 * 5 / 1440), ""),
    (C["redis_bill_by_memory"], 32_400 / (41_000 * 4.55), ""),
]  # fmt: skip

#: What only carries a mistake on: figure, stated over recomputed, where the mistake was made.
CARRIED = [
    (A["storage_year"], 4.16e15 / (11.4e15 * 365), ("storage_day",)),
    (A["storage_5_years"], 20.8e15 / (11.4e15 * 365 * 5), ("storage_day",)),
    (A["storage_copies"], 62.4e15 / (11.4e15 * 365 * 5 * 3), ("storage_day",)),
    (A["engagement_cores"], 5780 / (3 * 50e9 / DAY_SECONDS * 0.01), ("engagement_peak",)),
    (A["viral_overload"], 60, ("viral_rate",)),
    (C["reads_per_write"], 1.6 / (58 / 90), ("read_rate",)),
    (C["storage_bill"], 38_640 / (1679e6 * 0.023), ("storage_priced",)),
    (C["cdn_bill"], 85_000 / (5e9 * 20 * 200e3 * MONTH_DAYS / 1e9 * 0.085), ("egress_priced",)),
]


@pytest.mark.parametrize(("finding", "over", "slip"), OWN, ids=[finding.name for finding, _, _ in OWN])
def test_a_known_contradiction_is_found_with_its_factor_and_its_slip(finding: Finding, over: float, slip: str) -> None:
    assert finding.verdict is AuditVerdict.DIFFERS
    assert finding.own_slip
    assert finding.off_ratio == pytest.approx(over, rel=1e-3)
    assert finding.conjecture == slip


@pytest.mark.parametrize(("finding", "over", "causes"), CARRIED, ids=[finding.name for finding, _, _ in CARRIED])
def test_what_follows_from_a_contradiction_is_found_with_its_cause(
    finding: Finding, over: float, causes: tuple[str, ...]
) -> None:
    assert finding.verdict is AuditVerdict.DIFFERS
    assert not finding.own_slip
    assert finding.off_ratio == pytest.approx(over, rel=5e-3)
    assert finding.follows_from == causes


def test_no_other_figure_differs_by_its_own_arithmetic() -> None:
    slips = {finding.name for finding in (*A.values(), *C.values()) if finding.own_slip}
    assert slips == {finding.name for finding, _, _ in OWN}


def test_the_saving_of_the_cdn_of_a_is_a_cost_once_its_bills_are_right() -> None:
    saving = A["cdn_saving"]
    assert saving.off_ratio is not None
    assert saving.off_ratio < 0
    assert set(saving.follows_from) == {"request_price", "bill_without_cdn", "origin_requests", "origin_bill"}


def test_the_bill_of_c_is_a_quarter_of_a_percent_of_what_its_own_terms_cost() -> None:
    assert C["bill"].off_ratio == pytest.approx(1 / 252, rel=0.01)
    assert not C["bill"].own_slip


@pytest.mark.parametrize(
    "finding",
    [
        A["post_rate"], A["post_peak"], A["feed_rate"], A["feed_peak"], A["engagement_rate"], A["egress_day"],
        A["cdn_bill"], A["feed_cores"], A["upload_cores"], A["recommendation_cores"], A["shard_users"],
        A["database_instances"], A["profile_shards"], A["miss_shards"], A["fetch_at_once"], A["index_size"],
        C["feed_rate"], C["photo_rate"], C["like_rate"], C["photo_storage"], C["storage"], C["egress"], C["ingress"],
        C["cache"], C["cassandra_bill"], C["database_bill"], C["redis_bill"], C["kafka_bill"],
        B["post_rate"], B["feed_views"], B["feed_rate"], B["story_rate"], B["photos"], B["photo_storage"],
        B["photo_year"], B["videos"], B["video_storage"], B["video_year"], B["story_storage"], B["metadata_day"],
    ],
    ids=lambda finding: finding.name,
)  # fmt: skip
def test_what_adds_up_in_the_published_designs_agrees(finding: Finding) -> None:
    assert finding.verdict is AuditVerdict.AGREES


def test_the_peaks_of_b_follow_from_no_factor_that_it_states() -> None:
    assert len([each for each in B.values() if each.stated is not None]) == 14
    assert {name for name, each in B.items() if each.stated is not None and each.verdict is AuditVerdict.UNCHECKED} == {
        "post_peak",
        "feed_peak",
    }
    factors = [B[name].recomputed for name in ("post_peak_factor", "feed_peak_factor")]
    assert [round(float(each.to_base_units().magnitude), 2) for each in factors if each is not None] == [3.46, 3.11]


@pytest.mark.parametrize(
    ("letter", "worst", "dollars_a_month", "machines"),
    [
        # 11.4 PB a day for five years in three copies, a thousand times what it has
        ("a", "storage_bill", 11.4e6 * 365 * 5 * 3 * 0.0195 * 0.999, {"media_workers": 41_167, "cores": 11_581}),
        ("c", "bill", 90.2e6, {}),
    ],
)
def test_what_the_mistakes_of_a_design_are_worth(
    letter: str, worst: str, dollars_a_month: float, machines: dict[str, float]
) -> None:
    found = consequences(findings_of(letter).values())
    assert found[0].finding.name == worst
    assert found[0].more == pytest.approx(dollars_a_month, rel=0.01)
    bills = [abs(each.more) for each in found if each.is_money]
    assert bills == sorted(bills, reverse=True)
    more = {each.finding.name: each.more for each in found if not each.is_money}
    assert {name: more[name] for name in machines} == pytest.approx(machines, rel=0.01)


def test_a_design_that_holds_is_worth_nothing() -> None:
    assert consequences(B.values()) == ()


def test_of_a_design_whose_results_are_not_recorded_nothing_is_claimed() -> None:
    findings = findings_of("d")
    assert {finding.verdict for finding in findings.values()} == {AuditVerdict.UNCHECKED}
    assert {finding.reason for finding in findings.values()} == {"only the inputs of this design are recorded here"}
    assert all(finding.recomputed is not None for finding in findings.values())


def test_the_figures_of_the_reference_table_stand_in_the_files() -> None:
    wanted = {
        "a": "2 B people|500 M posts/day|400 M images/day|100 M videos/day|10 B views/day|50 images/view|500 KB/image|"
        "50 B engagements/day|3.5 MB/image|100 MB/video|10 K followers|150 ms|5 s|10 MB|16|2|90 %|95 %|$0.02/GB|3|"
        "99.99 %|50 ms|200 ms|100 ms|10 ms",
        "b": "500 M people|100 M posts/day|70 %|500 M stories/day|2.5 B views/day|2 MB/photo|50 MB/video|5 MB/story|"
        "300 follows|300 ms|2 s|1 year|99.99 %",
        "c": "500 M people|200 M photos/day|5 B views/day|20 photos/view|200 KB/photo|7.5 B likes/day|2.3 MB/photo|"
        "150 follows|100 K followers|200 ms|3 s|4096 shards|30 instances|80 %|$0.085/GB|99.99 %",
        "d": "100 M people|200 ms|99.99 %",
    }
    for letter, texts in wanted.items():
        design = read(FOLDER / f"design_{letter}.yaml").design
        assert design is not None
        written = {*design.inputs.values(), *(figure.value for figure in design.stated.values())}
        assert set(texts.split("|")) <= written, letter
