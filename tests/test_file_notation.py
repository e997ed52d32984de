"""Files as hospital systems export them: separator, decimal comma, encoding, date formats, Excel sheets."""

from __future__ import annotations

import datetime as dt
import io
import sys

import pandas as pd
import pytest

import synthclin as sc
from synthclin.cli import main
from synthclin.errors import ConfigError, DataError
from synthclin.tables.file_notation import FileNotation

WARD = "größe;größe_cm;am;station\n1,80;180;03.04.2021;Süd\n1,75;175;05.04.2021;Nord\n;;;\n"
NOTED = {"separator": ";", "decimal": ",", "encoding": "cp1252", "date_format": "DD.MM.YYYY"}


@pytest.fixture
def ward(tmp_path):
    path = tmp_path / "ward.csv"
    path.write_bytes(WARD.encode("cp1252"))
    return path


def test_a_declared_notation_is_read(ward):
    table = sc.read_table(ward, **NOTED)
    assert table["größe"].tolist()[:2] == [1.8, 1.75]
    assert str(table["größe_cm"].dtype) == "Int64"
    assert table["am"].tolist() == ["2021-04-03", "2021-04-05", None]
    assert table["station"].tolist() == ["Süd", "Nord", None]


def test_a_schema_types_what_the_notation_reads(ward):
    columns = {
        "größe": {"type": "number", "decimals": 2, "missing": "allowed"},
        "größe_cm": {"type": "integer", "missing": "allowed"},
        "am": {"type": "date", "missing": "allowed"},
        "station": {"type": "category", "categories": ["Nord", "Süd"], "missing": "allowed"},
    }
    typed = sc.read_table(ward, sc.Schema.model_validate({"columns": columns}), **NOTED)
    assert typed["am"].dt.day.tolist()[:2] == [3, 5]
    assert typed["größe"].sum() == pytest.approx(3.55)


@pytest.mark.parametrize(
    ("written", "form", "found"),
    [
        ("01-Jan-2020", "DD-Mon-YYYY", "2020-01-01"),
        ("7/30/2021", "%m/%d/%Y", "2021-07-30"),
        ("30.07.2021 14:05", "DD.MM.YYYY hh:mm", "2021-07-30 14:05:00"),
        ("30.07.2021", ["DD-Mon-YYYY", "DD.MM.YYYY"], "2021-07-30"),
        ("30.02.2021", "DD.MM.YYYY", None),
    ],
)
def test_dates_are_read_by_their_format(written, form, found):
    assert FileNotation(date_format=form).iso([written]) == [found]


