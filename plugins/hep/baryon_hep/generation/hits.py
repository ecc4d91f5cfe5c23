"""What is kept of the events: calorimeter towers and tracks, from which images are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from baryon_hep.generation.detector import Towers, Tracks


@dataclass(frozen=True, slots=True)
class Hits:
    """N events, in single precision.

    Half precision would put eta and phi on a grid of 0.002, a fourteenth of a pixel at 224 pixels:
    pixels would hold 14 or 15 steps of it, and images show a comb of 7 %.
    """

    tower_counts: npt.NDArray[np.int64]
    """(N,)"""
    track_counts: npt.NDArray[np.int64]
    """(N,)"""
    towers: npt.NDArray[np.float32]
    """(M, 4) eta, phi, energy and EM energy in GeV; one event after the other."""
    tracks: npt.NDArray[np.float32]
    """(K, 2) eta, phi; one event after the other."""

    @classmethod
    def of(cls, towers: Towers, tracks: Tracks) -> Hits:
        """Those of the detector."""
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

    def where(self, kept: npt.NDArray[np.bool_]) -> Hits:
        """Return the events for which `kept` (N,) is true."""
        return Hits(
            self.tower_counts[kept],
            self.track_counts[kept],
            self.towers[np.repeat(kept, self.tower_counts)],
            self.tracks[np.repeat(kept, self.track_counts)],
        )

    def rows(self, start: int, stop: int) -> Hits:
        """Events start..stop-1."""
        first_tower, first_track = self.tower_counts[:start].sum(), self.track_counts[:start].sum()
        tower_counts, track_counts = self.tower_counts[start:stop], self.track_counts[start:stop]
        return Hits(
            tower_counts,
            track_counts,
            self.towers[first_tower : first_tower + tower_counts.sum()],
            self.tracks[first_track : first_track + track_counts.sum()],
        )
