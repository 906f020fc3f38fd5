import { secrets } from "../hosts";
import { dockerHub } from "../images";
import type { Platform } from "../platform";
import { problem, type Problem } from "../problem";
import type { Given } from "../schema";

const own: readonly string[] = Object.values(secrets);

/** Checks that each registry has one login. Returns all problems. */
export function registryProblems(given: Given, platform: Platform): Problem[] {
  const docker = Object.values(platform.clusters).find(({ kind }) => kind === "docker");
  return Object.entries(given.registries ?? {}).flatMap(([host, { username, password, secretName }]) => {
    const key = `kazoo:registries.${host}`;
    const build = given.image?.build;
    if (host === `index.${dockerHub}` || host === `registry-1.${dockerHub}`) {
      return [problem(key, host, `${dockerHub}, as images' names have Docker Hub`, dockerHub)];
    }
    if (secretName !== undefined && (username !== undefined || password !== undefined)) {
      return [
        problem(`${key}.secretName`, secretName, "either a login or a secretName, not both", "remove one of the two"),
      ];
    }
    if (secretName !== undefined && own.includes(secretName)) {
      return [
        problem(`${key}.secretName`, secretName, "a Secret that the stack does not create itself", "registry-pull"),
      ];
    }
    if (secretName !== undefined && docker !== undefined) {
      return [
        problem(
          `${key}.secretName`,
          secretName,
          `a username and a password, since cluster ${docker.name} is a Docker Engine, which has no Secrets`,
          "{ username: ci, password: { secure: … } }",
        ),
      ];
    }
    if (secretName === undefined && username === undefined) {
      return [problem(`${key}.username`, username, "a username and a password, or a secretName", "ci")];
    }
    if (secretName === undefined && password === undefined) {
      return [
        problem(
          `${key}.password`,
          password,
          `the password of ${username}`,
          `pulumi config set --secret --path 'kazoo:registries["${host}"].password'`,
        ),
      ];
    }
    return username !== undefined && build?.registry === host && build.username !== undefined
      ? [
          problem(
            "kazoo:image.build.username",
            build.username,
            `one login for ${host}, which kazoo:registries has already`,
            "remove it, and kazoo:registryPassword",
          ),
        ]
      : [];
  });
}
