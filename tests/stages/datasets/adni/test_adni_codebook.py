"""The codebook: complete, consistent, and without any column that shows the diagnosis."""

import pandas as pd
import pytest

from stages.datasets.adni.codebook import CONVERSIONS, FEATURES, KEYS, entries, read_codebook, rows_in_time
from stages.datasets.adni.settings import BiospecimenTable, ClinicalTable
from stages.datasets.adni.source import Table

TABLES = [*ClinicalTable.__args__, *BiospecimenTable.__args__]


def test_every_entry_is_of_a_known_kind_and_has_what_its_kind_needs():
    codebook = read_codebook()
    assert not codebook.duplicated(["table", "column"]).any()
    assert sorted(set(codebook["table"])) == sorted(TABLES)
    assert set(codebook["kind"]) == {*FEATURES, "key", "refused"}
    assert ((codebook["codes"] != "") == (codebook["kind"] == "category")).all()
    assert (codebook["note"] != "").all()
    assert set(codebook["conversion"]) <= {"", *CONVERSIONS}
    assert ((codebook["unit"] == "") == (codebook["conversion"] == "")).all()
    numbers = codebook[codebook["kind"].isin(["number", "birth_year"])]
    assert (numbers["low"].astype(float) < numbers["high"].astype(float)).all()


def test_no_feature_is_refused_or_a_key():
    names = {entry.name for entry in entries(TABLES, None, "all")}
    codebook = read_codebook()
    refused = codebook[codebook["kind"] == "refused"]
    assert not names & set(refused["table"] + "." + refused["column"])
    assert not {name.split(".")[1] for name in names} & KEYS
    for name in ("PTDEMOG.PTADDX", "PTDEMOG.PTCOGBEG", "PTDEMOG.PTADBEG", "RECCMEDS.CMREASON", "MEDHIST.MHCOMMEN"):
        assert name in set(refused["table"] + "." + refused["column"])


def test_entries_asked_for_come_in_the_codebooks_order():
    wanted = ["VITALS.VSPULSE", "PTDEMOG.PTGENDER"]
    assert [entry.name for entry in entries(TABLES, wanted, "key")] == ["PTDEMOG.PTGENDER", "VITALS.VSPULSE"]


@pytest.mark.parametrize(("pounds", "kilograms"), [(100, 45.359237), (0, 0)])
def test_pounds(pounds, kilograms):
    assert CONVERSIONS["pounds_to_kilograms"](pounds) == kilograms


@pytest.mark.parametrize(("fahrenheit", "celsius"), [(32, 0), (212, 100), (98.6, 37)])
def test_fahrenheit(fahrenheit, celsius):
    assert CONVERSIONS["fahrenheit_to_celsius"](fahrenheit) == pytest.approx(celsius)


def test_inches():
    assert CONVERSIONS["inches_to_centimetres"](70) == pytest.approx(177.8)


@pytest.mark.parametrize(
    ("dates", "codes", "chosen"),
    [
        (["2006-01-01", "2006-03-01", "2006-03-02"], ["bl", "m03", "m06"], [3]),  # the limit itself counts
        (["2006-03-01", "2006-03-01", "2006-01-01"], ["m03", "m03", "bl"], [2, 3]),  # two rows of one day
        ([None, "2006-01-01", None], ["sc", "m01", "m12"], [3]),  # undated: before all others, or not at all
        ([None, "2007-01-01", None], ["sc", "m12", "m06"], [2]),
        (["2007-01-01"] * 3, ["m12"] * 3, []),
    ],
)
def test_the_latest_visit_up_to_the_limit_counts(dates, codes, chosen):
    rows = {"RID": ["7"] * 3, "VISCODE2": codes, "VISDATE": dates}
    table = Table("VITALS", "vitals.csv", pd.DataFrame(rows, index=[2, 3, 4], dtype=object))
    limits = pd.Series([pd.Timestamp("2006-03-01")], index=[7])
    assert rows_in_time(table, limits).index.tolist() == chosen
