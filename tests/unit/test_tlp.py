"""The order of TLP labels."""

from itertools import combinations

import pytest

from abuse_triage.model.decision import Tlp


@pytest.mark.parametrize(("looser", "stricter"), list(combinations(Tlp, 2)))
def test_labels_are_ordered_by_strictness(looser: Tlp, stricter: Tlp) -> None:
    """Every comparison and `max` follow strictness, whatever the labels' spelling."""
    assert looser < stricter
    assert looser <= stricter
    assert stricter > looser
    assert stricter >= looser
    assert not looser >= stricter
    assert stricter is max(looser, stricter)
    assert looser is min(stricter, looser)


def test_labels_compare_with_labels_only() -> None:
    """A label is neither stricter nor looser than some other text."""
    for compare in (Tlp.RED.__lt__, Tlp.RED.__le__, Tlp.RED.__gt__, Tlp.RED.__ge__):
        assert NotImplemented is compare("green")


def test_label_is_written_as_first_spells_it() -> None:
    """The written form has the prefix and capitals (FIRST TLP 2.0)."""
    assert [tlp.label for tlp in Tlp] == ["TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED"]
