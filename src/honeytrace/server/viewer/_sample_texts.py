"""The words of the sample: questions and answers, passages, flights, a plan."""

from __future__ import annotations

__all__ = [
    "DOT",
    "ERROR",
    "FLIGHTS",
    "PASSAGES",
    "PLAN",
    "QUESTIONS",
    "SYSTEM",
    "TRACEBACK",
    "USERS",
]

QUESTIONS = {
    "How do I rotate the API key of a project without downtime?": (
        "Create a second key first, deploy it everywhere, and revoke the old one when its time of "
        "last use stops moving. Both are valid at once, so nothing is refused in between."
    ),
    "Why does my webhook get the same event twice?": (
        "Delivery is at least once: an endpoint that answers after ten seconds counts as failed "
        "and is called again. Compare the event_id with those you have seen, and drop repeats."
    ),
    "Can I move a workspace from the US region to the EU?": (
        "Yes. Start a migration in the workspace's settings; it is read-only for about fifteen "
        "minutes, and every id stays as it is."
    ),
    "What happens to my data when I delete a user?": (
        "What the user created stays with the workspace; the profile itself is erased after 30 "
        "days, and until then an owner can restore it."
    ),
    "How long are audit logs kept on the business plan?": (
        "For 365 days. Older entries can be exported to a bucket of yours before they are deleted."
    ),
    "Which addresses do I have to allow for outgoing webhooks?": (
        "Requests come from three fixed addresses, listed under Settings → Network. A change is "
        "announced 60 days ahead."
    ),
}
PASSAGES = {
    "keys/rotation.md": (
        "A project may hold two active keys. Rotation creates the second one; the first keeps "
        "working until it is revoked, so that deployments can overlap."
    ),
    "webhooks/retries.md": (
        "An endpoint has ten seconds to answer with a 2xx status. Otherwise the event is "
        "delivered again after 1, 5 and 30 minutes, with the same event_id."
    ),
    "security/audit.md": (
        "Each use of a key is logged with its time, address and scope. The time of last use is "
        "updated within a minute."
    ),
    "regions/moving.md": (
        "Moving copies all records, then switches the workspace over. Ids do not change; links "
        "in messages keep working."
    ),
}
USERS = {
    "Ada": "ada@northwind.example",
    "Björn": "bjorn@fjell.example",
    "Chen": "chen@lotus.example",
    "Dalia": "dalia@acme.example",
}
SYSTEM = (
    "You answer questions about Northwind from the passages alone. Say so when they do not help."
)
ERROR = "UpstreamTimeout: no token within 10 s"
TRACEBACK = f"""Traceback (most recent call last):
  File "bot/generate.py", line 48, in generate
    reply = client.chat(messages, timeout=10)
  File "bot/client.py", line 112, in chat
    raise UpstreamTimeout(f"no token within {{timeout:g}} s")
{ERROR}"""


FLIGHTS = [
    {"flight": "TP 669", "departs": "07:05", "arrives": "09:00", "stops": 0, "price": 142.5},
    {"flight": "KL 1579", "departs": "09:35", "arrives": "11:30", "stops": 0, "price": 188.0},
    {"flight": "LH 2303", "departs": "06:40", "arrives": "11:15", "stops": 1, "price": 121.9},
]
DOT = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAGCAIAAABxZ0isAAAAdklEQVR42g3JIQ4AIQwEwHvnaTQajbtkFWkwVCBW"
    "tq7BYnnWMXaeFydhZ6wCryAwOtrE97xykuwsq4hXIWR0aVNu6Em6s66iXpXQ0bVNvcGTuDNXoVcSHJ1t8oadZDvb"
    "KubVCBvd2rQbcVLsHKuE1yBi9Ggzvh9y2lUJUVVwjQAAAABJRU5ErkJggg=="
)
"""A small picture."""
PLAN = """## Amsterdam → Lisbon, 12 December

The **direct** morning flight is the best fit:

| flight | departs | arrives | price |
|---|---|---|---|
| TP 669 | 07:05 | 09:00 | €142.50 |
| KL 1579 | 09:35 | 11:30 | €188.00 |

1. Book `TP 669` before Friday; the fare ends then.
2. The hotel on your photo is *two stops* from the airport by metro.
"""
