"""A support agent with ten faults that can be switched on: five good runs of each, and a bad one.

python tests/lookup/faulty_agent.py      # records them, each fault under a name of its own
"""

from __future__ import annotations

import time
from typing import Any

import honeytrace

PAGES = {
    name: f"{name}. " + f"Paragraph about {name} that goes on for a while. " * 60
    for name in ("returns", "shipping", "warranty", "invoices", "accounts", "gift cards")
}
ORDERS = {"A-1234": {"total": 80, "state": "delivered"}, "A-12": {"total": 9, "state": "lost"}}
FAULTS = {
    "wrong tool argument": "Agent.get_order",
    "truncated context": "Agent.answer",
    "retry storm": "Agent.get_order",
    "swallowed error": "Agent.get_policy",
    "stale cache": "Agent.get_policy",
    "loop of equal calls": "Agent.search_pages",
    "slow tool": "Agent.get_policy",
    "token blow-up": "Agent.plan",
    "call that was never made before": "Agent.delete_order",
    "missing step": "Agent.check_answer",
}
"""Fault → the call at which it happens."""


class Agent:
    def __init__(self, fault: str | None = None) -> None:
        self.fault = fault
        self.attempts = 0

    @honeytrace.trace_session(event_type="model")
    def plan(self, question: str) -> dict[str, Any]:
        used = 48_000 if self.fault == "token blow-up" else 310
        honeytrace.current_session().update(
            metrics={"prompt_tokens": used, "completion_tokens": 40, "total_tokens": used + 40}
        )
        return {"topics": list(PAGES)[:3], "order": "A-1234"}

    @honeytrace.trace_session(event_type="tool")
    def search_pages(self, topic: str) -> list[dict[str, Any]]:
        return [{"title": name, "text": PAGES[name], "score": 1 / len(name)} for name in PAGES]

    @honeytrace.trace_session(event_type="tool")
    def get_order(self, order: str) -> dict[str, Any]:
        self.attempts += 1
        if self.fault == "retry storm" and self.attempts < 6:
            raise TimeoutError("the order service did not answer")
        return ORDERS[order]

    @honeytrace.trace_session(event_type="tool")
    def get_policy(self, topic: str) -> dict[str, Any]:
        if self.fault == "swallowed error":
            raise ConnectionError("policy service: 503")
        if self.fault == "slow tool":
            time.sleep(1.0)
        days = 14 if self.fault == "stale cache" else 30
        return {"topic": topic, "days": days, "text": PAGES[topic]}

    @honeytrace.trace_session(event_type="tool")
    def delete_order(self, order: str) -> bool:
        return True

    @honeytrace.trace_session
    def check_answer(self, text: str) -> bool:
        return bool(text)

    @honeytrace.trace_session(event_type="model")
    def answer(self, prompt: str) -> str:
        return f"Yes, within the days that the policy gives. ({len(prompt)} characters read)"

    def run(self, question: str) -> str:
        planned = self.plan(question)
        rounds = 8 if self.fault == "loop of equal calls" else 1
        found = [self.search_pages(topic) for topic in planned["topics"]]
        for _ in range(rounds - 1):
            self.search_pages(planned["topics"][-1])
        order = self._order(planned["order"])
        try:
            policy = self.get_policy("returns")
        except ConnectionError:
            policy = {"days": None, "text": ""}
        if self.fault == "call that was never made before":
            self.delete_order("A-1234")
        context = "\n".join(page["text"] for pages in found for page in pages[:2])
        if self.fault == "truncated context":
            context = context[:700]
        text = self.answer(f"{question}\n{order}\n{policy}\n{context}")
        if self.fault != "missing step":
            self.check_answer(text)
        return text

    def _order(self, order: str) -> Any:
        if self.fault == "wrong tool argument":
            order = order[:4]
        try:
            return self.get_order(order)
        except TimeoutError:
            return self._order(order)


def record() -> None:
    """Run the agent well five times and badly once for each fault."""
    question = "May I still return order A-1234?"
    for number, fault in enumerate(FAULTS, start=1):
        for each in (*[None] * 5, fault):
            with honeytrace.session(f"support-{number}", inputs={"question": question}) as s:
                s.outputs = {"answer": Agent(each).run(question)}
    honeytrace.flush()


if __name__ == "__main__":
    record()
