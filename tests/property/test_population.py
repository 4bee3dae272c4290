"""Population: the mean is the scenario's, and both directions of the follower graph agree."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core import population
from core.scenario import Scenario
from core.scenario.model import Follows
from core.scenario.model import PopulationSettings as Settings


@st.composite
def populations(draw: st.DrawFn) -> population.Population:
    people = draw(st.integers(2, 200))
    maximum = draw(st.integers(1, people - 1))
    mean = draw(st.floats(0.0, maximum))
    exponent = draw(st.floats(0.0, 3.0))
    settings = Settings(
        people=people,
        follows=Follows(exponent=exponent, mean=mean, maximum=maximum),
        posters_ratio=draw(st.floats(0.01, 1.0)),
    )
    return population.draw_population(Scenario(scenario="x", seed=draw(st.integers(0, 2**32)), population=settings))


@given(populations())
def test_nobody_has_more_followers_than_allowed_and_the_most_followed_come_first(people: population.Population) -> None:
    counts = people.follower_counts
    assert len(counts) == people.people
    assert (np.diff(counts) <= 0).all()
    assert counts.min() >= 0
    assert counts.max() <= people.settings.follows.maximum


@given(populations())
def test_the_mean_is_the_scenarios(people: population.Population) -> None:
    assert people.follow_count == round(people.settings.follows.mean * people.people)


@given(populations(), st.data())
def test_followers_are_distinct_others_and_follows_says_the_same_of_each(
    people: population.Population, data: st.DataObject
) -> None:
    person = data.draw(st.integers(0, people.people - 1))
    followers = people.followers(person).tolist()
    assert len(set(followers)) == len(followers) == people.follower_counts[person]
    assert person not in followers
    assert [other for other in range(people.people) if people.follows(other, person)] == sorted(followers)


@given(populations(), st.data())
def test_whom_a_person_follows_is_the_inverse_of_their_followers(
    people: population.Population, data: st.DataObject
) -> None:
    assume(people.people <= 60)
    person = data.draw(st.integers(0, people.people - 1))
    expected = [other for other in range(people.people) if person in people.followers(other)]
    assert people.following(person).tolist() == expected


@given(populations())
def test_edges_are_every_follow_once(people: population.Population) -> None:
    assume(people.people <= 60)
    edges = list(people.edges())
    assert len(set(edges)) == len(edges) == people.follow_count


def test_the_same_seed_is_the_same_world_and_another_is_another() -> None:
    base = Scenario(scenario="x", seed=7)
    first, again = population.draw_population(base), population.draw_population(dataclasses.replace(base))
    other = population.draw_population(dataclasses.replace(base, seed=8))
    assert first.followers(3).tolist() == again.followers(3).tolist() != other.followers(3).tolist()
    assert first.password(3) == again.password(3) != other.password(3)


def test_counts_fall_as_the_power_of_the_rank_below_the_cap() -> None:
    settings = Settings(people=5_000, follows=Follows(exponent=1.0, mean=10.0, maximum=4_000))
    counts = population.draw_population(Scenario(scenario="x", population=settings)).follower_counts
    assert counts[9] / counts[99] == pytest.approx(10, rel=0.02)


def test_names_and_passwords_fit_what_sign_up_takes_and_no_two_are_alike() -> None:
    people = population.draw_population(Scenario(scenario="x"))
    names = {people.username(person) for person in range(people.people)}
    assert len(names) == people.people
    assert all(3 <= len(name) <= 30 and name.replace("_", "a").isalnum() and name == name.lower() for name in names)
    assert all(len(people.password(person)) >= 8 for person in range(50))


def test_the_nearest_person_has_the_number_of_followers_that_is_nearest() -> None:
    people = population.draw_population(Scenario(scenario="x"))
    for wanted in (0, 5, 100, 250, 10**6):
        found = people.nearest(wanted)
        assert abs(people.follower_counts[found] - wanted) == np.abs(people.follower_counts - wanted).min()
