"""Search, filled from a real log."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from core.messages import UserCreated
from core.names import Component
from services.kit.process import build
from services.search.rules import Hit, ranked, typos
from services.search.store.index import Index, Standing
from tests.service.conftest import Someone, System, must_be_documented
from tests.service.feed.people import photographer
from tests.service.waiting import until

COMPONENTS = (
    Component.AUTH,
    Component.UPLOAD,
    Component.MEDIA,
    Component.POSTS,
    Component.ENGAGEMENT,
    Component.SEARCH,
)
#: What PRODUCT promises, from the answer to the write until it is found.
FRESH_SECONDS = 2.0


async def named(system: System, text: str, who: Someone, **query: Any) -> list[str]:
    answer = await system.call("search.users", user=who, query={"q": text, **query})
    assert answer.status == 200, answer.json
    must_be_documented("search.users", answer)
    return [item["username"] for item in answer.json["items"]]


async def tagged(system: System, text: str, who: Someone) -> dict[str, int]:
    answer = await system.call("search.hashtags", user=who, query={"q": text})
    assert answer.status == 200, answer.json
    must_be_documented("search.hashtags", answer)
    return {item["hashtag"]: item["post_count"] for item in answer.json["items"]}


async def caught_up(system: System) -> None:
    """Wait for what earlier tests of this session left on the log."""

    async def found() -> bool:
        return latest.username in await named(system, latest.username, latest)

    latest = await system.person()
    await until(found)


async def signed_up(system: System, username: str, display_name: str) -> None:
    answer = await system.call(
        "auth.signup", json={"username": username, "password": "correct horse", "display_name": display_name}
    )
    assert answer.status == 201, answer.json


@pytest.mark.alone
async def test_somebody_new_is_found_within_two_seconds_by_beginning_typo_and_accent(
    system: System, ann: Someone
) -> None:
    await caught_up(system)
    unique = ann.username[-6:]
    await signed_up(system, f"zoeyqx.{unique}", "Zoë Quixano")
    await signed_up(system, f"zoltan{unique}", "Zoltan Other")

    async def found() -> bool:
        first, second = f"zoeyqx.{unique}", f"zoltan{unique}"
        return await named(system, first, ann, limit=1) == [first] and await named(system, second, ann) == [second]

    await until(found, within_seconds=FRESH_SECONDS)
    for text in ("zoeyq", "zoe quix", "ZOË", "quixano", "quixnao", "zoeyqxx"):
        assert f"zoeyqx.{unique}" in await named(system, text, ann), text
    assert f"zoltan{unique}" not in await named(system, "zoe", ann)
    assert await named(system, "...", ann) == []


async def test_a_given_name_is_found_within_a_name_without_spaces_and_each_part_of_a_double_one(
    system: System, ann: Someone
) -> None:
    await caught_up(system)
    unique = ann.username[-6:]
    names = {
        "han": "欧阳娜娜",
        "kana": "やまだはなこ",
        "hangul": "남궁민수",
        "double": "Mary-Beth O’Hara",
        "greek": "Νίκος",
    }
    for username, display_name in names.items():
        await signed_up(system, f"{username}.{unique}", display_name)

    async def found() -> bool:
        return bool(await named(system, f"greek.{unique}", ann))

    await until(found)
    for username, asked in (
        ("han", "娜娜"),
        ("han", "欧阳"),
        ("kana", "はなこ"),
        ("hangul", "민수"),
        ("hangul", "\u1106\u1175\u11ab\u1109\u116e"),
        ("double", "beth"),
        ("double", "OHARA"),
        ("double", "o'hara"),
        ("greek", "ΝΙΚΟΣ"),
    ):
        assert f"{username}.{unique}" in await named(system, f"{asked} {unique}", ann), asked


async def test_hashtags_are_found_in_each_form_of_unicode_and_any_case(system: System, ann: Someone) -> None:
    await caught_up(system)
    unique = ann.username[-6:]
    author, photo = await photographer(system)
    for caption in (
        *(f"#STRASSE{unique}", f"#Stra\u00dfe{unique}", f"#re\u0301sume\u0301{unique}"),
        *(f"#می\u200cخواهم{unique}", f"#नदी{unique}"),
    ):
        answer = await system.call("post.create", user=author, json={"media_ids": [photo], "caption": caption})
        assert answer.status == 201, answer.json

    async def found() -> bool:
        return await tagged(system, f"नदी{unique}", ann) == {f"नदी{unique}": 1}

    await until(found)
    assert await tagged(system, f"straße{unique}", ann) == {f"straße{unique}": 2}  # as the newest post has it
    assert await tagged(system, f"STRASSE{unique}", ann) == {f"straße{unique}": 2}
    assert await tagged(system, f"میخواهم{unique}", ann) == {f"می\u200cخواهم{unique}": 1}
    assert await tagged(system, f"R\u00c9SUM\u00c9{unique}", ann) == {f"r\u00e9sum\u00e9{unique}": 1}
    assert await tagged(system, f"नद{unique}", ann) == {}


@pytest.mark.alone
async def test_hashtags_are_found_by_beginning_with_exact_counts_and_go_with_their_posts(
    system: System, ann: Someone
) -> None:
    await caught_up(system)
    tag = f"sun{ann.username[-6:]}"
    author, photo = await photographer(system)
    made = []
    for caption in (f"#{tag} #{tag}set", f"#{tag}", f"#{tag.upper()} again"):
        answer = await system.call("post.create", user=author, json={"media_ids": [photo], "caption": caption})
        assert answer.status == 201, answer.json
        made.append(answer.json["post"]["id"])

    async def counted() -> bool:
        return await tagged(system, f"#{tag}", ann) == {tag: 3, f"{tag}set": 1}

    await until(counted, within_seconds=FRESH_SECONDS)
    assert (await system.call("post.delete", user=author, post_id=made[0])).status == 204

    async def less() -> bool:
        return await tagged(system, tag[:-1], ann) == {tag: 2}

    await until(less, within_seconds=FRESH_SECONDS)


async def know_nobody(folder: Path, *, log: str = "", beyond: int = 0) -> None:
    """Leave an empty index whose position is at the start of a lost log, or beyond the end of the present one."""
    index = Index(folder)
    await index.open()
    standing = await index.standing()
    assert standing.log
    assert any(standing.offsets.values())
    await index.begin_rebuild()
    offsets = {place: offset + beyond if beyond else 0 for place, offset in standing.offsets.items()}
    await index.commit(Standing(log=log or standing.log, offsets=offsets))
    await index.close()


async def test_a_lost_index_is_rebuilt_from_postgresql_and_a_kept_one_continues(
    tmp_path_factory: pytest.TempPathFactory, system: System, ann: Someone
) -> None:
    # a process of its own, with another folder, as the module's holds the lock of its own
    folder = tmp_path_factory.mktemp("index")
    settings = msgspec.structs.replace(system.settings, data_directory=str(folder))
    member = next(each for each in settings.members if each.component == Component.SEARCH)

    async def session(expect: str) -> None:
        runner = web.AppRunner(build(settings, member), access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            other = replace(system, urls={**system.urls, "search": url})

            async def found() -> bool:
                return expect in await named(other, expect, ann)

            await until(found)
        finally:
            await runner.cleanup()

    await session(ann.username)
    await know_nobody(folder / "search", log="another")
    await session(ann.username)
    await know_nobody(folder / "search", beyond=1_000_000)
    await session(ann.username)
    later = await system.person()
    await session(later.username)
    await session(ann.username)
    spoil(folder / "search")
    await session(ann.username)
    shutil.rmtree(folder / "search")
    await session(later.username)


async def test_making_an_index_again_that_is_broken_off_changes_nothing(tmp_path: Path) -> None:
    index = Index(tmp_path)
    await index.open()
    zoe = UserCreated(event_id=0, at_ms=0, user_id=7, username="zoe", display_name="Zoe")
    await index.apply([zoe])
    await index.commit(Standing(log="one"))
    await index.begin_rebuild()
    await index.roll_back()
    await index.commit(Standing(log="one"))
    found = [hit.username for hit in await index.users("zoe", limit=5)]
    await index.close()
    assert found == ["zoe"]


def spoil(folder: Path) -> None:
    for each in folder.iterdir():
        each.write_bytes(b"not an index")


@pytest.mark.parametrize("operation", ["search.users", "search.hashtags"])
@pytest.mark.parametrize(
    ("query", "field"),
    [({}, "q"), ({"q": "  "}, "q"), ({"q": "x" * 101}, "q"), ({"q": "a", "limit": "0"}, "limit"), ({"q": "\0"}, "q")],
)
async def test_a_wrong_query_names_its_parameter(
    system: System, ann: Someone, operation: str, query: Any, field: str
) -> None:
    answer = await system.call(operation, user=ann, query=query)
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, field), answer.json
    assert (await system.call(operation, query={"q": "a"})).status == 401


@pytest.mark.parametrize(
    "text", ['"', "a AND", "*", "[", "a:b", "(", "#", "é" * 50, "🙂", "\\", "a" * 100, "a b c d e f"]
)
async def test_no_query_is_a_failure_of_ours(system: System, ann: Someone, text: str) -> None:
    for operation in ("search.users", "search.hashtags"):
        answer = await system.call(operation, user=ann, query={"q": text})
        assert answer.status == 200, (text, answer.json)


def test_the_very_name_comes_first_then_beginnings_then_the_score() -> None:
    def hit(username: str, score: float) -> Hit:
        return Hit(user_id="1", username=username, display_name="", score=score)

    found = ranked([hit("joanna", 9), hit("annabel", 1), hit("anna", 1), hit("hanna", 5)], query="Anna", limit=3)
    assert [each.username for each in found] == ["anna", "annabel", "joanna"]


def test_short_words_bear_no_typo() -> None:
    assert [typos("abc"), typos("abcd"), typos("abcdefgh")] == [0, 1, 2]
