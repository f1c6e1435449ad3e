// Vercel's AI SDK: its models of OpenAI (chat completions, responses) and of Anthropic.

import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { generateObject, generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai';

import { expect, facts, run, url } from './harness.mjs';

function clientOf(modelOf) {
  const base = (key) => ({ model: modelOf(key), maxRetries: 0 });
  return {
    async ask(key, abortSignal) {
      return (await generateText({ ...base(key), prompt: facts.PROMPT, abortSignal })).text;
    },
    async *stream(key) {
      const leaving = new AbortController();
      const asked = { ...base(key), prompt: facts.PROMPT, abortSignal: leaving.signal, onError() {} };
      try {
        for await (const part of streamText(asked).fullStream) {
          if (part.type === 'error') throw part.error;
          if (part.type === 'text-delta') yield part.text;
        }
      } finally {
        leaving.abort();
      }
    },
    async tools(key) {
      const read = tool({
        description: facts.TOOL_TEXT,
        inputSchema: jsonSchema(facts.PARAMETERS),
        execute: async (given) => {
          expect(given, facts.ARGUMENTS);
          return facts.DOCUMENT;
        },
      });
      const asked = { prompt: facts.QUESTION, tools: { [facts.TOOL_NAME]: read }, stopWhen: stepCountIs(3) };
      return await streamText({ ...base(key), ...asked }).text;
    },
    async structured(key) {
      const schema = jsonSchema(facts.SCHEMA);
      return (await generateObject({ ...base(key), prompt: facts.PROMPT, schema })).object;
    },
  };
}

const openai = (key) => createOpenAI({ baseURL: `${url}/v1`, apiKey: key });
const anthropic = (key) => createAnthropic({ baseURL: `${url}/v1`, apiKey: key });

await run({
  'ai-sdk-chat': clientOf((key) => openai(key).chat('gpt-4o-mini')),
  'ai-sdk-responses': clientOf((key) => openai(key).responses('gpt-4o-mini')),
  'ai-sdk-anthropic': clientOf((key) => anthropic(key)('claude-sonnet-4-6')),
});
