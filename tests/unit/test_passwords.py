"""Which passwords are accepted, and which are guessed first."""

from __future__ import annotations

import pytest

from services.auth.rules import passwords


def wrong(password: str) -> list[str]:
    return list(passwords.wrong(password, username="some.name", display_name="Zoë Adams"))


@pytest.mark.parametrize(
    "password",
    [
        "password1", "windtunnel", "WindTunnel2026!", "username1", "trustno1!", "пароль123", "p a s s w o r d",
        "P@$$w0rd", "p4ssw0rd!!", "Pässwörd1", "ｐａｓｓｗｏｒｄ", "1loveyou", "letmein 123", "Contraseña1",
        "йцукенгш1", "12345678", "hgfedcba", "aaaaaaaaaa",
    ],
)  # fmt: skip
def test_a_common_password_is_refused_with_what_people_add_to_it(password: str) -> None:
    assert wrong(password) == ["expected a password that is less common"]


@pytest.mark.parametrize(
    "password", ["some.name", "SomeName1", "some_name-99", "zoe adams 7", "ZoëAdams!", "s0m3.n4me"]
)
def test_ones_own_name_is_refused_with_what_people_add_to_it(password: str) -> None:
    assert wrong(password) == ["expected a password other than your name, with or without digits and signs"]


@pytest.mark.parametrize(
    "password",
    [
        "correct horse", "battery staple", "café au lait", "xK9$mq2!", "blau-4711-kite", "tr0ub4dor&3",
        "мой дом на горе", "我家的猫很可爱吗", "sunset over 9 hills", "pw-00000000000000ff", "password of my aunt",
        "sun73920184756", "é" * 8 + "ab" * 100,
    ],
)  # fmt: skip
def test_a_password_that_is_hard_to_guess_is_accepted(password: str) -> None:
    assert wrong(password) == []


def test_its_length_is_counted_in_characters() -> None:
    longest = "漢字かな" * 64
    assert len(longest) == passwords.CHARACTERS_MAX == 256
    assert wrong(longest) == []
    assert passwords.hashable(longest) == longest
    assert wrong(longest + "x") == ["expected 8 to 256 characters, found 257"]
    assert passwords.hashable(longest + "x") != longest
    assert wrong("é" * 7) == wrong("e\u0301" * 7) == ["expected 8 to 256 characters, found 7"]
    assert passwords.hashable("e\u0301" * 256) == "é" * 256
