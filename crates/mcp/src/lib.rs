//! Loggia mcp.
