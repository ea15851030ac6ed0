"""The ring of decisions."""

from penstock.speculation.audit import Audit, Record


def record(session: str, at: float) -> Record:
    return Record(at, session, "look", 0.5, "launch")


def test_a_session_gets_its_own_the_oldest_first() -> None:
    audit = Audit()
    for at, session in enumerate("abab"):
        audit.note(record(session, float(at)))
    assert [known.at for known in audit.of("a")] == [0.0, 2.0]


def test_the_oldest_go_when_there_are_too_many() -> None:
    audit = Audit(most=2)
    for at in range(5):
        audit.note(record("a", float(at)))
    assert [known.at for known in audit.of("a")] == [3.0, 4.0]
