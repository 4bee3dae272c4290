"""The README's curl lines run unchanged on a real stack."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pyvips

from core.scenario.model import PhotoSettings
from loadtest import photo
from stack.control import RunningStack

ROOT = Path(__file__).parents[2]
MARKER = "<!-- tests/docs runs these lines -->\n```sh\n"
FEED_SECONDS_MAX = 30.0


def test_the_curl_lines_of_the_readme_take_a_photo_from_upload_to_a_liked_post_in_a_followers_feed(
    running_stack: RunningStack, tmp_path: Path
) -> None:
    (tmp_path / "photo.jpg").write_bytes(photo.taken_by(1, seed=7, photo=PhotoSettings(width=1600, height=1200)))
    assert b"GPS" in (tmp_path / "photo.jpg").read_bytes() or _has_position((tmp_path / "photo.jpg").read_bytes())
    said = _run(_lines(), tmp_path, running_stack)

    post = said["post"]
    assert post["like_count"] == 1
    item = _in_feed(running_stack, said["ben_token"], post["id"])
    variants = {each["name"]: each for each in item["post"]["media"][0]["variants"]}
    assert variants["640"]["width"] == 640
    with urllib.request.urlopen(variants["640"]["url"], timeout=10) as answer:
        body = answer.read()
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    picture = pyvips.Image.new_from_buffer(body, "")
    assert (picture.width, picture.height) == (640, 480)
    assert not [name for name in picture.get_fields() if name.startswith("exif-")]


def _lines() -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert MARKER in text, "the README has no curl lines"
    return text.split(MARKER, 1)[1].split("```", 1)[0]


def _run(lines: str, folder: Path, stack: RunningStack) -> dict[str, Any]:
    script = re.sub(r"^eval .*$", f"GATEWAY={stack.gateway_url}", lines, count=1, flags=re.MULTILINE)
    script = script.replace(".venv/bin/python", str(ROOT / ".venv/bin/python"))
    script += '\necho; echo "BEN $BEN_TOKEN"\n'
    script += 'echo "POST $(curl -sf $API/posts/$POST_ID -H "Authorization: Bearer $BEN_TOKEN")"\n'
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    told = dict(line.split(" ", 1) for line in done.stdout.splitlines() if line.startswith(("BEN ", "POST ")))
    return {"ben_token": told["BEN"], "post": json.loads(told["POST"])["post"]}


def _in_feed(stack: RunningStack, token: str, post_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + FEED_SECONDS_MAX
    while time.monotonic() < deadline:
        request = urllib.request.Request(
            f"{stack.gateway_url}/api/v1/feed", headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            items = json.load(answer)["items"]
        for item in items:
            post = item.get("post", {})
            if post.get("id") == post_id and post["media"][0]["state"] == "succeeded":
                return dict(item)
        time.sleep(0.1)
    raise AssertionError(f"post {post_id} was not in the feed, with its pictures, within {FEED_SECONDS_MAX} s")


def _has_position(data: bytes) -> bool:
    return any("GPS" in name for name in pyvips.Image.new_from_buffer(data, "").get_fields())
