"""CSVs that were valid, until something happened to them."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.fuzzing.values import ODD_TEXTS

HEADER = ["image", "label", "class", "patient"]
ROWS = [["i0.nii.gz", "l0.nii.gz", "sick", "a"], ["i1.nii.gz", "l1.nii.gz", "well", "b"]]
CELLS = [*ODD_TEXTS, "i0.nii.gz", "i2.nii.gz", "l0.nii.gz", "l3.nii.gz", "./i1.nii.gz", "sick", "well", "0", "1", "b"]


@st.composite
def csv_texts(draw: st.DrawFn) -> bytes:
    """Draw the content of the CSV of the training cases."""
    table = [list(row) for row in [HEADER, *ROWS]]
    for _ in range(draw(st.sampled_from([0, 1, 1, 2, 3]))):
        _change(draw, table)
    separator = draw(st.sampled_from([","] * 9 + [";", "\t", ", ", "|"]))
    quote = draw(st.sampled_from([""] * 6 + ['"', "'"]))
    end = draw(st.sampled_from(["\n"] * 6 + ["\r\n", "\r", "\n\n"]))
    text = end.join(separator.join(quote + cell + quote for cell in row) for row in table) + end
    if draw(st.sampled_from([False] * 9 + [True])):
        text = text[: draw(st.integers(0, len(text)))]
    content = text.encode(draw(st.sampled_from(["utf-8"] * 12 + ["utf-8-sig", "utf-16", "latin-1"])), "replace")
    if draw(st.sampled_from([False] * 12 + [True])):
        place = draw(st.integers(0, len(content)))
        content = content[:place] + draw(st.binary(max_size=4)) + content[place:]
    return content


def _change(draw: st.DrawFn, table: list[list[str]]) -> None:
    """Change a cell, a row or a column."""
    if not table:
        return
    row = draw(st.sampled_from(table))
    column = draw(st.integers(0, 3))
    match draw(st.sampled_from(["cell", "cell", "cell", "without", "again", "short", "long", "column"])):
        case "cell" if row:
            row[min(column, len(row) - 1)] = draw(st.one_of(st.sampled_from(CELLS), st.text(max_size=6)))
        case "without":
            table.remove(row)
        case "again":
            table.append(list(row))
        case "short":
            del row[column:]
        case "long":
            row.append(draw(st.sampled_from(CELLS)))
        case "column":
            for cells in table:
                del cells[column : column + 1]
