"""The official MCP client against `honeytrace mcp`: prints what it was told, as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main(store: str) -> dict[str, Any]:
    parameters = StdioServerParameters(
        command=sys.executable, args=["-m", "honeytrace", "mcp", "--store", store]
    )
    async with stdio_client(parameters) as (read, write), ClientSession(read, write) as client:
        greeting = await client.initialize()
        await client.send_ping()
        tools = (await client.list_tools()).tools
        told: dict[str, Any] = {
            "greeting": greeting.model_dump(mode="json"),
            "tools": [tool.name for tool in tools],
            "answers": [],
        }
        calls = [
            ("find", {}),
            ("outline", {"ref": "@last"}),
            ("read", {"path": "@last/outputs"}),
            ("compare", {"before": "@last~1", "after": "@last"}),
            ("around", {"ref": "@last"}),
            ("note", {"ref": "@last", "text": "looks wrong; token=sk-abcdefghijklmnop1234567890"}),
            ("read", {"path": "@last/feedback"}),
            ("read", {"path": "nothing"}),
            ("find", {"limit": 3}),
            ("steal", {}),
        ]
        for name, arguments in calls:
            result = await client.call_tool(name, arguments)
            answer = result.model_dump(mode="json", by_alias=True)
            told["answers"].append([name, answer["isError"], answer["content"]])
    return told


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1]))))
