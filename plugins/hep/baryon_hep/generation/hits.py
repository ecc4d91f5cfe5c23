"""Keep calorimeter towers and tracks of events, from which images are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from baryon_hep.generation.detector import Towers, Tracks


@dataclass(frozen=True, slots=True)
class Hits:
    """The towers and tracks of N events, in single precision."""

    # Half precision would put eta and phi on a grid of 0.002, a fourteenth of a pixel at 224
    # pixels: pixels would hold 14 or 15 steps of it, and images show a comb of 7 %.
    tower_counts: npt.NDArray[np.int64]
    """(N,) towers of each event."""
    track_counts: npt.NDArray[np.int64]
    """(N,) tracks of each event."""
    towers: npt.NDArray[np.float32]
    """(M, 4) eta, phi, energy and EM energy in GeV; one event after the other."""
    tracks: npt.NDArray[np.float32]
    """(K, 2) eta, phi; one event after the other."""

    @classmethod
    def of(cls, towers: Towers, tracks: Tracks) -> Hits:
        """Return the hits that the detector recorded."""
        columns = (towers.eta, towers.phi, towers.energy, towers.em_energy)
        return cls(
            towers.counts,
            tracks.counts,
            np.stack(columns, axis=1).astype(np.float32),
            np.stack((tracks.eta, tracks.phi), axis=1).astype(np.float32),
        )

    @classmethod
    def joined(cls, pieces: Sequence[Hits]) -> Hits:
        """Return the events of all pieces in order."""
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate([getattr(piece, name) for piece in pieces]) for name in names))

    def __len__(self) -> int:
        return len(self.tower_counts)

    def where(self, selected: npt.NDArray[np.bool_]) -> Hits:
        """Return the events for which `selected` (N,) is true."""
        return Hits(
            self.tower_counts[selected],
            self.track_counts[selected],
            self.towers[np.repeat(selected, self.tower_counts)],
            self.tracks[np.repeat(selected, self.track_counts)],
        )

    def rows(self, start: int, stop: int) -> Hits:
        """Return events `start` to `stop` - 1."""
        first_tower, first_track = self.tower_counts[:start].sum(), self.track_counts[:start].sum()
        tower_counts, track_counts = self.tower_counts[start:stop], self.track_counts[start:stop]
        return Hits(
            tower_counts,
            track_counts,
            self.towers[first_tower : first_tower + tower_counts.sum()],
            self.tracks[first_track : first_track + track_counts.sum()],
        )
