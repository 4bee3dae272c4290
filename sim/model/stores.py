"""Parts of flows that call stores, with the pools, time limits and round trips of the services' clients."""

from __future__ import annotations

from typing import Final

from core.names import Component, Server, link
from core.settings import POSTGRES_TIMEOUT_SECONDS, REDIS_TIMEOUT_SECONDS
from sim.model.flow import (
    NOTHING,
    PRIMARY,
    READS,
    Commit,
    Deadline,
    Each,
    Emit,
    Ending,
    Fail,
    Flow,
    Hold,
    Home,
    Per,
    RemoteCall,
    Rescue,
    Retry,
    Use,
    Wait,
    Where,
    steps,
)

_HOMES: Final = {Where.PERSON: Home.PERSON, Where.AUTHOR: Home.AUTHOR}
#: An answer of the object store or of a cache of photos.
PHOTO_BYTES: Final = 60_000
#: The wait (`sim.model.flow.Wait`) between an event's way to the log and its deletion from the outbox.
OUTBOX_CLEAR: Final = "outbox.clear"


def postgres(
    component: Component,
    *,
    share: float = 1.0,
    trips: float = 1.0,
    where: Where = Where.PERSON,
    commits: bool = False,
    degraded: bool = False,
    role: int = PRIMARY,
    per: Per = Per.VISIT,
) -> Flow:
    """Statements on one instance: ``trips`` round trips on one connection. A transaction that writes ``commits``; a
    read that may lag behind the primary has the ``role`` `READS`.

    A caller that waits longer than the client's time limit gives up with 503.
    """
    # the primary is in the data's home region; every region has a copy
    home = _HOMES.get(where, Home.HERE) if role == PRIMARY else Home.HERE
    work: Flow = Use(
        process=Server.POSTGRES, share=share, where=where, degraded=degraded, role=role, home=home, per=per
    )
    if commits:
        work = steps(work, Commit(where=where, share=share, home=home))
    name = link(component, Server.POSTGRES)
    call = RemoteCall(link=name, inner=work, trips=trips, answer_bytes=2_000, home=home)
    held = Hold(pool=name, inner=call, where=where, role=role, home=home)
    return _within(POSTGRES_TIMEOUT_SECONDS, held)


def every_postgres(component: Component, *, share: float, trips: float = 1.0, degraded: bool = False) -> Flow:
    """A read that needs rows of all shards: one statement to each instance at once, to a replica if there is one."""
    inner = postgres(component, share=share, trips=trips, where=Where.EACH, degraded=degraded, role=READS)
    return Each(process=Server.POSTGRES, inner=inner)


def redis(
    component: Component,
    *,
    share: float = 1.0,
    trips: float = 1.0,
    answer_bytes: int = 2_000,
    where: Where = Where.OWN_KEYS,
    per: Per = Per.VISIT,
) -> Flow:
    """Commands in one pipeline to the node that holds the keys."""
    name = link(component, Server.REDIS)
    work = Use(process=Server.REDIS, share=share, where=where, per=per)
    call = RemoteCall(link=name, inner=work, trips=trips, answer_bytes=answer_bytes)
    return _within(REDIS_TIMEOUT_SECONDS, Hold(pool=name, inner=call, where=where))


def every_redis(component: Component, *, share: float = 1.0, answer_bytes: int = 2_000, per: Per = Per.VISIT) -> Flow:
    """Commands on keys of many people: a pipeline to every node at once."""
    inner = redis(component, share=share, answer_bytes=answer_bytes, where=Where.EACH, per=per)
    return Each(process=Server.REDIS, inner=inner)


def objects(component: Component, *, share: float = 1.0, trips: float = 1.0, sent_bytes: int = 500) -> Flow:
    """Requests to the object store."""
    inner = Use(process=Server.OBJECTS, share=share)
    name = link(component, Server.OBJECTS)
    return RemoteCall(link=name, inner=inner, trips=trips, answer_bytes=PHOTO_BYTES, sent_bytes=sent_bytes)


def published(
    component: Component, *, own: Flow, cleared: Flow = NOTHING, job: str = "", everywhere: bool = False
) -> Flow:
    """Publish an event behind an answer: it stays in the outbox until the service's ``own`` work is done and the log
    has it, however long that takes; then it starts ``job``, if the model has the consumer. ``cleared`` is the work of
    deleting it from the outbox, some time later."""
    write = RemoteCall(
        link=link(component, Server.KAFKA), inner=steps(Use(process=Server.KAFKA), Wait(station="kafka.ack"))
    )
    relayed = Retry(inner=steps(own, write), endless=True)
    emitted = Emit(job=job, everywhere=everywhere) if job else NOTHING
    return steps(relayed, emitted, *((Wait(station=OUTBOX_CLEAR), cleared) if cleared != NOTHING else ()))


def consumed(component: Component, work: Flow) -> Flow:
    """Fetch an event from the log and do the consumer's ``work``, retried until it is done."""
    fetched = RemoteCall(link=link(component, Server.KAFKA), inner=NOTHING)
    return Retry(inner=steps(fetched, work), endless=True)


def _within(seconds: float, inner: Flow) -> Flow:
    return Rescue(inner=Deadline(seconds=seconds, inner=inner, cancels=True), otherwise=Fail(ending=Ending.UNAVAILABLE))
