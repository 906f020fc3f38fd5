const { readdirSync, readFileSync } = require("node:fs");
const { join } = require("node:path");

/** A comment holds 65536 characters. */
const mostCharacters = 65_000;

/**
 * Puts each report on the pull request as a comment of its own, or into the one that is there for its stack. The reports come from code that
 * nobody has reviewed: they are read as text, and only in the form that reports have.
 * @param folder with one folder for each report, which holds `report.md`; a single report may lie there itself
 */
module.exports = async ({ github, context, core, folder }) => {
  const { head_sha: sha, head_branch: branch, head_repository: source } = context.payload.workflow_run;
  const head = `${source.owner.login}:${branch}`;
  const { data: open } = await github.rest.pulls.list({ ...context.repo, state: "open", head });
  // A newer commit has a run, and so a report, of its own.
  const pull = open.find((candidate) => candidate.head.sha === sha);
  if (pull === undefined) return core.info(`no open pull request has ${sha} of ${head} as its last commit`);

  const target = { ...context.repo, issue_number: pull.number };
  const comments = await github.paginate(github.rest.issues.listComments, { ...target, per_page: 100 });
  for (const { name, text } of reports(folder)) {
    const marker = /^<!-- kazoo preview of [A-Za-z0-9_.-]+ -->\n/.exec(text)?.[0];
    if (marker === undefined || text.length > mostCharacters) {
      core.warning(`${name} is no report: left out`);
      continue;
    }
    const own = comments.find(({ user, body }) => user?.login === "github-actions[bot]" && body?.startsWith(marker));
    if (own === undefined) await github.rest.issues.createComment({ ...target, body: text });
    else if (own.body !== text) {
      await github.rest.issues.updateComment({ ...context.repo, comment_id: own.id, body: text });
    }
  }
};

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
