"""Words, names and invisible characters, in every script."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import text
from services.posts.rules import HASHTAG_CHARACTERS_MAX, hashtags
from services.search.rules import hashtag

WORDS = (
    "नमस्ते",  # vowel signs and a virama
    "தமிழகம்",
    "พระอาทิตย์",  # tone marks
    "മലയാളി",
    "শুভেচ্ছা",
    "crème_brûlée",
    "été2026",
    "夕焼け",
    "カフェ・オ・レ",
    "서울여행",
    "السَّلام",  # short vowels
    "نمی‌دانم",  # a joiner that Persian writes
    "l·lustració",
    "צה״ל",
    "བཀྲ་ཤིས",
    "ⅷ_века",
)


@pytest.mark.parametrize("word", WORDS)
def test_a_hashtag_is_a_whole_word_of_its_script_in_each_form_of_unicode(word: str) -> None:
    for form in ("NFC", "NFD"):
        typed = unicodedata.normalize(form, word)
        assert hashtags(f"a #{typed}, b") == (unicodedata.normalize("NFC", word),)
        assert hashtags(f"＃{typed.upper()} #{typed.lower()}")[0].lower() == hashtags(f"#{typed}")[0]
        assert hashtag(f"#{typed}") == hashtag(word)


@pytest.mark.parametrize(
    ("caption", "tags"),
    [
        ("#snow\u200cman #snowman", ("snowman",)),  # an invisible joiner makes no difference
        ("#wave\u200d", ("wave",)),
        ("#dot· #·dot", ("dot",)),
        ("#a\u200b#b", ("a", "b")),  # a blank ends a word
        ("#٣٤ #３４", ()),  # digits alone, in any script
        ("x\u0301#no", ()),  # an accented letter before the sign
        ("#" + "e\u0301" * HASHTAG_CHARACTERS_MAX, ("é" * HASHTAG_CHARACTERS_MAX,)),
        ("#" + "e\u0301" * (HASHTAG_CHARACTERS_MAX + 1), ()),
        ("#🌊 #🌊sea", ()),
        ("#\u0301 #\u0301\u0302 #\u3164", ()),  # marks and blanks alone
        ("#cat\u3164 #\u3164cat", ("cat",)),
    ],
)
def test_characters_that_do_not_belong_to_a_word_end_a_hashtag(caption: str, tags: tuple[str, ...]) -> None:
    assert hashtags(caption) == tags


@given(st.text(max_size=60), st.text(max_size=60))
def test_hashtags_of_anything_are_composed_bounded_and_found_again(before: str, after: str) -> None:
    found = hashtags(f"{before} #{after}")
    assert all(1 <= len(tag) <= HASHTAG_CHARACTERS_MAX for tag in found)
    assert all(tag == unicodedata.normalize("NFC", tag) for tag in found)
    assert [hashtags(f"#{tag}") for tag in found] == [(tag,) for tag in found]


def test_search_compares_without_case_width_and_form() -> None:
    assert hashtag("#STRASSE") == hashtag("#Straße") == hashtag("ｓｔｒａｓｓｅ")
    assert hashtag("ΛΌΓΟΣ") == hashtag("λόγος")
    assert hashtag("نمی‌دانم") == hashtag("نمیدانم")


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("李小龙", "小龙"),
        ("諸葛孔明", "孔明"),
        ("佐々木 健", "木"),
        ("박지성", "지성"),
        ("มานะใจดี", "ใจดี"),
        ("Anne-Marie Dupont", "marie"),
        ("Anne-Marie Dupont", "annemarie"),
        ("Sinéad O’Connor", "oconnor"),
        ("Sinéad O'Connor", "sinead"),
        ("Łucja Ørsted", "orsted"),
        ("Αλέξης", "αλεξης"),
        ("Семён", "семен"),
        ("Trần Thị Ánh", "anh"),
        ("王Lee", "lee"),
        ("李 小龙", "李小龙"),
        ("李小龙", "李 小龙"),
        ("박 지성", "박지성"),
        ("박지성", "박 지성"),
        ("田中 さくら", "田中さくら"),
        ("ﾀﾅｶ ｻｸﾗ", "タナカサクラ"),
        ("Lee 小 龙", "小龙"),
    ],
)
def test_a_name_is_found_by_each_part_that_people_call_it_by(name: str, asked: str) -> None:
    assert text.words(asked)
    assert all(any(each.startswith(word) for each in text.beginnings(name)) for word in text.words(asked))
    assert all(any(each.startswith(word) for each in text.beginnings(name)) for word in text.words(name))


@given(st.text(max_size=64))
def test_what_a_name_is_found_by_is_bounded_and_holds_its_words(name: str) -> None:
    found = text.beginnings(name)
    assert set(text.words(name)) <= set(found)
    assert len(found) <= 64 * 34
    assert all(word and not word.isspace() for word in found)


@pytest.mark.parametrize(
    "name",
    ["Zoë", "O’Neill, Jr.", "محمّد", "نرگس می‌آید", "श्री", "แม่น้ำ", "👩\u200d🔬 Ada", "❤️ Eve", "1️⃣", "𝓐da",
     "김 철수", "ශ්\u200dරී", "Жанна ✨"],
)  # fmt: skip
def test_names_of_every_script_show(name: str) -> None:
    assert list(text.hidden(name)) == []
    assert text.shows(name)


@pytest.mark.parametrize(
    "character",
    ["\u202e", "\u2066", "\u200e", "\u200b", "\u00ad", "\ufeff", "\u0007", "\n", "\u2028", "\ue000", "\u0378", "\ud800",
     "\u3164", "\u115f", "\uffa0", "\u2800", "\u034f", "\u200d", "\u200c", "\ufe0f", "\U000e0041", "\u061c", "\x7f"],
)  # fmt: skip
def test_a_character_that_does_not_show_is_found(character: str) -> None:
    assert character in text.hidden(f"an{character}na")
    assert not text.shows(character)


def test_marks_are_found_that_have_no_letter_or_are_heaped_on_one() -> None:
    assert list(text.hidden("\u0301a"))
    assert list(text.hidden("a \u0301b"))
    assert list(text.hidden("a" + "\u0301" * 6))
    assert not list(text.hidden("a" + "\u0301" * 3))
