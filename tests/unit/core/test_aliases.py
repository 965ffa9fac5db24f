from __future__ import annotations

from archioc.core.aliases import Alias, Aliases, Tenure, tenures


def names(known: list[Alias], name: str) -> list[str]:
    return [tenure.name for tenure in tenures(known, name)]


def test_a_chain_of_renamings_is_one_history() -> None:
    """A channel that was renamed twice has three names, and each of the earlier ones stands for it."""
    first, second = Alias("A", "B", 10), Alias("B", "C", 20)
    known = [second, first]
    assert tenures(known, "C") == [Tenure("A", None, first), Tenure("B", None, second), Tenure("C", None, None)]
    assert tenures(known, "A") == tenures(known, "B") == tenures(known, "C")
    assert [Aliases(known).current(name) for name in "ABCD"] == ["C", "C", "C", "D"]
    assert sorted(Aliases(known).olds("C")) == ["A", "B"]


def test_renaming_back() -> None:
    """A channel that has its first name again has both spans of it and what lies between."""
    first, back = Alias("A", "B", 10, ended_ns=20), Alias("B", "A", 20)
    assert tenures([first, back], "A") == [Tenure("A", None, first), Tenure("B", None, back), Tenure("A", 20, None)]
    assert names([first, back], "B") == ["A", "B", "A"]


def test_another_channel_under_an_earlier_name() -> None:
    """Once a name belongs to another channel, it stands for that from then on, and what was before is the renamed channel's."""
    renamed = Alias("A", "B", 10, ended_ns=30)
    assert tenures([renamed], "A") == [Tenure("A", 30, None)]
    assert tenures([renamed], "B") == [Tenure("A", None, renamed), Tenure("B", None, None)]
    again = Alias("A", "C", 40)
    assert tenures([renamed, again], "C") == [Tenure("A", 30, again), Tenure("C", None, None)]
    assert names([renamed, again], "B") == ["A", "B"]
    assert names([renamed, again], "A") == ["A", "C"]


def test_a_name_that_is_taken_over() -> None:
    """A channel renamed to what another was called before has nothing of the other."""
    away, onto = Alias("A", "B", 10, ended_ns=20), Alias("C", "A", 20)
    assert tenures([away, onto], "A") == [Tenure("C", None, onto), Tenure("A", 20, None)]
    assert names([away, onto], "B") == ["A", "B"]
    further = Alias("B", "D", 30)
    assert names([away, onto, further], "D") == ["A", "B", "D"]
    assert names([away, onto, further], "A") == ["C", "A"]


def test_aliases_follow_a_clock_that_goes_back() -> None:
    """Renamings are in the order in which they were made, also where the clock of the machine was put back."""
    known = Aliases([Alias("A", "B", 1000)])
    later = known.next_ns(500)
    assert later == 1001
    known.rename(Alias("B", "C", later))
    assert (known.current("A"), known.next_ns(5000)) == ("C", 5000)
