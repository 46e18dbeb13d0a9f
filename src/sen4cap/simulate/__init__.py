"""A generated season with known truth: landscape, crops, weather, scenes and declarations."""

from sen4cap.simulate.season import TWO_ZONES, Simulated, write_season

__all__ = ["TWO_ZONES", "Simulated", "write_season"]
