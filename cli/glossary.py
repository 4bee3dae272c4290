"""`windtunnel glossary`: what a word means here; `docs/GLOSSARY.md` is what it prints."""

from __future__ import annotations

import difflib
import inspect
import json
import sys
import textwrap
from typing import Final, NamedTuple

import click

from core.errors import UserError
from core.names import Cache, Component, Origin, Outcome, Server
from core.operations import OPERATIONS
from core.scenario.faults import KINDS

WIDTH: Final = 80


class Term(NamedTuple):
    """A word with the one meaning that it has in code, documents and output."""

    name: str
    meaning: str
    at: str  # module:object that is called so, where one is


TERMS: Final = (
    Term(
        "scenario",
        "The input of everything: one YAML file that says what system, what traffic, which faults and what is "
        "expected.",
        "core.scenario.model:Scenario",
    ),
    Term(
        "component",
        "A service of ours, one folder below services/.",
        "core.names:Component",
    ),
    Term(
        "operation",
        "One thing that a client can ask for. Its name is the route's name, the metric's label and the model's flow.",
        "core.operations:Operation",
    ),
    Term(
        "journey",
        "Operations of one person in a row, such as upload, complete and post; each begins when the one before it "
        "has ended.",
        "core.operations:steps_of",
    ),
    Term(
        "stage",
        "A part of an operation that is timed apart, on both sides, under the same name.",
        "sim.model.flow:Stage",
    ),
    Term(
        "store",
        "A server that keeps data: PostgreSQL, Redis, Kafka, the object store.",
        "core.names:STORES",
    ),
    Term(
        "link",
        "The way from a caller to what it calls, called <caller>_<callee>. It is also the name of the Toxiproxy "
        "proxy on it.",
        "core.names:USES",
    ),
    Term(
        "fault",
        "What is injected: it begins and ends at given times, and is removed whatever happens.",
        "core.scenario.fault:AnyFault",
    ),
    Term(
        "failure",
        "What a client or a service sees go wrong. Each kind says whether the request may be tried again and "
        "whether anything was done.",
        "core.failures:Failure",
    ),
    Term(
        "drill",
        "A scenario with faults and a hypothesis, predicted by the model first and then run on the real stack, "
        "with a verdict.",
        "core.scenario.model:Drill",
    ),
    Term(
        "expectation",
        "A limit in a scenario that both sides are judged by.",
        "core.scenario.model:Expectation",
    ),
    Term(
        "warden",
        "The process that injects faults and removes them even if the process that asked for them is gone.",
        "chaos.warden:Warden",
    ),
    Term(
        "ledger",
        "The writes that clients saw acknowledged. After a run each of them is looked for in the stack.",
        "chaos.ledger:Claim",
    ),
    Term(
        "journal",
        "What happened in a run, with its time: phases, faults, deaths, proofs.",
        "core.run:Event",
    ),
    Term(
        "run",
        "A folder that is written once and never edited: scenario, record, samples, journal. Measured and "
        "simulated runs have one format.",
        "core.run:Run",
    ),
    Term(
        "sample",
        "One request of a run: operation, outcome, status, intended start, real start, latency.",
        "core.run:Samples",
    ),
    Term(
        "void",
        "A run that may not be judged, because the load or the machine was not what the scenario asks for. The "
        "record says why.",
        "core.run:Validity",
    ),
    Term(
        "comparison",
        "The two sides of a pair of runs beside each other, with errors, their noise and verdicts.",
        "records.comparison:Comparison",
    ),
    Term(
        "agreement",
        "How far the model's requests are from the measured ones: percentiles, rates and distances, by operation.",
        "lab.agreement:pairs",
    ),
    Term(
        "profile",
        "Durations that calibration measured on one machine. The model has no others, except those that a "
        "scenario states.",
        "core.profile:Profile",
    ),
    Term(
        "demand",
        "CPU time that one execution of an operation needs on one process, at several rates.",
        "core.profile:CpuDemand",
    ),
    Term(
        "population",
        "People, whom they follow, and their posts, drawn from the scenario's seed; the same for both sides.",
        "core.population:Population",
    ),
    Term(
        "flow",
        "An operation's steps over stations in the model, as a value that every engine runs.",
        "sim.model.flow:OperationFlow",
    ),
    Term(
        "prepared run",
        "Scenario and profile worked out: what every engine starts from and none changes.",
        "sim.model.prepared:PreparedRun",
    ),
    Term(
        "engine",
        "What executes a prepared run: SimPy, which is readable, or compiled code, which is fast. They agree to "
        "rounding.",
        "sim.results.observed:Engine",
    ),
    Term(
        "station",
        "Workers with a queue in front of them, first come, first served. An event loop is a station with one worker.",
        "sim.reference.station:Station",
    ),
    Term(
        "pool",
        "Places of which each is held by one caller at a time: connections, or requests under way.",
        "sim.reference.station:BoundedPool",
    ),
    Term(
        "host",
        "A machine whose cores are shared by the stations on it.",
        "sim.reference.host:HostCpu",
    ),
    Term(
        "replication",
        "The same scenario under another seed; several give an interval.",
        "sim.results.replications:StoppingRule",
    ),
    Term(
        "fleet",
        "A large system of N statistically identical cells, of which some are simulated.",
        "planning.fleet.whole:Fleet",
    ),
    Term(
        "plan",
        "How many machines of what shape hold an intent, at which latency, availability and cost.",
        "planning.plan.answer:Plan",
    ),
    Term(
        "intent",
        "What a plan must hold: percentiles, availability, spares, regions that may be lost, growth.",
        "core.scenario.intent:Intent",
    ),
    Term(
        "bill",
        "What a month costs, line by line, from a price book.",
        "planning.cost.bill:Bill",
    ),
    Term(
        "price book",
        "Dated list prices, each with its source.",
        "planning.cost.prices:PriceBook",
    ),
    Term(
        "sweep",
        "One scenario simulated at every place of a grid of settings.",
        "planning.sweep.study:Sweep",
    ),
    Term(
        "diff",
        "Two scenarios simulated with common random numbers, and whether each difference can be told from noise.",
        "planning.diff.study:Diff",
    ),
    Term(
        "tune",
        "A search for the settings that are best in cost, latency and freshness within the limits.",
        "planning.tune.study:Tune",
    ),
    Term(
        "audit",
        "A published design computed again: every figure from its own terms, with units.",
        "planning.audit.check:audit",
    ),
    Term(
        "utilisation",
        "Share of the time in which a station's cores are busy; ρ in tables.",
        "sim.model.saturation:Utilisation",
    ),
    Term(
        "breaker",
        "Stops calls to what has failed several times in a row, and tries again after a while.",
        "core.policies.breaker:Breaker",
    ),
    Term(
        "fan-out threshold",
        "Followers from which a post is read when the feed is read, and not written to every follower's timeline.",
        "core.policies.fanout:FanoutPlan",
    ),
)

