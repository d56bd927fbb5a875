from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.helpers import DATA, mistakes, read
from trainlib.config.load import read_config

SECTION = "expected settings of its own, one a line below it"
ONE = "expected one name with its keywords"
COMMA = (
    "expected one value, found {} and {} with a comma between them. Write a decimal point, or brackets around a list."
)
COMPONENT = "expected a name, or a name with its keywords"
QUOTE = "Put it in quotes: YAML reads yes, no, on and off as true and false."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # whole sections
        ("transforms: 5", f"transforms: {SECTION}, found 5."),
        ("transforms: null", f"transforms: {SECTION}, found nothing."),
        ("trainer: 5", f"trainer: {SECTION}, found 5."),
        ("trainer:", f"trainer: {SECTION}, found nothing."),
        ("early_stopping: 3", f"early_stopping: {SECTION}, found 3."),
        ("early_stopping: true", f"early_stopping: {SECTION}, found true."),
        ("patch: model.py", f"patch: {SECTION}, found 'model.py'."),
        ("run: [a]", f"run: {SECTION}, found ['a']."),
        # names that do not exist
        ("train: {a: b}", "train is not a setting. Did you mean transforms.train?"),
        ("batch_size: 4", "batch_size is not a setting. Did you mean data.batch_size?"),
        ("max_epochs: 4", "max_epochs is not a setting. Did you mean trainer.max_epochs?"),
        ("optimiser: Adam", "optimiser is not a setting. Did you mean optimizer?"),
        ("hello: 4", "hello is not a setting. `trainlib schema` lists all settings."),
        ("5: 4", "5 is not a setting. `trainlib schema` lists all settings."),
        ("early_stopping: {patiens: 3}",
         "early_stopping.patiens is not a setting. Did you mean early_stopping.patience?"),
        ("patch: {modell: x}", "patch.modell is not a setting. Did you mean patch.model?"),
        ("checkpoint: {every: 3}", "checkpoint.every is not a setting. Choose from: mode, monitor."),
        ("metrics: {seed: 3}", "metrics.seed is not a setting. Did you mean seed?"),
        ("run: {5: 3}", "run.5 is not a setting. Choose from: name, overwrite, root."),
        # components
        ("model: null", f"model: {COMPONENT}, found nothing."),
        ("model: 5", f"model: {COMPONENT}, found 5."),
        ("model: []", f"model: {COMPONENT}, found []."),
        ("model: ''", f"model: {COMPONENT}, found ''."),
        ("model: {}", "model: expected one name with its keywords, found {}."),
        ("model: {UNet: {}, SegResNet: {}}", "model: expected one name with its keywords, found UNet, SegResNet."),
        ("model: {UNet: 3}", "model: expected the keywords of UNet, as in `UNet: {keyword: value}`, found 3."),
        ("model: {UNet: []}", "model: expected the keywords of UNet, as in `UNet: {keyword: value}`, found []."),
        ("model: {UNet: {5: 1}}", "model: expected names as keywords of UNet, found 5."),
        ("model: {UNet: {}, chanels_last: true}",
         "model.chanels_last is not a setting. Did you mean model.channels_last?"),
        ("model: {UNet: {}, channels_last: 1}", "model.channels_last: expected true or false, found 1."),
        ("model: {UNet: {}, compiled: true}", "model.compiled is not a setting. Did you mean model.compile?"),
        ("model: {UNet: {}, compile: fast}",
         "model.compile: expected true, false or keywords of torch.compile, found 'fast'."),
        ("model: {UNet: {}, compile: [mode]}",
         "model.compile: expected true, false or keywords of torch.compile, found ['mode']."),
        ("model: {UNet: {}, compile: {mod: x}}",
         "model.compile.mod is not a setting. Did you mean model.compile.mode?"),
        ("model: {UNet: {}, compile: {mode: default, dynamic: 3}}",
         "model.compile.dynamic: expected true or false, found 3."),
        ("model: {UNet: {}, compile: {mode: fast}}",
         "model.compile.mode: expected 'default', 'reduce-overhead', 'max-autotune' or "
         "'max-autotune-no-cudagraphs', found 'fast'."),
        ("model: {UNet: {}, compile: {mode: max-autotune, options: {freezing: true}}}",
         "model.compile.mode: expected no other than default beside options, found max-autotune."),
        ("loss: null", f"loss: {COMPONENT}, found nothing."),
        ("scheduler: 3", f"scheduler: {COMPONENT}, found 3."),
        # pipelines
        ("transforms: {train: RandFlipd}", "transforms.train: expected a list, found 'RandFlipd'."),
        ("transforms: {train: null}", "transforms.train: expected a list, found nothing."),
        ("transforms: {augment_on: gpu}",
         "transforms.augment_on: expected 'workers' or 'device', found 'gpu'."),
        ("transforms: {augment: device}",
         "transforms.augment is not a setting. Did you mean transforms.augment_on?"),
        ("transforms: {train: {RandFlipd: {}}}", "transforms.train: expected a list, found {'RandFlipd': {}}."),
        ("transforms: {train: [null]}", f"transforms.train[0]: {COMPONENT}, found nothing."),
        ("transforms: {train: [LoadImaged, [A]]}", f"transforms.train[1]: {COMPONENT}, found ['A']."),
        ("transforms: {post: [{A: , B: }]}", "transforms.post[0]: expected one name with its keywords, found A, B."),
        ("transforms: {prob: 2}", "transforms.prob: expected a number not above 1, found 2."),
        ("transforms: {prob: -0.1}", "transforms.prob: expected a number not below 0, found -0.1."),
        # plain values
        ("task: guess", "task: expected 'segmentation' or 'classification', found 'guess'."),
        ("seed: 4294967296", "seed: expected a number below 4294967296, found 4294967296."),
        ("seed: 1e3", "seed: expected an integer, found 1000.0."),
        ("seed: '3'", "seed: expected an integer, found '3'. Take the quotes away."),
        ("run: {name: 5}", "run.name: expected a string, found 5. Put it in quotes: '5'."),
        ("run: {name: yes}", f"run.name: expected a string, found true. {QUOTE}"),
        ("run: {name: a/b}", "run.name: expected a name without slashes that does not begin with a dot, found 'a/b'."),
        ("run: {overwrite: 1}", "run.overwrite: expected true or false, found 1."),
        ("metrics: {nsd_tolerance: .nan}", "metrics.nsd_tolerance: expected a number not below 0, found nan."),
        ("metrics: {nsd_tolerance: '2.5'}",
         "metrics.nsd_tolerance: expected a number, found '2.5'. Take the quotes away."),
        ("trainer: {5: 3}", "trainer.5: expected a string, found 5. Put it in quotes: '5'."),
    ],
)  # fmt: skip
def test_a_wrong_value_is_one_sentence_with_its_key_and_line(tmp_path: Path, text: str, expected: str) -> None:
    assert mistakes(tmp_path, f"{DATA}{text}\n") == [f"c.yaml:5: {expected}"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # keywords in the place of a component
        ("optimizer: {lr: 1e-3}", f"optimizer: {ONE}, found lr. Write `optimizer: {{AdamW: {{lr: 0.001}}}}`."),
        ("optimizer: {lr: 1e-3, eps: 1}",
         f"optimizer: {ONE}, found lr, eps. Write `optimizer: {{AdamW: {{lr: 0.001, eps: 1}}}}`."),
        ("optimizer: {SGD: , lr: 1e-3}",
         f"optimizer: {ONE}, found SGD, lr. Write `optimizer: {{SGD: {{lr: 0.001}}}}`."),
        ("optimizer: {SGD: {momentum: 0.9}, lr: 1}",
         f"optimizer: {ONE}, found SGD, lr. Write `optimizer: {{SGD: {{momentum: 0.9, lr: 1}}}}`."),
        ("optimizer: {SGD: , Adam: , lr: 1}", f"optimizer: {ONE}, found SGD, Adam, lr."),
        ("model: {channels: [4, 8], strides: [2]}",
         f"model: {ONE}, found channels, strides. Write `model: {{UNet: {{channels: [4, 8], strides: [2]}}}}`."),
        ("task: classification\nmodel: {norm: batch}",
         f"model: {ONE}, found norm. Write `model: {{DenseNet: {{norm: batch}}}}`."),
        ("scheduler: {T_max: 3}", f"scheduler: {ONE}, found T_max. Write `scheduler: {{OneCycleLR: {{T_max: 3}}}}`."),
        ("inferer: {overlap: 0.5}",
         f"inferer: {ONE}, found overlap. Write `inferer: {{SlidingWindowInferer: {{overlap: 0.5}}}}`."),
        (f"model: {{channels: {list(range(99))}}}",
         f"model: {ONE}, found channels. Write `model: {{UNet: {{channels: ...}}}}`."),
        # settings of other tools
        ("lr: 0.1", "lr is not a setting. Did you mean optimizer.AdamW.lr?"),
        ("optimizer: SGD\nlr: 0.1", "lr is not a setting. Did you mean optimizer.SGD.lr?"),
        ("lr: 0.1\noptimizer: {SGD: {momentum: 0.9}}", "lr is not a setting. Did you mean optimizer.SGD.lr?"),
        ("checkpoint: {monitor: dice}",
         "checkpoint.monitor: expected a metric of a split, found 'dice'. Did you mean valid/dice?"),
        ("checkpoint: {monitor: val_loss}",
         "checkpoint.monitor: expected a metric of a split, found 'val_loss'. Did you mean valid/loss?"),
        # signs that YAML reads in its own way
        ("optimizer: {AdamW: {lr: 0,5}}", f"optimizer.AdamW.lr: {COMMA.format(0, 5)}"),
        ("optimizer: {AdamW: {lr: 1,5e-3, eps: 1}}", f"optimizer.AdamW.lr: {COMMA.format(1, 0.005)}"),
        ("transforms: {base: [{Spacingd: {pixdim: 1,5}}]}",
         f"transforms.base[0].Spacingd.pixdim: {COMMA.format(1, 5)}"),
        ("metrics: {nsd_tolerance: 0,5}", f"metrics.nsd_tolerance: {COMMA.format(0, 5)}"),
        ("trainer: {gradient_clip_val: 0,5}", f"trainer.gradient_clip_val: {COMMA.format(0, 5)}"),
        ("metrics:\n  nsd_tolerance: 0,5",
         "metrics.nsd_tolerance: expected a number, found '0,5'. Write a decimal point."),
        ("run: {name:x}", "run.name:x is not a setting. Write a space after the colon."),
        ("run:\n  name:x", f"run: {SECTION}, found 'name:x'. Write a space after the colon."),
    ],
)  # fmt: skip
def test_what_was_meant_is_told(tmp_path: Path, text: str, expected: str) -> None:
    [mistake] = mistakes(tmp_path, f"{DATA}{text}\n")
    place, _, sentence = mistake.partition(": ")
    assert sentence == expected
    assert place.startswith("c.yaml:")


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["optimizer.lr=1e-3"], f"optimizer: {ONE}, found lr. Write optimizer.SGD.lr=0.001."),
        (["optimizer=Adam", "optimizer.lr=1"], f"optimizer: {ONE}, found lr. Write optimizer.Adam.lr=1."),
        (["optimizer.RMSprop.eps=1", "lr=1"], "lr is not a setting. Did you mean optimizer.RMSprop.lr?"),
        (["metrics.nsd_tolerance=0,001"],
         "metrics.nsd_tolerance: expected a number, found '0,001'. Write a decimal point."),
    ],
)  # fmt: skip
def test_what_was_meant_on_the_command_line_is_told(tmp_path: Path, overrides: list[str], expected: str) -> None:
    assert mistakes(tmp_path, f"{DATA}optimizer: SGD\n", overrides) == [f"command line: {expected}"]


