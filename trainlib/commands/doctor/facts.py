"""What a machine is like, as plain values, so that every check can be tried on machines that nobody has."""

from __future__ import annotations

from dataclasses import dataclass, field

MIB, GIB = 2**20, 2**30


@dataclass(frozen=True)
class Gpu:
    """A GPU.

    Attributes:
        name: Its model.
        memory: Its memory in bytes.
        free: What of it nobody uses; None where that is not known.
        capability: Its compute capability, such as (9, 0); None where that is not known.
        uuid: The name by which CUDA_VISIBLE_DEVICES may choose it; empty where that is not known.
    """

    name: str
    memory: int
    free: int | None = None
    capability: tuple[int, int] | None = None
    uuid: str = ""


@dataclass(frozen=True)
class Torch:
    """What torch says of itself and of the machine.

    Attributes:
        version: Its version, with the build.
        cuda: Version of CUDA it was built for; None for a build without.
        hip: Version of ROCm it was built for; None for a build without.
        cudnn: Version of cuDNN as a number, such as 91501; None without.
        usable: Whether it can use a GPU through CUDA or ROCm.
        gpus: The GPUs it can use.
        architectures: What its kernels were compiled for, such as ``sm_90`` and ``compute_120``.
        mps: Whether it can use the GPU of a Mac.
        threads: Number of threads it computes with on the CPU.
    """

    version: str
    cuda: str | None = None
    hip: str | None = None
    cudnn: int | None = None
    usable: bool = False
    gpus: tuple[Gpu, ...] = ()
    architectures: tuple[str, ...] = ()
    mps: bool = False
    threads: int = 1


@dataclass(frozen=True)
class Disk:
    """A folder that a training writes into, and the file system it is on.

    Attributes:
        what: What is written there: ``runs``, ``cache``, both, or ``temporary``.
        path: The folder.
        free: Free bytes for this user.
        files: Files that can still be made; None where there is no such limit.
        kind: Kind of the file system, such as ``ext4``; empty where that is not known.
        writable: Whether this user may write there.
    """

    what: str
    path: str
    free: int
    files: int | None = None
    kind: str = ""
    writable: bool = True


@dataclass(frozen=True)
class Requirement:
    """What an installed package requires.

    Attributes:
        by: The package.
        text: The requirement, such as ``torch>=2.6``.
        installed: The version that is installed; empty where none is.
    """

    by: str
    text: str
    installed: str


@dataclass(frozen=True)
class Facts:
    """A machine, and what a training is going to ask of it.

    Attributes:
        system: ``Linux``, ``Darwin`` or ``Windows``.
        python: Version of Python.
        packages: Package -> installed version, for those that matter.
        failed: Module -> why it cannot be imported.
        requirements: What trainlib and the packages under it require.
        extras: Extra of trainlib -> the packages of it that are not installed.
        tested: Package -> the version that trainlib was tested with; empty where that is not known.
        torch: What torch says; None where it cannot be imported.
        driver: Version of the NVIDIA driver; empty without one.
        driver_gpus: The GPUs that the driver lists, in their order.
        cores: Cores that this process may use, by its affinity and its container.
        machine_cores: Cores of the machine.
        memory: Bytes of memory that may be used, by the machine and its container.
        available: What of it is free.
        open_files: Soft and hard limit of open files; None where there is none.
        shared: Size and free bytes of the shared memory; None where it is no file system.
        disks: Where a training writes.
        variables: Environment variables.
        git: Whether there is a git command.
        accelerator: `trainer.accelerator` of the config.
        workers: Processes that prepare cases.
        item: Bytes of the largest thing that a worker hands over.
    """

    system: str
    python: str
    packages: dict[str, str]
    failed: dict[str, str] = field(default_factory=dict)
    requirements: tuple[Requirement, ...] = ()
    extras: dict[str, tuple[str, ...]] = field(default_factory=dict)
    tested: dict[str, str] = field(default_factory=dict)
    torch: Torch | None = None
    driver: str = ""
    driver_gpus: tuple[Gpu, ...] = ()
    cores: int = 1
    machine_cores: int = 1
    memory: int = 0
    available: int = 0
    open_files: tuple[int, int] | None = None
    shared: tuple[int, int] | None = None
    disks: tuple[Disk, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    git: bool = True
    accelerator: str = "auto"
    workers: int = 0
    item: int = 0


def gib(count: float) -> str:
    """Write a number of bytes in GiB, or in MiB below one."""
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{count / MIB:.0f} MiB"
