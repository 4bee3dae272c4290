"""The report is one offline file with the same content as the Markdown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.names import Origin
from lab.compare import compare
from lab.report import write
from present import markdown
from present import page as pages
from present.page import BYTES_MAX
from present.parts import Report
from tests.agreement import synthetic


@pytest.fixture(scope="module")
def page(pair: Path) -> str:
    return write(pair).read_text(encoding="utf-8")


def test_the_page_is_small_and_fetches_nothing(page: str) -> None:
    assert len(page.encode()) < BYTES_MAX
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', page)
    assert "<script" not in page
    assert "default-src 'none'" in page


def test_charts_take_their_colours_from_the_page_and_each_has_words(page: str) -> None:
    assert "var(--measured)" in page
    assert "var(--simulated)" in page
    assert "prefers-color-scheme: dark" in page
    labels = re.findall(r'<div role="img" aria-label="([^"]*)"', page)
    assert len(labels) >= 5
    assert all(len(each) > 20 for each in labels)


def test_no_two_drawings_share_an_id(page: str) -> None:
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]*)\)", page)) <= set(ids)


def test_the_markdown_says_the_same_as_the_page(pair: Path, page: str) -> None:
    text = (pair / "report.md").read_text(encoding="utf-8")
    titles = re.findall(r"<h2>(.*?)</h2>", page)
    assert re.findall(r"^## (.*)$", text, flags=re.MULTILINE) == titles
    assert {"Expectations", "Latency over time", "Agreement", "Cost", "Validity", "How to repeat"} <= set(titles)
    for word in ("feed.read p95, outside faults", "feed_redis +300 ms ± 100 ms", "round trip 305 ms", "a1b2c3d"):
        assert word in text
        assert word in page.replace("<wbr>", "")  # where a long name may be broken


def test_text_of_a_scenario_is_never_taken_for_markup(tmp_path: Path) -> None:
    text = synthetic.SCENARIO.read_text(encoding="utf-8").replace(
        "description: A post", "description: <script>alert(1)</script> A post"
    )
    synthetic.write_pair(tmp_path / "pair", text=text)
    compare(tmp_path / "pair")
    found = write(tmp_path / "pair").read_text(encoding="utf-8")
    assert "<script>alert" not in found
    before_the_scenario = (tmp_path / "pair" / "report.md").read_text(encoding="utf-8").split("```")[0]
    assert re.search(r"(?<!\\)<script", before_the_scenario) is None


def test_a_prediction_alone_gets_a_report_that_says_so(tmp_path: Path) -> None:
    synthetic.write_side(tmp_path / "pair", Origin.SIMULATED)
    compare(tmp_path / "pair")
    found = write(tmp_path / "pair").read_text(encoding="utf-8")
    assert "no measured run" in found
    assert "There is nothing to compare" in found


def test_a_void_run_gets_a_report_that_says_why(tmp_path: Path) -> None:
    synthetic.write_pair(tmp_path / "pair", void=["the generator lagged"])
    compare(tmp_path / "pair")
    assert "The measured run is void: the generator lagged." in write(tmp_path / "pair").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("**b** _x_ a_name", r"\*\*b\*\* \_x\_ a_name"),
        ("<script>alert(1)</script> &lt;", r"\<script>alert(1)\</script> \&lt;"),
        ("[in](http://x.org) ![i](https://x.org/i.png)", r"\[in](`http://x.org)` !\[i](`https://x.org/i.png)`"),
        ("$x^2$ costs, $5 costs", r"\$x^2\$ costs, $5 costs"),
        ("~~old~~", r"\~\~old\~\~"),
        ("# head", r"\# head"),
        ("1. one", r"1\. one"),
        ("> said", r"\> said"),
        ("two\nlines\x1b[31m", r"two lines \[31m"),
    ],
)
def test_text_from_outside_is_text_in_markdown(text: str, written: str) -> None:
    report = Report(title=text, sentence=text, good=None, caption=text, says=text, sections=())
    lines = markdown.render(report).splitlines()
    assert lines == [f"# {written}", "", f"**{written}**", "", f"> {written}", "", written]


def test_text_from_outside_is_text_in_the_page(tmp_path: Path) -> None:
    text = "<script>alert(1)</script> & <img src=https://x.org/i.png>"
    page_text = pages.render(Report(title=text, sentence=text, good=None, caption=text, says=text, sections=()))
    assert "<script>alert" not in page_text
    assert "<img" not in page_text
    assert "&lt;script&gt;alert(1)" in page_text


def test_findings_of_the_model_are_a_section_if_there_are_any(tmp_path: Path, page: str) -> None:
    synthetic.write_pair(tmp_path / "pair", facts=synthetic.FACTS)
    compare(tmp_path / "pair")
    told = write(tmp_path / "pair").read_text(encoding="utf-8").replace("<wbr>", "")
    assert "<h2>Facts about the simulation</h2>" in told
    for text in ("its fallback path was not calibrated", "host stack 61.0 %", "feed.timeline 3 ×", "20.0 ms at most"):
        assert text in told, text
    assert "Facts about the simulation" not in page