def test_a_decimal_comma_hides_no_other_mistake(tmp_path: Path) -> None:
    loaded = read(tmp_path, f"{DATA}optimizer: {{AdamW: {{lr: 0,5}}}}\nsed: 1\nseed: x\n")
    assert [problem.text.split(" ")[0] for problem in loaded.problems] == ["optimizer.AdamW.lr:", "seed:", "sed"]
    assert ("optimizer", "AdamW", "lr") in loaded.wrong


@pytest.mark.parametrize("text", ["data: {label_map: {1: 1, 0: 0}}", "trainer: {max_epochs: 3}", "scheduler: null"])
def test_settings_without_a_decimal_comma_are_let_pass(tmp_path: Path, text: str) -> None:
    (tmp_path / "more.yaml").write_text(text)
    (tmp_path / "c.yaml").write_text(DATA)
    assert read_config([tmp_path / "c.yaml", tmp_path / "more.yaml"]).problems == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("num_workers: many", "data.num_workers: expected an integer or 'auto', found 'many'."),
        ("num_workers: -1", "data.num_workers: expected a number not below 0 or 'auto', found -1."),
        ("num_workers: 1.5", "data.num_workers: expected an integer or 'auto', found 1.5."),
        ("num_workers: true", "data.num_workers: expected an integer or 'auto', found true."),
        ("num_workers:", "data.num_workers: expected an integer or 'auto', found nothing."),
        ("batch_sise: 4", "data.batch_sise is not a setting. Did you mean data.batch_size?"),
        ("batch_size: '4'", "data.batch_size: expected an integer, found '4'. Take the quotes away."),
        ("batch_size: 0", "data.batch_size: expected a number not below 1, found 0."),
        ("spatial_dims: 4", "data.spatial_dims: expected 2 or 3, found 4."),
        ("cache: ram", "data.cache: expected 'none', 'memory' or 'disk', found 'ram'."),
        ("cache: no", "data.cache: expected 'none', 'memory' or 'disk', found false."),
        ("image_cols: []", "data.image_cols: expected at least 1 of them, found []."),
        ("image_cols: 5", "data.image_cols: expected a list, found 5."),
        ("image_cols: [t1, t1]", "data.image_cols: expected names that differ, found 't1' twice."),
        ("image_cols: [t1, 2]", "data.image_cols[1]: expected a string, found 2. Put it in quotes: '2'."),
        ("label_map: [1]", f"data.label_map: {SECTION}, found [1]."),
        ("label_map: {a: 1}", "data.label_map.a: expected an integer, found 'a'."),
        ("label_map: {'255': 1}", "data.label_map.255: expected an integer, found '255'. Take the quotes away."),
        ("label_map: {255: null}", "data.label_map.255: expected an integer or a string, found nothing."),
        ("label_map: {255: liver}", "data.label_map.255: expected one of the classes background, heart or their values "
         "0 to 1, found 'liver'."),
        ("label_map: {255: 2}", "data.label_map.255: expected one of the classes background, heart or their values "
         "0 to 1, found 2."),
        ("prepare: on_demand\n  cache: memory", "data.prepare: expected beforehand, for with data.cache: memory each "
         "worker would keep its own cases, found 'on_demand'. Set data.cache to disk, or data.num_workers to 0."),
        ("5: 4", "data.5 is not a setting. `trainlib schema` lists all settings."),
    ],
)  # fmt: skip
def test_a_wrong_setting_of_the_data_is_one_sentence(tmp_path: Path, line: str, expected: str) -> None:
    assert mistakes(tmp_path, f"{DATA}  {line}\n") == [f"c.yaml:5: {expected}"]


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ("[no, x]", [f"data.classes[0]: expected a string, found false. {QUOTE}"]),
        ("[no, yes]", [f"data.classes[0]: expected a string, found false. {QUOTE}",
                       f"data.classes[1]: expected a string, found true. {QUOTE}"]),
        ("[0, x]", ["data.classes[0]: expected a string, found 0. Put it in quotes: '0'."]),
        ("[x]", ["data.classes: expected at least 2 of them, found ['x']."]),
        ("[x, x]", ["data.classes: expected names that differ, found 'x' twice."]),
        ("[x, '']", ["data.classes[1]: expected a name without slashes, found ''."]),
        ("[x, a/b]", ["data.classes[1]: expected a name without slashes, found 'a/b'."]),
        ("x", ["data.classes: expected a list, found 'x'."]),
        ("{x: 0}", ["data.classes: expected a list, found {'x': 0}."]),
    ],
)  # fmt: skip
def test_wrong_classes_are_told_apart(tmp_path: Path, classes: str, expected: list[str]) -> None:
    found = mistakes(tmp_path, DATA.replace("[background, heart]", classes))
    assert found == [f"c.yaml:4: {text}" for text in expected]


