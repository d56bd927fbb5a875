"""Look at what a network gets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from trainlib.build.roles import IMAGE, LABEL, TARGET
from trainlib.errors import DataError
from trainlib.viewer.scene import Scene, class_name, make_scene
from trainlib.viewer.widgets import Entry, show


def view_batch(loader: Any, *, classes: Sequence[str] = (), dims: int | None = None) -> Any:
    """Look at the first batch of a loader, as the network gets it: after augmentation.

    Args:
        loader: A loader, such as `CSVDataModule(config).train_dataloader()` after its `setup("fit")`; or a batch.
        classes: Names of the class values.
        dims: Spatial dimensions, where the shape leaves it open.

    Returns:
        A viewer with an entry for each item of the batch.

    Raises:
        DataError: There is no batch, or no ``image`` in it.
    """
    batch = loader if isinstance(loader, Mapping) else _first(loader)
    if not isinstance(batch, Mapping) or IMAGE not in batch:
        found = f"keys {', '.join(map(str, batch))}" if isinstance(batch, Mapping) else type(batch).__name__
        raise DataError(f"expected batches with the key {IMAGE}, found {found}.")
    shape = tuple(getattr(batch[IMAGE], "shape", ()))
    if len(shape) not in (4, 5):
        raise DataError(f"{IMAGE}: expected the shape (items, channels, x, y, z), or without z, found {shape}.")
    dims = dims or len(shape) - 2
    titles = [str(name) for name in batch.get("where", batch.get("case", range(len(batch[IMAGE]))))]
    return show([Entry(title, partial(_scene, batch, i, title, classes, dims)) for i, title in enumerate(titles)])


def _first(loader: Iterable[Any]) -> Any:
    if not isinstance(loader, Iterable):
        raise DataError(f"expected a loader or a batch, found {type(loader).__name__}.")
    for batch in loader:
        return batch
    raise DataError("the loader has no batch.")


def _scene(batch: Mapping[str, Any], item: int, title: str, classes: Sequence[str], dims: int) -> Scene:
    """Take one item out of a batch."""
    image, label, target = batch[IMAGE][item], batch.get(LABEL), batch.get(TARGET)
    spacing = [float(step) for step in batch["spacing"][item]] if "spacing" in batch else None
    caption = title if target is None else f"{title}: {_named(target[item], classes)}"
    details = [("shape", "x".join(map(str, image.shape))), ("type", str(image.dtype))]
    details += [("lowest, mean, highest", f"{float(image.min()):.4g}, {float(image.float().mean()):.4g}, "
                 f"{float(image.max()):.4g}")]  # fmt: skip
    shown = None if label is None else label[item]
    return make_scene(image, shown, spacing=spacing, classes=classes, dims=dims, caption=caption, details=details)


def _named(target: Any, classes: Sequence[str]) -> str:
    """Write the class of an item, or those of its classes that are 1."""
    if target.ndim:
        names = [class_name(i, classes) for i, value in enumerate(target.tolist()) if value]
        return ", ".join(names) or "none"
    value = int(target)
    return class_name(value, classes)
