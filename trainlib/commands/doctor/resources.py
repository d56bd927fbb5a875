"""Checks of cores, memory, limits and disks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from trainlib.commands.doctor.facts import GIB, MIB, Disk, Facts, gib
from trainlib.commands.doctor.verdicts import broken, doubtful, fine
from trainlib.debug.finding import Finding
from trainlib.words import count

_WAITING = 2  # things that each worker may have handed over and nobody has taken yet: torch's prefetch_factor
_FEW_FILES, _TOO_FEW_FILES = 1024, 128
_NETWORK = ("nfs", "nfs4", "cifs", "smbfs", "smb3", "afpfs", "9p", "fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse")

_CHECKPOINTS = (broken, 500 * MIB, "too little for checkpoints")
_LITTLE_CACHE = (doubtful, 10 * GIB, "little for a cache of volumes")
# What is written into a folder -> verdicts by the bytes that must be free, the gravest first.
_LEAST: dict[str, tuple[tuple[Callable[[str, str, str], Finding], int, str], ...]] = {
    "runs": (_CHECKPOINTS, (doubtful, 2 * GIB, "little for checkpoints and predictions")),
    "cache": ((broken, 500 * MIB, "too little for a cache of volumes"), _LITTLE_CACHE),
    "runs, cache": (_CHECKPOINTS, _LITTLE_CACHE),
    "temporary": ((doubtful, 100 * MIB, "little for the temporary files of the libraries"),),
}


def check_cores(facts: Facts) -> Finding:
    """Compare the threads of torch with the cores that may be used."""
    cores = count(facts.cores, "core")
    if facts.cores < facts.machine_cores:
        cores += f" of {facts.machine_cores} may be used"
    if facts.torch is None:
        return fine("cpu", cores)
    threads = facts.torch.threads
    named = next((name for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if name in facts.variables), "")
    if threads == 1 and facts.cores > 1 and named and not facts.torch.gpus:
        found = f"{cores}, but {named}={facts.variables[named]} lets torch compute with one thread."
        return doubtful("cpu", found, f"unset {named}")
    if threads > facts.cores:
        found = f"{cores}, but torch computes with {threads} threads, which get in each other's way."
        return doubtful("cpu", found, f"export OMP_NUM_THREADS={facts.cores}")
    return fine("cpu", f"{cores}, {count(threads, 'thread')} of torch")


def check_memory(facts: Facts) -> Finding:
    """Look for too little free memory."""
    found = f"{gib(facts.available)} of {gib(facts.memory)} are free"
    if facts.available < GIB:
        return broken("memory", f"{found}: too little to import torch and train.", "End other programs, or add memory.")
    if facts.available < 4 * GIB:
        return doubtful("memory", f"{found}.", "Set data.cache to disk and data.num_workers to 0 or 1.")
    return fine("memory", found)


def check_open_files(facts: Facts) -> Finding:
    """Look at the hard limit of open files, to which trainlib raises the soft one."""
    if facts.open_files is None:
        return fine("open files", "no limit")
    soft, hard = facts.open_files
    raised = f"{soft} at once" if soft == hard else f"{soft} at once, which trainlib raises to {hard}"
    if hard >= _FEW_FILES:
        return fine("open files", raised)
    verdict = broken if hard < _TOO_FEW_FILES else doubtful
    return verdict(
        "open files",
        f"Only {hard} files may be open at once; every tensor on its way from a worker holds one.",
        f"`ulimit -n {_FEW_FILES * 64}` as root or in /etc/security/limits.conf; or set data.num_workers to 0.",
    )


def check_shared_memory(facts: Facts) -> Finding | None:
    """Compare the shared memory with what workers hand over through it; nothing where it has no size of its own."""
    if facts.shared is None:
        return None
    size, free = facts.shared
    need = facts.workers * _WAITING * facts.item
    found = f"/dev/shm: {gib(free)} of {gib(size)} are free"
    if free >= need:
        return fine("shared memory", found)
    verdict = broken if free < need / 8 else doubtful
    return verdict(
        "shared memory",
        f"{found}, but {count(facts.workers, 'worker')} may need {gib(need)}; one that finds it full dies of a bus "
        "error.",
        f"Start the container with --shm-size={max(1, round(2 * need / GIB))}g or --ipc=host, or set data.num_workers "
        "to 0.",
    )


def check_disks(facts: Facts) -> list[Finding]:
    """Look for folders that are full, cannot be written, or are far away."""
    return [next(_verdicts(disk)) for disk in facts.disks]


def _verdicts(disk: Disk) -> Iterator[Finding]:
    """Yield verdicts on a disk, the gravest first."""
    where, found = disk.what, f"{disk.path}: {gib(disk.free)} free{f' ({disk.kind})' if disk.kind else ''}"
    setting = {"cache": "data.cache_dir", "runs": "run.root", "runs, cache": "run.root"}.get(where)
    elsewhere = f"name another folder in {setting}" if setting else "point TMPDIR to another folder"
    if not disk.writable:
        yield broken(where, f"{disk.path} cannot be written into.", f"Ask for the right to, or {elsewhere}.")
    if disk.files is not None and disk.files < 1000:
        yield broken(where, f"{found}, but only {count(disk.files, 'file')} can still be made.", "Delete small files.")
    for verdict, least, why in _LEAST[where]:
        if disk.free < least:
            yield verdict(where, f"{found}: {why}.", f"Delete something, or {elsewhere}.")
    if "cache" in where and disk.kind in _NETWORK:
        far = f"{found}: every case of every epoch is read over the network."
        yield doubtful(where, far, "Name a folder on a disk of this machine in data.cache_dir.")
    yield fine(where, found)
