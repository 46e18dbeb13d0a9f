"""A generated season with known truth: landscape, crops, weather, scenes and declarations."""

from sen4cap.simulate.season import Simulated, write_season

__all__ = ["Simulated", "write_season"]
