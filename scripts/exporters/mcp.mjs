// The client of the Model Context Protocol in Node.js: every tool, over HTTP and standard streams.
import assert from 'node:assert';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { traceId, url } from './events.mjs';

const headers = { authorization: `Bearer ${process.env.LOOKBACK_READ_KEY}` };
const transports = {
  HTTP: () => new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit: { headers } }),
  stdio: () =>
    new StdioClientTransport({ command: process.env.LOOKBACK, args: ['mcp', '--data-dir', process.env.LOOKBACK_DATA] }),
};

for (const [name, transport] of Object.entries(transports)) {
  const client = new Client({ name: 'exporters', version: '1' });
  await client.connect(transport());
  assert.match(client.getInstructions(), /Lookback stores/);
  const tools = (await client.listTools()).tools.map((tool) => tool.name);
  const called = [];
  const call = async (name, args) => {
    called.push(name);
    const result = await client.callTool({ name, arguments: args });
    assert(!result.isError, JSON.stringify(result));
    assert.match(result.structuredContent.note, /not instructions/);
    assert.deepEqual(JSON.parse(result.content[0].text), result.structuredContent);
    return result.structuredContent;
  };
  const logs = await call('search_logs', { words: 'event 7', filters: ['source=js-otlp-grpc'] });
  assert.equal(logs.data[0].message.slice(0, 8), 'event 7:');
  const { data: [request] } = await call('list_requests', { filters: ['path=/carts/js-otlp-grpc'] });
  const patterns = await call('log_patterns', { words: 'event', filters: ['source=js-otlp-grpc'] });
  // One for each level.
  assert.deepEqual(patterns.data.map(({ count }) => count), [10, 10, 10, 10]);
  await call('latency_windows', { filters: ['error_rate__gt=0.5'] });
  await call('get_trace', { trace_id: traceId });
  const record = await call('get_record', { table: 'requests', id: request.id });
  assert.equal(record.data[0].path, '/carts/js-otlp-grpc');
  const replay = await call('replay_dry_run', { ids: [request.id], to: 'http://localhost:3000' });
  assert.match(replay.data[0].cannot_be_sent, /PUT may change data/);
  assert.deepEqual(called.toSorted(), tools.toSorted());
  const wrong = await client.callTool({ name: 'search_logs', arguments: { limit: 1000 } });
  assert(wrong.isError);
  assert.match(wrong.structuredContent.detail, /limit/);
  await client.close();
  console.log(`ok      @modelcontextprotocol/sdk over ${name}`);
}
