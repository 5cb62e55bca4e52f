// The official TypeScript client of MCP, told on standard input what to do; see mcp_client.py, which does the same.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

let text = "";
for await (const chunk of process.stdin) {
  text += chunk;
}
const asked = JSON.parse(text);
const transport = new StreamableHTTPClientTransport(new URL(asked.url), {
  requestInit: { headers: { Authorization: `Bearer ${asked.token}` } },
});
const client = new Client({ name: "judge", version: "1.0.0" });
await client.connect(transport);

async function everyTool() {
  const tools = [];
  let cursor;
  do {
    const page = await client.listTools(cursor === undefined ? {} : { cursor });
    tools.push(...page.tools);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return { tools };
}

async function abandon(step) {
  const controller = new AbortController();
  setTimeout(() => controller.abort("given up"), step.after_ms);
  try {
    return await client.callTool({ name: step.name, arguments: step.arguments ?? {} }, undefined, {
      signal: controller.signal,
    });
  } catch (problem) {
    if (controller.signal.aborted) {
      return { abandoned: true };
    }
    throw problem;
  }
}

async function call(step) {
  const heard = [];
  const more = step.progress
    ? { onprogress: ({ progress, total, message }) => heard.push({ progress, total, message }) }
    : {};
  const result = await client.callTool({ name: step.name, arguments: step.arguments ?? {} }, undefined, more);
  return { ...result, heard };
}

async function act(step) {
  try {
    switch (step.do) {
      case "list":
        return await everyTool();
      case "ping":
        return await client.ping();
      case "call":
        return await call(step);
      default:
        return await abandon(step);
    }
  } catch (problem) {
    return { error: { code: problem.code ?? null, message: String(problem.message) } };
  }
}

const results = [];
for (const step of asked.steps) {
  results.push(await act(step));
}
console.log(
  JSON.stringify({ protocol: transport.protocolVersion, server: client.getServerVersion().name, results }),
);
await transport.terminateSession();
await client.close();
