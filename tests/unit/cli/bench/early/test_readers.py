"""The numbers of the rows about readers are what they say."""

import pytest

from penstock.cli.bench.early._asked import RECORDED
from penstock.cli.bench.early._wires import WIRES
from penstock.cli.bench.early.readers import leads_of, read

each_format = pytest.mark.parametrize("name", WIRES)


@each_format
def test_a_reply_is_read_to_its_end(name: str) -> None:
    assert read(name, list(WIRES[name](RECORDED))) == len(RECORDED)


@each_format
def test_earlier_calls_lead_by_more(name: str) -> None:
    leads = leads_of(name, RECORDED)
    assert len(leads) == len(RECORDED)
    assert leads == sorted(leads, reverse=True)
    assert leads[0] > 100
