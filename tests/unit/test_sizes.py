"""Costs that grow with the size of the work: from points with two sizes to demands of a scenario's own size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import pyvips

from core.operations import MEDIA_COMPLETE
from core.profile import DEGRADED, PAGE, PIXELS, Profile, SizeShare, decode, encode, of_sizes
from core.scenario import parse
from lab.calibration import demands, series
from lab.calibration.point import SteadyPoint, with_photos
from lab.calibration.series import SMALL, sized
from loadtest import photo, seeded
from records.scenarios import read
from sim.model.prepared import prepare
from sim.model.stated import sizes_of
from tests.model.small import scenario
from tests.model.synthetic import profile

SMALL_SCENARIO = read(Path(__file__).parents[2] / "scenarios" / "viral_post_small.yaml")


def _point(name: str, rate: float, **milliseconds: float) -> SteadyPoint:
    return SteadyPoint(
        operation=name,
        rate_per_second=rate,
        cpu_seconds={process: value / 1e3 for process, value in milliseconds.items()},
        error_seconds=dict.fromkeys(milliseconds, 2e-5),
        variation=0.4,
        count=100,
    )


def _planted(share: float, *, large: float = 50.0, small: float = 10.0) -> float:
    """Milliseconds of the smaller size where the larger one takes 2 ms."""
    return 2.0 * (1.0 - share + share * small / large)


@pytest.mark.parametrize("share", [0.2, 0.7, 1.0])
def test_the_share_that_grows_is_found(share: float) -> None:
    points = [
        *(_point("feed.read", rate, feed=2.0, gateway=0.3) for rate in (60.0, 150.0)),
        *(_point("feed.read" + SMALL, rate, feed=_planted(share), gateway=0.3) for rate in (60.0, 150.0)),
    ]
    (found,) = demands.fitted_sizes(points, SMALL_SCENARIO, scatter_ratio=0.0)
    assert (found.operation, found.process, found.size, found.at) == ("feed.read", "feed", PAGE, 50.0)
    assert found.share == pytest.approx(share, abs=1e-3)


def test_a_job_that_was_measured_with_an_operation_grows_like_its_part() -> None:
    points = [
        _point("media.complete", 4.0, media=100.0, upload=3.0),
        _point("media.complete" + SMALL, 4.0, media=40.0, upload=3.0),
    ]
    found = demands.fitted_sizes(points, SMALL_SCENARIO, scatter_ratio=0.0)
    assert [(each.operation, each.process, each.size) for each in found] == [("media.process", "media", PIXELS)]
    assert found[0].share == pytest.approx(0.6 / 0.75, abs=1e-3)


def test_points_with_smaller_photos_upload_smaller_photos(tmp_path: Path) -> None:
    summary = seeded.Summary(
        scenario="x", seed=7, gateway="", people=0, follows=0, photos=2, posts=0, stories=0, tokens_expire_unix=0.0,
        seconds={},
    )  # fmt: skip
    large = [photo.taken_by(number, seed=7, photo=SMALL_SCENARIO.population.photo) for number in range(2)]
    seeded.write(tmp_path / "large", summary=summary, people=(), posts=(), stories=(), photos=large)
    made = with_photos(tmp_path / "large", tmp_path / "small", sized(SMALL_SCENARIO, MEDIA_COMPLETE))
    found = seeded.read(made)
    assert found.summary == summary
    sides = [pyvips.Image.new_from_buffer(each, "").width for each in (*large, *found.photos)]
    assert sides == [1600, 1600, 800, 800]


def test_a_difference_within_the_scatter_of_points_is_no_growth() -> None:
    points = [_point("feed.read", 60.0, feed=2.0), _point("feed.read" + SMALL, 60.0, feed=1.6)]
    assert len(demands.fitted_sizes(points, SMALL_SCENARIO, scatter_ratio=0.02)) == 1
    assert demands.fitted_sizes(points, SMALL_SCENARIO, scatter_ratio=0.15) == ()


def test_without_a_point_of_both_sizes_nothing_grows() -> None:
    assert demands.fitted_sizes([_point("feed.read", 60.0, feed=2.0)], SMALL_SCENARIO, scatter_ratio=0.0) == ()
    rates = [_point("feed.read", 60.0, feed=2.0), _point("feed.read" + SMALL, 40.0, feed=1.0)]
    assert demands.fitted_sizes(rates, SMALL_SCENARIO, scatter_ratio=0.0) == ()


def test_the_smaller_sizes_are_smaller() -> None:
    feed, photo = sized(SMALL_SCENARIO, "feed.read"), sized(SMALL_SCENARIO, "media.complete")
    assert feed.system.feed.page == 10
    assert (photo.population.photo.width, photo.population.photo.height) == (800, 600)
    one = replace(SMALL_SCENARIO.system.feed, page=1)
    with pytest.raises(ValueError, match="page can be made smaller"):
        sized(replace(SMALL_SCENARIO, system=replace(SMALL_SCENARIO.system, feed=one)), "feed.read")
    assert {each.operation for each in series.planned(SMALL_SCENARIO) if each.kind == SMALL} == series.SIZED.keys()


def _sized() -> Profile:
    grows = (
        SizeShare(operation="feed.read", process="feed", size=PAGE, at=50.0, share=0.6),
        SizeShare(operation="media.process", process="media", size=PIXELS, at=1600.0 * 1200.0, share=0.8),
    )
    return msgspec.structs.replace(profile(), sizes=grows)


def test_demands_are_those_of_the_scenarios_sizes() -> None:
    usual = {PAGE: 50.0, PIXELS: 1600.0 * 1200.0}
    assert of_sizes(_sized(), usual) == _sized()
    found = of_sizes(_sized(), {**usual, PAGE: 100.0, PIXELS: 800.0 * 600.0})
    before, after = ({(each.operation, each.process): each for each in one.demands} for one in (_sized(), found))
    factor = {("feed.read", "feed"): 1.6, ("media.process", "media"): 0.2 + 0.8 / 4}
    for key, demand in after.items():
        if not key[0].endswith(DEGRADED):
            assert demand.cpu_seconds == pytest.approx(
                [factor.get(key, 1.0) * each for each in before[key].cpu_seconds]
            )
    fallback = "feed.read" + DEGRADED, "feed"
    more = 0.6 * before["feed.read", "feed"].at(10.0)
    assert after[fallback].at(10.0) - before[fallback].at(10.0) == pytest.approx(more)


def test_a_page_and_a_photo_act_on_the_model() -> None:
    def cost(operation: str, process: str, **changes: object) -> float:
        made = scenario(mix={"feed.read": "50%", "media.upload": "50%"}, **changes)
        rows = prepare(made, _sized()).program.demands
        return next(row.mean_seconds[0] for row in rows if (row.operation, row.process) == (operation, process))

    # read at how busy the process is, which the larger page changes too
    assert cost("feed.read", "feed", feed={"page": 100}) == pytest.approx(
        1.6 * cost("feed.read", "feed", feed={"page": 50}), rel=0.02
    )


def test_a_plan_knows_the_pixels_of_a_photo_by_its_bytes() -> None:
    text = "scenario: x\npopulation: {photo: {width: 1000, height: 900}}\nsystem: {feed: {page: 20}}\n"
    assert sizes_of(parse(text)) == {PAGE: 20.0, PIXELS: 900_000.0}
    demand = "demand: {daily_users: 1000, per_day: {feed.read: 1000}, sizes: {original: 1.8MB}}\n"
    assert sizes_of(parse(text + demand))[PIXELS] == pytest.approx(1e7)


@pytest.mark.parametrize("wrong", [{"share": 1.2}, {"at": 0.0}, {"size": "rows"}])
def test_a_profile_with_a_wrong_size_is_refused_by_its_field(wrong: dict[str, object]) -> None:
    one = msgspec.structs.replace(_sized().sizes[0], **wrong)
    assert decode(encode(_sized())).sizes == _sized().sizes
    with pytest.raises(ValueError, match=r"sizes\[0\] \(feed\.read at feed\)"):
        decode(encode(msgspec.structs.replace(_sized(), sizes=(one,))))