@pytest.mark.parametrize("value", ["null", "5", "[]", "train.csv"])
def test_data_that_is_no_section_is_one_sentence(tmp_path: Path, value: str) -> None:
    [mistake] = mistakes(tmp_path, f"data: {value}\n")
    assert mistake.startswith(f"c.yaml:1: data: {SECTION}, found ")


def test_a_missing_setting_says_what_it_is_for(tmp_path: Path) -> None:
    assert mistakes(tmp_path, "seed: 1\ndata:\n  train_csv: a\n  classes: [a, b]\n") == [
        "c.yaml:2: data.valid_csv is missing. Add it: CSV that lists the validation cases."
    ]


def test_a_long_value_is_not_repeated(tmp_path: Path) -> None:
    [mistake] = mistakes(tmp_path, f"{DATA}run: {list(range(50))}\n")
    assert mistake.endswith("found a list.")


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("data=null", f"data: {SECTION}, found nothing."),
        ("data.num_workers=many", "data.num_workers: expected an integer or 'auto', found 'many'."),
        ("data.batch_size=", "data.batch_size: expected an integer, found nothing."),
        ("data.train_csv.x=1", "data.train_csv: expected a string, found {'x': 1}."),
        ("model=null", f"model: {COMPONENT}, found nothing."),
        ("run.name=2024", "run.name: expected a string, found 2024. Put it in quotes: '2024'."),
        ("--nonsense=5", "nonsense is not a setting. `trainlib schema` lists all settings."),
        ("transforms.train[1].prob=1", "transforms.train[1]: expected the keywords of prob, as in "
         "`prob: {keyword: value}`, found 1."),
    ],
)  # fmt: skip
def test_a_wrong_override_points_to_the_command_line(tmp_path: Path, override: str, expected: str) -> None:
    assert mistakes(tmp_path, DATA, [override]) == [f"command line: {expected}"]


@pytest.mark.parametrize(
    "text",
    [
        "pushover: hidden",
        "pushover: [hidden]",
        "pushover: {credentials: {app_token: hidden}}",
        "pushover: {credentials: a.yaml, api: [hidden]}",
        "pushover: {app_token: hidden}",
    ],
)
def test_what_stands_under_pushover_is_not_repeated(tmp_path: Path, text: str) -> None:
    found = mistakes(tmp_path, f"{DATA}\n{text}\n")
    assert found
    assert all("hidden" not in problem and "pushover" in problem for problem in found)
