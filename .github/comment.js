const { readdirSync, readFileSync } = require("node:fs");
const { join } = require("node:path");

/** A comment holds 65536 characters. */
const mostCharacters = 65_000;

/**
 * Puts each report on the pull request as a comment of its own, or into the one that is there for its stack, with the commit that it is of.
 * A comment whose stack has no report this time says so instead of what was true of an earlier commit. The reports come from code that nobody
 * has reviewed: they are read as text, and only in the form that reports have.
 * @param folder with one folder for each report, which holds `report.md`; a single report may lie there itself
 */
module.exports = async ({ github, context, core, folder }) => {
  const { head_sha: sha, head_branch: branch, head_repository: source, html_url: run } = context.payload.workflow_run;
  const head = `${source.owner.login}:${branch}`;
  const { data: open } = await github.rest.pulls.list({ ...context.repo, state: "open", head });
  // A newer commit has a run, and so a report, of its own.
  const pull = open.find((candidate) => candidate.head.sha === sha);
  if (pull === undefined) return core.info(`no open pull request has ${sha} of ${head} as its last commit`);

  const target = { ...context.repo, issue_number: pull.number };
  const comments = await github.paginate(github.rest.issues.listComments, { ...target, per_page: 100 });
  const own = comments.filter(({ user, body }) => user?.login === "github-actions[bot]" && marker.test(body ?? ""));
  const edit = ({ id, body }, text) =>
    body === text || github.rest.issues.updateComment({ ...context.repo, comment_id: id, body: text });
  const commit = `commit [\`${sha.slice(0, 7)}\`](${run})`;
  const reported = new Set();
  for (const { name, text } of reports(folder)) {
    const [first, stack] = marker.exec(text) ?? [];
    if (first === undefined || text.length > mostCharacters) {
      core.warning(`${name} is no report: left out`);
      continue;
    }
    reported.add(stack);
    const body = `${first}Of ${commit}:\n\n${text.slice(first.length)}`;
    const comment = own.find((candidate) => candidate.body.startsWith(first));
    if (comment === undefined) await github.rest.issues.createComment({ ...target, body });
    else await edit(comment, body);
  }
  for (const comment of own) {
    const [first, stack] = marker.exec(comment.body);
    const title = `## Preview of stack \`${stack}\``;
    const why = `**No report of ${commit}: its job failed, or did not run.**`;
    if (!reported.has(stack)) await edit(comment, `${first}${title}\n\n${why}\n`);
  }
};

/** How a comment and its report begin: with the stack's name, which its organization may stand before. */
const marker = /^<!-- kazoo preview of ([A-Za-z0-9_./-]+) -->\n/;

/** The reports by their folder; links are not followed. */
function reports(folder) {
  const below = entries(folder).filter((entry) => entry.isDirectory() && entry.name.startsWith("report-"));
  const names = below.map(({ name }) => name).sort();
  return [".", ...names].flatMap((name) =>
    entries(join(folder, name))
      .filter((entry) => entry.isFile() && entry.name === "report.md")
      .map((entry) => ({ name, text: readFileSync(join(folder, name, entry.name), "utf8") })),
  );
}

/** What is in a folder; nothing where there is none, since a run may have made no report. */
function entries(folder) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if (error.code === "ENOENT") return [];
    throw error;
  }
}
