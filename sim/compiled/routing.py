"""Who serves a step, in compiled code: `sim.reference.routing`."""

from __future__ import annotations

from typing import Any

from core.policies import replica
from sim.compiled import records as r
from sim.compiled import stores
from sim.compiled.jit import World, compiled
from sim.model.flow import READS, Home, Where

# compiled code knows no arguments by name
reads_from: Any = compiled(replica.reads_from)
successor: Any = compiled(replica.successor)

#: Enumeration of flows by number, as the tables hold it.
WHERE_CODES = {each: number for number, each in enumerate(Where)}
_GATEWAY = WHERE_CODES[Where.GATEWAY]
_PERSON = WHERE_CODES[Where.PERSON]
_AUTHOR = WHERE_CODES[Where.AUTHOR]
_OWN_KEYS = WHERE_CODES[Where.OWN_KEYS]
_COUNTER = WHERE_CODES[Where.COUNTER]
_EACH = WHERE_CODES[Where.EACH]


@compiled
def _is_up(world: World, station: int) -> bool:
    return r.stations(world)[station].down == 0


@compiled
def region(world: World, instruction: int, request: int) -> int:
    """The region in which a step is done."""
    step, asked = r.instructions(world)[instruction], r.requests(world)[request]
    place = asked.region
    if step.home == Home.PERSON:
        place = r.serving(world)[r.arrivals(world)[asked.arrival].person_home]
    elif step.home == Home.AUTHOR:
        place = r.serving(world)[r.arrivals(world)[asked.arrival].author_home]
    return (place + step.hop) % r.clock(world)[0].regions


@compiled
def away_seconds(world: World, instruction: int, request: int) -> float:
    """One way of what a step crosses between regions."""
    step, asked, count = r.instructions(world)[instruction], r.requests(world)[request], r.clock(world)[0].regions
    there = region(world, instruction, request)
    here = asked.region
    if step.hop:
        here = (there - step.hop) % count
    elif step.home == Home.CLIENT:
        here = r.arrivals(world)[asked.arrival].person_home
    return 0.5 * r.rtts(world)[here * count + there]


@compiled
def counter(world: World, request: int) -> int:
    """Row of a post's counter: each region has one of its own."""
    asked = r.requests(world)[request]
    return r.arrivals(world)[asked.arrival].counter * r.clock(world)[0].regions + asked.region


@compiled
def _turn(world: World, where: int, count: int, request: int) -> int:
    if count == 1:
        return 0
    asked = r.requests(world)[request]
    arrivals = r.arrivals(world)
    if where == _PERSON:
        return arrivals[asked.arrival].person_instance
    if where == _AUTHOR:
        return arrivals[asked.arrival].author_instance
    if where == _OWN_KEYS:
        return arrivals[asked.arrival].person_node
    if where == _COUNTER:
        keys = max(1, r.counters(world)[counter(world, request)].keys)
        return stores.node_of(arrivals[asked.arrival].counter_node, asked.number % keys, count)
    return asked.instance % count


@compiled
def _gateway(world: World, instruction: int, request: int, shift: int) -> int:
    requests, step, choices = r.requests(world), r.instructions(world)[instruction], r.choices(world)
    if requests[request].gateway < 0:
        count, number = step.choices_count, requests[request].number
        requests[request].gateway = number % count
        for offset in range(count):
            place = (number + offset) % count
            if _is_up(world, choices[step.choices + place] + shift):
                requests[request].gateway = place
                break
    return requests[request].gateway


@compiled
def _node(world: World, instruction: int, first: int, request: int, shift: int) -> int:
    """Place of the node among those of its database, whose first choice is ``first``."""
    step, choices, asked = r.instructions(world)[instruction], r.choices(world), r.requests(world)[request]
    nodes, role = step.nodes, step.role
    primary = r.primaries(world)[choices[step.choices + first] + shift]
    if role == READS:
        up = 0
        for each in range(nodes):
            up |= int(_is_up(world, choices[step.choices + first + (primary + each) % nodes] + shift)) << each
        clock = r.clock(world)[0]
        ago = clock.now - r.wrote(world)[r.arrivals(world)[asked.arrival].limit_row]
        role = reads_from(nodes - 1, up, asked.number, ago, clock.own_writes)
    return (primary + role) % nodes


@compiled
def station(world: World, instruction: int, request: int) -> int:
    """Where a step is done."""
    step, choices, clock = r.instructions(world)[instruction], r.choices(world), r.clock(world)[0]
    shift = region(world, instruction, request) * clock.span if clock.regions > 1 else 0
    if step.choices_count == 1:
        return choices[step.choices] + shift
    if step.where == _GATEWAY:
        return choices[step.choices + _gateway(world, instruction, request, shift)] + shift
    if step.where == _COUNTER:
        stores.written(world, counter(world, request))
    if step.nodes == 1:
        return choices[step.choices + _turn(world, step.where, step.choices_count, request)] + shift
    first = _turn(world, step.where, step.choices_count // step.nodes, request) * step.nodes
    return choices[step.choices + first + _node(world, instruction, first, request, shift)] + shift


@compiled
def pool(world: World, instruction: int, request: int) -> int:
    """The pool of the request's instance of the caller, to where the step is done."""
    step, asked, clock = r.instructions(world)[instruction], r.requests(world)[request], r.clock(world)[0]
    family = r.pool_families(world)[step.index]
    callee = step.size
    if step.where != _EACH:
        callee = _turn(world, step.where, family.callees // step.nodes, request)
    here, there = 0, 0
    if clock.regions > 1:
        here, there = asked.region, region(world, instruction, request)
    if step.nodes > 1:
        first = callee * step.nodes
        callee = first + _node(world, instruction, first, request, there * clock.span)
    caller = here * family.callers + asked.instance % family.callers
    return family.first + (caller * clock.regions + there) * family.callees + callee


@compiled
def balance(world: World, instruction: int, request: int) -> None:
    """Give a request that enters a component to one of its instances: `core.policies.balance.least_busy`."""
    step, choices, pools = r.instructions(world)[instruction], r.choices(world), r.pools(world)
    count = step.choices_count
    if count < 2:
        return
    requests, clock = r.requests(world), r.clock(world)[0]
    shift = requests[request].region * clock.span
    first = r.pool_families(world)[step.index].first + requests[request].region * (count * clock.regions + 1)
    turn, best = requests[request].number, -1
    for offset in range(count):
        place = (turn + offset) % count
        if _is_up(world, choices[step.choices + place] + shift) and (
            best < 0 or pools[first + place * clock.regions].taken < pools[first + best * clock.regions].taken
        ):
            best = place
    requests[request].instance = best if best >= 0 else turn % count


@compiled
def database(world: World, instruction: int, request: int) -> int:
    """First station of the database that a commit is on."""
    step = r.instructions(world)[instruction]
    turn = _turn(world, step.where, step.choices_count // step.nodes, request)
    return (
        r.choices(world)[step.choices + turn * step.nodes]
        + region(world, instruction, request) * r.clock(world)[0].span
    )