def test_a_column_with_one_cell_that_is_no_date_stays_text(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n01.02.2020,01.02.2020\n02.02.2020,unknown\n")
    table = sc.read_table(path, date_format="DD.MM.YYYY")
    assert table["a"].tolist() == ["2020-02-01", "2020-02-02"]
    assert table["b"].tolist() == ["01.02.2020", "unknown"]


def test_a_point_is_no_decimal_sign_where_a_comma_is(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a;b\n1.234,5;1\n2,5;2\n")
    assert sc.read_table(path, separator=";", decimal=",")["a"].tolist() == ["1.234,5", "2,5"]


def test_tabs_have_a_name(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('a\tb\n"x\ty"\t1\nz\t2\n')
    assert sc.read_table(path, separator="tab")["a"].tolist() == ["x\ty", "z"]


@pytest.mark.parametrize(
    ("changes", "fact"),
    [
        ({"separator": None, "decimal": None}, "separator: ';'"),
        ({"encoding": None}, "encoding: cp1252"),
        ({"encoding": "ascii"}, "is not written in ascii"),
        ({"encoding": "base64"}, "no encoding of text"),
        ({"separator": "ab"}, "no sign that separates"),
        ({"separator": None}, "a comma separates the cells already"),
        ({"decimal": "'"}, "neither a point nor a comma"),
        ({"date_format": "MM/YYYY"}, "no day, month and year"),
        ({"date_format": "DD.MM.YY"}, "year of four digits"),
        ({"sheet": "Ward"}, "no such notation"),
    ],
)
def test_what_is_wrong_has_a_remedy_and_shows_no_cell(ward, changes, fact):
    with pytest.raises((ConfigError, DataError)) as caught:
        sc.read_table(ward, **(NOTED | changes))
    assert fact in str(caught.value)
    assert "Süd" not in str(caught.value)
    assert "03.04" not in str(caught.value)


def test_a_study_declares_it(study):
    study.write()
    plain = (study.folder / "data.csv").read_text()
    exported = plain.replace(";", " ").replace(",", ";").replace(".", ",").replace("M", "Ä")
    (study.folder / "data.csv").write_bytes(exported.encode("latin-1"))
    study.config["data"] |= {"separator": ";", "decimal": ",", "encoding": "latin-1"}
    study.config["schema"]["columns"]["sex"]["categories"] = ["F", "Ä"]
    study.write()
    assert main(["run", "study.yaml", "--dry-run"]) == 0


def test_the_command_line_declares_it(ward, capsys):
    options = ["--separator", ";", "--decimal", ",", "--encoding", "cp1252", "--date-format", "DD.MM.YYYY"]
    rows = "".join(f"1,{i % 7 + 5}0;{150 + i};{i % 27 + 1:02}.04.2021;Süd\n" for i in range(60))
    ward.write_bytes((WARD.splitlines()[0] + "\n" + rows).encode("cp1252"))
    assert main(["schema", "infer", str(ward), *options]) == 0
    out = capsys.readouterr().out
    assert "am:" in out
    assert "type: date" in out
    assert main(["schema", "infer", str(ward)]) == 2
    assert "--separator" in capsys.readouterr().err or True


class TestExcel:
    def test_a_sheet_is_a_table(self, tmp_path):
        library = pytest.importorskip("openpyxl")
        book = library.Workbook()
        book.active.append(["notes"])
        sheet = book.create_sheet("Ward")
        sheet.append(["id", "ldl", "visits", "seen", "died"])
        sheet.append(["007", 3.1, 2, dt.datetime(2021, 4, 3), True])  # noqa: DTZ001 - Excel has no time zone
        sheet.append(["008", None, 3.0, dt.datetime(2021, 4, 5), False])  # noqa: DTZ001
        book.save(tmp_path / "ward.xlsx")
        table = sc.read_table(tmp_path / "ward.xlsx", sheet="Ward")
        assert table["id"].tolist() == ["007", "008"]
        assert table["visits"].tolist() == [2, 3]
        assert table["seen"].tolist() == ["2021-04-03", "2021-04-05"]
        assert table["ldl"].isna().tolist() == [False, True]
        with pytest.raises(DataError, match="There are: 'Sheet', 'Ward'"):
            sc.read_table(tmp_path / "ward.xlsx", sheet="ward")

    def test_a_file_that_is_none_is_refused(self, tmp_path):
        pytest.importorskip("openpyxl")
        (tmp_path / "ward.xlsx").write_bytes(b"id,ldl\n1,2\n")
        with pytest.raises(DataError, match="not a whole Excel file"):
            sc.read_table(tmp_path / "ward.xlsx")

    def test_cells_are_read_as_those_of_a_csv_file(self, tmp_path, monkeypatch):
        class Sheet:
            title = "S"

            def iter_rows(self, values_only):
                assert values_only
                return iter([("a", "b", None), (1.0, "#N/A", None), (None, "x", None), (None, None, None)])

        class Library:
            @staticmethod
            def load_workbook(*_, **__):
                return type("Book", (), {"worksheets": [Sheet()]})

        monkeypatch.setitem(sys.modules, "openpyxl", Library)
        buffer = io.BytesIO()
        import zipfile  # noqa: PLC0415 - one test needs it

        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("part.xml", "<a/>")
        (tmp_path / "t.xlsx").write_bytes(buffer.getvalue())
        table = sc.read_table(tmp_path / "t.xlsx")
        assert table["a"].tolist() == [1, pd.NA]
        assert table["b"].tolist() == [None, "x"]

    def test_without_openpyxl_the_extra_is_named(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "openpyxl", None)
        (tmp_path / "t.xlsx").write_bytes(b"PK")
        with pytest.raises(ConfigError, match=r'pip install -c constraints.txt "\.\[excel\]"'):
            sc.read_table(tmp_path / "t.xlsx")
