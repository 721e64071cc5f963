"""Rule files become a rule set, or every problem at once with file and line."""

from pathlib import Path

import pytest
from rulesets import HEAD, TAXONOMY, decide, rule, ruleset

from abuse_triage.errors import ConfigError
from abuse_triage.model.decision import Phase
from abuse_triage.rules.load import MAX_RULES, load

BAD = Path(__file__).parent.parent / "bad_rules"
SPAM = "id: cls.spam\nphase: classify\nwhen: {text: {words: [spam]}}\nthen: {vote: {abusive-content: strong}}"
PARK = "id: gate.park\nphase: gate\nwhen: {text: {words: [parked]}}\nthen: {park: parked}"


def problems(files: dict[str, str], taxonomy: str = TAXONOMY) -> tuple[str, ...]:
    """Return what loading some files complains about."""
    with pytest.raises(ConfigError) as caught:
        load(files, taxonomy)
    return caught.value.problems


@pytest.mark.parametrize("folder", sorted(BAD.iterdir()), ids=lambda folder: str(folder.name))
def test_bad_rules(folder: Path) -> None:
    """Every file of tests/bad_rules is refused with the problems that stand beside it."""
    found = problems({"rules.yaml": (folder / "rules.yaml").read_text("utf-8")})

    assert (folder / "expected-error").read_text("utf-8").splitlines() == list(found)


def test_advice() -> None:
    """An error says what to do, and that nothing has changed."""
    with pytest.raises(ConfigError, match="there is no fact") as caught:
        load({"a.yaml": HEAD + "rules:\n" + rule(SPAM.replace("text", "txt"))}, TAXONOMY)

    assert "until then the rules that run stay in force" in caught.value.advice


def test_problems_of_all_files() -> None:
    """One broken file does not hide the others, nor one broken rule the next."""
    good = HEAD + "rules:\n" + rule(SPAM.replace("cls.spam", "cls.good"))
    bad = HEAD + "rules:\n" + rule(PARK.replace("park:", "prk:")) + rule(SPAM.replace("text", "txt"))

    assert (
        'b.yaml:7: gate.park: then.prk: unknown key "prk"; did you mean "park"?',
        'b.yaml:14: cls.spam: when.txt: there is no fact "txt"; did you mean "text"?',
    ) == tuple(problem for problem in problems({"a.yaml": good, "b.yaml": bad}) if problem.startswith("b.yaml"))


def test_an_unreadable_file_is_told_beside_the_others() -> None:
    """A file that is no YAML is one problem among the problems of the taxonomy and of other files."""
    assert (
        "a.yaml:1: not YAML: did not find expected node content",
        "b.yaml:1: must be a mapping (here: 'word')",
        "taxonomy.yaml:2: not YAML: did not find expected ',' or ']'",
    ) == problems({"a.yaml": "[,", "b.yaml": "word"}, "a: [1")


def test_repeated_ids_and_lists_across_files() -> None:
    """Ids and lists are those of the whole rule set."""
    text = HEAD + "lists: {words: [a]}\nrules:\n" + rule(SPAM)

    assert (
        "b.yaml:3: lists.words: a.yaml:3 has a list of this name already",
        "b.yaml:5: cls.spam: id: a.yaml:5 has a rule of this name already",
    ) == problems({"a.yaml": text, "b.yaml": text})


def test_thresholds_are_said_once() -> None:
    """Two files that say decide contradict each other, even if they say the same."""
    first = HEAD + "decide: {accept: 40}\nrules:\n" + rule(SPAM)
    second = HEAD + "decide: {accept: 40}\n"

    assert ("b.yaml:3: decide: a.yaml says it already; say it once",) == problems({"a.yaml": first, "b.yaml": second})


def test_too_many_rules() -> None:
    """A rule set has a limit."""
    many = "".join(f"  - {{id: cls.r{number}, {_SHORT}}}\n" for number in range(MAX_RULES // 2 + 1))
    files = {"a.yaml": HEAD + "rules:\n" + many, "b.yaml": HEAD + "rules:\n" + many.replace("cls.r", "cls.s")}

    assert (f"rules: there are {MAX_RULES + 2} rules, at most {MAX_RULES} are taken",) == problems(files)


_SHORT = (
    "phase: classify, why: because it is, when: {lang: pt}, then: {vote: {fraud: 1}}, "
    "tests: [{name: a, facts: {}, expect: {match: true}}, {name: b, facts: {}, expect: {match: false}}]"
)


def test_escapes_do_not_reach_the_terminal() -> None:
    """What an error quotes from a file is printable."""
    found = problems({"a.yaml": HEAD + 'rules: [{"id\\e[2J": 1}]'})

    assert all(problem.isprintable() for problem in found)


def test_lists_of_any_file() -> None:
    """A list stands in one file and is used in another."""
    lists = HEAD + "lists: {words: [spam]}"
    rules = HEAD + "rules:\n" + rule(SPAM.replace("{words: [spam]}", "{words_in: words}"))
    loaded = load({"a.yaml": rules, "b.yaml": lists}, TAXONOMY)

    assert {"words": ("spam",)} == loaded.lists
    assert "abusive-content" == decide(loaded, {"subject": "spam"}).category


def test_rules_know_where_they_stand() -> None:
    """Every rule has its file and line, in the order of files and phases."""
    rules = load({"b.yaml": HEAD + "rules:\n" + rule(SPAM) + rule(PARK), "a.yaml": HEAD}, TAXONOMY).rules

    assert [(Phase.GATE, "gate.park", "b.yaml", 12), (Phase.CLASSIFY, "cls.spam", "b.yaml", 4)] == [
        (each.phase, each.id, each.file, each.line) for each in rules
    ]


def test_rules_that_are_off_are_checked_but_not_asked() -> None:
    """A rule that is off must be right, too."""
    assert 1 == len(ruleset(SPAM, PARK + "\nstatus: 'off'").rules)
    with pytest.raises(ConfigError, match="there is no fact"):
        ruleset(SPAM, PARK.replace("text", "txt") + "\nstatus: 'off'")


def test_generations() -> None:
    """The generation is that of the files: equal for equal ones, another for every change of any of them."""
    text = HEAD + "rules:\n" + rule(SPAM)
    first = load({"a.yaml": text}, TAXONOMY).generation

    assert 64 == len(first)
    assert first == load({"a.yaml": text}, TAXONOMY).generation
    assert first == load({"a.yaml": text.replace("\n", "\r\n")}, TAXONOMY).generation
    others = {
        load({"a.yaml": text + "# comment\n"}, TAXONOMY).generation,
        load({"b.yaml": text}, TAXONOMY).generation,
        load({"a.yaml": text}, TAXONOMY + "# comment\n").generation,
        load({"a.yaml": text, "b.yaml": HEAD}, TAXONOMY).generation,
        load({"b.yaml": HEAD, "a.yaml": text}, TAXONOMY).generation,
    }
    assert 5 == len(others - {first})
