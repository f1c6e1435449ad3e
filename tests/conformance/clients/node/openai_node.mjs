// OpenAI's client for JavaScript: chat completions and responses.

import OpenAI from 'openai';

import { expect, facts, run, url } from './harness.mjs';

const model = 'gpt-4o-mini';
const user = { role: 'user', content: facts.PROMPT };
const asking = { role: 'user', content: facts.QUESTION };
const named = { name: facts.TOOL_NAME, description: facts.TOOL_TEXT, parameters: facts.PARAMETERS, strict: true };
const shape = { name: 'facts', schema: facts.SCHEMA, strict: true };
const of = (key) => new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });

const chat = {
  async ask(key, signal) {
    const answer = await of(key).chat.completions.create({ model, messages: [user] }, { signal });
    return answer.choices[0].message.content;
  },
  async *stream(key) {
    const stream = await of(key).chat.completions.create({ model, messages: [user], stream: true });
    for await (const chunk of stream) {
      expect(chunk.choices.length, 1); // not the usage that nobody here asked for
      if (chunk.choices[0].delta.content) yield chunk.choices[0].delta.content;
    }
  },
  async tools(key) {
    const tools = [{ type: 'function', function: named }];
    const { chat } = of(key);
    const streamed = chat.completions.stream({ model, messages: [asking], tools });
    const [{ message }] = (await streamed.finalChatCompletion()).choices;
    const [call] = message.tool_calls;
    expect(JSON.parse(call.function.arguments), facts.ARGUMENTS);
    const made = { role: 'assistant', content: null, tool_calls: [call] };
    delete call.function.parsed_arguments;
    const result = { role: 'tool', tool_call_id: call.id, content: facts.DOCUMENT };
    const answer = await chat.completions.create({ model, messages: [asking, made, result], tools });
    return answer.choices[0].message.content;
  },
  async structured(key) {
    const response_format = { type: 'json_schema', json_schema: shape };
    const answer = await of(key).chat.completions.parse({ model, messages: [user], response_format });
    return answer.choices[0].message.parsed ?? JSON.parse(answer.choices[0].message.content);
  },
};

const responses = {
  async ask(key, signal) {
    return (await of(key).responses.create({ model, input: facts.PROMPT }, { signal })).output_text;
  },
  async *stream(key) {
    const stream = await of(key).responses.create({ model, input: [user], stream: true });
    let number = 0;
    for await (const event of stream) {
      expect(event.sequence_number, number++);
      if (event.type === 'response.output_text.delta') yield event.delta;
    }
  },
  async tools(key) {
    const tools = [{ type: 'function', ...named }];
    const { responses } = of(key);
    const streamed = responses.stream({ model, input: [asking], tools });
    const [{ parsed_arguments, ...made }] = (await streamed.finalResponse()).output;
    expect(JSON.parse(made.arguments), facts.ARGUMENTS);
    const result = { type: 'function_call_output', call_id: made.call_id, output: facts.DOCUMENT };
    return (await responses.create({ model, input: [asking, made, result], tools })).output_text;
  },
  async structured(key) {
    const text = { format: { type: 'json_schema', ...shape } };
    return JSON.parse((await of(key).responses.create({ model, input: facts.PROMPT, text })).output_text);
  },
};

await run({ 'openai-node-chat': chat, 'openai-node-responses': responses });
