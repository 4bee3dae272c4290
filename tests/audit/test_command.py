"""`windtunnel audit` end to end: the table, JSON, reports, exit codes, errors, and the documentation."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import UserError
from planning.audit import AuditVerdict
from planning.audit import figures as audit_figures
from planning.audit import page as audit_report
from planning.audit import text as audit_terminal
from planning.audit.record import audit_all
from present import document, markdown

ROOT = Path(__file__).parents[2]
REFERENCE = Path("scenarios/reference")
WORTH = (
    "<!-- what the mistakes are worth: also written by `windtunnel audit --out FILE.md` -->\n",
    "<!-- end of what they are worth -->",
)
MARKERS = ("<!-- written by `windtunnel audit --out FILE.md`; a test holds it to that -->\n", "<!-- end -->")
GOOD = """\
scenario: good
design:
  title: adds up
  inputs: {posts: 500 M posts/day, size: 2 MB}
  stated:
    rate: {value: "5,787 posts/s", from: posts}
    storage: {value: 1 PB/day, from: posts * size}
"""


def windtunnel(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", "audit", *words],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def told(tmp_path: Path, text: str) -> str:
    """The error for a scenario's text."""
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        audit_all(path)
    assert caught.value.exit_code == 2
    return str(caught.value).replace(str(path), "x.yaml")


def test_the_reference_designs_as_json() -> None:
    said = windtunnel(str(REFERENCE), "--json")
    assert said.returncode == 0, said.stderr
    designs = {design["scenario"]: design for design in json.loads(said.stdout)["designs"]}
    assert set(designs) == {"design_a", "design_b", "design_c", "design_d"}
    storage = next(each for each in designs["design_a"]["figures"] if each["name"] == "storage_day")
    assert storage["verdict"] == "differs"
    assert storage["stated"] == "11.4 TB/day"
    assert storage["recomputed"] == "11.4 PB/day"
    assert storage["recomputed_in_unit"] == pytest.approx(11_400)
    assert storage["unit"] == "TB/day"
    assert storage["stated_over_recomputed"] == pytest.approx(1e-3)
    assert storage["conjecture"] == "TB written for PB"
    assert designs["design_a"]["worth"][0]["name"] == "storage_bill"
    assert designs["design_a"]["worth"][0]["more_dollars_per_month"] > 1e9
    for design in designs.values():
        for each in design["figures"]:
            assert each["verdict"] in ("agrees", "differs", "cannot be checked")
            assert each["reason"]


def test_strict_ends_with_99_and_writes_the_report_all_the_same(tmp_path: Path) -> None:
    page = tmp_path / "audit.html"
    said = windtunnel(str(REFERENCE), "--strict", "--out", str(page))
    assert said.returncode == 99, said.stderr
    assert f"wrote {page}" in said.stderr
    assert "✗ storage_day" in said.stdout
    assert "TB written for PB" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("show_all", [False, True])
def test_the_table_keeps_to_80_columns_and_tells_the_worst_first(show_all: bool) -> None:
    text = audit_terminal.render(audit_all(ROOT / REFERENCE), target=REFERENCE, show_all=show_all, exit_code=0)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert not [line for line in plain.splitlines() if len(line) > 80]
    design_a = plain.split("DESIGN_A")[1].split("DESIGN_B")[0]
    assert (
        design_a.index("storage_bill")
        < design_a.index("storage_day")
        < design_a.index("engagement_peak")
        < design_a.index("↳ storage_year")
    )
    assert ("✓ post_rate" in plain) == show_all
    assert ("(--all)" in plain) != show_all


def test_the_help_shows_examples() -> None:
    said = windtunnel("--help").stdout
    assert said.count("  windtunnel audit") >= 2


def test_a_design_that_adds_up_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "none.yaml").write_text("scenario: none", encoding="utf-8")
    said = windtunnel(str(tmp_path), "--strict")
    assert said.returncode == 0, said.stderr
    assert "✓ all 2 stated figures that can be checked agree" in said.stdout
    assert "none.yaml has no design and is left out" in said.stderr


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("500 M posts/day", "500 M pots/day",
         "4: design.inputs.posts: found '500 M pots/day'; expected a unit, 'pots' is none; did you mean post?"),
        ("from: posts}", "from: pots}",
         "6: design.stated.rate.from: found 'pots'; expected names of inputs or figures, pots is none; did you mean"),
        ("posts * size", "posts ** 2", "7: design.stated.storage.from: found 'posts ** 2'; expected names"),
        ("posts * size", "posts + size",
         "7: design.stated.storage.from: found 'posts + size'; expected quantities of one kind, these are a number"),
        ("1 PB/day", "[1]", "7: design.stated.storage.value: found [1]; "),
        ("title: adds up", "titel: adds up",
         "3: design.titel: found an unknown field; expected no field of this name; did you mean title?"),
        ("rate: {", "Rate: {", "6: design.stated.Rate: found "),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_file_is_told_with_line_field_found_and_expected(
    tmp_path: Path, old: str, new: str, error: str
) -> None:
    assert old in GOOD
    assert f"x.yaml:{error}" in told(tmp_path, GOOD.replace(old, new))


def test_a_scenario_without_a_design_and_a_folder_without_any_are_told(tmp_path: Path) -> None:
    assert "this scenario has no design" in told(tmp_path, "scenario: x")
    with pytest.raises(UserError, match="no scenario with a design in this folder"):
        audit_all(tmp_path)
    with pytest.raises(UserError, match="No such file"):
        audit_all(tmp_path / "nothing.yaml")
    with pytest.raises(UserError, match=r"ends in \.html or \.md"):
        document.write(audit_report.report(audit_all(ROOT / REFERENCE)), tmp_path / "audit.pdf")


@pytest.mark.parametrize(
    ("over", "text"),
    [(1e-3, "÷1,000"), (34.68, "×34.7"), (2, "×2"), (0.5, "÷2"), (1.118, "+12 %"), (0.986, "−1.4 %"), (1, "0.0 %"),
     (-0.2, "opposite"), (None, "–")],
)  # fmt: skip
def test_how_far_off_is_told_as_people_say_it(over: float | None, text: str) -> None:
    assert audit_figures.times(over) == text


def test_the_documentation_shows_what_the_command_finds() -> None:
    text = (ROOT / "docs" / "AUDIT.md").read_text(encoding="utf-8")
    worth, figures = (text.split(begins)[1].split(ends)[0] for begins, ends in (WORTH, MARKERS))
    written = markdown.render(audit_report.report(audit_all(ROOT / REFERENCE)))
    assert f"{worth.strip()}\n\n{figures.strip()}" == written[written.index("## ") :].strip()
    assert text.index(WORTH[0]) < text.index("## How to read it")


def test_the_example_of_the_documentation_is_found_to_be_wrong_as_it_says(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "AUDIT.md").read_text(encoding="utf-8")
    path = tmp_path / "mine.yaml"
    path.write_text(re.split(r"```yaml\n", text)[1].split("```")[0], encoding="utf-8")
    findings = {finding.name: finding for finding in audit_all(path).designs[0].findings}
    assert findings["egress"].verdict is AuditVerdict.AGREES
    assert findings["bill"].conjecture == "per day taken for per month"
    assert findings["bill_year"].follows_from == ("bill",)
