"""Kafka loses its data: events acknowledged before are handled nevertheless."""

from __future__ import annotations

import os
import shutil
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pyvips

from stack import control
from stack.backing import kafka
from stack.install import tools
from tests.client import Client
from tests.stack.test_whole_stack import _created, _in_feed
from tests.waiting import until


def _uploaded(author: Client, key: str) -> str:
    photo: bytes = pyvips.Image.gaussnoise(320, 240).cast("uchar").jpegsave_buffer()
    made = _created(author, "/media", {"content_type": "image/jpeg", "size_bytes": len(photo)}, key)
    upload = made["upload"]
    put = urllib.request.Request(upload["url"], method=upload["method"], data=photo, headers=upload["headers"])
    with urllib.request.urlopen(put, timeout=20) as answer:
        assert answer.status == 200
    media: str = made["media"]["id"]
    until(lambda: author.ask("POST", f"/media/{media}/complete", {})[0] == 202, "the upload cannot be completed")
    return media


def _rows(running: control.RunningStack) -> dict[str, Any]:
    return {row.name: row for row in running.refresh().state.processes}


def test_what_was_acknowledged_is_handled_though_the_log_has_lost_its_data(running_stack: control.RunningStack) -> None:
    author, reader = Client(running_stack.gateway_url, "loses.a"), Client(running_stack.gateway_url, "loses.b")
    assert reader.ask("PUT", f"/users/{author.id}/follow")[0] == 200
    known = _uploaded(author, "loses-known")
    until(lambda: author.ask("GET", f"/media/{known}")[1]["media"]["state"] == "succeeded", "no photo is processed")
    data = running_stack.data

    # no consumer runs while these are created: their events are on the log, and then the log is lost
    workers = _rows(running_stack)["workers"].pid
    control.hold(data, "workers")
    os.kill(workers, signal.SIGSTOP)
    try:
        media = _uploaded(author, "loses-media")
        asked = {"media_ids": [known], "caption": "#lostlog"}
        post = _created(author, "/posts", asked, "loses-post")["post"]["id"]
        story = _created(author, "/stories", {"media_id": known}, "loses-story")["story"]["id"]
        late = Client(running_stack.gateway_url, "loses.late")
        assert late.id
        control.hold(data, "kafka")
        os.kill(_rows(running_stack)["kafka"].pid, signal.SIGKILL)
        until(lambda: _rows(running_stack)["kafka"].state == "held", "Kafka is not held")
        _lose(data / "kafka" / "logs")
    finally:
        control.release(data, "kafka")
        os.kill(workers, signal.SIGCONT)
        control.release(data, "workers")

    until(lambda: author.ask("GET", f"/media/{media}")[1]["media"]["state"] == "succeeded", "the photo is forgotten")
    until(lambda: _in_feed(reader, post), "the post is in no feed")
    until(lambda: story in str(reader.ask("GET", "/stories/tray")[1]), "the story is in no tray")

    def found(path: str, what: str) -> bool:
        return what in str(reader.ask("GET", path)[1])

    until(lambda: found("/search/hashtags?q=lostlog", "lostlog"), "the hashtag is not found")
    until(lambda: found("/search/users?q=loses.late", "loses.late"), "the new user is not found")
    until(lambda: found("/search/users?q=loses.a", "loses.a"), "who was found before is no longer")

    # and search follows the new log
    _created(author, "/posts", {"media_ids": [known], "caption": "#afterlog"}, "loses-after")
    assert Client(running_stack.gateway_url, "loses.new").id
    until(lambda: found("/search/hashtags?q=afterlog", "afterlog"), "a hashtag of the new log is not found")
    until(lambda: found("/search/users?q=loses.new", "loses.new"), "a user of the new log is not found")


def _lose(logs: Path) -> None:
    """As a new disk: an empty folder, formatted with ids of its own."""
    shutil.rmtree(logs)
    logs.mkdir()
    checkpoint = tools.jars() / "bootstrap.checkpoint"
    shutil.copy(checkpoint, logs / checkpoint.name)
    identity = f"node.id=1\ndirectory.id={kafka._random_id()}\nversion=1\ncluster.id={kafka._random_id()}\n"
    (logs / "meta.properties").write_text(identity, encoding="ascii")
