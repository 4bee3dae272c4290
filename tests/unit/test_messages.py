"""Messages: round trips, versions, keys."""

from __future__ import annotations

from functools import cache

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import messages
from core.messages import BY_TOPIC, MESSAGES, Message, PostCreated

IDS = st.integers(0, 2**63 - 1)
BY_TYPE = {int: IDS, str: st.text(max_size=50)}


@cache  # for one example after another; making a strategy takes longer than drawing from it
def of(kind: type[Message]) -> st.SearchStrategy[Message]:
    st.register_type_strategy(messages.MediaVariant, st.builds(messages.MediaVariant))
    return st.from_type(kind)


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.topic)
@given(data=st.data())
def test_what_is_encoded_is_decoded_again(kind: type[Message], data: st.DataObject) -> None:
    message = data.draw(of(kind))
    assert messages.decode(kind.topic, messages.encode(message)) == message


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.topic)
@given(data=st.data())
def test_every_kind_has_a_topic_of_its_own_and_is_kept_in_order_by_one_of_its_ids(
    kind: type[Message], data: st.DataObject
) -> None:
    message = data.draw(of(kind))
    assert BY_TOPIC[kind.topic] is kind
    if isinstance(message, messages.DeadLetter):  # it has the key of the event that it is about
        assert message.key() == message.event_id
        return
    ids = {name: value for name, value in msgspec.structs.asdict(message).items() if name.endswith("_id")}
    del ids["event_id"], ids["request_id"]
    assert message.key() in ids.values()


def post() -> PostCreated:
    return PostCreated(event_id=1, at_ms=2, post_id=3, author_id=4, media_ids=(5,), caption="é #x", hashtags=("x",))


def test_an_event_of_a_newer_version_says_so() -> None:
    newer = messages.encode(post()).replace(b'"v":1', b'"v":2')
    with pytest.raises(messages.NewerVersion, match=r"post\.created: version 2 is newer than 1"):
        messages.decode("post.created", newer)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"v":1}', b'{"v":1,"body":{}}', b'{"v":1,"body":{"event_id":"x"}}']
)
def test_a_body_that_does_not_fit_is_named_with_its_topic(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^post\.created: "):
        messages.decode("post.created", data)


def test_a_field_that_a_later_build_added_does_no_harm() -> None:
    data = messages.encode(post()).replace(b'"caption"', b'"mood":"glad","caption"')
    assert messages.decode("post.created", data) == post()


def test_events_of_one_author_stay_in_order_and_likes_of_one_post() -> None:
    assert post().key() == 4
    assert messages.LikeCreated(event_id=1, at_ms=2, post_id=3, user_id=4).key() == 3


def test_a_dead_letter_says_in_plain_json_what_was_given_up_and_why() -> None:
    letter = messages.DeadLetter(
        event_id=1,
        at_ms=2,
        group="fanout",
        source="post.created",
        partition=3,
        offset=4,
        event_key="9",
        payload=messages.encode(post()),
        payload_size_bytes=5,
        error="ValueError: no",
        tries=3,
    )
    body = msgspec.json.decode(messages.encode(letter))["body"]
    assert (body["group"], body["topic"], body["partition"], body["offset"]) == ("fanout", "post.created", 3, 4)
    assert (body["key"], body["error"], body["tries"], body["at_ms"]) == ("9", "ValueError: no", 3, 2)
    decoded = messages.decode("dead.letter", messages.encode(letter))
    assert isinstance(decoded, messages.DeadLetter)
    assert messages.decode(decoded.source, decoded.payload) == post()
