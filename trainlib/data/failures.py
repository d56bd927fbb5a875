"""What went wrong with a case, in one sentence."""

from __future__ import annotations

import re

from monai.transforms import LoadImage

from trainlib.build.patches import blame, describe
from trainlib.config.schema import Config
from trainlib.data.splits import Case
from trainlib.errors import DataError

# What MONAI says of files that it cannot stack to channels.
_APART = "of all images should be the same for channel-wise concatenation"


def explain_failure(error: Exception, config: Config) -> str:
    """Say in one sentence why a pipeline failed: the transform, the first cause, the line in a patch script."""
    transform = ""
    cause: BaseException = error
    while cause.__cause__ is not None:
        # MONAI wraps the cause in "applying transform <module.Name object at 0x...>".
        if match := re.match(r"applying transform <(?:function )?(?:\S+\.)?(\w+)(?: object)? at ", str(cause)):
            transform = match[1]
        cause = cause.__cause__
    if isinstance(cause, DataError):
        return str(cause)
    if _APART in str(cause):
        return (
            f"the files of data.image_cols do not lie on one grid ({describe(cause)}). Resample them to one, or give "
            "each case images that were stored together."
        )
    script = config.patch.transforms
    place = f" ({where})" if script and ":" in (where := blame(cause, script)).removeprefix(script) else ""
    return f"{transform or 'the pipeline'} failed{place}: {describe(cause)}."


def unreadable_file(case: Case) -> str:
    """Name the first file of a case that cannot be loaded at all; many readers do not name it themselves."""
    for path in filter(None, (*case.images, case.label)):
        try:
            LoadImage(image_only=True)(str(path))
        except Exception:
            return f"{path.name} cannot be read: "
    return ""
