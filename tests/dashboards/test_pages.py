"""Each page shows what there is, or what to do if there is nothing; never a stack trace."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.names import Origin
from dashboards import launch
from dashboards.text import LENGTH_MAX, code, plain
from lab.compare import compare
from records import alive, folders
from tests.agreement import synthetic

APP = str(Path(launch.__file__).with_name("app.py"))
SECONDS_MAX = 60


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A held run, a later missed and void one, a prediction alone, judged and not, one whose comparison is broken, one
    that was interrupted, one that still runs."""
    folder = tmp_path_factory.mktemp("runs")
    synthetic.write_pair(folder / "20261121-070000", factor={"feed.read": 0.8}, facts=synthetic.FACTS)
    synthetic.write_pair(folder / "20261121-080000", void=["the generator lagged 12 ms"])
    synthetic.write_side(folder / "20261121-090000", Origin.SIMULATED)
    for name in ("20261121-070000", "20261121-080000", "20261121-090000"):
        compare(folder / name)
    synthetic.write_side(folder / "20261120-060000", Origin.SIMULATED)
    (folder / "20261120-050000" / "simulated").mkdir(parents=True)
    (folder / "20261120-050000" / "comparison.json").write_text("{", encoding="utf-8")
    (folder / "20261120-040000" / "measured" / "work").mkdir(parents=True)
    (folder / "20261120-030000").mkdir()
    ticks = alive.ticks_of(os.getpid())
    (folder / "20261120-030000" / folders.MARK).write_text(json.dumps({"pid": os.getpid(), "ticks": ticks}))
    (folder / "20261120-020000").mkdir()
    (folder / "20261120-020000" / folders.MARK).write_text(json.dumps({"pid": os.getpid(), "ticks": ticks + 1}))
    (folder / "notes").mkdir()
    return folder


@pytest.fixture(autouse=True)
def _main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put `__main__` back: streamlit leaves its script there, and a process spawned later would run it."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


def _open(runs: Path, monkeypatch: pytest.MonkeyPatch, **query: str) -> AppTest:
    monkeypatch.setenv("WINDTUNNEL_RUNS", str(runs))
    monkeypatch.setattr("sys.argv", ["app.py"])
    app = AppTest.from_file(APP, default_timeout=SECONDS_MAX)
    for key, value in query.items():
        app.query_params[key] = value
    return app.run()


def _text(app: AppTest) -> str:
    kinds = (
        app.title,
        app.header,
        app.subheader,
        app.markdown,
        app.caption,
        app.error,
        app.warning,
        app.info,
        app.code,
    )
    # as a reader sees it: special characters of text from outside are escaped
    return "\n".join(str(each.value) for kind in kinds for each in kind).replace("\\", "")


def test_with_no_run_at_all_the_page_says_how_to_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        app = _open(folder, monkeypatch)
        assert not app.exception
        assert "No run yet" in _text(app)
        assert f"There is no run in `{folder}`" in _text(app)
        assert "windtunnel run scenarios/viral_post_small.yaml" in _text(app)


def test_a_folder_of_single_runs_is_not_called_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synthetic.write_side(tmp_path, Origin.SIMULATED)
    (tmp_path / "simulated").rename(tmp_path / "mine")
    for folder, many in ((tmp_path, "1 single run and"), (tmp_path / "mine", "1 single run and")):
        said = _text(_open(folder, monkeypatch))
        assert f"`{folder}` holds {many} no pair of runs" in said
        assert "There is no run" not in said


