"""The index: users and hashtags in tantivy, in a folder of this process, with the log's offsets inside.

Offsets are a document of the same commit as the events before them, so that a crash leaves the index exactly at some
point of the log, where it continues. A folder that cannot be opened is created again, and filled from PostgreSQL.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import structlog
import tantivy

from core import niceness
from core.bounds import SEARCHES_AT_ONCE
from core.failures import Overloaded
from core.messages import Message, PostCreated, PostDeleted, PostHidden, UserCreated
from core.text import beginnings, words
from services.kit.threads import nicer_threads
from services.search.rules import WORDS_MAX, Hit, folded, typos

R = TypeVar("R")

_WRITER_BYTES: Final = 15_000_000
_WAITING_MAX: Final = 64  # queries that wait for a reader; more are refused
_CANDIDATES: Final = 4  # hits fetched for each one shown, before the names themselves are compared
_TERMS_MAX: Final = 10_000
_OFFSETS: Final = "offsets"
_EXACT, _PREFIX, _TYPO = 8.0, 4.0, 1.0
_log = structlog.get_logger("search")


def _schema() -> Any:
    builder = tantivy.SchemaBuilder()
    for name in ("user_id", "username", "display_name"):
        builder.add_text_field(name, stored=True, tokenizer_name="raw", index_option="basic")
    for name in ("words", "post_id", "hashtag", "deleted"):  # words as `core.text` splits and folds them
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    # hashtags as written, and the post's id again: of several spellings the newest post's is shown
    builder.add_text_field("written", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_integer_field("newest", fast=True)
    builder.add_text_field("kind", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("position", stored=True, tokenizer_name="raw", index_option="basic")
    return builder.build()


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Which log the index follows, and the next offset by ``topic:partition``."""

    log: str = ""
    offsets: dict[str, int] = {}


