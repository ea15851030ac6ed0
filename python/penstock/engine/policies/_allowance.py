"""The allowance of a tool's service, from which retries and hedges are paid alike."""

from penstock.engine.policies._protocol import Allowance, CallInfo, Services, ToolView


def allowance_of(tool: ToolView, services: Services) -> Allowance:
    """Return the allowance that a tool shares with the others of its service, or its own."""
    return services.allowance(tool.service or f"tool:{tool.name}")


def earn(info: CallInfo, allowance: Allowance) -> None:
    """Let a call pay in: once, however many layers ask."""
    if not info.tally.earned:
        info.tally.earned = True
        allowance.first_attempt()
