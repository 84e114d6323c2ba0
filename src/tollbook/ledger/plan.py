"""What a subscription costs in a period, day by day of each local month."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import msgspec

from tollbook.core.calendar import Days, after_month, month_of
from tollbook.core.money import Money
from tollbook.core.report import PlanShare


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription at one price per calendar month."""

    name: str
    price: Money  # for one month
    first: date = date.min
    end: date = date.max  # the first day without it

    def cost(self, days: Days) -> Money:
        """Its price for some days: of each month the part of its days."""
        first, end = max(days[0], self.first), min(days[1], self.end)
        cost = 0
        while first < end:
            following = after_month(first)
            stop = min(following, end)
            length = (following - month_of(first)).days
            cost += self.price * (stop - first).days // length
            first = stop
        return cost


def plan_share(
    plan: Plan, days: Days, values: Iterable[tuple[date, Money]]
) -> PlanShare:
    """Hold the plan against the value of what was used on the days it was held."""
    used = sum(cost for day, cost in values if plan.first <= day < plan.end)
    return PlanShare(name=plan.name, cost=plan.cost(days), list_cost=used)
