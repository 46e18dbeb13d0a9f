"""From a request to steps. Pure planning here; the product flow is decided before it runs."""

from sen4cap.engine.planner import Plan, plan, records

__all__ = ["Plan", "plan", "records"]
