// Anthropic's client for JavaScript: messages.

import Anthropic from '@anthropic-ai/sdk';

import { expect, facts, run, url } from './harness.mjs';

const base = { model: 'claude-sonnet-4-6', max_tokens: 500 };
const messages = [{ role: 'user', content: facts.PROMPT }];
const of = (key) => new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0 }).messages;

const client = {
  async ask(key, signal) {
    return (await of(key).create({ ...base, messages }, { signal })).content[0].text;
  },
  async *stream(key) {
    for await (const event of await of(key).create({ ...base, messages, stream: true })) {
      if (event.type === 'content_block_delta') yield event.delta.text;
    }
  },
  async tools(key) {
    const tools = [
      { name: facts.TOOL_NAME, description: facts.TOOL_TEXT, input_schema: facts.PARAMETERS },
    ];
    const asking = { role: 'user', content: facts.QUESTION };
    const made = await of(key).stream({ ...base, messages: [asking], tools }).finalMessage();
    const [call] = made.content;
    expect(call.input, facts.ARGUMENTS);
    const content = [{ type: 'tool_result', tool_use_id: call.id, content: facts.DOCUMENT }];
    const turns = [asking, { role: 'assistant', content: made.content }, { role: 'user', content }];
    return (await of(key).create({ ...base, messages: turns, tools })).content[0].text;
  },
  async structured(key) {
    const output_config = { format: { type: 'json_schema', schema: facts.SCHEMA } };
    const answer = await of(key).create({ ...base, messages, output_config });
    return JSON.parse(answer.content[0].text);
  },
};

await run({ 'anthropic-node': client });