#: Ends of names → what they are measured in.
UNITS: Final = {
    "_seconds": "seconds (never milliseconds inside; outputs choose the unit)",
    "_bytes": "bytes",
    "_ratio": "a share, 0 to 1",
    "_count": "how many",
    "_total": "how many since the start",
    "_per_second": "a rate",
    "_min, _max": "a bound, included",
}


def markdown() -> str:
    """The whole glossary, as `docs/GLOSSARY.md` has it."""
    lines = [
        "# Glossary",
        "",
        "Printed by `windtunnel glossary --markdown`. A word has one meaning, here and everywhere.",
        "",
    ]
    lines += ["## Words", "", "| Word | Meaning | In the code |", "|---|---|---|"]
    for term in sorted(TERMS):
        lines.append(f"| **{term.name}** | {_escaped(term.meaning)} | `{term.at.replace(':', '.')}` |")
    lines += ["", "## Operations", "", "| Operation | Request | Answered by | Stages |", "|---|---|---|---|"]
    for operation in OPERATIONS.values():
        stages = ", ".join(operation.stages)
        lines.append(
            f"| `{operation.name}` | `{operation.method} {operation.path}` | {operation.component} | {stages} |"
        )
    lines += ["", "## Faults", "", "| Kind | What it is |", "|---|---|"]
    lines += [f"| `{kind.kind}` | {_first(kind)} |" for kind in KINDS]
    for title, names in (
        ("Components", Component),
        ("Servers", Server),
        ("Caches", Cache),
        ("Outcomes of a request", Outcome),
        ("Origins of a run", Origin),
    ):
        lines += ["", f"## {title}", "", f"{_first(names)} {', '.join(f'`{name}`' for name in names)}."]
    lines += ["", "## Units", "", "| A name that ends in | is |", "|---|---|"]
    lines += [f"| `{end}` | {what} |" for end, what in UNITS.items()]
    return "\n".join(lines) + "\n"


def _first(described: type) -> str:
    """The first sentence of a docstring."""
    text = " ".join((inspect.getdoc(described) or "").split("\n\n")[0].split())
    return _escaped(text.split(". ")[0].removesuffix(".") + ".")


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;")


def _known(name: str) -> Term:
    known = {term.name: term for term in TERMS}
    if name.lower() in known:
        return known[name.lower()]
    near = difflib.get_close_matches(name.lower(), known, n=1)
    raise UserError(f"there is no word {name!r} in the glossary" + (f"; did you mean {near[0]}?" if near else ""))


@click.command("glossary")
@click.argument("word", required=False)
@click.option("--markdown", "as_markdown", is_flag=True, help="Print all of it as docs/GLOSSARY.md has it.")
@click.option("--json", "as_json", is_flag=True, help="Print words and meanings as JSON.")
def command(word: str | None, as_markdown: bool, as_json: bool) -> None:
    """Say what WORD means here, or every word.

    \b
    Examples:
      windtunnel glossary
      windtunnel glossary "price book"
    """
    terms = (_known(word),) if word else tuple(sorted(TERMS))
    if as_markdown:
        sys.stdout.write(markdown())
    elif as_json:
        click.echo(json.dumps({term.name: term.meaning for term in terms}, ensure_ascii=False))
    else:
        for term in terms:
            click.echo(f"{term.name}\n{textwrap.indent(textwrap.fill(term.meaning, WIDTH - 4), '    ')}")
