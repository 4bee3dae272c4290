"""The application of fan-out: it serves health and metrics; its work comes from the log."""

from __future__ import annotations

from aiohttp import web

from core.messages import FollowCreated, FollowDeleted, PostCreated, PostDeleted
from core.settings import Member, ProcessSettings
from services.fanout import events
from services.fanout.store.celebrities import TABLES, Celebrities
from services.fanout.store.readers import Readers
from services.kit import bus
from services.kit.app import application
from services.kit.config import SCENARIO
from services.kit.metrics import METRICS
from services.kit.stores import postgres, redis
from services.kit.stores.timelines import Timelines


def build(settings: ProcessSettings, member: Member) -> web.Application:
    """Build the application of fan-out."""
    app = application(settings, member)
    fanout_settings = app[SCENARIO].system.fanout
    shards, client = postgres.use(app, tables=TABLES), redis.use(app)
    celebrities = Celebrities(shards, client)
    fanout = app[events.FANOUT] = events.FanoutHandler(
        Readers(shards, client),
        celebrities,
        Timelines(
            client, depth=fanout_settings.depth, ttl_seconds=fanout_settings.ttl_seconds, batch=fanout_settings.batch
        ),
        settings=fanout_settings,
        metrics=app[METRICS],
    )
    bus.run_beside(app, fanout.publish_celebrities)
    bus.consume(app, "fanout", {PostCreated: fanout.on_post, PostDeleted: fanout.on_post_deleted})
    # a group of its own: a storm of follows must not hold up posts
    bus.consume_batches(app, "fanout.follows", {FollowCreated: fanout.on_follows, FollowDeleted: fanout.on_follows})
    return app
