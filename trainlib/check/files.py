"""Files that cannot be read."""

from __future__ import annotations

import os
from collections.abc import Iterator

from trainlib.check.base import Base
from trainlib.check.finding import Finding
from trainlib.check.survey import Survey, files_of


def unreadable_files(survey: Survey, base: Base) -> Iterator[Finding]:
    """Name the files that are missing, empty, cut off, damaged or of no known format.

    A loader of the user's own may read more than trainlib can, so that nothing but the absence of a file is certain.
    """
    for case in survey.cases:
        for file in files_of(case):
            error = survey.facts[file].error
            if not error:
                continue
            # `Path.exists` raises for a name that is too long.
            if not os.path.exists(file.path):
                text, remedy = f"There is no file {file.path}.", "Correct the path, or take the row out."
                yield survey.finding("error", "missing file", case, file.path, text, remedy)
            elif base.loads:
                remedy = "Copy or export the file again, or take the row out."
                yield survey.finding("error", "unreadable file", case, file.path, f"Cannot be read: {error}.", remedy)
            else:
                text = f"Cannot be read by trainlib: {error}."
                remedy = "Nothing, where the loader in transforms.base can read it."
                yield survey.finding("warning", "unreadable file", case, file.path, text, remedy)
