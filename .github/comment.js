const { readdirSync, readFileSync } = require("node:fs");
const { join } = require("node:path");

/** GitHub accepts 65536 characters in a comment. */
const mostCharacters = 65_000;

/**
 * Posts each report as a comment on the pull request, or updates the existing comment for its stack. Each names the commit it is for. If a
 * stack has no report for the newest commit, its comment says so instead of showing an outdated one. Reports come from unreviewed code: they
 * are only read as text, and only accepted in the form that reports have.
 * @param folder holds one folder per report with its `report.md`; a single report may be in the folder itself
 */
module.exports = async ({ github, context, core, folder }) => {
  const { head_sha: sha, head_branch: branch, head_repository: source, html_url: run } = context.payload.workflow_run;
  const head = `${source.owner.login}:${branch}`;
  const { data: open } = await github.rest.pulls.list({ ...context.repo, state: "open", head });
  // A newer commit has its own run and its own report.
  const pull = open.find((candidate) => candidate.head.sha === sha);
  if (pull === undefined) return core.info(`${sha} is not the newest commit of an open pull request from ${head}`);

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
      core.warning(`${name} is not a report, skipped`);
      continue;
    }
    reported.add(stack);
    const body = `${first}For ${commit}:\n\n${text.slice(first.length)}`;
    const comment = own.find((candidate) => candidate.body.startsWith(first));
    if (comment === undefined) await github.rest.issues.createComment({ ...target, body });
    else await edit(comment, body);
  }
  for (const comment of own) {
    const [first, stack] = marker.exec(comment.body);
    const title = `## Preview of stack \`${stack}\``;
    const why = `**No report for ${commit}: its job failed or did not run.**`;
    if (!reported.has(stack)) await edit(comment, `${first}${title}\n\n${why}\n`);
  }
};

/** The first line of a comment and its report: the stack's name, with or without its organization. */
const marker = /^<!-- kazoo preview of ([A-Za-z0-9_./-]+) -->\n/;

/** The reports, by folder. Symbolic links are not followed. */
function reports(folder) {
  const below = entries(folder).filter((entry) => entry.isDirectory() && entry.name.startsWith("report-"));
  const names = below.map(({ name }) => name).sort();
  return [".", ...names].flatMap((name) =>
    entries(join(folder, name))
      .filter((entry) => entry.isFile() && entry.name === "report.md")
      .map((entry) => ({ name, text: readFileSync(join(folder, name, entry.name), "utf8") })),
  );
}

/** The entries of a folder; none if it does not exist, because a run can end without a report. */
function entries(folder) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if (error.code === "ENOENT") return [];
    throw error;
  }
}
