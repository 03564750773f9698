# SPDX-License-Identifier: Apache-2.0
"""The budget table: one line a figure, with its budget, whether it was met, and what others need."""

from dataclasses import dataclass


@dataclass
class Line:
    what: str
    figure: float
    unit: str
    budget: float = None   # upper bound; None: a figure without a budget
    at_least: bool = False  # the budget is a lower bound
    elsewhere: str = ""
    note: str = ""

    @property
    def verdict(self):
        if self.budget is None:
            return ""
        met = self.figure >= self.budget if self.at_least else self.figure <= self.budget
        return "met" if met else "MISSED"


def amount(value):
    if value is None:
        return "-"
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


class Table:
    def __init__(self):
        self.lines = []

    def add(self, *arguments, **named):
        self.lines.append(Line(*arguments, **named))

    def skip(self, what, reason):
        self.lines.append(Line(what, None, "", note=f"SKIPPED: {reason}"))

    @property
    def missed(self):
        return [line for line in self.lines if line.verdict == "MISSED"]

    def text(self):
        rows = [("what", "budget", "measured", "of budget", "", "elsewhere, and notes")]
        for line in self.lines:
            if line.figure is None:
                rows.append((line.what, "", "", "", "", line.note))
                continue
            bound = "" if line.budget is None else \
                f"{'>=' if line.at_least else '<='} {amount(line.budget)} {line.unit}"
            ratio = "" if not line.budget else f"{line.figure / line.budget:.2f}"
            remarks = "; ".join(part for part in (line.elsewhere, line.note) if part)
            rows.append((line.what, bound, f"{amount(line.figure)} {line.unit}", ratio, line.verdict,
                         remarks))
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        return "\n".join("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[5]])
                         .rstrip() for row in rows)
