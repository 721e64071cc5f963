"""The language of templates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError
from jinja2.sandbox import SecurityError

from abuse_triage.model.report import Kind
from abuse_triage.replies.sandbox import FUNCTIONS, Signature, complaints, either, environment, indicators

TEAM = Signature(name="CSIRT", organisation="", hours="", telephones=("1", "2"), fingerprint="", policy_url="")
ENVIRONMENT = environment()


def rendered(source: str, **values: object) -> str:
    """Write a template without asking whether it is allowed: what jinja2's own sandbox says of it."""
    return ENVIRONMENT.from_string(source).render(values)


def complaint(source: str) -> str:
    """Return the first thing that is wrong with a template, "" for nothing."""
    return next((problem for _, problem in complaints(ENVIRONMENT, source, ("number", "missing", "team"))), "")


@pytest.mark.parametrize(
    "source",
    [
        "",
        "text",
        "{{ number }}",
        "{# a comment #}",
        "{{ number ~ ' x ' ~ team.name }}",
        "{% if missing %}a{% elif number == '1' %}b{% else %}c{% endif %}",
        "{% for one in missing %}{{ item(one) }}{% else %}none{% endfor %}",
        "{{ 'a' if number in ('1', '2') and not missing else 'b' }}",
        "{{ {'time': 'x'}[number] }}",
        "{{ either(team.telephones, 'or') }}",
        "{{ field(label='x', value=number) }}",
        "{% raw %}{{ anything }}{% endraw %}",
    ],
)
def test_what_templates_need_is_there(source: str) -> None:
    """Text, values, choices, lists, and the functions that lay out."""
    assert "" == complaint(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ number.__class__ }}",
        "{{ number['__class__'] }}",
        "{{ team['__class__'] }}",
        "{{ team['__dataclass_fields__'] }}",
        "{{ ''['format'] }}",
        "{{ paragraph['__globals__'] }}",
        "{{ missing['append'] }}",
    ],
)
def test_attributes_cannot_be_reached(source: str) -> None:
    """What the check of the source cannot see, because it is an item by a name, the sandbox keeps shut."""
    with pytest.raises((SecurityError, UndefinedError)):
        rendered(source, number="1", missing=["x"], team=TEAM)


def test_attributes_of_the_team_can_be_reached() -> None:
    """What is documented is there, by both ways of writing it."""
    assert "CSIRT CSIRT" == rendered("{{ team.name }} {{ team['name'] }}", team=TEAM)


@pytest.mark.parametrize(
    "source",
    ["{{ range(3) }}", "{{ dict() }}", "{{ lipsum() }}", "{{ cycler(1) }}", "{{ namespace() }}", "{{ self() }}"],
)
def test_nothing_but_our_functions_can_be_called(source: str) -> None:
    """None of jinja2's own is there, with the check of the source or without."""
    assert "" != complaint(source)
    with pytest.raises((SecurityError, UndefinedError, TypeError)):
        rendered(source)


def test_a_function_that_comes_as_a_value_cannot_be_called() -> None:
    """Only what stands in the table is called."""
    with pytest.raises(SecurityError):
        rendered("{{ number() }}", number=print)


@pytest.mark.parametrize(
    "source", ["{{ x|upper }}", "{{ x is defined }}", "{% include 'x' %}", "{% import 'x' as y %}"]
)
def test_there_are_no_filters_tests_and_other_templates(source: str) -> None:
    """Neither the check of the source nor the environment knows them."""
    assert "" != complaint(source)
    with pytest.raises(Exception, match=r"No filter|No test|no loader"):
        rendered(source, x="x")


@pytest.mark.parametrize(
    "source",
    [
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ " + " and ".join(["number"] * 5000) + " }}",
        "{{ " + "[" * 2000 + "]" * 2000 + " }}",
        "{% if number %}" * 21 + "{% endif %}" * 21,
        "{% for a in missing %}" * 3 + "{% endfor %}" * 3,
    ],
)
def test_what_is_nested_deeply_is_refused(source: str) -> None:
    """Neither our check nor Python's compiler is brought to its limits."""
    assert "is nested too deeply" == complaint(source)


def test_twenty_levels_are_enough() -> None:
    """At the limit a template still works."""
    source = "{% if number %}" * 20 + "x" + "{% endif %}" * 20
    assert ("", "x") == (complaint(source), rendered(source, number="1"))


@given(st.text(st.sampled_from("{}%#() .|~+*'[]abinftocuml=\n-"), max_size=60))
def test_no_source_breaks_the_check(source: str) -> None:
    """Whatever is written, the answer is a list of lines and problems."""
    for line, problem in complaints(ENVIRONMENT, source, ("a",)):
        assert 1 <= line <= source.count("\n") + 1
        assert problem


def test_problems_come_in_the_order_of_lines_and_once() -> None:
    """The same slip in one line is told once, in several lines at each."""
    source = "{{ x }}{{ x }}\n{{ y }}\n{{ x }}\n"
    assert [(1, "x"), (2, "y"), (3, "x")] == [
        (line, problem[-1]) for line, problem in complaints(ENVIRONMENT, source, ())
    ]


def test_every_function_says_what_it_does() -> None:
    """The table of functions in the documents is made of these lines."""
    assert all((function.__doc__ or "").endswith(".") for function in FUNCTIONS.values())


def test_either_joins_values_and_nothing_else() -> None:
    """A text is not a list of letters."""
    assert ("", "1", "1 or 2 or 3") == tuple(either(several, "or") for several in ((), ("1",), ("1", "2", "3")))
    with pytest.raises(TypeError, match="several values"):
        either("123", "or")  # type: ignore[arg-type]  # what a template may do


def test_indicators_are_written_in_one_order() -> None:
    """The order is that of the kinds, whatever that of the counts; zero is left out."""
    words = {kind.value: (kind.value, f"{kind.value}s") for kind in Kind}
    assert "1 domain, 2 urls" == indicators({Kind.URL: 2, Kind.IPV4: 0, Kind.DOMAIN: 1}, none="none", words=words)
    assert "none" == indicators({}, none="none", words=words)
