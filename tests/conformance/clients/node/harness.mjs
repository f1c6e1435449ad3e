// The scenarios of harness.py for clients in JavaScript: node PROGRAM.mjs URL, a line of JSON for each.
//
// A client has ask(key, signal), stream(key), tools(key) and structured(key); stream is an async generator, and
// leaving it leaves the stream. What no scenario foresees ends the program.

import { readFileSync } from 'node:fs';

export const url = process.argv[2];
export const facts = JSON.parse(readFileSync(new URL('facts.json', import.meta.url), 'utf8'));

const TIMEOUT_MS = 1000;
const N_BEFORE_LEAVING = 3;

class Wrong extends Error {}

export function expect(found, wanted) {
  const [one, other] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (one !== other) throw new Wrong(`${one} instead of ${other}`);
}

async function thrown(tried) {
  try {
    await tried();
  } catch (error) {
    if (error instanceof Wrong) throw error;
    return error;
  }
  throw new Wrong('no error');
}

const SCENARIOS = {
  async plain(client, key) {
    expect(await client.ask(key), facts.ANSWER);
  },
  async stream(client, key) {
    const pieces = [];
    for await (const piece of client.stream(key)) pieces.push(piece);
    expect(pieces.join(''), facts.ANSWER);
    expect(pieces.length > 10, true);
  },
  async tools(client, key) {
    expect(await client.tools(key), facts.ANSWER);
  },
  async structured(client, key) {
    expect(await client.structured(key), facts.STRUCTURED);
  },
  async error(client, key) {
    const told = [];
    for (const status of facts.STATUSES) {
      const error = await thrown(() => client.ask(key.replace('-error-', `-error${status}-`)));
      told.push(error.status ?? error.statusCode);
    }
    expect(told, facts.STATUSES);
  },
  async broken(client, key) {
    const pieces = [];
    await thrown(async () => {
      for await (const piece of client.stream(key)) pieces.push(piece);
    });
    expect(facts.ANSWER.startsWith(pieces.join('')) && pieces.length > N_BEFORE_LEAVING, true);
  },
  async cancel(client, key) {
    let n = 0;
    for await (const _ of client.stream(key)) if (++n === N_BEFORE_LEAVING) break;
    expect(n, N_BEFORE_LEAVING);
  },
  async timeout(client, key) {
    await thrown(() => client.ask(key, AbortSignal.timeout(TIMEOUT_MS)));
  },
};

export async function run(clients) {
  for (const [name, client] of Object.entries(clients)) {
    for (const [scenario, tried] of Object.entries(SCENARIOS)) {
      let problem = '';
      try {
        await tried(client, `sk-${scenario}-${name}`);
      } catch (error) {
        problem = `${error.name}: ${error.message}`.slice(0, 400);
      }
      console.log(JSON.stringify({ client: name, scenario, problem }));
    }
  }
}
