"""Rule files are read as what stands there, with lines, and within limits."""

import pytest

from abuse_triage.errors import ConfigError
from abuse_triage.rules.source import MAX_CHARS, MAX_DEPTH, read


def problems(text: str) -> tuple[str, ...]:
    """Return what reading a text complains about."""
    with pytest.raises(ConfigError) as caught:
        read("a.yaml", text)
    return caught.value.problems


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("false", False),
        ("yes", "yes"),
        ("no", "no"),
        ("On", "On"),
        ("True", "True"),
        ("12", 12),
        ("-3", -3),
        ("0", 0),
        ("012", "012"),
        ("0x1f", "0x1f"),
        ("12:30:00", "12:30:00"),
        ("1.5", "1.5"),
        ("2026-11-21", "2026-11-21"),
        ("1234567890123456", "1234567890123456"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("null", None),
        ("~", None),
        ("", None),
        ("[]", []),
        ("{}", {}),
        ("'<<'", "<<"),
    ],
)
def test_values_are_not_guessed(written: str, value: object) -> None:
    """Only true, false, null and decimal numbers are more than text."""
    assert {"key": value} == read("a.yaml", f"key: {written}").data


def test_lines_are_remembered() -> None:
    """Every value knows its line; unknown parts of a place are passed over."""
    source = read("a.yaml", "a:\n  b:\n    - x\n    - {c: 1}\n")

    assert 1 == source.line(("a",))
    assert 3 == source.line(("a", "b", 0))
    assert 4 == source.line(("a", "b", 1, "c"))
    assert 4 == source.line(("a", "tag", "b", 1, "nothing"))
    assert 1 == source.line(("nothing",))


def test_a_bare_value_is_a_document() -> None:
    """A file with one word is that word, and an empty one is nothing."""
    assert "word" == read("a.yaml", "word").data
    assert read("a.yaml", "").data is None


def test_merge_keys_are_plain_keys() -> None:
    """The merge key of YAML 1.1 has no effect."""
    assert {"<<": {"a": 1}} == read("a.yaml", "<<: {a: 1}").data


def test_repeated_keys_are_all_named() -> None:
    """A key that stands twice is refused with both lines."""
    assert (
        'a.yaml:2: key "a" stands here a second time; the first is in line 1',
        'a.yaml:5: key "c" stands here a second time; the first is in line 4',
    ) == problems("a: 1\na: 2\nb:\n  c: 1\n  c: {x: 1}\n")


def test_aliases_and_tags_are_refused() -> None:
    """Neither bombs of aliases nor Python objects are built."""
    assert (
        'a.yaml:2: alias "*x" is not allowed; name a list under "lists" instead',
        'a.yaml:3: tag "tag:yaml.org,2002:python/name:os.system" is not allowed; write the plain value',
        'a.yaml:4: tag "!set" is not allowed; write the plain value',
    ) == problems("a: &x [1]\nb: *x\nc: !!python/name:os.system ''\nd: !set {a}\n")


def test_a_billion_laughs_stay_small() -> None:
    """Nested aliases are refused one by one, not multiplied."""
    bomb = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))

    assert 16 == len(problems(bomb))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [1", "a.yaml:2: not YAML: did not find expected ',' or ']'"),
        ("a: b: c", "a.yaml:1: not YAML: mapping values are not allowed in this context"),
        ("a: 1\nb: '\x01'", "a.yaml:2: not YAML: unacceptable character #x0001: control characters are not allowed"),
        ("a: 1\n---\nb: 2", "a.yaml:2: a second document; use one file for each"),
        ("? [a]\n: b", "a.yaml:1: a key must be one word or a quoted string"),
        ("[" * 100_000, f"a.yaml:1: nested more than {MAX_DEPTH} levels deep"),
        ("%YAML 3.0\n--- a", "a.yaml:1: not YAML: found incompatible YAML document"),
        (
            "x" * (MAX_CHARS + 1),
            f"a.yaml:1: the file has {MAX_CHARS + 1} characters, at most {MAX_CHARS} are read; split it",
        ),
    ],
)
def test_broken_files(text: str, problem: str) -> None:
    """What cannot be read says where and why."""
    assert (problem,) == problems(text)


def test_the_largest_file_is_read() -> None:
    """A file at the limit is read."""
    assert "x" * MAX_CHARS == read("a.yaml", "x" * MAX_CHARS).data


def test_the_deepest_nesting_is_read() -> None:
    """Nesting at the limit is read."""
    assert 40 == MAX_DEPTH
    assert isinstance(read("a.yaml", "[" * MAX_DEPTH + "]" * MAX_DEPTH).data, list)
