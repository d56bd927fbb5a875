"""Do all images have as many channels as the network expects?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from trainlib.check.base import Base
from trainlib.check.finding import Finding, Severity, counted
from trainlib.check.survey import Survey


def odd_channels(survey: Survey, base: Base) -> Iterator[Finding]:
    """Name the images whose number of channels differs from most, and the config where it differs from those."""
    counts = Counter(header.channels for _, _, header in survey.headers())
    if not counts:
        return
    usual, files = counts.most_common(1)[0]
    severity: Severity = "error" if base.known else "warning"  # an own transform may choose channels
    expected = survey.config.data.channels
    if expected is not None and expected != usual:
        text = f"{files} of {counts.total()} images have {counted(usual, 'channel')}, and data.channels is {expected}."
        remedy = f"Set data.channels to {usual}, or leave it out and put such an image first."
        yield Finding(severity, "data.channels", text, remedy)
    for case, path, header in survey.headers():
        if header.channels != usual:
            text = f"Has {counted(header.channels, 'channel')}; {files} of {counts.total()} images have {usual}."
            remedy = "Convert it as the others are, or take the row out."
            yield survey.finding(severity, "channels", case, path, text, remedy)


def labels_of_channels(survey: Survey, base: Base) -> Iterator[Finding]:
    """Name the labels that have more than one channel, such as colour pictures of a mask."""
    for case in survey.cases:
        facts = survey.label(case)
        if facts is not None and facts.header is not None and facts.header.channels > 1:
            text = f"The label has {facts.header.channels} channels, expected one that holds the class values."
            remedy = "Save it as a map of class values: a gray picture, or a volume of three axes."
            severity: Severity = "error" if base.known else "warning"
            yield survey.finding(severity, "label channels", case, case.label, text, remedy)