def test_without_a_run_in_the_address_the_newest_is_shown_and_the_address_is_left_as_it_is(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = _open(runs, monkeypatch)
    assert not app.exception
    assert not app.query_params
    assert app.selectbox(key="run").value == "20261121-090000"
    assert "This run is only simulated: no measured run." in _text(app)


def test_the_run_in_the_address_is_shown(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = _open(runs, monkeypatch, run="20261121-070000")
    assert not app.exception
    assert "expectations held" in _text(app)
    assert {each.label for each in app.metric} == {
        "Expectations held",
        "Worst error of the model",
        "Headroom",
        "A month",
    }
    assert app.selectbox(key="run").value == "20261121-070000"


def test_a_missing_run_is_reported_and_no_other_is_shown(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = _open(runs, monkeypatch, run="19990101-000000")
    assert not app.exception
    assert "Run `19990101-000000` does not exist" in _text(app)
    assert not app.metric
    app.selectbox(key="other").set_value("20261121-070000").run()
    assert not app.exception
    assert app.query_params["run"] == "20261121-070000"
    assert app.metric


def test_choosing_a_run_puts_it_into_the_address(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = _open(runs, monkeypatch, run="20261121-070000")
    app.selectbox(key="run").set_value("20261121-080000").run()
    assert not app.exception
    assert app.query_params["run"] == "20261121-080000"
    assert "This run is void: the generator lagged 12 ms." in _text(app)


def test_runs_without_a_readable_comparison_say_why_and_how_to_compare_them(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, why in (
        ("20261120-060000", "it is only simulated, and has not been judged yet"),
        ("20261120-050000", "cannot be read"),
    ):
        app = _open(runs, monkeypatch, run=name)
        assert not app.exception
        assert why in _text(app)
        assert f"windtunnel report {runs / name}" in _text(app)


def test_a_run_whose_side_broke_after_it_was_compared_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = synthetic.write_pair(tmp_path / "20261121-070000")
    compare(folder)
    (folder / "measured" / "samples.parquet").write_bytes(b"PAR1 and no more")
    app = _open(tmp_path, monkeypatch)
    assert not app.exception
    assert "The measured side is broken now" in _text(app)


def test_a_side_that_was_broken_when_it_was_compared_is_named_wherever_the_verdict_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = synthetic.write_pair(tmp_path / "20261121-070000")
    (folder / "measured" / "samples.parquet").write_bytes(b"PAR1 and no more")
    comparison = compare(folder)
    assert "the measured run is not complete" in comparison.sentence
    app = _open(tmp_path, monkeypatch)
    assert not app.exception
    assert "This run is only simulated: the measured run is not complete" in _text(app)
    page = AppTest.from_function(_table, args=(str(tmp_path),), default_timeout=SECONDS_MAX).run()
    assert page.dataframe[0].value["verdict"][0].endswith(", only simulated")


def test_text_from_outside_is_escaped_sign_by_sign_and_addresses_are_code() -> None:
    assert plain("**b** $x$ :red[r] <i>") == r"\*\*b\*\* \$x\$ \:red\[r\] \<i\>"
    assert plain("see https://x.org/?a=1 now") == "see `https://x.org/?a=1` now"
    assert plain("two\nlines\tand\x1b[31m") == r"two lines and \[31m"
    assert code("a") == "`a`"
    assert code("a`b``c`") == "``` a`b``c` ```"
    assert code("") == "(nothing)"
    assert len(plain("x" * 10_000)) <= LENGTH_MAX


def test_the_agreement_page_lists_the_worst_first_and_shows_one_operation(runs: Path) -> None:
    page = AppTest.from_function(_agreement, args=(str(runs), "20261121-070000"), default_timeout=SECONDS_MAX).run()
    assert not page.exception
    assert page.table[0].value.iloc[0, 0] == "! feed.read"
    assert page.selectbox(key="op").value == "feed.read"
    page.selectbox(key="op").set_value("like.add").run()
    assert not page.exception
    assert page.query_params["op"] == "like.add"


def _agreement(runs: str, name: str) -> None:
    from pathlib import Path

    from dashboards import data
    from dashboards.views import agreement

    agreement.show(next(each for each in data.entries(Path(runs)) if each.id == name))


def test_agreement_of_a_prediction_alone_says_how_to_get_the_other_side(runs: Path) -> None:
    page = AppTest.from_function(_agreement, args=(str(runs), "20261121-090000"), default_timeout=SECONDS_MAX).run()
    assert not page.exception
    assert "A comparison needs both sides" in _text(page)


def test_the_table_of_runs_has_every_run_newest_first(runs: Path) -> None:
    page = AppTest.from_function(_table, args=(str(runs),), default_timeout=SECONDS_MAX).run()
    assert not page.exception
    frame = page.dataframe[0].value
    assert list(frame["run"]) == [
        "20261121-090000",
        "20261121-080000",
        "20261121-070000",
        "20261120-060000",
        "20261120-050000",
        "20261120-040000",
        "20261120-030000",
        "20261120-020000",
    ]
    assert list(frame["verdict"]) == [
        "held, only simulated",
        "void",
        "held",
        "only simulated",
        "not compared",
        "interrupted",
        "running",
        "interrupted",
    ]


def _table(runs: str) -> None:
    from pathlib import Path

    from dashboards import data
    from dashboards.views import runs as page

    page.show(data.entries(Path(runs)))


def test_the_command_serves_on_this_machine_only_and_sends_nothing() -> None:
    words = launch.command(Path("somewhere"), 8501)
    assert "--server.address=127.0.0.1" in words
    assert "--browser.gatherUsageStats=false" in words
    assert "--client.showErrorDetails=none" in words
    assert words[-2:] == ["--runs", "somewhere"]


def test_findings_of_the_model_are_on_the_overview(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = _open(runs, monkeypatch, run="20261121-070000")
    assert "Findings of the model" in [each.value for each in app.subheader]
    told = " ".join(str(each.value.to_dict()) for each in app.table)
    assert "its fallback path was not calibrated" in told.replace("\\", "")
    other = _open(runs, monkeypatch, run="20261121-080000")
    assert "Findings of the model" not in [each.value for each in other.subheader]
