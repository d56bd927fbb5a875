"""The place of a process in the form that Lightning asks for."""

from __future__ import annotations

from lightning.fabric.plugins import ClusterEnvironment

from trainlib.processes.place import Place


class PlaceEnvironment(ClusterEnvironment):
    """Tells Lightning that the processes are there already, whoever has started them.

    Args:
        place: The place of this process.
    """

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place

    @property
    def creates_processes_externally(self) -> bool:
        """Lightning starts none."""
        return True

    @property
    def main_address(self) -> str:
        """Address of the first machine."""
        return self.place.address

    @property
    def main_port(self) -> int:
        """Port of the store there."""
        return self.place.port

    @staticmethod
    def detect() -> bool:
        """Lightning shall not choose this by itself."""
        return False

    def world_size(self) -> int:
        """Return the number of processes."""
        return self.place.size

    def set_world_size(self, size: int) -> None:
        """Keep the size, which is given."""

    def global_rank(self) -> int:
        """Return the number of this process."""
        return self.place.rank

    def set_global_rank(self, rank: int) -> None:
        """Keep the number, which is given."""

    def local_rank(self) -> int:
        """Return the number of this process on its machine."""
        return self.place.local_rank

    def node_rank(self) -> int:
        """Return the number of this machine."""
        return self.place.node
