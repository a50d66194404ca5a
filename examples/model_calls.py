"""Every model SDK that is installed, recorded with one line: no key, no network but loopback.

    pip install "honeytrace[otel,prices]" openai openinference-instrumentation-openai
    python examples/model_calls.py

Then `honeytrace list` and `honeytrace show`. What is not installed is left out.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable
from typing import Any

import honeytrace
from fake_llm import serving

MESSAGES: list[Any] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What do bees see?"},
]
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL: Any = {
    "type": "function",
    "function": {"name": "weather", "description": "The weather.", "parameters": PARAMETERS},
}


def call_openai(url: str) -> None:
    """A call, one with a tool, a stream, and one from an async client."""
    import openai

    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none")
    model = "gpt-4o-mini"
    client.chat.completions.create(model=model, messages=MESSAGES, temperature=0.2)
    client.chat.completions.create(model=model, messages=MESSAGES, tools=[TOOL])
    options: Any = {"include_usage": True}
    for _ in client.chat.completions.create(
        model=model, messages=MESSAGES, stream=True, stream_options=options
    ):
        pass

    async def later() -> None:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none") as other:
            await other.chat.completions.create(model=model, messages=MESSAGES)

    asyncio.run(later())


def call_anthropic(url: str) -> None:
    """A message."""
    import anthropic

    client = anthropic.Anthropic(base_url=url, api_key="none")
    client.messages.create(
        model="claude-3-5-haiku-latest", max_tokens=50, system="Be brief.", messages=MESSAGES[1:]
    )


def call_langchain(url: str) -> None:
    """A chain of a prompt and a model, called and awaited."""
    from langchain_core.prompts import ChatPromptTemplate
    from langchain_openai import ChatOpenAI

    prompt = ChatPromptTemplate.from_messages([("system", "Be brief."), ("user", "{question}")])
    model = ChatOpenAI(model="gpt-4o-mini", base_url=f"{url}/v1", api_key="none")
    chain = prompt | model
    chain.invoke({"question": "What do bees see?"})
    asyncio.run(chain.ainvoke({"question": "What do bees see?"}))


def call_langgraph(url: str) -> None:
    """An agent with a tool."""
    from langchain.agents import create_agent
    from langchain_core.tools import tool
    from langchain_openai import ChatOpenAI

    @tool
    def weather(city: str) -> str:
        """The weather in a city."""
        return f"It rains in {city}."

    model = ChatOpenAI(model="gpt-4o-mini", base_url=f"{url}/v1", api_key="none")
    create_agent(model, [weather]).invoke({"messages": [("user", "Weather?")]})


def call_llama_index(url: str) -> None:
    """A chat."""
    from llama_index.core.llms import ChatMessage
    from llama_index.llms.openai import OpenAI

    model = OpenAI(model="gpt-4o-mini", api_base=f"{url}/v1", api_key="none")
    model.chat([ChatMessage(role="user", content="What do bees see?")])


def call_pydantic_ai(url: str) -> None:
    """An agent with a tool."""
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    provider = OpenAIProvider(base_url=f"{url}/v1", api_key="none")
    agent = Agent(OpenAIChatModel("gpt-4o-mini", provider=provider), name="weather-agent")

    @agent.tool_plain
    def weather(city: str) -> str:
        return f"It rains in {city}."

    agent.run_sync("Weather?")


def call_openai_agents(url: str) -> None:
    """An agent with a tool."""
    import agents
    import openai

    client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none")

    @agents.function_tool
    def weather(city: str) -> str:
        return f"It rains in {city}."

    model = agents.OpenAIChatCompletionsModel("gpt-4o-mini", openai_client=client)
    agents.Runner.run_sync(agents.Agent("weather-agent", model=model, tools=[weather]), "Weather?")


def call_litellm(url: str) -> None:
    """A completion."""
    import litellm

    litellm.completion(
        "openai/gpt-4o-mini", messages=MESSAGES, api_base=f"{url}/v1", api_key="none"
    )


CALLS: dict[str, Callable[[str], None]] = {
    "openai": call_openai,
    "anthropic": call_anthropic,
    "langchain_openai": call_langchain,
    "langgraph": call_langgraph,
    "llama_index.llms.openai": call_llama_index,
    "pydantic_ai": call_pydantic_ai,
    "agents": call_openai_agents,
    "litellm": call_litellm,
}


def installed(module: str) -> bool:
    """Whether a package can be imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def main() -> None:
    """Call everything that is installed, then print what was recorded."""
    running = honeytrace.otel.instrument()
    print("instrumented:", ", ".join(running.names) or "nothing: install an instrumentor")
    with serving() as url:
        for module, call in CALLS.items():
            if installed(module):
                with honeytrace.session(module):
                    call(url)
    honeytrace.flush()
    for session in honeytrace.list_sessions(roots_only=True):
        usage = session.usage
        print(f"\n{session.tree()}\n  {usage.total_tokens} tokens, cost {usage.cost}")


if __name__ == "__main__":
    main()
