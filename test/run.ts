import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, sep } from "node:path";
import { Readable } from "node:stream";
import { run } from "node:test";
import { spec, type TestEvent } from "node:test/reporters";

/**
 * Runs the tests of the named folders in test/, or of all but e2e, which needs the machine for itself; one file more at a time than there are
 * cores, since each waits for clusters much of its time. Prints the runner's own report, with the slowest tests before its closing lines.
 *
 *     node --import tsx test/run.ts unit golden
 */
function main(named: readonly string[]): void {
  const folders = named.length > 0 ? named : readdirSync(__dirname).filter((name) => name !== "e2e");
  const events = run({ files: inTurn(folders.map(testFiles)), concurrency: availableParallelism() + 1 });
  events.on("test:fail", ({ todo }) => {
    if (todo === undefined || todo === false) process.exitCode = 1;
  });
  Readable.from(withSlowest(events)).pipe(new spec()).pipe(process.stdout);
}

const testFiles = (folder: string): string[] =>
  readdirSync(__dirname, { recursive: true, encoding: "utf8" })
    .filter((path) => path.startsWith(folder + sep) && path.endsWith(".test.ts"))
    .sort()
    .map((path) => join(__dirname, path));

/** The first of each list, then the second of each, and so on, because files of one folder may wait for each other, e.g. for the Docker Engine. */
function inTurn(lists: readonly (readonly string[])[]): string[] {
  const longest = Math.max(...lists.map(({ length }) => length));
  return Array.from({ length: longest }, (_, index) => lists.flatMap((list) => list.slice(index, index + 1))).flat();
}

interface Timed {
  readonly name: string;
  readonly seconds: number;
}

/** How many of the slowest tests to list. */
const listed = 10;

async function* withSlowest(events: AsyncIterable<TestEvent>): AsyncGenerator<TestEvent> {
  const tests: Timed[] = [];
  /** Names of the suites around the current test, by nesting; files report one after the other. */
  const path: string[] = [];
  let told = false;
  for await (const event of events) {
    if (event.type === "test:start") path[event.data.nesting] = event.data.name;
    if (event.type === "test:pass" || event.type === "test:fail") {
      const { name, nesting, details } = event.data;
      const names = [...path.slice(0, nesting), name];
      if (details.type !== "suite") tests.push({ name: names.join(" › "), seconds: details.duration_ms / 1000 });
    }
    // The first closing line.
    if (
      !told &&
      event.type === "test:diagnostic" &&
      event.data.nesting === 0 &&
      /^tests \d+$/.test(event.data.message)
    ) {
      told = true;
      for (const message of slowest(tests)) yield { ...event, data: { ...event.data, message } };
    }
    yield event;
  }
}

function slowest(tests: readonly Timed[]): string[] {
  const most = [...tests].sort((a, b) => b.seconds - a.seconds).slice(0, listed);
  return [
    `the slowest ${most.length} of ${tests.length} tests:`,
    ...most.map(({ name, seconds }) => `${seconds.toFixed(1).padStart(7)} s  ${name}`),
  ];
}

main(process.argv.slice(2));
