from __future__ import annotations

from pathlib import Path

import pytest

from tests.build.helpers import config
from trainlib.build.kinds import names_of
from trainlib.build.lookup import find
from trainlib.errors import ConfigError


@pytest.mark.parametrize(
    ("kind", "name", "origin"),
    [
        ("model", "UNet", "monai.networks.nets"),
        ("model", "resnet18", "monai.networks.nets"),
        ("model", "Linear", "torch.nn"),
        ("loss", "DiceLoss", "monai.losses"),
        ("loss", "CrossEntropyLoss", "torch.nn.modules.loss"),
        ("optimizer", "Novograd", "monai.optimizers"),
        ("optimizer", "AdamW", "torch.optim"),
        ("scheduler", "WarmupCosineSchedule", "monai.optimizers"),
        ("scheduler", "ExponentialLR", "torch.optim.lr_scheduler"),  # not MONAI's search for a learning rate
        ("scheduler", "LinearLR", "torch.optim.lr_scheduler"),
        ("transform", "RandFlipd", "monai.transforms"),
        ("inferer", "SlidingWindowInferer", "monai.inferers"),
        ("model", "torch.nn.Identity", "torch.nn"),
        ("model", "monai.networks.nets.unet.UNet", "monai.networks.nets.unet"),
    ],
)
def test_a_name_is_found_in_monai_then_torch_and_a_dotted_path_as_it_stands(kind: str, name: str, origin: str) -> None:
    found = find(kind, name, config())
    assert (found.name, found.origin) == (name, origin)
    assert found.target.__name__ == name.rpartition(".")[2]


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("model", "unet", "unet is not a known model. Did you mean UNet?"),
        ("model", "UNett", "UNett is not a known model. Did you mean UNet?"),
        ("model", "DiceLoss", "DiceLoss is not a known model."),
        ("model", "Qqq", "Qqq is not a known model. Neither monai.networks.nets nor torch.nn has one of that name."),
        ("callback", "Qqq", "Qqq is not a known callback. lightning.pytorch.callbacks has none of that name."),
        ("model", "Module", "Module is not a known model."),
        ("model", "__name__", "__name__ is not a known model."),
        ("loss", "DiceCeLos", "DiceCeLos is not a known loss. Did you mean DiceCELoss?"),
        ("loss", "Linear", "Linear is not a known loss."),
        ("optimizer", "adamw", "adamw is not a known optimizer. Did you mean AdamW?"),
        ("optimizer", "Optimizer", "Optimizer is not a known optimizer."),
        ("scheduler", "OneCycle", "OneCycle is not a known scheduler. Did you mean OneCycleLR?"),
        ("inferer", "Inferer", "Inferer is not a known inferer."),
        ("transform", "RandFlip",
         "RandFlip is not a known transform. It works on arrays; the one that works on cases is RandFlipd."),
        ("transform", "RandFlpd", "RandFlpd is not a known transform. Did you mean RandFlipd?"),
        ("transform", "UNet", "UNet is not a known transform."),
        ("transform", "MapTransform", "MapTransform is not a known transform."),
    ],
)  # fmt: skip
def test_an_unknown_name_comes_with_the_nearest_real_one(kind: str, name: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find(kind, name, config())
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("no_such.mod.Net",
         "no_such.mod.Net cannot be imported as model: ModuleNotFoundError: No module named 'no_such'."),
        ("torch.nn.Lineer", "torch.nn.Lineer is not a known model: torch.nn has no Lineer. Did you mean Linear?"),
        ("torch.nn.functional", "torch.nn.functional is not a known model: torch.nn has no functional."),
        (".x", ".x is no dotted path. Write it as in my_package.my_module.MyClass."),
        ("a..b", "a..b is no dotted path."),
        ("a.", "a. is no dotted path."),
        ("a b.c", "a b.c is no dotted path."),
    ],
)  # fmt: skip
def test_a_dotted_path_to_nothing_is_one_sentence(path: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find("model", path, config())
    assert str(caught.value).startswith(expected)
    assert "\n" not in str(caught.value)


def test_a_module_that_fails_while_it_is_imported_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_nets.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match=r"^broken_nets.Net cannot be imported as model: ZeroDivisionError: division"):
        find("model", "broken_nets.Net", config())


def test_a_transform_is_looked_for_in_the_patch_script_first(tmp_path: Path) -> None:
    script = tmp_path / "mine.py"
    script.write_text("from monai.transforms import Flipd\nclass RandFlipd(Flipd): pass\nclass Ownd(Flipd): pass\n")
    made = config(patch={"transforms": str(script)})
    assert find("transform", "RandFlipd", made).origin == str(script)
    assert find("transform", "Ownd", made).origin == str(script)
    assert find("transform", "RandZoomd", made).origin == "monai.transforms"
    assert find("model", "UNet", made).origin == "monai.networks.nets"
    with pytest.raises(ConfigError, match="Did you mean Ownd"):
        find("transform", "Ownnd", made)


def test_other_spellings_of_a_class_are_accepted_but_not_suggested() -> None:
    assert find("transform", "RandFlipDict", config()).target.__name__ == "RandFlipd"
    names = names_of("transform")
    assert "RandFlipd" in names
    assert not {"RandFlipDict", "RandFlipD"} & names


@pytest.mark.parametrize(
    ("kind", "path", "reason"),
    [
        ("model", "os.getcwd", "it is a function of Python itself"),
        ("model", "shutil.rmtree", "it is a function of Python itself"),
        ("loss", "builtins.print", "it is a function of Python itself"),
        ("model", "pathlib.Path", "it does not derive from torch.nn.Module"),
        ("loss", "torch.optim.SGD", "it does not derive from torch.nn.Module"),
        ("optimizer", "torch.nn.Linear", "it does not derive from torch.optim.Optimizer"),
        ("scheduler", "torch.optim.SGD", "it does not derive from torch.optim.lr_scheduler.LRScheduler"),
        ("transform", "monai.transforms.Flip", "it does not derive from monai.transforms.MapTransform"),
        ("inferer", "torch.nn.Linear", "it does not derive from monai.inferers.Inferer"),
    ],
)
def test_a_dotted_path_to_something_of_another_kind_is_refused_before_it_is_called(
    kind: str, path: str, reason: str
) -> None:
    with pytest.raises(ConfigError, match=rf"^{path} is not a known {kind}: {reason}\.$"):
        find(kind, path, config())


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("model", "monai.networks.nets.resnet18"),
        ("loss", "torch.nn.functional.cross_entropy"),
        ("scheduler", "torch.optim.lr_scheduler.ReduceLROnPlateau"),
        ("transform", "monai.transforms.RandFlipd"),
    ],
)
def test_a_dotted_path_to_a_class_of_the_kind_or_a_function_is_found(kind: str, path: str) -> None:
    assert find(kind, path, config()).name == path
