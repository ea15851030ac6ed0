"""Plans: calls that use each other's values, as an immutable graph that is checked when it is made.

It decides who waits for whom, and says what that costs. It runs nothing (the engine does) and knows
no tool: an unknown one is rejected call by call. Read `builder.py` first, then `dag.py`.
"""

from penstock.plan.builder import Node, PlanBuilder
from penstock.plan.dag import edges
from penstock.plan.explain import Explanation, Step
from penstock.plan.plan import Plan
from penstock.plan.ref import Ref

__all__ = ["Explanation", "Node", "Plan", "PlanBuilder", "Ref", "Step", "edges"]
