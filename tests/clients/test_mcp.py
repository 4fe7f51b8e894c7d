"""The official Python SDK connects, sees the tools and calls every one of them."""

import asyncio
import json

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

TOOLS = ["changes", "collections", "fields", "items", "relations", "schema", "system-prompt"]


@pytest.mark.parametrize("mode", ["legacy", "auto", "2026-07-28"])
def test_every_tool(loggia, mode):
    asyncio.run(_every_tool(loggia, mode))


async def _every_tool(loggia, mode):
    collection = "by_python_" + mode.replace("-", "_")
    headers = {"authorization": f"Bearer {loggia.token}"}
    async with httpx2.AsyncClient(headers=headers) as http:
        async with Client(streamable_http_client(loggia.mcp, http_client=http), mode=mode) as client:
            tools = (await client.list_tools()).tools
            assert sorted(tool.name for tool in tools) == TOOLS

            async def succeeds(name, arguments):
                result = await client.call_tool(name, arguments)
                assert not result.is_error, result
                assert json.loads(result.content[0].text) == result.structured_content
                return result.structured_content

            await succeeds("system-prompt", {})
            fields = [{"field": "name", "type": "string", "schema": {}, "meta": {}}]
            data = [{"collection": collection, "schema": {}, "meta": {}, "fields": fields}]
            await succeeds("collections", {"action": "create", "data": data})
            parent = {"field": "parent", "type": "integer", "schema": {}, "meta": {}}
            await succeeds("fields", {"action": "create", "collection": collection, "data": [parent]})
            relation = {
                "collection": collection,
                "field": "parent",
                "related_collection": collection,
                "schema": {"on_delete": "SET NULL"},
                "meta": {"one_field": "children"},
            }
            where = {"collection": collection, "field": "parent"}
            await succeeds("relations", {"action": "create", **where, "data": relation})
            assert "children" in json.dumps(await succeeds("schema", {"keys": [collection]}))
            row = {"name": "root", "children": [{"name": "leaf"}]}
            await succeeds("items", {"action": "create", "collection": collection, "data": row})
            query = {"fields": ["name", "children.name"], "filter": {"parent": {"_null": True}}}
            read = await succeeds("items", {"action": "read", "collection": collection, "query": query})
            assert read["data"] == [row]
            edit = {"query": {"filter": {"name": {"_eq": "root"}}}, "data": {"name": "trunk"}}
            edited = await succeeds("items", {"action": "update", "collection": collection, **edit})
            change = edited["receipt"]["change"]
            listed = await succeeds("changes", {"action": "list", "collection": collection})
            assert listed["data"][0]["id"] == change
            await succeeds("changes", {"action": "revert", "keys": [change]})
            again = await succeeds("items", {"action": "read", "collection": collection, "query": query})
            assert again["data"] == [row]
