import assert from "node:assert/strict";
import { test } from "node:test";
import { Board, type Screen } from "../../tools/shared/board";

/** A terminal. It understands what the board uses: moving up, and clearing everything below. */
function terminal(columns: number, rows: number): Screen & { readonly text: () => string[] } {
  let lines: string[] = [];
  let at = 0;
  return {
    columns,
    rows,
    write: (text: unknown) => {
      for (const [, up, clear, plain = ""] of String(text).matchAll(/\x1b\[(\d+)A|(\x1b\[0J)|([^\x1b]+)/g)) {
        if (up !== undefined) at -= Number(up);
        if (clear !== undefined) lines = lines.slice(0, at);
        for (const part of plain.split(/(?<=\n)/)) {
          lines[at] = (lines[at] ?? "") + part.replace("\n", "");
          if (part.endsWith("\n")) at += 1;
        }
      }
      return true;
    },
    text: () => lines.filter((line) => line !== ""),
  };
}

test("each run has a line with its latest output; whatever else is written goes above", () => {
  const screen = terminal(30, 24);
  const errors: Screen = { columns: 30, rows: 24, write: screen.write.bind(screen) };
  const board = new Board(3, screen, [errors]);
  assert.deepEqual(screen.text(), ["0 running, 3 waiting, 0 ended"]);
  board.begin("us-east");
  board.begin("eu");
  board.show("us-east", "Updating (prod.us-east):");
  board.show("us-east", "  +  kubernetes:core/v1:Secret rabbitmq creating (0s)");
  board.show("us-east", "");
  const block = ["us-east  +  kubernetes:core/v", "eu       ", "2 running, 1 waiting, 0 ended"];
  assert.deepEqual(screen.text(), block);
  errors.write("warning: a cluster is slow\n");
  assert.deepEqual(screen.text(), ["warning: a cluster is slow", ...block]);
  board.end("us-east");
  const printed = [
    "warning: a cluster is slow",
    "us-east: Updating (prod.us-east):",
    "us-east:   +  kubernetes:core/v1:Secret rabbitmq creating (0s)",
    "us-east: ",
  ];
  assert.deepEqual(screen.text(), [...printed, "eu  ", "1 running, 1 waiting, 1 ended"]);
  board.end("eu");
  board.close();
  assert.deepEqual(screen.text(), printed, "only output stays");
  errors.write("the summary\n");
  assert.deepEqual(screen.text(), [...printed, "the summary"]);
});

test("the block waits for the end of half a line", () => {
  const screen = terminal(30, 24);
  const board = new Board(1, screen);
  screen.write("half ");
  assert.deepEqual(screen.text(), ["half "]);
  screen.write("a line\n");
  assert.deepEqual(screen.text(), ["half a line", "0 running, 1 waiting, 0 ended"]);
  board.close();
});

test("the block never has more lines than the terminal, which could not clear them", () => {
  const screen = terminal(80, 4);
  const board = new Board(9, screen);
  for (let run = 0; run < 9; run++) board.begin(`r${run}`);
  assert.deepEqual(screen.text(), ["r0  ", "r1  ", "9 running, 0 waiting, 0 ended"]);
  board.close();
});
