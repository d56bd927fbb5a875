"""Who a process is, by the variables of whoever started it."""

from __future__ import annotations

import pytest

from trainlib.processes.place import Place, first_host, place

TORCHRUN = {
    "RANK": "5",
    "WORLD_SIZE": "8",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "4",
    "GROUP_RANK": "1",
    "MASTER_ADDR": "node0",
    "MASTER_PORT": "29500",
    "TORCHELASTIC_RUN_ID": "x",
    "TORCHELASTIC_USE_AGENT_STORE": "True",
    "TORCHELASTIC_RESTART_COUNT": "2",
}
SRUN = {
    "SLURM_JOB_ID": "1000",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NUM_TASKS": "8",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_STEP_NODELIST": "gpu[07-08]",
    "SLURM_NTASKS": "8",
    "SLURM_NNODES": "2",
    "SLURM_PROCID": "6",
    "SLURM_LOCALID": "2",
    "SLURM_NODEID": "1",
    "SLURM_NODELIST": "gpu[07-08]",
}


def test_a_process_that_was_started_alone_has_no_place() -> None:
    assert place({}) is None


def test_torchrun_tells_each_process_its_place() -> None:
    expected = Place(5, 8, 1, 4, node=1, address="node0", port=29500, hosted=True, attempt=2)
    assert place(TORCHRUN) == expected
    assert expected.nodes == 2


def test_a_process_by_itself_on_each_machine_needs_no_local_number() -> None:
    variables = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "a", "MASTER_PORT": "1"}
    assert place(variables) == Place(1, 2, 0, 1, node=1, address="a", port=1)


@pytest.mark.parametrize("missing", ["RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"])
def test_variables_of_torch_that_are_not_complete_are_none(missing: str) -> None:
    assert place({name: value for name, value in TORCHRUN.items() if name != missing}) is None


def test_srun_tells_each_process_its_place() -> None:
    found = place(SRUN)
    assert found is not None
    assert (found.rank, found.size, found.local_rank, found.local_size, found.node) == (6, 8, 2, 4, 1)
    assert (found.address, found.nodes, found.hosted) == ("gpu07", 2, False)


def test_steps_of_a_job_that_run_side_by_side_meet_at_different_ports() -> None:
    ports = {
        place(SRUN | {"SLURM_STEP_ID": str(step), "SLURM_JOB_ID": str(job)}) for step in range(5) for job in (7, 8)
    }
    numbers = [found.port for found in ports if found]
    assert len(set(numbers)) == 10


@pytest.mark.parametrize("job", [0, 1, 572, 573, 12345678])
def test_the_port_of_a_step_is_none_that_linux_gives_to_whoever_asks(job: int) -> None:
    found = place(SRUN | {"SLURM_JOB_ID": str(job)})
    assert found is not None
    assert 1024 < found.port < 32768


@pytest.mark.parametrize("name", ["interactive", "bash", "train"])
def test_the_name_of_a_job_says_nothing_about_what_srun_starts_in_it(name: str) -> None:
    assert place(SRUN | {"SLURM_JOB_NAME": name}) == place(SRUN)


def test_a_step_may_have_a_part_of_the_tasks_and_machines_of_its_job() -> None:
    job = {"SLURM_NTASKS": "12", "SLURM_NNODES": "3", "SLURM_NODELIST": "gpu[06-08]"}
    assert place(SRUN | job) == place(SRUN)


@pytest.mark.parametrize("missing", [("SLURM_NTASKS", "SLURM_NNODES", "SLURM_NODELIST"), ("SLURM_STEP_NUM_TASKS",)])
def test_what_is_known_of_step_or_job_alone_is_enough(missing: tuple[str, ...]) -> None:
    assert place({name: value for name, value in SRUN.items() if name not in missing}) == place(SRUN)


def test_address_and_port_of_the_user_win_over_those_of_slurm() -> None:
    found = place(SRUN | {"MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "4000"})
    assert found is not None
    assert (found.address, found.port) == ("10.0.0.1", 4000)


INTERACTIVE, BATCH = "4294967290", "4294967291"


@pytest.mark.parametrize(
    "change",
    [
        {"SLURM_STEP_ID": None},
        {"SLURM_STEP_ID": BATCH},
        {"SLURM_STEP_ID": INTERACTIVE, "SLURM_JOB_NAME": "mine"},
        {"SLURM_PROCID": None},
        {"SLURM_STEP_NUM_TASKS": "1"},
        {"SLURM_STEP_NUM_TASKS": None, "SLURM_NTASKS": None},
    ],
    ids=["no step", "a batch script", "the shell of an interactive job", "no task", "one task", "unknown number"],
)
def test_slurm_without_several_tasks_of_srun_gives_no_place(change: dict[str, str | None]) -> None:
    assert place({name: value for name, value in (SRUN | change).items() if value is not None}) is None


def test_torchrun_inside_of_srun_decides() -> None:
    found = place(SRUN | TORCHRUN)
    assert found is not None
    assert found.port == 29500


def test_a_place_is_read_back_from_its_variables() -> None:
    here = Place(3, 4, 1, 2, node=1, address="a", port=5, hosted=True)
    assert place(here.variables()) == here


@pytest.mark.parametrize(
    ("hosts", "first"),
    [
        ("node1", "node1"),
        ("gpu[07-09,12],cpu1", "gpu07"),
        ("gpu[3]", "gpu3"),
        ("gpu[3,5-6]", "gpu3"),
        ("a1 a2", "a1"),
        ("rack1-n[01-02]", "rack1-n01"),
        ("n[1-2].site.org,n3.site.org", "n1.site.org"),
        ("127.0.0.1", "127.0.0.1"),
    ],
)
def test_the_first_host_is_found_in_what_slurm_writes(hosts: str, first: str) -> None:
    assert first_host(hosts) == first
