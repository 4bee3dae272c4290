"""Which station serves a step: the instance of a service, the shard, the node of a database."""

from __future__ import annotations

import math
from typing import assert_never

from core.policies import hot_key
from core.policies.balance import least_busy
from core.policies.replica import reads_from
from sim.model.content import Content
from sim.model.flow import READS, Home, Where
from sim.model.program import Instruction, Program
from sim.reference.state import RunState
from sim.reference.station import BoundedPool, Station
from sim.reference.task import SimulatedRequest


class Routing:
    """Chooses among the choices of an instruction, by the request and by which stations are up."""

    def __init__(self, program: Program, state: RunState, content: Content):
        self._program, self._state, self._content = program, state, content
        self._stations, self._pools = state.stations, state.pools
        self._geography, self._regions, self._span = state.geography, len(state.layout.regions), state.layout.span

    def station(self, step: Instruction, request: SimulatedRequest) -> Station:
        """The station that serves a step."""
        choices, shift = step.choices, 0
        if self._regions > 1:
            shift = self.region(step, request) * self._span
        if len(choices) == 1:
            return self._stations[choices[0] + shift]
        if step.where is Where.GATEWAY:
            return self._stations[choices[self._gateway(step, request, shift)] + shift]
        if step.where is Where.COUNTER:
            self._state.hot_keys.written(self._counted(request), now=self._state.kernel.now)
        if step.nodes == 1:
            return self._stations[choices[self._turn(step.where, len(choices), request)] + shift]
        first = self._turn(step.where, len(choices) // step.nodes, request) * step.nodes
        return self._stations[choices[first + self._node(step, first, request, shift)] + shift]

    def region(self, step: Instruction, request: SimulatedRequest) -> int:
        """The region in which a step is done."""
        match step.home:
            case Home.PERSON:
                region = self._geography.serving[self._content.home(request.person)]
            case Home.AUTHOR:
                region = self._geography.serving[self._content.home(request.author)]
            case Home.HERE | Home.CLIENT:
                region = request.region
            case _:
                assert_never(step.home)
        return (region + step.hop) % self._regions

    def away_seconds(self, step: Instruction, request: SimulatedRequest) -> float:
        """One-way time between the regions that a step crosses: from the client's home to the region that serves the
        request, from there to the home of the data, or along the step's hop."""
        if step.hop:
            here = (self.region(step, request) - step.hop) % self._regions
        elif step.home is Home.CLIENT:
            here = self._content.home(request.person)
        else:
            here = request.region
        return 0.5 * self._geography.rtt_seconds[here][self.region(step, request)]

    def pool(self, step: Instruction, request: SimulatedRequest) -> BoundedPool:
        """The pool of the caller's instance that serves the request, for the instance that does the step."""
        spec = self._program.pools[step.index]
        instances = spec.callees // step.nodes
        callee = step.callee if step.where is Where.EACH else self._turn(step.where, instances, request)
        here = there = 0
        if self._regions > 1:
            here, there = request.region, self.region(step, request)
        if step.nodes > 1:
            first = callee * step.nodes
            callee = first + self._node(step, first, request, there * self._span)
        caller = here * spec.callers + request.instance % spec.callers
        return self._pools[step.index][(caller * self._regions + there) * spec.callees + callee]

    def balance(self, step: Instruction, request: SimulatedRequest) -> None:
        """Assign a request that enters a component to one of its instances."""
        if len(step.choices) > 1:
            count, shift = len(step.choices), request.region * self._span
            pools = self._pools[step.index][request.region * (count * self._regions + 1) :: self._regions][:count]
            up = [self._stations[choice + shift].up for choice in step.choices]
            request.instance = least_busy([pool.taken for pool in pools], up, request.number)

    def database(self, step: Instruction, request: SimulatedRequest) -> int:
        """First station of the database that a commit is on."""
        first = step.choices[self._turn(step.where, len(step.choices) // step.nodes, request) * step.nodes]
        return first + self.region(step, request) * self._span if self._regions > 1 else first

    def _turn(self, where: Where, count: int, request: SimulatedRequest) -> int:
        if count == 1:
            return 0
        match where:
            case Where.PERSON:
                return self._content.instance(request.person)
            case Where.AUTHOR:
                return self._content.instance(request.author)
            case Where.OWN_KEYS:
                return self._content.node(request.person)
            case Where.COUNTER:
                return self._counter(count, request)
            case Where.TURN:
                return request.number % count
            case Where.ANY | Where.GATEWAY | Where.EACH:
                return request.instance % count
            case _:
                assert_never(where)

    def _gateway(self, step: Instruction, request: SimulatedRequest, shift: int) -> int:
        """The gateway to which the kernel gave the connection: one that listened when the request arrived."""
        count = len(step.choices)
        if request.gateway < 0:
            turns = ((request.number + offset) % count for offset in range(count))
            request.gateway = next(
                (index for index in turns if self._stations[step.choices[index] + shift].up), request.number % count
            )
        return request.gateway

    def _counter(self, count: int, request: SimulatedRequest) -> int:
        keys = self._state.hot_keys.keys_of(self._counted(request))
        return hot_key.node_of(self._content.counter_node(request.post), request.number % keys, count)

    def _counted(self, request: SimulatedRequest) -> int:
        """The counter of the post in the request's region."""
        return request.post * self._regions + request.region

    def _node(self, step: Instruction, first: int, request: SimulatedRequest, shift: int) -> int:
        """Index of the node among those of its database, whose first choice is ``first``."""
        nodes, state = step.nodes, self._state
        primary, role = state.primary[step.choices[first] + shift], step.role
        if role == READS:
            up = 0
            for each in range(nodes):
                station = self._stations[step.choices[first + (primary + each) % nodes] + shift]
                up |= station.up << each
            role = reads_from(
                replicas=nodes - 1,
                up=up,
                turn=request.number,
                wrote_seconds_ago=state.kernel.now - state.wrote_seconds.get(request.person, -math.inf),
                own_writes_seconds=state.resources.own_writes_seconds,
            )
        return (primary + role) % nodes
