"""From a request to steps. Pure planning here; the product flow is decided before it runs."""

from sen4cap.engine.planner import Plan, plan

__all__ = ["Plan", "plan"]