class Index:
    """The index; one thread writes, a few read, and none of them is the event loop's."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._schema = _schema()
        self._writing = nicer_threads(1, name="index", by=niceness.INDEXING)
        self._reading = ThreadPoolExecutor(SEARCHES_AT_ONCE, thread_name_prefix="search")
        self._waiting = 0
        self._index: Any = None
        self._writer: Any = None
        self._deleted: set[str] = set()  # since the last commit

    async def open(self) -> None:
        """Open the folder, or create it again if that fails."""
        await self._write(self._open)

    def _open(self) -> None:
        try:
            self._open_folder()
        except (ValueError, OSError) as error:
            if "Lock" in str(error):  # in use by another process: do not create it again
                raise
            _log.warning("index_recreated", error=str(error))
            shutil.rmtree(self._folder, ignore_errors=True)
            self._open_folder()

    def _open_folder(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._index = tantivy.Index(self._schema, path=str(self._folder), reuse=True)
        self._writer = self._index.writer(heap_size=_WRITER_BYTES, num_threads=1)
        self._index.config_reader(reload_policy="manual")
        self._index.reload()

    async def close(self) -> None:
        """Close the folder; what was not committed is read from the log again."""
        await self._write(self._close)
        self._writing.shutdown(wait=True)
        self._reading.shutdown(wait=True)

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.wait_merging_threads()
        self._writer = self._index = None

    async def standing(self) -> Standing:
        """Log and offsets of the index; empty when nothing was ever committed."""

        def read() -> Standing:
            searcher = self._index.searcher()
            found = searcher.search(self._term("kind", _OFFSETS), 1).hits
            if not found:
                return Standing()
            try:
                return msgspec.json.decode(searcher.doc(found[0][1])["position"][0], type=Standing)
            except msgspec.DecodeError:  # from an older build
                return Standing()

        return await self._write(read)

    async def begin_rebuild(self) -> None:
        """Delete everything; queries still find it until the new content is committed."""

        def forget() -> None:
            self._writer.rollback()
            self._writer.delete_all_documents()
            self._deleted.clear()

        await self._write(forget)

    async def roll_back(self) -> None:
        """Drop everything since the last `commit`, including a rebuild that was not committed."""

        def forget() -> None:
            self._writer.rollback()
            self._deleted.clear()

        await self._write(forget)

    async def apply(self, events: Sequence[Message]) -> None:
        """Apply events; `commit` makes them visible. An event that was applied before changes nothing."""
        await self._write(lambda: self._apply(events))

    def _apply(self, events: Sequence[Message]) -> None:
        for event in events:
            match event:
                case UserCreated():
                    self._add_user(event)
                case PostCreated():
                    self._add_post(event)
                case PostHidden() | PostDeleted():
                    post_id = str(event.post_id)
                    self._writer.delete_documents_by_term("post_id", post_id)
                    self._writer.delete_documents_by_term("deleted", post_id)
                    self._writer.add_document(tantivy.Document(deleted=[post_id]))
                    self._deleted.add(post_id)

    def _add_user(self, event: UserCreated) -> None:
        user_id = str(event.user_id)
        self._writer.delete_documents_by_term("user_id", user_id)
        document = tantivy.Document(
            user_id=[user_id],
            username=[event.username],
            display_name=[event.display_name],
            words=beginnings(event.username) + beginnings(event.display_name),
        )
        self._writer.add_document(document)

    def _add_post(self, event: PostCreated) -> None:
        post_id = str(event.post_id)
        if not event.hashtags or self._is_deleted(post_id):  # its deletion is on another topic and may come first
            return
        self._writer.delete_documents_by_term("post_id", post_id)
        self._writer.add_document(
            tantivy.Document(
                post_id=[post_id],
                newest=event.post_id,
                written=list(event.hashtags),
                hashtag=list(dict.fromkeys(map(folded, event.hashtags))),
            )
        )

    def _is_deleted(self, post_id: str) -> bool:
        if post_id in self._deleted:
            return True
        return bool(self._index.searcher().search(self._term("deleted", post_id), 1).hits)

    async def commit(self, standing: Standing) -> None:
        """Make applied events visible and durable, together with the log's offsets."""

        def write() -> None:
            self._writer.delete_documents_by_term("kind", _OFFSETS)
            position = msgspec.json.encode(standing).decode()
            self._writer.add_document(tantivy.Document(kind=[_OFFSETS], position=[position]))
            self._writer.commit()
            self._index.reload()
            self._deleted.clear()

        await self._write(write)

    async def users(self, text: str, *, limit: int) -> list[Hit]:
        """Users whose names have a word that begins, or nearly begins, with each word of ``text``; not ranked yet."""
        return await self._read(lambda: self._users(text, limit * _CANDIDATES))

    def _users(self, text: str, count: int) -> list[Hit]:
        asked = words(text)[:WORDS_MAX]
        if not asked:
            return []
        query = tantivy.Query.boolean_query([(tantivy.Occur.Must, self._word(word)) for word in asked])
        searcher = self._index.searcher()
        hits = []
        for score, address in searcher.search(query, count, count=False).hits:
            document = searcher.doc(address)
            hits.append(
                Hit(
                    user_id=document["user_id"][0],
                    username=document["username"][0],
                    display_name=document["display_name"][0],
                    score=score,
                )
            )
        return hits

    def _word(self, word: str) -> Any:
        query = tantivy.Query

        def nearly(distance: int, *, prefix: bool, score: float) -> Any:
            fuzzy = query.fuzzy_term_query(self._schema, "words", word, distance=distance, prefix=prefix)
            return query.const_score_query(fuzzy, score)

        choices = [nearly(0, prefix=False, score=_EXACT), nearly(0, prefix=True, score=_PREFIX)]
        if distance := typos(word):
            choices.append(nearly(distance, prefix=True, score=_TYPO))
        return query.disjunction_max_query(choices)

    async def hashtags(self, beginning: str, *, limit: int) -> list[tuple[str, int]]:
        """Hashtags with this beginning, as the newest post writes them, with their numbers of posts, most first."""

        def read() -> list[tuple[str, int]]:
            # with a filter only live documents are counted; without one, deleted ones too
            everything = tantivy.Query.all_query()
            searcher = self._index.searcher()
            terms = searcher.terms_with_prefix("hashtag", beginning, everything, _TERMS_MAX)
            most = sorted(terms, key=lambda each: (-each[1], each[0]))[:limit]
            return [(self._written(searcher, tag), count) for tag, count in most]

        return await self._read(read)

    def _written(self, searcher: Any, tag: str) -> str:
        hits = searcher.search(self._term("hashtag", tag), 1, count=False, order_by_field="newest").hits
        written = searcher.doc(hits[0][1])["written"] if hits else ()
        return next((each for each in written if folded(each) == tag), tag)

    def _term(self, field: str, value: str) -> Any:
        return tantivy.Query.term_query(self._schema, field, value, "basic")

    async def _write(self, act: Callable[[], R]) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._writing, act)

    async def _read(self, act: Callable[[], R]) -> R:
        if self._waiting >= _WAITING_MAX:
            raise Overloaded("Too many searches wait", retry_after_seconds=1.0)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._reading, act)
        finally:
            self._waiting -= 1
