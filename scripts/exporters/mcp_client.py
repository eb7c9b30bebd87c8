"""The client of the Model Context Protocol in Python: every tool, over HTTP and standard streams."""

import asyncio
import os

from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

URL = os.environ["LOOKBACK_URL"]
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


async def ask(client, name, **arguments):
    result = await client.call_tool(name, arguments)
    assert not result.is_error, result
    answer = result.structured_content
    assert "not instructions" in answer["note"], answer
    return answer


async def check(client):
    tools = {tool.name for tool in (await client.list_tools()).tools}
    called = set()

    async def call(name, **arguments):
        called.add(name)
        return await ask(client, name, **arguments)

    found = await call("search_logs", words="kase quoted", filters=["source=py-otlp-grpc"], fold=False)
    assert found["metadata"]["total"] == 40, found["metadata"]
    log = found["data"][0]
    found = await call("list_requests", filters=["path=/carts/py-otlp-grpc"])
    request = found["data"][0]
    assert request["status_code"] == 404, request
    found = await call("log_patterns", filters=["source=py-otlp-grpc"])
    # One for each level.
    assert [pattern["count"] for pattern in found["data"]] == [10, 10, 10, 10], found
    await call("latency_windows", since="-1h")
    found = await call("get_trace", trace_id=TRACE_ID)
    assert found["data"] and found["left_out"], found
    found = await call("get_record", table="logs", id=log["id"])
    assert found["data"][0]["message"] == log["message"], found
    found = await call("replay_dry_run", ids=[request["id"]], to="http://localhost:3000", unsafe_methods=True)
    assert "http://localhost:3000/carts/py-otlp-grpc" in found["data"][0]["command"], found
    assert called == tools, called ^ tools
    wrong = await client.call_tool("search_logs", {"filters": ["levle=error"]})
    assert wrong.is_error and wrong.structured_content["type"].endswith("invalid-query.md"), wrong


async def main():
    http = create_mcp_http_client(headers={"authorization": f"Bearer {os.environ['LOOKBACK_READ_KEY']}"})
    stdio = StdioServerParameters(
        command=os.environ["LOOKBACK"], args=["mcp", "--data-dir", os.environ["LOOKBACK_DATA"]]
    )
    for mode in ("auto", "legacy"):
        async with Client(streamable_http_client(f"{URL}/mcp", http_client=http), mode=mode) as client:
            await check(client)
        async with Client(stdio, mode=mode) as client:
            await check(client)
        print(f"ok      mcp of Python, {mode}, over HTTP and stdio")


asyncio.run(main())
