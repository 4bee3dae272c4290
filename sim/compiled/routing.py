"""Which station serves a step, in compiled code: `sim.reference.routing`."""

from __future__ import annotations

from typing import Any

from core.policies import replica
from sim.compiled import records as r
from sim.compiled import stores
from sim.compiled.jit import Address, compiled
from sim.model.flow import READS, Home, Where

# compiled code takes no keyword arguments
reads_from: Any = compiled(replica.reads_from)
successor: Any = compiled(replica.successor)

#: Members of an enumeration of `sim.model.flow` by number, as the tables hold them.
WHERE_CODES = {each: number for number, each in enumerate(Where)}
_GATEWAY = WHERE_CODES[Where.GATEWAY]
_PERSON = WHERE_CODES[Where.PERSON]
_AUTHOR = WHERE_CODES[Where.AUTHOR]
_OWN_KEYS = WHERE_CODES[Where.OWN_KEYS]
_COUNTER = WHERE_CODES[Where.COUNTER]
_EACH = WHERE_CODES[Where.EACH]
_TURN = WHERE_CODES[Where.TURN]


@compiled
def _is_up(memory: Address, station: int) -> bool:
    return r.stations(memory)[station].down == 0


@compiled
def region(memory: Address, instruction: int, request: int) -> int:
    """The region in which a step is done."""
    step, asked = r.instructions(memory)[instruction], r.requests(memory)[request]
    home = asked.region
    if step.home == Home.PERSON:
        home = r.serving(memory)[r.arrivals(memory)[asked.arrival].person_home]
    elif step.home == Home.AUTHOR:
        home = r.serving(memory)[r.arrivals(memory)[asked.arrival].author_home]
    return (home + step.hop) % r.clock(memory)[0].regions


@compiled
def away_seconds(memory: Address, instruction: int, request: int) -> float:
    """One-way time between the regions that a step crosses."""
    step, asked, count = r.instructions(memory)[instruction], r.requests(memory)[request], r.clock(memory)[0].regions
    there = region(memory, instruction, request)
    here = asked.region
    if step.hop:
        here = (there - step.hop) % count
    elif step.home == Home.CLIENT:
        here = r.arrivals(memory)[asked.arrival].person_home
    return 0.5 * r.rtts(memory)[here * count + there]


@compiled
def counter(memory: Address, request: int) -> int:
    """Row of a post's counter: each region has one of its own."""
    asked = r.requests(memory)[request]
    return r.arrivals(memory)[asked.arrival].counter * r.clock(memory)[0].regions + asked.region


@compiled
def _turn(memory: Address, where: int, count: int, request: int) -> int:
    if count == 1:
        return 0
    asked = r.requests(memory)[request]
    arrivals = r.arrivals(memory)
    if where == _PERSON:
        return arrivals[asked.arrival].person_instance
    if where == _AUTHOR:
        return arrivals[asked.arrival].author_instance
    if where == _OWN_KEYS:
        return arrivals[asked.arrival].person_node
    if where == _COUNTER:
        keys = max(1, r.counters(memory)[counter(memory, request)].keys)
        return stores.node_of(arrivals[asked.arrival].counter_node, asked.number % keys, count)
    if where == _TURN:
        return asked.number % count
    return asked.instance % count


@compiled
def _gateway(memory: Address, instruction: int, request: int, shift: int) -> int:
    requests, step, choices = r.requests(memory), r.instructions(memory)[instruction], r.choices(memory)
    if requests[request].gateway < 0:
        count, number = step.choices_count, requests[request].number
        requests[request].gateway = number % count
        for offset in range(count):
            index = (number + offset) % count
            if _is_up(memory, choices[step.choices + index] + shift):
                requests[request].gateway = index
                break
    return requests[request].gateway


@compiled
def _node(memory: Address, instruction: int, first: int, request: int, shift: int) -> int:
    """Index of the node among those of its database, whose first choice is ``first``."""
    step, choices, asked = r.instructions(memory)[instruction], r.choices(memory), r.requests(memory)[request]
    nodes, role = step.nodes, step.role
    primary = r.primaries(memory)[choices[step.choices + first] + shift]
    if role == READS:
        up = 0
        for each in range(nodes):
            up |= int(_is_up(memory, choices[step.choices + first + (primary + each) % nodes] + shift)) << each
        clock = r.clock(memory)[0]
        ago = clock.now - r.wrote(memory)[r.arrivals(memory)[asked.arrival].limit_row]
        role = reads_from(nodes - 1, up, asked.number, ago, clock.own_writes)
    return (primary + role) % nodes


@compiled
def station(memory: Address, instruction: int, request: int) -> int:
    """The station that serves a step."""
    step, choices, clock = r.instructions(memory)[instruction], r.choices(memory), r.clock(memory)[0]
    shift = region(memory, instruction, request) * clock.span if clock.regions > 1 else 0
    if step.choices_count == 1:
        return choices[step.choices] + shift
    if step.where == _GATEWAY:
        return choices[step.choices + _gateway(memory, instruction, request, shift)] + shift
    if step.where == _COUNTER:
        stores.written(memory, counter(memory, request))
    if step.nodes == 1:
        return choices[step.choices + _turn(memory, step.where, step.choices_count, request)] + shift
    first = _turn(memory, step.where, step.choices_count // step.nodes, request) * step.nodes
    return choices[step.choices + first + _node(memory, instruction, first, request, shift)] + shift


@compiled
def pool(memory: Address, instruction: int, request: int) -> int:
    """The pool of the request's instance of the caller, to where the step is done."""
    step, asked, clock = r.instructions(memory)[instruction], r.requests(memory)[request], r.clock(memory)[0]
    family = r.pool_families(memory)[step.index]
    callee = step.callee
    if step.where != _EACH:
        callee = _turn(memory, step.where, family.callees // step.nodes, request)
    here, there = 0, 0
    if clock.regions > 1:
        here, there = asked.region, region(memory, instruction, request)
    if step.nodes > 1:
        first = callee * step.nodes
        callee = first + _node(memory, instruction, first, request, there * clock.span)
    caller = here * family.callers + asked.instance % family.callers
    return family.first + (caller * clock.regions + there) * family.callees + callee


@compiled
def balance(memory: Address, instruction: int, request: int) -> None:
    """Assign a request that enters a component to one of its instances: `core.policies.balance.least_busy`."""
    step, choices, pools = r.instructions(memory)[instruction], r.choices(memory), r.pools(memory)
    count = step.choices_count
    if count < 2:
        return
    requests, clock = r.requests(memory), r.clock(memory)[0]
    shift = requests[request].region * clock.span
    first = r.pool_families(memory)[step.index].first + requests[request].region * (count * clock.regions + 1)
    turn, best = requests[request].number, -1
    for offset in range(count):
        index = (turn + offset) % count
        if _is_up(memory, choices[step.choices + index] + shift) and (
            best < 0 or pools[first + index * clock.regions].taken < pools[first + best * clock.regions].taken
        ):
            best = index
    requests[request].instance = best if best >= 0 else turn % count


@compiled
def database(memory: Address, instruction: int, request: int) -> int:
    """First station of the database that a commit is on."""
    step = r.instructions(memory)[instruction]
    turn = _turn(memory, step.where, step.choices_count // step.nodes, request)
    first = r.choices(memory)[step.choices + turn * step.nodes]
    return first + region(memory, instruction, request) * r.clock(memory)[0].span
