"""What an outbox remembers about rows that the log has."""

from __future__ import annotations

from aiokafka import TopicPartition

from services.kit.producer import LogPosition
from services.kit.sent import SETTLED_SECONDS, Sent

LIKES, POSTS = TopicPartition("like.created", 0), TopicPartition("post.created", 1)


def test_a_row_waits_until_everything_up_to_it_is_handled() -> None:
    sent = Sent()
    for row in range(4):
        sent.add(7, row, LogPosition(LIKES, 100 + row), now=0.0)
    sent.add(3, 9, LogPosition(POSTS, 5), now=0.0)
    assert sent.handled({LIKES: 102, POSTS: -1}) == {7: [0, 1]}
    assert sent.count == 3
    assert sent.last() == {LIKES: 103, POSTS: 5}
    assert sent.everything() == {7: [2, 3], 3: [9]}
    assert sent.handled({LIKES: 104, POSTS: 6}) == {7: [2, 3], 3: [9]}
    assert (sent.count, sent.partitions()) == (0, [])


def test_rows_are_known_until_they_are_deleted_or_so_old_that_nothing_below_them_can_commit() -> None:
    sent = Sent()
    sent.add(7, 10, LogPosition(LIKES, 0), now=0.0)
    sent.add(7, 12, LogPosition(LIKES, 1), now=50.0)
    assert (sent.known(7), sent.floor(7)) == ([10, 12], 0)
    sent.settle(SETTLED_SECONDS + 1.0)
    assert (sent.known(7), sent.floor(7)) == ([12], 10)
    sent.forget({7: [12]})
    assert (sent.known(7), sent.floor(7)) == ([], 10)


def test_of_too_many_the_oldest_of_the_longest_partition_are_dropped() -> None:
    sent = Sent()
    for row in range(5):
        sent.add(7, row, LogPosition(LIKES, row), now=0.0)
    sent.add(7, 9, LogPosition(POSTS, 0), now=0.0)
    assert sent.beyond(4) == {7: [0, 1]}
    assert sent.beyond(4) == {}
    assert sent.everything() == {7: [2, 3, 4, 9]}


def test_everything_not_handled_is_sent_again_to_a_log_that_lost_its_data() -> None:
    sent = Sent()
    sent.add(7, 10, LogPosition(LIKES, 0), now=0.0)
    sent.settle(1_000.0)
    sent.lost()
    assert (sent.count, sent.known(7), sent.floor(7), sent.partitions()) == (0, [], 0, [])
